"""From the two signed amounts to price and size, by the venue's accuracy rules (§5.1, §5.2).

The venue sees amounts only. Limit orders must state size times price exactly; market-type orders
(FAK, FOK) state a budget or a size, and a limit that is the exact ratio of the amounts: a BUY whose
share count was rounded up demands a better price than its signer meant, and misses (py-sdk 291).
"""

from msgspec import Struct

from polytui.engine.core.enums import Side
from polytui.engine.core.order_enums import OrderType
from polytui.engine.core.units import U, text_u6
from polytui.engine.sim.exchange.api import ErrorCode, OrderRequest, VenueError
from polytui.engine.sim.exchange.refusals import refuse

AMOUNT_PLACES = {100_000: 3, 10_000: 4, 5_000: 5, 2_500: 6, 1_000: 5, 100: 6}
"""Decimals of a limit order's pUSD amount, by tick (§5.2)."""
SIZE_PLACES = 2
MARKET_PLACES = 4
"""Taker decimals of market-type orders, whatever the tick (py-clob-client-v2 99)."""
MARKET_UNIT_U6 = 100
_NEAR = 20
"""A ratio within 1/20 tick of the grid means that price, badly multiplied; farther off, another."""

MARKET_TYPES = (OrderType.FAK, OrderType.FOK)


class Sizing(Struct, frozen=True, kw_only=True, gc=False):
    """What the amounts mean."""

    px_u6: int
    """On the grid, in the token's own terms."""
    limit_u6: int
    """The price it crosses up to (BUY) or down to (SELL); off the grid for market types."""
    qty_u6: int
    """Shares: exact for limit orders and SELLs, nominal for a FAK/FOK BUY."""
    budget_u6: int
    """pUSD of a FAK/FOK BUY, without fee; 0 for all others."""
    cash_u6: int
    """The pUSD amount as stated."""
    is_near: bool
    """Whether the ratio is close enough to the grid to be meant as `px_u6`."""


def size_up(request: OrderRequest, tick_u6: int) -> Sizing | None:
    """Derive price and size; None when an amount is missing."""
    is_buy = request.side is Side.BUY
    maker_u6, taker_u6 = request.maker_amount_u6, request.taker_amount_u6
    qty_u6, cash_u6 = (taker_u6, maker_u6) if is_buy else (maker_u6, taker_u6)
    if qty_u6 <= 0 or cash_u6 <= 0:
        return None
    steps = (2 * cash_u6 * U + tick_u6 * qty_u6) // (2 * tick_u6 * qty_u6)
    px_u6 = steps * tick_u6
    off = abs(cash_u6 * U - px_u6 * qty_u6)
    is_market = request.order_type in MARKET_TYPES
    if is_market:
        limit_u6 = cash_u6 * U // qty_u6 if is_buy else -(-cash_u6 * U // qty_u6)
    else:
        limit_u6 = px_u6
    rounded = (px_u6 if is_buy else U) * MARKET_UNIT_U6
    is_near = off * _NEAR <= tick_u6 * qty_u6 or (is_market and off <= rounded)
    return Sizing(
        px_u6=px_u6,
        limit_u6=limit_u6,
        qty_u6=qty_u6,
        budget_u6=cash_u6 if is_market and is_buy else 0,
        cash_u6=cash_u6,
        is_near=is_near and tick_u6 <= px_u6 <= U - tick_u6,
    )


def check_tick(request: OrderRequest, sizing: Sizing, tick_u6: int) -> VenueError | None:
    """Refuse a price off the grid; the text shows the ratio the venue computes, as a float."""
    if sizing.is_near:
        return None
    return refuse(
        ErrorCode.TICK,
        id=request.order_id,
        price=str(sizing.cash_u6 / sizing.qty_u6),
        tick=text_u6(tick_u6),
    )


def check_accuracy(request: OrderRequest, sizing: Sizing, tick_u6: int) -> VenueError | None:
    """Refuse amounts with too many decimals, then a product that is not size times price."""
    side = request.side.value
    is_buy = request.side is Side.BUY
    if request.order_type in MARKET_TYPES:
        maker, taker = SIZE_PLACES, MARKET_PLACES
        kind = f"market {side}"
    else:
        places = AMOUNT_PLACES[tick_u6]
        maker, taker = (places, SIZE_PLACES) if is_buy else (SIZE_PLACES, places)
        kind = side
    if request.maker_amount_u6 % 10 ** (6 - maker) or request.taker_amount_u6 % 10 ** (6 - taker):
        return refuse(ErrorCode.ACCURACY, kind=kind, maker=maker, taker=taker)
    if request.order_type in MARKET_TYPES or sizing.cash_u6 * U == sizing.px_u6 * sizing.qty_u6:
        return None
    return refuse(
        ErrorCode.PRODUCT,
        leg="maker" if is_buy else "taker",
        price=text_u6(sizing.px_u6),
        size=text_u6(sizing.qty_u6),
        expected=text_u6(sizing.px_u6 * sizing.qty_u6 // U),
        submitted=text_u6(sizing.cash_u6),
    )
