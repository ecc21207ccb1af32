"""A paper account on recorded data: books and venue taken through a tape, with its coverage.

Time goes to whatever is next: what the tape holds, or what is due at the venue. Whatever is due at
an instant happens before the data of that instant is known.
"""

from collections.abc import Callable
from typing import Final

from msgspec import Struct

from polytui.engine.core.account_events import AccountEvent
from polytui.engine.core.enums import BookState
from polytui.engine.core.events import BookDelta, BookFrame, MarketListed, PublicTrade, Stamped
from polytui.engine.core.runconfig import PaperConfig, RunConfig
from polytui.engine.core.units import U
from polytui.engine.decide.release import COVERAGE_FLOOR
from polytui.engine.market.desk import MarketDesk
from polytui.engine.sim.paper.eyes import desk_eyes
from polytui.engine.sim.paper.venue import PaperVenue

SILENT_NS: Final = 5_000_000_000
"""A longer silence of a market is not covered."""
DATA: Final = (BookDelta, BookFrame, PublicTrade)


class Coverage(Struct, frozen=True, kw_only=True):
    """What was asked for of one market, and what the tape held of it."""

    market: str
    asked_ns: tuple[int, int]
    loaded_ns: tuple[int, int]
    """First and last data inside what was asked for; zeros: none."""
    events: int
    prints: int
    gaps: int
    """Silences too long, and stretches in which the book was not trusted."""
    crossed: int
    null_books: int
    """Snapshots without a bid or without an ask."""
    silence_ns: int
    """The longest, edges of the window included."""
    share: float
    """Of the window, with data and a trusted book."""

    @property
    def is_enough(self) -> bool:
        """Tell whether a result on it may count for a promotion."""
        return self.share >= COVERAGE_FLOOR


class Watch:
    """Measures the coverage of one market's window."""

    def __init__(
        self, market: str, since_ns: int, until_ns: int, *, is_trusted: bool = False
    ) -> None:
        """Ask for a window; `is_trusted` says how its book stands at the beginning."""
        self._market = market
        self._asked_ns = (since_ns, until_ns)
        self._first_ns = 0
        self._last_ns = since_ns
        self._lost_ns = self._silence_ns = 0
        self._events = self._prints = self._gaps = self._crossed = self._null = 0
        self._was_trusted = is_trusted

    def see(self, stamped: Stamped, *, is_trusted: bool, is_crossed: bool) -> None:
        """Take one event of the market and what became of its book."""
        event, at_ns = stamped.event, stamped.at_ns
        if not self._asked_ns[0] <= at_ns <= self._asked_ns[1]:
            return
        self._first_ns = self._first_ns or at_ns
        self._pass(at_ns)
        self._events += 1
        self._prints += isinstance(event, PublicTrade)
        self._crossed += is_crossed
        if isinstance(event, BookFrame):
            self._null += not event.bids or not event.asks
        self._gaps += self._was_trusted and not is_trusted
        self._was_trusted = is_trusted

    def _pass(self, at_ns: int) -> None:
        silence_ns = at_ns - self._last_ns
        self._last_ns = at_ns
        self._silence_ns = max(self._silence_ns, silence_ns)
        is_silent = silence_ns > SILENT_NS
        self._gaps += is_silent
        if is_silent or not self._was_trusted:
            self._lost_ns += silence_ns

    def coverage(self, now_ns: int = 0) -> Coverage:
        """Freeze what was measured, up to now where the window has not ended."""
        since_ns, until_ns = self._asked_ns
        until_ns = max(self._last_ns, min(until_ns, now_ns)) if now_ns else until_ns
        last_ns = self._last_ns if self._first_ns else 0
        tail_ns = until_ns - self._last_ns
        lost_ns = self._lost_ns + (tail_ns if tail_ns > SILENT_NS or not self._first_ns else 0)
        return Coverage(
            market=self._market,
            asked_ns=(since_ns, until_ns),
            loaded_ns=(self._first_ns, last_ns),
            events=self._events,
            prints=self._prints,
            gaps=self._gaps + (tail_ns > SILENT_NS),
            crossed=self._crossed,
            null_books=self._null,
            silence_ns=max(self._silence_ns, tail_ns),
            share=max(0.0, 1 - lost_ns / max(1, until_ns - since_ns)),
        )


def looks(desk: MarketDesk, market: str) -> tuple[bool, bool]:
    """Tell whether a market's book is trusted, and whether it is crossed."""
    ix = desk.catalog.find(market)
    if ix is None:
        return False, False
    tracked = desk.markets[ix]
    yes, no = tracked.book.yes.px, tracked.book.no.px
    return tracked.quality.state is BookState.SYNCED, bool(yes and no) and yes[-1] + no[-1] > U


class PaperTape:
    """One paper account going through a tape."""

    def __init__(
        self, config: PaperConfig, *, run: RunConfig | None = None, seed: int, at_ns: int
    ) -> None:
        """Begin at a moment before the tape's first."""
        self.desk = MarketDesk(run or RunConfig())
        self.venue = PaperVenue(
            config,
            seed=seed,
            at_ns=at_ns,
            eyes=desk_eyes(lambda: self.desk),
            gate=lambda _cid, _at_ns: None,
        )
        self.heard: Callable[[AccountEvent], None] = lambda _event: None
        """Told what the engine would hear."""
        self.watches: dict[str, Watch] = {}

    def take(self, stamped: Stamped) -> None:
        """Take one event of the tape, after all that was due before it."""
        event, at_ns = stamped.event, stamped.at_ns
        self._advance(at_ns)
        self.desk.apply(stamped)
        if isinstance(event, MarketListed):
            self.venue.watch(event.spec)
        else:
            self.venue.on_event(event)
        self.desk.on_time(at_ns)
        self._advance(at_ns)
        if isinstance(event, DATA) and event.market in self.watches:
            is_trusted, is_crossed = looks(self.desk, event.market)
            self.watches[event.market].see(stamped, is_trusted=is_trusted, is_crossed=is_crossed)

    def _advance(self, at_ns: int) -> None:
        for event in self.venue.advance(at_ns):
            self.heard(event)
