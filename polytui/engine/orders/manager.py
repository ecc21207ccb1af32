"""All orders of one realm: made here, stepped here, looked up here until they are over.

Owns the order machine and nothing else: it keeps no position, reads no clock and sends nothing; its
commands are data. Every input is folded, none is trusted to come once or in order. What changed is
handed over by `drain`, what differs from the venue by `drain_anomalies`.
"""

from collections.abc import Iterable
from typing import Final

from polytui.engine.core.account_events import (
    CancelAnswered,
    OrderAnswered,
    OrderRead,
    OrderStaged,
    TradesRead,
)
from polytui.engine.core.commands import Command, RecordAnomaly
from polytui.engine.core.enums import Outcome
from polytui.engine.core.events import MarketSpec
from polytui.engine.core.order_enums import (
    Control,
    OrderState,
    OrderType,
    Realm,
    SendOutcome,
    Witness,
)
from polytui.engine.core.runconfig import OrdersConfig
from polytui.engine.core.trading import (
    Draft,
    FillChange,
    Identity,
    OrderRecord,
    Refusal,
    TradeRecord,
    VenueOrder,
)
from polytui.engine.core.units import text_u6
from polytui.engine.orders.amounts import AmountError
from polytui.engine.orders.drafting import make_terms, with_end
from polytui.engine.orders.evidence import (
    Now,
    glance,
    take_answer,
    take_fill,
    take_late_sending,
    take_order,
)
from polytui.engine.orders.hashing import Hasher, HashError
from polytui.engine.orders.lifecycle import IN_FLIGHT, UNSENT, Order
from polytui.engine.orders.probes import Probes, overdue_ns
from polytui.engine.orders.registry import MS, Registry, S
from polytui.engine.orders.restoring import take_up

EXTERNAL: Final = "external"
"""Strategy of orders and trades under our key that this engine did not make (fault B30)."""

EARLY_MAX: Final = 1_000
"""Fills kept for order hashes nobody has shown us yet; the oldest are dropped and counted."""

_AT_VENUE: Final = tuple(state for state in OrderState if state.may_rest)
_PENDING: Final = tuple(state for state in OrderState if state in IN_FLIGHT)


class Orders:
    """The orders of one realm."""

    __slots__ = ("_drafts", "_early", "_hasher", "_probes", "_reg", "_run", "realm")

    def __init__(self, realm: Realm, config: OrdersConfig, *, run: str) -> None:
        """Start without orders and without an identity; `run` names the ids minted here."""
        self.realm = realm
        self._run = run
        self._reg = Registry(realm, config)
        self._probes = Probes(self._reg)
        self._hasher: Hasher | None = None
        self._drafts = 0
        self._early: dict[str, list[FillChange]] = {}

    @property
    def identity(self) -> Identity | None:
        """Whose orders these are; None until an execution port said so."""
        return None if self._hasher is None else self._hasher.identity

    @identity.setter
    def identity(self, identity: Identity | None) -> None:
        self._hasher = None if identity is None else Hasher(identity)

    # --- our own steps ---------------------------------------------------------------------------

    def draft(
        self,
        draft: Draft,
        spec: MarketSpec,
        tick_u6: int,
        *,
        at_ns: int,
        seq: int,
        venue_offset_ns: int,
    ) -> Order:
        """Make an order of a draft: PROPOSED, or VETOED when it cannot be stated to the venue."""
        self._drafts += 1
        self._probes.offset_ns = venue_offset_ns
        cid = f"{self._run}-{seq}-{self.realm.value[0]}{self._drafts}"
        draft = with_end(draft, at_ns=at_ns, life_s=self._reg.config.life_s)
        terms, refusal = None, _NO_PORT
        if self._hasher is not None:
            try:
                terms = make_terms(
                    cid,
                    draft,
                    spec,
                    self._hasher,
                    tick_u6=tick_u6,
                    at_ns=at_ns,
                    venue_offset_ns=venue_offset_ns,
                )
            except (AmountError, HashError) as fault:
                value = f"{text_u6(draft.qty_u6)} at {text_u6(draft.px_u6)}"
                refusal = Refusal(
                    control=Control.GRID, limit="lawful amounts", value=value, detail=str(fault)
                )
        order = Order(cid, draft, terms, at_ns=at_ns, fees=spec.fees)
        self._reg.add(order)
        if terms is None:
            self.veto(order, refusal, at_ns=at_ns, seq=seq)
        return order

    def veto(self, order: Order, refusal: Refusal, *, at_ns: int, seq: int) -> None:
        """End a proposal that a control refused; it never leaves the process."""
        detail = f"{refusal.control.value} {refusal.value}"
        order.enter(OrderState.VETOED, Witness.GATE, at_ns, seq, detail)
        order.refusal = refusal
        self._reg.settle(order)

    def approve(self, order: Order, *, at_ns: int, seq: int) -> None:
        """Let a proposal go on its way: from here it counts as exposure."""
        order.enter(OrderState.APPROVED, Witness.GATE, at_ns, seq)
        self._reg.plan(order, at_ns)
        self._reg.settle(order)

    def staged(self, event: OrderStaged, *, at_ns: int, seq: int) -> list[Order]:
        """Note how far orders got on their way out; stages overtaken by other news are late."""
        moved = []
        for cid in event.cids:
            order = self._reg.by_cid.get(cid)
            if order is None or order.state not in UNSENT:
                self._reg.counts["late_stages"] += 1
                if order is not None and event.stage is OrderState.SENT:
                    take_late_sending(self._reg, order, Now(at_ns, seq))
                continue
            order.enter(event.stage, _STAGES[event.stage], at_ns, seq)
            self._reg.plan(order, at_ns)
            self._reg.settle(order)
            moved.append(order)
        return moved

    def may_leave(self, cid: str) -> bool:
        """Tell whether an order may still be sent: on its way, and nobody asked for its end.

        The gate asks this where bytes leave: an order that a deadline put in doubt, or that was
        cancelled on its way, must not follow later.
        """
        order = self._reg.by_cid.get(cid)
        return order is not None and order.state in UNSENT and not order.cancel_ns

    # --- what the venue says ---------------------------------------------------------------------

    def answered(self, event: OrderAnswered, *, at_ns: int, seq: int) -> Order | None:
        """Fold the answer to sending one order, matched by hash, else by our id (fault B9)."""
        if event.outcome in (SendOutcome.ACCEPTED, SendOutcome.REFUSED):
            self._probes.ack_max_ns = max(self._probes.ack_max_ns, event.took_ns)
        order = self._reg.by_hash.get(event.order_hash) or self._reg.by_cid.get(event.cid)
        if order is None:
            self._reg.counts["answers_of_others"] += 1
            return None
        order.ack_ns = event.took_ns
        take_answer(self._reg, order, event, Now(at_ns, seq))
        self._reg.settle(order)
        return order

    def seen(
        self, venue_order: VenueOrder, witness: Witness, *, at_ns: int, seq: int
    ) -> Order | None:
        """Fold a user event or a REST row; None: not known here, the caller may `adopt` it."""
        order = self._reg.by_hash.get(venue_order.order_hash)
        if order is not None:
            was = glance(order)
            take_order(self._reg, order, venue_order, witness, Now(at_ns, seq))
            self._reg.settle(order, is_news=was != glance(order))
        return order

    def adopt(
        self, venue_order: VenueOrder, *, at_ns: int, seq: int, spec: MarketSpec | None = None
    ) -> Order:
        """Take in an order that somebody else made under our key: counted, never cancelled unasked.

        Without the market's spec its token counts as YES until it is adopted again in a later run.
        """
        order = Order(
            f"{EXTERNAL}-{venue_order.order_hash}",
            _external_draft(venue_order, spec),
            None,
            at_ns=at_ns,
            state=OrderState.UNKNOWN,
            external=True,
            fees=None if spec is None else spec.fees,
        )
        order.order_hash = venue_order.order_hash
        self._reg.add(order)
        now = Now(at_ns, seq)
        witness = Witness.USER_STREAM if venue_order.event else Witness.REST_READ
        take_order(self._reg, order, venue_order, witness, now)
        for change in self._early.pop(order.order_hash, ()):
            take_fill(self._reg, order, change, now)
        self._reg.settle(order)
        return order

    def fill(self, change: FillChange, *, at_ns: int, seq: int) -> Order | None:
        """Book one step of one trade on its order, or keep it until the order is known."""
        order = self._reg.by_hash.get(change.order_hash)
        if order is None:
            self._keep_early(change)
            return None
        take_fill(self._reg, order, change, Now(at_ns, seq))
        self._reg.settle(order)
        return order

    def _keep_early(self, change: FillChange) -> None:
        self._early.setdefault(change.order_hash, []).append(change)
        if len(self._early) > EARLY_MAX:
            del self._early[next(iter(self._early))]
            self._reg.counts["early_fills_dropped"] += 1

    def note_failed(self, change: FillChange) -> None:
        """Remember a trade first seen when it had failed: the venue's sum holds it, ours never."""
        order = self._reg.by_hash.get(change.order_hash)
        if order is not None:
            trade = change.trade_id, change.qty_u6, change.cash_u6
            order.book(*trade, counts=False, is_first=True)
            self._reg.settle(order)

    def read(self, event: OrderRead, *, at_ns: int, seq: int) -> Order | None:
        """Fold the answer to a targeted read; an absence leads to a read of trades, not to an end.

        Returns the order, None when it is not known here.
        """
        return self._probes.take_read(event, Now(at_ns, seq))

    def trades_read(self, event: TradesRead, *, at_ns: int, seq: int) -> list[Order]:
        """Resolve absent orders by a read of trades, after its trades have been folded."""
        return self._probes.take_trades(event, Now(at_ns, seq))

    def missing(
        self,
        hashes_present: set[str],
        *,
        asked_ns: int,
        at_ns: int,
        seq: int,  # noqa: ARG002  every call of the facade is stamped alike
    ) -> list[Order]:
        """Return orders that a complete sweep lacks; each gets a targeted read, none ends here.

        What was touched shortly before the sweep began is left alone.
        """
        before_ns = asked_ns - self._reg.config.touched_ms * MS
        found = []
        for state in (OrderState.DELAYED, OrderState.LIVE, OrderState.PARTIAL):
            for order in self._reg.by_state[state].values():
                if order.order_hash not in hashes_present and order.touched_ns <= before_ns:
                    if not order.absent_ns:
                        self._reg.look_up(order, at_ns)
                        self._reg.arm(order)
                    found.append(order)
        return found

    def resolve_market(self, market: str, *, at_ns: int, seq: int) -> list[Order]:
        """End all orders of a resolved market: the venue cancels them, and takes no more."""
        ended = [order for order in self.open() if order.draft.market == market]
        for order in ended:
            order.enter(OrderState.RESOLVED, Witness.MARKET, at_ns, seq, "market resolved")
            self._reg.plan(order, at_ns)
            self._reg.settle(order)
        return ended

    # --- cancelling ------------------------------------------------------------------------------

    def request_cancel(
        self,
        order: Order,
        *,
        why: str,
        at_ns: int,
        seq: int,  # noqa: ARG002  every call of the facade is stamped alike
    ) -> bool:
        """Ask for its end until the venue confirms one; False when it is over or asked already.

        Until then it reserves. `due` sends, and sends again.
        """
        if order.cancel_ns or order.state.is_terminal:
            return False
        order.cancel_ns = order.cancel_due_ns = order.updated_ns = at_ns
        order.venue_text = order.venue_text or f"cancel: {why}"[:80]
        self._reg.counts["cancels_asked"] += 1
        self._reg.settle(order)
        return True

    def cancel_answered(self, event: CancelAnswered, *, at_ns: int, seq: int) -> list[Order]:
        """Fold a cancel's answer: only what is named as cancelled is; the others are looked up."""
        reg = self._reg
        ended = []
        for order_hash in event.canceled:
            order = reg.by_hash.get(order_hash)
            if order is not None:
                order.is_ghost = False
                if not order.state.is_terminal:
                    reg.advance(
                        order,
                        OrderState.CANCELED,
                        Witness.REST_ANSWER,
                        at_ns=at_ns,
                        seq=seq,
                        detail="cancel confirmed",
                    )
                    ended.append(order)
                reg.settle(order)
        for order_hash, reason in event.not_canceled:
            self._not_canceled(order_hash, reason, at_ns)
        if event.retry_after_s and event.outcome is not SendOutcome.ACCEPTED:
            self._wait_to_cancel(at_ns + event.retry_after_s * S)
        return ended

    def _not_canceled(self, order_hash: str, reason: str, at_ns: int) -> None:
        order = self._reg.by_hash.get(order_hash)
        if order is None or (order.state.is_terminal and not order.is_ghost):
            return
        order.venue_text = f"not cancelled: {reason}"[:80]
        if not order.absent_ns:
            self._reg.look_up(order, at_ns)
        self._reg.settle(order)

    def _wait_to_cancel(self, until_ns: int) -> None:
        for order in self.open():
            if order.cancel_ns:
                order.cancel_due_ns = max(order.cancel_due_ns, until_ns)

    # --- time ------------------------------------------------------------------------------------

    def due(self, at_ns: int, seq: int) -> list[Command]:
        """Do what is due by now: cancels again, targeted reads, reads of trades, alarms."""
        return self._probes.due(Now(at_ns, seq))

    def next_due_ns(self) -> int | None:
        """Return when `due` has something to do; None: nothing is open or in doubt."""
        return self._reg.timers.next_due_ns()

    def overdue(self, at_ns: int) -> list[Order]:
        """Return orders in doubt past their end and 120 s: a case for a person (invariant 20)."""
        return [order for order in self.unknown() if at_ns >= overdue_ns(order)]

    def limbo(self, at_ns: int) -> list[Order]:
        """Return orders older than their state may be, for the home screen."""
        config = self._reg.config
        late_ns = at_ns - config.inflight_after_ms * MS
        alarm_ns = at_ns - config.unknown_alarm_ms * MS
        found = [order for order in self.in_flight() if order.since_ns < late_ns]
        found += [order for order in self.unknown() if order.since_ns < alarm_ns]
        return found + [
            order
            for state in (OrderState.DELAYED, OrderState.LIVE, OrderState.PARTIAL)
            for order in self._reg.by_state[state].values()
            if order.absent_ns or (state is OrderState.DELAYED and order.since_ns < alarm_ns)
        ]

    # --- restart ---------------------------------------------------------------------------------

    def restore(
        self,
        records: Iterable[OrderRecord],
        *,
        at_ns: int,
        seq: int,
        trades: Iterable[TradeRecord] = (),
    ) -> None:
        """Take up what the store knows; what was on its way when the last run died is in doubt.

        Give the trades of `AccountRestored` too: by them a fill that fails later is taken off, and
        one that is told again is not counted twice.
        """
        take_up(self._reg, records, trades, Now(at_ns, seq))

    # --- questions -------------------------------------------------------------------------------

    @property
    def by_cid(self) -> dict[str, Order]:
        """All orders by our id; read only."""
        return self._reg.by_cid

    @property
    def by_hash(self) -> dict[str, Order]:
        """All orders that have a hash; read only."""
        return self._reg.by_hash

    @property
    def reserved_cash_u6(self) -> int:
        """Dollars that BUYs in flight, open, in doubt or awaiting trades may still cost, fees in.

        The venue reserves the same for marketable orders: notional and worst fee (§11 S5).
        """
        return self._reg.reserved_cash_u6

    def reserved_qty_u6(self, token: str) -> int:
        """Return the shares of a token that SELLs may still deliver."""
        return self._reg.reserved_qty.get(token, 0)

    @property
    def ack_max_ns(self) -> int:
        """Slowest answer to an order in this run: stragglers are awaited twice as long."""
        return self._probes.ack_max_ns

    @property
    def counts(self) -> dict[str, int]:
        """Counters by state entered, answer, refusal and oddity; read only."""
        return self._reg.counts

    def open(self) -> list[Order]:
        """Return what the venue may hold: SENT, UNKNOWN, DELAYED, LIVE, PARTIAL, and ghosts."""
        by_state = self._reg.by_state
        held = [order for state in _AT_VENUE for order in by_state[state].values()]
        return held + [
            order for cid in self._reg.shares if (order := self._reg.by_cid[cid]).is_ghost
        ]

    def unknown(self) -> list[Order]:
        """Return orders in doubt: each blocks new risk on its token."""
        return list(self._reg.by_state[OrderState.UNKNOWN].values())

    def in_flight(self) -> list[Order]:
        """Return orders on their way: APPROVED, JOURNALLED, SIGNED, SENT."""
        by_state = self._reg.by_state
        return [order for state in _PENDING for order in by_state[state].values()]

    def counted(self) -> list[Order]:
        """Return every order that can still move money: what exposure is reckoned from."""
        return [self._reg.by_cid[cid] for cid in self._reg.shares]

    def open_on(self, token: str) -> list[Order]:
        """Return every order on a token that can still move money, in flight included."""
        return list(self._reg.by_token.get(token, {}).values())

    def drain(self) -> list[Order]:
        """Hand over the orders changed since the last time, first change first."""
        changed = list(self._reg.changed.values())
        self._reg.changed.clear()
        return changed

    def drain_anomalies(self) -> list[RecordAnomaly]:
        """Hand over the differences found since the last time."""
        anomalies = list(self._reg.anomalies)
        self._reg.anomalies.clear()
        return anomalies


_NO_PORT: Final = Refusal(control=Control.MODE, limit="an execution port", value="none")

_STAGES: Final = {
    OrderState.JOURNALLED: Witness.JOURNAL,
    OrderState.SIGNED: Witness.SIGNER,
    OrderState.SENT: Witness.WIRE,
}


def _external_draft(seen: VenueOrder, spec: MarketSpec | None) -> Draft:
    is_no = spec is not None and seen.token == spec.tokens[1]
    return Draft(
        strategy=EXTERNAL,
        market=seen.market,
        group="" if spec is None else spec.group,
        token=seen.token,
        outcome=Outcome.NO if is_no else Outcome.YES,
        side=seen.side,
        px_u6=seen.px_u6,
        qty_u6=seen.qty_u6,
        order_type=seen.order_type or OrderType.GTC,
        why="not made by this engine",
    )
