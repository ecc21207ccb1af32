"""View to rows: what each table shows of one market, strategy, feed or module. Pure.

Columns that an operator cannot do without never drop; the others name the order in which they do.
"""

from polytui import format as fmt
from polytui.engine.core.enums import FeedState, Reason, Verdict
from polytui.engine.core.view import (
    DecisionsView,
    FeedView,
    MarketRow,
    ModuleView,
)
from polytui.screens.times import TimeBase, Times
from polytui.widgets.live_table import Column, Row


def name_of(title: str, market: str) -> str:
    """Name a market by its title, or by its id when it has none."""
    return fmt.foreign(title) or fmt.short_id(market, 14)


def time_width(base: TimeBase) -> int:
    """Give the width of a column of times."""
    return 5 if base is TimeBase.AGE else 8


# --- markets ------------------------------------------------------------------------------------


def market_columns(base: TimeBase) -> tuple[Column, ...]:
    """Give the columns of the market table."""
    return (
        Column(key="market", head="market", width=34, least=12, most=56),
        Column(key="state", head="book", width=9, drop=1),
        Column(key="proof", head="proof", width=7, drop=5),
        Column(key="bid", head="bid", width=5, right=True),
        Column(key="ask", head="ask", width=5, right=True),
        Column(key="spread", head="spr", width=4, right=True, drop=2),
        Column(key="bidqty", head="bid qty", width=7, right=True, drop=8),
        Column(key="askqty", head="ask qty", width=7, right=True, drop=9),
        Column(key="imb", head="imb", width=4, right=True, drop=7),
        Column(key="last", head="last", width=5, right=True, drop=6),
        Column(key="age", head="age", width=time_width(base), right=True),
        Column(key="why", head="why", width=17, most=18, drop=3),
        Column(key="margin", head="margin", width=6, right=True, drop=4),
    )


def _why(row: MarketRow) -> tuple[str, str]:
    if row.reason is not Reason.OK:
        return row.reason.value, "warn"
    if row.decision_reason is None or row.verdict is None:
        return fmt.ABSENT, "dim"
    if row.verdict is Verdict.INTENT:
        return "intent", "strong"
    return row.decision_reason.value, "dim" if row.verdict is Verdict.HOLD else "warn"


def market_state(row: MarketRow) -> tuple[str, str]:
    """Say in a glyph and a word whether a book may be used."""
    glyph, word, role = fmt.BOOK_STATE[row.state]
    return ("~ stale", "stale") if row.stale else (f"{glyph} {word}", role)


def market_row(row: MarketRow, times: Times) -> Row:
    """Turn a market into a row."""
    proof, proof_role = fmt.PROOF[row.proof]
    glyph = fmt.BOOK_STATE[row.state][0]
    tick = row.tick_u6
    return Row(
        key=row.market,
        market=row.market,
        stale=row.stale,
        mark=" " if glyph == "●" else glyph,
        extra=" ".join(map(fmt.foreign, (row.slug, row.group, row.market))),
        cells=(
            (name_of(row.title, row.market), ""),
            market_state(row),
            (proof, proof_role),
            (fmt.price(row.bid_u6, tick), "buy"),
            (fmt.price(row.ask_u6, tick), "sell"),
            (fmt.spread(row.bid_u6, row.ask_u6, tick), ""),
            (fmt.qty(row.bid_qty_u6) if row.bid_u6 >= 0 else fmt.ABSENT, "dim"),
            (fmt.qty(row.ask_qty_u6) if row.ask_u6 >= 0 else fmt.ABSENT, "dim"),
            (fmt.percent(row.imbalance), "dim"),
            (fmt.price(row.last_trade_u6, tick), "dim"),
            (times.text(row.last_ns), ""),
            _why(row),
            (fmt.margin(row.margin_u6), "dim"),
        ),
    )


PICKER_COLUMNS = (
    Column(key="market", head="market", width=20, least=14, most=60),
    Column(key="bid", head="bid", width=5, right=True),
    Column(key="ask", head="ask", width=5, right=True, drop=2),
    Column(key="spread", head="spr", width=3, right=True, drop=3),
    Column(key="age", head="age", width=5, right=True),
)


def picker_row(row: MarketRow, times: Times) -> Row:
    """Turn a market into a row of the book page's list."""
    glyph, _, role = fmt.BOOK_STATE[row.state]
    usable = glyph == "●"
    return Row(
        key=row.market,
        market=row.market,
        stale=row.stale,
        mark=" " if usable else glyph,
        extra=f"{fmt.foreign(row.slug)} {market_state(row)[0]}",
        cells=(
            (name_of(row.title, row.market), "" if usable else role),
            (fmt.price(row.bid_u6, row.tick_u6), "buy"),
            (fmt.price(row.ask_u6, row.tick_u6), "sell"),
            (fmt.spread(row.bid_u6, row.ask_u6, row.tick_u6), "dim"),
            (times.ago(row.last_ns), "dim"),
        ),
    )


# --- strategies, feeds, modules -----------------------------------------------------------------

STRATEGY_COLUMNS = (
    Column(key="strategy", head="strategy", width=8, most=12),
    Column(key="state", head="state", width=6),
    Column(key="hold", head="hold", width=4, right=True, drop=4),
    Column(key="intent", head="int", width=4, right=True),
    Column(key="refused", head="ref", width=4, right=True, drop=2),
    Column(key="blocked", head="blk", width=4, right=True, drop=3),
    Column(key="nearest", head="nearest", width=7, right=True, drop=1),
)


def strategy_row(name: str, view: DecisionsView | None, *, paused: bool) -> Row:
    """Sum up what one strategy decided; the nearest miss is the best margin among its holds."""
    folds = [f for f in view.folds if f.row.strategy == name] if view is not None else []
    counts = {v: sum(f.count for f in folds if f.verdict is v) for v in Verdict}
    holds = [f.best_margin_u6 for f in folds if f.verdict is Verdict.HOLD]
    return Row(
        key=name,
        strategy=name,
        cells=(
            (fmt.foreign(name), "strong"),
            ("PAUSED", "warn") if paused else ("run", ""),
            (fmt.count(counts[Verdict.HOLD]), "dim"),
            (fmt.count(counts[Verdict.INTENT]), "strong" if counts[Verdict.INTENT] else ""),
            (fmt.count(counts[Verdict.REFUSED]), ""),
            (fmt.count(counts[Verdict.BLOCKED]), ""),
            (fmt.margin(max(holds) if holds else None), "dim"),
        ),
    )


FEED_COLUMNS = (
    Column(key="feed", head="feed", width=12, most=18),
    Column(key="state", head="state", width=10),
    Column(key="age", head="age", width=5, right=True),
    Column(key="why", head="why", width=11, least=4, most=14),
    Column(key="role", head="role", width=10, drop=5),
    Column(key="gaps", head="gaps", width=5, right=True, drop=7),
    Column(key="faults", head="flt", width=4, right=True, drop=8),
    Column(key="reconnects", head="rec", width=4, right=True, drop=6),
)


def feed_row(feed: FeedView, times: Times) -> Row:
    """Turn a feed into a row: its state, its age, and why it is not live."""
    glyph, word, role = fmt.FEED_STATE[feed.state]
    calm = feed.state is FeedState.LIVE
    why = feed.role if calm and feed.reason is Reason.OK else feed.reason.value
    return Row(
        key=feed.feed.value,
        cells=(
            (feed.feed.value.replace("_advanced", " adv"), ""),
            (f"{glyph} {word}", role),
            (times.ago(feed.last_ns), ""),
            (fmt.foreign(why), "dim" if calm else role),
            (fmt.foreign(feed.role), "dim"),
            (fmt.count(feed.gaps), "warn" if feed.gaps else "dim"),
            (fmt.count(feed.faults), "warn" if feed.faults else "dim"),
            (fmt.count(feed.reconnects), "dim"),
        ),
    )


MODULE_COLUMNS = (
    Column(key="module", head="module", width=16, most=24),
    Column(key="status", head="status", width=10),
    Column(key="beat", head="beat", width=5, right=True),
    Column(key="reason", head="last reason", width=17, most=18, drop=1),
    Column(key="counters", head="counters", width=22, least=8, most=90, drop=2),
)


def module_row(module: ModuleView, times: Times) -> Row:
    """Turn a module into a row: its status as the engine judged it, and counters above zero."""
    glyph, word, role = fmt.MODULE_STATUS[module.status]
    counters = "  ".join(
        f"{fmt.foreign(c.name)} {fmt.count(c.value)}" for c in module.counters if c.value
    )
    reason = fmt.ABSENT if module.reason is Reason.OK else module.reason.value
    return Row(
        key=module.module,
        strategy=module.module.partition("strategy.")[2],
        cells=(
            (fmt.foreign(module.module), ""),
            (f"{glyph} {word}", role),
            (times.ago(module.last_ns), ""),
            (reason, "dim" if role == "ok" else "warn"),
            (counters or fmt.ABSENT, "dim"),
        ),
    )
