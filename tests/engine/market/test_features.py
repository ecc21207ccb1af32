import pytest
from hypothesis import given
from hypothesis import strategies as st

from polytui.engine.core.runconfig import RunConfig
from polytui.engine.core.units import U, parse_u6
from polytui.engine.market.features import (
    REGISTRY,
    VERSION,
    History,
    feature_vector,
    micro_price,
    order_flow_u6,
)
from tests.support.floor import Floor, PlainBook, small_book


def values(floor: Floor) -> dict[str, float | None]:
    tracked = floor.tracked
    history = floor.engine.histories.get(tracked.ix, History())
    rows = feature_vector(tracked, history, floor.now_ns)
    assert [row.name for row in rows] == [feature.name for feature in REGISTRY]
    assert {row.version for row in rows} == {VERSION}
    return {row.name: row.value for row in rows}


def touch(bid: str, bid_qty: int, ask: str, ask_qty: int) -> tuple[int, int, int, int]:
    return parse_u6(bid), bid_qty * U, parse_u6(ask), ask_qty * U


def test_the_micro_price_vector() -> None:
    """TV-4.1: bid .54×900, ask .56×300 gives .555."""
    assert micro_price(touch("0.54", 900, "0.56", 300)) == pytest.approx(0.555)


@pytest.mark.parametrize(
    ("old", "new", "flow"),
    [
        (touch("0.54", 900, "0.56", 300), touch("0.54", 700, "0.56", 450), -350),
        (touch("0.54", 900, "0.56", 300), touch("0.55", 200, "0.56", 300), 200),
    ],
)
def test_order_flow_vectors(old: tuple[int, ...], new: tuple[int, ...], flow: int) -> None:
    """TV-4.8."""
    assert order_flow_u6(old, new) == flow * U  # type: ignore[arg-type]  # four numbers each


def test_a_feature_without_a_value_is_none_never_zero() -> None:
    floor = Floor()
    assert {name for name, value in values(floor).items() if value is not None} == {"parity_share"}
    floor.frame(PlainBook({"0.4": "5"}, {}).frame(1))
    one_sided = values(floor)
    assert one_sided["mid"] is one_sided["imbalance_1"] is one_sided["spread"] is None
    assert one_sided["depth_bid_2c"] == 5


def test_book_features_of_a_small_book() -> None:
    floor = Floor()
    floor.frame(small_book().frame(1))
    got = values(floor)
    assert got["mid"] == 0.5
    assert got["spread"] == 2
    assert got["imbalance_1"] == pytest.approx(30 / 70)
    assert got["depth_bid_2c"] == pytest.approx(210.5)
    assert got["depth_ask_2c"] == pytest.approx(315.25)
    assert got["ask_sum_minus_one"] == pytest.approx(0.02)
    assert got["taker_fee"] == pytest.approx(0.07 * 0.51 * 0.49, abs=1e-6)
    assert got["momentum_1s"] is None


def test_momentum_and_flow_appear_once_their_look_back_is_covered() -> None:
    floor, book = Floor(), small_book()
    floor.frame(book.frame(1))
    assert values(floor)["ofi_1s"] is None
    floor.frame(book.change(2, [("BUY", "0.5", "10")]), after_ms=1500)
    got = values(floor)
    assert got["ofi_1s"] == pytest.approx(10)
    momentum = got["momentum_1s"]
    assert momentum is not None
    assert momentum > 0
    assert got["momentum_5s"] is got["momentum_300s"] is None


MOVES = st.lists(
    st.tuples(
        st.sampled_from(["0.47", "0.48", "0.49", "0.5"]),
        st.sampled_from(["0", "5", "80"]),
        st.integers(1, 3000),
    ),
    min_size=2,
    max_size=25,
)


@given(MOVES, st.integers(1, 24))
def test_no_feature_knows_the_future(moves: list[tuple[str, str, int]], cut: int) -> None:
    """Features at a moment from the log cut there equal those from the full log, bitwise."""

    def run(count: int) -> dict[str, float | None]:
        floor, book = Floor(RunConfig()), small_book()
        floor.frame(book.frame(1))
        at_cut: dict[str, float | None] = {}
        for n, (price, size, wait_ms) in enumerate(moves[:count]):
            floor.frame(book.change(n + 2, [("BUY", price, size)]), after_ms=wait_ms)
            if n == min(cut, len(moves)) - 1:
                at_cut = values(floor)
        return at_cut

    assert run(len(moves)) == run(min(cut, len(moves)))


@given(MOVES)
def test_the_history_is_bounded_and_flow_covers_ten_seconds(
    moves: list[tuple[str, str, int]],
) -> None:
    floor, book = Floor(), small_book()
    floor.frame(book.frame(1))
    for n, (price, size, wait_ms) in enumerate(moves):
        floor.frame(book.change(n + 2, [("BUY", price, size)]), after_ms=wait_ms)
    history = floor.engine.histories[floor.tracked.ix]
    assert all(floor.now_ns - at_ns <= 10_000_000_000 for at_ns, _ in history.flow)
