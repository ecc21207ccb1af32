"""The page of what was exercised is written from the tests themselves."""

import os

from tests.conformance import test_clob_client_v2, test_polymarket_client
from tests.conformance.stage import table
from tests.conftest import ROOT

PAGE = ROOT / "docs" / "conformance.md"


def test_the_page_lists_exactly_what_the_tests_exercise() -> None:
    assert test_clob_client_v2.CLIENT != test_polymarket_client.CLIENT
    if os.environ.get("WRITE_DOCS"):
        PAGE.write_text(table(), encoding="utf-8")
    assert PAGE.read_text(encoding="utf-8") == table()
