"""Random lives of many orders against the practice venue, with a post that loses and shuffles.

After every step the desk is audited (invariants 11, 12, 16, 17 and 19 as far as orders know them);
when all is quiet the two sides must agree on every order and every fill (15, 20).
"""

from collections.abc import Callable
from typing import Final

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from polytui.engine.core.order_enums import (
    Applied,
    FillKind,
    OrderState,
    SendOutcome,
    TradeStatus,
    VenueCode,
)
from polytui.engine.orders.lifecycle import Order
from polytui.engine.sim.exchange.api import TradeStatus as VenueStatus
from polytui.engine.sim.exchange.api import TradeView
from tests.engine.orders.desk import BUY, FAK, FOK, GTC, GTD, NO, SELL, US, YES, Desk
from tests.engine.orders.hall import Hall

# --- against the venue ---------------------------------------------------------------------------


def storm(hall: Hall, steps: int) -> None:
    rng = hall.rng
    for _ in range(steps):
        side, token = (BUY, SELL)[rng.below(2)], (YES, NO)[rng.below(2)]
        px_u6, qty_u6 = rng.between(44, 56) * 10_000, rng.between(500, 4_000) * 10_000
        deed = rng.below(10)
        if deed < 4:
            hall.other(side, px_u6, qty_u6, token)
        elif deed < 8:
            hall.send(side, px_u6, qty_u6, (GTC, GTD, FAK, FOK)[rng.below(4)], token)
        elif hall.desk.orders.open():
            held = hall.desk.orders.open()
            hall.desk.cancel(held[rng.below(len(held))])
        hall.wait(rng.between(1, 800))


def quiet(hall: Hall) -> None:
    """Stop losing post, and let everything come to its end."""
    hall.loss = 0.0
    for _ in range(200):
        hall.deliver(1.0)
        hall.wait(2_000)


def agree(hall: Hall) -> None:
    """Compare every order and trade of the two sides."""
    orders = hall.desk.orders
    active = {view.order_id for view in hall.exchange.open_orders(owner=US)}
    assert {order.order_hash for order in orders.open()} == active
    assert orders.unknown() == []
    assert hall.desk.trades.provisional() == []
    trades = hall.exchange.trades(owner=US)
    for order in orders.by_cid.values():
        parts = [part for view in trades for part in _parts(view, order)]
        assert order.seen_u6 == sum(qty for qty, _, _ in parts)
        assert order.filled_u6 == sum(qty for qty, _, is_good in parts if is_good)
        assert order.filled_cash_u6 == sum(cash for _, cash, is_good in parts if is_good)
        view_now = hall.exchange.order(order.order_hash)
        if view_now is not None:
            assert view_now.matched_u6 == order.seen_u6
    assert orders.drain_anomalies() == []


def _parts(view: TradeView, order: Order) -> list[tuple[int, int, bool]]:
    """List (shares, cash, is good) of an order in a trade, as the exchange has them."""
    is_good = view.status is not VenueStatus.FAILED
    found = [
        (one.qty_u6, one.cash_u6, is_good)
        for one in view.makers
        if one.order_id == order.order_hash
    ]
    if view.taker_order_id == order.order_hash:
        found.append((view.qty_u6, view.cash_u6, is_good))
    return found


@pytest.mark.parametrize(
    ("seed", "fail", "loss", "sports_s"),
    [(1, 0.0, 0.0, 0), (2, 0.0, 0.3, 0), (3, 0.35, 0.3, 0), (4, 0.35, 0.2, 2), (5, 0.1, 0.6, 0)],
)
def test_b1_b2_b10_b13_the_desk_and_the_venue_agree_after_every_storm(
    seed: int, fail: float, loss: float, sports_s: int
) -> None:
    hall = Hall(seed, fail=fail, loss=loss, sports_s=sports_s)
    storm(hall, 150)
    quiet(hall)
    agree(hall)


@pytest.mark.slow
@pytest.mark.timeout(300)
@pytest.mark.parametrize("seed", range(100, 140))
def test_forty_storms(seed: int) -> None:
    hall = Hall(seed, fail=(seed % 4) / 10, loss=(seed % 7) / 10, sports_s=seed % 2)
    storm(hall, 400)
    quiet(hall)
    agree(hall)


# --- without a venue that makes sense ------------------------------------------------------------

Deed = Callable[[Desk, Order, int], None]


def _answer(desk: Desk, order: Order, n: int) -> None:
    status = ("live", "matched", "delayed", "unmatched", "odd")[n % 5]
    desk.answer(order, status=status, making="2", taking="4")


def _refuse(desk: Desk, order: Order, n: int) -> None:
    desk.refuse(order, tuple(VenueCode)[n % len(VenueCode)])


def _lose(desk: Desk, order: Order, _n: int) -> None:
    desk.lose(order)


def _user(desk: Desk, order: Order, n: int) -> None:
    words = ("LIVE", "MATCHED", "DELAYED", "UNMATCHED", "CANCELED", "INVALID", "ODD")
    event = ("", "PLACEMENT", "UPDATE", "CANCELLATION")[n % 4]
    desk.user(order, words[n % 7], event, matched=("0", "4", "10")[n % 3])


def _row(desk: Desk, order: Order, n: int) -> None:
    desk.row(order, ("LIVE", "MATCHED", "DELAYED")[n % 3], matched=("0", "4")[n % 2])


def _trade(desk: Desk, order: Order, n: int) -> None:
    status = tuple(TradeStatus)[n % 6]
    desk.trade(order, ("4", "6", "1.23")[n % 3], status, trade_id=f"{order.cid}-{n % 5}")


def _read(desk: Desk, order: Order, n: int) -> None:
    desk.read(order, desk.shown(order) if n % 3 == 0 else None, ok=n % 4 != 1)


def _trades_read(desk: Desk, _order: Order, n: int) -> None:
    desk.trades_read(ok=n % 4 != 1)


def _cancel(desk: Desk, order: Order, _n: int) -> None:
    desk.cancel(order)


def _canceled(desk: Desk, order: Order, n: int) -> None:
    if n % 2:
        desk.canceled(order)
    else:
        desk.canceled(kept=((order.order_hash, "already canceled or matched"),))


def _wait(desk: Desk, _order: Order, n: int) -> None:
    desk.wait((10, 500, 5_000, 60_000)[n % 4])


def _sweep(desk: Desk, order: Order, n: int) -> None:
    present = {order.order_hash} if n % 2 else set[str]()
    desk.orders.missing(present, asked_ns=desk.at_ns, **desk.stamp)


def _not_sent(desk: Desk, order: Order, n: int) -> None:
    if order.state is not OrderState.PROPOSED:
        outcome = SendOutcome.NOT_SENT
        if order.state is OrderState.SIGNED and n % 2:
            outcome = SendOutcome.DROPPED
        desk.answer(order, outcome)


def _resolve(desk: Desk, order: Order, n: int) -> None:
    if n % 10 == 0:
        desk.orders.resolve_market(order.draft.market, **desk.stamp)


DEEDS: Final[tuple[Deed, ...]] = (
    _answer,
    _refuse,
    _lose,
    _user,
    _row,
    _trade,
    _trade,
    _read,
    _trades_read,
    _cancel,
    _canceled,
    _wait,
    _wait,
    _sweep,
    _not_sent,
    _resolve,
)

_STEPS = st.lists(
    st.tuples(st.integers(0, len(DEEDS) - 1), st.integers(0, 3), st.integers(0, 59)), max_size=60
)


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(_STEPS)
def test_invariants_12_16_17_19_20_no_words_of_a_mad_venue_break_the_desk(
    steps: list[tuple[int, int, int]],
) -> None:
    """Nothing raises, sums stay exact, terminal states absorb, every open order has a deadline."""
    desk = Desk()
    orders = [
        desk.send(BUY, "0.5", "10", GTC),
        desk.send(SELL, "0.6", "10", GTD),
        desk.send(BUY, "0.5", "10", FAK),
        desk.send(SELL, "0.4", "10", FOK, token=NO),
    ]
    ends: dict[str, OrderState] = {}
    for deed, which, n in steps:
        DEEDS[deed](desk, orders[which], n)
        desk.audit()
        for order in orders:
            assert (
                ends.setdefault(order.cid, order.state) is order.state
                or not ends[order.cid].is_terminal
            )
            ends[order.cid] = order.state
    check_fills(desk, orders)


def check_fills(desk: Desk, orders: list[Order]) -> None:
    """Hold invariants 16 and 17: fills are a function of trades, and failed ones leave nothing."""
    applied = {(r.trade_id, r.order_hash): r for r in desk.trades.drain()}
    for order in orders:
        mine = [r for r in applied.values() if r.order_hash == order.order_hash]
        good = [r for r in mine if r.applied is not Applied.VOIDED]
        assert order.filled_u6 == sum(r.change.qty_u6 for r in good)
        assert order.filled_cash_u6 == sum(r.change.cash_u6 for r in good)
        assert order.seen_u6 == sum(r.change.qty_u6 for r in mine)
    kinds: dict[tuple[str, str], list[FillKind]] = {}
    for change in desk.booked:
        kinds.setdefault((change.trade_id, change.order_hash), []).append(change.kind)
    for told in kinds.values():
        assert len(told) == len(set(told)), "no step of a trade is booked twice"


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(_STEPS)
def test_liveness_once_the_venue_answers_no_order_stays_in_doubt(
    steps: list[tuple[int, int, int]],
) -> None:
    """After any walk, reads that are answered empty resolve everything within a minute."""
    desk = Desk()
    orders = [desk.send(BUY, "0.5", "10", kind) for kind in (GTC, GTD, FAK, FOK)]
    for deed, which, n in steps:
        DEEDS[deed](desk, orders[which], n)
    for _ in range(120):
        desk.wait(500)
        for order in orders:
            if order.ask_ns:
                desk.read(order)
        desk.trades_read()
    assert [order.state for order in orders if not order.state.is_terminal] == []
