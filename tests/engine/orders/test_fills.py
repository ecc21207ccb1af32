"""Cash and fees of our fills, to the micro-unit those of the practice venue."""

import pytest
from msgspec import structs

from polytui.engine.core.enums import Side
from polytui.engine.core.events import FeeSchedule
from polytui.engine.core.order_enums import FillKind
from polytui.engine.core.trading import FillChange
from polytui.engine.core.units import U
from polytui.engine.orders.fills import booked_fee_u6, own_parts
from polytui.engine.sim.exchange.api import Form, TradeView
from polytui.engine.sim.exchange.fees import fee_u6 as venue_fee_u6
from polytui.engine.sim.exchange.terms import FeeRounding
from tests.engine.orders.desk import BUY, CRYPTO, FAK, FOK, GTC, NO, SELL, US, YES, Desk
from tests.engine.orders.hall import Hall


@pytest.mark.parametrize(
    ("px_u6", "qty_u6", "rate_u6", "exponent", "fee"),
    [
        (500_000, 100 * U, 70_000, 1, 1_750_000),
        (300_000, 100 * U, 70_000, 1, 1_470_000),
        (970_000, 100 * U, 50_000, 1, 145_500),
        (423_000, 37_500_000, 70_000, 1, 640_690),
        (500_000, 100 * U, 250_000, 2, 1_562_500),
        (500_000, 500, 70_000, 1, 0),
    ],
)
def test_tv_0_fees_are_booked_to_the_nearest_step(
    px_u6: int, qty_u6: int, rate_u6: int, exponent: int, fee: int
) -> None:
    """TV-0 of `quant.md`; 0.640686 is .64069 where the venue rounds."""
    fees = FeeSchedule(rate_u6=rate_u6, exponent=exponent)
    assert booked_fee_u6(px_u6, qty_u6, fees) == fee
    assert venue_fee_u6(px_u6, qty_u6, fees, FeeRounding.NEAREST) == fee


def test_without_a_schedule_the_worst_of_the_table_is_booked() -> None:
    assert booked_fee_u6(500_000, 100 * U, None) == 1_750_000


@pytest.mark.parametrize(("side", "cash"), [(BUY, 2), (SELL, 0)])
def test_a_taker_is_rounded_against_once_per_maker(side: Side, cash: int) -> None:
    """Two makers of half a micro-dollar each: a BUY pays two, a SELL gets none."""
    desk = Desk()
    order = desk.send(side, "0.5", "10")
    trade = desk.venue_trade(order, "0.000002")
    part = structs.replace(trade.makers[0], qty_u6=1)
    (ours,) = own_parts(structs.replace(trade, makers=(part, part)), desk.orders.by_hash, US)
    assert (ours.cash_u6, ours.is_maker) == (cash, False)


@pytest.mark.parametrize(("side", "cash"), [(BUY, 0), (SELL, 1)])
def test_a_maker_is_rounded_in_favour_of(side: Side, cash: int) -> None:
    desk = Desk()
    order = desk.live(side, "0.5", "10")
    trade = desk.venue_trade(order, "0.000001", is_taker=False)
    (ours,) = own_parts(trade, desk.orders.by_hash, US)
    assert (ours.cash_u6, ours.is_maker) == (cash, True)


def test_parts_that_do_not_add_up_are_rounded_in_one_piece() -> None:
    desk = Desk()
    order = desk.send(BUY, "0.5", "10")
    trade = structs.replace(desk.venue_trade(order, "0.000003"), makers=())
    (ours,) = own_parts(trade, desk.orders.by_hash, US)
    assert ours.cash_u6 == 2


def trade_randomly(hall: Hall, steps: int) -> None:
    """Both tokens, both sides, all types, prices that cross, sizes that leave dust."""
    rng = hall.rng
    for _ in range(steps):
        side = (BUY, SELL)[rng.below(2)]
        token = (YES, NO)[rng.below(2)]
        px_u6 = rng.between(44, 56) * 10_000
        qty_u6 = rng.between(500, 4_000) * 10_000
        if rng.below(2):
            hall.other(side, px_u6, qty_u6, token)
        else:
            hall.send(side, px_u6, qty_u6, (GTC, GTC, FAK, FOK)[rng.below(4)], token)
        hall.wait(rng.between(0, 400))


def compare(hall: Hall) -> tuple[int, set[Form]]:
    """Compare every first sighting with the exchange's own trade; return what was covered."""
    first = [one for one in hall.desk.booked if one.kind is FillKind.PROVISIONAL]
    forms: set[Form] = set()
    for change in first:
        view = hall.views[change.trade_id]
        if change.is_maker:
            forms.add(_compare_maker(change, view))
        else:
            assert change.order_hash == view.taker_order_id
            assert (change.cash_u6, change.fee_u6) == (view.cash_u6, view.fee_u6)
            assert (change.px_u6, change.qty_u6) == (view.px_u6, view.qty_u6)
    return len(first), forms


def _compare_maker(change: FillChange, view: TradeView) -> Form:
    (ours,) = [one for one in view.makers if one.order_id == change.order_hash]
    assert (change.cash_u6, change.fee_u6) == (ours.cash_u6, 0)
    assert (change.px_u6, change.qty_u6, change.side) == (ours.px_u6, ours.qty_u6, ours.side)
    assert change.token == ours.token
    return ours.form


@pytest.mark.parametrize("seed", range(3))
def test_every_fill_is_booked_as_the_venue_books_it(seed: int) -> None:
    """Taker and maker, minted, merged and exchanged, several makers, sub-lot remainders."""
    hall = Hall(seed)
    trade_randomly(hall, 250)
    count, forms = compare(hall)
    assert count > 100
    assert forms == set(Form)
    odd = [one for one in hall.desk.booked if one.qty_u6 % 10_000]
    crowds = [view for view in hall.views.values() if len(view.makers) > 1]
    assert odd, "expected fills below a lot"
    assert crowds, "expected trades with several makers"


def test_the_schedule_of_the_market_decides() -> None:
    desk = Desk()
    order = desk.send(BUY, "0.5", "10")
    (change,) = desk.trade(order, "10")
    assert change.fee_u6 == booked_fee_u6(500_000, 10 * U, CRYPTO) == 175_000
