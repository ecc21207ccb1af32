"""Replay from files: reads tapes, numbers their inputs, drives `sim.replay`, prints the account.

Replay reads no live clock for anything but pacing: engine time comes from the tape, so that speed
changes nothing. `--verify` runs the same replay in fresh processes with different hash seeds, and
in other Pythons if some are named, and compares everything the report holds.

Exit codes: 0 fine; 1 decisions of a recording were not derived again, or a verification failed;
2 the files or the request are wrong.
"""

import gc
import os
import subprocess
import sys
import threading
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Final, Literal, TextIO

import msgspec
from msgspec import Struct

import polytui
from polytui.engine.core.enums import Mode
from polytui.engine.core.errors import OperatorError, shown
from polytui.engine.core.events import RunStarted
from polytui.engine.core.runconfig import RunConfig
from polytui.engine.machine import Engine
from polytui.engine.shell import proofs
from polytui.engine.shell.clock import read_mono_ns, read_wall_ns
from polytui.engine.shell.lines import ns_from_iso
from polytui.engine.shell.records import Frame, Gap, Noted, TapeRecord, Told
from polytui.engine.shell.runner import IDLE_NS
from polytui.engine.shell.sequencer import Sequencer
from polytui.engine.shell.tapes import Tape, open_tape
from polytui.engine.sim.replay import Replay, Report

OK, BROKEN, BAD_INPUT = 0, 1, 2

Speed = float | Literal["max"]

HASH_SEEDS: Final = ("1", "2")
"""One fresh process each when verifying."""
PYTHONS_VARIABLE: Final = "REPLAY_PYTHONS"
"""Paths of further interpreters that have our dependencies."""
CHILD_S: Final = 3_600.0
"""A verification that takes longer is given up."""
_GC_THRESHOLD: Final = (50_000, 20, 100)
_SECOND = 1_000_000_000
_MS = 1_000_000
_MB = 1_000_000
SPEED_MAX: Final = 10_000.0


class Request(Struct, frozen=True, kw_only=True):
    """What to replay."""

    paths: tuple[str, ...]
    speed: Speed = "max"
    since_ns: int | None = None
    """What comes before is stepped for the state it leaves: not paced, not in the account."""
    until_ns: int | None = None
    config: RunConfig = RunConfig(mode=Mode.REPLAY)
    """For foreign tapes; a recording carries its own."""


class Outcome(Struct, frozen=True, kw_only=True):
    """What is printed as JSON."""

    report: Report
    notes: tuple[str, ...]
    """What the files lack, in sentences."""
    verified: bool | None
    """None: not asked for."""
    verdict: tuple[str, ...]
    """Why not verified, or how often."""


def run_replay(
    paths: Sequence[Path],
    *,
    speed: Speed = "max",
    since: int | None = None,
    until: int | None = None,
    verify: bool = False,
    json: bool = False,
    config: RunConfig | None = None,
    out: TextIO | None = None,
) -> int:
    """Replay files and print the account to `out` (standard output); return the exit code.

    `since` and `until` are engine time in nanoseconds (`when_ns` reads what an operator writes).
    `config` is for foreign tapes; a recording brings its own. Interpreters named in the
    environment variable `REPLAY_PYTHONS`, with colons between, verify besides this one.
    """
    out, err = out or sys.stdout, sys.stderr
    request = Request(
        paths=tuple(str(path) for path in paths),
        speed=speed,
        since_ns=since,
        until_ns=until,
        config=config or RunConfig(mode=Mode.REPLAY),
    )
    started_ns = read_mono_ns()
    try:
        tape = open_tape(paths)
        outcome = _verify(tape, request) if verify else _once(tape, request)
        _prove(tape, request, outcome)
    except OperatorError as error:
        err.write(f"{error}\n")
        return BAD_INPUT
    took_ns = max(read_mono_ns() - started_ns, 1)
    frames = sum(outcome.report.frames.values())
    err.write(f"{frames} frames in {took_ns / _SECOND:.1f} s\n")
    out.write((msgspec.json.encode(outcome).decode() if json else render(outcome)) + "\n")
    parity = outcome.report.parity
    broken = outcome.verified is False or (parity is not None and not parity.holds)
    return BROKEN if broken else OK


def when_ns(text: str) -> int:
    """Read a time that an operator wrote, ISO with UTC as the default, as engine time.

    Raises:
        OperatorError: it is no time.
    """
    try:
        return ns_from_iso(text, default=UTC)
    except ValueError:
        raise OperatorError(
            f"expected a time like 2026-04-13T15:35:00Z, was {shown(text)}"
        ) from None


# --- one replay ----------------------------------------------------------------------------------


def play(tape: Tape, request: Request) -> Report:
    """Take a new engine through a tape.

    Raises:
        OperatorError: the tape breaks off, or does not begin as a recording must.
    """
    sequencer = Sequencer(tape.anchor)
    replay = Replay(Engine(), stamp=sequencer.stamp, idle_ns=IDLE_NS, own=tape.own and tape.whole)
    pace = Pace(request.speed)
    since_ns = request.since_ns
    records = tape.records(until_ns=request.until_ns)
    with _quiet_collector():
        first = next(records, None)
        if first is None:
            raise OperatorError("expected at least one record to replay, was none")
        for record in _begin(tape, first, records, request):
            at_ns = tape.anchor.at_ns(record.mono_ns)
            if since_ns is not None and at_ns >= since_ns:
                since_ns = None
                replay.begin()
            if since_ns is None:
                pace.wait(at_ns)
            if tape.own:
                _take_own(record, replay, sequencer)
            else:
                _take_foreign(record, replay, sequencer)
        if since_ns is not None:
            raise OperatorError(
                f"expected records at or after {_iso(since_ns)}, the last is of {_iso(at_ns)}"
            )
        return replay.report(ended=tape.ended and request.until_ns is None)


def _begin(
    tape: Tape, first: TapeRecord, rest: Iterator[TapeRecord], request: Request
) -> Iterator[TapeRecord]:
    """Make sure that the log starts with `RunStarted`, which foreign tapes do not have."""
    if not tape.own:
        event = RunStarted(run=tape.run, version=polytui.__version__, config=request.config)
        yield Told(first.wall_ns, first.mono_ns, event)
    elif not isinstance(first, Told) or not isinstance(first.event, RunStarted):
        raise OperatorError(
            f"expected the recording of run {tape.run} to begin with RunStarted, was "
            f"{type(first).__name__}"
        )
    yield first
    yield from rest


def _take_own(record: TapeRecord, replay: Replay, sequencer: Sequencer) -> None:
    match record:
        case Frame() | Told():
            if record.seq != sequencer.seq + 1:
                replay.misplaced(recorded=record.seq, derived=sequencer.seq + 1)
            _take(record, replay, sequencer)
        case Noted():
            replay.noted(record.command)
        case Gap():
            replay.gap(record.lost)


def _take_foreign(record: TapeRecord, replay: Replay, sequencer: Sequencer) -> None:
    assert isinstance(record, Frame | Told), "foreign tapes hold frames and events only"
    replay.advance(record.mono_ns)
    _take(record, replay, sequencer)
    replay.turn(record.mono_ns)


def _take(record: Frame | Told, replay: Replay, sequencer: Sequencer) -> None:
    if isinstance(record, Frame):
        stamped = sequencer.frame(
            conn=record.conn, feed=record.feed, mono_ns=record.mono_ns, data=record.data
        )
        replay.frame(record.feed, len(record.data), stamped)
    else:
        replay.event(sequencer.stamp(record.mono_ns, record.event))


class Pace:
    """Holds a replay to a multiple of real time."""

    def __init__(self, speed: Speed) -> None:
        """Take a factor above zero, or `max` for no waiting.

        Raises:
            OperatorError: neither.
        """
        if speed != "max" and not 0 < speed <= SPEED_MAX:
            raise OperatorError(
                f"expected max or a speed above 0 and up to {SPEED_MAX}, was {speed}"
            )
        self._speed = speed
        self._start: tuple[int, int] | None = None
        self._never = threading.Event()

    def wait(self, at_ns: int) -> None:
        """Return when the time of a record has come."""
        if self._speed == "max":
            return
        now_ns = read_mono_ns()
        if self._start is None:
            self._start = (now_ns, at_ns)
        mono_ns, first_ns = self._start
        left_ns = mono_ns + (at_ns - first_ns) / self._speed - now_ns
        if left_ns > _MS:
            self._never.wait(left_ns / _SECOND)


@contextmanager
def _quiet_collector() -> Iterator[None]:
    """Keep the cycle collector from walking what a replay keeps anyway."""
    before = gc.get_threshold()
    gc.collect()
    gc.freeze()
    gc.set_threshold(*_GC_THRESHOLD)
    try:
        yield
    finally:
        gc.set_threshold(*before)
        gc.unfreeze()


def _once(tape: Tape, request: Request) -> Outcome:
    report = play(tape, request)
    return Outcome(report=report, notes=tape.notes(), verified=None, verdict=())


def _prove(tape: Tape, request: Request, outcome: Outcome) -> None:
    """Keep what a verification of a whole recording of ours came to, for engines to read."""
    report = outcome.report
    is_all = tape.own and tape.whole and request.since_ns is None and request.until_ns is None
    directory = tape.directory
    if outcome.verified is None or not is_all or directory is None:
        return
    parity = report.parity
    proofs.keep(
        directory,
        proofs.Proof(
            run=report.run,
            version=polytui.__version__,
            equal=outcome.verified,
            why="; ".join(outcome.verdict)[:500],
            bytes=proofs.size_of(directory, report.run),
            wall_ns=read_wall_ns(),
            events=report.events,
            compared=0 if parity is None else parity.compared,
            decisions_digest=report.decisions_digest,
            state_digest=report.state_digest,
        ),
    )


# --- verification --------------------------------------------------------------------------------


def _verify(tape: Tape, request: Request) -> Outcome:
    """Replay in fresh processes, two at a time, and compare their reports."""
    runs = [(sys.executable, seed) for seed in HASH_SEEDS]
    others = os.environ.get(PYTHONS_VARIABLE, "").split(os.pathsep)
    runs += [(python, HASH_SEEDS[0]) for python in others if python]
    reports: list[Report] = []
    for start in range(0, len(runs), 2):
        reports += _run_children(runs[start : start + 2], request)
    first = reports[0]
    verdict = [
        f"{python} with hash seed {seed} gives other {_differs(first, report)}"
        for (python, seed), report in zip(runs, reports, strict=True)
        if report != first
    ]
    if tape.own and not tape.whole:
        verdict.append("the beginning of the recording is gone, so its decisions cannot be derived")
    if first.lost:
        verdict.append(f"the recorder lost {first.lost} records, so decisions after them differ")
    if first.parity is not None and not first.parity.holds:
        verdict.append(f"decision parity is broken: {first.parity.first}")
    verified = not verdict
    if verified:
        verdict.append(f"{len(runs)} fresh processes agree in every count and digest")
    return Outcome(report=first, notes=tape.notes(), verified=verified, verdict=tuple(verdict))


def _differs(one: Report, other: Report) -> str:
    names = [
        name for name in Report.__struct_fields__ if getattr(one, name) != getattr(other, name)
    ]
    return ", ".join(names)


def _run_children(runs: Sequence[tuple[str, str]], request: Request) -> list[Report]:
    with ExitStack() as stack:
        children: list[subprocess.Popen[bytes]] = []
        for python, seed in runs:
            child = stack.enter_context(_start_child(python, seed, request))
            stack.callback(child.kill)
            children.append(child)
        return [_finish_child(child) for child in children]


def _start_child(python: str, seed: str, request: Request) -> subprocess.Popen[bytes]:
    root = str(Path(polytui.__file__).parents[1])
    env = {**os.environ, "PYTHONHASHSEED": seed, "PYTHONPATH": root}
    try:
        child = subprocess.Popen(  # noqa: S603  our own module, no shell, arguments by pipe
            [python, "-P", "-c", _CHILD],
            env=env,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
    except OSError as error:
        raise OperatorError(f"expected a Python to verify with, was {python}: {error}") from None
    assert child.stdin is not None
    with suppress(BrokenPipeError), child.stdin as pipe:
        pipe.write(msgspec.json.encode(request))
    child.stdin = None
    return child


def _finish_child(child: subprocess.Popen[bytes]) -> Report:
    try:
        answer, talk = child.communicate(timeout=CHILD_S)
    except subprocess.TimeoutExpired:
        raise OperatorError(f"expected a replay within {CHILD_S:g} s, it took longer") from None
    if child.returncode:
        last = talk.decode("utf-8", "backslashreplace").strip().rpartition("\n")[2]
        raise OperatorError(last or f"expected a replay, the process ended with {child.returncode}")
    return msgspec.json.decode(answer, type=Report)


_CHILD: Final = "from polytui.engine.shell.replaying import answer_as_child; answer_as_child()"


def answer_as_child() -> None:
    """Replay the request on standard input, answer with the report on standard output."""
    request = msgspec.json.decode(sys.stdin.buffer.read(), type=Request)
    try:
        report = play(open_tape([Path(path) for path in request.paths]), request)
    except OperatorError as error:
        sys.exit(str(error))
    sys.stdout.buffer.write(msgspec.json.encode(report))


# --- text ----------------------------------------------------------------------------------------


def render(outcome: Outcome) -> str:
    """Write the account for a person."""
    report = outcome.report
    frames = ", ".join(f"{feed} {count:,}" for feed, count in report.frames.items()) or "none"
    rows = [
        ("run", f"{report.run}, polytui {report.version}, seed {report.seed}"),
        ("window", f"{_iso(report.first_ns)} to {_iso(report.last_ns)}"),
        ("frames", f"{frames}; {report.frame_bytes / _MB:.1f} MB"),
        ("events", f"{report.events:,}, of them {report.turns:,} turns"),
        ("silence", f"longest {report.silence_ns / _SECOND:.3f} s{_from(report)}"),
        ("gaps", f"{report.gaps} in the recording, {report.lost} records lost"),
        ("missed", _counts(report.missed)),
        ("faults", f"{_counts(report.faults)}; unknown types or fields: {report.ignored:,}"),
        ("books", _counts(report.books)),
        ("incidents", _counts(report.incidents)),
        (
            "judged",
            f"{report.judged:,}, of them {report.recorded:,} news, {report.intents:,} intents",
        ),
        *(("", f"{count:>11,}  {name}") for name, count in report.decisions.items()),
        ("decisions", report.decisions_digest),
        ("state", report.state_digest),
    ]
    if (parity := report.parity) is not None:
        rows.append(
            ("parity", f"{parity.equal:,} of {parity.compared:,} recorded commands derived again")
        )
        if not parity.holds:
            rows.append(("", f"broken: {parity.first}"))
    rows += [("note", note) for note in outcome.notes]
    if outcome.verified is not None:
        rows.append(
            ("verified" if outcome.verified else "NOT VERIFIED", "; ".join(outcome.verdict))
        )
    return "\n".join(f"{name:<13}{text}".rstrip() for name, text in rows)


def _counts(counts: dict[str, int]) -> str:
    return ", ".join(f"{name} {count:,}" for name, count in counts.items()) or "none"


def _from(report: Report) -> str:
    return f", from {_iso(report.silence_at_ns)}" if report.silence_ns else ""


def _iso(at_ns: int) -> str:
    moment = datetime.fromtimestamp(at_ns // _SECOND, tz=UTC)
    return f"{moment:%Y-%m-%dT%H:%M:%S}.{at_ns % _SECOND // 1_000_000:03d}Z"
