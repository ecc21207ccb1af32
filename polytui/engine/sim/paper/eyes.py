"""How the paper venue looks at the engine's books, which are never changed from here."""

from collections.abc import Callable

from polytui.engine.core.enums import BookState, Outcome
from polytui.engine.core.events import MarketSpec
from polytui.engine.market.desk import MarketDesk
from polytui.engine.market.tracked import Tracked
from polytui.engine.sim.paper.books import Bids, Stretch
from polytui.engine.sim.paper.venue import Eyes


def desk_eyes(desk_of: Callable[[], MarketDesk]) -> Eyes:
    """Look at a market desk; it is asked for anew each time, because a run replaces it."""

    def tracked_of(market: str) -> Tracked | None:
        desk = desk_of()
        ix = desk.catalog.find(market)
        return None if ix is None else desk.markets[ix]

    def spec_of(market: str) -> MarketSpec | None:
        tracked = tracked_of(market)
        return None if tracked is None else tracked.spec

    def tick_of(market: str) -> int:
        tracked = tracked_of(market)
        return 0 if tracked is None else tracked.book.tick_u6

    def stretch_of(market: str) -> Stretch | None:
        """Name the time since which the book has been trusted without interruption."""
        tracked = tracked_of(market)
        if tracked is None or tracked.quality.state is not BookState.SYNCED:
            return None
        return tracked.quality.epoch, tracked.quality.since_ns

    def bids_of(market: str, outcome: Outcome) -> Bids | None:
        """Return a token's bids while the book may be used, to the last level."""
        tracked = tracked_of(market)
        if tracked is None or tracked.quality.state is not BookState.SYNCED:
            return None
        side = tracked.book.yes if outcome is Outcome.YES else tracked.book.no
        return zip(reversed(side.px), reversed(side.qty), strict=True)

    return Eyes(bids_of=bids_of, stretch_of=stretch_of, spec_of=spec_of, tick_of=tick_of)
