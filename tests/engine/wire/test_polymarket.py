import json
from contextlib import suppress
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from polytui.engine.core.enums import FaultKind, Side
from polytui.engine.core.errors import WireError
from polytui.engine.core.events import (
    AnyEvent,
    BookDelta,
    BookFrame,
    Event,
    Heard,
    MarketAnnounced,
    MarketResolved,
    PublicTrade,
    TickChanged,
    TopQuoted,
    WireFault,
    WireIgnored,
)
from polytui.engine.core.ids import ConnId
from polytui.engine.core.units import U6_MAX, U
from polytui.engine.wire import polymarket
from polytui.engine.wire.polymarket import FRAME_MAX, TICKS_U6, decode, decode_witness
from tests.support.floor import MARKET, NO, YES, small_book

CONN = ConnId(3)

EXPECTED: dict[str, list[type[Event]]] = {
    "book-initial-array-202609": [BookFrame, BookFrame],
    "book-initial-protocol-v2-202610": [BookFrame],
    "new_market-202610": [MarketAnnounced],
    "array-mixed-202608": [BookDelta, PublicTrade],
    "nt-price_change": [WireFault],
    "pong": [Heard],
    "nt-ws_market_resolved_msg": [MarketResolved],
    "nt-ws_market_new_market_msg": [MarketAnnounced],
    "pm-price_change-missing-fields": [WireFault],
}
BY_PREFIX: list[tuple[str, list[type[Event]]]] = [
    ("price_change", [BookDelta]),
    ("book", [BookFrame]),
    ("last_trade_price", [PublicTrade]),
    ("tick_size_change", [TickChanged]),
    ("best_bid_ask", [TopQuoted]),
]


def one(frame: object) -> Event:
    events = decode(CONN, json.dumps(frame).encode())
    assert len(events) == 1
    return events[0]


def fault(frame: object) -> WireFault:
    event = one(frame)
    assert isinstance(event, WireFault)
    return event


def test_every_recorded_message_decodes_or_is_refused_for_a_reason(shared_data: Path) -> None:
    lines = (shared_data / "messages" / "polymarket-market.jsonl").read_text().splitlines()
    assert len(lines) == 33
    for line in lines:
        record = json.loads(line)
        kinds = EXPECTED.get(record["id"])
        if kinds is None:
            kinds = next(k for prefix, k in BY_PREFIX if record["event"].startswith(prefix))
        events = decode(CONN, record["text"].encode())
        wanted = [event for event in events if not isinstance(event, WireIgnored)]
        assert [type(event) for event in wanted] == kinds, record["id"]


def test_the_flat_price_change_of_2024_is_refused_as_obsolete(shared_data: Path) -> None:
    lines = (shared_data / "messages" / "polymarket-market.jsonl").read_text().splitlines()
    record = next(r for r in map(json.loads, lines) if r["id"] == "nt-price_change")
    (event,) = decode(CONN, record["text"].encode())[:1]
    assert isinstance(event, WireFault)
    assert "2025-09-15" in event.expected


def test_user_messages_on_the_market_socket_are_ignored_and_counted(shared_data: Path) -> None:
    for line in (shared_data / "messages" / "polymarket-user.jsonl").read_text().splitlines():
        events = decode(CONN, json.loads(line)["text"].encode())
        assert events
        assert all(isinstance(event, WireIgnored | WireFault) for event in events)


def test_a_change_keeps_texts_and_numbers_and_the_last_claim_of_each_token() -> None:
    event = one(small_book().change(5, [("BUY", "0.49", "12.5"), ("SELL", "0.51", "0")]))
    assert isinstance(event, BookDelta)
    assert event.changes[0] == (YES, True, 490_000, 12_500_000, "0.49", "12.5")
    assert event.changes[1] == (NO, False, 510_000, 12_500_000, "0.51", "12.5")
    assert [claim[0] for claim in event.claims] == [NO, YES]
    assert event.claims[1][2:] == (490_000, 520_000)


ENTRY = st.builds(
    polymarket._Change,
    asset_id=st.sampled_from([YES, NO]),
    price=st.sampled_from(["0.49", "0.51", ".5", "0.510", "1", "2", ""]),
    size=st.sampled_from(["0", "12.5", "12.50", "x"]),
    side=st.sampled_from(["BUY", "SELL", "buy"]),
    hash=st.sampled_from(["", "ab", "cd"]),
    best_bid=st.sampled_from(["0.49", "0", ""]),
    best_ask=st.sampled_from(["0.51", "1", "0.510"]),
)


@given(ENTRY, ENTRY)
@settings(max_examples=400)
def test_the_short_way_through_a_pair_of_entries_gives_what_the_long_way_gives(
    first: Any, second: Any
) -> None:
    try:
        changes = polymarket._changes([first, second])
        claims = polymarket._claims([first, second])
    except WireError:
        with suppress(WireError):
            assert polymarket._known_pair(first, second) is None
        return
    for _ in range(2):  # the second time every numeral is known
        assert polymarket._known_pair(first, second) in (None, (changes, claims))


@pytest.mark.parametrize("stamp", ["0", "5", "0005", "1790000000123", "9" * 16])
def test_a_timestamp_is_read_the_same_by_the_decoder_and_by_hand(stamp: str) -> None:
    event = one({**small_book().change(5, [("BUY", "0.49", "1")]), "timestamp": stamp})
    assert isinstance(event, BookDelta)
    assert event.venue_ms == int(stamp)


@pytest.mark.parametrize("stamp", ["", "-1", "+1", " 1", "1_0", "٣", "9" * 17, "1x"])
def test_a_timestamp_that_is_none_is_a_bad_number(stamp: str) -> None:
    frame = {**small_book().change(5, [("BUY", "0.49", "1")]), "timestamp": stamp}
    events = decode(CONN, json.dumps(frame).encode())
    assert [type(event) for event in events] == [WireFault], "not a field we do not know"
    assert fault(frame).kind is FaultKind.BAD_NUMBER


def test_a_book_keeps_its_texts_in_wire_order() -> None:
    event = one(small_book().frame(7))
    assert isinstance(event, BookFrame)
    assert [level[2:] for level in event.bids] == [
        ("0.47", "100"),
        ("0.48", "80.5"),
        ("0.49", "30"),
    ]
    assert event.last_trade_text == "0.500"
    assert (event.tick_u6, event.tick_text) == (10_000, "0.01")


def test_a_trade_without_a_size_is_a_trade() -> None:
    frame = {"event_type": "last_trade_price", "market": MARKET, "asset_id": YES, "price": "0.5"}
    event = one({**frame, "size": "", "side": "BUY", "timestamp": "1"})
    assert isinstance(event, PublicTrade)
    assert (event.qty_u6, event.side) == (None, Side.BUY)


def test_key_order_and_spacing_do_not_matter() -> None:
    frame = small_book().change(5, [("BUY", "0.49", "12.5")])
    turned = dict(reversed(frame.items()))
    assert one(frame) == one(turned)
    assert decode(CONN, json.dumps(frame, indent=3).encode()) == [one(frame)]


def test_arrays_may_mix_types_and_markets() -> None:
    book = small_book()
    frames = [book.frame(1), book.change(2, [("BUY", "0.4", "9")])]
    kinds = [type(event) for event in decode(CONN, json.dumps(frames).encode())]
    assert kinds == [BookFrame, BookDelta]


@pytest.mark.parametrize("data", [b"PONG", b"pong", b"PONG\n", b"", b" PING "])
def test_keep_alives_are_heard(data: bytes) -> None:
    (event,) = decode(CONN, data)
    assert isinstance(event, Heard)


def test_unknown_types_and_fields_are_counted_and_harmless() -> None:
    assert isinstance(one({"event_type": "weather", "market": MARKET}), WireIgnored)
    book = small_book()
    extra = {**book.change(2, [("BUY", "0.4", "9")]), "mood": "good"}
    events = decode(CONN, json.dumps(extra).encode())
    assert [type(event) for event in events] == [BookDelta, WireIgnored]
    ignored = events[1]
    assert isinstance(ignored, WireIgnored)
    assert "mood" in ignored.what


BAD: list[tuple[bytes, FaultKind]] = [
    (b"{", FaultKind.NOT_JSON),
    (b"[]]", FaultKind.NOT_JSON),
    (b"\xff\xfe{}", FaultKind.NOT_UTF8),
    (b'{"event_type":"book","market":"\xff"}', FaultKind.NOT_UTF8),
    (b'"just text"', FaultKind.WRONG_SHAPE),
    (b"[1,2]", FaultKind.WRONG_SHAPE),
    (b"null", FaultKind.WRONG_SHAPE),
    (b'{"event_type":5}', FaultKind.WRONG_SHAPE),
    (b"[" * 100_000, FaultKind.WRONG_SHAPE),
    (b" " * (FRAME_MAX + 1), FaultKind.TOO_LARGE),
    (b'{"event_type":"book","bids":[],"asks":[],"timestamp":"1"}', FaultKind.MISSING_FIELD),
    (b'{"event_type":"price_change","market":"0x1","timestamp":"1"}', FaultKind.MISSING_FIELD),
]


@pytest.mark.parametrize(("data", "kind"), BAD, ids=[repr(d[:20]) for d, _ in BAD])
def test_what_cannot_be_read_is_a_fault_that_says_why(data: bytes, kind: FaultKind) -> None:
    (event,) = decode(CONN, data)
    assert isinstance(event, WireFault)
    assert event.kind is kind
    assert event.expected
    assert event.got.isascii()
    assert len(event.got) < 400


@pytest.mark.parametrize(
    "number", ["NaN", "1e999", "-0", "-1", "0x1", "٣", "9" * 5000, "1.0000001", " 1", "1_0", "2"]
)
def test_hostile_prices_are_refused_and_name_the_market(number: str) -> None:
    frame: dict[str, Any] = small_book().change(5, [("BUY", "0.49", "12.5")])
    frame["price_changes"][0]["price"] = number
    event = fault(frame)
    assert (event.kind, event.market) == (FaultKind.BAD_NUMBER, MARKET)


@pytest.mark.parametrize("value", [None, [], {}, 5, 0.5, True])
def test_a_size_that_is_no_text_is_refused(value: object) -> None:
    frame: dict[str, Any] = small_book().change(5, [("BUY", "0.49", "12.5")])
    frame["price_changes"][0]["size"] = value
    event = fault(frame)
    assert (event.kind, event.market) == (FaultKind.WRONG_SHAPE, MARKET)


def test_a_rest_book_decodes_like_a_frame(shared_data: Path) -> None:
    lines = (shared_data / "rest" / "polymarket-rest.jsonl").read_text().splitlines()
    body = next(r["body"] for r in map(json.loads, lines) if r["id"] == "clob_book_response")
    (event, *_) = decode_witness(CONN, json.dumps(body).encode())
    assert isinstance(event, BookFrame)
    assert event.bids


MUTATIONS = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3)
    ),
    max_leaves=5,
)


def check(data: bytes) -> None:
    """Assert the decoder's whole promise: events that encode, with numbers in range."""
    events = decode(CONN, data)
    assert events or data.strip() == b"[]"
    for event in events:
        assert msgspec.json.decode(msgspec.json.encode(event), type=AnyEvent) == event
        if isinstance(event, BookDelta):
            for _, _, px_u6, qty_u6, _, _ in event.changes:
                assert 0 <= px_u6 <= U
                assert 0 <= qty_u6 <= U6_MAX
        if isinstance(event, TickChanged):
            assert event.new_tick_u6 in TICKS_U6


@given(st.binary(max_size=300))
@settings(max_examples=400)
def test_any_bytes_are_events_or_a_fault(data: bytes) -> None:
    check(data)


@given(st.data())
@settings(max_examples=400)
def test_any_mutated_message_is_events_or_a_fault(data: st.DataObject) -> None:
    book = small_book()
    frame: Any = data.draw(
        st.sampled_from(
            [
                book.frame(1),
                book.change(2, [("BUY", "0.4", "9")]),
                [book.frame(1), book.frame(1, is_yes=False)],
                {"event_type": "tick_size_change", "market": MARKET, "asset_id": YES,
                 "old_tick_size": "0.01", "new_tick_size": "0.001", "timestamp": "5"},
            ]
        )
    )  # fmt: skip
    target = frame[0] if isinstance(frame, list) else frame
    inner = target.get("price_changes", [target])[0] if data.draw(st.booleans()) else target
    key = data.draw(st.sampled_from(sorted(inner)) | st.text(max_size=8))
    if data.draw(st.booleans()):
        inner[key] = data.draw(MUTATIONS)
    else:
        inner.pop(key, None)
    check(json.dumps(frame).encode("utf-8", "surrogatepass"))


@given(st.binary(min_size=1, max_size=4), st.integers(0, 600))
@settings(max_examples=300)
def test_any_overwritten_bytes_are_events_or_a_fault(noise: bytes, at: int) -> None:
    data = bytearray(json.dumps(small_book().change(2, [("BUY", "0.4", "9")])).encode())
    data[at : at + len(noise)] = noise
    check(bytes(data))
