from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from polytui.engine.core.enums import Side
from polytui.engine.core.events import FeeSchedule
from polytui.engine.core.order_enums import OrderType
from polytui.engine.core.units import U, cost_u6, fee_u6, proceeds_u6
from polytui.engine.orders.residue import (
    DUST_U6,
    Exit,
    ExitPlan,
    Naked,
    budget_qty_u6,
    choose_exit,
    inverse_limit_u6,
    is_marketable,
    take,
    touch_u6,
)
from tests.engine.orders.bundle_rig import FEES, NO, SPEC, YES, price, shares, snapshot

SLIP = 20_000


def naked(qty: float = 20, *, sellable: float = 20, ref: float = 0.49) -> Naked:
    return Naked(
        outcome=YES, qty_u6=shares(qty), sellable_u6=shares(sellable), ref_u6=price(ref)
    )  # fmt: skip


def chosen(one: Naked, *, may_rest: bool = True, barred: Any = (), **book: Any) -> Exit | str:
    quotes = snapshot(**book)
    return choose_exit(
        one, quotes, slip_u6=SLIP, may_rest=may_rest, barred=frozenset(barred)
    )  # fmt: skip


# --- the inverse all-in limit --------------------------------------------------------------------


def test_the_inverse_all_in_limit_is_the_published_vector() -> None:
    """TV-1.3: p1 = .47, r = .04, b = .005 gives .505037, floored to .50."""
    qty_u6 = shares(100)
    paid_u6 = cost_u6(470_000, qty_u6) + fee_u6(470_000, qty_u6, rate_u6=40_000, exponent=1)

    def limit(tick_u6: int) -> int | None:
        return inverse_limit_u6(
            Side.BUY, qty_u6, paid_u6, buffer_u6=5_000, fees=FEES, tick_u6=tick_u6
        )

    assert limit(10_000) == 500_000
    assert limit(100) == 505_000


@given(
    side=st.sampled_from(Side),
    qty_u6=st.integers(1, 100_000).map(lambda lots: lots * 10_000),
    first_u6=st.integers(1, U - 1),
    buffer_u6=st.integers(0, 50_000),
    rate_u6=st.sampled_from([0, 40_000, 70_000]),
    tick_u6=st.sampled_from([10_000, 1_000, 100]),
)
def test_at_the_limit_the_pair_keeps_its_buffer_and_one_tick_on_it_does_not(
    side: Side, qty_u6: int, first_u6: int, buffer_u6: int, rate_u6: int, tick_u6: int
) -> None:
    fees = FeeSchedule(rate_u6=rate_u6)
    cash_u6 = first_u6 * qty_u6 // U

    def profit_u6(px_u6: int) -> int:
        fee = fee_u6(px_u6, qty_u6, rate_u6=rate_u6, exponent=1)
        if side is Side.BUY:
            return qty_u6 - cash_u6 - cost_u6(px_u6, qty_u6) - fee
        return cash_u6 + proceeds_u6(px_u6, qty_u6) - fee - qty_u6

    kept_u6 = cost_u6(buffer_u6, qty_u6)
    limit_u6 = inverse_limit_u6(
        side, qty_u6, cash_u6, buffer_u6=buffer_u6, fees=fees, tick_u6=tick_u6
    )
    worse_u6 = tick_u6 if side is Side.BUY else -tick_u6
    if limit_u6 is None:
        best_u6 = tick_u6 if side is Side.BUY else U - tick_u6
        assert profit_u6(best_u6) < kept_u6
        return
    assert limit_u6 % tick_u6 == 0
    assert tick_u6 <= limit_u6 <= U - tick_u6
    assert profit_u6(limit_u6) >= kept_u6
    if qty_u6 >= U and tick_u6 <= limit_u6 + worse_u6 <= U - tick_u6:
        assert profit_u6(limit_u6 + worse_u6) < kept_u6


# --- walks and budgets ---------------------------------------------------------------------------


def test_a_walk_stops_at_the_limit_and_rounds_each_level_against_the_taker() -> None:
    ladder = [(480_000, 60 * U), (490_000, 40 * U), (500_000, 100 * U)]
    taken = take(ladder, 110 * U, side=Side.BUY, limit_u6=490_000, fees=FEES)
    assert (taken.qty_u6, taken.cash_u6) == (100 * U, 48_400_000)
    assert taken.fee_u6 == 599_040 + 399_840
    assert take(ladder, 0, side=Side.BUY, limit_u6=490_000, fees=FEES).qty_u6 == 0


@given(st.integers(1_000_000, 10**9), st.integers(1, 99))
def test_a_budget_is_the_cents_of_the_walk_and_never_more(cash_u6: int, cents: int) -> None:
    """A FAK BUY spends its budget: 5 at a limit of 0.99 against 0.98 buys 5.051 (venue §5.4)."""
    limit_u6 = cents * 10_000
    qty_u6 = budget_qty_u6(cash_u6, limit_u6)
    spent_u6 = limit_u6 * qty_u6 // U
    assert qty_u6 % 10_000 == 0
    assert spent_u6 - spent_u6 % 10_000 == cash_u6 - cash_u6 % 10_000


@pytest.mark.parametrize(
    ("px", "qty", "lawful"), [(0.5, 2, True), (0.5, 1.99, False), (0.07, 14.28, False)]
)
def test_a_marketable_buy_is_worth_a_dollar(*, px: float, qty: float, lawful: bool) -> None:
    assert is_marketable(price(px), shares(qty)) is lawful


def test_the_touch_of_a_naked_side_is_the_better_of_the_ask_and_the_mirrored_bid() -> None:
    assert touch_u6(YES, snapshot(yes=((0.51, 5),), no=((0.47, 5),))) == 490_000
    assert touch_u6(YES, snapshot(yes=(), no=((0.47, 5),))) == 470_000, "a maker's price"
    assert touch_u6(YES, snapshot(yes=(), no=())) is None
    assert touch_u6(NO, snapshot(yes=(), no=((0.47, 5),))) == 530_000


# --- the choice ----------------------------------------------------------------------------------


def test_a_settled_side_is_sold_where_selling_and_completing_cost_the_same() -> None:
    way = chosen(naked())
    assert isinstance(way, Exit)
    assert (way.plan, way.side, way.outcome) == (ExitPlan.SELL, Side.SELL, YES)
    assert (way.px_u6, way.qty_u6, way.order_type) == (490_000, 20 * U, OrderType.FAK)
    fee = fee_u6(510_000, 20 * U, rate_u6=40_000, exponent=1)
    assert way.cost_u6 == 20 * U - 510_000 * 20 + fee


def test_b14_a_side_that_has_not_settled_is_completed_and_never_sold() -> None:
    way = chosen(naked(sellable=0))
    assert isinstance(way, Exit)
    assert (way.plan, way.side, way.outcome) == (ExitPlan.COMPLETE, Side.BUY, NO)
    assert (way.px_u6, way.covers_u6) == (510_000, 20 * U)
    assert way.qty_u6 == shares(19.22), "a budget of 9.80 at a limit of 0.51"
    fee = fee_u6(490_000, 20 * U, rate_u6=40_000, exponent=1)
    assert way.cost_u6 == 9_800_000 + fee


def test_the_way_that_covers_more_goes_first() -> None:
    way = chosen(naked(sellable=12))
    assert isinstance(way, Exit)
    assert (way.plan, way.covers_u6) == (ExitPlan.COMPLETE, 20 * U)


def test_of_two_ways_that_cover_the_same_the_cheaper_one_is_taken() -> None:
    free = replace(SPEC, fees=FeeSchedule(rate_u6=0))
    one = Naked(outcome=YES, qty_u6=shares(20.005), sellable_u6=shares(20), ref_u6=490_000)
    way = chosen(one, spec=free)
    assert isinstance(way, Exit)
    assert way.plan is ExitPlan.COMPLETE, "the odd 0.005 share can be bought, not sold"


def test_beyond_the_slip_no_taker_goes_and_a_maker_rests_inside_the_spread() -> None:
    way = chosen(naked(), yes=((0.40, 500),), no=((0.45, 500),))
    assert isinstance(way, Exit)
    assert (way.plan, way.order_type) == (ExitPlan.REST, OrderType.GTD)
    assert (way.side, way.outcome, way.px_u6) == (Side.SELL, YES, 540_000)
    unsettled = chosen(naked(sellable=0), yes=((0.40, 500),), no=((0.45, 500),))
    assert isinstance(unsettled, Exit)
    assert (unsettled.side, unsettled.outcome, unsettled.px_u6) == (Side.BUY, NO, 460_000)


def test_a_maker_never_rests_beyond_the_slip() -> None:
    way = chosen(naked(sellable=0), yes=((0.30, 500),), no=((0.60, 500),))
    assert isinstance(way, Exit)
    assert (way.plan, way.px_u6) == (ExitPlan.REST, 510_000)


@pytest.mark.parametrize(
    ("one", "book", "fragments"),
    [
        (naked(1, sellable=0), {}, ["below the $1 minimum", "settlement", "below 5 shares"]),
        (naked(20, sellable=0), {"yes": (), "no": ()}, ["no no ask", "no no bid to join"]),
        (naked(4), {"yes": ((0.3, 9),)}, ["no no ask up to 0.51", "no yes bid", "below 5"]),
    ],
)
def test_below_the_minimums_it_holds_and_says_why(
    one: Naked, book: Any, fragments: list[str]
) -> None:
    answer = chosen(one, **book)
    assert isinstance(answer, str)
    assert [fragment for fragment in fragments if fragment not in answer] == []


def test_without_a_fee_schedule_no_taker_goes() -> None:
    unknown = replace(SPEC, fees=None)
    way = chosen(naked(), spec=unknown)
    assert isinstance(way, Exit)
    assert way.plan is ExitPlan.REST
    answer = chosen(naked(), may_rest=False, spec=unknown)
    assert isinstance(answer, str)
    assert "fee unknown" in answer


def test_a_plan_that_was_just_refused_is_passed_over() -> None:
    way = chosen(naked(), barred={"sell"})
    assert isinstance(way, Exit)
    assert way.plan is ExitPlan.COMPLETE
    assert chosen(naked(), barred={"sell", "complete"}, may_rest=False) == (
        "complete was refused; sell was refused"
    )


@given(
    qty_u6=st.integers(DUST_U6, 300 * U),
    part=st.floats(0, 1),
    bid=st.integers(1, 98),
    ask=st.integers(2, 99),
    depth=st.integers(1, 400),
    ref=st.integers(1, 99),
)
def test_no_exit_closes_more_than_is_naked_or_leaves_the_slip(
    qty_u6: int, part: float, bid: int, ask: int, depth: int, ref: int
) -> None:
    if ask <= bid:
        bid, ask = ask - 1, bid + 1
    quotes = snapshot(yes=((bid / 100, depth),), no=((1 - ask / 100, depth),))
    one = Naked(
        outcome=YES, qty_u6=qty_u6, sellable_u6=int(qty_u6 * part), ref_u6=ref * 10_000
    )  # fmt: skip
    way = choose_exit(one, quotes, slip_u6=SLIP, may_rest=True, barred=frozenset())
    if isinstance(way, str):
        return
    assert 0 < way.covers_u6 <= qty_u6
    assert way.qty_u6 % 10_000 == 0
    assert way.qty_u6 <= way.covers_u6 + 10_000
    paid_u6 = way.px_u6 if way.side is Side.BUY else U - way.px_u6
    assert paid_u6 <= max(one.ref_u6 + SLIP, 10_000)
    if way.side is Side.SELL:
        assert way.qty_u6 <= one.sellable_u6
