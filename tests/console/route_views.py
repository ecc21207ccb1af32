"""Findings about the other routes to an engine, and a looker that finds what the test says."""

from collections.abc import Callable

from msgspec.structs import replace

from polytui.routes import (
    LOG,
    METRICS,
    OTHER_SOCKET,
    PROCESS,
    Finding,
    LogFinding,
    MetricsFinding,
    ProcessFinding,
    Routes,
    SocketFinding,
    Target,
)
from tests.console.parts import MS, S

Found = Callable[[int], dict[str, Finding]]
"""What is found at a moment."""


class StillRoutes(Routes):
    """Finds what it is given, at once, and starts no thread."""

    def __init__(self, clock: Callable[[], int], made: Found) -> None:
        super().__init__(clock, probes={})
        self.made = made
        self.followed: list[Target | None] = []

    def follow(self, target: Target | None) -> None:
        """Remember each change."""
        if not self.followed or self.followed[-1] != target:
            self.followed.append(target)
        super().follow(target)

    @property
    def found(self) -> dict[str, Finding]:
        """What is found now."""
        return self.made(self._clock()) if self.target is not None else {}


def nothing(now_ns: int) -> dict[str, Finding]:
    """Find nothing, because nobody has looked yet."""
    del now_ns
    return {}


SOCKET = SocketFinding(at_ns=0, present=True, heard=True, owner=1_000, mine=True, is_private=True)


def alive(now_ns: int) -> dict[str, Finding]:
    """Find everything but the link: the engine lives, its socket does not."""
    return {
        OTHER_SOCKET: replace(SOCKET, at_ns=now_ns),
        METRICS: MetricsFinding(
            at_ns=now_ns,
            status=200,
            took_ns=2 * MS,
            run="r1",
            lag_us=1_900,
            live_orders=28,
            paper_orders=0,
            up_ns=33_120 * S,
        ),
        PROCESS: ProcessFinding(
            at_ns=now_ns, exists=True, name="polytui", cpu=0.11, rss_bytes=214_000_000
        ),
        LOG: LogFinding(
            at_ns=now_ns,
            file="r1-000001.polycap",
            size=9_000,
            grown=4_100,
            over_ns=2 * S,
            written_ns=MS,
        ),
    }


def gone(now_ns: int) -> dict[str, Finding]:
    """Find nothing but what an engine leaves behind."""
    return {
        OTHER_SOCKET: replace(SOCKET, at_ns=now_ns, heard=False),
        METRICS: MetricsFinding(at_ns=now_ns, why="connection refused"),
        PROCESS: ProcessFinding(at_ns=now_ns, exists=False),
        LOG: LogFinding(
            at_ns=now_ns,
            file="r1-000001.polycap",
            size=9_000,
            grown=0,
            over_ns=2 * S,
            written_ns=14 * S,
        ),
    }
