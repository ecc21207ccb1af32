"""KILL end to end: a real engine with real orders, and everything that could stand in its way.

Figures are printed (`-rP`). KILLS_500 is how often 500 orders are killed, GATE_KILLS how often an
idle engine is. The bounds asserted leave room for a busy machine; the goals stand beside them.
"""

import json
import os
import resource
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path

import pytest

from polytui.engine.core.account_events import OpenOrdersRead, OrderStaged
from polytui.engine.core.alert_view import ALERTS, AlertsView
from polytui.engine.core.enums import Mode
from polytui.engine.core.order_enums import KillStep, OrderState
from polytui.engine.shell.admin import CLIENTS_MAX
from polytui.engine.shell.dial import Unreachable
from polytui.engine.shell.latch import CLOSED, LATCH_FILE
from polytui.engine.shell.records import Told
from polytui.engine.shell.tapes import open_tape
from tests.conftest import ROOT
from tests.process.rig import Trader, Venue, orders_of, stage, stored_orders, trading
from tests.support.engines import wait_until
from tests.support.figures import quantile, show, spread

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]

KILLS_500 = int(os.environ.get("KILLS_500", "1"))
GATE_KILLS = int(os.environ.get("GATE_KILLS", "20"))
MANY = 500
GATE_GOAL_MS, GATE_MAX_MS = 10.0, 250.0
EMPTY_GOAL_MS, EMPTY_MAX_MS = 250.0, 2_000.0
SENTINEL_GOAL_S, SENTINEL_MAX_S = 3.5, 6.0
TRIP_MS = 30
ARRIVAL_NS = 250_000_000
"""What left before the gate closed has arrived by then."""


class KillLine:
    """A connection that kills and waits for the answer, as fast as it comes."""

    def __init__(self, path: Path) -> None:
        self.link = socket.socket(socket.AF_UNIX)
        self.link.settimeout(20)
        self.link.connect(str(path))
        self._lines = self.link.makefile("rb")
        self._count = 0

    def press(self, reason: str = "test") -> float:
        """Kill; return milliseconds to the answer."""
        self._count += 1
        ask = {"type": "ask", "id": f"k{self._count}", "action": "risk.kill", "args": [reason]}
        begun_s = time.perf_counter()
        self.link.sendall(json.dumps(ask).encode() + b"\n")
        while b'"answer"' not in (line := self._lines.readline()):
            assert line, "expected an answer, the engine hung up"
        took_ms = (time.perf_counter() - begun_s) * 1e3
        assert json.loads(line)["ok"], line
        return took_ms

    def close(self) -> None:
        self._lines.close()
        self.link.close()


@contextmanager
def kill_line(running: Trader) -> Iterator[KillLine]:
    line = KillLine(running.admin)
    try:
        yield line
    finally:
        line.close()


def wait_for_orders(running: Trader, venue: Venue, count: int) -> None:
    """Wait until so many orders rest, by the venue's word."""
    wait_until(lambda: running.rest_hashes() >= count - 2, f"{count} orders", deadline_s=120)
    wait_until(lambda: len(venue.open_hashes()) >= count - 5, "them at the venue")


def verified_ms(running: Trader) -> float:
    """Wait for the proof; return its time after the trigger, by the engine's receipt."""
    wait_until(lambda: running.risk().kill.verified, "the kill to be proven")
    (line,) = (line for line in running.risk().kill.lines if line.step is KillStep.VERIFIED)
    assert line.done
    return line.after_us / 1e3


def wait_empty(venue: Venue, deadline_s: float) -> float:
    """Wait until the venue holds nothing of ours; return seconds."""
    begun_s = time.monotonic()
    wait_until(lambda: not venue.open_hashes(), "an empty venue", deadline_s=deadline_s)
    return time.monotonic() - begun_s


def is_latched(running: Trader) -> bool:
    """Read the latch as the signer and the sentinel do."""
    return (running.runtime / LATCH_FILE).read_bytes()[:1] == CLOSED


def clear(running: Trader) -> None:
    wait_until(lambda: running.ctl("risk.clear", "CLEAR", "test").ok, "the latch to be opened")


def killed_by_hand(running: Trader, *, timeout_s: float = 20) -> subprocess.CompletedProcess[str]:
    """Run the kill program as it is when nothing else works: alone, without an installation."""
    return subprocess.run(
        [
            sys.executable,
            "-I",
            "-S",
            str(ROOT / "polytui" / "kill.py"),
            "--runtime-dir",
            str(running.runtime),
            "by hand",
        ],
        capture_output=True,
        text=True,
        timeout=timeout_s,
        check=False,
    )


def assert_nothing_left_after(venue: Venue, killed_wall_ns: int) -> None:
    """Expect, by the exchange's own log, that no order came after a kill."""
    orders = venue.stop()
    late = [o.order_id for o in orders.values() if o.created_ns > killed_wall_ns + ARRIVAL_NS]
    assert not late, f"{len(late)} orders came after the kill"
    assert not [o for o in orders.values() if o.status.name == "LIVE"]


def test_k1_the_gate_is_closed_when_the_answer_comes_and_that_is_at_once() -> None:
    with stage() as (home, _), trading(home, armed=False) as running:
        running.wait_for_account()
        took_ms = []
        with kill_line(running) as line:
            for n in range(GATE_KILLS):
                took_ms.append(line.press(f"kill {n}"))
                wait_until(partial(is_latched, running), "the latch on disk")
                verified_ms(running)
                clear(running)
        spread(f"K1 gate closed (goal p99 <= {GATE_GOAL_MS:g} ms)", took_ms)
        assert quantile(took_ms, 0.5) <= GATE_GOAL_MS
        assert max(took_ms) <= GATE_MAX_MS


def kill_many() -> tuple[float, float, float]:
    """Kill MANY orders; return milliseconds to the closed gate, the proof, and a client's sight."""
    with (
        stage(singles=16, rate=60) as (home, venue),
        trading(home, most=MANY) as running,
        kill_line(running) as line,
    ):
        wait_for_orders(running, venue, MANY)
        venue.delay(TRIP_MS)
        wall_ns, begun_s = time.time_ns(), time.monotonic()
        gate_ms = line.press()
        empty_ms = verified_ms(running)
        seen_ms = (time.monotonic() - begun_s) * 1e3
        venue.delay(0)
        assert not venue.open_hashes()
        time.sleep(1)
        assert not venue.open_hashes(), "it stays empty"
        assert running.status().account.stale_sent == 0
        assert_nothing_left_after(venue, wall_ns)
    return gate_ms, empty_ms, seen_ms


def test_k2_500_orders_are_proven_gone_at_30_ms_round_trip() -> None:
    gate_ms, empty_ms, seen_ms = zip(*(kill_many() for _ in range(KILLS_500)), strict=True)
    spread(f"K1 with {MANY} orders (goal p99 <= {GATE_GOAL_MS:g} ms)", gate_ms)
    spread(f"K2 verified empty (goal p99 <= {EMPTY_GOAL_MS:g} ms)", empty_ms)
    spread("K2 as a client sees it", seen_ms)
    assert max(gate_ms) <= GATE_MAX_MS
    assert max(empty_ms) <= EMPTY_MAX_MS


def test_c6_with_the_loop_blocked_the_latch_closes_and_the_sentinel_cancels() -> None:
    with stage() as (home, venue), trading(home, most=30) as running:
        wait_for_orders(running, venue, 30)
        running.process.send_signal(signal.SIGUSR1)
        time.sleep(0.2)
        wall_ns, begun_s = time.time_ns(), time.monotonic()
        done = killed_by_hand(running)
        pressed_s = time.monotonic() - begun_s
        assert done.returncode == 3, done.stdout + done.stderr
        assert (running.runtime / LATCH_FILE).read_bytes()[:1] == CLOSED
        wait_empty(venue, SENTINEL_MAX_S)
        took_s = time.monotonic() - begun_s
        show(f"C6 blocked loop: latch closed after {pressed_s:.2f} s, empty after {took_s:.2f} s")
        assert took_s <= SENTINEL_MAX_S
        wait_until(lambda: running.risk().kill.killed, "the engine to take the latch's word")
        verified_ms(running)
        assert_nothing_left_after(venue, wall_ns + int(pressed_s * 1e9))


def test_c8_with_no_byte_left_to_write_it_still_kills_and_sends_nothing_unjournalled() -> None:
    with stage() as (home, venue), trading(home, most=30) as running:
        wait_for_orders(running, venue, 30)
        resource.prlimit(running.process.pid, resource.RLIMIT_FSIZE, (1_024, 1_024))
        wall_ns = time.time_ns()
        with kill_line(running) as line:
            took_ms = line.press()
        proven_ms = verified_ms(running)
        show(f"C8 file size limit: gate {took_ms:.1f} ms, empty {proven_ms:.1f} ms")
        assert (running.runtime / LATCH_FILE).read_bytes()[:1] == CLOSED
        assert_nothing_left_after(venue, wall_ns)


@contextmanager
def small_disk(path: Path, size: str) -> Iterator[None]:
    """Put a disk of a few megabytes at a path."""
    path.mkdir(parents=True)
    mount = shutil.which("mount")
    command = [str(mount), "-t", "tmpfs", "-o", f"size={size},mode=700", "tmpfs", str(path)]
    if mount is None or subprocess.run(command, capture_output=True, check=False).returncode:
        pytest.skip("only root can mount a small disk here")
    try:
        yield
    finally:
        subprocess.run(["umount", "-l", str(path)], check=True)


def test_c7_on_a_full_disk_no_order_leaves_without_its_journal_and_the_kill_works() -> None:
    with stage() as (home, venue), small_disk(home / "store", "1500m"):
        with trading(home, most=MANY) as running:
            wait_for_orders(running, venue, 30)
            fill(home / "store" / "filler")
            wait_until(lambda: "G07" in refused(running), "the gate to miss its journal")
            wall_ns = time.time_ns()
            with kill_line(running) as line:
                took_ms = line.press()
            proven_ms = verified_ms(running)
            show(f"C7 full disk: gate {took_ms:.1f} ms, empty {proven_ms:.1f} ms")
            assert running.status().account.stale_sent == 0
        stored = stored_orders(home / "store")
        assert_nothing_left_after(venue, wall_ns)
        arrived = orders_of(venue.log, venue.wallet["address"].lower())
        assert arrived.keys() <= stored.keys(), "every order that arrived is in the store"


def fill(path: Path) -> None:
    """Write until nothing more goes onto the disk."""
    with suppress(OSError), path.open("wb", buffering=0) as filler:
        for size in (1 << 24, 4_096):
            with suppress(OSError):
                while filler.write(b"\0" * size) == size:
                    pass


def refused(running: Trader) -> set[str]:
    return {row.control.value for row in running.risk().controls if row.refused}


FLOOD = """
import socket, sys, time
from contextlib import suppress
junk = b'{"type":"ask","id":"x","action":"strategy.pause","args":["nobody"]}\\n' * 200
huge = b'x' * 70_000
while True:
    for what in (junk, huge, b'\\xff\\n' * 5_000):
        with suppress(OSError), socket.socket(socket.AF_UNIX) as link:  # refused is flooded too
            link.settimeout(0.2)
            link.connect(sys.argv[1]); link.sendall(what); link.recv(65536)
"""


def is_reachable(running: Trader) -> bool:
    with suppress(Unreachable):
        return bool(running.status().seq)
    return False


def test_d11_with_the_socket_flooded_the_kill_is_served_first() -> None:
    with stage() as (home, venue), trading(home, most=30) as running:
        wait_for_orders(running, venue, 30)
        rss_bytes = running.status().shell.rss_bytes
        idle = [KillLine(running.admin) for _ in range(CLIENTS_MAX + 4)]
        floods = [
            subprocess.Popen([sys.executable, "-c", FLOOD, str(running.admin)]) for _ in range(2)
        ]
        try:
            time.sleep(1)
            wall_ns, begun_s = time.time_ns(), time.monotonic()
            done = killed_by_hand(running)
            by_hand_ms = (time.monotonic() - begun_s) * 1e3
            took_ms = []
            for _ in range(GATE_KILLS):
                with kill_line(running) as line:
                    took_ms.append(line.press())
        finally:
            for flood in floods:
                flood.kill()
                flood.wait()
            for line in idle:
                line.close()
        wait_until(lambda: is_reachable(running), "a slot that the flood left")
        assert done.returncode == 0, done.stdout + done.stderr
        show(f"D11 flooded: polytui-kill {by_hand_ms:.0f} ms, its own start included")
        spread("D11 flooded: connect to answer", took_ms)
        verified_ms(running)
        grown_mb = (running.status().shell.rss_bytes - rss_bytes) / 2**20
        show(f"D11 flooded: memory grew by {grown_mb:.1f} MB")
        assert max(took_ms) < 2_000
        assert grown_mb < 64
        assert_nothing_left_after(venue, wall_ns + int(by_hand_ms * 1e6))


def test_k3_c4_a_stopped_engine_is_cancelled_for_and_sends_nothing_before_it_has_looked() -> None:
    with stage() as (home, venue), trading(home, most=30) as running:
        wait_for_orders(running, venue, 30)
        running.process.send_signal(signal.SIGSTOP)
        took_s = wait_empty(venue, SENTINEL_MAX_S)
        show(f"K3 sentinel: empty {took_s:.2f} s after SIGSTOP (goal <= {SENTINEL_GOAL_S:g} s)")
        assert took_s <= SENTINEL_MAX_S
        woken_ns = time.time_ns()
        running.process.send_signal(signal.SIGCONT)
        time.sleep(6)
        sent_again = len(venue.open_hashes())
        assert running.status().account.stale_sent == 0
        view = running.look(ALERTS)
        assert isinstance(view, AlertsView)
        (alert,) = [one for one in view.active if one.code == "SENTINEL"]
        assert "verified" in alert.text
        key = venue._key
        assert key is not None
        running.ctl("orders.cancel", f"order:{key.passphrase}")
        assert running.end(signal.SIGTERM) == 0
        log = (running.store / "log" / "engine.jsonl").read_text()
        assert "fired: no healthy beat for" in log, "what the sentinel did is in the log"
        assert "orders cancelled in" in log
        assert "order:[hidden]" in log, "the passphrase of the API key is taken out"
        assert key.passphrase not in log
        assert key.secret not in log
        first, looked = first_send_after(running.captures, woken_ns)
        show(f"C4 after SIGCONT: {sent_again} orders in 6 s, the first {first / 1e6:.0f} ms after")
        assert looked, "expected a read of the open orders before the first order"


def first_send_after(captures: Path, woken_ns: int) -> tuple[int, bool]:
    """Return when the first order left (-1: none did) and if open orders were read before it."""
    has_looked = False
    for record in open_tape([captures]).records():
        if not isinstance(record, Told) or record.wall_ns < woken_ns:
            continue
        event = record.event
        if isinstance(event, OpenOrdersRead):
            has_looked = has_looked or (event.ok and event.asked_ns >= woken_ns)
        if isinstance(event, OrderStaged) and event.stage is OrderState.SENT:
            return record.wall_ns - woken_ns, has_looked
    return -1, True


def test_k6_an_engine_that_was_killed_comes_up_killed_again_and_one_that_was_not_does_not() -> None:
    with stage() as (home, venue):
        with trading(home, most=20) as running:
            wait_for_orders(running, venue, 20)
            with kill_line(running) as line:
                line.press("before the crash")
            verified_ms(running)
            running.end(signal.SIGKILL)
        begun_s = time.monotonic()
        with trading(home, armed=False) as again:
            wait_until(lambda: again.risk().kill.killed, "a closed latch")
            show(f"K6 killed again {time.monotonic() - begun_s:.2f} s after the restart began")
            assert again.risk().kill.reason == "before the crash"
            assert again.risk().mode is not Mode.LIVE_ARMED
            assert (again.runtime / LATCH_FILE).read_bytes()[:1] == CLOSED
            verified_ms(again)
            clear(again)
            assert not again.risk().kill.killed
            time.sleep(0.3)
            again.end(signal.SIGKILL)
        with trading(home, armed=False) as third:
            third.wait_for_account()
            assert not third.risk().kill.killed
