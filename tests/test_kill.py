"""`polytui-kill`: quick, alone, and of use when nothing answers (faults D11, D18; console §3)."""

import asyncio
import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from polytui import kill
from polytui.engine.core.messages import Answer, Ask
from polytui.engine.shell import places
from polytui.engine.shell.admin import AdminServer, Reply
from polytui.engine.shell.clock import SECOND_NS, read_mono_ns, sleep_until
from polytui.engine.shell.latch import LATCH_BYTES, LATCH_FILE, KillLatch, is_closed
from tests.conftest import ROOT
from tests.test_tidy import modules_loaded_by

Done = subprocess.CompletedProcess[str]
SCRIPT = ROOT / "polytui" / "kill.py"


def run(*arguments: str, cwd: Path = ROOT, env: dict[str, str] | None = None) -> Done:
    """Run the script as a person would without an installation."""
    return subprocess.run(
        [sys.executable, "-I", "-S", str(SCRIPT), *arguments],
        capture_output=True,
        text=True,
        timeout=10,
        check=False,
        cwd=cwd,
        env=env or {},
    )


def against(
    directory: Path, on_ask: Callable[[Ask, str, Reply], None], *arguments: str
) -> tuple[Done, list[Ask]]:
    """Run it against the engine's real admin server, which beats."""
    directory.chmod(0o700)
    heard: list[Ask] = []

    def hear(ask: Ask, actor: str, reply: Reply) -> None:
        heard.append(ask)
        on_ask(ask, actor, reply)

    async def main() -> Done:
        server = AdminServer(directory, run="r", version="0", on_ask=hear, on_watch=lambda: None)
        await server.start()
        beating = asyncio.ensure_future(beat(server))
        done = await asyncio.to_thread(run, "--runtime-dir", str(directory), *arguments)
        beating.cancel()
        await server.close()
        return done

    return asyncio.run(main()), heard


async def beat(server: AdminServer) -> None:
    while True:
        server.beat(at_ns=1, seq=1)
        await sleep_until(read_mono_ns() + SECOND_NS // 5)


def answering(*, ok: bool, text: str) -> Callable[[Ask, str, Reply], None]:
    def on_ask(ask: Ask, _: str, reply: Reply) -> None:
        reply(Answer(id="somebody-else", ok=not ok, code="done", text="not yours"))
        reply(Answer(id=ask.id, ok=ok, code="done" if ok else "refused", text=text))

    return on_ask


@pytest.mark.slow
@pytest.mark.timeout(20)
def test_d18_it_asks_the_engine_and_prints_the_answer(tmp_path: Path) -> None:
    text = "KILLED: the gate is closed, everything is being cancelled."
    done, heard = against(tmp_path, answering(ok=True, text=text), "a", "hard reason")
    assert (done.returncode, done.stdout, done.stderr) == (0, text + "\n", "")
    assert [(ask.action, ask.args) for ask in heard] == [("risk.kill", ("a hard reason",))]
    assert not (tmp_path / LATCH_FILE).exists(), "an engine that answers closes its own latch"


@pytest.mark.slow
@pytest.mark.timeout(20)
def test_a_refusal_is_printed_and_told_by_the_code(tmp_path: Path) -> None:
    done, heard = against(tmp_path, answering(ok=False, text="no \x1b[2J"))
    assert (done.returncode, done.stdout) == (2, "no \\x1b[2J\n")
    assert heard[0].args == (f"polytui-kill by uid {os.getuid()}",)


@pytest.mark.slow
@pytest.mark.timeout(20)
def test_an_engine_that_only_beats_finds_the_latch_closed(tmp_path: Path) -> None:
    latch = KillLatch(tmp_path / LATCH_FILE)
    done, heard = against(tmp_path, lambda *_: None, "hung")
    assert done.returncode == 3
    assert "it lives, but gave no answer within 3 beats" in done.stdout
    assert len(heard) == 1
    assert latch.look()
    assert latch.reason == "hung"
    latch.close()


@pytest.mark.slow
@pytest.mark.timeout(20)
def test_without_an_engine_it_closes_the_latch_and_says_what_to_do(tmp_path: Path) -> None:
    latch = KillLatch(tmp_path / LATCH_FILE)
    size = latch.path.stat().st_size
    done = run("--runtime-dir", str(tmp_path), "nobody", "there")
    assert done.returncode == 3
    assert "The engine does not answer" in done.stdout
    assert "the sentinel cancels everything" in done.stdout
    assert latch.look()
    assert latch.reason == "nobody there"
    assert latch.path.stat().st_size == size == LATCH_BYTES
    latch.close()


def test_it_makes_a_latch_where_none_is_and_a_later_engine_is_born_killed(tmp_path: Path) -> None:
    assert kill.kill(str(tmp_path), "first") == kill.UNREACHABLE
    latch = KillLatch(tmp_path / LATCH_FILE)
    assert latch.is_killed
    assert latch.reason == "first"
    assert latch.path.stat().st_mode & 0o777 == 0o600
    latch.close()


def test_it_follows_no_link_and_tells_when_it_could_not_write(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    victim = tmp_path / "victim"
    victim.write_text("0 precious")
    (tmp_path / LATCH_FILE).symlink_to(victim)
    assert kill.kill(str(tmp_path), "x") == kill.UNREACHABLE
    assert victim.read_text() == "0 precious"
    assert "could not be closed" in capsys.readouterr().out
    assert kill.kill(str(tmp_path / "absent"), "x") == kill.UNREACHABLE
    assert "--runtime-dir" in capsys.readouterr().out


def test_a_hostile_reason_stays_one_line_of_ascii(tmp_path: Path) -> None:
    path = tmp_path / LATCH_FILE
    kill.close_latch(str(path), "\x1b[2J\nö" * 400)
    written = path.read_bytes()
    assert written.startswith(b"1 ")
    assert len(written) == LATCH_BYTES
    assert written.isascii()
    assert b"\x1b" not in written
    fd = os.open(path, os.O_RDONLY)
    assert is_closed(fd)
    os.close(fd)


def test_its_own_copies_of_our_constants_are_right() -> None:
    assert kill.ADMIN_SOCKET == places.ADMIN_SOCKET
    assert (kill.LATCH_FILE, kill.LATCH_BYTES) == (LATCH_FILE, LATCH_BYTES)


def test_it_finds_the_directory_as_the_engine_does(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from polytui.cli import quick_runtime_dir

    def same() -> str:
        assert kill.runtime_dir() == str(quick_runtime_dir(None, []))
        return kill.runtime_dir()

    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
    assert same() == str(tmp_path / "polytui")
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path / "absent"))
    assert same() == f"/tmp/polytui-{os.getuid()}"
    config = tmp_path / "config.toml"
    config.write_text('# first\nmode = "shadow"\nruntime_dir = "here"  # note\n[run]\n')
    assert same() == str(tmp_path / "here")
    config.write_text('runtime_dir = ""\n[run]\nruntime_dir = "not this"\n')
    assert same() == f"/tmp/polytui-{os.getuid()}"
    monkeypatch.setenv("POLYTUI_RUNTIME_DIR", str(tmp_path / "env"))
    assert same() == str(tmp_path / "env")


@pytest.mark.parametrize(
    ("arguments", "code"),
    [(["--help"], 0), (["-h"], 0), (["--runtime-dir"], 2), (["--force"], 2), (["-9"], 2)],
)
def test_what_it_does_not_know_kills_nothing(
    arguments: list[str], code: int, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("POLYTUI_RUNTIME_DIR", str(tmp_path))
    assert kill.main(arguments) == code
    assert list(tmp_path.iterdir()) == []


def hostile_server(path: Path, says: bytes) -> str:
    """Answer one connection with these bytes; return what kill's client makes of it."""

    async def main() -> str:
        async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await reader.readline()
            writer.write(says)
            writer.close()

        server = await asyncio.start_unix_server(serve, str(path))
        try:
            await asyncio.to_thread(kill.ask, str(path), "x")
        except kill.Unreachable as error:
            return str(error)
        finally:
            server.close()
        return "answered"

    return asyncio.run(main())


@pytest.mark.parametrize(
    "says",
    [b"", b"\n", b"not json\n", b"[]\n", b'{"type":"answer"', b"[" * 9_000 + b"\n", b"\xff\n"],
)
def test_whatever_answers_there_it_ends_with_a_sentence(tmp_path: Path, says: bytes) -> None:
    assert "admin.sock: " in hostile_server(tmp_path / "admin.sock", says)


def test_an_answer_without_an_id_is_to_a_line_that_was_refused(tmp_path: Path) -> None:
    row = {"type": "answer", "id": "", "ok": False, "code": "refused", "text": "too many clients"}
    says = json.dumps(row).encode() + b"\n"
    assert hostile_server(tmp_path / "admin.sock", says) == "answered"


@pytest.mark.slow
@pytest.mark.timeout(30)
def test_it_is_quick_from_cold_and_loads_nothing_of_ours(tmp_path: Path) -> None:
    times = []
    for _ in range(7):
        start_ns = read_mono_ns()
        assert run("--runtime-dir", str(tmp_path / "absent")).returncode == 3
        times.append(read_mono_ns() - start_ns)
    assert min(times) <= SECOND_NS // 10
    loaded, _ = modules_loaded_by("-I", "-S", str(SCRIPT), "--runtime-dir", str(tmp_path / "no"))
    assert "json" in loaded
    assert {name.split(".")[0] for name in loaded}.isdisjoint({"polytui", "msgspec", "typer"})


@pytest.mark.slow
@pytest.mark.timeout(30)
def test_it_is_an_entry_of_its_own() -> None:
    text = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    assert 'polytui-kill = "polytui.kill:main"' in text
    done = subprocess.run(
        [sys.executable, "-c", "from polytui.kill import main; raise SystemExit(main(['-h']))"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=10,
        check=False,
    )
    assert (done.returncode, done.stdout) == (0, kill.USAGE + "\n")
