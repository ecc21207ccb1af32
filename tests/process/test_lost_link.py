"""A real engine by its other routes: alive, stopped by a signal, killed."""

import signal

import pytest
from msgspec.structs import replace

from polytui.engine.core.messages import Hello
from polytui.engine.core.view import STATUS, StatusView
from polytui.engine.shell.clock import read_mono_ns
from polytui.engine.shell.dial import Dialled
from polytui.routes import (
    LogFinding,
    Target,
    ask_metrics,
    look_at_log,
    look_at_process,
    look_at_socket,
)
from polytui.screens.route_words import target_of
from tests.support.engines import EngineProcess, engine, wait_until

pytestmark = [pytest.mark.slow, pytest.mark.timeout(90)]


def told_by(running: EngineProcess) -> tuple[Hello, StatusView, Target]:
    with Dialled(running.admin) as admin:
        status = admin.look(STATUS)
        assert isinstance(status, StatusView)
        return admin.hello, status, target_of(str(running.admin), admin.hello, status)


def log_now(target: Target, before: LogFinding | None = None) -> LogFinding:
    return look_at_log(target, before, read_mono_ns())


def test_an_engine_says_where_it_is_found_and_is_found_there() -> None:
    with engine("metrics.port=0") as running:
        _, status, target = told_by(running)
        assert target.pid == running.process.pid
        assert target.recordings_at == str(running.captures)
        alive = look_at_process(target, None, 1)
        assert alive.exists
        assert not alive.is_other
        assert look_at_socket(target, None, 1).heard
        answer = ask_metrics(target, None, 1)
        assert (answer.why, answer.run) == ("", status.run)
        assert answer.live_orders == 0
        assert answer.up_ns is not None
        seen = log_now(target)
        wait_until(lambda: (log_now(target, seen).grown or 0) > 0, "the event log to grow")

        running.process.send_signal(signal.SIGSTOP)
        wait_until(lambda: look_at_process(target, None, 1).stopped, "the engine to be stopped")
        assert "no answer" in ask_metrics(target, None, 1).why
        assert look_at_socket(target, None, 1).heard

        running.end(signal.SIGKILL)
        assert not look_at_process(target, None, 1).exists
        left_behind = look_at_socket(target, None, 1)
        assert left_behind.present
        assert left_behind.heard is False
        assert "refused" in ask_metrics(target, None, 1).why
        still = log_now(target)
        assert log_now(target, still).grown == 0


def test_an_engine_without_metrics_and_recordings_names_none() -> None:
    with engine("metrics.enabled=false", "capture.enabled=false") as running:
        hello, status, target = told_by(running)
        assert (target.metrics_at, target.metrics_why) == ("", "switched off")
        assert target.recordings_at == ""
        assert target == target_of(str(running.admin), hello, replace(status, seq=0))
