"""The recount: every conservation law, from scratch (§11 S9, faults.md invariants 14, 17, 18)."""

from polytui.engine.core.errors import EngineBug
from polytui.engine.sim.exchange.accounts import ESCROW, Account, Ledger
from polytui.engine.sim.exchange.api import COLLATERAL, OrderStatus
from polytui.engine.sim.exchange.chain import HALVES
from polytui.engine.sim.exchange.market import Market
from polytui.engine.sim.exchange.orders import Order
from polytui.engine.sim.exchange.world import World


def audit(world: World) -> None:
    """Check everything; cost grows with the number of accounts, orders and markets.

    Raises:
        EngineBug: something does not add up.
    """
    ledger = world.accounts.ledger
    for asset, column in ledger.held.items():
        _expect(sum(column.values()), 0, f"the sum of {asset}")
        owed = sum(a.matched.get(asset, 0) for a in world.accounts.all.values())
        _expect(owed, column.get(ESCROW, 0), f"{asset} in escrow")
    for market in world.markets.values():
        _audit_lock(ledger, market)
        _audit_book(market)
    for account in world.accounts.all.values():
        _audit_account(world, account)


def _audit_lock(ledger: Ledger, market: Market) -> None:
    """YES = NO = locked while open; afterwards the lock is what redeeming will cost."""
    mint, lock = f"@mint:{market.condition}", ledger.of(f"@lock:{market.condition}", COLLATERAL)
    yes, no = (-ledger.of(mint, token) for token in market.terms.tokens)
    if market.resolution is None:
        _expect((yes, no), (lock, lock), f"YES and NO of {market.condition}")
        return
    yes_halves, no_halves = HALVES[market.resolution]
    owed = yes * yes_halves + no * no_halves + market.odd_halves
    _expect(owed, 2 * lock, f"half dollars owed by {market.condition}")


def _audit_book(market: Market) -> None:
    for queue in (market.bids, market.asks):
        _expect(queue.px, sorted(queue.levels), f"prices of {market.condition}")
        for px_u6, level in queue.levels.items():
            total = sum(order.left_u6 for order in level.orders.values())
            _expect(level.total_u6, total, f"level {px_u6} of {market.condition}")
    bid_u6, ask_u6 = market.best()
    if bid_u6 >= ask_u6:
        raise EngineBug(f"expected an uncrossed book of {market.condition}: {bid_u6} {ask_u6}")


def _audit_account(world: World, account: Account) -> None:
    active: dict[str, int] = {}
    resting: dict[str, int] = {}
    for order in account.orders.values():
        active[order.asset] = active.get(order.asset, 0) + order.reserve_u6
        if order.status is OrderStatus.LIVE:
            resting[order.asset] = resting.get(order.asset, 0) + order.reserve_u6
            _audit_order(order)
    _expect(account.active, {a: n for a, n in active.items() if n}, f"active of {account.address}")
    for asset, reserved in resting.items():
        held = world.accounts.ledger.of(account.address, asset)
        if reserved > held:
            raise EngineBug(f"expected {account.address} to cover {reserved} {asset}, has {held}")
    for token, lot in account.lots.items():
        _expect(lot.qty_u6, world.accounts.chain_u6(account, token), f"the lot of {token}")


def _audit_order(order: Order) -> None:
    _expect(order.matched_u6 + order.left_u6, order.qty_u6, f"shares of {order.id}")
    _expect(order.reserve_u6, order.resting_reserve_u6(), f"the reserve of {order.id}")


def _expect(got: object, wanted: object, what: str) -> None:
    if got != wanted:
        raise EngineBug(f"expected {what} to be {wanted}, was {got}")
