"""The kill while the console hangs: a real terminal, a real socket, a loop that is stuck."""

import os
import select
import socket
import statistics
import subprocess
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path

import msgspec
import pytest

from polytui.engine.core.messages import Ask, Hello
from polytui.link import KILL, KillLine
from tests.support.terminal import python_in_terminal

HELLO = Hello(protocol="1.0", boot="b1", role="rw", run="r1", version="0", pid=1)
STUCK_S = 4.0
PRESSES = 10
BAR_S = 0.05
"""console.md §9, bar 2."""
KEYS = {"ctrl+backslash": b"\x1c", "kitty": b"\x1b[92;5u", "f12": b"\x1b[24~"}


class Ear:
    """A socket like the engine's: greets everybody, and notes when each line came."""

    def __init__(self, path: Path) -> None:
        self.heard: list[tuple[float, bytes]] = []
        self._server = socket.socket(socket.AF_UNIX)
        self._server.bind(str(path))
        self._server.listen(8)
        self._clients: list[socket.socket] = []
        self._threads: list[threading.Thread] = []
        self._start(self._accept)

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._server.accept()
            except OSError:
                return
            self._clients.append(client)
            client.sendall(msgspec.json.encode(HELLO) + b"\n")
            self._start(self._listen, client)

    def _start(self, work: Callable[..., None], *args: socket.socket) -> None:
        thread = threading.Thread(target=work, args=args, daemon=True)
        self._threads.append(thread)
        thread.start()

    def _listen(self, client: socket.socket) -> None:
        with suppress(OSError):
            while data := client.recv(4096):
                now = time.monotonic()
                self.heard += [(now, line) for line in data.splitlines()]
        client.close()

    def kills(self) -> list[float]:
        """Give the moments at which a kill came."""
        return [at for at, line in self.heard if KILL.encode() in line]

    def close(self) -> None:
        for one in (self._server, *self._clients):
            with suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)
        self._server.close()
        for thread in self._threads:
            thread.join(2)


@contextmanager
def ear() -> Iterator[tuple[Ear, Path]]:
    with tempfile.TemporaryDirectory() as directory:
        path = Path(directory) / "admin.sock"
        listening = Ear(path)
        try:
            yield listening, path
        finally:
            listening.close()


def test_the_line_is_an_ask_with_its_reason_and_an_id_of_its_own() -> None:
    with ear() as (listening, path), closing(KillLine(path)) as line:
        assert line.send("operator key") == ""
        until = time.monotonic() + 3
        while not listening.kills() and time.monotonic() < until:
            time.sleep(0.005)
    ask = msgspec.json.decode(listening.heard[0][1], type=Ask)
    assert (ask.action, ask.args) == (KILL, ("operator key",))
    assert ask.id.startswith("kill-")


def test_a_key_held_down_does_not_flood_the_engine() -> None:
    with ear() as (listening, path):
        with closing(KillLine(path)) as line:
            for _ in range(50):
                assert line.send("operator key") == ""
            time.sleep(0.05)
        assert len(listening.kills()) == 1


def test_without_an_engine_the_kill_says_that_nothing_was_sent(tmp_path: Path) -> None:
    assert "no engine takes it" in KillLine(tmp_path / "none.sock").send("operator key")


@pytest.mark.slow
@pytest.mark.timeout(40)
@pytest.mark.parametrize("key", KEYS)
def test_the_chord_reaches_the_engine_while_the_loop_is_stuck(key: str) -> None:
    with ear() as (listening, path):
        waits = press_while_stuck(KEYS[key], listening, path)
    assert len(waits) == PRESSES, "every press reached the engine while the loop was stuck"
    assert statistics.median(waits) < BAR_S
    assert sorted(waits)[-2] < 4 * BAR_S, "on a machine that does other things as well"


def press_while_stuck(key: bytes, listening: Ear, path: Path) -> list[float]:
    """Run the console in a terminal, wait until it is stuck, press; return how long each took."""
    waits: list[float] = []
    with stuck_console(path) as (child, master, until):
        for number in range(PRESSES):
            at = time.monotonic()
            os.write(master, key)
            while len(listening.kills()) <= number and time.monotonic() < until:
                time.sleep(0.001)
            waits += [came - at for came in listening.kills()[number : number + 1]]
            time.sleep(0.25)
        assert time.monotonic() < until, "the loop was free again: this proves nothing"
        child.kill()
        os.close(master)
    return waits


@pytest.mark.slow
@pytest.mark.timeout(40)
def test_a_console_that_is_stuck_when_its_terminal_vanishes_ends_all_the_same() -> None:
    with ear() as (_, path), stuck_console(path, stuck_s=60) as (child, master, _):
        os.close(master)
        assert child.wait(20) == 0


@contextmanager
def stuck_console(
    path: Path, *, stuck_s: float = STUCK_S
) -> Iterator[tuple[subprocess.Popen[bytes], int, float]]:
    """Run the console in a terminal until it is stuck: the process, its terminal, until when."""
    mark = Path(f"{path}.stuck")
    code = f"from {__name__} import run_stuck; run_stuck({str(path)!r}, {stuck_s})"
    child, master = python_in_terminal(code, STUCK=str(mark))
    with child:
        threading.Thread(target=drain, args=(master,), daemon=True).start()
        until = time.monotonic() + 20
        while not mark.exists() and time.monotonic() < until:
            time.sleep(0.01)
        try:
            yield child, master, time.monotonic() + stuck_s - 0.2
        finally:
            child.kill()


def drain(master: int) -> None:
    """Read what the console draws, so that it can go on drawing."""
    while True:
        try:
            if select.select([master], [], [], 1.0)[0] and not os.read(master, 65_536):
                return
        except (OSError, ValueError):
            return


def run_stuck(path: str, stuck_s: float) -> None:
    """Run the console and get stuck in plain Python after a second."""
    from polytui.app import PolytuiApp
    from polytui.engine.core.runconfig import ConsoleConfig
    from polytui.engine.shell.clock import read_mono_ns
    from polytui.link import SocketLink

    class Stuck(PolytuiApp):
        def on_mount(self) -> None:
            super().on_mount()
            self.set_timer(1.5, self.get_stuck)

        def get_stuck(self) -> None:
            Path(os.environ["STUCK"]).touch()
            until = time.monotonic() + stuck_s
            while time.monotonic() < until:
                sum(range(1_000))

    Stuck(
        SocketLink(Path(path)),
        console=ConsoleConfig(),
        owns_engine=False,
        now_mono_ns=read_mono_ns,
        stop_engine=None,
    ).run(mouse=False)
