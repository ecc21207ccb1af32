"""Matching and the life of orders: §5.3 forms, §5.4 behaviour, §3.1 cancels."""

import pytest
from msgspec import structs

from polytui.engine.core.enums import Side
from polytui.engine.core.units import parse_u6
from polytui.engine.sim.exchange.api import (
    COLLATERAL,
    CancelReason,
    ErrorCode,
    Form,
    OrderStatus,
    PlaceStatus,
)
from polytui.engine.sim.exchange.emissions import (
    BookChanged,
    OrderCanceled,
    OrderFilled,
    OrderPlaced,
    TradePrinted,
    TradeUpdate,
)
from polytui.engine.sim.exchange.terms import Settings
from tests.engine.sim.exchange.rig import (
    ANN,
    BOB,
    CAT,
    CRYPTO,
    FAK,
    FAST,
    FOK,
    GTD,
    MARKET,
    NO,
    START_NS,
    YES,
    Rig,
    terms,
)

NOW_S = START_NS // 1_000_000_000


# --- one book, three forms: §5.3 -----------------------------------------------------------------


def test_a_no_bid_is_a_yes_ask_at_one_minus_its_price() -> None:
    rig = Rig()
    rig.buy(ANN, "0.45", "10", token=NO)
    rig.buy(BOB, "0.52", "20")
    assert rig.book() == ({520_000: 20_000_000}, {550_000: 10_000_000})


def test_two_buyers_of_a_dollar_mint_a_pair() -> None:
    rig = Rig()
    rig.buy(ANN, "0.45", "10", token=NO)
    rig.buy(BOB, "0.60", "10")
    (trade,) = rig.said(TradeUpdate)
    assert trade.trade.makers[0].form is Form.MINT
    assert (trade.trade.px_u6, trade.trade.cash_u6) == (550_000, 5_500_000)
    assert trade.trade.makers[0].cash_u6 == 4_500_000
    rig.settle()
    assert (rig.tokens(BOB), rig.tokens(ANN, NO)) == (10_000_000, 10_000_000)
    assert (rig.cash(BOB), rig.cash(ANN)) == (parse_u6("994.5"), parse_u6("995.5"))


def test_two_sellers_of_a_pair_merge_it_into_a_dollar() -> None:
    rig = Rig()
    rig.split(ANN, "10")
    rig.split(BOB, "10")
    rig.sell(ANN, "0.45", "10", token=NO)
    rig.sell(BOB, "0.50", "10")
    (trade,) = rig.said(TradeUpdate)
    assert trade.trade.makers[0].form is Form.MERGE
    rig.settle()
    assert (rig.cash(ANN), rig.cash(BOB)) == (parse_u6("1004.5"), parse_u6("1005.5"))
    assert (rig.tokens(ANN, NO), rig.tokens(BOB)) == (0, 0)


def test_buyer_and_seller_of_one_token_just_swap() -> None:
    rig = Rig()
    rig.split(ANN, "10")
    rig.sell(ANN, "0.45", "10", token=NO)
    rig.buy(BOB, "0.45", "10", token=NO)
    (trade,) = rig.said(TradeUpdate)
    assert trade.trade.makers[0].form is Form.COMPLEMENTARY
    assert (trade.trade.token, trade.trade.outcome, trade.trade.px_u6) == (NO, "No", 450_000)
    rig.settle()
    assert (rig.tokens(BOB, NO), rig.cash(ANN)) == (10_000_000, parse_u6("1004.5"))


def test_one_level_may_serve_a_taker_in_two_forms_within_one_trade() -> None:
    rig = Rig()
    rig.split(ANN, "10")
    rig.sell(ANN, "0.45", "10")
    rig.buy(BOB, "0.55", "10", token=NO)
    rig.buy(CAT, "0.45", "20")
    (trade,) = rig.said(TradeUpdate)
    assert [maker.form for maker in trade.trade.makers] == [Form.COMPLEMENTARY, Form.MINT]
    rig.settle()
    assert rig.tokens(CAT) == 20_000_000


# --- price, time, improvement: §5.4 --------------------------------------------------------------


def test_the_best_price_goes_first_and_the_older_order_at_it() -> None:
    rig = Rig()
    rig.split(ANN, "100")
    first = rig.sell(ANN, "0.51", "10")
    second = rig.sell(ANN, "0.51", "10")
    third = rig.sell(ANN, "0.50", "10")
    rig.exchange.drain()
    rig.buy(BOB, "0.51", "25")
    met = [maker.order_id for one in rig.said(TradeUpdate) for maker in one.trade.makers]
    assert met == [third.order_id, first.order_id, second.order_id]


def test_execution_is_at_the_maker_s_price_and_each_price_is_its_own_trade() -> None:
    rig = Rig()
    rig.split(ANN, "100")
    rig.sell(ANN, "0.50", "10")
    rig.sell(ANN, "0.51", "10")
    result = rig.buy(BOB, "0.60", "20")
    assert (result.making_u6, result.taking_u6) == (10_100_000, 20_000_000)
    assert [one.px_u6 for one in rig.said(TradePrinted)] == [500_000, 510_000]
    assert len(result.trade_ids) == 2


def test_a_seller_s_answer_swaps_making_and_taking() -> None:
    # §3.1; py-clob-client 217
    rig = Rig()
    rig.split(ANN, "100")
    rig.buy(BOB, "0.50", "10")
    result = rig.sell(ANN, "0.40", "10")
    assert (result.making_u6, result.taking_u6) == (10_000_000, 5_000_000)


def test_a_gtc_remainder_rests_and_a_partial_fill_is_still_matched() -> None:
    rig = Rig()
    rig.split(ANN, "100")
    rig.sell(ANN, "0.50", "10")
    result = rig.buy(BOB, "0.50", "25")
    assert result.status is PlaceStatus.MATCHED
    (left,) = rig.exchange.open_orders(owner=BOB)
    assert (left.status, left.matched_u6, left.qty_u6) == (
        OrderStatus.LIVE,
        10_000_000,
        25_000_000,
    )
    assert rig.book() == ({500_000: 15_000_000}, {})


def test_many_makers_at_one_price_share_a_trade_up_to_the_limit() -> None:
    rig = Rig(settings=Settings(settlement=FAST, makers_per_trade_max=2))
    rig.split(ANN, "100")
    for _ in range(5):
        rig.sell(ANN, "0.50", "10")
    rig.buy(BOB, "0.50", "50")
    assert [len(one.trade.makers) for one in rig.said(TradeUpdate)] == [2, 2, 1]


def test_nothing_prevents_trading_with_oneself() -> None:
    # §5.4: undocumented at the venue, so not relied upon
    rig = Rig()
    rig.split(ANN, "10")
    rig.sell(ANN, "0.50", "10")
    assert rig.buy(ANN, "0.50", "10").status is PlaceStatus.MATCHED
    rig.settle()
    assert (rig.cash(ANN), rig.tokens(ANN)) == (parse_u6("1000"), 10_000_000)


# --- budgets: §5.4, py-clob-client-v2 89 ---------------------------------------------------------


def test_a_fak_buy_spends_its_budget_and_so_gets_more_than_it_asked() -> None:
    rig = Rig()
    rig.split(ANN, "100")
    rig.sell(ANN, "0.98", "50")
    result = rig.buy(BOB, "0.99", "4.95", order_type=FAK)
    assert (result.making_u6, result.taking_u6) == (4_950_000, 5_051_020)
    (placed,) = [one for one in rig.said(OrderPlaced) if one.order.owner == BOB]
    assert (placed.order.qty_u6, placed.order.matched_u6) == (5_000_000, 5_051_020)


def test_a_marketable_gtc_buy_gets_exactly_its_size() -> None:
    rig = Rig()
    rig.split(ANN, "100")
    rig.sell(ANN, "0.98", "50")
    result = rig.buy(BOB, "0.99", "5")
    assert (result.making_u6, result.taking_u6) == (4_900_000, 5_000_000)


def test_a_budget_walks_up_the_book_and_stops_with_it() -> None:
    rig = Rig()
    rig.split(ANN, "100")
    rig.sell(ANN, "0.40", "10")
    rig.sell(ANN, "0.50", "10")
    result = rig.buy(BOB, "0.60", "6", order_type=FOK)
    assert (result.making_u6, result.taking_u6) == (6_000_000, 14_000_000)


def test_a_fok_buy_is_full_when_it_got_what_it_asked_even_if_a_micro_dollar_is_left() -> None:
    # §5.2: $1 at 0.07 is signed as 14.2857 shares, which cost 0.999999
    rig = Rig()
    rig.split(ANN, "100")
    rig.sell(ANN, "0.07", "14.28")
    assert rig.buy(BOB, "0.07", "1", order_type=FOK).error is not None
    rig.sell(ANN, "0.07", "5")
    assert rig.buy(BOB, "0.07", "1", order_type=FOK).is_success


def test_rounding_the_share_count_up_demands_a_better_price_and_misses() -> None:
    # §5.2; py-sdk 291: 0.999 / 0.07 rounded up means a limit just below 0.07
    rig = Rig()
    rig.split(ANN, "100")
    rig.sell(ANN, "0.07", "50")
    request = rig.request(BOB, Side.BUY, "0.07", "1", order_type=FAK)
    up = structs.replace(request, taker_amount_u6=request.taker_amount_u6 + 100)
    missed = rig.exchange.place(up)
    assert missed.error is not None
    assert missed.error.code is ErrorCode.FAK_KILLED
    rig.sell(ANN, "0.06", "10")
    partly = rig.exchange.place(structs.replace(up, order_id="0xagain"))
    assert (partly.making_u6, partly.taking_u6) == (600_000, 10_000_000)
    assert rig.buy(BOB, "0.07", "1", order_type=FAK).is_success


# --- kinds of orders: §3.1 -----------------------------------------------------------------------


def test_a_fok_takes_all_or_touches_nothing() -> None:
    rig = Rig()
    rig.split(ANN, "100")
    rig.sell(ANN, "0.50", "10")
    rig.exchange.drain()
    before = rig.exchange.balance(BOB, COLLATERAL)
    assert rig.buy(BOB, "0.50", "6", order_type=FOK).error is not None
    said = rig.exchange.drain()
    assert [type(one) for one in said] == [OrderCanceled]
    assert said[0].status == CancelReason.FOK.value  # type: ignore[attr-defined]  # its type was just checked
    assert rig.book() == ({}, {500_000: 10_000_000})
    assert rig.exchange.balance(BOB, COLLATERAL) == before


def test_a_fak_takes_what_is_there_and_cancels_the_rest() -> None:
    rig = Rig()
    rig.split(ANN, "100")
    rig.split(BOB, "100")
    rig.buy(ANN, "0.50", "10")
    result = rig.sell(BOB, "0.50", "30", order_type=FAK)
    assert (result.status, result.making_u6) == (PlaceStatus.MATCHED, 10_000_000)
    (gone,) = rig.said(OrderCanceled)
    assert (gone.status, gone.order.matched_u6) == ("CANCELED", 10_000_000)
    assert rig.exchange.open_orders() == ()


def test_dust_is_done_with() -> None:
    # §5.4: less than 0.01 share left
    rig = Rig()
    rig.split(ANN, "100")
    rig.sell(ANN, "0.98", "5.06")
    rig.buy(BOB, "0.99", "4.95", order_type=FAK)
    filled = rig.said(OrderFilled)[-1].order
    assert (filled.status, filled.qty_u6 - filled.matched_u6) == (OrderStatus.MATCHED, 8_980)
    assert rig.book() == ({}, {})
    assert rig.exchange.balance(ANN, YES).active_u6 == 0
    rig.settle()


def test_a_gtd_order_dies_sixty_seconds_before_its_time() -> None:
    # §3.1
    rig = Rig()
    rig.buy(ANN, "0.50", "10", order_type=GTD, expiration_s=NOW_S + 180)
    rig.wait(119_999)
    assert len(rig.exchange.open_orders()) == 1
    rig.wait(1)
    (gone,) = rig.said(OrderCanceled)
    assert gone.status == "CANCELED_EXPIRED_ORDER"
    assert gone.at_ns == START_NS + 120 * 1_000_000_000
    assert rig.free(ANN) == parse_u6("1000")


# --- cancels -------------------------------------------------------------------------------------


def test_a_cancel_tells_each_order_what_became_of_it() -> None:
    rig = Rig()
    rig.split(BOB, "10")
    mine = rig.buy(ANN, "0.50", "10").order_id
    hers = rig.buy(CAT, "0.40", "10").order_id
    done = rig.buy(ANN, "0.51", "10").order_id
    rig.sell(BOB, "0.51", "10")
    result = rig.exchange.cancel(ANN, [mine, mine, hers, done, "0xnone"])
    assert result.canceled == (mine,)
    assert dict(result.not_canceled) == {
        hers: "Order not found or already canceled",
        done: "order can't be found - already canceled or matched",
        "0xnone": "Order not found or already canceled",
    }
    (gone,) = rig.said(OrderCanceled)
    assert (gone.order.order_id, gone.status) == (mine, "CANCELED")


def test_cancel_all_and_cancel_market_take_only_the_owner_s() -> None:
    other = terms(1)
    rig = Rig(terms(), other)
    rig.buy(ANN, "0.50", "10")
    rig.buy(ANN, "0.40", "10", token=NO)
    rig.buy(ANN, "0.40", "10", token=other.tokens[0])
    rig.buy(BOB, "0.30", "10")
    assert len(rig.exchange.cancel_market(ANN, token=NO).canceled) == 1
    assert len(rig.exchange.cancel_market(ANN, condition=MARKET).canceled) == 1
    assert len(rig.exchange.cancel_all(ANN).canceled) == 1
    assert [one.owner for one in rig.exchange.open_orders()] == [BOB]


def test_a_canceled_order_frees_its_cover() -> None:
    rig = Rig()
    order = rig.buy(ANN, "0.50", "10")
    assert rig.free(ANN) == parse_u6("995")
    rig.exchange.cancel(ANN, [order.order_id])
    assert rig.free(ANN) == parse_u6("1000")


# --- batches: §3.1 -------------------------------------------------------------------------------


def test_a_batch_is_not_atomic_and_answers_in_its_own_order() -> None:
    rig = Rig(cash="10")
    legs = [
        rig.request(ANN, Side.BUY, "0.50", "10"),
        rig.request(ANN, Side.BUY, "0.50", "1"),
        rig.request(ANN, Side.BUY, "0.50", "10"),
        rig.request(ANN, Side.BUY, "0.50", "10"),
    ]
    results = rig.exchange.place_batch(legs).results
    assert [r.order_id for r in results] == [legs[0].order_id, "", legs[2].order_id, ""]
    codes = [r.error.code for r in results if r.error is not None]
    assert codes == [ErrorCode.SIZE, ErrorCode.BALANCE]


def test_legs_of_a_batch_may_arrive_in_any_order_but_always_the_same_for_a_seed() -> None:
    def winners(seed: int) -> list[bool]:
        rig = Rig(settings=Settings(settlement=FAST), cash="5", seed=seed)
        legs = [rig.request(ANN, Side.BUY, "0.50", "10") for _ in range(6)]
        return [r.is_success for r in rig.exchange.place_batch(legs).results]

    assert all(sum(winners(seed)) == 1 for seed in range(8))
    assert len({tuple(winners(seed)) for seed in range(8)}) > 2
    assert winners(3) == winners(3)


# --- what is said --------------------------------------------------------------------------------


def test_a_marketable_order_is_told_to_everyone_in_order() -> None:
    # §11 S6
    rig = Rig(terms(fees=CRYPTO))
    rig.split(ANN, "100")
    rig.sell(ANN, "0.50", "10")
    rig.exchange.drain()
    rig.buy(BOB, "0.50", "10")
    said = rig.exchange.drain()
    assert [type(one) for one in said] == [
        OrderPlaced,
        OrderFilled,
        TradeUpdate,
        TradePrinted,
        BookChanged,
    ]
    assert len({one.at_ms for one in said}) == 1


def test_book_changes_carry_new_totals_and_the_top() -> None:
    rig = Rig()
    rig.buy(ANN, "0.50", "10")
    rig.buy(ANN, "0.50", "5", token=YES)
    rig.buy(BOB, "0.40", "7", token=NO)
    changes = rig.said(BookChanged)
    assert [one.levels for one in changes] == [
        ((True, 500_000, 10_000_000),),
        ((True, 500_000, 15_000_000),),
        ((False, 600_000, 7_000_000),),
    ]
    assert [(one.bid_u6, one.ask_u6, one.token) for one in changes] == [
        (500_000, 1_000_000, YES),
        (500_000, 1_000_000, YES),
        (500_000, 600_000, NO),
    ]


def test_the_last_trade_is_kept_in_the_terms_of_the_token_that_traded() -> None:
    # market-ws-integrity.md §2
    rig = Rig()
    rig.buy(ANN, "0.45", "10")
    rig.buy(BOB, "0.60", "10", token=NO)
    book = rig.exchange.book(MARKET)
    assert book is not None
    assert (book.last_trade_u6, book.last_trade_token) == (550_000, NO)
    assert book.last_trade_side is Side.BUY


def test_only_active_orders_are_known_by_id() -> None:
    # §3.2
    rig = Rig()
    live = rig.buy(ANN, "0.50", "10").order_id
    view = rig.exchange.order(live)
    assert view is not None
    assert (view.px_u6, view.outcome, view.created_ns) == (500_000, "Yes", START_NS)
    rig.exchange.cancel(ANN, [live])
    assert rig.exchange.order(live) is None


@pytest.mark.parametrize("price", ["0.01", "0.37", "0.5", "0.99"])
def test_an_order_is_reserved_at_its_notional(price: str) -> None:
    # §11 S5: makers fill at zero fee, so the worst fee of a resting order is none
    rig = Rig(terms(fees=CRYPTO))
    rig.buy(ANN, price, "100")
    assert rig.exchange.balance(ANN, COLLATERAL).active_u6 == parse_u6(price) * 100
