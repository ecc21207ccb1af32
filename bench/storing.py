"""The store beside plain sqlite3: how long an acknowledged row takes, and how many fit in a second.

Both write the same rows of orders into the same tables with the same durability, each row or batch
a transaction of its own. Ours also chains every row, keeps the head, notes what each page becomes,
and does it from another thread, so that the engine's loop never waits; what it costs the loop is
a figure of its own.
"""

import asyncio
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from tempfile import TemporaryDirectory
from time import perf_counter_ns, thread_time_ns
from typing import Any, Final

from bench.measure import spread
from bench.report import Result
from polytui.engine.core.runconfig import StoreConfig
from polytui.engine.shell.store.rows import GENESIS, Row
from polytui.engine.shell.store.schema import (
    INSERT,
    INSERT_REF,
    MIGRATIONS,
    PRAGMAS,
    SYNCHRONOUS,
    VERSION,
)
from polytui.engine.shell.store.store import BATCH_MAX, Store

BODY: Final = b'{"state":"sent","edges":[' + b'"0123456789",' * 60 + b"0]}"
"""As long as the record of an order with five edges."""
BURST: Final = 4_096
"""Rows handed over at once: half of the queue at which the gate closes."""
BASELINE: Final = "plain sqlite3, same rows, tables and durability"


def run_store(*, quick: bool) -> Iterator[Result]:
    """Commit rows one by one, then in bursts, at both durabilities, in turns with the baseline."""
    ones, bursts = (100, 3) if quick else (1_000, 20)
    for durability in SYNCHRONOUS:
        with TemporaryDirectory(prefix="pt-", dir=".") as name:
            config = StoreConfig(directory=f"{name}/store", durability=durability)
            with closing(Plain(Path(name) / "plain.db", durability)) as plain:
                ours, theirs, loop_ns = asyncio.run(_race(config, plain, ones, bursts))
        yield from _told(durability, ours, theirs)
        yield Result(
            name=f"store/loop/{durability}",
            value=loop_ns / 1_000,
            unit="us a row",
            n=bursts * BURST,
            stream=f"bursts of {BURST} rows, processor time of the engine's thread",
        )


Times = tuple[list[int], list[int]]
"""Nanoseconds of each single commit, and of each burst."""


def _told(durability: str, ours: Times, theirs: Times) -> Iterator[Result]:
    ours_one, theirs_one = spread(ours[0]), spread(theirs[0])
    yield Result(
        name=f"store/commit/{durability}",
        value=ours_one.p50_us,
        unit="us, median",
        n=len(ours[0]),
        stream="one row, until it is acknowledged",
        spread=ours_one,
        baseline=f"{BASELINE}: p50 {theirs_one.p50_us:.0f}, p99 {theirs_one.p99_us:.0f} us",
        ratio=ours_one.p50_us / theirs_one.p50_us,
        note=f"p99 {ours_one.p99_us / theirs_one.p99_us:.2f} of the baseline's",
    )
    best, rival = min(ours[1]) / BURST, min(theirs[1]) / BURST
    yield Result(
        name=f"store/rows/{durability}",
        value=best / 1_000,
        unit="us a row",
        n=len(ours[1]) * BURST,
        stream=f"bursts of {BURST} rows, the best",
        per_s=1e9 / best,
        baseline=f"{BASELINE}, {BATCH_MAX} rows a transaction: {1e9 / rival:.0f} rows/s",
        ratio=best / rival,
    )


def _row(n: int) -> Row:
    return Row("order", "live", f"cid-{n}", "box", "0xm", True, BODY, (f"0x{n:064x}",))


async def _race(
    config: StoreConfig, plain: "Plain", ones: int, bursts: int
) -> tuple[Times, Times, float]:
    """Return our times, the baseline's, and the loop's processor time a row of our bursts."""
    store = Store(config, run="bench")
    await store.open()
    ours, theirs, number = (list[int](), list[int]()), (list[int](), list[int]()), 0
    for _ in range(ones):
        began_ns = perf_counter_ns()
        number += 1
        assert await store.durable(store.append(_row(number), at_ns=number, seq=number))
        ours[0].append(perf_counter_ns() - began_ns)
        theirs[0].append(plain.commit(1, times=1))
    loop_ns = 0
    for _ in range(bursts):
        began_ns, cpu_ns = perf_counter_ns(), thread_time_ns()
        for _ in range(BURST):
            number += 1
            store.append(_row(number), at_ns=number, seq=number)
        assert await store.flushed()
        ours[1].append(perf_counter_ns() - began_ns)
        loop_ns += thread_time_ns() - cpu_ns
        theirs[1].append(plain.commit(BATCH_MAX, times=BURST // BATCH_MAX))
    await store.close()
    return ours, theirs, loop_ns / (bursts * BURST)


class Plain:
    """The same tables, written by sqlite3 alone."""

    def __init__(self, path: Path, durability: str) -> None:
        """Make them."""
        self._number = 0
        self._db = sqlite3.connect(path, isolation_level=None)
        for pragma in (*PRAGMAS, "PRAGMA wal_autocheckpoint = 1000", SYNCHRONOUS[durability]):
            self._db.execute(pragma)
        for step in range(1, VERSION + 1):
            for statement in MIGRATIONS[step]:
                self._db.execute(statement)

    def close(self) -> None:
        """Let go of it."""
        self._db.close()

    def commit(self, count: int, *, times: int) -> int:
        """Commit so many rows so many times; return how long it took."""
        began_ns = perf_counter_ns()
        for _ in range(times):
            rows: list[tuple[Any, ...]] = []
            refs: list[tuple[Any, ...]] = []
            for _ in range(count):
                self._number += 1
                n, row = self._number, _row(self._number)
                named = (row.kind, row.realm, row.subject, row.strategy, row.market, 1)
                rows.append((n, n, "bench", n, *named, row.body, GENESIS))
                refs.append((row.refs[0], row.kind, row.realm, row.subject, 0))
            self._db.execute("BEGIN")
            self._db.executemany(INSERT, rows)
            self._db.executemany(INSERT_REF, refs)
            self._db.execute("COMMIT")
        return perf_counter_ns() - began_ns
