"""What the store is told besides records: decisions, holds, directives, runs, moves of gates."""

import asyncio
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import msgspec
import pytest

from polytui.engine.core.commands import RecordControl, RecordDecision
from polytui.engine.core.decision import Decision
from polytui.engine.core.enums import MetricFamily, Reason, Unit, Verdict
from polytui.engine.core.events import Directive, MarketListed, Stamped
from polytui.engine.core.messages import Answer, Ask
from polytui.engine.core.order_enums import Realm
from polytui.engine.shell.store.recorder import Recorder
from polytui.engine.shell.store.rows import Row
from polytui.engine.shell.store.store import Store
from polytui.engine.shell.store.verify import verify_file
from tests.support.floor import MARKET, Floor, spec
from tests.support.floor import small_book as book
from tests.support.stores import config, opened


class Rig:
    """A floor, a store and the recorder between them."""

    def __init__(self, store: Store, directory: Path, **changes: object) -> None:
        self.store = store
        self.floor = Floor()
        self.recorder = Recorder(
            store,
            self.floor.engine,
            config(directory, **changes),
            run="test",
            config_hash="c0",
            capture="here",
        )

    def turn(self, *events: Stamped) -> None:
        self.recorder.on_turn(events)

    def decided(self, verdict: Verdict, *, reason: Reason = Reason.OK) -> RecordDecision:
        engine = self.floor.engine
        decision = Decision(
            strategy="box",
            market=MARKET,
            snapshot=engine.seq,
            at_ns=engine.now_ns,
            verdict=verdict,
            reason=reason,
            score_u6=2_100,
            threshold_u6=1_500,
            unit=Unit.USD_PER_SHARE,
            family=MetricFamily.NET_EDGE,
        )
        return RecordDecision(cause=engine.seq, decision=decision)

    async def rows(self, sql: str) -> list[tuple[Any, ...]]:
        await self.store.flushed()
        with closing(sqlite3.connect(f"file:{self.store.path}?mode=ro", uri=True)) as db:
            return db.execute(sql).fetchall()


def test_an_intent_is_chained_with_what_the_strategy_saw(tmp_path: Path) -> None:
    async def work() -> None:
        rig = Rig(await opened(tmp_path), tmp_path)
        rig.floor.frame(book().frame(1000))
        rig.recorder.decision(rig.decided(Verdict.INTENT))
        ((seq, body),) = await rig.rows("SELECT seq, body FROM log WHERE kind = 'decision'")
        told = msgspec.json.decode(body)
        assert seq == told["decision"]["snapshot"] == rig.floor.engine.seq
        assert told["config"] == "c0"
        assert told["sight"]["proof"] in ("digest", "top", "pending", "none")
        assert {feature[0] for feature in told["sight"]["features"]} >= {"mid"}
        await rig.store.close()

    asyncio.run(work())


def test_holds_are_folded_before_they_reach_the_store_and_blocks_are_kept_singly(
    tmp_path: Path,
) -> None:
    async def work() -> None:
        rig = Rig(await opened(tmp_path), tmp_path, fold_s=1)
        shown = book()
        rig.floor.frame(shown.frame(1000))
        rig.recorder.decision(rig.decided(Verdict.HOLD))
        rig.recorder.decision(rig.decided(Verdict.BLOCKED, reason=Reason.STALE_BOOK))
        rig.turn()
        for number in range(500):
            rig.floor.frame(shown.change(1001 + number, [("BUY", "0.48", str(number % 9 + 1))]))
            rig.turn()
        rig.recorder.finish()
        ((count, verdict),) = await rig.rows("SELECT count, verdict FROM folds")
        assert (count, verdict) == (rig.floor.engine.record.total, "hold")
        assert await rig.rows("SELECT count(*) FROM log WHERE kind = 'decision'") == [(0,)]
        assert await rig.rows("SELECT reason FROM blocks") == [("stale_book",)]
        ((flushes,),) = await rig.rows("SELECT count(*) FROM log WHERE kind = 'seal'")
        assert flushes < 12, "some five hundred turns made a handful of flushes"
        await rig.store.close()
        assert verify_file(rig.store.path).ok

    asyncio.run(work())


def test_what_an_operator_asked_is_kept_with_who_and_what_came_of_it(tmp_path: Path) -> None:
    async def work() -> None:
        rig = Rig(await opened(tmp_path), tmp_path)
        event = Directive(id="1", action="strategy.pause", args=("box",), actor="uid 7 pid 9")
        rig.floor.feed(event)
        rig.turn(Stamped(rig.floor.engine.seq, rig.floor.now_ns, event))
        ask = Ask(id="2", action="strategy.pause", args=("nobody",))
        answer = Answer(id="2", ok=False, code="refused", text="there is no nobody")
        rig.recorder.answered(ask, "uid 7", answer, at_ns=rig.floor.now_ns)
        assert await rig.rows("SELECT actor, action, ok, text FROM directives") == [
            ("uid 7 pid 9", "strategy.pause", 1, ""),
            ("uid 7", "strategy.pause", 0, "there is no nobody"),
        ]
        await rig.store.close()

    asyncio.run(work())


def test_d5_arguments_of_an_unlock_are_never_written(tmp_path: Path) -> None:
    async def work() -> None:
        rig = Rig(await opened(tmp_path), tmp_path)
        ask = Ask(id="2", action="signer.unlock", args=("hunter2",))
        answer = Answer(id="2", ok=False, code="refused", text="no signer")
        rig.recorder.answered(ask, "uid 7", answer, at_ns=1)
        await rig.store.close()
        assert b"signer.unlock" in rig.store.path.read_bytes()
        assert b"hunter2" not in rig.store.path.read_bytes()

    asyncio.run(work())


def test_a_move_on_the_release_ladder_is_one_promotion(tmp_path: Path) -> None:
    async def work() -> None:
        rig = Rig(await opened(tmp_path), tmp_path)
        rig.recorder.restored([("gates", '[{"strategy":"box","gate":"dev"}]')])
        for gate in ("dev", "paper_canary", "paper_canary"):
            value = f'[{{"strategy":"box","gate":"{gate}","last":"PROMOTED by uid 7"}}]'
            command = RecordControl(cause=1, key="gates", value=value)
            rig.recorder.control(command, at_ns=5)
        assert await rig.rows("SELECT strategy, before, gate, reason FROM promotions") == [
            ("box", "dev", "paper_canary", "PROMOTED by uid 7")
        ]
        await rig.store.close()

    asyncio.run(work())


def test_a_run_says_its_version_and_configuration_and_when_it_ended(tmp_path: Path) -> None:
    async def work() -> None:
        rig = Rig(await opened(tmp_path), tmp_path)
        started = rig.floor.engine.started
        assert started is not None
        listed = MarketListed(spec=spec(title="Hostile?"))
        rig.turn(Stamped(1, 1, started), Stamped(2, 1, listed))
        rig.recorder.finish()
        rows = await rig.rows("SELECT config_hash, capture FROM runs")
        assert rows == [("c0", "here")]
        assert await rig.rows("SELECT subject, title FROM markets") == [(MARKET, "Hostile?")]
        assert len(await rig.rows("SELECT n FROM log WHERE kind = 'run'")) == 2
        await rig.store.close()

    asyncio.run(work())


@pytest.mark.parametrize("sample", [None, {"mode": "shadow"}])
def test_health_metrics_and_nearest_misses_are_sampled(
    tmp_path: Path, sample: dict[str, str] | None
) -> None:
    async def work() -> None:
        rig = Rig(await opened(tmp_path), tmp_path)
        rig.recorder.looking.sample = lambda: sample
        rig.floor.frame(book().frame(1000))
        rig.turn()
        kinds = {row[0] for row in await rig.rows("SELECT kind FROM bulk")}
        assert kinds == {"metrics", "scan"} | ({"health"} if sample else set())
        await rig.store.close()

    asyncio.run(work())


def test_what_an_unlock_came_to_is_kept_without_its_passphrase(tmp_path: Path) -> None:
    async def work() -> None:
        rig = Rig(await opened(tmp_path), tmp_path)
        ask = Ask(id="3", action="signer.unlock", args=("hunter2",))
        rig.recorder.answered(
            ask, "uid 7", Answer(id="3", ok=True, code="done", text="open"), at_ns=1
        )
        rows = await rig.rows("SELECT actor, action, ok, text FROM directives")
        assert rows == [("uid 7", "signer.unlock", 1, "open")]
        assert await rig.rows("SELECT 1 FROM log WHERE instr(body, 'hunter2')") == []
        await rig.store.close()

    asyncio.run(work())


def test_a_result_that_finds_no_room_is_written_later_and_the_last_one_when_the_run_ends(
    tmp_path: Path,
) -> None:
    async def work() -> None:
        store = await opened(tmp_path, queue_max=256)
        rig = Rig(store, tmp_path, health_s=3_600)
        books = rig.floor.engine.trading.accounts[Realm.PAPER].portfolio
        result = books.attribution.row("box", 7)
        result.add(fills=1, realized_u6=5, fees_u6=2)
        crowd = Row("event", "", "", "", "", False, b"{}")
        for _ in range(64):
            store.append(crowd, at_ns=1, seq=1)
        rig.turn()
        assert await rig.rows("SELECT 1 FROM attribution") == []
        rig.recorder.finish()
        result.add(fills=1, realized_u6=1)
        rig.recorder.finish()
        rows = await rig.rows("SELECT strategy, seq, fills, realized_u6, fees_u6 FROM attribution")
        assert rows == [("box", 7, 1, 5, 2), ("box", 7, 2, 6, 2)]
        await store.close()

    asyncio.run(work())
