from decimal import ROUND_CEILING, ROUND_FLOOR, Decimal
from fractions import Fraction
from math import ceil

import pytest
from hypothesis import given
from hypothesis import strategies as st

from polytui.engine.core import units
from polytui.engine.core.errors import WireError
from polytui.engine.core.units import (
    U6_MAX,
    U,
    ceil_to_tick_u6,
    cost_u6,
    fee_per_share_u6,
    fee_u6,
    floor_to_tick_u6,
    parse_price_u6,
    parse_u6,
    price_u6,
    proceeds_u6,
    qty_u6,
    text_u6,
    u6_from_float,
)

PRICES = st.integers(min_value=0, max_value=U)
SIZES = st.integers(min_value=0, max_value=10**13)


@given(st.integers(min_value=0, max_value=U6_MAX))
def test_every_amount_survives_writing_and_reading(value_u6: int) -> None:
    assert parse_u6(text_u6(value_u6)) == value_u6


@given(st.decimals(min_value=0, max_value=10**9, places=6))
def test_reading_agrees_with_decimal(value: Decimal) -> None:
    assert parse_u6(format(value, "f")) == int(value * U)


@pytest.mark.parametrize(
    ("text", "value_u6"),
    [(".48", 480_000), ("0.920", 920_000), ("30", 30 * U), ("0", 0), ("0.1000000000", 100_000)],
)
def test_the_venues_spellings_are_read(text: str, value_u6: int) -> None:
    assert parse_u6(text) == value_u6


HOSTILE = [
    "", ".", "-1", "+1", "-0", "1e5", "1E5", "NaN", "nan", "inf", "Infinity", " 1", "1 ", "1_000",
    "0x10", "1,5", "1.2.3", "30.", "..5", "٣", "1٣", "½", "²", "1.0000001", "9" * 5000,
    "0." + "0" * 5000, "1\x00", "1\n", "1e999", "--1", "0b1", "1000000001",
]  # fmt: skip


@pytest.mark.parametrize("text", HOSTILE)
def test_hostile_numerals_are_refused(text: str) -> None:
    for read in (parse_u6, qty_u6, price_u6):
        with pytest.raises(WireError):
            read(text)


@given(st.text(max_size=30))
def test_any_text_is_a_plain_decimal_or_refused(text: str) -> None:
    try:
        value_u6 = parse_u6(text)
    except WireError:
        return
    assert 0 <= value_u6 <= U6_MAX
    assert Decimal(text) * U == value_u6
    assert set(text) <= set("0123456789.")


def test_a_price_above_one_is_refused() -> None:
    assert parse_price_u6("1") == U
    with pytest.raises(WireError, match="price"):
        parse_price_u6("1.000001")


def test_a_message_carries_at_most_eighty_characters_of_the_offender() -> None:
    with pytest.raises(WireError) as caught:
        parse_u6("\x1b[31m" * 1000)
    assert len(str(caught.value)) < 500
    assert "\x1b" not in str(caught.value)


def test_the_memo_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(units, "_MEMO_MAX", 10)
    units.QTY_U6.clear()
    for n in range(100):
        assert qty_u6(f"{n}.5") == n * U + U // 2
    assert len(units.QTY_U6) <= 10


@given(PRICES, SIZES)
def test_costs_round_up_and_proceeds_round_down(px_u6: int, size_u6: int) -> None:
    exact = Decimal(px_u6) * Decimal(size_u6) / U
    assert cost_u6(px_u6, size_u6) == int(exact.to_integral_value(ROUND_CEILING))
    assert proceeds_u6(px_u6, size_u6) == int(exact.to_integral_value(ROUND_FLOOR))


@given(PRICES, st.sampled_from([100, 1_000, 2_500, 5_000, 10_000, 100_000]))
def test_bids_floor_and_asks_ceil_to_the_grid(px_u6: int, tick_u6: int) -> None:
    floor, ceil = floor_to_tick_u6(px_u6, tick_u6), ceil_to_tick_u6(px_u6, tick_u6)
    assert floor <= px_u6 <= ceil
    assert floor % tick_u6 == ceil % tick_u6 == 0
    assert ceil - floor in (0, tick_u6)


@pytest.mark.parametrize(
    ("shares", "price", "rate", "exponent", "fee"),
    [
        (100, "0.5", 70_000, 1, "1.75"),
        (100, "0.3", 70_000, 1, "1.47"),
        (100, "0.97", 50_000, 1, "0.1455"),
        (37.5, "0.423", 70_000, 1, "0.64069"),
        (100, "0.5", 250_000, 2, "1.5625"),
    ],
)
def test_fees_match_the_published_vectors(
    shares: float, price: str, rate: int, exponent: int, fee: str
) -> None:
    """TV-0 of the quantitative reference; 0.640686 rounds up before a trade."""
    charged = fee_u6(parse_u6(price), u6_from_float(shares), rate_u6=rate, exponent=exponent)
    assert charged == parse_u6(fee)


@given(PRICES, SIZES, st.integers(0, 250_000), st.integers(0, 2))
def test_fees_are_the_exact_formula_rounded_up(
    px_u6: int, size_u6: int, rate_u6: int, exponent: int
) -> None:
    p = Fraction(px_u6, U)
    curve = (p * (1 - p)) ** exponent
    steps = ceil(Fraction(size_u6, U) * Fraction(rate_u6, U) * curve * 100_000)
    assert fee_u6(px_u6, size_u6, rate_u6=rate_u6, exponent=exponent) == steps * 10
    per_share = fee_per_share_u6(px_u6, rate_u6=rate_u6, exponent=exponent)
    assert per_share == ceil(rate_u6 * curve)


@pytest.mark.parametrize("value", [float("nan"), float("inf"), -float("inf"), 1e300])
def test_an_infinite_opinion_never_becomes_money(value: float) -> None:
    with pytest.raises(WireError):
        u6_from_float(value)
