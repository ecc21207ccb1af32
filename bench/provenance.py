"""A store of ten million rows: how long `why` takes, an opening, a restart, and a whole start.

The rows are those of a busy year: orders with their edges, trades, ledger entries, decisions,
events, in the proportions of the order path, chained and indexed as the engine writes them.
"""

import asyncio
import os
import sqlite3
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import closing
from itertools import islice
from pathlib import Path
from statistics import median
from time import perf_counter_ns
from typing import Any

from bench.processes import engine, polytui
from bench.report import Result
from polytui.engine.core.order_enums import Realm
from polytui.engine.core.runconfig import StoreConfig
from polytui.engine.shell.clock import read_wall_ns
from polytui.engine.shell.store import pages
from polytui.engine.shell.store.bulk import FoldRow, fold_params
from polytui.engine.shell.store.files import FILE_NAME
from polytui.engine.shell.store.head import Head, HeadFile
from polytui.engine.shell.store.restore import restore_account, restore_controls
from polytui.engine.shell.store.rows import GENESIS, Row, linked
from polytui.engine.shell.store.schema import INSERT, INSERT_REF, MIGRATIONS, PUT_FOLD, VERSION
from polytui.engine.shell.store.store import Store
from polytui.engine.shell.why.asking import why, whynot

ROWS, QUICK_ROWS = 10_000_000, 200_000
PER_ORDER = 10
"""Rows of one order: decision, four states, an answer, a trade twice, an entry, a position."""
RUN = "20260101-000000-1"
STRATEGIES, MARKETS = ("box", "mm", "fair"), 2_000
SPAN_NS = 300 * 86_400 * 10**9
"""The rows are spread over this time, the newest now."""
ROUNDS = 15
STARTS = 3
GOALS_MS = {"why": 100, "whynot": 100, "ready": 3_000}


def run_provenance(*, quick: bool) -> Iterator[Result]:
    """Build the file, then ask it."""
    rows = QUICK_ROWS if quick else ROWS
    with tempfile.TemporaryDirectory(prefix="polytui-store-") as home:
        path = Path(home) / FILE_NAME
        build(path, rows)
        size_mb = path.stat().st_size / 2**20
        yield _result("file", size_mb, "MiB", 1, f"{rows} rows")
        yield from _asked(path, rows)
        yield from _opened(path)
        yield from _typed(path, rows)
        yield from _started(path, rows)


def _asked(path: Path, rows: int) -> Iterator[Result]:
    orders = (rows - MARKETS - 1) // PER_ORDER
    middle, last = orders // 2, orders - 2
    asks: dict[str, Callable[[], object]] = {
        "why order": lambda: why(path, _cid(middle)),
        "why order by hash": lambda: why(path, _hash(last)),
        "why fill": lambda: why(path, f"t{middle}"),
        "why market": lambda: why(path, _market(7)),
        "why strategy": lambda: why(path, "mm"),
        "whynot strategy": lambda: whynot(path, "mm"),
        "whynot market": lambda: whynot(path, "mm", _market(7)),
    }
    for name, ask in asks.items():
        times = []
        for _ in range(ROUNDS):
            began_ns = perf_counter_ns()
            ask()
            times.append((perf_counter_ns() - began_ns) / 1e6)
        yield _result(name.replace(" ", "-"), max(times), "ms", ROUNDS, f"{rows} rows, the worst")


def _opened(path: Path) -> Iterator[Result]:
    async def work() -> tuple[float, float, int]:
        store = Store(StoreConfig(directory=str(path.parent)), run="bench")
        began_ns = perf_counter_ns()
        await store.open()
        opened_ns = perf_counter_ns()
        await restore_controls(store.database)
        told = 0
        for realm in Realm:
            restored = await restore_account(store.database, realm, now_ns=read_wall_ns())
            told += len(restored.orders) + len(restored.trades)
        read_ns = perf_counter_ns()
        assert not store.damage, store.damage
        await store.close()
        return (opened_ns - began_ns) / 1e6, (read_ns - opened_ns) / 1e6, told

    opened_ms, read_ms, told = asyncio.run(work())
    yield _result("open", opened_ms, "ms", 1, "chain tail, head, pages within the budget")
    yield _result("restore", read_ms, "ms", 1, f"{told} orders and trades told")


def _typed(path: Path, rows: int) -> Iterator[Result]:
    """Time `polytui why` as a person types it, and the interpreter alone."""
    orders = (rows - MARKETS - 1) // PER_ORDER
    environment = {**os.environ, "POLYTUI_STORE__DIRECTORY": str(path.parent)}
    commands = {
        "shell-python": [sys.executable, "-c", "pass"],
        "shell-help": polytui("--help"),
        "shell-why": polytui("ctl", "why", _cid(orders // 3)),
        "shell-whynot": polytui("ctl", "whynot", "mm"),
    }
    for name, command in commands.items():
        times = []
        for _ in range(ROUNDS):
            began_ns = perf_counter_ns()
            subprocess.run(
                command, check=True, capture_output=True, cwd=path.parent, env=environment
            )
            times.append(perf_counter_ns() - began_ns)
        said = "from a shell, the median; python and --help are what every command costs"
        yield _result(name, median(times) / 1e6, "ms", ROUNDS, said)


def _started(path: Path, rows: int) -> Iterator[Result]:
    """Time a start of the engine on this store: from the command to an answer on the socket."""
    times = []
    for _ in range(STARTS):
        began_ns = perf_counter_ns()
        with engine({"store.directory": path.parent}):
            times.append((perf_counter_ns() - began_ns) / 1e6)
    yield _result("ready", max(times), "ms", STARTS, f"serve --practice, {rows} rows, the worst")


def _result(what: str, value: float, unit: str, n: int, stream: str) -> Result:
    goal_ms = GOALS_MS.get(what.partition("-")[0])
    return Result(
        name=f"provenance/{what}",
        value=value,
        unit=unit,
        n=n,
        stream=stream,
        goal="" if goal_ms is None else f"at most {goal_ms} ms",
        met=None if goal_ms is None else value <= goal_ms,
    )


# --- the file ------------------------------------------------------------------------------------


def build(path: Path, rows: int) -> None:
    """Write a store of so many rows."""
    began_ns = read_wall_ns() - SPAN_NS
    step_ns = SPAN_NS // rows
    chain, n = GENESIS, 0
    with closing(sqlite3.connect(path, isolation_level=None)) as db:
        for pragma in ("journal_mode = OFF", "synchronous = OFF", "cache_size = -1000000"):
            db.execute(f"PRAGMA {pragma}")
        for step in range(1, VERSION + 1):
            for statement in MIGRATIONS[step]:
                db.execute(statement)
        db.execute(f"PRAGMA user_version = {VERSION}")
        stream = _rows(rows)
        while batch := list(islice(stream, 100_000)):
            db.execute("BEGIN")
            logged, refs = [], []
            for seq, row in batch:
                n += 1
                place = (n, began_ns + n * step_ns, RUN, seq)
                chain = linked(chain, place, row)
                named = (row.kind, row.realm, row.subject, row.strategy, row.market)
                logged.append((*place, *named, int(row.is_open), row.body, chain))
                at = 0 if row.subject else n
                refs += [(ref, row.kind, row.realm, row.subject, at) for ref in row.refs]
            db.executemany(INSERT, logged)
            db.executemany(INSERT_REF, refs)
            db.execute("COMMIT")
        db.execute("BEGIN")
        db.executemany(PUT_FOLD, _folds(began_ns))
        db.execute("COMMIT")
        db.execute("PRAGMA journal_mode = WAL")
    pages.rebuild(path)
    head = HeadFile(path)
    head.write(Head(n=n, chain=chain))
    head.close()


def _cid(order: int) -> str:
    return f"{RUN}-{order * PER_ORDER + 1}-1"


def _hash(order: int) -> str:
    return f"0x{order * 0x9E3779B97F4A7C15 % 2**64:064x}"


def _market(number: int) -> str:
    return f"0x{number:064x}"


def _rows(count: int) -> Iterator[tuple[int, Row]]:
    """Yield (seq, row): markets and the run first, then orders from decision to position."""
    yield 1, Row("run", "", RUN, "", "", False, b'{"version":"0","config_hash":"c","config":{}}')
    for number in range(MARKETS):
        name = _market(number)
        body = (
            f'{{"market":"{name}","title":"Market {number}?","slug":"m-{number}","tokens":["tok"]}}'
        ).encode()
        yield 2, Row("market", "", name, "", name, False, body, (f"m-{number}",))
    for order in range((count - MARKETS - 1) // PER_ORDER):
        yield from _order(order)


def _order(order: int) -> Iterator[tuple[int, Row]]:
    seq = order * PER_ORDER + 1
    who, where = STRATEGIES[order % 3], _market(order * 7_919 % MARKETS)
    cid, name, trade = _cid(order), _hash(order), f"t{order}"
    draft = (
        f'"draft":{{"strategy":"{who}","market":"{where}","group":"","token":"tok",'
        f'"outcome":"yes","side":"buy","px_u6":480000,"qty_u6":10000000,"order_type":"FAK",'
        f'"purpose":"open","snapshot":{seq},"bundle":"","leg":0,"why":"edge"}}'
    )
    decided = (
        f'{{"decision":{{"strategy":"{who}","market":"{where}","snapshot":{seq},"at_ns":{seq},'
        '"verdict":"intent","reason":"ok","score_u6":2100,"threshold_u6":1500,'
        '"unit":"usd/share","family":"net_edge","intents":[]},"mode":"paper","config":"c"}'
    )
    yield seq, Row("decision", "", "", who, where, False, decided.encode())
    for state in ("journalled", "sent", "live", "matched"):
        edge = f'{{"at_ns":{seq},"seq":{seq},"state":"{state}","witness":"wire","detail":""}}'
        body = (
            f'{{"realm":"live","cid":"{cid}","order_hash":"{name}","state":"{state}",'
            f'"created_ns":{seq},"updated_ns":{seq},{draft},"terms":null,"edges":[{edge}]}}'
        )
        refs = (name,) if state == "journalled" else ()
        yield seq, Row("order", "live", cid, who, where, False, body.encode(), refs)
    event = f'{{"type":"order_answered","cid":"{cid}","outcome":"accepted"}}'
    yield seq + 1, Row("event", "live", "", "", "", False, event.encode(), (cid,))
    change = (
        f'"change":{{"kind":"provisional","realm":"live","at_ns":{seq},"seq":{seq},'
        f'"trade_id":"{trade}","order_hash":"{name}","cid":"{cid}","token":"tok",'
        f'"strategy":"{who}","market":"{where}","side":"buy",'
        f'"outcome":"yes","px_u6":480000,"qty_u6":10000000,"cash_u6":4800000,"fee_u6":0,'
        f'"is_maker":false,"snapshot":{seq}}}'
    )
    for status, applied in (("matched", "provisional"), ("confirmed", "promoted")):
        body = (
            f'{{"realm":"live","trade_id":"{trade}","order_hash":"{name}","cid":"{cid}",'
            f'"status":"{status}","applied":"{applied}","first_ns":{seq},"updated_ns":{seq},'
            f"{change}}}"
        )
        names = (name, cid) if status == "matched" else ()
        subject = f"{trade}:{name}"
        yield seq + 2, Row("trade", "live", subject, who, where, False, body.encode(), names)
    entry = '{"kind":"fill","at_ns":1,"postings":[{"account":"fees","asset":"pUSD","amount_u6":0}]}'
    ref = f"{trade}/{name}"
    yield seq + 2, Row("entry", "live", "", who, where, False, entry.encode(), (ref,))
    held = (
        f'{{"realm":"live","strategy":"{who}","market":"{where}","group":"","token":"tok",'
        '"outcome":"yes","confirmed_u6":1,"cost_u6":0,"realized_u6":1,"fees_u6":0}'
    )
    yield seq + 2, Row("position", "live", f"{who}:tok", who, where, False, held.encode())


def _folds(began_ns: int) -> Iterator[tuple[Any, ...]]:
    for number in range(MARKETS):
        for place, reason in enumerate(("edge_below_buffer", "one_sided", "stale_book")):
            for who in STRATEGIES:
                fold = FoldRow(
                    strategy=who,
                    market=_market(number),
                    reason=reason,
                    verdict="hold" if place < 2 else "blocked",
                    count=number + 1,
                    first_ns=began_ns,
                    last_ns=began_ns + SPAN_NS,
                    best_ns=began_ns,
                    best_snapshot=number,
                    score_u6=number,
                    threshold_u6=2_000,
                    margin_u6=number - 2_000,
                    unit="usd/share",
                    family="net_edge",
                )
                yield fold_params(RUN, fold)
