"""Files into the one stream of inputs: our own recordings, and foreign tapes made to look alike.

What a file is, is told by its content, never by its name. A tape yields its records lazily and in
order; segments must be of one run and are put in order, several foreign files are merged by time.

An own recording carries everything: frames, turns, directives, decisions. Foreign tapes carry only
data; what they lack is made up in `foreign`.
"""

import heapq
from collections.abc import Iterator, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Final

import msgspec

from polytui.engine.core.account_events import AnyInput
from polytui.engine.core.commands import AnyCommand
from polytui.engine.core.enums import Feed
from polytui.engine.core.errors import OperatorError
from polytui.engine.core.ids import ConnId
from polytui.engine.shell.clock import Anchor
from polytui.engine.shell.foreign import CONNS_MAX, find_reader
from polytui.engine.shell.lines import Lines
from polytui.engine.shell.records import Frame, Gap, Noted, TapeRecord, Told
from polytui.engine.shell.segments import (
    COMMAND,
    EVENT,
    FRAMES,
    LOST,
    MAGIC,
    RESTATED,
    SUFFIX,
    Record,
    Segment,
    open_file,
)

FILES_MAX: Final = 10_000
"""Files in one replay."""


_EVENT: Final = msgspec.msgpack.Decoder(AnyInput)
_COMMAND: Final = msgspec.msgpack.Decoder(AnyCommand)
_COUNT: Final = msgspec.msgpack.Decoder(int)
_FOREIGN_ANCHOR: Final = Anchor(wall_ns=0, mono_ns=0)


class Tape:
    """One run to be read, from one or more files; each iteration reads them anew."""

    def __init__(self, *, segments: Sequence[Segment] = (), foreign: Sequence[Lines] = ()) -> None:
        """Take files that `open_tape` has found to belong together."""
        self._segments = tuple(segments)
        self._readers = [(lines, find_reader(lines)) for lines in foreign]
        self.own = bool(segments)
        """Recorded by us, with its turns and decisions."""
        self.run = segments[0].header.run if segments else "tape"
        self.anchor = segments[0].header.anchor if segments else _FOREIGN_ANCHOR
        self.whole = not segments or segments[0].header.number == 1
        """False: the run's first segments are gone, so that the engine starts in the middle."""
        self.ended = not segments or segments[-1].closed
        """False: the recorder was killed or is at work still."""

    @property
    def directory(self) -> Path | None:
        """Return where a recording of ours lies, all of it; None for anything else."""
        found = {segment.path.resolve().parent for segment in self._segments}
        return found.pop() if len(found) == 1 else None

    def notes(self) -> tuple[str, ...]:
        """Say in sentences what is missing at either end."""
        notes: list[str] = []
        if not self.whole:
            number = self._segments[0].header.number
            notes.append(
                f"segments 1 to {number - 1} of run {self.run} are gone: the engine starts in the "
                "middle and its decisions cannot be compared"
            )
        if not self.ended:
            last = self._segments[-1]
            notes.append(
                f"{last.path} was not closed by its recorder; {last.torn_bytes} bytes after byte "
                f"{last.torn_byte or last.path.stat().st_size} belong to no whole block"
            )
        return tuple(notes)

    def records(self, *, until_ns: int | None = None) -> Iterator[TapeRecord]:
        """Yield everything up to a time.

        Raises:
            OperatorError: damage, a broken line; everything in front of it was yielded.
        """
        if self.own:
            return self._own(until_ns)
        streams = [
            reader(lines, 1 + place * CONNS_MAX)
            for place, (lines, reader) in enumerate(self._readers)
        ]
        merged = heapq.merge(*streams, key=lambda record: record.mono_ns)
        return _until(merged, until_ns)

    def _own(self, until_ns: int | None) -> Iterator[TapeRecord]:
        for place, segment in enumerate(self._segments):
            feeds = _known_feeds(segment)
            for record in segment.records(until_ns=until_ns):
                if record.code >= FRAMES:
                    yield Frame(
                        record.wall_ns,
                        record.mono_ns,
                        ConnId(record.conn),
                        feeds[record.code - FRAMES],
                        record.data,
                        record.seq,
                    )
                elif record.code != RESTATED or place == 0:
                    yield _read_record(record, segment.path)


def _until(records: Iterator[TapeRecord], until_ns: int | None) -> Iterator[TapeRecord]:
    for record in records:
        if until_ns is not None and record.mono_ns > until_ns:
            return
        yield record


def _known_feeds(segment: Segment) -> tuple[Feed, ...]:
    try:
        return tuple(Feed(name) for name in segment.header.feeds)
    except ValueError as error:
        raise OperatorError(
            f"expected feeds that this polytui knows in {segment.path}, {error}"
        ) from None


def _read_record(record: Record, path: Path) -> TapeRecord:
    try:
        if record.code in {EVENT, RESTATED}:
            event = _EVENT.decode(record.data)
            return Told(record.wall_ns, record.mono_ns, event, record.seq)
        if record.code == COMMAND:
            return Noted(record.wall_ns, record.mono_ns, _COMMAND.decode(record.data))
        if record.code == LOST:
            return Gap(record.wall_ns, record.mono_ns, _COUNT.decode(record.data))
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise OperatorError(
            f"expected an event or command that this polytui knows at seq {record.seq} of "
            f"{path}, was not: {error}"
        ) from None
    raise OperatorError(
        f"expected a kind of record that this polytui knows at seq {record.seq} of {path}, was "
        f"{record.code}: a newer polytui wrote it"
    )


def open_tape(paths: Sequence[Path]) -> Tape:
    """Find out what files are and put them together; a directory stands for its segments.

    Raises:
        OperatorError: none, not readable, of no known kind, or not belonging together.
    """
    files = [file for path in paths for file in _expand(path)]
    if not files or len(files) > FILES_MAX:
        raise OperatorError(f"expected 1 to {FILES_MAX} files to replay, was {len(files)}")
    segments: list[Segment] = []
    foreign: list[Lines] = []
    for file in files:
        with open_file(file) as stream:
            own = stream.read(len(MAGIC)) == MAGIC
        if own:
            segments.append(Segment(file))
        else:
            foreign.append(Lines(file))
    if segments and foreign:
        raise OperatorError(
            f"expected recordings or foreign tapes, was both: {segments[0].path} and "
            f"{foreign[0].path}"
        )
    segments.sort(key=lambda segment: (segment.header.run, segment.header.number))
    for one, other in pairwise(segments):
        _must_follow(one, other)
    return Tape(segments=segments, foreign=foreign)


def _expand(path: Path) -> list[Path]:
    if not path.is_dir():
        return [path]
    segments = sorted(path.glob(f"*{SUFFIX}"))
    if not segments:
        raise OperatorError(f"expected recordings (*{SUFFIX}) in {path}, was none")
    return segments


def _must_follow(one: Segment, other: Segment) -> None:
    if one.header.run != other.header.run:
        raise OperatorError(
            f"expected recordings of one run, was {one.header.run} in {one.path} and "
            f"{other.header.run} in {other.path}"
        )
    if one.header.number + 1 != other.header.number:
        raise OperatorError(
            f"expected segment {one.header.number + 1} of run {one.header.run} after {one.path}, "
            f"was {other.path}"
        )
    if one.damage is None and one.chain.hex() != other.header.chain:
        raise OperatorError(
            f"expected {other.path} to continue {one.path}, it was written after something else"
        )
