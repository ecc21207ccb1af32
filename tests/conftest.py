"""What every test stands on: a clean environment, and the recordings where they exist."""

import os
from pathlib import Path

import pytest
from hypothesis import settings

ROOT = Path(__file__).resolve().parents[1]

# Before anything imports textual, which reads these once: snapshots must not depend on the shell
# that started the tests, nor settings on what its operator exported. The snapshot plugin hands its
# workers a directory in a variable of its own, which stays.
for _name in list(os.environ):
    if _name in {"NO_COLOR", "FORCE_COLOR", "COLORTERM"} or (
        _name.startswith(("TEXTUAL_", "POLYTUI_")) and _name != "TEXTUAL_SNAPSHOT_TEMPDIR"
    ):
        del os.environ[_name]

# A slow machine is no counterexample; the test's own timeout still holds.
settings.register_profile("polytui", deadline=None)
settings.load_profile("polytui")


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """Recorded market data beside the repository; it is too large to live in it."""
    data = ROOT.parent / "shared" / "data"
    if not data.is_dir():
        pytest.skip("recorded market data (../shared/data) is not on this machine")
    return data
