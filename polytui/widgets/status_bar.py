"""The status bar: who executes commands, and whether what is on the screen can be believed.

The mode comes first and never drops; when no engine answers it is `?? NO ENGINE`, because the last
known mode is not the mode. A kill and an armed mode are words and signs, not only colours. What
has a good state is quiet.
"""

from msgspec import Struct

from polytui import format as fmt
from polytui.engine.core.account_view import NO_ACCOUNT, AccountStatus
from polytui.engine.core.alert_view import AlertCounts
from polytui.engine.core.enums import FeedState, Mode
from polytui.engine.core.view import FeedView, StatusView
from polytui.widgets.bits import NEARLY
from polytui.widgets.lines import Line, LineWidget, line_cells

LOOP_LAG_US_MAX = 5_000
"""Above this p99 the engine counts as busy (budget of the engine, not of the console)."""
USER_NS_MAX = 5 * 10**9
"""Silence of the user stream that is worth a mark (console.md §6.10)."""
AMBER_NS, RED_NS = 30 * 10**9, 120 * 10**9
"""Ages of an amount that is not settled (execution reference §1)."""


class LinkFacts(Struct, frozen=True, kw_only=True):
    """What the console knows about its link."""

    up: bool = False
    lost_s: int = 0
    """Whole seconds without a sign of life; 0 while all is well."""
    why: str = ""
    role: str = ""
    lease_holder: str = ""
    """Who else may write; empty: this console may, or nobody asked."""
    waiting: bool = True
    """No engine has answered yet."""


def mode_word(mode: Mode, venue: str) -> str:
    """Name a mode the way every page shows it."""
    if mode is Mode.REPLAY:
        return f"<< REPLAY {fmt.foreign(venue, 20)} >>"
    return fmt.capitals(mode)


def token_of(status: StatusView, now_ns: int, *, room: int) -> Line:
    """Write who executes commands: the first word of every page."""
    account = status.account
    if account.killed:
        return ((" ## KILLED ## ", "crit"),)
    if status.mode is not Mode.LIVE_ARMED:
        return ((f" {mode_word(status.mode, status.venue)} ", "mode"),)
    until = account.armed_until_ns
    left = f" {fmt.left(until - now_ns)}" if until else ""
    if account.is_practice:
        word = "LIVE ARMED (practice)" if room >= 36 else "ARMED(practice)"
        return ((f" {word}{left} ", "mode"),)
    return ((f" $LIVE ARMED{left} ", "armed-bar"),)


def late_role(age_ns: int) -> str:
    """Say how an unsettled amount of an age looks."""
    return "crit" if age_ns > RED_NS else "warn" if age_ns > AMBER_NS else ""


def feed_of(status: StatusView, *roles: str) -> FeedView | None:
    """Find the feed that plays one of the roles, in the order given."""
    for role in roles:
        for feed in status.feeds:
            if feed.role == role and feed.state is not FeedState.DISABLED:
                return feed
    return None


def _feed_part(name: str, feed: FeedView | None, now_ns: int) -> Line:
    if feed is None:
        return ((f"{name} -", "dim"),)
    glyph, word, role = fmt.FEED_STATE[feed.state]
    age = fmt.age(None if feed.last_ns is None else now_ns - feed.last_ns)
    if feed.state is FeedState.LIVE:
        return ((f"{name} ok ", ""), (age, ""))
    return ((f"{name} {glyph}{word} {age}", role),)


def _engine_part(status: StatusView) -> Line:
    lag = status.shell.loop_lag
    if not lag.count:
        return (("eng -", "dim"),)
    text = fmt.micros(lag.p99_us)
    return (
        ((f"eng {text}!", "warn"),) if lag.p99_us > LOOP_LAG_US_MAX else ((f"eng ok {text}", ""),)
    )


def _count_part(name: str, value: int) -> Line:
    return ((f"{name} {fmt.count(value)}", "warn" if value else ""),)


def _alert_part(alerts: AlertCounts) -> Line:
    """Count what nobody has acknowledged, by class."""
    text = f"C{alerts.critical} H{alerts.high} L{alerts.low}"
    shelved = f" S{alerts.shelved}" if alerts.shelved else ""
    role = "crit" if alerts.critical else "warn" if alerts.high else ""
    return ((text + shelved, role),)


def _cap_part(account: AccountStatus) -> Line:
    text = f"cap {fmt.usd_short(account.exposure_u6)}/{fmt.usd_short(account.cap_u6)}"
    high = account.exposure_u6 >= NEARLY * account.cap_u6 > 0
    return ((f"{text}!", "warn"),) if high else ((text, ""),)


def user_part(account: AccountStatus, now_ns: int) -> Line:
    """Write the age of the user stream: without it no fill is known."""
    if not account.user_ns:
        return (("usr -", "dim"),)
    age_ns = now_ns - account.user_ns
    late = age_ns > USER_NS_MAX
    return ((f"usr {'~' if late else 'ok '}{fmt.age(age_ns)}", "warn" if late else ""),)


def order_parts(account: AccountStatus, now_ns: int) -> list[Line]:
    """Write the orders, and what is in doubt about them."""
    parts: list[Line] = [((f"ord {fmt.count(account.open_orders)}", ""),)]
    if account.unknown:
        parts.append(((f"?UNKNOWN {account.unknown}", "crit"),))
    if account.limbo:
        parts.append(((f"limbo {account.limbo}", "warn"),))
    if account.provisional:
        age_ns = now_ns - account.oldest_provisional_ns
        role = late_role(age_ns)
        mark = "!" if role else ""
        parts.append(((f"prov {account.provisional} {fmt.age(age_ns)}{mark}", role),))
    return parts


def account_parts(status: StatusView, now_ns: int) -> tuple[list[Line], list[Line]]:
    """Write the account: what comes right after the mode, and what follows the engine."""
    account = status.account
    if account == NO_ACCOUNT:
        return [], []
    day = account.day_u6
    role = "buy" if day > 0 else "sell" if day < 0 else ""
    first: list[Line] = [_cap_part(account), ((f"day {fmt.usd(day, signed=True)}", role),)]
    if account.killed:
        word, role = ("VERIFIED empty", "ok") if account.verified else ("NOT VERIFIED", "crit")
        first.insert(0, ((word, role),))
    return first, [*order_parts(account, now_ns), user_part(account, now_ns)]


def _role_part(link: LinkFacts) -> Line:
    """Say whether this console may write."""
    if link.lease_holder:
        return (("RW, no lease", "warn"),)
    return ((f"{link.role.upper() or '?'}", ""),)


def _live_parts(status: StatusView, link: LinkFacts, now_ns: int) -> list[Line]:
    bad = status.markets - status.synced
    markets = f"mkt {status.synced}/{status.markets}"
    first, orders = account_parts(status, now_ns)
    parts: list[Line] = [
        *first,
        _engine_part(status),
        _feed_part("md", feed_of(status, "venue"), now_ns),
        _alert_part(status.alerts),
        *orders,
        _feed_part("ref", feed_of(status, "primary"), now_ns),
        ((fmt.foreign(status.venue, 16), ""),),
        ((f"{markets}!", "warn"),) if bad else ((markets, ""),),
        _count_part("incidents", status.incidents),
        ((f"intents {fmt.count(status.intents)}", ""),),
        _role_part(link),
    ]
    if status.paused:
        parts.insert(0, ((f"PAUSED {', '.join(map(fmt.foreign, status.paused))}", "warn"),))
    if status.shell.dropped or status.shell.capture_lost:
        lost = status.shell.dropped + status.shell.capture_lost
        parts.insert(0, ((f"LOST {fmt.count(lost)} events", "crit"),))
    return parts


def _lost_parts(status: StatusView | None, link: LinkFacts, shown_clock: str) -> list[Line]:
    parts: list[Line] = []
    if link.waiting and not link.lost_s:
        return [(("connecting", "info"),)]
    parts.append(((f"link LOST {link.lost_s}s", "warn"),))
    if status is not None:
        live = status.account.open_orders or status.mode is Mode.LIVE_ARMED
        doubt = "ORDERS MAY BE LIVE" if live else "the engine may still be running"
        parts.append(((f"last {mode_word(status.mode, status.venue)}", "dim"),))
        parts.append(((doubt, "warn"),))
        parts.append(((f"values frozen at {shown_clock}Z", "warn"),))
    return parts


def status_line(
    status: StatusView | None,
    link: LinkFacts,
    *,
    now_ns: int,
    shown_clock: str,
    width: int,
    kill_hint: str = "",
) -> Line:
    """Draw the bar; parts drop from the right when there is no room, the clock before them.

    A `kill_hint` stands at the right end where there is no tab line to hold it.
    """
    if status is None or not link.up:
        token: Line = ((" ?? NO ENGINE ", "crit"),)
        parts = _lost_parts(status, link, shown_clock)
    else:
        token = token_of(status, now_ns, room=width - len(kill_hint))
        parts = _live_parts(status, link, now_ns)
    room = width - len(kill_hint)
    line = token
    for number, part in enumerate(parts):
        joint: Line = ((" ", ""),) if not number else (("│", "faint"),)
        if line_cells(line) + line_cells(part) + 1 > room:
            break
        line = (*line, *joint, *part)
    clock = f"{shown_clock}Z " if shown_clock and link.up else ""
    end = kill_hint or clock
    space = width - line_cells(line) - len(end)
    if not end or space < (0 if kill_hint else 1):
        return line
    return (*line, (" " * space, ""), (end, "key" if kill_hint else ""))


class StatusBar(LineWidget):
    """One line at the top of every page, dialogs included."""

    DEFAULT_CSS = """
    StatusBar { height: 1; }
    """
    GROUND = "bar"
