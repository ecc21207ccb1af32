"""The token without which no order can leave: a live port cannot be built without one.

Only the arming code calls `arm`, after the ritual of the `Modes` machine is complete (a test scans
who imports it). The token expires by itself and can be withdrawn; a port asks it at every send, so
that a port which outlives its arming sends nothing (design decision D16).
"""

from typing import Final, NoReturn

from polytui.engine.core.enums import Mode
from polytui.engine.core.errors import EngineBug, OperatorError

HOURS_MAX_NS: Final = 24 * 3_600 * 1_000_000_000

_SEAL: Final = object()


class Armed:
    """Proof that a person has armed this engine, until a time."""

    __slots__ = ("_is_withdrawn", "until_ns")

    def __init__(self, *, seal: object, until_ns: int) -> None:
        """Use `arm`."""
        if seal is not _SEAL:
            raise EngineBug("expected the arming code to make this, nobody else may")
        self.until_ns = until_ns
        self._is_withdrawn = False

    def is_good(self, now_ns: int) -> bool:
        """Tell whether orders may leave now."""
        return not self._is_withdrawn and now_ns < self.until_ns

    def withdraw(self) -> None:
        """End it for good: disarmed, killed, shut down."""
        self._is_withdrawn = True

    def __reduce__(self) -> NoReturn:
        raise TypeError("an arming is not copied")


def arm(*, mode: Mode, now_ns: int, until_ns: int) -> Armed:
    """Make the token: for the arming code only, once its ritual is complete.

    Raises:
        OperatorError: the mode is another, or the end is past or more than a day ahead.
    """
    if mode is not Mode.LIVE_ARMED:
        raise OperatorError(f"expected mode live_armed for a live port, was {mode.value}")
    if not now_ns < until_ns <= now_ns + HOURS_MAX_NS:
        raise OperatorError("expected an arming that ends within a day")
    return Armed(seal=_SEAL, until_ns=until_ns)
