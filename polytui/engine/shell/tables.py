"""Tables and catalogs as tapes; see `foreign` for what is made up where a file says nothing."""

import re
from collections.abc import Callable, Iterator
from typing import Final

import msgspec
from msgspec import Raw, Struct

from polytui.engine.core.enums import Feed
from polytui.engine.core.errors import WireError
from polytui.engine.core.events import (
    ConnOpened,
    FeeSchedule,
    MarketListed,
    MarketSpec,
    Subscribed,
    TopQuoted,
)
from polytui.engine.core.ids import ConnId
from polytui.engine.core.text import sanitise
from polytui.engine.core.units import U, parse_price_u6, parse_u6
from polytui.engine.shell.lines import BAD_JSON, Lines, beginning, cut, ns_from_iso, ns_from_ms_text
from polytui.engine.shell.records import Frame, Told
from polytui.engine.wire import chainlink

CHAINLINK_HEADER: Final = b"feed_ts_ms,value,full_accuracy_value,server_ts_ms,recv_ms"
QUOTES_HEADER: Final = b"ts,slug,bid,ask"

_MS = 1_000_000
_CHAINLINK_SYMBOL: Final = "btc/usd"
_CHAINLINK_ROW: Final = re.compile(
    r"\d{1,16},\d{1,30}(\.\d{1,30})?,\d{1,40},\d{1,16},\d{1,16}", re.ASCII
)


class _Fees(Struct, gc=False):
    rate: Raw
    exponent: int = 1
    rebateRate: Raw = Raw(b"0")  # noqa: N815  the venue's name


class _Group(Struct, gc=False):
    slug: str = ""


class _Gamma(Struct, gc=False, rename="camel"):
    """What a listing needs of a Gamma market; never how it ended."""

    condition_id: str
    clob_token_ids: str
    order_price_min_tick_size: Raw
    order_min_size: Raw
    question: str = ""
    slug: str = ""
    outcomes: str = '["Yes", "No"]'
    neg_risk: bool = False
    version: str = ""
    fees_enabled: bool = True
    fee_schedule: _Fees | None = None
    accepting_orders: bool = False
    closed: bool = False
    start_date: str = ""
    event_start_time: str = ""
    end_date: str = ""
    events: list[_Group] = []


class _Wrapped(Struct, gc=False):
    raw: _Gamma


_WRAPPED = msgspec.json.Decoder(_Wrapped)
_GAMMA = msgspec.json.Decoder(_Gamma)
_PAIR = msgspec.json.Decoder(tuple[str, str])


def read_gamma_wrapped(lines: Lines, _first_conn: int) -> Iterator[Told]:
    """Yield a listing for each line that holds a Gamma object in `raw`."""
    return _listings(lines, lambda text: _WRAPPED.decode(text).raw)


def read_gamma_bare(lines: Lines, _first_conn: int) -> Iterator[Told]:
    """Yield a listing for each line that is a Gamma object."""
    return _listings(lines, _GAMMA.decode)


def _listings(lines: Lines, read: Callable[[bytes], _Gamma]) -> Iterator[Told]:
    for text in lines:
        try:
            market = read(text)
            at_ns = ns_from_iso(market.event_start_time or market.start_date)
            spec = spec_from_gamma(market)
        except (*BAD_JSON, WireError, ValueError) as error:
            raise lines.refuse(f"a Gamma market ({cut(error)})", beginning(text)) from None
        yield Told(at_ns, at_ns, MarketListed(spec=spec))


def spec_from_gamma(market: _Gamma) -> MarketSpec:
    """Turn a Gamma object into what the catalog keeps (`venue/polymarket.md` §9, 2026-11-21).

    Raises:
        WireError: a number is not a plain decimal.
        ValueError: an end date that is none.
        MsgspecError: outcomes or tokens are not two texts.
    """
    outcomes = _PAIR.decode(market.outcomes)
    min_order_text = str(market.order_min_size, "utf-8")
    return MarketSpec(
        market=market.condition_id,
        tokens=_PAIR.decode(market.clob_token_ids),
        title=sanitise(market.question),
        slug=sanitise(market.slug),
        outcomes=(sanitise(outcomes[0]), sanitise(outcomes[1])),
        group=sanitise(market.events[0].slug) if market.events else "",
        tick_u6=parse_price_u6(str(market.order_price_min_tick_size, "utf-8")),
        min_qty_u6=parse_u6(min_order_text),
        min_order_text=min_order_text,
        neg_risk=market.neg_risk,
        protocol=sanitise(market.version),
        fees=_fee_schedule(market),
        accepting=market.accepting_orders and not market.closed,
        end_ns=ns_from_iso(market.end_date) if market.end_date else None,
    )


def _fee_schedule(market: _Gamma) -> FeeSchedule | None:
    if not market.fees_enabled:
        return FeeSchedule(rate_u6=0)
    fees = market.fee_schedule
    if fees is None:
        return None
    return FeeSchedule(
        rate_u6=parse_u6(str(fees.rate, "utf-8")),
        exponent=fees.exponent,
        rebate_u6=parse_u6(str(fees.rebateRate, "utf-8")),
    )


# --- tables --------------------------------------------------------------------------------------


def _rows(lines: Lines) -> Iterator[list[str]]:
    width = 0
    for text in lines:
        cells = text.decode("ascii", "backslashreplace").split(",")
        if not width:
            width = len(cells)
            continue
        if len(cells) != width:
            raise lines.refuse(f"{width} columns", beginning(text))
        yield cells


def read_chainlink(lines: Lines, first_conn: int) -> Iterator[Frame | Told]:
    """Yield a frame of the venue's price stream for each row of a Chainlink table."""
    conn = ConnId(first_conn)
    opened = False
    for cells in _rows(lines):
        if not _CHAINLINK_ROW.fullmatch(",".join(cells)):
            raise lines.refuse("plain numbers in all columns", ",".join(cells))
        feed_ms, value, full, server_ms, recv_ms = cells
        at_ns = ns_from_ms_text(recv_ms)
        if not opened:
            opened = True
            link = ConnOpened(conn=conn, feed=Feed.CHAINLINK, url="tape:chainlink")
            yield Told(at_ns, at_ns, link)
            asked = Subscribed(conn=conn, feed=Feed.CHAINLINK, topics=(_CHAINLINK_SYMBOL,))
            yield Told(at_ns, at_ns, asked)
        data = chainlink.rtds_frame(
            symbol=_CHAINLINK_SYMBOL,
            feed_ms=int(feed_ms),
            value_text=value,
            full_text=full,
            server_ms=int(server_ms),
        )
        yield Frame(at_ns, at_ns, conn, Feed.CHAINLINK, data)


def read_quotes(lines: Lines, first_conn: int) -> Iterator[Told]:
    """Yield a `TopQuoted` for each row of a quote table, never a book."""
    conn = ConnId(first_conn)
    listed: set[str] = set()
    for cells in _rows(lines):
        time_text, slug, bid, ask = cells[:4]
        try:
            at_ns = ns_from_iso(time_text)
            bid_u6 = parse_price_u6(bid) if bid else 0
            ask_u6 = parse_price_u6(ask) if ask else U
        except (WireError, ValueError) as error:
            raise lines.refuse("a time, a slug, a bid and an ask", str(error)) from None
        if not listed:
            link = ConnOpened(conn=conn, feed=Feed.POLYMARKET, url="tape:quotes")
            yield Told(at_ns, at_ns, link)
        if slug not in listed:
            listed.add(slug)
            yield Told(at_ns, at_ns, MarketListed(spec=_quoted_market(slug)))
        quote = TopQuoted(
            conn=conn, market=slug, token=slug, venue_ms=at_ns // _MS, bid_u6=bid_u6, ask_u6=ask_u6
        )
        yield Told(at_ns, at_ns, quote)


def _quoted_market(slug: str) -> MarketSpec:
    return MarketSpec(
        market=slug,
        tokens=(slug, ""),
        title=sanitise(slug),
        slug=sanitise(slug),
        tick_u6=1_000,
        protocol="quotes",
        accepting=False,
    )
