"""Market connections on real sockets: deadlines, watchdogs, storms (faults A1, A2, A6)."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from functools import partial

import pytest
from aiohttp import ClientConnectionResetError, web
from msgspec.structs import replace

from polytui.engine.core.commands import ReadWitness, Reconnect, Resync
from polytui.engine.core.enums import Reason
from polytui.engine.core.errors import OperatorError
from polytui.engine.core.events import (
    BookWitness,
    ConnClosed,
    ConnOpened,
    MarketListed,
    MarketSpec,
    Subscribed,
)
from polytui.engine.core.ids import ConnId
from polytui.engine.core.rng import Rng
from polytui.engine.shell.feeds.reach import Reach
from polytui.engine.shell.polymarket import sockets
from polytui.engine.shell.polymarket.market_stream import MarketStreams
from polytui.engine.shell.polymarket.public_reads import PublicReads
from polytui.engine.shell.polymarket.rest import Rest
from polytui.engine.shell.polymarket.shard import TOKENS_MAX, Shard
from polytui.engine.shell.venue.acts import carry_out
from polytui.engine.sim.faults import CutStreams, Switches
from tests.engine.shell.polymarket.hearing import MS, Heard, counter, spec_of, until
from tests.engine.shell.polymarket.scripted import Failing
from tests.engine.shell.venue.rig import HELD, NEG, PLAIN, Rig, on_venue


class Streaming:
    """Market streams at work."""

    def __init__(self, rig: Rig, *, silent_ms: int = 30_000, first_ms: int = 5_000) -> None:
        self.heard = Heard()
        self.rest = Rest(rig.base)
        self.streams = MarketStreams(
            rig.base.replace("http", "ws") + "/ws/market",
            public=PublicReads(self.rest),
            next_conn=counter(),
            tell=self.heard.tell,
            seed=3,
            silent_ns=silent_ms * MS,
            first_book_ns=first_ms * MS,
        )

    async def during(self, work: Callable[[], Awaitable[None]]) -> None:
        """Run the streams while something happens."""
        running = asyncio.create_task(self.streams.run(self.heard))
        try:
            await work()
        finally:
            running.cancel()
            await asyncio.gather(running, return_exceptions=True)
            self.rest.close()

    @property
    def conns(self) -> list[ConnId]:
        return [event.conn for event in self.heard.of(ConnOpened)]


# --- markets -------------------------------------------------------------------------------------


@on_venue
async def test_a_followed_market_is_listed_opened_subscribed_and_shown(rig: Rig) -> None:
    it = Streaming(rig)
    it.streams.follow([spec_of(PLAIN)])

    async def work() -> None:
        await until(lambda: it.heard.books(ConnId(1)) == set(PLAIN.tokens))
        ann = await rig.trader("ann")
        await rig.rest(ann, PLAIN, px=520_000)
        await rig.pass_time(5)
        await until(lambda: any(b"price_change" in data for _, data in it.heard.frames))
        it.streams.follow([spec_of(NEG)])
        await until(lambda: set(NEG.tokens) <= it.heard.books(ConnId(1)))

    await it.during(work)
    kinds = [type(event) for event in it.heard.events]
    assert kinds[:3] == [MarketListed, ConnOpened, Subscribed]
    assert [set(event.topics) for event in it.heard.of(Subscribed)] == [
        set(PLAIN.tokens),
        set(NEG.tokens),
    ]
    (closed,) = it.heard.of(ConnClosed)
    assert closed.conn == ConnId(1)


@on_venue
async def test_an_unfollowed_market_is_quiet_and_the_last_one_ends_the_connection(
    rig: Rig,
) -> None:
    it = Streaming(rig)
    it.streams.follow([spec_of(PLAIN), spec_of(NEG)])

    async def work() -> None:
        await until(lambda: len(it.heard.books(ConnId(1))) == 4)
        it.streams.unfollow(PLAIN.condition)
        await asyncio.sleep(0.05)
        before = len(it.heard.frames)
        ann = await rig.trader("ann")
        await rig.rest(ann, PLAIN, px=520_000)
        await rig.pass_time(5)
        await asyncio.sleep(0.05)
        assert len(it.heard.frames) == before
        it.streams.unfollow(NEG.condition)
        await until(lambda: it.heard.of(ConnClosed))
        assert it.streams.shards == []

    await it.during(work)


@on_venue
async def test_a1_a_connection_without_data_is_replaced_though_it_answers_pings(rig: Rig) -> None:
    it = Streaming(rig, silent_ms=300)
    it.streams.follow([spec_of(PLAIN)])

    async def work() -> None:
        await until(lambda: it.heard.books(ConnId(1)))
        await until(lambda: len(it.conns) >= 2)
        await until(lambda: it.heard.books(it.conns[1]) == set(PLAIN.tokens))

    await it.during(work)
    assert it.heard.of(ConnClosed)[0].why == "no data for 0 s"


@pytest.mark.timeout(15)
@on_venue
async def test_a2_a_reconnect_storm_ends_with_books_and_a_new_connection_each_time(
    rig: Rig,
) -> None:
    it = Streaming(rig)
    it.streams.follow([spec_of(PLAIN)])

    def shown(count: int) -> bool:
        return len(it.conns) == count and bool(it.heard.books(it.conns[-1]))

    def closed(count: int) -> bool:
        return len(it.heard.of(ConnClosed)) == count

    async def work() -> None:
        for cuts in range(4):
            await until(partial(shown, cuts + 1), seconds=8)
            carry_out(rig.venue, CutStreams())
            await until(partial(closed, cuts + 1))
        await until(partial(shown, 5), seconds=8)

    await it.during(work)
    opened = [event.conn for event in it.heard.of(ConnOpened)]
    assert opened == sorted(set(opened))
    order = [e for e in it.heard.events if isinstance(e, ConnOpened | ConnClosed)]
    assert [isinstance(e, ConnOpened) for e in order] == [True, False] * 5
    by_conn = {conn for conn, _ in it.heard.frames}
    assert by_conn <= set(opened)


@on_venue
async def test_a6_absent_first_books_bring_a_fresh_socket(rig: Rig) -> None:
    rig.venue.apply(Switches(no_initial_books=True))
    it = Streaming(rig, first_ms=150)
    it.streams.follow([spec_of(PLAIN), spec_of(NEG)])

    async def work() -> None:
        await until(lambda: len(it.conns) >= 2)
        rig.venue.apply(Switches())
        await until(lambda: len(it.heard.books(it.conns[-1])) == 4)

    await it.during(work)
    assert it.heard.of(ConnClosed)[0].why == "no first book of 2 markets"


@on_venue
async def test_a6_one_silent_market_moves_to_a_socket_of_its_own(rig: Rig) -> None:
    rig.venue.apply(Switches(deaf_tokens=(PLAIN.tokens[1],)))
    it = Streaming(rig, first_ms=500)
    it.streams.follow([spec_of(PLAIN), spec_of(NEG), spec_of(HELD)])

    async def work() -> None:
        await until(lambda: len(it.streams.shards) == 2)
        rig.venue.apply(Switches())
        await until(lambda: set(PLAIN.tokens) <= it.heard.books(it.conns[-1]), seconds=4)

    await it.during(work)
    first, second = it.streams.shards
    assert set(first.markets) == {NEG.condition, HELD.condition}
    assert set(second.markets) == {PLAIN.condition}
    assert first.opened == 1, "the healthy markets kept their connection"


@on_venue
async def test_a6_when_all_would_move_with_their_sibling_the_connection_itself_is_replaced(
    rig: Rig,
) -> None:
    rig.venue.apply(Switches(deaf_tokens=(PLAIN.tokens[1],)))
    it = Streaming(rig, first_ms=500)
    it.streams.follow(replace(spec_of(one), group="g") for one in (PLAIN, NEG, HELD))

    async def work() -> None:
        await until(lambda: len(it.conns) == 2)
        rig.venue.apply(Switches())
        await until(lambda: set(PLAIN.tokens) <= it.heard.books(it.conns[-1]), seconds=4)

    await it.during(work)
    (shard,) = it.streams.shards
    assert len(shard.markets) == 3, "nobody is left behind on a connection that ended"


@on_venue
async def test_a_connection_that_ended_without_markets_begins_again_with_one(rig: Rig) -> None:
    it = Streaming(rig)
    it.streams.follow([spec_of(PLAIN)])

    async def work() -> None:
        await until(lambda: it.heard.books(ConnId(1)))
        (shard,) = it.streams.shards
        shard.remove(PLAIN.condition)
        await until(lambda: not shard.is_running)
        it.streams.follow([spec_of(NEG)])
        await until(lambda: it.heard.books(ConnId(2)) == set(NEG.tokens))
        assert it.streams.shards == [shard]

    await it.during(work)


@on_venue
async def test_a_resync_brings_both_books_again_on_the_same_connection(rig: Rig) -> None:
    it = Streaming(rig)
    it.streams.follow([spec_of(PLAIN)])
    wish = Resync(
        cause=1,
        conn=ConnId(1),
        market=PLAIN.condition,
        tokens=PLAIN.tokens,
        reason=Reason.TOP_MISMATCH,
    )

    async def work() -> None:
        await until(lambda: len(it.heard.books(ConnId(1))) == 2)
        it.heard.frames.clear()
        it.streams.resync(wish)
        await until(lambda: len(it.heard.books(ConnId(1))) == 2)

    await it.during(work)
    assert len(it.heard.of(Subscribed)) == 2
    assert it.streams.shards[0].opened == 1


@on_venue
async def test_the_engine_and_the_runner_can_drop_a_connection(rig: Rig) -> None:
    it = Streaming(rig)
    it.streams.follow([spec_of(PLAIN)])

    async def work() -> None:
        await until(lambda: it.heard.books(ConnId(1)))
        it.streams.reconnect(Reconnect(cause=1, conn=ConnId(1), reason=Reason.QUEUE_DROP))
        await until(lambda: it.heard.books(ConnId(2)))
        it.streams.cut(ConnId(2))
        await until(lambda: it.heard.books(ConnId(3)))

    await it.during(work)
    closed = it.heard.of(ConnClosed)
    assert [event.conn for event in closed] == [ConnId(1), ConnId(3)]
    assert "queue_drop" in closed[0].why


@on_venue
async def test_a_witness_is_read_over_rest(rig: Rig) -> None:
    it = Streaming(rig)
    token = PLAIN.tokens[0]

    async def work() -> None:
        wish = ReadWitness(cause=1, market=PLAIN.condition, token=token)
        it.streams.read_witness(it.heard, wish)
        await until(lambda: it.heard.of(BookWitness))
        it.streams.read_witness(it.heard, ReadWitness(cause=1, market="0x1", token="1"))
        await until(lambda: not it.streams._reads)

    await it.during(work)
    (witness,) = it.heard.of(BookWitness)
    assert witness.book.token == token


def far(n: int, group: str) -> MarketSpec:
    return MarketSpec(market=f"0x{n:x}", tokens=(f"{n}1", f"{n}2"), title="x", group=group)


@on_venue
async def test_markets_are_packed_by_event_and_never_above_the_limit(rig: Rig) -> None:
    it = Streaming(rig)
    it.streams.follow(far(n, f"g{n // 30}") for n in range(240))
    for shard in it.streams.shards:
        assert len(shard.tokens) <= TOKENS_MAX
    homes: dict[str, set[int]] = {}
    for n, shard in enumerate(it.streams.shards):
        for market, tokens in shard.markets.items():
            assert len(tokens) == 2
            homes.setdefault(shard.groups[market], set()).add(n)
    assert all(len(shards) == 1 for shards in homes.values())
    it.streams.follow([far(999, "g0")])
    assert "0x3e7" in it.streams.shards[next(iter(homes["g0"]))].markets
    it.streams.follow(far(n, "wide") for n in range(1_000, 1_130))
    wide = [s for s in it.streams.shards if "wide" in s.groups.values()]
    assert len(wide) == 2
    with pytest.raises(OperatorError, match="fewer markets"):
        it.streams.follow(far(n, "") for n in range(10_000, 20_000))
    it.rest.close()


Answer = Callable[[web.Request], Awaitable[web.StreamResponse]]


async def strange(
    answer: Answer, specs: Sequence[MarketSpec], enough: Callable[[Heard], bool]
) -> Heard:
    """Follow markets on a server that does something else, until it is enough; return what came."""
    app = web.Application()
    app.router.add_get("/ws/market", answer)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    base = f"127.0.0.1:{runner.addresses[0][1]}"
    rest, heard = Rest(f"http://{base}"), Heard()
    streams = MarketStreams(
        f"ws://{base}/ws/market",
        public=PublicReads(rest),
        next_conn=counter(),
        tell=heard.tell,
        seed=1,
    )
    streams.follow(specs)
    running = asyncio.create_task(streams.run(heard))
    await until(lambda: enough(heard), seconds=8)
    assert not running.done()
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)
    await runner.cleanup()
    return heard


@pytest.fixture
def hasty(monkeypatch: pytest.MonkeyPatch) -> None:
    """Try again at once."""
    monkeypatch.setattr(sockets, "LAST_WAIT_S", 0.01)


def test_a11_a_frame_above_the_limit_ends_the_connection_unread() -> None:
    async def huge(request: web.Request) -> web.StreamResponse:
        socket = web.WebSocketResponse()
        await socket.prepare(request)
        await socket.send_str("[" + " " * (2 << 20) + "]")
        await asyncio.sleep(5)
        return socket

    heard = asyncio.run(strange(huge, [spec_of(PLAIN)], lambda it: len(it.of(ConnClosed)) >= 2))
    assert heard.frames == []
    assert len(heard.of(ConnOpened)) >= 2, "and a fresh one is opened"


def test_c18_a_redirect_is_not_followed() -> None:
    asked: list[str] = []

    async def elsewhere(request: web.Request) -> web.StreamResponse:
        asked.append(request.path)
        raise web.HTTPFound("http://127.0.0.1:1/plain")

    heard = asyncio.run(strange(elsewhere, [spec_of(PLAIN)], lambda _: len(asked) >= 3))
    assert set(asked) == {"/ws/market"}
    assert heard.of(ConnOpened) == []
    assert heard.told == [unreachable("ClientConnectionError")]


# --- what the log hears --------------------------------------------------------------------------


def unreachable(why: str) -> tuple[str, str]:
    return "FEED_UNREACHABLE", f"polymarket: could not connect: {why}"


BUSY = unreachable("WSServerHandshakeError, HTTP 503")


@pytest.mark.usefixtures("hasty")
def test_a_venue_that_cannot_be_reached_is_told_once_however_many_connections_want_it() -> None:
    asked: list[str] = []

    async def busy(request: web.Request) -> web.StreamResponse:
        asked.append(request.path)
        raise web.HTTPServiceUnavailable(text="said by the other side", reason="as well as this")

    specs = [far(n, "") for n in range(TOKENS_MAX)]
    heard = asyncio.run(strange(busy, specs, lambda _: len(asked) >= 9))
    assert heard.told == [BUSY]
    assert heard.events[len(specs) :] == [], "nothing was opened"


@pytest.mark.usefixtures("hasty")
def test_a_venue_that_goes_away_again_after_a_connection_is_told_again() -> None:
    asked: list[str] = []

    async def serve(request: web.Request) -> web.StreamResponse:
        asked.append(request.path)
        if len(asked) != 4:
            raise web.HTTPServiceUnavailable
        socket = web.WebSocketResponse()
        await socket.prepare(request)
        await socket.close()
        return socket

    heard = asyncio.run(strange(serve, [spec_of(PLAIN)], lambda _: len(asked) >= 8))
    assert heard.told == [BUSY, BUSY]
    assert len(heard.of(ConnOpened)) == len(heard.of(ConnClosed)) == 1


@pytest.mark.usefixtures("hasty")
@pytest.mark.parametrize("kicked", ["", "no data for 30 s"])
def test_a_connection_that_fails_is_closed_with_the_kind_of_the_failure(
    monkeypatch: pytest.MonkeyPatch, kicked: str
) -> None:
    heard = Heard()
    it = Shard("", next_conn=counter(), reach=Reach("polymarket", heard.tell), rng=Rng(1))
    it.add(PLAIN.condition, PLAIN.tokens, "")

    def before() -> None:
        if kicked:
            it.kick(kicked)

    error = ClientConnectionResetError("said by the other side")
    opening = "polytui.engine.shell.polymarket.shard.open_socket"
    monkeypatch.setattr(opening, Failing(error, before))

    async def main() -> None:
        running = asyncio.create_task(it.run(heard))
        await until(lambda: len(heard.of(ConnClosed)) >= 2)
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)

    asyncio.run(main())
    whys = {event.why for event in heard.of(ConnClosed)}
    assert whys == {kicked or "the connection failed: ClientConnectionResetError"}
    assert heard.told == [], "it could be reached"
