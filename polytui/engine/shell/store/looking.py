"""What is written only to be looked at: counts of holds, nearest misses, health, attribution.

The engine folds every hold as it is made; here the folds that moved are written, a slice a turn, so
that no turn is long and the database sees a few rows a second whatever the market does.
"""

from collections.abc import Callable
from heapq import heappush, heappushpop
from typing import Final

import msgspec

from polytui.engine.core.enums import Verdict
from polytui.engine.core.order_enums import Realm
from polytui.engine.core.runconfig import StoreConfig
from polytui.engine.decide.record import Fold, FoldKey
from polytui.engine.machine import Engine
from polytui.engine.shell.store.bulk import (
    ATTRIBUTION,
    HEALTH,
    METRICS,
    SCAN,
    BulkRow,
    FoldRow,
)
from polytui.engine.shell.store.store import Store

S: Final = 1_000_000_000
SLICE: Final = 128
"""Folds looked at in one turn: well under a millisecond."""
TRIM_NS: Final = 3_600 * S
DAY_NS: Final = 86_400 * S
ATTRIBUTION_MAX: Final = 256
"""Rows of attribution written at once: those that changed, the rest at the next time."""

ResultKey = tuple[Realm, str, int]
"""Account, strategy and snapshot that a result belongs to."""

_encode = msgspec.json.Encoder().encode


class Looking:
    """One round over the folds at a time, and what is due by the clock."""

    def __init__(self, engine: Engine, config: StoreConfig) -> None:
        """Write nothing before the first turn."""
        self._engine = engine
        self._config = config
        self._written: dict[FoldKey, int] = {}
        """Count of each fold as last written."""
        self._round: list[FoldKey] = []
        self._round_ns = 0
        self._near: dict[str, list[tuple[int, int, Fold]]] = {}
        """Of the round under way: the holds that came nearest, by strategy."""
        self._scan_ns = 0
        self._health_ns = 0
        self._trim_ns = 0
        self._results: dict[ResultKey, tuple[int, int, int]] = {}
        """Fills, realised and fees of each as last written."""
        self.sample: Callable[[], object | None] = lambda: None
        """Reads the status of the process; the service brings it."""

    def advance(self, store: Store) -> None:
        """Write a slice of what moved, and what is due."""
        now_ns = self._engine.now_ns
        bulk: list[BulkRow] = []
        results: dict[ResultKey, tuple[int, int, int]] = {}
        if self._config.health_s and now_ns >= self._health_ns:
            self._health_ns = now_ns + self._config.health_s * S
            results = self._results_moved()
            bulk += [*self._health(), *_attributed(results)]
        keys, folds = self._slice(now_ns)
        if not self._round and self._near:
            bulk += self._nearest(now_ns)
        if (bulk or folds) and store.look(bulk, folds, at_ns=now_ns, seq=self._engine.seq):
            for key, fold in zip(keys, folds, strict=True):
                self._written[key] = fold.count
            self._results.update(results)
        if now_ns >= self._trim_ns:
            self._trim_ns = now_ns + TRIM_NS
            store.retire(now_ns - self._config.bulk_days * DAY_NS, at_ns=now_ns)

    def finish(self, store: Store) -> None:
        """Write all that moved since the last round: the run ends."""
        self._round = list(self._engine.record.folds)
        while self._round:
            keys, folds = self._moved()
            if folds and not store.look([], folds, at_ns=self._engine.now_ns, seq=self._engine.seq):
                return
            self._written.update(zip(keys, (fold.count for fold in folds), strict=True))
        at_ns, seq = self._engine.now_ns, self._engine.seq
        while results := self._results_moved():
            if not store.look(_attributed(results), [], at_ns=at_ns, seq=seq):
                return
            self._results.update(results)

    # --- folds -----------------------------------------------------------------------------------

    def _slice(self, now_ns: int) -> tuple[list[FoldKey], list[FoldRow]]:
        if not self._round:
            if now_ns < self._round_ns:
                return [], []
            self._round_ns = now_ns + self._config.fold_s * S
            self._round = list(self._engine.record.folds)
        return self._moved()

    def _moved(self) -> tuple[list[FoldKey], list[FoldRow]]:
        """Take the next folds of the round; return those that moved since they were written."""
        taken, self._round = self._round[-SLICE:], self._round[:-SLICE]
        folds, written = self._engine.record.folds, self._written
        keys, rows = [], []
        for key in taken:
            fold = folds.get(key)
            if fold is None:
                continue
            self._compare(fold)
            if written.get(key) != fold.count:
                keys.append(key)
                rows.append(_row(key, fold))
        if not self._round and len(written) > 2 * len(folds):
            self._written = {key: count for key, count in written.items() if key in folds}
        return keys, rows

    # --- by the clock ----------------------------------------------------------------------------

    def _compare(self, fold: Fold) -> None:
        """Remember a hold while it is among the nearest of its strategy."""
        best = fold.best
        if best.verdict is not Verdict.HOLD:
            return
        near = self._near.setdefault(best.strategy, [])
        entry = (best.margin_u6, -fold.number, fold)
        if len(near) < self._config.scan_rows:
            heappush(near, entry)
        elif entry > near[0]:
            heappushpop(near, entry)

    def _nearest(self, now_ns: int) -> list[BulkRow]:
        """Write the holds that came nearest to acting, of each strategy, once a round is over."""
        near, self._near = self._near, {}
        if not self._config.scan_s or now_ns < self._scan_ns:
            return []
        self._scan_ns = now_ns + self._config.scan_s * S
        return [_scan(fold) for found in near.values() for _, _, fold in sorted(found)[::-1]]

    def _health(self) -> list[BulkRow]:
        seq, status = self._engine.seq, self.sample()
        rows = [] if status is None else [BulkRow(seq, HEALTH, "", "", "", 0, _encode(status))]
        desk, record = self._engine.desk, self._engine.record
        metrics = {
            "messages": desk.messages,
            "faults": desk.faults,
            "unknown": desk.unknown,
            "incidents": desk.incidents.total,
            "turns": self._engine.turns,
            "decisions": record.total,
            "by_verdict": {verdict.value: n for verdict, n in record.by_verdict.items()},
        }
        return [*rows, BulkRow(seq, METRICS, "", "", "", 0, _encode(metrics))]

    def _results_moved(self) -> dict[ResultKey, tuple[int, int, int]]:
        """Find the results by strategy and snapshot that changed since they were written."""
        moved: dict[ResultKey, tuple[int, int, int]] = {}
        for realm in Realm:
            results = self._engine.trading.accounts[realm].portfolio.attribution.rows()
            for who, snapshot, result in results:
                key = (realm, who, snapshot)
                now = (result.fills, result.realized_u6, result.fees_u6)
                if self._results.get(key) != now and len(moved) < ATTRIBUTION_MAX:
                    moved[key] = now
        return moved


def _attributed(results: dict[ResultKey, tuple[int, int, int]]) -> list[BulkRow]:
    rows: list[BulkRow] = []
    for (realm, who, snapshot), now in results.items():
        told = dict(zip(("fills", "realized_u6", "fees_u6"), now, strict=True))
        body = _encode({"realm": realm, "snapshot": snapshot, **told})
        rows.append(BulkRow(max(0, snapshot), ATTRIBUTION, who, "", realm.value, 0, body))
    return rows


def _row(key: FoldKey, fold: Fold) -> FoldRow:
    strategy, market, reason = key
    best = fold.best
    return FoldRow(
        strategy=strategy,
        market=market,
        reason=reason.value,
        verdict=best.verdict.value,
        count=fold.count,
        first_ns=fold.first_ns,
        last_ns=fold.seen_ns,
        best_ns=best.at_ns,
        best_snapshot=best.snapshot,
        score_u6=best.score_u6,
        threshold_u6=best.threshold_u6,
        margin_u6=best.margin_u6,
        unit=best.unit.value,
        family=best.family.value,
    )


def _scan(fold: Fold) -> BulkRow:
    best = fold.best
    body = _encode(
        {
            "score_u6": best.score_u6,
            "threshold_u6": best.threshold_u6,
            "unit": best.unit,
            "family": best.family,
            "best_ns": best.at_ns,
            "count": fold.count,
            "since_ns": fold.first_ns,
            "seen_ns": fold.seen_ns,
        }
    )
    why = best.reason.value
    return BulkRow(best.snapshot, SCAN, best.strategy, best.market, why, best.margin_u6, body)
