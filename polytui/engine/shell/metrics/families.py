"""Every family of metrics that the exporter may show: one table, nothing outside it.

Names follow the Prometheus conventions: base units in the name, counters end in `_total`, and no
label takes a value that somebody else wrote (`metrics.labels`). `docs/metrics.md` is made from this
table. Dollars and shares leave the integers here: what is exported is for looking, not for money.
"""

from enum import Enum

from msgspec import Struct


class Kind(Enum):
    """How a family's numbers may move."""

    GAUGE = "gauge"
    COUNTER = "counter"
    """Never falls while this process lives."""


class Group(Enum):
    """What a family tells about; the headings of the document."""

    EXECUTION = "Execution quality"
    STRATEGY = "Strategy attribution"
    ACCOUNT = "Account and exposure"
    CONTROL = "Mode, kill, gate and venue"
    DATA = "Data quality"
    SYSTEM = "System health"
    MODULE = "Modules"
    EXPORTER = "The exporter itself"


class Family(Struct, frozen=True, kw_only=True):
    """One family."""

    name: str
    kind: Kind
    group: Group
    help: str
    labels: tuple[str, ...] = ()


def _family(group: Group, kind: Kind, line: str, help_: str) -> Family:
    """Read `name label label` into a family."""
    name, *labels = line.split()
    return Family(name=f"polytui_{name}", kind=kind, group=group, help=help_, labels=tuple(labels))


_G, _C = Kind.GAUGE, Kind.COUNTER
_ROWS: tuple[tuple[Group, Kind, str, str], ...] = (
    # --- execution quality -----------------------------------------------------------------------
    (
        Group.EXECUTION,
        _G,
        "stage_latency_seconds stage stat",
        "How long a stage took: the loop's over ten seconds, an order's over the latest rows.",
    ),
    (Group.EXECUTION, _G, "stage_samples stage", "Measurements behind the latencies of a stage."),
    (Group.EXECUTION, _G, "orders realm state", "Orders of ours that are not over, by state."),
    (
        Group.EXECUTION,
        _C,
        "orders_entered_total realm state",
        "Times an order came into a state, terminal ones included.",
    ),
    (
        Group.EXECUTION,
        _C,
        "order_answers_total realm outcome",
        "Answers to orders sent, by outcome; unknown is neither yes nor no.",
    ),
    (
        Group.EXECUTION,
        _C,
        "order_rejects_total realm code",
        "Orders that the venue or our own last step refused, by code.",
    ),
    (
        Group.EXECUTION,
        _C,
        "order_notes_total realm note",
        "Other things counted on the order path: contradictions, late fills, cancels asked.",
    ),
    (
        Group.EXECUTION,
        _C,
        "gate_refusals_total control title",
        "Orders that a control of the gate refused.",
    ),
    (Group.EXECUTION, _C, "fills_total realm", "Fills of our orders, settled or not."),
    (
        Group.EXECUTION,
        _G,
        "fills_shown realm applied",
        "The latest fills by what they have done to our books (at most 200).",
    ),
    (
        Group.EXECUTION,
        _G,
        "fill_slippage_dollars realm strategy",
        "Dollars a share by which the latest fills were worse than their limit; negative: better.",
    ),
    (
        Group.EXECUTION,
        _G,
        "failed_settlement_ratio realm",
        "Failed settlements among the last fills.",
    ),
    (Group.EXECUTION, _G, "unknown_orders realm", "Orders of which nobody knows their fate."),
    (
        Group.EXECUTION,
        _G,
        "unknown_order_age_seconds realm",
        "Since the oldest unknown order became so; 0 without any.",
    ),
    (Group.EXECUTION, _G, "limbo_orders realm", "Orders older than their state may be."),
    (
        Group.EXECUTION,
        _G,
        "limbo_order_age_seconds realm",
        "Since the oldest order in limbo last moved; 0 without any.",
    ),
    (Group.EXECUTION, _G, "provisional_fills realm", "Fills that are not settled yet."),
    (
        Group.EXECUTION,
        _G,
        "provisional_fill_age_seconds realm",
        "Since the oldest provisional fill was first seen; 0 without any.",
    ),
    (Group.EXECUTION, _G, "bundles realm state", "Bundles shown that are not over, by state."),
    (Group.EXECUTION, _G, "bundle_residues realm", "Bundles with one side naked."),
    (
        Group.EXECUTION,
        _G,
        "bundle_residue_age_seconds realm",
        "Since when the oldest naked side is naked; 0 without any.",
    ),
    (
        Group.EXECUTION,
        _C,
        "orders_sent_on_stale_state_total",
        "Orders that left while what they rest on was stale: must stay 0.",
    ),
    # --- strategy attribution --------------------------------------------------------------------
    (Group.STRATEGY, _G, "strategy_realized_dollars realm strategy", "Realized profit."),
    (Group.STRATEGY, _G, "strategy_unrealized_dollars realm strategy", "Profit at the bid."),
    (Group.STRATEGY, _G, "strategy_fees_dollars realm strategy", "Fees paid."),
    (Group.STRATEGY, _G, "strategy_rebates_dollars realm strategy", "Maker rebates earned."),
    (Group.STRATEGY, _G, "strategy_rewards_dollars realm strategy", "Liquidity rewards earned."),
    (Group.STRATEGY, _G, "strategy_day_dollars realm strategy", "Profit of this UTC day."),
    (Group.STRATEGY, _G, "strategy_exposure_dollars realm strategy", "Worst-case loss at risk."),
    (Group.STRATEGY, _G, "strategy_cap_dollars realm strategy", "Cap of that exposure."),
    (Group.STRATEGY, _C, "strategy_fills_total realm strategy", "Fills attributed."),
    (Group.STRATEGY, _G, "strategy_paused strategy", "1 while an operator paused it."),
    (
        Group.STRATEGY,
        _G,
        "strategy_gate strategy gate",
        "State set: the rung of the release ladder a strategy stands on.",
    ),
    (
        Group.STRATEGY,
        _C,
        "strategy_looks_total strategy verdict reason",
        "Looks of a strategy at a market, by what became of them and why.",
    ),
    # --- account and exposure --------------------------------------------------------------------
    (Group.ACCOUNT, _G, "equity_dollars realm", "Cash and holdings at the bid."),
    (Group.ACCOUNT, _G, "equity_peak_dollars realm", "Highest equity."),
    (Group.ACCOUNT, _G, "drawdown_ratio realm", "Fall from the highest equity, share of it."),
    (
        Group.ACCOUNT,
        _G,
        "cash_dollars realm kind",
        "Cash: confirmed, incoming, outgoing, reserved, free.",
    ),
    (Group.ACCOUNT, _G, "at_risk_dollars realm", "Cash and value not settled yet."),
    (Group.ACCOUNT, _G, "pairs_dollars realm", "Cash that merging complete pairs would free."),
    (Group.ACCOUNT, _G, "exposure_dollars realm", "Worst-case loss over both worlds, all markets."),
    (Group.ACCOUNT, _G, "exposure_cap_dollars realm", "Cap of that exposure."),
    (
        Group.ACCOUNT,
        _G,
        "market_exposure_dollars realm market",
        "Worst-case loss of a market.",
    ),
    (Group.ACCOUNT, _G, "market_cap_dollars realm", "Cap of one market's exposure."),
    (Group.ACCOUNT, _G, "realized_dollars realm", "Realized profit, all strategies."),
    (Group.ACCOUNT, _G, "unrealized_dollars realm", "Unrealized profit, all strategies."),
    (Group.ACCOUNT, _G, "fees_dollars realm", "Fees paid, all strategies."),
    (Group.ACCOUNT, _G, "rebates_dollars realm", "Maker rebates, all strategies."),
    (Group.ACCOUNT, _G, "rewards_dollars realm", "Liquidity rewards, all strategies."),
    (Group.ACCOUNT, _G, "day_dollars realm", "Profit of this UTC day."),
    (Group.ACCOUNT, _G, "open_orders realm", "Orders that may rest at the venue."),
    (
        Group.ACCOUNT,
        _G,
        "anomalies realm anomaly",
        "Open differences between the venue's word and ours.",
    ),
    (Group.ACCOUNT, _G, "balances_age_seconds realm", "Since balances were last read."),
    # --- mode, kill, gate and venue --------------------------------------------------------------
    (Group.CONTROL, _G, "mode mode", "State set: who executes commands."),
    (Group.CONTROL, _G, "trading_state state", "State set: what the governor lets through."),
    (Group.CONTROL, _G, "trading_causes state", "Reasons why trading is not active, by effect."),
    (Group.CONTROL, _G, "venue_state state", "State set: our standing at the venue."),
    (Group.CONTROL, _G, "intake_open", "1 while new orders may enter."),
    (Group.CONTROL, _G, "killed", "1 while the kill's latch is closed."),
    (Group.CONTROL, _G, "kill_verified", "1 once the venue itself said that nothing is open."),
    (
        Group.CONTROL,
        _G,
        "kill_open_orders",
        "Orders that the venue still showed open after the kill; absent before it was read.",
    ),
    (Group.CONTROL, _G, "kill_attempts", "Times the running kill asked for cancels."),
    (
        Group.CONTROL,
        _G,
        "armed_until_timestamp_seconds",
        "When the arming ends, Unix time; 0 while nothing is armed.",
    ),
    (
        Group.CONTROL,
        _G,
        "breakers_tripped breaker",
        "Tripped breakers that only a person resets, by kind.",
    ),
    (Group.CONTROL, _G, "limit limit unit", "A limit as it holds now, in its unit."),
    (Group.CONTROL, _G, "limit_used limit", "How much of a limit is in use, where that has sense."),
    (Group.CONTROL, _G, "heartbeat_age_seconds", "Since the venue confirmed a heartbeat."),
    (Group.CONTROL, _G, "user_stream_age_seconds", "Since the user stream's last sign of life."),
    (Group.CONTROL, _G, "clock_offset_seconds", "The venue's clock minus ours."),
    (Group.CONTROL, _G, "clock_age_seconds", "Since that offset was measured."),
    (
        Group.CONTROL,
        _G,
        "rate_budget kind",
        "Requests the venue lets us make now: orders, cancels; absent while it has not said.",
    ),
    # --- data quality ----------------------------------------------------------------------------
    (Group.DATA, _G, "markets state", "Markets by the state of their book."),
    (Group.DATA, _G, "markets_stale", "Markets whose book is too old, resolved ones left out."),
    (Group.DATA, _G, "markets_unusable reason", "Markets not shown to strategies, by reason."),
    (
        Group.DATA,
        _C,
        "digests_total result",
        "Book digests recomputed: ok, recovered by a later one, bad.",
    ),
    (Group.DATA, _C, "incidents_total incident", "Data incidents by kind."),
    (Group.DATA, _C, "resyncs_total", "Books asked for again because they could not be trusted."),
    (
        Group.DATA,
        _C,
        "market_digests_total market result",
        "Digests of one market; market is a condition id, the rest is in other.",
    ),
    (Group.DATA, _C, "market_incidents_total market", "Data incidents of one market."),
    (Group.DATA, _G, "market_book_usable market", "1 while strategies are shown this book."),
    (Group.DATA, _G, "market_book_age_seconds market", "Since this book changed or was confirmed."),
    # --- system health ---------------------------------------------------------------------------
    (Group.SYSTEM, _G, "info version venue run", "What runs; always 1."),
    (Group.SYSTEM, _G, "start_timestamp_seconds", "When the run began, Unix time."),
    (Group.SYSTEM, _C, "events_total", "Events the engine has stepped."),
    (Group.SYSTEM, _C, "looks_total", "Looks of strategies at markets."),
    (Group.SYSTEM, _C, "intents_total verdict", "Intents accepted or refused by the arbiter."),
    (Group.SYSTEM, _G, "feed_state feed role state", "State set: the life of a feed."),
    (Group.SYSTEM, _G, "feed_age_seconds feed role", "Since the feed was last heard."),
    (Group.SYSTEM, _C, "feed_messages_total feed role", "Messages understood."),
    (Group.SYSTEM, _C, "feed_faults_total feed role", "Messages that could not be understood."),
    (Group.SYSTEM, _C, "feed_ignored_total feed role", "Messages of no interest."),
    (Group.SYSTEM, _C, "feed_gaps_total feed role", "Gaps found."),
    (Group.SYSTEM, _C, "feed_reconnects_total feed role", "Connections made again."),
    (Group.SYSTEM, _G, "inbox_events", "Events waiting for the engine."),
    (Group.SYSTEM, _C, "dropped_events_total", "Events lost at a full queue."),
    (Group.SYSTEM, _C, "capture_written_bytes_total", "Compressed bytes of the raw log."),
    (Group.SYSTEM, _C, "capture_lost_records_total", "Records that are not in the raw log."),
    (Group.SYSTEM, _G, "tasks", "Tasks of the event loop; a number that keeps growing is a leak."),
    (Group.SYSTEM, _G, "capture_waiting_records", "Records waiting for the raw log's writer."),
    (Group.SYSTEM, _G, "store_healthy", "1 while the store writes; without it nothing is sent."),
    (Group.SYSTEM, _G, "store_waiting_rows", "Rows waiting for the store's writer."),
    (Group.SYSTEM, _G, "store_queue_ratio", "Share of the store's queue in use."),
    (Group.SYSTEM, _C, "store_rows_total", "Rows written to the store."),
    (Group.SYSTEM, _C, "store_commits_total", "Commits of the store."),
    (Group.SYSTEM, _G, "store_size_bytes", "The store's directory on disk."),
    (Group.SYSTEM, _G, "recordings_size_bytes", "Recordings on disk, earlier runs included."),
    (Group.SYSTEM, _C, "alerts_posted_total", "Alerts that the webhook took."),
    (Group.SYSTEM, _C, "alerts_post_lost_total", "Alerts that the webhook was never told of."),
    (Group.SYSTEM, _G, "clients", "Consoles and other clients attached."),
    (Group.SYSTEM, _G, "resident_memory_bytes", "Resident memory of the engine."),
    # --- modules ---------------------------------------------------------------------------------
    (Group.MODULE, _G, "module_status module status", "State set: judged by age of evidence."),
    (Group.MODULE, _G, "module_age_seconds module", "Since a module's last evidence of life."),
    # --- the exporter ----------------------------------------------------------------------------
    (Group.EXPORTER, _C, "scrapes_total", "Scrapes made; one that repeats the last is not."),
    (Group.EXPORTER, _C, "scrape_errors_total", "Scrapes that failed for a fault of our own."),
    (Group.EXPORTER, _G, "scrape_work_seconds", "Work of the scrape before this one."),
    (
        Group.EXPORTER,
        _G,
        "scrape_block_seconds",
        "Longest time the scrape before this one kept the loop without a pause.",
    ),
    (Group.EXPORTER, _G, "markets_in_other", "Markets without a series of their own."),
    (
        Group.EXPORTER,
        _C,
        "label_refusals_total",
        "Label values shown as other or invalid because of their text or their number.",
    ),
)

FAMILIES: tuple[Family, ...] = tuple(_family(*row) for row in _ROWS)
BY_NAME: dict[str, Family] = {family.name: family for family in FAMILIES}
FOREIGN: tuple[tuple[str, str], ...] = (
    ("python_gc_*", "Garbage collections and objects by generation, as the client library has it."),
    ("process_*", "Processor time, memory, file descriptors and start, the same (Linux)."),
)
"""Families of the client library, with their usual names, so that usual dashboards work."""
