"""What paper orders came to, under both maker models, side by side and never summed.

The averse figures are what every promotion rests on. Maker rebates are what the market's schedule
would accrue for the fills: shown apart, never credited, because nobody paid them. While the
probabilistic model books the fills, an order ends with its fills: the averse figure of such an
order stops there.
"""

from collections.abc import Iterable
from typing import Final

from msgspec import Struct

from polytui.engine.core.enums import Side
from polytui.engine.core.events import FeeSchedule
from polytui.engine.core.units import U
from polytui.engine.orders.fills import booked_fee_u6
from polytui.engine.sim.paper.resting import DUST_U6, PaperOrder

MODELS: Final = ("averse", "probabilistic")


class OrderFills(Struct, frozen=True, kw_only=True, gc=False):
    """One order that the venue took."""

    cid: str
    order_hash: str
    market: str
    token: str
    side: Side
    px_u6: int
    qty_u6: int
    taken_u6: int
    """Filled as a taker."""
    averse_u6: int
    """Filled as a maker, by model."""
    probabilistic_u6: int
    booked_u6: int
    """Filled in the books, by the configured model: taker part included."""
    joins: int
    """Places taken in the queue: more than one after a gap."""
    text: str
    """How it stands, in the venue's words."""


class ModelTotals(Struct, frozen=True, kw_only=True, gc=False):
    """One maker model over all orders."""

    fills: int = 0
    """Prints that reached an order."""
    orders: int = 0
    """Orders with a fill."""
    complete: int = 0
    """Orders filled to the end."""
    qty_u6: int = 0
    cash_u6: int = 0
    """At the orders' own prices."""
    rebate_u6: int = 0
    """Accrued by the schedule, not paid."""


class PaperSummary(Struct, frozen=True, kw_only=True):
    """The account in a few numbers, for the screen."""

    booked_by: str
    """Which model books: `averse` or `probabilistic`."""
    orders: int = 0
    """Taken by the venue."""
    rested: int = 0
    refused: int = 0
    taker_fills: int = 0
    taker_qty_u6: int = 0
    fees_u6: int = 0
    confirmed: int = 0
    failed: int = 0
    """Settlements."""
    averse: ModelTotals = ModelTotals()
    probabilistic: ModelTotals = ModelTotals()

    @property
    def text(self) -> str:
        """Say both results in one line."""
        one, two = self.averse, self.probabilistic
        return (
            f"maker fills averse {one.fills} ({one.qty_u6 / U:.2f} sh, {one.complete} complete), "
            f"probabilistic {two.fills} ({two.qty_u6 / U:.2f} sh, {two.complete} complete); "
            f"taker {self.taker_fills} ({self.taker_qty_u6 / U:.2f} sh); "
            f"{self.orders} orders, booked by {self.booked_by}"
        )


class PaperReport(Struct, frozen=True, kw_only=True):
    """The whole account: every order still remembered, and the totals over all."""

    summary: PaperSummary
    orders: tuple[OrderFills, ...]


class _Model:
    __slots__ = ("cash_u6", "complete", "fills", "orders", "qty_u6", "rebate_u6")

    def __init__(self) -> None:
        self.fills = self.orders = self.complete = 0
        self.qty_u6 = self.cash_u6 = self.rebate_u6 = 0

    def totals(self) -> ModelTotals:
        return ModelTotals(**{name: getattr(self, name) for name in self.__slots__})


class Tally:
    """Counts as it happens."""

    __slots__ = (
        "_booked_by",
        "_models",
        "confirmed",
        "failed",
        "fees_u6",
        "orders",
        "refused",
        "rested",
        "taker_fills",
        "taker_qty_u6",
    )

    def __init__(self, booked_by: str) -> None:
        """Start at nothing."""
        self._booked_by = booked_by
        self._models = (_Model(), _Model())
        self.orders = self.rested = self.refused = 0
        self.taker_fills = self.taker_qty_u6 = self.fees_u6 = 0
        self.confirmed = self.failed = 0

    def took(self, qty_u6: int, fee_u6: int) -> None:
        """Note a fill as a taker."""
        self.taker_fills += 1
        self.taker_qty_u6 += qty_u6
        self.fees_u6 += fee_u6

    def made(self, order: PaperOrder, by: tuple[int, int], fees: FeeSchedule | None) -> None:
        """Note what a print filled of an order under each model; it is counted there already."""
        px_u6 = order.terms.px_u6
        whole_u6 = order.qty_u6 - order.taken_u6
        so_far = (order.averse_u6, order.probabilistic_u6)
        for model, qty_u6, total_u6 in zip(self._models, by, so_far, strict=True):
            if qty_u6 <= 0:
                continue
            model.fills += 1
            model.orders += total_u6 == qty_u6
            model.complete += whole_u6 - total_u6 < DUST_U6 <= whole_u6 - total_u6 + qty_u6
            model.qty_u6 += qty_u6
            model.cash_u6 += px_u6 * qty_u6 // U
            if fees is not None:
                share = fees.rebate_u6 * booked_fee_u6(px_u6, qty_u6, fees)
                model.rebate_u6 += share // U

    def summary(self) -> PaperSummary:
        """Freeze the numbers."""
        names = [name for name in self.__slots__ if not name.startswith("_")]
        averse, probabilistic = self._models
        return PaperSummary(
            booked_by=self._booked_by,
            averse=averse.totals(),
            probabilistic=probabilistic.totals(),
            **{name: getattr(self, name) for name in names},
        )


def order_rows(orders: Iterable[PaperOrder]) -> tuple[OrderFills, ...]:
    """Write orders down with both results."""
    return tuple(
        OrderFills(
            cid=order.terms.cid,
            order_hash=order.terms.order_hash,
            market=order.market,
            token=order.terms.token,
            side=order.terms.side,
            px_u6=order.terms.px_u6,
            qty_u6=order.qty_u6,
            taken_u6=order.taken_u6,
            averse_u6=order.averse_u6,
            probabilistic_u6=order.probabilistic_u6,
            booked_u6=order.filled_u6,
            joins=order.joins,
            text=order.text,
        )
        for order in orders
    )
