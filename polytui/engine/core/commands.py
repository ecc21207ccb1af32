"""Commands: every output of the engine. The shell carries them out; nothing else does.

Records come first: the shell hands a step's records to the store before it carries out what follows
them, and an order leaves only when its record is durable. A realm says whose execution port acts.
"""

from msgspec import Struct

from polytui.engine.core.decision import Decision
from polytui.engine.core.enums import Reason
from polytui.engine.core.ids import ConnId
from polytui.engine.core.order_enums import Anomaly, Realm
from polytui.engine.core.trading import (
    AccountTotals,
    BundleRecord,
    LedgerEntry,
    OrderRecord,
    PositionRecord,
    Terms,
    TradeRecord,
)


class Command(Struct, frozen=True, kw_only=True, tag=True, gc=False):
    """Base of all outputs."""

    cause: int
    """Seq of the event that led to it."""


class RecordDecision(Command, frozen=True, kw_only=True, tag="record_decision"):
    """Put a decision, with the arbiter's verdict, into the log.

    Sent for every intent, refusal and block, and for a hold whose reason changed; the running
    digest of the engine covers every single decision.
    """

    decision: Decision


class RecordTally(Command, frozen=True, kw_only=True, tag="record_tally"):
    """Put the count and running digest of all decisions so far into the log.

    Sent every thousand decisions: holds that were not news are proven by it in a replay.
    """

    total: int
    digest: str


class Resync(Command, frozen=True, kw_only=True, tag="resync"):
    """Get a fresh snapshot of a market: resubscribe it on its connection."""

    conn: ConnId
    market: str
    tokens: tuple[str, str]
    reason: Reason


class ReadWitness(Command, frozen=True, kw_only=True, tag="read_witness"):
    """Read a token's book over REST and answer with `BookWitness`."""

    market: str
    token: str


class Follow(Command, frozen=True, kw_only=True, tag="follow"):
    """Learn and follow a market that nobody listed: something of ours is in it."""

    market: str


class Unfollow(Command, frozen=True, kw_only=True, tag="unfollow"):
    """Let go of a market that is over and in which nothing of ours is left."""

    market: str


class ReadReferenceBook(Command, frozen=True, kw_only=True, tag="read_reference_book"):
    """Read an exchange's full book over REST and answer with `RefBook` (Binance bridging)."""

    symbol: str


class Reconnect(Command, frozen=True, kw_only=True, tag="reconnect"):
    """Drop a connection that can no longer be trusted and open a new one."""

    conn: ConnId
    reason: Reason


# --- records of the account ----------------------------------------------------------------------


class RecordOrder(Command, frozen=True, kw_only=True, tag="record_order"):
    """Keep an order's state; the latest per cid wins."""

    order: OrderRecord


class RecordTrade(Command, frozen=True, kw_only=True, tag="record_trade"):
    """Keep a trade's state; the latest per (trade id, order hash) wins."""

    trade: TradeRecord


class RecordEntry(Command, frozen=True, kw_only=True, tag="record_entry"):
    """Append a ledger entry, with the totals and position it leads to."""

    entry: LedgerEntry
    positions: tuple[PositionRecord, ...] = ()
    """Those it changed, as they are after it."""


class RecordTotals(Command, frozen=True, kw_only=True, tag="record_totals"):
    """Keep a checkpoint of the ledger: a restart begins from the latest one."""

    totals: AccountTotals


class RecordBundle(Command, frozen=True, kw_only=True, tag="record_bundle"):
    """Keep a bundle's state; the latest per bundle wins."""

    bundle: BundleRecord


class RecordControl(Command, frozen=True, kw_only=True, tag="record_control"):
    """Keep a control's state that must survive a restart: latch, mode, limits, breakers, gates."""

    key: str
    value: str
    """JSON."""


class RecordAnomaly(Command, frozen=True, kw_only=True, tag="record_anomaly"):
    """Keep a difference between the venue's word and ours, both numbers shown."""

    realm: Realm
    anomaly: Anomaly
    subject: str
    ours: str
    theirs: str
    detail: str = ""


# --- to the execution port of a realm ------------------------------------------------------------


class PortCommand(Command, frozen=True, kw_only=True, tag=False):
    """Common to everything an execution port carries out."""

    realm: Realm


class PlaceOrders(PortCommand, frozen=True, kw_only=True, tag="place_orders"):
    """Journal, sign, pass the gate once more, send: one request for one order, a batch for more.

    Each leg is answered by its own `OrderStaged`s and one `OrderAnswered`, matched by order hash.
    """

    orders: tuple[Terms, ...]


class CancelOrders(PortCommand, frozen=True, kw_only=True, tag="cancel_orders"):
    """Cancel by hash (`/order`, `/orders`); answered by `CancelAnswered`."""

    request: str
    hashes: tuple[str, ...]


class CancelMarket(PortCommand, frozen=True, kw_only=True, tag="cancel_market"):
    """Cancel everything of ours in a market, or on one token of it."""

    request: str
    market: str
    token: str = ""


class CancelAll(PortCommand, frozen=True, kw_only=True, tag="cancel_all"):
    """Cancel everything of this key. Never waits for a journal, a budget or a gate."""

    request: str


class ReadOrder(PortCommand, frozen=True, kw_only=True, tag="read_order"):
    """Read one order by hash; answered by `OrderRead`."""

    order_hash: str


class ReadOpenOrders(PortCommand, frozen=True, kw_only=True, tag="read_open_orders"):
    """Read all open orders, every page; answered by `OpenOrdersRead`."""

    request: str


class ReadTrades(PortCommand, frozen=True, kw_only=True, tag="read_trades"):
    """Read our trades, every page, since a moment or one by id; answered by `TradesRead`."""

    request: str
    after_s: int = 0
    trade_id: str = ""


class ReadBalances(PortCommand, frozen=True, kw_only=True, tag="read_balances"):
    """Read collateral and these tokens; answered by `BalancesRead`."""

    request: str
    tokens: tuple[str, ...] = ()
    refresh: bool = False
    """Ask the venue to re-read the chain first (`/balance-allowance/update`)."""


class ReadPositions(PortCommand, frozen=True, kw_only=True, tag="read_positions"):
    """Read the Data API's positions: an audit, never the order-time position."""

    request: str


class ReadClock(PortCommand, frozen=True, kw_only=True, tag="read_clock"):
    """Measure the venue's clock; answered by `ClockRead`."""


class SendHeartbeat(PortCommand, frozen=True, kw_only=True, tag="send_heartbeat"):
    """Beat once, with the id the venue last gave; answered by `HeartbeatAnswered`."""

    heartbeat_id: str


class MovePairs(PortCommand, frozen=True, kw_only=True, tag="move_pairs"):
    """Split, merge, redeem or convert on chain; answered by `PairsMoved`."""

    request: str
    op: str
    """`split`, `merge`, `redeem`."""
    market: str
    qty_u6: int


class SetLatch(Command, frozen=True, kw_only=True, tag="set_latch"):
    """Close or open the kill latch, in memory, on disk, in the signer and the sentinel."""

    killed: bool
    reason: str


class Notify(Command, frozen=True, kw_only=True, tag="notify"):
    """Tell the operator: an alert by code, once; the shell decides the way out."""

    code: str
    text: str


RECORDS: tuple[type[Command], ...] = (
    RecordOrder,
    RecordTrade,
    RecordEntry,
    RecordTotals,
    RecordBundle,
    RecordControl,
    RecordAnomaly,
)
"""What the store keeps."""

PORT_COMMANDS: tuple[type[PortCommand], ...] = (
    PlaceOrders,
    CancelOrders,
    CancelMarket,
    CancelAll,
    ReadOrder,
    ReadOpenOrders,
    ReadTrades,
    ReadBalances,
    ReadPositions,
    ReadClock,
    SendHeartbeat,
    MovePairs,
)
"""What the execution port of the command's realm carries out."""

AnyCommand = (
    RecordDecision
    | RecordTally
    | Resync
    | ReadWitness
    | Follow
    | Unfollow
    | ReadReferenceBook
    | Reconnect
    | RecordOrder
    | RecordTrade
    | RecordEntry
    | RecordTotals
    | RecordBundle
    | RecordControl
    | RecordAnomaly
    | PlaceOrders
    | CancelOrders
    | CancelMarket
    | CancelAll
    | ReadOrder
    | ReadOpenOrders
    | ReadTrades
    | ReadBalances
    | ReadPositions
    | ReadClock
    | SendHeartbeat
    | MovePairs
    | SetLatch
    | Notify
)
"""The closed set."""
