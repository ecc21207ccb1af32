"""Splits, merges, redemptions and conversions: invariant 18, and who gives what."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from polytui.engine.core.account_events import PairsMoved
from polytui.engine.core.enums import Outcome
from polytui.engine.core.errors import EngineBug
from polytui.engine.core.order_enums import EntryKind, Realm, SendOutcome
from polytui.engine.core.trading import CASH
from polytui.engine.core.units import U
from polytui.engine.portfolio.chain import Conversion
from polytui.engine.portfolio.positions import Place, portions
from tests.engine.portfolio.desk import BUY, NO, PAIR, SELL, START_NS, YES, Desk, fill, u6

N = 4
NOS = tuple(Place(token=f"n{i}", market=f"q{i}", group="g", outcome=Outcome.NO) for i in range(N))
YESES = tuple(
    Place(token=f"y{i}", market=f"q{i}", group="g", outcome=Outcome.YES) for i in range(N)
)


def realized(desk: Desk, strategy: str = "box") -> int:
    return desk.books.profit.share(strategy).realized_u6


def worth(desk: Desk, winner: int | None) -> int:
    """Redeem everything in a world where one question, or none, comes true."""
    total_u6 = desk.books.cash_u6
    for token, (held_u6, _, _) in desk.books.tokens().items():
        is_true = int(token[1:]) == winner
        total_u6 += held_u6 if (token[0] == "y") is is_true else 0
    return total_u6


# --- pairs ---------------------------------------------------------------------------------------


@given(st.integers(1, 10**9), st.integers(1, 10**9))
def test_inv18_a_split_and_a_merge_conserve_value_to_the_micro_unit(split: int, merge: int) -> None:
    desk = Desk("1000")
    merge = min(merge, split)
    for op, qty_u6 in (("split", split), ("merge", merge)):
        desk.move(op, f"{qty_u6 // U}.{qty_u6 % U:06d}")
        pairs_u6 = desk.books.pairs_u6(YES.market)
        assert desk.books.cash_u6 + pairs_u6 == u6("1000")
        assert desk.held(YES) == desk.held(NO) == (pairs_u6, 0, 0)
    assert abs(realized(desk)) <= 1, "half a micro-unit is all that may be realised"
    assert desk.books.profit.total.cost_u6 - realized(desk) == split - merge


def test_a_merge_realises_the_gain_of_a_box() -> None:
    desk = Desk()
    desk.trade("y", BUY, "0.47", "100", fee="0.4")
    desk.trade("n", BUY, "0.5", "100", place=NO)
    entry = desk.move("merge", "100")
    assert entry is not None
    assert {(p.account, p.asset): p.amount_u6 for p in entry.postings} == {
        ("confirmed", CASH): u6("100"),
        ("chain", CASH): u6("-100"),
        ("confirmed", YES.token): u6("-100"),
        ("chain", YES.token): u6("100"),
        ("confirmed", NO.token): u6("-100"),
        ("chain", NO.token): u6("100"),
    }
    assert realized(desk) == u6("3")
    assert desk.books.profit.total.net_u6 == u6("2.6")
    assert desk.books.equity_u6 == u6("1002.6")


@pytest.mark.parametrize("outcome", [one for one in SendOutcome if one is not SendOutcome.ACCEPTED])
def test_what_is_not_certain_moves_nothing(outcome: SendOutcome) -> None:
    desk = Desk()
    before = desk.books.checkpoint()
    assert desk.move("split", "10", outcome=outcome) is None
    assert desk.books.checkpoint() == before


def test_pairs_leave_in_the_stated_order() -> None:
    desk = Desk()
    for who, yes, no in (("mm", "5", "9"), ("arb", "8", "2"), ("zed", "4", "6")):
        desk.trade(f"{who}y", BUY, "0.4", yes, strategy=who)
        desk.trade(f"{who}n", BUY, "0.5", no, place=NO, strategy=who)
    desk.move("merge", "13", strategy="mm")
    # mm 5 own pairs, arb 2, zed 4, then two single YES of arb with two single NO of mm.
    assert desk.held(YES, "mm")[0] == 0
    assert desk.held(NO, "mm")[0] == u6("2")
    assert desk.held(YES, "arb")[0] == u6("4")
    assert desk.held(NO, "arb")[0] == 0
    assert desk.held(YES, "zed")[0] == 0
    assert desk.held(NO, "zed")[0] == u6("2")
    assert sum(realized(desk, who) for who in ("mm", "arb", "zed")) == u6("1.3")


def test_a_merge_of_what_we_do_not_know_of_makes_the_asker_short() -> None:
    desk = Desk()
    desk.trade("y", BUY, "0.4", "5")
    desk.move("merge", "7", strategy="mm")
    assert desk.held(YES, "box")[0] == 0
    assert desk.held(YES, "mm")[0] == u6("-2")
    assert desk.held(NO, "mm")[0] == u6("-7")


def test_a_pair_of_another_market_is_our_bug() -> None:
    with pytest.raises(EngineBug, match="pair of"):
        Desk().move("merge", "1", pair=(YES, NOS[0]))
    with pytest.raises(EngineBug, match="was 'burn'"):
        Desk().move("burn", "1")


# --- redemption ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("pays", "paid", "expected"),
    [(U, "30", "18"), (0, "20", "8"), (U // 2, "25", "13"), (None, "30", "18"), (None, "25", "13")],
)
def test_inv18_a_redemption_burns_everything_and_realises_the_outcome(
    pays: int | None, paid: str, expected: str
) -> None:
    desk = Desk()
    desk.trade("a", BUY, "0.3", "30")
    desk.trade("b", BUY, "0.15", "20", place=NO)
    entry = desk.move("redeem", "0", paid=paid, yes_pays_u6=pays)
    assert entry is not None
    assert not entry.note
    assert desk.books.tokens() == {}
    assert realized(desk) == u6(expected)
    assert desk.books.cash_u6 == u6("988") + u6(paid)
    assert desk.books.exposure.of("total") == 0


def test_a_redemption_leaves_what_unsettled_sales_have_promised() -> None:
    desk = Desk()
    desk.trade("a", BUY, "0.3", "30")
    desk.tell(sold := fill("s", SELL, "0.9", "10"))
    desk.move("redeem", "0", paid="20", yes_pays_u6=U)
    assert desk.held() == (u6("10"), 0, u6("10"))
    desk.promote(sold)
    assert desk.held() == (0, 0, 0)
    assert desk.books.cash_u6 == u6("1020")


def test_after_a_redemption_only_what_is_under_way_is_at_risk() -> None:
    desk = Desk()
    desk.trade("a", BUY, "0.4", "10")
    desk.tell(late := fill("late", BUY, "0.5", "10"))
    desk.move("redeem", "0", paid="0", yes_pays_u6=0)
    assert desk.books.exposure.of("total") == u6("5"), "4 are lost, no longer at risk"
    assert realized(desk) == u6("-4")
    desk.void(late)
    assert desk.books.exposure.of("total") == 0


def test_a_redemption_that_paid_otherwise_is_booked_as_paid_and_says_so() -> None:
    desk = Desk()
    desk.trade("a", BUY, "0.3", "30")
    entry = desk.move("redeem", "0", paid="29", yes_pays_u6=U)
    assert entry is not None
    assert entry.note == "due 30"
    assert realized(desk) == u6("20")
    lucky = Desk().move("redeem", "0", paid="5", yes_pays_u6=U)
    assert lucky is not None
    assert lucky.note == "nothing held"


def test_a_redemption_pays_each_strategy_its_own_part() -> None:
    desk = Desk()
    for who, qty in (("box", "10"), ("mm", "20.000001")):
        desk.trade(who, BUY, "0.5", qty, strategy=who)
    desk.move("redeem", "0", paid="15", yes_pays_u6=U // 2)
    assert realized(desk, "box") == 0
    assert realized(desk, "mm") == 0
    assert desk.books.cash_u6 == u6("1000")


# --- conversion ----------------------------------------------------------------------------------


def convert(
    desk: Desk, count: int, amount: str, *, bips: int = 0, weights: tuple[int, ...] = ()
) -> None:
    deed = Conversion(
        ref="convert",
        given=NOS[:count],
        others=YESES[count:],
        amount_u6=u6(amount),
        fee_bips=bips,
        weights=weights,
    )
    entry = desk.books.convert(deed, at_ns=START_NS, seq=1, strategy="box")
    assert entry.kind is EntryKind.CONVERT
    desk.keep(entry)


def stock_no(amount: str) -> Desk:
    desk = Desk()
    for n, (place, px) in enumerate(zip(NOS, ("0.66", "0.7", "0.8", "0.9"), strict=True)):
        desk.trade(f"c{n}", BUY, px, amount, place=place)
    return desk


@pytest.mark.parametrize("count", [1, 2, 3, 4])
@pytest.mark.parametrize("bips", [0, 50, 333])
def test_inv18_a_conversion_is_worth_the_same_in_every_world_less_its_fee(
    count: int, bips: int
) -> None:
    desk = stock_no("10.000001")
    before = [worth(desk, winner) for winner in (*range(N), None)]
    profit_u6 = desk.books.profit.total.net_u6
    convert(desk, count, "10.000001", bips=bips)
    out_u6 = 10_000_001 - 10_000_001 * bips // 10_000
    fee_u6 = 10_000_001 - out_u6
    after = [worth(desk, winner) for winner in (*range(N), None)]
    for winner, (old_u6, new_u6) in enumerate(zip(before[:N], after[:N], strict=True)):
        # k NO become k - 1 dollars and a YES of each other one, each less the fee.
        kept = count - 1 + (1 if winner >= count else 0)
        assert old_u6 - new_u6 == kept * fee_u6
    # If none comes true, k NO paid k and the conversion sold that for k - 1 (`quant.md` §3).
    assert before[N] - after[N] == 10_000_001 + (count - 1) * fee_u6
    cash_u6 = (count - 1) * out_u6
    if count < N:
        assert desk.books.profit.total.net_u6 == profit_u6, "cost goes on, nothing is realised"
    else:
        cost_u6 = sum(px * 10_000_001 // U for px in (660_000, 700_000, 800_000, 900_000))
        assert realized(desk) == cash_u6 - cost_u6


def test_tv31_a_conversion_carries_its_cost_to_the_yes_legs_by_their_bids() -> None:
    desk = stock_no("100")
    convert(desk, 2, "100", weights=(170_000, 200_000))
    assert desk.books.cash_u6 == u6("1000") - u6("306") + u6("100")
    costs = [desk.books.positions.get("box", place).cost_u6 for place in YESES[2:]]
    assert sum(costs) == u6("36"), "0.66 + 0.70 - 1 a share"
    assert costs[0] == u6("36") * 17 // 37
    desk.trade("s2", SELL, "0.17", "100", place=YESES[2])
    desk.trade("s3", SELL, "0.2", "100", place=YESES[3])
    assert realized(desk) == u6("1"), "TV-3.1 without fees: +.01 a share"


def test_an_unnamed_outcome_is_carried_at_nothing() -> None:
    desk = stock_no("10")
    convert(desk, 2, "10", weights=(300_000, 0))
    assert desk.books.positions.get("box", YESES[3]).cost_u6 == 0
    assert desk.books.positions.get("box", YESES[2]).cost_u6 == u6("3.6")


@given(st.lists(st.integers(0, 10**7), min_size=1, max_size=8), st.integers(-(10**8), 10**8))
def test_portions_are_exact_and_in_proportion(parts: list[int], total_u6: int) -> None:
    shares = portions(total_u6, parts)
    whole = sum(parts)
    assert sum(shares) == (total_u6 if whole else 0)
    for part, share_u6 in zip(parts, shares, strict=True):
        assert whole == 0 or abs(share_u6 - total_u6 * part / whole) <= 1


def test_entries_are_numbered_without_gaps() -> None:
    desk = stock_no("10")
    convert(desk, 2, "10")
    desk.books.moved(
        PairsMoved(
            realm=Realm.LIVE,
            request="r",
            outcome=SendOutcome.ACCEPTED,
            op="split",
            market=YES.market,
            qty_u6=1,
        ),
        pair=PAIR,
        at_ns=START_NS,
        seq=9,
    )
    assert all(b.n == a.n + 1 for a, b in pairwise(desk.entries))
    assert desk.books.positions.find("operator", YES.token) is not None
