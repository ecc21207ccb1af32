"""One venue for the whole suite: starting one takes longer than most tests."""

from collections.abc import Iterator

import pytest

from tests.conformance.stage import Stage, staged


@pytest.fixture(scope="package")
def stage() -> Iterator[Stage]:
    with staged() as running:
        yield running
