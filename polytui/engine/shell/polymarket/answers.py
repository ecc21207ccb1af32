"""What the venue answers to orders, cancels and heartbeats, judged. Pure.

An order was accepted only when the answer names it by its hash, without a reason against it, in a
state we know. It was refused only when a reason is given that proves it. Everything else is
unknown, and looked up by its hash (faults B1 to B4).
"""

from collections.abc import Sequence
from typing import Final

from msgspec import Raw, Struct
from msgspec.json import Decoder

from polytui.engine.core.errors import WireError
from polytui.engine.core.order_enums import SendOutcome, VenueCode
from polytui.engine.core.units import parse_u6
from polytui.engine.shell.polymarket.codes import UNDECIDED, code_of
from polytui.engine.wire.account import UNREADABLE, escaped, text_of

STATUSES: Final = frozenset({"live", "matched", "delayed", "unmatched"})


class Answer(Struct, frozen=True, kw_only=True, gc=False):
    """What became of one order."""

    outcome: SendOutcome
    status: str = ""
    making_u6: int = 0
    taking_u6: int = 0
    trade_ids: tuple[str, ...] = ()
    code: VenueCode = VenueCode.NONE
    text: str = ""


class Cancelled(Struct, frozen=True, kw_only=True, gc=False):
    """What became of a cancel's orders."""

    canceled: tuple[str, ...]
    not_canceled: tuple[tuple[str, str], ...]


class _Leg(Struct, gc=False):
    success: bool | None = None
    errorMsg: Raw = Raw(b"")  # noqa: N815  the wire's own name
    error: Raw = Raw(b"")
    orderID: Raw = Raw(b"")  # noqa: N815  the wire's own name
    status: Raw = Raw(b"")
    makingAmount: Raw = Raw(b"")  # noqa: N815  the wire's own name
    takingAmount: Raw = Raw(b"")  # noqa: N815  the wire's own name
    tradeIDs: list[str] | None = None  # noqa: N815  the wire's own name

    @property
    def reason(self) -> str:
        """What it says against the order."""
        return text_of(self.errorMsg) or text_of(self.error)

    @property
    def order_hash(self) -> str:
        """Which order it names, empty for none."""
        return text_of(self.orderID).lower()


class _Cancelled(Struct, gc=False):
    canceled: list[str] | None = None
    not_canceled: dict[str, Raw] | None = None


class _Beat(Struct, gc=False):
    heartbeat_id: Raw = Raw(b"")


_leg: Final = Decoder(_Leg)
_legs: Final = Decoder(list[Raw])
_cancelled: Final = Decoder(_Cancelled)
_beat: Final = Decoder(_Beat)


def unknown(text: str, code: VenueCode = VenueCode.OTHER) -> Answer:
    """Say that nothing is proven."""
    return Answer(outcome=SendOutcome.UNKNOWN, code=code, text=escaped(text))


def read_placed(body: bytes, order_hash: str) -> Answer:
    """Judge the 200 answer to one order. Never raises."""
    try:
        return _judged(_leg.decode(body), order_hash)
    except (*UNREADABLE, WireError) as error:
        return unknown(f"unreadable answer: {type(error).__name__}", VenueCode.NONE)


def _judged(leg: _Leg, order_hash: str) -> Answer:
    """Judge one answer that can only be about this order."""
    reason, named = leg.reason, leg.order_hash
    if reason:
        code = code_of(reason)
        is_proof = code not in UNDECIDED and not (named and leg.success is not False)
        outcome = SendOutcome.REFUSED if is_proof else SendOutcome.UNKNOWN
        return Answer(outcome=outcome, code=code, text=escaped(reason))
    if not named or leg.success is False:
        return unknown("refused without a reason", VenueCode.NONE)
    if named != order_hash.lower():
        return unknown("the answer names another order")
    status = text_of(leg.status).lower()
    if status not in STATUSES:
        return unknown(f"an unknown status: {status}")
    return Answer(
        outcome=SendOutcome.ACCEPTED,
        status=status,
        making_u6=_amount_u6(leg.makingAmount),
        taking_u6=_amount_u6(leg.takingAmount),
        trade_ids=tuple(escaped(trade) for trade in leg.tradeIDs or ()),
    )


def _amount_u6(raw: Raw) -> int:
    text = text_of(raw)
    return parse_u6(text) if text else 0


# --- batches -------------------------------------------------------------------------------------


def read_batch(body: bytes, hashes: Sequence[str]) -> list[Answer]:
    """Judge the 200 answer to a batch, leg by leg, matched by hash and not by place (B9).

    Refused legs often come without a hash. They are told apart by a hash inside their text, else
    by their place, as long as every named leg stands in its own; when the venue has shuffled them
    and their reasons differ, all we know is that none of them was accepted. One among several that
    proves nothing leaves them all unknown: a place is no proof. Never raises.
    """
    try:
        legs = [_leg.decode(raw) for raw in _legs.decode(body)]
        return _matched(legs, [order_hash.lower() for order_hash in hashes])
    except (*UNREADABLE, WireError) as error:
        lost = unknown(f"unreadable answer: {type(error).__name__}", VenueCode.NONE)
        return [lost] * len(hashes)


def _matched(legs: list[_Leg], hashes: list[str]) -> list[Answer]:
    owners = [_owner_of(leg, hashes) for leg in legs]
    named = [owner for owner in owners if owner]
    is_strange = any(leg.order_hash and not owner for leg, owner in zip(legs, owners, strict=True))
    if is_strange or len(legs) != len(hashes) or len(set(named)) != len(named):
        return _only_named(legs, owners, hashes)
    found = {o: _judged(leg, o) for leg, o in zip(legs, owners, strict=True) if o}
    is_in_order = all(not o or o == h for o, h in zip(owners, hashes, strict=True))
    rest = [_judged(leg, "") for leg, owner in zip(legs, owners, strict=True) if not owner]
    missing = [order_hash for order_hash in hashes if order_hash not in found]
    if len(rest) > 1 and any(answer.outcome is not SendOutcome.REFUSED for answer in rest):
        lost = unknown("one of several legs has no proof, and they cannot be told apart")
        rest = [lost] * len(rest)
    elif rest and not is_in_order:
        rest = [_shared(rest)] * len(rest)
    found |= dict(zip(missing, rest, strict=True))
    return [found[order_hash] for order_hash in hashes]


def _owner_of(leg: _Leg, hashes: list[str]) -> str:
    """Find which of our legs an answer is about; empty when it does not say."""
    named = leg.order_hash
    if named:
        return named if named in hashes else ""
    low = leg.reason.lower()
    inside = [order_hash for order_hash in hashes if order_hash in low]
    return inside[0] if len(inside) == 1 else ""


def _only_named(legs: list[_Leg], owners: list[str], hashes: list[str]) -> list[Answer]:
    """Believe an answer that does not fit its request only where it names one order once."""
    lost = unknown("the batch's answer does not fit its legs")
    found = dict.fromkeys(hashes, lost)
    for leg, owner in zip(legs, owners, strict=True):
        if owner and owners.count(owner) == 1:
            found[owner] = _judged(leg, owner)
    return [found[order_hash] for order_hash in hashes]


def _shared(answers: list[Answer]) -> Answer:
    """Say what is true of every one of several refused legs that cannot be told apart."""
    if all(answer.code is answers[0].code for answer in answers):
        return answers[0]
    text = "one of: " + ", ".join(sorted({answer.code.value for answer in answers}))
    return Answer(outcome=SendOutcome.REFUSED, code=VenueCode.OTHER, text=escaped(text))


# --- cancels and beats ---------------------------------------------------------------------------


def read_cancelled(body: bytes) -> Cancelled | None:
    """Read the answer to a cancel: 200 does not mean cancelled. None when it is none."""
    try:
        raw = _cancelled.decode(body)
        if raw.canceled is None and raw.not_canceled is None:
            return None
        pairs = (raw.not_canceled or {}).items()
        return Cancelled(
            canceled=tuple(escaped(order_hash).lower() for order_hash in raw.canceled or ()),
            not_canceled=tuple((escaped(h).lower(), escaped(text_of(why))) for h, why in pairs),
        )
    except (*UNREADABLE, WireError):
        return None


def read_beat(body: bytes) -> str:
    """Read the id of the next heartbeat, from an acceptance or a correction; empty for none."""
    try:
        return escaped(text_of(_beat.decode(body).heartbeat_id))
    except (*UNREADABLE, WireError):
        return ""
