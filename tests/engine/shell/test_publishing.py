"""Books are shown faster than tables, a new choice at once, and nobody costs nothing."""

import asyncio
from collections import Counter
from contextlib import suppress
from typing import cast

from polytui.engine.core.view import AnySection
from polytui.engine.shell.admin import AdminServer
from polytui.engine.shell.publishing import Publisher


class Room:
    """Clients that watch what they are told to."""

    def __init__(self, *topics: str) -> None:
        self.chosen = list(topics)
        self.shown: list[str] = []
        self.seen = asyncio.Event()

    def topics(self) -> list[str]:
        return self.chosen

    def publish(self, topic: str, section: AnySection | None) -> None:
        del section
        self.shown.append(topic)
        self.seen.set()

    async def until(self, number: int) -> None:
        while len(self.shown) < number:
            self.seen.clear()
            await self.seen.wait()


def run(room: Room, number: int, *, then: str = "", view_hz: int = 30) -> None:
    """Publish until so many sections were shown; `then` is chosen too, and two more are shown."""

    async def scene() -> None:
        publisher = Publisher(cast("AdminServer", room), lambda _: None, view_hz=view_hz)
        task = asyncio.create_task(publisher.run())
        await room.until(number)
        if then:
            room.chosen.append(then)
            publisher.on_watch()
            await room.until(number + 2)
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task

    asyncio.run(scene())


def test_a_book_is_shown_several_times_between_two_pictures_of_a_table() -> None:
    room = Room("book:0x1", "markets")
    run(room, 14)
    counts = Counter(room.shown)
    assert counts["book:0x1"] >= 3 * counts["markets"] >= 3


def test_no_topic_is_left_out_and_none_is_faster_than_asked() -> None:
    room = Room("decisions", "markets", "modules", "status")
    run(room, 12, view_hz=1)
    assert set(Counter(room.shown).values()) == {3}


def test_a_new_choice_is_shown_next_and_not_when_the_others_are_due() -> None:
    room = Room("markets")
    run(room, 1, then="orders", view_hz=1)
    assert room.shown[1] == "orders"
