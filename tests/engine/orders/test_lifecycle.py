"""The table of an order's life, whole; and what one order knows of itself."""

from itertools import pairwise, product

import pytest

from polytui.engine.core.errors import EngineBug
from polytui.engine.core.order_enums import OrderState, Realm, Witness
from polytui.engine.core.units import U, cost_u6, fee_u6
from polytui.engine.orders.lifecycle import DETAIL_MAX, EDGES, UNSENT, Order
from tests.engine.orders.desk import BUY, FAK, GTC, NO, SELL, Desk

PAIRS = list(product(OrderState, OrderState))
TERMINAL = [state for state in OrderState if state.is_terminal]


def order_in(state: OrderState) -> Order:
    order = Desk().draft(BUY, "0.5", "10", GTC)
    order.state = state
    return order


@pytest.mark.parametrize(("before", "after"), PAIRS)
def test_every_pair_is_in_the_table_or_refused_and_leaves_the_order_as_it_was(
    before: OrderState, after: OrderState
) -> None:
    order = order_in(before)
    if after in EDGES[before]:
        order.enter(after, Witness.JOURNAL, 7, 8, "because")
        assert order.state is after
        edge = order.edges[-1]
        assert (edge.state, edge.witness, edge.at_ns, edge.seq, edge.detail) == (
            after,
            Witness.JOURNAL,
            7,
            8,
            "because",
        )
    else:
        with pytest.raises(EngineBug, match=f"from {before.value}, was to {after.value}"):
            order.enter(after, Witness.JOURNAL, 7, 8)
        assert order.state is before
        assert order.edges == []


def test_the_table_names_every_state_and_terminal_states_absorb() -> None:
    assert set(EDGES) == set(OrderState)
    assert {state for state in OrderState if not EDGES[state]} == set(TERMINAL)


def test_no_life_is_endless() -> None:
    """Every walk through the table ends after a handful of steps, so evidence stays short."""

    def longest(state: OrderState) -> int:
        return 1 + max((longest(after) for after in EDGES[state]), default=-1)

    assert longest(OrderState.PROPOSED) == 9


def test_the_arrows_of_the_execution_reference_are_all_there() -> None:
    s = OrderState
    path = [s.PROPOSED, s.APPROVED, s.JOURNALLED, s.SIGNED, s.SENT]
    arrows = [*pairwise(path), (s.PROPOSED, s.VETOED), (s.SIGNED, s.DROPPED)]
    arrows += [(s.SENT, s.REFUSED), (s.SENT, s.UNKNOWN)]
    arrows += product((s.SENT, s.UNKNOWN), (s.DELAYED, s.LIVE, s.MATCHED))
    arrows += product((s.DELAYED,), (s.LIVE, s.MATCHED, s.UNMATCHED))
    arrows += [(s.LIVE, s.PARTIAL), (s.PARTIAL, s.MATCHED)]
    arrows += product((s.LIVE, s.PARTIAL), (s.CANCELED, s.EXPIRED, s.RESOLVED))
    assert [pair for pair in arrows if pair[1] not in EDGES[pair[0]]] == []


@pytest.mark.parametrize("state", [s for s in OrderState if s.may_rest])
def test_nothing_goes_back_to_being_unsent(state: OrderState) -> None:
    assert not EDGES[state] & (UNSENT | {OrderState.SENT, OrderState.PROPOSED})


def test_evidence_is_cut_to_its_limit() -> None:
    order = order_in(OrderState.PROPOSED)
    order.enter(OrderState.VETOED, Witness.GATE, 1, 1, "x" * 200)
    assert len(order.edges[-1].detail) == DETAIL_MAX


def test_a_record_holds_what_the_order_is() -> None:
    desk = Desk()
    order = desk.live(qty="10")
    desk.trade(order, "4")
    record = order.record(Realm.LIVE)
    assert (record.state, record.filled_u6, record.filled_cash_u6) == (
        OrderState.PARTIAL,
        4 * U,
        2 * U,
    )
    assert [edge.state.value for edge in record.edges] == [
        "approved",
        "journalled",
        "signed",
        "sent",
        "live",
        "partial",
    ]
    assert record.terms is order.terms


def test_a_resting_buy_reserves_notional_and_its_fee_only_while_it_may_take() -> None:
    desk = Desk()
    order = desk.send(BUY, "0.53", "7.77")
    notional_u6 = cost_u6(530_000, 7_770_000)
    fee = fee_u6(530_000, 7_770_000, rate_u6=70_000, exponent=1)
    assert order.worst_cash_u6 == notional_u6 + fee
    desk.answer(order)
    assert order.worst_cash_u6 == notional_u6


def test_a_maker_order_reserves_no_fee() -> None:
    order = Desk().send(BUY, "0.5", "10", post_only=True)
    assert order.worst_cash_u6 == 5 * U


def test_a_market_buy_reserves_its_budget_and_the_fee_of_the_cheapest_shares() -> None:
    order = Desk().send(BUY, "0.5", "10", FAK)
    assert order.budget_u6 == 5 * U
    assert order.worst_cash_u6 == 5 * U + 5 * U * 7 // 100


@pytest.mark.parametrize("px", ["0.01", "0.3", "0.5", "0.7", "0.99"])
def test_no_cheaper_fill_costs_more_than_the_reserve(px: str) -> None:
    desk = Desk()
    limit = desk.send(BUY, px, "10")
    budget = desk.send(BUY, px, "200", FAK)
    for px_u6 in range(10_000, limit.draft.px_u6 + 1, 10_000):
        fee = fee_u6(px_u6, limit.qty_u6, rate_u6=70_000, exponent=1)
        assert cost_u6(px_u6, limit.qty_u6) + fee <= limit.worst_cash_u6
        shares_u6 = budget.budget_u6 * U // px_u6
        fee = fee_u6(px_u6, shares_u6, rate_u6=70_000, exponent=1)
        assert cost_u6(px_u6, shares_u6) + fee <= budget.worst_cash_u6


def test_a_sell_reserves_shares_and_no_cash() -> None:
    order = Desk().send(SELL, "0.5", "10", token=NO)
    assert (order.worst_cash_u6, order.reserved_qty_u6) == (0, 10 * U)


def test_a_market_without_a_schedule_is_assumed_to_charge_the_worst() -> None:
    order = Desk().send(BUY, "0.5", "10")
    order.fees = None
    assert order.worst_cash_u6 == 5 * U + fee_u6(500_000, 10 * U, rate_u6=70_000, exponent=1)
