"""Fault rows B of the catalogue on the whole order path: orders, settlement, the venue."""

import pytest
from msgspec.structs import replace

from polytui.engine.account.views import positions_view
from polytui.engine.core import account_events as heard
from polytui.engine.core.commands import ReadBalances, RecordAnomaly
from polytui.engine.core.enums import Mode, Side
from polytui.engine.core.order_enums import (
    Anomaly,
    Control,
    OrderState,
    Realm,
    SendOutcome,
    TradingState,
    VenueCode,
    VenueState,
    Witness,
)
from polytui.engine.core.rng import Rng
from polytui.engine.core.trading import CASH
from polytui.engine.core.units import U
from polytui.engine.sim import faults
from polytui.engine.sim.account_wire import Times
from polytui.engine.sim.exchange.terms import Restriction, VenueMode
from polytui.engine.sim.rehearsal import ACCOUNT, OWNER
from tests.engine.rehearsal.scripted import NAME
from tests.engine.rehearsal.stage import Stage
from tests.engine.rehearsal.swarm import armed, at_rest, quoting

S = 1_000_000_000
MS = 1_000_000
STRANGER = "0x" + "b2" * 20
pytestmark = pytest.mark.timeout(60)


def placed_at_venue(stage: Stage) -> list[str]:
    return [t.order_hash for _, t in stage.wire.sent if stage.exchange.order(t.order_hash)]


# --- answers that are lost -----------------------------------------------------------------------


@pytest.mark.parametrize("switch", ["lost_reply", "dropped_reply"], ids=["b3_500", "b1_timeout"])
def test_b1_b3_an_order_whose_answer_is_lost_is_found_by_its_hash_and_never_sent_again(
    switch: str,
) -> None:
    stage = armed(kinds="q")
    stage.switch(**{switch: 1.0})
    assert stage.wait(lambda: len(stage.wire.sent) >= 2)
    stage.run_for(8)
    stage.switch()
    stage.run_for(10)
    assert not stage.account.orders.unknown()
    hashes = [terms.order_hash for _, terms in stage.wire.sent]
    assert len(set(hashes)) == len(hashes)
    old = [terms for ns, terms in stage.wire.sent if ns < stage.now_ns - S]
    for terms in old:
        order = stage.account.orders.by_hash[terms.order_hash]
        is_there = stage.exchange.order(terms.order_hash) is not None
        assert order.state.is_terminal is not is_there
        assert order.state is not OrderState.REFUSED, "all of them were placed"
    at_rest(stage)


def test_b2_an_order_that_never_arrived_is_refused_by_evidence_and_by_nothing_else() -> None:
    stage = armed(kinds="q")
    stage.switch(lost_order=1.0)
    assert stage.wait(lambda: len(stage.wire.sent) >= 2)
    stage.run_for(1)
    stage.switch()
    stage.run_for(25)
    lost = [stage.account.orders.by_hash[t.order_hash] for _, t in stage.wire.sent
            if stage.exchange.order(t.order_hash) is None]  # fmt: skip
    assert lost
    for order in lost:
        assert order.state is OrderState.REFUSED
        assert any(edge.state is OrderState.UNKNOWN for edge in order.edges)
        assert order.edges[-1].witness is Witness.REST_READ
    at_rest(stage)


def test_b11_fills_that_overtake_the_answer_are_no_orphans() -> None:
    stage = armed(kinds="bf", times=Times(down_ns=(400 * MS, 900 * MS), stream_ns=(5 * MS, 9 * MS)))
    stage.run_for(40)
    assert [t for t in stage.account.trades.latest(200) if t.cid]
    assert not stage.account.trades.counts["trades_of_others"]
    at_rest(stage)


def test_b12_doubled_swapped_and_lost_user_events_give_the_same_ledger() -> None:
    stage = armed(kinds="bbfq")
    stage.switch(user_repeat=0.7, user_swap=0.5, user_drop=0.3)
    stage.run_for(60)
    assert stage.account.trades.known
    at_rest(stage)


def test_b15_partial_fills_and_cancels_leave_exact_remainders() -> None:
    stage = armed(kinds="qqf", period_ms=700)
    for _ in range(20):
        stage.run_for(2)
        stage.ask("orders.cancel", "all")
    at_rest(stage)


def test_b17_a_delayed_order_counts_until_the_venue_lets_it_go() -> None:
    stage = armed(markets=5, rate=60.0, kinds="f", only="Will the Lakers")
    delayed: list[int] = []

    def look(_stage: object, _stamped: object) -> None:
        orders = stage.account.orders.open()
        delayed.extend(o.worst_cash_u6 for o in orders if o.state is OrderState.DELAYED)

    stage.checks.append(look)
    stage.run_for(60)
    assert delayed, "orders were delayed"
    assert min(delayed) > 0
    at_rest(stage)


# --- the venue's moods ---------------------------------------------------------------------------


def test_b5_a_restart_stops_submits_then_lets_makers_through_then_all() -> None:
    stage = armed(kinds="qf")
    stage.run_for(3)
    stage.feed.world.do(faults.Restart(down_ms=20_000, post_only_ms=120_000))
    stage.wire.cut_user_stream(stage.now_ns)
    refused = len(stage.wire.sent)
    stage.run_for(18)
    assert len(stage.wire.sent) - refused <= 2, "those on their way, and none after the first 425"
    stage.run_for(30)
    begin_ns = stage.now_ns
    assert stage.account.venue.state in (VenueState.POST_ONLY, VenueState.UNTRUSTED)
    stage.run_for(60)
    sent = stage.sent_since(begin_ns)
    assert sent
    assert all(terms.post_only for terms in sent)
    assert stage.wait(lambda: stage.account.venue.state is VenueState.NORMAL, within_s=120)
    at_rest(stage)


@pytest.mark.parametrize("mode", [VenueMode.CANCEL_ONLY, VenueMode.DISABLED])
def test_b6_cancel_only_and_disabled_stop_orders_and_recover_by_steps(mode: VenueMode) -> None:
    stage = quoting()
    stage.exchange.set_mode(mode)
    sent = len(stage.wire.sent)
    stage.run_for(10)
    assert len(stage.wire.sent) - sent <= 3, "none after the first refusals"
    begin_ns = stage.now_ns
    stage.run_for(10)
    probes = stage.sent_since(begin_ns)
    assert len(probes) <= 1, probes
    stage.exchange.set_mode(VenueMode.NORMAL)
    assert stage.wait(lambda: stage.account.venue.state is VenueState.NORMAL, within_s=240)
    at_rest(stage)


def test_b6_a_kill_while_the_venue_refuses_cancels_says_so_and_ends_when_it_takes_them() -> None:
    stage = quoting()
    stage.exchange.set_mode(VenueMode.DISABLED)
    stage.ask("risk.kill", "asked")
    stage.run_for(5)
    kill = stage.engine.trading.room.kill
    assert not kill.verified
    assert any("refuses cancels" in line.text for line in kill.receipt())
    stage.exchange.set_mode(VenueMode.NORMAL)
    assert stage.wait(lambda: kill.verified, within_s=30)
    assert not stage.exchange.open_orders(owner=OWNER)


def test_b7_a_429_is_waited_out_and_cancels_go_on() -> None:
    stage = quoting()
    stage.switch(too_many=1.0, retry_after_s=3)
    sent = len(stage.wire.sent)
    assert stage.wait(lambda: len(stage.wire.sent) > sent)
    stage.run_for(0.3)
    first_ns = stage.now_ns
    order = stage.quotes()[0]
    stage.ask("orders.cancel", f"order:{order.cid}")
    stage.run_for(0.5)
    assert order.state is OrderState.CANCELED, "a cancel does not wait for the order bucket"
    assert not [ns for ns, _ in stage.wire.sent if first_ns < ns < first_ns + 2 * S]
    at_rest(stage)


def test_b8_a_kill_is_repeated_through_429s_on_cancels_until_nothing_is_open() -> None:
    stage = quoting()
    stage.switch(too_many_cancels=0.8)
    stage.ask("risk.kill", "asked")
    assert stage.wait(lambda: stage.engine.trading.room.kill.verified, within_s=60)
    assert not stage.exchange.open_orders(owner=OWNER)


def test_b10_cancels_that_race_fills_end_equal_to_the_venue() -> None:
    stage = armed(kinds="q", period_ms=600, times=Times(up_ns=(80 * MS, 300 * MS)))
    for _ in range(40):
        stage.run_for(1)
        for order in stage.quotes()[:2]:
            stage.ask("orders.cancel", f"order:{order.cid}")
    at_rest(stage)


@pytest.mark.parametrize("skew_ms", [-120_000, 120_000])
def test_b23_a_clock_two_minutes_off_stops_orders_and_none_is_dead_or_overlong(
    skew_ms: int,
) -> None:
    stage = quoting()
    stage.switch(clock_skew_ms=skew_ms)
    assert stage.wait(lambda: abs(stage.account.offset_ns or 0) > S, within_s=70)
    begin_ns = stage.now_ns
    stage.run_for(10)
    assert not stage.sent_since(begin_ns)
    assert stage.engine.trading.room.governor.refused[Control.CLOCK]
    for order in stage.account.orders.by_cid.values():
        if order.sent_ns and order.terms is not None and order.terms.expiration_s:
            lead_s = order.terms.expiration_s - order.sent_ns // S
            assert 180 <= lead_s <= 301


def test_b24_money_that_leaves_by_another_way_closes_intake_and_nothing_is_approved() -> None:
    stage = quoting()
    stage.feed.world.do(faults.Drain(address=ACCOUNT, cash_u6=500 * U))
    lines = stage.account.reconciler.report.lines
    found = stage.wait(
        lambda: any(one.anomaly is Anomaly.CASH_MISMATCH for one in lines.values()), within_s=40
    )
    assert found
    assert not stage.account.reconciler.intake.is_open
    begin_ns = stage.now_ns
    stage.run_for(15)
    assert not stage.sent_since(begin_ns)
    assert not [c for c in stage.commands if "approve" in type(c).__name__.lower()]


def phantom_lines(stage: Stage) -> list[str]:
    lines = stage.account.reconciler.report.lines
    return [s for (s, anomaly) in lines if anomaly is Anomaly.PHANTOM_LOCK]


def test_b24_a_phantom_balance_lock_is_named_shown_recorded_and_not_asked_for_again() -> None:
    """The venue holds back what our books say is free (hazard "phantom balance lock")."""
    stage = quoting()
    begin_ns = stage.now_ns
    stage.feed.world.do(faults.LockBalance(address=ACCOUNT, cash_u6=10_000 * U))
    assert stage.wait(lambda: phantom_lines(stage) == [CASH])
    found_ns = stage.now_ns
    view = positions_view(stage.engine.trading, at_ns=stage.now_ns)
    row = next(one for one in view.anomalies if one.anomaly is Anomaly.PHANTOM_LOCK)
    assert row.subject == CASH
    assert not row.resolved_ns
    assert "although free" in row.theirs
    assert "not enough balance" in row.detail
    assert float(row.ours) > 100, "our own number is shown beside the refusal"
    stage.run_for(2)
    alerts = stage.engine.trading.room.alerts.view(at_ns=stage.now_ns).active
    assert "POS_MISMATCH" in [one.code for one in alerts]
    records = [c for c in stage.commands if isinstance(c, RecordAnomaly)]
    assert Anomaly.PHANTOM_LOCK in [record.anomaly for record in records]
    reads = [c for c in stage.commands if isinstance(c, ReadBalances) and c.refresh]
    assert reads, "the venue's balance cache is read anew"
    stage.run_for(20)
    buys = [t for t in stage.sent_since(found_ns + 200 * MS) if t.side is Side.BUY]
    assert not buys, "no entry asks for the locked pUSD again at once"
    refused = stage.engine.trading.room.governor.last[Control.FUNDS][1]
    assert "locked" in refused.value
    assert begin_ns < found_ns


def test_b24_a_phantom_lock_ends_by_evidence_and_trading_goes_on() -> None:
    stage = quoting()
    stage.feed.world.do(faults.LockBalance(address=ACCOUNT, cash_u6=10_000 * U))
    assert stage.wait(lambda: bool(phantom_lines(stage)))
    stage.feed.world.do(faults.LockBalance(address=ACCOUNT, cash_u6=0))
    assert stage.wait(lambda: not phantom_lines(stage), within_s=70)
    over = next(
        one for one in stage.account.reconciler.report.resolved
        if one.anomaly is Anomaly.PHANTOM_LOCK
    )  # fmt: skip
    assert over.evidence.startswith("balances: all of it is there")
    freed_ns = stage.now_ns
    bought = stage.wait(lambda: any(t.side is Side.BUY for t in stage.sent_since(freed_ns)))
    assert bought
    at_rest(stage)


def test_b24_a_real_shortage_is_a_difference_and_no_phantom_lock() -> None:
    """Money left by another way: the refusal is right, the read of balances says so."""
    stage = quoting()
    cash_u6 = stage.account.portfolio.cash_u6
    stage.feed.world.do(faults.Drain(address=ACCOUNT, cash_u6=cash_u6 - U))
    lines = stage.account.reconciler.report.lines
    found = stage.wait(
        lambda: any(one.anomaly is Anomaly.CASH_MISMATCH for one in lines.values()), within_s=40
    )
    assert found
    assert not phantom_lines(stage)


def test_b25_a_refused_heartbeat_stops_submits_retries_with_the_id_and_sweeps_first() -> None:
    stage = quoting()
    stage.exchange.heartbeat(OWNER, stage.account.heartbeat_id)
    assert stage.wait(lambda: stage.account.venue.has(VenueState.HEARTBEAT_EXPIRED), within_s=12)
    lost_ns = stage.now_ns
    assert stage.wait(lambda: stage.account.venue.state is VenueState.NORMAL, within_s=20)
    back_ns = stage.now_ns
    during = [ns for ns, _ in stage.wire.sent if lost_ns <= ns < back_ns - 100 * MS]
    assert not during, "nothing leaves between the lost beat and the sweep"
    swept = [
        one.event.asked_ns for one in stage.events
        if isinstance(one.event, heard.OpenOrdersRead) and one.event.asked_ns >= lost_ns
    ]  # fmt: skip
    assert swept
    at_rest(stage)


# --- our own behaviour ---------------------------------------------------------------------------


def test_b27_a_strategy_stuck_in_a_loop_is_latched_off_and_stays_so() -> None:
    stage = armed(kinds="q", period_ms=300, only="Bitcoin Up", rate=30.0)
    breakers = stage.engine.trading.room.governor.desks[Realm.LIVE].breakers
    assert stage.wait(lambda: bool(breakers.tripped), within_s=120), "20 sends a minute are enough"
    begin_ns, tokens = stage.now_ns, _latched(stage)
    stage.run_for(25)
    assert not [t for t in stage.sent_since(begin_ns + 50 * MS) if t.token in tokens]
    for spec in stage.feed.specs():
        times = [ns for ns, terms in stage.wire.sent if terms.token in spec.tokens]
        assert max((sum(a <= b < a + 60 * S for b in times) for a in times), default=0) <= 20


def _latched(stage: Stage) -> set[str]:
    """Return the tokens of the markets in which the strategy is latched off."""
    breakers = stage.engine.trading.room.governor.desks[Realm.LIVE].breakers
    latched = [spec for spec in stage.feed.specs() if breakers.latched(NAME, spec.market)]
    assert latched
    return {token for spec in latched for token in spec.tokens}


def test_b28_a_storm_of_rejections_latches_the_strategy_off() -> None:
    stage = armed(kinds="q", period_ms=400, only="Bitcoin Up", rate=30.0)
    lead_s = stage.account.config.orders.life_s + 60
    stage.exchange.configure(replace(stage.exchange.settings, gtd_lead_s_min=lead_s))
    breakers = stage.engine.trading.room.governor.desks[Realm.LIVE].breakers
    assert stage.wait(lambda: bool(breakers.tripped), within_s=90)
    begin_ns, tokens = stage.now_ns, _latched(stage)
    stage.run_for(20)
    assert not [t for t in stage.sent_since(begin_ns + 50 * MS) if t.token in tokens]


def test_b29_tokens_nobody_bought_halt_their_market_within_half_a_minute() -> None:
    stage = quoting()
    spec = stage.feed.specs()[0]
    stage.exchange.open_account(STRANGER)
    stage.exchange.deposit(STRANGER, 100 * U)
    stage.exchange.split(STRANGER, spec.market, 50 * U)
    begin_ns = stage.now_ns
    stage.exchange.transfer(STRANGER, ACCOUNT, spec.tokens[0], 30 * U)
    halted = stage.account.halted
    assert stage.wait(lambda: any(m == spec.market for m, _ in halted), within_s=65)
    assert stage.account.portfolio.tokens().get(spec.tokens[0], (0, 0, 0))[0] == 0, "never mended"
    late_ns = stage.now_ns
    stage.run_for(20)
    assert not [t for t in stage.sent_since(late_ns) if t.token in spec.tokens]
    assert late_ns - begin_ns <= 65 * S


def test_b30_orders_of_another_hand_are_counted_shown_and_left_alone() -> None:
    stage = armed(kinds="h")
    placed = stage.by_another_hand(Rng(5), far=True)
    assert placed.is_success
    orders = stage.account.orders
    assert stage.wait(lambda: placed.order_id in orders.by_hash, within_s=12)
    order = orders.by_hash[placed.order_id]
    assert order.external
    assert order.worst_cash_u6 > 0
    assert stage.account.portfolio.exposure.of("total") >= order.worst_cash_u6
    stage.run_for(30)
    assert stage.exchange.order(placed.order_id) is not None
    assert not order.state.is_terminal
    stage.ask("orders.cancel", f"order:{order.cid}")
    stage.run_for(5)
    assert order.state is OrderState.CANCELED


def test_b31_another_order_version_closes_intake() -> None:
    stage = quoting()
    stage.take([heard.VenueChecked(realm=Realm.LIVE, ok=True, version=3, country="FI")])
    stage.wire.cut_user_stream(stage.now_ns)
    begin_ns = stage.now_ns
    stage.run_for(15)
    assert not stage.account.reconciler.intake.is_open
    assert not stage.sent_since(begin_ns + MS)


@pytest.mark.parametrize("restriction", [Restriction.BANNED, Restriction.CLOSED_ONLY])
def test_b32_a_banned_or_closed_only_account_stops_at_the_first_word(
    restriction: Restriction,
) -> None:
    stage = quoting()
    stage.feed.world.do(faults.SetRestriction(address=ACCOUNT, restriction=restriction))
    refused = stage.wait(
        lambda: any(
            isinstance(one.event, heard.OrderAnswered) and one.event.outcome is SendOutcome.REFUSED
            for one in stage.events[-400:]
        )
    )
    assert refused
    begin_ns = stage.now_ns
    causes = stage.engine.trading.room.governor.desks[Realm.LIVE].causes
    assert causes.state is TradingState.HALTED
    alerts = stage.engine.trading.room.alerts.view(at_ns=stage.now_ns).active
    assert "SHUT_OUT" in [one.code for one in alerts], "a person is paged"
    stage.run_for(20)
    assert not stage.sent_since(begin_ns + 100 * MS)
    stage.ask("orders.cancel", "all")
    stage.run_for(3)
    assert not stage.exchange.open_orders(owner=OWNER), "cancels are kept"


def test_b32_a_ban_is_not_over_because_the_place_is_open_a_person_resumes() -> None:
    """Found here: a check of the region ended what an order's refusal had told."""
    stage = quoting()
    stage.feed.world.do(faults.SetRestriction(address=ACCOUNT, restriction=Restriction.BANNED))
    causes = stage.engine.trading.room.governor.desks[Realm.LIVE].causes
    assert stage.wait(lambda: "banned" in causes)
    stage.take([heard.VenueChecked(realm=Realm.LIVE, ok=True, version=2, country="FI")])
    begin_ns = stage.now_ns
    stage.run_for(20)
    assert causes.state is TradingState.HALTED
    assert not stage.sent_since(begin_ns + 100 * MS)
    stage.feed.world.do(faults.SetRestriction(address=ACCOUNT, restriction=Restriction.NONE))
    reply = stage.ask("trading.resume", "banned", "RESUME", "the venue pardoned us")
    assert reply.ok, reply.text
    resumed_ns = stage.now_ns
    assert stage.wait(lambda: bool(stage.sent_since(resumed_ns)), within_s=60)


def test_b32_a_blocked_region_and_a_refused_key_halt_until_evidence_ends_them() -> None:
    stage = quoting()
    causes = stage.engine.trading.room.governor.desks[Realm.LIVE].causes
    blocked = heard.VenueChecked(realm=Realm.LIVE, ok=True, version=2, blocked=True, country="US")
    stage.take([blocked])
    assert causes.state is TradingState.HALTED
    assert "geo_blocked" in causes
    stage.take([heard.VenueChecked(realm=Realm.LIVE, ok=True, version=2, country="FI")])
    assert "geo_blocked" not in causes
    refused = heard.CancelAnswered(
        realm=Realm.LIVE, request="x", outcome=SendOutcome.REFUSED, code=VenueCode.AUTH
    )
    stage.take([refused])
    assert "auth_failed" in causes
    assert causes.state is TradingState.HALTED
    begin_ns = stage.now_ns
    assert stage.wait(lambda: causes.state is TradingState.ACTIVE), "a read with the key works"
    assert stage.now_ns > begin_ns


def test_b13_b18_a_hedge_pulls_our_own_quote_from_its_way() -> None:
    """A quote of ours must not keep a naked leg naked (found here: G20 refused the hedge)."""
    stage = armed(seed=1, kinds="bbbqqqq")
    stage.run_for(90)
    orders = stage.account.orders.by_cid.values()
    assert any("in the way of" in order.venue_text for order in orders)
    assert stage.mode is Mode.LIVE_ARMED
    at_rest(stage)
