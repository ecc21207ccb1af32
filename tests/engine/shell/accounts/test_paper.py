"""The PAPER account under a real engine, in virtual time: ledger, restart, determinism."""

import os
import subprocess
import sys
from collections import Counter
from hashlib import blake2b
from pathlib import Path

import pytest

from polytui.engine.account.views import risk_view
from polytui.engine.core.account_events import OrderAnswered
from polytui.engine.core.account_view import CheckRow
from polytui.engine.core.commands import MovePairs, RecordEntry
from polytui.engine.core.enums import Outcome, Side
from polytui.engine.core.order_enums import EntryKind, OrderState, OrderType, Realm
from polytui.engine.core.runconfig import PaperConfig
from polytui.engine.core.units import U
from polytui.engine.sim.faults import Switches
from polytui.engine.sim.rehearsal import SECOND_NS
from tests.engine.shell.accounts.paper_rig import PaperWorld, settled, trade_for

ROOT = Path(__file__).resolve().parents[4]
RICH = PaperConfig(cash_u6=10**11, failed_share=0.1)
QUIET_S = 400
"""Longer than the life of a GTD and the tail of a settlement together."""


def a_world(seed: int = 1, paper: PaperConfig = RICH) -> PaperWorld:
    world = PaperWorld(seed=seed, paper=paper)
    world.run_for(10)
    world.ask("gate.promote", "box", "PROMOTE box")
    return world


def kinds(world: PaperWorld) -> Counter[EntryKind]:
    return Counter(
        command.entry.kind for command in world.commands if isinstance(command, RecordEntry)
    )


@pytest.mark.slow
@pytest.mark.timeout(120)
@pytest.mark.parametrize("seed", [1, 3])
def test_our_ledger_equals_the_paper_purse_to_the_micro_unit(seed: int) -> None:
    world = a_world(seed)
    trade_for(world, 90, seed=seed)
    world.run_for(QUIET_S)
    assert settled(world)
    assert world.differences() == {}
    summary = world.paper.venue.report().summary
    assert summary.taker_fills > 10
    assert summary.averse.fills > 5
    assert summary.averse.qty_u6 <= summary.probabilistic.qty_u6
    assert summary.fees_u6 > 0
    assert summary.failed > 0
    assert kinds(world)[EntryKind.VOID] == summary.failed
    assert not world.account.orders.open()


@pytest.mark.slow
@pytest.mark.timeout(60)
def test_split_merge_and_redemption_reach_the_ledger_and_the_purse_alike() -> None:
    world = a_world()
    tracked = next(t for t in world.engine.desk.markets.values() if "updown" in t.spec.slug)
    for op, shares in (("split", 30), ("merge", 10)):
        world.account.move(op, tracked.spec.market, shares * U, request=op, seq=world.engine.seq)
        world.run_for(10)
    assert kinds(world)[EntryKind.SPLIT] == kinds(world)[EntryKind.MERGE] == 1
    assert world.differences() == {}
    world.run_for(660)
    assert tracked.resolved
    assert kinds(world)[EntryKind.REDEEM] == 1
    assert world.differences() == {}
    assert world.paper.venue.purse.balances == {"pUSD": RICH.cash_u6}


@pytest.mark.slow
@pytest.mark.timeout(60)
def test_orders_of_a_dead_run_are_found_gone_by_reads_and_its_trades_settle() -> None:
    slow = PaperConfig(
        cash_u6=10**11, failed_share=0.1, settle_ms=20_000, settle_tail_ms=(20_000, 20_000)
    )
    world = a_world(2, slow)
    trade_for(world, 30, seed=2)
    resting = {order.cid: order.state for order in world.account.orders.open()}
    pending = len(world.account.trades.provisional())
    assert resting
    assert pending
    world.crash()
    world.run_for(60)
    for cid, before in resting.items():
        state = world.account.orders.by_cid[cid].state
        # One that had not arrived when the engine died never does.
        never = {OrderState.REFUSED} if before is OrderState.SENT else set()
        assert state in {OrderState.CANCELED, OrderState.EXPIRED, OrderState.MATCHED, *never}
    assert not world.account.orders.unknown()
    world.run_for(QUIET_S)
    assert settled(world)
    assert world.differences() == {}
    world.ask("gate.promote", "box", "PROMOTE box")
    trade_for(world, 20, seed=3)
    world.run_for(QUIET_S)
    assert world.paper.venue.report().summary.orders > 0
    assert world.differences() == {}
    assert len({trade.trade_id for trade in world.kept.trades.values()}) == len(world.kept.trades)


def gate_rows(world: PaperWorld) -> dict[str, CheckRow]:
    view = risk_view(world.engine.trading, at_ns=world.now_ns)
    (gate,) = [one for one in view.gates if one.strategy == "box"]
    return {row.code: row for row in gate.checks}


def test_the_ladder_shows_both_maker_models_and_what_the_books_covered() -> None:
    world = a_world()
    assert gate_rows(world)["COVERAGE"].value == "0 % (waived: practice money)"
    trade_for(world, 60, seed=3)
    world.run_for(15)
    rows = gate_rows(world)
    summary = world.paper.venue.summary()
    assert summary.orders > 10
    assert "averse" in rows["PAPER_FILLS"].value
    assert f"probabilistic {summary.probabilistic.fills} (" in rows["PAPER_FILLS"].value
    assert "booked averse" in rows["PAPER_FILLS"].value
    read = world.engine.trading.room.paper
    assert read is not None
    assert 0.5 < read.coverage <= 1
    before = read.coverage
    world.feed.world.switch(Switches(market_freeze=True))
    world.run_for(120)
    read = world.engine.trading.room.paper
    assert read is not None
    assert read.coverage < before, "time without data is not covered"
    assert read.silence_ns > 60 * SECOND_NS
    decided, _ = world.engine.record.of("box")
    assert decided > 0
    assert gate_rows(world)["COVERAGE"].value.startswith(f"{read.coverage * 100:.4g} %")


def test_the_configuration_that_ran_in_paper_is_known_after_a_restart() -> None:
    world = a_world()
    world.run_for(5)
    room = world.engine.trading.room
    assert room.paper_hash == room.host.config_hash != ""
    kept = room.paper_hash
    world.crash()
    assert world.engine.trading.room.paper_hash == kept


def test_an_order_made_in_a_turn_is_not_filled_by_the_prints_of_that_turn() -> None:
    """Commands come before the turn's events are shown: nothing arrives in between."""
    world = a_world()
    tracked = next(t for t in world.engine.desk.markets.values() if len(t.book.yes.px) > 2)
    world.submit(
        tracked.spec.market,
        Side.BUY,
        tracked.book.yes.px[-1],
        50 * U,
        OrderType.GTD,
        outcome=Outcome.YES,
        post_only=True,
    )
    command = MovePairs(
        cause=0, realm=Realm.PAPER, request="m", op="split", market=tracked.spec.market, qty_u6=U
    )
    before = dict(world.paper.venue.purse.balances)
    world.paper.execute(command)
    assert world.paper.venue.purse.balances == before, "waits for the end of the turn"
    world.paper.advance()
    assert world.paper.venue.purse.balances != before


def story(seed: int) -> str:
    """Live through a while and digest everything that happened."""
    world = a_world(seed)
    answers: list[OrderAnswered] = []
    world.checks.append(
        lambda _world, stamped: (
            answers.append(stamped.event) if isinstance(stamped.event, OrderAnswered) else None
        )
    )
    trade_for(world, 30, seed=seed)
    world.run_for(60)
    purse = sorted(world.paper.venue.purse.balances.items())
    text = repr((answers, purse, world.paper.venue.report(), world.engine.state_digest()))
    return blake2b(text.encode(), digest_size=16).hexdigest()


@pytest.mark.slow
@pytest.mark.timeout(120)
def test_two_processes_with_two_hash_seeds_fill_the_same() -> None:
    code = "from tests.engine.shell.accounts.test_paper import story; print(story(5))"
    told = set()
    for hash_seed in ("1", "4242"):
        done = subprocess.run(
            [sys.executable, "-c", code],
            cwd=ROOT,
            env={**os.environ, "PYTHONHASHSEED": hash_seed},
            capture_output=True,
            text=True,
            check=True,
        )
        told.add(done.stdout.strip())
    assert len(told) == 1
    assert len(told.pop()) == 32
