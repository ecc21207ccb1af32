"""Numbers, times and foreign text for the eye: pure, and never inventive.

What is absent is `-` (there is none) or `?` (there should be one and we do not know it). Prices are
written at the precision of their tick and nothing is rounded that decides anything. Widths are in
terminal cells. Foreign text passes `foreign` here before any widget sees it.
"""

from datetime import UTC, datetime
from functools import lru_cache
from math import isfinite

from rich.cells import get_character_cell_size

from polytui.engine.core.enums import (
    BookState,
    FeedState,
    Mode,
    ModuleStatus,
    Proof,
    Unit,
    Verdict,
)
from polytui.engine.core.order_enums import (
    Applied,
    BundleState,
    OrderState,
    ReleaseGate,
    TradeStatus,
    TradingState,
    VenueState,
)
from polytui.engine.core.text import TITLE_MAX, sanitise
from polytui.engine.core.units import U, float_from_u6

ABSENT = "-"
UNKNOWN = "?"
ELLIPSIS = "…"

# --- prices, sizes, scores ----------------------------------------------------------------------


def decimals_of_tick(tick_u6: int) -> int:
    """Count the decimals a grid needs: 2 for a cent, 4 for 0.0025."""
    places = 6
    while places > 2 and tick_u6 % 10 ** (7 - places) == 0:
        places -= 1
    return places


def price(px_u6: int, tick_u6: int) -> str:
    """Write a price at the precision of its grid, without the zero in front: `.438`."""
    if px_u6 < 0:
        return ABSENT
    places = decimals_of_tick(tick_u6) if tick_u6 > 0 else 4
    whole, frac = divmod(px_u6, U)
    digits = f"{frac:06d}"
    kept = digits[:places] + digits[places:].rstrip("0")
    return f"{whole or ''}.{kept}"


_STEPS = ((10**9, "G"), (10**6, "M"), (10**3, "k"))


def _scaled(value: float) -> str:
    """Write a magnitude in at most four characters and a suffix."""
    for step, suffix in _STEPS:
        if value >= step:
            small = value / step
            return f"{small:.1f}{suffix}" if small < 9.95 else f"{small:.0f}{suffix}"
    return f"{value:.0f}" if value >= 99.5 else f"{value:.1f}".removesuffix(".0")


def qty(qty_u6: int | None) -> str:
    """Write a size for comparing: `12.5`, `820`, `1.4k`, `12k`; below a tenth `<.1`."""
    if qty_u6 is None:
        return ABSENT
    if 0 < qty_u6 < U // 10:
        return "<.1"
    return _scaled(float_from_u6(qty_u6))


def count(value: int) -> str:
    """Write a counter: exact up to 9999, then `12k`."""
    return str(value) if value < 10_000 else _scaled(float(value))


def size_bytes(value: int) -> str:
    """Write an amount of memory or disk: `214 MB`."""
    for step, suffix in ((10**9, "GB"), (10**6, "MB"), (10**3, "kB")):
        if value >= step:
            small = value / step
            return f"{small:.1f} {suffix}" if small < 9.95 else f"{small:.0f} {suffix}"
    return f"{value} B"


def ticks(spread_u6: int, tick_u6: int) -> str:
    """Write a distance in ticks: `2`, `2.5`."""
    if tick_u6 <= 0:
        return UNKNOWN
    whole, rest = divmod(spread_u6, tick_u6)
    return f"{whole}" if not rest else f"{spread_u6 / tick_u6:.1f}"


def spread(bid_u6: int, ask_u6: int, tick_u6: int) -> str:
    """Write the gap between the sides in ticks; `-` when a side is missing, negative if crossed."""
    if bid_u6 < 0 or ask_u6 < 0:
        return ABSENT
    gap_u6 = ask_u6 - bid_u6
    return ticks(gap_u6, tick_u6) if gap_u6 >= 0 else f"-{ticks(-gap_u6, tick_u6)}"


def percent(share: float | None) -> str:
    """Write a share of one as a whole percentage."""
    return ABSENT if share is None else f"{share * 100:.0f}%"


def _signed(value: float, places: int) -> str:
    text = f"{value:+.{places}f}"
    return text.replace("0.", ".", 1) if text[1:].startswith("0.") else text


def margin(margin_u6: int | None, places: int = 4) -> str:
    """Write dollars per share with its sign: `-.0041`."""
    return ABSENT if margin_u6 is None else _signed(float_from_u6(margin_u6), places)


def usd(cash_u6: int, *, signed: bool = False) -> str:
    """Write dollars to the cent, ties away from zero: `12.34`, `-0.05`, `+3.41`."""
    cents = (abs(cash_u6) + 5_000) // 10_000
    text = f"{cents // 100}.{cents % 100:02d}"
    if cash_u6 < 0 and cents:
        return f"-{text}"
    return f"+{text}" if signed and cents else text


def usd_short(cash_u6: int) -> str:
    """Write dollars of risk for a bar, rounded up: `213`, `1250`; from 10 000 on about, `13k`."""
    return count(-(-cash_u6 // U))


def shares(qty_u6: int) -> str:
    """Write a size exactly: `12.5`, `120`, `0`, `.004`."""
    whole, frac = divmod(abs(qty_u6), U)
    digits = f"{frac:06d}".rstrip("0")
    text = f"{whole}.{digits}" if digits else f"{whole}"
    text = text[1:] if digits and not whole else text
    return f"-{text}" if qty_u6 < 0 else text


CENT_U6 = 10_000


def limit_px(px_u6: int) -> str:
    """Write an order's own price: exactly, with two decimals at least."""
    return price(px_u6, CENT_U6)


def in_unit(value_u6: int, unit: str) -> str:
    """Write a limit, given in micro-units of its unit: `$500.00`, `100 shares`, `2000 ms`, `.3`."""
    if unit == "$":
        return f"${usd(value_u6)}"
    number = shares(value_u6)
    return number if unit == "share" else f"{number} {foreign(unit, 12)}".rstrip()


_UNIT_PLACES = {
    Unit.USD_PER_SHARE: 4,
    Unit.USD: 2,
    Unit.PRICE: 4,
    Unit.SHARES: 1,
    Unit.RATIO: 3,
    Unit.TICKS: 1,
    Unit.SECONDS: 1,
    Unit.MILLISECONDS: 0,
    Unit.COUNT: 0,
    Unit.LOG_ODDS: 3,
}


def score(value: float | None, unit: Unit, *, signed: bool = False) -> str:
    """Write a score or feature at the precision of its unit."""
    if value is None:
        return ABSENT
    if not isfinite(value):
        return UNKNOWN
    places = _UNIT_PLACES[unit]
    if signed:
        return _signed(value, places)
    text = f"{value:.{places}f}"
    if places < 2:
        return text
    if text.startswith("0."):
        return text[1:]
    return f"-{text[2:]}" if text.startswith("-0.") else text


def gap_percent(value: float, threshold: float) -> str:
    """Say how much of the threshold was reached: `91%`; `-` when the question has no answer."""
    return ABSENT if threshold <= 0 or value < 0 else f"{value / threshold * 100:.0f}%"


# --- time ---------------------------------------------------------------------------------------

_MS, _S = 10**6, 10**9


def age(age_ns: int | None) -> str:
    """Write an age in words of at most four characters: `84ms`, `1.2s`, `47s`, `3m`, `2h`, `4d`."""
    if age_ns is None:
        return ABSENT
    if age_ns < _S:
        return f"{max(age_ns, 0) // _MS}ms"
    seconds = age_ns / _S
    for limit, divisor, suffix in ((9.95, 1.0, "s"), (100.0, 1.0, "s"), (5940.0, 60.0, "m")):
        if seconds < limit:
            small = seconds / divisor
            return f"{small:.1f}{suffix}" if limit < 10 else f"{small:.0f}{suffix}"
    hours = seconds / 3600
    return f"{hours:.0f}h" if hours < 48 else f"{hours / 24:.0f}d"


def micros(value_us: int | None) -> str:
    """Write a duration given in microseconds: `41us`, `2.0ms`, `1.2s`."""
    if value_us is None:
        return ABSENT
    if value_us < 1000:
        return f"{value_us}us"
    if value_us < 1_000_000:
        return f"{value_us / 1000:.1f}ms" if value_us < 9950 else f"{value_us / 1000:.0f}ms"
    return f"{value_us / 1_000_000:.1f}s"


def after(passed_ns: int) -> str:
    """Write the time between two moments: `+0ms`, `+41ms`, `+3.1s`."""
    return f"-{age(-passed_ns)}" if passed_ns < 0 else f"+{age(passed_ns)}"


def left(left_ns: int) -> str:
    """Write time left to the minute once it is hours: `3h41`, `41m`, `12s`, `over`."""
    if left_ns <= 0:
        return "over"
    minutes = left_ns // (60 * _S)
    if minutes >= 60:
        return f"{minutes // 60}h{minutes % 60:02d}"
    return f"{minutes}m" if minutes >= 2 else f"{left_ns // _S}s"


def clock(wall_ns: int, *, local: bool = False) -> str:
    """Write a wall time as `14:02:11`; UTC unless local is asked for."""
    moment = datetime.fromtimestamp(wall_ns // _S, tz=UTC)
    return (moment.astimezone() if local else moment).strftime("%H:%M:%S")


# --- foreign text and cell widths ---------------------------------------------------------------

_DROPPED = frozenset(
    [chr(code) for code in range(0xFE00, 0xFE10)]  # variation selectors: width is a matter of taste
    + [chr(code) for code in range(0x1F3FB, 0x1F400)]  # skin tones: join or stand alone, by font
    + ["\u20e3"]
)


def foreign(text: str, limit: int = TITLE_MAX) -> str:
    """Make a venue's text safe to show, again if need be: one line, no control, no surprises.

    Beyond `sanitise` it removes what terminals disagree about: variation selectors, skin tones and
    keycaps go, flag halves become the letters they stand for, no mark stands without its base.
    """
    return _foreign(text[: limit * 4], limit)


@lru_cache(maxsize=4096)
def _foreign(text: str, limit: int) -> str:
    clean = sanitise(text, limit=limit)
    if clean.isascii():
        return clean
    kept = []
    for char in clean:
        code = ord(char)
        if 0x1F1E6 <= code <= 0x1F1FF:
            kept.append(chr(code - 0x1F1E6 + ord("A")))
        elif char not in _DROPPED and not 0xE0100 <= code <= 0xE01EF:
            kept.append(char)
    while kept and get_character_cell_size(kept[0]) == 0:
        del kept[0]
    return " ".join("".join(kept).split())


def cells(text: str) -> int:
    """Count the cells a text takes, character by character as a terminal does."""
    return len(text) if text.isascii() else sum(map(get_character_cell_size, text))


def cut(text: str, width: int) -> str:
    """Cut a text to a number of cells, ending in `…` when something is missing."""
    if width <= 0:
        return ""
    if cells(text) <= width:
        return text
    used, end = 0, 0
    for end, char in enumerate(text):  # noqa: B007  (the index is the answer)
        used += get_character_cell_size(char)
        if used > width - 1:
            break
    return text[:end] + ELLIPSIS


def pad(text: str, width: int, *, right: bool = False) -> str:
    """Bring a text to exactly a number of cells: cut or filled, aligned left unless told."""
    text = cut(text, width)
    space = " " * (width - cells(text))
    return space + text if right else text + space


def middle_cut(text: str, width: int) -> str:
    """Cut out the middle and keep both ends, for identifiers: `0x71aa..c2`."""
    if cells(text) <= width:
        return text
    if width < 6:
        return cut(text, width)
    tail = (width - 2) // 3
    return f"{text[: width - 2 - tail]}..{text[-tail:]}"


def short_id(text: str, width: int = 12) -> str:
    """Shorten a foreign identifier and keep it recognisable."""
    return middle_cut(foreign(text, 200), width)


# --- states: glyph, word, role ------------------------------------------------------------------

BOOK_STATE: dict[BookState, tuple[str, str, str]] = {
    BookState.SYNCED: ("●", "synced", "ok"),
    BookState.SUSPECT: ("!", "suspect", "warn"),
    BookState.EMPTY: ("○", "empty", "dim"),
}

PROOF: dict[Proof, tuple[str, str]] = {
    Proof.DIGEST: ("digest", "ok"),
    Proof.TOP: ("top", "dim"),
    Proof.PENDING: ("pending", "dim"),
    Proof.NONE: ("none", "warn"),
}

FEED_STATE: dict[FeedState, tuple[str, str, str]] = {
    FeedState.LIVE: ("●", "live", "ok"),
    FeedState.CONNECTING: ("…", "opening", "info"),
    FeedState.WARMING: ("…", "warming", "info"),
    FeedState.DEGRADED: ("!", "degraded", "warn"),
    FeedState.STALE: ("~", "stale", "warn"),
    FeedState.UNAVAILABLE: ("X", "down", "warn"),
    FeedState.DISABLED: ("-", "off", "dim"),
}

MODULE_STATUS: dict[ModuleStatus, tuple[str, str, str]] = {
    ModuleStatus.ONLINE: ("●", "online", "ok"),
    ModuleStatus.DEGRADED: ("!", "degraded", "warn"),
    ModuleStatus.OFFLINE: ("X", "offline", "crit"),
}

VERDICT: dict[Verdict, tuple[str, str, str]] = {
    Verdict.HOLD: ("·", "hold", "dim"),
    Verdict.INTENT: ("+", "intent", "strong"),
    Verdict.REFUSED: ("x", "refused", "warn"),
    Verdict.BLOCKED: ("!", "blocked", "warn"),
}

ORDER_STATE: dict[OrderState, tuple[str, str, str]] = {
    OrderState.PROPOSED: ("…", "proposed", "info"),
    OrderState.VETOED: ("x", "VETOED", "warn"),
    OrderState.APPROVED: ("…", "approved", "info"),
    OrderState.JOURNALLED: ("…", "journalled", "info"),
    OrderState.SIGNED: ("…", "signed", "info"),
    OrderState.DROPPED: ("-", "dropped", "dim"),
    OrderState.SENT: ("…", "sent", "info"),
    OrderState.REFUSED: ("x", "REFUSED", "warn"),
    OrderState.UNKNOWN: ("?", "UNKNOWN", "crit"),
    OrderState.DELAYED: ("…", "delayed", "warn"),
    OrderState.LIVE: ("●", "live", "ok"),
    OrderState.PARTIAL: ("●", "partial", "ok"),
    OrderState.MATCHED: ("=", "matched", "strong"),
    OrderState.UNMATCHED: ("-", "unmatched", "dim"),
    OrderState.CANCELED: ("-", "canceled", "dim"),
    OrderState.EXPIRED: ("-", "expired", "dim"),
    OrderState.RESOLVED: ("-", "resolved", "dim"),
}

TRADE_STATUS: dict[TradeStatus, tuple[str, str]] = {
    TradeStatus.NOT_BROADCAST: ("unsent", "info"),
    TradeStatus.MATCHED: ("matched", "info"),
    TradeStatus.MINED: ("mined", "info"),
    TradeStatus.RETRYING: ("retrying", "warn"),
    TradeStatus.CONFIRMED: ("confirmed", "ok"),
    TradeStatus.FAILED: ("FAILED", "warn"),
}
"""What the venue says of a trade."""

APPLIED: dict[Applied, tuple[str, str, str]] = {
    Applied.NONE: (" ", "none", "dim"),
    Applied.PROVISIONAL: ("…", "provisional", "info"),
    Applied.STALLED: ("!", "STALLED", "warn"),
    Applied.PROMOTED: ("●", "promoted", "ok"),
    Applied.VOIDED: ("x", "voided", "warn"),
    Applied.FAULT: ("!", "FAULT", "crit"),
}
"""What it has done to our books."""

BUNDLE_STATE: dict[BundleState, tuple[str, str, str]] = {
    BundleState.PLANNED: ("…", "planned", "info"),
    BundleState.LEG1_SENT: ("…", "leg 1 sent", "info"),
    BundleState.LEG1_FILLED: ("!", "leg 1 filled", "warn"),
    BundleState.HEDGING: ("!", "hedging", "warn"),
    BundleState.COMPLETE: ("●", "complete", "ok"),
    BundleState.RESIDUE: ("!", "RESIDUE", "crit"),
    BundleState.FLAT: ("-", "flat", "dim"),
}

TRADING_STATE: dict[TradingState, tuple[str, str]] = {
    TradingState.ACTIVE: ("ACTIVE", "ok"),
    TradingState.REDUCING: ("REDUCING", "warn"),
    TradingState.HALTED: ("HALTED", "warn"),
}


def venue_state(state: VenueState) -> tuple[str, str]:
    """Say in words how the venue is believed to be."""
    return state.value.replace("_", " "), "ok" if state is VenueState.NORMAL else "warn"


def gate_word(gate: ReleaseGate | None) -> str:
    """Name a step of the release ladder."""
    return ABSENT if gate is None else capitals(gate)


def capitals(value: Mode | ReleaseGate) -> str:
    """Write a mode or gate as every page does: `LIVE DRY RUN`."""
    return str(value.value).upper().replace("_", " ")
