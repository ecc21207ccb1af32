"""What the switches do to market frames on their way to the embedded engine (`sim/faults`).

The wire server does the same on its sockets; here there are none, only frames and how much later
than usual each arrives. A healthy venue draws no randomness.
"""

from collections.abc import Iterable
from math import exp, log

from polytui.engine.core.rng import Rng
from polytui.engine.sim.exchange.terms import DelayTerms
from polytui.engine.sim.faults import Switches
from polytui.engine.sim.venue_frames import Frame, FrameKind

MS_NS = 1_000_000

Late = tuple[bytes, int]
"""A frame's bytes, and how many nanoseconds later than usual they arrive."""


class MarketWeather:
    """Loses, doubles, swaps, tears and delays frames as the switches say."""

    __slots__ = ("_held", "_rng")

    def __init__(self, rng: Rng) -> None:
        """Start with nothing held back."""
        self._rng = rng
        self._held: dict[int, bytes] = {}
        """By connection: a frame that waits for its successor."""

    def through(self, frame: Frame, switches: Switches, slot: int) -> list[Late]:
        """Return what arrives of a frame, and how late."""
        if switches.market_freeze:
            return []
        return [
            late
            for data, late_ms in _halves(frame, switches)
            for late in self._jostled(data, late_ms * MS_NS, switches, slot)
        ]

    def _jostled(self, data: bytes, late_ns: int, switches: Switches, slot: int) -> Iterable[Late]:
        rng = self._rng
        if switches.frame_drop and rng.chance(switches.frame_drop):
            return
        if switches.market_delay.high_ms:
            late_ns += sample_ms(switches.market_delay, rng) * MS_NS
        if switches.frame_swap and slot not in self._held and rng.chance(switches.frame_swap):
            self._held[slot] = data
            return
        yield data, late_ns
        if switches.frame_repeat and rng.chance(switches.frame_repeat):
            yield data, late_ns
        held = self._held.pop(slot, None)
        if held is not None:
            yield held, late_ns


def _halves(frame: Frame, switches: Switches) -> list[tuple[bytes, int]]:
    """Take deaf tokens out of a frame, and tear the mirror side of a change off."""
    deaf, torn_ms = switches.deaf_tokens, switches.torn_ms
    if frame.kind is not FrameKind.PRICE_CHANGE:
        return [] if frame.token and frame.token in deaf else [(frame.data, 0)]
    if not deaf and not torn_ms:
        return [(frame.data, 0)]
    tokens = list(dict.fromkeys(token for token, _ in frame.entries))
    heard = [token for token in tokens if token not in deaf]
    if len(heard) == len(tokens) and not torn_ms:
        return [(frame.data, 0)]
    return [(frame.only(token).data, torn_ms if n else 0) for n, token in enumerate(heard)]


def sample_ms(terms: DelayTerms, rng: Rng) -> int:
    """Draw a waiting time from its terms; no waiting draws nothing."""
    if terms.high_ms <= 0:
        return 0
    if not terms.median_ms:
        return rng.between(terms.low_ms, terms.high_ms)
    drawn = exp(log(terms.median_ms) + terms.sigma * rng.normal())
    return min(terms.high_ms, max(terms.low_ms, round(drawn)))
