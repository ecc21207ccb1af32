"""Box / complement arbitrage: buy (or split and sell) both tokens for less (more) than one dollar.

Edge and sizing are `quant.md` §1: all-in prices with the market's own fee on each leg, both ladders
walked together, recomputed on the floored size. Because YES and NO are one mirrored book, a box
below par is a crossed book, so its usual cause is bad data: the gates (proof, age, parity,
confirmation on later updates) come before any wish, and a hit that fails one is an incident.
"""

from functools import partial

from msgspec import Struct

from polytui.engine.core.decision import Decision, Intent
from polytui.engine.core.enums import MetricFamily, Outcome, Proof, Reason, Side, Unit, Verdict
from polytui.engine.core.events import FeeSchedule
from polytui.engine.core.runconfig import BoxConfig
from polytui.engine.core.units import U, fee_per_share_u6, fee_u6
from polytui.engine.market.snapshot import MarketSnapshot, Rung
from polytui.engine.strategy.api import Strategy

STRATEGY = "box"
TIER = 0
LOT_U6 = 10_000
"""Order sizes have two decimals (`venue/polymarket.md` §5.2)."""
LEG_MIN_U6 = 2_000_000
"""A marketable buy must be worth a dollar (§5.1), also one that replaces a leg whose settlement
failed after the price fell by half."""
_MS = 1_000_000


class BoxMemory(Struct, frozen=True):
    """What the box remembers of one market: how often the present edge was seen in a row."""

    side: Side
    seen: int
    epoch: int
    snapshot: int


class Walk(Struct, frozen=True):
    """The joint depth walk: how many boxes, at what total, with which limits."""

    qty_u6: int
    cash_u6: int
    """Paid (buying, fees included, rounded up) or received (selling, fees off, rounded down)."""
    profit_u6: int
    yes_limit_u6: int
    no_limit_u6: int


def strategy(config: BoxConfig) -> Strategy:
    """Make the strategy with its configuration bound."""
    return Strategy(id=STRATEGY, tier=TIER, propose=partial(propose, config=config), stands=stands)


_STANDING = (Reason.EDGE_BELOW_BUFFER, Reason.ONE_SIDED, Reason.FEE_UNKNOWN)


def stands(decision: Decision) -> bool:
    """Tell whether an answer rests on best prices and catalog facts alone: no gate, no size."""
    return decision.reason in _STANDING


def propose(
    snap: MarketSnapshot, memory: BoxMemory | None, *, config: BoxConfig
) -> tuple[Decision, BoxMemory | None]:
    """Look for a box in both directions; hold with the better of the two edges as the score."""
    fees = snap.spec.fees
    if fees is None:
        return _lacking(snap, Reason.FEE_UNKNOWN, have=0, need=1), None
    if not snap.yes_px or not snap.no_px:
        sides = bool(snap.yes_px) + bool(snap.no_px)
        return _lacking(snap, Reason.ONE_SIDED, have=sides, need=2), None
    side, edge_u6 = best_edge_u6(snap, fees)
    if edge_u6 <= config.buffer_u6:
        return _hold(snap, config, Reason.EDGE_BELOW_BUFFER, edge_u6), None
    memory = _seen_again(snap, memory, side)
    gate = _gate(snap, memory, config)
    if gate is not None:
        return _hold(snap, config, gate, edge_u6), memory
    walk = walk_box(snap, side, fees, config)
    if not is_tradable(walk, snap.spec.min_qty_u6):
        return _hold(snap, config, Reason.SIZE_BELOW_MINIMUM, edge_u6), memory
    return _intents(snap, config, side=side, edge_u6=edge_u6, walk=walk), memory


def best_edge_u6(snap: MarketSnapshot, fees: FeeSchedule) -> tuple[Side, int]:
    """Return the better direction and its edge per box at the touch, after all fees.

    Buy: `1 - a(ask_Y) - a(ask_N)`. Sell: `n(bid_Y) + n(bid_N) - 1` (split first).
    """
    yes_bid, no_bid = snap.yes_px[-1], snap.no_px[-1]
    gross_u6 = yes_bid + no_bid - U
    buy_u6 = gross_u6 - _fee(U - no_bid, fees) - _fee(U - yes_bid, fees)
    sell_u6 = gross_u6 - _fee(yes_bid, fees) - _fee(no_bid, fees)
    return (Side.BUY, buy_u6) if buy_u6 >= sell_u6 else (Side.SELL, sell_u6)


_FEES: dict[int, int] = {}
_FEES_MAX = 1 << 16


def _fee(px_u6: int, fees: FeeSchedule) -> int:
    """Fee per share, remembered: prices live on a small grid, schedules are few."""
    key = (px_u6 << 40) + (fees.rate_u6 << 8) + fees.exponent
    fee = _FEES.get(key)
    if fee is None:
        if len(_FEES) >= _FEES_MAX:
            _FEES.clear()
        fee = fee_per_share_u6(px_u6, rate_u6=fees.rate_u6, exponent=fees.exponent)
        _FEES[key] = fee
    return fee


def _seen_again(snap: MarketSnapshot, memory: BoxMemory | None, side: Side) -> BoxMemory:
    """Count consecutive updates with an edge on the same side in the same epoch."""
    again = memory is not None and memory.side is side and memory.epoch == snap.epoch
    seen = memory.seen + 1 if again and memory is not None else 1
    return BoxMemory(side, seen, snap.epoch, snap.id)


def _gate(snap: MarketSnapshot, memory: BoxMemory, config: BoxConfig) -> Reason | None:
    """Say which data gate refuses an edge, the most damning first."""
    if not snap.spec.accepting or snap.spec.protocol not in ("v1", "v2"):
        return Reason.NOT_TRADABLE
    if config.proof_required and snap.proof is not Proof.DIGEST:
        return Reason.BOOK_UNPROVEN
    if snap.age_ns > config.age_ms_max * _MS:
        return Reason.STALE_BOOK
    if snap.parity_share < config.parity_share_min:
        return Reason.BOOK_PARITY
    if memory.seen < config.confirmations:
        return Reason.AWAIT_CONFIRMATION
    return None


def walk_box(snap: MarketSnapshot, side: Side, fees: FeeSchedule, config: BoxConfig) -> Walk:
    """Walk both ladders together while each further box still earns more than the buffer.

    Marginal cost never falls along the walk, so stopping at the first pair that does not pay is
    optimal, and so is stopping at a cap (`quant.md` §1.3). Sizes floor to the lot.
    """
    if side is Side.BUY:
        yes, no = snap.asks(Outcome.YES), snap.asks(Outcome.NO)
    else:
        yes, no = snap.bids(Outcome.YES), snap.bids(Outcome.NO)
    steps = _joint_steps(yes, no)
    sign = 1 if side is Side.BUY else -1
    qty_u6, spent_u6 = 0, 0
    for yes_px, no_px, step_u6 in steps:
        all_in = yes_px + no_px + sign * (_fee(yes_px, fees) + _fee(no_px, fees))
        if sign * (U - all_in) <= config.buffer_u6:
            break
        room_u6 = min(step_u6, config.qty_u6_max - qty_u6)
        outlay = all_in if side is Side.BUY else U
        room_u6 = min(room_u6, (config.cash_u6_max - spent_u6) * U // outlay)
        qty_u6 += room_u6
        spent_u6 += -(-room_u6 * outlay // U)
        if room_u6 < step_u6:
            break
    return price_walk(yes, no, qty_u6 - qty_u6 % LOT_U6, side=side, fees=fees)


def _joint_steps(yes: list[Rung], no: list[Rung]) -> list[tuple[int, int, int]]:
    """Cut two ladders into steps of equal quantity: (yes_px, no_px, qty_u6)."""
    steps: list[tuple[int, int, int]] = []
    i = j = 0
    left_yes = left_no = 0
    while True:
        if not left_yes:
            if i == len(yes):
                return steps
            left_yes = yes[i][1]
            i += 1
        if not left_no:
            if j == len(no):
                return steps
            left_no = no[j][1]
            j += 1
        step = min(left_yes, left_no)
        steps.append((yes[i - 1][0], no[j - 1][0], step))
        left_yes -= step
        left_no -= step


def price_walk(
    yes: list[Rung], no: list[Rung], qty_u6: int, *, side: Side, fees: FeeSchedule
) -> Walk:
    """Price `qty_u6` boxes on two ladders exactly, each level's fee and cash rounded against us."""
    (yes_cash, yes_limit), (no_cash, no_limit) = (
        _leg_cash(ladder, qty_u6, side=side, fees=fees) for ladder in (yes, no)
    )
    cash_u6 = yes_cash + no_cash
    profit_u6 = qty_u6 - cash_u6 if side is Side.BUY else cash_u6 - qty_u6
    return Walk(qty_u6, cash_u6, profit_u6, yes_limit, no_limit)


def _leg_cash(ladder: list[Rung], qty_u6: int, *, side: Side, fees: FeeSchedule) -> tuple[int, int]:
    """Return (cash with fees, limit price) of taking `qty_u6` from one ladder."""
    cash_u6, limit_u6, left_u6 = 0, 0, qty_u6
    for px_u6, depth_u6 in ladder:
        if not left_u6:
            break
        take_u6 = min(left_u6, depth_u6)
        fee = fee_u6(px_u6, take_u6, rate_u6=fees.rate_u6, exponent=fees.exponent)
        if side is Side.BUY:
            cash_u6 += -(-px_u6 * take_u6 // U) + fee
        else:
            cash_u6 += px_u6 * take_u6 // U - fee
        limit_u6 = px_u6
        left_u6 -= take_u6
    return cash_u6, limit_u6


def is_tradable(walk: Walk, min_qty_u6: int) -> bool:
    """Check the venue's minimum size, what a leg must be worth, and that it still pays."""
    cheap_leg_u6 = min(walk.yes_limit_u6, walk.no_limit_u6) * walk.qty_u6 // U
    return walk.qty_u6 >= min_qty_u6 and cheap_leg_u6 >= LEG_MIN_U6 and walk.profit_u6 > 0


def _hold(snap: MarketSnapshot, config: BoxConfig, reason: Reason, edge_u6: int) -> Decision:
    return Decision(
        strategy=STRATEGY,
        market=snap.spec.market,
        snapshot=snap.id,
        at_ns=snap.at_ns,
        verdict=Verdict.HOLD,
        reason=reason,
        score_u6=edge_u6,
        threshold_u6=config.buffer_u6,
    )


def _lacking(snap: MarketSnapshot, reason: Reason, *, have: int, need: int) -> Decision:
    """Hold because an edge cannot even be measured: how many of the needed facts there are."""
    return Decision(
        strategy=STRATEGY,
        market=snap.spec.market,
        snapshot=snap.id,
        at_ns=snap.at_ns,
        verdict=Verdict.HOLD,
        reason=reason,
        score_u6=have * U,
        threshold_u6=need * U,
        unit=Unit.COUNT,
        family=MetricFamily.DATA_QUALITY,
    )


def _intents(
    snap: MarketSnapshot, config: BoxConfig, *, side: Side, edge_u6: int, walk: Walk
) -> Decision:
    """Propose both legs, the thinner one first: a failing first leg costs nothing."""
    bundle = f"{STRATEGY}-{snap.id}"
    legs = [
        (Outcome.YES, snap.spec.tokens[0], walk.yes_limit_u6),
        (Outcome.NO, snap.spec.tokens[1], walk.no_limit_u6),
    ]
    if _touch_qty_u6(snap, Outcome.NO, side) < _touch_qty_u6(snap, Outcome.YES, side):
        legs.reverse()
    confidence = min(1.0, snap.parity_share) * (1.0 if snap.proof is Proof.DIGEST else 0.5)
    intents = tuple(
        Intent(
            strategy=STRATEGY,
            tier=TIER,
            market=snap.spec.market,
            token=token,
            outcome=outcome,
            side=side,
            px_u6=limit_u6,
            qty_u6=walk.qty_u6,
            snapshot=snap.id,
            bundle=bundle,
            leg=leg,
            ev_u6=walk.profit_u6,
            confidence=confidence,
            risk_cost_u6=walk.cash_u6 if side is Side.BUY else walk.qty_u6,
            tags=("box", side.value),
        )
        for leg, (outcome, token, limit_u6) in enumerate(legs)
    )
    return Decision(
        strategy=STRATEGY,
        market=snap.spec.market,
        snapshot=snap.id,
        at_ns=snap.at_ns,
        verdict=Verdict.INTENT,
        reason=Reason.OK,
        score_u6=edge_u6,
        threshold_u6=config.buffer_u6,
        intents=intents,
    )


def _touch_qty_u6(snap: MarketSnapshot, outcome: Outcome, side: Side) -> int:
    rungs = snap.asks(outcome) if side is Side.BUY else snap.bids(outcome)
    return rungs[0][1]
