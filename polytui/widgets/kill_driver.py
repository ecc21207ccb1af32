"""The driver of a real terminal: the kill's key on the input thread, and an end when it is gone.

Textual hands keys to its event loop, and a loop that hangs hands them to nobody. This driver looks
at each key before that, and tells the app of the kill's keys at once: what the app does then must
need no loop. The key follows its usual way afterwards, for display.

A terminal may vanish without a hang-up signal: a console in a session of its own, a dropped login.
Reading it then returns at once and for ever, and nobody takes what is drawn. A thread waits for
just that and ends the console: in order, or after `LEAVE_S` in any case. The engine loses a client.
"""

import os
import select
import sys
from threading import Event, Thread
from typing import Final, Protocol, cast

from textual import events
from textual.drivers.linux_driver import LinuxDriver
from textual.message import Message

from polytui.actions import KILL_KEYS

LOOK_MS: Final = 500
"""The thread that waits looks this often whether it is still wanted."""
LEAVE_S: Final = 2.0
"""Longest orderly end: a loop that is stuck in drawing never comes to it."""


class Operated(Protocol):
    """An app that hears from the driver's threads."""

    def kill_pressed(self) -> None:
        """Ask for the kill now; called from the input thread."""

    def terminal_lost(self) -> None:
        """Leave; called from a thread."""


class KillDriver(LinuxDriver):
    """Looks for the kill before the event loop does, and ends a console without a terminal."""

    is_lost = False
    """Whether the terminal is gone: what is drawn from then on is dropped."""
    _closed: Event | None = None

    @property
    def _operated(self) -> Operated:
        return cast("Operated", self._app)

    def process_message(self, message: Message) -> None:
        """Pass a message on; a key of the kill is told of first."""
        if isinstance(message, events.Key) and message.key in KILL_KEYS:
            self._operated.kill_pressed()
        super().process_message(message)

    def start_application_mode(self) -> None:
        """Draw, read, and watch the terminal."""
        super().start_application_mode()  # type: ignore[no-untyped-call]  # textual has no type
        if self._closed is None:
            self._closed = Event()
            Thread(target=self._watch, name="terminal watch", daemon=True).start()

    def write(self, data: str) -> None:
        """Draw, as long as somebody can see it."""
        if not self.is_lost:
            super().write(data)

    def close(self) -> None:
        """Stop watching, and let go of the terminal."""
        if self._closed is not None:
            self._closed.set()
        if self.is_lost:
            _drop_output()
        else:
            super().close()

    def _watch(self) -> None:
        """Wait for the end of the terminal, then of the console."""
        closed = self._closed
        assert closed is not None, "expected to be started by start_application_mode"
        poll = select.poll()
        for file in (self.fileno, sys.__stderr__.fileno() if sys.__stderr__ else self.fileno):
            poll.register(file, 0)
        while not (found := poll.poll(LOOK_MS)):
            if closed.is_set():
                return
        if any(mask & select.POLLNVAL for _, mask in found) or closed.is_set():
            return
        self.is_lost = True
        self.exit_event.set()
        self._operated.terminal_lost()
        if not closed.wait(LEAVE_S):
            os._exit(0)


def _drop_output() -> None:
    """Send what is still to be written nowhere: Python would end with 120 when it cannot flush."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    for stream in (sys.__stdout__, sys.__stderr__):
        if stream is not None:
            os.dup2(nowhere, stream.fileno())
    os.close(nowhere)
