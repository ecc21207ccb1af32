"""The engine as a whole: places, routing, turns, directives, and the same log twice."""

import os
import subprocess
import sys

import pytest
from msgspec.structs import replace

from polytui.engine import machine
from polytui.engine.core.commands import RecordDecision, RecordTally
from polytui.engine.core.decision import Decision, Intent
from polytui.engine.core.enums import Feed, FeedState, Incident, Outcome, Reason, Side, Verdict
from polytui.engine.core.errors import EngineBug
from polytui.engine.core.events import (
    ConnClosed,
    ConnOpened,
    Directive,
    FeedUnavailable,
    Heard,
    MarketListed,
    RunStarted,
    Stamped,
    Turn,
    WireIgnored,
)
from polytui.engine.core.runconfig import BoxConfig, RunConfig
from polytui.engine.machine import DIRECTIVES_KEPT, Engine
from polytui.engine.market.snapshot import MarketSnapshot
from polytui.engine.strategy.api import Strategy
from tests.support.floor import CONN, MARKET, START_NS, Floor, PlainBook, small_book, spec

GOLDEN = "ce88b474e41f83b7f9ebf10352f4b2f7 e8ed7e91a55556d31c60fb476e0e0bb6"
"""Digest of the generated log below; it changes only when the engine's behaviour does."""


def test_a_log_starts_with_its_configuration() -> None:
    with pytest.raises(EngineBug, match="RunStarted"):
        Engine().step(Stamped(1, START_NS, Turn()))


@pytest.mark.parametrize(("seq", "at_ns"), [(4, START_NS), (2, START_NS), (3, START_NS - 1)])
def test_a_gap_or_a_step_back_in_time_is_our_bug(seq: int, at_ns: int) -> None:
    floor = Floor(listed=False)
    assert floor.engine.seq == 2
    if (seq, at_ns) == (3, START_NS - 1) or seq != 3:
        with pytest.raises(EngineBug, match="expected event 3"):
            floor.engine.step(Stamped(seq, at_ns, Turn()))
    assert floor.engine.seq == 2


def test_a_second_start_is_our_bug() -> None:
    with pytest.raises(EngineBug, match="second"):
        Floor().feed(RunStarted(run="x", version="0", config=RunConfig()))


def test_every_changed_market_gets_one_decision_a_turn() -> None:
    floor, book = Floor(), small_book()
    floor.frame(book.frame(1000))
    before = floor.engine.record.total
    floor.frame(*[book.change(1000 + n, [("BUY", "0.48", str(n))]) for n in range(1, 6)])
    assert floor.engine.record.total == before + 1
    floor.wait(10)
    assert floor.engine.record.total == before + 1, "nothing changed, nothing decided"


def test_a_decision_is_attributed_to_the_seq_that_caused_its_snapshot() -> None:
    floor = Floor()
    (command,) = floor.frame(small_book().frame(1000))
    assert isinstance(command, RecordDecision)
    assert command.decision.snapshot == command.cause == floor.engine.seq
    assert command.decision.at_ns == floor.now_ns


def test_only_news_enters_the_log_but_everything_enters_the_digest() -> None:
    floor, book = Floor(), small_book()
    assert len(floor.frame(book.frame(1000))) == 1
    digest = floor.engine.record.digest()
    assert floor.frame(book.change(1001, [("BUY", "0.48", "1")])) == []
    assert floor.engine.record.digest() != digest


def test_a_tally_of_all_decisions_enters_the_log_every_thousand() -> None:
    floor, book = Floor(), small_book()
    floor.frame(book.frame(1000))
    for n in range(machine.TALLY_EVERY - 2):
        assert floor.frame(book.change(1001 + n, [("BUY", "0.48", str(n % 90 + 1))])) == []
    (tally,) = floor.frame(book.change(5001, [("BUY", "0.48", "1")]))
    assert tally == RecordTally(
        cause=floor.engine.seq, total=machine.TALLY_EVERY, digest=floor.engine.record.digest()
    )


def test_a_market_that_may_not_be_seen_is_recorded_with_the_reason() -> None:
    floor, book = Floor(), small_book()
    floor.frame(book.frame(1000))
    floor.feed(ConnClosed(conn=CONN, feed=Feed.POLYMARKET, why="test"))
    (command,) = floor.wait(1)
    assert isinstance(command, RecordDecision)
    assert (command.decision.verdict, command.decision.reason) == (
        Verdict.BLOCKED,
        Reason.CONNECTION_LOST,
    )


def test_pause_and_resume_act_once_per_directive() -> None:
    floor, book = Floor(), small_book()
    floor.frame(book.frame(1000))
    pause = Directive(id="d1", action="strategy.pause", args=("box",))
    resume = Directive(id="d2", action="strategy.resume", args=("box",))
    floor.feed(pause, resume, pause)
    assert not floor.engine.paused, "the second delivery of d1 changes nothing"
    floor.feed(Directive(id="d3", action="strategy.pause_all"))
    (command,) = floor.frame(book.change(1001, [("BUY", "0.48", "1")]))
    assert isinstance(command, RecordDecision)
    assert command.decision.reason is Reason.PAUSED


def test_remembered_directives_are_bounded() -> None:
    floor = Floor()
    for n in range(DIRECTIVES_KEPT + 50):
        floor.feed(Directive(id=str(n), action="strategy.pause_all"))
    assert len(floor.engine.directives) == DIRECTIVES_KEPT


def test_events_of_other_feeds_never_touch_the_venue_desk() -> None:
    floor = Floor()
    before = floor.engine.desk.ignored
    floor.feed(
        WireIgnored(conn=CONN, feed=Feed.COINBASE, what="type:x"),
        Heard(conn=CONN, feed=Feed.BINANCE, what="pong"),
        FeedUnavailable(
            feed=Feed.CHAINLINK, state=FeedState.UNAVAILABLE, reason=Reason.GEO_BLOCKED
        ),
    )
    assert floor.engine.desk.ignored == before
    floor.feed(WireIgnored(conn=CONN, feed=Feed.POLYMARKET, what="type:x"))
    assert floor.engine.desk.ignored == before + 1


def test_a_strategy_switched_off_is_not_there() -> None:
    floor = Floor(RunConfig(box=BoxConfig(enabled=False)))
    assert floor.frame(small_book().frame(1000)) == []


def generated_log(*, asking: bool = False) -> Floor:
    """Drive a small market through quotes, a loss, a trade, a tick change and a reconnect.

    With `asking`, strategies are asked at every look, whether their answers stand or not.
    """
    floor, book = Floor(None, spec(), spec("0xff", tokens=("5", "6"))), small_book()
    if asking:
        floor.engine.strategies = tuple(replace(s, stands=None) for s in floor.engine.strategies)
    floor.frame(book.frame(1000), book.frame(1000, is_yes=False))
    for n in range(60):
        side, price = (("BUY", f"0.{40 + n % 9}"), ("SELL", f"0.{52 + n % 9}"))[n % 2]
        frame = book.change(1001 + n, [(side, price, str(n * 7 % 50))])
        if n % 17 != 16:
            floor.frame(frame, after_ms=n * 3)
        if n % 20 == 19:
            floor.frame(book.frame(1001 + n), after_ms=5)
    floor.wait(100)
    tick = {"event_type": "tick_size_change", "market": MARKET, "asset_id": "1" * 77}
    floor.frame({**tick, "old_tick_size": "0.01", "new_tick_size": "0.001", "timestamp": "2000"})
    floor.frame(b"{broken", b"PONG", {"event_type": "unheard_of"})
    floor.feed(ConnClosed(conn=CONN, feed=Feed.POLYMARKET, why="test"))
    floor.wait(1)
    return floor


def log_digests() -> str:
    engine = generated_log().engine
    return f"{engine.record.digest()} {engine.state_digest()}"


def test_the_golden_log_gives_its_golden_digest() -> None:
    assert log_digests() == GOLDEN


@pytest.mark.timeout(60)
@pytest.mark.parametrize("seed", ["0", "1", "4711"])
def test_the_same_log_gives_the_same_digests_under_any_hash_seed(seed: str) -> None:
    code = "from tests.engine.test_machine import log_digests; print(log_digests())"
    out = subprocess.run(
        [sys.executable, "-c", code],
        env={**os.environ, "PYTHONHASHSEED": seed},
        capture_output=True,
        text=True,
        check=True,
    )
    assert out.stdout.strip() == log_digests()


class Counting:
    """The box strategy, with a count of how often it was asked."""

    def __init__(self, floor: Floor) -> None:
        (self._box,) = floor.engine.strategies
        self.asked = 0
        floor.engine.strategies = (replace(self._box, propose=self._propose),)

    def _propose(self, snap: MarketSnapshot, memory: object) -> tuple[Decision, object]:
        self.asked += 1
        return self._box.propose(snap, memory)


def test_an_answer_that_stands_is_counted_without_asking_again() -> None:
    floor, book = Floor(), small_book()
    counting = Counting(floor)
    floor.frame(book.frame(1000))
    for n in range(1, 6):
        assert floor.frame(book.change(1000 + n, [("BUY", "0.48", str(n))])) == []
    assert counting.asked == 1
    (fold,) = floor.engine.record.folds.values()
    assert (fold.count, floor.engine.record.total) == (6, 6)
    assert (fold.last.snapshot, fold.last.at_ns) == (floor.engine.seq, floor.now_ns)
    assert floor.engine.record.last("box", MARKET) == fold.last


def test_an_answer_stands_until_what_it_rests_on_changes() -> None:
    floor, book = Floor(), small_book()
    counting = Counting(floor)
    floor.frame(book.frame(1000))
    floor.frame(book.change(1001, [("SELL", "0.5", "7")]))
    assert counting.asked == 2, "the best ask moved"
    floor.feed(MarketListed(spec=spec(fees=None)))
    floor.frame(book.change(1002, [("SELL", "0.5", "8")]))
    assert counting.asked == 3, "the fees are other ones"
    floor.feed(Directive(id="p", action="strategy.pause_all"))
    (paused,) = floor.frame(book.change(1003, [("SELL", "0.5", "9")]))
    assert isinstance(paused, RecordDecision)
    assert paused.decision.reason is Reason.PAUSED
    floor.feed(Directive(id="r", action="strategy.resume"))
    (resumed,) = floor.frame(book.change(1004, [("SELL", "0.5", "8")]))
    assert isinstance(resumed, RecordDecision)
    assert (counting.asked, resumed.decision.reason) == (4, Reason.FEE_UNKNOWN)
    floor.feed(ConnClosed(conn=CONN, feed=Feed.POLYMARKET, why="test"))
    floor.wait(1)
    floor.feed(ConnOpened(conn=CONN, feed=Feed.POLYMARKET, url="test"))
    floor.frame(book.frame(1005))
    assert counting.asked == 5, "a lost connection is another epoch"


def test_what_is_recorded_does_not_depend_on_whether_a_standing_answer_was_asked_for() -> None:
    usual, asking = generated_log().engine, generated_log(asking=True).engine
    assert usual.checkpoint() == asking.checkpoint()
    assert usual.record.digest() == asking.record.digest()
    folds, others = usual.record.folds, asking.record.folds
    assert [(k, f.count, f.last, f.best) for k, f in folds.items()] == [
        (k, f.count, f.last, f.best) for k, f in others.items()
    ]


def test_two_strategies_meet_in_the_arbiter() -> None:
    """A crossed snapshot cannot reach a strategy, so two probes stand in for edge finders."""
    floor = Floor()

    def probe(name: str, tier: int) -> Strategy:
        def propose(snap: MarketSnapshot, memory: object) -> tuple[Decision, object]:
            intent = Intent(
                strategy=name, tier=tier, market=MARKET, token="1", outcome=Outcome.YES,
                side=Side.BUY, px_u6=10_000, qty_u6=5_000_000, snapshot=snap.id, bundle="b",
                leg=0, ev_u6=1, confidence=1.0, risk_cost_u6=1,
            )  # fmt: skip
            wish = Decision(
                strategy=name, market=MARKET, snapshot=snap.id, at_ns=snap.at_ns,
                verdict=Verdict.INTENT, reason=Reason.OK, score_u6=2, threshold_u6=1,
                intents=(intent,),
            )  # fmt: skip
            return wish, memory

        return Strategy(id=name, tier=tier, propose=propose)

    floor.engine.strategies = (probe("slow", 1), probe("fast", 0))
    commands = floor.frame(small_book().frame(1000))
    rows = [
        (c.decision.strategy, c.decision.verdict) for c in commands if isinstance(c, RecordDecision)
    ]
    assert rows == [("fast", Verdict.INTENT), ("slow", Verdict.REFUSED)]


def test_a_trigger_that_a_gate_refuses_is_a_data_incident() -> None:
    floor = Floor()

    def propose(snap: MarketSnapshot, memory: object) -> tuple[Decision, object]:
        gated = Decision(
            strategy="box", market=MARKET, snapshot=snap.id, at_ns=snap.at_ns,
            verdict=Verdict.HOLD, reason=Reason.BOOK_PARITY, score_u6=60_000, threshold_u6=2_000,
        )  # fmt: skip
        return gated, memory

    floor.engine.strategies = (Strategy(id="box", tier=0, propose=propose),)
    floor.frame(small_book().frame(1000))
    (row,) = floor.engine.desk.incidents.views({})
    assert (row.incident, row.count, row.detail) == (
        Incident.PARITY_UNCONFIRMED, 1, "box: book_parity",
    )  # fmt: skip


def test_the_plain_book_of_the_tests_is_itself_coherent() -> None:
    book = PlainBook({"0.4": "1"}, {"0.6": "2"})
    assert book.best(is_yes=False) == ("0.4", "0.6")
