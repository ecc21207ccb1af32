from collections.abc import Sequence
from itertools import pairwise

import pytest
from msgspec.structs import replace

from polytui.engine.core.commands import Command, RecordDecision
from polytui.engine.core.enums import Feed, Verdict
from polytui.engine.core.events import ConnOpened, MarketListed, RunStarted, Stamped, Turn
from polytui.engine.machine import Engine
from polytui.engine.shell.clock import Anchor
from polytui.engine.shell.sequencer import Sequencer
from polytui.engine.sim.replay import Replay, Report
from tests.support.floor import CONN, MS, START_NS
from tests.support.taping import PAYING, RUN_CONFIG, TimedFrame, market_frames

IDLE_NS = 1_000 * MS
FRAMES = market_frames(seed=7, count=400)


class Watched(Engine):
    """The engine, with what went through it."""

    def __init__(self) -> None:
        super().__init__()
        self.seen: list[Stamped] = []
        self.commands: list[Command] = []

    def step(self, stamped: Stamped) -> list[Command]:
        self.seen.append(stamped)
        commands = super().step(stamped)
        self.commands += commands
        return commands

    @property
    def decisions(self) -> list[RecordDecision]:
        return [command for command in self.commands if isinstance(command, RecordDecision)]


class Player:
    """A replay of made-up frames, as the shell drives it."""

    def __init__(self, *, own: bool = False) -> None:
        self.engine = Watched()
        self.sequencer = Sequencer(Anchor(wall_ns=0, mono_ns=0))
        stamp = self.sequencer.stamp
        self.replay = Replay(self.engine, stamp=stamp, idle_ns=IDLE_NS, own=own)
        for event in (
            RunStarted(run="run", version="0", config=RUN_CONFIG),
            ConnOpened(conn=CONN, feed=Feed.POLYMARKET, url="test"),
            MarketListed(spec=PAYING),
        ):
            self.replay.event(stamp(START_NS, event))

    def frames(self, frames: Sequence[TimedFrame]) -> "Player":
        for at_ns, data in frames:
            self.replay.advance(at_ns)
            feed = Feed.POLYMARKET
            events = self.sequencer.frame(conn=CONN, feed=feed, mono_ns=at_ns, data=data)
            self.replay.frame(feed, len(data), events)
            self.replay.turn(at_ns)
        return self

    def report(self, *, ended: bool = True) -> Report:
        return self.replay.report(ended=ended)


RECORDED = Player().frames(FRAMES).engine.decisions


def test_the_same_log_gives_the_same_report() -> None:
    assert Player().frames(FRAMES).report() == Player().frames(FRAMES).report()


def test_one_size_in_one_frame_moves_the_state() -> None:
    last = max(n for n, (_, data) in enumerate(FRAMES) if b"price_changes" in data)
    at_ns, data = FRAMES[last]
    frames = FRAMES[: last + 1]
    other = [*FRAMES[:last], (at_ns, data.replace(b'"size":"', b'"size":"1'))]
    one, two = Player().frames(frames).report(), Player().frames(other).report()
    assert one.state_digest != two.state_digest


def test_the_account_counts_what_went_through() -> None:
    player = Player().frames(FRAMES)
    report = player.report()
    garbage = sum(b"nonsense" in data for _, data in FRAMES)
    assert garbage > 0
    assert report.frames == {"polymarket": len(FRAMES)}
    assert report.frame_bytes == sum(len(data) for _, data in FRAMES)
    assert sum(report.faults.values()) == garbage
    assert report.events == len(player.engine.seen)
    assert report.turns == sum(isinstance(one.event, Turn) for one in player.engine.seen)
    times = [at_ns for at_ns, _ in FRAMES]
    pauses = [after - before for before, after in pairwise(times)]
    assert report.silence_ns == max(pauses)
    assert report.silence_at_ns == times[pauses.index(max(pauses))]
    assert report.recorded == len(RECORDED)
    assert sum(report.decisions.values()) == report.judged
    intents = [c for c in RECORDED if c.decision.verdict is Verdict.INTENT]
    assert report.intents == len(intents) > 10
    assert report.parity is None


def test_a_turn_is_put_in_for_every_deadline_and_every_silence() -> None:
    player = Player().frames(FRAMES[:1])
    start_ns = FRAMES[0][0]
    player.replay.advance(start_ns + 3 * IDLE_NS + 1)
    turns = [one.at_ns for one in player.engine.seen if isinstance(one.event, Turn)]
    assert turns[1:] == [start_ns + n * IDLE_NS for n in (1, 2, 3)]


def test_the_account_begins_where_it_is_told_to() -> None:
    player = Player().frames(FRAMES[:200])
    player.replay.begin()
    report = player.frames(FRAMES[200:]).report()
    whole = Player().frames(FRAMES).report()
    assert report.frames == {"polymarket": 200}
    assert report.first_ns > FRAMES[199][0]
    assert report.state_digest == whole.state_digest
    assert report.decisions_digest != whole.decisions_digest
    assert sum(report.decisions.values()) == report.judged < whole.judged


# --- parity --------------------------------------------------------------------------------------


def compare(recorded: Sequence[RecordDecision], *, ended: bool = True) -> Report:
    """Derive decisions again, with these as what was recorded."""
    player = Player(own=True)
    waiting = list(recorded)
    for frame in FRAMES:
        player.frames([frame])
        while waiting and waiting[0].cause <= player.sequencer.seq:
            player.replay.noted(waiting.pop(0))
    return player.report(ended=ended)


def test_decisions_that_are_derived_again_hold_parity() -> None:
    parity = compare(RECORDED).parity
    assert parity is not None
    assert parity.holds
    assert parity.compared == parity.equal == len(RECORDED) > 10


def test_a_decision_that_differs_breaks_parity_and_is_named() -> None:
    wrong = replace(RECORDED[4], decision=replace(RECORDED[4].decision, score_u6=123_456))
    parity = compare([*RECORDED[:4], wrong, *RECORDED[5:]]).parity
    assert parity is not None
    assert (parity.compared, parity.equal) == (len(RECORDED), len(RECORDED) - 1)
    assert parity.first.startswith(f"recorded at seq {wrong.cause}: box on ")
    assert "score 123456" in parity.first


@pytest.mark.parametrize("place", [0, 4, -1])
def test_a_decision_missing_in_the_recording_breaks_parity_there_only(place: int) -> None:
    rest = [command for command in RECORDED if command is not RECORDED[place]]
    parity = compare(rest).parity
    assert parity is not None
    assert (parity.equal, parity.unrecorded, parity.underived) == (len(rest), 1, 0)
    assert parity.first.startswith(f"derived at seq {RECORDED[place].cause}, not recorded: ")


def test_a_decision_only_in_the_recording_breaks_parity() -> None:
    extra = replace(RECORDED[4], cause=RECORDED[4].cause - 1)
    parity = compare([*RECORDED[:4], extra, *RECORDED[4:]]).parity
    assert parity is not None
    assert (parity.equal, parity.unrecorded, parity.underived) == (len(RECORDED), 0, 1)
    assert parity.first.startswith(f"recorded at seq {extra.cause}, not derived: ")


def test_a_recording_cut_short_may_lack_its_last_decisions() -> None:
    parity = compare(RECORDED[:-1], ended=False).parity
    assert parity is not None
    assert parity.holds
    assert parity.equal == len(RECORDED) - 1


def test_behind_a_gap_nothing_is_compared() -> None:
    player = Player(own=True).frames(FRAMES[:100])
    for command in player.engine.decisions:
        player.replay.noted(command)
    player.replay.gap(3)
    player.replay.noted(replace(RECORDED[-1], cause=10**9))
    report = player.frames(FRAMES[100:]).report()
    assert report.parity is not None
    assert report.parity.holds
    assert (report.gaps, report.lost) == (1, 3)
