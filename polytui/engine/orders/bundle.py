"""One bundle: its table of states, its children, and what they left in its hands.

The numbers come from trades, never from answers: an answer only says how much more is to come. A
child that may still fill, or whose answer promised more than its trades have shown, is *pending*,
and nothing is sent in its stead meanwhile: that is what keeps two hedges from closing one hole.
"""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from polytui.engine.core.account_view import LegView
from polytui.engine.core.enums import Outcome, Side
from polytui.engine.core.errors import EngineBug
from polytui.engine.core.events import MarketSpec
from polytui.engine.core.order_enums import (
    BundleState,
    FillKind,
    OrderState,
    OrderType,
    Purpose,
    Realm,
)
from polytui.engine.core.trading import BundleRecord, Draft, FillChange
from polytui.engine.orders.lifecycle import UNSENT, Order
from polytui.engine.orders.residue import DUST_U6

B = BundleState
EDGES: Final[Mapping[BundleState, frozenset[BundleState]]] = MappingProxyType(
    {
        B.PLANNED: frozenset({B.LEG1_SENT, B.LEG1_FILLED, B.RESIDUE, B.FLAT}),
        B.LEG1_SENT: frozenset({B.LEG1_FILLED, B.RESIDUE, B.FLAT}),
        B.LEG1_FILLED: frozenset({B.HEDGING, B.RESIDUE, B.FLAT}),
        B.HEDGING: frozenset({B.COMPLETE, B.RESIDUE, B.FLAT}),
        B.RESIDUE: frozenset({B.COMPLETE, B.FLAT}),
        B.COMPLETE: frozenset({B.RESIDUE, B.FLAT}),
        B.FLAT: frozenset({B.RESIDUE}),
    }
)
"""The lawful steps (execution reference §1). A fill before the order was known to be sent is B11; a
late fill or a failed settlement reopens what seemed over, as RESIDUE."""

NOTES_MAX = 64
"""Edges kept of one bundle; beyond, the oldest but the first go."""
CHILDREN_MAX = 64
"""Orders kept of one bundle; beyond, the oldest that traded nothing go."""
SMALL_U6 = 1_000_000
"""Less than a share is worth less than the smallest marketable order: it blocks nothing."""
_UNSENT = UNSENT | {OrderState.PROPOSED}


class Child:
    """One order of a bundle, asked for or made."""

    __slots__ = (
        "asked_ns",
        "cancel_ns",
        "cid",
        "covers_u6",
        "draft",
        "end",
        "good_u6",
        "order",
        "plan",
        "tended",
    )

    def __init__(self, draft: Draft, *, covers_u6: int, plan: str, at_ns: int) -> None:
        """Begin as asked for; it has no cid before its order is made."""
        self.draft = draft
        self.covers_u6 = covers_u6
        """Shares it was sent for; the draft of a marketable buy may name a little less."""
        self.plan = plan
        """`first`, `hedge`, `complete`, `sell` or `rest`."""
        self.cid = ""
        self.order: Order | None = None
        """Read only: `Orders` owns it."""
        self.good_u6 = 0
        """Of its trades that have not failed, as booked here."""
        self.asked_ns = at_ns
        self.cancel_ns = 0
        self.tended = False
        """Its end was looked at."""
        self.end = ""

    @property
    def is_open(self) -> bool:
        """Tell whether the order itself may still match; asked for and not made is open too."""
        return self.order is None or not self.order.state.is_terminal

    @property
    def was_sent(self) -> bool:
        """Tell whether its bytes may have left."""
        return self.order is not None and self.order.state not in _UNSENT

    @property
    def pending_u6(self) -> int:
        """Shares that may still come, and those that came and were not booked here yet.

        Over is over only when every share that the answer promised was seen as a trade.
        """
        order = self.order
        if order is None:
            return self.covers_u6
        unbooked_u6 = max(0, order.filled_u6 - self.good_u6)
        if not order.state.is_terminal:
            left_u6 = max(self.covers_u6 - self.good_u6, order.at_risk_u6, unbooked_u6)
            return max(left_u6, DUST_U6)
        silent = order.state is OrderState.MATCHED and not (order.seen_u6 or order.venue_matched_u6)
        if silent:
            return self.covers_u6
        waiting_u6 = order.awaited_u6 + unbooked_u6
        return waiting_u6 if waiting_u6 >= DUST_U6 else 0

    @property
    def is_over(self) -> bool:
        """Tell whether nothing more is expected of it."""
        return not self.is_open and not self.pending_u6


class Tally:
    """One outcome's shares and cash, of trades that were not voided."""

    __slots__ = ("bought_cash", "bought_u6", "moved_u6", "settled_in", "sold_cash", "sold_u6")

    def __init__(self) -> None:
        """Start empty."""
        self.bought_u6 = 0
        self.settled_in = 0
        """Of the bought: confirmed."""
        self.bought_cash = 0
        """Paid for it, fees included."""
        self.sold_u6 = 0
        self.sold_cash = 0
        """Received for it, net of fees."""
        self.moved_u6 = 0
        """Joined (or, negative, left) other than by trades of this bundle."""

    @property
    def held_u6(self) -> int:
        """Shares in hand; negative where a sell box gave away stock that was there before."""
        return self.bought_u6 - self.sold_u6 + self.moved_u6

    def add(self, change: FillChange, sign: int) -> None:
        """Book a trade, or with -1 take it out again exactly."""
        if change.side is Side.BUY:
            self.bought_u6 += sign * change.qty_u6
            self.bought_cash += sign * (change.cash_u6 + change.fee_u6)
        else:
            self.sold_u6 += sign * change.qty_u6
            self.sold_cash += sign * (change.cash_u6 - change.fee_u6)


class Bundle:
    """State of one bundle; written by `Bundles` alone."""

    __slots__ = (
        "alarms",
        "backers",
        "barred",
        "bite_u6",
        "buffer_u6",
        "children",
        "closed",
        "created_ns",
        "failed_ns",
        "frozen",
        "good",
        "group",
        "id",
        "is_late",
        "legs",
        "market",
        "merge_ns",
        "merge_tries",
        "merging_u6",
        "notes",
        "plan",
        "provisional",
        "ref",
        "request",
        "rest_over",
        "rest_until_ns",
        "retry_ns",
        "since_ns",
        "spec",
        "state",
        "strategy",
        "tallies",
        "tokens",
        "tries",
        "updated_ns",
        "why",
    )

    def __init__(self, bundle: str, strategy: str, market: str, legs: tuple[Draft, ...]) -> None:
        """Begin PLANNED, with nothing sent."""
        self.id = bundle
        self.strategy = strategy
        self.market = market
        self.group = legs[0].group if legs else ""
        self.legs = legs
        """As planned, hard leg first."""
        self.tokens = {leg.outcome: leg.token for leg in legs}
        self.state = BundleState.PLANNED
        self.spec: MarketSpec | None = None
        """As of its plan; None when restored."""
        self.created_ns = self.updated_ns = 0
        self.buffer_u6 = 0
        self.children: list[Child] = []
        self.tallies = {Outcome.YES: Tally(), Outcome.NO: Tally()}
        self.provisional: dict[tuple[str, str], FillChange] = {}
        """Trades whose settlement is open, by (trade id, order hash)."""
        self.good: dict[str, int] = {}
        """Shares of each order's trades that have not failed, whether its child is kept or not."""
        self.notes: list[tuple[int, str, str]] = []
        self.why = ""
        self.plan = ""
        self.since_ns = 0
        """Since when it is RESIDUE; 0: it is not."""
        self.failed_ns = 0
        """When a settlement failed that left a share or more naked; 0: none open."""
        self.ref: tuple[Outcome, int] | None = None
        """Naked outcome and planned price of completing it; None: the next quotes plan anew."""
        self.retry_ns = 0
        self.tries = 0
        self.backers: list[Bundle] = []
        """Siblings whose naked side it took over before their trades had settled."""
        self.barred: dict[str, int] = {}
        """Plans that were refused, and until when they are not tried again."""
        self.bite_u6 = 0
        """Largest exit the gate let through after it refused one for its size; 0: no bound."""
        self.alarms: set[str] = set()
        self.frozen = ""
        """Why nothing is sent any more; empty: it may."""
        self.closed = ""
        """The market ended, or a person took its holdings over."""
        self.is_late = False
        """Restored or reopened: leg prices are history, exits are priced anew."""
        self.rest_over = False
        self.rest_until_ns = 0
        self.merging_u6 = 0
        self.merge_ns = 0
        self.merge_tries = 0
        self.request = ""

    @classmethod
    def restored(cls, record: BundleRecord) -> "Bundle":
        """Begin as the store last knew it; children and trades are booked by the caller."""
        bundle = cls(record.bundle, record.strategy, record.market, record.legs)
        bundle.state = record.state
        bundle.created_ns, bundle.updated_ns = record.created_ns, record.updated_ns
        bundle.since_ns = record.residue_since_ns
        bundle.is_late = True
        for outcome, moved_u6 in zip(Outcome, record.moved, strict=True):
            bundle.tallies[outcome].moved_u6 = moved_u6
        bundle.notes = list(record.edges)
        bundle.why = record.edges[-1][2] if record.edges else ""
        if record.plan == "merge":
            bundle.plan, bundle.merging_u6 = record.plan, 1
            bundle.why = "merge without an answer: the balances decide"
        return bundle

    # --- what it holds ---------------------------------------------------------------------------

    def naked(self) -> tuple[Outcome, int]:
        """Return the outcome of which it holds too much, and by how much."""
        diff_u6 = self.tallies[Outcome.YES].held_u6 - self.tallies[Outcome.NO].held_u6
        return (Outcome.YES, diff_u6) if diff_u6 >= 0 else (Outcome.NO, -diff_u6)

    @property
    def pairs_u6(self) -> int:
        """Both sides in hand."""
        return max(0, min(tally.held_u6 for tally in self.tallies.values()))

    @property
    def is_settled(self) -> bool:
        """Tell whether no trade is provisional, nor one behind what it took over."""
        return not self.provisional and self.is_backed

    @property
    def is_done(self) -> bool:
        """Tell whether nothing can come of it any more but a late fill."""
        is_over = self.state.is_terminal and self.is_settled
        return is_over and not self.merging_u6 and not self.has_pending

    @property
    def is_backed(self) -> bool:
        """Tell whether every share that it took over has settled."""
        return not any(sibling.provisional for sibling in self.backers)

    @property
    def unsettled_u6(self) -> int:
        """Shares of one side, the larger, that are bought or on their way and may still fail."""
        return max(
            tally.bought_u6
            - tally.settled_in
            + sum(
                child.pending_u6
                for child in self.children
                if child.draft.side is Side.BUY and child.draft.outcome is outcome
            )
            for outcome, tally in self.tallies.items()
        )

    def sellable_u6(self, outcome: Outcome) -> int:
        """Shares of this bundle that are confirmed and not promised to an order (B14).

        Sold shares count as gone at once; stock of before belongs to a sell box for its plan only.
        """
        tally = self.tallies[outcome]
        stock_u6 = self.legs[0].qty_u6 if self.is_sell_box else 0
        promised_u6 = sum(
            child.pending_u6
            for child in self.children
            if child.draft.side is Side.SELL and child.draft.outcome is outcome
        )
        moved_u6 = tally.moved_u6 if self.is_backed else min(0, tally.moved_u6)
        free_u6 = stock_u6 + tally.settled_in + moved_u6 - tally.sold_u6 - promised_u6
        return max(0, free_u6)

    @property
    def is_sell_box(self) -> bool:
        """Tell a box that sells stock of both sides from one that buys both."""
        return bool(self.legs) and self.legs[0].side is Side.SELL

    # --- what is on its way ----------------------------------------------------------------------

    def exits(self) -> list[Child]:
        """List hedges and exits that may still fill."""
        return [c for c in self.children if c.draft.purpose is not Purpose.OPEN and not c.is_over]

    @property
    def covering_u6(self) -> int:
        """Shares that hedges and exits on their way may still close."""
        return sum(child.pending_u6 for child in self.exits())

    def first(self) -> Child | None:
        """Return the first leg's order while it may still fill."""
        for child in self.children:
            if child.draft.purpose is Purpose.OPEN and not child.is_over:
                return child
        return None

    @property
    def has_pending(self) -> bool:
        """Tell whether any child may still fill."""
        return any(not child.is_over for child in self.children)

    @property
    def is_resting(self) -> bool:
        """Tell whether a maker's exit stands in the book."""
        return any(child.draft.order_type is OrderType.GTD for child in self.exits())

    def child(self, cid: str) -> Child | None:
        """Find a child by its order."""
        return next((c for c in self.children if cid and c.cid == cid), None)

    # --- its machine -----------------------------------------------------------------------------

    def enter(self, state: BundleState, why: str, at_ns: int) -> None:
        """Take one step of the table.

        Raises:
            EngineBug: the step is not in it; the state stays as it was.
        """
        if state not in EDGES[self.state]:
            raise EngineBug(
                f"expected bundle {self.id} to go from {self.state.value} to one of "
                f"{sorted(s.value for s in EDGES[self.state])}, was {state.value}"
            )
        self.state = state
        self.since_ns = at_ns if state is BundleState.RESIDUE else 0
        if state is not BundleState.RESIDUE:
            self.plan = ""
        self.note(why, at_ns)

    def note(self, why: str, at_ns: int) -> None:
        """Keep why it is as it is; the same again is not news."""
        why = why[:80]
        self.updated_ns = at_ns
        if self.notes and self.notes[-1][1:] == (self.state.value, why):
            return
        self.why = why
        self.notes.append((at_ns, self.state.value, why))
        if len(self.notes) > NOTES_MAX:
            del self.notes[1]

    def book(self, change: FillChange) -> None:
        """Book one step of one trade, exactly once each: `Trades` folds the repetitions."""
        key = (change.trade_id, change.order_hash)
        tally = self.tallies[change.outcome]
        if change.kind is FillKind.PROVISIONAL:
            self.provisional[key] = change
            tally.add(change, 1)
            self._count(change, 1)
        elif change.kind is FillKind.PROMOTED:
            if self.provisional.pop(key, None) is not None and change.side is Side.BUY:
                tally.settled_in += change.qty_u6
        elif change.kind is FillKind.VOIDED and self.provisional.pop(key, None) is not None:
            tally.add(change, -1)
            self._count(change, -1)

    def _count(self, change: FillChange, sign: int) -> None:
        good_u6 = self.good[change.cid] = self.good.get(change.cid, 0) + sign * change.qty_u6
        child = self.child(change.cid)
        if child is not None:
            child.good_u6 = good_u6

    def adopt(self, child: Child) -> None:
        """Keep a child; of many only the latest that came to nothing are kept."""
        child.good_u6 = self.good.get(child.cid, 0)
        self.children.append(child)
        if len(self.children) > CHILDREN_MAX:
            vain = (c for c in self.children[1:] if c.tended and not c.good_u6)
            gone = next(vain, None)
            if gone is not None:
                self.children.remove(gone)

    # --- how others see it -----------------------------------------------------------------------

    def record(self, realm: Realm) -> BundleRecord:
        """Freeze it for the store; dust is in the residue too."""
        outcome, naked_u6 = self.naked()
        yes, no = self.tallies[Outcome.YES], self.tallies[Outcome.NO]
        return BundleRecord(
            realm=realm,
            bundle=self.id,
            strategy=self.strategy,
            market=self.market,
            state=self.state,
            created_ns=self.created_ns,
            updated_ns=self.updated_ns,
            legs=self.legs,
            orders=tuple(child.cid for child in self.children if child.cid),
            residue_token=self.tokens.get(outcome, "") if naked_u6 else "",
            residue_u6=naked_u6,
            residue_since_ns=self.since_ns,
            plan=self.plan,
            moved=(yes.moved_u6, no.moved_u6),
            edges=tuple(self.notes),
        )

    def leg_views(self) -> tuple[LegView, ...]:
        """Show each planned leg with what came of it, all orders on its token together."""
        views = []
        for leg in self.legs:
            tally = self.tallies[leg.outcome]
            is_buy = leg.side is Side.BUY
            cids = (c.cid for c in self.children if c.cid and c.draft.outcome is leg.outcome)
            views.append(
                LegView(
                    outcome=leg.outcome.value,
                    side=leg.side,
                    px_u6=leg.px_u6,
                    qty_u6=leg.qty_u6,
                    filled_u6=tally.bought_u6 if is_buy else tally.sold_u6,
                    paid_u6=tally.bought_cash if is_buy else -tally.sold_cash,
                    cids=tuple(cids),
                )
            )
        return tuple(views)
