"""What an answer to sending proves, and what it leaves in doubt."""

import pytest

from polytui.engine.core.commands import ReadOrder
from polytui.engine.core.order_enums import (
    Anomaly,
    OrderState,
    SendOutcome,
    VenueCode,
    Witness,
)
from polytui.engine.core.units import U
from polytui.engine.orders.verdicts import VERDICTS, Verdict
from tests.engine.orders.desk import (
    BUY,
    FAK,
    SELL,
    YES,
    Desk,
    state_of,
)

# --- answers -------------------------------------------------------------------------------------


def test_every_refusal_code_has_one_verdict() -> None:
    assert set(VERDICTS) == set(VenueCode)


@pytest.mark.parametrize("code", VenueCode)
def test_b4_every_refusal_is_mapped_and_only_proof_refuses(code: VenueCode) -> None:
    desk = Desk()
    order = desk.send()
    desk.refuse(order, code, text="no")
    expected = {
        Verdict.NOT_TAKEN: OrderState.REFUSED,
        Verdict.IN_DOUBT: OrderState.UNKNOWN,
        Verdict.THERE: OrderState.LIVE,
    }[VERDICTS[code]]
    assert state_of(order) is expected
    assert order.edges[-1].witness is Witness.REST_ANSWER
    is_looked_up = any(isinstance(one, ReadOrder) for one in desk.due())
    assert is_looked_up is (expected is not OrderState.REFUSED)
    desk.audit()


def test_b4_a_refusal_without_a_reason_is_in_doubt() -> None:
    assert VERDICTS[VenueCode.NONE] is VERDICTS[VenueCode.OTHER] is Verdict.IN_DOUBT


def test_an_engine_timeout_is_no_proof_although_it_is_documented_as_one() -> None:
    assert VERDICTS[VenueCode.TIMED_OUT] is VERDICTS[VenueCode.ENGINE_ERROR] is Verdict.IN_DOUBT


def test_b1_b3_a_lost_answer_leaves_the_order_in_doubt_and_counted_and_is_looked_up() -> None:
    desk = Desk()
    order = desk.send(BUY, "0.5", "10")
    before_u6 = desk.orders.reserved_cash_u6
    desk.lose(order)
    assert state_of(order) is OrderState.UNKNOWN
    assert desk.orders.unknown() == desk.orders.open_on(YES) == [order]
    assert desk.orders.reserved_cash_u6 == before_u6
    (read,) = desk.due()
    assert isinstance(read, ReadOrder)
    assert read.order_hash == order.order_hash
    desk.read(order, desk.shown(order))
    assert (state_of(order), order.edges[-1].witness) == (OrderState.LIVE, Witness.REST_READ)


def test_b1_a_silent_answer_is_in_doubt_after_the_deadline() -> None:
    desk = Desk()
    order = desk.send()
    assert desk.wait(4_999) == []
    (read,) = desk.wait(1)
    assert isinstance(read, ReadOrder)
    assert (state_of(order), order.edges[-1].witness) == (OrderState.UNKNOWN, Witness.TIMEOUT)


def test_an_unmatched_answer_is_looked_up_because_sources_disagree() -> None:
    desk = Desk()
    order = desk.send()
    desk.answer(order, status="unmatched")
    assert state_of(order) is OrderState.UNKNOWN
    desk.due()
    desk.read(order, desk.shown(order))
    assert state_of(order) is OrderState.LIVE


def test_b17_an_unmatched_answer_whose_order_is_gone_ends_unmatched() -> None:
    desk = Desk()
    order = desk.send()
    desk.answer(order, status="unmatched")
    desk.prove_absent(order)
    assert state_of(order) is OrderState.UNMATCHED


def test_a_status_nobody_has_seen_is_in_doubt() -> None:
    desk = Desk()
    order = desk.send()
    desk.answer(order, status="parked")
    assert state_of(order) is OrderState.UNKNOWN
    assert desk.orders.counts["unknown_status:parked"] == 1


def test_a_matched_gtc_whose_remainder_rests_is_partial() -> None:
    desk = Desk()
    order = desk.send(BUY, "0.5", "10")
    desk.answer(order, status="matched", making="2", taking="4")
    assert state_of(order) is OrderState.PARTIAL
    desk.answer(order, status="matched", making="5", taking="10")
    assert state_of(order) is OrderState.MATCHED


def test_a_matched_answer_reserves_until_its_trades_are_seen() -> None:
    """The answer ends a FAK; its fills come later and count as exposure until they do."""
    desk = Desk()
    order = desk.send(SELL, "0.5", "10", FAK)
    desk.answer(order, status="matched", making="10", taking="5")
    assert state_of(order) is OrderState.MATCHED
    assert order.awaited_u6 == desk.orders.reserved_qty_u6(YES) == 10 * U
    assert desk.orders.counted() == [order]
    desk.trade(order, "4", trade_id="t1")
    assert desk.orders.reserved_qty_u6(YES) == 6 * U
    desk.trade(order, "6", trade_id="t2")
    assert desk.orders.reserved_qty_u6(YES) == 0
    assert not desk.orders.counted()
    desk.audit()


def test_awaited_trades_that_never_come_are_read_and_then_reported() -> None:
    desk = Desk()
    order = desk.send(SELL, "0.5", "10", FAK)
    desk.answer(order, status="matched", making="10", taking="5")
    asked = [one for _ in range(70) for one in desk.wait(2_000)]
    assert len(asked) >= 8
    (found,) = desk.orders.drain_anomalies()
    assert (found.anomaly, found.ours, found.theirs) == (Anomaly.ORDER_MISMATCH, "0", "10")
    assert desk.orders.reserved_qty_u6(YES) == 10 * U


def test_a_partly_filled_fak_ends_cancelled_and_a_whole_one_matched() -> None:
    desk = Desk()
    part, whole = desk.send(SELL, "0.5", "10", FAK), desk.send(SELL, "0.5", "10", FAK)
    desk.answer(part, status="matched", making="4", taking="2")
    desk.answer(whole, status="matched", making="9.995", taking="5")
    assert (state_of(part), state_of(whole)) == (OrderState.CANCELED, OrderState.MATCHED)


def test_a_budget_buy_is_whole_when_its_budget_is_spent() -> None:
    """Five shares at a limit of 0.99 are a budget of 4.95, which buys more at 0.98 (§5.4)."""
    desk = Desk()
    order = desk.send(BUY, "0.99", "5", FAK)
    desk.answer(order, status="matched", making="4.949999", taking="5.05102")
    assert state_of(order) is OrderState.MATCHED
    desk.trade(order, "5.05102", px="0.98")
    assert order.filled_u6 > order.qty_u6
    assert desk.orders.drain_anomalies() == []


def test_a_matched_answer_without_amounts_is_looked_up() -> None:
    desk = Desk()
    order = desk.send(SELL, "0.5", "10", FAK)
    desk.answer(order, status="matched")
    assert state_of(order) is OrderState.LIVE
    assert any(isinstance(one, ReadOrder) for one in desk.wait(2_000))


def test_b9_a_batch_is_matched_by_hash_not_by_position() -> None:
    desk = Desk()
    first, second = desk.send(), desk.send(px="0.4")
    desk.answer(
        first, SendOutcome.REFUSED, cid=first.cid, order_hash=second.order_hash, code=VenueCode.TICK
    )
    assert (state_of(first), state_of(second)) == (OrderState.SENT, OrderState.REFUSED)


def test_an_answer_to_nobody_is_counted() -> None:
    desk = Desk()
    order = desk.send()
    desk.answer(order, cid="r0-9-l9", order_hash="0xdead")
    assert state_of(order) is OrderState.SENT
    assert desk.orders.counts["answers_of_others"] == 1


def test_a_refusal_of_an_order_that_is_live_is_a_contradiction_to_look_up() -> None:
    desk = Desk()
    order = desk.send()
    desk.user(order, event="PLACEMENT")
    desk.refuse(order, VenueCode.BALANCE)
    assert state_of(order) is OrderState.LIVE
    assert desk.orders.counts["contradictions"] == 1
    assert any(isinstance(one, ReadOrder) for one in desk.due())
