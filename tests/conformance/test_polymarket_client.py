"""`polymarket-client` as published, trading and listening on the practice venue."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import Any

import pytest

from tests.conformance.stage import Stage, exercises

pytestmark = [
    pytest.mark.slow,
    pytest.mark.timeout(90),
    pytest.mark.filterwarnings("ignore"),
]
CLIENT = "polymarket-client"
WAIT_S = 20


def environment(stage: Stage) -> Any:
    """Make an environment of loopback addresses: its constructor is not public."""
    from polymarket.environments import PRODUCTION, _create_environment

    urls = stage.urls
    config = replace(
        PRODUCTION._config,
        clob_url=urls["clob"],
        clob_market_ws_url=urls["market_ws"],
        clob_user_ws_url=urls["user_ws"],
        relayer_url=urls["relayer"],
        gamma_url=urls["gamma"],
        data_url=urls["data"],
        rtds_ws_url=urls["rtds_ws"],
        rpc_url=urls["clob"],
    )
    return _create_environment(name="practice", config=config)


def trading(stage: Stage, signature_type: int, work: Callable[[Any], Awaitable[None]]) -> None:
    """Run a coroutine with a logged-in client."""

    async def main() -> None:
        from polymarket import AsyncSecureClient

        wallet = stage.wallets[signature_type]
        client = await AsyncSecureClient.create(
            private_key=wallet["private_key"],
            wallet=wallet["address"],
            environment=environment(stage),
        )
        async with client:
            await asyncio.wait_for(work(client), WAIT_S * 3)

    asyncio.run(main())


async def until(handle: Any, wanted: Callable[[Any], bool]) -> Any:
    """Return the first event that is wanted."""

    async def look() -> Any:
        async for event in handle:
            if wanted(event):
                return event
        raise AssertionError("the stream ended")

    return await asyncio.wait_for(look(), WAIT_S)


@exercises(
    CLIENT,
    ("AsyncSecureClient.create", "key made or derived; the wallet's kind told by its address"),
    ("place_limit_order", "by all four wallet kinds, the 317-byte form among them"),
    ("list_open_orders", "parsed"),
    ("get_order", "parsed"),
    ("cancel_order", "parsed"),
    ("get_balance_allowance", "parsed"),
)
@pytest.mark.parametrize("signature_type", [0, 1, 2, 3])
def test_a_limit_order_of_every_kind_of_wallet(stage: Stage, signature_type: int) -> None:
    market = stage.market(negRisk=False)

    async def work(client: Any) -> None:
        answer = await client.place_limit_order(
            asset_id=market["tokens"][0], price="0.06", size="7.5", side="BUY", post_only=True
        )
        assert answer.ok, answer
        assert answer.status == "live"
        page = await anext(aiter(client.list_open_orders(market=market["conditionId"])))
        assert [order.id for order in page.items] == [answer.order_id]
        order = await client.get_order(order_id=answer.order_id)
        assert (str(order.price), str(order.original_size)) == ("0.06", "7.5")
        gone = await client.cancel_order(order_id=answer.order_id)
        assert list(gone.canceled) == [answer.order_id]
        money = await client.get_balance_allowance(asset_type="COLLATERAL")
        assert money.balance > 9_000_000_000

    trading(stage, signature_type, work)


@exercises(
    CLIENT,
    ("place_market_order", "FAK BUY by budget, then FAK SELL of what was confirmed"),
    ("wait_for_order_fill_settlement", "ends with a hash"),
    ("list_account_trades", "parsed"),
    ("list_positions", "Data API, parsed"),
    ("get_portfolio_value", "Data API, parsed"),
)
def test_market_orders_buy_and_sell_again(stage: Stage) -> None:
    market = stage.market(negRisk=False)
    token = market["tokens"][0]

    async def work(client: Any) -> None:
        bought = await client.place_market_order(asset_id=token, side="BUY", amount="6")
        assert bought.ok, bought
        assert bought.status == "matched"
        assert bought.taking_amount > 6
        await client.wait_for_order_fill_settlement(bought)
        page = await anext(aiter(client.list_account_trades(market=market["conditionId"])))
        assert bought.order_id in {trade.taker_order_id for trade in page.items}
        await asyncio.sleep(9)
        held = await anext(aiter(client.list_positions(user=stage.wallets[3]["address"])))
        value = await client.get_portfolio_value(user=stage.wallets[3]["address"])
        assert value.value > 0
        position = next(p for p in held.items if p.asset_id == token)
        shares = position.current_size.quantize(type(position.current_size)("0.01"), "ROUND_DOWN")
        sold = await client.place_market_order(asset_id=token, side="SELL", shares=shares)
        assert sold.ok, sold

    trading(stage, 3, work)


@exercises(
    CLIENT,
    ("subscribe(MarketSpec)", "books, changes and tops as typed events"),
    ("subscribe(UserSpec)", "placement, cancellation, fill and the steps of a trade"),
)
def test_both_streams_bring_typed_events(stage: Stage) -> None:
    market = stage.market(negRisk=False)
    yes = market["tokens"][0]

    async def work(client: Any) -> None:
        from polymarket.streams import MarketSpec, UserSpec

        spec = MarketSpec(asset_ids=market["tokens"], custom_feature_enabled=True)
        public = await client.subscribe(spec)
        private = await client.subscribe(UserSpec(markets=[market["conditionId"]]))
        book = await until(public, lambda event: event.type == "book")
        assert book.payload.asset_id in market["tokens"]
        resting = await client.place_limit_order(asset_id=yes, price="0.07", size=11, side="BUY")
        change = await until(
            public,
            lambda event: (
                event.type == "price_change"
                and any(str(c.price) == "0.07" for c in event.payload.price_changes)
            ),
        )
        assert len(change.payload.price_changes) % 2 == 0
        placed = await until(private, lambda event: event.type == "order")
        assert placed.payload.id == resting.order_id
        assert placed.payload.order_event_type == "PLACEMENT"
        await client.cancel_all()
        ended = await until(private, lambda event: event.type == "order")
        assert ended.payload.order_event_type == "CANCELLATION"
        await client.place_market_order(asset_id=yes, side="BUY", amount="6")
        trade = await until(private, lambda event: event.type == "trade")
        assert (trade.payload.status, trade.payload.trader_side) == ("MATCHED", "TAKER")
        final = await until(
            private, lambda e: e.type == "trade" and e.payload.status == "CONFIRMED"
        )
        assert final.payload.transaction_hash.startswith("0x")

    trading(stage, 0, work)


@exercises(
    CLIENT,
    ("get_order_book", "parsed"),
    ("get_midpoint", "parsed"),
    ("get_market", "Gamma, by slug"),
    ("list_markets", "Gamma, page after page"),
    ("list_events", "Gamma, with members"),
)
def test_public_reads_parse(stage: Stage) -> None:
    market = stage.market(negRisk=False)

    async def work(client: Any) -> None:
        book = await client.get_order_book(asset_id=market["tokens"][0])
        assert book.asset_id == market["tokens"][0]
        assert 0 < float(await client.get_midpoint(asset_id=market["tokens"][0])) < 1
        found = await client.get_market(slug=market["slug"])
        assert found.condition_id == market["conditionId"]
        slugs = []
        async for page in client.list_markets(page_size=10):
            slugs += [row.slug for row in page.items]
        assert len(slugs) == len(set(slugs)) > 20
        events = await anext(aiter(client.list_events(page_size=5)))
        assert len(events.items) == 5

    trading(stage, 0, work)


@exercises(CLIENT, ("post_orders", "refused orders come back typed, with the venue's reason"))
def test_refusals_come_back_typed(stage: Stage) -> None:
    market = stage.market(negRisk=False)

    async def work(client: Any) -> None:
        good = await client.create_limit_order(
            asset_id=market["tokens"][0], price="0.05", size=10, side="BUY"
        )
        crossing = await client.create_limit_order(
            asset_id=market["tokens"][0], price="0.95", size=10, side="BUY", post_only=True
        )
        accepted, rejected = await client.post_orders([good, crossing])
        assert accepted.ok
        assert (rejected.ok, rejected.code) == (False, "post_only_would_cross")
        await client.cancel_all()

    trading(stage, 0, work)
