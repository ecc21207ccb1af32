"""What the paper venue sees of the live books, and what our own orders have already taken of it.

One book per market, as bids of YES and bids of NO: a YES ask at p is a NO bid at 1 - p, the same
displayed shares, so a key of (market, outcome, price of the bid) is spent once whichever way it is
reached. What we took stays taken until fresh data states another size of the level: the same size
said again, by a delta or a whole book, brings nothing back.
"""

from collections.abc import Callable, Iterable, Mapping

from polytui.engine.core.enums import Outcome, Side
from polytui.engine.core.events import BookFrame
from polytui.engine.core.units import U

Bids = Iterable[tuple[int, int]]
"""(px_u6, qty_u6) of one token's bids, best first."""
BidsOf = Callable[[str, Outcome], Bids | None]
"""Bids of a market's token as displayed now; None: the book cannot be trusted."""
Stretch = tuple[int, int]
"""Names a time during which a book was trusted without interruption."""
StretchOf = Callable[[str], Stretch | None]
"""The stretch a market's book is in; None: it cannot be trusted now."""

Take = tuple[int, int]
"""(price in the taker's terms, quantity)."""
Home = tuple[Outcome, int]
"""A bid level: whose bids, at which price."""


def other(outcome: Outcome) -> Outcome:
    """Return the complement."""
    return Outcome.NO if outcome is Outcome.YES else Outcome.YES


def home_of(outcome: Outcome, side: Side, px_u6: int) -> Home:
    """Say on which ladder, and at which price there, an order would rest."""
    return (outcome, px_u6) if side is Side.BUY else (other(outcome), U - px_u6)


def levels_of(frame: BookFrame, outcome: Outcome) -> Mapping[Home, int]:
    """Read a token's whole book as sizes of bid levels; a level that is missing is empty."""
    against = other(outcome)
    return {
        **{(outcome, level[0]): level[1] for level in frame.bids},
        **{(against, U - level[0]): level[1] for level in frame.asks},
    }


class Displayed:
    """Live depth less what our own orders have taken from it."""

    __slots__ = ("_bids_of", "_taken")

    def __init__(self, bids_of: BidsOf) -> None:
        """Look at live books through a function."""
        self._bids_of = bids_of
        self._taken: dict[str, dict[Home, tuple[int, int]]] = {}
        """Per market and level: what we took, and the size displayed then."""

    def shown_u6(self, market: str, home: Home) -> int:
        """Return the displayed size of one bid level."""
        bids = self._bids_of(market, home[0]) or ()
        return next((qty_u6 for level_u6, qty_u6 in bids if level_u6 == home[1]), 0)

    def reachable(self, market: str, outcome: Outcome, side: Side, limit_u6: int) -> list[Take]:
        """List what an aggressor finds within its limit, best first, in its own terms."""
        ladder = other(outcome) if side is Side.BUY else outcome
        taken = self._taken.get(market, {})
        found: list[Take] = []
        for level_u6, qty_u6 in self._bids_of(market, ladder) or ():
            px_u6 = U - level_u6 if side is Side.BUY else level_u6
            if px_u6 > limit_u6 if side is Side.BUY else px_u6 < limit_u6:
                break
            took_u6, was_u6 = taken.get((ladder, level_u6), (0, 0))
            left_u6 = qty_u6 - (took_u6 if was_u6 == qty_u6 else 0)
            if left_u6 > 0:
                found.append((px_u6, left_u6))
        return found

    def take(self, market: str, outcome: Outcome, side: Side, px_u6: int, qty_u6: int) -> None:
        """Remember that displayed shares were spent."""
        ladder = other(outcome) if side is Side.BUY else outcome
        home = (ladder, U - px_u6 if side is Side.BUY else px_u6)
        shown_u6 = self.shown_u6(market, home)
        levels = self._taken.setdefault(market, {})
        took_u6, was_u6 = levels.get(home, (0, shown_u6))
        levels[home] = ((took_u6 if was_u6 == shown_u6 else 0) + qty_u6, shown_u6)

    def has_taken(self, market: str) -> bool:
        """Tell whether anything of a market is remembered as spent."""
        return market in self._taken

    def refresh(self, market: str, home: Home, shown_u6: int) -> None:
        """Take fresh data about a level: another size than the one we took from is new."""
        levels = self._taken.get(market)
        if levels is None:
            return
        row = levels.get(home)
        if row is not None and row[1] != shown_u6:
            del levels[home]
            if not levels:
                del self._taken[market]

    def refresh_all(self, market: str, levels: Mapping[Home, int]) -> None:
        """Take a whole fresh book."""
        for home in tuple(self._taken.get(market, ())):
            self.refresh(market, home, levels.get(home, 0))
