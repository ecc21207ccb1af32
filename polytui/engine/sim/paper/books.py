"""What the paper venue sees of the live books, and what our own orders have already taken of it.

One book per market, as bids of YES and bids of NO: a YES ask at p is a NO bid at 1 - p, the same
displayed shares, so a key of (market, outcome, price of the bid) is spent once whichever way it is
reached. What we took stays taken until fresh data changes the level.
"""

from collections.abc import Callable, Sequence

from polytui.engine.core.enums import Outcome, Side
from polytui.engine.core.units import U

Bids = Sequence[tuple[int, int]]
"""(px_u6, qty_u6) of one token's bids, best first."""
BidsOf = Callable[[str, Outcome], Bids | None]
"""Bids of a market's token as displayed now; None: the book cannot be trusted."""

Take = tuple[int, int]
"""(price in the taker's terms, quantity)."""


def other(outcome: Outcome) -> Outcome:
    """Return the complement."""
    return Outcome.NO if outcome is Outcome.YES else Outcome.YES


def home_of(outcome: Outcome, side: Side, px_u6: int) -> tuple[Outcome, int]:
    """Say on which ladder, and at which price there, an order would rest."""
    return (outcome, px_u6) if side is Side.BUY else (other(outcome), U - px_u6)


class Displayed:
    """Live depth less what our own orders have taken from it."""

    __slots__ = ("_bids_of", "_taken")

    def __init__(self, bids_of: BidsOf) -> None:
        """Look at live books through a function."""
        self._bids_of = bids_of
        self._taken: dict[tuple[str, Outcome, int], int] = {}

    def is_known(self, market: str) -> bool:
        """Tell whether the market's book can be trusted now."""
        return self._bids_of(market, Outcome.YES) is not None

    def shown_u6(self, market: str, outcome: Outcome, px_u6: int) -> int:
        """Return the displayed size of one bid level."""
        bids = self._bids_of(market, outcome) or ()
        return next((qty_u6 for level_u6, qty_u6 in bids if level_u6 == px_u6), 0)

    def reachable(self, market: str, outcome: Outcome, side: Side, limit_u6: int) -> list[Take]:
        """List what an aggressor finds within its limit, best first, in its own terms."""
        ladder = other(outcome) if side is Side.BUY else outcome
        found: list[Take] = []
        for level_u6, qty_u6 in self._bids_of(market, ladder) or ():
            px_u6 = U - level_u6 if side is Side.BUY else level_u6
            if px_u6 > limit_u6 if side is Side.BUY else px_u6 < limit_u6:
                break
            left_u6 = qty_u6 - self._taken.get((market, ladder, level_u6), 0)
            if left_u6 > 0:
                found.append((px_u6, left_u6))
        return found

    def take(self, market: str, outcome: Outcome, side: Side, px_u6: int, qty_u6: int) -> None:
        """Remember that displayed shares were spent."""
        ladder = other(outcome) if side is Side.BUY else outcome
        level_u6 = U - px_u6 if side is Side.BUY else px_u6
        key = (market, ladder, level_u6)
        self._taken[key] = self._taken.get(key, 0) + qty_u6

    def refresh(self, market: str, outcome: Outcome, px_u6: int) -> None:
        """Take fresh data about a level: what is displayed now is there now."""
        self._taken.pop((market, outcome, px_u6), None)

    def forget(self, market: str) -> None:
        """Take a whole fresh book."""
        for key in [key for key in self._taken if key[0] == market]:
            del self._taken[key]
