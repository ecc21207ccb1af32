import asyncio
import hashlib
import re
import socket
from base64 import b64encode
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from polytui.engine.core.commands import ReadReferenceBook
from polytui.engine.core.enums import Feed, Reason
from polytui.engine.core.events import (
    ConnClosed,
    ConnOpened,
    Event,
    FeedUnavailable,
    RefBook,
    Subscribed,
)
from polytui.engine.core.ids import ConnId
from polytui.engine.core.runconfig import ReferenceConfig
from polytui.engine.shell.clock import SECOND_NS, read_mono_ns, sleep_until
from polytui.engine.shell.feeds import sockets
from polytui.engine.shell.feeds.plans import binance_symbol, plans
from polytui.engine.shell.feeds.sockets import FeedSockets, hosts_of
from polytui.engine.shell.venue.serving import Options, Served
from tests.engine.shell.polymarket.scripted import reply, scripted

GUID = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
"""Of RFC 6455."""
ALL = ReferenceConfig(primary="coinbase", secondary="binance", settlement="chainlink")


class Sink:
    """Takes everything and remembers it."""

    def __init__(self) -> None:
        self.events: list[Event] = []
        self.frames: dict[Feed, int] = {}
        self.told: list[tuple[str, str]] = []
        """Codes and sentences for the log."""

    def offer_frame(
        self, conn: ConnId, feed: Feed, data: bytes, *, mono_ns: int, wall_ns: int
    ) -> None:
        assert all((data, conn, mono_ns, wall_ns))
        self.frames[feed] = self.frames.get(feed, 0) + 1

    def offer_event(self, event: Event) -> None:
        self.events.append(event)

    def tell(self, code: str, text: str) -> None:
        self.told.append((code, text))

    def of(self, kind: type[Event]) -> list[Event]:
        return [event for event in self.events if isinstance(event, kind)]


async def until(condition: Callable[[], bool]) -> None:
    deadline_ns = read_mono_ns() + 8 * SECOND_NS
    while not condition():
        assert read_mono_ns() < deadline_ns, "expected it within eight seconds"
        await sleep_until(read_mono_ns() + SECOND_NS // 50)


def welcome(asked: bytes) -> bytes:
    """Answer a handshake as RFC 6455 wants it."""
    (key,) = re.findall(rb"(?i)sec-websocket-key: (\S+)", asked)
    digest = b64encode(hashlib.sha1(key + GUID, usedforsecurity=False).digest())
    lines = (b"HTTP/1.1 101 x", b"Upgrade: websocket", b"Connection: Upgrade")
    return b"\r\n".join((*lines, b"Sec-WebSocket-Accept: " + digest, b"", b""))


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
            tell=sink.tell,
            seed=1,
            binance_rest=urls["binance"],
        )
        running = asyncio.create_task(feeds.run(sink))
        await until(lambda: len(sink.frames) == 3)
        assert len(sink.of(ConnOpened)) == len(sink.of(Subscribed)) == 3
        feeds.read_reference_book(sink, ReadReferenceBook(cause=1, symbol="BTCUSDT"))
        await until(lambda: bool(sink.of(RefBook)))
        assert sink.told == []
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
        held.append(writer)
        writer.write(welcome(asked))

    async def work() -> None:
        server = await asyncio.start_server(mute, "127.0.0.1", 0)
        port = server.sockets[0].getsockname()[1]
        (plan, *_) = plans(ALL, {"coinbase": f"ws://127.0.0.1:{port}"})
        sink = Sink()
        feeds = FeedSockets([plan], next_conn=lambda: ConnId(1), tell=sink.tell, seed=1)
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


Step = Callable[[bytes], bytes | None]


def busy(_asked: bytes) -> bytes:
    return reply(b"said by the other side", status=503)


def hang_up(_asked: bytes) -> None:
    return None


def let_in_and_close(asked: bytes) -> bytes:
    return welcome(asked) + b"\x88\x02\x03\xe8"


async def heard_of(steps: Sequence[Step]) -> Sink:
    """Offer a feed a server that takes one step an attempt; return what came when all were taken.

    A feed that gives up is let go.
    """
    asked: list[bytes] = []

    def script(_n: int, request: bytes) -> bytes | None:
        if not request.startswith(b"GET"):
            return None
        asked.append(request)
        return steps[min(len(asked), len(steps)) - 1](request)

    sink = Sink()
    async with scripted(script) as server:
        (plan,) = plans(ALL, {"coinbase": f"ws://127.0.0.1:{server.port}"})
        feeds = FeedSockets([plan], next_conn=lambda: ConnId(1), tell=sink.tell, seed=1)
        running = asyncio.create_task(feeds.run(sink))
        await until(lambda: len(asked) > len(steps) or running.done())
        running.cancel()
        for error in await asyncio.gather(running, return_exceptions=True):
            assert error is None or isinstance(error, asyncio.CancelledError), error
    return sink


@pytest.fixture
def hasty(monkeypatch: pytest.MonkeyPatch) -> None:
    """Try again at once."""
    monkeypatch.setattr(sockets, "FIRST_WAIT_S", 0.01)
    monkeypatch.setattr(sockets, "LAST_WAIT_S", 0.01)


def unreachable(why: str) -> tuple[str, str]:
    return "FEED_UNREACHABLE", f"coinbase: could not connect: {why}"


BUSY = unreachable("InvalidStatus, HTTP 503")


@pytest.mark.usefixtures("hasty")
def test_a_feed_that_cannot_be_reached_is_told_once_a_reason_and_not_once_an_attempt() -> None:
    sink = asyncio.run(heard_of([busy, busy, hang_up, busy, hang_up, busy]))
    assert sink.told == [BUSY, unreachable("InvalidMessage")]
    assert sink.events == []


@pytest.mark.usefixtures("hasty")
def test_a_feed_that_is_lost_again_after_a_connection_is_told_again() -> None:
    sink = asyncio.run(heard_of([busy, busy, let_in_and_close, busy, busy]))
    assert sink.told == [BUSY, BUSY]
    assert len(sink.of(ConnOpened)) == len(sink.of(ConnClosed)) == 1


@pytest.mark.usefixtures("hasty")
@pytest.mark.parametrize("place", ["http://127.0.0.1:1/", "ws://127.0.0.1:99999/", "ws://h:1/"])
def test_a_redirect_is_a_refusal_wherever_it_points(place: str) -> None:
    """Found on reading: an address that is no WebSocket's ended the engine."""

    def elsewhere(_asked: bytes) -> bytes:
        return reply(b"", status=302, headers=f"Location: {place}\r\n")

    sink = asyncio.run(heard_of([elsewhere, elsewhere, elsewhere]))
    assert sink.told == [unreachable("InvalidStatus, HTTP 302")]


@pytest.mark.usefixtures("hasty")
def test_a_port_where_nobody_listens_is_told() -> None:
    async def work() -> Sink:
        with socket.socket() as held:  # bound and not listening: nobody else gets it meanwhile
            held.bind(("127.0.0.1", 0))
            (plan,) = plans(ALL, {"coinbase": f"ws://127.0.0.1:{held.getsockname()[1]}"})
            sink = Sink()
            feeds = FeedSockets([plan], next_conn=lambda: ConnId(1), tell=sink.tell, seed=1)
            running = asyncio.create_task(feeds.run(sink))
            await until(lambda: bool(sink.told))
            running.cancel()
            await asyncio.gather(running, return_exceptions=True)
            return sink

    assert asyncio.run(work()).told == [unreachable("ConnectionRefusedError")]


def test_a_feed_that_is_refused_by_place_is_given_up_and_not_called_unreachable() -> None:
    sink = asyncio.run(heard_of([lambda _asked: reply(b"", status=451)]))
    (given_up,) = sink.events
    assert isinstance(given_up, FeedUnavailable)
    assert given_up.reason is Reason.GEO_BLOCKED
    assert sink.told == []


def test_only_the_feeds_that_have_a_role_and_a_host_are_opened() -> None:
    hosts = {"coinbase": "wss://c", "binance": "wss://b", "chainlink": "wss://r"}
    made = plans(ReferenceConfig(primary="binance", settlement="none"), hosts)
    assert [plan.feed for plan in made] == [Feed.BINANCE]
    assert made[0].url.endswith("btcusdt@bookTicker/btcusdt@aggTrade/btcusdt@depth@100ms")
    assert plans(ALL, {}) == []


def test_a_dollar_is_tether_at_binance() -> None:
    assert binance_symbol("BTC-USD") == "BTCUSDT"
    assert binance_symbol("ETH-BTC") == "ETHBTC"
