"""A market from frames: quality, groups, order, silence, witnesses."""

import json

import pytest

from polytui.engine.core.commands import ReadWitness, Resync
from polytui.engine.core.enums import BookState, Feed, Incident, Proof, Reason, Verdict
from polytui.engine.core.events import (
    BookFrame,
    BookWitness,
    ConnClosed,
    ConnOpened,
    MarketListed,
    Subscribed,
)
from polytui.engine.core.ids import ConnId
from polytui.engine.core.runconfig import BookConfig, RunConfig
from polytui.engine.wire import polymarket
from tests.support.floor import (
    CONN,
    MARKET,
    MS,
    NO,
    START_NS,
    YES,
    Floor,
    PlainBook,
    small_book,
    spec,
)


def synced(config: RunConfig | None = None) -> tuple[Floor, PlainBook]:
    floor, book = Floor(config), small_book()
    floor.frame(book.frame(1000))
    assert blocked(floor) is None
    return floor, book


def blocked(floor: Floor) -> Reason | None:
    return floor.engine.desk.blocked(floor.tracked, floor.now_ns)


def incidents(floor: Floor, kind: Incident) -> int:
    return floor.engine.desk.incidents.count(kind, MARKET)


def gating() -> RunConfig:
    return RunConfig(book=BookConfig(digest_gate_after=1))


def test_a_market_is_empty_until_its_first_snapshot() -> None:
    floor, book = Floor(), small_book()
    floor.frame(book.change(900, [("BUY", "0.49", "31")]))
    assert blocked(floor) is Reason.NO_SNAPSHOT
    assert floor.tracked.book.yes.px == []
    floor.frame(book.frame(1000))
    assert blocked(floor) is None
    assert floor.tracked.quality.proof is Proof.DIGEST


def test_changes_for_both_tokens_are_one_book() -> None:
    floor, book = synced()
    floor.frame(book.change(1001, [("BUY", "0.50", "7"), ("SELL", "0.51", "0")]))
    touch = floor.tracked.book.touch_u6
    assert touch(YES) == (500_000, 520_000)
    assert touch(NO) == (480_000, 500_000)
    assert floor.tracked.quality.ok + floor.tracked.quality.recovered == 3


def test_a_lost_frame_is_noticed_before_any_strategy_sees_the_market() -> None:
    floor, book = synced()
    book.change(1001, [("BUY", "0.48", "1")])
    floor.frame(book.change(1002, [("SELL", "0.53", "9")]))
    assert blocked(floor) is Reason.GROUP_OPEN
    floor.wait(60)
    assert blocked(floor) is Reason.DIGEST_MISMATCH
    assert floor.tracked.quality.state is BookState.SUSPECT
    assert incidents(floor, Incident.DIGEST_MISMATCH) == 2


def test_a_later_equal_digest_heals_a_suspect_book() -> None:
    floor, book = synced()
    book.change(1001, [("BUY", "0.48", "1")])
    floor.frame(book.change(1002, [("SELL", "0.53", "9")]))
    floor.wait(60)
    floor.frame(book.change(1003, [("BUY", "0.48", "2")]))
    assert blocked(floor) is None


def test_a_group_over_several_frames_is_proven_by_its_last() -> None:
    floor, book = synced()
    first, second = [("BUY", "0.48", "1")], [("BUY", "0.47", "2")]
    one = book.change(1001, first)
    two = book.change(1001, second)
    for a, b in zip(one["price_changes"], two["price_changes"], strict=True):  # type: ignore[call-overload]  # a frame is plain JSON
        a["hash"] = b["hash"]
    floor.frame(one)
    assert blocked(floor) is Reason.GROUP_OPEN
    floor.frame(two)
    assert blocked(floor) is None
    assert floor.tracked.quality.bad == 0
    assert floor.tracked.superseded == 2


def test_an_unseen_trade_is_recovered_from_the_digest() -> None:
    floor, book = synced()
    book.last_trade = "0.510"
    floor.frame(book.change(1001, [("SELL", "0.51", "20")]))
    floor.wait(60)
    assert blocked(floor) is None
    assert floor.tracked.quality.recovered >= 1
    assert floor.tracked.book.last_trade == "0.510"


def resyncs(floor: Floor) -> list[Reason]:
    asked = [command for command in floor.commands if isinstance(command, Resync)]
    assert all((c.market, c.conn, c.tokens) == (MARKET, CONN, (YES, NO)) for c in asked)
    return [command.reason for command in asked]


def lose_a_frame(floor: Floor, book: PlainBook, venue_ms: int) -> None:
    book.change(venue_ms, [("BUY", "0.48", str(venue_ms))])
    floor.frame(book.change(venue_ms + 1, [("SELL", "0.53", str(venue_ms))]))
    floor.wait(60)
    assert blocked(floor) is Reason.DIGEST_MISMATCH


def test_a_book_that_stays_suspect_is_asked_for_anew_and_not_too_often() -> None:
    floor, book = synced(gating())
    lose_a_frame(floor, book, 1001)
    floor.wait(400)
    assert resyncs(floor) == [], "its next digest may prove it yet"
    floor.wait(200)
    assert resyncs(floor) == [Reason.DIGEST_MISMATCH]
    for _ in range(9):
        floor.wait(1_000)
    assert len(resyncs(floor)) == 1
    floor.wait(1_500)
    assert len(resyncs(floor)) == 2, "nothing came: ask again"


def test_a_book_that_heals_is_not_asked_for() -> None:
    floor, book = synced(gating())
    lose_a_frame(floor, book, 1001)
    floor.frame(book.frame(1003))
    floor.wait(20_000)
    assert resyncs(floor) == []


def test_while_digests_are_only_observed_healing_gets_more_time() -> None:
    floor, book = synced()
    lose_a_frame(floor, book, 1001)
    floor.wait(4_000)
    assert resyncs(floor) == []
    floor.wait(1_500)
    assert resyncs(floor) == [Reason.DIGEST_MISMATCH]


def test_a_subscription_without_a_snapshot_is_repeated() -> None:
    floor = Floor()
    floor.feed(Subscribed(conn=CONN, feed=Feed.POLYMARKET, topics=(YES, NO)))
    floor.wait(4_900)
    assert resyncs(floor) == []
    assert floor.engine.next_due_ns() == START_NS + 5_000 * MS
    floor.wait(200)
    assert resyncs(floor) == [Reason.NO_SNAPSHOT]


def test_top_of_book_that_differs_is_noticed_at_once() -> None:
    floor, book = synced()
    frame = book.change(1001, [("BUY", "0.48", "1")])
    for entry in frame["price_changes"]:  # type: ignore[attr-defined]  # a frame is plain JSON
        entry["best_bid"] = "0.4"
        entry["hash"] = ""
    floor.frame(frame)
    assert blocked(floor) is Reason.TOP_MISMATCH
    assert incidents(floor, Incident.TOP_MISMATCH) == 2


def test_a_best_price_claim_is_given_the_groups_time_to_come_true() -> None:
    floor, _ = synced()
    claim = {"event_type": "best_bid_ask", "market": MARKET, "asset_id": YES}
    floor.frame({**claim, "best_bid": "0.49", "best_ask": "0.51", "timestamp": "1000"})
    assert blocked(floor) is None
    floor.frame({**claim, "best_bid": "0.45", "best_ask": "0.51", "timestamp": "1005"})
    assert blocked(floor) is None
    floor.wait(60)
    assert blocked(floor) is Reason.TOP_MISMATCH


def test_a_crossed_book_is_a_box_below_par_and_never_an_opportunity() -> None:
    floor, book = synced()
    floor.frame(book.change(1001, [("BUY", "0.52", "9")]))
    assert blocked(floor) is Reason.CROSSED
    assert incidents(floor, Incident.BOX_BELOW_PAR) == 1
    floor.wait(300)
    assert floor.tracked.quality.state is BookState.SUSPECT
    assert incidents(floor, Incident.CROSSED) == 1
    decisions = floor.engine.record.by_verdict
    assert decisions[Verdict.INTENT] == 0


def test_an_older_full_book_is_ignored_and_counted() -> None:
    floor, book = synced()
    old = book.frame(900)
    floor.frame(book.change(1001, [("BUY", "0.50", "7")]))
    before = list(floor.tracked.book.yes.px)
    floor.frame(old)
    assert floor.tracked.book.yes.px == before
    assert incidents(floor, Incident.OUT_OF_ORDER) == 1
    assert blocked(floor) is None


def test_swapped_frames_are_suspect_until_proven_and_end_up_right() -> None:
    floor, book = synced()
    one = book.change(1001, [("BUY", "0.48", "1")])
    two = book.change(1002, [("SELL", "0.53", "9")])
    floor.frame(two)
    assert blocked(floor) is Reason.GROUP_OPEN
    floor.frame(one)
    assert blocked(floor) is not None
    floor.frame(book.change(1003, [("BUY", "0.47", "3")]))
    assert blocked(floor) is None


@pytest.mark.parametrize("times", [1, 2, 5])
def test_repeated_frames_change_nothing(times: int) -> None:
    floor, book = synced()
    frame = book.change(1001, [("BUY", "0.48", "1")])
    floor.frame(*[frame] * (times + 1))
    assert blocked(floor) is None
    assert floor.tracked.quality.bad == 0


def test_a_closed_connection_empties_its_books_and_starts_a_new_epoch() -> None:
    floor, book = synced()
    floor.feed(ConnClosed(conn=CONN, feed=Feed.POLYMARKET, why="test"))
    assert blocked(floor) is Reason.CONNECTION_LOST
    assert (floor.tracked.quality.epoch, floor.tracked.book.yes.px) == (1, [])
    floor.feed(ConnOpened(conn=ConnId(2), feed=Feed.POLYMARKET, url="test"))
    floor.frame(book.change(1001, [("BUY", "0.48", "1")]))
    assert floor.tracked.book.yes.px == [], "changes of the old socket are not for the new book"
    data = json.dumps(book.frame(800)).encode()
    floor.feed(*polymarket.decode(ConnId(2), data))
    assert blocked(floor) is None, "an initial book may be older than what we had"
    floor.frame(book.change(1002, [("BUY", "0.48", "2")]))
    assert floor.tracked.deltas == 0, "the dead connection no longer speaks for this market"


def test_a_tick_change_is_suspect_until_a_digest_with_the_new_tick_is_equal() -> None:
    floor, book = synced()
    tick = {"event_type": "tick_size_change", "market": MARKET, "old_tick_size": "0.01"}
    for token in (YES, NO):
        floor.frame({**tick, "asset_id": token, "new_tick_size": "0.001", "timestamp": "1001"})
    assert blocked(floor) is Reason.TICK_CHANGED
    assert (floor.tracked.quality.epoch, floor.tracked.book.tick_u6) == (1, 1_000)
    book.tick = "0.001"
    floor.frame(book.change(1002, [("BUY", "0.495", "8")]))
    assert blocked(floor) is None


def test_silence_makes_a_market_stale_on_our_clock_and_the_connection_too() -> None:
    floor, book = synced()
    floor.wait(5_001)
    assert blocked(floor) is Reason.STALE_CONNECTION
    floor.wait(10_000)
    assert blocked(floor) is Reason.STALE_BOOK
    floor.frame(book.change(1001, [("BUY", "0.48", "1")]))
    assert blocked(floor) is None


def test_a_pong_does_not_prove_that_data_flows() -> None:
    floor, _ = synced()
    for _ in range(6):
        floor.frame(b"PONG", after_ms=1000)
    assert blocked(floor) is Reason.STALE_CONNECTION


@pytest.mark.parametrize("named", [True, False])
def test_refused_bytes_make_the_market_or_the_whole_connection_suspect(*, named: bool) -> None:
    floor, book = synced()
    bad = book.change(1001, [("BUY", "0.48", "1")])
    bad["timestamp"] = "NaN"
    floor.frame(bad if named else b"{torn")
    assert blocked(floor) is Reason.WIRE_FAULT
    floor.frame(book.frame(1002))
    assert blocked(floor) is None


def test_a_token_of_another_market_is_never_adopted() -> None:
    floor, book = synced()
    frame = book.change(1001, [("BUY", "0.48", "1")])
    for entry in frame["price_changes"]:  # type: ignore[attr-defined]  # a frame is plain JSON
        entry["asset_id"] = "3" * 77
    floor.frame(frame)
    assert blocked(floor) is Reason.WIRE_FAULT
    assert incidents(floor, Incident.UNKNOWN_MARKET) == 1


def test_a_second_token_unknown_at_first_is_learnt_from_the_market_itself() -> None:
    floor, book = Floor(None, spec(tokens=(YES, ""))), small_book()
    floor.frame(book.frame(1000))
    floor.frame(book.change(1001, [("BUY", "0.48", "1")]))
    assert floor.tracked.spec.tokens == (YES, NO)
    assert blocked(floor) is None
    assert floor.tracked.quality.bad == 0


def test_data_of_an_unlisted_market_is_an_incident() -> None:
    floor = Floor(listed=False)
    floor.frame(small_book().frame(1000))
    assert floor.engine.desk.incidents.count(Incident.UNKNOWN_MARKET) == 1


def test_a_resolved_market_is_never_shown_again() -> None:
    floor, book = synced()
    floor.frame(
        {"event_type": "market_resolved", "market": MARKET, "assets_ids": [YES, NO],
         "winning_asset_id": YES, "winning_outcome": "Yes", "timestamp": "1001", "id": "1"}
    )  # fmt: skip
    floor.frame(book.change(1002, [("BUY", "0.48", "1")]))
    assert blocked(floor) is Reason.RESOLVED


def witness(book: PlainBook, venue_ms: int) -> BookWitness:
    (frame,) = polymarket.decode(CONN, json.dumps(book.frame(venue_ms)).encode())
    assert isinstance(frame, BookFrame)
    return BookWitness(book=frame)


def test_a_rest_book_confirms_contradicts_or_proves_nothing() -> None:
    floor, book = synced()
    floor.feed(witness(book, 1000))
    assert (floor.tracked.witnessed, blocked(floor)) == (1, None)
    floor.feed(witness(PlainBook({"0.01": "5"}, {"0.99": "5"}), 990))
    assert blocked(floor) is None, "a ghost book of another moment proves nothing"
    other = small_book()
    other.bids["0.2"] = "1"
    floor.feed(witness(other, 1000))
    assert blocked(floor) is Reason.WITNESS_MISMATCH


def test_a_rest_book_is_asked_for_at_its_interval_and_not_of_a_resolved_market() -> None:
    floor, _ = synced(RunConfig(book=BookConfig(witness_ms=1_000)))

    def asked() -> list[tuple[str, str]]:
        return [(c.market, c.token) for c in floor.commands if isinstance(c, ReadWitness)]

    floor.wait(900)
    assert asked() == []
    for _ in range(3):
        floor.wait(1_000)
    assert asked() == [(MARKET, YES)] * 3
    floor.tracked.resolved = True
    floor.wait(5_000)
    assert len(asked()) == 3


def test_new_catalog_facts_reach_the_digest() -> None:
    floor, book = synced()
    floor.feed(MarketListed(spec=spec(min_order_text="15")))
    floor.frame(book.change(1001, [("BUY", "0.48", "1")]))
    assert blocked(floor) is Reason.GROUP_OPEN
    floor.feed(MarketListed(spec=spec(min_order_text="5")))
    floor.frame(book.change(1002, [("BUY", "0.48", "2")]))
    assert blocked(floor) is None


@pytest.mark.parametrize("check", ["both", "one", "off"])
def test_the_digest_check_may_be_relaxed_and_then_says_so(check: str) -> None:
    floor, book = Floor(RunConfig(book=BookConfig(digest_check=check))), small_book()
    floor.frame(book.frame(1000))
    floor.frame(book.change(1001, [("BUY", "0.48", "1")]))
    quality = floor.tracked.quality
    counted = quality.ok + quality.recovered
    assert (counted, quality.proof) == {
        "both": (3, Proof.DIGEST),
        "one": (2, Proof.DIGEST),
        "off": (0, Proof.TOP),
    }[check]
    assert blocked(floor) is None
