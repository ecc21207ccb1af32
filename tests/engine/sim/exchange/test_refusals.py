"""Every refusal with its exact text and source, and the order in which they are looked for."""

from typing import Any

import pytest
from msgspec import structs

from polytui.engine.core.enums import Side
from polytui.engine.sim.exchange.api import ErrorCode, OrderRequest, PlaceResult
from polytui.engine.sim.exchange.terms import AssetType, Restriction, Spender, VenueMode
from tests.engine.sim.exchange.rig import (
    ANN,
    BOB,
    FAK,
    FOK,
    GTC,
    GTD,
    MARKET,
    NO,
    START_NS,
    Rig,
    terms,
)

CANCEL_ONLY = (
    "Trading is currently cancel-only. New orders are not accepted, but cancels are allowed."
)
NOW_S = START_NS // 1_000_000_000


def raw(rig: Rig, maker_u6: int, taker_u6: int, **facts: Any) -> OrderRequest:
    """Write an order by its amounts."""
    side = facts.pop("side", Side.BUY)
    plain = rig.request(ANN, side, "0.5", "10")
    return structs.replace(plain, maker_amount_u6=maker_u6, taker_amount_u6=taker_u6, **facts)


def text(result: PlaceResult) -> str:
    assert result.error is not None
    assert not result.order_id
    assert not result.is_success
    return result.error.text


# --- price and amounts: §5.1, §5.2 ---------------------------------------------------------------


def test_an_off_grid_price_is_refused_with_the_ratio_as_the_venue_prints_it() -> None:
    # docs error-codes; the digits are those of okx/plugin-store pull 129: 10 $ at 0.98.
    rig = Rig(terms(tick_u6=1_000))
    request = raw(rig, 10_000_000, 10_200_000)
    assert text(rig.exchange.place(request)) == (
        f"order {request.order_id} is invalid. "
        "Price (0.9803921568627451) breaks minimum tick size rule: 0.001"
    )


@pytest.mark.parametrize(
    ("price_u6", "is_fine"), [(10_000, 1), (990_000, 1), (0, 0), (1_000_000, 0)]
)
def test_prices_run_from_one_tick_to_one_less_a_tick(price_u6: int, is_fine: int) -> None:
    rig = Rig()
    result = rig.exchange.place(raw(rig, max(1, price_u6 * 10), 10_000_000))
    assert result.is_success == bool(is_fine)
    if not is_fine:
        assert "breaks minimum tick size rule: 0.01" in text(result)


def test_a_small_order_is_refused_by_size() -> None:
    # py-clob-client 301
    rig = Rig()
    request = rig.request(ANN, Side.BUY, "0.5", "1.08")
    assert text(rig.exchange.place(request)) == (
        f"order {request.order_id} is invalid. Size (1.08) lower than the minimum: 5"
    )


@pytest.mark.parametrize("order_type", [GTC, FAK, FOK])
def test_a_marketable_buy_below_a_dollar_is_refused(order_type: object) -> None:
    # §5.1, §3.4
    rig = Rig()
    rig.split(BOB, "100")
    rig.sell(BOB, "0.10", "50")
    size = "5" if order_type is GTC else "0.9"
    result = rig.buy(ANN, "0.18", size, order_type=order_type)
    assert text(result) == "invalid amount for a marketable BUY order ($0.9), min size: $1"


def test_a_resting_buy_below_a_dollar_is_fine() -> None:
    assert Rig().buy(ANN, "0.01", "5").is_success


@pytest.mark.parametrize(
    ("facts", "maker_u6", "taker_u6", "kind", "places"),
    [
        ({}, 5_000_050, 10_000_100, "buy", (4, 2)),
        ({"side": Side.SELL}, 10_005_000, 5_002_500, "sell", (2, 4)),
        ({"order_type": FAK}, 1_005_000, 2_010_000, "market buy", (2, 4)),
        ({"order_type": FOK}, 9_980_000, 19_960_010, "market buy", (2, 4)),
        ({"order_type": FAK, "side": Side.SELL}, 10_001_000, 5_000_500, "market sell", (2, 4)),
    ],
)
def test_amounts_with_too_many_decimals_are_refused(
    facts: dict[str, Any], maker_u6: int, taker_u6: int, kind: str, places: tuple[int, int]
) -> None:
    # §5.2; texts of py-clob-client 305 and py-clob-client-v2 99
    rig = Rig()
    assert text(rig.exchange.place(raw(rig, maker_u6, taker_u6, **facts))) == (
        f"invalid amounts, the {kind} orders maker amount supports a max accuracy of {places[0]} "
        f"decimals, taker amount a max of {places[1]} decimals"
    )


def test_five_taker_decimals_are_refused_on_a_fine_tick_too() -> None:
    # py-clob-client-v2 99: 9.98 $ at 0.985 signed as 10.13197 shares
    rig = Rig(terms(tick_u6=1_000))
    result = rig.exchange.place(raw(rig, 9_980_000, 10_131_970, order_type=FAK))
    assert "market buy orders" in text(result)
    rig.split(BOB, "100")
    rig.sell(BOB, "0.985", "50")
    assert rig.exchange.place(raw(rig, 9_980_000, 10_131_900, order_type=FAK)).is_success


def test_a_rounded_product_is_refused_with_the_right_one() -> None:
    # §5.2; Polymarket.Net issue 5
    rig = Rig()
    rig.split(ANN, "50")
    result = rig.exchange.place(raw(rig, 19_690_000, 4_330_000, side=Side.SELL))
    assert text(result) == (
        "invalid amounts, the taker amount for a $0.22 order of size 19.69 should be '4.3318' but "
        "the value submited is '4.33'. Please check if you are using the latest version of the "
        "'clob-client' library"
    )
    assert rig.exchange.place(raw(rig, 19_690_000, 4_331_800, side=Side.SELL)).is_success


def test_the_venue_page_s_amounts_are_accepted() -> None:
    # §5.2, the example: $1 at 0.07, and 10 shares at 0.52
    rig = Rig()
    rig.split(BOB, "100")
    rig.sell(BOB, "0.07", "50")
    done = rig.exchange.place(raw(rig, 1_000_000, 14_285_700, order_type=FAK))
    assert done.taking_u6 >= 14_285_700
    assert rig.exchange.place(raw(rig, 5_200_000, 10_000_000, token=NO)).is_success


# --- the rest of §3.4 ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("order_type", "expiration_s"),
    [(GTC, NOW_S + 500), (FOK, NOW_S + 500), (FAK, NOW_S + 500), (GTD, 0), (GTD, NOW_S + 179)],
)
def test_a_wrong_expiration_is_refused(order_type: object, expiration_s: int) -> None:
    # §3.1: GTD only, and not nearer than about three minutes
    result = Rig().buy(ANN, "0.5", "10", order_type=order_type, expiration_s=expiration_s)
    assert text(result) == "invalid expiration"


def test_the_same_order_twice_is_refused_whatever_became_of_the_first() -> None:
    rig = Rig()
    resting = rig.request(ANN, Side.BUY, "0.5", "10")
    killed = rig.request(ANN, Side.BUY, "0.5", "10", order_type=FAK)
    rig.exchange.place(resting)
    rig.exchange.place(killed)
    for request in (resting, killed):
        again = rig.exchange.place(request)
        assert text(again) == f"order {request.order_id} is invalid. Duplicated."
    rig.exchange.cancel(ANN, [resting.order_id])
    assert "Duplicated." in text(rig.exchange.place(resting))


def test_a_refused_order_may_come_again() -> None:
    rig = Rig(cash="1")
    request = rig.request(ANN, Side.BUY, "0.5", "10")
    assert rig.exchange.place(request).error is not None
    rig.exchange.deposit(ANN, 10_000_000)
    assert rig.exchange.place(request).is_success


def test_a_post_only_order_that_crosses_is_refused() -> None:
    rig = Rig()
    rig.buy(BOB, "0.5", "10", token=NO)
    result = rig.buy(ANN, "0.5", "10", post_only=True)
    assert text(result) == "invalid post-only order: order crosses book"
    assert rig.buy(ANN, "0.49", "10", post_only=True).is_success


def test_a_killed_order_says_which_kind_it_was() -> None:
    rig = Rig()
    rig.split(BOB, "100")
    fak = rig.buy(ANN, "0.5", "10", order_type=FAK)
    rig.sell(BOB, "0.5", "10")
    fok = rig.buy(ANN, "0.5", "10", order_type=FOK)
    assert text(fak) == (
        "no orders found to match with FAK order. FAK orders are partially filled or killed if no "
        "match is found."
    )
    assert text(fok) == "order couldn't be fully filled. FOK orders are fully filled or killed."


def test_a_lack_of_balance_is_told_with_all_its_sums() -> None:
    # rs-clob-client-v2 36: balance >= sum of active + sum of matched + order amount
    rig = Rig(cash="10")
    assert text(rig.buy(ANN, "0.5", "20.02")) == (
        "not enough balance / allowance: the balance is not enough -> balance: 10000000, "
        "order amount (inc. fees): 10010000"
    )
    rig.split(BOB, "100")
    rig.sell(BOB, "0.5", "6")
    rig.buy(ANN, "0.5", "6")
    rig.buy(ANN, "0.4", "10")
    assert text(rig.buy(ANN, "0.4", "10")) == (
        "not enough balance / allowance: the balance is not enough -> balance: 10000000, "
        "sum of active orders: 4000000, sum of matched orders: 3000000, "
        "order amount (inc. fees): 4000000"
    )


def test_shares_not_yet_settled_cannot_be_sold() -> None:
    # §10 and faults.md B14: the balance is 0 until the trade is mined
    rig = Rig()
    rig.split(BOB, "100")
    rig.sell(BOB, "0.5", "10")
    rig.buy(ANN, "0.5", "10")
    assert text(rig.sell(ANN, "0.5", "10")) == (
        "not enough balance / allowance: the balance is not enough -> balance: 0, "
        "order amount: 10000000"
    )
    rig.settle()
    assert rig.sell(ANN, "0.5", "10").is_success


def test_a_lack_of_allowance_names_the_contract() -> None:
    rig = Rig()
    rig.exchange.approve(ANN, Spender.EXCHANGE_V2, AssetType.COLLATERAL, 1_000_000)
    assert text(rig.buy(ANN, "0.5", "10")) == (
        "not enough balance / allowance: the allowance is not enough -> "
        "spender: 0xE111180000d2663C0091e4f400237545B87B996B, "
        "allowance: 1000000, order amount (inc. fees): 5000000"
    )


def test_banned_and_closed_only_addresses_are_refused() -> None:
    # docs error-codes
    rig = Rig()
    rig.split(ANN, "10")
    rig.exchange.restrict(ANN, Restriction.CLOSED_ONLY)
    assert text(rig.buy(ANN, "0.5", "10")) == f"'{ANN}' address in closed only mode"
    assert rig.sell(ANN, "0.9", "10").is_success
    rig.exchange.restrict(ANN, Restriction.BANNED)
    assert text(rig.sell(ANN, "0.9", "10")) == f"'{ANN}' address banned"


def test_an_unknown_maker_is_sent_to_the_deposit_wallet_flow() -> None:
    result = Rig().buy("0xstranger", "0.5", "10")
    assert text(result) == "maker address not allowed, please use the deposit wallet flow"


def test_unknown_resolved_and_closed_markets_are_refused() -> None:
    rig = Rig()
    rig.exchange.set_accepting(MARKET, accepting=False)
    unknown = rig.buy(ANN, "0.5", "10", token="3")
    assert text(unknown) == "No orderbook exists for the requested token id"
    assert unknown.error is not None
    assert unknown.error.http == 404
    assert text(rig.buy(ANN, "0.5", "10")) == "the market is not yet ready to process new orders"


@pytest.mark.parametrize(
    "facts",
    [
        {"order_id": ""},
        {"maker_amount_u6": 0},
        {"taker_amount_u6": -1},
        {"post_only": True, "order_type": FAK},
        {"post_only": True, "order_type": FOK},
    ],
)
def test_a_senseless_payload_is_refused(facts: dict[str, Any]) -> None:
    assert text(Rig().buy(ANN, "0.5", "10", **facts)) == "Invalid order payload"


@pytest.mark.parametrize(
    ("mode", "http", "words", "cancels"),
    [
        (VenueMode.RESTARTING, 425, "Service not ready", False),
        (
            VenueMode.DISABLED,
            503,
            "Trading is currently disabled. Check polymarket.com for updates",
            False,
        ),
        (
            VenueMode.CANCEL_ONLY,
            503,
            CANCEL_ONLY,
            True,
        ),
        (
            VenueMode.POST_ONLY,
            503,
            "post-only mode: only post-only orders and cancels are allowed",
            True,
        ),
    ],
)
def test_a_venue_mode_refuses_in_its_own_words(
    mode: VenueMode, http: int, words: str, *, cancels: bool
) -> None:
    # §3.4
    rig = Rig()
    resting = rig.buy(ANN, "0.4", "10")
    rig.exchange.set_mode(mode)
    result = rig.buy(ANN, "0.5", "10")
    assert result.error is not None
    assert (result.error.http, result.error.text) == (http, words)
    done = rig.exchange.cancel(ANN, [resting.order_id])
    assert bool(done.canceled) == cancels
    assert (done.error is None) == cancels
    post_only = rig.buy(ANN, "0.3", "10", post_only=True)
    assert post_only.is_success == (mode is VenueMode.POST_ONLY)


def test_too_long_payloads_are_refused_whole() -> None:
    # docs error-codes; §3.1: 15 orders, 1000 cancels
    rig = Rig()
    batch = rig.exchange.place_batch([rig.request(ANN, Side.BUY, "0.1", "5") for _ in range(16)])
    assert batch.error is not None
    assert batch.error.text == "Too many orders in payload: 16, max allowed: 15"
    assert (batch.results, rig.exchange.open_orders()) == ((), ())
    cancel = rig.exchange.cancel(ANN, [str(n) for n in range(1_001)])
    assert cancel.error is not None
    assert cancel.error.text == "Too many orders in payload, max allowed: 1000"


# --- S3: the first failure wins ------------------------------------------------------------------

LADDER: list[tuple[ErrorCode, dict[str, Any]]] = [
    (ErrorCode.PAYLOAD, {"order_id": ""}),
    (ErrorCode.MAKER, {"account": "0xstranger"}),
    (ErrorCode.NO_BOOK, {"token": "3"}),
    (ErrorCode.TICK, {"maker_amount_u6": 5_050_000}),
    (ErrorCode.SIZE, {"maker_amount_u6": 2_000_000, "taker_amount_u6": 4_000_000}),
    (ErrorCode.ACCURACY, {"maker_amount_u6": 5_000_050, "taker_amount_u6": 10_000_100}),
    (ErrorCode.EXPIRATION, {"expiration_s": 1}),
    (ErrorCode.DUPLICATE, {"order_id": "0xused"}),
    (ErrorCode.POST_ONLY_CROSS, {"post_only": True}),
]
"""Flaws in the order of §11 S3; each may be combined with any later one of other fields."""


@pytest.mark.parametrize("first", range(len(LADDER)))
def test_the_first_failure_of_the_list_wins(first: int) -> None:
    rig = Rig(cash="20")
    rig.buy(BOB, "0.5", "10", token=NO)
    rig.buy(ANN, "0.1", "5", order_id="0xused")
    code, flaw = LADDER[first]
    for later, more in LADDER[first + 1 :]:
        if set(flaw) & set(more):
            continue
        plain = rig.request(ANN, Side.BUY, "0.5", "10")
        result = rig.exchange.place(structs.replace(plain, **more, **flaw))
        assert result.error is not None
        assert result.error.code is code, later


def test_a_crossing_order_without_cover_fails_on_balance_before_it_is_matched() -> None:
    rig = Rig(cash="1")
    rig.exchange.deposit(BOB, 10_000_000)
    rig.buy(BOB, "0.5", "10", token=NO)
    result = rig.buy(ANN, "0.5", "10", order_type=FOK)
    assert result.error is not None
    assert result.error.code is ErrorCode.BALANCE


def test_every_code_has_its_text() -> None:
    from polytui.engine.sim.exchange.refusals import TEXTS

    assert set(TEXTS) == set(ErrorCode)
