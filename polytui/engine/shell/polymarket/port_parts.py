"""What an execution port is made of, besides the venue: who it tells and whom it asks."""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

from polytui.engine.core.commands import MovePairs
from polytui.engine.core.events import Event
from polytui.engine.core.order_enums import Realm
from polytui.engine.core.trading import Identity, Refusal, Terms
from polytui.engine.shell.polymarket.budgets import Budgets
from polytui.engine.shell.polymarket.client import VenueClient
from polytui.engine.shell.signer.frames import SignResult


class Signer(Protocol):
    """Who holds the wallet's key: the signer's client."""

    async def sign(self, orders: Sequence[Terms]) -> list[SignResult]:
        """Sign orders: one result each, in their order, a signature or a refusal."""


Mover = Callable[[MovePairs], Awaitable[Event]]
"""Who can split and merge; answers with a `PairsMoved`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Parts:
    """Everything a port needs; shared by the classes that carry out its commands."""

    realm: Realm
    identity: Identity
    client: VenueClient
    emit: Callable[[Event], None]
    """Takes every answer, on the loop's thread; never raises."""
    journal: Callable[[Sequence[str]], Awaitable[bool]]
    """Takes cids and resolves True when their records are durable."""
    signer: Signer
    gate: Callable[[str], Refusal | None]
    """The governor on current state, for a cid, asked where bytes leave."""
    latch_clear: Callable[[], bool]
    """The kill latch, in memory and on disk; must not wait."""
    budgets: Budgets
    on_bug: Callable[[BaseException], None]
    """Takes an exception that is our fault; its orders have been answered already."""
    is_v2: Callable[[str], bool] = lambda _token: False
    """Tells protocol-V2 tokens, whose balances have a type of their own."""
    mover: Mover | None = None
    order_timeout_s: float = 5.0
    """Longest wait for the answer to an order; after it the order is unknown."""
