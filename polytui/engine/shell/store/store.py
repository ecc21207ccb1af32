"""The one seam to the database: append without waiting, ask when it is durable, read back.

Rows go into a bounded queue; one task writes them in batches, one transaction each, and the batch
that fails ends the store for good: an fsync that failed once is never tried again, because the
second may claim success for pages that are gone. A store that is full or has failed says so
(`ok`, `fill`), the gate closes, and nothing is dropped: what was not written stays counted. Past
four times the bound the store fails, so that memory has an end too; nobody was told that such rows
are durable.
"""

import asyncio
import sqlite3
from collections import deque
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, Final

import aiosqlite
import msgspec
from msgspec import Struct

from polytui.engine.core.commands import Command
from polytui.engine.core.errors import OperatorError
from polytui.engine.core.runconfig import StoreConfig
from polytui.engine.shell.clock import read_wall_ns
from polytui.engine.shell.store import files, pages
from polytui.engine.shell.store.bulk import (
    BulkRow,
    FoldRow,
    Seal,
    Trim,
    bulk_params,
    fold_params,
    seal_row,
    sealed,
    trim_row,
)
from polytui.engine.shell.store.distrust import distrust
from polytui.engine.shell.store.head import Head, HeadFile
from polytui.engine.shell.store.opening import close_as_is, move_pages, open_database
from polytui.engine.shell.store.rows import GENESIS, Row, linked, rows_of
from polytui.engine.shell.store.schema import (
    INSERT,
    INSERT_BULK,
    INSERT_REF,
    LAST,
    OLDEST_BULK,
    PUT_FOLD,
    SYNCHRONOUS,
)
from polytui.engine.shell.store.wal import has_log, wal_path

BATCH_MAX: Final = 512
FILE_NAME: Final = files.FILE_NAME
OVERFLOW: Final = 4
"""Times the queue's bound at which the store fails."""
LOOK_COMMITS: Final = 16
"""Commits between two looks at the size of the write-ahead log."""
MIB: Final = 1 << 20
RETIRE_ROWS: Final = 8_192
"""Bulk rows that end in one transaction at most, more than a flush has."""


class _Flush(Struct, frozen=True, gc=False):
    """Bulk rows that go with a row of the chain, in its transaction."""

    bulk: list[tuple[Any, ...]] = []
    folds: list[tuple[Any, ...]] = []
    trim: Trim | None = None


_Item = tuple[tuple[Any, ...], list[tuple[Any, ...]], _Flush | None]
"""(columns of a row of the chain, its names, what goes with it)."""


class StoreHealth(Struct, frozen=True, kw_only=True):
    """What the gate and the screens need to know."""

    ok: bool
    why: str
    waiting: int
    fill: float
    """Share of the queue in use, 0 … 1 and above."""
    written: int
    """Rows since the start."""
    commits: int
    lost: int = 0
    """Rows refused because it had failed and its queue was full."""


class Store:
    """One database, one writer."""

    def __init__(self, config: StoreConfig, *, run: str) -> None:
        """Nothing is opened before `open`."""
        self._config = config
        self._run = run
        self.path = Path(config.directory) / FILE_NAME
        self._db: aiosqlite.Connection | None = None
        self._queue: deque[_Item] = deque()
        self._awake = asyncio.Event()
        self._waiters: deque[tuple[int, asyncio.Future[bool]]] = deque()
        self._task: asyncio.Task[None] | None = None
        self._n = 0
        """Of the last row accepted."""
        self._chain = GENESIS
        self._durable = 0
        """Of the last row that is on the disk."""
        self._why = ""
        self._written = 0
        self._commits = 0
        self._lost = 0
        self._retiring: asyncio.Task[None] | None = None
        self._head: HeadFile | None = None
        self._beside = ThreadPoolExecutor(1, "store-head")
        """Writes the head: a disk that stalls must not hold the loop, nor wait for others' work."""
        self._bulk = 0
        """Of the last bulk row accepted."""
        self.quarantined: Path | None = None
        """Where a damaged database was put at opening."""
        self.damage = ""
        """What was wrong with it, or which rows are missing from this one."""

    # --- opening ---------------------------------------------------------------------------------

    async def open(self) -> None:
        """Open or make the database; a damaged one is put aside, never used and never deleted.

        Raises:
            OperatorError: the directory or file cannot be used, or it is of a newer polytui.
        """
        opened = await open_database(self.path)
        self._db, self.quarantined, self.damage = opened.db, opened.aside, opened.damage
        try:
            await self._db.execute(SYNCHRONOUS[self._config.durability])
            async with self._db.execute(LAST) as rows:
                last = await rows.fetchone()
            async with self._db.execute("SELECT max(n) FROM bulk") as rows:
                bulk = await rows.fetchone()
            self._head = HeadFile(self.path)
        except (sqlite3.Error, OSError) as error:
            await self._db.close()
            raise OperatorError(f"{self.path}: expected a readable store, but: {error}.") from None
        if last is not None:
            self._n, self._chain = int(last[0]), bytes(last[1])
        self._bulk = await self._last_bulk(int(bulk[0] or 0) if bulk is not None else 0)
        self._durable = self._n
        self._task = asyncio.create_task(self._write(self._db))
        if self.damage:
            await self._distrust()

    async def _last_bulk(self, found: int) -> int:
        """Find the number of the last bulk row, those that ended included."""
        sql = "SELECT body FROM log WHERE kind = 'trim' ORDER BY n DESC LIMIT 1"
        async with self.database.execute(sql) as rows:
            row = await rows.fetchone()
        upto = msgspec.json.decode(bytes(row[0]), type=Trim).upto if row is not None else 0
        return max(found, upto)

    async def _distrust(self) -> None:
        """Write down that orders may exist that this store does not know: a person must look."""
        at_ns = read_wall_ns()
        for row in await distrust(self.database, self.damage, self.quarantined, at_ns=at_ns):
            self.append(row, at_ns=at_ns, seq=0)
        await self.flushed()

    async def close(self) -> None:
        """Write what waits, then close."""
        if self._retiring is not None:
            self._retiring.cancel()
            await asyncio.gather(self._retiring, return_exceptions=True)
        if self._task is not None:
            await self.flushed()
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
        if self._db is not None:
            if not self._why:
                await self._move_pages(self._db)
            if self._why or (has_log(self.path) and pages.next_path(self.path).exists()):
                await close_as_is(self._db, self.path)
            else:
                await self._db.close()
        self._beside.shutdown()
        if self._head is not None:
            self._head.close()

    @property
    def database(self) -> aiosqlite.Connection:
        """The open connection, for reading."""
        assert self._db is not None, "expected an open store"
        return self._db

    # --- writing ---------------------------------------------------------------------------------

    def keep(self, command: Command, *, at_ns: int) -> int:
        """Take a record; return the ticket that `durable` waits for. Never waits, never raises."""
        for row in rows_of(command):
            self.append(row, at_ns=at_ns, seq=command.cause)
        return self._n

    def append(self, row: Row, *, at_ns: int, seq: int) -> int:
        """Take one row."""
        return self._append(row, None, at_ns=at_ns, seq=seq)

    def _append(self, row: Row, flush: _Flush | None, *, at_ns: int, seq: int) -> int:
        self._n += 1
        if len(self._queue) >= self._config.queue_max * OVERFLOW:
            self._why = self._why or "its queue is full: the disk is too slow"
            self._lost += 1
            return self._n
        place = (self._n, at_ns, self._run, seq)
        self._chain = linked(self._chain, place, row)
        is_open = int(row.is_open)
        subject = (row.kind, row.realm, row.subject, row.strategy, row.market, is_open)
        at = 0 if row.subject else self._n
        refs = [(ref, row.kind, row.realm, row.subject, at) for ref in row.refs]
        self._queue.append(((*place, *subject, row.body, self._chain), refs, flush))
        self._awake.set()
        return self._n

    def look(self, bulk: list[BulkRow], folds: list[FoldRow], *, at_ns: int, seq: int) -> bool:
        """Take what is only looked at; False: there is no room, nothing was taken, ask later."""
        if self._why or len(self._queue) * 4 >= self._config.queue_max:
            return False
        if not bulk and not folds:
            return True
        first = self._bulk + 1
        rows = [bulk_params(first + i, at_ns, self._run, row) for i, row in enumerate(bulk)]
        put = [fold_params(self._run, row) for row in folds]
        self._bulk += len(rows)
        digest = sealed(row[-1] for row in rows)
        seal = Seal(first=first, last=self._bulk, digest=digest, folds=len(put))
        self._append(seal_row(seal), _Flush(bulk=rows, folds=put), at_ns=at_ns, seq=seq)
        return True

    def trim(self, trim: Trim, *, at_ns: int, seq: int) -> None:
        """End the bulk rows up to one, and the folds last seen before a moment."""
        self._append(trim_row(trim), _Flush(trim=trim), at_ns=at_ns, seq=seq)

    def retire(self, before_ns: int, *, at_ns: int) -> None:
        """End the bulk rows from before a moment, a few at a time, in a task of its own."""
        if self._retiring is None or self._retiring.done():
            self._retiring = asyncio.create_task(self._retire(before_ns, at_ns))

    async def _retire(self, before_ns: int, at_ns: int) -> None:
        while not self._why:
            async with self.database.execute(OLDEST_BULK) as found:
                rows = list(await found.fetchall())
            old = [int(n) for n, of_ns in rows if of_ns < before_ns]
            # A flush shares one moment, so that the last one read may be cut off: it stays.
            if len(old) == len(rows) == RETIRE_ROWS:
                old = [int(n) for n, of_ns in rows if of_ns < rows[-1][1]]
            if not old:
                return
            self.trim(Trim(upto=old[-1], before_ns=before_ns), at_ns=at_ns, seq=0)
            if not await self.flushed():
                return

    @property
    def ticket(self) -> int:
        """Of the last row accepted."""
        return self._n

    async def durable(self, ticket: int) -> bool:
        """Wait until a row and all before it are on the disk; False: assume that they are not."""
        if ticket <= self._durable:
            return True
        if self._why:
            return False
        waiter: asyncio.Future[bool] = asyncio.get_running_loop().create_future()
        self._waiters.append((ticket, waiter))
        return await waiter

    async def flushed(self) -> bool:
        """Wait for everything accepted so far."""
        return await self.durable(self._n)

    def health(self) -> StoreHealth:
        """Tell how it is."""
        waiting = len(self._queue)
        return StoreHealth(
            ok=not self._why,
            why=self._why,
            waiting=waiting,
            fill=waiting / self._config.queue_max,
            written=self._written,
            commits=self._commits,
            lost=self._lost,
        )

    async def _write(self, db: aiosqlite.Connection) -> None:
        """Write batches until the first failure; then only answer that nothing is durable."""
        while not self._why:
            await self._awake.wait()
            self._awake.clear()
            while self._queue and not self._why:
                await self._write_batch(db)
        self._answer()

    async def _write_batch(self, db: aiosqlite.Connection) -> None:
        batch = [self._queue[i] for i in range(min(len(self._queue), BATCH_MAX))]
        try:
            await db.execute("BEGIN")
            await db.executemany(INSERT, [item[0] for item in batch])
            refs = [ref for item in batch for ref in item[1]]
            if refs:
                await db.executemany(INSERT_REF, refs)
            await self._write_flushes(db, [item[2] for item in batch if item[2]])
            await db.execute("COMMIT")
            assert self._head is not None, "expected a head beside an open database"
            last = batch[-1][0]
            head = Head(n=int(last[0]), chain=last[-1])
            await asyncio.get_running_loop().run_in_executor(self._beside, self._head.write, head)
        except (sqlite3.Error, OSError) as error:
            self._why = str(error)
        else:
            for _ in batch:
                self._queue.popleft()
            self._written += len(batch)
            self._commits += 1
            self._durable = int(batch[-1][0][0])
        self._answer()
        if not self._why and self._commits % LOOK_COMMITS == 0 and self._is_log_long():
            await self._move_pages(db)

    async def _write_flushes(self, db: aiosqlite.Connection, flushes: list[_Flush]) -> None:
        """Write bulk rows and folds, end those whose time is over."""
        for flush in flushes:
            if flush.bulk:
                await db.executemany(INSERT_BULK, flush.bulk)
            if flush.folds:
                await db.executemany(PUT_FOLD, flush.folds)
            if flush.trim is not None:
                await db.execute("DELETE FROM bulk WHERE n <= ?", (flush.trim.upto,))
                await db.execute("DELETE FROM folds WHERE last_ns < ?", (flush.trim.before_ns,))

    def _is_log_long(self) -> bool:
        try:
            return wal_path(self.path).stat().st_size >= self._config.wal_mb * MIB
        except OSError:
            return False

    async def _move_pages(self, db: aiosqlite.Connection) -> None:
        """Move the write-ahead log into the file, with the digests of its pages."""
        try:
            damage = await move_pages(db, self.path)
        except (sqlite3.Error, OSError) as error:
            damage = str(error)
        if damage and not self._why:
            self._why = damage
            self._answer()

    def _answer(self) -> None:
        """Answer whoever waits for what is durable now, or can never be."""
        waiters = self._waiters
        while waiters and (waiters[0][0] <= self._durable or self._why):
            ticket, waiter = waiters.popleft()
            if not waiter.done():
                waiter.set_result(ticket <= self._durable)
