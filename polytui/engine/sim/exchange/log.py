"""The exchange's own record: every request and every emission, one JSON line each, in order.

Same seed and same calls give the same bytes. The digest covers every line ever written; the lines
themselves wait for `drain` and are bounded: past the limit the oldest are dropped and counted.
"""

from collections import deque
from hashlib import blake2b

import msgspec
from msgspec import Struct

LINES_MAX = 200_000
"""Undrained lines kept."""


class Asked(Struct, frozen=True, tag="asked", gc=False):
    """A call of the facade that may change something."""

    call: str
    args: tuple[object, ...]


class Refused(Struct, frozen=True, tag="refused", gc=False):
    """An order that was not accepted; nothing else tells of it."""

    order_id: str
    text: str


class Log:
    """Canonical bytes of what happened."""

    __slots__ = ("_digest", "_encoder", "_lines", "count", "dropped")

    def __init__(self) -> None:
        """Start empty."""
        self._encoder = msgspec.json.Encoder()
        self._digest = blake2b(digest_size=16)
        self._lines: deque[bytes] = deque(maxlen=LINES_MAX)
        self.count = 0
        self.dropped = 0

    def write(self, at_ns: int, what: Struct) -> None:
        """Append one line: number, time, event."""
        self.count += 1
        line = self._encoder.encode((self.count, at_ns, what)) + b"\n"
        self._digest.update(line)
        if len(self._lines) == LINES_MAX:
            self.dropped += 1
        self._lines.append(line)

    def drain(self) -> bytes:
        """Hand over the waiting lines."""
        lines = b"".join(self._lines)
        self._lines.clear()
        return lines

    def digest(self) -> str:
        """Return the digest of all lines so far."""
        return self._digest.hexdigest()
