from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import get_args

import pytest

from polytui.engine.core.commands import (
    AnyCommand,
    Command,
    Resync,
)
from polytui.engine.core.enums import Feed, Reason
from polytui.engine.core.errors import EngineBug
from polytui.engine.core.events import ConnClosed, Directive, Heard, RunStarted, Stamped, Turn
from polytui.engine.core.ids import ConnId
from polytui.engine.core.runconfig import CaptureConfig, RunConfig, RunnerConfig
from polytui.engine.shell.capture import Capture
from polytui.engine.shell.clock import read_anchor, read_mono_ns
from polytui.engine.shell.records import Frame, Noted, Told
from polytui.engine.shell.runner import EVENTS_MAX, IDLE_NS, RECENT_MAX, Runner
from polytui.engine.shell.sequencer import Sequencer
from polytui.engine.shell.tapes import open_tape

CONN, OTHER = ConnId(1), ConnId(2)
PONG = b"PONG"
STARTED = RunStarted(run="r", version="0", config=RunConfig())
RESYNC = Resync(cause=1, conn=CONN, market="0x1", tokens=("1", "2"), reason=Reason.CROSSED)


class Scripted:
    """A core that remembers what it was given and answers each turn from a script."""

    def __init__(self) -> None:
        self.steps: list[Stamped] = []
        self.answers: list[list[Command]] = []
        self.due_ns: int | None = None
        self.bug: EngineBug | None = None

    def step(self, stamped: Stamped) -> list[Command]:
        if self.bug is not None:
            raise self.bug
        self.steps.append(stamped)
        return self.answers.pop(0) if isinstance(stamped.event, Turn) and self.answers else []

    def next_due_ns(self) -> int | None:
        return self.due_ns

    def kinds(self) -> list[str]:
        return [type(stamped.event).__name__ for stamped in self.steps]


class Bench:
    """A runner with everything real but the engine and what carries out commands."""

    def __init__(self, directory: Path, config: RunnerConfig) -> None:
        self.core = Scripted()
        self.done: list[Command] = []
        self.cut: list[ConnId] = []
        self.wakes = 0
        self.directory = directory
        anchor = read_anchor()
        self.capture = Capture(
            CaptureConfig(directory=str(directory), flush_ms=10), run="run", anchor=anchor
        )
        self.config, self.anchor = config, anchor
        self.runner = self.make()
        self.runner.offer_event(STARTED)
        self.runner.turn()

    def make(self) -> Runner:
        """Make a runner that has not begun."""
        return Runner(
            engine=self.core,
            sequencer=Sequencer(self.anchor),
            capture=self.capture,
            config=self.config,
            executors=dict.fromkeys(KINDS, self.done.append),
            wake=self._wake,
            cut=self.cut.append,
        )

    def _wake(self) -> None:
        self.wakes += 1

    def frame(self, data: bytes = PONG, *, conn: ConnId = CONN) -> None:
        now_ns = read_mono_ns()
        self.runner.offer_frame(conn, Feed.POLYMARKET, data, mono_ns=now_ns, wall_ns=1)


KINDS: tuple[type[Command], ...] = get_args(AnyCommand)


@contextmanager
def bench(directory: Path, **config: int) -> Iterator[Bench]:
    made = Bench(directory, RunnerConfig(**config))
    try:
        yield made
    finally:
        made.capture.close()


def test_a_batch_is_stepped_in_order_and_ends_with_a_turn(tmp_path: Path) -> None:
    with bench(tmp_path) as b:
        b.frame()
        b.runner.offer_event(Heard(conn=CONN, feed=Feed.COINBASE, what="beat"))
        b.frame(b"junk")
        assert b.runner.turn() is False
        assert b.core.kinds() == ["RunStarted", "Turn", "Heard", "Heard", "WireFault", "Turn"]
        assert [stamped.seq for stamped in b.core.steps] == [1, 2, 3, 4, 5, 6]


def test_a_kill_overtakes_what_waits_but_not_what_a_run_begins_with(tmp_path: Path) -> None:
    """Found when an engine was killed in its first milliseconds: it ended by a fault of its own."""
    with bench(tmp_path) as b:
        kill = Directive(id="k", action="risk.kill", args=(), actor="test")
        b.runner.offer_event(Heard(conn=CONN, feed=Feed.COINBASE, what="beat"))
        b.runner.offer_first(kill)
        b.runner.turn()
        assert b.core.kinds() == ["RunStarted", "Turn", "Directive", "Heard", "Turn"]
        fresh = b.make()
        fresh.offer_event(STARTED)
        fresh.offer_event(Heard(conn=CONN, feed=Feed.COINBASE, what="beat"))
        fresh.offer_first(kill)
        fresh.turn()
        assert b.core.kinds()[5:] == ["RunStarted", "Heard", "Directive", "Turn"]


def test_a_long_queue_is_taken_in_batches(tmp_path: Path) -> None:
    with bench(tmp_path, batch_events=4, batch_us=1_000_000) as b:
        for _ in range(10):
            b.frame()
        assert [b.runner.turn() for _ in range(3)] == [True, True, False]
        assert b.core.kinds()[2:] == ["Heard"] * 4 + ["Turn"] + ["Heard"] * 4 + ["Turn"] + [
            "Heard"
        ] * 2 + ["Turn"]


def test_a_batch_ends_when_its_time_is_up(tmp_path: Path) -> None:
    with bench(tmp_path, batch_events=65_536, batch_us=100) as b:
        for _ in range(5_000):
            b.frame()
        assert b.runner.turn() is True
        assert 0 < b.runner.waiting < 5_000


def test_everything_is_in_the_log_before_a_command_is_carried_out(tmp_path: Path) -> None:
    seen_when_done: list[int] = []
    with bench(tmp_path) as b:
        put = b.capture.health
        b.runner._executors = {
            kind: lambda _: seen_when_done.append(put().records + put().waiting) for kind in KINDS
        }
        b.core.answers = [[RESYNC]]
        b.frame()
        b.runner.turn()
    records = list(open_tape([tmp_path]).records())
    kinds = [type(record) for record in records if not isinstance(record, Noted)]
    assert kinds == [Told, Told, Frame, Told]
    assert [r.command for r in records if isinstance(r, Noted)] == [RESYNC]
    assert seen_when_done == [len(records)]


def test_an_asker_is_answered_after_the_commands_of_its_turn(tmp_path: Path) -> None:
    order: list[str] = []
    with bench(tmp_path) as b:
        b.runner._executors = {kind: lambda _: order.append("command") for kind in KINDS}
        b.core.answers = [[RESYNC]]
        heard = Heard(conn=CONN, feed=Feed.COINBASE, what="beat")
        b.runner.offer_event(heard, done=lambda: order.append("answer"))
        assert order == []
        b.runner.turn()
    assert order == ["command", "answer"]


def test_a_full_inbox_drops_the_newest_frames_and_voids_their_connection_once(
    tmp_path: Path,
) -> None:
    with bench(tmp_path, inbox_max=256) as b:
        for _ in range(260):
            b.frame()
        b.frame(conn=OTHER)
        assert b.runner.dropped == 5
        assert b.cut == [CONN, OTHER]
        while b.runner.turn():
            pass
        closed = [s.event for s in b.core.steps if isinstance(s.event, ConnClosed)]
        assert [event.conn for event in closed] == [CONN, OTHER]
        assert "256 were waiting" in closed[0].why
        assert b.core.kinds().count("Heard") == 256


def test_nothing_more_is_taken_from_a_connection_that_lost_a_frame(tmp_path: Path) -> None:
    with bench(tmp_path, inbox_max=256) as b:
        for _ in range(257):
            b.frame()
        while b.runner.turn():
            pass
        b.frame()
        b.frame(conn=OTHER)
        b.runner.turn()
        assert b.runner.dropped == 2
        assert b.core.kinds().count("Heard") == 257


def test_events_are_heard_though_the_inbox_is_full_of_frames(tmp_path: Path) -> None:
    with bench(tmp_path, inbox_max=256) as b:
        for _ in range(300):
            b.frame()
        b.runner.offer_event(Heard(conn=OTHER, feed=Feed.COINBASE, what="beat"))
        while b.runner.turn():
            pass
        assert any(getattr(s.event, "conn", None) == OTHER for s in b.core.steps)


def test_more_events_than_anybody_may_send_is_our_bug(tmp_path: Path) -> None:
    with bench(tmp_path) as b:
        heard = Heard(conn=CONN, feed=Feed.COINBASE, what="beat")
        for _ in range(EVENTS_MAX):
            b.runner.offer_event(heard)
        with pytest.raises(AssertionError, match="events wait"):
            b.runner.offer_event(heard)


def test_a_turn_is_due_when_the_engine_says_and_at_least_every_second(tmp_path: Path) -> None:
    with bench(tmp_path) as b:
        last_ns = b.core.steps[-1].at_ns
        assert b.runner.next_due_ns() == last_ns + IDLE_NS
        b.core.due_ns = last_ns + 5
        assert b.runner.next_due_ns() == last_ns + 5
        b.core.due_ns = last_ns + 2 * IDLE_NS
        assert b.runner.next_due_ns() == last_ns + IDLE_NS


def test_each_frame_is_measured_from_its_bytes_to_the_decisions(tmp_path: Path) -> None:
    with bench(tmp_path) as b:
        for _ in range(3):
            b.frame()
        b.runner.turn()
        read = b.runner.decision.read(mono_ns=read_mono_ns())
        assert read.count == 3
        assert 0 < read.p50_us <= read.max_us + read.max_us // 16 + 1


def test_whoever_offers_wakes_the_owner(tmp_path: Path) -> None:
    with bench(tmp_path) as b:
        before = b.wakes
        b.frame()
        b.runner.offer_event(Heard(conn=CONN, feed=Feed.COINBASE, what="beat"))
        assert b.wakes == before + 2


def test_our_bug_passes_through_and_leaves_the_last_events_to_read(tmp_path: Path) -> None:
    with bench(tmp_path) as b:
        for _ in range(300):
            b.frame()
        while b.runner.turn():
            pass
        b.core.bug = EngineBug("expected nothing of the kind")
        b.frame()
        with pytest.raises(EngineBug):
            b.runner.turn()
        lines = b.runner.recent()
        assert len(lines) == RECENT_MAX
        assert "Heard" in lines[-1]


def test_a_command_nobody_carries_out_is_found_at_once(tmp_path: Path) -> None:
    with (
        bench(tmp_path) as b,
        pytest.raises(AssertionError, match="an executor for every command"),
    ):
        Runner(
            engine=b.core,
            sequencer=Sequencer(read_anchor()),
            capture=b.capture,
            config=RunnerConfig(),
            executors={},
            wake=lambda: None,
            cut=b.cut.append,
        )
