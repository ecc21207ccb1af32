"""Another version on the same store: an upgrade in order drains, one without order proves first."""

import re
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

import polytui
from polytui.engine.core.enums import Mode
from tests.process.rig import Trader, stage, trading
from tests.process.test_kill import wait_for_orders
from tests.support.engines import reap, wait_until

pytestmark = [pytest.mark.slow, pytest.mark.timeout(180)]

NEWER = "9.9.9"
FROM = f"the store was written by polytui {polytui.__version__}, this is {NEWER}"


@contextmanager
def newer(home: Path, *sets: str) -> Iterator[Trader]:
    running = Trader(home, *sets, version=NEWER)
    try:
        running.wait_until_up()
        yield running
    finally:
        reap(running)


def test_c25_an_upgrade_in_order_leaves_nothing_open_and_the_next_version_says_so() -> None:
    with stage() as (home, venue):
        with trading(home, most=5) as running:
            wait_for_orders(running, venue, 5)
            assert running.ctl("engine.stop").ok
            assert running.process.wait(30) == 0
            assert "may still be open" not in running.output()
        left = [o for o in venue.stop().values() if o.status.name == "LIVE"]
        assert left == []
        with newer(home) as again:
            assert again.status().version == NEWER
            assert again.end(signal.SIGTERM) == 0
            assert f"{FROM}: 0 orders of it may be open" in again.output()


def test_c25_a_newer_version_on_open_orders_is_closed_until_it_has_proven_each_one() -> None:
    alone = ("sentinel.enabled=false",)
    with stage() as (home, venue):
        with trading(home, *alone, most=5) as running:
            wait_for_orders(running, venue, 5)
            running.end(signal.SIGKILL)
        resting = venue.open_hashes()
        assert resting
        with newer(home, *alone) as again:
            first = again.risk()
            assert first.mode is not Mode.LIVE_ARMED
            assert not first.intake_open, "nothing is taken before the account is proven"
            wait_until(again.is_trusted, "a trusted account")
            assert venue.open_hashes() <= resting, "none was made"
            wait_until(lambda: again.rest_hashes() == len(venue.open_hashes()), "its orders found")
            assert again.risk().mode is not Mode.LIVE_ARMED
            assert again.end(signal.SIGTERM) == 0
            said = re.search(f"{re.escape(FROM)}: (\\d+) orders of it may be open", again.output())
            assert said is not None
            assert int(said[1]) >= len(resting)
        assert [o for o in venue.stop().values() if o.status.name == "LIVE"] == []


def test_c25_two_versions_never_share_a_runtime_directory() -> None:
    with stage() as (home, _), trading(home, armed=False) as running:
        other = Trader(home, version=NEWER)
        assert other.process.wait(40) != 0
        assert str(running.process.pid) in other.output()
        assert running.status().version == polytui.__version__
        other.close()
