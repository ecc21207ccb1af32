"""Timers, randomness, and the shape of the vocabulary."""

from enum import Enum

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from polytui.engine.core import enums
from polytui.engine.core.commands import AnyCommand
from polytui.engine.core.events import AnyEvent
from polytui.engine.core.messages import ClientMessage, ServerMessage
from polytui.engine.core.rng import Rng
from polytui.engine.core.timers import Timers


@given(st.lists(st.tuples(st.sampled_from("abcdef"), st.integers(0, 100))))
def test_timers_run_in_time_order_and_only_their_latest_setting(
    settings: list[tuple[str, int]],
) -> None:
    timers = Timers()
    expected: dict[str, int] = {}
    for name, due in settings:
        timers.set(name, due)
        expected[name] = due
    assert len(timers) == len(expected)
    assert timers.next_due_ns() == (min(expected.values()) if expected else None)
    ran = timers.pop_due(50)
    assert ran == sorted(
        (n for n, d in expected.items() if d <= 50), key=lambda n: (expected[n], n)
    )
    assert len(timers) == len(expected) - len(ran)


def test_a_cancelled_timer_never_runs() -> None:
    timers = Timers()
    timers.set("a", 1)
    timers.cancel("a")
    timers.cancel("never set")
    assert timers.pop_due(10) == []


def test_the_generator_is_pinned_to_its_published_numbers() -> None:
    """First outputs of splitmix64 for seed 1234567 (Vigna's reference implementation)."""
    rng = Rng(1234567)
    assert [rng.next_u64() for _ in range(3)] == [
        6457827717110365317,
        3203168211198807973,
        9817491932198370423,
    ]


@given(st.integers(0, 2**63), st.integers(1, 1000))
def test_draws_stay_in_range(seed: int, limit: int) -> None:
    rng = Rng(seed)
    assert 0 <= rng.below(limit) < limit
    assert 5 <= rng.between(5, 5 + limit) <= 5 + limit
    assert 0.0 <= rng.unit() < 1.0


def test_a_fork_does_not_move_its_parent_and_depends_on_its_name() -> None:
    a, b = Rng(7), Rng(7)
    a.fork("x").next_u64()
    assert a.next_u64() == b.next_u64()
    assert Rng(7).fork("x").next_u64() != Rng(7).fork("y").next_u64()


def test_every_closed_set_has_distinct_tags() -> None:
    for union in (AnyEvent, AnyCommand, ClientMessage, ServerMessage):
        msgspec.json.Decoder(union)


def test_enums_are_lowercase_strings() -> None:
    for name in dir(enums):
        kind = getattr(enums, name)
        if isinstance(kind, type) and issubclass(kind, Enum) and kind is not Enum:
            assert all(m.value == m.value.lower() and " " not in m.value for m in kind)
