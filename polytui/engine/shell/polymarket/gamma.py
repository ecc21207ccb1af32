"""Markets as Gamma lists them, read into `MarketSpec` (`venue/polymarket.md` §8). Pure.

Everything foreign that a person will read passes `text.sanitise`. What decides whether and how a
market may be traded is required; a market that lacks it is left out, with the reason counted.
"""

from collections.abc import Callable
from typing import Final

from msgspec import Raw, Struct
from msgspec.json import Decoder

from polytui.engine.core.errors import WireError
from polytui.engine.core.events import FeeSchedule, MarketSpec
from polytui.engine.core.text import sanitise
from polytui.engine.core.units import U, parse_price_u6, parse_u6
from polytui.engine.shell.polymarket.public_reads import fee_schedule, plain
from polytui.engine.wire.account import UNREADABLE, read_ms, text_of
from polytui.engine.wire.polymarket import TICKS_U6

PROTOCOLS: Final = frozenset({"v1", "v2"})
END_MS_MAX: Final = 4_102_444_800_000
"""The year 2100: later ends are placeholders for none."""
PAGE: Final = 100
"""Most markets of one page (§8)."""


_OPEN_QUESTIONS: Final = ("proposed", "disputed")
"""States of the oracle in which the outcome may still change (§7.3)."""
_FINAL_U6: Final = {"0": 0, "0.0": 0, "0.5": U // 2, "1": U, "1.0": U}
"""Prices that an outcome can have at the end."""


class Listed(Struct, frozen=True, kw_only=True):
    """A market as discovered: what the engine gets, and what it was chosen by."""

    spec: MarketSpec
    volume_u6: int
    """Of the last day, an opinion: for ranking only."""
    tradable: bool
    placeholder: bool
    """An unnamed or "Other" outcome of an event whose outcomes may still change (§7.2)."""
    pays_u6: tuple[int, int] | None = None
    """What a share of each outcome pays; None before the market is resolved."""


class _Event(Struct, gc=False):
    slug: str = ""
    negRiskAugmented: bool | None = False  # noqa: N815  the wire's own name


class _Fees(Struct, gc=False):
    rate: Raw = Raw(b"")
    exponent: Raw = Raw(b"")
    rebateRate: Raw = Raw(b"")  # noqa: N815  the wire's own name


class _Market(Struct, gc=False):
    conditionId: str = ""  # noqa: N815  the wire's own name
    version: str | None = None
    question: str | None = ""
    slug: str | None = ""
    outcomes: str | None = ""
    outcomePrices: str | None = ""  # noqa: N815  the wire's own name
    clobTokenIds: str | None = ""  # noqa: N815  the wire's own name
    positionIds: list[str] | None = None  # noqa: N815  the wire's own name
    active: bool | None = False
    closed: bool | None = False
    archived: bool | None = False
    enableOrderBook: bool | None = False  # noqa: N815  the wire's own name
    acceptingOrders: bool | None = False  # noqa: N815  the wire's own name
    negRisk: bool | None = False  # noqa: N815  the wire's own name
    negRiskOther: bool | None = False  # noqa: N815  the wire's own name
    groupItemTitle: str | None = ""  # noqa: N815  the wire's own name
    endDate: str | None = ""  # noqa: N815  the wire's own name
    orderPriceMinTickSize: Raw = Raw(b"")  # noqa: N815  the wire's own name
    orderMinSize: Raw = Raw(b"")  # noqa: N815  the wire's own name
    feesEnabled: bool | None = None  # noqa: N815  the wire's own name
    feeSchedule: _Fees | None = None  # noqa: N815  the wire's own name
    volume24hr: Raw = Raw(b"")
    umaResolutionStatus: str | None = ""  # noqa: N815  the wire's own name
    events: list[_Event] | None = None


class _EventPage(Struct, gc=False):
    slug: str = ""
    markets: list[Raw] | None = None


class _Page(Struct, gc=False):
    markets: list[Raw]
    next_cursor: str | None = None


_market: Final = Decoder(_Market)
_event: Final = Decoder(_EventPage)
_page: Final = Decoder(_Page)
_texts: Final = Decoder(list[str])


class Found(Struct, frozen=True, kw_only=True):
    """Markets read from one answer."""

    markets: tuple[Listed, ...]
    refused: int = 0
    """Objects that were no market we could read."""
    next_cursor: str = ""
    """Empty at the end."""


def read_page(body: bytes) -> Found:
    """Read `/markets/keyset`; the end is an absent cursor, not a short page.

    Raises:
        WireError, msgspec.DecodeError: it is no page. A market in it that is none is left out.
    """
    page = _page.decode(body)
    return _all(page.markets, next_cursor=page.next_cursor or "")


def read_event(body: bytes) -> Found:
    """Read `/events/slug/{slug}`: all its markets, under the event's own slug.

    Raises:
        WireError, msgspec.DecodeError: it is no event.
    """
    event = _event.decode(body)
    return _all(event.markets or [], group=event.slug)


def read_one(body: bytes) -> Found:
    """Read `/markets/slug/{slug}`.

    Raises:
        WireError, msgspec.DecodeError: it is no market.
    """
    return Found(markets=(read_market(body),))


def _all(rows: list[Raw], *, group: str = "", next_cursor: str = "") -> Found:
    markets = []
    for row in rows:
        try:
            markets.append(read_market(bytes(row), group=group))
        except (WireError, *UNREADABLE):
            continue
    refused = len(rows) - len(markets)
    return Found(markets=tuple(markets), refused=refused, next_cursor=next_cursor)


def read_market(body: bytes, *, group: str = "") -> Listed:
    """Read one market object.

    Raises:
        WireError, msgspec.DecodeError: something needed is missing or no number.
    """
    raw = _market.decode(body)
    protocol = raw.version or ""
    tokens = _tokens(raw, protocol)
    minimum = text_of(raw.orderMinSize) or "5"
    events = raw.events or [_Event()]
    end_ns = _end_ns(raw.endDate or "")
    uncertain = bool(events[0].negRiskAugmented) and not (raw.groupItemTitle or "").strip()
    spec = MarketSpec(
        market=_id(raw.conditionId),
        tokens=tokens,
        title=sanitise(raw.question or ""),
        slug=sanitise(raw.slug or ""),
        outcomes=_outcomes(raw.outcomes or ""),
        group=sanitise(group or events[0].slug),
        tick_u6=_tick_u6(text_of(raw.orderPriceMinTickSize)),
        min_qty_u6=parse_u6(minimum),
        min_order_text=plain(minimum),
        neg_risk=bool(raw.negRisk),
        protocol=protocol if protocol in PROTOCOLS else "unknown",
        fees=_fees(raw),
        accepting=bool(raw.acceptingOrders) and protocol in PROTOCOLS,
        end_ns=end_ns,
    )
    return Listed(
        spec=spec,
        volume_u6=_opinion_u6(text_of(raw.volume24hr)),
        tradable=_is_tradable(raw, protocol),
        placeholder=bool(raw.negRiskOther) or uncertain,
        pays_u6=_pays_u6(raw),
    )


def _is_tradable(raw: _Market, protocol: str) -> bool:
    """Apply the filter of §8; most listings that call themselves active are not."""
    is_open = raw.active and not raw.closed and not raw.archived
    is_undisputed = (raw.umaResolutionStatus or "") not in (*_OPEN_QUESTIONS, "resolved")
    has_book = raw.enableOrderBook and raw.acceptingOrders
    return bool(is_open and has_book and is_undisputed and protocol in PROTOCOLS)


def _pays_u6(raw: _Market) -> tuple[int, int] | None:
    """Read the outcome of a closed market; anything but 1 and 0, or two halves, is none (§7.3)."""
    is_final = raw.closed and (raw.umaResolutionStatus or "") not in _OPEN_QUESTIONS
    prices = _texts.decode(raw.outcomePrices or "[]") if is_final else []
    pays_u6 = tuple(_FINAL_U6.get(text, -1) for text in prices)
    return (pays_u6[0], pays_u6[1]) if len(pays_u6) == 2 and sum(pays_u6) == U else None


def _tokens(raw: _Market, protocol: str) -> tuple[str, str]:
    """Take the tokens by `version` only: v1 markets may list position ids without books (§1)."""
    ids = (raw.positionIds or []) if protocol == "v2" else _texts.decode(raw.clobTokenIds or "[]")
    if len(ids) != 2:
        raise WireError(expected="two tokens", got=f"{len(ids)}", number=False)
    return _token(ids[0]), _token(ids[1])


def _token(text: str) -> str:
    if not (0 < len(text) <= 78 and text.isascii() and text.isdecimal()):
        raise WireError(expected="a token id", got=text)
    return text


def _id(text: str) -> str:
    if not (0 < len(text) <= 80 and text.isascii() and text.isalnum()):
        raise WireError(expected="a condition id", got=text, number=False)
    return text


def _outcomes(text: str) -> tuple[str, str]:
    names = _texts.decode(text or "[]")
    return (sanitise(names[0]), sanitise(names[1])) if len(names) == 2 else ("Yes", "No")


def _tick_u6(text: str) -> int:
    tick_u6 = parse_price_u6(text)
    if tick_u6 not in TICKS_U6:
        raise WireError(expected="a tick of 0.1 … 0.0001", got=text)
    return tick_u6


def _fees(raw: _Market) -> FeeSchedule | None:
    """Read the market's own schedule; None when fees apply and it does not say which."""
    if raw.feesEnabled is False:
        return FeeSchedule(rate_u6=0)
    found = raw.feeSchedule
    if found is None or not text_of(found.rate):
        return None
    return fee_schedule(text_of(found.rate), text_of(found.exponent), text_of(found.rebateRate))


def _end_ns(text: str) -> int | None:
    """Read the indicative end; None for none or one that is no time."""
    try:
        end_ms = read_ms(text) if text else END_MS_MAX
    except WireError:
        return None
    return end_ms * 1_000_000 if end_ms < END_MS_MAX else None


def _opinion_u6(text: str) -> int:
    """Read a volume for ranking: whole dollars are enough."""
    whole = text.partition(".")[0]
    is_plain = 0 < len(whole) <= 12 and whole.isascii() and whole.isdecimal()
    return int(whole) * 1_000_000 if is_plain else 0


Reader = Callable[[bytes], Found]
