"""Records of the order path: what strategies want, what is signed, what the venue says of it.

All numbers are integers in micro-units (1e-6); all times are engine nanoseconds unless a name says
otherwise; ids of the venue are strings as it writes them, addresses in lower case.
"""

from msgspec import Struct

from polytui.engine.core.enums import Outcome, Side
from polytui.engine.core.order_enums import (
    Applied,
    BundleState,
    Control,
    EntryKind,
    FillKind,
    OrderState,
    OrderType,
    Purpose,
    Realm,
    TradeStatus,
    Witness,
)

# --- who we are ----------------------------------------------------------------------------------


class Identity(Struct, frozen=True, kw_only=True):
    """Whose orders these are and which contracts settle them; everything a signature covers."""

    maker: str
    """The address that holds the money."""
    signer: str
    """The address in the order's `signer` field: the key's own, or the deposit wallet (type 3)."""
    owner: str
    """The key's own address: API keys belong to it."""
    signature_type: int
    """0 EOA, 1 proxy, 2 Safe, 3 deposit wallet (EIP-1271)."""
    chain_id: int
    exchange: str
    neg_risk_exchange: str
    exchange_v3: str
    builder: str = "0x" + "00" * 32
    """bytes32; zero when unused."""


# --- an order ------------------------------------------------------------------------------------


class Draft(Struct, frozen=True, kw_only=True, gc=False):
    """An order somebody wants, before amounts and ids: an accepted intent, a hedge, an exit."""

    strategy: str
    """`operator` for flatten and tests of the path by hand."""
    market: str
    group: str
    """The venue's event slug; empty when it stands alone."""
    token: str
    outcome: Outcome
    side: Side
    px_u6: int
    """Limit, on the grid of the snapshot's epoch."""
    qty_u6: int
    """Shares, whole lots of 0.01."""
    order_type: OrderType
    post_only: bool = False
    expires_ns: int = 0
    """GTD: when it shall be gone, engine time; 0 for the others."""
    purpose: Purpose = Purpose.OPEN
    snapshot: int = 0
    """Seq of the snapshot it rests on."""
    epoch: int = 0
    """Tick epoch of that snapshot: an order of an older epoch is never sent."""
    bundle: str = ""
    leg: int = 0
    why: str = ""
    """The rationale in one short line; never venue text."""


class Terms(Struct, frozen=True, kw_only=True, gc=False):
    """Exactly what is signed and sent, plus the two names of the order."""

    cid: str
    """Our id: `<run>-<seq>-<n>`."""
    order_hash: str
    """EIP-712 digest, `0x…` in lower case: the venue's order id, known before sending."""
    salt: int
    """Minted from the cid; fits a JSON safe integer (below 2^53)."""
    maker: str
    signer: str
    signature_type: int
    token: str
    side: Side
    maker_amount_u6: int
    taker_amount_u6: int
    timestamp_ms: int
    neg_risk: bool
    protocol: str
    """`v1` or `v2`: decides domain version and contract."""
    order_type: OrderType
    post_only: bool
    expiration_s: int
    """Unix seconds of the venue's clock as sent on the wire (60 s after the end we want); 0."""
    builder: str
    px_u6: int
    qty_u6: int
    """As drafted: what the amounts were made from; the signer checks its caps against these."""
    metadata: str = "0x" + "00" * 32


class Edge(Struct, frozen=True, kw_only=True, gc=False):
    """One step of a machine, with what it rests on."""

    at_ns: int
    seq: int
    state: OrderState
    """Entered."""
    witness: Witness
    detail: str = ""
    """Our words or an escaped piece of theirs, at most 80 characters."""


class Refusal(Struct, frozen=True, kw_only=True, gc=False):
    """Why the gate said no: data for the screen, the log and the counters."""

    control: Control
    limit: str
    value: str
    detail: str = ""


class OrderRecord(Struct, frozen=True, kw_only=True):
    """One order as the store keeps it; the latest record of a cid wins, restart reads them."""

    realm: Realm
    cid: str
    order_hash: str
    state: OrderState
    created_ns: int
    updated_ns: int
    draft: Draft
    terms: Terms | None
    """None when it was vetoed before amounts were made."""
    refusal: Refusal | None = None
    filled_u6: int = 0
    """Sum of its non-failed trades."""
    filled_cash_u6: int = 0
    """pUSD of those, before fees."""
    venue_matched_u6: int = 0
    """The largest `size_matched` the venue has stated."""
    cancel_ns: int = 0
    """When a cancel was first asked for; 0: never."""
    cancel_attempts: int = 0
    external: bool = False
    """At the venue under our key, but not made by this engine."""
    venue_text: str = ""
    """Its own words about the end, escaped."""
    edges: tuple[Edge, ...] = ()


# --- what the venue says -------------------------------------------------------------------------


class VenueOrder(Struct, frozen=True, kw_only=True, gc=False):
    """An order as the venue shows it (REST row or user event), in the terms of its own token."""

    order_hash: str
    market: str
    token: str
    side: Side
    px_u6: int
    qty_u6: int
    matched_u6: int | None
    """None: the venue left it empty."""
    status: str
    """`LIVE`, `MATCHED`, `DELAYED`, `UNMATCHED`, `CANCELED`, `INVALID` or another word, prefixes
    and free text stripped."""
    status_text: str = ""
    """As it came, escaped, at most 80 characters."""
    order_type: OrderType | None = None
    expiration_s: int = 0
    created_s: int = 0
    event: str = ""
    """`PLACEMENT`, `UPDATE`, `CANCELLATION` on the user stream, empty in a REST row."""


class MakerPart(Struct, frozen=True, kw_only=True, gc=False):
    """A resting order's share of a trade, in the terms of its own token."""

    order_hash: str
    maker: str
    token: str
    side: Side | None
    """None where the venue left it out: derived from our own order."""
    px_u6: int
    qty_u6: int


class VenueTrade(Struct, frozen=True, kw_only=True, gc=False):
    """A trade as the venue shows it; top-level fields are the taker's."""

    trade_id: str
    market: str
    taker_hash: str
    token: str
    side: Side
    px_u6: int
    qty_u6: int
    status: TradeStatus
    matched_s: int
    tx_hash: str
    """Changes while retrying: not an identity."""
    is_taker: bool
    """`trader_side`: whether our order was the aggressor."""
    makers: tuple[MakerPart, ...] = ()


class FillChange(Struct, frozen=True, kw_only=True, gc=False):
    """One step of one trade of one of our orders, as the ledger books it."""

    kind: FillKind
    realm: Realm
    at_ns: int
    seq: int
    trade_id: str
    order_hash: str
    cid: str
    """Empty for an order that is not ours (EXTERNAL)."""
    strategy: str
    market: str
    token: str
    outcome: Outcome
    side: Side
    px_u6: int
    qty_u6: int
    cash_u6: int
    """pUSD for the shares before fee, by the venue's rounding (`quant.md` §0)."""
    fee_u6: int
    """Taker fee by the market's schedule and the venue's rounding; 0 as maker."""
    is_maker: bool
    snapshot: int = 0
    bundle: str = ""


class TradeRecord(Struct, frozen=True, kw_only=True):
    """One trade of one of our orders as the store keeps it; the latest record of its key wins."""

    realm: Realm
    trade_id: str
    order_hash: str
    cid: str
    status: TradeStatus
    applied: Applied
    first_ns: int
    updated_ns: int
    change: FillChange
    """The first sighting: identity, quantity and price never change afterwards."""
    tx_hash: str = ""
    reads: int = 0
    """Targeted reads while provisional."""


class Balance(Struct, frozen=True, kw_only=True, gc=False):
    """One asset as the venue reports it."""

    asset: str
    """`pUSD` or a token id."""
    qty_u6: int


class HeldPosition(Struct, frozen=True, kw_only=True, gc=False):
    """A holding as the Data API audits it; lags the chain."""

    market: str
    token: str
    qty_u6: int
    avg_px_u6: int
    redeemable: bool = False
    mergeable: bool = False


# --- the ledger ----------------------------------------------------------------------------------

CASH = "pUSD"
"""The asset id of collateral, beside the token ids."""


class Posting(Struct, frozen=True, kw_only=True, gc=False):
    """A signed movement on one account."""

    account: str
    """`confirmed`, `incoming`, `outgoing`, `fees`, `rebates`, `rewards`, `chain`, `market`,
    `adjust`: the table is `portfolio/ledger.py`."""
    asset: str
    amount_u6: int


class LedgerEntry(Struct, frozen=True, kw_only=True):
    """A balanced set of postings: they sum to zero per asset, exactly."""

    realm: Realm
    n: int
    """1, 2, 3 … per realm and run."""
    at_ns: int
    seq: int
    kind: EntryKind
    ref: str
    """Trade id and order hash, or the request that moved it."""
    strategy: str
    market: str
    postings: tuple[Posting, ...]
    note: str = ""


class PositionRecord(Struct, frozen=True, kw_only=True):
    """One token of one strategy as the store keeps it, and as a restart reads it back."""

    realm: Realm
    strategy: str
    market: str
    group: str
    token: str
    outcome: Outcome
    confirmed_u6: int
    cost_u6: int
    """pUSD paid for `confirmed_u6`, without fees (average cost)."""
    fees_u6: int
    realized_u6: int
    """Of sells, merges and redemptions so far, before fees."""
    unpriced: bool = False
    """Found without a price: its first mark or trade becomes its cost, so that no profit is made of
    it."""


class AccountTotals(Struct, frozen=True, kw_only=True):
    """The ledger's accounts at a checkpoint: (account, asset, amount), zero rows left out."""

    realm: Realm
    rows: tuple[tuple[str, str, int], ...]
    entries: int
    """Entries so far."""
    day: int = 0
    """UTC days since the epoch, of `day_bases`."""
    day_bases: tuple[tuple[str, int], ...] = ()
    """Profit at the beginning of the day: (strategy, or empty for the account, micro-dollars)."""
    peak_u6: int = 0
    """The highest profit so far: drawdown is measured from it."""


# --- bundles -------------------------------------------------------------------------------------


class BundleRecord(Struct, frozen=True, kw_only=True):
    """A bundle as the store keeps it."""

    realm: Realm
    bundle: str
    strategy: str
    market: str
    state: BundleState
    created_ns: int
    updated_ns: int
    legs: tuple[Draft, ...]
    """As planned, hard leg first."""
    orders: tuple[str, ...]
    """cids made for it, in order."""
    residue_token: str = ""
    residue_u6: int = 0
    residue_since_ns: int = 0
    plan: str = ""
    """`complete`, `sell`, `rest`, `merge` or empty."""
    moved: tuple[int, int] = (0, 0)
    """YES and NO shares that joined (negative: left) other than by its trades: merged, combined
    with a sibling, handed over when the market ended."""
    edges: tuple[tuple[int, str, str], ...] = ()
    """(at_ns, state, why)."""


# --- the host ------------------------------------------------------------------------------------


class HostFacts(Struct, frozen=True, kw_only=True, gc=False):
    """What only the shell can measure and the gate must know, as of one moment."""

    latch_clear: bool
    """The kill latch, in memory and on disk."""
    lock_held: bool
    config_hash: str
    journal_ok: bool
    journal_fill: float
    """Share of the store's queue in use, 0 … 1."""
    loop_lag_ns: int
    sentinel_ns: int = 0
    """When the sentinel last answered; 0: there is none."""
    disk_free_bytes: int = 0
    kill_test_ns: int = 0
    """How long the latch took to close in its last self-test."""
    kill_tested_ns: int = 0
    """When that was; 0: never."""
    replay_equal: bool | None = None
    """The last recorded run was replayed to itself by this version; None: nobody showed it."""
    troubles: tuple[tuple[str, str], ...] = ()
    """Code and sentence of what ails beside trading: an alert of each code."""
