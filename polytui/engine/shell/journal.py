"""The journal: what is written down before commands leave.

It is not a second store: commands stand in the one log, behind the turn they came from. What
`commit` promises is order, not durability: a command is in the recorder's queue before it is
carried out, and reaches the operating system within `flush_ms`, like market data. A crash of this
process in between loses it together with everything after it, never alone; so the log never holds
an effect without its cause. That is enough in SHADOW, where a decision has no effect outside.

Before an order leaves, `sync` must have said True for it: then its intent survives a power cut.
"""

from collections.abc import Iterable

from polytui.engine.core.commands import Command
from polytui.engine.shell.capture import Capture


class Journal:
    """Writes commands into the log."""

    __slots__ = ("_capture",)

    def __init__(self, capture: Capture) -> None:
        """Write through the run's recorder."""
        self._capture = capture

    def commit(self, commands: Iterable[Command], *, wall_ns: int, mono_ns: int) -> bool:
        """Write commands, in order; False: the log is not whole, nothing with effects may leave."""
        for command in commands:
            self._capture.command(command, wall_ns=wall_ns, mono_ns=mono_ns)
        return self._capture.health().complete

    def sync(self, *, timeout_s: float) -> bool:
        """Wait until all commands would survive a power cut; False: assume that they do not."""
        return self._capture.sync(timeout_s=timeout_s) and self._capture.health().complete
