"""The herd: many who follow the same public signal, so that whatever it shows is gone the sooner.

Each member looks at one market at a time. What it sees is the public fair price, a little late: if
something is offered below it, it buys; if the spread is wide, it bids one tick inside for a while.
The more members, the sooner an edge is taken and the narrower the spread (`quant.md` §5, §13.4).
"""

from polytui.engine.core.rng import Rng
from polytui.engine.core.units import U, floor_to_tick_u6
from polytui.engine.sim.exchange.exchange import Exchange
from polytui.engine.sim.population.market import EDGE_LEAST_U6, Market, asks, fair_u6
from polytui.engine.sim.population.trader import Trader
from polytui.engine.sim.population.weather import SECOND_NS

MS_NS = 1_000_000
CASH_U6 = 5_000_000 * U
MEMBERS_MAX = 500
ACCOUNTS = 10
"""Members share accounts: the exchange does not care who of them it is."""
LAG_NS = 300 * MS_NS
LOOK_MEAN_S = 4.0
"""Mean time between two looks of one member."""
EDGE_U6 = 2_000
TAKE_SHARES = 150
INSIDE_SHARES = 25
INSIDE_MARGIN_U6 = 2_000
"""A bid stays at least this far below the public fair price."""
INSIDE_MEAN_S = 6.0


class Herd:
    """Any number of members; the number may change while they run."""

    __slots__ = ("_exchange", "_rng", "_traders", "members", "taken")

    def __init__(self, traders: list[Trader], exchange: Exchange, rng: Rng) -> None:
        """Start with nobody."""
        assert len(traders) == ACCOUNTS, f"expected {ACCOUNTS} accounts, was {len(traders)}"
        self._traders = traders
        self._exchange = exchange
        self._rng = rng
        self.members = 0
        self.taken = 0

    def next_look_ns(self, at_ns: int) -> int:
        """Return when the next of the members looks; an empty herd asks again in a second."""
        if not self.members:
            return at_ns + SECOND_NS
        return at_ns + MS_NS + int(self._rng.exponential(LOOK_MEAN_S / self.members) * SECOND_NS)

    def look(self, markets: list[Market], at_ns: int) -> tuple[Market, Trader, int] | None:
        """Let one member act on one market; return a bid to be withdrawn, and when."""
        if not self.members or not markets:
            return None
        market = markets[self._rng.below(len(markets))]
        trader = self._traders[self._rng.below(ACCOUNTS)]
        best = self._exchange.best(market.condition)
        chance = market.truth.seen(LAG_NS)
        for ix, ask_u6 in enumerate(asks(best)):
            if ask_u6 < U and fair_u6(chance, ix) - ask_u6 - market.fee_u6(ask_u6) >= EDGE_U6:
                self._take(market, trader, ix, ask_u6)
                return None
        if not self._inside(market, trader, best, chance):
            return None
        pause_s = self._rng.exponential(INSIDE_MEAN_S)
        return market, trader, at_ns + int(pause_s * SECOND_NS)

    def _take(self, market: Market, trader: Trader, ix: int, ask_u6: int) -> None:
        cash_u6 = TAKE_SHARES * ask_u6
        trader.take(market.tokens[ix], limit_u6=ask_u6, cash_u6=max(2 * U, cash_u6))
        self.taken += 1

    def _inside(self, market: Market, trader: Trader, best: tuple[int, int], chance: float) -> bool:
        """Bid one tick better than the best where that leaves a margin; tell whether we did."""
        ix = self._rng.below(2)
        bid_u6 = best[0] if ix == 0 else U - best[1]
        ask_u6 = asks(best)[ix]
        most_u6 = floor_to_tick_u6(fair_u6(chance, ix) - INSIDE_MARGIN_U6, market.tick_u6)
        px_u6 = bid_u6 + market.tick_u6
        if not EDGE_LEAST_U6 <= px_u6 <= most_u6 or px_u6 >= ask_u6:
            return False
        if trader.open.get(market.condition):
            return False
        trader.bid(market.condition, [(market.tokens[ix], px_u6, INSIDE_SHARES * U)])
        return True
