"""Makers who quote both sides for the spread, the rebate and the rewards.

A maker sees the truth late, quotes a ladder of bids for YES and for NO around it, leans against its
inventory and merges what pairs up. Between two looks its quotes are stale: that is what the
informed live on. In wide or thin weather it stands further away with less.
"""

from msgspec import Struct

from polytui.engine.core.rng import Rng
from polytui.engine.core.units import U, floor_to_tick_u6
from polytui.engine.sim.exchange.api import OrderView
from polytui.engine.sim.exchange.exchange import Exchange
from polytui.engine.sim.population.market import EDGE_LEAST_U6, Market, fair_u6, skewed
from polytui.engine.sim.population.trader import CENT_U6, Trader
from polytui.engine.sim.population.weather import SECOND_NS

MS_NS = 1_000_000
CASH_U6 = 20_000_000 * U
INVENTORY_SHARES_MAX = 1_500.0
"""At this inventory the skew is 1.5 quoted half-spreads at even odds (quant.md §4.3)."""
MERGE_SHARES = 200
"""Pairs are merged from this many on."""
KEEP_LOW, KEEP_HIGH = 0.5, 2.0
"""A quote whose size is within these factors of what is wanted keeps its place in the queue."""
ROUND_SIZES = (5, 10, 15, 20, 25, 40, 50, 75, 100, 150, 200, 250, 300, 500, 1_000)

Wanted = dict[tuple[int, int], int]
"""(token index, price) to size."""


class MakerStyle(Struct, frozen=True, kw_only=True):
    """How one kind of maker quotes."""

    name: str
    lag_ms: int
    """How old the truth is that it sees."""
    look_s: float
    """Mean time between two looks."""
    half_spread_u6: int
    levels: int
    gap_ticks: int
    """Between levels beyond the first."""
    size_shares: float
    """Median size of its first level; deeper ones grow."""
    churn: float
    """Chance per look that one of its levels is sized anew."""
    bias_u6: int = 3_000
    """Deviation of its private error about the fair price."""


STYLES: tuple[MakerStyle, ...] = (
    MakerStyle(
        name="tight",
        lag_ms=500,
        look_s=1.0,
        half_spread_u6=7_000,
        levels=3,
        gap_ticks=1,
        size_shares=60,
        churn=0.35,
    ),
    MakerStyle(
        name="reward",
        lag_ms=900,
        look_s=2.0,
        half_spread_u6=11_000,
        levels=6,
        gap_ticks=1,
        size_shares=120,
        churn=0.6,
    ),
    MakerStyle(
        name="deep",
        lag_ms=2_000,
        look_s=4.0,
        half_spread_u6=25_000,
        levels=16,
        gap_ticks=2,
        size_shares=250,
        churn=0.9,
        bias_u6=8_000,
    ),
)


class Maker:
    """One maker in one market."""

    __slots__ = ("_bias_u6", "_exchange", "_rng", "_trader", "inventory", "market", "style")

    def __init__(
        self, style: MakerStyle, market: Market, trader: Trader, exchange: Exchange, rng: Rng
    ) -> None:
        """Stand ready; the first look places the ladder."""
        self.style = style
        self.market = market
        self._trader = trader
        self._exchange = exchange
        self._rng = rng
        self._bias_u6 = 0.0
        self.inventory = 0.0
        """Net shares of YES, as far as heard of."""

    def note(self, order: OrderView) -> None:
        """Hear of one of our orders."""
        filled_u6 = self._trader.note(order)
        if filled_u6:
            sign = 1 if order.token == self.market.tokens[0] else -1
            self.inventory += sign * filled_u6 / U

    def look(self, at_ns: int, pace: float) -> int:
        """Bring the ladder in line with what we believe now; return when to look again."""
        market, trader = self.market, self._trader
        wanted = self._wanted(at_ns)
        ours = trader.open.get(market.condition, {})
        missing = dict(wanted)
        stale = []
        for order_id, resting in ours.items():
            key = (market.tokens.index(resting.token), resting.px_u6)
            size_u6 = missing.get(key)
            if size_u6 is not None and KEEP_LOW * size_u6 <= resting.left_u6 <= KEEP_HIGH * size_u6:
                del missing[key]
            else:
                stale.append(order_id)
        if ours and not stale and not missing and self._rng.chance(self.style.churn):
            order_id = list(ours)[self._rng.below(len(ours))]
            key = (market.tokens.index(ours[order_id].token), ours[order_id].px_u6)
            stale, missing = [order_id], {key: self._size_u6(wanted[key])}
        trader.pull(market.condition, stale)
        bids = [(market.tokens[ix], px_u6, size) for (ix, px_u6), size in missing.items()]
        trader.bid(market.condition, bids)
        return at_ns + int(self._rng.exponential(self.style.look_s / pace) * SECOND_NS) + MS_NS

    def tidy(self) -> None:
        """Merge pairs that have settled, which frees their dollars."""
        market, trader = self.market, self._trader
        pairs_u6 = min(trader.free_u6(token) for token in market.tokens)
        if pairs_u6 >= MERGE_SHARES * U:
            self._exchange.merge(trader.account, market.condition, pairs_u6)

    def leave(self) -> None:
        """Pull everything."""
        self._trader.pull_all(self.market.condition)

    def _wanted(self, at_ns: int) -> Wanted:
        """Lay out the ladder: bids for YES and NO below what we think each is worth to us."""
        style, market, rng = self.style, self.market, self._rng
        weather = market.truth.weather
        self._bias_u6 += 0.2 * (style.bias_u6 * rng.normal() - self._bias_u6)
        gamma = 6.0 * style.half_spread_u6 / U / INVENTORY_SHARES_MAX
        seen = market.truth.seen(style.lag_ms * MS_NS + market.slow_ns)
        chance = skewed(seen, gamma * self.inventory)
        half_u6 = style.half_spread_u6 * weather.climate.width * 4 * chance * (1 - chance)
        depth = weather.depth(at_ns)
        wanted: Wanted = {}
        for ix in (0, 1):
            bias_u6 = -self._bias_u6 if ix else self._bias_u6
            edge_u6 = int(fair_u6(chance, ix) + bias_u6 - max(half_u6, market.tick_u6 * 0.6))
            px_u6 = floor_to_tick_u6(edge_u6, market.tick_u6)
            for level in range(style.levels):
                if px_u6 < max(EDGE_LEAST_U6, market.tick_u6):
                    break
                if px_u6 <= U - market.tick_u6:
                    usual = style.size_shares * depth * (1 + 0.3 * level)
                    wanted[ix, px_u6] = _whole(usual, market)
                px_u6 -= market.tick_u6 * (style.gap_ticks if level else 1)
        return wanted

    def _size_u6(self, around_u6: int) -> int:
        """Draw a size near a given one, a round number often."""
        rng = self._rng
        if rng.chance(0.4):
            near = [
                s for s in ROUND_SIZES if KEEP_LOW * around_u6 <= s * U <= KEEP_HIGH * around_u6
            ]
            if near:
                return near[rng.below(len(near))] * U
        share = KEEP_LOW + 0.05 + (KEEP_HIGH - KEEP_LOW - 0.1) * rng.unit()
        least_u6 = self.market.terms.min_qty_u6
        return max(least_u6, int(around_u6 * share) // CENT_U6 * CENT_U6)


def _whole(shares: float, market: Market) -> int:
    """Round a wish to a size the exchange takes."""
    return max(market.terms.min_qty_u6, int(shares * U) // CENT_U6 * CENT_U6)
