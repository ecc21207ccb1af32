"""Limits as documented, lag statistics, stillness and the cross check against slow oracles."""

from statistics import median_high

import pytest
from hypothesis import given
from hypothesis import strategies as st

from polytui.engine.core.enums import Feed, FeedState, Reason
from polytui.engine.market.reference_health import (
    APART_NS,
    BASIS_MIN,
    BASIS_NS,
    LAGS_MAX,
    CrossCheck,
    Evidence,
    Health,
    Lag,
    Stillness,
    limits_of,
)
from tests.support.reference_rig import POLYBOLT, S

CB, BN, CL = Feed.COINBASE, Feed.BINANCE, Feed.CHAINLINK


@pytest.mark.parametrize(
    ("feed", "url", "symbol", "seconds"),
    [
        (Feed.COINBASE, "", "BTC-USD", (2.5, 5, 8)),
        (Feed.COINBASE_ADVANCED, "", "BTC-USD", (2.5, 5, 8)),
        (Feed.BINANCE, "", "BTC-USD", (2, 5, 10)),
        (Feed.BINANCE, "", "ETH-USD", (3, 8, 16)),
        (Feed.BINANCE, "", "XRP-USD", (5, 12, 24)),
        (Feed.CHAINLINK, "", "BTC-USD", (3, 5, 8)),
        (Feed.CHAINLINK, POLYBOLT, "BTC-USD", (3, 5, 8)),
    ],
)
def test_the_limits_are_those_of_the_page(
    feed: Feed, url: str, symbol: str, seconds: tuple[float, ...]
) -> None:
    limits = limits_of(feed, url=url, symbol=symbol)
    found = (limits.degraded_ns, limits.stale_ns, limits.reconnect_ns)
    assert found == tuple(round(second * S) for second in seconds)


def test_without_a_connection_nothing_is_judged_or_asked() -> None:
    health = Health(limits_of(CB), configured=True)
    health.note(Evidence.BEAT, 0)
    health.restart(Reason.GAP)
    health.judge(10**18)
    assert health.state is FeedState.CONNECTING
    assert not health.is_silent(10**18)
    assert not health.ask_reconnect()


def test_doubts_degrade_until_every_one_is_cleared() -> None:
    health = Health(limits_of(BN), configured=True)
    health.open(limits_of(BN), 0)
    health.note(Evidence.VALUE, 0)
    health.doubt("a", Reason.FROZEN, holds=True)
    health.doubt("b", Reason.REFERENCE_CROSSED, holds=True)
    health.judge(0)
    assert (health.state, health.reason) == (FeedState.DEGRADED, Reason.FROZEN)
    health.doubt("a", Reason.FROZEN, holds=False)
    health.judge(0)
    assert (health.state, health.reason) == (FeedState.DEGRADED, Reason.REFERENCE_CROSSED)
    health.doubt("b", Reason.REFERENCE_CROSSED, holds=False)
    health.judge(0)
    assert health.state is FeedState.LIVE


# --- lag -----------------------------------------------------------------------------------------

LAGS = st.lists(
    st.tuples(st.integers(0, 40 * S), st.integers(-5 * S, 5 * S)), min_size=1, max_size=60
)


@given(LAGS)
def test_the_offset_is_the_least_lag_of_five_minutes_to_ten_seconds(
    steps: list[tuple[int, int]],
) -> None:
    lag = Lag()
    now_ns, seen = 1_000 * S, []
    for step_ns, lag_ns in steps:
        now_ns += step_ns
        seen.append((now_ns, lag_ns))
        late_ns = lag.note(at_ns=now_ns, venue_ns=now_ns - lag_ns)
        slot = now_ns // (10 * S)
        recent = [late for at_ns, late in seen if at_ns // (10 * S) > slot - 30]
        assert lag.offset_ns() == min(recent)
        assert late_ns == lag_ns - min(recent) >= 0


def test_percentiles_are_of_the_latest_lags_only() -> None:
    lag = Lag()
    assert lag.percentiles().count == 0
    for n in range(LAGS_MAX + 100):
        lag.note(at_ns=n, venue_ns=n - (10**12 if n < 100 else (n % 100) * 1_000))
    told = lag.percentiles()
    assert (told.count, told.p50_us, told.p99_us, told.max_us) == (LAGS_MAX, 48, 98, 99)


# --- stillness -----------------------------------------------------------------------------------


def test_stillness_needs_content_and_ten_seconds_and_a_move() -> None:
    still = Stillness()
    assert not still.is_frozen((), 100 * S, {CB: 10**9})
    assert not still.is_frozen((1,), 100 * S, {CB: 10**9})
    assert not still.is_frozen((1,), 110 * S, {CB: 10**9 + 500_000})
    assert still.is_frozen((1,), 110 * S, {CB: 10**9 + 500_001})
    assert not still.is_frozen((1,), 110 * S - 1, {CB: 10**9 + 500_001})
    assert not still.is_frozen((2,), 111 * S, {CB: 10**9 + 500_001})


# --- cross check ---------------------------------------------------------------------------------


@given(st.lists(st.integers(-(10**6), 10**6), min_size=1, max_size=80))
def test_the_basis_is_the_median_of_what_was_sampled(differences: list[int]) -> None:
    cross = CrossCheck()
    for second, difference in enumerate(differences):
        cross.are_apart(second * S, 10**11 + difference, 10**11)
    known = len(differences) >= BASIS_MIN
    assert cross.basis_u6 == (median_high(differences) if known else None)


def test_the_basis_forgets_what_is_older_than_its_window() -> None:
    cross = CrossCheck()
    for second in range(BASIS_MIN):
        cross.are_apart(second * S, 10**11 + 7, 10**11)
    assert cross.basis_u6 == 7
    cross.are_apart(BASIS_NS + 100 * S, 10**11, 10**11)
    assert cross.basis_u6 is None


def test_an_absent_price_ends_a_disagreement() -> None:
    cross = CrossCheck()
    for second in range(BASIS_MIN):
        cross.are_apart(second * S, 10**11, 10**11)
    start_ns = BASIS_MIN * S
    assert not cross.are_apart(start_ns, 10**11 + 10**9, 10**11)
    assert cross.are_apart(start_ns + APART_NS, 10**11 + 10**9, 10**11)
    assert not cross.are_apart(start_ns + APART_NS, None, 10**11)
    assert not cross.are_apart(start_ns + APART_NS, 10**11 + 10**9, 10**11)
