"""`polytui journal`: look at the store from outside, and make it smaller while no engine has it.

What is asked for goes out as JSON lines; a body is JSON already and goes in as such. Foreign text
stays as it was recorded inside JSON strings, where escapes cannot act: `query` and `export` write
ASCII only.
"""

import json
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any, Final

import msgspec

from polytui.engine.core.errors import OperatorError
from polytui.engine.shell.store.files import open_read_only
from polytui.engine.shell.store.verify import Report, verify_file

EXIT_DONE, EXIT_REFUSED, EXIT_DAMAGED = 0, 2, 5

Say = Callable[[str], None]
ROWS_MAX: Final = 10_000
"""Rows of one query unless it is told otherwise."""
STEPS: Final = 10_000
STEPS_MAX: Final = 20_000_000
"""Instructions of SQLite after which a query is stopped, in steps of ten thousand."""

_EXPORT: Final = (
    "SELECT n, at_ns, run, seq, kind, realm, subject, strategy, market, is_open, body, chain "
    "FROM log WHERE n > ?1 AND (?2 = '' OR kind = ?2) AND at_ns >= ?3 ORDER BY n"
)
_COLUMNS: Final = (
    "n",
    "at_ns",
    "run",
    "seq",
    "kind",
    "realm",
    "subject",
    "strategy",
    "market",
    "is_open",
)


def verify(path: Path, say: Say, *, as_json: bool) -> int:
    """Verify everything; 0 as written, 5 something is not."""
    report = verify_file(path)
    say(msgspec.json.encode(_told(report)).decode() if as_json else _text(report))
    return EXIT_DONE if report.ok else EXIT_DAMAGED


def _told(report: Report) -> dict[str, object]:
    return {"ok": report.ok, **msgspec.structs.asdict(report)}


def _text(report: Report) -> str:
    lines = [
        f"{'ok  ' if check.ok else 'FAIL'}  {check.name:<10}{check.text}" for check in report.checks
    ]
    word = "as written" if report.ok else "NOT as written"
    lines.append(f"{report.path}: version {report.version}, {report.rows} rows, {word}")
    return "\n".join(line.encode("ascii", "backslashreplace").decode() for line in lines)


def export(path: Path, say: Say, *, kind: str = "", after: int = 0, since_ns: int = 0) -> int:
    """Write rows of the chain, one JSON line each, oldest first, with the digest of each."""
    with closing(_open(path)) as db:
        for row in _rows(db, (after, kind, since_ns)):
            say(row)
    return EXIT_DONE


def _rows(db: sqlite3.Connection, asked: tuple[int, str, int]) -> Iterator[str]:
    for row in db.execute(_EXPORT, asked):
        yield line_of(row)


def line_of(row: tuple[Any, ...]) -> str:
    """Write a row of the chain as one JSON line of ASCII."""
    *named, body, chain = row
    told = dict(zip(_COLUMNS, named, strict=True))
    return json.dumps({**told, "body": _json(body), "chain": bytes(chain).hex()})


def _json(value: Any) -> Any:
    """Show a value: JSON as JSON, other bytes as hexadecimal digits."""
    if isinstance(value, bytes):
        try:
            return msgspec.json.decode(value)
        except (msgspec.DecodeError, UnicodeDecodeError):
            return value.hex()
    if isinstance(value, str) and value[:1] in ("{", "["):
        try:
            return msgspec.json.decode(value)
        except msgspec.DecodeError:
            return value
    return value


def query(path: Path, say: Say, *, sql: str, most: int = ROWS_MAX) -> int:
    """Answer one SELECT over tables and views, a JSON line a row.

    Raises:
        OperatorError: it is no SELECT, has an error, or takes far too long.
    """
    steps = [0]

    def step() -> int:
        steps[0] += STEPS
        return int(steps[0] > STEPS_MAX * STEPS)

    with closing(_open(path)) as db:
        # The views use JSON functions, which SQLite does not count as harmless before 3.41.
        db.execute("PRAGMA trusted_schema = ON")
        db.set_authorizer(_reads_only)
        db.set_progress_handler(step, STEPS)
        try:
            cursor = db.execute(sql)
            names = [column[0] for column in cursor.description or ()]
            for row in cursor.fetchmany(most):
                told = dict(zip(names, map(_json, row), strict=True))
                say(json.dumps(told))
        except sqlite3.Error as error:
            raise OperatorError(f"expected one SELECT over the store, but: {error}") from None
    return EXIT_DONE


_READING: Final = frozenset(
    {sqlite3.SQLITE_SELECT, sqlite3.SQLITE_READ, sqlite3.SQLITE_FUNCTION, sqlite3.SQLITE_RECURSIVE}
)


def _reads_only(action: int, *_: object) -> int:
    return sqlite3.SQLITE_OK if action in _READING else sqlite3.SQLITE_DENY


def _open(path: Path) -> sqlite3.Connection:
    if not path.exists():
        raise OperatorError(f"expected a store at {path}, there is none")
    try:
        db = open_read_only(path)
        db.execute("SELECT n FROM log LIMIT 1")
    except sqlite3.Error as error:
        raise OperatorError(f"{path}: expected a readable store, but: {error}") from None
    return db
