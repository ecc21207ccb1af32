"""`polytui doctor` as a shell sees it: alone, beside a running engine, and on a dead network."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from polytui.engine.shell.doctor.examine import CHECKS
from polytui.engine.shell.doctor.places import processes
from tests.conftest import ROOT
from tests.engine.orders.signing_floor import DEV_KEY
from tests.support.engines import engine, short_directory, wait_until
from tests.test_tidy import modules_loaded_by

pytestmark = [pytest.mark.slow, pytest.mark.timeout(90)]

ALL = [check.code for check in CHECKS]
DEAD = "venue.{}=https://127.0.0.1:9"


@pytest.fixture
def home() -> Iterator[Path]:
    with short_directory() as path:
        yield path


def doctor(home: Path, *sets: str, runtime: Path | None = None) -> tuple[int, dict[str, Any], str]:
    done = subprocess.run(
        [sys.executable, "-m", "polytui", "doctor", "--json", *(f"--set={pair}" for pair in sets)],
        cwd=home,
        env={
            **os.environ,
            "PYTHONPATH": str(ROOT),
            "POLYTUI_RUNTIME_DIR": str(runtime or home / "run"),
        },
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.stderr == ""
    read = json.loads(done.stdout)
    return done.returncode, {line["code"]: line for line in read["lines"]}, done.stdout


def test_alone_it_starts_a_practice_venue_of_its_own_and_leaves_nothing_behind(home: Path) -> None:
    code, lines, _ = doctor(home)
    bad = [line for line in lines.values() if line["status"] == "fail"]
    assert (code, bad) == (0, [])
    assert list(lines) == ALL
    assert lines["VENUE"]["found"].startswith("a practice venue started for this")
    assert lines["CREDENTIALS"]["found"].startswith("API key ")
    assert list(home.iterdir()) == []


def test_beside_an_engine_it_starts_no_second_signer_and_changes_nothing() -> None:
    with engine() as running:
        wait_until(lambda: any(p.parent == running.process.pid for p in processes()), "a signer")
        wait_until((running.runtime / "sentinel.jsonl").exists, "a sentinel")
        before = {left.pid for left in processes() if left.parent == running.process.pid}
        files = sorted(path.name for path in running.runtime.iterdir())
        code, lines, _ = doctor(
            running.runtime.parent,
            f"capture.directory={running.captures}",
            runtime=running.runtime,
        )
        assert code == 0
        assert f"held by the running engine (pid {running.process.pid})" in lines["SIGNER"]["found"]
        assert lines["VENUE"]["found"].startswith("http://127.0.0.1:")
        assert lines["SOCKETS"]["status"] == "ok"
        after = {left.pid for left in processes() if left.parent == running.process.pid}
        assert (before, files) == (after, sorted(path.name for path in running.runtime.iterdir()))


def test_c18_on_a_dead_network_every_line_comes_and_the_key_is_never_shown(home: Path) -> None:
    key = home / "wallet"
    key.write_text(DEV_KEY)
    key.chmod(0o400)
    dead = [DEAD.format(name) for name in ("clob", "gamma", "data", "geoblock")]
    dead += [f"venue.{name}=wss://127.0.0.1:9/ws" for name in ("market_ws", "user_ws")]
    code, lines, text = doctor(
        home, "venue.kind=polymarket", "signer.source=keystore", f"signer.keystore={key}", *dead
    )
    assert code == 1
    assert list(lines) == ALL
    assert lines["VENUE"]["status"] == lines["KEY"]["status"] == "fail"
    assert DEV_KEY[2:] not in text


def test_a_hostile_configuration_is_one_clean_line(home: Path) -> None:
    (home / "config.toml").write_text('"\\u001b]0;x\\u0007" = 1\nruntime_dirr = "x"\n')
    code, lines, text = doctor(home)
    assert code == 1
    assert "did you mean runtime_dir?" in lines["CONFIG"]["found"]
    assert "\\u001b" not in text
    assert "\x1b" not in text


def test_it_never_loads_textual() -> None:
    loaded, done = modules_loaded_by("-c", "import polytui.engine.shell.doctor.examine")
    assert done.returncode == 0, done.stderr[-500:]
    assert "polytui.engine.shell.doctor.examine" in loaded
    assert not {"textual", "rich", "pydantic"} & loaded
