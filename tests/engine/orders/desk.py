"""An order desk for tests: one realm, one market, a clock that moves when told, and an auditor."""

from typing import Any

from polytui.engine.core.account_events import (
    CancelAnswered,
    OrderAnswered,
    OrderRead,
    OrderStaged,
    TradesRead,
)
from polytui.engine.core.commands import Command
from polytui.engine.core.enums import Outcome, Side
from polytui.engine.core.events import FeeSchedule, MarketSpec
from polytui.engine.core.order_enums import (
    OrderState,
    OrderType,
    Realm,
    SendOutcome,
    TradeStatus,
    VenueCode,
    Witness,
)
from polytui.engine.core.runconfig import OrdersConfig
from polytui.engine.core.trading import (
    Draft,
    FillChange,
    Identity,
    MakerPart,
    VenueOrder,
    VenueTrade,
)
from polytui.engine.core.units import parse_u6
from polytui.engine.orders.lifecycle import EDGES, Order
from polytui.engine.orders.manager import Orders
from polytui.engine.orders.trades import Trades

MS = 1_000_000
S = 1_000 * MS
START_NS = 1_790_000_000 * S
MARKET = "0x" + "ab" * 32
YES, NO = "1" * 77, "2" * 77
US = "0x" + "11" * 20
IDENTITY = Identity(
    maker=US,
    signer=US,
    owner=US,
    signature_type=0,
    chain_id=137,
    exchange="0xe111180000d2663c0091e4f400237545b87b996b",
    neg_risk_exchange="0xe2222d279d744050d28e00520010520000310f59",
    exchange_v3="0xe3333700ca9d93003f00f0f71f8515005f6c00aa",
)
CRYPTO = FeeSchedule(rate_u6=70_000, exponent=1)
SPEC = MarketSpec(market=MARKET, tokens=(YES, NO), title="Will it?", group="g", fees=CRYPTO)
GTC, GTD, FOK, FAK = OrderType.GTC, OrderType.GTD, OrderType.FOK, OrderType.FAK
BUY, SELL = Side.BUY, Side.SELL
LIVE_ROW: dict[str, Any] = {"status": "LIVE"}


class Desk:
    """Orders and trades of the live realm, stepped by hand."""

    def __init__(self, config: OrdersConfig | None = None, *, run: str = "r1") -> None:
        self.config = config or OrdersConfig()
        self.orders = Orders(Realm.LIVE, self.config, run=run)
        self.orders.identity = IDENTITY
        self.trades = Trades(Realm.LIVE, self.config)
        self.at_ns = START_NS
        self.seq = 0
        self.specs = {MARKET: SPEC}
        self.booked: list[FillChange] = []

    # --- time ------------------------------------------------------------------------------------

    @property
    def stamp(self) -> dict[str, int]:
        """The next event's time and number."""
        self.seq += 1
        return {"at_ns": self.at_ns, "seq": self.seq}

    def wait(self, ms: int) -> list[Command]:
        """Let time pass; return what came due."""
        self.at_ns += ms * MS
        return self.due()

    def due(self) -> list[Command]:
        """Return what the orders want done now."""
        return self.orders.due(**self.stamp)

    # --- our side --------------------------------------------------------------------------------

    def draft(self, side: Side, px: str, qty: str, order_type: OrderType, **facts: Any) -> Order:
        """Make a PROPOSED order."""
        token = facts.pop("token", YES)
        draft = Draft(
            strategy="box",
            market=MARKET,
            group="g",
            token=token,
            outcome=Outcome.YES if token == YES else Outcome.NO,
            side=side,
            px_u6=parse_u6(px),
            qty_u6=parse_u6(qty),
            order_type=order_type,
            **facts,
        )
        return self.orders.draft(draft, SPEC, 10_000, venue_offset_ns=0, **self.stamp)

    def send(
        self,
        side: Side = BUY,
        px: str = "0.5",
        qty: str = "10",
        kind: OrderType = GTC,
        **facts: Any,
    ) -> Order:
        """Bring an order as far as SENT; one that cannot be stated stays VETOED."""
        order = self.draft(side, px, qty, kind, **facts)
        if order.state is OrderState.VETOED:
            return order
        self.orders.approve(order, **self.stamp)
        for stage in (OrderState.JOURNALLED, OrderState.SIGNED, OrderState.SENT):
            self.stage(order, stage)
        return order

    def stage(self, order: Order, stage: OrderState) -> None:
        """Note a stage on the way out."""
        event = OrderStaged(realm=Realm.LIVE, cids=(order.cid,), stage=stage)
        self.orders.staged(event, **self.stamp)

    def live(self, *args: Any, **facts: Any) -> Order:
        """Bring an order as far as LIVE."""
        order = self.send(*args, **facts)
        self.answer(order)
        return order

    # --- the venue's side ------------------------------------------------------------------------

    def answer(
        self,
        order: Order,
        outcome: SendOutcome = SendOutcome.ACCEPTED,
        status: str = "live",
        **facts: Any,
    ) -> None:
        """Answer the sending."""
        if outcome is not SendOutcome.ACCEPTED:
            status = ""
        for name in ("making", "taking"):
            if name in facts:
                facts[f"{name}_u6"] = parse_u6(facts.pop(name))
        plain = {"cid": order.cid, "order_hash": order.order_hash, **facts}
        event = OrderAnswered(
            realm=Realm.LIVE,
            outcome=outcome,
            status=status,
            **plain,
        )
        self.orders.answered(event, **self.stamp)

    def refuse(self, order: Order, code: VenueCode, **facts: Any) -> None:
        """Answer with a refusal."""
        self.answer(order, SendOutcome.REFUSED, code=code, **facts)

    def lose(self, order: Order) -> None:
        """Lose the answer."""
        self.answer(order, SendOutcome.UNKNOWN, text="timed out")

    def shown(self, order: Order, status: str = "LIVE", **facts: Any) -> VenueOrder:
        """Write an order as the venue shows it."""
        matched = facts.pop("matched", None)
        plain: dict[str, Any] = {
            "order_hash": order.order_hash,
            "market": order.draft.market,
            "token": order.draft.token,
            "side": order.draft.side,
            "px_u6": order.draft.px_u6,
            "qty_u6": order.qty_u6,
            "matched_u6": None if matched is None else parse_u6(matched),
            "status": status,
            "order_type": order.draft.order_type,
        }
        return VenueOrder(**{**plain, **facts})

    def user(self, order: Order, status: str = "LIVE", event: str = "UPDATE", **facts: Any) -> None:
        """Tell of an order on the user stream."""
        seen = self.shown(order, status, event=event, **facts)
        self.orders.seen(seen, Witness.USER_STREAM, **self.stamp)

    def row(self, order: Order, status: str = "LIVE", **facts: Any) -> None:
        """Show an order in a REST row."""
        self.orders.seen(self.shown(order, status, **facts), Witness.REST_READ, **self.stamp)

    def adopt(self, seen: VenueOrder) -> Order:
        """Take in an order made elsewhere."""
        self.seq += 1
        return self.orders.adopt(seen, at_ns=self.at_ns, seq=self.seq, spec=SPEC)

    def trade(
        self,
        order: Order,
        qty: str,
        status: TradeStatus = TradeStatus.MATCHED,
        *,
        trade_id: str = "t1",
        is_taker: bool = True,
        px: str = "",
    ) -> list[FillChange]:
        """Tell of a trade and book it."""
        return self.fold(self.venue_trade(order, qty, status, trade_id, is_taker=is_taker, px=px))

    def venue_trade(
        self,
        order: Order,
        qty: str,
        status: TradeStatus = TradeStatus.MATCHED,
        trade_id: str = "t1",
        *,
        is_taker: bool = True,
        px: str = "",
    ) -> VenueTrade:
        """Write a trade of an order, as taker or as the only maker."""
        draft, qty_u6 = order.draft, parse_u6(qty)
        px_u6 = parse_u6(px) if px else draft.px_u6
        other = BUY if draft.side is SELL else SELL
        part = MakerPart(
            order_hash="0xother" if is_taker else order.order_hash,
            maker="0xsomebody" if is_taker else US,
            token=draft.token,
            side=other if is_taker else draft.side,
            px_u6=px_u6,
            qty_u6=qty_u6,
        )
        return VenueTrade(
            trade_id=trade_id,
            market=draft.market,
            taker_hash=order.order_hash if is_taker else "0xother",
            token=draft.token,
            side=draft.side if is_taker else other,
            px_u6=px_u6,
            qty_u6=qty_u6,
            status=status,
            matched_s=self.at_ns // S,
            tx_hash="",
            is_taker=is_taker,
            makers=(part,),
        )

    def fold(self, trade: VenueTrade) -> list[FillChange]:
        """Fold a trade and book what it leads to."""
        changes = self.trades.fold(trade, self.orders, self.specs.get, **self.stamp)
        for change in changes:
            self.orders.fill(change, **self.stamp)
        self.booked += changes
        return changes

    def read(self, order: Order, seen: VenueOrder | None = None, *, ok: bool = True) -> None:
        """Answer a targeted read."""
        event = OrderRead(
            realm=Realm.LIVE,
            order_hash=order.order_hash,
            ok=ok,
            order=seen,
        )
        self.orders.read(event, **self.stamp)

    def trades_read(self, *, ok: bool = True, asked_ns: int | None = None) -> list[Order]:
        """Answer a read of all trades; their folding comes before."""
        event = TradesRead(
            realm=Realm.LIVE,
            request="r",
            asked_ns=self.at_ns if asked_ns is None else asked_ns,
            ok=ok,
        )
        return self.orders.trades_read(event, **self.stamp)

    def canceled(self, *orders: Order, kept: tuple[tuple[str, str], ...] = ()) -> None:
        """Answer a cancel."""
        event = CancelAnswered(
            realm=Realm.LIVE,
            request="c",
            outcome=SendOutcome.ACCEPTED,
            canceled=tuple(order.order_hash for order in orders),
            not_canceled=kept,
        )
        self.orders.cancel_answered(event, **self.stamp)

    def cancel(self, order: Order) -> bool:
        """Ask for an order's end."""
        return self.orders.request_cancel(order, why="test", **self.stamp)

    def prove_absent(self, order: Order) -> None:
        """Go through both reads that find nothing."""
        self.due()
        self.read(order)
        self.trades_read()

    def audit(self) -> None:
        """Recount everything from scratch."""
        audit(self.orders)


def state_of(order: Order) -> OrderState:
    """Ask for a state afresh: a type checker must not think it fixed by the last assertion."""
    return order.state


def audit(orders: Orders) -> None:
    """Hold invariants 11, 12 and 19, and every index and sum, against a slow recount."""
    cash_u6, shares = 0, dict[str, int]()
    counted, by_token = set(), dict[str, set[str]]()
    for cid, order in orders.by_cid.items():
        assert not order.order_hash or orders.by_hash[order.order_hash] is order
        check_order(order)
        if not order.state.is_terminal:
            due_ns = orders._reg.timers._due.get(cid)
            assert due_ns, f"expected a live deadline of {cid} in {order.state}"
            assert due_ns <= orders._reg.due_ns(order)
        if order.is_counted:
            counted.add(cid)
            cash_u6 += order.worst_cash_u6
            token = order.draft.token
            shares[token] = shares.get(token, 0) + order.reserved_qty_u6
            by_token.setdefault(token, set()).add(cid)
        in_state = orders._reg.by_state[order.state]
        assert cid in in_state
    assert sum(len(held) for held in orders._reg.by_state.values()) == len(orders.by_cid)
    assert orders.reserved_cash_u6 == cash_u6
    assert {order.cid for order in orders.counted()} == counted
    for token, reserved_u6 in shares.items():
        assert orders.reserved_qty_u6(token) == reserved_u6
        assert {order.cid for order in orders.open_on(token)} == by_token[token]


def check_order(order: Order) -> None:
    """Check one order: lawful steps with evidence, sums over trades, no child beyond its parent."""
    states = [edge.state for edge in order.edges]
    first = OrderState.UNKNOWN if order.external else OrderState.PROPOSED
    for before, after in zip([first, *states], states, strict=False):
        assert after in EDGES[before], f"{before} to {after} of {order.cid}"
    assert (states or [first])[-1] is order.state
    alive = [trade for trade in order.trades.values() if trade[2]]
    assert order.filled_u6 == sum(trade[0] for trade in alive) + order.unnamed[0]
    assert order.filled_cash_u6 == sum(trade[1] for trade in alive) + order.unnamed[1]
    if not order.budget_u6:
        assert order.filled_u6 + order.remaining_u6 <= max(order.qty_u6, order.filled_u6)
