"""What a store says of itself: every byte as written, or not; and what happens when it is not."""

import asyncio
import json
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Coroutine
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
import zstandard

from polytui.engine.core.errors import OperatorError
from polytui.engine.core.order_enums import OrderState, Realm, TradingState
from polytui.engine.decide.causes import Cause, Clears
from polytui.engine.shell.store import journal, pages
from polytui.engine.shell.store.bulk import Trim
from polytui.engine.shell.store.compact import compact
from polytui.engine.shell.store.restore import restore_account, restore_controls
from polytui.engine.shell.store.rows import Row
from polytui.engine.shell.store.schema import MIGRATIONS, VERSION
from polytui.engine.shell.store.store import FILE_NAME, OVERFLOW, Store
from polytui.engine.shell.store.verify import verify_file
from polytui.engine.shell.why.asking import why
from tests.support.stores import (
    DAY_NS,
    NOW_NS,
    SCAN,
    config,
    copy,
    first_version,
    found_wrong,
    opened,
    order,
    written,
)


def run(work: Coroutine[Any, Any, None]) -> None:
    asyncio.run(work)


@pytest.mark.parametrize(
    ("damage", "where"),
    [
        ("UPDATE log SET body = x'00' WHERE n = 3", "chain"),
        ("UPDATE bulk SET margin_u6 = 9 WHERE n = 2", "flushes"),
        ("DELETE FROM bulk WHERE n = 2", "flushes"),
        ("UPDATE folds SET count = 99", "folds"),
        ("UPDATE latest SET n = 1 WHERE kind = 'order'", "latest"),
        ("DROP INDEX log_place", "schema"),
        ("DELETE FROM log WHERE n > 30", "head"),
    ],
)
def test_d14_who_rewrites_rows_is_found_though_the_digests_of_pages_were_made_anew(
    tmp_path: Path, damage: str, where: str
) -> None:
    async def work() -> None:
        await (await written(tmp_path)).close()

    run(work())
    path = tmp_path / FILE_NAME
    with closing(sqlite3.connect(path)) as db, db:
        db.execute(damage)
    assert found_wrong(verify_file(path))[0] == "pages"
    pages.rebuild(path)
    assert where in found_wrong(verify_file(path))


def test_a_running_stores_file_can_be_verified_and_moving_its_pages_changes_nothing(
    tmp_path: Path,
) -> None:
    async def work() -> None:
        store = await written(tmp_path)
        assert verify_file(store.path).ok
        await store._move_pages(store.database)
        store.keep(order("more"), at_ns=NOW_NS)
        await store.flushed()
        assert verify_file(store.path).ok
        assert store.health().ok
        await store.close()
        assert verify_file(store.path).ok

    run(work())


@pytest.mark.parametrize("step", ["noted", "moved"])
def test_c10_a_move_of_pages_that_was_cut_off_is_finished_by_the_next_start(
    tmp_path: Path, step: str
) -> None:
    home, left = tmp_path / "home", tmp_path / "left"

    async def work() -> None:
        store = await written(home)
        assert pages.foresee(store.path)
        if step == "moved":
            await store.database.execute("PRAGMA wal_checkpoint(PASSIVE)")
        copy(home, left)
        await store.close()
        assert verify_file(left / FILE_NAME).ok
        again = await opened(left)
        assert again.quarantined is None
        assert again.damage == ""
        await again.close()
        assert verify_file(left / FILE_NAME).ok

    run(work())


# --- what a start does with it -------------------------------------------------------------------


async def causes_of(store: Store, realm: Realm) -> list[Cause]:
    import msgspec

    rows = dict((await restore_controls(store.database)).rows)
    return msgspec.json.decode(rows[f"causes.{realm.value}"], type=list[Cause])


def test_c12_a_damaged_store_is_put_aside_and_both_accounts_stay_halted_until_a_person_looks(
    tmp_path: Path,
) -> None:
    async def work() -> None:
        await (await written(tmp_path)).close()
        path = tmp_path / FILE_NAME
        data = bytearray(path.read_bytes())
        data[len(data) // 2] ^= 4
        path.write_bytes(data)
        store = await opened(tmp_path)
        assert store.quarantined is not None
        assert store.quarantined.read_bytes() == bytes(data)
        await store.close()
        again = await opened(tmp_path)
        assert again.quarantined is None
        for realm in Realm:
            (cause,) = await causes_of(again, realm)
            assert (cause.name, cause.state) == ("STORE", TradingState.HALTED)
            assert cause.clears is Clears.PERSON
        assert (await restore_account(again.database, Realm.LIVE, now_ns=NOW_NS)).orders == ()
        await again.close()

    run(work())


def test_a_store_that_lost_its_newest_rows_keeps_the_others_and_halts(tmp_path: Path) -> None:
    home, left = tmp_path / "home", tmp_path / "left"

    async def work() -> None:
        store = await opened(home)
        store.keep(order("a"), at_ns=NOW_NS)
        await store.flushed()
        copy(home, left)
        store.keep(order("b"), at_ns=NOW_NS)
        await store.close()
        shutil.copy(home / f"{FILE_NAME}.head", left)
        short = await opened(left)
        assert short.quarantined is None
        assert "rows 2 to 2 were written and are gone" in short.damage
        told = await restore_account(short.database, Realm.LIVE, now_ns=NOW_NS)
        assert [o.cid for o in told.orders] == ["a"]
        assert (await causes_of(short, Realm.LIVE))[0].clears is Clears.PERSON
        await short.close()

    run(work())


def test_a_store_whose_file_is_gone_is_missed(tmp_path: Path) -> None:
    async def work() -> None:
        await (await written(tmp_path)).close()
        (tmp_path / FILE_NAME).unlink()
        store = await opened(tmp_path)
        assert "the file is gone" in store.damage
        assert store.health().ok
        await store.close()

    run(work())


def test_c25_a_file_of_the_first_version_is_brought_forward_with_its_chain(tmp_path: Path) -> None:
    path = first_version(tmp_path, "a", "b")
    assert verify_file(path).ok

    async def work() -> None:
        store = await opened(tmp_path)
        told = await restore_account(store.database, Realm.LIVE, now_ns=NOW_NS)
        assert [o.cid for o in told.orders] == ["a", "b"]
        store.keep(order("c"), at_ns=NOW_NS)
        await store.close()

    run(work())
    report = verify_file(path)
    assert (report.ok, report.version, report.rows) == (True, VERSION, 3)
    with closing(sqlite3.connect(path)) as db:
        refs = db.execute("SELECT ref, subject FROM refs ORDER BY ref").fetchall()
    assert refs == [("0xhasha", "a"), ("0xhashb", "b"), ("0xhashc", "c")]


def test_c25_a_file_that_an_older_polytui_left_is_brought_forward_and_understood(
    tmp_path: Path,
) -> None:
    """`version_1.db.zst` was written by the first version itself."""
    path = tmp_path / FILE_NAME
    packed = Path(__file__).with_name("version_1.db.zst").read_bytes()
    path.write_bytes(zstandard.decompress(packed))
    assert verify_file(path).version == 1

    async def work() -> None:
        store = await opened(tmp_path)
        assert store.damage == ""
        told = await restore_account(store.database, Realm.LIVE, now_ns=NOW_NS)
        assert [(o.cid, o.state.value) for o in told.orders] == [
            ("v1-7-1", "live"),
            ("v1-7-2", "unknown"),
            ("v1-8-1", "canceled"),
        ]
        assert [t.trade_id for t in told.trades] == ["t1"]
        assert [p.cost_u6 for p in told.positions] == [480_000]
        assert (await restore_controls(store.database)).rows == (("latch", "2"),)
        await store.close()

    run(work())
    report = verify_file(path)
    assert (report.ok, report.version, report.rows) == (True, VERSION, 8)
    for name in ("v1-7-1", "0xhashv1-7-1", "t1"):
        assert "t1" in json.dumps(why(path, name)), name
    assert why(path, "v1-7-1")["trades"][0]["ledger"][0]["kind"] == "fill"


def test_c25_a_migration_that_fails_leaves_the_older_version_whole(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = first_version(tmp_path, "a")
    monkeypatch.setitem(MIGRATIONS, VERSION, (*MIGRATIONS[VERSION], "SELECT * FROM no_such_table"))

    async def work() -> None:
        with pytest.raises(OperatorError, match="no such table"):
            await opened(tmp_path)

    run(work())
    monkeypatch.undo()
    with closing(sqlite3.connect(path)) as db:
        assert db.execute("PRAGMA user_version").fetchone() == (VERSION - 1,)
        assert db.execute("SELECT count(*) FROM log").fetchone() == (1,)


# --- full, slow ----------------------------------------------------------------------------------


def test_c7_a_full_disk_halts_and_every_row_that_was_called_durable_is_there(
    tmp_path: Path,
) -> None:
    """SQLITE_FULL for real: the file may not grow."""

    async def work() -> None:
        store = await opened(tmp_path)
        count = await store.database.execute_fetchall("PRAGMA page_count")
        await store.database.execute(f"PRAGMA max_page_count = {next(iter(count))[0] + 12}")
        durable: list[str] = []
        for number in range(400):
            ticket = store.keep(order(f"o{number}"), at_ns=NOW_NS)
            if not await store.durable(ticket):
                break
            durable.append(f"o{number}")
        health = store.health()
        assert durable
        assert (health.ok, health.waiting) == (False, 1)
        await store.close()
        again = await opened(tmp_path)
        told = await restore_account(again.database, Realm.LIVE, now_ns=NOW_NS)
        assert [o.cid for o in told.orders] == durable
        assert again.damage == ""
        await again.close()

    run(work())


FULL = """
import asyncio, sys
from pathlib import Path
from polytui.engine.shell.store.verify import verify_file
from tests.support.stores import NOW_NS, opened, order
async def main(home):
    store = await opened(home, wal_mb=1)
    durable = 0
    while await store.durable(store.keep(order(f"o{durable}"), at_ns=NOW_NS)):
        durable += 1
    print(durable, store.health().why)
    await store.close()
    report = verify_file(store.path)
    assert report.ok, report
    assert report.rows >= durable
asyncio.run(main(Path(sys.argv[1])))
"""


@pytest.mark.slow
@pytest.mark.timeout(60)
def test_c7_a_full_tmpfs_loses_nothing_that_was_acknowledged(tmp_path: Path) -> None:
    script = f"mount -t tmpfs -o size=2m none {tmp_path} && {sys.executable} -c '{FULL}' {tmp_path}"
    done = subprocess.run(
        ["unshare", "--mount", "--map-root-user", "sh", "-c", script],
        capture_output=True,
        text=True,
        timeout=50,
        check=False,
    )
    if "unshare" in done.stderr or "mount:" in done.stderr:
        pytest.skip("this machine gives no mount namespace")
    assert done.returncode == 0, done.stderr
    durable, why = done.stdout.split(" ", 1)
    assert int(durable) > 50
    assert "full" in why or "No space" in why or "I/O" in why


def test_c11_a_store_that_cannot_follow_fails_at_its_bound_and_keeps_what_it_took(
    tmp_path: Path,
) -> None:
    async def work() -> None:
        store = await opened(tmp_path, queue_max=256)
        row = Row("event", "", "", "", "", False, b"{}")
        for _ in range(256 * OVERFLOW):
            store.append(row, at_ns=NOW_NS, seq=1)
        assert store.health().fill == OVERFLOW
        assert not store.look([SCAN], [], at_ns=NOW_NS, seq=1)
        store.append(row, at_ns=NOW_NS, seq=1)
        health = store.health()
        assert (health.ok, health.lost) == (False, 1)
        assert health.waiting == 256 * OVERFLOW
        await store.close()

    run(work())


# --- retention -----------------------------------------------------------------------------------


def test_bulk_rows_end_after_their_time_and_what_is_left_still_verifies(tmp_path: Path) -> None:
    async def work() -> None:
        store = await opened(tmp_path)
        for day in range(6):
            store.look([SCAN] * 3, [], at_ns=NOW_NS + day * DAY_NS, seq=day)
        await store.flushed()
        store.retire(NOW_NS + 4 * DAY_NS, at_ns=NOW_NS + 6 * DAY_NS)
        assert store._retiring is not None
        await store._retiring
        left = await store.database.execute_fetchall("SELECT n FROM bulk")
        assert [row[0] for row in left] == [13, 14, 15, 16, 17, 18]
        store.trim(Trim(upto=18, before_ns=0), at_ns=NOW_NS, seq=1)
        await store.close()
        again = await opened(tmp_path)
        again.look([SCAN], [], at_ns=NOW_NS, seq=9)
        await again.close()
        assert verify_file(again.path).ok

    run(work())


def test_compacting_archives_old_rows_keeps_what_a_restart_needs_and_the_chain_verifiable(
    tmp_path: Path,
) -> None:
    async def fill() -> None:
        store = await written(tmp_path, rows=30, at_ns=NOW_NS - 90 * DAY_NS)
        store.keep(order("gone", OrderState.CANCELED), at_ns=NOW_NS - 89 * DAY_NS)
        store.keep(order("young"), at_ns=NOW_NS)
        await store.close()

    run(fill())
    path = tmp_path / FILE_NAME
    done = compact(path, config(tmp_path, log_days=30), now_ns=NOW_NS)
    assert (done.archived, done.carried, done.trimmed) == (35, 30, 8)
    assert (tmp_path / done.archive).stat().st_size > 0
    report = verify_file(path)
    assert report.ok, report

    async def look() -> None:
        store = await opened(tmp_path)
        assert store.damage == ""
        told = await restore_account(store.database, Realm.LIVE, now_ns=NOW_NS)
        assert {o.cid for o in told.orders} == {f"r-{n}-1" for n in range(30)} | {"young"}
        store.keep(order("next"), at_ns=NOW_NS)
        await store.close()

    run(look())
    assert verify_file(path).ok
    with closing(sqlite3.connect(path)) as db, db:
        db.execute(
            "UPDATE log SET body = replace(body, '\"last\"', '\"Last\"') WHERE kind='anchor'"
        )
    pages.rebuild(path)
    assert not verify_file(path).ok


def test_a_damaged_store_is_not_compacted(tmp_path: Path) -> None:
    run(_written_and_closed(tmp_path))
    with closing(sqlite3.connect(tmp_path / FILE_NAME)) as db, db:
        db.execute("UPDATE log SET seq = 99 WHERE n = 5")
    with pytest.raises(OperatorError, match="expected a whole store"):
        compact(tmp_path / FILE_NAME, config(tmp_path), now_ns=NOW_NS)


async def _written_and_closed(directory: Path) -> None:
    await (await written(directory)).close()


# --- looking from outside ------------------------------------------------------------------------


def test_every_view_answers_and_an_order_is_found_under_each(tmp_path: Path) -> None:
    run(_written_and_closed(tmp_path))
    path, said = tmp_path / FILE_NAME, list[str]()
    with closing(sqlite3.connect(path)) as db:
        views = [row[0] for row in db.execute("SELECT name FROM sqlite_master WHERE type='view'")]
    assert len(views) > 20
    for view in views:
        assert journal.query(path, said.append, sql=f"SELECT * FROM {view}") == 0
    said.clear()
    journal.query(path, said.append, sql="SELECT state, px_u6 FROM orders WHERE subject='r-3-1'")
    journal.query(path, said.append, sql="SELECT state FROM order_edges WHERE cid='r-3-1'")
    assert [json.loads(line) for line in said] == [
        {"state": "live", "px_u6": 480_000},
        {"state": "proposed"},
        {"state": "live"},
    ]


@pytest.mark.parametrize(
    "sql", ["DELETE FROM log", "PRAGMA user_version = 9", "ATTACH 'x' AS y", "SELEC 1", "VACUUM"]
)
def test_a_query_can_only_read(tmp_path: Path, sql: str) -> None:
    run(_written_and_closed(tmp_path))
    with pytest.raises(OperatorError, match="expected one SELECT"):
        journal.query(tmp_path / FILE_NAME, lambda _: None, sql=sql)


def test_an_export_holds_every_row_with_its_digest_and_no_byte_that_acts_on_a_terminal(
    tmp_path: Path,
) -> None:
    async def work() -> None:
        store = await opened(tmp_path)
        title = '{"title":"\\u001b[31mred\u202e"}'.encode()
        store.append(Row("market", "", "0xm", "", "0xm", False, title), at_ns=1, seq=1)
        await store.close()

    run(work())
    said: list[str] = []
    journal.export(tmp_path / FILE_NAME, said.append)
    (row,) = (json.loads(line) for line in said)
    assert row["body"]["title"] == "\x1b[31mred\u202e"
    assert len(row["chain"]) == 32
    assert said[0].isascii()
    assert said[0].isprintable()


def test_verifying_says_what_it_looked_at_and_ends_with_a_code(tmp_path: Path) -> None:
    run(_written_and_closed(tmp_path))
    path, said = tmp_path / FILE_NAME, list[str]()
    assert journal.verify(path, said.append, as_json=True) == journal.EXIT_DONE
    told = json.loads(said[0])
    assert told["ok"] is True
    assert len(told["checks"]) == 9
    path.write_bytes(path.read_bytes()[:-1] + b"\x07")
    assert journal.verify(path, said.append, as_json=False) == journal.EXIT_DAMAGED
    assert "NOT as written" in said[1]
