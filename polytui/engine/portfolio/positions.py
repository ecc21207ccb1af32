"""Holdings per strategy and token: buckets, average cost, and who gives when a token is shared.

Profit is realised at average cost and only by what is final: a provisional fill sits in its buckets
and touches neither cost nor profit, so a void leaves nothing behind. For every position
`cost - realised` is the cash it took so far, whatever the order of its trades.

A token may be held by several strategies, but the venue knows one balance. When tokens leave, the
strategy that acts gives first, then the others in the order of their names, each what it has
confirmed; what nobody has makes the acting strategy short, which reconciliation shows. Cash is
shared in proportion, exactly. What is provisional has no say in it: a void changes nothing.
"""

from collections.abc import Iterable, Iterator, Sequence

from msgspec import Struct

from polytui.engine.core.enums import Outcome
from polytui.engine.core.errors import EngineBug
from polytui.engine.core.order_enums import Realm
from polytui.engine.core.trading import PositionRecord
from polytui.engine.core.units import U

HALF_U6 = U // 2


class Place(Struct, frozen=True, kw_only=True, gc=False):
    """Where a token belongs."""

    token: str
    market: str
    group: str
    """The venue's event slug; empty when the market stands alone."""
    outcome: Outcome


class Mark(Struct, frozen=True, gc=False):
    """A market's executable prices in YES terms; -1: none seen."""

    bid_u6: int
    ask_u6: int

    def px_u6(self, outcome: Outcome) -> int:
        """Return the bid of a token, -1 without one: the bid of NO is the ask of YES mirrored."""
        if outcome is Outcome.YES:
            return self.bid_u6
        return U - self.ask_u6 if self.ask_u6 >= 0 else -1

    def cover_u6(self, outcome: Outcome) -> int:
        """Return what a missing token would cost: its ask, a dollar without one."""
        if outcome is Outcome.YES:
            return self.ask_u6 if self.ask_u6 >= 0 else U
        return U - self.bid_u6 if self.bid_u6 >= 0 else U


class Position:
    """One token of one strategy."""

    __slots__ = (
        "cash_in_u6",
        "cash_out_u6",
        "confirmed_u6",
        "cost_u6",
        "fees_u6",
        "in_u6",
        "out_u6",
        "place",
        "realized_u6",
        "strategy",
        "unpriced",
        "updated_ns",
    )

    def __init__(self, strategy: str, place: Place) -> None:
        """Hold nothing."""
        self.strategy = strategy
        self.place = place
        self.confirmed_u6 = 0
        self.in_u6 = 0
        """Bought, not final."""
        self.out_u6 = 0
        """Sold, not final."""
        self.cash_in_u6 = 0
        """Due for what is sold, less the fee."""
        self.cash_out_u6 = 0
        """Owed for what is bought, with the fee."""
        self.cost_u6 = 0
        """pUSD paid for `confirmed_u6`, without fees; negative when short."""
        self.fees_u6 = 0
        self.realized_u6 = 0
        self.unpriced = False
        """Found without a price: its first price becomes its cost, never a profit."""
        self.updated_ns = 0

    @property
    def is_empty(self) -> bool:
        """Tell whether nothing at all would be lost by forgetting it."""
        return not (
            self.confirmed_u6
            or self.in_u6
            or self.out_u6
            or self.cash_in_u6
            or self.cash_out_u6
            or self.cost_u6
            or self.fees_u6
            or self.realized_u6
        )

    @property
    def avg_px_u6(self) -> int:
        """Average price paid for what is held, for display; 0 without any."""
        return self.cost_u6 * U // self.confirmed_u6 if self.confirmed_u6 else 0

    def trade(self, qty_u6: int, paid_u6: int) -> None:
        """Take (positive) or give (negative) final tokens for cash paid, or received (negative).

        Average cost, the cost of a part rounded to nearest; what the cost does not explain of the
        cash is realised.
        """
        cost_u6 = _cost_after(self.confirmed_u6, self.cost_u6, qty_u6, paid_u6)
        self.realized_u6 += cost_u6 - self.cost_u6 - paid_u6
        self.confirmed_u6 += qty_u6
        self.cost_u6 = cost_u6

    def give_at_cost(self, qty_u6: int) -> int:
        """Give final tokens for exactly what they cost, and return it: nothing is realised."""
        cost_u6 = self.cost_u6 - _cost_after(self.confirmed_u6, self.cost_u6, -qty_u6, 0)
        self.trade(-qty_u6, -cost_u6)
        return cost_u6

    def price(self, px_u6: int) -> None:
        """Give an unpriced holding its first price as its cost, rounded down."""
        if self.unpriced:
            self.cost_u6 = self.confirmed_u6 * px_u6 // U
            self.unpriced = False

    def value_u6(self, qty_u6: int, mark: Mark) -> int:
        """Value a part of the holding: at the bid, rounded down, or at cost without one."""
        px_u6 = mark.px_u6(self.place.outcome)
        if qty_u6 < 0:
            return qty_u6 * mark.cover_u6(self.place.outcome) // U
        if px_u6 < 0:
            return _part_u6(self.cost_u6, qty_u6, self.confirmed_u6)
        return qty_u6 * px_u6 // U

    def record(self, realm: Realm) -> PositionRecord:
        """Write it for the store: what is final, because the rest is booked again."""
        return PositionRecord(
            realm=realm,
            strategy=self.strategy,
            market=self.place.market,
            group=self.place.group,
            token=self.place.token,
            outcome=self.place.outcome,
            confirmed_u6=self.confirmed_u6,
            cost_u6=self.cost_u6,
            fees_u6=self.fees_u6,
            realized_u6=self.realized_u6,
            unpriced=self.unpriced,
        )


def _part_u6(total_u6: int, part: int, whole: int) -> int:
    """Return a part of a total in proportion, rounded to nearest, halves up."""
    return (2 * total_u6 * part + whole) // (2 * whole) if whole else 0


def _cost_after(held_u6: int, cost_u6: int, qty_u6: int, paid_u6: int) -> int:
    """Return the cost of what is held after a trade."""
    if not qty_u6:
        return cost_u6
    if not held_u6 or (held_u6 > 0) is (qty_u6 > 0):
        return cost_u6 + paid_u6
    if abs(qty_u6) <= abs(held_u6):
        return cost_u6 - _part_u6(cost_u6, abs(qty_u6), abs(held_u6))
    return paid_u6 - _part_u6(paid_u6, abs(held_u6), abs(qty_u6))


class Holding:
    """Both tokens of one strategy in one market, and what has been reckoned of them."""

    __slots__ = ("market", "no", "reckoned", "strategy", "yes")

    def __init__(self, strategy: str, market: str) -> None:
        """Hold nothing."""
        self.strategy = strategy
        self.market = market
        self.yes: Position | None = None
        self.no: Position | None = None
        self.reckoned = (0, 0, 0, 0)
        """(realised, fees, cost, unrealised) as last added to the sums."""

    def positions(self) -> tuple[Position, ...]:
        """List what exists of the two, YES first."""
        return tuple(one for one in (self.yes, self.no) if one is not None)

    @property
    def is_live(self) -> bool:
        """Tell whether anything is held or under way."""
        return any(one.confirmed_u6 or one.in_u6 or one.out_u6 for one in self.positions())

    def qty_u6(self, outcome: Outcome) -> int:
        """Return what is confirmed of a token."""
        one = self.yes if outcome is Outcome.YES else self.no
        return 0 if one is None else one.confirmed_u6

    def reckon(self, mark: Mark | None) -> tuple[int, int, int, int]:
        """Add up (realised, fees, cost, unrealised)."""
        realized_u6 = fees_u6 = cost_u6 = 0
        for one in self.positions():
            realized_u6 += one.realized_u6
            fees_u6 += one.fees_u6
            cost_u6 += one.cost_u6
        value_u6 = cost_u6 if mark is None else sum(self.values_u6(mark))
        return realized_u6, fees_u6, cost_u6, value_u6 - cost_u6

    def values_u6(self, mark: Mark) -> tuple[int, int]:
        """Value what is confirmed of YES and NO.

        A pair is worth a dollar, because it can be merged; in it YES is worth its bid and NO the
        rest. What is beyond the pairs is worth its own bid.
        """
        yes_u6, no_u6 = self.qty_u6(Outcome.YES), self.qty_u6(Outcome.NO)
        pairs_u6 = max(0, min(yes_u6, no_u6))
        paired_u6 = pairs_u6 * max(0, mark.bid_u6) // U
        return (
            paired_u6 + (0 if self.yes is None else self.yes.value_u6(yes_u6 - pairs_u6, mark)),
            pairs_u6
            - paired_u6
            + (0 if self.no is None else self.no.value_u6(no_u6 - pairs_u6, mark)),
        )


Part = tuple[Position, int]
"""(who, how many tokens)."""


def portions(total_u6: int, parts: Sequence[int]) -> list[int]:
    """Share a total in proportion to whole parts, rounded down on the running sum: exact."""
    whole, done, given, shares = sum(parts), 0, 0, []
    for part in parts:
        done += part
        upto_u6 = total_u6 * done // whole if whole else 0
        shares.append(upto_u6 - given)
        given = upto_u6
    return shares


class Positions:
    """All holdings of one account."""

    __slots__ = ("_by_token", "_changed", "_holdings", "places")

    def __init__(self) -> None:
        """Start empty."""
        self._by_token: dict[str, dict[str, Position]] = {}
        self._holdings: dict[str, dict[str, Holding]] = {}
        """Market, then strategy."""
        self._changed: dict[tuple[str, str], Position] = {}
        self.places: dict[str, Place] = {}
        """Of every token that was ever held here."""

    def __iter__(self) -> Iterator[Position]:
        """List all positions, by token then strategy, in order."""
        for token in sorted(self._by_token):
            yield from self.of(token)

    def get(self, strategy: str, place: Place) -> Position:
        """Return a position, made when it is missing.

        Raises:
            EngineBug: the token is known as another market's, or as the other outcome.
        """
        row = self._by_token.get(place.token, {})
        position = row.get(strategy)
        if position is None:
            known = self.places.setdefault(place.token, place)
            if (known.market, known.outcome) != (place.market, place.outcome):
                raise EngineBug(f"expected {place.token} to be {known}, was {place}")
            self._by_token[place.token] = row
            position = row[strategy] = Position(strategy, known)
            holding = self.holding(strategy, place.market)
            if place.outcome is Outcome.YES:
                holding.yes = position
            else:
                holding.no = position
        return position

    def find(self, strategy: str, token: str) -> Position | None:
        """Return a position if there is one."""
        return self._by_token.get(token, {}).get(strategy)

    def holding(self, strategy: str, market: str) -> Holding:
        """Return both tokens of a strategy in a market, made when missing."""
        row = self._holdings.setdefault(market, {})
        found = row.get(strategy)
        if found is None:
            found = row[strategy] = Holding(strategy, market)
        return found

    def in_market(self, market: str) -> list[Holding]:
        """List a market's holdings, by strategy."""
        row = self._holdings.get(market)
        return [] if not row else [row[name] for name in sorted(row)]

    def pair(self, market: str) -> tuple[Place, Place] | None:
        """Return both tokens' places, YES first; None unless both were held."""
        places = {
            one.place.outcome: one.place
            for holding in self.in_market(market)
            for one in holding.positions()
        }
        yes, no = places.get(Outcome.YES), places.get(Outcome.NO)
        return None if yes is None or no is None else (yes, no)

    def markets(self) -> list[str]:
        """List the markets with holdings."""
        return sorted(self._holdings)

    def of(self, token: str, first: str = "") -> list[Position]:
        """List the holders of a token: the one named first, then by name."""
        row = self._by_token.get(token, {})
        names = sorted(row, key=lambda name: (name != first, name))
        return [row[name] for name in names]

    def confirmed_u6(self, token: str) -> int:
        """Return the sum over all strategies."""
        return sum(one.confirmed_u6 for one in self._by_token.get(token, {}).values())

    def out_u6(self, token: str) -> int:
        """Return what all strategies sold that is not final."""
        return sum(one.out_u6 for one in self._by_token.get(token, {}).values())

    def in_u6(self, token: str) -> int:
        """Return what all strategies bought that is not final."""
        return sum(one.in_u6 for one in self._by_token.get(token, {}).values())

    def touch(self, position: Position, at_ns: int) -> None:
        """Remember that it changed, for the store."""
        position.updated_ns = at_ns
        self._changed[position.place.token, position.strategy] = position

    def drain(self) -> list[Position]:
        """Hand over what changed since the last call, in the order of token and strategy."""
        changed = [self._changed[key] for key in sorted(self._changed)]
        self._changed.clear()
        return changed

    def forget(self, position: Position) -> None:
        """Drop a position that holds nothing and did nothing."""
        assert position.is_empty, f"expected nothing left of {position.place.token}"
        place, strategy = position.place, position.strategy
        row = self._by_token[place.token]
        del row[strategy]
        if not row:
            del self._by_token[place.token]
        holding = self._holdings[place.market][strategy]
        if place.outcome is Outcome.YES:
            holding.yes = None
        else:
            holding.no = None
        if not holding.positions():
            del self._holdings[place.market][strategy]
            if not self._holdings[place.market]:
                del self._holdings[place.market]

    # --- who gives -------------------------------------------------------------------------------

    def take(self, strategy: str, place: Place, qty_u6: int) -> list[Part]:
        """Decide whose tokens leave, in the order that the head of this file states."""
        return self._rest(strategy, place, {}, qty_u6)

    def take_pairs(
        self, strategy: str, yes: Place, no: Place, qty_u6: int
    ) -> tuple[list[Part], list[Part]]:
        """Decide whose pairs leave: own pairs first, then the others' pairs, then single tokens."""
        names = {one.strategy for token in (yes.token, no.token) for one in self.of(token)}
        own: dict[str, int] = {}
        left_u6 = qty_u6
        for name in sorted(names, key=lambda one: (one != strategy, one)):
            pair = (self.find(name, yes.token), self.find(name, no.token))
            have_u6 = min(0 if one is None else max(0, one.confirmed_u6) for one in pair)
            if part_u6 := min(have_u6, left_u6):
                own[name] = part_u6
                left_u6 -= part_u6
        return self._rest(strategy, yes, own, left_u6), self._rest(strategy, no, own, left_u6)

    def _rest(self, strategy: str, place: Place, own: dict[str, int], left_u6: int) -> list[Part]:
        """Add single tokens to what is already chosen."""
        given = dict(own)
        for one in self.of(place.token, strategy):
            have_u6 = max(0, one.confirmed_u6) - given.get(one.strategy, 0)
            if part_u6 := min(have_u6, left_u6):
                given[one.strategy] = given.get(one.strategy, 0) + part_u6
                left_u6 -= part_u6
        if left_u6:
            given[strategy] = given.get(strategy, 0) + left_u6
        return [(self.get(name, place), part_u6) for name, part_u6 in given.items()]


def apply_parts(parts: Iterable[Part], paid_u6: int, sign: int) -> None:
    """Let tokens come (+1) or go (-1) for cash, shared in proportion; negative is received."""
    listed = list(parts)
    shares = portions(paid_u6, [part_u6 for _, part_u6 in listed])
    for (position, part_u6), share_u6 in zip(listed, shares, strict=True):
        position.trade(sign * part_u6, share_u6)
