"""The one module that reads clocks and sleeps."""

from time import monotonic_ns, time_ns
from time import sleep as block

from msgspec import Struct

SECOND_NS = 1_000_000_000


class Anchor(Struct, frozen=True, kw_only=True):
    """Ties monotonic time to wall time once, at the start of a run.

    `at_ns` of every event is `wall_ns + (mono - mono_ns)`: it looks like wall time, never goes
    back, and differences of it are monotonic durations, whatever NTP does meanwhile.
    """

    wall_ns: int
    mono_ns: int

    def at_ns(self, mono_ns: int) -> int:
        """Turn a monotonic reading into engine time."""
        return self.wall_ns + mono_ns - self.mono_ns

    def mono_at(self, at_ns: int) -> int:
        """Turn engine time back into a monotonic reading."""
        return self.mono_ns + at_ns - self.wall_ns


def read_wall_ns() -> int:
    """Read the wall clock: labels and lag statistics only."""
    return time_ns()


def read_mono_ns() -> int:
    """Read the monotonic clock."""
    return monotonic_ns()


def read_anchor() -> Anchor:
    """Read both clocks at the start of a run."""
    return Anchor(wall_ns=time_ns(), mono_ns=monotonic_ns())


async def sleep_until(mono_ns: int) -> None:
    """Sleep until a monotonic reading, at least giving every other task a turn.

    Event loops count in milliseconds, so this wakes up to one late; what must not be late is not
    built on sleeping.
    """
    from asyncio import sleep  # here, because quick commands read clocks and have no event loop

    await sleep(max(0, mono_ns - monotonic_ns()) / SECOND_NS)


def nap(duration_ns: int) -> None:
    """Block this process for a moment: for commands that have no event loop."""
    block(duration_ns / SECOND_NS)
