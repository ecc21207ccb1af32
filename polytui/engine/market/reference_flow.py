"""What arrives in a row from a reference feed: trade ids and settlement values, without repeats.

Trades of one product are numbered without gaps; that is the only proof of a complete trade flow
(`venue/external-feeds.md` §1.3). Settlement values have no numbers, only the time they are for.
"""

from typing import Any

from sortedcontainers import SortedDict

from polytui.engine.core.events import RefIndex

FLOW_WINDOW_NS = 60_000_000_000
"""A lost trade spoils everything computed from the trades of this time."""

CLAIMS_MAX = 2
"""Heartbeats that may repeat a trade we have not seen, after the one that first named it."""

POINTS_MAX = 900
"""Values kept per settlement series: 15 minutes of one a second."""

RESET_NS = 300_000_000_000
"""A value this much older than the newest is no repetition: the source's clock was set back, or
the newest was wrong. The series starts again, so that one bad time cannot silence a feed."""


class TradeChain:
    """Ids of the trades of one product."""

    __slots__ = ("_claim", "_claims", "complete_from_ns", "gaps", "last_id")

    def __init__(self, now_ns: int) -> None:
        """Start: nothing is known of the trades before now."""
        self.last_id: int | None = None
        self.gaps = 0
        self.complete_from_ns = now_ns
        """Every trade since then was seen."""
        self._claim = 0
        self._claims = 0

    def seed(self, trade_id: int) -> None:
        """Take a trade from before the subscription as the start of the chain."""
        if self.last_id is None or trade_id > self.last_id:
            self.last_id = trade_id

    def accept(self, trade_id: int, now_ns: int) -> bool:
        """Take the next trade; False when it was seen before."""
        last_id = self.last_id
        if last_id is not None and trade_id <= last_id:
            return False
        if last_id is not None and trade_id > last_id + 1:
            self._lose(now_ns)
        self.last_id = trade_id
        return True

    def claim(self, trade_id: int, now_ns: int) -> None:
        """Hear from a heartbeat which trade was the last; ours may still be under way."""
        if self.last_id is None or trade_id <= self.last_id:
            self._claims = 0
            return
        if not self._claims or self._claim <= self.last_id:
            self._claim, self._claims = trade_id, 0
        self._claims += 1
        if self._claims > CLAIMS_MAX:
            self._lose(now_ns)
            self.last_id = self._claim
            self._claims = 0

    def is_complete(self, now_ns: int) -> bool:
        """Tell whether every trade of the last `FLOW_WINDOW_NS` was seen."""
        return self.last_id is not None and now_ns - self.complete_from_ns >= FLOW_WINDOW_NS

    def _lose(self, now_ns: int) -> None:
        self.gaps += 1
        self.complete_from_ns = now_ns


class IndexSeries:
    """Values of one settlement series by the time they are for."""

    __slots__ = ("last", "last_ns", "points")

    def __init__(self) -> None:
        """Start empty."""
        self.points: Any = SortedDict()
        """Claimed time to micro-dollars, history included."""
        self.last: RefIndex | None = None
        """The newest value that arrived as news, not as history."""
        self.last_ns = 0
        """When it arrived, engine time."""

    def accept(self, value: RefIndex, now_ns: int) -> bool:
        """Take a value; True when it is news. History and repetitions only fill the series."""
        feed_ns = value.venue_ns or 0
        newest_ns = self.points.keys()[-1] if self.points else -1
        if not value.replayed and newest_ns - feed_ns > RESET_NS:
            self.points.clear()
            newest_ns = -1
        self.points.setdefault(feed_ns, value.value_u6)
        if len(self.points) > POINTS_MAX:
            self.points.popitem(0)
        if value.replayed or feed_ns <= newest_ns:
            return False
        self.last = value
        self.last_ns = now_ns
        return True
