from itertools import pairwise
from math import log, sqrt
from statistics import pstdev

import pytest

from polytui.engine.core.rng import Rng
from polytui.engine.sim.population.truth import (
    CHANCE_LEAST,
    STEP_NS,
    Above,
    Drifting,
    Exclusive,
    PricePath,
    UpDown,
    World,
    logit,
)
from polytui.engine.sim.population.weather import SECOND_NS, Regime, Weather

START_NS = 1_795_000_000 * SECOND_NS
PRICE = 91_240.0


def path(seed: int = 1) -> PricePath:
    return PricePath(PRICE, Rng(seed), at_ns=START_NS)


def walk(price: PricePath, seconds: int, *, from_ns: int = START_NS) -> list[float]:
    """The price at each step."""
    steps = seconds * SECOND_NS // STEP_NS
    seen = []
    for n in range(1, steps + 1):
        price.step(from_ns + n * STEP_NS)
        seen.append(price.price)
    return seen


def realised(prices: list[float]) -> float:
    """Deviation of the five-second log return."""
    every = prices[::50]
    return pstdev(log(b / a) for a, b in pairwise(every))


def in_regime(regime: Regime) -> list[float]:
    price = path(3)
    price.truth.weather.force(regime, at_ns=START_NS)
    return walk(price, 900)


def test_regimes_differ_in_realised_volatility() -> None:
    calm, thin = realised(in_regime(Regime.CALM)), realised(in_regime(Regime.THIN))
    high = realised(in_regime(Regime.HIGH_VOL))
    assert calm < 0.75 * thin
    assert high > 1.8 * thin


def test_a_trending_market_goes_further_than_its_volatility_explains() -> None:
    def drift(regime: Regime, seed: int) -> float:
        price = path(seed)
        price.truth.weather.force(regime, at_ns=START_NS)
        prices = walk(price, 300)
        return abs(log(prices[-1] / PRICE)) / (price.sigma * sqrt(300))

    seeds = range(12)
    trending = sum(drift(Regime.TRENDING, seed) for seed in seeds) / len(seeds)
    thin = sum(drift(Regime.THIN, seed) for seed in seeds) / len(seeds)
    assert trending > 1.8 * thin


def test_regimes_flip_unless_they_are_held() -> None:
    free, held = (Weather(Rng(4), at_ns=0) for _ in range(2))
    held.force(Regime.THIN, at_ns=0)
    seen = set()
    for second in range(3_600):
        free.step(second * SECOND_NS)
        held.step(second * SECOND_NS)
        seen.add(free.regime)
    assert seen == set(Regime)
    assert free.flips > 10
    assert held.regime is Regime.THIN


def test_a_hot_moment_thins_books_for_a_while() -> None:
    weather = Weather(Rng(4), at_ns=0)
    usual = weather.depth(0)
    weather.heat(0)
    assert 0.2 * usual <= weather.depth(0) <= 0.7 * usual
    assert weather.pace(0) > weather.climate.pace
    assert not weather.is_hot(600 * SECOND_NS)
    assert weather.depth(600 * SECOND_NS) == usual


def test_a_slow_observer_sees_the_truth_as_it_was() -> None:
    price = path()
    prices = walk(price, 2)
    assert price.truth.seen(0) == prices[-1]
    assert price.truth.seen(5 * STEP_NS) == prices[-6]


def test_a_price_of_every_whole_second_is_remembered_exactly() -> None:
    price = path()
    prices = walk(price, 30)
    last_s = START_NS // SECOND_NS + 30
    values = [price.value_u6(second) for second in range(last_s - 2, last_s + 1)]
    assert values == [round(prices[n] * 1_000_000) for n in (279, 289, 299)]
    assert price.value_u6(last_s + 1) is None
    known = [v for v in values[:2] if v is not None]
    assert price.average_u6(last_s - 2, last_s) == sum(known) // 2


def test_memory_is_trimmed_without_losing_recent_seconds() -> None:
    price = path()
    walk(price, 700)
    last_s = START_NS // SECOND_NS + 700
    assert price.value_u6(last_s - 400) is not None
    assert price.value_u6(START_NS // SECOND_NS - 500) is None


def test_a_window_follows_the_price_and_settles_on_its_averages() -> None:
    price = path(6)
    start_s = START_NS // SECOND_NS // 300 * 300
    window = UpDown(price, start_s, at_ns=START_NS)
    n = 0
    while START_NS + n * STEP_NS < window.end_s * SECOND_NS + SECOND_NS:
        n += 1
        price.step(START_NS + n * STEP_NS)
        window.step(START_NS + n * STEP_NS)
        assert CHANCE_LEAST <= window.truth.now <= 1 - CHANCE_LEAST
    certain = 1 - CHANCE_LEAST if window.is_up() else CHANCE_LEAST
    assert window.truth.now == pytest.approx(certain)
    assert window.is_up() == (window.final_u6() >= window.strike_u6())


def test_strikes_are_ordered_by_their_height() -> None:
    price = path()
    low, high = (
        Above(price, strike, end_s=1_799_000_000, at_ns=START_NS) for strike in (90e3, 110e3)
    )
    for n in range(1, 500):
        price.step(START_NS + n * STEP_NS)
        low.step(START_NS + n * STEP_NS)
        high.step(START_NS + n * STEP_NS)
        assert low.truth.now > high.truth.now


def test_exclusive_outcomes_sum_to_one_and_news_moves_a_single_one_at_once() -> None:
    group = Exclusive([0.5, 0.3, 0.2], Rng(1), at_ns=START_NS)
    single = Drifting(0.4, Rng(2), at_ns=START_NS)
    world = World({"BTC-USD": path()})
    world.add("group", group)
    world.add("s", single)
    world.truths["s"] = single.truth
    for n in range(1, 600):
        world.step(START_NS + n * STEP_NS)
        assert sum(truth.now for truth in group.truths) == pytest.approx(1.0, abs=0.01)
    single.tell(0.97, at_ns=START_NS)
    world.step(START_NS + 600 * STEP_NS)
    assert single.truth.now > 0.95
    assert single.truth.weather.is_hot(START_NS)
    world.drop("s")
    still = single.truth.now
    world.step(START_NS + 601 * STEP_NS)
    assert single.truth.now == still
    assert not world.truths


def test_log_odds_are_those_of_the_textbook() -> None:
    assert logit(0.5) == 0.0
    assert logit(0.75) == pytest.approx(log(3))
