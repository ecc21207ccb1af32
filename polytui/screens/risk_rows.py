"""The gate, limits, breakers and release gates as rows, and the mode in words. Pure."""

from polytui import format as fmt
from polytui.engine.core.account_view import (
    BreakerRow,
    CheckRow,
    ControlRow,
    GateRow,
    LimitRow,
    RiskView,
)
from polytui.engine.core.enums import Mode
from polytui.screens.times import Times
from polytui.widgets.bits import NEARLY, gauge, pair, told
from polytui.widgets.lines import Line
from polytui.widgets.live_table import Column, Row

MODE_MEANS: dict[Mode, str] = {
    Mode.SHADOW: "decides and records; no order is made",
    Mode.PAPER: "orders go to a simulated venue, fed by live books",
    Mode.LIVE_DRY_RUN: "orders are gated, signed and checked, then dropped",
    Mode.LIVE_ARMED: "orders leave",
    Mode.REPLAY: "a recording; nothing leaves",
}
CLEARS = {"evidence": ("itself", "dim"), "person": ("person", "strong")}
"""Who clears a cause: the evidence, by going away, or a person, by `U`."""


def mode_lines(view: RiskView, times: Times, width: int) -> list[Line]:
    """Say who executes, whose money it is, and until when."""
    money = "practice money" if view.is_practice else "REAL MONEY"
    meaning = MODE_MEANS[view.mode]
    role = "strong" if view.is_practice or view.mode is not Mode.LIVE_ARMED else "armed"
    lines = [
        pair("mode", fmt.capitals(view.mode), role, more=money),
        *told(meaning, width),
    ]
    arm = view.arm
    if view.mode is Mode.LIVE_ARMED and arm.armed_until_ns:
        left = fmt.left(arm.armed_until_ns - times.now_ns)
        cap = f"session cap {fmt.usd_short(arm.cap_u6)}"
        lines.append(pair("armed", f"{left} left", "strong", more=cap))
    else:
        reason = fmt.foreign(arm.reason, 60)
        lines.append(pair("arming", fmt.foreign(arm.stage, 20), more=reason or "M starts it"))
    return lines


def state_lines(view: RiskView, times: Times, width: int) -> list[Line]:
    """Say what the gate lets through and why not more."""
    word, role = fmt.TRADING_STATE[view.trading]
    venue, venue_role = fmt.venue_state(view.venue_state)
    intake = ("open", "ok") if view.intake_open else ("CLOSED", "warn")
    causes: list[Line] = []
    for cause in view.causes:
        who, who_role = CLEARS.get(cause.clears, (fmt.foreign(cause.clears, 6), "warn"))
        causes.append(
            (
                (f"  {fmt.TRADING_STATE[cause.state][0].lower():<8}", "warn"),
                (f"{fmt.pad(times.ago(cause.since_ns), 4, right=True)} ", "dim"),
                (f"{who:<6} ", who_role),
                (fmt.foreign(cause.cause, 80), ""),
            )
        )
    if causes:
        causes.insert(0, (("            age clears cause", "head"),))
    beat = times.ago(view.heartbeat_ns) if view.heartbeat_ns else "never"
    clock = fmt.UNKNOWN
    if view.clock_ns:
        clock = f"{view.clock_offset_us / 1000:+.1f} ms, {times.ago(view.clock_ns)} ago"
    return [
        *mode_lines(view, times, width),
        pair("trading", word, role, more="" if view.causes else "no cause is named"),
        *causes,
        pair("venue", venue, venue_role),
        *told(fmt.foreign(view.venue_why, 160), width),
        pair("intake", *intake),
        *told(fmt.foreign(view.intake_why, 160), width),
        pair("heartbeat", beat, more=f"clock {clock}"),
        pair("budget", f"{_budget(view.orders_left)} orders, {_budget(view.cancels_left)} cancels"),
    ]


def _budget(left: int) -> str:
    return fmt.UNKNOWN if left < 0 else fmt.count(left)


CONTROL_COLUMNS = (
    Column(key="code", head="code", width=4),
    Column(key="control", head="control", width=17, least=12, most=24),
    Column(key="limit", head="limit", width=8, most=16),
    Column(key="refused", head="refused", width=7, right=True),
    Column(key="at", head="last", width=5, right=True),
    Column(key="last", head="last refusal", width=14, least=8, most=70, drop=2),
)


def control_row(row: ControlRow, times: Times) -> Row:
    """Turn a control of the gate into a row."""
    last = times.ago(row.last_ns) if row.last_ns else fmt.ABSENT
    return Row(
        key=row.control.value,
        cells=(
            (row.control.value, "dim"),
            (fmt.foreign(row.title, 40), ""),
            (fmt.foreign(row.limit, 24), "dim"),
            (fmt.count(row.refused), "warn" if row.refused else "dim"),
            (last, "dim"),
            (fmt.foreign(row.last) or fmt.ABSENT, "dim"),
        ),
    )


LIMIT_COLUMNS = (
    Column(key="name", head="limit", width=15, least=10, most=24),
    Column(key="value", head="now", width=10, right=True, most=16),
    Column(key="use", head="used", width=15, drop=2),
    Column(key="configured", head="configured", width=10, right=True, drop=3, most=16),
)


def _limit(row: LimitRow) -> str:
    """Name a limit as no row of another table is named; a breaker may be called the same."""
    return f"limit:{row.name}"


def _breaker(row: BreakerRow) -> str:
    return f"breaker:{row.name}"


def limit_row(row: LimitRow) -> Row:
    """Turn a limit into a row: its value, what is used of it, what the configuration says."""
    use = (fmt.ABSENT, "dim")
    if row.used >= 0 and row.value > 0:
        share = row.used / row.value
        (full, _), (rest, _) = gauge(share, 8)
        near = share >= NEARLY
        use = (f"{full}{rest} {share * 100:.0f}%{'!' if near else ''}", "warn" if near else "")
    changed = row.value != row.configured
    return Row(
        key=_limit(row),
        subject=_limit(row),
        mark="*" if changed else " ",
        cells=(
            (fmt.foreign(row.name, 40), ""),
            (fmt.in_unit(row.value, row.unit), "strong"),
            use,
            (fmt.in_unit(row.configured, row.unit), "warn" if changed else "dim"),
        ),
    )


BREAKER_COLUMNS = (
    Column(key="name", head="breaker", width=14, least=8, most=24),
    Column(key="state", head="state", width=7),
    Column(key="since", head="since", width=5, right=True),
    Column(key="why", head="why", width=12, least=8, most=50, drop=2),
)


def breaker_row(row: BreakerRow, times: Times) -> Row:
    """Turn a breaker into a row; a tripped one stays so until a person resets it."""
    tripped = row.tripped_ns > 0
    return Row(
        key=_breaker(row),
        subject=_breaker(row),
        over="" if tripped else "the breaker is closed",
        mark="!" if tripped else " ",
        cells=(
            (fmt.foreign(row.name, 40), ""),
            ("TRIPPED", "crit") if tripped else ("closed", "dim"),
            (times.ago(row.tripped_ns) if tripped else fmt.ABSENT, "dim"),
            (fmt.foreign(row.why) or fmt.ABSENT, "warn" if tripped else "dim"),
        ),
    )


GATE_COLUMNS = (
    Column(key="strategy", head="strategy", width=8, most=16),
    Column(key="gate", head="release gate", width=12, most=14),
    Column(key="since", head="since", width=5, right=True),
    Column(key="checks", head="next", width=5, right=True),
)


def gate_row(row: GateRow, times: Times) -> Row:
    """Turn a strategy's place on the release ladder into a row."""
    passed = sum(check.ok for check in row.checks)
    return Row(
        key=row.strategy,
        strategy=row.strategy,
        cells=(
            (fmt.foreign(row.strategy, 24), "strong"),
            (fmt.gate_word(row.gate), ""),
            (times.ago(row.since_ns), "dim"),
            (f"{passed}/{len(row.checks)}" if row.checks else fmt.ABSENT, "dim"),
        ),
    )


def check_line(check: CheckRow) -> Line:
    """Draw one condition of the next step."""
    mark = ("ok ", "ok") if check.ok else ("X  ", "warn")
    limit = f" of {fmt.foreign(check.limit, 20)}" if check.limit else ""
    value = f"{fmt.foreign(check.value, 24)}{limit}"
    return (mark, (f"{fmt.foreign(check.title, 40)}  ", ""), (value, "strong"))


def explain(view: RiskView, key: str, times: Times, width: int) -> list[Line]:
    """Explain the row under the cursor, in whichever table of the page it is."""
    for control in view.controls:
        if control.control.value == key:
            when = f"{times.ago(control.last_ns)} ago" if control.last_ns else "never"
            return [
                ((f"{key} {fmt.foreign(control.title, 60)}", "title"),),
                pair("limit", fmt.foreign(control.limit, 60)),
                pair("refused", fmt.count(control.refused), more=f"last {when}"),
                *told(fmt.foreign(control.last, 300) or "It has refused nothing yet.", width),
            ]
    for gate in view.gates:
        if gate.strategy == key:
            last = fmt.foreign(gate.last, 60) or "no transition yet"
            to = fmt.gate_word(gate.next_gate)
            return [
                ((f"{fmt.foreign(key, 24)}: {fmt.gate_word(gate.gate)}", "title"),),
                pair("next", to, more=f"last: {last}"),
                *map(check_line, gate.checks),
            ]
    for breaker in view.breakers:
        if _breaker(breaker) == key:
            word = "R resets it" if breaker.tripped_ns else "closed"
            why = fmt.foreign(breaker.why, 300) or "It has not tripped."
            name = fmt.foreign(breaker.name, 60)
            return [((name, "title"),), pair("state", word), *told(why, width)]
    for limit in view.limits:
        if _limit(limit) == key:
            return [
                ((fmt.foreign(limit.name, 60), "title"),),
                pair("now", fmt.in_unit(limit.value, limit.unit), "strong", more="c changes it"),
                pair("configured", fmt.in_unit(limit.configured, limit.unit), width=11),
            ]
    return told("Nothing is under the cursor. Tab changes the panel, j and k the row.", width)
