"""Refusals for want of balance that our numbers contradict; reservations without an order."""

from typing import Any

import pytest
from msgspec.structs import replace

from polytui.engine.core.account_events import BalancesRead, OrderAnswered
from polytui.engine.core.commands import ReadBalances
from polytui.engine.core.enums import Outcome, Side
from polytui.engine.core.order_enums import Anomaly, Control, OrderState, SendOutcome, VenueCode
from polytui.engine.core.trading import CASH, Balance, Draft, Refusal
from polytui.engine.core.units import U
from polytui.engine.orders.locking import AGAIN_NS
from polytui.engine.portfolio.exposure import Item
from tests.engine.orders.reconcile_rig import MS, Account, S, held, stored

SELL = {"side": Side.SELL}


def ready(*, tokens: float = 0) -> Account:
    account = Account()
    held(account, "111", tokens)
    read(account)
    account.opened()
    account.live_on(2_000)
    return account


def answer(account: Account, name: str, **other: Any) -> Draft:
    """Let the venue answer an order of ours; return its draft."""
    state = OrderState.REFUSED if "code" in other else OrderState.LIVE
    record = stored(name, state, at_ns=account.at_ns)
    draft = replace(record.draft, **other.pop("draft", {}))
    account.orders.restore([replace(record, draft=draft)], at_ns=account.at_ns, seq=1)
    event = OrderAnswered(realm=account.realm, cid=record.cid, order_hash=name, **other)
    account.feed(event)
    return draft


def refuse(account: Account, name: str, **draft: Any) -> Draft:
    return answer(
        account, name, outcome=SendOutcome.REFUSED, code=VenueCode.BALANCE,
        text="not enough balance / allowance", draft=draft,
    )  # fmt: skip


def locked(account: Account) -> list[str]:
    lines = account.rec.report.lines
    return [subject for subject, anomaly in lines if anomaly is Anomaly.PHANTOM_LOCK]


def read(account: Account, *, after_ns: int = 0, allowance_u6: int = 10**15, **more: int) -> None:
    """Let a read of balances arrive that was asked so long after now."""
    balances = {CASH: account.cash_u6, **account.held, **more}
    account.at_ns += after_ns
    account.feed(
        BalancesRead(
            realm=account.realm, request="r", asked_ns=account.at_ns, ok=True,
            balances=tuple(Balance(asset=a, qty_u6=q) for a, q in balances.items()),
            allowance_u6=allowance_u6,
        )
    )  # fmt: skip


def barred(account: Account, draft: Draft) -> Refusal | None:
    return account.rec.locks.refuse(draft)


def test_a_refusal_that_our_books_contradict_bars_entries_and_reads_the_chain_anew() -> None:
    account = ready()
    before = len(account.commands)
    draft = refuse(account, "0xa")
    assert locked(account) == [CASH]
    refusal = barred(account, draft)
    assert refusal is not None
    assert refusal.control is Control.FUNDS
    assert barred(account, replace(draft, side=Side.SELL)) is None, "tokens are not locked"
    account.run(50)
    reads = [c for c in account.commands[before:] if isinstance(c, ReadBalances)]
    assert [one.refresh for one in reads] == [True]


def test_a_refusal_that_our_books_share_is_no_lock() -> None:
    account = ready()
    draft = refuse(account, "0xa", qty_u6=5_000 * U)
    assert locked(account) == []
    assert barred(account, draft) is None


def test_a_refused_sale_locks_its_token_and_names_its_market() -> None:
    account = ready(tokens=50)
    draft = refuse(account, "0xa", **SELL)
    assert locked(account) == ["111"]
    assert account.rec.report.lines["111", Anomaly.PHANTOM_LOCK].market == "0xm"
    assert barred(account, draft) is not None
    assert barred(account, replace(draft, side=Side.BUY)) is None


def test_a_sale_of_what_we_do_not_hold_is_refused_rightly() -> None:
    account = ready(tokens=3)
    refuse(account, "0xa", **SELL)
    assert locked(account) == []


def test_other_refusals_say_nothing_about_the_balance() -> None:
    account = ready()
    answer(account, "0xa", outcome=SendOutcome.REFUSED, code=VenueCode.TICK, text="tick")
    assert locked(account) == []


def test_an_order_as_large_that_is_taken_ends_the_lock_and_a_smaller_one_does_not() -> None:
    account = ready()
    refuse(account, "0xa")
    answer(account, "0xb", outcome=SendOutcome.ACCEPTED, draft={"qty_u6": 2 * U})
    assert locked(account) == [CASH]
    answer(account, "0xc", outcome=SendOutcome.ACCEPTED, draft={"qty_u6": 11 * U})
    assert locked(account) == []
    assert account.rec.report.resolved[-1].evidence.startswith("order old-1-0xc was taken")


def test_a_read_ends_the_lock_only_half_a_minute_after_the_last_refusal() -> None:
    account = ready()
    refuse(account, "0xa")
    read(account, after_ns=AGAIN_NS - MS)
    assert locked(account) == [CASH]
    refuse(account, "0xb")
    read(account, after_ns=S)
    assert locked(account) == [CASH], "the second refusal begins the wait anew"
    read(account, after_ns=AGAIN_NS)
    assert locked(account) == []


@pytest.mark.parametrize("short", [{CASH: 4 * U}, {"allowance_u6": 4 * U}])
def test_a_read_that_shows_a_real_shortage_ends_the_lock_at_once(short: dict[str, int]) -> None:
    account = ready()
    refuse(account, "0xa")
    read(account, after_ns=MS, **short)
    assert locked(account) == []
    assert "short indeed" in account.rec.report.resolved[-1].evidence
    refuse(account, "0xb")
    assert locked(account) == ([] if "allowance_u6" in short else [CASH])


def test_a_reservation_whose_order_is_over_is_shown_until_it_is_gone() -> None:
    """Our own bug, shown as a difference: it would bind cash for ever (plan: orphaned)."""
    account = ready()
    lines = account.rec.report.lines
    account.portfolio.expose(
        Item(
            key="gone", strategy="s", market="0xm", group="g", outcome=Outcome.YES, side=Side.BUY,
            qty_u6=10 * U, cash_u6=5 * U,
        )
    )  # fmt: skip
    read(account, after_ns=S)
    assert ("gone", Anomaly.ORPHANED_RESERVATION) in lines
    account.portfolio.release("gone")
    read(account, after_ns=S)
    assert not lines
