"""Checks of the runtime directory: its sockets, its lock, its latch, and processes left over."""

import os
import socket
import stat
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Final

from msgspec import Struct

import polytui
from polytui.engine.core.errors import OperatorError
from polytui.engine.shell import places
from polytui.engine.shell.doctor.case import Case
from polytui.engine.shell.doctor.report import Finding, fail, listed, warn, well
from polytui.engine.shell.latch import LATCH_BYTES, LATCH_FILE, OPEN
from polytui.engine.shell.places import ADMIN_SOCKET, LOCK_FILE, SOCKET_PATH_MAX, VIEW_SOCKET

_PROC: Final = Path("/proc")
_MODULES: Final = {
    "polytui.engine.shell.signer": "signer",
    "polytui.engine.shell.sentinel": "sentinel",
}
_PIDS_MAX: Final = 65_536


def check_directory(case: Case) -> Finding:
    """Ask for a private directory with a name short enough for sockets."""
    directory = case.directory
    if not os.path.lexists(directory):
        if len(os.fsencode(directory / ADMIN_SOCKET)) > SOCKET_PATH_MAX:
            return fail(f"{directory} is too long a name", "set runtime_dir to a shorter one")
        return well(f"{directory} is not there yet: the engine makes it, private")
    try:
        places.prepare(directory)  # it is there: this only judges
    except OperatorError as error:
        return fail(str(error), f"chmod 700 {directory}, or set another runtime_dir")
    return well(f"{directory}, private")


def check_sockets(case: Case) -> Finding:
    """Ask whether the sockets are private, and whether somebody listens behind each."""
    wide, stale, there = [], [], []
    for name in (ADMIN_SOCKET, VIEW_SOCKET):
        path = case.directory / name
        try:
            mode = path.lstat().st_mode
        except OSError:
            continue
        there.append(name)
        if not stat.S_ISSOCK(mode) or mode & 0o007:
            wide.append(f"{name} (mode {stat.S_IMODE(mode):o})")
        elif not _listens(path):
            stale.append(name)
    if wide:
        return fail(f"not private sockets: {listed(wide)}", "stop the engine, remove them, restart")
    if stale:
        return warn(
            f"nobody listens at {listed(stale)}: an engine ended without cleaning up",
            "none needed: the next engine replaces them",
        )
    if case.engine is None:
        return well("none: no engine runs")
    if len(there) < 2:
        return fail(
            f"an engine runs (pid {case.engine.pid}) and only {listed(there) or 'none'} is there",
            "restart the engine: somebody removed the others",
        )
    return well(f"admin and view, private, pid {case.engine.pid} answers")


def _listens(path: Path) -> bool:
    with closing(socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)) as link:
        link.settimeout(1.0)
        try:
            link.connect(str(path))
        except OSError:
            return False
    return True


class Left(Struct, frozen=True, kw_only=True):
    """A process of ours."""

    pid: int
    parent: int
    kind: str
    engine: int
    """The engine that started it, where its arguments say; 0: they do not."""


def check_processes(case: Case) -> Finding:
    """Look for an engine that does not answer, and for children that outlived theirs."""
    orphans = [left for left in processes() if not _lives(left.engine or left.parent, left)]
    if orphans:
        said = listed(f"{left.kind} (pid {left.pid})" for left in orphans)
        return warn(
            f"without an engine: {said}",
            "a sentinel cancels everything, then ends by itself; a signer: kill its pid",
        )
    pid = _lock_pid(case.directory)
    if case.engine is not None:
        if pid not in (0, case.engine.pid):
            return warn(
                f"the lock names pid {pid}, pid {case.engine.pid} answers", "restart the engine"
            )
        if case.engine.version != polytui.__version__:
            return warn(
                f"the engine is polytui {case.engine.version}, this is {polytui.__version__}",
                "restart the engine when nothing is open: docs/service.md says how",
            )
        return well(f"engine pid {case.engine.pid}, run {case.engine.run}")
    if case.engine_why:
        return fail(case.engine_why, "polytui-kill, then end it and start it again")
    if pid and _is_ours(pid):
        return fail(
            f"an engine (pid {pid}) is there and does not answer",
            f"polytui-kill closes the latch; then kill {pid}: its sentinel cancels everything",
        )
    return well("none left over" + (f"; the last engine was pid {pid}" if pid else ""))


def processes() -> Iterator[Left]:
    """List signers and sentinels of this user, where the system tells (Linux)."""
    pids = [name for name in _names(_PROC) if name.isdecimal()]
    for name in pids[:_PIDS_MAX]:
        try:
            if (_PROC / name).stat().st_uid != os.getuid():
                continue
            words = (_PROC / name / "cmdline").read_bytes().split(b"\0")
            parent = int((_PROC / name / "stat").read_bytes().rpartition(b")")[2].split()[1])
        except (OSError, ValueError, IndexError):
            continue
        arguments = [word.decode("utf-8", "replace") for word in words]
        module = arguments[3] if arguments[1:3] == ["-I", "-m"] and len(arguments) > 3 else ""
        kind = _MODULES.get(module, "")
        if kind:
            said = arguments[5] if kind == "signer" and len(arguments) > 5 else ""
            engine = int(said) if said.isdecimal() else 0
            yield Left(pid=int(name), parent=parent, kind=kind, engine=engine)


def _names(directory: Path) -> list[str]:
    try:
        return os.listdir(directory)
    except OSError:
        return []


def _lives(pid: int, left: Left) -> bool:
    """Tell whether a child's engine is still its parent."""
    return pid == left.parent and pid > 1 and (_PROC / str(pid)).exists()


def _is_ours(pid: int) -> bool:
    """Tell whether a process is an engine: a pid alone may be somebody else's by now."""
    try:
        return b"polytui" in (_PROC / str(pid) / "cmdline").read_bytes()
    except OSError:
        return False


def _lock_pid(directory: Path) -> int:
    """Read who held the lock last; 0 when nobody did."""
    try:
        text = (directory / LOCK_FILE).read_bytes()[:32].decode("ascii", "replace").strip()
    except OSError:
        return 0
    return int(text) if text.isdecimal() else 0


def check_latch(case: Case) -> Finding:
    """Read the kill latch without touching it."""
    path = case.directory / LATCH_FILE
    if not os.path.lexists(path):
        return well("none yet: the engine makes it")
    try:
        fd = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK)
    except OSError as error:
        return fail(f"{path}: {error.strerror}", f"make {path} a plain file of the engine's user")
    with closing(os.fdopen(fd, "rb")) as file:
        found = os.fstat(fd)
        record = file.read(LATCH_BYTES) if stat.S_ISREG(found.st_mode) else b""
    if not stat.S_ISREG(found.st_mode) or found.st_uid != os.getuid():
        return fail(f"{path} is no plain file of ours", "stop the engine and remove it")
    if found.st_mode & OTHERS:
        return fail(
            f"{path} can be changed by others (mode {stat.S_IMODE(found.st_mode):o})",
            f"chmod 600 {path}",
        )
    if record[:1] == OPEN:
        return well("open")
    note = record[1:].decode("utf-8", "replace").strip() or "no note"
    return warn(
        f"closed, nothing is signed: {note}",
        "once you know why: polytui ctl risk.clear CLEAR 'the reason', or C on the Kill page",
    )


OTHERS: Final = stat.S_IWGRP | stat.S_IWOTH
