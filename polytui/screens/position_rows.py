"""Positions, exposure and differences as rows. Pure; the numbers are the engine's."""

from polytui import format as fmt
from polytui.engine.core.account_view import (
    AnomalyRow,
    MarketExposureRow,
    PositionRow,
    PositionsView,
    ScopeRow,
)
from polytui.engine.core.order_enums import Anomaly
from polytui.screens.rows import name_of
from polytui.screens.times import Times
from polytui.widgets.bits import NEARLY, gauge, pair, use_gauge
from polytui.widgets.lines import Line
from polytui.widgets.live_table import Column, Row
from polytui.widgets.status_bar import late_role

POSITION_COLUMNS = (
    Column(key="market", head="market", width=22, least=9, most=60),
    Column(key="token", head="token", width=5, least=3),
    Column(key="held", head="settled", width=7, right=True),
    Column(key="in", head="in", width=5, right=True),
    Column(key="out", head="out", width=5, right=True),
    Column(key="age", head="oldest", width=6, right=True),
    Column(key="reserved", head="resvd", width=6, right=True, drop=2),
    Column(key="sellable", head="sellable", width=8, right=True),
    Column(key="avg", head="avg", width=5, right=True, drop=4),
    Column(key="mark", head="bid", width=5, right=True, drop=5),
    Column(key="value", head="value", width=7, right=True, drop=6),
    Column(key="upnl", head="unreal", width=6, right=True, drop=1),
    Column(key="rpnl", head="real", width=6, right=True, drop=7),
    Column(key="fees", head="fees", width=5, right=True, drop=9),
    Column(key="strategy", head="strat", width=6, drop=8),
)


def signed(cash_u6: int) -> tuple[str, str]:
    """Write profit or loss with its sign and its role."""
    role = "buy" if cash_u6 > 0 else "sell" if cash_u6 < 0 else "dim"
    return fmt.usd(cash_u6, signed=True), role


def _moving(qty_u6: int, sign: str, role: str) -> tuple[str, str]:
    return (f"{sign}{fmt.shares(qty_u6)}", role) if qty_u6 else (fmt.ABSENT, "dim")


def position_row(row: PositionRow, times: Times) -> Row:
    """Turn a position into a row: what is settled, what still moves and since when."""
    late = late_role(times.now_ns - row.oldest_ns) if row.oldest_ns else ""
    age = times.ago(row.oldest_ns) if row.oldest_ns else fmt.ABSENT
    return Row(
        key=f"{row.strategy}|{row.token}",
        mark="!" if late else " ",
        market=row.market,
        strategy=row.strategy,
        title=name_of(row.title, row.market),
        extra=fmt.foreign(f"{row.market} {row.token} {row.group}"),
        cells=(
            (name_of(row.title, row.market), ""),
            (fmt.foreign(row.outcome, 12), ""),
            (fmt.shares(row.confirmed_u6), "strong"),
            _moving(row.provisional_in_u6, "+", late or "info"),
            _moving(row.provisional_out_u6, "-", late or "info"),
            (f"{age}!" if late else age, late or "dim"),
            (fmt.shares(row.reserved_u6) if row.reserved_u6 else fmt.ABSENT, "dim"),
            (fmt.shares(row.sellable_u6), ""),
            (fmt.limit_px(row.avg_px_u6) if row.avg_px_u6 else fmt.ABSENT, "dim"),
            (fmt.limit_px(row.mark_u6), ""),
            (fmt.usd(row.value_u6) if row.mark_u6 >= 0 else fmt.UNKNOWN, ""),
            signed(row.unrealized_u6) if row.mark_u6 >= 0 else (fmt.UNKNOWN, "warn"),
            signed(row.realized_u6),
            (fmt.usd(row.fees_u6), "dim"),
            (fmt.foreign(row.strategy, 24), "dim"),
        ),
    )


BAR = 10
EXPOSURE_COLUMNS = (
    Column(key="market", head="market", width=18, least=9, most=50),
    Column(key="worst", head="worst", width=7, right=True),
    Column(key="cap", head="cap", width=6, right=True),
    Column(key="settled", head="if all settles", width=16, drop=1),
    Column(key="failed", head="if all fails", width=16),
    Column(key="pairs", head="mergeable", width=9, right=True, drop=2),
)


def world_text(loss_u6: int, cap_u6: int) -> tuple[str, str]:
    """Write the exposure in one world as a bar against the cap: full means no room."""
    if cap_u6 <= 0:
        return "no cap", "dim"
    share = loss_u6 / cap_u6
    (full, _), (rest, _) = gauge(share, BAR)
    near = share >= NEARLY
    return f"{full}{rest} {share * 100:3.0f}%{'!' if near else ''}", "warn" if near else ""


def exposure_row(row: MarketExposureRow) -> Row:
    """Turn a market's exposure into a row, in both worlds of what is not settled."""
    over = row.worst_u6 > row.cap_u6 > 0
    return Row(
        key=row.market,
        mark="!" if over else " ",
        market=row.market,
        title=name_of(row.title, row.market),
        extra=fmt.foreign(f"{row.market} {row.group}"),
        cells=(
            (name_of(row.title, row.market), ""),
            (fmt.usd(row.worst_u6), "crit" if over else "strong"),
            (fmt.usd_short(row.cap_u6), "dim"),
            world_text(row.settled_u6, row.cap_u6),
            world_text(row.failed_u6, row.cap_u6),
            (fmt.usd(row.pairs_u6) if row.pairs_u6 else fmt.ABSENT, ""),
        ),
    )


SCOPE_COLUMNS = (
    Column(key="strategy", head="strategy", width=8, most=14),
    Column(key="exposure", head="exposure", width=8, right=True),
    Column(key="cap", head="cap", width=5, right=True, drop=3),
    Column(key="day", head="day", width=6, right=True),
    Column(key="real", head="real", width=6, right=True),
    Column(key="unreal", head="unreal", width=6, right=True),
    Column(key="fees", head="fees", width=5, right=True),
    Column(key="rebates", head="rebate", width=6, right=True, drop=2),
    Column(key="rewards", head="reward", width=6, right=True, drop=2),
    Column(key="fills", head="fills", width=5, right=True, drop=4),
)


def scope_row(row: ScopeRow) -> Row:
    """Turn a strategy's profit into a row; rebates and rewards stand apart from trading."""
    near = row.exposure_u6 >= NEARLY * row.cap_u6 > 0
    return Row(
        key=row.strategy,
        strategy=row.strategy,
        cells=(
            (fmt.foreign(row.strategy, 24), "strong"),
            (f"{fmt.usd(row.exposure_u6)}{'!' if near else ''}", "warn" if near else ""),
            (fmt.usd_short(row.cap_u6), "dim"),
            signed(row.day_u6),
            signed(row.realized_u6),
            signed(row.unrealized_u6),
            (fmt.usd(row.fees_u6), "dim"),
            (fmt.usd(row.rebates_u6), "dim"),
            (fmt.usd(row.rewards_u6), "dim"),
            (fmt.count(row.fills), "dim"),
        ),
    )


ANOMALY_NAME: dict[Anomaly, str] = {
    Anomaly.ORPHANED_RESERVATION: "reservation",
    Anomaly.PHANTOM_LOCK: "phantom lock",
    Anomaly.POSITION_MISMATCH: "position",
    Anomaly.CASH_MISMATCH: "cash",
    Anomaly.ORDER_MISMATCH: "order",
    Anomaly.OVERFILL: "overfill",
    Anomaly.SETTLEMENT_STALLED: "stalled",
    Anomaly.SETTLEMENT_FAULT: "FAULT",
    Anomaly.EXTERNAL: "external",
}
"""What the two sides differ about."""

ANOMALY_COLUMNS = (
    Column(key="what", head="difference", width=12),
    Column(key="ours", head="ours", width=10, least=5, most=14),
    Column(key="theirs", head="theirs", width=9, least=5, most=14),
    Column(key="since", head="since", width=5, right=True),
    Column(key="subject", head="about", width=8, least=6, most=40),
    Column(key="detail", head="evidence", width=14, least=8, most=50, drop=6),
)


def anomaly_row(row: AnomalyRow, times: Times) -> Row:
    """Turn a difference with the venue into a row; one that is over is quiet."""
    over = bool(row.resolved_ns)
    role = "dim" if over else "warn"
    since = "over" if over else times.ago(row.since_ns)
    return Row(
        key=f"{row.anomaly.value}|{row.subject}",
        mark=" " if over else "!",
        extra=fmt.foreign(f"{row.subject} {'over' if over else 'open'}"),
        cells=(
            (ANOMALY_NAME[row.anomaly], role),
            (fmt.foreign(row.ours, 40), "" if not over else "dim"),
            (fmt.foreign(row.theirs, 40), "" if not over else "dim"),
            (since, role),
            (name_of(row.title, row.subject), "dim"),
            (fmt.foreign(row.detail), "dim"),
        ),
    )


def account_lines(view: PositionsView, times: Times, width: int) -> list[Line]:
    """Sum up the account: cash by its state, what is at risk, profit with its parts apart."""
    money = "practice money" if view.is_practice else "REAL MONEY"
    read = f"read {times.ago(view.balances_ns)} ago" if view.balances_ns else "NEVER READ"
    day, day_role = signed(view.day_u6)
    return [
        pair("realm", view.realm.value, "strong", more=money),
        (*pair("exposure", ""), *use_gauge(view.exposure_u6, view.cap_u6, max(width - 28, 6)),
         (f" of {fmt.usd_short(view.cap_u6)}", "dim")),
        pair("cash", fmt.usd(view.cash_u6), "strong", more=f"settled, {read}"),
        pair("moving", f"+{fmt.usd(view.incoming_u6)} -{fmt.usd(view.outgoing_u6)}"),
        pair("free", fmt.usd(view.free_u6), more=f"{fmt.usd(view.reserved_u6)} reserved"),
        pair("at risk", fmt.usd(view.at_risk_u6), "warn" if view.at_risk_u6 else "dim",
             more="not settled"),
        pair("mergeable", fmt.usd(view.pairs_u6), more="YES and NO pairs"),
        pair("equity", fmt.usd(view.equity_u6), more=f"peak {fmt.usd(view.peak_u6)}"),
        pair("day", day, day_role,
             more=f"real {fmt.usd(view.realized_u6, signed=True)} "
                  f"un {fmt.usd(view.unrealized_u6, signed=True)}"),
        pair("fees", fmt.usd(view.fees_u6), more=f"rebates {fmt.usd(view.rebates_u6)}"),
        pair("rewards", fmt.usd(view.rewards_u6),
             more=f"{fmt.percent(view.failed_share)} of the last fills failed"),
    ]  # fmt: skip
