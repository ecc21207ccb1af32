"""Work for a stopwatch: whole lives of orders and trades, counted in events folded."""

from polytui.engine.core.order_enums import OrderState, Realm, TradeStatus
from tests.engine.orders.desk import BUY, GTC, Desk

EVENTS_A_LIFE = 10
"""Three stages, the answer, a placement, an update, three steps of a trade, a row of a sweep."""


class Exercise:
    """Lives prepared outside the stopwatch, then lived event by event."""

    def __init__(self, count: int) -> None:
        """Draft and approve, and write all messages."""
        self.desk = Desk()
        self.lives = []
        for n in range(count):
            order = self.desk.draft(BUY, "0.5", "10", GTC)
            self.desk.orders.approve(order, **self.desk.stamp)
            trades = [
                self.desk.venue_trade(order, "10", status, f"t{n}", is_taker=False)
                for status in (TradeStatus.MATCHED, TradeStatus.MINED, TradeStatus.CONFIRMED)
            ]
            self.lives.append((order, trades))
        self.desk.orders.drain()

    def run(self) -> int:
        """Live all lives, records drained at each event as the account does; count the events."""
        desk = self.desk
        for order, trades in self.lives:
            for stage in (OrderState.JOURNALLED, OrderState.SIGNED, OrderState.SENT):
                desk.stage(order, stage)
                self._drain()
            desk.answer(order)
            self._drain()
            desk.user(order, event="PLACEMENT")
            self._drain()
            desk.row(order)
            self._drain()
            for trade in trades:
                desk.fold(trade)
                self._drain()
            desk.user(order, "MATCHED", matched="10")
            self._drain()
            desk.at_ns += 1_000_000
            desk.due()
        desk.booked.clear()
        return len(self.lives) * EVENTS_A_LIFE

    def _drain(self) -> None:
        for order in self.desk.orders.drain():
            order.record(Realm.LIVE)
        self.desk.trades.drain()
