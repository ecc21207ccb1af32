"""Split, merge, redeem, convert, and the end of markets (§7, quant.md §3, faults.md 18)."""

import pytest

from polytui.engine.core.errors import OperatorError
from polytui.engine.core.events import FeeSchedule
from polytui.engine.core.units import parse_u6
from polytui.engine.sim.exchange.api import COLLATERAL
from polytui.engine.sim.exchange.emissions import (
    BalanceMoved,
    MarketResolved,
    OracleMoved,
    OrderCanceled,
)
from polytui.engine.sim.exchange.terms import GroupTerms, MarketTerms, OracleStatus, Resolution
from tests.engine.sim.exchange.rig import ANN, BOB, CAT, MARKET, NO, YES, Rig, terms

GROUP = GroupTerms(id="g", slug="who", title="Who?", neg_risk=True, neg_risk_market="0x9")


def basket(n: int = 4, *, fee_bips: int = 0, rate_u6: int = 0) -> tuple[Rig, list[MarketTerms]]:
    """Make a NegRisk group of n questions."""
    group = GroupTerms(id="g", slug="who", title="Who?", neg_risk=True, fee_bips=fee_bips)
    markets = [
        terms(k + 1, group="g", group_index=k, neg_risk=True, fees=FeeSchedule(rate_u6=rate_u6))
        for k in range(n)
    ]
    return Rig(*markets, group=group), markets


def hold_no(rig: Rig, market: MarketTerms, amount: str) -> None:
    """Give ANN NO tokens, and BOB the YES."""
    rig.split(ANN, amount, market.condition)
    rig.exchange.transfer(ANN, BOB, market.tokens[0], parse_u6(amount))


def test_split_and_merge_are_inverse() -> None:
    rig = Rig()
    rig.exchange.split(ANN, MARKET, parse_u6("10"))
    assert (rig.cash(ANN), rig.tokens(ANN), rig.tokens(ANN, NO)) == (
        parse_u6("990"),
        10_000_000,
        10_000_000,
    )
    rig.exchange.merge(ANN, MARKET, parse_u6("10"))
    assert (rig.cash(ANN), rig.tokens(ANN)) == (parse_u6("1000"), 0)
    rig.exchange.audit()
    said = rig.said(BalanceMoved)
    assert said[0].moves == ((COLLATERAL, -10_000_000), (YES, 10_000_000), (NO, 10_000_000))


def test_merging_needs_both_tokens() -> None:
    rig = Rig()
    rig.split(ANN, "10")
    rig.exchange.transfer(ANN, BOB, NO, parse_u6("4"))
    with pytest.raises(OperatorError, match="expected 0 to 6000000"):
        rig.exchange.merge(ANN, MARKET, parse_u6("7"))
    rig.exchange.audit()


@pytest.mark.parametrize(
    ("end", "ann", "bob"),
    [(Resolution.YES, "7", "3"), (Resolution.NO, "0", "10"), (Resolution.SPLIT, "3.5", "6.5")],
)
def test_winners_redeem_at_a_dollar_losers_at_nothing_and_halves_at_half(
    end: Resolution, ann: str, bob: str
) -> None:
    rig = Rig()
    rig.split(ANN, "10")
    rig.exchange.transfer(ANN, BOB, YES, parse_u6("3"))
    rig.exchange.transfer(ANN, BOB, NO, parse_u6("10"))
    rig.exchange.resolve(MARKET, end)
    assert rig.exchange.redeem(ANN, MARKET) == parse_u6(ann)
    assert rig.exchange.redeem(BOB, MARKET) == parse_u6(bob)
    assert rig.exchange.redeem(BOB, MARKET) == 0
    rig.exchange.audit()


def test_halves_of_a_micro_dollar_stay_locked() -> None:
    rig = Rig()
    rig.split(ANN, "0.000003")
    rig.exchange.resolve(MARKET, Resolution.SPLIT)
    assert rig.exchange.redeem(ANN, MARKET) == 2
    rig.exchange.audit()


def test_an_open_market_cannot_be_redeemed() -> None:
    with pytest.raises(OperatorError, match="resolved"):
        Rig().exchange.redeem(ANN, MARKET)


def test_trades_under_way_settle_after_the_resolution_too() -> None:
    rig = Rig()
    rig.buy(ANN, "0.45", "10", token=NO)
    rig.buy(BOB, "0.60", "10")
    rig.exchange.resolve(MARKET, Resolution.YES)
    rig.settle()
    assert rig.exchange.redeem(BOB, MARKET) == 10_000_000
    assert rig.exchange.redeem(ANN, MARKET) == 0
    rig.exchange.audit()


# --- the end of trading: §7.3 --------------------------------------------------------------------


def test_a_resolution_cancels_everything_and_closes_the_book() -> None:
    rig = Rig()
    rig.buy(ANN, "0.45", "10", token=NO)
    rig.buy(BOB, "0.50", "10")
    rig.exchange.resolve(MARKET, Resolution.NO)
    said = rig.exchange.drain()
    gone = [one for one in said if isinstance(one, OrderCanceled)]
    assert {one.status for one in gone} == {"CANCELED_MARKET_RESOLVED"}
    (end,) = [one for one in said if isinstance(one, MarketResolved)]
    assert (end.winning_token, end.winning_outcome) == (NO, "No")
    assert said.index(end) > said.index(gone[-1])
    assert rig.exchange.book(MARKET) is None
    assert rig.exchange.resolution(MARKET) is Resolution.NO
    assert rig.free(ANN) == rig.free(BOB) == parse_u6("1000")


def test_a_proposal_resolves_after_its_liveness() -> None:
    rig = Rig()
    rig.exchange.propose(MARKET, Resolution.YES, liveness_s=7_200)
    assert rig.exchange.oracle(MARKET) is OracleStatus.PROPOSED
    rig.wait(7_200_000 - 1)
    assert rig.exchange.resolution(MARKET) is None
    rig.wait(1)
    assert rig.exchange.resolution(MARKET) is Resolution.YES


def test_a_disputed_proposal_comes_to_nothing_and_a_new_one_counts() -> None:
    rig = Rig()
    rig.exchange.propose(MARKET, Resolution.YES, liveness_s=600)
    rig.exchange.dispute(MARKET)
    rig.wait(300_000)
    rig.exchange.propose(MARKET, Resolution.NO, liveness_s=600)
    rig.wait(500_000)
    assert rig.exchange.resolution(MARKET) is None
    rig.wait(100_000)
    assert rig.exchange.resolution(MARKET) is Resolution.NO
    assert [one.status for one in rig.said(OracleMoved)] == [
        OracleStatus.PROPOSED,
        OracleStatus.DISPUTED,
        OracleStatus.PROPOSED,
    ]
    with pytest.raises(OperatorError, match="proposal"):
        rig.exchange.dispute(MARKET)


def test_a_market_ends_once() -> None:
    rig = Rig()
    rig.exchange.resolve(MARKET, Resolution.YES)
    with pytest.raises(OperatorError, match="is resolved"):
        rig.exchange.resolve(MARKET, Resolution.NO)
    with pytest.raises(OperatorError, match="is resolved"):
        rig.exchange.set_accepting(MARKET, accepting=True)


# --- NegRisk: §7.2 -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("index_set", "cash", "others"),
    [
        (0b0011, "100", (2, 3)),
        (0b0001, "0", (1, 2, 3)),
        (0b1111, "300", ()),
        (0b1010, "100", (0, 2)),
    ],
)
def test_k_no_become_k_less_one_dollars_and_the_other_yes(
    index_set: int, cash: str, others: tuple[int, ...]
) -> None:
    rig, markets = basket()
    for market in markets:
        hold_no(rig, market, "100")
    before = rig.cash(ANN)
    got = rig.exchange.convert(ANN, "g", index_set=index_set, amount_u6=parse_u6("100"))
    assert got == rig.cash(ANN) - before == parse_u6(cash)
    for k, market in enumerate(markets):
        assert rig.tokens(ANN, market.tokens[0]) == (100_000_000 if k in others else 0)
        assert rig.tokens(ANN, market.tokens[1]) == (0 if index_set >> k & 1 else 100_000_000)
    rig.exchange.audit()


def test_the_conversion_fee_is_taken_from_both_parts() -> None:
    rig, markets = basket(fee_bips=50)
    for market in markets:
        hold_no(rig, market, "100")
    assert rig.exchange.convert(ANN, "g", index_set=3, amount_u6=parse_u6("100")) == 99_500_000
    assert rig.tokens(ANN, markets[2].tokens[0]) == 99_500_000
    rig.exchange.audit()


@pytest.mark.parametrize("winner", [0, 2, None])
def test_a_conversion_pays_what_the_no_would_have_paid(winner: int | None) -> None:
    # quant.md §3: equal in every state with one winner; the none-true state is sold
    plain, converted = basket(), basket()
    for rig, markets in (plain, converted):
        for market in markets[:2]:
            hold_no(rig, market, "100")
    converted[0].exchange.convert(ANN, "g", index_set=3, amount_u6=parse_u6("100"))
    totals = []
    for rig, markets in (plain, converted):
        for k, market in enumerate(markets):
            end = Resolution.YES if k == winner else Resolution.NO
            rig.exchange.resolve(market.condition, end)
            rig.exchange.redeem(ANN, market.condition)
            rig.exchange.redeem(BOB, market.condition)
        rig.exchange.audit()
        totals.append(rig.cash(ANN))
    assert totals[0] - totals[1] == (0 if winner is not None else parse_u6("100"))
    adapter = converted[0].exchange._world.accounts.ledger.of("@adapter:g", COLLATERAL)
    assert adapter == totals[0] - totals[1]


@pytest.mark.parametrize(
    ("rate_u6", "edge_u6"), [(0, 10_000), (40_000, -19_420), (50_000, -26_775)]
)
def test_the_conversion_vector(rate_u6: int, edge_u6: int) -> None:
    # quant.md TV-3.1: n=4, NO at .66 and .70 bought, YES bids of .17 and .20 hit
    rig, markets = basket(rate_u6=rate_u6)
    for market, no_ask in zip(markets[:2], ("0.66", "0.7"), strict=True):
        rig.split(BOB, "100", market.condition)
        rig.sell(BOB, no_ask, "100", token=market.tokens[1])
    for market, yes_bid in zip(markets[2:], ("0.17", "0.2"), strict=True):
        rig.buy(CAT, yes_bid, "100", token=market.tokens[0])
    for market, no_ask in zip(markets[:2], ("0.66", "0.7"), strict=True):
        rig.buy(ANN, no_ask, "100", token=market.tokens[1])
    rig.settle()
    rig.exchange.convert(ANN, "g", index_set=3, amount_u6=parse_u6("100"))
    for market, yes_bid in zip(markets[2:], ("0.17", "0.2"), strict=True):
        rig.sell(ANN, yes_bid, "100", token=market.tokens[0])
    rig.settle()
    assert rig.cash(ANN) - parse_u6("1000") == edge_u6 * 100


@pytest.mark.parametrize("index_set", [0, 1 << 4, 0b10001])
def test_unknown_bits_are_refused(index_set: int) -> None:
    rig, _ = basket()
    with pytest.raises(OperatorError, match="expected bits of 1111"):
        rig.exchange.convert(ANN, "g", index_set=index_set, amount_u6=1)


def test_only_negrisk_groups_convert_and_only_what_is_held() -> None:
    rig, _ = basket()
    with pytest.raises(OperatorError, match="listed group"):
        rig.exchange.convert(ANN, "other", index_set=1, amount_u6=1)
    with pytest.raises(OperatorError, match="expected 0 to 0"):
        rig.exchange.convert(ANN, "g", index_set=1, amount_u6=1)


def test_a_group_has_at_most_one_yes_and_no_split() -> None:
    rig, markets = basket()
    with pytest.raises(OperatorError, match="YES or NO"):
        rig.exchange.resolve(markets[0].condition, Resolution.SPLIT)
    rig.exchange.resolve(markets[0].condition, Resolution.YES)
    with pytest.raises(OperatorError, match="at most one YES"):
        rig.exchange.resolve(markets[1].condition, Resolution.YES)
    rig.exchange.resolve(markets[1].condition, Resolution.NO)


def test_the_cost_of_converted_tokens_moves_on() -> None:
    rig, markets = basket()
    for market in markets[:2]:
        hold_no(rig, market, "100")
    rig.exchange.convert(ANN, "g", index_set=3, amount_u6=parse_u6("100"))
    # Each NO cost half a dollar in the split; the cash took all of it.
    lots = {lot.token: lot for lot in rig.exchange.positions(ANN)}
    assert [lots[market.tokens[0]].cost_u6 for market in markets[2:]] == [0, 0]
    rig, markets = basket()
    hold_no(rig, markets[0], "99")
    rig.exchange.convert(ANN, "g", index_set=1, amount_u6=parse_u6("99"))
    lots = {lot.token: lot for lot in rig.exchange.positions(ANN)}
    costs = [lots[market.tokens[0]].cost_u6 for market in markets[1:]]
    assert costs == [parse_u6("16.5")] * 3
    assert all(lot.realized_u6 == 0 for lot in lots.values())
