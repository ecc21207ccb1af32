"""Settlement: provisional, final, reversed (§5.4, §10; faults.md B13, B14, invariant 17)."""

import pytest

from polytui.engine.core.rng import Rng
from polytui.engine.core.units import parse_u6
from polytui.engine.sim.exchange.api import COLLATERAL, TradeStatus
from polytui.engine.sim.exchange.emissions import MS, TradeUpdate
from polytui.engine.sim.exchange.settlement import draw_ms
from polytui.engine.sim.exchange.terms import DelayTerms, Settings, SettlementTerms
from tests.engine.sim.exchange.rig import ANN, BOB, CRYPTO, FAST, NO, YES, Rig, terms

SECOND = DelayTerms(low_ms=1_000, high_ms=1_000)


def storm(*, fail: float = 0.0, retry: float = 0.0) -> Settings:
    """Set chances of failure."""
    return Settings(
        settlement=SettlementTerms(
            mine=SECOND, confirm=SECOND, fail_chance=fail, retry_chance=retry
        )
    )


def mint(settings: Settings | None = None) -> Rig:
    """Match ANN's NO at 0.45 with BOB's YES, fee and all."""
    rig = Rig(terms(fees=CRYPTO), settings=settings)
    rig.buy(ANN, "0.45", "10", token=NO)
    rig.buy(BOB, "0.60", "10")
    return rig


def test_a_match_moves_nothing_final() -> None:
    rig = mint()
    balance = rig.exchange.balance(BOB, COLLATERAL)
    assert balance.balance_u6 == parse_u6("1000")
    assert balance.matched_u6 == parse_u6("5.67325")
    shares = rig.exchange.balance(BOB, YES)
    assert (shares.balance_u6, shares.incoming_u6, shares.free_u6) == (0, 10_000_000, 0)
    rig.exchange.audit()


def test_matched_then_mined_then_confirmed_with_one_hash() -> None:
    rig = mint()
    rig.wait(10_000)
    trades = [one.trade for one in rig.said(TradeUpdate)]
    assert [trade.status for trade in trades] == [
        TradeStatus.MATCHED,
        TradeStatus.MINED,
        TradeStatus.CONFIRMED,
    ]
    assert trades[0].tx_hash == ""
    assert len(trades[1].tx_hash) == 66
    assert trades[1].tx_hash == trades[2].tx_hash
    assert [trade.updated_ns - trade.matched_ns for trade in trades] == [
        0,
        1_000 * MS,
        2_000 * MS,
    ]


def test_only_confirmed_pays() -> None:
    rig = mint()
    rig.wait(1_500)
    assert rig.tokens(BOB) == 0
    rig.wait(500)
    assert (rig.tokens(BOB), rig.cash(BOB)) == (10_000_000, parse_u6("994.32675"))
    assert rig.cash(ANN) == parse_u6("995.5")
    assert rig.exchange.accrued(BOB).fees_u6 == parse_u6("0.17325")


def test_a_failed_trade_leaves_no_residue() -> None:
    rig = mint(storm(fail=1.0))
    rig.settle()
    assert [one.trade.status for one in rig.said(TradeUpdate)] == [
        TradeStatus.MATCHED,
        TradeStatus.FAILED,
    ]
    for account in (ANN, BOB):
        for asset, wanted in ((COLLATERAL, "1000"), (YES, "0"), (NO, "0")):
            balance = rig.exchange.balance(account, asset)
            assert balance.balance_u6 == balance.free_u6 == parse_u6(wanted)
            assert balance.incoming_u6 == 0
        assert rig.exchange.accrued(account).fees_u6 == 0
        assert rig.exchange.positions(account) == ()


def test_a_failed_trade_does_not_bring_the_maker_s_order_back() -> None:
    # execution.md §1: remaining is original less non-failed trades, whatever the venue says
    rig = Rig(settings=storm(fail=1.0))
    rig.split(ANN, "20")
    rig.sell(ANN, "0.50", "20")
    rig.buy(BOB, "0.50", "10")
    rig.settle()
    (order,) = rig.exchange.open_orders(owner=ANN)
    assert order.matched_u6 == 10_000_000
    assert rig.tokens(ANN) == 20_000_000


def test_every_retry_changes_the_hash_and_there_are_only_so_many() -> None:
    rig = mint(storm(retry=1.0))
    rig.wait(20_000)
    trades = [one.trade for one in rig.said(TradeUpdate)]
    assert [trade.status.value for trade in trades] == [
        "MATCHED",
        "RETRYING",
        "RETRYING",
        "RETRYING",
        "MINED",
        "CONFIRMED",
    ]
    assert len({trade.tx_hash for trade in trades}) == 5


def test_a_storm_catches_trades_already_under_way() -> None:
    rig = mint()
    rig.exchange.configure(storm(fail=1.0))
    rig.settle()
    assert rig.said(TradeUpdate)[-1].trade.status is TradeStatus.FAILED


def test_about_as_many_fail_as_are_asked_for() -> None:
    rig = Rig(settings=storm(fail=0.35), cash="100000")
    rig.split(ANN, "5000")
    for _ in range(400):
        rig.sell(ANN, "0.50", "10")
        rig.buy(BOB, "0.50", "10")
    rig.settle()
    ends = [one.trade.status for one in rig.said(TradeUpdate)]
    assert 110 <= ends.count(TradeStatus.FAILED) <= 170


@pytest.mark.parametrize(
    "delay",
    [
        DelayTerms(low_ms=2_000, high_ms=60_000),
        DelayTerms(low_ms=500, high_ms=60_000, median_ms=4_000, sigma=1.0),
    ],
)
def test_delays_stay_within_their_bounds(delay: DelayTerms) -> None:
    rng = Rng(1)
    drawn = sorted(draw_ms(delay, rng) for _ in range(2_000))
    assert drawn[0] >= delay.low_ms
    assert drawn[-1] <= delay.high_ms
    if delay.median_ms:
        assert 3_600 < drawn[1_000] < 4_400


def test_trades_are_listed_for_taker_and_maker_newest_first() -> None:
    rig = Rig()
    rig.split(ANN, "100")
    rig.sell(ANN, "0.50", "20")
    first = rig.buy(BOB, "0.50", "10").trade_ids[0]
    rig.wait(5_000)
    second = rig.buy(BOB, "0.50", "10").trade_ids[0]
    for account in (ANN, BOB):
        assert [t.trade_id for t in rig.exchange.trades(account=account)] == [second, first]
    after_s = rig.exchange.now_ns // 1_000_000_000 - 3
    assert [t.trade_id for t in rig.exchange.trades(owner=BOB, after_s=after_s)] == [second]
    assert [t.trade_id for t in rig.exchange.trades(trade_id=first)] == [first]
    assert rig.exchange.trades(token=NO) == ()


def test_positions_carry_average_cost_fees_and_profit() -> None:
    rig = Rig(terms(fees=CRYPTO), settings=Settings(settlement=FAST))
    rig.split(ANN, "100")
    rig.sell(ANN, "0.40", "10")
    rig.sell(ANN, "0.50", "10")
    rig.buy(BOB, "0.50", "20")
    rig.settle()
    rig.buy(ANN, "0.60", "10")
    rig.sell(BOB, "0.60", "10")
    rig.settle()
    (lot,) = rig.exchange.positions(BOB)
    assert (lot.qty_u6, lot.cost_u6, lot.realized_u6) == (10_000_000, 4_500_000, 1_500_000)
    assert lot.fees_u6 == parse_u6("0.168") + parse_u6("0.175") + parse_u6("0.168")
