"""The engine: one event in, commands out. Pure, single-threaded, told the time.

`step` routes an event to the one owner of the state it touches; a `Turn` ends a batch, and then
each market that changed is judged once. Nothing here reads a clock, a file or a socket, so a
replay of the log is the same run.
"""

from collections.abc import Callable
from hashlib import blake2b
from typing import Any

from msgspec.msgpack import encode

from polytui.engine.core.commands import Command, RecordDecision, RecordTally
from polytui.engine.core.decision import Decision
from polytui.engine.core.enums import Feed, Incident, Reason, Unit, Verdict
from polytui.engine.core.enums import MetricFamily as Family
from polytui.engine.core.errors import EngineBug
from polytui.engine.core.events import (
    BookDelta,
    BookFrame,
    BookWitness,
    ConnClosed,
    ConnOpened,
    Directive,
    Event,
    FeedUnavailable,
    Heard,
    MarketAnnounced,
    MarketListed,
    MarketResolved,
    PublicTrade,
    RefBeat,
    RefBook,
    RefCounted,
    RefDelta,
    RefIndex,
    RefQuote,
    RefTrade,
    RunStarted,
    Stamped,
    Subscribed,
    TickChanged,
    TopQuoted,
    Turn,
    WireFault,
    WireIgnored,
)
from polytui.engine.core.ids import MarketIx
from polytui.engine.core.runconfig import RunConfig
from polytui.engine.decide.arbiter import Arbiter
from polytui.engine.decide.record import DecisionRecord
from polytui.engine.market.desk import MarketDesk
from polytui.engine.market.features import History
from polytui.engine.market.reference import ReferenceDesk
from polytui.engine.market.snapshot import take_snapshot
from polytui.engine.market.tracked import Tracked
from polytui.engine.strategy import box
from polytui.engine.strategy.api import Strategy

_REFERENCE: tuple[type[Event], ...] = (
    RefQuote,
    RefTrade,
    RefBook,
    RefDelta,
    RefIndex,
    RefBeat,
    RefCounted,
    FeedUnavailable,
)
_VENUE: tuple[type[Event], ...] = (
    BookDelta,
    BookFrame,
    PublicTrade,
    TopQuoted,
    TickChanged,
    BookWitness,
    MarketListed,
    MarketAnnounced,
    MarketResolved,
)
_EITHER: tuple[type[Event], ...] = (
    ConnOpened,
    ConnClosed,
    Subscribed,
    Heard,
    WireFault,
    WireIgnored,
)
"""Events of both kinds of feed: routed by the feed they name."""

REFERENCE_STEP_NS = 50_000_000
"""Reference feeds are judged by age at most this often: their limits are seconds."""

TALLY_EVERY = 1_000
"""Decisions between two tallies in the log."""

DIRECTIVES_KEPT = 1_000
"""Ids of directives remembered: a second delivery changes nothing."""


class Engine:
    """The whole state of a run."""

    def __init__(self) -> None:
        """Start before the first event, which must be `RunStarted`."""
        self.seq = 0
        self.now_ns = 0
        self.started: RunStarted | None = None
        self.started_ns = 0
        self.config = RunConfig()
        self._begin(self.config)

    def _begin(self, config: RunConfig) -> None:
        self.config = config
        self.desk = MarketDesk(config)
        self.reference = ReferenceDesk(config.reference)
        self.arbiter = Arbiter(config.arbiter)
        self.record = DecisionRecord()
        self.strategies: tuple[Strategy, ...] = (
            (box.strategy(config.box),) if config.box.enabled else ()
        )
        self.memory: dict[tuple[str, MarketIx], Any] = {}
        self.paused: dict[str, None] = {}
        self.histories: dict[MarketIx, History] = {}
        self.directives: dict[str, None] = {}
        self.turns = 0
        self._reference_due_ns = 0
        self._routes: dict[type[Event], Callable[[Stamped], list[Command]]] = {
            **dict.fromkeys(_VENUE, self._to_desk),
            **dict.fromkeys(_REFERENCE, self._to_reference),
            **dict.fromkeys(_EITHER, self._to_either),
            Turn: self._turn,
            RunStarted: self._start,
            Directive: self._direct,
        }

    # --- one event -------------------------------------------------------------------------------

    def step(self, stamped: Stamped) -> list[Command]:
        """Take one event in its place and return what is to be done.

        Raises:
            EngineBug: the log has a gap or goes back in time, or starts without `RunStarted`.
        """
        self._check_place(stamped)
        return self._routes[type(stamped.event)](stamped)

    def _check_place(self, stamped: Stamped) -> None:
        if stamped.seq != self.seq + 1 or stamped.at_ns < self.now_ns:
            raise EngineBug(
                f"expected event {self.seq + 1} at or after {self.now_ns}, "
                f"was {stamped.seq} at {stamped.at_ns}"
            )
        if self.seq == 0 and not isinstance(stamped.event, RunStarted):
            raise EngineBug(f"expected RunStarted first, was {type(stamped.event).__name__}")
        self.seq = stamped.seq
        self.now_ns = stamped.at_ns

    def _to_desk(self, stamped: Stamped) -> list[Command]:
        self.desk.apply(stamped)
        return []

    def _to_reference(self, stamped: Stamped) -> list[Command]:
        return self.reference.apply(stamped)

    def _to_either(self, stamped: Stamped) -> list[Command]:
        """Route an event of a connection by the feed it names."""
        if stamped.event.feed is Feed.POLYMARKET:  # type: ignore[attr-defined]  # all of _EITHER name one
            return self._to_desk(stamped)
        return self._to_reference(stamped)

    def _start(self, stamped: Stamped) -> list[Command]:
        event = stamped.event
        assert isinstance(event, RunStarted)
        if self.started is not None:
            raise EngineBug("expected one RunStarted, was a second")
        self.started = event
        self.started_ns = stamped.at_ns
        self._begin(event.config)
        return []

    def _direct(self, stamped: Stamped) -> list[Command]:
        """Carry out an operator's directive once."""
        event = stamped.event
        assert isinstance(event, Directive)
        if event.id in self.directives:
            return []
        if len(self.directives) >= DIRECTIVES_KEPT:
            del self.directives[next(iter(self.directives))]
        self.directives[event.id] = None
        named = event.args or tuple(strategy.id for strategy in self.strategies)
        if event.action in ("strategy.pause", "strategy.pause_all"):
            self.paused.update(dict.fromkeys(named))
        elif event.action == "strategy.resume":
            for name in named:
                self.paused.pop(name, None)
        return []

    def next_due_ns(self) -> int | None:
        """Say when a `Turn` is wanted even if nothing arrives."""
        return self.desk.next_due_ns()

    # --- a turn ----------------------------------------------------------------------------------

    def _turn(self, stamped: Stamped) -> list[Command]:
        """Run deadlines, then decide on every market that changed, in order of the catalog."""
        self.turns += 1
        desk, now_ns = self.desk, stamped.at_ns
        desk.on_time(now_ns)
        commands: list[Command] = []
        if now_ns >= self._reference_due_ns:
            self._reference_due_ns = now_ns + REFERENCE_STEP_NS
            commands += self.reference.on_time(now_ns, self.seq)
        commands += desk.resyncs_due(now_ns, self.seq)
        commands += desk.witnesses_due(now_ns, self.seq)
        if not desk.dirty:
            return commands
        decisions: list[tuple[int, Decision]] = []
        for ix in sorted(desk.dirty):
            self._look(desk.markets[ix], now_ns, decisions)
        desk.dirty.clear()
        if len(decisions) > 1 or (decisions and decisions[0][1].verdict is Verdict.INTENT):
            judged = [decision for decision, _ in self.arbiter.judge(decisions, now_ns)]
        else:
            judged = [decision for _, decision in decisions]
        for decision in judged:
            if self.record.note(decision):
                commands.append(RecordDecision(cause=self.seq, decision=decision))
            if self.record.total % TALLY_EVERY == 0:
                total, digest = self.record.total, self.record.digest()
                commands.append(RecordTally(cause=self.seq, total=total, digest=digest))
        return commands

    def _look(self, tracked: Tracked, now_ns: int, decisions: list[tuple[int, Decision]]) -> None:
        """Show one market to every strategy, or record why it is not shown."""
        blocked = self.desk.blocked(tracked, now_ns)
        if blocked is None:
            self._history(tracked.ix).observe(tracked, now_ns)
            depth = self.config.box.depth_levels
            snap = take_snapshot(tracked, seq=self.seq, at_ns=now_ns, depth=depth)
        elif tracked.quality.epoch and blocked is Reason.CONNECTION_LOST:
            self.histories.pop(tracked.ix, None)
        for strategy in self.strategies:
            if blocked is not None or strategy.id in self.paused:
                reason = blocked or Reason.PAUSED
                decisions.append((strategy.tier, self._not_shown(strategy, tracked, reason)))
                continue
            key = (strategy.id, tracked.ix)
            decision, memory = strategy.propose(snap, self.memory.get(key))
            if memory is None:
                self.memory.pop(key, None)
            else:
                self.memory[key] = memory
            if decision.verdict is Verdict.HOLD and decision.margin_u6 > 0:
                self._note_gated(decision)
            decisions.append((strategy.tier, decision))

    def _note_gated(self, decision: Decision) -> None:
        """Count a trigger that a gate refused: in a mirrored book it is bad data, not profit."""
        market, detail = decision.market, f"{decision.strategy}: {decision.reason.value}"
        self.desk.incidents.note(Incident.PARITY_UNCONFIRMED, market, decision.at_ns, detail)

    def _not_shown(self, strategy: Strategy, tracked: Tracked, reason: Reason) -> Decision:
        return Decision(
            strategy=strategy.id,
            market=tracked.spec.market,
            snapshot=self.seq,
            at_ns=self.now_ns,
            verdict=Verdict.BLOCKED,
            reason=reason,
            score_u6=0,
            threshold_u6=0,
            unit=Unit.COUNT,
            family=Family.DATA_QUALITY,
        )

    def _history(self, ix: MarketIx) -> History:
        history = self.histories.get(ix)
        if history is None:
            history = self.histories[ix] = History()
        return history

    # --- proof -----------------------------------------------------------------------------------

    def checkpoint(self) -> bytes:
        """Encode the state canonically: equal states give equal bytes."""
        markets = [
            (
                tracked.spec,
                tracked.book.tick_text,
                tracked.book.last_trade,
                tracked.book.yes.px,
                tracked.book.yes.qty,
                tracked.book.no.px,
                tracked.book.no.qty,
                tracked.quality.state,
                tracked.quality.proof,
                tracked.quality.reason,
                tracked.quality.epoch,
                (tracked.quality.ok, tracked.quality.recovered, tracked.quality.bad),
                tracked.quality.streak,
                tracked.venue_ms,
                tracked.trades_total,
            )
            for tracked in self.desk.markets
        ]
        desk = self.desk
        return encode(
            (
                self.seq,
                self.now_ns,
                markets,
                (desk.messages, desk.faults, desk.ignored, desk.unknown, desk.incidents.total),
                self.reference.checkpoint(),
                self.record.total,
                self.record.digest(),
                sorted(self.paused),
            )
        )

    def state_digest(self) -> str:
        """Return the digest of the checkpoint."""
        return blake2b(self.checkpoint(), digest_size=16).hexdigest()
