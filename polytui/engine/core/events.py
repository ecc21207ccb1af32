"""Events: every input of the engine, and nothing else enters it.

An event carries foreign ids as strings and numbers as micro-units; `venue_ms` is the venue's claim
and is used for grouping and lag statistics, never for order or staleness. The sequencer wraps each
event in a `Stamped` with its place and our time.
"""

from msgspec import Struct

from polytui.engine.core.enums import FaultKind, Feed, FeedState, Reason, Side
from polytui.engine.core.ids import ConnId
from polytui.engine.core.runconfig import RunConfig


class Event(Struct, frozen=True, kw_only=True, tag=True, gc=False):
    """Base of all inputs."""


class Stamped(Struct, frozen=True, gc=False):
    """One event in its place in the log."""

    seq: int
    """1, 2, 3 … without gaps."""
    at_ns: int
    """Our time: wall clock at the start of the run plus monotonic time since; never decreasing."""
    event: Event


# --- the run itself ------------------------------------------------------------------------------


class RunStarted(Event, frozen=True, kw_only=True, tag="run_started"):
    """The first event of every log: a log replays without the configuration file."""

    run: str
    """Run id, chosen by the shell; part of every id we mint."""
    version: str
    config: RunConfig


class Turn(Event, frozen=True, kw_only=True, tag="turn"):
    """A batch of input is over, or the clock moved: run due timers, decide on dirty markets."""


class Directive(Event, frozen=True, kw_only=True, tag="directive"):
    """What an operator asks, whatever the way in (key, palette, socket, command line)."""

    id: str
    """Chosen by the sender; a second delivery with the same id changes nothing."""
    action: str
    """An id of `actions.py` whose `directive` is set, e.g. `strategy.pause`."""
    args: tuple[str, ...] = ()
    actor: str = ""


class ConnOpened(Event, frozen=True, kw_only=True, tag="conn_opened"):
    """A connection is up; nothing has been subscribed yet."""

    conn: ConnId
    feed: Feed
    url: str


class ConnClosed(Event, frozen=True, kw_only=True, tag="conn_closed"):
    """A connection is gone, whoever ended it: everything it vouched for is void."""

    conn: ConnId
    feed: Feed
    why: str


class Subscribed(Event, frozen=True, kw_only=True, tag="subscribed"):
    """We asked a connection for these tokens, products or streams."""

    conn: ConnId
    feed: Feed
    topics: tuple[str, ...]


class Heard(Event, frozen=True, kw_only=True, tag="heard"):
    """Bytes that prove the link but carry no data: PONG, subscription answers, heartbeats."""

    conn: ConnId
    feed: Feed
    what: str


class FeedUnavailable(Event, frozen=True, kw_only=True, tag="feed_unavailable"):
    """A feed that will not come: not configured, refused by place (451) or for want of keys."""

    feed: Feed
    state: FeedState
    reason: Reason


class WireFault(Event, frozen=True, kw_only=True, tag="wire_fault"):
    """Bytes that were refused: what was expected, what came, and where."""

    conn: ConnId
    feed: Feed
    kind: FaultKind
    expected: str
    got: str
    """At most 80 characters of the offender, escaped to ASCII."""
    market: str = ""
    """Condition id, where it could be read: that book can no longer be trusted."""


class WireIgnored(Event, frozen=True, kw_only=True, tag="wire_ignored"):
    """A message type or field we do not know: counted, never fatal."""

    conn: ConnId
    feed: Feed
    what: str
    """`type:<name>` or `field:<name>`, escaped, at most 80 characters."""


# --- Polymarket: catalog -------------------------------------------------------------------------


class FeeSchedule(Struct, frozen=True, kw_only=True, gc=False):
    """Taker fee `C·rate·(p(1-p))^exponent` of one market, from the market's own object."""

    rate_u6: int
    exponent: int = 1
    rebate_u6: int = 0
    """Share of taker fees paid back to makers."""


class MarketSpec(Struct, frozen=True, kw_only=True, gc=False):
    """What the catalog knows of a market. Titles are already sanitised (`core.text`)."""

    market: str
    """Condition id."""
    tokens: tuple[str, str]
    """YES and NO token ids in the venue's order; the second may be `""` until it is seen."""
    title: str
    slug: str = ""
    outcomes: tuple[str, str] = ("Yes", "No")
    group: str = ""
    """Slug of the venue's "event" the market belongs to."""
    tick_u6: int = 10_000
    min_qty_u6: int = 5_000_000
    min_order_text: str = "5"
    """`min_order_size` exactly as the venue writes it: an input of the book digest."""
    neg_risk: bool = False
    protocol: str = "v1"
    """Gamma's `version`; an unknown one is never tradable."""
    fees: FeeSchedule | None = None
    """None: unknown, so no taker order."""
    accepting: bool = True
    end_ns: int | None = None
    """Indicative end of trading, venue clock; None when unknown."""


class MarketListed(Event, frozen=True, kw_only=True, tag="market_listed"):
    """A market enters the catalog, or its metadata is replaced."""

    spec: MarketSpec


class MarketAnnounced(Event, frozen=True, kw_only=True, tag="market_announced"):
    """The venue broadcast a new market we did not ask for: counted, not subscribed."""

    conn: ConnId
    market: str
    tokens: tuple[str, ...]
    title: str
    slug: str


class MarketResolved(Event, frozen=True, kw_only=True, tag="market_resolved"):
    """The outcome is known: no more trading on this market."""

    conn: ConnId
    market: str
    winning_token: str
    winning_outcome: str
    venue_ms: int


# --- Polymarket: books ---------------------------------------------------------------------------

Level = tuple[int, int, str, str]
"""(px_u6, qty_u6, price text, size text): texts exactly as received, they are hashed."""

Change = tuple[str, bool, int, int, str, str]
"""(token, is_buy, px_u6, qty_u6, price text, size text); `qty_u6` is the level's new total, 0
deletes it. A plain tuple, because two or more arrive with every message."""

Claim = tuple[str, str, int, int]
"""(token, digest, best_bid_u6, best_ask_u6): what the venue says of a token's whole book after the
change. Digest `""` and prices -1 where absent; 0 = no bid, U = no ask."""


class BookFrame(Event, frozen=True, kw_only=True, tag="book"):
    """The complete book of one token."""

    conn: ConnId
    market: str
    token: str
    venue_ms: int
    digest: str
    bids: tuple[Level, ...]
    """As on the wire; the order is not relied upon."""
    asks: tuple[Level, ...]
    tick_u6: int = 0
    """0 when the frame does not say (only initial frames and REST answers do)."""
    tick_text: str = ""
    last_trade_text: str | None = None
    """`last_trade_price` as written; None when the frame does not say."""
    min_order_text: str = ""
    neg_risk: bool | None = None
    protocol: str = ""
    """`v2` on protocol-V2 markets: an input of the digest."""


class BookDelta(Event, frozen=True, kw_only=True, tag="delta"):
    """Levels that changed in one market, for both of its tokens."""

    conn: ConnId
    market: str
    venue_ms: int
    changes: tuple[Change, ...]
    claims: tuple[Claim, ...]
    """One per token named, from its last entry."""


class PublicTrade(Event, frozen=True, kw_only=True, tag="trade"):
    """Somebody traded. The side is the venue's claim and near noise (`quant.md` §0.8)."""

    conn: ConnId
    market: str
    token: str
    venue_ms: int
    px_u6: int
    qty_u6: int | None
    """None when the venue did not say."""
    side: Side | None


class TickChanged(Event, frozen=True, kw_only=True, tag="tick"):
    """The price grid of a token changed; resting prices stay, rounding rules change."""

    conn: ConnId
    market: str
    token: str
    venue_ms: int
    old_tick_u6: int
    new_tick_u6: int
    new_tick_text: str


class TopQuoted(Event, frozen=True, kw_only=True, tag="top"):
    """The venue's best prices of a token: 0 = no bid, U = no ask."""

    conn: ConnId
    market: str
    token: str
    venue_ms: int
    bid_u6: int
    ask_u6: int


class BookWitness(Event, frozen=True, kw_only=True, tag="witness"):
    """A REST answer about a token's book: evidence against the stream's book."""

    book: BookFrame


# --- reference feeds -----------------------------------------------------------------------------

RefLevel = tuple[int, int]
"""(price, size) in micro-units of the quote and base currency; size 0 removes the level."""


class RefEvent(Event, frozen=True, kw_only=True, tag=False):
    """Common to all events of exchange and settlement feeds."""

    conn: ConnId
    feed: Feed
    symbol: str
    """As the feed writes it (`BTC-USD`, `BTCUSDT`, `btc/usd`)."""
    venue_ns: int | None
    """The source's time stamp, None where the source gives none."""


class RefQuote(RefEvent, frozen=True, kw_only=True, tag="ref_quote"):
    """Best bid and ask of an exchange."""

    bid_u6: int
    bid_qty_u6: int | None
    ask_u6: int
    ask_qty_u6: int | None
    sequence: int | None = None
    trade_driven: bool = False
    """True for Coinbase tickers: sent per trade, so a quiet product has an old one."""


class RefTrade(RefEvent, frozen=True, kw_only=True, tag="ref_trade"):
    """A trade on an exchange, always by the aggressor's side, whatever the wire said."""

    px_u6: int
    qty_u6: int
    aggressor: Side
    trade_id: int
    first_id: int | None = None
    """Binance aggregates: first and last trade id inside."""
    last_id: int | None = None
    replayed: bool = False
    """History sent on subscribing: seeds ids, never counts as a trade."""


class RefBook(RefEvent, frozen=True, kw_only=True, tag="ref_book"):
    """A full book of an exchange (stream snapshot or REST answer)."""

    bids: tuple[RefLevel, ...]
    asks: tuple[RefLevel, ...]
    update_id: int | None = None
    """Binance `lastUpdateId`."""


class RefDelta(RefEvent, frozen=True, kw_only=True, tag="ref_delta"):
    """Levels of an exchange's book that changed; sizes are absolute."""

    bids: tuple[RefLevel, ...]
    asks: tuple[RefLevel, ...]
    first_update_id: int | None = None
    last_update_id: int | None = None


class RefIndex(RefEvent, frozen=True, kw_only=True, tag="ref_index"):
    """A settlement reference value (Chainlink and kin): never a lead signal."""

    value_u6: int
    """Rounded to the nearest micro-dollar from the full-accuracy text."""
    window_s: int
    """Averaging window, 0 for spot."""
    provider: str
    replayed: bool = False
    """Backlog: may fill the settlement series, must not trigger a decision."""


class RefBeat(Event, frozen=True, kw_only=True, tag="ref_beat"):
    """A heartbeat of an exchange feed."""

    conn: ConnId
    feed: Feed
    symbol: str
    """`""` where the beat is per connection."""
    venue_ns: int | None
    counter: int | None
    last_trade_id: int | None = None


class RefCounted(Event, frozen=True, kw_only=True, tag="ref_counted"):
    """The connection-wide sequence number of one Coinbase Advanced or PolyBolt frame.

    Emitted before the frame's own events; greater than expected means loss on that connection.
    """

    conn: ConnId
    feed: Feed
    channel: str
    """`""` where one counter covers all channels."""
    sequence: int


AnyEvent = (
    RunStarted
    | Turn
    | Directive
    | ConnOpened
    | ConnClosed
    | Subscribed
    | Heard
    | FeedUnavailable
    | WireFault
    | WireIgnored
    | MarketListed
    | MarketAnnounced
    | MarketResolved
    | BookFrame
    | BookDelta
    | PublicTrade
    | TickChanged
    | TopQuoted
    | BookWitness
    | RefQuote
    | RefTrade
    | RefBook
    | RefDelta
    | RefIndex
    | RefBeat
    | RefCounted
)
"""The closed set, for decoding a log."""
