"""The runtime directory as the doctor sees it: read, never changed."""

import os
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest
from msgspec.structs import replace

from polytui.engine.shell.doctor import places
from polytui.engine.shell.doctor.places import (
    Left,
    check_directory,
    check_latch,
    check_processes,
    check_sockets,
)
from polytui.engine.shell.doctor.report import Status
from polytui.engine.shell.latch import LATCH_FILE, KillLatch
from polytui.engine.shell.places import ADMIN_SOCKET, LOCK_FILE, VIEW_SOCKET
from tests.engine.shell.doctor.rig import ENGINE, case
from tests.support.engines import short_directory


@pytest.fixture
def home() -> Iterator[Path]:
    with short_directory() as path:
        yield path


@pytest.fixture(autouse=True)
def alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """Leave out the engines of tests that run beside this one."""
    monkeypatch.setattr(places, "processes", lambda: iter(()))


def listener(path: Path, mode: int = 0o600) -> socket.socket:
    made = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    made.bind(str(path))
    made.listen(8)
    path.chmod(mode)
    return made


def test_a_directory_that_is_not_there_is_not_made(home: Path) -> None:
    finding = check_directory(case(home / "run"))
    assert finding.status is Status.OK
    assert list(home.iterdir()) == []


def test_d11_a_directory_open_to_others_fails_with_the_command_that_closes_it(home: Path) -> None:
    home.chmod(0o755)
    finding = check_directory(case(home))
    assert finding.status is Status.FAIL
    assert finding.remedy.startswith(f"chmod 700 {home}")


def test_a_name_too_long_for_a_socket_fails_before_the_engine_does(home: Path) -> None:
    assert check_directory(case(home / ("x" * 120))).status is Status.FAIL


def test_sockets_without_a_listener_are_left_over(home: Path) -> None:
    listener(home / ADMIN_SOCKET).close()
    finding = check_sockets(case(home))
    assert (finding.status, ADMIN_SOCKET in finding.found) == (Status.WARN, True)


def test_d11_a_socket_open_to_everybody_fails(home: Path) -> None:
    with listener(home / ADMIN_SOCKET, 0o666):
        assert check_sockets(case(home)).status is Status.FAIL


def test_an_engine_with_both_sockets_is_well_and_with_one_is_not(home: Path) -> None:
    with listener(home / ADMIN_SOCKET):
        assert check_sockets(case(home, engine=ENGINE)).status is Status.FAIL
        with listener(home / VIEW_SOCKET):
            assert check_sockets(case(home, engine=ENGINE)).status is Status.OK


def test_a_lock_of_a_process_that_is_gone_is_no_trouble(home: Path) -> None:
    (home / LOCK_FILE).write_text("999999999\n")
    assert check_processes(case(home)).status is Status.OK


def test_a_living_engine_that_does_not_answer_fails_with_the_kill_as_remedy(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(places, "_is_ours", lambda pid: pid == 77)
    (home / LOCK_FILE).write_text("77\n")
    finding = check_processes(case(home))
    assert finding.status is Status.FAIL
    assert "polytui-kill" in finding.remedy


def test_a_sentinel_without_its_engine_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    left = Left(pid=8, parent=1, kind="sentinel", engine=0)
    monkeypatch.setattr(places, "processes", lambda: iter((left,)))
    finding = check_processes(case())
    assert (finding.status, finding.found) == (
        Status.WARN,
        "without an engine: sentinel (pid 8)",
    )


def test_a_child_whose_parent_lives_is_no_orphan(monkeypatch: pytest.MonkeyPatch) -> None:
    mine = Left(pid=8, parent=os.getpid(), kind="signer", engine=os.getpid())
    monkeypatch.setattr(places, "processes", lambda: iter((mine,)))
    assert check_processes(case()).status is Status.OK


def test_c25_an_engine_of_another_version_is_told() -> None:
    finding = check_processes(case(engine=replace(ENGINE, version="9.9.9")))
    assert finding.status is Status.WARN
    assert "9.9.9" in finding.found


# --- the latch -----------------------------------------------------------------------------------


def test_the_latch_is_read_and_left_as_it_is(home: Path) -> None:
    assert check_latch(case(home)).found == "none yet: the engine makes it"
    assert list(home.iterdir()) == []
    latch = KillLatch(home / LATCH_FILE)
    assert check_latch(case(home)).found == "open"
    latch.trigger("a person said so")
    latch.close()
    before = (home / LATCH_FILE).read_bytes()
    finding = check_latch(case(home))
    assert finding.status is Status.WARN
    assert "a person said so" in finding.found
    assert (home / LATCH_FILE).read_bytes() == before


def test_a_latch_that_is_a_link_or_open_to_others_fails(home: Path) -> None:
    (home / "elsewhere").write_bytes(b"0")
    (home / LATCH_FILE).symlink_to(home / "elsewhere")
    assert check_latch(case(home)).status is Status.FAIL
    (home / LATCH_FILE).unlink()
    (home / LATCH_FILE).write_bytes(b"0 open")
    (home / LATCH_FILE).chmod(0o666)
    assert check_latch(case(home)).status is Status.FAIL


def test_an_empty_latch_counts_as_closed(home: Path) -> None:
    (home / LATCH_FILE).write_bytes(b"")
    (home / LATCH_FILE).chmod(0o600)
    assert check_latch(case(home)).status is Status.WARN
