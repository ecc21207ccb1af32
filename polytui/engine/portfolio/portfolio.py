"""The account of one realm: what we own, what is under way, what it is worth, what could be lost.

One writer: the composition calls `apply` for each step of a trade, `moved` and its kin for what the
chain did, `expose` and `release` for orders, `mark` for prices. Every call keeps ledger, positions,
profit, attribution and exposure together. Nothing here repairs a difference: `balances_read`
returns rows, and only `adjust`, asked for with evidence, books one.

A restart gives `restore` the stored positions and totals and then `replay`s the fills that are not
final: the result is the state of a twin that never stopped, but for marks, which come again, and
for gains banked since the last admission, which exposure counts at average cost again.
"""

from collections.abc import Collection, Iterable, Mapping

from polytui.engine.core.account_events import BalancesRead, PositionsRead
from polytui.engine.core.enums import Side
from polytui.engine.core.errors import EngineBug
from polytui.engine.core.order_enums import Realm
from polytui.engine.core.trading import CASH, AccountTotals, PositionRecord
from polytui.engine.core.units import U
from polytui.engine.portfolio.chain import ChainBooks
from polytui.engine.portfolio.exposure import Check, Item
from polytui.engine.portfolio.ledger import (
    CAPITAL,
    CONFIRMED,
    FEES,
    INCOMING,
    LOST,
    OUTGOING,
    REBATES,
    REWARDS,
    between,
)
from polytui.engine.portfolio.positions import Holding, Mark, Place, Position
from polytui.engine.portfolio.settlement import Difference, is_explained, mismatch, orphan
from polytui.engine.portfolio.summary import Summary, summarize

PATIENCE_NS = 300 * 1_000_000_000
"""How long restored holdings wait for their marks before profit is measured without them."""


class Portfolio(ChainBooks):
    """Ledger, positions, profit and exposure of one realm."""

    __slots__ = ("_suspects", "balances_ns")

    def __init__(self, realm: Realm) -> None:
        """Own nothing and know nothing."""
        super().__init__(realm)
        self.balances_ns = 0
        """When the balances of the last good read were asked for."""
        self._suspects: dict[tuple[str, str], tuple[int, int]] = {}
        """Of assets that move all the time: (difference, since when it is the same)."""

    # --- restart ---------------------------------------------------------------------------------

    def restore(
        self, positions: Iterable[PositionRecord], totals: AccountTotals | None
    ) -> list[Difference]:
        """Take what the store knows; return where positions and ledger part (a torn store)."""
        assert not self.ledger.entries, "expected to restore before anything is booked"
        if totals is not None:
            assert totals.realm is self.realm, f"expected {self.realm}, was {totals.realm}"
            self.ledger.load(totals)
            self.profit.load(totals)
            self.has_books = True
        for record in positions:
            assert record.realm is self.realm, f"expected {self.realm}, was {record.realm}"
            self._restore_one(record)
            if totals is None:
                self.ledger.move(between(CAPITAL, record.token, record.confirmed_u6))
        for account, asset, amount_u6 in self.ledger.rows():
            name, _, strategy = account.partition(":")
            if asset == CASH and name in (REBATES, REWARDS, LOST):
                self.profit.earn(strategy, -amount_u6)
        return [
            mismatch(token, ours_u6, theirs_u6, "the stored ledger")
            for token in sorted(self.positions.places)
            if (ours_u6 := self.positions.confirmed_u6(token))
            != (theirs_u6 := self.ledger.of(CONFIRMED, token))
        ]

    def _restore_one(self, record: PositionRecord) -> None:
        place = Place(
            token=record.token, market=record.market, group=record.group, outcome=record.outcome
        )
        one = self.positions.get(record.strategy, place)
        one.confirmed_u6, one.cost_u6 = record.confirmed_u6, record.cost_u6
        one.fees_u6, one.realized_u6 = record.fees_u6, record.realized_u6
        one.unpriced = record.unpriced
        if record.confirmed_u6:
            self._awaiting.add(record.market)
        self._reckon(self.positions.holding(record.strategy, record.market))
        self.exposure.load(record.strategy, record.market)

    def totals(self) -> AccountTotals:
        """Write a checkpoint for the store."""
        return AccountTotals(
            realm=self.realm,
            rows=self.ledger.rows(),
            entries=self.ledger.entries,
            day=self.profit.day,
            day_bases=self.profit.bases(),
            peak_u6=self.profit.peak_u6,
        )

    def drain_positions(self) -> tuple[PositionRecord, ...]:
        """Hand over the positions whose final part changed since the last call."""
        return tuple(one.record(self.realm) for one in self.positions.drain())

    def checkpoint(self) -> tuple[object, ...]:
        """Write the whole state as plain values, for the state digest."""
        return (
            self.realm.value,
            self.ledger.entries,
            self.ledger.rows(),
            tuple(_row(one) for one in self.positions),
            tuple(sorted(self.settlement.pending)),
            tuple(sorted(self.settlement.faults)),
            tuple(sorted((*scope, u6) for scope, u6 in self.exposure.worst_u6().items())),
            (self.profit.day, self.profit.bases(), self.profit.peak_u6),
            tuple((name, mark.bid_u6, mark.ask_u6) for name, mark in sorted(self._marks.items())),
        )

    # --- time and prices -------------------------------------------------------------------------

    def tick(self, at_ns: int) -> None:
        """Let time pass: a new UTC day begins its own profit; missing marks are not waited for."""
        self.profit.roll(at_ns)
        if self._awaiting:
            self._patience_ns = self._patience_ns or at_ns + PATIENCE_NS
            if at_ns >= self._patience_ns:
                self._awaiting.clear()

    def mark(
        self, market: str, bid_yes_u6: int | None, ask_yes_u6: int | None, *, at_ns: int = 0
    ) -> None:
        """Take a market's executable prices; a side without a quote keeps its last price.

        Markets that are not held are not remembered. Before its first mark a holding is worth what
        it cost. Found tokens without a price take this one as their cost.
        """
        holdings = [one for one in self.positions.in_market(market) if one.is_live]
        if not holdings:
            return
        if at_ns:
            self.profit.roll(at_ns)
        known = self._marks.get(market, Mark(-1, -1))
        mark = Mark(
            known.bid_u6 if bid_yes_u6 is None else bid_yes_u6,
            known.ask_u6 if ask_yes_u6 is None else ask_yes_u6,
        )
        self._awaiting.discard(market)
        if mark != known:
            self._marks[market] = mark
            for holding in holdings:
                self._price(holding, mark)
                self._reckon(holding)
        self._crest()

    def mark_of(self, market: str) -> Mark | None:
        """Return the last prices of a market that is held."""
        return self._marks.get(market)

    def resolved(self, market: str, yes_pays_u6: int, *, at_ns: int) -> None:
        """Value a market at its known outcome; only what is under way in it is a risk still."""
        self.mark(market, yes_pays_u6, yes_pays_u6, at_ns=at_ns)
        self.exposure.resolve(market, yes_pays_u6)

    def _price(self, holding: Holding, mark: Mark) -> None:
        for position in holding.positions():
            px_u6 = mark.px_u6(position.place.outcome)
            if position.unpriced and px_u6 >= 0:
                position.price(px_u6)
                self.positions.touch(position, position.updated_ns)

    # --- orders ----------------------------------------------------------------------------------

    def expose(self, item: Item) -> None:
        """Count an order's remainder, or its new remainder; a spent one is released.

        Of one fill, `apply` the trade first and lessen the order after it: what has happened is
        never for a moment nowhere.
        """
        if item.qty_u6 > 0:
            self.exposure.put(item)
        else:
            self.exposure.drop(item.key)

    def release(self, key: str) -> None:
        """Stop counting an order: it is over."""
        self.exposure.drop(key)

    def check(self, item: Item) -> Check:
        """Judge a candidate against every scope, as if it were not counted yet."""
        return self.exposure.check(item)

    def orphans(self, open_keys: Collection[str]) -> list[Difference]:
        """List reservations whose order is over."""
        return [
            orphan(one.key, one.side, one.reserved_u6)
            for one in self.exposure.items()
            if one.is_order and one.key not in open_keys
        ]

    # --- cash and tokens -------------------------------------------------------------------------

    @property
    def cash_u6(self) -> int:
        """Final pUSD: what the venue shows as balance."""
        return self.ledger.of(CONFIRMED, CASH)

    @property
    def incoming_u6(self) -> int:
        """PUSD due from fills that are not final; not spendable."""
        return self.ledger.of(INCOMING, CASH)

    @property
    def outgoing_u6(self) -> int:
        """PUSD owed by fills that are not final, fees included; positive."""
        return -self.ledger.of(OUTGOING, CASH)

    @property
    def reserved_cash_u6(self) -> int:
        """PUSD that the exposed buy orders may take, fees included."""
        return sum(
            one.reserved_u6
            for one in self.exposure.items()
            if one.side is Side.BUY and one.is_order
        )

    def free_cash_u6(self, reserved_u6: int) -> int:
        """Return what a new order may use: confirmed less outgoing less reserved."""
        return self.cash_u6 - self.outgoing_u6 - reserved_u6

    def sell_capacity_u6(self, token: str, reserved_u6: int) -> int:
        """Return what may be sold: confirmed less provisional out less reserved; 0 at the least."""
        held_u6 = self.positions.confirmed_u6(token) - self.positions.out_u6(token)
        return max(0, held_u6 - reserved_u6)

    def tokens(self) -> dict[str, tuple[int, int, int]]:
        """Return (confirmed, provisional in, provisional out) of every token held or under way."""
        found: dict[str, tuple[int, int, int]] = {}
        for one in self.positions:
            old = found.get(one.place.token, (0, 0, 0))
            found[one.place.token] = (
                old[0] + one.confirmed_u6,
                old[1] + one.in_u6,
                old[2] + one.out_u6,
            )
        return {token: row for token, row in found.items() if any(row)}

    def pairs_u6(self, market: str) -> int:
        """Return the pairs that may be merged: final, and not promised to unsettled sales."""
        free = [0, 0]
        for holding in self.positions.in_market(market):
            for ix, one in enumerate((holding.yes, holding.no)):
                free[ix] += one.confirmed_u6 - one.out_u6 if one is not None else 0
        return max(0, min(free))

    # --- worth -----------------------------------------------------------------------------------

    @property
    def equity_u6(self) -> int:
        """Final cash and tokens at executable prices; fills under way are not in it."""
        return self.cash_u6 + self.profit.total.cost_u6 + self.profit.total.unrealized_u6

    @property
    def unrealized_u6(self) -> int:
        """Value less cost of what is held."""
        return self.profit.total.unrealized_u6

    @property
    def day_pnl_u6(self) -> int:
        """Profit of the UTC day, deposits aside."""
        return self.profit.day_u6()

    @property
    def peak_u6(self) -> int:
        """The highest equity, deposits aside: what drawdown is a share of."""
        return self.equity_u6 + self.profit.drawdown_u6

    def utilization_u6(self, reserved_u6: int) -> int:
        """Return the bound share of equity in micro-units, rounded up; 0 without equity."""
        bound_u6 = self.profit.total.cost_u6 + self.outgoing_u6 + reserved_u6
        return -(-bound_u6 * U // self.equity_u6) if self.equity_u6 > 0 else 0

    # --- what the venue says ---------------------------------------------------------------------

    def balances_read(
        self,
        event: BalancesRead,
        *,
        at_ns: int,
        touched_ns: int,
        open_keys: Collection[str] | None = None,
    ) -> list[Difference]:
        """Compare a read of balances with what is final; nothing is changed.

        Left out: assets that moved within `touched_ns` before the asking or since, and differences
        that fills under way would explain. With the keys of the open orders, orphaned reservations
        are listed as well.
        """
        if not event.ok or not self.has_books:
            return []
        self.profit.roll(at_ns)
        self.balances_ns = max(self.balances_ns, event.asked_ns)
        theirs = {balance.asset: balance.qty_u6 for balance in event.balances}
        rows = self._compare(theirs, event.asked_ns, touched_ns, "the venue's balance")
        return rows + ([] if open_keys is None else self.orphans(open_keys))

    def positions_read(self, event: PositionsRead, *, touched_ns: int) -> list[Difference]:
        """Compare the audit of positions with what is final, tokens it leaves out as zero."""
        if not event.ok or not self.has_books:
            return []
        theirs = dict.fromkeys(self.tokens(), 0)
        for held in event.positions:
            theirs[held.token] = held.qty_u6
        return self._compare(theirs, event.asked_ns, touched_ns, "the audit")

    def _compare(
        self, theirs: Mapping[str, int], asked_ns: int, touched_ns: int, source: str
    ) -> list[Difference]:
        """List differences; of an asset that moved lately only one that stays the same for long."""
        rows: list[Difference] = []
        for asset, theirs_u6 in theirs.items():
            key = (source, asset)
            missing_u6 = theirs_u6 - self.ledger.of(CONFIRMED, asset)
            if not missing_u6 or is_explained(missing_u6, self.settlement.steps_of(asset)):
                self._suspects.pop(key, None)
                continue
            known_u6, since_ns = self._suspects.get(key, (0, 0))
            if known_u6 != missing_u6:
                since_ns = asked_ns
                self._suspects[key] = (missing_u6, asked_ns)
            is_calm = self._moved_ns.get(asset, 0) <= asked_ns - touched_ns
            if is_calm or asked_ns - since_ns > touched_ns:
                rows.append(mismatch(asset, theirs_u6 - missing_u6, theirs_u6, source))
        return rows

    def summary(self) -> Summary:
        """Write everything the console may show."""
        return summarize(self)

    # --- proof -----------------------------------------------------------------------------------

    def audit(self) -> None:
        """Recount everything from scratch.

        Raises:
            EngineBug: ledger, positions, profit or attribution disagree.
        """
        self.ledger.audit()
        for token, row in self.tokens().items():
            booked = tuple(self.ledger.of(name, token) for name in (CONFIRMED, INCOMING, OUTGOING))
            _same(token, booked, (row[0], row[1], -row[2]))
        under_way_u6 = sum(one.cash_in_u6 - one.cash_out_u6 for one in self.positions)
        _same("cash under way", self.incoming_u6 - self.outgoing_u6, under_way_u6)
        for name, share in self.profit.shares.items():
            mine = [one for one in self.positions if one.strategy == name]
            result = self.attribution.of(name)
            _same(name, share.realized_u6, sum(one.realized_u6 for one in mine))
            _same(name, share.fees_u6, sum(one.fees_u6 for one in mine))
            _same(name, share.cost_u6, sum(one.cost_u6 for one in mine))
            _same(name, (share.realized_u6, share.fees_u6), (result.realized_u6, result.fees_u6))
        _same("fees", self.ledger.of(FEES, CASH), self.profit.total.fees_u6)
        parts = [share.net_u6 for share in self.profit.shares.values()]
        _same("profit", self.profit.total.net_u6, sum(parts))


def _same(what: str, ours: object, recounted: object) -> None:
    if ours != recounted:
        raise EngineBug(f"expected {what} to be {recounted}, was {ours}")


def _row(one: Position) -> tuple[str | int | bool, ...]:
    """Write a position as plain values."""
    return (
        one.place.token,
        one.strategy,
        one.confirmed_u6,
        one.in_u6,
        one.out_u6,
        one.cash_in_u6,
        one.cash_out_u6,
        one.cost_u6,
        one.fees_u6,
        one.realized_u6,
        one.unpriced,
    )
