"""The engine's end of the sentinel: starts it, beats, and hears what it did.

The beat is given by the decision loop itself, after a turn in which everything was healthy, never
by a timer: a loop that hangs cannot beat.
"""

import json
import os
import socket
import subprocess
import sys
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any, Final, Protocol, Self

from polytui.engine.core.account_events import SentinelSaid
from polytui.engine.core.errors import OperatorError
from polytui.engine.core.order_enums import Realm
from polytui.engine.shell.clock import SECOND_NS, read_mono_ns
from polytui.engine.shell.places import private
from polytui.engine.shell.sentinel.watch import BEAT, FAREWELL, KILL, UNWELL

RECEIPTS_FILE: Final = "sentinel.jsonl"
LOG_FILE: Final = "sentinel.log"
BEAT_NS: Final = SECOND_NS // 10
"""Beats in between are not sent."""
LINES_MAX: Final = 64 * 1024
WHY_MAX: Final = 120
ACTS: Final = ("fired", "swept", "verified", "not verified", "refused")
"""States of the sentinel that tell of an act; `watching` and `empty` are steps between."""

_MODULE: Final = "polytui.engine.shell.sentinel"
_PASSED: Final = ("SSL_CERT_FILE", "SSL_CERT_DIR")
"""All that its environment holds: where the operator keeps certificates, if anywhere special."""


class ApiKey(Protocol):
    """The venue's API key, which shows itself in the user stream's first message only."""

    address: str

    def stream_login(self, markets: tuple[str, ...] = ()) -> str:
        """Write the message: JSON with `auth`."""


def read_word(row: dict[str, Any]) -> SentinelSaid | None:
    """Read one receipt of the sentinel as an event; None for one that tells of no act."""
    state = str(row.get("state", ""))
    if state not in ACTS:
        return None
    numbers = {name: _whole(row.get(name)) for name in ("attempts", "canceled", "took_ms")}
    left = row.get("left")
    return SentinelSaid(
        realm=Realm.LIVE,
        state=state,
        why=str(row.get("why", ""))[:WHY_MAX],
        left=-1 if left is None else _whole(left),
        **numbers,
    )


def _whole(value: object) -> int:
    return value if isinstance(value, int) and not isinstance(value, bool) else 0


class SentinelClient:
    """A running sentinel."""

    def __init__(
        self,
        process: subprocess.Popen[bytes],
        line: socket.socket,
        on_word: Callable[[dict[str, Any]], None],
    ) -> None:
        """Use `start`."""
        self._process = process
        self._line = line
        self._on_word = on_word
        self._heard = bytearray()
        self._beat_ns = 0
        self.lost = 0
        """Words it did not take."""
        self.answered_ns = 0
        """When it last said anything, monotonic; 0: never."""
        self.state = ""
        """Its last state but `watching`: `fired`, `swept`, `empty`, `verified`, `refused` …"""

    @classmethod
    def start(
        cls,
        *,
        clob: str,
        key: ApiKey,
        latch: Path,
        directory: Path,
        silent_ms: int,
        on_word: Callable[[dict[str, Any]], None],
    ) -> Self:
        """Start one; it watches as soon as it is up, and counts silence from then on.

        `on_word` is called from `hear` with each of its receipts.

        Raises:
            OperatorError: it could not be started.
        """
        ours, theirs = socket.socketpair()
        handed, hand = os.pipe()
        asked = {
            "clob": clob,
            "address": key.address,
            "latch": str(latch),
            "receipts": str(directory / RECEIPTS_FILE),
            "silent_ms": silent_ms,
        }
        try:
            with theirs, open(directory / LOG_FILE, "ab", opener=private) as log:
                process = subprocess.Popen(  # noqa: S603  our own program, our own arguments
                    [sys.executable, "-I", "-m", _MODULE, str(theirs.fileno()), str(handed)],
                    env={name: os.environ[name] for name in _PASSED if name in os.environ},
                    pass_fds=(theirs.fileno(), handed),
                    stdin=subprocess.DEVNULL,
                    stdout=subprocess.DEVNULL,
                    stderr=log,
                    start_new_session=True,
                )
            auth = json.loads(key.stream_login())["auth"]
            os.write(hand, json.dumps(asked | {"auth": auth}).encode())
        except OSError as error:
            ours.close()
            raise OperatorError(f"expected to start the sentinel, but: {error.strerror}") from None
        finally:
            os.close(handed)
            os.close(hand)
        ours.setblocking(False)
        return cls(process, ours, on_word)

    @property
    def pid(self) -> int:
        """Return its process id."""
        return self._process.pid

    def fileno(self) -> int:
        """Return the descriptor to wait on before `hear`."""
        return self._line.fileno()

    @property
    def is_alive(self) -> bool:
        """Tell whether its process runs."""
        return self._process.poll() is None

    def beat(self, *, healthy: bool) -> None:
        """Say that the decision loop took a turn; cheap enough for every turn, never waits."""
        now_ns = read_mono_ns()
        if now_ns - self._beat_ns >= BEAT_NS:
            self._beat_ns = now_ns
            self._send(BEAT if healthy else UNWELL)

    def kill(self) -> None:
        """Have everything cancelled now, without waiting for silence."""
        self._send(KILL)

    def hear(self) -> None:
        """Take what it said, without waiting; `answered_ns` moves."""
        with suppress(OSError):  # nothing more now, or it is gone: `is_alive` tells
            while piece := self._line.recv(4096):
                self._heard += piece
                self.answered_ns = read_mono_ns()
        while b"\n" in self._heard:
            line, _, self._heard = self._heard.partition(b"\n")
            self._take(bytes(line))
        if len(self._heard) > LINES_MAX:
            self._heard.clear()

    def farewell(self) -> None:
        """Let it go: the engine has seen for itself that nothing is left."""
        self._send(FAREWELL)
        self._line.close()

    def abandon(self) -> None:
        """Hang up without a farewell: it cancels everything, verifies, and ends by itself."""
        self._line.close()

    def wait(self, seconds: float) -> int | None:
        """Wait for its end; None when it is still there."""
        try:
            return self._process.wait(seconds)
        except subprocess.TimeoutExpired:
            return None

    def _take(self, line: bytes) -> None:
        try:
            row = json.loads(line)
        except ValueError:
            return
        if not isinstance(row, dict):
            return
        state = str(row.get("state", ""))
        if state != "watching":
            self.state = state
        if state != "watching" or "at_ns" in row:
            self._on_word(row)

    def _send(self, word: bytes) -> None:
        try:
            self._line.send(word)
        except OSError:
            self.lost += 1
