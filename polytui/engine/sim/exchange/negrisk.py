"""What a NegRisk conversion gives (§7.2; neg-risk-ctf-adapter `convertPositions`).

Questions in `index_set` give `amount` NO each; with k of n questions and a = amount less the fee,
the account receives (k-1)·a pUSD and a YES of each of the other n-k. The fee is rounded down on
the whole amount, as the contract does.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from polytui.engine.core.errors import OperatorError
from polytui.engine.sim.exchange.market import Market
from polytui.engine.sim.exchange.terms import GroupTerms

BIPS = 10_000


@dataclass(frozen=True, slots=True)
class Conversion:
    """A conversion that may be done."""

    given: tuple[Market, ...]
    others: tuple[Market, ...]
    amount_u6: int
    out_u6: int
    """`amount_u6` less the fee."""
    cash_u6: int
    cash_fee_u6: int


def plan_conversion(
    group: GroupTerms, markets: Sequence[Market], *, index_set: int, amount_u6: int
) -> Conversion:
    """Work out a conversion.

    Raises:
        OperatorError: not a NegRisk group, no or unknown bits, one question only, a resolved one.
    """
    if not group.neg_risk or len(markets) < 2:
        raise OperatorError(f"expected a NegRisk group of two or more questions, was {group.id}")
    known = 0
    for market in markets:
        known |= 1 << market.terms.group_index
    if index_set <= 0 or index_set & ~known:
        raise OperatorError(f"expected bits of {known:b} in group {group.id}, was {index_set:b}")
    if any(market.resolution is not None for market in markets):
        raise OperatorError(f"expected no resolved question in group {group.id}")
    given = tuple(m for m in markets if index_set >> m.terms.group_index & 1)
    out_u6 = amount_u6 - amount_u6 * group.fee_bips // BIPS
    return Conversion(
        given=given,
        others=tuple(m for m in markets if not index_set >> m.terms.group_index & 1),
        amount_u6=amount_u6,
        out_u6=out_u6,
        cash_u6=(len(given) - 1) * out_u6,
        cash_fee_u6=(len(given) - 1) * (amount_u6 - out_u6),
    )
