"""Taker delays: hold, lock-out, a second look at release (§5.4)."""

from typing import Any

import pytest

from polytui.engine.core.units import parse_u6
from polytui.engine.sim.exchange.api import COLLATERAL, ErrorCode, OrderStatus, PlaceStatus
from polytui.engine.sim.exchange.emissions import (
    OrderCanceled,
    OrderFilled,
    OrderPlaced,
    OrderReleased,
    TradePrinted,
)
from polytui.engine.sim.exchange.terms import Resolution, Settings
from tests.engine.sim.exchange.rig import ANN, BOB, CRYPTO, FAK, FAST, FOK, MARKET, MS, Rig, terms


def delayed(settings: Settings | None = None, **facts: Any) -> Rig:
    """Make a market with a taker delay, where ANN offers ten shares at a half."""
    rig = Rig(terms(**facts), settings=settings)
    rig.split(ANN, "100")
    rig.sell(ANN, "0.50", "10")
    rig.exchange.drain()
    return rig


def test_a_crypto_taker_is_held_for_150_ms_and_then_matched() -> None:
    rig = delayed(itode=True)
    result = rig.buy(BOB, "0.50", "10")
    assert (result.status, result.is_held) == (PlaceStatus.DELAYED, True)
    assert result.release_ns == rig.exchange.now_ns + 150 * MS
    rig.wait(149)
    assert rig.said(TradePrinted) == []
    rig.wait(1)
    said = rig.exchange.drain()
    (released,) = [one for one in said if isinstance(one, OrderReleased)]
    assert released.result.status is PlaceStatus.MATCHED
    assert released.result.taking_u6 == 10_000_000
    filled = [one for one in said if isinstance(one, OrderFilled) and one.order.owner == BOB]
    assert [one.order.status for one in filled] == [OrderStatus.MATCHED]


def test_the_hold_follows_the_settings_of_the_moment() -> None:
    rig = delayed(itode=True)
    rig.exchange.configure(Settings(settlement=FAST, itode_ms=250))
    assert rig.buy(BOB, "0.50", "10").release_ns == rig.exchange.now_ns + 250 * MS


def test_a_sports_taker_is_answered_delayed_and_hears_the_rest_later() -> None:
    rig = delayed(seconds_delay=1)
    result = rig.buy(BOB, "0.50", "10")
    assert (result.status, result.is_held) == (PlaceStatus.DELAYED, False)
    (placed,) = rig.said(OrderPlaced)
    assert placed.order.status is OrderStatus.DELAYED
    rig.wait(1_000)
    assert len(rig.said(TradePrinted)) == 1


def test_makers_are_never_delayed() -> None:
    rig = delayed(itode=True)
    assert rig.buy(BOB, "0.49", "10").status is PlaceStatus.LIVE
    assert rig.buy(BOB, "0.49", "10", post_only=True).status is PlaceStatus.LIVE


def test_an_order_in_its_delay_cannot_be_cancelled() -> None:
    # §3.1
    rig = delayed(itode=True)
    order = rig.buy(BOB, "0.50", "10").order_id
    for result in (rig.exchange.cancel(BOB, [order]), rig.exchange.cancel_all(BOB)):
        assert result.canceled == ()
        assert result.not_canceled == ((order, "order is delayed and cannot be canceled yet"),)
    rig.wait(150)
    assert len(rig.said(TradePrinted)) == 1


def test_a_delayed_order_is_reserved_with_its_worst_fee() -> None:
    rig = delayed(itode=True, fees=CRYPTO)
    rig.buy(BOB, "0.50", "10")
    assert rig.exchange.balance(BOB, COLLATERAL).active_u6 == parse_u6("5.175")
    rig.wait(150)
    assert rig.exchange.balance(BOB, COLLATERAL).active_u6 == 0
    assert rig.exchange.balance(BOB, COLLATERAL).matched_u6 == parse_u6("5.175")


def test_makers_can_pull_in_the_window_and_the_taker_then_rests() -> None:
    rig = delayed(itode=True)
    rig.buy(BOB, "0.50", "10")
    rig.exchange.cancel_all(ANN)
    rig.wait(150)
    (released,) = rig.said(OrderReleased)
    assert released.result.status is PlaceStatus.LIVE
    assert rig.book() == ({500_000: 10_000_000}, {})


def test_an_unmatched_taker_dies_where_the_venue_is_set_so() -> None:
    # §3.1, the conflict about `unmatched`
    rig = delayed(Settings(settlement=FAST, unmatched_rests=False), seconds_delay=1)
    rig.buy(BOB, "0.50", "10")
    rig.exchange.cancel_all(ANN)
    rig.wait(1_000)
    said = rig.exchange.drain()
    assert [one.status for one in said if isinstance(one, OrderCanceled)][-1] == "UNMATCHED"
    assert [one.result.status for one in said if isinstance(one, OrderReleased)] == [
        PlaceStatus.UNMATCHED
    ]
    assert rig.exchange.open_orders() == ()
    assert rig.free(BOB) == parse_u6("1000")


@pytest.mark.parametrize(
    ("kind", "code"), [(FOK, ErrorCode.FOK_KILLED), (FAK, ErrorCode.FAK_KILLED)]
)
def test_a_killed_release_is_an_error_answer(kind: object, code: ErrorCode) -> None:
    rig = delayed(itode=True)
    rig.buy(BOB, "0.50", "5", order_type=kind)
    rig.exchange.cancel_all(ANN)
    rig.wait(150)
    (released,) = rig.said(OrderReleased)
    assert released.result.error is not None
    assert released.result.error.code is code


def test_the_match_is_against_the_book_of_the_release() -> None:
    rig = delayed(itode=True)
    rig.buy(BOB, "0.50", "10")
    rig.sell(ANN, "0.48", "10")
    rig.wait(150)
    assert [one.px_u6 for one in rig.said(TradePrinted)] == [480_000]


def test_cover_that_vanished_in_the_window_ends_the_order() -> None:
    rig = delayed(itode=True)
    rig.buy(BOB, "0.50", "10")
    rig.exchange.withdraw(BOB, parse_u6("996"))
    rig.wait(150)
    said = rig.exchange.drain()
    (gone,) = [one for one in said if isinstance(one, OrderCanceled)]
    assert gone.status == "CANCELED_NOT_ENOUGH_BALANCE"
    (released,) = [one for one in said if isinstance(one, OrderReleased)]
    assert released.result.error is not None
    assert released.result.error.code is ErrorCode.BALANCE


def test_a_grid_that_changed_in_the_window_ends_an_order_off_it() -> None:
    rig = delayed(itode=True, tick_u6=1_000)
    rig.buy(BOB, "0.502", "10")
    rig.exchange.change_tick(MARKET, 10_000)
    rig.wait(150)
    (released,) = rig.said(OrderReleased)
    assert released.result.error is not None
    assert "breaks minimum tick size rule: 0.01" in released.result.error.text


@pytest.mark.parametrize("closing", [True, False])
def test_a_market_that_ended_in_the_window_ends_the_order(*, closing: bool) -> None:
    rig = delayed(itode=True)
    rig.buy(BOB, "0.50", "10")
    if closing:
        rig.exchange.set_accepting(MARKET, accepting=False)
    else:
        rig.exchange.resolve(MARKET, Resolution.YES)
    rig.wait(150)
    (released,) = rig.said(OrderReleased)
    assert released.result.error is not None
    assert released.result.error.code in (ErrorCode.NOT_READY, ErrorCode.NO_BOOK)
    assert rig.free(BOB) == parse_u6("1000")
    rig.exchange.audit()
