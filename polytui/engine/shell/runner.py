"""Feeds the engine: takes input in order, records it, lets the engine decide, carries it out.

The runner is the one caller of `Engine.step`. A turn takes a bounded batch from a bounded inbox:
each frame is recorded, decoded and stepped, then a `Turn` lets the engine decide; its commands are
recorded before the first of them is carried out.

When the inbox is full, the newest frames go, never events: operators, connections and accounts are
always heard. A connection that lost a frame can prove nothing any more, so the runner closes it
for the engine (`ConnClosed`, which voids every book it vouched for) and has its owner open a new
one; what still arrives on the old one is dropped and counted. Overload thus ends in fresh books
and a pause, not in quiet damage.
"""

from collections import deque
from collections.abc import Callable, Mapping
from typing import Protocol, get_args

from polytui.engine.core.commands import AnyCommand, Command
from polytui.engine.core.enums import Feed
from polytui.engine.core.events import ConnClosed, Event, Stamped, Turn
from polytui.engine.core.ids import ConnId
from polytui.engine.core.runconfig import RunnerConfig
from polytui.engine.shell.capture import Capture
from polytui.engine.shell.clock import SECOND_NS, read_mono_ns, read_wall_ns
from polytui.engine.shell.journal import Journal
from polytui.engine.shell.latency import Latencies
from polytui.engine.shell.sequencer import Sequencer

EVENTS_MAX = 65_536
"""Events waiting beside the frames. They come from us and from rate-limited clients: more is our
bug."""

IDLE_NS = SECOND_NS
"""The engine gets a turn at least this often: silence, too, is something to judge."""

RECENT_MAX = 256
"""Events remembered for the dump."""

SHOWN_MAX = 400
"""Longest line of the dump."""

Executors = Mapping[type[Command], Callable[..., None]]
"""Who carries out which command; called with the command."""

_Frame = tuple[int, int, ConnId, Feed, bytes]
"""(mono_ns, wall_ns, connection, feed, bytes), as of the first moment after reading."""
_Said = tuple[int, int, Event, Callable[[], None] | None]
"""(mono_ns, wall_ns, event, what to call once it was stepped and its commands carried out)."""


class Core(Protocol):
    """What the runner needs of the engine."""

    def step(self, stamped: Stamped) -> list[Command]:
        """Take one event and return what is to be done about it."""

    def next_due_ns(self) -> int | None:
        """Return when the engine wants a `Turn` at the latest."""


class Runner:
    """The loop that feeds one engine; whoever owns it calls `turn` when `wake` was called."""

    def __init__(
        self,
        *,
        engine: Core,
        sequencer: Sequencer,
        capture: Capture,
        config: RunnerConfig,
        executors: Executors,
        wake: Callable[[], None],
        cut: Callable[[ConnId], None],
        after: Callable[[list[Stamped]], None] = lambda _events: None,
    ) -> None:
        """Put the pieces together.

        `cut` is told of a connection that lost a frame, `after` of every turn's events once its
        commands were carried out.
        """
        missing = set(get_args(AnyCommand)) - set(executors)
        assert not missing, f"expected an executor for every command, none for {missing}"
        self._engine = engine
        self._sequencer = sequencer
        self._capture = capture
        self._journal = Journal(capture)
        self._config = config
        self._executors = executors
        self._wake = wake
        self._cut = cut
        self._after = after
        self._stepped: list[Stamped] = []
        """Events of the turn under way."""
        self._inbox: deque[_Frame | _Said] = deque()
        self._frames = 0
        self._dead: set[ConnId] = set()
        """Connections that lost a frame; ids are never reused."""
        self._turned_ns = 0
        self._recent: deque[Stamped] = deque(maxlen=RECENT_MAX)
        self.dropped = 0
        """Frames lost since the start."""
        self.decision = Latencies()
        """From bytes read to decisions recorded."""

    @property
    def waiting(self) -> int:
        """Count what waits for the engine."""
        return len(self._inbox)

    # --- input -----------------------------------------------------------------------------------

    def offer_frame(
        self, conn: ConnId, feed: Feed, data: bytes, *, mono_ns: int, wall_ns: int
    ) -> None:
        """Take bytes that a connection read, or drop them when the inbox is full."""
        if self._frames >= self._config.inbox_max or conn in self._dead:
            self._drop(conn, feed)
            return
        self._frames += 1
        self._inbox.append((mono_ns, wall_ns, conn, feed, data))
        self._wake()

    def offer_first(self, event: Event) -> None:
        """Take an event before everything that waits: only a kill may overtake what happened.

        Before the first event it overtakes nothing: what waits then is what the run begins with.
        """
        place = self._inbox.appendleft if self._sequencer.seq else self._inbox.append
        place((read_mono_ns(), read_wall_ns(), event, None))
        self._wake()

    def offer_event(self, event: Event, *, done: Callable[[], None] | None = None) -> None:
        """Take an event that did not come from bytes; never refused."""
        assert len(self._inbox) - self._frames < EVENTS_MAX, f"more than {EVENTS_MAX} events wait"
        self._inbox.append((read_mono_ns(), read_wall_ns(), event, done))
        self._wake()

    def _drop(self, conn: ConnId, feed: Feed) -> None:
        self.dropped += 1
        if conn not in self._dead:
            self._dead.add(conn)
            why = f"a frame was lost: {self._config.inbox_max} were waiting for the engine"
            self.offer_event(ConnClosed(conn=conn, feed=feed, why=why))
            self._cut(conn)

    # --- the turn --------------------------------------------------------------------------------

    def next_due_ns(self) -> int:
        """Return the engine time at which a turn is due though nothing arrives."""
        idle_ns = self._turned_ns + IDLE_NS
        due_ns = self._engine.next_due_ns()
        return idle_ns if due_ns is None else min(due_ns, idle_ns)

    def turn(self) -> bool:
        """Take one batch, let the engine decide, carry it out; return whether more waits."""
        inbox, config = self._inbox, self._config
        last_seq = self._sequencer.seq + config.batch_events
        deadline_ns = read_mono_ns() + config.batch_us * 1_000
        commands: list[Command] = []
        arrived: list[int] = []
        answered: list[Callable[[], None]] = []
        while inbox:
            item = inbox.popleft()
            if len(item) == 5:
                self._frames -= 1
                arrived.append(item[0])
                commands += self._take_frame(item)
            else:
                commands += self._take_event(item[2], mono_ns=item[0], wall_ns=item[1])
                if item[3] is not None:
                    answered.append(item[3])
            if self._sequencer.seq >= last_seq or read_mono_ns() >= deadline_ns:
                break
        commands += self._take_event(Turn(), mono_ns=read_mono_ns(), wall_ns=read_wall_ns())
        self._record(commands)
        self._measure(arrived)
        for command in commands:
            self._executors[type(command)](command)
        for done in answered:
            done()
        stepped, self._stepped = self._stepped, []
        self._after(stepped)
        return bool(inbox)

    def _take_frame(self, frame: _Frame) -> list[Command]:
        mono_ns, wall_ns, conn, feed, data = frame
        sequencer, step = self._sequencer, self._engine.step
        self._capture.frame(
            seq=sequencer.seq + 1,
            wall_ns=wall_ns,
            mono_ns=mono_ns,
            conn=conn,
            feed=feed,
            data=data,
        )
        commands: list[Command] = []
        for stamped in sequencer.frame(conn=conn, feed=feed, mono_ns=mono_ns, data=data):
            self._recent.append(stamped)
            self._stepped.append(stamped)
            commands += step(stamped)
        return commands

    def _take_event(self, event: Event, *, mono_ns: int, wall_ns: int) -> list[Command]:
        stamped = self._sequencer.stamp(mono_ns, event)
        self._turned_ns = stamped.at_ns
        self._capture.event(stamped, wall_ns=wall_ns, mono_ns=mono_ns)
        self._recent.append(stamped)
        self._stepped.append(stamped)
        return self._engine.step(stamped)

    def _record(self, commands: list[Command]) -> None:
        """Write the commands down. In SHADOW none has an effect outside, so none waits for disk."""
        if commands:
            self._journal.commit(commands, wall_ns=read_wall_ns(), mono_ns=read_mono_ns())

    def _measure(self, arrived: list[int]) -> None:
        now_ns = read_mono_ns()
        record = self.decision.record
        for mono_ns in arrived:
            record(now_ns - mono_ns, mono_ns=now_ns)

    # --- when we are wrong -----------------------------------------------------------------------

    def recent(self) -> list[str]:
        """Write the last events, oldest first, one line each: what to read after our own bug."""
        return [repr(stamped)[:SHOWN_MAX] for stamped in self._recent]
