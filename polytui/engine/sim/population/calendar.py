"""What happens next: a heap of things to do, told the time, ties in the order of asking."""

from collections.abc import Callable
from heapq import heappop, heappush

PENDING_MAX = 100_000
"""More appointments than this is our bug, not load."""

Task = Callable[[int], None]
"""Told when it runs."""


class Calendar:
    """Runs tasks in the order of their times; a task that is due again asks again."""

    __slots__ = ("_asked", "_heap", "now_ns")

    def __init__(self, now_ns: int) -> None:
        """Start with nothing to do."""
        self._heap: list[tuple[int, int, Task]] = []
        self._asked = 0
        self.now_ns = now_ns

    def at(self, due_ns: int, task: Task) -> None:
        """Run a task at a time, at once if that is past; never before what was asked earlier."""
        assert len(self._heap) < PENDING_MAX, f"more than {PENDING_MAX} appointments"
        self._asked += 1
        heappush(self._heap, (max(due_ns, self.now_ns), self._asked, task))

    def next_due_ns(self) -> int | None:
        """Return when the next task runs, None when there is none."""
        return self._heap[0][0] if self._heap else None

    def run_next(self) -> None:
        """Let time pass to the next task and run it."""
        self.now_ns, _, task = heappop(self._heap)
        task(self.now_ns)

    def run_until(self, until_ns: int) -> None:
        """Run everything due by then; the time is theirs while they run, then `until_ns`."""
        while self._heap and self._heap[0][0] <= until_ns:
            self.run_next()
        self.now_ns = max(self.now_ns, until_ns)
