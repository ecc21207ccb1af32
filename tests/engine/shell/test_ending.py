"""An end comes though a task keeps the word to itself."""

import asyncio

import pytest

from polytui.engine.shell import ending
from polytui.engine.shell.ending import CANCELS_MAX, end_all


async def _deaf(heard: list[int], times: int) -> None:
    """Go on after each of so many cancels, as code does that takes one for a timeout."""
    while True:
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            heard.append(1)
            if len(heard) > times:
                raise


async def _fail() -> None:
    try:
        await asyncio.Event().wait()
    finally:
        raise ValueError("on its way out")


@pytest.mark.parametrize("times", [0, 2, CANCELS_MAX])
def test_a_task_that_swallows_a_cancel_is_told_again_and_one_that_never_ends_is_left(
    times: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ending, "AGAIN_S", 0.01)

    async def work() -> None:
        heard: list[int] = []
        tasks = [asyncio.create_task(_deaf(heard, times)), asyncio.create_task(_fail())]
        await asyncio.sleep(0)
        await end_all(tasks)
        assert tasks[0].done() is (times < CANCELS_MAX)
        assert tasks[1].done()
        assert len(heard) == min(times + 1, CANCELS_MAX)
        tasks[0].cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    asyncio.run(work())


def test_nothing_to_end_is_ended_at_once() -> None:
    asyncio.run(end_all(()))
