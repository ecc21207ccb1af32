"""The kill (D18): from anywhere, asked of nobody, told in full, never claimed before it is so."""

from collections.abc import Awaitable, Callable

import pytest
from msgspec.structs import replace
from textual.pilot import Pilot

from polytui.actions import KILL_KEYS
from polytui.engine.core.view import StatusView
from polytui.screens.kill_key import REASON
from tests.console import account_views, views
from tests.console.stage import KEY_OF_PAGE, Stage, open_page, play, screen_text, settle

Lay = Callable[[Stage, Pilot[str]], Awaitable[None]]


def trading(page: str = "overview", *, role: str = "rw") -> Stage:
    hello = replace(views.HELLO, role=role)
    return Stage(account_views.trading(views.live()), page=page, hello=hello)


def status_of(stage: Stage) -> StatusView:
    section = stage.link.sections["status"]
    assert isinstance(section, StatusView)
    return section


def tell_killed(stage: Stage) -> None:
    """Let the engine say that it is killed."""
    status = status_of(stage)
    account = replace(status.account, killed=True)
    stage.link.sections["status"] = replace(status, rev=status.rev + 1, account=account)
    stage.link.show("status")


async def nothing(stage: Stage, pilot: Pilot[str]) -> None:
    """Leave the page as it is."""


def by_keys(*keys: str) -> Lay:
    """Lay something over the page by keys."""

    async def lay(stage: Stage, pilot: Pilot[str]) -> None:
        await pilot.press(*keys)
        stage.clock.pass_s(0.5)
        stage.link.beat()
        await settle(stage, pilot)

    return lay


async def typed_dialog(stage: Stage, pilot: Pilot[str]) -> None:
    """Stand in the middle of a phrase."""
    stage.app.action_act("risk.flatten")
    stage.clock.pass_s(0.5)
    stage.link.beat()
    await pilot.press(*"FLAT")
    await settle(stage, pilot)


OVER: dict[str, Lay] = {
    "page": nothing,
    "filter": by_keys("slash", *"fed"),
    "help": by_keys("question_mark"),
    "question": by_keys("q"),
    "phrase": typed_dialog,
    "palette": by_keys("ctrl+p", *"pos"),
    "frozen": by_keys("space"),
    "line": by_keys("colon", *"flatten all"),
}


@pytest.mark.parametrize("page", [*KEY_OF_PAGE, "kill", "venue_lab"])
def test_d18_the_chord_kills_from_every_page_whatever_lies_over_it(page: str) -> None:
    stage = trading(page)

    async def script(pilot: Pilot[str]) -> None:
        for number, lay in enumerate(OVER.values(), 1):
            stage.app.open_page(page)
            await settle(stage, pilot)
            await lay(stage, pilot)
            await pilot.press("ctrl+backslash")
            await settle(stage, pilot)
            assert stage.link.kills == [REASON] * number
            assert stage.app.page.page == "kill"
            assert len(stage.app.screen_stack) == 1
            assert stage.app.main.dialog.gate is None
            assert not stage.app.main.help_panel.has_class("-open")
            assert "KILL sent: waiting for the engine" in screen_text(stage)

    play(stage, script)
    assert "risk.kill" not in dict(stage.link.asked)
    assert set(stage.link.confirms) == {None}, "what lay over the page was carried out"


@pytest.mark.parametrize("key", sorted(KILL_KEYS))
@pytest.mark.parametrize("size", [(30, 5), (40, 10), (80, 24)])
def test_both_keys_kill_at_every_size(key: str, size: tuple[int, int]) -> None:
    stage = trading()

    async def script(pilot: Pilot[str]) -> None:
        await pilot.press(key)

    play(stage, script, size=size)
    assert stage.link.kills == [REASON]


def test_the_palette_kills_as_well() -> None:
    stage = trading()

    async def script(pilot: Pilot[str]) -> None:
        stage.app.runner("risk.kill")()
        await settle(stage, pilot)

    play(stage, script)
    assert stage.link.kills == [REASON]


def test_a_press_that_the_input_thread_took_is_not_sent_again() -> None:
    stage = trading()

    async def script(pilot: Pilot[str]) -> None:
        stage.app.kill_pressed()
        assert stage.link.kills == [REASON]
        await pilot.press("ctrl+backslash")
        assert stage.link.kills == [REASON]
        await pilot.press("ctrl+backslash")
        assert stage.link.kills == [REASON, REASON]

    play(stage, script)


@pytest.mark.parametrize("over", ["page", "question", "filter", "palette"])
def test_a_read_only_console_says_at_once_that_it_cannot(over: str) -> None:
    stage = trading(role="ro")

    async def script(pilot: Pilot[str]) -> None:
        await OVER[over](stage, pilot)
        await pilot.press("ctrl+backslash")
        assert stage.link.kills == []
        ((text, role),) = stage.app.main.alert_line.lines[0]
        assert "read-only, no KILL here: polytui-kill" in text
        assert role == "crit"
        await settle(stage, pilot)
        assert "no KILL" in screen_text(stage) or over == "palette"

    play(stage, script)


def test_a_read_only_console_of_five_rows_says_so_in_its_one_line() -> None:
    stage = trading(role="ro")

    async def script(pilot: Pilot[str]) -> None:
        await pilot.press("f12")
        await settle(stage, pilot)
        assert "read-only, no KILL here" in screen_text(stage).splitlines()[0]
        assert stage.app.main.status_bar.lines[0][1][1] == "crit"

    play(stage, script, size=(30, 5))


def test_a_kill_that_could_not_be_sent_says_so_and_how_else() -> None:
    stage = trading()
    stage.link.kill_trouble = "no engine takes it at /run/x: Connection refused"

    async def script(pilot: Pilot[str]) -> None:
        await pilot.press("f12")
        await settle(stage, pilot)
        text = screen_text(stage)
        assert "KILL NOT SENT: no engine takes it" in text
        assert "polytui-kill" in text

    play(stage, script, size=(200, 60))


@pytest.mark.parametrize(("ok", "said"), [(True, "KILL taken"), (False, "KILL REFUSED unknown")])
def test_the_engines_answer_to_a_kill_is_shown_in_red(ok: bool, said: str) -> None:  # noqa: FBT001  (given by the table above)
    stage = trading()

    async def script(pilot: Pilot[str]) -> None:
        await pilot.press("f12")
        stage.link.answer_kill(ok=ok, code="unknown", text="[b]So[/b] it is.")
        await settle(stage, pilot)
        assert said in screen_text(stage)
        assert "[b]So[/b] it is." in screen_text(stage)

    play(stage, script)


def test_nothing_claims_a_kill_before_the_engine_does() -> None:
    stage = trading()

    async def script(pilot: Pilot[str]) -> None:
        await pilot.press("f12")
        await settle(stage, pilot)
        assert "## KILLED ##" not in screen_text(stage)
        assert "Not killed. Mode PAPER." in screen_text(stage)
        tell_killed(stage)
        await settle(stage, pilot)
        assert screen_text(stage).startswith(" ## KILLED ## ")

    play(stage, script)


def test_a_kill_by_somebody_else_brings_up_the_receipt_once() -> None:
    stage = trading("book")

    async def script(pilot: Pilot[str]) -> None:
        await pilot.press("q")
        tell_killed(stage)
        await settle(stage, pilot)
        await settle(stage, pilot)
        assert stage.app.page.page == "kill"
        assert stage.app.main.dialog.gate is None
        await pilot.press("3")
        await settle(stage, pilot)
        assert stage.app.page.page == "orders", "an operator may look elsewhere"

    play(stage, script)


@pytest.mark.timeout(60)
@pytest.mark.parametrize("size", [(30, 5), (40, 10), (80, 24), (120, 40)])
def test_killed_is_said_on_every_page_at_every_size(size: tuple[int, int]) -> None:
    stage = Stage(account_views.killed(views.live()))
    seen: dict[tuple[str, str], str] = {}

    async def script(pilot: Pilot[str]) -> None:
        for page in (*KEY_OF_PAGE, "kill"):
            stage.app.open_page(page)
            for key in ("", "q", "escape", "question_mark", "escape"):
                await pilot.press(*filter(None, [key]))
                await settle(stage, pilot)
                seen[page, key] = screen_text(stage)
            looks = {part.panel.look for part in stage.app.page.parts()}
            assert looks == {"killed"}, "white on red"

    play(stage, script, size=size)
    assert stage.app.store.ui_errors == 0
    assert [at for at, text in seen.items() if not text.startswith(" ## KILLED ## ")] == []


def test_the_receipt_counts_what_the_venue_says_and_must_read_zero() -> None:
    text = play(Stage(account_views.killed(views.live()), page="kill"))
    assert "open at the venue   3    this line must read 0 before you trust it" in text
    assert "NOT VERIFIED" in text
    done = play(Stage(account_views.killed(views.live(), verified=True), page="kill"))
    assert "open at the venue   0    verified" in done
    assert "must read 0" not in done
    assert "VERIFIED empty" in done


def test_zero_open_orders_are_not_trusted_before_they_are_verified() -> None:
    sections = account_views.killed(views.live())
    kill = replace(account_views.KILLED, open_orders=0)
    sections["risk"] = replace(account_views.RISK_VIEW, kill=kill)
    assert "this line must read 0" in play(Stage(sections, page="kill"))
    sections["risk"] = replace(account_views.RISK_VIEW, kill=replace(kill, open_orders=-1))
    assert "not read yet" in play(Stage(sections, page="kill"))


def test_a_lost_engine_is_never_shown_as_killed_now() -> None:
    stage = Stage(account_views.killed(views.live()), page="kill", seconds_later=8.0)
    text = play(stage)
    assert text.startswith(" ?? NO ENGINE ")
    assert "ORDERS MAY BE LIVE" in text
    assert "frozen, 8s old" in text


def test_an_engine_without_the_topic_is_shown_as_one() -> None:
    stage = Stage(views.live())

    async def script(pilot: Pilot[str]) -> None:
        stage.page = "kill"
        await open_page(stage, pilot)
        assert "risk: no such market" in screen_text(stage)

    play(stage, script)
