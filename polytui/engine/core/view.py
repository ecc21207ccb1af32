"""The View: what the console, the command line and the metrics may see of the engine.

Sections are frozen and carry `rev`: same rev, no work. Every section says when it was made
(`at_ns`, engine time), so that the age of everything in it can be shown. Numbers are facts in
micro-units; the console formats them and computes nothing about money.
"""

from msgspec import Struct

from polytui.engine.core.account_view import (
    NO_ACCOUNT,
    AccountStatus,
    OrdersView,
    PositionsView,
    RiskView,
)
from polytui.engine.core.alert_view import NO_ALERTS, AlertCounts, AlertsView
from polytui.engine.core.decision import ScanRow
from polytui.engine.core.enums import (
    BookState,
    Feed,
    FeedState,
    Incident,
    Mode,
    ModuleStatus,
    Proof,
    Reason,
    Unit,
    Verdict,
)
from polytui.engine.core.section import CountView, Section

# --- status: always sent -------------------------------------------------------------------------


class FeedView(Struct, frozen=True, kw_only=True):
    """One feed: state, age and why it is not live."""

    feed: Feed
    role: str
    """`venue`, `primary`, `secondary`, `settlement`."""
    state: FeedState
    reason: Reason
    last_ns: int | None
    """When we last heard anything from it; None: never."""
    messages: int
    faults: int
    ignored: int
    gaps: int
    reconnects: int


class Percentiles(Struct, frozen=True, kw_only=True):
    """Of a duration, in microseconds, over the window its holder documents."""

    count: int = 0
    p50_us: int = 0
    p99_us: int = 0
    p999_us: int = 0
    max_us: int = 0


class PostsView(Struct, frozen=True, kw_only=True):
    """The webhook that alerts are posted to; its address is a secret and not shown."""

    on: bool = False
    posted: int = 0
    """Alerts that it took."""
    waiting: int = 0
    lost: int = 0
    """Alerts dropped: too many waited, or it did not take them."""
    why: str = ""
    """Why the last attempt failed; empty: it did not."""


class ShellView(Struct, frozen=True, kw_only=True):
    """What only the shell can measure; windows of ten seconds."""

    loop_lag: Percentiles
    """How late a periodic wake-up of the engine's loop came."""
    decision: Percentiles
    """From bytes read to decisions made."""
    inbox: int
    """Events waiting."""
    dropped: int
    """Events lost at a full inbox or queue since the start; each marks its market suspect."""
    capture_bytes: int
    capture_lost: int
    clients: int
    wall_ns: int
    """Wall clock, for display only."""
    pid: int
    rss_bytes: int
    store_bytes: int = 0
    """The account's journal on disk, its write-ahead log included."""
    recordings_bytes: int = 0
    """All recordings on disk, those of earlier runs too."""
    metrics_why: str = ""
    """Why nobody can scrape; empty: somebody can."""
    metrics_at: str = ""
    """Address and port that `/metrics` is served at; empty: at none."""
    recordings_at: str = ""
    """Directory of the recordings; empty: nothing is recorded."""
    started_ticks: int = 0
    """When the process started, as its system counts; with `pid` it names one process for good."""
    posts: PostsView = PostsView()


class StatusView(Section, frozen=True, kw_only=True, tag="status"):
    """The status bar and the banner."""

    mode: Mode
    venue: str
    """Who the venue is, in words: `practice`, `polymarket`, `replay`."""
    run: str
    version: str
    seq: int
    started_ns: int
    feeds: tuple[FeedView, ...]
    markets: int
    synced: int
    suspect: int
    stale: int
    decisions: int
    intents: int
    refused: int
    incidents: int
    paused: tuple[str, ...]
    """Strategies an operator paused."""
    shell: ShellView
    account: AccountStatus = NO_ACCOUNT
    """Of the realm that the mode acts in; in SHADOW the live one's."""
    alerts: AlertCounts = NO_ALERTS


# --- overview ------------------------------------------------------------------------------------


class MarketRow(Struct, frozen=True, kw_only=True):
    """One market in a table. Prices are of the YES token; -1 means no such side."""

    market: str
    title: str
    slug: str
    group: str
    state: BookState
    proof: Proof
    reason: Reason
    """Why not usable, or OK."""
    stale: bool
    bid_u6: int
    bid_qty_u6: int
    ask_u6: int
    ask_qty_u6: int
    tick_u6: int
    imbalance: float | None
    """Bid share of the touch size, 0 … 1; None when a side is empty."""
    last_trade_u6: int
    """-1 before the first."""
    last_ns: int | None
    """When its book last changed or was confirmed, engine time; None: never."""
    verdict: Verdict | None
    decision_reason: Reason | None
    margin_u6: int | None
    """Of the last decision."""
    decided_ns: int | None
    digest_ok: int
    digest_recovered: int
    digest_bad: int
    incidents: int


class MarketsView(Section, frozen=True, kw_only=True, tag="markets"):
    """All watched markets in catalog order, and what became of the decisions about them."""

    rows: tuple[MarketRow, ...]


# --- one book ------------------------------------------------------------------------------------


class LevelView(Struct, frozen=True, kw_only=True):
    """One price level."""

    px_u6: int
    qty_u6: int
    cum_u6: int
    """Shares at this level or better."""


class TokenBookView(Struct, frozen=True, kw_only=True):
    """The book as one token's holder sees it, best level first."""

    token: str
    outcome: str
    bids: tuple[LevelView, ...]
    asks: tuple[LevelView, ...]


class TradeView(Struct, frozen=True, kw_only=True):
    """A public trade, in the terms of the token it names."""

    at_ns: int
    outcome: str
    px_u6: int
    qty_u6: int | None
    side: str
    """`buy`, `sell` or `` as the venue claims."""


class FeatureView(Struct, frozen=True, kw_only=True):
    """One feature value; None when it has no value now."""

    name: str
    version: int
    value: float | None
    unit: Unit


class BookView(Section, frozen=True, kw_only=True, tag="book"):
    """Everything about one market's book."""

    row: MarketRow
    epoch: int
    """Grows at each reconnect and tick change."""
    venue_ms: int
    since_ns: int
    """Since when it is in this state."""
    min_qty_u6: int
    fee_rate_u6: int | None
    digest_gating: bool
    """True once digests gate this market; before that they are observed."""
    digest_streak: int
    yes: TokenBookView
    no: TokenBookView
    trades: tuple[TradeView, ...]
    """Newest first."""
    features: tuple[FeatureView, ...]
    features_as_of_ns: int
    counters: tuple[CountView, ...]


# --- decisions -----------------------------------------------------------------------------------


class FoldView(Struct, frozen=True, kw_only=True):
    """All decisions of one strategy on one market for one reason, folded."""

    row: ScanRow
    """The latest."""
    verdict: Verdict
    title: str
    count: int
    first_ns: int
    best_margin_u6: int
    """The nearest miss, or the best edge."""
    best_ns: int


class DecisionView(Struct, frozen=True, kw_only=True):
    """One decision kept singly: every intent, refusal and block change; holds are folded."""

    row: ScanRow
    verdict: Verdict
    title: str
    snapshot: int
    legs: tuple[str, ...]
    """Each intent in words: `BUY YES 120 @ 0.46`."""


class IncidentView(Struct, frozen=True, kw_only=True):
    """Data incidents of one kind on one market, folded."""

    incident: Incident
    market: str
    title: str
    count: int
    first_ns: int
    last_ns: int
    detail: str


class DecisionsView(Section, frozen=True, kw_only=True, tag="decisions"):
    """Folded scan rows, the latest single decisions, and data incidents; newest first."""

    folds: tuple[FoldView, ...]
    recent: tuple[DecisionView, ...]
    incidents: tuple[IncidentView, ...]


# --- modules -------------------------------------------------------------------------------------


class ModuleView(Struct, frozen=True, kw_only=True):
    """One module of the engine or its shell."""

    module: str
    status: ModuleStatus
    last_ns: int | None
    """Last evidence of life, engine time; None: never."""
    reason: Reason
    counters: tuple[CountView, ...]


class ModulesView(Section, frozen=True, kw_only=True, tag="modules"):
    """Every module, none hidden."""

    rows: tuple[ModuleView, ...]


# --- the practice venue --------------------------------------------------------------------------


class VenueNote(Struct, frozen=True, kw_only=True):
    """Something that was done to the practice venue."""

    at_ns: int
    text: str


class FaultView(Struct, frozen=True, kw_only=True):
    """A trouble that an operator may cause, by name."""

    name: str
    """The argument of the directive `venue.fault`."""
    title: str
    help: str
    until_ns: int
    """When it ends; 0: it is not on, or it does not last."""


class VenueLabView(Section, frozen=True, kw_only=True, tag="venue_lab"):
    """What the practice venue is up to; exists on that venue only."""

    scenario: str
    about: str
    started_ns: int
    next_ns: int | None
    """When the scenario changes something next; None: never again."""
    mode: str
    """What the exchange lets through: `normal`, `restarting`, `post_only` …"""
    faults: tuple[str, ...]
    """Switches that are not as on a healthy venue, with their values."""
    notes: tuple[VenueNote, ...]
    """What was done lately, newest first."""
    offers: tuple[FaultView, ...]
    """What may be caused by a key, in the order of the keys."""
    price_u6: int
    """The hidden Bitcoin price that everything follows."""
    price_regime: str
    regimes: tuple[CountView, ...]
    """Markets in each regime."""
    hot: int
    """Markets in a hot moment, their books thin."""
    held_regime: str
    """The regime that is held everywhere; empty: each flips by itself."""
    pace: float
    makers: int
    informed: float
    herd: int
    arbitrage: bool
    counters: tuple[CountView, ...]
    """Of the exchange, since the start."""


AnySection = (
    StatusView
    | MarketsView
    | BookView
    | DecisionsView
    | ModulesView
    | VenueLabView
    | OrdersView
    | PositionsView
    | RiskView
    | AlertsView
)
"""The closed set, for decoding."""

STATUS = "status"
MARKETS = "markets"
DECISIONS = "decisions"
MODULES = "modules"
VENUE_LAB = "venue_lab"
BOOK_PREFIX = "book:"
"""Topics: `book:<condition id>`; the others are fixed words."""


def book_topic(market: str) -> str:
    """Name the topic of one market's book."""
    return BOOK_PREFIX + market
