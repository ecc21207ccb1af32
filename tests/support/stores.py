"""Stores to look at: records as the order path makes them, and a file of the first version."""

import shutil
import sqlite3
from contextlib import closing
from pathlib import Path

from polytui.engine.core.commands import RecordEntry, RecordOrder, RecordTrade
from polytui.engine.core.enums import Outcome, Side
from polytui.engine.core.order_enums import (
    Applied,
    Control,
    EntryKind,
    FillKind,
    OrderState,
    OrderType,
    Realm,
    TradeStatus,
    Witness,
)
from polytui.engine.core.runconfig import StoreConfig
from polytui.engine.core.trading import (
    Draft,
    Edge,
    FillChange,
    LedgerEntry,
    OrderRecord,
    PositionRecord,
    Posting,
    Refusal,
    TradeRecord,
)
from polytui.engine.shell.store.bulk import BulkRow, FoldRow
from polytui.engine.shell.store.rows import GENESIS, Row, linked, rows_of
from polytui.engine.shell.store.schema import INSERT, MIGRATIONS
from polytui.engine.shell.store.store import FILE_NAME, Store
from polytui.engine.shell.store.verify import Report

DAY_NS = 86_400 * 1_000_000_000
NOW_NS = 100 * DAY_NS
MARKET = "0xm"


def config(directory: Path, **changes: object) -> StoreConfig:
    return StoreConfig(directory=str(directory), **changes)  # type: ignore[arg-type]  # by field name


async def opened(directory: Path, *, run: str = "r", **changes: object) -> Store:
    store = Store(config(directory, **changes), run=run)
    await store.open()
    return store


FOLD = FoldRow("box", "0xm", "one_sided", "hold", 3, 1, 2, 3, 4, 5, 6, -1, "usd", "net_edge")
SCAN = BulkRow(1, "scan", "box", "0xm", "one_sided", -3, b'{"score_u6":1}')


async def written(directory: Path, *, rows: int = 40, at_ns: int = NOW_NS) -> Store:
    """Open a store and put a little of everything into it."""
    store = await opened(directory)
    for number in range(rows):
        store.keep(order(f"r-{number}-1"), at_ns=at_ns + number)
        if number % 8 == 0:
            assert store.look([SCAN, SCAN], [FOLD], at_ns=at_ns + number, seq=number)
            await store.flushed()
    await store.flushed()
    return store


def found_wrong(report: Report) -> list[str]:
    return [check.name for check in report.checks if not check.ok]


def copy(source: Path, target: Path) -> None:
    target.mkdir(exist_ok=True)
    for part in source.iterdir():
        if not part.name.endswith("-shm"):
            shutil.copy(part, target / part.name)


def order(
    cid: str,
    state: OrderState = OrderState.LIVE,
    *,
    at_ns: int = NOW_NS,
    snapshot: int = 7,
    refused: Control | None = None,
) -> RecordOrder:
    draft = Draft(
        strategy="box",
        market=MARKET,
        group="",
        token="1",
        outcome=Outcome.YES,
        side=Side.BUY,
        px_u6=480_000,
        qty_u6=10_000_000,
        order_type=OrderType.FAK,
        snapshot=snapshot,
        why="a box under a dollar",
    )
    edges = (
        Edge(at_ns=at_ns, seq=snapshot, state=OrderState.PROPOSED, witness=Witness.GATE),
        Edge(at_ns=at_ns + 2_000_000, seq=9, state=state, witness=Witness.REST_ANSWER),
    )
    refusal = None if refused is None else Refusal(control=refused, limit="500", value="612")
    record = OrderRecord(
        realm=Realm.LIVE,
        cid=cid,
        order_hash="0xhash" + cid,
        state=state,
        created_ns=at_ns,
        updated_ns=at_ns,
        draft=draft,
        terms=None,
        refusal=refusal,
        edges=edges,
    )
    return RecordOrder(cause=snapshot, order=record)


def trade(
    trade_id: str,
    cid: str,
    status: TradeStatus = TradeStatus.CONFIRMED,
    *,
    at_ns: int = NOW_NS,
) -> RecordTrade:
    change = FillChange(
        kind=FillKind.PROVISIONAL,
        realm=Realm.LIVE,
        at_ns=at_ns,
        seq=1,
        trade_id=trade_id,
        order_hash="0xhash" + cid,
        cid=cid,
        strategy="box",
        market=MARKET,
        token="1",
        outcome=Outcome.YES,
        side=Side.BUY,
        px_u6=480_000,
        qty_u6=1_000_000,
        cash_u6=480_000,
        fee_u6=2_500,
        is_maker=False,
    )
    record = TradeRecord(
        realm=Realm.LIVE,
        trade_id=trade_id,
        order_hash="0xhash" + cid,
        cid=cid,
        status=status,
        applied=Applied.PROMOTED,
        first_ns=at_ns,
        updated_ns=at_ns,
        change=change,
    )
    return RecordTrade(cause=9, trade=record)


def entry(trade_id: str, cid: str, *, at_ns: int = NOW_NS) -> RecordEntry:
    posted = (
        Posting(account="confirmed", asset="pUSD", amount_u6=-480_000),
        Posting(account="market", asset="pUSD", amount_u6=480_000),
    )
    booked = LedgerEntry(
        realm=Realm.LIVE,
        n=1,
        at_ns=at_ns,
        seq=9,
        kind=EntryKind.FILL,
        ref=f"{trade_id}/0xhash{cid}",
        strategy="box",
        market=MARKET,
        postings=posted,
    )
    held = PositionRecord(
        realm=Realm.LIVE,
        strategy="box",
        market=MARKET,
        group="",
        token="1",
        outcome=Outcome.YES,
        confirmed_u6=1_000_000,
        cost_u6=480_000,
        fees_u6=2_500,
        realized_u6=31_000,
    )
    return RecordEntry(cause=9, entry=booked, positions=(held,))


def first_version(directory: Path, *cids: str) -> Path:
    """Write a file as the first version wrote it, with orders that are open."""
    path, chain, n = directory / FILE_NAME, GENESIS, 0
    with closing(sqlite3.connect(path, isolation_level=None)) as db:
        db.execute("PRAGMA journal_mode = WAL")
        for statement in MIGRATIONS[1]:
            db.execute(statement)
        for cid in cids:
            for row in rows_of(order(cid)):
                n += 1
                place = (n, NOW_NS, "old", n)
                chain = linked(chain, place, row)
                db.execute(INSERT, (*place, *_columns(row), row.body, chain))
        db.execute("PRAGMA user_version = 1")
    return path


def _columns(row: Row) -> tuple[str, str, str, str, str, int]:
    return row.kind, row.realm, row.subject, row.strategy, row.market, int(row.is_open)
