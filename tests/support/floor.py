"""A small exchange floor for tests: plain books, the frames they send, an engine to feed."""

import hashlib
import json
from collections.abc import Iterable

from polytui.engine.core.commands import Command
from polytui.engine.core.enums import Feed
from polytui.engine.core.events import (
    ConnOpened,
    Event,
    FeeSchedule,
    MarketListed,
    MarketSpec,
    RunStarted,
    Stamped,
    Turn,
)
from polytui.engine.core.ids import ConnId, MarketIx
from polytui.engine.core.runconfig import RunConfig
from polytui.engine.core.units import U, parse_u6, text_u6
from polytui.engine.machine import Engine
from polytui.engine.market.tracked import Tracked
from polytui.engine.wire import polymarket

MARKET = "0x" + "ab" * 32
YES = "1" * 77
NO = "2" * 77
CONN = ConnId(1)
MS = 1_000_000
START_NS = 1_790_000_000_000 * MS
CRYPTO = FeeSchedule(rate_u6=70_000, exponent=1, rebate_u6=200_000)

Side = dict[str, str]
"""Price text to size text."""


def spec(market: str = MARKET, *, fees: FeeSchedule | None = CRYPTO, **other: object) -> MarketSpec:
    """Make catalog facts for a test market."""
    facts: dict[str, object] = {
        "market": market,
        "tokens": (YES, NO),
        "title": "Will it hold?",
        "slug": "will-it-hold",
        "fees": fees,
    }
    return MarketSpec(**{**facts, **other})  # type: ignore[arg-type]  # names are checked by msgspec


def flipped(price: str) -> str:
    """Write 1 - price as the venue does."""
    return text_u6(U - parse_u6(price))


class PlainBook:
    """The obvious book: two dictionaries of texts in YES terms, and the digest written out."""

    def __init__(self, bids: Side, asks: Side, *, last_trade: str = "0.500", tick: str = "0.01"):
        self.bids = dict(bids)
        self.asks = dict(asks)
        self.last_trade = last_trade
        self.tick = tick

    def side(self, *, is_yes: bool) -> tuple[Side, Side]:
        """Return (bids, asks) as one token's holder sees them."""
        if is_yes:
            return self.bids, self.asks
        return (
            {flipped(px): size for px, size in self.asks.items()},
            {flipped(px): size for px, size in self.bids.items()},
        )

    def levels(self, *, is_yes: bool) -> tuple[list[dict[str, str]], list[dict[str, str]]]:
        """List both sides in wire order: bids ascending, asks descending."""
        bids, asks = self.side(is_yes=is_yes)
        return (
            [{"price": px, "size": bids[px]} for px in sorted(bids, key=parse_u6)],
            [{"price": px, "size": asks[px]} for px in sorted(asks, key=parse_u6, reverse=True)],
        )

    def digest(self, venue_ms: int, *, is_yes: bool, market: str = MARKET) -> str:
        """Compute the venue's digest the long way, through a JSON library."""
        bids, asks = self.levels(is_yes=is_yes)
        summary = {
            "market": market,
            "asset_id": YES if is_yes else NO,
            "timestamp": str(venue_ms),
            "hash": "",
            "bids": bids,
            "asks": asks,
            "min_order_size": "5",
            "tick_size": self.tick,
            "neg_risk": False,
            "last_trade_price": self.last_trade,
        }
        text = json.dumps(summary, separators=(",", ":"))
        return hashlib.sha1(text.encode()).hexdigest()

    def frame(
        self, venue_ms: int, *, is_yes: bool = True, market: str = MARKET
    ) -> dict[str, object]:
        """Write a full book frame."""
        bids, asks = self.levels(is_yes=is_yes)
        return {
            "event_type": "book",
            "market": market,
            "asset_id": YES if is_yes else NO,
            "timestamp": str(venue_ms),
            "hash": self.digest(venue_ms, is_yes=is_yes, market=market),
            "bids": bids,
            "asks": asks,
            "tick_size": self.tick,
            "last_trade_price": self.last_trade,
        }

    def best(self, *, is_yes: bool) -> tuple[str, str]:
        """Return best bid and ask as the venue writes them: 0 and 1 for absent sides."""
        bids, asks = self.side(is_yes=is_yes)
        return max(bids, key=parse_u6, default="0"), min(asks, key=parse_u6, default="1")

    def change(
        self, venue_ms: int, changes: Iterable[tuple[str, str, str]], *, market: str = MARKET
    ) -> dict[str, object]:
        """Apply (side, price, size) in YES terms and write the frame with both tokens' entries."""
        changes = list(changes)
        for side, price, size in changes:
            book = self.bids if side == "BUY" else self.asks
            if parse_u6(size):
                book[price] = size
            else:
                book.pop(price, None)
        entries = []
        for side, price, size in changes:
            other = "SELL" if side == "BUY" else "BUY"
            for is_yes, px, way in ((True, price, side), (False, flipped(price), other)):
                bid, ask = self.best(is_yes=is_yes)
                entries.append(
                    {
                        "asset_id": YES if is_yes else NO,
                        "price": px,
                        "size": size,
                        "side": way,
                        "hash": self.digest(venue_ms, is_yes=is_yes, market=market),
                        "best_bid": bid,
                        "best_ask": ask,
                    }
                )
        return {
            "market": market,
            "price_changes": entries,
            "timestamp": str(venue_ms),
            "event_type": "price_change",
        }


class Floor:
    """An engine that has started, with one market listed and one connection open."""

    def __init__(self, config: RunConfig | None = None, *specs: MarketSpec, listed: bool = True):
        self.engine = Engine()
        self.now_ns = START_NS
        self.commands: list[Command] = []
        self.feed(
            RunStarted(run="test", version="0", config=config or RunConfig()),
            ConnOpened(conn=CONN, feed=Feed.POLYMARKET, url="test"),
        )
        if listed:
            for one in specs or (spec(),):
                self.feed(MarketListed(spec=one))

    def feed(self, *events: Event) -> list[Command]:
        """Step the engine through events at the present time."""
        out: list[Command] = []
        for event in events:
            out += self.engine.step(Stamped(self.engine.seq + 1, self.now_ns, event))
        self.commands += out
        return out

    def frame(self, *frames: object, after_ms: int = 1, turn: bool = True) -> list[Command]:
        """Deliver frames as bytes, one millisecond later, and end the batch."""
        self.now_ns += after_ms * MS
        out: list[Command] = []
        for frame in frames:
            data = frame if isinstance(frame, bytes) else json.dumps(frame).encode()
            out += self.feed(*polymarket.decode(CONN, data))
        return out + (self.feed(Turn()) if turn else [])

    def wait(self, ms: int) -> list[Command]:
        """Let time pass and end an empty batch."""
        self.now_ns += ms * MS
        return self.feed(Turn())

    @property
    def tracked(self) -> Tracked:
        """Return the first market."""
        return self.engine.desk.markets[MarketIx(0)]


def small_book(**other: str) -> PlainBook:
    """Make a quiet two-sided book around 0.50."""
    return PlainBook(
        {"0.47": "100", "0.48": "80.5", "0.49": "30"},
        {"0.51": "40", "0.52": "75.25", "0.53": "200"},
        **other,
    )
