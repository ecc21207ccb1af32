"""Replay: one engine taken through a log, and the account of what it saw and decided.

Pure: the log comes as stamped events, whoever read and numbered them. The same object serves a
recording of ours, which carries its turns and decisions, and foreign tapes, which carry only data:
for those `turn` and `advance` put turns where the runner would have put them.

*Decision parity* is the claim that the recorded inputs lead to the recorded decisions again, byte
for byte. Every command of a recording, decisions first of all, is compared with the one derived
here; whatever is only on one side breaks parity too.
"""

from collections import Counter, deque
from collections.abc import Callable, Sequence
from hashlib import blake2b

import msgspec
from msgspec import Struct

from polytui.engine.core.commands import AnyCommand, Command, RecordDecision
from polytui.engine.core.enums import Feed, Incident
from polytui.engine.core.events import Event, Stamped, Turn, WireFault, WireIgnored
from polytui.engine.machine import Engine

_PACK = msgspec.msgpack.Encoder(order="deterministic").encode
_UNRECORDED_MAX = 100_000
"""Commands waiting for their record. A recording has each right behind its turn."""
_COMMAND = msgspec.msgpack.Decoder(AnyCommand)


class Parity(Struct, frozen=True, kw_only=True):
    """Recorded commands against derived ones."""

    compared: int
    equal: int
    unrecorded: int
    """Derived here, not in the recording."""
    underived: int
    """In the recording, not derived here."""
    first: str
    """The first difference in a sentence, else `""`."""

    @property
    def holds(self) -> bool:
        """Tell whether nothing differed."""
        return not self.first


class Report(Struct, frozen=True, kw_only=True):
    """What a replay covered and what came of it. Counts by name are sorted by name."""

    run: str
    version: str
    """Of the polytui that made the log."""
    seed: int
    first_ns: int
    """Engine time of the first and last event inside the window that was asked for."""
    last_ns: int
    events: int
    turns: int
    frames: dict[str, int]
    """By feed."""
    frame_bytes: int
    silence_ns: int
    """The longest time without any frame."""
    silence_at_ns: int
    """When it began."""
    gaps: int
    """Places where the recorder lost something, and how many records it lost."""
    lost: int
    faults: dict[str, int]
    """Refused frames by kind."""
    ignored: int
    """Unknown types and fields."""
    missed: dict[str, int]
    """Gaps and failed proofs in the data itself, by feed."""
    books: dict[str, int]
    """Markets by the state of their book at the end."""
    incidents: dict[str, int]
    """Data incidents by kind, over the whole run."""
    judged: int
    """Decisions of strategies, holds included."""
    decisions: dict[str, int]
    """The same by `strategy verdict reason`."""
    recorded: int
    """Decisions that are news and were put into the log."""
    intents: int
    decisions_digest: str
    """blake2b-256 over the recorded decisions inside the window."""
    state_digest: str
    """blake2b-256 over the engine's checkpoint at the end."""
    parity: Parity | None
    """None: a foreign tape, or a recording whose beginning is gone."""


class Replay:
    """Takes one engine through one log."""

    def __init__(
        self, engine: Engine, *, stamp: Callable[[int, Event], Stamped], idle_ns: int, own: bool
    ) -> None:
        """Begin before the first event; `stamp` numbers the turns that are put in."""
        self._engine = engine
        self._stamp = stamp
        self._idle_ns = idle_ns
        self._own = self._comparing = own
        self._derived: deque[tuple[int, bytes]] = deque()
        self._compared = self._equal = self._unrecorded = self._underived = 0
        self._difference = ""
        self._frame_ns: int | None = None
        self._gaps = self._lost = 0
        self._base: Counter[str] = Counter()
        self._judged_before = self._intents_before = 0
        self.begin()

    def begin(self) -> None:
        """Let the account start here; what was stepped before is only the way to this state."""
        self._first_ns = self._last_ns = 0
        self._events = self._turns = self._recorded = 0
        self._frames: Counter[str] = Counter()
        self._frame_bytes = self._ignored = 0
        self._silence_ns = self._silence_at_ns = 0
        self._faults: Counter[str] = Counter()
        self._hash = blake2b(digest_size=32)
        self._base = self._folded()
        self._judged_before = self._engine.record.total
        self._intents_before = self._engine.arbiter.accepted

    # --- input -----------------------------------------------------------------------------------

    def frame(self, feed: Feed, size: int, events: Sequence[Stamped]) -> None:
        """Step the events of one frame."""
        self._frames[feed.value] += 1
        self._frame_bytes += size
        for stamped in events:
            if isinstance(stamped.event, WireFault):
                self._faults[stamped.event.kind.value] += 1
            elif isinstance(stamped.event, WireIgnored):
                self._ignored += 1
            self._step(stamped)
        if events:
            at_ns = events[-1].at_ns
            if self._frame_ns is not None and at_ns - self._frame_ns > self._silence_ns:
                self._silence_ns, self._silence_at_ns = at_ns - self._frame_ns, self._frame_ns
            self._frame_ns = at_ns

    def event(self, stamped: Stamped) -> None:
        """Step one event that did not come from a frame."""
        self._step(stamped)

    def turn(self, mono_ns: int) -> None:
        """Put in a turn: a batch of a foreign tape is over."""
        self._step(self._stamp(mono_ns, Turn()))

    def advance(self, to_ns: int) -> None:
        """Put in the turns that the engine's deadlines and silence ask for before a time."""
        while self._events:
            now_ns = self._engine.now_ns
            next_ns = now_ns + self._idle_ns
            due_ns = self._engine.next_due_ns()
            if due_ns is not None and now_ns < due_ns < next_ns:
                next_ns = due_ns
            if next_ns >= to_ns:
                return
            self.turn(next_ns)

    def gap(self, lost: int) -> None:
        """Note that the recorder lost something here: from here on nothing can be compared."""
        self._gaps += 1
        self._lost += lost
        self._derived.clear()
        self._comparing = False

    def noted(self, command: Command) -> None:
        """Compare one recorded command with the derived ones."""
        if not self._comparing:
            return
        derived = self._derived
        while derived and derived[0][0] < command.cause:
            self._drop_unrecorded()
        if not derived or derived[0][0] != command.cause:
            self._underived += 1
            self._differ(f"recorded at seq {command.cause}, not derived: {_says(command)}")
            return
        packed = derived.popleft()[1]
        self._compared += 1
        if packed == _PACK(command):
            self._equal += 1
            return
        other = _COMMAND.decode(packed)
        self._differ(f"recorded at seq {command.cause}: {_says(command)}; derived: {_says(other)}")

    def misplaced(self, *, recorded: int, derived: int) -> None:
        """Note that events got other numbers than when they were recorded."""
        if self._comparing:
            self._differ(
                f"the event recorded as seq {recorded} is seq {derived} here: this version reads "
                "frames differently"
            )

    def _step(self, stamped: Stamped) -> None:
        self._events += 1
        if not self._first_ns:
            self._first_ns = stamped.at_ns
        self._last_ns = stamped.at_ns
        if type(stamped.event) is Turn:
            self._turns += 1
        for command in self._engine.step(stamped):
            packed = _PACK(command)
            if type(command) is RecordDecision:
                self._hash.update(packed)
                self._recorded += 1
            if self._comparing:
                self._derived.append((command.cause, packed))
                if len(self._derived) > _UNRECORDED_MAX:
                    self._drop_unrecorded()

    # --- parity ----------------------------------------------------------------------------------

    def _differ(self, what: str) -> None:
        self._difference = self._difference or what

    def _drop_unrecorded(self) -> None:
        cause, packed = self._derived.popleft()
        self._unrecorded += 1
        self._differ(f"derived at seq {cause}, not recorded: {_says(_COMMAND.decode(packed))}")

    def _parity(self, *, ended: bool) -> Parity | None:
        if not self._own:
            return None
        while ended and self._derived:
            self._drop_unrecorded()
        return Parity(
            compared=self._compared,
            equal=self._equal,
            unrecorded=self._unrecorded,
            underived=self._underived,
            first=self._difference,
        )

    # --- the account -----------------------------------------------------------------------------

    def _folded(self) -> Counter[str]:
        folds: Counter[str] = Counter()
        for (strategy, _, reason), fold in self._engine.record.folds.items():
            folds[f"{strategy} {fold.last.verdict.value} {reason.value}"] += fold.count
        return folds

    def report(self, *, ended: bool) -> Report:
        """Close the account; `ended`: the recording is whole up to its own end."""
        engine = self._engine
        desk = engine.desk
        started = engine.started
        feeds = (desk.feed_view(engine.now_ns), *engine.reference.feed_views())
        return Report(
            run=started.run if started else "",
            version=started.version if started else "",
            seed=engine.config.seed,
            first_ns=self._first_ns,
            last_ns=self._last_ns,
            events=self._events,
            turns=self._turns,
            frames=_sorted(self._frames),
            frame_bytes=self._frame_bytes,
            silence_ns=self._silence_ns,
            silence_at_ns=self._silence_at_ns,
            gaps=self._gaps,
            lost=self._lost,
            faults=_sorted(self._faults),
            ignored=self._ignored,
            missed=_sorted(Counter({view.feed.value: view.gaps for view in feeds})),
            books=_sorted(Counter(one.quality.state.value for one in desk.markets.values())),
            incidents=_sorted(
                Counter({kind.value: desk.incidents.count(kind) for kind in Incident})
            ),
            judged=engine.record.total - self._judged_before,
            decisions=_sorted(self._folded() - self._base),
            recorded=self._recorded,
            intents=engine.arbiter.accepted - self._intents_before,
            decisions_digest=self._hash.hexdigest(),
            state_digest=blake2b(engine.checkpoint(), digest_size=32).hexdigest(),
            parity=self._parity(ended=ended),
        )


def _sorted(counts: Counter[str]) -> dict[str, int]:
    return {name: count for name, count in sorted(counts.items()) if count}


def _says(command: Command) -> str:
    if not isinstance(command, RecordDecision):
        return type(command).__name__
    decision = command.decision
    return (
        f"{decision.strategy} on {decision.market} {decision.verdict.value} "
        f"{decision.reason.value}, score {decision.score_u6}, {len(decision.intents)} intents"
    )
