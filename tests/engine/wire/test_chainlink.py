"""Settlement decoders: RTDS and PolyBolt, scales, backlogs, counts, recordings, fuzz."""

import csv
import gzip
import json
from decimal import ROUND_HALF_UP, Decimal
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from polytui.engine.core.enums import FaultKind, Feed
from polytui.engine.core.events import (
    Event,
    Heard,
    RefCounted,
    RefIndex,
    WireFault,
    WireIgnored,
)
from polytui.engine.core.ids import ConnId
from polytui.engine.wire.chainlink import AUTHED, BACKLOG, DROPPED, decode, rtds_frame
from tests.support.exchange_tapes import messages
from tests.support.hostile import DEEP, HOSTILE, JUNK, assert_lawful, mutated, paths, replaced

CONN = ConnId(9)

UPDATE = (
    b'{"topic":"crypto_prices_chainlink","type":"update","timestamp":1795190402300,'
    b'"payload":{"symbol":"btc/usd","timestamp":1795190401000,"value":91239.4412,'
    b'"full_accuracy_value":"91239441200000000000000"}}'
)
SUBSCRIBED = (
    b'{"topic":"crypto_prices","type":"subscribe","timestamp":1780726213178,"payload":{"symbol":'
    b'"btcusdt","data":[{"timestamp":1780726209000,"value":61164.12},'
    b'{"timestamp":1780726210000,"value":61161.07}]}}'
)
TWAP = (
    b'{"v":1,"channel":"price.crypto.twap","seq":42,"ts":1795190402100,"payload":{"symbol":'
    b'"btcusd","source":"chainlink","window_seconds":60,"timestamp":1795190401000,'
    b'"value":91231.02,"full_accuracy_value":"91231.0201","is_carried_forward":false}}'
)
SNAPSHOT = (
    b'{"v":1,"channel":"price.crypto","seq":1,"ts":1795190402100,"snapshot":true,"payload":'
    b'{"symbol":"btcusd","data":[{"timestamp":1795190400000,"value":91231.5,'
    b'"full_accuracy_value":"91231.50000000"}]}}'
)
FRAMES = (UPDATE, SUBSCRIBED, TWAP, SNAPSHOT)


def one(data: bytes) -> Event:
    (event,) = decode(CONN, data)
    return event


def fault(data: bytes) -> WireFault:
    event = one(data)
    assert isinstance(event, WireFault)
    return event


def values(data: bytes) -> list[RefIndex]:
    return [event for event in decode(CONN, data) if isinstance(event, RefIndex)]


# --- RTDS ----------------------------------------------------------------------------------------


def test_a_chainlink_value_is_read_from_its_integer_text() -> None:
    assert one(UPDATE) == RefIndex(
        conn=CONN,
        feed=Feed.CHAINLINK,
        symbol="btc/usd",
        venue_ns=1_795_190_401_000_000_000,
        value_u6=91_239_441_200,
        window_s=0,
        provider="chainlink",
    )


@given(st.integers(10**12, 10**29))
def test_a_scaled_value_rounds_to_the_nearest_micro_dollar(scaled: int) -> None:
    exact = Decimal(scaled).scaleb(-18)
    frame = rtds_frame(
        symbol="btc/usd",
        feed_ms=1_795_190_401_000,
        value_text=format(exact, "f"),
        full_text=str(scaled),
        server_ms=1_795_190_402_300,
    )
    (value,) = values(frame)
    nearest = int(exact.scaleb(6).to_integral_value(ROUND_HALF_UP))
    assert value.value_u6 == max(1, nearest)


def test_the_backlog_of_a_subscription_is_history() -> None:
    """Acceptance test (i), the decoder's half."""
    events = decode(CONN, SUBSCRIBED)
    assert events[0] == Heard(conn=CONN, feed=Feed.CHAINLINK, what=BACKLOG)
    assert [value.value_u6 for value in values(SUBSCRIBED)] == [61_164_120_000, 61_161_070_000]
    assert all(value.replayed for value in values(SUBSCRIBED))


@pytest.mark.parametrize(
    ("topic", "window_s", "provider"),
    [
        ("crypto_prices_chainlink", 0, "chainlink"),
        ("crypto_prices_twap_thirty", 30, "chainlink"),
        ("crypto_prices_twap_sixty", 60, "chainlink"),
    ],
)
def test_a_topic_gives_window_and_provider(topic: str, window_s: int, provider: str) -> None:
    (value,) = values(UPDATE.replace(b"crypto_prices_chainlink", topic.encode()))
    assert (value.window_s, value.provider) == (window_s, provider)


def test_a_twap_topic_that_writes_plain_decimals_is_read_as_such() -> None:
    plain = UPDATE.replace(b"_chainlink", b"_twap_sixty").replace(
        b'"91239441200000000000000"', b'"91239.4412"'
    )
    assert values(plain)[0].value_u6 == 91_239_441_200


def test_a_wrong_scale_is_refused_because_it_would_look_like_a_jump() -> None:
    scaled_as_plain = UPDATE.replace(b"crypto_prices_chainlink", b"crypto_prices")
    assert fault(scaled_as_plain).kind is FaultKind.BAD_NUMBER
    tenfold = UPDATE.replace(b"91239.4412,", b"912394.412,")
    assert fault(tenfold).kind is FaultKind.INCOHERENT
    cents = UPDATE.replace(b"91239.4412,", b"91239.44,")
    assert values(cents)[0].value_u6 == 91_239_441_200


@pytest.mark.parametrize("data", [b"", b" ", b"PONG", b"pong\n", b"PING"])
def test_words_prove_the_link_and_nothing_else(data: bytes) -> None:
    assert isinstance(one(data), Heard)


def test_every_rtds_message_on_file_is_decoded(shared_data: Path) -> None:
    told = {}
    for message in messages(shared_data / "messages" / "polymarket-rtds.jsonl"):
        events = decode(CONN, message["text"].encode())
        assert_lawful(events)
        found = [e for e in events if isinstance(e, RefIndex)]
        told[message["id"]] = (len(events) - len(found), [(v.value_u6, v.replayed) for v in found])
    assert told == {
        "nt-rtds_crypto_prices_subscribe": (
            1,
            [(61_164_120_000, True), (61_161_070_000, True), (61_150_890_000, True)],
        ),
        "nt-rtds_crypto_prices_update": (0, [(61_035_860_000, False)]),
        "nt-rtds_equity_prices_subscribe": (
            1,
            [(307_914_990, True), (307_915_780, True), (307_915_470, True)],
        ),
        "nt-rtds_equity_prices_update": (0, [(198_452_300, False)]),
    }


def test_every_recorded_value_survives_as_a_frame(shared_data: Path) -> None:
    rows = 0
    with gzip.open(shared_data / "chainlink-btcusd-rtds-20260608T00-02.csv.gz", "rt") as file:
        for row in csv.DictReader(file):
            (value,) = values(
                rtds_frame(
                    symbol="btc/usd",
                    feed_ms=int(row["feed_ts_ms"]),
                    value_text=row["value"],
                    full_text=row["full_accuracy_value"],
                    server_ms=int(row["server_ts_ms"]),
                )
            )
            exact = Decimal(row["full_accuracy_value"]).scaleb(-12)
            assert value.value_u6 == int(exact.to_integral_value(ROUND_HALF_UP))
            assert value.venue_ns == int(row["feed_ts_ms"]) * 1_000_000
            rows += 1
    assert rows == 7_145


# --- PolyBolt ------------------------------------------------------------------------------------

COUNTED = RefCounted(conn=CONN, feed=Feed.CHAINLINK, channel="price.crypto.twap", sequence=42)


def test_the_count_of_a_channel_comes_before_its_value() -> None:
    counted, value = decode(CONN, TWAP)
    assert counted == COUNTED
    assert isinstance(value, RefIndex)
    assert (value.value_u6, value.window_s, value.provider) == (91_231_020_100, 60, "chainlink")
    assert not value.replayed


def test_a_snapshot_is_history_even_when_it_is_empty() -> None:
    counted, heard, value = decode(CONN, SNAPSHOT)
    assert isinstance(counted, RefCounted)
    assert heard == Heard(conn=CONN, feed=Feed.CHAINLINK, what=BACKLOG)
    assert isinstance(value, RefIndex)
    assert value.replayed
    head, _, _ = SNAPSHOT.partition(b'"data":')
    assert decode(CONN, head + b'"data":[]}}') == [counted, heard]


def test_a_value_carried_forward_is_not_news() -> None:
    (value,) = values(TWAP.replace(b'"is_carried_forward":false', b'"is_carried_forward":true'))
    assert value.replayed


def test_values_that_were_dropped_are_reported() -> None:
    events = decode(CONN, TWAP.replace(b'"seq":42', b'"seq":42,"dropped":3'))
    assert events[1] == Heard(conn=CONN, feed=Feed.CHAINLINK, what=DROPPED)


def test_a_refused_frame_was_still_received() -> None:
    counted, bad = decode(CONN, TWAP.replace(b"91231.02,", b'"NaN",'))
    assert counted == COUNTED
    assert isinstance(bad, WireFault)
    assert (bad.kind, bad.market) == (FaultKind.BAD_NUMBER, "btcusd")


@pytest.mark.parametrize("op", [AUTHED, "subscribed", "unsubscribed", "pong"])
def test_answers_are_heard(op: str) -> None:
    data = f'{{"op":"{op}","channel":"price.crypto","rid":"a1"}}'.encode()
    assert one(data) == Heard(conn=CONN, feed=Feed.CHAINLINK, what=op)


def test_errors_of_both_transports_are_faults() -> None:
    refused = fault(b'{"op":"error","code":"auth_required","channel":"price.crypto","rid":"s1"}')
    assert (refused.kind, refused.got) == (FaultKind.REMOTE_ERROR, "'auth_required price.crypto'")
    assert fault(b'{"statusCode":400,"body":{"message":"no"}}').kind is FaultKind.REMOTE_ERROR
    assert fault(b'{"message":"Forbidden"}').kind is FaultKind.REMOTE_ERROR


# --- both ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("data", "what"),
    [
        (UPDATE.replace(b"crypto_prices_chainlink", b"activity"), "type:activity update"),
        (UPDATE.replace(b'"update"', b'"unsubscribe"'), "type:crypto_prices_chainlink unsubscribe"),
        (TWAP.replace(b"price.crypto.twap", b"price.polymarket"), "type:price.polymarket"),
        (b'{"op":"gossip"}', "type:gossip"),
        (UPDATE[:-1] + b',"new":[1]}', "field:new"),
        (UPDATE[:-2] + b',"new":[1]}}', "field:new"),
    ],
)
def test_what_is_unknown_is_counted(data: bytes, what: str) -> None:
    """Acceptance test (h)."""
    assert decode(CONN, data)[-1] == WireIgnored(conn=CONN, feed=Feed.CHAINLINK, what=what)


@pytest.mark.parametrize(
    ("data", "kind"),
    [
        (b"{", FaultKind.NOT_JSON),
        (b"{}", FaultKind.MISSING_FIELD),
        (b"[]", FaultKind.WRONG_SHAPE),
        (b'{"topic":"crypto_prices","type":"update"}', FaultKind.MISSING_FIELD),
        (UPDATE.replace(b'"value":91239.4412,', b""), FaultKind.MISSING_FIELD),
        (UPDATE.replace(b"91239.4412,", b"9.12394412e4,"), FaultKind.BAD_NUMBER),
        (UPDATE.replace(b"91239.4412,", b"null,"), FaultKind.BAD_NUMBER),
        (UPDATE.replace(b'"91239441200000000000000"', b'"-1"'), FaultKind.BAD_NUMBER),
        (UPDATE.replace(b"1795190401000", b"-1"), FaultKind.BAD_NUMBER),
        (UPDATE.replace(b"1795190401000", b"17951904010000000"), FaultKind.BAD_NUMBER),
        (UPDATE.replace(b"btc/usd", b"\xff"), FaultKind.NOT_UTF8),
        *((data, FaultKind.WRONG_SHAPE) for data in DEEP[:1]),
    ],
)
def test_what_is_wrong_is_refused_with_its_kind(data: bytes, kind: FaultKind) -> None:
    assert fault(data).kind is kind


def test_a_provider_is_shown_without_control_characters() -> None:
    (value,) = values(TWAP.replace(b'"source":"chainlink"', b'"source":"\\u001b[31mpyth"'))
    assert value.provider == "[31mpyth"


@given(JUNK | mutated(FRAMES))
def test_any_bytes_become_events_or_a_fault(data: bytes) -> None:
    assert_lawful(decode(CONN, data))


@pytest.mark.parametrize("message", FRAMES)
def test_every_value_may_be_hostile(message: bytes) -> None:
    for path in paths(json.loads(message)):
        for by in HOSTILE:
            assert_lawful(decode(CONN, replaced(message, path, by)))
