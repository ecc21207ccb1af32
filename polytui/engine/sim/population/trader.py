"""One participant's hands: an account at the exchange, its open orders, and exact amounts.

Participants act through the exchange's public requests only. Ids are minted from the account's name
and a counter, so the same run mints the same ones.
"""

from collections.abc import Iterable
from hashlib import sha256

from msgspec import Struct

from polytui.engine.core.enums import Side
from polytui.engine.core.order_enums import OrderType
from polytui.engine.core.units import U
from polytui.engine.sim.exchange.api import OrderRequest, OrderStatus, OrderView, PlaceResult
from polytui.engine.sim.exchange.exchange import Exchange

CENT_U6 = 10_000
"""Sizes and budgets have two decimals (`venue/polymarket.md` §5.2)."""
TAKEN_STEP_U6 = 100
"""What a FAK gets is stated with four decimals."""
BATCH = 15


class Resting(Struct, kw_only=True, gc=False):
    """One of our open bids."""

    token: str
    px_u6: int
    left_u6: int


class Trader:
    """An account, and the bids it has open, by market."""

    __slots__ = ("_exchange", "_minted", "_prefix", "account", "name", "open", "owner")

    def __init__(self, name: str, exchange: Exchange, *, cash_u6: int) -> None:
        """Open the account, with all approvals, and fund it."""
        digest = sha256(f"participant:{name}".encode()).hexdigest()
        self.name = name
        self.account = f"0x{digest[:40]}"
        self.owner = (
            f"{digest[:8]}-{digest[8:12]}-4{digest[13:16]}-8{digest[17:20]}-{digest[20:32]}"
        )
        self._exchange = exchange
        self._prefix = f"0x{digest[32:64]}"
        self._minted = 0
        self.open: dict[str, dict[str, Resting]] = {}
        """By condition id, then by order id."""
        exchange.open_account(self.account)
        exchange.deposit(self.account, cash_u6)

    # --- resting ---------------------------------------------------------------------------------

    def bid(self, condition: str, bids: Iterable[tuple[str, int, int]]) -> None:
        """Rest post-only bids: (token, price on the grid, size in cents of a share)."""
        requests = [
            self._limit(token, px_u6, qty_u6) for token, px_u6, qty_u6 in bids if qty_u6 > 0
        ]
        ours = self.open.setdefault(condition, {})
        for at in range(0, len(requests), BATCH):
            batch = requests[at : at + BATCH]
            results = self._exchange.place_batch(batch).results
            for request, result in zip(batch, results, strict=False):
                if result.is_success:
                    px_u6 = request.maker_amount_u6 * U // request.taker_amount_u6
                    ours[request.order_id] = Resting(
                        token=request.token, px_u6=px_u6, left_u6=request.taker_amount_u6
                    )

    def pull(self, condition: str, order_ids: list[str]) -> None:
        """Cancel some of our bids; what cannot be cancelled is gone or going."""
        if order_ids:
            ours = self.open[condition]
            for order_id in self._exchange.cancel(self.owner, order_ids).canceled:
                ours.pop(order_id, None)

    def pull_all(self, condition: str) -> None:
        """Cancel all our bids in a market."""
        self.pull(condition, list(self.open.get(condition, ())))

    def note(self, order: OrderView) -> int:
        """Hear of one of our orders; return how many shares of it were filled since the last time.

        Orders that never rested are not kept and count nothing.
        """
        ours = self.open.get(order.condition)
        resting = None if ours is None else ours.get(order.order_id)
        if ours is None or resting is None:
            return 0
        left_u6 = max(0, order.qty_u6 - order.matched_u6)
        filled_u6 = resting.left_u6 - left_u6
        resting.left_u6 = left_u6
        if order.status is not OrderStatus.LIVE or not left_u6:
            del ours[order.order_id]
        return filled_u6

    def forget(self, condition: str) -> None:
        """Drop what we know of a market that is gone."""
        self.open.pop(condition, None)

    # --- taking ----------------------------------------------------------------------------------

    def take(
        self,
        token: str,
        *,
        limit_u6: int,
        cash_u6: int,
        order_type: OrderType = OrderType.FAK,
    ) -> PlaceResult:
        """Buy at once for a budget, at the limit or better."""
        budget_u6 = cash_u6 // CENT_U6 * CENT_U6
        shares_u6 = budget_u6 * U // limit_u6 // TAKEN_STEP_U6 * TAKEN_STEP_U6
        return self._send(token, Side.BUY, budget_u6, shares_u6, order_type)

    def sell(self, token: str, *, limit_u6: int, qty_u6: int) -> PlaceResult:
        """Sell at once, at the limit or better, what is held."""
        shares_u6 = qty_u6 // CENT_U6 * CENT_U6
        cash_u6 = shares_u6 * limit_u6 // U // TAKEN_STEP_U6 * TAKEN_STEP_U6
        return self._send(token, Side.SELL, shares_u6, cash_u6, OrderType.FAK)

    def free_u6(self, asset: str) -> int:
        """Return what of an asset could be given away now."""
        return self._exchange.balance(self.account, asset).free_u6

    def _send(
        self, token: str, side: Side, making_u6: int, taking_u6: int, order_type: OrderType
    ) -> PlaceResult:
        request = OrderRequest(
            order_id=self._mint(),
            account=self.account,
            owner=self.owner,
            token=token,
            side=side,
            maker_amount_u6=making_u6,
            taker_amount_u6=taking_u6,
            order_type=order_type,
        )
        return self._exchange.place(request)

    def _limit(self, token: str, px_u6: int, qty_u6: int) -> OrderRequest:
        return OrderRequest(
            order_id=self._mint(),
            account=self.account,
            owner=self.owner,
            token=token,
            side=Side.BUY,
            maker_amount_u6=px_u6 * qty_u6 // U,
            taker_amount_u6=qty_u6,
            post_only=True,
        )

    def _mint(self) -> str:
        self._minted += 1
        return f"{self._prefix}{self._minted:032x}"
