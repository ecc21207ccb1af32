"""The one word to type, in a real terminal: the engine comes up, the console shows it, both go."""

import os
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import pytest

from polytui.engine.shell.dial import Dialled
from polytui.engine.shell.places import ADMIN_SOCKET
from tests.conftest import ROOT
from tests.support.engines import (
    EngineProcess,
    engine,
    reap,
    short_directory,
    sweep,
    wait_until,
)
from tests.support.terminal import APART, DEADLINE_S, LOGIN, Terminal

pytestmark = [pytest.mark.slow, pytest.mark.timeout(120)]

MARKET = "Fed cuts by 25 bps"


@contextmanager
def polytui(home: Path, *arguments: str, start: str = LOGIN, **env: str) -> Iterator[Terminal]:
    terminal = Terminal(
        [sys.executable, "-m", "polytui", *arguments],
        cwd=home,
        env={
            "PYTHONPATH": str(ROOT),
            "POLYTUI_RUNTIME_DIR": str(home / "run"),
            "XDG_CACHE_HOME": str(home / "cache"),
            **env,
        },
        start=start,
    )
    try:
        yield terminal
    finally:
        terminal.close()
        end_engine(home)


@pytest.fixture
def home() -> Iterator[Path]:
    with short_directory() as path:
        yield path


def engine_pid(home: Path) -> int:
    with Dialled(home / "run" / ADMIN_SOCKET) as dialled:
        return dialled.hello.pid


def is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return "\nState:\tZ" not in Path(f"/proc/{pid}/status").read_text()


def end_engine(home: Path) -> None:
    """End the engine a test left running."""
    lock = home / "run" / "engine.lock"
    if lock.exists() and (pid := int(lock.read_text() or 0)) and is_alive(pid):
        os.kill(pid, signal.SIGKILL)
        wait_until(lambda: not is_alive(pid), "the engine to be gone")
    sweep(home)


def test_one_word_shows_live_markets_and_every_page_and_stops_the_engine_when_asked(
    home: Path,
) -> None:
    with polytui(home) as terminal:
        terminal.wait_for_text(MARKET)
        terminal.wait_for(lambda text: text.count("synced") >= 15, "every book to be synced")
        pid = engine_pid(home)
        for key, word in (("2", "[2 Book]"), ("5", "[5 Why]"), ("9", "[9 System]")):
            terminal.press_until(key, partial(operator_sees, word), word)
        terminal.press_until("?", lambda text: "Never confirms" in text, "the keys")
        terminal.press_until("\x1b", lambda text: "Never confirms" not in text, "the page again")
        assert leave(terminal, "s") == 0
        assert not is_alive(pid)
        assert b"\x1b[?1049l" in terminal.raw, "expected the screen to be given back"
        assert b"Traceback" not in terminal.raw
        assert not (home / "run" / ADMIN_SOCKET).exists()


def operator_sees(word: str, text: str) -> bool:
    return word in text


def leave(terminal: Terminal, key: str) -> int:
    """Quit with this answer; return the exit code."""
    terminal.press_until("q", lambda text: "Leave the console" in text, "the question")
    terminal.press_until(key, lambda _: False, "the console to end")
    return terminal.wait_for_end()


def test_detaching_leaves_the_engine_and_the_next_console_finds_it(home: Path) -> None:
    with polytui(home) as terminal:
        terminal.wait_for_text(MARKET)
        pid = engine_pid(home)
        assert leave(terminal, "d") == 0
        assert b"engine.stop" in terminal.raw[-400:]
        assert engine_pid(home) == pid
        with polytui(home, "attach", "--read-only") as second:
            second.wait_for_text(MARKET)
            assert engine_pid(home) == pid


def test_a_closed_terminal_ends_the_console_and_not_the_engine(home: Path) -> None:
    with polytui(home) as terminal:
        terminal.wait_for_text(MARKET)
        pid = engine_pid(home)
        terminal.hang_up()
        terminal.process.wait(DEADLINE_S)
        assert engine_pid(home) == pid


def test_a_terminal_that_vanishes_without_a_signal_ends_the_console_too(home: Path) -> None:
    with polytui(home, start=APART) as terminal:
        terminal.wait_for_text(MARKET)
        pid = engine_pid(home)
        terminal.hang_up()
        assert terminal.process.wait(DEADLINE_S) == 0
        assert engine_pid(home) == pid


def test_a_killed_engine_is_missed_and_its_successor_is_found_and_named(home: Path) -> None:
    with engine("practice.rate=60") as running:
        runtime = {"POLYTUI_RUNTIME_DIR": str(running.runtime)}
        with (
            polytui(home, "attach", **runtime) as first,
            polytui(home, "attach", "--read-only", **runtime) as second,
        ):
            for terminal in (first, second):
                terminal.wait_for_text(MARKET)
            running.process.kill()
            running.process.wait()
            for terminal in (first, second):
                terminal.wait_for_text("?? NO ENGINE")
                terminal.wait_for_text("DISCONNECTED")
                terminal.wait_for_text(f"Its process ({running.process.pid}) is gone.")
                terminal.wait_for_text("polytui-kill, polytui ctl risk.kill")
                terminal.wait_for_text("may still be running")
                terminal.wait_for_text("frozen")
            again = EngineProcess(running.home, "practice.rate=60")
            try:
                again.wait_until_up()
                for terminal in (first, second):
                    terminal.wait_for_text("the engine restarted")
                    terminal.wait_for(lambda text: "NO ENGINE" not in text, "the new engine")
                    terminal.wait_for_text(MARKET)
                assert again.end(signal.SIGTERM) == 0
            finally:
                reap(again)


def test_an_engine_that_cannot_start_says_why_and_shows_no_traceback(home: Path) -> None:
    (home / "file").touch()
    with polytui(home, "--set", f"capture.directory={home / 'file'}") as terminal:
        assert terminal.wait_for_end() == 2
        assert b"the engine did not start: expected a directory to record in" in terminal.raw
        assert b"Traceback" not in terminal.raw


def test_a_console_beside_a_running_engine_does_not_start_a_second(home: Path) -> None:
    with (
        engine("practice.rate=60") as running,
        polytui(home, POLYTUI_RUNTIME_DIR=str(running.runtime)) as terminal,
    ):
        terminal.wait_for_text(MARKET)
        assert not (running.runtime / "engine.log").exists()
        assert leave(terminal, "d") == 0
        assert running.answers()
