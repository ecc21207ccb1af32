"""Consoles in real terminals that stall, detach, die or compete, beside an engine with orders.

The engine is a process of its own: whatever becomes of a console, it decides, its orders rest, and
the kill is reached from any shell.
"""

import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from polytui.engine.core.enums import Mode
from polytui.engine.shell.dial import Dialled
from polytui.engine.shell.places import ADMIN_SOCKET
from tests.conftest import ROOT
from tests.process.rig import Trader, Venue, stage, trading
from tests.process.test_kill import clear, is_latched, killed_by_hand, wait_for_orders
from tests.support.engines import EngineProcess, short_directory, sweep, wait_until
from tests.support.terminal import DEADLINE_S, Terminal

pytestmark = [pytest.mark.slow, pytest.mark.timeout(120)]

ORDERS = 10
NO_EXPORTER = "metrics.enabled=false"
TMUX = shutil.which("tmux") or ""
KILL_CHORD = "\x1c"
DETACH = "\x02d"
"""tmux's prefix and its key for leaving."""


@contextmanager
def attached(running: EngineProcess, *, columns: int = 120) -> Iterator[Terminal]:
    """Run a console in a terminal, until it shows the engine."""
    terminal = Terminal(
        [sys.executable, "-m", "polytui", "attach", "--socket", str(running.admin)],
        cwd=running.home,
        env={"PYTHONPATH": str(ROOT)},
        columns=columns,
    )
    try:
        terminal.wait_for_text("[1 Overview]")
        yield terminal
    finally:
        terminal.close()


@contextmanager
def with_orders() -> Iterator[tuple[Trader, Venue]]:
    with stage() as (home, venue), trading(home, NO_EXPORTER, most=ORDERS) as running:
        wait_for_orders(running, venue, ORDERS)
        yield running, venue


def assert_untouched(running: Trader, venue: Venue) -> None:
    """Expect an armed engine that decides, and its orders at the venue."""
    before = running.status()
    wait_until(lambda: running.status().decisions > before.decisions + 100, "decisions")
    assert running.risk().mode is Mode.LIVE_ARMED
    wait_until(lambda: len(venue.open_hashes()) >= ORDERS - 2, "its orders at the venue")
    assert running.status().shell.dropped == 0


# --- one that dies -------------------------------------------------------------------------------


def test_c23_a_console_killed_with_orders_open_takes_nothing_with_it() -> None:
    with with_orders() as (running, venue):
        with attached(running) as terminal:
            wait_until(lambda: running.status().shell.clients >= 2, "the console")
            terminal.process.send_signal(signal.SIGKILL)
            assert terminal.process.wait(DEADLINE_S) == -signal.SIGKILL
            wait_until(lambda: running.status().shell.clients == 1, "it to be forgotten")
        assert_untouched(running, venue)
        with attached(running) as second:
            second.wait_for_text("LIVE ARMED")
        assert running.end(signal.SIGTERM) == 0
        venue.stop()


# --- one that stalls -----------------------------------------------------------------------------


def test_c21_a_terminal_that_nobody_reads_stalls_its_console_and_nobody_else() -> None:
    with with_orders() as (running, venue):
        with attached(running) as deaf, attached(running) as other:
            wait_until(lambda: running.status().shell.clients >= 3, "both consoles")
            deaf.process.send_signal(signal.SIGWINCH)
            assert_untouched(running, venue)
            other.press_until("9", lambda text: "[9 System]" in text, "a page of the other one")
            done = killed_by_hand(running)
            assert done.returncode == 0, done.stderr
            wait_until(lambda: running.risk().kill.verified, "the kill to be proven")
            deaf.wait_for_text("KILL")
            deaf.wait_for(lambda text: "LIVE ARMED" not in text, "what is true by now")
        assert running.end(signal.SIGTERM) == 0


# --- one that is left and found again ------------------------------------------------------------


def tmux(home: Path, *words: str) -> subprocess.CompletedProcess[str]:
    """Ask the tmux server of a home."""
    return subprocess.run(
        [TMUX, "-S", str(home / "tmux"), *words],
        capture_output=True,
        text=True,
        timeout=DEADLINE_S,
        check=False,
    )


def in_tmux(home: Path, *words: str) -> Terminal:
    """Run a client of tmux in a terminal; configuration files are left out."""
    return Terminal(
        [TMUX, "-S", str(home / "tmux"), "-f", "/dev/null", *words],
        cwd=home,
        env={"PYTHONPATH": str(ROOT), "POLYTUI_RUNTIME_DIR": str(home / "run"), "TMUX": ""},
    )


def engine_pid(home: Path) -> int:
    with Dialled(home / "run" / ADMIN_SOCKET) as dialled:
        return dialled.hello.pid


@pytest.mark.skipif(not TMUX, reason="tmux is not installed")
def test_c22_c3_in_tmux_a_console_is_left_and_found_again_and_its_session_is_not_the_engine() -> (
    None
):
    with short_directory() as home:
        program = f"{sys.executable} -m polytui --set metrics.enabled=false"
        first = in_tmux(home, "new-session", "-s", "desk", "-x", "120", "-y", "40", program)
        try:
            first.wait_for_text("Fed cuts by 25 bps")
            pid = engine_pid(home)
            first.press(DETACH)
            assert first.wait_for_end() == 0
            assert "desk" in tmux(home, "list-sessions").stdout, "the console goes on without us"
            assert engine_pid(home) == pid

            done = subprocess.run(
                [sys.executable, str(ROOT / "polytui" / "kill.py"), "--runtime-dir", home / "run"],
                capture_output=True,
                text=True,
                timeout=DEADLINE_S,
                check=False,
            )
            assert done.returncode == 0, done.stderr

            second = in_tmux(home, "attach", "-t", "desk")
            second.wait_for_text("KILL")
            second.wait_for_text("Fed cuts by 25 bps")
            assert tmux(home, "kill-session", "-t", "desk").returncode == 0
            second.wait_for_end()
            second.close()
            assert engine_pid(home) == pid, "a session that is gone took only its console"
        finally:
            first.close()
            tmux(home, "kill-server")
            sweep(home)


# --- two of them ---------------------------------------------------------------------------------


def test_c26_of_two_consoles_one_may_write_and_both_may_kill() -> None:
    with with_orders() as (running, venue):
        with attached(running, columns=200) as first:
            wait_until(lambda: running.status().shell.clients >= 2, "the first console")
            with attached(running, columns=200) as second:
                second.wait_for_text("RW, no lease")
                assert "no lease" not in first.text()
                second.press(KILL_CHORD)
                second.wait_for_text("KILLED")
                wait_until(lambda: running.risk().kill.verified, "the second one's kill")
                assert not venue.open_hashes()
                clear(running)
                wait_until(lambda: not is_latched(running), "an open latch")
                first.press(KILL_CHORD)
                wait_until(lambda: is_latched(running), "the first one's kill")
        assert running.end(signal.SIGTERM) == 0
        venue.stop()


# --- one that changes its size -------------------------------------------------------------------

SIZES = ((1, 1), (500, 200), (20, 2), (2, 60), (80, 24), (1, 1), (200, 60), (120, 40))


def test_c20_a_storm_of_sizes_leaves_the_console_drawing_and_the_kill_at_hand() -> None:
    with with_orders() as (running, venue):
        with attached(running) as terminal:
            for _ in range(10):
                for columns, rows in SIZES:
                    terminal.resize(columns, rows)
            assert terminal.process.poll() is None
            terminal.press_until("9", lambda text: "[9 System]" in text, "a page after the storm")
            terminal.resize(200, 60)
            terminal.wait_for(lambda text: max(map(len, text.split("\n"))) > 150, "a wide picture")
            terminal.resize(1, 1)
            terminal.press(KILL_CHORD)
            wait_until(lambda: running.risk().kill.verified, "the kill, pressed at 1x1")
            terminal.resize(120, 40)
            terminal.wait_for_text("KILLED")
        assert running.end(signal.SIGTERM) == 0
        venue.stop()
