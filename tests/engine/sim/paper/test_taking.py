"""Taker orders: displayed depth, spent once; the venue's rules about amounts and kinds."""

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from polytui.engine.core.enums import Side
from polytui.engine.core.order_enums import OrderType, SendOutcome, VenueCode
from polytui.engine.core.trading import CASH
from polytui.engine.core.units import U
from polytui.engine.orders.fills import booked_fee_u6
from tests.engine.sim.paper.rig import AT_ONCE, NO, NS, SPEC, START_NS, Rig, c, q

BUY, SELL = Side.BUY, Side.SELL
FAK, FOK, GTC, GTD = OrderType.FAK, OrderType.FOK, OrderType.GTC, OrderType.GTD


def a_book() -> Rig:
    rig = Rig()
    rig.book({40: 100, 39: 200}, {42: 50, 43: 80, 45: 500})
    return rig


def test_a_taker_walks_the_displayed_depth_as_far_as_its_limit() -> None:
    rig = a_book()
    answer = rig.send(rig.terms(BUY, 43, 100))
    assert answer is not None
    assert answer.status == "matched"
    assert rig.trades() == [(c(42), q(50)), (c(43), q(50))]
    assert (answer.making_u6, answer.taking_u6) == (q(21) + q(21.5), q(100))


def test_a_displayed_share_is_spent_once_whichever_token_reaches_it() -> None:
    rig = a_book()
    rig.send(rig.terms(BUY, 42, 50))
    killed = rig.send(rig.terms(BUY, 42, 50, FAK))
    assert killed is not None
    assert killed.code is VenueCode.FAK_KILLED
    rig.venue.purse.move("22", q(50))
    killed = rig.send(rig.terms(SELL, 58, 50, FAK, outcome=NO))
    assert killed is not None
    assert killed.code is VenueCode.FAK_KILLED, "a YES ask at 42 is the NO bid at 58"


@pytest.mark.parametrize("says_it_again", ["delta", "frame"])
def test_the_same_size_said_again_brings_nothing_back(says_it_again: str) -> None:
    rig = a_book()
    rig.send(rig.terms(BUY, 42, 50))
    rig.show(rig.delta(42, 50, bid=False) if says_it_again == "delta" else rig.frame())
    killed = rig.send(rig.terms(BUY, 42, 50, FAK))
    assert killed is not None
    assert killed.code is VenueCode.FAK_KILLED


def test_fresh_data_that_changes_the_level_counts() -> None:
    rig = a_book()
    rig.send(rig.terms(BUY, 42, 50))
    rig.show(rig.delta(42, 30, bid=False))
    rig.send(rig.terms(BUY, 42, 50, FAK))
    assert rig.trades() == [(c(42), q(50)), (c(42), q(30))]


def test_a_market_buy_spends_its_budget_and_gets_more_shares_below_its_limit() -> None:
    rig = Rig()
    rig.book({}, {98: 100})
    rig.send(rig.terms(BUY, 99, 5, FAK))
    ((px_u6, qty_u6),) = rig.trades()
    assert px_u6 == c(98)
    assert qty_u6 == 4_950_000 * U // 980_000, "4.95 dollars at 0.98: 5.051 shares"


def test_a_fill_or_kill_is_whole_or_nothing() -> None:
    rig = a_book()
    killed = rig.send(rig.terms(BUY, 42, 60, FOK))
    assert killed is not None
    assert killed.code is VenueCode.FOK_KILLED
    filled = rig.send(rig.terms(BUY, 43, 60, FOK))
    assert filled is not None
    assert filled.outcome is SendOutcome.ACCEPTED
    assert sum(px * qty // U for px, qty in rig.trades()) <= 60 * c(43)


def test_a_fill_and_kill_takes_what_there_is_and_never_rests() -> None:
    rig = a_book()
    terms = rig.terms(BUY, 42, 80, FAK)
    rig.send(terms)
    assert rig.trades() == [(c(42), q(50))]
    assert not rig.order(terms).is_open
    assert rig.venue.purse.reserved == {}


@pytest.mark.parametrize(
    ("order", "code"),
    [
        ((BUY, 42, 10, GTC, True), VenueCode.POST_ONLY_CROSS),
        ((BUY, 40, 4, GTC, False), VenueCode.SIZE),
        ((BUY, 42, 2, FAK, False), VenueCode.MARKETABLE_MIN),
        ((BUY, 40, 10_000, GTC, False), VenueCode.BALANCE),
        ((SELL, 45, 10, GTC, False), VenueCode.BALANCE),
        ((BUY, 41, 10, GTD, False), VenueCode.EXPIRATION),
    ],
)
def test_the_venue_refuses_what_the_real_one_refuses(
    order: tuple[Side, float, float, OrderType, bool], code: VenueCode
) -> None:
    rig = a_book()
    side, px, size, kind, post_only = order
    expires_s = START_NS // NS + 179 if kind is GTD else 0
    terms = rig.terms(side, px, size, kind, post_only=post_only, expires_s=expires_s)
    answer = rig.send(terms)
    assert answer is not None
    assert (answer.outcome, answer.code) == (SendOutcome.REFUSED, code)
    assert rig.venue.purse.reserved == rig.venue.purse.owed == {}
    assert rig.venue.report().summary.refused == 1


def test_amounts_off_the_rules_are_refused() -> None:
    rig = a_book()
    wrong = msgspec.structs.replace(rig.terms(BUY, 40, 10), maker_amount_u6=4_000_100)
    answer = rig.send(wrong)
    assert answer is not None
    assert answer.code in (VenueCode.AMOUNTS, VenueCode.TICK)


def test_the_same_order_twice_is_a_duplicate() -> None:
    rig = a_book()
    terms = rig.terms(BUY, 40, 10)
    rig.send(terms)
    answer = rig.send(terms)
    assert answer is not None
    assert answer.code is VenueCode.DUPLICATE


def test_an_untrusted_book_gives_no_liquidity() -> None:
    rig = a_book()
    rig.stretch = None
    killed = rig.send(rig.terms(BUY, 42, 10, FAK))
    assert killed is not None
    assert killed.code is VenueCode.FAK_KILLED


def test_an_up_down_market_holds_a_taker_and_judges_it_again_on_release() -> None:
    spec = msgspec.structs.replace(SPEC, outcomes=("Up", "Down"))
    config = msgspec.structs.replace(AT_ONCE, taker_delay_ms=150)
    rig = Rig(config, spec=spec)
    rig.book({}, {42: 50})
    terms = rig.terms(BUY, 42, 50, FAK)
    assert rig.send(terms) is None, "held: no answer yet"
    assert rig.venue.purse.reserved == {CASH: 21 * U}
    rig.wait(0.1)
    rig.show(rig.delta(42, 20, bid=False))
    rig.wait(0.05)
    assert rig.trades() == [(c(42), q(20))], "makers pulled in the window"
    assert rig.venue.purse.reserved == {}


def test_fees_and_cash_are_those_that_the_books_book() -> None:
    rig = a_book()
    start_u6 = rig.cash_u6()
    rig.send(rig.terms(BUY, 43, 100))
    rig.wait(1)
    fees = sum(booked_fee_u6(px, qty, SPEC.fees) for px, qty in rig.trades())
    assert fees > 0
    assert start_u6 - rig.cash_u6() == q(42.5) + fees
    assert rig.venue.purse.balances["11"] == q(100)
    assert rig.venue.purse.owed == {}


def test_a_failed_settlement_moves_nothing() -> None:
    config = msgspec.structs.replace(AT_ONCE, failed_share=1.0, settle_ms=2_000)
    rig = Rig(config)
    rig.book({}, {42: 50})
    before = dict(rig.venue.purse.balances)
    rig.send(rig.terms(BUY, 42, 50, FAK))
    assert rig.venue.purse.owed[CASH] > 0, "owed until the chain has spoken"
    rig.wait(60)
    assert rig.venue.purse.balances == before
    assert rig.venue.purse.owed == {}
    assert [event.trade.status.value for event in rig.told()] == ["matched", "failed"]


@given(st.lists(st.tuples(st.booleans(), st.integers(40, 46), st.integers(5, 120)), max_size=25))
def test_no_sequence_of_orders_takes_more_than_was_displayed(
    orders: list[tuple[bool, int, int]],
) -> None:
    rig = Rig(msgspec.structs.replace(AT_ONCE, cash_u6=10**12))
    shown: dict[float, float] = {42: 50, 43: 80, 45: 500}
    rig.book({}, shown)
    rig.venue.purse.move("22", q(10_000))
    for is_yes, px, size in orders:
        if is_yes:
            rig.send(rig.terms(BUY, px, size, FAK))
        else:
            rig.send(rig.terms(SELL, 100 - px, size, FAK, outcome=NO))
    for level, displayed in shown.items():
        spent = sum(qty for at, qty in rig.trades() if at in (c(level), U - c(level)))
        assert spent <= q(displayed)
