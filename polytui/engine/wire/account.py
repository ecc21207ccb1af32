"""Polymarket's word on our own orders and trades: user-stream frames and REST rows (§3.2, §4.2).

Pure. Numbers are strict (`core.units`), shapes are liberal, because documentation, OpenAPI and
server disagree: an object or an array, texts or JSON numbers, `""` and `null`, prefixed statuses,
free text behind a status, seconds, milliseconds or ISO times, unknown fields. What is needed and
missing is a `WireFault` of its own element, never of its neighbours. No refused bytes are quoted,
only what was wrong with them: a frame may hold credentials.
"""

import re
from collections.abc import Callable
from typing import Any, Final, TypeVar

from msgspec import DecodeError, Raw, Struct, ValidationError
from msgspec.json import Decoder

from polytui.engine.core.account_events import UserBeat, UserOrder, UserTrade
from polytui.engine.core.enums import FaultKind, Feed, Side
from polytui.engine.core.errors import SHOWN_MAX, WireError, shown
from polytui.engine.core.events import Event, WireFault, WireIgnored
from polytui.engine.core.ids import ConnId
from polytui.engine.core.order_enums import OrderType, Realm, TradeStatus
from polytui.engine.core.trading import MakerPart, VenueOrder, VenueTrade
from polytui.engine.core.units import parse_price_u6, parse_u6

FRAME_MAX: Final = 256 << 10
"""Largest frame read, bytes: one trade with hundreds of makers is about 100 kB."""

LAST_CURSOR: Final = "LTE="
"""How pages end; they begin with `MA==` or nothing."""

UNREADABLE: Final = (DecodeError, UnicodeDecodeError, RecursionError)
"""All that the JSON library raises for bad bytes."""

_ID: Final = re.compile(r"[0-9A-Za-z_-]{1,80}", re.ASCII)
"""Order hashes, condition ids, token ids, trade ids (UUIDs)."""
_WORD: Final = re.compile(r"[A-Z_]{1,40}", re.ASCII)
_ISO: Final = re.compile(
    r"(\d{4})-(\d\d)-(\d\d)[T ](\d\d):(\d\d):(\d\d)(?:\.(\d{1,9}))?(?:Z|[+]00:?00)", re.ASCII
)
_NONE: Final = Raw(b"")
T = TypeVar("T")


class _Maker(Struct, gc=False):
    order_id: Raw = _NONE
    maker_address: Raw = _NONE
    matched_amount: Raw = _NONE
    price: Raw = _NONE
    asset_id: Raw = _NONE
    side: Raw = _NONE


class _Row(Struct, gc=False):
    """Everything that an order or a trade may say, read when it is wanted."""

    event_type: Raw = _NONE
    type: Raw = _NONE
    id: Raw = _NONE
    status: Raw = _NONE
    owner: Raw = _NONE
    market: Raw = _NONE
    asset_id: Raw = _NONE
    side: Raw = _NONE
    price: Raw = _NONE
    timestamp: Raw = _NONE
    # --- orders
    original_size: Raw = _NONE
    size_matched: Raw = _NONE
    order_type: Raw = _NONE
    expiration: Raw = _NONE
    created_at: Raw = _NONE
    # --- trades
    size: Raw = _NONE
    taker_order_id: Raw = _NONE
    trader_side: Raw = _NONE
    trade_owner: Raw = _NONE
    transaction_hash: Raw = _NONE
    match_time: Raw = _NONE
    matchtime: Raw = _NONE
    last_update: Raw = _NONE
    maker_orders: list[_Maker] | None = None


class _Page(Struct, gc=False):
    data: list[Raw] | None = None
    next_cursor: Raw = _NONE


_row: Final = Decoder(_Row)
_page: Final = Decoder(_Page)
_rows: Final = Decoder(list[Raw])
_string: Final = Decoder(str)
_any: Final[Decoder[Any]] = Decoder()


# --- the user stream -----------------------------------------------------------------------------


def decode(conn: ConnId, realm: Realm, data: bytes, *, owner: str = "") -> list[Event]:
    """Read one frame of the user stream; `owner` is our API key's id, where it is known.

    Returns the events in wire order; for what cannot be read a `WireFault`, for a type we do not
    know a `WireIgnored`. Never raises.
    """
    if len(data) <= 8 and bytes(data).strip().upper() in (b"PONG", b"PING", b""):
        return [UserBeat(realm=realm, conn=conn)]
    if len(data) > FRAME_MAX:
        size = f"{len(data)} bytes"
        return [_fault(conn, FaultKind.TOO_LARGE, f"at most {FRAME_MAX} bytes", size)]
    try:
        parts = _rows.decode(data) if data.lstrip()[:1] == b"[" else [Raw(data)]
    except UNREADABLE as error:
        return [_unreadable(conn, error)]
    return [_event(conn, realm, part, owner) for part in parts]


def _event(conn: ConnId, realm: Realm, part: Raw, owner: str) -> Event:
    try:
        row = _row.decode(part)
        kind = text_of(row.event_type)
        make = _MAKERS.get(kind)
        if make is None:
            what = f"type:{shown(kind)}"[:SHOWN_MAX]
            return WireIgnored(conn=conn, feed=Feed.POLYMARKET, what=what)
        return make(conn, realm, row, owner)
    except WireError as error:
        kind_ = FaultKind.BAD_NUMBER if error.number else FaultKind.MISSING_FIELD
        return _fault(conn, kind_, error.expected, error.got, _peek(part))
    except UNREADABLE as error:
        return _unreadable(conn, error, _peek(part))


def _user_order(conn: ConnId, realm: Realm, row: _Row, _owner: str) -> Event:
    return UserOrder(realm=realm, conn=conn, order=_order(row), venue_ms=_ms_or_0(row.timestamp))


def _user_trade(conn: ConnId, realm: Realm, row: _Row, owner: str) -> Event:
    trade = _trade(row, owner)
    return UserTrade(realm=realm, conn=conn, trade=trade, venue_ms=_ms_or_0(row.timestamp))


_MAKERS: Final[dict[str, Callable[[ConnId, Realm, _Row, str], Event]]] = {
    "order": _user_order,
    "trade": _user_trade,
}


def _unreadable(conn: ConnId, error: Exception, market: str = "") -> WireFault:
    if isinstance(error, ValidationError):
        return _fault(conn, FaultKind.WRONG_SHAPE, "an order or a trade", str(error), market)
    if isinstance(error, RecursionError):
        return _fault(conn, FaultKind.WRONG_SHAPE, "a flat frame", "JSON nested too deeply")
    return _fault(conn, FaultKind.NOT_JSON, "JSON", type(error).__name__)


def _fault(conn: ConnId, kind: FaultKind, expected: str, got: str, market: str = "") -> WireFault:
    return WireFault(
        conn=conn,
        feed=Feed.POLYMARKET,
        kind=kind,
        expected=expected,
        got=shown(got),
        market=market,
    )


def _peek(part: Raw) -> str:
    """Find which market a refused element was about, if it says so at all."""
    try:
        value = _any.decode(part)
    except UNREADABLE:
        return ""
    market = value.get("market") if isinstance(value, dict) else None
    return market if isinstance(market, str) and _ID.fullmatch(market) else ""


# --- REST ----------------------------------------------------------------------------------------


def read_order(data: bytes) -> VenueOrder | None:
    """Read the answer of `GET /data/order/{id}`; None: no such active order.

    Raises:
        WireError: it is neither.
    """
    if data.strip() in (b"", b"null", b'""', b"{}", b"[]"):
        return None
    return _decoded(data, _order)


def read_orders(data: bytes) -> tuple[tuple[VenueOrder, ...], str]:
    """Read a page of `GET /data/orders`: rows and the next cursor (`LAST_CURSOR` at the end).

    Raises:
        WireError: the page or any of its rows cannot be read: half a list is no list.
    """
    parts, cursor = _paged(data)
    return tuple(_decoded(bytes(part), _order) for part in parts), cursor


def read_trades(data: bytes, *, owner: str = "") -> tuple[tuple[VenueTrade, ...], str]:
    """Read a page of `GET /data/trades`, as `read_orders` does.

    Raises:
        WireError: the page or any of its rows cannot be read.
    """
    parts, cursor = _paged(data)
    return tuple(_decoded(bytes(part), lambda row: _trade(row, owner)) for part in parts), cursor


def _paged(data: bytes) -> tuple[list[Raw], str]:
    try:
        if data.lstrip()[:1] == b"[":
            return _rows.decode(data), LAST_CURSOR
        page = _page.decode(data)
        cursor = text_of(page.next_cursor) or LAST_CURSOR
    except UNREADABLE as error:
        raise WireError(expected="a page", got=type(error).__name__, number=False) from None
    if page.data is None:
        raise WireError(expected="`data` in a page", got="none", number=False)
    return page.data, cursor


def _decoded(data: bytes, make: Callable[[_Row], T]) -> T:
    try:
        return make(_row.decode(data))
    except UNREADABLE as error:
        got = type(error).__name__
        raise WireError(expected="an order or a trade", got=got, number=False) from None


# --- records -------------------------------------------------------------------------------------


def _order(row: _Row) -> VenueOrder:
    text = _needed(row.status, "status")
    matched = text_of(row.size_matched)
    return VenueOrder(
        order_hash=_id(row.id, "id").lower(),
        market=_id(row.market, "market"),
        token=_id(row.asset_id, "asset_id"),
        side=_side(_needed(row.side, "side")),
        px_u6=parse_price_u6(_needed(row.price, "price")),
        qty_u6=parse_u6(_needed(row.original_size, "original_size")),
        matched_u6=parse_u6(matched) if matched else None,
        status=order_status(text),
        status_text=escaped(text),
        order_type=_ORDER_TYPES.get(text_of(row.order_type).upper()),
        expiration_s=_seconds_or_0(row.expiration),
        created_s=_seconds_or_0(row.created_at),
        event=_word(text_of(row.type)),
    )


def _trade(row: _Row, owner: str) -> VenueTrade:
    return VenueTrade(
        trade_id=_id(row.id, "id"),
        market=_id(row.market, "market"),
        taker_hash=_id(row.taker_order_id, "taker_order_id").lower(),
        token=_id(row.asset_id, "asset_id"),
        side=_side(_needed(row.side, "side")),
        px_u6=parse_price_u6(_needed(row.price, "price")),
        qty_u6=parse_u6(_needed(row.size, "size")),
        status=trade_status(_needed(row.status, "status")),
        matched_s=_matched_s(row),
        tx_hash=escaped(text_of(row.transaction_hash)),
        is_taker=_is_taker(row, owner),
        makers=tuple(_maker(maker) for maker in row.maker_orders or ()),
    )


def _maker(maker: _Maker) -> MakerPart:
    side = text_of(maker.side)
    return MakerPart(
        order_hash=_id(maker.order_id, "order_id").lower(),
        maker=escaped(text_of(maker.maker_address)).lower(),
        token=_id(maker.asset_id, "asset_id"),
        side=_side(side) if side else None,
        px_u6=parse_price_u6(_needed(maker.price, "price")),
        qty_u6=parse_u6(_needed(maker.matched_amount, "matched_amount")),
    )


def _matched_s(row: _Row) -> int:
    """Take the time of the match, or the nearest to it that the row has."""
    for raw in (row.match_time, row.matchtime, row.last_update, row.timestamp):
        text = text_of(raw)
        if text:
            return read_ms(text) // 1_000
    raise WireError(expected="`match_time`", got="nothing", number=False)


def _is_taker(row: _Row, owner: str) -> bool:
    """Tell whether we were the aggressor: by `trader_side`, else by whose order the top level is.

    `owner` of a trade is the taker's API key, `trade_owner` the reader's.
    """
    side = text_of(row.trader_side).upper()
    if side in ("TAKER", "MAKER"):
        return side == "TAKER"
    taker, reader = text_of(row.owner), text_of(row.trade_owner) or owner
    if not taker or not reader:
        raise WireError(expected="`trader_side` TAKER or MAKER", got=side, number=False)
    return taker == reader


# --- words and numbers ---------------------------------------------------------------------------

_ORDER_STATUSES: Final = ("LIVE", "MATCHED", "DELAYED", "UNMATCHED", "CANCELED", "INVALID")
_TRADE_STATUSES: Final = {
    "MATCHED": TradeStatus.MATCHED,
    "MATCHED_NOT_BROADCASTED": TradeStatus.NOT_BROADCAST,
    "MINED": TradeStatus.MINED,
    "CONFIRMED": TradeStatus.CONFIRMED,
    "RETRYING": TradeStatus.RETRYING,
    "FAILED": TradeStatus.FAILED,
}
_SIDES: Final = {"BUY": Side.BUY, "SELL": Side.SELL}
_ORDER_TYPES: Final = {kind.value: kind for kind in OrderType}


def order_status(text: str) -> str:
    """Reduce an order's status to its word: prefix and free text stripped, unknown ones kept.

    `CANCELED_order couldn't be fully filled…` is `CANCELED`; a word nobody has seen comes through
    as itself, so that whoever folds it can halt the market.
    """
    bare = text.removeprefix("ORDER_STATUS_").replace("CANCELLED", "CANCELED", 1)
    for word in _ORDER_STATUSES:
        if bare == word or bare.startswith(word + "_"):
            return word
    return _word(bare) or "?"


def trade_status(text: str) -> TradeStatus:
    """Read a trade's status.

    Raises:
        WireError: a status nobody has seen: the market must halt rather than guess.
    """
    status = _TRADE_STATUSES.get(text.removeprefix("TRADE_STATUS_").upper())
    if status is None:
        raise WireError(expected="a known trade status", got=text, number=False)
    return status


def escaped(text: str) -> str:
    """Make foreign text safe for a record: ASCII escapes only, at most 80 characters."""
    return ascii(text[:SHOWN_MAX])[1:-1][:SHOWN_MAX]


def read_ms(text: str) -> int:
    """Read a time as milliseconds since 1970: seconds, milliseconds (by magnitude) or ISO 8601.

    Raises:
        WireError: it is none of these.
    """
    if text.isascii() and text.isdecimal() and len(text) <= 16:
        value = int(text)
        return value if value >= 100_000_000_000 else value * 1_000
    found = _ISO.fullmatch(text)
    if found is None:
        raise WireError(expected="seconds, milliseconds or an ISO time", got=text)
    year, month, day, hour, minute, second = (int(part) for part in found.groups()[:6])
    if not (1 <= month <= 12 and 1 <= day <= 31 and hour < 24 and minute < 60 and second <= 60):
        raise WireError(expected="an ISO time that exists", got=text)
    seconds = _days(year, month, day) * 86_400 + hour * 3_600 + minute * 60 + second
    return seconds * 1_000 + int((found[7] or "0").ljust(3, "0")[:3])


def _days(year: int, month: int, day: int) -> int:
    """Count days since 1970-01-01 (Hinnant, "chrono-compatible low-level date algorithms")."""
    year -= month <= 2
    era = year // 400
    of_era = year - era * 400
    of_year = (153 * (month + (-3 if month > 2 else 9)) + 2) // 5 + day - 1
    return era * 146_097 + of_era * 365 + of_era // 4 - of_era // 100 + of_year - 719_468


def text_of(raw: Raw) -> str:
    """Read a member as text: a JSON string, the digits of a JSON number, or `""` for none.

    Raises:
        WireError: it is something else.
    """
    data = bytes(raw)
    if not data or data == b"null":
        return ""
    if data[:1] == b'"':
        return _string.decode(data)
    if data[0] in b"-0123456789":
        return data.decode("ascii")
    raise WireError(expected="a text or a number", got=data[:1].decode("latin-1"), number=False)


def _needed(raw: Raw, name: str) -> str:
    text = text_of(raw)
    if not text:
        raise WireError(expected=f"`{name}`", got="nothing", number=False)
    return text


def _id(raw: Raw, name: str) -> str:
    text = _needed(raw, name)
    if not _ID.fullmatch(text):
        raise WireError(expected=f"an id in `{name}`", got=text, number=False)
    return text


def _side(text: str) -> Side:
    side = _SIDES.get(text.upper())
    if side is None:
        raise WireError(expected="side BUY or SELL", got=text, number=False)
    return side


def _word(text: str) -> str:
    found = _WORD.match(text.upper())
    return found[0].strip("_") if found else ""


def _seconds_or_0(raw: Raw) -> int:
    text = text_of(raw)
    return read_ms(text) // 1_000 if text else 0


def _ms_or_0(raw: Raw) -> int:
    text = text_of(raw)
    return read_ms(text) if text else 0
