"""Streams to measure with: generated market messages, and the recorded tapes where they exist.

A generated stream is the same bytes for the same shape on every machine. Its books are plain dicts
of cents, its digests plain `json.dumps` and SHA-1: nothing of the engine's own book or digest is
used, so that an engine which agrees with it agrees with somebody else. Nothing is kept on disk.
"""

import gzip
import json
from collections.abc import Iterator, Sequence
from functools import cache
from hashlib import sha1
from pathlib import Path
from typing import Any, Final

import msgspec
from msgspec import Struct

from polytui.engine.core.events import FeeSchedule, MarketSpec
from polytui.engine.core.rng import Rng

START_NS: Final = 1_790_000_000_000_000_000
DATA: Final = Path(__file__).resolve().parents[2] / "shared" / "data"
TAPES: Final = {
    "derived": DATA / "pm-btc5m-twotoken-derived-20260413.jsonl.gz",
    "raw": DATA / "pm-btc5m-book-raw-20260413T1535-1625.jsonl.gz",
}
"""The recordings of `shared/data/README.md` §1."""

TRADE_SHARE: Final = 0.0213
"""Of the changes that are trades: each adds a trade and both books, so 94 % are price_change."""
GROUP_SHARE: Final = 0.02
"""Of the changes that come as two frames with one timestamp and one digest."""
DRIFT_SHARE: Final = 0.02
"""Of the changes after which the price moves by one tick."""
DELETE_SHARE: Final = 0.04
"""Of the changes that meet a level and remove it."""

_MS = 1_000_000
_FEES = FeeSchedule(rate_u6=70_000)

Timed = tuple[int, bytes]
"""(our time of receipt in ns, the frame)."""


class Shape(Struct, frozen=True, kw_only=True):
    """What a generated stream looks like."""

    markets: int = 100
    """Binary markets, two tokens each, on a grid of 0.01."""
    levels: int = 50
    """Prices a side that may hold a level; nine in ten do. 50 fill the grid from 0.01 to 0.99, as
    the recorded five-minute markets do (97 levels on both sides together)."""
    messages: int = 50_000
    rate: float = 5_000.0
    """Messages per second of engine time, over all markets."""
    seed: int = 1


class Stream(Struct, frozen=True, kw_only=True):
    """Messages in order, with what must be known before the first."""

    name: str
    about: str
    """Rate and depth in words, for the report."""
    markets: tuple[MarketSpec, ...]
    opening: tuple[bytes, ...]
    """Frames that fill the books at the beginning; empty where the frames do it themselves."""
    frames: tuple[Timed, ...]


# --- the plain book ------------------------------------------------------------------------------


def price_text(cents: int) -> str:
    """Write a price as the venue does: no trailing zeros."""
    return f"{cents / 100:g}"


def size_text(hundredths: int) -> str:
    """Write a size as the venue does: no trailing zeros."""
    whole, rest = divmod(hundredths, 100)
    return f"{whole}.{rest:02d}".rstrip("0").rstrip(".") if rest else str(whole)


def digest(
    spec: MarketSpec,
    token: str,
    venue_ms: int,
    sides: tuple[list[dict[str, str]], list[dict[str, str]]],
    last_trade: str,
) -> str:
    """Hash a token's book (`venue/market-ws-integrity.md` §2): bids ascending, asks descending."""
    book = {
        "market": spec.market,
        "asset_id": token,
        "timestamp": str(venue_ms),
        "hash": "",
        "bids": sides[0],
        "asks": sides[1],
        "min_order_size": spec.min_order_text,
        "tick_size": "0.01",
        "neg_risk": spec.neg_risk,
        "last_trade_price": last_trade,
    }
    compact = json.dumps(book, separators=(",", ":"))
    return sha1(compact.encode(), usedforsecurity=False).hexdigest()


class PlainMarket:
    """One market as its venue would keep it: resting bids of either token, by cents."""

    def __init__(self, number: int, shape: Shape, rng: Rng) -> None:
        """Fill the book around a price that leaves room for it on the grid."""
        self.spec = _spec(number, rng)
        self.last_trade = ""
        self.venue_ms = 0
        self._rng = rng
        self._levels = shape.levels
        self._mid_min = max(2, min(shape.levels - 5, 45))
        self._mid = rng.between(self._mid_min, 100 - self._mid_min)
        self._bids: tuple[dict[int, int], dict[int, int]] = ({}, {})
        for ix in (0, 1):
            for cents in self._window(ix):
                if not rng.chance(DELETE_SHARE):
                    self._bids[ix][cents] = self._size()

    def _window(self, ix: int) -> range:
        """Return the prices at which a token's bids may rest."""
        best = self._mid if ix == 0 else 99 - self._mid
        return range(max(1, best - self._levels + 1), best + 1)

    def _size(self) -> int:
        """Draw a size in hundredths: as recorded, a fifth are whole shares."""
        if self._rng.chance(0.2):
            return self._rng.between(1, 400) * 500
        return self._rng.between(100, 60_000)

    def touch(self, ix: int) -> tuple[str, str]:
        """Write a token's best bid and ask; `0` and `1` where there is none."""
        bid = max(self._bids[ix], default=0)
        ask = 100 - max(self._bids[1 - ix], default=0)
        return price_text(bid), price_text(ask)

    def sides(self, ix: int) -> tuple[list[dict[str, str]], list[dict[str, str]]]:
        """List a token's bids and asks as the wire does, best last."""
        own, other = self._bids[ix], self._bids[1 - ix]
        bids = [{"price": price_text(c), "size": size_text(own[c])} for c in sorted(own)]
        asks = [{"price": price_text(100 - c), "size": size_text(other[c])} for c in sorted(other)]
        return bids, asks

    def depth(self) -> int:
        """Count the levels on both sides."""
        return len(self._bids[0]) + len(self._bids[1])

    def digests(self) -> tuple[str, str]:
        """Hash both tokens' books as they are now."""
        one, two = (
            digest(self.spec, token, self.venue_ms, self.sides(ix), self.last_trade)
            for ix, token in enumerate(self.spec.tokens)
        )
        return one, two

    # --- what happens ----------------------------------------------------------------------------

    def changes(self, at_ns: int) -> Iterator[str]:
        """Let one thing happen and write the frames that tell of it."""
        self.venue_ms = max(at_ns // _MS, self.venue_ms + 1)
        if self._rng.chance(TRADE_SHARE):
            yield from self._trade()
        elif self._rng.chance(GROUP_SHARE):
            entries = [self._entries(*self._order()) for _ in (1, 2)]
            digests = self.digests()
            for entry in entries:
                yield self._price_change(entry, digests)
        elif self._rng.chance(DRIFT_SHARE):
            yield from self._drift()
        else:
            entry = self._entries(*self._order())
            yield self._price_change(entry, self.digests())

    def _order(self) -> tuple[int, int, int]:
        """Draw (token, cents, new total): mostly near the touch, sometimes the level goes."""
        rng = self._rng
        ix = rng.below(2)
        window, levels = self._window(ix), self._bids[ix]
        cents = window[-1] - min(int(rng.exponential(len(window) / 4)), len(window) - 1)
        gone = cents in levels and len(levels) > 1 and rng.chance(DELETE_SHARE)
        return ix, cents, 0 if gone else self._size()

    def _entries(self, ix: int, cents: int, size: int) -> list[dict[str, str]]:
        """Set a level and write it as both tokens see it, without the digests."""
        if size:
            self._bids[ix][cents] = size
        else:
            self._bids[ix].pop(cents, None)
        entries = []
        for token, price, side in ((ix, cents, "BUY"), (1 - ix, 100 - cents, "SELL")):
            bid, ask = self.touch(token)
            entries.append(
                {
                    "asset_id": self.spec.tokens[token],
                    "price": price_text(price),
                    "size": size_text(size),
                    "side": side,
                    "hash": "",
                    "best_bid": bid,
                    "best_ask": ask,
                }
            )
        if self._rng.chance(0.5):
            entries.reverse()
        return entries

    def _price_change(self, entries: list[dict[str, str]], digests: tuple[str, str]) -> str:
        hashed = [
            {**entry, "hash": digests[self.spec.tokens.index(entry["asset_id"])]}
            for entry in entries
        ]
        return self._frame(
            {"market": self.spec.market, "price_changes": hashed}, event_type="price_change"
        )

    def _trade(self) -> Iterator[str]:
        """Let somebody take from the touch: a trade, the level's new total, both full books."""
        rng, ix = self._rng, self._rng.below(2)
        cents = max(self._bids[ix], default=self._window(ix)[-1])
        self.last_trade = f"{cents / 100:.3f}"
        token = {"market": self.spec.market, "asset_id": self.spec.tokens[ix]}
        size = self._size()
        terms = {"price": price_text(cents), "size": size_text(size), "fee_rate_bps": "0"}
        yield self._frame(
            {**token, **terms, "side": "SELL"},
            event_type="last_trade_price",
            transaction_hash=f"0x{_hex(rng, 64)}",
        )
        entries = self._entries(ix, cents, self._size())
        digests = self.digests()
        yield self._price_change(entries, digests)
        for which, asset in enumerate(self.spec.tokens):
            bids, asks = self.sides(which)
            book = {"market": self.spec.market, "asset_id": asset, "bids": bids, "asks": asks}
            yield self._frame({**book, "hash": digests[which]}, event_type="book")

    def _drift(self) -> Iterator[str]:
        """Move the price by one tick: what would cross goes, and what is left out of reach."""
        step = 1 if self._rng.chance(0.5) else -1
        if not self._mid_min <= self._mid + step <= 100 - self._mid_min:
            step = -step
        self._mid += step
        for ix in (0, 1):
            window = self._window(ix)
            for cents in [c for c in self._bids[ix] if c not in window]:
                entries = self._entries(ix, cents, 0)
                yield self._price_change(entries, self.digests())
                self.venue_ms += 1

    def opening(self) -> list[dict[str, Any]]:
        """Write the two members of the answer to a subscription."""
        digests = self.digests()
        members = []
        for ix, token in enumerate(self.spec.tokens):
            bids, asks = self.sides(ix)
            members.append(
                {
                    "market": self.spec.market,
                    "asset_id": token,
                    "timestamp": str(self.venue_ms),
                    "hash": digests[ix],
                    "bids": bids,
                    "asks": asks,
                    "tick_size": "0.01",
                    "event_type": "book",
                    "last_trade_price": self.last_trade,
                }
            )
        return members

    def _frame(self, fields: dict[str, Any], **last: str) -> str:
        """Write a frame as later frames are written: `", "` between members, none after colons."""
        stamped = {**fields, "timestamp": str(self.venue_ms), **last}
        return json.dumps(stamped, separators=(", ", ":"))


def _spec(number: int, rng: Rng) -> MarketSpec:
    tokens = (_digits(rng), _digits(rng))
    return MarketSpec(
        market=f"0x{_hex(rng, 64)}",
        tokens=tokens,
        title=f"Generated market {number}",
        slug=f"generated-{number}",
        fees=_FEES,
    )


def _digits(rng: Rng) -> str:
    """Draw a token id of 77 digits."""
    return f"{rng.between(1, 9)}" + "".join(f"{rng.below(10**19):019d}" for _ in range(4))


def _hex(rng: Rng, length: int) -> str:
    return "".join(f"{rng.next_u64():016x}" for _ in range(-(-length // 16)))[:length]


# --- streams -------------------------------------------------------------------------------------


def generate(name: str, shape: Shape) -> Stream:
    """Make a stream of `shape.messages` messages; the same shape gives the same bytes."""
    rng = Rng(shape.seed)
    markets = [PlainMarket(n, shape, rng.fork(f"market {n}")) for n in range(shape.markets)]
    for market in markets:
        market.venue_ms = START_NS // _MS - 1
    answer = [member for market in markets for member in market.opening()]
    opening = json.dumps(answer, separators=(",", ":")).encode() + b"\n"
    pick = rng.fork("pick")
    frames: list[Timed] = []
    depth = 0
    while len(frames) < shape.messages:
        market = markets[pick.below(len(markets))]
        at_ns = _at_ns(len(frames), shape)
        for text in market.changes(at_ns):
            frames.append((_at_ns(len(frames), shape), text.encode()))
            depth += market.depth()
    levels = depth / len(frames) / 2
    mean = sum(len(data) for _, data in frames) / len(frames)
    return Stream(
        name=name,
        about=f"{shape.markets * 2} tokens, {levels:.0f} levels a side, {mean:.0f} bytes a "
        f"message, {shape.rate:,.0f} messages/s",
        markets=tuple(market.spec for market in markets),
        opening=(opening,),
        frames=tuple(frames[: shape.messages]),
    )


def _at_ns(place: int, shape: Shape) -> int:
    return START_NS + int(place * 1_000_000_000 / shape.rate)


class _Line(Struct):
    raw: msgspec.Raw
    t_ms: float
    slug: str


_LINE = msgspec.json.Decoder(_Line)


def why_absent(name: str) -> str:
    """Say why a tape cannot be used, or nothing when it can."""
    path = TAPES[name]
    return "" if path.is_file() else f"{path.name} is not in {path.parent.parent.name}/data"


@cache
def load_tape(name: str, limit: int | None = None) -> Stream:
    """Read a recorded tape: its frames as received, its markets as its first books name them."""
    frames: list[Timed] = []
    tokens: dict[str, tuple[str, list[str]]] = {}
    at_ns = 0
    with gzip.open(TAPES[name]) as lines:
        for text in lines:
            line = _LINE.decode(text)
            at_ns = max(at_ns, int(line.t_ms * 1_000) * 1_000)
            frames.append((at_ns, bytes(line.raw)))
            _note_tokens(tokens, line)
            if len(frames) == limit:
                break
    mean = sum(len(data) for _, data in frames) / len(frames)
    return Stream(
        name=name,
        about=f"recorded tape, {len(tokens)} markets in turn, {mean:.0f} bytes a message",
        markets=tuple(_listed(market, slug, ids) for market, (slug, ids) in tokens.items()),
        opening=(),
        frames=tuple(frames),
    )


def _note_tokens(tokens: dict[str, tuple[str, list[str]]], line: _Line) -> None:
    """Learn which tokens a market has from the books of it."""
    if b'"event_type":"book"' not in bytes(line.raw):
        return
    message = json.loads(bytes(line.raw))
    for book in message if isinstance(message, list) else [message]:
        ids = tokens.setdefault(book["market"], (line.slug, []))[1]
        if book["asset_id"] not in ids:
            ids.append(book["asset_id"])


def _listed(market: str, slug: str, ids: Sequence[str]) -> MarketSpec:
    pair = (ids[0], ids[1] if len(ids) > 1 else "")
    return MarketSpec(market=market, tokens=pair, title=slug, slug=slug, fees=_FEES)
