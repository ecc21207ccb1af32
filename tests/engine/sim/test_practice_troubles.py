"""What each switch and each act does to what a client of the embedded venue hears."""

import json
from collections import Counter

import pytest

from polytui.engine.core.enums import Feed
from polytui.engine.core.runconfig import PracticeConfig
from polytui.engine.sim.deliveries import Delivery, DeliveryKind
from polytui.engine.sim.faults import ChangeTick, CutStreams, Restart, Switches
from polytui.engine.sim.practice_exchange import PracticeExchange
from polytui.engine.sim.scenario import Entry, Script
from tests.support.practice_rig import SECOND_NS, START_NS, feed, frames, quiet, venue_objects


def kinds(delivered: list[Delivery]) -> Counter[str]:
    return Counter(told["event_type"] for told in venue_objects(delivered))


def warm(switches: Switches) -> list[Delivery]:
    """Three seconds of a busy venue under these switches from the start."""
    script = Script(title="warm", switches=switches)
    practice = PracticeExchange(1, PracticeConfig(rate=200.0), START_NS, script=script)
    return practice.advance(START_NS + 3 * SECOND_NS)


def test_a_freeze_leaves_only_the_pong() -> None:
    script = Script(title="frozen", switches=Switches(market_freeze=True))
    practice = PracticeExchange(1, PracticeConfig(rate=200.0), START_NS, script=script)
    delivered = practice.advance(START_NS + 11 * SECOND_NS)
    venue = [d.data for d in frames(delivered) if d.feed is Feed.POLYMARKET]
    assert venue == [b"PONG"]
    assert any(d.feed is Feed.COINBASE for d in frames(delivered))


def test_nothing_is_said_of_a_deaf_token_and_its_twin_goes_on() -> None:
    spec = feed().specs()[0]
    named = {
        token
        for told in venue_objects(warm(Switches(deaf_tokens=(f"{spec.slug}:no",))))
        for token in (
            [entry["asset_id"] for entry in told.get("price_changes", [])]
            + [told.get("asset_id", "")]
        )
    }
    assert spec.tokens[0] in named
    assert spec.tokens[1] not in named


def test_torn_sides_arrive_apart_by_as_much_as_was_asked() -> None:
    halves: dict[tuple[str, str], list[int]] = {}
    for delivery in frames(warm(Switches(torn_ms=300))):
        if b'"price_change"' in delivery.data:
            told = json.loads(delivery.data)
            assert len({entry["asset_id"] for entry in told["price_changes"]}) == 1
            key = (told["market"], told["timestamp"])
            halves.setdefault(key, []).append(delivery.at_ns)
    last_ns = START_NS + 2 * SECOND_NS
    groups = [times for times in halves.values() if times[0] < last_ns]
    assert len(groups) > 50
    for times in groups:
        half = len(times) // 2
        apart_ns = [late - early for early in times[:half] for late in times[half:]]
        assert all(285_000_000 < ns < 315_000_000 for ns in apart_ns)


def test_lost_doubled_and_swapped_frames_are_as_many_as_asked() -> None:
    whole, half = (
        kinds(warm(Switches(frame_drop=chance)))["price_change"] for chance in (0.0, 0.5)
    )
    assert half == pytest.approx(whole / 2, rel=0.25)
    assert kinds(warm(Switches(frame_repeat=1.0)))["price_change"] == pytest.approx(
        2 * whole, rel=0.25
    )
    times = [
        int(told["timestamp"])
        for told in venue_objects(warm(Switches(frame_swap=0.3)))
        if told["event_type"] == "price_change"
    ]
    assert times != sorted(times)


def test_no_initial_books_come_when_they_are_switched_off() -> None:
    assert not [
        told for told in venue_objects(warm(Switches(no_initial_books=True))) if "tick_size" in told
    ]


def test_rest_shows_a_ghost_of_one_market_while_the_stream_is_right() -> None:
    practice = quiet(Switches(ghost_markets=("@first",)))
    practice.advance(START_NS + SECOND_NS)
    first, second = practice.specs()[:2]
    ghost, honest = (practice.witness(s.market, s.tokens[0]) for s in (first, second))
    assert ghost is not None
    assert honest is not None
    assert [level["price"] for level in json.loads(ghost)["bids"]] == ["0.01"]
    assert len(json.loads(honest)["bids"]) > 1


@pytest.mark.parametrize(
    ("switches", "silent", "other"),
    [
        (Switches(coinbase_freeze=True), Feed.COINBASE, Feed.CHAINLINK),
        (Switches(chainlink_freeze=True), Feed.CHAINLINK, Feed.COINBASE),
    ],
)
def test_a_reference_feed_falls_silent_by_itself(
    switches: Switches, silent: Feed, other: Feed
) -> None:
    heard = Counter(delivery.feed for delivery in frames(warm(switches)))
    assert heard[silent] <= 2, "expected no more than the greeting"
    assert heard[other] > 2


def test_cut_streams_come_back_with_fresh_books_and_nothing_of_before() -> None:
    script = Script(title="cut", at=(Entry(s=2.0, acts=(CutStreams(),)),))
    practice = PracticeExchange(1, PracticeConfig(rate=200.0), START_NS, script=script)
    delivered = practice.advance(START_NS + 6 * SECOND_NS)
    market = [d for d in delivered if d.conn_slot == 0 and d.kind is not DeliveryKind.LISTED]
    cut = next(n for n, d in enumerate(market) if d.kind is DeliveryKind.CLOSED)
    after = [d.kind for d in market[cut + 1 :]]
    assert after[:3] == [DeliveryKind.OPENED, DeliveryKind.SUBSCRIBED, DeliveryKind.FRAME]
    assert market[cut + 3].data.startswith(b'[{"market"')


def test_a_tick_change_is_told_for_both_tokens_and_changes_the_listing() -> None:
    act = ChangeTick(market="@first", tick_u6=1_000)
    script = Script(title="tick", at=(Entry(s=1.0, acts=(act,)),))
    practice = PracticeExchange(1, PracticeConfig(rate=40.0), START_NS, script=script)
    told = list(venue_objects(practice.advance(START_NS + 2 * SECOND_NS)))
    ticks = [o for o in told if o["event_type"] == "tick_size_change"]
    assert {o["asset_id"] for o in ticks} == set(practice.specs()[0].tokens)
    assert {(o["old_tick_size"], o["new_tick_size"]) for o in ticks} == {("0.01", "0.001")}
    assert practice.specs()[0].tick_u6 == 1_000


def test_a_restart_takes_rest_away_and_cuts_the_streams() -> None:
    act = Restart(down_ms=5_000)
    script = Script(title="restart", at=(Entry(s=1.0, acts=(act,)),))
    practice = PracticeExchange(1, PracticeConfig(rate=40.0), START_NS, script=script)
    spec = practice.specs()[0]
    delivered = practice.advance(START_NS + 2 * SECOND_NS)
    assert any(d.kind is DeliveryKind.CLOSED for d in delivered)
    assert practice.witness(spec.market, spec.tokens[0]) is None
    practice.advance(START_NS + 7 * SECOND_NS)
    assert practice.witness(spec.market, spec.tokens[0]) is not None
