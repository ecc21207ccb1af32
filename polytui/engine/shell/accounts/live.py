"""The LIVE account: signer, API key, user stream, execution port, sentinel.

The port follows the mode: below LIVE_ARMED it is one that drops what is signed; only when the
engine's mode machine has armed, this module makes the token without which no order can leave, and
when the mode falls the token is withdrawn before anything else happens.
"""

import asyncio
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path
from typing import Any, Final

from msgspec.structs import replace

from polytui.engine.core.account_events import AccountGone
from polytui.engine.core.commands import PortCommand
from polytui.engine.core.enums import Mode
from polytui.engine.core.errors import OperatorError
from polytui.engine.core.order_enums import Realm
from polytui.engine.core.runconfig import Settings, VenueConfig
from polytui.engine.core.trading import Identity
from polytui.engine.shell.accounts.ties import Ties
from polytui.engine.shell.clock import SECOND_NS, read_mono_ns, sleep_until
from polytui.engine.shell.polymarket.armed import arm
from polytui.engine.shell.polymarket.budgets import Budgets
from polytui.engine.shell.polymarket.client import VenueClient
from polytui.engine.shell.polymarket.port import DryRunPort, LivePort, Port
from polytui.engine.shell.polymarket.port_parts import Parts
from polytui.engine.shell.polymarket.practice_moves import PracticeMover
from polytui.engine.shell.polymarket.rest import Failed
from polytui.engine.shell.polymarket.user_stream import UserSocket
from polytui.engine.shell.sentinel.client import SentinelClient, read_word
from polytui.engine.shell.signer.client import SignerClient
from polytui.engine.shell.signer.frames import Begin

LOCKED: Final = "the keystore is locked: type its passphrase with `polytui unlock`"
RETRY_NS: Final = 5 * SECOND_NS
"""Between two tries to come up: signer, clock, login."""


class LiveAccount:
    """Everything of the LIVE realm that is not the engine."""

    def __init__(
        self,
        settings: Settings,
        venue: VenueConfig,
        directory: Path,
        ties: Ties,
        *,
        control: str = "",
        practice_label: str = "",
    ) -> None:
        """Prepare; nothing is started before `run`. `control` is the practice venue's socket."""
        self._settings = settings
        self._directory = directory
        self._ties = ties
        self._latch = ties.latch
        self._offer = ties.offer
        self._clock = ties.clock
        self._control = control
        self._label = practice_label
        self._venue = venue
        self.client = VenueClient(venue, clock=ties.clock)
        self.signer: SignerClient | None = None
        self.sentinel: SentinelClient | None = None
        self.port: Port | None = None
        self._parts: Parts | None = None
        self._tokens: dict[str, None] = {}
        self._retiring: set[asyncio.Task[None]] = set()
        self._signer_gone = asyncio.Event()
        self._unlocked = asyncio.Event()
        self.why = "starting"
        """Why the account is not up; empty while it is."""

    @property
    def is_practice(self) -> bool:
        """Tell whether the money is practice money."""
        return bool(self._control)

    # --- coming up -------------------------------------------------------------------------------

    async def run(self) -> None:
        """Come up, follow the user stream, come up again when the signer is lost."""
        while True:
            try:
                await self._come_up()
            except OperatorError as error:
                self._fail(str(error))
            if self.port is not None:
                await self._stay_up()
            await sleep_until(read_mono_ns() + RETRY_NS)

    async def _come_up(self) -> None:
        begin = Begin(
            signer=self._settings.signer,
            venue=self._venue,
            latch=str(self._latch.path),
            practice_label=self._label,
            tokens=tuple(self._tokens),
        )
        self._signer_gone.clear()
        self._unlocked.clear()
        signer, failure = await asyncio.gather(
            SignerClient.start(begin, self._on_signer_gone), self.client.measure_clock()
        )
        self.signer = signer
        if self.signer.hello.ok and self.signer.hello.locked:
            self._fail(LOCKED)
            await self._unlocked.wait()
        if self.signer.gone:
            raise OperatorError(self.signer.gone)
        hello = self.signer.hello
        if not hello.ok or hello.identity is None:
            raise OperatorError(f"the signer will not sign: {hello.why}")
        self._tell_tokens(begin.tokens)
        if failure is not None:
            raise OperatorError(f"the venue's clock cannot be read: {failure.why}")
        found = await self.client.log_in(address=hello.identity.owner, signer=self.signer)
        if isinstance(found, Failed):
            raise OperatorError(f"no API key: {found.why}")
        found.hand_to(self._ties.hide)
        self._open_port(hello.identity)
        self._start_sentinel()

    async def unlock(self, passphrase: str) -> str:
        """Open the signer's keystore; say why not, or nothing. The passphrase goes nowhere else."""
        if self.signer is None or not self.signer.hello.locked:
            return "no keystore waits for a passphrase"
        answer = await self.signer.unlock(passphrase)
        if not answer.ok:
            return answer.why
        self._unlocked.set()
        return ""

    def _tell_tokens(self, told: Iterable[str]) -> None:
        """Tell the signer how the tokens differ from what it was told."""
        before = dict.fromkeys(told)
        fresh = [token for token in self._tokens if token not in before]
        gone = [token for token in before if token not in self._tokens]
        if fresh and self.signer is not None:
            self.signer.allow(fresh)
        if gone and self.signer is not None:
            self.signer.deny(gone)

    def _open_port(self, identity: Identity) -> None:
        assert self.signer is not None, "expected a signer before a port"
        mover = PracticeMover(self._control, identity.maker) if self._control else None
        self._parts = Parts(
            realm=Realm.LIVE,
            identity=identity,
            client=self.client,
            emit=self._offer,
            journal=self._ties.journal,
            signer=self.signer,
            gate=lambda cid: self._ties.gate(Realm.LIVE, cid),
            latch_clear=self._latch.is_clear,
            budgets=Budgets(reserve_min=self._settings.run.limits.cancel_reserve),
            on_bug=self._ties.on_bug,
            mover=mover,
        )
        self.port = DryRunPort(self._parts)
        self.why = ""
        self._offer(self.port.ready(is_practice=self.is_practice, can_send=True))
        self.port.check_standing()

    def _start_sentinel(self) -> None:
        key = self.client.credentials
        if not self._settings.sentinel.enabled or self.sentinel is not None or key is None:
            return
        self.sentinel = SentinelClient.start(
            clob=self._venue.clob,
            key=key,
            latch=self._latch.path,
            directory=self._directory,
            silent_ms=self._settings.sentinel.silent_ms,
            on_word=self._on_sentinel,
        )
        asyncio.get_running_loop().add_reader(self.sentinel.fileno(), self.sentinel.hear)

    def _on_sentinel(self, row: dict[str, Any]) -> None:
        """Tell the engine what the sentinel did; that it watches is no news."""
        said = read_word(row)
        if said is not None:
            self._offer(said)

    async def _stay_up(self) -> None:
        """Follow the user stream until the signer is lost."""
        stream = UserSocket(
            self._venue.user_ws,
            realm=Realm.LIVE,
            credentials=lambda: self.client.credentials,
            next_conn=self._ties.next_conn,
            emit=self._offer,
            seed=self._settings.run.seed,
        )
        listening = asyncio.create_task(stream.run())
        try:
            await self._signer_gone.wait()
        finally:
            listening.cancel()
            await asyncio.gather(listening, return_exceptions=True)
        await self._close_port()

    def _on_signer_gone(self, why: str) -> None:
        self._fail(why)
        self._signer_gone.set()
        self._unlocked.set()

    def _fail(self, why: str) -> None:
        if why != self.why:
            self.why = why
            self._offer(AccountGone(realm=Realm.LIVE, why=why[:200]))

    # --- the mode --------------------------------------------------------------------------------

    def follow(self, mode: Mode, armed_until_ns: int) -> None:
        """Have the port that the mode allows; called after every turn."""
        if self.port is None or self._parts is None:
            return
        is_live = isinstance(self.port, LivePort)
        if mode is Mode.LIVE_ARMED and not is_live:
            token = arm(mode=mode, now_ns=self._clock(), until_ns=armed_until_ns)
            self._swap(LivePort(self._parts, token))
        elif mode is not Mode.LIVE_ARMED and is_live:
            self._swap(DryRunPort(self._parts))

    def _swap(self, port: Port) -> None:
        """Change ports; what the old one has under way ends there, and is answered."""
        old, self.port = self.port, port
        if old is not None:
            port.exits = old.exits
            if isinstance(old, LivePort):
                old.disarm()
            task = asyncio.get_running_loop().create_task(_retire(old))
            self._retiring.add(task)
            task.add_done_callback(self._retiring.discard)

    # --- what the engine wants -------------------------------------------------------------------

    def execute(self, command: PortCommand) -> bool:
        """Carry out a command; False when there is no port."""
        if self.port is None:
            return False
        self.port.execute(command)
        return True

    def allow(self, tokens: Iterable[str]) -> None:
        """Let the signer sign for these tokens, and for no others any more."""
        before, self._tokens = self._tokens, dict.fromkeys(filter(None, tokens))
        self._tell_tokens(before)

    def latched(self, *, killed: bool) -> None:
        """Tell the signer, and the sentinel when it must act."""
        if self.signer is not None:
            self.signer.latch(killed=killed)

    def exits(self, *, allowed: bool) -> None:
        """Let a flatten's sells through a closed latch, or no longer."""
        if self.port is not None and self.port.exits is not allowed:
            self.port.exits = allowed
            if self.signer is not None and self._latch.is_killed:
                self.signer.latch(killed=True, exits=allowed)

    def beat(self, *, healthy: bool) -> None:
        """Tell the sentinel that the decision loop took a turn."""
        if self.sentinel is not None:
            self.sentinel.beat(healthy=healthy)

    @property
    def sentinel_ns(self) -> int:
        """When the sentinel last answered, engine time; 0: never."""
        if self.sentinel is None or not self.sentinel.answered_ns:
            return 0
        return self._clock() - (read_mono_ns() - self.sentinel.answered_ns)

    # --- the end ---------------------------------------------------------------------------------

    async def _close_port(self) -> None:
        port, self.port = self.port, None
        if port is not None:
            await port.close()

    async def close(self, *, is_clean: bool) -> None:
        """Hang up; the sentinel is let go only when nothing was left open."""
        await self._close_port()
        if self.sentinel is not None:
            with suppress(ValueError, OSError):
                asyncio.get_running_loop().remove_reader(self.sentinel.fileno())
            if is_clean:
                self.sentinel.farewell()
            else:
                self.sentinel.abandon()
        if self.signer is not None:
            await self.signer.close()
        self.client.close()


async def _retire(port: Port) -> None:
    """Let a port finish what it has begun, then close it."""
    await port.settled()
    await port.close()


def practice_venue(config: VenueConfig, urls: dict[str, str]) -> VenueConfig:
    """Point the adapter at a practice venue."""
    return replace(
        config,
        kind="practice",
        clob=urls["clob"],
        market_ws=urls["market_ws"],
        user_ws=urls["user_ws"],
        gamma=urls["gamma"],
        data=urls["data"],
        geoblock=urls["site"] + "/api/geoblock",
    )
