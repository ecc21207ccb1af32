"""The gate: every control refuses and passes at its boundary, in one fixed order."""

from typing import Any

import pytest
from msgspec.structs import replace

from polytui.engine.core.enums import BookState, Mode, Side
from polytui.engine.core.order_enums import (
    Control,
    Realm,
    TradingState,
)
from polytui.engine.core.runconfig import LimitsConfig
from polytui.engine.core.trading import Draft
from polytui.engine.core.units import U
from polytui.engine.decide.facts import Scope, depth_u6
from polytui.engine.decide.governor import CHECKS, TITLES, Governor
from tests.engine.decide.gate import (
    DAY,
    LIMITS,
    MS,
    NOW,
    SPEC,
    S,
    draft,
    facts,
    order,
    quote,
)


def asked(wish: Draft | None = None, *, terms: dict[str, Any] | None = None, **spoilt: Any) -> Any:
    """Return the control that refuses, or None; a fresh governor per question."""
    candidate = order(wish, **(terms or {}))
    refusal = Governor(LIMITS).check(candidate, facts(**spoilt))
    return None if refusal is None else refusal.control


def test_the_controls_are_asked_once_each_in_the_order_of_their_codes() -> None:
    assert [control for control, _ in CHECKS] == list(Control)
    assert [control.value for control in Control] == [f"G{n:02}" for n in range(1, 26)]
    assert set(TITLES) == set(Control)


def test_an_order_with_nothing_against_it_passes_all_of_them() -> None:
    assert asked() is None
    assert asked(quote()) is None


SPOILT: tuple[tuple[Control, dict[str, Any]], ...] = (
    (Control.KILLED, {"control__killed": True}),
    (Control.TRADING_STATE, {"control__trading": TradingState.HALTED}),
    (Control.MODE, {"control__mode": Mode.PAPER}),
    (Control.INSTANCE, {"host__lock_held": False}),
    (Control.HEARTBEAT, {"venue__heartbeat_ns": 0}),
    (Control.CLOCK, {"venue__offset_ns": None}),
    (Control.JOURNAL, {"host__journal_ok": False}),
    (Control.LOOP_LAG, {"host__loop_lag_ns": S}),
    (Control.TRADABLE, {"market__is_resolved": True}),
    (Control.FRESHNESS, {"venue__user_ns": 0}),
    (Control.BOOK_VALID, {"market__epoch": 8}),
    (Control.OWNERSHIP, {"market__owner": "mm"}),
    (Control.GRID, {"market__tick_u6": 100_000}),
    (Control.COLLAR, {"market__last_u6": 900_000}),
    (Control.DEPTH_SHARE, {"market__depth_u6": 0}),
    (Control.EXPOSURE, {"account__market": Scope(before_u6=0, after_u6=10**9, filled_u6=10**9)}),
    (Control.FUNDS, {"account__free_cash_u6": 0}),
    (Control.DUPLICATE, {"pace__twin_ns": NOW - S}),
    (Control.RATE, {"pace__tokens": 0}),
    (Control.REPETITION, {"pace__sends": 20}),
    (Control.LOSS, {"pace__breaker": "day_loss"}),
    (Control.CONDUCT, {"pace__orders_hour": 50}),
)
"""One spoilt fact per control that facts alone can spoil; the rest need another order."""


@pytest.mark.parametrize("at", range(len(SPOILT)))
def test_the_first_of_several_refusals_wins(at: int) -> None:
    everything: dict[str, Any] = {}
    for _, spoilt in reversed(SPOILT[at:]):
        everything |= spoilt
    assert asked(**everything) is SPOILT[at][0]


def test_every_refusal_says_limit_and_value_in_words_and_is_counted() -> None:
    governor = Governor(LIMITS)
    for control, spoilt in SPOILT:
        refusal = governor.check(order(), facts(**spoilt))
        assert refusal is not None
        assert (refusal.control, bool(refusal.limit), bool(refusal.value)) == (control, True, True)
        assert "_u6" not in refusal.limit + refusal.value
        assert governor.refused[control] == 1
    rows = {row.control: row for row in governor.rows()}
    assert rows[Control.FUNDS].last == "$4.89984, limit free $0"
    assert rows[Control.FUNDS].refused == 1
    assert rows[Control.GRID].limit == "hard"
    assert rows[Control.SELF_CROSS].last == ""


BOUNDARIES: tuple[tuple[Control, dict[str, Any], dict[str, Any]], ...] = (
    (Control.KILLED, {"host__latch_clear": False}, {"host__latch_clear": True}),
    (
        Control.MODE,
        {"control__armed_until_ns": NOW},
        {"control__armed_until_ns": NOW + 1},
    ),
    (Control.MODE, {"control__is_released": False}, {"control__is_released": True}),
    (
        Control.MODE,
        {"control__mode": Mode.LIVE_DRY_RUN},
        {"control__mode": Mode.LIVE_DRY_RUN, "control__is_dropped": True},
    ),
    (
        Control.MODE,
        {"realm": Realm.PAPER, "control__mode": Mode.SHADOW},
        {"realm": Realm.PAPER, "control__mode": Mode.PAPER},
    ),
    (Control.INSTANCE, {"config_hash": "other"}, {"config_hash": "c0ffee00"}),
    (
        Control.HEARTBEAT,
        {"venue__heartbeat_ns": NOW - 6 * S - 1},
        {"venue__heartbeat_ns": NOW - 6 * S},
    ),
    (
        Control.HEARTBEAT,
        {"venue__heartbeat_ns": NOW - 7 * S, "realm": Realm.PAPER},
        {"venue__heartbeat_ns": 0, "realm": Realm.PAPER},
    ),
    (Control.CLOCK, {"venue__offset_ns": 500 * MS + 1}, {"venue__offset_ns": 500 * MS}),
    (Control.CLOCK, {"venue__offset_ns": -500 * MS - 1}, {"venue__offset_ns": -500 * MS}),
    (
        Control.CLOCK,
        {"venue__offset_at_ns": NOW - 120 * S - 1},
        {"venue__offset_at_ns": NOW - 120 * S},
    ),
    (Control.JOURNAL, {"host__journal_fill": 0.5}, {"host__journal_fill": 0.49}),
    (Control.LOOP_LAG, {"host__loop_lag_ns": 250 * MS}, {"host__loop_lag_ns": 250 * MS - 1}),
    (Control.LOOP_LAG, {"host_ns": NOW - 5 * S - 1}, {"host_ns": NOW - 5 * S}),
    (
        Control.TRADABLE,
        {"market__spec": replace(SPEC, end_ns=NOW + 600 * S + 20 * MS)},
        {"market__spec": replace(SPEC, end_ns=NOW + 600 * S + 20 * MS + 1)},
    ),
    (
        Control.TRADABLE,
        {"market__is_rolling": True, "market__spec": replace(SPEC, end_ns=NOW + 30 * S)},
        {"market__is_rolling": True, "market__spec": replace(SPEC, end_ns=NOW + 31 * S)},
    ),
    (
        Control.TRADABLE,
        {"market__spec": replace(SPEC, end_ns=None)},
        {"market__spec": SPEC},
    ),
    (
        Control.TRADABLE,
        {"market__spec": replace(SPEC, protocol="v9")},
        {"market__spec": replace(SPEC, protocol="v2")},
    ),
    (
        Control.FRESHNESS,
        {"market__book_ns": NOW - 2 * S - 1},
        {"market__book_ns": NOW - 2 * S},
    ),
    (
        Control.FRESHNESS,
        {"market__book_ns": NOW - 9 * S, "market__witness_ns": NOW - 5 * S - 1},
        {"market__book_ns": NOW - 9 * S, "market__witness_ns": NOW - 5 * S},
    ),
    (
        Control.FRESHNESS,
        {"market__book_ns": NOW - 3 * S, "market__witness_ns": NOW - 3 * S - 1},
        {"market__book_ns": NOW - 3 * S, "market__witness_ns": NOW - 3 * S},
    ),
    (
        Control.FRESHNESS,
        {"market__reference_ns": NOW - S - 1},
        {"market__reference_ns": None},
    ),
    (
        Control.FRESHNESS,
        {"venue__user_ns": NOW - 10 * S - 1},
        {"venue__user_ns": NOW - 10 * S},
    ),
    (
        Control.FRESHNESS,
        {"venue__balance_ns": NOW - 31 * S, "venue__moved_ns": NOW - 31 * S},
        {"venue__balance_ns": NOW - 31 * S, "venue__moved_ns": NOW - 31 * S - 1},
    ),
    (
        Control.FRESHNESS,
        {"venue__balance_ns": NOW - 300 * S - 1},
        {"venue__balance_ns": NOW - 300 * S},
    ),
    (
        Control.FRESHNESS,
        {"market__metadata_ns": NOW - 600 * S - 1},
        {"market__metadata_ns": NOW - 600 * S},
    ),
    (
        Control.BOOK_VALID,
        {"market__book": BookState.SUSPECT},
        {"market__book": BookState.SYNCED},
    ),
    (Control.BOOK_VALID, {"market__bid_u6": 480_000}, {"market__bid_u6": 470_000}),
    (Control.OWNERSHIP, {"market__is_allowed": False}, {"market__is_allowed": True}),
    (Control.OWNERSHIP, {"market__owner": ""}, {"market__owner": "box"}),
    (
        Control.COLLAR,
        {"market__bid_u6": 270_000, "market__ask_u6": 480_000},
        {"market__bid_u6": 280_000, "market__ask_u6": 480_000},
    ),
    (Control.COLLAR, {"market__last_u6": 370_000}, {"market__last_u6": 380_000}),
    (Control.COLLAR, {"market__bid_u6": None}, {"market__last_u6": None}),
    (
        Control.DEPTH_SHARE,
        {"market__depth_u6": 33_330_000},
        {"market__depth_u6": 33_340_000},
    ),
    (
        Control.FUNDS,
        {"account__free_cash_u6": 4_899_839},
        {"account__free_cash_u6": 4_899_840},
    ),
    (Control.FUNDS, {"account__allowance_u6": 4_799_999}, {"account__allowance_u6": 4_800_000}),
    (
        Control.FUNDS,
        {"market__spec": replace(SPEC, fees=None)},
        {"market__spec": SPEC},
    ),
    (Control.DUPLICATE, {"pace__twin_ns": NOW - 2 * S + 1}, {"pace__twin_ns": NOW - 2 * S}),
    (Control.RATE, {"pace__tokens": 1}, {"pace__tokens": 2}),
    (Control.RATE, {"pace__orders_left": 0}, {"pace__orders_left": 1}),
    (Control.REPETITION, {"pace__sends": 20}, {"pace__sends": 19}),
    (Control.REPETITION, {"pace__rejects": 10}, {"pace__rejects": 9}),
    (Control.REPETITION, {"pace__repetition": "20 sends"}, {"pace__repetition": ""}),
    (Control.CONDUCT, {"pace__orders_hour": 50}, {"pace__orders_hour": 49}),
    (
        Control.CONDUCT,
        {"pace__orders_hour": 100, "pace__fills_hour": 2},
        {"pace__orders_hour": 99, "pace__fills_hour": 2},
    ),
    (Control.CONDUCT, {"pace__cancels_hour": 51}, {"pace__cancels_hour": 50}),
)


@pytest.mark.parametrize(("control", "refused", "passed"), BOUNDARIES)
def test_a_control_refuses_just_beyond_its_limit_and_passes_at_it(
    control: Control, refused: dict[str, Any], passed: dict[str, Any]
) -> None:
    assert asked(**refused) is control
    assert asked(**passed) is None


# --- the governor around the gate ---


def test_b25_after_a_lost_heartbeat_nothing_is_sent_in_any_mode_that_ever_beat() -> None:
    silent: dict[str, Any] = {"venue__heartbeat_ns": NOW - 7 * S}
    for mode, dropped in ((Mode.LIVE_ARMED, False), (Mode.LIVE_DRY_RUN, True)):
        spoilt: dict[str, Any] = {**silent, "control__mode": mode, "control__is_dropped": dropped}
        assert asked(**spoilt) is Control.HEARTBEAT


def test_c6_a_late_loop_sends_nothing() -> None:
    assert asked(host__loop_lag_ns=251 * MS) is Control.LOOP_LAG


def test_b26_a_second_instance_is_refused() -> None:
    assert asked(host__lock_held=False) is Control.INSTANCE


def test_a_send_on_stale_state_would_be_counted_and_a_good_one_is_not() -> None:
    governor = Governor(LIMITS)
    assert governor.note_sent(order(), facts()) is None
    assert (governor.sent, governor.stale_sent) == (1, 0)
    refusal = governor.note_sent(order(), facts(market__book_ns=0))
    assert refusal is not None
    assert governor.stale_sent == 1


def test_b27_the_twenty_first_send_latches_until_a_person_resets() -> None:
    governor = Governor(LIMITS)
    sent = 0
    for n in range(40):
        cid, at_ns = f"c{n}", NOW + n * S
        wish = draft(px_u6=480_000 if n % 2 else 470_000, qty_u6=(10 + n) * 100_000)
        pace = governor.pace(Realm.LIVE, cid, wish, open_orders=0, at_ns=at_ns)
        spoilt: dict[str, Any] = {"pace": pace}
        moment = replace(facts(), **spoilt)
        if governor.check(order(wish), moment) is None:
            governor.note_send(Realm.LIVE, cid, wish, at_ns)
            sent += 1
    assert sent == 20
    desk = governor.desks[Realm.LIVE]
    name = f"repetition:box:{SPEC.market}"
    assert list(desk.breakers.tripped) == [name]
    quiet_ns = NOW + DAY
    pace = governor.pace(Realm.LIVE, "later", draft(), open_orders=0, at_ns=quiet_ns)
    assert pace.repetition, "silence does not reset it"
    governor.reset(
        Realm.LIVE,
        name,
        phrase="RESET repetition",
        reason="looked",
        results=(0, {}),
        at_ns=quiet_ns,
    )
    pace = governor.pace(Realm.LIVE, "later", draft(), open_orders=0, at_ns=quiet_ns)
    assert (pace.repetition, pace.sends) == ("", 0)


def test_b28_ten_rejects_in_ten_seconds_latch_the_strategy_in_that_market() -> None:
    governor = Governor(LIMITS)
    tripped = [governor.note_reject(Realm.LIVE, draft(), NOW + n * MS) for n in range(12)]
    assert [n for n, breaker in enumerate(tripped) if breaker] == [9]
    other = governor.pace(Realm.LIVE, "x", draft(strategy="mm"), open_orders=0, at_ns=NOW + S)
    assert other.repetition == ""
    slow = Governor(LIMITS)
    assert not any(slow.note_reject(Realm.LIVE, draft(), NOW + n * 2 * S) for n in range(30))


def test_the_second_look_at_the_same_order_does_not_count_it_against_itself() -> None:
    governor = Governor(replace(LIMITS, sends_max=1, orders_per_s=1, orders_per_fill=1))
    wish = draft()
    before = governor.pace(Realm.LIVE, "c1", wish, open_orders=0, at_ns=NOW)
    governor.note_send(Realm.LIVE, "c1", wish, NOW)
    governor.note_send(Realm.LIVE, "c1", wish, NOW)
    again = governor.pace(Realm.LIVE, "c1", wish, open_orders=0, at_ns=NOW + MS)
    assert again == before
    other = governor.pace(Realm.LIVE, "c2", wish, open_orders=0, at_ns=NOW + MS)
    assert (other.sends, other.orders_hour, other.twin_ns, other.tokens) == (1, 1, NOW, 1)


def test_paper_never_stops_live() -> None:
    governor = Governor(LIMITS)
    governor.watch(Realm.PAPER, day_u6=-60 * U, equity_u6=U, by_strategy={}, at_ns=NOW)
    assert governor.desks[Realm.PAPER].causes.state is TradingState.HALTED
    assert governor.desks[Realm.LIVE].causes.state is TradingState.ACTIVE
    assert governor.pace(Realm.LIVE, "c", draft(), open_orders=0, at_ns=NOW).breaker == ""


def test_after_a_reset_the_gate_measures_the_drawdown_anew_as_well() -> None:
    governor, old = Governor(LIMITS), facts().account.losses
    fallen = {"account__losses": replace(old, equity_u6=90 * U)}

    def entry() -> Any:
        pace = governor.pace(Realm.LIVE, "c1", draft(), open_orders=0, at_ns=NOW)
        refusal = governor.check(order(), facts(pace=pace, **fallen))
        return None if refusal is None else refusal.control

    for equity in (100, 90):
        governor.watch(Realm.LIVE, day_u6=0, equity_u6=equity * U, by_strategy={}, at_ns=NOW)
    assert entry() is Control.LOSS
    said = {"phrase": "RESET drawdown", "reason": "explained"}
    governor.reset(Realm.LIVE, "drawdown", **said, results=(0, {}), at_ns=NOW)
    governor.watch(Realm.LIVE, day_u6=0, equity_u6=90 * U, by_strategy={}, at_ns=NOW)
    assert entry() is None


def test_limits_breakers_and_causes_survive_a_restart() -> None:
    governor = Governor(LIMITS)
    governor.limits.ask("market_u6", "50", phrase="", is_armed=True, actor="ana", at_ns=NOW)
    for _ in range(3):
        governor.note_settled(Realm.LIVE, has_failed=True, at_ns=NOW)
    again = Governor(LIMITS)
    again.restore([*governor.dump(), ("kill", "{}")])
    assert again.limits.now.market_u6 == 50 * U
    assert list(again.desks[Realm.LIVE].breakers.tripped) == ["failed_settlements"]
    assert again.desks[Realm.LIVE].causes.state is TradingState.REDUCING
    assert again.dump() == governor.dump()


def test_depth_counts_levels_at_the_limit_or_better_only() -> None:
    asks = [(480_000, 5 * U), (490_000, 7 * U), (500_000, 9 * U)]
    assert depth_u6(asks, 490_000, Side.BUY) == 12 * U
    bids = [(460_000, 5 * U), (450_000, 7 * U)]
    assert depth_u6(bids, 455_000, Side.SELL) == 5 * U
    assert depth_u6([], 455_000, Side.SELL) == 0


def test_d15_a_configuration_beyond_what_is_compiled_in_is_refused() -> None:
    with pytest.raises(Exception, match="expected order_cash_u6 from"):
        Governor(LimitsConfig(order_cash_u6=10**12))
