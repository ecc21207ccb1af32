"""G17 to G25: exposure, funds, repetition, self-trades, pace, losses, expiry, conduct."""

from polytui.engine.core.enums import Side
from polytui.engine.core.order_enums import Control, OrderType, Purpose, Realm
from polytui.engine.core.runconfig import LimitsConfig
from polytui.engine.core.trading import Refusal
from polytui.engine.core.units import U, fee_u6
from polytui.engine.decide.facts import Gated, GateFacts, Scope, as_yes, is_marketable
from polytui.engine.decide.words import MS, S, dollars, percent, price, shares, span

DUPLICATE_NS = 2 * S
"""The same order again within this time is a mistake."""
EXIT_TOKENS = 1
"""Of the own bucket, kept back by entries so that a hedge or an exit never waits."""
EXIT_REPEATS = 2
"""A hedge or an exit may be repeated this many times as often as an entry."""
EXPIRY_STEP_NS = S
"""Expiries are whole seconds: one of rounding is allowed at the far end."""


def exposure(order: Gated, facts: GateFacts, limits: LimitsConfig) -> Refusal | None:
    """G17: the worst case stays within every cap; a hedge or an exit may also just lower it."""
    account, purpose = facts.account, order.draft.purpose
    total_u6 = limits.total_u6
    if facts.realm is Realm.LIVE and 0 < facts.control.session_cap_u6 < total_u6:
        total_u6 = facts.control.session_cap_u6
    for name, cap_u6, scope in (
        ("market", limits.market_u6, account.market),
        ("event", limits.group_u6, account.group),
        ("strategy", limits.strategy_u6, account.strategy),
        ("total", total_u6, account.total),
    ):
        value_u6 = scope.after_u6 + scope.spared_u6
        if value_u6 > cap_u6 and not _may_exceed(scope, purpose):
            kept = f", {dollars(scope.spared_u6)} kept for repairs" if scope.spared_u6 else ""
            return Refusal(
                control=Control.EXPOSURE,
                limit=f"{name} at most {dollars(cap_u6)}",
                value=dollars(value_u6),
                detail=f"without it {dollars(scope.before_u6)}{kept}",
            )
    return None


def _may_exceed(scope: Scope, purpose: Purpose) -> bool:
    """Tell whether an order may leave a scope above its cap: it lowers it, or is a flatten's."""
    if purpose is Purpose.OPEN:
        return False
    return scope.is_falling or (purpose is Purpose.FLATTEN and not scope.is_rising)


def funds(order: Gated, facts: GateFacts, limits: LimitsConfig) -> Refusal | None:
    """G18: free cash and allowance for a buy with its fee, confirmed free shares for a sell.

    The allowance is read, never raised (fault B24). Without a fee schedule nothing may take.
    """
    del limits
    draft, account, market = order.draft, facts.account, facts.market
    takes = is_marketable(draft, market)
    fees = market.spec.fees
    if takes and fees is None:
        return _funds("a known fee schedule", "unknown")
    if draft.side is Side.SELL:
        if draft.qty_u6 > account.sell_capacity_u6:
            return _funds(shares(account.sell_capacity_u6), shares(draft.qty_u6))
        return None
    need_u6 = order.terms.maker_amount_u6 if order.terms is not None else 0
    if need_u6 > account.allowance_u6:
        return _funds(f"allowance {dollars(account.allowance_u6)}", dollars(need_u6))
    if takes and fees is not None:
        rate_u6, exponent = fees.rate_u6, fees.exponent
        need_u6 += fee_u6(draft.px_u6, draft.qty_u6, rate_u6=rate_u6, exponent=exponent)
    if need_u6 > account.free_cash_u6:
        return _funds(f"free {dollars(account.free_cash_u6)}", dollars(need_u6))
    return None


def _funds(limit: str, value: str) -> Refusal:
    return Refusal(control=Control.FUNDS, limit=limit, value=value)


def duplicate(order: Gated, facts: GateFacts, limits: LimitsConfig) -> Refusal | None:
    """G19: not the same order again within two seconds, and no entry beside one in doubt."""
    del limits
    twin_ns = facts.pace.twin_ns
    if twin_ns and facts.at_ns - twin_ns < DUPLICATE_NS:
        age = span(facts.at_ns - twin_ns)
        return Refusal(control=Control.DUPLICATE, limit=f"after {span(DUPLICATE_NS)}", value=age)
    if order.draft.purpose is Purpose.OPEN:
        for own in facts.account.own:
            if own.is_unknown and own.outcome is order.draft.outcome:
                return Refusal(
                    control=Control.DUPLICATE, limit="no order in doubt on the token", value=own.cid
                )
    return None


def self_cross(order: Gated, facts: GateFacts, limits: LimitsConfig) -> Refusal | None:
    """G20: it would not trade with one of our own, on the token or through its complement.

    YES and NO are one book: a buy of NO at q is an offer of YES at 1 - q.
    """
    del limits
    own_orders = facts.account.own
    if not own_orders:
        return None
    draft = order.draft
    is_bid, px_u6 = as_yes(draft.outcome, draft.side, draft.px_u6)
    for own in own_orders:
        own_is_bid, own_u6 = as_yes(own.outcome, own.side, own.px_u6)
        if own_is_bid is is_bid:
            continue
        if px_u6 >= own_u6 if is_bid else px_u6 <= own_u6:
            what = f"{own.side.value.upper()} {own.outcome.value.upper()} at {price(own.px_u6)}"
            return Refusal(
                control=Control.SELF_CROSS,
                limit=f"not across our own {what}",
                value=price(draft.px_u6),
                detail=own.cid,
            )
    return None


def rate(order: Gated, facts: GateFacts, limits: LimitsConfig) -> Refusal | None:
    """G21: our own bucket and the venue's admit it, and cancels stay in reserve for what rests.

    Entries leave one order of our own bucket to hedges and exits.
    """
    pace, is_open = facts.pace, order.draft.purpose is Purpose.OPEN
    if pace.tokens <= (EXIT_TOKENS if is_open else 0):
        return _rate(f"{limits.orders_per_s} orders/s", "used up")
    if pace.orders_left == 0:
        return _rate("the venue's order bucket", "empty")
    if 0 <= pace.cancels_left < pace.cancel_reserve and order.draft.order_type.is_resting:
        return _rate(f"{pace.cancel_reserve} cancels in reserve", f"{pace.cancels_left} left")
    return None


def _rate(limit: str, value: str) -> Refusal:
    return Refusal(control=Control.RATE, limit=limit, value=value)


def repetition(order: Gated, facts: GateFacts, limits: LimitsConfig) -> Refusal | None:
    """G22: no strategy sends, or is rejected, over and over in one market (fault B27, B28).

    Entries are latched until a person resets it. Hedges and exits, which only end what is naked,
    go on at up to `EXIT_REPEATS` times as many a window; a person's flatten is not the strategy's.
    """
    purpose, pace = order.draft.purpose, facts.pace
    if purpose is Purpose.FLATTEN:
        return None
    if pace.repetition and purpose is Purpose.OPEN:
        return _repetition("breaker closed", pace.repetition)
    times = 1 if purpose is Purpose.OPEN else EXIT_REPEATS
    if pace.sends >= times * limits.sends_max:
        most = f"{times * limits.sends_max} sends in {span(limits.sends_s * S)}"
        return _repetition(most, str(pace.sends + 1))
    if pace.rejects >= times * limits.rejects_max:
        most = f"below {times * limits.rejects_max} rejects in {span(limits.rejects_s * S)}"
        return _repetition(most, str(pace.rejects))
    return None


def _repetition(limit: str, value: str) -> Refusal:
    return Refusal(control=Control.REPETITION, limit=limit, value=value)


def loss(order: Gated, facts: GateFacts, limits: LimitsConfig) -> Refusal | None:
    """G23: no entry after a day's, a strategy's or a drawdown loss, nor while settlements fail.

    Hedges and exits pass: what these breakers do beyond is `breakers.py`'s table.
    """
    if order.draft.purpose is not Purpose.OPEN:
        return None
    if facts.pace.breaker:
        return _loss("breaker closed", facts.pace.breaker)
    losses = facts.account.losses
    if -losses.day_u6 >= limits.day_loss_u6:
        return _loss(f"day's loss below {dollars(limits.day_loss_u6)}", dollars(losses.day_u6))
    if -losses.strategy_day_u6 >= limits.strategy_loss_u6:
        most = f"strategy's loss below {dollars(limits.strategy_loss_u6)}"
        return _loss(most, dollars(losses.strategy_day_u6))
    peak_u6 = facts.pace.peak_u6 or losses.peak_u6
    fall_u6 = peak_u6 - losses.equity_u6
    if fall_u6 > 0 and fall_u6 * U >= round(limits.drawdown * U) * peak_u6:
        most = f"below {percent(limits.drawdown)} of the peak {dollars(peak_u6)}"
        return _loss(most, dollars(fall_u6))
    return None


def _loss(limit: str, value: str) -> Refusal:
    return Refusal(control=Control.LOSS, limit=limit, value=value)


def expiry(order: Gated, facts: GateFacts, limits: LimitsConfig) -> Refusal | None:
    """G24: what may rest expires by itself, by the venue's clock; what may not, states no expiry.

    The lead is that of the time as sent, which is a minute after the venue drops the order.
    """
    draft, terms = order.draft, order.terms
    expiration_s = terms.expiration_s if terms is not None else 0
    if not draft.order_type.is_resting:
        if expiration_s or draft.post_only:
            return _expiry(f"a bare {draft.order_type.value}", "an expiry or post-only")
        return None
    if draft.order_type is OrderType.GTC:
        if facts.control.may_rest_gtc and not expiration_s:
            return None
        return _expiry("GTD", "GTC")
    lead_ns = expiration_s * S - facts.at_ns - (facts.venue.offset_ns or 0)
    if lead_ns < limits.expiry_min_s * S:
        return _expiry(f"at least {span(limits.expiry_min_s * S)} ahead", span(lead_ns))
    if lead_ns > limits.expiry_max_s * S + EXPIRY_STEP_NS:
        return _expiry(f"at most {span(limits.expiry_max_s * S)} ahead", span(lead_ns))
    return None


def _expiry(limit: str, value: str) -> Refusal:
    return Refusal(control=Control.EXPIRY, limit=limit, value=value)


def conduct(order: Gated, facts: GateFacts, limits: LimitsConfig) -> Refusal | None:
    """G25: no flickering quotes, and not many more orders or cancels than fills in a market."""
    draft, pace = order.draft, facts.pace
    if draft.purpose is not Purpose.OPEN:
        return None
    life_ns = limits.quote_life_ms * MS
    if pace.flicker_ns and draft.order_type.is_resting and facts.at_ns - pace.flicker_ns < life_ns:
        ago = span(facts.at_ns - pace.flicker_ns)
        return _conduct(f"{span(life_ns)} after a quote pulled too young", ago)
    budget = limits.orders_per_fill * max(1, pace.fills_hour)
    if pace.orders_hour >= budget or pace.cancels_hour > budget:
        fills = f"{pace.orders_hour} orders, {pace.cancels_hour} cancels, {pace.fills_hour} fills"
        return _conduct(f"{limits.orders_per_fill} per fill and hour", fills)
    return None


def _conduct(limit: str, value: str) -> Refusal:
    return Refusal(control=Control.CONDUCT, limit=limit, value=value)
