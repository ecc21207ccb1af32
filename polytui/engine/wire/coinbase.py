"""Coinbase frames to events: Exchange (`decode`) and Advanced Trade (`decode_advanced`).

Pure; refusals and unknown fields are treated as `wire.reference` says. Source:
`venue/external-feeds.md` §1 and §2, 2026-11-21.

Sides are the classic trap. On `match`, `last_match` and `market_trades` the side is the *maker's*,
so the aggressor stood on the other side; on `ticker` it is the taker's, and is not read, because
each trade of a ticker arrives as a match too.
"""

from collections.abc import Callable, Mapping
from typing import Any, Literal

from msgspec import Raw, Struct, ValidationError
from msgspec.json import Decoder

from polytui.engine.core.enums import FaultKind, Feed, Side
from polytui.engine.core.events import (
    Event,
    Heard,
    RefBeat,
    RefBook,
    RefCounted,
    RefDelta,
    RefLevel,
    RefQuote,
    RefTrade,
)
from polytui.engine.core.ids import ConnId
from polytui.engine.wire.reference import (
    ABSENT,
    ID_MAX,
    Count,
    Levels,
    Refused,
    Shape,
    Symbol,
    best_px_u6,
    guard,
    ignored,
    iso_ns,
    levels_u6,
    px_u6,
    qty_u6,
    remote_error,
    traded_u6,
    unknown_field,
)

AGGRESSOR_OF_MAKER: Mapping[str, Side] = {
    "buy": Side.SELL,
    "sell": Side.BUY,
    "BUY": Side.SELL,
    "SELL": Side.BUY,
}
"""A resting offer is hit by a buyer, and the other way round."""


# --- Exchange ------------------------------------------------------------------------------------


class _Typed(Struct, tag_field="type", gc=False):
    """Base of the Exchange messages: the tag is the field `type`."""


class _Heartbeat(_Typed, tag="heartbeat", gc=False, forbid_unknown_fields=True):
    product_id: Symbol
    sequence: Count
    last_trade_id: Count
    time: str


class _Ticker(_Typed, tag="ticker", gc=False, forbid_unknown_fields=True):
    product_id: Symbol
    sequence: Count
    best_bid: str
    best_ask: str
    time: str
    best_bid_size: str | None = None
    best_ask_size: str | None = None
    price: Raw = ABSENT
    open_24h: Raw = ABSENT
    volume_24h: Raw = ABSENT
    low_24h: Raw = ABSENT
    high_24h: Raw = ABSENT
    volume_30d: Raw = ABSENT
    side: Raw = ABSENT
    trade_id: Raw = ABSENT
    last_size: Raw = ABSENT


class _Match(_Typed, tag="match", gc=False, forbid_unknown_fields=True):
    product_id: Symbol
    trade_id: Count
    side: Literal["buy", "sell"]
    size: str
    price: str
    time: str
    sequence: Raw = ABSENT
    maker_order_id: Raw = ABSENT
    taker_order_id: Raw = ABSENT


class _LastMatch(_Match, tag="last_match", gc=False, forbid_unknown_fields=True):
    """The last trade before the subscription."""


class _Snapshot(_Typed, tag="snapshot", gc=False, forbid_unknown_fields=True):
    product_id: Symbol
    bids: Levels
    asks: Levels
    time: str | None = None


class _L2Update(_Typed, tag="l2update", gc=False, forbid_unknown_fields=True):
    product_id: Symbol
    changes: list[tuple[Literal["buy", "sell"], str, str]]
    time: str


class _Subscriptions(_Typed, tag="subscriptions", gc=False, forbid_unknown_fields=True):
    channels: Raw


class _Error(_Typed, tag="error", gc=False, forbid_unknown_fields=True):
    message: str = ""
    reason: str = ""


class _AnyType(Struct, gc=False):
    type: str


_Message = (
    _Heartbeat | _Ticker | _Match | _LastMatch | _Snapshot | _L2Update | _Subscriptions | _Error
)

_exchange: Shape[_Message] = Shape(
    _Heartbeat, _Ticker, _Match, _LastMatch, _Snapshot, _L2Update, _Subscriptions, _Error
)
_any_type: Decoder[_AnyType] = Decoder(_AnyType)


def decode(conn: ConnId, data: bytes) -> list[Event]:
    """Read one Exchange frame: its events, or one `WireFault` for what was refused."""
    return guard(conn, Feed.COINBASE, data, _read)


def _read(conn: ConnId, data: bytes) -> list[Event]:
    try:
        message, unknown = _exchange.read(data)
    except ValidationError:
        name = _any_type.decode(data).type
        if name in _READERS:
            raise
        return [ignored(conn, Feed.COINBASE, f"type:{name}")]
    event = _READERS[str(message.__struct_config__.tag)](conn, message)
    return [event, *unknown_field(conn, Feed.COINBASE, unknown)] if unknown else [event]


def _heartbeat(conn: ConnId, message: _Heartbeat) -> Event:
    """Give the product's `sequence` as the counter: it stands still when the upstream froze."""
    return RefBeat(
        conn=conn,
        feed=Feed.COINBASE,
        symbol=message.product_id,
        venue_ns=iso_ns(message.time),
        counter=message.sequence,
        last_trade_id=message.last_trade_id,
    )


def _ticker(conn: ConnId, message: _Ticker) -> Event:
    bid_size, ask_size = message.best_bid_size, message.best_ask_size
    return RefQuote(
        conn=conn,
        feed=Feed.COINBASE,
        symbol=message.product_id,
        venue_ns=iso_ns(message.time),
        bid_u6=best_px_u6(message.best_bid),
        bid_qty_u6=None if bid_size is None else qty_u6(bid_size),
        ask_u6=best_px_u6(message.best_ask),
        ask_qty_u6=None if ask_size is None else qty_u6(ask_size),
        sequence=message.sequence,
        trade_driven=True,
    )


def _match(conn: ConnId, message: _Match) -> Event:
    return RefTrade(
        conn=conn,
        feed=Feed.COINBASE,
        symbol=message.product_id,
        venue_ns=iso_ns(message.time),
        px_u6=px_u6(message.price),
        qty_u6=traded_u6(message.size),
        aggressor=AGGRESSOR_OF_MAKER[message.side],
        trade_id=message.trade_id,
        replayed=isinstance(message, _LastMatch),
    )


def _snapshot(conn: ConnId, message: _Snapshot) -> Event:
    return RefBook(
        conn=conn,
        feed=Feed.COINBASE,
        symbol=message.product_id,
        venue_ns=None if message.time is None else iso_ns(message.time),
        bids=levels_u6(message.bids),
        asks=levels_u6(message.asks),
    )


def _l2update(conn: ConnId, message: _L2Update) -> Event:
    bids: list[RefLevel] = []
    asks: list[RefLevel] = []
    for side, px, qty in message.changes:
        (bids if side == "buy" else asks).append((px_u6(px), qty_u6(qty)))
    return RefDelta(
        conn=conn,
        feed=Feed.COINBASE,
        symbol=message.product_id,
        venue_ns=iso_ns(message.time),
        bids=tuple(bids),
        asks=tuple(asks),
    )


def _subscriptions(conn: ConnId, _message: _Subscriptions) -> Event:
    return Heard(conn=conn, feed=Feed.COINBASE, what="subscriptions")


def _error(_conn: ConnId, message: _Error) -> Event:
    raise remote_error(f"{message.message}: {message.reason}")


_READERS: Mapping[str, Callable[[ConnId, Any], Event]] = {
    "heartbeat": _heartbeat,
    "ticker": _ticker,
    "match": _match,
    "last_match": _match,
    "snapshot": _snapshot,
    "l2update": _l2update,
    "subscriptions": _subscriptions,
    "error": _error,
}


# --- Advanced Trade ------------------------------------------------------------------------------


class _Envelope(Struct, gc=False, forbid_unknown_fields=True):
    channel: str = ""
    sequence_num: Count | None = None
    timestamp: str = ""
    events: list[Raw] = []
    client_id: Raw = ABSENT
    type: str = ""
    message: str = ""
    """Errors arrive without the envelope, as `type` and `message`."""


class _BeatEvent(Struct, gc=False, forbid_unknown_fields=True):
    current_time: str
    heartbeat_counter: Count | str


class _L2Row(Struct, gc=False):
    side: Literal["bid", "offer"]
    price_level: str
    new_quantity: str


class _L2Event(Struct, gc=False, forbid_unknown_fields=True):
    type: Literal["snapshot", "update"]
    product_id: Symbol
    updates: list[_L2Row]


class _TickerRow(Struct, gc=False):
    product_id: Symbol
    best_bid: str = ""
    best_ask: str = ""
    best_bid_quantity: str | None = None
    best_ask_quantity: str | None = None


class _TickerEvent(Struct, gc=False, forbid_unknown_fields=True):
    tickers: list[_TickerRow]
    type: Raw = ABSENT


class _TradeRow(Struct, gc=False):
    product_id: Symbol
    trade_id: Count | str
    price: str
    size: str
    side: Literal["BUY", "SELL"]
    time: str


class _TradesEvent(Struct, gc=False, forbid_unknown_fields=True):
    type: Literal["snapshot", "update"]
    trades: list[_TradeRow]


_envelope: Shape[_Envelope] = Shape(_Envelope)
_beat_event: Shape[_BeatEvent] = Shape(_BeatEvent)
_l2_event: Shape[_L2Event] = Shape(_L2Event)
_ticker_event: Shape[_TickerEvent] = Shape(_TickerEvent)
_trades_event: Shape[_TradesEvent] = Shape(_TradesEvent)


def decode_advanced(conn: ConnId, data: bytes) -> list[Event]:
    """Read one Advanced Trade frame: `RefCounted`, then its events or one `WireFault`.

    The count comes first and also before a fault: a frame that arrived is not a lost one.
    """
    return guard(conn, Feed.COINBASE_ADVANCED, data, _read_advanced)


def _read_advanced(conn: ConnId, data: bytes) -> list[Event]:
    envelope, unknown = _envelope.read(data)
    if envelope.type == "error":
        raise remote_error(envelope.message)
    if not envelope.channel or envelope.sequence_num is None:
        raise Refused(
            FaultKind.MISSING_FIELD, expected="a channel and a sequence_num", got=envelope.channel
        )
    counted = RefCounted(
        conn=conn, feed=Feed.COINBASE_ADVANCED, channel="", sequence=envelope.sequence_num
    )
    return [
        counted,
        *guard(conn, Feed.COINBASE_ADVANCED, data, lambda conn, _: _read_channel(conn, envelope)),
        *unknown_field(conn, Feed.COINBASE_ADVANCED, unknown),
    ]


def _read_channel(conn: ConnId, envelope: _Envelope) -> list[Event]:
    reader = _CHANNELS.get(envelope.channel)
    if reader is None:
        return [ignored(conn, Feed.COINBASE_ADVANCED, f"type:{envelope.channel}")]
    venue_ns = iso_ns(envelope.timestamp)
    events: list[Event] = []
    unknown = ""
    for raw in envelope.events:
        unknown = reader(conn, venue_ns, raw, events) or unknown
    if not events:
        events.append(Heard(conn=conn, feed=Feed.COINBASE_ADVANCED, what=envelope.channel))
    return [*events, *unknown_field(conn, Feed.COINBASE_ADVANCED, unknown)]


def _beats(conn: ConnId, _venue_ns: int, raw: Raw, events: list[Event]) -> str:
    event, unknown = _beat_event.read(raw)
    events.append(
        RefBeat(
            conn=conn,
            feed=Feed.COINBASE_ADVANCED,
            symbol="",
            venue_ns=iso_ns(event.current_time),
            counter=_whole(event.heartbeat_counter),
        )
    )
    return unknown


def _l2_data(conn: ConnId, venue_ns: int, raw: Raw, events: list[Event]) -> str:
    event, unknown = _l2_event.read(raw)
    bids: list[RefLevel] = []
    asks: list[RefLevel] = []
    for row in event.updates:
        level = (px_u6(row.price_level), qty_u6(row.new_quantity))
        (bids if row.side == "bid" else asks).append(level)
    kind = RefBook if event.type == "snapshot" else RefDelta
    events.append(
        kind(
            conn=conn,
            feed=Feed.COINBASE_ADVANCED,
            symbol=event.product_id,
            venue_ns=venue_ns,
            bids=tuple(bids),
            asks=tuple(asks),
        )
    )
    return unknown


def _tickers(conn: ConnId, venue_ns: int, raw: Raw, events: list[Event]) -> str:
    """Read tickers; `ticker_batch` leaves out the best prices and is no quote."""
    event, unknown = _ticker_event.read(raw)
    for row in event.tickers:
        if not row.best_bid or not row.best_ask:
            continue
        bid_size, ask_size = row.best_bid_quantity, row.best_ask_quantity
        events.append(
            RefQuote(
                conn=conn,
                feed=Feed.COINBASE_ADVANCED,
                symbol=row.product_id,
                venue_ns=venue_ns,
                bid_u6=best_px_u6(row.best_bid),
                bid_qty_u6=None if bid_size is None else qty_u6(bid_size),
                ask_u6=best_px_u6(row.best_ask),
                ask_qty_u6=None if ask_size is None else qty_u6(ask_size),
                trade_driven=True,
            )
        )
    return unknown


def _market_trades(conn: ConnId, _venue_ns: int, raw: Raw, events: list[Event]) -> str:
    """Read trades of 250 ms in order of their ids: the order inside a batch is not promised."""
    event, unknown = _trades_event.read(raw)
    trades: list[RefTrade] = [
        RefTrade(
            conn=conn,
            feed=Feed.COINBASE_ADVANCED,
            symbol=row.product_id,
            venue_ns=iso_ns(row.time),
            px_u6=px_u6(row.price),
            qty_u6=traded_u6(row.size),
            aggressor=AGGRESSOR_OF_MAKER[row.side],
            trade_id=_whole(row.trade_id),
            replayed=event.type == "snapshot",
        )
        for row in event.trades
    ]
    trades.sort(key=lambda trade: trade.trade_id)
    events.extend(trades)
    return unknown


def _nothing(_conn: ConnId, _venue_ns: int, _raw: Raw, _events: list[Event]) -> str:
    return ""


def _whole(value: int | str) -> int:
    """Read a count that is documented as a number and seen as text."""
    if isinstance(value, int):
        return value
    if not (value.isascii() and value.isdecimal() and len(value) <= 19 and int(value) <= ID_MAX):
        raise Refused(FaultKind.BAD_NUMBER, expected="a whole number", got=value)
    return int(value)


_CHANNELS: Mapping[str, Callable[[ConnId, int, Raw, list[Event]], str]] = {
    "heartbeats": _beats,
    "l2_data": _l2_data,
    "ticker": _tickers,
    "ticker_batch": _tickers,
    "market_trades": _market_trades,
    "subscriptions": _nothing,
}
"""Append the events of one item of a channel; answer the name of an unknown field or `""`.

The book is asked for as `level2` and answered as `l2_data`."""
