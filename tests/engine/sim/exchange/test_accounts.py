"""Cover, approvals, caches and the double-entry ledger (§3.2, §5.4, §11 S5)."""

from typing import Any

import pytest

from polytui.engine.core.errors import EngineBug, OperatorError
from polytui.engine.core.units import parse_u6
from polytui.engine.sim.exchange.accounts import Ledger
from polytui.engine.sim.exchange.api import COLLATERAL, ErrorCode
from polytui.engine.sim.exchange.emissions import OrderCanceled
from polytui.engine.sim.exchange.terms import AssetType, Spender
from tests.engine.sim.exchange.rig import ANN, BOB, MARKET, NO, YES, Rig, terms


def test_open_orders_share_the_cover() -> None:
    # §3.2: available is the balance less what own open orders hold
    rig = Rig(cash="10")
    rig.buy(ANN, "0.50", "10")
    rig.buy(ANN, "0.30", "10", token=NO)
    assert rig.free(ANN) == parse_u6("2")
    refused = rig.buy(ANN, "0.21", "10")
    assert refused.error is not None
    assert rig.buy(ANN, "0.20", "10").is_success
    assert rig.free(ANN) == 0


def test_a_sell_is_covered_by_its_shares() -> None:
    rig = Rig()
    rig.split(ANN, "20")
    rig.sell(ANN, "0.50", "15")
    assert rig.exchange.balance(ANN, YES).active_u6 == 15_000_000
    assert not rig.sell(ANN, "0.60", "6").is_success
    assert rig.sell(ANN, "0.60", "5").is_success


def test_resting_orders_that_lose_their_cover_are_cancelled_youngest_first() -> None:
    # §5.4
    rig = Rig(cash="10")
    old = rig.buy(ANN, "0.50", "10").order_id
    rig.buy(ANN, "0.40", "10")
    rig.exchange.withdraw(ANN, parse_u6("3"))
    (gone,) = rig.said(OrderCanceled)
    assert gone.status == "CANCELED_NOT_ENOUGH_BALANCE"
    assert [one.order_id for one in rig.exchange.open_orders()] == [old]
    rig.exchange.audit()


@pytest.mark.parametrize("way", ["merge", "transfer", "split"])
def test_every_way_out_of_an_account_rechecks_its_orders(way: str) -> None:
    rig = Rig(cash="10")
    rig.split(ANN, "20")
    rig.sell(ANN, "0.50", "20")
    rig.buy(ANN, "0.10", "100")
    if way == "merge":
        rig.exchange.merge(ANN, MARKET, 5_000_000)
    elif way == "transfer":
        rig.exchange.transfer(ANN, BOB, YES, 5_000_000)
    else:
        rig.exchange.split(ANN, MARKET, 5_000_000)
    (gone,) = rig.said(OrderCanceled)
    assert gone.status == "CANCELED_NOT_ENOUGH_BALANCE"
    rig.exchange.audit()


def test_a_lowered_allowance_cancels_the_orders_it_no_longer_covers() -> None:
    other = terms(1, protocol="v2")
    rig = Rig(terms(), other)
    rig.buy(ANN, "0.50", "10")
    kept = rig.buy(ANN, "0.50", "10", token=other.tokens[0]).order_id
    rig.exchange.approve(ANN, Spender.EXCHANGE_V2, AssetType.COLLATERAL, 0)
    assert [one.order_id for one in rig.exchange.open_orders()] == [kept]


@pytest.mark.parametrize(
    ("facts", "spender"),
    [({}, Spender.EXCHANGE_V2), ({"protocol": "v2"}, Spender.EXCHANGE_V3)],
)
def test_each_kind_of_market_has_its_contract(facts: dict[str, Any], spender: Spender) -> None:
    # §2, §7.4
    rig = Rig(terms(**facts))
    rig.exchange.approve(ANN, spender, AssetType.COLLATERAL, 0)
    refused = rig.buy(ANN, "0.50", "10")
    assert refused.error is not None
    assert refused.error.code is ErrorCode.ALLOWANCE
    rig.exchange.approve(ANN, spender, AssetType.COLLATERAL)
    assert rig.buy(ANN, "0.50", "10").is_success


def test_an_account_opened_without_approvals_cannot_trade() -> None:
    rig = Rig()
    rig.exchange.open_account("0xnew", approved=False)
    rig.exchange.deposit("0xnew", parse_u6("100"))
    refused = rig.buy("0xnew", "0.50", "10")
    assert refused.error is not None
    assert refused.error.code is ErrorCode.ALLOWANCE
    assert rig.exchange.allowance("0xnew", Spender.NEG_RISK_V2, AssetType.CONDITIONAL) == 0
    assert rig.exchange.allowance(ANN, Spender.NEG_RISK_V2, AssetType.CONDITIONAL) is None


def test_a_stale_balance_cache_refuses_what_is_there_until_refreshed() -> None:
    # §3.2, §10
    rig = Rig(cash="1")
    rig.exchange.hold_balance_cache(ANN)
    rig.exchange.deposit(ANN, parse_u6("100"))
    assert rig.exchange.cached_balance(ANN, COLLATERAL) == parse_u6("1")
    refused = rig.buy(ANN, "0.50", "10")
    assert refused.error is not None
    assert "balance: 1000000," in refused.error.text
    rig.exchange.refresh_balance_cache(ANN)
    assert rig.buy(ANN, "0.50", "10").is_success


def test_a_stale_cache_never_admits_more_than_there_is() -> None:
    rig = Rig(cash="100")
    rig.exchange.hold_balance_cache(ANN)
    rig.exchange.withdraw(ANN, parse_u6("99"))
    assert not rig.buy(ANN, "0.50", "10").is_success


def test_what_is_owed_to_unsettled_trades_cannot_be_taken_away() -> None:
    rig = Rig(cash="10")
    rig.split(BOB, "10")
    rig.sell(BOB, "0.50", "10")
    rig.buy(ANN, "0.50", "10")
    with pytest.raises(OperatorError, match="expected 0 to 5000000 of pUSD"):
        rig.exchange.withdraw(ANN, parse_u6("6"))


@pytest.mark.parametrize("call", ["deposit", "withdraw"])
def test_negative_amounts_and_strangers_make_no_sense(call: str) -> None:
    rig = Rig()
    with pytest.raises(OperatorError):
        getattr(rig.exchange, call)(ANN, -1)
    with pytest.raises(OperatorError, match="opened account"):
        getattr(rig.exchange, call)("0xstranger", 1)


def test_the_ledger_refuses_to_overdraw_anyone_but_its_own_sources() -> None:
    ledger = Ledger()
    ledger.move(COLLATERAL, "@world", "a", 10)
    with pytest.raises(EngineBug, match="short by 1"):
        ledger.move(COLLATERAL, "a", "b", 11)
    with pytest.raises(EngineBug):
        ledger.move(COLLATERAL, "a", "b", -1)
    ledger.move(COLLATERAL, "a", "b", 10)
    assert ledger.held[COLLATERAL] == {"@world": -10, "b": 10}


def test_the_audit_notices_a_single_micro_unit() -> None:
    rig = Rig()
    rig.buy(ANN, "0.50", "10")
    rig.split(BOB, "10")
    rig.exchange.audit()
    held = rig.exchange._world.accounts.ledger.held
    for asset, account in ((COLLATERAL, ANN), (YES, BOB)):
        held[asset][account] += 1
        with pytest.raises(EngineBug, match="sum of"):
            rig.exchange.audit()
        held[asset][account] -= 1
    rig.exchange._world.accounts.all[ANN].active[COLLATERAL] -= 1
    with pytest.raises(EngineBug, match="active"):
        rig.exchange.audit()
