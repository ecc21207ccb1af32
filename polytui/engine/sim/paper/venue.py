"""The paper venue: takes orders after a delay, fills them by the rules of `replay.md`, settles.

It is told what the market did (`on_event`) and the time (`advance`), answers the same commands a
real port answers, and says the same events. The same seed and the same tape give the same fills.

An order that is sent at t reaches the venue at t + submit. The book of that moment is known here
only a feed's delay later: then the order is matched, and its answer is on its way back since
t + submit. Nothing is ever matched against data that had not been received.
"""

from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any, Final

from polytui.engine.core.account_events import (
    AccountEvent,
    AccountRestored,
    CancelAnswered,
    OrderStaged,
)
from polytui.engine.core.commands import (
    CancelAll,
    CancelMarket,
    CancelOrders,
    PlaceOrders,
    PortCommand,
    ReadClock,
    SendHeartbeat,
)
from polytui.engine.core.enums import Outcome, Side
from polytui.engine.core.events import (
    BookDelta,
    BookFrame,
    Event,
    FeeSchedule,
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
    VenueCode,
)
from polytui.engine.core.rng import Rng
from polytui.engine.core.runconfig import PaperConfig
from polytui.engine.core.trading import Refusal, Terms, VenueTrade
from polytui.engine.core.units import U
from polytui.engine.orders.fills import booked_fee_u6
from polytui.engine.portfolio.ledger import CONFIRMED
from polytui.engine.sim.exchange.amounts import Sizing
from polytui.engine.sim.paper.books import BidsOf, Displayed, StretchOf
from polytui.engine.sim.paper.delays import Delays, Leg
from polytui.engine.sim.paper.desk import PaperDesk
from polytui.engine.sim.paper.lines import Lines, Where
from polytui.engine.sim.paper.plans import (
    Plan,
    check_expiry,
    check_taking,
    hold_applies,
    make_plan,
    need_u6,
    size_order,
)
from polytui.engine.sim.paper.post import Post
from polytui.engine.sim.paper.purse import Purse
from polytui.engine.sim.paper.report import PaperReport, PaperSummary, Tally, order_rows
from polytui.engine.sim.paper.resting import DUST_U6, PaperOrder, answered, cash_u6
from polytui.engine.sim.paper.settlement import Settlement
from polytui.engine.sim.population.calendar import Calendar

SECOND_NS: Final = 1_000_000_000
EXPIRES_EARLY_S: Final = 60
"""The venue drops a GTD this long before the stated time (§3.1)."""
CONN: Final = ConnId(0)
ENDED_MAX: Final = 20_000
"""Orders remembered after their end."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Eyes:
    """How the venue looks at the live market, which it never changes."""

    bids_of: BidsOf
    stretch_of: StretchOf
    spec_of: Callable[[str], MarketSpec | None]
    tick_of: Callable[[str], int]
    """The price grid that holds now: it changes live."""


class PaperVenue:
    """One paper account and its orders."""

    def __init__(
        self,
        config: PaperConfig,
        *,
        seed: int,
        at_ns: int,
        eyes: Eyes,
        gate: Callable[[str, int], Refusal | None],
    ) -> None:
        """Open an account."""
        rng = Rng(seed).fork("paper")
        self._config = config
        self._delays = Delays(config, rng.fork("delays"))
        self._eyes = eyes
        self._gate = gate
        self._tasks = Calendar(at_ns)
        self._post = Post(self._tasks, self._delays)
        self._tokens: dict[str, Where] = {}
        self._displayed = Displayed(eyes.bids_of)
        self._lines = Lines(
            self._displayed, eyes.stretch_of, where=self._tokens, filled=self._reached
        )
        self.purse = Purse(config.cash_u6)
        self.orders: dict[str, PaperOrder] = {}
        """Taken, by hash; ended ones are forgotten in the end."""
        self._open: dict[str, PaperOrder] = {}
        self._held: dict[str, None] = {}
        self._ended: deque[str] = deque()
        self._tally = Tally(config.maker)
        self._settlement = Settlement(
            self.purse,
            tasks=self._tasks,
            post=self._post,
            delays=self._delays,
            fates=rng.fork("fates"),
            failed_share=config.failed_share,
            tally=self._tally,
        )
        self._desk = PaperDesk(self)
        self._readers: Mapping[type[Event], Callable[[Any], None]] = {
            BookFrame: self._lines.on_frame,
            BookDelta: self._lines.on_delta,
            PublicTrade: self._lines.on_trade,
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
        """Let time pass; return what the engine hears.

        All events up to `until_ns` were shown before: what comes due now meets the book as it is.
        """
        self._lines.place()
        self._tasks.run_until(until_ns)
        return self._post.collect()

    def adopt(self, restored: AccountRestored) -> None:
        """Own what the books of an earlier run say.

        Its open orders are gone; its trades that were not final settle in this run.
        """
        if restored.totals is not None:
            self.purse.balances = {
                asset: amount_u6
                for account, asset, amount_u6 in restored.totals.rows
                if account == CONFIRMED
            }
        for one in restored.positions:
            self._tokens[one.token] = (one.market, one.outcome)
        self._settlement.adopt(restored)

    def open(self) -> None:
        """Connect: the user stream is up and beats."""
        self._post.open()

    # --- commands --------------------------------------------------------------------------------

    def carry_out(self, command: PortCommand) -> None:
        """Take a command of the engine."""
        if isinstance(command, PlaceOrders):
            self._send(command.orders)
        elif isinstance(command, CancelOrders | CancelMarket | CancelAll):
            feed_ns, due_ns = self._way(command.request)
            self._tasks.at(due_ns, partial(self._cancel, command, feed_ns))
        elif isinstance(command, ReadClock | SendHeartbeat):
            self._post.say(self._desk.answer(command))
        else:
            name = getattr(command, "request", "") or f"read:{self.now_ns}"
            self._post.answer(self._desk.answer(command), name)

    def _way(self, name: str) -> tuple[int, int]:
        """Return the feed's delay, and when a request meets the book as we will have seen it."""
        feed_ns = self._delays.draw_ns(Leg.FEED, name)
        return feed_ns, self.now_ns + self._delays.draw_ns(Leg.SUBMIT, name) + feed_ns

    def _send(self, orders: tuple[Terms, ...]) -> None:
        """Ask the gate at the last moment, as a live port does."""
        cids = tuple(terms.cid for terms in orders)
        for stage in (OrderState.JOURNALLED, OrderState.SIGNED):
            self._post.say(OrderStaged(realm=Realm.PAPER, cids=cids, stage=stage))
        for terms in orders:
            refusal = self._gate(terms.cid, self.now_ns)
            if refusal is not None:
                self._post.say(answered(terms, SendOutcome.NOT_SENT, refusal=refusal))
                continue
            sent = OrderStaged(realm=Realm.PAPER, cids=(terms.cid,), stage=OrderState.SENT)
            self._post.say(sent)
            feed_ns, due_ns = self._way(orders[0].order_hash)
            self._tasks.at(due_ns, partial(self._arrive, terms, feed_ns))

    def _cancel(
        self, command: CancelOrders | CancelMarket | CancelAll, feed_ns: int, at_ns: int
    ) -> None:
        missing: list[tuple[str, str]] = []
        if isinstance(command, CancelOrders):
            wanted = [self._open[one] for one in command.hashes if one in self._open]
            gone = [one for one in command.hashes if one not in self._open]
            missing = [(one, "Order not found or already canceled") for one in gone]
        else:
            wanted = list(self._open.values())
            if isinstance(command, CancelMarket):
                tokens = (command.token,) if command.token else self.tokens_of(command.market) or ()
                wanted = [order for order in wanted if order.terms.token in tokens]
        for order in wanted:
            self._end(order, "CANCELED")
        event = CancelAnswered(
            realm=Realm.PAPER,
            request=command.request,
            outcome=SendOutcome.ACCEPTED,
            canceled=tuple(order.terms.order_hash for order in wanted),
            not_canceled=tuple(missing),
            http=200,
        )
        self._post.answer(event, f"cancel:{command.request}", since_ns=at_ns - feed_ns)

    # --- an order arrives ------------------------------------------------------------------------

    def _arrive(self, terms: Terms, feed_ns: int, at_ns: int) -> None:
        """Judge an order as the venue would, and match what matches."""
        since_ns = at_ns - feed_ns
        order, sizing, code, text = self._admitted(terms)
        if order is None or sizing is None:
            self._refuse(terms, code, text, since_ns)
            return
        spec = self._eyes.spec_of(order.market)
        hold_ns = self._delays.hold_ns if spec is not None and hold_applies(spec) else 0
        if hold_ns and not terms.post_only and self._plan(order, sizing).takes:
            self._held[terms.order_hash] = None
            self.purse.reserve(order.asset, terms.maker_amount_u6)
            due_ns = at_ns + hold_ns
            self._tasks.at(due_ns, partial(self._release, order, sizing, feed_ns))
            return
        self._match(order, sizing, since_ns)

    def _release(self, order: PaperOrder, sizing: Sizing, feed_ns: int, at_ns: int) -> None:
        """End a taker's delay: it meets the book of this moment."""
        terms = order.terms
        del self._held[terms.order_hash]
        self.purse.reserve(order.asset, -terms.maker_amount_u6)
        if self._desk.is_resolved(order.market):
            self._refuse(terms, VenueCode.NO_BOOK, "the market has ended", at_ns - feed_ns)
            return
        self._match(order, sizing, at_ns - feed_ns)

    def _refuse(self, terms: Terms, code: VenueCode, text: str, since_ns: int) -> None:
        self._tally.refused += 1
        event = answered(terms, SendOutcome.REFUSED, code=code, text=text, http=400)
        self._post.answer(event, terms.order_hash, since_ns=since_ns)

    def _admitted(self, terms: Terms) -> tuple[PaperOrder | None, Sizing | None, VenueCode, str]:
        """Judge what does not depend on the book: market, amounts, grid, expiry, not twice."""
        where = self.where(terms.token)
        spec = None if where is None else self._eyes.spec_of(where[0])
        if where is None or spec is None or self._desk.is_resolved(where[0]):
            return None, None, VenueCode.NO_BOOK, "No orderbook exists for the requested token id"
        if not spec.accepting:
            text = "the market is not yet ready to process new orders"
            return None, None, VenueCode.NOT_READY, text
        sizing, no = size_order(terms, spec, self._eyes.tick_of(where[0]))
        if sizing is None:
            return None, None, *no
        late = check_expiry(terms, self.now_ns)
        if late is not None:
            return None, None, *late
        if terms.order_hash in self.orders or terms.order_hash in self._held:
            return None, None, VenueCode.DUPLICATE, "is invalid. Duplicated."
        order = PaperOrder(terms, where[0], where[1], self.now_ns)
        return order, sizing, VenueCode.NONE, ""

    def _plan(self, order: PaperOrder, sizing: Sizing) -> Plan:
        side = order.terms.side
        offered = self._displayed.reachable(order.market, order.outcome, side, sizing.limit_u6)
        return make_plan(side, sizing, offered, self._fees_of(order.market))

    def _match(self, order: PaperOrder, sizing: Sizing, since_ns: int) -> None:
        terms = order.terms
        plan = self._plan(order, sizing)
        no = check_taking(terms, sizing, plan)
        if no is None and need_u6(terms, sizing, plan) > self.purse.free_u6(order.asset):
            no = (VenueCode.BALANCE, "not enough balance / allowance")
        if no is not None:
            self._refuse(terms, *no, since_ns)
            return
        self._tally.orders += 1
        self.orders[terms.order_hash] = self._open[terms.order_hash] = order
        self._post.stream_order(order, "PLACEMENT")
        self._post.answer(
            answered(
                terms,
                SendOutcome.ACCEPTED,
                status="matched" if plan.takes else "live",
                making_u6=plan.cash_u6 if terms.side is Side.BUY else plan.qty_u6,
                taking_u6=plan.qty_u6 if terms.side is Side.BUY else plan.cash_u6,
                trade_ids=self._take(order, plan),
                http=200,
            ),
            terms.order_hash,
            since_ns=since_ns,
        )
        if terms.order_type.is_resting and order.left_u6 >= DUST_U6:
            self._rest(order)
        else:
            is_done = plan.is_full(sizing) or terms.order_type.is_resting
            self._end(order, "MATCHED" if is_done else "CANCELED")

    def _take(self, order: PaperOrder, plan: Plan) -> tuple[str, ...]:
        """Fill what the plan takes; those shares are spent."""
        side = order.terms.side
        ids = []
        for px_u6, qty_u6 in plan.takes:
            ids.append(self._fill(order, px_u6, qty_u6, is_maker=False))
            self._displayed.take(order.market, order.outcome, side, px_u6, qty_u6)
        order.taken_u6 = plan.qty_u6
        return tuple(ids)

    def _rest(self, order: PaperOrder) -> None:
        """Join the queue, reserve what is left, and book the end of a GTD."""
        terms = order.terms
        is_buy = terms.side is Side.BUY
        order.reserved_u6 = -(-terms.px_u6 * order.left_u6 // U) if is_buy else order.left_u6
        self.purse.reserve(order.asset, order.reserved_u6)
        self._tally.rested += 1
        self._lines.add(order)
        if terms.order_type is OrderType.GTD:
            end_ns = (terms.expiration_s - EXPIRES_EARLY_S) * SECOND_NS
            self._tasks.at(end_ns, lambda _at_ns: self._end(order, "CANCELED_EXPIRED_ORDER"))

    def _end(self, order: PaperOrder, text: str) -> None:
        """Take an order out of the book; what it reserved is free again."""
        if not order.is_open:
            return
        order.is_open = False
        order.text = text
        self.purse.reserve(order.asset, -order.reserved_u6)
        order.reserved_u6 = 0
        self._lines.remove(order)
        order_hash = order.terms.order_hash
        del self._open[order_hash]
        self._ended.append(order_hash)
        if len(self._ended) > ENDED_MAX:
            del self.orders[self._ended.popleft()]
        self._post.stream_order(order, "CANCELLATION" if text.startswith("CANCEL") else "UPDATE")

    # --- fills -----------------------------------------------------------------------------------

    def _fill(self, order: PaperOrder, px_u6: int, qty_u6: int, *, is_maker: bool) -> str:
        """Book a match and let it settle; return the trade's id."""
        terms = order.terms
        order.fills += 1
        paid_u6 = cash_u6(terms.side, px_u6, qty_u6, is_maker=is_maker)
        fee_u6 = 0
        if not is_maker:
            fee_u6 = booked_fee_u6(px_u6, qty_u6, self._fees_of(order.market))
            self._tally.took(qty_u6, fee_u6)
        order.filled_u6 += qty_u6
        order.spent_u6 += paid_u6
        order.fees_u6 += fee_u6
        released_u6 = min(order.reserved_u6, paid_u6 if terms.side is Side.BUY else qty_u6)
        order.reserved_u6 -= released_u6
        self.purse.reserve(order.asset, -released_u6)
        return self._settlement.match(
            order, px_u6, qty_u6, paid_u6=paid_u6, fee_u6=fee_u6, maker=is_maker
        )

    def _fees_of(self, market: str) -> FeeSchedule | None:
        spec = self._eyes.spec_of(market)
        return None if spec is None else spec.fees

    def _reached(self, order: PaperOrder, averse_u6: int, likely_u6: int) -> None:
        """Take what a print filled under both models; the configured one books it."""
        self._tally.made(order, (averse_u6, likely_u6), self._fees_of(order.market))
        fill_u6 = averse_u6 if self._config.maker == "averse" else likely_u6
        fill_u6 = min(fill_u6, order.left_u6)
        if fill_u6 <= 0:
            return
        self._fill(order, order.terms.px_u6, fill_u6, is_maker=True)
        if order.left_u6 < DUST_U6:
            self._end(order, "MATCHED")
        else:
            self._post.stream_order(order, "UPDATE")

    # --- what the market did ---------------------------------------------------------------------

    def on_event(self, event: Event) -> None:
        """Take an event of the market; others are ignored."""
        reader = self._readers.get(type(event))
        if reader is not None:
            reader(event)

    def _on_resolved(self, event: MarketResolved) -> None:
        for order in self._lines.of(event.market):
            self._end(order, "CANCELED_MARKET_RESOLVED")
        self._desk.resolve(event.market, event.winning_token)

    # --- what it knows ---------------------------------------------------------------------------

    @property
    def trades(self) -> Mapping[str, VenueTrade]:
        """Its trades by id; long settled ones are forgotten."""
        return self._settlement.trades

    def where(self, token: str) -> Where | None:
        """Say which market and outcome a token is of."""
        return self._tokens.get(token)

    def tokens_of(self, market: str) -> tuple[str, str] | None:
        """Return a market's tokens."""
        spec = self._eyes.spec_of(market)
        return None if spec is None else spec.tokens

    def watch(self, spec: MarketSpec) -> None:
        """Know a market's tokens."""
        self._tokens[spec.tokens[0]] = (spec.market, Outcome.YES)
        if spec.tokens[1]:
            self._tokens[spec.tokens[1]] = (spec.market, Outcome.NO)

    def report(self) -> PaperReport:
        """Write down what all orders came to, under both models."""
        return PaperReport(summary=self.summary(), orders=order_rows(self.orders.values()))

    def summary(self) -> PaperSummary:
        """Sum up all orders so far, under both models."""
        return self._tally.summary()
