"""Where the venue's word and our books part: fault B29 and invariant 24."""

from typing import Any

import pytest

from polytui.engine.core.account_events import BalancesRead, PositionsRead
from polytui.engine.core.errors import EngineBug
from polytui.engine.core.order_enums import Anomaly, EntryKind, Realm
from polytui.engine.core.trading import CASH, Balance, HeldPosition
from polytui.engine.portfolio.portfolio import Portfolio
from polytui.engine.portfolio.positions import Place
from polytui.engine.portfolio.settlement import Difference, is_explained, phantom_lock
from tests.engine.portfolio.desk import BUY, NO, SELL, START_NS, YES, Desk, M, S, fill, item, u6

LATER_NS = START_NS + 60 * S
TOUCHED_NS = 5 * S


def read(desk: Desk, *, asked_ns: int = LATER_NS, **amounts: str) -> list[Difference]:
    """Compare with balances: `cash`, `yes`, `no` in dollars and shares."""
    assets = {"cash": CASH, "yes": YES.token, "no": NO.token}
    event = BalancesRead(
        realm=Realm.LIVE,
        request="r",
        asked_ns=asked_ns,
        ok=True,
        balances=tuple(
            Balance(asset=assets[name], qty_u6=u6(text)) for name, text in amounts.items()
        ),
    )
    return desk.books.balances_read(event, at_ns=asked_ns + S, touched_ns=TOUCHED_NS)


# --- B29: compare --------------------------------------------------------------------------------


def test_b29_a_venue_balance_contains_what_is_matched_and_not_settled() -> None:
    desk = Desk("100")
    desk.trade("a", BUY, "0.5", "20")
    desk.tell(fill("b", BUY, "0.5", "10", fee="0.1"))
    desk.tell(fill("c", SELL, "0.6", "5"))
    assert read(desk, cash="90", yes="20", no="0") == []


@pytest.mark.parametrize("asset", ["cash", "yes", "no"])
@pytest.mark.parametrize("by_u6", [1, -1, 7_000_000])
def test_b29_any_difference_is_named_with_both_numbers_and_nothing_is_changed(
    asset: str, by_u6: int
) -> None:
    desk = Desk("100")
    desk.trade("a", BUY, "0.5", "20")
    desk.trade("b", BUY, "0.4", "10", place=NO)
    before = desk.books.checkpoint()
    ours = {"cash": u6("86"), "yes": u6("20"), "no": u6("10")}
    event = BalancesRead(
        realm=Realm.LIVE,
        request="r",
        asked_ns=LATER_NS,
        ok=True,
        balances=tuple(
            Balance(asset=name, qty_u6=ours[key] + (by_u6 if key == asset else 0))
            for key, name in (("cash", CASH), ("yes", YES.token), ("no", NO.token))
        ),
    )
    (row,) = desk.books.balances_read(event, at_ns=LATER_NS, touched_ns=TOUCHED_NS)
    assert (row.ours_u6, row.theirs_u6, row.missing_u6) == (ours[asset], ours[asset] + by_u6, by_u6)
    kind = Anomaly.CASH_MISMATCH if asset == "cash" else Anomaly.POSITION_MISMATCH
    assert row.anomaly is kind
    assert desk.books.checkpoint() == before


def test_b29_a_phantom_token_that_we_never_held_is_a_difference() -> None:
    assert [row.subject for row in read(Desk("100"), cash="100", yes="3")] == [YES.token]


def test_b29_what_moved_lately_is_left_alone() -> None:
    desk = Desk("100")
    desk.trade("a", BUY, "0.5", "20", at_ns=LATER_NS - 2 * S)
    assert read(desk, cash="100", yes="0") == []
    assert read(desk, asked_ns=LATER_NS - 3 * S, cash="1", yes="1") == [], "moved since the asking"
    (row,) = read(desk, cash="90", no="4")
    assert row.subject == NO.token, "assets that did not move are compared"
    assert len(read(desk, asked_ns=LATER_NS + 4 * S, cash="100", yes="0")) == 2


def test_b29_what_fills_under_way_explain_is_no_difference_yet() -> None:
    desk = Desk("100")
    desk.trade("a", BUY, "0.5", "20")
    desk.tell(fill("b", BUY, "0.5", "10"))
    desk.tell(fill("c", BUY, "0.5", "4"))
    for cash, yes in (("85", "30"), ("88", "24"), ("83", "34"), ("90", "20")):
        assert read(desk, cash=cash, yes=yes) == []
    assert [row.anomaly for row in read(desk, cash="86", yes="28")] == [
        Anomaly.CASH_MISMATCH,
        Anomaly.POSITION_MISMATCH,
    ]


def test_a_failed_read_says_nothing() -> None:
    desk = Desk("100")
    event = BalancesRead(realm=Realm.LIVE, request="r", asked_ns=LATER_NS, ok=False, why="timeout")
    assert desk.books.balances_read(event, at_ns=LATER_NS, touched_ns=TOUCHED_NS) == []
    assert desk.books.balances_ns == 0
    read(desk, cash="100")
    assert desk.books.balances_ns == LATER_NS


def test_before_the_books_are_open_no_balance_means_anything() -> None:
    desk = Desk("100")
    desk.books = Portfolio(Realm.LIVE)
    assert read(desk, cash="7") == []


def test_b29_the_audit_of_positions_names_missing_and_unknown_tokens() -> None:
    desk = Desk("100")
    desk.trade("a", BUY, "0.5", "20")
    event = PositionsRead(
        realm=Realm.LIVE,
        request="p",
        asked_ns=LATER_NS,
        ok=True,
        positions=(HeldPosition(market=M, token=NO.token, qty_u6=5, avg_px_u6=1),),
    )
    rows = desk.books.positions_read(event, touched_ns=TOUCHED_NS)
    assert [(row.subject, row.ours_u6, row.theirs_u6) for row in rows] == [
        (YES.token, u6("20"), 0),
        (NO.token, 0, 5),
    ]


def test_b29_an_order_that_is_over_leaves_an_orphaned_reservation() -> None:
    desk = Desk("100")
    desk.books.expose(item("a", BUY, "0.5", "20", fee="0.5"))
    desk.books.expose(item("b", BUY, "0.5", "2"))
    event = BalancesRead(realm=Realm.LIVE, request="r", asked_ns=LATER_NS, ok=True)
    (row,) = desk.books.balances_read(event, at_ns=LATER_NS, touched_ns=0, open_keys={"b"})
    assert (row.anomaly, row.subject, row.ours_u6) == (
        Anomaly.ORPHANED_RESERVATION,
        "a",
        u6("10.5"),
    )


def test_a_phantom_lock_is_a_refusal_although_enough_is_free() -> None:
    row = phantom_lock(CASH, needed_u6=5, ours_u6=5)
    assert row is not None
    assert row.anomaly is Anomaly.PHANTOM_LOCK
    assert phantom_lock(CASH, needed_u6=6, ours_u6=5) is None


def test_sums_of_many_fills_are_bounded_and_then_judged_by_their_range() -> None:
    steps = [1 << n for n in range(40)]
    assert is_explained(12_345, steps)
    assert not is_explained(-1, steps)
    assert not is_explained(1 << 41, steps)
    assert is_explained(0, [])


# --- settlement ----------------------------------------------------------------------------------


def test_fills_grow_old_stall_and_are_counted_when_they_fail() -> None:
    desk = Desk("100")
    first, second = fill("a", BUY, "0.5", "1"), fill("b", BUY, "0.5", "1", at_ns=START_NS + 50 * S)
    desk.tell(second)
    desk.tell(first)
    settlement = desk.books.settlement
    assert settlement.oldest_ns() == START_NS
    now_ns = START_NS + 125 * S
    assert settlement.ages(now_ns) == [("a/0xa", 125 * S), ("b/0xb", 75 * S)]
    (row,) = settlement.stalled(now_ns, 120 * S)
    assert (row.anomaly, row.subject) == (Anomaly.SETTLEMENT_STALLED, "a/0xa")
    assert settlement.at_risk_u6() == u6("1")
    desk.void(first)
    desk.promote(second)
    assert settlement.failed_share(50) == (1, 2)
    assert settlement.failed_share(1) == (0, 1)
    assert settlement.oldest_ns() == 0
    assert settlement.at_risk_u6() == 0


# --- invariant 24 --------------------------------------------------------------------------------


def adjust(desk: Desk, asset: str, amount: str, **facts: Any) -> None:
    entry = desk.books.adjust(
        asset, u6(amount), evidence="balance read r", at_ns=LATER_NS, seq=7, **facts
    )
    assert entry.kind is EntryKind.ADJUST
    assert entry.note == "balance read r"
    desk.keep(entry)


def test_inv24_found_cash_is_no_profit_and_lost_cash_is_a_loss() -> None:
    desk = Desk("100")
    adjust(desk, CASH, "5")
    assert (desk.books.cash_u6, desk.books.profit.total.net_u6) == (u6("105"), 0)
    adjust(desk, CASH, "-2")
    assert desk.books.profit.total.net_u6 == u6("-2")
    assert desk.books.summary().lost_u6 == u6("2")
    assert desk.books.day_pnl_u6 == u6("-2")


@pytest.mark.parametrize("is_marked", [False, True])
@pytest.mark.parametrize("has_some", [False, True])
def test_inv24_found_tokens_never_become_a_profit(*, is_marked: bool, has_some: bool) -> None:
    desk = Desk("100")
    desk.trade("n", BUY, "0.5", "1", place=NO)
    if has_some:
        desk.trade("a", BUY, "0.5", "10", strategy="external")
    if is_marked:
        desk.books.mark(M, u6("0.5"), u6("0.5"))
    adjust(desk, YES.token, "20", place=YES)
    assert desk.books.profit.total.net_u6 == 0
    desk.books.mark(M, u6("0.5"), u6("0.5"))
    assert desk.books.profit.total.net_u6 == 0
    desk.books.mark(M, u6("0.6"), u6("0.6"))
    gain_u6 = u6("3" if has_some else "2") - u6("0.1")
    assert desk.books.profit.total.net_u6 == gain_u6, "only what happens afterwards counts"


def test_inv24_tokens_sold_before_they_are_found_make_no_profit() -> None:
    desk = Desk("100")
    desk.trade("a", SELL, "0.6", "10", strategy="external")
    adjust(desk, YES.token, "10")
    assert desk.books.profit.total.net_u6 == 0
    assert desk.books.tokens() == {}
    adjust(desk, YES.token, "4")
    desk.trade("b", SELL, "0.9", "4", strategy="external")
    assert desk.books.profit.total.net_u6 == 0, "a first price is a cost, not a gain"


def test_inv24_more_found_than_was_sold_costs_the_price_of_the_sale() -> None:
    desk = Desk("100")
    desk.trade("a", SELL, "0.6", "10", strategy="external")
    desk.trade("n", BUY, "0.5", "1", place=NO)
    desk.books.mark(M, u6("0.2"), u6("0.5"))
    adjust(desk, YES.token, "15")
    assert desk.held(YES, "external") == (u6("5"), 0, 0)
    desk.trade("b", SELL, "0.6", "5", strategy="external")
    assert desk.books.profit.total.realized_u6 == 0


def test_inv24_lost_tokens_are_lost_at_their_cost() -> None:
    desk = Desk("100")
    desk.trade("a", BUY, "0.6", "10")
    adjust(desk, YES.token, "-4")
    assert desk.books.profit.total.realized_u6 == u6("-2.4")
    assert desk.held() == (u6("6"), 0, 0)
    assert read(desk, asked_ns=LATER_NS + 60 * S, cash="94", yes="6") == []


def test_an_adjustment_says_what_it_rests_on_and_what_it_is_of() -> None:
    desk = Desk("100")
    with pytest.raises(AssertionError, match="rests on"):
        desk.books.adjust(CASH, 1, evidence="", at_ns=LATER_NS, seq=1)
    with pytest.raises(AssertionError, match="something"):
        desk.books.adjust(CASH, 0, evidence="x", at_ns=LATER_NS, seq=1)
    with pytest.raises(EngineBug, match="known token"):
        desk.books.adjust("999", 1, evidence="x", at_ns=LATER_NS, seq=1)


# --- opening -------------------------------------------------------------------------------------


def opened(costs: dict[str, int] | None = None) -> Desk:
    desk = Desk("0")
    desk.books = Portfolio(Realm.LIVE)
    places = {YES.token: YES}

    def place_of(token: str) -> Place | None:
        return places.get(token)

    balances = [
        Balance(asset=CASH, qty_u6=u6("50")),
        Balance(asset=YES.token, qty_u6=u6("10")),
        Balance(asset="stranger", qty_u6=u6("3")),
    ]
    entries = desk.books.opening(balances, at_ns=START_NS, seq=1, place_of=place_of, costs=costs)
    assert [entry.kind for entry in entries] == [EntryKind.OPENING] * 2
    again = desk.books.opening(balances, at_ns=START_NS, seq=1, place_of=place_of)
    assert again == [], "only once"
    desk.books.audit()
    return desk


def test_inv24_an_opening_balance_is_capital_and_its_first_price_is_its_cost() -> None:
    desk = opened()
    assert desk.held(YES, "external") == (u6("10"), 0, 0)
    assert desk.books.equity_u6 == u6("50")
    desk.books.mark(M, u6("0.3"), u6("0.4"), at_ns=START_NS)
    assert desk.books.equity_u6 == u6("53")
    assert desk.books.profit.total.net_u6 == 0
    assert desk.books.profit.drawdown_u6 == 0
    (row,) = desk.books.drain_positions()
    assert (row.cost_u6, row.unpriced) == (u6("3"), False)


def test_an_opening_balance_may_bring_its_cost() -> None:
    desk = opened({YES.token: u6("4")})
    desk.books.mark(M, u6("0.3"), u6("0.4"), at_ns=START_NS)
    assert desk.books.unrealized_u6 == u6("-1")


def test_a_token_nobody_can_place_stays_a_difference() -> None:
    desk = opened()
    event = BalancesRead(
        realm=Realm.LIVE,
        request="r",
        asked_ns=LATER_NS,
        ok=True,
        balances=(Balance(asset="stranger", qty_u6=u6("3")),),
    )
    (row,) = desk.books.balances_read(event, at_ns=LATER_NS, touched_ns=TOUCHED_NS)
    assert (row.subject, row.ours_u6) == ("stranger", 0)
