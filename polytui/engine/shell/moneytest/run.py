"""Runs the money test: an engine of its own, a practice venue of its own, in a temporary place."""

import socket
import tempfile
import threading
from collections.abc import Callable
from contextlib import closing, suppress
from pathlib import Path
from typing import Final

from msgspec.structs import replace

from polytui.engine.core.enums import Mode
from polytui.engine.core.errors import OperatorError
from polytui.engine.core.runconfig import Settings
from polytui.engine.shell import places
from polytui.engine.shell.moneytest.driver import Driver, Step
from polytui.engine.shell.moneytest.script import Script
from polytui.engine.shell.practice_child import SOCKET
from polytui.engine.shell.service import serve
from polytui.engine.shell.spawn import answering

EXIT_DONE, EXIT_FAILED = 0, 1
MARKETS: Final = 6
RATE: Final = 40.0
JOIN_S: Final = 5.0
IDLE_S: Final = 5
"""Alone for so long, the venue ends: nobody comes back for a test that was killed, and its sentinel
has cancelled by then."""


def money_test(settings: Settings, say: Callable[[Step], None]) -> int:
    """Do the whole order path once, with practice money; return 0 when every step succeeded.

    Raises:
        OperatorError: an engine runs in the configured directory, or the venue is a real one.
    """
    if settings.venue.kind != "practice":
        raise OperatorError(
            "expected venue.kind practice: on the real venue only a strategy that passed its gates "
            "may be armed, and a money test has none"
        )
    pid = answering(places.runtime_dir(settings.runtime_dir))
    if pid is not None:
        raise OperatorError(
            f"expected no engine, pid {pid} runs: stop it first (polytui ctl engine.stop), or give "
            "the test another runtime_dir"
        )
    script = Script()
    with tempfile.TemporaryDirectory(prefix="ptmoney") as scratch:
        directory = Path(scratch) / "run"
        driver = Driver(directory, script, say)
        thread = threading.Thread(target=driver.run, name="money-test", daemon=True)
        thread.start()
        try:
            code = serve(_apart(settings, Path(scratch)), _silent, strategies=script.roster)
        finally:
            thread.join(JOIN_S)
            _end_venue(directory)
    return EXIT_DONE if driver.ok and code == 0 else EXIT_FAILED


def _apart(settings: Settings, scratch: Path) -> Settings:
    """Keep the test's engine away from everything that is somebody's."""
    return replace(
        settings,
        run=replace(settings.run, mode=Mode.SHADOW),
        runtime_dir=str(scratch / "run"),
        store=replace(settings.store, directory=str(scratch / "store")),
        capture=replace(settings.capture, enabled=False),
        metrics=replace(settings.metrics, enabled=False),
        practice=replace(
            settings.practice, markets=MARKETS, rate=RATE, faults=False, idle_s=IDLE_S
        ),
    )


def _end_venue(directory: Path) -> None:
    """End the test's venue, should its engine have left it: nothing on it is anybody's."""
    with suppress(OSError), closing(socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)) as link:
        link.settimeout(1.0)
        link.connect(str(directory / SOCKET))
        link.sendall(b'{"do":"stop"}\n')
        link.recv(256)


def _silent(_: str) -> None:
    """Leave the engine's own talk out: the receipt says it all."""
