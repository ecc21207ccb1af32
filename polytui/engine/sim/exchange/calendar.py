"""Due things on the virtual clock: done at their own instant, in order of time, then of booking."""

from collections.abc import Callable
from heapq import heappop, heappush

DUE_MAX = 4_000_000
"""More waiting things than this mean that somebody books without end."""


class Calendar:
    """A heap of (due time, number, deed)."""

    __slots__ = ("_booked", "_heap")

    def __init__(self) -> None:
        """Start empty."""
        self._heap: list[tuple[int, int, Callable[[], None]]] = []
        self._booked = 0

    def book(self, due_ns: int, deed: Callable[[], None]) -> None:
        """Remember a deed; one that is no longer wanted checks for itself and does nothing."""
        assert len(self._heap) < DUE_MAX, f"expected fewer than {DUE_MAX} due things"
        self._booked += 1
        heappush(self._heap, (due_ns, self._booked, deed))

    def next_ns(self) -> int | None:
        """Return when the next deed is due."""
        return self._heap[0][0] if self._heap else None

    def pop_due(self, until_ns: int) -> tuple[int, Callable[[], None]] | None:
        """Take the next deed that is due by `until_ns`."""
        if not self._heap or self._heap[0][0] > until_ns:
            return None
        due_ns, _, deed = heappop(self._heap)
        return due_ns, deed
