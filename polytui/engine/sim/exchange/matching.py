"""Price, then arrival: which resting orders a taker meets, and who pays what (§5.3, §5.4).

A plan is made without touching anything, so that FOK, post-only, the balance check and the naive
engine in the tests can all look at it first. Execution is at the maker's price; the fraction of a
micro-dollar that a product may leave goes to the maker, whose limit is thereby never exceeded.
"""

from dataclasses import dataclass, field

from polytui.engine.core.events import FeeSchedule
from polytui.engine.core.units import U
from polytui.engine.sim.exchange.api import Form
from polytui.engine.sim.exchange.fees import fee_u6
from polytui.engine.sim.exchange.ladder import Level
from polytui.engine.sim.exchange.orders import Order
from polytui.engine.sim.exchange.terms import FeeRounding

DUST_U6 = 10_000
"""Less than 0.01 share left is done (§5.4)."""


@dataclass(slots=True)
class Fill:
    """One maker's part."""

    maker: Order
    qty_u6: int
    cash_u6: int
    """What the taker pays (BUY) or gets (SELL), before the fee."""
    form: Form

    @property
    def maker_cash_u6(self) -> int:
        """What the maker gets (SELL) or pays (BUY)."""
        return self.cash_u6 if self.form is Form.COMPLEMENTARY else self.qty_u6 - self.cash_u6


@dataclass(slots=True)
class Batch:
    """Fills that become one trade: one price, so many makers at most."""

    px_u6: int
    """In the taker's terms."""
    fills: list[Fill]
    qty_u6: int = 0
    cash_u6: int = 0
    fee_u6: int = 0


@dataclass(slots=True)
class Plan:
    """All that a taker would do now."""

    batches: list[Batch] = field(default_factory=list)
    qty_u6: int = 0
    cash_u6: int = 0
    fee_u6: int = 0
    left_u6: int = 0
    """Shares still wanted; of a budget BUY, shares that the budget still buys at its limit."""

    def is_full(self, taker: Order) -> bool:
        """Tell whether a FOK may go: all sold or bought, or the budget spent (§5.4)."""
        if taker.budget_u6:
            return not self.left_u6 or self.qty_u6 >= taker.qty_u6
        return not self.left_u6


def make_plan(taker: Order, *, fees: FeeSchedule, rounding: FeeRounding, makers_max: int) -> Plan:
    """Walk the other side of the book as far as the taker's limit, size and budget go."""
    queue = taker.market.queue(is_bid=not taker.is_bid)
    plan = Plan()
    want = _Want(taker)
    limit_u6 = taker.book_limit_u6
    for book_px_u6 in queue.best_first():
        if book_px_u6 > limit_u6 if taker.is_bid else book_px_u6 < limit_u6:
            break
        px_u6 = book_px_u6 if taker.is_yes else U - book_px_u6
        fills = _take_level(taker, queue.levels[book_px_u6], px_u6, want)
        for start in range(0, len(fills), makers_max):
            batch = Batch(px_u6, fills[start : start + makers_max])
            batch.qty_u6 = sum(fill.qty_u6 for fill in batch.fills)
            batch.cash_u6 = sum(fill.cash_u6 for fill in batch.fills)
            batch.fee_u6 = fee_u6(px_u6, batch.qty_u6, fees, rounding)
            plan.batches.append(batch)
            plan.qty_u6 += batch.qty_u6
            plan.cash_u6 += batch.cash_u6
            plan.fee_u6 += batch.fee_u6
        if want.is_over:
            break
    plan.left_u6 = want.left_u6()
    return plan


class _Want:
    """What a taker still wants while the plan is made: shares, or what a budget buys."""

    __slots__ = ("budget_u6", "is_over", "limit_u6", "qty_u6")

    def __init__(self, taker: Order) -> None:
        self.limit_u6 = taker.book_limit_u6 if taker.is_yes else U - taker.book_limit_u6
        self.budget_u6: int | None = taker.budget_u6 or None
        self.qty_u6 = taker.left_u6
        self.is_over = False

    def next_u6(self, px_u6: int) -> int:
        """Return the most it takes at a price."""
        return self.qty_u6 if self.budget_u6 is None else self.budget_u6 * U // px_u6

    def spend(self, qty_u6: int, cash_u6: int) -> None:
        """Note what it took."""
        if self.budget_u6 is None:
            self.qty_u6 -= qty_u6
        else:
            self.budget_u6 -= cash_u6

    def left_u6(self) -> int:
        """Return the shares still wanted, of a budget those that it buys at the limit."""
        return self.next_u6(self.limit_u6)


def _take_level(taker: Order, level: Level, px_u6: int, want: _Want) -> list[Fill]:
    """Take from one level, oldest order first, until it or the want ends."""
    is_buy = taker.is_buy
    fills: list[Fill] = []
    for maker in level.orders.values():
        wanted_u6 = want.next_u6(px_u6)
        qty_u6 = min(maker.left_u6, wanted_u6)
        if qty_u6:
            exact = px_u6 * qty_u6
            cash_u6 = -(-exact // U) if is_buy else exact // U
            if maker.is_yes == taker.is_yes:
                form = Form.COMPLEMENTARY
            else:
                form = Form.MINT if is_buy else Form.MERGE
            fills.append(Fill(maker, qty_u6, cash_u6, form))
            want.spend(qty_u6, cash_u6)
        if qty_u6 == wanted_u6:
            want.is_over = True
            break
    return fills
