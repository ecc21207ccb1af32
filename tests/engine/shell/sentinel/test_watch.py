"""When the sentinel fires, told the time."""

from hypothesis import given
from hypothesis import strategies as st

from polytui.engine.shell.sentinel.watch import BEAT, FAREWELL, GRACE_NS, KILL, UNWELL, Watch

SECOND = 1_000_000_000
SILENT = 3 * SECOND


def watch() -> Watch:
    return Watch(silent_ns=SILENT, now_ns=0)


def test_silence_fires_once_and_a_beat_arms_it_again() -> None:
    it = watch()
    assert it.next_ns() == SILENT
    assert it.due(SILENT - 1) == ""
    assert it.due(SILENT) == "no healthy beat for 3.0 s"
    assert it.is_silent
    assert it.due(10 * SECOND) == ""
    assert it.next_ns() is None
    assert it.hear(BEAT, 20 * SECOND) == ""
    assert it.due(23 * SECOND - 1) == ""
    assert it.due(23 * SECOND).startswith("no healthy beat")


def test_beats_keep_it_quiet_and_unhealthy_ones_do_not() -> None:
    it = watch()
    for n in range(1, 100):
        assert it.hear(BEAT, n * SECOND) == ""
        assert it.due(n * SECOND) == ""
    it.hear(UNWELL, 101 * SECOND)
    assert it.due(102 * SECOND).startswith("no healthy beat for 3.0 s")
    it.hear(UNWELL * 5, 103 * SECOND)
    assert it.is_silent


def test_an_explicit_word_and_the_end_of_the_line_fire_at_once() -> None:
    it = watch()
    assert it.hear(BEAT + KILL, 1) == "the engine asked"
    assert it.hear(b"", 2) == "the engine's line ended"
    assert it.is_orphan


def test_a_farewell_ends_it_without_an_act() -> None:
    it = watch()
    assert it.hear(BEAT + FAREWELL, 1) == ""
    assert it.left
    assert it.hear(b"", 2) == ""
    assert it.due(100 * SECOND) == ""


def test_a_closed_latch_is_the_engines_for_a_second_and_then_ours_once() -> None:
    it = watch()
    it.see_latch(closed=True, now_ns=5)
    assert it.next_ns() == 5 + GRACE_NS
    assert it.due(4 + GRACE_NS) == ""
    it.hear(BEAT, GRACE_NS)
    assert it.due(5 + GRACE_NS) == "the kill latch is closed"
    it.see_latch(closed=True, now_ns=2 * GRACE_NS)
    assert it.due(3 * GRACE_NS) == ""
    it.see_latch(closed=False, now_ns=3 * GRACE_NS)
    it.see_latch(closed=True, now_ns=3 * GRACE_NS)
    it.hear(BEAT, 4 * GRACE_NS)
    assert it.due(4 * GRACE_NS) == "the kill latch is closed"


def test_a_latch_cleared_in_time_is_nobodys_business() -> None:
    it = watch()
    it.see_latch(closed=True, now_ns=0)
    it.see_latch(closed=False, now_ns=GRACE_NS - 1)
    it.hear(BEAT, GRACE_NS)
    assert it.due(GRACE_NS) == ""


@given(st.lists(st.tuples(st.integers(0, 2 * SECOND), st.sampled_from([BEAT, UNWELL, b"?"]))))
def test_it_is_never_silent_longer_than_it_may_be(steps: list[tuple[int, bytes]]) -> None:
    it, now, beat, fired = watch(), 0, 0, False
    for wait, word in steps:
        now += wait
        why = it.due(now)
        assert bool(why) is (not fired and now - beat >= SILENT)
        fired = fired or bool(why)
        it.hear(word, now)
        if word == BEAT:
            beat, fired = now, False
