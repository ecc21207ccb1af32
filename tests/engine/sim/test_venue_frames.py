"""The market tape: groups, digests and shapes, fed by hand."""

import json
from typing import Any

import pytest

from polytui.engine.core.enums import Side
from polytui.engine.core.rng import Rng
from polytui.engine.core.units import U
from polytui.engine.sim.exchange.emissions import (
    MS,
    BookChanged,
    Emission,
    MarketListed,
    MarketResolved,
    TickChanged,
    TradePrinted,
)
from polytui.engine.sim.exchange.terms import MarketTerms, Resolution
from polytui.engine.sim.venue_frames import Frame, FrameKind, MarketTape, rest_book

YES, NO = "71321", "52114"
MARKET = "0xbd31"
TERMS = MarketTerms(condition=MARKET, tokens=(YES, NO), question='Will "X"?', slug="x")


def changed(at_ms: int, *levels: tuple[bool, int, int], token: str = "") -> BookChanged:
    bids = [px for is_bid, px, qty in levels if is_bid and qty]
    asks = [px for is_bid, px, qty in levels if not is_bid and qty]
    return BookChanged(
        at_ns=at_ms * MS,
        condition=MARKET,
        levels=levels,
        bid_u6=max(bids, default=0),
        ask_u6=min(asks, default=U),
        token=token,
    )


def tape(*emissions: Emission) -> MarketTape:
    made = MarketTape(Rng(1))
    made.take([MarketListed(at_ns=0, terms=TERMS)])
    made.flush(1)
    made.take(emissions)
    return made


def told(frame: Frame) -> dict[str, Any]:
    value: dict[str, Any] = json.loads(frame.data)
    return value


def test_a_group_waits_until_its_millisecond_is_over() -> None:
    made = tape(changed(5, (True, 480_000, 10 * U)))
    assert made.flush(5) == []
    kinds = [frame.kind for frame in made.flush(6)]
    assert kinds == [FrameKind.PRICE_CHANGE, FrameKind.TOP, FrameKind.TOP]


def test_frames_of_one_millisecond_carry_the_digest_of_its_end() -> None:
    made = tape(
        changed(5, (True, 480_000, 10 * U)),
        changed(5, (True, 470_000, 20 * U)),
        changed(6, (True, 470_000, 0)),
    )
    first, second, *_ = [f for f in made.flush(9) if f.kind is FrameKind.PRICE_CHANGE]
    hashes = [[e["hash"] for e in told(frame)["price_changes"]] for frame in (first, second)]
    assert hashes[0] == hashes[1]
    alone = tape(changed(5, (True, 480_000, 10 * U), (True, 470_000, 20 * U)))
    alone.flush(9)
    assert hashes[0] == [alone.books[MARKET].digest(ix) for ix in (0, 1)]


def test_both_tokens_are_told_as_mirrors_the_one_acted_on_first() -> None:
    (frame, *_) = tape(changed(5, (False, 520_000, 7 * U), token=NO)).flush(9)
    no, yes = told(frame)["price_changes"]
    assert (no["asset_id"], no["side"], no["price"], no["size"]) == (NO, "BUY", "0.48", "7")
    assert (yes["asset_id"], yes["side"], yes["price"], yes["size"]) == (YES, "SELL", "0.52", "7")
    assert (yes["best_bid"], yes["best_ask"]) == ("0", "0.52")
    assert (no["best_bid"], no["best_ask"]) == ("0.48", "1")


def test_a_torn_frame_keeps_one_side_with_its_digest() -> None:
    (frame, *_) = tape(changed(5, (True, 480_000, 10 * U), (True, 470_000, 5 * U))).flush(9)
    whole, half = told(frame), told(frame.only(NO))
    kept = [entry for entry in whole["price_changes"] if entry["asset_id"] == NO]
    assert half["price_changes"] == kept
    assert half["timestamp"] == whole["timestamp"]


def test_a_trade_brings_its_print_and_both_whole_books() -> None:
    trade = TradePrinted(
        at_ns=5 * MS,
        condition=MARKET,
        trade_id="t1",
        token=NO,
        side=Side.BUY,
        px_u6=520_000,
        qty_u6=3 * U,
    )
    made = tape(changed(4, (True, 480_000, 10 * U)), changed(5, (True, 480_000, 7 * U)), trade)
    frames = [frame for frame in made.flush(9) if frame.at_ms == 5]
    assert {frame.kind for frame in frames} == {
        FrameKind.PRICE_CHANGE,
        FrameKind.LAST_TRADE,
        FrameKind.BOOK,
    }
    printed = next(told(frame) for frame in frames if frame.kind is FrameKind.LAST_TRADE)
    assert (printed["asset_id"], printed["price"], printed["side"]) == (NO, "0.52", "BUY")
    assert made.books[MARKET].last_trade_text == "0.520"
    books = [frame for frame in frames if frame.kind is FrameKind.BOOK]
    assert [frame.token for frame in books] == [YES, NO]
    assert "tick_size" not in told(books[0])


def test_a_tick_change_is_told_for_both_tokens_and_enters_the_digest() -> None:
    made = tape(
        changed(4, (True, 960_000, 10 * U)),
        TickChanged(at_ns=5 * MS, condition=MARKET, old_tick_u6=10_000, new_tick_u6=1_000),
    )
    before = tape(changed(4, (True, 960_000, 10 * U)))
    before.flush(9)
    ticks = [told(frame) for frame in made.flush(9) if frame.kind is FrameKind.TICK]
    assert [tick["asset_id"] for tick in ticks] == [YES, NO]
    assert {tick["new_tick_size"] for tick in ticks} == {"0.001"}
    assert made.books[MARKET].digest(0) != before.books[MARKET].digest(0)


def test_a_listing_and_a_resolution_are_broadcast_as_valid_json() -> None:
    made = MarketTape(Rng(1))
    made.take([MarketListed(at_ns=2 * MS, terms=TERMS), changed(3, (True, 480_000, U))])
    resolved = MarketResolved(
        at_ns=3 * MS,
        condition=MARKET,
        resolution=Resolution.YES,
        winning_token=YES,
        winning_outcome="Yes",
    )
    made.take([resolved])
    frames = made.flush(4)
    listed, *_, last = frames
    assert told(listed)["question"] == 'Will "X"?'
    assert (listed.kind, last.kind) == (FrameKind.NEW_MARKET, FrameKind.RESOLVED)
    assert told(last)["winning_asset_id"] == YES
    assert MARKET not in made.books


def test_an_initial_book_and_rest_agree_with_the_stream() -> None:
    made = tape(changed(5, (True, 480_000, 10 * U), (False, 520_000, 4 * U)))
    (change, *_) = made.flush(9)
    claimed = {e["asset_id"]: e["hash"] for e in told(change)["price_changes"]}
    text = made.initial_books([YES, NO, "unknown"])
    assert text.endswith(b"}]\n")
    initial = {book["asset_id"]: book for book in json.loads(text)}
    assert {token: book["hash"] for token, book in initial.items()} == claimed
    assert initial[YES]["bids"] == [{"price": "0.48", "size": "10"}]
    assert initial[NO]["asks"] == [{"price": "0.52", "size": "10"}]
    rest = json.loads(rest_book(made.books[MARKET], 0))
    assert rest["hash"] == claimed[YES]
    assert rest["min_order_size"] == "5"


@pytest.mark.parametrize("token", [YES, NO])
def test_a_frame_says_whether_it_moved_the_best_prices(token: str) -> None:
    made = tape(
        changed(4, (True, 480_000, 10 * U)),
        BookChanged(
            at_ns=5 * MS,
            condition=MARKET,
            levels=((True, 460_000, U),),
            bid_u6=480_000,
            ask_u6=U,
            token=token,
        ),
    )
    moved = [f.moved_top for f in made.flush(9) if f.kind is FrameKind.PRICE_CHANGE]
    assert moved == [True, False]
