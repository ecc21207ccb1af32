"""The signer as a process: what it can reach, what it shows, how it lives and dies (D5 to D10)."""

import asyncio
import os
import signal
import stat
import struct
import subprocess
import sys
from collections.abc import Awaitable, Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from polytui.engine.core.errors import OperatorError
from polytui.engine.core.runconfig import SignerConfig
from polytui.engine.shell import clock
from polytui.engine.shell.clock import SECOND_NS, read_mono_ns, read_wall_ns, sleep_until
from polytui.engine.shell.latch import open_for_reading
from polytui.engine.shell.signer.__main__ import _moments
from polytui.engine.shell.signer.client import SignerClient
from polytui.engine.shell.signer.frames import Begin, Frame
from polytui.engine.shell.signer.hygiene import _CALLS, program
from tests.conftest import ROOT
from tests.engine.orders.signing_floor import DEV_KEY, TOKEN, terms_of
from tests.engine.shell.signer.rig import begin, open_latch
from tests.engine.shell.signer.test_session import create_keyfile_json
from tests.test_tidy import modules_loaded_by

pytestmark = [pytest.mark.slow, pytest.mark.timeout(30)]

LINUX = sys.platform == "linux"
CANARY = "c0ffee" + "19" * 29
GRANTED = {
    "no core dump",
    "not traceable",
    "no new privileges",
    "ends with the engine",
    "descriptors closed",
    "no new descriptors",
    "system calls filtered",
    "key locked in memory",
}
"""What Linux grants to anybody; locking all memory needs a limit that not everybody has."""

LAWFUL = {
    "polytui",
    "polytui.engine",
    "polytui.engine.core",
    "polytui.engine.core.enums",
    "polytui.engine.core.errors",
    "polytui.engine.core.order_enums",
    "polytui.engine.core.runconfig",
    "polytui.engine.core.trading",
    "polytui.engine.core.units",
    "polytui.engine.orders",
    "polytui.engine.orders.amounts",
    "polytui.engine.orders.hashing",
    "polytui.engine.shell",
    "polytui.engine.shell.clock",
    "polytui.engine.shell.latch",
}
LIBRARIES = {
    "msgspec", "coincurve", "Crypto", "cffi", "_cffi_backend", "typing_extensions", "asn1crypto",
}  # fmt: skip


def read(path: str) -> bytes:
    return Path(path).read_bytes()


class Running:
    """A signer that was started for a test."""

    def __init__(self, client: SignerClient, directory: Path, gone: list[str]) -> None:
        self.client = client
        self.directory = directory
        self.gone = gone

    def terms(self, n: int = 1, **changes: Any) -> Any:
        assert self.client.identity is not None
        now = {"timestamp_ms": read_wall_ns() // 1_000_000}
        return terms_of(self.client.identity, f"run-1-{n}", **now | changes)


def state(it: Running) -> tuple[bool, bool]:
    return it.client.hello.ok, it.client.hello.locked


def with_signer(
    directory: Path, test: Callable[[Running], Awaitable[None]], **changes: Any
) -> None:
    """Start a signer, run the test, end it."""

    async def main() -> None:
        latch = open_latch(directory)
        gone: list[str] = []
        asked = replace(begin(str(latch.path)), **changes)
        client = await SignerClient.start(asked, gone.append)
        try:
            await test(Running(client, directory, gone))
        finally:
            await client.close()
            latch.close()

    asyncio.run(main())


def test_it_signs_and_ends_without_a_word(tmp_path: Path) -> None:
    async def test(it: Running) -> None:
        assert it.client.hello.ok, it.client.hello.why
        results = await it.client.sign([it.terms(n) for n in range(15)])
        assert all(len(r.signature) == 132 and not r.refusal for r in results)
        await it.client.close()
        assert it.client._process.returncode == 0
        assert it.gone == []
        late = await it.client.sign([it.terms()])
        assert late[0].refusal == "the signer was closed"

    with_signer(tmp_path, test)


def test_its_memory_of_tokens_and_latch_is_told_in_order(tmp_path: Path) -> None:
    async def test(it: Running) -> None:
        async def why() -> str:
            return (await it.client.sign([it.terms()]))[0].refusal

        assert await why() == ""
        it.client.deny([TOKEN])
        assert "allow-list" in await why()
        it.client.allow([TOKEN])
        it.client.latch(killed=True)
        assert "closed in memory" in await why()
        it.client.latch(killed=False)
        assert await why() == ""

    with_signer(tmp_path, test)


def test_the_latch_on_disk_holds_it_whoever_closed_it(tmp_path: Path) -> None:
    async def test(it: Running) -> None:
        path = it.directory / "kill.latch"
        with path.open("r+b") as latch:
            latch.write(b"1")
        refused = await it.client.sign([it.terms()])
        assert "closed on disk" in refused[0].refusal
        with path.open("r+b") as latch:
            latch.write(b"0")
        assert (await it.client.sign([it.terms()]))[0].signature
        path.unlink()
        refused = await it.client.sign([it.terms()])
        assert "closed on disk" in refused[0].refusal, "a latch that is gone counts as closed"

    with_signer(tmp_path, test)


def test_without_a_latch_it_does_not_start(tmp_path: Path) -> None:
    async def test(it: Running) -> None:
        assert not it.client.hello.ok
        assert "expected the kill latch" in it.client.hello.why

    with_signer(tmp_path, test, latch=str(tmp_path / "absent"))


def test_a_refused_key_is_said_at_the_start(tmp_path: Path) -> None:
    async def test(it: Running) -> None:
        assert not it.client.hello.ok
        assert "expected signer.source" in it.client.hello.why
        who = {"identity": None, "locked": False}
        assert {name: getattr(it.client.hello, name) for name in who} == who

    with_signer(tmp_path, test, signer=SignerConfig(source="none"))


def test_a_keystore_is_opened_over_the_socket_only(tmp_path: Path) -> None:
    path = tmp_path / "key.json"
    file = create_keyfile_json(bytes.fromhex(DEV_KEY[2:]), b"open", kdf="scrypt", iterations=1024)
    path.write_bytes(__import__("json").dumps(file).encode())
    path.chmod(0o600)

    async def test(it: Running) -> None:
        assert state(it) == (True, True)
        assert "locked" in (await it.client.sign([it.terms()]))[0].refusal
        assert not (await it.client.unlock("wrong")).ok
        assert (await it.client.unlock("open")).ok
        assert state(it) == (True, False), "the greeting is renewed"
        assert (await it.client.sign([it.terms()]))[0].signature

    config = SignerConfig(source="keystore", keystore=str(path))
    with_signer(tmp_path, test, signer=config)


@pytest.mark.skipif(not LINUX, reason="the names are Linux's")
def test_b26_a_second_signer_of_the_same_wallet_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(tmp_path))
    credential = tmp_path / "polytui"
    credential.write_text(os.urandom(32).hex())
    credential.chmod(0o400)

    async def test(it: Running) -> None:
        assert it.client.hello.ok, it.client.hello.why
        asked = replace(begin(str(it.directory / "kill.latch")), signer=config)
        second = await SignerClient.start(asked, print)
        assert not second.hello.ok
        assert "the only signer of 0x" in second.hello.why
        await second.close()
        os.kill(it.client.pid, signal.SIGKILL)
        await until(lambda: bool(it.gone))
        third = await SignerClient.start(asked, print)
        assert third.hello.ok, "the claim went with the process"
        await third.close()

    config = SignerConfig(source="credential")
    with_signer(tmp_path, test, signer=config)


# --- what it can reach ---------------------------------------------------------------------------


@pytest.mark.skipif(not LINUX, reason="the measures are Linux's")
def test_d7_every_measure_that_linux_offers_is_granted(tmp_path: Path) -> None:
    async def test(it: Running) -> None:
        achieved = {m.name for m in it.client.hello.measures if m.achieved}
        assert achieved >= GRANTED
        status = read(f"/proc/{it.client.pid}/status").decode()
        assert "NoNewPrivs:\t1" in status
        assert "Seccomp:\t2" in status

    with_signer(tmp_path, test)


REACH = """
import os, socket, subprocess, sys
from polytui.engine.shell.signer import hygiene
kept, write = os.pipe()
lost, _ = os.pipe()
measures = hygiene.before_key(os.getppid()) + hygiene.after_key((kept, write))
print([m.name for m in measures if not m.achieved], flush=True)
for name, act in (
    ("socket", lambda: socket.socket()),
    ("unix socket", lambda: socket.socket(socket.AF_UNIX)),
    ("socketpair", lambda: socket.socketpair()),
    ("open", lambda: open("/etc/hostname")),
    ("write", lambda: open("/tmp/signer-was-here", "w")),
    ("program", lambda: subprocess.run(["true"])),
    ("exec", lambda: os.execv("/bin/true", ["true"])),
    ("fork", lambda: os.fork()),
    ("kill", lambda: os.kill(1, 0)),
    ("another pipe", lambda: os.read(lost, 1)),
    ("unlink", lambda: os.unlink("/tmp/anything")),
):
    try:
        act()
    except OSError as error:
        print(name, type(error).__name__, flush=True)
    else:
        print(name, "REACHED", flush=True)
print(os.write(write, b"still works") > 0)
"""


@pytest.mark.skipif(not LINUX, reason="the filter is Linux's")
def test_d9_inside_there_is_no_socket_no_file_no_program_and_no_signal() -> None:
    done = subprocess.run(
        [sys.executable, "-c", REACH],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=20,
        check=False,
    )
    lines = done.stdout.splitlines()
    assert lines[0] in ("[]", "['memory locked']"), done.stderr
    answers = dict(line.rsplit(" ", 1) for line in lines[1:-1])
    assert len(answers) == 11
    assert "REACHED" not in answers.values()
    assert answers["socket"] == "PermissionError"


TRACE = """
import ctypes, os, signal
from polytui.engine.shell.signer import hygiene
libc = ctypes.CDLL(None, use_errno=True)
def victim(guarded):
    ready, tell = os.pipe()
    pid = os.fork()
    if pid:
        os.read(ready, 1)
        return pid
    os.setgroups([]); os.setgid(65534); os.setuid(65534)
    libc.prctl(4, 1, 0, 0, 0)
    if guarded:
        hygiene.before_key(os.getppid())
    os.write(tell, b"x")
    signal.pause()
victims = {"plain": victim(False), "guarded": victim(True)}
os.setgroups([]); os.setgid(65534); os.setuid(65534)
for name, pid in victims.items():
    for place in ("mem", "environ"):
        try:
            open(f"/proc/{pid}/{place}", "rb").close()
            print(name, place, "OPENED", flush=True)
        except OSError as error:
            print(name, place, type(error).__name__, flush=True)
    print(name, "ptrace", libc.ptrace(16, pid, 0, 0), flush=True)
    os.kill(pid, 9)
"""


@pytest.mark.skipif(not LINUX or os.getuid() != 0, reason="needs root to become another user")
def test_d7_a_tracer_of_the_same_user_is_refused() -> None:
    """Let attacker and victims be `nobody`, as root is refused nothing; one victim is a control."""
    done = subprocess.run(
        [sys.executable, "-c", TRACE],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=20,
        check=False,
    )
    lines = done.stdout.splitlines()
    assert lines[:2] == ["plain mem OPENED", "plain environ OPENED"], done.stderr
    assert lines[3:] == [
        "guarded mem PermissionError",
        "guarded environ PermissionError",
        "guarded ptrace -1",
    ]


def test_d9_it_imports_next_to_nothing() -> None:
    loaded, _ = modules_loaded_by("-I", "-m", "polytui.engine.shell.signer", "-1", "0")
    ours = {m for m in loaded if m.split(".")[0] == "polytui"}
    signer = {m for m in ours if m.startswith("polytui.engine.shell.signer")}
    assert "polytui.engine.shell.signer.session" in signer
    assert "polytui.engine.shell.signer.client" not in signer
    assert ours - signer <= LAWFUL
    others = {m.split(".")[0] for m in loaded} - {"polytui"} - LIBRARIES
    bare, _ = modules_loaded_by("-I", "-c", "")
    odd = {m for m in others - bare if m not in sys.stdlib_module_names}
    assert {m for m in odd if not m.startswith("_")} == set()
    assert loaded.isdisjoint({"asyncio", "ssl", "_ssl", "http", "aiohttp", "textual", "pydantic"})


@pytest.mark.skipif(not LINUX or os.getuid() != 0, reason="only root may look at it")
def test_d6_neither_argv_nor_environment_hold_a_secret(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("POLYTUI_SIGNER_KEY", CANARY)
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(tmp_path))
    credential = tmp_path / "polytui"
    credential.write_text(CANARY)
    credential.chmod(0o400)

    async def test(it: Running) -> None:
        assert it.client.hello.ok, it.client.hello.why
        environ = read(f"/proc/{it.client.pid}/environ")
        assert set(environ.split(b"\0")) == {f"CREDENTIALS_DIRECTORY={tmp_path}".encode(), b""}
        assert CANARY.encode() not in read(f"/proc/{it.client.pid}/cmdline")
        await it.client.sign([it.terms()])
        written = repr(it.client.__dict__) + repr(it.client.hello)
        assert CANARY not in written

    with_signer(tmp_path, test, signer=SignerConfig(source="credential"))
    for path in tmp_path.iterdir():
        if path != credential and stat.S_ISREG(path.stat().st_mode):
            assert CANARY.encode() not in path.read_bytes()


# --- how it lives and dies -----------------------------------------------------------------------


async def until(condition: Callable[[], bool]) -> None:
    deadline_ns = read_mono_ns() + 5 * SECOND_NS
    while not condition():
        assert read_mono_ns() < deadline_ns
        await sleep_until(read_mono_ns() + SECOND_NS // 100)


def test_its_death_is_told_once_and_answers_who_waits(tmp_path: Path) -> None:
    async def test(it: Running) -> None:
        os.kill(it.client.pid, signal.SIGSTOP)
        waiting = asyncio.ensure_future(it.client.sign([it.terms()], wait_s=5))
        await sleep_until(read_mono_ns() + SECOND_NS // 50)
        os.kill(it.client.pid, signal.SIGKILL)
        assert "the signer is gone" in (await waiting)[0].refusal
        await until(lambda: bool(it.gone))
        assert len(it.gone) == 1
        assert "code -9" in it.gone[0]
        assert "gone" in (await it.client.sign([it.terms()]))[0].refusal
        it.client.latch(killed=True)

    with_signer(tmp_path, test)


def test_a_signer_that_does_not_answer_in_time_has_refused(tmp_path: Path) -> None:
    async def test(it: Running) -> None:
        os.kill(it.client.pid, signal.SIGSTOP)
        late = await it.client.sign([it.terms(1)], wait_s=0.05)
        assert late[0].refusal == "the signer did not answer within 0.05 s"
        os.kill(it.client.pid, signal.SIGCONT)
        fresh = await it.client.sign([it.terms(2)])
        assert fresh[0].cid == "run-1-2"
        assert fresh[0].signature, "a late answer is dropped, the next one is its own"

    with_signer(tmp_path, test)


def test_nonsense_from_the_engine_ends_it(tmp_path: Path) -> None:
    async def test(it: Running) -> None:
        it.client._writer.write(struct.pack(">I", 3) + b"\xc1\xc1\xc1")
        await until(lambda: bool(it.gone))
        assert "code 3" in it.gone[0]

    with_signer(tmp_path, test)


def test_a_signer_that_never_speaks_is_an_operators_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("polytui.engine.shell.signer.client._MODULE", "this")

    async def main() -> None:
        with pytest.raises(OperatorError, match="expected the signer to answer"):
            await SignerClient.start(begin(str(tmp_path)), print)

    asyncio.run(main())


def test_c14_a_wall_clock_that_is_set_does_not_reach_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with closing(open_latch(tmp_path)) as latch:
        now = _moments(open_for_reading(str(latch.path)))
        before = now()
        monkeypatch.setattr(clock, "time_ns", lambda: before.wall_ns + 3_600 * 10**9)
        after = now()
    assert after.wall_ns - before.wall_ns == after.mono_ns - before.mono_ns


ORPHAN = """
import asyncio, os, sys
from pathlib import Path
from tests.engine.shell.signer.rig import begin, open_latch
from polytui.engine.shell.signer.client import SignerClient
async def main():
    latch = open_latch(Path(sys.argv[1]))
    client = await SignerClient.start(begin(str(latch.path)), print)
    print(client.pid, flush=True)
    await asyncio.Event().wait()
asyncio.run(main())
"""


def test_it_ends_with_an_engine_that_was_killed(tmp_path: Path) -> None:
    with subprocess.Popen(
        [sys.executable, "-c", ORPHAN, str(tmp_path)], cwd=ROOT, stdout=subprocess.PIPE
    ) as engine:
        assert engine.stdout is not None
        pid = int(engine.stdout.readline())
        os.kill(pid, 0)
        engine.kill()
        engine.wait(5)

        def is_gone() -> bool:
            try:
                return "Z" in Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1][:3]
            except OSError:
                return True

        asyncio.run(until(is_gone))


def test_the_filter_lists_the_same_calls_for_every_machine() -> None:
    names = [set(calls) for _, calls in _CALLS.values()]
    assert names[0] ^ names[1] == {"poll", "ppoll"}
    forbidden = {"socket", "connect", "execve", "openat", "open", "clone", "ptrace", "sendmsg"}
    assert names[0].isdisjoint(forbidden)
    code = program(*_CALLS["x86_64"])
    assert len(code) == 8 * (len(names[0]) + 6)
    assert Begin.__mro__[1] is Frame
