"""A rehearsal made ready: scripted strategy, practice money, armed by the whole ritual."""

from collections.abc import Callable

from polytui.engine.account.account import Account
from polytui.engine.account.directives import Reply
from polytui.engine.core.alert_view import AlertState
from polytui.engine.core.enums import Mode, Side
from polytui.engine.core.order_enums import OrderState, OrderType, Purpose, Realm
from polytui.engine.core.rng import Rng
from polytui.engine.core.runconfig import LimitsConfig, PracticeConfig, RunConfig
from polytui.engine.core.trading import Terms
from polytui.engine.core.units import U
from polytui.engine.orders.lifecycle import Order
from polytui.engine.sim.account_wire import Times
from polytui.engine.sim.exchange.api import OrderRequest, PlaceResult
from polytui.engine.sim.faults import Switches
from polytui.engine.sim.rehearsal import ACCOUNT, OWNER, SECOND_NS, Rehearsal
from tests.engine.rehearsal.scripted import KINDS, NAME, roster

LADDER_STEPS = 4


class Stage(Rehearsal):
    """A rehearsal with hands: it climbs the ladder, arms, trades by hand, and looks."""

    def __init__(  # noqa: PLR0913  a stage has many props, all optional
        self,
        seed: int = 1,
        *,
        kinds: str = KINDS,
        period_ms: int = 1_500,
        only: str = "",
        names: tuple[str, ...] = (NAME,),
        limits: LimitsConfig | None = None,
        markets: int = 1,
        rate: float = 5.0,
        pairs_u6: int = 0,
        times: Times | None = None,
    ) -> None:
        self.by_hand = 0
        self.names = names
        config = RunConfig(mode=Mode.LIVE_DRY_RUN, limits=limits or LimitsConfig())
        super().__init__(
            seed=seed,
            config=config,
            practice=PracticeConfig(markets=markets, rate=rate),
            strategies=roster(seed, period_ms=period_ms, kinds=kinds, only=only, names=names),
            times=times or Times(),
        )
        for spec in self.feed.specs() if pairs_u6 else ():
            self.exchange.split(ACCOUNT, spec.market, pairs_u6)

    @property
    def account(self) -> Account:
        return self.engine.trading.accounts[Realm.LIVE]

    @property
    def mode(self) -> Mode:
        return self.engine.trading.room.mode

    def switch(self, **changes: object) -> None:
        """Change how the wire behaves; what is not named is healthy again."""
        self.feed.world.switch(Switches(**changes))  # type: ignore[arg-type]  # by field name

    # --- arming ----------------------------------------------------------------------------------

    def climb(self) -> None:
        """Take the scripted strategy up the ladder."""
        gates = self.engine.trading.room.gates
        for name in self.names:
            for _ in range(LADDER_STEPS):
                if not gates.is_released(name, Realm.LIVE, Mode.LIVE_ARMED):
                    reply = self.ask("gate.promote", name, f"PROMOTE {name}")
                    assert reply.ok, reply.text

    def arm(self, *, within_s: float = 120, cap: int = 500) -> bool:
        """Go through the ritual until it holds; tell whether it did within the time."""
        until_ns = self.now_ns + int(within_s * SECOND_NS)
        while self.mode is not Mode.LIVE_ARMED and self.now_ns < until_ns:
            self.climb()
            if self.mode is Mode.SHADOW:
                self.ask("mode.set", "paper")
            view = self.engine.trading.room.modes
            if view.stage == "idle":
                self.acknowledge()
                self.acknowledge()
                reply = self.ask("mode.preflight", str(cap), "4")
                if view.stage == "challenged" and reply.ok:
                    self.ask("mode.arm", view.hash, f"ARM LIVE {cap}", "rehearsal")
            self.run_for(1)
        return self.mode is Mode.LIVE_ARMED

    def acknowledge(self) -> None:
        """Say of every alert that it is known: what nobody acknowledged keeps from arming."""
        for alert in self.engine.trading.room.alerts.view(at_ns=self.now_ns).active:
            if alert.state in (AlertState.UNACK, AlertState.RTN):
                self.ask("alert.ack", alert.alert)

    # --- looking ---------------------------------------------------------------------------------

    def quotes(self) -> list[Order]:
        """Return our own resting entries."""
        return [
            order
            for order in self.account.orders.open()
            if order.state in (OrderState.LIVE, OrderState.PARTIAL)
            and order.draft.purpose is Purpose.OPEN
            and not order.external
        ]

    def sent_since(self, at_ns: int) -> list[Terms]:
        """Return the terms of what left at or after a moment."""
        return [terms for sent_ns, terms in self.wire.sent if sent_ns >= at_ns]

    def wait(self, holds: Callable[[], bool], *, within_s: float = 30) -> bool:
        """Let time pass in tenths of a second until something holds."""
        until_ns = self.now_ns + int(within_s * SECOND_NS)
        while not holds() and self.now_ns < until_ns:
            self.run_for(0.1)
        return holds()

    def flatten(self) -> Reply:
        """Type what a flatten of everything asks for."""
        words = self.ask("risk.flatten", "all").text.split()
        phrase = words[words.index("FLATTEN") :][:2] if "FLATTEN" in words else []
        return self.ask("risk.flatten", "all", *phrase, "rehearsal")

    # --- by hand ---------------------------------------------------------------------------------

    def sleep(self, seconds: float) -> None:
        """C4: stand still while the world goes on; then take everything that came, at once."""
        self.now_ns += int(seconds * SECOND_NS)
        self._happen()

    def by_another_hand(self, rng: Rng, *, far: bool = False) -> PlaceResult:
        """Place an order by the same key but another hand: marketable, or one that rests."""
        specs = self.feed.specs()
        spec = specs[rng.below(len(specs))]
        side = Side.BUY
        self.by_hand += 1
        qty_u6 = (5 + rng.below(10)) * U
        takes = not far and rng.chance(0.5)
        px_u6 = 990_000 if takes else 20_000
        cash_u6 = px_u6 * qty_u6 // U
        return self.exchange.place(
            OrderRequest(
                order_id=f"0x{self.by_hand:064x}",
                account=ACCOUNT,
                owner=OWNER,
                token=spec.tokens[rng.below(2)],
                side=side,
                maker_amount_u6=cash_u6,
                taker_amount_u6=qty_u6,
                order_type=OrderType.FAK if takes else OrderType.GTC,
                salt=self.by_hand,
            )
        )
