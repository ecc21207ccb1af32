"""The two integers that are signed: what an order gives and what it takes (venue reference §5.2).

Pure integer arithmetic in micro-units. The venue's own client rounds in floats and signs 4.6 % of
two-decimal sizes 0.01 share short; here `0.29` is 290000 and stays it. Limit orders state size
times price exactly. Market types state a budget (BUY) or a size (SELL), and their counter-amount is
rounded down to four decimals: a BUY that rounds up silently demands a better price and misses.
"""

from typing import Final

from polytui.engine.core.enums import Side
from polytui.engine.core.order_enums import OrderType
from polytui.engine.core.units import U6_MAX, U, text_u6

TICKS_U6: Final = frozenset({100_000, 10_000, 5_000, 2_500, 1_000, 100})
"""The grids that exist (§5.1). All are multiples of 0.0001, so lots times price are whole."""

TICK_FINEST_U6: Final = 100
"""Every lawful price is on this grid; the amounts themselves do not depend on the tick."""

LOT_U6: Final = 10_000
"""Shares of an order, and dollars of a market BUY, come in whole hundredths."""

TAKER_LOT_U6: Final = 100
"""Four decimals: the counter-amount of a market type on any tick (py-clob-client-v2 99)."""


class AmountError(ValueError):
    """No lawful amounts exist; the message says what was expected and what it was."""


def amounts(
    side: Side, px_u6: int, qty_u6: int, order_type: OrderType, tick_u6: int
) -> tuple[int, int]:
    """Make (maker, taker) amounts in micro-units; a size that is no whole lot is rounded down.

    GTC and GTD: BUY gives size × price and takes size, SELL the other way round, exactly.
    FAK and FOK: a BUY gives the budget size × price rounded down to a cent and takes budget ÷ price
    rounded down to 0.0001 share; a SELL gives its size and takes size × price rounded down to
    0.0001 dollar. A BUY's stated price stays below the next price of the finest grid, so that it
    cannot reach a dearer ask; a SELL gives up less than 0.0001 dollar.

    Raises:
        AmountError: the tick is none of the venue's, the price is off its grid or not between one
            tick and one minus a tick, or the size is too large, or too small to state its price.
    """
    _check_price(px_u6, tick_u6)
    lots_u6 = qty_u6 - qty_u6 % LOT_U6
    if not 0 < lots_u6 <= U6_MAX:
        raise AmountError(f"expected a size of at least 0.01 share, was {text_u6(qty_u6)}")
    exact_u6 = lots_u6 * px_u6 // U
    is_buy = side is Side.BUY
    if order_type.is_resting:
        return (exact_u6, lots_u6) if is_buy else (lots_u6, exact_u6)
    maker_u6, taker_u6 = _budget(exact_u6, px_u6) if is_buy else _proceeds(lots_u6, exact_u6)
    if not taker_u6 or (is_buy and maker_u6 * U >= (px_u6 + TICK_FINEST_U6) * taker_u6):
        raise AmountError(
            f"expected a {order_type.value} {side.value} large enough to state its price in whole "
            f"cents and 0.0001 share, was {text_u6(qty_u6)} at {text_u6(px_u6)}"
        )
    return maker_u6, taker_u6


def _check_price(px_u6: int, tick_u6: int) -> None:
    if tick_u6 not in TICKS_U6:
        known = ", ".join(text_u6(tick) for tick in sorted(TICKS_U6))
        raise AmountError(f"expected a tick of {known}, was {text_u6(tick_u6)}")
    if px_u6 % tick_u6 or not tick_u6 <= px_u6 <= U - tick_u6:
        raise AmountError(
            f"expected a price on the grid of {text_u6(tick_u6)} between {text_u6(tick_u6)} and "
            f"{text_u6(U - tick_u6)}, was {text_u6(px_u6)}"
        )


def _budget(exact_u6: int, px_u6: int) -> tuple[int, int]:
    """Size up a market BUY: dollars in whole cents, the shares they buy at the limit."""
    budget_u6 = exact_u6 - exact_u6 % LOT_U6
    shares_u6 = budget_u6 * U // px_u6
    return budget_u6, shares_u6 - shares_u6 % TAKER_LOT_U6


def _proceeds(lots_u6: int, exact_u6: int) -> tuple[int, int]:
    """Size up a market SELL: shares, the least dollars it takes for them."""
    return lots_u6, exact_u6 - exact_u6 % TAKER_LOT_U6
