"""C19: everything at once for half an hour, and nothing grows but the disk.

`make soak` runs it, `make soak MINUTES=10` for less. An armed engine trades on a venue with every
trouble of the tour, and clients of every kind come and go, one of them deaf. Between their visits,
when nobody is there, descriptors, threads, tasks and resident memory are read. A line through the
second half of the samples must be flat.
"""

import os
import signal
import time

import pytest

from tests.process.rig import Trader, stage, trading
from tests.process.soaking import HOUR_S, Sample, sample, second_half, slope, tend, visit
from tests.support.engines import assert_tidy
from tests.support.figures import show
from tests.support.scraping import free_port

LONG = "SOAK_MINUTES"
CONSOLE_EVERY = 5
"""Rounds of visits; a console comes in one of so many."""
PAUSE_S = 2.0
COUNTS_MAX = {"fds": 4.0, "tasks": 8.0, "threads": 1.0}
"""Most growth of a count over the whole second half. It sees more than a hundred rounds of visits,
so that one descriptor lost in thirty of them shows. A market that fell silent takes a connection of
its own, and the rolling one that ends every five minutes keeps it for an hour; it has two tasks."""
RSS_MAX_MB_PER_H = {"engine": 60.0, "venue": 96.0, "signer": 2.0, "sentinel": 2.0}
"""Most growth of resident memory. The guards keep nothing. The engine keeps histories of features,
ended orders, trades and the recorder's index, each up to a bound of its own that half an hour does
not reach; the venue keeps 200,000 ids and 50,000 trades. What leaks with each visit or each message
is more: a kilobyte a message would be 500 MB an hour here."""


def test_a_slope_is_the_rise_of_the_line_whatever_the_noise() -> None:
    at_s = [float(n) for n in range(100)]
    assert slope(at_s, [7.0] * 100) == 0
    assert slope(at_s, [3 * at + (5 if at % 2 else -5) for at in at_s]) == pytest.approx(
        3, abs=0.01
    )
    samples = [(at, {"x": at}) for at in at_s]
    assert second_half(samples)[0][0] == 50


@pytest.mark.slow
@pytest.mark.timeout(4 * 3_600)
@pytest.mark.skipif(LONG not in os.environ, reason=f"set {LONG}: `make soak`")
def test_c19_after_half_an_hour_of_everything_nothing_has_grown() -> None:
    port = free_port()
    sets = (f"metrics.port={port}", "capture.flush_ms=250")
    with (
        stage(singles=8, rate=60.0, scenario="tour") as (home, venue),
        trading(home, *sets, script="mix", most=20) as running,
    ):
        samples = soak(running, port, float(os.environ[LONG]) * 60)
        assert running.end(signal.SIGTERM) == 0
        made = len(venue.stop())
        assert_tidy(home)
    report(samples, made)
    assert samples[-1][1]["stale"] == 0, "no order on stale state"
    assert sum(s["armed"] for _, s in samples) > len(samples) / 2, "armed most of the time"
    assert not too_steep(samples)


def soak(running: Trader, port: int, duration_s: float) -> list[tuple[float, Sample]]:
    """Let visitors come and go; sample when nobody is there."""
    samples: list[tuple[float, Sample]] = []
    begun_s = time.monotonic()
    while (at_s := time.monotonic() - begun_s) < duration_s:
        samples.append((at_s, sample(running, port)))
        tend(running)
        visit(running, port, with_console=len(samples) % CONSOLE_EVERY == 0)
        time.sleep(PAUSE_S)
    return samples


def slopes(samples: list[tuple[float, Sample]]) -> dict[str, float]:
    """Fit every figure that must not grow; per hour."""
    half = second_half(samples)
    at_s = [at for at, _ in half]
    names = [name for name in half[0][1] if " " in name]
    return {name: slope(at_s, [seen.get(name, 0.0) for _, seen in half]) * HOUR_S for name in names}


def too_steep(samples: list[tuple[float, Sample]]) -> list[str]:
    """Name what grew beyond its bound."""
    half = second_half(samples)
    half_h = (half[-1][0] - half[0][0]) / HOUR_S
    found = []
    for name, rise in slopes(samples).items():
        role, _, what = name.partition(" ")
        most = RSS_MAX_MB_PER_H[role] if what == "rss" else COUNTS_MAX[what] / half_h
        if rise > most:
            found.append(f"{name}: {rise:+.1f} an hour, expected at most {most:.1f}")
    return found


def report(samples: list[tuple[float, Sample]], orders: int) -> None:
    """Print the course of every figure, and its slope."""
    last = samples[-1][1]
    show(
        f"soak: {samples[-1][0] / 60:.1f} min, {len(samples)} rounds of visits, {orders} orders, "
        f"{last['events']:,.0f} events, {last['dropped']:.0f} dropped"
    )
    marks = [samples[(len(samples) - 1) * n // 6][1] for n in range(7)]
    for name, rise in slopes(samples).items():
        course = " ".join(f"{seen.get(name, 0):8.1f}" for seen in marks)
        show(f"{name:18} {course}   {rise:+8.2f} an hour")
