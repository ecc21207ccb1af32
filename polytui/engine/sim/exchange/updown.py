"""Rolling up/down markets (§9): one window after the other, settled on time-weighted averages.

A window's opening and closing prices are averages of the reference over the `lookback_s` seconds
that end `lag_ms` before its boundary; Up wins when the closing average is at least the opening one.
The reference is a step function of the prices told so far; an average covers what of its span is
known, and a window whose averages are both or singly unknown resolves 50/50.
"""

from bisect import bisect_right
from functools import partial

from polytui.engine.core.errors import OperatorError
from polytui.engine.core.rng import Rng
from polytui.engine.sim.exchange.emissions import MS, WindowFixed
from polytui.engine.sim.exchange.listing import Listing
from polytui.engine.sim.exchange.market import Market
from polytui.engine.sim.exchange.terms import GroupTerms, MarketTerms, Resolution, SeriesTerms
from polytui.engine.sim.exchange.world import World, hex_id

NS = 1_000_000_000
KEEP_NS = 600 * NS
"""Reference prices older than this are forgotten."""
TICKS_MAX = 100_000
"""Reference prices kept per symbol at most."""


class Reference:
    """The recent prices of one symbol."""

    __slots__ = ("_at_ns", "_px_u6")

    def __init__(self) -> None:
        """Know nothing."""
        self._at_ns: list[int] = []
        self._px_u6: list[int] = []

    def tell(self, px_u6: int, at_ns: int) -> None:
        """Add a price.

        Raises:
            OperatorError: older than the newest.
        """
        if self._at_ns and at_ns < self._at_ns[-1]:
            raise OperatorError(f"expected a time from {self._at_ns[-1]} on, was {at_ns}")
        self._at_ns.append(at_ns)
        self._px_u6.append(px_u6)
        if len(self._at_ns) > TICKS_MAX or self._at_ns[0] < at_ns - 2 * KEEP_NS:
            # The last price before the horizon still holds there.
            old = bisect_right(self._at_ns, at_ns - KEEP_NS) - 1
            old = max(old, len(self._at_ns) - TICKS_MAX // 2)
            del self._at_ns[:old], self._px_u6[:old]

    def average_u6(self, from_ns: int, to_ns: int) -> int | None:
        """Return the time-weighted average of a span, rounded down; spot for an empty one."""
        ix = bisect_right(self._at_ns, to_ns) - 1
        if ix < 0:
            return None
        if to_ns <= max(from_ns, self._at_ns[0]):
            return self._px_u6[ix]
        area, until_ns = 0, to_ns
        while ix >= 0 and until_ns > from_ns:
            since_ns = max(self._at_ns[ix], from_ns)
            area += self._px_u6[ix] * (until_ns - since_ns)
            until_ns = since_ns
            ix -= 1
        return area // (to_ns - until_ns)


class Window:
    """One market of a series, from listing to resolution."""

    __slots__ = ("close_u6", "market", "open_u6", "start_ns")

    def __init__(self, market: Market, start_ns: int) -> None:
        """Know neither average yet."""
        self.market = market
        self.start_ns = start_ns
        self.open_u6: int | None = None
        self.close_u6: int | None = None


class Series:
    """All rolling series and their references."""

    __slots__ = ("_listing", "_references", "_windows", "_world")

    def __init__(self, world: World, listing: Listing) -> None:
        """Start without any."""
        self._world = world
        self._listing = listing
        self._references: dict[str, Reference] = {}
        self._windows: dict[str, Window] = {}

    def tell(self, symbol: str, px_u6: int, at_ns: int) -> None:
        """Take a reference price."""
        if at_ns > self._world.now_ns or px_u6 <= 0:
            raise OperatorError(f"expected a past price of {symbol}, was {px_u6} at {at_ns}")
        self._reference(symbol).tell(px_u6, at_ns)

    def start(self, terms: SeriesTerms) -> None:
        """List the next windows and go on for ever."""
        length_ns = terms.window_s * NS
        first_ns = -(-self._world.now_ns // length_ns) * length_ns
        for ahead in range(terms.ahead):
            self._list(terms, first_ns + ahead * length_ns)
        self._world.calendar.book(first_ns, partial(self._turn, terms, first_ns))

    def window(self, condition: str) -> tuple[int | None, int | None]:
        """Return a window's two averages."""
        window = self._windows.get(condition)
        return (None, None) if window is None else (window.open_u6, window.close_u6)

    def _reference(self, symbol: str) -> Reference:
        return self._references.setdefault(symbol, Reference())

    def _turn(self, terms: SeriesTerms, start_ns: int) -> None:
        """Keep the row of listed windows long, one boundary after the other."""
        length_ns = terms.window_s * NS
        self._list(terms, start_ns + terms.ahead * length_ns)
        next_ns = start_ns + length_ns
        self._world.calendar.book(next_ns, partial(self._turn, terms, next_ns))

    def _list(self, terms: SeriesTerms, start_ns: int) -> None:
        group, market_terms = window_terms(self._world.rng, terms, start_ns, self._world.now_ns)
        self._listing.add_group(group)
        market = self._listing.add_market(market_terms)
        window = self._windows[market.condition] = Window(market, start_ns)
        self._world.calendar.book(start_ns, partial(self._open, terms, window))
        end_ns = start_ns + terms.window_s * NS
        self._world.calendar.book(end_ns, partial(self._close, terms, window))

    def _average(self, terms: SeriesTerms) -> int | None:
        to_ns = self._world.now_ns - terms.lag_ms * MS
        from_ns = to_ns - terms.lookback_s * NS
        return self._reference(terms.symbol).average_u6(from_ns, to_ns)

    def _open(self, terms: SeriesTerms, window: Window) -> None:
        window.open_u6 = self._average(terms)
        self._tell_fixed(window, window.open_u6, is_final=False)

    def _close(self, terms: SeriesTerms, window: Window) -> None:
        window.close_u6 = self._average(terms)
        self._tell_fixed(window, window.close_u6, is_final=True)
        if window.market.resolution is not None:
            return
        self._listing.change(window.market, accepting=False)
        due_ns = self._world.now_ns + self._world.settings.resolve_lag_ms * MS
        self._world.calendar.book(due_ns, partial(self._settle, window))

    def _settle(self, window: Window) -> None:
        if window.market.resolution is None:
            self._listing.resolve(window.market, _outcome(window))

    def _tell_fixed(self, window: Window, average_u6: int | None, *, is_final: bool) -> None:
        self._world.emit(
            WindowFixed(
                at_ns=self._world.now_ns,
                condition=window.market.condition,
                is_final=is_final,
                average_u6=average_u6,
            )
        )


def _outcome(window: Window) -> Resolution:
    """Decide a window; the tie is Up's."""
    if window.open_u6 is None or window.close_u6 is None:
        return Resolution.SPLIT
    return Resolution.YES if window.close_u6 >= window.open_u6 else Resolution.NO


def window_terms(
    rng: Rng, terms: SeriesTerms, start_ns: int, now_ns: int
) -> tuple[GroupTerms, MarketTerms]:
    """Write one window's group and market; ids depend on the seed and the slug only."""
    start_s, end_s = start_ns // NS, start_ns // NS + terms.window_s
    slug = f"{terms.prefix}-{start_s}"
    ids = rng.fork(f"window {slug}")
    number = str(1_000_000 + ids.below(9_000_000))
    title = f"{terms.title} - {_clock(start_s)}-{_clock(end_s)} UTC"
    common = terms.market
    group = GroupTerms(
        id=f"{number}-{start_s}",
        slug=slug,
        title=title,
        tags=common.tags,
        series=terms.prefix,
        start_ns=start_ns,
    )
    market = MarketTerms(
        condition=hex_id(ids, 64),
        tokens=(_token_id(ids), _token_id(ids)),
        question=title,
        slug=slug,
        gamma_id=number,
        question_id=hex_id(ids, 64),
        outcomes=("Up", "Down"),
        tags=common.tags,
        group=group.id,
        tick_u6=common.tick_u6,
        fine_tick_u6=common.fine_tick_u6,
        min_qty_u6=common.min_qty_u6,
        fees=common.fees,
        fee_type=common.fee_type,
        itode=common.itode,
        rewards=common.rewards,
        start_ns=now_ns,
        end_ns=end_s * NS,
    )
    return group, market


def _token_id(ids: Rng) -> str:
    return str(int(hex_id(ids, 64), 16))


def _clock(unix_s: int) -> str:
    minutes = unix_s // 60 % 1_440
    return f"{minutes // 60:02d}:{minutes % 60:02d}"
