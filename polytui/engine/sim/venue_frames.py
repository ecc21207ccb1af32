"""Market-stream frames from what the exchange emits, in the shapes recorded from the real venue.

A `MarketTape` takes every emission of the exchange, keeps each book as the wire shows it, and
writes frames. All changes of one market with equal milliseconds are one group, and every digest in
it describes the book at the end of the group (`venue/market-ws-integrity.md` §3): so a group is
held back until its millisecond is over. Initial books are compact and end in a newline; later
frames have a blank after each comma and another key order, as recorded on 2026-09-21. Source of
the shapes: `venue/polymarket.md` §4.1. The practice source and the wire server share this file.
"""

from collections.abc import Iterable, Sequence
from enum import Enum
from hashlib import sha256

from msgspec import Struct, json

from polytui.engine.core.enums import Side
from polytui.engine.core.rng import Rng
from polytui.engine.core.units import U
from polytui.engine.sim.exchange.emissions import (
    BookChanged,
    Emission,
    GroupListed,
    LevelChange,
    MarketChanged,
    MarketListed,
    MarketResolved,
    TickChanged,
    TradePrinted,
)
from polytui.engine.sim.exchange.terms import GroupTerms, MarketTerms
from polytui.engine.sim.venue_books import WireBook, decimal


class FrameKind(Enum):
    """The `event_type` of a frame."""

    BOOK = "book"
    PRICE_CHANGE = "price_change"
    LAST_TRADE = "last_trade_price"
    TICK = "tick_size_change"
    TOP = "best_bid_ask"
    NEW_MARKET = "new_market"
    RESOLVED = "market_resolved"


CUSTOM = frozenset({FrameKind.TOP, FrameKind.NEW_MARKET, FrameKind.RESOLVED})
"""Sent only where `custom_feature_enabled` was asked for."""


class Frame(Struct, frozen=True, kw_only=True, gc=False):
    """One frame of the market stream."""

    kind: FrameKind
    condition: str
    token: str = ""
    """The token it is about; empty: both, or the whole market."""
    at_ms: int
    data: bytes
    entries: tuple[tuple[str, str], ...] = ()
    """PRICE_CHANGE: (token, entry as JSON), in order, from which `only` makes a one-sided one."""
    moved_top: bool = False
    """The best prices after it differ from those before: losing it is seen at once."""

    def only(self, token: str) -> "Frame":
        """Return this frame of changed levels with one token's entries only: a torn one."""
        assert self.kind is FrameKind.PRICE_CHANGE, f"expected changed levels, was {self.kind}"
        kept = tuple(entry for entry in self.entries if entry[0] == token)
        return _price_change(self.condition, kept, at_ms=self.at_ms, moved_top=self.moved_top)


class MarketTape:
    """Every market's book on the wire, and the groups that are still open."""

    def __init__(self, rng: Rng) -> None:
        """Start without markets; the seed orders prints and changes, which nothing promises."""
        self._rng = rng
        self.books: dict[str, WireBook] = {}
        """By condition id; gone once resolved."""
        self._groups: dict[str, GroupTerms] = {}
        self._open: dict[str, list[Emission]] = {}
        """By condition id: emissions of its open group, whose time is that of the first."""
        self._out: list[Frame] = []

    def take(self, emissions: Iterable[Emission]) -> None:
        """Take what the exchange emitted, in order, skipping what is not public."""
        for emission in emissions:
            match emission:
                case BookChanged() | TradePrinted() | TickChanged():
                    self._join(emission.condition, emission)
                case GroupListed():
                    self._groups[emission.group.id] = emission.group
                case MarketListed():
                    self._list(emission)
                case MarketChanged():
                    book = self.books.get(emission.terms.condition)
                    if book is not None:
                        book.min_order_text = decimal(emission.terms.min_qty_u6)
                case MarketResolved():
                    self._resolve(emission)
                case _:
                    pass

    def flush(self, before_ms: int) -> list[Frame]:
        """Close the groups older than this millisecond; return all frames ready, in order."""
        for condition, group in sorted(
            (item for item in self._open.items() if item[1][0].at_ms < before_ms),
            key=lambda item: item[1][0].at_ns,
        ):
            self._close(condition, group)
        out, self._out = self._out, []
        return out

    def initial_books(self, tokens: Sequence[str]) -> bytes:
        """Write the answer to a subscription: the book of each known token, in one array."""
        asked = frozenset(tokens)
        known = [
            (book, ix)
            for book in self.books.values()
            for ix, token in enumerate(book.tokens)
            if token in asked
        ]
        return initial_books(known)

    # --- what is taken ---------------------------------------------------------------------------

    def _list(self, listed: MarketListed) -> None:
        terms = listed.terms
        self.books[terms.condition] = WireBook(
            condition=terms.condition,
            tokens=terms.tokens,
            tick_u6=terms.tick_u6,
            min_qty_u6=terms.min_qty_u6,
            neg_risk=terms.neg_risk,
            protocol=terms.protocol,
            at_ms=listed.at_ms,
        )
        group = self._groups.get(terms.group)
        self._say(FrameKind.NEW_MARKET, terms.condition, listed, new_market(terms, group, listed))

    def _resolve(self, resolved: MarketResolved) -> None:
        condition = resolved.condition
        if condition in self._open:
            self._close(condition, self._open[condition])
        book = self.books.pop(condition, None)
        if book is not None:
            data = market_resolved(book, resolved)
            self._say(FrameKind.RESOLVED, condition, resolved, data)

    def _join(self, condition: str, emission: Emission) -> None:
        """Put an emission into its group; a later millisecond closes the one before."""
        group = self._open.get(condition)
        if group is not None and group[0].at_ms != emission.at_ms:
            self._close(condition, group)
            group = None
        if group is None:
            group = self._open[condition] = []
        group.append(emission)

    def _say(self, kind: FrameKind, condition: str, emission: Emission, data: bytes) -> None:
        frame = Frame(kind=kind, condition=condition, at_ms=emission.at_ms, data=data)
        self._out.append(frame)

    # --- what a group says -----------------------------------------------------------------------

    def _close(self, condition: str, group: list[Emission]) -> None:
        """Apply a whole group to its book, then write it with the digests of the result."""
        del self._open[condition]
        book = self.books.get(condition)
        if book is None:
            return
        before = book.top_texts(0)
        book.changed_ms = max(group[0].at_ms, book.changed_ms)
        for emission in group:
            _apply(book, emission)
        digests = (book.digest(0), book.digest(1))
        told, prints = self._tell(book, group, digests, before)
        self._out += [*prints, *told] if self._rng.chance(0.5) else [*told, *prints]
        if book.top_texts(0) != before:
            self._out += [_frame(FrameKind.TOP, book, ix, best_bid_ask(book, ix)) for ix in (0, 1)]

    def _tell(
        self,
        book: WireBook,
        group: list[Emission],
        digests: tuple[str, str],
        before: tuple[str, str],
    ) -> tuple[list[Frame], list[Frame]]:
        """Write a group's changes, with whole books after a trade, and its prints."""
        told: list[Frame] = []
        prints: list[Frame] = []
        for emission in group:
            match emission:
                case BookChanged():
                    entries = _entries(book, emission, digests)
                    after = (decimal(emission.bid_u6), decimal(emission.ask_u6))
                    told.append(
                        _price_change(
                            book.condition,
                            entries,
                            at_ms=book.changed_ms,
                            moved_top=after != before,
                        )
                    )
                    before = after
                case TradePrinted():
                    data = last_trade(book, emission)
                    prints.append(
                        _frame(FrameKind.LAST_TRADE, book, book.ix_of(emission.token), data)
                    )
                case TickChanged():
                    told += [
                        _frame(FrameKind.TICK, book, ix, tick_change(book, ix, emission))
                        for ix in (0, 1)
                    ]
                case _:
                    pass
        if prints:
            told += [
                _frame(FrameKind.BOOK, book, ix, later_book(book, ix, digests[ix])) for ix in (0, 1)
            ]
        return told, prints


def _apply(book: WireBook, emission: Emission) -> None:
    match emission:
        case BookChanged():
            for is_bid, px_u6, qty_u6 in emission.levels:
                book.set_level(is_bid=is_bid, px_u6=px_u6, qty_u6=qty_u6)
        case TradePrinted():
            book.set_last_trade(emission.px_u6)
        case TickChanged():
            book.tick_u6 = emission.new_tick_u6
        case _:
            pass


def _frame(kind: FrameKind, book: WireBook, ix: int, data: bytes) -> Frame:
    return Frame(
        kind=kind,
        condition=book.condition,
        token=book.tokens[ix],
        at_ms=book.changed_ms,
        data=data,
    )


# --- bytes ---------------------------------------------------------------------------------------


def _entries(
    book: WireBook, changed: BookChanged, digests: tuple[str, str]
) -> tuple[tuple[str, str], ...]:
    """Write each changed level for both tokens, the one that was acted on first."""
    tops = (
        (decimal(changed.bid_u6), decimal(changed.ask_u6)),
        (decimal(U - changed.ask_u6), decimal(U - changed.bid_u6)),
    )
    first = book.ix_of(changed.token) if changed.token else 0
    return tuple(
        (book.tokens[ix], _entry(book, ix, level, digests[ix], tops[ix]))
        for level in changed.levels
        for ix in (first, 1 - first)
    )


def _entry(book: WireBook, ix: int, level: LevelChange, digest: str, top: tuple[str, str]) -> str:
    is_bid, px_u6, qty_u6 = level
    return (
        f'{{"asset_id":"{book.tokens[ix]}","price":"{decimal(U - px_u6 if ix else px_u6)}",'
        f'"size":"{decimal(qty_u6)}","side":"{"BUY" if is_bid == (ix == 0) else "SELL"}",'
        f'"hash":"{digest}","best_bid":"{top[0]}","best_ask":"{top[1]}"}}'
    )


def _price_change(
    condition: str, entries: tuple[tuple[str, str], ...], *, at_ms: int, moved_top: bool
) -> Frame:
    texts = ",".join([text for _, text in entries])
    data = _spaced(
        f'{{"market":"{condition}","price_changes":[{texts}],'
        f'"timestamp":"{at_ms}","event_type":"price_change"}}'
    )
    return Frame(
        kind=FrameKind.PRICE_CHANGE,
        condition=condition,
        at_ms=at_ms,
        data=data,
        entries=entries,
        moved_top=moved_top,
    )


def initial_books(books: Iterable[tuple[WireBook, int]]) -> bytes:
    """Write books as the answer to a subscription, by (book, token index), in one array."""
    texts = [
        f'{{"market":"{book.condition}","asset_id":"{book.tokens[ix]}",'
        f'"timestamp":"{book.changed_ms}","hash":"{book.digest(ix)}",{book.sides_text(ix)},'
        f'"tick_size":"{decimal(book.tick_u6)}","event_type":"book",'
        f'"last_trade_price":"{book.last_trade_text}"}}'
        for book, ix in books
    ]
    return f"[{','.join(texts)}]\n".encode()


def later_book(book: WireBook, ix: int, digest: str) -> bytes:
    """Write a later full book, which names neither tick nor last trade."""
    return _spaced(
        f'{{"market":"{book.condition}","asset_id":"{book.tokens[ix]}",'
        f'{book.sides_text(ix)},"hash":"{digest}",'
        f'"timestamp":"{book.changed_ms}","event_type":"book"}}'
    )


def rest_book(book: WireBook, ix: int) -> bytes:
    """Write the answer of `GET /book`: an independent witness of the stream's book."""
    return (
        f'{{"market":"{book.condition}","asset_id":"{book.tokens[ix]}",'
        f'"timestamp":"{book.changed_ms}","hash":"{book.digest(ix)}",{book.sides_text(ix)},'
        f"{book.tail_text()}}}"
    ).encode()


def last_trade(book: WireBook, printed: TradePrinted) -> bytes:
    """Write a public trade, in the taker's terms."""
    tx = sha256(printed.trade_id.encode()).hexdigest()
    return _spaced(
        f'{{"market":"{book.condition}","asset_id":"{printed.token}",'
        f'"price":"{decimal(printed.px_u6)}","size":"{decimal(printed.qty_u6)}",'
        f'"fee_rate_bps":"0","side":"{"BUY" if printed.side is Side.BUY else "SELL"}",'
        f'"timestamp":"{book.changed_ms}",'
        f'"event_type":"last_trade_price","transaction_hash":"0x{tx}"}}'
    )


def best_bid_ask(book: WireBook, ix: int) -> bytes:
    """Write the top of a token's book."""
    bid_u6, ask_u6 = book.bids[ix].best_u6(), U - book.bids[1 - ix].best_u6()
    return _spaced(
        f'{{"market":"{book.condition}","asset_id":"{book.tokens[ix]}",'
        f'"best_bid":"{decimal(bid_u6)}","best_ask":"{decimal(ask_u6)}",'
        f'"spread":"{decimal(ask_u6 - bid_u6)}","timestamp":"{book.changed_ms}",'
        f'"event_type":"best_bid_ask"}}'
    )


def tick_change(book: WireBook, ix: int, changed: TickChanged) -> bytes:
    """Write that a token's price grid changed."""
    return _spaced(
        f'{{"market":"{book.condition}","asset_id":"{book.tokens[ix]}",'
        f'"old_tick_size":"{decimal(changed.old_tick_u6)}",'
        f'"new_tick_size":"{decimal(changed.new_tick_u6)}",'
        f'"timestamp":"{book.changed_ms}","event_type":"tick_size_change"}}'
    )


def new_market(terms: MarketTerms, group: GroupTerms | None, listed: MarketListed) -> bytes:
    """Write the broadcast of a new market."""
    event = group or GroupTerms(id=terms.gamma_id, slug=terms.slug, title=terms.question)
    return json.encode(
        {
            "id": terms.gamma_id,
            "question": terms.question,
            "market": terms.condition,
            "slug": terms.slug,
            "description": terms.description,
            "assets_ids": terms.tokens,
            "outcomes": terms.outcomes,
            "event_message": {
                "id": event.id,
                "ticker": event.slug,
                "slug": event.slug,
                "title": event.title,
                "description": event.description,
            },
            "timestamp": str(listed.at_ms),
            "event_type": "new_market",
            "tags": terms.tags,
            "condition_id": terms.condition,
            "active": True,
            "clob_token_ids": terms.tokens,
            "sports_market_type": "",
            "line": "",
            "game_start_time": "",
            "order_price_min_tick_size": decimal(terms.tick_u6),
            "group_item_title": terms.group_item,
        }
    )


def market_resolved(book: WireBook, resolved: MarketResolved) -> bytes:
    """Write that a market's outcome is known."""
    return json.encode(
        {
            "event_type": "market_resolved",
            "id": resolved.condition,
            "market": resolved.condition,
            "assets_ids": book.tokens,
            "winning_asset_id": resolved.winning_token,
            "winning_outcome": resolved.winning_outcome,
            "timestamp": str(resolved.at_ms),
            "tags": (),
        }
    )


def _spaced(compact: str) -> bytes:
    """Put a blank after each comma, as the venue's later frames have; no value holds a comma."""
    return compact.replace(",", ", ").encode()
