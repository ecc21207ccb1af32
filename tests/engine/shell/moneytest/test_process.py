"""The money test as a shell sees it."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import ROOT
from tests.support.engines import engine, family, short_directory, sweep, wait_until

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
EVERYBODY = 4
"""Processes of a test under way: engine, venue, signer, sentinel."""


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


def test_killed_in_the_middle_it_leaves_nobody_behind() -> None:
    with short_directory() as home:
        running = subprocess.Popen(
            [sys.executable, "-m", "polytui", "money-test", "--json"],
            cwd=home,
            env={**os.environ, "PYTHONPATH": str(ROOT), "TMPDIR": str(home)},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        try:
            wait_until(lambda: len(family(home)) >= EVERYBODY, "engine, venue and both guards")
            running.kill()
            running.wait()
            wait_until(lambda: not family(home), f"nobody, are {family(home)}")
        finally:
            running.kill()
            running.wait()
            sweep(home)


def test_beside_a_running_engine_it_is_refused() -> None:
    with engine() as running:
        done = money_test(running.runtime.parent, running.runtime)
        assert done.returncode == 2
        assert f"pid {running.process.pid} runs" in done.stderr
        assert running.process.poll() is None
