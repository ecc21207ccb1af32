"""Takers: the noisy, who trade for reasons of their own, and the informed, who know.

Noise pays the spread and moves nothing for long. The informed one sees the truth without delay,
buys what the slow still sell at the old price, and is gone: the move against its counterparties
comes after its fills, which is what a toxicity filter must learn to see.
"""

from math import exp

from polytui.engine.core.rng import Rng
from polytui.engine.core.units import U
from polytui.engine.sim.exchange.exchange import Exchange
from polytui.engine.sim.population.market import Market, asks, fair_u6
from polytui.engine.sim.population.trader import Trader
from polytui.engine.sim.population.weather import SECOND_NS

MS_NS = 1_000_000

NOISE_CASH_U6 = 5_000_000 * U
NOISE_SHARES = 20.0
"""Median size of a noisy order; sizes are log-normal."""
NOISE_SIGMA = 1.1
NOISE_SHARES_MAX = 5_000.0
WHALE_CHANCE = 0.02
"""Of a noisy order to be a whale's, who sweeps levels without looking."""
WHALE_FACTOR = 40.0
WHALE_SLIP_TICKS = 15
NOISE_SELLS = 0.35
"""Chance that a noisy trader sells what it has, when it has something."""
NOISE_SLIP_TICKS = 2
SPEND_LEAST_U6 = 2 * U
"""A marketable buy of less than a dollar is refused (§5.1); twice that is safe."""

INFORMED_CASH_U6 = 20_000_000 * U
INFORMED_LOOK_NS = 200 * MS_NS
INFORMED_REACTION_NS = (40 * MS_NS, 160 * MS_NS)
INFORMED_EDGE_U6 = 8_000
"""Edge per share after the fee below which it does not bother."""
INFORMED_SHARES_MAX = 800.0
INFORMED_REST_NS = SECOND_NS
"""After a purchase it leaves that market alone for so long."""


class NoiseTaker:
    """Trades at random, a little more of what is cheap to trade."""

    __slots__ = ("_exchange", "_rng", "_traders")

    def __init__(self, traders: list[Trader], exchange: Exchange, rng: Rng) -> None:
        """Act through several accounts, drawn for each order."""
        self._traders = traders
        self._exchange = exchange
        self._rng = rng

    def trade(self, market: Market) -> None:
        """Place one order, or none where nobody stands on the other side."""
        rng = self._rng
        trader = self._traders[rng.below(len(self._traders))]
        ix = rng.below(2)
        token = market.tokens[ix]
        best = self._exchange.best(market.condition)
        shares = NOISE_SHARES * exp(NOISE_SIGMA * rng.normal())
        slip_u6 = NOISE_SLIP_TICKS * market.tick_u6
        if rng.chance(WHALE_CHANCE):
            shares, slip_u6 = shares * WHALE_FACTOR, WHALE_SLIP_TICKS * market.tick_u6
        shares = min(NOISE_SHARES_MAX, shares)
        if rng.chance(NOISE_SELLS):
            bid_u6 = U - asks(best)[1 - ix]
            held_u6 = trader.free_u6(token)
            if bid_u6 > slip_u6 and held_u6 >= market.terms.min_qty_u6:
                trader.sell(token, limit_u6=bid_u6 - slip_u6, qty_u6=min(held_u6, int(shares * U)))
                return
        ask_u6 = asks(best)[ix]
        if ask_u6 < U:
            limit_u6 = min(ask_u6 + slip_u6, U - market.tick_u6)
            cash_u6 = max(SPEND_LEAST_U6, int(shares * limit_u6))
            trader.take(token, limit_u6=limit_u6, cash_u6=cash_u6)


class Informed:
    """Sees the truth as it is, and trades on what others do not know yet."""

    __slots__ = ("_exchange", "_rng", "_trader", "rest_until_ns", "share")

    def __init__(self, trader: Trader, exchange: Exchange, rng: Rng) -> None:
        """Know everything, act with one account."""
        self._trader = trader
        self._exchange = exchange
        self._rng = rng
        self.rest_until_ns: dict[str, int] = {}
        """By condition id."""
        self.share = 1.0
        """Chance that it acts on what it sees: a scenario may make it louder or silent."""

    def sees(self, market: Market, at_ns: int) -> int | None:
        """Return when it will act on a market, None when there is nothing in it."""
        if self.rest_until_ns.get(market.condition, 0) > at_ns:
            return None
        if max(self._edges_u6(market)) < INFORMED_EDGE_U6:
            return None
        rest_ns = int(self._rng.exponential(1.0) * INFORMED_REST_NS)
        self.rest_until_ns[market.condition] = at_ns + INFORMED_REST_NS // 4 + rest_ns
        if not self._rng.chance(self.share):
            return None
        return at_ns + self._rng.between(*INFORMED_REACTION_NS)

    def act(self, market: Market) -> bool:
        """Buy what is still too cheap; the larger the edge, the more."""
        edges_u6 = self._edges_u6(market)
        ix = 0 if edges_u6[0] >= edges_u6[1] else 1
        if not market.is_open or edges_u6[ix] < INFORMED_EDGE_U6:
            return False
        ask_u6 = asks(self._exchange.best(market.condition))[ix]
        spare_u6 = edges_u6[ix] - INFORMED_EDGE_U6
        limit_u6 = ask_u6 + spare_u6 // market.tick_u6 * market.tick_u6
        limit_u6 = min(limit_u6, U - market.tick_u6)
        shares = min(INFORMED_SHARES_MAX, 40.0 * edges_u6[ix] / INFORMED_EDGE_U6)
        cash_u6 = max(SPEND_LEAST_U6, int(shares * limit_u6))
        return self._trader.take(market.tokens[ix], limit_u6=limit_u6, cash_u6=cash_u6).is_success

    def _edges_u6(self, market: Market) -> tuple[int, int]:
        """Return what a share of each token is worth beyond its ask and fee."""
        cost = asks(self._exchange.best(market.condition))
        chance = market.truth.now
        yes, no = (
            fair_u6(chance, ix) - ask - market.fee_u6(ask) if ask < U else -U
            for ix, ask in enumerate(cost)
        )
        return yes, no
