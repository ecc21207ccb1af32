"""The account in the View: rows for the Orders, Positions and Risk pages and the status bar.

Bounded: what is left out is counted. Nothing here decides; it only says what the machines hold.
"""

from typing import Final

from polytui.engine.account.account import Account
from polytui.engine.account.market_facts import MarketView
from polytui.engine.account.preflighting import gate_rows
from polytui.engine.account.trading import Trading
from polytui.engine.core.account_view import (
    AccountStatus,
    AnomalyRow,
    BundleRow,
    EdgeView,
    FillRow,
    MarketExposureRow,
    OrderRow,
    OrdersView,
    PositionRow,
    PositionsView,
    RiskView,
    ScopeRow,
)
from polytui.engine.core.order_enums import Realm
from polytui.engine.core.runconfig import LimitsConfig
from polytui.engine.core.section import CountView
from polytui.engine.core.trading import TradeRecord
from polytui.engine.orders.bundle import Bundle
from polytui.engine.orders.lifecycle import Order
from polytui.engine.portfolio.summary import MarketLine, StrategyLine, TokenLine

ORDERS_SHOWN: Final = 200
FILLS_SHOWN: Final = 200
BUNDLES_SHOWN: Final = 50
ANOMALIES_SHOWN: Final = 100


# --- orders --------------------------------------------------------------------------------------


def orders_view(trading: Trading, *, at_ns: int) -> OrdersView:
    """Show the acting account's orders, trades and bundles, newest first."""
    account = trading.acting
    marks = _marks(account, at_ns)
    orders = sorted(account.orders.by_cid.values(), key=_urgency, reverse=True)
    fills = account.trades.latest(FILLS_SHOWN)
    bundles = sorted(account.bundles.by_id.values(), key=lambda one: -one.updated_ns)
    return OrdersView(
        rev=0,
        at_ns=at_ns,
        realm=account.realm,
        orders=tuple(order_row(account, one, marks) for one in orders[:ORDERS_SHOWN]),
        fills=tuple(_fill_row(account, one) for one in fills),
        bundles=tuple(_bundle_row(account, one) for one in bundles[:BUNDLES_SHOWN]),
        more_orders=max(0, len(orders) - ORDERS_SHOWN),
        more_fills=max(0, account.trades.known - len(fills)),
        more_bundles=max(0, len(bundles) - BUNDLES_SHOWN),
        counters=tuple(
            CountView(name=name, value=value)
            for name, value in sorted(account.orders.counts.items())
        ),
    )


def _urgency(order: Order) -> tuple[bool, int]:
    """Open and doubtful orders first, then the latest."""
    return order.is_counted, order.updated_ns


Marks = tuple[set[str], dict[str, int]]
"""Orders in limbo by our id, and shares not settled by hash."""


def _marks(account: Account, at_ns: int) -> Marks:
    limbo = {order.cid for order in account.orders.limbo(at_ns)}
    pending: dict[str, int] = {}
    for trade in account.trades.provisional():
        pending[trade.order_hash] = pending.get(trade.order_hash, 0) + trade.change.qty_u6
    return limbo, pending


def order_row(account: Account, order: Order, marks: Marks) -> OrderRow:
    """Show one order."""
    limbo, pending = marks
    draft, refusal = order.draft, order.refusal
    why = draft.why
    if refusal is not None:
        why = f"{refusal.control.value} {refusal.value}, limit {refusal.limit}"
    elif order.venue_text:
        why = order.venue_text
    return OrderRow(
        cid=order.cid,
        order_hash=order.order_hash,
        strategy=draft.strategy,
        market=draft.market,
        title=account.markets.title(draft.market),
        outcome=account.markets.outcome_name(draft.market, draft.outcome),
        side=draft.side,
        px_u6=draft.px_u6,
        qty_u6=order.qty_u6,
        filled_u6=order.filled_u6,
        provisional_u6=pending.get(order.order_hash, 0),
        remaining_u6=order.remaining_u6,
        order_type=draft.order_type,
        purpose=draft.purpose,
        state=order.state,
        external=order.external,
        created_ns=order.created_ns,
        updated_ns=order.updated_ns,
        sent_ns=order.sent_ns,
        ack_us=order.ack_ns // 1_000,
        expires_ns=draft.expires_ns,
        cancel_ns=order.cancel_ns,
        cancel_attempts=order.cancel_attempts,
        probe_ns=order.probe_ns if order.is_counted else 0,
        why=why,
        snapshot=draft.snapshot,
        bundle=draft.bundle,
        limbo=order.cid in limbo,
        edges=tuple(
            EdgeView(at_ns=edge.at_ns, state=edge.state, witness=edge.witness, detail=edge.detail)
            for edge in order.edges
        ),
    )


def _fill_row(account: Account, trade: TradeRecord) -> FillRow:
    change = trade.change
    return FillRow(
        trade_id=trade.trade_id,
        cid=trade.cid,
        order_hash=trade.order_hash,
        strategy=change.strategy,
        market=change.market,
        title=account.markets.title(change.market),
        outcome=account.markets.outcome_name(change.market, change.outcome),
        side=change.side,
        px_u6=change.px_u6,
        qty_u6=change.qty_u6,
        cash_u6=change.cash_u6,
        fee_u6=change.fee_u6,
        is_maker=change.is_maker,
        status=trade.status,
        applied=trade.applied,
        first_ns=trade.first_ns,
        updated_ns=trade.updated_ns,
        tx_hash=trade.tx_hash,
        reads=trade.reads,
    )


def _bundle_row(account: Account, bundle: Bundle) -> BundleRow:
    outcome, qty_u6 = bundle.naked()
    record = bundle.record(account.realm)
    return BundleRow(
        bundle=bundle.id,
        strategy=bundle.strategy,
        market=bundle.market,
        title=account.markets.title(bundle.market),
        state=bundle.state,
        created_ns=bundle.created_ns,
        updated_ns=bundle.updated_ns,
        legs=bundle.leg_views(),
        residue_outcome=account.markets.outcome_name(bundle.market, outcome) if qty_u6 else "",
        residue_u6=qty_u6,
        residue_since_ns=record.residue_since_ns,
        plan=record.plan,
        why=record.edges[-1][2] if record.edges else "",
    )


# --- positions -----------------------------------------------------------------------------------


def positions_view(trading: Trading, *, at_ns: int) -> PositionsView:
    """Show the acting account's holdings, exposure, profit and differences."""
    account, limits = trading.acting, trading.room.governor.limits.now
    summary, markets = account.portfolio.summary(), account.markets
    return PositionsView(
        rev=0,
        at_ns=at_ns,
        realm=account.realm,
        is_practice=account.is_practice,
        rows=tuple(_position_row(markets, line) for line in summary.tokens),
        markets=tuple(_exposure_row(markets, line, limits) for line in summary.markets),
        strategies=tuple(_scope_row(line, limits) for line in summary.strategies),
        anomalies=anomaly_rows(account),
        cash_u6=summary.cash_u6,
        incoming_u6=summary.incoming_u6,
        outgoing_u6=summary.outgoing_u6,
        reserved_u6=summary.reserved_u6,
        free_u6=summary.free_u6,
        equity_u6=summary.equity_u6,
        peak_u6=summary.peak_u6,
        pairs_u6=summary.pairs_u6,
        at_risk_u6=summary.at_risk_u6,
        exposure_u6=summary.exposure_u6,
        cap_u6=limits.total_u6,
        realized_u6=summary.realized_u6,
        unrealized_u6=summary.unrealized_u6,
        fees_u6=summary.fees_u6,
        rebates_u6=summary.rebates_u6,
        rewards_u6=summary.rewards_u6,
        day_u6=summary.day_u6,
        failed_share=account.trades.failed_share(limits.failed_window),
        balances_ns=summary.balances_ns,
    )


def _position_row(markets: MarketView, line: TokenLine) -> PositionRow:
    place = line.place
    return PositionRow(
        strategy=line.strategy,
        market=place.market,
        title=markets.title(place.market),
        group=place.group,
        token=place.token,
        outcome=markets.outcome_name(place.market, place.outcome),
        side=place.outcome,
        confirmed_u6=line.confirmed_u6,
        provisional_in_u6=line.provisional_in_u6,
        provisional_out_u6=line.provisional_out_u6,
        reserved_u6=line.reserved_u6,
        sellable_u6=max(0, line.confirmed_u6 - line.provisional_out_u6 - line.reserved_u6),
        cost_u6=line.cost_u6,
        avg_px_u6=line.avg_px_u6,
        mark_u6=line.mark_u6,
        value_u6=line.value_u6,
        realized_u6=line.realized_u6,
        unrealized_u6=line.unrealized_u6,
        fees_u6=line.fees_u6,
        oldest_ns=line.oldest_ns,
        updated_ns=line.updated_ns,
    )


def _exposure_row(markets: MarketView, line: MarketLine, limits: LimitsConfig) -> MarketExposureRow:
    return MarketExposureRow(
        market=line.market,
        title=markets.title(line.market),
        group=line.group,
        worst_u6=line.worst_u6,
        settled_u6=line.settled_u6,
        failed_u6=line.failed_u6,
        cap_u6=limits.market_u6,
        pairs_u6=line.pairs_u6,
    )


def _scope_row(line: StrategyLine, limits: LimitsConfig) -> ScopeRow:
    return ScopeRow(
        strategy=line.strategy,
        exposure_u6=line.exposure_u6,
        cap_u6=limits.strategy_u6,
        realized_u6=line.realized_u6,
        unrealized_u6=line.unrealized_u6,
        fees_u6=line.fees_u6,
        rebates_u6=line.rebates_u6,
        rewards_u6=line.rewards_u6,
        day_u6=line.day_u6,
        fills=line.fills,
    )


def anomaly_rows(account: Account) -> tuple[AnomalyRow, ...]:
    """Show the differences, open ones first."""
    report = account.reconciler.report
    lines = [*report.lines.values(), *reversed(report.resolved)]
    return tuple(
        AnomalyRow(
            anomaly=line.anomaly,
            subject=line.subject,
            title=account.markets.title(line.market),
            ours=line.ours,
            theirs=line.theirs,
            since_ns=line.since_ns,
            resolved_ns=line.resolved_ns,
            detail=line.evidence,
        )
        for line in lines[:ANOMALIES_SHOWN]
    )


# --- risk ----------------------------------------------------------------------------------------


def risk_view(trading: Trading, *, at_ns: int) -> RiskView:
    """Show the gate, the limits, the kill, the ritual and our standing at the venue."""
    room, account = trading.room, trading.acting
    desk = room.governor.desks[account.realm]
    marks = _marks(account, at_ns)
    hashes = room.kill.open_hashes()
    known = (account.orders.by_hash.get(one) for one in hashes)
    rates = desk.rates
    return RiskView(
        rev=0,
        at_ns=at_ns,
        mode=room.mode,
        realm=account.realm,
        is_practice=account.is_practice,
        venue_state=account.venue.state,
        venue_why=account.venue.why,
        trading=desk.causes.state,
        causes=desk.causes.rows(),
        intake_open=account.reconciler.intake.is_open,
        intake_why=account.reconciler.intake.why,
        controls=room.governor.rows(),
        limits=room.governor.limits.rows(_used(account)),
        breakers=desk.breakers.rows(),
        gates=gate_rows(trading),
        kill=room.kill.view(account.flatten.receipt(), account.flatten.stage.value),
        arm=room.modes.view(),
        venue_rows=tuple(order_row(account, order, marks) for order in known if order is not None),
        heartbeat_ns=account.heartbeat_ns,
        clock_offset_us=(account.offset_ns or 0) // 1_000,
        clock_ns=account.offset_at_ns,
        orders_left=-1 if rates.orders is None else rates.orders.left(at_ns),
        cancels_left=-1 if rates.cancels is None else rates.cancels.left(at_ns),
    )


def _used(account: Account) -> dict[str, int]:
    summary = account.portfolio.summary()
    return {
        "market_u6": max((line.worst_u6 for line in summary.markets), default=0),
        "strategy_u6": max((line.exposure_u6 for line in summary.strategies), default=0),
        "total_u6": summary.exposure_u6,
        "day_loss_u6": max(0, -summary.day_u6),
    }


def status_of(trading: Trading, *, at_ns: int) -> AccountStatus:
    """Show the acting account in the status bar."""
    room, account = trading.room, trading.acting
    causes = room.governor.desks[account.realm].causes
    portfolio, limits = account.portfolio, room.governor.limits.now
    cap_u6 = limits.total_u6
    if room.modes.cap_u6 and account.realm is Realm.LIVE:
        cap_u6 = min(cap_u6, room.modes.cap_u6)
    return AccountStatus(
        realm=account.realm,
        is_practice=account.is_practice,
        killed=room.kill.killed,
        verified=room.kill.verified,
        trading=causes.state,
        venue_state=account.venue.state,
        venue_why=account.venue.why if account.is_open else "no account",
        intake_open=account.reconciler.intake.is_open,
        intake_why=account.reconciler.intake.why,
        armed_until_ns=room.modes.armed_until_ns,
        open_orders=len(account.orders.open()),
        unknown=len(account.orders.unknown()),
        limbo=len(account.orders.limbo(at_ns)),
        provisional=len(account.trades.provisional()),
        oldest_provisional_ns=account.trades.oldest_ns(),
        residues=len(account.bundles.residues()),
        anomalies=len(account.reconciler.report.lines),
        exposure_u6=portfolio.exposure.of("total"),
        cap_u6=cap_u6,
        equity_u6=portfolio.equity_u6,
        day_u6=portfolio.day_pnl_u6,
        user_ns=account.user_ns,
        stale_sent=room.governor.stale_sent,
    )
