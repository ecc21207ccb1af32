"""The file format of the one log: append-only segments of compressed, checked blocks.

A segment holds records in the order in which the sequencer saw them. Records travel in blocks; a
block is one MessagePack array compressed with zstd, so a reader in any language needs nothing of
ours. Little-endian throughout::

    segment = MAGIC chunk(HEAD) chunk(BLCK)* [chunk(FOOT) trailer]
    chunk   = mark[4]  meta size:u32  body size:u32  crc32(meta + body):u32
              crc32(those 16 bytes):u32  meta  body
    trailer = byte of FOOT:u64  "POLY"

HEAD's meta is JSON (`SegmentHeader`), BLCK's and FOOT's are MessagePack (`BlockMeta`, `Footer`),
BLCK's body is zstd over an array of `Record`. Each block names the hash of all before it, across
segments, so that a block cannot be taken out or put elsewhere unseen.

A block is written by one call and belongs to the file as soon as it is in the page cache: a killed
process loses at most the block it was writing, and then the footer is missing and the index is
found again by reading. What ends too early is a torn tail and is left out; what is whole but fails
its checksum is damage: everything before it is delivered, then the reader raises.
"""

import os
import struct
from collections import Counter
from collections.abc import Iterator, Sequence
from hashlib import blake2b
from pathlib import Path
from typing import BinaryIO, Final
from zlib import crc32

import msgspec
import zstandard
from msgspec import Struct

from polytui.engine.core.errors import OperatorError
from polytui.engine.shell.clock import Anchor

SUFFIX: Final = ".polycap"
MAGIC: Final = b"POLYCAP\n"
FORMAT: Final = 1
"""Grows when a reader of the old format would misread the new one."""

EVENT: Final = 0
"""Code of a record that is an event which did not come from bytes."""
COMMAND: Final = 1
"""Code of a record that is a command, written before it was carried out."""
LOST: Final = 2
"""Code of a record that says how many records were lost just before it."""
RESTATED: Final = 3
"""Code of an event of an earlier segment, said again at the head of a later one."""
FRAMES: Final = 16
"""This plus the place of a feed in `SegmentHeader.feeds` is the code of a frame."""

BLOCK_RECORDS_MAX: Final = 512
"""Records in a block. Larger ones compress little better and hold the interpreter for longer."""
BLOCK_BYTES_MAX: Final = 1 << 20
"""A block is closed at this size, before compression."""
BLOCKS_MAX: Final = 16_384
"""A segment is closed at this many blocks: half a kilobyte of each is held until then."""
RECORD_BYTES_MAX: Final = 16 << 20
"""Longest frame that is recorded; sixteen times what our sockets accept."""

_CHUNK = struct.Struct("<4sIIII")
_TRAILER = struct.Struct("<Q4s")
_HEAD_CRC_AT = _CHUNK.size - 4
_HEAD, _BLOCK, _FOOT, _END = b"HEAD", b"BLCK", b"FOOT", b"POLY"
_SIZE_MAX = BLOCK_BYTES_MAX + 2 * RECORD_BYTES_MAX
"""No chunk, packed or unpacked, is larger: a reader never allocates more because a file says so."""
_CHAIN_BYTES = 16
_FILE_MODE = 0o600

Row = tuple[int, int, int, int, int, bytes]
"""(code, conn, seq, wall_ns, mono_ns, data): a record on its way to the file."""


class Record(Struct, array_like=True, frozen=True, gc=False):
    """One line of the log."""

    code: int
    conn: int
    """0 where no connection is concerned."""
    seq: int
    """Of the event; of a frame the seq its first event gets; of a command its cause."""
    wall_ns: int
    mono_ns: int
    data: bytes
    """A frame as received; else MessagePack of the event, the command, or the number lost."""


class SegmentHeader(Struct, frozen=True, kw_only=True):
    """The first thing in a segment."""

    format: int = FORMAT
    run: str
    number: int
    """1, 2, 3 … within the run."""
    wall_ns: int
    """The run's anchor, with `mono_ns`: the same in all segments of a run."""
    mono_ns: int
    first_seq: int
    """The seq of the next event when the segment was begun."""
    first_record: int
    """Records of the run before this segment, not counting those restated."""
    chain: str
    """Hash over all blocks of the run before this segment, hex; `""` in the first."""
    feeds: tuple[str, ...]

    @property
    def anchor(self) -> Anchor:
        """Return what turns `mono_ns` of a record into engine time."""
        return Anchor(wall_ns=self.wall_ns, mono_ns=self.mono_ns)


class BlockMeta(Struct, array_like=True, frozen=True):
    """What is known of a block without unpacking it."""

    first_at_ns: int
    last_at_ns: int
    first_seq: int
    records: int
    unpacked: int
    """Size of the MessagePack array."""
    chain: bytes
    """Hash over all blocks before this one."""
    counts: tuple[tuple[int, int], ...]
    """Codes, ascending, and how many records each has."""


class BlockEntry(Struct, array_like=True, frozen=True):
    """A block's place in the file."""

    byte: int
    meta: BlockMeta


class Footer(Struct, array_like=True, frozen=True):
    """The index, written when a segment is closed."""

    blocks: tuple[BlockEntry, ...]
    chain: bytes
    """Hash over all blocks of the run up to here."""


_RECORDS = msgspec.msgpack.Decoder(list[Record])
_BLOCK_META = msgspec.msgpack.Decoder(BlockMeta)
_FOOTER = msgspec.msgpack.Decoder(Footer)
_HEADER = msgspec.json.Decoder(SegmentHeader)
_PACK = msgspec.msgpack.Encoder().encode


def segment_name(run: str, number: int) -> str:
    """Name the file of a segment so that names sort as segments do."""
    return f"{run}-{number:06d}{SUFFIX}"


def _chunk(mark: bytes, meta: bytes, body: bytes = b"") -> bytes:
    head = struct.pack("<4sIII", mark, len(meta), len(body), crc32(body, crc32(meta)))
    return head + struct.pack("<I", crc32(head)) + meta + body


class SegmentWriter:
    """Appends blocks to one segment; an OSError means that the segment is over."""

    def __init__(self, directory: Path, header: SegmentHeader) -> None:
        """Create the file with its header whole under its final name, or not at all."""
        self.path = directory / segment_name(header.run, header.number)
        self.size = 0
        self.chain = bytes.fromhex(header.chain)
        self._anchor = header.anchor
        self._at_ns = 0
        self._blocks: list[BlockEntry] = []
        self._pack = zstandard.ZstdCompressor(level=1, write_checksum=False)
        if self.path.exists():
            raise FileExistsError(f"{self.path} is there already")
        draft = self.path.with_suffix(".draft")
        self._fd = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_APPEND, _FILE_MODE)
        try:
            self._write(MAGIC + _chunk(_HEAD, msgspec.json.encode(header)))
            os.fsync(self._fd)
            draft.rename(self.path)
            sync_directory(directory)
        except OSError:
            self.abandon()
            raise

    @property
    def blocks(self) -> int:
        """Count the blocks written."""
        return len(self._blocks)

    def append(self, rows: Sequence[Row]) -> None:
        """Write one block; when this returns the rows survive the end of this process."""
        assert 0 < len(rows) <= BLOCK_RECORDS_MAX, f"a block of {len(rows)} records"
        at_ns = self._anchor.at_ns
        first_at_ns = max(self._at_ns, at_ns(rows[0][4]))
        self._at_ns = max(first_at_ns, at_ns(max(row[4] for row in rows)))
        packed = _PACK(rows)
        meta = BlockMeta(
            first_at_ns=first_at_ns,
            last_at_ns=self._at_ns,
            first_seq=rows[0][2],
            records=len(rows),
            unpacked=len(packed),
            chain=self.chain,
            counts=tuple(sorted(Counter(row[0] for row in rows).items())),
        )
        body = self._pack.compress(packed)
        self._blocks.append(BlockEntry(byte=self.size, meta=meta))
        described = _PACK(meta)
        self._write(_chunk(_BLOCK, described, body))
        self.chain = _link(described, body)

    def sync(self) -> None:
        """Make what was appended survive a power cut too."""
        os.fsync(self._fd)

    def close(self) -> None:
        """Write the index and close for good; afterwards the segment never changes."""
        byte = self.size
        footer = Footer(blocks=tuple(self._blocks), chain=self.chain)
        self._write(_chunk(_FOOT, _PACK(footer)) + _TRAILER.pack(byte, _END))
        os.fsync(self._fd)
        self.abandon()

    def abandon(self) -> None:
        """Close without a footer, after an error; does nothing when closed."""
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1

    def _write(self, data: bytes) -> None:
        view = memoryview(data)
        while view:
            done = os.write(self._fd, view)
            self.size += done
            view = view[done:]


def _link(meta: bytes, body: bytes) -> bytes:
    """Hash a block; its meta names the hash of the one before."""
    link = blake2b(meta, digest_size=_CHAIN_BYTES)
    link.update(body)
    return link.digest()


def sync_directory(directory: Path) -> None:
    """Make names that were created or removed in a directory survive a power cut."""
    fd = os.open(directory, os.O_RDONLY)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)


# --- reading -------------------------------------------------------------------------------------


class _Torn(Exception):
    """The file ends inside a chunk."""


class _Damaged(Exception):
    """A chunk is not what was written; the message says what was expected."""


class Segment:
    """One segment, its index known; records are read lazily, each iteration on its own."""

    __slots__ = ("blocks", "chain", "closed", "damage", "header", "path", "torn_byte", "torn_bytes")

    def __init__(self, path: Path) -> None:
        """Read header and index; find the index by reading through when there is no footer.

        Raises:
            OperatorError: not a segment, or its header is damaged.
        """
        self.path = path
        self.blocks: list[BlockEntry] = []
        self.chain = b""
        """Hash over all blocks of the run up to the end of this segment."""
        self.closed = False
        """False: the writer was killed, or writes still; the index was found by reading."""
        self.torn_byte = self.torn_bytes = 0
        """Where the readable part ends, and how many bytes follow it: a torn tail."""
        self.damage: OperatorError | None = None
        """What `records` raises after delivering everything in front of it."""
        with open_file(path) as file:
            self.header = _read_header(file, path)
            start = file.tell()
            if not self._take_footer(file):
                file.seek(start)
                self._scan(file)

    def counts(self) -> Counter[int]:
        """Count the records by code."""
        total: Counter[int] = Counter()
        for entry in self.blocks:
            total.update(dict(entry.meta.counts))
        return total

    def records(
        self, *, since_ns: int | None = None, until_ns: int | None = None
    ) -> Iterator[Record]:
        """Yield the records of an interval of engine time, both ends included.

        Raises:
            OperatorError: damage in the interval, after everything in front of it was yielded.
        """
        low = since_ns if since_ns is not None else 0
        high = until_ns if until_ns is not None else 1 << 63
        with open_file(self.path) as file:
            for place, entry in enumerate(self.blocks):
                meta = entry.meta
                if meta.last_at_ns < low or meta.first_at_ns > high:
                    continue
                records = self._read_block(file, place)
                if meta.first_at_ns >= low and meta.last_at_ns <= high:
                    yield from records
                else:
                    yield from self._within(records, meta.first_at_ns, low, high)
        if self.damage is not None and (not self.blocks or self.blocks[-1].meta.last_at_ns <= high):
            raise self.damage

    def _within(self, records: list[Record], at_ns: int, low: int, high: int) -> Iterator[Record]:
        """Filter the records of a block that begins at a time, however early its first reads."""
        anchor = self.header.anchor
        for record in records:
            at_ns = max(at_ns, anchor.at_ns(record.mono_ns))
            if low <= at_ns <= high:
                yield record

    def _read_block(self, file: BinaryIO, place: int) -> list[Record]:
        entry = self.blocks[place]
        last = place + 1 == len(self.blocks)
        follows = self.chain if last else self.blocks[place + 1].meta.chain
        file.seek(entry.byte)
        try:
            mark, meta, body = _read_chunk(file)
            if mark != _BLOCK or meta != _PACK(entry.meta) or follows != _link(meta, body):
                raise _Damaged("the block that the index names")
            return _unpack(entry.meta, body)
        except _Torn:
            raise _damage("a whole block", entry.byte, self.path) from None
        except _Damaged as error:
            raise _damage(str(error), entry.byte, self.path) from None

    def _take_footer(self, file: BinaryIO) -> bool:
        footer = _read_footer(file)
        if footer is None:
            return False
        first = footer.blocks[0].meta.chain if footer.blocks else footer.chain
        if first != bytes.fromhex(self.header.chain):
            return False
        self.closed, self.blocks, self.chain = True, list(footer.blocks), footer.chain
        return True

    def _scan(self, file: BinaryIO) -> None:
        self.chain = bytes.fromhex(self.header.chain)
        size = os.fstat(file.fileno()).st_size
        while (byte := file.tell()) < size:
            try:
                self._scan_chunk(file, byte)
            except (_Torn, _Damaged) as error:
                if isinstance(error, _Torn) or _is_tail(file, byte, size):
                    self.torn_byte, self.torn_bytes = byte, size - byte
                else:
                    self.damage = _damage(str(error), byte, self.path)
                return

    def _scan_chunk(self, file: BinaryIO, byte: int) -> None:
        mark, meta, body = _read_chunk(file)
        if mark == _FOOT:
            raise _Torn
        try:
            block = _BLOCK_META.decode(meta)
        except (msgspec.MsgspecError, UnicodeDecodeError):
            raise _Damaged("the description of a block") from None
        if mark != _BLOCK or block.chain != self.chain:
            raise _Damaged("the block that followed when this was written")
        self.blocks.append(BlockEntry(byte=byte, meta=block))
        self.chain = _link(meta, body)


def open_file(path: Path) -> BinaryIO:
    """Open a file that an operator named.

    Raises:
        OperatorError: it cannot be read.
    """
    try:
        return path.open("rb")
    except OSError as error:
        reason = (error.strerror or "unreadable").lower()
        raise OperatorError(f"expected a readable file, was {path}: {reason}") from None


def _damage(expected: str, byte: int, path: Path) -> OperatorError:
    return OperatorError(f"expected {expected} at byte {byte} of {path}, found damaged data")


def _read_header(file: BinaryIO, path: Path) -> SegmentHeader:
    if file.read(len(MAGIC)) != MAGIC:
        raise OperatorError(
            f"expected the mark of a recording at byte 0 of {path}, found something else"
        )
    try:
        mark, meta, _ = _read_chunk(file)
        header = _HEADER.decode(meta)
        whole = mark == _HEAD and len(bytes.fromhex(header.chain)) in {0, _CHAIN_BYTES}
    except (_Torn, _Damaged, msgspec.MsgspecError, ValueError):
        whole = False
    if not whole:
        raise _damage("the header of a recording", len(MAGIC), path)
    if header.format > FORMAT:
        raise OperatorError(
            f"expected format {FORMAT} or older at byte {len(MAGIC)} of {path}, was "
            f"{header.format}: a newer polytui wrote it"
        )
    return header


def _read_footer(file: BinaryIO) -> Footer | None:
    size = file.seek(0, os.SEEK_END)
    if size < _TRAILER.size:
        return None
    file.seek(size - _TRAILER.size)
    byte, end = _TRAILER.unpack(file.read(_TRAILER.size))
    if end != _END or byte >= size:
        return None
    file.seek(byte)
    try:
        mark, meta, _ = _read_chunk(file)
        whole = mark == _FOOT and file.tell() == size - _TRAILER.size
        return _FOOTER.decode(meta) if whole else None
    except (_Torn, _Damaged, msgspec.MsgspecError, UnicodeDecodeError):
        return None


def _read_chunk(file: BinaryIO) -> tuple[bytes, bytes, bytes]:
    head = file.read(_CHUNK.size)
    if len(head) < _CHUNK.size:
        raise _Torn
    mark, meta_size, body_size, payload_crc, head_crc = _CHUNK.unpack(head)
    if crc32(head[:_HEAD_CRC_AT]) != head_crc:
        raise _Damaged("the beginning of a block")
    size = meta_size + body_size
    if size > _SIZE_MAX:
        raise _Damaged(f"a block of at most {_SIZE_MAX} bytes")
    payload = file.read(size)
    if len(payload) < size:
        raise _Torn
    if crc32(payload) != payload_crc:
        raise _Damaged("a block that fits its checksum")
    return mark, payload[:meta_size], payload[meta_size:]


def _is_tail(file: BinaryIO, byte: int, size: int) -> bool:
    """Tell what a power cut leaves at the end of a file (zeros, one bad block) from damage."""
    if file.tell() == size:
        return True
    file.seek(byte)
    while piece := file.read(1 << 20):
        if piece.count(0) != len(piece):
            return False
    return True


def _unpack(meta: BlockMeta, body: bytes) -> list[Record]:
    try:
        if meta.unpacked > _SIZE_MAX or zstandard.frame_content_size(body) != meta.unpacked:
            raise _Damaged(f"a block of {meta.unpacked} bytes, {_SIZE_MAX} at most")
        packed = zstandard.ZstdDecompressor().decompress(body, max_output_size=meta.unpacked)
        records = _RECORDS.decode(packed)
    except (zstandard.ZstdError, msgspec.MsgspecError, UnicodeDecodeError):
        raise _Damaged("a block that unpacks") from None
    if len(records) != meta.records:
        raise _Damaged(f"a block of {meta.records} records")
    return records
