"""Tick to decision in a real engine process, with a console attached and without; what each costs.

`practice` is `polytui serve --practice`, which makes its messages on the engine's own loop: times
count from when a message was handed over. `fed` is the same service with a venue in a process of
its own (`bench.fed`): times count from when the message was sent, so that sockets, the loop and
everything that waits are inside. Both are the service's own histogram, read over its socket.
"""

import os
import sys
import threading
from collections.abc import Iterator
from contextlib import ExitStack
from statistics import median
from time import sleep

from msgspec import Struct

from bench import fed
from bench.processes import Console, EngineProcess, busy_s, console, cpu_s, engine, polytui
from bench.report import Result, Spread
from bench.startup import is_overview
from bench.stream import Shape, Stream, generate
from polytui.engine.core.view import Percentiles
from polytui.engine.shell.latency import WINDOW_S

WARM_S = 4.0
"""Time for caches, listings and the console's first picture."""
PAINT_S = 30.0
GOAL_P99_US = 1_000
GOAL_RATIO = 1.5
GOAL_CONSOLE = 10.0
"""Per cent of a core at 4 Hz."""

QUIET = {"practice.faults": "false"}
"""Scripted trouble would show in the tails."""


class Window(Struct, frozen=True, kw_only=True):
    """What one window of ten seconds showed."""

    decision: Percentiles
    lag: Percentiles
    dropped: int
    engine_cpu: float
    """Per cent of a core; below zero: not known."""
    console_cpu: float
    others_cpu: float
    """What processes took that are none of ours."""


def _observe(running: EngineProcess, shown: Console | None) -> Window:
    """Let a whole window pass and read it."""
    sleep(WARM_S)
    pids = (running.pid, -1 if shown is None else shown.process.pid, os.getpid())
    before = [*(cpu_s(pid) for pid in pids), busy_s()]
    sleep(WINDOW_S + 1)
    after = [*(cpu_s(pid) for pid in pids), busy_s()]
    shell = running.status().shell
    engine_cpu, console_cpu, own_cpu, all_cpu = (
        -1.0 if a is None or b is None else (b - a) / (WINDOW_S + 1) * 100
        for a, b in zip(before, after, strict=True)
    )
    return Window(
        decision=shell.decision,
        lag=shell.loop_lag,
        dropped=shell.dropped,
        engine_cpu=engine_cpu,
        console_cpu=console_cpu,
        others_cpu=all_cpu - engine_cpu - max(console_cpu, 0) - own_cpu,
    )


def _attach(stack: ExitStack, running: EngineProcess) -> Console:
    arguments = polytui("attach", "--socket", str(running.admin))
    shown = stack.enter_context(console(arguments, shows=is_overview))
    assert shown.painted.wait(PAINT_S), f"expected a picture, was:\n{shown.text()}"
    return shown


def _practice(rate: float, markets: int, *, attached: bool) -> Window:
    told = {**QUIET, "practice.rate": rate, "practice.markets": markets}
    with ExitStack() as stack:
        running = stack.enter_context(engine(told))
        shown = _attach(stack, running) if attached else None
        return _observe(running, shown)


def _fed(stream: Stream, rate: float, *, attached: bool) -> tuple[Window, float]:
    """Feed an engine; return what it showed and the share of messages sent late."""
    late: list[float] = []
    with ExitStack() as stack:
        running = stack.enter_context(engine({}, [sys.executable, "-m", "bench.fed"]))
        path = running.directory / fed.SOCKET
        venue = threading.Thread(target=lambda: late.append(fed.send(stream, path, rate=rate)))
        venue.start()
        shown = _attach(stack, running) if attached else None
        window = _observe(running, shown)
        venue.join()
    return window, late[0]


# --- results -------------------------------------------------------------------------------------


def run_latency(*, quick: bool) -> Iterator[Result]:
    """Measure decisions at several rates, each without and with a console, in turns."""
    rounds = 1 if quick else 3
    for rate, markets in ((40.0, 8), (5_000.0, 100)):
        pairs = [
            (_practice(rate, markets, attached=False), _practice(rate, markets, attached=True))
            for _ in range(rounds)
        ]
        yield from _compared(f"practice-{rate:.0f}", pairs, f"practice venue set to {rate:,.0f}/s")


def _compared(what: str, pairs: list[tuple[Window, Window]], said: str) -> Iterator[Result]:
    """Report the least disturbed window of each kind: other work on the machine only adds."""
    alone, watched = [pair[0] for pair in pairs], [pair[1] for pair in pairs]
    plain_us = _calmest(alone).decision.p99_us
    for windows, state in ((alone, "not attached"), (watched, "attached, 4 Hz")):
        seen = _calmest(windows).decision
        lost = sum(window.dropped for window in windows)
        ratio = None if lost or not plain_us else seen.p99_us / plain_us
        is_watched = windows is watched
        yield Result(
            name=f"latency/{what}/{'console' if is_watched else 'alone'}",
            value=seen.p99_us,
            unit="µs p99",
            n=seen.count,
            stream=f"{said}; {seen.count / WINDOW_S:,.0f} messages/s arrived",
            console=state,
            spread=Spread(
                p50_us=seen.p50_us, p99_us=seen.p99_us, p999_us=seen.p999_us, max_us=seen.max_us
            ),
            baseline="the same without a console",
            ratio=ratio,
            goal=f"p99 < 1 ms, ratio <= {GOAL_RATIO}" if is_watched else "p99 < 1 ms",
            met=ratio is not None
            and seen.p99_us < GOAL_P99_US
            and (ratio <= GOAL_RATIO or not is_watched),
            note=_describe(windows, lost),
        )


def _calmest(windows: list[Window]) -> Window:
    return min(windows, key=lambda window: (window.dropped, window.decision.p99_us))


def _describe(windows: list[Window], lost: int) -> str:
    window = _calmest(windows)
    all_us = ", ".join(f"{each.decision.p99_us:,}" for each in windows)
    said = [
        f"p99 of each window of {WINDOW_S} s: {all_us} µs",
        f"loop lag p99 {window.lag.p99_us:,} µs",
        f"engine {window.engine_cpu:.0f} % of a core",
    ]
    if window.console_cpu >= 0:
        said.append(f"console {window.console_cpu:.1f} %")
    said.append(f"others {window.others_cpu:.0f} %")
    if lost:
        said.append(f"OVERLOADED: {lost:,} messages dropped")
    return ", ".join(said)


def run_fed(*, quick: bool) -> Iterator[Result]:
    """Measure from the venue's send to the decision, through a socket."""
    rounds = 1 if quick else 2
    for rate in (1_000.0, 5_000.0, 20_000.0):
        messages = int(rate * (WARM_S + WINDOW_S + 6))
        stream = generate("shallow", Shape(levels=10, messages=messages, rate=rate))
        pairs: list[tuple[Window, Window]] = []
        late: list[float] = []
        for _ in range(rounds):
            alone, late_alone = _fed(stream, rate, attached=False)
            watched, late_watched = _fed(stream, rate, attached=True)
            pairs.append((alone, watched))
            late += [late_alone, late_watched]
        said = f"{stream.about}; sent by another process, {median(late):.1%} late by 1 ms or more"
        yield from _compared(f"fed-{rate:.0f}", pairs, said)


def run_console_cpu(*, quick: bool) -> Iterator[Result]:
    """Measure what a console on the overview takes of a core."""
    rounds = 1 if quick else 2
    for rate, markets in ((40.0, 8), (5_000.0, 100)):
        windows = [_practice(rate, markets, attached=True) for _ in range(rounds)]
        share = median(window.console_cpu for window in windows)
        if share < 0:
            note = "processor time of another process needs /proc"
            yield Result(
                name="console-cpu", value=0, unit="skipped", n=0, stream="practice", note=note
            )
            return
        busy = median(window.engine_cpu for window in windows)
        yield Result(
            name=f"console-cpu/practice-{rate:.0f}",
            value=share,
            unit="% of a core",
            n=rounds,
            stream=f"practice venue set to {rate:,.0f}/s, {markets} markets and more",
            console="attached, overview at 4 Hz, 140x45",
            baseline="the engine's own share",
            ratio=share / busy,
            goal=f"<= {GOAL_CONSOLE:g} %",
            met=share <= GOAL_CONSOLE,
        )
