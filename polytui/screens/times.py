"""Engine times as text, in the base that the operator chose."""

from enum import Enum

from msgspec import Struct

from polytui import format as fmt


class TimeBase(Enum):
    """How moments are written."""

    AGE = "age"
    UTC = "utc"
    LOCAL = "local"


class Times(Struct, frozen=True, kw_only=True):
    """Turns engine times into text."""

    now_ns: int
    wall_ahead_ns: int | None
    """Wall clock minus engine time; None before the first status."""
    base: TimeBase = TimeBase.AGE

    def text(self, at_ns: int | None) -> str:
        """Write a moment in the chosen base."""
        if at_ns is None:
            return fmt.ABSENT
        if self.base is TimeBase.AGE or self.wall_ahead_ns is None:
            return fmt.age(self.now_ns - at_ns)
        return fmt.clock(at_ns + self.wall_ahead_ns, local=self.base is TimeBase.LOCAL)

    def ago(self, at_ns: int | None) -> str:
        """Write an age whatever the base."""
        return fmt.ABSENT if at_ns is None else fmt.age(self.now_ns - at_ns)
