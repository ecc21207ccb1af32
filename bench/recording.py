"""The log: what recording costs the engine, what it weighs, how fast it is read and replayed.

A recording is made with the shell's own runner and recorder, then read back raw, read as records,
and replayed through the whole engine as `polytui replay` does.
"""

import json
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from itertools import chain
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from time import monotonic_ns, perf_counter_ns, process_time_ns, sleep, thread_time_ns
from typing import get_args

from msgspec import Struct

from bench import stream as streams
from bench.baseline import PlainBooks
from bench.hotpath import BASELINE, CONN, SHAPES
from bench.measure import quiet_collector, spread
from bench.report import Result, Spread
from bench.stream import Shape, Stream, Timed, generate, load_tape
from polytui.engine.core.commands import AnyCommand, Command
from polytui.engine.core.enums import Feed
from polytui.engine.core.events import ConnOpened, MarketListed, RunStarted
from polytui.engine.core.runconfig import CaptureConfig, RunConfig, RunnerConfig
from polytui.engine.machine import Engine
from polytui.engine.shell.capture import Capture, CaptureHealth
from polytui.engine.shell.clock import Anchor, read_anchor
from polytui.engine.shell.replaying import Request, play
from polytui.engine.shell.runner import Runner
from polytui.engine.shell.segments import Segment
from polytui.engine.shell.sequencer import Sequencer
from polytui.engine.shell.tapes import open_tape
from polytui.engine.sim.replay import Report

_QUEUE_MAX = 1 << 20
_BURST = 256
"""Records put at once before the writer gets time: more than a turn ever puts."""
_PAUSE_S = 0.02
_MIN_FRAMES_PER_S = 100_000


@contextmanager
def _recorder(anchor: Anchor) -> Iterator[tuple[Capture, Path]]:
    with TemporaryDirectory(prefix="polytui-bench-") as name:
        config = CaptureConfig(directory=name, queue_max=_QUEUE_MAX)
        capture = Capture(config, run="bench", anchor=anchor)
        try:
            yield capture, Path(name)
        finally:
            capture.close()


def _whole(health: CaptureHealth) -> CaptureHealth:
    assert health.complete, f"expected a whole recording, {health.lost} lost; {health.why}"
    return health


# --- putting and reading -------------------------------------------------------------------------


def run_capture(*, quick: bool) -> Iterator[Result]:
    """Measure the recorder by itself."""
    stream = generate("deep", Shape(messages=4_000 if quick else 50_000))
    described = f"deep: {stream.about}; in bursts of {_BURST}"
    with _recorder(read_anchor()) as (capture, directory):
        cost = _put_all(capture, stream)
        health = _whole(capture.close())
        plain_ns = _append_all(stream)
        n = len(stream.frames)
        yield Result(
            name="capture/put",
            value=cost.loop_ns,
            unit="ns CPU/record",
            n=n,
            stream=described,
            spread=cost.spread,
            baseline="append the same tuple to a deque",
            ratio=cost.loop_ns / plain_ns,
            goal="< 1 µs on the loop",
            met=cost.loop_ns < 1_000,
            note=f"the writer's thread takes {cost.writer_ns:,.0f} ns CPU per record besides",
        )
        raw = sum(len(data) for _, data in stream.frames)
        yield Result(
            name="capture/size",
            value=health.bytes / health.records,
            unit="bytes/record",
            n=health.records,
            stream=described,
            baseline="bytes as received",
            ratio=health.bytes / raw,
        )
        yield _read_back(directory, stream, described)


class _PutCost(Struct, frozen=True, kw_only=True):
    loop_ns: float
    """CPU of the loop's thread per record."""
    writer_ns: float
    spread: Spread


def _put_all(capture: Capture, stream: Stream) -> _PutCost:
    """Put in bursts with pauses; every other burst is timed as a whole, the rest put by put."""
    times: list[int] = []
    loop_ns = whole = 0
    before_ns, thread_before_ns = process_time_ns(), thread_time_ns()
    with quiet_collector():
        for place in range(0, len(stream.frames), _BURST):
            burst = stream.frames[place : place + _BURST]
            if place // _BURST % 2:
                times += _put_each(capture, burst)
            else:
                began_ns = thread_time_ns()
                for at_ns, data in burst:
                    _put(capture, at_ns, data)
                loop_ns += thread_time_ns() - began_ns
                whole += len(burst)
            sleep(_PAUSE_S)
    thread_ns = thread_time_ns() - thread_before_ns
    capture.close()
    writer_ns = process_time_ns() - before_ns - thread_ns
    return _PutCost(
        loop_ns=loop_ns / whole, writer_ns=writer_ns / len(stream.frames), spread=spread(times)
    )


def _put_each(capture: Capture, burst: Sequence[Timed]) -> list[int]:
    times: list[int] = []
    for at_ns, data in burst:
        began_ns = perf_counter_ns()
        _put(capture, at_ns, data)
        times.append(perf_counter_ns() - began_ns)
    return times


def _put(capture: Capture, at_ns: int, data: bytes) -> None:
    capture.frame(seq=1, wall_ns=at_ns, mono_ns=at_ns, conn=CONN, feed=Feed.POLYMARKET, data=data)


def _append_all(stream: Stream) -> float:
    """Do the least a queue can do, CPU nanoseconds per record."""
    queue: deque[tuple[int, int, int, int, int, bytes, int]] = deque()
    began_ns = process_time_ns()
    for at_ns, data in stream.frames:
        queue.append((16, CONN, 1, at_ns, at_ns, data, 0))
    return (process_time_ns() - began_ns) / len(stream.frames)


def _read_back(directory: Path, stream: Stream, described: str) -> Result:
    raw: list[float] = []
    typed: list[float] = []
    loaded: list[float] = []
    for _ in range(3):
        segments = [Segment(path) for path in sorted(directory.glob("*.polycap"))]
        raw.append(_each_ns(chain.from_iterable(segment.records() for segment in segments)))
        typed.append(_each_ns(open_tape([directory]).records()))
        loaded.append(_each_ns(json.loads(data) for _, data in stream.frames))
    return Result(
        name="capture/read",
        value=min(raw),
        unit="ns CPU/record",
        n=3 * len(stream.frames),
        stream=described,
        per_s=1e9 / min(raw),
        baseline="json.loads of the frame",
        ratio=min(raw) / min(loaded),
        note=f"as typed records of a tape: {1e9 / min(typed):,.0f} records/s",
    )


def _each_ns(records: Iterator[object]) -> float:
    """Exhaust an iterator, CPU nanoseconds per item."""
    with quiet_collector():
        began_ns = process_time_ns()
        n = sum(1 for _ in records)
        return (process_time_ns() - began_ns) / n


# --- recording a run, replaying it ---------------------------------------------------------------


class _Recorded(Struct, frozen=True, kw_only=True):
    loop_ns: float
    """CPU of the loop's thread per frame, turns and recording included."""
    spread: Spread
    """Of frames, from offered to decided, wall clock."""


def record_run(
    stream: Stream, capture: Capture, anchor: Anchor, *, frames_a_turn: int
) -> _Recorded:
    """Drive the shell's runner over a stream as fast as it goes."""
    runner = Runner(
        engine=Engine(),
        sequencer=Sequencer(anchor),
        capture=capture,
        config=RunnerConfig(),
        executors=_ignore_all(),
        wake=lambda: None,
        cut=lambda _conn: None,
    )
    runner.offer_event(RunStarted(run="bench", version="0", config=RunConfig()))
    runner.offer_event(ConnOpened(conn=CONN, feed=Feed.POLYMARKET, url="bench"))
    for spec in stream.markets:
        runner.offer_event(MarketListed(spec=spec))
    for data in stream.opening:
        _offer(runner, data)
    while runner.turn():
        pass
    times: list[int] = []
    with quiet_collector():
        began_ns = thread_time_ns()
        for start in range(0, len(stream.frames), frames_a_turn):
            tick_ns = perf_counter_ns()
            for _, data in stream.frames[start : start + frames_a_turn]:
                _offer(runner, data)
            while runner.turn():
                pass
            times.append(perf_counter_ns() - tick_ns)
        took_ns = thread_time_ns() - began_ns
    return _Recorded(loop_ns=took_ns / len(stream.frames), spread=spread(times))


def _offer(runner: Runner, data: bytes) -> None:
    now_ns = monotonic_ns()
    runner.offer_frame(CONN, Feed.POLYMARKET, data, mono_ns=now_ns, wall_ns=now_ns)


def _ignore_all() -> Mapping[type[Command], Callable[..., None]]:
    return dict.fromkeys(get_args(AnyCommand), _ignore)


def _ignore(_command: Command) -> None:
    """Carry nothing out: there is no venue."""


def run_replay(*, quick: bool) -> Iterator[Result]:
    """Record runs and replay them; replay the recorded tapes."""
    messages = 4_000 if quick else 50_000
    for name in ("shallow", "deep"):
        stream = generate(name, Shape(levels=SHAPES[name].levels, messages=messages))
        plain_ns = _plain_ns(stream)
        for frames_a_turn in (1, 16):
            yield from _record_and_replay(stream, frames_a_turn, plain_ns)
    for name, path in streams.TAPES.items():
        if why := streams.why_absent(name):
            yield Result(name=f"replay/{name}", value=0, unit="skipped", n=0, stream=name, note=why)
            continue
        tape = load_tape(name, None)
        yield _replayed(f"replay/{name}", [path], tape, _plain_ns(tape), rounds=1 if quick else 2)


def _record_and_replay(stream: Stream, frames_a_turn: int, plain_ns: float) -> Iterator[Result]:
    anchor = read_anchor()
    with _recorder(anchor) as (capture, directory):
        recorded = record_run(stream, capture, anchor, frames_a_turn=frames_a_turn)
        _whole(capture.close())
        what = f"{stream.name}-{frames_a_turn}"
        yield Result(
            name=f"runner/{what}",
            value=recorded.loop_ns,
            unit="ns CPU/frame",
            n=len(stream.frames),
            stream=f"{stream.name}: {stream.about}; turns of {frames_a_turn} frames, recorded",
            spread=recorded.spread,
            per_s=1e9 / recorded.loop_ns,
            baseline=BASELINE,
            ratio=recorded.loop_ns / plain_ns,
            note="percentiles are of whole turns",
        )
        yield _replayed(f"replay/{what}", [directory], stream, plain_ns, rounds=2)


def _replayed(
    name: str, paths: list[Path], stream: Stream, plain_ns: float, *, rounds: int
) -> Result:
    costs: list[float] = []
    report: Report | None = None
    for _ in range(rounds):
        began_ns = process_time_ns()
        report = play(open_tape(paths), Request(paths=tuple(str(path) for path in paths)))
        costs.append(float(process_time_ns() - began_ns))
    assert report is not None
    if report.parity is not None:
        assert report.parity.holds, f"expected the same decisions, {report.parity.first}"
    frames = sum(report.frames.values())
    frame_ns = min(costs) / frames
    event_ns = min(costs) / report.events
    return Result(
        name=name,
        value=frame_ns,
        unit="ns CPU/frame",
        n=frames * rounds,
        stream=f"{stream.name}: {stream.about}",
        per_s=1e9 / frame_ns,
        baseline=BASELINE,
        ratio=frame_ns / plain_ns,
        goal=f">= {_MIN_FRAMES_PER_S:,} frames/s",
        met=1e9 / frame_ns >= _MIN_FRAMES_PER_S,
        note=f"{1e9 / event_ns:,.0f} engine events/s, {report.turns:,} turns",
    )


def _plain_ns(stream: Stream) -> float:
    """Time the baseline over the same frames, CPU nanoseconds per frame."""
    costs: list[float] = []
    for _ in range(2):
        books = PlainBooks()
        for data in stream.opening:
            books.take(data)
        with quiet_collector():
            began_ns = process_time_ns()
            for _, data in stream.frames:
                books.take(data)
            costs.append((process_time_ns() - began_ns) / len(stream.frames))
    return median(costs)
