"""A reference desk under test: it is told the time, and its commands are kept."""

from collections.abc import Iterable
from typing import Any

from polytui.engine.core.commands import Command, Reconnect
from polytui.engine.core.enums import FaultKind, Feed, FeedState, Reason, Side
from polytui.engine.core.events import (
    ConnClosed,
    ConnOpened,
    Event,
    Heard,
    RefBeat,
    RefBook,
    RefCounted,
    RefDelta,
    RefIndex,
    RefLevel,
    RefQuote,
    RefTrade,
    Stamped,
    WireFault,
)
from polytui.engine.core.ids import ConnId
from polytui.engine.core.runconfig import ReferenceConfig
from polytui.engine.core.view import FeedView
from polytui.engine.market.reference import ReferenceDesk

S = 1_000_000_000
START_NS = 1_795_176_000 * S
CONN = ConnId(1)
URLS = {
    Feed.COINBASE: "wss://ws-feed.exchange.coinbase.com",
    Feed.COINBASE_ADVANCED: "wss://advanced-trade-ws.coinbase.com",
    Feed.BINANCE: "wss://data-stream.binance.vision",
    Feed.CHAINLINK: "wss://ws-live-data.polymarket.com",
}
POLYBOLT = "wss://ws-live-v2.polymarket.com/ws"
SYMBOLS = {
    Feed.COINBASE: "BTC-USD",
    Feed.COINBASE_ADVANCED: "BTC-USD",
    Feed.BINANCE: "BTCUSDT",
    Feed.CHAINLINK: "btc/usd",
}
CENT = 10_000


class Rig:
    """Feeds events at given seconds after the start."""

    def __init__(self, config: ReferenceConfig | None = None) -> None:
        self.desk = ReferenceDesk(config or ReferenceConfig())
        self.seq = 0
        self.commands: list[Command] = []

    def at(self, seconds: float, *events: Event) -> list[Command]:
        """Apply events at a time, or let that time come when there are none."""
        now_ns = START_NS + round(seconds * S)
        commands: list[Command] = []
        for event in events:
            self.seq += 1
            commands += self.desk.apply(Stamped(self.seq, now_ns, event))
        if not events:
            commands += self.desk.on_time(now_ns, self.seq)
        self.commands += commands
        return commands

    def view(self, feed: Feed) -> FeedView:
        return next(view for view in self.desk.feed_views() if view.feed is feed)

    def state(self, feed: Feed) -> tuple[FeedState, Reason]:
        view = self.view(feed)
        return view.state, view.reason

    def count(self, name: str) -> int:
        return next(counter.value for counter in self.desk.counters() if counter.name == name)

    def live_coinbase(self, seconds: float = 0.0) -> None:
        """Bring the default primary to LIVE within one second."""
        feed = Feed.COINBASE
        self.at(seconds, opened(feed), heard(feed, "subscriptions"), beat(feed, seconds))
        self.at(seconds + 0.5, quote(feed, 91_240_00))
        self.at(seconds + 1, beat(feed, seconds + 1))


def reconnects(commands: Iterable[Command]) -> list[tuple[ConnId, Reason]]:
    return [(c.conn, c.reason) for c in commands if isinstance(c, Reconnect)]


def ns(seconds: float) -> int:
    return START_NS + round(seconds * S)


def opened(feed: Feed, conn: ConnId = CONN, url: str = "") -> ConnOpened:
    return ConnOpened(conn=conn, feed=feed, url=url or URLS[feed])


def closed(feed: Feed, conn: ConnId = CONN) -> ConnClosed:
    return ConnClosed(conn=conn, feed=feed, why="test")


def heard(feed: Feed, what: str, conn: ConnId = CONN) -> Heard:
    return Heard(conn=conn, feed=feed, what=what)


def beat(
    feed: Feed,
    sent_s: float | None = None,
    counter: int | None = None,
    last_trade_id: int | None = None,
    conn: ConnId = CONN,
) -> RefBeat:
    return RefBeat(
        conn=conn,
        feed=feed,
        symbol="" if feed is Feed.COINBASE_ADVANCED else SYMBOLS[feed],
        venue_ns=None if sent_s is None else ns(sent_s),
        counter=counter,
        last_trade_id=last_trade_id,
    )


def quote(
    feed: Feed, bid_cents: int, sequence: int | None = None, symbol: str = "", conn: ConnId = CONN
) -> RefQuote:
    return RefQuote(
        conn=conn,
        feed=feed,
        symbol=symbol or SYMBOLS[feed],
        venue_ns=None,
        bid_u6=bid_cents * CENT,
        bid_qty_u6=None,
        ask_u6=(bid_cents + 1) * CENT,
        ask_qty_u6=None,
        sequence=sequence,
        trade_driven=feed is not Feed.BINANCE,
    )


def trade(feed: Feed, trade_id: int, *, replayed: bool = False) -> RefTrade:
    return RefTrade(
        conn=CONN,
        feed=feed,
        symbol=SYMBOLS[feed],
        venue_ns=None,
        px_u6=1,
        qty_u6=1,
        aggressor=Side.BUY,
        trade_id=trade_id,
        first_id=trade_id if feed is Feed.BINANCE else None,
        replayed=replayed,
    )


def book(
    feed: Feed,
    bids: Iterable[RefLevel] = ((91_240 * 10**6, 10**6),),
    asks: Iterable[RefLevel] = ((91_241 * 10**6, 10**6),),
    update_id: int | None = None,
    symbol: str = "",
) -> RefBook:
    return RefBook(
        conn=CONN,
        feed=feed,
        symbol=symbol or SYMBOLS[feed],
        venue_ns=None,
        bids=tuple(bids),
        asks=tuple(asks),
        update_id=update_id,
    )


def delta(
    feed: Feed,
    bids: Iterable[RefLevel] = (),
    asks: Iterable[RefLevel] = (),
    ids: tuple[int, int] | None = None,
    sent_s: float = 0.0,
) -> RefDelta:
    return RefDelta(
        conn=CONN,
        feed=feed,
        symbol=SYMBOLS[feed],
        venue_ns=ns(sent_s),
        bids=tuple(bids),
        asks=tuple(asks),
        first_update_id=ids[0] if ids else None,
        last_update_id=ids[1] if ids else None,
    )


def index(
    feed_s: int,
    value_cents: int = 91_240_00,
    *,
    replayed: bool = False,
    window_s: int = 0,
    symbol: str = "btc/usd",
    conn: ConnId = CONN,
) -> RefIndex:
    return RefIndex(
        conn=conn,
        feed=Feed.CHAINLINK,
        symbol=symbol,
        venue_ns=ns(feed_s),
        value_u6=value_cents * CENT,
        window_s=window_s,
        provider="chainlink",
        replayed=replayed,
    )


def counted(feed: Feed, sequence: int, channel: str = "") -> RefCounted:
    return RefCounted(conn=CONN, feed=feed, channel=channel, sequence=sequence)


def books(rig: Rig) -> list[tuple[object, object, object]]:
    """List (symbol, best quote, update id) of all products."""
    checkpoint: Any = rig.desk.checkpoint()
    return [
        (symbol, product[1], product[4])
        for _, state in checkpoint[2:]
        for symbol, product in state[4]
    ]


def updates(*seconds: int) -> tuple[Event, ...]:
    """Make settlement values for these seconds."""
    return tuple(index(second) for second in seconds)


def fault(feed: Feed, kind: FaultKind, symbol: str = "") -> WireFault:
    return WireFault(conn=CONN, feed=feed, kind=kind, expected="", got="", market=symbol)
