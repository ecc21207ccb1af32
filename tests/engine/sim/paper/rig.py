"""A paper venue on a book that the test writes: no engine, no feed, every delay known."""

from dataclasses import dataclass, field

from polytui.engine.core.account_events import AccountEvent, OrderAnswered, UserTrade
from polytui.engine.core.commands import PlaceOrders
from polytui.engine.core.enums import Outcome, Side
from polytui.engine.core.events import (
    BookDelta,
    BookFrame,
    Event,
    FeeSchedule,
    MarketSpec,
    PublicTrade,
)
from polytui.engine.core.ids import ConnId
from polytui.engine.core.order_enums import OrderType, Realm
from polytui.engine.core.runconfig import PaperConfig
from polytui.engine.core.trading import CASH, Terms
from polytui.engine.core.units import U
from polytui.engine.orders.amounts import amounts
from polytui.engine.sim.paper.books import Bids, Stretch, home_of
from polytui.engine.sim.paper.resting import PaperOrder
from polytui.engine.sim.paper.venue import Eyes, PaperVenue

NS = 1_000_000_000
MS = 1_000_000
START_NS = 1_795_000_000 * NS
CONN = ConnId(1)
YES, NO = Outcome.YES, Outcome.NO
SPEC = MarketSpec(
    market="0xm", tokens=("11", "22"), title="Will it?", fees=FeeSchedule(rate_u6=40_000)
)
AT_ONCE = PaperConfig(
    feed_ms=(0, 0, 0),
    submit_ms=(0, 0, 0),
    response_ms=(0, 0, 0),
    settle_ms=0,
    settle_tail_ms=(0, 0),
    taker_delay_ms=0,
    failed_share=0.0,
)


def c(cents: float) -> int:
    """Price in micro-dollars."""
    return round(cents * 10_000)


def q(shares: float) -> int:
    """Size in micro-shares."""
    return round(shares * U)


@dataclass
class Rig:
    """A market, a venue, a clock."""

    config: PaperConfig = AT_ONCE
    seed: int = 1
    spec: MarketSpec = SPEC
    bids: dict[Outcome, dict[int, int]] = field(default_factory=lambda: {YES: {}, NO: {}})
    stretch: Stretch | None = (0, 1)
    now_ns: int = START_NS
    heard: list[AccountEvent] = field(default_factory=list)
    made: int = 0

    def __post_init__(self) -> None:
        """Open the venue."""
        self.venue = PaperVenue(
            self.config,
            seed=self.seed,
            at_ns=self.now_ns,
            eyes=Eyes(
                bids_of=self._bids_of,
                stretch_of=lambda _market: self.stretch,
                spec_of=lambda market: self.spec if market == self.spec.market else None,
                tick_of=lambda _market: self.spec.tick_u6,
            ),
            gate=lambda _cid, _at_ns: None,
        )
        self.venue.watch(self.spec)

    def _bids_of(self, _market: str, outcome: Outcome) -> Bids | None:
        return None if self.stretch is None else sorted(self.bids[outcome].items(), reverse=True)

    # --- the market ------------------------------------------------------------------------------

    def book(self, bids: dict[float, float], asks: dict[float, float]) -> None:
        """State the whole book, in cents of YES and shares."""
        self.bids = {
            YES: {c(px): q(size) for px, size in bids.items()},
            NO: {U - c(px): q(size) for px, size in asks.items()},
        }
        self.show(self.frame())

    def frame(self) -> BookFrame:
        """Write the book down as a frame of YES."""
        return BookFrame(
            conn=CONN,
            market=self.spec.market,
            token=self.spec.tokens[0],
            venue_ms=self.now_ns // MS,
            digest="",
            bids=tuple((px, size, "", "") for px, size in self.bids[YES].items()),
            asks=tuple((U - px, size, "", "") for px, size in self.bids[NO].items()),
        )

    def show(self, *events: Event) -> None:
        """Let a turn's events happen; levels change the book first, as in the engine."""
        for event in events:
            if isinstance(event, BookDelta):
                for token, is_buy, px_u6, qty_u6, _, _ in event.changes:
                    outcome = YES if token == self.spec.tokens[0] else NO
                    home = home_of(outcome, Side.BUY if is_buy else Side.SELL, px_u6)
                    self.bids[home[0]][home[1]] = qty_u6
                    if not qty_u6:
                        del self.bids[home[0]][home[1]]
        for event in events:
            self.venue.on_event(event)
        self.wait(0)

    def delta(
        self, px: float, size: float, *, bid: bool = True, ms: int | None = None
    ) -> BookDelta:
        """Write a level's new size, both tokens' entries."""
        mirror = (self.spec.tokens[1], not bid, U - c(px), q(size), "", "")
        return BookDelta(
            conn=CONN,
            market=self.spec.market,
            venue_ms=self.now_ns // MS if ms is None else ms,
            changes=((self.spec.tokens[0], bid, c(px), q(size), "", ""), mirror),
            claims=(),
        )

    def trade(self, px: float, size: float, *, ms: int | None = None) -> PublicTrade:
        """Write a print of YES."""
        return PublicTrade(
            conn=CONN,
            market=self.spec.market,
            token=self.spec.tokens[0],
            venue_ms=self.now_ns // MS if ms is None else ms,
            px_u6=c(px),
            qty_u6=q(size),
            side=None,
        )

    def wait(self, seconds: float) -> list[AccountEvent]:
        """Let time pass; return what was heard meanwhile."""
        until_ns = self.now_ns + int(seconds * NS)
        news = self.venue.advance(until_ns)
        self.now_ns = until_ns
        self.heard += news
        return news

    # --- orders ----------------------------------------------------------------------------------

    def terms(
        self,
        side: Side,
        px: float,
        size: float,
        kind: OrderType = OrderType.GTC,
        *,
        outcome: Outcome = YES,
        post_only: bool = False,
        expires_s: int = 0,
    ) -> Terms:
        """Write an order."""
        self.made += 1
        maker_u6, taker_u6 = amounts(side, c(px), q(size), kind, self.spec.tick_u6)
        return Terms(
            cid=f"t-{self.made}",
            order_hash=f"0x{self.made:064x}"[:2] + f"{self.made:016x}" + "0" * 48,
            salt=self.made,
            maker="0xus",
            signer="0xus",
            signature_type=0,
            token=self.spec.tokens[0 if outcome is YES else 1],
            side=side,
            maker_amount_u6=maker_u6,
            taker_amount_u6=taker_u6,
            timestamp_ms=0,
            neg_risk=False,
            protocol="v1",
            order_type=kind,
            post_only=post_only,
            expiration_s=expires_s,
            builder="",
            px_u6=c(px),
            qty_u6=q(size),
        )

    def send(self, terms: Terms) -> OrderAnswered | None:
        """Send an order and let what is due at once happen; return its answer if it came."""
        self.venue.carry_out(PlaceOrders(cause=0, realm=Realm.PAPER, orders=(terms,)))
        self.wait(0)
        answers = [e for e in self.heard if isinstance(e, OrderAnswered) and e.cid == terms.cid]
        return answers[-1] if answers else None

    def order(self, terms: Terms) -> PaperOrder:
        """Look at an order."""
        return self.venue.orders[terms.order_hash]

    def trades(self) -> list[tuple[int, int]]:
        """List price and size of the trades so far."""
        return [(trade.px_u6, trade.qty_u6) for trade in self.venue.trades.values()]

    def told(self) -> list[UserTrade]:
        """List what the user stream said of trades."""
        return [event for event in self.heard if isinstance(event, UserTrade)]

    def cash_u6(self) -> int:
        """Return the cash that is final."""
        return self.venue.purse.balances.get(CASH, 0)
