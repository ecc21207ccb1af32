"""The two Polymarket streams: who listens to what, and the sockets themselves."""

import asyncio
from collections.abc import Callable, Iterable
from typing import Final

from aiohttp import WSMsgType, web
from msgspec import DecodeError, Struct
from msgspec.json import decode, encode

from polytui.engine.core.rng import Rng
from polytui.engine.shell.venue.keys import ApiKey, KeyRing, stream_login
from polytui.engine.shell.venue.outlet import CALM, Outlet, Weather
from polytui.engine.shell.venue.user_feed import Record, bent
from polytui.engine.sim.faults import Switches
from polytui.engine.sim.venue_frames import CUSTOM, Frame, FrameKind, MarketTape

Opener = Callable[[Outlet], tuple[Callable[["_Wish"], None], Callable[[], None]]]
"""Makes a socket's place in the hub: what to do with its messages, and how to leave."""

INITIAL_BOOKS_MAX: Final = 500
"""Assets of one connection above which no initial books come (undocumented, §4.3)."""
MESSAGE_MAX: Final = 1 << 20
"""Longest message from a client, bytes: a subscription to 500 assets is 40 kB."""
ASSETS_MAX: Final = 5_000
SOCKETS_MAX: Final = 500


class _Wish(Struct, kw_only=True):
    """A message of a client, either stream's; unknown members are fine."""

    type: str = ""
    operation: str = ""
    assets_ids: list[str] | None = None
    custom_feature_enabled: bool = False
    initial_dump: bool = True
    auth: dict[str, str] = {}
    markets: list[str] | None = None


class _Listener:
    """One market socket."""

    __slots__ = ("assets", "is_custom", "outlet")

    def __init__(self, outlet: Outlet) -> None:
        self.outlet = outlet
        self.assets: set[str] = set()
        self.is_custom = False


class _Reader:
    """One user socket."""

    __slots__ = ("key", "markets", "outlet")

    def __init__(self, outlet: Outlet) -> None:
        self.outlet = outlet
        self.key: ApiKey | None = None
        self.markets: set[str] | None = None
        """None: all."""


class Hub:
    """Every socket of the two streams."""

    def __init__(self, tape: MarketTape, ring: KeyRing, rng: Rng) -> None:
        """Start with nobody listening."""
        self._tape = tape
        self._ring = ring
        self._rng = rng.fork("sockets")
        self._bend = rng.fork("shapes")
        self._opened = 0
        self._listeners: set[_Listener] = set()
        self._readers: set[_Reader] = set()
        self._by_token: dict[str, set[_Listener]] = {}
        self._sockets: dict[asyncio.Transport, bool] = {}
        """Open connections; True: of the market stream."""
        self.switches = Switches()

    # --- out -------------------------------------------------------------------------------------

    def apply(self, switches: Switches) -> None:
        """Change the weather of every socket."""
        self.switches = switches
        for listener in self._listeners:
            listener.outlet.weather = self._market_weather()
        for reader in self._readers:
            reader.outlet.weather = self._user_weather()

    def publish(self, frames: Iterable[Frame]) -> None:
        """Send market frames to those who listen."""
        for frame in frames:
            if frame.kind in CUSTOM and not frame.token:
                self._broadcast(frame)
            elif frame.kind is FrameKind.PRICE_CHANGE:
                self._publish_change(frame)
            elif frame.token not in self.switches.deaf_tokens:
                for listener in self._by_token.get(frame.token, ()):
                    if listener.is_custom or frame.kind not in CUSTOM:
                        listener.outlet.offer(frame.data)

    def _broadcast(self, frame: Frame) -> None:
        for listener in self._listeners:
            if listener.is_custom:
                listener.outlet.offer(frame.data)

    def _publish_change(self, frame: Frame) -> None:
        """Send changed levels: whole, or without deaf tokens, or torn in two."""
        tokens = list(dict.fromkeys(token for token, _ in frame.entries))
        heard = [token for token in tokens if token not in self.switches.deaf_tokens]
        torn_ms = self.switches.torn_ms
        if len(heard) == len(tokens) and not torn_ms:
            self._offer(tokens, frame.data, mirror_ms=0)
            return
        for n, token in enumerate(heard):
            data = frame.only(token).data
            self._offer(tokens, data, mirror_ms=torn_ms if n else 0)

    def _offer(self, tokens: list[str], data: bytes, *, mirror_ms: int) -> None:
        for listener in self._audience(tokens):
            listener.outlet.offer(data, mirror_ms=mirror_ms)

    def _audience(self, tokens: list[str]) -> Iterable[_Listener]:
        """Find who listens to any of these; nearly always all listen to both."""
        sets = [self._by_token[token] for token in tokens if token in self._by_token]
        if len(sets) == 2 and sets[0] != sets[1]:
            return sets[0] | sets[1]
        return sets[0] if sets else ()

    def tell(self, owner: str, record: Record) -> None:
        """Send an event to an owner's user sockets."""
        data: bytes | None = None
        for reader in self._readers:
            if reader.key is None or reader.key.key != owner:
                continue
            if reader.markets is not None and record["market"] not in reader.markets:
                continue
            if data is None:
                odd = self.switches.odd_shapes
                is_odd = odd > 0 and self._bend.chance(odd)
                data = encode(bent(record, self._bend) if is_odd else record)
            reader.outlet.offer(data)

    def has_reader(self, owner: str) -> bool:
        """Tell whether anybody listens for this owner: who does not listen costs nothing."""
        return any(reader.key is not None and reader.key.key == owner for reader in self._readers)

    def cut(self, *, market: bool, user: bool) -> None:
        """End sockets without a word, as a failing network does."""
        for transport, is_market in tuple(self._sockets.items()):
            if market if is_market else user:
                transport.abort()

    def counts(self) -> tuple[int, int]:
        """Count the market and the user sockets."""
        return len(self._listeners), len(self._readers)

    def _market_weather(self) -> Weather:
        now = self.switches
        return _calm_or(
            Weather(
                is_frozen=now.market_freeze,
                drop=now.frame_drop,
                repeat=now.frame_repeat,
                swap=now.frame_swap,
                delay=now.market_delay,
            )
        )

    def _user_weather(self) -> Weather:
        now = self.switches
        return _calm_or(
            Weather(
                is_frozen=now.user_freeze,
                drop=now.user_drop,
                repeat=now.user_repeat,
                swap=now.user_swap,
                delay=now.user_delay,
            )
        )

    # --- sockets ---------------------------------------------------------------------------------

    async def market(self, request: web.Request) -> web.WebSocketResponse:
        """Serve `/ws/market`."""

        def open_(outlet: Outlet) -> tuple[Callable[[_Wish], None], Callable[[], None]]:
            listener = _Listener(outlet)
            outlet.weather = self._market_weather()
            self._listeners.add(listener)
            return lambda wish: self._listen(listener, wish), lambda: self._leave(listener)

        return await self._serve(request, open_, is_market=True)

    async def user(self, request: web.Request) -> web.WebSocketResponse:
        """Serve `/ws/user`."""

        def open_(outlet: Outlet) -> tuple[Callable[[_Wish], None], Callable[[], None]]:
            reader = _Reader(outlet)
            outlet.weather = self._user_weather()
            self._readers.add(reader)
            return lambda wish: self._read(reader, wish), lambda: self._readers.discard(reader)

        return await self._serve(request, open_, is_market=False)

    async def _serve(
        self, request: web.Request, open_: Opener, *, is_market: bool
    ) -> web.WebSocketResponse:
        if len(self._sockets) >= SOCKETS_MAX:
            raise web.HTTPServiceUnavailable(text=f"{SOCKETS_MAX} sockets are open already")
        socket = web.WebSocketResponse(max_msg_size=MESSAGE_MAX, compress=False)
        await socket.prepare(request)
        self._opened += 1
        outlet = Outlet(socket, self._rng.fork(str(self._opened)))
        on_wish, on_close = open_(outlet)
        transport = request.transport
        assert transport is not None, "expected a connection"
        self._sockets[transport] = is_market
        writer = asyncio.create_task(outlet.run())
        try:
            await self._listen_to(socket, outlet, on_wish)
        finally:
            writer.cancel()
            on_close()
            del self._sockets[transport]
        return socket

    async def _listen_to(
        self, socket: web.WebSocketResponse, outlet: Outlet, on_wish: Callable[[_Wish], None]
    ) -> None:
        async for message in socket:
            if message.type is not WSMsgType.TEXT:
                continue
            if message.data == "PING":
                outlet.say(b"PONG")
                continue
            try:
                wish = decode(message.data, type=_Wish)
            except DecodeError:
                outlet.say(b"INVALID OPERATION")
                continue
            try:
                on_wish(wish)
            except PermissionError:
                await socket.close(code=1008, message=b"auth")

    # --- wishes ----------------------------------------------------------------------------------

    def _listen(self, listener: _Listener, wish: _Wish) -> None:
        assets = list(dict.fromkeys(wish.assets_ids or []))[:ASSETS_MAX]
        listener.is_custom = listener.is_custom or wish.custom_feature_enabled
        if wish.operation == "unsubscribe":
            for asset in assets:
                listener.assets.discard(asset)
                self._by_token.get(asset, set()).discard(listener)
            return
        for asset in assets:
            listener.assets.add(asset)
            self._by_token.setdefault(asset, set()).add(listener)
        is_short = len(listener.assets) <= INITIAL_BOOKS_MAX
        switches = self.switches
        if not is_short or switches.no_initial_books or switches.market_freeze:
            return
        if wish.initial_dump and (assets or not wish.operation):
            heard = [asset for asset in assets if asset not in switches.deaf_tokens]
            listener.outlet.say(self._tape.initial_books(heard))

    def _leave(self, listener: _Listener) -> None:
        self._listeners.discard(listener)
        for asset in listener.assets:
            self._by_token.get(asset, set()).discard(listener)

    def _read(self, reader: _Reader, wish: _Wish) -> None:
        markets = set(wish.markets) if wish.markets else None
        if wish.operation and reader.key is not None:
            self._narrow(reader, wish.operation, markets or set())
            return
        reader.key = stream_login(self._ring, wish.auth)
        reader.markets = markets
        if reader.key is None:
            raise PermissionError("expected the credentials of an API key")

    @staticmethod
    def _narrow(reader: _Reader, operation: str, markets: set[str]) -> None:
        if operation == "subscribe":
            reader.markets = (reader.markets or set()) | markets
        elif reader.markets is not None:
            reader.markets -= markets


def _calm_or(weather: Weather) -> Weather:
    """Name calm weather by its one value, so that a healthy venue's frames skip all of this."""
    return CALM if weather == CALM else weather
