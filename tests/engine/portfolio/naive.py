"""A slow, obvious portfolio: fractions of dollars, every subset of what may happen, no sums."""

from collections.abc import Iterable
from fractions import Fraction
from itertools import chain, combinations

from polytui.engine.core.enums import Outcome, Side
from polytui.engine.core.units import U
from polytui.engine.portfolio.exposure import Item

Money = Fraction


def dollars(amount_u6: int) -> Money:
    return Fraction(amount_u6, U)


def micro(amount: Money) -> int:
    """Turn dollars back; exact or it fails."""
    scaled = amount * U
    assert scaled.denominator == 1
    return int(scaled)


def subsets(items: list[Item]) -> Iterable[tuple[Item, ...]]:
    return chain.from_iterable(combinations(items, n) for n in range(len(items) + 1))


class Held:
    """What one strategy holds in one market: tokens, and what they cost."""

    def __init__(self, yes_u6: int = 0, no_u6: int = 0, cost_u6: int = 0) -> None:
        self.tokens = {Outcome.YES: dollars(yes_u6), Outcome.NO: dollars(no_u6)}
        self.cost = dollars(cost_u6)


def loss_after(held: Held, happened: Iterable[Item], winner: Outcome) -> Money:
    """Let some items happen and one outcome win; return what was lost in all."""
    paid, tokens = held.cost, dict(held.tokens)
    for item in happened:
        qty, cash, fee = dollars(item.qty_u6), dollars(item.cash_u6), dollars(item.fee_u6)
        if item.side is Side.BUY:
            tokens[item.outcome] += qty
            paid += cash + fee
        else:
            tokens[item.outcome] -= qty
            paid -= cash - fee
    return paid - tokens[winner]


def worst(held: Held, items: list[Item]) -> int:
    """Try every subset of the uncertain items under both outcomes."""
    losses = [
        loss_after(held, happened, winner) for happened in subsets(items) for winner in Outcome
    ]
    return micro(max(Fraction(0), *losses))


class Sum:
    """Average cost in exact fractions: for one position, profit by first principles."""

    def __init__(self) -> None:
        self.qty = Fraction(0)
        self.cost = Fraction(0)
        self.realized = Fraction(0)

    def trade(self, qty: Fraction, paid: Fraction) -> None:
        """Take tokens for cash, or give them (negative) for cash received (negative)."""
        if qty < 0 < self.qty:
            gone = self.cost * -qty / self.qty
            self.realized += -paid - gone
            self.cost -= gone
        else:
            self.cost += paid
        self.qty += qty
