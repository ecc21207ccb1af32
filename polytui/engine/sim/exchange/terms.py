"""What a market, a group and the exchange itself are set to: facts that callers give.

All of it may change while the exchange runs, through the facade only, so that every change is
logged and announced.
"""

from enum import Enum

from msgspec import Struct

from polytui.engine.core.events import FeeSchedule
from polytui.engine.core.units import U

TICKS_U6 = (100_000, 10_000, 5_000, 2_500, 1_000, 100)
"""The grids that exist (§5.1)."""

FEE_FREE = FeeSchedule(rate_u6=0)


class Resolution(Enum):
    """How a market ended."""

    YES = "yes"
    NO = "no"
    SPLIT = "split"
    """50/50: each token redeems for half a dollar. Impossible in a NegRisk group."""


class OracleStatus(Enum):
    """UMA's word on a market, as Gamma writes `umaResolutionStatus` (§7.3); NONE is `""`."""

    NONE = ""
    PROPOSED = "proposed"
    DISPUTED = "disputed"
    RESOLVED = "resolved"


class VenueMode(Enum):
    """What the whole venue lets through (§3.4)."""

    NORMAL = "normal"
    RESTARTING = "restarting"
    """HTTP 425 to orders and cancels; `set_mode(POST_ONLY, …)` follows by the caller's script."""
    POST_ONLY = "post_only"
    CANCEL_ONLY = "cancel_only"
    DISABLED = "disabled"


class Restriction(Enum):
    """What one address may not do (§3.4)."""

    NONE = "none"
    CLOSED_ONLY = "closed_only"
    BANNED = "banned"


class Spender(Enum):
    """Contracts that an account must approve before they settle its orders (§7.4)."""

    EXCHANGE_V2 = "exchange_v2"
    NEG_RISK_V2 = "neg_risk_v2"
    EXCHANGE_V3 = "exchange_v3"


SPENDER_ADDRESSES = {
    Spender.EXCHANGE_V2: "0xE111180000d2663C0091e4f400237545B87B996B",
    Spender.NEG_RISK_V2: "0xe2222d279d744050d28e00520010520000310F59",
    Spender.EXCHANGE_V3: "0xe3333700cA9d93003F00f0F71f8515005F6c00Aa",
}
"""Polygon addresses of the contracts (§7.4)."""


class AssetType(Enum):
    """The two kinds of approval: pUSD allowances and outcome-token operators."""

    COLLATERAL = "COLLATERAL"
    CONDITIONAL = "CONDITIONAL"


class FeeRounding(Enum):
    """To which 0.00001 a fee goes: the docs say "rounded", one adapter floors (quant.md §0)."""

    NEAREST = "nearest"
    FLOOR = "floor"
    CEIL = "ceil"


class RewardTerms(Struct, frozen=True, kw_only=True):
    """Liquidity rewards of one market (§6)."""

    min_qty_u6: int = 50 * U
    max_spread_u6: int = 45_000
    """`v`: at this distance from the midpoint the score is 0."""
    pool_day_u6: int = 0
    """Dollars per UTC day; 0: no rewards."""
    min_age_ms: int = 3_500


class GroupTerms(Struct, frozen=True, kw_only=True):
    """The venue's "event": markets listed together, exclusive when `neg_risk`."""

    id: str
    slug: str
    title: str
    description: str = ""
    tags: tuple[str, ...] = ()
    series: str = ""
    """Slug of a rolling series, e.g. `btc-up-or-down-5m`."""
    start_ns: int = 0
    """Gamma's event `startTime`: start of an up/down window."""
    neg_risk: bool = False
    neg_risk_market: str = ""
    """`negRiskMarketID`, `0x…`."""
    fee_bips: int = 0
    """Conversion fee, `negRiskFeeBips`."""
    augmented: bool = False


class MarketTerms(Struct, frozen=True, kw_only=True):
    """One binary market. Every field that may change does so through the facade."""

    condition: str
    """`0x` and 64 hex digits (v1) or 62 (v2)."""
    tokens: tuple[str, str]
    """YES and NO token (v2: position) ids, decimal strings."""
    question: str
    slug: str
    gamma_id: str = ""
    question_id: str = ""
    outcomes: tuple[str, str] = ("Yes", "No")
    description: str = ""
    tags: tuple[str, ...] = ()
    group: str = ""
    """`GroupTerms.id`; list the group first."""
    group_index: int = 0
    """Place of the question in a NegRisk group: its bit in a conversion's index set."""
    group_item: str = ""
    placeholder: bool = False
    """An unnamed outcome of an augmented group: list it with `accepting=False` (§7.2)."""
    is_other: bool = False
    """The shrinking "Other" of an augmented group."""
    neg_risk: bool = False
    protocol: str = "v1"
    tick_u6: int = 10_000
    fine_tick_u6: int = 0
    """Grid switched to, once, when the top passes 0.96 / 0.04 (§4.1); 0: never."""
    min_qty_u6: int = 5 * U
    fees: FeeSchedule = FEE_FREE
    fee_type: str = ""
    seconds_delay: int = 0
    """`sd`: takers are answered `delayed` and released this many seconds later (sports)."""
    itode: bool = False
    """Takers are held silently for `Settings.itode_ms` (crypto up/down)."""
    rewards: RewardTerms = RewardTerms()
    accepting: bool = True
    start_ns: int = 0
    """Listing time, Gamma's `startDate`."""
    end_ns: int = 0
    """Gamma's `endDate`; indicative except for up/down windows."""


class DelayTerms(Struct, frozen=True, kw_only=True):
    """A waiting time in milliseconds: uniform in [low, high], or lognormal cut to [low, high]."""

    low_ms: int
    high_ms: int
    median_ms: int = 0
    """0: uniform."""
    sigma: float = 0.5
    """Of the logarithm."""


class SettlementTerms(Struct, frozen=True, kw_only=True):
    """How matched trades become money, or do not. Applies to trades already under way too."""

    mine: DelayTerms = DelayTerms(low_ms=1_500, high_ms=4_000)
    """MATCHED to MINED, and RETRYING to the next attempt."""
    confirm: DelayTerms = DelayTerms(low_ms=2_000, high_ms=8_000)
    """MINED to CONFIRMED."""
    retry_chance: float = 0.0
    """Of each attempt to be mined."""
    retries_max: int = 3
    """After so many RETRYING the trade is mined or fails."""
    fail_chance: float = 0.0
    """Of each trade, drawn when it would have been mined."""


class Settings(Struct, frozen=True, kw_only=True):
    """Rules of the whole exchange; replace with `Exchange.configure`."""

    settlement: SettlementTerms = SettlementTerms()
    itode_ms: int = 150
    gtd_early_s: int = 60
    """A GTD order is dropped this long before its stated expiration (§3.1)."""
    gtd_lead_s_min: int = 180
    """An expiration nearer than this is refused (§3.1)."""
    heartbeat_gap_ms: int = 10_000
    heartbeat_check_ms: int = 5_000
    batch_max: int = 15
    cancel_max: int = 1_000
    batch_shuffled: bool = True
    """Legs of a batch run in parallel at the venue: here in seeded random order."""
    unmatched_rests: bool = True
    """A GTC/GTD taker whose delay ends without a match rests (docs); else it dies UNMATCHED."""
    fee_rounding: FeeRounding = FeeRounding.NEAREST
    makers_per_trade_max: int = 20
    payout_min_u6: int = U
    """A day's rebates or rewards of an account below this are not paid (§6)."""
    resolve_lag_ms: int = 60_000
    """From the end of an up/down window to its resolution (§7.3)."""


class MarketDefaults(Struct, frozen=True, kw_only=True):
    """What every market of a series has in common."""

    tick_u6: int = 10_000
    fine_tick_u6: int = 1_000
    min_qty_u6: int = 5 * U
    fees: FeeSchedule = FeeSchedule(rate_u6=70_000, exponent=1, rebate_u6=200_000)
    fee_type: str = "crypto_fees"
    itode: bool = True
    rewards: RewardTerms = RewardTerms()
    tags: tuple[str, ...] = ("crypto",)


class SeriesTerms(Struct, frozen=True, kw_only=True):
    """A rolling up/down series (§9): one market per window, settled on time-weighted averages."""

    symbol: str
    """As given to `Exchange.reference`, e.g. `btc/usd`."""
    prefix: str = "btc-updown-5m"
    """Slug without the window's start."""
    title: str = "Bitcoin Up or Down"
    window_s: int = 300
    lookback_s: int = 60
    """L of the average; 0 settles on spot."""
    lag_ms: int = 0
    """g: the average ends this long before the boundary (quant.md §6.1)."""
    ahead: int = 2
    """Windows listed beyond the running one."""
    market: MarketDefaults = MarketDefaults()
