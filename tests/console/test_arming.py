"""The arming ritual: each step by the engine's word, each way out tells the engine."""

import pytest
from msgspec.structs import replace
from textual.pilot import Pilot

from polytui.engine.core.account_view import ArmView, RiskView
from tests.console import account_views, views
from tests.console.account_views import CHALLENGED, IDLE_ARM, RED
from tests.console.conftest import Compare
from tests.console.parts import NOW, S
from tests.console.stage import Stage, play, screen_text, settle

FORM = (*"500", "tab", *"4", "y")
STEPS = {
    "red": replace(IDLE_ARM, checks=RED, reason="PREFLIGHT_RED POSITIONS GATE"),
    "challenge": CHALLENGED,
    "countdown": replace(CHALLENGED, stage="countdown", countdown_ns=NOW + 4 * S),
}


def stage_of(*, practice: bool = False, role: str = "rw") -> Stage:
    hello = replace(views.HELLO, role=role)
    sections = account_views.arming(views.live(), IDLE_ARM, practice=practice)
    return Stage(sections, page="risk", hello=hello)


async def tell(stage: Stage, pilot: Pilot[str], arm: ArmView) -> None:
    """Let the engine say how far the arming is, and let the dialog hear."""
    risk = stage.link.sections["risk"]
    assert isinstance(risk, RiskView)
    stage.link.sections["risk"] = replace(risk, rev=risk.rev + 1, arm=arm)
    stage.link.show("risk")
    await settle(stage, pilot)
    stage.clock.pass_s(0.5)
    stage.link.beat()
    await settle(stage, pilot)


async def begin(stage: Stage, pilot: Pilot[str]) -> None:
    """Fill in the form."""
    await pilot.press("M")
    stage.clock.pass_s(0.5)
    stage.link.beat()
    await pilot.press(*FORM)
    await settle(stage, pilot)


def test_the_ritual_from_the_form_to_armed() -> None:
    stage = stage_of()

    async def script(pilot: Pilot[str]) -> None:
        await begin(stage, pilot)
        assert stage.link.asked == [("mode.preflight", ("500", "4"))]
        await tell(stage, pilot, STEPS["challenge"])
        text = screen_text(stage)
        for fact in ("real money", "ok ", "9f31c07e", "500 dollars", "type ARM LIVE 500"):
            assert fact in text
        await pilot.press(*"first session", "tab", *"ARM LIVE 50")
        assert len(stage.link.asked) == 1
        await pilot.press("enter", "0")
        assert stage.link.asked[1:] == [("mode.arm", ("9f31c07e", "ARM LIVE 500", "first session"))]
        await tell(stage, pilot, STEPS["countdown"])
        assert "armed in 4 s" in screen_text(stage)
        await tell(stage, pilot, replace(CHALLENGED, stage="armed", armed_until_ns=NOW + 9 * S))
        assert stage.app.main.dialog.gate is None
        assert "ARMED: real money" in screen_text(stage)
        assert stage.app.arming.step == ""

    play(stage, script)
    assert len(stage.link.asked) == 2


@pytest.mark.parametrize("step", STEPS)
def test_escape_aborts_every_step_that_the_engine_takes_part_in(step: str) -> None:
    stage = stage_of()

    async def script(pilot: Pilot[str]) -> None:
        await begin(stage, pilot)
        await tell(stage, pilot, STEPS[step])
        before = len(stage.link.asked)
        await pilot.press("escape")
        await settle(stage, pilot)
        told = [] if step == "red" else [("mode.abort", ())]
        assert stage.link.asked[before:] == told, "after a red preflight the engine is idle"
        assert stage.app.main.dialog.gate is None

    play(stage, script)


def test_leaving_the_form_tells_nobody() -> None:
    stage = stage_of()

    async def script(pilot: Pilot[str]) -> None:
        await pilot.press("M", "escape")
        await settle(stage, pilot)

    play(stage, script)
    assert stage.link.asked == []


@pytest.mark.parametrize("step", STEPS)
def test_the_kill_ends_the_ritual_at_every_step(step: str) -> None:
    stage = stage_of()

    async def script(pilot: Pilot[str]) -> None:
        await begin(stage, pilot)
        await tell(stage, pilot, STEPS[step])
        await pilot.press("ctrl+backslash")
        await settle(stage, pilot)
        assert stage.link.kills
        assert stage.app.arming.step == ""
        assert stage.app.main.dialog.gate is None

    play(stage, script)


def test_a_red_preflight_says_each_code_and_offers_nothing_to_type() -> None:
    stage = stage_of()

    async def script(pilot: Pilot[str]) -> None:
        await begin(stage, pilot)
        await tell(stage, pilot, STEPS["red"])
        text = screen_text(stage)
        assert "X  POSITIONS" in text
        assert "not armed: PREFLIGHT_RED POSITIONS, GATE" in text
        await pilot.press("y", *"ARM LIVE 500")
        assert stage.link.asked == [("mode.preflight", ("500", "4"))]

    play(stage, script)


def test_a_changed_hash_voids_what_was_typed() -> None:
    stage = stage_of()

    async def script(pilot: Pilot[str]) -> None:
        await begin(stage, pilot)
        await tell(stage, pilot, CHALLENGED)
        await pilot.press(*"first session", "tab", *"ARM LIVE 50")
        await tell(stage, pilot, replace(CHALLENGED, hash="0000ffff"))
        assert "the preflight changed" in screen_text(stage)
        await pilot.press("0")
        gate = stage.app.main.dialog.gate
        assert gate is not None
        assert gate.texts == {"reason": "0", "phrase": ""}
        assert len(stage.link.asked) == 1

    play(stage, script)


def test_the_same_challenge_told_again_keeps_what_was_typed() -> None:
    stage = stage_of()

    async def script(pilot: Pilot[str]) -> None:
        await begin(stage, pilot)
        await tell(stage, pilot, CHALLENGED)
        await pilot.press(*"first")
        await tell(stage, pilot, CHALLENGED)
        gate = stage.app.main.dialog.gate
        assert gate is not None
        assert gate.texts["reason"] == "first"

    play(stage, script)


def test_keys_of_the_first_400_ms_are_ignored() -> None:
    stage = stage_of()

    async def script(pilot: Pilot[str]) -> None:
        await pilot.press("M", *FORM)
        await settle(stage, pilot)
        gate = stage.app.main.dialog.gate
        assert gate is not None
        assert gate.texts == {"cap": "", "hours": ""}

    play(stage, script)
    assert stage.link.asked == []


def test_a_challenge_that_nobody_answers_expires_and_is_aborted() -> None:
    stage = stage_of()

    async def script(pilot: Pilot[str]) -> None:
        await begin(stage, pilot)
        await tell(stage, pilot, CHALLENGED)
        stage.clock.pass_s(15.1)
        stage.link.beat()
        await settle(stage, pilot)
        assert stage.link.asked[-1] == ("mode.abort", ())
        assert "mode.abort" in screen_text(stage)

    play(stage, script)


def test_a_refused_preflight_ends_the_ritual() -> None:
    stage = stage_of()

    async def script(pilot: Pilot[str]) -> None:
        await begin(stage, pilot)
        stage.link.answer(ok=False, code="refused", text="Caps are not set.")
        await settle(stage, pilot)
        assert "REFUSED refused. Caps are not set." in screen_text(stage)
        assert stage.app.arming.step == ""

    play(stage, script)


def test_an_engine_that_gives_up_says_why() -> None:
    stage = stage_of()

    async def script(pilot: Pilot[str]) -> None:
        await begin(stage, pilot)
        await tell(stage, pilot, STEPS["countdown"])
        await tell(stage, pilot, replace(IDLE_ARM, reason="recheck:FEEDS"))
        assert "not armed: recheck:FEEDS" in screen_text(stage)
        assert stage.app.main.dialog.gate is None

    play(stage, script)


def test_a_read_only_console_cannot_begin() -> None:
    stage = stage_of(role="ro")

    async def script(pilot: Pilot[str]) -> None:
        await pilot.press("M")
        await settle(stage, pilot)
        assert "read-only" in screen_text(stage)
        assert stage.app.main.dialog.gate is None

    play(stage, script)


@pytest.mark.parametrize("size", [(40, 10), (80, 24), (120, 40)], ids=lambda s: f"{s[0]}x{s[1]}")
@pytest.mark.parametrize("step", STEPS)
def test_the_ritual_leaves_mode_and_kill_visible(
    step: str, size: tuple[int, int], same_text: Compare
) -> None:
    stage = stage_of(practice=True)

    async def script(pilot: Pilot[str]) -> None:
        await begin(stage, pilot)
        await tell(stage, pilot, STEPS[step])

    text = play(stage, script, size=size)
    assert text.startswith(" LIVE DRY RUN ")
    assert "^\\ KILL" in text
    assert "practice" in text
    same_text(f"arm-{step}-{size[0]}x{size[1]}", text)
