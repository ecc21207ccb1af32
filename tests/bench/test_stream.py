"""The benchmark's stream is the venue's, and its baseline keeps the same books as ours."""

import json
from pathlib import Path

import pytest

from bench.baseline import PlainBooks
from bench.hotpath import CONN, Checked, Driven, checked
from bench.stream import TAPES, Shape, Stream, digest, generate, load_tape
from polytui.engine.core.enums import BookState, Proof
from polytui.engine.core.events import BookDelta, BookFrame, MarketSpec
from polytui.engine.core.runconfig import RunConfig
from polytui.engine.core.units import U, text_u6
from polytui.engine.market.book import Book
from polytui.engine.wire.polymarket import decode

SMALL = Shape(markets=6, levels=12, messages=1_500)


@pytest.fixture(scope="module")
def stream() -> Stream:
    return generate("small", SMALL)


def test_the_same_shape_gives_the_same_bytes(stream: Stream) -> None:
    again = generate("small", SMALL)
    assert (again.opening, again.frames) == (stream.opening, stream.frames)


def test_another_seed_gives_another_stream(stream: Stream) -> None:
    other = generate("small", Shape(markets=6, levels=12, messages=1_500, seed=2))
    assert other.frames != stream.frames


def test_the_mix_is_what_it_says(stream: Stream) -> None:
    kinds = [json.loads(data)["event_type"] for _, data in stream.frames]
    assert len(kinds) == SMALL.messages
    assert 0.90 < kinds.count("price_change") / len(kinds) < 0.97
    assert set(kinds) == {"price_change", "last_trade_price", "book"}


def test_every_digest_and_best_price_of_the_stream_is_right(stream: Stream) -> None:
    driven = Driven(stream, RunConfig())
    for data in stream.opening:
        driven.handle(stream.frames[0][0], data)
    for at_ns, data in stream.frames:
        driven.handle(at_ns, data)
    desk = driven.engine.desk
    assert desk.incidents.total == 0
    assert desk.faults == desk.ignored == desk.unknown == 0
    assert [market.quality.bad for market in desk.markets.values()] == [0] * SMALL.markets
    assert {market.quality.state for market in desk.markets.values()} == {BookState.SYNCED}
    proofs = {market.quality.proof for market in desk.markets.values()}
    assert proofs <= {Proof.DIGEST, Proof.PENDING}
    assert sum(market.quality.ok for market in desk.markets.values()) > SMALL.messages


def test_the_checked_rival_really_checks(stream: Stream) -> None:
    rival = Checked(stream, claims=2)
    spoiled = [
        (at_ns, data.replace(b'"best_bid":"0.', b'"best_bid":"0.0', 1))
        for at_ns, data in stream.frames
    ]
    for data in stream.opening:
        rival.handle(0, data)
    for at_ns, data in spoiled:
        rival.handle(at_ns, data)
    assert rival.wrong_tops > SMALL.messages / 2
    assert rival.equal > rival.unequal > 0


def test_the_baseline_and_our_book_agree_after_every_message(stream: Stream) -> None:
    plain = PlainBooks()
    books = {spec.market: Book(spec, text_u6(spec.tick_u6)) for spec in stream.markets}
    for data in (*stream.opening, *(data for _, data in stream.frames)):
        plain.take(data)
        for event in decode(CONN, data):
            if isinstance(event, BookDelta):
                books[event.market].apply(event.changes)
            elif isinstance(event, BookFrame):
                books[event.market].replace(event)
            else:
                continue
            assert_equal_tops(plain, books[event.market])


def assert_equal_tops(plain: PlainBooks, book: Book) -> None:
    for token in book.spec.tokens:
        own, other = book.sides(token)
        bid, ask = plain.best(token)
        assert bid is not None
        assert ask is not None
        assert (round(bid[0] * U), round(bid[1] * U)) == (own.px[-1], own.qty[-1])
        assert (round(ask[0] * U), round(ask[1] * U)) == (U - other.px[-1], other.qty[-1])


def test_the_plain_digest_is_the_venue_s(shared_data: Path) -> None:
    lines = (shared_data / "messages" / "polymarket-market.jsonl").read_text(encoding="utf-8")
    vector = next(json.loads(line) for line in lines.splitlines() if "initial-array" in line)
    for book in json.loads(vector["text"]):
        spec = MarketSpec(market=book["market"], tokens=(book["asset_id"], ""), title="")
        sides = (book["bids"], book["asks"])
        last_trade = book["last_trade_price"]
        made = digest(spec, book["asset_id"], int(book["timestamp"]), sides, last_trade)
        assert made == book["hash"]


@pytest.mark.slow
@pytest.mark.timeout(30)
@pytest.mark.parametrize("name", TAPES)
def test_a_tape_is_read_with_its_markets(shared_data: Path, name: str) -> None:
    assert TAPES[name].parent == shared_data
    tape = load_tape(name, 300)
    assert len(tape.frames) == 300
    assert all(spec.tokens[0] for spec in tape.markets)
    handle = checked(tape, claims=2)
    for at_ns, data in tape.frames:
        handle(at_ns, data)


def test_frames_are_spread_over_time_at_the_rate(stream: Stream) -> None:
    took_ns = stream.frames[-1][0] - stream.frames[0][0]
    assert took_ns == pytest.approx((SMALL.messages - 1) / SMALL.rate * 1e9, rel=1e-3)
