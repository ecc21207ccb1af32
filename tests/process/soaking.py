"""What a soak needs: visitors that come and go, an operator who arms again, samples and slopes."""

import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

from polytui.engine.core.account_view import ORDERS, POSITIONS, RISK
from polytui.engine.core.enums import Mode
from polytui.engine.core.errors import OperatorError
from polytui.engine.core.view import DECISIONS, MARKETS, MODULES, STATUS
from polytui.engine.shell.places import ADMIN_SOCKET, VIEW_SOCKET
from tests.conftest import ROOT
from tests.process.engine_under_test import STRATEGY
from tests.process.rig import Trader
from tests.support.engines import family, wait_until
from tests.support.scraping import scraped
from tests.support.terminal import Terminal

TOPICS = (STATUS, MARKETS, DECISIONS, MODULES, RISK, ORDERS, POSITIONS)
MB = 1 << 20
HOUR_S = 3_600.0
READ_S = 1.0
"""How long a watcher reads before it hangs up in the middle."""
ROLES = {
    "venue": "polytui venue",
    "signer": "polytui.engine.shell.signer",
    "sentinel": "polytui.engine.shell.sentinel",
}

Sample = dict[str, float]


# --- slopes --------------------------------------------------------------------------------------


def slope(at_s: Sequence[float], values: Sequence[float]) -> float:
    """Fit a line by least squares; return its rise per second."""
    mean_s, mean = sum(at_s) / len(at_s), sum(values) / len(values)
    spread = sum((at - mean_s) ** 2 for at in at_s)
    both = sum((at - mean_s) * (value - mean) for at, value in zip(at_s, values, strict=True))
    return both / spread if spread else 0.0


def second_half(samples: Sequence[tuple[float, Sample]]) -> Sequence[tuple[float, Sample]]:
    """Leave the warm-up out: caches fill, and the allocator takes what it will need."""
    middle_s = (samples[0][0] + samples[-1][0]) / 2
    return [sample for sample in samples if sample[0] >= middle_s]


# --- samples -------------------------------------------------------------------------------------


def _of_process(pid: int) -> tuple[int, int, float]:
    """Count descriptors and threads, and read resident memory in megabytes."""
    place = Path(f"/proc/{pid}")
    fds = len(list((place / "fd").iterdir()))
    threads = len(list((place / "task").iterdir()))
    pages = int((place / "statm").read_text().split()[1])
    return fds, threads, pages * os.sysconf("SC_PAGESIZE") / MB


def pids(running: Trader) -> dict[str, int]:
    """Find the engine and whom it stands on; who may not be looked into is left out."""
    found = {"engine": running.process.pid}
    for pid, words in family(running.home).items():
        for role, name in ROLES.items():
            if name in words and role not in found:
                found[role] = pid
    return found


def sample(running: Trader, port: int) -> Sample:
    """Read everything that must not grow, while no visitor is there."""
    seen: Sample = {}
    for role, pid in pids(running).items():
        fds, threads, rss = _of_process(pid)
        seen |= {f"{role} fds": fds, f"{role} threads": threads, f"{role} rss": rss}
    figures = scraped(port)
    seen["engine tasks"] = figures["polytui_tasks"]
    seen["armed"] = float(running.risk().mode is Mode.LIVE_ARMED)
    seen["dropped"] = figures["polytui_dropped_events_total"]
    seen["stale"] = figures["polytui_orders_sent_on_stale_state_total"]
    seen["events"] = figures["polytui_events_total"]
    return seen


# --- who comes and goes --------------------------------------------------------------------------


@contextmanager
def _watching(path: Path) -> Iterator[socket.socket]:
    names = ",".join(f'"{topic}"' for topic in TOPICS)
    with socket.socket(socket.AF_UNIX) as link:
        link.connect(str(path))
        link.sendall(f'{{"type":"watch","topics":[{names}]}}\n'.encode())
        yield link


def _leave_in_the_middle(path: Path) -> None:
    """Watch everything, read for a while, hang up with lines unread."""
    with _watching(path) as link:
        link.settimeout(READ_S)
        end_s = time.monotonic() + READ_S
        with suppress(TimeoutError):
            while time.monotonic() < end_s and link.recv(1 << 16):
                pass


def _talk_nonsense(path: Path) -> None:
    """Send what is no message, and read the refusal."""
    with socket.socket(socket.AF_UNIX) as link:
        link.settimeout(5)
        link.connect(str(path))
        link.sendall(b'{"type":"boom"}\n\x00\xff\n')
        assert link.recv(1 << 16)


def _from_a_shell(running: Trader, *words: str) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "polytui", *words],
        cwd=running.home,
        env={
            **os.environ,
            "PYTHONPATH": str(ROOT),
            "POLYTUI_RUNTIME_DIR": str(running.runtime),
        },
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, f"polytui {words}: {done.stdout}{done.stderr}"


def _open_a_console(running: Trader) -> None:
    """Attach a real console in a real terminal, look at a page, and detach."""
    terminal = Terminal(
        [sys.executable, "-m", "polytui", "attach", "--socket", str(running.admin)],
        cwd=running.home,
        env={"PYTHONPATH": str(ROOT)},
    )
    try:
        terminal.wait_for_text("[1 Overview]")
        terminal.press_until("3", lambda text: "[3 " in text, "another page")
        terminal.press_until("q", lambda text: "Leave the console" in text, "the question")
        terminal.press_until("d", lambda _: False, "the console to end")
        assert terminal.wait_for_end() == 0
    finally:
        terminal.close()


def visit(running: Trader, port: int, *, with_console: bool) -> None:
    """Let everybody come once, one of them deaf, and wait until all are forgotten."""
    admin, view = running.runtime / ADMIN_SOCKET, running.runtime / VIEW_SOCKET
    with _watching(view), _watching(admin):
        for path in (admin, view):
            _leave_in_the_middle(path)
            _talk_nonsense(path)
        for topic in TOPICS:
            running.look(topic)
        scraped(port)
        _from_a_shell(running, "ctl", "strategy.pause", STRATEGY, "--json")
        _from_a_shell(running, "ctl", "strategy.resume", STRATEGY, "--confirm", "y", "--json")
        _from_a_shell(running, "status", "--json")
        if with_console:
            _open_a_console(running)
    wait_until(lambda: running.status().shell.clients == 1, "every visitor to be forgotten")


def tend(running: Trader) -> None:
    """Do what an operator does whose engine was halted by the venue: look, and arm again."""
    with suppress(OperatorError):
        if running.risk().mode is Mode.LIVE_ARMED:
            return
        if running.ctl("mode.set", "live_dry_run").ok or running.risk().mode is Mode.LIVE_DRY_RUN:
            running.acknowledge()
            if running.is_trusted():
                running._confirmed()
