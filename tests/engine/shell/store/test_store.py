import asyncio
import sqlite3
import threading
from collections.abc import Coroutine
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from polytui.engine.core.commands import RecordControl
from polytui.engine.core.errors import OperatorError
from polytui.engine.core.order_enums import (
    Control,
    OrderState,
    Realm,
    TradeStatus,
)
from polytui.engine.decide.governor import Governor
from polytui.engine.shell.store.head import Head, HeadFile
from polytui.engine.shell.store.opening import verify
from polytui.engine.shell.store.restore import restore_account, restore_controls
from polytui.engine.shell.store.rows import Row
from polytui.engine.shell.store.store import FILE_NAME, Store
from tests.engine.decide import gate
from tests.engine.decide.gate import LIMITS
from tests.support.stores import DAY_NS, NOW_NS, opened, order, trade


def run(work: Coroutine[Any, Any, None]) -> None:
    asyncio.run(work)


def test_the_latest_record_of_an_order_is_what_a_restart_is_told(tmp_path: Path) -> None:
    async def work() -> None:
        store = await opened(tmp_path)
        for state in (OrderState.JOURNALLED, OrderState.SENT, OrderState.LIVE):
            store.keep(order("a", state), at_ns=NOW_NS)
        store.keep(order("b", OrderState.MATCHED), at_ns=NOW_NS)
        assert await store.durable(store.ticket)
        await store.close()
        again = await opened(tmp_path)
        told = await restore_account(again.database, Realm.LIVE, now_ns=NOW_NS)
        assert [(o.cid, o.state) for o in told.orders] == [
            ("a", OrderState.LIVE),
            ("b", OrderState.MATCHED),
        ]
        assert (await restore_account(again.database, Realm.PAPER, now_ns=NOW_NS)).orders == ()
        await again.close()

    run(work())


def test_open_orders_and_trades_are_told_however_old_and_terminal_ones_for_their_time(
    tmp_path: Path,
) -> None:
    async def work() -> None:
        store = await opened(tmp_path)
        old_ns = NOW_NS - 30 * DAY_NS
        store.keep(order("open", OrderState.UNKNOWN, at_ns=old_ns), at_ns=old_ns)
        store.keep(order("gone", OrderState.CANCELED, at_ns=old_ns), at_ns=old_ns)
        store.keep(trade("open", "a", TradeStatus.MATCHED, at_ns=old_ns), at_ns=old_ns)
        store.keep(trade("gone", "a", TradeStatus.CONFIRMED, at_ns=old_ns), at_ns=old_ns)
        store.keep(trade("new", "a", TradeStatus.CONFIRMED), at_ns=NOW_NS)
        await store.flushed()
        told = await restore_account(store.database, Realm.LIVE, now_ns=NOW_NS)
        assert [o.cid for o in told.orders] == ["open"]
        assert [t.trade_id for t in told.trades] == ["open", "new"]
        assert told.last_trade_s == NOW_NS // 1_000_000_000
        await store.close()

    run(work())


def test_controls_survive_with_their_last_value(tmp_path: Path) -> None:
    async def work() -> None:
        store = await opened(tmp_path)
        for value in ("1", "2"):
            store.keep(RecordControl(cause=1, key="latch", value=value), at_ns=NOW_NS)
        await store.flushed()
        assert (await restore_controls(store.database)).rows == (("latch", "2"),)
        await store.close()

    run(work())


def test_what_is_durable_is_in_the_file_while_the_writer_still_runs(tmp_path: Path) -> None:
    async def work() -> None:
        store = await opened(tmp_path)
        ticket = store.keep(order("a", OrderState.JOURNALLED), at_ns=NOW_NS)
        assert await store.durable(ticket)
        with closing(sqlite3.connect(tmp_path / FILE_NAME)) as reader:
            assert reader.execute("SELECT count(*) FROM log").fetchone() == (1,)
        await store.close()

    run(work())


@pytest.mark.parametrize(
    "damage",
    [
        "UPDATE log SET body = replace(body, 'box', 'bax') WHERE n = 2",
        "UPDATE log SET is_open = 0 WHERE n = 2",
        "UPDATE log SET at_ns = at_ns + 1 WHERE n = 3",
        "DELETE FROM log WHERE n = 2",
        "UPDATE log SET n = 99 WHERE n = 2",
    ],
)
def test_d14_a_changed_removed_or_moved_row_breaks_the_chain(tmp_path: Path, damage: str) -> None:
    async def work() -> None:
        store = await opened(tmp_path)
        for cid in "abcd":
            store.keep(order(cid, OrderState.LIVE), at_ns=NOW_NS)
        await store.flushed()
        assert await verify(store.database) == ""
        await store.close()
        with closing(sqlite3.connect(tmp_path / FILE_NAME)) as db, db:
            db.execute(damage)
        again = await opened(tmp_path)
        assert again.quarantined is not None
        assert again.quarantined.exists()
        assert (await restore_account(again.database, Realm.LIVE, now_ns=NOW_NS)).orders == ()
        await again.close()

    run(work())


def test_a_store_of_a_newer_version_is_refused_in_one_sentence(tmp_path: Path) -> None:
    async def work() -> None:
        store = await opened(tmp_path)
        await store.close()
        with closing(sqlite3.connect(tmp_path / FILE_NAME)) as db:
            db.execute("PRAGMA user_version = 99")
        with pytest.raises(OperatorError, match="was 99: it was written by a newer polytui"):
            await opened(tmp_path)

    run(work())


def test_c7_after_a_refused_write_nothing_is_durable_and_nothing_is_dropped(tmp_path: Path) -> None:
    async def work() -> None:
        store = await opened(tmp_path)
        store.keep(order("a", OrderState.LIVE), at_ns=NOW_NS)
        await store.flushed()
        await store.database.execute("PRAGMA max_page_count = 1")
        big = Row("control", "", "big", "", "", True, b"x" * 500_000)
        assert not await store.durable(store.append(big, at_ns=NOW_NS, seq=1))
        health = store.health()
        assert (health.ok, health.waiting) == (False, 1)
        assert "full" in health.why
        assert not await store.durable(store.keep(order("b", OrderState.LIVE), at_ns=NOW_NS))
        assert store.health().waiting == 2
        await store.close()

    run(work())


def test_the_queue_fills_visibly_and_loses_nothing(tmp_path: Path) -> None:
    async def work() -> None:
        store = await opened(tmp_path, queue_max=256)
        for _ in range(200):
            store.keep(order("a", OrderState.LIVE), at_ns=NOW_NS)
        assert store.health().fill == pytest.approx(200 / 256)
        await store.flushed()
        assert (store.health().fill, store.health().written) == (0.0, 200)
        await store.close()

    run(work())


def gate_on(store: Store) -> Control | None:
    """Ask the gate for an order while the journal is as it is now."""
    health = store.health()
    host = {"host__journal_ok": health.ok, "host__journal_fill": health.fill}
    refusal = Governor(LIMITS).check(gate.order(None), gate.facts(**host))
    return None if refusal is None else refusal.control


def test_c11_a_writer_that_stands_still_holds_neither_loop_nor_rows_and_closes_the_gate(
    tmp_path: Path,
) -> None:
    """388 turns of a loop that sleeps a millisecond each: another program holds the file."""

    async def work() -> None:
        store = await opened(tmp_path, queue_max=256)
        with closing(sqlite3.connect(store.path, isolation_level=None)) as other:
            other.execute("BEGIN IMMEDIATE")
            assert gate_on(store) is None
            asked = []
            for number in range(388):
                ticket = store.keep(order(f"o{number}", OrderState.SENT), at_ns=NOW_NS)
                asked.append(asyncio.create_task(store.durable(ticket)))
                expected = None if number < 127 else Control.JOURNAL
                assert gate_on(store) is expected, number
                await asyncio.sleep(0.001)
            assert not any(task.done() for task in asked), "nothing is durable yet"
            assert (store.health().ok, store.health().waiting) == (True, 388)
            other.execute("ROLLBACK")
        assert all(await asyncio.gather(*asked))
        assert gate_on(store) is None
        assert (store.health().written, store.health().lost) == (388, 0)
        told = await restore_account(store.database, Realm.LIVE, now_ns=NOW_NS)
        assert [o.cid for o in told.orders] == [f"o{number}" for number in range(388)]
        await store.close()

    run(work())


def test_c11_a_head_that_the_disk_does_not_take_holds_up_no_turn(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def work() -> None:
        store = await opened(tmp_path)
        began, go_on = asyncio.Event(), threading.Event()
        loop, write = asyncio.get_running_loop(), HeadFile.write

        def stalled(head: HeadFile, what: Head) -> None:
            loop.call_soon_threadsafe(began.set)
            assert go_on.wait(4)
            write(head, what)

        monkeypatch.setattr(HeadFile, "write", stalled)
        asked = asyncio.create_task(
            store.durable(store.keep(order("a", OrderState.SENT), at_ns=NOW_NS))
        )
        await began.wait()
        assert not asked.done(), "what the head does not say is not called durable"
        go_on.set()
        assert await asked
        await store.close()

    run(work())
