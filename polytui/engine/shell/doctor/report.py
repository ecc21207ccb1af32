"""What the doctor says: one line a check, made safe to show, as text or as JSON."""

from collections.abc import Iterable
from enum import Enum
from typing import Final

from msgspec import Struct
from msgspec.json import encode

from polytui.engine.core.text import sanitise

FOUND_MAX: Final = 400
"""Characters of what was found, and of a remedy: paths and addresses are long."""
EXIT_WELL, EXIT_ILL = 0, 1


class Status(Enum):
    """How a check came out."""

    OK = "ok"
    WARN = "warn"
    """It will run; somebody should know, or it could not be looked at."""
    FAIL = "fail"
    """It will not run, or not safely."""


class Finding(Struct, frozen=True):
    """What one check found, and what to do about it; nothing to do when all is well."""

    status: Status
    found: str
    remedy: str = ""


def well(found: str) -> Finding:
    """Find nothing wrong."""
    return Finding(Status.OK, found)


def warn(found: str, remedy: str) -> Finding:
    """Find something that a person should know."""
    return Finding(Status.WARN, found, remedy)


def fail(found: str, remedy: str) -> Finding:
    """Find something that must be put right."""
    return Finding(Status.FAIL, found, remedy)


class Line(Struct, frozen=True, kw_only=True):
    """One check's line."""

    code: str
    """Stable, for scripts."""
    title: str
    status: Status
    found: str
    remedy: str


class Report(Struct, frozen=True, kw_only=True):
    """Everything the doctor found."""

    version: str
    wall_ns: int
    venue: str
    lines: tuple[Line, ...]

    def count(self, status: Status) -> int:
        """Count the lines of one kind."""
        return sum(line.status is status for line in self.lines)

    @property
    def exit_code(self) -> int:
        """Return 0 when no check failed, 1 otherwise."""
        return EXIT_ILL if self.count(Status.FAIL) else EXIT_WELL


def line_of(code: str, title: str, finding: Finding) -> Line:
    """Make a line; what it says may come from a venue, a file or a process: it is cleaned here."""
    return Line(
        code=code,
        title=title,
        status=finding.status,
        found=sanitise(finding.found, limit=FOUND_MAX),
        remedy=sanitise(finding.remedy, limit=FOUND_MAX),
    )


def as_text(report: Report) -> str:
    """Write it for a person: a line a check, its remedy below it."""
    width = max((len(line.title) for line in report.lines), default=0)
    rows: list[str] = []
    for line in report.lines:
        rows.append(f"{line.status.value:<4}  {line.title:<{width}}  {line.found}")
        if line.remedy:
            rows.append(f"      {'':<{width}}  -> {line.remedy}")
    rows.append(_summary(report))
    return "\n".join(rows)


def as_json(report: Report) -> str:
    """Write it for a program."""
    counts = {status.value: report.count(status) for status in Status}
    head = {"version": report.version, "wall_ns": report.wall_ns, "venue": report.venue}
    return encode(head | counts | {"lines": report.lines}).decode()


def _summary(report: Report) -> str:
    return ", ".join(f"{report.count(status)} {status.value}" for status in Status)


def listed(names: Iterable[str], *, most: int = 5) -> str:
    """Name a few of many."""
    everything = list(names)
    more = len(everything) - most
    return ", ".join(everything[:most]) + (f" and {more} more" if more > 0 else "")
