"""When the sentinel fires: pure, told the time.

The engine's decision loop beats while it is healthy. Silence, a line that ends without a farewell,
an explicit word, or a kill latch that somebody closed make it fire. Fired by silence it watches on:
an engine that wakes beats again and finds its orders gone.
"""

from typing import Final

BEAT, UNWELL, KILL, FAREWELL = b".", b"-", b"K", b"Q"
"""All that the engine ever says: healthy, alive but not healthy, cancel now, all is in order."""

GRACE_NS: Final = 1_000_000_000
"""A closed latch is the engine's to act on; after this the sentinel looks for itself."""


class Watch:
    """What the sentinel knows of the engine."""

    __slots__ = (
        "_beat_ns",
        "_grace_ns",
        "_latched",
        "_silent_ns",
        "is_orphan",
        "is_silent",
        "left",
    )

    def __init__(self, *, silent_ns: int, now_ns: int) -> None:
        """Begin as if a beat had come just now."""
        self._silent_ns = silent_ns
        self._beat_ns = now_ns
        self.is_silent = False
        """Silence was found and answered; the next one begins with the next beat."""
        self._latched = False
        self._grace_ns: int | None = None
        self.is_orphan = False
        """The engine's end of the line is gone: nothing follows but the end."""
        self.left = False
        """The engine said farewell: nothing is to be done."""

    def hear(self, words: bytes, now_ns: int) -> str:
        """Take what came on the line, empty when it ended; return why to fire now, or nothing."""
        if not words:
            self.is_orphan = True
            return "" if self.left else "the engine's line ended"
        for number in words:
            word = bytes((number,))
            if word == FAREWELL:
                self.left = True
                return ""
            if word == KILL:
                return "the engine asked"
            if word == BEAT:
                self._beat_ns = now_ns
                self.is_silent = False
        return ""

    def see_latch(self, *, closed: bool, now_ns: int) -> None:
        """Take what the latch file says."""
        if closed and not self._latched:
            self._grace_ns = now_ns + GRACE_NS
        elif not closed:
            self._grace_ns = None
        self._latched = closed

    def due(self, now_ns: int) -> str:
        """Say why to fire now, or nothing; each reason is given once."""
        if self.left:
            return ""
        if self._grace_ns is not None and now_ns >= self._grace_ns:
            self._grace_ns = None
            return "the kill latch is closed"
        silent_ns = now_ns - self._beat_ns
        if not self.is_silent and silent_ns >= self._silent_ns:
            self.is_silent = True
            return f"no healthy beat for {silent_ns / 1e9:.1f} s"
        return ""

    def next_ns(self) -> int | None:
        """Say when `due` has to be asked next; None when only a word can change anything."""
        times = [] if self.is_silent else [self._beat_ns + self._silent_ns]
        if self._grace_ns is not None:
            times.append(self._grace_ns)
        return min(times, default=None)
