"""The reference desk: states on a told clock, gap rules, absence, comparison of feeds."""

from dataclasses import dataclass

import pytest

from polytui.engine.core.enums import FaultKind, Feed, FeedState, Reason
from polytui.engine.core.events import (
    Event,
    FeedUnavailable,
    RefQuote,
    Subscribed,
    Turn,
    WireIgnored,
)
from polytui.engine.core.ids import ConnId
from polytui.engine.core.runconfig import ReferenceConfig
from polytui.engine.market.reference_feed import PRODUCTS_MAX, SERIES_MAX
from tests.support.reference_rig import (
    CENT,
    CONN,
    POLYBOLT,
    Rig,
    beat,
    book,
    books,
    closed,
    delta,
    fault,
    heard,
    index,
    opened,
    quote,
    reconnects,
    updates,
)

CB, ADV, BN, CL = Feed.COINBASE, Feed.COINBASE_ADVANCED, Feed.BINANCE, Feed.CHAINLINK
LIVE, DEGRADED, STALE, WARMING = (
    FeedState.LIVE,
    FeedState.DEGRADED,
    FeedState.STALE,
    FeedState.WARMING,
)
OTHER = ConnId(2)


# --- states --------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Case:
    """One row of the state table: what warms a feed, its pulse, and its limits in seconds."""

    feed: Feed
    warm: tuple[Event, ...]
    pulse: tuple[Event, ...]
    degraded: float
    stale: float
    reconnect: float
    url: str = ""
    symbol: str = "BTC-USD"


def named(symbol: str) -> tuple[Event, ...]:
    return (quote(BN, 1_000_00, symbol=symbol),)


CASES = (
    Case(CB, (heard(CB, "subscriptions"), beat(CB), quote(CB, 9_000_00)), (beat(CB),), 2.5, 5, 8),
    Case(ADV, (book(ADV), beat(ADV)), (beat(ADV),), 2.5, 5, 8),
    Case(BN, (), (quote(BN, 9_000_00),), 2, 5, 10),
    Case(BN, (), named("ETHUSDT"), 3, 8, 16, symbol="ETH-USD"),
    Case(BN, (), named("SOLUSDT"), 5, 12, 24, symbol="SOL-USD"),
    Case(CL, updates(-3, -2), updates(-1), 3, 5, 8),
    Case(CL, (heard(CL, "authed"), heard(CL, "backlog")), updates(-1), 3, 5, 8, url=POLYBOLT),
)


def warmed(case: Case) -> Rig:
    """Bring a feed to LIVE at second 0, by its last pulse."""
    rig = Rig(ReferenceConfig(primary=case.feed.value, symbol=case.symbol))
    rig.at(-1, opened(case.feed, url=case.url))
    for event in case.warm:
        rig.at(-0.5, event)
        assert rig.state(case.feed) == (WARMING, Reason.WARMING_UP)
    rig.at(0, *case.pulse)
    assert rig.state(case.feed) == (LIVE, Reason.OK)
    assert rig.desk.is_live(case.feed)
    return rig


@pytest.mark.parametrize("case", CASES)
def test_silence_degrades_then_stales_then_reconnects_once(case: Case) -> None:
    """Acceptance test (e), for every row of the table."""
    rig = warmed(case)
    for seconds, state in (
        (case.degraded - 0.01, LIVE),
        (case.degraded, DEGRADED),
        (case.stale - 0.01, DEGRADED),
        (case.stale, STALE),
        (case.reconnect - 0.01, STALE),
    ):
        assert rig.at(seconds) == []
        assert rig.desk.state(case.feed) is state
        assert rig.desk.is_live(case.feed) is (state is LIVE)
    assert rig.state(case.feed) == (STALE, Reason.SILENT)
    assert reconnects(rig.at(case.reconnect)) == [(CONN, Reason.SILENT)]
    assert rig.at(case.reconnect + 100) == []


@pytest.mark.parametrize("case", CASES)
def test_silence_is_judged_before_the_event_that_ends_it(case: Case) -> None:
    rig = warmed(case)
    rig.at(case.stale, *case.pulse)
    assert not rig.desk.is_live(case.feed) or case.feed is BN
    assert rig.view(case.feed).state is not DEGRADED


@pytest.mark.parametrize("case", CASES)
def test_every_needed_piece_of_evidence_is_needed(case: Case) -> None:
    needed = [*case.warm, *case.pulse]
    for missing in range(len(needed)):
        rig = Rig(ReferenceConfig(primary=case.feed.value, symbol=case.symbol))
        rig.at(-1, opened(case.feed, url=case.url))
        for event in needed[:missing] + needed[missing + 1 :]:
            rig.at(-0.5, event)
        assert rig.desk.state(case.feed) is WARMING


def test_a_degraded_feed_recovers_with_its_next_beat() -> None:
    rig = Rig()
    rig.live_coinbase()
    rig.at(4)
    assert rig.state(CB) == (DEGRADED, Reason.SILENT)
    rig.at(4.1, beat(CB))
    assert rig.state(CB) == (LIVE, Reason.OK)


def test_a_stale_feed_warms_up_again_before_it_is_believed() -> None:
    rig = Rig()
    rig.live_coinbase()
    rig.at(6.5, beat(CB))
    assert rig.state(CB) == (WARMING, Reason.WARMING_UP)
    assert rig.desk.last_quote(CB) is None
    rig.at(7, beat(CB))
    assert rig.state(CB)[0] is WARMING
    rig.at(7.5, quote(CB, 9_000_00))
    assert rig.state(CB) == (LIVE, Reason.OK)


def test_everything_is_new_after_a_reconnect() -> None:
    rig = Rig()
    rig.live_coinbase()
    rig.at(2, closed(CB))
    assert rig.state(CB) == (FeedState.CONNECTING, Reason.CONNECTION_LOST)
    assert rig.desk.last_quote(CB) is None
    rig.at(3, opened(CB, OTHER))
    rig.at(3, heard(CB, "subscriptions", OTHER), beat(CB, conn=OTHER))
    rig.at(4, beat(CB, conn=OTHER))
    assert rig.state(CB)[0] is WARMING
    rig.at(4, quote(CB, 9_000_00, conn=OTHER))
    assert rig.state(CB) == (LIVE, Reason.OK)
    assert rig.view(CB).reconnects == 1


def test_frames_of_an_older_connection_are_not_used() -> None:
    rig = Rig()
    rig.live_coinbase()
    rig.at(2, opened(CB, OTHER))
    rig.at(2, heard(CB, "subscriptions"), beat(CB), beat(CB), quote(CB, 9_000_00), closed(CB))
    assert rig.state(CB) == (WARMING, Reason.WARMING_UP)
    assert rig.count("late") == 5


def test_feeds_without_a_role_are_shown_as_disabled() -> None:
    rig = Rig(ReferenceConfig(primary="binance", secondary="coinbase", settlement="none"))
    shown = {view.feed: (view.role, view.state, view.reason) for view in rig.desk.feed_views()}
    assert shown == {
        CB: ("secondary", FeedState.CONNECTING, Reason.NO_EVIDENCE),
        ADV: ("none", FeedState.DISABLED, Reason.NOT_CONFIGURED),
        BN: ("primary", FeedState.CONNECTING, Reason.NO_EVIDENCE),
        CL: ("none", FeedState.DISABLED, Reason.NOT_CONFIGURED),
    }


def test_a_feed_refused_by_place_stays_unavailable_and_asks_for_nothing() -> None:
    """Acceptance test (f), the desk's half."""
    rig = Rig(ReferenceConfig(primary="binance"))
    refused = FeedUnavailable(feed=BN, state=FeedState.UNAVAILABLE, reason=Reason.GEO_BLOCKED)
    rig.at(0, refused)
    assert rig.at(1000) == []
    assert rig.state(BN) == (FeedState.UNAVAILABLE, Reason.GEO_BLOCKED)
    rig.at(1001, opened(BN))
    assert rig.state(BN)[0] is WARMING


def test_events_of_other_owners_are_left_alone() -> None:
    rig = Rig()
    before = rig.desk.checkpoint()[2:]
    assert rig.at(0, Turn(), opened(Feed.POLYMARKET, url="x"), heard(Feed.POLYMARKET, "pong")) == []
    assert rig.desk.checkpoint()[2:] == before


def test_faults_and_unknown_things_are_counted() -> None:
    rig = Rig()
    rig.live_coinbase()
    rig.at(1, WireIgnored(conn=CONN, feed=CB, what="type:new"))
    rig.at(1, fault(CB, FaultKind.NOT_JSON), Subscribed(conn=CONN, feed=CB, topics=("ticker",)))
    view = rig.view(CB)
    assert (view.messages, view.faults, view.ignored, view.gaps) == (7, 1, 1, 0)
    assert rig.desk.is_live(CB)


# --- absence -------------------------------------------------------------------------------------


def test_a_quote_older_than_its_limit_is_absent_although_the_feed_is_live() -> None:
    rig = Rig()
    rig.live_coinbase()
    assert rig.desk.mid_u6(CB) == 91_240_00 * CENT + CENT // 2
    for seconds in (2, 3, 4, 5, 5.49):
        rig.at(seconds, beat(CB))
    assert rig.desk.last_quote(CB) is not None
    rig.at(5.5, beat(CB))
    assert rig.desk.is_live(CB)
    assert rig.desk.last_quote(CB) is None
    assert rig.desk.mid_u6(CB) is None


@pytest.mark.parametrize(
    ("bid_u6", "ask_u6"), [(0, 10**9), (10**9, 0), (10**9, 10**9), (10**9 + 1, 10**9), (7, 8)]
)
def test_no_mid_is_invented_from_an_empty_crossed_or_too_small_quote(
    bid_u6: int, ask_u6: int
) -> None:
    rig = Rig()
    rig.live_coinbase()
    bad = RefQuote(
        conn=CONN,
        feed=CB,
        symbol="BTC-USD",
        venue_ns=None,
        bid_u6=bid_u6,
        bid_qty_u6=None,
        ask_u6=ask_u6,
        ask_qty_u6=None,
        trade_driven=True,
    )
    rig.at(1, bad)
    assert rig.desk.last_quote(CB) is None


def test_a_degraded_feed_still_shows_its_quote_and_a_stale_one_does_not() -> None:
    rig = Rig()
    rig.live_coinbase()
    rig.at(3, beat(CB), quote(CB, 9_000_00))
    rig.at(5.6)
    assert rig.state(CB)[0] is DEGRADED
    assert rig.desk.last_quote(CB) is not None
    rig.at(8)
    assert rig.desk.last_quote(CB) is None


def test_the_book_is_better_than_the_ticker_on_coinbase() -> None:
    rig = Rig()
    rig.live_coinbase()
    rig.at(1, book(CB), quote(CB, 91_239_00))
    best = rig.desk.last_quote(CB)
    assert best is not None
    assert (best.bid_u6, best.from_book) == (91_240 * 10**6, True)


def test_only_the_symbol_that_decisions_follow_counts() -> None:
    rig = Rig(ReferenceConfig(primary="binance"))
    rig.at(0, opened(BN), quote(BN, 9_000_00, symbol="ETHUSDT"))
    assert rig.state(BN)[0] is WARMING
    rig.at(0, quote(BN, 9_000_00, symbol="BTCUSDT"))
    assert rig.state(BN)[0] is LIVE


# --- comparison of feeds -------------------------------------------------------------------------


def pair(apart_cents: int, seconds: range, rig: Rig | None = None) -> Rig:
    """Run Coinbase and Binance side by side, the second dearer by so many cents."""
    if rig is None:
        rig = Rig(ReferenceConfig(secondary="binance", settlement="none"))
        rig.at(seconds.start, opened(CB), opened(BN), heard(CB, "subscriptions"), beat(CB))
    for second in seconds:
        cents = 91_000_00 + second % 7
        rig.at(second, beat(CB), quote(CB, cents), quote(BN, cents + apart_cents))
        rig.at(second + 0.2)
    return rig


def test_a_steady_basis_is_no_disagreement() -> None:
    rig = pair(500_00, range(60))
    assert rig.desk.basis_u6 == -500_00 * CENT
    assert rig.desk.is_live(CB)
    assert rig.desk.is_live(BN)


def test_feeds_apart_for_three_seconds_are_both_degraded_until_they_agree() -> None:
    rig = pair(0, range(40))
    pair(200_00, range(40, 43), rig)
    assert rig.desk.is_live(CB)
    pair(200_00, range(43, 44), rig)
    assert rig.state(CB) == (DEGRADED, Reason.REFERENCE_CROSSED)
    assert rig.state(BN) == (DEGRADED, Reason.REFERENCE_CROSSED)
    pair(0, range(44, 46), rig)
    assert rig.desk.is_live(CB)
    assert rig.desk.is_live(BN)


def test_feeds_are_not_compared_before_the_basis_is_known() -> None:
    rig = pair(0, range(10))
    pair(900_00, range(10, 20), rig)
    assert rig.desk.basis_u6 is None
    assert rig.desk.is_live(CB)


def test_content_that_stands_still_while_another_feed_moves_is_frozen() -> None:
    rig = Rig(ReferenceConfig(secondary="binance"))
    rig.at(0, opened(CB), opened(BN), heard(CB, "subscriptions"), beat(CB))
    for second in range(21):
        rig.at(second, beat(CB), quote(CB, 91_000_00), quote(BN, 91_000_00 + second * 5_00))
        rig.at(second + 0.2)
        frozen = second >= 10
        assert rig.state(CB) == ((DEGRADED, Reason.FROZEN) if frozen else (LIVE, Reason.OK)), second
    rig.at(21, quote(CB, 91_001_00))
    rig.at(21.2)
    assert rig.desk.is_live(CB)


def test_two_feeds_that_stand_still_together_are_only_quiet() -> None:
    rig = Rig(ReferenceConfig(secondary="binance"))
    rig.at(0, opened(CB), opened(BN), heard(CB, "subscriptions"), beat(CB))
    for second in range(60):
        rig.at(second, beat(CB), quote(CB, 91_000_00), quote(BN, 91_000_00))
    assert rig.desk.is_live(CB)


def test_heartbeats_that_name_the_same_sequence_mean_a_frozen_upstream() -> None:
    rig = Rig()
    rig.live_coinbase()
    for second in range(2, 7):
        rig.at(second, beat(CB, counter=77), quote(CB, 9_000_00 + second))
    assert rig.desk.is_live(CB)
    rig.at(7, beat(CB, counter=77))
    assert rig.state(CB) == (DEGRADED, Reason.FROZEN)
    rig.at(8, beat(CB, counter=78))
    assert rig.desk.is_live(CB)


def test_a_late_heartbeat_degrades_whatever_the_clocks_say() -> None:
    rig = Rig()
    rig.live_coinbase(-3)
    for second in range(10):
        rig.at(second, beat(CB, second + 900))
    assert rig.desk.is_live(CB)
    rig.at(10, beat(CB, 10 + 900 - 2.1))
    assert rig.state(CB) == (DEGRADED, Reason.HEARTBEAT_LATE)
    rig.at(11, beat(CB, 11 + 900 - 1.9))
    assert rig.desk.is_live(CB)
    assert rig.desk.lag(CB).p50_us < 0


# --- limits and digest ---------------------------------------------------------------------------


def test_products_beyond_the_limit_are_counted_and_not_kept() -> None:
    rig = Rig()
    rig.at(0, opened(CB), *(quote(CB, 1_00, symbol=f"X{n}-USD") for n in range(PRODUCTS_MAX + 3)))
    assert rig.count("over_limit") == 3
    assert len(books(rig)) == PRODUCTS_MAX


def test_series_beyond_the_limit_are_counted_and_not_kept() -> None:
    rig = Rig()
    rig.at(0, opened(CL), *(index(0, symbol=f"x{n}") for n in range(SERIES_MAX + 3)))
    assert rig.count("over_limit") == 3


def test_the_checkpoint_is_plain_and_tells_states_apart() -> None:
    def run(last: int) -> tuple[object, ...]:
        rig = Rig()
        rig.live_coinbase()
        rig.at(1, book(CB), delta(CB, bids=((91_240 * 10**6, last),)), *named("ETHUSDT"))
        return rig.desk.checkpoint()

    assert run(5) == run(5)
    assert run(5) != run(6)
    assert all(type(leaf) in {int, str, type(None)} for leaf in leaves(run(5)))


def leaves(value: object) -> list[object]:
    if isinstance(value, tuple):
        return [leaf for inner in value for leaf in leaves(inner)]
    return [value]
