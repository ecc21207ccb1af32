"""Timers of the core: named, replaceable, run in time order, told the time by events."""

from heapq import heappop, heappush

TIMERS_MAX = 100_000
"""More pending timers than this is our bug, not load."""


class Timers:
    """A heap of (due, name); setting a name again moves it, cancelling forgets it."""

    __slots__ = ("_due", "_heap")

    def __init__(self) -> None:
        """Start empty."""
        self._heap: list[tuple[int, str]] = []
        self._due: dict[str, int] = {}

    def __len__(self) -> int:
        """Count pending timers."""
        return len(self._due)

    def set(self, name: str, due_ns: int) -> None:
        """Arm or move a timer."""
        assert len(self._heap) < TIMERS_MAX, f"more than {TIMERS_MAX} timers"
        if self._due.get(name) != due_ns:
            self._due[name] = due_ns
            heappush(self._heap, (due_ns, name))

    def cancel(self, name: str) -> None:
        """Forget a timer; unknown names are fine."""
        self._due.pop(name, None)

    def next_due_ns(self) -> int | None:
        """Return when the earliest timer is due, or None."""
        heap, due = self._heap, self._due
        while heap and due.get(heap[0][1]) != heap[0][0]:
            heappop(heap)
        return heap[0][0] if heap else None

    def pop_due(self, now_ns: int) -> list[str]:
        """Remove and return the names due at or before now, earliest first, ties by name."""
        names: list[str] = []
        while (due_ns := self.next_due_ns()) is not None and due_ns <= now_ns:
            _, name = heappop(self._heap)
            del self._due[name]
            names.append(name)
        return names
