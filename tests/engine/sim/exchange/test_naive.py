"""The fast engine agrees with the obvious one on random flows (issue 3, "must hold")."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from polytui.engine.core.enums import Side
from polytui.engine.core.rng import Rng
from polytui.engine.core.units import text_u6
from tests.engine.sim.exchange.naive import Naive
from tests.engine.sim.exchange.rig import ANN, BOB, CAT, FAK, FOK, GTC, MARKET, NO, YES, Rig, terms

START = "10000000"


class Both:
    """The two engines side by side, fed alike."""

    def __init__(self, tick_u6: int = 10_000) -> None:
        self.rig = Rig(terms(tick_u6=tick_u6), cash=START)
        for account in (ANN, BOB, CAT):
            self.rig.split(account, START)
        self.naive = Naive(YES)
        self.tick_u6 = tick_u6
        self.start = {
            (account, asset): self.rig.exchange.balance(account, asset).balance_u6
            for account in (ANN, BOB, CAT)
            for asset in ("pUSD", YES, NO)
        }
        self.live: list[tuple[str, str]] = []
        self.matched = 0

    def place(self, who: int, side: int, tick: int, lots: int, kind: int, *, is_yes: bool) -> None:
        """Place one order on both and compare the answers."""
        account = (ANN, BOB, CAT)[who]
        price = text_u6(tick * self.tick_u6)
        order_type = (GTC, GTC, GTC, FAK, FOK)[kind]
        size = text_u6(lots * 10_000)
        request = self.rig.request(
            account,
            (Side.BUY, Side.SELL)[side],
            price,
            size,
            YES if is_yes else NO,
            order_type=order_type,
            post_only=kind == 2,
        )
        if order_type is not GTC and side and request.taker_amount_u6 % 100:
            return
        result = self.rig.exchange.place(request)
        got = result.error.code.value if result.error else result.status.value  # type: ignore[union-attr]  # one of the two is there
        if got == "marketable_min":
            return
        shares, dollars = result.taking_u6, result.making_u6
        if side:
            shares, dollars = dollars, shares
        assert (got, shares, dollars) == self.naive.place(request)
        self.matched += got == "matched"
        self.live.append((account, request.order_id))

    def cancel(self, which: int) -> None:
        """Cancel one remembered order on both."""
        if self.live:
            owner, order_id = self.live.pop(which % len(self.live))
            done = self.rig.exchange.cancel(owner, (order_id,))
            assert bool(done.canceled) == self.naive.cancel(order_id)

    def compare(self) -> None:
        """Compare books, then money once all has settled."""
        assert self.rig.book(MARKET) == self.naive.book()
        self.rig.settle()
        for key, start_u6 in self.start.items():
            now_u6 = self.rig.exchange.balance(*key).balance_u6
            assert now_u6 - start_u6 == self.naive.moved.get(key, 0)


@pytest.mark.slow
@pytest.mark.timeout(60)
@pytest.mark.parametrize("seed", [1, 2, 3])
@pytest.mark.parametrize("tick_u6", [10_000, 2_500])
def test_the_naive_engine_agrees_on_long_flows(seed: int, tick_u6: int) -> None:
    rng, both = Rng(seed), Both(tick_u6)
    middle = 500_000 // tick_u6
    for step in range(5_000):
        if rng.below(4):
            tick = middle + rng.between(-8, 8)
            lots = rng.between(500, 9_000)
            who, side, kind = rng.below(3), rng.below(2), rng.below(5)
            both.place(who, side, tick, lots, kind, is_yes=bool(rng.below(2)))
        else:
            both.cancel(rng.next_u64())
        if step % 100 == 0:
            assert both.rig.book(MARKET) == both.naive.book()
    assert both.matched > 700
    both.compare()


ORDERS = st.tuples(
    st.integers(0, 2),
    st.integers(0, 1),
    st.booleans(),
    st.integers(45, 55),
    st.integers(500, 3_000),
    st.integers(0, 4),
)


@pytest.mark.slow
@pytest.mark.timeout(60)
@settings(max_examples=300)
@given(st.lists(st.one_of(ORDERS, st.integers(0, 50)), max_size=30))
def test_the_naive_engine_agrees_on_whatever_is_found(steps: list[tuple[int, ...] | int]) -> None:
    both = Both()
    for step in steps:
        if isinstance(step, int):
            both.cancel(step)
        else:
            who, side, is_yes, tick, lots, kind = step
            both.place(who, side, tick, lots, kind, is_yes=bool(is_yes))
    both.compare()
