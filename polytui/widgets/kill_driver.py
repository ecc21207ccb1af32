"""The kill's key, caught on the thread that reads the keyboard.

Textual hands keys to its event loop, and a loop that hangs hands them to nobody. This driver looks
at each key before that, and tells the app of the kill's keys at once: what the app does then must
need no loop. The key follows its usual way afterwards, for display.
"""

from typing import Protocol, cast

from textual import events
from textual.drivers.linux_driver import LinuxDriver
from textual.message import Message

from polytui.actions import KILL_KEYS


class Killable(Protocol):
    """An app that takes the kill on any thread."""

    def kill_pressed(self) -> None:
        """Ask for the kill now; called from the input thread."""


class KillDriver(LinuxDriver):
    """Looks for the kill before the event loop does."""

    def process_message(self, message: Message) -> None:
        """Pass a message on; a key of the kill is told of first."""
        if isinstance(message, events.Key) and message.key in KILL_KEYS:
            cast("Killable", self._app).kill_pressed()
        super().process_message(message)
