"""From a match to money: a trade is owed for until it is confirmed or fails; only the first pays.

Trades of an earlier run that were not final settle in this one.
"""

from collections import deque
from collections.abc import Iterator
from functools import partial
from typing import Final

from msgspec.structs import replace

from polytui.engine.core.account_events import AccountRestored, UserTrade
from polytui.engine.core.enums import Side
from polytui.engine.core.order_enums import Applied, Realm, TradeStatus
from polytui.engine.core.rng import Rng
from polytui.engine.core.trading import CASH, FillChange, MakerPart, VenueTrade
from polytui.engine.sim.paper.delays import MS, Delays, Leg
from polytui.engine.sim.paper.post import CONN, Post
from polytui.engine.sim.paper.purse import Purse
from polytui.engine.sim.paper.report import Tally
from polytui.engine.sim.paper.resting import PaperOrder
from polytui.engine.sim.population.calendar import Calendar

SECOND_NS: Final = 1_000_000_000
STRANGER: Final = "0x" + "00" * 32
"""The other side of every paper trade."""
SETTLED_MAX: Final = 20_000
"""Settled trades remembered."""
_PENDING: Final = (Applied.PROVISIONAL, Applied.STALLED)


class Settlement:
    """The trades of one account."""

    __slots__ = (
        "_delays",
        "_failed_share",
        "_fates",
        "_post",
        "_purse",
        "_settled",
        "_tally",
        "_tasks",
        "trades",
    )

    def __init__(
        self,
        purse: Purse,
        *,
        tasks: Calendar,
        post: Post,
        delays: Delays,
        fates: Rng,
        failed_share: float,
        tally: Tally,
    ) -> None:
        """Settle into a purse."""
        self._purse = purse
        self._tasks = tasks
        self._post = post
        self._delays = delays
        self._fates = fates
        self._failed_share = failed_share
        self._tally = tally
        self._settled: deque[str] = deque()
        self.trades: dict[str, VenueTrade] = {}

    def match(
        self, order: PaperOrder, px_u6: int, qty_u6: int, *, paid_u6: int, fee_u6: int, maker: bool
    ) -> str:
        """Make a trade of a match; return its id."""
        terms = order.terms
        part = MakerPart(
            order_hash=terms.order_hash if maker else STRANGER,
            maker=terms.maker if maker else "",
            token=terms.token,
            side=terms.side,
            px_u6=px_u6,
            qty_u6=qty_u6,
        )
        trade = VenueTrade(
            trade_id=f"paper-{terms.order_hash[2:18]}-{order.fills}",
            market=order.market,
            taker_hash=STRANGER if maker else terms.order_hash,
            token=terms.token,
            side=terms.side,
            px_u6=px_u6,
            qty_u6=qty_u6,
            status=TradeStatus.MATCHED,
            matched_s=self._tasks.now_ns // SECOND_NS,
            tx_hash="",
            is_taker=not maker,
            makers=(part,),
        )
        self._show(trade)
        self._promise(trade, paid_u6, fee_u6)
        return trade.trade_id

    def adopt(self, restored: AccountRestored) -> None:
        """Settle in this run what an earlier one left pending."""
        for trade, change in _pending(restored):
            self.trades[trade.trade_id] = trade
            self._promise(trade, change.cash_u6, change.fee_u6)

    def _show(self, trade: VenueTrade) -> None:
        self.trades[trade.trade_id] = trade
        venue_ms = self._tasks.now_ns // MS
        told = UserTrade(realm=Realm.PAPER, conn=CONN, trade=trade, venue_ms=venue_ms)
        self._post.stream(told, f"{trade.trade_id}:{trade.status.value}")

    def _promise(self, trade: VenueTrade, paid_u6: int, fee_u6: int) -> None:
        """Owe for a match until it settles."""
        is_buy = trade.side is Side.BUY
        owed = (CASH, paid_u6 + fee_u6) if is_buy else (trade.token, trade.qty_u6)
        self._purse.owe(*owed)
        due_ns = self._tasks.now_ns + self._delays.draw_ns(Leg.SETTLE, trade.trade_id)
        self._tasks.at(due_ns, partial(self._settle, trade, owed, paid_u6, fee_u6))

    def _settle(
        self, trade: VenueTrade, owed: tuple[str, int], paid_u6: int, fee_u6: int, _at_ns: int
    ) -> None:
        """Confirm or fail a trade."""
        asset, owed_u6 = owed
        has_failed = self._fates.fork(trade.trade_id).chance(self._failed_share)
        self._purse.owe(asset, -owed_u6)
        if has_failed:
            self._tally.failed += 1
        else:
            self._tally.confirmed += 1
            sign = 1 if trade.side is Side.BUY else -1
            self._purse.move(trade.token, sign * trade.qty_u6)
            self._purse.move(CASH, -sign * paid_u6 - fee_u6)
        status = TradeStatus.FAILED if has_failed else TradeStatus.CONFIRMED
        self._show(replace(trade, status=status, tx_hash=f"0x{trade.trade_id}"))
        self._settled.append(trade.trade_id)
        if len(self._settled) > SETTLED_MAX:
            self.trades.pop(self._settled.popleft(), None)


def _pending(restored: AccountRestored) -> Iterator[tuple[VenueTrade, FillChange]]:
    """Write the pending trades of the books as the venue would still show them."""
    for record in restored.trades:
        if record.applied not in _PENDING:
            continue
        change = record.change
        part = MakerPart(
            order_hash=change.order_hash if change.is_maker else STRANGER,
            maker="",
            token=change.token,
            side=change.side,
            px_u6=change.px_u6,
            qty_u6=change.qty_u6,
        )
        trade = VenueTrade(
            trade_id=record.trade_id,
            market=change.market,
            taker_hash=STRANGER if change.is_maker else change.order_hash,
            token=change.token,
            side=change.side,
            px_u6=change.px_u6,
            qty_u6=change.qty_u6,
            status=TradeStatus.MATCHED,
            matched_s=record.first_ns // SECOND_NS,
            tx_hash=record.tx_hash,
            is_taker=not change.is_maker,
            makers=(part,),
        )
        yield trade, change
