"""The collector: reads the View at scrape time and keeps nothing but counters between scrapes.

Nothing is counted per event. A scrape is made in steps, one section of the View each, so that the
event loop gets a turn between them; `collect` takes them all at once for whoever has no loop.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from typing import Final, TypeVar

from msgspec import Struct
from prometheus_client import GC_COLLECTOR, PROCESS_COLLECTOR
from prometheus_client.core import Metric
from prometheus_client.registry import Collector

from polytui.engine.core.account_view import (
    ORDERS,
    POSITIONS,
    RISK,
    OrdersView,
    PositionsView,
    RiskView,
)
from polytui.engine.core.enums import BookState, FeedState, Mode, ModuleStatus, Reason
from polytui.engine.core.section import Section
from polytui.engine.core.view import (
    DECISIONS,
    MARKETS,
    MODULES,
    STATUS,
    AnySection,
    DecisionsView,
    FeedView,
    MarketsView,
    ModulesView,
    Percentiles,
    ShellView,
    StatusView,
)
from polytui.engine.shell.metrics.account import (
    read_account,
    read_market_exposure,
    read_orders,
    read_positions,
    read_risk,
)
from polytui.engine.shell.metrics.labels import OTHER
from polytui.engine.shell.metrics.sheet import Memory, Sheet

_Kind = TypeVar("_Kind", bound=Section)

MARKETS_A_STEP: Final = 50
Sections = Callable[[str], AnySection | None]
"""Makes the section of a topic now; None when there is none."""


class HostHealth(Struct, frozen=True, kw_only=True):
    """What the View does not hold: the loop's tasks and the queues of the two logs."""

    tasks: int = 0
    capture_waiting: int = 0
    store_healthy: bool = True
    store_waiting: int = 0
    store_fill: float = 0.0
    """Share of the queue in use, 0 … 1 and above."""
    store_rows: int = 0
    store_commits: int = 0


class ScrapeHealth(Struct, kw_only=True):
    """How the exporter does."""

    scrapes: int = 0
    errors: int = 0
    work_ns: int = 0
    """Of the last scrape."""
    block_ns: int = 0
    """Longest stretch of the last scrape without a pause."""


class ViewCollector(Collector):
    """The only collector there is."""

    def __init__(self, sections: Sections, *, host: Callable[[], HostHealth] | None = None) -> None:
        """Read these sections; `host` tells what the View does not hold."""
        self._sections = sections
        self._host = host
        self._memory = Memory()
        self.health = ScrapeHealth()

    def collect(self) -> Iterable[Metric]:
        """Make all families at once."""
        sheet = self.begin()
        for _ in self.steps(sheet):
            pass
        return self.families(sheet)

    def begin(self) -> Sheet:
        """Begin a scrape."""
        return Sheet(self._memory)

    def steps(self, sheet: Sheet) -> Iterator[None]:
        """Read the View onto a sheet, section by section."""
        self._read(STATUS, StatusView, read_status, sheet)
        yield
        self._read(ORDERS, OrdersView, read_orders, sheet)
        yield
        positions = self._read(POSITIONS, PositionsView, read_positions, sheet)
        yield
        self._read(RISK, RiskView, read_risk, sheet)
        yield
        markets = self._sections(MARKETS)
        yield
        if isinstance(markets, MarketsView):
            yield from read_markets(markets, sheet)
        if positions is not None:
            read_market_exposure(positions, sheet)
        yield
        self._read(DECISIONS, DecisionsView, read_decisions, sheet)
        yield
        self._read(MODULES, ModulesView, read_modules, sheet)
        self._read_self(sheet)

    def families(self, sheet: Sheet) -> Iterable[Metric]:
        """Hand out the families of a sheet, and those of the client library."""
        yield from sheet.families()
        yield from GC_COLLECTOR.collect()
        yield from PROCESS_COLLECTOR.collect()

    def _read(
        self, topic: str, kind: type[_Kind], read: Callable[[_Kind, Sheet], None], sheet: Sheet
    ) -> _Kind | None:
        """Read a section onto a sheet and return it, if there is one."""
        section = self._sections(topic)
        if not isinstance(section, kind):
            return None
        read(section, sheet)
        return section

    def _read_self(self, sheet: Sheet) -> None:
        if self._host is not None:
            host = self._host()
            sheet.gauge("tasks", host.tasks)
            sheet.gauge("capture_waiting_records", host.capture_waiting)
            sheet.gauge("store_healthy", float(host.store_healthy))
            sheet.gauge("store_waiting_rows", host.store_waiting)
            sheet.gauge("store_queue_ratio", host.store_fill)
            sheet.count("store_rows_total", host.store_rows)
            sheet.count("store_commits_total", host.store_commits)
        health = self.health
        sheet.count("scrapes_total", health.scrapes)
        sheet.count("scrape_errors_total", health.errors)
        sheet.gauge("scrape_work_seconds", health.work_ns / 1e9)
        sheet.gauge("scrape_block_seconds", health.block_ns / 1e9)
        sheet.count("label_refusals_total", self._memory.words.refused)


# --- status --------------------------------------------------------------------------------------


def read_status(view: StatusView, sheet: Sheet) -> None:
    """Read the status bar."""
    sheet.gauge("info", 1, view.version, view.venue, view.run)
    sheet.states("mode", Mode, view.mode)
    sheet.gauge("start_timestamp_seconds", view.started_ns / 1e9)
    sheet.count("events_total", view.seq)
    sheet.count("looks_total", view.decisions)
    sheet.count("intents_total", view.intents, "accepted")
    sheet.count("intents_total", view.refused, "refused")
    sheet.gauge("markets_stale", view.stale)
    for feed in view.feeds:
        _read_feed(feed, view.at_ns, sheet)
    _read_shell(view.shell, sheet)
    read_account(view.account, view.at_ns, sheet)


def _read_feed(feed: FeedView, at_ns: int, sheet: Sheet) -> None:
    where = (feed.feed.value, feed.role)
    sheet.states("feed_state", FeedState, feed.state, *where)
    sheet.age("feed_age_seconds", feed.last_ns, at_ns, *where)
    for name in ("messages", "faults", "ignored", "gaps", "reconnects"):
        sheet.count(f"feed_{name}_total", getattr(feed, name), *where)


def _read_shell(shell: ShellView, sheet: Sheet) -> None:
    stages: tuple[tuple[str, Percentiles], ...] = (
        ("loop_lag", shell.loop_lag),
        ("decision", shell.decision),
    )
    for stage, took in stages:
        sheet.gauge("stage_samples", took.count, stage)
        if took.count:
            for stat, us in (("p50", took.p50_us), ("p99", took.p99_us), ("max", took.max_us)):
                sheet.gauge("stage_latency_seconds", us / 1e6, stage, stat)
    sheet.gauge("inbox_events", shell.inbox)
    sheet.count("dropped_events_total", shell.dropped)
    sheet.count("capture_written_bytes_total", shell.capture_bytes)
    sheet.count("capture_lost_records_total", shell.capture_lost)
    sheet.gauge("store_size_bytes", shell.store_bytes)
    sheet.gauge("recordings_size_bytes", shell.recordings_bytes)
    sheet.count("alerts_posted_total", shell.posts.posted)
    sheet.count("alerts_post_lost_total", shell.posts.lost)
    sheet.gauge("clients", shell.clients)
    sheet.gauge("resident_memory_bytes", shell.rss_bytes)


# --- data ----------------------------------------------------------------------------------------


def read_markets(view: MarketsView, sheet: Sheet) -> Iterator[None]:
    """Read the markets: in all, and singly those that have series of their own; in steps."""
    states = Counter(row.state for row in view.rows)
    for state in BookState:
        sheet.gauge("markets", states[state], state.value)
    for reason, number in Counter(row.reason.value for row in view.rows).items():
        if reason != Reason.OK.value:
            sheet.gauge("markets_unusable", number, reason)
    slots = sheet.memory.slots
    heard = ((row.market, row.last_ns or 0) for row in view.rows)
    sheet.shown = slots.assign(heard, at_risk=sheet.at_risk, now_ns=view.at_ns)
    for market in slots.lost:
        sheet.memory.counts.drop(market)
    sheet.gauge("markets_in_other", len(view.rows) - len(sheet.shown))
    for place, row in enumerate(view.rows):
        if place % MARKETS_A_STEP == 0:
            yield
        is_shown = row.market in sheet.shown
        market = row.market if is_shown else OTHER
        for result in ("ok", "recovered", "bad"):
            number, source = getattr(row, f"digest_{result}"), (row.market, result)
            sheet.count("market_digests_total", number, market, result, source=source)
        sheet.count("market_incidents_total", row.incidents, market, source=row.market)
        if is_shown:
            sheet.gauge("market_book_usable", float(row.reason is Reason.OK), market)
            sheet.age("market_book_age_seconds", row.last_ns, view.at_ns, market)


def read_decisions(view: DecisionsView, sheet: Sheet) -> None:
    """Read what became of the strategies' looks, and the data incidents."""
    for fold in view.folds:
        row = fold.row
        sheet.count(
            "strategy_looks_total",
            fold.count,
            row.strategy,
            fold.verdict.value,
            row.reason.value,
            source=(row.strategy, row.market_key, row.reason.value),
        )
    for one in view.incidents:
        source = (one.incident.value, one.market)
        sheet.count("incidents_total", one.count, one.incident.value, source=source)


# --- modules -------------------------------------------------------------------------------------

_QUALITY = "market.quality"
"""The module whose counters are the data quality of all markets."""
_STRATEGY = "strategy."
"""Before the name of a strategy in the name of its module."""


def read_modules(view: ModulesView, sheet: Sheet) -> None:
    """Read the modules, none left out."""
    for row in view.rows:
        sheet.states("module_status", ModuleStatus, row.status, row.module)
        sheet.age("module_age_seconds", row.last_ns, view.at_ns, row.module)
        if row.module.startswith(_STRATEGY):
            strategy = row.module.removeprefix(_STRATEGY)
            sheet.gauge("strategy_paused", float(row.reason is Reason.PAUSED), strategy)
        if row.module == _QUALITY:
            counts = {count.name: count.value for count in row.counters}
            for result in ("ok", "recovered", "bad"):
                sheet.count("digests_total", counts.get(f"digest_{result}", 0), result)
            sheet.count("resyncs_total", counts.get("resyncs", 0))
