import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from polytui.engine.core.events import BookDelta, BookFrame
from polytui.engine.core.ids import ConnId
from polytui.engine.market.book import Book
from polytui.engine.market.digest import likely_prices
from polytui.engine.wire import polymarket
from tests.support.floor import MARKET, NO, YES, PlainBook, small_book, spec

CONN = ConnId(1)


def recorded(shared_data: Path, name: str) -> list[Any]:
    lines = (shared_data / "messages" / "polymarket-market.jsonl").read_text().splitlines()
    record = next(r for r in map(json.loads, lines) if r["id"] == name)
    return list(polymarket.decode(CONN, record["text"].encode()))


def apply(book: Book, delta: BookDelta) -> list[bool | None]:
    book.apply(delta.changes)
    return [book.verify(token, delta.venue_ms, digest) for token, digest, _, _ in delta.claims]


def test_the_recorded_session_verifies_frame_by_frame(shared_data: Path) -> None:
    """Vectors of `market-ws-integrity.md` §7: all verify but number 08, whose group is open."""
    first, second = recorded(shared_data, "book-initial-array-202609")
    book = Book(spec(first.market, tokens=(first.token, second.token)), "0.01")
    book.set_last_trade("0.850")
    for frame in (first, second):
        book.replace(frame)
        assert book.verify(frame.token, frame.venue_ms, frame.digest) is True
    for n in range(1, 10):
        (delta,) = recorded(shared_data, f"price_change-0{n}-202609")
        results = apply(book, delta)
        assert results == [n != 8] * len(delta.claims), n


@pytest.mark.parametrize(
    ("name", "last_trade", "digest"),
    [
        ("book-initial-array-202609", "0.850", "db0ae2c506077851a9e320258152d3145dba5e35"),
        ("book-initial-protocol-v2-202610", "", "fc3846cab0c35a0977b6e5f605a4e5ff0d0b2277"),
    ],
)
def test_published_digests_are_reproduced(
    shared_data: Path, name: str, last_trade: str, digest: str
) -> None:
    frame: BookFrame = recorded(shared_data, name)[0]
    protocol = frame.protocol or "v1"
    book = Book(spec(frame.market, tokens=(frame.token, "9"), protocol=protocol), frame.tick_text)
    book.set_last_trade(last_trade)
    book.replace(frame)
    assert book.verify(frame.token, frame.venue_ms, digest) is True


def test_the_rest_example_of_the_venue_page_verifies() -> None:
    """`venue/polymarket.md` §4.1, measured vector 07b09ab9… ."""
    market = "0xbd31dc8a20211944f6b70f31557f1001557b59905b7738480ca09bd4532f84af"
    token = "71321045679252212594626385532706912750332728571942532289631379312455583992563"
    frame = {
        "market": market, "asset_id": token, "timestamp": "1790000000123",
        "hash": "07b09ab92acf5147eb09e092f547ed56a3b90c49",
        "bids": [{"price": "0.51", "size": "30"}, {"price": "0.52", "size": "15"}],
        "asks": [{"price": "0.55", "size": "60"}, {"price": "0.54", "size": "25"}],
        "min_order_size": "5", "tick_size": "0.01", "neg_risk": False, "last_trade_price": "0.53",
    }  # fmt: skip
    (event,) = polymarket.decode_witness(CONN, json.dumps(frame).encode())
    assert isinstance(event, BookFrame)
    book = Book(spec(market, tokens=(token, "9")), "0.01")
    book.set_last_trade("0.53")
    book.replace(event)
    assert book.verify(token, event.venue_ms, event.digest) is True


CENTS = st.integers(1, 49)
SIZES = st.sampled_from(["5", "12.5", "100", "0.01", "11343.93"])


@given(st.dictionaries(CENTS, SIZES), st.dictionaries(CENTS, SIZES), st.integers(0, 1000))
def test_both_tokens_digests_agree_with_the_long_way(
    bids: dict[int, str], asks: dict[int, str], last: int
) -> None:
    plain = PlainBook(
        {f"0.{c:02d}".rstrip("0"): size for c, size in bids.items()},
        {f"0.{c + 50:02d}".rstrip("0"): size for c, size in asks.items()},
        last_trade=f"{last // 1000}.{last % 1000:03d}",
    )
    book = Book(spec(), "0.01")
    (frame,) = polymarket.decode(CONN, json.dumps(plain.frame(9)).encode())
    assert isinstance(frame, BookFrame)
    book.replace(frame)
    assert book.search(YES, 9, plain.digest(9, is_yes=True)) is not False
    assert book.verify(NO, 9, plain.digest(9, is_yes=False)) is True
    assert book.search(NO, 10, plain.digest(9, is_yes=False)) is False


def test_the_search_tries_every_price_once_and_the_touch_first() -> None:
    prices = list(likely_prices(480_000, 510_000))
    assert len(prices) == len(set(prices)) == 1002
    assert set(prices[1:5]) == {"0.480", "0.490", "0.510", "0.520"}


def test_a_found_last_trade_is_remembered_for_the_next_digest() -> None:
    plain = small_book(last_trade="0.123")
    book = Book(spec(), "0.01")
    (frame,) = polymarket.decode(CONN, json.dumps(plain.frame(9)).encode())
    assert isinstance(frame, BookFrame)
    book.replace(frame)
    digest = plain.digest(9, is_yes=True)
    assert book.verify(YES, 9, digest) is False
    assert book.search(YES, 9, digest) is None
    assert book.verify(YES, 9, digest) is True
    plain.last_trade = "0.500"
    assert book.search(YES, 9, plain.digest(9, is_yes=True)) is None
    assert book.verify(YES, 9, digest) is None, "an earlier price is among the first tried"
    assert book.spec.market == MARKET
