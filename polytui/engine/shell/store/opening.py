"""Opens the database: migrates an older one, puts a damaged one aside, refuses a newer one.

What is looked at before anything is believed is bounded in time, because a start must be quick: the
newest rows of the chain, the head, and as many pages as fit into the budget, elsewhere each time.
`polytui journal verify` looks at everything.
"""

import asyncio
import sqlite3
from collections.abc import Sequence
from contextlib import closing, suppress
from pathlib import Path
from typing import Any, Final

import aiosqlite
import msgspec
from msgspec import Struct

from polytui.engine.core.errors import OperatorError
from polytui.engine.shell.clock import SECOND_NS, read_wall_ns
from polytui.engine.shell.store import pages
from polytui.engine.shell.store.files import open_read_only
from polytui.engine.shell.store.head import read_head
from polytui.engine.shell.store.rows import ANCHOR, GENESIS, Row, linked
from polytui.engine.shell.store.schema import ALL, MIGRATIONS, PRAGMAS, VERSION

PAGE: Final = 2_048
TAIL_ROWS: Final = 20_000
"""Rows whose chain is verified at each opening; `journal verify` checks all of them."""
PAGES_NS: Final = SECOND_NS // 4
"""Longest time spent on digests of pages at an opening."""
QUICK_BYTES: Final = 16 << 20
"""A file of at most this size is checked by SQLite as well at each opening."""
SIDE_FILES: Final = ("", "-wal", "-shm", ".head", ".pages", ".pages-next")
_HEADER: Final = b"SQLite format 3\0"


class Opened(Struct, frozen=True):
    """What an opening came to."""

    db: aiosqlite.Connection
    aside: Path | None = None
    """Where a damaged file was put."""
    damage: str = ""
    """What was wrong with it, or which rows are missing at the end of this one."""


async def open_database(path: Path) -> Opened:
    """Open the file, or make it.

    Raises:
        OperatorError: the place cannot be used, or the file is of a newer polytui.
    """
    _prepare(path)
    damage, lost = await asyncio.to_thread(_examine, path)
    aside = _quarantine(path) if damage else None
    try:
        await asyncio.to_thread(path.touch, mode=0o600)
        db = await _connect(path)
    except (sqlite3.Error, OSError) as error:
        raise OperatorError(f"{path}: expected a SQLite file, but: {error}.") from None
    return Opened(db, aside, damage or lost)


def _prepare(path: Path) -> None:
    """Make the directory, for this user only."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    except OSError as error:
        raise OperatorError(f"{path.parent}: cannot be used: {error.strerror}.") from None


async def _connect(path: Path) -> aiosqlite.Connection:
    db = await aiosqlite.connect(path, isolation_level=None)
    try:
        await _ready(db, path)
    except BaseException:
        await close_as_is(db, path)
        raise
    return db


async def _ready(db: aiosqlite.Connection, path: Path) -> None:
    for pragma in PRAGMAS:
        await db.execute(pragma)
    is_sealed = pages.sums_path(path).exists()
    is_changed = await _migrate(db, path)
    if is_sealed and not is_changed:
        await move_pages(db, path)
    else:
        await db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        await asyncio.to_thread(pages.rebuild, path)


async def close_as_is(db: aiosqlite.Connection, path: Path) -> None:
    """Close without moving the write-ahead log into the file.

    The last connection to close would move it, and nobody would have noted what the pages become;
    one that can only read is not asked.
    """
    with closing(open_read_only(path)) as other:
        with suppress(sqlite3.Error):
            other.execute("SELECT count(*) FROM sqlite_master").fetchone()
        await db.close()


async def move_pages(db: aiosqlite.Connection, path: Path) -> str:
    """Move what waits in the write-ahead log into the file, with the digests of its pages.

    Returns what is wrong with a page that was moved, or nothing. Only the writer may call it, and
    only while it writes nothing else.
    """
    if not await asyncio.to_thread(pages.foresee, path):
        return ""
    async with db.execute("PRAGMA wal_checkpoint(PASSIVE)") as answer:
        row = await answer.fetchone()
    is_complete = row is not None and row[0] == 0 and row[1] == row[2]
    return await asyncio.to_thread(pages.settle, path, complete=is_complete)


async def _migrate(db: aiosqlite.Connection, path: Path) -> bool:
    """Bring an older file forward, one version a transaction; tell whether anything changed."""
    version = await _number(db, "PRAGMA user_version")
    if version > VERSION:
        raise OperatorError(_newer(path, version))
    for step in range(version + 1, VERSION + 1):
        await db.execute("BEGIN")
        for statement in MIGRATIONS[step]:
            await db.execute(statement)
        await db.execute(f"PRAGMA user_version = {step:d}")
        await db.execute("COMMIT")
    return version < VERSION


def _newer(path: Path, version: int) -> str:
    return (
        f"{path}: expected a store of version {VERSION} or older, was {version}: "
        "it was written by a newer polytui."
    )


async def _number(db: aiosqlite.Connection, sql: str) -> int:
    async with db.execute(sql) as rows:
        row = await rows.fetchone()
    return int(row[0] or 0) if row is not None else 0


# --- is it whole? --------------------------------------------------------------------------------


def _examine(path: Path) -> tuple[str, str]:
    """Say what is wrong with a file so that it cannot be used, and what it lost at its end."""
    if not path.exists() or not path.stat().st_size:
        head, _ = read_head(path)
        gone = head is not None and head.n > 0
        return (f"the file is gone, {head.n} rows were in it", "") if gone and head else ("", "")
    with path.open("rb") as file:
        if file.read(len(_HEADER)) != _HEADER:
            return "file is not a database", ""
    try:
        with closing(open_read_only(path)) as db:
            version = int(db.execute("PRAGMA user_version").fetchone()[0])
            if version > VERSION:
                raise OperatorError(_newer(path, version))
            damage = _damage(db, path)
            return damage, "" if damage or not version else tail_lost(db, path)
    except sqlite3.OperationalError as error:
        raise OperatorError(f"{path}: expected a store of our own, but: {error}.") from None
    except (sqlite3.DatabaseError, msgspec.DecodeError, TypeError, ValueError) as error:
        return str(error), ""


def _damage(db: sqlite3.Connection, path: Path) -> str:
    """Look for damage within the budget; empty: nothing that was looked for."""
    start = read_wall_ns() // SECOND_NS * 7_919
    report = pages.compare(path, budget_ns=PAGES_NS, start=start)
    if report.damage:
        return report.damage
    if path.stat().st_size <= QUICK_BYTES or not report.sealed:
        row = db.execute("PRAGMA quick_check(1)").fetchone()
        if row is None or row[0] != "ok":
            return f"quick_check: {row[0] if row else 'no answer'}"
    if not db.execute("SELECT count(*) FROM sqlite_master WHERE name = 'log'").fetchone()[0]:
        return ""
    last = int(db.execute("SELECT max(n) FROM log").fetchone()[0] or 0)
    return chain_damage(db, after=max(0, last - TAIL_ROWS))


def tail_lost(db: sqlite3.Connection, path: Path) -> str:
    """Say which rows were durable once and are not here, or nothing."""
    head, why = read_head(path)
    if head is None:
        return why
    n = int(db.execute("SELECT max(n) FROM log").fetchone()[0] or 0)
    if n < head.n:
        return f"rows {n + 1} to {head.n} were written and are gone"
    row = db.execute("SELECT chain FROM log WHERE n = ?", (head.n,)).fetchone()
    if row is not None and bytes(row[0]) != head.chain:
        return f"row {head.n} is not the one that was written last"
    return ""


def chain_damage(db: sqlite3.Connection, *, after: int = 0) -> str:
    """Recompute the chain of all rows after one; say where it breaks, or nothing."""
    walk = _Walk(after, _anchored(db.execute(_FIRST, (ANCHOR,)).fetchall(), after))
    while rows := db.execute(ALL, (walk.last, PAGE)).fetchall():
        if damage := walk.take(rows):
            return damage
    return ""


def _quarantine(path: Path) -> Path:
    """Move a damaged database and its side files away, under a name that says when."""
    aside = path.with_name(f"{path.name}.damaged-{read_wall_ns()}")
    for suffix in SIDE_FILES:
        part = path.with_name(path.name + suffix)
        if part.exists():
            part.rename(aside.with_name(aside.name + suffix))
    return aside


# --- the chain -----------------------------------------------------------------------------------

_FIRST: Final = "SELECT body FROM log WHERE kind = ? ORDER BY n DESC LIMIT 1"


class Anchor(Struct, frozen=True):
    """Where the chain begins since its older rows were moved into an archive (`compact`)."""

    last: int
    """The newest row moved."""
    chain: str
    """Its digest: what the first row left is chained to."""
    archive: str = ""
    """Name of the file they are in now, and the digest of it."""
    digest: str = ""
    rows: int = 0


def _anchored(rows: Sequence[Sequence[Any]], after: int) -> tuple[int, bytes | None]:
    """Find where to begin and what the next row is chained to; None: not known, in the middle."""
    anchor = None
    for row in rows:
        anchor = msgspec.json.decode(bytes(row[0]), type=Anchor)
    if anchor is None:
        return (after, None) if after else (0, GENESIS)
    return (after, None) if after > anchor.last else (anchor.last, bytes.fromhex(anchor.chain))


class _Walk:
    """Follows the chain row by row."""

    __slots__ = ("_chain", "last")

    def __init__(self, after: int, begin: tuple[int, bytes | None]) -> None:
        """Begin after a row."""
        self.last, self._chain = begin
        assert self.last >= after, "expected to begin where asked, or at the anchor"

    def take(self, rows: Sequence[Sequence[Any]]) -> str:
        """Check the next rows; say what is wrong, or nothing."""
        for row in rows:
            n, found = row[0], row[11]
            if n != self.last + 1:
                return f"row {self.last + 1} is missing"
            if not _is_as_written(row, self._chain):
                return f"row {n} is not what was written"
            self.last, self._chain = n, found
        return ""


async def verify(db: aiosqlite.Connection, *, after: int = 0) -> str:
    """Recompute the chain of all rows after one; say where it breaks, or nothing.

    A row deleted, inserted, reordered or changed in any column is found, except at the very end:
    cutting the newest rows off leaves a valid shorter log, which the head tells (`tail_lost`).
    """
    async with db.execute(_FIRST, (ANCHOR,)) as cursor:
        walk = _Walk(after, _anchored(list(await cursor.fetchall()), after))
    while True:
        async with db.execute(ALL, (walk.last, PAGE)) as cursor:
            rows = list(await cursor.fetchall())
        if not rows:
            return ""
        if damage := walk.take(rows):
            return damage


def _is_as_written(row: Sequence[Any], chain: bytes | None) -> bool:
    """Check one row against the digest it carries; without the one before it, its types only."""
    n, at_ns, run, seq, kind, realm, subject, strategy, market, is_open, body, found = row
    if not (isinstance(body, bytes) and isinstance(found, bytes) and is_open in (0, 1)):
        return False
    kept = Row(kind, realm, subject, strategy, market, bool(is_open), body)
    return chain is None or linked(chain, (n, at_ns, run, seq), kept) == found
