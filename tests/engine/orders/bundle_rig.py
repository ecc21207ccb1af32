"""A desk for bundles: real orders, a book that a test sets, and fills that it deals out."""

from typing import Any

from msgspec.structs import replace

from polytui.engine.core.account_events import PairsMoved
from polytui.engine.core.decision import Decision, Intent
from polytui.engine.core.enums import Outcome, Proof, Reason, Side, Verdict
from polytui.engine.core.events import FeeSchedule, MarketSpec
from polytui.engine.core.order_enums import (
    BundleState,
    Control,
    FillKind,
    OrderState,
    Purpose,
    Realm,
    SendOutcome,
    Witness,
)
from polytui.engine.core.runconfig import BundleConfig
from polytui.engine.core.trading import BundleRecord, Draft, FillChange, Refusal
from polytui.engine.core.units import U, fee_u6
from polytui.engine.market.snapshot import MarketSnapshot, Rung
from polytui.engine.orders.bundle import Bundle
from polytui.engine.orders.bundles import (
    Action,
    Alert,
    Bundles,
    CancelOrder,
    MakeDraft,
    MergePairs,
)
from polytui.engine.orders.lifecycle import Order
from polytui.engine.orders.residue import DUST_U6

MS = 1_000_000
S = 1_000 * MS
YES, NO = Outcome.YES, Outcome.NO
FEES = FeeSchedule(rate_u6=40_000)
SPEC = MarketSpec(market="0xm", tokens=("111", "222"), title="M", group="g", fees=FEES)


def shares(number: float) -> int:
    return round(number * U)


def price(number: float) -> int:
    return round(number * U)


def snapshot(
    *,
    yes: tuple[tuple[float, float], ...] = ((0.51, 500.0),),
    no: tuple[tuple[float, float], ...] = ((0.53, 500.0),),
    at_ns: int = 0,
    spec: MarketSpec = SPEC,
) -> MarketSnapshot:
    """Make a book from each token's bids, best first; a box at 0.47 and 0.49 by default."""

    def side(rungs: tuple[tuple[float, float], ...]) -> tuple[tuple[int, ...], tuple[int, ...]]:
        pairs: list[Rung] = sorted((price(p), shares(q)) for p, q in rungs)
        return tuple(p for p, _ in pairs), tuple(q for _, q in pairs)

    yes_px, yes_qty = side(yes)
    no_px, no_qty = side(no)
    return MarketSnapshot(
        id=7, at_ns=at_ns, age_ns=0, spec=spec, tick_u6=spec.tick_u6, epoch=3,
        proof=Proof.DIGEST, venue_ms=0, parity_share=1.0, yes_px=yes_px, yes_qty=yes_qty,
        no_px=no_px, no_qty=no_qty,
    )  # fmt: skip


def box(
    *,
    yes: float = 0.47,
    no: float = 0.49,
    qty: float = 20.0,
    side: Side = Side.BUY,
    first: Outcome = YES,
    name: str = "box-1",
    market: str = "0xm",
    **other: Any,
) -> Decision:
    legs = [(YES, "111", yes), (NO, "222", no)]
    if first is NO:
        legs.reverse()
    intents = tuple(
        Intent(
            strategy="box", tier=0, market=market, token=token, outcome=outcome, side=side,
            px_u6=price(px), qty_u6=shares(qty), snapshot=1, bundle=name, leg=n, ev_u6=1,
            confidence=1.0, risk_cost_u6=1,
        )
        for n, (outcome, token, px) in enumerate(legs)
    )  # fmt: skip
    facts: dict[str, Any] = {"score_u6": 12_000, "threshold_u6": 5_000, "intents": intents, **other}
    return Decision(
        strategy="box", market=market, snapshot=1, at_ns=0, verdict=Verdict.INTENT,
        reason=Reason.OK, **facts,
    )  # fmt: skip


class Desk:
    """Bundles with a virtual clock, orders of the real kind, and a venue played by the test."""

    def __init__(self, **config: Any) -> None:
        self.bundles = Bundles(Realm.PAPER, BundleConfig(**config))
        self.at_ns = 1_000 * S
        self.seq = 0
        self.run = "run"
        self.book: MarketSnapshot | None = snapshot()
        self.orders: dict[str, Order] = {}
        self.actions: list[Action] = []
        self.trades: dict[str, FillChange] = {}

    # --- what the engine does --------------------------------------------------------------------

    def plan(self, decision: Decision | None = None, **other: Any) -> list[Draft]:
        self.seq += 1
        decision = box() if decision is None else decision
        drafts = self.bundles.plan(decision, SPEC, 3, self.at_ns, self.seq, **other)
        for draft in drafts:
            self.make(draft)
        return drafts

    def make(self, draft: Draft) -> Order:
        self.seq += 1
        order = Order(f"{self.run}-{self.seq}-1", draft, None, at_ns=self.at_ns, fees=FEES)
        self.orders[order.cid] = order
        self.tell(order)
        return order

    def tell(self, order: Order) -> None:
        self.take(self.bundles.on_order(order, self.at_ns, self.seq, self.book))

    def take(self, actions: list[Action]) -> None:
        self.actions += actions
        for action in actions:
            if isinstance(action, MakeDraft):
                self.make(action.draft)

    def turn(self, ms: int = 0) -> None:
        """Let time pass, visiting every deadline on the way."""
        end_ns = self.at_ns + ms * MS
        while (due_ns := self.bundles.next_due_ns()) is not None and due_ns <= end_ns:
            self.at_ns = max(self.at_ns, due_ns)
            self.seq += 1
            self.take(self.bundles.due(self.at_ns, self.seq, lambda _: self.book))
            self.send_all()
        self.at_ns = end_ns

    # --- what the venue does ---------------------------------------------------------------------

    def send_all(self) -> None:
        """Send what was made: journalled, signed, sent."""
        for order in list(self.orders.values()):
            if order.state is OrderState.PROPOSED:
                for state in (
                    OrderState.APPROVED, OrderState.JOURNALLED, OrderState.SIGNED, OrderState.SENT,
                ):  # fmt: skip
                    order.enter(state, Witness.WIRE, self.at_ns, self.seq)
                self.tell(order)

    def end(self, order: Order, state: OrderState) -> None:
        order.enter(state, Witness.REST_ANSWER, self.at_ns, self.seq)
        self.tell(order)

    def veto(self, order: Order, control: Control = Control.FUNDS) -> None:
        order.refusal = Refusal(control=control, limit="a", value="b")
        is_made = order.state is OrderState.PROPOSED
        self.end(order, OrderState.VETOED if is_made else OrderState.REFUSED)

    def fill(
        self, order: Order, qty: float, *, px: float | None = None, over: bool = True
    ) -> FillChange:
        """Trade some of an order; `over` ends it, as a FAK ends."""
        if over:
            self.send_all()
        qty_u6 = shares(qty)
        px_u6 = order.draft.px_u6 if px is None else price(px)
        change = FillChange(
            kind=FillKind.PROVISIONAL, realm=Realm.PAPER, at_ns=self.at_ns, seq=self.seq,
            trade_id=f"t{len(self.trades)}", order_hash=order.cid, cid=order.cid,
            strategy=order.draft.strategy, market=order.draft.market, token=order.draft.token,
            outcome=order.draft.outcome, side=order.draft.side, px_u6=px_u6, qty_u6=qty_u6,
            cash_u6=px_u6 * qty_u6 // U,
            fee_u6=fee_u6(px_u6, qty_u6, rate_u6=FEES.rate_u6, exponent=1),
            is_maker=False, bundle=order.draft.bundle,
        )  # fmt: skip
        self.trades[change.trade_id] = change
        order.book(change.trade_id, qty_u6, change.cash_u6, counts=True, is_first=True)
        if over and not order.state.is_terminal:
            is_full = order.filled_u6 >= order.qty_u6 - DUST_U6
            state = OrderState.MATCHED if is_full else OrderState.CANCELED
            order.enter(state, Witness.REST_ANSWER, self.at_ns, self.seq)
        self.book_fill(change)
        self.tell(order)
        return change

    def miss(self, order: Order) -> None:
        """Kill a FAK without a trade."""
        self.send_all()
        self.end(order, OrderState.CANCELED)

    def book_fill(self, change: FillChange) -> None:
        self.take(self.bundles.on_fill(change, self.at_ns, self.seq, self.book))

    def confirm(self, change: FillChange) -> None:
        self.book_fill(replace(change, kind=FillKind.PROMOTED, at_ns=self.at_ns))

    def confirm_all(self) -> None:
        for change in self.trades.values():
            self.confirm(change)

    def fail(self, change: FillChange) -> None:
        order = self.orders.get(change.cid)
        if order is not None:
            order.book(change.trade_id, change.qty_u6, change.cash_u6, counts=False, is_first=False)
        self.book_fill(replace(change, kind=FillKind.VOIDED, at_ns=self.at_ns))

    def merged(self, outcome: SendOutcome = SendOutcome.ACCEPTED) -> None:
        asked = self.of(MergePairs)[-1]
        event = PairsMoved(
            realm=Realm.PAPER, request=asked.request, outcome=outcome, op="merge",
            market=asked.market, qty_u6=asked.qty_u6,
        )  # fmt: skip
        self.take(self.bundles.on_pairs_moved(event, self.at_ns, self.seq))

    # --- what a test asks ------------------------------------------------------------------------

    def of(self, kind: Any) -> list[Any]:
        return [action for action in self.actions if isinstance(action, kind)]

    def last(self) -> Order:
        return list(self.orders.values())[-1]

    def hedges(self) -> list[Order]:
        return [o for o in self.orders.values() if o.draft.purpose is not Purpose.OPEN]

    @property
    def bundle(self) -> Bundle:
        return next(iter(self.bundles.by_id.values()))

    def state(self) -> BundleState:
        return self.bundle.state

    def record(self) -> BundleRecord:
        return self.bundle.record(Realm.PAPER)

    def alerts(self) -> list[str]:
        return [alert.code for alert in self.of(Alert)]

    def cancels(self) -> list[CancelOrder]:
        return self.of(CancelOrder)

    def open_box(self, *, confirmed: bool = False) -> tuple[FillChange, FillChange]:
        """Fill both legs for 20 shares."""
        self.plan()
        self.send_all()
        one = self.fill(self.last(), 20)
        self.turn()
        two = self.fill(self.last(), 20)
        self.turn()
        if confirmed:
            self.confirm_all()
            self.turn()
        return one, two
