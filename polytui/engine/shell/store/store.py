"""The one seam to the database: append without waiting, ask when it is durable, read back.

Rows go into a bounded queue; one task writes them in batches, one transaction each, and the batch
that fails ends the store for good: an fsync that failed once is never tried again, because the
second may claim success for pages that are gone. A store that is full or has failed says so
(`ok`, `fill`), the gate closes, and nothing is dropped: what was not written stays counted.
"""

import asyncio
import sqlite3
from collections import deque
from pathlib import Path
from typing import Any, Final

import aiosqlite
from msgspec import Struct

from polytui.engine.core.commands import Command
from polytui.engine.core.errors import OperatorError
from polytui.engine.core.runconfig import StoreConfig
from polytui.engine.shell.store.opening import open_database
from polytui.engine.shell.store.rows import GENESIS, Row, linked, rows_of
from polytui.engine.shell.store.schema import INSERT, LAST, SYNCHRONOUS

BATCH_MAX: Final = 512
FILE_NAME: Final = "account.db"


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


class Store:
    """One database, one writer."""

    def __init__(self, config: StoreConfig, *, run: str) -> None:
        """Nothing is opened before `open`."""
        self._config = config
        self._run = run
        self.path = Path(config.directory) / FILE_NAME
        self._db: aiosqlite.Connection | None = None
        self._queue: deque[tuple[Any, ...]] = deque()
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
        self.quarantined: Path | None = None
        """Where a damaged database was put at opening."""

    # --- opening ---------------------------------------------------------------------------------

    async def open(self) -> None:
        """Open or make the database; a damaged one is put aside, never used and never deleted.

        Raises:
            OperatorError: the directory or file cannot be used, or it is of a newer polytui.
        """
        self._db, self.quarantined = await open_database(self.path)
        try:
            await self._db.execute(SYNCHRONOUS[self._config.durability])
            async with self._db.execute(LAST) as rows:
                last = await rows.fetchone()
        except sqlite3.Error as error:
            raise OperatorError(f"{self.path}: expected a readable store, but: {error}.") from None
        if last is not None:
            self._n, self._chain = int(last[0]), bytes(last[1])
        self._durable = self._n
        self._task = asyncio.create_task(self._write(self._db))

    async def close(self) -> None:
        """Write what waits, then close."""
        if self._task is not None:
            await self.flushed()
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
        if self._db is not None:
            await self._db.close()

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
        self._n += 1
        place = (self._n, at_ns, self._run, seq)
        self._chain = linked(self._chain, place, row)
        is_open = int(row.is_open)
        subject = (row.kind, row.realm, row.subject, row.strategy, row.market, is_open)
        self._queue.append((*place, *subject, row.body, self._chain))
        self._awake.set()
        return self._n

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
            await db.executemany(INSERT, batch)
            await db.execute("COMMIT")
        except sqlite3.Error as error:
            self._why = str(error)
        else:
            for _ in batch:
                self._queue.popleft()
            self._written += len(batch)
            self._commits += 1
            self._durable = int(batch[-1][0])
        self._answer()

    def _answer(self) -> None:
        """Answer whoever waits for what is durable now, or can never be."""
        waiters = self._waiters
        while waiters and (waiters[0][0] <= self._durable or self._why):
            ticket, waiter = waiters.popleft()
            if not waiter.done():
                waiter.set_result(ticket <= self._durable)
