"""What clients cost the engine's loop: two admin and five view clients, one of them stopped.

One engine serves all of it. Stretches without a client and stretches with seven of them alternate;
in each of the latter one view client is stopped for the whole stretch. The figure is the service's
own loop lag, one percentile a window of ten seconds; compared are the medians of all windows.
"""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from statistics import median
from time import sleep

from msgspec import Struct

from bench.processes import EngineProcess, cpu_s, end, engine
from bench.report import Result, Spread
from polytui.engine.core.account_view import ORDERS, POSITIONS, RISK
from polytui.engine.core.view import (
    BOOK_PREFIX,
    DECISIONS,
    MARKETS,
    MODULES,
    STATUS,
    MarketsView,
    Percentiles,
)
from polytui.engine.shell.dial import Dialled
from polytui.engine.shell.latency import WINDOW_S
from polytui.engine.shell.places import ADMIN_SOCKET, VIEW_SOCKET
from polytui.engine.shell.publishing import TABLE_HZ

SOCKETS = (ADMIN_SOCKET,) * 2 + (VIEW_SOCKET,) * 5
"""Where the clients attach; the last one is stopped."""
TOPICS = (STATUS, MARKETS, DECISIONS, MODULES, RISK, ORDERS, POSITIONS)
"""What each watches, and the book of one market."""
RATE, MARKETS_SET = 500.0, 20
WARM_S = 4.0
CATCH_UP_S = 2.0
"""What the stopped one is given to read once it goes on."""
GOAL_RATIO = 1.5
RATE_SHARE = 0.9
"""Share of the pictures that others must have been sent."""
ONLOOKER = Path(__file__).with_name("onlooker.py")


class Seen(Struct, frozen=True):
    """What one client read, as it says itself."""

    shows: dict[str, int]
    bytes: int
    is_cut_off: bool
    took_s: float

    @property
    def hz(self) -> float:
        """Pictures a second of the status, which changes with every beat of the engine."""
        return self.shows.get(STATUS, 0) / self.took_s


class Stretch(Struct, frozen=True):
    """What a stretch showed: the lag of each window, and what the clients saw."""

    lags: list[Percentiles]
    cpu: float
    """What the engine took of a core, per cent; below zero: not known."""
    others: list[Seen]
    stopped: Seen | None


def run_clients(*, quick: bool) -> Iterator[Result]:
    """Measure the loop's lag without clients and with seven, in turns."""
    rounds, windows = (2, 1) if quick else (3, 6)
    told = {"practice.faults": "false", "practice.rate": RATE, "practice.markets": MARKETS_SET}
    alone: list[Stretch] = []
    watched: list[Stretch] = []
    with engine(told) as running:
        sleep(WARM_S)
        topics = (*TOPICS, BOOK_PREFIX + _some_market(running))
        for _ in range(rounds):
            alone.append(_alone(running, windows))
            watched.append(_watched(running, windows, topics))
    yield from _lags(alone, watched, stopped_s=windows * (WINDOW_S + 1))
    yield _rates(watched)


def _some_market(running: EngineProcess) -> str:
    with Dialled(running.directory / VIEW_SOCKET) as link:
        view = link.look(MARKETS)
    assert isinstance(view, MarketsView), f"expected markets, was {view!r}"
    return view.rows[0].market


def _windows(running: EngineProcess, count: int) -> tuple[list[Percentiles], float]:
    """Let windows pass, each on its own; read the lag of each, and the engine's processor time."""
    lags, before_s = [], cpu_s(running.pid)
    for _ in range(count):
        sleep(WINDOW_S + 1)
        lags.append(running.status().shell.loop_lag)
    after_s = cpu_s(running.pid)
    if before_s is None or after_s is None:
        return lags, -1.0
    return lags, (after_s - before_s) / (count * (WINDOW_S + 1)) * 100


def _alone(running: EngineProcess, count: int) -> Stretch:
    sleep(WARM_S)
    return Stretch(*_windows(running, count), [], None)


def _watched(running: EngineProcess, count: int, topics: tuple[str, ...]) -> Stretch:
    """Attach seven clients, stop the last, and measure; then let it go on for a moment."""
    with ExitStack() as stack:
        clients = [_attach(stack, running, name, topics) for name in SOCKETS]
        deaf = clients[-1]
        sleep(WARM_S)
        os.kill(deaf.pid, signal.SIGSTOP)
        try:
            lags, cpu = _windows(running, count)
        finally:
            os.kill(deaf.pid, signal.SIGCONT)
        sleep(CATCH_UP_S)
        *others, stopped = [_leave(client) for client in clients]
    return Stretch(lags, cpu, others, stopped)


def _attach(
    stack: ExitStack, running: EngineProcess, name: str, topics: tuple[str, ...]
) -> "subprocess.Popen[bytes]":
    command = [sys.executable, str(ONLOOKER), str(running.directory / name), *topics]
    client = stack.enter_context(subprocess.Popen(command, stdout=subprocess.PIPE))
    stack.callback(end, client)
    return client


def _leave(client: "subprocess.Popen[bytes]") -> Seen:
    client.terminate()
    said, _ = client.communicate()
    return Seen(**json.loads(said))


# --- results -------------------------------------------------------------------------------------


def _lags(alone: list[Stretch], watched: list[Stretch], *, stopped_s: int) -> Iterator[Result]:
    plain_us = median(lag.p99_us for stretch in alone for lag in stretch.lags)
    for what, stretches in (("alone", alone), ("seven", watched)):
        lags = [lag for stretch in stretches for lag in stretch.lags]
        p99_us = median(lag.p99_us for lag in lags)
        is_watched = stretches is watched
        yield Result(
            name=f"clients/loop-lag/{what}",
            value=p99_us,
            unit="µs p99",
            n=sum(lag.count for lag in lags),
            stream=f"practice venue set to {RATE:,.0f}/s, {MARKETS_SET} markets and more",
            console=f"2 admin, 5 view, one stopped {stopped_s} s" if is_watched else "not attached",
            spread=Spread(
                p50_us=median(lag.p50_us for lag in lags),
                p99_us=p99_us,
                p999_us=median(lag.p999_us for lag in lags),
                max_us=max(lag.max_us for lag in lags),
            ),
            baseline="the same engine without clients, in turns" if is_watched else "",
            ratio=p99_us / plain_us if is_watched else None,
            goal=f"ratio <= {GOAL_RATIO}" if is_watched else "",
            met=p99_us <= GOAL_RATIO * plain_us if is_watched else None,
            note="p99 of each window: "
            + ", ".join(f"{lag.p99_us:,}" for lag in lags)
            + f" µs; engine {median(s.cpu for s in stretches):.0f} % of a core",
        )


def _rates(watched: list[Stretch]) -> Result:
    """Report the slowest of those that read, and what became of the one that did not."""
    others = [seen for stretch in watched for seen in stretch.others]
    deaf = [stretch.stopped for stretch in watched if stretch.stopped is not None]
    slowest_hz = min(seen.hz for seen in others)
    held_back = all(seen.is_cut_off or seen.hz < RATE_SHARE * slowest_hz for seen in deaf)
    fate = "; ".join(
        "cut off"
        if seen.is_cut_off
        else f"conflated: {seen.shows.get(STATUS, 0)} pictures in {seen.took_s:.0f} s, "
        f"{seen.bytes / 1e6:.1f} MB"
        for seen in deaf
    )
    return Result(
        name="clients/pictures/slowest",
        value=slowest_hz,
        unit="pictures/s",
        n=len(others),
        stream=f"practice venue set to {RATE:,.0f}/s",
        console="2 admin, 4 view that read, 1 stopped",
        goal=f">= {RATE_SHARE * TABLE_HZ:g}; the stopped one is conflated or cut off",
        met=slowest_hz >= RATE_SHARE * TABLE_HZ and held_back and not _any_cut_off(others),
        note=f"those that read got {median(s.bytes for s in others) / 1e6:.1f} MB each; the "
        f"stopped one: {fate}",
    )


def _any_cut_off(seen: list[Seen]) -> bool:
    return any(one.is_cut_off for one in seen)
