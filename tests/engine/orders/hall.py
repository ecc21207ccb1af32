"""A trading hall for tests: our desk against the practice exchange, with a bad post between them.

Answers, user events and trades travel as messages that may be late, lost, doubled or out of order;
reads are answered from the exchange itself. What the two believe is compared when all is quiet.
"""

from typing import Final

from polytui.engine.core.account_events import (
    CancelAnswered,
    OrderAnswered,
    OrderRead,
    TradesRead,
)
from polytui.engine.core.commands import CancelOrders, Command, ReadOrder, ReadTrades
from polytui.engine.core.enums import Side
from polytui.engine.core.order_enums import (
    OrderState,
    OrderType,
    Realm,
    SendOutcome,
    TradeStatus,
    VenueCode,
    Witness,
)
from polytui.engine.core.rng import Rng
from polytui.engine.core.trading import MakerPart, VenueOrder, VenueTrade
from polytui.engine.core.units import U, text_u6
from polytui.engine.orders.lifecycle import Order
from polytui.engine.sim.exchange.api import (
    ErrorCode,
    OrderRequest,
    OrderView,
    PlaceResult,
    PlaceStatus,
    TradeView,
)
from polytui.engine.sim.exchange.emissions import (
    Emission,
    OrderCanceled,
    OrderFilled,
    OrderPlaced,
    TradeUpdate,
)
from polytui.engine.sim.exchange.exchange import Exchange
from polytui.engine.sim.exchange.terms import (
    DelayTerms,
    MarketTerms,
    Settings,
    SettlementTerms,
)
from tests.engine.orders.desk import CRYPTO, MARKET, MS, NO, START_NS, US, YES, Desk, S

OTHERS: Final = ("0xann", "0xbob")
_SAME: Final = {
    ErrorCode.ACCURACY: VenueCode.AMOUNTS,
    ErrorCode.PRODUCT: VenueCode.AMOUNTS,
    ErrorCode.ALLOWANCE: VenueCode.BALANCE,
    ErrorCode.OWNER: VenueCode.WALLET,
    ErrorCode.MAKER: VenueCode.WALLET,
}
Post = OrderAnswered | VenueOrder | VenueTrade


def shown_order(view: OrderView, event: str = "", text: str = "") -> VenueOrder:
    """Write an order as the venue's wire says it, decoded."""
    status = "CANCELED" if text and text != "UNMATCHED" else view.status.value
    return VenueOrder(
        order_hash=view.order_id,
        market=view.condition,
        token=view.token,
        side=view.side,
        px_u6=view.px_u6,
        qty_u6=view.qty_u6,
        matched_u6=view.matched_u6,
        status="INVALID" if text == "INVALID" else status,
        status_text=text,
        order_type=view.order_type,
        expiration_s=view.expiration_s,
        event=event,
    )


def shown_trade(view: TradeView) -> VenueTrade:
    """Write a trade as the venue's wire says it to us: no dollars, no fee."""
    return VenueTrade(
        trade_id=view.trade_id,
        market=view.condition,
        taker_hash=view.taker_order_id,
        token=view.token,
        side=view.side,
        px_u6=view.px_u6,
        qty_u6=view.qty_u6,
        status=TradeStatus(view.status.value.lower()),
        matched_s=view.matched_ns // S,
        tx_hash=view.tx_hash,
        is_taker=view.owner == US,
        makers=tuple(
            MakerPart(
                order_hash=one.order_id,
                maker=one.account,
                token=one.token,
                side=one.side,
                px_u6=one.px_u6,
                qty_u6=one.qty_u6,
            )
            for one in view.makers
        ),
    )


def answer_of(order: Order, result: PlaceResult) -> OrderAnswered:
    """Write an answer to an order as the adapter decodes it."""
    plain = {"realm": Realm.LIVE, "cid": order.cid, "order_hash": order.order_hash}
    error = result.error
    if error is not None:
        code = _SAME.get(error.code) or VenueCode(error.code.value)
        return OrderAnswered(
            **plain,  # type: ignore[arg-type]  # msgspec checks names
            outcome=SendOutcome.REFUSED,
            code=code,
            text=error.text[:80],
            http=error.http,
            took_ns=30 * MS,
        )
    assert result.status is not None
    return OrderAnswered(
        **plain,  # type: ignore[arg-type]  # msgspec checks names
        outcome=SendOutcome.ACCEPTED,
        status=result.status.value,
        making_u6=result.making_u6,
        taking_u6=result.taking_u6,
        trade_ids=result.trade_ids,
        took_ns=30 * MS,
    )


class Hall:
    """One market, two other traders, our desk, and the post."""

    def __init__(
        self, seed: int, *, fail: float = 0.0, loss: float = 0.0, sports_s: int = 0
    ) -> None:
        self.rng = Rng(seed)
        self.loss = loss
        self.desk = Desk()
        settlement = SettlementTerms(
            mine=DelayTerms(low_ms=500, high_ms=4_000),
            confirm=DelayTerms(low_ms=500, high_ms=8_000),
            fail_chance=fail,
            retry_chance=fail,
        )
        self.exchange = Exchange(
            rng=Rng(seed), start_ns=START_NS, settings=Settings(settlement=settlement)
        )
        self.exchange.list_market(
            MarketTerms(
                condition=MARKET,
                tokens=(YES, NO),
                question="Will it?",
                slug="will-it",
                fees=CRYPTO,
                seconds_delay=sports_s,
            )
        )
        for address in (US, *OTHERS):
            self.exchange.open_account(address)
            self.exchange.deposit(address, 100_000 * U)
            self.exchange.split(address, MARKET, 20_000 * U)
        self.exchange.drain()
        self.others = 0
        self.post: list[Post] = []
        self.views: dict[str, TradeView] = {}
        """Every trade of ours as the exchange has it."""
        self.orders: dict[str, OrderView] = {}
        """Every order of ours as the exchange last showed it."""

    # --- time and post ---------------------------------------------------------------------------

    def wait(self, ms: int) -> None:
        """Let time pass on both sides, deliver some post, do what is due."""
        self.desk.at_ns += ms * MS
        self.exchange.advance(self.desk.at_ns)
        self.collect()
        self.deliver()
        self.carry_out(self.desk.due() + self.desk.trades.due(**self.desk.stamp))
        self.collect()
        self.desk.audit()

    def collect(self) -> None:
        """Take what the exchange says of us to the post."""
        for emission in self.exchange.drain():
            message = self._message(emission)
            if message is not None and not self.rng.chance(self.loss):
                self.post.append(message)
                if self.rng.chance(self.loss):
                    self.post.append(message)

    def _message(self, emission: Emission) -> Post | None:
        match emission:
            case TradeUpdate(trade=view):
                if US not in (view.owner, *(one.owner for one in view.makers)):
                    return None
                self.views[view.trade_id] = view
                return shown_trade(view)
            case OrderPlaced(order=view) if view.owner == US:
                self.orders[view.order_id] = view
                return shown_order(view, "PLACEMENT")
            case OrderFilled(order=view) if view.owner == US:
                self.orders[view.order_id] = view
                return shown_order(view, "UPDATE")
            case OrderCanceled(order=view, status=text) if view.owner == US:
                self.orders[view.order_id] = view
                return shown_order(view, "CANCELLATION", text)
        return None

    def deliver(self, share: float = 0.7) -> None:
        """Deliver some of the post, in any order."""
        count = len(self.post) if share >= 1 else round(len(self.post) * share)
        for _ in range(count):
            self._hand(self.post.pop(self.rng.below(len(self.post))))

    def _hand(self, message: Post) -> None:
        desk = self.desk
        if isinstance(message, VenueTrade):
            desk.fold(message)
        elif isinstance(message, VenueOrder):
            desk.orders.seen(message, Witness.USER_STREAM, **desk.stamp)
        else:
            desk.orders.answered(message, **desk.stamp)

    # --- what we do ------------------------------------------------------------------------------

    def send(self, side: Side, px_u6: int, qty_u6: int, kind: OrderType, token: str) -> Order:
        """Send an order: its answer goes to the post or is lost, rarely it never arrives."""
        desk = self.desk
        order = desk.send(side, text_u6(px_u6), text_u6(qty_u6), kind, token=token)
        if order.terms is None or order.state is not OrderState.SENT:
            return order
        if self.rng.chance(self.loss / 2):
            desk.lose(order)
            return order
        result = self.exchange.place(request_of(order))
        held = result.status is PlaceStatus.DELAYED and result.is_held
        if held or self.rng.chance(self.loss):
            desk.lose(order)
        else:
            self.post.append(answer_of(order, result))
        self.collect()
        return order

    def carry_out(self, commands: list[Command]) -> None:
        """Do what the orders ask of the port; its answers may be lost as well."""
        desk = self.desk
        for command in commands:
            if self.rng.chance(self.loss / 2):
                self._fail(command)
            elif isinstance(command, ReadOrder):
                self._read(command)
            elif isinstance(command, ReadTrades):
                self._read_trades(command)
            elif isinstance(command, CancelOrders):
                result = self.exchange.cancel(US, command.hashes)
                event = CancelAnswered(
                    realm=Realm.LIVE,
                    request=command.request,
                    outcome=SendOutcome.ACCEPTED,
                    canceled=result.canceled,
                    not_canceled=result.not_canceled,
                )
                desk.orders.cancel_answered(event, **desk.stamp)

    def _fail(self, command: Command) -> None:
        if isinstance(command, ReadOrder):
            event = OrderRead(realm=Realm.LIVE, order_hash=command.order_hash, ok=False)
            self.desk.orders.read(event, **self.desk.stamp)

    def _read(self, command: ReadOrder) -> None:
        view = self.exchange.order(command.order_hash)
        event = OrderRead(
            realm=Realm.LIVE,
            order_hash=command.order_hash,
            ok=True,
            order=None if view is None else shown_order(view),
        )
        self.desk.orders.read(event, **self.desk.stamp)

    def _read_trades(self, command: ReadTrades) -> None:
        desk = self.desk
        after_s = command.after_s or None
        for view in self.exchange.trades(owner=US, trade_id=command.trade_id, after_s=after_s):
            desk.fold(shown_trade(view))
        event = TradesRead(
            realm=Realm.LIVE,
            request=command.request,
            asked_ns=desk.at_ns,
            ok=True,
            after_s=command.after_s,
            trade_id=command.trade_id,
        )
        desk.orders.trades_read(event, **desk.stamp)

    # --- what others do --------------------------------------------------------------------------

    def other(self, side: Side, px_u6: int, qty_u6: int, token: str) -> None:
        """Let somebody else place a limit order."""
        self.others += 1
        address = OTHERS[self.rng.below(2)]
        cash_u6 = px_u6 * qty_u6 // U
        maker_u6, taker_u6 = (cash_u6, qty_u6) if side is Side.BUY else (qty_u6, cash_u6)
        self.exchange.place(
            OrderRequest(
                order_id=f"0x{self.others:064x}",
                account=address,
                owner=address,
                token=token,
                side=side,
                maker_amount_u6=maker_u6,
                taker_amount_u6=taker_u6,
            )
        )
        self.collect()


def request_of(order: Order) -> OrderRequest:
    """Write our order as the exchange takes it."""
    terms = order.terms
    assert terms is not None
    return OrderRequest(
        order_id=terms.order_hash,
        account=terms.maker,
        owner=terms.maker,
        token=terms.token,
        side=terms.side,
        maker_amount_u6=terms.maker_amount_u6,
        taker_amount_u6=terms.taker_amount_u6,
        order_type=terms.order_type,
        post_only=terms.post_only,
        expiration_s=terms.expiration_s,
        salt=terms.salt,
    )
