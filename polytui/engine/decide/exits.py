"""What a flatten would sell, and at what cost: pure looks at holdings and books.

Floors are on the grid and rounded up; sizes are whole hundredths and rounded down: never in our
favour, never more than is confirmed.
"""

from collections.abc import Collection

from msgspec import Struct

from polytui.engine.core.enums import Outcome
from polytui.engine.core.errors import OperatorError
from polytui.engine.core.units import ceil_to_tick_u6, proceeds_u6
from polytui.engine.decide.words import dollars, price, shares

LOT_U6 = 10_000
"""Shares are sold in whole hundredths; less is dust and stays."""
SLIP_MAX_U6 = 200_000
"""No flatten is told to give up more than twenty cents a share; compiled in."""


class Holding(Struct, frozen=True, kw_only=True, gc=False):
    """One token as it can be sold now."""

    market: str
    group: str
    token: str
    outcome: Outcome
    sellable_u6: int
    """Confirmed less reserved and provisional out."""
    paired_u6: int
    """Of it, matched by the other token: worth a dollar a pair, merged and never sold."""
    unsettled_u6: int
    """Provisional in: cannot be sold yet."""
    bids: tuple[tuple[int, int], ...]
    """(px_u6, qty_u6) of the book, best first."""
    tick_u6: int
    epoch: int
    snapshot: int


class ExitRow(Struct, frozen=True, kw_only=True):
    """What selling one token would come to, by the book of now."""

    token: str
    market: str
    outcome: Outcome
    qty_u6: int
    """Inside the bound."""
    left_u6: int
    """Beyond it, or without a bid, or unsettled."""
    paired_u6: int
    floor_u6: int
    """No slice is sold below; 0 without a bid."""
    proceeds_u6: int
    impact_u6: int
    """Dollars given up against selling all of it at the best bid."""


class FlattenPreview(Struct, frozen=True, kw_only=True):
    """What a flatten would do."""

    rows: tuple[ExitRow, ...]
    """In the order of selling: the smallest impact first."""
    proceeds_u6: int
    impact_u6: int
    phrase: str
    text: str


def preview(holdings: Collection[Holding], slip_u6: int) -> FlattenPreview:
    """Say what a flatten would do; touches nothing.

    Raises:
        OperatorError: the bound is not between 0 and `SLIP_MAX_U6`, or nothing is held.
    """
    if not 0 <= slip_u6 <= SLIP_MAX_U6:
        raise OperatorError(f"expected a bound up to {price(SLIP_MAX_U6)}, was {price(slip_u6)}")
    held = [h for h in holdings if h.sellable_u6 or h.unsettled_u6]
    if not held:
        raise OperatorError("there is nothing to flatten")
    rows = tuple(sorted((exit_row(h, slip_u6) for h in held), key=rank))
    proceeds = sum(row.proceeds_u6 for row in rows)
    impact = sum(row.impact_u6 for row in rows)
    text = f"sells {len(held)} positions for about {dollars(proceeds)}, impact {dollars(impact)}"
    left = sum(row.left_u6 for row in rows)
    if left:
        text += f"; {shares(left)} stay beyond {price(slip_u6)} or unsettled"
    if any(row.paired_u6 for row in rows):
        text += "; pairs are merged"
    return FlattenPreview(
        rows=rows,
        proceeds_u6=proceeds,
        impact_u6=impact,
        phrase=f"FLATTEN {len(held)}",
        text=text,
    )


def exit_row(holding: Holding, slip_u6: int, floor_u6: int | None = None) -> ExitRow:
    """Walk one token's bids down to the bound."""
    best_u6 = holding.bids[0][0] if holding.bids else 0
    if floor_u6 is None:
        floor_u6 = floor_of(best_u6, slip_u6, holding.tick_u6)
    want_u6 = lots_u6(holding.sellable_u6 - holding.paired_u6)
    sold_u6 = got_u6 = 0
    for px_u6, qty_u6 in holding.bids:
        if px_u6 < floor_u6 or sold_u6 >= want_u6:
            break
        part_u6 = min(qty_u6, want_u6 - sold_u6)
        sold_u6 += part_u6
        got_u6 += proceeds_u6(px_u6, part_u6)
    sold_u6 = lots_u6(sold_u6)
    return ExitRow(
        token=holding.token,
        market=holding.market,
        outcome=holding.outcome,
        qty_u6=sold_u6,
        left_u6=max(0, holding.sellable_u6 - holding.paired_u6 - sold_u6) + holding.unsettled_u6,
        paired_u6=holding.paired_u6,
        floor_u6=floor_u6,
        proceeds_u6=got_u6,
        impact_u6=max(0, proceeds_u6(best_u6, sold_u6) - got_u6),
    )


def floor_of(best_u6: int, slip_u6: int, tick_u6: int) -> int:
    """Put the lowest price of a sale on the grid, upwards; 0 when there is no bid."""
    if not best_u6:
        return 0
    return max(tick_u6, ceil_to_tick_u6(best_u6 - slip_u6, tick_u6))


def rank(row: ExitRow) -> tuple[int, int, str]:
    """Smallest impact first; what cannot be sold last."""
    return (0 if row.qty_u6 else 1, row.impact_u6, row.token)


def lots_u6(qty_u6: int) -> int:
    """Round shares down to what an order can sell."""
    return max(0, qty_u6 - qty_u6 % LOT_U6)
