"""The practice venue itself: which markets it lists and what its crowd does to their books.

It knows neither connections nor schedules; whoever drives it says when something happens. The
matching exchange that follows takes the place of this file.
"""

from msgspec import Struct

from polytui.engine.core.events import MarketSpec
from polytui.engine.core.rng import Rng
from polytui.engine.core.units import u6_from_float
from polytui.engine.sim import practice_catalog as catalog
from polytui.engine.sim import practice_flow as flow
from polytui.engine.sim import practice_wire as wire
from polytui.engine.sim.practice_beliefs import (
    Belief,
    Drifting,
    Exclusive,
    Member,
    PricePath,
    UpDown,
)
from polytui.engine.sim.practice_books import PracticeBook
from polytui.engine.sim.practice_catalog import SECOND_NS, WINDOW_S

MS = 1_000_000

MARKETS_PER_SLOT = 100
"""200 tokens on one connection, the venue's working limit (`venue/polymarket.md` §4.3)."""

ROLLING_WEIGHT = 4
"""The up/down market changes this many times as often as any other."""

TRADE_SHARE = 0.06
COARSE_U6 = 10_000
FINE_ABOVE_U6 = 960_000
"""A best bid above this, for either token, makes the venue refine the grid."""

NEWS_CHANCE = 0.985
"""Where a surprise moves a market: far enough for a finer grid."""


class Market:
    """A listed market: its book, what the crowd believes, where it is sent."""

    __slots__ = ("belief", "book", "frozen_until_ns", "slot")

    def __init__(self, book: PracticeBook, belief: Belief, *, slot: int) -> None:
        """Put a book and a belief together."""
        self.book = book
        self.belief = belief
        self.slot = slot
        self.frozen_until_ns = 0


class Act(Struct, frozen=True):
    """What the crowd just did."""

    market: Market
    frames: list[flow.Frame]


class PracticeVenue:
    """All markets and the crowd that trades them."""

    def __init__(self, rng: Rng, path: PricePath, *, singles: int, now_ns: int) -> None:
        """List the single markets, the group and the current up/down market."""
        self._rng = rng.fork("flow")
        self._path = path
        self.markets: dict[str, Market] = {}
        """By condition id, in the order of listing."""
        self._lottery: list[Market] = []
        """Every market as often as its weight."""
        beliefs = rng.fork("beliefs")
        for n, (spec, chance) in enumerate(catalog.singles(singles)):
            drifting = Drifting(chance, beliefs.fork(spec.slug), at_ns=now_ns)
            self._list(spec, drifting, now_ns=now_ns, slot=n // MARKETS_PER_SLOT)
        members = catalog.group()
        chances = [chance for _, chance in members]
        exclusive = Exclusive(chances, beliefs.fork("group"), at_ns=now_ns)
        for ix, (spec, _) in enumerate(members):
            self._list(spec, Member(exclusive, ix), now_ns=now_ns)

    def list_window(self, start_s: int, now_ns: int) -> Market:
        """List the up/down market of the window that begins at this second."""
        belief = UpDown(self._path, start_s)
        return self._list(catalog.updown(start_s), belief, now_ns=now_ns, weight=ROLLING_WEIGHT)

    def resolve_window(self, market: str, now_ns: int) -> bytes:
        """Take an up/down market off the list and write how it ended."""
        gone = self.markets.pop(market)
        self._lottery = [other for other in self._lottery if other is not gone]
        belief = gone.belief
        assert isinstance(belief, UpDown), "expected only up/down markets to resolve"
        return wire.market_resolved(
            gone.book.spec,
            winner=0 if belief.is_up() else 1,
            number=belief.start_s // WINDOW_S,
            at_ms=now_ns // MS,
        )

    def act(self, now_ns: int) -> Act:
        """Let the crowd act once, on a market drawn by weight; a frozen one yields no frames."""
        market = self.pick(self._rng)
        if market.frozen_until_ns > now_ns:
            return Act(market, [])
        rng, book = self._rng, market.book
        fair_u6 = u6_from_float(market.belief.probability(now_ns))
        at_ms = now_ns // MS - rng.between(8, 28)
        if rng.chance(TRADE_SHARE):
            frames = flow.trade(book, rng, at_ms=at_ms)
        else:
            frames = flow.quote(book, fair_u6, rng, at_ms=at_ms)
        highest_u6 = max(bids.best_u6() for bids in book.bids)
        if book.tick_u6 == COARSE_U6 and highest_u6 > FINE_ABOVE_U6:
            frames += flow.refine_tick(book, at_ms=at_ms)
        return Act(market, frames)

    def pick(self, rng: Rng) -> Market:
        """Draw a market, the busy ones more often."""
        return self._lottery[rng.below(len(self._lottery))]

    def surprise(self) -> None:
        """Bring news that makes the first market still on the coarse grid nearly certain."""
        for market in self.markets.values():
            if isinstance(market.belief, Drifting) and market.book.tick_u6 == COARSE_U6:
                market.belief.move_home(NEWS_CHANCE)
                return

    def _list(
        self, spec: MarketSpec, belief: Belief, *, now_ns: int, slot: int = 0, weight: int = 1
    ) -> Market:
        book = PracticeBook(spec, at_ms=now_ns // MS)
        flow.seed_levels(book, u6_from_float(belief.probability(now_ns)), self._rng)
        market = Market(book, belief, slot=slot)
        self.markets[spec.market] = market
        self._lottery += [market] * weight
        return market


def window_start_s(now_ns: int) -> int:
    """Return the second at which the current up/down window began."""
    return now_ns // SECOND_NS // WINDOW_S * WINDOW_S
