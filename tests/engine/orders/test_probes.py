"""No order rests in doubt: targeted reads, proof of absence, cancels again, deadlines, alarms."""

import pytest

from polytui.engine.core.account_events import CancelAnswered, TradesRead
from polytui.engine.core.commands import (
    CancelOrders,
    Command,
    Notify,
    ReadOrder,
    ReadTrades,
)
from polytui.engine.core.order_enums import (
    OrderState,
    Realm,
    SendOutcome,
    TradeStatus,
    VenueCode,
    Witness,
)
from polytui.engine.core.units import U
from polytui.engine.orders.probes import READS_MAX
from tests.engine.orders.desk import BUY, FAK, GTC, GTD, MS, SELL, YES, Desk, S, state_of


def of(kind: type[Command], commands: list[Command]) -> list[Command]:
    return [one for one in commands if isinstance(one, kind)]


# --- never arrived -------------------------------------------------------------------------------


def test_b2_an_order_that_never_arrived_is_refused_only_by_evidence() -> None:
    desk = Desk()
    order = desk.send(BUY, "0.5", "10")
    desk.lose(order)
    for _ in range(5):
        desk.wait(1_900)
        desk.read(order)
        desk.trades_read()
        assert state_of(order) is OrderState.UNKNOWN, "a read begun before 10 s proves nothing"
        assert desk.orders.open_on(YES) == [order]
    desk.wait(500)
    desk.read(order)
    assert state_of(order) is OrderState.UNKNOWN, "trades have not been read yet"
    (read,) = of(ReadTrades, desk.due())
    assert isinstance(read, ReadTrades)
    desk.trades_read()
    assert state_of(order) is OrderState.REFUSED
    edge = order.edges[-1]
    assert (edge.witness, edge.detail) == (Witness.REST_READ, "never arrived")
    assert desk.orders.reserved_cash_u6 == 0
    desk.audit()


def test_b2_the_wait_grows_with_the_slowest_answer() -> None:
    desk = Desk()
    slow = desk.send()
    desk.answer(slow, took_ns=9 * S)
    order = desk.send()
    desk.lose(order)
    desk.wait(17_000)
    desk.read(order)
    desk.trades_read()
    assert state_of(order) is OrderState.UNKNOWN
    desk.wait(2_000)
    desk.read(order)
    desk.trades_read()
    assert state_of(order) is OrderState.REFUSED


def test_b2_a_read_begun_early_and_answered_late_proves_nothing() -> None:
    desk = Desk()
    order = desk.send()
    desk.lose(order)
    desk.due()
    desk.at_ns += 9 * S
    desk.at_ns += 2 * S
    desk.read(order)
    desk.trades_read()
    assert state_of(order) is OrderState.UNKNOWN


def test_b1_an_order_in_doubt_that_traded_is_matched_by_its_trades() -> None:
    desk = Desk()
    order = desk.send(BUY, "0.5", "10")
    desk.lose(order)
    desk.trade(order, "10")
    assert state_of(order) is OrderState.MATCHED


def test_a_failed_read_is_not_an_empty_one() -> None:
    desk = Desk()
    order = desk.live()
    desk.wait(60_000)
    desk.read(order, ok=False)
    desk.trades_read(ok=False)
    assert state_of(order) is OrderState.LIVE
    assert order.absent_ns == 0
    assert of(ReadOrder, desk.wait(2_000))


def test_a_failed_read_of_trades_resolves_nothing() -> None:
    desk = Desk()
    order = desk.live()
    desk.wait(30_000)
    desk.read(order)
    desk.trades_read(ok=False)
    assert state_of(order) is OrderState.LIVE
    assert of(ReadTrades, desk.wait(2_000)), "and it is asked again"


def test_absence_alone_ends_nothing_and_both_reads_end_it() -> None:
    desk = Desk()
    order = desk.live()
    desk.wait(30_000)
    desk.read(order)
    assert state_of(order) is OrderState.LIVE
    assert desk.orders.limbo(desk.at_ns) == [order]
    desk.trades_read()
    assert (state_of(order), order.edges[-1].detail) == (OrderState.CANCELED, "gone")


def test_a_read_of_trades_begun_before_the_absence_proves_nothing() -> None:
    desk = Desk()
    order = desk.live()
    desk.wait(30_000)
    desk.read(order)
    desk.trades_read(asked_ns=desk.at_ns - 1)
    assert state_of(order) is OrderState.LIVE


def test_a_read_of_one_trade_or_of_too_few_proves_nothing() -> None:
    desk = Desk()
    order = desk.live()
    desk.wait(30_000)
    desk.read(order)
    plain = {"realm": Realm.LIVE, "request": "r", "asked_ns": desk.at_ns, "ok": True}
    for facts in ({"trade_id": "t1"}, {"after_s": desk.at_ns // S}):
        event = TradesRead(**plain, **facts)  # type: ignore[arg-type]  # msgspec checks names
        desk.orders.trades_read(event, **desk.stamp)
        assert state_of(order) is OrderState.LIVE


def test_a_read_begun_before_the_last_sign_of_life_proves_no_absence() -> None:
    """The read was asked in doubt, the placement arrived meanwhile, then the empty answer."""
    desk = Desk()
    order = desk.send()
    desk.lose(order)
    desk.at_ns += 20 * S
    desk.due()
    desk.user(order, event="PLACEMENT")
    desk.read(order)
    desk.trades_read()
    assert state_of(order) is OrderState.LIVE


def test_a_sign_of_life_after_the_absence_wins() -> None:
    desk = Desk()
    order = desk.live()
    desk.wait(30_000)
    desk.read(order)
    desk.trade(order, "1")
    desk.trades_read()
    assert state_of(order) is OrderState.PARTIAL


def test_a_read_of_somebody_elses_order_is_counted() -> None:
    desk = Desk()
    order, other = desk.live(), desk.live()
    desk.wait(30_000)
    desk.read(order, desk.shown(other, "CANCELED"))
    assert state_of(order) is OrderState.LIVE
    assert desk.orders.counts["reads_failed"] == 1


def test_an_order_gone_with_whole_trades_is_matched_even_if_some_failed() -> None:
    desk = Desk()
    order = desk.live(BUY, "0.5", "10")
    desk.trade(order, "4", trade_id="t1")
    desk.trade(order, "4", TradeStatus.FAILED, trade_id="t1")
    desk.trade(order, "6", trade_id="t2")
    assert state_of(order) is OrderState.PARTIAL
    desk.wait(30_000)
    desk.read(order)
    desk.trades_read()
    assert (state_of(order), order.filled_u6) == (OrderState.MATCHED, 6 * U)
    assert order.awaited_u6 == 0


def test_an_order_gone_past_its_end_has_expired() -> None:
    desk = Desk()
    order = desk.live(kind=GTD)
    commands = [one for _ in range(82) for one in desk.wait(3_000)]
    assert of(ReadOrder, commands)
    desk.read(order)
    desk.trades_read()
    assert state_of(order) is OrderState.EXPIRED


def test_an_order_gone_after_a_cancel_was_asked_is_cancelled() -> None:
    desk = Desk()
    order = desk.live(kind=GTD)
    desk.cancel(order)
    desk.at_ns += 300 * S
    desk.prove_absent(order)
    assert (state_of(order), order.edges[-1].detail) == (OrderState.CANCELED, "gone, cancel asked")


def test_a_duplicate_is_there_and_never_counts_as_never_arrived() -> None:
    desk = Desk()
    order = desk.send()
    desk.refuse(order, VenueCode.DUPLICATE)
    assert state_of(order) is OrderState.LIVE
    desk.at_ns += 20 * S
    desk.prove_absent(order)
    assert state_of(order) is OrderState.CANCELED


# --- sweeps --------------------------------------------------------------------------------------


def missing(desk: Desk, *present: str) -> list[str]:
    found = desk.orders.missing(set(present), asked_ns=desk.at_ns, **desk.stamp)
    return [order.cid for order in found]


def test_what_a_sweep_lacks_gets_one_targeted_read_and_no_end() -> None:
    desk = Desk()
    gone, there = desk.live(), desk.live()
    desk.wait(10_000)
    assert missing(desk, there.order_hash) == [gone.cid]
    (read,) = desk.due()
    assert isinstance(read, ReadOrder)
    assert read.order_hash == gone.order_hash
    assert state_of(gone) is OrderState.LIVE


def test_a_sweep_leaves_alone_what_was_touched_just_before() -> None:
    desk = Desk()
    desk.live()
    desk.at_ns += 4_999 * MS
    assert missing(desk) == []


def test_a_sweep_does_not_judge_what_is_in_flight_or_in_doubt() -> None:
    desk = Desk()
    desk.send()
    desk.lose(desk.send())
    desk.at_ns += 60 * S
    assert missing(desk) == []


def test_a_resting_order_that_sweeps_confirm_is_never_probed() -> None:
    desk = Desk()
    order = desk.live(kind=GTC)
    commands = []
    for _ in range(40):
        commands += desk.wait(10_000)
        desk.row(order)
    assert commands == []
    assert of(ReadOrder, desk.wait(30_000))


# --- cancels -------------------------------------------------------------------------------------


def test_b10_a_cancel_is_repeated_until_the_venue_confirms_and_reserves_until_then() -> None:
    desk = Desk()
    order = desk.live(BUY, "0.5", "10")
    assert desk.cancel(order)
    assert not desk.cancel(order)
    sent_ms = []
    for ms in range(0, 8_000, 100):
        if of(CancelOrders, desk.due()):
            sent_ms.append(ms)
        desk.at_ns += 100 * MS
    assert sent_ms == [0, 200, 700, 1_700, 3_700, 5_700, 7_700]
    assert state_of(order) is OrderState.LIVE
    assert desk.orders.reserved_cash_u6 == 5 * U
    desk.canceled(order)
    assert (state_of(order), order.edges[-1].witness) == (
        OrderState.CANCELED,
        Witness.REST_ANSWER,
    )
    assert order.cancel_attempts == 7
    assert desk.wait(10_000) == []


def test_a_cancel_that_is_never_confirmed_raises_one_alarm() -> None:
    desk = Desk()
    order = desk.live()
    desk.cancel(order)
    alarms = [one for _ in range(100) for one in of(Notify, desk.wait(500))]
    assert [one.code for one in alarms if isinstance(one, Notify)] == ["cancel_unconfirmed"]


def test_b10_a_cancel_that_lost_the_race_waits_for_the_fill() -> None:
    desk = Desk()
    order = desk.live(BUY, "0.5", "10")
    desk.cancel(order)
    desk.due()
    desk.canceled(kept=((order.order_hash, "already canceled or matched"),))
    assert state_of(order) is OrderState.LIVE
    assert of(ReadOrder, desk.due())
    desk.trade(order, "10")
    desk.read(order)
    desk.trades_read()
    assert (state_of(order), order.filled_u6) == (OrderState.MATCHED, 10 * U)


def test_many_cancels_leave_in_one_request() -> None:
    desk = Desk()
    orders = [desk.live(qty="5") for _ in range(40)]
    for order in orders:
        desk.cancel(order)
    (command,) = desk.due()
    assert isinstance(command, CancelOrders)
    assert set(command.hashes) == {order.order_hash for order in orders}


def test_a_cancel_asked_before_the_sending_follows_it() -> None:
    desk = Desk()
    order = desk.draft(BUY, "0.5", "10", GTC)
    desk.orders.approve(order, **desk.stamp)
    desk.cancel(order)
    assert not of(CancelOrders, desk.due())
    for stage in (OrderState.JOURNALLED, OrderState.SIGNED, OrderState.SENT):
        desk.stage(order, stage)
    assert of(CancelOrders, desk.due())


def test_a_cancel_confirmed_for_an_order_in_doubt_proves_that_it_was_there() -> None:
    desk = Desk()
    order = desk.send()
    desk.lose(order)
    desk.canceled(order)
    assert state_of(order) is OrderState.CANCELED


def test_a_refused_cancel_waits_as_long_as_the_venue_says() -> None:
    desk = Desk()
    order = desk.live()
    desk.cancel(order)
    desk.due()
    event = CancelAnswered(
        realm=Realm.LIVE,
        request="c",
        outcome=SendOutcome.REFUSED,
        code=VenueCode.RESTARTING,
        retry_after_s=20,
    )
    desk.orders.cancel_answered(event, **desk.stamp)
    assert not of(CancelOrders, desk.wait(19_999))
    assert of(CancelOrders, desk.wait(1))


def test_a_cancel_of_what_is_over_is_not_asked() -> None:
    desk = Desk()
    order = desk.live(BUY, "0.5", "10")
    desk.trade(order, "10")
    assert not desk.cancel(order)


# --- deadlines -----------------------------------------------------------------------------------


@pytest.mark.parametrize("state", [s for s in OrderState if not s.is_terminal])
def test_invariant_19_every_state_that_is_not_terminal_has_a_live_deadline(
    state: OrderState,
) -> None:
    desk = Desk()
    order = desk.draft(BUY, "0.5", "10", GTC)
    order.state = state
    order.timer_ns = 0
    desk.orders._reg.plan(order, desk.at_ns)
    desk.orders._reg.settle(order)
    due_ns = desk.orders.next_due_ns()
    assert due_ns is not None
    assert desk.at_ns <= due_ns <= desk.at_ns + 30 * S
    desk.at_ns = due_ns
    desk.due()
    assert state_of(order).is_terminal or desk.orders.next_due_ns() is not None


def test_a_proposal_nobody_decided_is_vetoed_at_its_deadline() -> None:
    desk = Desk()
    order = desk.draft(BUY, "0.5", "10", GTC)
    desk.wait(5_000)
    assert state_of(order) is OrderState.VETOED


def test_invariant_20_doubt_raises_an_alarm_and_then_calls_for_a_person() -> None:
    desk = Desk()
    order = desk.send(kind=GTD)
    desk.lose(order)
    alarms: list[tuple[int, str]] = []
    for second in range(400):
        for one in of(Notify, desk.due()):
            assert isinstance(one, Notify)
            alarms.append((second, one.code))
        desk.read(order, ok=False)
        assert bool(desk.orders.overdue(desk.at_ns)) is (second >= 240 + 120)
        desk.at_ns += S
    assert [code for _, code in alarms] == ["order_unknown", "order_stuck"]
    assert alarms[0][0] <= 12
    assert alarms[1][0] <= 362


def test_a_fak_without_a_word_of_its_end_is_looked_up_soon() -> None:
    desk = Desk()
    order = desk.send(SELL, "0.5", "10", FAK)
    desk.trade(order, "4")
    assert state_of(order) is OrderState.PARTIAL
    assert of(ReadOrder, desk.wait(5_000))
    desk.read(order)
    desk.trades_read()
    assert (state_of(order), order.filled_u6) == (OrderState.CANCELED, 4 * U)


def test_reads_come_in_bounded_rounds_and_all_of_them_come() -> None:
    desk = Desk()
    orders = [desk.send(qty="5") for _ in range(READS_MAX * 2 + 10)]
    for order in orders:
        desk.lose(order)
    asked: set[str] = set()
    for _ in range(4):
        reads = [one for one in desk.wait(100) if isinstance(one, ReadOrder)]
        assert len(reads) <= READS_MAX
        fresh = {one.order_hash for one in reads} - asked
        assert not of(ReadOrder, desk.wait(100)), "nothing was answered"
        asked |= fresh
        for order in orders:
            if order.order_hash in fresh:
                desk.read(order, ok=False)
    assert asked == {order.order_hash for order in orders}


def test_a_desk_at_rest_has_nothing_due() -> None:
    desk = Desk()
    desk.refuse(desk.send(), VenueCode.BALANCE)
    desk.canceled(desk.live())
    desk.wait(60_000)
    assert desk.orders.next_due_ns() is None
