"""Exits of a naked side, priced as exact integers: complete the pair, sell it, or rest as a maker.

A bundle that holds more of one outcome than of the other is naked in the difference. Because YES
and NO are one book, completing at `c` and selling at `1 - c` are the same price; they differ in
what they need: a sale needs settled tokens, a marketable buy needs a dollar, a resting order needs
the market's minimum size. Everything here is a pure function of a snapshot; who may act, and when,
is `bundles.py`. Rounding is against us throughout: cash and fees up, proceeds and sizes down.
"""

from enum import Enum

from msgspec import Struct

from polytui.engine.core.enums import Outcome, Side
from polytui.engine.core.events import FeeSchedule
from polytui.engine.core.order_enums import OrderType
from polytui.engine.core.units import (
    U,
    ceil_to_tick_u6,
    cost_u6,
    fee_u6,
    floor_to_tick_u6,
    proceeds_u6,
    text_u6,
)
from polytui.engine.market.snapshot import MarketSnapshot, Rung

LOT_U6 = 10_000
"""Order sizes have two decimals (venue §5.2)."""
DUST_U6 = 10_000
"""Less than this is tracked and not chased: the venue itself leaves it (§5.4)."""
CENT_U6 = 10_000
"""The budget of a marketable buy has two decimals (§5.2)."""
MARKETABLE_MIN_U6 = U
"""A marketable buy must be worth a dollar (§5.1)."""


class ExitPlan(Enum):
    """Ways out, in the order in which equals are preferred."""

    SELL = "sell"
    """Sell the naked side: one settlement less than completing."""
    COMPLETE = "complete"
    """Buy the other side: needs cash only, so it works before the first leg has settled."""
    REST = "rest"
    """Quote as a maker: only where no taker's way is open."""


class Naked(Struct, frozen=True, kw_only=True, gc=False):
    """What is to be closed."""

    outcome: Outcome
    """Of which there is too much."""
    qty_u6: int
    sellable_u6: int
    """Of it: settled, and not promised to another order."""
    ref_u6: int
    """Planned price of the other token: the slip is measured from here."""


class Exit(Struct, frozen=True, kw_only=True, gc=False):
    """One way out, ready to become an order."""

    plan: ExitPlan
    outcome: Outcome
    """Of the token to trade."""
    side: Side
    px_u6: int
    qty_u6: int
    """Of the order: for a marketable buy its budget over its limit, which may be a little less."""
    covers_u6: int
    """Shares it closes if the book is still as shown."""
    cost_u6: int
    """By how much the covered shares fall short of a dollar each, fees included."""
    order_type: OrderType


class Taken(Struct, frozen=True, gc=False):
    """What a walk along a ladder yields."""

    qty_u6: int
    cash_u6: int
    """Before fees; rounded against the taker, level by level."""
    fee_u6: int


def other(outcome: Outcome) -> Outcome:
    """Return the complement."""
    return Outcome.NO if outcome is Outcome.YES else Outcome.YES


def take(ladder: list[Rung], qty_u6: int, *, side: Side, limit_u6: int, fees: FeeSchedule) -> Taken:
    """Walk a ladder, best level first, up to a quantity and no further than a limit price."""
    got = cash = fee = 0
    for px_u6, depth_u6 in ladder:
        beyond = px_u6 > limit_u6 if side is Side.BUY else px_u6 < limit_u6
        step = min(depth_u6, qty_u6 - got)
        if beyond or not step:
            break
        got += step
        cash += cost_u6(px_u6, step) if side is Side.BUY else proceeds_u6(px_u6, step)
        fee += fee_u6(px_u6, step, rate_u6=fees.rate_u6, exponent=fees.exponent)
    return Taken(got, cash, fee)


def inverse_limit_u6(
    side: Side, qty_u6: int, first_u6: int, *, buffer_u6: int, fees: FeeSchedule, tick_u6: int
) -> int | None:
    """Return the worst grid price of the second leg at which the pair still keeps the buffer.

    `first_u6` is what the first leg's `qty_u6` shares really cost, fees included (BUY), or brought
    net of them (SELL). BUY: the highest `p` with `a(p) <= 1 - buffer - first`; SELL: the lowest
    with `n(p) >= 1 + buffer - first` (`quant.md` §1.4, TV-1.3). None: no price does.
    """
    margin_u6 = cost_u6(buffer_u6, qty_u6)

    def keeps(px_u6: int) -> bool:
        fee = fee_u6(px_u6, qty_u6, rate_u6=fees.rate_u6, exponent=fees.exponent)
        if side is Side.BUY:
            return first_u6 + cost_u6(px_u6, qty_u6) + fee + margin_u6 <= qty_u6
        return first_u6 + proceeds_u6(px_u6, qty_u6) - fee - margin_u6 >= qty_u6

    good, bad = 0, U // tick_u6
    while bad - good > 1:
        middle = (good + bad) // 2
        px_u6 = middle * tick_u6 if side is Side.BUY else U - middle * tick_u6
        if keeps(px_u6):
            good = middle
        else:
            bad = middle
    if not good:
        return None
    return good * tick_u6 if side is Side.BUY else U - good * tick_u6


def budget_qty_u6(cash_u6: int, limit_u6: int) -> int:
    """Size a marketable buy so that its budget is what the book says the shares cost.

    A FAK buy spends a budget: at a limit above the ask it would buy more shares than asked
    (venue §5.4). The budget is `cash_u6` rounded down to the cent, and the size is the smallest
    whole lot whose budget that is.
    """
    budget_u6 = cash_u6 - cash_u6 % CENT_U6
    return ceil_to_tick_u6(-(-budget_u6 * U // limit_u6), LOT_U6)


def is_marketable(px_u6: int, qty_u6: int) -> bool:
    """Tell whether a marketable buy's budget, in whole cents, reaches the venue's dollar."""
    cash_u6 = proceeds_u6(px_u6, qty_u6)
    return cash_u6 - cash_u6 % CENT_U6 >= MARKETABLE_MIN_U6


def touch_u6(outcome: Outcome, quotes: MarketSnapshot) -> int | None:
    """Return the best price now at which the naked `outcome` is completed, or its mirror sold.

    Where nobody offers either, a maker's price: what is bid for the other token.
    """
    ask_u6 = quotes.best_ask_u6(other(outcome))
    bid_u6 = quotes.best_bid_u6(outcome)
    mirrored_u6 = None if bid_u6 is None else U - bid_u6
    prices = [px for px in (ask_u6, mirrored_u6) if px is not None]
    return min(prices) if prices else quotes.best_bid_u6(other(outcome))


def choose_exit(
    naked: Naked,
    quotes: MarketSnapshot,
    *,
    slip_u6: int,
    may_rest: bool,
    barred: frozenset[str],
    collar_u6: int = U,
) -> Exit | str:
    """Return the cheapest lawful way out inside the slip, or the reason why there is none.

    Takers' ways come first: whatever covers more, then whatever costs less, then the sale. `barred`
    names plans that were just refused. No limit is further than `collar_u6` beyond the mid, where
    there is one: the gate would refuse it (G14).
    """
    worst_u6 = naked.ref_u6 + slip_u6
    token = other(naked.outcome)
    bid_u6, ask_u6 = quotes.best_bid_u6(token), quotes.best_ask_u6(token)
    if bid_u6 is not None and ask_u6 is not None:
        worst_u6 = min(worst_u6, (bid_u6 + ask_u6) // 2 + collar_u6)
    ways: list[Exit] = []
    reasons: list[str] = []
    makers = (_complete, _sell, _rest) if may_rest else (_complete, _sell)
    for way in makers:
        answer = way(naked, quotes, worst_u6)
        if isinstance(answer, str):
            reasons.append(answer)
        elif answer.plan.value in barred:
            reasons.append(f"{answer.plan.value} was refused")
        else:
            ways.append(answer)
    if not ways:
        return "; ".join(reasons)
    order = list(ExitPlan)
    return min(
        ways,
        key=lambda e: (e.plan is ExitPlan.REST, -e.covers_u6, e.cost_u6, order.index(e.plan)),
    )


def _complete(naked: Naked, quotes: MarketSnapshot, worst_u6: int) -> Exit | str:
    """Buy the other side, its budget what the book asks, its limit the slip."""
    fees = quotes.spec.fees
    if fees is None:
        return "no taker: fee unknown"
    limit_u6 = _bid_limit_u6(worst_u6, quotes.tick_u6)
    token = other(naked.outcome)
    taken = take(quotes.asks(token), naked.qty_u6, side=Side.BUY, limit_u6=limit_u6, fees=fees)
    if not taken.qty_u6:
        return f"complete: no {token.value} ask up to {text_u6(limit_u6)}"
    qty_u6 = budget_qty_u6(taken.cash_u6, limit_u6)
    if not is_marketable(limit_u6, qty_u6):
        return f"complete: {text_u6(taken.cash_u6)} is below the $1 minimum"
    return Exit(
        plan=ExitPlan.COMPLETE,
        outcome=token,
        side=Side.BUY,
        px_u6=limit_u6,
        qty_u6=qty_u6,
        covers_u6=taken.qty_u6,
        cost_u6=taken.cash_u6 + taken.fee_u6,
        order_type=OrderType.FAK,
    )


def _sell(naked: Naked, quotes: MarketSnapshot, worst_u6: int) -> Exit | str:
    """Sell what is settled of the naked side; a marketable sale has no minimum."""
    fees = quotes.spec.fees
    if fees is None:
        return "no taker: fee unknown"
    want_u6 = min(naked.qty_u6, naked.sellable_u6)
    want_u6 -= want_u6 % LOT_U6
    if want_u6 <= 0:
        return "sell: waits for settlement"
    limit_u6 = _ask_limit_u6(worst_u6, quotes.tick_u6)
    bids = quotes.bids(naked.outcome)
    taken = take(bids, want_u6, side=Side.SELL, limit_u6=limit_u6, fees=fees)
    qty_u6 = taken.qty_u6 - taken.qty_u6 % LOT_U6
    if not qty_u6:
        return f"sell: no {naked.outcome.value} bid down to {text_u6(limit_u6)}"
    taken = take(bids, qty_u6, side=Side.SELL, limit_u6=limit_u6, fees=fees)
    return Exit(
        plan=ExitPlan.SELL,
        outcome=naked.outcome,
        side=Side.SELL,
        px_u6=limit_u6,
        qty_u6=qty_u6,
        covers_u6=qty_u6,
        cost_u6=qty_u6 - taken.cash_u6 + taken.fee_u6,
        order_type=OrderType.FAK,
    )


def _rest(naked: Naked, quotes: MarketSnapshot, worst_u6: int) -> Exit | str:
    """Quote one tick inside the spread where there is room, else join; never beyond the slip.

    Its cost is stated as if it were sold in the end at the far end of the slip: waiting is judged
    by its worst.
    """
    qty_u6 = naked.qty_u6 - naked.qty_u6 % LOT_U6
    if qty_u6 < quotes.spec.min_qty_u6:
        return f"rest: {text_u6(qty_u6)} is below {quotes.spec.min_order_text} shares"
    token, tick_u6 = other(naked.outcome), quotes.tick_u6
    bid_u6, ask_u6 = quotes.best_bid_u6(token), quotes.best_ask_u6(token)
    if bid_u6 is None:
        return f"rest: no {token.value} bid to join"
    px_u6 = bid_u6
    if ask_u6 is None or bid_u6 + tick_u6 < ask_u6:
        px_u6 = bid_u6 + tick_u6
    px_u6 = min(px_u6, _bid_limit_u6(worst_u6, tick_u6))
    is_sale = naked.sellable_u6 >= qty_u6
    return Exit(
        plan=ExitPlan.REST,
        outcome=naked.outcome if is_sale else token,
        side=Side.SELL if is_sale else Side.BUY,
        px_u6=U - px_u6 if is_sale else px_u6,
        qty_u6=qty_u6,
        covers_u6=qty_u6,
        cost_u6=cost_u6(min(worst_u6, U), qty_u6),
        order_type=OrderType.GTD,
    )


def _bid_limit_u6(worst_u6: int, tick_u6: int) -> int:
    return max(min(floor_to_tick_u6(worst_u6, tick_u6), U - tick_u6), tick_u6)


def _ask_limit_u6(worst_u6: int, tick_u6: int) -> int:
    return min(max(ceil_to_tick_u6(U - worst_u6, tick_u6), tick_u6), U - tick_u6)
