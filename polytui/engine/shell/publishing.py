"""When each watched section is projected: books as fast as configured, tables as fast as read.

One section at a time with a pause after it, so that no message waits for more than one projection.
"""

import asyncio
from collections.abc import Callable
from contextlib import suppress
from typing import Final

from polytui.engine.core.view import BOOK_PREFIX, AnySection
from polytui.engine.shell.admin import AdminServer
from polytui.engine.shell.clock import SECOND_NS, read_mono_ns, sleep_until

TABLE_HZ: Final = 4
"""Pictures a second of everything but books: consoles draw no faster."""
GAP_NS: Final = SECOND_NS // 100
"""Left to the engine between two sections."""

Sections = Callable[[str], AnySection | None]
"""Makes the section of a topic now."""


class Publisher:
    """Brings sections to those who watch them."""

    def __init__(self, admin: AdminServer, sections: Sections, *, view_hz: int) -> None:
        """Publish nothing before `run`; `view_hz` is the most for any topic."""
        self._admin = admin
        self._sections = sections
        self._book_ns = SECOND_NS // view_hz
        self._table_ns = max(self._book_ns, SECOND_NS // TABLE_HZ)
        self._shown_ns: dict[str, int] = {}
        self._soon: set[str] = set()
        """Topics that somebody chose since they were shown last."""
        self._watched = asyncio.Event()

    def on_watch(self) -> None:
        """Have somebody's choice of topics looked at soon."""
        self._soon.update(self._admin.topics())
        self._watched.set()

    async def run(self) -> None:
        """Publish what is due until cancelled."""
        while True:
            self._watched.clear()
            topics = self._admin.topics()
            self._shown_ns = {t: ns for t, ns in self._shown_ns.items() if t in topics}
            due_ns, topic = min(((self._due_ns(t), t) for t in topics), default=(0, ""))
            if not topic:
                await self._watched.wait()
            elif due_ns > read_mono_ns():
                await self._until(due_ns)
            else:
                self._shown_ns[topic] = read_mono_ns()
                self._soon.discard(topic)
                self._admin.publish(topic, self._sections(topic))
                await sleep_until(read_mono_ns() + GAP_NS)

    def _due_ns(self, topic: str) -> int:
        shown_ns = self._shown_ns.get(topic)
        if shown_ns is None:
            return 0
        is_quick = topic in self._soon or topic.startswith(BOOK_PREFIX)
        return shown_ns + (self._book_ns if is_quick else self._table_ns)

    async def _until(self, due_ns: int) -> None:
        """Wait for a time, or for somebody's new choice."""
        wait_s = (due_ns - read_mono_ns()) / SECOND_NS
        with suppress(TimeoutError):
            async with asyncio.timeout(wait_s):
                await self._watched.wait()
