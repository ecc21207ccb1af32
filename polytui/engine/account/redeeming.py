"""Asks for what resolved markets pay: at once, and again for what settled later or was refused."""

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from polytui.engine.account.account import Account

AGAIN_NS: Final = 60_000_000_000
"""What is still held is asked for again after this."""


def redeem_all(account: "Account", *, at_ns: int, seq: int) -> None:
    """Redeem in every resolved market what is confirmed there, when it is due."""
    for market in account.payouts:
        asked_ns = account.redeemed_ns.get(market, -AGAIN_NS)
        is_early = at_ns - asked_ns < AGAIN_NS
        is_early |= market in account.redeemed_ns and _is_under_way(account, market)
        if _is_held(account, market) and not is_early:
            account.redeemed_ns[market] = at_ns
            request = f"redeem-{account.realm.value}-{market[:8]}-{seq}"
            account.move("redeem", market, 0, request=request, seq=seq)


def _is_held(account: "Account", market: str) -> bool:
    pair, positions = account.pair(market), account.portfolio.positions
    return pair is not None and any(positions.confirmed_u6(place.token) > 0 for place in pair)


def _is_under_way(account: "Account", market: str) -> bool:
    """Tell whether tokens still come or go: one redemption is for all that is left then."""
    holdings = account.portfolio.positions.in_market(market)
    return any(one.in_u6 or one.out_u6 for holding in holdings for one in holding.positions())
