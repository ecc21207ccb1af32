"""How late the event loop is: an absolute schedule of ten milliseconds, and what becomes of it."""

from typing import Final

from polytui.engine.shell.clock import read_mono_ns, sleep_until
from polytui.engine.shell.latency import Latencies

STEP_NS: Final = 10_000_000
"""The loop is asked this often whether it is late."""


class LoopLag:
    """The lag of the loop that `run` runs in."""

    def __init__(self) -> None:
        """Measure from now on."""
        self.latencies = Latencies()
        self._due_ns = read_mono_ns()

    def now_ns(self) -> int:
        """Say how late the loop is at this instant."""
        return max(0, read_mono_ns() - self._due_ns)

    async def run(self) -> None:
        """Keep the schedule; every missed deadline counts, so that no stall hides."""
        due_ns = read_mono_ns()
        while True:
            await sleep_until(due_ns)
            now_ns = read_mono_ns()
            self._due_ns = now_ns + STEP_NS
            while due_ns <= now_ns:
                self.latencies.record(now_ns - due_ns, mono_ns=now_ns)
                due_ns += STEP_NS
