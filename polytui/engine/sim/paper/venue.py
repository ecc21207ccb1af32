"""The paper venue: takes orders after a delay, fills them by the rules of `replay.md`, settles.

It is told what the market did (`on_event`) and the time (`advance`), answers the same commands a
real port answers, and says the same events. The same seed and the same tape give the same fills.
"""

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any, Final

from msgspec.structs import replace

from polytui.engine.core.account_events import (
    AccountEvent,
    AccountRestored,
    CancelAnswered,
    OrderStaged,
    UserBeat,
    UserStream,
    UserTrade,
)
from polytui.engine.core.commands import (
    CancelAll,
    CancelMarket,
    CancelOrders,
    PlaceOrders,
    PortCommand,
)
from polytui.engine.core.enums import Outcome, Side
from polytui.engine.core.events import (
    BookDelta,
    BookFrame,
    Event,
    MarketResolved,
    MarketSpec,
    PublicTrade,
)
from polytui.engine.core.ids import ConnId
from polytui.engine.core.order_enums import (
    OrderState,
    OrderType,
    Realm,
    SendOutcome,
    TradeStatus,
    VenueCode,
)
from polytui.engine.core.rng import Rng
from polytui.engine.core.runconfig import PaperConfig
from polytui.engine.core.trading import CASH, MakerPart, Refusal, Terms, VenueTrade
from polytui.engine.core.units import U
from polytui.engine.portfolio.ledger import CONFIRMED
from polytui.engine.sim.exchange.fees import fee_u6
from polytui.engine.sim.exchange.terms import FeeRounding
from polytui.engine.sim.exchange.terms import Settings as Rules
from polytui.engine.sim.paper.books import BidsOf, Displayed, Take, home_of
from polytui.engine.sim.paper.desk import PaperDesk
from polytui.engine.sim.paper.purse import Purse
from polytui.engine.sim.paper.resting import (
    DUST_U6,
    PaperOrder,
    answered,
    cash_u6,
    level_moved,
    user_event,
)
from polytui.engine.sim.population.calendar import Calendar

MS: Final = 1_000_000
SECOND_NS: Final = 1_000_000_000
EXPIRES_EARLY_S: Final = 60
"""The venue drops a GTD this long before the stated time (§3.1)."""
MARKETABLE_MIN_U6: Final = 1_000_000
CONN: Final = ConnId(0)
ROUNDING: Final = Rules().fee_rounding
STRANGER: Final = "0x" + "00" * 32
"""The other side of every paper trade."""


class PaperVenue:
    """One paper account and its orders."""

    def __init__(
        self,
        config: PaperConfig,
        *,
        seed: int,
        at_ns: int,
        bids_of: BidsOf,
        spec_of: Callable[[str], MarketSpec | None],
        gate: Callable[[str, int], Refusal | None],
    ) -> None:
        """Open an account; `bids_of` and `spec_of` look at the live market."""
        rng = Rng(seed).fork("paper")
        self._config = config
        self._delays = rng.fork("delays")
        self._fates = rng.fork("fates")
        self._spec_of = spec_of
        self._gate = gate
        self._tasks = Calendar(at_ns)
        self._out: list[AccountEvent] = []
        self._resting: dict[str, dict[str, PaperOrder]] = {}
        """By market, then order hash."""
        self.displayed = Displayed(bids_of)
        self.purse = Purse(config.cash_u6)
        self.orders: dict[str, PaperOrder] = {}
        self.trades: dict[str, VenueTrade] = {}
        self._tokens: dict[str, tuple[str, Outcome]] = {}
        self._desk = PaperDesk(self)
        self._beat_ns = at_ns
        self._readers: Mapping[type[Event], Callable[[Any], None]] = {
            BookFrame: self._on_book,
            BookDelta: self._on_delta,
            PublicTrade: self._on_trade,
            MarketResolved: self._on_resolved,
        }

    # --- time ------------------------------------------------------------------------------------

    @property
    def now_ns(self) -> int:
        """The venue's time."""
        return self._tasks.now_ns

    def next_due_ns(self) -> int | None:
        """Return when something happens next."""
        return self._tasks.next_due_ns()

    def advance(self, until_ns: int) -> list[AccountEvent]:
        """Let time pass; return what the engine hears."""
        self._tasks.run_until(until_ns)
        out, self._out = self._out, []
        return out

    def adopt(self, restored: AccountRestored) -> None:
        """Own what the books of an earlier run say; its open orders are gone."""
        rows = restored.totals.rows if restored.totals is not None else ()
        for account, asset, amount_u6 in rows:
            if account == CONFIRMED:
                self.purse.balances[asset] = amount_u6
        for one in restored.positions:
            self._tokens[one.token] = (one.market, one.outcome)

    def open(self) -> None:
        """Connect: the user stream is up and beats."""
        self._say(UserStream(realm=Realm.PAPER, conn=CONN, up=True))
        self._beat(self.now_ns)

    def _beat(self, at_ns: int) -> None:
        self._say(UserBeat(realm=Realm.PAPER, conn=CONN))
        self._tasks.at(at_ns + SECOND_NS, self._beat)

    def _say(self, event: AccountEvent) -> None:
        self._out.append(event)

    def later(self, event: AccountEvent) -> None:
        """Send an answer on its way back."""
        self._tasks.at(self.now_ns + self._delay_ns(), partial(self._tell, event))

    def _tell(self, event: AccountEvent, _at_ns: int) -> None:
        self._say(event)

    def _delay_ns(self) -> int:
        """Draw a delay whose median, 95th and 99th percentile are as configured."""
        p50, p95, p99 = self._config.submit_ms
        draw = self._delays.unit()
        if draw < 0.5:
            return int(p50 * (0.5 + draw)) * MS
        if draw < 0.95:
            return int(p50 + (p95 - p50) * (draw - 0.5) / 0.45) * MS
        return int(p95 + (p99 - p95) * (draw - 0.95) / 0.04) * MS

    # --- commands --------------------------------------------------------------------------------

    def carry_out(self, command: PortCommand) -> None:
        """Take a command of the engine."""
        if isinstance(command, PlaceOrders):
            self._send(command.orders)
        elif isinstance(command, CancelOrders | CancelMarket | CancelAll):
            due_ns = self.now_ns + self._delay_ns()
            self._tasks.at(due_ns, lambda _at_ns: self._cancel(command))
        else:
            self.later(self._desk.answer(command))

    def _send(self, orders: tuple[Terms, ...]) -> None:
        """Ask the gate at the last moment, as a live port does."""
        cids = tuple(terms.cid for terms in orders)
        for stage in (OrderState.JOURNALLED, OrderState.SIGNED):
            self._say(OrderStaged(realm=Realm.PAPER, cids=cids, stage=stage))
        for terms in orders:
            refusal = self._gate(terms.cid, self.now_ns)
            if refusal is not None:
                self._say(answered(terms, SendOutcome.NOT_SENT, refusal=refusal))
                continue
            staged = OrderStaged(realm=Realm.PAPER, cids=(terms.cid,), stage=OrderState.SENT)
            self._say(staged)
            due_ns = self.now_ns + self._delay_ns()
            self._tasks.at(due_ns, partial(self._arrive, terms))

    def _cancel(self, command: CancelOrders | CancelMarket | CancelAll) -> None:
        wanted = [order for order in self.orders.values() if order.is_open]
        if isinstance(command, CancelOrders):
            wanted = [order for order in wanted if order.terms.order_hash in command.hashes]
        elif isinstance(command, CancelMarket):
            wanted = [
                order
                for order in wanted
                if order.market == command.market and command.token in ("", order.terms.token)
            ]
        for order in wanted:
            self._end(order, "CANCELED")
        canceled = tuple(order.terms.order_hash for order in wanted)
        missing: tuple[tuple[str, str], ...] = ()
        if isinstance(command, CancelOrders):
            gone = [one for one in command.hashes if one not in canceled]
            missing = tuple((one, "Order not found or already canceled") for one in gone)
        self.later(
            CancelAnswered(
                realm=Realm.PAPER,
                request=command.request,
                outcome=SendOutcome.ACCEPTED,
                canceled=canceled,
                not_canceled=missing,
                http=200,
            )
        )

    # --- an order arrives ------------------------------------------------------------------------

    def _arrive(self, terms: Terms, _at_ns: int) -> None:
        order, code, text = self._admitted(terms)
        if order is None:
            self.later(answered(terms, SendOutcome.REFUSED, code=code, text=text))
            return
        found = self._found(order)
        if terms.post_only and found:
            text = "invalid post-only order: order crosses book"
            self.later(
                answered(terms, SendOutcome.REFUSED, code=VenueCode.POST_ONLY_CROSS, text=text)
            )
            return
        wanted = sum(qty_u6 for _, qty_u6 in found)
        if terms.order_type is OrderType.FOK and wanted < order.qty_u6:
            code = VenueCode.FOK_KILLED
            self.later(answered(terms, SendOutcome.REFUSED, code=code, text="FOK killed"))
            return
        if terms.order_type is OrderType.FAK and not found:
            code = VenueCode.FAK_KILLED
            self.later(answered(terms, SendOutcome.REFUSED, code=code, text="FAK killed"))
            return
        self._accept(order, found)

    def _admitted(self, terms: Terms) -> tuple[PaperOrder | None, VenueCode, str]:
        """Judge an order as the venue would: known market, not twice, covered."""
        if terms.order_hash in self.orders:
            return None, VenueCode.DUPLICATE, "is invalid. Duplicated."
        where = self.where(terms.token)
        spec = None if where is None else self._spec_of(where[0])
        if where is None or spec is None or not spec.accepting:
            return None, VenueCode.NO_BOOK, "No orderbook exists for the requested token id"
        order = PaperOrder(terms, where[0], where[1], self.now_ns)
        if terms.order_type.is_resting and order.qty_u6 < spec.min_qty_u6:
            return None, VenueCode.SIZE, f"lower than the minimum: {spec.min_order_text}"
        need_u6 = self._cover_u6(order, spec)
        if need_u6 > self.purse.free_u6(order.asset):
            return None, VenueCode.BALANCE, "not enough balance / allowance"
        order.reserved_u6 = need_u6
        return order, VenueCode.NONE, ""

    def where(self, token: str) -> tuple[str, Outcome] | None:
        """Say which market and outcome a token is of."""
        return self._tokens.get(token)

    def tokens_of(self, market: str) -> tuple[str, str] | None:
        """Return a market's tokens."""
        spec = self._spec_of(market)
        return None if spec is None else spec.tokens

    def watch(self, spec: MarketSpec) -> None:
        """Know a market's tokens."""
        self._tokens[spec.tokens[0]] = (spec.market, Outcome.YES)
        if spec.tokens[1]:
            self._tokens[spec.tokens[1]] = (spec.market, Outcome.NO)

    def _cover_u6(self, order: PaperOrder, spec: MarketSpec) -> int:
        """Return what an order needs: notional and the worst fee, or its shares."""
        terms = order.terms
        if terms.side is Side.SELL:
            return terms.maker_amount_u6
        fee = 0
        if spec.fees is not None and not terms.post_only:
            fee = fee_u6(terms.px_u6, order.qty_u6, spec.fees, FeeRounding.CEIL)
        return terms.maker_amount_u6 + fee

    def _found(self, order: PaperOrder) -> list[Take]:
        """Find what an order would take now: a market BUY by its budget, others by their size."""
        terms = order.terms
        offered = self.displayed.reachable(order.market, order.outcome, terms.side, terms.px_u6)
        is_budget = terms.side is Side.BUY and not terms.order_type.is_resting
        left_u6 = terms.maker_amount_u6 if is_budget else order.qty_u6
        takes: list[Take] = []
        for px_u6, shown_u6 in offered:
            want_u6 = left_u6 * U // px_u6 if is_budget else left_u6
            take_u6 = min(shown_u6, want_u6)
            if take_u6 <= 0:
                break
            takes.append((px_u6, take_u6))
            left_u6 -= -(-px_u6 * take_u6 // U) if is_budget else take_u6
        return takes

    def _accept(self, order: PaperOrder, found: list[Take]) -> None:
        terms = order.terms
        self.orders[terms.order_hash] = order
        self.purse.reserve(order.asset, order.reserved_u6)
        ids = [self._fill(order, px_u6, qty_u6, is_maker=False) for px_u6, qty_u6 in found]
        for px_u6, qty_u6 in found:
            self.displayed.take(order.market, order.outcome, terms.side, px_u6, qty_u6)
        taking, making = order.filled_u6, order.spent_u6
        if terms.side is Side.SELL:
            taking, making = making, taking
        if terms.order_type.is_resting and order.left_u6 >= DUST_U6:
            self._rest(order)
            status = "live" if not found else "matched"
        else:
            self._end(order, "MATCHED", is_told=False)
            status = "matched"
        self.later(
            answered(
                terms,
                SendOutcome.ACCEPTED,
                status=status,
                making_u6=making if found else 0,
                taking_u6=taking if found else 0,
                trade_ids=tuple(ids),
            )
        )
        self.later(user_event(order, "PLACEMENT"))

    def _rest(self, order: PaperOrder) -> None:
        """Join the queue, and book the end of a GTD."""
        terms = order.terms
        self._resting.setdefault(order.market, {})[terms.order_hash] = order
        if self.displayed.is_known(order.market):
            order.join(self.displayed.shown_u6(order.market, *order.home))
        if terms.order_type is OrderType.GTD:
            end_ns = (terms.expiration_s - EXPIRES_EARLY_S) * SECOND_NS
            self._tasks.at(end_ns, lambda _at_ns: self._end(order, "CANCELED_EXPIRED_ORDER"))

    def _end(self, order: PaperOrder, text: str, *, is_told: bool = True) -> None:
        """Take an order out of the book; what it reserved is free again."""
        if not order.is_open:
            return
        order.is_open = False
        order.text = text
        self.purse.reserve(order.asset, -order.reserved_u6)
        order.reserved_u6 = 0
        self._resting.get(order.market, {}).pop(order.terms.order_hash, None)
        if is_told:
            self.later(user_event(order, "CANCELLATION" if text.startswith("CANCEL") else "UPDATE"))

    # --- fills -----------------------------------------------------------------------------------

    def _fill(self, order: PaperOrder, px_u6: int, qty_u6: int, *, is_maker: bool) -> str:
        """Book a match and let it settle; return the trade's id."""
        terms = order.terms
        paid_u6 = cash_u6(terms.side, px_u6, qty_u6, is_maker=is_maker)
        order.filled_u6 += qty_u6
        order.spent_u6 += paid_u6
        given_u6 = paid_u6 if terms.side is Side.BUY else qty_u6
        released_u6 = min(order.reserved_u6, given_u6)
        order.reserved_u6 -= released_u6
        self.purse.reserve(order.asset, -released_u6)
        fee = 0 if is_maker else self._fee_u6(order, px_u6, qty_u6)
        self.purse.owe(order.asset, given_u6 + (fee if terms.side is Side.BUY else 0))
        trade_id = f"paper-{len(self.trades) + 1}"
        part = MakerPart(
            order_hash=terms.order_hash if is_maker else STRANGER,
            maker=terms.maker if is_maker else "",
            token=terms.token,
            side=terms.side,
            px_u6=px_u6,
            qty_u6=qty_u6,
        )
        trade = VenueTrade(
            trade_id=trade_id,
            market=order.market,
            taker_hash=STRANGER if is_maker else terms.order_hash,
            token=terms.token,
            side=terms.side,
            px_u6=px_u6,
            qty_u6=qty_u6,
            status=TradeStatus.MATCHED,
            matched_s=self.now_ns // SECOND_NS,
            tx_hash="",
            is_taker=not is_maker,
            makers=(part,),
        )
        self._show(trade)
        due_ns = self.now_ns + self._config.settle_ms * MS
        self._tasks.at(due_ns, partial(self._settle, order, trade, fee))
        return trade_id

    def _fee_u6(self, order: PaperOrder, px_u6: int, qty_u6: int) -> int:
        spec = self._spec_of(order.market)
        if spec is None or spec.fees is None:
            return 0
        return fee_u6(px_u6, qty_u6, spec.fees, ROUNDING)

    def _show(self, trade: VenueTrade) -> None:
        self.trades[trade.trade_id] = trade
        told = UserTrade(realm=Realm.PAPER, conn=CONN, trade=trade, venue_ms=self.now_ns // MS)
        self.later(told)

    def _settle(self, order: PaperOrder, trade: VenueTrade, fee: int, _at_ns: int) -> None:
        """Confirm or fail a trade; only the first moves money."""
        has_failed = self._fates.chance(self._config.failed_share)
        paid_u6 = cash_u6(trade.side, trade.px_u6, trade.qty_u6, is_maker=not trade.is_taker)
        is_buy = trade.side is Side.BUY
        self.purse.owe(order.asset, -(paid_u6 + fee if is_buy else trade.qty_u6))
        if not has_failed:
            sign = 1 if is_buy else -1
            self.purse.move(trade.token, sign * trade.qty_u6)
            self.purse.move(CASH, -sign * paid_u6 - fee)
        status = TradeStatus.FAILED if has_failed else TradeStatus.CONFIRMED
        self._show(replace(trade, status=status, tx_hash=f"0x{trade.trade_id}"))

    # --- what the market did ---------------------------------------------------------------------

    def on_event(self, event: Event) -> None:
        """Take an event of the market; others are ignored."""
        reader = self._readers.get(type(event))
        if reader is not None:
            reader(event)

    def _on_book(self, event: BookFrame) -> None:
        self.displayed.forget(event.market)
        for order in tuple(self._resting.get(event.market, {}).values()):
            self._look_again(order)

    def _on_delta(self, event: BookDelta) -> None:
        orders = self._resting.get(event.market)
        for token, is_buy, px_u6, qty_u6, _, _ in event.changes:
            where = self._tokens.get(token)
            if where is None:
                continue
            side = Side.BUY if is_buy else Side.SELL
            home = home_of(where[1], side, px_u6)
            self.displayed.refresh(event.market, *home)
            for order in tuple(orders.values()) if orders else ():
                if order.home == home:
                    level_moved(order, qty_u6)

    def _look_again(self, order: PaperOrder) -> None:
        """After a fresh book: join the queue at last, or see what became of the level."""
        if not self.displayed.is_known(order.market):
            return
        shown_u6 = self.displayed.shown_u6(order.market, *order.home)
        if order.averse is None:
            order.join(shown_u6)
        else:
            level_moved(order, shown_u6)

    def _on_trade(self, event: PublicTrade) -> None:
        """Let a print at an order's own price reach it; one at any other price does not."""
        where = self._tokens.get(event.token)
        if where is None or event.qty_u6 is None:
            return
        at = {
            (where[1], event.px_u6),
            (Outcome.NO if where[1] is Outcome.YES else Outcome.YES, U - event.px_u6),
        }
        for order in tuple(self._resting.get(event.market, {}).values()):
            if order.home in at and order.averse is not None and order.probabilistic is not None:
                self._reach(order, event.qty_u6)

    def _reach(self, order: PaperOrder, qty_u6: int) -> None:
        """Let a print advance both models; the configured one books the fill."""
        assert order.averse is not None, "expected an order in a queue"
        assert order.probabilistic is not None, "expected an order in a queue"
        whole_u6 = order.qty_u6
        by = {
            "averse": min(order.averse.on_print(qty_u6), whole_u6 - order.averse_u6),
            "probabilistic": min(
                order.probabilistic.on_print(qty_u6), whole_u6 - order.probabilistic_u6
            ),
        }
        order.averse_u6 += by["averse"]
        order.probabilistic_u6 += by["probabilistic"]
        fill_u6 = min(by[self._config.maker], order.left_u6)
        if fill_u6 <= 0:
            return
        self._fill(order, order.terms.px_u6, fill_u6, is_maker=True)
        if order.left_u6 < DUST_U6:
            self._end(order, "MATCHED")
        else:
            self.later(user_event(order, "UPDATE"))

    def _on_resolved(self, event: MarketResolved) -> None:
        for order in tuple(self._resting.get(event.market, {}).values()):
            self._end(order, "CANCELED_MARKET_RESOLVED")
        self._desk.resolve(event.market, event.winning_token)
