"""Looking for an engine by its other routes: real sockets, servers, processes and files."""

import http.server
import os
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from polytui.engine.shell.clock import SECOND_NS, read_mono_ns
from polytui.engine.shell.processes import read_process
from polytui.routes import (
    ANSWER_NS,
    LOG,
    Finding,
    LogFinding,
    Routes,
    Target,
    ask_metrics,
    look_at_log,
    look_at_process,
    look_at_socket,
    read_metrics,
)
from tests.support.engines import short_directory, wait_until

EXPOSITION = b"""\
# HELP polytui_info Version, venue and run.
polytui_info{version="0.1.0",venue="practice",run="r1"} 1.0
polytui_stage_latency_seconds{stage="loop_lag",stat="p50"} 0.0003
polytui_stage_latency_seconds{stage="loop_lag",stat="p99"} 0.0019
polytui_stage_latency_seconds{stage="decision",stat="p99"} 0.004
polytui_open_orders{realm="paper"} 3.0
polytui_open_orders{realm="live"} 28.0
polytui_start_timestamp_seconds 1000.0
polytui_kill_open_orders 7.0
"""


@pytest.fixture
def home() -> Iterator[Path]:
    with short_directory() as path:
        yield path


# --- the other socket ----------------------------------------------------------------------------


def test_a_socket_is_looked_at_and_not_opened(home: Path) -> None:
    path = home / "admin.sock"
    target = Target(path=str(home / "view.sock"))
    assert target.other_path == str(path)
    assert not look_at_socket(target, None, 1).present

    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(path))
        path.chmod(0o600)
        assert look_at_socket(target, None, 1).heard is False
        server.listen()
        server.setblocking(False)
        found = look_at_socket(target, None, 1)
        assert (found.present, found.heard, found.mine, found.is_private) == (True,) * 4
        assert found.owner == os.getuid()
        with pytest.raises(BlockingIOError):
            server.accept()
        path.chmod(0o666)
        assert not look_at_socket(target, None, 1).is_private

    left_behind = look_at_socket(target, None, 1)
    assert left_behind.present
    assert left_behind.heard is False


def test_a_file_in_the_place_of_a_socket_is_no_socket(home: Path) -> None:
    (home / "view.sock").write_text("")
    found = look_at_socket(Target(path=str(home / "admin.sock")), None, 1)
    assert not found.present
    assert found.why


# --- the process ---------------------------------------------------------------------------------


@contextmanager
def sleeper() -> Iterator[subprocess.Popen[bytes]]:
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as process:
        try:
            yield process
        finally:
            process.kill()


def started(pid: int) -> int:
    found = read_process(pid)
    assert found is not None
    return found.started_ticks


def test_a_process_is_alive_then_stopped_then_gone_even_before_it_is_buried() -> None:
    with sleeper() as process:
        target = Target(pid=process.pid, started_ticks=started(process.pid))
        wait_until(lambda: bool(look_at_process(target, None, 1).rss_bytes), "the program to run")
        alive = look_at_process(target, None, 5 * SECOND_NS)
        assert alive.exists
        assert not alive.is_other
        assert not alive.stopped
        assert alive.cpu is None
        again = look_at_process(target, alive, 7 * SECOND_NS)
        assert again.cpu is not None
        assert 0 <= again.cpu < 10

        process.send_signal(signal.SIGSTOP)
        wait_until(lambda: look_at_process(target, None, 1).stopped, "the process to be stopped")
        process.kill()
        wait_until(lambda: not look_at_process(target, None, 1).exists, "the process to be gone")
    assert not look_at_process(target, None, 1).exists


def test_a_number_that_another_program_has_now_is_not_the_engine() -> None:
    target = Target(pid=os.getpid(), started_ticks=started(os.getpid()) - 1)
    found = look_at_process(target, None, 1)
    assert found.exists
    assert found.is_other
    assert found.name
    assert not look_at_process(Target(pid=os.getpid()), None, 1).is_other


# --- metrics -------------------------------------------------------------------------------------


@contextmanager
def serving(body: bytes, status: int = 200) -> Iterator[str]:
    class Page(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            assert self.path == "/metrics"
            self.send_response(status)
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            return

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Page) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield f"127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()
            thread.join()


def test_the_figures_of_the_banner_are_picked_out_of_what_metrics_answers() -> None:
    with serving(EXPOSITION) as address:
        found = ask_metrics(Target(metrics_at=address), None, 9)
    assert (found.at_ns, found.why, found.status, found.run) == (9, "", 200, "r1")
    assert found.took_ns > 0
    assert (found.lag_us, found.live_orders, found.paper_orders) == (1_900, 28, 3)
    up = read_metrics(EXPOSITION, at_ns=0, took_ns=0, wall_ns=1_060 * SECOND_NS)
    assert up.up_ns == 60 * SECOND_NS


def test_an_answer_that_lacks_figures_or_has_nonsense_gives_none() -> None:
    odd = b'polytui_open_orders{realm="live"} NaN\npolytui_start_timestamp_seconds x\n\xff\n'
    for body in (b"", b"hello", odd):
        found = read_metrics(body, at_ns=0, took_ns=0, wall_ns=0)
        assert (found.run, found.lag_us, found.live_orders, found.up_ns) == ("", None, None, None)


def test_every_kind_of_failure_of_metrics_has_its_words() -> None:
    with serving(b"", 500) as address:
        assert ask_metrics(Target(metrics_at=address), None, 1).why == "answers 500"
    assert "refused" in ask_metrics(Target(metrics_at=address), None, 1).why
    for nowhere in ("10.0.0.1:80", "example.org:80", "127.0.0.1:0", "127.0.0.1", ""):
        assert ask_metrics(Target(metrics_at=nowhere), None, 1).why


def test_metrics_that_never_answer_are_given_up_in_time() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        address = f"127.0.0.1:{silent.getsockname()[1]}"
        began_ns = read_mono_ns()
        found = ask_metrics(Target(metrics_at=address), None, 1)
    assert "no answer" in found.why
    assert ANSWER_NS <= read_mono_ns() - began_ns < 10 * ANSWER_NS


def test_what_speaks_no_http_or_never_ends_is_said_to(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("polytui.routes.BODY_MAX", 1_000)
    with serving(b"x" * 2_000) as address:
        assert "end" in ask_metrics(Target(metrics_at=address), None, 1).why

    def talk(server: socket.socket) -> None:
        link, _ = server.accept()
        with link:
            link.recv(1_000)
            link.sendall(b"SSH-2.0\r\n")

    with socket.create_server(("127.0.0.1", 0)) as server:
        thread = threading.Thread(target=talk, args=(server,))
        thread.start()
        address = f"127.0.0.1:{server.getsockname()[1]}"
        assert "no web server" in ask_metrics(Target(metrics_at=address), None, 1).why
        thread.join()


# --- the event log -------------------------------------------------------------------------------


def look(target: Target, before: LogFinding | None, at_s: int) -> LogFinding:
    return look_at_log(target, before, at_s * SECOND_NS)


def test_the_newest_recording_of_the_run_grows_or_does_not(tmp_path: Path) -> None:
    target = Target(recordings_at=str(tmp_path), run="r1")
    assert look(target, None, 1).why
    other = tmp_path / "r0-000009.polycap"
    other.write_bytes(b"x" * 500)
    assert look(target, None, 1).why
    first = tmp_path / "r1-000001.polycap"
    first.write_bytes(b"x" * 100)
    seen = look(target, None, 1)
    assert (seen.file, seen.size, seen.grown) == (first.name, 100, None)
    first.write_bytes(b"x" * 130)
    grown = look(target, seen, 3)
    assert (grown.grown, grown.over_ns) == (30, 2 * SECOND_NS)
    assert look(target, grown, 5).grown == 0
    second = tmp_path / "r1-000002.polycap"
    second.write_bytes(b"x" * 40)
    os.utime(first, ns=(0, 0))
    assert look(target, grown, 5).grown == 40


def test_a_directory_that_is_not_there_is_said_to_be_missing(tmp_path: Path) -> None:
    for nowhere in (str(tmp_path / "none"), "\0"):
        assert look(Target(recordings_at=nowhere, run="r1"), None, 1).why


# --- looking -------------------------------------------------------------------------------------


class Probe:
    """Counts its looks, and hangs while it is told to."""

    def __init__(self) -> None:
        self.looks = 0
        self.free = threading.Event()
        self.free.set()

    def __call__(self, target: Target, before: Finding | None, now_ns: int) -> Finding:
        del target, before
        self.looks += 1
        self.free.wait()
        return Finding(at_ns=now_ns)


def test_nothing_is_looked_at_before_the_link_is_lost_and_nothing_after_it_is_back() -> None:
    probe = Probe()
    routes = Routes(read_mono_ns, {LOG: (probe, "recordings_at")})
    routes.follow(None)
    assert probe.looks == 0
    routes.follow(Target(pid=1))
    assert probe.looks == 0, "what the engine never named is not looked for"
    target = Target(recordings_at="/var")
    routes.follow(target)
    wait_until(lambda: LOG in routes.found, "a finding")
    assert routes.target == target
    routes.follow(None)
    assert routes.found == {}
    wait_until(lambda: not looking(), "the threads to end")
    looks = probe.looks
    routes.follow(None)
    assert probe.looks == looks


def test_a_probe_that_hangs_holds_up_no_other_and_is_not_doubled() -> None:
    stuck, well = Probe(), Probe()
    stuck.free.clear()
    routes = Routes(read_mono_ns, {LOG: (stuck, "recordings_at"), "pid": (well, "pid")})
    target = Target(recordings_at="/var", pid=1)
    routes.follow(target)
    wait_until(lambda: "pid" in routes.found, "the other probe's finding")
    assert LOG not in routes.found
    routes.follow(None)
    wait_until(lambda: len(looking()) == 1, "the other thread to end")
    routes.follow(target)
    wait_until(lambda: "pid" in routes.found, "the other probe's finding again")
    assert stuck.looks == 1
    stuck.free.set()
    wait_until(lambda: follow(routes, target, LOG), "a finding once it hangs no more")
    routes.follow(None)
    wait_until(lambda: not looking(), "the threads to end")


def follow(routes: Routes, target: Target, name: str) -> bool:
    routes.follow(target)
    return name in routes.found


def looking() -> list[str]:
    return [thread.name for thread in threading.enumerate() if thread.name.startswith("route ")]
