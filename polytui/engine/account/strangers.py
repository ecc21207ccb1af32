"""Markets that nobody listed and in which something of ours is: held since before, or by hand.

After a restart only what can be traded is listed. What is held elsewhere is a claim all the same:
its market must be known to be valued, booked and redeemed.
"""

from typing import TYPE_CHECKING, Final

from polytui.engine.core.commands import Follow

if TYPE_CHECKING:
    from polytui.engine.account.account import Account

FIRST_NS: Final = 10_000_000_000
"""A listing is waited for so long: at a start most are under way."""
AGAIN_NS: Final = 60_000_000_000
"""A market that is still unknown is asked for again after this."""


class Strangers:
    """When each unknown market of one account is asked for."""

    __slots__ = ("_due_ns",)

    def __init__(self) -> None:
        """Nothing is unknown."""
        self._due_ns: dict[str, int] = {}

    def look(self, account: "Account", *, at_ns: int, seq: int) -> None:
        """Ask for every unknown market that is due."""
        unknown = [market for market in _ours(account) if account.markets.spec(market) is None]
        due_ns = {market: self._due_ns.get(market, at_ns + FIRST_NS) for market in unknown}
        for market in unknown:
            if at_ns >= due_ns[market]:
                due_ns[market] = at_ns + AGAIN_NS
                account.act(Follow(cause=seq, market=market))
        self._due_ns = due_ns


def _ours(account: "Account") -> dict[str, None]:
    """Name the markets with tokens, orders, or trades that could not be booked, each once."""
    positions = account.portfolio.positions
    held = [m for m in positions.markets() if any(h.is_live for h in positions.in_market(m))]
    ordered = [order.draft.market for order in account.orders.counted()]
    return dict.fromkeys([*held, *ordered, *account.trades.homeless()])
