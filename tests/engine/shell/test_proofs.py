"""The proof of the last replay: who leaves it, of what it speaks, when it speaks no more."""

import fcntl
import os
from contextlib import suppress
from pathlib import Path

import pytest

import polytui
from polytui.engine.core.errors import OperatorError
from polytui.engine.shell import proofs
from polytui.engine.shell.replaying import run_replay, when_ns
from tests.engine.shell.test_replaying import FRAMES, Forger
from tests.support.taping import record

VERSION = polytui.__version__
NOW = "20990101-000000-1"
"""A run that begins now, after all others."""

pytestmark = pytest.mark.timeout(60)


def shown(directory: Path, *, besides: str = NOW, version: str = VERSION) -> bool | None:
    return proofs.is_equal(directory, besides=besides, version=version)


def recorded(directory: Path, run: str) -> Path:
    """A recording with a name of its own; what is in it is the same."""
    (directory / f"{run}-000001.polycap").write_bytes(b"not looked into")
    return directory


def proof(directory: Path, run: str, *, equal: bool = True) -> None:
    proofs.keep(
        directory,
        proofs.Proof(
            run=run, version=VERSION, equal=equal, why="", bytes=proofs.size_of(directory, run),
            wall_ns=1, events=2, compared=3, decisions_digest="d", state_digest="s",
        ),
    )  # fmt: skip


def test_a_verified_replay_of_a_whole_recording_is_kept_and_read(tmp_path: Path) -> None:
    record(tmp_path, FRAMES[:60])
    assert shown(tmp_path) is None
    assert run_replay([tmp_path]) == 0
    assert shown(tmp_path) is None, "a replay that nothing was compared with shows nothing"
    assert run_replay([tmp_path], verify=True) == 0
    assert shown(tmp_path) is True
    path = tmp_path / proofs.FILE
    assert not path.stat().st_mode & 0o077
    assert not path.with_name(f"{proofs.FILE}.new").exists()


def test_a_replay_that_is_not_equal_is_kept_as_such(tmp_path: Path) -> None:
    forger = Forger(tmp_path)
    forger.play(FRAMES[:30])
    forger.capture.close()
    assert run_replay([tmp_path], verify=True) == 1
    assert shown(tmp_path) is False


def test_a_part_of_a_recording_shows_nothing(tmp_path: Path) -> None:
    record(tmp_path, FRAMES[:60])
    run_replay([tmp_path], verify=True, until=when_ns("2100-01-01T00:00:00Z"))
    assert not (tmp_path / proofs.FILE).exists()


def test_it_speaks_of_the_last_run_before_this_one_and_of_this_version(tmp_path: Path) -> None:
    recorded(tmp_path, "20260101-000000-9")
    proof(tmp_path, "20260101-000000-9")
    assert shown(tmp_path) is True
    assert shown(tmp_path, version="other") is None
    assert shown(tmp_path, besides="20260101-000000-9") is None, "no run but this one"
    recorded(tmp_path, "20260102-000000-3")
    assert shown(tmp_path) is None, "another run came after"
    assert shown(tmp_path, besides="20260102-000000-3") is True, "that one is this very run"


def test_a_recording_that_grew_or_went_is_shown_no_more(tmp_path: Path) -> None:
    recorded(tmp_path, "20260101-000000-9")
    proof(tmp_path, "20260101-000000-9")
    with (tmp_path / "20260101-000000-9-000001.polycap").open("ab") as file:
        file.write(b"more")
    assert shown(tmp_path) is None


@pytest.mark.parametrize("text", ["", "{", '{"run":1}', "[]"])
def test_a_broken_proof_shows_nothing(tmp_path: Path, text: str) -> None:
    recorded(tmp_path, "20260101-000000-9")
    (tmp_path / proofs.FILE).write_text(text)
    assert shown(tmp_path) is None


def test_the_last_recording_is_the_latest_that_nobody_writes(tmp_path: Path) -> None:
    with pytest.raises(OperatorError, match="expected a finished recording"):
        proofs.last_recording(tmp_path)
    recorded(tmp_path, "20260101-000000-9")
    recorded(tmp_path, "20260102-000000-3")
    (tmp_path / "20260101-000000-9-000002.polycap").write_bytes(b"")
    assert [path.name for path in proofs.last_recording(tmp_path)] == [
        "20260102-000000-3-000001.polycap"
    ]
    lock = os.open(tmp_path / proofs.LOCK, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX)
        names = [path.name for path in proofs.last_recording(tmp_path)]
        assert names == ["20260101-000000-9-000001.polycap", "20260101-000000-9-000002.polycap"]
    finally:
        with suppress(OSError):
            os.close(lock)
