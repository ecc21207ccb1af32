"""The check of the account's journal: read only, its chain recomputed, its version compared."""

import asyncio
import os
import sqlite3
import stat
from functools import partial
from pathlib import Path
from typing import Final
from urllib.parse import quote

import aiosqlite
from msgspec.structs import replace

from polytui.engine.core.runconfig import StoreConfig
from polytui.engine.shell.clock import SECOND_NS, read_wall_ns
from polytui.engine.shell.doctor.case import Case, StoreFacts
from polytui.engine.shell.doctor.report import Finding, fail, listed, warn, well
from polytui.engine.shell.store import pages
from polytui.engine.shell.store.opening import QUICK_BYTES, verify
from polytui.engine.shell.store.schema import VERSION
from polytui.engine.shell.store.store import FILE_NAME
from polytui.engine.shell.store.verify import compare_pages

PAGES_NS: Final = 2 * SECOND_NS
CHECKED_MAX: Final = 200_000
"""Rows whose chain is recomputed, the newest: about two seconds."""
OTHERS: Final = 0o077
SIDE: Final = ("-wal", "-shm", ".head", ".pages", ".pages-next")


def find(config: StoreConfig) -> StoreFacts:
    """Find the store's file, and what was put aside beside it."""
    path = Path(config.directory).absolute() / FILE_NAME
    aside = sorted(part.name for part in path.parent.glob(f"{FILE_NAME}.damaged-*"))
    return StoreFacts(
        path=path,
        exists=os.path.lexists(path),
        aside=tuple(name for name in aside if not name.endswith(SIDE)),
    )


async def read(facts: StoreFacts) -> StoreFacts:
    """Read it as it is, a running engine's included: nothing is written, nothing is locked."""
    if not facts.exists:
        return facts
    try:
        async with aiosqlite.connect(f"file:{quote(str(facts.path))}?mode=ro", uri=True) as db:
            return await _read(db, facts)
    except sqlite3.OperationalError as error:
        return replace(facts, why=str(error))
    except sqlite3.DatabaseError as error:
        return replace(facts, damage=str(error))


async def _read(db: aiosqlite.Connection, facts: StoreFacts) -> StoreFacts:
    version = await _number(db, "PRAGMA user_version")
    damage = await _structure(db, facts.path)
    rows, checked = 0, 0
    if version == VERSION and not damage:
        rows = await _number(db, "SELECT max(n) FROM log")
        checked = min(rows, CHECKED_MAX)
        damage = await verify(db, after=rows - checked)
    return replace(facts, version=version, rows=rows, checked=checked, damage=damage)


def is_large(path: Path) -> bool:
    """Tell whether SQLite would look at a file for longer than a person waits."""
    return path.stat().st_size > QUICK_BYTES and pages.sums_path(path).exists()


async def _structure(db: aiosqlite.Connection, path: Path) -> str:
    """Have SQLite look at a small file; of a large one, compare as many pages as two seconds do."""
    if is_large(path):
        start = read_wall_ns() // SECOND_NS
        looked = partial(compare_pages, path, budget_ns=PAGES_NS, start=start)
        return (await asyncio.to_thread(looked)).damage
    async with db.execute("PRAGMA quick_check(1)") as answer:
        row = await answer.fetchone()
    return "" if row is not None and row[0] == "ok" else f"quick_check: {row and row[0]}"


async def _number(db: aiosqlite.Connection, sql: str) -> int:
    async with db.execute(sql) as rows:
        row = await rows.fetchone()
    return int(row[0] or 0) if row is not None else 0


def check_store(case: Case) -> Finding:
    """Judge what was read, and who else can read or write it."""
    facts = case.store
    if not facts.exists:
        return _with_aside(well(f"none yet at {facts.path}"), facts)
    if facts.damage:
        return fail(
            f"{facts.path} is damaged: {facts.damage}",
            "keep a copy; the next start puts it aside and rebuilds from the venue",
        )
    if facts.why:
        return fail(f"{facts.path} cannot be read: {facts.why}", "see its permissions and its disk")
    mode = stat.S_IMODE(facts.path.stat().st_mode)
    if mode & OTHERS:
        return fail(
            f"{facts.path} is open to others (mode {mode:o})",
            f"chmod 600 {facts.path} and its -wal",
        )
    if facts.version > VERSION:
        return fail(
            f"version {facts.version}, this polytui knows {VERSION}", "run the newer polytui"
        )
    if facts.version < VERSION:
        return warn(
            f"version {facts.version}, will be made {VERSION} at the next start",
            f"copy {facts.path.parent} first: an older polytui will not open it again",
        )
    of = "all" if facts.checked == facts.rows else f"the last {facts.checked} of"
    said = f"version {facts.version}, chain of {of} {facts.rows} rows unbroken"
    return _with_aside(well(said), facts)


def _with_aside(finding: Finding, facts: StoreFacts) -> Finding:
    """Mention what was put aside, once all else is well."""
    if not facts.aside:
        return finding
    return warn(
        f"{finding.found}; put aside earlier: {listed(facts.aside, most=2)}",
        f"look at them, then move them out of {facts.path.parent}",
    )
