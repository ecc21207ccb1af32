"""The account around the orders: reads, splits, merges, resolution, redemption, a restart."""

from typing import TypeVar

import msgspec

from polytui.engine.core.account_events import (
    AccountRestored,
    BalancesRead,
    OpenOrdersRead,
    OrderRead,
    PairsMoved,
    PositionsRead,
    TradesRead,
)
from polytui.engine.core.commands import (
    MovePairs,
    PortCommand,
    ReadBalances,
    ReadOpenOrders,
    ReadOrder,
    ReadPositions,
    ReadTrades,
)
from polytui.engine.core.enums import Outcome, Side
from polytui.engine.core.events import MarketResolved
from polytui.engine.core.order_enums import Applied, FillKind, Realm, SendOutcome, TradeStatus
from polytui.engine.core.trading import CASH, AccountTotals, FillChange, TradeRecord
from tests.engine.sim.paper.rig import AT_ONCE, CONN, Rig, q

PAPER = Realm.PAPER
T = TypeVar("T")


def answer_to(rig: Rig, command: PortCommand, kind: type[T]) -> T:
    before = len(rig.heard)
    rig.venue.carry_out(command)
    rig.wait(0)
    return next(event for event in rig.heard[before:] if isinstance(event, kind))


def move(rig: Rig, op: str, shares: float) -> PairsMoved:
    command = MovePairs(cause=0, realm=PAPER, request=op, op=op, market="0xm", qty_u6=q(shares))
    return answer_to(rig, command, PairsMoved)


def resolve(rig: Rig, token: str) -> None:
    rig.show(
        MarketResolved(conn=CONN, market="0xm", winning_token=token, winning_outcome="", venue_ms=0)
    )


def test_a_split_and_its_merge_leave_everything_as_it_was() -> None:
    rig = Rig()
    before = dict(rig.venue.purse.balances)
    assert move(rig, "split", 30).outcome is SendOutcome.ACCEPTED
    assert rig.venue.purse.balances == {CASH: before[CASH] - q(30), "11": q(30), "22": q(30)}
    assert move(rig, "merge", 30).outcome is SendOutcome.ACCEPTED
    assert rig.venue.purse.balances == before


def test_what_is_promised_to_an_order_is_not_merged() -> None:
    rig = Rig()
    rig.book({40: 100}, {42: 50})
    move(rig, "split", 30)
    rig.send(rig.terms(Side.SELL, 45, 10))
    assert move(rig, "merge", 30).outcome is SendOutcome.REFUSED
    assert move(rig, "merge", 20).outcome is SendOutcome.ACCEPTED


def test_a_redemption_pays_the_winner_a_dollar_a_share_and_only_after_the_end() -> None:
    rig = Rig()
    move(rig, "split", 30)
    assert move(rig, "redeem", 0).outcome is SendOutcome.REFUSED
    resolve(rig, "22")
    moved = move(rig, "redeem", 0)
    assert (moved.outcome, moved.paid_u6) == (SendOutcome.ACCEPTED, q(30))
    assert rig.venue.purse.balances == {CASH: AT_ONCE.cash_u6}


def test_a_redemption_leaves_what_unsettled_sales_still_take() -> None:
    config = msgspec.structs.replace(AT_ONCE, settle_ms=5_000, settle_tail_ms=(5_000, 5_000))
    rig = Rig(config)
    rig.book({40: 100}, {42: 50})
    move(rig, "split", 30)
    rig.send(rig.terms(Side.SELL, 40, 10))
    resolve(rig, "11")
    assert move(rig, "redeem", 0).paid_u6 == q(20)
    rig.wait(10)
    assert set(rig.venue.purse.balances) == {CASH}, "no token balance is below zero"


def test_reads_tell_what_is_there() -> None:
    rig = Rig()
    rig.book({40: 100}, {42: 50})
    resting = rig.terms(Side.BUY, 40, 10)
    rig.send(resting)
    rig.send(rig.terms(Side.BUY, 42, 20))
    rig.wait(1)
    name = resting.order_hash
    read = answer_to(rig, ReadOrder(cause=0, realm=PAPER, order_hash=name), OrderRead)
    assert read.order is not None
    assert read.order.matched_u6 == 0
    unknown = answer_to(rig, ReadOrder(cause=0, realm=PAPER, order_hash="0xdead"), OrderRead)
    assert unknown.ok
    assert unknown.order is None
    listed = answer_to(rig, ReadOpenOrders(cause=0, realm=PAPER, request="o"), OpenOrdersRead)
    assert [order.order_hash for order in listed.orders] == [name]
    trades = answer_to(rig, ReadTrades(cause=0, realm=PAPER, request="t"), TradesRead)
    assert [trade.status for trade in trades.trades] == [TradeStatus.CONFIRMED]
    command = ReadBalances(cause=0, realm=PAPER, request="b", tokens=("11", "22"))
    balances = answer_to(rig, command, BalancesRead)
    assert {one.asset: one.qty_u6 for one in balances.balances} == {
        CASH: rig.cash_u6(),
        "11": q(20),
        "22": 0,
    }
    held = answer_to(rig, ReadPositions(cause=0, realm=PAPER, request="p"), PositionsRead)
    assert [(one.token, one.qty_u6) for one in held.positions] == [("11", q(20))]


def test_a_restart_owns_what_the_books_say_and_settles_what_was_pending() -> None:
    change = FillChange(
        kind=FillKind.PROVISIONAL,
        realm=PAPER,
        at_ns=0,
        seq=1,
        trade_id="paper-old-1",
        order_hash="0xold",
        cid="r0-1",
        strategy="s",
        market="0xm",
        token="11",
        outcome=Outcome.YES,
        side=Side.BUY,
        px_u6=420_000,
        qty_u6=q(10),
        cash_u6=4_200_000,
        fee_u6=97_440,
        is_maker=False,
    )
    trade = TradeRecord(
        realm=PAPER,
        trade_id="paper-old-1",
        order_hash="0xold",
        cid="r0-1",
        status=TradeStatus.MATCHED,
        applied=Applied.PROVISIONAL,
        first_ns=0,
        updated_ns=0,
        change=change,
    )
    totals = AccountTotals(realm=PAPER, rows=(("confirmed", "11", q(5)),), entries=1)
    rig = Rig()
    rig.venue.adopt(AccountRestored(realm=PAPER, trades=(trade,), totals=totals))
    assert rig.venue.purse.balances == {"11": q(5)}, "no cash row means no cash"
    assert rig.venue.purse.owed == {CASH: 4_297_440}
    rig.venue.purse.move(CASH, q(100))
    rig.wait(1)
    assert rig.venue.purse.balances == {"11": q(15), CASH: q(100) - 4_297_440}
    assert rig.told()[-1].trade.status is TradeStatus.CONFIRMED
