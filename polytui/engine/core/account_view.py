"""The account's part of the View: orders, settlement, positions, risk, kill, arming.

As in `view`: frozen, in micro-units, every row with its own time; the console computes nothing
about money. Rows are bounded; `more` counts what was left out, so that nothing hides.
"""

from msgspec import Struct

from polytui.engine.core.enums import Mode, Outcome, Side
from polytui.engine.core.order_enums import (
    Anomaly,
    Applied,
    BundleState,
    Control,
    KillStep,
    OrderState,
    OrderType,
    Purpose,
    Realm,
    ReleaseGate,
    TradeStatus,
    TradingState,
    VenueState,
    Witness,
)
from polytui.engine.core.section import CountView, Section


class EdgeView(Struct, frozen=True, kw_only=True):
    """One step in the life of an order, with what it rests on."""

    at_ns: int
    state: OrderState
    witness: Witness
    detail: str


class OrderRow(Struct, frozen=True, kw_only=True):
    """One order. Working, finished lately, vetoed, unknown: the state says which."""

    cid: str
    order_hash: str
    strategy: str
    market: str
    title: str
    outcome: str
    side: Side
    px_u6: int
    qty_u6: int
    filled_u6: int
    provisional_u6: int
    """Of the filled: not settled yet."""
    remaining_u6: int
    order_type: OrderType
    purpose: Purpose
    state: OrderState
    external: bool
    created_ns: int
    updated_ns: int
    sent_ns: int
    """0: never."""
    ack_us: int
    """From bytes written to the answer; 0 while there is none."""
    expires_ns: int
    cancel_ns: int
    """When a cancel was asked for; 0: never."""
    cancel_attempts: int
    probe_ns: int
    """When it is looked up next; 0: nothing to look up."""
    why: str
    """The strategy's rationale, the gate's refusal with limit and value, or the venue's text."""
    snapshot: int
    bundle: str
    limbo: bool
    """Older than its state may be: counted on the home screen."""
    edges: tuple[EdgeView, ...]
    """Oldest first."""


class FillRow(Struct, frozen=True, kw_only=True):
    """One trade of one of our orders, on both axes: what the venue says, what we applied."""

    trade_id: str
    cid: str
    order_hash: str
    strategy: str
    market: str
    title: str
    outcome: str
    side: Side
    px_u6: int
    qty_u6: int
    cash_u6: int
    fee_u6: int
    is_maker: bool
    status: TradeStatus
    applied: Applied
    first_ns: int
    updated_ns: int
    tx_hash: str
    reads: int


class LegView(Struct, frozen=True, kw_only=True):
    """One leg of a bundle, as planned and as it came."""

    outcome: str
    side: Side
    px_u6: int
    qty_u6: int
    filled_u6: int
    paid_u6: int
    """All-in cash so far, fees included."""
    cids: tuple[str, ...]


class BundleRow(Struct, frozen=True, kw_only=True):
    """A bundle with its clock."""

    bundle: str
    strategy: str
    market: str
    title: str
    state: BundleState
    created_ns: int
    updated_ns: int
    legs: tuple[LegView, ...]
    residue_outcome: str
    residue_u6: int
    residue_since_ns: int
    """0: no side is naked."""
    plan: str
    """`complete`, `sell`, `rest` or empty, with the reason."""
    why: str


class OrdersView(Section, frozen=True, kw_only=True, tag="orders"):
    """The Orders page; newest first everywhere."""

    realm: Realm
    orders: tuple[OrderRow, ...]
    fills: tuple[FillRow, ...]
    bundles: tuple[BundleRow, ...]
    more_orders: int
    more_fills: int
    more_bundles: int
    counters: tuple[CountView, ...]
    """By state and by outcome since the start: `sent`, `refused`, `unknown`, `vetoed` …"""


class PositionRow(Struct, frozen=True, kw_only=True):
    """One token of one strategy."""

    strategy: str
    market: str
    title: str
    group: str
    token: str
    outcome: str
    side: Outcome
    confirmed_u6: int
    provisional_in_u6: int
    provisional_out_u6: int
    reserved_u6: int
    """In open sell orders."""
    sellable_u6: int
    cost_u6: int
    avg_px_u6: int
    """0 when nothing is held."""
    mark_u6: int
    """Best bid; -1 without one."""
    value_u6: int
    realized_u6: int
    unrealized_u6: int
    fees_u6: int
    oldest_ns: int
    """First sighting of the oldest provisional amount; 0: all settled."""
    updated_ns: int


class MarketExposureRow(Struct, frozen=True, kw_only=True):
    """A market's exposure in both worlds, against its cap."""

    market: str
    title: str
    group: str
    worst_u6: int
    settled_u6: int
    """As if every provisional fill settles."""
    failed_u6: int
    """As if every provisional fill fails."""
    cap_u6: int
    pairs_u6: int
    """Merge-able cash."""


class AnomalyRow(Struct, frozen=True, kw_only=True):
    """A difference between the venue's word and ours."""

    anomaly: Anomaly
    subject: str
    title: str
    ours: str
    theirs: str
    since_ns: int
    resolved_ns: int
    """0: still open."""
    detail: str


class ScopeRow(Struct, frozen=True, kw_only=True):
    """Profit and exposure of one strategy."""

    strategy: str
    exposure_u6: int
    cap_u6: int
    realized_u6: int
    unrealized_u6: int
    fees_u6: int
    rebates_u6: int
    rewards_u6: int
    day_u6: int
    fills: int


class PositionsView(Section, frozen=True, kw_only=True, tag="positions"):
    """The Positions page: settlement on two axes, at-risk amounts, merge-able cash, headroom."""

    realm: Realm
    is_practice: bool
    rows: tuple[PositionRow, ...]
    markets: tuple[MarketExposureRow, ...]
    strategies: tuple[ScopeRow, ...]
    anomalies: tuple[AnomalyRow, ...]
    cash_u6: int
    """Confirmed."""
    incoming_u6: int
    outgoing_u6: int
    reserved_u6: int
    free_u6: int
    equity_u6: int
    peak_u6: int
    pairs_u6: int
    at_risk_u6: int
    """Cash and value of amounts not settled yet."""
    exposure_u6: int
    cap_u6: int
    realized_u6: int
    unrealized_u6: int
    fees_u6: int
    rebates_u6: int
    rewards_u6: int
    day_u6: int
    failed_share: float
    """Of the last fills."""
    balances_ns: int
    """When balances were last read; 0: never."""


class CheckRow(Struct, frozen=True, kw_only=True):
    """One line of a preflight, a release gate or the gate's table."""

    code: str
    ok: bool
    title: str
    value: str
    limit: str


class ControlRow(Struct, frozen=True, kw_only=True):
    """One control of the gate with its counters."""

    control: Control
    title: str
    limit: str
    refused: int
    last_ns: int
    last: str
    """The last refusal in words."""


class BreakerRow(Struct, frozen=True, kw_only=True):
    """A breaker; only a person resets it."""

    name: str
    tripped_ns: int
    """0: closed."""
    why: str


class CauseRow(Struct, frozen=True, kw_only=True):
    """Why trading is not ACTIVE."""

    state: TradingState
    cause: str
    since_ns: int
    clears: str
    """`evidence` or `person`."""


class LimitRow(Struct, frozen=True, kw_only=True):
    """A limit as it is now."""

    name: str
    value: int
    configured: int
    unit: str
    used: int
    """-1 where use has no meaning."""


class GateRow(Struct, frozen=True, kw_only=True):
    """A strategy on the release ladder."""

    strategy: str
    gate: ReleaseGate
    since_ns: int
    next_gate: ReleaseGate | None
    checks: tuple[CheckRow, ...]
    """What the next step needs."""
    last: str
    """Machine-readable reason of the last transition."""


class KillLine(Struct, frozen=True, kw_only=True):
    """One line of the receipt."""

    step: KillStep
    done: bool
    after_us: int
    """From the trigger; -1 while open."""
    text: str


class KillView(Struct, frozen=True, kw_only=True):
    """The kill's receipt; `open` comes from the venue's own answer, never from hope."""

    killed: bool
    at_ns: int
    actor: str
    reason: str
    lines: tuple[KillLine, ...]
    open_orders: int
    """-1 until the venue was read after the kill."""
    read_ns: int
    """When that read was answered; 0: not yet."""
    unknown: int
    verified: bool
    attempts: int
    fills_after: int
    flatten: tuple[KillLine, ...] = ()
    flatten_state: str = ""
    """`` none, `cancelling`, `exiting`, `verifying`, `done`, `stopped`."""


class ArmView(Struct, frozen=True, kw_only=True):
    """The arming ritual: nothing here is armed before `armed_until_ns` is set."""

    stage: str
    """`idle`, `preflight`, `challenged`, `countdown`, `armed`."""
    checks: tuple[CheckRow, ...]
    hash: str
    phrase: str
    """What must be typed; empty while no challenge is open."""
    cap_u6: int
    hours: int
    countdown_ns: int
    """When the countdown ends; 0: none."""
    armed_until_ns: int
    reason: str
    """Of the last transition, machine-readable."""


class RiskView(Section, frozen=True, kw_only=True, tag="risk"):
    """The Risk page and the kill screen."""

    mode: Mode
    realm: Realm
    is_practice: bool
    venue_state: VenueState
    venue_why: str
    trading: TradingState
    causes: tuple[CauseRow, ...]
    intake_open: bool
    intake_why: str
    controls: tuple[ControlRow, ...]
    limits: tuple[LimitRow, ...]
    breakers: tuple[BreakerRow, ...]
    gates: tuple[GateRow, ...]
    kill: KillView
    arm: ArmView
    venue_rows: tuple[OrderRow, ...]
    """While KILLED: what the venue last said is still open."""
    heartbeat_ns: int
    clock_offset_us: int
    clock_ns: int
    """When measured; 0: never."""
    orders_left: int
    cancels_left: int
    """-1: the venue has not said."""


class AccountStatus(Struct, frozen=True, kw_only=True):
    """The account in the status bar."""

    realm: Realm
    is_practice: bool
    killed: bool
    verified: bool
    trading: TradingState
    venue_state: VenueState
    venue_why: str
    intake_open: bool
    intake_why: str
    armed_until_ns: int
    open_orders: int
    unknown: int
    limbo: int
    provisional: int
    oldest_provisional_ns: int
    residues: int
    anomalies: int
    exposure_u6: int
    cap_u6: int
    equity_u6: int
    day_u6: int
    user_ns: int
    """Last sign of life of the user stream; 0: never."""
    stale_sent: int
    """`orders_sent_on_stale_state_total`: always 0."""


NO_ACCOUNT = AccountStatus(
    realm=Realm.PAPER,
    is_practice=True,
    killed=False,
    verified=False,
    trading=TradingState.HALTED,
    venue_state=VenueState.STARTING,
    venue_why="no account",
    intake_open=False,
    intake_why="no account",
    armed_until_ns=0,
    open_orders=0,
    unknown=0,
    limbo=0,
    provisional=0,
    oldest_provisional_ns=0,
    residues=0,
    anomalies=0,
    exposure_u6=0,
    cap_u6=0,
    equity_u6=0,
    day_u6=0,
    user_ns=0,
    stale_sent=0,
)

ORDERS = "orders"
POSITIONS = "positions"
RISK = "risk"
