"""User-stream frames and REST rows: every shape that has been seen, and none that was not meant."""

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from polytui.engine.core.account_events import UserBeat, UserOrder, UserTrade
from polytui.engine.core.enums import FaultKind, Side
from polytui.engine.core.errors import WireError
from polytui.engine.core.events import Event, WireFault, WireIgnored
from polytui.engine.core.ids import ConnId
from polytui.engine.core.order_enums import OrderType, Realm, TradeStatus
from polytui.engine.wire import account
from tests.support.hostile import DEEP, HOSTILE, JUNK

CONN = ConnId(9)
TOKEN = "71321045679252212594626385532706912750332728571942532289631379312455583992563"
OTHER = "52114319501245915516055106046884209969926127482827954674443846427813813222426"
MARKET = "0xbd31dc8a20211944f6b70f31557f1001557b59905b7738480ca09bd4532f84af"
HASH = "0x1718c172b382f1157b7741e8e3bf601c0e34733768a5f26e413e46dfc48b9ade"

ORDER: dict[str, Any] = {
    "event_type": "order",
    "id": HASH,
    "owner": "key-1",
    "order_owner": "key-1",
    "market": MARKET,
    "asset_id": TOKEN,
    "side": "BUY",
    "original_size": "10",
    "size_matched": "0",
    "price": "0.52",
    "associate_trades": None,
    "outcome": "Yes",
    "type": "PLACEMENT",
    "status": "LIVE",
    "created_at": "1790000000",
    "expiration": "0",
    "order_type": "GTC",
    "maker_address": "0xf39Fd6e51aad88F6F4ce6aB8827279cffFb92266",
    "timestamp": "1790000000210",
}
KILLED = ORDER | {
    "type": "CANCELLATION",
    "status": "CANCELED_order couldn't be fully filled. FOK orders are fully filled or killed.",
    "size_matched": "",
    "created_at": "",
    "outcome": "",
    "order_type": "FOK",
    "associate_trades": [],
}
MAKER = {
    "order_id": HASH,
    "owner": "key-2",
    "maker_address": "0x70997970C51812dc3A010C7d01b50e0d17dc79C8",
    "matched_amount": "10",
    "price": "0.48",
    "fee_rate_bps": "0",
    "asset_id": OTHER,
    "outcome": "No",
    "side": "BUY",
    "outcome_index": 1,
}
TRADE: dict[str, Any] = {
    "event_type": "trade",
    "type": "TRADE",
    "id": "8f1c2d3e-0000-4000-8000-000000000001",
    "taker_order_id": "0x9C11" + "0" * 60,
    "market": MARKET,
    "asset_id": TOKEN,
    "side": "BUY",
    "size": "10",
    "fee_rate_bps": "0",
    "price": "0.52",
    "status": "MATCHED",
    "match_time": "1790000003",
    "last_update": "1790000009",
    "outcome": "Yes",
    "bucket_index": 0,
    "owner": "key-1",
    "trade_owner": "key-1",
    "maker_address": "0xf39Fd6e51aad88F6F4ce6aB8827279cffFb92266",
    "transaction_hash": "",
    "trader_side": "TAKER",
    "maker_orders": [MAKER],
    "timestamp": "1790000003120",
}


def read(frame: Any, *, owner: str = "") -> list[Event]:
    return account.decode(CONN, Realm.LIVE, json.dumps(frame).encode(), owner=owner)


def one(frame: Any, *, owner: str = "") -> Any:
    (event,) = read(frame, owner=owner)
    return event


def test_a_placement_is_read_with_exact_numbers() -> None:
    event = one(ORDER)
    assert isinstance(event, UserOrder)
    order = event.order
    assert (event.realm, event.conn, event.venue_ms) == (Realm.LIVE, CONN, 1_790_000_000_210)
    assert (order.order_hash, order.market, order.token) == (HASH, MARKET, TOKEN)
    assert (order.side, order.px_u6, order.qty_u6) == (Side.BUY, 520_000, 10_000_000)
    assert (order.matched_u6, order.status, order.event) == (0, "LIVE", "PLACEMENT")
    assert (order.order_type, order.expiration_s, order.created_s) == (
        OrderType.GTC,
        0,
        1_790_000_000,
    )


def test_a_killed_fok_with_empty_fields_is_heard() -> None:
    """The official client drops this notice (`venue/polymarket.md` §1, trap b)."""
    order = one(KILLED).order
    assert (order.status, order.event, order.matched_u6) == ("CANCELED", "CANCELLATION", None)
    assert order.status_text.startswith("CANCELED_order couldn't be fully filled")
    assert (order.created_s, order.order_type) == (0, OrderType.FOK)


def test_a_trade_is_read_with_its_makers_in_their_own_terms() -> None:
    event = one(TRADE)
    assert isinstance(event, UserTrade)
    trade = event.trade
    assert (trade.status, trade.is_taker, trade.matched_s) == (
        TradeStatus.MATCHED,
        True,
        1_790_000_003,
    )
    assert trade.taker_hash == "0x9c11" + "0" * 60
    (maker,) = trade.makers
    assert (maker.token, maker.side, maker.px_u6, maker.qty_u6) == (
        OTHER,
        Side.BUY,
        480_000,
        10_000_000,
    )


@pytest.mark.parametrize(
    ("status", "word"),
    [
        ("LIVE", "LIVE"),
        ("ORDER_STATUS_LIVE", "LIVE"),
        ("ORDER_STATUS_CANCELED_MARKET_RESOLVED", "CANCELED"),
        ("CANCELED_EXPIRED_ORDER", "CANCELED"),
        ("CANCELED_some free text", "CANCELED"),
        ("CANCELLED", "CANCELED"),
        ("MATCHED", "MATCHED"),
        ("UNMATCHED", "UNMATCHED"),
        ("DELAYED", "DELAYED"),
        ("INVALID", "INVALID"),
        ("LIVELY", "LIVELY"),
        ("FROZEN_BY_MODERATOR", "FROZEN_BY_MODERATOR"),
        ("¿?", "?"),
    ],
)
def test_b31_a_status_is_its_longest_known_word_and_an_unknown_one_comes_through(
    status: str, word: str
) -> None:
    assert one(ORDER | {"status": status}).order.status == word


@pytest.mark.parametrize(
    ("status", "expected"),
    [
        ("MATCHED", TradeStatus.MATCHED),
        ("TRADE_STATUS_CONFIRMED", TradeStatus.CONFIRMED),
        ("TRADE_STATUS_MATCHED_NOT_BROADCASTED", TradeStatus.NOT_BROADCAST),
        ("RETRYING", TradeStatus.RETRYING),
    ],
)
def test_a_trades_status_loses_its_prefix(status: str, expected: TradeStatus) -> None:
    assert one(TRADE | {"status": status}).trade.status is expected


def test_b31_an_unknown_trade_status_is_a_fault_that_names_its_market() -> None:
    fault = one(TRADE | {"status": "TELEPORTED"})
    assert isinstance(fault, WireFault)
    assert (fault.market, fault.expected) == (MARKET, "a known trade status")


@pytest.mark.parametrize(
    "text", ["1790000003", "1790000003000", "2026-09-21T14:13:23Z", "2026-09-21T14:13:23.120+00:00"]
)
def test_times_in_seconds_milliseconds_and_iso_are_the_same_time(text: str) -> None:
    assert one(TRADE | {"match_time": text}).trade.matched_s == 1_790_000_003


@pytest.mark.parametrize(
    ("text", "ms"),
    [
        ("1970-01-01T00:00:00Z", 0),
        ("2000-02-29T23:59:59Z", 951_868_799_000),
        ("2026-11-21 14:00:00.5Z", 1_795_269_600_500),
    ],
)
def test_iso_times_are_counted_exactly(text: str, ms: int) -> None:
    assert account.read_ms(text) == ms


def test_the_old_name_of_the_match_time_is_understood() -> None:
    frame = {k: v for k, v in TRADE.items() if k not in ("match_time", "last_update")}
    assert one(frame | {"matchtime": "1790000001"}).trade.matched_s == 1_790_000_001


def test_an_array_yields_every_event_and_a_bad_one_spoils_no_neighbour() -> None:
    events = read([ORDER, ORDER | {"price": "1e-1"}, {"event_type": "festival"}, TRADE])
    kinds = [type(event) for event in events]
    assert kinds == [UserOrder, WireFault, WireIgnored, UserTrade]


def test_b31_unknown_fields_are_tolerated_and_missing_ones_are_not() -> None:
    assert isinstance(one(ORDER | {"new_field": {"deep": [1, 2]}}), UserOrder)
    for name in ("id", "market", "asset_id", "side", "price", "original_size", "status"):
        fault = one({k: v for k, v in ORDER.items() if k != name})
        assert isinstance(fault, WireFault), name
        assert fault.kind is FaultKind.MISSING_FIELD
        assert name in fault.expected or name == "side"


def test_sizes_may_be_json_numbers_and_a_maker_may_lack_its_side() -> None:
    maker = {k: v for k, v in MAKER.items() if k != "side"} | {"matched_amount": 2.5}
    trade = one(TRADE | {"size": 2.5, "maker_orders": [maker]}).trade
    assert (trade.qty_u6, trade.makers[0].qty_u6, trade.makers[0].side) == (
        2_500_000,
        2_500_000,
        None,
    )


def test_without_a_trader_side_the_keys_tell_who_was_the_taker() -> None:
    frame = {k: v for k, v in TRADE.items() if k != "trader_side"}
    assert one(frame).trade.is_taker
    assert not one(frame | {"trade_owner": "key-2"}).trade.is_taker
    bare = {k: v for k, v in frame.items() if k != "trade_owner"}
    assert not one(bare, owner="key-2").trade.is_taker
    assert isinstance(one(bare), WireFault)


def test_pong_is_a_beat_and_other_words_are_faults() -> None:
    assert account.decode(CONN, Realm.LIVE, b"PONG") == [UserBeat(realm=Realm.LIVE, conn=CONN)]
    (fault,) = account.decode(CONN, Realm.LIVE, b"INVALID OPERATION")
    assert isinstance(fault, WireFault)


def test_what_is_refused_is_not_quoted() -> None:
    """A frame that is no JSON may hold our own credentials, echoed."""
    (fault,) = account.decode(CONN, Realm.LIVE, b'{"auth":{"secret":"c2VjcmV0"')
    assert isinstance(fault, WireFault)
    assert "c2VjcmV0" not in repr(fault)


def test_a_frame_above_the_limit_is_refused_unread() -> None:
    (fault,) = account.decode(CONN, Realm.LIVE, b"[" + b" " * account.FRAME_MAX + b"]")
    assert isinstance(fault, WireFault)
    assert fault.kind is FaultKind.TOO_LARGE


# --- REST ----------------------------------------------------------------------------------------


def row(base: dict[str, Any], **changes: Any) -> dict[str, Any]:
    return {k: v for k, v in base.items() if k not in ("event_type", "type")} | changes


def test_a_page_of_orders_is_read_with_its_cursor() -> None:
    page = {"limit": 500, "count": 1, "next_cursor": "NTAw", "data": [row(ORDER)]}
    (order,), cursor = account.read_orders(json.dumps(page).encode())
    assert (order.order_hash, order.event, cursor) == (HASH, "", "NTAw")


def test_a_page_with_one_bad_row_is_no_page() -> None:
    page = {"next_cursor": "LTE=", "data": [row(ORDER), row(ORDER, price="NaN")]}
    with pytest.raises(WireError, match="plain decimal"):
        account.read_orders(json.dumps(page).encode())


@pytest.mark.parametrize("body", [b"{}", b"null", b'{"next_cursor":"LTE="}', b"x", b'"OK"', b""])
def test_a_page_without_data_is_no_empty_page(body: bytes) -> None:
    with pytest.raises(WireError):
        account.read_orders(body)


def test_a_bare_array_and_a_missing_cursor_end_the_pages() -> None:
    assert account.read_trades(json.dumps([row(TRADE)]).encode())[1] == account.LAST_CURSOR
    assert account.read_trades(b'{"data":[]}') == ((), account.LAST_CURSOR)


@pytest.mark.parametrize("body", [b"null", b'""', b"{}", b"", b"[]"])
def test_an_order_that_is_not_active_is_none(body: bytes) -> None:
    assert account.read_order(body) is None


# --- hostile -------------------------------------------------------------------------------------


def check(data: bytes) -> None:
    """Whatever comes: events, faults or ignored types, never an exception."""
    events = account.decode(CONN, Realm.LIVE, data, owner="key-1")
    assert {type(e) for e in events} <= {UserOrder, UserTrade, UserBeat, WireFault, WireIgnored}
    for reader in (account.read_order, account.read_orders, account.read_trades):
        try:
            reader(data)
        except WireError:
            continue


@given(JUNK)
@settings(max_examples=300)
def test_junk_is_an_event_or_a_fault_never_an_exception(data: bytes) -> None:
    check(data)


@pytest.mark.parametrize("data", DEEP)
def test_deep_json_is_a_fault(data: bytes) -> None:
    check(data)


@pytest.mark.parametrize("value", HOSTILE, ids=lambda value: repr(value)[:20])
def test_a_hostile_value_anywhere_is_an_event_or_a_fault(value: object) -> None:
    for base in (ORDER, TRADE):
        for name in base:
            check(json.dumps(base | {name: value}).encode())
    for name in MAKER:
        check(json.dumps(TRADE | {"maker_orders": [MAKER | {name: value}]}).encode())


@given(st.data())
@settings(max_examples=200)
def test_a_cut_or_bent_frame_is_an_event_or_a_fault(data: st.DataObject) -> None:
    frame = bytearray(json.dumps(data.draw(st.sampled_from([ORDER, KILLED, TRADE]))).encode())
    for _ in range(data.draw(st.integers(1, 4))):
        at = data.draw(st.integers(0, len(frame) - 1))
        frame[at] = data.draw(st.integers(0, 255))
    check(bytes(frame[: data.draw(st.integers(0, len(frame)))]))
