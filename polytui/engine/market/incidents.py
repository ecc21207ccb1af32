"""Data incidents: symptoms and caught damage, folded by kind and market, each with a count."""

from collections import Counter

from polytui.engine.core.enums import Incident
from polytui.engine.core.view import IncidentView

KINDS_MAX = 4_096
"""Folded rows kept; beyond it the row that was silent longest is dropped and counted."""


class _Fold:
    __slots__ = ("count", "detail", "first_ns", "last_ns")

    def __init__(self, at_ns: int) -> None:
        self.count = 0
        self.first_ns = at_ns
        self.last_ns = at_ns
        self.detail = ""


class IncidentLog:
    """All incidents of a run."""

    __slots__ = ("_folds", "by_market", "dropped", "total")

    def __init__(self) -> None:
        """Start empty."""
        self._folds: dict[tuple[Incident, str], _Fold] = {}
        self.by_market: Counter[str] = Counter()
        self.total = 0
        self.dropped = 0
        """Folded rows forgotten at the limit."""

    def note(self, incident: Incident, market: str, at_ns: int, detail: str) -> None:
        """Count one incident; the detail of the latest is kept."""
        key = (incident, market)
        fold = self._folds.get(key)
        if fold is None:
            if len(self._folds) >= KINDS_MAX:
                oldest = min(self._folds, key=lambda k: self._folds[k].last_ns)
                del self._folds[oldest]
                self.dropped += 1
            fold = self._folds[key] = _Fold(at_ns)
        fold.count += 1
        fold.last_ns = at_ns
        fold.detail = detail
        self.by_market[market] += 1
        self.total += 1

    def count(self, incident: Incident, market: str | None = None) -> int:
        """Count incidents of a kind, of one market or of all."""
        return sum(
            fold.count
            for (kind, name), fold in self._folds.items()
            if kind is incident and market in (None, name)
        )

    def views(self, titles: dict[str, str]) -> tuple[IncidentView, ...]:
        """Return the folded rows, newest first."""
        rows = [
            IncidentView(
                incident=kind,
                market=market,
                title=titles.get(market, ""),
                count=fold.count,
                first_ns=fold.first_ns,
                last_ns=fold.last_ns,
                detail=fold.detail,
            )
            for (kind, market), fold in self._folds.items()
        ]
        return tuple(sorted(rows, key=lambda row: (-row.last_ns, row.incident.value, row.market)))
