"""Every failure of the practice venue as data: lasting ones are switches, single ones are acts.

Both come from scenario files and from the control port, and both are the same values there.
Switches describe how the venue's *wire* behaves from now on; acts are done once, to the exchange or
to the wire. Nothing here decides anything: the wire draws from the run's seed, so that the same
seed and the same scenario give the same choices. Fault rows (`A1`, `B7`) are those of `faults.md`.
"""

from msgspec import Struct

from polytui.engine.core.units import U
from polytui.engine.sim.exchange.terms import (
    DelayTerms,
    Resolution,
    Restriction,
    SettlementTerms,
    VenueMode,
)

NO_DELAY = DelayTerms(low_ms=0, high_ms=0)


class Switches(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How the wire behaves until told otherwise; the defaults are a healthy venue.

    Chances are of each frame or request, in [0, 1].
    """

    # --- market stream ---------------------------------------------------------------------------
    market_freeze: bool = False
    """A1: every market socket stays open and answers PONG, and says nothing else."""
    deaf_tokens: tuple[str, ...] = ()
    """A1, A17: nothing more is sent about these tokens; the other token of the market goes on."""
    torn_ms: int = 0
    """Torn view: the mirror entries of a change come this much later, in a frame of their own."""
    frame_drop: float = 0.0
    """A3: lost frames. Initial books are never lost by chance; see `no_initial_books`."""
    frame_repeat: float = 0.0
    """A4: the same frame twice."""
    frame_swap: float = 0.0
    """A5: a frame and the next one of the same socket change places."""
    no_initial_books: bool = False
    """A6: a subscription is accepted and no book follows."""
    ghost_markets: tuple[str, ...] = ()
    """§4.3: `GET /book` of these conditions shows one dollar-cent level a side, 0.01 and 0.99."""

    # --- user stream -----------------------------------------------------------------------------
    user_freeze: bool = False
    """B11, B12: user sockets stay open, answer PONG, and say nothing else."""
    user_drop: float = 0.0
    user_repeat: float = 0.0
    user_swap: float = 0.0
    """B12: an event and the next one of the same owner change places."""
    odd_shapes: float = 0.0
    """B31, §11 S6: arrays for objects, "" for sizes, other units of time, prefixed statuses."""

    # --- requests --------------------------------------------------------------------------------
    lost_reply: float = 0.0
    """B1, B3: the order is placed and the answer is HTTP 500 `order timed out`."""
    lost_order: float = 0.0
    """B2: the same answer, and the order never came."""
    dropped_reply: float = 0.0
    """B1: the order is placed and the connection ends without an answer."""
    too_many: float = 0.0
    """B7: HTTP 429 with `Retry-After`, to orders only: cancels have their own bucket."""
    too_many_cancels: float = 0.0
    """B8: the same for cancels."""
    retry_after_s: int = 1
    buckets_enforced: bool = False
    """§3.5: an empty bucket refuses; off, it only warns, as the venue has since 2026-07-24."""
    paths_enforced: bool = False
    """§3.5: limits by path and address in ten seconds; the real ones sit before the venue."""
    tier: str = "STANDARD"
    stale_balances: bool = False
    """B24: balances shown and checked are those of the last `/balance-allowance/update`."""
    clock_skew_ms: int = 0
    """B23: the venue's clock is this much ahead of true time, in `/time` and all its stamps."""
    geoblocked: bool = False
    """B32."""
    order_version: int = 2
    """B31: what `/version` answers; any other than 2 refuses every order by its version."""

    # --- latency ---------------------------------------------------------------------------------
    rest_delay: DelayTerms = NO_DELAY
    """From the request's arrival to its effect; the answer follows at once."""
    market_delay: DelayTerms = NO_DELAY
    user_delay: DelayTerms = NO_DELAY

    # --- reference feeds -------------------------------------------------------------------------
    coinbase_freeze: bool = False
    """A12."""
    binance_freeze: bool = False
    chainlink_freeze: bool = False
    """§4.2: the relay's stalls; the socket stays open."""
    coinbase_gap: float = 0.0
    """Chance that a trade is not told: its number is missing."""


class Act(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag_field="act"):
    """Something done to the venue once."""


class Restart(Act, frozen=True, kw_only=True, tag="restart"):
    """B5: HTTP 425 for a while, then only post-only orders and cancels for a while."""

    down_ms: int = 90_000
    post_only_ms: int = 120_000
    cut_streams: bool = True


class SetMode(Act, frozen=True, kw_only=True, tag="set_mode"):
    """B6: cancel-only, disabled, and back."""

    mode: VenueMode
    for_ms: int = 0
    """0: until changed."""


class CutStreams(Act, frozen=True, kw_only=True, tag="cut_streams"):
    """A2: end sockets; nothing is replayed to those who come back."""

    market: bool = True
    user: bool = True


class ChangeTick(Act, frozen=True, kw_only=True, tag="change_tick"):
    """A9."""

    market: str
    tick_u6: int


class ChangeFees(Act, frozen=True, kw_only=True, tag="change_fees"):
    """Change a market's taker fee; trades already matched keep theirs."""

    market: str
    rate_u6: int


class ResolveMarket(Act, frozen=True, kw_only=True, tag="resolve"):
    """A14: resolution while quoting."""

    market: str
    outcome: Resolution


class DisputeMarket(Act, frozen=True, kw_only=True, tag="dispute"):
    """§7.3: somebody disputes the proposed outcome."""

    market: str


class SetSettlement(Act, frozen=True, kw_only=True, tag="set_settlement"):
    """B13, B14: how matched trades become money, or do not."""

    terms: SettlementTerms


class SetRestriction(Act, frozen=True, kw_only=True, tag="set_restriction"):
    """B32: closed-only or banned."""

    address: str
    restriction: Restriction


class ExpireHeartbeats(Act, frozen=True, kw_only=True, tag="expire_heartbeats"):
    """B25: every heartbeat in use is judged late now, and its orders are cancelled."""


class Drain(Act, frozen=True, kw_only=True, tag="drain"):
    """B24, B29: pUSD leaves a wallet by a way the venue does not tell."""

    address: str
    cash_u6: int = 100 * U


class LockBalance(Act, frozen=True, kw_only=True, tag="lock_balance"):
    """§10 "phantom balance lock": so much is held back as matched though nothing is; 0 ends it."""

    address: str
    cash_u6: int = 100 * U


AnyAct = (
    Restart
    | SetMode
    | CutStreams
    | ChangeTick
    | ChangeFees
    | ResolveMarket
    | DisputeMarket
    | SetSettlement
    | SetRestriction
    | ExpireHeartbeats
    | Drain
    | LockBalance
)
