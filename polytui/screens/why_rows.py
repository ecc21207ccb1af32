"""View to rows: what the tables show of decisions and data incidents. Pure."""

from polytui import format as fmt
from polytui.engine.core.enums import Verdict
from polytui.engine.core.view import DecisionView, FoldView, IncidentView
from polytui.screens.rows import name_of, time_width
from polytui.screens.times import TimeBase, Times
from polytui.widgets.live_table import Column, Row

FOLD_COLUMNS = (
    Column(key="strategy", head="strat", width=6),
    Column(key="market", head="market", width=28, least=10, most=52),
    Column(key="verdict", head="verdict", width=9),
    Column(key="reason", head="reason", width=18),
    Column(key="count", head="n", width=5, right=True, drop=3),
    Column(key="score", head="score", width=7, right=True, drop=6),
    Column(key="need", head="need", width=6, right=True, drop=5),
    Column(key="reached", head="of", width=4, right=True, drop=4),
    Column(key="margin", head="margin", width=7, right=True, drop=7),
    Column(key="best", head="nearest", width=7, right=True),
    Column(key="last", head="last", width=5, right=True, drop=2),
)


def fold_key(fold: FoldView) -> str:
    """Identify a fold."""
    return f"{fold.row.strategy}|{fold.row.market_key}|{fold.row.reason.value}"


def nearest_first(folds: tuple[FoldView, ...]) -> list[FoldView]:
    """Order why-nots by how little was missing: what asked for a number first, blocks last."""

    def rank(fold: FoldView) -> tuple[bool, int, str]:
        return fold.verdict is Verdict.BLOCKED, -fold.best_margin_u6, fold_key(fold)

    return sorted(folds, key=rank)


def fold_row(fold: FoldView, times: Times) -> Row:
    """Turn folded decisions into a row."""
    row = fold.row
    glyph, word, role = fmt.VERDICT[fold.verdict]
    measured = fold.verdict is not Verdict.BLOCKED
    return Row(
        key=fold_key(fold),
        market=row.market_key,
        strategy=row.strategy,
        extra=fmt.foreign(row.market_key),
        cells=(
            (fmt.foreign(row.strategy), ""),
            (name_of(fold.title, row.market_key), ""),
            (f"{glyph} {word}", role),
            (row.reason.value, role),
            (fmt.count(fold.count), "dim"),
            (fmt.score(row.score, row.unit) if measured else fmt.ABSENT, "dim"),
            (fmt.score(row.threshold, row.unit) if measured else fmt.ABSENT, "dim"),
            (fmt.gap_percent(row.score, row.threshold) if measured else fmt.ABSENT, "dim"),
            (fmt.score(row.margin, row.unit, signed=True) if measured else fmt.ABSENT, "dim"),
            (fmt.margin(fold.best_margin_u6) if measured else fmt.ABSENT, "strong"),
            (times.ago(row.timestamp), "dim"),
        ),
    )


def decision_columns(base: TimeBase) -> tuple[Column, ...]:
    """Give the columns of single decisions."""
    return (
        Column(key="at", head="at", width=time_width(base), right=True),
        Column(key="strategy", head="strat", width=6, drop=2),
        Column(key="verdict", head="verdict", width=9),
        Column(key="reason", head="reason", width=18, drop=3),
        Column(key="margin", head="margin", width=7, right=True, drop=1),
        Column(key="market", head="market", width=18, least=8, most=40),
        Column(key="legs", head="legs", width=24, most=60, drop=5),
    )


def decision_row(decision: DecisionView, times: Times) -> Row:
    """Turn a single decision into a row."""
    row = decision.row
    glyph, word, role = fmt.VERDICT[decision.verdict]
    measured = decision.verdict is not Verdict.BLOCKED
    margin = fmt.score(row.margin, row.unit, signed=True) if measured else fmt.ABSENT
    return Row(
        key=f"{decision.snapshot}|{row.strategy}|{row.market_key}|{row.reason.value}",
        market=row.market_key,
        strategy=row.strategy,
        extra=fmt.foreign(row.market_key),
        cells=(
            (times.text(row.timestamp), "dim"),
            (fmt.foreign(row.strategy), ""),
            (f"{glyph} {word}", role),
            (row.reason.value, role),
            (margin, ""),
            (name_of(decision.title, row.market_key), ""),
            (" / ".join(map(fmt.foreign, decision.legs)) or fmt.ABSENT, "dim"),
        ),
    )


INCIDENT_COLUMNS = (
    Column(key="incident", head="incident", width=18, least=12),
    Column(key="count", head="n", width=4, right=True),
    Column(key="last", head="last", width=5, right=True),
    Column(key="market", head="market", width=8, most=34),
    Column(key="detail", head="detail", width=20, most=60, drop=5),
)


def incident_row(view: IncidentView, times: Times) -> Row:
    """Turn a folded incident into a row."""
    return Row(
        key=f"{view.incident.value}|{view.market}",
        market=view.market,
        extra=fmt.foreign(view.detail),
        cells=(
            (view.incident.value, "warn"),
            (fmt.count(view.count), ""),
            (times.ago(view.last_ns), "dim"),
            (name_of(view.title, view.market), ""),
            (fmt.foreign(view.detail) or fmt.ABSENT, "dim"),
        ),
    )
