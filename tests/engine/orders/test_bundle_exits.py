"""The way out of a residue, and fills that come late."""

from typing import Any

from polytui.engine.core.enums import Outcome, Side
from polytui.engine.core.order_enums import (
    BundleState,
    Control,
    FillKind,
    OrderState,
    OrderType,
    Realm,
)
from polytui.engine.core.trading import FillChange
from polytui.engine.orders.bundle import Bundle
from polytui.engine.orders.bundles import MergePairs
from tests.engine.orders.bundle_rig import (
    NO,
    YES,
    Desk,
    S,
    price,
    shares,
    snapshot,
)

B = BundleState
FAR: Any = {"yes": ((0.40, 500),), "no": ((0.45, 500),)}
"""A book whose every taker's price is beyond the slip."""


# --- the way out ---------------------------------------------------------------------------------


def test_beyond_the_slip_a_residue_rests_until_its_time_and_is_then_sold_at_the_market() -> None:
    desk = Desk(rest_ms=10_000)
    desk.plan()
    desk.send_all()
    desk.book = snapshot(**FAR)
    one = desk.fill(desk.last(), 20)
    desk.turn()
    resting = desk.last()
    assert (resting.draft.order_type, resting.draft.post_only) == (OrderType.GTD, True)
    assert resting.draft.expires_ns == desk.at_ns + 240 * S
    desk.send_all()
    desk.end(resting, OrderState.LIVE)
    desk.confirm(one)
    desk.turn(9_999)
    assert desk.cancels() == []
    desk.turn(1)
    assert [c.why for c in desk.cancels()] == ["rested 10000 ms"]
    assert desk.last() is resting, "nothing more until the cancel is proven"
    desk.end(resting, OrderState.CANCELED)
    desk.turn()
    sale = desk.last().draft
    assert (sale.side, sale.outcome, sale.order_type) == (Side.SELL, YES, OrderType.FAK)
    assert sale.px_u6 == price(0.38), "the market's touch less the slip"


def test_a_taker_way_that_opens_pulls_the_resting_exit() -> None:
    desk = Desk()
    desk.plan()
    desk.send_all()
    desk.book = snapshot(**FAR)
    desk.fill(desk.last(), 20)
    desk.turn()
    resting = desk.last()
    desk.send_all()
    desk.end(resting, OrderState.LIVE)
    desk.book = snapshot()
    desk.turn(500)
    assert desk.cancels() == [], "a quote lives a second (G25)"
    desk.turn(1_000)
    assert [c.why for c in desk.cancels()] == ["a taker's way opened"]


def test_a_refused_way_is_barred_for_a_while_and_the_next_best_is_taken() -> None:
    desk = Desk()
    one, two = desk.open_box()
    desk.confirm(one)
    desk.fail(two)
    desk.turn()
    assert desk.last().draft.side is Side.SELL
    desk.veto(desk.last())
    assert (desk.last().draft.side, desk.last().draft.outcome) == (Side.BUY, NO)
    desk.veto(desk.last())
    desk.turn(400)
    assert desk.last().draft.order_type is OrderType.GTD, "both takers are barred for a moment"


def test_an_exit_refused_for_its_size_goes_in_smaller_bites() -> None:
    desk = Desk()
    desk.plan()
    desk.send_all()
    desk.fill(desk.last(), 20)
    desk.miss(desk.last())
    desk.turn()
    assert desk.bundle.covering_u6 == shares(20)
    desk.veto(desk.last(), Control.DEPTH_SHARE)
    desk.turn(300)
    assert desk.bundle.covering_u6 == shares(10)


def test_exits_that_come_to_nothing_wait_longer_each_time() -> None:
    """No loop of sends (B27): at most a handful in the first seconds, then one in five."""
    desk = Desk(rest_ms=0)
    desk.plan()
    desk.send_all()
    desk.fill(desk.last(), 20)
    for _ in range(600):
        order = desk.last()
        if not order.state.is_terminal:
            desk.send_all()
            desk.end(order, OrderState.CANCELED)
        desk.turn(100)
    assert 10 <= len(desk.hedges()) <= 18, "within a minute, below the gate's twenty"


def test_without_quotes_a_residue_waits_and_says_so_and_the_alarm_is_raised_once() -> None:
    desk = Desk()
    desk.plan()
    desk.send_all()
    desk.fill(desk.last(), 20)
    desk.book = None
    desk.miss(desk.last())
    desk.turn(20_000)
    assert (desk.state(), desk.bundle.why) == (B.RESIDUE, "no quotes")
    assert desk.alerts() == ["residue_stuck"]


def test_residues_of_one_market_combine_so_that_a_minimum_is_reached() -> None:
    desk = Desk()
    desk.book = snapshot(yes=(), no=((0.45, 500),))
    for name in ("box-1", "box-2"):
        late(desk, name, 3)
    desk.turn(300)
    one, two = desk.bundles.by_id.values()
    assert {one.state, two.state} == {B.RESIDUE, B.FLAT}
    assert {one.naked()[1], two.naked()[1]} == {shares(6), 0}
    assert (desk.last().draft.order_type, desk.last().draft.qty_u6) == (OrderType.GTD, shares(6))


def test_opposite_residues_of_one_market_close_each_other_without_an_order() -> None:
    desk = Desk()
    desk.book = None
    late(desk, "box-1", 20)
    late(desk, "box-2", 12, outcome=NO)
    desk.book = snapshot()
    desk.turn()
    one, two = desk.bundles.by_id.values()
    naked = {bundle.naked() for bundle in (one, two) if bundle.state is B.RESIDUE}
    assert naked == {(YES, shares(8))}
    assert [order.draft.why for order in desk.orders.values()] != []
    assert sum(order.draft.qty_u6 for order in desk.orders.values()) <= shares(8)


def test_what_rests_is_called_back_when_a_sibling_holds_the_other_side() -> None:
    """Found at 35 % failures: two exits of one market stood in each other's way (G20)."""
    desk = Desk()
    desk.book = snapshot(yes=(), no=((0.45, 500),))
    late(desk, "box-1", 20)
    desk.turn()
    resting = desk.last()
    assert resting.draft.order_type is OrderType.GTD
    desk.send_all()
    desk.end(resting, OrderState.LIVE)
    late(desk, "box-2", 20, outcome=NO)
    desk.turn()
    assert [c.why for c in desk.cancels()] == ["a sibling holds the other side"]
    assert len(desk.orders) == 1
    desk.end(resting, OrderState.CANCELED)
    desk.turn(300)
    assert {bundle.state for bundle in desk.bundles.by_id.values()} == {B.COMPLETE, B.FLAT}
    assert len(desk.orders) == 1, "no order was needed"


def paired(desk: Desk) -> tuple[Bundle, FillChange, FillChange]:
    """Let two siblings close each other: the pair, its own trade, and the one that was given."""
    desk.book = None
    fills = [late(desk, "box-1", 20), late(desk, "box-2", 20, outcome=NO)]
    desk.turn()
    pair = next(b for b in desk.bundles.by_id.values() if b.state is B.COMPLETE)
    fills.sort(key=lambda fill: fill.bundle != pair.id)
    return pair, fills[0], fills[1]


def test_b14_what_came_from_a_sibling_is_merged_once_it_has_settled_too() -> None:
    desk = Desk()
    pair, own, given = paired(desk)
    desk.confirm(own)
    desk.turn(60_000)
    assert desk.of(MergePairs) == [], "half of the pairs may still be taken back"
    assert pair.sellable_u6(given.outcome) == 0
    desk.confirm(given)
    desk.turn(1_000)
    assert [(m.bundle, m.qty_u6) for m in desk.of(MergePairs)] == [(pair.id, shares(20))]


def test_b13_who_gave_what_failed_buys_it_again() -> None:
    desk = Desk()
    pair, own, given = paired(desk)
    desk.fail(given)
    desk.turn(1_000)
    assert pair.state is B.COMPLETE
    giver = desk.bundles.by_id[given.bundle]
    assert (giver.naked(), giver.state) == ((own.outcome, shares(20)), B.RESIDUE)


def test_the_clock_of_a_failed_leg_goes_on_where_a_sibling_takes_it_over() -> None:
    desk = Desk()
    _, two = desk.open_box()
    desk.book = None
    desk.fail(two)
    failed_ns = desk.at_ns
    desk.turn(500)
    late(desk, "box-2", 20, outcome=NO)
    desk.turn()
    assert list(desk.bundles.naked_ns) == [desk.at_ns - failed_ns]


def test_the_slip_widens_while_a_side_is_naked_and_never_leaves_the_collar() -> None:
    desk = Desk()
    desk.plan()
    desk.send_all()
    desk.book = snapshot(yes=((0.42, 500),), no=((0.45, 500),))
    desk.fill(desk.last(), 20)
    desk.turn()
    resting = desk.last()
    assert resting.draft.order_type is OrderType.GTD, "0.58 is nine cents beyond the plan"
    desk.send_all()
    desk.end(resting, OrderState.LIVE)
    desk.turn(1_500)
    assert [c.why for c in desk.cancels()] == ["a taker's way opened"]
    desk.end(resting, OrderState.CANCELED)
    desk.turn()
    assert (desk.last().draft.outcome, desk.last().draft.px_u6) == (NO, price(0.59))


def test_a_refusal_that_passes_by_itself_bars_no_plan_and_is_tried_again_at_once() -> None:
    desk = Desk()
    _, two = desk.open_box()
    desk.fail(two)
    desk.turn()
    for _ in range(8):
        assert (desk.last().draft.side, desk.last().draft.order_type) == (Side.BUY, OrderType.FAK)
        desk.veto(desk.last(), Control.RATE)
        desk.turn(250)
    assert len(desk.hedges()) == 10


def late(desk: Desk, name: str, qty: float, *, outcome: Outcome = YES) -> FillChange:
    """Deal out a fill of a bundle that nobody remembers."""
    px_u6, token = (price(0.47), "111") if outcome is YES else (price(0.49), "222")
    change = FillChange(
        kind=FillKind.PROVISIONAL, realm=Realm.PAPER, at_ns=desk.at_ns, seq=1,
        trade_id=f"late-{name}", order_hash=f"0x{name}", cid=f"old-{name}", strategy="box",
        market="0xm", token=token, outcome=outcome, side=Side.BUY, px_u6=px_u6,
        qty_u6=shares(qty), cash_u6=px_u6 * shares(qty) // 1_000_000, fee_u6=0, is_maker=False,
        bundle=name,
    )  # fmt: skip
    desk.trades[change.trade_id] = change
    desk.book_fill(change)
    return change


def test_a_late_fill_rejoins_its_bundle_with_an_exit_plan() -> None:
    desk = Desk()
    desk.plan()
    desk.send_all()
    first = desk.last()
    desk.end(first, OrderState.CANCELED)
    assert desk.state() is B.FLAT
    desk.turn(60_000)
    desk.fill(first, 20)
    assert desk.state() is B.RESIDUE
    desk.turn()
    assert desk.record().plan == "complete"
    assert desk.last().draft.bundle == "box-1"


def test_a_late_fill_of_a_bundle_nobody_remembers_is_not_forgotten_either() -> None:
    desk = Desk()
    late(desk, "r1-box-9", 20)
    desk.turn()
    assert desk.bundles.by_id["r1-box-9"].state is B.RESIDUE
    exit_ = desk.last().draft
    assert (exit_.token, exit_.group, exit_.bundle) == ("222", "g", "r1-box-9")


def test_an_order_told_after_its_late_fill_is_not_waited_for() -> None:
    desk = Desk()
    desk.plan()
    first = desk.last()
    desk.send_all()
    desk.end(first, OrderState.CANCELED)
    del desk.bundles.by_id["box-1"]
    desk.fill(first, 20)
    assert desk.bundle.covering_u6 == shares(20), "one exit, for all of it"
    assert desk.bundle.first() is None


def test_a_bundle_keeps_a_bounded_number_of_orders_that_came_to_nothing() -> None:
    desk = Desk(rest_ms=0)
    desk.plan()
    desk.send_all()
    desk.fill(desk.last(), 20)
    for _ in range(200):
        desk.miss(desk.last())
        desk.turn(6_000)
    assert len(desk.orders) > 150
    assert len(desk.bundle.children) <= 65
    assert desk.bundle.children[0].plan == "first"
