"""The scenarios that ship: all of them load, play and are documented."""

from pathlib import Path

import pytest
from msgspec.structs import replace

from polytui.engine.core.errors import OperatorError
from polytui.engine.shell.scenario_files import DIRECTORY, TOUR, read_scenario
from polytui.engine.sim.scenario import Entry, Script
from tests.support.practice_worlds import run, world

NAMES = sorted(path.stem for path in DIRECTORY.glob("*.toml"))


def test_there_are_at_least_ten_and_the_tour_is_one() -> None:
    assert len(NAMES) >= 10
    assert TOUR in NAMES


@pytest.mark.parametrize("name", NAMES)
def test_a_scenario_that_ships_says_what_it_is_for(name: str) -> None:
    script = read_scenario(name)
    assert script.title
    assert len(script.about) > 100
    assert all(entry.note or entry.switches or entry.acts for entry in script.at)


@pytest.mark.parametrize("name", NAMES)
def test_a_scenario_that_ships_plays_to_its_end_without_a_name_it_cannot_find(name: str) -> None:
    script = read_scenario(name)
    hurried = Script(
        title=script.title,
        switches=script.switches,
        population=script.population,
        at=tuple(_sooner(entry, by=60.0) for entry in script.at),
    )
    venue = world(singles=2, script=hurried)
    venue.wallet = venue.population.traders()[0].account
    steps = []
    for _ in run(venue, 8):
        steps += venue.take_steps()
    assert venue.scenario.next_due_ns() is None
    assert not [step.note for step in steps if "skipped" in step.note]
    venue.exchange.audit()


def _sooner(entry: Entry, *, by: float) -> Entry:
    return replace(entry, s=entry.s / by, for_s=entry.for_s / by)


def test_the_readme_lists_every_scenario_and_nothing_else() -> None:
    text = (DIRECTORY / "README.md").read_text(encoding="utf-8")
    listed = [line.split("`")[1] for line in text.splitlines() if line.startswith("| `")]
    assert sorted(listed) == NAMES


def test_a_path_is_read_as_it_is_and_a_missing_one_names_those_that_exist(tmp_path: Path) -> None:
    path = tmp_path / "mine.toml"
    path.write_text('title = "Mine"', encoding="utf-8")
    assert read_scenario(str(path)).title == "Mine"
    with pytest.raises(OperatorError, match=r"nothing\.toml: No such file .* one of: calm, "):
        read_scenario("nothing")


def test_a_file_that_is_not_text_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "odd.toml"
    path.write_bytes(b'title = "\xff"')
    with pytest.raises(OperatorError, match="expected UTF-8, but byte 9 is not"):
        read_scenario(str(path))
