"""Feature vector v1: named, versioned numbers about one market, with units and an `as_of`.

A feature is a pure function of the book and of a short history that grows only from events already
seen; `as_of_ns` is the receive time of the newest event used. A feature without a value is None,
never zero. Fitted models name the version they were trained on.
"""

from collections import deque
from collections.abc import Callable
from itertools import pairwise
from math import isfinite, log, sqrt

from msgspec import Struct

from polytui.engine.core.enums import Unit
from polytui.engine.core.units import U, fee_per_share_u6
from polytui.engine.core.view import FeatureView
from polytui.engine.market.tracked import Tracked

VERSION = 1
_S = 1_000_000_000
_SAMPLE_NS = _S // 4
"""Micro-price samples are at least this far apart."""
_SAMPLES_MAX = 1_400
"""350 s of samples: enough for the longest look-back of 300 s."""
_FLOW_SPAN_NS = 10 * _S
_FLOW_MAX = 4_096
"""Order-flow entries kept; beyond it the oldest go, and ten seconds are no longer covered."""
_LOGIT_EDGE = 0.001
"""Prices are clipped to this distance from 0 and 1 before the logit."""


class History:
    """What features remember of one market: sampled micro-prices and order-flow imbalance."""

    __slots__ = ("_touch", "as_of_ns", "flow", "samples", "started_ns")

    def __init__(self) -> None:
        """Start with no past."""
        self.samples: deque[tuple[int, float]] = deque(maxlen=_SAMPLES_MAX)
        """(at_ns, logit of the micro-price)."""
        self.flow: deque[tuple[int, int]] = deque(maxlen=_FLOW_MAX)
        """(at_ns, order-flow imbalance of one touch change in micro-shares)."""
        self._touch: tuple[int, int, int, int] | None = None
        self.as_of_ns = 0
        self.started_ns: int | None = None

    def observe(self, tracked: Tracked, at_ns: int) -> None:
        """Take the state after a batch; cheap when the touch did not move."""
        self.as_of_ns = at_ns
        flow = self.flow
        while flow and at_ns - flow[0][0] > _FLOW_SPAN_NS:
            flow.popleft()
        book = tracked.book
        yes, no = book.yes, book.no
        if not yes.px or not no.px:
            self._touch = None
            return
        touch = (yes.px[-1], yes.qty[-1], U - no.px[-1], no.qty[-1])
        if touch == self._touch:
            return
        if self.started_ns is None:
            self.started_ns = at_ns
        if self._touch is not None:
            flow.append((at_ns, order_flow_u6(self._touch, touch)))
        self._touch = touch
        if not self.samples or at_ns - self.samples[-1][0] >= _SAMPLE_NS:
            self.samples.append((at_ns, _logit(micro_price(touch))))

    def reset(self) -> None:
        """Forget: the connection broke, and what follows does not continue what was."""
        self.__init__()  # type: ignore[misc]  # the empty state is the state of a new object


def order_flow_u6(old: tuple[int, int, int, int], new: tuple[int, int, int, int]) -> int:
    """Order-flow imbalance of one touch change (Cont, Kukanov, Stoikov 2014; `quant.md` §4.7)."""
    (b0, qb0, a0, qa0), (b1, qb1, a1, qa1) = old, new
    flow = (qb1 if b1 >= b0 else 0) - (qb0 if b1 <= b0 else 0)
    return flow - (qa1 if a1 <= a0 else 0) + (qa0 if a1 >= a0 else 0)


def micro_price(touch: tuple[int, int, int, int]) -> float:
    """Weighted mid `I·ask + (1-I)·bid`, I = bid share of the touch size (`quant.md` §4.1)."""
    bid, bid_qty, ask, ask_qty = touch
    share = bid_qty / (bid_qty + ask_qty)
    return (share * ask + (1 - share) * bid) / U


def _logit(p: float) -> float:
    clipped = min(max(p, _LOGIT_EDGE), 1 - _LOGIT_EDGE)
    return log(clipped / (1 - clipped))


class _Input(Struct, frozen=True):
    """All that a feature function may look at."""

    tracked: Tracked
    history: History
    now_ns: int
    touch: tuple[int, int, int, int] | None


def _imbalance(levels: int) -> Callable[[_Input], float | None]:
    def value(given: _Input) -> float | None:
        bid = sum(given.tracked.book.yes.qty[-levels:])
        ask = sum(given.tracked.book.no.qty[-levels:])
        return bid / (bid + ask) if bid and ask else None

    return value


def _depth(cents: int, *, is_bid: bool) -> Callable[[_Input], float | None]:
    def value(given: _Input) -> float | None:
        ladder = given.tracked.book.yes if is_bid else given.tracked.book.no
        if not ladder.px:
            return None
        limit = ladder.px[-1] - cents * 10_000
        pairs = zip(reversed(ladder.px), reversed(ladder.qty), strict=True)
        total = 0
        for px, qty in pairs:
            if px < limit:
                break
            total += qty
        return total / U

    return value


def _mid(given: _Input) -> float | None:
    return (given.touch[0] + given.touch[2]) / (2 * U) if given.touch else None


def _micro_edge(given: _Input) -> float | None:
    mid = _mid(given)
    return micro_price(given.touch) - mid if given.touch and mid is not None else None


def _spread_ticks(given: _Input) -> float | None:
    if given.touch is None:
        return None
    return (given.touch[2] - given.touch[0]) / given.tracked.book.tick_u6


def _ask_sum_edge(given: _Input) -> float | None:
    return (given.touch[2] - given.touch[0]) / U if given.touch else None


def _parity_share(given: _Input) -> float | None:
    return given.tracked.parity.share(given.now_ns)


def _momentum(seconds: int) -> Callable[[_Input], float | None]:
    def value(given: _Input) -> float | None:
        started, samples = given.history.started_ns, given.history.samples
        start_ns = given.now_ns - seconds * _S
        if started is None or started > start_ns or given.touch is None:
            return None
        past = samples[0][1]
        for at_ns, sample in reversed(samples):
            past = sample
            if at_ns <= start_ns:
                break
        return _logit(micro_price(given.touch)) - past

    return value


def _volatility(given: _Input) -> float | None:
    """Root mean squared logit return per square root of a second, over a minute of samples."""
    start_ns = given.now_ns - 60 * _S
    recent = [sample for sample in given.history.samples if sample[0] >= start_ns]
    span_ns = recent[-1][0] - recent[0][0] if recent else 0
    if span_ns < 10 * _S:
        return None
    total = sum((b[1] - a[1]) ** 2 for a, b in pairwise(recent))
    return sqrt(total * _S / span_ns)


def _flow(seconds: int) -> Callable[[_Input], float | None]:
    def value(given: _Input) -> float | None:
        history = given.history
        start_ns = given.now_ns - seconds * _S
        if history.started_ns is None or history.started_ns > start_ns:
            return None
        return sum(flow for at_ns, flow in history.flow if at_ns > start_ns) / U

    return value


def _time_left(given: _Input) -> float | None:
    end_ns = given.tracked.spec.end_ns
    return None if end_ns is None else (end_ns - given.now_ns) / _S


def _fee(given: _Input) -> float | None:
    fees, touch = given.tracked.spec.fees, given.touch
    if fees is None or touch is None:
        return None
    return fee_per_share_u6(touch[2], rate_u6=fees.rate_u6, exponent=fees.exponent) / U


class Feature(Struct, frozen=True):
    """One row of the registry."""

    name: str
    unit: Unit
    family: str
    lookback_s: int
    """Seconds of history it needs; before that it is None."""
    compute: Callable[[_Input], float | None]


REGISTRY: tuple[Feature, ...] = (
    Feature("mid", Unit.PRICE, "book", 0, _mid),
    Feature("micro_minus_mid", Unit.PRICE, "book", 0, _micro_edge),
    Feature("spread", Unit.TICKS, "book", 0, _spread_ticks),
    Feature("imbalance_1", Unit.RATIO, "book", 0, _imbalance(1)),
    Feature("imbalance_3", Unit.RATIO, "book", 0, _imbalance(3)),
    Feature("imbalance_5", Unit.RATIO, "book", 0, _imbalance(5)),
    Feature("depth_bid_2c", Unit.SHARES, "book", 0, _depth(2, is_bid=True)),
    Feature("depth_ask_2c", Unit.SHARES, "book", 0, _depth(2, is_bid=False)),
    Feature("depth_bid_5c", Unit.SHARES, "book", 0, _depth(5, is_bid=True)),
    Feature("depth_ask_5c", Unit.SHARES, "book", 0, _depth(5, is_bid=False)),
    Feature("ofi_1s", Unit.SHARES, "flow", 1, _flow(1)),
    Feature("ofi_10s", Unit.SHARES, "flow", 10, _flow(10)),
    Feature("ask_sum_minus_one", Unit.PRICE, "parity", 0, _ask_sum_edge),
    Feature("parity_share", Unit.RATIO, "parity", 0, _parity_share),
    Feature("momentum_1s", Unit.LOG_ODDS, "momentum", 1, _momentum(1)),
    Feature("momentum_5s", Unit.LOG_ODDS, "momentum", 5, _momentum(5)),
    Feature("momentum_30s", Unit.LOG_ODDS, "momentum", 30, _momentum(30)),
    Feature("momentum_300s", Unit.LOG_ODDS, "momentum", 300, _momentum(300)),
    Feature("sigma_1m", Unit.LOG_ODDS, "volatility", 10, _volatility),
    Feature("time_left", Unit.SECONDS, "timing", 0, _time_left),
    Feature("taker_fee", Unit.USD_PER_SHARE, "cost", 0, _fee),
)
"""The vector, in its order. A change of meaning is a new name or a new `VERSION`."""


def feature_vector(tracked: Tracked, history: History, now_ns: int) -> tuple[FeatureView, ...]:
    """Compute all features as of the newest event the history has seen; `now_ns` is not later."""
    yes, no = tracked.book.yes, tracked.book.no
    touch = (yes.px[-1], yes.qty[-1], U - no.px[-1], no.qty[-1]) if yes.px and no.px else None
    given = _Input(tracked, history, now_ns, touch)
    return tuple(
        FeatureView(name=f.name, version=VERSION, value=_finite(f.compute(given)), unit=f.unit)
        for f in REGISTRY
    )


def _finite(value: float | None) -> float | None:
    """No feature is ever NaN or infinite: such a value is no value."""
    return value if value is not None and isfinite(value) else None
