"""The user stream: who is told what (`venue/polymarket.md` §4.2)."""

from typing import Any

from msgspec.structs import replace

from polytui.engine.core.units import U
from polytui.engine.sim.exchange.terms import DelayTerms, SettlementTerms
from polytui.engine.sim.faults import Switches
from tests.engine.shell.venue.rig import NEG, PLAIN, START_S, Rig, Stream, Trader, on_venue


def brief(events: list[Any]) -> list[tuple[str, str]]:
    return [
        (event["event_type"], event.get("type", "") + " " + event["status"]) for event in events
    ]


@on_venue
async def test_an_order_is_told_to_its_owner_only(rig: Rig) -> None:
    ann, bob = await rig.trader("ann"), await rig.trader("bob")
    mine, theirs = await rig.hear_user(ann), await rig.hear_user(bob)
    order = await rig.rest(ann, PLAIN, px=520_000)
    await rig.ask(ann, "DELETE", "/order", {"orderID": order})
    events = await mine.ping()
    assert brief(events) == [("order", "PLACEMENT LIVE"), ("order", "CANCELLATION CANCELED")]
    placed = events[0]
    assert placed["owner"] == placed["order_owner"] == ann.creds["apiKey"]
    assert (placed["original_size"], placed["size_matched"], placed["price"]) == ("10", "0", "0.52")
    assert (placed["created_at"], placed["expiration"]) == (str(START_S), "0")
    assert placed["associate_trades"] is None
    assert await theirs.ping() == []


@on_venue
async def test_a_trade_is_told_to_taker_and_makers_and_again_at_each_step(rig: Rig) -> None:
    ann, bob = await rig.trader("ann"), await rig.trader("bob")
    await rig.rest(ann, PLAIN, px=520_000, qty=20 * U)
    maker, taker = await rig.hear_user(ann), await rig.hear_user(bob)
    await rig.post(bob, bob.order(PLAIN, ix=1, px=480_000))
    heard = await maker.ping()
    assert sorted(brief(heard)) == [("order", "UPDATE LIVE"), ("trade", "TRADE MATCHED")]
    trade = next(event for event in heard if event["event_type"] == "trade")
    assert (trade["trader_side"], trade["trade_owner"]) == ("MAKER", ann.creds["apiKey"])
    assert (trade["owner"], trade["price"]) == (bob.creds["apiKey"], "0.48")
    assert trade["maker_orders"][0]["outcome_index"] == 0
    seen = {event["event_type"] for event in await taker.ping()}
    assert seen == {"order", "trade"}
    await rig.pass_time(20_000)
    later = await taker.ping()
    assert [event["status"] for event in later] == ["MINED", "CONFIRMED"]
    assert later[0]["transaction_hash"].startswith("0x")


@on_venue
async def test_failed_settlement_is_told_as_retrying_then_failed(rig: Rig) -> None:
    terms = SettlementTerms(
        mine=DelayTerms(low_ms=10, high_ms=10),
        confirm=DelayTerms(low_ms=10, high_ms=10),
        retry_chance=1.0,
        retries_max=2,
        fail_chance=1.0,
    )
    rig.exchange.configure(replace(rig.exchange.settings, settlement=terms))
    ann, bob = await rig.trader("ann"), await rig.trader("bob")
    await rig.rest(ann, PLAIN, px=520_000)
    stream = await rig.hear_user(bob)
    await rig.post(bob, bob.order(PLAIN, ix=1, px=480_000))
    await rig.pass_time(1_000)
    statuses = [e["status"] for e in await stream.ping() if e["event_type"] == "trade"]
    assert statuses == ["MATCHED", "RETRYING", "RETRYING", "FAILED"]


@on_venue
async def test_a_killed_fok_comes_with_empty_fields(rig: Rig) -> None:
    ann = await rig.trader("ann")
    stream = await rig.hear_user(ann)
    await rig.post(ann, ann.order(PLAIN), "FOK")
    killed = (await stream.ping())[-1]
    assert killed["type"] == "CANCELLATION"
    assert killed["status"].startswith("CANCELED_order couldn't be fully filled.")
    assert (killed["size_matched"], killed["created_at"], killed["outcome"]) == ("", "", "")


@on_venue
async def test_markets_narrow_what_is_told(rig: Rig) -> None:
    ann = await rig.trader("ann")
    stream = await rig.hear_user(ann, NEG.condition)
    await rig.rest(ann, PLAIN)
    await rig.rest(ann, NEG)
    assert [event["market"] for event in await stream.ping()] == [NEG.condition]
    wish = '{"operation":"subscribe","markets":["' + PLAIN.condition + '"]}'
    await stream.socket.send_str(wish)
    await rig.rest(ann, PLAIN, px=400_000)
    assert [event["market"] for event in await stream.ping()] == [PLAIN.condition]


@on_venue
async def test_wrong_credentials_end_the_socket(rig: Rig) -> None:
    ann = await rig.trader("ann")
    for name in ("apiKey", "secret", "passphrase"):
        auth = ann.creds | {name: "wrong"}
        stream = await rig.listen("user", {"type": "user", "auth": auth})
        message = await stream.socket.receive(timeout=2)
        assert message.type.name in {"CLOSE", "CLOSED", "CLOSING"}


# --- faults --------------------------------------------------------------------------------------


async def placements(rig: Rig, ann: Trader, stream: Stream, count: int) -> list[Any]:
    for n in range(count):
        await rig.rest(ann, PLAIN, px=100_000 + 10_000 * n)
    return await stream.ping()


@on_venue
async def test_the_user_stream_freezes_drops_repeats_and_swaps(rig: Rig) -> None:
    ann = await rig.trader("ann")
    stream = await rig.hear_user(ann)
    rig.venue.apply(Switches(user_freeze=True))
    assert await placements(rig, ann, stream, 3) == []
    rig.venue.apply(Switches(user_drop=1.0))
    assert await placements(rig, ann, stream, 3) == []
    rig.venue.apply(Switches(user_repeat=1.0))
    assert len(await placements(rig, ann, stream, 3)) == 6
    rig.venue.apply(Switches(user_swap=1.0))
    swapped = [event["price"] for event in await placements(rig, ann, stream, 4)]
    assert swapped == ["0.11", "0.1", "0.13", "0.12"]


@on_venue
async def test_odd_shapes_are_all_among_those_seen_on_the_wire(rig: Rig) -> None:
    ann = await rig.trader("ann")
    stream = await rig.hear_user(ann)
    rig.venue.apply(Switches(odd_shapes=1.0))
    seen: set[str] = set()
    for event in await placements(rig, ann, stream, 40):
        if isinstance(event, list):
            seen.add("array")
        elif event["size_matched"] == "":
            seen.add("empty")
        elif event["status"] == "ORDER_STATUS_LIVE":
            seen.add("prefixed")
        elif len(event["timestamp"]) == 10:
            seen.add("seconds")
    assert seen == {"array", "empty", "prefixed", "seconds"}
