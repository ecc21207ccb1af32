"""A run that died and the next one: nothing lost or doubled, what was on its way is in doubt."""

import pytest

from polytui.engine.core.commands import CancelOrders, ReadOrder, ReadTrades
from polytui.engine.core.order_enums import OrderState, Realm, TradeStatus, Witness
from polytui.engine.core.trading import OrderRecord, TradeRecord
from polytui.engine.core.units import U
from polytui.engine.orders.restoring import SWEEP_FIRST_NS
from tests.engine.orders.desk import BUY, FAK, GTC, MS, SELL, Desk, S, audit, state_of


def store(desk: Desk) -> tuple[list[OrderRecord], list[TradeRecord]]:
    records = [order.record(Realm.LIVE) for order in desk.orders.by_cid.values()]
    return records, desk.trades.drain()


def restart(desk: Desk, *, with_trades: bool = True) -> Desk:
    records, trades = store(desk)
    again = Desk(run="r2")
    again.at_ns = desk.at_ns + 30 * S
    known = trades if with_trades else ()
    again.orders.restore(records, trades=known, **again.stamp)
    again.trades.restore(trades, at_ns=again.at_ns)
    again.audit()
    return again


def reach(desk: Desk, state: OrderState) -> str:
    order = desk.draft(BUY, "0.5", "10", GTC)
    if state is not OrderState.PROPOSED:
        desk.orders.approve(order, **desk.stamp)
    for stage in (OrderState.JOURNALLED, OrderState.SIGNED, OrderState.SENT):
        if state_of(order) is state or state is OrderState.PROPOSED:
            break
        desk.stage(order, stage)
    assert state_of(order) is state
    return order.cid


@pytest.mark.parametrize(
    "state",
    [OrderState.APPROVED, OrderState.JOURNALLED, OrderState.SIGNED, OrderState.SENT],
)
def test_c1_what_was_on_its_way_is_in_doubt_and_read_at_once(state: OrderState) -> None:
    desk = Desk()
    cid = reach(desk, state)
    again = restart(desk)
    order = again.orders.by_cid[cid]
    assert state_of(order) is OrderState.UNKNOWN
    assert (order.edges[-1].witness, order.edges[-1].detail) == (
        Witness.RESTORED,
        f"was {state.value} when the last run ended",
    )
    assert again.orders.drain() == [order]
    (read,) = again.due()
    assert isinstance(read, ReadOrder)
    assert not again.orders.may_leave(cid)


def test_a_proposal_of_a_dead_run_is_vetoed() -> None:
    desk = Desk()
    cid = reach(desk, OrderState.PROPOSED)
    order = restart(desk).orders.by_cid[cid]
    assert (state_of(order), order.edges[-1].witness) == (OrderState.VETOED, Witness.RESTORED)


def test_open_and_finished_orders_come_back_as_they_were() -> None:
    desk = Desk()
    partial, done = desk.live(BUY, "0.5", "10"), desk.live(SELL, "0.6", "10")
    desk.trade(partial, "4", trade_id="t1")
    desk.trade(done, "10", trade_id="t2")
    again = restart(desk)
    for old in (partial, done):
        new = again.orders.by_cid[old.cid]
        assert new.record(Realm.LIVE) == old.record(Realm.LIVE)
        assert (new.remaining_u6, new.trades) == (old.remaining_u6, old.trades)
    assert again.orders.reserved_cash_u6 == 3 * U
    assert again.orders.drain() == []
    assert not again.due(), "the sweep of all open orders speaks for it"
    again.at_ns += SWEEP_FIRST_NS
    assert any(isinstance(one, ReadOrder) for one in again.due()), "an open order is looked up"


@pytest.mark.parametrize("with_trades", [True, False])
@pytest.mark.parametrize(("end", "filled"), [(TradeStatus.CONFIRMED, 4), (TradeStatus.FAILED, 0)])
def test_a_fill_told_again_after_a_restart_counts_once_and_may_still_fail(
    end: TradeStatus, filled: int, *, with_trades: bool
) -> None:
    desk = Desk()
    order = desk.live(BUY, "0.5", "10")
    desk.trade(order, "4")
    again = restart(desk, with_trades=with_trades)
    new = again.orders.by_cid[order.cid]
    assert again.trade(new, "4") == []
    assert new.filled_u6 == 4 * U
    again.trade(new, "4", end)
    assert (new.filled_u6, new.filled_cash_u6) == (filled * U, filled * U // 2)
    again.audit()


@pytest.mark.parametrize("end", [TradeStatus.CONFIRMED, TradeStatus.FAILED])
def test_a_crash_between_the_two_records_of_one_step_heals(end: TradeStatus) -> None:
    """The trade's record was written, the order's was not: the trade's word counts."""
    desk = Desk()
    order = desk.live(BUY, "0.5", "10")
    desk.trade(order, "4")
    stale = order.record(Realm.LIVE)
    desk.trade(order, "4", end)
    again = Desk(run="r2")
    again.orders.restore([stale], trades=desk.trades.drain(), at_ns=again.at_ns, seq=1)
    assert again.orders.by_cid[order.cid].filled_u6 == order.filled_u6
    audit(again.orders)


def test_an_unsettled_trade_is_read_at_once_after_a_restart() -> None:
    desk = Desk()
    desk.trade(desk.live(), "4")
    again = restart(desk)
    (read,) = again.trades.due(**again.stamp)
    assert isinstance(read, ReadTrades)
    assert read.trade_id == "t1"


def test_a_cancel_asked_by_the_dead_run_goes_on() -> None:
    desk = Desk()
    order = desk.live()
    desk.cancel(order)
    desk.due()
    again = restart(desk)
    assert any(isinstance(one, CancelOrders) for one in again.due())
    assert again.orders.by_cid[order.cid].cancel_attempts == 2


def test_trades_awaited_by_the_dead_run_are_still_awaited() -> None:
    desk = Desk()
    order = desk.send(SELL, "0.5", "10", FAK)
    desk.answer(order, status="matched", making="10", taking="5")
    desk.trade(order, "4")
    again = restart(desk)
    assert again.orders.reserved_qty_u6(order.draft.token) == 6 * U
    assert any(isinstance(one, ReadTrades) for one in again.due())


def test_an_adopted_order_is_adopted_for_good() -> None:
    desk = Desk()
    order = desk.live()
    seen = desk.shown(order, order_hash="0xstranger")
    stranger = desk.adopt(seen)
    again = restart(desk)
    new = again.orders.by_hash["0xstranger"]
    assert new.external
    assert new.remaining_u6 == stranger.remaining_u6


def test_records_of_the_other_realm_or_told_twice_are_left_out() -> None:
    desk = Desk()
    order = desk.live()
    again = Desk(run="r2")
    records = [order.record(Realm.PAPER), order.record(Realm.LIVE), order.record(Realm.LIVE)]
    again.orders.restore(records, at_ns=again.at_ns, seq=1)
    assert list(again.orders.by_cid) == [order.cid]
    assert again.orders.counts["restored_twice_or_elsewhere"] == 2


def test_an_order_in_doubt_across_a_restart_resolves_by_the_same_rules() -> None:
    desk = Desk()
    order = desk.send()
    desk.lose(order)
    again = restart(desk)
    new = again.orders.by_cid[order.cid]
    assert state_of(new) is OrderState.UNKNOWN
    again.at_ns += 10 * MS
    again.prove_absent(new)
    assert state_of(new) is OrderState.REFUSED
