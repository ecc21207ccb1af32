"""Invariant 15 and faults B13 to B16: our books against the practice exchange's truth.

A random crowd trades, cancels, splits, merges, converts and redeems while settlement fails. Each
trader's books are kept from the exchange's emissions alone and compared all the way and at rest:
cash, each token and both provisional buckets, fees, rebates and rewards, to the micro-unit.
"""

import os
from collections import Counter

import pytest

from polytui.engine.core.errors import OperatorError
from polytui.engine.core.order_enums import EntryKind
from polytui.engine.core.units import U
from polytui.engine.sim.exchange.terms import DelayTerms, Settings, SettlementTerms
from tests.engine.portfolio.shadow import Shadow
from tests.engine.sim.exchange.flow import DEEDS, TRADERS, Deed, Flow, S, transfer

SHARES = (0.0, 0.01, 0.05, 0.243, 0.35)
STEPS = int(os.environ.get("PORTFOLIO_STEPS", "4000"))
"""Of each run; more find more."""
EVERY = 40
"""Steps between comparisons."""


def rules(share: float) -> Settings:
    return Settings(
        settlement=SettlementTerms(
            mine=DelayTerms(low_ms=100, high_ms=3_000),
            confirm=DelayTerms(low_ms=10, high_ms=60_000, median_ms=2_000),
            fail_chance=share,
            retry_chance=0.2,
        ),
        payout_min_u6=10_000,
    )


class Crowd:
    """A flow of everything that can be done to an exchange, and the books of everybody in it."""

    def __init__(self, share: float, seed: int, *, strategies: int, skip: tuple[Deed, ...]) -> None:
        self.flow = Flow(seed)
        self.flow.exchange.drain()
        self.rules = rules(share)
        self.shadows = [Shadow(self.flow.exchange, who, strategies) for who in TRADERS]
        self.deeds = [deed for weight, deed in DEEDS for _ in range(weight) if deed not in skip]

    def step(self) -> None:
        """Do one thing; silly requests are part of it."""
        flow = self.flow
        if flow.exchange.settings != self.rules:
            flow.exchange.configure(self.rules)
        try:
            self.deeds[flow.rng.below(len(self.deeds))](flow)
        except OperatorError:
            flow.count["silly"] += 1
        self.hear()

    def hear(self) -> None:
        emissions = self.flow.exchange.drain()
        for shadow in self.shadows:
            shadow.hear(emissions)

    def rest(self) -> None:
        """Cancel everything and wait until all has settled and the day has been paid."""
        for trader in TRADERS:
            self.flow.exchange.cancel_all(trader)
        for _ in range(25):
            self.flow.exchange.advance(self.flow.exchange.now_ns + 3_600 * S)
            self.hear()

    def run(self) -> "Crowd":
        for n in range(STEPS):
            self.step()
            if n % EVERY == 0:
                for shadow in self.shadows:
                    shadow.compare()
        self.rest()
        return self

    def kinds(self) -> Counter[EntryKind]:
        """Count what was booked."""
        total: Counter[EntryKind] = Counter()
        for shadow in self.shadows:
            total.update(shadow.kinds)
        return total


@pytest.mark.slow
@pytest.mark.timeout(120)
@pytest.mark.parametrize("share", SHARES)
def test_b13_b14_b15_b16_inv15_at_any_share_of_failures_books_equal_the_exchange_exactly(
    share: float,
) -> None:
    crowd = Crowd(share, round(1_000 * share) + 3, strategies=3, skip=()).run()
    failed = ended = 0
    for shadow in crowd.shadows:
        shadow.compare()
        books = shadow.books
        assert books.settlement.pending == {}
        assert (books.incoming_u6, books.outgoing_u6) == (0, 0)
        assert all(row[1:] == (0, 0) for row in books.tokens().values())
        counts = books.settlement.failed_share(1_000)
        failed, ended = failed + counts[0], ended + counts[1]
    kinds = crowd.kinds()
    for kind in (EntryKind.SPLIT, EntryKind.MERGE, EntryKind.REDEEM, EntryKind.CONVERT):
        assert kinds[kind] > 0, kinds
    assert kinds[EntryKind.REBATE] > 0
    assert kinds[EntryKind.PROMOTE] + kinds[EntryKind.VOID] == kinds[EntryKind.FILL] > 300
    assert sum(shadow.books.summary().fees_u6 for shadow in crowd.shadows) > U
    assert abs(failed / ended - share) < 0.12


@pytest.mark.slow
@pytest.mark.timeout(120)
def test_cost_fees_and_profit_of_one_strategy_equal_the_exchanges_own_lots() -> None:
    crowd = Crowd(0.05, 71, strategies=1, skip=(transfer,)).run()
    for shadow in crowd.shadows:
        shadow.compare()
        shadow.compare_lots()


@pytest.mark.slow
@pytest.mark.timeout(120)
def test_profit_is_what_cash_and_tokens_are_worth_beyond_what_was_brought() -> None:
    crowd = Crowd(0.243, 72, strategies=3, skip=(transfer,)).run()
    for shadow in crowd.shadows:
        books = shadow.books
        brought_u6 = shadow.capital_u6 + shadow.opening_u6
        assert books.equity_u6 - brought_u6 == books.profit.total.net_u6
        parts = [line.day_u6 for line in books.summary().strategies]
        assert sum(parts) == books.day_pnl_u6
