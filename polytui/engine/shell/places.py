"""Where an engine can be found: one private directory per engine, sockets, lock and log in it."""

import fcntl
import os
import stat
from pathlib import Path

from polytui.engine.core.errors import OperatorError

ADMIN_SOCKET = "admin.sock"
VIEW_SOCKET = "view.sock"
LOCK_FILE = "engine.lock"
LOG_FILE = "engine.log"

PRIVATE_UMASK = 0o077
"""Of every process of ours: what it makes is its user's alone, whatever made it."""

SOCKET_PATH_MAX = 100
"""The kernel takes 107 bytes; what follows the directory must fit as well."""


def runtime_dir(configured: str) -> Path:
    """Return the directory of the sockets; it need not exist yet."""
    if configured:
        return Path(configured).absolute()
    session = os.environ.get("XDG_RUNTIME_DIR", "")
    if session and Path(session).is_dir():
        return Path(session) / "polytui"
    return Path(f"/tmp/polytui-{os.getuid()}")  # noqa: S108  made private and checked by `prepare`


def prepare(directory: Path) -> None:
    """Make the directory, for this user only.

    Raises:
        OperatorError: it is somebody else's, open to others, no directory, or cannot be made.
    """
    if len(os.fsencode(directory / ADMIN_SOCKET)) > SOCKET_PATH_MAX:
        raise OperatorError(
            f"expected a runtime directory of at most {SOCKET_PATH_MAX - len(ADMIN_SOCKET) - 1} "
            f"bytes, was {directory}: set runtime_dir to a shorter one"
        )
    try:
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        found = directory.lstat()
    except OSError as error:
        raise OperatorError(
            f"expected to make the runtime directory {directory}, but: {error.strerror}"
        ) from None
    if not stat.S_ISDIR(found.st_mode):
        raise OperatorError(f"expected {directory} to be a directory and no link to one")
    if found.st_uid != os.getuid():
        raise OperatorError(f"expected {directory} to be ours, its owner is uid {found.st_uid}")
    if found.st_mode & 0o077:
        raise OperatorError(
            f"expected {directory} to be private, its mode is {stat.S_IMODE(found.st_mode):o}: "
            f"run chmod 700 {directory}"
        )


def private(path: str, flags: int) -> int:
    """Open a file for this user alone, whoever could read an older one: an `opener` of `open`."""
    fd = os.open(path, flags | os.O_NOFOLLOW, 0o600)
    os.fchmod(fd, 0o600)
    return fd


def take_lock(directory: Path) -> int:
    """Become the one engine of this directory; the lock goes with the process, however it ends.

    Raises:
        OperatorError: another engine runs here.
    """
    lock = os.open(directory / LOCK_FILE, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        pid = os.read(lock, 32).decode("ascii", "replace").strip() or "unknown"
        os.close(lock)
        raise OperatorError(
            f"an engine (pid {pid}) already runs in {directory}: attach to it with "
            "`polytui attach`, or give this one its own runtime_dir"
        ) from None
    os.ftruncate(lock, 0)
    os.write(lock, f"{os.getpid()}\n".encode())
    return lock
