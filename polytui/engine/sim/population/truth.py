"""The hidden truths: one price path per reference symbol, one probability per market.

All of them step together on a grid of `STEP_NS` and remember a few seconds, so that a slow
participant sees the truth as it was, an informed one as it is. Nothing outside the practice venue
may look in here: strategies would be reading tomorrow's paper.
"""

from collections import deque
from collections.abc import Mapping, Sequence
from math import exp, log, sqrt
from typing import Protocol

from polytui.engine.core.rng import Rng
from polytui.engine.core.units import u6_from_float
from polytui.engine.sim.population import updown
from polytui.engine.sim.population.updown import LOOKBACK_S, WINDOW_S
from polytui.engine.sim.population.weather import HOT_AFTER_SIGMAS, SECOND_NS, Weather

STEP_NS = 100_000_000
STEP_S = STEP_NS / SECOND_NS
PAST_STEPS = 64
"""Six seconds of memory: no participant is slower than that."""

PRICE_SIGMA = 1.0e-4
"""Per square root of a second: about 56 % a year."""
PRICE_REVERSION_S = 20_000.0
"""So slow that five minutes do not notice, so strong that a week stays plausible."""
PRICE_JUMP_MEAN_S = 900.0
PRICE_JUMP = 8.0e-4
SECONDS_KEPT = 600
CENT_U6 = 10_000

LOGIT_SIGMA = 0.006
LOGIT_REVERSION_S = 1_800.0
LOGIT_JUMP_MEAN_S = 900.0
LOGIT_JUMP = 0.35
HOME_REVERSION_S = 7_200.0
"""News changes where a probability is drawn to, and that is forgotten within hours."""

CHANCE_LEAST = 0.002
_MINUTE_ROOT = sqrt(60.0) / 60.0
"""Turns "deviations per root minute, each minute" into a rate per second."""


class Truth:
    """One hidden number and its recent past, newest last."""

    __slots__ = ("past", "weather")

    def __init__(self, value: float, weather: Weather) -> None:
        """Pretend it has always been so."""
        self.past: deque[float] = deque([value] * PAST_STEPS, maxlen=PAST_STEPS)
        self.weather = weather

    @property
    def now(self) -> float:
        """Return the truth."""
        return self.past[-1]

    def seen(self, lag_ns: int) -> float:
        """Return what it was that long ago, as far as it is remembered."""
        return self.past[-1 - min(lag_ns // STEP_NS, PAST_STEPS - 1)]


class Source(Protocol):
    """What moves one truth or several."""

    def step(self, at_ns: int) -> None:
        """Move by one step of the grid."""


class PricePath:
    """A hidden price: the reference feeds and the up/down markets come from it."""

    __slots__ = ("_first_s", "_log", "_rng", "_start", "_sums_u6", "sigma", "truth")

    def __init__(self, start: float, rng: Rng, *, at_ns: int) -> None:
        """Start at a price with enough history for an average."""
        self._rng = rng.fork("path")
        self._start = start
        self._log = 0.0
        self.sigma = PRICE_SIGMA
        self.truth = Truth(start, Weather(rng.fork("weather"), at_ns=at_ns))
        self._first_s = at_ns // SECOND_NS - SECONDS_KEPT
        self._sums_u6 = [n * u6_from_float(start) for n in range(SECONDS_KEPT + 2)]
        """Running sums of the whole seconds' values from `_first_s` on, zero first."""

    @property
    def price(self) -> float:
        """Return the price now, in dollars."""
        return self.truth.now

    @property
    def believed_sigma(self) -> float:
        """Return the volatility a careful observer would use now."""
        return self.sigma * self.truth.weather.climate.sigma

    def step(self, at_ns: int) -> None:
        """Move by one step and remember each whole second passed."""
        weather = self.truth.weather
        weather.step(at_ns)
        climate, rng = weather.climate, self._rng
        deviation = self.sigma * climate.sigma * sqrt(STEP_S)
        move = deviation * rng.normal()
        move += weather.drift_sign * climate.drift * self.sigma * _MINUTE_ROOT * STEP_S
        if rng.chance(STEP_S * climate.jumps / PRICE_JUMP_MEAN_S):
            move += PRICE_JUMP * rng.normal()
        if abs(move) > HOT_AFTER_SIGMAS * deviation:
            weather.heat(at_ns)
        self._log += move - self._log * STEP_S / PRICE_REVERSION_S
        price = self._start * exp(self._log)
        self.truth.past.append(price)
        self._remember(at_ns // SECOND_NS, u6_from_float(price))

    def average_u6(self, first_s: int, end_s: int) -> int:
        """Average the remembered seconds in [first, end), rounded down; now's when none are."""
        last = len(self._sums_u6) - 1
        low = min(max(first_s - self._first_s, 0), last)
        high = min(max(end_s - self._first_s, 0), last)
        if high <= low:
            return u6_from_float(self.price)
        return (self._sums_u6[high] - self._sums_u6[low]) // (high - low)

    def value_u6(self, second: int) -> int | None:
        """Return the value of one whole second, None when it is not remembered."""
        at = second - self._first_s
        if not 0 <= at < len(self._sums_u6) - 1:
            return None
        return self._sums_u6[at + 1] - self._sums_u6[at]

    def _remember(self, second: int, value_u6: int) -> None:
        sums = self._sums_u6
        while self._first_s + len(sums) - 2 < second:
            sums.append(sums[-1] + value_u6)
        if len(sums) > 2 * SECONDS_KEPT:
            del sums[:-SECONDS_KEPT]
            self._first_s = second - SECONDS_KEPT + 2


class _Walk:
    """A random walk in log-odds, drawn to a home that news may move."""

    __slots__ = ("_birth", "_rng", "_weather", "home", "x")

    def __init__(self, x: float, rng: Rng, weather: Weather) -> None:
        self._birth = self.home = self.x = x
        self._rng = rng
        self._weather = weather

    def step(self, at_ns: int) -> float:
        climate, rng = self._weather.climate, self._rng
        deviation = LOGIT_SIGMA * climate.sigma * sqrt(STEP_S)
        move = deviation * rng.normal()
        move += self._weather.drift_sign * climate.drift * LOGIT_SIGMA * _MINUTE_ROOT * STEP_S
        if rng.chance(STEP_S * climate.jumps / LOGIT_JUMP_MEAN_S):
            jump = LOGIT_JUMP * rng.normal()
            self.home += jump
            move += jump
        if abs(move) > HOT_AFTER_SIGMAS * deviation:
            self._weather.heat(at_ns)
        self.home += (self._birth - self.home) * STEP_S / HOME_REVERSION_S
        self.x += move + (self.home - self.x) * STEP_S / LOGIT_REVERSION_S
        return self.x

    def jump_to(self, x: float) -> None:
        self.home = self.x = x


class Drifting:
    """The probability of one question that stands by itself."""

    __slots__ = ("_walk", "truth")

    def __init__(self, chance: float, rng: Rng, *, at_ns: int) -> None:
        """Start at the chance given."""
        weather = Weather(rng.fork("weather"), at_ns=at_ns)
        self._walk = _Walk(logit(chance), rng.fork("walk"), weather)
        self.truth = Truth(clamped(chance), weather)

    def step(self, at_ns: int) -> None:
        """Move by one step of the grid."""
        self.truth.weather.step(at_ns)
        self.truth.past.append(clamped(1 / (1 + exp(-self._walk.step(at_ns)))))

    def tell(self, chance: float, *, at_ns: int) -> None:
        """Let news move it at once."""
        self._walk.jump_to(logit(chance))
        self.truth.weather.heat(at_ns)


class Exclusive:
    """Probabilities of outcomes of which exactly one comes true: they always sum to one."""

    __slots__ = ("_walks", "_weather", "truths")

    def __init__(self, chances: Sequence[float], rng: Rng, *, at_ns: int) -> None:
        """Start at the chances given."""
        self._weather = Weather(rng.fork("weather"), at_ns=at_ns)
        self._walks = [
            _Walk(log(chance), rng.fork(f"walk:{ix}"), self._weather)
            for ix, chance in enumerate(chances)
        ]
        self.truths = [Truth(clamped(chance), self._weather) for chance in chances]

    def step(self, at_ns: int) -> None:
        """Move by one step of the grid."""
        self._weather.step(at_ns)
        weights = [exp(walk.step(at_ns)) for walk in self._walks]
        total = sum(weights)
        for truth, weight in zip(self.truths, weights, strict=True):
            truth.past.append(clamped(weight / total))


class UpDown:
    """The chance that a window's last average is not below its first."""

    __slots__ = ("_path", "start_s", "truth")

    def __init__(self, path: PricePath, start_s: int, *, at_ns: int) -> None:
        """Watch the window that begins at this second."""
        self._path = path
        self.start_s = start_s
        self.truth = Truth(0.5, path.truth.weather)
        value = clamped(self._chance(at_ns))
        self.truth.past.extend([value] * PAST_STEPS)

    @property
    def end_s(self) -> int:
        """Return the second at which the window ends."""
        return self.start_s + WINDOW_S

    def step(self, at_ns: int) -> None:
        """Price the two averages with what is known now."""
        self.truth.past.append(clamped(self._chance(at_ns)))

    def strike_u6(self) -> int:
        """Return the first average; meaningful once the window has begun."""
        return self._path.average_u6(self.start_s - LOOKBACK_S, self.start_s)

    def final_u6(self) -> int:
        """Return the last average; meaningful once the window has ended."""
        return self._path.average_u6(self.end_s - LOOKBACK_S, self.end_s)

    def is_up(self) -> bool:
        """Decide the outcome; a tie is Up."""
        return self.final_u6() >= self.strike_u6()

    def _chance(self, at_ns: int) -> float:
        now_s, path = at_ns / SECOND_NS, self._path
        if now_s < self.start_s:
            return updown.chance_before(
                price=path.price,
                so_far=self.strike_u6() / 1e6,
                to_start_s=self.start_s - now_s,
                sigma=path.believed_sigma,
            )
        return updown.chance_within(
            price=path.price,
            strike=self.strike_u6() / 1e6,
            so_far=self.final_u6() / 1e6,
            left_s=self.end_s - now_s,
            sigma=path.believed_sigma,
        )


class Above:
    """The chance that the price ends a long period at or above a strike."""

    __slots__ = ("_end_s", "_path", "_strike", "truth")

    def __init__(self, path: PricePath, strike: float, *, end_s: int, at_ns: int) -> None:
        """Watch one strike."""
        self._path = path
        self._strike = strike
        self._end_s = end_s
        self.truth = Truth(0.5, path.truth.weather)
        self.truth.past.extend([clamped(self._chance(at_ns))] * PAST_STEPS)

    def step(self, at_ns: int) -> None:
        """Price the strike with the price now."""
        self.truth.past.append(clamped(self._chance(at_ns)))

    def _chance(self, at_ns: int) -> float:
        left_s = max(self._end_s - at_ns / SECOND_NS, 1.0)
        return updown.chance_above(
            price=self._path.price, strike=self._strike, left_s=left_s, sigma=self._path.sigma
        )


class World:
    """All hidden truths, stepped together."""

    __slots__ = ("_sources", "prices", "truths")

    def __init__(self, prices: Mapping[str, PricePath]) -> None:
        """Begin with the reference prices, by symbol."""
        self.prices = dict(prices)
        self.truths: dict[str, Truth] = {}
        """By condition id."""
        self._sources: dict[str, Source] = {}

    def add(self, name: str, source: Source) -> None:
        """Let a source move its truths from now on."""
        self._sources[name] = source

    def drop(self, condition: str) -> None:
        """Forget a market, and the source that was named after it."""
        self.truths.pop(condition, None)
        self._sources.pop(condition, None)

    def step(self, at_ns: int) -> None:
        """Move everything by one step of the grid: prices first, for the rest follows them."""
        for path in self.prices.values():
            path.step(at_ns)
        for source in self._sources.values():
            source.step(at_ns)


def logit(chance: float) -> float:
    """Return the log-odds of a probability strictly between 0 and 1."""
    return log(chance / (1 - chance))


def clamped(probability: float) -> float:
    """Keep a probability away from certainty."""
    return min(1 - CHANCE_LEAST, max(CHANCE_LEAST, probability))
