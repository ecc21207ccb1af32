"""The other routes to a lost engine: shown while it is lost, each by what was just seen of it."""

from typing import Any

import pytest
from msgspec.structs import replace
from textual.pilot import Pilot

from polytui.engine.core.enums import Mode
from polytui.routes import (
    LOG,
    METRICS,
    OTHER_SOCKET,
    PROCESS,
    Finding,
    LogFinding,
    MetricsFinding,
    ProcessFinding,
    Target,
)
from polytui.screens.orders import NO_ORDER, SHADOW_MAKES_NONE
from polytui.screens.route_rows import banner_words, route_lines
from polytui.screens.route_words import RoutesView, is_gone, target_of, word_of
from polytui.widgets.lines import Line, line_cells
from polytui.widgets.themes import read_looks
from tests.console import account_views, views
from tests.console.conftest import Compare
from tests.console.route_views import SOCKET, alive, gone, nothing
from tests.console.stage import Stage, play, screen_text, settle

S = views.S
NOW = 1_014 * S
WHY = "No engine answers at /run/polytui/admin.sock: Connection refused."
TARGET = target_of("/run/polytui/admin.sock", views.HELLO, views.STATUS)


def view(found: dict[str, Finding], **changes: Any) -> RoutesView:
    base = RoutesView(
        target=TARGET,
        found=found,
        since_ns=NOW - 9 * S,
        now_ns=NOW,
        lost_s=14,
        why=WHY,
        role="rw",
    )
    return replace(base, **changes)


def text(lines: list[Line]) -> str:
    return "\n".join("".join(part for part, _ in line).rstrip() for line in lines)


def panel(found: dict[str, Finding], width: int = 100, **changes: Any) -> str:
    return text(route_lines(view(found, **changes), width))


def only(name: str, finding: Finding, **changes: Any) -> tuple[str, str, str]:
    return word_of(view({name: finding}, **changes), name)


# --- rows ----------------------------------------------------------------------------------------


def test_an_engine_that_lives_without_its_socket_has_every_other_route() -> None:
    said = panel(alive(NOW))
    for row in (
        f"admin.sock   LOST 14s    {WHY}",
        "view.sock    present     for you alone",
        "/metrics     ok 2ms      127.0.0.1:9108, loop lag 1.9ms, orders open 28, up 9h",
        "pid 4121     alive       cpu 11%, rss 214 MB",
        "event log    growing     +4.1 kB in the last 2.0s",
        "  polytui-kill --runtime-dir /run/polytui",
        "  polytui ctl --socket /run/polytui/admin.sock kill",
        "  kill -TERM 4121 (cancels, then ends)",
    ):
        assert row in said.splitlines()


def test_an_engine_that_is_gone_is_sent_no_signal() -> None:
    said = panel(gone(NOW))
    for fact in (
        "view.sock    dead        nobody listens",
        "/metrics     FAILS       127.0.0.1:9108: connection refused",
        "pid 4121     GONE",
        "event log    NOT GROWING nothing in 2.0s; written 14s ago",
        "no signal",
    ):
        assert fact in said
    assert "kill -TERM" not in said
    assert is_gone(view(gone(NOW)))


def test_a_number_that_another_program_took_is_never_offered_for_a_signal() -> None:
    taken = ProcessFinding(at_ns=NOW, exists=True, is_other=True, name="postgres\x1b[2J")
    state, role, detail = only(PROCESS, taken)
    assert (state, role) == ("OTHER", "crit")
    assert "postgres" in detail
    said = panel({PROCESS: taken})
    assert "kill -TERM" not in said
    assert "\x1b" not in said
    old = replace(taken, at_ns=NOW - 7 * S)
    assert "look first" in panel({PROCESS: old})


def test_a_stopped_engine_is_not_called_alive() -> None:
    stopped = ProcessFinding(at_ns=NOW, exists=True, stopped=True, cpu=0.0)
    assert only(PROCESS, stopped)[:2] == ("STOPPED", "crit")
    assert "acts after kill -CONT 4121" in panel({PROCESS: stopped})


def test_metrics_of_somebody_else_are_not_taken_for_the_engine() -> None:
    stranger = MetricsFinding(at_ns=NOW, status=200, took_ns=1)
    assert only(METRICS, stranger)[0] == "OTHER"
    other = replace(stranger, run="r2", live_orders=0)
    state, role, detail = only(METRICS, other)
    assert (state, role) == ("OTHER", "warn")
    assert "run r2" in detail
    assert "orders" not in detail


def test_a_read_only_console_says_what_it_does_not_open() -> None:
    target = replace(TARGET, path="/run/polytui/view.sock")
    said = panel(alive(NOW), role="ro", target=target)
    assert "view.sock    LOST 14s" in said
    assert "admin.sock   present     not opened: you are RO; for you alone" in said
    assert "kill from a shell with rights:" in said
    assert "--socket /run/polytui/admin.sock kill" in said
    foreign = replace(SOCKET, at_ns=NOW, mine=False, is_private=False)
    assert only(OTHER_SOCKET, foreign) == ("present", "warn", "OPEN TO OTHERS than its owner")
    assert "uid 1000" in only(OTHER_SOCKET, replace(SOCKET, at_ns=NOW, mine=False))[2]
    assert only(OTHER_SOCKET, replace(SOCKET, at_ns=NOW, present=False))[0] == "absent"


def test_what_was_seen_too_long_ago_is_no_green_light() -> None:
    for name, finding in alive(NOW - 6 * S).items():
        assert only(name, finding)[0] != "? OLD"
        state, role, detail = only(name, finding, now_ns=NOW + 1)
        assert (state, role) == ("? OLD", "stale")
        assert "6.0s ago" in detail
    assert not is_gone(view(gone(NOW - 7 * S)))


def test_a_probe_without_an_answer_is_said_to_hang_and_nothing_is_guessed() -> None:
    fresh = view({}, since_ns=NOW - S)
    assert word_of(fresh, LOG) == ("looking", "dim", "")
    assert word_of(view({}), LOG)[0] == "NO ANSWER"
    blind = view({}, target=Target(path="/run/polytui/admin.sock"))
    for name in (METRICS, PROCESS, LOG):
        assert word_of(blind, name)[0] == "unknown"
    assert "pid ?" in text(route_lines(blind, 80))
    assert "kill -TERM" not in text(route_lines(blind, 80))
    off = replace(TARGET, metrics_at="", metrics_why="switched off")
    assert word_of(view({}, target=off), METRICS) == ("unknown", "dim", "switched off")


def test_a_log_is_first_seen_then_judged() -> None:
    seen = LogFinding(at_ns=NOW, file="r1-000001.polycap", size=9, written_ns=3 * S)
    assert only(LOG, seen)[:2] == ("seen", "")
    missing = LogFinding(at_ns=NOW, why="no such file or directory")
    assert only(LOG, missing) == ("not found", "warn", "no such file or directory")


def test_what_the_engine_never_said_is_not_known() -> None:
    assert target_of("/a/admin.sock", None, None) == Target(path="/a/admin.sock")
    assert target_of("/a/admin.sock", views.HELLO, None).pid == 4121
    assert target_of("/a/admin.sock", replace(views.HELLO, pid=2**40), None).pid == 0
    other = replace(views.HELLO, pid=9)
    assert target_of("/a/admin.sock", other, views.STATUS).started_ticks == 0


@pytest.mark.parametrize("width", [16, 36, 56, 76, 120])
def test_every_fact_is_there_at_every_width_and_no_hostile_text_acts(width: int) -> None:
    evil = "[/b]\x1b[7m\u202e" + "x" * 90
    target = replace(TARGET, path=f"/run/{'d' * 60}/admin.sock", metrics_at=evil, run=evil)
    found = {**alive(NOW), METRICS: MetricsFinding(at_ns=NOW, status=200, run=f"{evil}2")}
    lines = route_lines(view(found, target=target, why=evil), width)
    said = text(lines)
    assert all(char.isprintable() or char == "\n" for char in said)
    assert "\u202e" not in said
    for word in ("LOST 14s", "present", "OTHER", "alive", "growing", "polytui-kill", "-TERM"):
        assert word in said
    if width >= 36:
        assert max(map(line_cells, lines)) <= width


def test_the_banner_tells_what_was_found_in_a_line_each() -> None:
    assert banner_words(view(alive(NOW)), PROCESS) == "alive: cpu 11%, rss 214 MB"
    assert banner_words(view(gone(NOW)), METRICS).startswith("FAILS: 127.0.0.1:9108")
    assert banner_words(view({}), METRICS) == ""


# --- the page ------------------------------------------------------------------------------------


def test_the_routes_come_with_the_loss_and_go_when_the_link_is_back() -> None:
    stage = Stage(views.live(), page="modules").finding(alive)

    async def lose_and_find(pilot: Pilot[str]) -> None:
        assert "Routes to the engine" not in screen_text(stage)
        assert stage.routes.followed == [None]
        stage.clock.pass_s(4.0)
        await settle(stage, pilot)
        assert stage.routes.followed == [None]
        stage.clock.pass_s(1.5)
        await settle(stage, pilot)
        lost = screen_text(stage)
        assert "Routes to the engine" in lost
        assert "pid 4121     alive" in lost
        assert "/metrics   ok 2ms: 127.0.0.1:9108, loop lag 1.9ms" in lost
        assert stage.routes.target == TARGET
        stage.routes.made = gone
        await settle(stage, pilot)
        assert "pid 4121     GONE" in screen_text(stage)
        assert "kill -TERM" not in screen_text(stage)
        stage.link.beat()
        await settle(stage, pilot)
        assert stage.app.page.panel is stage.app.page.parts()[0].panel

    back = play(stage, lose_and_find)
    assert "Routes to the engine" not in back
    assert "DISCONNECTED" not in back
    assert stage.routes.target is None
    assert stage.app.store.ui_errors == 0


def test_the_panel_is_live_on_a_page_that_is_held_still() -> None:
    stage = Stage(views.live(), page="modules").finding(alive)

    async def freeze_then_lose(pilot: Pilot[str]) -> None:
        await pilot.press("space")
        stage.clock.pass_s(8.0)
        await settle(stage, pilot)
        stage.routes.made = gone

    assert "pid 4121     GONE" in play(stage, freeze_then_lose)


@pytest.mark.parametrize("size", [(40, 10), (60, 20), (80, 24)])
def test_a_small_screen_turns_to_the_routes_and_tab_leads_on(size: tuple[int, int]) -> None:
    stage = Stage(views.live(), page="modules").finding(alive)

    async def lose(pilot: Pilot[str]) -> None:
        stage.clock.pass_s(8.0)
        await settle(stage, pilot)
        lost = screen_text(stage)
        assert "e Routes to the engine" in lost
        assert "admin.sock   LOST 8s" in lost
        assert "/metrics     ok 2ms" in lost
        await pilot.press("G")
        await settle(stage, pilot)
        end = "kill -TERM" if size[0] >= 60 else "+4.1 kB in the last 2.0s"
        assert end in screen_text(stage)
        await pilot.press("tab")
        await settle(stage, pilot)
        assert "a Modules" in screen_text(stage)
        await pilot.press("shift+tab")

    assert "e Routes to the engine" in play(stage, lose, size=size)


@pytest.mark.parametrize("theme", read_looks())
def test_the_routes_read_the_same_in_every_theme(theme: str) -> None:
    def lost(name: str) -> str:
        stage = Stage(views.live(), page="modules", theme=name, seconds_later=8.0)
        return play(stage.finding(gone), size=(120, 40))

    assert lost(theme) == lost("poly-dark")


def test_a_console_that_nobody_ever_answered_says_what_it_does_not_know(
    same_text: Compare,
) -> None:
    stage = Stage(None, page="modules", seconds_later=8.0).finding(nothing)
    same_text("modules-waiting-80x24", play(stage, size=(80, 24)))


def test_a_tiny_terminal_shows_every_route_in_a_line(same_text: Compare) -> None:
    stage = Stage(views.live(), page="modules", seconds_later=8.0).finding(gone)
    same_text("modules-disconnected-40x16", play(stage, size=(40, 16)))


# --- the sentence of an empty table --------------------------------------------------------------


@pytest.mark.parametrize("mode", [Mode.SHADOW, Mode.PAPER, Mode.LIVE_ARMED])
def test_only_shadow_is_said_to_make_no_orders(mode: Mode) -> None:
    sections = account_views.bare(views.empty())
    sections["status"] = replace(sections["status"], mode=mode)
    shown = play(Stage(sections, page="orders"), size=(200, 60))
    assert NO_ORDER in shown
    assert (SHADOW_MAKES_NONE in shown) is (mode is Mode.SHADOW)
