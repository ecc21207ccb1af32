"""The two maker models (`replay.md`)."""

from hypothesis import given
from hypothesis import strategies as st

from polytui.engine.sim.paper.queues import Averse, Probabilistic

U = 1_000_000
Step = tuple[str, int]

steps = st.lists(
    st.tuples(st.sampled_from(["print", "level"]), st.integers(0, 500 * U)), max_size=60
)


def test_only_prints_reach_an_averse_order_and_only_after_all_that_was_ahead() -> None:
    queue = Averse(100 * U)
    queue.on_level(100 * U, 90 * U)
    assert queue.front_u6 == 90 * U
    assert queue.on_print(80 * U) == 0
    assert queue.on_print(15 * U) == 5 * U
    assert queue.on_print(3 * U) == 3 * U


def test_a_drop_of_the_level_alone_never_fills_anybody() -> None:
    for model in (Averse, Probabilistic):
        queue = model(100 * U)
        queue.on_level(100 * U, 0)
        assert queue.front_u6 == 0
        assert queue.on_print(0) == 0


def test_a_trade_is_not_counted_once_as_a_print_and_again_as_a_drop() -> None:
    """Ahead 50, behind 50; 30 trade, and the level falls by those 30: nobody else left."""
    queue = Probabilistic(50 * U)
    queue.on_level(50 * U, 100 * U)
    assert queue.on_print(30 * U) == 0
    queue.on_level(100 * U, 70 * U)
    assert queue.front_u6 == 20 * U


def test_an_unexplained_drop_is_shared_between_ahead_and_behind() -> None:
    queue = Probabilistic(50 * U)
    queue.on_level(50 * U, 100 * U)
    queue.on_level(100 * U, 80 * U)
    assert queue.front_u6 == 40 * U


def test_a_drop_that_exceeds_what_is_behind_comes_out_of_the_front() -> None:
    queue = Probabilistic(90 * U)
    queue.on_level(90 * U, 100 * U)
    queue.on_level(100 * U, 30 * U)
    assert queue.front_u6 <= 30 * U


@given(st.integers(0, 500 * U), steps)
def test_averse_fills_are_a_subset_of_probabilistic_fills(shown_u6: int, tape: list[Step]) -> None:
    averse, likely = Averse(shown_u6), Probabilistic(shown_u6)
    was_u6, filled = shown_u6, [0, 0]
    for kind, value in tape:
        if kind == "print":
            filled[0] += averse.on_print(value)
            filled[1] += likely.on_print(value)
        else:
            averse.on_level(was_u6, value)
            likely.on_level(was_u6, value)
            was_u6 = value
        assert averse.front_u6 >= likely.front_u6 >= 0
        assert filled[0] <= filled[1]
