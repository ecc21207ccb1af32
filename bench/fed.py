"""An engine fed through a socket: the service as it is, with generated messages for a venue.

`python -m bench.fed` is that engine; `send` is the venue, a process of its own that paces messages
over a Unix socket. Decisions are timed by the service itself, here from the moment the venue sent
the message: each carries that reading of the clock that all processes of a machine share.
"""

import asyncio
import os
import socket
import struct
import sys
from pathlib import Path
from time import monotonic_ns, sleep

import msgspec
import uvloop

from bench.hotpath import CONN
from bench.stream import Stream
from polytui import settings as configuration
from polytui.engine.core.enums import Feed
from polytui.engine.core.events import ConnOpened, MarketListed, MarketSpec
from polytui.engine.shell import places
from polytui.engine.shell.clock import read_wall_ns
from polytui.engine.shell.runner import Runner
from polytui.engine.shell.service import Service
from polytui.engine.shell.sources import Sources

SOCKET = "venue.sock"
LATE_NS = 1_000_000
_HEAD = struct.Struct("<IQ")
"""Bytes that follow, and when they were sent."""
_SPECS = msgspec.msgpack.Decoder(list[MarketSpec])


class FedSources(Sources):
    """A venue that another process plays: listings first, then frames, each with its length."""

    path: Path

    async def run(self, runner: Runner) -> None:
        """Listen for the venue, then deliver what it sends, until cancelled."""
        loop = asyncio.get_running_loop()
        server = await loop.create_unix_server(lambda: _Wire(runner), str(self.path))
        await server.serve_forever()


class _Wire(asyncio.Protocol):
    """The engine's end of the connection."""

    def __init__(self, runner: Runner) -> None:
        self._runner = runner
        self._buffer = b""
        self._listed = False

    def data_received(self, data: bytes) -> None:
        """Offer every whole message, as of when it was sent."""
        buffer, at, wall_ns = self._buffer + data, 0, read_wall_ns()
        while len(buffer) >= at + _HEAD.size:
            start = at + _HEAD.size
            size, sent_ns = _HEAD.unpack_from(buffer, at)
            if len(buffer) < start + size:
                break
            at = start + size
            message = buffer[start:at]
            if self._listed:
                self._runner.offer_frame(
                    CONN, Feed.POLYMARKET, message, mono_ns=sent_ns, wall_ns=wall_ns
                )
            else:
                self._list(message)
        self._buffer = buffer[at:]

    def _list(self, message: bytes) -> None:
        self._listed = True
        self._runner.offer_event(ConnOpened(conn=CONN, feed=Feed.POLYMARKET, url="bench"))
        for spec in _SPECS.decode(message):
            self._runner.offer_event(MarketListed(spec=spec))


class FedService(Service):
    """The service with its venue replaced; nothing else differs."""

    def _make_sources(self) -> Sources:
        sources = FedSources(
            self._settings,
            self._directory,
            accounts=self._accounts,
            next_conn=self._next_conn,
            tell=self._chronicle.notice,
        )
        sources.path = self._directory / SOCKET
        return sources


def serve(overrides: dict[str, object]) -> int:
    """Run the engine until it is told to stop."""
    settings = configuration.load(file=None, overrides=overrides)
    directory = places.runtime_dir(settings.runtime_dir)
    places.prepare(directory)
    lock = places.take_lock(directory)
    try:
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            service = FedService(settings, directory)
            return runner.run(service.run(lambda line: print(line, file=sys.stderr)))
    finally:
        os.close(lock)


def send(stream: Stream, path: Path, *, rate: float) -> float:
    """Play a stream at a rate; return the share of messages sent a millisecond late or more.

    Late messages mean that the engine did not take them in time, or that this process could not
    keep up; both spoil the figures.
    """
    step_ns = 1e9 / rate
    late = 0
    while not path.exists():
        sleep(0.02)
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as wire:
        wire.connect(str(path))
        for message in (msgspec.msgpack.encode(stream.markets), *stream.opening):
            wire.sendall(_HEAD.pack(len(message), monotonic_ns()) + message)
        sleep(1)
        began_ns = monotonic_ns()
        for place, (_, data) in enumerate(stream.frames):
            due_ns = began_ns + int(place * step_ns)
            while (now_ns := monotonic_ns()) < due_ns:
                sleep((due_ns - now_ns) / 1e9)
            late += now_ns - due_ns > LATE_NS
            wire.sendall(_HEAD.pack(len(data), now_ns) + data)
    return late / len(stream.frames)


if __name__ == "__main__":
    pairs = [argument.removeprefix("--set=").partition("=") for argument in sys.argv[1:]]
    sys.exit(serve({key: value for key, _, value in pairs}))
