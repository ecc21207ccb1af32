"""Two-leg groups as rows: whether a side is naked comes first. Pure."""

from polytui import format as fmt
from polytui.engine.core.account_view import BundleRow, LegView
from polytui.engine.core.enums import Side
from polytui.screens.rows import name_of
from polytui.screens.times import Times
from polytui.widgets.live_table import Column, Row

BUNDLE_COLUMNS = (
    Column(key="state", head="state", width=12),
    Column(key="market", head="market", width=14, least=8, most=40),
    Column(key="residue", head="naked", width=12),
    Column(key="legs", head="legs, filled of size", width=34, least=16, most=60),
    Column(key="plan", head="plan", width=14, least=8, most=40, drop=7),
    Column(key="age", head="age", width=4, right=True, drop=5),
    Column(key="strategy", head="strat", width=6, drop=6),
)


def leg_text(leg: LegView) -> str:
    """Write a leg: `YES 40/120 .224`."""
    sold = "-" if leg.side is Side.SELL else ""
    size = f"{fmt.shares(leg.filled_u6)}/{fmt.shares(leg.qty_u6)}"
    return f"{sold}{fmt.foreign(leg.outcome, 8)} {size} {fmt.limit_px(leg.px_u6)}"


def residue_text(bundle: BundleRow, times: Times) -> tuple[str, str]:
    """Write the naked side and its clock."""
    if not bundle.residue_u6:
        return fmt.ABSENT, "dim"
    what = f"{fmt.foreign(bundle.residue_outcome, 6)} {fmt.shares(bundle.residue_u6)}"
    since = bundle.residue_since_ns
    return (f"{what} {times.ago(since)}" if since else what), "crit"


def bundle_row(bundle: BundleRow, times: Times) -> Row:
    """Turn a two-leg group into a row: whether a side is naked comes before its legs."""
    name, strategy = name_of(bundle.title, bundle.market), fmt.foreign(bundle.strategy, 24)
    glyph, word, role = fmt.BUNDLE_STATE[bundle.state]
    return Row(
        key=bundle.bundle,
        extra=fmt.foreign(f"{bundle.bundle} {bundle.market}"),
        market=bundle.market,
        strategy=bundle.strategy,
        title=name,
        cells=(
            (f"{glyph} {word}", role),
            (name, ""),
            residue_text(bundle, times),
            ("  ".join(map(leg_text, bundle.legs)), ""),
            (fmt.foreign(bundle.plan) or fmt.ABSENT, "dim"),
            (times.ago(bundle.updated_ns), "dim"),
            (strategy, "dim"),
        ),
    )
