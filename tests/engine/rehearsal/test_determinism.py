"""25 and 26: the same seed gives the same bytes in any process; a log replays to its commands."""

import os
import subprocess
import sys

import pytest

from polytui.engine.machine import Engine
from tests.engine.rehearsal.invariants import Watch
from tests.engine.rehearsal.scripted import roster
from tests.engine.rehearsal.stage import Stage
from tests.engine.rehearsal.swarm import draw, play, trouble

SEED = 3
PROGRAM = f"from tests.engine.rehearsal.swarm import play; print(play({SEED}).digest())"


@pytest.mark.timeout(120)
def test_two_processes_with_other_hash_seeds_live_the_same_life() -> None:
    digests = []
    for hash_seed in ("1", "77"):
        environment = {**os.environ, "PYTHONHASHSEED": hash_seed, "PYTHONPATH": "."}
        done = subprocess.run(
            [sys.executable, "-c", PROGRAM],
            env=environment,
            capture_output=True,
            text=True,
            check=False,
            timeout=100,
        )
        assert not done.returncode, done.stderr[-2_000:]
        digests.append(done.stdout.strip())
    assert digests[0] == digests[1]


@pytest.mark.timeout(60)
def test_the_event_list_of_a_troubled_run_replays_to_the_same_commands() -> None:
    """26: without venue, wire or gate: the log alone leads to every command again, and in order."""
    stage = Stage(SEED)
    Watch(stage)
    assert stage.arm()
    trouble(stage, draw(SEED), SEED)
    twin, commands = Engine(roster(SEED)), []
    for stamped in stage.events:
        commands += twin.step(stamped)
    assert commands == stage.commands
    assert twin.checkpoint() == stage.engine.checkpoint()


def test_a_life_names_its_seed_and_its_knobs_when_it_breaks(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def fails(*_args: object) -> None:
        raise RuntimeError("on purpose")

    monkeypatch.setattr("tests.engine.rehearsal.swarm.trouble", fails)
    with pytest.raises(AssertionError, match=r"seed 9: on purpose\nknobs \{"):
        play(9)
