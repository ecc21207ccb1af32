"""What Linux says of a process: whether it lives, since when, what it uses."""

import os
from contextlib import suppress
from pathlib import Path

from msgspec import Struct

STAT_MAX = 4_096


class ProcessStat(Struct, frozen=True, kw_only=True):
    """A line of `/proc/PID/stat`."""

    name: str
    """Of the program; whoever runs it chooses it."""
    state: str
    """One letter: `R` and `S` run, `T` is stopped, `Z` has ended."""
    used_ticks: int
    """Processor time, in `SC_CLK_TCK`."""
    started_ticks: int
    """Since the machine started: with the number, this names one process for good."""
    rss_bytes: int


def read_process(pid: int) -> ProcessStat | None:
    """Read the state of a process; None where the system does not say."""
    try:
        with Path(f"/proc/{pid}/stat").open("rb") as file:
            line = file.read(STAT_MAX).decode("utf-8", "replace")
    except OSError:
        return None
    name = line.partition("(")[2].rpartition(")")[0]
    fields = line.rpartition(")")[2].split()
    if len(fields) < 22:
        return None
    return ProcessStat(
        name=name,
        state=fields[0],
        used_ticks=int(fields[11]) + int(fields[12]),
        started_ticks=int(fields[19]),
        rss_bytes=int(fields[21]) * os.sysconf("SC_PAGESIZE"),
    )


def has_ended(pid: int) -> bool:
    """Tell whether a process is gone: also one whose parent has not looked yet."""
    try:
        with suppress(PermissionError):  # it lives, as another user's
            os.kill(pid, 0)
    except ProcessLookupError:
        return True
    found = read_process(pid)
    return found is not None and found.state in "ZX"
