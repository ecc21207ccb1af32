"""Gap rules of the reference feeds, and settlement values: what is news and what is not."""

import pytest
from msgspec.structs import replace

from polytui.engine.core.enums import FaultKind, Feed, FeedState, Reason
from polytui.engine.core.events import Event
from polytui.engine.core.ids import ConnId
from polytui.engine.core.runconfig import ReferenceConfig
from tests.support.reference_rig import (
    CENT,
    CONN,
    POLYBOLT,
    SYMBOLS,
    Rig,
    beat,
    book,
    books,
    closed,
    counted,
    delta,
    fault,
    heard,
    index,
    opened,
    quote,
    reconnects,
    trade,
    updates,
)

CB, ADV, BN, CL = Feed.COINBASE, Feed.COINBASE_ADVANCED, Feed.BINANCE, Feed.CHAINLINK
WARMING = FeedState.WARMING
OTHER = ConnId(2)


# --- gaps ----------------------------------------------------------------------------------------


def test_steps_of_a_ticker_sequence_are_no_gap_and_smaller_ones_are_late() -> None:
    """Acceptance test (a), first half."""
    rig = Rig()
    rig.live_coinbase()
    rig.at(1, quote(CB, 9_000_00, 100), quote(CB, 9_001_00, 174), quote(CB, 9_002_00, 174))
    assert rig.desk.mid_u6(CB) == 9_002_00 * CENT + CENT // 2
    rig.at(1, quote(CB, 8_000_00, 173))
    assert rig.desk.mid_u6(CB) == 9_002_00 * CENT + CENT // 2
    assert rig.view(CB).gaps == 0
    assert rig.desk.is_live(CB)


def test_a_missing_trade_is_one_gap_and_quotes_go_on() -> None:
    """Acceptance test (a), second half."""
    rig = Rig()
    rig.live_coinbase()
    rig.at(1, trade(CB, 10, replayed=True), trade(CB, 11), trade(CB, 12))
    assert rig.view(CB).gaps == 0
    rig.at(1.5, trade(CB, 14), quote(CB, 9_000_00))
    assert rig.view(CB).gaps == 1
    assert rig.desk.is_live(CB)
    assert rig.desk.mid_u6(CB) is not None
    assert reconnects(rig.commands) == []


def test_trade_flow_is_incomplete_for_its_window_after_a_gap() -> None:
    rig = Rig()
    rig.live_coinbase()
    rig.at(1, trade(CB, 10, replayed=True))
    assert not rig.desk.is_flow_complete(CB)
    rig.at(61.1)
    assert rig.desk.is_flow_complete(CB)
    rig.at(62, opened(CB))
    rig.at(62, trade(CB, 12), trade(CB, 14))
    rig.at(121)
    assert not rig.desk.is_flow_complete(CB)
    rig.at(122)
    assert rig.desk.is_flow_complete(CB)


def test_a_trade_seen_before_is_no_news_and_no_gap() -> None:
    rig = Rig()
    rig.live_coinbase()
    rig.at(1, trade(CB, 11), trade(CB, 11), trade(CB, 10), trade(CB, 12))
    assert rig.view(CB).gaps == 0
    assert rig.count("late") == 2


def test_a_heartbeat_ahead_of_our_trades_is_a_gap_when_it_stays_ahead() -> None:
    rig = Rig()
    rig.live_coinbase()
    rig.at(1, trade(CB, 10))
    rig.at(2, beat(CB, last_trade_id=12))
    rig.at(3, beat(CB, last_trade_id=12))
    assert rig.view(CB).gaps == 0
    rig.at(4, beat(CB, last_trade_id=13))
    assert rig.view(CB).gaps == 1
    rig.at(4.5, trade(CB, 13))
    assert rig.view(CB).gaps == 1


def test_a_heartbeat_ahead_of_a_trade_under_way_is_no_gap() -> None:
    rig = Rig()
    rig.live_coinbase()
    rig.at(1, trade(CB, 10))
    for second in range(2, 30):
        rig.at(second, beat(CB, last_trade_id=9 + second))
        rig.at(second + 0.5, trade(CB, 9 + second))
    assert rig.view(CB).gaps == 0


def test_binance_aggregates_and_single_trades_are_numbered_apart() -> None:
    rig = Rig(ReferenceConfig(primary="binance"))
    single = trade(CB, 500)
    rig.at(0, opened(BN), trade(BN, 10), retold(single), trade(BN, 11), trade(BN, 13))
    assert rig.view(BN).gaps == 1


def test_a_repeated_best_quote_of_binance_is_late() -> None:
    rig = Rig(ReferenceConfig(primary="binance"))
    rig.at(0, opened(BN), quote(BN, 9_000_00, 7), quote(BN, 9_001_00, 7), quote(BN, 9_002_00, 6))
    assert rig.desk.mid_u6(BN) == 9_000_00 * CENT + CENT // 2


def live_advanced() -> Rig:
    rig = Rig(ReferenceConfig(primary="coinbase_advanced"))
    rig.at(0, opened(ADV), counted(ADV, 0), book(ADV), counted(ADV, 1), beat(ADV, counter=5))
    rig.at(1, counted(ADV, 2), beat(ADV, counter=6))
    assert rig.desk.is_live(ADV)
    assert rig.desk.mid_u6(ADV) is not None
    return rig


def test_a_lost_frame_voids_all_books_of_the_connection_and_reconnects() -> None:
    """Acceptance test (d)."""
    rig = live_advanced()
    rig.at(1, counted(ADV, 3), book(ADV, symbol="ETH-USD"))
    commands = rig.at(1.1, counted(ADV, 5), delta(ADV, bids=((91_240 * 10**6, 1),)))
    assert reconnects(commands) == [(CONN, Reason.GAP)]
    assert rig.state(ADV) == (WARMING, Reason.GAP)
    assert rig.desk.mid_u6(ADV) is None
    assert rig.view(ADV).gaps == 1
    assert all(product[2] is None for product in books(rig))
    assert reconnects(rig.at(1.2, counted(ADV, 9), beat(ADV, counter=7))) == []


def test_a_late_or_repeated_frame_is_ignored_whole() -> None:
    rig = live_advanced()
    before = rig.desk.mid_u6(ADV)
    rig.at(1.1, counted(ADV, 1), delta(ADV, bids=((91_240 * 10**6 + 5, 1),)), book(ADV))
    assert rig.desk.mid_u6(ADV) == before
    assert rig.count("late") == 2
    rig.at(1.2, counted(ADV, 3), delta(ADV, bids=((91_240 * 10**6 + 4, 1),)))
    assert rig.desk.mid_u6(ADV) != before
    assert rig.view(ADV).gaps == 0


def test_a_jump_of_the_heartbeat_counter_is_a_loss() -> None:
    rig = live_advanced()
    assert reconnects(rig.at(2, counted(ADV, 3), beat(ADV, counter=8))) == [(CONN, Reason.GAP)]


def test_each_polybolt_channel_counts_for_itself() -> None:
    rig = Rig()
    rig.at(0, opened(CL, url=POLYBOLT), counted(CL, 1, "a"), counted(CL, 1, "b"))
    assert rig.at(0, counted(CL, 2, "a"), counted(CL, 2, "b")) == []
    assert reconnects(rig.at(0, counted(CL, 4, "b"))) == [(CONN, Reason.GAP)]


def test_values_that_were_dropped_are_a_gap() -> None:
    rig = Rig()
    rig.at(0, opened(CL, url=POLYBOLT), heard(CL, "dropped"))
    assert rig.view(CL).gaps == 1


def test_a_refused_frame_under_a_book_without_ids_voids_it() -> None:
    rig = Rig()
    rig.live_coinbase()
    rig.at(1, book(CB))
    assert rig.at(1, fault(CB, FaultKind.REMOTE_ERROR)) == []
    assert rig.at(1, fault(BN, FaultKind.BAD_NUMBER)) == []
    commands = rig.at(1, fault(CB, FaultKind.BAD_NUMBER))
    assert reconnects(commands) == [(CONN, Reason.WIRE_FAULT)]
    assert rig.desk.last_quote(CB) is None


@pytest.mark.parametrize(
    ("bid", "reason"),
    [((91_242 * 10**6, 1), Reason.CROSSED), ((91_240 * 10**6, 0), Reason.ONE_SIDED)],
)
def test_a_book_crossed_or_empty_for_a_second_is_not_believed(
    bid: tuple[int, int], reason: Reason
) -> None:
    rig = Rig()
    rig.live_coinbase()
    rig.at(1, book(CB))
    assert rig.at(1.1, delta(CB, bids=(bid,))) == []
    assert rig.at(2) == []
    assert reconnects(rig.at(2.1)) == [(CONN, reason)]
    assert rig.state(CB) == (WARMING, reason)


def test_a_book_crossed_for_a_moment_goes_on() -> None:
    rig = Rig()
    rig.live_coinbase()
    rig.at(1, book(CB))
    rig.at(1.1, delta(CB, bids=((91_242 * 10**6, 1),)))
    rig.at(1.5, delta(CB, bids=((91_242 * 10**6, 0),)))
    assert rig.at(3, beat(CB)) == []
    assert rig.desk.is_live(CB)


def test_a_book_whose_time_goes_back_is_not_believed() -> None:
    rig = Rig()
    rig.live_coinbase()
    rig.at(1, book(CB), delta(CB, sent_s=1), delta(CB, sent_s=1))
    assert reconnects(rig.at(1, delta(CB, sent_s=0.999))) == [(CONN, Reason.OUT_OF_ORDER)]


def test_a_book_at_odds_with_five_tickers_in_a_row_is_not_believed() -> None:
    rig = Rig()
    rig.live_coinbase()
    rig.at(1, book(CB))
    for _ in range(4):
        assert rig.at(1, quote(CB, 92_000_00)) == []
    rig.at(1, quote(CB, 91_240_00))
    for _ in range(4):
        assert rig.at(1, quote(CB, 92_000_00)) == []
    assert reconnects(rig.at(1, quote(CB, 92_000_00))) == [(CONN, Reason.TOP_MISMATCH)]


def test_a_change_without_a_snapshot_is_not_used() -> None:
    rig = Rig()
    rig.at(0, opened(CB), delta(CB, bids=((1, 1),)))
    assert rig.count("late") == 1
    assert all(product[2] is None for product in books(rig))


# --- settlement ----------------------------------------------------------------------------------


def test_a_backlog_fills_the_series_and_reaches_no_decision() -> None:
    """Acceptance test (i)."""
    rig = Rig()
    history = [index(second, replayed=True) for second in range(-60, 0)]
    rig.at(0, opened(CL), heard(CL, "backlog"), *history)
    assert rig.state(CL)[0] is WARMING
    assert rig.desk.last_index() is None
    assert len(rig.desk.index_series()) == 60
    rig.at(1, index(0), index(1), index(2, 91_250_00))
    assert rig.desk.is_live(CL)
    last = rig.desk.last_index()
    assert last is not None
    assert last.value_u6 == 91_250_00 * CENT


def test_values_replayed_after_a_reconnect_are_no_news() -> None:
    """Acceptance test (i): RTDS repeats about 60 s as if they were updates."""
    rig = Rig()
    rig.at(0, opened(CL), *(index(second) for second in range(-60, 1)))
    assert rig.desk.is_live(CL)
    rig.at(1, closed(CL))
    rig.at(2, opened(CL, OTHER))
    rig.at(2, *(index(second, 80_000_00, conn=OTHER) for second in range(-60, 1)))
    assert rig.state(CL)[0] is WARMING
    assert rig.desk.last_index() is None
    rig.at(3, *(index(second, conn=OTHER) for second in (1, 2, 3)))
    assert rig.desk.is_live(CL)
    assert len(rig.desk.index_series()) == 64


def test_three_updates_in_a_row_are_needed_without_an_interruption() -> None:
    rig = Rig()
    rig.at(0, opened(CL), index(0), index(1))
    rig.at(3, index(3))
    assert rig.state(CL)[0] is WARMING
    rig.at(4, index(4))
    rig.at(5, index(5))
    assert rig.desk.is_live(CL)


def test_an_old_settlement_value_is_absent() -> None:
    rig = Rig()
    rig.at(0, opened(CL), *updates(0, 1, 2))
    rig.at(4.9)
    assert rig.desk.last_index() is not None
    rig.at(5)
    assert rig.desk.last_index() is None
    assert rig.desk.index_series() != ()


def test_both_spellings_of_a_symbol_are_one_series_and_windows_are_apart() -> None:
    rig = Rig()
    rig.at(0, opened(CL), index(0), index(1, symbol="btcusd"), index(2, window_s=60))
    assert len(rig.desk.index_series()) == 2
    assert len(rig.desk.index_series(60)) == 1


def test_a_relayed_binance_price_is_not_the_settlement_value() -> None:
    rig = Rig()
    rig.at(0, opened(CL), *(index(second, symbol="btcusdt") for second in range(5)))
    assert rig.state(CL)[0] is WARMING
    assert rig.desk.index_series() == ()


def test_one_value_from_the_future_does_not_silence_the_feed() -> None:
    rig = Rig()
    rig.at(0, opened(CL), *updates(0, 1, 2), index(10**6))
    rig.at(1, index(3), index(4))
    assert [at_ns for at_ns, _ in rig.desk.index_series()] == sorted(
        at_ns for at_ns, _ in rig.desk.index_series()
    )
    last = rig.desk.last_index()
    assert last is not None
    assert last.venue_ns == index(4).venue_ns


def retold(event: Event) -> Event:
    """Tell a single trade of Coinbase as one of Binance."""
    return replace(event, feed=BN, symbol=SYMBOLS[BN])
