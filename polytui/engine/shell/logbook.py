"""The engine's log: JSON lines in a private file that rotates, written by a thread of its own.

The loop's side appends to a queue: it never waits and never raises (fault C13).
A full queue, a flood and a disk that refuses are counted, and the count is the first line that gets
through again; nothing goes to standard error, where a screen may be drawn. What is written holds
ASCII only, every other character as a JSON escape, so that no line acts on the terminal it is shown
on (fault D4); secrets are taken out by the name of their field, by their look, and by comparison
with what the process knows to be secret (fault D5).
"""

import json
import logging
import os
import re
import threading
from collections import deque
from collections.abc import Mapping
from datetime import UTC, datetime
from enum import Enum
from math import isfinite
from pathlib import Path
from types import TracebackType
from typing import Final

from msgspec import Struct

from polytui.engine.shell.clock import SECOND_NS, read_mono_ns, read_wall_ns

Value = str | int | float | bool | None
"""What a field may hold."""

TEXT_MAX: Final = 1_000
"""Characters kept of one text."""
SCANNED_MAX: Final = 16_000
"""Characters looked through for secrets; the word that is cut there is left out whole."""
FIELDS_MAX: Final = 32
SECRET_CHARS_MIN: Final = 6
"""Shorter texts are no secrets worth hiding, and would blacken half the log."""
SECRETS_MAX: Final = 64
CLOSE_S: Final = 2.0
"""Longest wait for the writer at the end."""
WAIT_S: Final = 0.1
"""The writer looks this often: waking it for each line would cost the caller ten times as much. A
kill -9 loses what was said since."""
HIDDEN: Final = "[hidden]"

_SECRET_NAME: Final = re.compile(
    r"secret|pass(word|phrase)|private|mnemonic|credential|signature|authorization|cookie|api_?key",
    re.IGNORECASE,
)
_SECRET_PAIR: Final = re.compile(
    r"(?i)(POLY_(?:SIGNATURE|PASSPHRASE|API_KEY)|secret|passphrase|signature|authorization)"
    r"(\"?\s*[:=]\s*\"?)[^\s\",}&]+"
)
_LONG_HEX: Final = re.compile(r"(?i)\b(0x)?([0-9a-f]{8})[0-9a-f]{52,}([0-9a-f]{4})\b")
"""A key looks like the id of an order or a market: the middle is left out of both."""
_LONG_BASE64: Final = re.compile(r"[A-Za-z0-9_+/-]{43}=")
"""How the venue writes the secret of an API key."""


class Level(Enum):
    """How much a line matters."""

    DEBUG = "debug"
    INFO = "info"
    WARNING = "warning"
    ERROR = "error"


_Entry = tuple[int, Level, str, dict[str, Value]]
"""Wall clock, and what was said: made into a line by the writer, to keep the caller quick."""


class LogHealth(Struct, frozen=True, kw_only=True):
    """What became of the lines."""

    written: int
    waiting: int
    dropped: int
    """The queue was full, the disk refused, or there were too many a second."""
    bytes: int
    """In the file that is written now."""
    why: str
    """Why the disk refused last; empty: it does not."""


class LogLimits(Struct, frozen=True, kw_only=True):
    """The numbers of a logbook."""

    file_bytes: int = 8_000_000
    """A file is put aside at this size."""
    files: int = 8
    """Kept, the one in use included."""
    queue_max: int = 4_096
    per_second: int = 200
    burst: int = 2_000


class Logbook:
    """One log, one writer."""

    def __init__(self, path: Path, *, run: str, limits: LogLimits | None = None) -> None:
        """Begin to write; a place that cannot be used is told by `health`, never raised."""
        self.path = path
        self._run = run
        self._limits = limits or LogLimits()
        self._queue: deque[_Entry] = deque()
        self._secrets: tuple[str, ...] = ()
        self._awake = threading.Event()
        self._ended = False
        self._fd = -1
        self._size = 0
        self._written = 0
        self._refused = 0
        """Dropped on the caller's side: flood or full queue."""
        self._failed = 0
        """Dropped on the writer's side: the disk."""
        self._told = 0
        """Of the dropped, how many a line has told of."""
        self._why = ""
        self._tokens = float(self._limits.burst)
        self._grown_ns = read_mono_ns()
        self._thread = threading.Thread(target=self._run_writer, name="logbook", daemon=True)
        self._thread.start()

    # --- the caller's side -----------------------------------------------------------------------

    def hide(self, *secrets: str) -> None:
        """Take these texts out of every later line, wherever they stand."""
        known = (*self._secrets, *(s for s in secrets if len(s) >= SECRET_CHARS_MIN))
        self._secrets = tuple(dict.fromkeys(known))[-SECRETS_MAX:]

    def write(self, level: Level, event: str, fields: Mapping[str, Value] | None = None) -> None:
        """Write a line: what happened as `area.word`, and facts about it. Never waits or raises."""
        if self._ended or not self._may_write():
            self._refused += 1
            return
        self._queue.append((read_wall_ns(), level, event, dict(fields or {})))

    def health(self) -> LogHealth:
        """Tell how it is."""
        return LogHealth(
            written=self._written,
            waiting=len(self._queue),
            dropped=self._refused + self._failed,
            bytes=self._size,
            why=self._why,
        )

    def close(self) -> None:
        """Write what waits, for a bounded time, and let go of the file."""
        self._ended = True
        self._awake.set()
        self._thread.join(CLOSE_S)

    def _may_write(self) -> bool:
        """Take a token; there is one for every line of a flood that is let through."""
        now_ns = read_mono_ns()
        limits = self._limits
        grown = (now_ns - self._grown_ns) * limits.per_second / SECOND_NS
        self._tokens = min(float(limits.burst), self._tokens + grown)
        self._grown_ns = now_ns
        if self._tokens < 1 or len(self._queue) >= limits.queue_max:
            return False
        self._tokens -= 1
        return True

    # --- the line --------------------------------------------------------------------------------

    def _line(self, entry: _Entry) -> bytes:
        wall_ns, level, event, fields = entry
        when = datetime.fromtimestamp(wall_ns // SECOND_NS, UTC)
        row: dict[str, Value] = {
            "at": f"{when:%Y-%m-%dT%H:%M:%S}.{wall_ns // 1_000 % 1_000_000:06}Z",
            "level": level.value,
            "event": self.clean(event),
            "run": self._run,
        }
        for name, value in list(fields.items())[:FIELDS_MAX]:
            row.setdefault(self.clean(name), self._field(name, value))
        return json.dumps(row, ensure_ascii=True).replace("\x7f", "\\u007f").encode() + b"\n"

    def _field(self, name: str, value: Value) -> Value:
        if isinstance(value, float) and not isfinite(value):
            return str(value)
        if value is None or isinstance(value, bool | int | float):
            return value
        return HIDDEN if _SECRET_NAME.search(name) else self.clean(str(value))

    def clean(self, text: str) -> str:
        """Take secrets out before anything is cut off: half a secret is one too."""
        for secret in self._secrets:
            text = text.replace(secret, HIDDEN)
        if len(text) > SCANNED_MAX:
            text = text[:SCANNED_MAX].rsplit(maxsplit=1)[0]
        text = _SECRET_PAIR.sub(rf"\1\2{HIDDEN}", text)
        text = _LONG_BASE64.sub(HIDDEN, text)
        text = _LONG_HEX.sub(r"\1\2…\3", text)
        return text if len(text) <= TEXT_MAX else text[: TEXT_MAX - 1] + "…"

    # --- the writer's side -----------------------------------------------------------------------

    def _run_writer(self) -> None:
        while True:
            self._awake.wait(WAIT_S)
            self._awake.clear()
            is_last = self._ended
            self._write_waiting()
            if is_last:
                break
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1

    def _write_waiting(self) -> None:
        self._tell_dropped()
        while self._queue:
            self._put(self._line(self._queue.popleft()))

    def _tell_dropped(self) -> None:
        """Say how many lines are missing here."""
        missing = self._refused + self._failed - self._told
        if missing:
            facts: dict[str, Value] = {"lines": missing, "why": self._why}
            entry = (read_wall_ns(), Level.WARNING, "log.dropped", facts)
            if self._put(self._line(entry), counts=False):
                self._told += missing

    def _put(self, line: bytes, *, counts: bool = True) -> bool:
        try:
            if self._fd < 0:
                self._open()
            elif self._size + len(line) > self._limits.file_bytes:
                self._rotate()
            _write_whole(self._fd, line)
        except OSError as error:
            self._why = error.strerror or type(error).__name__
            self._failed += counts
            return False
        self._size += len(line)
        self._written += counts
        self._why = ""
        return True

    def _open(self) -> None:
        self.path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_NOFOLLOW | os.O_CLOEXEC
        self._fd = os.open(self.path, flags, 0o600)
        self._size = os.fstat(self._fd).st_size

    def _rotate(self) -> None:
        """Put the file aside as `.1`, and what was put aside one further."""
        os.close(self._fd)
        self._fd = -1
        for number in range(self._limits.files - 1, 0, -1):
            source = self._aside(number - 1)
            if source.exists():
                source.replace(self._aside(number))
        if self._limits.files == 1:
            self.path.unlink(missing_ok=True)
        self._open()

    def _aside(self, number: int) -> Path:
        return self.path.with_name(f"{self.path.name}.{number}") if number else self.path


def _write_whole(fd: int, line: bytes) -> None:
    """Write a line whole, or take back the part that got there."""
    done = os.write(fd, line)
    if done != len(line):
        os.ftruncate(fd, os.fstat(fd).st_size - done)
        raise OSError(28, "No space left on device")


# --- libraries that log by themselves ------------------------------------------------------------


_LEVELS: Final = (
    (logging.ERROR, Level.ERROR),
    (logging.WARNING, Level.WARNING),
    (logging.INFO, Level.INFO),
)


class LogbookHandler(logging.Handler):
    """Brings what libraries log into the logbook, and nowhere else."""

    def __init__(self, book: Logbook) -> None:
        """Write into this book."""
        super().__init__()
        self._book = book

    def emit(self, record: logging.LogRecord) -> None:
        """Write a record; of an exception its kind and place only, for values may be secret."""
        try:
            text = record.getMessage()
        except (TypeError, ValueError, KeyError):
            text = f"unreadable: {record.msg!r}"
        fields: dict[str, Value] = {"logger": record.name, "text": text}
        if record.exc_info is not None and record.exc_info[0] is not None:
            fields["error"] = record.exc_info[0].__name__
            fields["place"] = _place(record.exc_info[2])
        level = next((ours for theirs, ours in _LEVELS if record.levelno >= theirs), Level.DEBUG)
        self._book.write(level, "library", fields)

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802  the base class names it
        """Say nothing: its usual way is standard error."""
        del record


def take_over(book: Logbook) -> LogbookHandler:
    """Make the book the only place where libraries log; `give_back` ends that."""
    handler = LogbookHandler(book)
    root = logging.getLogger()
    root.addHandler(handler)
    logging.lastResort = None
    return handler


def give_back(handler: LogbookHandler) -> None:
    """Stop listening to libraries."""
    logging.getLogger().removeHandler(handler)


def _place(where: TracebackType | None) -> str:
    while where is not None and where.tb_next is not None:
        where = where.tb_next
    if where is None:
        return ""
    code = where.tb_frame.f_code
    return f"{Path(code.co_filename).name}:{where.tb_lineno} {code.co_name}"
