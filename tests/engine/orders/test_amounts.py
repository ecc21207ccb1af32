"""Amounts against an exact oracle and against the practice venue's own rules (fault B21)."""

from collections.abc import Iterator
from decimal import ROUND_DOWN, Decimal, localcontext
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from polytui.engine.core.enums import Side
from polytui.engine.core.order_enums import OrderType
from polytui.engine.core.rng import Rng
from polytui.engine.core.units import U, parse_u6
from polytui.engine.orders.amounts import LOT_U6, TICK_FINEST_U6, TICKS_U6, AmountError, amounts
from polytui.engine.sim.exchange.amounts import check_accuracy, check_tick, size_up
from polytui.engine.sim.exchange.api import OrderRequest

BUY, SELL = Side.BUY, Side.SELL
GTC, GTD, FAK, FOK = OrderType.GTC, OrderType.GTD, OrderType.FAK, OrderType.FOK
CENT = 10_000
ALL_TICKS = sorted(TICKS_U6)
Case = tuple[Side, int, int, OrderType, int]

sides = st.sampled_from(Side)
types = st.sampled_from(OrderType)
lots = st.integers(1, 10**7)


def oracle(side: Side, px_u6: int, qty_u6: int, order_type: OrderType) -> tuple[int, int]:
    """The rule of §5.2 in decimals, as a person would write it."""
    with localcontext() as context:
        context.prec = 60
        px, qty = Decimal(px_u6) / U, Decimal(qty_u6) / U
        size = qty.quantize(Decimal("0.01"), ROUND_DOWN)
        if order_type in (GTC, GTD):
            give, take = (size * px, size) if side is BUY else (size, size * px)
        elif side is BUY:
            give = (size * px).quantize(Decimal("0.01"), ROUND_DOWN)
            take = (give / px).quantize(Decimal("0.0001"), ROUND_DOWN)
        else:
            give, take = size, (size * px).quantize(Decimal("0.0001"), ROUND_DOWN)
        assert give * U == int(give * U)
        assert take * U == int(take * U)
        return int(give * U), int(take * U)


def request(case: Case) -> OrderRequest:
    side, px, qty, order_type, tick = case
    maker, taker = amounts(side, px, qty, order_type, tick)
    return OrderRequest(
        order_id="0x1",
        account="0x2",
        owner="k",
        token="t",
        side=side,
        maker_amount_u6=maker,
        taker_amount_u6=taker,
        order_type=order_type,
    )


def assert_lawful(case: Case) -> None:
    """Hold one case against the oracle and the venue: decimals, product, price read back."""
    side, px, qty, order_type, tick = case
    made = request(case)
    assert (made.maker_amount_u6, made.taker_amount_u6) == oracle(side, px, qty, order_type), case
    sizing = size_up(made, tick)
    assert sizing is not None
    assert check_accuracy(made, sizing, tick) is None, case
    if order_type.is_resting:
        assert check_tick(made, sizing, tick) is None, case
        assert (sizing.px_u6, sizing.qty_u6) == (px, qty - qty % LOT_U6), case
    elif side is BUY and made.maker_amount_u6 >= U:
        assert check_tick(made, sizing, tick) is None, case
        assert px <= sizing.limit_u6 < px + TICK_FINEST_U6, case
        assert sizing.cash_u6 * U <= px * qty, "a budget beyond size times limit"


def assert_price_is_kept(case: Case) -> None:
    """The price stated by a market type is off the limit by less than 0.0001 of its counter."""
    side, px, _, _, _ = case
    made = request(case)
    if side is BUY:
        ideal = Fraction(made.maker_amount_u6 * U, px)
    else:
        ideal = Fraction(made.maker_amount_u6 * px, U)
    assert 0 <= ideal - made.taker_amount_u6 < 100


def cases(count: int, seed: int) -> Iterator[Case]:
    """Random orders large enough to have lawful amounts."""
    rng = Rng(seed)
    kinds, both = tuple(OrderType), tuple(Side)
    for _ in range(count):
        tick = ALL_TICKS[rng.below(len(ALL_TICKS))]
        px = tick * rng.between(1, U // tick - 1)
        qty = rng.between(LOT_U6, 10 ** rng.between(6, 10))
        qty = max(qty, -(-2 * U * U // px))
        yield both[rng.below(2)], px, qty, kinds[rng.below(4)], tick


@pytest.mark.parametrize("size", ["0.29", "1.15", "8.20", "16.4", "4.35", "1.13", "2.01"])
def test_b21_sizes_that_floats_lose_a_hundredth_of_are_signed_whole(size: str) -> None:
    qty = parse_u6(size)
    for order_type in (GTC, GTD):
        maker, taker = amounts(BUY, 520_000, qty, order_type, CENT)
        assert (maker, taker) == (qty * 52 // 100, qty)
        assert amounts(SELL, 520_000, qty, order_type, CENT) == (taker, maker)
    assert amounts(SELL, 520_000, qty, FAK, CENT)[0] == qty


def test_b21_the_trap_is_real_in_floats() -> None:
    lost = [size for size in (0.29, 1.15, 8.20, 16.4) if int(size * 100) != round(size * 100)]
    assert lost == [0.29, 1.15, 8.20, 16.4]


@pytest.mark.parametrize(
    ("case", "expected"),
    [
        # Worked in the venue reference, §5.2.
        ((BUY, 520_000, 10 * U, GTC, CENT), (5_200_000, 10 * U)),
        ((BUY, 220_000, 19_690_000, GTC, CENT), (4_331_800, 19_690_000)),
        ((BUY, 70_000, 14_290_000, FAK, CENT), (1_000_000, 14_285_700)),
        ((SELL, 220_000, 19_690_000, FOK, CENT), (19_690_000, 4_331_800)),
        # A tick of 0.0001 states six decimals when it rests and four when it does not.
        ((BUY, 123_400, 10_010_000, GTD, 100), (1_235_234, 10_010_000)),
        ((BUY, 123_400, 10_010_000, FAK, 100), (1_230_000, 9_967_500)),
        ((SELL, 123_400, 10_010_000, FAK, 100), (10_010_000, 1_235_200)),
        # A size that is no whole lot is rounded down, never up.
        ((BUY, 500_000, 10_019_999, GTC, CENT), (5_005_000, 10_010_000)),
    ],
)
def test_amounts_worked_by_hand(case: Case, expected: tuple[int, int]) -> None:
    assert amounts(*case) == expected


def test_b20_a_market_buy_gives_dollars_and_a_sell_gives_shares() -> None:
    assert amounts(BUY, 250_000, 100 * U, FAK, CENT) == (25 * U, 100 * U)
    assert amounts(SELL, 250_000, 100 * U, FAK, CENT) == (100 * U, 25 * U)


@pytest.mark.parametrize(
    ("case", "expected"),
    [
        ((BUY, 525_000, 10 * U, GTC, CENT), "on the grid of 0.01 between 0.01 and 0.99, was 0.525"),
        ((BUY, 0, 10 * U, GTC, CENT), "between 0.01 and 0.99, was 0"),
        ((BUY, U, 10 * U, GTC, CENT), "between 0.01 and 0.99, was 1"),
        ((BUY, -CENT, 10 * U, GTC, CENT), "between 0.01 and 0.99, was -0.01"),
        ((BUY, 500_000, 10 * U, GTC, 20_000), "a tick of 0.0001, .*0.1, was 0.02"),
        ((BUY, 500_000, 10 * U, GTC, 0), "a tick of"),
        ((BUY, 500_000, 9_999, GTC, CENT), "a size of at least 0.01 share, was 0.009999"),
        ((SELL, 500_000, 0, FAK, CENT), "a size of at least 0.01 share, was 0"),
        ((SELL, 500_000, -5 * U, FAK, CENT), "a size of at least 0.01 share, was -5"),
        ((BUY, 500_000, 10**16, GTC, CENT), "a size of at least 0.01 share"),
        ((BUY, 10_000, 990_000, FAK, CENT), "FAK buy large enough"),
        ((BUY, 999_000, 20_000, FOK, 1_000), "FOK buy large enough"),
        ((BUY, 700_000, 30_000, FAK, 100), "FAK buy large enough"),
        ((SELL, 100, 10_000, FAK, 100), "FAK sell large enough"),
    ],
)
def test_what_has_no_lawful_amounts_is_refused_with_what_would_be_right(
    case: Case, expected: str
) -> None:
    with pytest.raises(AmountError, match=expected):
        amounts(*case)


@given(sides, st.sampled_from(ALL_TICKS), st.data(), lots, types)
def test_amounts_do_not_depend_on_the_tick_they_are_on(
    side: Side, tick: int, data: st.DataObject, lot_count: int, order_type: OrderType
) -> None:
    px = tick * data.draw(st.integers(1, U // tick - 1))
    qty = lot_count * LOT_U6
    try:
        made = amounts(side, px, qty, order_type, tick)
    except AmountError:
        with pytest.raises(AmountError):
            amounts(side, px, qty, order_type, TICK_FINEST_U6)
    else:
        assert amounts(side, px, qty, order_type, TICK_FINEST_U6) == made


@given(
    sides,
    st.integers(-U, 2 * U) | st.integers(1, 99).map(lambda cents: cents * CENT),
    st.integers(-U, 10**13),
    types,
    st.sampled_from(ALL_TICKS) | st.integers(-U, U),
)
def test_any_integers_give_lawful_amounts_or_a_sentence(
    side: Side, px: int, qty: int, order_type: OrderType, tick: int
) -> None:
    try:
        maker, taker = amounts(side, px, qty, order_type, tick)
    except AmountError:
        return
    assert 0 < maker <= qty
    assert 0 < taker <= qty
    assert tick <= px <= U - tick


def test_b21_random_orders_equal_exact_arithmetic_and_pass_the_venue() -> None:
    for case in cases(20_000, seed=1):
        assert_lawful(case)
        if not case[3].is_resting:
            assert_price_is_kept(case)


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_b21_a_million_random_orders_equal_exact_arithmetic_and_pass_the_venue() -> None:
    for case in cases(1_000_000, seed=2):
        assert_lawful(case)


def test_b21_every_price_of_the_cent_grid_with_small_sizes() -> None:
    for cents in range(1, 100):
        for lot in (*range(500, 540), 1_640, 5_000):
            assert_lawful((BUY, cents * CENT, lot * LOT_U6, GTC, CENT))
            assert_lawful((SELL, cents * CENT, lot * LOT_U6, GTC, CENT))


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_b21_720_thousand_pairs_of_size_and_price() -> None:
    """Every size of 0.01 to 80 shares with 90 prices: the pairs of which floats lose 47,138."""
    prices = [*range(1, 46), *range(55, 100)]
    for lot in range(1, 8_001):
        qty = lot * LOT_U6
        for cents in prices:
            px = cents * CENT
            maker, taker = amounts(BUY, px, qty, GTC, CENT)
            assert maker * U == px * qty
            assert taker == qty
            assert amounts(SELL, px, qty, GTD, CENT) == (qty, maker)
