"""FLATTEN: cancel, verify, merge, sell the rest inside its bound, verify, receipt (B14)."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from polytui.engine.core.account_events import CancelAnswered, OpenOrdersRead, PairsMoved
from polytui.engine.core.commands import (
    CancelAll,
    MovePairs,
    ReadBalances,
    ReadOpenOrders,
    ReadWitness,
)
from polytui.engine.core.enums import Outcome, Side
from polytui.engine.core.errors import OperatorError
from polytui.engine.core.order_enums import KillStep, OrderType, Purpose, Realm, SendOutcome
from polytui.engine.core.runconfig import LimitsConfig
from polytui.engine.core.units import U
from polytui.engine.decide.exits import LOT_U6, Holding, exit_row, preview
from polytui.engine.decide.flatten import (
    DEADLINE_NS,
    FRUITLESS_MAX,
    NEXT,
    PATIENCE_NS,
    Flatten,
    Stage,
)
from polytui.engine.decide.sweep import NOTHING

MS = 1_000_000
S = 1_000_000_000
LIMITS = LimitsConfig()
CENT = 10_000


def held(token: str = "1", shares: int = 50, **other: Any) -> Holding:
    facts: dict[str, Any] = {
        "market": f"m{token}", "group": "g", "token": token, "outcome": Outcome.YES,
        "sellable_u6": shares * U, "paired_u6": 0, "unsettled_u6": 0,
        "bids": ((50 * CENT, 30 * U), (49 * CENT, 100 * U)), "tick_u6": CENT, "epoch": 3,
        "snapshot": 9,
    }  # fmt: skip
    return Holding(**(facts | other))


def begun(*holdings: Holding, phrase: str | None = None, market: str = "") -> Flatten:
    flatten = Flatten(Realm.LIVE)
    asked = preview(holdings, 2 * CENT)
    commands = flatten.begin(
        asked, phrase=phrase, reason="done", market=market, slip_u6=2 * CENT, standing=NOTHING,
        at_ns=S, seq=4,
    )  # fmt: skip
    assert len(commands) == 1
    return flatten


def empty(asked_ms: int) -> OpenOrdersRead:
    return OpenOrdersRead(realm=Realm.LIVE, request="r", asked_ns=asked_ms * MS, ok=True)


def exiting(*holdings: Holding) -> Flatten:
    flatten = begun(*holdings)
    commands = flatten.on_open(empty(1_001), at_ns=1_030 * MS, seq=5)
    assert [type(c) for c in commands] == [ReadBalances]
    return flatten


def exits(flatten: Flatten, *holdings: Holding, busy: tuple[str, ...] = (), at: int = 1_100) -> Any:
    return flatten.exits(holdings, busy, LIMITS, at_ns=at * MS, seq=6)


def stage(flatten: Flatten) -> Stage:
    """Ask again: a checker that narrows attributes would believe the first answer for ever."""
    return flatten.stage


def test_nothing_is_sold_before_the_cancel_is_proven() -> None:
    flatten = begun(held())
    assert stage(flatten) is Stage.CANCELLING
    assert exits(flatten, held()) == []
    flatten.on_open(empty(1_001), at_ns=1_030 * MS, seq=5)
    assert flatten.is_exiting
    assert len(exits(flatten, held())) == 1


def test_exits_are_sells_of_flatten_at_the_floor_inside_every_order_limit() -> None:
    flatten = exiting(held(shares=50))
    (draft,) = exits(flatten, held(shares=50))
    assert (draft.purpose, draft.side, draft.order_type) == (
        Purpose.FLATTEN,
        Side.SELL,
        OrderType.FAK,
    )
    assert (draft.px_u6, draft.qty_u6, draft.epoch) == (48 * CENT, 50 * U, 3)
    large = held(shares=500, bids=((50 * CENT, 1_000 * U),))
    flatten = exiting(large)
    (draft,) = exits(flatten, large)
    assert draft.qty_u6 == 52_080_000, "$25 at 0.48, whole hundredths"


def test_the_smallest_market_impact_goes_first_and_what_has_no_bid_last() -> None:
    deep = held("deep", bids=((40 * CENT, 500 * U),))
    thin = held("thin", bids=((50 * CENT, 10 * U), (49 * CENT, 10 * U), (48 * CENT, 99 * U)))
    none = held("none", bids=())
    asked = preview((none, thin, deep), 2 * CENT)
    assert [row.token for row in asked.rows] == ["deep", "thin", "none"]
    assert [row.impact_u6 for row in asked.rows] == [0, 700_000, 0]
    assert asked.phrase == "FLATTEN 3"
    flatten = exiting(none, thin, deep)
    assert [d.token for d in exits(flatten, none, thin, deep)] == ["deep", "thin"]


def test_the_floor_is_fixed_at_the_beginning_so_our_own_selling_never_moves_it() -> None:
    flatten = exiting(held())
    exits(flatten, held())
    flatten.on_exit("1", 20 * U)
    fallen = held(shares=30, bids=((48 * CENT, 10 * U), (47 * CENT, 100 * U)))
    (draft,) = exits(flatten, fallen)
    assert (draft.px_u6, draft.qty_u6) == (48 * CENT, 10 * U)
    gone = held(shares=20, bids=((47 * CENT, 100 * U),))
    assert exits(flatten, gone) == []
    assert stage(flatten) is Stage.EXITING, "a bid may come back"
    assert exits(flatten, gone, at=1_100 + PATIENCE_NS // MS) == []
    assert stage(flatten) is Stage.VERIFYING


def test_a_token_without_a_usable_book_is_waited_for_and_its_book_is_read() -> None:
    flatten = exiting(held())
    stale = held(bids=())
    assert exits(flatten, stale) == []
    assert flatten.next_due_ns() == 0
    (witness,) = flatten.due(NOTHING, at_ns=1_100 * MS, seq=7)
    assert isinstance(witness, ReadWitness)
    assert (witness.market, witness.token) == ("m1", "1")
    assert flatten.due(NOTHING, at_ns=3_099 * MS, seq=7) == []
    assert len(flatten.due(NOTHING, at_ns=3_100 * MS, seq=7)) == 1
    (draft,) = exits(flatten, held(), at=3_200)
    assert draft.px_u6 == 48 * CENT
    assert flatten.due(NOTHING, at_ns=9_000 * MS, seq=8) == []


def test_b14_only_what_is_confirmed_is_sold_and_unsettled_shares_are_waited_for() -> None:
    pending = held(shares=0, unsettled_u6=10 * U)
    flatten = exiting(held(), pending)
    assert exits(flatten, pending) == []
    flatten.due(NOTHING, at_ns=1_200 * MS, seq=7)
    flatten.on_open(empty(1_300), at_ns=1_330 * MS, seq=8)
    flatten.settle((pending,), at_ns=1_340 * MS)
    assert stage(flatten) is Stage.VERIFYING
    settled = held(shares=10)
    flatten.settle((settled,), at_ns=2_000 * MS)
    assert stage(flatten) is Stage.EXITING, "what the chain gave back is sold as well"
    assert len(exits(flatten, settled, at=2_010)) == 1


def test_pairs_are_merged_first_and_never_sold_one_half_at_a_time() -> None:
    yes = held("y", shares=50, market="m", paired_u6=40 * U)
    no = held("n", shares=40, market="m", paired_u6=40 * U, outcome=Outcome.NO)
    flatten = exiting(yes, no)
    (merge,) = flatten.merges((yes, no), at_ns=1_050 * MS, seq=6)
    assert isinstance(merge, MovePairs)
    assert (merge.op, merge.market, merge.qty_u6) == ("merge", "m", 40 * U)
    assert flatten.merges((yes, no), at_ns=1_060 * MS, seq=6) == [], "once"
    (draft,) = exits(flatten, yes, no)
    assert (draft.token, draft.qty_u6) == ("y", 10 * U)
    flatten.on_merged(
        PairsMoved(
            realm=Realm.LIVE, request=merge.request, outcome=SendOutcome.REFUSED, op="merge",
            market="m", qty_u6=40 * U, why="relayer down",
        )
    )  # fmt: skip
    flatten.on_exit("y", 10 * U)
    left = (replace(yes, sellable_u6=40 * U), no)
    assert exits(flatten, *left) == []
    assert any("pairs not merged: relayer down" in line.text for line in flatten.receipt())


def test_it_ends_with_a_receipt_that_names_everything_left() -> None:
    flatten = exiting(held("1"), held("2", bids=()))
    exits(flatten, held("1"), held("2", bids=()))
    flatten.on_exit("1", 50 * U)
    rest = (held("1", shares=0), held("2", bids=()))
    assert exits(flatten, *rest) == []
    late = 1_100 + PATIENCE_NS // MS
    assert exits(flatten, *rest, at=late) == []
    assert flatten.next_due_ns() == late * MS
    (cancel,) = flatten.due(NOTHING, at_ns=late * MS, seq=7)
    assert isinstance(cancel, CancelAll)
    answer = CancelAnswered(realm=Realm.LIVE, request=cancel.request, outcome=SendOutcome.ACCEPTED)
    (asked,) = flatten.on_cancel(answer, at_ns=(late + 30) * MS, seq=8)
    assert isinstance(asked, ReadOpenOrders)
    flatten.settle(rest, at_ns=(late + 40) * MS)
    assert stage(flatten) is Stage.VERIFYING, "not proven yet"
    flatten.on_open(empty(late + 31), at_ns=(late + 60) * MS, seq=9)
    flatten.settle(rest, at_ns=(late + 70) * MS)
    assert stage(flatten) is Stage.DONE
    texts = [line.text for line in flatten.receipt() if line.step is KillStep.FLATTEN]
    assert texts == ["50 shares sold in 1 slices", "2 50 shares left: no bid", "done"]


def test_a_token_that_sells_nothing_three_times_is_left_with_its_reason() -> None:
    flatten = exiting(held())
    for _ in range(FRUITLESS_MAX):
        assert len(exits(flatten, held())) == 1
        flatten.on_exit("1", 0)
    assert exits(flatten, held()) == []
    assert any("3 slices sold nothing at 0.48" in line.text for line in flatten.receipt())


def test_a_busy_token_waits_and_keeps_the_flatten_open() -> None:
    flatten = exiting(held())
    assert exits(flatten, held(), busy=("1",)) == []
    assert stage(flatten) is Stage.EXITING


def test_one_market_leaves_the_others_alone() -> None:
    flatten = begun(held("1"), held("2"), market="m1")
    flatten.on_open(empty(1_001), at_ns=1_030 * MS, seq=5)
    assert [d.token for d in exits(flatten, held("1"), held("2"))] == ["1"]


def test_begin_takes_the_phrase_and_one_at_a_time() -> None:
    with pytest.raises(OperatorError, match="type FLATTEN 1 to flatten, was 'FLATTEN 2'"):
        begun(held(), phrase="FLATTEN 2")
    flatten = begun(held(), phrase="FLATTEN 1")
    asked = preview((held(),), 0)
    said: dict[str, Any] = {"phrase": None, "reason": "", "market": "", "slip_u6": 0}
    with pytest.raises(OperatorError, match="a flatten is cancelling"):
        flatten.begin(asked, **said, standing=NOTHING, at_ns=2 * S, seq=9)
    flatten.stop("killed", at_ns=2 * S)
    assert stage(flatten) is Stage.STOPPED
    flatten.begin(asked, **said, standing=NOTHING, at_ns=3 * S, seq=10)
    assert stage(flatten) is Stage.CANCELLING


def test_previews_refuse_nothing_held_and_a_bound_beyond_what_is_compiled_in() -> None:
    with pytest.raises(OperatorError, match="nothing to flatten"):
        preview((held(shares=0),), 0)
    with pytest.raises(OperatorError, match=r"expected a bound up to 0\.2"):
        preview((held(),), 200_001)


def test_a_flatten_stops_at_its_deadline_and_a_silent_merge_is_given_up() -> None:
    pair = held("y", market="m", paired_u6=10 * U)
    flatten = exiting(pair)
    flatten.merges((pair,), at_ns=2 * S, seq=6)
    flatten.due(NOTHING, at_ns=62 * S, seq=7)
    assert any("no answer" in line.text for line in flatten.receipt())
    flatten.due(NOTHING, at_ns=S + DEADLINE_NS, seq=8)
    assert stage(flatten) is Stage.STOPPED
    assert flatten.receipt()[-1].text == "stopped: not finished within 600 s"


def test_every_lawful_step_is_in_the_table_and_the_others_raise() -> None:
    assert set(NEXT) == set(Stage)
    for before in Stage:
        for after in Stage:
            flatten = Flatten(Realm.LIVE)
            flatten.stage = before
            if after in NEXT[before]:
                flatten._enter(after, S)
                assert stage(flatten) is after
            else:
                with pytest.raises(AssertionError):
                    flatten._enter(after, S)
                assert stage(flatten) is before


@given(
    st.lists(st.tuples(st.integers(1, 99), st.integers(1, 10**8)), max_size=8),
    st.integers(0, 10**8),
    st.integers(0, 20 * CENT),
)
def test_no_slice_is_below_its_floor_above_what_is_held_or_off_the_grid(
    levels: list[tuple[int, int]], sellable_u6: int, slip_u6: int
) -> None:
    bids = tuple(sorted(((px * CENT, qty) for px, qty in dict(levels).items()), reverse=True))
    row = exit_row(held(sellable_u6=sellable_u6, bids=bids), slip_u6)
    assert row.qty_u6 % LOT_U6 == 0
    assert 0 <= row.qty_u6 <= sellable_u6
    assert row.qty_u6 + row.left_u6 == sellable_u6
    if bids:
        assert row.floor_u6 % CENT == 0
        assert bids[0][0] - slip_u6 <= row.floor_u6 <= bids[0][0]
        within = sum(qty for px, qty in bids if px >= row.floor_u6)
        assert row.qty_u6 <= within
