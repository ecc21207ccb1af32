"""The population on the real exchange: lawful, deterministic, alive and adversarial."""

import hashlib
import json
import os
import subprocess
import sys
from collections import defaultdict
from statistics import fmean, pstdev

import pytest

from polytui.engine.core.enums import Feed, Side
from polytui.engine.core.units import U
from polytui.engine.sim.exchange.api import TradeStatus
from polytui.engine.sim.exchange.emissions import (
    BalanceMoved,
    MarketListed,
    MarketResolved,
    OrderPlaced,
    TradeUpdate,
    WindowFixed,
)
from polytui.engine.sim.exchange.terms import DelayTerms, Resolution, Settings, SettlementTerms
from polytui.engine.sim.population.crowd import Temper
from polytui.engine.sim.population.market import Market, asks, fair_u6
from polytui.engine.sim.population.weather import Regime
from polytui.engine.sim.practice_world import PracticeWorld
from tests.conftest import ROOT
from tests.support.practice_worlds import (
    MS_NS,
    SECOND_NS,
    START_NS,
    depth_u6,
    is_single,
    markets_where,
    mid,
    run,
    world,
)

STORM = Settings(
    settlement=SettlementTerms(
        mine=DelayTerms(low_ms=500, high_ms=3_000),
        confirm=DelayTerms(low_ms=500, high_ms=3_000),
        retry_chance=0.3,
        fail_chance=0.2,
    )
)

# --- lawful --------------------------------------------------------------------------------------


def test_everything_is_conserved_under_a_busy_population_and_failing_trades() -> None:
    venue = world(temper=Temper(pace=3.0, herd=60, noise=3.0), settings=STORM)
    trades = 0
    for emissions in run(venue, 60, step_ms=5_000):
        trades += sum(isinstance(emission, TradeUpdate) for emission in emissions)
        venue.exchange.audit()
    assert trades > 500


def test_books_are_never_crossed_at_rest() -> None:
    venue = world(temper=Temper(pace=2.0, herd=40, regime=Regime.HIGH_VOL))
    for _ in run(venue, 40, step_ms=250):
        for condition in venue.population.markets:
            bid_u6, ask_u6 = venue.exchange.best(condition)
            assert bid_u6 < ask_u6


def test_every_market_is_quoted_on_both_sides_from_the_first_instant() -> None:
    venue = world(singles=8)
    assert len(venue.population.markets) == 8 + 6 + 2
    assert all(mid(venue, market) is not None for market in venue.population.markets.values())


def test_nobody_goes_broke_or_forgets_orders_in_minutes() -> None:
    venue = world(singles=1, temper=Temper(herd=10))
    for _ in run(venue, 120, step_ms=10_000):
        pass
    venue.exchange.audit()
    known = {
        order_id
        for trader in venue.population.traders()
        for ours in trader.open.values()
        for order_id in ours
    }
    resting = {
        order.order_id
        for trader in venue.population.traders()
        for order in venue.exchange.open_orders(owner=trader.owner)
        if order.order_type.value == "GTC"
    }
    assert resting == known
    for trader in venue.population.traders():
        assert trader.free_u6("pUSD") > 100_000 * U


# --- deterministic -------------------------------------------------------------------------------

FINGERPRINT = """
import hashlib
from polytui.engine.sim.population.crowd import Temper
from tests.support.practice_worlds import SECOND_NS, START_NS, world
venue = world(seed=7, temper=Temper(herd=20))
digest = hashlib.sha256()
for emission in venue.advance(START_NS + 30 * SECOND_NS):
    digest.update(repr(emission).encode())
for one in venue.take_prints():
    digest.update(repr(one).encode())
print(digest.hexdigest(), venue.exchange.digest())
"""


@pytest.mark.slow
@pytest.mark.timeout(30)
def test_the_same_seed_gives_the_same_world_in_two_processes_with_two_hash_seeds() -> None:
    prints = {
        subprocess.run(
            [sys.executable, "-c", FINGERPRINT],
            cwd=ROOT,
            env={**os.environ, "PYTHONHASHSEED": hash_seed},
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for hash_seed in ("1", "2")
    }
    assert len(prints) == 1


def fingerprint(venue: PracticeWorld, untils: list[int]) -> tuple[str, str, str]:
    emitted, printed = hashlib.sha256(), hashlib.sha256()
    for until_ns in untils:
        for emission in venue.advance(until_ns):
            emitted.update(repr(emission).encode())
        for one in venue.take_prints():
            printed.update(repr(one).encode())
    return emitted.hexdigest(), printed.hexdigest(), venue.exchange.digest()


def test_however_time_is_cut_the_same_things_happen() -> None:
    end_ns = START_NS + 8 * SECOND_NS
    whole = fingerprint(world(), [end_ns])
    assert fingerprint(world(), [*range(START_NS, end_ns, 7_777_777), end_ns]) == whole


def test_another_seed_gives_another_world() -> None:
    end_ns = START_NS + SECOND_NS
    assert world(seed=1).advance(end_ns) != world(seed=2).advance(end_ns)


# --- alive ---------------------------------------------------------------------------------------


def test_windows_roll_and_resolve_and_winners_are_redeemed() -> None:
    venue = world(singles=0)
    listed, resolved, redeemed = 0, 0, 0
    for emissions in run(venue, 330, step_ms=5_000):
        listed += sum(isinstance(emission, MarketListed) for emission in emissions)
        resolved += sum(isinstance(emission, MarketResolved) for emission in emissions)
        redeemed += sum(
            isinstance(emission, BalanceMoved) and emission.what == "redeem"
            for emission in emissions
        )
    assert listed >= 1
    assert resolved == 1
    assert redeemed > 3
    assert len(markets_where(venue, lambda m: m.terms.outcomes == ("Up", "Down"))) == 2
    venue.exchange.audit()


def test_a_window_settles_on_the_averages_of_what_chainlink_told() -> None:
    venue = world(singles=0, temper=Temper(makers=0, noise=0.0, informed=0.0, herd=0))
    told: dict[int, int] = {}
    fixed: list[WindowFixed] = []
    for emissions in run(venue, 202, step_ms=2_000):
        fixed += [emission for emission in emissions if isinstance(emission, WindowFixed)]
        for one in venue.take_prints():
            if one.feed is Feed.CHAINLINK:
                payload = json.loads(one.data)["payload"]
                told[payload["timestamp"] // 1_000] = int(payload["full_accuracy_value"]) // 10**12
    end_s = 1_795_000_200
    values = [told[second] for second in range(end_s - 60, end_s)]
    assert {emission.average_u6 for emission in fixed if emission.at_ns // SECOND_NS == end_s} == {
        sum(values) // 60
    }


def test_a_window_is_priced_near_its_hidden_chance() -> None:
    venue = world(singles=0, temper=Temper(noise=0.0, regime=Regime.CALM))
    (running, *_) = markets_where(venue, lambda m: m.terms.outcomes == ("Up", "Down"))
    gaps = []
    for _ in run(venue, 90):
        price = mid(venue, running)
        if price is not None:
            gaps.append(abs(price - running.truth.seen(SECOND_NS)))
    assert fmean(gaps) < 0.05


def wander(regime: Regime) -> tuple[float, float]:
    """Deviation of the singles' mids over ten seconds, and mean depth near the touch."""
    venue = world(seed=5, singles=3, temper=Temper(regime=regime, noise=0.3, herd=0))
    singles = markets_where(venue, is_single)
    mids: dict[str, list[float]] = defaultdict(list)
    depths = []
    for _ in run(venue, 150, step_ms=5_000):
        for market in singles:
            price = mid(venue, market)
            if price is not None:
                mids[market.condition].append(price)
                depths.append(depth_u6(venue, market))
    moves = [b - a for row in mids.values() for a, b in zip(row, row[2:], strict=False)]
    return pstdev(moves), fmean(depths)


@pytest.mark.timeout(20)
def test_regimes_differ_in_realised_volatility_and_depth_of_the_books() -> None:
    calm, thin, wild = (wander(r) for r in (Regime.CALM, Regime.THIN, Regime.HIGH_VOL))
    assert wild[0] > 2 * calm[0]
    assert thin[1] < 0.5 * calm[1]


def test_a_hot_moment_thins_the_book_until_it_is_over() -> None:
    venue = world(temper=Temper(noise=0.0, herd=0, regime=Regime.CALM))
    market = markets_where(venue, is_single)[0]
    for _ in run(venue, 5):
        pass
    before = depth_u6(venue, market)
    market.truth.weather.heat(venue.now_ns)
    market.truth.weather.hot_until_ns = venue.now_ns + 15 * SECOND_NS
    for _ in run(venue, 12):
        pass
    during = depth_u6(venue, market)
    for _ in run(venue, 20):
        pass
    assert during < 0.8 * before
    assert depth_u6(venue, market) > 1.1 * during


# --- adversarial ---------------------------------------------------------------------------------


def markouts(venue: PracticeWorld, seconds: int, after_s: int) -> dict[str, list[float]]:
    """By taker: how far the price went its way within `after_s` of each trade, in dollars."""
    names = {t.owner: t.name.split("-")[0] for t in venue.population.traders()}
    waiting: list[tuple[int, str, Market, int, float]] = []
    found: dict[str, list[float]] = defaultdict(list)
    for emissions in run(venue, seconds, step_ms=500):
        for emission in emissions:
            if isinstance(emission, TradeUpdate) and emission.trade.status is TradeStatus.MATCHED:
                trade = emission.trade
                market = venue.population.markets.get(trade.condition)
                if market is not None:
                    is_yes = trade.token == market.tokens[0]
                    sign = 1 if is_yes == (trade.side is Side.BUY) else -1
                    price = (trade.px_u6 if is_yes else U - trade.px_u6) / U
                    due_ns = emission.at_ns + after_s * SECOND_NS
                    waiting.append((due_ns, names[trade.owner], market, sign, price))
        due = [one for one in waiting if one[0] <= venue.now_ns]
        waiting = [one for one in waiting if one[0] > venue.now_ns]
        for _, name, market, sign, price in due:
            now = mid(venue, market)
            if now is not None:
                found[name].append(sign * (now - price))
    return found


def test_fills_of_the_informed_precede_moves_against_their_counterparties() -> None:
    venue = world(seed=2, temper=Temper(regime=Regime.HIGH_VOL, herd=0))
    found = markouts(venue, 120, after_s=5)
    assert len(found["informed"]) > 30
    assert fmean(found["informed"]) > 0.01
    assert fmean(found["noise"]) < 0.0


def crowding(members: int) -> tuple[float, float]:
    """Mean life of a public edge in seconds, and mean spread, with so many in the herd."""
    temper = Temper(regime=Regime.HIGH_VOL, informed=0.0, noise=0.5, herd=members)
    venue = world(seed=4, singles=3, temper=temper)
    lives: list[int] = []
    alive: dict[str, int] = {}
    spreads = []
    for _ in run(venue, 90, step_ms=100):
        for market in venue.population.markets.values():
            best = venue.exchange.best(market.condition)
            if best[0] > 0 and best[1] < U:
                spreads.append((best[1] - best[0]) / U)
            chance = market.truth.seen(300 * MS_NS)
            edges = (
                fair_u6(chance, ix) - ask - market.fee_u6(ask) for ix, ask in enumerate(asks(best))
            )
            if max(edges) >= 5_000:
                alive[market.condition] = alive.get(market.condition, 0) + 1
            elif market.condition in alive:
                lives.append(alive.pop(market.condition))
    return fmean(lives) / 10, fmean(spreads)


@pytest.mark.timeout(30)
def test_a_larger_herd_shortens_the_life_of_edges_and_narrows_spreads() -> None:
    alone, crowded = crowding(0), crowding(300)
    assert crowded[0] < 0.6 * alone[0]
    assert crowded[1] < 0.85 * alone[1]


def test_turning_the_knobs_takes_effect() -> None:
    venue = world(temper=Temper(herd=0))
    for _ in run(venue, 5):
        pass
    venue.population.retemper(Temper(makers=0, noise=0.0, informed=0.0, arbitrage=False, herd=0))
    placed = 0
    for emissions in run(venue, 20):
        placed += sum(isinstance(emission, OrderPlaced) for emission in emissions)
    assert placed == 0
    assert all(venue.exchange.best(c) == (0, U) for c in venue.population.markets)
    venue.population.retemper(Temper(herd=0))
    for _ in run(venue, 10):
        pass
    assert all(mid(venue, m) is not None for m in venue.population.markets.values())


def test_a_market_resolved_from_outside_is_left_at_once() -> None:
    venue = world()
    market = markets_where(venue, is_single)[0]
    venue.advance(venue.now_ns)
    venue.exchange.resolve(market.condition, Resolution.YES)
    placed = [
        emission.order.condition
        for emissions in run(venue, 70, step_ms=5_000)
        for emission in emissions
        if isinstance(emission, OrderPlaced)
    ]
    assert market.condition not in placed
    assert market.condition not in venue.population.markets
    venue.exchange.audit()
