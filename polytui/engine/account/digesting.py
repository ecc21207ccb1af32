"""The trading state as plain values: what the digest of a replay covers beside books and feeds.

Two replays that differ in one fill, one refusal, one limit or one word of the venue differ here.
Left out is what the look where bytes leave may touch, which a replay without a wire never takes.
"""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from polytui.engine.account.account import Account
    from polytui.engine.account.trading import Trading


def trading_state(trading: "Trading") -> tuple[object, ...]:
    """Write accounts, gate, kill, mode, ladder and alerts down, in a fixed order."""
    room = trading.room
    governor = room.governor
    return (
        tuple(_account_state(account) for account in trading.accounts.values()),
        (governor.sent, governor.stale_sent, governor.dump()),
        sorted((control.value, count) for control, count in governor.refused.items()),
        [(control.value, *last) for control, last in governor.last.items()],
        (room.kill.dump(), room.modes.dump(), room.gates.dump()),
        [(alert.row, alert.stands, alert.told_ns) for alert in room.alerts.by_key.values()],
        (room.host_ns, room.wants_kill, room.paper_hash, room.paper),
    )


def _account_state(account: "Account") -> tuple[object, ...]:
    """Write one account down: money, orders, trades, bundles, differences, the venue's standing."""
    realm, venue, report = account.realm, account.venue, account.reconciler.report
    rates = account.room.governor.desks[realm].rates
    return (
        account.portfolio.checkpoint(),
        tuple(order.record(realm) for order in account.orders.by_cid.values()),
        tuple(account.trades.latest(account.trades.known)),
        tuple(bundle.record(realm) for bundle in account.bundles.by_id.values()),
        (account.orders.counts, account.trades.counts),
        (tuple(report.lines.values()), tuple(report.resolved), report.overflow),
        (venue.state, venue.why, venue.shut(), account.reconciler.intake),
        sorted((*key, why) for key, why in account.halted.items()),
        (account.cancels.receipts(), account.flatten.receipt()),
        tuple(None if one is None else one.left(0) for one in (rates.orders, rates.cancels)),
        (account.port, account.offset_ns, account.user_ns, account.heartbeat_ns),
        (account.allowance_u6, account.moved_ns, account.last_sent_ns, account.cancel_all_ns),
    )
