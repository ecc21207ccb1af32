"""Average cost, marks, days, drawdown and attribution, against fractions."""

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from polytui.engine.core.enums import Outcome, Side
from polytui.engine.core.errors import EngineBug
from polytui.engine.core.order_enums import EntryKind
from polytui.engine.core.units import U
from polytui.engine.portfolio.attribution import ASIDE, OLDER, Attribution
from polytui.engine.portfolio.positions import Mark, Place, Position
from tests.engine.portfolio.desk import (
    BUY,
    DAY_NS,
    NO,
    SELL,
    START_NS,
    YES,
    Desk,
    M,
    fill,
    item,
    u6,
)
from tests.engine.portfolio.naive import Sum, dollars

DAY_START_NS = (START_NS // DAY_NS + 1) * DAY_NS


# --- average cost --------------------------------------------------------------------------------


@given(
    st.lists(
        st.tuples(st.booleans(), st.integers(1, 10**9), st.integers(0, U)), min_size=1, max_size=30
    )
)
def test_average_cost_follows_exact_fractions_within_half_a_micro_unit_a_sale(
    trades: list[tuple[bool, int, int]],
) -> None:
    position, exact, sales = Position("box", YES), Sum(), 0
    for is_buy, size_u6, px_u6 in trades:
        qty_u6 = size_u6 if is_buy else min(size_u6, position.confirmed_u6)
        if not qty_u6:
            continue
        cash_u6 = qty_u6 * px_u6 // U
        sign = 1 if is_buy else -1
        position.trade(sign * qty_u6, sign * cash_u6)
        exact.trade(sign * dollars(qty_u6), sign * dollars(cash_u6))
        sales += not is_buy
        assert dollars(position.confirmed_u6) == exact.qty
        assert abs(dollars(position.cost_u6) - exact.cost) <= Fraction(sales, 2 * U)
        drift = dollars(position.cost_u6 - position.realized_u6) - (exact.cost - exact.realized)
        assert drift == 0, "cost less profit is cash paid, exactly"
    if not position.confirmed_u6:
        assert position.cost_u6 == 0


@given(st.lists(st.tuples(st.integers(-(10**7), 10**7), st.integers(0, U)), max_size=20))
def test_long_or_short_cost_less_profit_is_the_cash_paid(trades: list[tuple[int, int]]) -> None:
    position, paid_u6 = Position("box", YES), 0
    for qty_u6, px_u6 in trades:
        position.trade(qty_u6, qty_u6 * px_u6 // U)
        paid_u6 += qty_u6 * px_u6 // U
        assert position.cost_u6 - position.realized_u6 == paid_u6
        assert position.confirmed_u6 or not position.cost_u6


def test_a_token_is_one_outcome_of_one_market_for_ever() -> None:
    desk = Desk()
    desk.trade("a", BUY, "0.5", "1")
    twisted = Place(token=YES.token, market=M, group="", outcome=Outcome.NO)
    with pytest.raises(EngineBug, match="expected 111"):
        desk.tell(fill("b", BUY, "0.5", "1", place=twisted, strategy="mm"))
    desk.books.audit()


def test_a_sale_by_hand_realises_at_the_holders_cost_in_the_stated_order() -> None:
    desk = Desk()
    for who, px, qty in (("mm", "0.5", "10"), ("arb", "0.2", "10"), ("zed", "0.4", "10")):
        desk.trade(who, BUY, px, qty, strategy=who)
    desk.trade("out", SELL, "0.6", "25", strategy="operator", fee="0.5")
    shares = desk.books.profit.shares
    got = {who: shares[who].realized_u6 for who in ("arb", "mm", "zed", "operator")}
    assert got == {"arb": u6("4"), "mm": u6("1"), "zed": u6("1"), "operator": 0}
    assert shares["operator"].fees_u6 == u6("0.5"), "who trades pays"
    assert [desk.held(YES, who)[0] for who in ("arb", "mm", "zed")] == [0, 0, u6("5")]


def test_a_strategy_sells_its_own_tokens_first() -> None:
    desk = Desk()
    for who in ("arb", "zed"):
        desk.trade(who, BUY, "0.5", "10", strategy=who)
    desk.trade("out", SELL, "0.6", "12", strategy="zed")
    assert [desk.held(YES, who)[0] for who in ("arb", "zed")] == [u6("8"), 0]


# --- marks ---------------------------------------------------------------------------------------


def test_before_its_first_mark_a_holding_is_worth_what_it_cost() -> None:
    desk = Desk()
    desk.trade("a", BUY, "0.5", "10", fee="0.1")
    assert desk.books.unrealized_u6 == 0
    assert desk.books.equity_u6 == u6("999.9")


def test_a_holding_is_worth_its_bid_and_a_pair_a_dollar() -> None:
    desk = Desk()
    desk.trade("a", BUY, "0.47", "30")
    desk.trade("b", BUY, "0.5", "10", place=NO)
    desk.books.mark(M, u6("0.44"), u6("0.46"))
    # 10 pairs are worth 10; 20 YES 0.44 each.
    assert desk.books.equity_u6 == u6("1000") - u6("14.1") - u6("5") + u6("10") + u6("8.8")
    lines = {line.place.outcome: line for line in desk.books.summary().tokens}
    assert lines[Outcome.YES].value_u6 == u6("13.2")
    assert lines[Outcome.NO].value_u6 == u6("5.6")
    assert lines[Outcome.NO].mark_u6 == u6("0.54")
    assert sum(line.unrealized_u6 for line in lines.values()) == desk.books.unrealized_u6


def test_a_side_without_a_quote_keeps_its_last_price() -> None:
    desk = Desk()
    desk.trade("a", BUY, "0.5", "10")
    desk.books.mark(M, u6("0.4"), u6("0.6"))
    worth_u6 = desk.books.equity_u6
    desk.books.mark(M, None, None)
    assert desk.books.equity_u6 == worth_u6
    desk.books.mark(M, None, u6("0.55"))
    assert desk.books.mark_of(M) == Mark(u6("0.4"), u6("0.55"))
    desk.books.mark("0xstranger", u6("0.4"), u6("0.55"))
    assert desk.books.mark_of("0xstranger") is None


def test_a_resolved_market_is_worth_its_outcome_and_no_longer_at_risk() -> None:
    desk = Desk()
    desk.trade("a", BUY, "0.4", "10")
    desk.books.resolved(M, U, at_ns=START_NS)
    assert desk.books.equity_u6 == u6("1006")
    assert desk.books.exposure.of("total") == 0
    desk.move("redeem", "0", paid="10", yes_pays_u6=U)
    assert desk.books.equity_u6 == u6("1006")
    assert desk.books.mark_of(M) is not None


# --- days and drawdown ---------------------------------------------------------------------------


def test_the_day_begins_at_utc_midnight_of_engine_time() -> None:
    desk = Desk()
    desk.trade("a", BUY, "0.5", "10", at_ns=DAY_START_NS - 2)
    desk.books.mark(M, u6("0.7"), u6("0.8"), at_ns=DAY_START_NS - 1)
    assert desk.books.day_pnl_u6 == u6("2")
    desk.books.tick(DAY_START_NS)
    assert desk.books.day_pnl_u6 == 0
    desk.books.mark(M, u6("0.6"), u6("0.8"), at_ns=DAY_START_NS + 1)
    assert desk.books.day_pnl_u6 == u6("-1")
    assert desk.books.profit.day_u6("box") == u6("-1")
    assert desk.books.profit.day_u6("mm") == 0
    desk.books.tick(DAY_START_NS - 10)
    assert desk.books.day_pnl_u6 == u6("-1"), "days never run back"


def test_deposits_and_withdrawals_move_no_profit_no_day_and_no_drawdown() -> None:
    desk = Desk()
    desk.trade("a", BUY, "0.5", "10")
    desk.books.mark(M, u6("0.6"), u6("0.7"))
    desk.books.mark(M, u6("0.5"), u6("0.7"))
    assert (desk.books.peak_u6, desk.books.profit.drawdown_u6) == (u6("1001"), u6("1"))
    for amount in ("500", "-700"):
        desk.books.transfer(u6(amount), ref="cash", at_ns=START_NS, seq=1)
        assert desk.books.day_pnl_u6 == 0
        assert desk.books.profit.drawdown_u6 == u6("1")
    assert desk.books.equity_u6 == u6("800")
    assert desk.books.peak_u6 == u6("801")


def test_rebates_and_rewards_are_booked_apart_and_are_profit() -> None:
    desk = Desk()
    for kind, strategy, amount in (
        (EntryKind.REBATE, "mm", "2"),
        (EntryKind.REWARD, "mm", "3"),
        (EntryKind.REWARD, "", "4"),
    ):
        desk.keep(
            desk.books.earned(kind, u6(amount), ref="day", at_ns=START_NS, seq=1, strategy=strategy)
        )
    summary = desk.books.summary()
    assert (summary.rebates_u6, summary.rewards_u6, summary.fees_u6) == (u6("2"), u6("7"), 0)
    lines = {line.strategy: line for line in summary.strategies}
    assert (lines["mm"].rebates_u6, lines["mm"].rewards_u6) == (u6("2"), u6("3"))
    assert summary.day_u6 == u6("9")
    assert summary.realized_u6 == 0
    assert sum(line.day_u6 for line in lines.values()) == summary.day_u6


def test_utilization_is_the_bound_share_of_equity() -> None:
    desk = Desk("100")
    desk.trade("a", BUY, "0.5", "20")
    desk.tell(fill("b", BUY, "0.5", "10"))
    desk.books.expose(item("c", BUY, "0.5", "10"))
    summary = desk.books.summary()
    assert summary.utilization_u6 == u6("0.2")
    assert (summary.reserved_u6, summary.outgoing_u6, summary.free_u6) == (
        u6("5"),
        u6("5"),
        u6("80"),
    )
    assert Desk("0").books.summary().utilization_u6 == 0


# --- attribution ---------------------------------------------------------------------------------


@given(
    st.lists(
        st.tuples(
            st.sampled_from(("box", "mm", "arb")),
            st.integers(1, 12),
            st.sampled_from(Side),
            st.integers(1, 10**8),
            st.integers(1, U - 1),
        ),
        max_size=60,
    )
)
def test_rows_of_snapshots_always_sum_to_the_totals(
    trades: list[tuple[str, int, Side, int, int]],
) -> None:
    desk = Desk()
    desk.books.attribution = Attribution(rows_max=5)
    for n, (who, snapshot, side, qty_u6, px_u6) in enumerate(trades):
        cash_u6 = qty_u6 * px_u6 // U
        facts = {"qty_u6": qty_u6, "cash_u6": cash_u6, "px_u6": px_u6, "snapshot": snapshot}
        desk.trade(f"t{n}", side, "0.5", "1", strategy=who, fee="0.00001", **facts)
    rows = desk.books.attribution.rows()
    assert len([row for row in rows if row[1] > 0]) <= 5
    assert sum(row[2].fills for row in rows) == len(trades)
    total = desk.books.profit.total
    assert sum(row[2].realized_u6 for row in rows) == total.realized_u6
    assert sum(row[2].fees_u6 for row in rows) == total.fees_u6 == 10 * len(trades)
    for who, share in desk.books.profit.shares.items():
        assert desk.books.attribution.of(who).realized_u6 == share.realized_u6


def test_a_fill_is_its_snapshots_and_a_merge_is_nobodys() -> None:
    desk = Desk()
    desk.trade("y", BUY, "0.4", "10", snapshot=71, fee="0.1")
    desk.trade("n", BUY, "0.5", "10", place=NO, snapshot=72)
    desk.trade("s", SELL, "0.45", "2", snapshot=73)
    desk.move("merge", "8")
    rows = {(who, snapshot): row for who, snapshot, row in desk.books.attribution.rows()}
    assert rows["box", 71].fees_u6 == u6("0.1")
    assert rows["box", 73].realized_u6 == u6("0.1")
    assert rows["box", ASIDE].realized_u6 == u6("0.8")
    assert ("box", OLDER) not in rows
