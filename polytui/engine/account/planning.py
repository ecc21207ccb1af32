"""Keeps room under the caps for the hedge that a first leg will need.

A hedge on its way is uncertain in both worlds as its first leg is: if the leg fails and the hedge
settles, the other side is naked. Counted only when it is sent, it could find the cap used up and
leave the leg naked. So a planned hedge is at risk from the first leg's approval on (G17).
"""

from typing import TYPE_CHECKING

from polytui.engine.core.enums import Side
from polytui.engine.core.units import U, cost_u6
from polytui.engine.orders.bundle import Bundle
from polytui.engine.orders.bundle_steps import unhedged_u6
from polytui.engine.portfolio.exposure import Item

if TYPE_CHECKING:
    from polytui.engine.account.account import Account


def reserve_hedge(account: "Account", name: str) -> None:
    """Count the hedge that a bundle may still send; nothing any more when there is none."""
    bundle = account.bundles.by_id.get(name)
    item = None if bundle is None else _item_of(bundle)
    if item is None:
        account.portfolio.release(_key(name))
    else:
        account.portfolio.expose(item)


def _item_of(bundle: Bundle) -> Item | None:
    """Write the planned hedge as a purchase at the most its limit may be: what leg 1 leaves."""
    qty_u6 = unhedged_u6(bundle)
    if not qty_u6 or bundle.is_sell_box:
        return None
    first, hedge = bundle.legs
    return Item(
        key=_key(bundle.id),
        strategy=bundle.strategy,
        market=bundle.market,
        group=bundle.group,
        outcome=hedge.outcome,
        side=Side.BUY,
        qty_u6=qty_u6,
        cash_u6=cost_u6(U - first.px_u6, qty_u6),
        is_plan=True,
    )


def _key(name: str) -> str:
    return f"plan:{name}"
