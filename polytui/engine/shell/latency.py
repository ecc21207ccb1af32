"""Percentiles of durations over the last ten seconds, in buckets that never grow.

Recording touches two integers and allocates nothing, so it may stand on the hot path. A value is
known to one part in sixteen, always rounded up; the maximum is exact.
"""

import os
from pathlib import Path

from polytui.engine.core.view import Percentiles
from polytui.engine.shell.clock import SECOND_NS

WINDOW_S = 10
_STEPS = 16
"""Buckets per doubling."""
_LAST_US = (1 << 27) - 1
"""Two minutes; everything longer counts as this, except in the maximum."""
_BUCKETS = 24 * _STEPS


class Latencies:
    """One measured duration."""

    __slots__ = ("_max_ns", "_second", "_slots", "_total")

    def __init__(self) -> None:
        """Start empty."""
        self._slots = [[0] * _BUCKETS for _ in range(WINDOW_S)]
        """One histogram per second of the window."""
        self._max_ns = [0] * WINDOW_S
        self._total = [0] * _BUCKETS
        """The sum of the slots, kept so that reading is cheap."""
        self._second = 0

    def record(self, value_ns: int, *, mono_ns: int) -> None:
        """Count one value, measured now."""
        second = mono_ns // SECOND_NS
        if second != self._second:
            self._turn(second)
        slot = second % WINDOW_S
        bucket = _bucket(value_ns // 1_000)
        self._slots[slot][bucket] += 1
        self._total[bucket] += 1
        if value_ns > self._max_ns[slot]:
            self._max_ns[slot] = value_ns

    def read(self, *, mono_ns: int) -> Percentiles:
        """Summarise the window that ends now."""
        second = mono_ns // SECOND_NS
        if second != self._second:
            self._turn(second)
        count = sum(self._total)
        return Percentiles(
            count=count,
            p50_us=self._quantile_us(-(-count // 2)),
            p99_us=self._quantile_us(-(-count * 99 // 100)),
            p999_us=self._quantile_us(-(-count * 999 // 1_000)),
            max_us=-(-max(self._max_ns) // 1_000),
        )

    def _turn(self, second: int) -> None:
        """Empty the slots of the seconds that have left the window."""
        for gone in range(max(self._second + 1, second - WINDOW_S + 1), second + 1):
            slot = gone % WINDOW_S
            counts = self._slots[slot]
            for bucket, count in enumerate(counts):
                if count:
                    self._total[bucket] -= count
                    counts[bucket] = 0
            self._max_ns[slot] = 0
        self._second = second

    def _quantile_us(self, rank: int) -> int:
        """Return the upper edge of the bucket that holds the value of this rank, 0 for none."""
        seen = 0
        for bucket, count in enumerate(self._total):
            seen += count
            if count and seen >= rank:
                return _upper_us(bucket)
        return 0


def _bucket(value_us: int) -> int:
    value_us = min(max(value_us, 0), _LAST_US)
    if value_us < _STEPS:
        return value_us
    shift = value_us.bit_length() - 5
    return _STEPS * shift + (value_us >> shift)


def _upper_us(bucket: int) -> int:
    if bucket < 2 * _STEPS:
        return bucket
    shift, step = divmod(bucket - _STEPS, _STEPS)
    return ((step + _STEPS + 1) << shift) - 1


def rss_bytes() -> int:
    """Read our resident memory; 0 where the system does not say."""
    try:
        fields = Path("/proc/self/statm").read_bytes().split()
    except OSError:
        return 0
    return int(fields[1]) * os.sysconf("SC_PAGESIZE")
