"""What the console knows: the latest section of each topic, and how far it can be believed.

Messages are stored as they come and nothing is drawn on arrival; one timer applies the latest to
the visible page. A new boot id voids everything. When the link falls silent, time stops here too:
ages stay at what they were when we last knew, and `phase` says that we do not know any more.
"""

from collections import deque
from enum import Enum
from typing import TYPE_CHECKING

from polytui import format as fmt
from polytui.engine.core.account_view import (
    PositionsView,
)
from polytui.engine.core.messages import (
    Absent,
    Answer,
    Beat,
    Hello,
    Lease,
    ServerMessage,
    Show,
)
from polytui.engine.core.view import (
    AnySection,
    DecisionsView,
    ModulesView,
    StatusView,
)
from polytui.screens.restarts import changes, moved
from polytui.screens.sections import Sections
from polytui.screens.times import TimeBase, Times

if TYPE_CHECKING:
    from polytui.link import LinkState

_S = 10**9
STRIPE_S = 2
"""Silence after which a stripe says so: twice the server's beat."""
LOST_S = 5
"""Silence after which the page is frozen and dimmed."""
HISTORY_MAX = 50


class Phase(Enum):
    """How far the values on the screen can be believed."""

    WAITING = "waiting"
    """No engine has answered yet."""
    LIVE = "live"
    SILENT = "silent"
    """No sign of life for 2 s."""
    LOST = "lost"
    """None for 5 s."""


class Store(Sections):
    """The console's only state about the engine."""

    def __init__(self, now_mono_ns: int) -> None:
        super().__init__()
        self.started_mono_ns = now_mono_ns
        self.absent: dict[str, str] = {}
        self.hello: Hello | None = None
        self.up = False
        self.why = "not connected yet"
        self.heard_mono_ns: int | None = None
        """When any message last came."""
        self.anchor: tuple[int, int] | None = None
        """An engine time and the monotonic time at which we learned it."""
        self.history: deque[tuple[int, str]] = deque(maxlen=HISTORY_MAX)
        """Link events: monotonic time, sentence."""
        self.restarted = ""
        """Old and new boot id after a restart of the engine."""
        self.changed: tuple[str, ...] = ()
        """What is different about the engine since it restarted."""
        self.restarted_ns = 0
        """Monotonic time at which the new engine greeted; 0: never."""
        self.lease: Lease | None = None
        """Who may write; None: the engine knows no lease."""
        self._before: StatusView | None = None
        """The last status of the engine before this one."""
        self._strategies: set[str] = set()
        self.ui_errors = 0
        self.applied = 0

    # --- what comes in --------------------------------------------------------------------------

    def take(self, message: "ServerMessage | LinkState", now_mono_ns: int) -> Answer | None:
        """Store a message; an answer is handed back, everything else waits for the timer."""
        if isinstance(message, (Hello, Lease, Show, Absent, Beat, Answer)):
            self.heard_mono_ns = now_mono_ns
            self.up = True
        if isinstance(message, Show):
            self._show(message, now_mono_ns)
        elif isinstance(message, Beat):
            self.anchor = (message.at_ns, now_mono_ns)
        elif isinstance(message, Hello):
            self._greet(message, now_mono_ns)
        elif isinstance(message, Absent):
            self.absent[message.topic] = message.why
            self.sections.pop(message.topic, None)
        elif isinstance(message, Lease):
            self.lease = message
        elif isinstance(message, Answer):
            return message
        else:
            self._link(message, now_mono_ns)
        return None

    def _show(self, message: Show, now_mono_ns: int) -> None:
        self.absent.pop(message.topic, None)
        self.sections[message.topic] = message.section
        if isinstance(message.section, StatusView) and self._before is not None:
            self.changed += moved(self._before, message.section)
            self._before = None
        self.anchor = (message.section.at_ns, now_mono_ns)
        self._see_strategies(message.section)

    def _see_strategies(self, section: AnySection) -> None:
        if isinstance(section, DecisionsView):
            self._strategies.update(fold.row.strategy for fold in section.folds)
        elif isinstance(section, ModulesView):
            names = (row.module.partition("strategy.")[2] for row in section.rows)
            self._strategies.update(name for name in names if name)
        elif isinstance(section, StatusView):
            self._strategies.update(section.paused)
        elif isinstance(section, PositionsView):
            self._strategies.update(row.strategy for row in section.strategies)

    def keep(self, topics: tuple[str, ...]) -> None:
        """Drop what is no longer watched: it would be shown again, old, as if it were now."""
        for topic in set(self.sections) - {*topics}:
            del self.sections[topic]
        for topic in set(self.absent) - {*topics}:
            del self.absent[topic]

    def _greet(self, hello: Hello, now_mono_ns: int) -> None:
        before = self.hello
        if before is not None and before.boot != hello.boot:
            self._before = self.status
            self.restarted_ns = now_mono_ns
            self.changed = changes(before, hello)
            self.lease = None
            self.sections.clear()
            self.absent.clear()
            self._strategies.clear()
            self.anchor = None
            self.restarted = f"{fmt.short_id(before.boot)} -> {fmt.short_id(hello.boot)}"
            self.history.append((now_mono_ns, f"engine restarted, boot {self.restarted}"))
        self.hello, self.why = hello, "connected"
        boot = fmt.short_id(hello.boot)
        self.history.append((now_mono_ns, f"connected, boot {boot}, role {hello.role.upper()}"))

    def _link(self, state: "LinkState", now_mono_ns: int) -> None:
        if state.up != self.up or state.why != self.why:
            word = "up" if state.up else "LOST"
            self.history.append((now_mono_ns, f"{word}: {fmt.foreign(state.why, 60)}"))
        self.up, self.why = state.up, fmt.foreign(state.why, 120)

    # --- what is known --------------------------------------------------------------------------

    def silence_s(self, now_mono_ns: int) -> float:
        """Give the seconds since the last sign of life, or since our start."""
        since = self.started_mono_ns if self.heard_mono_ns is None else self.heard_mono_ns
        return max(now_mono_ns - since, 0) / _S

    def phase(self, now_mono_ns: int) -> Phase:
        """Judge how far the values can be believed."""
        silence = self.silence_s(now_mono_ns)
        if silence >= LOST_S:
            return Phase.LOST
        if self.heard_mono_ns is None:
            return Phase.WAITING
        return Phase.SILENT if silence >= STRIPE_S else Phase.LIVE

    def engine_ns(self, now_mono_ns: int) -> int:
        """Estimate the engine's time; it stops where we stopped knowing."""
        if self.anchor is None:
            return 0
        at_ns, mono_ns = self.anchor
        until = now_mono_ns
        if self.phase(now_mono_ns) is not Phase.LIVE and self.heard_mono_ns is not None:
            until = self.heard_mono_ns
        return at_ns + max(until - mono_ns, 0)

    def times(self, now_mono_ns: int, base: TimeBase) -> Times:
        """Give the clock that pages write times with."""
        status = self.status
        ahead = None if status is None else status.shell.wall_ns - status.at_ns
        return Times(now_ns=self.engine_ns(now_mono_ns), wall_ahead_ns=ahead, base=base)

    def trouble(self) -> str:
        """Say why nothing comes."""
        return "the link is open, but nothing comes through it" if self.up else self.why

    @property
    def role(self) -> str:
        """`rw`, `ro`, or empty."""
        return self.hello.role if self.hello is not None else ""

    @property
    def lease_holder(self) -> str:
        """Who else may write; empty: this console may, or the engine knows no lease."""
        if self.lease is None or self.lease.mine:
            return ""
        return fmt.foreign(self.lease.holder, 40)

    def strategies(self) -> tuple[str, ...]:
        """Name the strategies seen so far."""
        return tuple(sorted(self._strategies))
