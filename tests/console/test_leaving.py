"""Leaving the console and stopping the engine: asked, answered late or never, never by Enter."""

from textual.pilot import Pilot

from polytui.engine.core.messages import Confirm
from tests.console import views
from tests.console.stage import Stage, play, screen_text, settle


def live(*, owns_engine: bool = True) -> Stage:
    return Stage(views.live(), owns_engine=owns_engine)


async def leave(stage: Stage, pilot: Pilot[str], key: str) -> None:
    """Ask to leave, wait until the question is no longer deaf, and answer it."""
    await pilot.press("q")
    stage.clock.pass_s(1)
    stage.link.beat()
    await pilot.press(key)


def test_quit_asks_and_enter_stays() -> None:
    stage = live()

    async def script(pilot: Pilot[str]) -> None:
        await pilot.press("q")
        stage.clock.pass_s(1)
        await settle(stage, pilot)
        assert "[ Stay ]" in screen_text(stage)
        assert screen_text(stage).startswith(" SHADOW ")
        await pilot.press("enter")
        await settle(stage, pilot)
        assert "[ Stay ]" not in screen_text(stage)

    play(stage, script)
    assert stage.app.return_value is None
    assert stage.stopped == 0


def test_detaching_leaves_the_engine_alone() -> None:
    stage = live()

    async def script(pilot: Pilot[str]) -> None:
        await leave(stage, pilot, "d")

    play(stage, script)
    assert stage.app.return_value == "detached"
    assert stage.stopped == 0
    assert stage.link.asked == []
    assert stage.link.closed.is_set()


def test_stopping_waits_for_the_engine_and_then_leaves() -> None:
    stage = live()

    async def script(pilot: Pilot[str]) -> None:
        await leave(stage, pilot, "s")
        assert stage.link.asked == [("engine.stop", ())]
        assert stage.app.return_value is None
        stage.link.answer(text="Stopping.")

    play(stage, script)
    assert stage.app.return_value == "stopped"
    assert stage.stopped == 1


def test_a_stop_without_an_answer_leaves_after_five_seconds() -> None:
    stage = live()

    async def script(pilot: Pilot[str]) -> None:
        await leave(stage, pilot, "s")
        stage.clock.pass_s(5.1)
        stage.app.tick()

    play(stage, script)
    assert stage.app.return_value == "stopped"


def test_leaving_says_yes_once_and_the_engine_takes_it() -> None:
    stage = live()

    async def script(pilot: Pilot[str]) -> None:
        await leave(stage, pilot, "s")
        stage.link.challenge("y", "0 orders are cancelled first")
        assert stage.link.asked == [("engine.stop", ())] * 2
        assert stage.link.confirms[-1] == Confirm(challenge="c1", typed="y")
        stage.link.answer(text="The engine stops.")

    play(stage, script)
    assert stage.app.return_value == "stopped"


def test_an_armed_engine_wants_the_word_and_leaving_waits_for_it() -> None:
    stage = live()

    async def script(pilot: Pilot[str]) -> None:
        await leave(stage, pilot, "s")
        stage.link.challenge("SHUTDOWN", "28 orders are cancelled first")
        await settle(stage, pilot)
        stage.clock.pass_s(6)
        stage.link.beat()
        stage.app.tick()
        assert stage.app.return_value is None
        assert "28 orders are cancelled first" in screen_text(stage)
        await pilot.press(*"SHUTDOWN")
        assert stage.link.confirms[-1] == Confirm(challenge="c1", typed="SHUTDOWN")
        stage.link.answer(text="The engine stops.")

    play(stage, script)
    assert stage.app.return_value == "stopped"


def test_stopping_an_engine_of_others_is_asked_by_the_engine_and_stays() -> None:
    stage = live(owns_engine=False)

    async def script(pilot: Pilot[str]) -> None:
        stage.app.action_act("engine.stop")
        stage.link.challenge("y", "every console attached to it loses it")
        await settle(stage, pilot)
        await pilot.press("y")
        assert stage.link.asked == [("engine.stop", ())], "deaf for the first 400 ms"
        stage.clock.pass_s(1)
        stage.link.beat()
        await pilot.press("y")
        assert stage.link.confirms[-1] == Confirm(challenge="c1", typed="y")
        stage.link.answer()

    play(stage, script)
    assert stage.app.return_value is None
    assert stage.stopped == 0


def test_a_question_expires_by_itself() -> None:
    stage = live()

    async def script(pilot: Pilot[str]) -> None:
        await pilot.press("q")
        stage.clock.pass_s(16)
        stage.link.beat()
        await settle(stage, pilot)
        assert "expired; nothing was done" in screen_text(stage)

    play(stage, script)


def test_a_second_challenge_shows_its_own_impact_and_not_that_of_the_first() -> None:
    stage = live(owns_engine=False)

    async def asked(pilot: Pilot[str], impact: str) -> None:
        stage.app.action_act("engine.stop")
        stage.link.challenge("y", impact)
        await settle(stage, pilot)

    async def script(pilot: Pilot[str]) -> None:
        await asked(pilot, "28 orders are cancelled first")
        await pilot.press("escape")
        await settle(stage, pilot)
        await asked(pilot, "0 orders are cancelled first")
        shown = screen_text(stage)
        assert "0 orders are cancelled first" in shown
        assert "28 orders" not in shown

    play(stage, script)
