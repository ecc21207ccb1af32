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
    console: ConsoleConfig = ConsoleConfig()
    runtime_dir: str = ""
    """Directory of the sockets; empty: `$XDG_RUNTIME_DIR/polytui`, else `/tmp/polytui-<uid>`."""
