"""C14: a wall clock that is set an hour forward and two back, under an armed engine with orders."""

import signal
import sqlite3
import time
from contextlib import closing
from functools import partial
from pathlib import Path

import pytest

from polytui.engine.core.enums import Mode
from polytui.engine.core.view import StatusView
from tests.process.engine_under_test import BACK, FORWARD, JUMPS_NS
from tests.process.rig import Trader, stage, trading
from tests.process.test_kill import wait_for_orders
from tests.support.engines import assert_tidy, wait_until

pytestmark = [pytest.mark.slow, pytest.mark.timeout(120)]

ORDERS = 10
TOLERANCE_NS = 60 * 10**9
"""Far less than a jump, far more than a busy machine is late."""


def is_ahead(running: Trader, ahead_ns: int) -> bool:
    """Tell whether the engine's label of wall time is so far from the true one."""
    return abs(running.status().shell.wall_ns - time.time_ns() - ahead_ns) < TOLERANCE_NS


def assert_goes_on(running: Trader, before: StatusView) -> None:
    """Expect the armed engine to decide, to trust its books and account, and to order as before."""
    wait_until(
        lambda: running.status().decisions > before.decisions + 200, "decisions after the jump"
    )
    now = running.status()
    assert now.stale == 0, "no book aged by an hour"
    assert (now.alerts.critical, now.alerts.high) == (0, 0)
    assert running.risk().mode is Mode.LIVE_ARMED
    assert running.is_trusted()
    made = orders_made(running.store)
    assert running.ctl("orders.cancel", "all").ok
    wait_until(lambda: orders_made(running.store) >= made + ORDERS // 2, "new orders")
    wait_until(lambda: running.rest_hashes() >= ORDERS - 2, "which rest")


def orders_made(store: Path) -> int:
    (count,) = stored(store, "SELECT count(DISTINCT subject) FROM log WHERE kind = 'order'")
    return int(count[0])


def stored(store: Path, question: str) -> list[tuple[int, ...]]:
    with closing(sqlite3.connect(f"file:{store / 'account.db'}?mode=ro", uri=True)) as db:
        return db.execute(question).fetchall()


def test_c14_a_wall_clock_that_jumps_changes_a_label_and_nothing_else() -> None:
    begun_ns = time.time_ns()
    with stage(rate=100) as (home, venue):
        with trading(home, "metrics.enabled=false", most=ORDERS) as running:
            wait_for_orders(running, venue, ORDERS)
            wait_until(lambda: running.status().stale == 0, "fresh books")
            ahead_ns = 0
            for number in (FORWARD, BACK):
                before = running.status()
                running.process.send_signal(number)
                ahead_ns += JUMPS_NS[number]
                wait_until(partial(is_ahead, running, ahead_ns), "the clock to be wrong")
                assert_goes_on(running, before)
            assert running.end(signal.SIGTERM) == 0
            store = running.store
        assert_tidy(home)
        assert not [o for o in venue.stop().values() if o.status.name == "LIVE"]
        ((first_ns, last_ns),) = stored(store, "SELECT min(at_ns), max(at_ns) FROM log")
    assert begun_ns <= first_ns <= last_ns <= time.time_ns(), "no row bears a time that never was"
