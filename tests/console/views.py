"""Views for screens: what an engine might say, in five moods, at the fixed time `NOW`."""

from msgspec.structs import replace

from polytui.engine.core.decision import ScanRow
from polytui.engine.core.enums import (
    Feed,
    FeedState,
    Incident,
    MetricFamily,
    ModuleStatus,
    Reason,
    Unit,
    Verdict,
)
from polytui.engine.core.section import CountView
from polytui.engine.core.view import (
    AnySection,
    BookView,
    DecisionsView,
    DecisionView,
    FeatureView,
    FoldView,
    IncidentView,
    LevelView,
    MarketRow,
    MarketsView,
    ModulesView,
    ModuleView,
    Percentiles,
    TokenBookView,
    TradeView,
    book_topic,
)
from tests.console.parts import (
    FEEDS,
    HELLO,
    HOSTILE,
    MS,
    NOW,
    SHELL,
    STATUS,
    TITLES,
    S,
    U,
    feed,
    market_id,
    market_row,
    market_rows,
)

__all__ = [
    "FEEDS",
    "HELLO",
    "HOSTILE",
    "NOW",
    "SHELL",
    "STATUS",
    "TITLES",
    "S",
    "market_id",
    "market_row",
    "market_rows",
]


def scan(
    number: int, reason: Reason, score_u6: int, *, strategy: str = "box", threshold_u6: int = 2_000
) -> ScanRow:
    """Make a scan row."""
    return ScanRow(
        strategy=strategy,
        market_key=market_id(number),
        score=score_u6 / U,
        threshold=threshold_u6 / U,
        margin=(score_u6 - threshold_u6) / U,
        unit=Unit.USD_PER_SHARE,
        metric_family=MetricFamily.NET_EDGE,
        reason=reason,
        timestamp=NOW - (200 + 90 * number) * MS,
    )


def fold(
    number: int,
    reason: Reason,
    score_u6: int,
    *,
    verdict: Verdict = Verdict.HOLD,
    count: int = 900,
    titles: tuple[str, ...] = TITLES,
) -> FoldView:
    """Make a fold."""
    row = scan(number, reason, score_u6)
    return FoldView(
        row=row,
        verdict=verdict,
        title=titles[number],
        count=count + 311 * number * (verdict is Verdict.HOLD),
        first_ns=NOW - 3_600 * S,
        best_margin_u6=score_u6 - 2_000 + 250 * (verdict is Verdict.HOLD),
        best_ns=NOW - (40 + number) * S,
    )


def folds(titles: tuple[str, ...] = TITLES) -> tuple[FoldView, ...]:
    """Make the usual folds, latest first as the engine sends them."""
    below = Reason.EDGE_BELOW_BUFFER
    return (
        *(fold(n, below, -100 - 1_300 * n, titles=titles) for n in (0, 1, 2, 4, 6, 7, 10)),
        fold(8, Reason.OK, 3_400, verdict=Verdict.INTENT, count=1, titles=titles),
        fold(8, Reason.DUPLICATE_INTENT, 3_400, verdict=Verdict.REFUSED, count=1, titles=titles),
        fold(8, below, 1_650, titles=titles),
        fold(6, Reason.AWAIT_CONFIRMATION, 2_300, count=7, titles=titles),
        fold(9, Reason.ONE_SIDED, 0, count=40, titles=titles),
        fold(3, Reason.DIGEST_MISMATCH, 0, verdict=Verdict.BLOCKED, count=12, titles=titles),
        fold(5, Reason.STALE_BOOK, 0, verdict=Verdict.BLOCKED, count=2, titles=titles),
    )


def decision(
    number: int,
    verdict: Verdict,
    reason: Reason,
    score_u6: int,
    *,
    legs: tuple[str, ...] = (),
    titles: tuple[str, ...] = TITLES,
) -> DecisionView:
    """Make a decision kept singly."""
    return DecisionView(
        row=scan(number, reason, score_u6),
        verdict=verdict,
        title=titles[number],
        snapshot=88_000 + number,
        legs=legs,
    )


def decisions(titles: tuple[str, ...] = TITLES) -> DecisionsView:
    """Make the usual decisions."""
    legs = ("BUY YES 120 @ 0.224", "BUY NO 120 @ 0.7726")
    return DecisionsView(
        rev=9,
        at_ns=NOW,
        folds=folds(titles),
        recent=(
            decision(8, Verdict.REFUSED, Reason.DUPLICATE_INTENT, 3_400, legs=legs, titles=titles),
            decision(8, Verdict.INTENT, Reason.OK, 3_400, legs=legs, titles=titles),
            decision(3, Verdict.BLOCKED, Reason.DIGEST_MISMATCH, 0, titles=titles),
            decision(5, Verdict.BLOCKED, Reason.STALE_BOOK, 0, titles=titles),
            decision(2, Verdict.INTENT, Reason.OK, 2_150, legs=legs, titles=titles),
        ),
        incidents=(
            incident(Incident.DIGEST_MISMATCH, 3, 2, "expected 41d0…, was 9f31…", titles),
            incident(Incident.BOX_BELOW_PAR, 8, 14, "asks sum to 0.9966", titles),
            incident(Incident.OUT_OF_ORDER, 5, 1, "venue_ms went back by 12", titles),
        ),
    )


def incident(
    kind: Incident, number: int, count: int, detail: str, titles: tuple[str, ...] = TITLES
) -> IncidentView:
    """Make an incident."""
    return IncidentView(
        incident=kind,
        market=market_id(number),
        title=titles[number],
        count=count,
        first_ns=NOW - 700 * S,
        last_ns=NOW - (20 + 31 * number) * S,
        detail=detail,
    )


def levels(px_u6: int, step_u6: int, count: int) -> tuple[LevelView, ...]:
    """Make one side, best first; every fourth price is missing, as in life."""
    made: list[LevelView] = []
    cum = 0
    for number in range(count):
        if number % 4 == 3:
            continue
        qty = (350 + (number * 7919) % 2300) * U + (U // 2 if number % 3 == 0 else 0)
        cum += qty
        made.append(LevelView(px_u6=px_u6 + number * step_u6, qty_u6=qty, cum_u6=cum))
    return tuple(made)


def book(number: int = 0, titles: tuple[str, ...] = TITLES, outcome: str = "Yes") -> BookView:
    """Make a market's book."""
    row = market_rows(titles)[number]
    tick = row.tick_u6
    bids = levels(row.bid_u6, -tick, 24) if row.bid_u6 > 0 else ()
    asks = levels(row.ask_u6, tick, 24) if row.ask_u6 > 0 else ()
    return BookView(
        rev=3,
        at_ns=NOW,
        row=row,
        epoch=2,
        venue_ms=NOW // MS - 91,
        since_ns=NOW - 812 * S,
        min_qty_u6=5 * U,
        fee_rate_u6=40_000,
        digest_gating=True,
        digest_streak=1_204,
        yes=TokenBookView(token="7137" * 12, outcome=outcome, bids=bids, asks=asks),
        no=TokenBookView(token="2941" * 12, outcome="No", bids=mirror(asks), asks=mirror(bids)),
        trades=tuple(trade(row, number, outcome) for number in range(14)) if bids else (),
        features=(
            FeatureView(name="spread", version=1, value=1.0, unit=Unit.TICKS),
            FeatureView(name="mid", version=1, value=0.1815, unit=Unit.PRICE),
            FeatureView(name="imbalance", version=1, value=0.31, unit=Unit.RATIO),
            FeatureView(name="microprice", version=2, value=0.18124, unit=Unit.PRICE),
            FeatureView(name="book_age", version=1, value=84.0, unit=Unit.MILLISECONDS),
            FeatureView(name="trade_rate_60s", version=1, value=None, unit=Unit.COUNT),
            FeatureView(name="vol_logit_60s", version=1, value=0.0412, unit=Unit.LOG_ODDS),
        ),
        features_as_of_ns=NOW - 100 * MS,
        counters=(
            CountView(name="deltas", value=41_208),
            CountView(name="trades", value=118),
            CountView(name="digest_ok", value=row.digest_ok),
            CountView(name="digest_recovered", value=row.digest_recovered),
            CountView(name="digest_bad", value=row.digest_bad),
            CountView(name="witnessed", value=4),
        ),
    )


def mirror(side: tuple[LevelView, ...]) -> tuple[LevelView, ...]:
    """See a side from the other token."""
    return tuple(replace(level, px_u6=U - level.px_u6) for level in side)


def trade(row: MarketRow, number: int, outcome: str) -> TradeView:
    """Make a public trade."""
    buy = number % 3 != 1
    return TradeView(
        at_ns=NOW - (900 + number * 7_310) * MS,
        outcome=outcome,
        px_u6=row.ask_u6 if buy else row.bid_u6,
        qty_u6=(5 + (number * 37) % 240) * U,
        side="buy" if buy else "sell",
    )


def module(
    name: str,
    *,
    status: ModuleStatus = ModuleStatus.ONLINE,
    age_ms: int | None = 120,
    reason: Reason = Reason.OK,
    counters: tuple[tuple[str, int], ...] = (),
) -> ModuleView:
    """Make a module."""
    return ModuleView(
        module=name,
        status=status,
        last_ns=None if age_ms is None else NOW - age_ms * MS,
        reason=reason,
        counters=tuple(CountView(name=key, value=value) for key, value in counters),
    )


MODULES = ModulesView(
    rev=5,
    at_ns=NOW,
    rows=(
        module("feed.polymarket", counters=(("messages", 412_881), ("faults", 0), ("gaps", 0))),
        module("feed.coinbase", age_ms=912, counters=(("messages", 90_114), ("gaps", 1))),
        module(
            "feed.binance",
            status=ModuleStatus.OFFLINE,
            age_ms=None,
            reason=Reason.GEO_BLOCKED,
            counters=(("messages", 0), ("reconnects", 14)),
        ),
        module("feed.chainlink", age_ms=4_200, reason=Reason.WARMING_UP),
        module("market.books", counters=(("markets", 12), ("deltas", 388_402), ("levels", 1_804))),
        module(
            "market.quality",
            counters=(("digest_ok", 153_866), ("digest_bad", 2), ("resyncs", 3)),
        ),
        module(
            "strategy.box",
            age_ms=200,
            reason=Reason.EDGE_BELOW_BUFFER,
            counters=(("looks", 40_772), ("markets", 12)),
        ),
        module(
            "arbiter",
            age_ms=9_000,
            status=ModuleStatus.DEGRADED,
            reason=Reason.SILENT,
            counters=(("accepted", 3), ("refused", 1), ("locks", 1)),
        ),
        module("engine.loop", age_ms=1, counters=(("seq", 88_213), ("turns", 91_002))),
        module("capture", age_ms=1, counters=(("bytes", 214_000_000), ("lost", 0))),
    ),
)


def live(titles: tuple[str, ...] = TITLES, outcome: str = "Yes") -> dict[str, AnySection]:
    """Give every topic of an engine that runs well, with the usual small troubles."""
    sections: dict[str, AnySection] = {
        "status": STATUS,
        "markets": MarketsView(rev=4, at_ns=NOW, rows=market_rows(titles)),
        "decisions": decisions(titles),
        "modules": MODULES,
    }
    for number in range(len(titles)):
        sections[book_topic(market_id(number))] = book(number, titles, outcome)
    return sections


def empty() -> dict[str, AnySection]:
    """Give an engine that has just started and watches nothing."""
    shell = replace(SHELL, loop_lag=Percentiles(), decision=Percentiles(), capture_bytes=0)
    status = replace(
        STATUS,
        feeds=(),
        markets=0,
        synced=0,
        suspect=0,
        stale=0,
        decisions=0,
        intents=0,
        refused=0,
        incidents=0,
        seq=1,
        started_ns=NOW - 2 * S,
        shell=shell,
    )
    return {
        "status": status,
        "markets": MarketsView(rev=1, at_ns=NOW, rows=()),
        "decisions": DecisionsView(rev=1, at_ns=NOW, folds=(), recent=(), incidents=()),
        "modules": ModulesView(rev=1, at_ns=NOW, rows=()),
    }


def stale() -> dict[str, AnySection]:
    """Give an engine whose venue fell silent 19 s ago: every book is stale."""
    sections = live()
    rows = tuple(
        replace(row, stale=True, reason=Reason.STALE_CONNECTION, last_ns=NOW - 19_200 * MS)
        for row in market_rows()
    )
    dead = feed(
        Feed.POLYMARKET, "venue", FeedState.STALE, age_ms=19_200, reason=Reason.SILENT, gaps=1
    )
    sections["markets"] = MarketsView(rev=4, at_ns=NOW, rows=rows)
    sections["status"] = replace(STATUS, feeds=(dead, *FEEDS[1:]), synced=0, suspect=1, stale=12)
    for number, row in enumerate(rows):
        topic = book_topic(market_id(number))
        sections[topic] = replace(book(number), row=row)
    return sections
