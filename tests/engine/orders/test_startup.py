"""The way from closed to open as a table (execution reference §2), and how it fails closed."""

from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from polytui.engine.core.account_events import (
    AccountGone,
    AccountReady,
    AccountRestored,
    HostState,
    OpenOrdersRead,
    UserTrade,
    VenueChecked,
)
from polytui.engine.core.commands import (
    CancelOrders,
    ReadBalances,
    ReadClock,
    ReadOpenOrders,
    ReadPositions,
    ReadTrades,
)
from polytui.engine.core.errors import EngineBug
from polytui.engine.core.ids import ConnId
from polytui.engine.core.order_enums import OrderState, Realm, TradeStatus
from polytui.engine.orders.asking import AGAIN_NS, ANSWER_NS, Asking
from polytui.engine.orders.startup import NEEDS, READS, STAGES, Cause, Passage, Stage
from tests.engine.orders.reconcile_rig import FACTS, ME, MS, Account, S, changed, row, stored

NOTHING: frozenset[Stage] = frozenset()


def passage(cause: Cause = Cause.START, **other: Any) -> Passage:
    return Passage(cause, 100, skip=other.get("skip", NOTHING))


# --- the table -----------------------------------------------------------------------------------


@pytest.mark.parametrize("stage", Stage)
def test_no_stage_is_passed_before_what_it_needs(stage: Stage) -> None:
    way = passage()
    if NEEDS[stage]:
        with pytest.raises(EngineBug, match=f"expected {stage.value} to be next"):
            way.enter(stage, 200)
        assert way.done == {}
    for need in Stage:
        if need is stage:
            break
        way.enter(need, 200)
    way.enter(stage, 300)
    assert way.done[stage] == 300
    with pytest.raises(EngineBug):
        way.enter(stage, 400)


def test_the_table_has_no_circle_and_ends_open() -> None:
    order = list(Stage)
    assert [s for s in Stage if any(order.index(n) >= order.index(s) for n in NEEDS[s])] == []
    assert order[-1] is Stage.OPEN
    assert all(Stage.OPEN in stages for stages in STAGES.values())


def test_reads_depend_on_the_journal_alone_so_that_they_are_asked_together() -> None:
    assert {NEEDS[stage] for stage in READS} == {(Stage.ADOPT_JOURNAL,)}


@given(st.lists(st.tuples(st.sampled_from(Stage), st.integers(0, 300)), max_size=60))
def test_a_passage_never_opens_with_anything_missing(steps: list[tuple[Stage, int]]) -> None:
    way = passage()
    for stage, asked_ns in steps:
        if way.accepts(stage, asked_ns):
            way.enter(stage, 300)
            assert asked_ns >= 100
    assert way.is_open == (set(way.done) == set(Stage))


def test_a_second_cause_voids_what_it_puts_in_doubt_and_nothing_else() -> None:
    way = passage()
    for stage in list(Stage)[:-2]:
        way.enter(stage, 200)
    way.add(Cause.USER_STREAM, 250, skip=NOTHING)
    assert way.is_next(Stage.READ_ORDERS)
    assert way.is_passed(Stage.CLOCK)
    assert not way.accepts(Stage.READ_TRADES, 249), "asked before the gap"
    assert not way.accepts(Stage.READ_TRADES, 250), "at the very moment of it"
    assert way.accepts(Stage.READ_TRADES, 251)
    assert not way.is_next(Stage.QUIET)


def test_a_read_that_is_demanded_anew_voids_the_quiet_that_rested_on_it() -> None:
    way = passage()
    for stage in list(Stage)[:-1]:
        way.enter(stage, 200)
    way.add(Cause.USER_STREAM, 250, skip=NOTHING)
    assert not way.is_passed(Stage.QUIET)


def test_skipped_stages_do_not_exist() -> None:
    way = passage(skip=frozenset({Stage.VERSION, Stage.REGION, Stage.CLOCK}))
    way.enter(Stage.LOCK, 200)
    assert way.is_next(Stage.HEARTBEAT)
    assert way.is_passed(Stage.VERSION)


# --- questions -----------------------------------------------------------------------------------


def test_a_question_is_asked_once_retried_slower_and_slower_and_then_by_its_period() -> None:
    asking = Asking(10_000)
    asking.want(5 * S)
    assert [asking.is_due(4 * S), asking.is_due(5 * S)] == [False, True]
    at_ns = 5 * S
    for wait_ns in (*AGAIN_NS, AGAIN_NS[-1]):
        asking.ask("q", at_ns)
        assert not asking.is_due(at_ns + ANSWER_NS - 1)
        at_ns += ANSWER_NS
        assert not asking.is_due(at_ns), "too late: failed, and asked again after a wait"
        assert asking.due_ns == at_ns + wait_ns
        at_ns += wait_ns
        assert asking.is_due(at_ns)
    assert "no answer for 3 s (attempt 6)" in asking.why
    asking.ask("q", at_ns)
    asking.answered(at_ns)
    assert asking.why == ""
    assert asking.due_ns == at_ns + 8 * S, "two seconds are kept for asking"


def test_wanting_does_not_cut_a_retry_short() -> None:
    asking = Asking(0)
    asking.want(S)
    asking.ask("q", S)
    asking.failed("no", 2 * S)
    asking.want(2 * S)
    assert asking.due_ns == 2 * S + 250 * MS


# --- a healthy start -----------------------------------------------------------------------------


def test_a_start_is_reconciled_within_a_round_trip_and_opens_after_the_quiet_period() -> None:
    account = Account(rtt_ms=30)
    account.start()
    account.run(100)
    assert account.rec.stage is Stage.QUIET
    account.run(3_000)
    (trust,) = account.rec.way.trust
    assert trust.reconciled_ns - trust.closed_ns == 30 * MS
    assert trust.took_ns == 3_030 * MS
    assert account.is_open()
    assert account.rec.intake.why == ""


def test_all_reads_of_a_start_leave_in_the_same_turn() -> None:
    account = Account()
    account.start()
    account.run()
    kinds = [type(command) for command in account.commands]
    assert kinds == [ReadOpenOrders, ReadTrades, ReadBalances, ReadPositions, ReadClock]


def test_a_clock_less_certain_than_its_round_trip_is_read_once_at_a_start() -> None:
    """Found at restarts: the answer counted as one to an older question, and cost 3.3 s."""
    account = Account(rtt_ms=30)
    account.start()
    account.live_on(5_000)
    assert account.is_open()
    assert len(account.asked(ReadClock)) == 1


def test_trades_are_read_from_a_little_before_the_newest_one_known() -> None:
    account = Account()
    account.start(last_trade_s=5_000)
    account.run()
    assert account.asked(ReadTrades)[0].after_s == 4_880


def test_evidence_may_come_in_any_order() -> None:
    account = Account()
    account.stream(up=True)
    account.beat()
    account.feed(VenueChecked(realm=Realm.LIVE, ok=True, version=2))
    account.feed(AccountRestored(realm=Realm.LIVE))
    account.feed(AccountReady(realm=Realm.LIVE, identity=ME, port="p", is_practice=True))
    account.run(1_000)
    assert account.rec.stage is Stage.LOCK
    account.feed(HostState(facts=FACTS))
    account.run(4_000)
    assert account.is_open()


def test_the_paper_account_opens_without_a_venue_clock_region_or_heart() -> None:
    account = Account(realm=Realm.PAPER)
    account.feed(HostState(facts=FACTS))
    account.feed(AccountReady(realm=Realm.PAPER, identity=ME, port="paper", is_practice=True))
    account.feed(AccountRestored(realm=Realm.PAPER))
    account.run(4_000)
    assert account.is_open()
    assert account.asked(ReadClock) == []


# --- failing closed ------------------------------------------------------------------------------

FAULTS: dict[str, tuple[Any, str]] = {
    "lock": (changed(FACTS, lock_held=False), "another engine holds the data directory"),
    "version": (VenueChecked(realm=Realm.LIVE, ok=True, version=3), "order version 2, was 3"),
    "unchecked": (VenueChecked(realm=Realm.LIVE, ok=False, why="dns"), "not checked: dns"),
    "region": (
        VenueChecked(realm=Realm.LIVE, ok=True, version=2, blocked=True, country="XX"),
        "blocked here (XX)",
    ),
    "closed": (
        VenueChecked(realm=Realm.LIVE, ok=True, version=2, closed_only=True),
        "only close positions",
    ),
}


@pytest.mark.parametrize("name", FAULTS)
def test_a_missing_precondition_keeps_it_closed_and_is_told(name: str) -> None:
    """B26 (the lock) and B32 (region, closed-only) on the way in."""
    event, why = FAULTS[name]
    account = Account()
    account.start()
    account.feed(event)
    account.live_on(35_000)
    assert not account.is_open()
    assert why in account.rec.intake.why
    assert [f.code for f in account.findings if hasattr(f, "code")] == ["intake_closed"]


@pytest.mark.parametrize("what", ["orders", "trades", "balances", "positions", "clock"])
def test_a_failed_read_is_a_failed_read_and_is_retried_until_it_comes(what: str) -> None:
    account = Account()
    account.broken.add(what)
    account.start()
    account.run(5_000)
    assert not account.is_open()
    assert "attempt" in account.rec.intake.why
    account.broken.clear()
    account.live_on(8_000)
    assert account.is_open()


@pytest.mark.parametrize("what", ["orders", "trades", "balances", "positions", "clock"])
def test_a_read_without_an_answer_is_asked_again_after_three_seconds(what: str) -> None:
    """C17: timeouts of at most three seconds."""
    account = Account()
    account.silent.add(what)
    account.start()
    account.run(3_200)
    assert "no answer for 3 s" in account.rec.intake.why
    account.silent.clear()
    account.run(4_000)
    assert account.is_open()


def test_without_a_user_stream_nothing_is_swept_and_nothing_opens() -> None:
    account = Account()
    account.start(stream=False)
    account.live_on(12_000)
    assert account.rec.stage is Stage.READ_ORDERS
    assert account.asked(ReadOpenOrders) == []
    account.stream(up=True)
    account.run(4_000)
    assert account.is_open()


def test_an_account_that_beats_only_when_armed_still_needs_its_user_stream() -> None:
    account = Account(skip=frozenset({Stage.HEARTBEAT}))
    account.start(stream=False, beat=False)
    account.run(9_000)
    assert not account.is_open()
    account.stream(up=True)
    account.run(4_000)
    assert account.is_open()
    assert account.rec.way.trust[-1].causes == (Cause.START,)
    account.stream(up=False)
    account.run(5_000)
    assert not account.is_open()


def test_without_a_port_nothing_is_asked_and_the_loss_of_one_closes() -> None:
    account = Account()
    account.feed(HostState(facts=FACTS))
    account.feed(AccountRestored(realm=Realm.LIVE))
    account.run(2_000)
    assert account.commands == []
    account = Account()
    account.opened()
    account.feed(AccountGone(realm=Realm.LIVE, why="signer died"))
    account.live_on(2_000)
    assert not account.is_open()
    account.feed(AccountReady(realm=Realm.LIVE, identity=ME, port="p", is_practice=True))
    account.live_on(2_000)
    assert account.is_open()
    assert account.rec.way.trust[-1].causes == (Cause.PORT,)


# --- C1: what a dead run left --------------------------------------------------------------------


def test_c1_orders_of_the_dead_run_that_live_are_cancelled_and_intake_waits_for_it() -> None:
    account = Account()
    account.live = {"0xa": row("0xa"), "0xb": row("0xb")}
    account.start(stored("0xa"), stored("0xb", OrderState.PARTIAL))
    account.run(35)
    assert "2 orders still live, partial" in account.rec.intake.why
    account.run(100)
    (cancel,) = account.asked(CancelOrders)
    assert set(cancel.hashes) == {"0xa", "0xb"}
    assert account.live == {}
    assert account.rec.stage is Stage.QUIET


def test_c1_the_quiet_time_runs_while_the_orders_of_the_dead_run_are_cancelled() -> None:
    account = Account(rtt_ms=1_000)
    account.live = {"0xa": row("0xa")}
    account.start(stored("0xa"))
    account.live_on(6_000)
    (trust,) = account.rec.way.trust
    assert trust.reconciled_ns - trust.closed_ns == 2_000 * MS
    assert trust.took_ns == 4_000 * MS, "three seconds after the reads"


def test_c1_a_fill_that_the_stream_tells_late_begins_the_quiet_time_anew() -> None:
    account = Account()
    account.live = {"0xa": row("0xa")}
    account.start(stored("0xa"))
    account.run(2_500)
    assert account.rec.stage is Stage.QUIET
    trade = account.trade("t1", "0xa", 4, status=TradeStatus.MATCHED)
    account.feed(UserTrade(realm=Realm.LIVE, conn=ConnId(1), venue_ms=0, trade=trade))
    account.run(2_900)
    assert account.rec.stage is Stage.QUIET
    account.run(200)
    (trust,) = account.rec.way.trust
    assert trust.took_ns == 5_500 * MS, "three seconds after the fill"


def test_c1_orders_of_others_are_counted_and_never_cancelled() -> None:
    """B30: what the venue shows under our key and we did not make is EXTERNAL."""
    account = Account()
    account.live = {"0xf": row("0xf")}
    account.opened()
    assert account.asked(CancelOrders) == []
    order = account.orders.by_hash["0xf"]
    assert order.external
    assert order in account.orders.counted()
    (line,) = account.rec.report.lines.values()
    assert (line.subject, line.ours, line.market) == ("0xf", "not ours", "0xm")


def test_c1_an_order_in_doubt_is_looked_up_and_cancelled_if_it_is_there() -> None:
    account = Account()
    account.live = {"0xa": row("0xa")}
    account.opened(stored("0xa", OrderState.SENT))
    assert account.orders.by_hash["0xa"].state is OrderState.CANCELED
    assert account.live == {}


def test_c1_an_order_that_never_arrived_does_not_keep_intake_closed_but_blocks_its_token() -> None:
    account = Account()
    account.opened(stored("0xa", OrderState.JOURNALLED, at_ns=999 * S))
    assert account.rec.way.trust[-1].took_ns < 5 * S
    order = account.orders.by_hash["0xa"]
    assert order.state is not OrderState.LIVE
    account.live_on(15_000)
    assert order.state is OrderState.CANCELED, "absence proves no refusal: it may have been there"


def test_c1_while_the_venue_refuses_cancels_intake_stays_closed_in_words() -> None:
    account = Account()
    account.refuses_cancels = True
    account.live = {"0xa": row("0xa")}
    account.start(stored("0xa"))
    account.live_on(10_000)
    assert "1 orders still live" in account.rec.intake.why
    assert len(account.asked(CancelOrders)) > 3
    account.refuses_cancels = False
    account.live_on(6_000)
    assert account.is_open()


def test_c1_a_restart_with_500_orders_is_reconciled_within_five_seconds() -> None:
    """Round trips of 100 ms: sweeps, five hundred orders found alive, cancelled, gone."""
    account = Account(rtt_ms=100)
    records = [stored(f"0x{n:03}") for n in range(500)]
    account.live = {r.order_hash: row(r.order_hash) for r in records[:450]}
    account.start(*records)
    account.live_on(6_000)
    (trust,) = account.rec.way.trust
    assert trust.reconciled_ns - trust.closed_ns <= 5 * S
    assert account.orders.open() == []


# --- time to trust -------------------------------------------------------------------------------


def test_intake_keeps_its_time_while_the_reason_changes() -> None:
    account = Account()
    account.start(stream=False)
    account.run(2_000)
    since_ns = account.rec.intake.since_ns
    account.broken.add("clock")
    account.run(2_000)
    assert account.rec.intake.since_ns == since_ns


def test_reads_asked_before_a_gap_prove_nothing_after_it() -> None:
    account = Account(rtt_ms=500)
    account.start()
    account.run(100)
    account.stream(up=False)
    account.run(50)
    account.stream(up=True)
    account.run(399)
    assert account.rec.stage is Stage.READ_ORDERS
    account.run(4_500)
    assert account.is_open()
    asked = [c for c in account.commands if isinstance(c, ReadOpenOrders)]
    assert len(asked) == 2
    assert [a.request != b.request for a, b in pairwise(asked)] == [True]


def test_a_late_answer_to_an_older_question_counts_if_it_was_asked_in_time() -> None:
    account = Account()
    account.silent.add("orders")
    account.start()
    account.run(100)
    account.feed(
        OpenOrdersRead(
            realm=Realm.LIVE,
            request="somebody else's",
            asked_ns=account.at_ns,
            ok=True,
        )
    )
    assert account.rec.stage is Stage.QUIET
