"""Numerals, times, shapes and refusals of the reference decoders."""

from datetime import UTC, datetime, timedelta
from decimal import ROUND_FLOOR, ROUND_HALF_UP, Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from polytui.engine.core.enums import FaultKind, Feed
from polytui.engine.core.errors import WireError
from polytui.engine.core.events import Event, WireFault
from polytui.engine.core.ids import ConnId
from polytui.engine.wire import reference
from polytui.engine.wire.reference import (
    FRAME_MAX,
    NEST_MAX,
    REFERENCE_U6_MAX,
    Rounding,
    epoch_ns,
    guard,
    ignored,
    iso_ns,
    px_u6,
    qty_u6,
    reference_u6,
)

CONN = ConnId(1)
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
DECIMALS = st.decimals(0, 10**12, allow_nan=False, allow_infinity=False, places=9) | st.decimals(
    0, 2, places=18
)


def slow_u6(text: str, rounding: str) -> int:
    """Do what `reference_u6` does, obviously."""
    exact = Decimal(text).scaleb(6)
    rounded = int(exact.to_integral_value(rounding))
    return rounded or (1 if exact else 0)


@given(DECIMALS)
def test_rounding_agrees_with_decimal_in_both_directions(value: Decimal) -> None:
    text = format(value, "f")
    assert reference_u6(text, Rounding.FLOOR) == slow_u6(text, ROUND_FLOOR)
    assert reference_u6(text, Rounding.NEAREST) == slow_u6(text, ROUND_HALF_UP)


@pytest.mark.parametrize(
    ("text", "floor", "nearest"),
    [
        ("0.00310000", 3_100, 3_100),
        ("0.00000731", 7, 7),
        ("0.00000750", 7, 8),
        ("0.00000001", 1, 1),
        ("0.000000000000000001", 1, 1),
        ("0.00000000", 0, 0),
        ("0", 0, 0),
        (".5", 500_000, 500_000),
        ("91240.11", 91_240_110_000, 91_240_110_000),
        ("1000000000000", 10**18, 10**18),
    ],
)
def test_what_is_above_zero_never_becomes_zero(text: str, floor: int, nearest: int) -> None:
    assert reference_u6(text, Rounding.FLOOR) == floor
    assert reference_u6(text, Rounding.NEAREST) == nearest


@pytest.mark.parametrize(
    "text",
    [
        *("", " ", ".", "5.", "-0", "-1", "+1", "1e5", "1E5", "NaN", "Infinity", "1e999", "0x10"),
        *("1_000", "1,5", " 1", "1 ", "1.2.3", "٣", "１", "²", "9" * 5000, "0." + "0" * 5000 + "1"),
        "1000000000000.000001",
    ],
)
@pytest.mark.parametrize("read", [px_u6, qty_u6, reference.best_px_u6, reference.traded_u6])
def test_a_hostile_numeral_is_refused(text: str, read: object) -> None:
    assert callable(read)
    with pytest.raises(WireError):
        read(text)


@given(st.text(max_size=30))
def test_any_text_is_a_number_in_range_or_refused(text: str) -> None:
    try:
        value = qty_u6(text)
    except WireError:
        return
    assert 0 <= value <= REFERENCE_U6_MAX
    assert text.isascii()


def test_a_price_of_zero_is_no_price_and_a_trade_of_nothing_no_trade() -> None:
    assert qty_u6("0.00000000") == 0
    assert reference.best_px_u6("0") == 0
    with pytest.raises(WireError, match="above zero"):
        px_u6("0.00")
    with pytest.raises(WireError, match="above zero"):
        reference.traded_u6("0.00")


def test_the_memo_of_numerals_is_emptied_at_its_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reference, "_MEMO_MAX", 10)
    sizes = [qty_u6(f"7.{n:06d}") for n in range(100)]
    assert sizes == [7_000_000 + n for n in range(100)]
    assert len(reference._SIZES) <= 10


# --- times ---------------------------------------------------------------------------------------


@given(st.datetimes(datetime(1970, 1, 1), datetime(2199, 12, 31, 23, 59, 59, 999_999)))  # noqa: DTZ001 hypothesis wants naive bounds
def test_times_agree_with_the_calendar_of_the_standard_library(naive: datetime) -> None:
    when = naive.replace(tzinfo=UTC)
    expected_ns = (when - EPOCH) // timedelta(microseconds=1) * 1_000
    assert iso_ns(when.strftime("%Y-%m-%dT%H:%M:%S.%fZ")) == expected_ns
    assert iso_ns(when.strftime("%Y-%m-%d %H:%M:%S.%f000 +0000 UTC")) == expected_ns


@pytest.mark.parametrize(
    ("text", "ns"),
    [
        ("1970-01-01T00:00:00Z", 0),
        ("2026-11-20T12:00:01.000214Z", 1_795_176_001_000_214_000),
        ("2026-11-20 12:00:01.000214007 +0000 UTC", 1_795_176_001_000_214_007),
        ("2026-11-20 12:00:01.000214 +0000 UTC m=+91717.525857105", 1_795_176_001_000_214_000),
        ("2026-04-07 14:30:10.000000000+00:00", 1_775_572_210_000_000_000),
        ("2024-02-29T23:59:59.9Z", 1_709_251_199_900_000_000),
    ],
)
def test_every_form_of_time_seen_is_read_exactly(text: str, ns: int) -> None:
    assert iso_ns(text) == ns


@pytest.mark.parametrize(
    "text",
    [
        *("", "now", "2026-11-20", "2026-11-20T12:00:01", "2026-11-20T12:00:01+02:00"),
        *("2026-02-30T00:00:00Z", "2025-02-29T00:00:00Z", "2100-02-29T00:00:00Z"),
        *("2026-13-01T00:00:00Z", "2026-00-01T00:00:00Z", "2026-01-00T00:00:00Z"),
        *("2026-01-01T24:00:00Z", "2026-01-01T00:60:00Z", "2026-01-01T00:00:60Z"),
        *("1969-12-31T23:59:59Z", "9999-01-01T00:00:00Z", "٢٠٢٦-11-20T12:00:01Z"),
        *("2026-11-20T12:00:0١Z", "2026-11-20T12:00:01.Z", "2026-11-20T12:00:01.1234567891Z"),
        *("2026-11-20T12:00:01Zx", "2026-11-20T12:00:01Z" * 100, "+026-11-20T12:00:01Z"),
    ],
)
def test_a_time_off_the_calendar_or_out_of_utc_is_refused(text: str) -> None:
    with pytest.raises(WireError, match="expected a"):
        iso_ns(text)


def test_epoch_times_are_milliseconds_or_microseconds_by_their_size() -> None:
    assert epoch_ns(1_795_190_401_140) == 1_795_190_401_140_000_000
    assert epoch_ns(1_795_190_401_140_007) == 1_795_190_401_140_007_000
    for value in (10**13, 10**14 - 1, 10**16, 2**63 - 1):
        with pytest.raises(WireError):
            epoch_ns(value)


# --- refusals ------------------------------------------------------------------------------------


def fault_of(data: bytes, error: Exception) -> WireFault:
    def read(conn: ConnId, data: bytes) -> list[Event]:
        raise error

    (event,) = guard(CONN, Feed.COINBASE, data, read)
    assert isinstance(event, WireFault)
    return event


def test_a_frame_above_the_limit_is_refused_unread() -> None:
    fault = fault_of(b" " * (FRAME_MAX + 1), AssertionError("was read"))
    assert fault.kind is FaultKind.TOO_LARGE


def test_a_frame_of_too_many_brackets_is_refused_before_it_costs_memory() -> None:
    fault = fault_of(b"[" * (NEST_MAX + 1) + b" " * (1 << 20), AssertionError("was read"))
    assert fault.kind is FaultKind.TOO_LARGE


def test_a_fault_shows_at_most_eighty_characters_of_the_offender() -> None:
    fault = fault_of(b"{}", WireError(expected="a price", got="\x1b" * 1000))
    assert fault.kind is FaultKind.BAD_NUMBER
    assert fault.got == "'" + "\\x1b" * 80 + "'…"


def test_a_fault_names_the_product_when_it_can_be_read() -> None:
    data = b'{"type":"l2update","product_id":"BTC-USD","changes":'
    assert fault_of(data, WireError(expected="", got="")).market == "BTC-USD"
    assert fault_of(b'{"product_id":7}', WireError(expected="", got="")).market == ""


def test_an_unknown_name_is_escaped_and_cut() -> None:
    assert ignored(CONN, Feed.BINANCE, "type:\x1b[31m").what == "type:\\x1b[31m"
    assert len(ignored(CONN, Feed.BINANCE, "type:" + "\x1b" * 500).what) == 80
