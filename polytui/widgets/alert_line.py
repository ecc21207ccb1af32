"""The alert line: the one thing that most needs a look, or what became of the last key.

The engine's alerts come first, each with its code and what to do; how many more there are is
counted, and `a` acknowledges the one that is shown. Below them stand the few conditions that only
the console's view of the engine's shell knows: they are stated and cannot be acknowledged.
"""

from polytui import format as fmt
from polytui.engine.core.alert_view import AlertClass, AlertState
from polytui.engine.core.enums import FeedState
from polytui.engine.core.view import FeedView, StatusView
from polytui.widgets.lines import Line, LineWidget

QUIET: Line = ((" -- nothing needs attention", "dim"),)

_BAD_FEED = (FeedState.STALE, FeedState.UNAVAILABLE, FeedState.DEGRADED)
_MARK: dict[AlertClass, tuple[str, str]] = {
    AlertClass.CRITICAL: (" !C ", "crit"),
    AlertClass.HIGH: (" !H ", "warn"),
    AlertClass.LOW: (" !L ", "info"),
}
_KNOWN = (AlertState.ACK, AlertState.LATCH)


def top_alert(status: StatusView) -> Line | None:
    """State the engine's most urgent alert; None: there is none."""
    alerts = status.alerts
    top = alerts.top
    if top is None:
        return None
    known = top.state in _KNOWN
    more = alerts.critical + alerts.high + alerts.low - (not known)
    mark, role = _MARK[top.cls]
    parts: Line = (
        (mark, "dim" if known else role),
        (f" {fmt.foreign(top.code, 24)}", "" if known else "strong"),
        (f"  {fmt.foreign(top.text, 160)}", "dim" if known else "warn"),
    )
    if known:
        parts = (*parts, (f"  ({top.state.value})", "dim"))
    elif top.state is AlertState.RTN:
        parts = (*parts, ("  (returned)", "dim"))
    if alerts.flood:
        parts = (*parts, ("  FLOOD", "warn"))
    if more > 0:
        parts = (*parts, (f"  (+{more} more)", "dim"))
    if not known:
        parts = (*parts, ("  a", "key"), (" ack", "dim"))
    return parts


def _lost(status: StatusView) -> Line | None:
    """State what the engine's process lost."""
    shell = status.shell
    if shell.dropped:
        text = f"{fmt.count(shell.dropped)} events lost at a full queue: their markets are suspect"
        return ((" !C ", "crit"), (f" {text}", "warn"))
    if shell.capture_lost:
        text = f"recorder lost {fmt.count(shell.capture_lost)} records: this run has holes"
        return ((" !H ", "crit"), (f" {text}", "warn"))
    return None


def condition(status: StatusView | None) -> Line:
    """State the most serious condition, in one line with what it means."""
    if status is None:
        return ((" waiting for the engine", "info"),)
    line, top = top_alert(status), status.alerts.top
    if line is not None and top is not None and top.cls is AlertClass.CRITICAL:
        return line
    if (lost := _lost(status)) is not None:
        return lost
    if line is not None:
        return line
    if not status.markets:
        return ((" -- no market is watched yet", "info"),)
    return _markets(status)


def _markets(status: StatusView) -> Line:
    feeds = [feed for feed in status.feeds if feed.state in _BAD_FEED]
    for feed in feeds:
        if feed.role in ("venue", "primary"):
            return _feed(feed, " !H ")
    if status.suspect or status.stale:
        text = f"{status.suspect} suspect, {status.stale} stale of {status.markets} markets: "
        return ((" !L ", "warn"), (f" {text}strategies are not shown them", ""))
    if status.paused:
        return ((" !L ", "warn"), (f" paused by an operator: {', '.join(status.paused)}", ""))
    return _feed(feeds[0], " !L ") if feeds else QUIET


def _feed(feed: FeedView, mark: str) -> Line:
    _, word, role = fmt.FEED_STATE[feed.state]
    text = f" feed {feed.feed.value} ({fmt.foreign(feed.role)}) {word}: {feed.reason.value}"
    return ((mark, role), (text, "warn"))


class AlertLine(LineWidget):
    """One line above the footer."""

    DEFAULT_CSS = """
    AlertLine { height: 1; }
    """
