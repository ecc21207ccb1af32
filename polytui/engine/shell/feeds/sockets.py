"""Keeps one connection per reference feed, and hands every frame to the engine as it came.

A connection that ends comes back after a wait that grows and is drawn at random (full jitter), so
that a venue that restarts is not met by everybody at once. HTTP 451 ends a feed for good: it is
refused by place, and a second attempt would only be counted against us.
"""

import asyncio
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import Final, Protocol

from aiohttp import ClientError, ClientSession, ClientTimeout
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidHandshake, InvalidStatus

from polytui.engine.core.commands import ReadReferenceBook, Reconnect
from polytui.engine.core.enums import Feed, FeedState, Reason
from polytui.engine.core.events import (
    ConnClosed,
    ConnOpened,
    Event,
    FeedUnavailable,
    Subscribed,
)
from polytui.engine.core.ids import ConnId
from polytui.engine.core.rng import Rng
from polytui.engine.shell.clock import SECOND_NS, read_mono_ns, read_wall_ns, sleep_until
from polytui.engine.shell.feeds.plans import FeedPlan, depth_url
from polytui.engine.shell.feeds.reach import Reach, Tell
from polytui.engine.wire.binance import decode_depth_answer

FRAME_MAX: Final = 4 << 20
"""Coinbase's first book is 1.4 MiB (§1.5)."""
QUEUE_FRAMES: Final = 16
OPEN_S: Final = 10.0
CLOSE_S: Final = 0.5
"""A relay that does not answer our goodbye holds nobody's end back."""
FIRST_WAIT_S: Final = 0.25
LAST_WAIT_S: Final = 30.0
REFUSED_BY_PLACE: Final = 451
READ_S: Final = 3.0


class Sink(Protocol):
    """Who takes what arrives: the runner."""

    def offer_frame(
        self, conn: ConnId, feed: Feed, data: bytes, *, mono_ns: int, wall_ns: int
    ) -> None:
        """Take bytes."""

    def offer_event(self, event: Event) -> None:
        """Take an event."""


class _Straight(connect):
    """Opens a socket at the address that was asked for; a redirect is a refusal like any other."""

    def process_redirect(self, exc: Exception) -> Exception | str:
        """Follow nothing: an address that cannot be read would end more than this attempt."""
        return exc


class FeedSockets:
    """All reference connections of one engine."""

    def __init__(
        self,
        plans: list[FeedPlan],
        *,
        next_conn: Callable[[], ConnId],
        tell: Tell,
        seed: int,
        binance_rest: str = "",
    ) -> None:
        """Nothing is opened before `run`."""
        self._plans = plans
        self._next_conn = next_conn
        self._tell = tell
        self._rng = Rng(seed).fork("feed backoff")
        self._rest = binance_rest
        self._live: dict[ConnId, tuple[Feed, ClientConnection]] = {}
        self._reads: set[asyncio.Task[None]] = set()

    async def run(self, sink: Sink) -> None:
        """Keep every feed connected, until cancelled."""
        async with asyncio.TaskGroup() as tasks:
            for plan in self._plans:
                tasks.create_task(self._keep(plan, sink))

    async def _keep(self, plan: FeedPlan, sink: Sink) -> None:
        wait_s, reach = FIRST_WAIT_S, Reach(plan.feed.value, self._tell)
        while True:
            began_ns = read_mono_ns()
            try:
                await self._live_once(plan, sink, reach)
            except InvalidStatus as refused:
                status = refused.response.status_code
                if status == REFUSED_BY_PLACE:
                    sink.offer_event(
                        FeedUnavailable(
                            feed=plan.feed,
                            state=FeedState.UNAVAILABLE,
                            reason=Reason.GEO_BLOCKED,
                        )
                    )
                    return
                reach.failed(f"{type(refused).__name__}, HTTP {status}")
            except (OSError, InvalidHandshake, TimeoutError) as error:
                reach.failed(type(error).__name__)
            lived_s = (read_mono_ns() - began_ns) / SECOND_NS
            wait_s = FIRST_WAIT_S if lived_s > LAST_WAIT_S else min(LAST_WAIT_S, 2 * wait_s)
            await sleep_until(read_mono_ns() + int(self._rng.unit() * wait_s * SECOND_NS))

    async def _live_once(self, plan: FeedPlan, sink: Sink, reach: Reach) -> None:
        """Open, subscribe, and hand frames over until the connection ends."""
        async with _Straight(
            plan.url,
            max_size=FRAME_MAX,
            max_queue=QUEUE_FRAMES,
            open_timeout=OPEN_S,
            close_timeout=CLOSE_S,
        ) as socket:
            reach.opened()
            conn = self._next_conn()
            self._live[conn] = (plan.feed, socket)
            sink.offer_event(ConnOpened(conn=conn, feed=plan.feed, url=plan.url))
            ping = asyncio.create_task(_ping(plan, socket))
            why = "we closed it"
            try:
                for text in plan.says:
                    await socket.send(text)
                sink.offer_event(Subscribed(conn=conn, feed=plan.feed, topics=plan.topics))
                while True:
                    data = await socket.recv(decode=False)
                    sink.offer_frame(
                        conn, plan.feed, data, mono_ns=read_mono_ns(), wall_ns=read_wall_ns()
                    )
            except ConnectionClosed as closed:
                code = closed.rcvd.code if closed.rcvd else 1006
                why = f"the feed closed it, code {code}"
            finally:
                ping.cancel()
                self._live.pop(conn, None)
                sink.offer_event(ConnClosed(conn=conn, feed=plan.feed, why=why))

    # --- what the engine wants -------------------------------------------------------------------

    def reconnect(self, command: Reconnect) -> None:
        """Drop a connection; `run` opens a new one."""
        self.cut(command.conn)

    def cut(self, conn: ConnId) -> None:
        """Drop a connection that can no longer be trusted; others than ours are left alone."""
        held = self._live.get(conn)
        if held is not None:
            held[1].transport.abort()

    def read_reference_book(self, sink: Sink, command: ReadReferenceBook) -> None:
        """Read Binance's full book; a read that fails answers nothing, as a lost reply would."""
        if not self._rest:
            return
        task = asyncio.create_task(self._read_book(sink, command.symbol))
        self._reads.add(task)
        task.add_done_callback(self._reads.discard)

    async def _read_book(self, sink: Sink, symbol: str) -> None:
        conns = [conn for conn, (feed, _) in self._live.items() if feed is Feed.BINANCE]
        with suppress(ClientError, TimeoutError, OSError, IndexError):
            conn = conns[-1]
            async with (
                ClientSession(timeout=ClientTimeout(total=READ_S)) as session,
                session.get(depth_url(self._rest, symbol)) as answer,
            ):
                data = await answer.read()
            for event in decode_depth_answer(conn, symbol, data):
                sink.offer_event(event)


async def _ping(plan: FeedPlan, socket: ClientConnection) -> None:
    """Send the text that keeps a relay awake."""
    while plan.ping:
        await sleep_until(read_mono_ns() + int(plan.ping_s * SECOND_NS))
        with suppress(ConnectionClosed):
            await socket.send(plan.ping)


def hosts_of(urls: Mapping[str, str]) -> dict[str, str]:
    """Pick the reference hosts out of what the practice venue says of itself."""
    keys = {"coinbase": "coinbase_ws", "binance": "binance_ws", "chainlink": "rtds_ws"}
    return {name: urls[key] for name, key in keys.items() if key in urls}
