"""Gives every event its place: decodes frames, numbers events, stamps our time.

The same object serves the live runner and the replay of a capture, so both see the same events
with the same numbers. It owns `seq` and nothing else.
"""

from collections.abc import Callable, Mapping

from polytui.engine.core.enums import Feed
from polytui.engine.core.events import Event, Stamped
from polytui.engine.core.ids import ConnId
from polytui.engine.shell.clock import Anchor
from polytui.engine.wire import binance, chainlink, coinbase, polymarket

Decoder = Callable[[ConnId, bytes], list[Event]]
"""Never raises: what cannot be read becomes a `WireFault`."""

DECODERS: Mapping[Feed, Decoder] = {
    Feed.POLYMARKET: polymarket.decode,
    Feed.COINBASE: coinbase.decode,
    Feed.COINBASE_ADVANCED: coinbase.decode_advanced,
    Feed.BINANCE: binance.decode,
    Feed.CHAINLINK: chainlink.decode,
}


class Sequencer:
    """Numbers events from 1 and keeps `at_ns` from going back."""

    __slots__ = ("_ahead_ns", "_at_ns", "seq")

    def __init__(self, anchor: Anchor) -> None:
        """Start a log at seq 0: the first event gets 1."""
        self._ahead_ns = anchor.at_ns(0)
        """Engine time when the monotonic clock read 0."""
        self._at_ns = 0
        self.seq = 0

    def stamp(self, mono_ns: int, event: Event) -> Stamped:
        """Give one event its place."""
        at_ns = mono_ns + self._ahead_ns
        if at_ns > self._at_ns:
            self._at_ns = at_ns
        else:
            at_ns = self._at_ns
        seq = self.seq = self.seq + 1
        return Stamped(seq, at_ns, event)

    def frame(self, *, conn: ConnId, feed: Feed, mono_ns: int, data: bytes) -> list[Stamped]:
        """Decode one frame and give its events their places."""
        # Enum members hash in Python, so the busiest feed is not looked up.
        decode = polymarket.decode if feed is Feed.POLYMARKET else DECODERS[feed]
        events = decode(conn, data)
        if len(events) == 1:
            return [self.stamp(mono_ns, events[0])]
        return [self.stamp(mono_ns, event) for event in events]
