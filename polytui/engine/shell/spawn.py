"""Starts an engine as a child of the console, in a session of its own, and knows when it is there.

The child outlives its console unless it is told to stop: a closed terminal reaches neither its
session nor, through it, the engine. What the child says goes to a log file, from which the reason
of a failed start is read.
"""

import subprocess
import sys
from pathlib import Path

from polytui.engine.core.errors import OperatorError
from polytui.engine.shell.clock import SECOND_NS, nap, read_mono_ns
from polytui.engine.shell.dial import Dialled, Unreachable
from polytui.engine.shell.places import ADMIN_SOCKET, LOG_FILE, prepare, private

START_NS = 15 * SECOND_NS
"""Longest wait for an engine to answer."""
LOOK_NS = SECOND_NS // 50
STOP_S = 15
"""Longest wait for an engine to end; its recorder may take ten of them."""
REASON_LINES_MAX = 20


class EngineChild:
    """An engine that this process started."""

    def __init__(self, directory: Path, arguments: list[str]) -> None:
        """Start it; it need not answer yet.

        Raises:
            OperatorError: the runtime directory cannot be used.
        """
        prepare(directory)
        self._directory = directory
        self._log = directory / LOG_FILE
        command = [sys.executable, "-m", "polytui", "serve", *arguments]
        with open(self._log, "wb", opener=private) as log:
            self._process = subprocess.Popen(  # noqa: S603  our own program, our own arguments
                command,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )

    @property
    def pid(self) -> int:
        """Return its process id."""
        return self._process.pid

    def wait_until_up(self) -> bool:
        """Wait until an engine answers; return whether it is this one.

        Raises:
            OperatorError: it ended, or did not answer in time; the message is its own reason.
        """
        deadline_ns = read_mono_ns() + START_NS
        while read_mono_ns() < deadline_ns:
            ended = self._process.poll() is not None
            pid = answering(self._directory)
            if pid is not None and (ended or pid == self.pid):
                return pid == self.pid
            if ended:
                raise OperatorError(f"the engine did not start: {self.reason()}")
            nap(LOOK_NS)
        raise OperatorError(
            f"the engine did not answer within {START_NS // SECOND_NS} s: {self.reason()}"
        )

    def reason(self) -> str:
        """Return what it said last, without its own name in front."""
        lines = self._log.read_text(encoding="utf-8", errors="replace").strip().splitlines()
        text = "\n".join(lines[-REASON_LINES_MAX:]).removeprefix("polytui: ")
        return text or f"it said nothing (code {self._process.poll()})"

    def has_failed(self) -> bool:
        """Tell whether it ended with a code that is not zero."""
        return bool(self._process.poll())

    def ask_to_stop(self) -> None:
        """Ask it to end, if it has not."""
        if self._process.poll() is None:
            self._process.terminate()

    def stop(self) -> bool:
        """End it, by force if it must be; return whether it ended by itself."""
        self.ask_to_stop()
        try:
            self._process.wait(STOP_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
            return False
        return True


def answering(directory: Path) -> int | None:
    """Return the process id of the engine that answers here, None when none does."""
    try:
        with Dialled(directory / ADMIN_SOCKET) as engine:
            return engine.hello.pid
    except Unreachable:
        return None
