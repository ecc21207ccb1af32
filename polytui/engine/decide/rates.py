"""How often we did what: own and venue's buckets, windows of sends and rejects, conduct (G19-G25).

Exact integers on engine time. Nothing here refuses: `pace` states the counts, the gate judges.
Cancels are counted and never held back.
"""

from collections import deque

from polytui.engine.core.account_events import BudgetRead
from polytui.engine.core.order_enums import Realm
from polytui.engine.core.runconfig import LimitsConfig
from polytui.engine.core.trading import Draft
from polytui.engine.decide.facts import Pace
from polytui.engine.decide.words import MS, S

KEYS_MAX = 10_000
"""Strategies times markets remembered; above it what is silent longest is forgotten."""
_HOUR = 60
_MINUTE_NS = 60 * S
_KEEP_NS = 2 * S


class Bucket:
    """A token bucket in billionths of a request, so that no refill rounds."""

    __slots__ = ("_at_ns", "_level_e9", "burst", "rate")

    def __init__(self, *, rate: int, burst: int) -> None:
        """Start full."""
        self.rate = rate
        self.burst = burst
        self._level_e9 = burst * S
        self._at_ns = 0

    def left(self, at_ns: int) -> int:
        """Count whole requests it would admit now."""
        gained_e9 = max(0, at_ns - self._at_ns) * self.rate
        return max(0, min(self.burst * S, self._level_e9 + gained_e9) // S)

    def take(self, count: int, at_ns: int) -> None:
        """Take requests, below zero if need be: what was sent was sent."""
        gained_e9 = max(0, at_ns - self._at_ns) * self.rate
        self._level_e9 = min(self.burst * S, self._level_e9 + gained_e9) - count * S
        self._at_ns = max(self._at_ns, at_ns)

    def fill_to(self, count: int, at_ns: int) -> None:
        """Take the venue's word for what is left."""
        self._level_e9 = count * S
        self._at_ns = max(self._at_ns, at_ns)


class Window:
    """Times of the latest happenings, at most as many as any limit can ask for."""

    __slots__ = ("_times",)

    def __init__(self, most: int) -> None:
        """Start empty."""
        self._times: deque[int] = deque(maxlen=most)

    def note(self, at_ns: int) -> None:
        """Add one."""
        self._times.append(at_ns)

    def count(self, at_ns: int, span_ns: int) -> int:
        """Count those younger than the span; older ones are dropped."""
        times, since_ns = self._times, at_ns - span_ns
        while times and times[0] <= since_ns:
            times.popleft()
        return len(times)

    def resize(self, most: int) -> None:
        """Hold another number; the latest stay."""
        self._times = deque(self._times, maxlen=most)


class Hour:
    """A count over the last hour by minutes: the running one and the sixty before it."""

    __slots__ = ("_minutes", "_total")

    def __init__(self) -> None:
        """Start empty."""
        self._minutes: deque[list[int]] = deque()
        self._total = 0

    def note(self, count: int, at_ns: int) -> None:
        """Add some."""
        minute = at_ns // _MINUTE_NS
        if self._minutes and self._minutes[-1][0] == minute:
            self._minutes[-1][1] += count
        else:
            self._minutes.append([minute, count])
        self._total += count

    def count(self, at_ns: int) -> int:
        """Count them."""
        since = at_ns // _MINUTE_NS - _HOUR
        while self._minutes and self._minutes[0][0] < since:
            self._total -= self._minutes.popleft()[1]
        return self._total


class Conduct:
    """One market's orders, cancels and fills of the hour (G25)."""

    __slots__ = ("cancels", "fills", "orders")

    def __init__(self) -> None:
        """Start empty."""
        self.orders = Hour()
        self.cancels = Hour()
        self.fills = Hour()


class Doings:
    """One strategy in one market: the windows of G22 and its last flicker (G25)."""

    __slots__ = ("flicker_ns", "last_ns", "rejects", "sends")

    def __init__(self, limits: LimitsConfig) -> None:
        """Start empty; a window holds what its limit can ask for and no more."""
        self.sends = Window(limits.sends_max + 1)
        self.rejects = Window(limits.rejects_max + 1)
        self.flicker_ns = 0
        self.last_ns = 0


class Rates:
    """The counters of one realm."""

    __slots__ = (
        "_conduct",
        "_counted",
        "_doings",
        "_limits",
        "_twins",
        "cancels",
        "is_warned",
        "orders",
        "own",
        "realm",
        "tier",
    )

    def __init__(self, realm: Realm, limits: LimitsConfig) -> None:
        """Start with a full own bucket and no word from the venue."""
        self.realm = realm
        self._limits = limits
        self.own = own_bucket(limits)
        self.orders: Bucket | None = None
        self.cancels: Bucket | None = None
        self.tier = ""
        self.is_warned = False
        self._counted: dict[str, None] = {}
        self._doings: dict[tuple[str, str], Doings] = {}
        self._conduct: dict[str, Conduct] = {}
        self._twins: dict[tuple[object, ...], tuple[str, int]] = {}

    def set_limits(self, limits: LimitsConfig, at_ns: int) -> None:
        """Follow changed limits; a changed own bucket begins empty."""
        if limits.orders_per_s != self._limits.orders_per_s:
            self.own = own_bucket(limits)
            self.own.fill_to(0, at_ns)
        self._limits = limits
        for doings in self._doings.values():
            doings.sends.resize(limits.sends_max + 1)
            doings.rejects.resize(limits.rejects_max + 1)

    # --- what happened ---------------------------------------------------------------------------

    def on_budget(self, read: BudgetRead, at_ns: int) -> None:
        """Take the venue's headers; all its tiers refill two thirds of a burst a second (§3.5)."""
        self.tier, self.is_warned = read.tier, read.warning
        for name, left, burst in (
            ("orders", read.orders_left, read.orders_burst),
            ("cancels", read.cancels_left, read.cancels_burst),
        ):
            if burst > 0:
                bucket = Bucket(rate=max(1, burst * 2 // 3), burst=burst)
                bucket.fill_to(min(left, burst), at_ns)
                setattr(self, name, bucket)

    def on_send(self, cid: str, draft: Draft, at_ns: int) -> None:
        """Count an order that was approved; asked again where its bytes leave, it holds its place.

        Counted at approval, so that orders on their way at the same moment see each other.
        """
        if cid in self._counted:
            return
        if len(self._counted) >= KEYS_MAX:
            del self._counted[next(iter(self._counted))]
        self._counted[cid] = None
        self.own.take(1, at_ns)
        if self.orders is not None:
            self.orders.take(1, at_ns)
        doings = self._doing(draft.strategy, draft.market, at_ns)
        doings.sends.note(at_ns)
        self._conduct_of(draft.market).orders.note(1, at_ns)
        self._remember(twin_key(draft), cid, at_ns)

    def forget(self, cid: str, draft: Draft) -> None:
        """Let an order that came to nothing be repeated at once."""
        key = twin_key(draft)
        if self._twins.get(key, ("", 0))[0] == cid:
            del self._twins[key]

    def on_reject(self, draft: Draft, at_ns: int) -> None:
        """Count a refusal of the venue."""
        self._doing(draft.strategy, draft.market, at_ns).rejects.note(at_ns)

    def on_fill(self, market: str, at_ns: int) -> None:
        """Count a fill of ours."""
        self._conduct_of(market).fills.note(1, at_ns)

    def on_cancel(self, count: int, at_ns: int, *, markets: tuple[str, ...] = ()) -> None:
        """Count cancels sent, and per market where they belong."""
        if self.cancels is not None:
            self.cancels.take(count, at_ns)
        for market in markets:
            self._conduct_of(market).cancels.note(1, at_ns)

    def on_pulled(self, draft: Draft, age_ns: int, at_ns: int) -> None:
        """Note that a strategy pulled its own quote; below the floor of its life it flickers."""
        if draft.order_type.is_resting and age_ns < self._limits.quote_life_ms * MS:
            self._doing(draft.strategy, draft.market, at_ns).flicker_ns = at_ns

    def may_pull(self, age_ns: int) -> bool:
        """Tell whether a strategy may pull its own quote yet; people and risk never ask."""
        return age_ns >= self._limits.quote_life_ms * MS

    def forgive(self, strategy: str, market: str) -> None:
        """Begin anew after a person reset the breaker of G22."""
        self._doings.pop((strategy, market), None)

    # --- what is known ---------------------------------------------------------------------------

    def pace(
        self,
        cid: str,
        draft: Draft,
        *,
        open_orders: int,
        at_ns: int,
        peak_u6: int = 0,
        breaker: str = "",
        repetition: str = "",
    ) -> Pace:
        """State the counts for one order; what it counted itself is left out.

        What the breakers say is passed through: a fact is made once.
        """
        limits = self._limits
        mine = 1 if cid in self._counted else 0
        twin = self._twins.get(twin_key(draft))
        doings = self._doings.get((draft.strategy, draft.market))
        conduct = self._conduct.get(draft.market)
        sends = 0 if doings is None else doings.sends.count(at_ns, limits.sends_s * S)
        orders_hour = 0 if conduct is None else conduct.orders.count(at_ns)
        orders_left = -1 if self.orders is None else self.orders.left(at_ns)
        return Pace(
            tokens=self.own.burst if mine else self.own.left(at_ns),
            orders_left=max(mine, orders_left) if self.orders is not None else -1,
            cancels_left=-1 if self.cancels is None else self.cancels.left(at_ns),
            cancel_reserve=max(limits.cancel_reserve, open_orders // 10),
            twin_ns=0 if twin is None or twin[0] == cid else twin[1],
            sends=max(0, sends - mine),
            rejects=0 if doings is None else doings.rejects.count(at_ns, limits.rejects_s * S),
            orders_hour=max(0, orders_hour - mine),
            cancels_hour=0 if conduct is None else conduct.cancels.count(at_ns),
            fills_hour=0 if conduct is None else conduct.fills.count(at_ns),
            flicker_ns=0 if doings is None else doings.flicker_ns,
            peak_u6=peak_u6,
            breaker=breaker,
            repetition=repetition,
        )

    def _doing(self, strategy: str, market: str, at_ns: int) -> Doings:
        key = (strategy, market)
        doings = self._doings.get(key)
        if doings is None:
            if len(self._doings) >= KEYS_MAX:
                del self._doings[min(self._doings, key=lambda k: self._doings[k].last_ns)]
            doings = self._doings[key] = Doings(self._limits)
        doings.last_ns = at_ns
        return doings

    def _conduct_of(self, market: str) -> Conduct:
        conduct = self._conduct.get(market)
        if conduct is None:
            if len(self._conduct) >= KEYS_MAX:
                del self._conduct[next(iter(self._conduct))]
            conduct = self._conduct[market] = Conduct()
        return conduct

    def _remember(self, key: tuple[object, ...], cid: str, at_ns: int) -> None:
        if len(self._twins) >= KEYS_MAX:
            since_ns = at_ns - _KEEP_NS
            young = {k: twin for k, twin in self._twins.items() if twin[1] > since_ns}
            self._twins = young if len(young) < KEYS_MAX else {}
        self._twins.pop(key, None)
        self._twins[key] = (cid, at_ns)


def own_bucket(limits: LimitsConfig) -> Bucket:
    """Make the own bucket: a second's worth, and never less than an entry and its hedge need."""
    return Bucket(rate=limits.orders_per_s, burst=max(2, limits.orders_per_s))


def twin_key(draft: Draft) -> tuple[object, ...]:
    """Name what makes two orders the same (G19)."""
    who = (draft.strategy, draft.token, draft.side)
    return (*who, draft.px_u6, draft.qty_u6)
