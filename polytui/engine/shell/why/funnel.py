"""Why a strategy did not act: what stopped it, how often, and how near it came."""

from collections import Counter
from typing import Any, Final

from polytui.engine.core.errors import OperatorError, shown
from polytui.engine.shell.why.reading import Body, Reader

NEAREST: Final = 20
VETOES: Final = 500
"""Newest rows of orders that are looked through for what the gate refused."""
_RUN: Final = "SELECT run FROM folds WHERE strategy = ? ORDER BY last_ns DESC LIMIT 1"
_OF: Final = "FROM folds WHERE strategy = ?1 AND run = ?2 AND (?3 = '' OR market = ?3) "
_REASONS: Final = (
    "SELECT verdict, reason, sum(count), count(DISTINCT market), min(first_ns), max(last_ns) "
    f"{_OF} GROUP BY verdict, reason ORDER BY 3 DESC"
)
_MISSES: Final = (
    "SELECT market, reason, count, first_ns, last_ns, best_ns, best_snapshot, score_u6, "
    f"threshold_u6, margin_u6, unit {_OF} AND verdict = 'hold' ORDER BY margin_u6 DESC LIMIT ?4"
)
_U: Final = 1e6


def funnel(reader: Reader, strategy: str, market: str = "", *, run: str = "") -> Body:
    """Fold a run's decisions by reason; the nearest miss comes first.

    Raises:
        OperatorError: the strategy never decided anything in it.
    """
    if not run:
        found = reader.all(_RUN, strategy)
        run = str(found[0][0]) if found else ""
    reasons = reader.all(_REASONS, strategy, run, market)
    if not reasons:
        where = f" on {shown(market)}" if market else ""
        raise OperatorError(
            f"expected a strategy with decisions, {shown(strategy)} has none{where}"
        )
    return {
        "strat": strategy,
        "mkt": market,
        "title": reader.title(market) if market else "",
        "run": run,
        "decisions": sum(row[2] for row in reasons),
        "funnel": [dict(zip(_TOLD, row, strict=True)) for row in reasons],
        "vetoes": _vetoes(reader, run, strategy, market),
        "nearest": [
            _miss(reader, row) for row in reader.all(_MISSES, strategy, run, market, NEAREST)
        ],
    }


_TOLD: Final = ("verdict", "reason", "count", "markets", "since_ns", "last_ns")


def _miss(reader: Reader, row: tuple[Any, ...]) -> Body:
    """Tell one hold at its nearest: value, limit, distance, and since when."""
    market, reason, count, first_ns, last_ns, best_ns, snap, score, limit, margin, unit = row
    return {
        "mkt": market,
        "title": reader.title(market),
        "reason": reason,
        "count": count,
        "v": score / _U,
        "lim": limit / _U,
        "u": unit,
        "distance": -margin / _U,
        "of_limit": round(score / limit, 4) if limit else None,
        "since_ns": first_ns,
        "last_ns": last_ns,
        "best_ns": best_ns,
        "snap": snap,
    }


def _vetoes(reader: Reader, run: str, strategy: str, market: str) -> list[Body]:
    """Count what the gate refused lately in a run, with the newest refusal of each control."""
    newest: dict[str, Body] = {}
    seen: Counter[str] = Counter()
    for row in reader.recent("strategy", strategy, "order", VETOES):
        refusal = row.body.get("refusal")
        if row.run != run or refusal is None or row.body["state"] != "vetoed":
            continue
        if market and row.market != market:
            continue
        control = str(refusal["control"])
        seen[control] += 1
        newest.setdefault(control, {**refusal, "at_ns": row.at_ns, "order": row.subject})
    return [{**newest[control], "count": count} for control, count in seen.most_common()]
