"""Alerts as rows and lines: class, state, what stands, since when, what to do. Pure."""

from polytui import format as fmt
from polytui.engine.core.alert_codes import ALERT_CODES
from polytui.engine.core.alert_view import AlertClass, AlertNote, AlertRow, AlertState, AlertsView
from polytui.screens.times import TimeBase, Times
from polytui.widgets.bits import pair, told
from polytui.widgets.lines import Line
from polytui.widgets.live_table import Column, Row

CLASS: dict[AlertClass, tuple[str, str]] = {
    AlertClass.CRITICAL: ("!C", "crit"),
    AlertClass.HIGH: ("!H", "warn"),
    AlertClass.LOW: ("!L", "info"),
}
STATE: dict[AlertState, tuple[str, str, str]] = {
    AlertState.UNACK: ("UNACK", "strong", "nobody has acknowledged it"),
    AlertState.ACK: ("ack", "dim", "acknowledged, its cause still stands"),
    AlertState.RTN: ("RTN", "warn", "its cause is gone, and nobody has acknowledged it"),
    AlertState.LATCH: ("LATCH", "strong", "acknowledged, until its cause is reset"),
    AlertState.SHELVED: ("shelved", "dim", "put aside by a person"),
    AlertState.SUPP: ("supp", "dim", "suppressed: it cannot happen in this mode"),
}
"""Word, role, and what it means."""


def active_columns(base: TimeBase) -> tuple[Column, ...]:
    """Give the columns of what stands."""
    return (
        Column(key="class", head="", width=2),
        Column(key="state", head="state", width=7, least=5),
        Column(key="code", head="code", width=18, least=12),
        Column(key="since", head="since", width=5 if base is TimeBase.AGE else 8, right=True),
        Column(key="text", head="what", width=20, least=10, most=120),
        Column(key="count", head="times", width=5, right=True, drop=5),
        Column(key="by", head="by", width=14, drop=7),
        Column(key="id", head="id", width=4, right=True, drop=6),
    )


ASIDE_COLUMNS = (
    Column(key="class", head="", width=2),
    Column(key="state", head="state", width=7),
    Column(key="code", head="code", width=16, least=10),
    Column(key="left", head="left", width=5, right=True),
    Column(key="reason", head="reason", width=14, least=8, most=80),
    Column(key="by", head="by", width=12, drop=3),
)

JOURNAL_COLUMNS = (
    Column(key="at", head="when", width=8, right=True),
    Column(key="what", head="", width=12),
    Column(key="code", head="code", width=16, least=10),
    Column(key="text", head="", width=14, least=8, most=120),
    Column(key="by", head="by", width=12, drop=3),
)


def active_row(row: AlertRow, times: Times) -> Row:
    """Turn an alert that stands, or that nobody acknowledged, into a row."""
    mark, role = CLASS[row.cls]
    word, state_role, _ = STATE[row.state]
    needs = row.state in (AlertState.UNACK, AlertState.RTN)
    more = f"  (+{row.more} of its kind)" if row.more else ""
    first = "FIRST OUT  " if row.first_out else ""
    return Row(
        key=row.alert,
        subject=f"alert:{row.alert}",
        extra=fmt.foreign(f"{row.subject} class:{row.cls.value}"),
        cells=(
            (mark, role if needs else "dim"),
            (word, state_role),
            (row.code, "strong" if needs else ""),
            (times.text(row.since_ns), ""),
            (f"{first}{fmt.foreign(row.text, 160)}{more}", "" if needs else "dim"),
            (str(row.count), "dim"),
            (fmt.foreign(row.acked_by, 24), "dim"),
            (row.alert, "dim"),
        ),
    )


def aside_row(row: AlertRow, times: Times) -> Row:
    """Turn an alert that was put aside into a row."""
    mark, _ = CLASS[row.cls]
    word, role, meaning = STATE[row.state]
    is_shelved = row.state is AlertState.SHELVED
    left = fmt.age(max(row.shelved_until_ns - times.now_ns, 0)) if is_shelved else fmt.ABSENT
    return Row(
        key=row.alert,
        subject=f"shelved:{row.alert}" if is_shelved else f"alert:{row.alert}",
        extra=fmt.foreign(row.text, 160),
        cells=(
            (mark, "dim"),
            (word, role),
            (row.code, ""),
            (left, ""),
            (fmt.foreign(row.reason, 120) if is_shelved else meaning, "dim"),
            (fmt.foreign(row.shelved_by, 24), "dim"),
        ),
    )


def note_row(number: int, note: AlertNote, times: Times) -> Row:
    """Turn a line of the journal into a row."""
    return Row(
        key=f"{note.at_ns}-{note.alert}-{note.what}-{number}",
        cells=(
            (times.text(note.at_ns), "dim"),
            (note.what, ""),
            (fmt.foreign(note.code, 24), ""),
            (fmt.foreign(note.text, 160), "dim"),
            (fmt.foreign(note.actor, 24) or "engine", "dim"),
        ),
    )


def explain(view: AlertsView, key: str | None, times: Times, width: int) -> list[Line]:
    """Say everything about the alert under the cursor: what it means and what to do."""
    row = next((r for r in (*view.active, *view.shelved) if r.alert == key), None)
    if row is None:
        quiet = "Nothing needs anybody." if not view.active else "Put the cursor on an alert."
        return [((quiet, "dim"),)]
    mark, role = CLASS[row.cls]
    word, _, meaning = STATE[row.state]
    lines: list[Line] = [
        ((mark, role), (f" {row.code}", "strong"), (f"  {word}: {meaning}", "dim")),
        *told(fmt.foreign(row.text, 300), width, ""),
    ]
    rule = ALERT_CODES.get(row.code)
    if rule is not None:
        for name, text in (
            ("cause", rule.cause),
            ("means", rule.consequence),
            ("do", rule.todo),
            ("within", rule.within),
            ("engine", rule.engine),
        ):
            first, *rest = told(text, width - 10, "strong" if name == "do" else "")
            lines.append(((fmt.pad(name, 10), "head"), *first))
            lines += [((" " * 10, ""), *line) for line in rest]
    lines.append(pair("raised", f"{times.ago(row.since_ns)} ago, {row.count} times"))
    if row.acked_ns:
        by = fmt.foreign(row.acked_by, 30)
        lines.append(pair("acked", f"{times.ago(row.acked_ns)} ago by {by}"))
    return lines
