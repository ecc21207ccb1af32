"""The proof that the last recording replays to itself, kept beside the recordings.

`polytui replay --verify` leaves it; engines that record in the same place read it, for the release
ladder and the preflight. It speaks of one run, whole, as replayed by one version: with another run
since, another version, or a file that grew or went, nothing is shown any more.
"""

import fcntl
import os
from pathlib import Path
from typing import Final

import msgspec
from msgspec import Struct

from polytui.engine.core.errors import OperatorError
from polytui.engine.shell.places import private
from polytui.engine.shell.segments import SUFFIX

FILE: Final = "replay-proof.json"
LOCK: Final = ".lock"
"""The recorder's (`capture`)."""


class Proof(Struct, frozen=True, kw_only=True):
    """What a verification came to."""

    run: str
    version: str
    """Of the polytui that replayed."""
    equal: bool
    why: str
    """The verdict in words."""
    bytes: int
    """Of all its files: what grew since was not replayed."""
    wall_ns: int
    events: int
    compared: int
    """Recorded commands that were derived again."""
    decisions_digest: str
    state_digest: str


def keep(directory: Path, proof: Proof) -> None:
    """Leave a proof; an older one goes.

    Raises:
        OperatorError: the directory cannot be written.
    """
    path = directory / FILE
    fresh = path.with_name(f"{FILE}.new")
    try:
        with open(fresh, "wb", opener=private) as file:
            file.write(msgspec.json.encode(proof) + b"\n")
            file.flush()
            os.fsync(file.fileno())
        fresh.replace(path)
    except OSError as error:
        raise OperatorError(f"expected to keep the proof in {path}: {error.strerror}") from None


def is_equal(directory: Path, *, besides: str, version: str) -> bool | None:
    """Tell whether the last run but this one was shown to replay to itself; None: not shown."""
    try:
        proof = msgspec.json.decode((directory / FILE).read_bytes(), type=Proof)
    except (OSError, msgspec.DecodeError):
        return None
    last = last_run(directory, besides=besides)
    is_about = bool(last) and (proof.run, proof.version) == (last, version)
    return proof.equal if is_about and size_of(directory, last) == proof.bytes else None


def last_run(directory: Path, *, besides: str = "") -> str:
    """Name the latest run that is recorded here; empty: there is none."""
    runs = {path.name.rpartition("-")[0] for path in directory.glob(f"*{SUFFIX}")}
    return max(runs - {besides}, default="")


def files_of(directory: Path, run: str) -> list[Path]:
    """List the recordings of a run, in order."""
    return sorted(directory.glob(f"{run}-[0-9]*{SUFFIX}"))


def size_of(directory: Path, run: str) -> int:
    """Sum up what a run has on disk."""
    return sum(path.stat().st_size for path in files_of(directory, run))


def last_recording(directory: Path) -> list[Path]:
    """Find the latest recording that nobody writes any more.

    Raises:
        OperatorError: there is none.
    """
    run = last_run(directory)
    if run and _is_recording(directory):
        run = last_run(directory, besides=run)
    if not run:
        raise OperatorError(f"expected a finished recording (*{SUFFIX}) in {directory}, was none")
    return files_of(directory, run)


def _is_recording(directory: Path) -> bool:
    """Tell whether an engine records here now: the latest run is its own."""
    try:
        fd = os.open(directory / LOCK, os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return False
    try:
        fcntl.flock(fd, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except OSError:
        return True
    finally:
        os.close(fd)
    return False
