"""Exact numbers: micro-units, ticks, fees.

Every price, size and dollar amount is an `int` in micro-units (1e-6), suffix `_u6`. Floats are
opinions (features, scores) and enter or leave through the named functions at the end of this
file. Nothing here rounds in our favour.
"""

from polytui.engine.core.errors import WireError

U = 1_000_000
"""One share, one dollar, probability one."""

FEE_STEP_U6 = 10
"""The venue charges fees in steps of 0.00001 pUSD (docs trading/fees, 2026-11-21)."""

U6_MAX = 10**15
"""A billion dollars or shares: nothing on this venue is larger; above it the text is hostile."""

_MEMO_MAX = 1 << 16
"""Limit of the memos below: prices repeat for ever, sizes often."""

_SCALE = (U, U // 10, U // 100, U // 1_000, U // 10_000, 10, 1)
"""Micro-units of the last digit, by number of decimals."""

_TEXT_MAX = 24
"""Longest numeral read: 16 whole digits, a point, 6 decimals."""


def parse_u6(text: str) -> int:
    """Read an exact decimal string (`"0.48"`, `".48"`, `"30"`) as micro-units.

    Accepts ASCII digits with at most one point and at most six decimals after trailing zeros are
    dropped; refuses signs, exponents, NaN, blanks and anything above `U6_MAX`.

    Raises:
        WireError: the text is not such a numeral.
    """
    whole, point, frac = text.partition(".")
    places = len(frac)
    if places > 6:
        frac = frac.rstrip("0")
        places = len(frac)
    digits = whole + frac
    is_plain = digits.isdecimal() and digits.isascii() and len(text) <= _TEXT_MAX
    if not is_plain or (point and not frac):
        raise WireError(expected="a plain decimal", got=text)
    if places > 6:
        raise WireError(expected="a plain decimal of at most 6 places", got=text)
    value = int(digits) * _SCALE[places]
    if value > U6_MAX:
        raise WireError(expected=f"at most {U6_MAX // U}", got=text)
    return value


def parse_price_u6(text: str) -> int:
    """Read a price or probability in [0, 1]; `"0"` and `"1"` mark an absent side on the wire.

    Raises:
        WireError: not a plain decimal, or above one.
    """
    value = parse_u6(text)
    if value > U:
        raise WireError(expected="a price in [0, 1]", got=text)
    return value


QTY_U6: dict[str, int] = {}
"""Sizes already read: the hot path looks here first and calls `qty_u6` on a miss."""

PRICE_U6: dict[str, int] = {}
"""Prices already read, the same with `price_u6`."""


def qty_u6(text: str) -> int:
    """Do as `parse_u6` does, and remember."""
    value = QTY_U6.get(text)
    if value is None:
        value = parse_u6(text)
        _remember(QTY_U6, text, value)
    return value


def price_u6(text: str) -> int:
    """Do as `parse_price_u6` does, and remember."""
    value = PRICE_U6.get(text)
    if value is None:
        value = parse_price_u6(text)
        _remember(PRICE_U6, text, value)
    return value


def _remember(memo: dict[str, int], text: str, value: int) -> None:
    if len(memo) >= _MEMO_MAX:
        memo.clear()
    memo[text] = value


def text_u6(value_u6: int) -> str:
    """Write micro-units as the shortest exact decimal, the form the venue writes (`"0.5"`)."""
    sign = "-" if value_u6 < 0 else ""
    whole, frac = divmod(abs(value_u6), U)
    if not frac:
        return f"{sign}{whole}"
    return f"{sign}{whole}.{frac:06d}".rstrip("0")


def mirror_u6(px_u6: int) -> int:
    """Turn a price of one token into the price of its complement: 1 - p."""
    return U - px_u6


def floor_to_tick_u6(px_u6: int, tick_u6: int) -> int:
    """Round a bid down to the grid."""
    return px_u6 - px_u6 % tick_u6


def ceil_to_tick_u6(px_u6: int, tick_u6: int) -> int:
    """Round an ask up to the grid."""
    return -(-px_u6 // tick_u6) * tick_u6


def cost_u6(px_u6: int, qty_u6: int) -> int:
    """Dollars a buyer pays before fees, rounded up: never in our favour."""
    return -(-px_u6 * qty_u6 // U)


def proceeds_u6(px_u6: int, qty_u6: int) -> int:
    """Dollars a seller receives before fees, rounded down: never in our favour."""
    return px_u6 * qty_u6 // U


def fee_u6(px_u6: int, qty_u6: int, *, rate_u6: int, exponent: int) -> int:
    """Taker fee `C·r·(p(1-p))^e` in dollars, rounded up to the fee step (pre-trade rule).

    Source: venue docs trading/fees, 2026-11-21: five decimals, below 0.00001 nothing is charged;
    we round up, because an admission must not hope. The ledger books what the fill reports.
    """
    exact = qty_u6 * rate_u6 * _power(px_u6 * (U - px_u6), exponent)
    scale = U * _power(U * U, exponent)
    return -(-exact // (scale * FEE_STEP_U6)) * FEE_STEP_U6


def fee_per_share_u6(px_u6: int, *, rate_u6: int, exponent: int) -> int:
    """Taker fee of one share in micro-dollars, rounded up to the next micro-unit."""
    exact = rate_u6 * _power(px_u6 * (U - px_u6), exponent)
    return -(-exact // _power(U * U, exponent))


def _power(base: int, exponent: int) -> int:
    """Raise to a whole power of at least zero, as an integer."""
    assert exponent >= 0, f"expected a fee exponent of at least 0, was {exponent}"
    return int(base**exponent)


def u6_from_float(value: float) -> int:
    """Turn an opinion into micro-units, to the nearest; for configuration and the laboratory.

    Raises:
        WireError: not finite, or larger than `U6_MAX`.
    """
    scaled = value * U
    if not -U6_MAX <= scaled <= U6_MAX:
        raise WireError(expected=f"a finite number within {U6_MAX // U}", got=repr(value))
    return round(scaled)


def float_from_u6(value_u6: int) -> float:
    """Turn a fact into a float for features and display arithmetic; never back into money."""
    return value_u6 / U
