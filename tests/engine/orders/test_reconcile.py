"""Trust lost and won back: gaps, sweeps, the difference report, beats, stalls, doubts."""

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from polytui.engine.core.account_events import (
    OrderAnswered,
    SentinelSaid,
    TradesRead,
    UserTrade,
)
from polytui.engine.core.commands import (
    CancelOrders,
    ReadBalances,
    ReadClock,
    ReadOpenOrders,
    ReadPositions,
    ReadTrades,
    RecordAnomaly,
)
from polytui.engine.core.ids import ConnId
from polytui.engine.core.order_enums import (
    Anomaly,
    OrderState,
    Realm,
    SendOutcome,
    TradeStatus,
    VenueCode,
)
from polytui.engine.core.trading import CASH
from polytui.engine.core.units import U
from polytui.engine.orders.reconcile import STALL_NS, ClearMarket, HaltMarket
from polytui.engine.orders.startup import Cause, Stage
from tests.engine.orders.reconcile_rig import MS, Account, S, held, row, stored


def resting(account: Account, *names: str) -> None:
    """Place orders of this run that rest: known here and at the venue."""
    for name in names:
        account.live[name] = row(name)
        account.orders.restore([stored(name, at_ns=account.at_ns)], at_ns=account.at_ns, seq=1)


def ready(*names: str, **config: Any) -> Account:
    """Open an account with some orders resting for a minute, seen by a sweep."""
    account = Account(**config)
    account.opened()
    resting(account, *names)
    account.live_on(20_000)
    assert account.is_open(), account.rec.intake.why
    return account


def halts(account: Account) -> list[tuple[str, str]]:
    """List markets halted now, with causes."""
    now: dict[tuple[str, str], None] = {}
    for finding in account.findings:
        if isinstance(finding, HaltMarket):
            now[(finding.market, finding.cause)] = None
        elif isinstance(finding, ClearMarket):
            del now[(finding.market, finding.cause)]
    return list(now)


# --- the user stream -----------------------------------------------------------------------------


def test_a_gap_in_the_user_stream_closes_sweeps_shows_and_reopens() -> None:
    account = ready("0xa", "0xb")
    before = len(account.commands)
    account.stream(up=False)
    assert "user stream is down" in account.rec.intake.why
    account.live_on(2_000)
    del account.live["0xa"]
    account.live["0xb"] = row("0xb", matched=4)
    account.told = [account.trade("t1", "0xb", 4, status=TradeStatus.MATCHED)]
    account.stream(up=True)
    account.run(1_000)
    assert account.is_open()
    kinds = {type(command) for command in account.commands[before:]}
    assert {ReadOpenOrders, ReadTrades} <= kinds
    trust = account.rec.way.trust[-1]
    assert trust.causes == (Cause.USER_STREAM,)
    assert trust.took_ns < 3 * S
    lines = {line.subject: (line.ours, line.theirs) for line in account.rec.report.resolved}
    assert lines["0xa"] == ("live", "absent")
    assert lines["0xb"] == ("live 0 of 10", "partial 4 of 10")
    assert lines["t1/0xb"] == ("not seen", "buy 4 at 0.47")
    assert account.orders.by_hash["0xa"].state is OrderState.CANCELED
    assert account.orders.by_hash["0xb"].filled_u6 == 4 * U


def test_after_a_gap_intake_waits_for_the_reads_of_what_vanished() -> None:
    account = ready("0xa")
    account.stream(up=False)
    del account.live["0xa"]
    account.stream(up=True)
    account.run(35)
    assert account.rec.stage is Stage.DIFFERENCE
    assert "1 orders still live" in account.rec.intake.why
    account.run(200)
    assert account.is_open()


def test_a_new_stream_that_comes_before_the_old_one_goes_is_no_gap() -> None:
    account = ready()
    account.stream(up=True, conn=2)
    account.stream(up=False, conn=1)
    assert account.is_open()
    account.stream(up=False, conn=2)
    assert not account.is_open()


def test_b5_a_restarting_engine_closes_and_everything_is_swept_when_it_answers_again() -> None:
    account = ready("0xa")
    account.broken = {"orders", "trades"}
    account.feed(
        OrderAnswered(
            realm=Realm.LIVE,
            cid="x",
            order_hash="0x",
            outcome=SendOutcome.REFUSED,
            code=VenueCode.RESTARTING,
            http=425,
        )
    )
    account.live_on(20_000)
    assert "restart: read_orders: http 500" in account.rec.intake.why
    account.broken.clear()
    account.live_on(6_000)
    assert account.is_open()
    assert account.rec.way.trust[-1].causes == (Cause.RESTART,)


# --- B25: the heartbeat --------------------------------------------------------------------------


def test_b25_a_refused_beat_closes_keeps_the_id_and_resyncs_before_opening() -> None:
    account = ready("0xa")
    account.beat(ok=False, heartbeat_id="a2", why="Invalid Heartbeat ID")
    assert not account.is_open()
    assert account.rec.heartbeat_id == "a2"
    assert account.rec.wants_beat
    sweeps = len(account.asked(ReadOpenOrders))
    del account.live["0xa"]
    account.beat(heartbeat_id="a3")
    account.run(500)
    assert account.is_open()
    assert len(account.asked(ReadOpenOrders)) > sweeps
    assert account.orders.by_hash["0xa"].state.is_terminal, "it was gone: found, not assumed"


def test_b25_beats_that_stop_being_accepted_close_after_ten_seconds_and_orders_may_live() -> None:
    account = ready("0xa")
    account.run(9_000)
    assert account.is_open()
    account.run(2_000)
    assert "none accepted for 10 s" in account.rec.intake.why
    account.beat()
    account.run(500)
    assert account.is_open()
    assert account.orders.by_hash["0xa"].state is OrderState.LIVE


# --- C4: we slept --------------------------------------------------------------------------------


@pytest.mark.parametrize("slept_ms", [1_000, 60_000])
def test_c4_after_a_gap_between_turns_nothing_is_open_before_everything_is_read_again(
    slept_ms: int,
) -> None:
    account = ready("0xa")
    account.at_ns += slept_ms * MS
    account.rec.look(account.at_ns)
    assert not account.is_open(), "before anything could be sent"
    before = len(account.commands)
    account.run(50)
    account.beat()
    account.run(200)
    kinds = {type(command) for command in account.commands[before:]}
    assert {ReadOpenOrders, ReadTrades, ReadBalances, ReadClock} <= kinds
    assert account.is_open()
    assert Cause.STALL in account.rec.way.trust[-1].causes


@pytest.mark.parametrize("said", ["fired", "swept"])
def test_k3_after_the_sentinel_cancelled_for_us_orders_are_read_again_first(said: str) -> None:
    account = ready("0xa")
    del account.live["0xa"]
    account.feed(SentinelSaid(realm=Realm.LIVE, state=said, why="no healthy beat for 3.0 s"))
    assert not account.is_open()
    account.run(500)
    assert account.is_open()
    assert account.rec.way.trust[-1].causes == (Cause.SENTINEL,)
    assert account.orders.by_hash["0xa"].state.is_terminal, "it was gone: found, not assumed"


def test_k3_a_sentinel_that_does_not_watch_has_cancelled_nothing() -> None:
    account = ready()
    account.feed(SentinelSaid(realm=Realm.LIVE, state="refused", why="no credentials"))
    assert account.is_open()


def test_c4_a_quiet_time_is_no_gap_the_clock_is_looked_at_by_itself() -> None:
    account = ready()
    due_ns = account.rec.next_due_ns()
    assert due_ns is not None
    assert due_ns - account.at_ns <= STALL_NS // 2


def test_c4_a_short_hiccup_is_none() -> None:
    account = ready()
    account.at_ns += 990 * MS
    account.rec.look(account.at_ns)
    assert account.is_open()


# --- B29, B30: the venue's ledger is not ours ----------------------------------------------------


def test_b29_missing_cash_closes_intake_within_30_s_shows_both_and_mends_nothing() -> None:
    account = ready()
    account.cash_u6 -= 7 * U
    began_ns = account.at_ns
    while account.is_open():
        account.live_on(1_000)
    assert account.at_ns - began_ns <= 30 * S
    assert account.rec.intake.why == "cash differs: ours 1000, theirs 993"
    assert account.portfolio.cash_u6 == 1_000 * U
    account.live_on(60_000)
    assert not account.is_open(), "time alone resolves nothing"
    account.cash_u6 += 7 * U
    account.live_on(31_000)
    assert account.is_open()
    assert account.rec.report.lines == {}
    (anomaly, resolved) = account.asked(RecordAnomaly)
    assert (anomaly.anomaly, anomaly.ours, anomaly.theirs) == (Anomaly.CASH_MISMATCH, "1000", "993")
    assert resolved.detail.startswith("resolved")


def test_b29_cash_that_nobody_can_explain_is_shown_and_closes_nothing() -> None:
    """Rebates, rewards and deposits arrive by themselves."""
    account = ready()
    account.cash_u6 += 3 * U
    account.live_on(31_000)
    assert account.is_open()
    (line,) = account.rec.report.lines.values()
    assert (line.subject, line.ours, line.theirs) == (CASH, "1000", "1003")


def test_b29_a_phantom_balance_halts_its_market_within_30_s_until_it_is_gone() -> None:
    account = with_holding(5)
    account.held["111"] = 9 * U
    account.live_on(30_000)
    assert halts(account) == [("0xm", "position_mismatch 111")]
    assert account.is_open(), "one market is halted, the others go on"
    account.held["111"] = 5 * U
    account.live_on(30_000)
    assert halts(account) == []


def with_holding(qty: float) -> Account:
    """Open an account whose books hold some YES, as does the venue."""
    account = Account()
    resting(account, "0xa")
    held(account, "111", qty)
    account.opened(ms=10_000)
    assert account.portfolio.tokens()["111"][0] == round(qty * U)
    account.live_on(10_000)
    return account


def test_b29_the_audit_lags_so_it_takes_two_that_say_the_same() -> None:
    account = with_holding(5)
    account.audited["111"] = 0
    account.live_on(27_000)
    assert halts(account) == []
    account.live_on(30_000)
    assert halts(account) == [("0xm", "position_mismatch 111")]
    account.audited["111"] = 5 * U
    account.live_on(60_000)
    assert halts(account) == []


def test_b29_a_phantom_fill_is_found_and_shown_within_30_s() -> None:
    account = ready("0xa")
    account.live["0xa"] = row("0xa", matched=4)
    account.told = [account.trade("t1", "0xa", 4, status=TradeStatus.MATCHED)]
    began_ns = account.at_ns
    while not account.orders.by_hash["0xa"].filled_u6:
        account.live_on(1_000)
    assert account.at_ns - began_ns <= 30 * S
    assert "t1/0xa" in {line.subject for line in account.rec.report.resolved}


def test_b29_a_phantom_order_is_found_within_30_s_and_one_back_from_the_dead_halts() -> None:
    account = ready("0xa")
    order = account.orders.by_hash["0xa"]
    account.orders.request_cancel(order, why="test", at_ns=account.at_ns, seq=1)
    account.live_on(1_000)
    assert order.state is OrderState.CANCELED
    account.live_on(20_000)
    account.refuses_cancels = True
    account.live["0xa"] = row("0xa")
    account.live_on(20_000)
    assert halts(account) == [("0xm", "order_mismatch 0xa")]
    assert len(account.asked(CancelOrders)) > 1, "and it is cancelled again"
    account.refuses_cancels = False
    account.live_on(20_000)
    assert halts(account) == []


def test_b30_a_manual_order_is_adopted_counted_shown_and_left_alone() -> None:
    account = ready()
    account.live["0xf"] = row("0xf")
    account.live_on(11_000)
    order = account.orders.by_hash["0xf"]
    assert order.external
    assert account.orders.reserved_cash_u6 >= 4_700_000
    assert account.rec.report.lines["0xf", Anomaly.EXTERNAL].theirs == "live 0 of 10"
    assert account.asked(CancelOrders) == []
    assert halts(account) == []
    del account.live["0xf"]
    account.live_on(40_000)
    assert account.rec.report.lines == {}


def test_b30_a_manual_trade_is_shown_as_external() -> None:
    account = ready()
    trade = account.trade("t9", "0xforeign", 4, status=TradeStatus.CONFIRMED)
    account.told = [trade]
    account.live_on(16_000)
    lines = [line for line in account.rec.report.resolved if line.anomaly is Anomaly.EXTERNAL]
    assert [line.subject for line in lines] == ["t9/0xforeign"]


# --- what was touched lately is left alone -------------------------------------------------------


def test_sweeps_leave_alone_what_moved_within_five_seconds() -> None:
    account = Account()
    account.opened()
    resting(account, "0xa")
    account.live_on(9_000)
    order = account.orders.by_hash["0xa"]
    order.touched_ns = account.at_ns
    del account.live["0xa"]
    account.rec._questions.asking["orders"].want(account.at_ns)
    account.run(200)
    assert account.rec.report.lines == {}
    account.live_on(20_000)
    assert order.state.is_terminal


# --- loops ---------------------------------------------------------------------------------------


def test_each_loop_keeps_its_period_and_never_asks_twice_at_once() -> None:
    account = Account(rtt_ms=100)
    account.opened()
    account.commands.clear()
    account.live_on(120_000)
    counts = {
        kind: len(account.asked(kind))
        for kind in (ReadOpenOrders, ReadTrades, ReadBalances, ReadPositions, ReadClock)
    }
    assert counts == {
        ReadOpenOrders: 15, ReadTrades: 10, ReadBalances: 4, ReadPositions: 4, ReadClock: 2,
    }  # fmt: skip


def test_balances_are_read_soon_after_fills_settle_once_for_all_of_them() -> None:
    account = Account()
    account.opened()
    account.commands.clear()
    for _ in range(5):
        account.rec.note_settled(account.at_ns)
    account.run(1_100)
    assert len(account.asked(ReadBalances)) == 1


def test_balances_name_every_token_held_or_wanted() -> None:
    account = with_holding(5)
    assert account.asked(ReadBalances)[-1].tokens == ("111",)


def test_the_newest_trade_moves_the_beginning_of_the_next_read() -> None:
    account = ready()
    account.feed(
        UserTrade(
            realm=Realm.LIVE,
            conn=ConnId(1),
            venue_ms=0,
            trade=account.trade("t1", "0xz", 1, status=TradeStatus.MATCHED),
        )
    )
    account.live_on(16_000)
    assert account.asked(ReadTrades)[-1].after_s == 780


def test_a_targeted_read_of_trades_proves_no_stage() -> None:
    account = Account()
    account.silent.add("trades")
    account.start()
    account.run(100)
    account.feed(
        TradesRead(
            realm=Realm.LIVE, request="targeted", asked_ns=account.at_ns, ok=True, trade_id="t1"
        )
    )
    assert account.rec.stage is Stage.READ_TRADES


# --- invariant 20 --------------------------------------------------------------------------------


def test_an_order_in_doubt_past_its_end_and_120_s_halts_its_market_until_it_is_resolved() -> None:
    account = ready("0xa")
    order = account.orders.by_hash["0xa"]
    order.state = OrderState.UNKNOWN
    order.since_ns = account.at_ns
    account.orders._reg.settle(order)
    account.silent = {"order", "orders"}
    account.live.clear()
    account.live_on(118_000)
    assert halts(account) == []
    account.live_on(4_000)
    assert halts(account) == [("0xm", f"unknown {order.cid}")]
    order.state = OrderState.REFUSED
    account.orders._reg.settle(order)
    account.live_on(1_000)
    assert halts(account) == []


# --- walks ---------------------------------------------------------------------------------------

EVENTS = st.lists(
    st.sampled_from(
        ["down", "up", "beat", "bad_beat", "break", "mend", "sleep", "vanish", "foreign", "cash"]
    ),
    max_size=14,
)


@settings(max_examples=40)
@given(EVENTS)
def test_whatever_happens_intake_is_open_only_while_everything_is_proven(
    events: list[str],
) -> None:
    account = ready("0xa", "0xb", rtt_ms=20)
    is_up = True
    for event in events:
        match event:
            case "down" | "up":
                is_up = event == "up"
                account.stream(up=is_up)
            case "beat" | "bad_beat":
                account.beat(ok=event == "beat")
            case "break":
                account.broken = {"orders", "balances"}
            case "mend":
                account.broken = set()
            case "sleep":
                account.at_ns += 10 * S
            case "vanish":
                account.live.pop("0xa", None)
            case "foreign":
                account.live["0xf"] = row("0xf")
            case "cash":
                account.cash_u6 = 990 * U if account.cash_u6 == 1_000 * U else 1_000 * U
        account.run(700)
        rec = account.rec
        assert account.is_open() == (rec.way.passage is None and not rec.report.missing_cash)
        assert is_up or not account.is_open()
        assert rec.next_due_ns() is not None, "a closed gate always has a live timer"
    account.broken = set()
    account.cash_u6 = 1_000 * U
    account.stream(up=True)
    account.beat()
    account.live_on(60_000)
    assert account.is_open(), account.rec.intake.why
    assert "0xa" in account.live or account.orders.by_hash["0xa"].state.is_terminal
