"""The kill's receipt as lines, and what to do when it does not come to an end. Pure."""

from polytui import format as fmt
from polytui.engine.core.account_view import KillLine, KillView, OrderRow, PositionRow, RiskView
from polytui.engine.core.enums import Mode
from polytui.engine.core.order_enums import KillStep, Realm
from polytui.screens.order_rows import SIDE, order_mark, order_state
from polytui.screens.rows import name_of
from polytui.screens.times import Times
from polytui.widgets.bits import told
from polytui.widgets.lines import Line
from polytui.widgets.live_table import Column, Row

STEP: dict[KillStep, str] = {
    KillStep.GATE: "new orders refused",
    KillStep.STRATEGIES: "strategies stopped",
    KillStep.CANCEL_SENT: "cancel all sent",
    KillStep.CANCEL_CONFIRMED: "cancels confirmed",
    KillStep.STRAGGLERS: "second sweep",
    KillStep.VERIFIED: "read back",
    KillStep.SENTINEL: "sentinel",
    KillStep.FLATTEN: "flatten",
}


def step_line(number: int, line: KillLine) -> Line:
    """Draw one step: what, whether it is done, how long after the key."""
    done = ("done", "ok") if line.done else ("OPEN", "warn")
    after = fmt.micros(line.after_us) if line.after_us >= 0 else fmt.ABSENT
    return (
        (f" {number} ", "dim"),
        (fmt.pad(STEP[line.step], 20), ""),
        done,
        (fmt.pad(f"+{after}" if line.after_us >= 0 else after, 9, right=True), "strong"),
        (f"   {fmt.foreign(line.text, 120)}", "dim"),
    )


def open_line(kill: KillView, times: Times) -> Line:
    """Say how many orders the venue reads as open: the one line to trust, or not."""
    if kill.open_orders < 0:
        read = "not read yet"
        return (
            (" = open at the venue   ", "strong"),
            ("?", "crit"),
            (f"    this line must read 0 before you trust it; {read}", "warn"),
        )
    age = times.ago(kill.read_ns)
    trusted = kill.open_orders == 0 and kill.verified
    end = "verified" if trusted else "this line must read 0 before you trust it"
    return (
        (" = open at the venue   ", "strong"),
        (str(kill.open_orders), "ok" if trusted else "crit"),
        (f"    {end}; read {age} ago, {kill.attempts} reads", "" if trusted else "warn"),
    )


def receipt_lines(view: RiskView, times: Times, width: int) -> list[Line]:
    """Draw the receipt, or what the key would do."""
    kill = view.kill
    if not kill.killed:
        return idle_lines(view, width)
    wall = times.wall_ahead_ns
    at = fmt.clock(kill.at_ns + wall) + "Z" if wall is not None else fmt.UNKNOWN
    lines: list[Line] = [
        (
            (f"KILLED {at}", "crit"),
            (f"  {times.ago(kill.at_ns)} ago by {fmt.foreign(kill.actor, 40)}", ""),
            (f"  {fmt.foreign(kill.reason, 80)}", "dim"),
        ),
        open_line(kill, times),
        *(step_line(number, line) for number, line in enumerate(kill.lines, 1)),
    ]
    if kill.unknown or kill.fills_after:
        lines.append(
            (
                (f" ? unknown {kill.unknown}", "crit" if kill.unknown else ""),
                (f"   fills after the kill {kill.fills_after}", "warn" if kill.fills_after else ""),
            )
        )
    if kill.flatten_state:
        lines.append(((f" flatten: {fmt.foreign(kill.flatten_state, 20)}", "strong"),))
        lines += [step_line(number, line) for number, line in enumerate(kill.flatten, 1)]
    return lines


def idle_lines(view: RiskView, width: int) -> list[Line]:
    """Say what the kill would do, while it has not been asked for."""
    text = (
        "^\\ or F12, on any page and in any dialog: new orders are refused, strategies stop, "
        "every order is cancelled, and the venue is read back until it shows none. Nothing is "
        "sold: F asks for that. The latch survives a restart; C leaves it."
    )
    if view.mode is Mode.SHADOW:
        text += " SHADOW sends no orders, so there is little to stop."
    return [((f"Not killed. Mode {fmt.capitals(view.mode)}.", "strong"),), *told(text, width)]


OPEN_COLUMNS = (
    Column(key="market", head="market", width=20, least=9, most=60),
    Column(key="side", head="side", width=4),
    Column(key="px", head="price", width=5, right=True),
    Column(key="left", head="left", width=6, right=True),
    Column(key="state", head="state", width=11),
    Column(key="cancel", head="cancelled", width=9, least=6),
    Column(key="tries", head="tries", width=5, right=True, drop=5),
    Column(key="hash", head="order hash", width=12, drop=6),
)


def open_row(order: OrderRow, times: Times) -> Row:
    """Turn an order that the venue still shows into a row."""
    name = name_of(order.title, order.market)
    side, side_role = SIDE[order.side]
    state, role = order_state(order)
    asked = f"{times.ago(order.cancel_ns)} ago" if order.cancel_ns else "NOT YET"
    return Row(
        key=order.cid or order.order_hash,
        mark=order_mark(order),
        market=order.market,
        strategy=order.strategy,
        subject=f"order:{order.cid}",
        title=name,
        extra=fmt.foreign(order.order_hash),
        cells=(
            (name, ""),
            (side, side_role),
            (fmt.limit_px(order.px_u6), "strong"),
            (fmt.shares(order.remaining_u6), ""),
            (state, role),
            (asked, "" if order.cancel_ns else "warn"),
            (str(order.cancel_attempts), "dim"),
            (fmt.short_id(order.order_hash), "dim"),
        ),
    )


def route_lines(view: RiskView, width: int) -> list[Line]:
    """List the other ways to stop, nearest first; only those that there are."""
    venue = "the practice venue's lab shows them (L)"
    if view.realm is Realm.LIVE and not view.is_practice:
        venue = "its web site: cancel all orders"
    elif view.realm is Realm.PAPER:
        venue = "none: a simulated one, inside the engine"
    routes = (
        ("this page", "^\\ again; x one order; F flatten"),
        ("other shell", "polytui-kill, or polytui ctl kill"),
        ("orders only", "polytui ctl cancel all"),
        ("engine", "polytui ctl shutdown"),
        ("venue", venue),
    )
    lines: list[Line] = []
    for name, text in routes:
        first, *rest = told(text, width - 13, "")
        lines.append(((fmt.pad(name, 13), "head"), *first))
        lines += [((" " * 13, ""), *line) for line in rest]
    return lines


LEFT_COLUMNS = (
    Column(key="market", head="market", width=24, least=9, most=60),
    Column(key="token", head="token", width=5, least=3),
    Column(key="held", head="held", width=8, right=True),
    Column(key="unsettled", head="unsettled", width=9, right=True),
    Column(key="sellable", head="sellable", width=8, right=True),
    Column(key="mark", head="bid", width=5, right=True, drop=1),
    Column(key="value", head="value", width=8, right=True),
    Column(key="strategy", head="strat", width=6, drop=2),
)


def left_row(row: PositionRow) -> Row:
    """Turn a position that a kill leaves open into a row."""
    name = name_of(row.title, row.market)
    moving = row.provisional_in_u6 or row.provisional_out_u6
    unsettled = f"+{fmt.shares(row.provisional_in_u6)} -{fmt.shares(row.provisional_out_u6)}"
    return Row(
        key=f"{row.strategy}|{row.token}",
        market=row.market,
        strategy=row.strategy,
        title=name,
        cells=(
            (name, ""),
            (fmt.foreign(row.outcome, 12), ""),
            (fmt.shares(row.confirmed_u6), "strong"),
            (unsettled if moving else fmt.ABSENT, "warn" if moving else "dim"),
            (fmt.shares(row.sellable_u6), ""),
            (fmt.limit_px(row.mark_u6), ""),
            (fmt.usd(row.value_u6) if row.mark_u6 >= 0 else fmt.UNKNOWN, ""),
            (fmt.foreign(row.strategy, 12), "dim"),
        ),
    )
