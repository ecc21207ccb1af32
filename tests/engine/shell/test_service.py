"""The engine as its operator meets it: a real process, real sockets, real signals."""

import os
import signal
import socket
import subprocess
import sys
import time
from contextlib import ExitStack, suppress
from io import StringIO
from pathlib import Path

import pytest

from polytui.engine.core.account_view import RISK, RiskView
from polytui.engine.core.messages import Confirm
from polytui.engine.core.runconfig import RunConfig
from polytui.engine.core.view import MARKETS, STATUS, MarketsView, StatusView
from polytui.engine.shell.dial import Dialled
from polytui.engine.shell.latch import LATCH_FILE
from polytui.engine.shell.places import LOCK_FILE
from polytui.engine.shell.replaying import run_replay
from tests.conftest import ROOT
from tests.support.engines import (
    EngineProcess,
    assert_tidy,
    engine,
    reap,
    short_directory,
    wait_until,
)
from tests.support.figures import show

pytestmark = [pytest.mark.slow, pytest.mark.timeout(60)]

STOP_MAX_S = 3.0
"""The goal is one second on a machine that does nothing else."""


def status(running: EngineProcess) -> StatusView:
    view = running.look(STATUS)
    assert isinstance(view, StatusView)
    return view


def has_synced_books(running: EngineProcess) -> bool:
    view = status(running)
    return view.markets > 0 and view.synced == view.markets


def test_it_comes_up_shows_markets_and_ends_in_order_when_told() -> None:
    with engine("practice.rate=200") as running:
        wait_until(lambda: has_synced_books(running), "every book to be synced")
        view = running.look(MARKETS)
        assert isinstance(view, MarketsView)
        assert any(row.title == "Fed cuts by 25 bps in January?" for row in view.rows)
        assert running.end(signal.SIGTERM) == 0
        assert "stopped after" in running.output()
        names = {path.name for path in running.runtime.iterdir()}
        assert {LOCK_FILE, LATCH_FILE} <= names
        assert not [name for name in names if name.endswith(".sock")]


def test_without_orders_it_ends_within_a_second_even_before_its_venue_is_up() -> None:
    for wait_s in (0.0, 0.4, 3.0):
        with engine() as running:
            time.sleep(wait_s)
            begun_s = time.monotonic()
            assert running.end(signal.SIGTERM) == 0
            took_s = time.monotonic() - begun_s
            show(f"a stop after {wait_s:g} s took {took_s * 1e3:.0f} ms")
            assert took_s < STOP_MAX_S
            assert_tidy(running.home)


def test_nothing_that_it_writes_is_readable_by_anybody_else() -> None:
    """Journal, recordings, logs and sockets hold what an account does; whatever the umask."""
    before = os.umask(0)
    try:
        with engine("practice.rate=200") as running:
            wait_until(lambda: has_synced_books(running), "every book to be synced")
            os.umask(before)
            found = [path for path in running.home.rglob("*") if not path.is_symlink()]
            open_to_others = _open_to_others(found)
            assert running.end(signal.SIGTERM) == 0
            open_to_others |= _open_to_others(list(running.home.rglob("*")))
            assert not open_to_others
            names = {path.name for path in found}
            assert {"venue.log", "account.db", "engine.jsonl", LOCK_FILE, LATCH_FILE} <= names
    finally:
        os.umask(before)


def _open_to_others(paths: list[Path]) -> set[str]:
    """Name what group or world may read, write or enter; what is gone meanwhile is closed."""
    found = set()
    for path in paths:
        with suppress(FileNotFoundError):
            mode = path.lstat().st_mode
            if mode & 0o077:
                found.add(f"{path.name} {mode:o}")
    return found


def test_what_it_recorded_gives_the_same_decisions_again() -> None:
    with engine("practice.rate=300", "practice.faults=true", "run.box.age_ms_max=1000") as running:
        wait_until(lambda: status(running).decisions > 200, "some decisions")
        with Dialled(running.admin) as client:
            assert client.ask("strategy.pause", ("box",)).ok
            asked = client.ask("engine.stop", ())
            assert (asked.ok, asked.code, asked.typed) == (False, "confirm_required", "y")
            confirm = Confirm(challenge=asked.challenge, typed="y")
            assert client.send("engine.stop", (), confirm).ok
        assert running.process.wait(20) == 0
        out = StringIO()
        assert run_replay([running.captures], config=RunConfig(), out=out) == 0
        assert "derived again" in out.getvalue()


def test_a_hang_up_does_not_reach_it() -> None:
    with engine() as running:
        running.process.send_signal(signal.SIGHUP)
        before = status(running).seq
        wait_until(lambda: status(running).seq > before, "life after a hang-up")
        assert running.end(signal.SIGINT) == 0


def test_the_ladder_asks_for_the_last_recording_replayed_and_a_verified_replay_answers() -> None:
    def shown(running: EngineProcess) -> str:
        view = running.look(RISK)
        assert isinstance(view, RiskView)
        (row,) = [row for row in view.gates[0].checks if row.code == "REPLAY_EQUAL"]
        return row.value

    with short_directory() as home, ExitStack() as stack:
        first = EngineProcess(home)
        stack.callback(reap, first)
        first.wait_until_up()
        wait_until(lambda: has_synced_books(first), "every book to be synced")
        assert shown(first) == "run: polytui replay --verify (waived: practice money)"
        assert first.end(signal.SIGTERM) == 0
        done = subprocess.run(
            [sys.executable, "-m", "polytui", "replay", "--verify"]
            + [f"--set={pair}" for pair in first.sets],
            cwd=home,
            env={**os.environ, "PYTHONPATH": str(ROOT)},
            capture_output=True,
            text=True,
            timeout=50,
            check=False,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        assert "fresh processes agree" in done.stdout
        second = EngineProcess(home)
        stack.callback(reap, second)
        second.wait_until_up()
        wait_until(lambda: shown(second) == "equal", "the proof to be read")
        assert second.end(signal.SIGTERM) == 0


def test_a_second_engine_in_the_same_place_is_refused_with_the_first_ones_pid() -> None:
    with engine() as running:
        second = subprocess.run(
            running.process.args,
            cwd=ROOT,
            capture_output=True,
            text=True,
            timeout=30,
            check=False,
        )
        assert second.returncode == 2
        assert f"an engine (pid {running.process.pid}) already runs" in second.stderr
        assert len(second.stderr.strip().splitlines()) == 1


def test_after_a_kill_the_next_engine_starts_in_the_same_place_with_another_boot_id() -> None:
    with short_directory() as home, ExitStack() as stack:
        boots = []
        for _ in range(2):
            running = EngineProcess(home)
            stack.callback(reap, running)
            running.wait_until_up()
            with Dialled(running.admin) as client:
                boots.append(client.hello.boot)
            assert running.end(signal.SIGKILL) == -signal.SIGKILL
        assert boots[0] != boots[1]


def test_a_client_that_stops_reading_holds_back_neither_the_engine_nor_other_clients() -> None:
    with engine("practice.rate=500", "runner.view_hz=30") as running:
        with socket.socket(socket.AF_UNIX) as deaf:
            deaf.connect(str(running.admin))
            topics = '["status","markets","decisions","modules"]'
            deaf.sendall(f'{{"type":"watch","topics":{topics}}}\n'.encode())
            wait_until(lambda: status(running).shell.clients == 2, "both clients")
            first = status(running)
            wait_until(lambda: status(running).seq > first.seq + 1_000, "life")
            last = status(running)
            assert last.shell.dropped == 0
            assert last.shell.clients == 2
            assert last.shell.rss_bytes - first.shell.rss_bytes < 64 << 20
        wait_until(lambda: status(running).shell.clients == 1, "the deaf one to be forgotten")


def test_directives_are_judged_and_their_effect_is_seen() -> None:
    with engine() as running, Dialled(running.admin) as client:
        assert client.ask("strategy.pause", ("box",)).text == "Paused: box."
        assert status(running).paused == ("box",)
        assert client.ask("strategy.resume", ("box",)).ok
        assert status(running).paused == ()
        codes = [
            client.ask(action, args).code
            for action, args in (
                ("strategy.pause", ("fox",)),
                ("strategy.pause", ()),
                ("strategy.pause_all", ("box",)),
                ("order.cancel", ()),
            )
        ]
        assert codes == ["refused", "bad_request", "bad_request", "unknown_action"]
        assert status(running).paused == ()


BUG = """
import asyncio, sys
from pathlib import Path
from polytui.engine.core.events import RunStarted
from polytui.engine.core.runconfig import CaptureConfig, RunConfig, Settings, StoreConfig
from polytui.engine.shell.service import Service
home = Path(sys.argv[1])
settings = Settings(
    capture=CaptureConfig(directory=str(home / "captures")),
    store=StoreConfig(directory=str(home / "store")),
)
service = Service(settings, home)
def in_a_task():
    service._runner.offer_event(RunStarted(run="again", version="0", config=RunConfig()))
def in_a_callback():
    raise AssertionError("expected one RunStarted, was a second")
async def main():
    asyncio.get_running_loop().call_later(0.05, globals()[sys.argv[2]])
    return await service.run(print)
sys.exit(asyncio.run(main()))
"""


@pytest.mark.parametrize("where", ["in_a_task", "in_a_callback"])
def test_a_fault_of_our_own_ends_it_with_a_sentence_and_the_last_events(where: str) -> None:
    with short_directory() as home:
        done = subprocess.run(
            [sys.executable, "-c", BUG, str(home), where],
            cwd=ROOT,
            capture_output=True,
            text=True,
            timeout=30,
            check=False,
        )
        assert done.returncode == 70
        assert "expected one RunStarted, was a second" in done.stdout
        assert "Traceback" not in done.stdout + done.stderr
        (dump,) = home.glob("engine-bug-*.txt")
        text = dump.read_text()
        assert "Traceback" in text
        assert text.splitlines()[-1].startswith("Stamped(")
        assert str(dump) in done.stdout


def test_the_recorder_may_be_off() -> None:
    with engine("capture.enabled=false") as running:
        view = status(running)
        assert (view.shell.capture_bytes, view.shell.capture_lost) == (0, 0)
        assert not running.captures.exists()
        assert running.end(signal.SIGTERM) == 0


def test_a_recorder_without_a_place_is_a_refusal() -> None:
    with short_directory() as home:
        (home / "file").touch()
        running = EngineProcess(home, f"capture.directory={home / 'file'}")
        assert running.process.wait(30) == 2
        said = running.output()
        assert "expected a directory to record in" in said
        assert len(said.strip().splitlines()) == 1
        reap(running)


def test_it_never_loads_textual() -> None:
    done = subprocess.run(
        [
            sys.executable,
            "-c",
            "import sys, polytui.engine.shell.service; print('textual' in sys.modules)",
        ],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(Path(ROOT))},
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.strip() == "False"
