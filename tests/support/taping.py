"""Small logs made from a seed: frames of one market, foreign tapes, recordings of a real engine."""

import json
from collections.abc import Sequence
from pathlib import Path

from polytui.engine.core.enums import Feed
from polytui.engine.core.events import (
    ConnOpened,
    Event,
    FeeSchedule,
    MarketListed,
    RunStarted,
    Turn,
)
from polytui.engine.core.ids import ConnId
from polytui.engine.core.rng import Rng
from polytui.engine.core.runconfig import BookConfig, BoxConfig, CaptureConfig, RunConfig
from polytui.engine.core.units import text_u6
from polytui.engine.machine import Engine
from polytui.engine.shell.capture import Capture
from polytui.engine.shell.clock import Anchor
from polytui.engine.shell.journal import Journal
from polytui.engine.shell.sequencer import Sequencer
from tests.support.floor import CONN, MS, START_NS, PlainBook, small_book, spec

ANCHOR = Anchor(wall_ns=START_NS, mono_ns=5_000)
RUN_CONFIG = RunConfig(book=BookConfig(digest_gate_after=5), box=BoxConfig(parity_window_s=1))
PAYING = spec(fees=FeeSchedule(rate_u6=-300_000))
"""A market that pays takers: nothing else makes boxes of a mirrored book, and a log needs some."""

CROSSING = "0.62"
"""A bid so far above the asks that a box pays for its fees."""

WHOLE = 1 << 30
"""No recording of a test is larger: one segment."""

TimedFrame = tuple[int, bytes]
"""(at_ns, bytes)."""


def market_frames(*, seed: int, count: int) -> list[TimedFrame]:
    """Make frames of one market: mostly changes, some snapshots, garbage, silences, crossings."""
    rng = Rng(seed)
    book = small_book()
    at_ns = START_NS
    frames = [(at_ns, _snapshots(book, 1))]
    crossed = 0
    while len(frames) < count:
        at_ns += rng.between(1, 40) * MS + rng.below(MS)
        if rng.chance(0.01):
            at_ns += 20_000 * MS
        venue_ms = (at_ns - START_NS) // MS + 2
        if crossed:
            crossed -= 1
            change = [] if crossed else [("BUY", CROSSING, "0")]
        else:
            crossed = rng.between(1, 6) if rng.chance(0.04) else 0
            change = [("BUY", CROSSING, "20")] if crossed else []
        frames.append((at_ns, _next_frame(rng, book, venue_ms, change)))
    return frames


def _next_frame(
    rng: Rng, book: PlainBook, venue_ms: int, change: list[tuple[str, str, str]]
) -> bytes:
    if not change and rng.chance(0.02):
        return b'{"market": nonsense'
    if not change and rng.chance(0.1):
        return _snapshots(book, venue_ms)
    side = "BUY" if rng.chance(0.5) else "SELL"
    low, high = (40, 49) if side == "BUY" else (51, 60)
    price = text_u6(rng.between(low, high) * 10_000)
    size = text_u6(rng.below(5) * 12_500_000 + rng.below(100) * 10_000)
    return _pack(book.change(venue_ms, [*change, (side, price, size)]))


def _snapshots(book: PlainBook, venue_ms: int) -> bytes:
    return _pack([book.frame(venue_ms, is_yes=True), book.frame(venue_ms, is_yes=False)])


def _pack(frame: object) -> bytes:
    return json.dumps(frame, separators=(",", ":")).encode()


def write_tape(path: Path, frames: Sequence[TimedFrame]) -> Path:
    """Write frames as a foreign Polymarket tape; garbage cannot stand in one and is left out."""
    lines = [
        f'{{"t_ms":{at_ns // MS}.{at_ns % MS:06d},"slug":"will-it-hold","raw":{data.decode()}}}\n'
        for at_ns, data in frames
        if b"nonsense" not in data
    ]
    path.write_text("".join(lines), encoding="utf-8")
    return path


class Recorder:
    """An engine, its sequencer and its recorder, as the runner has them, told the time."""

    def __init__(self, directory: Path, *, segment_bytes: int = WHOLE, begin: bool = True) -> None:
        """Start a run; `begin` lists the market and opens its connection."""
        config = CaptureConfig(directory=str(directory), flush_ms=10)
        self.capture = Capture(config, run="run", anchor=ANCHOR)
        assert self.capture._disk is not None
        self.capture._disk._segment_bytes = segment_bytes
        self.journal = Journal(self.capture)
        self.sequencer = Sequencer(ANCHOR)
        self.engine = Engine()
        if begin:
            self.event(RunStarted(run="run", version="0", config=RUN_CONFIG))
            self.event(ConnOpened(conn=CONN, feed=Feed.POLYMARKET, url="test"))
            self.event(MarketListed(spec=PAYING))

    def event(self, event: Event, *, at_ns: int = START_NS) -> None:
        """Record and step an event; commands are recorded behind it."""
        mono_ns = ANCHOR.mono_at(at_ns)
        stamped = self.sequencer.stamp(mono_ns, event)
        self.capture.event(stamped, wall_ns=at_ns, mono_ns=mono_ns)
        self.journal.commit(self.engine.step(stamped), wall_ns=at_ns, mono_ns=mono_ns)

    def frame(self, at_ns: int, data: bytes, *, conn: ConnId = CONN) -> None:
        """Record and step a frame."""
        mono_ns = ANCHOR.mono_at(at_ns)
        feed = Feed.POLYMARKET
        self.capture.frame(
            seq=self.sequencer.seq + 1,
            wall_ns=at_ns,
            mono_ns=mono_ns,
            conn=conn,
            feed=feed,
            data=data,
        )
        for stamped in self.sequencer.frame(conn=conn, feed=feed, mono_ns=mono_ns, data=data):
            self.journal.commit(self.engine.step(stamped), wall_ns=at_ns, mono_ns=mono_ns)

    def play(self, frames: Sequence[TimedFrame], *, batch: int = 3) -> None:
        """Record frames in batches, each ended by a turn."""
        for place, (at_ns, data) in enumerate(frames, start=1):
            self.frame(at_ns, data)
            if place % batch == 0:
                self.event(Turn(), at_ns=at_ns)


def record(
    directory: Path, frames: Sequence[TimedFrame], *, segment_bytes: int = WHOLE
) -> Recorder:
    """Record a whole run and close it."""
    recorder = Recorder(directory, segment_bytes=segment_bytes)
    recorder.play(frames)
    health = recorder.capture.close()
    assert health.complete, health
    return recorder
