"""The practice venue beside a real engine: its lab is shown, and trouble comes on request."""

import asyncio
import json

import pytest

from polytui.engine.core.runconfig import Settings
from polytui.engine.core.view import STATUS, VENUE_LAB, StatusView, VenueLabView
from polytui.engine.shell.dial import Dialled
from polytui.engine.shell.practice_child import SOCKET, PracticeChild
from tests.support.engines import EngineProcess, engine, short_directory, wait_until

pytestmark = [pytest.mark.slow, pytest.mark.timeout(60)]


def lab(running: EngineProcess) -> VenueLabView:
    view = running.look(VENUE_LAB)
    assert isinstance(view, VenueLabView)
    return view


def status(running: EngineProcess) -> StatusView:
    view = running.look(STATUS)
    assert isinstance(view, StatusView)
    return view


def test_a_trouble_asked_for_is_played_shown_and_healed() -> None:
    with engine("practice.rate=200") as running:
        wait_until(lambda: status(running).synced == status(running).markets > 0, "synced books")
        assert lab(running).scenario == "no scenario"
        with Dialled(running.admin) as client:
            refused = client.ask("venue.fault", ("boom",))
            assert "expected one of freeze" in refused.text
            assert client.ask("venue.fault", ("drop",)).ok
        wait_until(lambda: lab(running).faults == ("frame_drop 0.2",), "the fault in force")
        wait_until(lambda: status(running).incidents > 0, "the engine to notice")
        with Dialled(running.admin) as client:
            assert client.ask("venue.fault", ("heal",)).ok
        wait_until(lambda: lab(running).faults == (), "the fault to be over")
        wait_until(lambda: status(running).synced == status(running).markets, "healed books")


def test_with_faults_the_tour_is_played() -> None:
    with engine("practice.faults=true") as running:
        wait_until(lambda: running.look(VENUE_LAB) is not None, "the venue to be up")
        view = lab(running)
        assert view.scenario == "Tour of troubles"
        assert view.next_ns is not None
        assert {row.name for row in view.counters} >= {"orders", "trades", "failed", "frames"}


def test_an_ask_that_is_given_up_leaves_its_answer_to_nobody() -> None:
    """A cancelled look at the lab must not be read as what became of a stop."""
    slowly, go_on = asyncio.Event(), asyncio.Event()
    lines: list[asyncio.StreamWriter] = []

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        lines.append(writer)
        while line := await reader.readline():
            what = json.loads(line)["do"]
            if what == "slow":
                slowly.set()
                await go_on.wait()
            writer.write(json.dumps({"ok": True, "to": what}).encode() + b"\n")

    async def work() -> None:
        with short_directory() as directory:
            server = await asyncio.start_unix_server(answer, str(directory / SOCKET))
            child = PracticeChild(Settings(), directory, scenario="")
            assert (await child.ask("first"))["to"] == "first"
            slow = asyncio.create_task(child.ask("slow"))
            await slowly.wait()
            slow.cancel()
            await asyncio.gather(slow, return_exceptions=True)
            assert slow.cancelled()
            go_on.set()
            assert (await child.ask("next"))["to"] == "next"
            server.close()
            await child.stop()
            for line in lines:
                line.close()
            await asyncio.gather(*(line.wait_closed() for line in lines), return_exceptions=True)

    asyncio.run(work())
