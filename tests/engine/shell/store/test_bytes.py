"""Every byte of a store is as written, or a verification says so; what was cut off is no damage."""

import asyncio
import random
import shutil
from pathlib import Path

import pytest

from polytui.engine.shell.store import verify as verifying
from polytui.engine.shell.store.store import FILE_NAME
from polytui.engine.shell.store.verify import verify_file
from tests.support.stores import NOW_NS, copy, found_wrong, order, written

STATES = ("closed", "killed", "moved", "moved and written on")
"""Of the files: the log empty, full, full of what the file has too, and begun again."""


async def left_behind(home: Path, left: Path, state: str) -> None:
    """Write a store and leave its files as they lie in a state."""
    store = await written(home, rows=60)
    if state.startswith("moved"):
        await store._move_pages(store.database)
    if state == "moved and written on":
        for number in range(8):
            store.keep(order(f"more-{number}"), at_ns=NOW_NS)
            await store.flushed()
    if state != "closed":
        copy(home, left)
    await store.close()
    if state == "closed":
        copy(home, left)


@pytest.mark.slow
@pytest.mark.timeout(240)
@pytest.mark.parametrize("state", STATES)
def test_d14_c12_each_of_a_hundred_flipped_bits_is_found(
    tmp_path: Path, state: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Anywhere: rows, indexes, free space, the header, the log, the head, the digests."""
    home, left, hurt = tmp_path / "home", tmp_path / "left", tmp_path / "hurt"
    monkeypatch.setattr(verifying, "nap", lambda _: None)
    asyncio.run(left_behind(home, left, state))
    assert verify_file(left / FILE_NAME).ok
    kept = sorted(part for part in left.iterdir() if not part.name.endswith("-shm"))
    places = [(part, at) for part in kept for at in range(part.stat().st_size)]
    chance = random.Random(20_261_121)
    for _ in range(100):
        copy(left, hurt)
        part, at = chance.choice(places)
        flip(hurt / part.name, at, 1 << chance.randrange(8))
        assert not verify_file(hurt / FILE_NAME).ok, f"byte {at} of {part.name}"
        shutil.rmtree(hurt)


def flip(path: Path, at: int, bits: int) -> None:
    with path.open("r+b") as file:
        file.seek(at)
        (byte,) = file.read(1)
        file.seek(at)
        file.write(bytes([byte ^ bits]))


@pytest.mark.parametrize(
    ("part", "at"), [("", 60), ("", 63), ("-wal", 0), ("-wal", 17), ("-wal", 40), ("-wal", 5_000)]
)
def test_c12_a_changed_version_or_a_damaged_log_of_rows_that_are_in_the_file_is_found(
    tmp_path: Path, part: str, at: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing is lost with such a log, so that neither chain nor head can tell."""
    home, left = tmp_path / "home", tmp_path / "left"
    monkeypatch.setattr(verifying, "nap", lambda _: None)
    asyncio.run(left_behind(home, left, "moved"))
    flip(left / (FILE_NAME + part), at, 1)
    report = verify_file(left / FILE_NAME)
    assert ("log" if part else "pages") in found_wrong(report)


def test_c1_a_log_whose_last_write_was_cut_off_is_as_written(tmp_path: Path) -> None:
    home, left = tmp_path / "home", tmp_path / "left"
    asyncio.run(left_behind(home, left, "moved and written on"))
    wal = left / f"{FILE_NAME}-wal"
    whole = wal.read_bytes()
    for cut in (1, 24, 4_096, 4_119):
        wal.write_bytes(whole + whole[32 : 32 + cut][: cut - 1] + b"\0")
        report = verify_file(left / FILE_NAME)
        assert report.ok, (cut, report)
        assert f"{cut} bytes of a write that was cut off" in str(report.checks)
