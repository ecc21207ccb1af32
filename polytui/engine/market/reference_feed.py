"""One reference feed: its connection, products, gap rules and health.

A `FeedDesk` owns everything known from one feed and takes only events of its current connection:
a new connection makes everything before it void. Gaps are of four kinds (`venue/external-feeds.md`
§1.3, §2.2, §3.2, §3.3): a lost trade spoils the trade flow and nothing else; a break of Binance's
depth ids restarts that book; a lost frame of a counted connection, or a refused frame under a book
without ids, voids all books and asks for a new connection. The desk around it is `reference`.
"""

from collections.abc import Callable, Mapping
from typing import Any

from polytui.engine.core.commands import Command, ReadReferenceBook, Reconnect
from polytui.engine.core.enums import FaultKind, Feed, Reason
from polytui.engine.core.events import (
    ConnClosed,
    ConnOpened,
    Event,
    FeedUnavailable,
    Heard,
    RefBeat,
    RefBook,
    RefCounted,
    RefDelta,
    RefIndex,
    RefQuote,
    RefTrade,
    Stamped,
    Subscribed,
    WireFault,
    WireIgnored,
)
from polytui.engine.core.ids import ConnId
from polytui.engine.market.reference_book import Product, ReferenceQuote
from polytui.engine.market.reference_flow import IndexSeries
from polytui.engine.market.reference_health import Evidence, Health, Lag, limits_of

PRODUCTS_MAX = 64
"""Products followed per feed; more are counted and ignored."""

CHANNELS_MAX = 64
"""Counted channels per connection: PolyBolt allows 64 subscriptions."""

SERIES_MAX = 16
"""Settlement series (symbol and window) kept."""

PX_U6_MIN = 10_000
"""Below one cent a micro-unit is more than a basis point: there is no honest quote."""

LATE_NS = 2_000_000_000
"""A heartbeat this much later than the best of 5 minutes makes the feed DEGRADED."""

STILL_BEATS = 5
"""Heartbeats that may name the same sequence before a busy product counts as frozen upstream."""

_BUSY = ("BTC-",)
"""Products of which something changes every second."""

_BOOK_FIRST = frozenset({Feed.COINBASE, Feed.COINBASE_ADVANCED})
"""Feeds whose book is better than their ticker, which is sent per trade."""

_EVIDENCE: Mapping[str, Evidence] = {
    "subscriptions": Evidence.ANSWER,
    "authed": Evidence.ANSWER,
    "backlog": Evidence.BACKLOG,
}
"""What `Heard.what` proves; everything else proves the link only."""

DROPPED = "dropped"
"""`Heard.what` when the other side left values out: a gap without a number."""


Routes = Mapping[type[Event], Callable[[Any, int], None]]
"""Who takes an event of a type; the types are checked where the routes are listed."""


def feed_symbol(feed: Feed, symbol: str) -> str:
    """Reduce a feed's symbol, or the canonical one, to what both have in common: `btcusd`.

    Binance quotes in USDT: its `BTCUSDT` stands for `BTC-USD`, kept apart by the basis.
    """
    plain = symbol.lower().replace("-", "").replace("/", "")
    return plain.removesuffix("t") if feed is Feed.BINANCE and plain.endswith("usdt") else plain


class FeedDesk:
    """Owner of the state of one feed."""

    def __init__(self, feed: Feed, symbol: str, *, configured: bool) -> None:
        """Follow `symbol` (canonical) on a feed that has not connected yet."""
        self.feed = feed
        self.conn: ConnId | None = None
        self.health = Health(limits_of(feed, symbol=symbol), configured=configured)
        self.lag = Lag()
        self.last_ns: int | None = None
        self.messages = 0
        self.faults = 0
        self.ignored = 0
        self.opened = 0
        self.late = 0
        """Events of an older connection, repeated or out of order: not used."""
        self.over_limit = 0
        """Events beyond `PRODUCTS_MAX`, `CHANNELS_MAX` or `SERIES_MAX`: not used."""
        self.losses = 0
        """Frames or values known to be lost, of whatever number."""
        self.past_gaps = 0
        """Gaps of products of earlier connections."""
        self.products: dict[str, Product] = {}
        self.series: dict[tuple[str, int], IndexSeries] = {}
        self._symbol = symbol
        self._plain = feed_symbol(feed, symbol)
        self._ours: Product | None = None
        self._expected: dict[str, int] = {}
        self._skipping = False
        self._beat_counter = -1
        self._still_beats = 0
        self._cause = 0
        self._out: list[Command] = []
        self._life: Routes = {
            ConnOpened: self._on_opened,
            ConnClosed: self._on_closed,
            FeedUnavailable: self._on_unavailable,
        }
        self._data: Routes = {
            Subscribed: self._on_subscribed,
            Heard: self._on_heard,
            WireFault: self._on_fault,
            WireIgnored: self._on_ignored,
            RefQuote: self._on_quote,
            RefTrade: self._on_trade,
            RefBook: self._on_book,
            RefDelta: self._on_delta,
            RefIndex: self._on_index,
            RefBeat: self._on_beat,
        }

    # --- in ---------------------------------------------------------------------------------

    def apply(self, stamped: Stamped) -> list[Command]:
        """Take one event of this feed: silence before it first, then what it says."""
        event, now_ns = stamped.event, stamped.at_ns
        self._cause = stamped.seq
        self._judge(now_ns)
        if (route := self._life.get(type(event))) is not None:
            route(event, now_ns)
        elif getattr(event, "conn", None) != self.conn:
            self.late += 1
        else:
            self._hear(event, now_ns)
        self._judge(now_ns)
        return self._taken()

    def on_time(self, now_ns: int, cause_seq: int) -> list[Command]:
        """Judge silence, doubts and unanswered snapshots."""
        self._cause = cause_seq
        self._judge(now_ns)
        for symbol, product in self.products.items():
            self._check_book(symbol, product, now_ns)
        return self._taken()

    def _hear(self, event: Event, now_ns: int) -> None:
        if type(event) is RefCounted:
            self._counted(event)
            return
        self.last_ns = now_ns
        self.messages += 1
        if self._skipping and type(event) is not WireFault:
            self.late += 1
        else:
            self._data[type(event)](event, now_ns)

    # --- out --------------------------------------------------------------------------------

    @property
    def gaps(self) -> int:
        """Count all gaps: lost frames, lost trades, breaks of depth ids."""
        return (
            self.losses + self.past_gaps + sum(product.gaps for product in self.products.values())
        )

    def quote(self, now_ns: int) -> ReferenceQuote | None:
        """Return the best prices we may show: fresh, uncrossed, from a usable feed; else None."""
        product = self._ours
        if product is None or not self.health.is_usable:
            return None
        book = None if product.book.merged else product.book.top()
        ranked = (book, product.quote) if self.feed in _BOOK_FIRST else (product.quote, book)
        for quote in ranked:
            if quote is not None and not self.health.is_absent(quote.at_ns, now_ns):
                honest = PX_U6_MIN <= quote.bid_u6 < quote.ask_u6
                return quote if honest else None
        return None

    def index(self, window_s: int, now_ns: int) -> RefIndex | None:
        """Return the newest settlement value of our symbol, or None when it is too old."""
        series = self.series.get((self._plain, window_s))
        if series is None or not self.health.is_usable:
            return None
        return None if self.health.is_absent(series.last_ns, now_ns) else series.last

    def value_u6(self, now_ns: int) -> int | None:
        """Return one number for the price: the mid, or the settlement value, shortest window."""
        quote = self.quote(now_ns)
        if quote is not None:
            return (quote.bid_u6 + quote.ask_u6) // 2
        for _, window_s in sorted(key for key in self.series if key[0] == self._plain):
            value = self.index(window_s, now_ns)
            if value is not None:
                return value.value_u6
        return None

    def mark(self, now_ns: int) -> tuple[int, ...]:
        """Return what changes when the content does: best prices and trade ids, or the value."""
        quote, product = self.quote(now_ns), self._ours
        if quote is None or product is None:
            value_u6 = self.value_u6(now_ns)
            return () if value_u6 is None else (value_u6,)
        ids = (product.trades.last_id or 0, product.aggregates.last_id or 0)
        return (quote.bid_u6, quote.ask_u6, *ids)

    def is_flow_complete(self, now_ns: int) -> bool:
        """Tell whether no trade of our symbol was lost in the window features look back."""
        product = self._ours
        if product is None:
            return False
        chains = (product.trades, product.aggregates)
        return all(c.is_complete(now_ns) for c in chains if c.last_id is not None) and any(
            c.last_id is not None for c in chains
        )

    def points(self, window_s: int) -> tuple[tuple[int, int], ...]:
        """List the settlement series of our symbol, history included."""
        series = self.series.get((self._plain, window_s))
        return () if series is None else tuple(series.points.items())

    def doubt(self, name: str, reason: Reason, *, holds: bool, now_ns: int) -> None:
        """Take the verdict of a comparison with other feeds."""
        self.health.doubt(name, reason, holds=holds)
        self._judge(now_ns)

    def counters(self) -> tuple[tuple[str, int], ...]:
        """Count what limits and rules kept out."""
        books = [product.book for product in self.products.values()]
        bridges = [p.bridge for p in self.products.values() if p.bridge is not None]
        return (
            ("late", self.late),
            ("over_limit", self.over_limit),
            ("levels_trimmed", sum(book.trimmed for book in books)),
            ("levels_merged", sum(book.merged for book in books)),
            ("deltas_dropped", sum(bridge.dropped for bridge in bridges)),
            ("snapshots_too_old", sum(bridge.too_old for bridge in bridges)),
        )

    def checkpoint(self) -> tuple[object, ...]:
        """Give the state as plain values in a fixed order."""
        products = tuple(
            (symbol, product.checkpoint()) for symbol, product in sorted(self.products.items())
        )
        series = tuple(
            (*key, tuple(value.points.items())) for key, value in sorted(self.series.items())
        )
        state = (self.conn or 0, self.health.state.value, self.health.reason.value)
        counts = (self.messages, self.faults, self.ignored, self.opened, self.gaps)
        counted = tuple(sorted(self._expected.items()))
        return (state, counts, self.counters(), counted, products, series)

    # --- life of the connection --------------------------------------------------------------

    def _on_opened(self, event: ConnOpened, now_ns: int) -> None:
        self._forget()
        self.conn = event.conn
        self.opened += 1
        self.health.open(limits_of(self.feed, url=event.url, symbol=self._symbol), now_ns)

    def _on_closed(self, event: ConnClosed, _now_ns: int) -> None:
        if event.conn != self.conn:
            self.late += 1
            return
        self._forget()
        self.health.close()

    def _on_unavailable(self, event: FeedUnavailable, _now_ns: int) -> None:
        self._forget()
        self.health.refuse(event.state, event.reason)

    def _forget(self) -> None:
        """Void everything that the connection vouched for; values of the past stay history."""
        self.past_gaps += sum(product.gaps for product in self.products.values())
        self.conn = None
        self.products = {}
        self._ours = None
        self._expected = {}
        self._skipping = False
        self._beat_counter = -1
        self._still_beats = 0

    # --- data ---------------------------------------------------------------------------------

    def _on_heard(self, event: Heard, now_ns: int) -> None:
        evidence = _EVIDENCE.get(event.what)
        if evidence is not None:
            self.health.note(evidence, now_ns)
        elif event.what == DROPPED:
            self.losses += 1

    def _on_subscribed(self, _event: Subscribed, _now_ns: int) -> None:
        """Our own doing proves nothing about the other side."""

    def _on_ignored(self, _event: WireIgnored, _now_ns: int) -> None:
        self.ignored += 1

    def _on_fault(self, event: WireFault, _now_ns: int) -> None:
        """Refused bytes may have been a book change: without ids the book is no longer known."""
        self.faults += 1
        if event.kind is FaultKind.REMOTE_ERROR or self.feed not in _BOOK_FIRST:
            return
        named = self.products.get(event.market)
        doubtful = list(self.products.values()) if named is None else [named]
        if any(product.book.update_id is not None for product in doubtful):
            self._lose(Reason.WIRE_FAULT)

    def _on_quote(self, event: RefQuote, now_ns: int) -> None:
        product = self._product(event.symbol, now_ns)
        if product is None:
            return
        if event.sequence is not None:
            repeats = event.sequence == product.sequence and self.feed is Feed.BINANCE
            if event.sequence < product.sequence or repeats:
                self.late += 1
                return
            product.sequence = event.sequence
        product.quote = ReferenceQuote(
            bid_u6=event.bid_u6,
            bid_qty_u6=event.bid_qty_u6,
            ask_u6=event.ask_u6,
            ask_qty_u6=event.ask_qty_u6,
            at_ns=now_ns,
            from_book=False,
        )
        self._note_value(product, event.venue_ns, now_ns)
        if event.trade_driven:
            product.book.compare(bid_u6=event.bid_u6, ask_u6=event.ask_u6)
            self._check_book(event.symbol, product, now_ns)

    def _on_trade(self, event: RefTrade, now_ns: int) -> None:
        product = self._product(event.symbol, now_ns)
        if product is None:
            return
        chain = product.trades if event.first_id is None else product.aggregates
        if event.replayed:
            chain.seed(event.trade_id)
        elif not chain.accept(event.trade_id, now_ns):
            self.late += 1
        elif event.venue_ns is not None:
            self.lag.note(at_ns=now_ns, venue_ns=event.venue_ns)

    def _on_book(self, event: RefBook, now_ns: int) -> None:
        product = self._product(event.symbol, now_ns)
        if product is None:
            return
        if product.bridge is None:
            product.book.load(event, now_ns)
        else:
            product.bridge.load(event, now_ns)
        if product.is_ours and product.book.update_id is not None:
            self.health.note(Evidence.BOOK, now_ns)
            if product.bridge is None:
                self.health.note(Evidence.VALUE, now_ns)
        self._check_book(event.symbol, product, now_ns)

    def _on_delta(self, event: RefDelta, now_ns: int) -> None:
        product = self._product(event.symbol, now_ns)
        if product is None:
            return
        if product.bridge is not None:
            product.bridge.apply(event, now_ns)
        elif product.book.update_id is None:
            self.late += 1
            return
        elif self.feed is Feed.COINBASE and (event.venue_ns or 0) < product.book.venue_ns:
            self._lose(Reason.OUT_OF_ORDER)
            return
        else:
            product.book.apply(event, now_ns)
            self._note_value(product, event.venue_ns, now_ns)
        self._check_book(event.symbol, product, now_ns)

    def _on_index(self, event: RefIndex, now_ns: int) -> None:
        plain = feed_symbol(self.feed, event.symbol)
        key = (plain, event.window_s)
        series = self.series.get(key)
        if series is None:
            if len(self.series) >= SERIES_MAX:
                self.over_limit += 1
                return
            series = self.series[key] = IndexSeries()
        if series.accept(event, now_ns) and plain == self._plain:
            self.health.note(Evidence.VALUE, now_ns)
            if event.venue_ns is not None:
                self.lag.note(at_ns=now_ns, venue_ns=event.venue_ns)

    def _on_beat(self, event: RefBeat, now_ns: int) -> None:
        product = self._product(event.symbol, now_ns) if event.symbol else None
        if event.symbol and (product is None or not product.is_ours):
            return
        self.health.note(Evidence.BEAT, now_ns)
        if event.venue_ns is not None:
            late_ns = self.lag.note(at_ns=now_ns, venue_ns=event.venue_ns)
            self.health.doubt("beat", Reason.HEARTBEAT_LATE, holds=late_ns > LATE_NS)
        if product is not None and event.last_trade_id is not None:
            product.trades.claim(event.last_trade_id, now_ns)
        if event.counter is not None:
            self._on_beat_counter(event.counter)

    def _on_beat_counter(self, counter: int) -> None:
        """Exchange beats name the product's sequence, Advanced ones count themselves."""
        last, self._beat_counter = self._beat_counter, counter
        if self.feed is Feed.COINBASE_ADVANCED:
            if last >= 0 and counter > last + 1:
                self._lose(Reason.GAP)
            return
        self._still_beats = self._still_beats + 1 if counter == last else 0
        frozen = self._still_beats >= STILL_BEATS and self._symbol.startswith(_BUSY)
        self.health.doubt("sequence", Reason.FROZEN, holds=frozen)

    # --- gaps ---------------------------------------------------------------------------------

    def _counted(self, event: RefCounted) -> None:
        """Hold a frame against its number; a number seen before makes the whole frame late."""
        expected = self._expected.get(event.channel)
        if expected is None and len(self._expected) >= CHANNELS_MAX:
            self.over_limit += 1
            return
        self._skipping = expected is not None and event.sequence < expected
        if self._skipping:
            return
        self._expected[event.channel] = event.sequence + 1
        if expected is not None and event.sequence > expected:
            self._lose(Reason.GAP)

    def _lose(self, reason: Reason) -> None:
        """Void all books of the connection and ask for a new one."""
        self.losses += 1
        for product in self.products.values():
            product.book.void()
            product.quote = None
        self.health.restart(reason)
        self._reconnect(reason)

    def _check_book(self, symbol: str, product: Product, now_ns: int) -> None:
        reason = product.book.doubt(now_ns)
        if reason is not None and product.bridge is None:
            self._lose(reason)
        elif reason is not None:
            product.book.void()
        if product.bridge is not None and product.bridge.wants_snapshot(now_ns):
            self._out.append(ReadReferenceBook(cause=self._cause, symbol=symbol))

    # --- helpers ------------------------------------------------------------------------------

    def _judge(self, now_ns: int) -> None:
        product = self._ours
        waiting = product is not None and product.bridge is not None and product.bridge.is_waiting
        self.health.judge(now_ns, ready=not waiting)
        if self.health.is_silent(now_ns):
            self._reconnect(Reason.SILENT)

    def _reconnect(self, reason: Reason) -> None:
        if self.conn is not None and self.health.ask_reconnect():
            self._out.append(Reconnect(cause=self._cause, conn=self.conn, reason=reason))

    def _product(self, symbol: str, now_ns: int) -> Product | None:
        product = self.products.get(symbol)
        if product is not None:
            return product
        if len(self.products) >= PRODUCTS_MAX:
            self.over_limit += 1
            return None
        is_ours = feed_symbol(self.feed, symbol) == self._plain
        product = Product(now_ns, is_ours=is_ours, is_bridged=self.feed is Feed.BINANCE)
        self.products[symbol] = product
        if is_ours:
            self._ours = product
        return product

    def _note_value(self, product: Product, venue_ns: int | None, now_ns: int) -> None:
        if product.is_ours:
            self.health.note(Evidence.VALUE, now_ns)
        if venue_ns is not None:
            self.lag.note(at_ns=now_ns, venue_ns=venue_ns)

    def _taken(self) -> list[Command]:
        out, self._out = self._out, []
        return out
