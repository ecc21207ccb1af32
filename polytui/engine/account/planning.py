"""Keeps room under the caps for what a bundle may still have to send.

A hedge on its way is uncertain in both worlds as its first leg is: if the leg fails and the hedge
settles, the other side is naked. Counted only when it is sent, it could find the cap used up and
leave the leg naked. So a planned hedge is at risk from the first leg's approval on (G17), and so is
the purchase that a naked side still needs. While a leg may still fail, entries also leave the
difference between what it cost and what buying it again may cost (`Spare`).
"""

from typing import TYPE_CHECKING

from msgspec import Struct

from polytui.engine.core.enums import Outcome, Side
from polytui.engine.core.order_enums import BundleState
from polytui.engine.core.trading import Draft
from polytui.engine.core.units import U, cost_u6
from polytui.engine.orders.bundle import Bundle
from polytui.engine.orders.bundle_steps import unhedged_u6
from polytui.engine.orders.residue import DUST_U6, other
from polytui.engine.portfolio.exposure import Item

if TYPE_CHECKING:
    from polytui.engine.account.account import Account


class Spare(Struct, frozen=True, gc=False):
    """What entries leave free for one bundle."""

    market: str
    group: str
    strategy: str
    cash_u6: int


def reserve(account: "Account", name: str) -> None:
    """Count what a bundle may still send; nothing any more when there is nothing."""
    bundle = account.bundles.by_id.get(name)
    slip_u6 = account.config.bundles.slip_max_u6
    item = None if bundle is None else _hedge(bundle) or _repair(bundle, slip_u6)
    if item is None:
        account.portfolio.release(_key(name))
    else:
        account.portfolio.expose(item)
    spare_u6 = 0 if bundle is None or bundle.closed else cost_u6(slip_u6, bundle.unsettled_u6)
    if bundle is None or not spare_u6:
        account.spares.pop(name, None)
    else:
        account.spares[name] = Spare(bundle.market, bundle.group, bundle.strategy, spare_u6)


def spared_u6(account: "Account", draft: Draft) -> tuple[int, int, int, int]:
    """Sum up what an entry leaves free in its market, group, strategy and in all."""
    market = group = strategy = total = 0
    for spare in account.spares.values():
        total += spare.cash_u6
        market += spare.cash_u6 * (spare.market == draft.market)
        group += spare.cash_u6 * (spare.group == draft.group)
        strategy += spare.cash_u6 * (spare.strategy == draft.strategy)
    return market, group, strategy, total


def _hedge(bundle: Bundle) -> Item | None:
    """Write the planned hedge as a purchase at the most its limit may be: what leg 1 leaves."""
    qty_u6 = unhedged_u6(bundle)
    if not qty_u6 or bundle.is_sell_box:
        return None
    first, hedge = bundle.legs
    return _item(bundle, hedge.outcome, qty_u6, cost_u6(U - first.px_u6, qty_u6))


def _repair(bundle: Bundle, slip_u6: int) -> Item | None:
    """Write the purchase that a naked side still needs, at the most that it may cost."""
    outcome, naked_u6 = bundle.naked()
    missing = other(outcome)
    prices = [leg.px_u6 for leg in bundle.legs if leg.outcome is missing]
    if bundle.ref is not None and bundle.ref[0] is outcome:
        prices.append(bundle.ref[1])
    qty_u6 = naked_u6 - bundle.covering_u6
    is_over = bundle.state is not BundleState.RESIDUE or bundle.frozen or bundle.is_sell_box
    if is_over or not prices or qty_u6 < DUST_U6:
        return None
    return _item(bundle, missing, qty_u6, cost_u6(min(max(prices) + slip_u6, U), qty_u6))


def _item(bundle: Bundle, outcome: Outcome, qty_u6: int, cash_u6: int) -> Item:
    return Item(
        key=_key(bundle.id),
        strategy=bundle.strategy,
        market=bundle.market,
        group=bundle.group,
        outcome=outcome,
        side=Side.BUY,
        qty_u6=qty_u6,
        cash_u6=cash_u6,
        is_plan=True,
    )


def _key(name: str) -> str:
    return f"plan:{name}"
