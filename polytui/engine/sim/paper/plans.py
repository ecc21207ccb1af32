"""What an order would take now, what that costs, and what the venue would refuse: no state here."""

from collections.abc import Iterable
from typing import Final, NamedTuple

from polytui.engine.core.enums import Side
from polytui.engine.core.events import FeeSchedule, MarketSpec
from polytui.engine.core.order_enums import OrderType, VenueCode
from polytui.engine.core.trading import Terms
from polytui.engine.core.units import U, text_u6
from polytui.engine.orders.fills import booked_fee_u6
from polytui.engine.sim.exchange.amounts import Sizing, check_accuracy, check_tick, size_up
from polytui.engine.sim.exchange.api import ErrorCode, OrderRequest
from polytui.engine.sim.paper.books import Take
from polytui.engine.sim.paper.resting import cash_u6

SECOND_NS: Final = 1_000_000_000
MARKETABLE_MIN_U6: Final = 1_000_000
GTD_LEAD_S: Final = 180
"""The venue refuses an expiration nearer than this (§3.1)."""
_UP_DOWN: Final = ("up", "down")

No = tuple[VenueCode, str]
"""A refusal: code and the venue's words."""


class Plan(NamedTuple):
    """All that a taker would do now."""

    takes: tuple[Take, ...]
    qty_u6: int
    cash_u6: int
    fee_u6: int
    left_u6: int
    """Shares still wanted; of a budget, shares that the rest of it buys at the limit."""

    def is_full(self, sizing: Sizing) -> bool:
        """Tell whether a FOK may go: all bought or sold, or the budget spent (§5.4)."""
        is_bought = bool(sizing.budget_u6) and self.qty_u6 >= sizing.qty_u6
        return is_bought or not self.left_u6


def make_plan(
    side: Side, sizing: Sizing, offered: Iterable[Take], fees: FeeSchedule | None
) -> Plan:
    """Walk what is offered: a market BUY by its budget, all others by their size."""
    budget_u6, want_u6 = sizing.budget_u6, sizing.qty_u6
    takes: list[Take] = []
    qty_u6 = paid_u6 = fee_u6 = 0
    for px_u6, shown_u6 in offered:
        take_u6 = min(shown_u6, budget_u6 * U // px_u6 if sizing.budget_u6 else want_u6)
        if take_u6 <= 0:
            break
        cost_u6 = cash_u6(side, px_u6, take_u6, is_maker=False)
        takes.append((px_u6, take_u6))
        qty_u6 += take_u6
        paid_u6 += cost_u6
        fee_u6 += booked_fee_u6(px_u6, take_u6, fees)
        budget_u6 -= cost_u6
        want_u6 -= take_u6
    left_u6 = budget_u6 * U // sizing.limit_u6 if sizing.budget_u6 else want_u6
    return Plan(tuple(takes), qty_u6, paid_u6, fee_u6, left_u6)


def need_u6(terms: Terms, sizing: Sizing, plan: Plan) -> int:
    """Return what must be free: the amount given, or what the plan costs, with its fee."""
    if terms.side is Side.SELL:
        return terms.maker_amount_u6
    rest_u6 = 0 if sizing.budget_u6 else -(-sizing.px_u6 * plan.left_u6 // U)
    return max(terms.maker_amount_u6, plan.cash_u6 + rest_u6) + plan.fee_u6


def hold_applies(spec: MarketSpec) -> bool:
    """Tell up/down markets, whose takers the venue delays (§5.5), by their outcomes.

    The catalog does not carry the market object's own delay (`itode`, `sd`).
    """
    return tuple(name.lower() for name in spec.outcomes) == _UP_DOWN


def size_order(terms: Terms, spec: MarketSpec, tick_u6: int) -> tuple[Sizing | None, No]:
    """Derive price and size from the amounts, or say why the venue would not."""
    request = OrderRequest(
        order_id=terms.order_hash,
        account=terms.maker,
        owner=terms.maker,
        token=terms.token,
        side=terms.side,
        maker_amount_u6=terms.maker_amount_u6,
        taker_amount_u6=terms.taker_amount_u6,
        order_type=terms.order_type,
    )
    sizing = size_up(request, tick_u6)
    if sizing is None or (terms.post_only and not terms.order_type.is_resting):
        return None, (VenueCode.PAYLOAD, "Invalid order payload")
    error = check_tick(request, sizing, tick_u6)
    if error is None and terms.order_type.is_resting and sizing.qty_u6 < spec.min_qty_u6:
        size, least = text_u6(sizing.qty_u6), text_u6(spec.min_qty_u6)
        return None, (VenueCode.SIZE, f"Size ({size}) lower than the minimum: {least}")
    error = error or check_accuracy(request, sizing, tick_u6)
    if error is not None:
        code = VenueCode.TICK if error.code is ErrorCode.TICK else VenueCode.AMOUNTS
        return None, (code, error.text[:80])
    return sizing, (VenueCode.NONE, "")


def check_expiry(terms: Terms, now_ns: int) -> No | None:
    """Refuse an end that the venue refuses: too near for a GTD, any for the others."""
    first_ns = now_ns + GTD_LEAD_S * SECOND_NS
    is_lawful = (
        terms.expiration_s * SECOND_NS >= first_ns
        if terms.order_type is OrderType.GTD
        else not terms.expiration_s
    )
    return None if is_lawful else (VenueCode.EXPIRATION, "invalid expiration")


def check_taking(terms: Terms, sizing: Sizing, plan: Plan) -> No | None:
    """Refuse what the book of this moment refuses: post-only, the dollar, FOK, FAK."""
    if terms.post_only:
        text = "invalid post-only order: order crosses book"
        return (VenueCode.POST_ONLY_CROSS, text) if plan.takes else None
    is_market = not terms.order_type.is_resting
    is_small = terms.side is Side.BUY and sizing.cash_u6 < MARKETABLE_MIN_U6
    if is_small and (is_market or plan.takes):
        amount = text_u6(sizing.cash_u6)
        text = f"invalid amount for a marketable BUY order (${amount}), min size: $1"
        return VenueCode.MARKETABLE_MIN, text
    if terms.order_type is OrderType.FOK and not plan.is_full(sizing):
        text = "order couldn't be fully filled. FOK orders are fully filled or killed."
        return VenueCode.FOK_KILLED, text
    if terms.order_type is OrderType.FAK and not plan.takes:
        return VenueCode.FAK_KILLED, "no orders found to match with FAK order"
    return None
