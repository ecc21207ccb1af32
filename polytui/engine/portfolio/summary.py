"""The account in numbers for the View: frozen, bounded, nothing to compute on the other side."""

from collections.abc import Mapping
from typing import TYPE_CHECKING

from msgspec import Struct

from polytui.engine.core.enums import Outcome, Side
from polytui.engine.core.trading import CASH
from polytui.engine.portfolio.exposure import MARKET, STRATEGY, TOTAL
from polytui.engine.portfolio.ledger import LOST, REBATES, REWARDS, purse
from polytui.engine.portfolio.positions import Holding, Mark, Place, Position

if TYPE_CHECKING:
    from polytui.engine.portfolio.portfolio import Portfolio

_NO_MARK = Mark(-1, -1)


class TokenLine(Struct, frozen=True, kw_only=True, gc=False):
    """One token of one strategy in numbers."""

    strategy: str
    place: Place
    confirmed_u6: int
    provisional_in_u6: int
    provisional_out_u6: int
    reserved_u6: int
    """In open sales of this strategy."""
    cost_u6: int
    avg_px_u6: int
    mark_u6: int
    """Best bid; -1 without one."""
    value_u6: int
    realized_u6: int
    unrealized_u6: int
    fees_u6: int
    oldest_ns: int
    """First sighting of its oldest fill under way; 0: none."""
    updated_ns: int


class MarketLine(Struct, frozen=True, kw_only=True, gc=False):
    """One market's exposure in numbers."""

    market: str
    group: str
    worst_u6: int
    settled_u6: int
    failed_u6: int
    pairs_u6: int


class StrategyLine(Struct, frozen=True, kw_only=True, gc=False):
    """One strategy in numbers."""

    strategy: str
    exposure_u6: int
    realized_u6: int
    unrealized_u6: int
    fees_u6: int
    rebates_u6: int
    rewards_u6: int
    day_u6: int
    fills: int


class Summary(Struct, frozen=True, kw_only=True, gc=False):
    """The whole account in numbers, for the View."""

    tokens: tuple[TokenLine, ...]
    markets: tuple[MarketLine, ...]
    strategies: tuple[StrategyLine, ...]
    cash_u6: int
    incoming_u6: int
    outgoing_u6: int
    reserved_u6: int
    free_u6: int
    equity_u6: int
    peak_u6: int
    pairs_u6: int
    at_risk_u6: int
    exposure_u6: int
    utilization_u6: int
    """Share of equity that is bound: cost of positions, outgoing, reserved."""
    realized_u6: int
    unrealized_u6: int
    fees_u6: int
    rebates_u6: int
    rewards_u6: int
    lost_u6: int
    day_u6: int
    drawdown_u6: int
    provisional: int
    oldest_ns: int
    balances_ns: int


def summarize(books: "Portfolio") -> Summary:
    """Write everything the console may show of an account; flat positions are left out."""
    reserved_u6, total = books.reserved_cash_u6, books.profit.total
    live = [
        holding
        for market in books.positions.markets()
        for holding in books.positions.in_market(market)
        if holding.is_live
    ]
    markets = tuple(
        _market_line(books, market) for market in dict.fromkeys(one.market for one in live)
    )
    oldest, sold = _oldest(books), _sold(books)
    return Summary(
        tokens=tuple(line for one in live for line in _token_lines(books, one, oldest, sold)),
        markets=markets,
        strategies=tuple(_strategy_line(books, name) for name in sorted(books.profit.shares)),
        cash_u6=books.cash_u6,
        incoming_u6=books.incoming_u6,
        outgoing_u6=books.outgoing_u6,
        reserved_u6=reserved_u6,
        free_u6=books.free_cash_u6(reserved_u6),
        equity_u6=books.equity_u6,
        peak_u6=books.peak_u6,
        pairs_u6=sum(line.pairs_u6 for line in markets),
        at_risk_u6=books.settlement.at_risk_u6(),
        exposure_u6=books.exposure.of(TOTAL),
        utilization_u6=books.utilization_u6(reserved_u6),
        realized_u6=total.realized_u6,
        unrealized_u6=total.unrealized_u6,
        fees_u6=total.fees_u6,
        rebates_u6=-books.ledger.sum_of(REBATES),
        rewards_u6=-books.ledger.sum_of(REWARDS),
        lost_u6=books.ledger.of(LOST, CASH),
        day_u6=books.day_pnl_u6,
        drawdown_u6=books.profit.drawdown_u6,
        provisional=len(books.settlement.pending),
        oldest_ns=books.settlement.oldest_ns(),
        balances_ns=books.balances_ns,
    )


Sums = dict[tuple[str, str], int]
"""By (strategy, token), or (strategy, market and outcome)."""


def _oldest(books: "Portfolio") -> Sums:
    """Find when the oldest fill under way of each position was first seen."""
    found: Sums = {}
    for one in books.settlement.pending.values():
        key = one.change.strategy, one.change.token
        found[key] = min(found.get(key, one.change.at_ns), one.change.at_ns)
    return found


def _sold(books: "Portfolio") -> Sums:
    """Add up the tokens in open sales."""
    found: Sums = {}
    for one in books.exposure.items():
        if one.side is Side.SELL and not one.is_fill:
            key = one.strategy, f"{one.market}/{one.outcome.value}"
            found[key] = found.get(key, 0) + one.qty_u6
    return found


def _token_lines(
    books: "Portfolio", holding: Holding, oldest: Mapping[tuple[str, str], int], sold: Sums
) -> list[TokenLine]:
    mark = books.mark_of(holding.market)
    values = (0, 0) if mark is None else holding.values_u6(mark)
    lines = []
    for one in holding.positions():
        value_u6 = values[0 if one.place.outcome is Outcome.YES else 1]
        value_u6 = one.cost_u6 if mark is None else value_u6
        lines.append(_token_line(one, mark or _NO_MARK, value_u6, oldest, sold))
    return lines


def _token_line(
    one: Position,
    mark: Mark,
    value_u6: int,
    oldest: Mapping[tuple[str, str], int],
    sold: Mapping[tuple[str, str], int],
) -> TokenLine:
    place = one.place
    return TokenLine(
        strategy=one.strategy,
        place=place,
        confirmed_u6=one.confirmed_u6,
        provisional_in_u6=one.in_u6,
        provisional_out_u6=one.out_u6,
        reserved_u6=sold.get((one.strategy, f"{place.market}/{place.outcome.value}"), 0),
        cost_u6=one.cost_u6,
        avg_px_u6=one.avg_px_u6,
        mark_u6=mark.px_u6(place.outcome),
        value_u6=value_u6,
        realized_u6=one.realized_u6,
        unrealized_u6=value_u6 - one.cost_u6,
        fees_u6=one.fees_u6,
        oldest_ns=oldest.get((one.strategy, place.token), 0),
        updated_ns=one.updated_ns,
    )


def _market_line(books: "Portfolio", market: str) -> MarketLine:
    return MarketLine(
        market=market,
        group=books.positions.in_market(market)[0].positions()[0].place.group,
        worst_u6=books.exposure.of(MARKET, market),
        settled_u6=books.exposure.as_if_u6(market, settled=True),
        failed_u6=books.exposure.as_if_u6(market, settled=False),
        pairs_u6=books.pairs_u6(market),
    )


def _strategy_line(books: "Portfolio", name: str) -> StrategyLine:
    share = books.profit.shares[name]
    return StrategyLine(
        strategy=name,
        exposure_u6=books.exposure.of(STRATEGY, name),
        realized_u6=share.realized_u6,
        unrealized_u6=share.unrealized_u6,
        fees_u6=share.fees_u6,
        rebates_u6=-books.ledger.of(purse(REBATES, name), CASH),
        rewards_u6=-books.ledger.of(purse(REWARDS, name), CASH),
        day_u6=books.profit.day_u6(name),
        fills=share.fills,
    )
