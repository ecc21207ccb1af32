"""The state of one market: its terms, its two queues, its end."""

from msgspec import structs

from polytui.engine.core.enums import Outcome, Side
from polytui.engine.core.units import U
from polytui.engine.sim.exchange.api import BookView
from polytui.engine.sim.exchange.ladder import Queue
from polytui.engine.sim.exchange.terms import MarketTerms, OracleStatus, Resolution, Spender


class Market:
    """One binary market."""

    __slots__ = (
        "asks",
        "bids",
        "changed_ns",
        "dirty",
        "last_trade",
        "odd_halves",
        "oracle",
        "proposal",
        "resolution",
        "terms",
    )

    def __init__(self, terms: MarketTerms, now_ns: int) -> None:
        """Open the book, empty."""
        self.terms = terms
        self.bids = Queue(is_bid=True)
        self.asks = Queue(is_bid=False)
        self.changed_ns = now_ns
        self.dirty: dict[tuple[bool, int], None] = {}
        """Levels touched since the last `BookChanged`, in order of the first touch."""
        self.last_trade: tuple[str, Side, int] | None = None
        """(token, taker's side, price in that token's terms)."""
        self.oracle = OracleStatus.NONE
        self.proposal = 0
        """Number of the standing proposal: a superseded one finds another number."""
        self.resolution: Resolution | None = None
        self.odd_halves = 0
        """Half micro-dollars left locked by redemptions of odd amounts after a split."""

    @property
    def condition(self) -> str:
        """The market's id."""
        return self.terms.condition

    @property
    def spender(self) -> Spender:
        """The contract that settles its orders (§2)."""
        if self.terms.protocol == "v2":
            return Spender.EXCHANGE_V3
        return Spender.NEG_RISK_V2 if self.terms.neg_risk else Spender.EXCHANGE_V2

    def queue(self, *, is_bid: bool) -> Queue:
        """Return one side."""
        return self.bids if is_bid else self.asks

    def change(self, **facts: object) -> None:
        """Replace some of the terms."""
        self.terms = structs.replace(self.terms, **facts)

    def best(self) -> tuple[int, int]:
        """Return best bid and ask: 0 = no bid, U = no ask."""
        bids, asks = self.bids.px, self.asks.px
        return (bids[-1] if bids else 0), (asks[0] if asks else U)

    def outcome_of(self, token: str) -> Outcome:
        """Say which side a token is."""
        return Outcome.YES if token == self.terms.tokens[0] else Outcome.NO

    def view(self) -> BookView:
        """Show the book."""
        token, side, px_u6 = self.last_trade or ("", None, None)
        return BookView(
            condition=self.condition,
            bids=self.bids.totals(),
            asks=self.asks.totals(),
            changed_ns=self.changed_ns,
            last_trade_u6=px_u6,
            last_trade_token=token,
            last_trade_side=side,
            tick_u6=self.terms.tick_u6,
        )
