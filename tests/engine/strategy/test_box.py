"""The box: published vectors, an exhaustive oracle, and every gate."""

from fractions import Fraction
from itertools import product

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from polytui.engine.core.decision import scan_row
from polytui.engine.core.enums import MetricFamily, Outcome, Proof, Reason, Side, Unit, Verdict
from polytui.engine.core.events import FeeSchedule
from polytui.engine.core.runconfig import BoxConfig
from polytui.engine.core.units import U, parse_u6, u6_from_float
from polytui.engine.market.snapshot import MarketSnapshot
from polytui.engine.strategy.box import (
    LOT_U6,
    BoxMemory,
    best_edge_u6,
    propose,
    stands,
    strategy,
    walk_box,
)
from tests.support.floor import spec

Rungs = list[tuple[str, float]]

TV_YES: Rungs = [("0.46", 120), ("0.47", 200), ("0.49", 500)]
TV_NO: Rungs = [("0.48", 80), ("0.50", 300), ("0.51", 400)]
"""Ask ladders of TV-1.1."""

WIDE = BoxConfig(buffer_u6=0, qty_u6_max=10**12, cash_u6_max=10**12)


def snap(yes_asks: Rungs, no_asks: Rungs, *, rate: str = "0", **other: object) -> MarketSnapshot:
    """Make a snapshot with these asks: asks of one token are bids of the other, mirrored."""
    fees = FeeSchedule(rate_u6=parse_u6(rate))
    no = sorted((U - parse_u6(px), u6_from_float(qty)) for px, qty in yes_asks)
    yes = sorted((U - parse_u6(px), u6_from_float(qty)) for px, qty in no_asks)
    facts: dict[str, object] = {
        "id": 7, "at_ns": 10**18, "age_ns": 0, "spec": spec(fees=fees), "tick_u6": 10_000,
        "epoch": 0, "proof": Proof.DIGEST, "venue_ms": 1, "parity_share": 1.0,
        "yes_px": tuple(px for px, _ in yes), "yes_qty": tuple(qty for _, qty in yes),
        "no_px": tuple(px for px, _ in no), "no_qty": tuple(qty for _, qty in no),
    }  # fmt: skip
    return MarketSnapshot(**{**facts, **other})  # type: ignore[arg-type]  # names are checked by msgspec


def mirrored_sell(bids_yes: Rungs, bids_no: Rungs, *, rate: str) -> MarketSnapshot:
    """Make a snapshot from bids."""
    flip = [[(str(1 - Fraction(px)), qty) for px, qty in side] for side in (bids_no, bids_yes)]
    yes, no = ([(format(float(Fraction(px)), ".4f"), qty) for px, qty in side] for side in flip)
    return snap(yes_asks=yes, no_asks=no, rate=rate)


@pytest.mark.parametrize(
    ("rate", "qty", "cost", "profit"),
    [
        ("0", "380", "367", "13"),
        ("0.04", "320", "313.98384", "6.01616"),
        ("0.07", "120", "117.78432", "2.21568"),
    ],
)
def test_the_joint_depth_walk_gives_the_published_sizes(
    rate: str, qty: str, cost: str, profit: str
) -> None:
    """TV-1.1: quantity, all-in cost and profit at three fee rates."""
    given_snap = snap(TV_YES, TV_NO, rate=rate)
    fees = given_snap.spec.fees
    assert fees is not None
    walk = walk_box(given_snap, Side.BUY, fees, WIDE)
    assert walk.qty_u6 == parse_u6(qty)
    assert abs(walk.cash_u6 - parse_u6(cost)) <= 60, "fees round up by 0.00001 a level at most"
    assert walk.cash_u6 >= parse_u6(cost)
    assert abs(walk.profit_u6 - parse_u6(profit)) <= 60


def test_a_cash_cap_stops_the_walk_at_the_published_size() -> None:
    """TV-1.1 with $150: 157.525773 before flooring to the lot, profit 7.525773."""
    given_snap = snap(TV_YES, TV_NO)
    config = msgspec.structs.replace(WIDE, cash_u6_max=150 * U)
    walk = walk_box(given_snap, Side.BUY, FeeSchedule(rate_u6=0), config)
    assert walk.qty_u6 == parse_u6("157.52")
    assert walk.cash_u6 <= 150 * U
    assert abs(walk.profit_u6 - parse_u6("7.525773")) < 6_000, "one lot less"


EDGES = [
    ("0.04", "0.5", "0.98002"), ("0.04", "0.8", "0.98751"), ("0.04", "0.95", "0.99633"),
    ("0.05", "0.6", "0.97627"), ("0.05", "0.9", "0.99135"),
    ("0.07", "0.5", "0.96509"), ("0.07", "0.7", "0.97146"), ("0.07", "0.95", "0.99375"),
]  # fmt: skip


@pytest.mark.parametrize(("rate", "p", "total"), EDGES)
def test_break_even_totals_match_the_published_table(rate: str, p: str, total: str) -> None:
    """`quant.md` §1.1: the largest total ask with zero all-in edge, buying."""
    fees = FeeSchedule(rate_u6=parse_u6(rate))
    other = Fraction(total) - Fraction(p)
    for nudge, pays in ((Fraction(-1, 50_000), True), (Fraction(1, 50_000), False)):
        given_snap = snap([(p, 10)], [(f"{float(other + nudge):.6f}", 10)], rate=rate)
        side, edge_u6 = best_edge_u6(given_snap, fees)
        assert (edge_u6 > 0) is pays
        assert side is Side.BUY


@pytest.mark.parametrize(
    ("rate", "p", "total"),
    [("0.04", "0.5", "1.01998"), ("0.04", "0.9", "1.00744"), ("0.07", "0.7", "1.03018")],
)
def test_sell_break_even_totals_match_the_published_table(rate: str, p: str, total: str) -> None:
    """Selling a split pair at (p, total - p): the smallest bid sum with zero edge."""
    fees = FeeSchedule(rate_u6=parse_u6(rate))
    other = Fraction(total) - Fraction(p)
    for nudge, pays in ((Fraction(1, 50_000), True), (Fraction(-1, 50_000), False)):
        bid_yes, bid_no = parse_u6(p), parse_u6(f"{float(other + nudge):.6f}")
        given_snap = snap(
            [], [], rate=rate, yes_px=(bid_yes,), yes_qty=(U,), no_px=(bid_no,), no_qty=(U,)
        )
        _, edge_u6 = best_edge_u6(given_snap, fees)
        assert (edge_u6 > 0) is pays


CENTS = st.integers(30, 70)
LADDER = st.lists(
    st.tuples(CENTS, st.integers(1, 6)), min_size=1, max_size=3, unique_by=lambda r: r[0]
)


@given(LADDER, LADDER, st.sampled_from(["0", "0.04", "0.07"]), st.integers(0, 20_000))
def test_the_walk_earns_as_much_as_the_best_of_all_sizes(
    yes: list[tuple[int, int]], no: list[tuple[int, int]], rate: str, buffer_u6: int
) -> None:
    """Greedy against exhaustive search over whole-share sizes, in exact fractions."""
    given_snap = snap([(f"0.{c}", q) for c, q in yes], [(f"0.{c}", q) for c, q in no], rate=rate)
    fees = given_snap.spec.fees
    assert fees is not None
    config = msgspec.structs.replace(WIDE, buffer_u6=buffer_u6)
    walk = walk_box(given_snap, Side.BUY, fees, config)

    def outlay(ladder: list[tuple[int, int]], qty: int) -> Fraction:
        total = Fraction(0)
        for cents, depth in sorted(ladder):
            take, p = min(depth, qty), Fraction(cents, 100)
            total += take * (p + Fraction(rate) * p * (1 - p))
            qty -= take
        return total

    sizes = range(min(sum(q for _, q in yes), sum(q for _, q in no)) + 1)
    value = {
        qty: qty * (1 - Fraction(buffer_u6, U)) - outlay(yes, qty) - outlay(no, qty)
        for qty in sizes
    }
    got = walk.qty_u6 // U
    assert walk.qty_u6 % U == 0
    assert max(value.values()) - value[got] <= Fraction(len(sizes), 100_000)


def decide(
    config: BoxConfig, given_snap: MarketSnapshot, memory: BoxMemory | None = None
) -> object:
    return propose(given_snap, memory, config=config)[0]


def seen(times: int) -> BoxMemory:
    return BoxMemory(Side.BUY, times, 0, 6)


RICH = BoxConfig(buffer_u6=0)


@pytest.mark.parametrize(
    ("change", "memory", "reason"),
    [
        ({"spec": spec(fees=None)}, seen(5), Reason.FEE_UNKNOWN),
        ({"yes_px": (), "yes_qty": ()}, seen(5), Reason.ONE_SIDED),
        (
            {"spec": spec(fees=FeeSchedule(rate_u6=0), accepting=False)},
            seen(5),
            Reason.NOT_TRADABLE,
        ),
        ({"spec": spec(fees=FeeSchedule(rate_u6=0), protocol="v9")}, seen(5), Reason.NOT_TRADABLE),
        ({"proof": Proof.TOP}, seen(5), Reason.BOOK_UNPROVEN),
        ({"age_ns": 251_000_000}, seen(5), Reason.STALE_BOOK),
        ({"parity_share": 0.94}, seen(5), Reason.BOOK_PARITY),
        ({}, None, Reason.AWAIT_CONFIRMATION),
        ({"epoch": 1}, seen(5), Reason.AWAIT_CONFIRMATION),
    ],
)
def test_every_gate_holds_with_its_own_reason(
    change: dict[str, object], memory: BoxMemory | None, reason: Reason
) -> None:
    decision, _ = propose(snap(TV_YES, TV_NO, **change), memory, config=RICH)  # type: ignore[arg-type]  # names are checked by msgspec
    assert (decision.verdict, decision.reason, decision.intents) == (Verdict.HOLD, reason, ())


def test_what_cannot_be_measured_says_how_much_of_it_there_is() -> None:
    decision, _ = propose(snap([("0.5", 1)], []), None, config=BoxConfig())
    row = scan_row(decision)
    assert (row.reason, row.score, row.threshold) == (Reason.ONE_SIDED, 1, 2)
    assert (row.unit, row.metric_family) == (Unit.COUNT, MetricFamily.DATA_QUALITY)


def test_a_confirmed_box_is_proposed_in_two_legs_the_thin_one_first() -> None:
    config = BoxConfig(buffer_u6=0, confirmations=2)
    given_snap = snap(TV_YES, TV_NO)
    first, memory = propose(given_snap, None, config=config)
    assert (first.reason, first.score_u6) == (Reason.AWAIT_CONFIRMATION, 60_000)
    decision, memory = propose(given_snap, memory, config=config)
    assert decision.verdict is Verdict.INTENT
    hard, easy = decision.intents
    assert (hard.outcome, hard.leg, easy.outcome, easy.leg) == (Outcome.NO, 0, Outcome.YES, 1)
    assert hard.qty_u6 == easy.qty_u6
    assert hard.qty_u6 % LOT_U6 == 0
    assert hard.risk_cost_u6 <= config.cash_u6_max
    assert {hard.side, easy.side} == {Side.BUY}
    assert hard.bundle == easy.bundle == "box-7"
    assert hard.ev_u6 > 0
    assert 0 < hard.confidence <= 1
    assert "box" in hard.tags
    assert memory is not None
    assert memory.seen == 2


def test_a_lost_edge_starts_the_confirmation_anew() -> None:
    config = BoxConfig(buffer_u6=0)
    _, memory = propose(snap(TV_YES, TV_NO), None, config=config)
    assert memory is not None
    decision, memory = propose(snap([("0.6", 10)], [("0.5", 10)]), memory, config=config)
    assert decision.reason is Reason.EDGE_BELOW_BUFFER
    assert memory is None


@pytest.mark.parametrize(
    ("yes", "no"), [([("0.46", 4)], [("0.48", 80)]), ([("0.10", 9)], [("0.80", 9)])]
)
def test_a_box_too_small_for_the_venue_is_held(yes: Rungs, no: Rungs) -> None:
    """Minimum five shares, and one dollar for each marketable leg."""
    decision, _ = propose(snap(yes, no), seen(5), config=RICH)
    assert decision.reason is Reason.SIZE_BELOW_MINIMUM


def test_a_hold_says_how_far_it_is_from_its_threshold_in_a_normalised_row() -> None:
    decision, _ = propose(snap([("0.52", 10)], [("0.49", 10)]), None, config=BoxConfig())
    row = scan_row(decision)
    assert (decision.reason, row.score, row.threshold) == (Reason.EDGE_BELOW_BUFFER, -0.01, 0.002)
    assert row.margin == pytest.approx(-0.012)
    assert (row.unit, row.metric_family) == (Unit.USD_PER_SHARE, MetricFamily.NET_EDGE)
    assert row.timestamp == decision.at_ns


def test_no_coherent_book_is_ever_a_box() -> None:
    """A mirrored book with bid < ask has both ask sums above one, whatever the fee."""
    for bid, ask in product(range(1, 99), range(2, 100)):
        if bid < ask:
            given_snap = snap([(f"{ask / 100:.2f}", 10)], [(f"{1 - bid / 100:.2f}", 10)])
            _, edge_u6 = best_edge_u6(given_snap, FeeSchedule(rate_u6=0))
            assert edge_u6 == (bid - ask) * 10_000


QTY = st.integers(1, 10**9)


@given(
    asks=st.tuples(st.integers(1, 99), st.integers(0, 99)),
    qty=st.lists(QTY, min_size=4, max_size=4),
    rate=st.sampled_from(["0", "0.07"]),
    age_ns=st.integers(0, 10**9),
    parity=st.floats(0, 1),
)
def test_an_answer_that_stands_rests_on_best_prices_and_catalog_facts_alone(
    asks: tuple[int, int], qty: list[int], rate: str, age_ns: int, parity: float
) -> None:
    """`stands` promises the same reason and score while these are the same (docs/adr/0006)."""
    yes, no = ([(f"0.{cents:02d}", 10.0)] if cents else [] for cents in asks)
    plain = snap(yes, no, rate=rate)
    decision, memory = propose(plain, None, config=BoxConfig())
    if not stands(decision):
        return
    assert memory is None
    assert decision.margin_u6 <= 0
    other = replace(
        plain,
        id=8,
        at_ns=plain.at_ns + 1,
        age_ns=age_ns,
        parity_share=parity,
        venue_ms=2,
        yes_px=(*(px - 1 for px in plain.yes_px), *plain.yes_px),
        yes_qty=tuple(qty[: 2 * len(plain.yes_px)]),
        no_px=(*(px - 1 for px in plain.no_px), *plain.no_px),
        no_qty=tuple(qty[: 2 * len(plain.no_px)]),
    )
    again, memory = propose(other, None, config=BoxConfig())
    assert memory is None
    assert again == replace(decision, snapshot=8, at_ns=other.at_ns)


def test_the_strategy_is_tier_zero() -> None:
    made = strategy(BoxConfig())
    assert (made.id, made.tier) == ("box", 0)
    decision, _ = made.propose(snap(TV_YES, TV_NO), None)
    assert decision.strategy == "box"
