"""Follows the engine and hands the store what records do not carry.

Decisions that wanted something go into the chain one by one, with what the strategy saw; holds are
folded by the engine already and written in slices; what an operator asked goes in with its answer.
It reads the engine right after a turn, before the next event, and never waits: when the store has
no room for what is only looked at, that is asked for again later, and nothing is lost.
"""

from collections.abc import Callable, Sequence
from typing import Any, Final

import msgspec

from polytui.engine.core.account_events import (
    AccountGone,
    AccountReady,
    CancelAnswered,
    OrderAnswered,
    OrderRead,
    OrderStaged,
    PairsMoved,
    UserOrder,
    UserTrade,
)
from polytui.engine.core.commands import Command, RecordControl, RecordDecision
from polytui.engine.core.decision import Decision
from polytui.engine.core.enums import Verdict
from polytui.engine.core.events import (
    Directive,
    Event,
    MarketListed,
    MarketResolved,
    RunStarted,
    Stamped,
)
from polytui.engine.core.messages import Answer, Ask
from polytui.engine.core.runconfig import StoreConfig
from polytui.engine.decide.release import KEY as GATES_KEY
from polytui.engine.machine import Engine
from polytui.engine.market.features import feature_vector
from polytui.engine.market.snapshot import take_snapshot
from polytui.engine.shell.store.bulk import BLOCK, BulkRow
from polytui.engine.shell.store.looking import Looking
from polytui.engine.shell.store.rows import (
    DECISION,
    DIRECTIVE,
    EVENT,
    MARKET,
    PROMOTION,
    RUN,
    Row,
)
from polytui.engine.shell.store.store import Store

KEPT: Final[tuple[type[Event], ...]] = (
    AccountReady,
    AccountGone,
    OrderStaged,
    OrderAnswered,
    OrderRead,
    CancelAnswered,
    UserOrder,
    UserTrade,
    PairsMoved,
    MarketResolved,
)
"""Events of the account that are kept one by one; the capture has all events."""
SECRET: Final = frozenset({"signer.unlock"})
"""Actions whose arguments are never written."""
SAID_MAX, SAID_CHARS = 64, 128
"""Arguments of an action that are kept, and characters of each: no valid one has more."""
BLOCKS_MAX: Final = 2_048
"""Blocked decisions that wait for room; beyond it they are counted only (`blocks_lost`)."""
LEVELS: Final = 5

_encode = msgspec.json.Encoder().encode


class Recorder:
    """Between one engine and one store."""

    def __init__(
        self,
        store: Store,
        engine: Engine,
        config: StoreConfig,
        *,
        run: str,
        config_hash: str = "",
        capture: str = "",
    ) -> None:
        """`capture` is where the run's frames are recorded: what a `seq` refers to."""
        self._store = store
        self._engine = engine
        self._run = run
        self._hash = config_hash
        self._capture = capture
        self._blocks: list[BulkRow] = []
        self._gates: dict[str, str] = {}
        self._told: dict[str, object] = {}
        """What the run's row says."""
        self.blocks_lost = 0
        self.looking = Looking(engine, config)
        self._makers: dict[type[Event], Callable[[Any, Stamped], Row]] = {
            RunStarted: self._started,
            Directive: self._directed,
            MarketListed: self._listed,
            **dict.fromkeys(KEPT, self._happened),
        }

    # --- decisions -------------------------------------------------------------------------------

    def decision(self, command: Command) -> None:
        """Take a decision that the engine found worth recording; holds are in the folds."""
        assert isinstance(command, RecordDecision), "expected a decision"
        decision = command.decision
        if decision.verdict is Verdict.HOLD:
            return
        if decision.verdict is Verdict.BLOCKED:
            self._block(decision)
            return
        room = self._engine.trading.room
        body = _encode(
            {
                "decision": decision,
                "mode": room.mode,
                "config": self._hash,
                "sight": self._sight(decision),
            }
        )
        row = Row(DECISION, "", "", decision.strategy, decision.market, False, body)
        self._store.append(row, at_ns=decision.at_ns, seq=command.cause)

    def _block(self, decision: Decision) -> None:
        if len(self._blocks) >= BLOCKS_MAX:
            self.blocks_lost += 1
            return
        who, where, why = decision.strategy, decision.market, decision.reason.value
        body = _encode(decision)
        row = BulkRow(decision.snapshot, BLOCK, who, where, why, decision.margin_u6, body)
        self._blocks.append(row)

    def _sight(self, decision: Decision) -> dict[str, object] | None:
        """Write down what the strategy saw: nothing has changed since, the turn is not over."""
        desk = self._engine.desk
        ix = desk.catalog.find(decision.market)
        if ix is None:
            return None
        tracked = desk.markets[ix]
        snap = take_snapshot(tracked, seq=decision.snapshot, at_ns=decision.at_ns, depth=LEVELS)
        history = self._engine.histories.get(tracked.ix)
        features = () if history is None else feature_vector(tracked, history, decision.at_ns)
        return {
            "age_ns": snap.age_ns,
            "tick_u6": snap.tick_u6,
            "epoch": snap.epoch,
            "proof": snap.proof,
            "venue_ms": snap.venue_ms,
            "parity_share": snap.parity_share,
            "yes": list(zip(snap.yes_px, snap.yes_qty, strict=True)),
            "no": list(zip(snap.no_px, snap.no_qty, strict=True)),
            "features": [(f.name, f.version, f.value, f.unit) for f in features],
        }

    # --- what happened ---------------------------------------------------------------------------

    def control(self, command: RecordControl, *, at_ns: int) -> None:
        """See a strategy move on the release ladder."""
        if command.key != GATES_KEY:
            return
        for row in msgspec.json.decode(command.value):
            who, gate = row["strategy"], row["gate"]
            before = self._gates.get(who)
            self._gates[who] = gate
            if before is None or before == gate:
                continue
            body = _encode({"before": before, "gate": gate, "reason": row.get("last", "")})
            moved = Row(PROMOTION, "", "", who, "", False, body)
            self._store.append(moved, at_ns=at_ns, seq=command.cause)

    def restored(self, rows: Sequence[tuple[str, str]]) -> None:
        """Learn where the last run left the ladder."""
        for key, value in rows:
            if key == GATES_KEY:
                self._gates = {row["strategy"]: row["gate"] for row in msgspec.json.decode(value)}

    def on_turn(self, events: Sequence[Stamped]) -> None:
        """Keep what happened in a turn, then a slice of what is only looked at."""
        makers = self._makers
        for stamped in events:
            maker = makers.get(type(stamped.event))
            if maker is not None:
                row = maker(stamped.event, stamped)
                self._store.append(row, at_ns=stamped.at_ns, seq=stamped.seq)
        engine = self._engine
        if self._blocks and self._store.look(self._blocks, [], at_ns=engine.now_ns, seq=engine.seq):
            self._blocks = []
        self.looking.advance(self._store)

    def answered(self, ask: Ask, actor: str, answer: Answer, *, at_ns: int) -> None:
        """Keep what was asked and answered without becoming an event: refused, mostly."""
        row = _directive(ask.id, ask.action, ask.args, actor, ok=answer.ok, text=answer.text)
        self._store.append(row, at_ns=at_ns, seq=self._engine.seq)

    def _directed(self, event: Directive, _: Stamped) -> Row:
        reply = self._engine.directives.get(event.id)
        ok, text = (reply.ok, reply.text) if reply is not None else (True, "")
        return _directive(event.id, event.action, event.args, event.actor, ok=ok, text=text)

    def _started(self, event: RunStarted, stamped: Stamped) -> Row:
        self._told = {
            "run": event.run,
            "version": event.version,
            "config_hash": self._hash,
            "mode": event.config.mode,
            "capture": self._capture,
            "started_ns": stamped.at_ns,
            "config": event.config,
        }
        return Row(RUN, "", event.run, "", "", False, _encode(self._told))

    def finish(self) -> None:
        """Write what moved since the last round, and that the run ended as it should."""
        self.looking.finish(self._store)
        if self._told:
            engine = self._engine
            body = _encode({**self._told, "ended_ns": engine.now_ns, "events": engine.seq})
            row = Row(RUN, "", self._run, "", "", False, body)
            self._store.append(row, at_ns=engine.now_ns, seq=engine.seq)

    @staticmethod
    def _listed(event: MarketListed, _: Stamped) -> Row:
        spec = event.spec
        names = (spec.slug, *spec.tokens)
        refs = tuple(name for name in names if name)
        return Row(MARKET, "", spec.market, "", spec.market, False, _encode(spec), refs)

    @staticmethod
    def _happened(event: Event, _: Stamped) -> Row:
        realm = getattr(event, "realm", None)
        hashes = _hashes(event)
        where = event.market if isinstance(event, MarketResolved) else ""
        name = realm.value if realm is not None else ""
        return Row(EVENT, name, "", "", where, False, _encode(event), hashes)


def _hashes(event: Event) -> tuple[str, ...]:
    """Name the orders an event is about."""
    if isinstance(event, OrderAnswered):
        return (event.cid,)
    return event.cids if isinstance(event, OrderStaged) else ()


def _directive(
    name: str, action: str, args: tuple[str, ...], actor: str, *, ok: bool, text: str
) -> Row:
    said = () if action in SECRET else [arg[:SAID_CHARS] for arg in args[:SAID_MAX]]
    told = {"id": name, "action": action, "args": said, "actor": actor, "ok": ok, "text": text}
    return Row(DIRECTIVE, "", "", "", "", False, _encode(told), (action,))
