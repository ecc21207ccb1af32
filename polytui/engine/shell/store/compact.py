"""Makes a store smaller: old rows go to an archive, ended bulk rows go, space is freed.

Only while no engine has it: the caller holds the engine's lock. What a restart needs of the rows
that go is written anew at the end of the chain first; then one `anchor` row says where the chain
begins now, what its first row is chained to, and which archive holds the rest. The archive is made
durable before anything is deleted, and nothing is deleted that is not in it.
"""

import os
import sqlite3
from contextlib import closing
from hashlib import blake2b
from pathlib import Path
from typing import Any, Final

import msgspec
import zstandard
from msgspec import Struct

from polytui.engine.core.errors import OperatorError
from polytui.engine.core.runconfig import StoreConfig
from polytui.engine.shell.segments import sync_directory
from polytui.engine.shell.store import pages
from polytui.engine.shell.store.bulk import Trim, trim_row
from polytui.engine.shell.store.head import Head, HeadFile
from polytui.engine.shell.store.journal import line_of
from polytui.engine.shell.store.opening import Anchor
from polytui.engine.shell.store.rows import ANCHOR, GENESIS, Row, linked
from polytui.engine.shell.store.schema import INSERT, INSERT_REF, LAST
from polytui.engine.shell.store.verify import verify_file

DAY_NS: Final = 86_400 * 1_000_000_000
RUN: Final = "compact"
ARCHIVE: Final = "archive-{first}-{last}.jsonl.zst"
_CUT: Final = "SELECT coalesce(min(n), 1) - 1 FROM log WHERE at_ns >= ?"
"""Rows before the first that is young enough."""
_GOING: Final = (
    "SELECT n, at_ns, run, seq, kind, realm, subject, strategy, market, is_open, body, chain "
    "FROM log WHERE n <= ? ORDER BY n"
)
_CARRIED: Final = (
    "SELECT log.kind, log.realm, log.subject, log.strategy, log.market, log.is_open, log.body, "
    "log.run, log.seq FROM latest JOIN log ON log.n = latest.n "
    "WHERE latest.n <= ? AND (latest.is_open = 1 OR latest.kind = 'market') ORDER BY latest.n"
)


class Compacted(Struct, frozen=True):
    """What a compaction did."""

    archived: int
    carried: int
    trimmed: int
    archive: str
    bytes_before: int
    bytes_after: int


def compact(path: Path, config: StoreConfig, *, now_ns: int) -> Compacted:
    """Compact a store that nobody uses.

    Raises:
        OperatorError: it is damaged, somebody uses it, or the disk cannot hold what is needed.
    """
    report = verify_file(path)
    if not report.ok:
        bad = next(check for check in report.checks if not check.ok)
        raise OperatorError(f"{path}: expected a whole store, but {bad.name}: {bad.text}")
    before = path.stat().st_size
    # Until they are made anew, the file has none: a compaction cut off is then checked as a whole.
    pages.sums_path(path).unlink(missing_ok=True)
    try:
        with closing(sqlite3.connect(path, isolation_level=None, timeout=1.0)) as db:
            db.execute("PRAGMA locking_mode = EXCLUSIVE")
            db.execute("BEGIN IMMEDIATE")
            done = _Compaction(db, path, now_ns)
            bulk = done.trim(now_ns - config.bulk_days * DAY_NS)
            if config.log_days:
                # A seal stays as long as what it vouches for.
                done.archive(now_ns - max(config.log_days, config.bulk_days) * DAY_NS)
            db.execute("COMMIT")
            db.execute("VACUUM")
            db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
            n, chain = db.execute(LAST).fetchone() or (0, GENESIS)
    except (sqlite3.Error, OSError) as error:
        pages.rebuild(path)
        raise OperatorError(f"{path}: cannot be compacted: {error}") from None
    pages.rebuild(path)
    head = HeadFile(path)
    head.write(Head(n=int(n), chain=bytes(chain)))
    head.close()
    return Compacted(done.archived, done.carried, bulk, done.name, before, path.stat().st_size)


class _Compaction:
    """One transaction's work."""

    def __init__(self, db: sqlite3.Connection, path: Path, now_ns: int) -> None:
        self._db = db
        self._path = path
        self._now_ns = now_ns
        last = db.execute(LAST).fetchone()
        self._n: int = last[0] if last is not None else 0
        self._chain: bytes = last[1] if last is not None else GENESIS
        self.archived = self.carried = 0
        self.name = ""

    def _append(self, row: Row, *, at_ns: int, run: str = RUN, seq: int = 0) -> None:
        self._n += 1
        place = (self._n, at_ns, run, seq)
        self._chain = linked(self._chain, place, row)
        named = (row.kind, row.realm, row.subject, row.strategy, row.market, int(row.is_open))
        self._db.execute(INSERT, (*place, *named, row.body, self._chain))
        at = 0 if row.subject else self._n
        refs = [(ref, row.kind, row.realm, row.subject, at) for ref in row.refs]
        self._db.executemany(INSERT_REF, refs)

    def trim(self, before_ns: int) -> int:
        """End bulk rows and folds from before a moment."""
        row = self._db.execute("SELECT max(n) FROM bulk WHERE at_ns < ?", (before_ns,)).fetchone()
        upto = int(row[0] or 0)
        self._db.execute("DELETE FROM folds WHERE last_ns < ?", (before_ns,))
        if not upto:
            return 0
        gone = self._db.execute("DELETE FROM bulk WHERE n <= ?", (upto,)).rowcount
        self._append(trim_row(Trim(upto=upto, before_ns=before_ns)), at_ns=self._now_ns)
        return gone

    def archive(self, before_ns: int) -> None:
        """Move the rows of the chain from before a moment into an archive."""
        cut = int(self._db.execute(_CUT, (before_ns,)).fetchone()[0] or 0)
        if not cut:
            return
        first = int(self._db.execute("SELECT min(n) FROM log").fetchone()[0])
        self.name = f"{self._path.name}.{ARCHIVE.format(first=first, last=cut)}"
        chain, digest = self._write(cut)
        for row in self._db.execute(_CARRIED, (cut,)).fetchall():
            self._carry(row)
        anchor = Anchor(
            last=cut, chain=chain.hex(), archive=self.name, digest=digest, rows=self.archived
        )
        self._append(
            Row(ANCHOR, "", "", "", "", False, msgspec.json.encode(anchor)), at_ns=self._now_ns
        )
        self._db.execute("DELETE FROM log WHERE n <= ?", (cut,))
        self._db.execute("DELETE FROM latest WHERE n <= ?", (cut,))
        self._db.execute(
            "DELETE FROM refs WHERE (n > 0 AND n <= ?) OR (n = 0 AND NOT EXISTS (SELECT 1 FROM "
            "latest WHERE latest.kind = refs.kind AND latest.realm = refs.realm "
            "AND latest.subject = refs.subject))",
            (cut,),
        )

    def _carry(self, row: tuple[Any, ...]) -> None:
        kind, realm, subject, strategy, market, is_open, body, run, seq = row
        kept = Row(kind, realm, subject, strategy, market, bool(is_open), bytes(body))
        self._append(kept, at_ns=self._now_ns, run=run, seq=seq)
        self.carried += 1

    def _write(self, cut: int) -> tuple[bytes, str]:
        """Write the archive; return the digest its last row has, and its own."""
        target = self._path.with_name(self.name)
        fresh = target.with_name(target.name + ".new")
        chain = b""
        with fresh.open("wb") as file:
            fresh.chmod(0o600)
            with zstandard.ZstdCompressor(level=6).stream_writer(file, closefd=False) as packed:
                for row in self._db.execute(_GOING, (cut,)):
                    packed.write(line_of(row).encode() + b"\n")
                    chain = bytes(row[11])
                    self.archived += 1
            file.flush()
        with fresh.open("rb+") as file:
            os.fsync(file.fileno())
            whole = blake2b(digest_size=16)
            while part := file.read(1 << 20):
                whole.update(part)
        fresh.replace(target)
        sync_directory(target.parent)
        return chain, whole.hexdigest()
