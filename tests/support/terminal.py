"""A program in a real pseudo-terminal, read with a terminal emulator."""

import fcntl
import os
import pty
import re
import select
import signal
import struct
import subprocess
import sys
import termios
import time
from collections.abc import Callable, Mapping
from pathlib import Path

import pyte

from tests.conftest import ROOT

DEADLINE_S = 30.0
PATIENCE_S = 1.0
"""Before a key is pressed again: longer than a dialog is deaf."""

_PRIVATE = re.compile(rb"\x1b\[[<>=][0-9;]*[a-zA-Z]")
"""Keyboard and mouse protocols that the emulator would print as text."""


LOGIN = "import os, sys; os.login_tty(0); os.execvp(sys.argv[1], sys.argv[1:])"
"""Makes the terminal the program's own, as a shell would; forking here could hang in a thread."""
APART = "import os, sys; os.setsid(); os.execvp(sys.argv[1], sys.argv[1:])"
"""Gives it a session without a terminal: when that is closed, no hang-up signal comes."""


def _without_size(env: Mapping[str, str]) -> dict[str, str]:
    """Leave out what would stand above the size that the terminal itself has."""
    return {name: value for name, value in env.items() if name not in ("COLUMNS", "LINES")}


def python_in_terminal(code: str, **environment: str) -> tuple["subprocess.Popen[bytes]", int]:
    """Run Python of ours in a bare terminal of 120 by 40; return it and our end."""
    outside, inside = pty.openpty()
    fcntl.ioctl(inside, termios.TIOCSWINSZ, struct.pack("HHHH", 40, 120, 0, 0))
    plain = {"PATH": os.environ["PATH"], "TERM": "xterm-256color", "HOME": "/tmp"}
    process = subprocess.Popen(
        [sys.executable, "-c", code],
        stdin=inside,
        stdout=inside,
        stderr=inside,
        cwd=ROOT,
        env={**plain, "PYTHONPATH": str(ROOT), "LANG": "C.UTF-8", **environment},
        start_new_session=True,
    )
    os.close(inside)
    return process, outside


class Terminal:
    """One program, its screen and its keyboard."""

    def __init__(
        self,
        arguments: list[str],
        *,
        cwd: Path,
        env: Mapping[str, str],
        columns: int = 120,
        rows: int = 40,
        start: str = LOGIN,
    ) -> None:
        self.screen = pyte.Screen(columns, rows)
        self._stream = pyte.ByteStream(self.screen)
        self.raw = b""
        """Everything the program wrote."""
        self._fd, inside = pty.openpty()
        fcntl.ioctl(inside, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))
        self.process = subprocess.Popen(
            [sys.executable, "-c", start, *arguments],
            cwd=cwd,
            env={**_without_size(os.environ), **env, "TERM": "xterm-256color"},
            stdin=inside,
            stdout=inside,
            stderr=inside,
        )
        os.close(inside)

    def press(self, keys: str) -> None:
        """Type."""
        os.write(self._fd, keys.encode())

    def resize(self, columns: int, rows: int) -> None:
        """Change its size, and tell the program, as a terminal does."""
        fcntl.ioctl(self._fd, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))
        self.process.send_signal(signal.SIGWINCH)
        self.screen.resize(rows, columns)
        self._read()

    def press_until(self, keys: str, holds: Callable[[str], bool], what: str) -> None:
        """Type, and type again as a person would whose key was not heard."""
        end = time.monotonic() + DEADLINE_S
        while True:
            self.press(keys)
            patience = time.monotonic() + PATIENCE_S
            while time.monotonic() < patience:
                if not self._read() or holds(self.text()):
                    return
            assert time.monotonic() < end, f"expected {what} after {keys!r}:\n{self.text()}"

    def text(self) -> str:
        """Return what is on the screen."""
        return "\n".join(line.rstrip() for line in self.screen.display)

    def wait_for(self, holds: Callable[[str], bool], what: str) -> None:
        """Read until the screen satisfies; the program must not end before."""
        end = time.monotonic() + DEADLINE_S
        while not holds(self.text()):
            alive = self._read()
            late = time.monotonic() >= end
            assert alive, f"expected {what}, the program ended:\n{self.text()}"
            assert not late, f"expected {what} within {DEADLINE_S:g} s:\n{self.text()}"

    def wait_for_text(self, text: str) -> None:
        """Read until a text is on the screen."""
        self.wait_for(lambda shown: text in shown, f"{text!r} on the screen")

    def wait_for_end(self) -> int:
        """Read until the program ends; return its exit code."""
        end = time.monotonic() + DEADLINE_S
        while self._read():
            assert time.monotonic() < end, f"expected it to end:\n{self.text()}"
        return self.process.wait(DEADLINE_S)

    def hang_up(self) -> None:
        """Close the terminal under the program, as a closed pane does."""
        os.close(self._fd)
        self._fd = -1

    def close(self) -> None:
        """End what still runs."""
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        if self._fd >= 0:
            os.close(self._fd)

    def _read(self) -> bool:
        ready, _, _ = select.select([self._fd], [], [], 0.1)
        if not ready:
            return True
        try:
            data = os.read(self._fd, 1 << 16)
        except OSError:
            return False
        self.raw += data
        self._stream.feed(_PRIVATE.sub(b"", data))
        return bool(data)
