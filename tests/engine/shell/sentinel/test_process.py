"""The sentinel against the practice venue: engines that stop, die, hang up or take leave (K3)."""

import asyncio
import json
import os
import signal
import subprocess
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

from polytui.engine.core.errors import OperatorError
from polytui.engine.shell.clock import SECOND_NS, read_mono_ns, sleep_until
from polytui.engine.shell.latch import KillLatch
from polytui.engine.shell.polymarket.auth import Credentials
from polytui.engine.shell.sentinel import client as client_module
from polytui.engine.shell.sentinel.client import SentinelClient, read_word
from polytui.engine.shell.sentinel.desk import Desk
from tests.conftest import ROOT
from tests.engine.shell.venue.rig import PLAIN, Rig, Trader
from tests.test_tidy import modules_loaded_by

pytestmark = [pytest.mark.slow, pytest.mark.timeout(30)]

ENGINE = """
import json, sys, time
from pathlib import Path
from polytui.engine.shell.polymarket.auth import Credentials
from polytui.engine.shell.sentinel.client import SentinelClient
asked = json.loads(sys.stdin.readline())
directory = Path(asked["directory"])
client = SentinelClient.start(
    clob=asked["clob"],
    key=Credentials(**asked["key"]),
    latch=directory / "kill.latch",
    directory=directory,
    silent_ms=asked["silent_ms"],
    on_word=lambda row: None,
)
while client.state != "refused":
    client.beat(healthy=True)
    client.hear()
    if client.answered_ns:
        print(client.pid, flush=True)
        break
    time.sleep(0.01)
while True:
    client.beat(healthy=True)
    client.hear()
    time.sleep(0.02)
"""
"""A fake engine: it beats."""


def _spawn() -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [sys.executable, "-c", ENGINE], cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )


def end(engine: subprocess.Popen[bytes]) -> None:
    """Kill an engine as `kill -9` does."""
    engine.kill()
    engine.wait(5)
    assert engine.stdout is not None
    engine.stdout.close()


class Floor:
    """A venue with open orders, a latch, and room for an engine."""

    def __init__(self, rig: Rig, trader: Trader, latch: KillLatch) -> None:
        self.rig = rig
        self.trader = trader
        self.latch = latch
        self.directory = latch.path.parent
        self.words: list[dict[str, Any]] = []

    def key(self) -> dict[str, str]:
        creds = self.trader.creds
        return {
            "address": self.trader.address,
            "key": creds["apiKey"],
            "secret": creds["secret"],
            "passphrase": creds["passphrase"],
        }

    def start(self, *, silent_ms: int = 1_000, clob: str = "") -> SentinelClient:
        return SentinelClient.start(
            clob=clob or self.rig.base,
            key=Credentials(**self.key()),
            latch=self.latch.path,
            directory=self.directory,
            silent_ms=silent_ms,
            on_word=self.words.append,
        )

    async def engine(self, *, silent_ms: int) -> tuple[subprocess.Popen[bytes], int]:
        """Start a fake engine; return it and the pid of its sentinel."""
        engine = await asyncio.to_thread(_spawn)
        assert engine.stdin is not None
        assert engine.stdout is not None
        asked = {
            "clob": self.rig.base,
            "key": self.key(),
            "directory": str(self.directory),
            "silent_ms": silent_ms,
        }
        engine.stdin.write(json.dumps(asked).encode() + b"\n")
        engine.stdin.close()
        return engine, int(await asyncio.to_thread(engine.stdout.readline))

    def open_orders(self) -> int:
        return len(self.rig.exchange.open_orders(account=self.trader.wallet))

    async def rest(self, count: int = 5) -> None:
        for n in range(count):
            await self.rig.rest(self.trader, PLAIN, px=100_000 + 10_000 * n)
        assert self.open_orders() >= count

    def receipts(self) -> list[dict[str, Any]]:
        path = self.directory / client_module.RECEIPTS_FILE
        return [json.loads(line) for line in path.read_text().splitlines()]


def on_floor(test: Callable[[Floor], Awaitable[None]]) -> Callable[[Path], None]:
    """Run a test with a venue served on this loop."""

    def run(tmp_path: Path) -> None:
        async def main() -> None:
            async with Rig() as rig:
                latch = KillLatch(tmp_path / "kill.latch")
                trader = await rig.trader("owner")
                await test(Floor(rig, trader, latch))
                latch.close()

        asyncio.run(main())

    run.__name__, run.__doc__ = test.__name__, test.__doc__
    return run


async def until(
    condition: Callable[[], bool], seconds: float = 8, client: SentinelClient | None = None
) -> int:
    """Wait for a condition, hearing what a sentinel says; return how long it took."""
    start_ns = read_mono_ns()
    while not condition():
        if client is not None:
            client.hear()
        assert read_mono_ns() - start_ns < seconds * SECOND_NS
        await sleep_until(read_mono_ns() + SECOND_NS // 200)
    return read_mono_ns() - start_ns


async def until_ended(client: SentinelClient) -> int | None:
    await until(lambda: not client.is_alive)
    return client.wait(0)


def read(path: str) -> bytes:
    """Read what others may read of a process; nothing where they may not."""
    try:
        return Path(path).read_bytes()
    except OSError:
        return b""


def is_gone(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] == "Z"
    except OSError:
        return True


@on_floor
async def test_a_stopped_engine_loses_its_orders_within_the_bound(floor: Floor) -> None:
    """C4, K3: SIGSTOP; silent for 3 s, everything cancelled within 3.5 s."""
    engine, sentinel = await floor.engine(silent_ms=3_000)
    await floor.rest()
    os.kill(engine.pid, signal.SIGSTOP)
    took_ns = await until(lambda: not floor.open_orders())
    assert 2.8 * SECOND_NS < took_ns <= 3.5 * SECOND_NS
    await until(lambda: floor.receipts()[-1]["state"] == "verified")
    assert not is_gone(sentinel), "an engine that may wake is watched on"
    os.kill(engine.pid, signal.SIGCONT)
    await floor.rest(1)
    await sleep_until(read_mono_ns() + SECOND_NS)
    assert floor.open_orders() == 1, "awake, it beats again"
    end(engine)
    await until(lambda: is_gone(sentinel))
    assert floor.open_orders() == 0


@on_floor
async def test_a_killed_engine_loses_its_orders_at_once(floor: Floor) -> None:
    """C1, C5: kill -9; the line ends, the sentinel outlives it, acts, verifies, ends."""
    engine, sentinel = await floor.engine(silent_ms=3_000)
    await floor.rest()
    end(engine)
    took_ns = await until(lambda: not floor.open_orders())
    assert took_ns < SECOND_NS
    await until(lambda: is_gone(sentinel))
    states = [row["state"] for row in floor.receipts()]
    assert states == ["watching", "fired", "swept", "empty", "verified"]
    assert floor.receipts()[1]["why"] == "the engine's line ended"
    assert floor.receipts()[2]["canceled"] == 5


@on_floor
async def test_a_farewell_leaves_everything_as_it_is(floor: Floor) -> None:
    client = floor.start()
    await floor.rest()
    client.beat(healthy=True)
    await until(lambda: client.answered_ns > 0, client=client)
    client.farewell()
    assert await until_ended(client) == 0
    assert floor.open_orders() == 5


@on_floor
async def test_it_acts_on_a_word_and_tells_what_it_did(floor: Floor) -> None:
    client = floor.start(silent_ms=30_000)
    await floor.rest()
    client.kill()
    await until(lambda: not floor.open_orders())
    await until(lambda: client.state == "verified", client=client)
    states = [row["state"] for row in floor.words]
    assert states == ["watching", "fired", "swept", "empty", "verified"]
    assert floor.words[1]["why"] == "the engine asked"
    told = [said for row in floor.words if (said := read_word(row)) is not None]
    assert [said.state for said in told] == ["fired", "swept", "verified"]
    assert (told[1].canceled, told[1].left) == (5, 0)
    client.farewell()
    assert await until_ended(client) == 0


@on_floor
async def test_beats_that_are_not_healthy_do_not_count(floor: Floor) -> None:
    client = floor.start()
    await floor.rest()

    def unwell() -> bool:
        client.beat(healthy=False)
        return not floor.open_orders()

    assert await until(unwell) < 2.5 * SECOND_NS
    client.abandon()
    assert await until_ended(client) == 0


@on_floor
async def test_a_latch_closed_by_anybody_cancels_though_the_engine_beats(floor: Floor) -> None:
    """`polytui-kill` writes the file when the engine does not answer; this makes it act."""
    client = floor.start(silent_ms=30_000)
    await until(lambda: client.answered_ns > 0, client=client)
    await floor.rest()
    floor.latch.trigger("by hand")
    took_ns = await until(lambda: not floor.open_orders())
    assert 0.8 * SECOND_NS < took_ns < 2 * SECOND_NS
    client.abandon()
    assert await until_ended(client) == 0


@on_floor
async def test_it_repeats_until_the_venue_confirms(floor: Floor) -> None:
    """B6, B32: the venue refuses cancels for a while; an order arrives after the first sweep."""
    from polytui.engine.sim.exchange.terms import VenueMode

    client = floor.start(silent_ms=30_000)
    await floor.rest()
    floor.rig.exchange.set_mode(VenueMode.DISABLED)
    client.kill()
    await until(lambda: len(floor.words) > 4, client=client)
    assert [row["http"] for row in floor.words if row["state"] == "swept"][:2] == [503, 503]
    assert floor.open_orders() == 5
    floor.rig.exchange.set_mode(VenueMode.NORMAL)
    await until(lambda: client.state == "empty", client=client)
    await floor.rest(1)
    await until(lambda: client.state == "verified", client=client)
    assert floor.open_orders() == 0, "the straggler was found by the second look"
    client.farewell()
    assert await until_ended(client) == 0


@on_floor
async def test_signals_that_end_services_do_not_end_it(floor: Floor) -> None:
    client = floor.start(silent_ms=30_000)
    await until(lambda: client.answered_ns > 0, client=client)
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        os.kill(client.pid, number)
    await sleep_until(read_mono_ns() + SECOND_NS // 5)
    assert client.is_alive
    assert os.getsid(client.pid) != os.getsid(0), "a closed terminal does not reach it"
    client.farewell()
    assert await until_ended(client) == 0


@on_floor
async def test_d5_no_secret_lies_anywhere(floor: Floor) -> None:
    client = floor.start(silent_ms=30_000)
    await floor.rest(1)
    client.kill()
    await until(lambda: client.state == "verified", client=client)
    creds = floor.trader.creds
    secrets = [creds["secret"].encode(), creds["passphrase"].encode()]
    seen = [repr(client).encode(), repr(client.__dict__).encode(), repr(floor.words).encode()]
    seen += [path.read_bytes() for path in floor.directory.iterdir()]
    seen += [read(f"/proc/{client.pid}/{name}") for name in ("cmdline", "environ")]
    assert all(secret not in text for secret in secrets for text in seen)
    client.farewell()
    assert await until_ended(client) == 0


@on_floor
async def test_what_it_cannot_do_is_refused_at_the_start(floor: Floor) -> None:
    client = floor.start(clob="http://venue.example.org")
    await until(lambda: client.state == "refused", client=client)
    assert "expected https" in floor.words[0]["why"]
    assert await until_ended(client) == 2
    client.abandon()
    floor.directory = floor.directory / "absent"
    with pytest.raises(OperatorError, match="expected to start the sentinel"):
        floor.start()


@pytest.mark.parametrize("base", ["", "ftp://127.0.0.1", "http://", "http://10.1.2.3", "clob"])
def test_c18_a_plain_line_leaves_this_machine_never(base: str) -> None:
    auth = {"secret": "c2VjcmV0", "address": "0x", "apiKey": "k", "passphrase": "p"}
    with pytest.raises(ValueError, match="expected"):
        Desk(base, auth)
    assert Desk("http://127.0.0.1:9", auth).open_orders() is None
    assert Desk("http://127.0.0.1:9", auth).cancel_all().http == 0


def test_it_imports_the_standard_library_and_little_of_ours() -> None:
    loaded, _ = modules_loaded_by("-I", "-m", "polytui.engine.shell.sentinel")
    assert "polytui.engine.shell.sentinel.desk" in loaded
    forbidden = {"aiohttp", "textual", "pydantic", "coincurve", "asyncio", "Crypto", "sqlite3"}
    assert {name.split(".")[0] for name in loaded}.isdisjoint(forbidden)
