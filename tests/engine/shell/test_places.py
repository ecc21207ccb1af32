import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from polytui.engine.core.errors import OperatorError
from polytui.engine.shell.places import prepare, runtime_dir, take_lock
from tests.support.engines import short_directory


@pytest.fixture
def home() -> Iterator[Path]:
    with short_directory() as path:
        yield path


def test_the_configured_directory_wins(monkeypatch: pytest.MonkeyPatch, home: Path) -> None:
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(home))
    assert runtime_dir(str(home / "mine")) == home / "mine"
    assert runtime_dir("") == home / "polytui"


def test_without_a_session_directory_it_is_named_after_the_user(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("XDG_RUNTIME_DIR", "/nowhere/at/all")
    assert runtime_dir("") == Path(f"/tmp/polytui-{os.getuid()}")


def test_the_directory_is_made_private(home: Path) -> None:
    prepare(home / "deep" / "run")
    assert (home / "deep" / "run").stat().st_mode & 0o777 == 0o700


def test_a_directory_open_to_others_is_refused(home: Path) -> None:
    home.chmod(0o755)
    with pytest.raises(OperatorError, match="to be private, its mode is 755: run chmod 700"):
        prepare(home)


def test_a_link_is_refused(home: Path) -> None:
    (home / "real").mkdir(mode=0o700)
    (home / "link").symlink_to(home / "real")
    with pytest.raises(OperatorError, match="no link"):
        prepare(home / "link")


def test_a_file_is_refused(home: Path) -> None:
    (home / "file").touch()
    with pytest.raises(OperatorError, match="expected to make the runtime directory"):
        prepare(home / "file")


def test_a_name_too_long_for_a_socket_is_refused_before_anything_is_made(home: Path) -> None:
    path = home / ("x" * 100)
    with pytest.raises(OperatorError, match="set runtime_dir to a shorter one"):
        prepare(path)
    assert not path.exists()


def test_there_is_one_engine_per_directory_and_the_second_is_told_who(home: Path) -> None:
    lock = take_lock(home)
    with pytest.raises(OperatorError, match=rf"an engine \(pid {os.getpid()}\) already runs"):
        take_lock(home)
    os.close(lock)
    os.close(take_lock(home))
