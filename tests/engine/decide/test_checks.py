"""Single controls: states, purposes, kinds of order, and the fault rows they answer."""

from typing import Any

import pytest
from msgspec.structs import replace

from polytui.engine.core.enums import Outcome, Side
from polytui.engine.core.order_enums import (
    Control,
    OrderType,
    Purpose,
    Realm,
    TradingState,
    VenueState,
)
from polytui.engine.core.trading import Draft
from polytui.engine.core.units import U
from polytui.engine.decide.facts import OPERATOR, OwnOrder, Scope
from polytui.engine.decide.governor import Governor
from tests.engine.decide.gate import (
    DAY,
    FALLING,
    LIMITS,
    MS,
    NOW,
    SPEC,
    S,
    draft,
    exit_draft,
    facts,
    order,
    quote,
    scopes,
)


def asked(wish: Draft | None = None, *, terms: dict[str, Any] | None = None, **spoilt: Any) -> Any:
    """Return the control that refuses, or None; a fresh governor per question."""
    candidate = order(wish, **(terms or {}))
    refusal = Governor(LIMITS).check(candidate, facts(**spoilt))
    return None if refusal is None else refusal.control


@pytest.mark.parametrize("state", VenueState)
def test_b5_b6_b7_b32_only_normal_opens_intake_and_post_only_lets_makers_through(
    state: VenueState,
) -> None:
    spoilt: dict[str, Any] = {"venue__state": state}
    opens = asked(**spoilt) is None
    makes = asked(quote(), **spoilt) is None
    exits = asked(exit_draft(), **spoilt, **scopes(FALLING)) is None
    assert opens is (state is VenueState.NORMAL)
    assert makes is (state in (VenueState.NORMAL, VenueState.POST_ONLY))
    assert exits is (state in (VenueState.NORMAL, VenueState.DEGRADED))


@pytest.mark.parametrize("purpose", [Purpose.HEDGE, Purpose.REDUCE, Purpose.OPEN])
def test_reducing_passes_what_lowers_the_worst_case_and_nothing_else(purpose: Purpose) -> None:
    reducing: dict[str, Any] = {"control__trading": TradingState.REDUCING}
    wish = draft(purpose=purpose)
    assert asked(wish, **reducing, **scopes(FALLING)) is None
    same = Scope(before_u6=50 * U, after_u6=50 * U, filled_u6=50 * U)
    assert asked(wish, **reducing, **scopes(same)) is Control.TRADING_STATE
    oversized = Scope(before_u6=50 * U, after_u6=60 * U, filled_u6=5 * U)
    assert asked(wish, **reducing, **scopes(oversized)) is Control.TRADING_STATE


@pytest.mark.parametrize("purpose", Purpose)
@pytest.mark.parametrize("spoilt", [{"control__killed": True}, {"host__latch_clear": False}])
def test_killed_passes_the_sells_of_a_flatten_and_nothing_else(
    purpose: Purpose, spoilt: dict[str, Any]
) -> None:
    everything: dict[str, Any] = {
        **spoilt,
        **scopes(FALLING),
        "control__trading": TradingState.HALTED,
    }
    wish = exit_draft(purpose, strategy=OPERATOR)
    assert asked(wish, **everything) is Control.KILLED
    flattening: dict[str, Any] = {**everything, "control__is_flattening": True}
    assert (asked(wish, **flattening) is None) is (purpose is Purpose.FLATTEN)
    buy = draft(purpose=purpose, strategy=OPERATOR)
    assert asked(buy, **flattening) is Control.KILLED
    rising = Scope(before_u6=0, after_u6=U, filled_u6=U)
    assert asked(wish, **(flattening | scopes(rising))) is Control.KILLED


def test_a_hedge_in_a_fast_market_is_not_refused_for_its_date_depth_or_a_better_price() -> None:
    wish = draft(purpose=Purpose.HEDGE, px_u6=300_000)
    late = replace(SPEC, end_ns=NOW - DAY)
    assert asked(wish, market__spec=late, market__depth_u6=0, market__owner="") is None
    assert asked(wish, market__spec=replace(SPEC, accepting=False)) is Control.TRADABLE
    assert asked(replace(wish, px_u6=600_000)) is Control.COLLAR
    assert asked(wish, market__owner="mm") is Control.OWNERSHIP


def test_a15_a_market_past_its_date_gives_no_entry_but_keeps_nobody_from_leaving() -> None:
    late: dict[str, Any] = {"market__spec": replace(SPEC, end_ns=NOW - 68 * DAY)}
    assert asked(**late) is Control.TRADABLE
    assert asked(exit_draft(), **late, **scopes(FALLING)) is None


def test_a16_a_placeholder_is_never_bought_and_may_be_sold() -> None:
    unnamed: dict[str, Any] = {"market__is_placeholder": True}
    assert asked(**unnamed) is Control.TRADABLE
    assert asked(exit_draft(), **unnamed, **scopes(FALLING)) is None


def test_a9_an_order_signed_before_a_tick_change_is_refused_where_its_bytes_would_leave() -> None:
    governor = Governor(LIMITS)
    signed = order()
    assert governor.check(signed, facts()) is None
    refusal = governor.check(signed, facts(market__epoch=8, market__tick_u6=1_000))
    assert refusal is not None
    assert (refusal.limit, refusal.value) == ("epoch 8", "epoch 7")


def test_a17_the_token_must_be_the_one_its_outcome_names_and_the_one_that_was_signed() -> None:
    assert asked(draft(token="222")) is Control.OWNERSHIP
    assert asked(draft(market="0xother")) is Control.OWNERSHIP
    assert asked(terms={"token": "222"}) is Control.OWNERSHIP
    no = draft(outcome=Outcome.NO)
    assert asked(no) is None


@pytest.mark.parametrize("px_u6", [0, U, 485_000, -10_000])
def test_g13_a_price_is_on_the_grid_inside_zero_and_one(px_u6: int) -> None:
    assert asked(quote(px_u6=px_u6), terms={"px_u6": px_u6}) is Control.GRID


def test_g13_sizes_have_the_venues_minimum_resting_and_a_dollar_when_they_take() -> None:
    assert asked(quote(qty_u6=4_990_000)) is Control.GRID
    assert asked(quote(qty_u6=5 * U)) is None
    assert asked(draft(qty_u6=2_080_000)) is Control.GRID
    assert asked(draft(qty_u6=2_090_000)) is None
    assert asked(exit_draft(qty_u6=10_000), **scopes(FALLING)) is None, "a sell of dust may leave"


@pytest.mark.parametrize(
    "amounts",
    [
        {"maker_amount_u6": 10 * U, "taker_amount_u6": 4_800_000},
        {"maker_amount_u6": 4_810_000},
        {"taker_amount_u6": 10_010_000},
        {"taker_amount_u6": 9_990_000},
        {"side": Side.SELL},
        {"px_u6": 490_000},
        {"qty_u6": 11 * U},
        {"order_type": OrderType.FOK},
    ],
)
def test_b20_b21_signed_amounts_that_say_something_else_are_refused(
    amounts: dict[str, Any],
) -> None:
    assert asked(terms=amounts) is Control.GRID


def test_g14_a_quote_lies_within_five_ticks_of_the_touch() -> None:
    book: dict[str, Any] = {"market__bid_u6": 470_000, "market__ask_u6": 480_000}
    assert asked(quote(px_u6=420_000), **book) is None
    assert asked(quote(px_u6=410_000), **book) is Control.COLLAR


def test_g14_an_exit_is_bounded_on_the_side_that_costs() -> None:
    sold: dict[str, Any] = {**scopes(FALLING), "market__bid_u6": 460_000, "market__ask_u6": 480_000}
    assert asked(exit_draft(px_u6=370_000), **sold) is None
    assert asked(exit_draft(px_u6=360_000), **sold) is Control.COLLAR
    assert asked(exit_draft(px_u6=900_000), **sold) is None
    alone: dict[str, Any] = {**scopes(FALLING), "market__ask_u6": None}
    assert asked(exit_draft(px_u6=360_000), **alone) is None
    assert asked(exit_draft(px_u6=350_000), **alone) is Control.COLLAR
    blind: dict[str, Any] = {
        "market__bid_u6": None,
        "market__ask_u6": None,
        "market__last_u6": None,
    }
    assert asked(exit_draft(), **blind) is Control.COLLAR


def test_b19_size_and_notional_have_a_ceiling_whatever_the_purpose() -> None:
    roomy: dict[str, Any] = {"market__depth_u6": 10**12, "pace__tokens": 5, **scopes(FALLING)}
    assert asked(exit_draft(qty_u6=55_550_000), **roomy) is None
    assert asked(exit_draft(qty_u6=55_560_000), **roomy) is Control.ORDER_SIZE
    cheap: dict[str, Any] = {**roomy, "market__bid_u6": 20_000, "market__ask_u6": 30_000}
    assert asked(exit_draft(px_u6=20_000, qty_u6=100 * U), **cheap) is None
    assert asked(exit_draft(px_u6=20_000, qty_u6=100_010_000), **cheap) is Control.ORDER_SIZE


@pytest.mark.parametrize(
    ("scope", "cap_u6"),
    [("market", 100), ("group", 200), ("strategy", 300), ("total", 500)],
)
def test_g17_each_scope_has_its_cap_and_a_hedge_may_only_lower_what_is_above(
    scope: str, cap_u6: int
) -> None:
    def at(after_u6: int) -> dict[str, Any]:
        exposed = Scope(before_u6=0, after_u6=after_u6, filled_u6=after_u6)
        return {f"account__{scope}": exposed}

    assert asked(**at(cap_u6 * U)) is None
    assert asked(**at(cap_u6 * U + 1)) is Control.EXPOSURE
    hedge = draft(purpose=Purpose.HEDGE)
    assert asked(hedge, **at(cap_u6 * U + 1)) is Control.EXPOSURE
    high = Scope(before_u6=900 * U, after_u6=900 * U, filled_u6=0)
    above: dict[str, Any] = {f"account__{scope}": high}
    assert asked(hedge, **above) is None
    assert asked(**above) is Control.EXPOSURE, "an entry has no such right"


def test_b13_g17_what_is_kept_for_repairs_is_left_under_the_cap() -> None:
    kept = Scope(before_u6=0, after_u6=90 * U, filled_u6=90 * U, spared_u6=10 * U)
    assert asked(account__market=kept) is None
    assert asked(account__market=replace(kept, spared_u6=10 * U + 1)) is Control.EXPOSURE


def test_g17_the_cap_typed_at_arming_holds_for_live_and_not_for_paper() -> None:
    tight: dict[str, Any] = {"control__session_cap_u6": 9 * U}
    assert asked(**tight) is Control.EXPOSURE
    assert asked(**tight, realm=Realm.PAPER) is None
    assert asked(control__session_cap_u6=10 * U) is None


def test_b14_a_sell_takes_confirmed_free_shares_only() -> None:
    wish = exit_draft()
    assert asked(wish, **scopes(FALLING), account__sell_capacity_u6=10 * U) is None
    assert asked(wish, **scopes(FALLING), account__sell_capacity_u6=10 * U - 1) is Control.FUNDS


def test_b24_a_resting_buy_is_covered_without_a_taker_fee() -> None:
    assert asked(quote(), account__free_cash_u6=4_600_000) is None
    assert asked(quote(), account__free_cash_u6=4_599_999) is Control.FUNDS
    assert asked(quote(), market__spec=replace(SPEC, fees=None)) is None


def test_b1_an_order_in_doubt_blocks_new_risk_on_its_token_but_not_the_hedge() -> None:
    lost = OwnOrder(cid="x", outcome=Outcome.YES, side=Side.BUY, px_u6=400_000, is_unknown=True)
    spoilt: dict[str, Any] = {"account__own": (lost,)}
    assert asked(**spoilt) is Control.DUPLICATE
    assert asked(draft(purpose=Purpose.HEDGE), **spoilt) is None
    assert asked(draft(outcome=Outcome.NO), **spoilt) is None


@pytest.mark.parametrize(
    ("outcome", "side", "px_u6", "refused"),
    [
        (Outcome.YES, Side.SELL, 480_000, Control.SELF_CROSS),
        (Outcome.YES, Side.SELL, 490_000, None),
        (Outcome.YES, Side.BUY, 990_000, None),
        (Outcome.NO, Side.BUY, 520_000, Control.SELF_CROSS),
        (Outcome.NO, Side.BUY, 510_000, None),
        (Outcome.NO, Side.SELL, 10_000, None),
    ],
)
def test_b18_no_order_meets_one_of_our_own_on_the_token_or_its_complement(
    outcome: Outcome, side: Side, px_u6: int, refused: Control | None
) -> None:
    own = OwnOrder(cid="o", outcome=outcome, side=side, px_u6=px_u6)
    assert asked(account__own=(own,)) is refused


def test_b8_below_the_cancel_reserve_nothing_more_may_rest() -> None:
    low: dict[str, Any] = {"pace__cancels_left": 19, "pace__cancel_reserve": 20}
    assert asked(quote(), **low) is Control.RATE
    assert asked(quote(), **(low | {"pace__cancels_left": 20})) is None
    assert asked(**low) is None, "what cannot rest needs no cancel"


def test_g21_an_entry_leaves_one_order_of_the_bucket_to_a_hedge() -> None:
    assert asked(pace__tokens=1) is Control.RATE
    assert asked(draft(purpose=Purpose.HEDGE), pace__tokens=1) is None
    assert asked(draft(purpose=Purpose.HEDGE), pace__tokens=0) is Control.RATE


def test_b27_a_latched_strategy_ends_what_is_naked_at_twice_the_pace_and_no_faster() -> None:
    latched: dict[str, Any] = {"pace__repetition": "21 sends", **scopes(FALLING)}
    assert asked(draft(), **latched) is Control.REPETITION
    moments: tuple[tuple[dict[str, Any], Control | None], ...] = (
        ({"pace__sends": 39, "pace__rejects": 19}, None),
        ({"pace__sends": 40}, Control.REPETITION),
        ({"pace__rejects": 20}, Control.REPETITION),
    )
    for busy, refused in moments:
        assert asked(exit_draft(), **latched, **busy) is refused
    flat = exit_draft(Purpose.FLATTEN, strategy=OPERATOR)
    assert asked(flat, **latched, pace__sends=40, control__is_flattening=True) is None


@pytest.mark.parametrize(
    ("field", "refused", "passed"),
    [
        ("day_u6", -50 * U, -50 * U + 1),
        ("strategy_day_u6", -25 * U, -25 * U + 1),
        ("equity_u6", 95 * U, 95 * U + 1),
    ],
)
def test_g23_losses_stop_entries_and_let_exits_through(
    field: str, refused: int, passed: int
) -> None:
    losses = facts().account.losses
    bad: dict[str, Any] = {"account__losses": replace(losses, **{field: refused})}
    assert asked(**bad) is Control.LOSS
    assert asked(exit_draft(), **bad, **scopes(FALLING)) is None
    assert asked(account__losses=replace(losses, **{field: passed})) is None


def test_b23_a_gtd_states_an_expiry_inside_the_venues_window_by_its_clock() -> None:
    wish = quote()
    ends = {skew: NOW // S + skew for skew in (180, 181, 300, 301, 302)}
    for offset_ns, shortest, longest in (
        (0, 180, 301),
        (499 * MS, 181, 301),
        (-499 * MS, 180, 300),
    ):
        spoilt: dict[str, Any] = {"venue__offset_ns": offset_ns}
        assert asked(wish, terms={"expiration_s": ends[shortest]}, **spoilt) is None
        assert asked(wish, terms={"expiration_s": ends[longest]}, **spoilt) is None
        early = {"expiration_s": ends[shortest] - 1}
        assert asked(wish, terms=early, **spoilt) is Control.EXPIRY
        late: dict[str, Any] = {"expiration_s": ends[longest] + 1}
        assert asked(wish, terms=late, **spoilt) is Control.EXPIRY
    assert asked(wish, venue__offset_ns=None) is Control.CLOCK, "unknown offset: nothing rests"


def test_g24_gtc_rests_by_named_exception_only_and_a_fak_states_no_expiry() -> None:
    gtc = quote(order_type=OrderType.GTC)
    assert asked(gtc) is Control.EXPIRY
    assert asked(gtc, control__may_rest_gtc=True) is None
    assert asked(terms={"expiration_s": NOW // S + 300}) is Control.EXPIRY
    assert asked(draft(post_only=True)) is Control.EXPIRY


def test_g25_a_strategy_that_pulled_a_quote_too_young_waits_a_lifetime() -> None:
    assert asked(quote(), pace__flicker_ns=NOW - S + 1) is Control.CONDUCT
    assert asked(quote(), pace__flicker_ns=NOW - S) is None
    assert asked(pace__flicker_ns=NOW - 1) is None, "a taker is no quote"
