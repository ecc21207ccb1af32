"""What the venue's words prove: refusal codes, statuses of answers, statuses of orders.

A refusal is proof only when the venue said no before its matching engine could have said yes. What
is not proven is in doubt, and is looked up by the order's hash (venue reference §3.4).
"""

from collections.abc import Mapping
from enum import Enum
from types import MappingProxyType
from typing import Final

from polytui.engine.core.order_enums import OrderState, VenueCode
from polytui.engine.core.trading import VenueOrder


class Verdict(Enum):
    """What a refusal means for the order it answers."""

    NOT_TAKEN = "not_taken"
    """Proof: the order does not and will not exist there."""
    IN_DOUBT = "in_doubt"
    """It may exist: look it up by hash."""
    THERE = "there"
    """It exists or existed: as good as accepted, look it up by hash."""


_PROOF: Final = (
    # The checks before matching, each with a text of its own (HTTP 400, 401, 404).
    VenueCode.BALANCE,
    VenueCode.TICK,
    VenueCode.SIZE,
    VenueCode.MARKETABLE_MIN,
    VenueCode.POST_ONLY_CROSS,
    VenueCode.AMOUNTS,
    VenueCode.VERSION,
    VenueCode.WALLET,
    VenueCode.BANNED,
    VenueCode.CLOSED_ONLY,
    VenueCode.EXPIRATION,
    VenueCode.PAYLOAD,
    VenueCode.NOT_READY,
    VenueCode.AUTH,
    VenueCode.NO_BOOK,
    VenueCode.BATCH,
    # Matching looked, took nothing, and the order type lets nothing rest.
    VenueCode.FOK_KILLED,
    VenueCode.FAK_KILLED,
    # The door was shut: the gateway answers in place of an engine that is away (425), closed by
    # mode (503), or shielded from us (429). The request went no further.
    VenueCode.RESTARTING,
    VenueCode.DISABLED,
    VenueCode.CANCEL_ONLY,
    VenueCode.POST_ONLY_MODE,
    VenueCode.RATE_LIMITED,
)

VERDICTS: Final[Mapping[VenueCode, Verdict]] = MappingProxyType(
    {
        **dict.fromkeys(_PROOF, Verdict.NOT_TAKEN),
        # A 500 left the engine after the order went in. "order timed out" is documented as not on
        # the book, and orders have been found there all the same: reconcile by id.
        VenueCode.TIMED_OUT: Verdict.IN_DOUBT,
        VenueCode.ENGINE_ERROR: Verdict.IN_DOUBT,
        # No reason, or one nobody has seen: never guessed at (fault B4).
        VenueCode.NONE: Verdict.IN_DOUBT,
        VenueCode.OTHER: Verdict.IN_DOUBT,
        VenueCode.DUPLICATE: Verdict.THERE,
    }
)
"""Every code, exactly once; a test says so."""


_REASONS: Final = (
    ("MARKET_RESOLVED", OrderState.RESOLVED),
    ("EXPIRED", OrderState.EXPIRED),
)
"""Fragments of a CANCELLATION's status that name another end than CANCELED (§4.2)."""

_EXPIRY_SLACK_NS: Final = 1_000_000_000
"""The venue's clock and ours may differ by half a second, and it expires by the whole second."""


def end_of(seen: VenueOrder, *, gtd_end_ns: int, is_asked: bool, at_ns: int) -> OrderState:
    """Name the terminal state that a cancellation means; expiry often comes as a plain one."""
    if seen.status == "UNMATCHED":
        return OrderState.UNMATCHED
    text = seen.status_text.upper()
    for fragment, state in _REASONS:
        if fragment in text:
            return state
    is_past = 0 < gtd_end_ns <= at_ns + _EXPIRY_SLACK_NS
    return OrderState.EXPIRED if is_past and not is_asked else OrderState.CANCELED
