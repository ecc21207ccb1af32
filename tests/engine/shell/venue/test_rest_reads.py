"""Reads: shapes, types and texts of `venue/polymarket.md` §3.2 and §8."""

from typing import Any

from msgspec.json import decode

from polytui.engine.core.units import U
from polytui.engine.shell.venue.acts import carry_out
from polytui.engine.sim.exchange.terms import Resolution, Restriction
from polytui.engine.sim.faults import SetRestriction, Switches
from tests.engine.shell.venue.rig import (
    MARKETS,
    NEG,
    PLAIN,
    START_S,
    THIRD,
    Rig,
    Trader,
    on_venue,
)


async def quoted(rig: Rig) -> Trader:
    """Rest a bid of 0.52 and an ask of 0.54 on the plain market."""
    ann = await rig.trader("ann")
    await rig.rest(ann, PLAIN, px=520_000, qty=15 * U)
    await rig.rest(ann, PLAIN, ix=1, px=460_000, qty=25 * U)
    await rig.pass_time(2)
    return ann


@on_venue
async def test_books_show_the_best_level_last_and_their_hash(rig: Rig) -> None:
    ann = await quoted(rig)
    await rig.rest(ann, PLAIN, px=510_000, qty=30 * U)
    await rig.pass_time(2)
    status, book, _ = await rig.call("GET", "/book", query={"token_id": PLAIN.tokens[0]})
    assert status == 200
    assert [level["price"] for level in book["bids"]] == ["0.51", "0.52"]
    assert book["asks"] == [{"price": "0.54", "size": "25"}]
    assert (book["min_order_size"], book["tick_size"], book["neg_risk"]) == ("5", "0.01", False)
    assert list(book)[:4] == ["market", "asset_id", "timestamp", "hash"]
    body = [{"token_id": PLAIN.tokens[1]}, {"token_id": "12345"}]
    _, books, _ = await rig.call("POST", "/books", body=body)
    assert [b["asset_id"] for b in books] == [PLAIN.tokens[1]]
    assert books[0]["asks"][-1] == {"price": "0.48", "size": "15"}


@on_venue
async def test_prices_of_one_token_and_of_several(rig: Rig) -> None:
    await quoted(rig)
    query = {"token_id": PLAIN.tokens[0]}
    expected = {
        "/midpoint": {"mid": "0.53"},
        "/spread": {"spread": "0.02"},
        "/tick-size": {"minimum_tick_size": 0.01},
        "/neg-risk": {"neg_risk": False},
        "/fee-rate": {"base_fee": 1000},
        "/last-trade-price": {"price": "0.5", "side": ""},
    }
    for path, answer in expected.items():
        assert (await rig.call("GET", path, query=query))[1] == answer, path
    _, price, _ = await rig.call("GET", "/price", query=query | {"side": "BUY"})
    assert price == {"price": "0.52"}
    body = [{"token_id": token} for token in PLAIN.tokens]
    _, mids, _ = await rig.call("POST", "/midpoints", body=body)
    assert mids == {PLAIN.tokens[0]: "0.53", PLAIN.tokens[1]: "0.47"}
    body = [{"token_id": PLAIN.tokens[1], "side": "SELL"}]
    _, prices, _ = await rig.call("POST", "/prices", body=body)
    assert prices == {PLAIN.tokens[1]: {"SELL": "0.48"}}


@on_venue
async def test_wrong_questions_get_the_documented_answers(rig: Rig) -> None:
    token = {"token_id": PLAIN.tokens[0]}
    cases: list[tuple[str, str, Any, Any, int, str]] = [
        ("GET", "/book", None, {}, 400, "Invalid token id"),
        ("GET", "/book", None, {"token_id": "x"}, 400, "Invalid token id"),
        (
            "GET",
            "/book",
            None,
            {"token_id": "7"},
            404,
            "No orderbook exists for the requested token id",
        ),
        ("POST", "/books", b"{", {}, 400, "Invalid payload"),
        ("POST", "/books", [token] * 501, {}, 400, "Payload exceeds the limit"),
        ("GET", "/price", None, token, 400, "Invalid side"),
        ("GET", "/markets/0x1", None, {}, 404, "market not found"),
        ("GET", "/data/orders", None, {}, 401, "Unauthorized/Invalid api key"),
        ("POST", "/auth/api-key", None, {}, 401, "Invalid L1 Request headers"),
    ]
    for method, path, body, query, status, text in cases:
        got = await rig.call(method, path, body=body, query=query)
        assert got[:2] == (status, {"error": text}), path


@on_venue
async def test_the_small_questions(rig: Rig) -> None:
    assert (await rig.call("GET", "/ok"))[1] == "OK"
    assert (await rig.call("GET", "/time"))[1] == START_S
    assert (await rig.call("GET", "/version"))[1] == {"version": 2}
    assert (await rig.call("GET", "/site/api/geoblock"))[1]["blocked"] is False
    _, found, _ = await rig.call("GET", f"/markets-by-token/{NEG.tokens[1]}")
    assert found == {
        "condition_id": NEG.condition,
        "primary_token_id": NEG.tokens[0],
        "secondary_token_id": NEG.tokens[1],
    }


@on_venue
async def test_clob_market_is_the_compact_truth(rig: Rig) -> None:
    _, info, _ = await rig.call("GET", f"/clob-markets/{PLAIN.condition}")
    assert info["t"] == [{"t": PLAIN.tokens[0], "o": "Yes"}, {"t": PLAIN.tokens[1], "o": "No"}]
    assert (info["mos"], info["mts"], info["nr"], info["itode"]) == (5, 0.01, False, False)
    assert info["fd"] == {"r": 0.04, "e": 1, "to": True}
    _, listed, _ = await rig.call("GET", "/markets", query={"next_cursor": "MA=="})
    assert [row["condition_id"] for row in listed["data"]] == [t.condition for t in MARKETS]
    assert listed["next_cursor"] == "LTE="


@on_venue
async def test_keys_are_created_once_derived_listed_and_deleted(rig: Rig) -> None:
    ann = await rig.trader("ann")
    headers = ann.wallet_headers()
    status, answer, _ = await rig.call("POST", "/auth/api-key", headers=headers)
    assert (status, answer) == (400, {"error": "Could not create api key"})
    _, derived, _ = await rig.call("GET", "/auth/derive-api-key", headers=headers)
    assert derived == ann.creds
    _, listed, _ = await rig.ask(ann, "GET", "/auth/api-keys")
    assert listed == {"apiKeys": [ann.creds["apiKey"]]}
    _, gone, _ = await rig.ask(ann, "DELETE", "/auth/api-key")
    assert gone == "OK"
    assert (await rig.ask(ann, "GET", "/auth/api-keys"))[0] == 401
    _, again, _ = await rig.call("POST", "/auth/api-key", headers=headers)
    assert again["apiKey"] != ann.creds["apiKey"]


@on_venue
async def test_a_read_only_key_reads_and_nothing_else(rig: Rig) -> None:
    ann = await rig.trader("ann")
    _, creds, _ = await rig.ask(ann, "POST", "/auth/readonly-api-key")
    looker = Trader("ann")
    looker.creds = creds
    assert (await rig.ask(looker, "GET", "/data/orders"))[0] == 200
    status, answer, _ = await rig.ask(looker, "DELETE", "/cancel-all")
    assert (status, answer) == (401, {"error": "Unauthorized/Invalid api key"})
    _, listed, _ = await rig.ask(ann, "GET", "/auth/readonly-api-keys")
    assert listed == {"readonlyApiKeys": [creds["apiKey"]]}


@on_venue
async def test_every_part_of_a_login_counts(rig: Rig) -> None:
    ann, bob = await rig.trader("ann"), await rig.trader("bob")
    good = ann.headers("GET", "/data/orders")
    assert (await rig.call("GET", "/data/orders", headers=good))[0] == 200
    for name in good:
        wrong = good | {name: bob.headers("GET", "/data/orders")[name]}
        if wrong != good:
            assert (await rig.call("GET", "/data/orders", headers=wrong))[0] == 401, name
    late = ann.headers("GET", "/data/orders", stamp=START_S - 61)
    assert (await rig.call("GET", "/data/orders", headers=late))[0] == 401
    l1 = ann.wallet_headers(stamp=START_S - 61)
    assert (await rig.call("GET", "/auth/derive-api-key", headers=l1))[0] == 401


@on_venue
async def test_balances_are_base_units_of_the_wallet_that_the_signature_type_names(
    rig: Rig,
) -> None:
    safe = await rig.trader("sam", 2, cash=125 * U)
    query = {"asset_type": "COLLATERAL", "signature_type": "2"}
    _, answer, _ = await rig.ask(safe, "GET", "/balance-allowance", query=query)
    assert answer["balance"] == "125000000"
    exchange = "0xE111180000d2663C0091e4f400237545B87B996B"
    assert int(answer["allowances"][exchange]) == (1 << 256) - 1
    query["signature_type"] = "0"
    _, answer, _ = await rig.ask(safe, "GET", "/balance-allowance", query=query)
    assert answer["balance"] == "0"


@on_venue
async def test_a_stale_cache_is_refreshed_by_asking(rig: Rig) -> None:
    ann = await rig.trader("ann", cash=100 * U)
    rig.venue.apply(Switches(stale_balances=True))
    rig.exchange.deposit(ann.wallet, 50 * U)
    query = {"asset_type": "COLLATERAL", "signature_type": "0"}
    _, answer, _ = await rig.ask(ann, "GET", "/balance-allowance", query=query)
    assert answer["balance"] == "100000000"
    assert (await rig.ask(ann, "GET", "/balance-allowance/update", query=query))[0] == 200
    _, answer, _ = await rig.ask(ann, "GET", "/balance-allowance", query=query)
    assert answer["balance"] == "150000000"


@on_venue
async def test_closed_only_mode_is_told_and_felt(rig: Rig) -> None:
    ann = await rig.trader("ann")
    act = SetRestriction(address=ann.wallet, restriction=Restriction.CLOSED_ONLY)
    carry_out(rig.venue, act)
    _, answer, _ = await rig.ask(ann, "GET", "/auth/ban-status/closed-only")
    assert answer == {"closed_only": True}
    status, answer, _ = await rig.post(ann, ann.order(PLAIN))
    assert (status, "in closed only mode" in answer["error"]) == (400, True)


@on_venue
async def test_scoring_and_rewards_reads_are_honest(rig: Rig) -> None:
    ann = await quoted(rig)
    order = await rig.rest(ann, PLAIN, px=520_000, qty=100 * U)
    _, answer, _ = await rig.ask(ann, "GET", "/order-scoring", query={"order_id": order})
    assert answer == {"scoring": False}
    _, answer, _ = await rig.ask(ann, "POST", "/orders-scoring", [order, "0x1"])
    assert answer == {order: False, "0x1": False}
    _, page, _ = await rig.call("GET", "/rewards/markets/current")
    assert [row["condition_id"] for row in page["data"]] == [PLAIN.condition]
    assert page["data"][0]["total_daily_rate"] == 25


# --- Gamma and the Data API ----------------------------------------------------------------------


@on_venue
async def test_gamma_packs_lists_into_strings_and_positions_into_arrays(rig: Rig) -> None:
    await quoted(rig)
    _, rows, _ = await rig.call("GET", "/gamma/markets", query={"slug": "plain"})
    row = rows[0]
    assert decode(row["outcomes"]) == ["Yes", "No"]
    assert decode(row["clobTokenIds"]) == list(PLAIN.tokens)
    assert decode(row["outcomePrices"]) == ["0.53", "0.47"]
    assert (row["orderPriceMinTickSize"], row["orderMinSize"]) == (0.01, 5)
    assert (row["bestBid"], row["bestAsk"], row["positionIds"]) == (0.52, 0.54, [])
    schedule = {"exponent": 1, "rate": 0.04, "takerOnly": True, "rebateRate": 0.25}
    assert row["feeSchedule"] == schedule
    _, third, _ = await rig.call("GET", "/gamma/markets/slug/third")
    assert (third["version"], third["clobTokenIds"]) == ("v2", "[]")
    assert third["positionIds"] == list(THIRD.tokens)


@on_venue
async def test_keyset_pages_end_without_a_cursor_and_refuse_offsets(rig: Rig) -> None:
    slugs: list[str] = []
    query = {"limit": "2"}
    while True:
        _, page, _ = await rig.call("GET", "/gamma/markets/keyset", query=query)
        slugs += [row["slug"] for row in page["markets"]]
        if "next_cursor" not in page:
            break
        query["after_cursor"] = page["next_cursor"]
    assert slugs == [terms.slug for terms in MARKETS]
    status, _, _ = await rig.call("GET", "/gamma/markets/keyset", query={"offset": "2"})
    assert status == 422
    _, page, _ = await rig.call("GET", "/gamma/events/keyset", query={"limit": "1"})
    assert page["events"][0]["markets"][0]["slug"] == "plain"


@on_venue
async def test_resolved_markets_are_listed_as_closed_only(rig: Rig) -> None:
    rig.exchange.resolve(NEG.condition, Resolution.YES)
    _, rows, _ = await rig.call("GET", "/gamma/markets")
    assert "neg" not in [row["slug"] for row in rows]
    _, rows, _ = await rig.call("GET", "/gamma/markets", query={"closed": "true"})
    assert [(row["slug"], row["outcomePrices"]) for row in rows] == [("neg", '["1", "0"]')]
    query = {"token_id": NEG.tokens[0]}
    assert (await rig.call("GET", "/book", query=query))[0] == 404


@on_venue
async def test_positions_and_trades_lag_nothing_but_settlement(rig: Rig) -> None:
    ann, bob = await rig.trader("ann"), await rig.trader("bob")
    await rig.rest(ann, PLAIN, px=520_000)
    await rig.post(bob, bob.order(PLAIN, ix=1, px=480_000))
    await rig.pass_time(30_000)
    _, page, _ = await rig.call("GET", "/data-api/v2/positions", query={"user": ann.wallet})
    position = page["data"][0]
    assert (position["current_size"], position["avg_price"]) == (10, 0.52)
    assert (position["status"], position["outcome_index"]) == ("OPEN", 0)
    _, page, _ = await rig.call("GET", "/data-api/v2/trades", query={"user": ann.wallet})
    assert (page["data"][0]["price"], page["data"][0]["side"]) == (0.52, "BUY")
    _, old, _ = await rig.call("GET", "/data-api/positions", query={"user": ann.wallet})
    assert (old[0]["size"], old[0]["asset"]) == (10, PLAIN.tokens[0])
    status, answer, _ = await rig.call("GET", "/data-api/v2/positions", query={"user": "me"})
    assert (status, answer["retryable"]) == (400, False)
