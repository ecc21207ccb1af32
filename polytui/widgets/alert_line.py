"""The alert line: the one thing that most needs a look, or what became of the last key.

There is no alert engine yet, so this states conditions of the View and acknowledges nothing. What
is wrong with the account comes before everything else, each with its code, its cause and what to
do; how many more there are is counted.
"""

from polytui import format as fmt
from polytui.engine.core.account_view import NO_ACCOUNT
from polytui.engine.core.enums import FeedState, Mode
from polytui.engine.core.order_enums import Realm, TradingState, VenueState
from polytui.engine.core.view import FeedView, StatusView
from polytui.widgets.lines import Line, LineWidget
from polytui.widgets.status_bar import RED_NS, USER_NS_MAX

QUIET: Line = ((" -- nothing needs attention", "dim"),)

_BAD_FEED = (FeedState.STALE, FeedState.UNAVAILABLE, FeedState.DEGRADED)


def criticals(status: StatusView, now_ns: int) -> list[tuple[str, str]]:
    """List what a person must look at now: a code, then cause and what to do."""
    account = status.account
    found: list[tuple[str, str]] = []
    if account.killed:
        word = "the venue reads empty" if account.verified else "NOT VERIFIED with the venue yet"
        found.append(("KILLED", f"new orders are refused; {word}; positions stay: K shows what"))
    if account.stale_sent:
        found.append(("STALE_SENT", f"{account.stale_sent} orders left on stale state: kill"))
    if _is_deaf(status, now_ns):
        age = fmt.age(now_ns - account.user_ns) if account.user_ns else "ever"
        found.append(("USER_FEED_LOST", f"no fill is known for {age}: kill if it stays away"))
    if account.unknown:
        found.append(("UNKNOWN_ORDER", f"{account.unknown} may rest or fill: page 3, panel d"))
    if account.residues:
        found.append(
            ("LEG_OPEN", f"{account.residues} sides naked, being unwound: page 3, panel c")
        )
    if account.anomalies:
        found.append(("POS_MISMATCH", f"{account.anomalies} differences with the venue: page i"))
    return found


def _is_deaf(status: StatusView, now_ns: int) -> bool:
    """Tell whether fills could happen that we would not hear of."""
    account = status.account
    exposed = status.mode is Mode.LIVE_ARMED or account.open_orders > 0
    return account.realm is Realm.LIVE and exposed and now_ns - account.user_ns > USER_NS_MAX


def _worries(status: StatusView, now_ns: int) -> list[tuple[str, str]]:
    """List what deserves a look soon; in SHADOW nothing is meant to trade."""
    account = status.account
    found: list[tuple[str, str]] = []
    if account.limbo:
        found.append(("LIMBO", f"{account.limbo} orders older than their state may be: page 3"))
    if account.provisional and now_ns - account.oldest_provisional_ns > RED_NS:
        found.append(("SETTLEMENT", "a fill has not settled for more than 2 minutes: page i"))
    if status.mode is Mode.SHADOW:
        return found
    if account.trading is not TradingState.ACTIVE and not account.killed:
        word = fmt.TRADING_STATE[account.trading][0]
        found.append((word, "see page 6 for the causes and who clears them"))
    if account.venue_state not in (VenueState.NORMAL, VenueState.STARTING):
        word = account.venue_state.value.upper()
        found.append((f"VENUE {word}", fmt.foreign(account.venue_why, 80)))
    return found


def account_alert(status: StatusView, now_ns: int) -> Line | None:
    """State the worst about the account, if anything is wrong with it."""
    if status.account == NO_ACCOUNT or status.mode is Mode.REPLAY:
        return None
    critical = criticals(status, now_ns)
    worries = _worries(status, now_ns)
    if not critical and not worries:
        return None
    code, text = (critical or worries)[0]
    more = len(critical) + len(worries) - 1
    mark = (" !C ", "crit") if critical else (" !H ", "warn")
    count = ((f"  (+{more} more)", "dim"),) if more else ()
    return (mark, (f" {code}", "strong"), (f"  {text}", "warn"), *count)


def condition(status: StatusView | None, now_ns: int) -> Line:
    """State the most serious condition, in one line with what it means."""
    if status is None:
        return ((" waiting for the engine", "info"),)
    if (line := account_alert(status, now_ns)) is not None:
        return line
    if not status.markets:
        return ((" -- no market is watched yet", "info"),)
    shell = status.shell
    if shell.dropped:
        text = f"{fmt.count(shell.dropped)} events lost at a full queue: their markets are suspect"
        return ((" !C ", "crit"), (f" {text}", "warn"))
    if shell.capture_lost:
        text = f"recorder lost {fmt.count(shell.capture_lost)} records: this run has holes"
        return ((" !H ", "crit"), (f" {text}", "warn"))
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
