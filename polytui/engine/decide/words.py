"""Limits and values in units that a person reads: dollars, shares, cents, ages."""

from polytui.engine.core.units import text_u6

MS = 1_000_000
S = 1_000_000_000
DAY_NS = 86_400 * S


def dollars(value_u6: int) -> str:
    """Write micro-dollars exactly: `$25`, `-$0.5`."""
    return f"-${text_u6(-value_u6)}" if value_u6 < 0 else f"${text_u6(value_u6)}"


def shares(value_u6: int) -> str:
    """Write micro-shares exactly: `100 shares`."""
    return f"{text_u6(value_u6)} shares"


def price(value_u6: int) -> str:
    """Write a price exactly: `0.48`."""
    return text_u6(value_u6)


def percent(part: float) -> str:
    """Write a share of one: `30 %`, `2.5 %`."""
    return f"{part * 100:.4g} %"


def span(value_ns: int) -> str:
    """Write a duration in the unit that suits it: `240 ms`, `12 s`, `35 min`, `72 h`."""
    sign, size = ("-", -value_ns) if value_ns < 0 else ("", value_ns)
    if size < 10 * S:
        return f"{sign}{size / MS:.4g} ms"
    if size < 600 * S:
        return f"{sign}{size / S:.4g} s"
    if size < 36_000 * S:
        return f"{sign}{size / (60 * S):.4g} min"
    return f"{sign}{size / (3_600 * S):.4g} h"


def short(name: str) -> str:
    """Shorten a long id of the venue, so that a sentence stays one: `0xabcd…1234`."""
    return name if len(name) <= 16 else f"{name[:6]}…{name[-4:]}"
