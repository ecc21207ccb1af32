"""Closed vocabularies. Lowercase string values; compared with `is`."""

from enum import Enum


class Mode(Enum):
    """Who executes commands. Absent configuration means SHADOW: no default trades."""

    SHADOW = "shadow"
    """Intents are decided and recorded; no order is made."""
    PAPER = "paper"
    """Orders go to the simulated venue, fed by live books."""
    LIVE_DRY_RUN = "live_dry_run"
    """Everything but the send: gated, journalled, signed, checked, dropped."""
    LIVE_ARMED = "live_armed"
    """Orders leave. On the practice venue this is the rehearsal, with practice money."""
    REPLAY = "replay"


class Side(Enum):
    """Which way, from the point of view of the token named."""

    BUY = "buy"
    SELL = "sell"


class Outcome(Enum):
    """The two tokens of a binary market, in the venue's order (Up is YES, Down is NO)."""

    YES = "yes"
    NO = "no"


class BookState(Enum):
    """May this book be used? Strategies see SYNCED books only."""

    EMPTY = "empty"
    SYNCED = "synced"
    SUSPECT = "suspect"


class Proof(Enum):
    """What vouches for a book's content right now."""

    NONE = "none"
    """Nothing: no snapshot, or the last digest did not verify."""
    PENDING = "pending"
    """A group of changes with one timestamp is still open; its digest is not yet due."""
    DIGEST = "digest"
    """The venue's digest over the whole book was recomputed and is equal."""
    TOP = "top"
    """Only best bid and ask agree: this market's digests never verified on this connection."""


class Feed(Enum):
    """Where data comes from."""

    POLYMARKET = "polymarket"
    COINBASE = "coinbase"
    COINBASE_ADVANCED = "coinbase_advanced"
    BINANCE = "binance"
    CHAINLINK = "chainlink"


class FeedState(Enum):
    """Life of a feed (`venue/external-feeds.md` §5). Only LIVE feeds decisions."""

    DISABLED = "disabled"
    CONNECTING = "connecting"
    WARMING = "warming"
    LIVE = "live"
    DEGRADED = "degraded"
    STALE = "stale"
    UNAVAILABLE = "unavailable"


class ModuleStatus(Enum):
    """Judged from the age of evidence, never from a flag that nobody clears."""

    ONLINE = "online"
    DEGRADED = "degraded"
    OFFLINE = "offline"


class Verdict(Enum):
    """What became of a strategy's look at a snapshot."""

    HOLD = "hold"
    """The strategy itself did not want to act."""
    INTENT = "intent"
    """It proposed, and the arbiter let it through (recorded, not sent, in SHADOW)."""
    REFUSED = "refused"
    """It proposed, and the arbiter refused."""
    BLOCKED = "blocked"
    """It was not shown the market; the reason says why."""


class Unit(Enum):
    """Units of scores and features."""

    USD_PER_SHARE = "usd/share"
    USD = "usd"
    PRICE = "price"
    SHARES = "shares"
    RATIO = "ratio"
    TICKS = "ticks"
    SECONDS = "s"
    MILLISECONDS = "ms"
    COUNT = "count"
    LOG_ODDS = "logit"


class MetricFamily(Enum):
    """Scores of one family may be compared with each other; others may not."""

    NET_EDGE = "net_edge"
    """Dollars per share after all fees."""
    DATA_QUALITY = "data_quality"


class Reason(Enum):
    """One taxonomy for screens, metrics, the log and tests. A free text is never a reason."""

    # --- why a book is EMPTY or SUSPECT, or was doubted --------------------------------------
    NO_SNAPSHOT = "no_snapshot"
    CONNECTION_LOST = "connection_lost"
    DIGEST_MISMATCH = "digest_mismatch"
    TOP_MISMATCH = "top_mismatch"
    CROSSED = "crossed"
    OUT_OF_ORDER = "out_of_order"
    TICK_CHANGED = "tick_changed"
    OFF_GRID = "off_grid"
    MIRROR_BROKEN = "mirror_broken"
    WIRE_FAULT = "wire_fault"
    WITNESS_MISMATCH = "witness_mismatch"
    RESOLVED = "resolved"
    QUEUE_DROP = "queue_drop"
    UNKNOWN_MARKET = "unknown_market"
    # --- why a good book is not shown to strategies ------------------------------------------
    GROUP_OPEN = "group_open"
    STALE_BOOK = "stale_book"
    STALE_CONNECTION = "stale_connection"
    # --- strategy holds ----------------------------------------------------------------------
    EDGE_BELOW_BUFFER = "edge_below_buffer"
    ONE_SIDED = "one_sided"
    FEE_UNKNOWN = "fee_unknown"
    BOOK_PARITY = "book_parity"
    BOOK_UNPROVEN = "book_unproven"
    AWAIT_CONFIRMATION = "await_confirmation"
    SIZE_BELOW_MINIMUM = "size_below_minimum"
    NOT_TRADABLE = "not_tradable"
    PAUSED = "paused"
    # --- arbiter -----------------------------------------------------------------------------
    NOT_OWNER = "not_owner"
    TIER_PREEMPTED = "tier_preempted"
    DUPLICATE_INTENT = "duplicate_intent"
    INTENT_EXPIRED = "intent_expired"
    # --- feeds and modules -------------------------------------------------------------------
    NO_EVIDENCE = "no_evidence"
    GAP = "gap"
    SILENT = "silent"
    FROZEN = "frozen"
    HEARTBEAT_LATE = "heartbeat_late"
    GEO_BLOCKED = "geo_blocked"
    AUTH_REQUIRED = "auth_required"
    NOT_CONFIGURED = "not_configured"
    WARMING_UP = "warming_up"
    REFERENCE_CROSSED = "reference_crossed"
    OK = "ok"


class FaultKind(Enum):
    """Why bytes were refused."""

    NOT_UTF8 = "not_utf8"
    NOT_JSON = "not_json"
    TOO_LARGE = "too_large"
    WRONG_SHAPE = "wrong_shape"
    BAD_NUMBER = "bad_number"
    MISSING_FIELD = "missing_field"
    OBSOLETE = "obsolete"
    INCOHERENT = "incoherent"
    REMOTE_ERROR = "remote_error"
    """Well-formed: the other side answered our request with an error."""


class Incident(Enum):
    """Data incidents: symptoms that would look like profit, or damage that was caught."""

    BOX_BELOW_PAR = "box_below_par"
    """Both asks sum below one (or both bids above): a crossed, torn or stale view."""
    DIGEST_MISMATCH = "digest_mismatch"
    TOP_MISMATCH = "top_mismatch"
    CROSSED = "crossed"
    OUT_OF_ORDER = "out_of_order"
    MIRROR_BROKEN = "mirror_broken"
    OFF_GRID = "off_grid"
    WIRE_FAULT = "wire_fault"
    WITNESS_MISMATCH = "witness_mismatch"
    UNKNOWN_MARKET = "unknown_market"
    PARITY_UNCONFIRMED = "parity_unconfirmed"
    """The box trigger fired and a gate of `quant.md` §1.2 refused it."""
