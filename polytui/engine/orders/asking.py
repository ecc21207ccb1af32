"""Reads repeated for ever: one question at a time, retried, never older than its period."""

from collections.abc import Callable, Iterable
from typing import Final

from polytui.engine.core.commands import (
    Command,
    ReadBalances,
    ReadClock,
    ReadOpenOrders,
    ReadPositions,
    ReadTrades,
)
from polytui.engine.core.order_enums import Realm
from polytui.engine.core.runconfig import OrdersConfig

MS: Final = 1_000_000
S: Final = 1_000 * MS

ANSWER_NS: Final = 3 * S
"""A question without an answer for so long is asked again (fault C17)."""
AGAIN_NS: Final = (250 * MS, 500 * MS, 1_000 * MS, 2_000 * MS, 4_000 * MS)
"""After the first, second … failure in a row."""
_LEAD: Final = 5
"""A fifth of the period, at most `ANSWER_NS`, is kept for asking: the period bounds the age."""
AFTER_MARGIN_S: Final = 120
"""Reads of trades begin this much before the newest one known: clocks differ."""


class Asking:
    """One kind of read."""

    __slots__ = ("_period_ns", "asked_ns", "failures", "good_ns", "next_ns", "request", "why")

    def __init__(self, period_ms: int) -> None:
        """Start with nothing asked; a period of 0 asks only when wanted."""
        self._period_ns = period_ms * MS
        self.next_ns = 0
        """When to ask next; 0: not before it is wanted."""
        self.asked_ns = 0
        """When the question that is open was asked; 0: none is."""
        self.good_ns = 0
        """When the question of the last good answer was asked."""
        self.failures = 0
        self.request = ""
        self.why = ""

    def want(self, at_ns: int) -> None:
        """Ask no later than this; a retry that waits keeps its time, an open question its turn."""
        if not self.next_ns or (not self.failures and at_ns < self.next_ns):
            self.next_ns = at_ns

    def is_due(self, at_ns: int) -> bool:
        """Tell whether to ask now; an open question that got too old counts as failed."""
        if self.asked_ns:
            if at_ns < self.asked_ns + ANSWER_NS:
                return False
            self.failed(f"no answer for {ANSWER_NS // S} s", at_ns)
        return 0 < self.next_ns <= at_ns

    def ask(self, request: str, at_ns: int) -> str:
        """Note a question; return its name."""
        self.asked_ns, self.request, self.next_ns = at_ns, request, 0
        return request

    def answered(self, asked_ns: int) -> None:
        """Note a good answer, whoever asked; one to an older question leaves ours open."""
        self.good_ns = max(self.good_ns, asked_ns)
        if asked_ns < self.asked_ns:
            return
        self.asked_ns = self.failures = 0
        self.why = ""
        if self._period_ns:
            lead_ns = min(ANSWER_NS, self._period_ns // _LEAD)
            self.next_ns = self.good_ns + self._period_ns - lead_ns

    def abandon(self) -> None:
        """Forget a question whose answer would come too late to count."""
        self.asked_ns = 0

    def failed(self, why: str, at_ns: int) -> None:
        """Note a failure, and when to ask again."""
        wait_ns = AGAIN_NS[min(self.failures, len(AGAIN_NS) - 1)]
        self.failures += 1
        self.asked_ns = 0
        self.next_ns = at_ns + wait_ns
        self.why = f"{why} (attempt {self.failures})"

    @property
    def due_ns(self) -> int | None:
        """Return when it needs attention next."""
        if self.asked_ns:
            return self.asked_ns + ANSWER_NS
        return self.next_ns or None


class Questions:
    """All reads that nobody else owns, by name."""

    __slots__ = ("_has_doubt", "_realm", "_requests", "after_s", "asking")

    def __init__(self, realm: Realm, config: OrdersConfig, *, has_clock: bool) -> None:
        """Begin with nothing asked.

        Balances are read no later than the audit: cash that differs must show as fast (B29).
        """
        self._realm = realm
        self._requests = 0
        self._has_doubt = False
        """The next read of balances asks the venue to look at the chain first."""
        self.after_s = 0
        """Venue second of the newest trade known."""
        balances_ms = min(config.balances_every_ms, config.positions_every_ms)
        self.asking = {
            "orders": Asking(config.open_every_ms),
            "trades": Asking(config.trades_every_ms),
            "balances": Asking(balances_ms),
            "positions": Asking(config.positions_every_ms),
        }
        if has_clock:
            self.asking["clock"] = Asking(config.clock_every_ms)

    def doubt_balances(self, at_ns: int) -> None:
        """Read the balances at once, anew from the chain: the venue's cache is in doubt."""
        self._has_doubt = True
        self.asking["balances"].abandon()
        self.asking["balances"].want(at_ns)

    def due(self, at_ns: int, seq: int, tokens: Callable[[], Iterable[str]]) -> list[Command]:
        """Ask what is due, all at once."""
        commands = []
        for name, asking in self.asking.items():
            if asking.is_due(at_ns):
                self._requests += 1
                request = asking.ask(f"{self._realm.value}-{name}-{self._requests}", at_ns)
                commands.append(self._question(name, request, seq, tokens))
        return commands

    def _question(
        self, name: str, request: str, seq: int, tokens: Callable[[], Iterable[str]]
    ) -> Command:
        realm = self._realm
        if name == "orders":
            return ReadOpenOrders(cause=seq, realm=realm, request=request)
        if name == "trades":
            after_s = max(0, self.after_s - AFTER_MARGIN_S)
            return ReadTrades(cause=seq, realm=realm, request=request, after_s=after_s)
        if name == "positions":
            return ReadPositions(cause=seq, realm=realm, request=request)
        if name == "clock":
            return ReadClock(cause=seq, realm=realm)
        asked = tuple(sorted(set(tokens())))
        refresh, self._has_doubt = self._has_doubt, False
        return ReadBalances(cause=seq, realm=realm, request=request, tokens=asked, refresh=refresh)

    def next_due_ns(self) -> int | None:
        """Return when one of them needs attention next."""
        times = [one.due_ns for one in self.asking.values() if one.due_ns is not None]
        return min(times, default=None)
