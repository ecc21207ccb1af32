"""Worst-case exposure: invariant 10 (its exposure part), against an enumerating oracle."""

import time
from collections import defaultdict

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import structs

from polytui.engine.core.enums import Outcome, Side
from polytui.engine.core.units import U
from polytui.engine.portfolio.exposure import ACCOUNT, Check, Exposure, Item
from tests.engine.portfolio.desk import BUY, GROUP, NO, SELL, YES, item, u6
from tests.engine.portfolio.naive import Held, worst

STRATEGIES = ("box", "external", "mm")
MARKETS = (("m1", "g"), ("m2", "g"), ("m3", ""))


def hold(exposure: Exposure, yes: str, no: str, cost: str, strategy: str = "box") -> None:
    exposure.hold(
        strategy=strategy,
        market=YES.market,
        group=GROUP,
        yes_u6=u6(yes),
        no_u6=u6(no),
        cost_u6=u6(cost),
        paid_u6=u6(cost),
    )


def total(exposure: Exposure) -> int:
    return exposure.worst_u6().get(ACCOUNT, 0)


def test_inv10_a_buy_risks_its_cash_and_fee_and_wins_nothing_in_advance() -> None:
    exposure = Exposure()
    exposure.put(item("a", BUY, "0.46", "100", fee="0.5"))
    assert total(exposure) == u6("46.5")
    exposure.put(item("b", BUY, "0.5", "100", place=NO))
    assert total(exposure) == u6("50"), "either may fill alone; NO costs more"


def test_inv10_a_pair_that_is_held_risks_nothing_and_its_hedge_adds_nothing() -> None:
    exposure = Exposure()
    hold(exposure, "100", "0", "47")
    assert total(exposure) == u6("47")
    exposure.put(item("hedge", BUY, "0.5", "100", place=NO))
    assert total(exposure) == u6("47"), "the hedge may fail, and alone it wins when YES does"
    hold(exposure, "100", "100", "50")
    exposure.drop("hedge")
    hold(exposure, "100", "100", "0")
    assert total(exposure) == 0


def test_inv10_a_sale_never_hedges_in_advance_and_never_adds_to_a_long() -> None:
    exposure = Exposure()
    hold(exposure, "100", "0", "47")
    exposure.put(item("exit", SELL, "0.45", "100"))
    assert total(exposure) == u6("47")
    check = exposure.check(item("exit", SELL, "0.45", "100"))
    assert check.total.before_u6 == check.total.after_u6 == u6("47")
    assert check.total.filled_u6 == u6("2"), "0.47 paid, 0.45 received, whatever wins"


def test_a_candidate_is_judged_without_itself_and_changes_nothing() -> None:
    exposure = Exposure()
    exposure.put(item("a", BUY, "0.5", "10"))
    exposure.put(item("b", BUY, "0.4", "10"))
    before = exposure.worst_u6()
    for key, expected in (("b", "5"), ("new", "9")):
        check = exposure.check(item(key, BUY, "0.4", "10"))
        assert check.total.before_u6 == u6(expected)
        assert check.total.after_u6 == u6(expected) + u6("4")
        assert exposure.worst_u6() == before
    assert exposure.worst_u6(item("new", BUY, "0.4", "10")) == {
        ("market", YES.market): u6("13"),
        ("group", GROUP): u6("13"),
        ("strategy", "box"): u6("13"),
        ("total", ""): u6("13"),
    }


def test_scopes_are_sums_and_a_market_without_a_group_is_its_own() -> None:
    exposure = Exposure()
    for n, (market, group) in enumerate(MARKETS):
        for strategy in STRATEGIES:
            one = item(f"{strategy}{market}", BUY, "0.5", str(2 + 2 * n), strategy=strategy)
            exposure.put(structs.replace(one, market=market, group=group))
    assert exposure.of("market", "m1") == u6("3")
    assert exposure.of("group", "g") == u6("9")
    assert exposure.of("group", "m3") == u6("9")
    assert exposure.of("strategy", "external") == u6("6")
    assert total(exposure) == u6("18")
    for key in exposure.order_keys():
        exposure.drop(key)
    assert exposure.worst_u6() == {}


def test_a_sale_by_hand_is_laid_at_the_door_of_those_who_hold_the_tokens() -> None:
    exposure = Exposure()
    hold(exposure, "60", "0", "30", "box")
    hold(exposure, "40", "0", "20", "mm")
    exit_ = item("out", SELL, "0.4", "100", strategy="operator")
    check = exposure.check(exit_)
    assert check.market.after_u6 == check.market.before_u6 == u6("50")
    assert check.market.filled_u6 == u6("10")
    exposure.put(exit_)
    assert [(one.strategy, one.qty_u6) for one in exposure.items()] == [
        ("box", u6("60")),
        ("mm", u6("40")),
    ]
    assert exposure.of("strategy", "operator") == 0
    more = exposure.check(item("more", SELL, "0.4", "10", strategy="operator"))
    assert more.market.after_u6 > more.market.before_u6, "nobody has these: a short"


def test_settled_and_failed_worlds_are_shown_apart() -> None:
    exposure = Exposure()
    hold(exposure, "100", "0", "47")
    exposure.put(item("hedge", BUY, "0.5", "100", place=NO, is_fill=True))
    assert exposure.as_if_u6(YES.market, settled=True) == 0
    assert exposure.as_if_u6(YES.market, settled=False) == u6("47")
    assert exposure.of("market", YES.market) == u6("47")


@pytest.mark.parametrize(
    ("pays", "expected"), [(U, "0"), (0, "5"), (U // 2, "0")], ids=["yes", "no", "split"]
)
def test_a_known_outcome_leaves_one_world_and_no_sunk_loss(pays: int, expected: str) -> None:
    exposure = Exposure()
    hold(exposure, "100", "0", "47")
    exposure.put(item("late", BUY, "0.5", "10", is_fill=True))
    assert total(exposure) == u6("52")
    exposure.resolve(YES.market, pays)
    assert total(exposure) == u6(expected)


# --- against the oracle --------------------------------------------------------------------------

amounts = st.integers(1, 60_000_000)


@st.composite
def items(draw: st.DrawFn, count: int = 8) -> list[Item]:
    """Draw orders and fills over three strategies and three markets, odd cash included."""
    found = []
    for n in range(draw(st.integers(0, count))):
        market, group = draw(st.sampled_from(MARKETS))
        qty_u6 = draw(amounts)
        found.append(
            Item(
                key=f"k{n}",
                strategy=draw(st.sampled_from(STRATEGIES)),
                market=market,
                group=group,
                outcome=draw(st.sampled_from(Outcome)),
                side=draw(st.sampled_from(Side)),
                qty_u6=qty_u6,
                cash_u6=draw(st.integers(0, qty_u6)),
                fee_u6=draw(st.integers(0, qty_u6 // 10)),
                is_fill=draw(st.booleans()),
            )
        )
    return found


holdings = st.dictionaries(
    st.tuples(st.sampled_from(STRATEGIES), st.sampled_from(MARKETS)),
    st.tuples(amounts, amounts, st.integers(0, 60_000_000)),
    max_size=5,
)
Holdings = dict[tuple[str, tuple[str, str]], tuple[int, int, int]]


def build(held: Holdings, listed: list[Item]) -> Exposure:
    exposure = Exposure()
    for (strategy, (market, group)), (yes_u6, no_u6, cost_u6) in held.items():
        exposure.hold(
            strategy=strategy,
            market=market,
            group=group,
            yes_u6=yes_u6,
            no_u6=no_u6,
            cost_u6=cost_u6,
            paid_u6=cost_u6,
        )
    for one in listed:
        exposure.put(one)
    return exposure


def oracle(held: Holdings, listed: list[Item]) -> dict[tuple[str, str], int]:
    """Enumerate each strategy and market, then add up the scopes."""
    groups = dict(MARKETS)
    apart: dict[tuple[str, str], list[Item]] = defaultdict(list)
    for one in listed:
        apart[one.strategy, one.market].append(one)
    owned = {(who, market): Held(*row) for (who, (market, _)), row in held.items()}
    sums: dict[tuple[str, str], int] = defaultdict(int)
    for who, market in {*apart, *owned}:
        loss_u6 = worst(owned.get((who, market), Held()), apart[who, market])
        for scope in (
            ("market", market),
            ("group", groups[market] or market),
            ("strategy", who),
            ("total", ""),
        ):
            sums[scope] += loss_u6
    return {scope: loss_u6 for scope, loss_u6 in sums.items() if loss_u6}


@given(holdings, items())
def test_inv10_running_sums_equal_the_enumeration_of_every_subset_and_both_outcomes(
    held: Holdings, listed: list[Item]
) -> None:
    exposure = build(held, listed)
    assert exposure.worst_u6() == oracle(held, exposure.items())


@given(holdings, items(), st.data())
def test_inv10_edits_in_any_order_leave_what_a_fresh_count_gives(
    held: Holdings, listed: list[Item], data: st.DataObject
) -> None:
    exposure = build(held, listed)
    for one in data.draw(st.permutations(listed)):
        if data.draw(st.booleans()):
            exposure.drop(one.key)
        else:
            exposure.put(structs.replace(one, qty_u6=one.qty_u6 // 2, cash_u6=one.cash_u6 // 2))
    assert exposure.worst_u6() == oracle(held, exposure.items())
    for key in {one.key for one in exposure.items()}:
        exposure.drop(key)
    assert exposure.worst_u6() == oracle(held, [])


@given(holdings, items(6), items(1))
def test_inv10_a_check_says_what_putting_the_order_would_lead_to(
    held: Holdings, listed: list[Item], extra: list[Item]
) -> None:
    if not extra:
        return
    candidate = structs.replace(extra[0], key="new", is_fill=False)
    exposure = build(held, listed)
    before = exposure.worst_u6()
    check = exposure.check(candidate)
    assert exposure.worst_u6() == before
    assert total(exposure) == check.total.before_u6
    exposure.put(candidate)
    assert total(exposure) == check.total.after_u6
    assert exposure.of("market", candidate.market) == check.market.after_u6
    assert exposure.of("strategy", candidate.strategy) == check.strategy.after_u6
    parts = [one for one in exposure.items() if one.key == "new"]
    others = [one for one in exposure.items() if one.key != "new"]
    assert check.total.filled_u6 == _filled(held, others, parts)


def _filled(held: Holdings, others: list[Item], parts: list[Item]) -> int:
    """Count again with the candidate's effect already in what is held."""
    booked = {key: list(row) for key, row in held.items()}
    groups = dict(MARKETS)
    for one in parts:
        row = booked.setdefault((one.strategy, (one.market, groups[one.market])), [0, 0, 0])
        sign = 1 if one.side is Side.BUY else -1
        row[0 if one.outcome is Outcome.YES else 1] += sign * one.qty_u6
        row[2] += sign * one.cash_u6 + one.fee_u6
    again: Holdings = {key: (row[0], row[1], row[2]) for key, row in booked.items()}
    return oracle(again, others).get(("total", ""), 0)


# --- speed ---------------------------------------------------------------------------------------


def crowd(count: int) -> Exposure:
    """Expose many orders of three strategies over 40 markets."""
    exposure = Exposure()
    for n in range(count):
        one = item(f"o{n}", BUY if n % 3 else SELL, "0.37", "25", fee="0.1")
        exposure.put(
            structs.replace(one, market=f"m{n % 40}", group="g", strategy=STRATEGIES[n % 3])
        )
    return exposure


def measure(exposure: Exposure, candidate: Item, rounds: int = 2_000) -> float:
    """Return microseconds per check, the best of five."""

    def once() -> float:
        begun = time.perf_counter()
        for _ in range(rounds):
            exposure.check(candidate)
        return (time.perf_counter() - begun) / rounds * 1e6

    return min(once() for _ in range(5))


@pytest.mark.slow
@pytest.mark.timeout(30)
def test_a_check_among_500_orders_takes_well_under_100_us() -> None:
    exposure = crowd(500)
    for candidate in (
        structs.replace(item("new", BUY, "0.5", "20"), market="m7"),
        structs.replace(item("new", SELL, "0.5", "20"), market="m7"),
        structs.replace(item("o7", BUY, "0.5", "20"), market="m7"),
    ):
        assert measure(exposure, candidate) < 100.0
        assert isinstance(exposure.check(candidate), Check)
