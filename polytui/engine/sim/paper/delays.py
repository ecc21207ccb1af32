"""How long each leg of an order's way takes: feed, submit, response, match to confirmed.

Every draw is named after what it delays, so that one more message never shifts the delays of the
others, and the same orders on the same tape arrive at the same times under either maker model.
"""

from enum import Enum
from typing import Final

from polytui.engine.core.rng import Rng
from polytui.engine.core.runconfig import PaperConfig

MS: Final = 1_000_000
Percentiles = tuple[int, int, int]
"""p50, p95, p99 in milliseconds."""


class Leg(Enum):
    """Parts of the way."""

    FEED = "feed"
    """From the venue's stamp to our receipt."""
    SUBMIT = "submit"
    RESPONSE = "response"
    SETTLE = "settle"
    """From match to confirmed or failed."""


def delay_ns(percentiles: Percentiles, draw: float) -> int:
    """Return the delay at a share of the distribution: straight lines through the percentiles.

    From half the median at 0, through p50, p95 and p99, the last line carried on to the end.
    """
    p50, p95, p99 = percentiles
    if draw < 0.5:
        ms = p50 * (0.5 + draw)
    elif draw < 0.95:
        ms = p50 + (p95 - p50) * (draw - 0.5) / 0.45
    else:
        ms = p95 + (p99 - p95) * (draw - 0.95) / 0.04
    return int(ms * MS)


class Delays:
    """Draws the delays of one account."""

    __slots__ = ("_legs", "_rng", "hold_ns")

    def __init__(self, config: PaperConfig, rng: Rng) -> None:
        """Take the configured percentiles."""
        self._rng = rng
        settle95, settle99 = config.settle_tail_ms
        least = config.settle_ms
        self._legs: dict[Leg, Percentiles] = {
            Leg.FEED: config.feed_ms,
            Leg.SUBMIT: config.submit_ms,
            Leg.RESPONSE: config.response_ms,
            Leg.SETTLE: (least, max(least, settle95), max(least, settle95, settle99)),
        }
        self.hold_ns = config.taker_delay_ms * MS
        """How long an up/down market holds a marketable order."""

    def draw_ns(self, leg: Leg, name: str) -> int:
        """Draw the delay of one named thing: the same name, the same delay."""
        return delay_ns(self._legs[leg], self._rng.fork(f"{leg.value}:{name}").unit())
