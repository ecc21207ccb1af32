"""Why a strategy did not act: what stopped it, how often, and how near it came."""

from collections import Counter
from typing import Any, Final

from polytui.engine.core.errors import OperatorError, shown
from polytui.engine.shell.why.reading import Body, Reader

NEAREST: Final = 20
_RUN: Final = "SELECT run FROM folds WHERE strategy = ? ORDER BY last_ns DESC LIMIT 1"
_ROWS: Final = (
    "SELECT market, reason, verdict, count, first_ns, last_ns, best_ns, best_snapshot, score_u6, "
    "threshold_u6, margin_u6, unit FROM folds WHERE strategy = ?1 AND run = ?2 "
    "AND (?3 = '' OR market = ?3)"
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
    rows = reader.all(_ROWS, strategy, run, market)
    if not rows:
        where = f" on {shown(market)}" if market else ""
        raise OperatorError(
            f"expected a strategy with decisions, {shown(strategy)} has none{where}"
        )
    misses = sorted((row for row in rows if row[2] == "hold"), key=lambda row: -row[10])
    return {
        "strat": strategy,
        "mkt": market,
        "title": reader.title(market) if market else "",
        "run": run,
        "decisions": sum(row[3] for row in rows),
        "funnel": _by_reason(rows),
        "vetoes": _vetoes(reader, strategy, market),
        "nearest": [_miss(reader, row) for row in misses[:NEAREST]],
    }


def _by_reason(rows: list[tuple[Any, ...]]) -> list[Body]:
    groups: dict[tuple[str, str], list[tuple[Any, ...]]] = {}
    for row in rows:
        groups.setdefault((row[2], row[1]), []).append(row)
    return sorted(
        (
            {
                "verdict": verdict,
                "reason": reason,
                "count": sum(row[3] for row in members),
                "markets": len(members),
                "since_ns": min(row[4] for row in members),
                "last_ns": max(row[5] for row in members),
            }
            for (verdict, reason), members in groups.items()
        ),
        key=lambda told: -told["count"],
    )


def _miss(reader: Reader, row: tuple[Any, ...]) -> Body:
    """Tell one hold at its nearest: value, limit, distance, and since when."""
    market, reason, _, count, first_ns, last_ns, best_ns, snap, score, limit, margin, unit = row
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


def _vetoes(reader: Reader, strategy: str, market: str) -> list[Body]:
    """Count what the gate refused lately, with the newest refusal of each control."""
    newest: dict[str, Body] = {}
    seen: Counter[str] = Counter()
    for row in reader.recent("strategy", strategy, ("order",), 500):
        refusal = row.body.get("refusal")
        if refusal is None or row.body["state"] != "vetoed" or (market and row.market != market):
            continue
        control = str(refusal["control"])
        seen[control] += 1
        newest.setdefault(control, {**refusal, "at_ns": row.at_ns, "order": row.subject})
    return [{**newest[control], "count": count} for control, count in seen.most_common()]
