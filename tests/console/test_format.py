import pytest
from hypothesis import given
from hypothesis import strategies as st

from polytui import format as fmt
from polytui.engine.core.enums import BookState, FeedState, ModuleStatus, Proof, Unit, Verdict
from tests.console.views import HOSTILE

S = 10**9


@pytest.mark.parametrize(
    ("px_u6", "tick_u6", "text"),
    [
        (480_000, 10_000, ".48"),
        (500_000, 10_000, ".50"),
        (438_000, 1_000, ".438"),
        (437_500, 2_500, ".4375"),
        (435_000, 5_000, ".435"),
        (181_300, 100, ".1813"),
        (481_000, 10_000, ".481"),
        (1_000_000, 10_000, "1.00"),
        (0, 10_000, ".00"),
        (-1, 10_000, "-"),
    ],
)
def test_a_price_has_the_precision_of_its_tick_and_loses_nothing(
    px_u6: int, tick_u6: int, text: str
) -> None:
    assert fmt.price(px_u6, tick_u6) == text


@pytest.mark.parametrize(
    ("qty_u6", "text"),
    [
        (None, "-"),
        (0, "0"),
        (1, "<.1"),
        (12_500_000, "12.5"),
        (820_000_000, "820"),
        (1_400_000_000, "1.4k"),
        (12_340_000_000, "12k"),
        (2_500_000_000_000, "2.5M"),
    ],
)
def test_sizes_are_short(qty_u6: int | None, text: str) -> None:
    assert fmt.qty(qty_u6) == text


@given(st.integers(min_value=0, max_value=10**15))
def test_every_size_fits_its_column(qty_u6: int) -> None:
    assert len(fmt.qty(qty_u6)) <= 5


@pytest.mark.parametrize(
    ("age_ns", "text"),
    [
        (None, "-"),
        (-5, "0ms"),
        (84 * 10**6, "84ms"),
        (1_200 * 10**6, "1.2s"),
        (47 * S, "47s"),
        (99 * S, "99s"),
        (180 * S, "3m"),
        (2 * 3600 * S, "2h"),
        (4 * 86_400 * S, "4d"),
    ],
)
def test_ages_are_words(age_ns: int | None, text: str) -> None:
    assert fmt.age(age_ns) == text


@given(st.integers(min_value=0, max_value=10**17))
def test_every_age_fits_its_column(age_ns: int) -> None:
    assert len(fmt.age(age_ns)) <= 5


def test_what_is_absent_is_never_a_number() -> None:
    assert fmt.margin(None) == "-"
    assert fmt.percent(None) == "-"
    assert fmt.score(None, Unit.PRICE) == "-"
    assert fmt.score(float("nan"), Unit.PRICE) == "?"
    assert fmt.spread(-1, 500_000, 10_000) == "-"
    assert fmt.micros(None) == "-"
    assert fmt.ticks(1, 0) == "?"


def test_margins_carry_their_sign() -> None:
    assert fmt.margin(-4_100) == "-.0041"
    assert fmt.margin(4_100) == "+.0041"
    assert fmt.margin(1_500_000) == "+1.5000"
    assert fmt.score(-0.25, Unit.RATIO) == "-.250"


def test_a_crossed_spread_is_negative() -> None:
    assert fmt.spread(500_000, 480_000, 10_000) == "-2"
    assert fmt.spread(480_000, 500_000, 10_000) == "2"
    assert fmt.spread(480_000, 485_000, 10_000) == "0.5"


def test_clocks_are_utc() -> None:
    assert fmt.clock(1_795_269_731 * S) == "14:02:11"


@pytest.mark.parametrize("text", HOSTILE)
def test_foreign_text_comes_out_plain_and_stays_so(text: str) -> None:
    once = fmt.foreign(text)
    assert fmt.foreign(once) == once
    assert all(char.isprintable() for char in once)
    assert fmt.cells(once) == sum(fmt.cells(char) for char in once)


@given(st.text(max_size=300), st.integers(min_value=0, max_value=60))
def test_any_text_is_cut_and_padded_to_its_cells(text: str, width: int) -> None:
    clean = fmt.foreign(text)
    assert fmt.foreign(clean) == clean
    assert fmt.cells(fmt.cut(clean, width)) <= width
    assert fmt.cells(fmt.pad(clean, width)) == width
    assert fmt.cells(fmt.pad(clean, width, right=True)) == width


def test_flags_become_letters_and_skin_tones_go() -> None:
    assert fmt.foreign("🇺🇸 wins 👍🏽 1️⃣") == "US wins 👍 1"


def test_a_mark_without_a_base_cannot_smear_over_its_neighbour() -> None:
    assert fmt.foreign("\u0301leading") == "leading"


def test_ids_keep_both_ends() -> None:
    assert fmt.short_id("0x71aa30000000000000c2", 12) == "0x71aa3..0c2"
    assert fmt.short_id("short") == "short"


def test_every_state_has_a_glyph_and_a_word() -> None:
    assert set(fmt.BOOK_STATE) == set(BookState)
    assert set(fmt.FEED_STATE) == set(FeedState)
    assert set(fmt.MODULE_STATUS) == set(ModuleStatus)
    assert set(fmt.PROOF) == set(Proof)
    assert set(fmt.VERDICT) == set(Verdict)
