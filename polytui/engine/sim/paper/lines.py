"""Own orders in their queues, market by market, and what the market's events do to them.

A gap empties the book: orders lose their place the moment their book is not trusted without
interruption, and join again behind everything once it is. Whoever joins does so only after all
events of the turn were shown, because the size it joins behind already contains them.
"""

from collections.abc import Callable, Mapping

from polytui.engine.core.enums import Outcome, Side
from polytui.engine.core.events import BookDelta, BookFrame, PublicTrade
from polytui.engine.core.units import U
from polytui.engine.sim.paper.books import (
    Displayed,
    Home,
    Stretch,
    StretchOf,
    home_of,
    levels_of,
    other,
)
from polytui.engine.sim.paper.resting import PaperOrder

Where = tuple[str, Outcome]
Filled = Callable[[PaperOrder, int, int], None]
"""Told an order and what a print filled of it: averse, probabilistic."""


class Line:
    """The own orders of one market."""

    __slots__ = ("homes", "orders", "stretch")

    def __init__(self) -> None:
        """Start without orders."""
        self.orders: dict[str, PaperOrder] = {}
        """By hash, in the order of joining."""
        self.homes: dict[Home, dict[str, PaperOrder]] = {}
        self.stretch: Stretch | None = None
        """In which the places were taken."""


class Lines:
    """The own orders of all markets."""

    __slots__ = ("_displayed", "_filled", "_seen_ms", "_stretch_of", "_waiting", "_where", "lines")

    def __init__(
        self,
        displayed: Displayed,
        stretch_of: StretchOf,
        *,
        where: Mapping[str, Where],
        filled: Filled,
    ) -> None:
        """Look at live books; tell `filled` what a print reached."""
        self._displayed = displayed
        self._stretch_of = stretch_of
        self._where = where
        self._filled = filled
        self.lines: dict[str, Line] = {}
        self._waiting: dict[str, None] = {}
        """Markets with orders that wait for a place."""
        self._seen_ms: dict[str, int] = {}
        """Newest venue stamp by market."""

    # --- coming and going ------------------------------------------------------------------------

    def add(self, order: PaperOrder) -> None:
        """Let an order rest: it joins at once if the book can be trusted."""
        line = self.lines.setdefault(order.market, Line())
        order_hash = order.terms.order_hash
        line.orders[order_hash] = order
        line.homes.setdefault(order.home, {})[order_hash] = order
        self._waiting[order.market] = None
        self.place()

    def remove(self, order: PaperOrder) -> None:
        """Take an order out."""
        line = self.lines.get(order.market)
        if line is None or line.orders.pop(order.terms.order_hash, None) is None:
            return
        at_home = line.homes[order.home]
        del at_home[order.terms.order_hash]
        if not at_home:
            del line.homes[order.home]
        if not line.orders:
            del self.lines[order.market]
            self._waiting.pop(order.market, None)

    def of(self, market: str) -> list[PaperOrder]:
        """List what rests in a market."""
        line = self.lines.get(market)
        return list(line.orders.values()) if line is not None else []

    def place(self) -> None:
        """Let whoever has no place join behind everything displayed, where that can be trusted."""
        for market in tuple(self._waiting):
            line = self.lines[market]
            self._check(market, line)
            stretch = self._stretch_of(market)
            if stretch is None:
                continue
            line.stretch = stretch
            seen_ms = self._seen_ms.get(market, 0)
            for order in line.orders.values():
                if order.averse is None:
                    order.join(self._displayed.shown_u6(market, order.home), seen_ms)
            del self._waiting[market]

    def check(self) -> None:
        """Notice gaps even where no event tells of them."""
        for market, line in self.lines.items():
            self._check(market, line)

    def _check(self, market: str, line: Line) -> None:
        """Take all places away if the book was doubted since they were taken."""
        if line.stretch is not None and self._stretch_of(market) != line.stretch:
            line.stretch = None
            for order in line.orders.values():
                order.lose_place()
            self._waiting[market] = None

    # --- what the market did ---------------------------------------------------------------------

    def on_delta(self, event: BookDelta) -> None:
        """Take changed levels."""
        market = event.market
        self._seen_ms[market] = event.venue_ms
        line = self.lines.get(market)
        if line is None and not self._displayed.has_taken(market):
            return
        if line is not None:
            self._check(market, line)
        for token, is_buy, px_u6, qty_u6, _, _ in event.changes:
            where = self._where.get(token)
            if where is None:
                continue
            home = home_of(where[1], Side.BUY if is_buy else Side.SELL, px_u6)
            self._displayed.refresh(market, home, qty_u6)
            at_home = line.homes.get(home) if line is not None else None
            if at_home is not None:
                for order in at_home.values():
                    order.level(qty_u6, event.venue_ms)

    def on_frame(self, event: BookFrame) -> None:
        """Take a whole book of a token."""
        market = event.market
        self._seen_ms[market] = event.venue_ms
        line = self.lines.get(market)
        where = self._where.get(event.token)
        if where is None or (line is None and not self._displayed.has_taken(market)):
            return
        levels = levels_of(event, where[1])
        self._displayed.refresh_all(market, levels)
        if line is None:
            return
        self._check(market, line)
        for order in line.orders.values():
            order.level(levels.get(order.home, 0), event.venue_ms)

    def on_trade(self, event: PublicTrade) -> None:
        """Let a print at an order's own price reach it; one at any other price does not.

        The side that the venue claims is near noise: the print counts for the bid or the ask at its
        price, whichever own order has stood there longest, and for nobody on the other side of it.
        """
        market = event.market
        line = self.lines.get(market)
        where = self._where.get(event.token)
        if line is None or where is None or not event.qty_u6:
            return
        self._check(market, line)
        home = (where[1], event.px_u6)
        mirror = (other(where[1]), U - event.px_u6)
        if home not in line.homes and mirror not in line.homes:
            return
        first = next(order.home for order in line.orders.values() if order.home in (home, mirror))
        mine = (0, 0)
        for order in tuple(line.homes[first].values()):
            averse_u6, likely_u6 = order.on_print(event.qty_u6, event.venue_ms, mine)
            mine = (mine[0] + averse_u6, mine[1] + likely_u6)
            if averse_u6 or likely_u6:
                self._filled(order, averse_u6, likely_u6)
