"""One side of a book in YES terms: price levels, each a first-come queue of orders."""

from bisect import bisect_left, insort
from collections import OrderedDict
from collections.abc import Iterator
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from polytui.engine.sim.exchange.orders import Order


class Level:
    """Orders at one price, oldest first."""

    __slots__ = ("orders", "total_u6")

    def __init__(self) -> None:
        """Start empty."""
        self.orders: OrderedDict[str, Order] = OrderedDict()
        self.total_u6 = 0


class Queue:
    """Levels of one side; the best is the highest bid or the lowest ask."""

    __slots__ = ("is_bid", "levels", "px")

    def __init__(self, *, is_bid: bool) -> None:
        """Start empty."""
        self.is_bid = is_bid
        self.px: list[int] = []
        """Prices with orders, ascending."""
        self.levels: dict[int, Level] = {}

    def add(self, order: "Order") -> None:
        """Put an order at the end of its level."""
        level = self.levels.get(order.book_px_u6)
        if level is None:
            level = self.levels[order.book_px_u6] = Level()
            insort(self.px, order.book_px_u6)
        level.orders[order.id] = order
        level.total_u6 += order.left_u6

    def remove(self, order: "Order") -> None:
        """Take an order out, with whatever is left of it."""
        px_u6 = order.book_px_u6
        level = self.levels[px_u6]
        del level.orders[order.id]
        level.total_u6 -= order.left_u6
        if not level.orders:
            assert not level.total_u6, f"expected nothing left at {px_u6}, was {level.total_u6}"
            del self.levels[px_u6]
            del self.px[bisect_left(self.px, px_u6)]

    def reduce(self, order: "Order", qty_u6: int) -> None:
        """Take quantity off an order without moving it."""
        order.left_u6 -= qty_u6
        self.levels[order.book_px_u6].total_u6 -= qty_u6

    def best_u6(self) -> int | None:
        """Return the best price."""
        if not self.px:
            return None
        return self.px[-1] if self.is_bid else self.px[0]

    def total_u6(self, px_u6: int) -> int:
        """Return the total size at a price."""
        level = self.levels.get(px_u6)
        return level.total_u6 if level is not None else 0

    def best_first(self) -> Iterator[int]:
        """Yield prices from the best; the queue must not change meanwhile."""
        return reversed(self.px) if self.is_bid else iter(self.px)

    def reaches(self, limit_u6: int) -> bool:
        """Tell whether somebody with this limit, from the other side, would trade."""
        if not self.px:
            return False
        return self.px[-1] >= limit_u6 if self.is_bid else self.px[0] <= limit_u6

    def totals(self) -> tuple[tuple[int, int], ...]:
        """List (price, size), ascending by price."""
        return tuple((px_u6, self.levels[px_u6].total_u6) for px_u6 in self.px)
