"""The way out of a residue, and fills that come late."""

from typing import Any

from polytui.engine.core.enums import Side
from polytui.engine.core.order_enums import (
    BundleState,
    Control,
    FillKind,
    OrderState,
    OrderType,
    Realm,
)
from polytui.engine.core.trading import FillChange
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


def test_settled_residues_of_one_market_combine_so_that_a_minimum_is_reached() -> None:
    desk = Desk()
    desk.book = snapshot(yes=(), no=((0.45, 500),))
    for name in ("box-1", "box-2"):
        late(desk, name, 3)
    desk.turn(1_000)
    assert {b.state for b in desk.bundles.by_id.values()} == {B.RESIDUE}
    desk.confirm_all()
    desk.turn(300)
    one, two = desk.bundles.by_id.values()
    assert {one.state, two.state} == {B.RESIDUE, B.FLAT}
    assert {one.naked()[1], two.naked()[1]} == {shares(6), 0}
    assert (desk.last().draft.order_type, desk.last().draft.qty_u6) == (OrderType.GTD, shares(6))


def late(desk: Desk, name: str, qty: float) -> FillChange:
    """Deal out a fill of a bundle that nobody remembers."""
    change = FillChange(
        kind=FillKind.PROVISIONAL, realm=Realm.PAPER, at_ns=desk.at_ns, seq=1,
        trade_id=f"late-{name}", order_hash="0x1", cid="old-1-1", strategy="box", market="0xm",
        token="111", outcome=YES, side=Side.BUY, px_u6=price(0.47), qty_u6=shares(qty),
        cash_u6=price(0.47) * shares(qty) // 1_000_000, fee_u6=0, is_maker=False, bundle=name,
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
