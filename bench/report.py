"""Results: what one measurement says, as a JSON line for machines and a table row for people."""

import os
import platform
import shutil
import subprocess
import sys
from functools import cache
from pathlib import Path
from typing import TextIO

import msgspec
from msgspec import Struct

ROOT = Path(__file__).resolve().parents[1]


class Spread(Struct, frozen=True, kw_only=True):
    """Percentiles by wall clock, microseconds."""

    p50_us: float
    p99_us: float
    p999_us: float
    max_us: float


class Result(Struct, frozen=True, kw_only=True):
    """One measured figure with everything needed to read it later."""

    name: str
    """`benchmark/what/stream`."""
    value: float
    unit: str
    n: int
    """Messages, events or repetitions behind the value."""
    stream: str
    """What was fed, in words, its rate included."""
    console: str = "not attached"
    spread: Spread | None = None
    cpu: Spread | None = None
    """The same percentiles by processor time of the one thread, where that was taken too."""
    per_s: float | None = None
    """The same as a throughput, where the value is a cost."""
    baseline: str = ""
    """What the ratio compares with, measured in the same run."""
    ratio: float | None = None
    """Value over baseline: below one is better where the value is a cost."""
    goal: str = ""
    """The goal in words."""
    met: bool | None = None
    """None: no goal, or it could not be judged."""
    note: str = ""


class Machine(Struct, frozen=True, kw_only=True):
    """Where it was measured."""

    machine: str
    cores: int
    python: str
    rev: str
    """Git revision; a plus says that the tree was changed."""
    scheduling: str
    """`real-time` under `chrt -r 10`: what else a shared machine does stays out of the tails."""


@cache
def here() -> Machine:
    """Describe this machine, Python and tree."""
    return Machine(
        machine=_cpu_model(),
        cores=_cores(),
        python=platform.python_version(),
        rev=_revision(),
        scheduling=_scheduling(),
    )


def _cpu_model() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return platform.processor() or platform.machine()
    named = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return named[0] if named else platform.machine()


def _cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 0


def _scheduling() -> str:
    if not hasattr(os, "sched_getscheduler"):
        return "normal"
    return "real-time" if os.sched_getscheduler(0) in (os.SCHED_RR, os.SCHED_FIFO) else "normal"


def _revision() -> str:
    git = shutil.which("git")
    if git is None:
        return ""

    def ask(*arguments: str) -> str:
        done = subprocess.run(
            [git, *arguments], cwd=ROOT, capture_output=True, text=True, check=False
        )
        return done.stdout.strip() if done.returncode == 0 else ""

    changed = "+" if ask("status", "--porcelain") else ""
    return f"{ask('rev-parse', '--short', 'HEAD')}{changed}"


def write_line(result: Result, out: TextIO) -> None:
    """Write one JSON object on one line."""
    fields = {**msgspec.to_builtins(result), **msgspec.to_builtins(here())}
    out.write(msgspec.json.encode(fields).decode() + "\n")
    out.flush()


_HEAD = ("benchmark", "value", "per s", "p50 µs", "p99 µs", "p99.9 µs", "max µs", "ratio", "goal")


def write_table(results: list[Result], out: TextIO = sys.stderr) -> None:
    """Write all results for a person."""
    machine = here()
    rows = [_HEAD, *(_row(result) for result in results)]
    widths = [max(len(row[column]) for row in rows) for column in range(len(_HEAD))]
    out.write(
        f"{machine.machine}, {machine.cores} cores, Python {machine.python}, rev {machine.rev}, "
        f"{machine.scheduling} scheduling\n"
    )
    for row in rows:
        first, *others = row
        cells = [f"{cell:>{width}}" for cell, width in zip(others, widths[1:], strict=True)]
        out.write("  ".join([f"{first:<{widths[0]}}", *cells]).rstrip() + "\n")
    streams = dict.fromkeys(result.stream for result in results)
    out.writelines(f"stream: {stream}\n" for stream in streams)
    out.writelines(f"{result.name}: {result.note}\n" for result in results if result.note)


def _row(result: Result) -> tuple[str, ...]:
    spread = result.spread
    times = (
        ("", "", "", "")
        if spread is None
        else tuple(
            f"{us:,.1f}" if us < 1_000 else f"{us:,.0f}"
            for us in (spread.p50_us, spread.p99_us, spread.p999_us, spread.max_us)
        )
    )
    verdict = {None: "", True: " ok", False: " MISSED"}[result.met]
    return (
        result.name,
        f"{result.value:,.4g} {result.unit}" if result.value < 10_000 else _whole(result),
        "" if result.per_s is None else f"{result.per_s:,.0f}",
        *times,
        "" if result.ratio is None else f"{result.ratio:.3f}",
        f"{result.goal}{verdict}",
    )


def _whole(result: Result) -> str:
    return f"{result.value:,.0f} {result.unit}"
