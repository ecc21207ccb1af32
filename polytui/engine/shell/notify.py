"""Tells systemd how the engine is: ready, alive, stopping (sd_notify(3)), with one socket.

Without systemd nothing happens. Nothing here waits and nothing raises: a manager that does not
read must not hold up trading, it will restart us instead. The watchdog is fed from the decision
loop only, after a turn: a loop that hangs goes unfed, and its process is ended and started again.
"""

import os
import socket
from collections.abc import MutableMapping
from contextlib import suppress
from typing import Final

from polytui.engine.core.text import sanitise
from polytui.engine.shell.clock import read_mono_ns

SOCKET: Final = "NOTIFY_SOCKET"
WATCHDOG: Final = "WATCHDOG_USEC"
WATCHDOG_PID: Final = "WATCHDOG_PID"
STATUS_MAX: Final = 200
BEATS_PER_DEADLINE: Final = 4
"""The watchdog is fed this often in the time after which it bites."""


class Notifier:
    """The line to the service manager; one per process."""

    def __init__(self, environment: MutableMapping[str, str] | None = None) -> None:
        """Take the manager's address out of the environment, so that no child inherits it."""
        variables = os.environ if environment is None else environment
        address = variables.pop(SOCKET, "")
        deadline_us = variables.pop(WATCHDOG, "")
        pid = variables.pop(WATCHDOG_PID, "")
        self.lost = 0
        """Messages that the manager did not take."""
        self._every_ns = 0
        self._due_ns = 0
        self._line: socket.socket | None = None
        if pid in ("", str(os.getpid())) and deadline_us.isascii() and deadline_us.isdecimal():
            self._every_ns = int(deadline_us) * 1_000 // BEATS_PER_DEADLINE
        if address[:1] in ("/", "@") and len(address) > 1:
            self._open(address)

    def _open(self, address: str) -> None:
        """Connect; a manager that is not there is as good as none."""
        line = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        line.setblocking(False)
        try:
            line.connect("\0" + address[1:] if address[0] == "@" else address)
        except OSError:
            self.lost += 1
            line.close()
        else:
            self._line = line

    @property
    def is_watched(self) -> bool:
        """Tell whether somebody waits for beats."""
        return self._line is not None and self._every_ns > 0

    def ready(self, status: str = "") -> None:
        """Say that the service is up: its sockets answer."""
        self._say("READY=1", status)

    def status(self, text: str) -> None:
        """Say one line for `systemctl status`."""
        self._say("", text)

    def beat(self) -> None:
        """Say that the decision loop took a turn; cheap enough for every turn."""
        if not self.is_watched:
            return
        now_ns = read_mono_ns()
        if now_ns >= self._due_ns:
            self._due_ns = now_ns + self._every_ns
            self._say("WATCHDOG=1")

    def stopping(self, status: str = "") -> None:
        """Say that the end has begun; the manager's stop timeout counts from here."""
        self._say("STOPPING=1", status)

    def close(self) -> None:
        """Hang up."""
        if self._line is not None:
            self._line.close()
            self._line = None

    def _say(self, word: str, status: str = "") -> None:
        if self._line is None:
            return
        text = f"STATUS={sanitise(status, limit=STATUS_MAX)}" if status else ""
        message = "\n".join(part for part in (word, text) if part)
        self.lost += 1
        with suppress(OSError):  # full, or gone: it is counted
            self._line.send(message.encode())
            self.lost -= 1
