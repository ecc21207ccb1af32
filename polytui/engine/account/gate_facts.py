"""Gathers the facts that the gate judges one order by, from every machine, at one moment.

The order in question is left out of every sum, so that the look at its approval and the look where
its bytes leave judge the same thing.
"""

from typing import TYPE_CHECKING, Final

from polytui.engine.account.planning import spared_u6
from polytui.engine.core.enums import Mode, Side
from polytui.engine.core.order_enums import Control, OrderState, Purpose
from polytui.engine.core.trading import Draft, HostFacts, Refusal
from polytui.engine.core.units import proceeds_u6
from polytui.engine.decide.facts import (
    AccountFacts,
    ControlFacts,
    GateFacts,
    Losses,
    OwnOrder,
    Scope,
    VenueFacts,
)
from polytui.engine.orders.lifecycle import Order
from polytui.engine.portfolio.exposure import Item, ScopeLoss

if TYPE_CHECKING:
    from polytui.engine.account.account import Account

UNKNOWN_MARKET: Final = Refusal(
    control=Control.TRADABLE, limit="a market in the catalog", value="unknown market"
)
LATE: Final = Refusal(
    control=Control.TRADING_STATE, limit="still wanted", value="cancelled or overtaken"
)
SLEPT: Final = Refusal(control=Control.LOOP_LAG, limit="a look within 1 s", value="we slept")


def item_of(order: Order) -> Item:
    """Write what an order may still do as something uncertain."""
    draft, qty_u6 = order.draft, order.at_risk_u6
    is_buy = draft.side is Side.BUY
    return Item(
        key=order.cid,
        strategy=draft.strategy,
        market=draft.market,
        group=draft.group,
        outcome=draft.outcome,
        side=draft.side,
        qty_u6=qty_u6,
        cash_u6=order.worst_cash_u6 if is_buy else proceeds_u6(draft.px_u6, qty_u6),
        fee_u6=0 if is_buy else order.worst_fee_u6,
    )


def entry_refusal(account: "Account", draft: Draft) -> Refusal | None:
    """Refuse an entry where a difference halts its market, or the venue locks what it needs."""
    for (market, cause), why in account.halted.items():
        if market == draft.market:
            halted = f"halted: {cause[:40]}, {why}"
            return Refusal(control=Control.TRADABLE, limit="no halt", value=halted[:120])
    return account.reconciler.locks.refuse(draft)


def gate_facts(
    account: "Account", order: Order, host: HostFacts, *, host_ns: int, at_ns: int
) -> GateFacts | Refusal:
    """Gather everything; a market that nobody knows is refused before anything is asked."""
    room, draft = account.room, order.draft
    lock = account.owner_of(draft.market, at_ns)
    lock = lock or account.holder_of(draft.market, besides=draft.strategy)
    market = account.markets.facts(draft, owner=lock, at_ns=at_ns)
    if market is None:
        return UNKNOWN_MARKET
    causes = room.governor.desks[account.realm].causes
    flatten = account.flatten
    return GateFacts(
        at_ns=at_ns,
        realm=account.realm,
        host=host,
        host_ns=host_ns,
        config_hash=account.config_hash,
        control=ControlFacts(
            killed=room.kill.killed,
            trading=causes.state,
            trading_why=causes.why,
            mode=room.mode,
            armed_until_ns=room.modes.armed_until_ns,
            session_cap_u6=room.modes.cap_u6 if room.mode is Mode.LIVE_ARMED else 0,
            is_released=room.is_released(draft.strategy, account.realm),
            is_dropped=room.mode is Mode.LIVE_DRY_RUN,
            is_flattening=flatten.is_exiting,
        ),
        venue=VenueFacts(
            state=account.venue.state,
            why=account.venue.why,
            heartbeat_ns=account.heartbeat_ns,
            offset_ns=account.offset_ns,
            offset_at_ns=account.offset_at_ns,
            user_ns=account.user_ns,
            balance_ns=account.portfolio.balances_ns,
            moved_ns=account.moved_ns,
        ),
        market=market,
        account=_account(account, order),
        pace=room.governor.pace(
            account.realm,
            order.cid,
            draft,
            open_orders=len(account.orders.open()),
            at_ns=at_ns,
        ),
    )


def _account(account: "Account", order: Order) -> AccountFacts:
    """State money and exposure without the order."""
    portfolio, orders, draft = account.portfolio, account.orders, order.draft
    check = portfolio.check(item_of(order))
    is_counted = order.is_counted
    own_cash_u6 = order.worst_cash_u6 if is_counted else 0
    own_qty_u6 = order.reserved_qty_u6 if is_counted else 0
    strategies = portfolio.profit
    is_entry = draft.purpose is Purpose.OPEN
    market, group, strategy, total = spared_u6(account, draft) if is_entry else (0, 0, 0, 0)
    return AccountFacts(
        market=_scope(check.market, market),
        group=_scope(check.group, group),
        strategy=_scope(check.strategy, strategy),
        total=_scope(check.total, total),
        free_cash_u6=portfolio.free_cash_u6(orders.reserved_cash_u6 - own_cash_u6),
        allowance_u6=account.allowance_u6,
        sell_capacity_u6=portfolio.sell_capacity_u6(
            draft.token, orders.reserved_qty_u6(draft.token) - own_qty_u6
        ),
        own=_own(account, order),
        losses=Losses(
            day_u6=portfolio.day_pnl_u6,
            strategy_day_u6=strategies.day_u6(draft.strategy),
            equity_u6=portfolio.equity_u6,
            peak_u6=portfolio.peak_u6,
        ),
    )


def _scope(loss: ScopeLoss, spared_u6: int) -> Scope:
    return Scope(
        before_u6=loss.before_u6,
        after_u6=loss.after_u6,
        filled_u6=loss.filled_u6,
        spared_u6=spared_u6,
    )


def _own(account: "Account", order: Order) -> tuple[OwnOrder, ...]:
    """List our other orders in the market, on either token."""
    spec = account.markets.spec(order.draft.market)
    if spec is None:
        return ()
    return tuple(
        OwnOrder(
            cid=one.cid,
            outcome=one.draft.outcome,
            side=one.draft.side,
            px_u6=one.draft.px_u6,
            is_unknown=one.state is OrderState.UNKNOWN,
        )
        for token in spec.tokens
        for one in account.orders.open_on(token)
        if one.cid != order.cid
    )
