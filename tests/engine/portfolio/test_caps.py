"""Invariant 10: what was admitted under a cap stays under it, however everything ends."""

import random

from hypothesis import example, given, settings
from hypothesis import strategies as st
from msgspec import structs

from polytui.engine.core.enums import Outcome, Side
from polytui.engine.core.order_enums import FillKind
from polytui.engine.core.trading import FillChange
from polytui.engine.core.units import U
from polytui.engine.portfolio.exposure import ACCOUNT, Item
from polytui.engine.portfolio.portfolio import Portfolio
from polytui.engine.portfolio.positions import Place
from tests.engine.portfolio.desk import BUY, GROUP, NO, SELL, YES, Desk, fill, item, then, u6

CAP_U6 = 100 * U


def exposed(books: Portfolio) -> int:
    return books.exposure.worst_u6().get(ACCOUNT, 0)


def test_inv10_a_gain_that_is_banked_does_not_lift_the_exposure_over_its_cap() -> None:
    desk = Desk()
    desk.move("split", "100")
    books = desk.books
    books.expose(item("c-s", SELL, "0.6", "100"))
    admitted_u6 = exposed(books)
    assert admitted_u6 == u6("40"), "100 paid, 60 received, NO is left and may be worth nothing"
    desk.tell(sold := fill("s", SELL, "0.6", "100"))
    books.release("c-s")
    assert exposed(books) == admitted_u6
    desk.promote(sold)
    assert exposed(books) == admitted_u6, "although the NO tokens cost 50 at average cost"
    check = books.check(item("new", BUY, "0.5", "10", place=NO))
    assert check.total.before_u6 == u6("50"), "a new order is judged at average cost"
    books.expose(item("new", BUY, "0.5", "10", place=NO))
    assert exposed(books) == check.total.after_u6 == u6("55")


def test_inv10_a_merge_moves_no_exposure() -> None:
    desk = Desk()
    desk.trade("y", BUY, "0.47", "200")
    desk.trade("n", BUY, "0.5", "100", place=NO)
    assert exposed(desk.books) == u6("44")
    desk.move("merge", "100")
    assert exposed(desk.books) == u6("44")


class Life:
    """Orders admitted under a cap, then left to a random fate."""

    def __init__(self, luck: random.Random) -> None:
        self.luck = luck
        self.desk = Desk()
        self.books = self.desk.books
        self.left: dict[str, Item] = {}
        self.filled: dict[str, int] = {}
        self.under_way: list[FillChange] = []
        self.count = 0

    def admit(self) -> None:
        """Offer a random order to the gate."""
        luck, place = self.luck, self.luck.choice((YES, NO))
        self.count += 1
        strategy = luck.choice(("box", "mm"))
        side = luck.choice((BUY, BUY, SELL))
        size = luck.randint(1, 40) * 1_000_000 + luck.randint(0, 99) * 10_000
        if side is Side.SELL:
            size = min(size, self.free_u6(strategy, place))
        if size <= 0:
            return
        px = f"0.{luck.randint(5, 95):02}"
        one = item(f"o{self.count}", side, px, "1", place=place, strategy=strategy)
        cash_u6 = one.cash_u6 * size // U
        one = structs.replace(one, qty_u6=size, cash_u6=cash_u6, fee_u6=size // 50)
        if self.books.check(one).total.after_u6 <= CAP_U6:
            self.books.expose(one)
            self.left[one.key] = one

    def free_u6(self, strategy: str, place: Place) -> int:
        """Return what a strategy holds and has not promised."""
        position = self.books.positions.find(strategy, place.token)
        held_u6 = 0 if position is None else position.confirmed_u6 - position.out_u6
        return held_u6 - sum(
            one.qty_u6
            for one in self.left.values()
            if (one.strategy, one.outcome, one.side) == (strategy, place.outcome, SELL)
        )

    def step(self) -> None:
        """Let one thing happen that nobody asked for: no new order."""
        deeds = [self.fill, self.fill, self.end, self.end, self.cancel, self.merge]
        self.luck.choice(deeds)()

    def fill(self) -> None:
        """Fill a part of an order at its price or better."""
        if not self.left:
            return
        key = self.luck.choice(sorted(self.left))
        order = self.left[key]
        part_u6 = self.luck.choice((order.qty_u6, self.luck.randint(1, order.qty_u6)))
        fee_u6 = order.fee_u6 * part_u6 // order.qty_u6
        # Of an exact product the fill takes at most its share (BUY), or gives at least it (SELL).
        share_u6 = order.cash_u6 * part_u6 // order.qty_u6
        if order.side is Side.SELL:
            share_u6 = -(-order.cash_u6 * part_u6 // order.qty_u6)
        self.count += 1
        change = structs.replace(
            fill(f"t{self.count}", order.side, "0.5", "1", strategy=order.strategy, cid=key),
            token=(YES if order.outcome is Outcome.YES else NO).token,
            outcome=order.outcome,
            qty_u6=part_u6,
            cash_u6=share_u6,
            fee_u6=fee_u6,
        )
        rest = structs.replace(
            order,
            qty_u6=order.qty_u6 - part_u6,
            cash_u6=order.cash_u6 - share_u6,
            fee_u6=order.fee_u6 - fee_u6,
        )
        self.books.apply(change, group=GROUP)
        self.books.expose(rest)
        self.under_way.append(change)
        if rest.qty_u6:
            self.left[key] = rest
        else:
            del self.left[key]

    def end(self) -> None:
        """Let a fill settle or fail."""
        if self.under_way:
            change = self.under_way.pop(self.luck.randrange(len(self.under_way)))
            kind = self.luck.choice((FillKind.PROMOTED, FillKind.VOIDED))
            self.books.apply(then(change, kind), group=GROUP)

    def cancel(self) -> None:
        """Let an order die."""
        if self.left:
            key = self.luck.choice(sorted(self.left))
            del self.left[key]
            self.books.release(key)

    def merge(self) -> None:
        """Merge pairs of one strategy, as many as are free."""
        who = self.luck.choice(("box", "mm"))
        pairs_u6 = min(self.free_u6(who, place) for place in (YES, NO))
        if pairs_u6 > 0:
            qty = f"{pairs_u6 // U}.{pairs_u6 % U:06d}"
            self.desk.move("merge", qty, strategy=who)


@settings(max_examples=150)
@given(st.integers(0, 2**32))
@example(1)
def test_inv10_only_admissions_raise_the_exposure_and_never_over_the_cap(seed: int) -> None:
    life = Life(random.Random(seed))
    for _ in range(8):
        for _ in range(3):
            life.admit()
            assert exposed(life.books) <= CAP_U6 + 1
        for _ in range(6):
            before_u6 = exposed(life.books)
            life.step()
            # A part of an order whose price and fee make about a dollar may round the other way.
            assert exposed(life.books) <= before_u6 + 1
    life.books.audit()
