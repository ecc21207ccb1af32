"""The admission of an order: one table of checks, in the order of §11 S3, the first failure wins.

The venue's own order is unknown; ours is stated once, here. Authentication comes before and is the
wire server's. `RELEASE` is the part that is looked at again when a taker delay ends.
"""

from collections.abc import Callable
from typing import Any

from polytui.engine.core.enums import Side
from polytui.engine.core.order_enums import OrderType
from polytui.engine.core.units import U, text_u6
from polytui.engine.sim.exchange.accounts import Account
from polytui.engine.sim.exchange.amounts import (
    MARKET_TYPES,
    Sizing,
    check_accuracy,
    check_tick,
    size_up,
)
from polytui.engine.sim.exchange.api import ErrorCode, OrderRequest, VenueError
from polytui.engine.sim.exchange.market import Market
from polytui.engine.sim.exchange.matching import Plan, make_plan
from polytui.engine.sim.exchange.orders import Order
from polytui.engine.sim.exchange.refusals import refuse
from polytui.engine.sim.exchange.terms import (
    SPENDER_ADDRESSES,
    Restriction,
    VenueMode,
)
from polytui.engine.sim.exchange.world import World

MARKETABLE_MIN_U6 = U
"""A marketable BUY must be worth a dollar (§5.1)."""
_NS = 1_000_000_000


class Draft:
    """An order on its way through the checks; each leaves behind what the next ones need."""

    __slots__ = ("account", "market", "need_u6", "order", "plan", "request", "sizing", "world")

    account: Account
    market: Market
    sizing: Sizing
    order: Order
    plan: Plan
    """What it would match now; empty when it does not cross or may not take."""
    need_u6: int
    """What it must be covered by, worst fee included."""

    def __init__(self, world: World, request: OrderRequest) -> None:
        """Begin with the request alone."""
        self.world = world
        self.request = request

    @classmethod
    def of(cls, world: World, order: Order) -> "Draft":
        """Take up an order that was accepted before."""
        draft = cls(world, order.request)
        draft.account = order.account
        draft.order = order
        return draft

    @property
    def is_market_type(self) -> bool:
        """Tell FAK and FOK from orders that may rest."""
        return self.request.order_type in MARKET_TYPES


def check(
    draft: Draft, table: tuple[Callable[[Draft], VenueError | None], ...]
) -> VenueError | None:
    """Return the first failure."""
    for rule in table:
        error = rule(draft)
        if error is not None:
            return error
    return None


def mode_error(world: World, *, is_cancel: bool, is_post_only: bool = False) -> VenueError | None:
    """Say whether the venue as a whole takes this kind of request now (§3.4)."""
    mode = world.mode
    if mode is VenueMode.NORMAL:
        return None
    if mode is VenueMode.DISABLED:
        return refuse(ErrorCode.DISABLED)
    wait_s = None
    if world.mode_ends_ns is not None:
        wait_s = -(-(world.mode_ends_ns - world.now_ns) // _NS)
    if mode is VenueMode.RESTARTING:
        return refuse(ErrorCode.RESTARTING, retry_after_s=wait_s)
    if is_cancel:
        return None
    if mode is VenueMode.CANCEL_ONLY:
        return refuse(ErrorCode.CANCEL_ONLY)
    return None if is_post_only else refuse(ErrorCode.POST_ONLY_MODE, retry_after_s=wait_s)


def _mode(draft: Draft) -> VenueError | None:
    return mode_error(draft.world, is_cancel=False, is_post_only=draft.request.post_only)


def _payload(draft: Draft) -> VenueError | None:
    request = draft.request
    is_whole = request.order_id and request.maker_amount_u6 > 0 and request.taker_amount_u6 > 0
    if not is_whole or (request.post_only and draft.is_market_type):
        return refuse(ErrorCode.PAYLOAD)
    return None


def _account(draft: Draft) -> VenueError | None:
    address = draft.request.account
    account = draft.world.accounts.all.get(address)
    if account is None:
        return refuse(ErrorCode.MAKER)
    draft.account = account
    if account.restriction is Restriction.BANNED:
        return refuse(ErrorCode.BANNED, account=address)
    if account.restriction is Restriction.CLOSED_ONLY and draft.request.side is Side.BUY:
        return refuse(ErrorCode.CLOSED_ONLY, account=address)
    return None


def _market(draft: Draft) -> VenueError | None:
    market = draft.world.by_token.get(draft.request.token)
    if market is None or market.resolution is not None:
        return refuse(ErrorCode.NO_BOOK)
    draft.market = market
    return None if market.terms.accepting else refuse(ErrorCode.NOT_READY)


def _tick(draft: Draft) -> VenueError | None:
    tick_u6 = draft.market.terms.tick_u6
    sizing = size_up(draft.request, tick_u6)
    assert sizing is not None, "expected the payload to be checked first"
    draft.sizing = sizing
    return check_tick(draft.request, sizing, tick_u6)


def _size(draft: Draft) -> VenueError | None:
    request, sizing, market = draft.request, draft.sizing, draft.market
    if not draft.is_market_type and sizing.qty_u6 < market.terms.min_qty_u6:
        return refuse(
            ErrorCode.SIZE,
            id=request.order_id,
            size=text_u6(sizing.qty_u6),
            minimum=text_u6(market.terms.min_qty_u6),
        )
    draft.order = Order(request, sizing, draft.account, market, draft.world.now_ns)
    if request.side is Side.SELL or request.post_only or sizing.cash_u6 >= MARKETABLE_MIN_U6:
        return None
    if draft.is_market_type or _crosses(draft.order):
        return refuse(ErrorCode.MARKETABLE_MIN, amount=text_u6(sizing.cash_u6))
    return None


def _accuracy(draft: Draft) -> VenueError | None:
    return check_accuracy(draft.request, draft.sizing, draft.market.terms.tick_u6)


def _expiration(draft: Draft) -> VenueError | None:
    expiration_s = draft.request.expiration_s
    if draft.request.order_type is not OrderType.GTD:
        return refuse(ErrorCode.EXPIRATION) if expiration_s else None
    first_ns = draft.world.now_ns + draft.world.settings.gtd_lead_s_min * _NS
    return refuse(ErrorCode.EXPIRATION) if expiration_s * _NS < first_ns else None


def _duplicate(draft: Draft) -> VenueError | None:
    order_id = draft.request.order_id
    if order_id in draft.world.orders or order_id in draft.world.seen:
        return refuse(ErrorCode.DUPLICATE, id=order_id)
    return None


def _post_only(draft: Draft) -> VenueError | None:
    if draft.request.post_only and _crosses(draft.order):
        return refuse(ErrorCode.POST_ONLY_CROSS)
    return None


def _balance(draft: Draft) -> VenueError | None:
    """Refuse what balance or allowance do not cover: `balance ≥ active + matched + order amount`.

    The gate as measured by traders (rs-clob-client-v2 36). The amount is the notional, or what the
    plan would really cost where fractions of a micro-dollar add up, with the fee of what it takes.
    """
    draft.plan = _plan(draft)
    draft.need_u6 = _need_u6(draft.order, draft.plan)
    account, asset = draft.account, draft.order.asset
    active_u6, matched_u6 = account.active.get(asset, 0), account.matched.get(asset, 0)
    matched_u6 += account.ghost_u6 if draft.order.is_buy else 0
    promised_u6 = active_u6 + matched_u6 + draft.need_u6
    accounts, spender = draft.world.accounts, draft.market.spender
    facts: dict[str, Any] = {
        "active": f", sum of active orders: {active_u6}" if active_u6 else "",
        "matched": f", sum of matched orders: {matched_u6}" if matched_u6 else "",
        "fees": " (inc. fees)" if draft.order.is_buy else "",
        "amount": draft.need_u6,
    }
    believed_u6 = accounts.believed_u6(account, asset)
    if promised_u6 > believed_u6:
        return refuse(ErrorCode.BALANCE, balance=believed_u6, **facts)
    allowance_u6 = accounts.allowance_u6(account, spender, asset)
    if allowance_u6 is not None and promised_u6 > allowance_u6:
        return refuse(
            ErrorCode.ALLOWANCE, balance=allowance_u6, spender=SPENDER_ADDRESSES[spender], **facts
        )
    return None


def _regrid(draft: Draft) -> VenueError | None:
    """Refuse a delayed order whose price left the grid meanwhile."""
    order, tick_u6 = draft.order, draft.market.terms.tick_u6
    is_on_grid = not order.px_u6 % tick_u6 and tick_u6 <= order.px_u6 <= U - tick_u6
    if is_on_grid:
        return None
    price, tick = text_u6(order.px_u6), text_u6(tick_u6)
    return refuse(ErrorCode.TICK, id=order.id, price=price, tick=tick)


def _crosses(order: Order) -> bool:
    return order.market.queue(is_bid=not order.is_bid).reaches(order.book_limit_u6)


def _plan(draft: Draft) -> Plan:
    if draft.request.post_only or not _crosses(draft.order):
        return Plan(left_u6=draft.order.left_u6)
    return make_plan(
        draft.order,
        fees=draft.market.terms.fees,
        rounding=draft.world.settings.fee_rounding,
        makers_max=draft.world.settings.makers_per_trade_max,
    )


def _need_u6(order: Order, plan: Plan) -> int:
    if not order.is_buy:
        return order.request.maker_amount_u6
    rest_u6 = 0 if order.budget_u6 else -(-order.px_u6 * plan.left_u6 // U)
    return max(order.request.maker_amount_u6, plan.cash_u6 + rest_u6) + plan.fee_u6


ADMISSION = (
    _mode,
    _payload,
    _account,
    _market,
    _tick,
    _size,
    _accuracy,
    _expiration,
    _duplicate,
    _post_only,
    _balance,
)
RELEASE = (_mode, _account, _market, _regrid, _balance)
