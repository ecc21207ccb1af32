"""Every benchmark that the command offers is there, and its arithmetic is right."""

import re
from importlib import import_module

import pytest

from bench.__main__ import BENCHMARKS
from bench.measure import spread
from bench.order_wire import STAGES, Took
from tests.conftest import ROOT


@pytest.mark.parametrize("name", sorted(BENCHMARKS))
def test_a_benchmark_that_is_offered_can_be_run(name: str) -> None:
    module, function = BENCHMARKS[name]
    assert callable(getattr(import_module(module), function))


def test_the_readme_names_every_benchmark() -> None:
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    section = readme.partition("## Benchmarks\n")[2].partition("\n## ")[0]
    assert set(re.findall(r"`([a-z-]+)`", section)) >= set(BENCHMARKS)


def test_percentiles_are_values_that_occurred_by_nearest_rank() -> None:
    found = spread([n * 1_000 for n in range(1, 1_001)])
    assert (found.p50_us, found.p99_us, found.p999_us, found.max_us) == (500, 990, 999, 1_000)
    assert spread([7_000]).p999_us == 7


def test_the_stages_of_an_order_add_up_to_its_way_to_the_wire() -> None:
    took = Took(1, 20, 300, 4_000, 50_000)
    assert took.total == sum(getattr(took, stage) for stage in STAGES) == 54_321
