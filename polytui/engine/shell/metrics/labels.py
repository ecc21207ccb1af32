"""What may become a label, how many of it, and counters that never fall.

A label value is a word of ours or a condition id; whatever else arrives is `invalid`, so that
neither a terminal escape nor a title reaches a scrape (fault D4). Each label has a number of values
it may take; the rest is `other`.
"""

import re
from collections.abc import Hashable, Iterable, Mapping
from typing import Final

OTHER: Final = "other"
INVALID: Final = "invalid"
WORDS_MAX: Final = 48
"""Values of one label of our own words: strategies, modules, notes, limits."""
MARKETS_SHOWN: Final = 20
"""Markets with series of their own."""
FRESH_NS: Final = 900 * 10**9
"""A market keeps its series while it was heard of within this time."""
COUNTS_MAX: Final = 50_000
"""Counters remembered; the one moved longest ago is forgotten first."""

_WORD: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.+/$-]{0,63}", re.ASCII)
_CONDITION: Final = re.compile(r"0x[0-9a-f]{64}", re.ASCII)


class Words:
    """The values that labels have taken, bounded per label."""

    __slots__ = ("_seen", "refused")

    def __init__(self) -> None:
        """Start with none."""
        self._seen: dict[str, set[str]] = {}
        self.refused = 0
        """Values that were not let through as they are."""

    def word(self, label: str, text: str) -> str:
        """Return a word of ours as it is, and anything that is none, or too many, as a stand-in."""
        seen = self._seen.setdefault(label, set())
        if text in seen:
            return text
        if not _WORD.fullmatch(text):
            self.refused += 1
            return INVALID
        if len(seen) >= WORDS_MAX:
            self.refused += 1
            return OTHER
        seen.add(text)
        return text


def is_condition(text: str) -> bool:
    """Tell a condition id from anything else."""
    return _CONDITION.fullmatch(text) is not None


class Slots:
    """Which markets have series of their own: those at risk, then those that had one, then newest.

    Holding on keeps the series from changing hands at each scrape, which would make a new series
    for each change.
    """

    __slots__ = ("_held", "lost")

    def __init__(self) -> None:
        """Start empty."""
        self._held: frozenset[str] = frozenset()
        self.lost: frozenset[str] = frozenset()
        """Those that the last call took their series from."""

    def assign(
        self, heard: Iterable[tuple[str, int]], *, at_risk: set[str], now_ns: int
    ) -> frozenset[str]:
        """Choose at most `MARKETS_SHOWN` of the markets, given with when they were last heard."""
        last = {market: at_ns for market, at_ns in heard if is_condition(market)}
        held = self._held

        def rank(market: str) -> tuple[bool, bool, int]:
            is_kept = market in held and now_ns - last[market] <= FRESH_NS
            return market in at_risk, is_kept, last[market]

        self._held = frozenset(sorted(last, key=rank, reverse=True)[:MARKETS_SHOWN])
        self.lost = held - self._held
        return self._held


class Counts:
    """Counters that only rise, whatever the list they are read from leaves out.

    Each source (a row of the View) is remembered with its last value; what it grew by since goes to
    the counter it belongs to at this moment. A row that falls out of a bounded list loses nothing,
    and one that comes back counts only what is new. A value that fell began again from zero.
    """

    __slots__ = ("_last", "_sums")

    def __init__(self) -> None:
        """Start empty."""
        self._last: dict[Hashable, int] = {}
        self._sums: dict[str, dict[tuple[str, ...], int]] = {}
        """By family and label values."""

    def rise(self, source: Hashable, value: int, name: str, labels: tuple[str, ...] = ()) -> int:
        """Take a source's value into the counter of a family; return the counter."""
        before = self._last.pop(source, 0)
        if len(self._last) >= COUNTS_MAX:
            del self._last[next(iter(self._last))]
        self._last[source] = value
        grown = value - before if value >= before else value
        sums = self._sums.setdefault(name, {})
        sums[labels] = total = sums.get(labels, 0) + grown
        return total

    def of(self, name: str) -> Mapping[tuple[str, ...], int]:
        """Return the counters of a family by label values: all there were, less the dropped."""
        return self._sums.get(name, {})

    def drop(self, label: str) -> None:
        """Forget the counters of a label value that is no longer shown; they may begin again."""
        for sums in self._sums.values():
            for labels in [labels for labels in sums if label in labels]:
                del sums[labels]


def percentile(values: list[int], share: float) -> int:
    """Return the value at a share of the sorted values, by nearest rank; 0 of none."""
    if not values:
        return 0
    return values[min(len(values) - 1, max(0, -(-int(share * 1_000) * len(values) // 1_000) - 1))]


def oldest_age_s(since: Iterable[int], now_ns: int) -> float:
    """Return the age of the oldest instant; 0 of none."""
    first_ns = min((at_ns for at_ns in since if at_ns), default=now_ns)
    return max(0, now_ns - first_ns) / 1e9
