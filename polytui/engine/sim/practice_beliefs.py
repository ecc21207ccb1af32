"""What the practice crowd believes: one hidden price path and a fair probability per market.

Everything is a function of a seed and of the times it is asked at; nobody outside the practice
venue may look in here.
"""

from collections import deque
from math import erf, exp, log, sqrt
from typing import Protocol

from polytui.engine.core.rng import Rng
from polytui.engine.core.units import u6_from_float
from polytui.engine.sim.practice_catalog import SECOND_NS, WINDOW_S

PRICE_START = 91_240.0
SIGMA = 1.0e-4
"""Volatility of the hidden price per square root of a second: about 56 % a year."""
REVERSION_S = 20_000.0
"""So slow that five minutes do not notice, so strong that a week stays plausible."""

TWAP_S = 60
"""Both ends of an up/down market are averages over this many seconds (`quant.md` §6.1)."""
SECONDS_KEPT = 600

LOGIT_SIGMA = 0.004
LOGIT_REVERSION_S = 120.0
CHANCE_LEAST = 0.002


class Belief(Protocol):
    """A fair probability that moves with time."""

    def probability(self, now_ns: int) -> float:
        """Return the probability of the first outcome; times asked about never go back."""


class PricePath:
    """The hidden Bitcoin price: every reference frame and the up/down markets come from it."""

    __slots__ = ("_at_ns", "_log", "_rng", "seconds")

    def __init__(self, rng: Rng, *, at_ns: int) -> None:
        """Start at the same price in every run, with a minute of history behind it."""
        self._rng = rng
        self._at_ns = at_ns
        self._log = 0.0
        self.seconds: deque[tuple[int, float]] = deque(maxlen=SECONDS_KEPT)
        """(whole second, price) in order, without gaps."""
        for second in range(at_ns // SECOND_NS - TWAP_S, at_ns // SECOND_NS + 1):
            self.seconds.append((second, self.price))

    @property
    def price(self) -> float:
        """Return the price now, in dollars."""
        return PRICE_START * exp(self._log)

    @property
    def price_u6(self) -> int:
        """Return the price now, to the cent."""
        return round(self.price * 100) * 10_000

    def advance(self, now_ns: int) -> None:
        """Move to a time not before the last one, and remember each whole second passed."""
        dt_s = (now_ns - self._at_ns) / SECOND_NS
        assert dt_s >= 0, f"expected time not to go back, was {dt_s} s"
        self._log += SIGMA * sqrt(dt_s) * self._rng.normal() - self._log * dt_s / REVERSION_S
        self._at_ns = now_ns
        for second in range(self.seconds[-1][0] + 1, now_ns // SECOND_NS + 1):
            self.seconds.append((second, self.price))

    def average(self, first_s: int, end_s: int) -> float:
        """Average the remembered seconds in [first, end); the price now when there are none."""
        prices = [price for second, price in self.seconds if first_s <= second < end_s]
        return sum(prices) / len(prices) if prices else self.price

    def value_u6(self, second: int) -> int | None:
        """Return the settlement reference's value of one second, None when not remembered."""
        for known, price in reversed(self.seconds):
            if known == second:
                return u6_from_float(price)
        return None


class Drifting:
    """One market's probability: a random walk in log-odds, drawn back to its home."""

    __slots__ = ("_at_ns", "_rng", "_x", "home")

    def __init__(self, chance: float, rng: Rng, *, at_ns: int) -> None:
        """Start at home."""
        self.home = _logit(chance)
        """Log-odds it is drawn to; a script may move it."""
        self._x = self.home
        self._rng = rng
        self._at_ns = at_ns

    def probability(self, now_ns: int) -> float:
        """Move to the time and return the probability."""
        self._x = _drift(self._x, self.home, self._rng, (now_ns - self._at_ns) / SECOND_NS)
        self._at_ns = now_ns
        return _clamped(1 / (1 + exp(-self._x)))

    def move_home(self, chance: float) -> None:
        """Jump to a new home, as news would have it."""
        self.home = self._x = _logit(chance)


class Exclusive:
    """Probabilities of outcomes of which exactly one comes true: they always sum to one."""

    __slots__ = ("_at_ns", "_home", "_rng", "_x")

    def __init__(self, chances: list[float], rng: Rng, *, at_ns: int) -> None:
        """Start at home."""
        self._home = [log(chance) for chance in chances]
        self._x = list(self._home)
        self._rng = rng
        self._at_ns = at_ns

    def probability(self, ix: int, now_ns: int) -> float:
        """Move all to the time and return one of them."""
        dt_s = (now_ns - self._at_ns) / SECOND_NS
        self._at_ns = now_ns
        pairs = zip(self._x, self._home, strict=True)
        self._x = [_drift(x, home, self._rng, dt_s) for x, home in pairs]
        weights = [exp(x) for x in self._x]
        return _clamped(weights[ix] / sum(weights))


class Member:
    """One outcome of an exclusive group."""

    __slots__ = ("_group", "_ix")

    def __init__(self, group: Exclusive, ix: int) -> None:
        """Speak for the outcome at this place."""
        self._group = group
        self._ix = ix

    def probability(self, now_ns: int) -> float:
        """Return this outcome's probability."""
        return self._group.probability(self._ix, now_ns)


class UpDown:
    """Probability that the average price at the end is not below that at the start."""

    __slots__ = ("_path", "_strike", "start_s")

    def __init__(self, path: PricePath, start_s: int) -> None:
        """Watch the window that begins at this second."""
        self._path = path
        self._strike: float | None = None
        """The average at the start, once it is known."""
        self.start_s = start_s

    def probability(self, now_ns: int) -> float:
        """Price the averages as `quant.md` §6.1 does; one half before the window begins."""
        now_s = now_ns / SECOND_NS
        left_s = self.start_s + WINDOW_S - now_s
        if now_s < self.start_s or left_s <= 0:
            return 0.5 if left_s > 0 else float(self.is_up())
        price = self._path.price
        if left_s > TWAP_S:
            mean, variance_s = price, left_s - TWAP_S + TWAP_S / 3
        else:
            end_s = self.start_s + WINDOW_S
            so_far = self._path.average(end_s - TWAP_S, end_s)
            mean = ((TWAP_S - left_s) * so_far + left_s * price) / TWAP_S
            variance_s = left_s**3 / (3 * TWAP_S**2)
        deviation = price * SIGMA * sqrt(max(variance_s, 1e-3))
        return _clamped(0.5 + 0.5 * erf((mean - self._at_start()) / (deviation * sqrt(2))))

    def is_up(self) -> bool:
        """Decide the outcome; a tie is Up."""
        end_s = self.start_s + WINDOW_S
        return self._path.average(end_s - TWAP_S, end_s) >= self._at_start()

    def _at_start(self) -> float:
        if self._strike is None:
            self._strike = self._path.average(self.start_s - TWAP_S, self.start_s)
        return self._strike


def _drift(x: float, home: float, rng: Rng, dt_s: float) -> float:
    assert dt_s >= 0, f"expected time not to go back, was {dt_s} s"
    pull = (home - x) * (1 - exp(-dt_s / LOGIT_REVERSION_S))
    return x + pull + LOGIT_SIGMA * sqrt(dt_s) * rng.normal()


def _logit(chance: float) -> float:
    return log(chance / (1 - chance))


def _clamped(probability: float) -> float:
    return min(1 - CHANCE_LEAST, max(CHANCE_LEAST, probability))
