"""The state of one order, in the terms of its own token and of its book."""

from polytui.engine.core.enums import Side
from polytui.engine.core.units import U
from polytui.engine.sim.exchange.accounts import Account
from polytui.engine.sim.exchange.amounts import Sizing
from polytui.engine.sim.exchange.api import COLLATERAL, OrderRequest, OrderStatus, OrderView
from polytui.engine.sim.exchange.market import Market


class Order:
    """An accepted order; the lifecycle owns it."""

    __slots__ = (
        "account",
        "asset",
        "book_limit_u6",
        "book_px_u6",
        "budget_u6",
        "created_ns",
        "is_bid",
        "is_scoring",
        "is_yes",
        "left_u6",
        "market",
        "matched_u6",
        "px_u6",
        "qty_u6",
        "request",
        "reserve_u6",
        "status",
        "trade_ids",
    )

    def __init__(
        self, request: OrderRequest, sizing: Sizing, account: Account, market: Market, now_ns: int
    ) -> None:
        """Place the request in its book's terms: a NO buy at q is a YES sell at 1 - q (§5.3)."""
        self.request = request
        self.account = account
        self.market = market
        self.created_ns = now_ns
        self.is_yes = request.token == market.terms.tokens[0]
        self.is_bid = (request.side is Side.BUY) == self.is_yes
        self.px_u6 = sizing.px_u6
        self.qty_u6 = sizing.qty_u6
        self.budget_u6 = sizing.budget_u6
        self.book_px_u6 = sizing.px_u6 if self.is_yes else U - sizing.px_u6
        self.book_limit_u6 = sizing.limit_u6 if self.is_yes else U - sizing.limit_u6
        self.left_u6 = sizing.qty_u6
        self.matched_u6 = 0
        self.status = OrderStatus.LIVE
        self.asset = COLLATERAL if request.side is Side.BUY else request.token
        self.reserve_u6 = 0
        self.trade_ids: list[str] = []
        self.is_scoring = False

    @property
    def id(self) -> str:
        """The order's hash."""
        return self.request.order_id

    @property
    def is_buy(self) -> bool:
        """Tell whether it pays in pUSD."""
        return self.request.side is Side.BUY

    def resting_reserve_u6(self) -> int:
        """Return what it must be covered by while it rests: makers pay no fee."""
        return -(-self.px_u6 * self.left_u6 // U) if self.is_buy else self.left_u6

    def view(self) -> OrderView:
        """Show it to callers."""
        request, terms = self.request, self.market.terms
        return OrderView(
            order_id=request.order_id,
            account=request.account,
            owner=request.owner,
            condition=terms.condition,
            token=request.token,
            outcome=terms.outcomes[0 if self.is_yes else 1],
            side=request.side,
            px_u6=self.px_u6,
            qty_u6=self.qty_u6,
            matched_u6=self.matched_u6,
            order_type=request.order_type,
            expiration_s=request.expiration_s,
            created_ns=self.created_ns,
            status=self.status,
            trade_ids=tuple(self.trade_ids),
            is_scoring=self.is_scoring,
        )
