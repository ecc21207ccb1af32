"""Engines as processes of their own, in private short-named directories, and ways to watch them.

An engine has children: the practice venue, the signer, the sentinel. Some outlive a killed engine
on purpose; a test must leave none behind, and an engine that was told to stop leaves none itself.
"""

import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from polytui.engine.core.view import AnySection
from polytui.engine.shell.dial import Dialled, Unreachable
from polytui.engine.shell.places import ADMIN_SOCKET
from tests.conftest import ROOT

DEADLINE_S = 40.0
TIDY_S = 5.0
"""How long the children of an engine that ended in order may take to go as well."""


def wait_until(holds: Callable[[], bool], what: str, *, deadline_s: float = DEADLINE_S) -> None:
    """Wait for a condition; a slow machine only makes it later."""
    end = time.monotonic() + deadline_s
    while not holds():
        assert time.monotonic() < end, f"expected {what} within {deadline_s:g} s"
        time.sleep(0.01)


@contextmanager
def short_directory() -> Iterator[Path]:
    """Make a directory whose name leaves room for a socket: pytest's own are too long."""
    path = Path(tempfile.mkdtemp(prefix="pt", dir="/tmp"))
    try:
        yield path
    finally:
        shutil.rmtree(path, ignore_errors=True)


def family(home: Path) -> dict[int, str]:
    """Find the processes of a home: named on their command line, or holding a file in it."""
    inside, found = f"{home}/", {}
    for entry in Path("/proc").iterdir():
        if not entry.name.isdecimal() or int(entry.name) == os.getpid():
            continue
        with suppress(OSError):
            words = (entry / "cmdline").read_bytes().replace(b"\0", b" ").decode()
            links = [os.readlink(link) for link in (entry / "fd").iterdir()]
            if inside in words or any(link.startswith(inside) for link in links):
                found[int(entry.name)] = words.strip()
    return found


def sweep(home: Path) -> None:
    """End every process of a home, whatever it is about to do."""
    while found := family(home):
        for pid in found:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)


def assert_tidy(home: Path) -> None:
    """Expect that nobody of a home is left."""
    wait_until(lambda: not family(home), f"no orphans, are {family(home)}", deadline_s=TIDY_S)


class EngineProcess:
    """`polytui serve --practice`, quiet and quick unless told otherwise."""

    PROGRAM: tuple[str, ...] = ("polytui", "serve", "--practice")
    """The module that is run, and its first arguments."""

    def __init__(self, home: Path, *sets: str, program: tuple[str, ...] = PROGRAM) -> None:
        self.home = home
        self.runtime = home / "run"
        self.captures = home / "captures"
        self.store = home / "store"
        self.sets = (
            f"runtime_dir={self.runtime}",
            f"capture.directory={self.captures}",
            f"store.directory={self.store}",
            "capture.flush_ms=10",
            "practice.faults=false",
            *sets,
        )
        self.process = subprocess.Popen(
            [sys.executable, "-m", *program, *(f"--set={pair}" for pair in self.sets)],
            cwd=home,
            env={**os.environ, "PYTHONPATH": str(ROOT)},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )

    @property
    def admin(self) -> Path:
        """The socket that may ask."""
        return self.runtime / ADMIN_SOCKET

    def answers(self) -> bool:
        """Tell whether this very process greets."""
        try:
            with Dialled(self.admin) as engine:
                return engine.hello.pid == self.process.pid
        except Unreachable:
            assert self.process.poll() is None, f"expected it to live, it said: {self.output()}"
            return False

    def wait_until_up(self) -> "EngineProcess":
        """Wait for its greeting."""
        wait_until(self.answers, "an engine that answers")
        return self

    def look(self, topic: str) -> AnySection | None:
        """Read one section."""
        with Dialled(self.admin) as engine:
            return engine.look(topic)

    def end(self, number: int) -> int:
        """Send a signal and return the exit code."""
        self.process.send_signal(number)
        return self.process.wait(DEADLINE_S)

    def output(self) -> str:
        """Return everything it said; only after its end."""
        assert self.process.stdout is not None
        return self.process.stdout.read().decode()


@contextmanager
def engine(*sets: str) -> Iterator[EngineProcess]:
    """Run an engine that answers; end it by force if the test did not."""
    with short_directory() as home:
        running = EngineProcess(home, *sets)
        try:
            yield running.wait_until_up()
            if running.process.poll() == 0:
                assert_tidy(home)
        finally:
            reap(running)


def reap(running: EngineProcess) -> None:
    """End an engine that may still run, and everybody it started."""
    if running.process.poll() is None:
        os.killpg(running.process.pid, signal.SIGKILL)
    running.process.wait()
    sweep(running.home)
    if running.process.stdout is not None:
        running.process.stdout.close()
