"""Whether new orders may be taken, what is missing, and how long it took to win trust back."""

from collections import deque
from collections.abc import Callable
from typing import Final

from msgspec import Struct

from polytui.engine.core.ids import ConnId
from polytui.engine.orders.asking import S
from polytui.engine.orders.startup import Cause, Passage, Stage

PASSAGES_KEPT: Final = 64
STUCK_NS: Final = 30 * S
"""Closed for longer than this, a person is told."""

_SWEPT: Final = (Stage.READ_ORDERS, Stage.READ_TRADES)


class Intake(Struct, frozen=True, gc=False):
    """Whether new orders may be taken."""

    is_open: bool
    why: str
    """Why not, in words; empty while open."""
    since_ns: int


class Trust(Struct, frozen=True, kw_only=True, gc=False):
    """One time that trust was won back."""

    causes: tuple[Cause, ...]
    closed_ns: int
    reconciled_ns: int
    """Every line of the difference was on the screen."""
    opened_ns: int

    @property
    def took_ns(self) -> int:
        """Time to trust."""
        return self.opened_ns - self.closed_ns


class Way:
    """The passage under way, if any, and the evidence at hand."""

    __slots__ = (
        "_has_stream",
        "_is_warned",
        "_proofs",
        "_skip",
        "_streams",
        "_was_up",
        "intake",
        "is_ready",
        "passage",
        "trust",
    )

    def __init__(self, skip: frozenset[Stage], *, has_stream: bool) -> None:
        """Begin closed; a simulated venue has no user stream that could have a gap."""
        self._skip = skip
        self._has_stream = has_stream
        self._proofs: dict[Stage, int] = {}
        """When the latest evidence of a stage was asked for."""
        self._streams: set[ConnId] = set()
        """User streams that are up."""
        self._was_up = False
        self._is_warned = False
        self.is_ready = False
        """There is an execution port."""
        self.passage: Passage | None = None
        self.intake = Intake(is_open=False, why="not started", since_ns=0)
        self.trust: deque[Trust] = deque(maxlen=PASSAGES_KEPT)

    # --- closing and evidence --------------------------------------------------------------------

    def close(self, cause: Cause, at_ns: int) -> None:
        """Close intake and demand anew what the cause has put in doubt."""
        if self.passage is None:
            self.passage = Passage(cause, at_ns, skip=self._skip)
            self._is_warned = False
        else:
            self.passage.add(cause, at_ns, skip=self._skip)
        self.tell("", at_ns)

    def stream(self, conn: ConnId, at_ns: int, *, is_up: bool, why: str) -> None:
        """Follow the user stream: no snapshot, no replay, so what it was down for is swept."""
        was_up, is_first = bool(self._streams), not self._was_up
        if is_up:
            self._streams.add(conn)
            self._was_up = True
        else:
            self._streams.discard(conn)
        if was_up != bool(self._streams) and not is_first:
            self.close(Cause.USER_STREAM, at_ns)
        if not self._streams and self.passage is not None:
            self.passage.fail(Stage.READ_ORDERS, f"user stream is down: {why}")

    @property
    def is_streaming(self) -> bool:
        """Tell whether the user stream is up; a simulated venue needs none."""
        return bool(self._streams) or not self._has_stream

    def prove(self, stage: Stage, asked_ns: int) -> None:
        """Keep evidence of a stage, by the time it was asked for."""
        self._proofs[stage] = max(asked_ns, self._proofs.get(stage, 0))

    def lack(self, stage: Stage, why: str, at_ns: int) -> None:
        """Note that a stage cannot be proven now; what was proven of it in this passage is void."""
        self._proofs.pop(stage, None)
        if self.passage is not None:
            if stage in self.passage.done:
                self.passage.demand([stage], at_ns)
            self.passage.fail(stage, why)

    def is_wanted(self, stage: Stage, asked_ns: int) -> bool:
        """Tell whether a stage waits for evidence younger than this."""
        passage = self.passage
        if passage is None or not passage.is_next(stage) or not self.is_ready:
            return False
        if stage in _SWEPT and not self.is_streaming:
            return False
        return not passage.accepts(stage, asked_ns)

    # --- opening ---------------------------------------------------------------------------------

    def walk(self, judge: Callable[[Stage, Passage], bool], at_ns: int) -> None:
        """Pass every stage that is proven; `judge` decides those that rest on no single answer."""
        passage = self.passage
        if passage is None:
            return
        for stage in Stage:
            if passage.is_next(stage) and self._is_proven(stage, passage, judge):
                passage.enter(stage, at_ns)
        if passage.is_open:
            self.trust.append(
                Trust(
                    causes=tuple(passage.causes),
                    closed_ns=passage.closed_ns,
                    reconciled_ns=passage.done[Stage.DIFFERENCE],
                    opened_ns=at_ns,
                )
            )
            self.passage = None

    def _is_proven(
        self, stage: Stage, passage: Passage, judge: Callable[[Stage, Passage], bool]
    ) -> bool:
        if stage in (Stage.DIFFERENCE, Stage.QUIET):
            return judge(stage, passage)
        if stage is Stage.OPEN:
            if not self.is_ready:
                passage.fail(stage, "no execution port")
            return self.is_ready
        if stage in _SWEPT and not self.is_streaming:
            return False
        return passage.accepts(stage, self._proofs.get(stage, -1))

    def tell(self, missing_cash: str, at_ns: int) -> None:
        """Say whether intake is open; `since_ns` counts from the last time that changed."""
        why = missing_cash if self.passage is None else self.passage.why
        is_open = not why
        if (is_open, why) != (self.intake.is_open, self.intake.why):
            since_ns = self.intake.since_ns if is_open == self.intake.is_open else at_ns
            self.intake = Intake(is_open, why, since_ns)

    def warning(self, at_ns: int) -> str:
        """Say once per passage that it takes too long."""
        passage = self.passage
        if passage is None or self._is_warned or at_ns - passage.closed_ns < STUCK_NS:
            return ""
        self._is_warned = True
        return f"closed for {(at_ns - passage.closed_ns) // S} s, {passage.why}"
