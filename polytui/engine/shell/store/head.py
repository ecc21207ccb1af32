"""The head: which row was the last that is durable, in a file of its own.

A chain that lost its newest rows is a valid shorter chain: nothing in it can say so. The head can.
It is written after each commit, in place, and is never ahead of what the disk was told to keep.
"""

import os
from hashlib import blake2b
from pathlib import Path
from typing import Final

from msgspec import Struct

SIZE: Final = 128
_MARK: Final = "polytui-head"


class Head(Struct, frozen=True):
    """The end of the chain."""

    n: int
    chain: bytes
    """Digest of row `n`."""


def head_path(path: Path) -> Path:
    """Name the file."""
    return path.with_name(path.name + ".head")


class HeadFile:
    """Keeps the file open for writing."""

    __slots__ = ("_fd",)

    def __init__(self, path: Path) -> None:
        """Open or make it.

        Raises:
            OSError: it cannot be had.
        """
        self._fd = os.open(head_path(path), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)

    def write(self, head: Head) -> None:
        """Write in place, without waiting for the disk."""
        os.pwrite(self._fd, _line(head), 0)

    def close(self) -> None:
        """Let go of it."""
        os.fsync(self._fd)
        os.close(self._fd)


def read_head(path: Path) -> tuple[Head | None, str]:
    """Read the head and what is wrong with it; (None, nothing): there is none."""
    try:
        line = head_path(path).read_bytes()
    except FileNotFoundError:
        return None, ""
    if not line:
        return None, ""
    try:
        mark, n, chain, _ = line.decode("ascii").split()
        head = Head(n=int(n), chain=bytes.fromhex(chain))
    except ValueError:
        return None, "the head is not as written"
    return (
        (head, "")
        if mark == _MARK and _line(head) == line
        else (None, "the head is not as written")
    )


def _line(head: Head) -> bytes:
    body = f"{_MARK} {head.n} {head.chain.hex()}"
    digest = blake2b(body.encode(), digest_size=16).hexdigest()
    return f"{body} {digest}".ljust(SIZE - 1).encode() + b"\n"
