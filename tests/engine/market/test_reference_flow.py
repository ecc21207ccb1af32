"""Trade ids and settlement values in a row, against slow oracles."""

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from polytui.engine.market.reference_flow import (
    FLOW_WINDOW_NS,
    POINTS_MAX,
    RESET_NS,
    IndexSeries,
    TradeChain,
)
from tests.support.reference_rig import S, index


@given(st.lists(st.integers(0, 30), min_size=1, max_size=40))
def test_every_trade_counts_once_and_every_jump_is_a_gap(ids: list[int]) -> None:
    chain = TradeChain(0)
    accepted = [trade_id for trade_id in ids if chain.accept(trade_id, 0)]
    rising = [n for at, n in enumerate(ids) if all(n > earlier for earlier in ids[:at])]
    assert accepted == rising
    assert chain.gaps == sum(b - a > 1 for a, b in pairwise(rising))


def test_history_seeds_the_chain_and_never_sets_it_back() -> None:
    chain = TradeChain(0)
    chain.seed(10)
    chain.seed(7)
    assert chain.accept(11, 0)
    assert chain.gaps == 0
    assert chain.is_complete(FLOW_WINDOW_NS)


def test_a_claim_about_trades_never_subscribed_is_no_gap() -> None:
    chain = TradeChain(0)
    for _ in range(10):
        chain.claim(99, 0)
    assert chain.gaps == 0
    assert not chain.is_complete(FLOW_WINDOW_NS)


def test_a_claim_caught_up_with_is_forgotten() -> None:
    chain = TradeChain(0)
    chain.accept(10, 0)
    chain.claim(11, 0)
    chain.claim(11, 0)
    chain.accept(11, 0)
    chain.claim(12, 0)
    chain.claim(12, 0)
    assert chain.gaps == 0
    chain.claim(12, S)
    assert (chain.gaps, chain.last_id, chain.complete_from_ns) == (1, 12, S)


@given(st.lists(st.tuples(st.integers(0, 200), st.booleans()), max_size=60))
def test_news_is_what_is_newer_than_everything_before(values: list[tuple[int, bool]]) -> None:
    series, newest, known = IndexSeries(), -1, set()
    for second, replayed in values:
        is_news = series.accept(index(second, replayed=replayed), 0)
        assert is_news is (not replayed and second > newest)
        newest = max(newest, second)
        known.add(second)
    assert len(series.points) == len(known)
    assert list(series.points) == sorted(series.points)


def test_a_repeated_time_keeps_its_first_value() -> None:
    series = IndexSeries()
    series.accept(index(1, 5), 0)
    series.accept(index(1, 6), 0)
    assert [value for _, value in series.points.items()] == [50_000]


def test_a_series_is_bounded_and_the_oldest_goes() -> None:
    series = IndexSeries()
    for second in range(POINTS_MAX + 5):
        series.accept(index(second), 0)
    assert len(series.points) == POINTS_MAX
    assert series.points.keys()[0] == index(5).venue_ns


def test_a_clock_set_far_back_starts_the_series_again() -> None:
    series = IndexSeries()
    far = RESET_NS // S
    series.accept(index(far + 1), 0)
    assert not series.accept(index(1), 0)
    assert series.accept(index(0), 0)
    assert len(series.points) == 1
