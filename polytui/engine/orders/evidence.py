"""What one statement of the venue does to one order, whichever way it came.

Answers, user events, REST rows and trades overlap, repeat, and overtake each other. Each is folded
by the same rules: sums only rise, terminal states absorb, a fill is booked whatever the state, and
what contradicts is counted and looked up. Nothing here raises for what the venue says.
"""

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Final

from polytui.engine.core.account_events import OrderAnswered
from polytui.engine.core.order_enums import (
    Anomaly,
    FillKind,
    OrderState,
    OrderType,
    SendOutcome,
    Witness,
)
from polytui.engine.core.trading import FillChange, VenueOrder
from polytui.engine.core.units import U, cost_u6, text_u6
from polytui.engine.orders.lifecycle import DUST_U6, UNSENT, Order
from polytui.engine.orders.registry import MS, Registry
from polytui.engine.orders.verdicts import VERDICTS, Verdict, end_of

GHOST_AFTER_MS: Final = 5_000
"""A read may have begun before the end it contradicts; past this it did not."""

NOT_THERE: Final = frozenset({OrderState.REFUSED, OrderState.VETOED, OrderState.DROPPED})
"""Ends that say the venue never took it."""


class Now:
    """The moment of the event being folded."""

    __slots__ = ("at_ns", "seq")

    def __init__(self, at_ns: int, seq: int) -> None:
        """Take the event's stamp."""
        self.at_ns = at_ns
        self.seq = seq


def glance(order: Order) -> tuple[object, ...]:
    """Return what a record keeps and an unchanged row of a sweep leaves as it is."""
    return (
        order.state,
        order.filled_u6,
        order.venue_matched_u6,
        order.venue_text,
        order.cancel_ns,
        order.is_ghost,
    )


# --- the answer to sending -----------------------------------------------------------------------


def take_answer(reg: Registry, order: Order, event: OrderAnswered, now: Now) -> None:
    """Fold what became of sending the order."""
    reg.counts[f"answer:{event.outcome.value}"] += 1
    if event.text:
        order.venue_text = event.text
    _OUTCOMES[event.outcome](reg, order, event, now)


def _accepted(reg: Registry, order: Order, event: OrderAnswered, now: Now) -> None:
    order.is_acked = True
    reg.touch(order, now.at_ns, now.seq)
    fold = _STATUSES.get(event.status)
    if fold is None:
        reg.counts[f"unknown_status:{event.status[:20]}"] += 1
        _doubt(reg, order, Witness.REST_ANSWER, now, f"unknown status {event.status}")
    else:
        fold(reg, order, event, now)


def _live(reg: Registry, order: Order, event: OrderAnswered, now: Now) -> None:
    progress(reg, order, Witness.REST_ANSWER, now, event.status)


def _delayed(reg: Registry, order: Order, event: OrderAnswered, now: Now) -> None:
    _go(reg, order, OrderState.DELAYED, Witness.REST_ANSWER, now, event.status)


def _unmatched(reg: Registry, order: Order, event: OrderAnswered, now: Now) -> None:
    """Look the id up: sources disagree whether such an order rests or is gone (§3.1; B17)."""
    order.hint = OrderState.UNMATCHED
    _doubt(reg, order, Witness.REST_ANSWER, now, f"{event.status}: resting or gone?")


def _matched(reg: Registry, order: Order, event: OrderAnswered, now: Now) -> None:
    """Take what matched at once; of FAK and FOK that is the end, a GTC remainder may rest."""
    shares_u6, cash_u6 = event.taking_u6, event.making_u6
    if not order.is_buy:
        shares_u6, cash_u6 = cash_u6, shares_u6
    order.venue_matched_u6 = max(order.venue_matched_u6, shares_u6)
    left_u6 = order.qty_u6 - shares_u6
    if order.budget_u6:
        left_u6 = min(left_u6, (order.budget_u6 - cash_u6) * U // order.draft.px_u6)
    if left_u6 < DUST_U6:
        _go(reg, order, OrderState.MATCHED, Witness.REST_ANSWER, now, event.status)
    elif order.draft.order_type.is_resting or not shares_u6:
        progress(reg, order, Witness.REST_ANSWER, now, event.status)
        reg.look_up(order, now.at_ns + reg.config.inflight_every_ms * MS)
    else:
        _go(reg, order, OrderState.CANCELED, Witness.REST_ANSWER, now, "remainder killed")


def _refused(reg: Registry, order: Order, event: OrderAnswered, now: Now) -> None:
    verdict = VERDICTS[event.code]
    reg.counts[f"refused:{event.code.value}"] += 1
    detail = f"{event.code.value or 'no reason'}: {event.text}"
    if verdict is Verdict.IN_DOUBT:
        _doubt(reg, order, Witness.REST_ANSWER, now, detail)
    elif verdict is Verdict.THERE:
        order.is_acked = True
        reg.touch(order, now.at_ns, now.seq)
        progress(reg, order, Witness.REST_ANSWER, now, detail)
        reg.look_up(order, now.at_ns)
    else:
        order.refusal = event.refusal or order.refusal
        _go(reg, order, OrderState.REFUSED, Witness.REST_ANSWER, now, detail)


def _unknown(reg: Registry, order: Order, event: OrderAnswered, now: Now) -> None:
    witness = Witness.TIMEOUT if not event.http else Witness.REST_ANSWER
    _doubt(reg, order, witness, now, event.text or f"http {event.http}")


def _not_sent(reg: Registry, order: Order, event: OrderAnswered, now: Now) -> None:
    """End what never left; if bytes were noted as written, believe the worse of the two."""
    if not _has_not_left(order):
        reg.counts["contradictions"] += 1
        _doubt(reg, order, Witness.WIRE, now, f"not sent, yet noted as sent: {event.text}")
        return
    refusal = event.refusal
    order.refusal = refusal
    witness = Witness.GATE if refusal is not None else Witness.WIRE
    detail = f"{refusal.control.value} {refusal.value}" if refusal is not None else event.text
    order.enter(OrderState.REFUSED, witness, now.at_ns, now.seq, f"not sent: {detail}")


def _dropped(reg: Registry, order: Order, event: OrderAnswered, now: Now) -> None:
    """End a dry run; if its deadline put it in doubt before, the word is proof all the same."""
    late = order.state is OrderState.UNKNOWN and _has_not_left(order)
    end = OrderState.REFUSED if late else OrderState.DROPPED
    reg.counts["dropped_late"] += late
    order.enter(end, Witness.GATE, now.at_ns, now.seq, event.text or "dry run")


def _has_not_left(order: Order) -> bool:
    """Tell whether no bytes were noted as written: on its way, or in doubt for want of a word."""
    if order.state in UNSENT:
        return True
    return order.state is OrderState.UNKNOWN and not order.sent_ns and not order.is_acked


_Take = Callable[[Registry, Order, OrderAnswered, Now], None]

_STATUSES: Final[Mapping[str, _Take]] = MappingProxyType(
    {"live": _live, "matched": _matched, "delayed": _delayed, "unmatched": _unmatched}
)
_OUTCOMES: Final[Mapping[SendOutcome, _Take]] = MappingProxyType(
    {
        SendOutcome.ACCEPTED: _accepted,
        SendOutcome.REFUSED: _refused,
        SendOutcome.UNKNOWN: _unknown,
        SendOutcome.NOT_SENT: _not_sent,
        SendOutcome.DROPPED: _dropped,
    }
)

# --- an order as the venue shows it --------------------------------------------------------------


def take_order(reg: Registry, order: Order, seen: VenueOrder, witness: Witness, now: Now) -> None:
    """Fold a user event or a REST row."""
    order.venue_matched_u6 = max(order.venue_matched_u6, seen.matched_u6 or 0)
    if order.state.is_terminal:
        _after_the_end(reg, order, seen, witness, now)
        return
    order.is_acked = True
    if seen.event == "CANCELLATION" or seen.status in ("CANCELED", "INVALID"):
        finish(reg, order, seen, witness, now)
        return
    fold = _SHOWN.get(seen.status)
    if fold is None:
        reg.counts[f"unknown_status:{seen.status[:20]}"] += 1
        reg.look_up(order, now.at_ns + reg.config.inflight_every_ms * MS)
        return
    reg.touch(order, now.at_ns, now.seq)
    fold(reg, order, witness, now)


def _shown_live(reg: Registry, order: Order, witness: Witness, now: Now) -> None:
    progress(reg, order, witness, now, "live")


def _shown_delayed(reg: Registry, order: Order, witness: Witness, now: Now) -> None:
    _go(reg, order, OrderState.DELAYED, witness, now, "delayed")


def _shown_matched(reg: Registry, order: Order, witness: Witness, now: Now) -> None:
    """Believe it done when the sizes say so too; else wait for trades, an end, or a read."""
    if order.qty_u6 - order.venue_matched_u6 < DUST_U6:
        _go(reg, order, OrderState.MATCHED, witness, now, "matched")
        return
    progress(reg, order, witness, now, "matched in part")
    reg.look_up(order, now.at_ns + reg.config.inflight_every_ms * MS)


def _shown_unmatched(reg: Registry, order: Order, witness: Witness, now: Now) -> None:
    order.hint = OrderState.UNMATCHED
    _doubt(reg, order, witness, now, "unmatched: resting or gone?")


_SHOWN: Final[Mapping[str, Callable[[Registry, Order, Witness, Now], None]]] = MappingProxyType(
    {
        "LIVE": _shown_live,
        "DELAYED": _shown_delayed,
        "MATCHED": _shown_matched,
        "UNMATCHED": _shown_unmatched,
    }
)


def finish(reg: Registry, order: Order, seen: VenueOrder, witness: Witness, now: Now) -> None:
    """End an order on the venue's explicit word."""
    order.venue_text = seen.status_text or seen.status
    end = end_of(seen, gtd_end_ns=gtd_end_ns(order), is_asked=order.cancel_ns > 0, at_ns=now.at_ns)
    has_traded = order.seen_u6 > 0 or order.venue_matched_u6 > 0
    is_resting = order.state in (OrderState.LIVE, OrderState.PARTIAL)
    if end is OrderState.UNMATCHED and (has_traded or is_resting):
        end = OrderState.CANCELED
    _go(reg, order, end, witness, now, order.venue_text)


def gtd_end_ns(order: Order) -> int:
    """Return when the venue drops it by itself, engine time; 0: never."""
    return order.draft.expires_ns if order.draft.order_type is OrderType.GTD else 0


def _after_the_end(
    reg: Registry, order: Order, seen: VenueOrder, witness: Witness, now: Now
) -> None:
    """Absorb; but an order that is alive after its end is a ghost: counted, cancelled again."""
    is_alive = seen.status in ("LIVE", "DELAYED") and seen.event != "CANCELLATION"
    if not is_alive:
        order.is_ghost = False
    elif _is_deduced(order) or (
        witness is Witness.REST_READ and now.at_ns - order.since_ns > GHOST_AFTER_MS * MS
    ):
        _haunt(reg, order, now, seen.status)


def take_late_sending(reg: Registry, order: Order, now: Now) -> None:
    """Note bytes written for an order that other news overtook; after a deduced end, a ghost."""
    order.sent_ns = order.sent_ns or now.at_ns
    if order.state is OrderState.UNKNOWN:
        reg.look_up(order, now.at_ns)
    elif order.state.is_terminal and _is_deduced(order):
        _haunt(reg, order, now, "sent")
    reg.settle(order)


def _is_deduced(order: Order) -> bool:
    """Tell whether its end was our own conclusion, so that any sign of life disproves it."""
    return order.state in NOT_THERE and order.edges[-1].witness is not Witness.REST_ANSWER


def _haunt(reg: Registry, order: Order, now: Now, theirs: str) -> None:
    """Count an order again that is alive after its end, and ask for its end there too."""
    if order.is_ghost:
        return
    order.is_ghost = True
    order.cancel_ns = order.cancel_ns or now.at_ns
    order.cancel_due_ns = now.at_ns
    reg.look_up(order, now.at_ns + reg.config.inflight_every_ms * MS)
    _mismatch(reg, order, now, theirs=theirs, detail="alive at the venue after its end")


# --- trades --------------------------------------------------------------------------------------

_COUNTS: Final[Mapping[FillKind, bool]] = MappingProxyType(
    {
        FillKind.PROVISIONAL: True,
        FillKind.PROMOTED: True,
        FillKind.VOIDED: False,
        FillKind.FAULT: True,
    }
)
"""Whether a trade in this state is part of the filled sum: all but failed ones."""


def take_fill(reg: Registry, order: Order, change: FillChange, now: Now) -> None:
    """Book one step of a trade; a first sighting also proves that the order is there."""
    counts = _COUNTS[change.kind]
    is_first = change.kind is FillKind.PROVISIONAL
    trade = change.trade_id, change.qty_u6, change.cash_u6
    if not order.book(*trade, counts=counts, is_first=is_first):
        return
    order.updated_ns = now.at_ns
    if not is_first:
        return
    if order.state.is_terminal:
        reg.counts["late_fills"] += 1
        if order.state in NOT_THERE:
            _mismatch(reg, order, now, theirs="traded", detail=f"trade {change.trade_id}")
    else:
        reg.touch(order, now.at_ns, now.seq)
        progress(reg, order, Witness.TRADE, now, f"trade {change.trade_id}")
    _check_overfill(reg, order, now)


def _check_overfill(reg: Registry, order: Order, now: Now) -> None:
    """Tell when more was filled than asked; a market BUY is measured by its budget (§5.4)."""
    slack_u6 = reg.config.overfill_u6
    if order.budget_u6:
        ours_u6, theirs_u6 = order.budget_u6, order.filled_cash_u6
        slack_u6 = cost_u6(order.draft.px_u6, slack_u6)
    else:
        ours_u6, theirs_u6 = order.qty_u6, order.filled_u6
    if theirs_u6 - ours_u6 > slack_u6:
        reg.flag(
            order,
            Anomaly.OVERFILL,
            seq=now.seq,
            ours=text_u6(ours_u6),
            theirs=text_u6(theirs_u6),
            detail="dollars" if order.budget_u6 else "shares",
        )


# --- steps ---------------------------------------------------------------------------------------


def progress(reg: Registry, order: Order, witness: Witness, now: Now, detail: str) -> None:
    """Move an order that is there to LIVE, PARTIAL or MATCHED, by its trades and the venue's sum.

    The venue's sum alone makes no order MATCHED: a whole sum comes with the word for it.
    """
    if order.seen_u6 and order.is_full:
        state = OrderState.MATCHED
    elif order.seen_u6 or order.venue_matched_u6:
        state = OrderState.PARTIAL
    else:
        state = OrderState.LIVE
    _go(reg, order, state, witness, now, detail)


def _go(
    reg: Registry, order: Order, state: OrderState, witness: Witness, now: Now, detail: str
) -> None:
    reg.advance(order, state, witness, at_ns=now.at_ns, seq=now.seq, detail=detail)


def _doubt(reg: Registry, order: Order, witness: Witness, now: Now, detail: str) -> None:
    """Put an order without proof in doubt; one that is known to be there stays, looked up."""
    if order.state in UNSENT or order.state is OrderState.SENT:
        order.enter(OrderState.UNKNOWN, witness, now.at_ns, now.seq, detail)
        reg.plan(order, now.at_ns)
    elif not order.state.is_terminal:
        reg.look_up(order, now.at_ns)


def _mismatch(reg: Registry, order: Order, now: Now, *, theirs: str, detail: str) -> None:
    reg.flag(
        order,
        Anomaly.ORDER_MISMATCH,
        seq=now.seq,
        ours=order.state.value,
        theirs=theirs,
        detail=detail,
    )
