"""Virtual time: due things, modes that pass, the dead man's switch (§3.3, §3.4, §11 S8)."""

import pytest

from polytui.engine.core.errors import EngineBug, OperatorError
from polytui.engine.core.units import parse_u6
from polytui.engine.sim.exchange import settlement as settlement_module
from polytui.engine.sim.exchange import world as world_module
from polytui.engine.sim.exchange.calendar import Calendar
from polytui.engine.sim.exchange.emissions import HeartbeatLapsed, ModeChanged, OrderCanceled
from polytui.engine.sim.exchange.terms import VenueMode
from tests.engine.sim.exchange.rig import ANN, BOB, GTD, MS, START_NS, Rig, terms

S = 1_000 * MS


def test_due_things_happen_in_order_of_time_then_of_booking() -> None:
    calendar, done = Calendar(), list[str]()
    for due, name in ((5, "b"), (3, "a"), (5, "c"), (9, "late")):
        calendar.book(due, lambda name=name: done.append(name))  # type: ignore[misc]  # a test's shortcut
    assert calendar.next_ns() == 3
    while (due_thing := calendar.pop_due(5)) is not None:
        due_thing[1]()
    assert done == ["a", "b", "c"]


def test_time_never_runs_backwards() -> None:
    rig = Rig()
    rig.wait(5)
    with pytest.raises(OperatorError, match="expected a time from"):
        rig.exchange.advance(START_NS)


def test_each_due_thing_has_its_own_instant() -> None:
    rig = Rig()
    for life_s in (200, 190, 210):
        rig.buy(ANN, "0.5", "10", order_type=GTD, expiration_s=START_NS // S + life_s)
    rig.exchange.drain()
    rig.wait(3_600_000)
    assert [one.at_ns - START_NS for one in rig.said(OrderCanceled)] == [130 * S, 140 * S, 150 * S]
    assert rig.exchange.now_ns == START_NS + 3_600 * S


def test_the_next_due_time_is_told() -> None:
    rig = Rig(terms(itode=True))
    rig.split(BOB, "10")
    rig.sell(BOB, "0.5", "10")
    rig.buy(ANN, "0.5", "10")
    assert rig.exchange.next_due_ns() == START_NS + 150 * MS


def test_somebody_must_listen(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(world_module, "OUTBOX_MAX", 3)
    rig = Rig.__new__(Rig)
    with pytest.raises(EngineBug, match="drain"):
        Rig.__init__(rig)


# --- modes: §3.4 ---------------------------------------------------------------------------------


def test_a_restart_is_followed_by_two_post_only_minutes() -> None:
    rig = Rig()
    rig.exchange.set_mode(VenueMode.RESTARTING, for_ms=90_000, then=VenueMode.POST_ONLY)
    rig.wait(60_000)
    refused = rig.buy(ANN, "0.5", "10").error
    assert refused is not None
    assert (refused.http, refused.retry_after_s) == (425, 30)
    rig.wait(30_000 + 41_000)
    refused = rig.buy(ANN, "0.5", "10").error
    assert refused is not None
    assert (refused.http, refused.code.value, refused.retry_after_s) == (503, "post_only_mode", 79)
    assert rig.buy(ANN, "0.5", "10", post_only=True).is_success
    rig.wait(79_000)
    assert rig.buy(ANN, "0.5", "10").is_success
    assert [one.mode for one in rig.said(ModeChanged)] == [
        VenueMode.RESTARTING,
        VenueMode.POST_ONLY,
        VenueMode.NORMAL,
    ]


def test_a_later_mode_outlives_the_end_of_an_earlier_one() -> None:
    rig = Rig()
    rig.exchange.set_mode(VenueMode.CANCEL_ONLY, for_ms=1_000)
    rig.exchange.set_mode(VenueMode.DISABLED)
    rig.wait(5_000)
    assert rig.exchange.mode is VenueMode.DISABLED


# --- heartbeats: §3.3 ----------------------------------------------------------------------------


def test_heartbeats_are_chained() -> None:
    rig = Rig()
    first = rig.exchange.heartbeat(ANN, "")
    second = rig.exchange.heartbeat(ANN, first.heartbeat_id)
    assert first.error is second.error is None
    wrong = rig.exchange.heartbeat(ANN, first.heartbeat_id)
    assert wrong.error is not None
    assert wrong.error.text == "Invalid Heartbeat ID"
    assert wrong.heartbeat_id == second.heartbeat_id
    assert rig.exchange.heartbeat(ANN, wrong.heartbeat_id).error is None


def test_silence_cancels_everything_of_the_key_at_the_next_check() -> None:
    rig = Rig()
    rig.buy(ANN, "0.5", "10")
    rig.buy(ANN, "0.4", "10")
    rig.buy(BOB, "0.3", "10")
    rig.exchange.heartbeat(ANN, "")
    rig.exchange.drain()
    rig.wait(14_999)
    assert rig.said(OrderCanceled) == []
    rig.wait(1)
    (lapsed,) = rig.said(HeartbeatLapsed)
    assert (lapsed.owner, lapsed.canceled, lapsed.at_ns) == (ANN, 2, START_NS + 15 * S)
    assert [one.owner for one in rig.exchange.open_orders()] == [BOB]
    assert rig.free(ANN) == parse_u6("1000")


def test_beating_in_time_keeps_the_orders() -> None:
    rig = Rig()
    rig.buy(ANN, "0.5", "10")
    beat = ""
    for _ in range(20):
        beat = rig.exchange.heartbeat(ANN, beat).heartbeat_id
        rig.wait(9_000)
    assert len(rig.exchange.open_orders()) == 1


def test_the_switch_stays_on_once_it_was_used() -> None:
    rig = Rig()
    rig.exchange.heartbeat(ANN, "")
    rig.wait(60_000)
    rig.buy(ANN, "0.5", "10")
    rig.wait(5_000)
    assert rig.exchange.open_orders() == ()


def test_who_never_beats_is_left_alone() -> None:
    rig = Rig()
    rig.buy(ANN, "0.5", "10")
    rig.wait(3_600_000)
    assert len(rig.exchange.open_orders()) == 1


# --- limits --------------------------------------------------------------------------------------


def test_old_trades_used_up_ids_and_log_lines_are_forgotten_at_their_limits(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(settlement_module, "TRADES_MAX", 3)
    monkeypatch.setattr(world_module, "SEEN_MAX", 4)
    rig = Rig()
    rig.split(BOB, "100")
    for _ in range(6):
        rig.sell(BOB, "0.5", "10")
        rig.buy(ANN, "0.5", "10")
    rig.settle()
    assert len(rig.exchange.trades()) == len(rig.exchange.trades(account=ANN)) == 3
    assert len(rig.exchange._world.seen) == 4
    log = rig.exchange._world.log
    lines = log.count
    assert rig.exchange.drain_log().count(b"\n") == lines
    assert (rig.exchange.drain_log(), log.dropped) == (b"", 0)
