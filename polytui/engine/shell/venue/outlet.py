"""The way from the venue to one socket: where frames are late, lost, doubled or swapped.

Every choice is drawn from the socket's own stream of the run's seed. A socket that does not read is
not waited for: when too much is unread it is cut, as the venue cuts slow consumers.
"""

import asyncio
from collections import deque
from functools import partial
from typing import Final

from aiohttp import WSMsgType, web
from msgspec import Struct

from polytui.engine.core.rng import Rng
from polytui.engine.shell.clock import read_mono_ns, sleep_until
from polytui.engine.shell.venue.delays import sample_ms
from polytui.engine.sim.exchange.emissions import MS
from polytui.engine.sim.exchange.terms import DelayTerms
from polytui.engine.sim.faults import NO_DELAY

UNREAD_MAX: Final = 20_000
"""Frames kept for a socket that does not read."""
SLOW_CODE: Final = 1008


class Weather(Struct, frozen=True, kw_only=True):
    """What happens to frames on their way now."""

    is_frozen: bool = False
    drop: float = 0.0
    repeat: float = 0.0
    swap: float = 0.0
    delay: DelayTerms = NO_DELAY


CALM: Final = Weather()


class Outlet:
    """One socket's queue and the task that empties it."""

    def __init__(self, socket: web.WebSocketResponse, rng: Rng) -> None:
        """Take a socket that is ready."""
        self._socket = socket
        self._rng = rng
        self._queue: deque[tuple[int, bytes]] = deque()
        """(when it may leave, frame), in the order they leave."""
        self._held: bytes | None = None
        """A frame that waits for the next one, to be sent after it."""
        self._last_ns = 0
        self._wake = asyncio.Event()
        self.weather = CALM
        self.sent = 0
        self.is_slow = False

    async def run(self) -> None:
        """Send until cancelled or hung up."""
        queue = self._queue
        while not self._socket.closed:
            if not queue:
                self._wake.clear()
                await self._wake.wait()
            due_ns, data = queue.popleft()
            if self.is_slow:
                await self._socket.close(code=SLOW_CODE, message=b"too slow")
                return
            if due_ns > read_mono_ns():
                await sleep_until(due_ns)
            try:
                await self._socket.send_frame(data, WSMsgType.TEXT)
            except ConnectionError:
                return
            self.sent += 1

    def say(self, data: bytes) -> None:
        """Send what faults do not touch: answers to PING, and initial books."""
        self._push(data)

    def offer(self, data: bytes, *, mirror_ms: int = 0) -> None:
        """Send a frame through the weather; a mirror half may come later than its place."""
        weather = self.weather
        if mirror_ms:
            late = partial(self.offer, data)
            asyncio.get_running_loop().call_later(mirror_ms / 1_000, late)
            return
        if weather is CALM:
            self._push(data)
            return
        rng = self._rng
        if weather.is_frozen or (weather.drop and rng.chance(weather.drop)):
            return
        late_ms = sample_ms(weather.delay, rng)
        if self._held is None and weather.swap and rng.chance(weather.swap):
            self._held = data
            return
        self._push(data, late_ms=late_ms)
        if weather.repeat and rng.chance(weather.repeat):
            self._push(data, late_ms=late_ms)
        if self._held is not None:
            self._push(self._held, late_ms=late_ms)
            self._held = None

    def _push(self, data: bytes, *, late_ms: int = 0) -> None:
        """Queue a frame; lateness never changes the order of what is queued."""
        if len(self._queue) >= UNREAD_MAX:
            self._queue.clear()
            self.is_slow = True
        due_ns = max(self._last_ns, read_mono_ns() + late_ms * MS)
        self._last_ns = due_ns
        self._queue.append((due_ns, data))
        self._wake.set()
