"""What happens without orders: pairs, redemptions, conversions, money in and out, adjustments.

Pairs leave in a stated order: the strategy that asked gives its own pairs first, then the others in
the order of their names give theirs, then single tokens of several strategies make up the rest in
the same order. Of a dollar, YES is booked at one half and NO at the other.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence

from msgspec import Struct

from polytui.engine.core.account_events import PairsMoved
from polytui.engine.core.enums import Outcome
from polytui.engine.core.errors import EngineBug
from polytui.engine.core.order_enums import EntryKind, SendOutcome
from polytui.engine.core.trading import CASH, Balance, LedgerEntry
from polytui.engine.core.units import U, text_u6
from polytui.engine.portfolio.books import Books
from polytui.engine.portfolio.ledger import (
    ADJUST,
    CAPITAL,
    CONFIRMED,
    LOST,
    REBATES,
    REWARDS,
    between,
    purse,
    swap_moves,
)
from polytui.engine.portfolio.positions import (
    HALF_U6,
    Part,
    Place,
    Position,
    apply_parts,
    portions,
)

EXTERNAL = "external"
"""The strategy of what we own or traded without this engine."""

OPERATOR = "operator"
"""The strategy of what a person does by hand."""

BIPS = 10_000

Pair = tuple[Place, Place]
"""YES and NO of a market."""

PlaceOf = Callable[[str], Place | None]
"""Where a token belongs; None: unknown, so it is not booked and shows as a difference."""

_EARNED = {EntryKind.REBATE: REBATES, EntryKind.REWARD: REWARDS}

_Changes = list[tuple[str, int]]


class Conversion(Struct, frozen=True, kw_only=True, gc=False):
    """A NegRisk conversion: NO of some questions of a group for pUSD and YES of all others."""

    ref: str
    given: tuple[Place, ...]
    others: tuple[Place, ...]
    amount_u6: int
    fee_bips: int
    weights: tuple[int, ...] = ()
    """How the cost left is shared among the YES: their bids, 0 for unnamed outcomes; equal without.
    """

    @property
    def out_u6(self) -> int:
        """The amount less the fee, the fee rounded down on the whole."""
        return self.amount_u6 - self.amount_u6 * self.fee_bips // BIPS

    @property
    def cash_u6(self) -> int:
        """PUSD received."""
        return (len(self.given) - 1) * self.out_u6


class ChainBooks(Books):
    """The books, with what the chain does to them."""

    __slots__ = ()

    # --- pairs -----------------------------------------------------------------------------------

    def moved(
        self,
        event: PairsMoved,
        *,
        pair: Pair,
        at_ns: int,
        seq: int,
        strategy: str = OPERATOR,
        yes_pays_u6: int | None = None,
    ) -> LedgerEntry | None:
        """Book a split, merge or redemption; None unless it is certain that it happened.

        `strategy` is who asked. `yes_pays_u6` is what a YES token redeems for (a dollar, half, 0).
        A redemption burns all that is confirmed and not promised to unsettled sales.

        Raises:
            EngineBug: an operation nobody knows, or tokens of another market.
        """
        if event.outcome is not SendOutcome.ACCEPTED:
            return None
        if {place.market for place in pair} != {event.market}:
            raise EngineBug(f"expected the pair of {event.market}, was {pair}")
        self.profit.roll(at_ns)
        note = ""
        if event.op == "split":
            kind, changes, touched = EntryKind.SPLIT, *self._split(pair, event.qty_u6, strategy)
        elif event.op == "merge":
            kind, changes, touched = EntryKind.MERGE, *self._merge(pair, event.qty_u6, strategy)
        elif event.op == "redeem":
            kind = EntryKind.REDEEM
            changes, touched, note = self._redeem(pair, event.paid_u6, strategy, yes_pays_u6)
        else:
            raise EngineBug(f"expected split, merge or redeem, was {event.op!r}")
        entry = self._book(
            kind,
            swap_moves(changes),
            ref=event.request,
            at_ns=at_ns,
            seq=seq,
            strategy=strategy,
            market=event.market,
            note=note,
        )
        self._settled(touched, at_ns)
        return entry

    def _split(self, pair: Pair, qty_u6: int, strategy: str) -> tuple[_Changes, list[Position]]:
        touched = []
        for place, cash_u6 in zip(pair, _halves_u6(qty_u6), strict=True):
            position = self.positions.get(strategy, place)
            position.price(HALF_U6)
            position.trade(qty_u6, cash_u6)
            touched.append(position)
        return [(CASH, -qty_u6), *((place.token, qty_u6) for place in pair)], touched

    def _merge(self, pair: Pair, qty_u6: int, strategy: str) -> tuple[_Changes, list[Position]]:
        both = self.positions.take_pairs(strategy, *pair, qty_u6)
        for parts, cash_u6 in zip(both, _halves_u6(qty_u6), strict=True):
            _give(parts, cash_u6, HALF_U6)
        touched = [position for parts in both for position, _ in parts]
        return [(CASH, qty_u6), *((place.token, -qty_u6) for place in pair)], touched

    def _redeem(
        self, pair: Pair, paid_u6: int, strategy: str, yes_pays_u6: int | None
    ) -> tuple[_Changes, list[Position], str]:
        burnt = [
            max(0, self.positions.confirmed_u6(place.token) - self.positions.out_u6(place.token))
            for place in pair
        ]
        pays = _payouts_u6(burnt, paid_u6, yes_pays_u6)
        due = [qty_u6 * px_u6 // U for qty_u6, px_u6 in zip(burnt, pays, strict=True)]
        note = "" if sum(due) == paid_u6 else f"due {text_u6(sum(due))}"
        if paid_u6 and not any(burnt):
            # Of tokens we did not know of: their cost is unknown, so this is found cash, no profit.
            return [(CASH, paid_u6)], [], "nothing held"
        shares = portions(paid_u6, due if any(due) else burnt)
        self.exposure.resolve(pair[0].market, pays[0])
        changes: _Changes = [(CASH, paid_u6)]
        touched: list[Position] = []
        for place, qty_u6, px_u6, cash_u6 in zip(pair, burnt, pays, shares, strict=True):
            parts = self.positions.take(strategy, place, qty_u6)
            _give(parts, cash_u6, px_u6)
            touched += [position for position, _ in parts]
            changes.append((place.token, -qty_u6))
        return changes, touched, note

    def convert(
        self, deed: Conversion, *, at_ns: int, seq: int, strategy: str = OPERATOR
    ) -> LedgerEntry:
        """Book a NegRisk conversion (`venue/polymarket.md` §7.2) that happened.

        Burns `amount` NO of each of k questions for (k-1)·a pUSD and a YES of each other one, with
        a the amount less the fee, the fee rounded down. The cost of the NO pays for the cash first;
        the rest, which may be negative, goes to the YES by weight. Without any YES it is realised.
        """
        given, others = deed.given, deed.others
        assert given, "expected at least one question"
        assert all(one.outcome is Outcome.NO for one in given), f"expected NO, was {given}"
        assert all(one.outcome is Outcome.YES for one in others), f"expected YES, was {others}"
        self.profit.roll(at_ns)
        amount_u6, out_u6, cash_u6 = deed.amount_u6, deed.out_u6, deed.cash_u6
        touched: list[Position] = []
        rest_u6 = -cash_u6
        for place, share_u6 in zip(given, portions(cash_u6, [1] * len(given)), strict=True):
            parts = self.positions.take(strategy, place, amount_u6)
            if others:
                rest_u6 += sum(position.give_at_cost(part_u6) for position, part_u6 in parts)
            else:
                _give(parts, share_u6, HALF_U6)
            touched += [position for position, _ in parts]
        for place, share_u6 in zip(
            others, _spread(rest_u6, deed.weights, len(others)), strict=True
        ):
            position = self.positions.get(strategy, place)
            position.trade(out_u6, share_u6)
            touched.append(position)
        entry = self._book(
            EntryKind.CONVERT,
            swap_moves(
                [
                    (CASH, cash_u6),
                    *((one.token, -amount_u6) for one in given),
                    *((one.token, out_u6) for one in others),
                ]
            ),
            ref=deed.ref,
            at_ns=at_ns,
            seq=seq,
            strategy=strategy,
            market=given[0].market,
        )
        self._settled(touched, at_ns)
        return entry

    # --- money in and out ------------------------------------------------------------------------

    def transfer(self, amount_u6: int, *, ref: str, at_ns: int, seq: int) -> LedgerEntry:
        """Book a deposit, or a withdrawal (negative): capital, never profit."""
        self.profit.roll(at_ns)
        kind = EntryKind.DEPOSIT if amount_u6 >= 0 else EntryKind.WITHDRAWAL
        return self._book(kind, between(CAPITAL, CASH, amount_u6), ref=ref, at_ns=at_ns, seq=seq)

    def earned(
        self,
        kind: EntryKind,
        amount_u6: int,
        *,
        ref: str,
        at_ns: int,
        seq: int,
        strategy: str = "",
        market: str = "",
    ) -> LedgerEntry:
        """Book a paid REBATE or REWARD; without a strategy it belongs to the account."""
        assert amount_u6 >= 0, f"expected something earned, was {amount_u6}"
        self.profit.roll(at_ns)
        account = purse(_EARNED[kind], strategy)
        entry = self._book(
            kind,
            between(account, CASH, amount_u6),
            ref=ref,
            at_ns=at_ns,
            seq=seq,
            strategy=strategy,
            market=market,
        )
        self.profit.earn(strategy, amount_u6)
        self._crest()
        return entry

    # --- reconciliation --------------------------------------------------------------------------

    def opening(
        self,
        balances: Iterable[Balance],
        *,
        at_ns: int,
        seq: int,
        place_of: PlaceOf | None = None,
        costs: Mapping[str, int] | None = None,
    ) -> list[LedgerEntry]:
        """Take the first read of balances as capital when nothing was restored.

        Tokens go to `external`, at the cost given (pUSD in all), else at their first price, so that
        no profit is made of them. Later reads, and tokens that nobody can place, book nothing.
        """
        if self.has_books:
            return []
        self.has_books = True
        self.profit.roll(at_ns)
        entries: list[LedgerEntry] = []
        for balance in balances:
            asset, qty_u6 = balance.asset, balance.qty_u6
            place = self._place(asset, place_of)
            if qty_u6 and not self.ledger.of(CONFIRMED, asset) and (place or asset == CASH):
                entries.append(
                    self._book(
                        EntryKind.OPENING,
                        between(CAPITAL, asset, qty_u6),
                        ref="opening",
                        at_ns=at_ns,
                        seq=seq,
                        strategy=EXTERNAL if place else "",
                        market=place.market if place else "",
                    )
                )
                if place is not None:
                    position = self._find(place, qty_u6, (costs or {}).get(asset))
                    self._settled([position], at_ns)
        return entries

    def adjust(
        self,
        asset: str,
        amount_u6: int,
        *,
        evidence: str,
        at_ns: int,
        seq: int,
        place: Place | None = None,
        strategy: str = EXTERNAL,
    ) -> LedgerEntry:
        """Book a difference because somebody decided so: the only way books follow the venue.

        What is found is capital and makes no profit, not even later: tokens cost what they are
        worth when found. What is gone is a loss, cash at once, tokens at their cost. `place` is
        needed for tokens that were never held; found ones go to `strategy`.
        """
        assert evidence, "expected an adjustment to say what it rests on"
        assert amount_u6, "expected an adjustment of something"
        self.profit.roll(at_ns)
        where = self.positions.places.get(asset, place)
        if asset != CASH and where is None:
            raise EngineBug(f"expected a known token to adjust, was {asset}")
        account = ADJUST if amount_u6 > 0 else LOST
        entry = self._book(
            EntryKind.ADJUST,
            between(account, asset, amount_u6),
            ref=f"adjust:{asset}",
            at_ns=at_ns,
            seq=seq,
            strategy=strategy if where else "",
            market=where.market if where else "",
            note=evidence,
        )
        if where is None:
            self.profit.earn("", min(0, amount_u6))
        elif amount_u6 > 0:
            self._settled([self._find(where, amount_u6, None, strategy)], at_ns)
        else:
            self._settled(self._lose(where, -amount_u6, strategy), at_ns)
        return entry

    def _find(
        self, place: Place, qty_u6: int, cost_u6: int | None, strategy: str = EXTERNAL
    ) -> Position:
        """Take tokens from nowhere: at their cost if it is known, else without any profit."""
        position = self.positions.get(strategy, place)
        mark = self._marks.get(place.market)
        px_u6 = -1 if mark is None else mark.px_u6(place.outcome)
        if position.confirmed_u6 < 0:
            # They were sold before they were found: they cost what was taken for them.
            cost_u6 = position.cost_u6 * qty_u6 // position.confirmed_u6
        if cost_u6 is None and px_u6 >= 0:
            cost_u6 = qty_u6 * px_u6 // U
        if cost_u6 is None and position.confirmed_u6 and not position.unpriced:
            cost_u6 = position.cost_u6 * qty_u6 // position.confirmed_u6
        position.unpriced = cost_u6 is None
        realized_u6 = position.realized_u6
        position.trade(qty_u6, cost_u6 or 0)
        position.realized_u6 = min(realized_u6, position.realized_u6)
        return position

    def _lose(self, place: Place, qty_u6: int, strategy: str) -> list[Position]:
        """Let tokens vanish at their cost, never at a gain."""
        touched: list[Position] = []
        for position, part_u6 in self.positions.take(strategy, place, qty_u6):
            realized_u6 = position.realized_u6
            position.trade(-part_u6, 0)
            position.realized_u6 = min(realized_u6, position.realized_u6)
            touched.append(position)
        return touched

    def _place(self, asset: str, place_of: PlaceOf | None) -> Place | None:
        """Say where a token belongs, None for cash and strangers."""
        if asset == CASH:
            return None
        known = self.positions.places.get(asset)
        return place_of(asset) if known is None and place_of is not None else known


def _halves_u6(amount_u6: int) -> tuple[int, int]:
    """Share dollars between YES and NO, the odd micro-unit to YES."""
    return amount_u6 - amount_u6 // 2, amount_u6 // 2


def _give(parts: Sequence[Part], cash_u6: int, px_u6: int) -> None:
    """Give tokens for cash; what never had a price takes this one."""
    for position, _ in parts:
        position.price(px_u6)
    apply_parts(parts, -cash_u6, -1)


def _spread(total_u6: int, weights: Sequence[int] | None, count: int) -> list[int]:
    """Share a cost by weights, each part rounded down, the last takes what is left."""
    listed = list(weights) if weights and any(weights) else [1] * count
    left, shares = sum(listed), []
    for weight in listed:
        share_u6 = total_u6 * weight // left if left else total_u6
        shares.append(share_u6)
        total_u6 -= share_u6
        left -= weight
    return shares


def _payouts_u6(burnt: Sequence[int], paid_u6: int, yes_pays_u6: int | None) -> tuple[int, int]:
    """Say what YES and NO redeem for: as told, else whichever end explains what was paid."""
    if yes_pays_u6 is not None:
        return yes_pays_u6, U - yes_pays_u6
    for px_u6 in (U, 0, HALF_U6):
        if burnt[0] * px_u6 // U + burnt[1] * (U - px_u6) // U == paid_u6:
            return px_u6, U - px_u6
    return HALF_U6, HALF_U6
