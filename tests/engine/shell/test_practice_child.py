"""The practice venue beside a real engine: its lab is shown, and trouble comes on request."""

import pytest

from polytui.engine.core.view import STATUS, VENUE_LAB, StatusView, VenueLabView
from polytui.engine.shell.dial import Dialled
from tests.support.engines import EngineProcess, engine, wait_until

pytestmark = [pytest.mark.slow, pytest.mark.timeout(60)]


def lab(running: EngineProcess) -> VenueLabView:
    view = running.look(VENUE_LAB)
    assert isinstance(view, VenueLabView)
    return view


def status(running: EngineProcess) -> StatusView:
    view = running.look(STATUS)
    assert isinstance(view, StatusView)
    return view


def test_a_trouble_asked_for_is_played_shown_and_healed() -> None:
    with engine("practice.rate=200") as running:
        wait_until(lambda: status(running).synced == status(running).markets > 0, "synced books")
        assert lab(running).scenario == "no scenario"
        with Dialled(running.admin) as client:
            refused = client.ask("venue.fault", ("boom",))
            assert "expected one of freeze" in refused.text
            assert client.ask("venue.fault", ("drop",)).ok
        wait_until(lambda: lab(running).faults == ("frame_drop 0.2",), "the fault in force")
        wait_until(lambda: status(running).incidents > 0, "the engine to notice")
        with Dialled(running.admin) as client:
            assert client.ask("venue.fault", ("heal",)).ok
        wait_until(lambda: lab(running).faults == (), "the fault to be over")
        wait_until(lambda: status(running).synced == status(running).markets, "healed books")


def test_with_faults_the_tour_is_played() -> None:
    with engine("practice.faults=true") as running:
        wait_until(lambda: running.look(VENUE_LAB) is not None, "the venue to be up")
        view = lab(running)
        assert view.scenario == "Tour of troubles"
        assert view.next_ns is not None
        assert {row.name for row in view.counters} >= {"orders", "trades", "failed", "frames"}
