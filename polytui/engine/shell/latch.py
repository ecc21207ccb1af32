"""The kill latch: one flag in memory and one byte on disk that every process of ours can read.

The file is written whole when it is made and after that only overwritten in place, so that a full
disk cannot keep it open; a thread does the writing, so that a slow disk cannot hold up the loop.
Byte 0 decides: `0` is open, anything else, no byte, or a deleted file is closed. What follows the
byte is a note for people. The latch survives a restart; only a person's `clear` opens it.
"""

import os
import threading
from pathlib import Path
from queue import SimpleQueue
from typing import Final

from polytui.engine.core.errors import OperatorError

LATCH_FILE: Final = "kill.latch"
"""Its name in the runtime directory."""

LATCH_BYTES: Final = 512
"""One sector: the file never grows."""

OPEN: Final = b"0"
CLOSED: Final = b"1"

CLOSE_S: Final = 2.0
"""Longest wait for the writer at the end."""


_Job = tuple[bytes, threading.Event]
"""A record to write, and what tells that it is written."""


def is_closed(fd: int) -> bool:
    """Read the latch through an open descriptor: closed unless a linked file says `0`."""
    try:
        return os.pread(fd, 1, 0) != OPEN or os.fstat(fd).st_nlink == 0
    except OSError:
        return True


def open_for_reading(path: str) -> int:
    """Open an existing latch for `is_closed`.

    Raises:
        OSError: there is none, or it is a link.
    """
    return os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)


class KillLatch:
    """The engine's end of the latch."""

    def __init__(self, path: Path) -> None:
        """Make the file, or take up the one that is there, closed if it is.

        Raises:
            OperatorError: the file cannot be made or written, or is no plain file of ours.
        """
        self.path = path
        try:
            if not os.path.lexists(path):
                _make(path)
            self._fd = os.open(path, os.O_RDWR | os.O_NOFOLLOW | os.O_CLOEXEC)
            _fill(self._fd)
        except OSError as error:
            raise OperatorError(
                f"expected to keep the kill latch at {path}, but: {error.strerror}"
            ) from None
        self._killed = is_closed(self._fd)
        self.reason = self._note() if self._killed else ""
        """Why it is closed; empty while it is open."""
        self.writes_failed = 0
        self._jobs: SimpleQueue[_Job | None] = SimpleQueue()
        self._written = threading.Event()
        """Set once the disk has what was said last."""
        self._written.set()
        self._writer = threading.Thread(target=self._write, name="kill-latch", daemon=True)
        self._writer.start()

    @property
    def is_killed(self) -> bool:
        """Tell whether orders are forbidden, by this process's memory alone: never waits."""
        return self._killed

    def is_clear(self) -> bool:
        """Tell whether memory and disk both allow orders: another process may have closed it."""
        return not self._killed and not is_closed(self._fd)

    @property
    def is_opening(self) -> bool:
        """Tell whether memory is open and the disk still has to follow: closed, but by nobody."""
        return not self._killed and not self._written.is_set()

    def look(self) -> bool:
        """Take over what another process wrote (`polytui-kill`); return whether it is closed."""
        if not self._killed and self._written.is_set() and is_closed(self._fd):
            self._killed = True
            self.reason = self._note()
        return self._killed

    def trigger(self, reason: str) -> None:
        """Close it: in memory at once, on disk as soon as the writer gets there. Never raises."""
        first = not self._killed
        self._killed = True
        if first or not self.reason:
            self.reason = reason
        self._put(CLOSED, self.reason)

    def clear(self, reason: str) -> None:
        """Open it, because a person said why.

        Raises:
            OperatorError: no reason was given.
        """
        if not reason.strip():
            raise OperatorError("expected a reason for clearing the kill latch")
        self._killed = False
        self.reason = ""
        self._put(OPEN, f"cleared: {reason}")

    def wait(self, seconds: float) -> bool:
        """Wait until the disk has what was last said; return whether it does."""
        return self._written.wait(seconds) and not self.writes_failed

    def close(self) -> None:
        """Write what waits and let go of the file."""
        self._jobs.put(None)
        self._writer.join(CLOSE_S)
        if not self._writer.is_alive():
            os.close(self._fd)

    def _put(self, state: bytes, note: str) -> None:
        self._written = threading.Event()
        self._jobs.put((_record(state, note), self._written))

    def _write(self) -> None:
        """Overwrite in place, in the order of what was said, the deciding byte first."""
        while (job := self._jobs.get()) is not None:
            record, written = job
            try:
                os.pwrite(self._fd, record[:1], 0)
                os.pwrite(self._fd, record[1:], 1)
                os.fsync(self._fd)
                self.writes_failed = 0
            except OSError:
                self.writes_failed += 1
            written.set()

    def _note(self) -> str:
        """Read the note, for people."""
        try:
            text = os.pread(self._fd, LATCH_BYTES, 0)
        except OSError:
            return "the latch file cannot be read"
        if text[:1] != CLOSED:
            return "the latch file is damaged or gone, which counts as closed"
        return text[1:].decode("utf-8", "replace").strip() or "closed without a note"


def _make(path: Path) -> None:
    """Make the file whole before it has its name."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    fresh = path.with_name(f"{path.name}.{os.getpid()}")
    fd = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW, 0o600)
    try:
        os.write(fd, _record(OPEN, "open"))
        os.fsync(fd)
    finally:
        os.close(fd)
    fresh.rename(path)


def _fill(fd: int) -> None:
    """Give a short file its full length, so that later writes allocate nothing."""
    length = os.fstat(fd).st_size
    if length < LATCH_BYTES:
        os.pwrite(fd, b" " * (LATCH_BYTES - length), length)


def _record(state: bytes, note: str) -> bytes:
    """Write a record of exactly one sector, plain text."""
    plain = ascii(" ".join(note.split()))[1:-1].encode()[: LATCH_BYTES - 3]
    return state + b" " + plain.ljust(LATCH_BYTES - 3) + b"\n"
