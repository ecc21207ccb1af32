"""The View says what the engine holds, and moves its revision only when something moved."""

import msgspec
import pytest

from polytui.engine.core.enums import (
    BookState,
    Feed,
    Incident,
    ModuleStatus,
    Proof,
    Reason,
    Verdict,
)
from polytui.engine.core.events import Directive
from polytui.engine.core.view import (
    DECISIONS,
    MARKETS,
    MODULES,
    STATUS,
    AnySection,
    BookView,
    DecisionsView,
    MarketsView,
    ModulesView,
    Percentiles,
    ShellView,
    StatusView,
    book_topic,
)
from polytui.engine.project import Projector
from tests.support.floor import MARKET, NO, YES, Floor, small_book

SHELL = ShellView(
    loop_lag=Percentiles(), decision=Percentiles(), inbox=0, dropped=0, capture_bytes=1,
    capture_lost=0, clients=1, wall_ns=0, pid=1, rss_bytes=1,
)  # fmt: skip


def projector(floor: Floor) -> Projector:
    return Projector(floor.engine, venue="test")


def section(floor: Floor, topic: str, at: Projector | None = None) -> AnySection:
    made = (at or projector(floor)).section(topic, now_ns=floor.now_ns, shell=SHELL)
    assert made is not None
    return made


def live() -> Floor:
    floor, book = Floor(), small_book()
    floor.frame(book.frame(1000))
    floor.frame(book.change(1001, [("BUY", "0.50", "7")]))
    trade = {"event_type": "last_trade_price", "market": MARKET, "asset_id": NO, "price": "0.49",
             "size": "3", "side": "BUY", "timestamp": "1001"}  # fmt: skip
    floor.frame(trade)
    return floor


TOPICS = (STATUS, MARKETS, DECISIONS, MODULES, book_topic(MARKET))


@pytest.mark.parametrize("topic", TOPICS)
def test_every_section_survives_the_wire(topic: str) -> None:
    for floor in (Floor(listed=topic.startswith("book")), live()):
        made = section(floor, topic)
        assert msgspec.json.decode(msgspec.json.encode(made), type=AnySection) == made


@pytest.mark.parametrize("topic", TOPICS)
def test_the_revision_moves_only_with_the_content(topic: str) -> None:
    floor, book = live(), small_book()
    at = projector(floor)
    first = section(floor, topic, at)
    assert section(floor, topic, at).rev == first.rev
    floor.frame(book.frame(1002))
    assert section(floor, topic, at).rev == first.rev + 1


def test_unknown_topics_do_not_exist() -> None:
    floor = live()
    for topic in ("weather", "book:0xnone", ""):
        assert projector(floor).section(topic, now_ns=0, shell=SHELL) is None


def test_the_market_row_states_the_book_and_the_last_decision() -> None:
    floor = live()
    made = section(floor, MARKETS)
    assert isinstance(made, MarketsView)
    (row,) = made.rows
    assert row.last_trade_u6 == 510_000, "No traded at .49: that is .51 for Yes"
    assert (row.state, row.proof, row.reason) == (BookState.SYNCED, Proof.DIGEST, Reason.OK)
    assert (row.bid_u6, row.ask_u6, row.bid_qty_u6) == (500_000, 510_000, 7_000_000)
    assert row.imbalance == pytest.approx(7 / 47)
    assert (row.verdict, row.decision_reason) == (Verdict.HOLD, Reason.EDGE_BELOW_BUFFER)
    assert row.margin_u6 is not None
    assert row.margin_u6 < 0
    assert row.digest_ok + row.digest_recovered == 3


def test_an_empty_market_has_no_invented_numbers() -> None:
    made = section(Floor(), MARKETS)
    assert isinstance(made, MarketsView)
    (row,) = made.rows
    assert (row.bid_u6, row.ask_u6, row.imbalance, row.last_ns) == (-1, -1, None, None)
    assert (row.state, row.reason) == (BookState.EMPTY, Reason.NO_SNAPSHOT)
    assert (row.verdict, row.margin_u6, row.last_trade_u6) == (None, None, -1)


def test_silence_shows_as_stale_with_its_reason() -> None:
    floor = live()
    floor.wait(20_000)
    made = section(floor, MARKETS)
    assert isinstance(made, MarketsView)
    assert made.rows[0].stale
    assert made.rows[0].reason is Reason.STALE_BOOK


def test_both_token_views_mirror_each_other_with_cumulated_sizes() -> None:
    made = section(live(), book_topic(MARKET))
    assert isinstance(made, BookView)
    assert (made.yes.token, made.no.token) == (YES, NO)
    assert [(lv.px_u6, lv.qty_u6) for lv in made.no.asks] == [
        (1_000_000 - lv.px_u6, lv.qty_u6) for lv in made.yes.bids
    ]
    assert [lv.cum_u6 for lv in made.yes.bids][:2] == [7_000_000, 37_000_000]
    assert [(trade.outcome, trade.px_u6) for trade in made.trades] == [("No", 490_000)]
    assert made.digest_streak == 3
    assert not made.digest_gating


def test_decisions_are_folded_and_incidents_listed_with_counts() -> None:
    floor, book = live(), small_book()
    floor.frame(b"{broken")
    floor.frame(book.change(1002, [("BUY", "0.48", "1")]))
    made = section(floor, DECISIONS)
    assert isinstance(made, DecisionsView)
    assert {fold.row.reason for fold in made.folds} >= {Reason.EDGE_BELOW_BUFFER, Reason.WIRE_FAULT}
    assert made.folds[0].title == "Will it hold?"
    assert Incident.WIRE_FAULT in {row.incident for row in made.incidents}
    assert made.recent[0].row.timestamp >= made.recent[-1].row.timestamp


def test_modules_are_judged_by_the_age_of_their_evidence() -> None:
    floor = Floor()

    def status(module: str) -> ModuleStatus:
        made = section(floor, MODULES)
        assert isinstance(made, ModulesView)
        return next(row.status for row in made.rows if row.module == module)

    assert status("feed.polymarket") is ModuleStatus.OFFLINE
    floor.frame(small_book().frame(1000))
    names = ("feed.polymarket", "market.books", "market.quality", "strategy.box")
    assert {status(name) for name in names} == {ModuleStatus.ONLINE}
    floor.wait(6_000)
    assert status("feed.polymarket") is ModuleStatus.DEGRADED
    floor.wait(30_000)
    assert status("feed.polymarket") is ModuleStatus.OFFLINE


def test_a_paused_strategy_is_degraded_and_says_why() -> None:
    floor = live()
    floor.feed(Directive(id="1", action="strategy.pause", args=("box",)))
    made = section(floor, MODULES)
    assert isinstance(made, ModulesView)
    row = next(row for row in made.rows if row.module == "strategy.box")
    assert (row.status, row.reason) == (ModuleStatus.DEGRADED, Reason.PAUSED)


def test_the_status_counts_what_the_engine_holds() -> None:
    made = section(live(), STATUS)
    assert isinstance(made, StatusView)
    assert (made.markets, made.synced, made.suspect, made.intents) == (1, 1, 0, 0)
    assert made.feeds[0].feed is Feed.POLYMARKET
    assert made.decisions == 2
    assert made.venue == "test"
