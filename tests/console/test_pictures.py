"""How the pages look, as pictures in the default theme."""

from collections.abc import Callable
from typing import Any

import pytest
from textual.pilot import Pilot

from tests.console.stage import Stage, open_page, settle, stage_for
from tests.console.test_text_layer import PICTURES

Compare = Callable[..., bool]


def run_before(stage: Stage) -> Callable[[Pilot[Any]], Any]:
    """Make the script that brings the console to its page."""

    async def run(pilot: Pilot[Any]) -> None:
        await open_page(stage, pilot)

    return run


@pytest.mark.parametrize(("page", "state"), PICTURES)
def test_a_page_looks_as_it_did(page: str, state: str, snap_compare: Compare) -> None:
    stage = stage_for(page, state)
    assert snap_compare(stage.app, terminal_size=(120, 40), run_before=run_before(stage))


@pytest.mark.parametrize("size", [(80, 24), (200, 60)], ids=lambda size: f"{size[0]}x{size[1]}")
def test_the_overview_looks_as_it_did(size: tuple[int, int], snap_compare: Compare) -> None:
    stage = stage_for("overview", "live")
    assert snap_compare(stage.app, terminal_size=size, run_before=run_before(stage))


@pytest.mark.parametrize("key", ["q", "question_mark"])
def test_what_lies_over_a_page_looks_as_it_did(key: str, snap_compare: Compare) -> None:
    stage = stage_for("overview", "live")

    async def run(pilot: Pilot[Any]) -> None:
        await open_page(stage, pilot)
        await pilot.press(key)
        await settle(stage, pilot)

    assert snap_compare(stage.app, terminal_size=(120, 40), run_before=run)


@pytest.mark.parametrize("theme", ["poly-light", "poly-cb", "poly-mono", "poly-ansi"])
def test_a_theme_looks_as_it_did(theme: str, snap_compare: Compare) -> None:
    stage = stage_for("book", "live", theme)
    assert snap_compare(stage.app, terminal_size=(120, 40), run_before=run_before(stage))
