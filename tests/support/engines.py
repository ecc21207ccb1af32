"""Engines as processes of their own, in private short-named directories, and ways to watch them."""

import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from polytui.engine.core.view import AnySection
from polytui.engine.shell.dial import Dialled, Unreachable
from polytui.engine.shell.places import ADMIN_SOCKET

DEADLINE_S = 20.0


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


class EngineProcess:
    """`polytui serve --practice`, quiet and quick unless told otherwise."""

    def __init__(self, home: Path, *sets: str) -> None:
        self.runtime = home / "run"
        self.captures = home / "captures"
        self.sets = (
            f"runtime_dir={self.runtime}",
            f"capture.directory={self.captures}",
            "capture.flush_ms=10",
            "practice.faults=false",
            *sets,
        )
        self.process = subprocess.Popen(
            [sys.executable, "-m", "polytui", "serve", "--practice"]
            + [f"--set={pair}" for pair in self.sets],
            cwd=home,
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
        finally:
            reap(running)


def reap(running: EngineProcess) -> None:
    """End a process that may still run."""
    if running.process.poll() is None:
        os.killpg(running.process.pid, signal.SIGKILL)
    running.process.wait()
    if running.process.stdout is not None:
        running.process.stdout.close()
