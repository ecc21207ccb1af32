"""The account's journal as the doctor sees it: read only, damage named, versions compared."""

import asyncio
import sqlite3
from pathlib import Path

import pytest
from msgspec.structs import replace

from polytui.engine.core.runconfig import StoreConfig
from polytui.engine.shell.doctor import storing
from polytui.engine.shell.doctor.case import StoreFacts
from polytui.engine.shell.doctor.report import Finding, Status
from polytui.engine.shell.doctor.storing import check_store, find, read
from polytui.engine.shell.store.rows import Row
from polytui.engine.shell.store.schema import VERSION
from polytui.engine.shell.store.store import Store
from tests.engine.shell.doctor.rig import case

ROWS = 40


def look(directory: Path) -> StoreFacts:
    return asyncio.run(read(find(StoreConfig(directory=str(directory)))))


def judged(facts: StoreFacts) -> Finding:
    return check_store(case(store=facts))


async def _filled(directory: Path) -> Store:
    store = Store(StoreConfig(directory=str(directory), durability="normal"), run="a-run")
    await store.open()
    for n in range(ROWS):
        row = Row("order", "live", f"c{n}", "box", "m", True, b"{}")
        store.append(row, at_ns=n, seq=n)
    assert await store.flushed()
    return store


def filled(directory: Path) -> Path:
    async def work() -> Path:
        store = await _filled(directory)
        await store.close()
        return store.path

    return asyncio.run(work())


def test_no_store_yet_is_well_and_none_is_made(tmp_path: Path) -> None:
    assert judged(look(tmp_path)).status is Status.OK
    assert list(tmp_path.iterdir()) == []


def test_a_whole_store_is_counted(tmp_path: Path) -> None:
    filled(tmp_path)
    facts = look(tmp_path)
    assert (facts.rows, facts.checked, facts.version, facts.damage) == (ROWS, ROWS, VERSION, "")
    assert judged(facts).status is Status.OK


def test_c12_a_store_too_large_for_a_whole_look_is_compared_page_by_page(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = filled(tmp_path)
    monkeypatch.setattr(storing, "QUICK_BYTES", 4_096)
    assert look(tmp_path).damage == ""
    with path.open("r+b") as file:
        file.seek(path.stat().st_size - 1)
        file.write(b"\xa5")
    assert "not as written: page" in look(tmp_path).damage


def test_a_store_that_an_engine_writes_is_read_without_being_held_up(tmp_path: Path) -> None:
    async def work() -> tuple[StoreFacts, bool]:
        store = await _filled(tmp_path)
        facts = await read(find(StoreConfig(directory=str(tmp_path))))
        store.append(Row("order", "live", "c", "box", "m", True, b"{}"), at_ns=1, seq=1)
        went_on = await store.flushed()
        await store.close()
        return facts, went_on

    facts, went_on = asyncio.run(work())
    assert (facts.rows, facts.damage, went_on) == (ROWS, "", True)


def test_c12_d14_a_changed_row_fails_and_names_it(tmp_path: Path) -> None:
    path = filled(tmp_path)
    with sqlite3.connect(path) as db:
        db.execute("UPDATE log SET body = ? WHERE n = 17", (b'{"x":1}',))
    db.close()
    finding = judged(look(tmp_path))
    assert finding.status is Status.FAIL
    assert "row 17" in finding.found


def test_c12_a_file_that_is_no_database_fails_and_stays_where_it_is(tmp_path: Path) -> None:
    path = filled(tmp_path)
    path.write_bytes(b"no database at all" * 400)
    finding = judged(look(tmp_path))
    assert finding.status is Status.FAIL
    assert path.exists(), "only the engine puts a damaged store aside"


def test_c25_a_newer_store_fails_and_an_older_one_says_that_it_will_change(tmp_path: Path) -> None:
    path = filled(tmp_path)
    facts = look(tmp_path)
    newer = judged(replace(facts, version=VERSION + 1))
    assert newer.status is Status.FAIL
    assert judged(replace(facts, version=VERSION - 1)).status is Status.WARN
    assert str(path.parent) in judged(replace(facts, version=VERSION - 1)).remedy


def test_a_store_open_to_others_fails(tmp_path: Path) -> None:
    path = filled(tmp_path)
    path.chmod(0o644)
    assert judged(look(tmp_path)).status is Status.FAIL


def test_what_was_put_aside_earlier_is_mentioned_once_all_else_is_well(tmp_path: Path) -> None:
    filled(tmp_path)
    (tmp_path / "account.db.damaged-17").write_bytes(b"")
    (tmp_path / "account.db.damaged-17-wal").write_bytes(b"")
    finding = judged(look(tmp_path))
    assert finding.status is Status.WARN
    assert "account.db.damaged-17" in finding.found
    assert "-wal" not in finding.found
