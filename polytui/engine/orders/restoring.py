"""Orders as the store kept them, alive again after a restart.

Nothing that was on its way can be trusted to have left or not: the store learns of the sending only
after the bytes. Such an order is in doubt and looked up by its hash (fault C1, invariant 23).
"""

from collections.abc import Iterable
from typing import Final

from polytui.engine.core.order_enums import Applied, OrderState, Witness
from polytui.engine.core.trading import OrderRecord, TradeRecord
from polytui.engine.orders.evidence import Now
from polytui.engine.orders.lifecycle import IN_FLIGHT, Order
from polytui.engine.orders.registry import Registry

_OFF: Final = frozenset({Applied.NONE, Applied.VOIDED})
"""Applied states of trades that are no part of what is filled."""


SWEEP_FIRST_NS: Final = 2_000_000_000
"""One read of all open orders speaks for every order that rested: they are not asked for singly."""


_RESTED: Final = frozenset({OrderState.LIVE, OrderState.PARTIAL})


def take_up(
    reg: Registry, records: Iterable[OrderRecord], trades: Iterable[TradeRecord], now: Now
) -> None:
    """Take the orders of a realm up again, each once; only those that moved are news."""
    by_hash: dict[str, list[TradeRecord]] = {}
    for trade in trades:
        by_hash.setdefault(trade.order_hash, []).append(trade)
    for record in records:
        if record.realm is not reg.realm or record.cid in reg.by_cid:
            reg.counts["restored_twice_or_elsewhere"] += 1
            continue
        known = by_hash.get(record.order_hash, ())
        order = revive(record, known, at_ns=now.at_ns, seq=now.seq)
        reg.add(order)
        patience_ns = SWEEP_FIRST_NS if order.state in _RESTED else 0
        reg.look_up(order, now.at_ns + patience_ns)
        reg.settle(order)
        if order.state is record.state:
            del reg.changed[order.cid]


def revive(record: OrderRecord, trades: Iterable[TradeRecord], *, at_ns: int, seq: int) -> Order:
    """Make an order of its record and its trades; what was on its way is in doubt."""
    order = Order(
        record.cid,
        record.draft,
        record.terms,
        at_ns=record.created_ns,
        state=record.state,
        external=record.external,
    )
    order.order_hash = record.order_hash
    order.refusal = record.refusal
    order.edges = list(record.edges)
    order.venue_text = record.venue_text
    order.venue_matched_u6 = record.venue_matched_u6
    order.cancel_ns, order.cancel_attempts = record.cancel_ns, record.cancel_attempts
    order.cancel_due_ns = at_ns if record.cancel_ns else 0
    order.updated_ns = record.updated_ns
    _read_edges(order)
    _count_trades(order, record, trades)
    if record.state in IN_FLIGHT:
        detail = f"was {record.state.value} when the last run ended"
        order.enter(OrderState.UNKNOWN, Witness.RESTORED, at_ns, seq, detail)
    elif record.state is OrderState.PROPOSED:
        order.enter(OrderState.VETOED, Witness.RESTORED, at_ns, seq, "the last run ended")
    return order


def _read_edges(order: Order) -> None:
    """Take the times that deadlines rest on from the evidence kept."""
    for edge in order.edges:
        order.since_ns = edge.at_ns
        if edge.state is OrderState.SENT:
            order.sent_ns = edge.at_ns
        if edge.witness in _SPOKEN:
            order.is_acked = True


_SPOKEN: Final = frozenset(
    {Witness.REST_ANSWER, Witness.REST_READ, Witness.USER_STREAM, Witness.MARKET}
)


def _count_trades(order: Order, record: OrderRecord, trades: Iterable[TradeRecord]) -> None:
    """Count the trades by name; what the record has beyond them stays a nameless sum.

    A trade that failed after the record was written is part of that sum no more.
    """
    named_u6 = named_cash_u6 = 0
    for trade in trades:
        qty_u6, cash_u6 = trade.change.qty_u6, trade.change.cash_u6
        counts = trade.applied not in _OFF
        order.book(trade.trade_id, qty_u6, cash_u6, counts=counts, is_first=True)
        named_u6 += qty_u6
        named_cash_u6 += cash_u6
    qty_u6 = max(0, record.filled_u6 - named_u6)
    cash_u6 = max(0, record.filled_cash_u6 - named_cash_u6) if qty_u6 else 0
    order.unnamed = (qty_u6, cash_u6)
    order.filled_u6 += qty_u6
    order.filled_cash_u6 += cash_u6
    order.seen_u6 = max(order.seen_u6 + qty_u6, 0 if named_u6 else record.venue_matched_u6)
