"""Fault rows C on the whole order path, and the kill ladder's first rungs, in virtual time."""

from functools import partial

import pytest

from polytui.engine.account.gate_facts import SLEPT
from polytui.engine.core import account_events as heard
from polytui.engine.core.commands import Follow
from polytui.engine.core.enums import Mode
from polytui.engine.core.order_enums import KillStep, OrderState, Realm, VenueState
from polytui.engine.sim import faults
from polytui.engine.sim.exchange.terms import Resolution
from polytui.engine.sim.rehearsal import OWNER
from tests.engine.rehearsal.invariants import Watch
from tests.engine.rehearsal.scripted import KINDS
from tests.engine.rehearsal.stage import Stage
from tests.engine.rehearsal.swarm import armed, at_rest, settle

S = 1_000_000_000
MS = 1_000_000
pytestmark = pytest.mark.timeout(60)


def busy(seed: int) -> Stage:
    """Have quotes resting, orders on their way and trades settling."""
    stage = armed(seed, kinds=KINDS, period_ms=700)
    assert stage.wait(lambda: len(stage.quotes()) >= 3)
    return stage


@pytest.mark.parametrize("fuse", range(0, 60, 4))
def test_c1_killed_at_any_instruction_nothing_is_lost_or_doubled(fuse: int) -> None:
    stage = busy(seed=fuse + 1)
    stage.run_for(2 + fuse / 10)
    placed = {terms.order_hash for _, terms in stage.wire.sent}
    stage.fuse = fuse
    stage.run_for(5)
    assert stage.boots == 2
    begin_ns = next(one.at_ns for one in stage.events)
    trust = stage.account.reconciler.way.trust
    assert stage.wait(lambda: bool(trust), within_s=30), stage.account.reconciler.intake
    assert trust[0].reconciled_ns - begin_ns <= 5 * S, "restart to reconciled"
    assert stage.mode is not Mode.LIVE_ARMED, "a restart is never armed"
    hashes = [terms.order_hash for _, terms in stage.wire.sent]
    assert not placed & set(hashes), "nothing is sent again"
    orphans = [o for o in stage.account.orders.open() if not o.external]
    stage.run_for(5)
    assert all(order.state.is_terminal for order in orphans), "orders of a dead run are cancelled"
    at_rest(stage)


def test_b25_c1_the_first_beat_after_a_restart_asks_for_the_id_and_costs_no_trust() -> None:
    """Found at kills: entries were refused for ten seconds after every re-arming."""
    stage = busy(seed=9)
    stage.crash()
    assert stage.arm()
    stage.run_for(2)
    beats = [one.event for one in stage.events if isinstance(one.event, heard.HeartbeatAnswered)]
    assert [beat.ok for beat in beats[:2]] == [False, True]
    assert stage.account.venue.state is VenueState.NORMAL


def test_c1_a_record_lost_with_the_crash_is_found_at_the_venue() -> None:
    """The engine dies after its bytes left and before anything later became durable."""
    stage = busy(seed=5)
    sent = len(stage.wire.sent)
    assert stage.wait(lambda: len(stage.wire.sent) > sent)
    _, terms = stage.wire.sent[-1]
    stage.crash()
    stage.run_for(10)
    assert terms.order_hash in stage.account.orders.by_hash
    assert not stage.account.orders.unknown()
    at_rest(stage)


def test_c1_what_is_held_in_a_market_that_ended_while_we_were_dead_is_learnt_and_redeemed() -> None:
    """Only what can be traded is listed at a start: what was held elsewhere stayed for ever."""
    stage = armed(seed=3, kinds="b", period_ms=800)

    def held() -> dict[str, int]:
        positions = stage.account.portfolio.positions
        tokens = (one.place.token for one in positions)
        return {token: units for token in tokens if (units := positions.confirmed_u6(token))}

    assert stage.wait(lambda: bool(held()), within_s=120)
    positions = stage.account.portfolio.positions
    markets = [m for m in positions.markets() if any(h.is_live for h in positions.in_market(m))]
    for market in markets:
        stage.feed.world.do(faults.ResolveMarket(market=market, outcome=Resolution.NO))
    stage.now_ns += 50 * MS
    stage.feed.advance(stage.now_ns)
    stage.crash()
    assert not any(stage.account.markets.spec(market) for market in markets)
    stage.run_for(320)
    asked = [c.market for c in stage.commands if isinstance(c, Follow)]
    assert sorted(asked) == sorted(markets), "once each"
    assert not held()
    at_rest(stage)


@pytest.mark.parametrize("seconds", [1, 2, 4, 20, 60])
def test_c4_after_standing_still_everything_is_read_again_before_anything_is_sent(
    seconds: int,
) -> None:
    stage = busy(seed=seconds)
    stage.sleep(seconds)
    woke_ns = stage.now_ns
    assert not stage.account.reconciler.intake.is_open
    stage.run_for(25)
    sent = stage.sent_since(woke_ns)
    reads = [
        one.at_ns
        for one in stage.events
        if isinstance(one.event, heard.OpenOrdersRead) and one.event.asked_ns >= woke_ns
    ]
    assert reads
    first_ns = next((ns for ns, terms in stage.wire.sent if terms in sent), stage.now_ns)
    assert first_ns > reads[0], "the sweep comes before the first order"
    at_rest(stage)


def test_c4_what_was_about_to_leave_when_we_slept_is_refused_where_bytes_leave() -> None:
    """The gate is asked by whoever writes the bytes: he may wake before the engine looks."""
    stage = busy(seed=8)
    orders = stage.account.orders

    def leaving() -> list[str]:
        return [order.cid for order in orders.in_flight() if orders.may_leave(order.cid)]

    for _ in range(20_000):
        stage.run_for(0.001)
        if leaving():
            break
    (cid, *_) = leaving()
    host = stage.engine.trading.room.host
    gate = partial(stage.engine.gate, Realm.LIVE, cid, host)
    assert gate(stage.now_ns) is None
    assert gate(stage.now_ns + S) == SLEPT


def test_c6_a_loop_that_lags_sends_nothing() -> None:
    stage = busy(seed=6)
    stage.lag_ns = 300 * MS
    stage.run_for(1.1)
    begin_ns = stage.now_ns
    stage.run_for(4)
    assert not stage.sent_since(begin_ns)
    stage.lag_ns = 0
    assert stage.wait(lambda: bool(stage.sent_since(begin_ns)), within_s=60)
    at_rest(stage)


def test_c7_without_a_journal_no_order_leaves_and_the_kill_still_works() -> None:
    stage = busy(seed=7)
    stage.journal_ok = False
    begin_ns = stage.now_ns
    stage.run_for(3)
    assert not stage.sent_since(begin_ns)
    stage.ask("risk.kill", "the disk is full")
    kill = stage.engine.trading.room.kill
    assert stage.wait(lambda: kill.verified, within_s=15)
    assert not stage.exchange.open_orders(owner=OWNER)
    never = [o for o in stage.account.orders.by_cid.values() if o.state is OrderState.REFUSED]
    assert all(not order.sent_ns for order in never if "not sent" in order.edges[-1].detail)


# --- the kill ladder -----------------------------------------------------------------------------


@pytest.mark.parametrize("seed", range(1, 6))
def test_k1_k2_the_gate_closes_at_once_and_the_venue_is_proven_empty(seed: int) -> None:
    stage = busy(seed)
    stage.run_for(seed)
    begin_ns = stage.now_ns
    stage.ask("risk.kill", "asked")
    room = stage.engine.trading.room
    assert room.kill.killed
    assert not stage.latch_clear, "the latch is closed in the same step"
    assert stage.wait(lambda: room.kill.verified, within_s=10)
    assert not stage.exchange.open_orders(owner=OWNER)
    assert not stage.sent_since(begin_ns)
    lines = {line.step: line for line in room.kill.receipt()}
    assert lines[KillStep.VERIFIED].done
    assert stage.ask("risk.clear", "CLEAR", "tested").ok
    assert stage.mode is not Mode.LIVE_ARMED, "arming begins anew"
    at_rest(stage)


def test_k2_with_nothing_in_flight_the_venue_is_verified_empty_within_250_ms() -> None:
    stage = armed(seed=2, kinds="q", period_ms=500)
    assert stage.wait(lambda: len(stage.quotes()) >= 6)
    stage.ask("strategy.pause_all")
    stage.run_for(3)
    stage.ask("risk.kill", "asked")
    stage.run_for(0.25)
    assert stage.engine.trading.room.kill.verified


def test_k1_a_kill_survives_a_crash_and_only_a_person_opens_it() -> None:
    stage = busy(seed=3)
    stage.ask("risk.kill", "asked")
    stage.run_for(0.01)
    stage.crash()
    room = stage.engine.trading.room
    assert room.kill.killed
    begin_ns = stage.now_ns
    assert stage.wait(lambda: stage.engine.trading.room.kill.verified, within_s=15)
    stage.run_for(20)
    assert not stage.sent_since(begin_ns)
    assert stage.ask("risk.clear", "CLEAR", "tested").ok
    at_rest(stage)


def test_k_flatten_sells_what_is_held_and_is_lawful_while_killed() -> None:
    stage = armed(seed=4, kinds="ff", period_ms=700)
    settle(stage, 0.0, 1_000)
    stage.run_for(20)
    stage.ask("strategy.pause_all")
    stage.run_for(6)
    held = {token: row[0] for token, row in stage.account.portfolio.tokens().items() if row[0]}
    assert held
    reply = stage.flatten()
    assert reply.ok, reply.text
    stage.run_for(60)
    left = {token: row[0] for token, row in stage.account.portfolio.tokens().items()}
    assert sum(left.values()) < sum(held.values()) // 2, (held, left)
    at_rest(stage)


def test_bundles_begin_again_where_a_flatten_is_over() -> None:
    """Found here: a flattened market took no box again until the engine was restarted."""
    stage = armed(seed=4, kinds="b", period_ms=900)
    stage.run_for(15)
    assert stage.flatten().ok
    flatten = stage.account.flatten
    assert stage.wait(lambda: not flatten.stage.is_running, within_s=400)
    stage.run_for(2)
    begin_ns = stage.now_ns
    stage.run_for(30)
    again = [b for b in stage.account.bundles.by_id.values() if b.created_ns >= begin_ns]
    assert any("market ended" not in bundle.why for bundle in again)


# --- plain lives ---------------------------------------------------------------------------------


def test_a_shadow_run_opens_intake_and_sends_nothing() -> None:
    stage = Stage(seed=1)
    Watch(stage)
    stage.run_for(20)
    assert stage.account.reconciler.intake.is_open
    assert not stage.wire.sent


def test_a_dry_run_signs_checks_and_drops_every_order() -> None:
    stage = Stage(seed=1, kinds="q")
    Watch(stage)
    stage.climb()
    stage.run_for(30)
    assert stage.mode is Mode.LIVE_DRY_RUN
    states = {order.state for order in stage.account.orders.by_cid.values()}
    assert OrderState.DROPPED in states
    assert not stage.wire.sent
    assert not stage.exchange.open_orders(owner=OWNER)


def test_beats_begin_with_arming_and_end_with_it() -> None:
    """The venue's rule is sticky: an engine that only looks on must not begin to beat."""
    stage = armed(seed=1, kinds="h")
    beats = [one for one in stage.events if isinstance(one.event, heard.HeartbeatAnswered)]
    stage.run_for(20)
    stage.ask("mode.disarm")
    stage.run_for(2)
    count = sum(isinstance(one.event, heard.HeartbeatAnswered) for one in stage.events)
    assert count > len(beats)
    stage.run_for(30)
    after = sum(isinstance(one.event, heard.HeartbeatAnswered) for one in stage.events)
    assert after == count
    assert stage.arm(within_s=60), "and it may be armed again"
    stage.run_for(3)
    assert stage.engine.trading.accounts[Realm.LIVE].heartbeat_ns
