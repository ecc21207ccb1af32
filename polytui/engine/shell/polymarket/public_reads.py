"""What anybody may ask the venue: time, versions, books, market parameters, the caller's place."""

from typing import Final
from urllib.parse import quote

from msgspec import Raw, Struct
from msgspec.json import Decoder, encode

from polytui.engine.core.errors import WireError
from polytui.engine.core.events import FeeSchedule
from polytui.engine.core.units import parse_price_u6, parse_u6
from polytui.engine.shell.polymarket.http import Reply
from polytui.engine.shell.polymarket.rest import Failed, Rest, parsed
from polytui.engine.wire.account import text_of

BOOKS_MAX: Final = 500
"""Tokens of one `POST /books` (§3.2)."""


class Place(Struct, frozen=True, kw_only=True, gc=False):
    """Where the venue thinks that we are."""

    blocked: bool
    country: str


class ClobMarket(Struct, frozen=True, kw_only=True, gc=False):
    """A market's trading parameters as the matching engine has them: the compact truth."""

    tokens: tuple[str, ...]
    tick_u6: int
    min_qty_u6: int
    min_order_text: str
    neg_risk: bool
    accepting: bool
    fees: FeeSchedule | None
    """None: it does not say, so no taker order."""
    delay_s: int
    """Taker delay of sports markets."""
    is_crypto_delayed: bool
    """`itode`: matching waits some 150 ms and so does the answer."""


class _Token(Struct, gc=False):
    t: str = ""


class _Fees(Struct, gc=False):
    r: Raw = Raw(b"")
    e: Raw = Raw(b"")


class _ClobMarket(Struct, gc=False):
    t: list[_Token] = []
    mos: Raw = Raw(b"")
    mts: Raw = Raw(b"")
    fd: _Fees | None = None
    nr: bool = False
    ao: bool = True
    sd: int | None = 0
    itode: bool = False
    tbf: Raw = Raw(b"")


class _Version(Struct, gc=False):
    version: int


class _Place(Struct, gc=False):
    blocked: bool
    country: str | None = ""


_clob_market: Final = Decoder(_ClobMarket)
_version: Final = Decoder(_Version)
_place: Final = Decoder(_Place)


class PublicReads:
    """The CLOB's public half."""

    def __init__(self, rest: Rest) -> None:
        """Ask this server."""
        self._rest = rest

    async def time_s(self) -> int | Failed:
        """Read the venue's clock, in whole seconds."""
        return parsed(await self._rest.get("/time"), _read_time)

    async def version(self) -> int | Failed:
        """Read which order version is current."""
        return parsed(await self._rest.get("/version"), lambda body: _version.decode(body).version)

    async def book(self, token: str) -> Reply | Failed:
        """Read a book, for `wire.polymarket.decode_witness`."""
        return await self._rest.get("/book", [("token_id", token)])

    async def books(self, tokens: tuple[str, ...]) -> Reply | Failed:
        """Read several books as one array; tokens without a book are left out of it."""
        assert len(tokens) <= BOOKS_MAX, f"expected at most {BOOKS_MAX} tokens, was {len(tokens)}"
        return await self._rest.ask("/books", encode([{"token_id": token} for token in tokens]))

    async def clob_market(self, market: str) -> ClobMarket | Failed:
        """Read a market's parameters."""
        reply = await self._rest.get(f"/clob-markets/{quote(market, safe='')}")
        return parsed(reply, read_clob_market)


async def read_place(rest: Rest) -> Place | Failed:
    """Ask the site where we are: `GET` of the configured address itself (§10)."""
    return parsed(await rest.get(""), _read_place)


def _read_place(body: bytes) -> Place:
    place = _place.decode(body)
    country = place.country or ""
    is_code = len(country) <= 3 and country.isascii() and country.isalnum()
    return Place(blocked=place.blocked, country=country if is_code else "?")


def _read_time(body: bytes) -> int:
    """Read unix seconds, written as a number or as a text."""
    text = body.strip().strip(b'"').decode("latin-1")
    if not (text.isascii() and text.isdecimal() and 9 <= len(text) <= 11):
        raise WireError(expected="unix seconds", got=text)
    return int(text)


def read_clob_market(body: bytes) -> ClobMarket:
    """Read `/clob-markets/{condition}`.

    Raises:
        WireError, msgspec.DecodeError: it is not one, or lacks tick or minimum size.
    """
    raw = _clob_market.decode(body)
    min_qty_u6 = parse_u6(text_of(raw.mos))
    tick_u6 = parse_price_u6(text_of(raw.mts))
    if not tick_u6 or len(raw.t) != 2:
        raise WireError(expected="a tick and two tokens", got=f"{len(raw.t)} tokens", number=False)
    return ClobMarket(
        tokens=tuple(token.t for token in raw.t),
        tick_u6=tick_u6,
        min_qty_u6=min_qty_u6,
        min_order_text=plain(text_of(raw.mos)),
        neg_risk=raw.nr,
        accepting=raw.ao,
        fees=_fees(raw),
        delay_s=raw.sd or 0,
        is_crypto_delayed=raw.itode,
    )


def _fees(raw: _ClobMarket) -> FeeSchedule | None:
    """Read the fee object; without one the legacy field tells free markets from unknown ones."""
    if raw.fd is not None:
        return fee_schedule(text_of(raw.fd.r), text_of(raw.fd.e))
    return FeeSchedule(rate_u6=0) if text_of(raw.tbf) == "0" else None


def fee_schedule(rate: str, exponent: str, rebate: str = "") -> FeeSchedule:
    """Read a fee schedule from its numerals.

    Raises:
        WireError: no rate in [0, 1], or an exponent that is no small whole number.
    """
    power = parse_u6(exponent or "1")
    if power % 1_000_000 or power > 4_000_000:
        raise WireError(expected="an exponent of 0 to 4", got=exponent)
    return FeeSchedule(
        rate_u6=parse_price_u6(rate),
        exponent=power // 1_000_000,
        rebate_u6=parse_price_u6(rebate) if rebate else 0,
    )


def plain(numeral: str) -> str:
    """Write a numeral as books do: whole numbers without a point."""
    whole, _, frac = numeral.partition(".")
    return whole if not frac.strip("0") else f"{whole}.{frac.rstrip('0')}"
