"""From closed to open: the stages between a start, or a loss of trust, and taking new orders.

    LOCK ─► VERSION ─► REGION ─┐
      │  └► CLOCK ─────────────┴► HEARTBEAT ──────────────────────────────┐
      └► ADOPT_JOURNAL ─► READ_ORDERS, _TRADES, _BALANCES, _POSITIONS     ├► OPEN
                              ├────────► DIFFERENCE ──────────────────────┤
                              └────────► QUIET ───────────────────────────┘

The table is execution reference §2. What does not depend on each other is asked at the same time:
the reads are the difference screen, and while the orders of a dead run are cancelled the quiet time
runs. It begins anew with every difference, every fill that the stream tells of and every read that
is demanded anew.
A `Passage` is one way through it: it holds what was proven and when, counts no evidence of before
the cause that closed, and never opens by itself when something is missing.
"""

from collections.abc import Iterable, Mapping
from enum import Enum
from types import MappingProxyType
from typing import Final

from polytui.engine.core.errors import EngineBug


class Stage(Enum):
    """What must be proven, in the order in which it is told."""

    LOCK = "lock"
    """One engine per wallet: the data directory is ours."""
    VERSION = "version"
    CLOCK = "clock"
    REGION = "region"
    """Not blocked here, and not limited to closing."""
    HEARTBEAT = "heartbeat"
    """The venue took a beat: from here it cancels when we fall silent."""
    ADOPT_JOURNAL = "adopt_journal"
    """What the store knows was taken up."""
    READ_ORDERS = "read_orders"
    READ_TRADES = "read_trades"
    READ_BALANCES = "read_balances"
    READ_POSITIONS = "read_positions"
    DIFFERENCE = "difference"
    """Orders of the dead run are over, vanished ones were looked up, every line is shown."""
    QUIET = "quiet"
    """Nothing new has differed for a while."""
    OPEN = "open"


class Cause(Enum):
    """Why intake is closed."""

    START = "start"
    PORT = "port"
    USER_STREAM = "user_stream"
    RESTART = "restart"
    """The matching engine restarts (425; fault B5)."""
    HEARTBEAT = "heartbeat"
    """Orders may be gone and may live (fault B25)."""
    VERSION = "version"
    """The venue speaks another order format (fault B31)."""
    STALL = "stall"
    """We slept (faults C4, C16): everything we believe is old."""
    SENTINEL = "sentinel"
    """The sentinel cancelled for us: it heard no healthy beat (execution reference §4)."""


_T = Stage
READS: Final = (_T.READ_ORDERS, _T.READ_TRADES, _T.READ_BALANCES, _T.READ_POSITIONS)

NEEDS: Final[Mapping[Stage, tuple[Stage, ...]]] = MappingProxyType(
    {
        _T.LOCK: (),
        _T.VERSION: (_T.LOCK,),
        _T.CLOCK: (_T.LOCK,),
        _T.REGION: (_T.VERSION,),
        _T.HEARTBEAT: (_T.CLOCK, _T.REGION),
        _T.ADOPT_JOURNAL: (_T.LOCK,),
        **dict.fromkeys(READS, (_T.ADOPT_JOURNAL,)),
        _T.DIFFERENCE: READS,
        _T.QUIET: READS,
        _T.OPEN: tuple(stage for stage in Stage if stage is not _T.OPEN),
    }
)
"""What must be proven before a stage may be passed; nothing else orders them."""

_SWEEP: Final = (_T.READ_ORDERS, _T.READ_TRADES, _T.DIFFERENCE, _T.OPEN)

STAGES: Final[Mapping[Cause, frozenset[Stage]]] = MappingProxyType(
    {
        Cause.START: frozenset(Stage),
        Cause.PORT: frozenset({*_SWEEP, _T.CLOCK, _T.READ_BALANCES}),
        Cause.USER_STREAM: frozenset(_SWEEP),
        Cause.RESTART: frozenset(_SWEEP),
        Cause.HEARTBEAT: frozenset({*_SWEEP, _T.HEARTBEAT}),
        Cause.VERSION: frozenset({*_SWEEP, _T.VERSION}),
        Cause.STALL: frozenset({*_SWEEP, _T.CLOCK, _T.HEARTBEAT, _T.READ_BALANCES}),
        Cause.SENTINEL: frozenset(_SWEEP),
    }
)
"""What each cause demands anew."""


class Passage:
    """One way from closed to open."""

    __slots__ = ("after_ns", "causes", "closed_ns", "done", "failures", "stages")

    def __init__(self, cause: Cause, at_ns: int, *, skip: frozenset[Stage]) -> None:
        """Begin with nothing proven; stages in `skip` do not exist for this account."""
        self.causes: list[Cause] = []
        self.closed_ns = at_ns
        self.stages: frozenset[Stage] = frozenset()
        self.done: dict[Stage, int] = {}
        self.failures: dict[Stage, str] = {}
        self.after_ns: dict[Stage, int] = {}
        self.add(cause, at_ns, skip=skip)

    def add(self, cause: Cause, at_ns: int, *, skip: frozenset[Stage]) -> None:
        """Demand what a cause demands anew: evidence of before it counts no more."""
        if cause not in self.causes:
            self.causes.append(cause)
        demanded = STAGES[cause] - skip
        self.stages |= demanded
        self.demand(demanded, at_ns)

    def demand(self, stages: Iterable[Stage], at_ns: int) -> None:
        """Void what was proven of these stages, and the quiet that rested on them."""
        demanded = {*stages}
        if not demanded.isdisjoint(READS):
            demanded |= self.stages & {Stage.QUIET}
        for stage in demanded:
            self.done.pop(stage, None)
            self.failures.pop(stage, None)
            self.after_ns[stage] = at_ns

    def is_next(self, stage: Stage) -> bool:
        """Tell whether a stage is open and everything before it is proven."""
        if stage not in self.stages or stage in self.done:
            return False
        return all(need in self.done for need in NEEDS[stage] if need in self.stages)

    def is_passed(self, stage: Stage) -> bool:
        """Tell whether a stage is proven, or not demanded."""
        return stage in self.done or stage not in self.stages

    def accepts(self, stage: Stage, asked_ns: int) -> bool:
        """Tell whether evidence asked for at a time is young enough to count.

        A read must have been asked for after the cause, not at the very moment of it.
        """
        after_ns = self.after_ns.get(stage, 0) + (stage in READS)
        return self.is_next(stage) and asked_ns >= after_ns

    def enter(self, stage: Stage, at_ns: int) -> None:
        """Pass a stage.

        Raises:
            EngineBug: it is not next; nothing changes.
        """
        if not self.is_next(stage):
            missing = [n.value for n in NEEDS[stage] if n in self.stages and n not in self.done]
            raise EngineBug(f"expected {stage.value} to be next, still open: {missing}")
        self.done[stage] = at_ns
        self.failures.pop(stage, None)

    def fail(self, stage: Stage, why: str) -> None:
        """Note why a stage is not passed; it stays closed until evidence comes."""
        if stage in self.stages and stage not in self.done:
            self.failures[stage] = why[:80]

    @property
    def is_open(self) -> bool:
        """Tell whether the last stage was passed."""
        return Stage.OPEN in self.done

    @property
    def waits_for(self) -> Stage:
        """Return the first stage that is not proven."""
        return next(s for s in Stage if s in self.stages and s not in self.done)

    @property
    def why(self) -> str:
        """Say in words what is missing."""
        stage = self.waits_for
        causes = "+".join(cause.value for cause in self.causes)
        return f"{causes}: {stage.value}: {self.failures.get(stage, 'waiting')}"
