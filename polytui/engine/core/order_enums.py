"""Closed vocabularies of the order path (`docs/design.md`, execution reference §1 to §5)."""

from enum import Enum


class Realm(Enum):
    """Whose money: two accounts live side by side and never mix."""

    PAPER = "paper"
    LIVE = "live"
    """The venue's: real money, or practice money on the practice venue."""


class OrderType(Enum):
    """How long an order may live, as the venue writes it (`venue/polymarket.md` §3.1)."""

    GTC = "GTC"
    GTD = "GTD"
    FOK = "FOK"
    FAK = "FAK"

    @property
    def is_resting(self) -> bool:
        """Tell whether what does not match at once stays in the book."""
        return self in (OrderType.GTC, OrderType.GTD)


class Purpose(Enum):
    """What an order is for: only OPEN takes new risk on purpose."""

    OPEN = "open"
    HEDGE = "hedge"
    """A later leg of a bundle whose first leg filled."""
    REDUCE = "reduce"
    """An exit of a residue or position."""
    FLATTEN = "flatten"
    """An operator's exit: lawful while KILLED, sells only, inside a slippage bound."""


class OrderState(Enum):
    """One per order; the table of lawful edges is `orders/lifecycle.py`."""

    PROPOSED = "proposed"
    VETOED = "vetoed"
    APPROVED = "approved"
    JOURNALLED = "journalled"
    SIGNED = "signed"
    DROPPED = "dropped"
    """LIVE_DRY_RUN ends here: signed, checked, never sent."""
    SENT = "sent"
    REFUSED = "refused"
    """Proof that the venue did not take it, or that it never left."""
    UNKNOWN = "unknown"
    DELAYED = "delayed"
    LIVE = "live"
    PARTIAL = "partial"
    MATCHED = "matched"
    UNMATCHED = "unmatched"
    CANCELED = "canceled"
    EXPIRED = "expired"
    RESOLVED = "resolved"

    @property
    def is_terminal(self) -> bool:
        """Tell whether nothing but a late fill can still happen."""
        return self in _TERMINAL

    @property
    def may_rest(self) -> bool:
        """Tell whether the venue may hold it now: counts as exposure, is swept and cancelled."""
        return self in _AT_VENUE


_TERMINAL = frozenset(
    {
        OrderState.VETOED,
        OrderState.DROPPED,
        OrderState.REFUSED,
        OrderState.MATCHED,
        OrderState.UNMATCHED,
        OrderState.CANCELED,
        OrderState.EXPIRED,
        OrderState.RESOLVED,
    }
)
_AT_VENUE = frozenset(
    {
        OrderState.SENT,
        OrderState.UNKNOWN,
        OrderState.DELAYED,
        OrderState.LIVE,
        OrderState.PARTIAL,
    }
)


class Witness(Enum):
    """What an edge of a machine rests on."""

    GATE = "gate"
    JOURNAL = "journal"
    SIGNER = "signer"
    WIRE = "wire"
    """Bytes were handed to the socket."""
    REST_ANSWER = "rest_answer"
    REST_READ = "rest_read"
    USER_STREAM = "user_stream"
    TRADE = "trade"
    TIMEOUT = "timeout"
    OPERATOR = "operator"
    RESTORED = "restored"
    """Read back from the store at start-up."""
    MARKET = "market"
    """The market resolved or closed."""


class SendOutcome(Enum):
    """What a request came to: the third is not a kind of the second."""

    ACCEPTED = "accepted"
    REFUSED = "refused"
    """The venue said no, with a code."""
    UNKNOWN = "unknown"
    """Timeout, 5xx, transport or parse error: it may have happened."""
    NOT_SENT = "not_sent"
    """It never left this process: gate, signer, journal or budget refused."""
    DROPPED = "dropped"
    """LIVE_DRY_RUN."""


class VenueCode(Enum):
    """Why the venue refused, from the stable fragments of its texts (§3.4)."""

    NONE = ""
    BALANCE = "balance"
    TICK = "tick"
    SIZE = "size"
    MARKETABLE_MIN = "marketable_min"
    POST_ONLY_CROSS = "post_only_cross"
    FOK_KILLED = "fok_killed"
    FAK_KILLED = "fak_killed"
    AMOUNTS = "amounts"
    DUPLICATE = "duplicate"
    """Already there: reconcile by id, treat as accepted."""
    VERSION = "version"
    WALLET = "wallet"
    BANNED = "banned"
    CLOSED_ONLY = "closed_only"
    EXPIRATION = "expiration"
    PAYLOAD = "payload"
    NOT_READY = "not_ready"
    AUTH = "auth"
    NO_BOOK = "no_book"
    RESTARTING = "restarting"
    RATE_LIMITED = "rate_limited"
    TIMED_OUT = "timed_out"
    ENGINE_ERROR = "engine_error"
    """500 with a text of the matching engine."""
    DISABLED = "disabled"
    CANCEL_ONLY = "cancel_only"
    POST_ONLY_MODE = "post_only_mode"
    BATCH = "batch"
    OTHER = "other"
    """A text nobody has seen: counted, shown, never guessed at."""


class TradeStatus(Enum):
    """Of a trade at the venue. Two are terminal; two contradicting terminals are a FAULT."""

    NOT_BROADCAST = "not_broadcast"
    MATCHED = "matched"
    MINED = "mined"
    RETRYING = "retrying"
    CONFIRMED = "confirmed"
    FAILED = "failed"

    @property
    def is_terminal(self) -> bool:
        """Tell whether the chain has spoken."""
        return self in (TradeStatus.CONFIRMED, TradeStatus.FAILED)


class Applied(Enum):
    """What a trade has done to our books so far."""

    NONE = "none"
    PROVISIONAL = "provisional"
    STALLED = "stalled"
    """Provisional for longer than 120 s."""
    PROMOTED = "promoted"
    VOIDED = "voided"
    FAULT = "fault"
    """Confirmed and failed: the market is halted, a person decides."""


class FillKind(Enum):
    """How a trade moves our books, one step at a time."""

    PROVISIONAL = "provisional"
    PROMOTED = "promoted"
    VOIDED = "voided"
    FAULT = "fault"


class BundleState(Enum):
    """Legs that belong together."""

    PLANNED = "planned"
    LEG1_SENT = "leg1_sent"
    LEG1_FILLED = "leg1_filled"
    HEDGING = "hedging"
    COMPLETE = "complete"
    RESIDUE = "residue"
    """One side is naked; a clock runs."""
    FLAT = "flat"

    @property
    def is_terminal(self) -> bool:
        """Tell whether it is over (a late fill reopens it as RESIDUE)."""
        return self in (BundleState.COMPLETE, BundleState.FLAT)


class Control(Enum):
    """Controls of the gate, in the order they are asked (execution reference §3)."""

    KILLED = "G01"
    TRADING_STATE = "G02"
    MODE = "G03"
    INSTANCE = "G04"
    HEARTBEAT = "G05"
    CLOCK = "G06"
    JOURNAL = "G07"
    LOOP_LAG = "G08"
    TRADABLE = "G09"
    FRESHNESS = "G10"
    BOOK_VALID = "G11"
    OWNERSHIP = "G12"
    GRID = "G13"
    COLLAR = "G14"
    ORDER_SIZE = "G15"
    DEPTH_SHARE = "G16"
    EXPOSURE = "G17"
    FUNDS = "G18"
    DUPLICATE = "G19"
    SELF_CROSS = "G20"
    RATE = "G21"
    REPETITION = "G22"
    LOSS = "G23"
    EXPIRY = "G24"
    CONDUCT = "G25"


class TradingState(Enum):
    """What the governor lets through, besides cancels, which always pass."""

    ACTIVE = "active"
    REDUCING = "reducing"
    HALTED = "halted"


class VenueState(Enum):
    """What we believe of the venue and our standing there. Only NORMAL opens intake."""

    STARTING = "starting"
    NORMAL = "normal"
    DEGRADED = "degraded"
    UNTRUSTED = "untrusted"
    """After a gap in the user stream: orders and trades are swept before intake reopens."""
    RESTARTING = "restarting"
    POST_ONLY = "post_only"
    CANCEL_ONLY = "cancel_only"
    DISABLED = "disabled"
    RATE_LIMITED = "rate_limited"
    GEO_BLOCKED = "geo_blocked"
    AUTH_FAILED = "auth_failed"
    HEARTBEAT_EXPIRED = "heartbeat_expired"


class ReleaseGate(Enum):
    """The ladder a strategy climbs; each step has preconditions and a dwell time."""

    DEV = "dev"
    PAPER_CANARY = "paper_canary"
    PAPER_FULL = "paper_full"
    LIVE_DRY_RUN = "live_dry_run"
    LIVE_ARMED = "live_armed"


class EntryKind(Enum):
    """Why money or tokens moved between accounts of the ledger."""

    OPENING = "opening"
    DEPOSIT = "deposit"
    WITHDRAWAL = "withdrawal"
    FILL = "fill"
    FEE = "fee"
    PROMOTE = "promote"
    VOID = "void"
    REBATE = "rebate"
    REWARD = "reward"
    SPLIT = "split"
    MERGE = "merge"
    REDEEM = "redeem"
    CONVERT = "convert"
    ADJUST = "adjust"
    """A reconciliation row: carries its evidence and a flag, never profit."""


class Anomaly(Enum):
    """Where the venue's word and our books part (faults B29, quant plan P1)."""

    ORPHANED_RESERVATION = "orphaned_reservation"
    PHANTOM_LOCK = "phantom_lock"
    POSITION_MISMATCH = "position_mismatch"
    CASH_MISMATCH = "cash_mismatch"
    ORDER_MISMATCH = "order_mismatch"
    OVERFILL = "overfill"
    SETTLEMENT_STALLED = "settlement_stalled"
    SETTLEMENT_FAULT = "settlement_fault"
    EXTERNAL = "external"
    """An order or trade of ours that we did not make."""


class KillStep(Enum):
    """Lines of a kill receipt, in their order."""

    GATE = "gate"
    STRATEGIES = "strategies"
    CANCEL_SENT = "cancel_sent"
    CANCEL_CONFIRMED = "cancel_confirmed"
    STRAGGLERS = "stragglers"
    VERIFIED = "verified"
    SENTINEL = "sentinel"
    FLATTEN = "flatten"
