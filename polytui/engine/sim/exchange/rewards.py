"""What makers earn besides spreads: liquidity rewards by the minute, fee rebates by the day (§6).

Rewards: once a minute, at a random offset, every market with a pool is sampled; a minute's part of
the pool (pool/1440, to the micro-unit over the day) is shared by score. Rebates: a market's pool of
a day is its share of the taker fees of trades CONFIRMED that day, split by the makers' fee
equivalents. Both are paid at UTC midnight to accounts that earned at least a dollar; the rest is
forfeited, as at the venue.
"""

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from polytui.engine.core.units import U
from polytui.engine.sim.exchange.accounts import FEES, REWARDS, Account
from polytui.engine.sim.exchange.api import COLLATERAL
from polytui.engine.sim.exchange.emissions import MS, BalanceMoved, RewardsSampled
from polytui.engine.sim.exchange.fees import fee_u6
from polytui.engine.sim.exchange.ladder import Queue
from polytui.engine.sim.exchange.market import Market
from polytui.engine.sim.exchange.terms import RewardTerms
from polytui.engine.sim.exchange.world import World

if TYPE_CHECKING:
    from polytui.engine.sim.exchange.orders import Order
    from polytui.engine.sim.exchange.settlement import Trade

MINUTE_NS = 60_000 * MS
DAY_NS = 1_440 * MINUTE_NS
MINUTES = 1_440
BAND_U6 = (100_000, 900_000)
"""Midpoints in here score one-sided quotes too, at a third."""


@dataclass(slots=True)
class Pool:
    """One market's rebates of one day."""

    rebates_u12: int = 0
    """Σ fee × rebate share."""
    weights: dict[str, int] = field(default_factory=dict)
    """Account to fee equivalent of its maker fills."""
    total: int = 0
    """Of the weights."""

    def part_u6(self, address: str) -> int:
        """Return one account's part, rounded down."""
        if not self.total:
            return 0
        return self.rebates_u12 * self.weights.get(address, 0) // (U * self.total)


class Rewards:
    """The sampler and the two purses."""

    __slots__ = ("_luck", "_pools", "_scoring", "_world")

    def __init__(self, world: World) -> None:
        """Book the first sample and the first midnight."""
        self._world = world
        self._luck = world.rng.fork("reward samples")
        self._pools: dict[str, Pool] = {}
        self._scoring: list[Order] = []
        self._book_sample(world.now_ns // MINUTE_NS)
        world.calendar.book((world.now_ns // DAY_NS + 1) * DAY_NS, self._midnight)

    # --- liquidity rewards -----------------------------------------------------------------------

    def _book_sample(self, minute: int) -> None:
        """Book one sample in a minute, or in the next when its instant is past."""
        due_ns = minute * MINUTE_NS + self._luck.below(MINUTE_NS)
        if due_ns <= self._world.now_ns:
            due_ns = (minute + 1) * MINUTE_NS + self._luck.below(MINUTE_NS)
        self._world.calendar.book(due_ns, self._sample)

    def _sample(self) -> None:
        minute = self._world.now_ns // MINUTE_NS
        for order in self._scoring:
            order.is_scoring = False
        self._scoring = []
        for market in self._world.markets.values():
            rewards = market.terms.rewards
            if rewards.pool_day_u6 and market.terms.accepting:
                self._share(market, minute_part_u6(rewards.pool_day_u6, minute % MINUTES))
        self._book_sample(minute + 1)

    def _share(self, market: Market, purse_u6: int) -> None:
        """Divide one minute's purse of one market by score; what rounding leaves is unspent."""
        scores, counted = score_book(market, self._world.now_ns)
        total = sum(scores.values())
        if not total:
            return
        for order in counted:
            order.is_scoring = True
        self._scoring += counted
        shares: list[tuple[str, int, int]] = []
        for address, score in scores.items():
            earned_u12 = purse_u6 * U * score // total
            self._world.accounts.all[address].rewards_u12 += earned_u12
            shares.append((address, score, earned_u12 // U))
        self._world.emit(
            RewardsSampled(
                at_ns=self._world.now_ns, condition=market.condition, shares=tuple(shares)
            )
        )

    # --- maker rebates ---------------------------------------------------------------------------

    def note_trade(self, trade: "Trade") -> None:
        """Add a CONFIRMED trade to its market's pool of the day."""
        view = trade.view
        if not view.fee_u6 or not trade.fees.rebate_u6:
            return
        pool = self._pools.setdefault(view.condition, Pool())
        pool.rebates_u12 += view.fee_u6 * trade.fees.rebate_u6
        rounding = self._world.settings.fee_rounding
        for account, fill in zip(trade.parties[1:], view.makers, strict=True):
            weight = fee_u6(fill.px_u6, fill.qty_u6, trade.fees, rounding)
            pool.weights[account.address] = pool.weights.get(account.address, 0) + weight
            pool.total += weight

    def rebates_u6(self, account: Account) -> int:
        """Return an account's rebates of the day so far."""
        return sum(pool.part_u6(account.address) for pool in self._pools.values())

    def _midnight(self) -> None:
        minimum_u6 = self._world.settings.payout_min_u6
        for account in self._world.accounts.all.values():
            rebates_u6 = self.rebates_u6(account)
            if rebates_u6 and rebates_u6 >= minimum_u6:
                self._pay(account, FEES, "rebates", rebates_u6)
                account.rebates_paid_u6 += rebates_u6
            rewards_u6 = account.rewards_u12 // U
            if rewards_u6 and rewards_u6 >= minimum_u6:
                self._pay(account, REWARDS, "rewards", rewards_u6)
                account.rewards_paid_u6 += rewards_u6
            account.rewards_u12 = 0
        self._pools.clear()
        self._world.calendar.book(self._world.now_ns + DAY_NS, self._midnight)

    def _pay(self, account: Account, purse: str, what: str, amount_u6: int) -> None:
        self._world.accounts.ledger.move(COLLATERAL, purse, account.address, amount_u6)
        self._world.emit(
            BalanceMoved(
                at_ns=self._world.now_ns,
                account=account.address,
                what=what,
                moves=((COLLATERAL, amount_u6),),
            )
        )


def minute_part_u6(pool_u6: int, minute: int) -> int:
    """Return the part of a day's pool that falls to one minute; the parts sum to the pool."""
    return pool_u6 * (minute + 1) // MINUTES - pool_u6 * minute // MINUTES


def score_u6(qty_u6: int, *, spread2_u6: int, distance2_u6: int) -> int:
    """Return `((v-s)/v)²·size` in micro-shares, rounded down; both lengths doubled."""
    if distance2_u6 >= spread2_u6:
        return 0
    return qty_u6 * (spread2_u6 - distance2_u6) ** 2 // spread2_u6**2


def combine(bid_score: int, ask_score: int, middle2_u6: int) -> int:
    """Return `Q` of the two sides' scores: one side alone counts a third, inside the band only."""
    low, high = sorted((bid_score, ask_score))
    if 2 * BAND_U6[0] <= middle2_u6 <= 2 * BAND_U6[1]:
        return max(low, high // 3)
    return low


def score_book(market: Market, now_ns: int) -> tuple[dict[str, int], list["Order"]]:
    """Score every account with eligible orders; return (account to `Q`, orders that count)."""
    rewards = market.terms.rewards
    bid_u6 = _cut_off_best(market.bids, rewards.min_qty_u6)
    ask_u6 = _cut_off_best(market.asks, rewards.min_qty_u6)
    if bid_u6 is None or ask_u6 is None:
        return {}, []
    middle2_u6 = bid_u6 + ask_u6
    counted: list[Order] = []
    sides: dict[str, tuple[int, int]] = {}
    for ix, queue in enumerate((market.bids, market.asks)):
        for order, score in _scored(queue, rewards, middle2_u6, now_ns):
            counted.append(order)
            bids, asks = sides.get(order.account.address, (0, 0))
            sides[order.account.address] = (bids, asks + score) if ix else (bids + score, asks)
    scores = {address: combine(bids, asks, middle2_u6) for address, (bids, asks) in sides.items()}
    return {address: score for address, score in scores.items() if score}, counted


def _cut_off_best(queue: Queue, min_qty_u6: int) -> int | None:
    """Return the best price with enough size to count: the cut-off of the adjusted midpoint."""
    for px_u6 in queue.best_first():
        if queue.levels[px_u6].total_u6 >= min_qty_u6:
            return px_u6
    return None


def _scored(
    queue: Queue, rewards: RewardTerms, middle2_u6: int, now_ns: int
) -> list[tuple["Order", int]]:
    """List one side's eligible orders with their scores."""
    found: list[tuple[Order, int]] = []
    spread2_u6 = 2 * rewards.max_spread_u6
    newest_ns = now_ns - rewards.min_age_ms * MS
    for px_u6 in queue.best_first():
        distance2_u6 = abs(2 * px_u6 - middle2_u6)
        if distance2_u6 >= spread2_u6:
            break
        for order in queue.levels[px_u6].orders.values():
            if order.left_u6 >= rewards.min_qty_u6 and order.created_ns <= newest_ns:
                score = score_u6(order.left_u6, spread2_u6=spread2_u6, distance2_u6=distance2_u6)
                found.append((order, score))
    return found
