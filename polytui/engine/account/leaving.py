"""Whether a market may be forgotten: nothing of an account may depend on it any more."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from polytui.engine.account.account import Account


def is_clear(account: "Account", market: str) -> bool:
    """Tell whether an account has no order, token, trade, bundle or halt in a market."""
    orders, positions = account.orders, account.portfolio.positions
    bundles = account.bundles.by_id.values()
    return not (
        any(order.draft.market == market for order in (*orders.open(), *orders.counted()))
        or any(holding.is_live for holding in positions.in_market(market))
        or any(record.change.market == market for record in account.trades.provisional())
        or any(bundle.market == market and not bundle.is_done for bundle in bundles)
        or any(halted == market for halted, _ in account.halted)
    )
