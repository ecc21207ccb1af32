"""The venue's clock, to much better than the whole seconds it tells.

An answer of `s` between asking and reading says that the venue's time was in [s, s + 1) somewhere
in that span, which bounds the offset from both sides. Bounds of several answers at different
fractions of our second intersect to a narrow span; old ones widen with the drift a cheap clock
may have. Answers that contradict each other mean that a clock was set: the latest one is believed.
"""

from typing import Final

from polytui.engine.shell.clock import SECOND_NS

DRIFT_PPM: Final = 100
"""How fast two clocks may part: a bad quartz, doubled."""
NARROW_NS: Final = SECOND_NS // 4
"""Uncertainty that is good enough."""


class ClockSync:
    """Bounds of venue time minus ours."""

    __slots__ = ("_at_ns", "_high_ns", "_low_ns")

    def __init__(self) -> None:
        """Know nothing."""
        self._low_ns = 0
        self._high_ns = 0
        self._at_ns = 0

    @property
    def is_known(self) -> bool:
        """Tell whether any answer was read yet."""
        return self._at_ns > 0

    @property
    def offset_ns(self) -> int:
        """Return venue time minus ours, the middle of what is possible; 0 while unknown."""
        return (self._low_ns + self._high_ns) // 2

    @property
    def uncertainty_ns(self) -> int:
        """Return how far the truth may be from `offset_ns` either way."""
        return (self._high_ns - self._low_ns) // 2

    @property
    def is_narrow(self) -> bool:
        """Tell whether another answer would hardly help."""
        return self.is_known and self.uncertainty_ns <= NARROW_NS

    def heard(self, venue_s: int, *, asked_ns: int, read_ns: int) -> None:
        """Take an answer of whole seconds, with our times before asking and after reading."""
        low_ns = venue_s * SECOND_NS - read_ns
        high_ns = (venue_s + 1) * SECOND_NS - asked_ns
        if self.is_known:
            drift_ns = max(0, read_ns - self._at_ns) * DRIFT_PPM // 1_000_000
            old_low, old_high = self._low_ns - drift_ns, self._high_ns + drift_ns
            if max(old_low, low_ns) < min(old_high, high_ns):
                low_ns, high_ns = max(old_low, low_ns), min(old_high, high_ns)
        self._low_ns, self._high_ns, self._at_ns = low_ns, high_ns, read_ns
