"""States the facts of a preflight, from every machine, and has them judged."""

from typing import TYPE_CHECKING

from polytui.engine.account.evidence import gate_evidence
from polytui.engine.core.account_view import CheckRow, GateRow
from polytui.engine.core.order_enums import Realm, ReleaseGate, VenueState
from polytui.engine.decide.preflight import PreflightFacts, rows

if TYPE_CHECKING:
    from polytui.engine.account.trading import Trading


def preflight_rows(trading: "Trading", *, at_ns: int) -> tuple[CheckRow, ...]:
    """Judge the live account now."""
    room, account = trading.room, trading.accounts[Realm.LIVE]
    limits = room.governor.limits.now
    desk = room.governor.desks[Realm.LIVE]
    gates = [room.gates.of(name) for name in room.strategies]
    armed = [gate for gate in gates if gate.gate is ReleaseGate.LIVE_ARMED]
    portfolio, venue = account.portfolio, account.venue
    facts = PreflightFacts(
        at_ns=at_ns,
        is_practice=account.is_practice,
        can_send=account.can_send and account.is_open,
        host=room.host,
        config_hash=account.config_hash,
        paper_hash=room.paper_hash,
        offset_ns=account.offset_ns,
        offset_at_ns=account.offset_at_ns,
        heartbeat_ns=account.heartbeat_ns if venue.has(VenueState.HEARTBEAT_EXPIRED) else 0,
        market_ns=account.markets.newest_book_ns(),
        user_ns=account.user_ns,
        cash_u6=portfolio.cash_u6,
        allowance_u6=account.allowance_u6,
        balance_ns=portfolio.balances_ns,
        caps_u6=min(limits.market_u6, limits.group_u6, limits.strategy_u6, limits.total_u6),
        open_orders=len(account.orders.open()),
        unknown=len(account.orders.unknown()),
        anomalies=len(account.reconciler.report.lines),
        venue_normal=venue.state is VenueState.NORMAL,
        region_blocked=venue.has(VenueState.GEO_BLOCKED),
        closed_only=venue.closed_only,
        killed=room.kill.killed,
        breakers=len(desk.breakers.tripped),
        kill_test_ns=room.host.kill_test_ns,
        kill_tested_ns=room.host.kill_tested_ns,
        cancel_all_ns=account.cancel_all_ns,
        stale_sent=room.governor.stale_sent,
        replay_equal=room.host.replay_equal,
        released=tuple(gate.strategy for gate in armed),
        paper_passed_ns=min((gate.passed_ns for gate in armed), default=0),
        alerts=room.alerts.blocking,
        is_embedded=False,
    )
    return rows(facts, limits)


def gate_rows(trading: "Trading") -> tuple[GateRow, ...]:
    """Show every strategy on the ladder with the evidence of now."""
    evidence = {name: gate_evidence(trading, name) for name in trading.room.strategies}
    return trading.room.gates.rows(evidence)
