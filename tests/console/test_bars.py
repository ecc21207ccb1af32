"""The bars: the mode first, and never as if it were known when it is not."""

from typing import Any

import pytest
from msgspec.structs import replace

from polytui.actions import Facts
from polytui.engine.core.enums import FeedState, Mode
from polytui.engine.core.view import StatusView
from polytui.engine.decide.alerts import Alerts
from polytui.widgets.alert_line import condition
from polytui.widgets.banner import Loss, loss_lines
from polytui.widgets.footer import footer_line
from polytui.widgets.lines import Line, line_cells
from polytui.widgets.status_bar import LinkFacts, status_line
from polytui.widgets.tabs import KILL_HINT, kill_places, tab_line
from tests.console import views
from tests.console.account_views import ACCOUNT
from tests.console.alert_views import latched, troubled

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
    places = kill_places(Mode.REPLAY, killed=False, read_only=False)
    assert "recording" in text(tab_line(PAGES, "book", places, 120))


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


@pytest.mark.parametrize("mode", [None, Mode.SHADOW, Mode.PAPER, Mode.LIVE_ARMED])
def test_the_place_of_the_kill_is_kept_at_every_width(mode: Mode | None) -> None:
    places = kill_places(mode, killed=False, read_only=False)
    for width in range(30, 200):
        line = tab_line(PAGES, "overview", places, width)
        assert text(line).rstrip().endswith("^\\ KILL")
        assert line_cells(line) == width


def test_the_place_of_the_kill_says_killed_and_read_only() -> None:
    for width in range(30, 200):
        killed = tab_line(PAGES, "book", kill_places(None, killed=True, read_only=False), width)
        assert "KILLED" in text(killed)
        blind = kill_places(Mode.PAPER, killed=False, read_only=True)
        assert "no KILL" in text(tab_line(PAGES, "book", blind, width))


def account(mode: Mode, **changes: Any) -> StatusView:
    return replace(views.STATUS, mode=mode, account=replace(ACCOUNT, **changes))


@pytest.mark.parametrize("width", [28, 40, 80, 120])
def test_the_token_names_mode_money_and_time_left(width: int) -> None:
    until = views.NOW + (3 * 60 + 41) * 60 * views.S
    hint = KILL_HINT if width < 40 else ""

    def token(status: StatusView) -> str:
        line = status_line(
            status, UP, now_ns=views.NOW, shown_clock="14:02:11", width=width, kill_hint=hint
        )
        assert line_cells(line) <= width
        return text(line)

    real = account(Mode.LIVE_ARMED, is_practice=False, armed_until_ns=until)
    assert token(real).startswith(" $LIVE ARMED 3h41 ")
    rehearsal = account(Mode.LIVE_ARMED, is_practice=True, armed_until_ns=until)
    assert "practice" in token(rehearsal)
    assert "3h41" in token(rehearsal)
    assert "$" not in token(rehearsal)
    assert token(account(Mode.LIVE_DRY_RUN)).startswith(" LIVE DRY RUN ")
    assert token(account(Mode.PAPER, killed=True)).startswith(" ## KILLED ## ")
    assert token(account(Mode.LIVE_ARMED, killed=True)).startswith(" ## KILLED ## ")


def test_the_bar_says_what_is_in_doubt_about_the_account() -> None:
    said = text(bar(account(Mode.PAPER, unknown=1, limbo=2), UP, 140))
    for fact in ("cap 213/500", "day +3.41", "ord 5", "?UNKNOWN 1", "limbo 2", "prov 3 41s!"):
        assert fact in said
    assert "cap" not in text(bar(views.STATUS, UP))


def test_a_kill_that_is_not_verified_says_so_first() -> None:
    open_ = text(bar(account(Mode.PAPER, killed=True), UP, 40))
    assert open_.startswith(" ## KILLED ##  NOT VERIFIED")
    done = text(bar(account(Mode.PAPER, killed=True, verified=True), UP, 40))
    assert "VERIFIED empty" in done


def test_the_alert_line_leads_with_the_most_urgent_and_counts_the_rest() -> None:
    said = text(condition(replace(GOOD, alerts=troubled().counts)))
    assert said.startswith(" !C  UNKNOWN_ORDER  1 may rest or fill")
    assert "(+4 more)" in said


def test_what_is_acknowledged_is_said_quietly_and_what_returned_as_such() -> None:
    alerts = latched(verified=True)
    alerts.ack("KILLED", actor="ana", at_ns=views.NOW)
    line = condition(replace(GOOD, alerts=alerts.counts))
    assert "KILLED" in text(line)
    assert "(latch)" in text(line)
    assert "crit" not in {role for _, role in line}
    gone = Alerts()
    gone.look({("LEG_OPEN", ""): "1 side naked"}, mode=Mode.PAPER, at_ns=1)
    gone.look({}, mode=Mode.PAPER, at_ns=2)
    assert "(returned)" in text(condition(replace(GOOD, alerts=gone.counts)))


def test_lost_events_come_before_all_that_is_not_critical() -> None:
    low = Alerts()
    low.told("BUNDLE_WAITS", "bundle box-1: waits", at_ns=views.NOW)
    lost = replace(GOOD, shell=replace(views.SHELL, dropped=2), alerts=low.counts)
    assert "events lost" in text(condition(lost))
    assert "KILLED" in text(condition(replace(lost, alerts=latched(verified=False).counts)))


def test_the_bar_counts_alerts_by_class() -> None:
    said = text(bar(replace(account(Mode.PAPER), alerts=troubled().counts), UP, 140))
    assert "C2 H2 L1 S1" in said


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
