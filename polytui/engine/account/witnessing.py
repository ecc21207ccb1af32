"""Reads books by REST where an exit or a hedge waits and the stream has been quiet.

A quiet market's book is older than the gate lets anything leave on (G10), so a naked leg would
stay naked until somebody else moves. A read that confirms the book makes it young again (A1, B13).
"""

from typing import TYPE_CHECKING, Final

from polytui.engine.core.commands import ReadWitness

if TYPE_CHECKING:
    from polytui.engine.account.account import Account

MS: Final = 1_000_000
LOOK_NS: Final = 250 * MS
QUIET_NS: Final = 1_000 * MS
"""A book that has been quiet for this long is read: half of what the gate allows."""
AGAIN_NS: Final = 500 * MS
DUST_U6: Final = 10_000


class Witnessing:
    """When each market that waits for an exit was last asked about."""

    __slots__ = ("_asked_ns", "due_ns")

    def __init__(self) -> None:
        """Wait for nothing."""
        self._asked_ns: dict[str, int] = {}
        self.due_ns: int | None = None
        """When to look again; None: nothing waits."""

    def look(self, account: "Account", *, at_ns: int, seq: int) -> None:
        """Ask for the book of every market in which something must leave and nothing is heard."""
        if self.due_ns is not None and at_ns < self.due_ns:
            return
        markets = dict.fromkeys(_waiting(account))
        self.due_ns = at_ns + LOOK_NS if markets else None
        self._asked_ns = {m: ns for m, ns in self._asked_ns.items() if m in markets}
        for market in markets:
            tracked = account.markets.tracked(market)
            if tracked is None or tracked.resolved:
                continue
            heard_ns = max(tracked.last_ns or 0, self._asked_ns.get(market, 0) + AGAIN_NS)
            if at_ns - (tracked.last_ns or 0) >= QUIET_NS and at_ns >= heard_ns:
                self._asked_ns[market] = at_ns
                token = tracked.spec.tokens[0]
                account.act(ReadWitness(cause=seq, market=market, token=token))


def _waiting(account: "Account") -> list[str]:
    """List the markets with a naked leg, and those that a flatten is leaving."""
    naked = [
        bundle.market
        for bundle in account.bundles.by_id.values()
        if not (bundle.state.is_terminal or bundle.closed) and bundle.naked()[1] >= DUST_U6
    ]
    return naked + (list(account.flattening) if account.flatten.stage.is_running else [])
