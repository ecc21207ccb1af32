"""The money test as a shell sees it."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import ROOT
from tests.support.engines import engine, short_directory

pytestmark = [pytest.mark.slow, pytest.mark.timeout(240)]

STEPS = [
    "engine",
    "release",
    "arm",
    "post",
    "cancel",
    "buy",
    "confirm",
    "sell",
    "settle",
    "cost",
    "stop",
]


def money_test(home: Path, runtime: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "polytui", "money-test", "--json"],
        cwd=home,
        env={**os.environ, "PYTHONPATH": str(ROOT), "POLYTUI_RUNTIME_DIR": str(runtime)},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=220,
        check=False,
    )


def test_a_dollar_goes_all_the_way_and_comes_back_but_for_its_cost() -> None:
    with short_directory() as home:
        done = money_test(home, home / "run")
        steps = [json.loads(line) for line in done.stdout.splitlines()]
        assert [step["name"] for step in steps if not step["ok"]] == [], done.stdout
        assert [step["name"] for step in steps] == STEPS
        assert done.returncode == 0, done.stderr
        assert list(home.iterdir()) == [], "nothing is left behind"


def test_beside_a_running_engine_it_is_refused() -> None:
    with engine() as running:
        done = money_test(running.runtime.parent, running.runtime)
        assert done.returncode == 2
        assert f"pid {running.process.pid} runs" in done.stderr
        assert running.process.poll() is None
