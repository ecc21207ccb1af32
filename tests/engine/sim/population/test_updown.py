"""The closed form against the vectors of `quant.md` §6.2 and against simulated windows."""

from math import sqrt

import pytest

from polytui.engine.core.rng import Rng
from polytui.engine.sim.population.updown import (
    LOOKBACK_S,
    WINDOW_S,
    chance_before,
    chance_within,
    normal_cdf,
)

SIGMA = 0.45 / sqrt(365.25 * 86_400)


@pytest.mark.parametrize(
    ("price", "so_far", "left_s", "chance"),
    [
        (100_040, 0.0, 180, 0.663434),
        (100_040, 0.0, 60, 0.867815),
        (100_040, 100_020, 30, 0.991049),
        (99_980, 100_020, 30, 0.5),
        (99_960, 100_012, 10, 0.914353),
    ],
)
def test_inside_the_window_the_published_vectors_come_out(
    price: float, so_far: float, left_s: float, chance: float
) -> None:
    value = chance_within(price=price, strike=100_000, so_far=so_far, left_s=left_s, sigma=SIGMA)
    assert value == pytest.approx(chance, abs=5e-7)


def test_long_before_the_window_the_effective_time_is_the_window_less_a_third_of_the_average() -> (
    None
):
    moved = chance_before(price=100.0, so_far=99.0, to_start_s=3_600, sigma=SIGMA)
    assert moved == 0.5, "nothing of the first average is known, so nothing leans"


def test_at_its_start_the_market_is_not_a_coin_toss() -> None:
    """One deviation of the gap between price and strike is worth P = .609244 (`quant.md` §6.2)."""
    gap = 100_000 * SIGMA * sqrt(LOOKBACK_S / 3)
    price = 100_000.0
    value = chance_within(price=price, strike=price - gap, so_far=0, left_s=WINDOW_S, sigma=SIGMA)
    assert value == pytest.approx(0.609244, abs=2e-5)


def test_the_forms_meet_at_the_start_of_the_window_and_at_its_last_minute() -> None:
    before = chance_before(price=100_040, so_far=100_000, to_start_s=1e-9, sigma=SIGMA)
    within = chance_within(price=100_040, strike=100_000, so_far=0, left_s=WINDOW_S, sigma=SIGMA)
    assert before == pytest.approx(within, abs=1e-9)
    early, late = (
        chance_within(price=100_040, strike=100_000, so_far=90_000, left_s=s, sigma=SIGMA)
        for s in (LOOKBACK_S, LOOKBACK_S - 1e-9)
    )
    assert early == pytest.approx(late, abs=1e-6)


def test_it_rises_with_the_price_and_ends_certain() -> None:
    chances = [
        chance_within(price=price, strike=100_000, so_far=100_000, left_s=20, sigma=SIGMA)
        for price in range(99_900, 100_101, 10)
    ]
    assert chances == sorted(chances)
    assert chance_within(price=1, strike=2, so_far=2.0, left_s=0, sigma=SIGMA) == 1.0
    assert chance_within(price=9, strike=2, so_far=1.9, left_s=0, sigma=SIGMA) == 0.0


@pytest.mark.parametrize("to_start_s", [120, 30, 10])
def test_before_the_start_the_closed_form_agrees_with_simulated_windows(to_start_s: int) -> None:
    rng = Rng(5)
    sigma, known = 1e-4, 3e-4
    ups = 0
    for _ in range(1_000):
        walk, seconds = 0.0, []
        for second in range(to_start_s + WINDOW_S):
            seconds.append(walk)
            walk += sigma * rng.normal()
            del second
        open_s = min(to_start_s, LOOKBACK_S)
        known_sum = -known * (LOOKBACK_S - open_s)
        first = seconds[to_start_s - open_s : to_start_s]
        start = (sum(first) + known_sum) / LOOKBACK_S
        ups += sum(seconds[-LOOKBACK_S:]) / LOOKBACK_S >= start
    closed = chance_before(price=1.0, so_far=1.0 - known, to_start_s=to_start_s, sigma=sigma)
    assert ups / 1_000 == pytest.approx(closed, abs=0.045)


def test_the_normal_distribution_function_is_one() -> None:
    assert normal_cdf(0.0) == 0.5
    assert normal_cdf(1.959964) == pytest.approx(0.975, abs=1e-6)
