"""Reads through the port and beside it: whole or failed, every page, exact numbers."""

import asyncio
import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from polytui.engine.core import commands
from polytui.engine.core.account_events import (
    BalancesRead,
    CancelAnswered,
    ClockRead,
    HeartbeatAnswered,
    OpenOrdersRead,
    OrderAnswered,
    OrderRead,
    PairsMoved,
    PositionsRead,
    TradesRead,
)
from polytui.engine.core.enums import Side
from polytui.engine.core.order_enums import Realm, SendOutcome, TradeStatus, VenueCode
from polytui.engine.core.trading import Balance
from polytui.engine.core.units import U6_MAX, U
from polytui.engine.shell.polymarket.account_reads import AccountReads, AuditReads
from polytui.engine.shell.polymarket.auth import Credentials
from polytui.engine.shell.polymarket.client import VenueClient
from polytui.engine.shell.polymarket.http import Reply
from polytui.engine.shell.polymarket.login import obtain
from polytui.engine.shell.polymarket.public_reads import read_place
from polytui.engine.shell.polymarket.rest import Failed, Rest
from polytui.engine.shell.venue import rest_orders
from polytui.engine.shell.venue.acts import carry_out
from polytui.engine.sim.exchange.api import COLLATERAL
from polytui.engine.sim.exchange.terms import AssetType, Spender
from polytui.engine.sim.faults import ExpireHeartbeats
from tests.engine.shell.polymarket.rig import Bench, on_bench, venue_config
from tests.engine.shell.polymarket.scripted import reply, scripted
from tests.engine.shell.venue.rig import PLAIN, THIRD, Rig, on_venue
from tests.support.hostile import JUNK

LIVE = Realm.LIVE


def balances(*tokens: str, refresh: bool = False) -> commands.ReadBalances:
    return commands.ReadBalances(cause=1, realm=LIVE, request="b", tokens=tokens, refresh=refresh)


def beat(heartbeat_id: str) -> commands.SendHeartbeat:
    return commands.SendHeartbeat(cause=1, realm=LIVE, heartbeat_id=heartbeat_id)


# --- orders and trades ---------------------------------------------------------------------------


@on_bench
async def test_open_orders_are_read_over_every_page(bench: Bench) -> None:
    orders = [bench.terms(PLAIN, px=100_000 + 10_000 * n) for n in range(25)]
    await bench.place(*orders)
    page, rest_orders.ORDERS_PAGE = rest_orders.ORDERS_PAGE, 7  # type: ignore[misc]  # short pages for a test
    try:
        wish = commands.ReadOpenOrders(cause=1, realm=LIVE, request="o")
        read = await bench.ask(OpenOrdersRead, wish)
    finally:
        rest_orders.ORDERS_PAGE = page  # type: ignore[misc]  # as it was before
    assert read.ok
    assert {order.order_hash for order in read.orders} == {t.order_hash for t in orders}
    assert {order.status for order in read.orders} == {"LIVE"}
    assert read.asked_ns == bench.rig.at_ns
    assert bench.budgets.reserve == 20


@on_bench
async def test_trades_are_read_since_a_moment_and_by_id(bench: Bench) -> None:
    bob = await bench.rig.trader("bob")
    await bench.rig.rest(bob, PLAIN, ix=1, px=480_000, qty=20 * U)
    (first,) = await bench.place(bench.terms(PLAIN, px=520_000))
    since_s = bench.rig.venue.now_s()
    await bench.rig.pass_time(30_000)
    (second,) = await bench.place(bench.terms(PLAIN, px=520_000))
    everything = commands.ReadTrades(cause=1, realm=LIVE, request="t")
    read = await bench.ask(TradesRead, everything)
    assert {trade.trade_id for trade in read.trades} == {*first.trade_ids, *second.trade_ids}
    later = commands.ReadTrades(cause=1, realm=LIVE, request="t", after_s=since_s + 5)
    (trade,) = (await bench.ask(TradesRead, later)).trades
    assert (trade.trade_id,) == second.trade_ids
    one = commands.ReadTrades(cause=1, realm=LIVE, request="t", trade_id=first.trade_ids[0])
    (trade,) = (await bench.ask(TradesRead, one)).trades
    assert (trade.trade_id, trade.is_taker) == (first.trade_ids[0], True)
    assert trade.status is TradeStatus.CONFIRMED
    assert (trade.px_u6, trade.qty_u6) == (520_000, 10 * U)
    assert (trade.makers[0].px_u6, trade.makers[0].side) == (480_000, Side.BUY)


@on_bench
async def test_a_filled_order_is_no_longer_active_and_that_is_a_good_read(bench: Bench) -> None:
    bob = await bench.rig.trader("bob")
    await bench.rig.rest(bob, PLAIN, ix=1, px=480_000)
    terms = bench.terms(PLAIN, px=520_000)
    await bench.place(terms)
    wish = commands.ReadOrder(cause=1, realm=LIVE, order_hash=terms.order_hash)
    read = await bench.ask(OrderRead, wish)
    assert (read.ok, read.order) == (True, None)


def test_pages_that_go_in_circles_are_a_failed_read() -> None:
    async def main() -> Any:
        body = json.dumps({"data": [], "next_cursor": "NTAw"}).encode()
        async with scripted(lambda *_: reply(body)) as server:
            rest = Rest(f"http://127.0.0.1:{server.port}")
            rest.credentials = _credentials()
            found = await AccountReads(rest, signature_type=0).open_orders()
            rest.close()
            return found

    found = asyncio.run(main())
    assert isinstance(found, Failed)
    assert found.why == "the pages go in circles"


def _credentials() -> Credentials:
    return Credentials(
        address="0x" + "ab" * 20, key="k", secret="MDEyMzQ1Njc4OWFiY2RlZg==", passphrase="p"
    )


def test_an_answer_about_another_order_is_a_failed_read() -> None:
    async def main() -> Any:
        row = {
            "id": "0xother", "status": "LIVE", "market": "0xm", "asset_id": "1", "side": "BUY",
            "original_size": "1", "size_matched": "0", "price": "0.5",
        }  # fmt: skip
        async with scripted(lambda *_: reply(json.dumps(row).encode())) as server:
            rest = Rest(f"http://127.0.0.1:{server.port}")
            rest.credentials = _credentials()
            return await AccountReads(rest, signature_type=0).order("0xmine")

    assert isinstance(asyncio.run(main()), Failed)


# --- money ---------------------------------------------------------------------------------------


@on_bench
async def test_balances_and_the_smallest_allowance_are_read(bench: Bench) -> None:
    await bench.rig.stock(bench.trader, PLAIN, 100 * U)
    read = await bench.ask(BalancesRead, balances(*PLAIN.tokens))
    assert read.ok
    assert read.balances == (
        Balance(asset="pUSD", qty_u6=9_900 * U),
        Balance(asset=PLAIN.tokens[0], qty_u6=100 * U),
        Balance(asset=PLAIN.tokens[1], qty_u6=100 * U),
    )
    assert read.allowance_u6 == U6_MAX
    bench.rig.exchange.approve(
        bench.trader.wallet, Spender.NEG_RISK_V2, AssetType.COLLATERAL, 5 * U
    )
    assert (await bench.ask(BalancesRead, balances())).allowance_u6 == 5 * U


@on_bench
async def test_b24_a_stale_balance_is_fresh_after_asking_for_it(bench: Bench) -> None:
    bench.switch(stale_balances=True)
    bench.rig.exchange.deposit(bench.trader.wallet, 7 * U)
    stale = await bench.ask(BalancesRead, balances())
    assert stale.balances[0].qty_u6 == 10_000 * U
    fresh = await bench.ask(BalancesRead, balances(refresh=True))
    assert fresh.balances[0].qty_u6 == 10_007 * U


@on_bench
async def test_one_unreadable_balance_fails_the_read(bench: Bench) -> None:
    read = await bench.ask(BalancesRead, balances(PLAIN.tokens[0], "12345"))
    assert (read.ok, read.balances) == (False, ())
    assert "HTTP 400" in read.why


@on_bench
async def test_positions_are_read_as_an_audit(bench: Bench) -> None:
    await bench.rig.stock(bench.trader, PLAIN, 100 * U)
    await bench.rig.stock(bench.trader, THIRD, 3 * U)
    wish = commands.ReadPositions(cause=1, realm=LIVE, request="p")
    read = await bench.ask(PositionsRead, wish)
    assert read.ok
    held = {(p.token, p.qty_u6) for p in read.positions}
    assert held == {(t, 100 * U) for t in PLAIN.tokens} | {(t, 3 * U) for t in THIRD.tokens}
    assert all(position.mergeable for position in read.positions)
    audit = AuditReads(bench.client.data, wallet=bench.identity.maker)
    approvals = await audit.approvals()
    assert not isinstance(approvals, Failed)
    assert all(approval.approved for approval in approvals)


# --- clock, place, login -------------------------------------------------------------------------


@on_bench
async def test_b23_a_skewed_clock_is_measured_and_logins_follow_it(bench: Bench) -> None:
    bench.switch(clock_skew_ms=90_000)
    refused = await bench.ask(
        OpenOrdersRead, commands.ReadOpenOrders(cause=1, realm=LIVE, request="o")
    )
    assert not refused.ok
    read = await bench.ask(ClockRead, commands.ReadClock(cause=1, realm=LIVE))
    assert read.ok
    assert abs(read.offset_ns - 90_000_000_000) <= read.rtt_ns <= 510_000_000
    good = await bench.ask(
        OpenOrdersRead, commands.ReadOpenOrders(cause=1, realm=LIVE, request="o")
    )
    assert good.ok


@on_venue
async def test_an_api_key_is_created_once_and_derived_afterwards(rig: Rig) -> None:
    bob = await rig.trader("bob")
    bench = Bench(rig, bob)
    derived = await obtain(
        bench.client.clob, address=bob.address, signer=bench.signer, stamp_s=rig.venue.now_s()
    )
    assert isinstance(derived, Credentials)
    assert derived.key == bob.creds["apiKey"]
    created = await obtain(
        bench.client.clob,
        address=bob.address,
        signer=bench.signer,
        stamp_s=rig.venue.now_s(),
        nonce=5,
    )
    assert isinstance(created, Credentials)
    assert created.key != derived.key
    client = VenueClient(bench.config, clock=lambda: rig.at_ns)
    assert isinstance(await client.log_in(address=bob.address, signer=bench.signer), Credentials)
    assert await AccountReads(client.clob, signature_type=0).open_orders() == ()
    client.close()
    await bench.close()


@on_bench
async def test_the_public_reads_answer_in_our_units(bench: Bench) -> None:
    public = bench.client.public
    assert await public.version() == 2
    assert await public.time_s() == bench.rig.venue.now_s()
    record = await public.clob_market(PLAIN.condition)
    assert not isinstance(record, Failed)
    assert record.tokens == PLAIN.tokens
    assert (record.tick_u6, record.min_qty_u6, record.min_order_text) == (10_000, 5 * U, "5")
    assert record.fees is not None
    assert (record.fees.rate_u6, record.fees.exponent) == (40_000, 1)
    missing = await public.clob_market("0xdead")
    assert isinstance(missing, Failed)
    assert (missing.http, missing.code) == (404, VenueCode.NO_BOOK)
    books = await public.books((*PLAIN.tokens, "1"))
    assert isinstance(books, Reply)
    assert len(json.loads(books.body)) == 2
    assert bench.client.place is not None
    place = await read_place(bench.client.place)
    assert not isinstance(place, Failed)
    assert (place.blocked, place.country) == (False, "FI")


@on_bench
async def test_rewards_and_standing_are_read(bench: Bench) -> None:
    account = AccountReads(bench.client.clob, signature_type=0)
    assert await account.closed_only() is False
    terms = bench.terms(PLAIN)
    await bench.place(terms)
    assert await account.scoring(terms.order_hash) is False
    assert await account.several_scoring((terms.order_hash,)) == {terms.order_hash: False}
    rewards = await account.rewards()
    assert not isinstance(rewards, Failed)
    (reward,) = rewards
    assert (reward.market, reward.per_day_u6) == (PLAIN.condition, 25 * U)
    assert await account.earnings("2026-11-21") == ()


# --- the heartbeat -------------------------------------------------------------------------------


@on_bench
async def test_b25_beats_are_chained_and_a_wrong_id_is_told_the_right_one(bench: Bench) -> None:
    first = await bench.ask(HeartbeatAnswered, beat(""))
    second = await bench.ask(HeartbeatAnswered, beat(first.heartbeat_id))
    assert (first.ok, second.ok) == (True, True)
    lost = await bench.ask(HeartbeatAnswered, beat(first.heartbeat_id))
    assert (lost.ok, lost.heartbeat_id) == (False, second.heartbeat_id)
    assert lost.why == "Invalid Heartbeat ID"
    adopted = await bench.ask(HeartbeatAnswered, beat(lost.heartbeat_id))
    assert adopted.ok


@on_bench
async def test_b25_a_beat_without_a_key_or_a_venue_is_not_ok(bench: Bench) -> None:
    bench.rig.venue.ring.delete(bench.trader.creds["apiKey"])
    refused = await bench.ask(HeartbeatAnswered, beat(""))
    assert (refused.ok, refused.code) == (False, VenueCode.AUTH)
    await bench.rig.server.close()
    lost = await bench.ask(HeartbeatAnswered, beat(""))
    assert (lost.ok, lost.heartbeat_id) == (False, "")


@on_bench
async def test_b25_after_expired_beats_the_orders_are_gone_and_the_read_says_so(
    bench: Bench,
) -> None:
    await bench.ask(HeartbeatAnswered, beat(""))
    await bench.place(bench.terms(PLAIN))
    carry_out(bench.rig.venue, ExpireHeartbeats())
    wish = commands.ReadOpenOrders(cause=1, realm=LIVE, request="o")
    read = await bench.ask(OpenOrdersRead, wish)
    assert (read.ok, read.orders) == (True, ())


# --- pairs ---------------------------------------------------------------------------------------


@on_bench
async def test_a_port_without_a_mover_says_that_it_cannot_move_pairs(bench: Bench) -> None:
    wish = commands.MovePairs(
        cause=1, realm=LIVE, request="m", op="merge", market=PLAIN.condition, qty_u6=U
    )
    moved = await bench.ask(PairsMoved, wish)
    assert moved.outcome is SendOutcome.NOT_SENT
    assert "relayer" in moved.why
    assert bench.rig.exchange.balance(bench.trader.wallet, COLLATERAL).free_u6 == 10_000 * U


# --- hostile -------------------------------------------------------------------------------------

EVERYTHING: tuple[tuple[commands.PortCommand, type[Any]], ...] = (
    (commands.CancelAll(cause=1, realm=LIVE, request="x"), CancelAnswered),
    (commands.CancelOrders(cause=1, realm=LIVE, request="x", hashes=("0x1",)), CancelAnswered),
    (commands.CancelMarket(cause=1, realm=LIVE, request="x", market="0x1"), CancelAnswered),
    (commands.ReadOrder(cause=1, realm=LIVE, order_hash="0x1"), OrderRead),
    (commands.ReadOpenOrders(cause=1, realm=LIVE, request="x"), OpenOrdersRead),
    (commands.ReadTrades(cause=1, realm=LIVE, request="x"), TradesRead),
    (balances("1"), BalancesRead),
    (commands.ReadPositions(cause=1, realm=LIVE, request="x"), PositionsRead),
    (beat(""), HeartbeatAnswered),
)


def hostile(answers: list[bytes]) -> None:
    """Carry out every command against a server that answers this: one event each, no bug."""

    async def work(rig: Rig) -> None:
        trader = await rig.trader("ann")
        turn = iter(range(1 << 30))
        async with scripted(lambda *_: answers[next(turn) % len(answers)]) as server:
            bench = Bench(rig, trader, base=f"http://127.0.0.1:{server.port}", timeout_s=0.3)
            try:
                for command, kind in EVERYTHING:
                    await bench.ask(kind, command)
                orders = [bench.terms(PLAIN) for _ in range(3)]
                for batch in (orders[:1], orders):
                    found = await bench.place(*batch)
                    assert [type(answer) for answer in found] == [OrderAnswered] * len(batch)
                    assert all(a.outcome is not SendOutcome.ACCEPTED for a in found)
                assert bench.bugs == []
            finally:
                await bench.close()

    on_venue(work)()


@given(
    st.lists(st.tuples(st.sampled_from([200, 200, 400, 500, 503]), JUNK), min_size=1, max_size=5)
)
@settings(max_examples=25)
@pytest.mark.timeout(60)
def test_any_body_is_answered_with_an_event_never_an_exception(
    answers: list[tuple[int, bytes]],
) -> None:
    hostile([reply(body, status=status) for status, body in answers])


@pytest.mark.parametrize(
    "raw",
    [b"garbage\r\n\r\n", b"HTTP/1.1 200 OK\r\n\r\n", reply(b"[" * 100_000), reply(b"\xff\xfe")],
)
@pytest.mark.timeout(30)
def test_what_is_no_answer_at_all_is_an_event_too(raw: bytes) -> None:
    hostile([raw])


def test_the_configuration_of_a_practice_venue_is_lawful() -> None:
    assert venue_config("http://127.0.0.1:1").user_ws == "ws://127.0.0.1:1/ws/user"
