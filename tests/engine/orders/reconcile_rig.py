"""An account and a venue for the reconciler: real owners, answers after a round trip."""

from typing import Any

from msgspec.structs import replace

from polytui.engine.core.account_events import (
    AccountReady,
    AccountRestored,
    BalancesRead,
    CancelAnswered,
    ClockRead,
    HeartbeatAnswered,
    HostState,
    OpenOrdersRead,
    OrderRead,
    PositionsRead,
    TradesRead,
    UserStream,
    UserTrade,
    VenueChecked,
)
from polytui.engine.core.commands import (
    CancelOrders,
    Command,
    ReadBalances,
    ReadClock,
    ReadOpenOrders,
    ReadOrder,
    ReadPositions,
    ReadTrades,
)
from polytui.engine.core.enums import Outcome, Side
from polytui.engine.core.events import Event, MarketSpec
from polytui.engine.core.ids import ConnId
from polytui.engine.core.order_enums import OrderState, OrderType, Realm, SendOutcome, TradeStatus
from polytui.engine.core.runconfig import OrdersConfig
from polytui.engine.core.trading import (
    CASH,
    Balance,
    Draft,
    FillChange,
    HeldPosition,
    HostFacts,
    Identity,
    OrderRecord,
    VenueOrder,
    VenueTrade,
)
from polytui.engine.core.units import U
from polytui.engine.orders.manager import Orders
from polytui.engine.orders.reconcile import Finding, Reconciler
from polytui.engine.orders.startup import Stage
from polytui.engine.orders.sweeping import Owners
from polytui.engine.orders.trades import Trades
from polytui.engine.portfolio.portfolio import Portfolio
from polytui.engine.portfolio.positions import Place

MS = 1_000_000
S = 1_000 * MS
SPEC = MarketSpec(market="0xm", tokens=("111", "222"), title="M", group="g")
ME = Identity(
    maker="0x" + "11" * 20, signer="0x" + "11" * 20, owner="0x" + "11" * 20, signature_type=0,
    chain_id=137, exchange="0x" + "22" * 20, neg_risk_exchange="0x" + "33" * 20,
    exchange_v3="0x" + "44" * 20,
)  # fmt: skip
FACTS = HostFacts(
    latch_clear=True, lock_held=True, config_hash="c", journal_ok=True, journal_fill=0.0,
    loop_lag_ns=0,
)  # fmt: skip


def row(name: str, *, matched: float = 0, status: str = "LIVE", qty: float = 10) -> VenueOrder:
    return VenueOrder(
        order_hash=name, market="0xm", token="111", side=Side.BUY, px_u6=470_000,
        qty_u6=round(qty * U), matched_u6=round(matched * U), status=status,
        order_type=OrderType.GTC,
    )  # fmt: skip


def stored(
    name: str, state: OrderState = OrderState.LIVE, *, at_ns: int = 900 * S, **other: Any
) -> OrderRecord:
    """An order of the dead run as the store kept it."""
    draft = Draft(
        strategy="maker", market="0xm", group="g", token="111", outcome=Outcome.YES,
        side=Side.BUY, px_u6=470_000, qty_u6=10 * U, order_type=OrderType.GTC,
    )  # fmt: skip
    return OrderRecord(
        realm=Realm.LIVE, cid=f"old-1-{name}", order_hash=name, state=state, created_ns=at_ns,
        updated_ns=at_ns, draft=draft, terms=None, **other,
    )  # fmt: skip


class Account:
    """The owners, the reconciler, and a venue that answers after `rtt_ms`."""

    def __init__(
        self,
        *,
        rtt_ms: int = 30,
        realm: Realm = Realm.LIVE,
        skip: frozenset[Stage] | None = None,
        **config: Any,
    ) -> None:
        settings = OrdersConfig(**config)
        self.config = settings
        self.orders = Orders(realm, settings, run="new")
        self.trades = Trades(realm, settings)
        self.portfolio = Portfolio(realm)
        self.rec = Reconciler(realm, settings, skip=skip)
        self.owners = Owners(self.orders, self.portfolio, {"0xm": SPEC}.get,
                             {"111": "0xm", "222": "0xm"})  # fmt: skip
        self.realm = realm
        self.at_ns = 1_000 * S
        self.seq = 0
        self.rtt_ns = rtt_ms * MS
        self.mail: list[tuple[int, Event]] = []
        self.commands: list[Command] = []
        self.findings: list[Finding] = []
        self.live: dict[str, VenueOrder] = {}
        self.told: list[VenueTrade] = []
        self.cash_u6 = 1_000 * U
        self.held: dict[str, int] = {}
        self.audited: dict[str, int] = {}
        self.broken: set[str] = set()
        """Endpoints that fail: `orders`, `trades`, `balances`, `positions`, `clock`."""
        self.silent: set[str] = set()
        self.refuses_cancels = False

    # --- the composition -------------------------------------------------------------------------

    def feed(self, event: Event) -> None:
        """Fold an event by its owners, then tell the reconciler."""
        self.seq += 1
        stamp: dict[str, Any] = {"at_ns": self.at_ns, "seq": self.seq}
        booked: list[FillChange] = []
        self.rec.look(self.at_ns)
        match event:
            case AccountReady():
                self.orders.identity = event.identity
            case AccountRestored():
                self.orders.restore(event.orders, trades=event.trades, **stamp)
            case CancelAnswered():
                self.orders.cancel_answered(event, **stamp)
            case OrderRead():
                self.orders.read(event, **stamp)
            case UserTrade():
                booked = self.fold(event.trade)
            case BalancesRead(ok=True):
                self.portfolio.opening(event.balances, place_of=self.place, **stamp)
            case TradesRead():
                booked = [change for trade in event.trades for change in self.fold(trade)]
                self.orders.trades_read(event, **stamp)
        self.findings += self.rec.on_event(
            event, self.owners, self.at_ns, self.seq, booked=booked
        )  # fmt: skip

    def fold(self, trade: VenueTrade) -> list[FillChange]:
        """Book a trade with every owner."""
        stamp: dict[str, Any] = {"at_ns": self.at_ns, "seq": self.seq}
        changes = self.trades.fold(trade, self.orders, self.owners.spec_of, **stamp)
        for change in changes:
            self.orders.fill(change, **stamp)
            self.portfolio.apply(change, group="g")
        return changes

    @staticmethod
    def place(token: str) -> Place | None:
        outcome = {"111": Outcome.YES, "222": Outcome.NO}.get(token)
        if outcome is None:
            return None
        return Place(token=token, market="0xm", group="g", outcome=outcome)

    def run(self, ms: int = 0) -> None:
        """Let time pass: deliver answers, run what is due, look at the clock every half second."""
        end_ns = self.at_ns + ms * MS
        while True:
            times = [self.at_ns + 500 * MS, *(at for at, _ in self.mail)]
            dues = (self.rec.next_due_ns(), self.orders.next_due_ns())
            times += [max(due, self.at_ns) for due in dues if due is not None]
            now_ns = min(times)
            if now_ns > end_ns:
                break
            self.at_ns = now_ns
            ready = [event for at, event in self.mail if at <= now_ns]
            self.mail = [(at, event) for at, event in self.mail if at > now_ns]
            for event in ready:
                self.feed(event)
            self.seq += 1
            commands = self.rec.due(now_ns, self.seq, self.owners)
            commands += self.orders.due(now_ns, self.seq)
            self.findings += self.rec.drain()
            if not commands and not ready and now_ns >= end_ns:
                break
            self.commands += commands
            for command in commands:
                self.serve(command)
        self.at_ns = end_ns

    # --- the venue -------------------------------------------------------------------------------

    def post(self, event: Event) -> None:
        self.mail.append((self.at_ns + self.rtt_ns, event))

    def serve(self, command: Command) -> None:
        """Answer a command as a healthy venue does, or as `broken` and `silent` say."""
        asked: dict[str, Any] = {"realm": self.realm, "asked_ns": self.at_ns + 1}
        match command:
            case ReadOpenOrders() if self.may("orders", asked, command.request, OpenOrdersRead):
                self.post(OpenOrdersRead(request=command.request, ok=True,
                                         orders=tuple(self.live.values()), **asked))  # fmt: skip
            case ReadTrades() if self.may("trades", asked, command.request, TradesRead):
                self.post(TradesRead(request=command.request, ok=True, after_s=command.after_s,
                                     trade_id=command.trade_id, trades=tuple(self.told),
                                     **asked))  # fmt: skip
            case ReadBalances() if self.may("balances", asked, command.request, BalancesRead):
                rows = [Balance(asset=CASH, qty_u6=self.cash_u6)]
                rows += [Balance(asset=t, qty_u6=self.held.get(t, 0)) for t in command.tokens]
                self.post(BalancesRead(request=command.request, ok=True, balances=tuple(rows),
                                       allowance_u6=10**15, **asked))  # fmt: skip
            case ReadPositions() if self.may("positions", asked, command.request, PositionsRead):
                held = tuple(
                    HeldPosition(market="0xm", token=t, qty_u6=q, avg_px_u6=0)
                    for t, q in self.audited.items()
                )
                self.post(PositionsRead(request=command.request, ok=True, positions=held,
                                        **asked))  # fmt: skip
            case ReadClock():
                if "clock" not in self.silent:
                    ok = "clock" not in self.broken
                    self.post(ClockRead(realm=self.realm, ok=ok, rtt_ns=250 * MS,
                                        asked_ns=self.at_ns + 1, why="no"))  # fmt: skip
            case ReadOrder() if "order" not in self.silent:
                self.post(OrderRead(realm=self.realm, order_hash=command.order_hash, ok=True,
                                    order=self.live.get(command.order_hash)))  # fmt: skip
            case CancelOrders() if not self.refuses_cancels:
                gone = tuple(h for h in command.hashes if self.live.pop(h, None) is not None)
                lost = tuple((h, "not found") for h in command.hashes if h not in gone)
                self.post(CancelAnswered(realm=self.realm, request=command.request,
                                         outcome=SendOutcome.ACCEPTED, canceled=gone,
                                         not_canceled=lost))  # fmt: skip

    def may(self, what: str, asked: dict[str, Any], request: str, kind: Any) -> bool:
        if what in self.broken:
            self.post(kind(request=request, ok=False, why="http 500", **asked))
        return what not in self.broken | self.silent

    # --- what tests do and ask -------------------------------------------------------------------

    def start(
        self, *orders: OrderRecord, stream: bool = True, beat: bool = True, **restored: Any
    ) -> None:
        """Feed everything that a healthy shell tells at its start."""
        self.feed(HostState(facts=FACTS))
        self.feed(AccountReady(realm=self.realm, identity=ME, port="practice", is_practice=True))
        self.feed(AccountRestored(realm=self.realm, orders=tuple(orders), **restored))
        self.feed(VenueChecked(realm=self.realm, ok=True, version=2))
        if stream:
            self.stream(up=True)
        if beat:
            self.beat()

    def beat(self, *, ok: bool = True, **other: Any) -> None:
        self.feed(HeartbeatAnswered(realm=self.realm, ok=ok, **other))

    def stream(self, *, up: bool, conn: int = 1) -> None:
        self.feed(UserStream(realm=self.realm, conn=ConnId(conn), up=up, why="gone"))

    def opened(self, *orders: OrderRecord, ms: int = 4_000, **restored: Any) -> None:
        """Start and run until intake is open."""
        self.start(*orders, **restored)
        self.run(ms)
        assert self.is_open(), self.rec.intake.why

    def live_on(self, ms: int) -> None:
        """Let time pass with the heart beating."""
        for _ in range(ms // 1_000):
            self.run(1_000)
            self.beat()

    def is_open(self) -> bool:
        return self.rec.intake.is_open

    def asked(self, kind: Any) -> list[Any]:
        return [command for command in self.commands if isinstance(command, kind)]

    def trade(self, name: str, order: str, qty: float, *, status: TradeStatus) -> VenueTrade:
        return VenueTrade(
            trade_id=name, market="0xm", taker_hash=order, token="111", side=Side.BUY,
            px_u6=470_000, qty_u6=round(qty * U), status=status, matched_s=900, tx_hash="",
            is_taker=True,
        )  # fmt: skip


def held(account: Account, token: str, qty: float) -> None:
    """Let the venue hold something, in the chain's reading and in the audit."""
    account.held[token] = account.audited[token] = round(qty * U)


def changed(facts: HostFacts, **other: Any) -> HostState:
    return HostState(facts=replace(facts, **other))
