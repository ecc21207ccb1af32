"""Room under the caps for what a bundle may still have to send (fault B13, invariant 10)."""

import pytest

from polytui.engine.core.order_enums import BundleState, Control, Purpose
from polytui.engine.core.runconfig import LimitsConfig
from polytui.engine.core.units import U
from tests.engine.rehearsal.stage import Stage
from tests.engine.rehearsal.swarm import armed, settle

pytestmark = pytest.mark.timeout(60)


def boxes(seed: int) -> Stage:
    """Trade boxes that settle slowly and often fail, until the caps bind."""
    limits = LimitsConfig(strategy_u6=100 * U, failed_share=1.0)
    stage = armed(seed, kinds="b", period_ms=4_000, rate=60.0, limits=limits)
    settle(stage, 0.35, 60_000)
    stage.run_for(60)
    return stage


def test_b13_entries_leave_room_that_hedges_and_repairs_use() -> None:
    stage = boxes(3)
    orders = list(stage.account.orders.by_cid.values())
    capped = [o for o in orders if o.refusal and o.refusal.control is Control.EXPOSURE]
    assert {order.draft.purpose for order in capped} == {Purpose.OPEN}
    assert any("kept for repairs" in order.refusal.detail for order in capped if order.refusal)


def test_b13_what_is_kept_ends_with_the_bundle_that_may_need_it() -> None:
    stage = boxes(4)
    assert stage.account.spares
    stage.ask("strategy.pause_all")
    settle(stage, 0.0, 2_000)
    stage.run_for(90)
    over = {b.id for b in stage.account.bundles.by_id.values() if b.state is BundleState.FLAT}
    assert not over & set(stage.account.spares)
    assert all(b.unsettled_u6 for n, b in stage.account.bundles.by_id.items()
               if n in stage.account.spares)  # fmt: skip
