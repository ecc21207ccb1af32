"""Answers the paper account's reads and on-chain moves."""

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, Final

from polytui.engine.core.account_events import (
    AccountEvent,
    BalancesRead,
    ClockRead,
    HeartbeatAnswered,
    OpenOrdersRead,
    OrderRead,
    PairsMoved,
    PositionsRead,
    TradesRead,
)
from polytui.engine.core.commands import (
    MovePairs,
    PortCommand,
    ReadBalances,
    ReadClock,
    ReadOpenOrders,
    ReadOrder,
    ReadPositions,
    ReadTrades,
    SendHeartbeat,
)
from polytui.engine.core.order_enums import Realm, SendOutcome
from polytui.engine.core.trading import CASH, Balance, HeldPosition

if TYPE_CHECKING:
    from polytui.engine.sim.paper.venue import PaperVenue

PAPER: Final = Realm.PAPER
LIMITLESS: Final = 1 << 62


class PaperDesk:
    """The venue's answers about one account."""

    def __init__(self, venue: "PaperVenue") -> None:
        """Speak for a venue."""
        self._venue = venue
        self._winners: dict[str, str] = {}
        self._answers: Mapping[type[PortCommand], Callable[[Any], AccountEvent]] = {
            ReadOrder: self._read_order,
            ReadOpenOrders: self._read_open,
            ReadTrades: self._read_trades,
            ReadBalances: self._read_balances,
            ReadPositions: self._read_positions,
            ReadClock: lambda _command: ClockRead(realm=PAPER, ok=True),
            SendHeartbeat: lambda _command: HeartbeatAnswered(
                realm=PAPER, ok=True, heartbeat_id="paper"
            ),
            MovePairs: self._move,
        }

    def answer(self, command: PortCommand) -> AccountEvent:
        """Answer a read or a move."""
        return self._answers[type(command)](command)

    def resolve(self, market: str, winner: str) -> None:
        """Remember which token pays."""
        self._winners[market] = winner

    def is_resolved(self, market: str) -> bool:
        """Tell whether a market has ended."""
        return market in self._winners

    def _read_order(self, command: ReadOrder) -> AccountEvent:
        order = self._venue.orders.get(command.order_hash)
        shown = order.view() if order is not None and order.is_open else None
        return OrderRead(realm=PAPER, order_hash=command.order_hash, ok=True, order=shown)

    def _read_open(self, command: ReadOpenOrders) -> AccountEvent:
        venue = self._venue
        return OpenOrdersRead(
            realm=PAPER,
            request=command.request,
            asked_ns=venue.now_ns,
            ok=True,
            orders=tuple(order.view() for order in venue.orders.values() if order.is_open),
        )

    def _read_trades(self, command: ReadTrades) -> AccountEvent:
        venue = self._venue
        wanted = tuple(
            trade
            for trade in venue.trades.values()
            if command.trade_id in ("", trade.trade_id) and trade.matched_s >= command.after_s
        )
        return TradesRead(
            realm=PAPER,
            request=command.request,
            asked_ns=venue.now_ns,
            ok=True,
            after_s=command.after_s,
            trade_id=command.trade_id,
            trades=wanted,
        )

    def _read_balances(self, command: ReadBalances) -> AccountEvent:
        venue = self._venue
        return BalancesRead(
            realm=PAPER,
            request=command.request,
            asked_ns=venue.now_ns,
            ok=True,
            balances=tuple(
                Balance(asset=asset, qty_u6=venue.purse.balances.get(asset, 0))
                for asset in (CASH, *command.tokens)
            ),
            allowance_u6=LIMITLESS,
        )

    def _read_positions(self, command: ReadPositions) -> AccountEvent:
        venue = self._venue
        rows = []
        for asset, qty_u6 in venue.purse.balances.items():
            where = venue.where(asset)
            if where is not None and qty_u6 > 0:
                market = where[0]
                rows.append(
                    HeldPosition(
                        market=market,
                        token=asset,
                        qty_u6=qty_u6,
                        avg_px_u6=0,
                        redeemable=market in self._winners,
                    )
                )
        return PositionsRead(
            realm=PAPER,
            request=command.request,
            asked_ns=venue.now_ns,
            ok=True,
            positions=tuple(rows),
        )

    def _move(self, command: MovePairs) -> AccountEvent:
        """Split, merge or redeem at once; what is not there is refused."""
        venue, purse = self._venue, self._venue.purse
        tokens = venue.tokens_of(command.market)
        qty_u6, paid_u6, why = command.qty_u6, 0, ""
        if tokens is None:
            why = "unknown market"
        elif command.op == "split" and purse.free_u6(CASH) >= qty_u6:
            purse.move(CASH, -qty_u6)
            for token in tokens:
                purse.move(token, qty_u6)
        elif command.op == "merge" and all(purse.free_u6(token) >= qty_u6 for token in tokens):
            purse.move(CASH, qty_u6)
            for token in tokens:
                purse.move(token, -qty_u6)
        elif command.op == "redeem" and command.market in self._winners:
            paid_u6 = self._redeem(command.market, tokens)
        else:
            why = f"cannot {command.op}"
        return PairsMoved(
            realm=PAPER,
            request=command.request,
            outcome=SendOutcome.REFUSED if why else SendOutcome.ACCEPTED,
            op=command.op,
            market=command.market,
            qty_u6=qty_u6,
            paid_u6=paid_u6,
            why=why,
        )

    def _redeem(self, market: str, tokens: tuple[str, str]) -> int:
        """Burn all that is confirmed and not owed to unsettled sales; the winner pays a dollar."""
        purse = self._venue.purse
        paid_u6 = purse.unowed_u6(self._winners[market])
        for token in tokens:
            purse.move(token, -purse.unowed_u6(token))
        purse.move(CASH, paid_u6)
        return paid_u6
