"""Pulls our quotes where they may no longer stand: a blind book, a new grid, a halt.

Only entries that rest are pulled; hedges and exits are left to their bundle, and what another hand
placed under our key is left alone. Each quote is asked to end once, with the reason (A1, A2, A9).
"""

from typing import TYPE_CHECKING, Final

from polytui.engine.core.enums import BookState, Reason
from polytui.engine.core.order_enums import OrderState, Purpose, Realm, TradingState
from polytui.engine.orders.lifecycle import Order

if TYPE_CHECKING:
    from polytui.engine.account.account import Account

MS: Final = 1_000_000
LOOK_NS: Final = 250 * MS
"""Quotes are looked at this often while there are any."""
PATIENCE_NS: Final = 1_000 * MS
"""A doubt that heals within this pulls nothing: a resync takes a tenth of it."""
_RESTING: Final = frozenset({OrderState.LIVE, OrderState.PARTIAL, OrderState.DELAYED})


class Pulling:
    """Since when each quoted market may not be seen."""

    __slots__ = ("_blind_ns", "due_ns")

    def __init__(self) -> None:
        """Quote nowhere."""
        self._blind_ns: dict[str, int] = {}
        self.due_ns: int | None = None
        """When quotes are looked at again; None: there are none."""

    def look(self, account: "Account", *, at_ns: int, seq: int) -> None:
        """Ask for the end of every quote that may not stand any more."""
        if self.due_ns is not None and at_ns < self.due_ns:
            return
        quotes = [order for order in account.orders.open() if _is_quote(order)]
        self.due_ns = at_ns + LOOK_NS if quotes else None
        markets = {order.draft.market for order in quotes}
        self._blind_ns = {m: ns for m, ns in self._blind_ns.items() if m in markets}
        why_all = _halted(account, at_ns)
        for order in quotes:
            why = why_all or self._why(account, order, at_ns)
            if why:
                account.orders.request_cancel(order, why=why, at_ns=at_ns, seq=seq)

    def _why(self, account: "Account", order: Order, at_ns: int) -> str:
        draft, tracked = order.draft, account.markets.tracked(order.draft.market)
        if tracked is None:
            return "its market is not in the catalog"
        if draft.px_u6 % tracked.book.tick_u6:
            return "off the grid since its tick changed"
        if any(market == draft.market for market, _ in account.halted):
            return "its market is halted"
        reason = account.markets.blocked(tracked, at_ns)
        if reason is None or reason is Reason.GROUP_OPEN:
            self._blind_ns.pop(draft.market, None)
            return ""
        since_ns = self._blind_ns.setdefault(draft.market, at_ns)
        is_empty = tracked.quality.state is BookState.EMPTY
        if is_empty or at_ns - since_ns >= PATIENCE_NS:
            return f"its book may not be used: {reason.value}"
        return ""


def _is_quote(order: Order) -> bool:
    draft = order.draft
    is_ours = not order.external and draft.purpose is Purpose.OPEN
    return is_ours and order.state in _RESTING and not order.cancel_ns


def _halted(account: "Account", at_ns: int) -> str:
    """Say what forbids every quote; empty: nothing."""
    causes = account.room.governor.desks[account.realm].causes
    if causes.state is TradingState.HALTED:
        return f"HALTED: {causes.why}"
    limits = account.room.governor.limits.now
    if account.realm is Realm.LIVE and at_ns - account.user_ns > limits.user_age_ms * MS:
        return "the user stream is silent"
    return ""
