"""The venue as the doctor sees it: version, servers, clock, region, tier."""

from typing import Any

import pytest
from msgspec.structs import replace

from polytui.engine.shell.doctor import outside
from polytui.engine.shell.doctor.report import Finding, Status
from polytui.engine.shell.polymarket.public_reads import Place
from polytui.engine.shell.polymarket.rest import Failed
from tests.engine.shell.doctor.rig import DEFAULT, ENGINE, case, healthy_venue

MS = 1_000_000
DOWN = Failed(why="no connection to clob.example: refused")


def venue(**facts: Any) -> Finding:
    return outside.check_venue(case(venue=healthy_venue(**facts)))


def test_a_venue_that_answers_everywhere_with_our_version_is_well() -> None:
    assert venue().status is Status.OK


def test_c17_an_unreachable_venue_fails_and_what_hangs_on_it_says_so() -> None:
    lost = healthy_venue(version=DOWN, clock_why=DOWN.why, place=DOWN)
    assert outside.check_venue(case(venue=lost)).status is Status.FAIL
    for check in (outside.check_clock, outside.check_region):
        finding = check(case(venue=lost))
        assert finding.status is Status.WARN
        assert "refused" in finding.found


def test_b31_another_order_version_fails() -> None:
    finding = venue(version=3)
    assert finding.status is Status.FAIL
    assert "order version 3, we sign 2" in finding.found


def test_one_silent_server_fails_and_is_named() -> None:
    finding = venue(others=(("gamma", ""), ("user stream", "TimeoutError")))
    assert finding.status is Status.FAIL
    assert "user stream: TimeoutError" in finding.found


@pytest.mark.parametrize(
    ("offset_ms", "about_ms", "status"),
    [
        (3, 100, Status.OK),
        (-399, 100, Status.OK),
        (450, 100, Status.WARN),
        (0, 700, Status.WARN),
        (700, 100, Status.FAIL),
        (-700, 100, Status.FAIL),
    ],
)
def test_c15_a_clock_is_judged_by_what_is_certain(
    offset_ms: int, about_ms: int, status: Status
) -> None:
    facts = healthy_venue(offset_ns=offset_ms * MS, uncertainty_ns=about_ms * MS)
    assert outside.check_clock(case(venue=facts)).status is status


def test_b32_a_blocked_region_fails() -> None:
    blocked = healthy_venue(place=Place(blocked=True, country="US"))
    finding = outside.check_region(case(venue=blocked))
    assert (finding.status, finding.found) == (Status.FAIL, "blocked (US)")
    assert outside.check_region(case(venue=healthy_venue(place=None))).status is Status.WARN


def test_the_tier_is_compared_with_our_own_rate() -> None:
    assert outside.check_tier(case()).status is Status.OK
    limits = replace(DEFAULT.run.limits, orders_per_s=41)
    fast = replace(DEFAULT, run=replace(DEFAULT.run, limits=limits))
    assert outside.check_tier(case(settings=fast)).remedy == "lower run.limits.orders_per_s to 40"
    assert outside.check_tier(case(venue=healthy_venue(tier="plutonium"))).status is Status.WARN
    assert outside.check_tier(case(venue=healthy_venue(tier=DOWN))).status is Status.WARN


def test_while_an_engine_runs_its_own_budgets_are_repeated() -> None:
    finding = outside.check_tier(case(engine=ENGINE))
    assert finding.status is Status.OK
    assert "held by the running engine" in finding.found
