"""Fills through their states: faults B13 to B16, invariants 11, 16 and 17."""

import random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from polytui.engine.core.enums import Side
from polytui.engine.core.errors import EngineBug
from polytui.engine.core.order_enums import EntryKind, FillKind
from polytui.engine.core.trading import CASH, FillChange
from polytui.engine.core.units import U
from tests.engine.portfolio.desk import (
    BUY,
    NO,
    SELL,
    START_NS,
    YES,
    Desk,
    S,
    fill,
    item,
    then,
    u6,
)


def state(desk: Desk) -> tuple[object, ...]:
    """Everything but the numbering of entries."""
    realm, _, *rest = desk.books.checkpoint()
    return realm, *rest


def stocked() -> Desk:
    """A desk with some of everything."""
    desk = Desk()
    desk.trade("y", BUY, "0.46", "100", fee="0.7", snapshot=11)
    desk.trade("n", BUY, "0.5", "60", place=NO, strategy="mm", snapshot=12)
    desk.books.expose(item("o", BUY, "0.3", "10"))
    desk.books.mark(YES.market, u6("0.45"), u6("0.47"))
    return desk


# --- B13, invariant 17 ---------------------------------------------------------------------------


@pytest.mark.parametrize("side", list(Side))
@pytest.mark.parametrize("strategy", ["box", "mm", "operator", "new"])
def test_b13_inv17_a_voided_fill_leaves_nothing_anywhere(side: Side, strategy: str) -> None:
    desk = stocked()
    desk.books.drain_positions()
    before, summary = state(desk), desk.books.summary()
    change = fill("v", side, "0.41", "33.33", fee="0.01234", strategy=strategy)
    begun = desk.tell(change)
    assert begun is not None
    assert begun.kind is EntryKind.FILL
    assert state(desk) != before
    desk.books.mark(YES.market, u6("0.60"), u6("0.62"))
    desk.books.mark(YES.market, u6("0.45"), u6("0.47"))
    ended = desk.void(change, at_ns=START_NS + 60 * S)
    assert ended is not None
    assert ended.kind is EntryKind.VOID
    assert {(p.account, p.asset, p.amount_u6) for p in ended.postings} == {
        (p.account, p.asset, -p.amount_u6) for p in begun.postings
    }
    assert _less_peak(state(desk)) == _less_peak(before)
    after = desk.books.summary()
    assert after.tokens == summary.tokens
    assert after.markets == summary.markets
    assert after.strategies == summary.strategies
    assert desk.books.drain_positions() == ()


def _less_peak(whole: tuple[object, ...]) -> tuple[object, ...]:
    """Leave out day and highest point: the price that came by moved what was held, not the fill."""
    return whole[:6] + whole[7:]


def test_b13_a_provisional_fill_moves_no_profit_and_no_highest_point() -> None:
    desk = stocked()
    before = desk.books.equity_u6, desk.books.day_pnl_u6, desk.books.peak_u6
    desk.tell(sold := fill("s", SELL, "0.9", "100"))
    assert (desk.books.equity_u6, desk.books.day_pnl_u6, desk.books.peak_u6) == before
    desk.promote(sold)
    assert desk.books.day_pnl_u6 > before[1]


@pytest.mark.parametrize("share", [0.0, 0.01, 0.05, 0.243, 0.35])
def test_b13_at_any_share_of_failures_only_what_settled_remains(share: float) -> None:
    luck = random.Random(round(share * 1000))
    desk, alone = Desk(), Desk()
    under_way: list[tuple[FillChange, bool]] = []
    for n in range(300):
        side = BUY if luck.random() < 0.6 else SELL
        facts: dict[str, Any] = {"place": (YES, NO)[n % 2], "strategy": ("box", "mm")[n % 3 == 0]}
        change = fill(f"f{n}", side, f"0.{luck.randint(1, 99):02}", "10", fee="0.01", **facts)
        desk.books.apply(change, group="event")
        under_way.append((change, luck.random() < share))
        while under_way and luck.random() < 0.6:
            first, fails = under_way.pop(luck.randrange(len(under_way)))
            _end(desk, alone, first, fails=fails)
    for first, fails in under_way:
        _end(desk, alone, first, fails=fails)
    desk.books.audit()
    assert _less_numbers(desk) == _less_numbers(alone)
    failed, ended = desk.books.settlement.failed_share(1_000)
    assert ended == 300
    assert abs(failed / ended - share) < 0.06


def _end(desk: Desk, alone: Desk, first: FillChange, *, fails: bool) -> None:
    kind = FillKind.VOIDED if fails else FillKind.PROMOTED
    desk.books.apply(then(first, kind), group="event")
    if not fails:
        alone.books.apply(first, group="event")
        alone.books.apply(then(first, FillKind.PROMOTED), group="event")


def _less_numbers(desk: Desk) -> tuple[object, ...]:
    """Leave out how many entries it took, highest points on the way, and gains banked lately."""
    for strategy in ("box", "mm"):
        desk.books.expose(item("admission", BUY, "0.5", "1", strategy=strategy))
        desk.books.release("admission")
    return _less_peak(state(desk))


# --- B14, B15, B16 -------------------------------------------------------------------------------


def test_b14_only_confirmed_tokens_may_be_sold() -> None:
    desk = Desk()
    desk.tell(bought := fill("a", BUY, "0.5", "10"))
    assert desk.books.sell_capacity_u6(YES.token, 0) == 0
    desk.promote(bought, at_ns=START_NS + 60 * S)
    assert desk.books.sell_capacity_u6(YES.token, 0) == u6("10")
    desk.tell(sold := fill("b", SELL, "0.5", "4"))
    assert desk.books.sell_capacity_u6(YES.token, u6("5")) == u6("1")
    assert desk.books.sell_capacity_u6(YES.token, u6("9")) == 0
    desk.void(sold)
    assert desk.books.sell_capacity_u6(YES.token, u6("5")) == u6("5")
    assert desk.books.pairs_u6(YES.market) == 0


def test_b14_cash_due_is_not_spendable_and_cash_owed_is_not_free() -> None:
    desk = Desk("100")
    desk.trade("t", BUY, "0.5", "20")
    desk.tell(fill("a", BUY, "0.5", "10", fee="0.2"))
    desk.tell(fill("b", SELL, "0.6", "10", fee="0.1"))
    books = desk.books
    assert (books.cash_u6, books.incoming_u6, books.outgoing_u6) == (u6("90"), u6("5.9"), u6("5.2"))
    assert books.free_cash_u6(u6("4.8")) == u6("80")
    assert desk.held() == (u6("20"), u6("10"), u6("10"))


def test_b15_partial_fills_and_their_dust_sum_to_what_the_venue_shows() -> None:
    desk = Desk("100")
    parts = ("3.333333", "3.333333", "3.333333", "0.000001")
    for n, qty in enumerate(parts):
        desk.trade(f"p{n}", BUY, "0.37", qty)
    assert desk.held() == (u6("10"), 0, 0)
    paid_u6 = sum(370_000 * u6(qty) // U for qty in parts)
    assert desk.books.cash_u6 == u6("100") - paid_u6
    desk.trade("out", SELL, "0.37", "9.999999")
    assert desk.held() == (1, 0, 0)
    assert desk.books.sell_capacity_u6(YES.token, 0) == 1


def test_b16_a_fill_beyond_its_order_is_booked_in_full() -> None:
    desk = Desk("100")
    desk.books.expose(item("c-a", BUY, "0.99", "5"))
    desk.trade("a", BUY, "0.98", "5.051020")
    desk.books.release("c-a")
    assert desk.held() == (u6("5.05102"), 0, 0)
    assert desk.books.exposure.of("total") == 980_000 * u6("5.05102") // U


def test_a_sale_of_more_than_we_know_of_is_a_short_and_invents_no_profit() -> None:
    desk = Desk("100")
    desk.trade("a", SELL, "0.6", "10")
    assert desk.held() == (u6("-10"), 0, 0)
    assert desk.books.profit.total.realized_u6 == 0
    desk.trade("b", BUY, "0.5", "15")
    assert desk.held() == (u6("5"), 0, 0)
    assert desk.books.profit.total.realized_u6 == u6("1")


# --- invariant 16 --------------------------------------------------------------------------------


def test_inv16_a_step_told_twice_moves_nothing() -> None:
    desk = Desk()
    change = fill("a", BUY, "0.5", "10", fee="0.1")
    assert desk.tell(change) is not None
    once = state(desk)
    assert desk.tell(change) is None
    assert state(desk) == once
    assert desk.promote(change) is not None
    twice = state(desk)
    for again in (change, then(change, FillKind.PROMOTED), then(change, FillKind.VOIDED)):
        assert desk.tell(again) is None
        assert state(desk) == twice


def test_an_end_without_a_beginning_is_our_bug() -> None:
    desk = Desk()
    for kind in (FillKind.PROMOTED, FillKind.VOIDED):
        with pytest.raises(EngineBug, match="under way"):
            desk.tell(then(fill("a", BUY, "0.5", "10"), kind))


def test_what_is_booked_is_the_first_sighting() -> None:
    desk = Desk("100")
    desk.tell(change := fill("a", BUY, "0.5", "10"))
    desk.promote(change, qty_u6=u6("99"), cash_u6=1, fee_u6=u6("9"), strategy="mm")
    assert desk.held() == (u6("10"), 0, 0)
    assert desk.books.cash_u6 == u6("95")


def test_one_trade_of_two_of_our_orders_is_two_fills() -> None:
    desk = Desk("100")
    desk.trade("a", BUY, "0.5", "10")
    desk.trade("a", BUY, "0.5", "4", order_hash="0xother", place=NO)
    assert desk.held() == (u6("10"), 0, 0)
    assert desk.held(NO) == (u6("4"), 0, 0)


Steps = list[tuple[FillChange, FillKind]]


@st.composite
def lives(draw: st.DrawFn) -> list[Steps]:
    """Draw fills, each with its own course."""
    found = []
    for n in range(draw(st.integers(1, 6))):
        change = fill(
            f"t{n}",
            draw(st.sampled_from(Side)),
            draw(st.sampled_from(("0.17", "0.5", "0.83"))),
            draw(st.sampled_from(("1", "7.77", "12.345678"))),
            place=draw(st.sampled_from((YES, NO))),
            strategy=draw(st.sampled_from(("box", "mm"))),
            fee=draw(st.sampled_from(("0", "0.01234"))),
        )
        end = draw(st.sampled_from((FillKind.PROMOTED, FillKind.VOIDED, FillKind.PROVISIONAL)))
        found.append([(change, FillKind.PROVISIONAL), (change, end)])
    return found


@given(lives(), st.randoms(use_true_random=False))
def test_inv16_any_order_and_repetition_gives_the_same_ledger(
    courses: list[Steps], luck: random.Random
) -> None:
    plain, mixed = Desk(), Desk()
    for course in courses:
        for change, kind in course:
            plain.tell(then(change, kind))
    queues = [list(course) for course in courses]
    told: Steps = []
    while any(queues):
        queue = luck.choice([one for one in queues if one])
        told.append(queue.pop(0))
        for change, kind in (told[-1], luck.choice(told)):
            mixed.tell(then(change, kind))
    books = (plain.books, mixed.books)
    assert books[0].ledger.rows() == books[1].ledger.rows()
    assert books[0].tokens() == books[1].tokens()
    assert _taken(plain) == _taken(mixed)


def _taken(desk: Desk) -> int:
    """Cash that all positions took: unlike profit at average cost, it has no order."""
    taken_u6 = sum(one.cost_u6 - one.realized_u6 + one.fees_u6 for one in desk.books.positions)
    assert taken_u6 == u6("1000") - desk.books.cash_u6
    return taken_u6


# --- contradictions ------------------------------------------------------------------------------


def test_a_fill_that_settled_and_failed_counts_as_uncertain_until_a_person_decides() -> None:
    desk = Desk("100")
    change = desk.trade("a", BUY, "0.4", "10", fee="0.1")
    assert desk.books.exposure.of("total") == u6("4.1")
    rows = desk.books.ledger.rows()
    assert desk.tell(then(change, FillKind.FAULT)) is None
    assert desk.tell(then(change, FillKind.FAULT)) is None
    assert desk.books.ledger.rows() == rows, "no side is taken"
    assert desk.books.exposure.of("total") == u6("4.1")
    desk.books.expose(item("b", BUY, "0.5", "10", place=NO))
    assert desk.books.exposure.of("total") == u6("4.9"), "no hedge while the fill may go"
    (row,) = desk.books.settlement.contradictions()
    assert (row.ours_u6, row.theirs_u6) == (u6("10"), 0)


def test_a_fill_that_failed_and_settled_counts_as_under_way() -> None:
    desk = Desk("100")
    desk.tell(change := fill("a", BUY, "0.4", "10", fee="0.1"))
    desk.void(change)
    assert desk.books.exposure.of("total") == 0
    desk.tell(then(change, FillKind.FAULT))
    assert desk.books.exposure.of("total") == u6("4.1")
    assert desk.books.settlement.steps_of(CASH) == [u6("-4.1")]


# --- invariant 11 --------------------------------------------------------------------------------


def test_inv11_reservations_and_free_cash_are_what_is_available() -> None:
    desk = Desk("100")
    books = desk.books
    books.expose(item("a", BUY, "0.5", "20", fee="0.3"))
    books.expose(item("b", SELL, "0.5", "20"))
    desk.tell(fill("x", BUY, "0.5", "10"))
    assert books.reserved_cash_u6 == u6("10.3")
    reserved_u6 = books.reserved_cash_u6
    assert reserved_u6 + books.free_cash_u6(reserved_u6) == books.cash_u6 - books.outgoing_u6
    books.expose(item("a", BUY, "0.5", "12", fee="0.2"))
    assert books.reserved_cash_u6 == u6("6.2")
    books.expose(item("a", BUY, "0.5", "0"))
    assert books.reserved_cash_u6 == 0
    assert books.orphans({"b"}) == []
    (row,) = books.orphans(set())
    assert (row.subject, row.ours_u6, row.detail) == ("b", u6("20"), "tokens reserved")
