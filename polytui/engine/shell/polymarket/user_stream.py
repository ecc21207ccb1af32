"""The user stream: what happens to our orders and trades, as it happens, and nothing twice.

There is no snapshot and no replay, so every connection, lost frame or refused frame is a gap: it
is told as `UserStream` down and up, and whoever keeps the account sweeps it over REST. The stream
counts as up when the venue has answered a PING sent after the login: then the login was read.

The first message holds credentials. It is written here and nowhere else: never recorded, never
logged, and a frame that cannot be read is never quoted.
"""

import asyncio
from collections.abc import Callable
from contextlib import suppress
from typing import Final

from polytui.engine.core.account_events import UserBeat, UserStream
from polytui.engine.core.events import Event, WireFault
from polytui.engine.core.ids import ConnId
from polytui.engine.core.order_enums import Realm
from polytui.engine.core.rng import Rng
from polytui.engine.shell.clock import SECOND_NS, read_mono_ns, sleep_until
from polytui.engine.shell.polymarket.auth import Credentials
from polytui.engine.shell.polymarket.sockets import (
    DATA,
    LOST,
    Backoff,
    Socket,
    ending,
    hang_up,
    kind_of,
    open_socket,
)
from polytui.engine.wire.account import FRAME_MAX, decode

PING_NS: Final = 4 * SECOND_NS
"""Oftener than the ten seconds the venue asks for: the gate wants a sign of life within ten."""
SILENT_NS: Final = 12 * SECOND_NS
"""Three PINGs without any answer: the link is dead."""
GAP_NS: Final = 5 * SECOND_NS
"""Refused frames are told as a gap at most this often."""


class UserSocket:
    """One account's stream, kept connected."""

    def __init__(
        self,
        url: str,
        *,
        realm: Realm,
        credentials: Callable[[], Credentials | None],
        next_conn: Callable[[], ConnId],
        emit: Callable[[Event], None],
        seed: int,
    ) -> None:
        """Nothing is opened before `run`; `credentials` is asked at each connection."""
        self._url = url
        self._realm = realm
        self._credentials = credentials
        self._next_conn = next_conn
        self._emit = emit
        self._backoff = Backoff(Rng(seed).fork("user stream backoff"))
        self._socket: Socket | None = None
        self._is_up = False
        self._why = ""
        self._told_why = ""
        self._heard_ns = 0
        self._beat_ns = 0
        self._gap_ns = 0
        self._closing: set[asyncio.Task[None]] = set()
        self.opened = 0
        """Connections so far."""

    async def run(self) -> None:
        """Keep the stream connected, until cancelled."""
        while True:
            begun_ns = read_mono_ns()
            credentials = self._credentials()
            if credentials is None:
                self._down(ConnId(0), "there is no API key yet")
            else:
                await self._live_once(credentials)
            self._backoff.lived(read_mono_ns() - begun_ns)
            await sleep_until(read_mono_ns() + self._backoff.wait_ns())

    def cut(self, why: str) -> None:
        """Drop the connection; `run` opens a new one."""
        if self._socket is not None:
            self._why = why
            task = asyncio.get_running_loop().create_task(hang_up(self._socket))
            self._closing.add(task)
            task.add_done_callback(self._closing.discard)

    async def _live_once(self, credentials: Credentials) -> None:
        conn = self._next_conn()
        self._why, failure = "", "it cannot be opened"
        try:
            async with open_socket(self._url, message_max=FRAME_MAX) as socket:
                self._socket, failure = socket, "the connection failed"
                self.opened += 1
                self._heard_ns = read_mono_ns()
                await socket.send_str(credentials.stream_login())
                pings = asyncio.get_running_loop().create_task(self._ping(socket))
                try:
                    await self._listen(conn, socket, credentials.key)
                finally:
                    pings.cancel()
                    self._socket = None
                self._why = self._why or ending(socket)
        except LOST as error:
            self._why = self._why or f"{failure}: {kind_of(error)}"
        finally:
            self._down(conn, self._why or "we closed it")

    async def _listen(self, conn: ConnId, socket: Socket, owner: str) -> None:
        """Hand over what comes, until the connection ends."""
        while True:
            message = await socket.receive()
            if message.type not in DATA:
                return
            data: bytes = message.data
            self._heard_ns = read_mono_ns()
            if data == b"PONG":
                self._on_pong(conn)
                continue
            events = decode(conn, self._realm, data, owner=owner)
            for event in events:
                self._emit(event)
            if any(isinstance(event, WireFault) for event in events):
                self._on_refused(conn)

    def _on_pong(self, conn: ConnId) -> None:
        if not self._is_up:
            self._is_up = True
            self._emit(UserStream(realm=self._realm, conn=conn, up=True))
        if self._heard_ns - self._beat_ns >= SECOND_NS:
            self._beat_ns = self._heard_ns
            self._emit(UserBeat(realm=self._realm, conn=conn))

    def _on_refused(self, conn: ConnId) -> None:
        """Tell a gap: something was said that we could not read."""
        if self._is_up and self._heard_ns - self._gap_ns >= GAP_NS:
            self._gap_ns = self._heard_ns
            why = "a frame could not be read"
            self._emit(UserStream(realm=self._realm, conn=conn, up=False, why=why))
            self._emit(UserStream(realm=self._realm, conn=conn, up=True, why=why))

    def _down(self, conn: ConnId, why: str) -> None:
        """Tell that the stream is down: once, and again when the reason is another."""
        if self._is_up or why != self._told_why:
            self._told_why = why
            self._emit(UserStream(realm=self._realm, conn=conn, up=False, why=why))
        self._is_up = False

    async def _ping(self, socket: Socket) -> None:
        """Ask for signs of life, and end a connection that gives none."""
        while True:
            if read_mono_ns() - self._heard_ns > SILENT_NS:
                self.cut("no answer to PING")
                return
            with suppress(*LOST):
                await socket.send_str("PING")
            await sleep_until(read_mono_ns() + PING_NS)
