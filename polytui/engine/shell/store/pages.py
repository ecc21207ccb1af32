"""Digests of every page of the database file, so that no byte of it can change unnoticed.

SQLite itself has no checksum on a page: a flipped byte in free space, in an index or in a table is
found late or never. Beside the file lies `account.db.pages`, eight bytes a page. The writer alone
moves pages from the write-ahead log into the file, and does it in four steps that may be cut off
anywhere: write down what the pages will be (`.pages-next`), move them, write down what they are,
forget the first note. Until the last step a page may be the one or the other.
"""

import os
import struct
from collections.abc import Iterator
from hashlib import blake2b
from pathlib import Path
from typing import Final

from msgspec import Struct

from polytui.engine.shell.clock import read_mono_ns
from polytui.engine.shell.store.wal import read_frames

SUM: Final = 8
_MAGIC: Final = b"PTPAGES1"
_HEAD: Final = struct.Struct("<8sQQ16s")
"""Magic, bytes a page, pages, digest of those."""
_NEXT: Final = struct.Struct("<Q8s")
"""Page and digest."""
_CHUNK: Final = 256
"""Pages read at once."""


class PagesReport(Struct, frozen=True):
    """What a comparison found."""

    sealed: bool
    """False: there are no digests to compare with."""
    pages: int
    checked: int
    bad: tuple[int, ...]
    """The first few pages that are not as written."""
    why: str = ""
    """What is wrong with the digests themselves."""

    @property
    def damage(self) -> str:
        """Say what is wrong, or nothing."""
        if self.why or not self.bad:
            return self.why
        named = ", ".join(str(page) for page in self.bad[:4])
        more = " …" if len(self.bad) > 4 else ""
        return f"not as written: page {named}{more} of {self.pages}"


def page_digest(page: int, data: bytes) -> bytes:
    """Digest a page; its number goes in, so that pages cannot change places."""
    return blake2b(data, digest_size=SUM, salt=page.to_bytes(8, "little")).digest()


def sums_path(path: Path) -> Path:
    """Name the file of digests."""
    return path.with_name(path.name + ".pages")


def next_path(path: Path) -> Path:
    """Name the note of what pages will be."""
    return path.with_name(path.name + ".pages-next")


def page_size(path: Path) -> int:
    """Read the size of a page from the database's header (offset 16); 0: there is none."""
    with path.open("rb") as file:
        head = file.read(18)
    if len(head) < 18:
        return 0
    size = int.from_bytes(head[16:18], "big")
    size = 65_536 if size == 1 else size
    return size if size >= 512 and size & (size - 1) == 0 else 0


# --- writing -------------------------------------------------------------------------------------


def rebuild(path: Path) -> None:
    """Digest every page anew: after the file was made or written as a whole."""
    size = page_size(path) or 4_096
    digests = [page_digest(page, data) for page, data in _read_pages(path, size, 1, 1 << 62)]
    fresh = sums_path(path).with_name(sums_path(path).name + ".new")
    _write(fresh, _header(size, len(digests)) + b"".join(digests))
    fresh.replace(sums_path(path))
    next_path(path).unlink(missing_ok=True)


def foresee(path: Path) -> bool:
    """Write down what the pages of the write-ahead log will be; False: none waits there."""
    versions = _noted(path)
    before = {page: set(known) for page, known in versions.items()}
    for frame in read_frames(path):
        versions.setdefault(frame.page, set()).add(page_digest(frame.page, frame.data))
    if versions != before:
        rows = [_NEXT.pack(page, one) for page, known in versions.items() for one in sorted(known)]
        body = b"".join(rows)
        _write(next_path(path), blake2b(body, digest_size=16).digest() + body)
    return bool(versions)


def settle(path: Path, *, complete: bool) -> str:
    """Write down what the noted pages are now; say what is wrong with one, or nothing.

    `complete` False: some still wait in the log, so the note stays.
    """
    versions, size = _noted(path), page_size(path)
    known_size, sums = _read_sums(path)
    if not versions or not size or known_size != size:
        return ""
    count = path.stat().st_size // size
    was = len(sums) // SUM
    sums = sums[: count * SUM].ljust(count * SUM, b"\0")
    changed = bytearray(sums)
    with path.open("rb") as file:
        for page, accepted in versions.items():
            if page > count:
                continue
            file.seek((page - 1) * size)
            digest, at = page_digest(page, file.read(size)), (page - 1) * SUM
            if digest not in accepted and (page > was or digest != sums[at : at + SUM]):
                return f"page {page} is not what was moved into it"
            changed[at : at + SUM] = digest
    _patch(path, size, sums if count == was else b"", bytes(changed))
    if complete:
        next_path(path).unlink(missing_ok=True)
    return ""


def _patch(path: Path, size: int, old: bytes, new: bytes) -> None:
    """Write the runs of digests that differ, in place."""
    with sums_path(path).open("r+b") as file:
        if len(old) != len(new):
            file.write(_header(size, len(new) // SUM) + new)
            file.truncate()
        else:
            for at in range(0, len(new), 4_096):
                if old[at : at + 4_096] != new[at : at + 4_096]:
                    file.seek(_HEAD.size + at)
                    file.write(new[at : at + 4_096])
        file.flush()
        os.fsync(file.fileno())


def _write(path: Path, data: bytes) -> None:
    fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
    try:
        os.write(fd, data)
        os.fsync(fd)
    finally:
        os.close(fd)


def _header(size: int, count: int) -> bytes:
    return _HEAD.pack(_MAGIC, size, count, _head_digest(size, count))


def _head_digest(size: int, count: int) -> bytes:
    return blake2b(struct.pack("<8sQQ", _MAGIC, size, count), digest_size=16).digest()


# --- comparing -----------------------------------------------------------------------------------


def compare(path: Path, *, budget_ns: int = 0, start: int = 0) -> PagesReport:
    """Compare pages with their digests: all, or as many as a budget allows.

    With a budget the first and the last pages come first, then the rest from `start` on, in turn.
    """
    size, sums = _read_sums(path)
    if not size:
        why = "its digests cannot be read" if sums_path(path).exists() else ""
        return PagesReport(False, 0, 0, (), why)
    if size != page_size(path):
        return PagesReport(True, 0, 0, (1,), "the header of the file is not as written")
    count, extra = divmod(path.stat().st_size, size)
    if count != len(sums) // SUM and not next_path(path).exists():
        return PagesReport(True, count, 0, (), f"{count} pages, {len(sums) // SUM} were written")
    if extra:
        return PagesReport(True, count, 0, (), f"{extra} bytes after the last page")
    accepted, deadline_ns = _noted(path), read_mono_ns() + budget_ns
    bad: list[int] = []
    checked = 0
    for first in _order(count, start if budget_ns else 0, whole=not budget_ns):
        for page, data in _read_pages(path, size, first, min(_CHUNK, count - first + 1)):
            digest, at = page_digest(page, data), (page - 1) * SUM
            checked += 1
            if digest != sums[at : at + SUM] and digest not in accepted.get(page, ()):
                bad.append(page)
        if len(bad) > 16 or (budget_ns and read_mono_ns() > deadline_ns):
            break
    return PagesReport(True, count, checked, tuple(bad))


def _order(count: int, start: int, *, whole: bool) -> Iterator[int]:
    """Yield first pages of chunks: the beginning, the end, then all others from `start` on."""
    chunks = range(1, count + 1, _CHUNK)
    if whole or len(chunks) <= 2:
        yield from chunks
        return
    yield chunks[0]
    yield chunks[-1]
    rest = chunks[1:-1]
    turn = start % len(rest)
    yield from (*rest[turn:], *rest[:turn])


def _read_pages(path: Path, size: int, first: int, most: int) -> Iterator[tuple[int, bytes]]:
    with path.open("rb") as file:
        file.seek((first - 1) * size)
        page, end = first, first + most
        while page < end:
            data = file.read(size * min(_CHUNK, end - page))
            for at in range(0, len(data) - size + 1, size):
                yield page, data[at : at + size]
                page += 1
            if len(data) < size:
                return


def _read_sums(path: Path) -> tuple[int, bytes]:
    """Read (bytes a page, digests); (0, nothing): there are none, or they are damaged."""
    try:
        data = sums_path(path).read_bytes()
    except FileNotFoundError:
        return 0, b""
    if len(data) < _HEAD.size:
        return 0, b""
    magic, size, count, digest = _HEAD.unpack_from(data)
    sums = data[_HEAD.size :]
    is_whole = magic == _MAGIC and digest == _head_digest(size, count) and len(sums) == count * SUM
    return (size, sums) if is_whole else (0, b"")


def _noted(path: Path) -> dict[int, set[bytes]]:
    """Read what pages may be; a note that was cut off was never acted on."""
    try:
        data = next_path(path).read_bytes()
    except FileNotFoundError:
        return {}
    body = data[16:]
    if blake2b(body, digest_size=16).digest() != data[:16]:
        return {}
    noted: dict[int, set[bytes]] = {}
    for page, digest in _NEXT.iter_unpack(body[: len(body) // _NEXT.size * _NEXT.size]):
        noted.setdefault(page, set()).add(digest)
    return noted
