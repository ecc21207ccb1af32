"""Polymarket market stream: frames to events (`venue/polymarket.md` §4.1).

Pure. One lean struct holds the fields of all frequent frames, because the type tag may stand last
and a tagged union would read the object twice. The strict decoder runs first; a field it does not
know sends the frame through the tolerant one and is counted. Whatever cannot be read becomes a
`WireFault`; nothing is raised.
"""

from collections.abc import Callable
from typing import Annotated, Any

from msgspec import DecodeError, Meta, Struct, ValidationError
from msgspec.json import Decoder

from polytui.engine.core.enums import FaultKind, Feed, Side
from polytui.engine.core.errors import WireError, shown
from polytui.engine.core.events import (
    BookDelta,
    BookFrame,
    Change,
    Claim,
    Event,
    Heard,
    Level,
    MarketAnnounced,
    MarketResolved,
    PublicTrade,
    TickChanged,
    TopQuoted,
    WireFault,
    WireIgnored,
)
from polytui.engine.core.ids import ConnId
from polytui.engine.core.text import sanitise
from polytui.engine.core.units import PRICE_U6, QTY_U6, price_u6, qty_u6

FRAME_MAX = 4 << 20
"""Largest frame read, bytes: 200 full books are about 0.7 MB."""

_UNREADABLE = (DecodeError, UnicodeDecodeError, RecursionError)
"""All that the JSON library raises for bad bytes."""

_ID_MAX = 80
"""Longest id accepted: a uint256 has 78 digits, a condition id 66 characters."""

_Delta = tuple[tuple[Change, ...], tuple[Claim, ...]]
_IS_BUY = {"BUY": True, "SELL": False}

_PLAIN = {b"PONG": "pong", b"PING": "ping", b"": "empty"}


_Ms = Annotated[int, Meta(ge=0, le=10**16 - 1)]
"""A millisecond timestamp of at most 16 digits."""


class _Level(Struct, gc=False, forbid_unknown_fields=True):
    price: str
    size: str


class _Change(Struct, gc=False, forbid_unknown_fields=True):
    asset_id: str
    price: str
    size: str
    side: str
    hash: str = ""
    best_bid: str = ""
    best_ask: str = ""


class _Frame(Struct, gc=False, forbid_unknown_fields=True):
    market: str = ""
    asset_id: str = ""
    price_changes: list[_Change] | None = None
    bids: list[_Level] | None = None
    asks: list[_Level] | None = None
    hash: str = ""
    timestamp: _Ms = -1
    """Read by the decoder itself, which is why the strict one is told to read text as numbers;
    what it refuses, the tolerant one reads as text and `_venue_ms` judges."""
    event_type: str = ""
    price: str = ""
    size: str = ""
    side: str = ""
    fee_rate_bps: str = ""
    transaction_hash: str = ""
    tick_size: str = ""
    last_trade_price: str | None = None
    min_order_size: str = ""
    neg_risk: bool | None = None
    old_tick_size: str = ""
    new_tick_size: str = ""
    best_bid: str = ""
    best_ask: str = ""
    spread: str = ""
    version: str = ""


class _LooseLevel(_Level, gc=False, forbid_unknown_fields=False): ...


class _LooseChange(_Change, gc=False, forbid_unknown_fields=False): ...


class _Loose(_Frame, gc=False, forbid_unknown_fields=False):
    """The tolerant twin, with the fields of the rare types."""

    timestamp: str = ""  # type: ignore[assignment]  # wider than base
    price_changes: list[_LooseChange] | None = None  # type: ignore[assignment]  # wider than base
    bids: list[_LooseLevel] | None = None  # type: ignore[assignment]  # wider than base
    asks: list[_LooseLevel] | None = None  # type: ignore[assignment]  # wider than base
    question: str = ""
    slug: str = ""
    assets_ids: list[str] = []
    winning_asset_id: str = ""
    winning_outcome: str = ""


_strict_one: Decoder[_Frame] = Decoder(_Frame, strict=False)
_strict_many: Decoder[list[_Frame]] = Decoder(list[_Frame], strict=False)
_read_one, _read_many = _strict_one.decode, _strict_many.decode
_loose_one: Decoder[_Loose] = Decoder(_Loose)
_loose_many: Decoder[list[_Loose]] = Decoder(list[_Loose])
_any: Decoder[Any] = Decoder()


def decode(conn: ConnId, data: bytes) -> list[Event]:
    """Read one frame: its events in wire order, or one `WireFault` for what was refused."""
    try:
        if data[:1] == b"[":
            return [_event(conn, frame) for frame in _read_many(data)]
        return [_event(conn, _read_one(data))]
    except _UNREADABLE:
        return _decode_odd(conn, data)


def decode_witness(conn: ConnId, data: bytes) -> list[Event]:
    """Read the answer of `GET /book`: the same object without an `event_type`."""
    try:
        frame = _loose_one.decode(data)
    except _UNREADABLE as error:
        return [_fault(conn, FaultKind.WRONG_SHAPE, "a /book answer", str(error))]
    frame.event_type = frame.event_type or "book"
    return [_event(conn, frame)]


def _decode_odd(conn: ConnId, data: bytes) -> list[Event]:
    """Sort out a frame that the strict decoder refused."""
    word = _PLAIN.get(bytes(data[:8]).strip().upper()) if len(data) <= 8 else None
    if word is not None:
        return [Heard(conn=conn, feed=Feed.POLYMARKET, what=word)]
    if len(data) > FRAME_MAX:
        size = f"{len(data)} bytes"
        return [_fault(conn, FaultKind.TOO_LARGE, f"at most {FRAME_MAX} bytes", size)]
    if not _is_utf8(data):
        return [_fault(conn, FaultKind.NOT_UTF8, "UTF-8", repr(data[:40]))]
    try:
        frames: list[_Loose] = (
            _loose_many.decode(data) if data.lstrip()[:1] == b"[" else [_loose_one.decode(data)]
        )
    except ValidationError as error:
        kind = FaultKind.MISSING_FIELD if "missing" in str(error) else FaultKind.WRONG_SHAPE
        return [_fault(conn, kind, "a market frame", str(error), _peek(data))]
    except RecursionError:
        return [_fault(conn, FaultKind.WRONG_SHAPE, "a flat frame", "JSON nested too deeply")]
    except DecodeError as error:
        return [_fault(conn, FaultKind.NOT_JSON, "JSON", f"{error}: {data[:40]!r}")]
    events: list[Event] = [_event(conn, frame) for frame in frames]
    rare = all(frame.event_type in _RARE for frame in frames)
    return events if rare else [*events, *_unknown_field(conn, data)]


def _is_utf8(data: bytes) -> bool:
    try:
        data.decode()
    except UnicodeDecodeError:
        return False
    return True


def _peek(data: bytes) -> str:
    """Find which market a refused frame was about, if it says so at all."""
    try:
        value = _any.decode(data)
    except _UNREADABLE:
        return ""
    first = value[0] if isinstance(value, list) and value else value
    market = first.get("market") if isinstance(first, dict) else None
    return market if isinstance(market, str) and len(market) <= _ID_MAX else ""


def _unknown_field(conn: ConnId, data: bytes) -> list[Event]:
    """Name the field that the strict decoder did not know: the first one of the frame."""
    decoder: Decoder[Any] = _strict_many if data.lstrip()[:1] == b"[" else _strict_one
    try:
        decoder.decode(data)
    except ValidationError as error:
        what, _, name = str(error).partition("`")
        if "unknown field" in what:
            name = name.partition("`")[0]
            return [WireIgnored(conn=conn, feed=Feed.POLYMARKET, what=f"field:{shown(name)}")]
    return []


def _fault(conn: ConnId, kind: FaultKind, expected: str, got: str, market: str = "") -> WireFault:
    return WireFault(
        conn=conn,
        feed=Feed.POLYMARKET,
        kind=kind,
        expected=expected,
        got=shown(got),
        market=market,
    )


def _event(conn: ConnId, frame: _Frame) -> Event:
    """Turn one decoded object into its event; a bad number or a missing field into a fault."""
    make = _MAKERS.get(frame.event_type)
    if make is None:
        return _unknown_type(conn, frame)
    try:
        return make(conn, frame)
    except WireError as error:
        return WireFault(
            conn=conn,
            feed=Feed.POLYMARKET,
            kind=FaultKind.BAD_NUMBER if error.number else FaultKind.MISSING_FIELD,
            expected=error.expected,
            got=error.got,
            market=frame.market if len(frame.market) <= _ID_MAX else "",
        )


def _unknown_type(conn: ConnId, frame: _Frame) -> Event:
    what = shown(frame.event_type)
    return WireIgnored(conn=conn, feed=Feed.POLYMARKET, what=f"type:{what}")


def _delta(conn: ConnId, frame: _Frame) -> Event:
    entries = frame.price_changes
    if entries is None:
        raise WireError(
            expected="price_changes (the flat form ended on 2025-09-15)",
            got="none",
            number=False,
        )
    known = _known_pair(*entries) if len(entries) == 2 else None
    changes, claims = known or (_changes(entries), _claims(entries))
    return BookDelta(
        conn=conn,
        market=_market(frame),
        venue_ms=_venue_ms(frame),
        changes=changes,
        claims=claims,
    )


def _known_pair(first: _Change, second: _Change) -> _Delta | None:
    """Read the usual message, one level as both tokens show it; None if a price is new to us.

    Gives what `_changes` and `_claims` give, without a call for each numeral: `tests/engine/wire`
    holds the two against each other.
    """
    one, other = first.asset_id, second.asset_id
    size, size_again = first.size, second.size
    px = PRICE_U6
    try:
        if one == other:
            return None
        qty = qty_u6(size)
        changes = (
            (one, _IS_BUY[first.side], px[first.price], qty, first.price, size),
            (
                other,
                _IS_BUY[second.side],
                px[second.price],
                qty if size_again == size else qty_u6(size_again),
                second.price,
                size_again,
            ),
        )
        claims = (
            (other, second.hash, px[second.best_bid], px[second.best_ask]),
            (one, first.hash, px[first.best_bid], px[first.best_ask]),
        )
    except KeyError:
        return None
    return changes, claims


def _changes(entries: list[_Change]) -> tuple[Change, ...]:
    px, qty = PRICE_U6.get, QTY_U6.get
    return tuple(
        [
            (
                e.asset_id,
                e.side == "BUY" or _is_buy(e.side),
                p if (p := px(text := e.price)) is not None else price_u6(text),
                q if (q := qty(size := e.size)) is not None else qty_u6(size),
                text,
                size,
            )
            for e in entries
        ]
    )


def _is_buy(side: str) -> bool:
    """Read the side of an entry that is not BUY."""
    if side != "SELL":
        raise WireError(expected="side BUY or SELL", got=side, number=False)
    return False


def _claims(entries: list[_Change]) -> tuple[Claim, ...]:
    """Take digest and best prices of each token from its last entry: a market has two tokens."""
    claims: list[Claim] = []
    token = ""
    for entry in reversed(entries):
        if entry.asset_id == token:
            continue
        token = entry.asset_id
        claims.append((token, entry.hash, _best_u6(entry.best_bid), _best_u6(entry.best_ask)))
        if len(claims) == 2:
            break
    return tuple(claims)


def _book(conn: ConnId, frame: _Frame) -> Event:
    bids, asks = frame.bids, frame.asks
    if bids is None or asks is None:
        raise WireError(expected="bids and asks", got="one of them missing", number=False)
    tick = frame.tick_size
    return BookFrame(
        conn=conn,
        market=_market(frame),
        token=_token(frame),
        venue_ms=_venue_ms(frame),
        digest=frame.hash,
        bids=_levels(bids),
        asks=_levels(asks),
        tick_u6=_tick_u6(tick) if tick else 0,
        tick_text=tick,
        last_trade_text=_last_trade(frame.last_trade_price),
        min_order_text=_plain_number(frame.min_order_size),
        neg_risk=frame.neg_risk,
        protocol=frame.version,
    )


def _levels(levels: list[_Level]) -> tuple[Level, ...]:
    px, qty = PRICE_U6.get, QTY_U6.get
    return tuple(
        [
            (
                p if (p := px(text := lv.price)) is not None else price_u6(text),
                q if (q := qty(size := lv.size)) is not None else qty_u6(size),
                text,
                size,
            )
            for lv in levels
        ]
    )


def _last_trade(text: str | None) -> str | None:
    if text:
        price_u6(text)
    return text


def _plain_number(text: str) -> str:
    if text:
        qty_u6(text)
    return text


def _trade(conn: ConnId, frame: _Frame) -> Event:
    return PublicTrade(
        conn=conn,
        market=_market(frame),
        token=_token(frame),
        venue_ms=_venue_ms(frame),
        px_u6=price_u6(frame.price),
        qty_u6=qty_u6(frame.size) if frame.size else None,
        side=_SIDES.get(frame.side),
    )


def _tick(conn: ConnId, frame: _Frame) -> Event:
    return TickChanged(
        conn=conn,
        market=_market(frame),
        token=_token(frame),
        venue_ms=_venue_ms(frame),
        old_tick_u6=_tick_u6(frame.old_tick_size),
        new_tick_u6=_tick_u6(frame.new_tick_size),
        new_tick_text=frame.new_tick_size,
    )


def _top(conn: ConnId, frame: _Frame) -> Event:
    return TopQuoted(
        conn=conn,
        market=_market(frame),
        token=_token(frame),
        venue_ms=_venue_ms(frame),
        bid_u6=price_u6(frame.best_bid),
        ask_u6=price_u6(frame.best_ask),
    )


def _announced(conn: ConnId, frame: _Frame) -> Event:
    rare = frame if isinstance(frame, _Loose) else _Loose()
    return MarketAnnounced(
        conn=conn,
        market=_market(frame),
        tokens=tuple(_id(token) for token in rare.assets_ids),
        title=sanitise(rare.question),
        slug=sanitise(rare.slug),
    )


def _resolved(conn: ConnId, frame: _Frame) -> Event:
    rare = frame if isinstance(frame, _Loose) else _Loose()
    return MarketResolved(
        conn=conn,
        market=_market(frame),
        winning_token=_id(rare.winning_asset_id),
        winning_outcome=sanitise(rare.winning_outcome),
        venue_ms=_venue_ms(frame),
    )


def _id(text: str) -> str:
    if not 0 < len(text) <= _ID_MAX or not text.isascii() or not text.isalnum():
        raise WireError(
            expected=f"an id of 1 to {_ID_MAX} letters and digits", got=text, number=False
        )
    return text


def _market(frame: _Frame) -> str:
    """Take the market id; the catalog decides whether it is one of ours."""
    market = frame.market
    if not 0 < len(market) <= _ID_MAX:
        raise WireError(expected=f"an id of at most {_ID_MAX} characters", got=market, number=False)
    return market


def _token(frame: _Frame) -> str:
    return _id(frame.asset_id)


def _best_u6(text: str) -> int:
    """Read a best price; -1 where the entry does not say."""
    if not text:
        return -1
    known = PRICE_U6.get(text)
    return price_u6(text) if known is None else known


def _venue_ms(frame: _Frame) -> int:
    stamp: int | str = frame.timestamp
    if isinstance(stamp, int):
        if stamp >= 0:
            return stamp
        stamp = ""
    if not 0 < len(stamp) <= 16 or not (stamp.isdecimal() and stamp.isascii()):
        raise WireError(expected="a millisecond timestamp of at most 16 digits", got=stamp)
    return int(stamp)


def _tick_u6(text: str) -> int:
    tick_u6 = price_u6(text)
    if tick_u6 not in TICKS_U6:
        raise WireError(expected="a tick of 0.1 … 0.0001", got=text)
    return tick_u6


TICKS_U6 = frozenset({100_000, 10_000, 5_000, 2_500, 1_000, 100})
"""Price grids of the venue (`venue/polymarket.md` §5.1)."""


_SIDES = {"BUY": Side.BUY, "SELL": Side.SELL}

_MAKERS: dict[str, Callable[[ConnId, _Frame], Event]] = {
    "price_change": _delta,
    "book": _book,
    "last_trade_price": _trade,
    "tick_size_change": _tick,
    "best_bid_ask": _top,
    "new_market": _announced,
    "market_resolved": _resolved,
}

_RARE = frozenset({"new_market", "market_resolved"})
"""Open-ended types: their unknown fields are many and not worth counting."""
