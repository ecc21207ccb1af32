"""What a flatten would have to sell: holdings of an account with the books of now."""

from typing import TYPE_CHECKING

from polytui.engine.core.enums import Outcome
from polytui.engine.decide.exits import Holding
from polytui.engine.market.snapshot import MarketSnapshot

if TYPE_CHECKING:
    from polytui.engine.account.account import Account


def holdings(account: "Account", *, at_ns: int, seq: int) -> list[Holding]:
    """List every token held or under way; a market without a usable book has no bids."""
    found = []
    portfolio = account.portfolio
    for token, (confirmed_u6, in_u6, _) in portfolio.tokens().items():
        place = portfolio.positions.places[token]
        tracked = account.markets.tracked(place.market)
        if tracked is None or tracked.resolved:
            continue
        quotes = account.markets.quotes(place.market, at_ns=at_ns, seq=seq)
        reserved_u6 = account.orders.reserved_qty_u6(token)
        sellable_u6 = portfolio.sell_capacity_u6(token, reserved_u6)
        paired_u6 = min(sellable_u6, portfolio.pairs_u6(place.market)) if confirmed_u6 else 0
        found.append(
            Holding(
                market=place.market,
                group=place.group,
                token=token,
                outcome=place.outcome,
                sellable_u6=sellable_u6,
                paired_u6=paired_u6,
                unsettled_u6=in_u6,
                bids=_bids(quotes, place.outcome),
                tick_u6=tracked.book.tick_u6,
                epoch=tracked.quality.epoch,
                snapshot=seq,
            )
        )
    return found


def _bids(quotes: MarketSnapshot | None, outcome: Outcome) -> tuple[tuple[int, int], ...]:
    return () if quotes is None else tuple(quotes.bids(outcome))
