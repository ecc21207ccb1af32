"""State to View: what consoles, the command line and the metrics may see. Reads, never writes."""

from collections.abc import Callable

from msgspec.structs import replace

from polytui.engine.account.views import orders_view, positions_view, risk_view, status_of
from polytui.engine.core.account_view import ORDERS, POSITIONS, RISK
from polytui.engine.core.alert_view import ALERTS
from polytui.engine.core.decision import Decision, Intent, scan_row
from polytui.engine.core.enums import BookState, ModuleStatus, Outcome, Reason
from polytui.engine.core.section import CountView
from polytui.engine.core.units import U, mirror_u6, text_u6
from polytui.engine.core.view import (
    BOOK_PREFIX,
    AnySection,
    BookView,
    DecisionsView,
    DecisionView,
    FeedView,
    FoldView,
    LevelView,
    MarketRow,
    MarketsView,
    ModulesView,
    ModuleView,
    ShellView,
    StatusView,
    TokenBookView,
    TradeView,
)
from polytui.engine.machine import Engine
from polytui.engine.market.desk import MarketDesk, Totals
from polytui.engine.market.features import History, feature_vector
from polytui.engine.market.snapshot import MarketSnapshot, cumulate, take_snapshot
from polytui.engine.market.tracked import Tracked

LEVELS_SHOWN = 100
"""Levels a side in a book section."""
FOLDS_SHOWN = 300
RECENT_SHOWN = 100
INCIDENTS_SHOWN = 200
_MS = 1_000_000


class Projector:
    """Makes sections on demand; `rev` moves only when the content did."""

    def __init__(self, engine: Engine, *, venue: str) -> None:
        """Look at one engine; `venue` names who the venue is, in words."""
        self._engine = engine
        self._venue = venue
        self._last: dict[str, AnySection] = {}
        self._makers: dict[str, Callable[[int, ShellView], AnySection]] = {
            "status": self._status,
            "markets": self._markets,
            "decisions": self._decisions,
            "modules": self._modules,
            ORDERS: lambda now_ns, _: orders_view(engine.trading, at_ns=now_ns),
            POSITIONS: lambda now_ns, _: positions_view(engine.trading, at_ns=now_ns),
            RISK: lambda now_ns, _: risk_view(engine.trading, at_ns=now_ns),
            ALERTS: lambda now_ns, _: engine.trading.room.alerts.view(at_ns=now_ns),
        }

    def section(self, topic: str, *, now_ns: int, shell: ShellView) -> AnySection | None:
        """Make the section of a topic; None when there is no such topic."""
        made: AnySection | None
        if topic.startswith(BOOK_PREFIX):
            made = self._book(topic[len(BOOK_PREFIX) :], now_ns)
        else:
            maker = self._makers.get(topic)
            made = None if maker is None else maker(now_ns, shell)
        if made is None:
            self._last.pop(topic, None)
            return None
        last = self._last.get(topic)
        rev = 1 if last is None else last.rev
        if last is not None and replace(made, rev=rev, at_ns=last.at_ns) != last:
            rev += 1
        self._last[topic] = section = replace(made, rev=rev)
        return section

    # --- status ----------------------------------------------------------------------------------

    def _status(self, now_ns: int, shell: ShellView) -> StatusView:
        engine = self._engine
        desk, record = engine.desk, engine.record
        states = [tracked.quality.state for tracked in desk.markets.values()]
        started = engine.started
        return StatusView(
            rev=0,
            at_ns=now_ns,
            mode=engine.trading.room.mode,
            account=status_of(engine.trading, at_ns=now_ns),
            venue=self._venue,
            run=started.run if started else "",
            version=started.version if started else "",
            seq=engine.seq,
            started_ns=engine.started_ns,
            feeds=(desk.feed_view(now_ns), *engine.reference.feed_views()),
            markets=len(states),
            synced=states.count(BookState.SYNCED),
            suspect=states.count(BookState.SUSPECT),
            stale=desk.stale(now_ns),
            decisions=record.total,
            intents=engine.arbiter.accepted,
            refused=engine.arbiter.refused,
            incidents=desk.incidents.total,
            paused=tuple(sorted(engine.paused)),
            shell=shell,
            alerts=engine.trading.room.alerts.counts,
        )

    # --- markets ---------------------------------------------------------------------------------

    def _markets(self, now_ns: int, _shell: ShellView) -> MarketsView:
        rows = tuple(self._row(tracked, now_ns) for tracked in self._engine.desk.markets.values())
        return MarketsView(rev=0, at_ns=now_ns, rows=rows)

    def _row(self, tracked: Tracked, now_ns: int) -> MarketRow:
        engine, quality, spec = self._engine, tracked.quality, tracked.spec
        yes, no = tracked.book.yes, tracked.book.no
        bid_qty, ask_qty = (side.qty[-1] if side.qty else 0 for side in (yes, no))
        last = self._last_decision(spec.market)
        blocked = engine.desk.blocked(tracked, now_ns)
        return MarketRow(
            market=spec.market,
            title=spec.title,
            slug=spec.slug,
            group=spec.group,
            state=quality.state,
            proof=quality.proof,
            reason=blocked or Reason.OK,
            stale=blocked in (Reason.STALE_BOOK, Reason.STALE_CONNECTION),
            bid_u6=yes.px[-1] if yes.px else -1,
            bid_qty_u6=bid_qty,
            ask_u6=U - no.px[-1] if no.px else -1,
            ask_qty_u6=ask_qty,
            tick_u6=tracked.book.tick_u6,
            imbalance=bid_qty / (bid_qty + ask_qty) if bid_qty and ask_qty else None,
            last_trade_u6=_last_trade_u6(tracked),
            last_ns=tracked.last_ns,
            verdict=last.verdict if last else None,
            decision_reason=last.reason if last else None,
            margin_u6=last.margin_u6 if last else None,
            decided_ns=last.at_ns if last else None,
            digest_ok=quality.ok,
            digest_recovered=quality.recovered,
            digest_bad=quality.bad,
            incidents=engine.desk.incidents.by_market[spec.market],
        )

    def _last_decision(self, market: str) -> Decision | None:
        """Find the latest decision about a market, of any strategy."""
        engine = self._engine
        found = [
            decision
            for strategy in engine.strategies
            if (decision := engine.record.last(strategy.id, market)) is not None
        ]
        return max(found, key=lambda decision: decision.at_ns, default=None)

    # --- one book --------------------------------------------------------------------------------

    def _book(self, market: str, now_ns: int) -> BookView | None:
        engine = self._engine
        ix = engine.desk.catalog.find(market)
        if ix is None:
            return None
        tracked = engine.desk.markets[ix]
        quality, spec = tracked.quality, tracked.spec
        snap = take_snapshot(tracked, seq=engine.seq, at_ns=now_ns, depth=LEVELS_SHOWN)
        history = engine.histories.get(ix) or History()
        as_of_ns = history.as_of_ns or now_ns
        return BookView(
            rev=0,
            at_ns=now_ns,
            row=self._row(tracked, now_ns),
            epoch=quality.epoch,
            venue_ms=tracked.venue_ms,
            since_ns=quality.since_ns,
            min_qty_u6=spec.min_qty_u6,
            fee_rate_u6=spec.fees.rate_u6 if spec.fees else None,
            digest_gating=quality.is_gating,
            digest_streak=quality.streak,
            yes=_token_book(snap, Outcome.YES),
            no=_token_book(snap, Outcome.NO),
            trades=_trades(tracked),
            features=feature_vector(tracked, history, as_of_ns),
            features_as_of_ns=as_of_ns,
            counters=_book_counters(tracked),
        )

    # --- decisions -------------------------------------------------------------------------------

    def _decisions(self, now_ns: int, _shell: ShellView) -> DecisionsView:
        engine = self._engine
        titles = engine.desk.catalog.titles
        folds = sorted(engine.record.folds.values(), key=lambda fold: -fold.last.at_ns)
        recent = list(engine.record.recent)[: -RECENT_SHOWN - 1 : -1]
        return DecisionsView(
            rev=0,
            at_ns=now_ns,
            folds=tuple(
                FoldView(
                    row=scan_row(fold.last),
                    verdict=fold.last.verdict,
                    title=titles.get(fold.last.market, ""),
                    count=fold.count,
                    first_ns=fold.first_ns,
                    best_margin_u6=fold.best.margin_u6,
                    best_ns=fold.best.at_ns,
                )
                for fold in folds[:FOLDS_SHOWN]
            ),
            recent=tuple(
                DecisionView(
                    row=scan_row(decision),
                    verdict=decision.verdict,
                    title=titles.get(decision.market, ""),
                    snapshot=decision.snapshot,
                    legs=tuple(_leg(intent) for intent in decision.intents),
                )
                for decision in recent
            ),
            incidents=engine.desk.incidents.views(titles)[:INCIDENTS_SHOWN],
        )

    # --- modules ---------------------------------------------------------------------------------

    def _modules(self, now_ns: int, shell: ShellView) -> ModulesView:
        engine = self._engine
        desk, record = engine.desk, engine.record
        feeds = (desk.feed_view(now_ns), *engine.reference.feed_views())
        data_ns = feeds[0].last_ns
        last_decided = max((fold.last.at_ns for fold in record.latest.values()), default=None)
        totals = desk.totals()
        rows = [self._feed_row(feed, now_ns) for feed in feeds]
        make = self._module
        rows += [
            make("market.books", data_ns, now_ns, _book_totals(desk, totals)),
            make(
                "market.quality",
                data_ns,
                now_ns,
                (
                    ("digest_ok", totals.ok),
                    ("digest_recovered", totals.recovered),
                    ("digest_bad", totals.bad),
                    ("resyncs", desk.resyncs),
                    ("incidents", desk.incidents.total),
                ),
            ),
            *(self._strategy_row(strategy.id, now_ns) for strategy in engine.strategies),
            make(
                "arbiter",
                last_decided,
                now_ns,
                (
                    ("accepted", engine.arbiter.accepted),
                    ("refused", engine.arbiter.refused),
                    ("preempted", engine.arbiter.preempted),
                    ("locks", len(engine.arbiter.locks)),
                ),
            ),
            make(
                "engine.loop",
                engine.now_ns or None,
                now_ns,
                (("seq", engine.seq), ("turns", engine.turns), ("dropped", shell.dropped)),
            ),
            make(
                "capture",
                engine.now_ns if shell.capture_bytes else None,
                now_ns,
                (("bytes", shell.capture_bytes), ("lost", shell.capture_lost)),
                bad=shell.capture_lost > 0,
            ),
        ]
        return ModulesView(rev=0, at_ns=now_ns, rows=tuple(rows))

    def _feed_row(self, feed: FeedView, now_ns: int) -> ModuleView:
        counters = (
            ("messages", feed.messages),
            ("faults", feed.faults),
            ("ignored", feed.ignored),
            ("gaps", feed.gaps),
            ("reconnects", feed.reconnects),
        )
        row = self._module(f"feed.{feed.feed.value}", feed.last_ns, now_ns, counters)
        return row if feed.reason is Reason.OK else replace(row, reason=feed.reason)

    def _strategy_row(self, strategy: str, now_ns: int) -> ModuleView:
        engine = self._engine
        mine = [fold.last for (name, _), fold in engine.record.latest.items() if name == strategy]
        last = max(mine, key=lambda decision: decision.at_ns, default=None)
        folds = [f for (name, _, _), f in engine.record.folds.items() if name == strategy]
        counters = (("looks", sum(fold.count for fold in folds)), ("markets", len(mine)))
        row = self._module(f"strategy.{strategy}", last.at_ns if last else None, now_ns, counters)
        if strategy in engine.paused:
            return replace(row, status=ModuleStatus.DEGRADED, reason=Reason.PAUSED)
        return row if last is None else replace(row, reason=last.reason)

    def _module(
        self,
        module: str,
        last_ns: int | None,
        now_ns: int,
        counters: tuple[tuple[str, int], ...],
        *,
        bad: bool = False,
    ) -> ModuleView:
        """Judge a module by the age of its evidence."""
        limits = self._engine.config.modules
        age_ms = None if last_ns is None else (now_ns - last_ns) // _MS
        if age_ms is None or age_ms > limits.offline_ms:
            status, reason = ModuleStatus.OFFLINE, Reason.NO_EVIDENCE
        elif age_ms > limits.degraded_ms:
            status, reason = ModuleStatus.DEGRADED, Reason.SILENT
        else:
            status = ModuleStatus.DEGRADED if bad else ModuleStatus.ONLINE
            reason = Reason.QUEUE_DROP if bad else Reason.OK
        return ModuleView(
            module=module,
            status=status,
            last_ns=last_ns,
            reason=reason,
            counters=tuple(CountView(name=name, value=value) for name, value in counters),
        )


def _token_book(snap: MarketSnapshot, outcome: Outcome) -> TokenBookView:
    index = 0 if outcome is Outcome.YES else 1
    bids, asks = (
        tuple(
            LevelView(px_u6=px, qty_u6=qty, cum_u6=cum)
            for px, qty, cum in cumulate(side, LEVELS_SHOWN)
        )
        for side in (snap.bids(outcome), snap.asks(outcome))
    )
    return TokenBookView(
        token=snap.spec.tokens[index], outcome=snap.spec.outcomes[index], bids=bids, asks=asks
    )


def _last_trade_u6(tracked: Tracked) -> int:
    """Return the last trade's price in terms of YES, -1 before the first."""
    if not tracked.trades:
        return -1
    trade = tracked.trades[-1][1]
    return trade.px_u6 if trade.token == tracked.spec.tokens[0] else mirror_u6(trade.px_u6)


def _trades(tracked: Tracked) -> tuple[TradeView, ...]:
    tokens, outcomes = tracked.spec.tokens, tracked.spec.outcomes
    return tuple(
        TradeView(
            at_ns=at_ns,
            outcome=outcomes[0] if trade.token == tokens[0] else outcomes[1],
            px_u6=trade.px_u6,
            qty_u6=trade.qty_u6,
            side=trade.side.value if trade.side else "",
        )
        for at_ns, trade in reversed(tracked.trades)
    )


def _book_counters(tracked: Tracked) -> tuple[CountView, ...]:
    quality = tracked.quality
    named = [
        ("deltas", tracked.deltas),
        ("trades", tracked.trades_total),
        ("digest_ok", quality.ok),
        ("digest_recovered", quality.recovered),
        ("digest_bad", quality.bad),
        ("digest_superseded", tracked.superseded),
        ("parity_breaks", tracked.parity.breaks),
        ("witnessed", tracked.witnessed),
        *(
            (evidence.value, count)
            for evidence, count in sorted(quality.doubts.items(), key=lambda item: item[0].value)
        ),
    ]
    return tuple(CountView(name=name, value=value) for name, value in named)


def _book_totals(desk: MarketDesk, totals: Totals) -> tuple[tuple[str, int], ...]:
    markets = desk.markets.values()
    return (
        ("markets", len(markets)),
        ("deltas", totals.deltas),
        ("trades", totals.trades),
        ("levels", sum(len(t.book.yes) + len(t.book.no) for t in markets)),
    )


def _leg(intent: Intent) -> str:
    """Say a leg in words: `BUY YES 120 @ 0.46`."""
    side, outcome = intent.side.value.upper(), intent.outcome.value.upper()
    return f"{side} {outcome} {text_u6(intent.qty_u6)} @ {text_u6(intent.px_u6)}"
