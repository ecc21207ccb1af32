"""The difference report: line by line, where the venue's word and our books part.

A line is opened by evidence and resolved by evidence, never by time, and never mends a book. Open
lines of some kinds halt their market (fault B29); money that is missing closes intake altogether,
money that nobody can explain is shown.
"""

from collections import deque
from collections.abc import Mapping
from typing import Final

from msgspec import Struct
from msgspec.structs import replace

from polytui.engine.core.commands import RecordAnomaly
from polytui.engine.core.order_enums import Anomaly, Realm
from polytui.engine.core.trading import CASH
from polytui.engine.core.units import text_u6
from polytui.engine.portfolio.settlement import Difference

OPEN_MAX: Final = 1_000
"""Open lines kept; above it the newest are counted only."""
RESOLVED_MAX: Final = 500
"""Resolved lines kept, newest last."""

_HALTING: Final = frozenset(
    {Anomaly.POSITION_MISMATCH, Anomaly.ORDER_MISMATCH, Anomaly.SETTLEMENT_FAULT}
)

_HOLDINGS: Final = frozenset({Anomaly.POSITION_MISMATCH, Anomaly.CASH_MISMATCH})

_ORDERS: Final = frozenset({Anomaly.ORDER_MISMATCH, Anomaly.EXTERNAL})

AUDIT: Final = "audit"
BALANCES: Final = "balances"
"""Who says so: the Data API, or the venue's reading of the chain."""

Key = tuple[str, Anomaly]


class Line(Struct, frozen=True, kw_only=True, gc=False):
    """One difference, both sides shown."""

    anomaly: Anomaly
    subject: str
    """An order hash, a trade, a token or `pUSD`."""
    market: str = ""
    """Empty where it belongs to no market."""
    ours: str
    theirs: str
    evidence: str
    since_ns: int
    resolved_ns: int = 0
    """0: still open."""
    is_missing: bool = False
    """The venue holds less cash than we do."""
    is_question: bool = False
    """Reads are under way that will answer it: no reason to halt yet."""

    @property
    def is_halting(self) -> bool:
        """Tell whether its market takes no new risk while it is open."""
        return bool(self.market) and self.anomaly in _HALTING and not self.is_question


class Report:
    """All lines of one realm, bounded."""

    __slots__ = (
        "_changed",
        "_realm",
        "_suspects",
        "differed_ns",
        "lines",
        "overflow",
        "resolved",
    )

    def __init__(self, realm: Realm) -> None:
        """Start without differences."""
        self._realm = realm
        self.lines: dict[Key, Line] = {}
        self.resolved: deque[Line] = deque(maxlen=RESOLVED_MAX)
        self.overflow = 0
        self.differed_ns = 0
        """When something new differed last."""
        self._changed: list[Line] = []
        self._suspects: dict[str, int] = {}

    def note(self, line: Line) -> bool:
        """Open a line, or bring its numbers up to date; return whether it is new."""
        key = (line.subject, line.anomaly)
        old = self.lines.get(key)
        if old is not None:
            line = replace(line, since_ns=old.since_ns)
        elif len(self.lines) >= OPEN_MAX:
            self.overflow += 1
            return False
        else:
            self.differed_ns = line.since_ns
        self.lines[key] = line
        if old is None or (old.ours, old.theirs) != (line.ours, line.theirs):
            self._changed.append(line)
        return old is None

    def told(self, line: Line) -> None:
        """Show a difference that its own discovery settled: a missed event, read and taken in."""
        self.differed_ns = line.since_ns
        line = replace(line, resolved_ns=line.since_ns)
        self.resolved.append(line)
        self._changed.append(line)

    def resolve(self, subject: str, anomaly: Anomaly, *, at_ns: int, why: str = "") -> None:
        """Close a line by evidence, told in `why` where it is not that of the line itself."""
        line = self.lines.pop((subject, anomaly), None)
        if line is not None:
            line = replace(line, resolved_ns=at_ns, evidence=why or line.evidence)
            self.resolved.append(line)
            self._changed.append(line)

    def compare(
        self,
        rows: list[Difference],
        *,
        source: str,
        equal: set[str],
        markets: Mapping[str, str],
        at_ns: int,
    ) -> int:
        """Take a comparison of holdings; return how many lines are new.

        Lines close only for assets in `equal`, and orphaned reservations when a read of balances
        lists them no more. The audit lags the chain: a row of it counts when two audits in a row
        say the same, and its equality closes no line of the chain's own.
        """
        suspects: dict[str, int] = {}
        new = 0
        for row in rows:
            if source == AUDIT and (row.subject, row.anomaly) not in self.lines:
                suspects[row.subject] = row.missing_u6
                if self._suspects.get(row.subject) != row.missing_u6:
                    continue
            line = Line(
                subject=row.subject,
                market=markets.get(row.subject, ""),
                anomaly=row.anomaly,
                ours=text_u6(row.ours_u6),
                theirs=text_u6(row.theirs_u6),
                evidence=f"{source}: {row.detail}",
                since_ns=at_ns,
                is_missing=row.subject == CASH and row.missing_u6 < 0,
            )
            new += self.note(line)
        if source == AUDIT:
            self._suspects = suspects
        self._close(rows, source=source, equal=equal, at_ns=at_ns)
        return new

    def _close(self, rows: list[Difference], *, source: str, equal: set[str], at_ns: int) -> None:
        """Resolve what this comparison shows to be over."""
        found = {(row.subject, row.anomaly) for row in rows}
        for (subject, anomaly), line in list(self.lines.items()):
            if anomaly is Anomaly.ORPHANED_RESERVATION:
                is_over = source == BALANCES and (subject, anomaly) not in found
            else:
                is_heard = source == BALANCES or line.evidence.startswith(AUDIT)
                is_over = anomaly in _HOLDINGS and subject in equal and is_heard
            if is_over:
                self.resolve(subject, anomaly, at_ns=at_ns)

    def about_orders(self) -> list[Key]:
        """List the open lines whose subject is the hash of one of our orders."""
        return [key for key in self.lines if key[1] in _ORDERS]

    @property
    def missing_cash(self) -> str:
        """Say what cash is missing; empty: none."""
        for line in self.lines.values():
            if line.is_missing:
                return f"cash differs: ours {line.ours}, theirs {line.theirs}"
        return ""

    def halting(self) -> dict[tuple[str, str], str]:
        """Return (market, cause) and words of every open line that halts."""
        return {
            (line.market, f"{line.anomaly.value} {line.subject}"): (
                f"ours {line.ours}, theirs {line.theirs}"
            )
            for line in self.lines.values()
            if line.is_halting
        }

    def drain(self, seq: int) -> list[RecordAnomaly]:
        """Hand over what opened, moved or closed since the last time."""
        records = [
            RecordAnomaly(
                cause=seq,
                realm=self._realm,
                anomaly=line.anomaly,
                subject=line.subject,
                ours=line.ours,
                theirs=line.theirs,
                detail=f"{'resolved, ' if line.resolved_ns else ''}{line.evidence}",
            )
            for line in self._changed
        ]
        self._changed.clear()
        return records
