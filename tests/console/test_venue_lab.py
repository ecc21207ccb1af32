"""The venue lab: on the practice venue only, and every key does what it says."""

import pytest
from msgspec.structs import replace
from textual.pilot import Pilot

from polytui.actions import BY_ID, VENUE_LAB, Facts, arguments, refusal
from polytui.engine.core.section import CountView
from polytui.engine.core.view import VENUE_LAB as TOPIC
from polytui.engine.core.view import FaultView, VenueLabView, VenueNote
from polytui.engine.sim.practice_lab import TROUBLES
from polytui.screens.venue_lab import KEYS
from tests.console.conftest import Compare
from tests.console.parts import HOSTILE, NOW, STATUS, S
from tests.console.stage import Stage, play, settle
from tests.console.views import live

OFFERS = (
    FaultView(
        name="freeze",
        title="Freeze",
        help="Market sockets fall silent for 10 s and still answer PING.",
        until_ns=NOW + 7 * S,
    ),
    FaultView(name="deaf", title="Deaf token", help="One token falls silent.", until_ns=0),
    FaultView(name="cut", title="Cut streams", help="Every connection is cut.", until_ns=0),
)
LAB = VenueLabView(
    rev=1,
    at_ns=NOW,
    scenario="Tour of troubles",
    about="Every kind of trouble a stream can have, one after the other.",
    started_ns=NOW - 95 * S,
    next_ns=NOW + 25 * S,
    mode="post_only",
    faults=("market_freeze", "frame_drop 0.2"),
    notes=(
        VenueNote(at_ns=NOW - 3 * S, text="Market sockets fall silent."),
        VenueNote(at_ns=NOW - 40 * S, text="over: One frame in five is lost."),
    ),
    offers=OFFERS,
    price_u6=91_240_110_000,
    price_regime="trending",
    regimes=(
        CountView(name="calm", value=9),
        CountView(name="trending", value=4),
        CountView(name="high_vol", value=0),
        CountView(name="thin", value=3),
    ),
    hot=2,
    held_regime="",
    pace=0.28,
    makers=3,
    informed=1.0,
    herd=4,
    arbitrage=True,
    counters=(
        CountView(name="markets", value=16),
        CountView(name="orders", value=12_345),
        CountView(name="failed", value=3),
    ),
)


def stage(view: VenueLabView = LAB) -> Stage:
    return Stage({**live(), TOPIC: view})


def after(*keys: str, stage_: Stage | None = None, size: tuple[int, int] = (120, 40)) -> str:
    """What is on the screen after these keys."""
    used = stage_ or stage()

    async def press(pilot: Pilot[str]) -> None:
        for key in keys:
            await pilot.press(key)
            await settle(used, pilot)

    return play(used, press, size=size)


@pytest.mark.parametrize("size", [(80, 24), (120, 40), (200, 60)], ids=lambda s: f"{s[0]}x{s[1]}")
def test_the_lab_shows_scenario_faults_people_and_counts(
    size: tuple[int, int], same_text: Compare
) -> None:
    used = stage()
    text = after("L", stage_=used, size=size)
    assert used.app.store.ui_errors == 0
    assert "[L Venue lab" in text or "[L Ve" in text
    same_text(f"venue_lab-live-{size[0]}x{size[1]}", text)


def test_it_watches_the_venue_only_while_it_is_open() -> None:
    used = stage()
    after("L", stage_=used)
    assert TOPIC in used.link.watched[-1]
    used = stage()
    after("L", "1", stage_=used)
    assert TOPIC not in used.link.watched[-1]


def test_another_venue_has_no_lab() -> None:
    status = replace(STATUS, venue="polymarket")
    used = Stage({**live(), "status": status})
    text = after("L", stage_=used)
    assert "[1 Overview]" in text
    assert "only the practice venue has a lab" in text


def test_f_causes_the_trouble_under_the_cursor_and_others_have_keys_of_their_own() -> None:
    used = stage()
    after("L", "j", "f", "F", "h", stage_=used)
    asked = [(directive, args) for directive, args, *_ in used.link.asked]
    assert asked == [
        ("venue.fault", ("deaf",)),
        ("venue.fault", ("freeze",)),
        ("venue.fault", ("heal",)),
    ]


def test_a_trouble_is_not_caused_from_another_page() -> None:
    used = stage()
    text = after("S", stage_=used)
    assert used.link.asked == []
    assert "works on page venue_lab" in text


def test_every_key_names_a_trouble_that_the_venue_offers() -> None:
    assert set(KEYS) <= set(TROUBLES)
    facts = Facts(page=VENUE_LAB, linked=True, role="rw", practice=True, trouble="torn")
    assert arguments(BY_ID["venue.cause"], facts) == ("torn",)
    assert all(refusal(BY_ID[f"venue.{name}"], facts) is None for name in KEYS)


def test_hostile_texts_stay_texts() -> None:
    nasty = " ".join(HOSTILE)
    offers = (replace(OFFERS[0], title=nasty, help=nasty),)
    notes = (VenueNote(at_ns=NOW, text=nasty),)
    view = replace(LAB, scenario=nasty, about=nasty, faults=(nasty,), offers=offers, notes=notes)
    used = stage(view)
    text = after("L", stage_=used)
    assert used.app.store.ui_errors == 0
    assert not any(ord(c) < 32 and c != "\n" for c in text)


def test_without_its_section_the_page_says_why() -> None:
    used = Stage(live())
    assert "venue_lab: no such market" in after("L", stage_=used)
