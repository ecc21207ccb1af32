"""What answers of the venue show to differ from our books, row by row.

Sweeps of open orders are folded into `Orders` here; trades, balances and the audit were folded by
their owners before. Everything that differs becomes a line of the report; nothing is mended.
"""

from collections.abc import Callable, Mapping, Sequence

from msgspec import Struct

from polytui.engine.core.account_events import BalancesRead, OpenOrdersRead, PositionsRead
from polytui.engine.core.events import MarketSpec
from polytui.engine.core.order_enums import Anomaly, FillKind, Witness
from polytui.engine.core.trading import CASH, FillChange, VenueOrder
from polytui.engine.core.units import text_u6
from polytui.engine.orders.difference import AUDIT, BALANCES, Line, Report
from polytui.engine.orders.lifecycle import Order
from polytui.engine.orders.manager import Orders
from polytui.engine.portfolio.portfolio import Portfolio


class Owners(Struct, frozen=True):
    """Who owns what is looked at; passed to each call, never kept."""

    orders: Orders
    portfolio: Portfolio
    spec_of: Callable[[str], MarketSpec | None]
    markets: Mapping[str, str]
    """Token to market."""


class Moment(Struct, frozen=True):
    """One event with its stamp and the owners it concerns."""

    owners: Owners
    at_ns: int
    seq: int
    booked: Sequence[FillChange]
    """What the event's trades changed, as `Trades` said."""


class Sweeper:
    """The difference report, and the orders that a sweep did not find."""

    __slots__ = ("_touched_ns", "report", "vanished")

    def __init__(self, report: Report, touched_ns: int) -> None:
        """Start with nothing missing; what moved within `touched_ns` is left alone."""
        self._touched_ns = touched_ns
        self.report = report
        self.vanished: dict[str, Order] = {}
        """Orders that a sweep lacked, until their reads have spoken."""

    def balances(self, event: BalancesRead, moment: Moment) -> None:
        """Hold our final cash and tokens against the venue's reading of the chain."""
        portfolio = moment.owners.portfolio
        rows = portfolio.balances_read(
            event,
            at_ns=moment.at_ns,
            touched_ns=self._touched_ns,
            open_keys={order.cid for order in moment.owners.orders.counted()},
        )
        held = {asset: row[0] for asset, row in portfolio.tokens().items()}
        held[CASH] = portfolio.cash_u6
        theirs = {balance.asset: balance.qty_u6 for balance in event.balances}
        equal = {asset for asset, qty_u6 in theirs.items() if qty_u6 == held.get(asset, 0)}
        self.report.compare(
            rows, source=BALANCES, equal=equal, markets=moment.owners.markets, at_ns=moment.at_ns
        )

    def positions(self, event: PositionsRead, moment: Moment) -> None:
        """Hold our final tokens against the audit, tokens it leaves out as zero."""
        portfolio = moment.owners.portfolio
        rows = portfolio.positions_read(event, touched_ns=self._touched_ns)
        theirs = {held.token: held.qty_u6 for held in event.positions}
        held = {asset: row[0] for asset, row in portfolio.tokens().items()}
        assets = set(theirs) | set(held)
        equal = {asset for asset in assets if theirs.get(asset, 0) == held.get(asset, 0)}
        self.report.compare(
            rows, source=AUDIT, equal=equal, markets=moment.owners.markets, at_ns=moment.at_ns
        )

    def trades(self, moment: Moment) -> None:
        """Show each fill that only a read told us of."""
        for change in moment.booked:
            if change.kind is not FillKind.PROVISIONAL:
                continue
            amount = f"{change.side.value} {text_u6(change.qty_u6)} at {text_u6(change.px_u6)}"
            self.report.told(
                Line(
                    anomaly=Anomaly.ORDER_MISMATCH if change.cid else Anomaly.EXTERNAL,
                    subject=f"{change.trade_id}/{change.order_hash}",
                    market=change.market,
                    ours="not seen",
                    theirs=amount,
                    evidence="trades read",
                    since_ns=moment.at_ns,
                )
            )

    def orders(self, event: OpenOrdersRead, moment: Moment, *, is_strict: bool) -> None:
        """Fold a sweep of all open orders: each row, then what it lacks.

        While trust is being won back nothing moves by us, so even what was touched lately counts.
        """
        quiet_ns = 0 if is_strict else self._touched_ns
        for row in event.orders:
            self._fold_row(row, event.asked_ns - quiet_ns, moment)
        present = {row.order_hash for row in event.orders}
        asked_ns = event.asked_ns + self._touched_ns - quiet_ns
        missing = moment.owners.orders.missing(
            present, asked_ns=asked_ns, at_ns=moment.at_ns, seq=moment.seq
        )
        for order in missing:
            self.vanished[order.cid] = order
            self.report.note(
                _line(order, order.state.value, "absent", moment.at_ns, is_question=True)
            )

    def _fold_row(self, row: VenueOrder, before_ns: int, moment: Moment) -> None:
        orders, at_ns = moment.owners.orders, moment.at_ns
        known = orders.by_hash.get(row.order_hash)
        before = "" if known is None else _words(known)
        touched_ns = 0 if known is None else known.touched_ns
        order = orders.seen(row, Witness.REST_READ, at_ns=at_ns, seq=moment.seq)
        if order is None:
            spec = moment.owners.spec_of(row.market)
            order = orders.adopt(row, at_ns=at_ns, seq=moment.seq, spec=spec)
            self.report.note(_line(order, "not ours", _words(order), at_ns))
            return
        self.found(order, at_ns)
        if order.is_ghost:
            self.report.note(_line(order, order.state.value, row.status, at_ns))
        elif before != _words(order) and touched_ns < before_ns:
            self.report.told(_line(order, before, _words(order), at_ns))

    def found(self, order: Order, at_ns: int) -> None:
        """Take back that an order had vanished."""
        if self.vanished.pop(order.cid, None) is not None:
            self.report.resolve(order.order_hash, Anomaly.ORDER_MISMATCH, at_ns=at_ns)

    def close_lines(self, moment: Moment) -> None:
        """Resolve lines about orders that are over."""
        by_hash, at_ns = moment.owners.orders.by_hash, moment.at_ns
        for cid in [cid for cid, order in self.vanished.items() if is_over(order)]:
            del self.vanished[cid]
        for subject, anomaly in self.report.about_orders():
            order = by_hash.get(subject)
            if order is None or is_over(order):
                self.report.resolve(subject, anomaly, at_ns=at_ns)


def is_over(order: Order) -> bool:
    """Tell whether the venue cannot hold it any more, as far as anybody knows."""
    return order.state.is_terminal and not order.is_ghost


def _line(order: Order, ours: str, theirs: str, at_ns: int, *, is_question: bool = False) -> Line:
    """Make a line about an order."""
    return Line(
        anomaly=Anomaly.EXTERNAL if order.external else Anomaly.ORDER_MISMATCH,
        subject=order.order_hash,
        market=order.draft.market,
        ours=ours,
        theirs=theirs,
        evidence="open orders read",
        since_ns=at_ns,
        is_question=is_question,
    )


def _words(order: Order) -> str:
    """Say where an order stands."""
    return f"{order.state.value} {text_u6(order.venue_matched_u6)} of {text_u6(order.qty_u6)}"
