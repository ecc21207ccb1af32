"""The contract of the practice exchange: what callers ask, and what they get back.

Facts about markets and rules are in `terms`, what the exchange says by itself in `emissions`, the
methods in `exchange.Exchange`. All numbers are integers in micro-units; ids are opaque strings;
times are virtual nanoseconds since the Unix epoch. Nothing here is provisional unless it says so.

How a caller uses it: `advance(until_ns)` to the present, one request, `drain()`. A request happens
at the present instant and its emissions follow in the order of their effects; permuting the
channels among each other (§11 S6) is the wire server's business.
"""

from enum import Enum

from msgspec import Struct

from polytui.engine.core.enums import Outcome, Side
from polytui.engine.core.order_enums import OrderType

COLLATERAL = "pUSD"
"""The asset id of collateral, beside the token ids."""


class ErrorCode(Enum):
    """Why a request was refused; texts and HTTP statuses are the table of `refusals`."""

    PAYLOAD = "payload"
    OWNER = "owner"
    MAKER = "maker"
    BANNED = "banned"
    CLOSED_ONLY = "closed_only"
    NO_BOOK = "no_book"
    NOT_READY = "not_ready"
    TICK = "tick"
    SIZE = "size"
    MARKETABLE_MIN = "marketable_min"
    ACCURACY = "accuracy"
    PRODUCT = "product"
    EXPIRATION = "expiration"
    DUPLICATE = "duplicate"
    POST_ONLY_CROSS = "post_only_cross"
    BALANCE = "balance"
    ALLOWANCE = "allowance"
    FOK_KILLED = "fok_killed"
    FAK_KILLED = "fak_killed"
    BATCH_TOO_LONG = "batch_too_long"
    CANCEL_TOO_LONG = "cancel_too_long"
    RESTARTING = "restarting"
    DISABLED = "disabled"
    CANCEL_ONLY = "cancel_only"
    POST_ONLY_MODE = "post_only_mode"
    HEARTBEAT_ID = "heartbeat_id"


class VenueError(Struct, frozen=True, kw_only=True):
    """A refusal."""

    code: ErrorCode
    text: str
    """Exactly as the venue writes it."""
    http: int
    retry_after_s: int | None = None
    """With POST_ONLY_MODE and RESTARTING: seconds until the mode ends, when it is known."""


# --- orders --------------------------------------------------------------------------------------


class OrderRequest(Struct, frozen=True, kw_only=True):
    """An order as the venue sees it; price and size follow from the amounts (§5.2)."""

    order_id: str
    """The EIP-712 digest; the caller computed and, where it matters, verified it."""
    account: str
    """Maker (funder) address."""
    owner: str
    """API key id."""
    token: str
    side: Side
    maker_amount_u6: int
    """BUY: pUSD; SELL: shares."""
    taker_amount_u6: int
    """BUY: shares; SELL: pUSD."""
    order_type: OrderType = OrderType.GTC
    post_only: bool = False
    expiration_s: int = 0
    """Unix seconds; GTD only, 0 for the others."""
    salt: int = 0


class PlaceStatus(Enum):
    """Of a placed order, in the venue's words (§3.1). A refused one has none."""

    LIVE = "live"
    MATCHED = "matched"
    """Executed at once, in part or whole; the remainder of a GTC rests."""
    DELAYED = "delayed"
    UNMATCHED = "unmatched"


class PlaceResult(Struct, frozen=True, kw_only=True):
    """The answer to one order."""

    order_id: str
    """Empty when refused."""
    error: VenueError | None = None
    status: PlaceStatus | None = None
    making_u6: int = 0
    """Matched of what the taker gives (BUY: pUSD without fee, SELL: shares); 0 writes as `""`."""
    taking_u6: int = 0
    """Matched of what the taker gets (BUY: shares, SELL: pUSD before fee)."""
    trade_ids: tuple[str, ...] = ()
    release_ns: int = 0
    """DELAYED: when the delay ends; an `OrderReleased` emission then carries the final result."""
    is_held: bool = False
    """DELAYED on an `itode` market: the HTTP answer waits for the release and shows its result."""

    @property
    def is_success(self) -> bool:
        """Tell whether the order was accepted."""
        return self.error is None


class BatchResult(Struct, frozen=True, kw_only=True):
    """The answer to a batch: an error for the whole payload, or one result a leg, in its order."""

    error: VenueError | None = None
    results: tuple[PlaceResult, ...] = ()


class CancelResult(Struct, frozen=True, kw_only=True):
    """The answer to a cancel: HTTP 200 does not mean cancelled."""

    error: VenueError | None = None
    canceled: tuple[str, ...] = ()
    not_canceled: tuple[tuple[str, str], ...] = ()
    """(order id, reason)."""


class HeartbeatResult(Struct, frozen=True, kw_only=True):
    """The answer to a heartbeat; with an error, `heartbeat_id` is the expected one (§3.3)."""

    heartbeat_id: str
    error: VenueError | None = None


# --- views ---------------------------------------------------------------------------------------


class OrderStatus(Enum):
    """State of an order; REST prefixes it with `ORDER_STATUS_`."""

    DELAYED = "DELAYED"
    LIVE = "LIVE"
    MATCHED = "MATCHED"
    UNMATCHED = "UNMATCHED"
    CANCELED = "CANCELED"


class CancelReason(Enum):
    """Status texts of a CANCELLATION (§4.2)."""

    ASKED = "CANCELED"
    RESOLVED = "CANCELED_MARKET_RESOLVED"
    BALANCE = "CANCELED_NOT_ENOUGH_BALANCE"
    NO_MARKET = "CANCELED_MARKET_NOT_FOUND"
    EXPIRED = "CANCELED_EXPIRED_ORDER"
    TIMED_OUT = "CANCELED_ORDER_TIMED_OUT"
    VENUE = "INVALID"
    """Seen on venue-initiated cancels."""
    FOK = "CANCELED_order couldn't be fully filled. FOK orders are fully filled or killed."
    FAK = (
        "CANCELED_no orders found to match with FAK order. FAK orders are partially filled or "
        "killed if no match is found."
    )
    UNMATCHED = "UNMATCHED"


class OrderView(Struct, frozen=True, kw_only=True):
    """An order as `/data/orders` and the user stream show it, in the terms of its own token."""

    order_id: str
    account: str
    owner: str
    condition: str
    token: str
    outcome: str
    """Display name, e.g. `Up`."""
    side: Side
    px_u6: int
    """Limit price on the grid."""
    qty_u6: int
    """Original size; a FAK/FOK BUY may be matched for more."""
    matched_u6: int
    order_type: OrderType
    expiration_s: int
    created_ns: int
    status: OrderStatus
    trade_ids: tuple[str, ...] = ()
    is_scoring: bool = False
    """Counted in the last liquidity-reward sample (`/order-scoring`)."""


class Form(Enum):
    """How a maker's fill settles (§5.3)."""

    COMPLEMENTARY = "complementary"
    MINT = "mint"
    MERGE = "merge"


class TradeStatus(Enum):
    """Of a trade; REST prefixes it with `TRADE_STATUS_`. CONFIRMED and FAILED are terminal."""

    MATCHED = "MATCHED"
    MINED = "MINED"
    CONFIRMED = "CONFIRMED"
    RETRYING = "RETRYING"
    FAILED = "FAILED"


class MakerFill(Struct, frozen=True, kw_only=True):
    """One maker's part of a trade, in the terms of the maker's own token."""

    order_id: str
    account: str
    owner: str
    token: str
    outcome: str
    outcome_ix: int
    side: Side
    px_u6: int
    qty_u6: int
    cash_u6: int
    """pUSD the maker pays (BUY) or receives (SELL); makers pay no fee."""
    form: Form


class TradeView(Struct, frozen=True, kw_only=True):
    """A trade: one taker, one price, one or more makers."""

    trade_id: str
    condition: str
    taker_order_id: str
    account: str
    """The taker's."""
    owner: str
    token: str
    outcome: str
    side: Side
    px_u6: int
    """In the terms of the taker's token."""
    qty_u6: int
    cash_u6: int
    """pUSD for the shares, before the fee."""
    fee_u6: int
    """Taker fee: a BUY pays it on top, a SELL receives so much less."""
    status: TradeStatus
    matched_ns: int
    updated_ns: int
    tx_hash: str
    """Empty until the first attempt to mine; every RETRYING changes it."""
    makers: tuple[MakerFill, ...]


class BookView(Struct, frozen=True, kw_only=True):
    """The book of a condition, keyed on YES; the NO book is its mirror."""

    condition: str
    bids: tuple[tuple[int, int], ...]
    """(price, total size), ascending: the best is last. NO sells appear here at 1 - p."""
    asks: tuple[tuple[int, int], ...]
    """Ascending: the best is first. NO buys appear here at 1 - p."""
    changed_ns: int
    """Time of the last change."""
    last_trade_u6: int | None
    """In the terms of the token that traded, as in the book digest."""
    last_trade_token: str
    last_trade_side: Side | None
    tick_u6: int


class AssetBalance(Struct, frozen=True, kw_only=True):
    """One asset of one account, as the venue's gate reckons it."""

    balance_u6: int
    """On chain: what `/balance-allowance` answers. Matched, unsettled trades are still in it."""
    active_u6: int
    """Reserved by open and delayed orders ("sum of active orders")."""
    matched_u6: int
    """Owed by trades not yet CONFIRMED or FAILED ("sum of matched orders")."""
    incoming_u6: int
    """Due from trades not yet CONFIRMED or FAILED; not spendable."""

    @property
    def free_u6(self) -> int:
        """What a new order may use, allowances aside."""
        return self.balance_u6 - self.active_u6 - self.matched_u6


class PositionView(Struct, frozen=True, kw_only=True):
    """Confirmed holdings of one token, with their cost (Data API `/v2/positions`)."""

    account: str
    condition: str
    token: str
    outcome: Outcome
    qty_u6: int
    cost_u6: int
    """pUSD paid for `qty_u6`, without fees; splits and conversions are booked at their shares."""
    fees_u6: int
    """Taker fees paid on this token so far."""
    realized_u6: int
    """Profit of sells, merges and redemptions so far, before fees."""
    redeemable_u6: int
    """pUSD that `redeem` would pay now; 0 before resolution."""


class Accrued(Struct, frozen=True, kw_only=True):
    """What one account paid and earned besides trading, since the start."""

    fees_u6: int
    rebates_u6: int
    """Accrued today, unpaid."""
    rebates_paid_u6: int
    rewards_u6: int
    """Accrued today, unpaid."""
    rewards_paid_u6: int
