"""The command line as a shell sees it: exit codes, what goes where, and what it does not load."""

import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from polytui.cli import overrides, quick, quick_runtime_dir
from polytui.engine.core.errors import OperatorError
from polytui.engine.shell.places import VIEW_SOCKET
from tests.conftest import ROOT
from tests.support.engines import EngineProcess, engine, short_directory

pytestmark = [pytest.mark.slow, pytest.mark.timeout(60)]

HEAVY = ("textual", "asyncio", "uvloop", "pydantic_settings", "rich", "polytui.engine.machine")


@pytest.fixture
def home() -> Iterator[Path]:
    with short_directory() as path:
        yield path


def polytui(home: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run one command in an empty directory, with that as its runtime directory's home."""
    return subprocess.run(
        [sys.executable, "-m", "polytui", *arguments],
        cwd=home,
        env={**os.environ, "PYTHONPATH": str(ROOT), "POLYTUI_RUNTIME_DIR": str(home / "run")},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )


def loaded(home: Path, *arguments: str) -> set[str]:
    """List what a command imports."""
    code = (
        "import sys, atexit\n"
        "atexit.register(lambda: print('\\n'.join(sys.modules)))\n"
        f"sys.argv = ['polytui', *{arguments!r}]\n"
        "from polytui.__main__ import main\n"
        "main()\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=home,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    return set(done.stdout.splitlines())


# --- quickly and quietly ----------------------------------------------------------------------


@pytest.mark.parametrize(
    "arguments",
    [("--help",), ("serve", "--help"), ("ctl", "--help"), ("status", "--socket", "/nowhere")],
    ids=" ".join,
)
def test_help_and_status_load_nothing_heavy(home: Path, arguments: tuple[str, ...]) -> None:
    modules = loaded(home, *arguments)
    assert "polytui.cli" in modules
    assert modules.isdisjoint(HEAVY)


def test_help_names_every_command(home: Path) -> None:
    done = polytui(home, "--help")
    assert done.returncode == 0
    assert done.stderr == ""
    for command in ("serve", "attach", "status", "ctl", "replay"):
        assert f"\n  {command} " in done.stdout


# --- no engine --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "arguments",
    [("status",), ("status", "--json"), ("ctl", "engine.stop"), ("attach",)],
    ids=" ".join,
)
def test_without_an_engine_the_code_is_3_and_one_line_says_where_none_was(
    home: Path, arguments: tuple[str, ...]
) -> None:
    done = polytui(home, *arguments)
    assert done.returncode == 3
    assert done.stdout == ""
    assert done.stderr.startswith(f"polytui: no engine answers at {home / 'run'}")
    assert done.stderr.count("\n") == 1


def test_without_a_terminal_no_console_and_no_engine_is_started(home: Path) -> None:
    done = polytui(home)
    assert done.returncode == 2
    assert "needs a terminal" in done.stderr
    assert list(home.iterdir()) == []


# --- bad input --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("serve", "--practice", "--set", "venue.kind=polymarket"), "venue.kind is polymarket"),
        (("frobnicate",), "No such command"),
        (("serve", "--practice", "--set", "nonsense"), "expected --set KEY=VALUE"),
        (("serve", "--practice", "--set", "practice.rates=1"), "practice.rate"),
        (
            ("serve", "--practice", "--set", "practice.rate=fast"),
            "practice.rate: expected a number",
        ),
        (("serve", "--practice", "--config", "none.toml"), "none.toml"),
        (("replay", "none.polycap"), "none.polycap"),
        (("replay", "x", "--speed", "fast"), "--speed"),
        (("replay", "x", "--from", "yesterday"), "expected a time like"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, tuple) else "",
)
def test_bad_input_is_refused_with_a_sentence(
    home: Path, arguments: tuple[str, ...], says: str
) -> None:
    done = polytui(home, *arguments)
    assert done.returncode == 2
    assert done.stdout == ""
    assert says in done.stderr
    assert "Traceback" not in done.stderr


# --- a running engine -------------------------------------------------------------------------


@pytest.fixture(scope="module")
def running() -> Iterator[EngineProcess]:
    with engine() as process:
        yield process


def test_status_is_one_line_on_standard_output(running: EngineProcess, home: Path) -> None:
    done = polytui(home, "status", "--socket", str(running.runtime / VIEW_SOCKET))
    assert done.returncode == 0
    assert done.stderr == ""
    assert re.match(r"SHADOW (ACTIVE|HALTED) practice run \S+ up \d+ s seq ", done.stdout)
    assert done.stdout.count("\n") == 1


def test_status_is_json_when_asked(running: EngineProcess, home: Path) -> None:
    done = polytui(home, "status", "--json", "--socket", str(running.admin))
    view = json.loads(done.stdout)
    assert (view["type"], view["mode"]) == ("status", "shadow")
    assert view["shell"]["pid"] == running.process.pid


def test_ctl_prints_the_answer_and_refusals_go_to_standard_error(
    running: EngineProcess, home: Path
) -> None:
    to_admin = ("--socket", str(running.admin))
    done = polytui(home, "ctl", "strategy.pause", "box", *to_admin)
    assert (done.returncode, done.stdout, done.stderr) == (0, "Paused: box.\n", "")
    refused = polytui(home, "ctl", "strategy.pause", "fox", *to_admin)
    assert (refused.returncode, refused.stdout) == (2, "")
    assert refused.stderr == "polytui: refused: expected one of box, was 'fox'\n"
    answer = polytui(home, "ctl", "strategy.resume", "box", "--json", *to_admin)
    assert json.loads(answer.stdout)["code"] == "done"
    unknown = polytui(home, "ctl", "order.cancel", "--json", *to_admin)
    assert unknown.returncode == 2
    assert json.loads(unknown.stdout)["code"] == "unknown_action"


def test_a_read_only_socket_refuses(running: EngineProcess, home: Path) -> None:
    socket = str(running.runtime / VIEW_SOCKET)
    done = polytui(home, "ctl", "engine.stop", "--socket", socket)
    assert done.returncode == 2
    assert "read_only" in done.stderr


def test_the_runtime_directory_comes_from_the_file_too(
    running: EngineProcess, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (home / "config.toml").write_text(f'runtime_dir = "{running.runtime}"\n')
    monkeypatch.chdir(home)
    assert quick_runtime_dir(None, []) == running.runtime
    assert quick_runtime_dir(None, ["runtime_dir=/elsewhere"]) == Path("/elsewhere")
    monkeypatch.setenv("POLYTUI_RUNTIME_DIR", "/environment")
    assert quick_runtime_dir(None, []) == Path("/environment")


def test_a_silent_engine_is_unreachable_and_not_waited_for(home: Path) -> None:
    with engine() as stopped:
        stopped.process.send_signal(signal.SIGSTOP)
        try:
            done = polytui(home, "status", "--socket", str(stopped.admin))
        finally:
            stopped.process.send_signal(signal.SIGCONT)
        assert done.returncode == 3
        assert "is silent" in done.stderr


def test_a_stopped_engine_can_be_replayed(home: Path) -> None:
    with engine("practice.rate=200") as recorded:
        polytui(home, "ctl", "shutdown", "--confirm", "y", "--socket", str(recorded.admin))
        assert recorded.process.wait(20) == 0
        done = polytui(home, "replay", str(recorded.captures), "--json")
        assert done.returncode == 0, done.stderr
        assert json.loads(done.stdout)["verified"] is None


def test_a_configuration_that_cannot_be_read_is_a_refusal(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("POLYTUI_RUNTIME_DIR", raising=False)
    (home / "bad.toml").write_text("runtime_dir = ")
    for name in ("none.toml", "bad.toml"):
        with pytest.raises(OperatorError, match=rf"{name}: expected a readable TOML file"):
            quick_runtime_dir(home / name, [])


def test_overrides_keep_everything_after_the_first_equals_sign() -> None:
    assert overrides(["a.b=c=d", "e="]) == {"a.b": "c=d", "e": ""}
    with pytest.raises(OperatorError, match="expected --set KEY=VALUE, was '=x'"):
        overrides(["=x"])


def test_one_text_of_the_configuration_is_found_as_the_whole_of_it_would_find_it(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = home / "mine.toml"
    file.write_text('[store]\ndirectory = "of the file"\n', encoding="utf-8")
    assert quick("store.directory", file, []) == "of the file"
    monkeypatch.setenv("POLYTUI_STORE__DIRECTORY", "of the environment")
    assert quick("store.directory", file, []) == "of the environment"
    assert quick("store.directory", file, ["store.directory=mine"]) == "mine"
    assert quick("store.nothing", file, []) == quick("nothing.at.all", file, []) == ""
