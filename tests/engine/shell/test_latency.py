from math import ceil

import pytest
from hypothesis import given
from hypothesis import strategies as st

from polytui.engine.core.view import Percentiles
from polytui.engine.shell.latency import WINDOW_S, Latencies

SECOND_NS = 1_000_000_000
AT_NS = 1_000 * SECOND_NS


def test_nothing_measured_reads_as_nothing() -> None:
    assert Latencies().read(mono_ns=AT_NS) == Percentiles()


@given(st.lists(st.integers(min_value=0, max_value=100_000_000_000), min_size=1, max_size=300))
def test_percentiles_are_never_below_the_truth_and_at_most_a_sixteenth_above(
    values: list[int],
) -> None:
    latencies = Latencies()
    for value in values:
        latencies.record(value, mono_ns=AT_NS)
    read = latencies.read(mono_ns=AT_NS)
    ordered = sorted(value // 1_000 for value in values)
    for share, shown in ((0.5, read.p50_us), (0.99, read.p99_us), (0.999, read.p999_us)):
        truth = ordered[ceil(len(ordered) * share) - 1]
        assert truth <= shown <= truth + truth // 16 + 1
    assert read.count == len(values)
    assert read.max_us == ceil(max(values) / 1_000)


def test_values_leave_with_their_second() -> None:
    latencies = Latencies()
    for second in range(15):
        latencies.record((second + 1) * 1_000_000, mono_ns=AT_NS + second * SECOND_NS)
    at_ns = AT_NS + 14 * SECOND_NS
    assert latencies.read(mono_ns=at_ns).count == WINDOW_S
    assert latencies.read(mono_ns=at_ns + 9 * SECOND_NS).count == 1
    assert latencies.read(mono_ns=at_ns + 10 * SECOND_NS) == Percentiles()


def test_a_long_silence_empties_the_window() -> None:
    latencies = Latencies()
    latencies.record(5_000, mono_ns=AT_NS)
    latencies.record(7_000, mono_ns=AT_NS + 3_600 * SECOND_NS)
    read = latencies.read(mono_ns=AT_NS + 3_600 * SECOND_NS)
    assert (read.count, read.max_us) == (1, 7)


@pytest.mark.parametrize("value_ns", [0, 10**18])
def test_no_value_is_outside_the_buckets(value_ns: int) -> None:
    latencies = Latencies()
    latencies.record(value_ns, mono_ns=AT_NS)
    assert latencies.read(mono_ns=AT_NS).count == 1
