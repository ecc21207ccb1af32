"""Whose profit it is: per strategy, per snapshot that asked for the order, and of the day.

Profit is what is final: realised + unrealised - fees + rebates + rewards - lost. Capital is not in
it, so deposits and tokens found by reconciliation move no profit, no day and no drawdown. Rows of
snapshots are bounded; what falls out is added to the strategy's row of older ones, so that the rows
of a strategy always sum to its totals, exactly.
"""

from msgspec import Struct

from polytui.engine.core.trading import AccountTotals

DAY_NS = 86_400 * 1_000_000_000
"""A UTC day of engine time."""

ROWS_MAX = 4_096
"""Snapshots remembered singly, over all strategies."""

ASIDE = 0
"""The snapshot of what no snapshot asked for: merges, redemptions, adjustments, earlier runs."""

OLDER = -1
"""The snapshot that stands for all forgotten ones of a strategy."""


class Result(Struct, kw_only=True, gc=False):
    """What came of something; final amounts only, micro-dollars."""

    fills: int = 0
    realized_u6: int = 0
    fees_u6: int = 0

    def add(self, *, fills: int = 0, realized_u6: int = 0, fees_u6: int = 0) -> None:
        """Add to it."""
        self.fills += fills
        self.realized_u6 += realized_u6
        self.fees_u6 += fees_u6


Key = tuple[str, int]
"""(strategy, snapshot)."""


class Attribution:
    """Results by strategy and snapshot."""

    __slots__ = ("_rows", "rows_max")

    def __init__(self, rows_max: int = ROWS_MAX) -> None:
        """Start empty."""
        self.rows_max = rows_max
        self._rows: dict[Key, Result] = {}

    def row(self, strategy: str, snapshot: int) -> Result:
        """Return a row to add to, made when missing; the oldest single one may make room."""
        key = strategy, snapshot
        row = self._rows.get(key)
        if row is None:
            row = self._rows[key] = Result()
            self._make_room(key)
        return row

    def rows(self) -> tuple[tuple[str, int, Result], ...]:
        """List all rows by strategy and snapshot."""
        return tuple((who, snapshot, row) for (who, snapshot), row in sorted(self._rows.items()))

    def of(self, strategy: str) -> Result:
        """Add up a strategy."""
        total = Result()
        for (who, _), row in self._rows.items():
            if who == strategy:
                total.add(fills=row.fills, realized_u6=row.realized_u6, fees_u6=row.fees_u6)
        return total

    def _make_room(self, newest: Key) -> None:
        if len(self._rows) <= self.rows_max:
            return
        for key in self._rows:
            if key[1] not in (ASIDE, OLDER) and key != newest:
                row = self._rows.pop(key)
                older = self._rows.setdefault((key[0], OLDER), Result())
                older.add(fills=row.fills, realized_u6=row.realized_u6, fees_u6=row.fees_u6)
                return


class Share:
    """One strategy's sums."""

    __slots__ = ("cost_u6", "earned_u6", "fees_u6", "fills", "realized_u6", "unrealized_u6")

    def __init__(self) -> None:
        """Start at nothing."""
        self.realized_u6 = 0
        self.fees_u6 = 0
        self.cost_u6 = 0
        self.unrealized_u6 = 0
        self.earned_u6 = 0
        """Rebates and rewards, less what was lost."""
        self.fills = 0

    @property
    def net_u6(self) -> int:
        """Profit after everything."""
        return self.realized_u6 + self.unrealized_u6 - self.fees_u6 + self.earned_u6

    def add(self, realized_u6: int, fees_u6: int, cost_u6: int, unrealized_u6: int) -> None:
        """Add changes."""
        self.realized_u6 += realized_u6
        self.fees_u6 += fees_u6
        self.cost_u6 += cost_u6
        self.unrealized_u6 += unrealized_u6


WHOLE = ""
"""The account in tables of day bases; as a strategy: what belongs to none."""


class Profit:
    """Sums by strategy and in all, the day's beginning, and the highest point."""

    __slots__ = ("_bases", "day", "peak_u6", "shares", "total")

    def __init__(self) -> None:
        """Start at nothing, on no day."""
        self.shares: dict[str, Share] = {}
        self.total = Share()
        self.day = 0
        """UTC days since the epoch."""
        self.peak_u6 = 0
        """The highest profit so far."""
        self._bases: dict[str, int] = {}
        """Profit at the beginning of the day, where it was not 0."""

    def share(self, strategy: str) -> Share:
        """Return a strategy's sums, made when missing."""
        share = self.shares.get(strategy)
        if share is None:
            share = self.shares[strategy] = Share()
        return share

    def shift(self, strategy: str, step: tuple[int, int, int, int]) -> None:
        """Add changes of (realised, fees, cost, unrealised)."""
        self.share(strategy).add(*step)
        self.total.add(*step)

    def earn(self, strategy: str, amount_u6: int) -> None:
        """Add a rebate or reward, or take a loss (negative)."""
        self.share(strategy).earned_u6 += amount_u6
        self.total.earned_u6 += amount_u6

    def day_u6(self, strategy: str | None = None) -> int:
        """Return the profit of the day, of a strategy or in all."""
        if strategy is None:
            return self.total.net_u6 - self._bases.get(WHOLE, 0)
        share = self.shares.get(strategy)
        net_u6 = 0 if share is None else share.net_u6
        return net_u6 - self._bases.get(_named(strategy), 0)

    @property
    def drawdown_u6(self) -> int:
        """Return how far profit is below its highest point; never negative."""
        return max(0, self.peak_u6 - self.total.net_u6)

    def roll(self, at_ns: int) -> None:
        """Begin a new day when one has begun."""
        day = at_ns // DAY_NS
        if day > self.day:
            self.day = day
            bases = {_named(name): share.net_u6 for name, share in self.shares.items()}
            bases[WHOLE] = self.total.net_u6
            self._bases = {name: base_u6 for name, base_u6 in bases.items() if base_u6}

    def crest(self) -> None:
        """Remember a new highest point."""
        if self.total.net_u6 > self.peak_u6:
            self.peak_u6 = self.total.net_u6

    def bases(self) -> tuple[tuple[str, int], ...]:
        """Write the day's beginning for a checkpoint."""
        return tuple(sorted(self._bases.items()))

    def load(self, totals: AccountTotals) -> None:
        """Take day and highest point from a checkpoint."""
        self.day = totals.day
        self.peak_u6 = totals.peak_u6
        self._bases = dict(totals.day_bases)


def _named(strategy: str) -> str:
    """Tell the strategy without a name from the whole account."""
    return strategy or "-"
