"""Metrics of the account: orders, fills, bundles, money, the gate, the kill, our standing."""

from collections import Counter
from collections.abc import Iterable
from typing import Final

from polytui.engine.core.account_view import (
    AccountStatus,
    FillRow,
    OrderRow,
    OrdersView,
    PositionsView,
    RiskView,
    ScopeRow,
)
from polytui.engine.core.enums import Side
from polytui.engine.core.order_enums import (
    Applied,
    BundleState,
    OrderState,
    ReleaseGate,
    SendOutcome,
    TradingState,
    VenueCode,
    VenueState,
)
from polytui.engine.shell.metrics.labels import OTHER, oldest_age_s, percentile
from polytui.engine.shell.metrics.sheet import Sheet

_STAGES: Final = (
    ("journal", OrderState.APPROVED, OrderState.JOURNALLED),
    ("sign", OrderState.JOURNALLED, OrderState.SIGNED),
    ("write", OrderState.SIGNED, OrderState.SENT),
)
"""Stages that the edges of an order bound; `ack` and `settle` have numbers of their own."""
_STATES: Final = {state.value for state in OrderState}
_CODES: Final = {code.value: code.value or "none" for code in VenueCode}
_OUTCOMES: Final = {outcome.value for outcome in SendOutcome}
_NOTES: Final = frozenset(
    {
        "answers_of_others",
        "cancels_asked",
        "contradictions",
        "dropped_late",
        "early_fills_dropped",
        "late_fills",
        "late_news",
        "late_stages",
        "reads_failed",
        "reads_of_others",
        "restored_twice_or_elsewhere",
        "unknown_status",
    }
)
"""Counters of the order path that are neither states, answers nor refusals."""
_FROM_ZERO: Final = (
    *sorted(_STATES),
    *(f"answer:{outcome}" for outcome in sorted(_OUTCOMES)),
    *(f"refused:{code}" for code in _CODES),
    *sorted(_NOTES),
)
"""Counters that are there before they first rise, so that the first rise is seen as one."""


# --- status --------------------------------------------------------------------------------------


def read_account(account: AccountStatus, at_ns: int, sheet: Sheet) -> None:
    """Read the account in the status bar."""
    realm = account.realm.value
    sheet.gauge("killed", float(account.killed))
    sheet.gauge("kill_verified", float(account.verified))
    sheet.states("trading_state", TradingState, account.trading)
    sheet.states("venue_state", VenueState, account.venue_state)
    sheet.gauge("intake_open", float(account.intake_open))
    sheet.gauge("armed_until_timestamp_seconds", account.armed_until_ns / 1e9)
    sheet.gauge("open_orders", account.open_orders, realm)
    sheet.gauge("unknown_orders", account.unknown, realm)
    sheet.gauge("limbo_orders", account.limbo, realm)
    sheet.gauge("provisional_fills", account.provisional, realm)
    since_ns = account.oldest_provisional_ns if account.provisional else 0
    sheet.gauge("provisional_fill_age_seconds", oldest_age_s([since_ns], at_ns), realm)
    sheet.gauge("bundle_residues", account.residues, realm)
    sheet.dollars("exposure_dollars", account.exposure_u6, realm)
    sheet.dollars("exposure_cap_dollars", account.cap_u6, realm)
    sheet.dollars("equity_dollars", account.equity_u6, realm)
    sheet.dollars("day_dollars", account.day_u6, realm)
    sheet.age("user_stream_age_seconds", account.user_ns, at_ns)
    sheet.count("orders_sent_on_stale_state_total", account.stale_sent)


# --- orders --------------------------------------------------------------------------------------


def read_orders(view: OrdersView, sheet: Sheet) -> None:
    """Read the Orders page."""
    realm = view.realm.value
    now = Counter(order.state for order in view.orders)
    for state in OrderState:
        if not state.is_terminal:
            sheet.gauge("orders", now[state], realm, state.value)
    for name, value in (dict.fromkeys(_FROM_ZERO, 0) | _counters(view)).items():
        _read_count(name, value, realm, sheet)
    unknown = (o.updated_ns for o in view.orders if o.state is OrderState.UNKNOWN)
    limbo = (o.updated_ns for o in view.orders if o.limbo)
    sheet.gauge("unknown_order_age_seconds", oldest_age_s(unknown, view.at_ns), realm)
    sheet.gauge("limbo_order_age_seconds", oldest_age_s(limbo, view.at_ns), realm)
    _read_stages(view, sheet)
    _read_fills(view, realm, sheet)
    bundles = Counter(bundle.state for bundle in view.bundles)
    for bundle_state in BundleState:
        if not bundle_state.is_terminal:
            sheet.gauge("bundles", bundles[bundle_state], realm, bundle_state.value)
    naked = (bundle.residue_since_ns for bundle in view.bundles if bundle.residue_u6)
    sheet.gauge("bundle_residue_age_seconds", oldest_age_s(naked, view.at_ns), realm)
    sheet.at_risk |= {order.market for order in view.orders if not order.state.is_terminal}


def _counters(view: OrdersView) -> dict[str, int]:
    return {count.name: count.value for count in view.counters}


def _read_count(name: str, value: int, realm: str, sheet: Sheet) -> None:
    """Put a counter of the order path where it belongs; what a venue wrote stays outside."""
    head, _, tail = name.partition(":")
    source = (realm, name)
    if not tail and head in _STATES:
        sheet.count("orders_entered_total", value, realm, head, source=source)
    elif head == "answer":
        outcome = tail if tail in _OUTCOMES else OTHER
        sheet.count("order_answers_total", value, realm, outcome, source=source)
    elif head == "refused":
        code = _CODES.get(tail, OTHER)
        sheet.count("order_rejects_total", value, realm, code, source=source)
    else:
        note = head if head in _NOTES else OTHER
        sheet.count("order_notes_total", value, realm, note, source=source)


def _read_stages(view: OrdersView, sheet: Sheet) -> None:
    took: dict[str, list[int]] = {stage: [] for stage, _, _ in _STAGES}
    for order in view.orders:
        at_ns = {edge.state: edge.at_ns for edge in reversed(order.edges)}
        for stage, first, last in _STAGES:
            if first in at_ns and last in at_ns:
                took[stage].append(max(0, at_ns[last] - at_ns[first]))
    took["ack"] = [order.ack_us * 1_000 for order in view.orders if order.ack_us]
    took["settle"] = [
        max(0, fill.updated_ns - fill.first_ns)
        for fill in view.fills
        if fill.applied is Applied.PROMOTED
    ]
    for stage, values in took.items():
        values.sort()
        sheet.gauge("stage_samples", len(values), stage)
        if values:
            for stat, share in (("p50", 0.5), ("p99", 0.99), ("max", 1.0)):
                value_s = percentile(values, share) / 1e9
                sheet.gauge("stage_latency_seconds", value_s, stage, stat)


def _read_fills(view: OrdersView, realm: str, sheet: Sheet) -> None:
    shown = Counter(fill.applied for fill in view.fills)
    for applied in Applied:
        sheet.gauge("fills_shown", shown[applied], realm, applied.value)
    orders = {order.cid: order for order in view.orders}
    for strategy, dollars in _slippage(view.fills, orders).items():
        sheet.gauge("fill_slippage_dollars", dollars, realm, strategy)


def _slippage(fills: Iterable[FillRow], orders: dict[str, OrderRow]) -> dict[str, float]:
    """Weigh by size how much worse than its limit each fill was, in dollars a share."""
    sums: dict[str, tuple[int, int]] = {}
    for fill in fills:
        order = orders.get(fill.cid)
        if order is None or not fill.qty_u6 or order.px_u6 <= 0:
            continue
        worse_u6 = fill.px_u6 - order.px_u6
        if order.side is not fill.side:
            continue
        cost, qty_u6 = sums.get(fill.strategy, (0, 0))
        signed = worse_u6 if fill.side is Side.BUY else -worse_u6
        sums[fill.strategy] = cost + signed * fill.qty_u6, qty_u6 + fill.qty_u6
    return {strategy: cost / qty_u6 / 1e6 for strategy, (cost, qty_u6) in sums.items()}


# --- positions -----------------------------------------------------------------------------------


def read_positions(view: PositionsView, sheet: Sheet) -> None:
    """Read the Positions page: money by strategy and in all."""
    realm = view.realm.value
    for scope in view.strategies:
        _read_scope(scope, realm, sheet)
        sheet.count("fills_total", scope.fills, realm, source=(realm, scope.strategy))
    if not view.strategies:
        sheet.count("fills_total", 0, realm, source=(realm, ""))
    _read_money(view, realm, sheet)
    kinds = Counter(row.anomaly.value for row in view.anomalies if not row.resolved_ns)
    for kind, number in kinds.items():
        sheet.gauge("anomalies", number, realm, kind)
    sheet.at_risk |= {row.market for row in view.markets if row.worst_u6}
    caps = {row.cap_u6 for row in view.markets}
    if caps:
        sheet.dollars("market_cap_dollars", max(caps), realm)


def _read_scope(scope: ScopeRow, realm: str, sheet: Sheet) -> None:
    for name, value_u6 in (
        ("realized", scope.realized_u6),
        ("unrealized", scope.unrealized_u6),
        ("fees", scope.fees_u6),
        ("rebates", scope.rebates_u6),
        ("rewards", scope.rewards_u6),
        ("day", scope.day_u6),
        ("exposure", scope.exposure_u6),
        ("cap", scope.cap_u6),
    ):
        sheet.dollars(f"strategy_{name}_dollars", value_u6, realm, scope.strategy)
    source = (realm, scope.strategy)
    sheet.count("strategy_fills_total", scope.fills, realm, scope.strategy, source=source)


def _read_money(view: PositionsView, realm: str, sheet: Sheet) -> None:
    for kind in ("cash", "incoming", "outgoing", "reserved", "free"):
        name = "confirmed" if kind == "cash" else kind
        sheet.dollars("cash_dollars", getattr(view, f"{kind}_u6"), realm, name)
    for kind in ("at_risk", "pairs", "realized", "unrealized", "fees", "rebates", "rewards"):
        sheet.dollars(f"{kind}_dollars", getattr(view, f"{kind}_u6"), realm)
    sheet.dollars("equity_peak_dollars", view.peak_u6, realm)
    fall = (view.peak_u6 - view.equity_u6) / view.peak_u6 if view.peak_u6 > 0 else 0.0
    sheet.gauge("drawdown_ratio", max(0.0, fall), realm)
    sheet.gauge("failed_settlement_ratio", view.failed_share, realm)
    sheet.age("balances_age_seconds", view.balances_ns, view.at_ns, realm)


def read_market_exposure(view: PositionsView, sheet: Sheet) -> None:
    """Read the exposure of markets, once it is known which have series of their own."""
    for row in view.markets:
        market = row.market if row.market in sheet.shown else OTHER
        sheet.dollars("market_exposure_dollars", row.worst_u6, view.realm.value, market)


# --- risk ----------------------------------------------------------------------------------------


def read_risk(view: RiskView, sheet: Sheet) -> None:
    """Read the Risk page: gate, limits, breakers, kill, standing."""
    at_ns = view.at_ns
    for control in view.controls:
        title = control.control.name.lower()
        sheet.count("gate_refusals_total", control.refused, control.control.value, title)
    causes = Counter(cause.state for cause in view.causes)
    for state in (TradingState.REDUCING, TradingState.HALTED):
        sheet.gauge("trading_causes", causes[state], state.value)
    for limit in view.limits:
        unit = "dollars" if limit.unit == "$" else limit.unit
        sheet.dollars("limit", limit.value, limit.name, unit)
        if limit.used >= 0:
            sheet.dollars("limit_used", limit.used, limit.name)
    for breaker in view.breakers:
        kind = breaker.name.partition(":")[0]
        sheet.gauge("breakers_tripped", float(breaker.tripped_ns > 0), kind)
    for gate in view.gates:
        sheet.states("strategy_gate", ReleaseGate, gate.gate, gate.strategy)
    _read_standing(view, at_ns, sheet)


def _read_standing(view: RiskView, at_ns: int, sheet: Sheet) -> None:
    sheet.gauge("kill_attempts", view.kill.attempts)
    if view.kill.killed and view.kill.open_orders >= 0:
        sheet.gauge("kill_open_orders", view.kill.open_orders)
    sheet.age("heartbeat_age_seconds", view.heartbeat_ns, at_ns)
    sheet.age("clock_age_seconds", view.clock_ns, at_ns)
    if view.clock_ns:
        sheet.gauge("clock_offset_seconds", view.clock_offset_us / 1e6)
    for kind, left in (("orders", view.orders_left), ("cancels", view.cancels_left)):
        if left >= 0:
            sheet.gauge("rate_budget", left, kind)
