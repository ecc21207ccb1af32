"""Binance spot frames to events: raw and combined streams, and the REST depth answer.

Pure; refusals and unknown fields are treated as `wire.reference` says. Source:
`venue/external-feeds.md` §3, 2026-11-21. The type stands in `e`, except that bookTicker has none
and is known by its best bid size `B`; so each frame is first read for these two fields only.
"""

from collections.abc import Callable, Mapping

from msgspec import Raw, Struct, field
from msgspec.json import Decoder

from polytui.engine.core.enums import FaultKind, Feed, Side
from polytui.engine.core.events import Event, Heard, RefBook, RefDelta, RefQuote, RefTrade
from polytui.engine.core.ids import ConnId
from polytui.engine.wire.reference import (
    ABSENT,
    Count,
    Levels,
    Refused,
    Shape,
    Symbol,
    best_px_u6,
    epoch_ns,
    guard,
    ignored,
    levels_u6,
    px_u6,
    qty_u6,
    remote_error,
    start_of,
    traded_u6,
    unknown_field,
)

SHUTDOWN = "serverShutdown"
"""`Heard.what` when the server will close soon: open the replacement first."""


class _Head(Struct, gc=False):
    """Enough of a frame to know what it is."""

    stream: str = ""
    data: Raw = ABSENT
    e: str = ""
    best_bid_size: Raw = field(default=ABSENT, name="B")
    id: Raw = ABSENT
    error: Raw = ABSENT
    code: Raw = ABSENT


class _BookTicker(Struct, gc=False, forbid_unknown_fields=True):
    update_id: Count = field(name="u")
    symbol: Symbol = field(name="s")
    bid: str = field(name="b")
    bid_size: str = field(name="B")
    ask: str = field(name="a")
    ask_size: str = field(name="A")


class _DepthUpdate(Struct, gc=False, forbid_unknown_fields=True):
    at: Count = field(name="E")
    symbol: Symbol = field(name="s")
    first_id: Count = field(name="U")
    last_id: Count = field(name="u")
    bids: Levels = field(name="b")
    asks: Levels = field(name="a")
    e: Raw = ABSENT


class _Traded(Struct, gc=False):
    """What single and aggregate trades have in common."""

    symbol: Symbol = field(name="s")
    px: str = field(name="p")
    qty: str = field(name="q")
    at: Count = field(name="T")
    buyer_was_maker: bool = field(name="m")
    e: Raw = ABSENT
    sent_at: Raw = field(default=ABSENT, name="E")
    unused: Raw = field(default=ABSENT, name="M")


class _AggTrade(_Traded, gc=False, forbid_unknown_fields=True, kw_only=True):
    id: Count = field(name="a")
    first_id: Count = field(name="f")
    last_id: Count = field(name="l")


class _Trade(_Traded, gc=False, forbid_unknown_fields=True, kw_only=True):
    id: Count = field(name="t")
    buyer_order: Raw = field(default=ABSENT, name="b")
    seller_order: Raw = field(default=ABSENT, name="a")


class _DepthAnswer(Struct, gc=False, forbid_unknown_fields=True):
    last_id: Count = field(name="lastUpdateId")
    bids: Levels
    asks: Levels


_head: Decoder[_Head] = Decoder(_Head)
_book_ticker_shape: Shape[_BookTicker] = Shape(_BookTicker)
_depth_shape: Shape[_DepthUpdate] = Shape(_DepthUpdate)
_agg_trade_shape: Shape[_AggTrade] = Shape(_AggTrade)
_trade_shape: Shape[_Trade] = Shape(_Trade)
_answer_shape: Shape[_DepthAnswer] = Shape(_DepthAnswer)


def decode(conn: ConnId, data: bytes) -> list[Event]:
    """Read one frame of a raw or combined stream: its events, or one `WireFault`."""
    return guard(conn, Feed.BINANCE, data, _read)


def decode_depth_answer(conn: ConnId, symbol: str, data: bytes) -> list[Event]:
    """Read the answer of `GET /api/v3/depth` for the symbol that was asked about."""

    def read(conn: ConnId, data: bytes) -> list[Event]:
        if _head.decode(data).code is not ABSENT:
            raise remote_error(start_of(data))
        answer, unknown = _answer_shape.read(data)
        book = RefBook(
            conn=conn,
            feed=Feed.BINANCE,
            symbol=symbol,
            venue_ns=None,
            bids=levels_u6(answer.bids),
            asks=levels_u6(answer.asks),
            update_id=answer.last_id,
        )
        return [book, *unknown_field(conn, Feed.BINANCE, unknown)]

    return guard(conn, Feed.BINANCE, data, read, symbol=symbol)


def _read(conn: ConnId, data: bytes) -> list[Event]:
    head = _head.decode(data)
    body: bytes | Raw = data
    stream = head.stream
    if head.data is not ABSENT:
        body = head.data
        head = _head.decode(body)
    name = head.e or ("bookTicker" if head.best_bid_size is not ABSENT else "")
    reader = _READERS.get(name)
    if reader is not None:
        event, unknown = reader(conn, body)
        return [event, *unknown_field(conn, Feed.BINANCE, unknown)] if unknown else [event]
    if name or stream:
        return [ignored(conn, Feed.BINANCE, f"type:{name or stream}")]
    if head.error is not ABSENT or head.code is not ABSENT:
        raise remote_error(start_of(data))
    if head.id is not ABSENT:
        return [Heard(conn=conn, feed=Feed.BINANCE, what="result")]
    raise Refused(
        FaultKind.MISSING_FIELD,
        expected="an event, a stream or an answer",
        got=start_of(data),
    )


def _book_ticker(conn: ConnId, body: bytes | Raw) -> tuple[Event, str]:
    """Read a best quote; it carries no time of its own."""
    message, unknown = _book_ticker_shape.read(body)
    event = RefQuote(
        conn=conn,
        feed=Feed.BINANCE,
        symbol=message.symbol,
        venue_ns=None,
        bid_u6=best_px_u6(message.bid),
        bid_qty_u6=qty_u6(message.bid_size),
        ask_u6=best_px_u6(message.ask),
        ask_qty_u6=qty_u6(message.ask_size),
        sequence=message.update_id,
    )
    return event, unknown


def _depth_update(conn: ConnId, body: bytes | Raw) -> tuple[Event, str]:
    message, unknown = _depth_shape.read(body)
    if message.first_id > message.last_id:
        ids = f"{message.first_id} > {message.last_id}"
        raise Refused(FaultKind.INCOHERENT, expected="U at most u", got=ids)
    event = RefDelta(
        conn=conn,
        feed=Feed.BINANCE,
        symbol=message.symbol,
        venue_ns=epoch_ns(message.at),
        bids=levels_u6(message.bids),
        asks=levels_u6(message.asks),
        first_update_id=message.first_id,
        last_update_id=message.last_id,
    )
    return event, unknown


def _agg_trade(conn: ConnId, body: bytes | Raw) -> tuple[Event, str]:
    message, unknown = _agg_trade_shape.read(body)
    ids = (message.id, message.first_id, message.last_id)
    return _traded(conn, message, ids), unknown


def _trade(conn: ConnId, body: bytes | Raw) -> tuple[Event, str]:
    message, unknown = _trade_shape.read(body)
    return _traded(conn, message, (message.id, None, None)), unknown


def _traded(conn: ConnId, message: _Traded, ids: tuple[int, int | None, int | None]) -> Event:
    """Make the event; a buyer who was the maker was hit by a seller."""
    trade_id, first_id, last_id = ids
    return RefTrade(
        conn=conn,
        feed=Feed.BINANCE,
        symbol=message.symbol,
        venue_ns=epoch_ns(message.at),
        px_u6=px_u6(message.px),
        qty_u6=traded_u6(message.qty),
        aggressor=Side.SELL if message.buyer_was_maker else Side.BUY,
        trade_id=trade_id,
        first_id=first_id,
        last_id=last_id,
    )


def _shutdown(conn: ConnId, _body: bytes | Raw) -> tuple[Event, str]:
    return Heard(conn=conn, feed=Feed.BINANCE, what=SHUTDOWN), ""


_READERS: Mapping[str, Callable[[ConnId, bytes | Raw], tuple[Event, str]]] = {
    "bookTicker": _book_ticker,
    "depthUpdate": _depth_update,
    "aggTrade": _agg_trade,
    "trade": _trade,
    SHUTDOWN: _shutdown,
}
"""One event and the name of an unknown field, or `""`. Everything else (kline …) is counted."""
