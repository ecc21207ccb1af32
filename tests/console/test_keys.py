"""Every action by key and by palette, and the rules of the questions."""

from pathlib import Path

import pytest
from msgspec.structs import replace
from textual.binding import Binding
from textual.command import CommandList
from textual.pilot import Pilot

from polytui.actions import (
    ACTIONS,
    BY_ID,
    KILL,
    KILL_KEYS,
    PAGES,
    VENUE_LAB,
    Action,
    Facts,
    footer_actions,
    has_key_here,
    pick,
    refusal,
)
from polytui.app import DEEDS
from polytui.engine.core.view import MarketsView
from polytui.screens.main import bindings
from polytui.screens.palette import entries
from tests.console import views
from tests.console.stage import KEY_OF_PAGE, Stage, play, screen_text, settle

LOCAL = [action for action in ACTIONS if action.directive is None]


def live(*, owns_engine: bool = True) -> Stage:
    return Stage(views.live(), owns_engine=owns_engine)


def markets(stage: Stage) -> MarketsView:
    view = stage.link.sections["markets"]
    assert isinstance(view, MarketsView)
    return view


@pytest.mark.parametrize("page", [*PAGES, VENUE_LAB, KILL])
def test_a_key_means_one_thing_on_a_page(page: str) -> None:
    keys = [key for a in ACTIONS for key in a.keys if has_key_here(a, page)]
    assert len(keys) == len(set(keys))


def test_ids_are_given_once() -> None:
    assert len(BY_ID) == len(ACTIONS)
    assert tuple(KEY_OF_PAGE) == PAGES


def test_a_key_of_another_page_says_where_it_works_and_asks_nothing() -> None:
    stage = live()

    async def script(pilot: Pilot[str]) -> None:
        await pilot.press("D")
        await settle(stage, pilot)
        assert "D works on page" in screen_text(stage)
        assert stage.link.asked == []

    play(stage, script)


def test_every_action_is_reachable_by_key_or_palette() -> None:
    made = (*bindings(), *bindings(priority=True))
    bound = {binding.action for binding in made if isinstance(binding, Binding)}
    everywhere = (*PAGES, VENUE_LAB, KILL)
    for action in ACTIONS:
        listed = {a.id for page in PAGES for a, _, _ in entries(Facts(page=page))}
        if action.id != "palette.open":
            assert action.id in listed
            assert all(f"app.key({key!r})" in bound for key in action.keys)
            assert action.keys == () or any(pick(action.keys[0], p) is action for p in everywhere)


def test_every_local_action_has_a_deed() -> None:
    of_one_page = {"book.token"}
    assert {a.id for a in LOCAL} == set(DEEDS) | of_one_page


def test_no_key_is_used_that_terminals_or_multiplexers_take() -> None:
    forbidden = {"ctrl+i", "ctrl+m", "ctrl+h", "ctrl+j", "ctrl+b", "ctrl+a", "ctrl+z", "ctrl+k"}
    used = {key for action in ACTIONS for key in action.keys if action.id != "risk.kill"}
    assert not used & (forbidden | KILL_KEYS | {"ctrl+c"})
    assert {"ctrl+backslash", "f12"} == KILL_KEYS


@pytest.mark.parametrize("action", [a for a in ACTIONS if a.directive], ids=lambda a: a.id)
def test_a_read_only_client_is_told_why_not(action: Action) -> None:
    facts = Facts(linked=True, role="ro", strategy="box", strategies=1)
    assert "read-only" in (refusal(action, facts) or "")


@pytest.mark.parametrize("action", [a for a in ACTIONS if a.directive], ids=lambda a: a.id)
def test_a_directive_needs_an_engine(action: Action) -> None:
    assert refusal(action, Facts(role="rw", strategy="box", strategies=1)) is not None


def test_the_footer_of_each_page_has_its_actions_in_order() -> None:
    for page in PAGES:
        ranks = [(not a.key_pages and not a.pages, a.footer) for a in footer_actions(page)]
        assert ranks == sorted(ranks), "a page's own come first"
        assert "session.quit" in {action.id for action in footer_actions(page)}


@pytest.mark.parametrize(("page", "key"), KEY_OF_PAGE.items())
def test_a_page_opens_by_its_key_and_watches_only_what_it_shows(page: str, key: str) -> None:
    stage = live()

    async def script(pilot: Pilot[str]) -> None:
        await pilot.press(key)
        await settle(stage, pilot)
        assert stage.app.page.page == page
        assert stage.link.watched[-1] == ("status", *stage.app.page.topics())

    play(stage, script)


def test_enter_opens_the_book_of_the_row_under_the_cursor() -> None:
    stage = live()

    async def script(pilot: Pilot[str]) -> None:
        await pilot.press("j", "j", "enter")
        await settle(stage, pilot)
        assert stage.app.page.page == "book"
        assert stage.app.page.market == views.market_id(2)
        assert f"book:{views.market_id(2)}" in stage.link.watched[-1]

    assert "US government" in play(stage, script)


def test_why_filters_the_decisions_to_the_market_and_escape_clears_it() -> None:
    stage = live()

    async def script(pilot: Pilot[str]) -> None:
        await pilot.press("j", "j", "j", "w")
        await settle(stage, pilot)
        table = stage.app.page.table
        assert table is not None
        assert {row.market for row in table.shown} == {views.market_id(3)}
        await pilot.press("escape")
        assert len(table.shown) > 10

    play(stage, script)


def test_the_cursor_stays_with_its_market_when_rows_change_places() -> None:
    stage = live()

    async def script(pilot: Pilot[str]) -> None:
        await pilot.press("j")
        table = stage.app.page.table
        assert table is not None
        view = markets(stage)
        stage.link.sections["markets"] = replace(view, rev=99, rows=view.rows[::-1])
        stage.link.show("markets")
        await settle(stage, pilot)
        assert table.cursor == views.market_id(1)
        assert table.shown[-2].key == views.market_id(1)

    play(stage, script)


def test_the_same_revision_paints_nothing() -> None:
    stage = live()

    async def script(pilot: Pilot[str]) -> None:
        table = stage.app.page.table
        assert table is not None
        before = table.painted
        for _ in range(5):
            stage.app.tick()
            await pilot.pause()
        assert table.painted == before

    play(stage, script)


def test_one_changed_market_paints_one_row() -> None:
    stage = live()

    async def script(pilot: Pilot[str]) -> None:
        table = stage.app.page.table
        assert table is not None
        before = table.painted
        view = markets(stage)
        rows = list(view.rows)
        rows[4] = replace(rows[4], ask_u6=570_000)
        stage.link.sections["markets"] = replace(view, rev=5, rows=tuple(rows))
        stage.link.show("markets")
        await settle(stage, pilot)
        assert table.painted == before + 1

    play(stage, script)


def test_a_filter_is_typed_without_setting_off_actions() -> None:
    stage = live()

    async def script(pilot: Pilot[str]) -> None:
        table = stage.app.page.table
        assert table is not None
        await pilot.press("slash", *"qp5 ", "backspace", "backspace", "backspace", "backspace")
        await pilot.press(*"fed", "enter")
        await settle(stage, pilot)
        assert stage.app.page.page == "overview"
        assert [row.market for row in table.shown] == [views.market_id(1)]
        assert stage.link.asked == []
        await pilot.press("slash", "escape")
        assert len(table.shown) == 12

    play(stage, script)


def test_space_holds_the_page_still_and_lets_it_go() -> None:
    stage = live()

    async def script(pilot: Pilot[str]) -> None:
        await pilot.press("space")
        stage.link.sections["markets"] = replace(stage.link.sections["markets"], rev=9, rows=())
        stage.link.show("markets")
        stage.clock.pass_s(1.5)
        stage.link.beat()
        await settle(stage, pilot)
        assert "FROZEN 1s" in screen_text(stage)
        assert "Will Bitcoin" in screen_text(stage)
        await pilot.press("space")
        await settle(stage, pilot)
        assert "No market is watched" in screen_text(stage)

    play(stage, script)


@pytest.mark.parametrize(
    ("key", "paused", "asked"),
    [
        ("p", (), ("strategy.pause", ("box",))),
        ("r", ("box",), ("strategy.resume", ("box",))),
        ("P", (), ("strategy.pause_all", ())),
    ],
)
def test_a_directive_goes_to_the_engine_and_its_answer_is_shown(
    key: str, paused: tuple[str, ...], asked: tuple[str, tuple[str, ...]]
) -> None:
    stage = live()
    stage.link.sections["status"] = replace(views.STATUS, paused=paused)

    async def script(pilot: Pilot[str]) -> None:
        await pilot.press(key)
        assert stage.link.asked == [asked]
        assert "waiting for the engine" in screen_text(stage)
        stage.link.answer(text="box is as you wish.")
        await settle(stage, pilot)
        assert "done. box is as you wish." in screen_text(stage)

    play(stage, script)


def test_an_impossible_action_says_why_and_asks_nothing() -> None:
    stage = live()

    async def script(pilot: Pilot[str]) -> None:
        await pilot.press("r")
        await settle(stage, pilot)
        assert "Resume: no, box is not paused" in screen_text(stage)
        assert stage.link.asked == []

    play(stage, script)


def test_a_read_only_console_asks_nothing() -> None:
    stage = Stage(views.live(), hello=replace(views.HELLO, role="ro"))

    async def script(pilot: Pilot[str]) -> None:
        await pilot.press("p", "P")
        await settle(stage, pilot)
        assert "read-only" in screen_text(stage)
        assert stage.link.asked == []

    play(stage, script)


def test_a_refused_answer_says_refused_with_its_code() -> None:
    stage = live()

    async def script(pilot: Pilot[str]) -> None:
        await pilot.press("p")
        stage.link.answer(ok=False, code="refused", text="There is no such strategy.")
        await settle(stage, pilot)
        assert "REFUSED refused. There is no such strategy." in screen_text(stage)

    play(stage, script)


def test_tab_walks_the_panels_and_small_screens_bring_them_into_view() -> None:
    stage = live()
    seen: list[str] = []

    async def script(pilot: Pilot[str]) -> None:
        for _ in range(4):
            await pilot.press("tab")
            await settle(stage, pilot)
            panel = stage.app.page.panel
            assert panel is not None
            assert panel.has_focus
            assert panel.size.width > 70
            seen.append(panel.id or "")
        await pilot.press("shift+tab")
        await settle(stage, pilot)

    play(stage, script, size=(80, 24))
    assert seen == ["strategies", "feeds", "incidents", "account"]


def test_the_help_lists_every_action_of_the_page_and_why_not() -> None:
    stage = live()

    async def script(pilot: Pilot[str]) -> None:
        await pilot.press("question_mark")
        await settle(stage, pilot)
        assert "Pause every strategy" in screen_text(stage)
        assert "no: box is not paused" in screen_text(stage)
        await pilot.press("p", "q")
        await settle(stage, pilot)
        assert stage.link.asked == []
        assert stage.app.page.panel is not None
        assert stage.app.page.panel.has_focus

    play(stage, script, size=(120, 150))


@pytest.mark.timeout(20)
def test_the_palette_does_what_the_key_does() -> None:
    stage = live()

    async def script(pilot: Pilot[str]) -> None:
        await pilot.press("ctrl+p")
        await pilot.pause()
        await pilot.press(*"page.modules")
        for _ in range(60):
            await pilot.pause(0.02)
            if stage.app.screen.query_one(CommandList).option_count == 1:
                break
        await pilot.press("enter")
        for _ in range(60):
            await pilot.pause(0.02)
            if stage.app.page.page == "modules":
                break
        await settle(stage, pilot)
        assert stage.app.page.page == "modules"

    play(stage, script)


def test_a_row_is_copied_to_the_clipboard_and_a_file(tmp_path: Path) -> None:
    stage = live()
    stage.app._yank_file = tmp_path / "deep" / "yank.txt"

    async def script(pilot: Pilot[str]) -> None:
        await pilot.press("y")

    play(stage, script)
    text = (tmp_path / "deep" / "yank.txt").read_text(encoding="utf-8")
    assert text.startswith("Will Bitcoin reach $150,000 by December 31, 2026?\t")
    assert views.market_id(0) in text
    assert stage.app.clipboard == text.rstrip("\n")


def test_times_themes_ascii_and_tokens_change_by_key() -> None:
    stage = live()

    async def script(pilot: Pilot[str]) -> None:
        await pilot.press("t")
        await settle(stage, pilot)
        assert "14:02:10" in screen_text(stage)
        await pilot.press("T")
        assert stage.app.theme == "poly-light"
        await pilot.press("A")
        await settle(stage, pilot)
        assert screen_text(stage).isascii()
        await pilot.press("2")
        await settle(stage, pilot)
        assert "b Yes" in screen_text(stage)
        await pilot.press("v")
        await settle(stage, pilot)
        assert "b No" in screen_text(stage)

    play(stage, script)


def test_a_restarted_engine_clears_all_and_says_so() -> None:
    stage = live()

    async def script(pilot: Pilot[str]) -> None:
        stage.link.deliver(replace(views.HELLO, boot="77aa0012"))
        await settle(stage, pilot)
        text = screen_text(stage)
        assert "5d2c81aa -> 77aa0012" in text
        assert "Will Bitcoin" not in text
        assert "waiting for first snapshot" in text

    play(stage, script)


def test_a_fault_in_a_panel_spoils_that_panel_only(monkeypatch: pytest.MonkeyPatch) -> None:
    stage = live()

    def broken(scene: object) -> None:
        raise ZeroDivisionError

    async def script(pilot: Pilot[str]) -> None:
        monkeypatch.setattr(stage.app.page, "_fill_feeds", broken)
        stage.app.page.refill()
        await settle(stage, pilot)
        text = screen_text(stage)
        assert "UI_ERROR ZeroDivisionError" in text
        assert "Will Bitcoin" in text
        assert stage.app.store.ui_errors == 1

    play(stage, script)
