"""What the exchange says by itself, in order: enough to write every stream frame of §4.1 and §4.2.

`at_ns` is the venue's own time; a wire timestamp is its milliseconds, and all book changes of one
condition with equal milliseconds form one group (market-ws-integrity.md §3).
"""

from msgspec import Struct

from polytui.engine.core.enums import Side
from polytui.engine.sim.exchange.api import OrderView, PlaceResult, TradeView
from polytui.engine.sim.exchange.terms import (
    GroupTerms,
    MarketTerms,
    OracleStatus,
    Resolution,
    VenueMode,
)

MS = 1_000_000
"""Nanoseconds in a millisecond."""

LevelChange = tuple[bool, int, int]
"""(is_bid, px_u6, new total qty_u6), in YES terms; 0 deletes the level."""


class Emission(Struct, frozen=True, kw_only=True, tag=True, gc=False):
    """Base of all."""

    at_ns: int

    @property
    def at_ms(self) -> int:
        """The wire timestamp."""
        return self.at_ns // MS


class BookChanged(Emission, frozen=True, kw_only=True, tag="book_changed"):
    """Levels of one book changed by one request or one due thing."""

    condition: str
    levels: tuple[LevelChange, ...]
    bid_u6: int
    """Best YES bid afterwards; 0: none."""
    ask_u6: int
    """Best YES ask afterwards; 1,000,000: none."""
    token: str = ""
    """Token of the order that caused it: its entry comes first on the wire. "" for many orders."""


class TradePrinted(Emission, frozen=True, kw_only=True, tag="trade_printed"):
    """A public trade, in the taker's terms (`last_trade_price`)."""

    condition: str
    trade_id: str
    token: str
    side: Side
    px_u6: int
    qty_u6: int


class TickChanged(Emission, frozen=True, kw_only=True, tag="tick_changed"):
    """The grid of a market changed; resting orders stay where they are."""

    condition: str
    old_tick_u6: int
    new_tick_u6: int


class GroupListed(Emission, frozen=True, kw_only=True, tag="group_listed"):
    """A group of markets exists."""

    group: GroupTerms


class MarketListed(Emission, frozen=True, kw_only=True, tag="market_listed"):
    """A market exists (`new_market`)."""

    terms: MarketTerms


class MarketChanged(Emission, frozen=True, kw_only=True, tag="market_changed"):
    """Fees, accepting, minimum or rewards changed; the tick has its own emission."""

    terms: MarketTerms


class OracleMoved(Emission, frozen=True, kw_only=True, tag="oracle_moved"):
    """A resolution was proposed or disputed."""

    condition: str
    status: OracleStatus


class MarketResolved(Emission, frozen=True, kw_only=True, tag="market_resolved"):
    """The outcome is known; every order of the market was cancelled just before."""

    condition: str
    resolution: Resolution
    winning_token: str
    """Empty when split."""
    winning_outcome: str


class OrderPlaced(Emission, frozen=True, kw_only=True, tag="order_placed"):
    """`order` PLACEMENT: `order.status` is LIVE, MATCHED or DELAYED."""

    order: OrderView


class OrderFilled(Emission, frozen=True, kw_only=True, tag="order_filled"):
    """`order` UPDATE: matched for more; `order.status` is LIVE or MATCHED."""

    order: OrderView
    trade_id: str


class OrderCanceled(Emission, frozen=True, kw_only=True, tag="order_canceled"):
    """`order` CANCELLATION, whoever asked for it, including killed FOK and FAK."""

    order: OrderView
    status: str
    """A `CancelReason` text."""


class OrderReleased(Emission, frozen=True, kw_only=True, tag="order_released"):
    """A delay ended; the answer that a held request was waiting for."""

    owner: str
    order_id: str
    """Also when `result.order_id` is empty because the release was refused."""
    result: PlaceResult


class TradeUpdate(Emission, frozen=True, kw_only=True, tag="trade_update"):
    """`trade` at each step of its settlement; goes to the taker and to every maker."""

    trade: TradeView


class HeartbeatLapsed(Emission, frozen=True, kw_only=True, tag="heartbeat_lapsed"):
    """An owner's beats stopped and its open orders were cancelled."""

    owner: str
    canceled: int


class ModeChanged(Emission, frozen=True, kw_only=True, tag="mode_changed"):
    """The venue lets through more or less than before."""

    mode: VenueMode


class BalanceMoved(Emission, frozen=True, kw_only=True, tag="balance_moved"):
    """An on-chain operation of one account: deposit, split, merge, redeem, convert or payout."""

    account: str
    what: str
    moves: tuple[tuple[str, int], ...]
    """(asset id or `pUSD`, change)."""


class RewardsSampled(Emission, frozen=True, kw_only=True, tag="rewards_sampled"):
    """One minute's liquidity rewards of one market."""

    condition: str
    shares: tuple[tuple[str, int, int], ...]
    """(account, score `Q`, pUSD accrued, rounded down here but not in the accounts)."""


class WindowFixed(Emission, frozen=True, kw_only=True, tag="window_fixed"):
    """An up/down window's opening or final average became known (Gamma priceToBeat/finalPrice)."""

    condition: str
    is_final: bool
    average_u6: int | None
    """None: no reference prices covered it."""


AnyEmission = (
    BookChanged
    | TradePrinted
    | TickChanged
    | GroupListed
    | MarketListed
    | MarketChanged
    | OracleMoved
    | MarketResolved
    | OrderPlaced
    | OrderFilled
    | OrderCanceled
    | OrderReleased
    | TradeUpdate
    | HeartbeatLapsed
    | ModeChanged
    | BalanceMoved
    | RewardsSampled
    | WindowFixed
)
"""The closed set, for decoding a log."""
