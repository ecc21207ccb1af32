"""Loops that never let an order rest in doubt: reads by hash, reads of trades, cancels again.

Absence proves nothing by itself. An order that a targeted read of active orders does not show may
be filled, cancelled, expired, or not there yet; only a read of trades begun after that one tells
which (venue reference §3.2: `/data/order/{id}` knows active orders only). A failed read is a failed
read, and a read begun before the last sign of life proves nothing either.
"""

from typing import Final

from polytui.engine.core.account_events import OrderRead, TradesRead
from polytui.engine.core.commands import CancelOrders, Command, Notify, ReadOrder, ReadTrades
from polytui.engine.core.order_enums import Anomaly, OrderState, Witness
from polytui.engine.core.units import text_u6
from polytui.engine.orders.evidence import Now, glance, gtd_end_ns, take_order
from polytui.engine.orders.lifecycle import DUST_U6, UNSENT, Order
from polytui.engine.orders.registry import MS, Registry, S

READS_MAX: Final = 24
"""Targeted reads without an answer at any time; the others wait `_CROWDED_NS`: what a port does at
once is bounded, and sweeps have to find a place (fault C1)."""

CANCELS_MAX: Final = 1_000
"""Hashes in one cancel (§3.1)."""

CANCEL_AGAIN_MS: Final = (200, 500, 1_000, 2_000)
"""Waits between attempts; the last one repeats."""

CANCEL_ALARM: Final = 6
"""Attempts after which a person is told."""

ARRIVAL_NS_MIN: Final = 10 * S
"""An order that was sent this long ago has arrived or never will (or 2 × the slowest answer)."""

UNKNOWN_SPARE_NS: Final = 120 * S
"""An order in doubt this long past its end is a case for a person (invariant 20)."""

_CROWDED_NS: Final = 100 * MS
_ASK_DEAD_NS: Final = 10 * S
"""A read without an answer for so long has been lost."""

_AFTER_MARGIN_S: Final = 120
"""Reads of trades begin this much before the order was made: clocks differ, pages are cheap."""

_ALARM_UNKNOWN: Final = "order_unknown"
_ALARM_STUCK: Final = "order_stuck"
_ALARM_CANCEL: Final = "cancel_unconfirmed"


class Probes:
    """What is asked, and what an answer leads to."""

    __slots__ = ("ack_max_ns", "offset_ns", "reg", "requests")

    def __init__(self, reg: Registry) -> None:
        """Work on the orders of a realm."""
        self.reg = reg
        self.requests = 0
        self.ack_max_ns = 0
        """Slowest answer to an order so far."""
        self.offset_ns = 0
        """Venue clock minus ours, as of the last draft."""

    # --- asking ----------------------------------------------------------------------------------

    def due(self, now: Now) -> list[Command]:
        """Do what is due: reads, cancels, alarms."""
        round_ = _Round(self, now)
        for cid in self.reg.timers.pop_due(now.at_ns):
            order = self.reg.by_cid.get(cid)
            if order is not None:
                order.timer_ns = 0
                self._attend(order, round_)
                self.reg.arm(order)
        return round_.commands()

    def _attend(self, order: Order, round_: "_Round") -> None:
        reg, now = self.reg, round_.now
        due_ns = reg.due_ns(order)
        if not due_ns or due_ns > now.at_ns:
            return
        if order.cancel_ns and order.cancel_due_ns <= now.at_ns and _may_cancel(order):
            round_.cancel(order)
        if order.probe_ns <= now.at_ns:
            _escalate(reg, order, now)
            if not order.state.is_terminal or order.is_ghost:
                round_.probe(order)
            elif order.awaited_u6:
                round_.await_trades(order)

    def request(self, what: str, seq: int) -> str:
        """Mint a request id that no other request of the run has."""
        self.requests += 1
        return f"{self.reg.realm.value}-{what}-{seq}-{self.requests}"

    # --- answers ---------------------------------------------------------------------------------

    def take_read(self, event: OrderRead, now: Now) -> Order | None:
        """Fold the answer to a targeted read."""
        reg = self.reg
        order = reg.by_hash.get(event.order_hash)
        if order is None:
            reg.counts["reads_of_others"] += 1
            return None
        was = glance(order)
        asked_ns, asked_seq = order.ask_ns, order.ask_seq
        order.ask_ns = order.ask_seq = 0
        if not event.ok or (event.order and event.order.order_hash != order.order_hash):
            reg.counts["reads_failed"] += 1
        elif event.order is not None:
            take_order(reg, order, event.order, Witness.REST_READ, now)
        else:
            order.is_ghost = False
            self._note_absence(order, now, asked_ns=asked_ns, asked_seq=asked_seq)
        reg.settle(order, is_news=was != glance(order))
        return order

    def _note_absence(self, order: Order, now: Now, *, asked_ns: int, asked_seq: int) -> None:
        """Go on to trades; but read again if it was heard of since, or may still be on its way."""
        reg = self.reg
        if order.state.is_terminal:
            return
        if not asked_seq or order.touched_seq > asked_seq:
            reg.look_up(order, now.at_ns)
            return
        arrived_ns = self._arrived_ns(order)
        if order.state is OrderState.UNKNOWN and not order.is_acked and asked_ns < arrived_ns:
            every_ns = reg.config.inflight_every_ms * MS
            reg.look_up(order, max(now.at_ns, min(now.at_ns + every_ns, arrived_ns)))
            return
        order.absent_ns = now.at_ns
        reg.look_up(order, now.at_ns)

    def _arrived_ns(self, order: Order) -> int:
        """Return when an order in doubt must have arrived, if it ever does."""
        sent_ns = order.sent_ns or order.since_ns
        return sent_ns + max(ARRIVAL_NS_MIN, 2 * self.ack_max_ns)

    def take_trades(self, event: TradesRead, now: Now) -> list[Order]:
        """Resolve what was absent before this read of all trades began; fold its trades first."""
        if not event.ok or event.trade_id:
            return []
        ended = []
        for order in self._absent():
            if event.asked_ns >= order.absent_ns and event.after_s <= self.after_s(order):
                self._resolve(order, now)
                self.reg.settle(order)
                ended.append(order)
        return ended

    def _absent(self) -> list[Order]:
        states = (OrderState.UNKNOWN, OrderState.DELAYED, OrderState.LIVE, OrderState.PARTIAL)
        by_state = self.reg.by_state
        return [o for state in states for o in by_state[state].values() if o.absent_ns]

    def after_s(self, order: Order) -> int:
        """Return the venue second from which the order's trades are read."""
        return max(0, (order.created_ns + self.offset_ns) // S - _AFTER_MARGIN_S)

    def _resolve(self, order: Order, now: Now) -> None:
        """End an order that is neither active nor awaits anything: by what it traded, else how."""
        state, detail = _absent_end(order, now)
        self.reg.advance(
            order,
            state,
            Witness.TRADE if state is OrderState.MATCHED else Witness.REST_READ,
            at_ns=now.at_ns,
            seq=now.seq,
            detail=detail,
        )


def _absent_end(order: Order, now: Now) -> tuple[OrderState, str]:
    """Say what an absence proven twice means."""
    has_traded = order.seen_u6 > 0 or order.venue_matched_u6 > 0
    whole_u6 = max(order.seen_u6, order.venue_matched_u6)
    if has_traded and (order.is_full or order.qty_u6 - whole_u6 < DUST_U6):
        return OrderState.MATCHED, "gone, and its trades are whole"
    if order.state is OrderState.UNKNOWN and not order.is_acked:
        if any(edge.witness is Witness.RESTORED for edge in order.edges):
            return OrderState.CANCELED, "its run ended: never arrived, or the sentinel was first"
        return OrderState.REFUSED, "never arrived"
    end_ns = gtd_end_ns(order)
    if 0 < end_ns <= now.at_ns and not order.cancel_ns:
        return OrderState.EXPIRED, "gone, past its end"
    is_unmatched = order.state is OrderState.DELAYED or order.hint is OrderState.UNMATCHED
    if is_unmatched and not has_traded and order.state not in (OrderState.LIVE, OrderState.PARTIAL):
        return OrderState.UNMATCHED, "gone after its delay without a trade"
    return OrderState.CANCELED, "gone" if not order.cancel_ns else "gone, cancel asked"


def _may_cancel(order: Order) -> bool:
    return order.state.may_rest or order.is_ghost


def _escalate(reg: Registry, order: Order, now: Now) -> None:
    """Put in doubt what had no word in time: on its way out, or sent and not answered."""
    if order.state is OrderState.PROPOSED:
        order.enter(OrderState.VETOED, Witness.TIMEOUT, now.at_ns, now.seq, "never decided")
        reg.settle(order)
    elif order.state in UNSENT or order.state is OrderState.SENT:
        detail = "no answer" if order.state is OrderState.SENT else "no word of sending"
        order.enter(OrderState.UNKNOWN, Witness.TIMEOUT, now.at_ns, now.seq, detail)
        reg.settle(order)


def overdue_ns(order: Order) -> int:
    """Return when an order in doubt becomes a case for a person (invariant 20)."""
    return max(order.since_ns, gtd_end_ns(order)) + UNKNOWN_SPARE_NS


_READABLE: Final = tuple(state for state in OrderState if not state.is_terminal)


def _is_asked(order: Order, now: Now) -> bool:
    """Tell whether a read of it is under way."""
    return bool(order.ask_ns) and now.at_ns - order.ask_ns <= _ASK_DEAD_NS


class _Round:
    """The commands of one look at what is due: reads and cancels are gathered."""

    __slots__ = ("_alarms", "_cancels", "_places", "_probes", "_reads", "_trades_after_s", "now")

    def __init__(self, probes: Probes, now: Now) -> None:
        self._probes = probes
        self._places: int | None = None
        self.now = now
        self._alarms: list[Command] = []
        self._reads: list[Command] = []
        self._cancels: list[str] = []
        self._trades_after_s: int | None = None

    def probe(self, order: Order) -> None:
        """Read the order by hash; once it is absent, its trades."""
        reg, now = self._probes.reg, self.now
        if order.state is OrderState.UNKNOWN:
            self._alarm_unknown(order)
        if order.absent_ns:
            self._want_trades(order)
        elif not self._take_place(order):
            order.probe_ns = now.at_ns + _CROWDED_NS
            return
        else:
            if not order.ask_ns or now.at_ns - order.ask_ns > _ASK_DEAD_NS:
                order.ask_ns, order.ask_seq = now.at_ns, now.seq
            read = ReadOrder(cause=now.seq, realm=reg.realm, order_hash=order.order_hash)
            self._reads.append(read)
        order.probe_ns = now.at_ns + reg.config.inflight_every_ms * MS

    def _take_place(self, order: Order) -> bool:
        """Take one of the places for reads; one that asks again has its own."""
        if self._places is None:
            self._places = READS_MAX - sum(
                _is_asked(one, self.now)
                for state in _READABLE
                for one in self._probes.reg.by_state[state].values()
            )
        if _is_asked(order, self.now):
            return True
        self._places -= 1
        return self._places >= 0

    def await_trades(self, order: Order) -> None:
        """Fetch trades that the venue counted and we never saw."""
        reg, now = self._probes.reg, self.now
        self._want_trades(order)
        order.probe_ns = now.at_ns + reg.config.trades_every_ms * MS
        if now.at_ns - order.since_ns > reg.config.red_ms * MS:
            reg.flag(
                order,
                Anomaly.ORDER_MISMATCH,
                seq=now.seq,
                ours=text_u6(order.seen_u6),
                theirs=text_u6(order.venue_matched_u6),
                detail="matched at the venue, its trades unseen",
            )

    def _want_trades(self, order: Order) -> None:
        after_s = self._probes.after_s(order)
        known_s = self._trades_after_s
        self._trades_after_s = after_s if known_s is None else min(known_s, after_s)

    def cancel(self, order: Order) -> None:
        """Ask again for an end that is not confirmed."""
        now = self.now
        wait_ms = CANCEL_AGAIN_MS[min(order.cancel_attempts, len(CANCEL_AGAIN_MS) - 1)]
        order.cancel_attempts += 1
        order.cancel_due_ns = now.at_ns + wait_ms * MS
        self._cancels.append(order.order_hash)
        self._probes.reg.settle(order)
        if order.cancel_attempts >= CANCEL_ALARM:
            self._alarm(order, _ALARM_CANCEL, f"{order.cancel_attempts} cancels unconfirmed")

    def _alarm_unknown(self, order: Order) -> None:
        now = self.now
        age_ns = now.at_ns - order.since_ns
        if age_ns >= self._probes.reg.config.unknown_alarm_ms * MS:
            self._alarm(order, _ALARM_UNKNOWN, f"in doubt for {age_ns // S} s")
        if now.at_ns >= overdue_ns(order):
            self._alarm(order, _ALARM_STUCK, "in doubt past its end: halt and look at the venue")

    def _alarm(self, order: Order, code: str, text: str) -> None:
        if code not in order.alarms:
            order.alarms.add(code)
            self._alarms.append(
                Notify(cause=self.now.seq, code=code, text=f"order {order.cid}: {text}")
            )

    def commands(self) -> list[Command]:
        """Return all of it: cancels first, they are what cannot wait."""
        probes, now = self._probes, self.now
        realm = probes.reg.realm
        out: list[Command] = []
        for start in range(0, len(self._cancels), CANCELS_MAX):
            hashes = tuple(self._cancels[start : start + CANCELS_MAX])
            request = probes.request("cancel", now.seq)
            out.append(CancelOrders(cause=now.seq, realm=realm, request=request, hashes=hashes))
        out += self._reads
        if self._trades_after_s is not None:
            request = probes.request("trades", now.seq)
            after_s = self._trades_after_s
            out.append(ReadTrades(cause=now.seq, realm=realm, request=request, after_s=after_s))
        return out + self._alarms
