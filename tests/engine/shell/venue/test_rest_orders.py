"""Orders over REST: proofs, texts and codes of `venue/polymarket.md` §2 and §3."""

import asyncio

import pytest

from polytui.engine.core.units import U
from polytui.engine.shell.venue.orders import POLYGON, Domain, domain_of
from tests.engine.shell.venue.rig import (
    HELD,
    MARKETS,
    NEG,
    PLAIN,
    SPORT,
    START_S,
    THIRD,
    Rig,
    id_of,
    on_venue,
)


@pytest.mark.parametrize("signature_type", [0, 1, 2, 3])
@pytest.mark.parametrize("terms", [PLAIN, NEG, THIRD], ids=lambda terms: terms.slug)
def test_every_signature_type_trades_in_every_domain(signature_type: int, terms: object) -> None:
    async def main() -> None:
        async with Rig() as rig:
            trader = await rig.trader("ann", signature_type)
            found = next(m for m in MARKETS if m is terms)
            order = trader.order(found)
            status, answer, _ = await rig.post(trader, order)
            assert (status, answer["success"], answer["status"]) == (200, True, "live")
            assert answer["orderID"] == id_of(order, found)
            assert (answer["makingAmount"], answer["takingAmount"]) == ("", "")

    asyncio.run(main())


@on_venue
async def test_an_order_of_domain_1_is_an_order_version_mismatch(rig: Rig) -> None:
    ann = await rig.trader("ann")
    for contract in (POLYGON.legacy[0], POLYGON.exchange):
        order = ann.order(PLAIN, domain=Domain(version=1, contract=contract))
        status, answer, _ = await rig.post(ann, order)
        assert (status, answer) == (400, {"error": "order_version_mismatch"})
    old = ann.body(ann.order(PLAIN))
    old["order"] |= {"taker": "0x" + "0" * 40, "nonce": "0", "feeRateBps": "0"}
    del old["order"]["timestamp"]
    status, answer, _ = await rig.ask(ann, "POST", "/order", old)
    assert (status, answer) == (400, {"error": "order_version_mismatch"})


@on_venue
async def test_version_2_and_3_are_not_interchangeable(rig: Rig) -> None:
    ann = await rig.trader("ann")
    third = ann.order(THIRD, domain=domain_of(version="v1", neg_risk=False))
    plain = ann.order(PLAIN, domain=domain_of(version="v2", neg_risk=False))
    for order in (third, plain):
        status, answer, _ = await rig.post(ann, order)
        assert (status, answer) == (400, {"error": "order_version_mismatch"})


@on_venue
async def test_an_order_signed_for_the_other_exchange_of_its_version_is_no_signature(
    rig: Rig,
) -> None:
    ann = await rig.trader("ann")
    order = ann.order(NEG, domain=domain_of(version="v1", neg_risk=False))
    status, answer, _ = await rig.post(ann, order)
    assert (status, answer) == (400, {"error": "invalid signature"})


@on_venue
async def test_owner_signer_and_maker_must_belong_to_the_key(rig: Rig) -> None:
    ann, bob = await rig.trader("ann"), await rig.trader("bob")
    deposit = await rig.trader("cay", 3)
    order = ann.order(PLAIN)
    foreign = ann.body(order) | {"owner": bob.creds["apiKey"]}
    cases = [
        (ann, foreign, "the order owner has to be the owner of the API KEY"),
        (
            bob,
            ann.body(order) | {"owner": bob.creds["apiKey"]},
            "the order signer address has to be the address of the API KEY",
        ),
        (
            ann,
            ann.body(ann.order(PLAIN, maker=bob.wallet)),
            "maker address not allowed, please use the deposit wallet flow",
        ),
        (
            deposit,
            deposit.body(deposit.order(PLAIN, signer=deposit.address)),
            "the order signer address has to be the address of the API KEY",
        ),
    ]
    for trader, body, text in cases:
        status, answer, _ = await rig.ask(trader, "POST", "/order", body)
        assert (status, answer) == (400, {"error": text})


@on_venue
async def test_a_payload_that_is_none_is_told_so(rig: Rig) -> None:
    ann = await rig.trader("ann")
    good = ann.body(ann.order(PLAIN))
    bad = [
        [],
        {},
        good | {"orderType": "IOC"},
        good | {"order": good["order"] | {"side": "buy"}},
        good | {"order": good["order"] | {"makerAmount": "-5"}},
        good | {"order": good["order"] | {"makerAmount": "1e6"}},
        good | {"order": good["order"] | {"takerAmount": "9" * 70}},
        good | {"order": good["order"] | {"signatureType": 9}},
        good | {"order": good["order"] | {"tokenId": "0x12"}},
    ]
    for body in bad:
        status, answer, _ = await rig.ask(ann, "POST", "/order", body)
        assert (status, answer) == (400, {"error": "Invalid order payload"}), body


@on_venue
async def test_a_marketable_order_is_answered_with_human_amounts_and_its_trades(rig: Rig) -> None:
    ann, bob = await rig.trader("ann"), await rig.trader("bob")
    await rig.stock(bob, PLAIN)
    await rig.rest(bob, PLAIN, side="SELL", px=520_000, qty=10 * U)
    status, answer, headers = await rig.post(ann, ann.order(PLAIN, px=530_000, qty=10 * U))
    assert (status, answer["status"]) == (200, "matched")
    assert (answer["makingAmount"], answer["takingAmount"]) == ("5.2", "10")
    assert len(answer["tradeIDs"]) == 1
    assert answer["transactionsHashes"] == []
    assert headers["Poly-RateLimit-Tier"] == "standard"
    assert headers["Poly-RateLimit-Remaining"] == "59"


@on_venue
async def test_refusals_carry_the_venues_texts(rig: Rig) -> None:
    ann = await rig.trader("ann", cash=100 * U)
    cases = [
        (ann.order(PLAIN, px=505_000, qty=10 * U), "breaks minimum tick size rule: 0.01"),
        (ann.order(PLAIN, qty=4 * U), "lower than the minimum: 5"),
        (ann.order(PLAIN, qty=500 * U), "not enough balance / allowance"),
    ]
    for order, text in cases:
        status, answer, _ = await rig.post(ann, order)
        assert status == 400
        assert text in answer["error"]
    order = ann.order(PLAIN)
    await rig.post(ann, order)
    status, answer, _ = await rig.post(ann, order)
    assert (status, "is invalid. Duplicated." in answer["error"]) == (400, True)


@on_venue
async def test_a_killed_fok_is_a_400_with_its_sentence(rig: Rig) -> None:
    ann = await rig.trader("ann")
    status, answer, _ = await rig.post(ann, ann.order(PLAIN), "FOK")
    text = "order couldn't be fully filled. FOK orders are fully filled or killed."
    assert (status, answer) == (400, {"error": text})


@on_venue
async def test_a_taker_delay_of_sports_is_answered_delayed(rig: Rig) -> None:
    ann, bob = await rig.trader("ann"), await rig.trader("bob")
    await rig.rest(bob, SPORT, px=500_000, ix=1)
    status, answer, _ = await rig.post(ann, ann.order(SPORT, px=500_000))
    assert (status, answer["status"]) == (200, "delayed")
    _, cancelled, _ = await rig.ask(ann, "DELETE", "/order", {"orderID": answer["orderID"]})
    assert cancelled["canceled"] == []
    await rig.pass_time(1_001)
    _, page, _ = await rig.ask(ann, "GET", "/data/trades")
    assert [t["taker_order_id"] for t in page["data"]] == [answer["orderID"]]


@on_venue
async def test_a_taker_delay_of_crypto_holds_the_answer_itself(rig: Rig) -> None:
    ann, bob = await rig.trader("ann"), await rig.trader("bob")
    await rig.rest(bob, HELD, px=500_000, ix=1)
    answer = asyncio.create_task(rig.post(ann, ann.order(HELD, px=500_000)))
    await asyncio.sleep(0.1)
    assert not answer.done()
    await rig.pass_time(151)
    status, body, _ = await answer
    assert (status, body["status"], body["takingAmount"]) == (200, "matched", "10")


@on_venue
async def test_a_batch_answers_leg_by_leg_and_sixteen_are_too_many(rig: Rig) -> None:
    ann = await rig.trader("ann")
    good, bad = ann.order(PLAIN), ann.order(PLAIN, qty=2 * U)
    body = [ann.body(good), ann.body(bad), {"order": {}}]
    status, answer, headers = await rig.ask(ann, "POST", "/orders", body)
    assert status == 200
    assert [leg["orderID"] for leg in answer] == [id_of(good, PLAIN), "", ""]
    assert answer[0]["errorMsg"] == ""
    assert "lower than the minimum" in answer[1]["errorMsg"]
    assert answer[2]["errorMsg"] == "Invalid order payload"
    assert headers["Poly-RateLimit-Remaining"] == "57"
    status, answer, _ = await rig.ask(ann, "POST", "/orders", [ann.body(good)] * 16)
    text = "Too many orders in payload: 16, max allowed: 15"
    assert (status, answer) == (400, {"error": text})


@on_venue
async def test_cancels_say_what_was_and_was_not_cancelled(rig: Rig) -> None:
    ann, bob = await rig.trader("ann"), await rig.trader("bob")
    first, second = await rig.rest(ann, PLAIN), await rig.rest(ann, NEG)
    third, theirs = await rig.rest(ann, PLAIN, ix=1, px=400_000), await rig.rest(bob, NEG)
    _, answer, _ = await rig.ask(ann, "DELETE", "/order", {"orderID": first})
    assert answer == {"canceled": [first], "not_canceled": {}}
    _, answer, _ = await rig.ask(ann, "DELETE", "/orders", [first, theirs])
    assert answer["canceled"] == []
    assert set(answer["not_canceled"]) == {first, theirs}
    body = {"market": PLAIN.condition, "asset_id": PLAIN.tokens[1]}
    _, answer, _ = await rig.ask(ann, "DELETE", "/cancel-market-orders", body)
    assert answer["canceled"] == [third]
    status, answer, headers = await rig.ask(ann, "DELETE", "/cancel-all")
    assert (status, answer["canceled"]) == (200, [second])
    assert "Poly-RateLimit-Remaining" in headers
    assert [o.order_id for o in rig.exchange.open_orders()] == [theirs]


@on_venue
async def test_orders_and_trades_are_read_back_as_records(rig: Rig) -> None:
    ann, bob = await rig.trader("ann"), await rig.trader("bob")
    mine = await rig.rest(ann, PLAIN, px=520_000)
    status, page, _ = await rig.ask(ann, "GET", "/data/orders", query={"market": PLAIN.condition})
    assert (status, page["next_cursor"], page["count"]) == (200, "LTE=", 1)
    order = page["data"][0]
    assert (order["id"], order["status"]) == (mine, "ORDER_STATUS_LIVE")
    assert (order["original_size"], order["size_matched"]) == ("10", "0")
    assert (order["price"], order["created_at"]) == ("0.52", START_S)
    await rig.post(bob, bob.order(PLAIN, ix=1, px=480_000))
    status, nothing, _ = await rig.ask(ann, "GET", f"/data/order/{mine}")
    assert (status, nothing) == (200, None)
    _, page, _ = await rig.ask(ann, "GET", "/data/trades", query={"after": START_S - 1})
    trade = page["data"][0]
    assert (trade["trader_side"], trade["side"], trade["price"]) == ("MAKER", "BUY", "0.48")
    assert trade["status"] == "TRADE_STATUS_MATCHED"
    maker = trade["maker_orders"][0]
    assert (maker["order_id"], maker["price"], maker["outcome"]) == (mine, "0.52", "Yes")
    _, theirs, _ = await rig.ask(bob, "GET", "/data/trades", query={"id": trade["id"]})
    assert theirs["data"][0]["trader_side"] == "TAKER"


@on_venue
async def test_pages_begin_at_ma_and_end_at_lte(rig: Rig) -> None:
    ann = await rig.trader("ann")
    status, page, _ = await rig.ask(ann, "GET", "/data/orders", query={"next_cursor": "MA=="})
    assert (status, page) == (200, {"limit": 500, "count": 0, "next_cursor": "LTE=", "data": []})
    status, _, _ = await rig.ask(ann, "GET", "/data/orders", query={"next_cursor": "???"})
    assert status == 400


@on_venue
async def test_a_gtd_order_needs_three_minutes_and_keeps_its_stated_time(rig: Rig) -> None:
    ann = await rig.trader("ann")
    soon = ann.body(ann.order(PLAIN), "GTD", expiration=str(START_S + 100))
    status, answer, _ = await rig.ask(ann, "POST", "/order", soon)
    assert (status, answer) == (400, {"error": "invalid expiration"})
    later = ann.body(ann.order(PLAIN), "GTD", expiration=str(START_S + 600))
    _, answer, _ = await rig.ask(ann, "POST", "/order", later)
    _, page, _ = await rig.ask(ann, "GET", "/data/orders")
    assert page["data"][0]["expiration"] == str(START_S + 600)
    await rig.pass_time(541_000)
    assert rig.exchange.order(answer["orderID"]) is None


@on_venue
async def test_heartbeats_chain_and_silence_cancels(rig: Rig) -> None:
    ann = await rig.trader("ann")
    await rig.rest(ann, PLAIN)
    _, first, _ = await rig.ask(ann, "POST", "/v1/heartbeats", {"heartbeat_id": ""})
    status, wrong, _ = await rig.ask(ann, "POST", "/v1/heartbeats", {"heartbeat_id": "nope"})
    assert status == 400
    assert wrong == {"error_msg": "Invalid Heartbeat ID", **first}
    status, second, _ = await rig.ask(ann, "POST", "/v1/heartbeats", first)
    assert (status, second != first) == (200, True)
    await rig.pass_time(15_001)
    assert rig.exchange.open_orders() == ()
