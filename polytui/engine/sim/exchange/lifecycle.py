"""The life of orders: placed, delayed, matched, resting, cancelled.

    place ─► refused
      │  └─► DELAYED ─ release ─► (checked again, as if placed now)
      ├─► killed (FOK, FAK)            CANCELED
      ├─► matched whole                MATCHED
      └─► rests, matched or not        LIVE ─► MATCHED | CANCELED(reason)

One request or due thing at a time runs to its end; nobody else touches books or reservations.
"""

from collections.abc import Iterable
from functools import partial

from polytui.engine.core.order_enums import OrderType
from polytui.engine.sim.exchange.accounts import Account, add
from polytui.engine.sim.exchange.amounts import MARKET_TYPES
from polytui.engine.sim.exchange.api import (
    COLLATERAL,
    CancelReason,
    CancelResult,
    ErrorCode,
    OrderRequest,
    OrderStatus,
    PlaceResult,
    PlaceStatus,
    VenueError,
)
from polytui.engine.sim.exchange.emissions import (
    MS,
    OrderCanceled,
    OrderFilled,
    OrderPlaced,
    OrderReleased,
    TradePrinted,
    TradeUpdate,
)
from polytui.engine.sim.exchange.log import Refused
from polytui.engine.sim.exchange.market import Market
from polytui.engine.sim.exchange.matching import DUST_U6, Fill, Plan
from polytui.engine.sim.exchange.orders import Order
from polytui.engine.sim.exchange.refusals import refuse
from polytui.engine.sim.exchange.rules import ADMISSION, RELEASE, Draft, check, mode_error
from polytui.engine.sim.exchange.settlement import Settlement, Trade
from polytui.engine.sim.exchange.terms import Spender
from polytui.engine.sim.exchange.world import World

NOT_FOUND = "Order not found or already canceled"
DONE = "order can't be found - already canceled or matched"
LOCKED = "order is delayed and cannot be canceled yet"
"""Reasons of `not_canceled`: the first two as seen at the venue, the third is ours (§3.1)."""

_NS = 1_000_000_000


class Lifecycle:
    """All orders."""

    __slots__ = ("_settlement", "_world")

    def __init__(self, world: World, settlement: Settlement) -> None:
        """Work on the shared state."""
        self._world = world
        self._settlement = settlement

    # --- placing ---------------------------------------------------------------------------------

    def place(self, request: OrderRequest) -> PlaceResult:
        """Take one order through the checks and into its first state."""
        draft = Draft(self._world, request)
        error = check(draft, ADMISSION)
        if error is not None:
            return self._refused(request, error)
        delay_ms, is_held = self._delay(draft)
        if delay_ms:
            return self._park(draft, delay_ms, is_held=is_held)
        return self._execute(draft.order, draft.plan)

    def _refused(self, request: OrderRequest, error: VenueError) -> PlaceResult:
        self._world.log.write(self._world.now_ns, Refused(request.order_id, error.text))
        return PlaceResult(order_id="", error=error)

    def _delay(self, draft: Draft) -> tuple[int, bool]:
        """Return how long a taker waits here, and whether its answer waits too (§5.4)."""
        if not draft.plan.batches:
            return 0, False
        if draft.market.terms.itode:
            return self._world.settings.itode_ms, True
        return draft.market.terms.seconds_delay * 1_000, False

    def _park(self, draft: Draft, delay_ms: int, *, is_held: bool) -> PlaceResult:
        """Hold a taker: reserved, and out of reach of cancels, until its delay ends."""
        order = draft.order
        order.status = OrderStatus.DELAYED
        self._activate(order)
        self._reserve(order, draft.need_u6)
        release_ns = self._world.now_ns + delay_ms * MS
        self._world.calendar.book(release_ns, partial(self._release, order))
        self._world.emit(OrderPlaced(at_ns=self._world.now_ns, order=order.view()))
        return PlaceResult(
            order_id=order.id,
            status=PlaceStatus.DELAYED,
            release_ns=release_ns,
            is_held=is_held,
        )

    def _release(self, order: Order) -> None:
        """End a delay: look at market, grid and cover again, then match as if placed now."""
        if order.status is not OrderStatus.DELAYED:
            return
        self._reserve(order, 0)
        draft = Draft.of(self._world, order)
        error = check(draft, RELEASE)
        if error is not None:
            short = error.code in (ErrorCode.BALANCE, ErrorCode.ALLOWANCE)
            self._end(order, CancelReason.BALANCE if short else CancelReason.VENUE)
            result = PlaceResult(order_id="", error=error)
        elif self._dies_unmatched(order, draft.plan):
            self._end(order, CancelReason.UNMATCHED, OrderStatus.UNMATCHED)
            result = PlaceResult(order_id=order.id, status=PlaceStatus.UNMATCHED)
        else:
            result = self._execute(order, draft.plan)
        self._tell_release(order, result)

    def _dies_unmatched(self, order: Order, plan: Plan) -> bool:
        may_rest = order.request.order_type not in MARKET_TYPES
        return may_rest and not plan.batches and not self._world.settings.unmatched_rests

    def _tell_release(self, order: Order, result: PlaceResult) -> None:
        self._world.emit(
            OrderReleased(
                at_ns=self._world.now_ns,
                owner=order.request.owner,
                order_id=order.id,
                result=result,
            )
        )

    # --- matching --------------------------------------------------------------------------------

    def _execute(self, order: Order, plan: Plan) -> PlaceResult:
        """Match what the plan says; rest, finish or cancel what is left."""
        killed = _killed(order, plan)
        if killed is not None:
            return self._kill(order, killed)
        was_delayed = order.status is OrderStatus.DELAYED
        trades = [self._trade(order, plan, ix) for ix in range(len(plan.batches))]
        may_rest = order.request.order_type not in MARKET_TYPES
        is_done = plan.left_u6 < DUST_U6 or plan.is_full(order)
        order.left_u6 = plan.left_u6
        order.status = OrderStatus.MATCHED if is_done or not may_rest else OrderStatus.LIVE
        self._tell_taker(order, trades, was_delayed=was_delayed)
        for trade in trades:
            self._tell_trade(trade)
        if order.status is OrderStatus.LIVE:
            self._rest(order)
        elif was_delayed:
            self._world.forget(order)
        else:
            self._world.use_up(order.id)
        if not is_done and not may_rest:
            order.status = OrderStatus.CANCELED
            self._tell_cancel(order, CancelReason.ASKED)
        return _placed(order, plan, trades)

    def _trade(self, order: Order, plan: Plan, ix: int) -> Trade:
        batch = plan.batches[ix]
        trade = self._settlement.match(order, batch)
        order.matched_u6 += batch.qty_u6
        order.trade_ids.append(trade.id)
        for fill in batch.fills:
            self._fill(fill, trade.id)
        order.market.last_trade = (order.request.token, order.request.side, batch.px_u6)
        return trade

    def _fill(self, fill: Fill, trade_id: str) -> None:
        """Take a maker's part off its order; what is then below dust is done with."""
        maker = fill.maker
        queue = maker.market.queue(is_bid=maker.is_bid)
        self._world.touch(maker.market, is_bid=maker.is_bid, px_u6=maker.book_px_u6)
        queue.reduce(maker, fill.qty_u6)
        maker.matched_u6 += fill.qty_u6
        maker.trade_ids.append(trade_id)
        if maker.left_u6 < DUST_U6:
            queue.remove(maker)
            maker.status = OrderStatus.MATCHED
            self._reserve(maker, 0)
            self._world.forget(maker)
        else:
            self._reserve(maker, maker.resting_reserve_u6())

    def _kill(self, order: Order, code: ErrorCode) -> PlaceResult:
        """End a FOK or FAK without a match: an error answer and a CANCELLATION (§4.2)."""
        reason = CancelReason.FOK if code is ErrorCode.FOK_KILLED else CancelReason.FAK
        if order.id in self._world.orders:
            self._world.forget(order)
        else:
            self._world.use_up(order.id)
        order.status = OrderStatus.CANCELED
        self._tell_cancel(order, reason)
        return self._refused(order.request, refuse(code))

    def _rest(self, order: Order) -> None:
        """Put what is left on the book, at the end of its level."""
        if order.id not in self._world.orders:
            self._activate(order)
        self._reserve(order, order.resting_reserve_u6())
        order.market.queue(is_bid=order.is_bid).add(order)
        self._world.touch(order.market, is_bid=order.is_bid, px_u6=order.book_px_u6)
        if order.request.order_type is OrderType.GTD:
            early_s = self._world.settings.gtd_early_s
            due_ns = max(self._world.now_ns, (order.request.expiration_s - early_s) * _NS)
            self._world.calendar.book(due_ns, partial(self._expire, order))

    def _activate(self, order: Order) -> None:
        self._world.orders[order.id] = order
        self._world.by_owner.setdefault(order.request.owner, {})[order.id] = order
        order.account.orders[order.id] = order

    def _reserve(self, order: Order, amount_u6: int) -> None:
        add(order.account.active, order.asset, amount_u6 - order.reserve_u6)
        order.reserve_u6 = amount_u6

    # --- ending ----------------------------------------------------------------------------------

    def _expire(self, order: Order) -> None:
        if order.status is OrderStatus.LIVE:
            self._end(order, CancelReason.EXPIRED)

    def _end(
        self, order: Order, reason: CancelReason, status: OrderStatus = OrderStatus.CANCELED
    ) -> None:
        """Take an active order out of the book and off the records."""
        if order.status is OrderStatus.LIVE:
            order.market.queue(is_bid=order.is_bid).remove(order)
            self._world.touch(order.market, is_bid=order.is_bid, px_u6=order.book_px_u6)
        self._reserve(order, 0)
        self._world.forget(order)
        order.status = status
        self._tell_cancel(order, reason)

    def cancel(self, owner: str, order_ids: Iterable[str]) -> CancelResult:
        """Cancel orders of an owner by id; those in a delay stay."""
        error = mode_error(self._world, is_cancel=True)
        if error is not None:
            return CancelResult(error=error)
        ids = list(dict.fromkeys(order_ids))
        limit = self._world.settings.cancel_max
        if len(ids) > limit:
            return CancelResult(error=refuse(ErrorCode.CANCEL_TOO_LONG, limit=limit))
        return self._cancel_each(owner, ids)

    def cancel_where(self, owner: str, *, condition: str = "", token: str = "") -> CancelResult:
        """Cancel all orders of an owner, of one market or token only when named."""
        error = mode_error(self._world, is_cancel=True)
        if error is not None:
            return CancelResult(error=error)
        found = [
            order.id
            for order in self._world.by_owner.get(owner, {}).values()
            if condition in ("", order.market.condition) and token in ("", order.request.token)
        ]
        return self._cancel_each(owner, found)

    def _cancel_each(self, owner: str, ids: list[str]) -> CancelResult:
        canceled: list[str] = []
        kept: list[tuple[str, str]] = []
        mine = self._world.by_owner.get(owner, {})
        for order_id in ids:
            order = mine.get(order_id)
            if order is None:
                kept.append((order_id, DONE if order_id in self._world.seen else NOT_FOUND))
            elif order.status is OrderStatus.DELAYED:
                kept.append((order_id, LOCKED))
            else:
                self._end(order, CancelReason.ASKED)
                canceled.append(order_id)
        return CancelResult(canceled=tuple(canceled), not_canceled=tuple(kept))

    def clear(self, market: Market, reason: CancelReason, code: ErrorCode) -> None:
        """Cancel every order of a market, delayed ones too: their answer is `code`."""
        for order in [o for o in self._world.orders.values() if o.market is market]:
            was_delayed = order.status is OrderStatus.DELAYED
            self._end(order, reason)
            if was_delayed:
                self._tell_release(order, PlaceResult(order_id="", error=refuse(code)))

    def recheck(self, account: Account) -> None:
        """Cancel resting orders, youngest first, that balance or allowance no longer cover."""
        resting = [o for o in account.orders.values() if o.status is OrderStatus.LIVE]
        for asset in dict.fromkeys(order.asset for order in resting):
            mine = [order for order in resting if order.asset == asset]
            self._shed(mine, self._world.accounts.ledger.of(account.address, asset))
            for spender in Spender:
                limit_u6 = self._world.accounts.allowance_u6(account, spender, asset)
                if limit_u6 is not None:
                    self._shed([o for o in mine if o.market.spender is spender], limit_u6)

    def _shed(self, orders: list[Order], limit_u6: int) -> None:
        promised_u6 = sum(order.reserve_u6 for order in orders)
        for order in reversed(orders):
            if promised_u6 <= limit_u6:
                return
            if order.status is OrderStatus.LIVE:
                promised_u6 -= order.reserve_u6
                self._end(order, CancelReason.BALANCE)

    # --- telling ---------------------------------------------------------------------------------

    def _tell_taker(self, order: Order, trades: list[Trade], *, was_delayed: bool) -> None:
        now_ns, view = self._world.now_ns, order.view()
        if not was_delayed or not trades:
            self._world.emit(OrderPlaced(at_ns=now_ns, order=view))
        else:
            for trade in trades:
                self._world.emit(OrderFilled(at_ns=now_ns, order=view, trade_id=trade.id))

    def _tell_trade(self, trade: Trade) -> None:
        now_ns, view = self._world.now_ns, trade.view
        for maker in trade.makers:
            self._world.emit(OrderFilled(at_ns=now_ns, order=maker.view(), trade_id=trade.id))
        trade.makers = ()
        self._world.emit(TradeUpdate(at_ns=now_ns, trade=view))
        self._world.emit(
            TradePrinted(
                at_ns=now_ns,
                condition=view.condition,
                trade_id=view.trade_id,
                token=view.token,
                side=view.side,
                px_u6=view.px_u6,
                qty_u6=view.qty_u6,
            )
        )

    def _tell_cancel(self, order: Order, reason: CancelReason) -> None:
        self._world.emit(
            OrderCanceled(at_ns=self._world.now_ns, order=order.view(), status=reason.value)
        )


def _killed(order: Order, plan: Plan) -> ErrorCode | None:
    """Say whether a FOK or FAK dies at once (§3.4)."""
    if order.request.order_type is OrderType.FOK and not plan.is_full(order):
        return ErrorCode.FOK_KILLED
    if order.request.order_type is OrderType.FAK and not plan.batches:
        return ErrorCode.FAK_KILLED
    return None


def _placed(order: Order, plan: Plan, trades: list[Trade]) -> PlaceResult:
    """Write the answer to an accepted order (§3.1); SELL swaps what making and taking mean."""
    making_u6, taking_u6 = plan.cash_u6, plan.qty_u6
    if order.asset != COLLATERAL:
        making_u6, taking_u6 = taking_u6, making_u6
    return PlaceResult(
        order_id=order.id,
        status=PlaceStatus.MATCHED if trades else PlaceStatus.LIVE,
        making_u6=making_u6,
        taking_u6=taking_u6,
        trade_ids=tuple(trade.id for trade in trades),
    )
