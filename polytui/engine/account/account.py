"""One account: orders, trades, bundles, ledger and what reconciles them, of one realm.

Every event is carried to the machine that owns it; then `_settle` carries what changed to the
others until nothing changes any more, and turns it into records. Records come before the commands
they explain. A decision becomes an order here, through the gate; the gate is asked again, on the
state of that moment, where bytes would leave (`gate`).
"""

from collections.abc import Callable, Iterable
from typing import Final

from polytui.engine.account.gate_facts import LATE, SLEPT, entry_refusal, gate_facts, item_of
from polytui.engine.account.loops import MS, Loops, S
from polytui.engine.account.market_facts import MarketView
from polytui.engine.account.planning import Spare, reserve
from polytui.engine.account.room import ControlRoom
from polytui.engine.core.commands import (
    Command,
    MovePairs,
    Notify,
    PlaceOrders,
    RecordAnomaly,
    RecordBundle,
    RecordEntry,
    RecordOrder,
    RecordTotals,
    RecordTrade,
)
from polytui.engine.core.decision import Decision
from polytui.engine.core.enums import Outcome
from polytui.engine.core.errors import EngineBug
from polytui.engine.core.events import Event
from polytui.engine.core.order_enums import (
    Control,
    FillKind,
    OrderState,
    Purpose,
    Realm,
    VenueState,
)
from polytui.engine.core.runconfig import RunConfig
from polytui.engine.core.trading import Draft, FillChange, HostFacts, LedgerEntry, Refusal, Terms
from polytui.engine.decide.breakers import Breaker, Effect
from polytui.engine.decide.cancels import Cancels
from polytui.engine.decide.facts import GateFacts
from polytui.engine.decide.flatten import Flatten
from polytui.engine.decide.sweep import Standing
from polytui.engine.decide.venue_state import VenueStanding
from polytui.engine.orders.bundle import SMALL_U6
from polytui.engine.orders.bundle_acts import (
    Action,
    Alert,
    CancelOrder,
    MakeDraft,
    MergePairs,
    single_draft,
)
from polytui.engine.orders.bundles import Bundles
from polytui.engine.orders.lifecycle import Order
from polytui.engine.orders.manager import Orders
from polytui.engine.orders.reconcile import (
    PAPER_SKIPS,
    ClearMarket,
    Finding,
    HaltMarket,
    Reconciler,
)
from polytui.engine.orders.startup import Stage
from polytui.engine.orders.sweeping import Owners
from polytui.engine.orders.trades import Trades
from polytui.engine.portfolio.portfolio import Portfolio
from polytui.engine.portfolio.positions import Place

ROUNDS_MAX: Final = 64
"""One event sets off no longer chain than this: more is our bug."""

SKIPS: Final = {
    Realm.PAPER: PAPER_SKIPS,
    Realm.LIVE: frozenset({Stage.HEARTBEAT}),
}
"""Stages of trust that do not exist: beats begin with arming, because the venue's rule is sticky
and an engine that only looks on must not be able to cancel what a person placed by hand."""

OwnerOf = Callable[[str, int], str]
"""(market, at_ns) -> the strategy that owns it, or nothing."""


class Account:
    """Everything of one realm."""

    def __init__(
        self,
        realm: Realm,
        config: RunConfig,
        *,
        run: str,
        room: ControlRoom,
        markets: MarketView,
        owner_of: OwnerOf,
        at_ns: int,
    ) -> None:
        """Begin without a port: nothing can be sent."""
        self.realm = realm
        self.config = config
        self.room = room
        self.markets = markets
        self.owner_of = owner_of
        self.orders = Orders(realm, config.orders, run=run)
        self.trades = Trades(realm, config.orders)
        self.bundles = Bundles(realm, config.bundles, run=run)
        self.portfolio = Portfolio(realm)
        self.reconciler = Reconciler(realm, config.orders, skip=SKIPS[realm])
        self._owners = Owners(self.orders, self.portfolio, markets.spec, markets.by_token)
        self.halted: dict[tuple[str, str], str] = {}
        """Why new risk is refused in a market, by (market, cause)."""
        self._booked: list[FillChange] = []
        self.venue = VenueStanding(realm, at_ns=at_ns)
        self.cancels = Cancels(realm)
        self.flatten = Flatten(realm)
        self.port = ""
        """Name of the execution port; empty: there is none."""
        self.is_practice = True
        self.can_send = False
        self.config_hash = ""
        self.user_ns = 0
        self.offset_ns: int | None = None
        self.offset_at_ns = 0
        self.heartbeat_ns = 0
        self.heartbeat_id = ""
        self.allowance_u6 = 0
        self.moved_ns = 0
        self.last_sent_ns = 0
        self.cancel_all_ns = 0
        """When a cancel-all was last accepted."""
        self.flattening: tuple[str, ...] = ()
        """Markets whose bundles wait until a flatten is over."""
        self.payouts: dict[str, int] = {}
        """What a YES token of a resolved market pays."""
        self.redeemed_ns: dict[str, int] = {}
        """When what a resolved market pays was last asked for."""
        self.spares: dict[str, Spare] = {}
        """What entries leave under the caps, by bundle."""
        self.loops = Loops()
        self._entries: list[LedgerEntry] = []
        self._acts: list[Command] = []
        self._placed: list[Terms] = []

    @property
    def is_open(self) -> bool:
        """Tell whether there is a port at all."""
        return bool(self.port)

    # --- decisions -------------------------------------------------------------------------------

    def take(self, decision: Decision, *, at_ns: int, seq: int) -> list[Command]:
        """Turn an accepted decision into its first order, if everything agrees."""
        tracked = self.markets.tracked(decision.market)
        if tracked is None or not self.is_open:
            return []
        spec, epoch = tracked.spec, tracked.quality.epoch
        if len(decision.intents) > 1:
            drafts = self.bundles.plan(
                decision,
                spec,
                epoch,
                at_ns,
                seq,
                stock_u6=self.portfolio.pairs_u6(decision.market),
            )
        else:
            drafts = [single_draft(decision, spec, epoch)]
        for draft in drafts:
            self.submit(draft, at_ns=at_ns, seq=seq)
        return self.settle(at_ns=at_ns, seq=seq)

    def submit(self, draft: Draft, *, at_ns: int, seq: int) -> Order | None:
        """Make an order of a draft and ask the gate; None when its market is unknown."""
        tracked = self.markets.tracked(draft.market)
        if tracked is None:
            return None
        order = self.orders.draft(
            draft,
            tracked.spec,
            tracked.book.tick_u6,
            at_ns=at_ns,
            seq=seq,
            venue_offset_ns=self.offset_ns or 0,
        )
        if order.state is not OrderState.PROPOSED:
            return order
        reserve(self, draft.bundle)
        refusal = self._ask_gate(order, self.room.host, host_ns=self.room.host_ns, at_ns=at_ns)
        if refusal is not None:
            self.room.governor.note_refused(self.realm, refusal, draft, at_ns)
            self.orders.veto(order, refusal, at_ns=at_ns, seq=seq)
            self._make_way(order, refusal, at_ns=at_ns, seq=seq)
            return order
        self.orders.approve(order, at_ns=at_ns, seq=seq)
        self.room.governor.note_send(self.realm, order.cid, order.draft, at_ns)
        assert order.terms is not None, "expected an approved order to have terms"
        self._placed.append(order.terms)
        return order

    def _make_way(self, order: Order, refusal: Refusal, *, at_ns: int, seq: int) -> None:
        """Pull our own quotes from the way of a hedge or an exit: naked risk goes before them."""
        if refusal.control is not Control.SELF_CROSS or order.draft.purpose is Purpose.OPEN:
            return
        spec = self.markets.spec(order.draft.market)
        for token in () if spec is None else spec.tokens:
            for own in self.orders.open_on(token):
                if own.draft.purpose is Purpose.OPEN and not own.external:
                    why = f"in the way of {order.draft.purpose.value}"
                    self.orders.request_cancel(own, why=why, at_ns=at_ns, seq=seq)

    def gate(self, cid: str, host: HostFacts, *, at_ns: int) -> Refusal | None:
        """Ask the gate where bytes would leave: on the state and the host of this moment."""
        order = self.orders.by_cid.get(cid)
        if order is None or not self.orders.may_leave(cid):
            return LATE
        return self._ask_gate(order, host, host_ns=at_ns, at_ns=at_ns)

    def _ask_gate(
        self, order: Order, host: HostFacts, *, host_ns: int, at_ns: int
    ) -> Refusal | None:
        draft = order.draft
        if self.reconciler.has_slept(at_ns):
            return SLEPT
        barred = entry_refusal(self, draft) if draft.purpose is Purpose.OPEN else None
        if barred is not None:
            return barred
        facts = gate_facts(self, order, host, host_ns=host_ns, at_ns=at_ns)
        if isinstance(facts, Refusal):
            return facts
        return self.room.governor.judge(order, facts)

    def note_sent(self, order: Order, *, at_ns: int, seq: int) -> None:
        """Look once more at an order whose bytes were written: stale state there is our bug.

        Frames that waited while the gate was asked may have ended its book since: a change within
        the lag that the gate allows is news after the fact, not a bug. After a gap (C4) nothing can
        be told of the moment of writing any more: the gate was asked right before it.
        """
        self.last_sent_ns = at_ns
        if self.reconciler.has_slept(at_ns):
            return
        tracked = self.markets.tracked(order.draft.market)
        lag_ns = self.room.governor.limits.now.loop_lag_ms * MS
        is_news = tracked is not None and at_ns - tracked.quality.since_ns < lag_ns
        facts = gate_facts(
            self, order, self.room.host, host_ns=max(self.room.host_ns, at_ns - S), at_ns=at_ns
        )
        if isinstance(facts, GateFacts):
            found = self.room.governor.note_sent(order, facts, has_book_news=is_news)
            if found is not None:
                self.room.halt(
                    self.realm,
                    "stale_sent",
                    f"{order.cid}: {found.value}",
                    owner="governor",
                    at_ns=at_ns,
                )
                self.act(Notify(cause=seq, code="STALE_SENT", text=f"{order.cid} {found.value}"))

    # --- what machines say to each other ---------------------------------------------------------

    def act(self, command: Command) -> None:
        """Have a command carried out after the records of this step."""
        self._acts.append(command)

    def follow(self, actions: list[Action], *, at_ns: int, seq: int) -> None:
        """Do what a bundle asks."""
        for action in actions:
            match action:
                case MakeDraft():
                    self.submit(action.draft, at_ns=at_ns, seq=seq)
                case CancelOrder():
                    order = self.orders.by_cid.get(action.cid)
                    if order is not None:
                        self.orders.request_cancel(order, why=action.why, at_ns=at_ns, seq=seq)
                case MergePairs():
                    self.move(
                        "merge", action.market, action.qty_u6, request=action.request, seq=seq
                    )
                case Alert():
                    self.act(Notify(cause=seq, code=action.code.upper(), text=action.text[:200]))

    def move(self, op: str, market: str, qty_u6: int, *, request: str, seq: int) -> None:
        """Ask for a move on chain."""
        self.act(
            MovePairs(
                cause=seq, realm=self.realm, request=request, op=op, market=market, qty_u6=qty_u6
            )
        )

    def book(self, change: FillChange, *, at_ns: int, seq: int) -> None:
        """Carry one step of one trade to the ledger, the order, the bundle and the counters."""
        self._booked.append(change)
        entry = self.portfolio.apply(change, group=self.group_of(change))
        if entry is not None:
            self._entries.append(entry)
            self.moved_ns = at_ns
        order = self.orders.fill(change, at_ns=at_ns, seq=seq)
        if order is not None:
            self.expose(order)
        quotes = self.markets.quotes(change.market, at_ns=at_ns, seq=seq)
        self.follow(self.bundles.on_fill(change, at_ns, seq, quotes), at_ns=at_ns, seq=seq)
        governor = self.room.governor
        if change.kind is FillKind.PROVISIONAL:
            governor.desks[self.realm].rates.on_fill(change.market, at_ns)
            self.room.kill.on_fill()
            if order is not None and order.draft.purpose is Purpose.FLATTEN:
                self.flatten.on_exit(change.token, change.qty_u6)
        elif change.kind is FillKind.FAULT:
            why = f"trade {change.trade_id[:20]} confirmed and failed"
            self.room.halt(self.realm, "settlement_fault", why, owner="trades", at_ns=at_ns)
        else:
            self.reconciler.note_settled(at_ns)
            failed = change.kind is FillKind.VOIDED
            self.trip(governor.note_settled(self.realm, has_failed=failed, at_ns=at_ns), seq)

    def enter(self, entry: LedgerEntry | None, at_ns: int) -> None:
        """Keep a ledger entry that something other than a trade made."""
        if entry is not None:
            self._entries.append(entry)
            self.moved_ns = at_ns

    def trip(self, tripped: list[Breaker], seq: int) -> None:
        """Tell of breakers, and ask for the kill where one demands it."""
        self.room.is_dirty = self.room.is_dirty or bool(tripped)
        for breaker in tripped:
            text = f"{self.realm.value} {breaker.name}: {breaker.why}"
            self.act(Notify(cause=seq, code="BREAKER", text=text[:200]))
            if breaker.effect is Effect.KILL:
                self.room.wants_kill = text

    # --- settling --------------------------------------------------------------------------------

    def settle(self, *, at_ns: int, seq: int) -> list[Command]:
        """Carry changes around until there are none, then write records and what is to be done."""
        records: list[Command] = []
        touched: dict[str, Order] = {}
        for _ in range(ROUNDS_MAX):
            changed = self.orders.drain()
            if not changed:
                break
            for order in changed:
                touched[order.cid] = order
                self.expose(order)
                if order.state.is_terminal and not order.filled_u6:
                    self.room.governor.note_futile(self.realm, order.cid, order.draft)
                quotes = self.markets.quotes(order.draft.market, at_ns=at_ns, seq=seq)
                actions = self.bundles.on_order(order, at_ns, seq, quotes)
                self.follow(actions, at_ns=at_ns, seq=seq)
        else:
            raise EngineBug(f"expected an event to settle within {ROUNDS_MAX} rounds")
        records += [
            RecordOrder(cause=seq, order=order.record(self.realm)) for order in touched.values()
        ]
        records += [RecordTrade(cause=seq, trade=trade) for trade in self.trades.drain()]
        records += self._record_entries(seq)
        for bundle in self.bundles.drain():
            reserve(self, bundle.bundle)
            records.append(RecordBundle(cause=seq, bundle=bundle))
        records += self._record_anomalies()
        if touched:
            self.room.kill.update(self.realm, self.standing(), at_ns=at_ns)
            for request, asked in self.cancels.working():
                self.cancels.update(request, self.standing(asked.hashes), at_ns=at_ns)
            self._acts += self.flatten.update(self.standing(), at_ns=at_ns, seq=seq)
        acts, self._acts = self._acts, []
        if self._placed:
            acts += [PlaceOrders(cause=seq, realm=self.realm, orders=tuple(self._placed))]
            self._placed = []
        return records + acts

    def expose(self, order: Order) -> None:
        if order.is_counted and order.at_risk_u6 > 0:
            self.portfolio.expose(item_of(order))
        else:
            self.portfolio.release(order.cid)

    def _record_entries(self, seq: int) -> list[Command]:
        """Record the ledger entries of this step, with the positions and totals they lead to."""
        if not self._entries:
            return []
        entries, self._entries = self._entries, []
        positions = self.portfolio.drain_positions()
        records: list[Command] = [RecordEntry(cause=seq, entry=entry) for entry in entries[:-1]]
        records.append(RecordEntry(cause=seq, entry=entries[-1], positions=positions))
        records.append(RecordTotals(cause=seq, totals=self.portfolio.totals()))
        return records

    def _record_anomalies(self) -> list[RecordAnomaly]:
        return [*self.orders.drain_anomalies(), *self.trades.drain_anomalies()]

    def standing(self, hashes: tuple[str, ...] | None = None) -> Standing:
        """State what our own books know of all orders, or of some."""
        orders = self.orders.open() + [
            order for order in self.orders.in_flight() if not order.state.may_rest
        ]
        if hashes is not None:
            wanted = frozenset(hashes)
            orders = [order for order in orders if order.order_hash in wanted]
        unknown = sum(order.state is OrderState.UNKNOWN for order in orders)
        flying = sum(order.state in _FLYING for order in orders)
        return Standing(
            open_orders=len(orders) - unknown - flying,
            in_flight=flying,
            unknown=unknown,
            last_sent_ns=self.last_sent_ns,
            ack_max_ns=self.orders.ack_max_ns,
        )

    # --- time ------------------------------------------------------------------------------------

    def turn(self, *, at_ns: int, seq: int) -> list[Command]:
        """Run every loop that is due."""
        return self.loops.turn(self, at_ns=at_ns, seq=seq) if self.is_open else []

    def next_due_ns(self) -> int | None:
        """Return when `turn` has something to do."""
        return self.loops.next_due_ns(self) if self.is_open else None

    def acts(self, commands: Iterable[Command]) -> None:
        """Have commands carried out after the records of this step."""
        self._acts += commands

    def reconcile(self, *, at_ns: int, seq: int) -> None:
        """Let the reconciler ask for what is due, and believe the venue again when it may."""
        self._acts += self.reconciler.due(at_ns, seq, self._owners)
        self._apply(self.reconciler.drain(), at_ns, seq)

    def believe(self, event: Event, *, at_ns: int, seq: int) -> None:
        """Show an event to the reconciler, after its owners took it."""
        booked, self._booked = self._booked, []
        found = self.reconciler.on_event(event, self._owners, at_ns, seq, booked=booked)
        self._apply(found, at_ns, seq)

    def _apply(self, findings: list[Finding], at_ns: int, seq: int) -> None:
        """Halt and clear markets, alert, and let intake follow the reconciler's word."""
        for finding in findings:
            match finding:
                case HaltMarket():
                    self.halted[finding.market, finding.cause] = finding.why
                case ClearMarket():
                    self.halted.pop((finding.market, finding.cause), None)
                case Alert():
                    self.act(Notify(cause=seq, code=finding.code.upper(), text=finding.text[:200]))
        intake = self.reconciler.intake
        if intake.is_open:
            self.venue.trust(at_ns=at_ns)
        elif self.venue.state is VenueState.NORMAL:
            self.venue.distrust(intake.why, at_ns=at_ns)

    # --- small -----------------------------------------------------------------------------------

    def pair(self, market: str) -> tuple[Place, Place] | None:
        """Return both tokens' places, of a market that is listed or of which both are held."""
        spec = self.markets.spec(market)
        if spec is None:
            return self.portfolio.positions.pair(market)
        yes, no = (
            Place(token=token, market=market, group=spec.group, outcome=outcome)
            for token, outcome in zip(spec.tokens, Outcome, strict=True)
        )
        return yes, no

    def holder_of(self, market: str, *, besides: str = "") -> str:
        """Return the strategy whose orders or open bundle are in a market (invariant 8)."""
        spec = self.markets.spec(market)
        for token in () if spec is None else spec.tokens:
            for order in self.orders.open_on(token):
                draft = order.draft
                is_theirs = not order.external and draft.purpose is not Purpose.FLATTEN
                if is_theirs and draft.strategy != besides:
                    return draft.strategy
        for bundle in self.bundles.by_id.values():
            is_here = bundle.market == market and not bundle.state.is_terminal
            is_here = is_here and bundle.strategy != besides
            if is_here and (bundle.naked()[1] >= SMALL_U6 or bundle.has_pending):
                return bundle.strategy
        return ""

    def group_of(self, change: FillChange) -> str:
        """Return the venue's event of a fill's market: its order knows even before a listing."""
        order = self.orders.by_hash.get(change.order_hash)
        if order is not None and order.draft.group:
            return order.draft.group
        spec = self.markets.spec(change.market)
        return spec.group if spec is not None else ""


_FLYING: Final = frozenset(
    {OrderState.APPROVED, OrderState.JOURNALLED, OrderState.SIGNED, OrderState.SENT}
)
