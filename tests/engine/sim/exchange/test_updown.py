"""Rolling up/down markets settle on time-weighted averages; ties are Up's (§9; quant.md §6.1)."""

import pytest

from polytui.engine.core.errors import OperatorError
from polytui.engine.core.rng import Rng
from polytui.engine.sim.exchange.api import PlaceStatus
from polytui.engine.sim.exchange.emissions import (
    GroupListed,
    MarketListed,
    MarketResolved,
    WindowFixed,
)
from polytui.engine.sim.exchange.terms import MarketTerms, Resolution, SeriesTerms
from polytui.engine.sim.exchange.updown import Reference, window_terms
from tests.engine.sim.exchange.rig import ANN, START_NS, Rig

S = 1_000_000_000
BTC = "btc/usd"
FIRST_S = -(-START_NS // S // 300) * 300


def rolling(**facts: object) -> Rig:
    rig = Rig()
    rig.exchange.list_series(SeriesTerms(symbol=BTC, **facts))  # type: ignore[arg-type]  # msgspec checks names
    return rig


def price(rig: Rig, dollars: int, until_s: int) -> None:
    """Let time pass to `until_s`, telling one price a second."""
    while rig.exchange.now_ns < until_s * S:
        rig.exchange.advance(rig.exchange.now_ns // S * S + S)
        rig.exchange.reference(BTC, dollars * 1_000_000, rig.exchange.now_ns)


def first(rig: Rig) -> MarketTerms:
    market = rig.exchange.markets()[1]
    assert market.slug == f"btc-updown-5m-{FIRST_S}"
    return market


def test_windows_are_aligned_and_listed_ahead_for_ever() -> None:
    rig = rolling()
    rig.exchange.advance((FIRST_S + 3_000) * S)
    slugs = [one.terms.slug for one in rig.said(MarketListed)]
    assert slugs == [f"btc-updown-5m-{FIRST_S + 300 * k}" for k in range(13)]
    market = first(rig)
    assert market.outcomes == ("Up", "Down")
    assert market.end_ns == (FIRST_S + 300) * S
    group = rig.exchange.groups()[0]
    assert (group.slug, group.start_ns) == (market.slug, FIRST_S * S)
    assert group.title.startswith("Bitcoin Up or Down - ")


def test_a_group_is_announced_before_its_market() -> None:
    rig = rolling()
    assert [type(one) for one in rig.exchange.drain()] == [GroupListed, MarketListed] * 2


@pytest.mark.parametrize(("closing", "winner"), [(101, "Up"), (100, "Up"), (99, "Down")])
def test_the_closing_average_against_the_opening_one_decides_and_ties_are_up(
    closing: int, winner: str
) -> None:
    rig = rolling()
    price(rig, 100, FIRST_S + 200)
    price(rig, closing, FIRST_S + 359)
    assert rig.said(MarketResolved) == []
    price(rig, closing, FIRST_S + 360)
    (end,) = rig.said(MarketResolved)
    assert end.winning_outcome == winner


def test_the_last_minute_is_an_average_not_the_last_price() -> None:
    # quant.md §6.1: a jump of 60 dollars in the last second moves the average by one
    rig = rolling()
    price(rig, 1_000, FIRST_S + 299)
    price(rig, 1_060, FIRST_S + 301)
    (opened, closed) = rig.said(WindowFixed)[:2]
    assert (opened.average_u6, opened.is_final) == (1_000_000_000, False)
    assert closed.is_final
    assert rig.exchange.window(first(rig).condition) == (1_000_000_000, 1_000_000_000)
    rig = rolling()
    price(rig, 1_000, FIRST_S + 298)
    price(rig, 1_060, FIRST_S + 301)
    assert rig.exchange.window(first(rig).condition) == (1_000_000_000, 1_001_000_000)


def test_a_lookback_of_nothing_settles_on_spot() -> None:
    rig = rolling(lookback_s=0)
    price(rig, 1_000, FIRST_S + 298)
    price(rig, 1_060, FIRST_S + 301)
    assert rig.exchange.window(first(rig).condition)[1] == 1_060_000_000


def test_trading_ends_with_the_window_and_resolution_comes_a_minute_later() -> None:
    rig = rolling()
    price(rig, 100, FIRST_S + 299)
    market = first(rig)
    live = rig.buy(ANN, "0.50", "10", token=market.tokens[0])
    assert live.status is PlaceStatus.LIVE
    price(rig, 100, FIRST_S + 300)
    late = rig.buy(ANN, "0.50", "10", token=market.tokens[0])
    assert late.error is not None
    assert late.error.text == "the market is not yet ready to process new orders"
    assert rig.exchange.order(live.order_id) is not None
    price(rig, 100, FIRST_S + 360)
    assert rig.exchange.resolution(market.condition) is Resolution.YES
    assert rig.exchange.order(live.order_id) is None
    rig.exchange.audit()


def test_a_window_without_a_reference_is_split() -> None:
    rig = rolling()
    rig.exchange.advance((FIRST_S + 400) * S)
    (end,) = rig.said(MarketResolved)
    assert end.resolution is Resolution.SPLIT


def test_ids_depend_on_the_seed_and_the_slug_only() -> None:
    series = SeriesTerms(symbol=BTC)
    one, two = (window_terms(Rng(5), series, FIRST_S * S, now)[1] for now in (0, 99))
    assert (one.condition, one.tokens) == (two.condition, two.tokens)
    assert window_terms(Rng(6), series, FIRST_S * S, 0)[1].condition != one.condition
    assert len(one.condition) == 66
    assert all(token.isdecimal() for token in one.tokens)


# --- averages ------------------------------------------------------------------------------------


def test_an_average_weighs_prices_by_their_time() -> None:
    reference = Reference()
    for at, px in ((0, 100), (10, 200), (40, 400)):
        reference.tell(px, at)
    assert reference.average_u6(0, 40) == (100 * 10 + 200 * 30) // 40
    assert reference.average_u6(20, 50) == (200 * 20 + 400 * 10) // 30
    assert reference.average_u6(45, 45) == 400
    assert reference.average_u6(-20, 20) == 150


def test_an_average_before_the_first_price_is_unknown() -> None:
    reference = Reference()
    assert reference.average_u6(0, 10) is None
    reference.tell(100, 20)
    assert reference.average_u6(0, 10) is None
    assert reference.average_u6(0, 20) == 100


def test_old_prices_are_forgotten_but_the_span_in_reach_stays_exact() -> None:
    reference, slow = Reference(), Reference()
    rng = Rng(3)
    for second in range(4_000):
        px = rng.between(90, 110)
        reference.tell(px, second * S)
        if second > 3_000:
            slow.tell(px, second * S)
        if second > 3_100:
            span = ((second - 60) * S, second * S)
            assert reference.average_u6(*span) == slow.average_u6(*span)
    assert len(reference._at_ns) < 2_000


def test_reference_prices_come_in_order_and_never_from_the_future() -> None:
    rig = rolling()
    with pytest.raises(OperatorError, match="past price"):
        rig.exchange.reference(BTC, 1_000_000, rig.exchange.now_ns + 1)
    rig.exchange.reference(BTC, 1_000_000, rig.exchange.now_ns)
    with pytest.raises(OperatorError, match="on, was"):
        rig.exchange.reference(BTC, 1_000_000, rig.exchange.now_ns - 1)
