"""Configuration, libraries, disk and terminal as the doctor sees them."""

import os
import shutil
import sys
from collections import namedtuple
from pathlib import Path

import pytest
from msgspec.structs import replace

from polytui.engine.core.runconfig import CaptureConfig, Settings, StoreConfig
from polytui.engine.shell.doctor import machine
from polytui.engine.shell.doctor.machine import check_config, check_disk, check_libraries
from polytui.engine.shell.doctor.report import Status
from polytui.engine.shell.doctor.versions import find_lock, installed, pins
from tests.engine.shell.doctor.rig import DEFAULT, case

Usage = namedtuple("Usage", "total used free")


def test_a_configuration_that_others_may_change_fails(tmp_path: Path) -> None:
    path = tmp_path / "config.toml"
    path.write_text("")
    for mode, status in ((0o644, Status.OK), (0o664, Status.FAIL), (0o646, Status.FAIL)):
        path.chmod(mode)
        finding = check_config(case(config=path))
        assert finding.status is status, oct(mode)
    assert finding.remedy == f"chmod go-w {path}"


def test_no_file_means_the_defaults_and_is_well() -> None:
    assert check_config(case()).found == "no file, the defaults: mode shadow, venue practice"


# --- libraries -----------------------------------------------------------------------------------


def test_the_lock_of_this_repository_is_found_and_agrees_with_what_is_installed() -> None:
    path = find_lock()
    assert path is not None
    locked = pins(path.read_text())
    found = installed()
    assert {"msgspec", "coincurve", "uvloop"} <= set(found)
    assert "pytest" not in found, "an optional dependency is not needed at run time"
    assert locked["msgspec"] == {found["msgspec"]}


def test_several_versions_of_one_name_are_all_lawful() -> None:
    lock = "A.b==1.0 ; python_version < '3.12' \\\n    --hash=sha256:0\na-B==2.0\nother==3\n"
    assert pins(lock) == {"a-b": {"1.0", "2.0"}, "other": {"3"}}


@pytest.mark.parametrize(
    ("found", "status", "says"),
    [
        ({"msgspec": "0.1"}, Status.FAIL, "msgspec 0.1 (locked 9)"),
        ({"msgspec": ""}, Status.FAIL, "msgspec is missing"),
        ({"stray": "1"}, Status.WARN, "not in the lock: stray"),
        ({"msgspec": "9"}, Status.OK, "1 libraries as locked"),
    ],
)
def test_d9_what_differs_from_the_lock_is_named(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    found: dict[str, str],
    status: Status,
    says: str,
) -> None:
    lock = tmp_path / "requirements.lock"
    lock.write_text("msgspec==9 \\\n")
    monkeypatch.setattr(machine, "find_lock", lambda: lock)
    monkeypatch.setattr(machine, "installed", lambda: found)
    finding = check_libraries(case())
    assert (finding.status, finding.found) == (status, says)


def test_without_a_lock_it_says_that_nothing_was_compared(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(machine, "find_lock", lambda: None)
    assert check_libraries(case()).status is Status.WARN


# --- disk ----------------------------------------------------------------------------------------


def stored_in(directory: Path) -> Settings:
    return replace(
        DEFAULT,
        store=StoreConfig(directory=str(directory / "store")),
        capture=CaptureConfig(directory=str(directory / "capture")),
    )


@pytest.mark.parametrize(
    ("free", "status"),
    [(900_000_000, Status.FAIL), (4_000_000_000, Status.WARN), (50_000_000_000, Status.OK)],
)
def test_c7_a_disk_that_is_nearly_full_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, free: int, status: Status
) -> None:
    monkeypatch.setattr(shutil, "disk_usage", lambda _: Usage(10**12, 0, free))
    assert check_disk(case(settings=stored_in(tmp_path))).status is status
    assert list(tmp_path.iterdir()) == [], "looking makes nothing"


def test_a_file_where_the_directory_should_be_fails(tmp_path: Path) -> None:
    (tmp_path / "store").write_text("")
    finding = check_disk(case(settings=stored_in(tmp_path)))
    assert finding.status is Status.FAIL
    assert "is no directory" in finding.found


# --- terminal ------------------------------------------------------------------------------------


class Terminal:
    encoding = "utf-8"

    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize(
    ("kind", "columns", "lines", "encoding", "status"),
    [
        ("tmux-256color", 120, 40, "utf-8", Status.OK),
        ("tmux-256color", 60, 20, "utf-8", Status.WARN),
        ("tmux-256color", 30, 8, "utf-8", Status.FAIL),
        ("dumb", 120, 40, "utf-8", Status.FAIL),
        ("xterm", 120, 40, "iso8859-1", Status.WARN),
    ],
)
def test_a_terminal_is_judged_by_kind_size_and_encoding(
    monkeypatch: pytest.MonkeyPatch,
    kind: str,
    columns: int,
    lines: int,
    encoding: str,
    status: Status,
) -> None:
    terminal = Terminal()
    terminal.encoding = encoding
    monkeypatch.setattr(sys, "stdin", terminal)
    monkeypatch.setattr(sys, "stdout", terminal)
    monkeypatch.setenv("TERM", kind)
    size = os.terminal_size((columns, lines))
    monkeypatch.setattr(shutil, "get_terminal_size", lambda: size)
    assert machine.check_terminal(case()).status is status
