"""The alert line: the one thing that most needs a look, or what became of the last key.

There is no alert engine yet, so this states conditions of the View and acknowledges nothing.
"""

from polytui import format as fmt
from polytui.engine.core.enums import FeedState
from polytui.engine.core.view import FeedView, StatusView
from polytui.widgets.lines import Line, LineWidget

QUIET: Line = ((" -- nothing needs attention", "dim"),)

_BAD_FEED = (FeedState.STALE, FeedState.UNAVAILABLE, FeedState.DEGRADED)


def condition(status: StatusView | None) -> Line:
    """State the most serious condition, in one line with what it means."""
    if status is None:
        return ((" waiting for the engine", "info"),)
    if not status.markets:
        return ((" -- no market is watched yet", "info"),)
    shell = status.shell
    if shell.dropped:
        text = f"{fmt.count(shell.dropped)} events lost at a full queue: their markets are suspect"
        return ((" !C ", "crit"), (f" {text}", "warn"))
    if shell.capture_lost:
        text = f"recorder lost {fmt.count(shell.capture_lost)} records: this run has holes"
        return ((" !H ", "crit"), (f" {text}", "warn"))
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
