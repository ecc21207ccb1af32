"""One desk for everything between the engine and the money: it starts, feeds, executes and ends it.

The kill's way in is the shortest there is: `kill_now` closes the latch in memory before the
directive is even an event, so that the gate at the wire refuses from that instant on, whatever the
loop, the disk or the engine are busy with.
"""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from msgspec.structs import replace

import polytui
from polytui.engine.core.account_events import AccountRestored, HostState
from polytui.engine.core.commands import (
    PORT_COMMANDS,
    RECORDS,
    Command,
    Notify,
    PlaceOrders,
    PortCommand,
    RecordControl,
    RecordDecision,
    SetLatch,
)
from polytui.engine.core.events import Event, Stamped
from polytui.engine.core.ids import ConnId
from polytui.engine.core.order_enums import Realm, SendOutcome
from polytui.engine.core.runconfig import Settings, VenueConfig
from polytui.engine.core.trading import HostFacts, Refusal
from polytui.engine.machine import Engine
from polytui.engine.shell.accounts.host import Host, config_hash
from polytui.engine.shell.accounts.paper import PaperAccount, paper_identity
from polytui.engine.shell.accounts.ties import Ties
from polytui.engine.shell.clock import SECOND_NS, read_mono_ns, sleep_until
from polytui.engine.shell.latch import LATCH_FILE, KillLatch
from polytui.engine.shell.polymarket.port_fallback import fallback, not_sent
from polytui.engine.shell.store.recorder import Recorder
from polytui.engine.shell.store.restore import restore_account, restore_controls, written_by
from polytui.engine.shell.store.store import Store

if TYPE_CHECKING:
    from polytui.engine.shell.accounts.live import LiveAccount

HOST_NS: Final = SECOND_NS
OPENING_NS: Final = SECOND_NS // 500


@dataclass(frozen=True, slots=True, kw_only=True)
class Process:
    """What the desk needs of the process it lives in."""

    offer: Callable[[Event], None]
    next_conn: Callable[[], ConnId]
    clock: Callable[[], int]
    """Engine time."""
    lag_ns: Callable[[], int]
    """How late the loop is now."""
    on_bug: Callable[[BaseException], None]
    note: Callable[[str, str], None]
    """Keeps what the engine wants told: a code and a sentence."""
    hide: Callable[..., None]
    """Takes texts that the log must never hold."""
    troubles: Callable[[], tuple[tuple[str, str], ...]]
    """What ails beside trading, with the codes of its alerts."""


class AccountDesk:
    """Store, latch, accounts and host of one engine."""

    def __init__(
        self, settings: Settings, directory: Path, *, engine: Engine, run: str, process: Process
    ) -> None:
        """Prepare; nothing is opened before `open`.

        Raises:
            OperatorError: the latch or the store cannot have its place.
        """
        self._settings = settings
        self._directory = directory
        self._engine = engine
        self._offer = process.offer
        self._process = process
        self._clock = process.clock
        self.latch = KillLatch(directory / LATCH_FILE)
        self.store = Store(settings.store, run=run)
        self.recorder = Recorder(
            self.store,
            engine,
            settings.store,
            run=run,
            config_hash=config_hash(settings),
            capture=settings.capture.directory,
        )
        self.live: LiveAccount | None = None
        self.paper: PaperAccount | None = None
        self._opening: asyncio.Task[None] | None = None
        """Waits for the disk to have what opened the latch."""
        self.upgraded = ""
        """What another version left in the store, in a sentence; empty: none wrote it."""
        self._listed = (0, 0)
        """Markets ever listed and listed now, when the signer was last told of tokens."""
        self.host = Host(
            settings,
            directory,
            run=run,
            latch=self.latch,
            store=self.store,
            lag_ns=process.lag_ns,
            sentinel_ns=lambda: self.live.sentinel_ns if self.live is not None else 0,
            at_ns=process.clock,
        )

    # --- opening ---------------------------------------------------------------------------------

    async def open(self) -> None:
        """Open the store and tell the engine what the last run knew.

        Raises:
            OperatorError: the store cannot be used.
        """
        await self.store.open()
        if self.store.damage:
            self._process.note("STORE", f"both accounts are halted: {self.store.damage}"[:200])
        self.host.look()
        controls = await restore_controls(self.store.database)
        self.recorder.restored(controls.rows)
        self._offer(controls)
        self._offer(HostState(facts=self.host.facts()))
        now_ns = self._clock()
        for realm in Realm:
            restored = await restore_account(self.store.database, realm, now_ns=now_ns)
            self._offer(restored)
            if realm is Realm.LIVE:
                await self._note_upgrade(restored)
            if realm is Realm.PAPER:
                venue = self._settings.venue
                identity = paper_identity(
                    venue.chain_id, venue.exchange, venue.neg_risk_exchange, venue.exchange_v3
                )
                self.paper = PaperAccount(
                    self._settings.paper,
                    identity=identity,
                    desk=lambda: self._engine.desk,
                    gate=self._gate,
                    offer=self._offer,
                    clock=self._clock,
                    seed=self._settings.run.seed,
                )
                self.paper.begin(restored)

    async def _note_upgrade(self, restored: AccountRestored) -> None:
        """Say it when another version wrote the store: what it left open is proven before all."""
        before = await written_by(self.store.database)
        if before in ("", polytui.__version__):
            return
        left = sum(not order.state.is_terminal for order in restored.orders)
        self.upgraded = (
            f"the store was written by polytui {before}, this is {polytui.__version__}: "
            f"{left} orders of it may be open, none is sent before the venue has told"
        )
        self._process.note("UPGRADE", self.upgraded)

    def open_live(self, venue: VenueConfig, *, control: str = "", practice_label: str = "") -> None:
        """Prepare the LIVE account at a venue; `run` brings it up.

        What it needs (HTTP, TLS) is heavy, so that it is loaded after the engine answers.
        """
        from polytui.engine.shell.accounts.live import LiveAccount

        self.live = LiveAccount(
            self._settings,
            venue,
            self._directory,
            Ties(
                latch=self.latch,
                journal=self._journal,
                gate=self._gate,
                offer=self._offer,
                next_conn=self._process.next_conn,
                clock=self._clock,
                on_bug=self._process.on_bug,
                hide=self._process.hide,
            ),
            control=control,
            practice_label=practice_label,
        )

    async def run_live(self) -> None:
        """Keep the LIVE account up, until cancelled; without one, wait."""
        if self.live is None:
            await asyncio.Event().wait()
        else:
            await self.live.run()

    async def run_host(self) -> None:
        """Tell the engine about its host every second, and at once when a flag flips."""
        due_ns = read_mono_ns()
        while True:
            await sleep_until(due_ns)
            due_ns = read_mono_ns() + HOST_NS
            self.host.look()
            self._tell_host()

    def _tell_host(self) -> None:
        if not self.latch.is_opening:
            facts = replace(self.host.facts(), troubles=self._process.troubles())
            self._offer(HostState(facts=facts))

    # --- the gate --------------------------------------------------------------------------------

    def _gate(self, realm: Realm, cid: str) -> Refusal | None:
        """Ask the engine's gate about one order, with the host as it is at this instant."""
        return self._engine.gate(realm, cid, self.host.facts(), self._clock())

    async def _journal(self, cids: Sequence[str]) -> bool:
        """Wait until everything recorded so far is durable: these orders' records are among it."""
        del cids
        return await self.store.flushed()

    # --- commands --------------------------------------------------------------------------------

    def executors(self) -> Mapping[type[Command], Callable[[Any], None]]:
        """Say who carries out what."""
        return {
            **dict.fromkeys(RECORDS, self._keep),
            RecordDecision: self.recorder.decision,
            **dict.fromkeys(PORT_COMMANDS, self._execute),
            SetLatch: self._set_latch,
            Notify: self._notify,
        }

    def _keep(self, command: Command) -> None:
        at_ns = self._clock()
        self.store.keep(command, at_ns=at_ns)
        if isinstance(command, RecordControl):
            self.recorder.control(command, at_ns=at_ns)

    def _execute(self, command: PortCommand) -> None:
        if command.realm is Realm.PAPER and self.paper is not None:
            self.paper.execute(command)
        elif not (self.live is not None and self.live.execute(command)):
            self._give_up(command)

    def _give_up(self, command: PortCommand) -> None:
        """Answer a command that nobody can carry out: every command is answered."""
        why = "no execution port"
        if isinstance(command, PlaceOrders):
            for terms in command.orders:
                self._offer(not_sent(command.realm, terms, why))
            return
        outcome = SendOutcome.NOT_SENT
        for event in fallback(command, why, outcome=outcome, at_ns=self._clock()):
            self._offer(event)

    def _set_latch(self, command: SetLatch) -> None:
        if command.killed:
            self.latch.trigger(command.reason)
        else:
            self.latch.clear(command.reason)
        if self.live is not None:
            self.live.latched(killed=command.killed)
        if self.latch.is_opening:
            self._opening = asyncio.get_running_loop().create_task(self._tell_when_open())
        else:
            self._tell_host()

    async def _tell_when_open(self) -> None:
        """Tell the host's facts once the disk has followed: before, the latch seems closed."""
        while self.latch.is_opening:
            await sleep_until(read_mono_ns() + OPENING_NS)
        self._tell_host()

    def _notify(self, command: Notify) -> None:
        self._process.note(command.code, command.text)

    def kill_now(self, reason: str) -> None:
        """Close the gate this instant; the engine's own kill follows as an event."""
        self.latch.trigger(reason)
        if self.live is not None:
            self.live.latched(killed=True)

    # --- turns -----------------------------------------------------------------------------------

    def on_turn(self, events: Sequence[Stamped]) -> None:
        """Follow the engine after a turn: ports by mode, tokens, paper, liveness."""
        self.recorder.on_turn(events)
        room = self._engine.trading.room
        if self.paper is not None:
            self.paper.on_events(events)
            self.paper.advance()
        if self.live is not None:
            self.live.follow(room.mode, room.modes.armed_until_ns)
            self._allow_listed()
            account = self._engine.trading.accounts[Realm.LIVE]
            self.live.exits(allowed=account.flatten.is_exiting)
            self.live.beat(healthy=self._is_healthy())

    def _allow_listed(self) -> None:
        """Let the signer sign for the tokens of the markets that are listed, and of no others."""
        catalog = self._engine.desk.catalog
        listed = catalog.entered, len(catalog.specs)
        if self.live is not None and listed != self._listed:
            self._listed = listed
            self.live.allow(token for spec in catalog.specs.values() for token in spec.tokens)

    def _is_healthy(self) -> bool:
        facts: HostFacts = self._engine.trading.room.host
        return facts.journal_ok and facts.lock_held

    def next_due_ns(self) -> int | None:
        """Return when paper wants a turn, engine time."""
        return None if self.paper is None else self.paper.next_due_ns()

    # --- the end ---------------------------------------------------------------------------------

    @property
    def open_orders(self) -> list[str]:
        """Name the LIVE orders that the venue may still hold, those on their way included."""
        orders = self._engine.trading.accounts[Realm.LIVE].orders
        maybe = {order.order_hash: order for order in (*orders.open(), *orders.in_flight())}
        return [name for name, order in maybe.items() if not order.external]

    @property
    def is_drained(self) -> bool:
        """Tell whether nothing of ours is open, by the venue's word; or nobody is there to ask."""
        account = self._engine.trading.accounts[Realm.LIVE]
        is_proven = not self.open_orders and not account.cancels.working()
        return is_proven or not account.is_open

    async def close(self) -> None:
        """Hang up, write what waits, let go of the latch."""
        if self.live is not None:
            await self.live.close(is_clean=not self.open_orders)
        self.recorder.finish()
        if self._opening is not None:
            self._opening.cancel()
        await self.store.close()
        self.latch.close()
