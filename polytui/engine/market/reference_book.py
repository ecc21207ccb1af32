"""One product of an exchange: its book, and the bridge from a depth stream to its snapshot.

A `ReferenceBook` believes its feed and says when it should not be believed (crossed, empty, at odds
with the ticker). A `DepthBridge` owns the one gap proof that exchanges give for a book, Binance's
`U`/`u` ids. Prices are micro-units: the levels of a product with finer prices merge, and such a
book gives no quote. Source: `venue/external-feeds.md` §1.3 and §3.3.
"""

from collections import deque
from typing import Any

from msgspec import Struct
from sortedcontainers import SortedDict

from polytui.engine.core.enums import Reason
from polytui.engine.core.events import RefBook, RefDelta, RefLevel
from polytui.engine.market.reference_flow import TradeChain

LEVELS_MAX = 50_000
"""Levels kept per side; BTC-USD has about 27,000. Beyond it the worst is dropped and counted."""

WAITING_MAX = 1_000
"""Depth updates kept while a snapshot is awaited, 100 s of `depth@100ms`; then the oldest goes."""

REFETCH_NS = 3_000_000_000
"""Least time between two reads of a snapshot: at weight 250 of 6,000 a minute."""

ANSWER_NS = 10_000_000_000
"""A snapshot not answered within this time is asked for again."""

ODD_NS = 1_000_000_000
"""A book crossed or one-sided for this long is not believed; shorter is a group of frames."""

DISAGREE_BPS = 10
DISAGREE_MAX = 5
"""A book whose both best prices are this far from this many tickers in a row is not believed."""


class ReferenceQuote(Struct, frozen=True, kw_only=True, gc=False):
    """Best prices of a product."""

    bid_u6: int
    bid_qty_u6: int | None
    ask_u6: int
    ask_qty_u6: int | None
    at_ns: int
    """When we heard it, engine time."""
    from_book: bool


class ReferenceBook:
    """Absolute sizes by price; `update_id` is None while nothing is loaded."""

    __slots__ = (
        "_disagreements",
        "_odd_since_ns",
        "asks",
        "at_ns",
        "bids",
        "merged",
        "trimmed",
        "update_id",
        "venue_ns",
    )

    def __init__(self) -> None:
        """Start void."""
        self.merged = 0
        """Levels of the snapshot that fell on the price of another: prices finer than micro-units.
        Such a book is kept, and neither doubted nor quoted."""
        self.trimmed = 0
        self.void()

    def void(self) -> None:
        """Forget everything: nothing is known until the next snapshot."""
        self.bids: Any = SortedDict()
        self.asks: Any = SortedDict()
        self.update_id: int | None = None
        """Id of the last update applied; 0 on feeds that give none."""
        self.at_ns = 0
        self.venue_ns = 0
        self._odd_since_ns: int | None = None
        self._disagreements = 0

    def load(self, book: RefBook, now_ns: int) -> None:
        """Replace all levels by a snapshot."""
        self.void()
        self.merged = 0
        self.bids = self._side(book.bids)
        self.asks = self._side(book.asks)
        self._trim()
        self.update_id = book.update_id or 0
        self._touch(book.venue_ns, now_ns)

    def apply(self, delta: RefDelta, now_ns: int) -> None:
        """Set levels to their new sizes; removing an unknown level is normal."""
        assert self.update_id is not None, "a delta needs a snapshot under it"
        for side, levels in ((self.bids, delta.bids), (self.asks, delta.asks)):
            for px_u6, qty_u6 in levels:
                if qty_u6:
                    side[px_u6] = qty_u6
                else:
                    side.pop(px_u6, None)
        self._trim()
        self.update_id = delta.last_update_id or 0
        self._touch(delta.venue_ns, now_ns)

    def top(self) -> ReferenceQuote | None:
        """Return the best levels, or None while a side is empty or nothing is loaded."""
        if not self.bids or not self.asks:
            return None
        bid_u6, bid_qty_u6 = self.bids.peekitem(-1)
        ask_u6, ask_qty_u6 = self.asks.peekitem(0)
        return ReferenceQuote(
            bid_u6=bid_u6,
            bid_qty_u6=bid_qty_u6,
            ask_u6=ask_u6,
            ask_qty_u6=ask_qty_u6,
            at_ns=self.at_ns,
            from_book=True,
        )

    def compare(self, *, bid_u6: int, ask_u6: int) -> None:
        """Hold the best prices against a ticker of about the same instant."""
        top = self.top()
        if top is not None and _apart(top.bid_u6, bid_u6) and _apart(top.ask_u6, ask_u6):
            self._disagreements += 1
        else:
            self._disagreements = 0

    def doubt(self, now_ns: int) -> Reason | None:
        """Say why the book should not be believed any more, if it should not."""
        if self.update_id is None or self.merged:
            return None
        if self._disagreements >= DISAGREE_MAX:
            return Reason.TOP_MISMATCH
        if self._odd_since_ns is None or now_ns - self._odd_since_ns < ODD_NS:
            return None
        return Reason.CROSSED if self.bids and self.asks else Reason.ONE_SIDED

    def _touch(self, venue_ns: int | None, now_ns: int) -> None:
        self.at_ns = now_ns
        self.venue_ns = self.venue_ns if venue_ns is None else venue_ns
        top = self.top()
        if top is not None and top.bid_u6 < top.ask_u6:
            self._odd_since_ns = None
        elif self._odd_since_ns is None:
            self._odd_since_ns = now_ns

    def _side(self, levels: tuple[RefLevel, ...]) -> Any:
        side = dict(levels)
        self.merged += len(levels) - len(side)
        return SortedDict({px: qty for px, qty in side.items() if qty})

    def _trim(self) -> None:
        while len(self.bids) > LEVELS_MAX:
            self.bids.popitem(0)
            self.trimmed += 1
        while len(self.asks) > LEVELS_MAX:
            self.asks.popitem(-1)
            self.trimmed += 1


class DepthBridge:
    """Joins depth updates to a snapshot read over REST, and starts again at every gap."""

    __slots__ = ("_ask_at_ns", "_asked_ns", "_waiting", "book", "dropped", "gaps", "too_old")

    def __init__(self, book: ReferenceBook) -> None:
        """Start without a snapshot."""
        self.book = book
        self.gaps = 0
        self.too_old = 0
        """Snapshots that ended before the first update we have."""
        self.dropped = 0
        """Updates lost to `WAITING_MAX`."""
        self._waiting: deque[RefDelta] = deque(maxlen=WAITING_MAX)
        self._asked_ns = 0
        self._ask_at_ns = 0

    @property
    def is_waiting(self) -> bool:
        """Tell whether updates come in that have no snapshot under them."""
        return self.book.update_id is None and bool(self._waiting)

    def apply(self, delta: RefDelta, now_ns: int) -> None:
        """Apply the next update; keep it while there is no snapshot; start again at a gap."""
        local_id = self.book.update_id
        if local_id is None:
            self.dropped += len(self._waiting) == WAITING_MAX
            self._waiting.append(delta)
        elif _first(delta) > local_id + 1:
            self.gaps += 1
            self.book.void()
            self._waiting.append(delta)
        elif (delta.last_update_id or 0) > local_id:
            self.book.apply(delta, now_ns)

    def load(self, snapshot: RefBook, now_ns: int) -> None:
        """Put a snapshot under the updates that wait, unless it is too old for them.

        The first update kept must satisfy `U <= lastUpdateId + 1 <= u`: both the adjacent case, in
        all recordings the only one, and the overlap that the manual describes are accepted.
        """
        if self.book.update_id is not None:
            return
        last_id = snapshot.update_id or 0
        waiting = [d for d in self._waiting if (d.last_update_id or 0) > last_id]
        if waiting and _first(waiting[0]) > last_id + 1:
            self.too_old += 1
            self._ask_at_ns = self._asked_ns + REFETCH_NS
            return
        self._waiting.clear()
        self.book.load(snapshot, now_ns)
        for delta in waiting:
            self.apply(delta, now_ns)

    def wants_snapshot(self, now_ns: int) -> bool:
        """Tell whether a snapshot has to be read now, and take that as done."""
        if not self.is_waiting or now_ns < self._ask_at_ns:
            return False
        self._asked_ns = now_ns
        self._ask_at_ns = now_ns + ANSWER_NS
        return True


class Product:
    """One product of the feed."""

    __slots__ = ("aggregates", "book", "bridge", "is_ours", "quote", "sequence", "trades")

    def __init__(self, now_ns: int, *, is_ours: bool, is_bridged: bool) -> None:
        """Start knowing nothing; `is_ours` marks the product that decisions follow."""
        self.is_ours = is_ours
        self.book = ReferenceBook()
        self.bridge = DepthBridge(self.book) if is_bridged else None
        self.trades = TradeChain(now_ns)
        self.aggregates = TradeChain(now_ns)
        """Binance numbers aggregates and single trades apart."""
        self.quote: ReferenceQuote | None = None
        self.sequence = -1

    @property
    def gaps(self) -> int:
        """Count lost trades and breaks of depth ids."""
        bridge = self.bridge.gaps if self.bridge else 0
        return self.trades.gaps + self.aggregates.gaps + bridge

    def checkpoint(self) -> tuple[object, ...]:
        """Give the state as plain values."""
        quote = self.quote
        best = None if quote is None else (quote.bid_u6, quote.ask_u6, quote.at_ns)
        book = (self.book.update_id, tuple(self.book.bids.items()), tuple(self.book.asks.items()))
        return (self.sequence, best, self.trades.last_id, self.aggregates.last_id, *book)


def _first(delta: RefDelta) -> int:
    return delta.first_update_id or 0


def _apart(px_u6: int, other_u6: int) -> bool:
    return abs(px_u6 - other_u6) * 10_000 > DISAGREE_BPS * other_u6
