"""The most that can be lost: both outcomes, and every uncertain thing going either way.

Per strategy and market, for each outcome w that may turn out true:

    loss(w) = cost of what is held - what it pays in w + Σ max(0, delta_i(w))

over all uncertain items i: open orders' remainders, in-flight, delayed, unknown, external ones, and
fills that are not final. An item is settled or it is not, whichever is worse in w, so the sum of
the positive parts is the maximum over all subsets. Exposure is max(0, loss(YES), loss(NO)); a
market, a group, a strategy and the account are sums of it. Each item is two numbers:

    BUY  q of YES for c, fee f:   delta(YES) = c + f - q      delta(NO) = c + f
    SELL q of YES for c, fee f:   delta(YES) = q - c + f      delta(NO) = f - c

and a NO item the same with the outcomes exchanged. Once an outcome is known, one world is left.

What "cost" means. When an order is admitted, it is the average cost of what is held. From then on
it moves by exactly what is paid and received, like the deltas. Otherwise a sale or merge at a gain
would bank the gain, leave the average cost of the rest, and lift the number above the cap that let
the order in, without anybody having sent anything. So no settlement, failure, cancel, merge or
redemption ever raises the exposure; only a new order does, and that one is judged at average cost:
gains already banked never pay for new risk, and realised losses are the loss limit's affair.
"""

from collections.abc import Iterable

from msgspec import Struct, structs

from polytui.engine.core.enums import Outcome, Side
from polytui.engine.core.units import U
from polytui.engine.portfolio.positions import portions


class Item(Struct, frozen=True, kw_only=True, gc=False):
    """Something that may still happen to one market: an order's remainder or a fill."""

    key: str
    """The order's cid (external: its hash), or a fill's reference."""
    strategy: str
    market: str
    group: str
    outcome: Outcome
    side: Side
    qty_u6: int
    """Shares that may still change hands."""
    cash_u6: int
    """For them, without fee, at the worst the order allows: BUY rounded up, SELL rounded down.

    Of a remainder: what the order's amounts leave after its fills, if that is less (BUY) or more
    (SELL), so that an order and its parts never count for more than it did whole.
    """
    fee_u6: int = 0
    """The most that may be charged."""
    is_fill: bool = False
    """A fill that is not final, rather than an order."""
    is_plan: bool = False
    """An order that is yet to be made, and binds no money."""
    order: str = ""
    """Of a fill: the key of its order, which may still claim the same tokens for a moment."""

    @property
    def is_order(self) -> bool:
        """Tell whether it is an order that was made."""
        return not self.is_fill and not self.is_plan

    @property
    def reserved_u6(self) -> int:
        """What it binds while it may happen: pUSD with the fee for a BUY, tokens for a SELL."""
        return self.cash_u6 + self.fee_u6 if self.side is Side.BUY else self.qty_u6

    def undone(self, cash_u6: int) -> "Item":
        """Turn a fill round: what if it is taken back, for the cash it moved, fee included."""
        side = Side.SELL if self.side is Side.BUY else Side.BUY
        return structs.replace(self, side=side, cash_u6=cash_u6, fee_u6=0)


Deltas = tuple[int, int]
"""What a thing adds to the loss if YES, and if NO, turns out true."""


def deltas(item: Item) -> Deltas:
    """Return an item's two numbers."""
    if item.side is Side.BUY:
        other_u6 = item.cash_u6 + item.fee_u6
        own_u6 = other_u6 - item.qty_u6
    else:
        other_u6 = item.fee_u6 - item.cash_u6
        own_u6 = other_u6 + item.qty_u6
    return (own_u6, other_u6) if item.outcome is Outcome.YES else (other_u6, own_u6)


class Tally:
    """One strategy in one market: running sums of everything the formula needs."""

    __slots__ = (
        "cost_u6",
        "fill_no_u6",
        "fill_yes_u6",
        "group",
        "items",
        "market",
        "net_u6",
        "no_u6",
        "sell_no_u6",
        "sell_yes_u6",
        "strategy",
        "sum_no_u6",
        "sum_yes_u6",
        "worse_no_u6",
        "worse_yes_u6",
        "worst_u6",
        "yes_pays_u6",
        "yes_u6",
    )

    def __init__(self, strategy: str, market: str, group: str) -> None:
        """Hold and expect nothing."""
        self.strategy = strategy
        self.market = market
        self.group = group
        self.yes_u6 = self.no_u6 = 0
        """Confirmed tokens."""
        self.cost_u6 = 0
        """At average cost."""
        self.net_u6 = 0
        """Average cost at the last admission, and everything paid and received since."""
        self.items = 0
        self.worse_yes_u6 = self.worse_no_u6 = 0
        """Σ max(0, delta) of all items."""
        self.sum_yes_u6 = self.sum_no_u6 = 0
        """Σ delta of the fills: as if all of them settle."""
        self.fill_yes_u6 = self.fill_no_u6 = 0
        """Σ max(0, delta) of the fills."""
        self.sell_yes_u6 = self.sell_no_u6 = 0
        """Tokens that items may sell."""
        self.yes_pays_u6: int | None = None
        """What a YES token pays, once that is known: one world is left, and what is lost there is
        lost and no longer at risk."""
        self.worst_u6 = 0
        """As last added to the sums."""

    @property
    def is_flat(self) -> bool:
        """Tell whether it holds no tokens."""
        return not self.yes_u6 and not self.no_u6

    def loss_u6(self, base_u6: int, extra: Deltas = (0, 0)) -> int:
        """Return the worse of both outcomes over a cost."""
        if_yes_u6 = self.worse_yes_u6 + extra[0]
        if_no_u6 = self.worse_no_u6 + extra[1]
        pays_u6 = self.yes_pays_u6
        if pays_u6 is None:
            return max(0, base_u6 - self.yes_u6 + if_yes_u6, base_u6 - self.no_u6 + if_no_u6)
        value_u6 = (self.yes_u6 * pays_u6 + self.no_u6 * (U - pays_u6)) // U
        open_u6 = -(-(if_yes_u6 * pays_u6 + if_no_u6 * (U - pays_u6)) // U)
        return max(0, open_u6 + min(0, base_u6 - value_u6))

    def as_if_u6(self, *, settled: bool) -> int:
        """Return the loss if every fill that is not final settles, or if every one fails."""
        sums = (self.sum_yes_u6, self.sum_no_u6) if settled else (0, 0)
        return self.loss_u6(self.net_u6, (sums[0] - self.fill_yes_u6, sums[1] - self.fill_no_u6))

    def free_u6(self, outcome: Outcome) -> int:
        """Return the tokens that no item is about to sell."""
        if outcome is Outcome.YES:
            return max(0, self.yes_u6 - self.sell_yes_u6)
        return max(0, self.no_u6 - self.sell_no_u6)

    def count(self, item: Item, sign: int) -> None:
        """Add (+1) or remove (-1) an item."""
        if_yes_u6, if_no_u6 = deltas(item)
        self.items += sign
        self.worse_yes_u6 += sign * max(0, if_yes_u6)
        self.worse_no_u6 += sign * max(0, if_no_u6)
        if item.is_fill:
            self.sum_yes_u6 += sign * if_yes_u6
            self.sum_no_u6 += sign * if_no_u6
            self.fill_yes_u6 += sign * max(0, if_yes_u6)
            self.fill_no_u6 += sign * max(0, if_no_u6)
        if item.side is Side.SELL:
            if item.outcome is Outcome.YES:
                self.sell_yes_u6 += sign * item.qty_u6
            else:
                self.sell_no_u6 += sign * item.qty_u6


class ScopeLoss(Struct, frozen=True, gc=False):
    """A candidate's effect on one scope; all three at average cost, the candidate left out."""

    before_u6: int
    after_u6: int
    """With it pending, settled or not as is worse."""
    filled_u6: int
    """With it filled for certain."""


class Check(Struct, frozen=True, kw_only=True, gc=False):
    """What a candidate would do to each scope it belongs to."""

    market: ScopeLoss
    group: ScopeLoss
    strategy: ScopeLoss
    total: ScopeLoss


MARKET, GROUP, STRATEGY, TOTAL = "market", "group", "strategy", "total"

Scope = tuple[str, str]
"""(`market`, `group`, `strategy` or `total`, id): a market without a group is its own group."""

ACCOUNT: Scope = (TOTAL, "")


class Exposure:
    """All tallies of one account and their sums."""

    __slots__ = ("_items", "_sums", "_tallies")

    def __init__(self) -> None:
        """Start with nothing at risk."""
        self._tallies: dict[str, dict[str, Tally]] = {}
        """Market, then strategy."""
        self._items: dict[str, tuple[Item, ...]] = {}
        """As given under a key, or in parts where other strategies hold what it sells."""
        self._sums: dict[Scope, int] = {}

    # --- what is asked ---------------------------------------------------------------------------

    def worst_u6(self, extra: Item | None = None) -> dict[Scope, int]:
        """Return the exposure of every scope, or of a candidate's scopes with it pending."""
        if extra is None:
            return dict(self._sums)
        check = self.check(extra)
        return {
            (MARKET, extra.market): check.market.after_u6,
            (GROUP, extra.group or extra.market): check.group.after_u6,
            (STRATEGY, extra.strategy): check.strategy.after_u6,
            ACCOUNT: check.total.after_u6,
        }

    def of(self, scope: str, name: str = "") -> int:
        """Return the exposure of one scope."""
        return self._sums.get((scope, name), 0)

    def as_if_u6(self, market: str, *, settled: bool) -> int:
        """Return a market's exposure if all its provisional fills settle, or if all fail."""
        row = self._tallies.get(market, {})
        return sum(tally.as_if_u6(settled=settled) for tally in row.values())

    def check(self, item: Item) -> Check:
        """Judge a candidate; if its key is known already, as if it were not there."""
        known = self._items.get(item.key, ())
        for part in known:
            self._tally(part).count(part, -1)
        before_u6 = after_u6 = filled_u6 = 0
        own = [0, 0, 0]
        for tally, extra in self._grouped(self.parts(item)):
            worse = (max(0, extra[0]), max(0, extra[1]))
            steps = [tally.loss_u6(tally.cost_u6, one) for one in ((0, 0), worse, extra)]
            before_u6 += steps[0] - tally.worst_u6
            after_u6 += steps[1] - tally.worst_u6
            filled_u6 += steps[2] - tally.worst_u6
            if tally.strategy == item.strategy:
                own = [step - tally.worst_u6 for step in steps]
        for part in known:
            self._tally(part).count(part, +1)

        def scope(kind: str, name: str) -> ScopeLoss:
            base_u6 = self.of(kind, name)
            if kind == STRATEGY:
                return ScopeLoss(base_u6 + own[0], base_u6 + own[1], base_u6 + own[2])
            return ScopeLoss(base_u6 + before_u6, base_u6 + after_u6, base_u6 + filled_u6)

        return Check(
            market=scope(MARKET, item.market),
            group=scope(GROUP, item.group or item.market),
            strategy=scope(STRATEGY, item.strategy),
            total=scope(*ACCOUNT),
        )

    def parts(self, item: Item) -> tuple[Item, ...]:
        """Lay a sale at the door of those who hold the tokens: its own strategy first.

        What nobody holds stays with the item's own strategy. Cash and fee are shared in proportion.
        """
        row = self._tallies.get(item.market, {})
        mine = row.get(item.strategy)
        mine_u6 = 0 if mine is None else mine.free_u6(item.outcome)
        if item.side is Side.BUY or mine_u6 >= item.qty_u6 or not row:
            return (item,)
        shares = {item.strategy: mine_u6}
        left_u6 = item.qty_u6 - mine_u6
        for name in sorted(row):
            if name != item.strategy and (part := min(row[name].free_u6(item.outcome), left_u6)):
                shares[name] = part
                left_u6 -= part
        shares[item.strategy] += left_u6
        names = [name for name, part_u6 in shares.items() if part_u6]
        parts = [shares[name] for name in names]
        cash = portions(item.cash_u6, parts)
        fees = portions(item.fee_u6, parts)
        return tuple(
            structs.replace(item, strategy=name, qty_u6=part_u6, cash_u6=cash_u6, fee_u6=fee_u6)
            for name, part_u6, cash_u6, fee_u6 in zip(names, parts, cash, fees, strict=True)
        )

    def items(self) -> list[Item]:
        """List what is uncertain, as laid at the doors of strategies, by key."""
        return [part for key in sorted(self._items) for part in self._items[key]]

    def order_keys(self) -> list[str]:
        """List the keys of open orders among the items."""
        return sorted(key for key, parts in self._items.items() if parts[0].is_order)

    # --- what happens ----------------------------------------------------------------------------

    def put(self, item: Item) -> None:
        """Count an item, or count it anew when its key is known.

        A key that is new and not a fill is an admission: from here on average cost is the base.
        """
        is_new = item.key not in self._items and not item.is_fill
        touched = self._remove(item.key)
        claimed = self._items.get(item.order, ())
        for part in claimed:
            self._tally(part).count(part, -1)
        parts = self.parts(item)
        for part in claimed:
            self._tally(part).count(part, +1)
        self._items[item.key] = parts
        for part in parts:
            tally = self._tally(part)
            tally.count(part, +1)
            if is_new:
                tally.net_u6 = tally.cost_u6
            touched.append(tally)
        self._settle(touched)

    def drop(self, key: str) -> None:
        """Forget an item that can no longer happen; an unknown key is harmless."""
        self._settle(self._remove(key))

    def hold(
        self,
        *,
        strategy: str,
        market: str,
        group: str,
        yes_u6: int,
        no_u6: int,
        cost_u6: int,
        paid_u6: int,
    ) -> None:
        """Say what a strategy holds in a market now, at what cost, and what the change cost.

        `paid_u6` is cash paid with fees, less cash received, since it was last said.
        """
        tally = self._find(strategy, market, group)
        tally.yes_u6, tally.no_u6, tally.cost_u6 = yes_u6, no_u6, cost_u6
        tally.net_u6 += paid_u6
        self._settle([tally])

    def load(self, strategy: str, market: str) -> None:
        """Begin a restored holding at its average cost."""
        tally = self._tallies.get(market, {}).get(strategy)
        if tally is not None:
            tally.net_u6 = tally.cost_u6
            self._settle([tally])

    def resolve(self, market: str, yes_pays_u6: int) -> None:
        """Leave one world of a market: a YES token pays this (a dollar, half, nothing)."""
        tallies = list(self._tallies.get(market, {}).values())
        for tally in tallies:
            tally.yes_pays_u6 = yes_pays_u6
        self._settle(tallies)

    # --- small -----------------------------------------------------------------------------------

    def _tally(self, item: Item) -> Tally:
        return self._find(item.strategy, item.market, item.group)

    def _find(self, strategy: str, market: str, group: str) -> Tally:
        row = self._tallies.setdefault(market, {})
        tally = row.get(strategy)
        if tally is None:
            known = next(iter(row.values()), None)
            tally = row[strategy] = Tally(strategy, market, known.group if known else group)
            tally.yes_pays_u6 = known.yes_pays_u6 if known else None
        return tally

    def _grouped(self, parts: Iterable[Item]) -> list[tuple[Tally, Deltas]]:
        """Pair each part's tally, without keeping a new one, with its numbers."""
        found: list[tuple[Tally, Deltas]] = []
        for part in parts:
            tally = self._tallies.get(part.market, {}).get(part.strategy)
            found.append((tally or Tally(part.strategy, part.market, part.group), deltas(part)))
        return found

    def _remove(self, key: str) -> list[Tally]:
        tallies = []
        for part in self._items.pop(key, ()):
            tally = self._tally(part)
            tally.count(part, -1)
            tallies.append(tally)
        return tallies

    def _settle(self, tallies: Iterable[Tally]) -> None:
        """Bring the sums up to date; forget a tally that holds and expects nothing."""
        for tally in tallies:
            if tally.is_flat and not tally.items:
                tally.net_u6 = tally.cost_u6 = 0
                row = self._tallies.get(tally.market, {})
                if row.get(tally.strategy) is tally:
                    del row[tally.strategy]
                    if not row:
                        del self._tallies[tally.market]
            now_u6 = tally.loss_u6(tally.net_u6)
            step_u6 = now_u6 - tally.worst_u6
            tally.worst_u6 = now_u6
            if step_u6:
                for scope in (
                    (MARKET, tally.market),
                    (GROUP, tally.group or tally.market),
                    (STRATEGY, tally.strategy),
                    ACCOUNT,
                ):
                    total_u6 = self._sums.get(scope, 0) + step_u6
                    if total_u6:
                        self._sums[scope] = total_u6
                    else:
                        del self._sums[scope]
