"""Binance decoder: streams raw and combined, the depth answer, recordings, faults, fuzz."""

import json
from collections import Counter
from pathlib import Path

import pytest
from hypothesis import given

from polytui.engine.core.enums import FaultKind, Feed, Side
from polytui.engine.core.events import (
    Event,
    Heard,
    RefBook,
    RefDelta,
    RefQuote,
    RefTrade,
    WireFault,
    WireIgnored,
)
from polytui.engine.core.ids import ConnId
from polytui.engine.wire.binance import SHUTDOWN, decode, decode_depth_answer
from tests.support.exchange_tapes import tape
from tests.support.hostile import DEEP, HOSTILE, JUNK, assert_lawful, mutated, paths, replaced

CONN = ConnId(5)

BOOK_TICKER = (
    b'{"u":71000000001,"s":"BTCUSDT","b":"91238.00000000","B":"3.10000000",'
    b'"a":"91238.01000000","A":"1.20000000"}'
)
DEPTH = (
    b'{"e":"depthUpdate","E":1795190401100,"s":"BTCUSDT","U":71000000002,"u":71000000019,'
    b'"b":[["91238.00000000","2.90000000"]],"a":[["91239.50000000","0.00000000"]]}'
)
AGG_TRADE = (
    b'{"e":"aggTrade","E":1795190401141,"s":"BTCUSDT","a":3900000101,"p":"91238.01000000",'
    b'"q":"0.00500000","f":5200000400,"l":5200000402,"T":1795190401140,"m":false,"M":true}'
)
TRADE = (
    b'{"e":"trade","E":1795190401141,"s":"BTCUSDT","t":5200000402,"p":"91238.01000000",'
    b'"q":"0.00500000","T":1795190401140,"m":true,"M":true}'
)
ANSWER = (
    b'{"lastUpdateId":71000000010,"bids":[["91238.00000000","2.90000000"]],'
    b'"asks":[["91239.50000000","0.10000000"]]}'
)
RAW = (BOOK_TICKER, DEPTH, AGG_TRADE, TRADE)


def combined(data: bytes) -> bytes:
    return b'{"stream":"btcusdt@anything","data":' + data + b"}"


STREAMS = (*RAW, *map(combined, RAW))


def one(data: bytes) -> Event:
    (event,) = decode(CONN, data)
    return event


def fault(data: bytes) -> WireFault:
    event = one(data)
    assert isinstance(event, WireFault)
    return event


def test_a_best_quote_has_no_time_of_its_own() -> None:
    assert one(BOOK_TICKER) == RefQuote(
        conn=CONN,
        feed=Feed.BINANCE,
        symbol="BTCUSDT",
        venue_ns=None,
        bid_u6=91_238_000_000,
        bid_qty_u6=3_100_000,
        ask_u6=91_238_010_000,
        ask_qty_u6=1_200_000,
        sequence=71_000_000_001,
    )


def test_a_depth_update_carries_both_its_ids() -> None:
    assert one(DEPTH) == RefDelta(
        conn=CONN,
        feed=Feed.BINANCE,
        symbol="BTCUSDT",
        venue_ns=1_795_190_401_100_000_000,
        bids=((91_238_000_000, 2_900_000),),
        asks=((91_239_500_000, 0),),
        first_update_id=71_000_000_002,
        last_update_id=71_000_000_019,
    )


def test_a_buyer_who_was_the_maker_was_hit_by_a_seller() -> None:
    """Acceptance test (b), for both kinds of trades."""
    for message in (AGG_TRADE, TRADE):
        hit = one(message.replace(b'"m":false', b'"m":true'))
        lifted = one(message.replace(b'"m":true', b'"m":false'))
        assert isinstance(hit, RefTrade)
        assert isinstance(lifted, RefTrade)
        assert (hit.aggressor, lifted.aggressor) == (Side.SELL, Side.BUY)


def test_an_aggregate_keeps_the_ids_inside_it() -> None:
    aggregate, trade = one(AGG_TRADE), one(TRADE)
    assert isinstance(aggregate, RefTrade)
    assert isinstance(trade, RefTrade)
    ids = (aggregate.trade_id, aggregate.first_id, aggregate.last_id)
    assert ids == (3_900_000_101, 5_200_000_400, 5_200_000_402)
    assert (trade.trade_id, trade.first_id, trade.last_id) == (5_200_000_402, None, None)


def test_times_may_be_in_microseconds() -> None:
    trade = one(TRADE.replace(b"1795190401140,", b"1795190401140007,"))
    assert isinstance(trade, RefTrade)
    assert trade.venue_ns == 1_795_190_401_140_007_000


@pytest.mark.parametrize("message", RAW)
def test_a_combined_frame_says_the_same_as_a_raw_one(message: bytes) -> None:
    assert decode(CONN, combined(message)) == decode(CONN, message)


@pytest.mark.parametrize("message", RAW)
def test_an_unknown_field_is_counted_once_and_changes_nothing_else(message: bytes) -> None:
    known, counted = decode(CONN, combined(message[:-1] + b',"X":{"a":[1]},"Y":2}'))
    assert [known] == decode(CONN, message)
    assert counted == WireIgnored(conn=CONN, feed=Feed.BINANCE, what="field:X")


@pytest.mark.parametrize(
    ("data", "what"),
    [
        (b'{"e":"kline","E":1,"s":"BTCUSDT","k":{}}', "type:kline"),
        (combined(b'{"e":"24hrTicker"}'), "type:24hrTicker"),
        (b'{"stream":"btcusdt@depth20","data":{"lastUpdateId":1}}', "type:btcusdt@depth20"),
    ],
)
def test_an_unknown_type_is_ignored_and_counted(data: bytes, what: str) -> None:
    """Acceptance test (h)."""
    assert one(data) == WireIgnored(conn=CONN, feed=Feed.BINANCE, what=what)


def test_a_shutdown_is_heard_raw_and_combined() -> None:
    heard = Heard(conn=CONN, feed=Feed.BINANCE, what=SHUTDOWN)
    message = b'{"e":"serverShutdown","E":1795190401141}'
    assert one(message) == heard
    assert one(combined(message)) == heard


def test_an_answer_is_heard_and_an_error_is_a_fault() -> None:
    assert one(b'{"result":null,"id":1}') == Heard(conn=CONN, feed=Feed.BINANCE, what="result")
    assert fault(b'{"code":2,"msg":"Invalid request"}').kind is FaultKind.REMOTE_ERROR
    assert fault(b'{"error":{"code":2,"msg":"no"},"id":1}').kind is FaultKind.REMOTE_ERROR


@pytest.mark.parametrize(
    ("data", "kind"),
    [
        (b"", FaultKind.NOT_JSON),
        (b"{}", FaultKind.MISSING_FIELD),
        (b"[]", FaultKind.WRONG_SHAPE),
        (combined(b"null"), FaultKind.WRONG_SHAPE),
        (DEPTH.replace(b'"U":71000000002', b'"U":71000000020'), FaultKind.INCOHERENT),
        (DEPTH.replace(b'"U":71000000002,', b""), FaultKind.MISSING_FIELD),
        (DEPTH.replace(b'"91238.00000000"', b'"0.00000000"'), FaultKind.BAD_NUMBER),
        (DEPTH.replace(b'"2.90000000"', b'"-0"'), FaultKind.BAD_NUMBER),
        (AGG_TRADE.replace(b"1795190401140,", b"99999999999999999,"), FaultKind.BAD_NUMBER),
        (BOOK_TICKER.replace(b'"3.10000000"', b"3.1"), FaultKind.WRONG_SHAPE),
        (BOOK_TICKER.replace(b"BTCUSDT", b"\xff"), FaultKind.NOT_UTF8),
        *((data, FaultKind.WRONG_SHAPE) for data in DEEP[:1]),
    ],
)
def test_what_is_wrong_is_refused_with_its_kind(data: bytes, kind: FaultKind) -> None:
    assert fault(data).kind is kind


def test_the_depth_answer_is_a_book_of_the_symbol_asked_about() -> None:
    assert decode_depth_answer(CONN, "BTCUSDT", ANSWER) == [
        RefBook(
            conn=CONN,
            feed=Feed.BINANCE,
            symbol="BTCUSDT",
            venue_ns=None,
            bids=((91_238_000_000, 2_900_000),),
            asks=((91_239_500_000, 100_000),),
            update_id=71_000_000_010,
        )
    ]


@pytest.mark.parametrize(
    ("data", "kind"),
    [
        (b'{"code":-1121,"msg":"Invalid symbol."}', FaultKind.REMOTE_ERROR),
        (b"<html>403</html>", FaultKind.NOT_JSON),
        (ANSWER.replace(b'"bids"', b'"bid"'), FaultKind.MISSING_FIELD),
    ],
)
def test_a_failed_depth_answer_is_a_fault_of_that_symbol(data: bytes, kind: FaultKind) -> None:
    (event,) = decode_depth_answer(CONN, "BTCUSDT", data)
    assert isinstance(event, WireFault)
    assert (event.kind, event.market) == (kind, "BTCUSDT")


def test_every_recorded_frame_is_decoded_or_counted(shared_data: Path) -> None:
    counts: Counter[str] = Counter()
    for line in tape(shared_data / "binance-spot-raw-20211012.jsonl.gz"):
        events: list[Event] = []
        if line.kind == "recv":
            events = decode(CONN, line.raw)
        elif line.kind == "rest":
            events = decode_depth_answer(CONN, "X", line.raw)
        assert_lawful(events)
        counts.update(getattr(event, "what", type(event).__name__) for event in events)
    assert counts == {
        "RefDelta": 177,
        "RefQuote": 84,
        "RefTrade": 2,
        "type:kline": 2,
        "RefBook": 4,
    }


@given(JUNK | mutated(STREAMS))
def test_any_bytes_become_events_or_a_fault(data: bytes) -> None:
    assert_lawful(decode(CONN, data))


@given(JUNK | mutated((ANSWER,)))
def test_any_answer_becomes_a_book_or_a_fault(data: bytes) -> None:
    assert_lawful(decode_depth_answer(CONN, "BTCUSDT", data))


@pytest.mark.parametrize("message", STREAMS)
def test_every_value_may_be_hostile(message: bytes) -> None:
    for path in paths(json.loads(message)):
        for by in HOSTILE:
            assert_lawful(decode(CONN, replaced(message, path, by)))
