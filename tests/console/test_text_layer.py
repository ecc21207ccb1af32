"""What is written on each page, in each state, at each size; the same in every theme."""

import pytest
from msgspec.structs import replace
from textual.pilot import Pilot

from polytui.engine.core.enums import Mode
from polytui.widgets.themes import read_looks
from tests.console.conftest import Compare
from tests.console.parts import STATUS
from tests.console.stage import (
    ACCOUNT_PAGES,
    ACCOUNT_STATES,
    KEY_OF_PAGE,
    STATES,
    Stage,
    play,
    screen_text,
    settle,
    stage_for,
)

SIZES = ((80, 24), (120, 40), (200, 60))
PICTURES = [
    *((page, state) for page in KEY_OF_PAGE if page not in ACCOUNT_PAGES for state in STATES),
    *(
        (page, state)
        for page in ACCOUNT_PAGES
        for state in (ACCOUNT_STATES if page != "alerts" else ("empty", "live", "killed"))
    ),
]
"""Every page in every state it can be in."""


@pytest.mark.parametrize("size", SIZES, ids=lambda size: f"{size[0]}x{size[1]}")
@pytest.mark.parametrize(("page", "state"), PICTURES)
def test_a_page_says_what_it_did(
    page: str, state: str, size: tuple[int, int], same_text: Compare
) -> None:
    stage = stage_for(page, state)
    text = play(stage, size=size)
    assert stage.app.store.ui_errors == 0
    same_text(f"{page}-{state}-{size[0]}x{size[1]}", text)


@pytest.mark.parametrize("page", [*KEY_OF_PAGE, "kill"])
def test_a_tiny_terminal_keeps_the_mode_and_one_panel(page: str, same_text: Compare) -> None:
    text = play(stage_for(page, "live"), size=(40, 10))
    assert text.startswith((" SHADOW ", " PAPER "))
    assert "KILL" in text
    same_text(f"{page}-live-40x10", text)


def test_one_line_is_enough_for_the_mode() -> None:
    assert play(stage_for("overview", "live"), size=(28, 4)).startswith(" SHADOW ")


def test_a_console_without_an_engine_says_what_it_waits_for(same_text: Compare) -> None:
    text = play(Stage(None, seconds_later=1.0))
    assert "?? NO ENGINE" in text
    assert "SHADOW" not in text
    same_text("overview-waiting-120x40", text)


@pytest.mark.parametrize("size", [(40, 10), (80, 24)], ids=["40x10", "80x24"])
@pytest.mark.parametrize(
    ("name", "key"), [("quit", "q"), ("help", "question_mark"), ("filter", "slash")]
)
def test_what_lies_over_a_page_leaves_the_mode_visible(
    name: str, key: str, size: tuple[int, int], same_text: Compare
) -> None:
    stage = stage_for("overview", "live")

    async def press(pilot: Pilot[str]) -> None:
        await pilot.press(key)

    text = play(stage, press, size=size)
    assert text.startswith(" SHADOW ")
    assert "KILL" in text
    same_text(f"{name}-{size[0]}x{size[1]}", text)


@pytest.mark.timeout(20)
@pytest.mark.parametrize("page", [*KEY_OF_PAGE, "kill"])
def test_every_theme_shows_the_same_text(page: str) -> None:
    stage = stage_for(page, "live")
    texts: dict[str, str] = {}

    async def wear_all(pilot: Pilot[str]) -> None:
        for theme in read_looks():
            stage.app.wear(theme)
            await settle(stage, pilot)
            texts[theme] = screen_text(stage)

    play(stage, wear_all)
    assert len(texts) >= 5
    assert len(set(texts.values())) == 1


def test_a_recording_looks_like_one_on_every_panel() -> None:
    sections = STATES["live"]()
    sections["status"] = replace(STATUS, mode=Mode.REPLAY, venue="2026-11-20")
    text = play(Stage(sections))
    assert text.startswith(" << REPLAY 2026-11-20 >>")
    assert "a recording, nothing is sent" in text
    assert "┆" in text
    assert "│ " not in text.splitlines()[30]


def test_ascii_draws_the_same_places_with_ascii_only() -> None:
    plain = play(Stage(STATES["live"](), ascii_only=True))
    boxes = play(stage_for("overview", "live"))
    assert plain.isascii()
    assert [len(line) for line in plain.splitlines()] == [len(x) for x in boxes.splitlines()]
