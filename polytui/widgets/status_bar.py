"""The status bar: who executes commands, and whether what is on the screen can be believed.

The mode comes first and never drops; when no engine answers it is `?? NO ENGINE`, because the last
known mode is not the mode. What has a good state is quiet.
"""

from msgspec import Struct

from polytui import format as fmt
from polytui.engine.core.enums import FeedState, Mode
from polytui.engine.core.view import FeedView, StatusView
from polytui.widgets.lines import Line, LineWidget, line_cells

LOOP_LAG_US_MAX = 5_000
"""Above this p99 the engine counts as busy (budget of the engine, not of the console)."""


class LinkFacts(Struct, frozen=True, kw_only=True):
    """What the console knows about its link."""

    up: bool = False
    lost_s: int = 0
    """Whole seconds without a sign of life; 0 while all is well."""
    why: str = ""
    role: str = ""
    waiting: bool = True
    """No engine has answered yet."""


def mode_word(mode: Mode, venue: str) -> str:
    """Name a mode the way every page shows it."""
    return f"<< REPLAY {fmt.foreign(venue, 20)} >>" if mode is Mode.REPLAY else mode.value.upper()


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


def _live_parts(status: StatusView, link: LinkFacts, now_ns: int) -> list[Line]:
    bad = status.markets - status.synced
    markets = f"mkt {status.synced}/{status.markets}"
    parts: list[Line] = [
        ((fmt.foreign(status.venue, 16), ""),),
        _engine_part(status),
        _feed_part("md", feed_of(status, "venue"), now_ns),
        _feed_part("ref", feed_of(status, "primary"), now_ns),
        ((f"{markets}!", "warn"),) if bad else ((markets, ""),),
        _count_part("incidents", status.incidents),
        ((f"intents {fmt.count(status.intents)}", ""),),
        ((f"{link.role.upper() or '?'}", ""),),
    ]
    if status.shell.dropped or status.shell.capture_lost:
        lost = status.shell.dropped + status.shell.capture_lost
        parts.insert(2, ((f"LOST {fmt.count(lost)} events", "crit"),))
    if status.paused:
        parts.insert(1, ((f"PAUSED {', '.join(status.paused)}", "warn"),))
    return parts


def _lost_parts(status: StatusView | None, link: LinkFacts, shown_clock: str) -> list[Line]:
    parts: list[Line] = []
    if link.waiting and not link.lost_s:
        return [(("connecting", "info"),)]
    parts.append(((f"link LOST {link.lost_s}s", "warn"),))
    if status is not None:
        frozen = f"values frozen at {shown_clock}Z"
        parts.append(((f"last {mode_word(status.mode, status.venue)}", "dim"),))
        parts.append(((frozen, "warn"),))
        parts.append((("the engine may still be running", "warn"),))
    return parts


def status_line(
    status: StatusView | None, link: LinkFacts, *, now_ns: int, shown_clock: str, width: int
) -> Line:
    """Draw the bar; parts drop from the right when there is no room, the clock before them."""
    if status is None or not link.up:
        token: Line = ((" ?? NO ENGINE ", "crit"),)
        parts = _lost_parts(status, link, shown_clock)
    else:
        token = ((f" {mode_word(status.mode, status.venue)} ", "mode"),)
        parts = _live_parts(status, link, now_ns)
    line = token
    for number, part in enumerate(parts):
        joint: Line = ((" ", ""),) if not number else (("│", "faint"),)
        if line_cells(line) + line_cells(part) + 1 > width:
            break
        line = (*line, *joint, *part)
    clock = f"{shown_clock}Z " if shown_clock and link.up else ""
    space = width - line_cells(line) - len(clock)
    return (*line, (" " * space, ""), (clock, "")) if clock and space > 0 else line


class StatusBar(LineWidget):
    """One line at the top of every page, dialogs included."""

    DEFAULT_CSS = """
    StatusBar { height: 1; }
    """
    GROUND = "bar"
