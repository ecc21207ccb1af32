"""Thin multi-outcome quotes must not look like arbitrage, however their asks sum."""

import csv
import gzip
import io
import json
from pathlib import Path

import pytest

from polytui.engine.shell.replaying import run_replay

FILES = ["pmus-multioutcome-quotes-20260714.csv.gz", "pmus-resolved-quotes-20260711.csv.gz"]


@pytest.mark.slow
@pytest.mark.timeout(120)
@pytest.mark.parametrize("name", FILES)
def test_quote_tables_never_appear_as_an_opportunity(shared_data: Path, name: str) -> None:
    out = io.StringIO()
    assert run_replay([shared_data / name], json=True, out=out) == 0
    report = json.loads(out.getvalue())["report"]
    with gzip.open(shared_data / name, "rt") as rows:
        assert report["judged"] == sum(1 for _ in csv.DictReader(rows)), "every row was looked at"
    assert report["intents"] == 0
    assert set(report["decisions"]) == {"box blocked no_snapshot"}
    assert set(report["books"]) == {"empty"}
