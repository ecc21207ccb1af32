"""Ends tasks so that an end always comes: one that keeps a cancel to itself is told again."""

import asyncio
from collections.abc import Collection
from typing import Any, Final

AGAIN_S: Final = 1.0
"""A task that goes on is cancelled again after this."""
CANCELS_MAX: Final = 5
"""Who has not let go then is left behind: the process ends."""


async def end_all(tasks: Collection[asyncio.Task[Any]]) -> None:
    """Cancel tasks and wait for their ends; what they fail with is nobody's concern any more."""
    left = set(tasks)
    for _ in range(CANCELS_MAX):
        if not left:
            return
        for task in left:
            task.cancel()
        done, left = await asyncio.wait(left, timeout=AGAIN_S)
        await asyncio.gather(*done, return_exceptions=True)
