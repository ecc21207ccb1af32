"""What the money test's strategy asks for, and when it asks for nothing."""

from typing import Any

import pytest
from msgspec.structs import replace

from polytui.engine.core.enums import Outcome, Side, Verdict
from polytui.engine.core.errors import OperatorError
from polytui.engine.core.runconfig import Settings, VenueConfig
from polytui.engine.core.units import U
from polytui.engine.market.snapshot import MarketSnapshot
from polytui.engine.orders.bundle_acts import MAKER
from polytui.engine.shell.moneytest.run import money_test
from polytui.engine.shell.moneytest.script import Kind, Script, Wish
from tests.engine.orders.bundle_rig import snapshot

CENT = 10_000


def book(bid: float = 0.40, ask: float = 0.42, qty: float = 200.0) -> MarketSnapshot:
    return snapshot(yes=((bid, qty),), no=((1 - ask, qty),))


def asked(wish: Wish | None, snap: MarketSnapshot) -> Any:
    script = Script()
    script.wish(wish)
    decision, _ = script.propose(snap, None)
    return decision


def test_without_a_wish_it_holds() -> None:
    assert asked(None, book()).verdict is Verdict.HOLD


def test_a_wish_is_fulfilled_once() -> None:
    script = Script()
    script.wish(Wish(kind=Kind.BUY))
    verdicts = [script.propose(book(), None)[0].verdict for _ in range(3)]
    assert verdicts == [Verdict.INTENT, Verdict.HOLD, Verdict.HOLD]
    assert not script.is_open


def test_the_resting_order_stands_well_below_the_bid_as_a_maker() -> None:
    (intent,) = asked(Wish(kind=Kind.REST), book()).intents
    assert (intent.side, intent.px_u6, intent.tags) == (Side.BUY, 350_000, (MAKER,))
    assert intent.qty_u6 >= 5 * U


def test_the_purchase_is_worth_a_dollar_and_a_little() -> None:
    (intent,) = asked(Wish(kind=Kind.BUY), book()).intents
    cash_u6 = intent.px_u6 * intent.qty_u6 // U
    assert U <= cash_u6 <= 2 * U
    assert intent.qty_u6 % CENT == 0


@pytest.mark.parametrize(
    "snap",
    [book(0.10, 0.12), book(0.85, 0.87), book(0.40, 0.46), book(qty=5.0)],
    ids=["low", "high", "wide", "thin"],
)
def test_edges_wide_spreads_and_thin_books_are_left_alone(snap: MarketSnapshot) -> None:
    assert asked(Wish(kind=Kind.BUY), snap).verdict is Verdict.HOLD


def test_the_sale_is_of_that_market_and_in_hundredths_of_a_share() -> None:
    snap = book()
    wish = Wish(kind=Kind.SELL, market=snap.spec.market, outcome=Outcome.YES, qty_u6=2_999_999)
    (intent,) = asked(wish, snap).intents
    assert (intent.side, intent.px_u6, intent.qty_u6) == (Side.SELL, 400_000, 2_990_000)
    assert asked(replace(wish, market="another"), snap).verdict is Verdict.HOLD


def test_d16_on_a_real_venue_it_is_refused_before_anything_starts() -> None:
    real = Settings(venue=VenueConfig(kind="polymarket"))
    with pytest.raises(OperatorError, match=r"expected venue\.kind practice"):
        money_test(real, lambda _: None)
