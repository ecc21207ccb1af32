"""The obvious matching engine: one list of orders, searched from end to end, exact fractions.

It knows the rules of §5.3 and §5.4 and nothing else: no delays, no balances to run out of.
"""

from fractions import Fraction
from math import ceil, floor

from polytui.engine.core.enums import Side
from polytui.engine.core.order_enums import OrderType
from polytui.engine.core.units import U
from polytui.engine.sim.exchange.api import COLLATERAL, OrderRequest

DUST = 10_000


class Resting:
    """An order in the list, all in YES terms."""

    def __init__(self, request: OrderRequest, left: int, price: Fraction, *, is_bid: bool) -> None:
        self.request, self.left, self.price, self.is_bid = request, left, price, is_bid


class Naive:
    """One market with tokens YES and NO, no fees, settled at once."""

    def __init__(self, yes: str) -> None:
        self.yes = yes
        self.orders: list[Resting] = []
        self.moved: dict[tuple[str, str], int] = {}

    def place(self, request: OrderRequest) -> tuple[str, int, int]:
        """Return (what became of it, shares matched, dollars matched)."""
        is_buy, is_yes = request.side is Side.BUY, request.token == self.yes
        amounts = (request.maker_amount_u6, request.taker_amount_u6)
        dollars, shares = amounts if is_buy else amounts[::-1]
        own = Fraction(dollars, shares)
        price, is_bid = (own if is_yes else 1 - own), is_buy == is_yes
        is_market = request.order_type in (OrderType.FAK, OrderType.FOK)
        budget = Fraction(dollars) if is_market and is_buy else None
        fills, left = self._walk(request, price, Fraction(shares), budget, is_bid=is_bid)
        if request.post_only and fills:
            return "post_only_cross", 0, 0
        got = sum(qty for _, qty, _ in fills)
        is_full = left == 0 or (budget is not None and got >= shares)
        if request.order_type is OrderType.FOK and not is_full:
            return "fok_killed", 0, 0
        if request.order_type is OrderType.FAK and not fills:
            return "fak_killed", 0, 0
        for maker, qty, cash in fills:
            self._settle(request, maker, qty, cash)
        if not is_market and left >= DUST:
            self.orders.append(Resting(request, int(left), price, is_bid=is_bid))
        return ("matched" if fills else "live"), got, sum(cash for _, _, cash in fills)

    def _walk(
        self,
        request: OrderRequest,
        limit: Fraction,
        shares: Fraction,
        budget: Fraction | None,
        *,
        is_bid: bool,
    ) -> tuple[list[tuple[Resting, int, int]], Fraction]:
        """Meet the other side, best price first, then oldest; return fills and shares wanted."""
        fills: list[tuple[Resting, int, int]] = []
        others = [o for o in self.orders if o.is_bid != is_bid]
        for maker in sorted(others, key=lambda o: o.price if is_bid else -o.price):
            if maker.price > limit if is_bid else maker.price < limit:
                break
            price = maker.price if request.token == self.yes else 1 - maker.price
            wanted = shares if budget is None else Fraction(floor(budget / price))
            qty = int(min(wanted, Fraction(maker.left)))
            if qty:
                cash = ceil(price * qty) if request.side is Side.BUY else floor(price * qty)
                fills.append((maker, qty, cash))
                if budget is None:
                    shares -= qty
                else:
                    budget -= cash
            if qty == wanted:
                return fills, Fraction(0)
        own_limit = limit if request.token == self.yes else 1 - limit
        return fills, (shares if budget is None else budget / own_limit)

    def _settle(self, taker: OrderRequest, maker: Resting, qty: int, cash: int) -> None:
        maker.left -= qty
        if maker.left < DUST:
            self.orders.remove(maker)
        other = cash if maker.request.token == taker.token else qty - cash
        for request, dollars in ((taker, cash), (maker.request, other)):
            sign = 1 if request.side is Side.BUY else -1
            self._move(request.account, request.token, sign * qty)
            self._move(request.account, COLLATERAL, -sign * dollars)

    def _move(self, account: str, asset: str, change: int) -> None:
        self.moved[account, asset] = self.moved.get((account, asset), 0) + change

    def cancel(self, order_id: str) -> bool:
        """Take an order out."""
        found = [o for o in self.orders if o.request.order_id == order_id]
        for order in found:
            self.orders.remove(order)
        return bool(found)

    def book(self) -> tuple[dict[int, int], dict[int, int]]:
        """Return bids and asks."""
        sides: tuple[dict[int, int], dict[int, int]] = ({}, {})
        for order in self.orders:
            side = sides[0 if order.is_bid else 1]
            price = int(order.price * U)
            side[price] = side.get(price, 0) + order.left
        return sides
