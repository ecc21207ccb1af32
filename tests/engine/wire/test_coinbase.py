"""Coinbase decoders: every documented message, recordings, sides, faults, fuzz."""

import json
from collections import Counter
from pathlib import Path

import pytest
from hypothesis import given

from polytui.engine.core.enums import FaultKind, Feed, Side
from polytui.engine.core.events import (
    Event,
    Heard,
    RefBeat,
    RefBook,
    RefCounted,
    RefDelta,
    RefQuote,
    RefTrade,
    WireFault,
    WireIgnored,
)
from polytui.engine.core.ids import ConnId
from polytui.engine.wire.coinbase import decode, decode_advanced
from tests.support.exchange_tapes import messages, tape
from tests.support.hostile import DEEP, HOSTILE, JUNK, assert_lawful, mutated, paths, replaced

CONN = ConnId(3)

HEARTBEAT = (
    b'{"type":"heartbeat","sequence":98000000120,"last_trade_id":871000456,'
    b'"product_id":"BTC-USD","time":"2026-11-20T12:00:01.000214Z"}'
)
TICKER = (
    b'{"type":"ticker","sequence":98000000137,"product_id":"BTC-USD","price":"91240.11",'
    b'"open_24h":"90510.00","volume_24h":"8123.40112233","low_24h":"90002.10",'
    b'"high_24h":"92110.99","volume_30d":"241000.55","best_bid":"91240.10",'
    b'"best_bid_size":"0.42000000","best_ask":"91240.11","best_ask_size":"0.10550000",'
    b'"side":"buy","time":"2026-11-20T12:00:01.204551Z","trade_id":871000457,'
    b'"last_size":"0.00310000"}'
)
MATCH = (
    b'{"type":"match","trade_id":871000457,"maker_order_id":"m","taker_order_id":"t",'
    b'"side":"sell","size":"0.0031","price":"91240.11","product_id":"BTC-USD",'
    b'"sequence":98000000137,"time":"2026-11-20T12:00:01.204551Z"}'
)
LAST_MATCH = MATCH.replace(b'"match"', b'"last_match"')
SNAPSHOT = (
    b'{"type":"snapshot","product_id":"BTC-USD","bids":[["91240.10","0.42000000"]],'
    b'"asks":[["91240.11","0.10550000"]]}'
)
L2UPDATE = (
    b'{"type":"l2update","product_id":"BTC-USD","changes":[["buy","91240.10","0.40000000"],'
    b'["sell","91240.55","0"]],"time":"2026-11-20T12:00:01.250880Z"}'
)
SUBSCRIPTIONS = b'{"type":"subscriptions","channels":[{"name":"ticker","product_ids":["BTC-USD"]}]}'
EXCHANGE = (HEARTBEAT, TICKER, MATCH, LAST_MATCH, SNAPSHOT, L2UPDATE, SUBSCRIPTIONS)

_ENVELOPE = b'"client_id":"","timestamp":"2026-11-20T12:00:01.120113Z","sequence_num":8,"events":['
BEATS = (
    b'{"channel":"heartbeats",' + _ENVELOPE + b'{"current_time":"2026-11-20 12:00:01.000214000 '
    b'+0000 UTC","heartbeat_counter":31}]}'
)
L2_DATA = (
    b'{"channel":"l2_data",' + _ENVELOPE + b'{"type":"update","product_id":"BTC-USD","updates":['
    b'{"side":"bid","event_time":"2026-11-20T12:00:01.118000Z","price_level":"91240.10",'
    b'"new_quantity":"0.4"},{"side":"offer","event_time":"2026-11-20T12:00:01.118000Z",'
    b'"price_level":"91240.55","new_quantity":"0.00000000"}]}]}'
)
TICKERS = (
    b'{"channel":"ticker",' + _ENVELOPE + b'{"type":"update","tickers":[{"type":"ticker",'
    b'"product_id":"BTC-USD","price":"91240.11","best_bid":"91240.10","best_bid_quantity":"0.4",'
    b'"best_ask":"91240.11","best_ask_quantity":"0.1055","volume_24_h":"8123.4"}]}]}'
)
TRADES = (
    b'{"channel":"market_trades",' + _ENVELOPE + b'{"type":"update","trades":['
    b'{"trade_id":"871000458","product_id":"BTC-USD","price":"91240.12","size":"0.0031",'
    b'"side":"SELL","time":"2026-11-20T12:00:01.214551Z"},'
    b'{"trade_id":"871000457","product_id":"BTC-USD","price":"91240.11","size":"0.0031",'
    b'"side":"BUY","time":"2026-11-20T12:00:01.204551Z"}]}]}'
)
ADVANCED = (BEATS, L2_DATA, TICKERS, TRADES)


def one(data: bytes) -> Event:
    (event,) = decode(CONN, data)
    return event


def fault(data: bytes) -> WireFault:
    event = one(data)
    assert isinstance(event, WireFault)
    return event


# --- Exchange ------------------------------------------------------------------------------------


def test_a_heartbeat_carries_sequence_and_last_trade() -> None:
    assert one(HEARTBEAT) == RefBeat(
        conn=CONN,
        feed=Feed.COINBASE,
        symbol="BTC-USD",
        venue_ns=1_795_176_001_000_214_000,
        counter=98_000_000_120,
        last_trade_id=871_000_456,
    )


def test_a_ticker_is_a_trade_driven_quote() -> None:
    assert one(TICKER) == RefQuote(
        conn=CONN,
        feed=Feed.COINBASE,
        symbol="BTC-USD",
        venue_ns=1_795_176_001_204_551_000,
        bid_u6=91_240_100_000,
        bid_qty_u6=420_000,
        ask_u6=91_240_110_000,
        ask_qty_u6=105_500,
        sequence=98_000_000_137,
        trade_driven=True,
    )


def test_a_ticker_of_2021_has_no_sizes_and_an_empty_side_is_zero() -> None:
    old = TICKER.replace(b'"best_bid_size":"0.42000000",', b"").replace(b'"91240.10"', b'"0"')
    quote = one(old)
    assert isinstance(quote, RefQuote)
    assert (quote.bid_u6, quote.bid_qty_u6) == (0, None)


def test_a_maker_who_sold_was_hit_by_a_buyer() -> None:
    sold, bought = one(MATCH), one(MATCH.replace(b'"sell"', b'"buy"'))
    assert isinstance(sold, RefTrade)
    assert isinstance(bought, RefTrade)
    assert (sold.aggressor, bought.aggressor) == (Side.BUY, Side.SELL)
    assert (sold.px_u6, sold.qty_u6, sold.trade_id) == (91_240_110_000, 3_100, 871_000_457)


def test_a_last_match_is_history() -> None:
    last, new = one(LAST_MATCH), one(MATCH)
    assert isinstance(last, RefTrade)
    assert isinstance(new, RefTrade)
    assert (last.replayed, new.replayed) == (True, False)


def test_a_snapshot_and_an_update_carry_absolute_sizes() -> None:
    book, delta = one(SNAPSHOT), one(L2UPDATE)
    assert isinstance(book, RefBook)
    assert isinstance(delta, RefDelta)
    assert book.bids == ((91_240_100_000, 420_000),)
    assert book.asks == ((91_240_110_000, 105_500),)
    assert delta.bids == ((91_240_100_000, 400_000),)
    assert delta.asks == ((91_240_550_000, 0),)


def test_a_size_below_a_micro_unit_is_no_removal() -> None:
    delta = one(L2UPDATE.replace(b'"0"', b'"0.00000001"'))
    assert isinstance(delta, RefDelta)
    assert delta.asks == ((91_240_550_000, 1),)


def test_a_snapshot_of_one_and_a_half_megabytes_is_read() -> None:
    """Acceptance test (g)."""
    levels = b",".join(b'["%d.%02d","0.%08d"]' % (n // 100 + 1, n % 100, n) for n in range(62_000))
    data = b'{"type":"snapshot","product_id":"BTC-USD","bids":[%s],"asks":[]}' % levels
    assert len(data) > 1.4 * (1 << 20)
    book = one(data)
    assert isinstance(book, RefBook)
    assert len(book.bids) == 62_000


def test_the_answer_to_a_subscription_is_heard() -> None:
    assert one(SUBSCRIPTIONS) == Heard(conn=CONN, feed=Feed.COINBASE, what="subscriptions")


def test_an_error_answer_is_a_fault_with_its_words() -> None:
    answer = fault(b'{"type":"error","message":"Failed to subscribe","reason":"needs a login"}')
    assert answer.kind is FaultKind.REMOTE_ERROR
    assert answer.got == "'Failed to subscribe: needs a login'"


def test_an_unknown_type_is_ignored_and_counted() -> None:
    """Acceptance test (h)."""
    event = one(b'{"type":"rfq_match","price":7}')
    assert event == WireIgnored(conn=CONN, feed=Feed.COINBASE, what="type:rfq_match")


@pytest.mark.parametrize("message", EXCHANGE)
def test_an_unknown_field_is_counted_once_and_changes_nothing_else(message: bytes) -> None:
    more = message[:-1] + b',"brand`new":{"a":[1]},"second":2}'
    known, counted = decode(CONN, more)
    assert [known] == decode(CONN, message)
    assert isinstance(counted, WireIgnored)
    assert counted.what == "field:brand`new"


@pytest.mark.parametrize(
    ("data", "kind"),
    [
        (b"", FaultKind.NOT_JSON),
        (b"PONG", FaultKind.NOT_JSON),
        (b"[]", FaultKind.WRONG_SHAPE),
        (b'{"type":7}', FaultKind.WRONG_SHAPE),
        (b'{"product_id":"BTC-USD"}', FaultKind.MISSING_FIELD),
        (b'{"type":"match","product_id":"BTC-USD"}', FaultKind.MISSING_FIELD),
        (MATCH.replace(b'"sell"', b'"both"'), FaultKind.WRONG_SHAPE),
        (MATCH.replace(b'"0.0031"', b'"1e3"'), FaultKind.BAD_NUMBER),
        (MATCH.replace(b'"0.0031"', b"null"), FaultKind.WRONG_SHAPE),
        (MATCH.replace(b"871000457", b"-1"), FaultKind.BAD_NUMBER),
        (MATCH.replace(b"871000457", b"9" * 5000), FaultKind.BAD_NUMBER),
        (MATCH.replace(b"BTC-USD", b"BTC-\xff\xfe"), FaultKind.NOT_UTF8),
        (MATCH.replace(b"2026-11-20T", b"2026-11-31T"), FaultKind.BAD_NUMBER),
        (SNAPSHOT.replace(b'"0.42000000"', b'"0.4","x"'), FaultKind.WRONG_SHAPE),
    ],
)
def test_what_is_wrong_is_refused_with_its_kind(data: bytes, kind: FaultKind) -> None:
    assert fault(data).kind is kind


@pytest.mark.parametrize("data", DEEP)
def test_deep_json_is_a_fault(data: bytes) -> None:
    assert fault(data).kind in {FaultKind.WRONG_SHAPE, FaultKind.NOT_JSON}
    assert isinstance(decode_advanced(CONN, data)[0], WireFault)


def test_every_recorded_exchange_frame_is_decoded(shared_data: Path) -> None:
    counts: Counter[str] = Counter()
    for line in tape(shared_data / "coinbase-exchange-raw-20210417.jsonl.gz"):
        if line.kind == "recv":
            for event in decode(CONN, line.raw):
                assert_lawful([event])
                history = " history" if isinstance(event, RefTrade) and event.replayed else ""
                counts[type(event).__name__ + history] += 1
    assert counts == {
        "RefBook": 5,
        "RefDelta": 4_147,
        "RefQuote": 33,
        "RefTrade": 28,
        "RefTrade history": 5,
        "Heard": 3,
    }


def test_the_ticker_names_the_taker_and_the_match_the_maker(shared_data: Path) -> None:
    """Acceptance test (b), on a recording: both must come out as the same aggressor."""
    taker: dict[tuple[str, int], str] = {}
    aggressor: dict[tuple[str, int], str] = {}
    for line in tape(shared_data / "coinbase-exchange-raw-20210417.jsonl.gz"):
        (event,) = decode(CONN, line.raw) if line.kind == "recv" else [None]
        if isinstance(event, RefTrade):
            aggressor[event.symbol, event.trade_id] = event.aggressor.value
        elif isinstance(event, RefQuote):
            text = line.raw.decode()
            trade_id = int(text.partition('"trade_id":')[2].partition(",")[0])
            taker[event.symbol, trade_id] = text.partition('"side":"')[2].partition('"')[0]
    both = taker.keys() & aggressor.keys()
    assert len(both) > 25
    assert {key: taker[key] for key in both} == {key: aggressor[key] for key in both}


# --- Advanced Trade ------------------------------------------------------------------------------

COUNTED = RefCounted(conn=CONN, feed=Feed.COINBASE_ADVANCED, channel="", sequence=8)


def test_the_count_of_a_frame_comes_before_its_events() -> None:
    for data in ADVANCED:
        assert decode_advanced(CONN, data)[0] == COUNTED


def test_a_heartbeat_may_count_in_text() -> None:
    text = BEATS.replace(b":31}", b':"31"}')
    beat = RefBeat(
        conn=CONN,
        feed=Feed.COINBASE_ADVANCED,
        symbol="",
        venue_ns=1_795_176_001_000_214_000,
        counter=31,
    )
    assert decode_advanced(CONN, BEATS) == [COUNTED, beat]
    assert decode_advanced(CONN, text) == [COUNTED, beat]


def test_level2_is_answered_as_l2_data_and_any_zero_removes() -> None:
    _, delta = decode_advanced(CONN, L2_DATA)
    assert isinstance(delta, RefDelta)
    assert delta.bids == ((91_240_100_000, 400_000),)
    assert delta.asks == ((91_240_550_000, 0),)
    _, book = decode_advanced(CONN, L2_DATA.replace(b'"update"', b'"snapshot"'))
    assert isinstance(book, RefBook)
    assert book.bids == delta.bids


def test_a_ticker_without_best_prices_is_no_quote() -> None:
    _, quote = decode_advanced(CONN, TICKERS)
    assert isinstance(quote, RefQuote)
    assert (quote.bid_u6, quote.ask_u6) == (91_240_100_000, 91_240_110_000)
    batch = TICKERS.replace(b'"ticker",', b'"ticker_batch",', 1).replace(b"best_", b"worst_")
    assert decode_advanced(CONN, batch)[1:] == [
        Heard(conn=CONN, feed=Feed.COINBASE_ADVANCED, what="ticker_batch")
    ]


def test_market_trades_name_the_maker_and_come_out_in_order() -> None:
    _, *trades = decode_advanced(CONN, TRADES)
    told = [(t.trade_id, t.aggressor, t.replayed) for t in trades if isinstance(t, RefTrade)]
    assert told == [(871_000_457, Side.SELL, False), (871_000_458, Side.BUY, False)]
    _, *history = decode_advanced(CONN, TRADES.replace(b'"update"', b'"snapshot"'))
    assert all(isinstance(t, RefTrade) and t.replayed for t in history)


def test_a_refused_frame_was_still_received() -> None:
    counted, bad = decode_advanced(CONN, L2_DATA.replace(b'"0.4"', b'"NaN"'))
    assert counted == COUNTED
    assert isinstance(bad, WireFault)
    assert (bad.kind, bad.market) == (FaultKind.BAD_NUMBER, "BTC-USD")


def test_an_error_arrives_without_the_envelope() -> None:
    (bad,) = decode_advanced(CONN, b'{"type":"error","message":"rate limit"}')
    assert isinstance(bad, WireFault)
    assert (bad.kind, bad.got) == (FaultKind.REMOTE_ERROR, "'rate limit'")


def test_an_unknown_channel_is_counted_twice_over() -> None:
    counted, unknown = decode_advanced(CONN, BEATS.replace(b"heartbeats", b"candles"))
    assert counted == COUNTED
    assert unknown == WireIgnored(conn=CONN, feed=Feed.COINBASE_ADVANCED, what="type:candles")


def test_every_advanced_message_on_file_is_decoded(shared_data: Path) -> None:
    kinds = {}
    for message in messages(shared_data / "messages" / "coinbase-advanced.jsonl"):
        events = decode_advanced(CONN, message["text"].encode())
        assert_lawful(events)
        assert isinstance(events[0], RefCounted)
        kinds[message["id"]] = [type(event).__name__ for event in events[1:]]
    assert kinds == {
        "nt-ws_subscriptions": ["Heard"],
        "nt-ws_heartbeats": ["RefBeat"],
        "nt-ws_ticker": ["RefQuote"],
        "nt-ws_market_trades": ["RefTrade", "RefTrade"],
        "nt-ws_l2_data_snapshot": ["RefBook"],
        "nt-ws_l2_data_update": ["RefDelta"],
    }


# --- fuzz ----------------------------------------------------------------------------------------


@given(JUNK | mutated(EXCHANGE))
def test_any_bytes_become_exchange_events_or_a_fault(data: bytes) -> None:
    assert_lawful(decode(CONN, data))


@given(JUNK | mutated(ADVANCED))
def test_any_bytes_become_advanced_events_or_a_fault(data: bytes) -> None:
    assert_lawful(decode_advanced(CONN, data))


@pytest.mark.parametrize("message", EXCHANGE + ADVANCED)
def test_every_value_may_be_hostile(message: bytes) -> None:
    read = decode_advanced if message in ADVANCED else decode
    for path in paths(json.loads(message)):
        for by in HOSTILE:
            assert_lawful(read(CONN, replaced(message, path, by)))
