"""Looks at a store as a whole: pages, log, schema, chain, head, flushes. Reads, changes nothing.

Each check says what it looked at and what is wrong; a running engine's file may be looked at too,
and then what is being written meanwhile is judged by what it was when the reading began.
"""

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any, Final

import msgspec
from msgspec import Struct

from polytui.engine.core.errors import OperatorError
from polytui.engine.shell.clock import nap
from polytui.engine.shell.store import pages
from polytui.engine.shell.store.bulk import Seal, Trim, is_bulk_whole, is_fold_whole, sealed
from polytui.engine.shell.store.files import open_read_only
from polytui.engine.shell.store.opening import chain_damage, tail_lost
from polytui.engine.shell.store.schema import MIGRATIONS, VERSION
from polytui.engine.shell.store.wal import has_log, read_wal

TRIES: Final = 3
PAUSE_NS: Final = 200_000_000
"""Between two looks at what a writer may just have in its hands."""
_SEALS: Final = "SELECT n, body FROM log WHERE kind = 'seal' ORDER BY n"
_TRIM: Final = "SELECT body FROM log WHERE kind = 'trim' ORDER BY n DESC LIMIT 1"
_BULK: Final = (
    "SELECT n, at_ns, run, seq, kind, strategy, market, reason, margin_u6, body, digest "
    "FROM bulk ORDER BY n"
)
_FOLDS: Final = (
    "SELECT run, strategy, market, reason, verdict, count, first_ns, last_ns, best_ns, "
    "best_snapshot, score_u6, threshold_u6, margin_u6, unit, family, digest FROM folds"
)


class Check(Struct, frozen=True):
    """One thing that was looked at."""

    name: str
    ok: bool
    text: str


class Report(Struct, frozen=True):
    """What a verification found."""

    path: str
    version: int
    rows: int
    checks: tuple[Check, ...]

    @property
    def ok(self) -> bool:
        """Tell whether everything is as written."""
        return all(check.ok for check in self.checks)


def verify_file(path: Path) -> Report:
    """Verify a store.

    Raises:
        OperatorError: there is none, it is of a newer polytui, or it cannot be read.
    """
    if not path.exists():
        raise OperatorError(f"expected a store at {path}, there is none")
    looked = [_pages(path), _wal(path)]
    version = rows = 0
    try:
        with closing(open_read_only(path)) as db:
            version = int(db.execute("PRAGMA user_version").fetchone()[0])
            if version > VERSION and looked[0].ok:
                raise OperatorError(f"{path}: expected version {VERSION}, was {version}")
            db.execute("BEGIN")
            looked += [_try(name, check, db, path) for name, check in _CHECKS]
            rows = int(db.execute("SELECT count(*) FROM log").fetchone()[0])
    except (sqlite3.Error, UnicodeDecodeError) as error:
        # Its own words may quote bytes of the file that are no text any more.
        looked.append(Check("file", ok=False, text=str(error)))
    return Report(str(path), version, rows, tuple(looked))


def _try(
    name: str, check: Callable[[sqlite3.Connection, Path], str], db: sqlite3.Connection, path: Path
) -> Check:
    try:
        damage = check(db, path)
    except (sqlite3.Error, msgspec.DecodeError, ValueError, TypeError) as error:
        damage = str(error)
    return Check(name, ok=not damage, text=damage or "as written")


def compare_pages(path: Path, *, budget_ns: int = 0, start: int = 0) -> pages.PagesReport:
    """Compare pages; where somebody may be moving them, look again before judging."""
    report = pages.compare(path, budget_ns=budget_ns, start=start)
    for _ in range(TRIES):
        if not report.damage or not has_log(path):
            break
        nap(PAUSE_NS)
        report = pages.compare(path, budget_ns=budget_ns, start=start)
    return report


def _pages(path: Path) -> Check:
    report = compare_pages(path)
    if not report.sealed and not report.damage:
        is_old = _user_version(path) < 2
        text = "no digests: version 1" if is_old else "the digests of its pages are missing"
        return Check("pages", ok=is_old, text=text)
    text = report.damage or f"{report.checked} of {report.pages} as written"
    return Check("pages", ok=not report.damage, text=text)


def _user_version(path: Path) -> int:
    with path.open("rb") as file:
        return int.from_bytes(file.read(64)[60:64], "big")


def _wal(path: Path) -> Check:
    """Recompute the log's checksums; the head tells whether rows were lost with its rest."""
    facts = read_wal(path)
    for _ in range(TRIES):
        if not facts.damage:
            break
        nap(PAUSE_NS)
        facts = read_wal(path)
    if facts.damage:
        return Check("log", ok=False, text=f"{facts.damage}: {facts.rest} bytes are not read")
    rest = f", {facts.rest} bytes of a write that was cut off" if facts.rest else ""
    return Check("log", ok=True, text=f"{facts.transactions} transactions wait{rest}")


def _structure(db: sqlite3.Connection, _: Path) -> str:
    row = db.execute("PRAGMA integrity_check(1)").fetchone()
    return "" if row is not None and row[0] == "ok" else f"{row[0] if row else 'no answer'}"


def _schema(db: sqlite3.Connection, _: Path) -> str:
    """Compare the tables with those that our own statements make."""
    version = int(db.execute("PRAGMA user_version").fetchone()[0])
    if version not in MIGRATIONS:
        return f"there is no version {version}"
    with closing(sqlite3.connect(":memory:")) as model:
        for step in range(1, version + 1):
            for statement in MIGRATIONS[step]:
                model.execute(statement)
        found, wanted = _objects(db), _objects(model)
    if found == wanted:
        return ""
    names = sorted({name for _, name, _ in found ^ wanted})
    return f"not as we make it: {', '.join(names)}"


def _objects(db: sqlite3.Connection) -> set[tuple[str, str, str]]:
    rows = db.execute("SELECT type, name, sql FROM sqlite_master WHERE sql IS NOT NULL")
    return {(kind, name, " ".join(sql.split())) for kind, name, sql in rows}


def _chain(db: sqlite3.Connection, _: Path) -> str:
    return chain_damage(db)


def _latest(db: sqlite3.Connection, _: Path) -> str:
    """Compare `latest` with what the log says."""
    row = db.execute(
        "SELECT latest.kind, latest.subject FROM latest LEFT JOIN log ON log.n = latest.n "
        "WHERE log.n IS NULL OR log.subject <> latest.subject OR log.kind <> latest.kind "
        "OR log.is_open <> latest.is_open OR log.at_ns <> latest.at_ns LIMIT 1"
    ).fetchone()
    return "" if row is None else f"the latest {row[0]} of {row[1]} is not what the log says"


def _flushes(db: sqlite3.Connection, _: Path) -> str:
    """Compare every bulk row with its digest, and every flush with its seal."""
    if _number(db, "PRAGMA user_version") < 2:
        return ""
    row = db.execute(_TRIM).fetchone()
    floor = msgspec.json.decode(bytes(row[0]), type=Trim).upto if row is not None else 0
    rows = _bulk_rows(db, floor)
    expected = None
    for n, body in db.execute(_SEALS):
        seal = msgspec.json.decode(bytes(body), type=Seal)
        if seal.last <= floor or seal.last < seal.first:
            continue
        if expected is not None and seal.first != expected:
            return f"row {n} seals {seal.first}, expected {expected}"
        expected = seal.last + 1
        digests = [next(rows) for _ in range(seal.first, seal.last + 1)]
        if [at for at, _ in digests] != list(range(seal.first, seal.last + 1)):
            return f"bulk rows {seal.first} to {seal.last} are not all there"
        if sealed(digest for _, digest in digests) != seal.digest:
            return f"bulk rows {seal.first} to {seal.last} are not what row {n} sealed"
    stray = next(rows)
    return f"bulk row {stray[0]} is not sealed" if stray[0] >= 0 else ""


def _bulk_rows(db: sqlite3.Connection, floor: int) -> Iterator[tuple[int, bytes]]:
    """Yield number and digest of every bulk row, then (-1, nothing) for ever."""
    for row in db.execute(_BULK):
        if row[0] <= floor:
            raise ValueError(f"bulk row {row[0]} should have ended")
        if not is_bulk_whole(row):
            raise ValueError(f"bulk row {row[0]} is not what was written")
        yield row[0], row[-1]
    while True:
        yield -1, b""


def _folds(db: sqlite3.Connection, _: Path) -> str:
    if _number(db, "PRAGMA user_version") < 2:
        return ""
    for row in db.execute(_FOLDS):
        if not is_fold_whole(row):
            return f"the fold of {row[1]} on {row[2]} for {row[3]} is not what was written"
    return ""


def _number(db: sqlite3.Connection, sql: str) -> int:
    row: tuple[Any, ...] | None = db.execute(sql).fetchone()
    return int(row[0] or 0) if row is not None else 0


_CHECKS: Final[tuple[tuple[str, Callable[[sqlite3.Connection, Path], str]], ...]] = (
    ("schema", _schema),
    ("structure", _structure),
    ("chain", _chain),
    ("head", tail_lost),
    ("latest", _latest),
    ("flushes", _flushes),
    ("folds", _folds),
)
