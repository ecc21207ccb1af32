"""A moment in which every control passes, and the means to spoil one thing at a time."""

from typing import Any

from msgspec.structs import replace

from polytui.engine.core.enums import BookState, Mode, Outcome, Side
from polytui.engine.core.events import FeeSchedule, MarketSpec
from polytui.engine.core.order_enums import (
    OrderType,
    Purpose,
    Realm,
    TradingState,
    VenueState,
)
from polytui.engine.core.runconfig import LimitsConfig
from polytui.engine.core.trading import Draft, HostFacts, Terms
from polytui.engine.core.units import U
from polytui.engine.decide.facts import (
    AccountFacts,
    Candidate,
    ControlFacts,
    GateFacts,
    Losses,
    MarketFacts,
    Pace,
    Scope,
    VenueFacts,
)

MS = 1_000_000
S = 1_000_000_000
DAY = 86_400 * S
NOW = 1_790_000_000 * S
LIMITS = LimitsConfig()
MARKET = "0x" + "ab" * 32
SPEC = MarketSpec(
    market=MARKET,
    tokens=("111", "222"),
    title="Will it?",
    group="it",
    fees=FeeSchedule(rate_u6=40_000),
    end_ns=NOW + DAY,
)
HOST = HostFacts(
    latch_clear=True,
    lock_held=True,
    config_hash="c0ffee00",
    journal_ok=True,
    journal_fill=0.0,
    loop_lag_ns=MS,
    sentinel_ns=NOW,
    disk_free_bytes=10**10,
)
SCOPE = Scope(before_u6=0, after_u6=10 * U, filled_u6=10 * U)


def terms_of(draft: Draft, *, expires_in_s: int = 300) -> Terms:
    """Sign what was drafted, by the venue's arithmetic for a cent grid and whole lots."""
    cash_u6 = draft.px_u6 * draft.qty_u6 // U
    qty_u6 = draft.qty_u6
    if not draft.order_type.is_resting:
        if draft.side is Side.BUY:
            cash_u6 -= cash_u6 % 10_000
            qty_u6 = cash_u6 * U // draft.px_u6 // 100 * 100
        else:
            cash_u6 -= cash_u6 % 100
    is_buy = draft.side is Side.BUY
    rests = draft.order_type is OrderType.GTD
    return Terms(
        cid="c1",
        order_hash="0x01",
        salt=1,
        maker="0xm",
        signer="0xm",
        signature_type=0,
        token=draft.token,
        side=draft.side,
        maker_amount_u6=cash_u6 if is_buy else qty_u6,
        taker_amount_u6=qty_u6 if is_buy else cash_u6,
        timestamp_ms=NOW // MS,
        neg_risk=False,
        protocol="v1",
        order_type=draft.order_type,
        post_only=draft.post_only,
        expiration_s=NOW // S + expires_in_s if rests else 0,
        builder="0x00",
        px_u6=draft.px_u6,
        qty_u6=draft.qty_u6,
    )


def draft(**other: Any) -> Draft:
    """Draft a lawful FAK: BUY 10 YES at 0.48 against an ask of 0.48."""
    wish: dict[str, Any] = {
        "strategy": "box",
        "market": MARKET,
        "group": "it",
        "outcome": Outcome.YES,
        "side": Side.BUY,
        "px_u6": 480_000,
        "qty_u6": 10 * U,
        "order_type": OrderType.FAK,
        "purpose": Purpose.OPEN,
        "epoch": 7,
    } | other
    wish.setdefault("token", SPEC.tokens[0 if wish["outcome"] is Outcome.YES else 1])
    return Draft(**wish)


def quote(**other: Any) -> Draft:
    """Draft a lawful resting quote: BUY 10 YES at 0.46, post-only, GTD."""
    kind = {"order_type": OrderType.GTD, "post_only": True, "px_u6": 460_000}
    return draft(**(kind | other))


def order(wish: Draft | None = None, *, expires_in_s: int = 300, **terms: Any) -> Candidate:
    """Make an order of a draft, with terms as signed unless they are spoilt here."""
    wish = draft() if wish is None else wish
    signed = terms_of(wish, expires_in_s=expires_in_s)
    return Candidate(cid="c1", draft=wish, terms=replace(signed, **terms) if terms else signed)


_PARTS: dict[str, Any] = {
    "control": ControlFacts(
        killed=False,
        trading=TradingState.ACTIVE,
        trading_why="",
        mode=Mode.LIVE_ARMED,
        armed_until_ns=NOW + 3_600 * S,
    ),
    "venue": VenueFacts(
        state=VenueState.NORMAL,
        why="",
        heartbeat_ns=NOW - S,
        offset_ns=20 * MS,
        offset_at_ns=NOW - S,
        user_ns=NOW - S,
        balance_ns=NOW - S,
        moved_ns=0,
    ),
    "market": MarketFacts(
        spec=SPEC,
        book=BookState.SYNCED,
        epoch=7,
        tick_u6=10_000,
        book_ns=NOW - 100 * MS,
        witness_ns=0,
        metadata_ns=NOW - S,
        bid_u6=460_000,
        ask_u6=480_000,
        last_u6=470_000,
        depth_u6=100 * U,
        owner="box",
        is_allowed=True,
    ),
    "account": AccountFacts(
        market=SCOPE,
        group=SCOPE,
        strategy=SCOPE,
        total=SCOPE,
        free_cash_u6=1_000 * U,
        allowance_u6=1_000 * U,
        sell_capacity_u6=1_000 * U,
        losses=Losses(day_u6=0, strategy_day_u6=0, equity_u6=100 * U, peak_u6=100 * U),
    ),
    "pace": Pace(tokens=5),
    "host": HOST,
}


def facts(**spoilt: Any) -> GateFacts:
    """Make a moment in which all passes, but for `part__field` values given here."""
    parts = dict(_PARTS)
    top: dict[str, Any] = {
        "at_ns": NOW,
        "realm": Realm.LIVE,
        "host_ns": NOW - S,
        "config_hash": "c0ffee00",
    }
    for name, value in spoilt.items():
        part, _, field = name.partition("__")
        if not field:
            (parts if part in parts else top)[part] = value
        else:
            parts[part] = replace(parts[part], **{field: value})
    return GateFacts(**parts, **top)


FALLING = Scope(before_u6=50 * U, after_u6=50 * U, filled_u6=5 * U)
"""An exit: the worst case is no worse while it is pending, and better once it is done."""


def scopes(scope: Scope) -> dict[str, Any]:
    """Give every scope the same figures, for `facts`."""
    return {f"account__{name}": scope for name in ("market", "group", "strategy", "total")}


def exit_draft(purpose: Purpose = Purpose.REDUCE, **other: Any) -> Draft:
    """Draft a sell of what is held, into the bid."""
    return draft(**({"purpose": purpose, "side": Side.SELL, "px_u6": 450_000} | other))
