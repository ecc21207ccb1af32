"""25 and 26: the same seed gives the same bytes in any process; a log replays to its commands."""

import os
import subprocess
import sys

import pytest
from msgspec.structs import replace

from polytui.engine.account.gate_facts import LATE
from polytui.engine.core.account_events import TradesRead, UserTrade
from polytui.engine.core.events import Stamped
from polytui.engine.core.order_enums import Realm
from polytui.engine.core.trading import VenueTrade
from polytui.engine.machine import Engine
from tests.engine.decide.gate import draft
from tests.engine.rehearsal.scripted import roster
from tests.engine.rehearsal.stage import Stage
from tests.engine.rehearsal.swarm import armed, play, trouble
from tests.engine.rehearsal.swarm import draw as draw_knobs

SEED = 3
PROGRAM = f"from tests.engine.rehearsal.swarm import play; print(play({SEED}).digest())"


@pytest.mark.timeout(120)
def test_two_processes_with_other_hash_seeds_live_the_same_life() -> None:
    digests = []
    for hash_seed in ("1", "77"):
        environment = {**os.environ, "PYTHONHASHSEED": hash_seed, "PYTHONPATH": "."}
        done = subprocess.run(
            [sys.executable, "-c", PROGRAM],
            env=environment,
            capture_output=True,
            text=True,
            check=False,
            timeout=100,
        )
        assert not done.returncode, done.stderr[-2_000:]
        digests.append(done.stdout.strip())
    assert digests[0] == digests[1]


@pytest.mark.timeout(60)
def test_the_event_list_of_a_troubled_run_replays_to_the_same_commands() -> None:
    """26: without venue, wire or gate: the log alone leads to every command again, and in order."""
    stage = armed(SEED)
    trouble(stage, draw_knobs(SEED), SEED)
    twin, commands = Engine(roster(SEED)), []
    for stamped in stage.events:
        commands += twin.step(stamped)
    assert commands == stage.commands
    assert twin.checkpoint() == stage.engine.checkpoint()


def _replayed(events: list[Stamped]) -> Engine:
    engine = Engine(roster(SEED, kinds="bf"))
    for stamped in events:
        engine.step(stamped)
    return engine


def _with_less(trade: VenueTrade, name: str) -> VenueTrade:
    """Take a hundredth of a share off one trade."""
    if trade.trade_id != name:
        return trade
    makers = tuple(replace(one, qty_u6=one.qty_u6 - 10_000) for one in trade.makers)
    return replace(trade, qty_u6=trade.qty_u6 - 10_000, makers=makers)


def _retold(stamped: Stamped, name: str) -> Stamped:
    """Tell the same trade smaller, wherever the venue tells it."""
    event = stamped.event
    if isinstance(event, UserTrade):
        return replace(stamped, event=replace(event, trade=_with_less(event.trade, name)))
    if isinstance(event, TradesRead):
        trades = tuple(_with_less(trade, name) for trade in event.trades)
        return replace(stamped, event=replace(event, trades=trades))
    return stamped


@pytest.mark.timeout(60)
def test_a_replay_that_differs_in_one_fill_differs_in_its_digest() -> None:
    """The digest covers the money: a hundredth of a share less, and nothing else, shows."""
    stage = Stage(SEED, kinds="bf")
    assert stage.arm()
    assert stage.wait(lambda: stage.account.trades.known > 0, within_s=60)
    stage.run_for(10)
    digest = stage.engine.state_digest()
    assert _replayed(stage.events).state_digest() == digest
    (latest,) = stage.account.trades.latest(1)
    retold = _replayed([_retold(one, latest.trade_id) for one in stage.events])
    account = retold.trading.accounts[Realm.LIVE]
    assert account.portfolio.checkpoint() != stage.account.portfolio.checkpoint()
    assert retold.state_digest() != digest
    assert retold.seq == stage.engine.seq


@pytest.mark.parametrize("change", ["refusal", "cause", "alert"])
def test_the_digest_covers_what_persons_and_the_gate_did(change: str) -> None:
    stage = Stage(SEED, kinds="bf")
    stage.run_for(5)
    twin = _replayed(stage.events)
    before = twin.state_digest()
    room = twin.trading.room
    if change == "refusal":
        room.governor.note_refused(Realm.LIVE, LATE, draft(), twin.now_ns)
    elif change == "cause":
        room.halt(Realm.LIVE, "test", "why", owner="test", at_ns=twin.now_ns)
    else:
        room.alerts.told("STALE_SENT", "one order", at_ns=twin.now_ns)
    assert twin.state_digest() != before


def test_a_life_names_its_seed_and_its_knobs_when_it_breaks(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def fails(*_args: object) -> None:
        raise RuntimeError("on purpose")

    monkeypatch.setattr("tests.engine.rehearsal.swarm.trouble", fails)
    with pytest.raises(AssertionError, match=r"seed 9: on purpose\nknobs \{"):
        play(9)
