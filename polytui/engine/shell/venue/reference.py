"""Coinbase, Binance and the Chainlink relay on loopback, all of one hidden price.

Shapes and rules: `venue/external-feeds.md` §1, §3, §4. The world prints frames as time passes; here
they meet those who asked for them.
"""

import asyncio
from collections.abc import Callable, Iterable
from typing import Final, TypeVar

from aiohttp import WSMsgType, web
from msgspec import DecodeError, Struct
from msgspec.json import Decoder, encode

from polytui.engine.core.enums import Feed
from polytui.engine.core.rng import Rng
from polytui.engine.shell.clock import SECOND_NS, read_mono_ns, sleep_until
from polytui.engine.shell.venue.depth import BinanceDepth, CoinbaseDepth, DepthBook
from polytui.engine.shell.venue.outlet import Outlet
from polytui.engine.shell.venue.venue import Venue
from polytui.engine.sim.exchange.emissions import MS
from polytui.engine.sim.faults import Switches
from polytui.engine.sim.population.reference import BINANCE_SYMBOL, COINBASE_PRODUCT
from polytui.engine.sim.practice_world import PracticeWorld, ReferencePrint

SUBSCRIBE_S: Final = 5
"""Coinbase closes who has not subscribed by then (§1.1)."""
BINANCE_PING_S: Final = 20.0
DEPTH_NS: Final = 100 * MS
SOCKETS_MAX: Final = 100
STREAMS_MAX: Final = 1_024
COINBASE_CHANNELS: Final = ("ticker", "matches", "heartbeat", "level2_batch")
TOPIC: Final = "crypto_prices_chainlink"
FILTER: Final = '{"symbol":"btc/usd"}'
"""Any other text, a blank in it even, is accepted and never answered (§4.1)."""


class _Channel(Struct):
    name: str
    product_ids: list[str] = []


class _CoinbaseWish(Struct):
    type: str
    product_ids: list[str] = []
    channels: list[str | _Channel] = []


class _BinanceWish(Struct):
    method: str = ""
    params: list[str] = []
    id: int | str | None = None


class _Subscription(Struct):
    topic: str
    type: str = "*"
    filters: str = ""


class _RelayWish(Struct):
    action: str
    subscriptions: list[_Subscription] = []


Wish = TypeVar("Wish", _CoinbaseWish, _BinanceWish, _RelayWish)


class _Ear:
    """One socket and the channels it asked for."""

    __slots__ = ("channels", "is_raw", "outlet")

    def __init__(self, outlet: Outlet, *, is_raw: bool = False) -> None:
        self.outlet = outlet
        self.channels: set[str] = set()
        self.is_raw = is_raw


class References:
    """The sockets of all three feeds."""

    def __init__(self, venue: Venue, world: PracticeWorld) -> None:
        """Serve a world's prices."""
        self._venue = venue
        self._world = world
        rng = Rng(venue.seed).fork("reference wire")
        self._rng = rng
        self._opened = 0
        self._ears: dict[Feed, set[_Ear]] = {
            feed: set() for feed in (Feed.COINBASE, Feed.BINANCE, Feed.CHAINLINK)
        }
        truth = world.path.truth
        book = DepthBook(lambda: truth.now, rng.fork("binance depth"))
        self.binance = BinanceDepth(BINANCE_SYMBOL, book)
        book = DepthBook(lambda: truth.seen(2 * DEPTH_NS), rng.fork("coinbase depth"))
        self.coinbase = CoinbaseDepth(COINBASE_PRODUCT, book)
        self._depth_ns = world.now_ns

    def routes(self) -> list[web.RouteDef]:
        """List the handlers."""
        return [
            web.get("/coinbase", self.serve_coinbase),
            web.get("/binance/ws/{streams:.*}", self.serve_binance),
            web.get("/binance/stream", self.serve_binance),
            web.get("/binance/api/v3/depth", self.depth),
            web.get("/rtds", self.serve_chainlink),
        ]

    # --- out -------------------------------------------------------------------------------------

    def publish(self, prints: Iterable[ReferencePrint]) -> None:
        """Send what the world printed, and the books' changes that are due."""
        frozen = _frozen(self._venue.switches)
        for printed in prints:
            if printed.feed not in frozen:
                self._send(printed.feed, channel_of(printed), printed.data)
        self._send_depth(frozen)

    def _send_depth(self, frozen: set[Feed]) -> None:
        now_ns = self._venue.exchange.now_ns
        while self._depth_ns + DEPTH_NS <= now_ns:
            self._depth_ns = max(self._depth_ns + DEPTH_NS, now_ns - DEPTH_NS)
            binance = self.binance.step(self._depth_ns // MS)
            coinbase = self.coinbase.step(self._depth_ns)
            if Feed.BINANCE not in frozen:
                self._send(Feed.BINANCE, f"{BINANCE_SYMBOL.lower()}@depth@100ms", binance)
            if Feed.COINBASE not in frozen:
                self._send(Feed.COINBASE, "level2_batch", coinbase)

    def _send(self, feed: Feed, channel: str, data: bytes) -> None:
        raw: bytes | None = None
        for ear in self._ears[feed]:
            if channel not in ear.channels:
                continue
            if ear.is_raw:
                raw = raw or data[data.index(b'"data":') + 7 : -1]
            ear.outlet.say(raw if ear.is_raw and raw is not None else data)

    # --- Coinbase --------------------------------------------------------------------------------

    async def serve_coinbase(self, request: web.Request) -> web.WebSocketResponse:
        """Serve the exchange feed."""
        ear, socket = await self._open(request, Feed.COINBASE)

        def read(wish: _CoinbaseWish) -> None:
            kind = wish.type
            names, products = _named(wish)
            if kind not in ("subscribe", "unsubscribe") or COINBASE_PRODUCT not in products:
                what = "Failed to subscribe" if kind == "subscribe" else "Malformed JSON"
                why = f"expected {COINBASE_PRODUCT} and a known type"
                ear.outlet.say(encode({"type": "error", "message": what, "reason": why}))
                return
            fresh = names - ear.channels if kind == "subscribe" else set()
            ear.channels = ear.channels | names if kind == "subscribe" else ear.channels - names
            self._greet(ear, fresh)

        guard = asyncio.create_task(_expect_wish(ear, socket))
        try:
            return await self._listen(socket, ear, _coinbase_wish, read)
        finally:
            guard.cancel()

    def _greet(self, ear: _Ear, fresh: set[str]) -> None:
        told = [
            {"name": name, "product_ids": [COINBASE_PRODUCT]}
            for name in COINBASE_CHANNELS
            if name in ear.channels
        ]
        ear.outlet.say(encode({"type": "subscriptions", "channels": told}))
        if "matches" in fresh:
            ear.outlet.say(self._world.coinbase.greet(self._world.now_ns)[1])
        if "level2_batch" in fresh:
            ear.outlet.say(self.coinbase.snapshot())

    # --- Binance ---------------------------------------------------------------------------------

    async def serve_binance(self, request: web.Request) -> web.WebSocketResponse:
        """Serve raw or combined streams; what is wanted stands in the address, or comes later."""
        is_raw = "streams" in request.match_info
        text = request.match_info.get("streams") or request.query.get("streams", "")
        ear, socket = await self._open(request, Feed.BINANCE, is_raw=is_raw)
        ear.channels = set(text.split("/")[:STREAMS_MAX]) - {""}

        def read(wish: _BinanceWish) -> None:
            if wish.method == "SUBSCRIBE":
                ear.channels |= set(wish.params)
            elif wish.method == "UNSUBSCRIBE":
                ear.channels -= set(wish.params)
            ear.outlet.say(encode({"result": None, "id": wish.id}))

        return await self._listen(socket, ear, _binance_wish, read)

    async def depth(self, request: web.Request) -> web.StreamResponse:
        """Answer `GET /api/v3/depth`."""
        query = request.query
        limit = query.get("limit", "100")
        if query.get("symbol") != BINANCE_SYMBOL or not limit.isdecimal():
            answer = {"code": -1121, "msg": "Invalid symbol."}
            return web.json_response(answer, status=400)
        body = self.binance.snapshot(min(int(limit), 5_000))
        return web.Response(body=body, content_type="application/json")

    # --- Chainlink -------------------------------------------------------------------------------

    async def serve_chainlink(self, request: web.Request) -> web.WebSocketResponse:
        """Serve the legacy relay: one bad topic silences the batch, PING has no answer."""
        ear, socket = await self._open(request, Feed.CHAINLINK)

        def read(wish: _RelayWish) -> None:
            if any(asked.topic != TOPIC for asked in wish.subscriptions):
                return
            heard = any(asked.filters in (FILTER, "") for asked in wish.subscriptions)
            if wish.action == "unsubscribe":
                ear.channels.clear()
            elif heard:
                ear.channels.add(TOPIC)
                ear.outlet.say(self._world.chainlink.backlog(self._world.now_ns))

        return await self._listen(socket, ear, _relay_wish, read)

    # --- sockets ---------------------------------------------------------------------------------

    async def _open(
        self, request: web.Request, feed: Feed, *, is_raw: bool = False
    ) -> tuple[_Ear, web.WebSocketResponse]:
        if sum(len(ears) for ears in self._ears.values()) >= SOCKETS_MAX:
            raise web.HTTPServiceUnavailable(text=f"{SOCKETS_MAX} sockets are open already")
        ping_s = BINANCE_PING_S if feed is Feed.BINANCE else None
        socket = web.WebSocketResponse(heartbeat=ping_s, compress=feed is Feed.COINBASE)
        await socket.prepare(request)
        self._opened += 1
        ear = _Ear(Outlet(socket, self._rng.fork(str(self._opened))), is_raw=is_raw)
        self._ears[feed].add(ear)
        return ear, socket

    async def _listen(
        self,
        socket: web.WebSocketResponse,
        ear: _Ear,
        decoder: Decoder[Wish],
        read: Callable[[Wish], None],
    ) -> web.WebSocketResponse:
        """Read wishes until the socket ends; what is none is ignored, as the feeds do."""
        writer = asyncio.create_task(ear.outlet.run())
        try:
            async for message in socket:
                if message.type is not WSMsgType.TEXT:
                    continue
                try:
                    wish = decoder.decode(message.data)
                except (DecodeError, RecursionError):
                    continue
                read(wish)
        finally:
            writer.cancel()
            for ears in self._ears.values():
                ears.discard(ear)
        return socket


_coinbase_wish: Final = Decoder(_CoinbaseWish)
_binance_wish: Final = Decoder(_BinanceWish)
_relay_wish: Final = Decoder(_RelayWish)


async def _expect_wish(ear: _Ear, socket: web.WebSocketResponse) -> None:
    """Close a socket that does not say in time what it wants."""
    await sleep_until(read_mono_ns() + SUBSCRIBE_S * SECOND_NS)
    if not ear.channels:
        await socket.close(code=1008, message=b"no subscribe")


def _named(wish: _CoinbaseWish) -> tuple[set[str], set[str]]:
    """Read the channels and products of a subscription, in either of its forms."""
    names: set[str] = set()
    products = set(wish.product_ids)
    for channel in wish.channels:
        if isinstance(channel, str):
            names.add(channel)
        else:
            names.add(channel.name)
            products |= set(channel.product_ids)
    return names & set(COINBASE_CHANNELS), products


def channel_of(printed: ReferencePrint) -> str:
    """Say on which channel a frame belongs."""
    data = printed.data
    if printed.feed is Feed.BINANCE:
        return data[11 : data.index(b'"', 11)].decode()
    if printed.feed is Feed.CHAINLINK:
        return TOPIC
    kind = data[9 : data.index(b'"', 9)]
    return {b"ticker": "ticker", b"heartbeat": "heartbeat"}.get(kind, "matches")


def _frozen(switches: Switches) -> set[Feed]:
    flags = (
        (Feed.COINBASE, switches.coinbase_freeze),
        (Feed.BINANCE, switches.binance_freeze),
        (Feed.CHAINLINK, switches.chainlink_freeze),
    )
    return {feed for feed, is_frozen in flags if is_frozen}
