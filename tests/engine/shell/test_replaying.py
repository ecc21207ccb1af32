import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import msgspec
import pytest
from msgspec.structs import replace

from polytui.engine.core.commands import RecordDecision
from polytui.engine.core.errors import OperatorError
from polytui.engine.core.events import Event, Stamped, Turn
from polytui.engine.shell.clock import read_mono_ns
from polytui.engine.shell.replaying import (
    PYTHONS_VARIABLE,
    Outcome,
    Request,
    play,
    run_replay,
    when_ns,
)
from polytui.engine.shell.segments import Segment
from polytui.engine.shell.tapes import open_tape
from polytui.engine.sim.replay import Report
from tests.engine.shell.test_tapes import BAD
from tests.support.floor import MS, START_NS
from tests.support.taping import ANCHOR, Recorder, market_frames, record, write_tape

FRAMES = market_frames(seed=11, count=400)

GOLDEN_DECISIONS = {
    "box blocked crossed": 14,
    "box blocked wire_fault": 2,
    "box hold await_confirmation": 1,
    "box intent ok": 42,
    "box refused duplicate_intent": 74,
}
GOLDEN_DIGEST = "1b487eb7678baf4f97a897f8b69a2b807424c2757537bf1f1638e81b0ada320c"
"""Of the recording of seed 11. If these move, decisions moved: say why in the same change."""


def report_of(*paths: Path, **request: object) -> Report:
    facts = {"paths": tuple(map(str, paths)), **request}
    return play(open_tape(paths), msgspec.convert(facts, Request))


def verify(capsys: pytest.CaptureFixture[str], *paths: Path) -> Outcome:
    run_replay(paths, json=True, verify=True)
    return msgspec.json.decode(capsys.readouterr().out, type=Outcome)


# --- parity --------------------------------------------------------------------------------------


def test_a_recording_replays_to_the_decisions_and_the_state_of_its_run(tmp_path: Path) -> None:
    recorder = record(tmp_path, FRAMES)
    report = report_of(tmp_path)
    assert report.parity is not None
    assert report.parity.holds
    assert report.parity.equal == report.parity.compared == report.recorded > 10
    assert report.events == recorder.engine.seq
    assert report.judged == recorder.engine.record.total
    assert run_replay([tmp_path]) == 0


def test_the_recording_of_a_seed_leads_to_the_golden_decisions(tmp_path: Path) -> None:
    record(tmp_path, FRAMES)
    report = report_of(tmp_path)
    assert report.decisions == GOLDEN_DECISIONS
    assert report.decisions_digest == GOLDEN_DIGEST


def test_a_recording_in_many_segments_replays_the_same(tmp_path: Path) -> None:
    frames = market_frames(seed=12, count=600)
    record(tmp_path / "one", frames)
    record(tmp_path / "many", frames, segment_bytes=9_000)
    assert report_of(tmp_path / "one") == report_of(tmp_path / "many")


class Forger(Recorder):
    """Writes another decision into the log than the engine made."""

    def event(self, event: Event, *, at_ns: int = START_NS) -> None:
        mono_ns = ANCHOR.mono_at(at_ns)
        stamped = self.sequencer.stamp(mono_ns, event)
        self.capture.event(stamped, wall_ns=at_ns, mono_ns=mono_ns)
        commands = [
            replace(command, decision=replace(command.decision, score_u6=1))
            if isinstance(command, RecordDecision)
            else command
            for command in self.engine.step(stamped)
        ]
        self.journal.commit(commands, wall_ns=at_ns, mono_ns=mono_ns)


def test_decisions_that_are_not_derived_again_end_with_exit_code_1(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    forger = Forger(tmp_path)
    forger.play(FRAMES[:30])
    forger.capture.close()
    assert run_replay([tmp_path]) == 1
    assert "broken: recorded at seq " in capsys.readouterr().out


def test_events_with_other_numbers_than_recorded_break_parity(tmp_path: Path) -> None:
    recorder = Recorder(tmp_path)
    turn = Stamped(99, START_NS, Turn())
    recorder.capture.event(turn, wall_ns=START_NS, mono_ns=ANCHOR.mono_ns)
    recorder.capture.close()
    report = report_of(tmp_path)
    assert report.parity is not None
    assert report.parity.first == (
        "the event recorded as seq 99 is seq 4 here: this version reads frames differently"
    )


def test_a_recording_cut_off_replays_to_its_last_whole_block(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    record(tmp_path, FRAMES)
    (path,) = tmp_path.glob("*.polycap")
    last = Segment(path).blocks[-1].byte
    path.write_bytes(path.read_bytes()[: last + 50])
    assert run_replay([path]) == 0
    printed = capsys.readouterr().out
    assert f"was not closed by its recorder; 50 bytes after byte {last}" in printed


def test_a_recording_whose_beginning_is_gone_replays_but_is_not_verified(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    record(tmp_path, market_frames(seed=12, count=900), segment_bytes=9_000)
    paths = sorted(tmp_path.glob("*.polycap"))
    assert len(paths) > 1
    assert run_replay(paths[1:]) == 0
    printed = capsys.readouterr().out
    assert "segments 1 to 1 of run run are gone" in printed
    assert "synced 1" in printed


def test_damage_ends_with_exit_code_2(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    record(tmp_path, FRAMES)
    (path,) = tmp_path.glob("*.polycap")
    first = Segment(path).blocks[0].byte
    data = bytearray(path.read_bytes())
    data[first + 100] ^= 1
    path.write_bytes(data)
    assert run_replay([path]) == 2
    assert capsys.readouterr().err == (
        f"expected a block that fits its checksum at byte {first} of {path}, found damaged data\n"
    )


def test_a_recording_must_begin_with_run_started(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    recorder = Recorder(tmp_path, begin=False)
    turn = Stamped(1, START_NS, Turn())
    recorder.capture.event(turn, wall_ns=START_NS, mono_ns=ANCHOR.mono_ns)
    recorder.capture.close()
    assert run_replay([tmp_path]) == 2
    assert "to begin with RunStarted, was Told" in capsys.readouterr().err


# --- windows and pace ----------------------------------------------------------------------------


def test_a_window_keeps_the_state_and_narrows_the_account(tmp_path: Path) -> None:
    path = write_tape(tmp_path / "tape", FRAMES)
    since_ns, until_ns = FRAMES[100][0], FRAMES[300][0]
    whole = report_of(path, until_ns=until_ns)
    part = report_of(path, since_ns=since_ns, until_ns=until_ns)
    assert part.state_digest == whole.state_digest
    assert part.first_ns >= since_ns
    assert part.last_ns <= until_ns
    assert 0 < sum(part.frames.values()) <= 201 < sum(whole.frames.values())


def test_a_window_behind_the_end_is_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = write_tape(tmp_path / "tape", FRAMES[:3])
    assert run_replay([path], since=FRAMES[3][0]) == 2
    assert "the last is of 2026-09-21T14:13:20." in capsys.readouterr().err


def test_a_paced_replay_takes_its_time_and_changes_nothing(tmp_path: Path) -> None:
    path = write_tape(tmp_path / "tape", FRAMES[:40])
    spans_ns = FRAMES[39][0] - FRAMES[0][0]
    speed = spans_ns / (200 * MS)
    started_ns = read_mono_ns()
    paced = report_of(path, speed=speed)
    assert read_mono_ns() - started_ns >= 190 * MS
    assert paced == report_of(path)


@pytest.mark.parametrize("speed", [0.0, -1.0, float("nan"), 1e9])
def test_a_speed_that_is_none_is_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], speed: float
) -> None:
    path = write_tape(tmp_path / "tape", FRAMES[:3])
    assert run_replay([path], speed=speed) == 2
    assert "expected max or a speed above 0" in capsys.readouterr().err


def test_times_are_read_as_utc_unless_they_say_otherwise() -> None:
    assert when_ns("2026-06-08T00:00:00.5") == 1_780_876_800_500_000_000
    assert when_ns("2026-06-08T02:00:00+02:00") == 1_780_876_800_000_000_000
    with pytest.raises(OperatorError, match=r"^expected a time like .* was 'soon'$"):
        when_ns("soon")


# --- foreign tapes -------------------------------------------------------------------------------


def test_a_tape_has_no_decisions_to_compare_with(tmp_path: Path) -> None:
    report = report_of(write_tape(tmp_path / "tape", FRAMES))
    assert report.parity is None
    assert report.recorded > 0


def test_quotes_without_books_never_become_an_opportunity(tmp_path: Path) -> None:
    path = tmp_path / "quotes"
    rows = [f"2026-07-14T00:{n:02d}:35Z,{slug},0.9,0.05" for n in range(50) for slug in "abc"]
    path.write_text("ts,slug,bid,ask\n" + "\n".join(rows) + "\n")
    report = report_of(path)
    assert report.intents == 0
    assert set(report.decisions) == {"box blocked no_snapshot"}
    assert report.incidents == {}


# --- verification --------------------------------------------------------------------------------


@pytest.mark.slow
@pytest.mark.timeout(60)
def test_fresh_processes_with_other_hash_seeds_agree(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv(PYTHONS_VARIABLE, raising=False)
    record(tmp_path, FRAMES)
    outcome = verify(capsys, tmp_path)
    assert outcome.verified
    assert outcome.verdict == ("2 fresh processes agree in every count and digest",)
    assert outcome.report == report_of(tmp_path)


@pytest.mark.slow
@pytest.mark.timeout(60)
def test_a_recording_with_a_gap_is_not_verified(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    recorder = Recorder(tmp_path)
    recorder.play(FRAMES[:30])
    recorder.capture._lose()
    recorder.capture.close()
    assert run_replay([tmp_path]) == 0
    assert run_replay([tmp_path], verify=True) == 1
    assert "the recorder lost 1 records" in capsys.readouterr().out


def other_pythons() -> list[str]:
    """Find interpreters of other versions that have what a replay needs."""
    named = os.environ.get(PYTHONS_VARIABLE, "").split(os.pathsep)
    names = [name for name in named if name] + [f"python3.{minor}" for minor in (11, 12, 13)]
    found: dict[str, str] = {f"{sys.version_info.major}.{sys.version_info.minor}": ""}
    ask = "import sys, msgspec, zstandard, sortedcontainers; print('%d.%d' % sys.version_info[:2])"
    for name in names:
        python = shutil.which(name)
        if python is None:
            continue
        answer = subprocess.run([python, "-c", ask], capture_output=True, text=True, check=False)
        if answer.returncode == 0:
            found.setdefault(answer.stdout.strip(), python)
    return [python for python in found.values() if python]


@pytest.mark.slow
@pytest.mark.timeout(60)
def test_other_versions_of_python_agree(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    pythons = other_pythons()
    if not pythons:
        pytest.skip(f"no other Python here has our dependencies; see {PYTHONS_VARIABLE}")
    record(tmp_path, FRAMES)
    monkeypatch.setenv(PYTHONS_VARIABLE, os.pathsep.join(pythons))
    outcome = verify(capsys, tmp_path)
    assert outcome.verdict == (
        f"{2 + len(pythons)} fresh processes agree in every count and digest",
    )


def test_an_interpreter_that_is_none_is_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    path = write_tape(tmp_path / "tape", FRAMES[:3])
    monkeypatch.setenv(PYTHONS_VARIABLE, str(tmp_path / "python"))
    assert run_replay([path], verify=True) == 2
    assert "expected a Python to verify with, was " in capsys.readouterr().err


# --- what is printed -----------------------------------------------------------------------------


def test_the_account_is_on_standard_output_and_talk_is_not(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = write_tape(tmp_path / "tape", FRAMES)
    assert run_replay([path]) == 0
    printed = capsys.readouterr()
    report = report_of(path)
    frames = sum(report.frames.values())
    assert printed.err.startswith(f"{frames} frames in ")
    assert f"frames       polymarket {frames}; " in printed.out
    assert f"decisions    {report.decisions_digest}\n" in printed.out
    assert "window       2026-09-21T14:13:20.000Z to 2026-09-21T" in printed.out
    assert run_replay([path], json=True) == 0
    assert json.loads(capsys.readouterr().out)["report"]["frames"] == {"polymarket": frames}


@pytest.mark.parametrize("case", BAD)
def test_bad_input_ends_with_exit_code_2_and_a_sentence(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], case: str
) -> None:
    path = tmp_path / "FILE"
    path.write_bytes(BAD[case][0])
    assert run_replay([path]) == 2
    printed = capsys.readouterr()
    assert printed.out == ""
    assert printed.err.startswith("expected ")
    assert printed.err.count("\n") == 1


@pytest.mark.slow
@pytest.mark.timeout(120)
@pytest.mark.parametrize(
    "name",
    ["pm-btc5m-twotoken-derived-20260413.jsonl.gz", "pmus-multioutcome-quotes-20260714.csv.gz"],
)
def test_recorded_data_holds_no_opportunity(shared_data: Path, name: str) -> None:
    report = report_of(shared_data / name)
    assert report.judged > 10_000
    assert report.intents == 0
    assert report.faults == {}
