"""The engine's two Unix sockets: `admin.sock` may ask, `view.sock` may only look.

The role belongs to the socket file, not to a claim; the peer's uid is asked of the kernel. Lines
from clients are hostile: bounded, rate-limited, decoded strictly, answered with a sentence. State
is conflated per client, the latest section of each topic; a client that does not read is never
waited for, and one that holds too much memory is cut off.

Of several consoles on admin.sock, one holds the write lease: the first that watches, until it goes
or another takes it. The others may look, kill, and do whatever lowers risk. A client that watches
nothing is no console but one command of a person, and needs no lease.

The kill is served first: no rate limit holds it back, and when every place is taken some are left
that take nothing else, the newest of whom pushes out the oldest.
"""

import asyncio
import os
import socket
import struct
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Final, cast

from msgspec import Struct, ValidationError
from msgspec.json import Decoder, Encoder

from polytui.engine.core.errors import shown
from polytui.engine.core.messages import (
    PROTOCOL,
    UNREADABLE,
    Absent,
    Answer,
    Ask,
    Beat,
    Hello,
    Lease,
    Message,
    Show,
    Watch,
)
from polytui.engine.core.registry import REGISTRY, registry_hash
from polytui.engine.core.verbs import Risk, risk_of
from polytui.engine.core.view import AnySection
from polytui.engine.shell.clock import SECOND_NS, read_mono_ns, sleep_until
from polytui.engine.shell.directives import KILL
from polytui.engine.shell.places import ADMIN_SOCKET, VIEW_SOCKET

LINE_MAX: Final = 64 * 1024
"""Longest line from a client, bytes; a longer one ends the connection."""
CLIENTS_MAX: Final = 32
SPARE_MAX: Final = 16
"""Clients above that, for the kill alone."""
TOPICS_MAX: Final = 64
"""Topics one client may watch."""
TOPIC_CHARS_MAX: Final = 128
CONFLATE_BYTES: Final = 1 << 20
"""Unread bytes above which a client gets only the latest state, once it reads again."""
CLOSE_BYTES: Final = 8 << 20
"""Unread bytes above which a client is cut off."""
LINES_PER_S: Final = 20
LINES_BURST: Final = 40
"""Lines a client may send: this many at once, this many a second after that."""

LINE_S: Final = 2.0
"""Longest time between the first byte of a line and its end."""
KILL_LINE_MAX: Final = 4_096
"""Longest line that is looked at for a kill before the limits are asked."""

LAST_WORDS_NS: Final = SECOND_NS // 2
"""How long clients have to take their last lines when the engine stops."""

READ_WRITE, READ_ONLY = "rw", "ro"
LEASE: Final = "lease.take"

Reply = Callable[[Answer], None]
OnAsk = Callable[[Ask, str, Reply], None]
"""Called with an ask, who asked, and where the answer goes; arguments are not yet judged."""
FULL: Final = f"{CLIENTS_MAX} clients are attached already; close one"
_encode = Encoder().encode


class _StrictWatch(Watch, frozen=True, kw_only=True, tag="watch", forbid_unknown_fields=True):
    """`Watch`, refusing what it does not know: a client's slip must not pass in silence."""


class _StrictAsk(Ask, frozen=True, kw_only=True, tag="ask", forbid_unknown_fields=True):
    """`Ask`, refusing what it does not know."""


class _Claim(Struct, frozen=True):
    """The one field read of a line that was refused."""

    id: str = ""


_decode = Decoder(_StrictWatch | _StrictAsk).decode
_decode_claim = Decoder(_Claim).decode


class AdminServer:
    """Both sockets and all their clients."""

    def __init__(
        self,
        directory: Path,
        *,
        run: str,
        version: str,
        on_ask: OnAsk,
        on_watch: Callable[[], None],
        on_refused: Callable[[Ask, str, Answer], None] = lambda _ask, _actor, _answer: None,
    ) -> None:
        """Prepare; nothing is opened before `start`.

        `on_ask` is called for asks of clients that may ask, `on_refused` for those that may not,
        `on_watch` when topics were chosen.
        """
        self._directory = directory
        self._run = run
        self._version = version
        self.on_ask = on_ask
        self.on_watch = on_watch
        self.on_refused = on_refused
        self._servers: list[asyncio.Server] = []
        self.clients: list[_Client] = []
        self._spare: list[_Client] = []
        """Clients above the limit, oldest first."""
        self.holder: _Client | None = None
        """The console with the write lease."""

    async def start(self) -> None:
        """Listen; whatever lay at the paths is stale, because the caller holds the lock."""
        loop = asyncio.get_running_loop()
        for name, role in ((ADMIN_SOCKET, READ_WRITE), (VIEW_SOCKET, READ_ONLY)):
            path = self._directory / name
            path.unlink(missing_ok=True)
            server = await loop.create_unix_server(partial(_Client, self, role), str(path))
            path.chmod(0o600)
            self._servers.append(server)

    async def close(self) -> None:
        """Stop listening, let the clients read what is theirs for a moment, hang up."""
        for server in self._servers:
            server.close()
        for client in (*self.clients, *self._spare):
            client.close()
        deadline_ns = read_mono_ns() + LAST_WORDS_NS
        while self.clients and read_mono_ns() < deadline_ns:
            await sleep_until(read_mono_ns() + LAST_WORDS_NS // 50)
        for name in (ADMIN_SOCKET, VIEW_SOCKET):
            (self._directory / name).unlink(missing_ok=True)

    def hello(self, role: str) -> Hello:
        """Make the first line for a client."""
        return Hello(
            protocol=PROTOCOL,
            boot=self._run,
            role=role,
            run=self._run,
            version=self._version,
            pid=os.getpid(),
            registry=registry_hash(),
        )

    def admit(self, client: "_Client") -> bool:
        """Give a client a place; False: one of those that are left for the kill."""
        if len(self.clients) < CLIENTS_MAX:
            self.clients.append(client)
            return True
        if len(self._spare) >= SPARE_MAX:
            self._spare.pop(0).end(FULL)
        self._spare.append(client)
        return False

    def forget(self, client: "_Client") -> None:
        """Free a client's place."""
        for places in (self.clients, self._spare):
            if client in places:
                places.remove(client)
        if self.holder is client:
            self.lend(next((c for c in self.clients if c.is_console), None))

    def lend(self, client: "_Client | None") -> None:
        """Give the write lease to a console, and tell all of them."""
        self.holder = client
        for console in self.clients:
            if console.is_console:
                console.tell_lease(client)

    def topics(self) -> list[str]:
        """List what anybody watches, each once."""
        return sorted({topic for client in self.clients for topic in client.topics})

    def publish(self, topic: str, section: AnySection | None) -> None:
        """Send the latest state of a topic to those who watch it and have not seen it."""
        rev = -1 if section is None else section.rev
        behind = [
            client
            for client in self.clients
            if topic in client.topics and client.seen.get(topic) != rev
        ]
        if not behind:
            return
        message: Message = (
            Absent(topic=topic, why=f"there is no topic {shown(topic)}")
            if section is None
            else Show(topic=topic, section=section)
        )
        line = _encode(message) + b"\n"
        for client in behind:
            client.show(topic, rev, line)

    def beat(self, *, at_ns: int, seq: int) -> None:
        """Tell every client that reads that the engine lives."""
        line = _encode(Beat(at_ns=at_ns, seq=seq)) + b"\n"
        for client in tuple(self.clients):
            client.beat(line)


class _Client(asyncio.Protocol):
    """One connection: reads lines, answers them, holds what it has not read yet."""

    def __init__(self, server: AdminServer, role: str) -> None:
        self._server = server
        self._role = role
        self._actor = ""
        self._buffer = bytearray()
        self._paused = False
        self._is_spare = False
        """Whether only the kill is taken from this client."""
        self.is_console = False
        """Whether it may ask and has looked on: one that takes part in the lease."""
        self._slow: asyncio.TimerHandle | None = None
        self._waiting: dict[str, bytes] = {}
        """The latest line of each topic that could not be written yet."""
        self._allowance = float(LINES_BURST)
        self._allowed_ns = read_mono_ns()
        self._transport: asyncio.Transport | None = None
        self.topics: tuple[str, ...] = ()
        self.seen: dict[str, int] = {}
        """The rev last sent of each topic; -1 when it was said to be absent."""

    # --- the connection --------------------------------------------------------------------------

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Greet a peer of ours; let anybody else go."""
        self._transport = cast("asyncio.Transport", transport)
        pid, uid = _peer(transport.get_extra_info("socket"))
        if uid != os.getuid():
            self.end(f"expected uid {os.getuid()}, yours is {uid}")
            return
        self._actor = f"uid {uid} pid {pid}"
        self._transport.set_write_buffer_limits(high=CONFLATE_BYTES)
        if self._role == READ_ONLY and len(self._server.clients) >= CLIENTS_MAX:
            self.end(FULL)
            return
        self._is_spare = not self._server.admit(self)
        self._write(_encode(self._server.hello(self._role)) + b"\n")

    def connection_lost(self, exc: Exception | None) -> None:
        """Forget the client."""
        del exc
        self._transport = None
        self._await_line()
        self._server.forget(self)

    def close(self) -> None:
        """Write what fits and hang up."""
        if self._transport is not None:
            self._transport.close()

    def end(self, why: str) -> None:
        """Say one sentence and hang up."""
        self._answer("", code="refused", text=why)
        self.close()

    # --- what it asks ----------------------------------------------------------------------------

    def data_received(self, data: bytes) -> None:
        """Take bytes, whole lines of them."""
        self._buffer += data
        while self._transport is not None and not self._transport.is_closing():
            line, newline, rest = self._buffer.partition(b"\n")
            if len(line) > LINE_MAX:
                self.end(f"expected lines of at most {LINE_MAX} bytes")
                return
            if not newline:
                break
            self._buffer = rest
            self._take(bytes(line))
        self._await_line()

    def _await_line(self) -> None:
        """Give a line that has begun its time, or stop the clock."""
        if self._transport is None or not self._buffer:
            if self._slow is not None:
                self._slow.cancel()
                self._slow = None
        elif self._slow is None:
            loop = asyncio.get_running_loop()
            self._slow = loop.call_later(
                LINE_S, self.end, f"expected the end of a line within {LINE_S:g} s"
            )

    def _take(self, line: bytes) -> None:
        kill = _as_kill(line) if self._role == READ_WRITE else None
        if kill is not None:
            self._server.on_ask(kill, self._actor, self._reply)
            return
        if self._is_spare:
            self.end(FULL)
            return
        if not self._has_allowance():
            ask_id = _claimed_id(line)
            self._answer(ask_id, code="refused", text=f"more than {LINES_PER_S} lines a second")
            self.close()
            return
        try:
            message = _decode(line)
        except UNREADABLE as error:
            kind = "" if isinstance(error, ValidationError) else "not JSON: "
            self._answer(_claimed_id(line), code="bad_request", text=f"{kind}{error}")
            return
        if isinstance(message, Watch):
            self._watch(message)
        else:
            self._ask(message)

    def _watch(self, watch: Watch) -> None:
        too_long = any(len(topic) > TOPIC_CHARS_MAX for topic in watch.topics)
        if len(watch.topics) > TOPICS_MAX or too_long:
            text = f"expected at most {TOPICS_MAX} topics of at most {TOPIC_CHARS_MAX} characters"
            self._answer("", code="bad_request", text=text)
            return
        self.topics = tuple(dict.fromkeys(watch.topics))
        self.seen = {topic: rev for topic, rev in self.seen.items() if topic in self.topics}
        self._waiting = {t: line for t, line in self._waiting.items() if t in self.topics}
        if self.topics and self._role == READ_WRITE and not self.is_console:
            self.is_console = True
            if self._server.holder is None:
                self._server.holder = self
            else:
                self.tell_lease(self._server.holder)
        self._server.on_watch()

    def _ask(self, ask: Ask) -> None:
        if self._role != READ_WRITE:
            text = "this socket is read-only: use admin.sock, or `polytui ctl`"
            self._refuse(ask, "read_only", text)
            return
        if ask.action == LEASE and self.is_console:
            self._server.lend(self)
        holder = self._server.holder
        if holder is not None and holder is not self and self.is_console and not _lowers_risk(ask):
            text = f"{holder.actor} holds the write lease: take it with {LEASE}"
            self._refuse(ask, "no_lease", text)
            return
        self._server.on_ask(ask, self._actor, self._reply)

    def _refuse(self, ask: Ask, code: str, text: str) -> None:
        """Answer what this client may not ask, and have it kept."""
        answer = Answer(id=ask.id, ok=False, code=code, text=text)
        self._server.on_refused(ask, self._actor, answer)
        self._reply(answer)

    @property
    def actor(self) -> str:
        """Name who is at the other end, as the journal does."""
        return self._actor

    def tell_lease(self, holder: "_Client | None") -> None:
        """Say who may write."""
        name = "" if holder is None else holder.actor
        self._write(_encode(Lease(mine=holder is self, holder=name)) + b"\n")

    def _has_allowance(self) -> bool:
        now_ns = read_mono_ns()
        gained = (now_ns - self._allowed_ns) * LINES_PER_S / SECOND_NS
        self._allowance = min(float(LINES_BURST), self._allowance + gained) - 1
        self._allowed_ns = now_ns
        return self._allowance >= 0

    # --- what it is told -------------------------------------------------------------------------

    def show(self, topic: str, rev: int, line: bytes) -> None:
        """Send a section now, or keep it as the latest until the client reads again."""
        self.seen[topic] = rev
        if self._paused:
            self._waiting[topic] = line
        else:
            self._write(line)

    def beat(self, line: bytes) -> None:
        """Send a sign of life, unless older ones are unread."""
        if not self._paused:
            self._write(line)

    def pause_writing(self) -> None:
        """Note that the client does not read."""
        self._paused = True

    def resume_writing(self) -> None:
        """Send what was kept, the latest of each topic."""
        self._paused = False
        while self._waiting and not self._paused:
            topic = next(iter(self._waiting))
            self._write(self._waiting.pop(topic))

    def _reply(self, answer: Answer) -> None:
        self._write(_encode(answer) + b"\n")

    def _answer(self, ask_id: str, *, code: str, text: str) -> None:
        self._reply(Answer(id=ask_id, ok=False, code=code, text=text))

    def _write(self, line: bytes) -> None:
        """Write without ever waiting; cut the client off when it holds too much."""
        transport = self._transport
        if transport is None or transport.is_closing():
            return
        kept = sum(len(kept) for kept in self._waiting.values())
        if transport.get_write_buffer_size() + kept + len(line) > CLOSE_BYTES:
            transport.abort()
        else:
            transport.write(line)


def _as_kill(line: bytes) -> Ask | None:
    """Read a line as a kill; None when it is none, or is not as we write it."""
    if len(line) > KILL_LINE_MAX or KILL.encode() not in line:
        return None
    try:
        message = _decode(line)
    except UNREADABLE:
        return None
    return message if isinstance(message, Ask) and message.action == KILL else None


def _lowers_risk(ask: Ask) -> bool:
    """Tell whether an ask is one that every console may make, lease or not."""
    verb = REGISTRY.get(ask.action)
    return verb is not None and risk_of(verb, ask.args, None) is Risk.REDUCE


def _claimed_id(line: bytes) -> str:
    """Read the id of a line that was refused, so that its sender recognises the answer."""
    try:
        return _decode_claim(line).id[:TOPIC_CHARS_MAX]
    except UNREADABLE:
        return ""


def _peer(peer: socket.socket) -> tuple[int, int]:
    """Ask the kernel who is at the other end: (pid, uid).

    Where it cannot be asked (macOS has no SO_PEERCRED) the private directory is what protects.
    """
    option = getattr(socket, "SO_PEERCRED", None)
    if option is None:
        return 0, os.getuid()
    size = struct.calcsize("3i")
    pid, uid, _ = struct.unpack("3i", peer.getsockopt(socket.SOL_SOCKET, option, size))
    return pid, uid
