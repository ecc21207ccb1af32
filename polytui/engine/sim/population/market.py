"""What every participant knows of a market: its tokens, its grid, its truth as they may see it."""

from math import exp, log

from polytui.engine.core.units import U
from polytui.engine.sim.exchange.terms import MarketTerms
from polytui.engine.sim.population.truth import Truth

EDGE_LEAST_U6 = 1_000
"""No participant quotes beyond this distance from 0 or 1."""


class Market:
    """A market that the population trades."""

    __slots__ = ("condition", "is_open", "slow_ns", "terms", "tick_u6", "tokens", "truth")

    def __init__(self, terms: MarketTerms, truth: Truth) -> None:
        """Put a listing and its hidden truth together."""
        self.condition = terms.condition
        self.tokens = terms.tokens
        self.terms = terms
        self.tick_u6 = terms.tick_u6
        self.truth = truth
        self.slow_ns = 0
        """How much later than elsewhere makers notice news here: outcomes of a group differ."""
        self.is_open = True
        """False once it no longer takes orders."""

    def fee_u6(self, px_u6: int) -> int:
        """Return the taker fee of one share at a price, rounded down: an estimate to decide by."""
        fees = self.terms.fees
        if not fees.rate_u6:
            return 0
        spread = px_u6 * (U - px_u6) / U / U
        return int(fees.rate_u6 * spread**fees.exponent)


def asks(best: tuple[int, int]) -> tuple[int, int]:
    """Return what YES and NO cost at the touch, U where nobody sells, from `Exchange.best`."""
    bid_u6, ask_u6 = best
    return ask_u6, U - bid_u6


def fair_u6(chance: float, ix: int) -> int:
    """Turn a chance of YES into the fair price of a token."""
    price_u6 = round(chance * U)
    return U - price_u6 if ix else price_u6


def skewed(chance: float, gamma_shares: float) -> float:
    """Shift a chance against an inventory: `S(logit p - γq)`, always inside (0, 1) (quant §4.3)."""
    odds = log(chance / (1 - chance)) - gamma_shares
    return 1 / (1 + exp(-odds))
