"""Assets that the venue refuses for want of balance although our books say that enough is free.

The venue may count matched orders that are long over, or a balance it read too long ago (venue
reference §10, "phantom balance lock"). It shows no such lock; only its refusals do. A refusal that
our own numbers contradict opens a line of the report, has the balances read anew with the venue's
cache refreshed, and keeps new entries off the asset. Evidence ends it: an order of at least that
size was taken; a read shows that the asset is short indeed; or, `AGAIN_NS` after the last refusal,
a read shows all of it there, and the next order tries.
"""

from typing import Final

from msgspec import Struct

from polytui.engine.core.account_events import BalancesRead, OrderAnswered
from polytui.engine.core.enums import Side
from polytui.engine.core.order_enums import (
    Anomaly,
    Control,
    OrderState,
    SendOutcome,
    VenueCode,
)
from polytui.engine.core.trading import CASH, Draft, Refusal
from polytui.engine.core.units import text_u6
from polytui.engine.orders.asking import S
from polytui.engine.orders.difference import Line, Report
from polytui.engine.orders.lifecycle import Order
from polytui.engine.orders.manager import Orders
from polytui.engine.portfolio.portfolio import Portfolio
from polytui.engine.portfolio.settlement import phantom_lock

AGAIN_NS: Final = 30 * S
"""No entry asks for the asset again before this: a refusal costs places and feeds breakers."""


class Lock(Struct, frozen=True, gc=False):
    """One asset that the venue held back."""

    needed_u6: int
    """Of the last order that was refused."""
    at_ns: int
    """When that was."""


class Locks:
    """The locks of one realm; their lines stand in its report."""

    __slots__ = ("_allowance_u6", "_held", "_report")

    def __init__(self, report: Report) -> None:
        """Start with nothing held back."""
        self._report = report
        self._held: dict[str, Lock] = {}
        self._allowance_u6: int | None = None
        """As last read; None: never."""

    def answered(
        self, event: OrderAnswered, orders: Orders, portfolio: Portfolio, at_ns: int
    ) -> bool:
        """Take the answer to an order, folded already; tell whether a lock was found."""
        order = orders.by_hash.get(event.order_hash) or orders.by_cid.get(event.cid)
        if order is None:
            return False
        asset = asset_of(order.draft)
        if event.outcome is SendOutcome.ACCEPTED:
            lock = self._held.get(asset)
            if lock is not None and order.needed_u6 >= lock.needed_u6:
                self._end(asset, f"order {order.cid} was taken", at_ns)
            return False
        is_refused = event.code is VenueCode.BALANCE and order.state is OrderState.REFUSED
        if not is_refused:
            return False
        return self._judge(order, event.text, self._free_u6(order, orders, portfolio), at_ns)

    def _free_u6(self, order: Order, orders: Orders, portfolio: Portfolio) -> int:
        """Return what our books say was there for the order."""
        token = order.draft.token
        if order.draft.side is Side.SELL:
            return portfolio.sell_capacity_u6(token, orders.reserved_qty_u6(token))
        free_u6 = portfolio.free_cash_u6(orders.reserved_cash_u6)
        return free_u6 if self._allowance_u6 is None else min(free_u6, self._allowance_u6)

    def _judge(self, order: Order, text: str, ours_u6: int, at_ns: int) -> bool:
        asset, needed_u6 = asset_of(order.draft), order.needed_u6
        found = phantom_lock(asset, needed_u6=needed_u6, ours_u6=ours_u6)
        if found is None:
            return False
        self._held[asset] = Lock(needed_u6, at_ns)
        self._report.note(
            Line(
                anomaly=found.anomaly,
                subject=asset,
                market="" if asset == CASH else order.draft.market,
                ours=text_u6(found.ours_u6),
                theirs=found.detail,
                evidence=f"order {order.cid}: {text}"[:160],
                since_ns=at_ns,
            )
        )
        return True

    def read(self, event: BalancesRead, portfolio: Portfolio, at_ns: int) -> None:
        """Take a good read of balances."""
        self._allowance_u6 = event.allowance_u6
        theirs = {balance.asset: balance.qty_u6 for balance in event.balances}
        tokens = portfolio.tokens()
        for asset, lock in list(self._held.items()):
            if asset not in theirs:
                continue
            ours_u6, _, owed_u6 = tokens.get(asset, (0, 0, 0))
            there_u6 = theirs[asset] - owed_u6
            if asset == CASH:
                ours_u6 = portfolio.cash_u6
                there_u6 = min(theirs[asset] - portfolio.outgoing_u6, event.allowance_u6)
            if there_u6 < lock.needed_u6:
                self._end(asset, f"balances: short indeed, {text_u6(there_u6)}", at_ns)
            elif theirs[asset] >= ours_u6 and event.asked_ns >= lock.at_ns + AGAIN_NS:
                self._end(asset, f"balances: all of it is there, {text_u6(there_u6)}", at_ns)

    def refuse(self, draft: Draft) -> Refusal | None:
        """Refuse a new entry that needs a locked asset (G18); hedges and exits try their luck."""
        lock = self._held.get(asset_of(draft))
        if lock is None:
            return None
        return Refusal(
            control=Control.FUNDS,
            limit="balance that the venue lets us use",
            value=f"{_name(asset_of(draft))} locked: {text_u6(lock.needed_u6)} refused",
            detail=f"next try {AGAIN_NS // S} s after the last refusal",
        )

    def _end(self, asset: str, why: str, at_ns: int) -> None:
        del self._held[asset]
        self._report.resolve(asset, Anomaly.PHANTOM_LOCK, at_ns=at_ns, why=why)


def asset_of(draft: Draft) -> str:
    """Name what an order needs: pUSD for a BUY, its token for a SELL."""
    return CASH if draft.side is Side.BUY else draft.token


def _name(asset: str) -> str:
    return asset if asset == CASH else f"token {asset[:12]}"
