"""Double entry: invariant 14 for every entry, every asset and the whole."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from polytui.engine.core.errors import EngineBug
from polytui.engine.core.order_enums import EntryKind, Realm
from polytui.engine.core.trading import CASH, AccountTotals, LedgerEntry
from polytui.engine.portfolio.ledger import ACCOUNTS, Ledger, between, purse, swap_moves
from tests.engine.portfolio.desk import BUY, NO, SELL, START_NS, YES, Desk, fill, u6


def sums(entry: LedgerEntry) -> dict[str, int]:
    found: dict[str, int] = {}
    for posting in entry.postings:
        found[posting.asset] = found.get(posting.asset, 0) + posting.amount_u6
    return found


def test_inv14_every_kind_of_entry_sums_to_zero_per_asset() -> None:
    desk = Desk()
    desk.trade("a", BUY, "0.46", "100", fee="0.5")
    desk.trade("b", BUY, "0.5", "100", place=NO)
    lost = fill("c", BUY, "0.4", "10")
    desk.tell(lost)
    desk.void(lost)
    desk.trade("d", SELL, "0.6", "10", fee="0.1")
    desk.move("split", "7")
    desk.move("merge", "20")
    desk.move("redeem", "0", paid="77", yes_pays_u6=1_000_000)
    books = desk.books
    now = START_NS
    desk.keep(books.transfer(u6("5"), ref="in", at_ns=now, seq=2))
    desk.keep(books.transfer(u6("-2"), ref="out", at_ns=now, seq=2))
    for kind in (EntryKind.REBATE, EntryKind.REWARD):
        desk.keep(books.earned(kind, 5, ref="day", strategy="box", at_ns=now, seq=2))
    desk.keep(books.adjust(CASH, -3, evidence="venue says so", at_ns=now, seq=2))
    desk.keep(books.adjust(YES.token, 3, evidence="venue says so", at_ns=now, seq=2))
    kinds = {entry.kind for entry in desk.entries}
    assert kinds >= {EntryKind.FILL, EntryKind.PROMOTE, EntryKind.VOID, EntryKind.ADJUST}
    assert all(not any(sums(entry).values()) for entry in desk.entries)
    assert all(posting.amount_u6 for entry in desk.entries for posting in entry.postings)
    assert [entry.n for entry in desk.entries] == list(range(1, len(desk.entries) + 1))


def test_an_unbalanced_entry_is_refused_and_leaves_nothing() -> None:
    ledger = Ledger(Realm.PAPER)
    with pytest.raises(EngineBug, match="sum to zero"):
        ledger.move([("confirmed", CASH, 5), ("market", CASH, -4)])
    with pytest.raises(EngineBug, match="sum to zero"):
        ledger.move([("confirmed", CASH, 5), ("market", "111", -5)])
    with pytest.raises(EngineBug, match="account of the table"):
        ledger.move([("confirmed", CASH, 5), ("pocket", CASH, -5)])
    assert ledger.rows() == ()
    assert ledger.entries == 0


@given(
    st.lists(
        st.tuples(st.sampled_from(ACCOUNTS), st.sampled_from((CASH, "1", "2")), st.integers(-9, 9)),
        max_size=30,
    )
)
def test_inv14_balances_are_the_sums_of_their_postings(
    moves: list[tuple[str, str, int]],
) -> None:
    ledger, expected = Ledger(Realm.PAPER), dict[tuple[str, str], int]()
    for account, asset, amount_u6 in moves:
        pair = [(account, asset, amount_u6), ("capital", asset, -amount_u6)]
        ledger.move(pair)
        for name, what, u in pair:
            expected[name, what] = expected.get((name, what), 0) + u
    assert ledger.rows() == tuple(
        (name, what, u) for (name, what), u in sorted(expected.items()) if u
    )
    assert all(ledger.of(name, what) == u for (name, what), u in expected.items())


def test_a_checkpoint_comes_back_without_what_was_provisional() -> None:
    desk = Desk("100")
    desk.tell(fill("a", BUY, "0.5", "10", fee="0.1"))
    ledger = Ledger(Realm.LIVE)
    ledger.load(desk.books.totals())
    assert ledger.rows() == (("capital", CASH, u6("-100")), ("confirmed", CASH, u6("100")))
    assert ledger.entries == 2


def test_a_checkpoint_that_does_not_balance_is_refused() -> None:
    torn = AccountTotals(realm=Realm.LIVE, rows=(("confirmed", CASH, 1),), entries=1)
    with pytest.raises(EngineBug, match="sum to zero"):
        Ledger(Realm.LIVE).load(torn)


def test_sub_accounts_add_up_under_their_name() -> None:
    ledger = Ledger(Realm.LIVE)
    for who in ("", "box", "mm"):
        ledger.move(between(purse("rebates", who), CASH, 7))
    ledger.move(swap_moves([(CASH, 1)]))
    assert ledger.of("rebates", CASH) == -7
    assert ledger.sum_of("rebates") == -21
    assert ledger.of("confirmed", CASH) == 22
