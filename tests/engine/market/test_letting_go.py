"""Markets that are over are let go: a run lives for weeks, and a series lists a dozen an hour."""

from collections.abc import Callable

import pytest
from msgspec.structs import replace

from polytui.engine.core.commands import Unfollow
from polytui.engine.core.events import MarketListed, MarketResolved
from polytui.engine.core.ids import ConnId, MarketIx
from polytui.engine.core.view import MARKETS, MarketsView, book_topic
from polytui.engine.market.catalog import MARKETS_MAX
from polytui.engine.project import Projector
from tests.engine.test_project import SHELL
from tests.support.floor import MARKET, MS, NO, START_NS, YES, Floor, small_book, spec

MINUTE = 60_000
"""In milliseconds."""
OTHER = "0x" + "cd" * 32
OPEN = spec(end_ns=START_NS + 5 * MINUTE * MS)


def resolved(market: str = MARKET) -> MarketResolved:
    return MarketResolved(
        conn=ConnId(0), market=market, winning_token=YES, winning_outcome="Yes", venue_ms=0
    )


def let_go(floor: Floor) -> list[str]:
    return [command.market for command in floor.commands if isinstance(command, Unfollow)]


def resolve(floor: Floor) -> None:
    floor.feed(resolved())


def close(floor: Floor) -> None:
    floor.feed(MarketListed(spec=replace(OPEN, accepting=False)))


def say_nothing(floor: Floor) -> None:
    floor.wait(60 * MINUTE)


@pytest.mark.parametrize("end", [resolve, close, say_nothing])
def test_a_market_that_is_over_is_shown_for_ten_minutes_and_then_let_go(
    end: Callable[[Floor], None],
) -> None:
    floor = Floor(None, OPEN)
    floor.frame(small_book().frame(1_000))
    floor.wait(6 * MINUTE)
    assert let_go(floor) == []
    end(floor)
    floor.wait(1_000)
    floor.wait(9 * MINUTE)
    assert floor.engine.desk.catalog.find(MARKET) is not None
    floor.wait(1 * MINUTE)
    assert let_go(floor) == [MARKET]
    assert floor.engine.desk.catalog.find(MARKET) is None
    floor.wait(60 * MINUTE)
    assert let_go(floor) == [MARKET], "once"


def test_a_market_past_its_stated_end_that_still_trades_stays() -> None:
    floor, book = Floor(None, OPEN), small_book()
    floor.frame(book.frame(1_000))
    for minute in range(90):
        floor.frame(book.change(1_001 + minute, [("BUY", "0.48", str(minute + 1))]))
        floor.wait(1 * MINUTE)
    assert let_go(floor) == []


def test_a_market_that_opens_again_begins_its_ten_minutes_anew() -> None:
    floor = Floor(None, OPEN)
    floor.wait(6 * MINUTE)
    close(floor)
    floor.wait(1_000)
    floor.wait(9 * MINUTE)
    floor.feed(MarketListed(spec=OPEN))
    floor.wait(5 * MINUTE)
    close(floor)
    floor.wait(1_000)
    floor.wait(9 * MINUTE)
    assert let_go(floor) == []
    floor.wait(1 * MINUTE)
    assert let_go(floor) == [MARKET]


def test_what_was_counted_stays_counted_and_nothing_else_is_kept() -> None:
    floor, book = Floor(None, OPEN), small_book()
    floor.frame(book.frame(1_000))
    floor.frame(book.change(1_001, [("BUY", "0.48", "1")]))
    engine, desk = floor.engine, floor.engine.desk
    before, decided = desk.totals(), engine.record.of("box")
    assert before.ok
    assert before.deltas == 1
    assert decided[0]
    assert engine.histories
    resolve(floor)
    floor.wait(1_000)
    judged = engine.record.of("box")
    floor.wait(10 * MINUTE)
    assert let_go(floor) == [MARKET]
    assert (desk.totals(), engine.record.of("box")) == (before, judged)
    assert not desk.markets
    assert not engine.histories
    assert not engine.record.folds
    assert not engine.record.latest
    assert desk.next_due_ns() is None
    view = Projector(engine, venue="practice")
    assert view.section(book_topic(MARKET), now_ns=floor.now_ns, shell=SHELL) is None
    markets = view.section(MARKETS, now_ns=floor.now_ns, shell=SHELL)
    assert isinstance(markets, MarketsView)
    assert not markets.rows


def test_books_that_come_late_are_an_incident_and_a_new_listing_begins_anew() -> None:
    floor, book = Floor(None, OPEN), small_book()
    floor.frame(book.frame(1_000))
    resolve(floor)
    floor.wait(1_000)
    floor.wait(10 * MINUTE)
    floor.frame(book.frame(1_002))
    assert floor.engine.desk.unknown == 1
    floor.feed(resolved())
    floor.feed(MarketListed(spec=OPEN))
    floor.frame(book.frame(1_003))
    ix = floor.engine.desk.catalog.find(MARKET)
    assert ix == MarketIx(1), "no index is given twice"
    assert not floor.engine.desk.markets[ix].resolved


def test_the_catalog_has_room_for_as_many_at_one_time_and_for_more_over_time() -> None:
    catalog = Floor(listed=False).engine.desk.catalog
    for number in range(MARKETS_MAX + 5):
        one = spec(market=f"0x{number:064x}", tokens=(f"{number}1", f"{number}2"))
        ix = catalog.enter(one)
        assert ix == MarketIx(number)
        catalog.forget(ix)
    assert (catalog.refused, catalog.entered) == (0, MARKETS_MAX + 5)
    assert catalog.find_token("01") is None


def test_told_twice_how_it_came_out_is_told_once() -> None:
    floor = Floor(None, OPEN, spec(market=OTHER, tokens=(YES[1:], NO[1:])))
    resolve(floor)
    seen = floor.engine.desk.messages
    resolve(floor)
    assert floor.engine.desk.messages == seen
