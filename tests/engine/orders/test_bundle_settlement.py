"""Settlement under bundles (faults B13, B14), sell boxes, ends and restarts."""

import pytest
from msgspec.structs import replace

from polytui.engine.core.enums import Side
from polytui.engine.core.order_enums import (
    Applied,
    BundleState,
    FillKind,
    OrderState,
    Realm,
    SendOutcome,
    TradeStatus,
)
from polytui.engine.core.trading import TradeRecord
from polytui.engine.orders.bundle import Bundle
from polytui.engine.orders.bundles import MergePairs
from tests.engine.orders.bundle_rig import (
    NO,
    YES,
    Desk,
    S,
    box,
    price,
    shares,
    snapshot,
)

B = BundleState


# --- settlement: B13, B14 ------------------------------------------------------------------------


@pytest.mark.parametrize("failed", [0, 1])
@pytest.mark.parametrize("settled", [False, True])
def test_b13_a_failed_settlement_of_either_leg_reopens_the_bundle_and_is_hedged_within_3_s(
    *, failed: int, settled: bool
) -> None:
    desk = Desk()
    legs = desk.open_box()
    assert desk.state() is B.COMPLETE
    desk.turn(60_000)
    if settled:
        desk.confirm(legs[1 - failed])
    desk.book = snapshot(yes=((0.61, 500),), no=((0.37, 500),))
    failed_ns = desk.at_ns
    desk.fail(legs[failed])
    assert desk.state() is B.RESIDUE
    desk.turn(600)
    desk.fill(desk.last(), 20)
    assert desk.state() in (B.COMPLETE, B.FLAT)
    assert desk.record().residue_u6 == 0
    assert list(desk.bundles.naked_ns) == [desk.at_ns - failed_ns]
    assert desk.at_ns - failed_ns <= 3 * S


def test_b13_both_settlements_failing_leave_nothing_behind() -> None:
    desk = Desk()
    one, two = desk.open_box()
    desk.book = None
    desk.fail(one)
    desk.fail(two)
    assert desk.state() is B.FLAT
    assert (desk.record().residue_u6, desk.bundle.pairs_u6) == (0, 0)
    tallies = desk.bundle.tallies.values()
    assert [(t.bought_u6, t.bought_cash) for t in tallies] == [(0, 0), (0, 0)]


def test_b13_a_first_leg_that_fails_while_the_hedge_is_out_is_not_hedged_again() -> None:
    desk = Desk()
    desk.plan()
    desk.send_all()
    one = desk.fill(desk.last(), 20)
    hedge = desk.last()
    desk.fail(one)
    desk.turn(100)
    assert desk.last() is hedge
    desk.fill(hedge, 20)
    assert desk.state() is B.RESIDUE
    assert desk.record().residue_token == "222"
    desk.turn()
    assert desk.last().draft.outcome is YES


def test_b14_only_settled_pairs_are_merged_and_the_merge_makes_the_bundle_flat() -> None:
    desk = Desk()
    one, two = desk.open_box()
    desk.confirm(one)
    desk.turn(60_000)
    assert desk.of(MergePairs) == []
    desk.confirm(two)
    desk.turn()
    (merge,) = desk.of(MergePairs)
    assert (merge.market, merge.qty_u6) == ("0xm", shares(20))
    assert desk.record().plan == "merge"
    desk.merged()
    assert desk.state() is B.FLAT
    assert desk.record().moved == (-shares(20), -shares(20))


def test_completed_pairs_are_held_where_the_configuration_says_so() -> None:
    desk = Desk(merge=False)
    desk.open_box(confirmed=True)
    desk.turn(60_000)
    assert (desk.state(), desk.of(MergePairs)) == (B.COMPLETE, [])


def test_a_refused_merge_is_asked_again_a_few_times_and_an_unknown_one_never() -> None:
    desk = Desk()
    desk.open_box(confirmed=True)
    desk.merged(SendOutcome.REFUSED)
    desk.turn(29_000)
    assert len(desk.of(MergePairs)) == 1
    desk.turn(2_000)
    assert len(desk.of(MergePairs)) == 2
    desk.merged(SendOutcome.UNKNOWN)
    desk.turn(600_000)
    assert len(desk.of(MergePairs)) == 2
    assert desk.alerts() == ["merge_unknown"]


def test_a_fault_freezes_the_bundle_for_a_person() -> None:
    desk = Desk()
    one, _ = desk.open_box()
    desk.book_fill(replace(one, kind=FillKind.FAULT))
    desk.confirm_all()
    desk.turn(60_000)
    assert desk.alerts() == ["bundle_frozen"]
    assert desk.of(MergePairs) == []


# --- sell boxes ----------------------------------------------------------------------------------


def test_a_sell_box_sells_stock_of_both_sides_and_ends_flat() -> None:
    desk = Desk()
    desk.book = snapshot(yes=((0.52, 500),), no=((0.51, 500),))
    (draft,) = desk.plan(box(yes=0.52, no=0.51, side=Side.SELL), stock_u6=shares(12.345))
    assert (draft.side, draft.qty_u6) == (Side.SELL, shares(12.34))
    desk.send_all()
    desk.fill(desk.last(), 12.34)
    desk.turn()
    hedge = desk.last().draft
    assert (hedge.side, hedge.outcome, hedge.qty_u6) == (Side.SELL, NO, shares(12.34))
    assert hedge.px_u6 == price(0.51), "0.52 net of its fee is 0.51; 0.495 and its fee are left"
    desk.fill(desk.last(), 12.34)
    assert desk.state() is B.FLAT


def test_a_sell_box_whose_second_leg_fails_sells_what_is_left_of_its_stock() -> None:
    desk = Desk()
    desk.book = snapshot(yes=((0.53, 500),), no=((0.51, 500),))
    desk.plan(box(yes=0.53, no=0.51, side=Side.SELL), stock_u6=shares(20))
    desk.send_all()
    desk.fill(desk.last(), 20)
    desk.turn()
    two = desk.fill(desk.last(), 20)
    desk.fail(two)
    desk.turn()
    assert (desk.last().draft.side, desk.last().draft.outcome) == (Side.SELL, NO)


# --- ends, restarts, records ---------------------------------------------------------------------


def test_when_the_market_ends_the_position_takes_over_and_late_fills_go_there_too() -> None:
    """A14 for bundles."""
    desk = Desk()
    desk.plan()
    desk.send_all()
    first = desk.last()
    desk.fill(first, 8, over=False)
    desk.bundles.end_market("0xm", why="resolved", at_ns=desk.at_ns, seq=1)
    assert (desk.state(), desk.record().residue_u6) == (B.FLAT, 0)
    sent = len(desk.orders)
    desk.fill(first, 12)
    desk.turn(60_000)
    assert (desk.state(), len(desk.orders), desk.record().residue_u6) == (B.FLAT, sent, 0)
    assert desk.plan(box(name="box-2")) == []


def stored(desk: Desk, applied: dict[str, Applied] | None = None) -> list[TradeRecord]:
    return [
        TradeRecord(
            realm=Realm.PAPER, trade_id=c.trade_id, order_hash=c.order_hash, cid=c.cid,
            status=TradeStatus.MATCHED, applied=(applied or {}).get(c.trade_id, default),
            first_ns=1, updated_ns=1, change=c,
        )
        for c in desk.trades.values()
        for default in [Applied.PROVISIONAL]
    ]  # fmt: skip


def reborn(desk: Desk, **applied: Applied) -> Desk:
    """Restart: records, orders and trades are all that is left."""
    again = Desk()
    again.run = desk.run + "+"
    again.at_ns = desk.at_ns + 5 * S
    again.trades, again.orders = dict(desk.trades), dict(desk.orders)
    again.bundles.restore(
        desk.bundles.drain(), orders=list(desk.orders.values()), trades=stored(desk, applied),
        at_ns=again.at_ns, seq=1,
    )  # fmt: skip
    again.turn()
    return again


def test_a_restart_with_one_leg_filled_goes_straight_to_an_exit_at_the_present_price() -> None:
    desk = Desk()
    desk.plan()
    desk.send_all()
    desk.fill(desk.last(), 20)
    desk.book = None
    desk.end(desk.last(), OrderState.VETOED)
    again = reborn(desk)
    assert again.state() is B.RESIDUE
    assert again.bundle.covering_u6 == shares(20)
    assert len(again.orders) == len(desk.orders) + 1


def test_a_restart_with_a_hedge_in_doubt_sends_no_second_one() -> None:
    desk = Desk()
    desk.plan()
    desk.send_all()
    desk.fill(desk.last(), 20)
    desk.send_all()
    desk.end(desk.last(), OrderState.UNKNOWN)
    again = reborn(desk)
    again.turn(60_000)
    assert len(again.orders) == len(desk.orders)


def test_a_restart_with_both_legs_settled_merges_and_one_that_asked_before_does_not() -> None:
    desk = Desk()
    desk.open_box()
    again = reborn(desk, t0=Applied.PROMOTED, t1=Applied.PROMOTED)
    assert len(again.of(MergePairs)) == 1
    third = reborn(again, t0=Applied.PROMOTED, t1=Applied.PROMOTED)
    third.turn(60_000)
    assert third.of(MergePairs) == []
    assert "balances decide" in third.bundle.why


def test_a_restart_after_a_failed_trade_finds_the_naked_side() -> None:
    desk = Desk()
    desk.open_box()
    again = reborn(desk, t0=Applied.PROMOTED, t1=Applied.VOIDED)
    assert again.state() is B.RESIDUE
    assert again.last().draft.side is Side.SELL


def test_a_restart_before_anything_was_sent_ends_flat() -> None:
    desk = Desk()
    desk.plan()
    desk.veto(desk.last())
    again = reborn(desk)
    assert again.state() is B.FLAT


def test_drain_gives_each_changed_bundle_once() -> None:
    desk = Desk()
    desk.open_box()
    (record,) = desk.bundles.drain()
    assert record.state is B.COMPLETE
    assert record.edges[0][1] == "planned"
    assert record.orders == tuple(desk.orders)
    assert desk.bundles.drain() == []


def test_the_screen_sees_each_leg_with_what_it_cost() -> None:
    desk = Desk()
    one, _ = desk.open_box()
    first, second = desk.bundle.leg_views()
    assert (first.filled_u6, first.paid_u6) == (shares(20), one.cash_u6 + one.fee_u6)
    assert (second.outcome, second.cids) == ("no", (desk.last().cid,))


def test_what_is_over_and_settled_is_forgotten_oldest_first_and_nothing_else() -> None:
    desk = Desk()
    desk.plan()
    for n in range(600):
        desk.plan(box(name=f"more-{n}"))
        desk.bundles.drain()
    assert len(desk.bundles.by_id) <= 513
    assert "box-1" in desk.bundles.by_id


def test_the_notes_of_a_bundle_are_bounded() -> None:
    bundle = Bundle("b", "box", "m", ())
    for n in range(500):
        bundle.note(f"why {n}", n)
    assert len(bundle.notes) == 64
    assert bundle.notes[0][2] == "why 0"
    assert bundle.updated_ns == 499
