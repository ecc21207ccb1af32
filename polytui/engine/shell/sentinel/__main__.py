"""The sentinel process: `python -I -m polytui.engine.shell.sentinel <line> <credentials>`.

Started by `client.SentinelClient` only; both arguments are descriptors it inherits. It outlives the
engine on purpose: signals that end services do not end it, the engine's farewell does, or a venue
that confirmed that nothing is left.
"""

import json
import os
import select
import signal
import socket
import sys
from contextlib import suppress
from typing import Any, Final

from polytui.engine.shell.clock import SECOND_NS, nap, read_mono_ns, read_wall_ns
from polytui.engine.shell.latch import is_closed, open_for_reading
from polytui.engine.shell.sentinel.desk import TIMEOUT_S, Desk
from polytui.engine.shell.sentinel.watch import Watch
from polytui.engine.shell.signer import hygiene

STEP_NS: Final = SECOND_NS // 20
"""How often the latch is looked at."""
STATUS_NS: Final = SECOND_NS
WARM_NS: Final = 15 * SECOND_NS
"""The venue's line is used this often, so that it is there when it counts."""
STRAGGLER_NS: Final = SECOND_NS // 2
"""An order that was on its way when all was cancelled has arrived after this, or twice the
slowest answer."""
PAUSES_NS: Final = tuple(SECOND_NS * tenths // 10 for tenths in (1, 2, 5, 10, 20))
"""Between repeats; the last is kept."""
ORPHAN_NS: Final = 600 * SECOND_NS
"""Longest effort after the engine is gone: every resting order has expired by then (K5)."""
TEXT_MAX: Final = 64 * 1024


class Sentinel:
    """One engine's sentinel."""

    def __init__(self, line: socket.socket, asked: dict[str, Any]) -> None:
        """Take the line and what was handed over.

        Raises:
            ValueError: the venue's address is not usable.
            OSError: there is no latch to read, or no place for receipts.
        """
        self._line = line
        self._line.setblocking(False)
        self._desk = Desk(asked["clob"], asked["auth"] | {"address": asked["address"]})
        self._latch = open_for_reading(asked["latch"])
        flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_NOFOLLOW | os.O_CLOEXEC
        self._receipts = os.open(asked["receipts"], flags, 0o600)
        silent_ns = int(asked["silent_ms"]) * 1_000_000
        self._watch = Watch(silent_ns=silent_ns, now_ns=read_mono_ns())
        self._status_ns = 0

    def run(self) -> None:
        """Watch until nothing is left to do."""
        self._desk.read_clock()
        self._say("watching", offset_s=self._desk.offset_s)
        while not self._watch.left:
            why = self._listen()
            now_ns = read_mono_ns()
            self._watch.see_latch(closed=is_closed(self._latch), now_ns=now_ns)
            why = why or self._watch.due(now_ns)
            if why:
                self._fire(why)
            if self._watch.is_orphan:
                return
            if now_ns - self._status_ns >= STATUS_NS:
                self._status_ns = now_ns
                self._tell({"state": "watching"})
                self._keep_warm(now_ns)

    def _keep_warm(self, now_ns: int) -> None:
        """Use the venue's line, unless its slowest answer could make us late for a silence."""
        due_ns = self._watch.next_ns()
        if due_ns is None or due_ns - now_ns > 2 * TIMEOUT_S * SECOND_NS:
            self._desk.keep_warm(WARM_NS)

    def _listen(self) -> str:
        """Wait for words, at most until something may be due; say why to fire, or nothing."""
        now_ns = read_mono_ns()
        due_ns = self._watch.next_ns()
        wait_ns = STEP_NS if due_ns is None else max(0, min(STEP_NS, due_ns - now_ns))
        ready, _, _ = select.select([self._line], [], [], wait_ns / SECOND_NS)
        if not ready:
            return ""
        try:
            words = self._line.recv(4096)
        except BlockingIOError:
            return ""
        except OSError:
            words = b""
        return self._watch.hear(words, read_mono_ns())

    # --- the act ---------------------------------------------------------------------------------

    def _fire(self, why: str) -> None:
        """Cancel everything until the venue confirms that nothing is left, twice."""
        start_ns = read_mono_ns()
        self._say("fired", why=why)
        was_silent = self._watch.is_silent
        attempts, is_verified = 0, False
        while not is_verified and read_mono_ns() - start_ns < ORPHAN_NS:
            if attempts:
                nap(PAUSES_NS[min(attempts, len(PAUSES_NS)) - 1])
            attempts += 1
            left = self._sweep(attempts, start_ns)
            if left == 0:
                self._say("empty", took_ms=_ms_since(start_ns), attempts=attempts)
                nap(max(STRAGGLER_NS, 2 * self._desk.slowest_ns))
                is_verified = self._desk.open_orders() == 0
            if self._is_relieved(was_silent=was_silent):
                break
        state = "verified" if is_verified else "not verified"
        self._say(state, why=why, took_ms=_ms_since(start_ns), attempts=attempts)

    def _sweep(self, attempt: int, start_ns: int) -> int | None:
        """Cancel and count what is left; None when nobody said."""
        answer = self._desk.cancel_all()
        body = answer.body if isinstance(answer.body, dict) else {}
        left = self._desk.open_orders()
        self._say(
            "swept",
            attempt=attempt,
            http=answer.http,
            fault=answer.why,
            canceled=len(body.get("canceled") or ()),
            refused=len(body.get("not_canceled") or ()),
            left=left,
            took_ms=_ms_since(start_ns),
        )
        return left

    def _is_relieved(self, *, was_silent: bool) -> bool:
        """Tell whether the engine took over: it said farewell, or beats again after a silence."""
        with suppress(OSError):
            if not self._watch.is_orphan:
                self._watch.hear(self._line.recv(4096), read_mono_ns())
        return self._watch.left or (was_silent and not self._watch.is_silent)

    # --- what it says ----------------------------------------------------------------------------

    def _say(self, state: str, **facts: object) -> None:
        """Write a receipt and tell the engine; neither may keep it from its work."""
        row = {"at_ns": read_wall_ns(), "pid": os.getpid(), "state": state} | facts
        with suppress(OSError):  # a full disk must not stop a cancel
            os.write(self._receipts, json.dumps(row).encode() + b"\n")
        self._tell(row)

    def _tell(self, row: dict[str, object]) -> None:
        with suppress(OSError):  # an engine that does not read, or is gone
            self._line.send(json.dumps(row).encode() + b"\n")


def _ms_since(start_ns: int) -> int:
    return (read_mono_ns() - start_ns) // 1_000_000


def main() -> int:
    """Serve one engine; return the exit code."""
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGPIPE):
        signal.signal(number, signal.SIG_IGN)
    hygiene.keep_quiet()
    line = socket.socket(fileno=int(sys.argv[1]))
    with os.fdopen(int(sys.argv[2]), "rb") as handed:
        asked = json.loads(handed.read(TEXT_MAX))
    try:
        sentinel = Sentinel(line, asked)
    except (OSError, ValueError, KeyError) as error:
        line.send(json.dumps({"state": "refused", "why": str(error)[:200]}).encode() + b"\n")
        return 2
    sentinel.run()
    return 0


if __name__ == "__main__":
    sys.exit(main())
