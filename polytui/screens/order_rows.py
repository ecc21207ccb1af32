"""Orders and fills as rows. Pure; what is in doubt is never drawn as settled."""

from polytui import format as fmt
from polytui.engine.core.account_view import FillRow, OrderRow
from polytui.engine.core.enums import Side
from polytui.engine.core.order_enums import OrderState
from polytui.screens.rows import name_of, time_width
from polytui.screens.times import TimeBase, Times
from polytui.widgets.live_table import Column, Row
from polytui.widgets.status_bar import late_role

SIDE = {Side.BUY: ("BUY", "buy"), Side.SELL: ("SELL", "sell")}


def order_columns(base: TimeBase) -> tuple[Column, ...]:
    """Give the columns of the order table."""
    return (
        Column(key="market", head="market", width=20, least=7, most=60),
        Column(key="state", head="state", width=12, least=10),
        Column(key="age", head="age", width=time_width(base), right=True),
        Column(key="side", head="side", width=4),
        Column(key="px", head="price", width=5, right=True),
        Column(key="qty", head="size", width=6, right=True, most=10),
        Column(key="filled", head="filled", width=6, right=True, drop=2),
        Column(key="outcome", head="token", width=5, least=3, drop=1),
        Column(key="why", head="why", width=20, least=10, most=60, drop=5),
        Column(key="strategy", head="strat", width=6, drop=6),
        Column(key="type", head="type", width=4, drop=7),
        Column(key="purpose", head="for", width=7, drop=8),
        Column(key="ack", head="ack", width=6, right=True, drop=9),
        Column(key="hash", head="order hash", width=12, drop=10),
    )


def is_doubtful(order: OrderRow) -> bool:
    """Tell whether an order belongs in the panel of what is not known."""
    return order.state is OrderState.UNKNOWN or order.limbo


def working_first(orders: tuple[OrderRow, ...]) -> list[OrderRow]:
    """Put the unknown first, then what is under way, then what is over; newest first in each."""
    return sorted(
        orders,
        key=lambda order: 0 if is_doubtful(order) else 2 if order.state.is_terminal else 1,
    )


def order_state(order: OrderRow) -> tuple[str, str]:
    """Say the state in a glyph and a word; `!` when it has lasted longer than it may."""
    glyph, word, role = fmt.ORDER_STATE[order.state]
    if order.limbo:
        return f"{glyph} {word}!", role if role == "crit" else "warn"
    return f"{glyph} {word}", role


def order_mark(order: OrderRow) -> str:
    """Give the mark in front of an order."""
    if order.state is OrderState.UNKNOWN:
        return "?"
    return "!" if order.limbo else "E" if order.external else " "


def next_lookup(order: OrderRow, times: Times) -> str:
    """Say when an order is looked up next."""
    if not order.probe_ns:
        return "none"
    wait_ns = order.probe_ns - times.now_ns
    return f"in {fmt.age(wait_ns)}" if wait_ns > 0 else "due"


def _names(row: OrderRow | FillRow) -> tuple[str, str]:
    return name_of(row.title, row.market), fmt.foreign(row.strategy, 24)


def _row(order: OrderRow, cells: tuple[tuple[str, str], ...]) -> Row:
    name, _ = _names(order)
    over = f"the order is {order.state.value}" if order.state.is_terminal else ""
    return Row(
        key=order.cid,
        cells=cells,
        mark=order_mark(order),
        extra=fmt.foreign(" ".join((order.cid, order.order_hash, order.market, order.bundle))),
        market=order.market,
        strategy=order.strategy,
        subject=f"order:{order.cid}",
        over=over,
        title=name,
    )


def order_row(order: OrderRow, times: Times) -> Row:
    """Turn an order into a row; one that is over is quiet, except when it was refused."""
    name, strategy = _names(order)
    side, side_role = SIDE[order.side]
    quiet = "dim" if order.state.is_terminal else ""
    state, role = order_state(order)
    said = role in ("warn", "crit")
    return _row(
        order,
        (
            (name, quiet),
            (state, role),
            (times.text(order.updated_ns), "crit" if role == "crit" else quiet),
            (side, quiet or side_role),
            (fmt.limit_px(order.px_u6), quiet or "strong"),
            (fmt.shares(order.qty_u6), quiet),
            (fmt.shares(order.filled_u6) if order.filled_u6 else fmt.ABSENT, quiet),
            (fmt.foreign(order.outcome, 12), quiet),
            (fmt.foreign(order.why) or fmt.ABSENT, "warn" if said else "dim"),
            (strategy, quiet),
            (order.order_type.value, "dim"),
            (order.purpose.value, "dim"),
            (fmt.micros(order.ack_us) if order.ack_us else fmt.ABSENT, "dim"),
            (fmt.short_id(order.order_hash), "dim"),
        ),
    )


UNKNOWN_COLUMNS = (
    Column(key="market", head="market", width=14, least=8, most=40),
    Column(key="side", head="side", width=4),
    Column(key="px", head="price", width=5, right=True),
    Column(key="left", head="left", width=5, right=True),
    Column(key="state", head="state", width=10),
    Column(key="age", head="age", width=4, right=True),
    Column(key="next", head="lookup", width=8, least=7, drop=1),
    Column(key="why", head="why", width=16, least=8, most=60, drop=6),
    Column(key="hash", head="order hash", width=12, drop=7),
)


def unknown_row(order: OrderRow, times: Times) -> Row:
    """Turn an order in doubt into a row: how long, and when we look again."""
    name, _ = _names(order)
    side, side_role = SIDE[order.side]
    state, role = order_state(order)
    return _row(
        order,
        (
            (name, ""),
            (side, side_role),
            (fmt.limit_px(order.px_u6), "strong"),
            (fmt.shares(order.remaining_u6), ""),
            (state, role),
            (times.ago(order.updated_ns), role),
            (next_lookup(order, times), ""),
            (fmt.foreign(order.why) or fmt.ABSENT, "dim"),
            (fmt.short_id(order.order_hash), "dim"),
        ),
    )


def fill_columns(base: TimeBase) -> tuple[Column, ...]:
    """Give the columns of the fills: what the venue says beside what we applied."""
    return (
        Column(key="at", head="at", width=time_width(base), right=True),
        Column(key="market", head="market", width=16, least=8, most=50),
        Column(key="outcome", head="token", width=5, least=3),
        Column(key="side", head="side", width=4),
        Column(key="px", head="price", width=5, right=True),
        Column(key="qty", head="size", width=6, right=True),
        Column(key="status", head="venue", width=9),
        Column(key="applied", head="our books", width=13),
        Column(key="fee", head="fee", width=5, right=True, drop=3),
        Column(key="role", head="as", width=5, drop=4),
        Column(key="strategy", head="strat", width=6, drop=5),
        Column(key="tx", head="transaction", width=13, drop=7),
    )


def fill_key(fill: FillRow) -> str:
    """Identify a fill."""
    return f"{fill.trade_id}|{fill.order_hash}"


def fill_row(fill: FillRow, times: Times) -> Row:
    """Turn a fill into a row on both axes."""
    name, strategy = _names(fill)
    side, side_role = SIDE[fill.side]
    status, status_role = fmt.TRADE_STATUS[fill.status]
    glyph, applied, applied_role = fmt.APPLIED[fill.applied]
    open_ = not fill.status.is_terminal
    late = late_role(times.now_ns - fill.first_ns) if open_ else ""
    return Row(
        key=fill_key(fill),
        mark="!" if late or applied_role == "crit" else " ",
        extra=fmt.foreign(" ".join((fill.trade_id, fill.cid, fill.market, fill.tx_hash))),
        market=fill.market,
        strategy=fill.strategy,
        title=name,
        cells=(
            (times.text(fill.first_ns), late),
            (name, ""),
            (fmt.foreign(fill.outcome, 12), ""),
            (side, side_role),
            (fmt.limit_px(fill.px_u6), "strong"),
            (fmt.shares(fill.qty_u6), ""),
            (status, status_role),
            (f"{glyph} {applied}", late or applied_role),
            (fmt.usd(fill.fee_u6), "dim"),
            ("maker" if fill.is_maker else "taker", "dim"),
            (strategy, "dim"),
            (fmt.short_id(fill.tx_hash, 13) or fmt.ABSENT, "dim"),
        ),
    )
