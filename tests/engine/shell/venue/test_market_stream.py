"""The market stream: shapes, digests, groups and mirror entries (`market-ws-integrity.md`)."""

from hashlib import sha1
from itertools import groupby
from typing import Any

import pytest

from polytui.engine.core.events import (
    BookDelta,
    BookFrame,
    MarketSpec,
    PublicTrade,
)
from polytui.engine.core.ids import ConnId
from polytui.engine.core.units import U
from polytui.engine.market.book import Book
from polytui.engine.sim.exchange.terms import MarketTerms, Resolution
from polytui.engine.sim.faults import Switches
from polytui.engine.wire import polymarket
from tests.engine.shell.venue.rig import NEG, PLAIN, START_NS, Rig, market, on_venue


async def close_group(rig: Rig) -> None:
    """Let the millisecond of the last change end."""
    await rig.pass_time(2)


def spec_of(terms: MarketTerms) -> MarketSpec:
    return MarketSpec(
        market=terms.condition,
        tokens=terms.tokens,
        title=terms.question,
        slug=terms.slug,
        neg_risk=terms.neg_risk,
        fees=terms.fees,
    )


@on_venue
async def test_a_subscription_is_answered_with_one_array_of_both_books(rig: Rig) -> None:
    ann = await rig.trader("ann")
    await rig.rest(ann, PLAIN, px=520_000)
    await close_group(rig)
    stream = await rig.hear_market(*PLAIN.tokens)
    text = await stream.raw()
    assert text.startswith('[{"market":"0x')
    assert text.endswith("}]\n")
    await stream.socket.send_str("PING")
    assert await stream.raw() == "PONG"
    books = polymarket.decode(ConnId(1), text.encode())
    assert [type(event) for event in books] == [BookFrame, BookFrame]
    assert '"tick_size":"0.01"' in text
    assert '"last_trade_price":""' in text
    assert '"bids":[{"price":"0.52","size":"10"}],"asks":[]' in text
    assert '"bids":[],"asks":[{"price":"0.48","size":"10"}]' in text


@on_venue
async def test_a_change_names_both_tokens_in_the_spacing_of_later_frames(rig: Rig) -> None:
    ann = await rig.trader("ann")
    stream = await rig.hear_market(*PLAIN.tokens)
    await stream.next()
    await rig.rest(ann, PLAIN, ix=1, px=480_000)
    await close_group(rig)
    text = await stream.raw()
    assert text.startswith(f'{{"market":"{PLAIN.condition}", "price_changes":[{{"asset_id":"')
    frame = polymarket.decode(ConnId(1), text.encode())[0]
    assert isinstance(frame, BookDelta)
    entries = [text.split("asset_id")[1][3:20], text.split("asset_id")[2][3:20]]
    assert entries == [PLAIN.tokens[1][:17], PLAIN.tokens[0][:17]]
    assert '"price":"0.48", "size":"10", "side":"BUY"' in text
    assert '"price":"0.52", "size":"10", "side":"SELL"' in text
    assert '"best_bid":"0", "best_ask":"0.52"' in text
    assert '"best_bid":"0.48", "best_ask":"1"' in text


@pytest.mark.parametrize("terms", [PLAIN, NEG], ids=["plain", "neg_risk"])
def test_every_digest_verifies_with_the_engines_own_verifier(terms: MarketTerms) -> None:
    @on_venue
    async def flow(rig: Rig) -> None:
        ann, bob = await rig.trader("ann"), await rig.trader("bob")
        await rig.stock(ann, terms)
        stream = await rig.hear_market(*terms.tokens)
        book = Book(spec_of(terms), "0.01")
        for event in polymarket.decode(ConnId(1), (await stream.raw()).encode()):
            assert isinstance(event, BookFrame)
            book.replace(event)
            assert book.verify(event.token, event.venue_ms, event.digest)
        for n in range(12):
            await rig.rest(ann, terms, side="SELL", px=600_000 + 10_000 * n, qty=7 * U)
            if n % 3 == 0:
                await rig.post(bob, bob.order(terms, px=650_000, qty=5 * U + n * U))
            if n % 2:
                await close_group(rig)
        await close_group(rig)
        frames = [await stream.raw()]
        await stream.socket.send_str("PING")
        while (text := await stream.raw()) != "PONG":
            frames.append(text)
        assert check(book, frames) == 12

    flow()


def check(book: Book, frames: list[str]) -> int:
    """Apply frames, verifying each group when it is complete; return how many digests held."""
    events = [event for text in frames for event in polymarket.decode(ConnId(1), text.encode())]
    held = 0
    for _, group in groupby(events, key=lambda event: getattr(event, "venue_ms", 0)):
        claims: dict[str, tuple[int, str]] = {}
        for event in group:
            if isinstance(event, PublicTrade):
                book.note_trade(event.px_u6)
            elif isinstance(event, BookFrame):
                book.replace(event)
                claims[event.token] = (event.venue_ms, event.digest)
            elif isinstance(event, BookDelta):
                book.apply(event.changes)
                claims |= {token: (event.venue_ms, digest) for token, digest, *_ in event.claims}
        for token, (venue_ms, digest) in claims.items():
            assert book.verify(token, venue_ms, digest), (token, venue_ms)
            held += 1
    return held


@on_venue
async def test_a_trade_shows_as_change_print_and_both_books(rig: Rig) -> None:
    ann, bob = await rig.trader("ann"), await rig.trader("bob")
    await rig.rest(ann, PLAIN, px=520_000, qty=20 * U)
    await close_group(rig)
    stream = await rig.hear_market(*PLAIN.tokens)
    await stream.next()
    await rig.post(bob, bob.order(PLAIN, ix=1, px=480_000, qty=5 * U))
    await close_group(rig)
    frames = await stream.ping()
    kinds = sorted(frame["event_type"] for frame in frames)
    assert kinds == ["book", "book", "last_trade_price", "price_change"]
    trade = next(f for f in frames if f["event_type"] == "last_trade_price")
    assert (trade["asset_id"], trade["price"], trade["side"]) == (PLAIN.tokens[1], "0.48", "BUY")
    later = next(f for f in frames if f["event_type"] == "book")
    assert "tick_size" not in later
    assert "last_trade_price" not in later


@on_venue
async def test_custom_features_come_only_to_those_who_asked(rig: Rig) -> None:
    plain = await rig.hear_market(*PLAIN.tokens)
    rich = await rig.hear_market(*PLAIN.tokens, custom=True)
    await plain.next()
    await rich.next()
    ann = await rig.trader("ann")
    await rig.rest(ann, PLAIN)
    await close_group(rig)
    rig.exchange.list_market(market("announced", group=""))
    rig.exchange.resolve(NEG.condition, Resolution.YES)
    await close_group(rig)
    heard = {frame["event_type"] for frame in await rich.ping()}
    assert heard == {"price_change", "best_bid_ask", "new_market", "market_resolved"}
    assert {frame["event_type"] for frame in await plain.ping()} == {"price_change"}


@on_venue
async def test_tick_changes_are_told_of_both_tokens(rig: Rig) -> None:
    stream = await rig.hear_market(*PLAIN.tokens)
    await stream.next()
    rig.exchange.change_tick(PLAIN.condition, 1_000)
    await close_group(rig)
    frames = await stream.ping()
    assert [f["event_type"] for f in frames[:2]] == ["tick_size_change"] * 2
    assert {f["asset_id"] for f in frames[:2]} == set(PLAIN.tokens)
    assert (frames[0]["old_tick_size"], frames[0]["new_tick_size"]) == ("0.01", "0.001")


@on_venue
async def test_subscriptions_change_on_an_open_socket(rig: Rig) -> None:
    ann = await rig.trader("ann")
    stream = await rig.hear_market(PLAIN.tokens[0])
    await stream.next()
    more = '{"operation":"subscribe","assets_ids":["' + NEG.tokens[0] + '"]}'
    await stream.socket.send_str(more)
    assert [book["asset_id"] for book in await stream.next()] == [NEG.tokens[0]]
    less = '{"operation":"unsubscribe","assets_ids":["' + PLAIN.tokens[0] + '"]}'
    await stream.socket.send_str(less)
    assert await stream.ping() == []
    await rig.rest(ann, PLAIN)
    await rig.rest(ann, NEG)
    await close_group(rig)
    assert [frame["market"] for frame in await stream.ping()] == [NEG.condition]


@on_venue
async def test_more_than_500_assets_get_no_initial_books(rig: Rig) -> None:
    strangers = [str(n) for n in range(499)]
    stream = await rig.hear_market(*PLAIN.tokens, *strangers)
    assert await stream.ping() == []
    fewer = await rig.hear_market(*PLAIN.tokens, *strangers[:-1])
    assert len(await fewer.next()) == 2


@on_venue
async def test_what_is_no_wish_is_answered_and_survived(rig: Rig) -> None:
    stream = await rig.hear_market(*PLAIN.tokens)
    await stream.next()
    for text in ("", "{", "[]", "null", '{"assets_ids":5}', "[" * 5_000):
        await stream.socket.send_str(text)
        assert await stream.raw() == "INVALID OPERATION"
    await stream.socket.send_bytes(b"\xff\xfe")
    assert await stream.ping() == []


# --- faults --------------------------------------------------------------------------------------


async def changes(rig: Rig, stream: Any, count: int) -> list[Any]:
    ann = await rig.trader(f"ann{rig.at_ns}")
    for n in range(count):
        await rig.rest(ann, PLAIN, px=100_000 + 10_000 * (n % 30), qty=5 * U + n * U)
        await close_group(rig)
    return [f for f in await stream.ping() if f["event_type"] == "price_change"]


@on_venue
async def test_a_frozen_stream_still_answers_ping(rig: Rig) -> None:
    stream = await rig.hear_market(*PLAIN.tokens)
    await stream.next()
    rig.venue.apply(Switches(market_freeze=True))
    assert await changes(rig, stream, 5) == []
    rig.venue.apply(Switches())
    assert len(await changes(rig, stream, 2)) == 2


@on_venue
async def test_a_deaf_token_is_left_out_and_the_other_goes_on(rig: Rig) -> None:
    stream = await rig.hear_market(*PLAIN.tokens)
    await stream.next()
    rig.venue.apply(Switches(deaf_tokens=(PLAIN.tokens[1],)))
    for frame in await changes(rig, stream, 3):
        assert [e["asset_id"] for e in frame["price_changes"]] == [PLAIN.tokens[0]]


@on_venue
async def test_a_torn_view_brings_the_mirror_half_later(rig: Rig) -> None:
    stream = await rig.hear_market(*PLAIN.tokens)
    await stream.next()
    rig.venue.apply(Switches(torn_ms=50))
    first = await changes(rig, stream, 1)
    assert [e["asset_id"] for f in first for e in f["price_changes"]] == [PLAIN.tokens[0]]
    second = await stream.next()
    assert [e["asset_id"] for e in second["price_changes"]] == [PLAIN.tokens[1]]


@pytest.mark.parametrize(
    ("switches", "expected"),
    [
        (Switches(frame_drop=1.0), []),
        (Switches(frame_repeat=1.0), [0, 0, 1, 1, 2, 2, 3, 3]),
        (Switches(frame_swap=1.0), [1, 0, 3, 2]),
    ],
    ids=["dropped", "repeated", "swapped"],
)
def test_frames_are_lost_doubled_and_swapped(switches: Switches, expected: list[int]) -> None:
    @on_venue
    async def flow(rig: Rig) -> None:
        stream = await rig.hear_market(*PLAIN.tokens)
        await stream.next()
        rig.venue.apply(switches)
        sizes = [f["price_changes"][0]["size"] for f in await changes(rig, stream, 4)]
        assert sizes == [str(5 + n) for n in expected]

    flow()


def test_the_same_seed_loses_the_same_frames() -> None:
    runs = []

    @on_venue
    async def flow(rig: Rig) -> None:
        stream = await rig.hear_market(*PLAIN.tokens)
        await stream.next()
        rig.venue.apply(Switches(frame_drop=0.5, frame_swap=0.2))
        runs.append([f["price_changes"][0]["hash"] for f in await changes(rig, stream, 25)])

    flow()
    flow()
    assert runs[0] == runs[1]
    assert 3 < len(runs[0]) < 22


@on_venue
async def test_a_ghost_book_is_shown_by_rest_only(rig: Rig) -> None:
    ann = await rig.trader("ann")
    await rig.rest(ann, PLAIN, px=520_000)
    await close_group(rig)
    rig.venue.apply(Switches(ghost_markets=(PLAIN.condition,)))
    query = {"token_id": PLAIN.tokens[0]}
    _, book, _ = await rig.call("GET", "/book", query=query)
    assert book["bids"] == [{"price": "0.01", "size": "100"}]
    assert book["asks"] == [{"price": "0.99", "size": "100"}]
    stream = await rig.hear_market(PLAIN.tokens[0])
    assert (await stream.next())[0]["bids"] == [{"price": "0.52", "size": "10"}]


@on_venue
async def test_a_cut_ends_every_socket_and_nothing_is_replayed(rig: Rig) -> None:
    stream = await rig.hear_market(*PLAIN.tokens)
    await stream.next()
    rig.venue.hub.cut(market=True, user=False)
    message = await stream.socket.receive(timeout=2)
    assert message.type.name in {"CLOSE", "CLOSED", "CLOSING", "ERROR"}


@on_venue
async def test_a_skewed_clock_shows_in_every_stamp_and_digests_still_verify(rig: Rig) -> None:
    stream = await rig.hear_market(*PLAIN.tokens)
    await stream.next()
    rig.venue.apply(Switches(clock_skew_ms=90_000))
    frame = (await changes(rig, stream, 1))[0]
    assert int(frame["timestamp"]) - START_NS // 1_000_000 >= 90_000
    entry = next(e for e in frame["price_changes"] if e["asset_id"] == PLAIN.tokens[0])
    text = (
        f'{{"market":"{PLAIN.condition}","asset_id":"{PLAIN.tokens[0]}",'
        f'"timestamp":"{frame["timestamp"]}","hash":"","bids":[{{"price":"0.1","size":"5"}}],'
        '"asks":[],"min_order_size":"5","tick_size":"0.01","neg_risk":false,'
        '"last_trade_price":""}'
    )
    assert entry["hash"] == sha1(text.encode()).hexdigest()
    _, now_s, _ = await rig.call("GET", "/time")
    assert now_s * 1_000 >= START_NS // 1_000_000 + 90_000
