"""What an operator may do to the practice venue, and what is shown of it."""

import pytest

from polytui.engine.core.errors import OperatorError
from polytui.engine.core.runconfig import PracticeConfig
from polytui.engine.core.view import VenueLabView
from polytui.engine.sim.practice_exchange import PracticeExchange
from polytui.engine.sim.practice_lab import HEAL, OFFERS, TROUBLES
from polytui.engine.sim.scenario import parse
from tests.support.practice_rig import SECOND_NS, START_NS, feed

TEXT = """
title = "Test"
about = "Two
lines."
[[at]]
s = 80
note = "Late."
switches = { torn_ms = 5 }
""".replace('"Two\nlines."', '"""Two\nlines."""')


def open_venue() -> PracticeExchange:
    config = PracticeConfig(rate=100.0)
    return PracticeExchange(1, config, START_NS, script=parse(TEXT, source="test"))


def shown(venue: PracticeExchange, seconds: float) -> VenueLabView:
    at_ns = START_NS + int(seconds * SECOND_NS)
    venue.advance(at_ns)
    return venue.lab.view(at_ns)


def test_it_shows_the_scenario_the_population_and_counts() -> None:
    view = shown(open_venue(), 20)
    assert (view.scenario, view.about) == ("Test", "Two lines.")
    assert view.next_ns == START_NS + 80 * SECOND_NS
    assert (view.mode, view.faults, view.notes) == ("normal", (), ())
    assert sum(row.value for row in view.regimes) == 8 + 6 + 2
    counters = {row.name: row.value for row in view.counters}
    assert counters["markets"] == 16
    assert counters["orders"] > counters["trades"] > 5
    assert counters["confirmed"] > 0
    assert counters["frames"] > 300
    assert 50_000 < view.price_u6 / 1_000_000 < 150_000


def test_the_number_moves_when_anything_happens() -> None:
    venue = open_venue()
    assert shown(venue, 1).rev < shown(venue, 2).rev
    assert shown(venue, 2).rev == shown(venue, 2).rev


@pytest.mark.parametrize("name", [name for name in OFFERS if OFFERS[name][1].for_s])
def test_a_trouble_that_lasts_is_shown_until_it_is_over(name: str) -> None:
    venue = open_venue()
    venue.advance(START_NS + SECOND_NS)
    _, entry = OFFERS[name]
    venue.lab.cause(name, START_NS + SECOND_NS)
    on = shown(venue, 1.1)
    assert on.notes[0].text == entry.note
    assert len(on.faults) == len(entry.switches)
    until = {offer.name: offer.until_ns for offer in on.offers}
    assert until[name] == START_NS + int((1 + entry.for_s) * SECOND_NS)
    off = shown(venue, 1.1 + entry.for_s)
    assert off.faults == ()
    assert not any(offer.until_ns for offer in off.offers)


@pytest.mark.parametrize("name", TROUBLES)
def test_every_trouble_on_offer_works_on_the_venue_that_ships(name: str) -> None:
    venue = feed(faults=True)
    venue.advance(START_NS + SECOND_NS)
    venue.lab.cause(name, START_NS + SECOND_NS)
    venue.advance(START_NS + 2 * SECOND_NS)
    assert "skipped" not in " ".join(n.text for n in venue.lab.view(START_NS).notes)
    venue.world.exchange.audit()


def test_healing_ends_what_was_caused_and_the_script_goes_on() -> None:
    venue = open_venue()
    for name in ("drop", "storm", "herd"):
        venue.lab.cause(name, START_NS + SECOND_NS)
    storm = shown(venue, 2)
    assert storm.faults == ("frame_drop 0.2",)
    assert storm.herd == 200
    venue.lab.cause(HEAL, START_NS + 2 * SECOND_NS)
    healed = shown(venue, 3)
    assert healed.faults == ()
    assert healed.herd == 4
    assert venue.world.exchange.settings.settlement.fail_chance == 0
    assert shown(venue, 81).faults == ("torn_ms 5",)


def test_failing_trades_are_counted() -> None:
    venue = open_venue()
    venue.lab.cause("storm", START_NS)
    counters = {row.name: row.value for row in shown(venue, 60).counters}
    assert counters["failed"] > 0
    assert counters["retrying"] > 0


def test_a_trouble_that_is_not_offered_is_refused_with_those_that_are() -> None:
    with pytest.raises(OperatorError, match=r"expected one of freeze, deaf, .* heal, was 'boom'"):
        open_venue().lab.cause("boom", START_NS)


def test_a_trouble_asked_for_late_happens_at_once() -> None:
    venue = open_venue()
    venue.advance(START_NS + 5 * SECOND_NS)
    venue.lab.cause("torn", START_NS)
    assert shown(venue, 5.1).faults == ("torn_ms 500",)
