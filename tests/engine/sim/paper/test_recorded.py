"""The paper venue on recorded books: coverage, both models, and the negative control (g)."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from polytui.engine.core.commands import CancelAll, PlaceOrders
from polytui.engine.core.enums import BookState, Outcome, Side
from polytui.engine.core.events import MarketListed, PublicTrade, Stamped
from polytui.engine.core.order_enums import OrderType, Realm
from polytui.engine.core.runconfig import BookConfig, PaperConfig, RunConfig
from polytui.engine.core.trading import Terms
from polytui.engine.core.units import U
from polytui.engine.market.tracked import Tracked
from polytui.engine.orders.amounts import AmountError, amounts
from polytui.engine.shell.records import Frame, Told
from polytui.engine.shell.tapes import open_tape
from polytui.engine.sim.paper.report import PaperReport
from polytui.engine.sim.paper.tape import Coverage, PaperTape, Watch
from polytui.engine.wire import polymarket
from tests.engine.sim.paper.rig import NS

TWO_TOKENS = "pm-btc5m-twotoken-derived-20260413.jsonl.gz"
BOOKS = "pm-btc5m-book-raw-20260413T1535-1625.jsonl.gz"
RUN = RunConfig(book=BookConfig(digest_check="off"))
RICH = PaperConfig(cash_u6=10**12, failed_share=0.0)
HORIZON_NS = 10 * NS
Record = Callable[[str, object], None]


def events_of(path: Path) -> Iterator[Stamped]:
    """Read a tape as stamped events."""
    seq = 0
    for record in open_tape([path]).records():
        assert isinstance(record, Frame | Told), "foreign tapes hold frames and events only"
        events = (
            polymarket.decode(record.conn, record.data)
            if isinstance(record, Frame)
            else [record.event]
        )
        for event in events:
            seq += 1
            yield Stamped(seq, record.mono_ns, event)


class Script:
    """Quotes both tokens at the touch and takes a little now and then, by the clock alone."""

    def __init__(self, path: Path, *, copied: list[PublicTrade] | None = None) -> None:
        self.tape: PaperTape | None = None
        self.path = path
        self.sent = 0
        self.copied = copied
        self.due_ns = self.quotes_ns = 0
        self.marks: list[tuple[int, str, int]] = []
        """(time, market, mid of YES)."""

    def run(self) -> tuple[PaperReport, list[Coverage]]:
        """Go through the tape."""
        for stamped in events_of(self.path):
            if self.tape is None:
                self.tape = PaperTape(RICH, run=RUN, seed=1, at_ns=stamped.at_ns)
            if isinstance(stamped.event, MarketListed):
                spec = stamped.event.spec
                start_s = int(spec.slug.rpartition("-")[2])
                window = (start_s * NS, (start_s + 300) * NS)
                self.tape.watches.setdefault(spec.market, Watch(spec.market, *window))
            self.tape.take(stamped)
            self.look(stamped)
        assert self.tape is not None
        watches = self.tape.watches.values()
        return self.tape.venue.report(), [watch.coverage() for watch in watches]

    def look(self, stamped: Stamped) -> None:
        """Act every two seconds, or copy a fill as soon as it is seen."""
        assert self.tape is not None
        market = getattr(stamped.event, "market", "")
        ix = self.tape.desk.catalog.find(market) if market else None
        if ix is None:
            return
        tracked = self.tape.desk.markets[ix]
        yes, no = tracked.book.yes.px, tracked.book.no.px
        if tracked.quality.state is not BookState.SYNCED or not yes or not no:
            return
        at_ns = stamped.at_ns
        self.marks.append((at_ns, market, (yes[-1] + U - no[-1]) // 2))
        if self.copied is not None:
            self.copy(stamped.event, tracked)
        elif at_ns >= self.due_ns:
            self.due_ns = at_ns + 2 * NS
            self.quote(tracked, at_ns)

    def quote(self, tracked: Tracked, at_ns: int) -> None:
        """Renew the quotes every ten seconds; take ten shares then."""
        assert self.tape is not None
        bid_u6, ask_u6 = tracked.book.yes.px[-1], U - tracked.book.no.px[-1]
        if at_ns < self.quotes_ns:
            return
        self.quotes_ns = at_ns + 10 * NS
        cancel = CancelAll(cause=0, realm=Realm.PAPER, request=f"c{at_ns}")
        self.tape.venue.carry_out(cancel)
        self.place(tracked, Outcome.YES, bid_u6, 20 * U, OrderType.GTC)
        self.place(tracked, Outcome.NO, U - ask_u6, 20 * U, OrderType.GTC)
        self.place(tracked, Outcome.YES, ask_u6, 10 * U, OrderType.FAK)

    def copy(self, event: object, tracked: Tracked) -> None:
        """Send somebody's fill as an order of ours the moment it is public."""
        assert self.copied is not None
        if isinstance(event, PublicTrade) and event in self.copied and event.qty_u6:
            outcome = Outcome.YES if event.token == tracked.spec.tokens[0] else Outcome.NO
            self.place(tracked, outcome, event.px_u6, event.qty_u6, OrderType.FAK)

    def place(
        self, tracked: Tracked, outcome: Outcome, px_u6: int, qty_u6: int, kind: OrderType
    ) -> None:
        """Send a BUY."""
        assert self.tape is not None
        self.sent += 1
        try:
            maker_u6, taker_u6 = amounts(
                Side.BUY, px_u6, qty_u6 - qty_u6 % 10_000, kind, tracked.book.tick_u6
            )
        except AmountError:
            return
        terms = Terms(
            cid=f"s-{self.sent}",
            order_hash=f"0x{self.sent:016x}{0:048x}",
            salt=self.sent,
            maker="0xus",
            signer="0xus",
            signature_type=0,
            token=tracked.spec.tokens[0 if outcome is Outcome.YES else 1],
            side=Side.BUY,
            maker_amount_u6=maker_u6,
            taker_amount_u6=taker_u6,
            timestamp_ms=0,
            neg_risk=False,
            protocol="v1",
            order_type=kind,
            post_only=kind is OrderType.GTC,
            expiration_s=0,
            builder="",
            px_u6=px_u6,
            qty_u6=qty_u6,
        )
        self.tape.venue.carry_out(PlaceOrders(cause=0, realm=Realm.PAPER, orders=(terms,)))

    def mid_after(self, market: str, at_ns: int) -> int | None:
        """Return the mid of YES a little after a moment."""
        for seen_ns, where, mid_u6 in self.marks:
            if where == market and seen_ns >= at_ns + HORIZON_NS:
                return mid_u6
        return None


@pytest.mark.slow
@pytest.mark.timeout(180)
@pytest.mark.parametrize("name", [TWO_TOKENS, BOOKS])
def test_a_script_on_recorded_books_reports_coverage_and_both_models(
    shared_data: Path, name: str, record_property: Record
) -> None:
    report, coverages = Script(shared_data / name).run()
    for one in coverages:
        record_property(one.market[:10], repr(one))
    record_property("fills", report.summary.text)
    summary = report.summary
    assert coverages
    assert all(0 <= one.share <= 1 for one in coverages)
    assert summary.taker_fills > 0
    assert summary.averse.qty_u6 <= summary.probabilistic.qty_u6
    assert all(row.averse_u6 <= row.probabilistic_u6 <= row.qty_u6 for row in report.orders)
    if name == BOOKS:
        assert summary.probabilistic.fills == 0, "no prints in it: nobody is filled by a guess"
    else:
        assert summary.averse.fills > 0


@pytest.mark.slow
@pytest.mark.timeout(180)
def test_copying_somebodys_fills_does_not_reproduce_their_profit(
    shared_data: Path, record_property: Record
) -> None:
    """The best trader of the tape: every print whose mid ten seconds later was better."""
    path = shared_data / TWO_TOKENS
    first = Script(path)
    first.run()
    assert first.tape is not None
    theirs_u6, copied = 0, []
    later = _mids(first.marks)
    for stamped in events_of(path):
        event = stamped.event
        if not isinstance(event, PublicTrade) or not event.qty_u6:
            continue
        gain_u6 = _gain(first, later, event.market, event.token, stamped.at_ns, event.px_u6)
        if gain_u6 is not None and gain_u6 >= 20_000:
            copied.append(event)
            theirs_u6 += gain_u6 * event.qty_u6 // U
    assert len(copied) > 100
    again = Script(path, copied=copied)
    again.run()
    assert again.tape is not None
    ours_u6 = -again.tape.venue.report().summary.fees_u6
    for order in again.tape.venue.orders.values():
        if order.filled_u6:
            px_u6 = order.spent_u6 * U // order.filled_u6
            gain_u6 = _gain(again, later, order.market, order.terms.token, order.created_ns, px_u6)
            ours_u6 += (gain_u6 or 0) * order.filled_u6 // U
    record_property("result", f"theirs {theirs_u6 / U:.2f}, ours {ours_u6 / U:.2f}, {len(copied)}")
    assert ours_u6 < theirs_u6 // 2


Later = dict[str, list[tuple[int, int]]]


def _mids(marks: list[tuple[int, str, int]]) -> Later:
    later: Later = {}
    for at_ns, market, mid_u6 in marks:
        later.setdefault(market, []).append((at_ns, mid_u6))
    return later


def _gain(
    script: Script, later: Later, market: str, token: str, at_ns: int, px_u6: int
) -> int | None:
    """Return what a bought share is worth ten seconds later, less its price."""
    assert script.tape is not None
    rows = later.get(market, [])
    low, high = 0, len(rows)
    while low < high:
        middle = (low + high) // 2
        low, high = (middle + 1, high) if rows[middle][0] < at_ns + HORIZON_NS else (low, middle)
    where = script.tape.venue.where(token)
    if low == len(rows) or where is None:
        return None
    mid_u6 = rows[low][1]
    return (mid_u6 if where[1] is Outcome.YES else U - mid_u6) - px_u6
