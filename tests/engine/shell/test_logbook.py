"""The log under floods, full disks, hostile text and secrets (faults C13, D4, D5, D19)."""

import json
import logging
import os
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from polytui.engine.shell import logbook
from polytui.engine.shell.logbook import (
    TEXT_MAX,
    Level,
    Logbook,
    LogLimits,
    give_back,
    take_over,
)

KEY = "c0ffee" + "19" * 29
API_SECRET = "q83vEjRWeJCrze8SNFZ4kKvN7xI0VniQq83vEjRWeJA="
Open = Callable[..., Logbook]


@pytest.fixture
def opened(tmp_path: Path) -> Iterator[Open]:
    with ExitStack() as stack:

        def made(**limits: int) -> Logbook:
            book = Logbook(tmp_path / "log" / "engine.jsonl", run="r1", limits=LogLimits(**limits))
            return stack.enter_context(closing(book))

        yield made


def lines(book: Logbook) -> list[dict[str, Any]]:
    """Close the book and read what it wrote, the oldest file first."""
    book.close()

    def age(path: Path) -> int:
        return int(path.suffix[1:]) if path.suffix[1:].isdecimal() else 0

    files = sorted(book.path.parent.glob("*"), key=age, reverse=True)
    return [json.loads(line) for path in files for line in path.read_text("ascii").splitlines()]


def test_a_line_says_when_what_and_in_which_run(opened: Open) -> None:
    book = opened()
    book.write(Level.INFO, "order.sent", {"cid": "r1-1-1", "px_u6": 480_000, "maker": True})
    (line,) = lines(book)
    assert line.pop("at").endswith("Z")
    assert line == {
        "level": "info",
        "event": "order.sent",
        "run": "r1",
        "cid": "r1-1-1",
        "px_u6": 480_000,
        "maker": True,
    }


def test_the_file_is_private_and_a_link_is_not_followed(opened: Open, tmp_path: Path) -> None:
    book = opened()
    book.write(Level.INFO, "a")
    book.close()
    assert book.path.stat().st_mode & 0o777 == 0o600
    target = tmp_path / "elsewhere"
    target.write_text("")
    book.path.unlink()
    book.path.symlink_to(target)
    second = opened()
    second.write(Level.INFO, "a")
    second.close()
    assert target.read_text() == ""
    assert second.health().dropped == 1


def test_facts_never_replace_what_the_book_says_itself(opened: Open) -> None:
    """D19: a fact named like a column cannot forge one."""
    book = opened()
    book.write(Level.INFO, "venue.said", {"level": "error", "event": "risk.clear", "run": "other"})
    (line,) = lines(book)
    assert (line["level"], line["event"], line["run"]) == ("info", "venue.said", "r1")


# --- C13: never waits, never raises, never to standard error -------------------------------------


def test_c13_a_full_queue_drops_counts_and_says_so_in_the_log(
    opened: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    gate = threading.Event()
    whole = logbook._write_whole

    def slow(fd: int, line: bytes) -> None:
        assert gate.wait(4)
        whole(fd, line)

    monkeypatch.setattr(logbook, "_write_whole", slow)
    book = opened(queue_max=10)
    begun = time.monotonic()
    for n in range(500):
        book.write(Level.INFO, "n", {"n": n})
    assert time.monotonic() - begun < 1.0, "the caller never waits for the disk"
    dropped = book.health().dropped
    assert 485 <= dropped <= 490
    gate.set()
    deadline = time.monotonic() + 4
    while book.health().waiting and time.monotonic() < deadline:
        time.sleep(0.01)
    book.write(Level.INFO, "after")
    told = [line["lines"] for line in lines(book) if line["event"] == "log.dropped"]
    assert told == [dropped]


def test_c13_a_flood_is_let_through_at_a_rate(
    opened: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = [0]
    monkeypatch.setattr(logbook, "read_mono_ns", lambda: now[0])
    book = opened(per_second=10, burst=20, queue_max=100_000)
    for _ in range(1_000):
        book.write(Level.INFO, "flood")
    assert book.health().dropped == 980
    now[0] = 1_000_000_000
    for _ in range(1_000):
        book.write(Level.INFO, "flood")
    assert book.health().dropped == 980 + 990


def test_c13_c7_a_full_disk_is_counted_silently_and_the_log_goes_on_when_there_is_room(
    opened: Open, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    full = threading.Event()
    full.set()
    whole = logbook._write_whole

    def write(fd: int, line: bytes) -> None:
        if full.is_set():
            raise OSError(28, "No space left on device")
        whole(fd, line)

    monkeypatch.setattr(logbook, "_write_whole", write)
    book = opened()
    for n in range(2_000):
        book.write(Level.INFO, "n", {"n": n})
    deadline = time.monotonic() + 4
    while book.health().waiting and time.monotonic() < deadline:
        time.sleep(0.01)
    assert book.health().why == "No space left on device"
    assert book.health().dropped == 2_000
    full.clear()
    book.write(Level.INFO, "back")
    found = lines(book)
    assert [line["event"] for line in found] == ["log.dropped", "back"]
    assert found[0]["lines"] == 2_000
    assert capfd.readouterr() == ("", "")


def test_a_line_that_only_half_fits_is_taken_back(tmp_path: Path) -> None:
    path = tmp_path / "f"
    path.write_bytes(b"whole\n")
    fd = os.open(path, os.O_WRONLY | os.O_APPEND)
    try:
        real = os.write
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(os, "write", lambda fd, line: real(fd, line[: len(line) // 2]))
            with pytest.raises(OSError, match="No space"):
                logbook._write_whole(fd, b"another line\n")
    finally:
        os.close(fd)
    assert path.read_bytes() == b"whole\n"


def test_a_place_that_cannot_be_used_is_told_by_health_only(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    book = Logbook(tmp_path / "file" / "engine.jsonl", run="r")
    book.write(Level.INFO, "a")
    book.close()
    assert book.health().dropped == 1
    assert book.health().why != ""


def test_files_rotate_and_only_so_many_are_kept(opened: Open) -> None:
    book = opened(file_bytes=2_000, files=3)
    for n in range(100):
        book.write(Level.INFO, "n", {"n": n})
    book.close()
    files = sorted(path.name for path in book.path.parent.iterdir())
    assert files == ["engine.jsonl", "engine.jsonl.1", "engine.jsonl.2"]
    assert all(path.stat().st_size <= 2_000 for path in book.path.parent.iterdir())
    numbers = [line["n"] for line in lines(book)]
    assert numbers == list(range(numbers[0], 100)), "the newest are kept, in order"


def test_after_its_end_nothing_is_written_and_nothing_raises(opened: Open) -> None:
    book = opened()
    book.close()
    book.write(Level.ERROR, "late")
    assert book.health().dropped == 1


# --- D4: a log that may be shown ------------------------------------------------------------------


def test_d4_no_byte_of_a_hostile_text_acts_on_the_terminal_that_shows_it(opened: Open) -> None:
    book = opened()
    hostile = "\x1b]0;x\x07\x9b2J\u202eevil\u200b\x7f\r\nfake line\x00\ud800"
    book.write(Level.INFO, hostile, {hostile: hostile})
    book.close()
    raw = book.path.read_bytes()
    assert raw.count(b"\n") == 1
    assert all(0x20 <= byte < 0x7F for byte in raw[:-1])


@settings(max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.text(max_size=300), st.text(max_size=300))
def test_d4_any_text_is_one_line_of_plain_ascii_json(opened: Open, name: str, text: str) -> None:
    book = opened(file_bytes=10_000_000)
    line = book._line((0, Level.INFO, name, {name: text}))
    assert line.count(b"\n") == 1
    assert all(0x20 <= byte < 0x7F for byte in line[:-1])
    assert json.loads(line)["run"] == "r1"
    book.close()


def test_texts_and_fields_are_bounded(opened: Open) -> None:
    book = opened()
    book.write(Level.INFO, "big", {f"f{n}": "x" * 50_000 for n in range(100)})
    (line,) = lines(book)
    assert len(line) == 4 + logbook.FIELDS_MAX
    assert max(len(str(value)) for value in line.values()) == TEXT_MAX


def test_numbers_that_json_lacks_are_texts(opened: Open) -> None:
    book = opened()
    book.write(Level.INFO, "n", {"a": float("nan"), "b": float("inf")})
    (line,) = lines(book)
    assert (line["a"], line["b"]) == ("nan", "inf")


# --- D5: a log without secrets -------------------------------------------------------------------


@pytest.mark.parametrize(
    ("fields", "secret"),
    [
        ({"text": f"loaded key {KEY} from"}, KEY),
        ({"text": f"0x{KEY}"}, KEY),
        ({"secret": "hunter2hunter2"}, "hunter2hunter2"),
        ({"apiKey": "00000000-1111-2222"}, "00000000-1111-2222"),
        ({"text": f'{{"apiKey":"x","secret":"{API_SECRET}"}}'}, API_SECRET),
        ({"text": f"POLY_PASSPHRASE: 9f8e7d6c and POLY_SIGNATURE: {API_SECRET}"}, "9f8e7d6c"),
        ({"text": f"header {API_SECRET}"}, API_SECRET),
        ({"text": "passphrase=correcthorse"}, "correcthorse"),
        ({"text": "a " * 7_990 + KEY}, KEY[:20]),
    ],
)
def test_d5_what_looks_like_a_secret_is_not_written(
    opened: Open, fields: dict[str, str], secret: str
) -> None:
    book = opened()
    book.write(Level.ERROR, "fault", fields)
    book.close()
    assert secret not in book.path.read_text()


def test_d5_what_is_known_to_be_secret_is_hidden_wherever_it_stands(opened: Open) -> None:
    book = opened()
    book.hide("correct horse battery", "short")
    book.write(Level.INFO, "typed correct horse battery", {"correct horse battery": "and short"})
    book.close()
    text = book.path.read_text()
    assert "horse" not in text
    assert "and short" in text


def test_ids_stay_recognisable(opened: Open) -> None:
    book = opened()
    book.write(Level.INFO, "order", {"hash": "0x1718c172" + "ab" * 26 + "9ade", "cid": "r-1-2"})
    (line,) = lines(book)
    assert line["hash"] == "0x1718c172…9ade"


# --- libraries -----------------------------------------------------------------------------------


def test_libraries_log_into_the_book_and_never_to_standard_error(
    opened: Open, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(logging, "lastResort", logging.lastResort)
    monkeypatch.setattr(logging.getLogger(), "handlers", [])
    book = opened()
    handler = take_over(book)
    logger = logging.getLogger("aiohttp.some")
    try:
        logger.warning("said %s", "\x1b[31m")
        logger.error("bad %d", "not a number")
        try:
            raise ValueError(f"the key is {KEY}")
        except ValueError:
            logger.exception("it broke")
    finally:
        give_back(handler)
    first, second, third = lines(book)
    assert (first["level"], first["logger"]) == ("warning", "aiohttp.some")
    assert second["text"].startswith("unreadable: ")
    assert third["error"] == "ValueError"
    assert third["place"].startswith("test_logbook.py:")
    assert KEY[:20] not in json.dumps(third)
    sys.stderr.flush()
    assert capfd.readouterr().err == ""
