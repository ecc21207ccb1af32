"""Lines of text files, zipped or not, with their numbers; exact numbers and times from text."""

import gzip
import zlib
from collections.abc import Iterator
from datetime import datetime, tzinfo
from pathlib import Path
from typing import BinaryIO, Final

import msgspec

from polytui.engine.core.errors import SHOWN_MAX, OperatorError, shown
from polytui.engine.shell.segments import open_file

LINE_MAX: Final = 32 << 20
"""Longest line read, bytes; a full REST book of a busy exchange is about 7 MB."""

BAD_JSON: Final = (msgspec.MsgspecError, UnicodeDecodeError, RecursionError)
"""All that msgspec raises for text from outside."""

_MS = 1_000_000
_SECOND = 1_000_000_000
_GZIP = b"\x1f\x8b"


class Lines:
    """The lines of a file, zipped or not, that know their number."""

    def __init__(self, path: Path) -> None:
        """Remember the file; each iteration opens it anew."""
        self.path = path
        self.number = 0
        """Of the line last yielded, from 1."""

    def __iter__(self) -> Iterator[bytes]:
        """Yield lines without their ends.

        Raises:
            OperatorError: the file or its compression breaks off, or a line has no end.
        """
        self.number = 0
        with open_file(self.path) as file:
            zipped = file.read(len(_GZIP)) == _GZIP
            file.seek(0)
            if not zipped:
                yield from self._lines(file)
                return
            with gzip.GzipFile(fileobj=file) as stream:
                yield from self._lines(stream)

    def refuse(self, expected: str, got: str) -> OperatorError:
        """Make the sentence about the line last yielded."""
        return OperatorError(
            f"expected {expected} in line {self.number} of {self.path}, was {shown(got)}"
        )

    def _lines(self, stream: BinaryIO | gzip.GzipFile) -> Iterator[bytes]:
        try:
            while line := stream.readline(LINE_MAX):
                self.number += 1
                if len(line) == LINE_MAX:
                    raise self.refuse(f"at most {LINE_MAX} bytes", f"{line[:20]!r}…")
                yield line.rstrip(b"\r\n")
        except (EOFError, zlib.error, gzip.BadGzipFile):
            raise OperatorError(
                f"expected whole gzip data after line {self.number} of {self.path}, "
                "found the file cut off or damaged"
            ) from None
        except OSError as error:
            reason = (error.strerror or "unreadable").lower()
            raise OperatorError(f"expected a readable file, was {self.path}: {reason}") from None


def cut(error: Exception) -> str:
    """Shorten what a library said about foreign text."""
    return ascii(str(error))[1:-1][:SHOWN_MAX]


def beginning(text: bytes) -> str:
    """Decode the beginning of a line for a sentence about it."""
    return text[:120].decode("utf-8", "backslashreplace")


def ns_from_ms_text(text: str) -> int:
    """Read decimal milliseconds (`1776094505287.683`) as nanoseconds, exactly.

    Raises:
        ValueError: not a plain decimal of at most six places.
    """
    whole, _, frac = text.partition(".")
    if not (whole.isdecimal() and (whole + frac).isdecimal() and text.isascii()):
        raise ValueError(text)
    if len(whole) > 16 or len(frac) > 6:
        raise ValueError(text)
    return int(whole) * _MS + int(frac.ljust(6, "0"))


def ns_from_iso(text: str, *, default: tzinfo | None = None) -> int:
    """Read an ISO time to the microsecond; without a zone it is of the default one.

    Raises:
        ValueError: no ISO time, or no zone and no default.
    """
    moment = datetime.fromisoformat(text)
    zone = moment.tzinfo or default
    if zone is None:
        raise ValueError(text)
    whole = moment.replace(microsecond=0, tzinfo=zone)
    return int(whole.timestamp()) * _SECOND + moment.microsecond * 1_000
