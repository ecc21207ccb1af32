"""How things are timed: throughput by CPU time, percentiles by wall clock, rivals side by side.

Rivals race in rounds, one after the other within each round. A stream is timed in pieces, and of
each piece the cheapest round counts: what others do on the machine meanwhile costs caches and
clock, never the other way round, so the least disturbed figure is the truest. The garbage collector
is set as the engine's process sets it.
"""

import gc
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from time import perf_counter_ns, process_time_ns

from msgspec import Struct

from bench.report import Spread
from bench.stream import Stream
from polytui.engine.shell.heap import GC_THRESHOLDS

Handle = Callable[[int, bytes], object]
"""Takes (our time in ns, one message)."""
Prepare = Callable[[Stream], Handle]
"""Builds a rival with empty state."""


PIECE = 250
"""Messages timed together."""


class Lap(Struct, frozen=True, kw_only=True):
    """One rival's costs."""

    best_ns: float
    """CPU nanoseconds per message, each piece in its cheapest round."""
    spread: Spread
    """Of single messages, wall clock, in one round."""


def race(stream: Stream, rivals: Mapping[str, Prepare], rounds: int) -> dict[str, Lap]:
    """Time every rival over the whole stream, in interleaved rounds."""
    spreads = {name: _spread_of(stream, prepare) for name, prepare in rivals.items()}
    best: dict[str, list[int]] = {}
    for _ in range(rounds):
        for name, prepare in rivals.items():
            pieces = _pieces_ns(stream, prepare)
            best[name] = list(map(min, pieces, best.get(name, pieces)))
    return {
        name: Lap(best_ns=sum(pieces) / len(stream.frames), spread=spreads[name])
        for name, pieces in best.items()
    }


def _pieces_ns(stream: Stream, prepare: Prepare) -> list[int]:
    """Take the whole stream once; return the CPU time of each piece."""
    handle = _opened(stream, prepare)
    frames = stream.frames
    times: list[int] = []
    with quiet_collector():
        for place in range(0, len(frames), PIECE):
            piece = frames[place : place + PIECE]
            start_ns = process_time_ns()
            for at_ns, data in piece:
                handle(at_ns, data)
            times.append(process_time_ns() - start_ns)
    return times


def _spread_of(stream: Stream, prepare: Prepare) -> Spread:
    handle = _opened(stream, prepare)
    times: list[int] = [0] * len(stream.frames)
    with quiet_collector():
        for place, (at_ns, data) in enumerate(stream.frames):
            start_ns = perf_counter_ns()
            handle(at_ns, data)
            times[place] = perf_counter_ns() - start_ns
    return spread(times)


def _opened(stream: Stream, prepare: Prepare) -> Handle:
    handle = prepare(stream)
    for data in stream.opening:
        handle(stream.frames[0][0], data)
    return handle


@contextmanager
def quiet_collector() -> Iterator[None]:
    """Set the collector as the engine's process does: old objects frozen, rare collections."""
    before = gc.get_threshold()
    gc.collect()
    gc.freeze()
    gc.set_threshold(*GC_THRESHOLDS)
    try:
        yield
    finally:
        gc.set_threshold(*before)
        gc.unfreeze()


def spread(times_ns: Sequence[int]) -> Spread:
    """Summarise durations by nearest rank."""
    ordered = sorted(times_ns)

    def at(share: float) -> float:
        return ordered[max(0, -(-len(ordered) * int(share * 1_000) // 1_000) - 1)] / 1_000

    return Spread(p50_us=at(0.5), p99_us=at(0.99), p999_us=at(0.999), max_us=ordered[-1] / 1_000)
