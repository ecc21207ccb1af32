"""Requests under faults: the rows of `faults.md` B that a venue causes."""

import asyncio

import aiohttp
import pytest

from polytui.engine.core.errors import OperatorError
from polytui.engine.core.units import U
from polytui.engine.shell.venue.acts import carry_out
from polytui.engine.shell.venue.limits import Bucket, PathLimits
from polytui.engine.shell.venue.server import check_host
from polytui.engine.sim import faults
from polytui.engine.sim.exchange.terms import (
    DelayTerms,
    Resolution,
    Restriction,
    SettlementTerms,
    VenueMode,
)
from polytui.engine.sim.faults import Switches
from tests.engine.shell.venue.rig import PLAIN, Rig, id_of, on_venue


@on_venue
async def test_a_lost_reply_leaves_the_order_on_the_book(rig: Rig) -> None:
    ann = await rig.trader("ann")
    rig.venue.apply(Switches(lost_reply=1.0))
    order = ann.order(PLAIN)
    status, answer, _ = await rig.post(ann, order)
    assert (status, answer) == (500, {"error": "order timed out"})
    assert rig.exchange.order(id_of(order, PLAIN)) is not None


@on_venue
async def test_a_lost_order_gets_the_same_answer_and_is_nowhere(rig: Rig) -> None:
    ann = await rig.trader("ann")
    rig.venue.apply(Switches(lost_order=1.0))
    order = ann.order(PLAIN)
    status, answer, _ = await rig.post(ann, order)
    assert (status, answer) == (500, {"error": "order timed out"})
    assert rig.exchange.order(id_of(order, PLAIN)) is None


@on_venue
async def test_a_dropped_reply_ends_the_connection_with_the_order_placed(rig: Rig) -> None:
    ann = await rig.trader("ann")
    rig.venue.apply(Switches(dropped_reply=1.0))
    order = ann.order(PLAIN)
    with pytest.raises(aiohttp.ClientError):
        await rig.post(ann, order)
    assert rig.exchange.order(id_of(order, PLAIN)) is not None


@on_venue
async def test_429_strikes_orders_and_cancels_apart(rig: Rig) -> None:
    ann = await rig.trader("ann")
    rig.venue.apply(Switches(too_many=1.0, retry_after_s=3))
    status, answer, headers = await rig.post(ann, ann.order(PLAIN))
    assert (status, answer) == (429, {"error": "Too Many Requests"})
    assert headers["Retry-After"] == "3"
    assert (await rig.ask(ann, "DELETE", "/cancel-all"))[0] == 200
    rig.venue.apply(Switches(too_many_cancels=1.0))
    assert (await rig.ask(ann, "DELETE", "/cancel-all"))[0] == 429
    assert (await rig.post(ann, ann.order(PLAIN)))[0] == 200


@on_venue
async def test_an_enforced_bucket_refuses_and_a_warned_one_only_says_so(rig: Rig) -> None:
    ann = await rig.trader("ann")
    batch = [ann.body(ann.order(PLAIN, qty=5 * U, px=10_000)) for _ in range(15)]
    for _ in range(4):
        assert (await rig.ask(ann, "POST", "/orders", batch))[0] == 200
    status, _, headers = await rig.ask(ann, "POST", "/orders", batch)
    assert (status, headers["Poly-RateLimit-Warning"]) == (200, "true")
    rig.venue.apply(Switches(buckets_enforced=True))
    status, _, headers = await rig.ask(ann, "POST", "/orders", batch)
    assert (status, headers["Retry-After"]) == (429, "1")
    await rig.pass_time(1_000)
    status, _, headers = await rig.ask(ann, "POST", "/orders", batch)
    assert (status, headers["Poly-RateLimit-Remaining"]) == (200, "25")


@on_venue
async def test_a_restart_is_425_then_two_minutes_post_only(rig: Rig) -> None:
    ann = await rig.trader("ann")
    carry_out(rig.venue, faults.Restart(down_ms=5_000))
    for method, path, body in (
        ("POST", "/order", ann.body(ann.order(PLAIN))),
        ("DELETE", "/cancel-all", None),
    ):
        assert (await rig.ask(ann, method, path, body))[0] == 425
    await rig.pass_time(5_001)
    status, answer, _ = await rig.post(ann, ann.order(PLAIN))
    assert (status, answer["code"]) == (503, "post_only_mode")
    assert answer["error"] == "post-only mode: only post-only orders and cancels are allowed"
    assert 0 < answer["retry_after_seconds"] <= 120
    assert (await rig.post(ann, ann.order(PLAIN), postOnly=True))[0] == 200
    await rig.pass_time(120_001)
    assert (await rig.post(ann, ann.order(PLAIN)))[0] == 200


@on_venue
async def test_cancel_only_and_disabled(rig: Rig) -> None:
    ann = await rig.trader("ann")
    carry_out(rig.venue, faults.SetMode(mode=VenueMode.CANCEL_ONLY))
    status, answer, _ = await rig.post(ann, ann.order(PLAIN))
    assert (status, answer["error"][:38]) == (503, "Trading is currently cancel-only. New ")
    assert (await rig.ask(ann, "DELETE", "/cancel-all"))[0] == 200
    carry_out(rig.venue, faults.SetMode(mode=VenueMode.DISABLED))
    status, answer, _ = await rig.ask(ann, "DELETE", "/cancel-all")
    assert (status, answer["error"][:31]) == (503, "Trading is currently disabled. ")
    carry_out(rig.venue, faults.SetMode(mode=VenueMode.NORMAL))
    assert (await rig.post(ann, ann.order(PLAIN)))[0] == 200


@on_venue
async def test_acts_reach_the_exchange(rig: Rig) -> None:
    ann = await rig.trader("ann", cash=200 * U)
    await rig.rest(ann, PLAIN, qty=100 * U)
    market = PLAIN.condition
    carry_out(rig.venue, faults.ChangeTick(market=market, tick_u6=1_000))
    carry_out(rig.venue, faults.ChangeFees(market=market, rate_u6=70_000))
    terms = rig.exchange.market(market)
    assert terms is not None
    assert (terms.fees.rate_u6, terms.fees.rebate_u6) == (70_000, 250_000)
    carry_out(rig.venue, faults.Drain(address=ann.wallet, cash_u6=180 * U))
    assert rig.exchange.open_orders() == ()
    await rig.rest(ann, PLAIN, qty=10 * U)
    await rig.ask(ann, "POST", "/v1/heartbeats", {"heartbeat_id": ""})
    carry_out(rig.venue, faults.ExpireHeartbeats())
    assert rig.exchange.open_orders() == ()
    storm = SettlementTerms(fail_chance=0.35)
    carry_out(rig.venue, faults.SetSettlement(terms=storm))
    assert rig.exchange.settings.settlement == storm
    banned = faults.SetRestriction(address=ann.wallet, restriction=Restriction.BANNED)
    carry_out(rig.venue, banned)
    status, answer, _ = await rig.post(ann, ann.order(PLAIN))
    assert (status, "address banned" in answer["error"]) == (400, True)
    carry_out(rig.venue, faults.ResolveMarket(market=market, outcome=Resolution.YES))
    assert rig.exchange.resolution(market) is Resolution.YES


@on_venue
async def test_an_act_on_an_unknown_market_is_refused_with_a_sentence(rig: Rig) -> None:
    with pytest.raises(OperatorError, match="condition id of a market"):
        carry_out(rig.venue, faults.ChangeTick(market="0x1", tick_u6=1_000))


@on_venue
async def test_latency_is_spent_before_the_effect(rig: Rig) -> None:
    rig.venue.apply(Switches(rest_delay=DelayTerms(low_ms=60, high_ms=60)))
    asked = asyncio.get_running_loop().time()
    await rig.call("GET", "/time")
    assert asyncio.get_running_loop().time() - asked >= 0.05


@on_venue
async def test_path_limits_refuse_when_enforced(rig: Rig) -> None:
    rig.venue.apply(Switches(paths_enforced=True))
    ann = await rig.trader("ann")
    query = {"asset_type": "COLLATERAL", "signature_type": "0"}
    got = [
        (await rig.ask(ann, "GET", "/balance-allowance/update", query=query))[0] for _ in range(51)
    ]
    assert got == [200] * 50 + [429]


def test_a_bucket_pays_whole_or_not_at_all() -> None:
    bucket = Bucket()
    assert bucket.take(60, rate=40, burst=60, now_ns=0).allowed
    refused = bucket.take(15, rate=40, burst=60, now_ns=0)
    assert (refused.allowed, refused.remaining, refused.wait_s) == (False, 0, 1)
    later = bucket.take(15, rate=40, burst=60, now_ns=500_000_000)
    assert (later.allowed, later.remaining) == (True, 5)


def test_path_windows_start_again_after_ten_seconds() -> None:
    limits = PathLimits()
    assert [limits.allows("/auth/api-key", 0) for _ in range(101)] == [True] * 100 + [False]
    assert limits.allows("/auth/api-key", 10_000_000_000)


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.168.1.4", "example.org", ""])
def test_nothing_but_loopback_is_ever_bound(host: str) -> None:
    with pytest.raises(OperatorError, match=r"binds 127\.0\.0\.1 or ::1 only"):
        check_host(host)
