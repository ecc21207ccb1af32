"""Discovery on a whole venue in real time, hostile listings, pairs moved, and who may arm."""

import ast
import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import DecodeError
from msgspec.structs import replace

from polytui.engine.core.account_events import PairsMoved
from polytui.engine.core.commands import MovePairs
from polytui.engine.core.errors import WireError
from polytui.engine.core.events import BookFrame, FeeSchedule, MarketListed, MarketResolved
from polytui.engine.core.order_enums import Realm, SendOutcome
from polytui.engine.core.units import U
from polytui.engine.shell.polymarket.client import VenueClient
from polytui.engine.shell.polymarket.discovery import Discovery, confirmed
from polytui.engine.shell.polymarket.gamma import read_event, read_market, read_page
from polytui.engine.shell.polymarket.market_stream import MarketStreams
from polytui.engine.shell.polymarket.practice_moves import PracticeMover
from polytui.engine.shell.polymarket.public_reads import ClobMarket
from polytui.engine.shell.polymarket.rest import Failed
from polytui.engine.shell.venue.serving import Options, Served
from polytui.engine.sim.exchange.terms import Resolution
from polytui.engine.wire import polymarket as wire
from tests.conftest import ROOT
from tests.engine.shell.polymarket.hearing import Heard, counter, until
from tests.engine.shell.polymarket.rig import venue_config
from tests.support.engines import short_directory
from tests.support.hostile import HOSTILE, JUNK

YES, NO = "7" * 77, "5" * 77
MARKET: dict[str, Any] = {
    "id": "990001",
    "version": "v1",
    "slug": "will-x",
    "conditionId": "0xbd31dc8a20211944f6b70f31557f1001557b59905b7738480ca09bd4532f84af",
    "question": "Will X?",
    "outcomes": '["Yes", "No"]',
    "clobTokenIds": json.dumps([YES, NO]),
    "positionIds": [],
    "active": True,
    "closed": False,
    "archived": False,
    "enableOrderBook": True,
    "acceptingOrders": True,
    "negRisk": False,
    "negRiskOther": False,
    "endDate": "2026-12-31T23:59:00Z",
    "orderPriceMinTickSize": 0.01,
    "orderMinSize": 5,
    "feesEnabled": True,
    "feeSchedule": {"exponent": 1, "rate": 0.04, "takerOnly": True, "rebateRate": 0.25},
    "umaResolutionStatus": "",
    "volume24hr": 10234.5,
    "events": [{"id": "77001", "slug": "x", "negRiskAugmented": False}],
}


def read(**changes: Any) -> Any:
    return read_market(json.dumps(MARKET | changes).encode())


# --- Gamma ---------------------------------------------------------------------------------------


def test_a_market_is_read_with_exact_numbers() -> None:
    found = read()
    spec = found.spec
    assert (spec.tokens, spec.group, spec.tick_u6) == ((YES, NO), "x", 10_000)
    assert (spec.min_qty_u6, spec.min_order_text, spec.protocol) == (5 * U, "5", "v1")
    assert spec.fees == FeeSchedule(rate_u6=40_000, exponent=1, rebate_u6=250_000)
    assert spec.end_ns == 1_798_761_540_000_000_000
    assert (found.tradable, found.placeholder, found.volume_u6) == (True, False, 10_234 * U)


@pytest.mark.parametrize(
    "changes",
    [
        {"closed": True},
        {"active": False},
        {"archived": True},
        {"enableOrderBook": False},
        {"acceptingOrders": False},
        {"version": None},
        {"version": "v3"},
        {"umaResolutionStatus": "disputed"},
    ],
)
def test_what_may_not_be_traded_is_seen(changes: dict[str, Any]) -> None:
    assert not read(**changes).tradable


def test_the_version_alone_chooses_the_tokens() -> None:
    ids = ["11", "12"]
    assert read(positionIds=ids).spec.tokens == (YES, NO)
    assert read(positionIds=ids, version="v2", clobTokenIds="[]").spec.tokens == ("11", "12")


@pytest.mark.parametrize(
    ("changes", "pays_u6"),
    [
        ({"closed": True, "outcomePrices": '["1", "0"]'}, (U, 0)),
        ({"closed": True, "outcomePrices": '["0", "1"]'}, (0, U)),
        ({"closed": True, "outcomePrices": '["0.5", "0.5"]'}, (U // 2, U // 2)),
        ({"closed": True, "outcomePrices": '["1.0", "0.0"]'}, (U, 0)),
        (
            {"closed": True, "outcomePrices": '["1", "0"]', "umaResolutionStatus": "resolved"},
            (U, 0),
        ),
        ({"closed": False, "outcomePrices": '["1", "0"]'}, None),
        ({"closed": True, "outcomePrices": '["1", "0"]', "umaResolutionStatus": "proposed"}, None),
        ({"closed": True, "outcomePrices": '["1", "0"]', "umaResolutionStatus": "disputed"}, None),
        ({"closed": True, "outcomePrices": '["0.9995", "0.0005"]'}, None),
        ({"closed": True, "outcomePrices": '["1", "1"]'}, None),
        ({"closed": True, "outcomePrices": '["1"]'}, None),
        ({"closed": True}, None),
    ],
)
def test_how_a_market_came_out_is_read_only_where_it_is_final(
    changes: dict[str, Any], pays_u6: tuple[int, int] | None
) -> None:
    assert read_market(json.dumps(MARKET | changes).encode()).pays_u6 == pays_u6


def test_fees_that_are_not_told_are_unknown_and_no_fees_are_none() -> None:
    assert read(feesEnabled=False, feeSchedule=None).spec.fees == FeeSchedule(rate_u6=0)
    assert read(feeSchedule=None).spec.fees is None
    assert read(feesEnabled=None, feeSchedule=None).spec.fees is None


def test_other_and_unnamed_outcomes_are_placeholders() -> None:
    assert read(negRiskOther=True).placeholder
    assert read(events=[{"slug": "x", "negRiskAugmented": True}], groupItemTitle="").placeholder


def test_a_hostile_title_is_harmless() -> None:
    spec = read(question="\x1b[31mBuy\u202e [red]now[/red]\u200b" + "x" * 999).spec
    assert spec.title.isprintable()
    assert "\x1b" not in spec.title
    assert len(spec.title) <= 160


def test_one_bad_market_spoils_no_page() -> None:
    page = {"markets": [MARKET, MARKET | {"clobTokenIds": "[]"}, 7], "next_cursor": "abc"}
    found = read_page(json.dumps(page).encode())
    assert (len(found.markets), found.refused, found.next_cursor) == (1, 2, "abc")


@pytest.mark.parametrize("value", HOSTILE, ids=lambda value: repr(value)[:20])
def test_a_hostile_value_in_a_listing_is_a_market_or_refused(value: object) -> None:
    for name in MARKET:
        body = json.dumps({"markets": [MARKET | {name: value}]}).encode()
        found = read_page(body)
        assert len(found.markets) + found.refused == 1


@given(JUNK)
def test_junk_is_no_page(data: bytes) -> None:
    for reader in (read_page, read_event, read_market):
        try:
            reader(data)
        except (WireError, DecodeError, UnicodeDecodeError, RecursionError):
            continue


def test_the_clob_confirms_a_market_or_denies_it() -> None:
    spec = read().spec
    record = ClobMarket(
        tokens=(YES, NO),
        tick_u6=1_000,
        min_qty_u6=15 * U,
        min_order_text="15",
        neg_risk=False,
        accepting=False,
        fees=FeeSchedule(rate_u6=70_000),
        delay_s=0,
        is_crypto_delayed=True,
    )
    found = confirmed(spec, record)
    assert found is not None
    assert (found.tick_u6, found.min_order_text, found.accepting) == (1_000, "15", False)
    assert found.fees == FeeSchedule(rate_u6=70_000, rebate_u6=250_000)
    assert confirmed(spec, replace(record, tokens=(YES, "1"))) is None


# --- a whole venue -------------------------------------------------------------------------------


def on_served(work: Callable[[Served, VenueClient], Awaitable[None]]) -> None:
    async def main(directory: Path) -> None:
        served = Served(Options(port=0, singles=4, seed=5, control=directory / "c.sock"))
        await served.start()
        driver = asyncio.create_task(served.venue.run())
        exchange = served.world.exchange
        client = VenueClient(
            venue_config(f"http://{served.server.base}"), clock=lambda: exchange.now_ns
        )
        try:
            await work(served, client)
        finally:
            client.close()
            driver.cancel()
            await served.close()

    with short_directory() as directory:
        asyncio.run(main(directory))


def test_the_busiest_markets_are_found_with_the_clobs_own_record() -> None:
    async def work(_: Served, client: VenueClient) -> None:
        found = await Discovery(client.gamma, client.public, markets_max=5).find()
        assert not isinstance(found, Failed)
        assert len(found) == 5
        assert all(spec.accepting and spec.fees is not None for spec in found)

    on_served(work)


def test_named_markets_and_events_are_found_and_unknown_names_are_left_for_later() -> None:
    async def work(served: Served, client: VenueClient) -> None:
        group = next(g for g in served.world.exchange.groups() if g.neg_risk)
        single = next(t for t in served.world.exchange.markets() if t.group != group.id)
        slugs = (single.slug, group.slug, "no-such-market")
        discovery = Discovery(client.gamma, client.public, slugs=slugs)
        found = await discovery.find()
        assert not isinstance(found, Failed)
        assert single.condition in {spec.market for spec in found}
        assert {spec.group for spec in found} >= {group.slug}
        assert discovery.failures == 1
        nothing = await Discovery(client.gamma, client.public, slugs=("nope",)).find()
        assert isinstance(nothing, Failed)

    on_served(work)


@asynccontextmanager
async def watched(
    client: VenueClient,
    heard: Heard,
    *,
    markets_max: int,
    clock: Callable[[], int] | None = None,
) -> AsyncIterator[tuple[MarketStreams, Discovery]]:
    """Discover and follow the busiest markets, looking twenty times a second."""
    streams = MarketStreams(
        client.config.market_ws,
        public=client.public,
        next_conn=counter(),
        tell=heard.tell,
        seed=1,
    )
    discovery = Discovery(client.gamma, client.public, markets_max=markets_max, look_ns=50_000_000)
    tasks = [
        asyncio.create_task(streams.run(heard)),
        asyncio.create_task(discovery.watch(streams, clock or client.clock)),
    ]
    try:
        yield streams, discovery
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


@pytest.mark.timeout(15)
def test_an_outcome_that_nobody_heard_is_told_once_and_a_market_let_go_is_found_no_more() -> None:
    async def work(served: Served, client: VenueClient) -> None:
        exchange, heard = served.world.exchange, Heard()
        async with watched(client, heard, markets_max=3, clock=lambda: 1 << 62) as (
            streams,
            discovery,
        ):
            await until(lambda: len(streams.specs) >= 3, seconds=5)
            spec = next(iter(streams.specs.values()))
            exchange.resolve(spec.market, Resolution.NO)

            def told() -> list[MarketResolved]:
                return [event for event in heard.events if isinstance(event, MarketResolved)]

            await until(lambda: bool(told()), seconds=5)
            streams.unfollow(spec.market)
            await until(lambda: len(streams.specs) >= 3, seconds=5)
            (event,) = told()
            assert (event.market, event.winning_token) == (spec.market, spec.tokens[1])
            assert event.winning_outcome == spec.outcomes[1]
            assert spec.market not in streams.specs
            assert not discovery.failures

    on_served(work)


@pytest.mark.timeout(15)
def test_a_market_that_is_over_is_found_by_its_id_told_and_not_subscribed() -> None:
    async def work(served: Served, client: VenueClient) -> None:
        heard = Heard()
        terms = served.world.exchange.markets()[0]
        served.world.exchange.resolve(terms.condition, Resolution.YES)
        async with watched(client, heard, markets_max=2) as (streams, discovery):
            await until(lambda: len(streams.specs) >= 2, seconds=5)
            assert terms.condition not in streams.specs
            discovery.want("0x" + "e" * 64)
            discovery.want(terms.condition)
            await until(lambda: any(isinstance(e, MarketResolved) for e in heard.events), seconds=5)
            (told,) = (event for event in heard.events if isinstance(event, MarketResolved))
            assert (told.market, told.winning_token) == (terms.condition, terms.tokens[0])
            listed = [
                event.spec.market for event in heard.events if isinstance(event, MarketListed)
            ]
            assert listed.count(terms.condition) == 1
            assert not any(terms.condition in shard.markets for shard in streams.shards)

    on_served(work)


@pytest.mark.timeout(15)
def test_what_is_found_is_followed_and_its_books_come_and_verify() -> None:
    async def work(_: Served, client: VenueClient) -> None:
        heard = Heard()
        async with watched(client, heard, markets_max=4) as (streams, _watching):
            await until(lambda: len(streams.specs) >= 4, seconds=5)
            tokens = {token for spec in streams.specs.values() for token in spec.tokens}

            def shown() -> set[str]:
                events = [e for conn, data in heard.frames for e in wire.decode(conn, data)]
                return {event.token for event in events if isinstance(event, BookFrame)}

            await until(lambda: tokens <= shown(), seconds=5)
            listed = [event for event in heard.events if isinstance(event, MarketListed)]
            assert {event.spec.market for event in listed} >= set(streams.specs)

    on_served(work)


def test_pairs_are_split_and_merged_on_the_practice_venue() -> None:
    async def work(served: Served, _: VenueClient) -> None:
        wallet = served.wallets[0].address
        exchange = served.world.exchange
        market = next(iter(exchange.markets()))
        mover = PracticeMover(str(served.ready()["control"]), wallet)

        async def move(op: str, amount: int, where: str = market.condition) -> PairsMoved:
            wish = MovePairs(
                cause=1, realm=Realm.LIVE, request="m", op=op, market=where, qty_u6=amount
            )
            return await mover(wish)

        assert (await move("split", 10 * U)).outcome is SendOutcome.ACCEPTED
        assert exchange.balance(wallet.lower(), market.tokens[0]).balance_u6 == 10 * U
        assert (await move("merge", 4 * U)).outcome is SendOutcome.ACCEPTED
        assert exchange.balance(wallet.lower(), market.tokens[1]).balance_u6 == 6 * U
        assert (await move("merge", 400 * U)).outcome is SendOutcome.REFUSED
        assert (await move("split", U, "0xdead")).outcome is SendOutcome.REFUSED
        assert (await move("teleport", U)).outcome is SendOutcome.NOT_SENT
        lost = PracticeMover("/nonexistent/c.sock", wallet)
        wish = MovePairs(cause=1, realm=Realm.LIVE, request="m", op="split", market="0x1", qty_u6=U)
        assert (await lost(wish)).outcome is SendOutcome.NOT_SENT

    on_served(work)


# --- who may arm ---------------------------------------------------------------------------------

ARMING = frozenset(
    {"polytui/engine/shell/polymarket/armed.py", "polytui/engine/shell/accounts/live.py"}
)
"""The only modules that may make an `Armed`."""


def test_only_the_arming_code_makes_an_arming() -> None:
    makers = set()
    for path in (ROOT / "polytui").rglob("*.py"):
        name = path.relative_to(ROOT).as_posix()
        text = path.read_text(encoding="utf-8")
        for node in ast.walk(ast.parse(text)) if "armed" in text else ():
            if isinstance(node, ast.ImportFrom) and (node.module or "").endswith("armed"):
                makers |= {name for alias in node.names if alias.name in ("arm", "_SEAL")}
    assert makers <= ARMING


@given(st.integers(0, 10**18))
def test_an_end_beyond_this_century_is_no_end(value: int) -> None:
    end_ns = read(endDate=str(value)).spec.end_ns
    assert end_ns is None or 0 <= end_ns < 4_102_444_800 * 10**9
