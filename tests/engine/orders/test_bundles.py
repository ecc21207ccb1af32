"""The two-leg discipline: table, plan, hedge, doubt (execution reference §1, `quant.md` §1.4)."""

from itertools import product
from typing import Any

import pytest
from msgspec.structs import replace

from polytui.engine.core.enums import Side, Unit
from polytui.engine.core.errors import EngineBug
from polytui.engine.core.order_enums import (
    BundleState,
    OrderState,
    OrderType,
    Purpose,
    Realm,
    Witness,
)
from polytui.engine.core.runconfig import BundleConfig
from polytui.engine.orders.bundle import EDGES, Bundle
from polytui.engine.orders.bundles import Bundles, MakeDraft
from tests.engine.orders.bundle_rig import (
    NO,
    SPEC,
    Desk,
    box,
    price,
    shares,
)

B = BundleState


# --- the table -----------------------------------------------------------------------------------


@pytest.mark.parametrize(("old", "new"), list(product(B, B)))
def test_every_pair_is_a_lawful_step_or_raises_and_changes_nothing(old: B, new: B) -> None:
    bundle = Bundle("b", "box", "m", ())
    bundle.state = old
    if new in EDGES[old]:
        bundle.enter(new, "why", 5)
        assert (bundle.state, bundle.notes) == (new, [(5, new.value, "why")])
        assert bundle.since_ns == (5 if new is B.RESIDUE else 0)
    else:
        with pytest.raises(EngineBug, match=f"bundle b to go from {old.value}"):
            bundle.enter(new, "why", 5)
        assert (bundle.state, bundle.notes) == (old, [])


def test_every_state_can_be_left_and_a_side_left_naked_is_reachable_from_each() -> None:
    assert all(EDGES[state] for state in B)
    assert [s for s in B if s is not B.RESIDUE and B.RESIDUE not in EDGES[s]] == []


# --- the plan ------------------------------------------------------------------------------------


def test_only_the_hard_leg_goes_first_as_a_fak_at_its_own_planned_limit() -> None:
    desk = Desk()
    (draft,) = desk.plan(box(first=NO))
    assert (draft.outcome, draft.px_u6, draft.qty_u6) == (NO, price(0.49), shares(20))
    assert (draft.order_type, draft.purpose) == (OrderType.FAK, Purpose.OPEN)
    assert (draft.epoch, draft.snapshot, draft.bundle) == (3, 1, "box-1")
    desk.send_all()
    desk.turn(100)
    assert desk.of(MakeDraft) == []
    assert desk.state() is B.LEG1_SENT


@pytest.mark.parametrize(
    ("decision", "why"),
    [
        (box(intents=box().intents[:1]), "expected two legs"),
        (box(intents=()), "expected two legs"),
        (box(intents=(box().intents[0], box().intents[0])), "one leg on each outcome"),
        (
            box(intents=(box().intents[0], replace(box().intents[1], side=Side.SELL))),
            "the same side",
        ),
        (box(side=Side.SELL), "split on the trigger comes too late"),
        (box(yes=0.9, no=0.05, qty=39), "a leg of $1.95 may be too small to be bought again"),
    ],
)
def test_what_can_be_no_bundle_is_refused_with_a_row_that_says_why(decision: Any, why: str) -> None:
    desk = Desk()
    assert desk.plan(decision) == []
    assert desk.state() is B.FLAT
    assert why in desk.record().edges[-1][2]


def test_one_box_in_flight_per_market() -> None:
    desk = Desk()
    desk.plan()
    assert desk.plan(box(name="box-2")) == []
    refused = desk.bundles.by_id["box-2"]
    assert "box-1 is planned in this market" in refused.why
    assert len(desk.plan(box(name="box-3", market="0xother"))) == 1


def test_names_are_new_even_where_markets_share_a_snapshot_and_runs_share_a_number() -> None:
    bundles = Bundles(Realm.PAPER, BundleConfig(), run="r7")
    spec = replace(SPEC, market="0xother")
    (one,) = bundles.plan(box(), SPEC, 3, 1, 1)
    (two,) = bundles.plan(box(market="0xother"), spec, 3, 1, 1)
    assert (one.bundle, two.bundle) == ("r7-box-1", "r7-box-1.2")


def test_the_buffer_is_the_threshold_only_where_that_is_dollars_a_share() -> None:
    desk = Desk()
    desk.plan(box(unit=Unit.COUNT))
    assert desk.bundle.buffer_u6 == 0


# --- the hedge -----------------------------------------------------------------------------------


def test_the_second_leg_is_for_the_filled_quantity_with_the_inverse_all_in_limit() -> None:
    """TV-1.3 again, end to end: 12 of 20 filled at .47, so leg 2 is for 12 at .50."""
    desk = Desk()
    desk.book = None
    desk.plan()
    desk.send_all()
    desk.fill(desk.last(), 12)
    hedge = desk.last().draft
    assert (hedge.outcome, hedge.side, hedge.qty_u6, hedge.px_u6) == (NO, Side.BUY, shares(12),
                                                                       price(0.50))  # fmt: skip
    assert (hedge.order_type, hedge.purpose, hedge.leg) == (OrderType.FAK, Purpose.HEDGE, 1)
    assert desk.state() is B.HEDGING


def test_with_a_book_the_hedge_budgets_what_the_book_asks_so_that_it_does_not_overfill() -> None:
    desk = Desk()
    desk.plan()
    desk.send_all()
    desk.fill(desk.last(), 20)
    hedge = desk.last().draft
    assert (hedge.px_u6, hedge.qty_u6) == (price(0.50), shares(19.6))
    spent_u6 = hedge.px_u6 * hedge.qty_u6 // 1_000_000
    assert spent_u6 * 100 // price(0.49) == 2_000, "9.80 dollars buy 20 shares at 0.49"


def test_a_better_fill_is_never_a_reject_and_leaves_more_room_for_the_other_leg() -> None:
    desk = Desk()
    desk.book = None
    desk.plan()
    desk.send_all()
    desk.fill(desk.last(), 20, px=0.45)
    assert desk.last().draft.px_u6 == price(0.52)
    assert desk.alerts() == []


def test_a_fill_beyond_its_own_limit_is_told() -> None:
    desk = Desk()
    desk.plan()
    desk.send_all()
    desk.fill(desk.last(), 20, px=0.48)
    assert desk.alerts() == ["leg_worse"]


def test_fills_of_one_order_that_arrive_together_make_one_hedge() -> None:
    desk = Desk()
    desk.plan()
    desk.send_all()
    first = desk.last()
    for qty in (5, 7, 8):
        desk.fill(first, qty, over=False)
    assert desk.of(MakeDraft) == []
    desk.turn()
    assert len(desk.of(MakeDraft)) == 1
    assert desk.bundle.covering_u6 == shares(20)


def test_more_fills_of_a_first_leg_that_lives_on_are_hedged_as_they_come() -> None:
    desk = Desk(leg_ms=10_000)
    desk.plan()
    desk.send_all()
    first = desk.last()
    desk.fill(first, 8, over=False)
    desk.turn()
    desk.fill(desk.last(), 8)
    assert desk.state() is B.HEDGING
    desk.fill(first, 12)
    desk.turn()
    desk.fill(desk.last(), 12)
    assert desk.state() is B.COMPLETE
    assert [o.draft.why for o in desk.hedges()] == ["hedge of 8 filled", "hedge of 12 filled"]


def test_an_ack_hedges_nothing_and_promised_trades_are_waited_for() -> None:
    """The filled quantity comes from trades, never from the answer (`quant.md` §1.4)."""
    desk = Desk()
    desk.plan()
    desk.send_all()
    first = desk.last()
    first.venue_matched_u6 = shares(20)
    desk.end(first, OrderState.MATCHED)
    desk.turn(6_000)
    assert desk.of(MakeDraft) == []
    assert desk.alerts() == ["bundle_waits"]
    desk.fill(first, 20)
    desk.turn()
    assert len(desk.of(MakeDraft)) == 1


@pytest.mark.parametrize("end", [OrderState.VETOED, OrderState.REFUSED, OrderState.DROPPED,
                                 OrderState.CANCELED])  # fmt: skip
def test_a_first_leg_that_comes_to_nothing_costs_nothing(end: OrderState) -> None:
    desk = Desk()
    desk.plan()
    if end is OrderState.VETOED:
        desk.veto(desk.last())
    else:
        desk.send_all()
        desk.last().state = end
        desk.tell(desk.last())
    desk.turn(10_000)
    assert desk.state() is B.FLAT
    assert f"first {end.value}: 0 of 20" in desk.record().edges[-1][2]
    assert desk.bundles.next_due_ns() is None


def test_a_first_leg_without_an_end_is_cancelled_after_its_timeout_once() -> None:
    desk = Desk(leg_ms=400)
    desk.plan()
    desk.send_all()
    desk.turn(399)
    assert desk.cancels() == []
    desk.turn(5_000)
    assert [cancel.cid for cancel in desk.cancels()] == [desk.last().cid]
    assert "leg timeout 400 ms" in desk.cancels()[0].why


def test_a_fill_before_sending_was_noted_is_leg_1_filled_all_the_same() -> None:
    """B11 for bundles."""
    desk = Desk()
    desk.plan()
    desk.fill(desk.last(), 20, over=False)
    assert desk.state() is B.LEG1_FILLED


# --- unknown: invariant 12 -----------------------------------------------------------------------


def test_a_hedge_in_doubt_is_never_sent_twice() -> None:
    desk = Desk(leg_ms=500)
    desk.plan()
    desk.send_all()
    desk.fill(desk.last(), 20)
    desk.send_all()
    hedge = desk.last()
    desk.end(hedge, OrderState.UNKNOWN)
    desk.turn(30_000)
    assert desk.hedges() == [hedge]
    assert desk.state() is B.RESIDUE
    assert "not answered" in "".join(edge[2] for edge in desk.record().edges)
    hedge.enter(OrderState.REFUSED, Witness.REST_READ, desk.at_ns, desk.seq)
    desk.tell(hedge)
    desk.turn()
    assert len(desk.hedges()) == 2


def test_a_part_filled_hedge_leaves_a_residue_with_a_clock_and_its_rest_is_completed() -> None:
    desk = Desk()
    desk.plan()
    desk.send_all()
    desk.fill(desk.last(), 20)
    desk.fill(desk.last(), 12)
    assert desk.state() is B.RESIDUE
    record = desk.record()
    assert (record.residue_token, record.residue_u6) == ("111", shares(8))
    assert record.residue_since_ns == desk.at_ns
    desk.turn()
    exit_ = desk.last().draft
    assert (exit_.outcome, exit_.side) == (NO, Side.BUY)
    assert desk.record().plan == "complete"
    desk.fill(desk.last(), 8)
    assert desk.state() is B.COMPLETE


def test_a_hedge_that_overfills_is_trimmed_once_it_has_settled() -> None:
    """A FAK BUY is driven by its budget: 20.4 for 20 asked (venue §5.4)."""
    desk = Desk()
    desk.plan()
    desk.send_all()
    desk.fill(desk.last(), 20)
    desk.turn()
    desk.fill(desk.last(), 20.4)
    desk.turn(1_000)
    assert desk.state() is B.RESIDUE
    assert (desk.record().residue_token, desk.record().residue_u6) == ("222", shares(0.4))
    assert "waits for settlement" in desk.bundle.why
    desk.confirm_all()
    desk.turn(300)
    trim = desk.last().draft
    assert (trim.outcome, trim.side, trim.qty_u6) == (NO, Side.SELL, shares(0.4))
    assert trim.purpose is Purpose.REDUCE
    desk.fill(desk.last(), 0.4)
    assert desk.state() is B.COMPLETE


def test_dust_is_tracked_and_not_chased() -> None:
    desk = Desk()
    desk.plan()
    desk.send_all()
    desk.fill(desk.last(), 20.004)
    desk.fill(desk.last(), 20)
    desk.turn(60_000)
    assert desk.state() is B.COMPLETE
    assert desk.record().residue_u6 == 4_000
    assert len(desk.hedges()) == 1


def test_a_hedge_below_a_dollar_is_a_residue_with_the_reason() -> None:
    desk = Desk()
    desk.plan()
    desk.send_all()
    desk.fill(desk.last(), 1.5)
    desk.turn(10_000)
    assert desk.state() is B.RESIDUE
    assert "below the $1 minimum" in desk.bundle.why
    assert desk.hedges() == []
    assert desk.alerts() == ["residue_stuck"]
    desk.confirm_all()
    desk.turn(300)
    assert desk.last().draft.side is Side.SELL
    desk.fill(desk.last(), 1.5)
    assert desk.state() is B.FLAT


def test_a_first_leg_so_dear_that_nothing_is_left_is_sold_or_completed_by_cost() -> None:
    desk = Desk()
    desk.plan(box(yes=0.99, no=0.49))
    desk.send_all()
    desk.fill(desk.last(), 20)
    assert "no price of the other leg keeps the buffer" in "".join(
        edge[2] for edge in desk.record().edges
    )
    assert desk.bundle.plan == "complete"
