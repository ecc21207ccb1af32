"""`py-clob-client-v2` as published, trading on the practice venue."""

from typing import Any

import pytest

from tests.conformance.stage import Stage, exercises

# The client is not ours: what it warns of is not our news.
pytestmark = [
    pytest.mark.slow,
    pytest.mark.timeout(90),
    pytest.mark.filterwarnings("ignore"),
]
CLIENT = "py-clob-client-v2"


def client(stage: Stage, signature_type: int = 0, *, login: bool = True) -> Any:
    from py_clob_client_v2.client import ClobClient

    wallet = stage.wallets[signature_type]
    made = ClobClient(
        stage.urls["clob"],
        stage.chain_id,
        key=wallet["private_key"],
        signature_type=signature_type,
        funder=wallet["address"],
    )
    if login:
        made.set_api_creds(made.create_or_derive_api_key())
    return made


def limit(market: dict[str, Any], *, price: float, size: float = 10, ix: int = 0) -> Any:
    from py_clob_client_v2.clob_types import OrderArgsV2

    return OrderArgsV2(token_id=market["tokens"][ix], price=price, size=size, side="BUY")


@exercises(
    CLIENT,
    ("create_or_derive_api_key", "level-1 signature; the same wallet gets the same key again"),
    ("get_api_keys", "level-2 signature"),
    ("derive_api_key", "gives back the key that exists"),
)
def test_keys(stage: Stage) -> None:
    trader = client(stage)
    again = trader.derive_api_key()
    assert again.api_key == trader.creds.api_key
    assert trader.get_api_keys() == {"apiKeys": [again.api_key]}


@exercises(
    CLIENT,
    ("create_and_post_order", "GTC by all four signature types, id recomputed, rests"),
    ("get_order", "the resting order, then nothing once it is cancelled"),
    ("get_open_orders", "paged, by market"),
    ("cancel_order", "says what was cancelled"),
)
@pytest.mark.parametrize("signature_type", [0, 1, 2, 3])
def test_an_order_rests_is_read_and_is_cancelled(stage: Stage, signature_type: int) -> None:
    from py_clob_client_v2.clob_types import OpenOrderParams, OrderPayload

    trader = client(stage, signature_type)
    market = stage.market(negRisk=False)
    answer = trader.create_and_post_order(limit(market, price=0.05))
    assert (answer["success"], answer["status"]) == (True, "live")
    order = trader.get_order(answer["orderID"])
    assert (order["price"], order["original_size"], order["size_matched"]) == ("0.05", "10", "0")
    assert order["maker_address"] == stage.wallets[signature_type]["address"]
    found = trader.get_open_orders(OpenOrderParams(market=market["conditionId"]))
    assert [o["id"] for o in found] == [answer["orderID"]]
    cancelled = trader.cancel_order(OrderPayload(orderID=answer["orderID"]))
    assert cancelled == {"canceled": [answer["orderID"]], "not_canceled": {}}
    assert trader.get_order(answer["orderID"]) is None


@exercises(CLIENT, ("create_and_post_order", "an order of a NegRisk market, its own contract"))
def test_a_neg_risk_order_is_signed_for_its_own_contract(stage: Stage) -> None:
    trader = client(stage)
    answer = trader.create_and_post_order(limit(stage.market(negRisk=True), price=0.05))
    assert answer["status"] == "live"
    trader.cancel_all()


@exercises(
    CLIENT,
    ("post_orders", "a batch answered leg by leg, a bad leg beside good ones"),
    ("cancel_orders", "by id"),
    ("cancel_market_orders", "by market and token"),
    ("cancel_all", "the rest"),
)
def test_a_batch_and_every_way_to_cancel(stage: Stage) -> None:
    from py_clob_client_v2.clob_types import OrderMarketCancelParams, PostOrdersV2Args

    trader = client(stage)
    market = stage.market(negRisk=False)
    orders = [trader.create_order(limit(market, price=0.04 + n / 100)) for n in range(4)]
    orders.append(trader.create_order(limit(market, price=0.05, size=1)))
    orders.append(trader.create_order(limit(market, price=0.05, ix=1)))
    legs = trader.post_orders([PostOrdersV2Args(order=order) for order in orders])
    ids = [leg["orderID"] for leg in legs]
    assert [bool(order_id) for order_id in ids] == [True, True, True, True, False, True]
    assert "lower than the minimum: 5" in legs[4]["errorMsg"]
    assert trader.cancel_orders(ids[:2])["canceled"] == ids[:2]
    params = OrderMarketCancelParams(market=market["conditionId"], asset_id=market["tokens"][1])
    assert trader.cancel_market_orders(params)["canceled"] == [ids[5]]
    assert set(trader.cancel_all()["canceled"]) == set(ids[2:4])
    assert trader.cancel_orders(ids[:1])["not_canceled"] != {}


@exercises(
    CLIENT,
    ("create_and_post_market_order", "a FOK BUY by budget, matched against the population"),
    ("get_trades", "by id, until a transaction hash is there"),
    ("get_trades_paginated", "one page with its cursor"),
)
def test_a_market_order_matches_and_settles(stage: Stage) -> None:
    from py_clob_client_v2.clob_types import MarketOrderArgsV2, OrderType, TradeParams

    trader = client(stage)
    market = stage.market(negRisk=False)
    order = MarketOrderArgsV2(
        token_id=market["tokens"][0], amount=5, side="BUY", order_type=OrderType.FAK
    )
    answer = trader.create_and_post_market_order(order, order_type=OrderType.FAK)
    assert answer["status"] == "matched"
    assert float(answer["makingAmount"]) <= 5
    assert all(tx.startswith("0x") for tx in answer["transactionsHashes"])
    trades = trader.get_trades(TradeParams(id=answer["tradeIDs"][0]))
    assert trades[0]["taker_order_id"] == answer["orderID"]
    assert trades[0]["trader_side"] == "TAKER"
    page = trader.get_trades_paginated(TradeParams(market=market["conditionId"]))
    assert page["next_cursor"] == "LTE="


@exercises(
    CLIENT,
    ("get_order_book", "its hash verifies with the client's own routine"),
    ("get_order_book_hash", "the published routine, equal to the venue's"),
    ("get_order_books", "both tokens, mirrored"),
    ("get_midpoint", "and the other reads of one token, consistent with the book"),
    ("get_spread", "as above"),
    ("get_price", "as above"),
    ("get_tick_size", "a JSON number, read as text"),
    ("get_neg_risk", "a JSON boolean"),
    ("get_midpoints", "several tokens"),
    ("get_last_trade_price", "price and side"),
)
def test_books_and_prices(stage: Stage) -> None:
    from py_clob_client_v2.clob_types import BookParams

    reader = client(stage, login=False)
    market = stage.market(negRisk=False)
    yes, no = market["tokens"]
    for token in (yes, no):
        book = reader.get_order_book(token)
        assert reader.get_order_book_hash(dict(book)) == book["hash"]
    both = reader.get_order_books([BookParams(token_id=yes), BookParams(token_id=no)])
    mirrored = [{"price": f"{1 - float(x['price']):.3f}", **x} for x in both[0]["bids"]]
    assert [level["size"] for level in mirrored] == [x["size"] for x in both[1]["asks"]]
    assert 0 < float(reader.get_midpoint(yes)["mid"]) < 1
    assert float(reader.get_spread(yes)["spread"]) > 0
    assert float(reader.get_price(yes, "BUY")["price"]) < 1
    assert reader.get_tick_size(yes) == "0.01"
    assert reader.get_neg_risk(yes) is False
    assert set(reader.get_midpoints([BookParams(token_id=yes)])) == {yes}
    assert set(reader.get_last_trade_price(yes)) == {"price", "side"}


@exercises(
    CLIENT,
    ("get_ok", "OK"),
    ("get_server_time", "unix seconds"),
    ("get_version", "2"),
    ("get_clob_market_info", "tick, minimum, fee, tokens"),
    ("get_markets", "paged"),
    ("get_market", "one"),
    ("get_prices_history", "by the minute"),
    ("get_current_rewards", "paged"),
    ("get_balance_allowance", "base units of the funded wallet"),
    ("update_balance_allowance", "refreshes the cache"),
    ("get_closed_only_mode", "false"),
    ("get_notifications", "none"),
    ("is_order_scoring", "false for an unknown order"),
)
def test_other_reads(stage: Stage) -> None:
    from py_clob_client_v2.clob_types import (
        AssetType,
        BalanceAllowanceParams,
        OrderScoringParams,
        PricesHistoryParams,
    )

    trader = client(stage, 2)
    market = stage.market(negRisk=False)
    assert trader.get_ok() == "OK"
    assert abs(trader.get_server_time() - __import__("time").time()) < 5
    assert trader.get_version() == 2
    assert trader.get_clob_market_info(market["conditionId"])["mos"] == 5
    assert trader.get_markets()["next_cursor"] == "LTE="
    assert trader.get_market(market["conditionId"])["market_slug"] == market["slug"]
    params = PricesHistoryParams(market=market["tokens"][0], interval="1d")
    assert isinstance(trader.get_prices_history(params)["history"], list)
    assert len(trader.get_current_rewards()) > 0
    money = BalanceAllowanceParams(asset_type=AssetType.COLLATERAL)
    trader.update_balance_allowance(money)
    assert int(trader.get_balance_allowance(money)["balance"]) == 10_000_000_000
    assert trader.get_closed_only_mode() == {"closed_only": False}
    assert trader.get_notifications() == []
    assert trader.is_order_scoring(OrderScoringParams(orderId="0x1")) == {"scoring": False}


@exercises(CLIENT, ("post_heartbeat", "the id is chained; a wrong one is told the right one"))
def test_heartbeats_chain(stage: Stage) -> None:
    from py_clob_client_v2.exceptions import PolyApiException

    trader = client(stage, 1)
    first = trader.post_heartbeat("")["heartbeat_id"]
    second = trader.post_heartbeat(first)["heartbeat_id"]
    with pytest.raises(PolyApiException) as refused:
        trader.post_heartbeat(first)
    assert refused.value.status_code == 400
    assert refused.value.error_msg == {"error_msg": "Invalid Heartbeat ID", "heartbeat_id": second}


@exercises(
    CLIENT,
    ("create_readonly_api_key", "made, listed, deleted"),
    ("get_readonly_api_keys", "as above"),
    ("delete_readonly_api_key", "as above"),
)
def test_read_only_keys(stage: Stage) -> None:
    trader = client(stage)
    made = trader.create_readonly_api_key()["apiKey"]
    assert made in trader.get_readonly_api_keys()["readonlyApiKeys"]
    assert trader.delete_readonly_api_key(made) == "OK"


@exercises(CLIENT, ("create_and_post_order", "a refusal raises with the venue's own text"))
def test_a_refusal_reaches_the_caller(stage: Stage) -> None:
    from py_clob_client_v2.exceptions import PolyApiException

    trader = client(stage)
    with pytest.raises(PolyApiException, match="lower than the minimum: 5"):
        trader.create_and_post_order(limit(stage.market(negRisk=False), price=0.05, size=2))
