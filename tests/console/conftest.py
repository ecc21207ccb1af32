"""Screens under test: no environment in reports, and text snapshots beside the pictures."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import pytest_textual_snapshot  # type: ignore[import-untyped]  # publishes no types

TEXTS = Path(__file__).parent / "__snapshots__" / "text"

_full_diff = pytest_textual_snapshot.SvgSnapshotDiff


def _diff_without_environment(**fields: Any) -> Any:
    return _full_diff(**{**fields, "environment": {}})


# The plugin writes all of os.environ, secrets included, into the HTML report of a failure.
pytest_textual_snapshot.SvgSnapshotDiff = _diff_without_environment

Compare = Callable[[str, str], None]

APP_TIMEOUT_S = 30
"""A test that draws whole screens gets this long: on a busy machine a style pass takes a second."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if item.path.parent == Path(__file__).parent and not item.get_closest_marker("timeout"):
            item.add_marker(pytest.mark.timeout(APP_TIMEOUT_S))


@pytest.fixture
def same_text(request: pytest.FixtureRequest) -> Compare:
    """Compare a screen's text with the one accepted; `--snapshot-update` accepts a new one."""

    def compare(name: str, text: str) -> None:
        path = TEXTS / f"{name}.txt"
        if request.config.getoption("--snapshot-update"):
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8")
        assert path.is_file(), f"{path.name} is missing: run pytest with --snapshot-update"
        assert text == path.read_text(encoding="utf-8")

    return compare
