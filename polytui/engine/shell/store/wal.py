"""Reads SQLite's write-ahead log: which pages wait in it, and whether it is whole.

The format is SQLite's (sqlite.org/fileformat2.html §4): a header of 32 bytes, then frames of 24
bytes and a page; a frame with the size of the database in its head ends a transaction. Frames of an
earlier round have other salts and end the reading.
"""

import struct
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from msgspec import Struct

_HEADER: Final = struct.Struct(">8I")
_FRAME: Final = struct.Struct(">6I")
_MAGIC: Final = 0x377F0682
"""Its last bit tells the byte order of the checksums."""
_WORD: Final = 0xFFFFFFFF


class Frame(Struct, frozen=True, gc=False):
    """One page in the log."""

    page: int
    """1, 2, 3 …"""
    ends: bool
    """Whether a transaction ends here."""
    data: bytes


class WalFacts(Struct, frozen=True):
    """What a reading of the whole log found."""

    transactions: int
    frames: int
    rest: int
    """Bytes after the last whole transaction: of a write that was cut off, or damage."""
    damage: str = ""
    """Why the rest is no write that was cut off."""


def wal_path(path: Path) -> Path:
    """Name the write-ahead log of a database."""
    return path.with_name(path.name + "-wal")


def has_log(path: Path) -> bool:
    """Tell whether somebody writes, or was cut off while writing."""
    try:
        return wal_path(path).stat().st_size > 0
    except FileNotFoundError:
        return False


def read_frames(path: Path, *, checked: bool = False) -> Iterator[Frame]:
    """Yield the frames of this round, in order; `checked`: until the first bad checksum."""
    try:
        file = wal_path(path).open("rb")
    except FileNotFoundError:
        return
    with file:
        head = file.read(_HEADER.size)
        if len(head) < _HEADER.size:
            return
        magic, _, size, _, salt_1, salt_2, sum_1, sum_2 = _HEADER.unpack(head)
        if magic & ~1 != _MAGIC or not 512 <= size <= 65_536:
            return
        order = ">" if magic & 1 else "<"
        if checked and _sums(head[:24], (0, 0), order) != (sum_1, sum_2):
            return
        running = (sum_1, sum_2)
        while len(raw := file.read(_FRAME.size + size)) == _FRAME.size + size:
            page, commit, frame_1, frame_2, sum_1, sum_2 = _FRAME.unpack_from(raw)
            if (frame_1, frame_2) != (salt_1, salt_2):
                return
            data = raw[_FRAME.size :]
            if checked:
                running = _sums(data, _sums(raw[:8], running, order), order)
                if running != (sum_1, sum_2):
                    return
            yield Frame(page, commit > 0, data)


def read_wal(path: Path) -> WalFacts:
    """Read all of it, recomputing every checksum."""
    transactions = frames = whole = size = 0
    for frame in read_frames(path, checked=True):
        frames += 1
        size = len(frame.data) + _FRAME.size
        if frame.ends:
            transactions += 1
            whole = frames
    try:
        length = wal_path(path).stat().st_size
    except FileNotFoundError:
        length = 0
    rest = max(0, length - _HEADER.size - whole * size) if frames else max(0, length - _HEADER.size)
    damage = _judge(path, frames, has_ended=transactions > 0) if rest else ""
    return WalFacts(transactions=transactions, frames=whole, rest=rest, damage=damage)


def _judge(path: Path, frames: int, *, has_ended: bool) -> str:
    """Say why the frames after the good ones are damaged, or nothing: they were cut off.

    A write that was cut off ends with the file. Only the first transaction of a round may have
    frames of an earlier round behind it, whose salts both differ, and has no frame that ends it.
    """
    with wal_path(path).open("rb") as file:
        head = file.read(_HEADER.size)
        magic, _, size, _, salt_1, salt_2, *sums = _HEADER.unpack(head)
        order = ">" if magic & 1 else "<"
        if magic & ~1 != _MAGIC or [*_sums(head[:24], (0, 0), order)] != sums:
            return "its head is not as written"
        file.seek(_HEADER.size + frames * (_FRAME.size + size))
        while len(raw := file.read(_FRAME.size + size)) == _FRAME.size + size:
            _, commit, frame_1, frame_2, *_ = _FRAME.unpack_from(raw)
            frames += 1
            if (frame_1 == salt_1 or frame_2 == salt_2) and (has_ended or commit):
                return f"frame {frames} is not as written"
    return ""


def _sums(data: bytes, sums: tuple[int, int], order: str) -> tuple[int, int]:
    """Run SQLite's checksum on: two sums over pairs of 32-bit words."""
    one, two = sums
    for first, second in struct.iter_unpack(f"{order}2I", data):
        one = (one + first + two) & _WORD
        two = (two + second + one) & _WORD
    return one, two
