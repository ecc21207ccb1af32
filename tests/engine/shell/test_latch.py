"""The kill latch: closed at once, on disk soon, whatever the disk is like (faults C7, D18)."""

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from polytui.engine.core.errors import OperatorError
from polytui.engine.shell.clock import read_mono_ns
from polytui.engine.shell.latch import LATCH_BYTES, KillLatch, is_closed, open_for_reading
from tests.conftest import ROOT


@contextmanager
def latched(path: Path) -> Iterator[KillLatch]:
    latch = KillLatch(path)
    try:
        yield latch
    finally:
        latch.close()


def state(latch: KillLatch) -> tuple[bool, bool]:
    """Tell what memory says, and what memory and disk say together."""
    return latch.is_killed, latch.is_clear()


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "kill.latch"


def test_a_new_latch_is_open_private_and_one_sector_long(path: Path) -> None:
    with latched(path) as latch:
        assert state(latch) == (False, True)
        assert latch.reason == ""
    assert path.stat().st_size == LATCH_BYTES
    assert path.stat().st_mode & 0o777 == 0o600
    assert path.read_bytes().startswith(b"0 open ")
    assert [file.name for file in path.parent.iterdir()] == ["kill.latch"]


def test_it_closes_in_memory_at_once_and_on_disk_for_every_reader(path: Path) -> None:
    with latched(path) as latch:
        fd = open_for_reading(str(path))
        latch.trigger("key ctrl+\\ on pts/3")
        assert state(latch) == (True, False)
        assert latch.wait(2)
        assert is_closed(fd)
        latch.clear("reviewed")
        assert latch.wait(2)
        assert state(latch) == (False, True)
        assert not is_closed(fd)
        os.close(fd)
    assert path.read_bytes().startswith(b"0 cleared: reviewed ")
    assert path.stat().st_size == LATCH_BYTES


def test_it_survives_a_restart_with_its_reason(path: Path) -> None:
    with latched(path) as latch:
        latch.trigger("loss of the day")
        latch.trigger("once more")
        assert latch.wait(2)
    with latched(path) as again:
        assert again.is_killed
        assert again.reason == "loss of the day", "the first reason stays"


@pytest.mark.parametrize("reason", ["", "  ", "\n"])
def test_clearing_needs_a_reason(path: Path, reason: str) -> None:
    with latched(path) as latch:
        latch.trigger("x")
        with pytest.raises(OperatorError, match="a reason for clearing"):
            latch.clear(reason)
        assert latch.is_killed


def test_another_process_can_close_it(path: Path) -> None:
    with latched(path) as latch:
        with path.open("r+b") as other:
            other.write(b"1 polytui-kill by uid 1000")
        assert state(latch) == (False, False), "not looked yet"
        assert latch.look()
        assert state(latch) == (True, False)
        assert latch.reason == "polytui-kill by uid 1000"


@pytest.mark.parametrize("content", [b"", b" ", b"2", b"\0" * 512, b"1", b"garbage"])
def test_a_damaged_latch_counts_as_closed(path: Path, content: bytes) -> None:
    path.write_bytes(content)
    with latched(path) as latch:
        assert latch.is_killed
        assert latch.reason
    assert path.stat().st_size >= LATCH_BYTES


def test_a_deleted_latch_counts_as_closed(path: Path) -> None:
    with latched(path) as latch:
        path.unlink()
        assert not latch.is_clear()
        assert latch.look()
        assert "gone" in latch.reason


def test_a_link_or_a_directory_in_its_place_is_refused(path: Path, tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.write_bytes(b"0")
    path.symlink_to(elsewhere)
    with pytest.raises(OperatorError, match="the kill latch at"):
        KillLatch(path)
    with pytest.raises(OSError, match="symbolic"):
        open_for_reading(str(path))
    path.unlink()
    path.mkdir()
    with pytest.raises(OperatorError, match="the kill latch at"):
        KillLatch(path)


def test_a_long_hostile_reason_stays_one_line_of_ascii(path: Path) -> None:
    with latched(path) as latch:
        latch.trigger("\x1b[2J\nö" * 400)
        assert latch.wait(2)
    written = path.read_bytes()
    assert len(written) == LATCH_BYTES
    assert written.isascii()
    assert written.count(b"\n") == 1
    assert b"\x1b" not in written


def test_the_last_word_wins_however_fast_they_come(path: Path) -> None:
    with latched(path) as latch:
        for n in range(200):
            latch.trigger(f"kill {n}")
            latch.clear(f"clear {n}")
        latch.trigger("the last")
        assert latch.wait(2)
        assert is_closed(latch._fd)
    assert path.read_bytes().startswith(b"1 the last ")


def test_closing_it_costs_the_loop_microseconds(path: Path) -> None:
    with latched(path) as latch:
        times = []
        for n in range(200):
            start_ns = read_mono_ns()
            latch.trigger(f"kill {n}")
            times.append(read_mono_ns() - start_ns)
            latch.wait(2)
        assert sorted(times)[100] < 1_000_000
        assert sorted(times)[190] < 10_000_000


def test_c7_a_disk_that_takes_no_more_bytes_does_not_keep_it_open(path: Path) -> None:
    """With no byte left to grow (a file-size limit stands for the full disk) it still closes."""
    script = f"""
import resource, signal, sys
from contextlib import suppress
from pathlib import Path
from polytui.engine.shell.latch import KillLatch
latch = KillLatch(Path({str(path)!r}))
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (512, 512))
with suppress(OSError):  # which is what the limit is for
    with open({str(path.with_name("other"))!r}, "wb", buffering=0) as file:
        file.write(bytes(512)); file.write(b"x")
    sys.exit("the limit does not bite")
latch.trigger("disk full")
sys.exit(0 if latch.wait(2) else "not written")
"""
    done = subprocess.run(
        [sys.executable, "-c", script], cwd=ROOT, capture_output=True, timeout=4, check=False
    )
    assert done.returncode == 0, done.stderr
    assert path.read_bytes().startswith(b"1 disk full ")


@pytest.mark.slow
@pytest.mark.timeout(20)
@pytest.mark.skipif(os.getuid() != 0 or sys.platform != "linux", reason="needs to mount a disk")
def test_c7_a_really_full_disk_does_not_keep_it_open(tmp_path: Path) -> None:
    """Fill a file system of 64 KiB in a mount namespace of its own, then close the latch."""
    script = f"""
import sys
from pathlib import Path
from polytui.engine.shell.latch import KillLatch
place = Path({str(tmp_path)!r})
latch = KillLatch(place / "kill.latch")
try:
    with open(place / "filler", "wb", buffering=0) as file:
        while True:
            file.write(bytes(4096))
except OSError as error:
    print(error.strerror)
latch.trigger("disk full")
ok = latch.wait(2)
print(ok, (place / "kill.latch").read_bytes()[:11])
"""
    mount = f'mount -t tmpfs -o size=64k none {tmp_path} && exec {sys.executable} -c "$0"'
    done = subprocess.run(
        ["unshare", "-m", "sh", "-c", mount, script],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=15,
        check=False,
        env={"PYTHONPATH": str(ROOT), "PATH": os.environ["PATH"]},
    )
    if "unshare" in done.stderr or "mount" in done.stderr:
        pytest.skip("this machine has no mount namespaces")
    assert done.stdout.splitlines() == ["No space left on device", "True b'1 disk full'"], done


def test_a_write_that_fails_is_counted_and_the_memory_holds(path: Path) -> None:
    latch = KillLatch(path)
    os.close(latch._fd)
    latch._fd = os.open(path, os.O_RDONLY)
    latch.trigger("disk gone")
    assert latch.wait(2) is False
    assert latch.writes_failed == 1
    assert latch.is_killed
    latch.close()
