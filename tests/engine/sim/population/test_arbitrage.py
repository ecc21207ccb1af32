"""Arbitrageurs against books that an outsider laid out by hand."""

import pytest

from polytui.engine.core.units import U
from polytui.engine.sim.exchange.emissions import BalanceMoved, Emission, TradePrinted
from polytui.engine.sim.population.arbitrage import implied_basket
from polytui.engine.sim.population.crowd import Temper
from polytui.engine.sim.population.market import Market
from polytui.engine.sim.population.trader import Trader
from polytui.engine.sim.practice_world import PracticeWorld
from tests.support.practice_worlds import MS_NS, is_single, markets_where, run, world

ONLY_ARBITRAGE = Temper(makers=0, noise=0.0, informed=0.0, herd=0)
QTY_U6 = 100 * U


def quiet() -> tuple[PracticeWorld, Trader]:
    """A venue in which nobody but the arbitrageur acts, and an outsider with money."""
    venue = world(temper=ONLY_ARBITRAGE)
    venue.advance(venue.now_ns)
    return venue, Trader("outsider", venue.exchange, cash_u6=1_000_000 * U)


def group(venue: PracticeWorld) -> list[Market]:
    return markets_where(venue, lambda market: market.terms.neg_risk)


def trades(emissions: list[Emission]) -> list[TradePrinted]:
    return [emission for emission in emissions if isinstance(emission, TradePrinted)]


def test_a_basket_of_all_outcomes_below_a_dollar_is_bought_after_a_reaction_time() -> None:
    venue, outsider = quiet()
    for market in group(venue):
        outsider.bid(market.condition, [(market.tokens[1], U - 140_000, QTY_U6)])
    assert trades(venue.advance(venue.now_ns + 140 * MS_NS)) == []
    bought = [t for emissions in run(venue, 2) for t in trades(emissions)]
    assert {t.condition for t in bought} == {market.condition for market in group(venue)}
    assert {(t.px_u6, t.qty_u6) for t in bought} == {(140_000, QTY_U6)}
    assert venue.population.arbitrageur.taken == 1


def test_a_basket_that_fees_eat_is_left_alone() -> None:
    venue, outsider = quiet()
    for market in group(venue):
        outsider.bid(market.condition, [(market.tokens[1], U - 165_000, QTY_U6)])
    assert [t for emissions in run(venue, 3) for t in trades(emissions)] == []


def test_bids_that_sum_above_a_dollar_are_sold_into_and_converted_to_cash() -> None:
    venue, outsider = quiet()
    for market in group(venue):
        outsider.bid(market.condition, [(market.tokens[0], 200_000, QTY_U6)])
    emissions = [e for step in run(venue, 45, step_ms=5_000) for e in step]
    assert {(t.px_u6, t.qty_u6) for t in trades(emissions)} == {(800_000, QTY_U6)}
    converted = [
        moves
        for emission in emissions
        if isinstance(emission, BalanceMoved)
        and emission.account != outsider.account
        and (moves := dict(emission.moves)).get("pUSD", 0) > 0
    ]
    assert [moves["pUSD"] for moves in converted] == [5 * QTY_U6]
    venue.exchange.audit()


def test_a_claim_cheaper_than_one_that_implies_it_is_bought_against_it() -> None:
    venue, outsider = quiet()
    weaker, stronger = markets_where(venue, is_single)[:2]
    venue.population.watch_baskets([implied_basket(stronger, weaker)])
    outsider.bid(weaker.condition, [(weaker.tokens[1], 700_000, QTY_U6)])
    outsider.bid(stronger.condition, [(stronger.tokens[0], 400_000, QTY_U6)])
    bought = {t.token: t.px_u6 for emissions in run(venue, 2) for t in trades(emissions)}
    assert bought == {weaker.tokens[0]: 300_000, stronger.tokens[1]: 600_000}


@pytest.mark.parametrize("is_on", [True, False])
def test_arbitrage_can_be_turned_off(*, is_on: bool) -> None:
    venue, outsider = quiet()
    knobs = Temper(makers=0, noise=0.0, informed=0.0, herd=0, arbitrage=is_on)
    venue.population.retemper(knobs)
    for market in group(venue):
        outsider.bid(market.condition, [(market.tokens[1], U - 140_000, QTY_U6)])
    assert bool([t for emissions in run(venue, 2) for t in trades(emissions)]) is is_on
