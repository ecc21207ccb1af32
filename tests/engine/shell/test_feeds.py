import asyncio
import hashlib
import re
from base64 import b64encode
from collections.abc import Callable
from pathlib import Path

import pytest

from polytui.engine.core.commands import ReadReferenceBook
from polytui.engine.core.enums import Feed
from polytui.engine.core.events import ConnClosed, ConnOpened, Event, RefBook, Subscribed
from polytui.engine.core.ids import ConnId
from polytui.engine.core.runconfig import ReferenceConfig
from polytui.engine.shell.clock import SECOND_NS, read_mono_ns, sleep_until
from polytui.engine.shell.feeds.plans import binance_symbol, plans
from polytui.engine.shell.feeds.sockets import FeedSockets, hosts_of
from polytui.engine.shell.venue.serving import Options, Served

GUID = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
"""Of RFC 6455."""
ALL = ReferenceConfig(primary="coinbase", secondary="binance", settlement="chainlink")


class Sink:
    """Takes everything and remembers it."""

    def __init__(self) -> None:
        self.events: list[Event] = []
        self.frames: dict[Feed, int] = {}

    def offer_frame(
        self, conn: ConnId, feed: Feed, data: bytes, *, mono_ns: int, wall_ns: int
    ) -> None:
        assert all((data, conn, mono_ns, wall_ns))
        self.frames[feed] = self.frames.get(feed, 0) + 1

    def offer_event(self, event: Event) -> None:
        self.events.append(event)

    def of(self, kind: type[Event]) -> list[Event]:
        return [event for event in self.events if isinstance(event, kind)]


async def until(condition: Callable[[], bool]) -> None:
    deadline_ns = read_mono_ns() + 8 * SECOND_NS
    while not condition():
        assert read_mono_ns() < deadline_ns, "expected it within eight seconds"
        await sleep_until(read_mono_ns() + SECOND_NS // 50)


@pytest.mark.timeout(20)
def test_every_feed_of_the_practice_venue_is_heard_and_comes_back_after_a_cut(
    tmp_path: Path,
) -> None:
    async def work() -> None:
        served = Served(Options(port=0, singles=1, control=tmp_path / "c.sock"))
        await served.start()
        driver = asyncio.create_task(served.venue.run())
        urls = served.ready()["urls"]
        sink, count = Sink(), iter(range(1, 99))
        feeds = FeedSockets(
            plans(ALL, hosts_of(urls)),
            next_conn=lambda: ConnId(next(count)),
            seed=1,
            binance_rest=urls["binance"],
        )
        running = asyncio.create_task(feeds.run(sink))
        await until(lambda: len(sink.frames) == 3)
        assert len(sink.of(ConnOpened)) == len(sink.of(Subscribed)) == 3
        feeds.read_reference_book(sink, ReadReferenceBook(cause=1, symbol="BTCUSDT"))
        await until(lambda: bool(sink.of(RefBook)))
        opened = sink.of(ConnOpened)[0]
        assert isinstance(opened, ConnOpened)
        feeds.cut(opened.conn)
        await until(lambda: len(sink.of(ConnOpened)) == 4)
        assert len(sink.of(ConnClosed)) == 1
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
        assert len(sink.of(ConnClosed)) == 4
        driver.cancel()
        await served.close()

    asyncio.run(work())


@pytest.mark.timeout(20)
def test_c2_a_relay_that_does_not_answer_our_goodbye_holds_nobodys_end_back() -> None:
    """Found at ends with a dead venue: the engine stayed ten seconds longer for one socket."""
    held: list[asyncio.StreamWriter] = []

    async def mute(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        asked = await reader.readuntil(b"\r\n\r\n")
        (key,) = re.findall(rb"(?i)sec-websocket-key: (\S+)", asked)
        digest = b64encode(hashlib.sha1(key + GUID, usedforsecurity=False).digest())
        lines = (b"HTTP/1.1 101 x", b"Upgrade: websocket", b"Connection: Upgrade")
        held.append(writer)
        writer.write(b"\r\n".join((*lines, b"Sec-WebSocket-Accept: " + digest, b"", b"")))

    async def work() -> None:
        server = await asyncio.start_server(mute, "127.0.0.1", 0)
        port = server.sockets[0].getsockname()[1]
        (plan, *_) = plans(ALL, {"coinbase": f"ws://127.0.0.1:{port}"})
        sink = Sink()
        feeds = FeedSockets([plan], next_conn=lambda: ConnId(1), seed=1)
        running = asyncio.create_task(feeds.run(sink))
        await until(lambda: bool(sink.of(Subscribed)))
        running.cancel()
        async with asyncio.timeout(4):
            await asyncio.gather(running, return_exceptions=True)
        assert len(sink.of(ConnClosed)) == 1
        for writer in held:
            writer.close()
        server.close()
        await server.wait_closed()

    asyncio.run(work())


def test_only_the_feeds_that_have_a_role_and_a_host_are_opened() -> None:
    hosts = {"coinbase": "wss://c", "binance": "wss://b", "chainlink": "wss://r"}
    made = plans(ReferenceConfig(primary="binance", settlement="none"), hosts)
    assert [plan.feed for plan in made] == [Feed.BINANCE]
    assert made[0].url.endswith("btcusdt@bookTicker/btcusdt@aggTrade/btcusdt@depth@100ms")
    assert plans(ALL, {}) == []


def test_a_dollar_is_tether_at_binance() -> None:
    assert binance_symbol("BTC-USD") == "BTCUSDT"
    assert binance_symbol("ETH-BTC") == "ETHBTC"
