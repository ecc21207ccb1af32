"""All orders of an account by every key that is asked for, with sums that are always exact.

Whoever changes an order calls `settle` afterwards: it moves the order between indexes, keeps the
reservations equal to the sum over all orders, arms its deadline and remembers that it changed. All
of it is O(log n) at most. Finished orders are forgotten, oldest first, above `ENDED_MAX`.
"""

from collections import Counter
from itertools import islice
from typing import Final

from polytui.engine.core.commands import RecordAnomaly
from polytui.engine.core.order_enums import Anomaly, OrderState, OrderType, Realm, Witness
from polytui.engine.core.runconfig import OrdersConfig
from polytui.engine.core.timers import Timers
from polytui.engine.orders.lifecycle import EDGES, UNSENT, Order

MS: Final = 1_000_000
S: Final = 1_000 * MS

ENDED_MAX: Final = 10_000
"""Terminal orders kept in memory: late fills and late words find them there."""

_LOOK: Final = 16
"""How far beyond the excess to look for one that may be forgotten."""

SWEEPS_MISSED: Final = 3
"""A resting order that no sweep confirmed for so many periods is looked up by itself."""

EXPIRY_GRACE_NS: Final = 5 * S
"""A GTD order whose end passed this long ago without a word is looked up."""

_STAGE: Final = {
    OrderState.UNKNOWN: 0,
    OrderState.DELAYED: 1,
    OrderState.LIVE: 2,
    OrderState.PARTIAL: 3,
}
"""How far an order has come at the venue: older news is no contradiction, just late."""


class Registry:
    """The orders of one realm."""

    __slots__ = (
        "anomalies",
        "by_cid",
        "by_hash",
        "by_state",
        "by_token",
        "changed",
        "config",
        "counts",
        "ended",
        "realm",
        "reserved_cash_u6",
        "reserved_qty",
        "shares",
        "timers",
    )

    def __init__(self, realm: Realm, config: OrdersConfig) -> None:
        """Start empty."""
        self.realm = realm
        self.config = config
        self.by_cid: dict[str, Order] = {}
        self.by_hash: dict[str, Order] = {}
        self.by_state: dict[OrderState, dict[str, Order]] = {state: {} for state in OrderState}
        self.by_token: dict[str, dict[str, Order]] = {}
        """Counted orders only."""
        self.shares: dict[str, tuple[int, int]] = {}
        """Reserved (cash, shares) of each counted order, as last settled."""
        self.reserved_cash_u6 = 0
        self.reserved_qty: dict[str, int] = {}
        self.changed: dict[str, Order] = {}
        self.ended: dict[str, None] = {}
        self.timers = Timers()
        self.counts = Counter[str]()
        self.anomalies: list[RecordAnomaly] = []

    # --- keeping ---------------------------------------------------------------------------------

    def add(self, order: Order) -> None:
        """Know a new order."""
        assert order.cid not in self.by_cid, f"expected a fresh id, was {order.cid}"
        self.by_cid[order.cid] = order
        if order.order_hash:
            assert order.order_hash not in self.by_hash, f"expected a fresh hash of {order.cid}"
            self.by_hash[order.order_hash] = order
        self.plan(order, order.created_ns)
        self.settle(order)

    def settle(self, order: Order, *, is_news: bool = True) -> None:
        """Bring indexes, sums, deadline and, if there is news, the list of changes up to date."""
        cid, state = order.cid, order.state
        if is_news:
            self.changed[cid] = order
        if order.bucket is not state:
            if order.bucket is not None:
                del self.by_state[order.bucket][cid]
            self.by_state[state][cid] = order
            order.bucket = state
            self.counts[state.value] += 1
            if state.is_terminal:
                self.ended[cid] = None
                self._forget_oldest()
        self._reserve(order)
        self.arm(order)

    def _reserve(self, order: Order) -> None:
        cid, token = order.cid, order.draft.token
        is_counted = order.is_counted
        new = (order.worst_cash_u6, order.reserved_qty_u6) if is_counted else (0, 0)
        old = self.shares.get(cid, (0, 0))
        if new != old:
            self.reserved_cash_u6 += new[0] - old[0]
            self.reserved_qty[token] = self.reserved_qty.get(token, 0) + new[1] - old[1]
        if is_counted:
            self.shares[cid] = new
            self.by_token.setdefault(token, {})[cid] = order
        elif self.shares.pop(cid, None) is not None:
            on_token = self.by_token[token]
            del on_token[cid]
            if not on_token:
                del self.by_token[token]
                self.reserved_qty.pop(token, None)

    def _forget_oldest(self) -> None:
        """Forget what is over and done with; what still counts goes to the end of the line."""
        excess = len(self.ended) - ENDED_MAX
        if excess <= 0:
            return
        for cid in tuple(islice(self.ended, excess + _LOOK)):
            del self.ended[cid]
            order = self.by_cid[cid]
            if order.is_counted:
                self.ended[cid] = None
                continue
            del self.by_cid[cid]
            self.by_hash.pop(order.order_hash, None)
            del self.by_state[order.state][cid]
            excess -= 1
            if not excess:
                return

    # --- deadlines -------------------------------------------------------------------------------

    def plan(self, order: Order, at_ns: int) -> None:
        """Say when to look the order up if nothing more is heard of it (invariant 19)."""
        config, state = self.config, order.state
        after_ns = config.inflight_after_ms * MS
        if state is OrderState.UNKNOWN:
            order.probe_ns = at_ns
        elif state in (OrderState.LIVE, OrderState.PARTIAL) and order.draft.order_type.is_resting:
            order.probe_ns = at_ns + SWEEPS_MISSED * config.open_every_ms * MS
            if order.draft.order_type is OrderType.GTD:
                end_ns = order.draft.expires_ns + EXPIRY_GRACE_NS
                order.probe_ns = max(at_ns + MS, min(order.probe_ns, end_ns))
        else:
            order.probe_ns = at_ns + after_ns

    def due_ns(self, order: Order) -> int:
        """Return when the order needs attention; 0: never again."""
        if order.state.is_terminal and not order.is_ghost:
            return order.probe_ns if order.awaited_u6 else 0
        if order.cancel_ns and (order.state.may_rest or order.is_ghost):
            return min(order.probe_ns, order.cancel_due_ns)
        return order.probe_ns

    def arm(self, order: Order) -> None:
        """Set the timer if it would ring too late; one that rings early is harmless."""
        due_ns = self.due_ns(order)
        if not due_ns:
            if order.timer_ns:
                self.timers.cancel(order.cid)
                order.timer_ns = 0
        elif not order.timer_ns or due_ns < order.timer_ns:
            self.timers.set(order.cid, due_ns)
            order.timer_ns = due_ns

    # --- news of the venue -----------------------------------------------------------------------

    def advance(
        self,
        order: Order,
        state: OrderState,
        witness: Witness,
        *,
        at_ns: int,
        seq: int,
        detail: str = "",
    ) -> bool:
        """Fold what the venue says: take the step, or count news that is late or contradictory.

        An order that is there, but of whose sending we have not noted yet, is in doubt first.
        Returns whether the order is now in that state.
        """
        if order.state in UNSENT:
            order.enter(OrderState.UNKNOWN, witness, at_ns, seq, "there before we noted sending")
        if order.state is state:
            return True
        if state not in EDGES[order.state]:
            if order.state.is_terminal or _STAGE.get(state, 9) < _STAGE.get(order.state, 0):
                self.counts["late_news"] += 1
            else:
                self.counts["contradictions"] += 1
                self.look_up(order, at_ns)
            return False
        order.enter(state, witness, at_ns, seq, detail)
        self.plan(order, at_ns)
        return True

    def touch(self, order: Order, at_ns: int, seq: int) -> None:
        """Note that the order was heard of as existing: reads begun before prove no absence."""
        order.touched_ns, order.touched_seq = at_ns, seq
        order.absent_ns = 0
        if not order.state.is_terminal:
            self.plan(order, at_ns)

    def look_up(self, order: Order, at_ns: int) -> None:
        """Ask for a targeted read at once."""
        order.probe_ns = at_ns

    def flag(
        self, order: Order, anomaly: Anomaly, *, seq: int, ours: str, theirs: str, detail: str
    ) -> None:
        """Report a difference, once per order and kind."""
        if anomaly.value in order.alarms:
            return
        order.alarms.add(anomaly.value)
        self.anomalies.append(
            RecordAnomaly(
                cause=seq,
                realm=self.realm,
                anomaly=anomaly,
                subject=order.order_hash or order.cid,
                ours=ours,
                theirs=theirs,
                detail=detail,
            )
        )
