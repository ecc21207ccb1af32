"""Who hears what the streams say, and waits for it."""

import asyncio
from collections.abc import Callable
from typing import Any

from polytui.engine.core.enums import Feed
from polytui.engine.core.events import (
    BookFrame,
    Event,
    MarketSpec,
)
from polytui.engine.core.ids import ConnId
from polytui.engine.sim.exchange.terms import MarketTerms
from polytui.engine.wire import polymarket as wire

MS = 1_000_000


class Heard:
    """Takes frames and events as the runner does."""

    def __init__(self) -> None:
        self.events: list[Event] = []
        self.frames: list[tuple[ConnId, bytes]] = []
        self.told: list[tuple[str, str]] = []
        """Codes and sentences for the log."""

    def offer_frame(
        self, conn: ConnId, feed: Feed, data: bytes, *, mono_ns: int, wall_ns: int
    ) -> None:
        assert feed is Feed.POLYMARKET
        assert mono_ns > 0
        assert wall_ns > 0
        self.frames.append((conn, data))

    def offer_event(self, event: Event) -> None:
        self.events.append(event)

    def tell(self, code: str, text: str) -> None:
        self.told.append((code, text))

    def of(self, kind: type[Event]) -> list[Any]:
        return [event for event in self.events if isinstance(event, kind)]

    def books(self, conn: ConnId) -> set[str]:
        """List the tokens whose book a connection has shown."""
        return {
            event.token
            for frame_conn, data in self.frames
            if frame_conn == conn
            for event in wire.decode(frame_conn, data)
            if isinstance(event, BookFrame)
        }


def spec_of(terms: MarketTerms) -> MarketSpec:
    return MarketSpec(
        market=terms.condition, tokens=terms.tokens, title=terms.question, group=terms.group
    )


async def until(holds: Callable[[], Any], *, seconds: float = 3.0) -> None:
    """Wait for a condition."""
    async with asyncio.timeout(seconds):
        while not holds():  # noqa: ASYNC110  what is waited for is no event of ours
            await asyncio.sleep(0.005)


def counter() -> Callable[[], ConnId]:
    numbers = iter(range(1, 1 << 30))
    return lambda: ConnId(next(numbers))
