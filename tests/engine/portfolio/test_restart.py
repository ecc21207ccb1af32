"""A restart rebuilds the books from the store: the state of a twin that never stopped."""

import random

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st

from polytui.engine.core.enums import Outcome
from polytui.engine.core.order_enums import Anomaly, EntryKind, FillKind, Realm
from polytui.engine.core.trading import CASH, AccountTotals, FillChange, PositionRecord
from polytui.engine.portfolio.exposure import Item
from polytui.engine.portfolio.portfolio import Portfolio
from polytui.engine.portfolio.positions import Place
from tests.engine.portfolio.desk import (
    BUY,
    DAY_NS,
    GROUP,
    NO,
    SELL,
    START_NS,
    YES,
    Desk,
    M,
    S,
    fill,
    item,
    then,
    u6,
)

STRATEGIES = ("box", "mm", "operator")


class Store:
    """What the account's journal keeps: latest positions, latest totals, trades not final."""

    def __init__(self) -> None:
        self.positions: dict[tuple[str, str], PositionRecord] = {}
        self.totals: AccountTotals | None = None
        self.pending: dict[str, FillChange] = {}

    def keep(self, books: Portfolio) -> None:
        for record in books.drain_positions():
            self.positions[record.strategy, record.token] = record
        self.totals = books.totals()

    def restart(self) -> Portfolio:
        """Write everything down, read it again, and build the books of it."""
        raw = msgspec.json.encode((list(self.positions.values()), self.totals, self.pending))
        positions, totals, pending = msgspec.json.decode(
            raw, type=tuple[list[PositionRecord], AccountTotals, dict[str, FillChange]]
        )
        books = Portfolio(Realm.LIVE)
        assert books.restore(positions, totals) == []
        for change in pending.values():
            books.replay(change, group=GROUP)
        books.audit()
        return books


class Twins:
    """The same random deeds done to books that go on and to books that restart."""

    def __init__(self, luck: random.Random) -> None:
        self.luck = luck
        self.store = Store()
        self.steady = Desk("1000").books
        self.other = Desk("1000").books
        self.orders: dict[str, Item] = {}
        self.at_ns = START_NS
        self.count = 0

    def both(self) -> tuple[Portfolio, Portfolio]:
        return self.steady, self.other

    def step(self) -> None:
        self.at_ns += self.luck.choice((S, 60 * S, 60 * S, DAY_NS // 3))
        self.luck.choice((self.begin, self.begin, self.end, self.end, self.pairs, self.small))()
        for books in self.both():
            for name in (M,):
                books.mark(name, u6("0.44"), u6("0.46"), at_ns=self.at_ns)
        self.store.keep(self.other)

    def begin(self) -> None:
        self.count += 1
        place, who = self.luck.choice((YES, NO)), self.luck.choice(STRATEGIES)
        qty = self.luck.randint(1, 30)
        has_enough = self.free_u6(who, place) >= qty * 1_000_000
        change = fill(
            f"t{self.count}",
            self.luck.choice((BUY, SELL)) if has_enough else BUY,
            f"0.{self.luck.randint(1, 99):02}",
            str(qty),
            place=place,
            strategy=who,
            fee="0.01234",
            at_ns=self.at_ns,
            snapshot=self.count,
        )
        for books in self.both():
            books.apply(change, group=GROUP)
        self.store.pending[change.trade_id] = change

    def free_u6(self, strategy: str, place: Place) -> int:
        """Return what a strategy holds and has not sold: whose risk a sale of more is, is open."""
        one = self.steady.positions.find(strategy, place.token)
        return 0 if one is None else one.confirmed_u6 - one.out_u6

    def end(self) -> None:
        if self.store.pending:
            first = self.store.pending.pop(self.luck.choice(sorted(self.store.pending)))
            kind = self.luck.choice((FillKind.PROMOTED, FillKind.PROMOTED, FillKind.VOIDED))
            for books in self.both():
                books.apply(then(first, kind, at_ns=self.at_ns), group=GROUP)

    def pairs(self) -> None:
        op, qty = self.luck.choice((("split", "7.000001"), ("merge", "3")))
        who = self.luck.choice(STRATEGIES)
        if op == "merge" and min(self.free_u6(who, place) for place in (YES, NO)) < u6(qty):
            return
        for books in self.both():
            desk = Desk()
            desk.books = books
            desk.move(op, qty, strategy=who, at_ns=self.at_ns)

    def small(self) -> None:
        deed = self.luck.randrange(4)
        for books in self.both():
            if deed == 0:
                books.transfer(u6("5"), ref="in", at_ns=self.at_ns, seq=1)
            elif deed == 1:
                books.earned(
                    EntryKind.REBATE, 77, ref="day", at_ns=self.at_ns, seq=1, strategy="mm"
                )
            elif deed == 2:
                books.adjust(CASH, -3, evidence="read", at_ns=self.at_ns, seq=1)
            else:
                books.adjust(YES.token, 9, evidence="read", at_ns=self.at_ns, seq=1, place=YES)

    def restart(self) -> None:
        self.other = self.store.restart()
        self.other.mark(M, u6("0.44"), u6("0.46"), at_ns=self.at_ns)

    def compare(self) -> None:
        for books in self.both():
            _admit(books)
        assert self.steady.checkpoint() == self.other.checkpoint()
        ours, theirs = (books.summary() for books in self.both())
        assert ours.markets == theirs.markets
        assert ours.cash_u6 == theirs.cash_u6
        assert (ours.equity_u6, ours.day_u6, ours.drawdown_u6, ours.peak_u6) == (
            theirs.equity_u6,
            theirs.day_u6,
            theirs.drawdown_u6,
            theirs.peak_u6,
        )
        for line, other in zip(ours.strategies, theirs.strategies, strict=True):
            assert (line.day_u6, line.fees_u6, line.rebates_u6) == (
                other.day_u6,
                other.fees_u6,
                other.rebates_u6,
            )


def _admit(books: Portfolio) -> None:
    """Judge everything at average cost, as after a new order in each market."""
    for who in ("external", *STRATEGIES):
        books.expose(item("admission", BUY, "0.5", "1", strategy=who))
        books.release("admission")


@settings(max_examples=200)
@given(st.integers(0, 2**32), st.integers(1, 40), st.integers(0, 25))
def test_inv23_restored_books_equal_those_of_an_uninterrupted_twin_then_and_later(
    seed: int, before: int, after: int
) -> None:
    twins = Twins(random.Random(seed))
    for _ in range(before):
        twins.step()
    twins.restart()
    twins.compare()
    for _ in range(after):
        twins.step()
    twins.compare()


def test_open_orders_of_the_store_are_exposed_again() -> None:
    desk, store = Desk("100"), Store()
    desk.trade("a", BUY, "0.5", "10")
    desk.books.expose(item("o", BUY, "0.3", "10"))
    store.keep(desk.books)
    books = store.restart()
    assert books.exposure.of("total") == u6("5")
    books.expose(item("o", BUY, "0.3", "10"))
    assert books.exposure.worst_u6() == desk.books.exposure.worst_u6()


def test_a_day_loss_and_a_drawdown_survive_a_restart() -> None:
    desk, store = Desk("100"), Store()
    desk.trade("a", BUY, "0.5", "100")
    for bid in ("0.6", "0.45"):
        desk.books.mark(M, u6(bid), u6("0.7"), at_ns=START_NS)
    assert (desk.books.day_pnl_u6, desk.books.profit.drawdown_u6) == (u6("-5"), u6("15"))
    store.keep(desk.books)
    books = store.restart()
    books.tick(START_NS + S)
    assert books.profit.peak_u6 == u6("10"), "no highest point before the marks are back"
    books.mark(M, u6("0.45"), u6("0.7"), at_ns=START_NS + S)
    assert (books.day_pnl_u6, books.profit.drawdown_u6) == (u6("-5"), u6("15"))


def test_marks_that_never_come_are_not_waited_for_for_ever() -> None:
    desk, store = Desk("100"), Store()
    desk.trade("a", BUY, "0.5", "10")
    store.keep(desk.books)
    books = store.restart()
    books.tick(START_NS)
    books.earned(EntryKind.REBATE, 5, ref="day", at_ns=START_NS, seq=1)
    assert books.profit.peak_u6 == 0
    books.tick(START_NS + 300 * S)
    books.earned(EntryKind.REBATE, 5, ref="day", at_ns=START_NS, seq=2)
    assert books.profit.peak_u6 == 10


def test_a_store_whose_positions_and_ledger_part_is_told() -> None:
    desk, store = Desk("100"), Store()
    desk.trade("a", BUY, "0.5", "10")
    store.keep(desk.books)
    key = ("box", YES.token)
    torn = msgspec.structs.replace(store.positions[key], confirmed_u6=u6("9"))
    (row,) = Portfolio(Realm.LIVE).restore([torn], store.totals)
    assert (row.anomaly, row.ours_u6, row.theirs_u6) == (
        Anomaly.POSITION_MISMATCH,
        u6("9"),
        u6("10"),
    )


def test_positions_without_totals_still_make_books_that_balance() -> None:
    desk, store = Desk("100"), Store()
    desk.trade("a", BUY, "0.5", "10")
    store.keep(desk.books)
    books = Portfolio(Realm.LIVE)
    assert books.restore(store.positions.values(), None) == []
    assert not books.has_books, "cash is unknown until it is read"
    assert books.positions.confirmed_u6(YES.token) == u6("10")
    assert books.positions.holding("box", M).qty_u6(Outcome.YES) == u6("10")
    books.ledger.audit()
