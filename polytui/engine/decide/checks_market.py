"""G09 to G16: a sane order, in a market that we see well.

Exits are judged by what could hurt: an order that only leaves is not stopped by a date, by a better
price than the collar's far side, or by the depth it meets. Each check is one control.
"""

from polytui.engine.core.enums import BookState, Outcome, Side
from polytui.engine.core.order_enums import Control, Purpose
from polytui.engine.core.runconfig import LimitsConfig
from polytui.engine.core.trading import Draft, Refusal, Terms
from polytui.engine.core.units import U, cost_u6
from polytui.engine.decide.facts import OPERATOR, Gated, GateFacts, MarketFacts, is_marketable
from polytui.engine.decide.words import MS, S, dollars, percent, price, shares, short, span

PROTOCOLS = ("v1", "v2")
"""Versions of a market whose orders we know how to sign (venue reference §1)."""
MARKETABLE_MIN_U6 = U
"""A BUY that takes must be worth a dollar (§5.1)."""
QUIET_FACTOR = 10
"""Balances after which nothing moved may be this many times older than the limit."""
_COUNTER_LOT_U6 = 100
"""FAK and FOK round their counter-amount down to four decimals (§5.2)."""


def tradable(order: Gated, facts: GateFacts, limits: LimitsConfig) -> Refusal | None:
    """G09: accepting, unresolved, a named outcome, and not about to end (entries only).

    The date is indicative: a market past it may trade on, so it gives no entry but keeps nobody
    from leaving (fault A15). An entry into a market without a date is refused.
    """
    market, is_open = facts.market, order.draft.purpose is Purpose.OPEN
    spec = market.spec
    if market.is_resolved or not spec.accepting:
        why = "resolved" if market.is_resolved else "not accepting"
        return _tradable("accepting orders", f"{short(spec.market)} {why}")
    if spec.protocol not in PROTOCOLS:
        return _tradable("a known protocol", spec.protocol[:8] or "none")
    if market.is_placeholder and order.draft.side is Side.BUY:
        return _tradable("a named outcome", "a placeholder")
    if not is_open:
        return None
    if spec.end_ns is None:
        return _tradable("a known end", "unknown")
    left_ns = spec.end_ns - facts.at_ns - (facts.venue.offset_ns or 0)
    least_s = limits.rolling_end_min_s if market.is_rolling else limits.end_min_s
    if left_ns <= least_s * S:
        return _tradable(f"ends in more than {span(least_s * S)}", span(left_ns))
    return None


def _tradable(limit: str, value: str) -> Refusal:
    return Refusal(control=Control.TRADABLE, limit=limit, value=value)


def freshness(order: Gated, facts: GateFacts, limits: LimitsConfig) -> Refusal | None:
    """G10: every declared input is young enough, each by its own limit.

    The book counts from its last frame, or from a later REST read that confirmed it, which may be
    a little older. Balances are young, or nothing moved since they were read; an exit or a hedge
    follows from a fill, so for it they need only be young enough for quiet times.
    """
    now_ns, market, venue = facts.at_ns, facts.market, facts.venue
    if now_ns - market.book_ns > limits.book_age_ms * MS:
        if market.witness_ns < market.book_ns:
            return _stale("book", now_ns - market.book_ns, limits.book_age_ms * MS)
        if now_ns - market.witness_ns > limits.witnessed_age_ms * MS:
            age_ns = now_ns - market.witness_ns
            return _stale("witnessed book", age_ns, limits.witnessed_age_ms * MS)
    reference_ns = market.reference_ns
    if reference_ns is not None and now_ns - reference_ns > limits.reference_age_ms * MS:
        return _stale("reference", now_ns - reference_ns, limits.reference_age_ms * MS)
    if now_ns - venue.user_ns > limits.user_age_ms * MS:
        return _stale("user stream", now_ns - venue.user_ns, limits.user_age_ms * MS)
    balance_ns = now_ns - venue.balance_ns
    if balance_ns > limits.balance_age_ms * MS:
        is_quiet = venue.moved_ns < venue.balance_ns or order.draft.purpose is not Purpose.OPEN
        most_ns = limits.balance_age_ms * MS * (QUIET_FACTOR if is_quiet else 1)
        if balance_ns > most_ns:
            return _stale("balances", balance_ns, most_ns)
    if now_ns - market.metadata_ns > limits.metadata_age_s * S:
        return _stale("metadata", now_ns - market.metadata_ns, limits.metadata_age_s * S)
    return None


def _stale(name: str, age_ns: int, most_ns: int) -> Refusal:
    return Refusal(
        control=Control.FRESHNESS, limit=f"{name} at most {span(most_ns)}", value=span(age_ns)
    )


def book_valid(order: Gated, facts: GateFacts, limits: LimitsConfig) -> Refusal | None:
    """G11: the book is in sync, not crossed, and of the epoch the order was made from.

    A tick change or a reconnect begins a new epoch: an order signed before it is refused here, at
    the place where its bytes would leave (fault A9).
    """
    del limits
    market = facts.market
    if market.book is not BookState.SYNCED:
        return _book("SYNCED", market.book.value.upper())
    bid_u6, ask_u6 = market.bid_u6, market.ask_u6
    if bid_u6 is not None and ask_u6 is not None and bid_u6 >= ask_u6:
        return _book("bid below ask", f"{price(bid_u6)} against {price(ask_u6)}")
    if order.draft.epoch != market.epoch:
        return _book(f"epoch {market.epoch}", f"epoch {order.draft.epoch}")
    return None


def _book(limit: str, value: str) -> Refusal:
    return Refusal(control=Control.BOOK_VALID, limit=limit, value=value)


def ownership(order: Gated, facts: GateFacts, limits: LimitsConfig) -> Refusal | None:
    """G12: the strategy owns the market, and the token is the one it says and is allowed.

    A hedge or an exit may come after its lock ran out, but never into another's market; a person's
    order owns nothing and needs nothing.
    """
    del limits
    draft, market, terms = order.draft, facts.market, order.terms
    is_yes = draft.outcome is Outcome.YES
    spec = market.spec
    if draft.market != spec.market or draft.token != spec.tokens[0 if is_yes else 1]:
        return _owner(f"the {draft.outcome.value} token of the market", short(draft.token))
    if terms is not None and terms.token != draft.token:
        return _owner(f"token {short(draft.token)}", f"signed for {short(terms.token)}")
    if not market.is_allowed:
        return _owner("token on the allow-list", short(draft.token))
    if draft.strategy in (OPERATOR, market.owner):
        return None
    if draft.purpose is not Purpose.OPEN and not market.owner:
        return None
    return _owner(f"owned by {draft.strategy}", market.owner or "nobody")


def _owner(limit: str, value: str) -> Refusal:
    return Refusal(control=Control.OWNERSHIP, limit=limit, value=value)


def grid(order: Gated, facts: GateFacts, limits: LimitsConfig) -> Refusal | None:
    """G13: a price on the grid inside (0, 1), a lawful size, and amounts that say the same."""
    del limits
    draft, market, terms = order.draft, facts.market, order.terms
    tick_u6 = market.tick_u6
    if not 0 < draft.px_u6 < U or draft.px_u6 % tick_u6:
        return _grid(f"on the grid of {price(tick_u6)} in (0, 1)", price(draft.px_u6))
    if draft.qty_u6 <= 0:
        return _grid("more than 0 shares", shares(draft.qty_u6))
    if draft.order_type.is_resting and draft.qty_u6 < market.spec.min_qty_u6:
        return _grid(f"at least {shares(market.spec.min_qty_u6)}", shares(draft.qty_u6))
    if terms is None:
        return _grid("lawful amounts", "none")
    is_buy = draft.side is Side.BUY
    if is_buy and terms.maker_amount_u6 < MARKETABLE_MIN_U6 and is_marketable(draft, market):
        return _grid(f"at least {dollars(MARKETABLE_MIN_U6)}", dollars(terms.maker_amount_u6))
    return _amounts(draft, terms)


def _amounts(draft: Draft, terms: Terms) -> Refusal | None:
    """Hold the signed amounts against the wish: never more shares or dollars, never swapped.

    Resting orders state the product exactly; FAK and FOK may be below by a lot of the counter.
    """
    is_buy = draft.side is Side.BUY
    maker_u6, taker_u6 = terms.maker_amount_u6, terms.taker_amount_u6
    cash_u6, qty_u6 = (maker_u6, taker_u6) if is_buy else (taker_u6, maker_u6)
    off = cash_u6 * U - draft.px_u6 * qty_u6
    slack = 0
    if not draft.order_type.is_resting:
        slack = _COUNTER_LOT_U6 * (draft.px_u6 if is_buy else U)
    is_same = (
        terms.px_u6 == draft.px_u6
        and terms.qty_u6 == draft.qty_u6
        and terms.side is draft.side
        and terms.order_type is draft.order_type
        and terms.post_only is draft.post_only
    )
    if is_same and 0 < qty_u6 <= draft.qty_u6 and abs(off) <= slack:
        return None
    wish = f"{draft.side.value.upper()} {shares(draft.qty_u6)} at {price(draft.px_u6)}"
    return _grid(f"amounts of {wish}", f"{shares(qty_u6)} for {dollars(cash_u6)}")


def _grid(limit: str, value: str) -> Refusal:
    return Refusal(control=Control.GRID, limit=limit, value=value)


def collar(order: Gated, facts: GateFacts, limits: LimitsConfig) -> Refusal | None:
    """G14: no price far from the market.

    An entry lies within the collar of the mid and of the last trade, both ways, and a quote at most
    so many ticks outside the touch. A hedge or an exit is bounded on the side that costs: a better
    price is never a reject, and with one side empty it is measured from the side it meets.
    """
    draft, market = order.draft, facts.market
    bid_u6, ask_u6, px_u6 = market.bid_u6, market.ask_u6, draft.px_u6
    if draft.purpose is not Purpose.OPEN:
        return _collar_exit(draft, market, limits)
    if bid_u6 is None or ask_u6 is None:
        return _collar("a two-sided book", "one side is empty")
    if abs(2 * px_u6 - bid_u6 - ask_u6) > 2 * limits.collar_u6:
        mid = price((bid_u6 + ask_u6) // 2)
        return _collar(f"within {price(limits.collar_u6)} of mid {mid}", price(px_u6))
    last_u6 = market.last_u6
    if last_u6 is not None and abs(px_u6 - last_u6) > limits.collar_u6:
        return _collar(f"within {price(limits.collar_u6)} of last {price(last_u6)}", price(px_u6))
    if draft.order_type.is_resting and not is_marketable(draft, market):
        reach_u6 = limits.collar_ticks * market.tick_u6
        if not bid_u6 - reach_u6 <= px_u6 <= ask_u6 + reach_u6:
            touch = f"{price(bid_u6)} to {price(ask_u6)}"
            return _collar(f"within {limits.collar_ticks} ticks of {touch}", price(px_u6))
    return None


def _collar_exit(draft: Draft, market: MarketFacts, limits: LimitsConfig) -> Refusal | None:
    bid_u6, ask_u6 = market.bid_u6, market.ask_u6
    is_buy = draft.side is Side.BUY
    if bid_u6 is not None and ask_u6 is not None:
        double_u6 = bid_u6 + ask_u6
    else:
        met_u6 = ask_u6 if is_buy else bid_u6
        if met_u6 is None:
            met_u6 = market.last_u6
        if met_u6 is None:
            return _collar("a price to measure from", "no book and no trade")
        double_u6 = 2 * met_u6
    worse_u6 = 2 * draft.px_u6 - double_u6
    if not is_buy:
        worse_u6 = -worse_u6
    if worse_u6 > 2 * limits.collar_u6:
        side = "above" if is_buy else "below"
        limit = f"at most {price(limits.collar_u6)} {side} {price(double_u6 // 2)}"
        return _collar(limit, price(draft.px_u6))
    return None


def _collar(limit: str, value: str) -> Refusal:
    return Refusal(control=Control.COLLAR, limit=limit, value=value)


def order_size(order: Gated, facts: GateFacts, limits: LimitsConfig) -> Refusal | None:
    """G15: neither more shares nor more dollars than one order may have, whatever it is for."""
    del facts
    draft = order.draft
    if draft.qty_u6 > limits.order_qty_u6:
        return _size(shares(limits.order_qty_u6), shares(draft.qty_u6))
    cash_u6 = cost_u6(draft.px_u6, draft.qty_u6)
    if cash_u6 > limits.order_cash_u6:
        return _size(dollars(limits.order_cash_u6), dollars(cash_u6))
    return None


def _size(limit: str, value: str) -> Refusal:
    return Refusal(control=Control.ORDER_SIZE, limit=f"at most {limit}", value=value)


def depth_share(order: Gated, facts: GateFacts, limits: LimitsConfig) -> Refusal | None:
    """G16: an entry that takes, takes at most a share of what is visible at its limit or better.

    An exit or a hedge may take all it meets: left undone it would be the larger risk, and its
    price and size are bounded by G14 and G15.
    """
    draft, market = order.draft, facts.market
    if draft.purpose is not Purpose.OPEN or not is_marketable(draft, market):
        return None
    if draft.qty_u6 * U > round(limits.depth_share * U) * market.depth_u6:
        most = f"{percent(limits.depth_share)} of {shares(market.depth_u6)}"
        return Refusal(control=Control.DEPTH_SHARE, limit=most, value=shares(draft.qty_u6))
    return None
