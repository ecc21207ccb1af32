"""Going from page to page."""

import pytest
from textual.pilot import Pilot

from tests.console import views
from tests.console.stage import KEY_OF_PAGE, Stage, play, settle


@pytest.mark.parametrize(
    ("typed", "page"),
    [("2121", "overview"), ("2112", "book"), ("2592", "book"), ("259", "modules")],
)
def test_keys_typed_faster_than_pages_are_built_end_on_the_last_page(typed: str, page: str) -> None:
    stage = Stage(views.live())
    names = {key: name for name, key in KEY_OF_PAGE.items()}

    async def script(pilot: Pilot[str]) -> None:
        for key in typed:
            stage.app.open_page(names[key])
        await settle(stage, pilot)
        assert stage.app.page.page == page
        await settle(stage, pilot)
        assert stage.app.page.page == page
        assert stage.app.store.ui_errors == 0

    play(stage, script)
