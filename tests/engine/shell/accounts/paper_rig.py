"""An engine, live-looking books and the PAPER account in one deterministic world, in virtual time.

The books are the practice exchange's feed; the account is the one that the shell opens. Nothing is
faked between the engine's commands and the paper venue's answers.
"""

from msgspec.structs import replace

from polytui.engine.account.account import Account
from polytui.engine.core.account_events import ControlRestored
from polytui.engine.core.commands import Command, PortCommand
from polytui.engine.core.enums import Mode, Outcome, Side
from polytui.engine.core.events import Event, MarketListed, RunStarted
from polytui.engine.core.order_enums import OrderType, Purpose, Realm
from polytui.engine.core.rng import Rng
from polytui.engine.core.runconfig import LimitsConfig, PaperConfig, PracticeConfig, RunConfig
from polytui.engine.core.trading import CASH, Draft, HostFacts, Refusal
from polytui.engine.core.units import U
from polytui.engine.decide.arbiter import Lock
from polytui.engine.machine import Engine
from polytui.engine.orders.lifecycle import Order
from polytui.engine.portfolio.ledger import CONFIRMED
from polytui.engine.shell.accounts.paper import PaperAccount, paper_identity
from polytui.engine.sim.rehearsal import IDENTITY, SECOND_NS, Rehearsal

LOOSE = LimitsConfig(
    orders_per_s=40,
    sends_max=10_000,
    rejects_max=1_000,
    market_u6=10**11,
    group_u6=10**11,
    strategy_u6=10**11,
    total_u6=10**11,
    order_cash_u6=10**10,
    order_qty_u6=10**10,
    depth_share=1.0,
    day_loss_u6=10**11,
    strategy_loss_u6=10**11,
    drawdown=1.0,
    failed_share=1.0,
    orders_per_fill=1_000,
    collar_u6=500_000,
    collar_ticks=100,
    end_min_s=0,
    rolling_end_min_s=0,
    book_age_ms=10_000,
    user_age_ms=10_000,
    witnessed_age_ms=60_000,
)


class PaperWorld(Rehearsal):
    """One world whose engine trades on paper."""

    def __init__(self, *, seed: int = 1, paper: PaperConfig | None = None) -> None:
        """Start everything; the account opens by itself within seconds."""
        self.paper_config = paper or PaperConfig()
        self.offered: list[Event] = []
        config = RunConfig(mode=Mode.PAPER, seed=seed, limits=LOOSE)
        practice = PracticeConfig(markets=3, faults=False, rate=25.0)
        super().__init__(seed=seed, config=config, practice=practice)

    # --- what the shell does ---------------------------------------------------------------------

    def _begin(self) -> None:
        self.boots += 1
        self.engine = Engine()
        self.commands = []
        self.offered = []
        self._host_due_ns = self.now_ns
        restored = replace(self.kept.account(), realm=Realm.PAPER)
        self._step(RunStarted(run=f"p{self.boots}", version="0", config=self.config))
        self._step(ControlRestored(rows=tuple(self.kept.controls.items())))
        self._step(self._host_state())
        self._step(restored)
        identity = paper_identity(
            137, IDENTITY.exchange, IDENTITY.neg_risk_exchange, IDENTITY.exchange_v3
        )
        self.paper = PaperAccount(
            self.paper_config,
            identity=identity,
            desk=lambda: self.engine.desk,
            gate=self._paper_gate,
            offer=self.offered.append,
            clock=lambda: self.now_ns,
            seed=self.seed,
        )
        self.paper.begin(restored)
        self._step_all([MarketListed(spec=spec) for spec in self.feed.specs()])
        for slot in tuple(self._conns):
            del self._conns[slot]
            self.feed.reconnect(slot, self.now_ns)

    def host(self) -> HostFacts:
        """Measure as the rehearsal does, with a configuration that has a name."""
        return replace(super().host(), config_hash="cafe0123")

    def crash(self) -> None:
        """Kill the engine between two steps and start another on what was durable."""
        self._begin()

    def _paper_gate(self, realm: Realm, cid: str) -> Refusal | None:
        return self.engine.gate(realm, cid, self.host(), self.now_ns)

    def _next_due_ns(self) -> int:
        dues = (
            self.feed.next_due_ns(),
            self.paper.next_due_ns(),
            self.engine.next_due_ns(),
            self._host_due_ns,
            self.now_ns if self.offered else None,
        )
        return min(due for due in dues if due is not None)

    def _happen(self) -> None:
        events, self.offered[:] = list(self.offered), []
        self._deliver(self.feed.advance(self.now_ns), events)
        if self.now_ns >= self._host_due_ns:
            self._host_due_ns = self.now_ns + SECOND_NS
            events.append(self._host_state())
        self._step_all(events)

    def _step_all(self, events: list[Event]) -> None:  # type: ignore[override]  # lists suffice here
        before = len(self.events)
        super()._step_all(events)
        self.kept.settle(self.now_ns + SECOND_NS)  # every record is durable at once
        self.paper.on_events(self.events[before:])
        self.paper.advance()

    def _carry_out(self, command: Command) -> None:
        if isinstance(command, PortCommand):
            if command.realm is Realm.PAPER:
                self.paper.execute(command)
            return
        super()._carry_out(command)

    def _hear(self, emissions: object, at_ns: int) -> None:
        """The practice account's own stream is of no interest here."""

    # --- what a test does ------------------------------------------------------------------------

    @property
    def account(self) -> Account:
        """The PAPER account of the engine."""
        return self.engine.trading.accounts[Realm.PAPER]

    def submit(
        self,
        market: str,
        side: Side,
        px_u6: int,
        qty_u6: int,
        kind: OrderType,
        *,
        outcome: Outcome = Outcome.YES,
        post_only: bool = False,
    ) -> Order | None:
        """Send an order by hand, through the gate like every other."""
        tracked = self.account.markets.tracked(market)
        assert tracked is not None
        token = tracked.spec.tokens[0 if outcome is Outcome.YES else 1]
        self.engine.arbiter.locks[market] = Lock("box", 1, self.now_ns + SECOND_NS)
        life_ns = 240 * SECOND_NS if kind is OrderType.GTD else 0
        draft = Draft(
            strategy="box",
            market=market,
            group=tracked.spec.group,
            token=token,
            outcome=outcome,
            side=side,
            px_u6=px_u6,
            qty_u6=qty_u6,
            order_type=kind,
            post_only=post_only,
            expires_ns=self.now_ns + life_ns if life_ns else 0,
            purpose=Purpose.OPEN,
            snapshot=self.engine.seq,
            epoch=tracked.quality.epoch,
        )
        stamp = {"at_ns": self.now_ns, "seq": self.engine.seq}
        order = self.account.submit(draft, **stamp)
        for command in self.account.settle(**stamp):
            self.commands.append(command)
            self.kept.keep(command)
            self._carry_out(command)
        self.paper.advance()
        return order

    def differences(self) -> dict[str, int]:
        """Compare our ledger's final balances with the paper purse, asset by asset."""
        portfolio = self.account.portfolio
        ours = {
            asset: amount_u6
            for account, asset, amount_u6 in portfolio.totals().rows
            if account == CONFIRMED
        }
        theirs = self.paper.venue.purse.balances
        return {
            asset: ours.get(asset, 0) - theirs.get(asset, 0)
            for asset in sorted({*ours, *theirs, CASH})
            if ours.get(asset, 0) != theirs.get(asset, 0)
        }


def settled(world: PaperWorld) -> bool:
    """Tell whether nothing is on its way."""
    purse = world.paper.venue.purse
    return not purse.owed and not purse.reserved and not world.account.trades.provisional()


def trade_for(world: PaperWorld, seconds: int, *, seed: int = 1) -> None:
    """Send orders of every kind, both ways, on both tokens; sell and merge what is held."""
    rng = Rng(seed)
    for _ in range(seconds * 2):
        world.run_for(0.5)
        markets = list(world.engine.desk.markets.values())
        tracked = markets[rng.below(len(markets))]
        outcome = Outcome.YES if rng.chance(0.5) else Outcome.NO
        book = tracked.book
        own, against = (book.yes, book.no) if outcome is Outcome.YES else (book.no, book.yes)
        if not own.px or not against.px:
            continue
        bid_u6, ask_u6 = own.px[-1], U - against.px[-1]
        token = tracked.spec.tokens[0 if outcome is Outcome.YES else 1]
        held_u6 = world.account.portfolio.sell_capacity_u6(
            token, world.account.orders.reserved_qty_u6(token)
        )
        held_u6 -= held_u6 % 10_000
        market, kind = tracked.spec.market, rng.below(4)
        qty_u6 = (20 + rng.below(60)) * U
        if held_u6 > 5 * U and kind < 2:
            px_u6 = bid_u6 if kind else ask_u6
            order_type = OrderType.FAK if kind else OrderType.GTD
            world.submit(market, Side.SELL, px_u6, held_u6, order_type, outcome=outcome)
        elif kind < 2:
            order_type = OrderType.FAK if kind else OrderType.FOK
            world.submit(market, Side.BUY, ask_u6, qty_u6, order_type, outcome=outcome)
        else:
            world.submit(
                market, Side.BUY, bid_u6, qty_u6, OrderType.GTD, outcome=outcome, post_only=True
            )
