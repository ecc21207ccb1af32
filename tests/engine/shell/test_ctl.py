"""What one command from a shell prints."""

from msgspec.structs import replace

from polytui.engine.core.enums import Mode
from polytui.engine.shell.ctl import status_line
from tests.console.parts import STATUS


def test_the_line_about_an_engine_begins_with_its_kill_and_says_whether_it_is_verified() -> None:
    killed = replace(STATUS.account, killed=True, verified=False)
    armed = replace(STATUS, mode=Mode.LIVE_ARMED, account=killed)
    assert status_line(armed).startswith("KILLED (not verified) LIVE_ARMED ")
    verified = replace(armed, account=replace(killed, verified=True))
    assert status_line(verified).startswith("KILLED (verified) LIVE_ARMED ")
    assert status_line(STATUS).startswith("SHADOW ")
