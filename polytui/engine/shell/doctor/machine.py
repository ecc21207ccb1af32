"""Checks of this machine: configuration, Python, libraries, disk, terminal."""

import os
import shutil
import stat
import sys
from pathlib import Path
from typing import Final

from polytui.engine.decide.preflight import DISK_FREE_MIN
from polytui.engine.shell.doctor.case import Case
from polytui.engine.shell.doctor.report import Finding, fail, listed, warn, well
from polytui.engine.shell.doctor.versions import LOCK_NAME, find_lock, installed, pins

DISK_LOW: Final = 5 * DISK_FREE_MIN
GB: Final = 1_000_000_000
PYTHON_OLDEST, PYTHON_NEWEST = (3, 11), (3, 13)
"""Tested with these and what lies between."""
COLUMNS_MIN, ROWS_MIN = 40, 10
COLUMNS_GOOD, ROWS_GOOD = 80, 24
OTHERS_WRITE: Final = stat.S_IWGRP | stat.S_IWOTH


def check_config(case: Case) -> Finding:
    """Ask whether it loads, every key is known, and nobody else can change it."""
    if case.config_why:
        return fail(case.config_why, "correct the keys named; config.toml documents every one")
    settings = case.settings
    said = f"mode {settings.run.mode.value}, venue {settings.venue.kind}"
    if case.config is None:
        return well(f"no file, the defaults: {said}")
    try:
        found = case.config.stat()
    except OSError as error:
        return fail(f"{case.config}: {error.strerror}", f"make {case.config} readable")
    mode = stat.S_IMODE(found.st_mode)
    if mode & OTHERS_WRITE:
        return fail(
            f"{case.config} can be changed by others (mode {mode:o}): they could raise every limit",
            f"chmod go-w {case.config}",
        )
    if found.st_uid not in (0, os.getuid()):
        return warn(
            f"{case.config} belongs to uid {found.st_uid}, who can change every limit",
            f"chown it to root or to the engine's user: chown {os.getuid()} {case.config}",
        )
    return well(f"{case.config} (mode {mode:o}): {said}")


def check_python(_: Case) -> Finding:
    """Ask for a Python that the tests run on."""
    here = sys.version_info[:2]
    version = ".".join(str(part) for part in sys.version_info[:3])
    if here < PYTHON_OLDEST:
        return fail(f"Python {version}", "install Python 3.11, 3.12 or 3.13, then make run")
    if here > PYTHON_NEWEST:
        return warn(f"Python {version} is newer than any that is tested", "use 3.11, 3.12 or 3.13")
    return well(f"Python {version}")


def check_libraries(_: Case) -> Finding:
    """Compare what is installed with the lock file, through all dependencies."""
    path = find_lock()
    if path is None:
        return warn(f"no {LOCK_NAME} came with this installation", "install from the repository")
    try:
        locked = pins(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        return fail(f"{path} cannot be read: {error}", "restore it from the repository")
    found = installed()
    missing = sorted(name for name, version in found.items() if not version)
    other = [
        f"{name} {version} (locked {' or '.join(sorted(locked[name]))})"
        for name, version in sorted(found.items())
        if version and name in locked and version not in locked[name]
    ]
    unlocked = sorted(name for name, version in found.items() if version and name not in locked)
    remedy = "make run builds .venv from the lock again"
    if missing or other:
        return fail(listed([*(f"{name} is missing" for name in missing), *other]), remedy)
    if unlocked:
        return warn(f"not in the lock: {listed(unlocked)}", f"make lock, then {remedy}")
    return well(f"{len(found)} libraries as locked")


def check_disk(case: Case) -> Finding:
    """Ask for room where journal and recordings go, and for the right to write there."""
    settings = case.settings
    places = {"store": settings.store.directory}
    if settings.capture.enabled:
        places["recordings"] = settings.capture.directory
    worst = well("")
    said: list[str] = []
    for what, directory in places.items():
        finding = _disk(what, Path(directory).absolute())
        said.append(finding.found)
        if finding.remedy and (not worst.remedy or finding.status.value == "fail"):
            worst = finding
    return worst if worst.remedy else well("; ".join(said))


def _disk(what: str, directory: Path) -> Finding:
    there = next(place for place in (directory, *directory.parents) if place.exists())
    if not there.is_dir():
        return fail(f"{what}: {there} is no directory", f"move {there} away or set another one")
    if not os.access(there, os.W_OK | os.X_OK):
        return fail(f"{what}: {there} cannot be written", "give it to the engine's user")
    free = shutil.disk_usage(there).free
    said = f"{what} {free / GB:.1f} GB free ({directory})"
    if free < DISK_FREE_MIN:
        return fail(said, f"free at least {DISK_FREE_MIN / GB:.0f} GB: below that nothing is armed")
    if free < DISK_LOW:
        return warn(said, "make room, or lower capture.keep_gb")
    return well(said)


def check_terminal(case: Case) -> Finding:
    """Ask whether this terminal can show the console."""
    if not (sys.stdin.isatty() and sys.stdout.isatty()):
        return well("not looked at: the doctor does not run in a terminal")
    kind = os.environ.get("TERM", "")
    size = shutil.get_terminal_size()
    encoding = (sys.stdout.encoding or "").lower().replace("-", "")
    colours = "24-bit colour" if os.environ.get("COLORTERM") else f"{kind}'s colours"
    around = "tmux" if os.environ.get("TMUX") else "no tmux"
    said = f"{kind} {size.columns}x{size.lines}, {encoding}, {colours}, {around}"
    if kind in ("", "dumb"):
        return fail(said, "set TERM, for example to tmux-256color; polytui ctl needs no terminal")
    if size.columns < COLUMNS_MIN or size.lines < ROWS_MIN:
        return fail(said, f"enlarge it to {COLUMNS_GOOD}x{ROWS_GOOD}")
    if encoding != "utf8" and not case.settings.console.ascii:
        return warn(said, "export LANG=C.UTF-8, or set console.ascii = true")
    if size.columns < COLUMNS_GOOD or size.lines < ROWS_GOOD:
        return warn(said, f"pages hide columns below {COLUMNS_GOOD}x{ROWS_GOOD}: enlarge it")
    return well(said)
