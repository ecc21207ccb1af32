"""What the release ladder may know of a strategy: counted by the engine, never claimed."""

from typing import TYPE_CHECKING

from polytui.engine.core.order_enums import OrderState, Realm
from polytui.engine.decide.release import GateEvidence

if TYPE_CHECKING:
    from polytui.engine.account.trading import Trading


def gate_evidence(trading: "Trading", strategy: str) -> GateEvidence:
    """State what is known of one strategy in this run."""
    room = trading.room
    paper, live = trading.accounts[Realm.PAPER], trading.accounts[Realm.LIVE]
    share = paper.portfolio.profit.share(strategy)
    tripped = [
        name
        for desk in room.governor.desks.values()
        for name in desk.breakers.tripped
        if ":" not in name or f":{strategy}" in name
    ]
    dropped = sum(
        order.state is OrderState.DROPPED and order.draft.strategy == strategy
        for order in live.orders.by_cid.values()
    )
    decisions, intents = room.counted(strategy)
    paper_read, host = room.paper, room.host
    return GateEvidence(
        decisions=decisions,
        intents=intents,
        paper_fills=share.fills,
        booked_by="" if paper_read is None else paper_read.booked_by,
        models="" if paper_read is None else paper_read.models,
        coverage=0.0 if paper_read is None else paper_read.coverage,
        paper_result_u6=share.net_u6,
        ledger_difference_u6=len(paper.reconciler.report.lines),
        anomalies=len(paper.reconciler.report.lines) + len(live.reconciler.report.lines),
        breakers=len(tripped),
        faults=int(host.replay_equal is False),
        replay_equal=host.replay_equal,
        stale_sent=room.governor.stale_sent,
        dry_orders=dropped,
    )
