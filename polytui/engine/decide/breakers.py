"""Breakers of G22 and G23: they trip by themselves and only a person resets them.

What each does is the table `EFFECTS`. Resetting takes the typed phrase `RESET <kind>` and a reason,
and is refused while what tripped it still stands: otherwise it would trip again at once, or, worse,
be a second allowance.
"""

from collections import deque
from collections.abc import Mapping
from enum import Enum

import msgspec
from msgspec import Struct

from polytui.engine.core.account_view import BreakerRow
from polytui.engine.core.errors import OperatorError, shown
from polytui.engine.core.runconfig import LimitsConfig
from polytui.engine.core.units import u6_from_float
from polytui.engine.decide.words import DAY_NS, dollars, percent, span

REPETITION = "repetition"
DAY_LOSS = "day_loss"
DRAWDOWN = "drawdown"
STRATEGY_LOSS = "strategy_loss"
FAILED = "failed_settlements"

BREAKERS_MAX = 10_000
"""Breakers tripped at once; strategies times markets, like the windows."""


class Effect(Enum):
    """What a tripped breaker does beyond refusing entries."""

    LATCH = "latch"
    """The strategy sends nothing more in that market, flatten excepted."""
    ENTRIES = "entries"
    """The strategy opens nothing more anywhere."""
    REDUCE = "reduce"
    """The realm is REDUCING: hedges and exits that lower the worst case pass, so that a storm of
    failed settlements can still be hedged (fault B13)."""
    KILL = "kill"


EFFECTS: Mapping[str, Effect] = {
    REPETITION: Effect.LATCH,
    STRATEGY_LOSS: Effect.ENTRIES,
    DRAWDOWN: Effect.REDUCE,
    FAILED: Effect.REDUCE,
    DAY_LOSS: Effect.KILL,
}


class Breaker(Struct, frozen=True, kw_only=True):
    """One that tripped."""

    name: str
    """The kind, and for some whose: `repetition:box:0x…`, `strategy_loss:box`."""
    why: str
    tripped_ns: int

    @property
    def effect(self) -> Effect:
        """Look up what it does."""
        return EFFECTS[self.name.partition(":")[0]]


class State(Struct, frozen=True, kw_only=True):
    """What a restart must know."""

    tripped: tuple[Breaker, ...] = ()
    settled: tuple[bool, ...] = ()
    """The latest settlements, True where one failed."""
    peak_u6: int = 0
    """The highest equity since the drawdown breaker was last reset."""


class Breakers:
    """The breakers of one realm."""

    __slots__ = ("_limits", "_settled", "peak_u6", "tripped")

    def __init__(self, limits: LimitsConfig) -> None:
        """Start with all closed."""
        self._limits = limits
        self.tripped: dict[str, Breaker] = {}
        self._settled: deque[bool] = deque(maxlen=limits.failed_window)
        self.peak_u6 = 0
        """The highest equity, as the drawdown breaker saw it since its last reset."""

    def set_limits(self, limits: LimitsConfig) -> None:
        """Follow changed limits; nothing that tripped closes by it."""
        if limits.failed_window != self._limits.failed_window:
            self._settled = deque(self._settled, maxlen=limits.failed_window)
        self._limits = limits

    # --- trip ------------------------------------------------------------------------------------

    def trip(self, name: str, why: str, at_ns: int) -> Breaker | None:
        """Trip one; None when it stands already: the first reason is kept."""
        assert name.partition(":")[0] in EFFECTS, f"there is no breaker {name}"
        if name in self.tripped or len(self.tripped) >= BREAKERS_MAX:
            return None
        breaker = self.tripped[name] = Breaker(name=name, why=why, tripped_ns=at_ns)
        return breaker

    def watch(
        self, *, day_u6: int, equity_u6: int, by_strategy: Mapping[str, int], at_ns: int
    ) -> list[Breaker]:
        """Look at the day's result, the strategies' and equity; return what tripped now."""
        limits = self._limits
        found: list[tuple[str, str]] = []
        if -day_u6 >= limits.day_loss_u6:
            found.append((DAY_LOSS, f"{dollars(day_u6)} of -{dollars(limits.day_loss_u6)}"))
        for strategy, result_u6 in by_strategy.items():
            if -result_u6 >= limits.strategy_loss_u6:
                why = f"{dollars(result_u6)} of -{dollars(limits.strategy_loss_u6)}"
                found.append((f"{STRATEGY_LOSS}:{strategy}", why))
        self.peak_u6 = max(self.peak_u6, equity_u6)
        if self._falls_too_far(equity_u6):
            fall = f"{dollars(self.peak_u6 - equity_u6)} below {dollars(self.peak_u6)}"
            found.append((DRAWDOWN, f"{fall}, limit {percent(limits.drawdown)}"))
        return self._trip_all(found, at_ns)

    def settled(self, *, has_failed: bool, at_ns: int) -> list[Breaker]:
        """Note how a settlement ended; return what tripped now.

        The share is of the whole window, so that the first failure of a run is not 100 %.
        """
        self._settled.append(has_failed)
        failed = sum(self._settled)
        if not self._fails_too_often():
            return []
        share = f"{failed} of the last {self._limits.failed_window}"
        why = f"{share}, limit {percent(self._limits.failed_share)}"
        return self._trip_all([(FAILED, why)], at_ns)

    def repeated(self, strategy: str, market: str, why: str, at_ns: int) -> Breaker | None:
        """Latch a strategy off in a market."""
        return self.trip(f"{REPETITION}:{strategy}:{market}", why, at_ns)

    def _trip_all(self, found: list[tuple[str, str]], at_ns: int) -> list[Breaker]:
        tripped = [self.trip(name, why, at_ns) for name, why in found]
        return [breaker for breaker in tripped if breaker is not None]

    def _falls_too_far(self, equity_u6: int) -> bool:
        limit_u6 = u6_from_float(self._limits.drawdown)
        fall_u6 = self.peak_u6 - equity_u6
        return fall_u6 > 0 and fall_u6 * 1_000_000 >= limit_u6 * self.peak_u6

    def _fails_too_often(self) -> bool:
        limit_u6 = u6_from_float(self._limits.failed_share) * self._limits.failed_window
        return sum(self._settled) * 1_000_000 > limit_u6

    # --- ask -------------------------------------------------------------------------------------

    def before_entry(self, strategy: str) -> str:
        """Say which breaker stands before an entry of a strategy; empty: none."""
        if not self.tripped:
            return ""
        for name in (DAY_LOSS, DRAWDOWN, FAILED, f"{STRATEGY_LOSS}:{strategy}"):
            breaker = self.tripped.get(name)
            if breaker is not None:
                return f"{name}: {breaker.why}"
        return ""

    def latched(self, strategy: str, market: str) -> str:
        """Say why a strategy is latched off in a market; empty: it is not."""
        if not self.tripped:
            return ""
        breaker = self.tripped.get(f"{REPETITION}:{strategy}:{market}")
        return "" if breaker is None else breaker.why

    @property
    def failed_count(self) -> int:
        """Count the failures among the latest settlements."""
        return sum(self._settled)

    # --- reset -----------------------------------------------------------------------------------

    def reset(
        self, name: str, *, phrase: str, reason: str, day_u6: int, strategy_day_u6: int, at_ns: int
    ) -> Breaker:
        """Close one at a person's word.

        A drawdown is measured anew from the equity of now, failed settlements from the next one.
        A loss of the day stands until the day is over or its limit was loosened.

        Raises:
            OperatorError: nothing of that name tripped, the phrase or the reason is missing, or
                its cause still stands.
        """
        breaker = self.tripped.get(name)
        if breaker is None:
            known = ", ".join(self.tripped) or "none has tripped"
            raise OperatorError(f"there is no tripped breaker {shown(name)}: {known}")
        wanted = phrase_of(name)
        if phrase != wanted:
            raise OperatorError(f"type {wanted} to reset {name}, was {shown(phrase)}")
        if not reason.strip():
            raise OperatorError(f"say why {name} is reset")
        self._refuse_standing(breaker, day_u6, strategy_day_u6, at_ns)
        if name == DRAWDOWN:
            self.peak_u6 = 0
        if name == FAILED:
            self._settled.clear()
        del self.tripped[name]
        return breaker

    def _refuse_standing(
        self, breaker: Breaker, day_u6: int, strategy_day_u6: int, at_ns: int
    ) -> None:
        kind = breaker.name.partition(":")[0]
        standing = {
            DAY_LOSS: (day_u6, self._limits.day_loss_u6),
            STRATEGY_LOSS: (strategy_day_u6, self._limits.strategy_loss_u6),
        }
        result_u6, limit_u6 = standing.get(kind, (0, 1))
        if -result_u6 >= limit_u6:
            left = span(DAY_NS - at_ns % DAY_NS)
            raise OperatorError(
                f"{breaker.name} still stands at {dollars(result_u6)} of -{dollars(limit_u6)}: "
                f"the day ends in {left}, or loosen the limit"
            )

    def rows(self, prefix: str = "") -> tuple[BreakerRow, ...]:
        """List what tripped, the latest first."""
        newest = sorted(self.tripped.values(), key=lambda b: -b.tripped_ns)
        return tuple(
            BreakerRow(name=prefix + b.name, tripped_ns=b.tripped_ns, why=b.why) for b in newest
        )

    def dump(self) -> str:
        """Write the state as JSON."""
        state = State(
            tripped=tuple(self.tripped.values()),
            settled=tuple(self._settled),
            peak_u6=self.peak_u6,
        )
        return msgspec.json.encode(state).decode()

    def restore(self, value: str) -> None:
        """Put back what `dump` wrote; what tripped meanwhile stays tripped."""
        state = msgspec.json.decode(value, type=State)
        self.tripped = {b.name: b for b in state.tripped} | self.tripped
        self._settled.extendleft(reversed(state.settled))
        self.peak_u6 = max(self.peak_u6, state.peak_u6)


def phrase_of(name: str) -> str:
    """Say what must be typed to reset a breaker: its kind, as ids cannot be typed."""
    return f"RESET {name.partition(':')[0]}"
