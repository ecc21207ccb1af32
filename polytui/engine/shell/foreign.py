"""Foreign tapes: other people's recordings, read as if our own sockets had received them.

What a tape does not hold is made up, the same way every time:

- Polymarket tapes (`t_ms`, `slug`, `raw`): one connection per market, opened at the market's first
  line, because these files hold one market after another. The market is listed just before its
  first frame with the tokens that frame names, in that order; a token named later is learnt by the
  engine. Fees are those of the crypto category (7 %, exponent 1), the minimum is 5 shares, the tick
  is the first frame's or 0.01.
- Exchange tapes (`t_ms`, `dir`, `raw`): `open` begins a connection, `send` is a subscription,
  `recv` a frame, `rest` a snapshot that was fetched.
- Chainlink tables: one frame of the venue's price stream per row, for `btc/usd`, at `recv_ms`.
- Gamma markets: one listing per line, at the start of the market's event. Outcomes and prices in
  the object are not read: a strategy must not see how it ended.
- Quote tables (`ts`, `slug`, `bid`, `ask`): best prices without sizes or books. Each slug is a
  market of protocol `quotes` that accepts no orders, each row a `TopQuoted`. Without a book there
  is nothing to decide on, so that thin quotes can never look like an opportunity. The column `y`
  (how it ended) is not read.

Frames are the bytes of the file, never re-encoded. Times are exact: a decimal number of
milliseconds is read as text. A line that is not what its file promised is an `OperatorError` that
names it: unlike venues, operators choose their files.
"""

from collections.abc import Callable, Iterator
from typing import Final
from urllib.parse import SplitResult, parse_qs, urlsplit

import msgspec
from msgspec import Raw, Struct

from polytui.engine.core.enums import Feed
from polytui.engine.core.errors import OperatorError, WireError, shown
from polytui.engine.core.events import (
    ConnOpened,
    Event,
    FeeSchedule,
    MarketListed,
    MarketSpec,
    Subscribed,
)
from polytui.engine.core.ids import ConnId
from polytui.engine.core.text import sanitise
from polytui.engine.core.units import parse_price_u6
from polytui.engine.shell.lines import BAD_JSON, Lines, beginning, cut, ns_from_ms_text
from polytui.engine.shell.records import Frame, Told
from polytui.engine.shell.tables import (
    CHAINLINK_HEADER,
    QUOTES_HEADER,
    read_chainlink,
    read_gamma_bare,
    read_gamma_wrapped,
    read_quotes,
)
from polytui.engine.wire import binance

CONNS_MAX: Final = 1_000_000
"""Connections per file: keeps the ids of merged files apart."""

_CRYPTO_FEES = FeeSchedule(rate_u6=70_000, exponent=1)


Reader = Callable[[Lines, int], Iterator[Frame | Told]]
"""Lines of a file and the first connection id it may use."""


class _Line(Struct, gc=False):
    t_ms: Raw
    raw: Raw = Raw(b"")
    slug: str = ""
    dir: str = ""
    url: str = ""


_LINE = msgspec.json.Decoder(_Line)


def _tape_lines(lines: Lines) -> Iterator[tuple[int, _Line]]:
    for text in lines:
        try:
            line = _LINE.decode(text)
            at_ns = ns_from_ms_text(str(line.t_ms, "utf-8"))
        except BAD_JSON as error:
            raise lines.refuse(f"a line of a tape ({cut(error)})", beginning(text)) from None
        except ValueError as error:
            raise lines.refuse("plain decimal milliseconds in `t_ms`", str(error)) from None
        yield at_ns, line


class _Named(Struct, gc=False):
    asset_id: str = ""


class _Names(Struct, gc=False):
    """The identities inside a market frame."""

    market: str = ""
    asset_id: str = ""
    price_changes: list[_Named] = []
    tick_size: str = ""


_ONE = msgspec.json.Decoder(_Names)
_MANY = msgspec.json.Decoder(list[_Names])


def _polymarket(lines: Lines, first_conn: int) -> Iterator[Frame | Told]:
    conns: dict[str, ConnId] = {}
    for at_ns, line in _tape_lines(lines):
        data = bytes(line.raw)
        conn = conns.get(line.slug)
        if conn is None:
            if len(conns) >= CONNS_MAX:
                raise lines.refuse(f"at most {CONNS_MAX} markets", line.slug)
            conn = conns[line.slug] = ConnId(first_conn + len(conns))
            for event in _market_events(line.slug, data, conn):
                yield Told(at_ns, at_ns, event)
        yield Frame(at_ns, at_ns, conn, Feed.POLYMARKET, data)


def _market_events(slug: str, data: bytes, conn: ConnId) -> Iterator[Event]:
    yield ConnOpened(conn=conn, feed=Feed.POLYMARKET, url=f"tape:{sanitise(slug)}")
    try:
        frames = _MANY.decode(data) if data[:1] == b"[" else [_ONE.decode(data)]
    except BAD_JSON:
        return
    frames = [frame for frame in frames if frame.market]
    if not frames:
        return
    market = frames[0].market
    mine = [frame for frame in frames if frame.market == market]
    named = [
        token
        for frame in mine
        for token in (frame.asset_id, *(change.asset_id for change in frame.price_changes))
        if token
    ]
    tokens = (*dict.fromkeys(named), "", "")[:2]
    if not tokens[0]:
        return
    yield MarketListed(
        spec=MarketSpec(
            market=market,
            tokens=(tokens[0], tokens[1]),
            title=sanitise(slug),
            slug=sanitise(slug),
            tick_u6=_tick_u6(next((frame.tick_size for frame in mine if frame.tick_size), "0.01")),
            fees=_CRYPTO_FEES,
        )
    )
    yield Subscribed(conn=conn, feed=Feed.POLYMARKET, topics=tuple(filter(None, tokens)))


def _tick_u6(text: str) -> int:
    try:
        return parse_price_u6(text) or 10_000
    except WireError:
        return 10_000


_HOSTS: Final = (
    ("advanced-trade-ws.coinbase.com", Feed.COINBASE_ADVANCED),
    ("coinbase.com", Feed.COINBASE),
    ("binance.com", Feed.BINANCE),
    ("binance.us", Feed.BINANCE),
    ("polymarket.com", Feed.POLYMARKET),
)


def _exchange(lines: Lines, first_conn: int) -> Iterator[Frame | Told]:
    conn = ConnId(first_conn - 1)
    feed: Feed | None = None
    for at_ns, line in _tape_lines(lines):
        if line.dir == "open":
            feed, conn = _feed(lines, line.url), ConnId(conn + 1)
            yield Told(at_ns, at_ns, ConnOpened(conn=conn, feed=feed, url=sanitise(line.url)))
            topics = _streams(line.url)
        elif feed is None:
            raise lines.refuse('a line with "dir":"open" first', line.dir)
        elif line.dir == "send":
            topics = _asked(bytes(line.raw))
        elif line.dir == "recv":
            yield Frame(at_ns, at_ns, conn, feed, bytes(line.raw))
            continue
        elif line.dir == "rest":
            yield from _fetched(lines, at_ns, conn, line)
            continue
        else:
            raise lines.refuse('"dir" to be open, send, recv or rest', line.dir)
        if topics:
            yield Told(at_ns, at_ns, Subscribed(conn=conn, feed=feed, topics=topics))


def _feed(lines: Lines, url: str) -> Feed:
    host = _split(url).hostname or ""
    for name, feed in _HOSTS:
        if host == name or host.endswith("." + name):
            return feed
    raise lines.refuse("the address of a known exchange", url)


def _split(url: str) -> SplitResult:
    try:
        return urlsplit(url)
    except ValueError:
        return urlsplit("")


def _streams(url: str) -> tuple[str, ...]:
    streams = parse_qs(_split(url).query).get("streams", [""])[0]
    return tuple(sanitise(name) for name in streams.split("/") if name)


class _Request(Struct, gc=False):
    product_ids: list[str] = []
    channels: list[str] = []
    channel: str = ""


_REQUEST = msgspec.json.Decoder(_Request)


def _asked(data: bytes) -> tuple[str, ...]:
    try:
        request = _REQUEST.decode(data)
    except BAD_JSON:
        return ()
    channels = request.channels or [request.channel]
    return tuple(
        sanitise(f"{channel}:{product}") for channel in channels for product in request.product_ids
    )


def _fetched(lines: Lines, at_ns: int, conn: ConnId, line: _Line) -> Iterator[Told]:
    symbol = parse_qs(_split(line.url).query).get("symbol", [""])[0]
    if _feed(lines, line.url) is not Feed.BINANCE or not symbol:
        raise lines.refuse('a Binance depth address with "dir":"rest"', line.url)
    for event in binance.decode_depth_answer(conn, symbol, bytes(line.raw)):
        yield Told(at_ns, at_ns, event)


_TAPES: Final[tuple[tuple[frozenset[str], Reader], ...]] = (
    (frozenset({"t_ms", "slug", "raw"}), _polymarket),
    (frozenset({"t_ms", "dir"}), _exchange),
    (frozenset({"condition_id", "raw"}), read_gamma_wrapped),
    (frozenset({"conditionId", "clobTokenIds"}), read_gamma_bare),
)
_TABLES: Final[dict[bytes, Reader]] = {
    CHAINLINK_HEADER: read_chainlink,
    QUOTES_HEADER: read_quotes,
    QUOTES_HEADER + b",y": read_quotes,
}


def find_reader(lines: Lines) -> Reader:
    """Tell from its first line what a file is.

    Raises:
        OperatorError: none of the formats of this module, empty, or not readable.
    """
    first = next(iter(lines), None)
    if first is None:
        raise OperatorError(f"expected a recording or a tape, was {lines.path}: an empty file")
    if first in _TABLES:
        return _TABLES[first]
    try:
        keys = msgspec.json.decode(first, type=dict[str, Raw])
    except BAD_JSON:
        keys = {}
    for required, reader in _TAPES:
        if required <= keys.keys():
            return reader
    raise OperatorError(
        "expected a recording of polytui, a Polymarket or exchange tape, Gamma markets, a "
        f"Chainlink or a quote table, was {lines.path}, which begins with "
        f"{shown(first[:40].decode('ascii', 'backslashreplace'))}"
    )
