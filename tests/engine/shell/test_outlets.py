"""Who is told outside the console, in a real engine: the exporter's port and the webhook."""

import json
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any

import pytest

from polytui.engine.core.alert_view import ALERTS, AlertsView
from polytui.engine.core.view import STATUS, ShellView, StatusView
from polytui.engine.shell.dial import Dialled
from tests.support.engines import EngineProcess, engine, wait_until

pytestmark = [pytest.mark.slow, pytest.mark.timeout(90)]

TOKEN = "XoXb-91f3a2c4d5e6"


@contextmanager
def receiver() -> Iterator[tuple[str, list[dict[str, Any]]]]:
    """Serve a webhook on loopback: its address, and what was posted."""
    posts: list[dict[str, Any]] = []

    class Hook(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            posts.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
            self.send_response(204)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    with HTTPServer(("127.0.0.1", 0), Hook) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        try:
            yield f"http://127.0.0.1:{server.server_port}/{TOKEN}", posts
        finally:
            server.shutdown()


def shell_of(running: EngineProcess) -> ShellView:
    view = running.look(STATUS)
    assert isinstance(view, StatusView)
    return view.shell


def test_a_kill_is_posted_and_the_address_stays_a_secret() -> None:
    with receiver() as (url, posts), engine(f"notify.url={url}", "metrics.port=0") as running:
        with Dialled(running.admin) as admin:
            assert admin.ask("risk.kill", ("the feed looks wrong",)).ok
        wait_until(lambda: shell_of(running).posts.posted > 0, "a post that was taken")
        killed = [a for post in posts for a in post["alerts"] if a["code"] == "KILLED"]
        assert [alert["what"] for alert in killed] == ["raised"]
        assert posts[0]["mode"] == "shadow"
        assert posts[0]["run"]
        assert shell_of(running).store_bytes > 0
        assert running.end(signal.SIGTERM) == 0
        said = running.output().encode()
        written = [p.read_bytes() for p in running.home.rglob("*") if p.is_file()]
        assert not any(TOKEN.encode() in text for text in (said, *written))


def test_a_port_that_is_taken_is_shown_warned_of_and_known_to_the_doctor() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with engine(f"metrics.port={port}") as running:
            assert f"127.0.0.1:{port}: " in shell_of(running).metrics_why

            def is_raised() -> bool:
                view = running.look(ALERTS)
                assert isinstance(view, AlertsView)
                return any(row.code == "METRICS" for row in view.active)

            wait_until(is_raised, "an alert")
            done = subprocess.run(
                [sys.executable, "-m", "polytui", "doctor", "--json"]
                + [f"--set={pair}" for pair in running.sets],
                cwd=running.home,
                stdout=subprocess.PIPE,
                check=False,
                timeout=60,
            )
            lines = {line["code"]: line for line in json.loads(done.stdout)["lines"]}
            assert lines["METRICS"]["status"] == "warn"
            assert str(port) in lines["METRICS"]["found"]
            assert lines["WEBHOOK"]["found"] == "off: notify.url is empty"
            assert running.end(signal.SIGTERM) == 0
