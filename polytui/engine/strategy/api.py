"""What every strategy is: a name, a tier, and a function from snapshot and memory to decision."""

from collections.abc import Callable
from typing import Any

from msgspec import Struct

from polytui.engine.core.decision import Decision
from polytui.engine.market.snapshot import MarketSnapshot

Propose = Callable[[MarketSnapshot, Any], tuple[Decision, Any]]
"""(snapshot, memory) -> (decision, new memory). Memory is a small frozen value, or None at first.

Pure: no clock, no I/O, no state outside the memory it is handed."""


class Strategy(Struct, frozen=True, kw_only=True):
    """One strategy as the engine runs it."""

    id: str
    tier: int
    """0 arbitrage, 1 market making, 2 directional: lower wins a market."""
    propose: Propose
    stands: Callable[[Decision], bool] | None = None
    """Tells whether an answer without memory stays the same, score and all, while the market's
    best prices, tick, catalog facts, epoch and proof do: then the engine counts further looks
    without asking again (docs/adr/0006). None: ask every time."""
