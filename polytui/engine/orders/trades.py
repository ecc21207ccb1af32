"""Our trades: what the venue says of each, and what that has done to our books.

    none ─► provisional ─► promoted          MATCHED, MINED, RETRYING … CONFIRMED
                 ├────────► voided           … FAILED
                 └─► stalled ─► either       older than 120 s: red, read again every 15 s
    promoted + FAILED, voided + CONFIRMED ─► fault: the market is halted, a person decides

The key is (trade id, own order hash): the transaction hash changes while the venue retries. The
first sighting fixes identity, price and size; after it only the status moves, and it only rises.
So any order and any repetition of news comes to the same end. A fault counts as filled on its
order, is uncertain both ways in the ledger, and is never resolved here.
"""

from collections import Counter, deque
from collections.abc import Callable, Iterable, Mapping
from types import MappingProxyType
from typing import Final

from msgspec import structs

from polytui.engine.core.commands import Command, ReadTrades, RecordAnomaly
from polytui.engine.core.enums import Outcome
from polytui.engine.core.events import MarketSpec
from polytui.engine.core.order_enums import Anomaly, Applied, FillKind, Realm, TradeStatus
from polytui.engine.core.runconfig import OrdersConfig
from polytui.engine.core.timers import Timers
from polytui.engine.core.trading import FillChange, TradeRecord, VenueTrade
from polytui.engine.core.units import text_u6
from polytui.engine.orders.fills import Part, booked_fee_u6, own_parts
from polytui.engine.orders.manager import EXTERNAL, Orders
from polytui.engine.orders.registry import MS

SpecOf = Callable[[str], MarketSpec | None]

DONE_MAX: Final = 50_000
"""Terminal trades remembered; what is older than the forgotten ones is never booked anew."""

HOMELESS_MAX: Final = 1_000
"""Trades of markets we do not know yet, kept until they are listed."""

READS_MAX: Final = 50
"""Targeted reads asked for at once; the others wait a tenth of a second."""

OUTCOMES_KEPT: Final = 1_000
"""Terminal statuses remembered for the share of failures."""

_RANK: Final = {
    TradeStatus.NOT_BROADCAST: 0,
    TradeStatus.MATCHED: 1,
    TradeStatus.RETRYING: 2,
    TradeStatus.MINED: 3,
    TradeStatus.FAILED: 4,
    TradeStatus.CONFIRMED: 5,
}
"""Status and hash shown are those of the highest rank seen, in whatever order they came."""

_A, _K = Applied, FillKind

STEPS: Final[Mapping[tuple[Applied, TradeStatus], tuple[Applied, tuple[FillKind, ...]]]] = (
    MappingProxyType(
        {
            **{
                (_A.NONE, status): (_A.PROVISIONAL, (_K.PROVISIONAL,))
                for status in TradeStatus
                if not status.is_terminal
            },
            (_A.NONE, TradeStatus.CONFIRMED): (_A.PROMOTED, (_K.PROVISIONAL, _K.PROMOTED)),
            (_A.NONE, TradeStatus.FAILED): (_A.VOIDED, ()),
            (_A.PROVISIONAL, TradeStatus.CONFIRMED): (_A.PROMOTED, (_K.PROMOTED,)),
            (_A.STALLED, TradeStatus.CONFIRMED): (_A.PROMOTED, (_K.PROMOTED,)),
            (_A.PROVISIONAL, TradeStatus.FAILED): (_A.VOIDED, (_K.VOIDED,)),
            (_A.STALLED, TradeStatus.FAILED): (_A.VOIDED, (_K.VOIDED,)),
            (_A.PROMOTED, TradeStatus.FAILED): (_A.FAULT, (_K.FAULT,)),
            (_A.VOIDED, TradeStatus.CONFIRMED): (_A.FAULT, (_K.FAULT,)),
        }
    )
)
"""What a status does to our books; every pair that is missing does nothing."""


class _Row:
    """One trade of one of our orders."""

    __slots__ = (
        "applied",
        "change",
        "matched_s",
        "read_ns",
        "reads",
        "status",
        "tx_hash",
        "updated_ns",
    )

    def __init__(self, change: FillChange, matched_s: int) -> None:
        self.change = change
        self.matched_s = matched_s
        self.status = TradeStatus.NOT_BROADCAST
        self.applied = Applied.NONE
        self.updated_ns = change.at_ns
        self.tx_hash = ""
        self.reads = 0
        self.read_ns = 0

    @property
    def is_pending(self) -> bool:
        """Tell whether its settlement is still under way."""
        return self.applied in (Applied.PROVISIONAL, Applied.STALLED)

    def record(self, realm: Realm) -> TradeRecord:
        """Write it down as the store keeps it."""
        change = self.change
        return TradeRecord(
            realm=realm,
            trade_id=change.trade_id,
            order_hash=change.order_hash,
            cid=change.cid,
            status=self.status,
            applied=self.applied,
            first_ns=change.at_ns,
            updated_ns=self.updated_ns,
            change=change,
            tx_hash=self.tx_hash,
            reads=self.reads,
        )


class Trades:
    """The trades of one realm."""

    __slots__ = (
        "_anomalies",
        "_changed",
        "_config",
        "_done",
        "_homeless",
        "_horizon_s",
        "_outcomes",
        "_pending",
        "_rows",
        "_timers",
        "counts",
        "realm",
    )

    def __init__(self, realm: Realm, config: OrdersConfig) -> None:
        """Start without trades."""
        self.realm = realm
        self._config = config
        self._rows: dict[str, _Row] = {}
        self._pending: dict[str, _Row] = {}
        """By first sighting."""
        self._done: dict[str, None] = {}
        self._horizon_s = 0
        """Venue second of the newest trade forgotten."""
        self._homeless: dict[str, list[VenueTrade]] = {}
        self._outcomes: deque[bool] = deque(maxlen=OUTCOMES_KEPT)
        self._changed: dict[str, _Row] = {}
        self._anomalies: list[RecordAnomaly] = []
        self._timers = Timers()
        self.counts = Counter[str]()

    # --- folding ---------------------------------------------------------------------------------

    def fold(
        self, trade: VenueTrade, orders: Orders, spec_of: SpecOf, *, at_ns: int, seq: int
    ) -> list[FillChange]:
        """Take a trade, however often and in whatever order it is told; return what to book.

        The changes of one trade come in the order in which the ledger and the orders book them.
        """
        identity = orders.identity
        maker = "" if identity is None else identity.maker
        changes: list[FillChange] = []
        is_ours = False
        for part in own_parts(trade, orders.by_hash, maker):
            is_ours = True
            name = f"{trade.trade_id}|{part.order_hash}"
            row = self._rows.get(name)
            if row is None:
                row = self._meet(name, trade, part, orders, spec_of, (at_ns, seq))
            elif row.change.qty_u6 != part.qty_u6 or row.change.px_u6 != part.px_u6:
                self.counts["identity_contradicted"] += 1
            if row is not None:
                changes += self._step(name, row, trade, orders, (at_ns, seq))
        if not is_ours:
            self.counts["trades_of_others"] += 1
        return changes

    def _meet(
        self,
        name: str,
        trade: VenueTrade,
        part: Part,
        orders: Orders,
        spec_of: SpecOf,
        stamp: tuple[int, int],
    ) -> _Row | None:
        """Fix a trade's identity at first sight; None while it cannot be booked."""
        spec = spec_of(trade.market)
        order = orders.by_hash.get(part.order_hash)
        if spec is not None and part.token in spec.tokens:
            outcome = Outcome.YES if part.token == spec.tokens[0] else Outcome.NO
        elif order is not None:
            outcome = order.draft.outcome
        else:
            self._keep_homeless(trade)
            return None
        if 0 < trade.matched_s <= self._horizon_s:
            self.counts["older_than_known"] += 1
            return None
        draft = None if order is None or order.external else order.draft
        fees = (spec and spec.fees) or (order and order.fees) or None
        fee_u6 = 0 if part.is_maker else booked_fee_u6(part.px_u6, part.qty_u6, fees)
        change = FillChange(
            kind=FillKind.PROVISIONAL,
            realm=self.realm,
            at_ns=stamp[0],
            seq=stamp[1],
            trade_id=trade.trade_id,
            order_hash=part.order_hash,
            cid=order.cid if order is not None and draft is not None else "",
            strategy=draft.strategy if draft is not None else EXTERNAL,
            market=trade.market,
            token=part.token,
            outcome=outcome,
            side=part.side,
            px_u6=part.px_u6,
            qty_u6=part.qty_u6,
            cash_u6=part.cash_u6,
            fee_u6=fee_u6,
            is_maker=part.is_maker,
            snapshot=draft.snapshot if draft is not None else 0,
            bundle=draft.bundle if draft is not None else "",
        )
        row = self._rows[name] = _Row(change, trade.matched_s)
        self.counts["first_sightings"] += 1
        return row

    def _step(
        self, name: str, row: _Row, trade: VenueTrade, orders: Orders, stamp: tuple[int, int]
    ) -> list[FillChange]:
        """Move a trade by a status; return the changes, dressed in its identity."""
        at_ns, seq = stamp
        status = trade.status
        was = row.applied
        is_higher = _RANK[status] > _RANK[row.status] or was is Applied.NONE
        if is_higher or (status is row.status and trade.tx_hash not in ("", row.tx_hash)):
            row.status = status
            row.tx_hash = trade.tx_hash or row.tx_hash
            self._note(name, row, at_ns)
        step = STEPS.get((was, status))
        if step is None:
            return []
        row.applied, kinds = step
        if was is Applied.NONE and row.applied is Applied.VOIDED:
            orders.note_failed(row.change)
        self._file(name, row, at_ns, seq)
        return [structs.replace(row.change, kind=kind, at_ns=at_ns, seq=seq) for kind in kinds]

    def _file(self, name: str, row: _Row, at_ns: int, seq: int) -> None:
        """Put a trade where its new state belongs."""
        self._note(name, row, at_ns)
        if row.is_pending:
            self._pending[name] = row
            row.read_ns = at_ns + self._config.trades_every_ms * MS
            self._arm(name, row)
            return
        self._pending.pop(name, None)
        self._timers.cancel(name)
        if row.applied is Applied.FAULT:
            self._flag(Anomaly.SETTLEMENT_FAULT, row, seq, theirs="confirmed and failed")
            self.counts["faults"] += 1
        else:
            self._outcomes.append(row.applied is Applied.VOIDED)
        self._done[name] = None
        if len(self._done) > DONE_MAX:
            oldest = next(iter(self._done))
            del self._done[oldest]
            self._horizon_s = max(self._horizon_s, self._rows.pop(oldest).matched_s)

    def _note(self, name: str, row: _Row, at_ns: int) -> None:
        row.updated_ns = at_ns
        self._changed[name] = row

    def _keep_homeless(self, trade: VenueTrade) -> None:
        self.counts["homeless"] += 1
        kept = self._homeless.setdefault(trade.market, [])
        if trade not in kept:
            kept.append(trade)
        if len(self._homeless) > HOMELESS_MAX or len(kept) > HOMELESS_MAX:
            self._homeless.pop(next(iter(self._homeless)))
            self.counts["homeless_dropped"] += 1

    def listed(
        self, market: str, orders: Orders, spec_of: SpecOf, *, at_ns: int, seq: int
    ) -> list[FillChange]:
        """Book the trades that waited for a market to be known."""
        changes: list[FillChange] = []
        for trade in self._homeless.pop(market, ()):
            changes += self.fold(trade, orders, spec_of, at_ns=at_ns, seq=seq)
        return changes

    def homeless(self) -> list[str]:
        """Name the markets of trades that wait for a market to be known."""
        return list(self._homeless)

    # --- time ------------------------------------------------------------------------------------

    def due(self, at_ns: int, seq: int) -> list[Command]:
        """Read again what is not settled, every 15 s; call it stalled after 120 s."""
        reads: dict[str, Command] = {}
        for name in self._timers.pop_due(at_ns):
            row = self._pending[name]
            trade_id = row.change.trade_id
            if row.applied is Applied.PROVISIONAL and at_ns >= self._stall_ns(row):
                row.applied = Applied.STALLED
                self._note(name, row, at_ns)
                self._flag(Anomaly.SETTLEMENT_STALLED, row, seq, theirs=row.status.value)
            if row.read_ns <= at_ns and (trade_id in reads or len(reads) < READS_MAX):
                row.reads += 1
                row.read_ns = at_ns + self._config.trades_every_ms * MS
                self._note(name, row, at_ns)
                request = f"{self.realm.value}-trade-{seq}-{len(reads)}"
                reads[trade_id] = ReadTrades(
                    cause=seq, realm=self.realm, request=request, trade_id=trade_id
                )
            elif row.read_ns <= at_ns:
                row.read_ns = at_ns + 100 * MS
            self._arm(name, row)
        return list(reads.values())

    def next_due_ns(self) -> int | None:
        """Return when `due` has something to do; None: all is settled."""
        return self._timers.next_due_ns()

    def _stall_ns(self, row: _Row) -> int:
        return row.change.at_ns + self._config.red_ms * MS

    def _arm(self, name: str, row: _Row) -> None:
        due_ns = row.read_ns
        if row.applied is Applied.PROVISIONAL:
            due_ns = min(due_ns, self._stall_ns(row))
        self._timers.set(name, due_ns)

    # --- restart ---------------------------------------------------------------------------------

    def restore(self, records: Iterable[TradeRecord], *, at_ns: int = 0) -> None:
        """Take up what the store knows; the unsettled ones are read at once."""
        for record in sorted(records, key=lambda one: (one.updated_ns, one.trade_id)):
            name = f"{record.trade_id}|{record.order_hash}"
            if record.realm is not self.realm or name in self._rows:
                continue
            row = self._rows[name] = _Row(record.change, record.first_ns // 1_000_000_000)
            row.status, row.applied = record.status, record.applied
            row.tx_hash, row.reads = record.tx_hash, record.reads
            row.updated_ns = record.updated_ns
            if row.is_pending:
                self._pending[name] = row
                row.read_ns = at_ns
                self._timers.set(name, at_ns)
                continue
            self._done[name] = None
            if row.applied is not Applied.FAULT:
                self._outcomes.append(row.applied is Applied.VOIDED)

    # --- questions -------------------------------------------------------------------------------

    def provisional(self) -> list[TradeRecord]:
        """Return the trades not settled, oldest first; stalled ones among them."""
        return [row.record(self.realm) for row in self._pending.values()]

    def failed_share(self, window: int) -> float:
        """Return the failed among the last `window` settled fills, over `window`, 0 … 1.

        Divided by the window even while there were fewer, so that one bad trade of two does not
        read as a half.
        """
        last = list(self._outcomes)[-window:]
        return sum(last) / window

    def aged(self, at_ns: int) -> tuple[int, int]:
        """Count unsettled trades by age: (amber and older, red)."""
        ages = [at_ns - row.change.at_ns for row in self._pending.values()]
        amber_ns, red_ns = self._config.amber_ms * MS, self._config.red_ms * MS
        return sum(age > amber_ns for age in ages), sum(age > red_ns for age in ages)

    def oldest_ns(self) -> int:
        """Return the first sighting of the oldest unsettled trade; 0: none."""
        return min((row.change.at_ns for row in self._pending.values()), default=0)

    @property
    def known(self) -> int:
        """Count the trades remembered."""
        return len(self._rows)

    def latest(self, count: int) -> list[TradeRecord]:
        """Return the trades that moved last, newest first."""
        rows = sorted(self._rows.values(), key=lambda row: -row.updated_ns)
        return [row.record(self.realm) for row in rows[:count]]

    def drain(self) -> list[TradeRecord]:
        """Hand over the trades changed since the last time, first change first."""
        records = [row.record(self.realm) for row in self._changed.values()]
        self._changed.clear()
        return records

    def drain_anomalies(self) -> list[RecordAnomaly]:
        """Hand over stalls and faults found since the last time."""
        anomalies = list(self._anomalies)
        self._anomalies.clear()
        return anomalies

    def _flag(self, anomaly: Anomaly, row: _Row, seq: int, *, theirs: str) -> None:
        change = row.change
        self._anomalies.append(
            RecordAnomaly(
                cause=seq,
                realm=self.realm,
                anomaly=anomaly,
                subject=change.trade_id,
                ours=row.applied.value,
                theirs=theirs,
                detail=f"{text_u6(change.qty_u6)} of {change.token[:12]} for {change.cid[:40]}",
            )
        )
