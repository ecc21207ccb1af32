"""Opens the database: migrates an older one, puts a damaged one aside, refuses a newer one."""

import sqlite3
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

import aiosqlite

from polytui.engine.core.errors import OperatorError
from polytui.engine.shell.clock import read_wall_ns
from polytui.engine.shell.store.rows import GENESIS, Row, linked
from polytui.engine.shell.store.schema import ALL, MIGRATIONS, PRAGMAS, VERSION

PAGE: Final = 2_048
TAIL_ROWS: Final = 20_000
"""Rows whose chain is verified at each opening; `journal verify` checks all of them."""


async def open_database(path: Path) -> tuple[aiosqlite.Connection, Path | None]:
    """Open the file; return the connection and where a damaged file was put, if one was.

    Raises:
        OperatorError: the place cannot be used, or the file is of a newer polytui.
    """
    damage = await _damage(path) if _prepare(path) else ""
    aside = _quarantine(path) if damage else None
    try:
        db = await _connect(path)
    except sqlite3.Error as error:
        raise OperatorError(f"{path}: expected a SQLite file, but: {error}.") from None
    return db, aside


def _prepare(path: Path) -> bool:
    """Make the directory, and the file private before anything is in it; tell if it was there."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        was_there = path.exists()
        path.touch(mode=0o600)
    except OSError as error:
        raise OperatorError(f"{path.parent}: cannot be used: {error.strerror}.") from None
    return was_there


async def _connect(path: Path) -> aiosqlite.Connection:
    db = await aiosqlite.connect(path, isolation_level=None)
    for pragma in PRAGMAS:
        await db.execute(pragma)
    await _migrate(db, path)
    return db


async def _migrate(db: aiosqlite.Connection, path: Path) -> None:
    version = await _number(db, "PRAGMA user_version")
    if version > VERSION:
        await db.close()
        raise OperatorError(
            f"{path}: expected a store of version {VERSION} or older, was {version}: "
            "it was written by a newer polytui."
        )
    for step in range(version + 1, VERSION + 1):
        await db.execute("BEGIN")
        for statement in MIGRATIONS[step]:
            await db.execute(statement)
        await db.execute(f"PRAGMA user_version = {step:d}")
        await db.execute("COMMIT")


async def _number(db: aiosqlite.Connection, sql: str) -> int:
    async with db.execute(sql) as rows:
        row = await rows.fetchone()
    return int(row[0] or 0) if row is not None else 0


async def _damage(path: Path) -> str:
    """Say what is wrong with a file; empty: nothing that was looked for."""
    try:
        async with aiosqlite.connect(path, isolation_level=None) as db:
            async with db.execute("PRAGMA quick_check(1)") as rows:
                row = await rows.fetchone()
            if row is None or row[0] != "ok":
                return f"quick_check: {row[0] if row else 'no answer'}"
            if await _number(db, "PRAGMA user_version") != VERSION:
                return ""
            last = await _number(db, "SELECT max(n) FROM log")
            return await verify(db, after=max(0, last - TAIL_ROWS))
    except sqlite3.OperationalError as error:
        raise OperatorError(f"{path}: expected a store of our own, but: {error}.") from None
    except sqlite3.DatabaseError as error:
        return str(error)


def _quarantine(path: Path) -> Path:
    """Move a damaged database and its side files away, under a name that says when."""
    aside = path.with_name(f"{path.name}.damaged-{read_wall_ns()}")
    for suffix in ("", "-wal", "-shm"):
        part = path.with_name(path.name + suffix)
        if part.exists():
            part.rename(aside.with_name(aside.name + suffix))
    return aside


async def verify(db: aiosqlite.Connection, *, after: int = 0) -> str:
    """Recompute the chain of all rows after one; say where it breaks, or nothing.

    A row deleted, inserted, reordered or changed in any column is found, except at the very end:
    cutting the newest rows off leaves a valid shorter log.
    """
    last, chain = after, None if after else GENESIS
    while True:
        async with db.execute(ALL, (last, PAGE)) as cursor:
            rows = list(await cursor.fetchall())
        if not rows:
            return ""
        for row in rows:
            n, found = row[0], row[11]
            if n != last + 1:
                return f"row {last + 1} is missing"
            if not _is_as_written(row, chain):
                return f"row {n} is not what was written"
            last, chain = n, found


def _is_as_written(row: Sequence[Any], chain: bytes | None) -> bool:
    """Check one row against the digest it carries; without the one before it, its types only."""
    n, at_ns, run, seq, kind, realm, subject, strategy, market, is_open, body, found = row
    if not (isinstance(body, bytes) and isinstance(found, bytes) and is_open in (0, 1)):
        return False
    kept = Row(kind, realm, subject, strategy, market, bool(is_open), body)
    return chain is None or linked(chain, (n, at_ns, run, seq), kept) == found
