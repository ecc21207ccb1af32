"""The service as one thing: it runs, is scraped, answers on its sockets, and its store remembers.

One real `polytui serve`, with nothing in between: HTTP, two Unix sockets, the command line, a
signal, and at the end the database as SQLite reads it.
"""

import json
import os
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import pytest

from polytui.engine.core.view import MARKETS, STATUS, MarketsView, StatusView
from polytui.engine.shell.dial import Dialled
from polytui.engine.shell.places import VIEW_SOCKET
from tests.conftest import ROOT
from tests.support.engines import EngineProcess, assert_tidy, reap, short_directory, wait_until
from tests.support.scraping import free_port, scraped

pytestmark = [pytest.mark.slow, pytest.mark.timeout(120)]

DONE, REFUSED, UNREACHABLE = 0, 2, 3


@contextmanager
def daemon(home: Path, port: int) -> Iterator[EngineProcess]:
    running = EngineProcess(home, f"metrics.port={port}", "practice.rate=200")
    try:
        yield running.wait_until_up()
    finally:
        reap(running)


def shell(home: Path, *words: str) -> tuple[int, dict[str, Any]]:
    """Run one command with `--json`; return its exit code and what it printed."""
    done = subprocess.run(
        [sys.executable, "-m", "polytui", *words, "--json"],
        cwd=home,
        env={**os.environ, "PYTHONPATH": str(ROOT), "POLYTUI_RUNTIME_DIR": str(home / "run")},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    return done.returncode, json.loads(done.stdout) if done.stdout else {"stderr": done.stderr}


def stored(home: Path, question: str) -> list[Any]:
    """Ask the closed store, as any program that knows SQLite would."""
    with closing(sqlite3.connect(f"file:{home / 'store' / 'account.db'}?mode=ro", uri=True)) as db:
        return db.execute(question).fetchall()


def assert_scraped(port: int) -> None:
    """Expect figures that say who it is and that it works, and that go on."""
    wait_until(lambda: scraped(port)["polytui_looks_total"] > 0, "looks of a strategy")
    first = scraped(port)
    assert any(name.startswith("polytui_info{") and 'venue="practice"' in name for name in first)
    assert first["polytui_killed"] == 0
    assert first["polytui_orders_sent_on_stale_state_total"] == 0
    events = "polytui_events_total"
    wait_until(lambda: scraped(port)[events] > first[events], "a counter that counts")


def assert_answers(running: EngineProcess) -> None:
    """Expect views and directives on the one socket, views alone on the other."""
    with Dialled(running.admin) as engine:
        markets = engine.look(MARKETS)
        assert isinstance(markets, MarketsView)
        assert markets.rows
        answer = engine.ask("strategy.pause", ("box",))
        assert (answer.ok, answer.code, answer.text) == (True, "done", "Paused: box.")
    with Dialled(running.runtime / VIEW_SOCKET) as onlooker:
        status = onlooker.look(STATUS)
        assert isinstance(status, StatusView)
        assert status.paused == ("box",)
        refused = onlooker.ask("strategy.resume", ("box",))
        assert (refused.ok, refused.code) == (False, "read_only")


def test_m1_the_daemon_runs_metrics_scrape_the_socket_answers_and_sqlite_remembers() -> None:
    port = free_port()
    with short_directory() as home, daemon(home, port) as running:
        assert_scraped(port)
        assert_answers(running)
        code, answer = shell(home, "ctl", "strategy.resume", "box")
        assert (code, answer["code"]) == (DONE, "done"), answer
        code, answer = shell(home, "ctl", "strategy.pause", "fox")
        assert (code, answer["code"]) == (REFUSED, "refused"), answer
        code, answer = shell(home, "status")
        assert (code, answer["paused"], answer["mode"]) == (DONE, [], "shadow")
        run = answer["run"]

        assert running.end(signal.SIGTERM) == 0
        assert "stopped after" in running.output()
        assert_tidy(home)
        assert shell(home, "status")[0] == UNREACHABLE

        assert run in {row[0] for row in stored(home, "SELECT run FROM runs")}
        assert_remembered(home, pid=running.process.pid)
        code, verdict = shell(home, "journal", "verify", f"--set=store.directory={running.store}")
        assert code == DONE, verdict


def assert_remembered(home: Path, *, pid: int) -> None:
    """Expect who asked for what and what came of it, and what the strategies decided."""
    rows = stored(home, "SELECT action, actor, ok FROM directives ORDER BY n")
    asked = [(action, ok) for action, _, ok in rows if action.startswith("strategy.")]
    assert asked == [
        ("strategy.pause", 1),
        ("strategy.resume", 0),
        ("strategy.resume", 1),
        ("strategy.pause", 0),
    ], "what was refused is remembered too"
    actors = [actor for action, actor, _ in rows if action.startswith("strategy.")]
    assert all(actor.startswith(f"uid {os.getuid()} pid ") for actor in actors)
    assert actors[0] == f"uid {os.getuid()} pid {os.getpid()}"
    assert f"pid {pid}" not in " ".join(actors)
    (looks,) = stored(home, "SELECT sum(count) FROM folds WHERE strategy = 'box'")
    assert looks[0] > 0
