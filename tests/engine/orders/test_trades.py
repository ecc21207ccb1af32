"""Trades: any order, any repetition, the same books; two ends are a fault; silence is red."""

from collections import Counter
from collections.abc import Iterable
from itertools import permutations, product

import pytest
from msgspec import structs

from polytui.engine.core.commands import ReadTrades
from polytui.engine.core.enums import Outcome
from polytui.engine.core.order_enums import Anomaly, Applied, FillKind, Realm, TradeStatus
from polytui.engine.core.trading import FillChange, MakerPart, TradeRecord, VenueTrade
from polytui.engine.core.units import U
from polytui.engine.orders.trades import STEPS, Trades
from tests.engine.orders.desk import (
    BUY,
    FAK,
    MARKET,
    MS,
    NO,
    SELL,
    US,
    YES,
    Desk,
    state_of,
)

MATCHED, MINED, RETRYING = TradeStatus.MATCHED, TradeStatus.MINED, TradeStatus.RETRYING
CONFIRMED, FAILED = TradeStatus.CONFIRMED, TradeStatus.FAILED


def books(changes: Iterable[FillChange]) -> Counter[str]:
    """Book as a ledger would: provisional in, made sure, or out again; a fault makes it unsure."""
    held = Counter[str]()
    for change in changes:
        qty_u6 = change.qty_u6
        if change.kind is FillKind.PROVISIONAL:
            held["provisional"] += qty_u6
        elif change.kind is FillKind.PROMOTED:
            held["provisional"] -= qty_u6
            held["confirmed"] += qty_u6
        elif change.kind is FillKind.VOIDED:
            held["provisional"] -= qty_u6
        else:
            held = Counter({"unsure": qty_u6})
        assert held["provisional"] >= 0
    return +held


def told(statuses: Iterable[TradeStatus]) -> tuple[object, ...]:
    """Tell a trade's statuses in this order; return everything that must not depend on it."""
    desk = Desk()
    order = desk.live(BUY, "0.5", "10")
    for status in statuses:
        desk.trade(order, "4", status)
    desk.audit()
    records = {(r.trade_id, r.order_hash): r for r in desk.trades.drain()}
    (record,) = records.values()
    return (
        record.applied,
        record.status,
        books(desk.booked),
        order.filled_u6,
        order.filled_cash_u6,
        order.seen_u6,
        len(desk.trades.provisional()),
    )


SETS = [
    (MATCHED, MINED, RETRYING, CONFIRMED),
    (MATCHED, MINED, RETRYING, FAILED),
    (MATCHED, MINED, RETRYING),
    (MATCHED, MINED, CONFIRMED, FAILED),
    (MATCHED, RETRYING, CONFIRMED, FAILED),
    (TradeStatus.NOT_BROADCAST, MATCHED, CONFIRMED),
]


@pytest.mark.parametrize("statuses", SETS)
def test_b12_every_permutation_gives_the_same_books(statuses: tuple[TradeStatus, ...]) -> None:
    results = {str(told(order)) for order in permutations(statuses)}
    assert len(results) == 1


@pytest.mark.parametrize("statuses", SETS)
def test_b12_every_subset_with_every_duplication_gives_the_same_books(
    statuses: tuple[TradeStatus, ...],
) -> None:
    """All words of up to five letters over the set: the result is a function of the letters."""
    results: dict[frozenset[TradeStatus], set[str]] = {}
    for length in (1, 2, 3, 4, 5):
        for word in product(statuses, repeat=length):
            if len(set(word)) >= length - 2:
                results.setdefault(frozenset(word), set()).add(str(told(word)))
    assert {len(found) for found in results.values()} == {1}


@pytest.mark.parametrize(
    ("letters", "applied", "filled", "held"),
    [
        ((MATCHED, MINED), Applied.PROVISIONAL, 4, {"provisional": 4 * U}),
        ((MATCHED, CONFIRMED), Applied.PROMOTED, 4, {"confirmed": 4 * U}),
        ((CONFIRMED,), Applied.PROMOTED, 4, {"confirmed": 4 * U}),
        ((MATCHED, FAILED), Applied.VOIDED, 0, {}),
        ((FAILED,), Applied.VOIDED, 0, {}),
        ((FAILED, MATCHED), Applied.VOIDED, 0, {}),
        ((CONFIRMED, FAILED), Applied.FAULT, 4, {"unsure": 4 * U}),
        ((FAILED, CONFIRMED), Applied.FAULT, 4, {"unsure": 4 * U}),
    ],
)
def test_b12_what_the_letters_mean(
    letters: tuple[TradeStatus, ...], applied: Applied, filled: int, held: dict[str, int]
) -> None:
    result = told(letters)
    assert result[0] is applied
    assert result[2] == Counter(held)
    assert result[3] == filled * U


def test_b12_terminal_states_absorb_and_a_fault_is_told_once() -> None:
    desk = Desk()
    order = desk.live()
    for status in (MATCHED, CONFIRMED, FAILED, FAILED, CONFIRMED, MATCHED):
        desk.trade(order, "4", status)
    assert [change.kind for change in desk.booked] == [
        FillKind.PROVISIONAL,
        FillKind.PROMOTED,
        FillKind.FAULT,
    ]
    (found,) = desk.trades.drain_anomalies()
    assert (found.anomaly, found.subject) == (Anomaly.SETTLEMENT_FAULT, "t1")


def test_every_step_of_the_table_leads_to_a_state_that_fits_its_status() -> None:
    for (before, status), (after, kinds) in STEPS.items():
        assert after is not before
        assert before is not Applied.FAULT
        assert bool(kinds) or (before, status) == (Applied.NONE, FAILED)


def test_the_first_sighting_wins_identity() -> None:
    desk = Desk()
    order = desk.live(BUY, "0.5", "10")
    desk.trade(order, "4")
    (change,) = desk.trade(order, "5", CONFIRMED)
    assert (change.kind, change.qty_u6) == (FillKind.PROMOTED, 4 * U)
    assert desk.trades.counts["identity_contradicted"] == 1
    assert order.filled_u6 == 4 * U


def test_the_transaction_hash_is_no_identity() -> None:
    desk = Desk()
    order = desk.live(BUY, "0.5", "10")
    for status, tx_hash in (
        (MATCHED, ""),
        (RETRYING, "0xa"),
        (RETRYING, "0xb"),
        (CONFIRMED, "0xc"),
    ):
        desk.fold(structs.replace(desk.venue_trade(order, "4", status), tx_hash=tx_hash))
    (record,) = desk.trades.drain()
    assert (record.tx_hash, order.filled_u6) == ("0xc", 4 * U)


# --- whose part ----------------------------------------------------------------------------------


def test_as_the_maker_side_outcome_and_price_are_of_our_own_entry() -> None:
    """The taker bought YES at 0.52; we, the maker, bought NO at 0.48: a mint match (§3.2)."""
    desk = Desk()
    order = desk.live(BUY, "0.48", "10", token=NO)
    part = MakerPart(
        order_hash=order.order_hash, maker=US, token=NO, side=None, px_u6=480_000, qty_u6=10 * U
    )
    trade = VenueTrade(
        trade_id="t1",
        market=MARKET,
        taker_hash="0xtaker",
        token=YES,
        side=BUY,
        px_u6=520_000,
        qty_u6=25 * U,
        status=MATCHED,
        matched_s=1,
        tx_hash="",
        is_taker=False,
        makers=(structs.replace(part, order_hash="0xelse", maker="0xelse", qty_u6=15 * U), part),
    )
    (change,) = desk.fold(trade)
    assert (change.side, change.outcome, change.px_u6, change.qty_u6) == (
        BUY,
        Outcome.NO,
        480_000,
        10 * U,
    )
    assert (change.is_maker, change.fee_u6, change.cash_u6) == (True, 0, 4_800_000)
    assert (change.cid, change.strategy) == (order.cid, "box")


def test_a_trade_between_two_of_our_orders_is_booked_on_both() -> None:
    desk = Desk()
    bid, offer = desk.live(BUY, "0.5", "10"), desk.send(SELL, "0.5", "10", FAK)
    trade = desk.venue_trade(offer, "10")
    mine = structs.replace(trade.makers[0], order_hash=bid.order_hash, maker=US)
    changes = desk.fold(structs.replace(trade, makers=(mine,)))
    assert [(one.cid, one.is_maker) for one in changes] == [(offer.cid, False), (bid.cid, True)]
    assert state_of(bid) is state_of(offer)
    assert len(desk.trades.drain()) == 2


def test_one_maker_order_listed_twice_in_a_trade_is_one_fill() -> None:
    desk = Desk()
    bid = desk.live(BUY, "0.5", "10")
    trade = desk.venue_trade(bid, "6", is_taker=False)
    part = structs.replace(trade.makers[0], qty_u6=3 * U)
    (change,) = desk.fold(structs.replace(trade, makers=(part, part)))
    assert (change.qty_u6, change.cash_u6) == (6 * U, 3 * U)


def test_a_trade_of_others_is_counted_and_nothing_else() -> None:
    desk = Desk()
    order = desk.live()
    trade = desk.venue_trade(order, "4", is_taker=False)
    others = structs.replace(trade.makers[0], order_hash="0xelse", maker="0xelse")
    assert desk.fold(structs.replace(trade, makers=(others,))) == []
    assert desk.trades.counts["trades_of_others"] == 1


def test_b30_a_manual_trade_is_booked_as_external() -> None:
    desk = Desk()
    trade = structs.replace(desk.venue_trade(desk.live(), "4"), taker_hash="0xwebsite", token=NO)
    (change,) = desk.fold(trade)
    assert (change.cid, change.strategy, change.outcome) == ("", "external", Outcome.NO)
    (record,) = desk.trades.drain()
    assert (record.order_hash, record.applied) == ("0xwebsite", Applied.PROVISIONAL)


def test_a_trade_of_an_unknown_market_waits_until_it_is_listed() -> None:
    desk = Desk()
    trade = structs.replace(desk.venue_trade(desk.live(), "4"), taker_hash="0xwebsite")
    specs, desk.specs = desk.specs, {}
    assert desk.fold(trade) == []
    assert desk.fold(structs.replace(trade, status=CONFIRMED)) == []
    desk.specs = specs
    changes = desk.trades.listed(MARKET, desk.orders, desk.specs.get, **desk.stamp)
    assert [one.kind for one in changes] == [FillKind.PROVISIONAL, FillKind.PROMOTED]


def test_an_unknown_market_does_not_hide_a_fill_of_our_own_order() -> None:
    desk = Desk()
    order = desk.live()
    desk.specs = {}
    (change,) = desk.trade(order, "4")
    assert (change.strategy, change.outcome) == ("box", Outcome.YES)
    assert change.fee_u6 == 70_000, "the schedule of the drafting, 4 × 0.07 × 0.25"


# --- time ----------------------------------------------------------------------------------------


def test_an_unsettled_trade_is_read_every_fifteen_seconds_and_stalls_at_two_minutes() -> None:
    desk = Desk()
    order = desk.live(BUY, "0.5", "10")
    desk.trade(order, "4")
    asked = []
    for second in range(1, 151):
        desk.at_ns += 1_000 * MS
        for command in desk.trades.due(**desk.stamp):
            assert isinstance(command, ReadTrades)
            assert command.trade_id == "t1"
            asked.append(second)
        expected = Applied.STALLED if second >= 120 else Applied.PROVISIONAL
        assert desk.trades.provisional()[0].applied is expected
    assert asked == [15, 30, 45, 60, 75, 90, 105, 120, 135, 150]
    (found,) = desk.trades.drain_anomalies()
    assert found.anomaly is Anomaly.SETTLEMENT_STALLED
    assert desk.trades.aged(desk.at_ns) == (1, 1)
    assert desk.trades.provisional()[0].reads == 10
    (change,) = desk.trade(order, "4", CONFIRMED)
    assert change.kind is FillKind.PROMOTED
    assert (desk.trades.next_due_ns(), desk.trades.oldest_ns()) == (None, 0)


def test_b13_a_stalled_trade_may_still_fail() -> None:
    desk = Desk()
    order = desk.live(BUY, "0.5", "10")
    desk.trade(order, "4")
    desk.at_ns += 121_000 * MS
    desk.trades.due(**desk.stamp)
    (change,) = desk.trade(order, "4", FAILED)
    assert (change.kind, order.filled_u6) == (FillKind.VOIDED, 0)


def test_both_our_parts_of_a_trade_are_read_once() -> None:
    desk = Desk()
    bid, offer = desk.live(BUY, "0.5", "10"), desk.send(SELL, "0.5", "10", FAK)
    trade = desk.venue_trade(offer, "10")
    mine = structs.replace(trade.makers[0], order_hash=bid.order_hash, maker=US)
    desk.fold(structs.replace(trade, makers=(mine,)))
    desk.at_ns += 15_000 * MS
    assert len(desk.trades.due(**desk.stamp)) == 1


def test_reads_come_in_bounded_rounds_and_all_of_them_come(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("polytui.engine.orders.trades.READS_MAX", 3)
    desk = Desk()
    order = desk.live(BUY, "0.5", "100")
    for n in range(8):
        desk.trade(order, "5", trade_id=f"t{n}")
    asked = []
    desk.at_ns += 15_000 * MS
    for _ in range(3):
        asked += desk.trades.due(**desk.stamp)
        desk.at_ns += 100 * MS
    assert len(asked) == 8


def test_the_share_of_failures_is_over_the_whole_window() -> None:
    desk = Desk()
    order = desk.live(BUY, "0.5", "100")
    for n in range(10):
        desk.trade(order, "5", FAILED if n < 3 else CONFIRMED, trade_id=f"t{n}")
    assert desk.trades.failed_share(50) == 3 / 50
    assert desk.trades.failed_share(10) == 3 / 10
    assert desk.trades.failed_share(5) == 0


def test_a_trade_older_than_those_forgotten_is_not_booked_twice(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("polytui.engine.orders.trades.DONE_MAX", 2)
    desk = Desk()
    order = desk.live(BUY, "0.5", "100")
    trades = [desk.venue_trade(order, "5", CONFIRMED, f"t{n}") for n in range(3)]
    trades = [structs.replace(one, matched_s=100 + n) for n, one in enumerate(trades)]
    for trade in trades:
        assert desk.fold(trade)
    assert desk.fold(trades[0]) == []
    assert desk.trades.counts["older_than_known"] == 1
    assert order.filled_u6 == 15 * U


# --- restart -------------------------------------------------------------------------------------


@pytest.mark.parametrize("status", [MATCHED, CONFIRMED, FAILED])
def test_a_restored_trade_goes_on_where_it_was(status: TradeStatus) -> None:
    desk = Desk()
    order = desk.live(BUY, "0.5", "10")
    desk.trade(order, "4", status)
    records = desk.trades.drain()
    desk.trades = Trades(Realm.LIVE, desk.config)
    desk.trades.restore(records, at_ns=desk.at_ns)
    assert desk.trade(order, "4", status) == []
    kinds = [one.kind for one in desk.trade(order, "4", CONFIRMED)]
    assert (
        kinds
        == {
            MATCHED: [FillKind.PROMOTED],
            CONFIRMED: [],
            FAILED: [FillKind.FAULT],
        }[status]
    )


def test_a_record_of_the_other_realm_is_left_out() -> None:
    desk = Desk()
    desk.trade(desk.live(), "4")
    (record,) = desk.trades.drain()
    paper: TradeRecord = structs.replace(record, realm=Realm.PAPER)
    again = Trades(Realm.LIVE, desk.config)
    again.restore([paper])
    assert again.provisional() == []
