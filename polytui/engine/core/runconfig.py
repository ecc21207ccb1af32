"""The frozen configuration of a run: it enters the log as its first event.

Only `settings.py` builds these from files, environment and command line, and checks the ranges
written here. The engine reads nothing else.
"""

from msgspec import Struct

from polytui.engine.core.enums import Mode


class BookConfig(Struct, frozen=True, kw_only=True):
    """How books are kept and doubted (`venue/market-ws-integrity.md`)."""

    digest_check: str = "both"
    """Which tokens' digests are recomputed: `both`, `one` (either side proves the book), `off`."""
    digest_gate_after: int = 200
    """Successes in a row on a connection before a mismatch is acted on at once, 1 … 100000."""
    digest_give_up_after: int = 50
    """Mismatches without a single success before a market falls back to best-price checks, 1 …
    100000."""
    group_silence_ms: int = 50
    """A group of equal timestamps is over after this silence, 1 … 5000."""
    crossed_ms: int = 250
    """A book crossed for longer than this is suspect, 0 … 10000."""
    stale_market_ms: int = 15_000
    """A market without a frame for this long is stale, 100 … 600000."""
    stale_conn_ms: int = 5_000
    """A connection without any frame for this long makes all its markets stale, 100 … 600000."""
    witness_ms: int = 120_000
    """A REST read per market at least this often, 0 = never, else 1000 … 3600000."""
    trades_kept: int = 50
    """Public trades remembered per market, 1 … 1000."""


class BoxConfig(Struct, frozen=True, kw_only=True):
    """Box / complement arbitrage (`quant.md` §1)."""

    enabled: bool = True
    buffer_u6: int = 2_000
    """Edge per share kept as a margin, after all fees, micro-dollars, 0 … 200000."""
    qty_u6_max: int = 100_000_000
    """Largest box, micro-shares, 1 … 10^12."""
    cash_u6_max: int = 25_000_000
    """Largest outlay of one box, micro-dollars, 1 … 10^12."""
    age_ms_max: int = 250
    """Largest age of the book at decision, 1 … 60000."""
    parity_share_min: float = 0.95
    """Share of the parity window in which the two sides must mirror each other, 0 … 1."""
    parity_window_s: int = 60
    """Length of the parity window, 1 … 600."""
    confirmations: int = 2
    """Consecutive updates an edge must survive before it is proposed, 1 … 100."""
    proof_required: bool = True
    """Refuse books whose digest did not verify."""
    depth_levels: int = 5
    """Levels per side the depth walk may use, 1 … 100."""


class ArbiterConfig(Struct, frozen=True, kw_only=True):
    """Tiers and ownership."""

    lock_ms: int = 5_000
    """A market stays with its owner this long after the last accepted intent, 0 … 3600000."""
    duplicate_ms: int = 2_000
    """The same intent again within this time is refused, 0 … 60000."""


class ReferenceConfig(Struct, frozen=True, kw_only=True):
    """Which feed plays which role (`venue/external-feeds.md` §6)."""

    primary: str = "coinbase"
    """`coinbase`, `coinbase_advanced`, `binance` or `none`."""
    secondary: str = "none"
    """The same choices; used for cross checks only."""
    settlement: str = "chainlink"
    """`chainlink` or `none`."""
    symbol: str = "BTC-USD"
    """Canonical symbol, letters, digits and dashes."""


class ModuleConfig(Struct, frozen=True, kw_only=True):
    """When a module counts as degraded or offline."""

    degraded_ms: int = 5_000
    """Evidence older than this: degraded, 100 … 600000."""
    offline_ms: int = 30_000
    """Evidence older than this: offline, 100 … 3600000."""


class LimitsConfig(Struct, frozen=True, kw_only=True):
    """The gate (execution reference §3). A directive tightens at once, loosens with a phrase."""

    arm_hours_max: int = 12
    """Longest arming, 1 … 24."""
    heartbeat_ms: int = 6_000
    """Oldest accepted heartbeat, 1000 … 9000."""
    clock_offset_ms: int = 500
    """Largest distance to the venue's clock, 10 … 5000."""
    clock_age_s: int = 120
    """Oldest measurement of it, 10 … 600."""
    journal_fill: float = 0.5
    """Largest share of the store's queue in use, 0.01 … 0.9."""
    loop_lag_ms: int = 250
    """Largest lateness of the event loop, 10 … 2000."""
    end_min_s: int = 600
    """No entry in a market that ends sooner, 0 … 86400; up/down markets have their own."""
    rolling_end_min_s: int = 30
    """The same for up/down markets, 0 … 3600."""
    book_age_ms: int = 2_000
    """Oldest book, 50 … 10000."""
    witnessed_age_ms: int = 5_000
    """Oldest book that a REST read confirmed, 50 … 60000."""
    reference_age_ms: int = 1_000
    """Oldest reference price of an order that declares one, 50 … 60000."""
    user_age_ms: int = 10_000
    """Oldest sign of life of the user stream, 1000 … 60000."""
    balance_age_ms: int = 30_000
    """Oldest read of balances when nothing moved since, 1000 … 600000."""
    metadata_age_s: int = 600
    """Oldest market metadata, 10 … 86400."""
    collar_u6: int = 100_000
    """Farthest from mid and last trade, 1000 … 500000."""
    collar_ticks: int = 5
    """Farthest a resting quote may be inside the spread's far side, in ticks, 1 … 100."""
    order_qty_u6: int = 100_000_000
    """Largest order, micro-shares, 1 … 10^12."""
    order_cash_u6: int = 25_000_000
    """Largest order, micro-dollars, 1 … 10^11."""
    depth_share: float = 0.3
    """Largest share of the visible depth at the limit or better, 0.01 … 1."""
    market_u6: int = 100_000_000
    """Exposure per market, micro-dollars, 0 … 10^11."""
    group_u6: int = 200_000_000
    """Exposure per event of the venue, 0 … 10^11."""
    strategy_u6: int = 300_000_000
    """Exposure per strategy, 0 … 10^11."""
    total_u6: int = 500_000_000
    """Exposure in all, 0 … 10^11."""
    orders_per_s: int = 5
    """Orders sent a second, 1 … 40."""
    cancel_reserve: int = 20
    """Cancels kept back at the least; a tenth of the open orders if that is more, 1 … 1000."""
    sends_max: int = 20
    """Sends of one strategy in one market within `sends_s`, 1 … 10000."""
    sends_s: int = 60
    """Window of `sends_max`, 1 … 3600."""
    rejects_max: int = 10
    """Rejections of one strategy in one market within `rejects_s`, 1 … 1000."""
    rejects_s: int = 10
    """Window of `rejects_max`, 1 … 3600."""
    day_loss_u6: int = 50_000_000
    """Loss of a UTC day that kills, micro-dollars, 1 … 10^11."""
    drawdown: float = 0.05
    """Fall from the highest equity that halts, share, 0.001 … 1."""
    strategy_loss_u6: int = 25_000_000
    """Loss of one strategy in a day that latches it off, 1 … 10^11."""
    failed_share: float = 0.05
    """Failed settlements among the last `failed_window` fills that halt, 0.001 … 1."""
    failed_window: int = 50
    """How many fills that share looks back, 10 … 1000."""
    expiry_min_s: int = 180
    """Shortest lead of a GTD the venue takes, 60 … 600."""
    expiry_max_s: int = 300
    """Longest lead of a resting order, 60 … 86400."""
    quote_life_ms: int = 1_000
    """A resting order is not cancelled by its own strategy sooner, 0 … 60000."""
    orders_per_fill: int = 50
    """Orders per fill and market within an hour, 1 … 1000."""


class OrdersConfig(Struct, frozen=True, kw_only=True):
    """Loops, ages and deadlines of the order path (execution reference §2)."""

    inflight_after_ms: int = 5_000
    """An order without an answer is read by its hash after this, 100 … 60000."""
    inflight_every_ms: int = 2_000
    """And again, 100 … 60000."""
    open_every_ms: int = 10_000
    """Open orders are swept, 1000 … 600000."""
    trades_every_ms: int = 15_000
    """Provisional trades are read, 1000 … 600000."""
    positions_every_ms: int = 30_000
    """The Data API's audit, 1000 … 3600000."""
    balances_every_ms: int = 60_000
    """Balances, 1000 … 3600000."""
    clock_every_ms: int = 60_000
    """The venue's clock, 1000 … 600000."""
    touched_ms: int = 5_000
    """Sweeps leave alone what moved within this time, 100 … 60000."""
    quiet_ms: int = 3_000
    """Between the last difference and opening intake, 0 … 60000."""
    life_s: int = 240
    """Life of a resting order, 120 … 86400."""
    amber_ms: int = 30_000
    """A provisional trade older than this is amber, 1000 … 600000."""
    red_ms: int = 120_000
    """And red: settlement has stalled, 1000 … 3600000."""
    heartbeat_ms: int = 5_000
    """Beats are sent this often while all is healthy, 1000 … 9000."""
    unknown_alarm_ms: int = 10_000
    """An order unknown for longer raises the alarm, 1000 … 600000."""
    overfill_u6: int = 10_000
    """Filled beyond the size by more than this raises an alarm, 0 … 1000000."""


class BundleConfig(Struct, frozen=True, kw_only=True):
    """Two legs as one (execution reference §1, `quant.md` §1)."""

    leg_ms: int = 2_000
    """The first leg is over after this, filled or not, 100 … 60000."""
    residue_ms: int = 3_000
    """A naked side must be on its way out after this, 100 … 60000."""
    slip_u6: int = 20_000
    """Worst price beyond plan at which a residue is completed or sold at first, 0 … 500000."""
    slip_max_u6: int = 100_000
    """And once half of `residue_ms` is over; also the furthest beyond the mid, 0 … 500000."""
    rest_ms: int = 60_000
    """A residue resting as a maker is sold at the market after this, 0 … 3600000."""
    merge: bool = True
    """Merge completed pairs back into cash."""


class RunConfig(Struct, frozen=True, kw_only=True):
    """Everything the pure engine is told."""

    mode: Mode = Mode.SHADOW
    seed: int = 1
    """Seed of everything random in a run, 0 … 2^63-1."""
    book: BookConfig = BookConfig()
    box: BoxConfig = BoxConfig()
    arbiter: ArbiterConfig = ArbiterConfig()
    reference: ReferenceConfig = ReferenceConfig()
    modules: ModuleConfig = ModuleConfig()
    limits: LimitsConfig = LimitsConfig()
    orders: OrdersConfig = OrdersConfig()
    bundles: BundleConfig = BundleConfig()


class CaptureConfig(Struct, frozen=True, kw_only=True):
    """The recorder (shell)."""

    enabled: bool = True
    directory: str = "data/capture"
    """Relative paths are relative to the working directory."""
    flush_ms: int = 250
    """A kill -9 loses at most what arrived in this time, 10 … 60000."""
    segment_mb: int = 64
    """A segment is closed and a new one begun at this size, 1 … 4096."""
    keep_gb: int = 20
    """Oldest closed segments are deleted above this total, 1 … 10000."""
    queue_max: int = 65_536
    """Records waiting for the writer; at the limit the engine is told and counts the loss, 256 …
    1048576."""


class RunnerConfig(Struct, frozen=True, kw_only=True):
    """The loop that feeds the engine (shell)."""

    inbox_max: int = 8_192
    """Events waiting for the engine, 256 … 1048576."""
    batch_events: int = 256
    """Events taken before a turn, 1 … 65536."""
    batch_us: int = 2_000
    """Work done before a turn, microseconds, 100 … 1000000."""
    view_hz: int = 10
    """Views projected per second while a console is attached, 1 … 30."""


class PracticeConfig(Struct, frozen=True, kw_only=True):
    """The embedded practice venue."""

    markets: int = 8
    """Binary markets besides the rolling one and the group of six, 1 … 200."""
    rate: float = 40.0
    """Messages per second over all markets, 0.1 … 50000."""
    faults: bool = True
    """Scripted trouble now and then: a dropped frame, a freeze, a reconnect, a tick change."""
    idle_s: int = 600
    """A venue that lost its engine waits this long for the next one, seconds, 1 … 86400."""


class VenueConfig(Struct, frozen=True, kw_only=True):
    """Which venue the account stream, orders and books go to (shell)."""

    kind: str = "practice"
    """`practice`: the engine starts one beside itself; `polymarket`: the hosts below."""
    clob: str = "https://clob.polymarket.com"
    market_ws: str = "wss://ws-subscriptions-clob.polymarket.com/ws/market"
    user_ws: str = "wss://ws-subscriptions-clob.polymarket.com/ws/user"
    gamma: str = "https://gamma-api.polymarket.com"
    data: str = "https://data-api.polymarket.com"
    geoblock: str = "https://polymarket.com/api/geoblock"
    """Empty: there is none to ask (never lawful for `polymarket`)."""
    chain_id: int = 137
    """Of the contracts below, 1 … 1000000000."""
    exchange: str = "0xe111180000d2663c0091e4f400237545b87b996b"
    neg_risk_exchange: str = "0xe2222d279d744050d28e00520010520000310f59"
    exchange_v3: str = "0xe3333700ca9d93003f00f0f71f8515005f6c00aa"
    markets: tuple[str, ...] = ()
    """Slugs of markets or events to watch; empty: the busiest `markets_max`."""
    markets_max: int = 20
    """Markets watched when none is named, 1 … 200."""


class SignerConfig(Struct, frozen=True, kw_only=True):
    """Where the wallet key is (shell); the key itself never stands in a configuration."""

    source: str = "practice"
    """`practice` (that venue only), `none`, `credential` (systemd), `keystore`, `keyring`."""
    keystore: str = ""
    """Path of a keystore V3 file, private to the user."""
    name: str = "polytui"
    """Name of the systemd credential or the keyring entry."""
    signature_type: int = 0
    """EOA, proxy, Safe, deposit wallet: 0 … 3."""
    funder: str = ""
    """Address that holds the money; empty: the key's own (type 0)."""
    order_cash_u6: int = 100_000_000
    """The signer's own ceiling per order, micro-dollars, 1 … 10^11."""
    orders_per_s: int = 40
    """The signer's own rate, 1 … 1000."""


class StoreConfig(Struct, frozen=True, kw_only=True):
    """The account's journal in SQLite (shell)."""

    directory: str = "data/store"
    """Relative paths are relative to the working directory."""
    durability: str = "full"
    """`full`: an order waits for the disk; `normal`: for the operating system."""
    queue_max: int = 16_384
    """Rows waiting for the writer; half of it closes the gate, 256 … 1048576."""
    wal_mb: int = 8
    """Size of the write-ahead log at which its pages are moved into the file, 1 … 1024."""
    fold_s: int = 10
    """Counts of holds are written this often, 1 … 3600."""
    scan_s: int = 30
    """The nearest misses are written this often, 0 = never, else 1 … 86400."""
    scan_rows: int = 10
    """Nearest misses written of each strategy, 1 … 100."""
    health_s: int = 60
    """Health, metrics and attribution are written this often, 0 = never, else 1 … 86400."""
    bulk_days: int = 14
    """Scans, blocks, holds, health and metrics end after this many days, 1 … 3650."""
    log_days: int = 400
    """`journal compact` moves older rows of the chain to an archive, 0 = never, else 8 … 3650."""


class SentinelConfig(Struct, frozen=True, kw_only=True):
    """The process that cancels when the engine falls silent (shell)."""

    enabled: bool = True
    silent_ms: int = 3_000
    """Silence after which it cancels everything, 1000 … 30000."""


class PaperConfig(Struct, frozen=True, kw_only=True):
    """The paper account: simulated fills on live books (`replay.md`)."""

    cash_u6: int = 1_000_000_000
    """Cash it starts with, micro-dollars, 0 … 10^12."""
    feed_ms: tuple[int, int, int] = (20, 120, 300)
    """p50, p95, p99 from the venue's stamp on market data to us."""
    submit_ms: tuple[int, int, int] = (200, 600, 1_500)
    """p50, p95, p99 from sending to the venue."""
    response_ms: tuple[int, int, int] = (200, 600, 1_500)
    """p50, p95, p99 from the venue to us: answers and the user stream."""
    settle_ms: int = 2_000
    """From match to confirmed, half of the time, 0 … 600000."""
    settle_tail_ms: tuple[int, int] = (10_000, 50_000)
    """p95 and p99 of the same; never below `settle_ms`."""
    taker_delay_ms: int = 150
    """Up/down markets hold a marketable order this long, 0 … 10000."""
    failed_share: float = 0.02
    """Settlements that fail, 0 … 1."""
    maker: str = "averse"
    """Which maker model books the fills: `averse` or `probabilistic`; both always run."""


EXPOSE_PHRASE = "I know that whoever reaches this address sees my positions and profit"
"""What an operator writes into `metrics.expose`."""


class MetricsConfig(Struct, frozen=True, kw_only=True):
    """The Prometheus exporter (shell)."""

    enabled: bool = True
    bind: str = "127.0.0.1"
    """IP address to listen on; another one than loopback's needs `expose`."""
    port: int = 9_108
    """TCP port, 0 … 65535; 0: any that is free."""
    expose: str = ""
    """`EXPOSE_PHRASE` in full, or nothing: there is no encryption and no password there."""


class NotifyConfig(Struct, frozen=True, kw_only=True):
    """The webhook that alerts and kills are posted to (shell)."""

    url: str = ""
    """Empty: nothing is posted. A secret: whoever has it can write where you read."""
    classes: tuple[str, ...] = ("C", "H")
    """Classes of alerts that are posted: `C`, `H`, `L`; a kill is of class C."""
    gap_s: int = 30
    """Between two posts at least, 1 … 3600; the next one holds what came meanwhile. A kill does not
    wait for it."""
    timeout_s: int = 10
    """For the connection, and for the answer, 1 … 60."""


class ConsoleConfig(Struct, frozen=True, kw_only=True):
    """The console."""

    theme: str = "poly-dark"
    """A file name in `themes/` without `.toml`."""
    rate_hz: int = 4
    """Repaints per second, 1 … 10."""
    mouse: bool = False
    """Ask the terminal for mouse events."""
    ascii: bool = False
    """Draw with ASCII characters only."""


class Settings(Struct, frozen=True, kw_only=True):
    """The whole configuration, one section per reader."""

    run: RunConfig = RunConfig()
    capture: CaptureConfig = CaptureConfig()
    runner: RunnerConfig = RunnerConfig()
    practice: PracticeConfig = PracticeConfig()
    venue: VenueConfig = VenueConfig()
    signer: SignerConfig = SignerConfig()
    store: StoreConfig = StoreConfig()
    sentinel: SentinelConfig = SentinelConfig()
    paper: PaperConfig = PaperConfig()
    metrics: MetricsConfig = MetricsConfig()
    notify: NotifyConfig = NotifyConfig()
    console: ConsoleConfig = ConsoleConfig()
    runtime_dir: str = ""
    """Directory of the sockets; empty: `$XDG_RUNTIME_DIR/polytui`, else `/tmp/polytui-<uid>`."""
