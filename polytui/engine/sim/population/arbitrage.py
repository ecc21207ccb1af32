"""Arbitrageurs: what two books cannot both say at once is bought, after a reaction time.

YES and NO of one market are one book, so there is no box to take. What is left are baskets across
the outcomes of a NegRisk group (all YES below one dollar; all NO below `n - 1` dollars, which
converts to cash), and claims of which one implies the other (`quant.md` §2.1-§2.2). Legs are
fill-or-kill and separate: a missed one leaves the others behind, as it does at the venue.
"""

from collections.abc import Sequence

from msgspec import Struct

from polytui.engine.core.order_enums import OrderType
from polytui.engine.core.rng import Rng
from polytui.engine.core.units import U
from polytui.engine.sim.exchange.exchange import Exchange
from polytui.engine.sim.population.market import Market, asks
from polytui.engine.sim.population.trader import Trader

MS_NS = 1_000_000
CASH_U6 = 20_000_000 * U
LOOK_NS = 500 * MS_NS
REACTION_NS = (150 * MS_NS, 600 * MS_NS)
EDGE_LEAST_U6 = 3_000
"""Profit per basket after fees below which nobody moves."""
BASKET_SHARES_MAX = 200
CONVERT_LEAST_U6 = 10 * U

Leg = tuple[Market, int]
"""A market and the token of it to buy."""


class Basket(Struct, frozen=True, kw_only=True):
    """Tokens of which at least `pays` dollars' worth come true together."""

    name: str
    legs: tuple[Leg, ...]
    pays_u6: int
    group: str = ""
    """Set when holding all legs can be converted to cash: the NegRisk group."""


def group_baskets(group: str, markets: Sequence[Market]) -> tuple[Basket, Basket]:
    """Name the two baskets of an exclusive and exhaustive group."""
    yes = tuple((market, 0) for market in markets)
    no = tuple((market, 1) for market in markets)
    return (
        Basket(name=f"{group}:yes", legs=yes, pays_u6=U),
        Basket(name=f"{group}:no", legs=no, pays_u6=(len(markets) - 1) * U, group=group),
    )


def implied_basket(stronger: Market, weaker: Market) -> Basket:
    """Name the basket of two claims of which the stronger implies the weaker."""
    legs = ((stronger, 1), (weaker, 0))
    return Basket(name=f"{stronger.condition}>{weaker.condition}", legs=legs, pays_u6=U)


class Arbitrageur:
    """Watches baskets with one account."""

    __slots__ = ("_exchange", "_pending", "_rng", "_trader", "baskets", "taken")

    def __init__(self, trader: Trader, exchange: Exchange, rng: Rng) -> None:
        """Watch nothing yet."""
        self._trader = trader
        self._exchange = exchange
        self._rng = rng
        self.baskets: dict[str, Basket] = {}
        self._pending: set[str] = set()
        self.taken = 0
        """Baskets of which every leg was placed."""

    def edge_u6(self, basket: Basket) -> int:
        """Return the profit of one basket at the touch, after fees; negative mostly."""
        cost_u6 = 0
        for market, ix in basket.legs:
            ask_u6 = asks(self._exchange.best(market.condition))[ix]
            if not market.is_open or ask_u6 >= U:
                return -U
            cost_u6 += ask_u6 + market.fee_u6(ask_u6)
        return basket.pays_u6 - cost_u6

    def look(self, at_ns: int) -> list[tuple[int, Basket]]:
        """Return the baskets worth acting on, and when we will be there."""
        seen = []
        for basket in self.baskets.values():
            if basket.name not in self._pending and self.edge_u6(basket) >= EDGE_LEAST_U6:
                self._pending.add(basket.name)
                seen.append((at_ns + self._rng.between(*REACTION_NS), basket))
        return seen

    def act(self, basket: Basket) -> bool:
        """Buy one basket at the touch if it is still worth it."""
        self._pending.discard(basket.name)
        if self.edge_u6(basket) < EDGE_LEAST_U6:
            return False
        shares_u6 = min(self._shown_u6(leg) for leg in basket.legs)
        shares_u6 = min(shares_u6, BASKET_SHARES_MAX * U)
        if shares_u6 < max(market.terms.min_qty_u6 for market, _ in basket.legs):
            return False
        done = [self._buy(leg, shares_u6) for leg in basket.legs]
        self.taken += all(done)
        return True

    def convert(self) -> None:
        """Turn whole NO baskets that have settled into cash."""
        for basket in self.baskets.values():
            if basket.group:
                held_u6 = min(self._trader.free_u6(m.tokens[ix]) for m, ix in basket.legs)
                if held_u6 >= CONVERT_LEAST_U6 and all(m.is_open for m, _ in basket.legs):
                    self._exchange.convert(
                        self._trader.account,
                        basket.group,
                        index_set=(1 << len(basket.legs)) - 1,
                        amount_u6=held_u6,
                    )

    def drop(self, market: Market) -> None:
        """Forget the baskets that need a market which is gone."""
        for name, basket in list(self.baskets.items()):
            if any(leg is market for leg, _ in basket.legs):
                del self.baskets[name]

    def _shown_u6(self, leg: Leg) -> int:
        """Return what stands at the touch that a leg would take."""
        market, ix = leg
        book = self._exchange.book(market.condition)
        levels = () if book is None else (book.bids[-1:] if ix else book.asks[:1])
        return sum(qty_u6 for _, qty_u6 in levels)

    def _buy(self, leg: Leg, shares_u6: int) -> bool:
        market, ix = leg
        ask_u6 = asks(self._exchange.best(market.condition))[ix]
        if ask_u6 >= U:
            return False
        cash_u6 = shares_u6 * ask_u6 // U
        result = self._trader.take(
            market.tokens[ix], limit_u6=ask_u6, cash_u6=cash_u6, order_type=OrderType.FOK
        )
        return result.is_success
