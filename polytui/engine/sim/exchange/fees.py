"""The taker fee as the venue books it (§6): `C·rate·(p(1-p))^e` in steps of 0.00001 pUSD.

The docs say "rounded to 5 decimals, the smallest fee is 0.00001, anything smaller is zero"; a
public adapter floors (quant.md §0.1). Both, and rounding up, are settings.
"""

from polytui.engine.core.events import FeeSchedule
from polytui.engine.core.units import FEE_STEP_U6, U
from polytui.engine.sim.exchange.terms import FeeRounding


def fee_u6(px_u6: int, qty_u6: int, fees: FeeSchedule, rounding: FeeRounding) -> int:
    """Return the fee of a trade; p and 1 - p give the same, so either token's price will do."""
    if not fees.rate_u6:
        return 0
    exact = qty_u6 * fees.rate_u6 * int((px_u6 * (U - px_u6)) ** fees.exponent)
    step = U * int((U * U) ** fees.exponent) * FEE_STEP_U6
    if rounding is FeeRounding.CEIL:
        steps = -(-exact // step)
    elif rounding is FeeRounding.FLOOR or exact < step:
        steps = exact // step
    else:
        steps = (2 * exact + step) // (2 * step)
    return steps * FEE_STEP_U6
