"""kill -9 at random moments, again and again: the venue's own log against our store.

KILLS is how many (200 in the long profile); RESTARTS how often an engine comes back to 500 resting
orders. What is asserted: no order is lost, made twice, or without an owner; the books agree.
"""

import os
import random
import signal
import time
from collections import Counter
from pathlib import Path

import pytest

from polytui.engine.core.enums import Mode
from polytui.engine.core.order_enums import OrderState
from polytui.engine.core.trading import OrderRecord
from polytui.engine.shell.store.files import FILE_NAME
from polytui.engine.shell.store.verify import verify_file
from polytui.engine.sim.exchange.api import OrderView
from tests.process.rig import Trader, Venue, orders_of, stage, stored_orders, trading
from tests.support.engines import family, sweep, wait_until
from tests.support.figures import show, spread

pytestmark = [pytest.mark.slow, pytest.mark.timeout(7_200)]

KILLS = int(os.environ.get("KILLS", "20"))
RESTARTS = int(os.environ.get("RESTARTS", "3"))
SEED = int(os.environ.get("KILL_SEED", "1"))
MANY = 500
RECONCILED_GOAL_S, RECONCILED_MAX_S = 5.0, 20.0
EARLY_SHARE = 0.25
"""Of the kills, those that come while the engine starts."""
QUICK = ("run.orders.quiet_ms=0",)


def reconciled_s(running: Trader) -> float:
    """Wait until the account is trusted; return seconds since the process was started."""
    wait_until(running.is_trusted, "a trusted account")
    return time.monotonic() - running.begun_s


def crash(home: Path, rng: random.Random, number: int) -> tuple[str, float | None]:
    """Run an engine for a while and kill it; return where that was, and when it was reconciled."""
    sentinel = f"sentinel.enabled={'true' if rng.random() < 0.5 else 'false'}"
    running = Trader(home, *QUICK, sentinel, script="mix", most=40)
    trusted_s: float | None = None
    try:
        if number and rng.random() < EARLY_SHARE:
            time.sleep(rng.uniform(0.2, 4.0))
            return "starting", None
        running.wait_until_up()
        trusted_s = reconciled_s(running)
        running.promote()
        running.arm()
        time.sleep(rng.uniform(0.0, 2.5))
        is_armed = running.risk().mode is Mode.LIVE_ARMED
        return "armed" if is_armed else "fallen", trusted_s
    finally:
        running.close()


def expect_a_whole_store(home: Path, venue: Venue) -> None:
    """Right after a kill: every byte as written, and every order that ever arrived is in it."""
    path = home / "store" / FILE_NAME
    if path.exists():
        report = verify_file(path)
        assert report.ok, report
    arrived = orders_of(venue.log, venue.wallet["address"].lower())
    lost = arrived.keys() - (stored_orders(home / "store").keys() if path.exists() else set())
    assert not lost, f"{len(lost)} of {len(arrived)} orders at the venue are not in the store"


def settle(home: Path) -> list[float]:
    """Let a last engine reconcile until nothing is in doubt, then end it in order."""
    with trading(home, *QUICK, armed=False) as last:
        took_s = reconciled_s(last)
        wait_until(lambda: last.status().account.unknown == 0, "no order in doubt", deadline_s=90)
        wait_until(
            lambda: last.status().account.provisional == 0, "every trade settled", deadline_s=90
        )
        assert last.status().account.stale_sent == 0
        assert last.end(signal.SIGTERM) == 0
    return [took_s]


TERMINAL = {
    "CANCELED": {OrderState.CANCELED, OrderState.EXPIRED},
    "MATCHED": {OrderState.MATCHED},
    "UNMATCHED": {OrderState.UNMATCHED},
}
"""What the venue calls an order that is over, and what we may call it."""
FOUND_NOTHING = {OrderState.REFUSED, OrderState.UNMATCHED}
"""A FAK without a match is refused by the venue's answer, and cancelled in its log."""


def judge(truth: dict[str, OrderView], stored: dict[str, OrderRecord]) -> dict[str, list[str]]:
    """Compare the venue's orders with ours; name what is wrong."""
    wrong: dict[str, list[str]] = {"lost": [], "twice": [], "unowned": [], "differs": []}
    made: Counter[tuple[object, ...]] = Counter()
    for order_hash, order in truth.items():
        ours = stored.get(order_hash)
        if ours is None:
            wrong["lost"].append(f"{order_hash} {order.status.name} is not in the store")
            continue
        draft = ours.draft
        made[ours.cid.rpartition("-")[0], draft.snapshot, draft.token, draft.leg] += 1
        if ours.external or draft.strategy != "scripted":
            wrong["unowned"].append(f"{order_hash} is of {draft.strategy!r}")
        if ours.filled_u6 != order.matched_u6:
            wrong["differs"].append(f"{ours.cid} filled {ours.filled_u6}, is {order.matched_u6}")
        lawful = TERMINAL.get(order.status.name, set())
        if not order.order_type.is_resting and not order.matched_u6:
            lawful = lawful | FOUND_NOTHING
        if ours.state not in lawful:
            wrong["differs"].append(f"{ours.cid} {ours.state.name}, is {order.status.name}")
    wrong["twice"] = [f"{key}: {count} orders" for key, count in made.items() if count > 1]
    for order_hash, ours in stored.items():
        if not ours.state.is_terminal:
            wrong["differs"].append(f"{ours.cid} {ours.state.name} at the end")
        if ours.filled_u6 and order_hash not in truth:
            wrong["differs"].append(f"{ours.cid} is filled here and unknown there")
    return wrong


def test_c1_killed_at_any_moment_no_order_is_lost_made_twice_or_without_an_owner() -> None:
    rng = random.Random(SEED)
    where: Counter[str] = Counter()
    trusted_s: list[float] = []
    with stage(rate=120) as (home, venue):
        for number in range(KILLS):
            place, took_s = crash(home, rng, number)
            where[place] += 1
            trusted_s += [] if took_s is None else [took_s]
            expect_a_whole_store(home, venue)
        trusted_s += settle(home)
        truth = venue.stop()
        stored = stored_orders(home / "store")
    wrong = judge(truth, stored)
    filled = sum(order.matched_u6 > 0 for order in truth.values())
    show(
        f"C1 {KILLS} kills ({dict(where)}), seed {SEED}: {len(truth)} orders at the venue, "
        f"{filled} with fills; { ({name: len(rows) for name, rows in wrong.items()}) }"
    )
    spread("C1 restart to reconciled, quiet period 0", [s * 1e3 for s in trusted_s])
    assert not any(wrong.values()), wrong
    assert len(truth) > KILLS


def fill_and_crash(home: Path, venue: Venue) -> None:
    with trading(home, "sentinel.enabled=false", most=MANY) as running:
        wait_until(lambda: running.rest_hashes() >= MANY - 2, f"{MANY} orders", deadline_s=180)
        running.end(signal.SIGKILL)
    assert len(venue.open_hashes()) >= MANY - 10


def test_c1_it_comes_back_to_500_resting_orders_and_knows_every_one() -> None:
    took_s = []
    with stage(singles=16, rate=60) as (home, venue):
        fill_and_crash(home, venue)
        for _ in range(RESTARTS):
            running = Trader(home, "sentinel.enabled=false")
            try:
                running.wait_until_up()
                took_s.append(reconciled_s(running))
                known, there = running.rest_hashes(), len(venue.open_hashes())
                assert abs(known - there) <= 2, f"{known} known, {there} there"
                assert running.risk().mode is not Mode.LIVE_ARMED
            finally:
                running.end(signal.SIGKILL)
                running.close()
        with trading(home, armed=False) as last:
            reconciled_s(last)
            assert last.end(signal.SIGTERM) == 0
        assert not [o for o in venue.stop().values() if o.status.name == "LIVE"]
    spread(
        f"C1 restart to reconciled with {MANY} orders (goal p99 <= 5000 ms)",
        [s * 1e3 for s in took_s],
    )
    assert max(took_s) <= RECONCILED_MAX_S


def test_nobody_outlives_an_engine_that_was_killed_without_orders() -> None:
    with stage() as (home, venue):
        with trading(home, armed=False) as running:
            running.wait_for_account()
            running.end(signal.SIGKILL)
        others = {venue.process.pid}
        wait_until(lambda: not family(home).keys() - others, "signer and sentinel to be gone")
        sweep(home)
