"""Everything the gate reads, as frozen values: a check sees nothing else.

The composition builds one `GateFacts` per order, twice: when an order is approved and again where
its bytes leave. Account figures leave the order in question out, as if it did not exist, so that
both looks judge the same thing. Times are engine nanoseconds, 0 means never.
"""

from typing import Protocol

from msgspec import Struct

from polytui.engine.core.enums import BookState, Mode, Outcome, Side
from polytui.engine.core.events import MarketSpec
from polytui.engine.core.order_enums import Purpose, Realm, TradingState, VenueState
from polytui.engine.core.trading import Draft, HostFacts, Terms
from polytui.engine.core.units import U

OPERATOR = "operator"
"""The strategy of orders a person makes: it owns no market and needs none."""


class Gated(Protocol):
    """What the gate asks of an order: the manager's own, or a `Candidate`."""

    @property
    def cid(self) -> str:
        """Our id."""

    @property
    def draft(self) -> Draft:
        """What was wanted."""

    @property
    def terms(self) -> Terms | None:
        """What would be signed; None when no lawful amounts exist."""


class Candidate(Struct, frozen=True, kw_only=True, gc=False):
    """An order to be judged that the manager does not hold: a preview, a test."""

    cid: str
    draft: Draft
    terms: Terms | None


class ControlFacts(Struct, frozen=True, kw_only=True, gc=False):
    """Where the engine itself stands."""

    killed: bool
    """The latch in memory; the one on disk is the host's."""
    trading: TradingState
    trading_why: str
    mode: Mode
    armed_until_ns: int = 0
    session_cap_u6: int = 0
    """Exposure that was typed at arming; 0: none."""
    is_released: bool = True
    """The strategy's release gate lets it trade in this realm."""
    is_dropped: bool = False
    """The port signs, checks and drops: LIVE_DRY_RUN."""
    is_flattening: bool = False
    """An operator's flatten is at its exits."""
    may_rest_gtc: bool = False
    """This strategy is a named exception to GTD."""


class VenueFacts(Struct, frozen=True, kw_only=True, gc=False):
    """Where we stand with the venue."""

    state: VenueState
    why: str
    heartbeat_ns: int
    """The last beat the venue accepted; never in this run: 0."""
    offset_ns: int | None
    """Venue time minus ours; None: unknown."""
    offset_at_ns: int
    user_ns: int
    """Last sign of life of the user stream."""
    balance_ns: int
    """When the last good read of balances was asked for."""
    moved_ns: int
    """When money or tokens last moved."""


class MarketFacts(Struct, frozen=True, kw_only=True, gc=False):
    """The market of the order; prices in the terms of the order's own token."""

    spec: MarketSpec
    book: BookState
    epoch: int
    tick_u6: int
    book_ns: int
    """When a frame about the book last arrived."""
    witness_ns: int
    """When a REST read last confirmed it."""
    metadata_ns: int
    bid_u6: int | None
    ask_u6: int | None
    last_u6: int | None
    """Last public trade."""
    depth_u6: int
    """Shares on the other side at the limit or better: what the order could take at once."""
    owner: str
    """The strategy that owns the market; empty: nobody."""
    is_allowed: bool
    """The token is on the allow-list."""
    is_resolved: bool = False
    is_placeholder: bool = False
    """An unnamed outcome of an augmented group, or its "Other"."""
    is_rolling: bool = False
    """An up/down market with its own rule about the end."""
    reference_ns: int | None = None
    """The reference price the order rests on; None: it declares none."""


class Scope(Struct, frozen=True, kw_only=True, gc=False):
    """Worst-case exposure of one scope, both settlement worlds, micro-dollars."""

    before_u6: int
    """Without the order."""
    after_u6: int
    """With it pending: filled where that is worse, not filled where that is worse."""
    filled_u6: int
    """With it filled for certain: what an exit or a hedge is meant to lead to."""
    spared_u6: int = 0
    """What an entry leaves under the cap for legs that may have to be bought again."""

    @property
    def is_falling(self) -> bool:
        """Tell whether the order lowers the worst case and can at no point raise it."""
        return self.filled_u6 < self.before_u6 and self.after_u6 <= self.before_u6

    @property
    def is_rising(self) -> bool:
        """Tell whether the order could raise the worst case."""
        return self.after_u6 > self.before_u6 or self.filled_u6 > self.before_u6


class OwnOrder(Struct, frozen=True, kw_only=True, gc=False):
    """An order of ours in the market that may rest at the venue: open, in flight or unknown."""

    cid: str
    outcome: Outcome
    side: Side
    px_u6: int
    is_unknown: bool = False


class Losses(Struct, frozen=True, kw_only=True, gc=False):
    """Profit and loss as the breakers look at it, micro-dollars."""

    day_u6: int
    """Of the UTC day; negative is a loss."""
    strategy_day_u6: int
    """The same for the order's strategy."""
    equity_u6: int
    peak_u6: int
    """The highest equity; `Pace.peak_u6` overrules it, as a reset of the breaker begins anew."""


class AccountFacts(Struct, frozen=True, kw_only=True, gc=False):
    """Money and orders of the realm, the order in question left out."""

    market: Scope
    group: Scope
    strategy: Scope
    total: Scope
    free_cash_u6: int
    """Confirmed less reserved and outgoing."""
    allowance_u6: int
    """What the exchange may move for us."""
    sell_capacity_u6: int
    """Of the token: confirmed less provisional out and reserved."""
    own: tuple[OwnOrder, ...] = ()
    """Ours in this market."""
    losses: Losses


class Pace(Struct, frozen=True, kw_only=True, gc=False):
    """How often we did what lately (`rates.py`), and which breakers stand (`breakers.py`)."""

    tokens: int
    """Orders the own bucket admits now."""
    orders_left: int = -1
    """Of the venue's bucket; -1: it has not said."""
    cancels_left: int = -1
    cancel_reserve: int = 0
    """Cancels that must be left for what is open."""
    twin_ns: int = 0
    """When the same order was last sent; 0: never."""
    sends: int = 0
    """Of the strategy in the market within its window."""
    rejects: int = 0
    orders_hour: int = 0
    """Orders in the market within the hour."""
    cancels_hour: int = 0
    fills_hour: int = 0
    flicker_ns: int = 0
    """When a quote of the strategy in the market was last pulled below its age; 0: never."""
    peak_u6: int = 0
    """The highest equity since the drawdown breaker was last reset; 0: it has seen none."""
    breaker: str = ""
    """The breaker that stands before this order, in words; empty: none."""
    repetition: str = ""
    """The same for repeated execution."""


class GateFacts(Struct, frozen=True, kw_only=True, gc=False):
    """One moment, one order."""

    at_ns: int
    realm: Realm
    host: HostFacts
    host_ns: int
    """When the host was measured."""
    config_hash: str
    """Of the configuration this run began with."""
    control: ControlFacts
    venue: VenueFacts
    market: MarketFacts
    account: AccountFacts
    pace: Pace


def is_flatten(draft: Draft, facts: GateFacts) -> bool:
    """Tell the one kind of order that is lawful while HALTED or KILLED.

    An operator's exit during a flatten: a sell that raises exposure in no scope.
    """
    account = facts.account
    return (
        draft.purpose is Purpose.FLATTEN
        and draft.side is Side.SELL
        and facts.control.is_flattening
        and not account.market.is_rising
        and not account.total.is_rising
    )


def is_marketable(draft: Draft, market: MarketFacts) -> bool:
    """Tell whether the order can take liquidity: FAK and FOK always, others when they cross.

    A resting order against a side that is empty cannot cross; a post-only one never takes.
    """
    if not draft.order_type.is_resting:
        return True
    if draft.post_only:
        return False
    if draft.side is Side.BUY:
        return market.ask_u6 is not None and draft.px_u6 >= market.ask_u6
    return market.bid_u6 is not None and draft.px_u6 <= market.bid_u6


def depth_u6(rungs: list[tuple[int, int]], px_u6: int, side: Side) -> int:
    """Add up the shares an order could take: rungs of the other side, best first."""
    total_u6 = 0
    for level_u6, qty_u6 in rungs:
        if level_u6 > px_u6 if side is Side.BUY else level_u6 < px_u6:
            break
        total_u6 += qty_u6
    return total_u6


def as_yes(outcome: Outcome, side: Side, px_u6: int) -> tuple[bool, int]:
    """Put an order on the one book: (is it a bid, its price), both in YES terms."""
    is_yes = outcome is Outcome.YES
    return (side is Side.BUY) is is_yes, px_u6 if is_yes else U - px_u6
