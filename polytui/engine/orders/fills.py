"""Our part of a venue trade, in our order's own terms, with cash and fee as the venue books them.

The wire states shares and prices, never dollars. The venue rounds per maker, in the maker's favour:
a taker BUY pays each product rounded up, a taker SELL gets it rounded down, a maker BUY pays it
rounded down and a maker SELL gets it rounded up, minted and merged pairs included. The fee is the
taker's, on the whole trade, to the nearest 0.00001 pUSD, and nothing below that (`quant.md` §0;
venue reference §5.4, §6). The practice venue does the same, and a test compares them to the unit.
"""

from collections.abc import Iterator, Mapping
from typing import Final, NamedTuple

from polytui.engine.core.enums import Side
from polytui.engine.core.events import FeeSchedule
from polytui.engine.core.trading import VenueTrade
from polytui.engine.core.units import FEE_STEP_U6, U
from polytui.engine.orders.lifecycle import WORST_RATE_U6, Order

_WORST: Final = FeeSchedule(rate_u6=WORST_RATE_U6)
_OTHER: Final = {Side.BUY: Side.SELL, Side.SELL: Side.BUY}


class Part(NamedTuple):
    """One of our orders in a trade."""

    order_hash: str
    token: str
    side: Side
    px_u6: int
    qty_u6: int
    cash_u6: int
    is_maker: bool


def own_parts(trade: VenueTrade, by_hash: Mapping[str, Order], maker: str) -> Iterator[Part]:
    """Yield our parts: as taker, and each resting order by hash or address, once."""
    if trade.is_taker or trade.taker_hash in by_hash:
        yield Part(
            trade.taker_hash,
            trade.token,
            trade.side,
            trade.px_u6,
            trade.qty_u6,
            _taker_cash_u6(trade),
            is_maker=False,
        )
    ours: dict[str, Part] = {}
    for one in trade.makers:
        if one.order_hash in by_hash or (maker and one.maker == maker):
            side = one.side or _maker_side(trade, one.token)
            cash_u6 = _maker_cash_u6(side, one.px_u6, one.qty_u6)
            part = Part(one.order_hash, one.token, side, one.px_u6, one.qty_u6, cash_u6, True)
            twin = ours.get(one.order_hash)
            ours[one.order_hash] = part if twin is None else _sum(twin, part)
    yield from ours.values()


def _sum(one: Part, two: Part) -> Part:
    return one._replace(qty_u6=one.qty_u6 + two.qty_u6, cash_u6=one.cash_u6 + two.cash_u6)


def _maker_side(trade: VenueTrade, token: str) -> Side:
    """Derive a side that the venue left out: opposite on one token, equal on the complement."""
    return _OTHER[trade.side] if token == trade.token else trade.side


def _taker_cash_u6(trade: VenueTrade) -> int:
    """Add up what each maker's part costs or brings; in one piece where the parts do not add up."""
    sizes = [one.qty_u6 for one in trade.makers]
    if sum(sizes) != trade.qty_u6:
        sizes = [trade.qty_u6]
    px_u6 = trade.px_u6
    if trade.side is Side.BUY:
        return sum(-(-px_u6 * size_u6 // U) for size_u6 in sizes)
    return sum(px_u6 * size_u6 // U for size_u6 in sizes)


def _maker_cash_u6(side: Side, px_u6: int, qty_u6: int) -> int:
    exact = px_u6 * qty_u6
    return exact // U if side is Side.BUY else -(-exact // U)


def booked_fee_u6(px_u6: int, qty_u6: int, fees: FeeSchedule | None) -> int:
    """Return the taker's fee as the venue books it; without a schedule, the worst of the table."""
    fees = fees or _WORST
    exact = qty_u6 * fees.rate_u6 * int((px_u6 * (U - px_u6)) ** fees.exponent)
    step = U * int((U * U) ** fees.exponent) * FEE_STEP_U6
    return 0 if exact < step else (2 * exact + step) // (2 * step) * FEE_STEP_U6
