"""Small practice worlds, and what tests measure on them."""

from collections.abc import Callable, Iterator

from polytui.engine.core.units import U
from polytui.engine.sim.exchange.emissions import Emission
from polytui.engine.sim.exchange.terms import Settings
from polytui.engine.sim.population.crowd import Temper
from polytui.engine.sim.population.market import Market
from polytui.engine.sim.practice_world import PracticeWorld
from polytui.engine.sim.scenario import Script

SECOND_NS = 1_000_000_000
MS_NS = 1_000_000
START_NS = 1_795_000_000 * SECOND_NS
"""100 s into an up/down window."""


def world(
    *,
    seed: int = 1,
    singles: int = 4,
    temper: Temper | None = None,
    script: Script | None = None,
    settings: Settings | None = None,
) -> PracticeWorld:
    """Open a practice venue at a fixed time."""
    if script is None:
        script = Script(title="test", population=temper or Temper())
    return PracticeWorld(
        seed=seed, start_ns=START_NS, singles=singles, script=script, settings=settings
    )


def run(venue: PracticeWorld, seconds: float, *, step_ms: int = 1_000) -> Iterator[list[Emission]]:
    """Let time pass in steps, handing out what happened in each."""
    end_ns = venue.now_ns + int(seconds * SECOND_NS)
    while venue.now_ns < end_ns:
        yield venue.advance(min(end_ns, venue.now_ns + step_ms * MS_NS))
        venue.take_prints()
        venue.exchange.drain_log()


def markets_where(venue: PracticeWorld, holds: Callable[[Market], bool]) -> list[Market]:
    """Pick markets of the population."""
    return [market for market in venue.population.markets.values() if holds(market)]


def is_single(market: Market) -> bool:
    """Tell a market that stands by itself."""
    return not market.terms.neg_risk and market.terms.outcomes == ("Yes", "No")


def mid(venue: PracticeWorld, market: Market) -> float | None:
    """The middle of a two-sided book, None otherwise."""
    bid_u6, ask_u6 = venue.exchange.best(market.condition)
    return None if bid_u6 == 0 or ask_u6 == U else (bid_u6 + ask_u6) / 2 / U


def depth_u6(venue: PracticeWorld, market: Market, within_u6: int = 50_000) -> int:
    """Shares within a distance of the touch, both sides."""
    book = venue.exchange.book(market.condition)
    assert book is not None
    bid_u6, ask_u6 = venue.exchange.best(market.condition)
    bids = sum(qty for px, qty in book.bids if px >= bid_u6 - within_u6)
    return bids + sum(qty for px, qty in book.asks if px <= ask_u6 + within_u6)
