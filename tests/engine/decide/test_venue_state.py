"""What we believe of the venue: the worst condition is the state, and each ends by evidence."""

from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from polytui.engine.core.account_events import CancelAnswered, OrderAnswered, VenueChecked
from polytui.engine.core.commands import CancelOrders
from polytui.engine.core.order_enums import Realm, SendOutcome, VenueCode, VenueState
from polytui.engine.decide.venue_state import NO_ORDER, POST_ONLY_NS, VenueStanding

S = 1_000_000_000
LIVE = Realm.LIVE
OK, NO, LOST = SendOutcome.ACCEPTED, SendOutcome.REFUSED, SendOutcome.UNKNOWN


def order(code: VenueCode = VenueCode.NONE, *, retry_s: int = 0, lost: int = 0) -> OrderAnswered:
    outcome = LOST if lost else (NO if code is not VenueCode.NONE else OK)
    return OrderAnswered(
        realm=LIVE, cid="c", order_hash="0x", outcome=outcome, code=code, retry_after_s=retry_s
    )


def cancel(code: VenueCode = VenueCode.NONE) -> CancelAnswered:
    outcome = NO if code is not VenueCode.NONE else OK
    return CancelAnswered(realm=LIVE, request="q", outcome=outcome, code=code)


def trusted(*, at_ns: int = 0) -> VenueStanding:
    venue = VenueStanding(LIVE, at_ns=0)
    venue.on_stream(up=True, at_ns=at_ns)
    sweep(venue, at_ns)
    assert venue.trust(at_ns=at_ns)
    venue.drain()
    return venue


def sweep(venue: VenueStanding, asked_ns: int) -> None:
    for what in ("orders", "trades"):
        venue.on_read(what, asked_ns=asked_ns, ok=True)


def state(venue: VenueStanding) -> VenueState:
    """Ask again: a checker that narrows attributes would believe the first answer for ever."""
    return venue.state


def test_it_begins_in_starting_and_opens_after_both_sweeps_only() -> None:
    venue = VenueStanding(LIVE, at_ns=0)
    assert state(venue) is VenueState.STARTING
    venue.on_stream(up=True, at_ns=S)
    venue.on_read("orders", asked_ns=S, ok=True)
    venue.on_read("trades", asked_ns=S, ok=False)
    assert not venue.trust(at_ns=2 * S)
    venue.on_read("trades", asked_ns=2 * S, ok=True)
    assert venue.trust(at_ns=3 * S)
    assert state(venue) is VenueState.NORMAL
    assert [m.state for m in venue.drain()] == [VenueState.NORMAL]


def test_after_a_gap_only_sweeps_that_began_after_it_count() -> None:
    venue = trusted()
    venue.on_stream(up=False, why="closed", at_ns=10 * S)
    assert state(venue) is VenueState.UNTRUSTED
    sweep(venue, 11 * S)
    assert not venue.trust(at_ns=11 * S), "the stream is still down"
    venue.on_stream(up=True, at_ns=12 * S)
    sweep(venue, 12 * S - 1)
    assert not venue.trust(at_ns=13 * S)
    sweep(venue, 12 * S)
    assert venue.trust(at_ns=13 * S)
    assert venue.time_to_trust_ns == 3 * S


def test_b5_a_restart_halts_submits_probes_then_two_minutes_post_only_and_a_resync() -> None:
    venue = trusted()
    venue.on_order(order(VenueCode.RESTARTING), at_ns=10 * S)
    assert state(venue) is VenueState.RESTARTING
    probes, now_ns = list[int](), 10 * S
    while now_ns < 110 * S:
        now_ns = venue.next_due_ns() or 0
        (probe,) = venue.due(at_ns=now_ns, seq=1)
        assert isinstance(probe, CancelOrders)
        assert probe.hashes == (NO_ORDER,)
        probes.append(now_ns // S - 10)
    gaps = [b - a for a, b in pairwise(probes)]
    assert probes[0] == 1
    assert gaps == [2, 4, 8, 16, 30, 30, 30]
    venue.on_cancel(cancel(), at_ns=now_ns)
    assert state(venue) is VenueState.UNTRUSTED, "orders and trades are swept first"
    sweep(venue, now_ns)
    assert venue.trust(at_ns=now_ns + S)
    assert state(venue) is VenueState.POST_ONLY
    venue.due(at_ns=now_ns + POST_ONLY_NS - 1, seq=2)
    assert state(venue) is VenueState.POST_ONLY
    venue.due(at_ns=now_ns + POST_ONLY_NS, seq=2)
    assert state(venue) is VenueState.NORMAL


def test_b5_post_only_lasts_as_long_as_the_venue_says() -> None:
    venue = trusted()
    venue.on_order(order(VenueCode.POST_ONLY_MODE, retry_s=79), at_ns=0)
    assert venue.next_due_ns() == 79 * S
    venue.due(at_ns=79 * S, seq=1)
    assert state(venue) is VenueState.NORMAL


def test_b6_disabled_cancels_too_then_cancel_only_then_makers_then_normal() -> None:
    venue = trusted()
    venue.on_cancel(cancel(VenueCode.DISABLED), at_ns=S)
    assert state(venue) is VenueState.DISABLED
    assert len(venue.due(at_ns=2 * S, seq=1)) == 1
    venue.on_cancel(cancel(), at_ns=3 * S)
    assert state(venue) is VenueState.CANCEL_ONLY
    sweep(venue, 3 * S)
    assert venue.trust(at_ns=4 * S)
    venue.due(at_ns=33 * S, seq=2)
    assert state(venue) is VenueState.POST_ONLY
    venue.on_order(order(VenueCode.CANCEL_ONLY), at_ns=34 * S)
    assert state(venue) is VenueState.CANCEL_ONLY
    venue.due(at_ns=64 * S, seq=3)
    venue.due(at_ns=64 * S + POST_ONLY_NS, seq=3)
    assert state(venue) is VenueState.NORMAL


def test_b7_a_429_holds_orders_for_the_time_named_and_never_cancels() -> None:
    venue = trusted()
    venue.on_order(order(VenueCode.RATE_LIMITED, retry_s=7), at_ns=S)
    assert state(venue) is VenueState.RATE_LIMITED
    venue.on_cancel(cancel(VenueCode.RATE_LIMITED), at_ns=S)
    venue.due(at_ns=8 * S - 1, seq=1)
    assert state(venue) is VenueState.RATE_LIMITED
    venue.due(at_ns=8 * S, seq=1)
    assert state(venue) is VenueState.NORMAL


@pytest.mark.parametrize("code", [VenueCode.AUTH, VenueCode.WALLET])
def test_b32_a_401_halts_until_an_authenticated_read_works(code: VenueCode) -> None:
    venue = trusted()
    venue.on_order(order(code), at_ns=S)
    assert state(venue) is VenueState.AUTH_FAILED
    venue.due(at_ns=1_000 * S, seq=1)
    assert state(venue) is VenueState.AUTH_FAILED, "time is no evidence"
    venue.on_authenticated(at_ns=1_001 * S)
    assert state(venue) is VenueState.NORMAL


def test_b32_geoblock_banned_and_closed_only() -> None:
    venue = trusted()
    venue.on_checked(VenueChecked(realm=LIVE, ok=True, blocked=True, country="XX"), at_ns=S)
    assert (state(venue), venue.why) == (VenueState.GEO_BLOCKED, "region XX is blocked")
    venue.on_checked(VenueChecked(realm=LIVE, ok=False), at_ns=2 * S)
    assert state(venue) is VenueState.GEO_BLOCKED, "a failed check is no evidence"
    venue.on_checked(VenueChecked(realm=LIVE, ok=True, closed_only=True), at_ns=3 * S)
    assert (state(venue), venue.closed_only) == (VenueState.NORMAL, True)
    venue.on_order(order(VenueCode.BANNED), at_ns=4 * S)
    assert state(venue) is VenueState.GEO_BLOCKED
    other = trusted()
    other.on_order(order(VenueCode.CLOSED_ONLY), at_ns=S)
    assert other.closed_only


def test_b25_a_lost_heartbeat_stops_and_its_return_is_swept_before_trust() -> None:
    venue = trusted()
    venue.on_heartbeat(ok=True, at_ns=S)
    assert state(venue) is VenueState.NORMAL
    venue.on_heartbeat(ok=False, why="401", at_ns=2 * S)
    assert state(venue) is VenueState.HEARTBEAT_EXPIRED
    venue.on_heartbeat(ok=True, at_ns=9 * S)
    assert state(venue) is VenueState.UNTRUSTED
    sweep(venue, 8 * S)
    assert not venue.trust(at_ns=9 * S)
    sweep(venue, 9 * S)
    assert venue.trust(at_ns=10 * S)


def test_three_unknown_outcomes_in_half_a_minute_degrade() -> None:
    venue = trusted()
    for at_s in (1, 40, 41):
        venue.on_order(order(lost=1), at_ns=at_s * S)
    assert state(venue) is VenueState.NORMAL
    venue.on_order(order(lost=1), at_ns=42 * S)
    assert state(venue) is VenueState.DEGRADED
    venue.due(at_ns=72 * S, seq=1)
    assert state(venue) is VenueState.NORMAL


def test_codes_about_an_order_say_nothing_about_the_venue() -> None:
    venue = trusted()
    for code in (VenueCode.BALANCE, VenueCode.TICK, VenueCode.FAK_KILLED, VenueCode.OTHER):
        venue.on_order(order(code), at_ns=S)
    assert state(venue) is VenueState.NORMAL
    assert venue.drain() == []


def test_the_worst_condition_is_shown_and_the_next_worst_after_it() -> None:
    venue = trusted()
    venue.on_order(order(VenueCode.RATE_LIMITED, retry_s=900), at_ns=S)
    venue.on_stream(up=False, at_ns=2 * S)
    venue.on_order(order(VenueCode.AUTH), at_ns=3 * S)
    seen = [state(venue)]
    venue.on_authenticated(at_ns=4 * S)
    seen.append(state(venue))
    venue.on_stream(up=True, at_ns=5 * S)
    sweep(venue, 5 * S)
    venue.trust(at_ns=6 * S)
    seen.append(state(venue))
    assert seen == [VenueState.AUTH_FAILED, VenueState.UNTRUSTED, VenueState.RATE_LIMITED]
    assert [m.state for m in venue.log][-3:] == seen


CODES = st.sampled_from(list(VenueCode))
ACTS = st.one_of(
    st.tuples(st.just("order"), CODES),
    st.tuples(st.just("cancel"), CODES),
    st.tuples(st.just("stream"), st.booleans()),
    st.tuples(st.just("beat"), st.booleans()),
    st.tuples(st.just("sweep"), st.integers(0, 60)),
    st.tuples(st.just("due"), st.just(0)),
)


@given(st.lists(ACTS, max_size=50))
def test_normal_is_never_reached_over_a_gap_without_sweeps_and_never_for_ever_lost(
    acts: list[tuple[str, Any]],
) -> None:
    venue, now_ns, gap_ns, is_up = trusted(), 0, -(10**18), True
    for act, value in acts:
        now_ns += 5 * S
        if act == "order":
            venue.on_order(order(value), at_ns=now_ns)
        elif act == "cancel":
            venue.on_cancel(cancel(value), at_ns=now_ns)
        elif act == "stream":
            venue.on_stream(up=value, at_ns=now_ns)
            is_up, gap_ns = value, now_ns
        elif act == "beat":
            venue.on_heartbeat(ok=value, at_ns=now_ns)
        elif act == "sweep":
            sweep(venue, now_ns - value * S)
            swept = venue.trust(at_ns=now_ns)
            assert not swept or is_up
            assert not swept or now_ns - value * S >= gap_ns
            gap_ns = -(10**18) if swept else gap_ns
        else:
            venue.due(at_ns=now_ns, seq=1)
        if not is_up:
            assert venue.state is not VenueState.NORMAL
    heal(venue, now_ns)
    assert venue.state is VenueState.NORMAL


def heal(venue: VenueStanding, now_ns: int) -> None:
    """Let everything be well again: within minutes the state is NORMAL (invariant 30)."""
    venue.on_stream(up=True, at_ns=now_ns)
    for _ in range(400):
        now_ns += S
        for _probe in venue.due(at_ns=now_ns, seq=1):
            venue.on_cancel(cancel(), at_ns=now_ns)
        venue.on_heartbeat(ok=True, at_ns=now_ns)
        venue.on_authenticated(at_ns=now_ns)
        venue.on_checked(VenueChecked(realm=LIVE, ok=True), at_ns=now_ns)
        sweep(venue, now_ns)
        venue.trust(at_ns=now_ns)
