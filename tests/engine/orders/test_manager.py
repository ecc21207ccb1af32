"""Orders under the venue's words: events, rows and trades, late, twice, or contradictory."""

from itertools import pairwise
from typing import Any

import pytest
from msgspec import structs

from polytui.engine.core.commands import CancelOrders, ReadOrder
from polytui.engine.core.enums import Outcome
from polytui.engine.core.order_enums import (
    Anomaly,
    OrderState,
    OrderType,
    SendOutcome,
    TradeStatus,
    VenueCode,
    Witness,
)
from polytui.engine.core.trading import VenueOrder
from polytui.engine.core.units import U
from polytui.engine.orders.lifecycle import EDGES
from tests.engine.orders.desk import (
    BUY,
    FAK,
    FOK,
    GTC,
    GTD,
    MARKET,
    NO,
    SELL,
    Desk,
    S,
    state_of,
)
from tests.engine.orders.exercise import EVENTS_A_LIFE, Exercise

# --- user events and rows ------------------------------------------------------------------------


def test_b11_a_placement_and_a_fill_may_come_before_the_answer() -> None:
    desk = Desk()
    order = desk.send(BUY, "0.5", "10")
    desk.trade(order, "4")
    assert (state_of(order), order.edges[-1].witness) == (OrderState.PARTIAL, Witness.TRADE)
    desk.user(order, event="PLACEMENT", matched="4")
    desk.answer(order, status="matched", making="2", taking="4")
    assert state_of(order) is OrderState.PARTIAL
    assert (order.filled_u6, order.remaining_u6) == (4 * U, 6 * U)
    desk.audit()


def test_b11_a_fill_may_come_before_we_noted_the_sending() -> None:
    desk = Desk()
    order = desk.draft(BUY, "0.5", "10", GTC)
    desk.orders.approve(order, **desk.stamp)
    desk.trade(order, "10")
    assert [edge.state.value for edge in order.edges] == ["approved", "unknown", "matched"]
    desk.stage(order, OrderState.JOURNALLED)
    assert state_of(order) is OrderState.MATCHED
    assert desk.orders.counts["late_stages"] == 1


def test_events_twice_change_nothing_the_second_time() -> None:
    desk = Desk()
    order = desk.live()
    desk.orders.drain()
    for _ in range(2):
        desk.user(order, matched="3")
        desk.trade(order, "3")
    was = (order.state, order.filled_u6, list(order.edges))
    desk.orders.drain()
    desk.user(order, matched="3")
    desk.trade(order, "3")
    assert was == (order.state, order.filled_u6, order.edges)


def test_an_unchanged_row_of_a_sweep_is_no_news() -> None:
    desk = Desk()
    order = desk.live()
    desk.orders.drain()
    desk.row(order)
    assert desk.orders.drain() == []


def test_the_venues_sum_only_rises() -> None:
    desk = Desk()
    order = desk.live()
    desk.user(order, matched="4")
    desk.user(order, matched="2")
    desk.user(order)
    assert order.venue_matched_u6 == 4 * U


def test_the_remainder_is_size_minus_trades_not_the_venues_sum() -> None:
    desk = Desk()
    order = desk.live(BUY, "0.5", "10")
    desk.user(order, matched="6")
    desk.trade(order, "4")
    assert order.remaining_u6 == 6 * U


@pytest.mark.parametrize(
    ("text", "end"),
    [
        ("CANCELED", OrderState.CANCELED),
        ("CANCELED_MARKET_RESOLVED", OrderState.RESOLVED),
        ("CANCELED_EXPIRED_ORDER", OrderState.EXPIRED),
        ("CANCELED_NOT_ENOUGH_BALANCE", OrderState.CANCELED),
        ("CANCELED_something new", OrderState.CANCELED),
    ],
)
def test_a_cancellation_ends_an_order_with_its_reason(text: str, end: OrderState) -> None:
    desk = Desk()
    order = desk.live()
    desk.user(order, "CANCELED", "CANCELLATION", status_text=text)
    assert (state_of(order), order.venue_text) == (end, text)
    assert desk.orders.reserved_cash_u6 == 0


def test_a_plain_cancellation_past_the_end_of_a_gtd_order_is_its_expiry() -> None:
    desk = Desk()
    order, asked = desk.live(kind=GTD), desk.live(kind=GTD)
    desk.cancel(asked)
    desk.at_ns += 240 * S
    for one in (order, asked):
        desk.user(one, "CANCELED", "CANCELLATION", status_text="CANCELED")
    assert (state_of(order), state_of(asked)) == (OrderState.EXPIRED, OrderState.CANCELED)


def test_an_invalid_order_is_over() -> None:
    desk = Desk()
    order = desk.live()
    desk.row(order, "INVALID")
    assert state_of(order) is OrderState.CANCELED


def test_a_cancellation_may_overtake_the_answer() -> None:
    desk = Desk()
    order = desk.send(BUY, "0.5", "10", FOK)
    desk.user(order, "CANCELED", "CANCELLATION")
    desk.refuse(order, VenueCode.FOK_KILLED)
    assert state_of(order) is OrderState.CANCELED


def test_an_order_status_nobody_has_seen_is_looked_up() -> None:
    desk = Desk()
    order = desk.live()
    desk.user(order, "SLEEPING")
    assert state_of(order) is OrderState.LIVE
    assert any(isinstance(one, ReadOrder) for one in desk.wait(2_000))


def test_matched_in_part_by_the_venues_word_is_not_over() -> None:
    desk = Desk()
    order = desk.live(BUY, "0.5", "10")
    desk.user(order, "MATCHED", matched="4")
    assert state_of(order) is OrderState.PARTIAL
    desk.user(order, "MATCHED", matched="10")
    assert state_of(order) is OrderState.MATCHED
    assert order.awaited_u6 == 10 * U


# --- delayed -------------------------------------------------------------------------------------


def test_b17_a_delayed_order_counts_until_it_is_resolved() -> None:
    desk = Desk()
    order = desk.send(BUY, "0.5", "10", FAK)
    before_u6 = desk.orders.reserved_cash_u6
    desk.answer(order, status="delayed")
    assert state_of(order) is OrderState.DELAYED
    assert desk.orders.reserved_cash_u6 == before_u6
    desk.user(order, "UNMATCHED", "CANCELLATION")
    assert state_of(order) is OrderState.UNMATCHED
    assert desk.orders.reserved_cash_u6 == 0


def test_b17_a_delayed_order_may_rest_or_match_or_be_refused() -> None:
    desk = Desk()
    rests, matches, dies = (desk.send() for _ in range(3))
    for order in (rests, matches, dies):
        desk.user(order, "DELAYED", "PLACEMENT")
    desk.answer(rests)
    desk.trade(matches, "10")
    desk.refuse(dies, VenueCode.BALANCE)
    assert [order.state for order in (rests, matches, dies)] == [
        OrderState.LIVE,
        OrderState.MATCHED,
        OrderState.REFUSED,
    ]


def test_b17_a_delay_without_a_word_is_looked_up() -> None:
    desk = Desk()
    order = desk.send()
    desk.answer(order, status="delayed")
    assert any(isinstance(one, ReadOrder) for one in desk.wait(5_000))
    desk.read(order)
    desk.trades_read()
    assert state_of(order) is OrderState.UNMATCHED


@pytest.mark.parametrize("has_traded", [True, False])
def test_an_order_that_rested_or_traded_ends_cancelled_never_unmatched(*, has_traded: bool) -> None:
    desk = Desk()
    order = desk.live()
    if has_traded:
        desk.trade(order, "4")
    desk.user(order, "UNMATCHED", "CANCELLATION")
    assert state_of(order) is OrderState.CANCELED


def test_late_word_of_a_delay_is_old_news() -> None:
    desk = Desk()
    order = desk.live()
    desk.user(order, "DELAYED", "PLACEMENT")
    assert state_of(order) is OrderState.LIVE
    assert desk.orders.counts["late_news"] == 1
    assert desk.orders.counts["contradictions"] == 0


# --- fills ---------------------------------------------------------------------------------------


def test_b10_b15_a_fill_after_the_cancel_is_booked_and_the_order_stays_cancelled() -> None:
    desk = Desk()
    order = desk.live(BUY, "0.5", "10")
    desk.cancel(order)
    desk.canceled(order)
    desk.trade(order, "3")
    assert (state_of(order), order.filled_u6, order.filled_cash_u6) == (
        OrderState.CANCELED,
        3 * U,
        1_500_000,
    )
    assert desk.orders.counts["late_fills"] == 1
    desk.audit()


def test_b13_a_voided_fill_comes_off_a_matched_order_which_stays_matched() -> None:
    desk = Desk()
    order = desk.live(BUY, "0.5", "10")
    desk.trade(order, "10")
    assert state_of(order) is OrderState.MATCHED
    desk.trade(order, "10", TradeStatus.FAILED)
    assert (state_of(order), order.filled_u6, order.filled_cash_u6) == (OrderState.MATCHED, 0, 0)
    desk.audit()


def test_b13_a_voided_fill_of_an_open_order_is_open_again() -> None:
    desk = Desk()
    order = desk.live(BUY, "0.5", "10")
    desk.trade(order, "4")
    desk.trade(order, "4", TradeStatus.FAILED)
    assert (state_of(order), order.remaining_u6) == (OrderState.PARTIAL, 10 * U)


def test_b15_dust_counts_as_done() -> None:
    desk = Desk()
    order = desk.live(BUY, "0.5", "10")
    desk.trade(order, "9.990001")
    assert state_of(order) is OrderState.MATCHED
    other = desk.live(BUY, "0.5", "10")
    desk.trade(other, "9.99", trade_id="t2")
    assert state_of(other) is OrderState.PARTIAL


@pytest.mark.parametrize(("qty", "alarms"), [("10.01", 0), ("10.010001", 1)])
def test_b16_an_overfill_is_accepted_to_a_hundredth_and_alarms_above(qty: str, alarms: int) -> None:
    desk = Desk()
    order = desk.live(BUY, "0.5", "10")
    desk.trade(order, qty)
    assert [one.anomaly for one in desk.orders.drain_anomalies()] == [Anomaly.OVERFILL] * alarms
    assert state_of(order) is OrderState.MATCHED
    desk.audit()


def test_b16_a_budget_overspent_alarms() -> None:
    desk = Desk()
    order = desk.send(BUY, "0.5", "10", FAK)
    desk.trade(order, "10.1")
    (found,) = desk.orders.drain_anomalies()
    assert (found.anomaly, found.ours, found.theirs) == (Anomaly.OVERFILL, "5", "5.05")


def test_a_refused_order_that_trades_is_booked_and_reported() -> None:
    desk = Desk()
    order = desk.send()
    desk.refuse(order, VenueCode.BALANCE)
    desk.trade(order, "4")
    assert (state_of(order), order.filled_u6) == (OrderState.REFUSED, 4 * U)
    (found,) = desk.orders.drain_anomalies()
    assert found.anomaly is Anomaly.ORDER_MISMATCH


# --- external, ghosts, resolution ----------------------------------------------------------------


def stranger(**facts: Any) -> VenueOrder:
    plain: dict[str, Any] = {
        "order_hash": "0xstranger",
        "market": MARKET,
        "token": NO,
        "side": SELL,
        "px_u6": 400_000,
        "qty_u6": 20 * U,
        "matched_u6": 5 * U,
        "status": "LIVE",
    }
    return VenueOrder(**{**plain, **facts})


def test_b30_an_order_made_elsewhere_is_adopted_and_counted_and_left_alone() -> None:
    desk = Desk()
    assert desk.orders.seen(stranger(), Witness.REST_READ, **desk.stamp) is None
    order = desk.adopt(stranger())
    assert order.external
    assert (state_of(order), order.draft.strategy, order.draft.outcome) == (
        OrderState.PARTIAL,
        "external",
        Outcome.NO,
    )
    assert desk.orders.reserved_qty_u6(NO) == order.remaining_u6 == 15 * U
    assert not any(isinstance(one, CancelOrders) for one in desk.wait(1_000))
    desk.audit()


def test_b30_an_adopted_order_is_cancelled_when_somebody_asks() -> None:
    desk = Desk()
    order = desk.adopt(stranger())
    assert desk.cancel(order)
    assert any(isinstance(one, CancelOrders) for one in desk.due())


def test_b30_a_fill_of_a_stranger_waits_for_its_order() -> None:
    desk = Desk()
    ghostly = desk.send(SELL, "0.4", "20", token=NO)
    change = desk.trade(ghostly, "5")[0]
    desk.orders.fill(
        structs.replace(change, order_hash="0xstranger", trade_id="t9", cid=""), **desk.stamp
    )
    order = desk.adopt(stranger(event="PLACEMENT"))
    assert order.filled_u6 == 5 * U
    assert order.remaining_u6 == 15 * U


def test_an_order_alive_after_its_end_is_counted_and_cancelled_again() -> None:
    desk = Desk()
    order = desk.live(BUY, "0.5", "10")
    desk.user(order, "CANCELED", "CANCELLATION")
    desk.row(order)
    assert not order.is_ghost, "the read may have begun before the end"
    desk.at_ns += 6 * S
    desk.row(order)
    assert state_of(order) is OrderState.CANCELED
    assert order in desk.orders.open()
    assert desk.orders.reserved_cash_u6 == 5 * U
    (found,) = desk.orders.drain_anomalies()
    assert (found.anomaly, found.theirs) == (Anomaly.ORDER_MISMATCH, "LIVE")
    assert any(isinstance(one, CancelOrders) for one in desk.due())
    desk.canceled(order)
    assert desk.orders.reserved_cash_u6 == 0
    desk.audit()


def test_an_order_that_never_arrived_and_then_appears_is_a_ghost_at_once() -> None:
    desk = Desk()
    order = desk.send(BUY, "0.5", "10")
    desk.lose(order)
    desk.at_ns += 10 * S
    desk.prove_absent(order)
    assert state_of(order) is OrderState.REFUSED
    desk.user(order, event="PLACEMENT")
    assert order in desk.orders.open()
    assert any(isinstance(one, CancelOrders) for one in desk.due())


def test_a_resolved_market_ends_what_the_venue_may_hold_and_nothing_else() -> None:
    desk = Desk()
    resting, doubtful = desk.live(), desk.send()
    desk.lose(doubtful)
    unsent = desk.draft(BUY, "0.5", "10", GTC)
    desk.orders.approve(unsent, **desk.stamp)
    ended = desk.orders.resolve_market(MARKET, **desk.stamp)
    assert set(ended) == {resting, doubtful}
    assert {order.state for order in ended} == {OrderState.RESOLVED}
    assert state_of(unsent) is OrderState.APPROVED
    assert desk.orders.resolve_market("0xelse", **desk.stamp) == []
    desk.trade(resting, "2")
    assert resting.filled_u6 == 2 * U
    desk.audit()


# --- housekeeping --------------------------------------------------------------------------------


def test_drain_hands_over_each_changed_order_once_in_order_of_change() -> None:
    desk = Desk()
    first, second = desk.send(), desk.send()
    assert desk.orders.drain() == [first, second]
    desk.answer(second)
    assert desk.orders.drain() == [second]
    assert desk.orders.drain() == []


def test_old_finished_orders_are_forgotten_but_not_those_that_still_count(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("polytui.engine.orders.registry.ENDED_MAX", 3)
    desk = Desk()
    awaits = desk.send(SELL, "0.5", "10", FAK)
    desk.answer(awaits, status="matched", making="10", taking="5")
    for _ in range(6):
        desk.refuse(desk.send(), VenueCode.BALANCE)
    assert awaits.cid in desk.orders.by_cid
    assert len(desk.orders.by_cid) == 3
    desk.audit()


@pytest.mark.parametrize("state", OrderState)
@pytest.mark.parametrize("word", ["LIVE", "MATCHED", "DELAYED", "UNMATCHED", "CANCELED", "ODD"])
def test_no_word_of_the_venue_raises_in_any_state(state: OrderState, word: str) -> None:
    """Every state × every word: folded lawfully or counted, sums exact, terminal states absorb."""
    for event in ("", "UPDATE", "CANCELLATION"):
        desk = Desk()
        order = desk.send()
        order.state = state
        desk.orders._reg.settle(order)
        first = len(order.edges)
        seen = desk.shown(order, word, event=event, matched="4")
        desk.orders.seen(seen, Witness.USER_STREAM, **desk.stamp)
        reached = [state, *(edge.state for edge in order.edges[first:])]
        assert all(after in EDGES[before] for before, after in pairwise(reached))
        assert order.state is state or not state.is_terminal


@pytest.mark.parametrize("state", OrderState)
@pytest.mark.parametrize(
    "outcome", [SendOutcome.ACCEPTED, SendOutcome.REFUSED, SendOutcome.UNKNOWN]
)
def test_no_answer_raises_in_any_state(state: OrderState, outcome: SendOutcome) -> None:
    for status in ("live", "matched", "delayed", "unmatched", "odd"):
        for code in (VenueCode.BALANCE, VenueCode.DUPLICATE, VenueCode.OTHER):
            desk = Desk()
            order = desk.send()
            order.state = state
            desk.orders._reg.settle(order)
            desk.answer(order, outcome, status=status, code=code, taking="4", making="2")
            assert state_of(order) is state or not state.is_terminal


def test_orders_of_two_realms_never_share_an_id() -> None:
    desk = Desk()
    assert desk.draft(BUY, "0.5", "10", OrderType.GTC).cid.endswith("-l1")


def test_the_exercise_of_the_stopwatch_lives_whole_lives() -> None:
    exercise = Exercise(20)
    assert exercise.run() == 20 * EVENTS_A_LIFE
    assert {order.state for order, _ in exercise.lives} == {OrderState.MATCHED}
    exercise.desk.audit()
