"""What the venue remembers beyond the exchange: prices by the minute, volumes, public trades."""

from collections import deque
from typing import Final

from polytui.engine.core.units import U
from polytui.engine.sim.exchange.emissions import BookChanged, Emission, TradePrinted
from polytui.engine.sim.exchange.exchange import Exchange

MINUTE_NS: Final = 60_000_000_000
DAY_NS: Final = 1_440 * MINUTE_NS
MINUTES_MAX: Final = 1_440
PRINTS_MAX: Final = 500
"""Public trades kept of one market."""


class History:
    """The last day of every market."""

    def __init__(self, exchange: Exchange) -> None:
        """Start with nothing."""
        self._exchange = exchange
        self._minutes: dict[str, deque[tuple[int, int]]] = {}
        self._prints: dict[str, deque[TradePrinted]] = {}
        self._volumes: dict[str, deque[tuple[int, int]]] = {}
        self.prices: dict[str, int] = {}
        """Last trade of each market in YES terms."""

    def take(self, emission: Emission) -> None:
        """Note a change of price or a trade."""
        if isinstance(emission, BookChanged):
            if emission.bid_u6 > 0 and emission.ask_u6 < U:
                mid_u6 = (emission.bid_u6 + emission.ask_u6) // 2
                self._note(emission.condition, emission.at_ns, mid_u6)
        elif isinstance(emission, TradePrinted):
            self._print(emission)

    def _note(self, condition: str, at_ns: int, mid_u6: int) -> None:
        minutes = self._minutes.setdefault(condition, deque(maxlen=MINUTES_MAX))
        minute_s = at_ns // MINUTE_NS * 60
        if minutes and minutes[-1][0] == minute_s:
            minutes[-1] = (minute_s, mid_u6)
        else:
            minutes.append((minute_s, mid_u6))

    def _print(self, trade: TradePrinted) -> None:
        self._prints.setdefault(trade.condition, deque(maxlen=PRINTS_MAX)).append(trade)
        volumes = self._volumes.setdefault(trade.condition, deque(maxlen=MINUTES_MAX))
        minute = trade.at_ns // MINUTE_NS
        cash_u6 = trade.px_u6 * trade.qty_u6 // U
        if volumes and volumes[-1][0] == minute:
            volumes[-1] = (minute, volumes[-1][1] + cash_u6)
        else:
            volumes.append((minute, cash_u6))
        terms = self._exchange.market(trade.condition)
        if terms is not None:
            is_yes = trade.token == terms.tokens[0]
            self.prices[trade.condition] = trade.px_u6 if is_yes else U - trade.px_u6

    def minutes(self, condition: str) -> list[tuple[int, int]]:
        """List (second, YES mid) of the last day's minutes, oldest first."""
        return list(self._minutes.get(condition, ()))

    def prints(self, condition: str) -> list[TradePrinted]:
        """List the last public trades of a market, newest first."""
        return list(reversed(self._prints.get(condition, ())))

    def volume_u6(self, condition: str, now_ns: int) -> int:
        """Add up the dollars traded in the last day."""
        since = (now_ns - DAY_NS) // MINUTE_NS
        return sum(cash for minute, cash in self._volumes.get(condition, ()) if minute >= since)
