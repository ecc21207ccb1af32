"""An engine, a venue and an account in one deterministic world: no sockets, no clock, any seed.

What the shell does in real time this does in virtual time: it stamps what arrives, steps the
engine, keeps its records, carries its commands out, and can kill it between any two steps and
start another on what was durable. The invariants of an order path are checked here, event by event.
"""

from collections import deque
from collections.abc import Callable, Iterable
from typing import Final

from polytui.engine.account.directives import Reply
from polytui.engine.core.account_events import (
    AccountReady,
    AccountRestored,
    ControlRestored,
    HostState,
    VenueChecked,
)
from polytui.engine.core.commands import (
    RECORDS,
    Command,
    Follow,
    Notify,
    PortCommand,
    ReadWitness,
    Reconnect,
    RecordBundle,
    RecordControl,
    RecordEntry,
    RecordOrder,
    RecordTotals,
    RecordTrade,
    Resync,
    SetLatch,
    Unfollow,
)
from polytui.engine.core.enums import Feed, Mode
from polytui.engine.core.events import (
    BookFrame,
    BookWitness,
    ConnClosed,
    ConnOpened,
    Directive,
    Event,
    MarketListed,
    MarketResolved,
    RunStarted,
    Stamped,
    Subscribed,
    Turn,
)
from polytui.engine.core.ids import ConnId
from polytui.engine.core.order_enums import Realm
from polytui.engine.core.runconfig import PracticeConfig, RunConfig
from polytui.engine.core.trading import (
    AccountTotals,
    BundleRecord,
    HostFacts,
    Identity,
    OrderRecord,
    PositionRecord,
    Refusal,
    TradeRecord,
)
from polytui.engine.core.units import U
from polytui.engine.machine import Engine, Roster
from polytui.engine.sim.account_wire import AccountWire, Fences, Times
from polytui.engine.sim.deliveries import Delivery, DeliveryKind
from polytui.engine.sim.exchange.emissions import Emission
from polytui.engine.sim.exchange.terms import Resolution
from polytui.engine.sim.practice_exchange import PracticeExchange
from polytui.engine.sim.scenario import Script
from polytui.engine.wire import chainlink, coinbase, polymarket

SECOND_NS: Final = 1_000_000_000
HOST_NS: Final = SECOND_NS
LIST_NS: Final = 300 * SECOND_NS
"""Gamma is read this often (execution reference §2)."""
DURABLE_NS: Final = 200_000
"""From writing a record to its being durable: the least of the wire's journal times."""
START_NS: Final = 1_795_000_000 * SECOND_NS
ACCOUNT: Final = "0x" + "a1" * 20
OWNER: Final = "rehearsal-key"
IDENTITY: Final = Identity(
    maker=ACCOUNT,
    signer=ACCOUNT,
    owner=ACCOUNT,
    signature_type=0,
    chain_id=137,
    exchange="0xe111180000d2663c0091e4f400237545b87b996b",
    neg_risk_exchange="0xe2222d279d744050d28e00520010520000310f59",
    exchange_v3="0xe3333700ca9d93003f00f0f71f8515005f6c00aa",
)
_DECODERS: Final = {
    Feed.POLYMARKET: polymarket.decode,
    Feed.COINBASE: coinbase.decode,
    Feed.CHAINLINK: chainlink.decode,
}


class Killed(Exception):
    """The engine is killed here: nothing after this instruction happens."""


class Kept:
    """What was durable: the latest record of each subject, as the store would tell it."""

    def __init__(self) -> None:
        """Start with nothing."""
        self.orders: dict[str, OrderRecord] = {}
        self.trades: dict[tuple[str, str], TradeRecord] = {}
        self.bundles: dict[str, BundleRecord] = {}
        self.positions: dict[tuple[str, str], PositionRecord] = {}
        self.totals: AccountTotals | None = None
        self.controls: dict[str, str] = {}
        self.entries = 0
        self._queue: deque[tuple[int, list[Command]]] = deque()
        """Written, and durable at a time: a crash before it loses them."""

    def write(self, commands: list[Command], due_ns: int) -> None:
        """Hand the records of a batch to the store, all of them or none."""
        records = [command for command in commands if isinstance(command, RECORDS)]
        if records:
            self._queue.append((due_ns, records))

    def settle(self, now_ns: int) -> None:
        """Let what is due become durable."""
        while self._queue and self._queue[0][0] <= now_ns:
            for command in self._queue.popleft()[1]:
                self.keep(command)

    def lose(self, now_ns: int) -> None:
        """Lose what was not durable when the engine died."""
        self.settle(now_ns)
        self._queue.clear()

    def keep(self, command: Command) -> None:
        """Take a record."""
        match command:
            case RecordOrder():
                self.orders[command.order.cid] = command.order
            case RecordTrade():
                trade = command.trade
                self.trades[trade.trade_id, trade.order_hash] = trade
            case RecordBundle():
                self.bundles[command.bundle.bundle] = command.bundle
            case RecordEntry():
                self.entries += 1
                for row in command.positions:
                    self.positions[row.strategy, row.token] = row
            case RecordTotals():
                self.totals = command.totals
            case RecordControl():
                self.controls[command.key] = command.value
            case _:
                pass

    def account(self) -> AccountRestored:
        """Tell what a restart is told."""
        return AccountRestored(
            realm=Realm.LIVE,
            orders=tuple(self.orders.values()),
            trades=tuple(self.trades.values()),
            bundles=tuple(self.bundles.values()),
            positions=tuple(self.positions.values()),
            totals=self.totals,
            last_trade_s=max((t.first_ns // SECOND_NS for t in self.trades.values()), default=0),
        )


class Rehearsal:
    """One world with one engine at a time."""

    def __init__(
        self,
        *,
        seed: int,
        config: RunConfig,
        practice: PracticeConfig | None = None,
        script: Script | None = None,
        cash_u6: int = 10_000 * U,
        times: Times = Times(),  # noqa: B008  a frozen value
        strategies: Roster | None = None,
    ) -> None:
        """Open the venue, fund the account, start the first engine."""
        self._strategies = strategies
        self.config = config
        self.seed = seed
        self.feed = PracticeExchange(seed, practice or PracticeConfig(), START_NS, script=script)
        self.exchange = self.feed.world.exchange
        self.exchange.open_account(ACCOUNT)
        self.exchange.deposit(ACCOUNT, cash_u6)
        self._times = times
        self.feed.heard = self._hear
        self.kept = Kept()
        self.commands: list[Command] = []
        """Every command of the present engine."""
        self.events: list[Stamped] = []
        """Every event of the present engine: its log."""
        self.checks: list[Callable[[Rehearsal, Stamped], None]] = []
        """Called after every event: each raises when an invariant is broken."""
        self.before: Callable[[Rehearsal, Event], None] | None = None
        """Called before every event is taken."""
        self.fuse = -1
        """Instructions until the engine is killed; -1: it lives."""
        self._ghosts: list[AccountWire] = []
        self._gone: set[str] = set()
        """Markets that the engine lets go: they are listed no more."""
        """Links of dead engines: what they sent still arrives."""
        self._list_due_ns = START_NS + LIST_NS
        self.stale_sent = 0
        """Of the engines that are dead."""
        self.lag_ns = 0
        self.journal_ok = True
        self.latch_clear = True
        self.alerts: list[tuple[int, Notify]] = []
        """What the operator was told, of all engines."""
        self.boots = 0
        self._answers: list[Event] = []
        self._conns: dict[int, ConnId] = {}
        self._last_conn = 0
        self.now_ns = START_NS
        self.engine = Engine(strategies)
        self._begin()

    # --- the engine's life -----------------------------------------------------------------------

    def _begin(self) -> None:
        self.boots += 1
        self.fuse = -1
        self.engine = Engine(self._strategies)
        self.commands, self.events = [], []
        self._host_due_ns = self.now_ns
        self.wire = AccountWire(
            self.exchange,
            account=ACCOUNT,
            owner=OWNER,
            seed=self.seed + self.boots,
            fences=Fences(
                gate=self._gate,
                is_armed=lambda: self.engine.trading.room.mode is Mode.LIVE_ARMED,
                is_durable=lambda: self.journal_ok,
            ),
            switches=lambda: self.feed.switches,
            times=self._times,
        )
        run = f"r{self.seed}-{self.boots}"
        self.wire.open_user_stream(self.now_ns)
        events = [
            RunStarted(run=run, version="0", config=self.config),
            ControlRestored(rows=tuple(self.kept.controls.items())),
            self._host_state(),
            self.kept.account(),
            AccountReady(realm=Realm.LIVE, identity=IDENTITY, port="practice", is_practice=True),
            *(MarketListed(spec=spec) for spec in self.feed.specs()),
            VenueChecked(realm=Realm.LIVE, ok=True, version=2, country="FI"),
            *self.wire.advance(self.now_ns),
        ]
        self._step_all(events)
        for slot in tuple(self._conns):
            del self._conns[slot]
            self.feed.reconnect(slot, self.now_ns)

    def crash(self) -> None:
        """Kill the engine here and start another on what was durable."""
        self.wire.is_cut = True
        self._ghosts.append(self.wire)
        self.stale_sent += self.engine.trading.room.governor.stale_sent
        self.kept.lose(self.now_ns)
        self._begin()

    def _burn(self) -> None:
        """Let one instruction pass.

        Raises:
            Killed: it was the last one.
        """
        if self.fuse >= 0:
            self.fuse -= 1
            if self.fuse < 0:
                raise Killed

    # --- time ------------------------------------------------------------------------------------

    def run_for(self, seconds: float) -> None:
        """Let time pass."""
        self.run_until(self.now_ns + int(seconds * SECOND_NS))

    def run_until(self, until_ns: int) -> None:
        """Let time pass up to a moment."""
        while (due_ns := self._next_due_ns()) <= until_ns:
            self.now_ns = max(self.now_ns, due_ns)
            self._happen()
        self.now_ns = until_ns

    def _next_due_ns(self) -> int:
        dues = (
            self.feed.next_due_ns(),
            self.wire.next_due_ns(),
            self.engine.next_due_ns(),
            self._host_due_ns,
            self._list_due_ns,
            *(ghost.next_due_ns() for ghost in self._ghosts),
        )
        return min(due for due in dues if due is not None)

    def _happen(self) -> None:
        """Take everything that arrives at this instant, then a turn; or be killed in it."""
        self.kept.settle(self.now_ns)
        events: list[Event] = []
        self._deliver(self.feed.advance(self.now_ns), events)
        for ghost in self._ghosts:
            ghost.advance(self.now_ns)
        events += self.wire.advance(self.now_ns)
        self._deliver(self.feed.advance(self.now_ns), events)
        if self.now_ns >= self._host_due_ns:
            self._host_due_ns = self.now_ns + HOST_NS
            events.append(self._host_state())
        if self.now_ns >= self._list_due_ns:
            self._list_due_ns = self.now_ns + LIST_NS
            specs = (spec for spec in self.feed.specs() if spec.market not in self._gone)
            events += [MarketListed(spec=spec) for spec in specs]
            events += self._over()
        answers, self._answers = self._answers, []
        self.take([*answers, *events])

    def _over(self) -> list[Event]:
        """Tell of markets that ended while nobody listened, as Gamma does."""
        found: list[Event] = []
        for tracked in self.engine.desk.markets.values():
            spec = tracked.spec
            if not tracked.resolved and (ended := self.exchange.resolution(spec.market)):
                ix = {Resolution.YES: 0, Resolution.NO: 1}.get(ended)
                found.append(
                    MarketResolved(
                        conn=ConnId(0),
                        market=spec.market,
                        winning_token="" if ix is None else spec.tokens[ix],
                        winning_outcome="" if ix is None else spec.outcomes[ix],
                        venue_ms=self.now_ns // 1_000_000,
                    )
                )
        return found

    def take(self, events: Iterable[Event]) -> None:
        """Let the engine take events now; it may be killed in the middle."""
        try:
            self._step_all(events)
        except Killed:
            self.crash()

    def _hear(self, emissions: list[Emission], at_ns: int) -> None:
        self.wire.hear(emissions, at_ns)

    def ask(self, action: str, *args: str) -> Reply:
        """Give a directive and return what it came to."""
        name = f"ask-{self.boots}-{self.engine.seq + 1}"
        self.take([Directive(id=name, action=action, args=args, actor="rehearsal")])
        reply = self.engine.directives.get(name)
        return Reply(ok=False, text="killed") if reply is None else reply

    # --- steps -----------------------------------------------------------------------------------

    def _step_all(self, events: Iterable[Event]) -> None:
        """Step a batch and the turn that ends it, then carry its commands out."""
        commands: list[Command] = []
        for event in [*events, Turn()]:
            commands += self._step(event)
        self._burn()
        self.kept.write(commands, self.now_ns + DURABLE_NS)
        for command in commands:
            self._burn()
            self._carry_out(command)

    def _step(self, event: Event) -> list[Command]:
        if self.before is not None:
            self.before(self, event)
        stamped = Stamped(self.engine.seq + 1, self.now_ns, event)
        commands = self.engine.step(stamped)
        self.events.append(stamped)
        self.commands += commands
        for check in self.checks:
            check(self, stamped)
        return commands

    def _carry_out(self, command: Command) -> None:
        match command:
            case PortCommand(realm=Realm.LIVE):
                self.wire.carry_out(command, self.now_ns)
            case SetLatch():
                self.latch_clear = not command.killed
            case Resync():
                self.feed.resubscribe(command.market, self.now_ns)
            case Reconnect():
                for slot, conn in self._conns.items():
                    if conn == command.conn:
                        self.feed.reconnect(slot, self.now_ns)
            case Follow() | Unfollow():
                self._relist(command)
            case ReadWitness():
                self._witness(command)
            case Notify():
                self.alerts.append((self.now_ns, command))
            case _:
                pass

    def _relist(self, command: Follow | Unfollow) -> None:
        if isinstance(command, Unfollow):
            self._gone.add(command.market)
        elif spec := self.feed.spec(command.market):
            self._answers.append(MarketListed(spec=spec))

    def _witness(self, command: ReadWitness) -> None:
        data = self.feed.witness(command.market, command.token)
        for event in polymarket.decode_witness(ConnId(0), data) if data is not None else []:
            self._answers.append(BookWitness(book=event) if isinstance(event, BookFrame) else event)

    def _gate(self, cid: str, at_ns: int) -> Refusal | None:
        return self.engine.gate(Realm.LIVE, cid, self.host(), at_ns)

    def host(self) -> HostFacts:
        """Measure the host."""
        return HostFacts(
            latch_clear=self.latch_clear,
            lock_held=True,
            config_hash="",
            journal_ok=self.journal_ok,
            journal_fill=0.0,
            loop_lag_ns=self.lag_ns,
            disk_free_bytes=1 << 40,
            kill_test_ns=1_000_000,
            kill_tested_ns=self.now_ns,
        )

    def _host_state(self) -> HostState:
        return HostState(facts=self.host())

    # --- market data -----------------------------------------------------------------------------

    def _deliver(self, deliveries: list[Delivery], events: list[Event]) -> None:
        for delivery in deliveries:
            slot, feed = delivery.conn_slot, delivery.feed
            if delivery.kind is DeliveryKind.LISTED:
                assert delivery.spec is not None, "expected a listing to carry its market"
                events.append(MarketListed(spec=delivery.spec))
            elif delivery.kind is DeliveryKind.OPENED:
                self._last_conn += 1
                conn = self._conns[slot] = ConnId(self._last_conn)
                events.append(ConnOpened(conn=conn, feed=feed, url="rehearsal"))
            elif slot in self._conns:
                self._deliver_on(delivery, self._conns[slot], events)

    def _deliver_on(self, delivery: Delivery, conn: ConnId, events: list[Event]) -> None:
        feed = delivery.feed
        if delivery.kind is DeliveryKind.SUBSCRIBED:
            events.append(Subscribed(conn=conn, feed=feed, topics=delivery.topics))
        elif delivery.kind is DeliveryKind.FRAME:
            events += _DECODERS[feed](conn, delivery.data)
        else:
            del self._conns[delivery.conn_slot]
            events.append(ConnClosed(conn=conn, feed=feed, why="the venue closed it"))
