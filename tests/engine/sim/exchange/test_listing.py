"""Markets: listing, grids, terms that change while they trade (§4.1, §5.1)."""

from typing import Any

import pytest

from polytui.engine.core.enums import Outcome
from polytui.engine.core.errors import OperatorError
from polytui.engine.core.events import FeeSchedule
from polytui.engine.core.units import U
from polytui.engine.sim.exchange.emissions import (
    BookChanged,
    GroupListed,
    MarketChanged,
    MarketListed,
    OrderCanceled,
    TickChanged,
)
from polytui.engine.sim.exchange.terms import GroupTerms, RewardTerms
from tests.engine.sim.exchange.rig import ANN, BOB, MARKET, NO, YES, Rig, terms


def test_groups_and_markets_are_announced_and_found_again() -> None:
    group = GroupTerms(id="g", slug="g", title="G")
    rig = Rig()
    rig.exchange.list_group(group)
    market = terms(1, group="g")
    rig.exchange.list_market(market)
    said = rig.exchange.drain()
    assert isinstance(said[0], GroupListed)
    assert isinstance(said[1], MarketListed)
    assert rig.exchange.groups() == (group,)
    assert rig.exchange.market_of(market.tokens[1]) == market
    assert rig.exchange.outcome_of(market.tokens[1]) is Outcome.NO
    assert rig.exchange.markets() == (terms(), market)


@pytest.mark.parametrize(
    "facts",
    [
        {"condition": MARKET},
        {"tokens": (YES, "9")},
        {"tokens": ("9", "9")},
        {"group": "unknown"},
        {"neg_risk": True},
        {"tick_u6": 20_000},
        {"fine_tick_u6": 7},
    ],
)
def test_a_market_that_contradicts_what_is_listed_is_refused(facts: dict[str, Any]) -> None:
    rig = Rig()
    with pytest.raises(OperatorError):
        rig.exchange.list_market(terms(1, **facts))
    assert len(rig.exchange.markets()) == 1


def test_a_finer_grid_takes_finer_prices_and_leaves_resting_orders() -> None:
    rig = Rig()
    rig.buy(ANN, "0.50", "10")
    assert not rig.buy(ANN, "0.505", "10").is_success
    rig.exchange.change_tick(MARKET, 1_000)
    (change,) = rig.said(TickChanged)
    assert (change.old_tick_u6, change.new_tick_u6) == (10_000, 1_000)
    assert rig.buy(ANN, "0.505", "10").is_success
    assert rig.book()[0] == {500_000: 10_000_000, 505_000: 10_000_000}


@pytest.mark.parametrize("tick_u6", [100_000, 10_000, 5_000, 2_500, 1_000, 100])
def test_every_grid_of_the_venue_takes_its_own_prices(tick_u6: int) -> None:
    # §5.1; the amounts' decimals per tick are §5.2
    rig = Rig(terms(tick_u6=tick_u6))
    px_u6 = 500_000 + tick_u6
    result = rig.buy(ANN, f"{px_u6 / U}", "10.07")
    assert result.is_success
    assert rig.book()[0] == {px_u6: 10_070_000}


@pytest.mark.parametrize(("side", "price"), [("buy", "0.97"), ("no", "0.97")])
def test_a_top_beyond_96_cents_switches_to_the_fine_grid_once(side: str, price: str) -> None:
    # §4.1; market-ws-integrity.md §6.8
    rig = Rig(terms(fine_tick_u6=1_000))
    rig.buy(ANN, "0.96", "10", token=YES if side == "buy" else NO)
    assert rig.said(TickChanged) == []
    rig.buy(ANN, price, "10", token=YES if side == "buy" else NO)
    said = rig.exchange.drain()
    assert [type(one) for one in said[-2:]] == [BookChanged, TickChanged]
    rig.buy(BOB, price, "10", token=YES if side == "buy" else NO)
    assert rig.said(TickChanged) == []
    market = rig.exchange.market(MARKET)
    assert market is not None
    assert market.tick_u6 == 1_000


def test_an_unknown_grid_is_refused() -> None:
    with pytest.raises(OperatorError, match="expected a tick"):
        Rig().exchange.change_tick(MARKET, 20_000)


def test_changed_terms_are_announced() -> None:
    rig = Rig()
    rig.exchange.change_fees(MARKET, FeeSchedule(rate_u6=50_000))
    rig.exchange.change_rewards(MARKET, RewardTerms(pool_day_u6=U))
    rig.exchange.set_accepting(MARKET, accepting=False)
    last = rig.said(MarketChanged)[-1].terms
    assert last == rig.exchange.market(MARKET)
    assert (last.fees.rate_u6, last.rewards.pool_day_u6, last.accepting) == (50_000, U, False)


def test_a_closed_market_keeps_its_orders_and_lets_them_be_cancelled() -> None:
    rig = Rig()
    order = rig.buy(ANN, "0.50", "10").order_id
    rig.exchange.set_accepting(MARKET, accepting=False)
    assert rig.exchange.cancel(ANN, [order]).canceled == (order,)


def test_a_book_may_be_cleared_as_at_game_start() -> None:
    # §5.4
    rig = Rig()
    rig.buy(ANN, "0.50", "10")
    rig.buy(BOB, "0.30", "10", token=NO)
    rig.exchange.drain()
    rig.exchange.clear_book(MARKET)
    said = rig.exchange.drain()
    assert [type(one) for one in said] == [OrderCanceled, OrderCanceled, BookChanged]
    assert rig.book() == ({}, {})


def test_an_unknown_market_makes_no_sense() -> None:
    rig = Rig()
    with pytest.raises(OperatorError, match="listed market"):
        rig.exchange.change_tick("0xnone", 10_000)
    assert rig.exchange.market("0xnone") is None
    assert rig.exchange.book("0xnone") is None
