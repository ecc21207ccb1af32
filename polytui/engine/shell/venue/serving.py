"""`polytui venue`: a whole practice venue on loopback sockets, in real time, until told to stop."""

import asyncio
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

from msgspec import Struct
from msgspec.json import encode

from polytui.engine.core.units import U
from polytui.engine.shell.clock import SECOND_NS, read_anchor, read_mono_ns, sleep_until
from polytui.engine.shell.places import prepare, private, runtime_dir
from polytui.engine.shell.scenario_files import read_scenario
from polytui.engine.shell.venue.acts import do_on_wire
from polytui.engine.shell.venue.control import Control
from polytui.engine.shell.venue.crypto import address_of, checksum, secret_key
from polytui.engine.shell.venue.orders import POLYGON_ID
from polytui.engine.shell.venue.reference import References
from polytui.engine.shell.venue.server import PREFIXES, Server, check_host, make_app
from polytui.engine.shell.venue.venue import Venue, real_clock
from polytui.engine.shell.venue.wallets import wallets_of
from polytui.engine.sim.exchange.emissions import Emission
from polytui.engine.sim.practice_lab import PracticeLab
from polytui.engine.sim.practice_world import PracticeWorld, pace_of

WALLET_NAMES: Final = ("eoa", "proxy", "safe", "deposit")
"""By signature type; each name is one key that owns one funded wallet."""
CASH_U6: Final = 10_000 * U
LOG_CHUNK_MAX: Final = 1 << 20
DEFAULT_PORT: Final = 8_137


class Wallet(Struct, frozen=True, kw_only=True):
    """A funded test wallet. Its key is made of the seed, so anybody has it: never fund it."""

    signature_type: int
    address: str
    """Where the money is: the maker."""
    owner: str
    """The signing address."""
    private_key: str


class Options(Struct, frozen=True, kw_only=True):
    """What the command was told."""

    host: str = "127.0.0.1"
    port: int = DEFAULT_PORT
    seed: int = 1
    singles: int = 16
    rate: float = 0.0
    """About so many market frames a second; 0: as busy as people usually are."""
    idle_s: int = 0
    """It ends when nobody has been connected for so long; 0: never."""
    scenario: str = ""
    """Name or path of a scenario; empty: nothing goes wrong by itself."""
    control: Path | None = None
    """The control socket; None: `venue-PORT.sock` in the runtime directory."""
    record: Path | None = None
    """Where the exchange's own log goes; None: nowhere."""


class Served:
    """A venue with everything around it."""

    def __init__(self, options: Options) -> None:
        """Make the world; nothing is bound before `start`."""
        anchor = read_anchor()
        self._options = options
        check_host(options.host)
        self.world = PracticeWorld(
            seed=options.seed,
            start_ns=anchor.wall_ns,
            singles=options.singles,
            script=read_scenario(options.scenario) if options.scenario else None,
            pace=pace_of(options.singles, options.rate) if options.rate else 1.0,
        )
        self.wallets = fund_wallets(self.world, options.seed)
        self.venue = Venue(
            self.world.exchange, seed=options.seed, clock=real_clock(anchor), crowd=self.world
        )
        self.lab = PracticeLab(self.world)
        self.venue.heard = self._hear
        self.references = References(self.venue, self.world)
        app = make_app(self.venue, extra=self.references.routes())
        self.server = Server(app, host=options.host, port=options.port)
        self.control: Control | None = None
        self.stopping = asyncio.Event()
        self._log = bytearray()
        self.venue.apply(self.world.switches)
        self.venue.after = self._look

    def _hear(self, emissions: list[Emission], frames: int) -> None:
        """Let the lab count what happened."""
        self.lab.note(emissions, ())
        self.lab.frames += frames

    def _look(self) -> None:
        """Hand on what the world did besides trading."""
        self.references.publish(self.world.take_prints())
        steps = self.world.take_steps()
        self.lab.note((), steps)
        for step in steps:
            if step.switches is not None:
                self.venue.apply(step.switches)
            for act in step.acts:
                do_on_wire(self.venue, act)
        self._note()

    def _note(self) -> None:
        """Take the exchange's log, and write it where it is wanted."""
        lines = self.world.exchange.drain_log()
        if self._options.record is None:
            return
        self._log += lines
        if len(self._log) > LOG_CHUNK_MAX:
            self._write_log()

    def _write_log(self) -> None:
        if self._options.record is not None and self._log:
            with open(self._options.record, "ab", opener=private) as file:
                file.write(self._log)
            self._log.clear()

    async def start(self) -> None:
        """Bind and listen.

        Raises:
            OperatorError: not loopback, or the port is taken.
        """
        await self.server.start()
        path = self._options.control
        if path is None:
            directory = runtime_dir("")
            prepare(directory)
            path = directory / f"venue-{self.server.port}.sock"
        self.control = Control(
            self.venue, self.world, path, lab=self.lab, ready=self.ready, stop=self.stopping.set
        )
        await self.control.start()

    async def idle(self) -> None:
        """Stop when nobody has been connected for a while, if that is wanted."""
        quiet_s = 0
        while self._options.idle_s:
            await sleep_until(read_mono_ns() + SECOND_NS)
            assert self.control is not None, "expected to be started"
            quiet_s = 0 if any(self.venue.hub.counts()) or self.control.clients else quiet_s + 1
            if quiet_s >= self._options.idle_s:
                self.stopping.set()

    async def close(self) -> None:
        """Hang up and write what is left of the log."""
        if self.control is not None:
            await self.control.close()
        await self.server.close()
        self._note()
        self._write_log()

    def ready(self) -> dict[str, Any]:
        """Describe everything a client needs, in one line."""
        assert self.control is not None, "expected to be started"
        http, socket = f"http://{self.server.base}", f"ws://{self.server.base}"
        return {
            "ready": True,
            "chain_id": POLYGON_ID,
            "seed": self._options.seed,
            "scenario": self.world.scenario.script.title,
            "urls": {
                "clob": http,
                **{name: http + prefix for name, prefix in PREFIXES.items()},
                "market_ws": f"{socket}/ws/market",
                "user_ws": f"{socket}/ws/user",
                "coinbase_ws": f"{socket}/coinbase",
                "binance_ws": f"{socket}/binance",
                "binance": f"{http}/binance",
                "rtds_ws": f"{socket}/rtds",
            },
            "control": str(self.control.path),
            "wallets": self.wallets,
            "warning": "test keys, made of the seed: never fund them",
        }


def fund_wallets(world: PracticeWorld, seed: int) -> list[Wallet]:
    """Open and fund one wallet of each signature type."""
    wallets = []
    for signature_type, name in enumerate(WALLET_NAMES):
        key = secret_key(f"polytui practice venue, seed {seed}, wallet {name}".encode())
        owner = address_of(key)
        address = wallets_of(owner).of_type(signature_type)[0]
        world.exchange.open_account(address)
        world.exchange.deposit(address, CASH_U6)
        wallets.append(
            Wallet(
                signature_type=signature_type,
                address=checksum(address),
                owner=checksum(owner),
                private_key=key,
            )
        )
    world.wallet = wallets[0].address.lower()
    return wallets


def serve_venue(options: Options, say: Callable[[str], None]) -> int:
    """Serve until SIGINT or SIGTERM; `say` gets the line that tells how to reach it."""
    import uvloop

    uvloop.run(_serve(options, say))
    return 0


async def _serve(options: Options, say: Callable[[str], None]) -> None:
    served = Served(options)
    stop = served.stopping
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop.set)
    await served.start()
    driver = asyncio.create_task(served.venue.run())
    driver.add_done_callback(lambda _: stop.set())
    say(encode(served.ready()).decode())
    idler = asyncio.create_task(served.idle())
    await stop.wait()
    idler.cancel()
    await served.close()
    if driver.done() and not driver.cancelled():
        driver.result()
    driver.cancel()
