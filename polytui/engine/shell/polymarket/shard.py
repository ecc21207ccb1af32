"""One market connection: its markets, and what is awaited of it.

The venue promises nothing and has no sequence numbers; two deadlines stand in for that. Each token
must show a book within `FIRST_BOOK_NS` of being subscribed, and some data must come within
`SILENT_NS`: a PONG proves the link, not the data.
"""

import asyncio
import re
from collections.abc import Callable, Iterable
from typing import Any, Final

from msgspec.json import encode

from polytui.engine.core.enums import Feed
from polytui.engine.core.events import ConnClosed, ConnOpened, Subscribed
from polytui.engine.core.ids import ConnId
from polytui.engine.core.rng import Rng
from polytui.engine.shell.clock import SECOND_NS, read_mono_ns, read_wall_ns, sleep_until
from polytui.engine.shell.feeds.reach import Reach
from polytui.engine.shell.feeds.sockets import Sink
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

TOKENS_MAX: Final = 200
"""Per connection: above 500 the venue sends no initial books and does not say so (§4.3)."""
FRAME_MAX: Final = 1 << 20
"""The initial books of 200 tokens come as one frame of about 0.7 MB."""
OUTBOX_MAX: Final = 256
"""Requests waiting to be sent; more means that the link is stuck."""
PING_S: Final = 10.0
SILENT_NS: Final = 30 * SECOND_NS
FIRST_BOOK_NS: Final = 5 * SECOND_NS

_ASSET: Final = re.compile(rb'"asset_id":\s*"(\d{1,80})"')


class Shard:
    """A connection that is kept open as long as it has markets."""

    def __init__(
        self,
        url: str,
        *,
        next_conn: Callable[[], ConnId],
        reach: Reach,
        rng: Rng,
        silent_ns: int = SILENT_NS,
        first_book_ns: int = FIRST_BOOK_NS,
    ) -> None:
        """Nothing is opened before `run`."""
        self._url = url
        self._next_conn = next_conn
        self._reach = reach
        self._backoff = Backoff(rng)
        self._silent_ns = silent_ns
        self._first_book_ns = first_book_ns
        self.markets: dict[str, tuple[str, ...]] = {}
        """Market to tokens: both sides always together."""
        self.groups: dict[str, str] = {}
        """Market to its event."""
        self.conn: ConnId | None = None
        self._sink: Sink | None = None
        self._socket: Socket | None = None
        self._outbox: asyncio.Queue[str] = asyncio.Queue(OUTBOX_MAX)
        self._pending: dict[str, int] = {}
        """Tokens whose first book is awaited, with the deadline."""
        self._data_ns = 0
        self._why = ""
        self._is_cut = False
        self._closing: set[asyncio.Task[None]] = set()
        self.is_running = False
        """Whether a task keeps it."""
        self.opened = 0
        """Connections so far."""

    @property
    def tokens(self) -> list[str]:
        """List the tokens of all markets."""
        return [token for tokens in self.markets.values() for token in tokens]

    @property
    def room(self) -> int:
        """Count the tokens that still fit."""
        return TOKENS_MAX - sum(len(tokens) for tokens in self.markets.values())

    # --- what it carries -------------------------------------------------------------------------

    def add(self, market: str, tokens: tuple[str, ...], group: str) -> None:
        """Carry a market from now on."""
        assert len(tokens) <= self.room, f"expected room for {len(tokens)} tokens, was {self.room}"
        self.markets[market] = tokens
        self.groups[market] = group
        self._say("subscribe", tokens)

    def remove(self, market: str) -> None:
        """Carry a market no longer; a connection without markets ends."""
        tokens = self.markets.pop(market, ())
        self.groups.pop(market, None)
        for token in tokens:
            self._pending.pop(token, None)
        self._tell("unsubscribe", tokens)
        if not self.markets:
            self.kick("it carries no market any more")

    def resubscribe(self, market: str) -> None:
        """Ask for a market's books anew."""
        tokens = self.markets.get(market, ())
        self._tell("unsubscribe", tokens)
        self._say("subscribe", tokens)

    def _say(self, operation: str, tokens: Iterable[str]) -> None:
        """Subscribe on the living connection and await first books; without one `run` will."""
        topics = tuple(tokens)
        if self._socket is None or self._sink is None or self.conn is None or not topics:
            return
        self._tell(operation, topics)
        self._await_books(topics)
        event = Subscribed(conn=self.conn, feed=Feed.POLYMARKET, topics=topics)
        self._sink.offer_event(event)

    def _tell(self, operation: str, tokens: Iterable[str]) -> None:
        topics = list(tokens)
        if self._socket is not None and topics:
            wish: dict[str, Any] = {"operation": operation, "assets_ids": topics}
            if self._outbox.full():
                self.kick(f"{OUTBOX_MAX} requests wait to be sent")
            else:
                self._outbox.put_nowait(encode(wish).decode())

    def _await_books(self, tokens: Iterable[str]) -> None:
        deadline_ns = read_mono_ns() + self._first_book_ns
        for token in tokens:
            self._pending.setdefault(token, deadline_ns)

    # --- life ------------------------------------------------------------------------------------

    async def run(self, sink: Sink) -> None:
        """Keep connected, until cancelled or without markets."""
        self._sink = sink
        while self.markets:
            begun_ns = read_mono_ns()
            await self._live_once(sink)
            self._backoff.lived(read_mono_ns() - begun_ns)
            if self.markets:
                await sleep_until(read_mono_ns() + self._backoff.wait_ns())
        self.is_running = False

    def kick(self, why: str, *, is_cut: bool = False) -> None:
        """Drop the connection; `run` opens a fresh one. `is_cut`: the engine knows already."""
        if self._socket is None:
            return
        self._why = self._why or why
        self._is_cut = self._is_cut or is_cut
        task = asyncio.get_running_loop().create_task(hang_up(self._socket))
        self._closing.add(task)
        task.add_done_callback(self._closing.discard)

    def late_markets(self, now_ns: int) -> list[str]:
        """List the markets of which a first book is overdue."""
        late = {token for token, deadline_ns in self._pending.items() if deadline_ns <= now_ns}
        if not late:
            return []
        return [market for market, tokens in self.markets.items() if late & set(tokens)]

    def is_silent(self, now_ns: int) -> bool:
        """Tell whether the connection has said nothing for too long."""
        return self._socket is not None and now_ns - self._data_ns > self._silent_ns

    async def _live_once(self, sink: Sink) -> None:
        self._why, self._is_cut = "", False
        conn: ConnId | None = None
        try:
            async with open_socket(self._url, message_max=FRAME_MAX) as socket:
                self._reach.opened()
                conn = self.conn = self._next_conn()
                self._begin(socket, conn, sink)
                talk = asyncio.get_running_loop().create_task(self._talk(socket))
                try:
                    await self._listen(conn, socket, sink)
                finally:
                    talk.cancel()
                    self._socket = None
                self._why = self._why or ending(socket)
        except LOST as error:
            if conn is None:
                self._reach.failed(kind_of(error))
            else:
                self._why = self._why or f"the connection failed: {kind_of(error)}"
        finally:
            self.conn = None
            self._pending.clear()
            if conn is not None and not self._is_cut:
                why = self._why or "the connection was lost"
                sink.offer_event(ConnClosed(conn=conn, feed=Feed.POLYMARKET, why=why))

    def _begin(self, socket: Socket, conn: ConnId, sink: Sink) -> None:
        """Introduce a connection and subscribe everything it is for."""
        self._socket = socket
        self.opened += 1
        self._data_ns = read_mono_ns()
        self._outbox = asyncio.Queue(OUTBOX_MAX)
        tokens = self.tokens
        wish = {"type": "market", "assets_ids": tokens, "custom_feature_enabled": True}
        self._outbox.put_nowait(encode(wish).decode())
        sink.offer_event(ConnOpened(conn=conn, feed=Feed.POLYMARKET, url=self._url))
        self._await_books(tokens)
        event = Subscribed(conn=conn, feed=Feed.POLYMARKET, topics=tuple(tokens))
        sink.offer_event(event)

    async def _listen(self, conn: ConnId, socket: Socket, sink: Sink) -> None:
        """Hand frames over until the connection ends: nothing else is waited for in between."""
        receive, offer = socket.receive, sink.offer_frame
        while True:
            message = await receive()
            if message.type not in DATA:
                return
            mono_ns = read_mono_ns()
            data: bytes = message.data
            offer(conn, Feed.POLYMARKET, data, mono_ns=mono_ns, wall_ns=read_wall_ns())
            if data != b"PONG":
                self._data_ns = mono_ns
                if self._pending:
                    self._note_books(data)

    def _note_books(self, data: bytes) -> None:
        """Strike the tokens off the list whose books have come."""
        if b'"book"' in data:
            for token in _ASSET.findall(data):
                self._pending.pop(token.decode(), None)

    async def _talk(self, socket: Socket) -> None:
        """Send what is to be said, and a PING when there is nothing."""
        outbox = self._outbox
        while True:
            try:
                async with asyncio.timeout(PING_S):
                    text = await outbox.get()
            except TimeoutError:
                text = "PING"
            try:
                await socket.send_str(text)
            except LOST:
                return
