"""The one seam between a console and an engine: the same messages, whatever lies between.

`SocketLink` speaks to an engine in another process and reconnects for ever; `DirectLink` hosts one
in this process, for tests, demos and replay. A link never raises into its user: trouble arrives as
a `LinkState`, and an `Ask` that cannot be carried arrives as a refused `Answer`.
"""

import asyncio
import os
import socket
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from msgspec import Struct
from msgspec.json import Decoder, Encoder

import polytui
from polytui.engine.core.enums import Mode
from polytui.engine.core.errors import OperatorError
from polytui.engine.core.events import Directive, Event
from polytui.engine.core.messages import (
    LINE_MAX,
    PROTOCOL,
    UNREADABLE,
    Absent,
    Answer,
    Ask,
    Beat,
    Confirm,
    Hello,
    Message,
    ServerMessage,
    Show,
    Watch,
)
from polytui.engine.core.registry import registry_hash
from polytui.engine.core.rng import Rng
from polytui.engine.core.view import Percentiles, ShellView
from polytui.engine.shell import directives
from polytui.engine.shell.clock import SECOND_NS, read_mono_ns, sleep_until
from polytui.engine.shell.confirming import Confirming, look_at
from polytui.engine.shell.processes import has_ended

if TYPE_CHECKING:
    from polytui.engine.machine import Engine
    from polytui.engine.project import Projector

BACKOFF_FIRST_NS = SECOND_NS // 10
BACKOFF_MAX_NS = 2 * SECOND_NS
BACKOFF_LEAST_NS = SECOND_NS // 50
"""Full jitter may draw nothing at all; a refused connection must not become a busy loop."""

SILENCE_NS = 3 * SECOND_NS
"""The engine beats every second: three missed beats and the link counts as down."""

UNSENT_MAX = 64 * 1024
"""Bytes an engine that stopped reading may leave in our hands before asking is refused."""

PENDING_MAX = 256
"""Asks without an answer: more means that nobody answers."""


ACTOR = "direct"
"""Who asks an engine in this process."""
KILL = "risk.kill"
KILL_GAP_NS = SECOND_NS // 5
"""A key held down repeats; more lines than this would get the connection cut off."""
KILL_CONNECT_S = 0.2
"""How long the kill may take to open a connection when the one it had is gone."""

DIRECT_NS = SECOND_NS // 10
"""How often an engine in this process is looked at."""

_HARMLESS = frozenset({Mode.SHADOW, Mode.REPLAY})
_NO_SHELL = ShellView(
    loop_lag=Percentiles(),
    decision=Percentiles(),
    inbox=0,
    dropped=0,
    capture_bytes=0,
    capture_lost=0,
    clients=1,
    wall_ns=0,
    pid=os.getpid(),
    rss_bytes=0,
)
"""Nothing is measured without a shell."""


class LinkState(Struct, frozen=True, kw_only=True):
    """Whether messages flow."""

    up: bool
    why: str
    """One sentence; while down it says what is wrong."""
    since_mono_ns: int
    """Monotonic reading at which this began."""


OnMessage = Callable[[ServerMessage | LinkState], None]


class Link(Protocol):
    """What a console needs of an engine."""

    async def run(self, on_message: OnMessage) -> None:
        """Deliver messages and changes of state until closed; never raises for trouble outside."""

    def watch(self, topics: tuple[str, ...]) -> None:
        """Replace the set of topics wanted from now on."""

    def ask(self, action: str, args: tuple[str, ...] = (), confirm: Confirm | None = None) -> str:
        """Send a directive and return its id; the `Answer` with that id comes as a message.

        `confirm` answers the challenge that the engine gave for the same directive.
        """

    def kill(self, reason: str) -> str:
        """Ask for the kill at once, from any thread; say why nothing was sent, or nothing."""

    async def close(self) -> None:
        """End `run`."""


class DirectLink:
    """An engine in this very process, for tests, demos and replay.

    A console beside an engine stops it for a third of a second at a time, so this must never hold
    an engine whose orders are real. There is no such mode yet; what is not known to be harmless is
    refused.
    """

    def __init__(
        self, engine: "Engine", projector: "Projector", *, apply: Callable[[Event], None]
    ) -> None:
        """Look at an engine; `apply` gives it an event in its place.

        Raises:
            OperatorError: the engine's mode is not one of those this may host.
        """
        if engine.config.mode not in _HARMLESS:
            raise OperatorError(f"{engine.config.mode.value} needs an engine of its own process")
        self._engine = engine
        self._projector = projector
        self._apply = apply
        self._topics: tuple[str, ...] = ()
        self._seen: dict[str, int] = {}
        self._on_message: OnMessage = lambda _: None
        self._closing = asyncio.Event()
        self._asked = 0
        self._confirming = Confirming(look_at(engine, lambda: engine.now_ns))

    async def run(self, on_message: OnMessage) -> None:
        """Deliver what moved, ten times a second, until closed."""
        self.open(on_message)
        while not self._closing.is_set():
            self.pump()
            await _wait(self._closing, DIRECT_NS)

    def open(self, on_message: OnMessage) -> None:
        """Greet; from now on `pump` delivers."""
        self._on_message = on_message
        run = self._engine.started.run if self._engine.started is not None else ""
        on_message(
            Hello(
                protocol=PROTOCOL,
                boot=run,
                role="rw",
                run=run,
                version=polytui.__version__,
                pid=os.getpid(),
                registry=registry_hash(),
            )
        )
        on_message(LinkState(up=True, why="in this process", since_mono_ns=read_mono_ns()))

    def pump(self) -> None:
        """Deliver each watched section that moved, and a beat."""
        engine = self._engine
        for topic in self._topics:
            section = self._projector.section(topic, now_ns=engine.now_ns, shell=_NO_SHELL)
            rev = -1 if section is None else section.rev
            if self._seen.get(topic) == rev:
                continue
            self._seen[topic] = rev
            if section is None:
                self._on_message(Absent(topic=topic, why="there is no such topic"))
            else:
                self._on_message(Show(topic=topic, section=section))
        self._on_message(Beat(at_ns=engine.now_ns, seq=engine.seq))

    def watch(self, topics: tuple[str, ...]) -> None:
        """Replace the set of topics wanted from now on."""
        self._topics = topics
        self._seen = {topic: rev for topic, rev in self._seen.items() if topic in topics}

    def ask(self, action: str, args: tuple[str, ...] = (), confirm: Confirm | None = None) -> str:
        """Give the engine a directive at once and answer."""
        self._asked += 1
        ask = Ask(id=f"direct-{self._asked}", action=action, args=args, confirm=confirm)
        self._on_message(self._judge(ask))
        return ask.id

    def _judge(self, ask: Ask) -> Answer:
        """Refuse, ask back, or have it done: the same rules as an engine of its own process."""
        strategies = [strategy.id for strategy in self._engine.strategies]
        refusal = directives.refuse(ask, strategies=strategies)
        if refusal is not None:
            return refusal
        judged = self._confirming.judge(ask, ACTOR, now_ns=read_mono_ns())
        if isinstance(judged, Answer):
            return judged
        self._apply(Directive(id=ask.id, action=ask.action, args=judged.args, actor=ACTOR))
        return directives.done(ask, self._engine.directives[ask.id])

    def kill(self, reason: str) -> str:
        """Give the engine the kill at once; it lives on the caller's thread."""
        self.ask(KILL, (reason,))
        return ""

    async def close(self) -> None:
        """End `run`."""
        self._closing.set()


class KillLine:
    """A connection for nothing but the kill: open all the time, written from any thread.

    The console's loop keeps it open and reads its answers; the thread that reads the keyboard
    writes to it, so that a loop that hangs stops nobody. When the connection is gone, the writer
    opens one itself.
    """

    def __init__(self, path: Path) -> None:
        """Remember where the engine listens."""
        self._path = path
        self._socket: socket.socket | None = None
        self._sent = 0
        self._sent_ns = -KILL_GAP_NS
        self._encode = Encoder().encode
        self._decode = Decoder(ServerMessage).decode

    def send(self, reason: str) -> str:
        """Write the ask; say why nothing was written, or nothing. Never waits for long."""
        now_ns = read_mono_ns()
        if now_ns - self._sent_ns < KILL_GAP_NS:
            return ""
        self._sent += 1
        ask_id = f"kill-{os.getpid():x}-{now_ns:x}-{self._sent}"
        line = self._encode(Ask(id=ask_id, action=KILL, args=(reason,))) + b"\n"
        connected = self._socket
        try:
            if connected is None or connected.send(line) != len(line):
                self._send_afresh(line)
        except OSError:
            try:
                self._send_afresh(line)
            except OSError as error:
                return f"no engine takes it at {self._path}: {error.strerror or error}"
        self._sent_ns = now_ns
        return ""

    def _send_afresh(self, line: bytes) -> None:
        fresh = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            fresh.settimeout(KILL_CONNECT_S)
            fresh.connect(str(self._path))
            fresh.sendall(line)
            fresh.setblocking(False)
        except OSError:
            fresh.close()
            raise
        self._socket = fresh

    async def run(self, on_message: OnMessage) -> None:
        """Hold the connection and deliver the answers until cancelled."""
        try:
            while True:
                if self._socket is None:
                    await self._connect()
                if (connected := self._socket) is not None:
                    await self._read(connected, on_message)
                    self._drop(connected)
                await sleep_until(read_mono_ns() + BACKOFF_MAX_NS // 4)
        finally:
            self.close()

    def close(self) -> None:
        """Hang up; a later send opens a connection of its own."""
        if self._socket is not None:
            self._drop(self._socket)

    async def _connect(self) -> None:
        fresh = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        fresh.setblocking(False)
        try:
            await asyncio.get_running_loop().sock_connect(fresh, str(self._path))
        except OSError:
            fresh.close()
        else:
            self._socket = fresh

    async def _read(self, connected: socket.socket, on_message: OnMessage) -> None:
        """Read to the end of the connection; only answers are anybody's business."""
        kept = b""
        with suppress(OSError):
            while data := await asyncio.get_running_loop().sock_recv(connected, 65_536):
                *lines, kept = (kept + data).split(b"\n")
                for line in lines:
                    self._take(line, on_message)
                if len(kept) > LINE_MAX:
                    return

    def _take(self, line: bytes, on_message: OnMessage) -> None:
        with suppress(*UNREADABLE):
            message = self._decode(line)
            if isinstance(message, Answer):
                on_message(message)

    def _drop(self, connected: socket.socket) -> None:
        if self._socket is connected:
            self._socket = None
        connected.close()


class SocketLink:
    """A link over the engine's Unix socket: reconnects with full jitter and watches again."""

    def __init__(self, path: Path) -> None:
        """Remember where the engine listens; nothing is opened before `run`."""
        self._path = path
        self._kill_line = KillLine(path)
        self._topics: tuple[str, ...] = ()
        self._writer: asyncio.StreamWriter | None = None
        self._on_message: OnMessage = lambda _: None
        self._closing = asyncio.Event()
        self._pending: set[str] = set()
        self._asked = 0
        self._state: LinkState | None = None
        self._pid = 0
        """Of the engine that greeted last; 0: none has."""
        self._started_ns = read_mono_ns()
        self._rng = Rng(self._started_ns ^ os.getpid())
        self._encode = Encoder().encode
        self._decode = Decoder(ServerMessage).decode

    async def run(self, on_message: OnMessage) -> None:
        """Connect, deliver, reconnect, until closed; the kill's own line beside it."""
        self._on_message = on_message
        kill_line = asyncio.create_task(self._kill_line.run(on_message), name="kill line")
        failures = 0
        try:
            while not self._closing.is_set():
                why, greeted = await self._connected()
                failures = 0 if greeted else failures + 1
                if not self._closing.is_set():
                    self._fail_pending()
                    self._report(up=False, why=why)
                    await self._pause(failures)
        finally:
            kill_line.cancel()

    def kill(self, reason: str) -> str:
        """Write the kill on its own line at once, from any thread; say why not, or nothing."""
        return self._kill_line.send(reason)

    def watch(self, topics: tuple[str, ...]) -> None:
        """Replace the set of topics wanted from now on, also after a reconnect."""
        if topics != self._topics:
            self._topics = topics
            self._send(Watch(topics=topics))

    def ask(self, action: str, args: tuple[str, ...] = (), confirm: Confirm | None = None) -> str:
        """Send a directive and return its id."""
        self._asked += 1
        ask_id = f"{os.getpid():x}-{self._started_ns:x}-{self._asked}"
        if len(self._pending) < PENDING_MAX and self._send(
            Ask(id=ask_id, action=action, args=args, confirm=confirm)
        ):
            self._pending.add(ask_id)
        else:
            self._refuse(ask_id, "Nothing was sent: there is no working link to the engine.")
        return ask_id

    async def close(self) -> None:
        """End `run`."""
        self._closing.set()
        if self._writer is not None:
            self._writer.close()

    async def _connected(self) -> tuple[str, bool]:
        """Hold one connection; return why it ended and whether the engine ever spoke."""
        try:
            reader, writer = await asyncio.open_unix_connection(self._path, limit=LINE_MAX)
        except OSError as error:
            why = f"No engine answers at {self._path}: {error.strerror or error}."
            return f"{_fate(self._pid)}{why}", False
        self._writer = writer
        try:
            self._send(Watch(topics=self._topics))
            return await self._read(reader)
        finally:
            self._writer = None
            writer.close()

    async def _read(self, reader: asyncio.StreamReader) -> tuple[str, bool]:
        greeted = False
        while not self._closing.is_set():
            try:
                async with asyncio.timeout(SILENCE_NS / SECOND_NS):
                    line = await reader.readline()
            except TimeoutError:
                self._report(up=False, why=f"The engine at {self._path} has gone silent.")
                continue
            except (OSError, ValueError) as error:
                return f"The link to {self._path} broke: {error}.", greeted
            if not line.endswith(b"\n"):
                return f"The engine at {self._path} closed the link.", greeted
            try:
                message = self._decode(line)
            except UNREADABLE as error:
                return f"The engine at {self._path} speaks another protocol: {error}.", greeted
            greeted = True
            self._deliver(message)
        return "closed", greeted

    def _deliver(self, message: ServerMessage) -> None:
        if isinstance(message, Answer):
            self._pending.discard(message.id)
        elif isinstance(message, Hello):
            self._pid = message.pid
        self._on_message(message)
        why = "connected" if isinstance(message, Hello) else "speaking again"
        self._report(up=True, why=why)

    def _report(self, *, up: bool, why: str) -> None:
        """Tell a change of state; the same state with the same reason is told once."""
        old = self._state
        if old is not None and old.up == up and (up or old.why == why):
            return
        since_ns = old.since_mono_ns if old is not None and old.up == up else read_mono_ns()
        self._state = LinkState(up=up, why=why, since_mono_ns=since_ns)
        self._on_message(self._state)

    def _fail_pending(self) -> None:
        """No answer is no proof either way: say so for every ask still open."""
        for ask_id in sorted(self._pending):
            self._refuse(
                ask_id, "The link broke before the answer: the action may have been taken."
            )
        self._pending.clear()

    def _refuse(self, ask_id: str, text: str) -> None:
        """Answer in the engine's stead, and leave no doubt that it was not the engine."""
        self._on_message(Answer(id=ask_id, ok=False, code="refused", text=text))
        if self._state is not None and not self._state.up:
            self._on_message(self._state)

    def _send(self, message: Message) -> bool:
        writer = self._writer
        if writer is None or writer.is_closing():
            return False
        if writer.transport.get_write_buffer_size() > UNSENT_MAX:
            return False
        writer.write(self._encode(message) + b"\n")
        return True

    async def _pause(self, failures: int) -> None:
        """Wait before the next attempt, or until closed."""
        ceiling_ns = min(BACKOFF_MAX_NS, BACKOFF_FIRST_NS << min(failures, 5))
        wait_ns = BACKOFF_LEAST_NS + self._rng.below(ceiling_ns)
        await _wait(self._closing, wait_ns)


def _fate(pid: int) -> str:
    """Say what became of a process of this machine; nothing for one that was never known."""
    if not pid:
        return ""
    with suppress(ChildProcessError):
        if os.waitid(os.P_PID, pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is not None:
            return f"Its process ({pid}) is gone. "
    return f"Its process ({pid}) {'is gone' if has_ended(pid) else 'lives'}. "


async def _wait(event: asyncio.Event, timeout_ns: int) -> None:
    """Wait for an event, but no longer than this."""
    try:
        async with asyncio.timeout(timeout_ns / SECOND_NS):
            await event.wait()
    except TimeoutError:
        return
