"""What kind of market it is right now: regimes that flip, and hot moments in which books thin.

Every hidden process owns one `Weather`. It is stepped on a fixed grid, so however time is cut the
same seed flips at the same moments; a scenario may hold it in one regime.
"""

from enum import Enum

from msgspec import Struct

from polytui.engine.core.rng import Rng

SECOND_NS = 1_000_000_000

HOT_MEAN_S = 600.0
"""Six hot moments an hour (`quant.md` §13.4)."""
HOT_LENGTH_S = 20.0
HOT_DEPTH = (0.2, 0.7)
"""Share of the usual depth that stays in a hot moment."""
HOT_AFTER_SIGMAS = 4.0
"""A move of one step beyond this many deviations starts a hot moment by itself."""
HOT_PACE = 3.0
"""Takers come this many times as often in a hot moment."""


class Regime(Enum):
    """The four kinds of market."""

    CALM = "calm"
    TRENDING = "trending"
    HIGH_VOL = "high_vol"
    THIN = "thin"


class Climate(Struct, frozen=True, kw_only=True):
    """What a regime does to the process and to those who quote it; factors on the usual."""

    sigma: float
    drift: float
    """Signed by chance on entry; in base deviations per square root of a minute, each minute."""
    jumps: float
    depth: float
    width: float
    pace: float
    """How often takers come."""
    dwell_s: float
    """Mean time before it flips."""


CLIMATES: dict[Regime, Climate] = {
    Regime.CALM: Climate(
        sigma=0.5, drift=0.0, jumps=0.3, depth=1.0, width=1.0, pace=0.7, dwell_s=180.0
    ),
    Regime.TRENDING: Climate(
        sigma=1.0, drift=1.5, jumps=1.0, depth=0.8, width=1.2, pace=1.3, dwell_s=120.0
    ),
    Regime.HIGH_VOL: Climate(
        sigma=2.5, drift=0.0, jumps=4.0, depth=0.6, width=2.0, pace=2.0, dwell_s=90.0
    ),
    Regime.THIN: Climate(
        sigma=1.0, drift=0.0, jumps=1.0, depth=0.2, width=2.5, pace=0.6, dwell_s=120.0
    ),
}

_NEXT: dict[Regime, tuple[Regime, ...]] = {
    Regime.CALM: (Regime.TRENDING, Regime.THIN, Regime.HIGH_VOL),
    Regime.TRENDING: (Regime.CALM, Regime.CALM, Regime.HIGH_VOL),
    Regime.HIGH_VOL: (Regime.CALM, Regime.TRENDING, Regime.THIN),
    Regime.THIN: (Regime.CALM, Regime.CALM, Regime.HIGH_VOL),
}
"""Where a flip leads, each entry equally likely."""


class Weather:
    """One process's regime and its hot moments."""

    __slots__ = (
        "_flip_ns",
        "_forced",
        "_hot_depth",
        "_hot_next_ns",
        "_rng",
        "drift_sign",
        "flips",
        "hot_moments",
        "hot_until_ns",
        "regime",
    )

    def __init__(self, rng: Rng, *, at_ns: int) -> None:
        """Start calm."""
        self._rng = rng
        self.regime = Regime.CALM
        self.drift_sign = 0.0
        self.flips = 0
        self.hot_moments = 0
        self.hot_until_ns = 0
        self._hot_depth = 1.0
        self._forced = False
        self._flip_ns = at_ns + self._pause_ns(CLIMATES[self.regime].dwell_s)
        self._hot_next_ns = at_ns + self._pause_ns(HOT_MEAN_S)

    @property
    def climate(self) -> Climate:
        """Return the factors of the regime that holds."""
        return CLIMATES[self.regime]

    def step(self, at_ns: int) -> None:
        """Flip and heat up when their times have come."""
        if at_ns >= self._flip_ns:
            self._flip_ns = at_ns + self._pause_ns(self._flip())
        if at_ns >= self._hot_next_ns:
            self._hot_next_ns = at_ns + self._pause_ns(HOT_MEAN_S)
            self.heat(at_ns)

    def force(self, regime: Regime | None, *, at_ns: int) -> None:
        """Hold one regime until told otherwise; None lets it flip again."""
        self._forced = regime is not None
        if regime is not None:
            self._enter(regime)
        self._flip_ns = at_ns + self._pause_ns(self.climate.dwell_s)

    def heat(self, at_ns: int) -> None:
        """Begin a hot moment: books thin and takers hurry for a while."""
        low, high = HOT_DEPTH
        self._hot_depth = low + (high - low) * self._rng.unit()
        self.hot_until_ns = at_ns + self._pause_ns(HOT_LENGTH_S)
        self.hot_moments += 1

    def is_hot(self, at_ns: int) -> bool:
        """Tell whether a hot moment is on."""
        return at_ns < self.hot_until_ns

    def depth(self, at_ns: int) -> float:
        """Return the factor on displayed sizes."""
        return self.climate.depth * (self._hot_depth if self.is_hot(at_ns) else 1.0)

    def pace(self, at_ns: int) -> float:
        """Return the factor on how often takers come."""
        return self.climate.pace * (HOT_PACE if self.is_hot(at_ns) else 1.0)

    def _flip(self) -> float:
        """Enter another regime unless held; return the mean time to the next flip."""
        if not self._forced:
            choices = _NEXT[self.regime]
            self._enter(choices[self._rng.below(len(choices))])
        return self.climate.dwell_s

    def _enter(self, regime: Regime) -> None:
        if regime is not self.regime:
            self.flips += 1
        self.regime = regime
        self.drift_sign = 1.0 if self._rng.chance(0.5) else -1.0

    def _pause_ns(self, mean_s: float) -> int:
        return int(self._rng.exponential(mean_s) * SECOND_NS)
