"""Events of an account: what execution ports, the user stream and the store tell the engine.

Every one names its realm. A failed read is a failed read: `ok` is False, `why` says why, and the
rows are empty without meaning that there are none.
"""

from polytui.engine.core.events import AnyEvent, Event
from polytui.engine.core.ids import ConnId
from polytui.engine.core.order_enums import OrderState, Realm, SendOutcome, VenueCode
from polytui.engine.core.trading import (
    AccountTotals,
    Balance,
    BundleRecord,
    HeldPosition,
    HostFacts,
    Identity,
    OrderRecord,
    PositionRecord,
    Refusal,
    TradeRecord,
    VenueOrder,
    VenueTrade,
)


class AccountEvent(Event, frozen=True, kw_only=True, tag=False):
    """Common to all events of an account."""

    realm: Realm


# --- at the start --------------------------------------------------------------------------------


class AccountReady(AccountEvent, frozen=True, kw_only=True, tag="account_ready"):
    """An execution port exists: who we are, and what it may do."""

    identity: Identity
    port: str
    """`paper`, `practice` or `polymarket`."""
    is_practice: bool
    """True where the money is not real: the screens say so."""
    can_send: bool = True
    """False while no signer answers: LIVE is refused with this reason."""


class AccountGone(AccountEvent, frozen=True, kw_only=True, tag="account_gone"):
    """The port or its signer ended: nothing can be sent until it is back."""

    why: str


class AccountRestored(AccountEvent, frozen=True, kw_only=True, tag="account_restored"):
    """What the store knows of this account, before anything else is believed of it.

    Orders: all that are not terminal, and terminal ones of the last day. Trades: all that are not
    terminal, and the keys of the last week, so that none is counted twice.
    """

    orders: tuple[OrderRecord, ...] = ()
    trades: tuple[TradeRecord, ...] = ()
    bundles: tuple[BundleRecord, ...] = ()
    positions: tuple[PositionRecord, ...] = ()
    totals: AccountTotals | None = None
    last_trade_s: int = 0
    """Venue seconds of the newest trade known: reads begin a little before."""


class ControlRestored(Event, frozen=True, kw_only=True, tag="control_restored"):
    """Controls as the last run left them: pairs of key and JSON value (`RecordControl`)."""

    rows: tuple[tuple[str, str], ...]


# --- orders --------------------------------------------------------------------------------------


class OrderStaged(AccountEvent, frozen=True, kw_only=True, tag="order_staged"):
    """Orders got on their way: JOURNALLED, SIGNED or SENT."""

    cids: tuple[str, ...]
    stage: OrderState


class OrderAnswered(AccountEvent, frozen=True, kw_only=True, tag="order_answered"):
    """What became of one order that was to be sent."""

    cid: str
    order_hash: str
    outcome: SendOutcome
    status: str = ""
    """ACCEPTED: `live`, `matched`, `delayed`, `unmatched`."""
    making_u6: int = 0
    taking_u6: int = 0
    """Matched at once, as the venue states it; 0 when it says nothing."""
    trade_ids: tuple[str, ...] = ()
    code: VenueCode = VenueCode.NONE
    refusal: Refusal | None = None
    """NOT_SENT by the gate: which control."""
    text: str = ""
    """Escaped, at most 80 characters."""
    http: int = 0
    retry_after_s: int = 0
    took_ns: int = 0
    """From bytes written to the answer read."""


class CancelAnswered(AccountEvent, frozen=True, kw_only=True, tag="cancel_answered"):
    """What became of a cancel: 200 does not mean cancelled."""

    request: str
    outcome: SendOutcome
    canceled: tuple[str, ...] = ()
    not_canceled: tuple[tuple[str, str], ...] = ()
    """(order hash, escaped reason)."""
    code: VenueCode = VenueCode.NONE
    http: int = 0
    retry_after_s: int = 0
    took_ns: int = 0


class UserOrder(AccountEvent, frozen=True, kw_only=True, tag="user_order"):
    """The user stream on one of our orders."""

    conn: ConnId
    order: VenueOrder
    venue_ms: int


class UserTrade(AccountEvent, frozen=True, kw_only=True, tag="user_trade"):
    """The user stream on one of our trades."""

    conn: ConnId
    trade: VenueTrade
    venue_ms: int


class UserStream(AccountEvent, frozen=True, kw_only=True, tag="user_stream"):
    """The user stream came up or went: no snapshot, no replay, so every gap is swept."""

    conn: ConnId
    up: bool
    why: str = ""


class UserBeat(AccountEvent, frozen=True, kw_only=True, tag="user_beat"):
    """The user stream proved its link (PONG): at most one a second."""

    conn: ConnId


# --- reads ---------------------------------------------------------------------------------------


class OrderRead(AccountEvent, frozen=True, kw_only=True, tag="order_read"):
    """One order by hash. `ok` and no order: the venue knows no active one; look in trades."""

    order_hash: str
    ok: bool
    order: VenueOrder | None = None
    why: str = ""


class OpenOrdersRead(AccountEvent, frozen=True, kw_only=True, tag="open_orders_read"):
    """All open orders, as of between asking and answering."""

    request: str
    asked_ns: int
    ok: bool
    orders: tuple[VenueOrder, ...] = ()
    why: str = ""


class TradesRead(AccountEvent, frozen=True, kw_only=True, tag="trades_read"):
    """Our trades since a moment, or one by id."""

    request: str
    asked_ns: int
    ok: bool
    after_s: int = 0
    trade_id: str = ""
    trades: tuple[VenueTrade, ...] = ()
    why: str = ""


class BalancesRead(AccountEvent, frozen=True, kw_only=True, tag="balances_read"):
    """Collateral and tokens, and whether the exchanges may move collateral."""

    request: str
    asked_ns: int
    ok: bool
    balances: tuple[Balance, ...] = ()
    allowance_u6: int = 0
    """The smallest over the contracts we trade on."""
    why: str = ""


class PositionsRead(AccountEvent, frozen=True, kw_only=True, tag="positions_read"):
    """The Data API's audit."""

    request: str
    asked_ns: int
    ok: bool
    positions: tuple[HeldPosition, ...] = ()
    why: str = ""


class ClockRead(AccountEvent, frozen=True, kw_only=True, tag="clock_read"):
    """Venue time minus ours."""

    ok: bool
    offset_ns: int = 0
    rtt_ns: int = 0
    """Uncertainty: the venue answers in whole seconds, so half a second more."""
    asked_ns: int = 0
    """When it was asked for; 0 (older logs): taken to be the uncertainty ago."""
    why: str = ""


class HeartbeatAnswered(AccountEvent, frozen=True, kw_only=True, tag="heartbeat_answered"):
    """A heartbeat's answer; with a wrong id the venue names the one it expects."""

    ok: bool
    heartbeat_id: str = ""
    code: VenueCode = VenueCode.NONE
    why: str = ""


class VenueChecked(AccountEvent, frozen=True, kw_only=True, tag="venue_checked"):
    """Version, region, standing and heartbeat policy, at start and when an error asks for it."""

    ok: bool
    version: int = 0
    blocked: bool = False
    country: str = ""
    closed_only: bool = False
    why: str = ""


class BudgetRead(AccountEvent, frozen=True, kw_only=True, tag="budget_read"):
    """The venue's own buckets, from its headers; only when they moved by a tenth or are low."""

    orders_left: int
    orders_burst: int
    cancels_left: int
    cancels_burst: int
    tier: str = ""
    warning: bool = False


class PairsMoved(AccountEvent, frozen=True, kw_only=True, tag="pairs_moved"):
    """A split, merge or redemption: accepted means confirmed on chain."""

    request: str
    outcome: SendOutcome
    op: str
    market: str
    qty_u6: int
    paid_u6: int = 0
    why: str = ""


class PaperRead(AccountEvent, frozen=True, kw_only=True, tag="paper_read"):
    """How far paper's fills may be believed: what the books covered, what both models came to."""

    booked_by: str
    """`averse` or `probabilistic`."""
    models: str
    """Both results in one line."""
    coverage: float
    """Share of the time asked for, 0 … 1."""
    gaps: int = 0
    silence_ns: int = 0


class SentinelSaid(AccountEvent, frozen=True, kw_only=True, tag="sentinel_said"):
    """What the sentinel did: `fired`, `swept`, `verified`, `not verified`, `refused` to watch."""

    state: str
    why: str = ""
    attempts: int = 0
    canceled: int = 0
    """By this sweep."""
    left: int = -1
    """Open orders it read after a sweep; -1: nobody said."""
    took_ms: int = 0


# --- the host ------------------------------------------------------------------------------------


class HostState(Event, frozen=True, kw_only=True, tag="host_state"):
    """What the shell measures: every second, and at once when a flag flips."""

    facts: HostFacts


AnyAccountEvent = (
    AccountReady
    | AccountGone
    | AccountRestored
    | ControlRestored
    | OrderStaged
    | OrderAnswered
    | CancelAnswered
    | UserOrder
    | UserTrade
    | UserStream
    | UserBeat
    | OrderRead
    | OpenOrdersRead
    | TradesRead
    | BalancesRead
    | PositionsRead
    | ClockRead
    | HeartbeatAnswered
    | VenueChecked
    | BudgetRead
    | PairsMoved
    | PaperRead
    | SentinelSaid
    | HostState
)
"""The closed set."""

AnyInput = AnyEvent | AnyAccountEvent
"""Everything that enters the engine, for decoding a log."""
