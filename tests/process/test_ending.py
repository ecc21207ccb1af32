"""How an engine with orders ends: told to, hung up on, or with a venue that does not answer."""

import signal
import time

import pytest

from polytui.engine.shell.service import EXIT_OPEN
from tests.process.rig import stage, trading
from tests.process.test_kill import wait_empty, wait_for_orders
from tests.support.engines import assert_tidy, wait_until
from tests.support.figures import show

pytestmark = [pytest.mark.slow, pytest.mark.timeout(180)]

END_MAX_S = 10.0


def test_c2_told_to_end_it_cancels_everything_proves_it_and_leaves_with_0() -> None:
    with stage(singles=16, rate=100) as (home, venue):
        with trading(home, most=100) as running:
            wait_for_orders(running, venue, 100)
            resting = venue.open_hashes()
            begun_s = time.monotonic()
            assert running.end(signal.SIGTERM) == 0
            took_s = time.monotonic() - begun_s
            show(f"C2 TERM with 100 orders: {took_s:.2f} s")
            assert took_s < END_MAX_S
            assert "may still be open" not in running.output()
        assert_tidy(home)
        orders = venue.stop()
        assert len(resting) >= 95
        assert set(resting) <= set(orders)
        assert not [o for o in orders.values() if o.status.name == "LIVE"]


def test_c2_with_a_dead_venue_it_says_so_lists_them_and_the_sentinel_goes_on() -> None:
    with stage() as (home, venue), trading(home, most=10) as running:
        wait_for_orders(running, venue, 10)
        expected = venue.open_hashes()
        venue.process.send_signal(signal.SIGSTOP)
        begun_s = time.monotonic()
        assert running.end(signal.SIGTERM) == EXIT_OPEN
        took_s = time.monotonic() - begun_s
        show(f"C2 TERM with a dead venue: {took_s:.2f} s")
        assert took_s < END_MAX_S + 1
        said = running.output()
        assert all(order_hash in said for order_hash in expected)
        venue.process.send_signal(signal.SIGCONT)
        show(f"the sentinel emptied it {wait_empty(venue, 20):.2f} s after the venue woke")


def test_c3_a_hang_up_leaves_an_armed_engine_and_its_orders_alone() -> None:
    with stage() as (home, venue), trading(home, most=10) as running:
        wait_for_orders(running, venue, 10)
        running.process.send_signal(signal.SIGHUP)
        seq = running.status().seq
        wait_until(lambda: running.status().seq > seq, "life after a hang-up")
        assert len(venue.open_hashes()) >= 8
        assert running.end(signal.SIGTERM) == 0
