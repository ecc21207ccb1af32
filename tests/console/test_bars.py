"""The bars: the mode first, and never as if it were known when it is not."""

from msgspec.structs import replace

from polytui.actions import Facts
from polytui.engine.core.enums import FeedState, Mode
from polytui.engine.core.view import StatusView
from polytui.widgets.alert_line import condition
from polytui.widgets.banner import Loss, loss_lines
from polytui.widgets.footer import footer_line
from polytui.widgets.lines import Line, line_cells
from polytui.widgets.status_bar import LinkFacts, status_line
from polytui.widgets.tabs import tab_line
from tests.console import views

UP = LinkFacts(up=True, role="rw", waiting=False)
GONE = LinkFacts(up=False, lost_s=9, why="ECONNRESET", role="rw", waiting=False)
PAGES = ("overview", "book", "decisions", "modules")


def text(line: Line) -> str:
    return "".join(part for part, _ in line)


def bar(status: StatusView | None, link: LinkFacts, width: int = 120) -> Line:
    return status_line(status, link, now_ns=views.NOW, shown_clock="14:02:11", width=width)


def test_the_mode_is_there_at_every_width_and_nothing_overflows() -> None:
    for width in range(10, 200):
        line = bar(views.STATUS, UP, width)
        assert text(line).startswith(" SHADOW ")
        assert line_cells(line) <= width


def test_a_lost_engine_has_no_mode() -> None:
    said = text(bar(views.STATUS, GONE))
    assert said.startswith(" ?? NO ENGINE ")
    assert "last SHADOW" in said
    assert "frozen at 14:02:11Z" in said
    assert text(bar(None, LinkFacts())).startswith(" ?? NO ENGINE ")


def test_a_replay_is_marked_as_one() -> None:
    status = replace(views.STATUS, mode=Mode.REPLAY, venue="2026-11-20")
    assert text(bar(status, UP)).startswith(" << REPLAY 2026-11-20 >> ")
    assert "recording" in text(tab_line(PAGES, "book", mode=Mode.REPLAY, width=120))


def test_lost_events_and_paused_strategies_come_early() -> None:
    shell = replace(views.SHELL, dropped=4)
    status = replace(views.STATUS, paused=("box",), shell=shell)
    said = text(bar(status, UP, 60))
    assert "PAUSED box" in said
    assert "LOST 4 events" in said


def test_a_slow_loop_is_marked() -> None:
    lag = replace(views.SHELL.loop_lag, p99_us=9_400)
    status = replace(views.STATUS, shell=replace(views.SHELL, loop_lag=lag))
    assert "eng 9.4ms!" in text(bar(status, UP))


def test_the_place_of_the_kill_is_kept_at_every_width() -> None:
    for width in range(50, 200):
        line = tab_line(PAGES, "overview", mode=Mode.SHADOW, width=width)
        assert text(line).rstrip().endswith(("no orders can be sent", "no orders"))
        assert line_cells(line) <= width


def test_the_alert_line_states_the_worst_condition() -> None:
    assert "nothing needs attention" in text(condition(replace(GOOD, suspect=0)))
    lost = replace(GOOD, shell=replace(views.SHELL, dropped=2))
    assert "!C" in text(condition(lost))
    dead = replace(views.FEEDS[0], state=FeedState.STALE)
    venue = replace(GOOD, feeds=(*views.FEEDS[1:], dead))
    assert "polymarket" in text(condition(venue))
    assert "no market is watched" in text(condition(replace(GOOD, markets=0)))
    assert "waiting" in text(condition(None))


GOOD = replace(views.STATUS, feeds=views.FEEDS[:2], suspect=0, stale=0)


def test_the_footer_greys_what_is_not_possible_and_never_overflows() -> None:
    facts = Facts(page="overview", linked=True, role="rw")
    for width in range(10, 160):
        assert line_cells(footer_line(facts, width)) <= width
    roles = dict(footer_line(facts, 160))
    assert roles["Enter"] == "stale"
    able = replace(facts, market="0x1")
    assert dict(footer_line(able, 160))["Enter"] == "key"


def test_a_loss_is_told_with_what_is_known_and_what_can_be_done() -> None:
    loss = Loss(
        silence_s=9,
        why="ECONNRESET",
        frozen=True,
        hello=views.HELLO,
        status=views.STATUS,
        frozen_clock="14:02:11",
    )
    for width, height in ((200, 12), (120, 12), (80, 6), (40, 5)):
        lines = loss_lines(loss, width, height)
        assert len(lines) <= height
        assert {line_cells(line) for line in lines} == {width}
    said = "\n".join(text(line) for line in loss_lines(loss, 120, 12))
    for fact in ("pid 4121", "boot 5d2c81aa", "not known now", "ECONNRESET", "polytui status"):
        assert fact in said
    assert len(loss_lines(loss, 120, 3)) == 1
