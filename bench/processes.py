"""Our programs as an operator runs them: an engine in its own process, a console in a terminal.

Every process started here ends with its context. Processor time is read from /proc, so what needs
it is measured on Linux only.
"""

import fcntl
import os
import pty
import re
import struct
import subprocess
import sys
import termios
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from time import perf_counter_ns, sleep

import pyte

from bench.report import ROOT
from polytui.engine.core.view import STATUS, StatusView
from polytui.engine.shell.dial import Dialled, Unreachable
from polytui.engine.shell.places import ADMIN_SOCKET, VIEW_SOCKET

UP_S = 20.0
STOP_S = 15.0
COLUMNS, ROWS = 140, 45
LOG = "engine.log"
_LOOK_S = 0.02
_PRIVATE = re.compile(rb"\x1b\[[<>=][0-9;]*[a-zA-Z]")
"""Keyboard protocols that the emulator would print as text."""


class EngineProcess:
    """An engine that answers."""

    def __init__(self, directory: Path, process: subprocess.Popen[bytes]) -> None:
        """Wait until it answers."""
        self.directory = directory
        self.pid = process.pid
        for _ in range(int(UP_S / _LOOK_S)):
            assert process.poll() is None, f"the engine ended: {self.said()}"
            try:
                Dialled(self.admin).close()
            except Unreachable:
                sleep(_LOOK_S)
            else:
                return
        raise AssertionError(f"the engine did not answer within {UP_S:g} s")

    @property
    def admin(self) -> Path:
        """Return where a console attaches."""
        return self.directory / ADMIN_SOCKET

    def said(self) -> str:
        """Return the last lines that the engine wrote, for a person to read."""
        text = (self.directory / LOG).read_text(encoding="utf-8", errors="replace")
        return " | ".join(text.splitlines()[-3:])

    def status(self) -> StatusView:
        """Read what the engine itself measured over the last ten seconds."""
        try:
            with Dialled(self.directory / VIEW_SOCKET) as engine:
                view = engine.look(STATUS)
        except Unreachable:
            raise AssertionError(f"the engine is gone: {self.said()}") from None
        assert isinstance(view, StatusView), f"expected a status, was {view!r}"
        return view


def polytui(*arguments: str) -> list[str]:
    """Make the command line of our program."""
    return [sys.executable, "-m", "polytui", *arguments]


@contextmanager
def engine(
    settings: Mapping[str, object], command: list[str] | None = None
) -> Iterator[EngineProcess]:
    """Run an engine on the practice venue, or whatever `command` serves instead."""
    with TemporaryDirectory(prefix="pt-") as name:
        directory = Path(name)
        told = {
            "runtime_dir": name,
            "capture.directory": f"{name}/capture",
            "store.directory": f"{name}/store",
            **settings,
        }
        start = command or polytui("serve", "--practice")
        with (directory / LOG).open("wb") as log:
            process = subprocess.Popen(
                [*start, *(f"--set={key}={value}" for key, value in told.items())],
                cwd=ROOT,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )
        try:
            yield EngineProcess(directory, process)
        finally:
            end(process)


def end(process: subprocess.Popen[bytes]) -> None:
    """Ask a process to stop, and make it stop."""
    process.terminate()
    try:
        process.wait(STOP_S)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


class Console:
    """A program in a pseudo-terminal whose output is always read."""

    def __init__(self, arguments: list[str], *, shows: Callable[[str], bool] | None) -> None:
        """Start it; with `shows` its screen is emulated until that holds."""
        self.painted = threading.Event()
        self.painted_ns = 0
        self.written = 0
        self._shows = shows
        self._screen = pyte.Screen(COLUMNS, ROWS)
        self._emulator = pyte.ByteStream(self._screen)
        self._fd, terminal = pty.openpty()
        fcntl.ioctl(terminal, termios.TIOCSWINSZ, struct.pack("HHHH", ROWS, COLUMNS, 0, 0))
        self.started_ns = perf_counter_ns()
        self.process = subprocess.Popen(
            arguments,
            cwd=ROOT,
            env={**os.environ, "TERM": "xterm-256color"},
            stdin=terminal,
            stdout=terminal,
            stderr=terminal,
            start_new_session=True,
        )
        os.close(terminal)
        self._reader = threading.Thread(target=self._read_all, daemon=True)
        self._reader.start()

    def text(self) -> str:
        """Return what is on the emulated screen."""
        return "\n".join(line.rstrip() for line in self._screen.display)

    def _read_all(self) -> None:
        while True:
            try:
                data = os.read(self._fd, 1 << 16)
            except OSError:
                return
            now_ns = perf_counter_ns()
            self.written += len(data)
            if self._shows is None or self.painted.is_set():
                continue
            self._emulator.feed(_PRIVATE.sub(b"", data))
            if self._shows(self.text()):
                self.painted_ns = now_ns
                self.painted.set()

    def close(self) -> None:
        """End the program and its terminal."""
        end(self.process)
        self._reader.join(STOP_S)
        os.close(self._fd)


@contextmanager
def console(
    arguments: list[str], *, shows: Callable[[str], bool] | None = None
) -> Iterator[Console]:
    """Run a console in a terminal."""
    running = Console(arguments, shows=shows)
    try:
        yield running
    finally:
        running.close()


def cpu_s(pid: int) -> float | None:
    """Read the processor time a process has used, None where the system does not say."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()
    except OSError:
        return None
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def busy_s() -> float | None:
    """Read the processor time that all processes of the machine have used, None likewise."""
    try:
        fields = Path("/proc/stat").read_text(encoding="ascii").split("\n", 1)[0].split()[1:]
    except OSError:
        return None
    user, nice, system, _idle, _wait, *others = (int(field) for field in fields)
    return (user + nice + system + sum(others[:3])) / os.sysconf("SC_CLK_TCK")
