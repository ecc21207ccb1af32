"""Two legs as one: the hard leg first, the hedge for what filled, and an exit for what is left.

`Bundles` owns the bundles of one realm. It is told of orders, trades and time, and answers with
actions; it never sends. Holding one side naked is never a default: a clock runs from the moment a
side stands alone, and the cheapest lawful exit (`residue.py`) is tried until nothing is left. A
hedge never exceeds what is naked and not already covered by an order that may still fill (fault
catalogue, invariant 12), so an order whose fate is unknown delays a hedge rather than doubles it.
"""

from collections import deque
from collections.abc import Callable, Iterable

from msgspec.structs import replace

from polytui.engine.core.account_events import PairsMoved
from polytui.engine.core.decision import Decision
from polytui.engine.core.enums import Side, Unit
from polytui.engine.core.events import MarketSpec
from polytui.engine.core.order_enums import (
    Applied,
    BundleState,
    FillKind,
    OrderType,
    Purpose,
    Realm,
    SendOutcome,
)
from polytui.engine.core.runconfig import BundleConfig
from polytui.engine.core.timers import Timers
from polytui.engine.core.trading import BundleRecord, Draft, FillChange, TradeRecord
from polytui.engine.core.units import text_u6
from polytui.engine.market.snapshot import MarketSnapshot
from polytui.engine.orders.bundle import SMALL_U6, Bundle, Child
from polytui.engine.orders.bundle_acts import (
    Action,
    Alert,
    CancelOrder,
    MakeDraft,
    MergePairs,
    call_back,
    leg_draft,
    refusal_of,
)
from polytui.engine.orders.bundle_steps import (
    MERGE_AGAIN_NS,
    POLL_NS,
    Now,
    advance,
    next_due_ns,
    send,
)
from polytui.engine.orders.lifecycle import Order
from polytui.engine.orders.residue import DUST_U6, LOT_U6

__all__ = ["Action", "Alert", "Bundles", "CancelOrder", "MakeDraft", "MergePairs", "Quotes"]

Quotes = Callable[[str], MarketSnapshot | None]
"""The market as a strategy would be shown it now; None while its book may not be used."""

OVER_MAX = 512
"""Bundles that are over and settled, kept for their late fills; older ones are reopened bare."""
_OTHER_SIDE = "a sibling holds the other side"
NAKED_MAX = 1_024
"""Durations kept of sides left naked by failed settlements."""


class Bundles:
    """Owner of the bundles of one realm."""

    __slots__ = ("_changed", "_config", "_ended", "_realm", "_run", "_timers", "by_id", "naked_ns")

    def __init__(self, realm: Realm, config: BundleConfig, *, run: str = "") -> None:
        """Start with none; the run is part of every bundle's name, so that no two ever share it."""
        self._realm = realm
        self._run = run
        self._config = config
        self._timers = Timers()
        self._changed: dict[str, Bundle] = {}
        self._ended: dict[str, str] = {}
        """Markets that are over, and why: what fills there now belongs to the position alone."""
        self.by_id: dict[str, Bundle] = {}
        self.naked_ns: deque[int] = deque(maxlen=NAKED_MAX)
        """From the notice of a failed settlement until less than a share was naked (B13)."""

    # --- what goes in ----------------------------------------------------------------------------

    def plan(
        self,
        decision: Decision,
        spec: MarketSpec,
        epoch: int,
        at_ns: int,
        seq: int,
        *,
        stock_u6: int = 0,
    ) -> list[Draft]:
        """Take up an accepted decision; return its first leg, or nothing and a row with the reason.

        `stock_u6`: settled pairs of the account in this market, which a sell box may sell from.
        """
        del seq
        intents = sorted(decision.intents, key=lambda intent: intent.leg)
        name = self._name(intents[0].bundle if intents else decision.strategy)
        legs = tuple(leg_draft(decision, one, spec, epoch, bundle=name) for one in intents)
        bundle = self._begin(name, decision.strategy, decision.market, legs, at_ns)
        bundle.spec = spec
        if decision.unit is Unit.USD_PER_SHARE:
            bundle.buffer_u6 = max(0, decision.threshold_u6)
        free_u6 = stock_u6 - self._earmarked_u6(decision.market)
        why = refusal_of(decision, spec, free_u6) or self._busy(bundle)
        if why:
            bundle.enter(BundleState.FLAT, f"refused: {why}", at_ns)
            return []
        qty_u6 = min(leg.qty_u6 for leg in legs)
        if legs[0].side is Side.SELL:
            qty_u6 = min(qty_u6, free_u6 - free_u6 % LOT_U6)
        bundle.legs = tuple(replace(leg, qty_u6=qty_u6) for leg in legs)
        bundle.note(f"{legs[0].outcome.value} first, the leg less likely to fill", at_ns)
        act = send(bundle, bundle.legs[0], covers_u6=qty_u6, plan="first", at_ns=at_ns)
        self._schedule(bundle, Now(self._config, at_ns, None, is_turn=False))
        return [act.draft]

    def on_order(
        self, order: Order, at_ns: int, seq: int, quotes: MarketSnapshot | None = None
    ) -> list[Action]:
        """Follow an order that a bundle made, whatever became of it; others are none of ours."""
        del seq
        bundle = self.by_id.get(order.draft.bundle)
        if bundle is None or order.external:
            return []
        child = bundle.child(order.cid) or _unmade(bundle, order)
        if child is None:
            child = _adopted(order, at_ns)
            bundle.adopt(child)
        child.cid, child.order = order.cid, order
        return self._advance(bundle, Now(self._config, at_ns, quotes, is_turn=False))

    def on_fill(
        self, change: FillChange, at_ns: int, seq: int, quotes: MarketSnapshot | None = None
    ) -> list[Action]:
        """Book a step of a trade; a late one reopens its bundle, a failed one leaves a side naked.

        Each leg is judged against its own planned price and in one direction only: a better fill
        is never a fault. Hedges leave at once when the first leg is over, else with the turn; what
        a failed or a late one leaves waits for the turn, which may bring its counterpart.
        """
        del seq
        if not change.bundle:
            return []
        bundle = self.by_id.get(change.bundle)
        if bundle is None:
            bundle = self._reopened(change, at_ns)
        bundle.tokens[change.outcome] = change.token
        bundle.book(change)
        actions: list[Action] = []
        if change.kind is FillKind.VOIDED:
            bundle.note(f"trade of {text_u6(change.qty_u6)} {change.outcome.value} failed", at_ns)
        if change.kind is FillKind.FAULT:
            bundle.frozen = "settlement fault: a person decides"
            bundle.note(bundle.frozen, at_ns)
            actions.append(Alert(code="bundle_frozen", text=f"bundle {bundle.id}: {bundle.frozen}"))
        actions += _judge(bundle, change)
        self._clock(bundle, change.kind, at_ns)
        may_hedge = change.kind is FillKind.PROVISIONAL and not bundle.state.is_terminal
        now = Now(self._config, at_ns, quotes if may_hedge else None, is_turn=False)
        return actions + self._advance(bundle, now)

    def on_pairs_moved(self, event: PairsMoved, at_ns: int, seq: int) -> list[Action]:
        """Take the answer to a merge: only an accepted one has moved anything."""
        del seq
        for bundle in self.by_id.values():
            if bundle.request == event.request and bundle.merging_u6:
                break
        else:
            return []
        actions: list[Action] = []
        if event.outcome is SendOutcome.ACCEPTED:
            for tally in bundle.tallies.values():
                tally.moved_u6 -= event.qty_u6
            bundle.merging_u6 = 0
        elif event.outcome is SendOutcome.UNKNOWN:
            bundle.note("merge unknown: the balances decide", at_ns)
            text = f"bundle {bundle.id}: no answer to a merge of {text_u6(bundle.merging_u6)}"
            actions.append(Alert(code="merge_unknown", text=text))
        else:
            bundle.merging_u6 = 0
            bundle.merge_tries += 1
            bundle.merge_ns = at_ns + MERGE_AGAIN_NS
            bundle.note(f"merge {event.outcome.value}: {event.why}", at_ns)
        return actions + self._advance(bundle, Now(self._config, at_ns, None, is_turn=False))

    def end_market(self, market: str, *, why: str, at_ns: int, seq: int) -> None:
        """Hand over what bundles hold in a market that resolved, or that a person flattens."""
        del seq
        self._ended[market] = why
        for bundle in self.by_id.values():
            if bundle.market == market:
                self._hand_over(bundle, at_ns)

    def begin_market(self, market: str) -> None:
        """Let bundles begin again in a market that was flattened and not resolved."""
        self._ended.pop(market, None)

    # --- time ------------------------------------------------------------------------------------

    def due(self, at_ns: int, seq: int, quotes: Quotes) -> list[Action]:
        """Run what is due at the end of a turn: hedges, timeouts, exits, merges."""
        del seq
        actions: list[Action] = []
        for name in self._timers.pop_due(at_ns):
            bundle = self.by_id[name]
            now = Now(self._config, at_ns, quotes(bundle.market), is_turn=True)
            actions += self._advance(bundle, now)
        return actions

    def next_due_ns(self) -> int | None:
        """Return when `due` has something to do next."""
        return self._timers.next_due_ns()

    # --- what others read ------------------------------------------------------------------------

    def drain(self) -> list[BundleRecord]:
        """Return the records of what changed since the last drain, in order."""
        records = [bundle.record(self._realm) for bundle in self._changed.values()]
        self._changed.clear()
        return records

    def residues(self) -> list[Bundle]:
        """List bundles with a naked side, oldest first."""
        return [b for b in self.by_id.values() if b.state is BundleState.RESIDUE]

    # --- a restart -------------------------------------------------------------------------------

    def restore(
        self,
        records: Iterable[BundleRecord],
        *,
        orders: Iterable[Order],
        trades: Iterable[TradeRecord],
        at_ns: int,
        seq: int,
    ) -> None:
        """Rebuild bundles from their records, their orders and their trades; prices are history.

        Call it after `Orders.restore`. A merge without an answer stays unknown: it is not repeated.
        """
        del seq
        for record in records:
            self.by_id[record.bundle] = Bundle.restored(record)
        for order in orders:
            bundle = self.by_id.get(order.draft.bundle)
            if bundle is not None and not order.external:
                child = _adopted(order, order.created_ns)
                child.tended = order.state.is_terminal
                bundle.adopt(child)
        for trade in trades:
            bundle = self.by_id.get(trade.change.bundle)
            if bundle is not None:
                _rebook(bundle, trade)
        for bundle in self.by_id.values():
            for child in bundle.children:
                if child.order is not None:
                    child.good_u6 = max(child.good_u6, child.order.filled_u6)
            bundle.rest_until_ns = at_ns + self._config.rest_ms * 1_000_000
            self._timers.set(bundle.id, at_ns)

    # --- inside ----------------------------------------------------------------------------------

    def _advance(self, bundle: Bundle, now: Now) -> list[Action]:
        if bundle.market in self._ended:
            self._hand_over(bundle, now.at_ns)
            return []
        actions: list[Action] = []
        if bundle.state is BundleState.RESIDUE:
            actions += self._combine(bundle, now)
        actions += advance(bundle, now)
        self._schedule(bundle, now)
        return actions

    def _schedule(self, bundle: Bundle, now: Now) -> None:
        self._changed[bundle.id] = bundle
        due_ns = next_due_ns(bundle, now)
        if due_ns is not None and not now.is_turn:
            due_ns = now.at_ns
        if due_ns is None:
            self._timers.cancel(bundle.id)
        else:
            self._timers.set(bundle.id, due_ns)

    def _begin(
        self, name: str, strategy: str, market: str, legs: tuple[Draft, ...], at_ns: int
    ) -> Bundle:
        bundle = Bundle(name, strategy, market, legs)
        bundle.created_ns = bundle.updated_ns = at_ns
        self.by_id[name] = self._changed[name] = bundle
        if len(self.by_id) > OVER_MAX:
            self._forget()
        return bundle

    def _name(self, wish: str) -> str:
        """Make a name that is new: markets of one turn share the snapshot's number."""
        base = f"{self._run}-{wish}" if self._run else wish
        name, n = base, 1
        while name in self.by_id:
            n += 1
            name = f"{base}.{n}"
        return name

    def _forget(self) -> None:
        """Drop the oldest bundle that is over, settled and recorded."""
        for name, bundle in self.by_id.items():
            if bundle.is_done and name not in self._changed:
                del self.by_id[name]
                self._timers.cancel(name)
                return

    def _reopened(self, change: FillChange, at_ns: int) -> Bundle:
        """Take up a bundle of long ago again, without its plan: a late fill needs an exit only."""
        bundle = self._begin(change.bundle, change.strategy, change.market, (), at_ns)
        bundle.is_late = True
        bundle.enter(BundleState.FLAT, "over before", at_ns)
        return bundle

    def _busy(self, bundle: Bundle) -> str:
        """One box in flight per market (`quant.md` §1.4); crumbs of an old one are no reason."""
        if bundle.market in self._ended:
            return f"market ended: {self._ended[bundle.market]}"
        for one in self.by_id.values():
            if one is bundle or one.market != bundle.market or one.state.is_terminal:
                continue
            is_crumb = one.state is BundleState.RESIDUE and one.naked()[1] < SMALL_U6
            if not is_crumb or one.has_pending:
                return f"{one.id} is {one.state.value} in this market"
        return ""

    def _earmarked_u6(self, market: str) -> int:
        """Settled pairs of this market that bundles hold: they are merged, not sold again."""
        mine = (b for b in self.by_id.values() if b.market == market)
        return sum(b.pairs_u6 for b in mine if self._config.merge or not b.state.is_terminal)

    def _combine(self, bundle: Bundle, now: Now) -> list[Action]:
        """Lay naked sides of one market together: opposite ones close each other without an order.

        Equal ones may reach a minimum together. Where the two would close each other, what rests
        for either is called back first.
        """
        actions: list[Action] = []
        outcome, naked_u6 = bundle.naked()
        for sibling in self.residues() if naked_u6 >= DUST_U6 else ():
            same = (sibling.market, sibling.strategy) == (bundle.market, bundle.strategy)
            if sibling is bundle or not same or not (_may_join(bundle) and _may_join(sibling)):
                continue
            theirs, their_u6 = sibling.naked()
            if their_u6 < DUST_U6:
                continue
            both = (bundle, sibling)
            if theirs is not outcome:
                called = [act for one in both for act in call_back(one, _OTHER_SIDE, now.at_ns)]
                for one in both if called else ():
                    one.retry_ns = max(one.retry_ns, now.at_ns + POLL_NS)
                actions += called
            if not any(one.has_pending for one in both):
                self._join(bundle, sibling, now)
        return actions

    def _join(self, bundle: Bundle, sibling: Bundle, now: Now) -> None:
        """Take over a sibling's naked side, with the clock that runs on it."""
        outcome, qty_u6 = sibling.naked()
        sibling.tallies[outcome].moved_u6 -= qty_u6
        bundle.tallies[outcome].moved_u6 += qty_u6
        behind = [one for one in (sibling, *sibling.backers) if one.provisional]
        bundle.backers = [one for one in bundle.backers if one.provisional] + behind
        state = BundleState.COMPLETE if sibling.pairs_u6 >= DUST_U6 else BundleState.FLAT
        sibling.enter(state, f"combined into {bundle.id}", now.at_ns)
        bundle.note(f"took over {sibling.id}", now.at_ns)
        self._schedule(sibling, now)
        is_closed = bundle.naked()[1] < SMALL_U6
        starts = [one.failed_ns for one in (sibling, bundle) if one.failed_ns]
        if is_closed:
            self.naked_ns.extend(now.at_ns - start_ns for start_ns in starts)
        bundle.failed_ns = 0 if is_closed else min(starts, default=0)
        sibling.failed_ns = 0

    def _hand_over(self, bundle: Bundle, at_ns: int) -> None:
        """Leave the holdings to the portfolio: redeemed, or sold by another hand."""
        for tally in bundle.tallies.values():
            tally.moved_u6 -= tally.held_u6
        bundle.failed_ns = bundle.merging_u6 = 0
        bundle.closed = self._ended[bundle.market]
        if bundle.state is not BundleState.FLAT:
            bundle.enter(BundleState.FLAT, bundle.closed, at_ns)
        self._changed[bundle.id] = bundle
        self._timers.cancel(bundle.id)

    def _clock(self, bundle: Bundle, kind: FillKind, at_ns: int) -> None:
        """Run the clock of invariant B13 from the failed notice to less than a share naked."""
        _, naked_u6 = bundle.naked()
        if naked_u6 < SMALL_U6:
            if bundle.failed_ns:
                self.naked_ns.append(at_ns - bundle.failed_ns)
            bundle.failed_ns = 0
        elif kind is FillKind.VOIDED and not bundle.failed_ns:
            bundle.failed_ns = at_ns


def _unmade(bundle: Bundle, order: Order) -> Child | None:
    """Find the child that was asked for with this order's draft."""
    for child in bundle.children:
        if child.order is None and child.draft == order.draft:
            return child
    return None


def _adopted(order: Order, at_ns: int) -> Child:
    """Make a child of an order that names the bundle and was asked for by an earlier run."""
    draft = order.draft
    plan = "rest" if draft.order_type is OrderType.GTD else "hedge"
    if draft.purpose is Purpose.OPEN:
        plan = "first"
    child = Child(draft, covers_u6=draft.qty_u6, plan=plan, at_ns=at_ns)
    child.cid, child.order = order.cid, order
    return child


def _rebook(bundle: Bundle, trade: TradeRecord) -> None:
    """Book a stored trade as far as it had come."""
    if trade.applied in (Applied.NONE, Applied.VOIDED):
        return
    steps = [FillKind.PROVISIONAL]
    if trade.applied in (Applied.PROMOTED, Applied.FAULT):
        steps.append(FillKind.PROMOTED)
    for kind in steps:
        bundle.book(replace(trade.change, kind=kind))
    bundle.tokens[trade.change.outcome] = trade.change.token
    if trade.applied is Applied.FAULT:
        bundle.frozen = "settlement fault: a person decides"


def _may_join(bundle: Bundle) -> bool:
    return not (bundle.frozen or bundle.is_sell_box or bundle.merging_u6)


def _judge(bundle: Bundle, change: FillChange) -> list[Action]:
    """Tell of a fill worse than its own order's limit: the venue must not, and better is fine."""
    child = bundle.child(change.cid)
    if child is None or change.kind is not FillKind.PROVISIONAL:
        return []
    limit_u6 = child.draft.px_u6
    is_buy = child.draft.side is Side.BUY
    if change.px_u6 <= limit_u6 if is_buy else change.px_u6 >= limit_u6:
        return []
    text = (
        f"bundle {bundle.id}: {change.side.value} filled at {text_u6(change.px_u6)}, "
        f"limit {text_u6(limit_u6)}"
    )
    return [Alert(code="leg_worse", text=text)]
