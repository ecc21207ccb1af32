"""The engine: one event in, commands out. Pure, single-threaded, told the time.

`step` routes an event to the one owner of the state it touches; a `Turn` ends a batch, and then
each market that changed is judged once. Nothing here reads a clock, a file or a socket, so a
replay of the log is the same run.
"""

from collections.abc import Callable
from hashlib import blake2b
from typing import Any

from msgspec.msgpack import encode

from polytui.engine.account.alerting import Outside, heed, watch
from polytui.engine.account.digesting import trading_state
from polytui.engine.account.directives import ACTS, Reply, direct
from polytui.engine.account.hearing import HEAR
from polytui.engine.account.trading import Trading
from polytui.engine.core.account_events import AccountEvent, ControlRestored, HostState
from polytui.engine.core.commands import Command, RecordDecision, RecordTally, Unfollow
from polytui.engine.core.decision import Decision
from polytui.engine.core.enums import BookState, Feed, Incident, Reason, Unit, Verdict
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
from polytui.engine.core.order_enums import Realm
from polytui.engine.core.runconfig import RunConfig
from polytui.engine.core.trading import HostFacts, Refusal
from polytui.engine.decide.arbiter import Arbiter
from polytui.engine.decide.record import DecisionRecord, Fold
from polytui.engine.market.desk import MarketDesk
from polytui.engine.market.features import History
from polytui.engine.market.reference import ReferenceDesk
from polytui.engine.market.snapshot import take_snapshot
from polytui.engine.market.tracked import Sight, Tracked
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
    MarketAnnounced,
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

WATCH_NS = 1_000_000_000
"""What deserves an alert is looked for this often."""

_NEVER_NS = 1 << 62
_STEP_NS = 1_000_000
"""The order path is not asked twice within a millisecond unless something happened."""

DIRECTIVES_KEPT = 1_000
"""Ids of directives remembered: a second delivery changes nothing."""


Roster = Callable[[RunConfig], tuple[Strategy, ...]]


def configured(config: RunConfig) -> tuple[Strategy, ...]:
    """Return the strategies that a configuration enables."""
    return (box.strategy(config.box),) if config.box.enabled else ()


class Engine:
    """The whole state of a run."""

    def __init__(self, strategies: Roster | None = None) -> None:
        """Start before the first event, which must be `RunStarted`.

        `strategies` makes them from the run's configuration; a rehearsal brings its own.
        """
        self._roster = strategies or configured
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
        self.arbiter = Arbiter(config.arbiter, self._holder_of)
        self.record = DecisionRecord()
        self.strategies: tuple[Strategy, ...] = self._roster(config)
        self.memory: dict[tuple[str, MarketIx], Any] = {}
        self.paused: dict[str, None] = {}
        self.histories: dict[MarketIx, History] = {}
        self._standing: dict[MarketIx, tuple[Sight, list[Fold]]] = {}
        """Markets on which every strategy's last answer stands, and on what it rests."""
        self.directives: dict[str, Reply] = {}
        """What each directive came to, by its id."""
        self.trading = Trading(
            config,
            self.desk,
            run=self.started.run if self.started else "",
            strategies=tuple(strategy.id for strategy in self.strategies),
            owner_of=self._owner_of,
            at_ns=self.started_ns,
        )
        self.trading.room.counted = self.record.of
        self._trading_due_ns = 0
        self._watch_due_ns = 0
        self.turns = 0
        self._reference_due_ns = 0
        self._routes: dict[type[Event], Callable[[Stamped], list[Command]]] = {
            **dict.fromkeys(_VENUE, self._to_desk),
            **dict.fromkeys(_REFERENCE, self._to_reference),
            **dict.fromkeys(_EITHER, self._to_either),
            **dict.fromkeys(HEAR, self._to_account),
            HostState: self._to_room,
            ControlRestored: self._to_room,
            MarketListed: self._list,
            MarketResolved: self._resolve,
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
        seq, at_ns, event = stamped.seq, stamped.at_ns, stamped.event
        if seq != self.seq + 1 or at_ns < self.now_ns or not self.seq:
            self._check_place(stamped)
        self.seq = seq
        self.now_ns = at_ns
        commands = self._routes[type(event)](stamped)
        if commands:
            heed(self.trading, commands, at_ns=at_ns)
        return commands

    def _check_place(self, stamped: Stamped) -> None:
        if stamped.seq != self.seq + 1 or stamped.at_ns < self.now_ns:
            raise EngineBug(
                f"expected event {self.seq + 1} at or after {self.now_ns}, "
                f"was {stamped.seq} at {stamped.at_ns}"
            )
        if self.seq == 0 and not isinstance(stamped.event, RunStarted):
            raise EngineBug(f"expected RunStarted first, was {type(stamped.event).__name__}")

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

    def _to_account(self, stamped: Stamped) -> list[Command]:
        event = stamped.event
        assert isinstance(event, AccountEvent)
        self._trading_due_ns = 0
        return self.trading.hear(event, at_ns=stamped.at_ns, seq=stamped.seq)

    def _to_room(self, stamped: Stamped) -> list[Command]:
        event, trading = stamped.event, self.trading
        if isinstance(event, HostState):
            return trading.on_host(event, at_ns=stamped.at_ns, seq=stamped.seq)
        assert isinstance(event, ControlRestored)
        self._trading_due_ns = 0
        return trading.on_controls(event, at_ns=stamped.at_ns, seq=stamped.seq)

    def _list(self, stamped: Stamped) -> list[Command]:
        """Tell the catalog first, then whoever waited for the market."""
        event = stamped.event
        assert isinstance(event, MarketListed)
        self.desk.apply(stamped)
        return self.trading.on_listed(event, at_ns=stamped.at_ns, seq=stamped.seq)

    def _resolve(self, stamped: Stamped) -> list[Command]:
        """Tell the books first, then whoever has orders or tokens there; once, if told twice."""
        event = stamped.event
        assert isinstance(event, MarketResolved)
        ix = self.desk.catalog.find(event.market)
        if ix is not None and self.desk.markets[ix].resolved:
            return []
        self.desk.apply(stamped)
        self._trading_due_ns = 0
        return self.trading.on_resolved(event, at_ns=stamped.at_ns, seq=stamped.seq)

    def _owner_of(self, market: str, at_ns: int) -> str:
        lock = self.arbiter.owner(market, at_ns)
        return lock.strategy if lock is not None else ""

    def _holder_of(self, market: str) -> str:
        return self.trading.holder_of(market)

    def gate(self, realm: Realm, cid: str, host: HostFacts, at_ns: int) -> Refusal | None:
        """Ask the gate at the single place where bytes leave; changes no state but counters."""
        return self.trading.gate(realm, cid, host, at_ns=at_ns)

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
        if event.action in ACTS:
            self._trading_due_ns = 0
            commands, reply = direct(self.trading, event, at_ns=stamped.at_ns, seq=stamped.seq)
            self.directives[event.id] = reply
            return commands
        self.directives[event.id] = Reply(ok=True, text="")
        named = event.args or tuple(strategy.id for strategy in self.strategies)
        if event.action in ("strategy.pause", "strategy.pause_all"):
            self.paused.update(dict.fromkeys(named))
        elif event.action == "strategy.resume":
            for name in named:
                self.paused.pop(name, None)
        return []

    def next_due_ns(self) -> int | None:
        """Say when a `Turn` is wanted even if nothing arrives."""
        due_ns = self.desk.next_due_ns()
        return self._trading_due_ns if due_ns is None else min(due_ns, self._trading_due_ns)

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
        if now_ns >= self._trading_due_ns:
            commands += self.trading.turn(at_ns=now_ns, seq=self.seq)
            due_ns = self.trading.next_due_ns()
            self._trading_due_ns = _NEVER_NS if due_ns is None else max(due_ns, now_ns + _STEP_NS)
        if now_ns >= self._watch_due_ns:
            self._watch_due_ns = now_ns + WATCH_NS
            commands += self._watch(now_ns)
        if not desk.dirty:
            return commands
        wishes: list[tuple[int, Decision]] = []
        for ix in sorted(desk.dirty):
            self._look(desk.markets[ix], now_ns, commands, wishes)
        desk.dirty.clear()
        if wishes:
            for decision, refusal in self.arbiter.judge(wishes, now_ns):
                self._note(decision, commands)
                if refusal is not None and self._outranks(decision.strategy, refusal.holder):
                    commands += self.trading.make_way(decision, at_ns=now_ns, seq=self.seq)
                if decision.verdict is Verdict.INTENT:
                    commands += self.trading.take(decision, at_ns=now_ns, seq=self.seq)
                    self._trading_due_ns = 0
        return commands

    def _watch(self, now_ns: int) -> list[Command]:
        """Look for what a person should know of, and let go of markets that are over."""
        desk = self.desk
        states = [tracked.quality.state for tracked in desk.markets.values()]
        outside = Outside(
            feeds=(desk.feed_view(now_ns), *self.reference.feed_views()),
            markets=len(states),
            suspect=states.count(BookState.SUSPECT),
            stale=desk.stale(now_ns),
            paused=tuple(sorted(self.paused)),
        )
        watch(self.trading, outside, at_ns=now_ns)
        commands: list[Command] = []
        for tracked in desk.finished(now_ns):
            if self.trading.is_clear_of(tracked.spec.market):
                self.forget(tracked)
                commands.append(Unfollow(cause=self.seq, market=tracked.spec.market))
        return commands

    def _outranks(self, strategy: str, holder: str) -> bool:
        """Tell whether a strategy's tier is better than that of one whose orders are in its way."""
        tiers = {one.id: one.tier for one in self.strategies}
        return holder in tiers and tiers[strategy] < tiers[holder]

    def _look(
        self,
        tracked: Tracked,
        now_ns: int,
        commands: list[Command],
        wishes: list[tuple[int, Decision]],
    ) -> None:
        """Show one market to every strategy, or record why it is not shown.

        Where all answers stand and nothing they rest on has changed, count them once more instead.
        """
        ix, record = tracked.ix, self.record
        blocked = self.desk.blocked(tracked, now_ns)
        if blocked is None:
            history = self.histories.get(ix) or self._begin_history(ix)
            history.observe(tracked, now_ns)
            standing = self._standing.get(ix)
            if standing is not None and standing[0] == tracked.sight() and not self.paused:
                for fold in standing[1]:
                    record.again(fold, seq=self.seq, at_ns=now_ns)
                    if record.total % TALLY_EVERY == 0:
                        self._tally(commands)
                return
        elif tracked.quality.epoch and blocked is Reason.CONNECTION_LOST:
            self.histories.pop(ix, None)
        self._standing.pop(ix, None)
        if blocked is not None:
            for strategy in self.strategies:
                self._note(self._not_shown(strategy, tracked, blocked), commands)
        elif self._ask(tracked, now_ns, commands, wishes):
            market = tracked.spec.market
            folds = [record.latest[strategy.id, market] for strategy in self.strategies]
            self._standing[ix] = (tracked.sight(), folds)

    def _ask(
        self,
        tracked: Tracked,
        now_ns: int,
        commands: list[Command],
        wishes: list[tuple[int, Decision]],
    ) -> bool:
        """Let every strategy decide on a snapshot; tell whether all their answers stand."""
        depth = self.config.box.depth_levels
        snap = take_snapshot(tracked, seq=self.seq, at_ns=now_ns, depth=depth)
        all_stand = bool(self.strategies)
        for strategy in self.strategies:
            if strategy.id in self.paused:
                self._note(self._not_shown(strategy, tracked, Reason.PAUSED), commands)
                all_stand = False
                continue
            key = (strategy.id, tracked.ix)
            decision, memory = strategy.propose(snap, self.memory.get(key))
            if memory is None:
                self.memory.pop(key, None)
            else:
                self.memory[key] = memory
            if decision.verdict is Verdict.INTENT:
                wishes.append((strategy.tier, decision))
            else:
                self._note(decision, commands)
            if decision.verdict is not Verdict.HOLD or decision.margin_u6 > 0:
                all_stand = False
                if decision.verdict is Verdict.HOLD:
                    self._note_gated(decision)
            elif memory is not None or strategy.stands is None or not strategy.stands(decision):
                all_stand = False
        return all_stand

    def _note(self, decision: Decision, commands: list[Command]) -> None:
        """Record one decision, and a tally when it is due."""
        record = self.record
        if record.note(decision):
            commands.append(RecordDecision(cause=self.seq, decision=decision))
        if record.total % TALLY_EVERY == 0:
            self._tally(commands)

    def _tally(self, commands: list[Command]) -> None:
        total, digest = self.record.total, self.record.digest()
        commands.append(RecordTally(cause=self.seq, total=total, digest=digest))

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

    def _begin_history(self, ix: MarketIx) -> History:
        history = self.histories[ix] = History()
        return history

    def forget(self, tracked: Tracked) -> None:
        """Drop a market that is let go, from every owner."""
        ix, market = tracked.ix, tracked.spec.market
        self.desk.forget(tracked)
        self.trading.forget(market)
        self.record.forget(market)
        self.arbiter.locks.pop(market, None)
        self.histories.pop(ix, None)
        self._standing.pop(ix, None)
        for strategy in self.strategies:
            self.memory.pop((strategy.id, ix), None)

    # --- proof -----------------------------------------------------------------------------------

    def checkpoint(self) -> bytes:
        """Encode the state canonically, money included: equal states give equal bytes."""
        desk = self.desk
        markets = [tracked.checkpoint() for tracked in desk.markets.values()]
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
                trading_state(self.trading),
            ),
            order="deterministic",
        )

    def state_digest(self) -> str:
        """Return the digest of the checkpoint."""
        return blake2b(self.checkpoint(), digest_size=16).hexdigest()
