"""Whether a feed can be reached, as the person who looks after the machine is told it.

A connection that cannot be had is tried again for as long as the engine runs. The log hears of each
reason once, in our own words: what the other side says is never quoted.
"""

from collections.abc import Callable
from typing import Final

FEED_UNREACHABLE: Final = "FEED_UNREACHABLE"

Tell = Callable[[str, str], None]
"""Takes a code and a sentence: the log of the run."""


class Reach:
    """The attempts at one feed."""

    __slots__ = ("_name", "_tell", "_told")

    def __init__(self, name: str, tell: Tell) -> None:
        """Nothing was told yet; `name` begins every sentence."""
        self._name = name
        self._tell = tell
        self._told: set[str] = set()

    def opened(self) -> None:
        """Note a connection: whatever fails after it is news again."""
        self._told.clear()

    def failed(self, why: str) -> None:
        """Tell that an attempt failed, unless the same was told since the last connection."""
        if why not in self._told:
            self._told.add(why)
            self._tell(FEED_UNREACHABLE, f"{self._name}: could not connect: {why}")
