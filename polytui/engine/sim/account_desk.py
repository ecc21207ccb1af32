"""Answers the reads and on-chain moves of an account on the simulated exchange, at this instant."""

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any, Final

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
from polytui.engine.core.errors import OperatorError
from polytui.engine.core.order_enums import Realm, SendOutcome, VenueCode
from polytui.engine.core.trading import CASH, Balance, HeldPosition
from polytui.engine.core.units import U
from polytui.engine.sim.account_views import code_of, venue_order, venue_trade
from polytui.engine.sim.exchange.exchange import Exchange
from polytui.engine.sim.faults import Switches

MS: Final = 1_000_000
LIMITLESS: Final = 1 << 62


class AccountDesk:
    """One account's view of the exchange."""

    def __init__(
        self,
        exchange: Exchange,
        *,
        account: str,
        owner: str,
        switches: Callable[[], Switches],
        realm: Realm,
    ) -> None:
        """Speak for an account and its API key."""
        self._exchange = exchange
        self._account = account
        self._owner = owner
        self._switches = switches
        self._realm = realm
        self._answers: Mapping[type[PortCommand], Callable[[Any, int], AccountEvent]] = {
            ReadOrder: self._read_order,
            ReadOpenOrders: self._read_open,
            ReadTrades: self._read_trades,
            ReadBalances: self._read_balances,
            ReadPositions: self._read_positions,
            ReadClock: self._read_clock,
            SendHeartbeat: self._beat_venue,
            MovePairs: self._move_pairs,
        }

    def answer(self, command: PortCommand, asked_ns: int) -> AccountEvent:
        """Answer a request that was asked at a time and arrives now."""
        return self._answers[type(command)](command, asked_ns)

    def _read_order(self, command: ReadOrder, _asked_ns: int) -> AccountEvent:
        order = self._exchange.order(command.order_hash)
        mine = order is not None and order.owner == self._owner
        return OrderRead(
            realm=self._realm,
            order_hash=command.order_hash,
            ok=True,
            order=venue_order(order) if order is not None and mine else None,
        )

    def _read_open(self, command: ReadOpenOrders, asked_ns: int) -> AccountEvent:
        orders = self._exchange.open_orders(owner=self._owner)
        return OpenOrdersRead(
            realm=self._realm,
            request=command.request,
            asked_ns=asked_ns,
            ok=True,
            orders=tuple(venue_order(order) for order in orders),
        )

    def _read_trades(self, command: ReadTrades, asked_ns: int) -> AccountEvent:
        trades = self._exchange.trades(
            owner=self._owner,
            trade_id=command.trade_id,
            after_s=command.after_s or None,
        )
        return TradesRead(
            realm=self._realm,
            request=command.request,
            asked_ns=asked_ns,
            ok=True,
            after_s=command.after_s,
            trade_id=command.trade_id,
            trades=tuple(venue_trade(trade, reader=self._owner) for trade in trades),
        )

    def _read_balances(self, command: ReadBalances, asked_ns: int) -> AccountEvent:
        exchange, account = self._exchange, self._account
        if command.refresh:
            exchange.refresh_balance_cache(account)
        rows = tuple(
            Balance(asset=asset, qty_u6=exchange.balance(account, asset).balance_u6)
            for asset in (CASH, *command.tokens)
        )
        return BalancesRead(
            realm=self._realm,
            request=command.request,
            asked_ns=asked_ns,
            ok=True,
            balances=rows,
            allowance_u6=LIMITLESS,
        )

    def _read_positions(self, command: ReadPositions, asked_ns: int) -> AccountEvent:
        rows = tuple(
            HeldPosition(
                market=held.condition,
                token=held.token,
                qty_u6=held.qty_u6,
                avg_px_u6=held.cost_u6 * U // held.qty_u6,
                redeemable=held.redeemable_u6 > 0,
            )
            for held in self._exchange.positions(self._account)
            if held.qty_u6
        )
        return PositionsRead(
            realm=self._realm,
            request=command.request,
            asked_ns=asked_ns,
            ok=True,
            positions=rows,
        )

    def _read_clock(self, _command: ReadClock, asked_ns: int) -> AccountEvent:
        skew_ns = self._switches().clock_skew_ms * MS
        rtt_ns = self._exchange.now_ns - asked_ns
        return ClockRead(realm=self._realm, ok=True, offset_ns=skew_ns, rtt_ns=rtt_ns)

    def _beat_venue(self, command: SendHeartbeat, _asked_ns: int) -> AccountEvent:
        result = self._exchange.heartbeat(self._owner, command.heartbeat_id)
        code = VenueCode.NONE if result.error is None else code_of(result.error)
        return HeartbeatAnswered(
            realm=self._realm,
            ok=result.error is None,
            heartbeat_id=result.heartbeat_id,
            code=code,
        )

    def _move_pairs(self, command: MovePairs, _asked_ns: int) -> AccountEvent:
        exchange, account, market = self._exchange, self._account, command.market
        moved = partial(
            PairsMoved,
            realm=self._realm,
            request=command.request,
            op=command.op,
            market=market,
            qty_u6=command.qty_u6,
        )
        try:
            if command.op == "redeem":
                return moved(outcome=SendOutcome.ACCEPTED, paid_u6=exchange.redeem(account, market))
            act = exchange.split if command.op == "split" else exchange.merge
            act(account, market, command.qty_u6)
        except OperatorError as error:
            return moved(outcome=SendOutcome.REFUSED, why=str(error)[:80])
        return moved(outcome=SendOutcome.ACCEPTED)
