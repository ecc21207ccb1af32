"""What an account needs of the engine's process."""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass

from polytui.engine.core.events import Event
from polytui.engine.core.ids import ConnId
from polytui.engine.core.order_enums import Realm
from polytui.engine.core.trading import Refusal
from polytui.engine.shell.latch import KillLatch


@dataclass(frozen=True, slots=True, kw_only=True)
class Ties:
    """What an account needs of the engine's process."""

    latch: KillLatch
    journal: Callable[[Sequence[str]], Awaitable[bool]]
    gate: Callable[[Realm, str], Refusal | None]
    offer: Callable[[Event], None]
    next_conn: Callable[[], ConnId]
    clock: Callable[[], int]
    """Engine time."""
    on_bug: Callable[[BaseException], None]
    hide: Callable[..., None]
    """Takes texts that the log must never hold."""
