"""The state of an account and the fills: the part of `Portfolio` that the chain does not know.

Whatever changes final tokens goes through `_settled`: profit, attribution and exposure are reckoned
from the positions there and nowhere else, so they cannot part.
"""

from collections.abc import Iterable

from polytui.engine.core.enums import Outcome, Side
from polytui.engine.core.errors import EngineBug
from polytui.engine.core.order_enums import EntryKind, FillKind, Realm
from polytui.engine.core.trading import CASH, FillChange, LedgerEntry
from polytui.engine.portfolio.attribution import ASIDE, Attribution, Profit
from polytui.engine.portfolio.exposure import Exposure, Item
from polytui.engine.portfolio.ledger import (
    Ledger,
    Move,
    effects,
    promoted_moves,
    provisional_moves,
    voided_moves,
)
from polytui.engine.portfolio.positions import (
    Holding,
    Mark,
    Place,
    Position,
    Positions,
    apply_parts,
)
from polytui.engine.portfolio.settlement import Settlement, ref_of


class Books:
    """Ledger, positions, profit, exposure and settlement of one realm, kept together."""

    __slots__ = (
        "_awaiting",
        "_marks",
        "_moved_ns",
        "_patience_ns",
        "attribution",
        "exposure",
        "has_books",
        "ledger",
        "positions",
        "profit",
        "realm",
        "settlement",
    )

    def __init__(self, realm: Realm) -> None:
        """Own nothing and know nothing."""
        self.realm = realm
        self.ledger = Ledger(realm)
        self.positions = Positions()
        self.exposure = Exposure()
        self.settlement = Settlement()
        self.attribution = Attribution()
        self.profit = Profit()
        self.has_books = False
        """Restored or opened: until then no balance means anything."""
        self._marks: dict[str, Mark] = {}
        self._awaiting: set[str] = set()
        """Restored markets without a mark yet: no highest point is taken before."""
        self._patience_ns = 0
        """Until when they are waited for; 0: the wait has not begun."""
        self._moved_ns: dict[str, int] = {}
        """When each asset last moved."""

    def apply(self, change: FillChange, *, group: str) -> LedgerEntry | None:
        """Book one step of a trade; None when nothing moves: told before, or a contradiction.

        What is booked is the first sighting of the trade; later steps only say how it ends.

        Raises:
            EngineBug: an end without a beginning.
        """
        assert change.realm is self.realm, f"expected {self.realm}, was {change.realm}"
        assert change.qty_u6 > 0, f"expected shares, was {change}"
        assert change.cash_u6 >= 0 <= change.fee_u6, f"expected no negative amounts, was {change}"
        self.profit.roll(change.at_ns)
        if change.kind is FillKind.PROVISIONAL:
            return self._begin(change, group)
        if change.kind is FillKind.FAULT:
            self._contradict(change, group)
            return None
        return self._end(change, promoted=change.kind is FillKind.PROMOTED)

    def replay(self, change: FillChange, *, group: str) -> None:
        """Book a stored fill that is not final once more: it was an entry of an earlier run."""
        if not self.settlement.knows(ref_of(change)):
            self.settlement.begin(change, group)
            self.ledger.move(provisional_moves(change))
            self._count(change, group, +1)

    # --- the steps of a fill ---------------------------------------------------------------------

    def _begin(self, change: FillChange, group: str) -> LedgerEntry | None:
        if self.settlement.knows(ref_of(change)):
            return None
        self.positions.get(change.strategy, _place_of(change, group))
        self.settlement.begin(change, group)
        entry = self._book_fill(EntryKind.FILL, change, change, provisional_moves(change))
        self._count(change, group, +1)
        return entry

    def _end(self, change: FillChange, *, promoted: bool) -> LedgerEntry | None:
        ref = ref_of(change)
        if self.settlement.has_ended(ref):
            return None
        pending = self.settlement.end(ref, promoted=promoted)
        if pending is None:
            raise EngineBug(f"expected a fill under way, was {change.kind.value} of {ref}")
        first = pending.change
        kind, moves = (
            (EntryKind.PROMOTE, promoted_moves(first))
            if promoted
            else (EntryKind.VOID, voided_moves(first))
        )
        entry = self._book_fill(kind, first, change, moves)
        if promoted:
            self._promote(first, pending.group, change.at_ns)
        self._count(first, pending.group, -1)
        return entry

    def _count(self, change: FillChange, group: str, sign: int) -> None:
        """Put a fill into the provisional buckets (+1) or take it out (-1)."""
        position = self.positions.get(change.strategy, _place_of(change, group))
        (_, cash_u6), _ = effects(change)
        if change.side is Side.BUY:
            position.in_u6 += sign * change.qty_u6
            position.cash_out_u6 -= sign * cash_u6
        else:
            position.out_u6 += sign * change.qty_u6
            position.cash_in_u6 += sign * cash_u6
        if sign > 0:
            position.updated_ns = change.at_ns
            self.exposure.put(fill_item(change, group))
        else:
            self.exposure.drop(ref_of(change))
            self._tidy(self.positions.holding(change.strategy, change.market))

    def _promote(self, change: FillChange, group: str, at_ns: int) -> None:
        """Make a fill final: tokens, cost, profit and fee."""
        place = _place_of(change, group)
        own = self.positions.get(change.strategy, place)
        own.fees_u6 += change.fee_u6
        if change.side is Side.BUY:
            own.price(change.px_u6)
            own.trade(change.qty_u6, change.cash_u6)
            touched = [own]
        else:
            parts = self.positions.take(change.strategy, place, change.qty_u6)
            touched = [own, *(position for position, _ in parts)]
            for position in touched:
                position.price(change.px_u6)
            apply_parts(parts, -change.cash_u6, -1)
        self.attribution.row(change.strategy, change.snapshot).fills += 1
        self.profit.share(change.strategy).fills += 1
        self.profit.total.fills += 1
        self._settled(touched, at_ns, change.snapshot)

    def _contradict(self, change: FillChange, group: str) -> None:
        """Count a trade that both settled and failed as uncertain, until a person decides."""
        was_promoted = self.settlement.contradict(change, group)
        if was_promoted is None:
            return
        item = fill_item(change, group)
        if was_promoted:
            item = item.undone(abs(effects(change)[0][1]))
        self.exposure.put(item)

    # --- what follows from positions -------------------------------------------------------------

    def _settled(self, touched: Iterable[Position], at_ns: int, snapshot: int = ASIDE) -> None:
        """Bring everything that follows from final tokens up to date."""
        holdings: dict[tuple[str, str], Holding] = {}
        for one in touched:
            self.positions.touch(one, at_ns)
            key = one.strategy, one.place.market
            holdings[key] = self.positions.holding(*key)
        for holding in holdings.values():
            self._reckon(holding, snapshot)
        self._crest()

    def _reckon(self, holding: Holding, snapshot: int = ASIDE) -> None:
        """Carry a holding's changes into profit, attribution and exposure."""
        before = holding.reckoned
        after = holding.reckoned = holding.reckon(self._marks.get(holding.market))
        realized_u6, fees_u6, cost_u6, unrealized_u6 = (
            new - old for new, old in zip(after, before, strict=True)
        )
        if before != after:
            self.profit.shift(holding.strategy, (realized_u6, fees_u6, cost_u6, unrealized_u6))
        if realized_u6 or fees_u6:
            row = self.attribution.row(holding.strategy, snapshot)
            row.add(realized_u6=realized_u6, fees_u6=fees_u6)
        self.exposure.hold(
            strategy=holding.strategy,
            market=holding.market,
            group=holding.positions()[0].place.group,
            yes_u6=holding.qty_u6(Outcome.YES),
            no_u6=holding.qty_u6(Outcome.NO),
            cost_u6=holding.reckoned[2],
            paid_u6=cost_u6 - realized_u6 + fees_u6,
        )
        self._tidy(holding)

    def _tidy(self, holding: Holding) -> None:
        """Forget positions that hold nothing and did nothing: a void leaves no trace."""
        for position in holding.positions():
            if position.is_empty:
                self.positions.forget(position)
        if not self.positions.in_market(holding.market):
            self._marks.pop(holding.market, None)
            self._awaiting.discard(holding.market)

    def _crest(self) -> None:
        if not self._awaiting:
            self.profit.crest()

    # --- entries ---------------------------------------------------------------------------------

    def _book_fill(
        self, kind: EntryKind, first: FillChange, now: FillChange, moves: list[Move]
    ) -> LedgerEntry:
        return self._book(
            kind,
            moves,
            ref=ref_of(first),
            at_ns=now.at_ns,
            seq=now.seq,
            strategy=first.strategy,
            market=first.market,
        )

    def _book(
        self,
        kind: EntryKind,
        moves: list[Move],
        *,
        ref: str,
        at_ns: int,
        seq: int,
        strategy: str = "",
        market: str = "",
        note: str = "",
    ) -> LedgerEntry:
        """Book an entry and remember when its assets moved."""
        entry = self.ledger.book(
            kind,
            moves,
            ref=ref,
            at_ns=at_ns,
            seq=seq,
            strategy=strategy,
            market=market,
            note=note,
        )
        for asset in (CASH, *(posting.asset for posting in entry.postings)):
            self._moved_ns[asset] = at_ns
        return entry


def _place_of(change: FillChange, group: str) -> Place:
    """Say where a fill's token belongs."""
    return Place(token=change.token, market=change.market, group=group, outcome=change.outcome)


def fill_item(change: FillChange, group: str) -> Item:
    """Write a fill that is not final as something uncertain."""
    return Item(
        key=ref_of(change),
        strategy=change.strategy,
        market=change.market,
        group=group,
        outcome=change.outcome,
        side=change.side,
        qty_u6=change.qty_u6,
        cash_u6=change.cash_u6,
        fee_u6=change.fee_u6,
        is_fill=True,
        order=change.cid or change.order_hash,
    )
