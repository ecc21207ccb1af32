"""How much of the live books paper orders could have met: measured while the account trades.

A market is asked for from the first paper order in it until it resolves, or until now. What fills
said of time that the books did not cover is worth nothing: below the floor nothing is promoted.
"""

from collections.abc import Callable, Iterable

from msgspec import Struct

from polytui.engine.core.events import MarketResolved, Stamped
from polytui.engine.market.desk import MarketDesk
from polytui.engine.sim.paper.tape import DATA, Coverage, Watch, looks

WATCHED_MAX = 1_000
"""Markets measured at a time; what ended is summed up."""
_NEVER_NS = 1 << 62


class Covered(Struct, frozen=True, kw_only=True):
    """All windows together."""

    share: float
    """Of the time asked for; 0 when nothing was."""
    gaps: int
    silence_ns: int
    """The longest."""


class LiveCoverage:
    """The coverage of every market that paper orders were placed in."""

    def __init__(self, desk: Callable[[], MarketDesk]) -> None:
        """Look at these books, and change nothing in them."""
        self._desk = desk
        self._watches: dict[str, Watch] = {}
        self._ended: list[tuple[int, float, int, int]] = []

    def begin(self, token: str, at_ns: int) -> None:
        """Ask for the market of a token from now on, if nobody did yet."""
        desk = self._desk()
        ix = desk.catalog.find_token(token)
        if ix is None or len(self._watches) >= WATCHED_MAX:
            return
        market = desk.markets[ix].spec.market
        if market not in self._watches:
            is_trusted, _ = looks(desk, market)
            self._watches[market] = Watch(market, at_ns, _NEVER_NS, is_trusted=is_trusted)

    def see(self, events: Iterable[Stamped]) -> None:
        """Take the events of a turn, with the books as they are after it."""
        watches = self._watches
        for stamped in events if watches else ():
            event = stamped.event
            if isinstance(event, DATA):
                watch = watches.get(event.market)
                if watch is not None:
                    is_trusted, is_crossed = looks(self._desk(), event.market)
                    watch.see(stamped, is_trusted=is_trusted, is_crossed=is_crossed)
            elif isinstance(event, MarketResolved):
                watch = watches.pop(event.market, None)
                if watch is not None:
                    self._ended.append(_row(watch.coverage(stamped.at_ns)))

    def total(self, at_ns: int) -> Covered:
        """Sum up to now: time without data or without a trusted book is lost."""
        rows = self._ended + [_row(watch.coverage(at_ns)) for watch in self._watches.values()]
        asked_ns = sum(row[0] for row in rows)
        held_ns = sum(row[0] * row[1] for row in rows)
        return Covered(
            share=held_ns / asked_ns if asked_ns else 0.0,
            gaps=sum(row[2] for row in rows),
            silence_ns=max((row[3] for row in rows), default=0),
        )


def _row(one: Coverage) -> tuple[int, float, int, int]:
    since_ns, until_ns = one.asked_ns
    return until_ns - since_ns, one.share, one.gaps, one.silence_ns
