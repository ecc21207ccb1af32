"""Somebody who only listens: rebuilds balances, books and orders from emissions alone.

What it rebuilds must equal what the exchange answers, and everything it hears must be legal: that
proves both the bookkeeping and that the emissions are complete.
"""

from polytui.engine.core.enums import Side
from polytui.engine.core.units import U
from polytui.engine.sim.exchange.api import COLLATERAL, OrderStatus, TradeStatus, TradeView
from polytui.engine.sim.exchange.emissions import (
    BalanceMoved,
    BookChanged,
    Emission,
    MarketResolved,
    OrderCanceled,
    OrderFilled,
    OrderPlaced,
    TradeUpdate,
)
from polytui.engine.sim.exchange.exchange import Exchange
from polytui.engine.sim.exchange.terms import Resolution

NEXT = {
    TradeStatus.MATCHED: {TradeStatus.MINED, TradeStatus.RETRYING, TradeStatus.FAILED},
    TradeStatus.RETRYING: {TradeStatus.MINED, TradeStatus.RETRYING, TradeStatus.FAILED},
    TradeStatus.MINED: {TradeStatus.CONFIRMED},
}
"""Steps a trade may take; CONFIRMED and FAILED absorb."""


class Outside:
    """A listener with a notebook."""

    def __init__(self) -> None:
        self.balances: dict[tuple[str, str], int] = {}
        self.levels: dict[str, dict[tuple[bool, int], int]] = {}
        self.orders: dict[str, OrderStatus] = {}
        self.matched: dict[str, int] = {}
        self.trades: dict[str, TradeView] = {}
        self.resolved: dict[str, Resolution] = {}
        self.fees_u6 = 0
        self.at_ns = 0

    def hear(self, emissions: tuple[Emission, ...]) -> None:
        """Take notes."""
        for emission in emissions:
            assert emission.at_ns >= self.at_ns
            self.at_ns = emission.at_ns
            match emission:
                case BalanceMoved(account=account, moves=moves):
                    for asset, change in moves:
                        self._move(account, asset, change)
                case BookChanged():
                    self._hear_book(emission)
                case (
                    OrderPlaced(order=order) | OrderFilled(order=order) | OrderCanceled(order=order)
                ):
                    self._hear_order(emission, order.order_id, order.status)
                    self.matched[order.order_id] = order.matched_u6
                case TradeUpdate(trade=trade):
                    self._hear_trade(trade)
                case MarketResolved(condition=condition, resolution=resolution):
                    assert not any(self.levels.pop(condition, {}).values())
                    self.resolved[condition] = resolution
                case _:
                    pass

    def _move(self, account: str, asset: str, change: int) -> None:
        key = account, asset
        self.balances[key] = self.balances.get(key, 0) + change

    def _hear_book(self, emission: BookChanged) -> None:
        assert emission.condition not in self.resolved
        book = self.levels.setdefault(emission.condition, {})
        for is_bid, px_u6, qty_u6 in emission.levels:
            book[is_bid, px_u6] = qty_u6
        bids = [px for (is_bid, px), qty in book.items() if is_bid and qty]
        asks = [px for (is_bid, px), qty in book.items() if not is_bid and qty]
        assert (emission.bid_u6, emission.ask_u6) == (max(bids, default=0), min(asks, default=U))
        assert emission.bid_u6 < emission.ask_u6

    def _hear_order(self, emission: Emission, order_id: str, status: OrderStatus) -> None:
        before = self.orders.get(order_id)
        if isinstance(emission, OrderCanceled):
            killed = before is None or before is OrderStatus.MATCHED
            assert before in (OrderStatus.LIVE, OrderStatus.DELAYED) or killed
        elif before is not None:
            assert before in (OrderStatus.LIVE, OrderStatus.DELAYED, status)
        self.orders[order_id] = status

    def _hear_trade(self, trade: TradeView) -> None:
        before = self.trades.get(trade.trade_id)
        if before is None:
            assert trade.status is TradeStatus.MATCHED
            assert not trade.tx_hash
        else:
            assert trade.status in NEXT[before.status]
            assert (trade.tx_hash == before.tx_hash) == (trade.status is TradeStatus.CONFIRMED)
        self.trades[trade.trade_id] = trade
        if trade.status is TradeStatus.CONFIRMED:
            self._book(trade)

    def _book(self, trade: TradeView) -> None:
        self._exchange(trade.account, trade.token, trade.side, trade.qty_u6, trade.cash_u6)
        self._move(trade.account, COLLATERAL, -trade.fee_u6)
        self.fees_u6 += trade.fee_u6
        for maker in trade.makers:
            self._exchange(maker.account, maker.token, maker.side, maker.qty_u6, maker.cash_u6)

    def _exchange(self, account: str, token: str, side: Side, qty_u6: int, cash_u6: int) -> None:
        sign = 1 if side is Side.BUY else -1
        self._move(account, token, sign * qty_u6)
        self._move(account, COLLATERAL, -sign * cash_u6)

    def compare(self, exchange: Exchange) -> None:
        """Check the notebook against the exchange's answers."""
        for (account, asset), amount_u6 in self.balances.items():
            assert exchange.balance(account, asset).balance_u6 == amount_u6, (account, asset)
        for condition, levels in self.levels.items():
            view = exchange.book(condition)
            assert view is not None
            heard = {key: qty for key, qty in levels.items() if qty}
            shown = {(True, px): qty for px, qty in view.bids}
            assert heard == {**shown, **{(False, px): qty for px, qty in view.asks}}
        live = {order.order_id: order.status for order in exchange.open_orders()}
        active = (OrderStatus.LIVE, OrderStatus.DELAYED)
        assert live == {k: status for k, status in self.orders.items() if status in active}
        for order in exchange.open_orders():
            assert order.matched_u6 == self.matched[order.order_id]
