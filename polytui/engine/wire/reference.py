"""What the decoders of reference feeds share: numerals, times, shapes and refusals.

Pure: no I/O, no clock, no logging, nothing raised to the caller. A decoder is a *reader*, which may
refuse by raising, inside `guard`, which turns every refusal into one `WireFault`.

Sizes and prices of exchanges carry eight decimals, sometimes more; micro-units carry six. Reference
data is opinion, never money, so it is rounded by `reference_u6`, in a stated direction, and what is
above zero never becomes zero: a removal is decided on the exact text.

Unknown fields: every known field is declared, also the unread ones (`Raw`: skipped, never checked),
and the strict decoder runs first. Only a frame with an unknown field is read a second time, by the
tolerant twin, and the first unknown name is counted. That covers the message and its payload
objects; inside the items of long lists unknown fields are skipped uncounted.
"""

import re
from collections.abc import Callable
from enum import Enum
from typing import Annotated, Any, Generic, TypeVar, Union

from msgspec import DecodeError, Meta, Raw, Struct, ValidationError, defstruct
from msgspec.json import Decoder

from polytui.engine.core.enums import FaultKind, Feed
from polytui.engine.core.errors import SHOWN_MAX, WireError, shown
from polytui.engine.core.events import Event, RefLevel, WireFault, WireIgnored
from polytui.engine.core.ids import ConnId

FRAME_MAX = 16 << 20
"""Largest frame read, bytes: a BTC-USD snapshot is about 1.4 MiB, in Advanced form about 7 MiB."""

NEST_MAX = 400_000
"""Most opening brackets in a frame above 1 MiB: it bounds the memory that decoding may take."""

NUMERAL_MAX = 48
"""Longest numeral read, characters: 10^18-scaled values have about 24 digits."""

REFERENCE_U6_MAX = 10**18
"""A million million coins or dollars: above it the text is hostile."""

ID_MAX = 2**63 - 1

Symbol = Annotated[str, Meta(min_length=1, max_length=32)]
Count = Annotated[int, Meta(ge=0, le=ID_MAX)]
Levels = list[tuple[str, str]]
ABSENT = Raw()
"""Default of a raw field, compared with `is` (msgspec takes `Raw | None` for null alone)."""

Reader = Callable[[ConnId, bytes], list[Event]]
"""Bytes to events; refuses by raising `WireError` or whatever msgspec raises."""


class Refused(WireError):
    """A refusal with its kind; a plain `WireError` is a bad number."""

    def __init__(self, kind: FaultKind, *, expected: str, got: str) -> None:
        super().__init__(expected=expected, got=got)
        self.kind = kind


# --- numerals ------------------------------------------------------------------------------------


class Rounding(Enum):
    """Where a numeral goes that is finer than a micro-unit."""

    FLOOR = "floor"
    NEAREST = "nearest"


_MEMO_MAX = 1 << 16
"""Limit of each memo: prices repeat for ever, sizes often; when full it is emptied, not grown."""

_PRICES: dict[str, int] = {}
_SIZES: dict[str, int] = {}


def reference_u6(text: str, rounding: Rounding) -> int:
    """Read a plain decimal of any fineness as micro-units, rounded as told, at least 1 unless zero.

    Raises:
        WireError: not ASCII digits with at most one point, longer than `NUMERAL_MAX`, or above
            `REFERENCE_U6_MAX`. Signs, exponents, NaN and blanks are not plain decimals.
    """
    whole, point, frac = text.partition(".")
    digits = whole + frac
    if not (digits.isdecimal() and digits.isascii() and len(text) <= NUMERAL_MAX) or point > frac:
        raise WireError(expected="a plain decimal", got=text)
    excess = len(frac) - 6
    value = int(digits)
    if excess <= 0:
        value *= 10**-excess
    elif value:
        scale = 10**excess
        half = scale // 2 if rounding is Rounding.NEAREST else 0
        value = (value + half) // scale or 1
    if value > REFERENCE_U6_MAX:
        raise WireError(expected=f"at most {REFERENCE_U6_MAX} micro-units", got=text)
    return value


def best_px_u6(text: str) -> int:
    """Read a best price to the nearest micro-unit; 0 means that the side is empty."""
    value = _PRICES.get(text)
    if value is None:
        value = _remember(_PRICES, text, reference_u6(text, Rounding.NEAREST))
    return value


def px_u6(text: str) -> int:
    """Read the price of a level or trade to the nearest micro-unit; zero is no price."""
    value = best_px_u6(text)
    if not value:
        raise WireError(expected="a price above zero", got=text)
    return value


def qty_u6(text: str) -> int:
    """Read the size of a level, floored to micro-units; 0 removes the level."""
    value = _SIZES.get(text)
    if value is None:
        value = _remember(_SIZES, text, reference_u6(text, Rounding.FLOOR))
    return value


def traded_u6(text: str) -> int:
    """Read the size of a trade, floored to micro-units; nobody trades nothing."""
    value = qty_u6(text)
    if not value:
        raise WireError(expected="a size above zero", got=text)
    return value


def levels_u6(levels: Levels) -> tuple[RefLevel, ...]:
    """Read one side of a book."""
    return tuple([(px_u6(px), qty_u6(qty)) for px, qty in levels])


def _remember(memo: dict[str, int], text: str, value: int) -> int:
    if len(memo) >= _MEMO_MAX:
        memo.clear()
    memo[text] = value
    return value


# --- times ---------------------------------------------------------------------------------------

_MINUTE = re.compile(r"(\d{4})-(\d\d)-(\d\d)[T ](\d\d):(\d\d):", re.ASCII)
_SECOND = re.compile(
    r"(\d\d)(?:\.(\d{1,9}))?(?:Z|\+00:00| \+0000 UTC(?: m=[+-][\d.]{1,32})?)", re.ASCII
)
_MINUTES: dict[str, int] = {}
_DAYS_BEFORE_MONTH = (0, 31, 59, 90, 120, 151, 181, 212, 243, 273, 304, 334, 365)

YEARS = range(1970, 2200)
"""Years a time stamp may claim; all nanoseconds of them fit 63 bits."""

EPOCH_MS_MAX = 10**14
"""A larger epoch time is in microseconds (Binance `timeUnit=MICROSECOND`): as milliseconds it
would lie after the year 5000."""

_EPOCH_US_MAX = 9 * 10**15


def iso_ns(text: str) -> int:
    """Turn a UTC time stamp into integer nanoseconds since 1970.

    Reads `2026-11-20T12:00:01.000214Z` and what Go prints, with or without its monotonic tail:
    `2026-11-20 12:00:01.000214000 +0000 UTC`. Other zones than UTC are refused.

    Raises:
        WireError: not such a time, or not on the calendar.
    """
    head = text[:17]
    minute_ns = _MINUTES.get(head)
    if minute_ns is None:
        minute_ns = _remember(_MINUTES, head, _minute_ns(head, text))
    tail = _SECOND.fullmatch(text, 17)
    if tail is None or (second := int(tail[1])) > 59:
        raise WireError(expected="a UTC time", got=text)
    return minute_ns + second * 1_000_000_000 + int((tail[2] or "0").ljust(9, "0"))


def _minute_ns(head: str, text: str) -> int:
    match = _MINUTE.fullmatch(head)
    if match is None:
        raise WireError(expected="a UTC time", got=text)
    year, month, day, hour, minute = map(int, match.groups())
    if year not in YEARS or not 1 <= month <= 12 or hour > 23 or minute > 59:
        raise WireError(expected="a UTC time on the calendar", got=text)
    leap = year % 4 == 0 and (year % 100 != 0 or year % 400 == 0)
    length = _DAYS_BEFORE_MONTH[month] - _DAYS_BEFORE_MONTH[month - 1] + (leap and month == 2)
    if not 1 <= day <= length:
        raise WireError(expected="a day of that month", got=text)
    past = year - 1
    days = past * 365 + past // 4 - past // 100 + past // 400 - 719_162
    days += _DAYS_BEFORE_MONTH[month - 1] + (leap and month > 2) + day - 1
    return ((days * 24 + hour) * 60 + minute) * 60_000_000_000


def epoch_ns(value: int) -> int:
    """Turn an epoch time in milliseconds (or microseconds, above `EPOCH_MS_MAX`) into nanoseconds.

    Raises:
        WireError: after the year 2200 whichever unit is meant.
    """
    if value < EPOCH_MS_MAX // 10:
        return value * 1_000_000
    if EPOCH_MS_MAX <= value <= _EPOCH_US_MAX:
        return value * 1_000
    raise WireError(expected="a time in milli- or microseconds", got=str(value))


# --- shapes --------------------------------------------------------------------------------------

T = TypeVar("T")

_UNKNOWN_FIELD = "Object contains unknown field"


class Shape(Generic[T]):
    """The strict decoder of one or several message structs, and its tolerant twin."""

    __slots__ = ("_strict", "_tolerant")

    def __init__(self, *kinds: type[Struct]) -> None:
        """Build both from structs that forbid unknown fields."""
        twins = tuple(
            defstruct(kind.__name__, [], bases=(kind,), forbid_unknown_fields=False, gc=False)
            for kind in kinds
        )
        strict: Any = Union[kinds]  # noqa: UP007 a union of a tuple has no other spelling
        tolerant: Any = Union[twins]  # noqa: UP007 a union of a tuple has no other spelling
        self._strict: Decoder[T] = Decoder(strict)
        self._tolerant: Decoder[T] = Decoder(tolerant)

    def read(self, data: bytes | Raw) -> tuple[T, str]:
        """Decode; the text is the name of an unknown field, `""` when there is none."""
        try:
            return self._strict.decode(data), ""
        except ValidationError as error:
            text = str(error)
            if not text.startswith(_UNKNOWN_FIELD):
                raise
        return self._tolerant.decode(data), text.partition("`")[2].rpartition("`")[0]


# --- refusals ------------------------------------------------------------------------------------

_SYMBOL = re.compile(rb'"(?:product_id|symbol|s)"\s*:\s*"([A-Za-z0-9/_.-]{1,32})"')
_SYMBOL_WITHIN = 1 << 16
_EXPECTED_MAX = 120
_WHAT_MAX = 80

_KINDS = (
    ("missing required field", FaultKind.MISSING_FIELD),
    ("out of range", FaultKind.BAD_NUMBER),
    ("`int` >=", FaultKind.BAD_NUMBER),
    ("`int` <=", FaultKind.BAD_NUMBER),
)
"""What msgspec says of a shape that it refuses, and the kind of fault that is."""


def guard(conn: ConnId, feed: Feed, data: bytes, read: Reader, *, symbol: str = "") -> list[Event]:
    """Run a reader on one frame; whatever it refuses becomes one `WireFault`."""
    try:
        _check_size(data)
        return read(conn, data)
    except (WireError, DecodeError, UnicodeDecodeError, RecursionError) as error:
        kind, expected, got = _refusal(data, error)
    return [
        WireFault(
            conn=conn,
            feed=feed,
            kind=kind,
            expected=ascii(expected[:_EXPECTED_MAX])[1:-1],
            got=got,
            market=symbol or _symbol(data),
        )
    ]


def ignored(conn: ConnId, feed: Feed, what: str) -> WireIgnored:
    """Count something unknown: `type:<name>` or `field:<name>`."""
    return WireIgnored(conn=conn, feed=feed, what=ascii(what[:_WHAT_MAX])[1:-1][:_WHAT_MAX])


def unknown_field(conn: ConnId, feed: Feed, name: str) -> list[Event]:
    """Count the unknown field that `Shape.read` named, if it named one."""
    return [ignored(conn, feed, f"field:{name}")] if name else []


def remote_error(text: str) -> Refused:
    """Make the refusal for an error that the other side answered."""
    return Refused(FaultKind.REMOTE_ERROR, expected="no error from the other side", got=text)


def start_of(data: bytes) -> str:
    """Show how a frame begins."""
    return data[: 2 * SHOWN_MAX].decode("utf-8", "backslashreplace")


def _check_size(data: bytes) -> None:
    if len(data) > FRAME_MAX:
        size = f"{len(data)} bytes"
        raise Refused(FaultKind.TOO_LARGE, expected=f"at most {FRAME_MAX} bytes", got=size)
    if len(data) > 1 << 20 and (nests := data.count(b"[") + data.count(b"{")) > NEST_MAX:
        raise Refused(
            FaultKind.TOO_LARGE, expected=f"at most {NEST_MAX} brackets", got=f"{nests} brackets"
        )


def _refusal(data: bytes, error: Exception) -> tuple[FaultKind, str, str]:
    """Say what kind of fault it is, what was expected and what came."""
    start = shown(start_of(data))
    if isinstance(error, WireError):
        kind = error.kind if isinstance(error, Refused) else FaultKind.BAD_NUMBER
        return kind, error.expected, error.got
    if isinstance(error, RecursionError):
        return FaultKind.WRONG_SHAPE, "JSON nested less deeply", start
    text = str(error)
    if isinstance(error, ValidationError):
        kinds = (kind for words, kind in _KINDS if words in text)
        return next(kinds, FaultKind.WRONG_SHAPE), text, start
    return (FaultKind.NOT_JSON if _is_utf8(data) else FaultKind.NOT_UTF8), text, start


def _is_utf8(data: bytes) -> bool:
    try:
        data.decode()
    except UnicodeDecodeError:
        return False
    return True


def _symbol(data: bytes) -> str:
    """Find which product a refused frame was about, if it says so near its start."""
    match = _SYMBOL.search(data, 0, _SYMBOL_WITHIN)
    return match[1].decode() if match else ""
