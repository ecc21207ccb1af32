import json
import os
import random
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import pairwise
from pathlib import Path

import msgspec
import pytest

from polytui.engine.core.commands import Resync
from polytui.engine.core.enums import Feed, Reason
from polytui.engine.core.errors import OperatorError
from polytui.engine.core.events import (
    AnyEvent,
    ConnClosed,
    ConnOpened,
    Event,
    MarketListed,
    RunStarted,
    Stamped,
    Subscribed,
    Turn,
)
from polytui.engine.core.ids import ConnId
from polytui.engine.core.runconfig import CaptureConfig, RunConfig
from polytui.engine.shell.capture import Capture
from polytui.engine.shell.clock import Anchor
from polytui.engine.shell.journal import Journal
from polytui.engine.shell.segments import (
    COMMAND,
    EVENT,
    FRAMES,
    LOST,
    RECORD_BYTES_MAX,
    RESTATED,
    Record,
    Segment,
)
from tests.conftest import ROOT
from tests.support.floor import spec

ANCHOR = Anchor(wall_ns=1_790_000_000_000_000_000, mono_ns=0)
CONN = ConnId(7)
WAIT_S = 4.0
NOISE = random.Random(1).randbytes(200_000)
"""Does not compress, so that files grow as planned."""


def start(directory: Path, **config: int | bool) -> Capture:
    facts = {"directory": str(directory), "flush_ms": 10, **config}
    settings = msgspec.convert(facts, CaptureConfig)
    return Capture(settings, run="run", anchor=ANCHOR)


def put(capture: Capture, number: int, data: bytes = b"{}") -> None:
    capture.frame(
        seq=number, wall_ns=number, mono_ns=number, conn=CONN, feed=Feed.BINANCE, data=data
    )


def put_event(capture: Capture, number: int, event: Event) -> None:
    capture.event(Stamped(number, number, event), wall_ns=number, mono_ns=number)


def segments(directory: Path) -> list[Segment]:
    return [Segment(path) for path in sorted(directory.glob("*.polycap"))]


def records(directory: Path) -> list[Record]:
    return [record for segment in segments(directory) for record in segment.records()]


@contextmanager
def one_thread() -> Iterator[None]:
    """Keep the interpreter with this thread until it waits for something."""
    before = sys.getswitchinterval()
    sys.setswitchinterval(10.0)
    try:
        yield
    finally:
        sys.setswitchinterval(before)


# --- what is recorded ----------------------------------------------------------------------------


def test_frames_events_and_commands_stand_in_the_log_as_they_came(tmp_path: Path) -> None:
    capture = start(tmp_path)
    put(capture, 1, b'{"a": 1}')
    put_event(capture, 2, Turn())
    resync = Resync(cause=2, conn=CONN, market="m", tokens=("y", "n"), reason=Reason.CROSSED)
    assert Journal(capture).commit([resync], wall_ns=3, mono_ns=3)
    health = capture.close()
    frame, turn, command = records(tmp_path)
    place = segments(tmp_path)[0].header.feeds.index("binance")
    assert frame == Record(FRAMES + place, CONN, 1, 1, 1, b'{"a": 1}')
    assert (turn.code, turn.seq) == (EVENT, 2)
    assert msgspec.msgpack.decode(turn.data, type=AnyEvent) == Turn()
    assert (command.code, command.seq) == (COMMAND, 2)
    assert msgspec.msgpack.decode(command.data, type=Resync) == resync
    assert (health.records, health.lost, health.complete) == (3, 0, True)
    assert health.bytes == sum(path.stat().st_size for path in tmp_path.glob("*.polycap"))


def test_records_reach_the_file_without_closing(tmp_path: Path) -> None:
    capture = start(tmp_path)
    put(capture, 1)
    assert capture.sync(timeout_s=WAIT_S)
    assert len(records(tmp_path)) == 1
    assert not segments(tmp_path)[0].closed
    capture.close()
    assert segments(tmp_path)[0].closed


def test_a_recorder_that_is_switched_off_does_nothing(tmp_path: Path) -> None:
    capture = start(tmp_path / "none", enabled=False)
    put(capture, 1)
    assert not capture.sync(timeout_s=WAIT_S)
    health = capture.close()
    assert (health.recording, health.lost, health.complete) == (False, 0, False)
    assert not (tmp_path / "none").exists()


def test_what_comes_after_closing_is_counted_as_lost(tmp_path: Path) -> None:
    capture = start(tmp_path)
    capture.close()
    put(capture, 1)
    assert capture.close().lost == 1
    assert records(tmp_path) == []


# --- rotation ------------------------------------------------------------------------------------


def test_segments_follow_each_other_and_each_can_be_read_alone(tmp_path: Path) -> None:
    capture = start(tmp_path, segment_mb=1)
    started = RunStarted(run="run", version="0", config=RunConfig())
    opened = ConnOpened(conn=CONN, feed=Feed.BINANCE, url="u")
    asked = Subscribed(conn=CONN, feed=Feed.BINANCE, topics=("t",))
    gone = ConnOpened(conn=ConnId(8), feed=Feed.BINANCE, url="u")
    events: list[Event] = [started, MarketListed(spec=spec()), opened, asked, asked, gone]
    for number, event in enumerate(events, start=1):
        put_event(capture, number, event)
    put_event(capture, 7, ConnClosed(conn=ConnId(8), feed=Feed.BINANCE, why="w"))
    for number in range(8, 28):
        put(capture, number, NOISE)
        assert capture.sync(timeout_s=WAIT_S)
    assert capture.close().complete
    found = segments(tmp_path)
    assert len(found) >= 3
    assert all(segment.closed for segment in found)
    for one, other in pairwise(found):
        assert other.header.chain == one.chain.hex()
        assert other.header.number == one.header.number + 1
        again = [r for r in other.records() if r.code == RESTATED]
        said = [msgspec.msgpack.decode(r.data, type=AnyEvent) for r in again]
        assert said == [started, MarketListed(spec=spec()), opened, asked]
        assert other.header.first_seq == next(r.seq for r in other.records() if r.code != RESTATED)
    assert [r.seq for r in records(tmp_path) if r.code != RESTATED] == list(range(1, 28))


def test_a_quiet_run_closes_a_segment_by_its_blocks_whose_index_is_held_in_memory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("polytui.engine.shell.capture.BLOCKS_MAX", 4)
    capture = start(tmp_path)
    for number in range(1, 11):
        put(capture, number)
        assert capture.sync(timeout_s=WAIT_S)
    assert capture.close().complete
    assert len(segments(tmp_path)) == 3
    assert [r.seq for r in records(tmp_path) if r.code != RESTATED] == list(range(1, 11))


def test_the_oldest_closed_segments_go_when_the_limit_is_reached(tmp_path: Path) -> None:
    other_run = tmp_path / "before-000001.polycap"
    other_run.write_bytes(bytes(1_000_000))
    os.utime(other_run, ns=(1, 1))
    capture = start(tmp_path, segment_mb=1)
    assert capture._disk is not None
    capture._disk._keep_bytes = 2_500_000
    for number in range(1, 41):
        put(capture, number, NOISE)
        assert capture.sync(timeout_s=WAIT_S)
    assert capture.close().complete
    assert not other_run.exists()
    kept = segments(tmp_path)
    assert sum(segment.path.stat().st_size for segment in kept) < 3_700_000
    assert kept[0].header.number > 1
    assert [r.seq for r in records(tmp_path)][-1] == 40


# --- one writer ----------------------------------------------------------------------------------


def test_a_second_recorder_in_the_same_directory_is_refused(tmp_path: Path) -> None:
    capture = start(tmp_path)
    with pytest.raises(OperatorError, match=f"the only recorder in .*process {os.getpid()} "):
        start(tmp_path)
    put(capture, 1)
    capture.close()
    again = CaptureConfig(directory=str(tmp_path))
    Capture(again, run="run2", anchor=ANCHOR).close()
    assert len(records(tmp_path)) == 1


@pytest.mark.parametrize("run", ["", "../run", "a b", "x" * 81])
def test_a_run_id_that_is_no_file_name_is_refused(tmp_path: Path, run: str) -> None:
    with pytest.raises(OperatorError, match=r"^expected a run id"):
        Capture(CaptureConfig(directory=str(tmp_path)), run=run, anchor=ANCHOR)


def test_a_directory_that_cannot_be_used_is_refused(tmp_path: Path) -> None:
    place = tmp_path / "file"
    place.touch()
    with pytest.raises(OperatorError, match=f"^expected a directory to record in, was {place}: "):
        start(place)


# --- trouble -------------------------------------------------------------------------------------


def test_a_full_queue_counts_what_it_drops_and_the_log_says_where(tmp_path: Path) -> None:
    capture = start(tmp_path, queue_max=256)
    with one_thread():
        for number in range(1, 301):
            put(capture, number)
    assert capture.sync(timeout_s=WAIT_S)
    put(capture, 301)
    health = capture.close()
    assert (health.lost, health.failed, health.complete) == (44, False, False)
    got = records(tmp_path)
    assert [r.seq for r in got if r.code >= FRAMES] == [*range(1, 257), 301]
    gap, last = got[-2:]
    assert (gap.code, last.seq) == (LOST, 301)
    assert msgspec.msgpack.decode(gap.data) == 44


def test_a_gap_at_the_very_end_is_in_the_log_too(tmp_path: Path) -> None:
    capture = start(tmp_path, queue_max=256)
    with one_thread():
        for number in range(1, 301):
            put(capture, number)
        capture.close()
    last = records(tmp_path)[-1]
    assert (last.code, msgspec.msgpack.decode(last.data)) == (LOST, 44)


def test_a_frame_beyond_the_limit_is_lost_and_said_to_be(tmp_path: Path) -> None:
    capture = start(tmp_path)
    put(capture, 1, bytes(RECORD_BYTES_MAX + 1))
    put(capture, 2, bytes(RECORD_BYTES_MAX))
    health = capture.close()
    assert health.lost == 1
    assert [r.code == LOST for r in records(tmp_path)] == [True, False]


def broken_disk(capture: Capture, target: int) -> None:
    """Put another file descriptor where the segment's is."""
    assert capture._disk is not None
    os.dup2(target, capture._disk._segment._fd)
    os.close(target)


def test_a_full_disk_fails_the_recorder_and_never_the_loop(tmp_path: Path) -> None:
    capture = start(tmp_path)
    put(capture, 1)
    assert capture.sync(timeout_s=WAIT_S)
    broken_disk(capture, os.open("/dev/full", os.O_WRONLY))
    for number in range(2, 12):
        put(capture, number)
    assert not capture.sync(timeout_s=WAIT_S)
    put(capture, 12)
    health = capture.close()
    assert health.failed
    assert health.why == (
        f"expected to write to {tmp_path}, the disk refused: no space left on device"
    )
    assert (health.records, health.lost, health.waiting, health.complete) == (1, 11, 0, False)
    assert [r.seq for r in records(tmp_path)] == [1]


def test_an_fsync_that_fails_is_not_tried_again(tmp_path: Path) -> None:
    capture = start(tmp_path)
    reader, writer = os.pipe()
    broken_disk(capture, writer)
    put(capture, 1)
    assert not capture.sync(timeout_s=WAIT_S)
    assert capture.health().failed
    assert not capture.sync(timeout_s=WAIT_S)
    assert not Journal(capture).sync(timeout_s=WAIT_S)
    capture.close()
    os.close(reader)


def test_a_disk_that_does_not_answer_never_blocks_the_loop(tmp_path: Path) -> None:
    capture = start(tmp_path, queue_max=256)
    reader, writer = os.pipe()
    broken_disk(capture, writer)
    for number in range(1, 2_001):
        put(capture, number, NOISE[:10_000])
    health = capture.health()
    assert health.lost > 0
    assert not health.complete
    threading.Thread(target=drain, args=(reader,), daemon=True).start()
    capture.close()


def drain(fd: int) -> None:
    """Read until the other end is closed, as a disk that has come back."""
    while os.read(fd, 1 << 20):
        pass
    os.close(fd)


# --- processes -----------------------------------------------------------------------------------

START = """
import random, resource, sys
import msgspec
from polytui.engine.core.enums import Feed
from polytui.engine.core.runconfig import CaptureConfig
from polytui.engine.shell.capture import Capture
from polytui.engine.shell.clock import Anchor
noise = random.Random(1).randbytes(20_000)
config = CaptureConfig(directory=sys.argv[1], flush_ms=10, segment_mb=1)
capture = Capture(config, run="run", anchor=Anchor(wall_ns=0, mono_ns=0))
def put(number, data):
    capture.frame(seq=number, wall_ns=0, mono_ns=number, conn=1, feed=Feed.BINANCE, data=data)
"""

WRITER = (
    START
    + """
number = 0
while True:
    number += 1
    put(number, b"%d " % number + noise[:number * 7919 % 3000])
    if number % 50 == 0:
        print(capture.health().records, flush=True)
"""
)

LIMITED = (
    START
    + """
resource.setrlimit(resource.RLIMIT_FSIZE, (300_000, 300_000))
for number in range(1, 101):
    put(number, noise)
    capture.sync(timeout_s=4.0)
print(msgspec.json.encode(capture.close()).decode())
"""
)


def child(code: str, directory: Path) -> "subprocess.Popen[str]":
    return subprocess.Popen(
        [sys.executable, "-c", code, str(directory)],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


@pytest.mark.slow
@pytest.mark.timeout(60)
@pytest.mark.parametrize("lines", [1, 2, 5, 13, 40, 90])
def test_a_killed_writer_loses_nothing_that_it_said_was_written(tmp_path: Path, lines: int) -> None:
    with child(WRITER, tmp_path) as process:
        assert process.stdout is not None
        said = [int(process.stdout.readline()) for _ in range(lines)][-1]
        process.send_signal(signal.SIGKILL)
        said = max([said, *(int(line) for line in process.stdout.read().split())])
    got = records(tmp_path)
    assert [r.seq for r in got] == list(range(1, len(got) + 1))
    assert all(r.data.startswith(b"%d " % r.seq) for r in got)
    assert len(got) >= said
    assert [segment.closed for segment in segments(tmp_path)][:-1] == [True] * (
        len(segments(tmp_path)) - 1
    )
    again = CaptureConfig(directory=str(tmp_path))
    Capture(again, run="after", anchor=ANCHOR).close()


@pytest.mark.slow
@pytest.mark.timeout(60)
def test_at_a_file_size_limit_the_recorder_fails_and_the_process_goes_on(tmp_path: Path) -> None:
    with child(LIMITED, tmp_path) as process:
        answer, talk = process.communicate(timeout=50)
    assert process.returncode == 0, talk
    health = json.loads(answer)
    assert health["failed"]
    assert health["why"].endswith("the disk refused: file too large")
    assert health["records"] + health["lost"] == 100
    assert [r.seq for r in records(tmp_path)] == list(range(1, health["records"] + 1))
    (segment,) = segments(tmp_path)
    assert segment.torn_bytes > 0
