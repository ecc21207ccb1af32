"""The recorder: everything that enters the engine goes to disk, and the engine never waits for it.

The loop's side appends to a queue and returns; a thread empties the queue every half `flush_ms`,
makes blocks (`segments`) and writes them. Nothing here raises into the loop or blocks it. Trouble
is counted, kept in `health()` and left to the shell to judge:

- the queue is full: the record is dropped and counted, and the log says so at that place; what is
  recorded later is read again, but from the gap on no replay can repeat the run;
- the disk refuses (full, EIO, over a limit): the recorder has failed for good. An fsync that failed
  once is never tried again, because the second one may claim success for pages that are gone.

What survives: a block is in the page cache at most `flush_ms` after its records came, so that it
outlives this process (kill -9, a crash). Against a power cut only what was synced is safe: every
closed segment, and what `sync` was called for. There is one writer per directory; it holds a lock
on `.lock` in it.
"""

import fcntl
import os
import re
import threading
from collections import deque
from pathlib import Path
from typing import Final

import msgspec
from msgspec import Struct

from polytui.engine.core.commands import Command
from polytui.engine.core.enums import Feed
from polytui.engine.core.errors import OperatorError
from polytui.engine.core.events import (
    ConnClosed,
    ConnOpened,
    Event,
    MarketListed,
    RunStarted,
    Stamped,
    Subscribed,
)
from polytui.engine.core.runconfig import CaptureConfig
from polytui.engine.shell.clock import Anchor, read_anchor, read_mono_ns
from polytui.engine.shell.segments import (
    BLOCK_BYTES_MAX,
    BLOCK_RECORDS_MAX,
    BLOCKS_MAX,
    COMMAND,
    EVENT,
    FRAMES,
    LOST,
    RECORD_BYTES_MAX,
    RESTATED,
    SUFFIX,
    Row,
    SegmentHeader,
    SegmentWriter,
)

QUEUE_BYTES_MAX: Final = 256 << 20
"""Frames waiting for the writer hold at most this much memory, whatever `queue_max` allows."""

MARKETS_MAX: Final = 4_096
"""Markets said again at the head of each segment; above it the oldest is left out."""

CLOSE_S: Final = 10.0
"""How long `close` waits for a disk that does not answer."""

_MB, _GB = 1_000_000, 1_000_000_000
_RUN = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,79}")
_FEEDS = tuple(Feed)
_CODES: dict[int | Feed, int] = {
    **{code: code for code in (EVENT, COMMAND, LOST)},
    **{feed: FRAMES + place for place, feed in enumerate(_FEEDS)},
}
_PACK = msgspec.msgpack.Encoder(order="deterministic").encode
_STANDING = frozenset({RunStarted, MarketListed, ConnOpened, Subscribed, ConnClosed})

_BLOCK_PUTS = BLOCK_RECORDS_MAX // 2
"""Records taken for a block: each may bring the mark of a gap."""

_Put = tuple[int | Feed, int, int, int, int, bytes | Event | Command, int]
"""A row that the writer has yet to encode, and how many were lost before it."""


class CaptureHealth(Struct, frozen=True, kw_only=True):
    """How the recorder does, for the shell to judge."""

    recording: bool
    failed: bool
    """The disk refused; nothing more is written."""
    why: str
    """One sentence when `failed`, else `""`."""
    lost: int
    """Records that are not in the log."""
    records: int
    bytes: int
    """Written to files, compressed."""
    waiting: int
    """Records in the queue."""
    round_ns: int
    """Monotonic time at which the writer last had the queue empty: its evidence of life."""

    @property
    def complete(self) -> bool:
        """Tell whether the log holds everything that entered the engine."""
        return self.recording and not self.failed and self.lost == 0


class Capture:
    """Takes records from the loop, writes them in its own thread; see the module for promises.

    `frame`, `event` and `command` are for one thread only, the loop's. Counters have one writer
    each, so that no lock is needed: the loop owns what was put, the thread what was taken.
    """

    def __init__(self, config: CaptureConfig, *, run: str, anchor: Anchor) -> None:
        """Lock the directory and begin the first segment; do nothing when not `enabled`.

        Raises:
            OperatorError: the directory cannot be used, or another engine records there.
        """
        if not _RUN.fullmatch(run):
            raise OperatorError(f"expected a run id of letters, digits, _.- only, was {run!r}")
        self._config = config
        self._on = config.enabled
        self._limit = config.queue_max if config.enabled else -1
        """Records that may wait; -1 when nothing is taken any more."""
        self._queue: deque[_Put] = deque()
        self._put = self._put_bytes = self._taken = self._taken_bytes = 0
        self._lost = self._gap = 0
        self._failed = False
        self._why = ""
        self._nudged = False
        self._wake = threading.Event()
        self._stop = False
        self._syncs: deque[threading.Event] = deque()
        self._disk: _Disk | None = None
        self._round_ns = read_mono_ns()
        self._thread = threading.Thread(target=self._write_all, name="capture", daemon=True)
        if self._on:
            self._disk = _Disk(config, run=run, anchor=anchor)
            self._thread.start()

    # --- the loop's side -------------------------------------------------------------------------

    def frame(
        self, *, seq: int, wall_ns: int, mono_ns: int, conn: int, feed: Feed, data: bytes
    ) -> None:
        """Record bytes as received; `seq` is the number their first event gets or would get."""
        self._take((feed, conn, seq, wall_ns, mono_ns, data, self._gap), len(data))

    def event(self, stamped: Stamped, *, wall_ns: int, mono_ns: int) -> None:
        """Record an event that did not come from bytes."""
        self._take((EVENT, 0, stamped.seq, wall_ns, mono_ns, stamped.event, self._gap), 0)

    def command(self, command: Command, *, wall_ns: int, mono_ns: int) -> None:
        """Record a command before it is carried out."""
        self._take((COMMAND, 0, command.cause, wall_ns, mono_ns, command, self._gap), 0)

    def _take(self, row: _Put, size: int) -> None:
        waiting = self._put - self._taken
        waiting_bytes = self._put_bytes - self._taken_bytes
        if (
            waiting >= self._limit
            or size > RECORD_BYTES_MAX
            or waiting_bytes + size > QUEUE_BYTES_MAX
        ):
            self._lose()
            return
        self._queue.append(row)
        self._gap = 0
        self._put += 1
        self._put_bytes += size
        if waiting > self._limit // 2 and not self._nudged:
            self._nudged = True
            self._wake.set()

    def _lose(self) -> None:
        if self._config.enabled:
            self._lost += 1
            self._gap += 1

    def sync(self, *, timeout_s: float) -> bool:
        """Wait until all recorded so far would survive a power cut; False: do not rely on it."""
        if not self._on or self._failed:
            return False
        done = threading.Event()
        self._syncs.append(done)
        self._wake.set()
        return done.wait(timeout_s) and not self._failed

    def health(self) -> CaptureHealth:
        """Say how it goes; cheap, for every turn."""
        waiting = self._put - self._taken
        return CaptureHealth(
            recording=self._config.enabled,
            failed=self._failed,
            why=self._why,
            lost=self._lost + (waiting if self._failed else 0),
            records=self._taken,
            bytes=self._disk.written if self._disk else 0,
            waiting=0 if self._failed else waiting,
            round_ns=self._round_ns,
        )

    def close(self) -> CaptureHealth:
        """Write what waits, close the segment, free the directory; a second call does nothing."""
        if self._on:
            self._on = False
            self._limit = -1
            if self._gap and not self._failed:
                at = read_anchor()
                self._queue.append((LOST, 0, 0, at.wall_ns, at.mono_ns, _PACK(self._gap), 0))
                self._put += 1
            self._stop = True
            self._wake.set()
            self._thread.join(CLOSE_S)
            if self._thread.is_alive():
                self._fail(f"expected the disk to answer within {CLOSE_S:g} s, it did not")
        return self.health()

    # --- the writer's side -----------------------------------------------------------------------

    def _write_all(self) -> None:
        disk = self._disk
        assert disk is not None
        pause_s = self._config.flush_ms / 2_000
        try:
            while not self._stop:
                self._wake.wait(pause_s)
                self._wake.clear()
                self._round(disk)
            self._round(disk)
            disk.close()
        except OSError as error:
            reason = (error.strerror or repr(error)).lower()
            self._fail(f"expected to write to {disk.directory}, the disk refused: {reason}")
        except Exception as error:  # noqa: BLE001  the recorder's supervisor: the engine goes on
            self._fail(f"expected the recorder to be right, it is at fault: {error!r}")
        finally:
            disk.release()

    def _round(self, disk: "_Disk") -> None:
        """Write what waits now; what comes meanwhile is for the next round."""
        syncs = [self._syncs.popleft() for _ in range(len(self._syncs))]
        self._nudged = False
        try:
            waiting = len(self._queue)
            while waiting > 0:
                taken, size = disk.append(self._queue, min(waiting, _BLOCK_PUTS))
                waiting -= taken
                self._taken += taken
                self._taken_bytes += size
            if syncs:
                disk.sync()
        finally:
            for done in syncs:
                done.set()
        self._round_ns = read_mono_ns()

    def _fail(self, why: str) -> None:
        self._why = why
        self._failed = True
        self._limit = -1
        self._queue.clear()


class _Disk:
    """The writer's state: the open segment, rotation, and what each segment says again."""

    def __init__(self, config: CaptureConfig, *, run: str, anchor: Anchor) -> None:
        """Lock the directory and begin the first segment."""
        self.directory = Path(config.directory)
        self._run = run
        self._anchor = anchor
        self._segment_bytes = config.segment_mb * _MB
        self._keep_bytes = config.keep_gb * _GB
        self._started = b""
        self._markets: dict[str, bytes] = {}
        self._links: dict[int, dict[bytes, None]] = {}
        """What was opened and subscribed on each live connection, each said once."""
        self._number = 1
        self._records = 0
        self._closed_bytes = 0
        self._lock = -1
        try:
            self.directory.mkdir(parents=True, exist_ok=True, mode=0o700)
            self._lock = _lock(self.directory)
            for draft in self.directory.glob("*.draft"):
                draft.unlink()
            self._segment = self._begin(number=1, first_seq=1, chain=b"")
        except OSError as error:
            self._unlock()
            reason = (error.strerror or str(error)).lower()
            raise OperatorError(
                f"expected a directory to record in, was {self.directory}: {reason}"
            ) from None

    @property
    def written(self) -> int:
        """Count the bytes written, over all segments."""
        return self._closed_bytes + self._segment.size

    def append(self, queue: deque[_Put], count: int) -> tuple[int, int]:
        """Write one block of at most `count` records; return how many and their frames' bytes."""
        rows: list[Row] = []
        size = taken = 0
        while taken < count and size < BLOCK_BYTES_MAX:
            kind, conn, seq, wall_ns, mono_ns, data, gap = queue.popleft()
            taken += 1
            if gap:
                rows.append((LOST, 0, seq, wall_ns, mono_ns, _PACK(gap)))
            if isinstance(data, bytes):
                rows.append((_CODES[kind], conn, seq, wall_ns, mono_ns, data))
                size += len(data)
                continue
            packed = _PACK(data)
            if type(data) in _STANDING:
                self._remember(data, packed)
            rows.append((_CODES[kind], conn, seq, wall_ns, mono_ns, packed))
        if self._segment.size >= self._segment_bytes or self._segment.blocks >= BLOCKS_MAX:
            self._rotate(rows[0])
        self._segment.append(rows)
        self._records += len(rows)
        return taken, size

    def sync(self) -> None:
        """Make everything survive a power cut."""
        self._segment.sync()

    def close(self) -> None:
        """Close the last segment."""
        self._segment.close()

    def release(self) -> None:
        """Let go of the segment, whatever its state, and let another writer have the directory."""
        self._segment.abandon()
        self._unlock()

    def _unlock(self) -> None:
        if self._lock >= 0:
            os.close(self._lock)
            self._lock = -1

    def _begin(self, *, number: int, first_seq: int, chain: bytes) -> SegmentWriter:
        header = SegmentHeader(
            run=self._run,
            number=number,
            wall_ns=self._anchor.wall_ns,
            mono_ns=self._anchor.mono_ns,
            first_seq=first_seq,
            first_record=self._records,
            chain=chain.hex(),
            feeds=tuple(feed.value for feed in _FEEDS),
        )
        return SegmentWriter(self.directory, header)

    def _rotate(self, first: Row) -> None:
        """Close the segment and begin one that can be read without those before it."""
        old = self._segment
        old.close()
        self._closed_bytes += old.size
        self._number += 1
        self._segment = self._begin(number=self._number, first_seq=first[2], chain=old.chain)
        _, _, seq, wall_ns, mono_ns, _ = first
        links = [packed for link in self._links.values() for packed in link]
        again = [
            (RESTATED, 0, seq, wall_ns, mono_ns, packed)
            for packed in (self._started, *self._markets.values(), *links)
        ]
        for start in range(0, len(again), BLOCK_RECORDS_MAX):
            self._segment.append(again[start : start + BLOCK_RECORDS_MAX])
        self._forget_segments()

    def _forget_segments(self) -> None:
        found = [
            (stat.st_mtime_ns, path.name, stat.st_size, path)
            for path in self.directory.glob(f"*{SUFFIX}")
            if path != self._segment.path
            for stat in (path.stat(),)
        ]
        total = self._segment.size + sum(size for _, _, size, _ in found)
        for _, _, size, path in sorted(found):
            if total <= self._keep_bytes:
                break
            path.unlink(missing_ok=True)
            total -= size

    def _remember(self, event: Event | Command, packed: bytes) -> None:
        """Keep what a reader needs who starts at a later segment."""
        match event:
            case RunStarted():
                self._started = packed
            case MarketListed(spec=spec):
                self._markets[spec.market] = packed
                if len(self._markets) > MARKETS_MAX:
                    del self._markets[next(iter(self._markets))]
            case ConnOpened(conn=conn):
                self._links[conn] = {packed: None}
            case Subscribed(conn=conn):
                self._links.setdefault(conn, {})[packed] = None
            case ConnClosed(conn=conn):
                self._links.pop(conn, None)


def _lock(directory: Path) -> int:
    fd = os.open(directory / ".lock", os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        holder = os.read(fd, 20).decode("ascii", "replace").strip()
        os.close(fd)
        raise OperatorError(
            f"expected to be the only recorder in {directory}, process {holder} records there"
        ) from None
    os.ftruncate(fd, 0)
    os.write(fd, str(os.getpid()).encode())
    return fd
