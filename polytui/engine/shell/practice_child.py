"""The practice venue as a process beside the engine: found if it runs, started if it does not.

The venue outlives its engine on purpose: what an engine that was killed left open there must still
be there for the next one, as on a real venue. It ends when the engine is stopped in good order, or
by itself when nobody has been connected for a while.
"""

import asyncio
import subprocess
import sys
from contextlib import suppress
from pathlib import Path
from typing import Any, Final

import msgspec
from msgspec import Struct

from polytui.engine.core.errors import OperatorError, shown
from polytui.engine.core.runconfig import Settings
from polytui.engine.core.view import VenueLabView
from polytui.engine.shell.clock import SECOND_NS, read_mono_ns, sleep_until
from polytui.engine.shell.places import private

SOCKET: Final = "venue.sock"
LOG: Final = "venue.log"
START_NS: Final = 60 * SECOND_NS
LOOK_NS: Final = SECOND_NS // 50
ANSWER_S: Final = 3.0
END_NS: Final = SECOND_NS
"""Longest wait for the end of a venue that was told to; then it is told in a harsher way."""
LINE_MAX: Final = 1 << 20


class Wallet(Struct, frozen=True, kw_only=True):
    """A funded wallet of the practice venue; its key is made of the seed and worth nothing."""

    signature_type: int
    address: str
    owner: str
    private_key: str


class Ready(Struct, frozen=True, kw_only=True):
    """What the venue says of itself."""

    chain_id: int
    seed: int
    urls: dict[str, str]
    control: str
    wallets: tuple[Wallet, ...]


class PracticeChild:
    """The process, and the control socket to it."""

    def __init__(self, settings: Settings, directory: Path, *, scenario: str) -> None:
        """Nothing is started before `start`."""
        self._settings = settings
        self._scenario = scenario
        self._path = directory / SOCKET
        self._log = directory / LOG
        self._process: subprocess.Popen[bytes] | None = None
        self._streams: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None
        self._asking = asyncio.Lock()
        self.ready: Ready | None = None
        self.was_running = False
        """Whether it was found, not started."""

    async def begin(self) -> None:
        """Find the venue, or start one without waiting for it."""
        if await self._dial():
            self.was_running = True
        else:
            self._spawn()

    async def start(self) -> Ready:
        """Wait for the venue that was begun.

        Raises:
            OperatorError: it did not start; the message is its own reason.
        """
        if self._streams is None:
            await self._appear()
        self.ready = msgspec.convert(await self.ask("ready"), Ready)
        return self.ready

    def _spawn(self) -> None:
        practice = self._settings.practice
        command = [sys.executable, "-m", "polytui", "venue", "--port", "0"]
        command += ["--control", str(self._path), "--seed", str(self._settings.run.seed)]
        command += ["--singles", str(practice.markets), "--rate", str(practice.rate)]
        command += ["--idle", str(practice.idle_s)]
        command += ["--scenario", self._scenario] if self._scenario else []
        with open(self._log, "wb", opener=private) as log:
            self._process = subprocess.Popen(  # noqa: S603  our own program, our own arguments
                command,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,  # it says its wallets' keys, and keys are not for files
                stderr=log,
                start_new_session=True,
            )

    async def _appear(self) -> None:
        process = self._process
        assert process is not None, "expected a venue that was begun"
        deadline_ns = read_mono_ns() + START_NS
        while read_mono_ns() < deadline_ns:
            if await self._dial():
                return
            if process.poll() is not None:
                break
            await sleep_until(read_mono_ns() + LOOK_NS)
        raise OperatorError(f"the practice venue did not start: {self._reason()}")

    def _reason(self) -> str:
        text = self._log.read_text(encoding="utf-8", errors="replace").strip()
        return shown(text.splitlines()[-1]) if text else "it said nothing"

    async def _dial(self) -> bool:
        try:
            self._streams = await asyncio.open_unix_connection(str(self._path), limit=LINE_MAX)
        except OSError:
            return False
        return True

    async def ask(self, what: str, **fields: Any) -> dict[str, Any]:
        """Ask on the control socket.

        Raises:
            OperatorError: it refused, or does not answer.
        """
        async with self._asking:
            if self._streams is None and not await self._dial():
                raise OperatorError("the practice venue is gone")
            assert self._streams is not None, "expected an open line"
            (reader, writer), self._streams = self._streams, None
            try:
                writer.write(msgspec.json.encode({"do": what, **fields}) + b"\n")
                async with asyncio.timeout(ANSWER_S):
                    line = await reader.readline()
                answer: dict[str, Any] = msgspec.json.decode(line)
            except (OSError, TimeoutError, ValueError) as error:
                writer.close()
                raise OperatorError(f"the practice venue does not answer: {error!r}") from None
            except asyncio.CancelledError:
                writer.close()  # its answer is still to come: the next one must not read it
                raise
            self._streams = reader, writer
        if not answer["ok"]:
            raise OperatorError(str(answer["text"]))
        return answer

    async def cause(self, trouble: str) -> None:
        """Let a trouble of the lab happen now."""
        await self.ask("cause", name=trouble)

    async def lab(self) -> VenueLabView:
        """Read what the venue is up to."""
        return msgspec.convert((await self.ask("lab"))["lab"], VenueLabView)

    async def move(self, op: str, *, address: str, market: str, amount_u6: int) -> int:
        """Split, merge or redeem for a wallet, as a relayer would; return what was paid out."""
        answer = await self.ask("chain", op=op, address=address, market=market, amount_u6=amount_u6)
        return int(answer["paid_u6"])

    async def stop(self) -> None:
        """End the venue, whoever started it; ours even when it does not listen yet."""
        with suppress(OperatorError):
            await self.ask("stop")
        if self._streams is not None:
            self._streams[1].close()
            self._streams = None
        process = self._process
        if process is None:
            return
        if self.ready is not None:
            await _ended(process)
        for end in (process.terminate, process.kill):
            if process.poll() is None:
                end()
                await _ended(process)


async def _ended(process: subprocess.Popen[bytes]) -> None:
    """Wait for the end of a process, but not for long."""
    deadline_ns = read_mono_ns() + END_NS
    while process.poll() is None and read_mono_ns() < deadline_ns:
        await sleep_until(read_mono_ns() + LOOK_NS // 4)
