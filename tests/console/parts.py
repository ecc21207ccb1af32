"""Pieces of views: the time, the status, the feeds, the markets. Nothing here reads a clock."""

from msgspec.structs import replace

from polytui.engine.core.enums import (
    BookState,
    Feed,
    FeedState,
    Mode,
    Proof,
    Reason,
    Verdict,
)
from polytui.engine.core.messages import Hello
from polytui.engine.core.view import (
    FeedView,
    MarketRow,
    Percentiles,
    ShellView,
    StatusView,
)

NOW = 1_795_269_731_000_000_000
"""2026-11-21 14:02:11 UTC; engine and wall clock agree here."""
MS, S = 10**6, 10**9
U = 10**6

HELLO = Hello(protocol="1.0", boot="5d2c81aa", role="rw", run="r1", version="0.1.0", pid=4121)

SHELL = ShellView(
    loop_lag=Percentiles(count=9981, p50_us=180, p99_us=1_900, p999_us=2_700, max_us=4_100),
    decision=Percentiles(count=4077, p50_us=447, p99_us=2_110, p999_us=3_020, max_us=4_870),
    inbox=3,
    dropped=0,
    capture_bytes=214_000_000,
    store_bytes=38_400_000,
    recordings_bytes=1_912_000_000,
    capture_lost=0,
    clients=2,
    wall_ns=NOW,
    pid=4121,
    rss_bytes=96_000_000,
    metrics_at="127.0.0.1:9108",
    recordings_at="/var/lib/polytui/capture",
    started_ticks=77,
)


def feed(
    name: Feed,
    role: str,
    state: FeedState = FeedState.LIVE,
    *,
    age_ms: int | None = 84,
    reason: Reason = Reason.OK,
    gaps: int = 0,
) -> FeedView:
    """Make a feed."""
    return FeedView(
        feed=name,
        role=role,
        state=state,
        reason=reason,
        last_ns=None if age_ms is None else NOW - age_ms * MS,
        messages=412_881,
        faults=0,
        ignored=12,
        gaps=gaps,
        reconnects=1,
    )


FEEDS = (
    feed(Feed.POLYMARKET, "venue"),
    feed(Feed.COINBASE, "primary", age_ms=912),
    feed(
        Feed.BINANCE,
        "secondary",
        FeedState.UNAVAILABLE,
        age_ms=None,
        reason=Reason.GEO_BLOCKED,
    ),
    feed(Feed.CHAINLINK, "settlement", FeedState.WARMING, age_ms=4_200, reason=Reason.WARMING_UP),
)

STATUS = StatusView(
    rev=7,
    at_ns=NOW,
    mode=Mode.SHADOW,
    venue="practice",
    run="r1",
    version="0.1.0",
    seq=88_213,
    started_ns=NOW - 5_412 * S,
    feeds=FEEDS,
    markets=12,
    synced=10,
    suspect=1,
    stale=1,
    decisions=40_772,
    intents=3,
    refused=1,
    incidents=17,
    paused=(),
    shell=SHELL,
)

TITLES = (
    "Will Bitcoin reach $150,000 by December 31, 2026?",
    "Will the Fed cut rates at its January meeting?",
    "US government shutdown before February 2027?",
    "Will it snow in Central Park before December 15?",
    "Will the Lakers win on Christmas Day?",
    "Will Ethereum close above $4,000 on November 30?",
    "Ceasefire extended through the end of 2026?",
    "New frontier model released before March 2027?",
    "US recession declared by the end of 2027?",
    "Hottest year on record: 2026?",
    "Will CPI exceed 3.0% in November?",
    "Bitcoin up or down, 14:00 to 14:05 UTC",
)
BIDS = (181_000, 640_000, 327_500, 940_000, 552_000, 408_000, 718_000, 866_000, 221_000, 470_000)


def market_id(number: int) -> str:
    """Name a market as the venue does."""
    return f"0x{(number + 1) * 0x9E3779B97F4A7C15 % 2**64:016x}{number:048x}"


def market_row(number: int, title: str) -> MarketRow:
    """Make a row in good order."""
    tick = (1_000, 10_000, 2_500)[number % 3] if number != 10 else 100
    bid = BIDS[number % len(BIDS)] // tick * tick
    return MarketRow(
        market=market_id(number),
        title=title,
        slug=f"market-{number}",
        group="",
        state=BookState.SYNCED,
        proof=Proof.DIGEST,
        reason=Reason.OK,
        stale=False,
        bid_u6=bid,
        bid_qty_u6=(350 + 137 * number) * U,
        ask_u6=bid + tick * (1 + number % 4),
        ask_qty_u6=(800 + 61 * number) * U + U // 2,
        tick_u6=tick,
        imbalance=0.31 + 0.04 * number,
        last_trade_u6=bid,
        last_ns=NOW - (84 + 377 * number) * MS,
        verdict=Verdict.HOLD,
        decision_reason=Reason.EDGE_BELOW_BUFFER,
        margin_u6=-(2_100 + 1_300 * number),
        decided_ns=NOW - 200 * MS,
        digest_ok=12_812 + number,
        digest_recovered=3,
        digest_bad=0,
        incidents=0,
    )


def market_rows(titles: tuple[str, ...] = TITLES) -> tuple[MarketRow, ...]:
    """Make the usual markets: most well, one suspect, one stale, one empty, one with an intent."""
    rows = [market_row(number, title) for number, title in enumerate(titles)]
    rows[3] = replace(
        rows[3],
        state=BookState.SUSPECT,
        proof=Proof.NONE,
        reason=Reason.DIGEST_MISMATCH,
        verdict=Verdict.BLOCKED,
        decision_reason=Reason.DIGEST_MISMATCH,
        margin_u6=None,
        digest_bad=2,
    )
    rows[5] = replace(
        rows[5], stale=True, reason=Reason.STALE_BOOK, last_ns=NOW - 19_200 * MS, margin_u6=None
    )
    rows[6] = replace(rows[6], proof=Proof.PENDING, decision_reason=Reason.AWAIT_CONFIRMATION)
    rows[8] = replace(rows[8], verdict=Verdict.INTENT, decision_reason=Reason.OK, margin_u6=1_400)
    rows[9] = replace(
        rows[9],
        proof=Proof.TOP,
        ask_u6=-1,
        ask_qty_u6=0,
        imbalance=None,
        decision_reason=Reason.ONE_SIDED,
    )
    rows[11] = replace(
        rows[11],
        state=BookState.EMPTY,
        proof=Proof.NONE,
        reason=Reason.NO_SNAPSHOT,
        bid_u6=-1,
        ask_u6=-1,
        bid_qty_u6=0,
        ask_qty_u6=0,
        imbalance=None,
        last_trade_u6=-1,
        last_ns=None,
        verdict=None,
        decision_reason=None,
        margin_u6=None,
        decided_ns=None,
    )
    return tuple(rows)


HOSTILE = (
    "[/b] closes what was never open",
    "[@click=app.quit]x[/] do not click",
    "\x1b[31mred\x1b]0;owned\x07 and \x9b2J",
    "[bold red]loud[/] $background {0} %s",
    "right\u202eot\u202c left \u2066isolate\u2069",
    "zero\u200bwidth\u200d\u200c\ufeffjoins\u00ad",
    "東京は晴れますか？ 한국어 제목 👨‍👩‍👧 👍🏽 🇺🇸 1️⃣ ⚠️",
    "z\u0335\u0321\u0331a\u0300\u0301\u0302\u0303l\u0323\u0324\u0325go \u0301leading",
    "line\nbreak\ttab\r\vcarriage\x00nul\x7fdel",
    "A" * 10_000,
    "\\[escaped\\] \\x1b[0m &lt;b&gt; ${jndi:x}",
    "\x1b]52;c;cHduZWQ=\x07\x1bP+q\x1b\\ \x8d\x90dcs",
)
"""Titles an enemy would list, as they come from the venue."""
