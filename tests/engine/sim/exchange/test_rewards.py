"""Liquidity rewards, maker rebates and fees to the micro-unit (§6; quant.md §0, §4.5)."""

import pytest

from polytui.engine.core.events import FeeSchedule
from polytui.engine.core.units import U, parse_u6
from polytui.engine.sim.exchange.emissions import BalanceMoved, RewardsSampled
from polytui.engine.sim.exchange.fees import fee_u6
from polytui.engine.sim.exchange.rewards import combine, minute_part_u6, score_u6
from polytui.engine.sim.exchange.terms import FeeRounding, RewardTerms
from tests.engine.sim.exchange.rig import ANN, BOB, CAT, CRYPTO, FAK, MARKET, NO, Rig, terms

DAY_MS = 86_400_000


# --- fees: quant.md TV-0 -------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("qty", "px", "rate_u6", "exponent", "fee"),
    [
        ("100", "0.5", 70_000, 1, "1.75"),
        ("100", "0.3", 70_000, 1, "1.47"),
        ("100", "0.97", 50_000, 1, "0.1455"),
        ("100", "0.5", 250_000, 2, "1.5625"),
        ("100", "0.1", 40_000, 1, "0.36"),
        ("0.001", "0.5", 40_000, 1, "0.00001"),
        ("0.0009", "0.5", 40_000, 1, "0"),
        ("100", "0.5", 0, 1, "0"),
    ],
)
def test_the_fee_vectors(qty: str, px: str, rate_u6: int, exponent: int, fee: str) -> None:
    fees = FeeSchedule(rate_u6=rate_u6, exponent=exponent)
    assert fee_u6(parse_u6(px), parse_u6(qty), fees, FeeRounding.NEAREST) == parse_u6(fee)
    assert fee_u6(U - parse_u6(px), parse_u6(qty), fees, FeeRounding.NEAREST) == parse_u6(fee)


@pytest.mark.parametrize(
    ("rounding", "fee"),
    [
        (FeeRounding.FLOOR, "0.64068"),
        (FeeRounding.CEIL, "0.64069"),
        (FeeRounding.NEAREST, "0.64069"),
    ],
)
def test_the_fee_rounds_as_set(rounding: FeeRounding, fee: str) -> None:
    assert fee_u6(423_000, 37_500_000, CRYPTO, rounding) == parse_u6(fee)


def test_spending_a_hundred_dollars_with_the_fee_inside() -> None:
    # §6: $100, p 0.50, crypto -> maker 96.61
    rig = Rig(terms(fees=CRYPTO), cash="100")
    rig.split(BOB, "300")
    rig.sell(BOB, "0.50", "300")
    refused = rig.buy(ANN, "0.50", "96.62", order_type=FAK)
    assert not refused.is_success
    assert rig.buy(ANN, "0.50", "96.61", order_type=FAK).is_success


def test_a_seller_s_fee_is_netted_and_a_buyer_s_comes_on_top() -> None:
    rig = Rig(terms(fees=CRYPTO))
    rig.split(ANN, "20")
    rig.sell(ANN, "0.50", "10")
    rig.buy(BOB, "0.50", "10")
    rig.buy(CAT, "0.40", "10")
    rig.sell(ANN, "0.40", "10")
    rig.settle()
    assert rig.cash(BOB) == parse_u6("994.825")
    assert rig.cash(CAT) == parse_u6("996")
    assert rig.cash(ANN) == parse_u6("1008.832")
    assert rig.exchange.accrued(ANN).fees_u6 == parse_u6("0.168")


# --- liquidity rewards: quant.md TV-4.6, TV-4.7 --------------------------------------------------


@pytest.mark.parametrize(
    ("distance", "score"),
    [
        ("0.5", 790_123),
        ("1", 604_938),
        ("1.5", 444_444),
        ("2", 308_641),
        ("3", 111_111),
        ("4.5", 0),
    ],
)
def test_the_score_of_a_share(distance: str, score: int) -> None:
    distance2_u6 = 2 * parse_u6(distance) // 100
    assert score_u6(U, spread2_u6=90_000, distance2_u6=distance2_u6) == score


@pytest.mark.parametrize(
    ("bids", "asks", "middle2_u6", "total"),
    [
        (60_490_000, 30_250_000, U, 30_250_000),
        (60_490_000, 0, U, 20_163_333),
        (60_490_000, 0, 199_999, 0),
        (60_490_000, 0, 200_000, 20_163_333),
        (60, 30, 1_900_000, 30),
    ],
)
def test_two_sides_count_as_the_lesser_or_a_third_of_the_greater(
    bids: int, asks: int, middle2_u6: int, total: int
) -> None:
    assert combine(bids, asks, middle2_u6) == total


def quoted(*, pool: str, spread_u6: int) -> Rig:
    """Make a market with rewards whose midpoint is 0.50."""
    rewards = RewardTerms(
        min_qty_u6=50 * U, max_spread_u6=spread_u6, pool_day_u6=parse_u6(pool), min_age_ms=3_500
    )
    return Rig(terms(tick_u6=1_000, rewards=rewards), cash="100000")


def test_the_docs_example_pays_3_448_dollars_a_day() -> None:
    # TV-4.6: v = 3 cents; Q1 111.11 and Q2 175 give 111.11; the others have 1,500; pool $50
    rig = quoted(pool="50", spread_u6=30_000)
    rig.buy(BOB, "0.495", "2160")
    rig.buy(BOB, "0.495", "2160", token=NO)
    rig.split(ANN, "1000")
    rig.buy(ANN, "0.49", "100")
    rig.buy(ANN, "0.48", "200")
    rig.sell(ANN, "0.51", "100", token=NO)
    rig.sell(ANN, "0.515", "100")
    rig.buy(ANN, "0.48", "100", token=NO)
    rig.buy(ANN, "0.495", "200", token=NO)
    rig.wait(2 * DAY_MS)
    said = rig.exchange.drain()
    sample = next(one for one in said if isinstance(one, RewardsSampled))
    assert {a: q for a, q, _ in sample.shares} == {ANN: 111_111_110, BOB: 1_500 * U}
    paid = [one for one in said if isinstance(one, BalanceMoved) and one.what == "rewards"]
    days = {one.account: one.moves[0][1] for one in paid}
    assert days == {ANN: 3_448_275, BOB: 46_551_724}


def test_a_minute_pays_a_1440th_of_the_pool_by_score() -> None:
    # TV-4.7: 200 shares 2 cents off both sides against 1,500 earn 0.082 $/h of a $50 pool
    rig = quoted(pool="50", spread_u6=45_000)
    rig.buy(ANN, "0.48", "200")
    rig.buy(ANN, "0.48", "200", token=NO)
    other = 1_500 * U * 45**2 // 40**2
    size = f"{other // 10_000 * 10_000 / U:.2f}"
    rig.buy(BOB, "0.495", size)
    rig.buy(BOB, "0.495", size, token=NO)
    rig.wait(3_610_000)
    samples = rig.said(RewardsSampled)
    scores = {account: score for account, score, _ in samples[-1].shares}
    assert scores[ANN] == 61_728_395
    assert abs(scores[BOB] - 1_500 * U) < U
    hour_u6 = sum(u6 for one in samples[-60:] for account, _, u6 in one.shares if account == ANN)
    assert abs(hour_u6 - 82_300) < 100


def test_samples_come_once_a_minute_at_random_offsets_and_only_for_old_enough_orders() -> None:
    rig = quoted(pool="50", spread_u6=45_000)
    rig.wait(600_000)
    assert rig.said(RewardsSampled) == []
    rig.buy(ANN, "0.49", "100")
    rig.buy(ANN, "0.49", "100", token=NO)
    placed_ns = rig.exchange.now_ns
    rig.wait(1_200_000)
    times = [one.at_ns for one in rig.said(RewardsSampled)]
    assert times[0] >= placed_ns + 3_500_000_000
    minutes = [at // 60_000_000_000 for at in times]
    assert minutes == list(range(minutes[0], minutes[0] + len(minutes)))
    assert len({at % 60_000_000_000 for at in times}) > 15


def test_orders_younger_than_the_minimum_age_do_not_score() -> None:
    rewards = RewardTerms(min_qty_u6=50 * U, pool_day_u6=U, min_age_ms=600_000)
    rig = Rig(terms(rewards=rewards))
    rig.buy(ANN, "0.49", "100")
    rig.buy(ANN, "0.49", "100", token=NO)
    rig.wait(599_999)
    assert rig.said(RewardsSampled) == []
    rig.wait(120_000)
    assert len(rig.said(RewardsSampled)) == 2


def test_small_far_and_one_sided_orders_do_not_score_off_the_band() -> None:
    rig = quoted(pool="50", spread_u6=45_000)
    rig.buy(ANN, "0.49", "49")
    rig.buy(BOB, "0.49", "100")
    rig.buy(BOB, "0.49", "100", token=NO)
    rig.buy(CAT, "0.455", "100")
    rig.wait(120_000)
    shares = rig.said(RewardsSampled)[-1].shares
    assert [account for account, _, _ in shares] == [BOB]
    scoring = {one.account: one.is_scoring for one in rig.exchange.open_orders()}
    assert scoring == {ANN: False, BOB: True, CAT: False}


def test_the_minutes_of_a_day_sum_to_the_pool() -> None:
    assert sum(minute_part_u6(49_999_999, minute) for minute in range(1_440)) == 49_999_999


def test_rewards_are_paid_at_midnight_when_they_reach_a_dollar() -> None:
    rig = quoted(pool="50", spread_u6=45_000)
    for account, size in ((ANN, "1000"), (BOB, "50")):
        rig.buy(account, "0.49", size)
        rig.buy(account, "0.49", size, token=NO)
    rig.wait(DAY_MS // 4)
    due = rig.exchange.accrued(ANN).rewards_u6
    assert due > U > rig.exchange.accrued(BOB).rewards_u6 > 0
    rig.exchange.cancel_all(ANN)
    rig.exchange.cancel_all(BOB)
    due = rig.exchange.accrued(ANN).rewards_u6
    rig.wait(DAY_MS)
    paid = [one for one in rig.said(BalanceMoved) if one.what == "rewards"]
    assert [(one.account, one.moves[0][1], one.at_ms % DAY_MS) for one in paid] == [(ANN, due, 0)]
    assert rig.exchange.accrued(ANN).rewards_paid_u6 == due
    assert rig.exchange.accrued(BOB).rewards_u6 == 0
    rig.exchange.audit()


# --- maker rebates -------------------------------------------------------------------------------


def test_makers_share_their_part_of_the_day_s_fees() -> None:
    # quant.md §0.2: rebate per filled maker share is rebateRate times its fee, .0035 at a half
    rig = Rig(terms(fees=CRYPTO), cash="100000")
    rig.buy(ANN, "0.50", "3000")
    rig.buy(BOB, "0.50", "1000")
    rig.split(CAT, "4000")
    rig.sell(CAT, "0.50", "4000")
    rig.settle()
    assert rig.exchange.accrued(CAT).fees_u6 == parse_u6("70")
    assert rig.exchange.accrued(ANN).rebates_u6 == parse_u6("10.5")
    assert rig.exchange.accrued(BOB).rebates_u6 == parse_u6("3.5")
    rig.wait(DAY_MS)
    assert rig.exchange.accrued(ANN).rebates_paid_u6 == parse_u6("10.5")
    assert rig.cash(ANN) == parse_u6("98510.5")
    assert rig.exchange.accrued(ANN).rebates_u6 == 0
    rig.exchange.audit()


def test_rebates_below_a_dollar_are_forfeited() -> None:
    rig = Rig(terms(fees=CRYPTO))
    rig.buy(ANN, "0.50", "100")
    rig.split(CAT, "100")
    rig.sell(CAT, "0.50", "100")
    rig.settle()
    assert rig.exchange.accrued(ANN).rebates_u6 == parse_u6("0.35")
    rig.wait(DAY_MS)
    assert rig.exchange.accrued(ANN).rebates_paid_u6 == 0


def test_a_fee_change_does_not_touch_trades_already_matched() -> None:
    rig = Rig(terms(fees=CRYPTO))
    rig.split(CAT, "100")
    rig.buy(ANN, "0.50", "100")
    rig.sell(CAT, "0.50", "100")
    rig.exchange.change_fees(MARKET, FeeSchedule(rate_u6=0))
    rig.settle()
    assert rig.exchange.accrued(CAT).fees_u6 == parse_u6("1.75")
    assert rig.exchange.accrued(ANN).rebates_u6 == parse_u6("0.35")
