"""Is a reference feed fit to decide on? The state table, lag, frozen content, disagreement.

A feed is judged from the age of its pulse (the evidence that must keep coming), on engine time;
times that a venue claims serve lag statistics and one doubt that can only lower the verdict. The
numbers are data: `limits_of` and `_LIMITS`, from `venue/external-feeds.md` §5 (2026-11-21).
"""

from collections import deque
from collections.abc import Mapping
from enum import Enum

from msgspec import Struct

from polytui.engine.core.enums import Feed, FeedState, Reason
from polytui.engine.core.view import Percentiles

_MS = 1_000_000
_S = 1_000 * _MS


class Evidence(Enum):
    """What a feed can show for itself."""

    ANSWER = "answer"
    """Our subscription or login was accepted."""
    BEAT = "beat"
    BACKLOG = "backlog"
    """The history of a settlement feed arrived; it holds no value to decide on."""
    BOOK = "book"
    """A full book was loaded and is believed."""
    VALUE = "value"
    """A quote, a book change or a settlement value of the symbol we follow."""


_LASTING = frozenset({Evidence.ANSWER, Evidence.BACKLOG, Evidence.BOOK})
"""Given once per connection: silence does not take it away."""


class Limits(Struct, frozen=True):
    """When a feed is warm, and for how long it may be silent."""

    pulse: Evidence
    """The evidence whose age is judged."""
    degraded_ns: int
    stale_ns: int
    """Also the age above which a value is absent."""
    reconnect_ns: int
    needs: Mapping[Evidence, int]
    """Evidence that makes a connection LIVE, counted without an interruption."""


_BEAT, _VALUE = Evidence.BEAT, Evidence.VALUE
_EXCHANGE_NEEDS = {Evidence.ANSWER: 1, Evidence.BEAT: 2, Evidence.VALUE: 1}
_POLYBOLT_NEEDS = {Evidence.ANSWER: 1, Evidence.BACKLOG: 1, Evidence.VALUE: 1}

_LIMITS: Mapping[str, Limits] = {
    # pulse, degraded, stale, reconnect, needs
    "coinbase": Limits(_BEAT, 2_500 * _MS, 5 * _S, 8 * _S, _EXCHANGE_NEEDS),
    "coinbase_advanced": Limits(_BEAT, 2_500 * _MS, 5 * _S, 8 * _S, {Evidence.BOOK: 1, _BEAT: 2}),
    "binance BTC": Limits(_VALUE, 2 * _S, 5 * _S, 10 * _S, {_VALUE: 1}),
    "binance ETH": Limits(_VALUE, 3 * _S, 8 * _S, 16 * _S, {_VALUE: 1}),
    "binance": Limits(_VALUE, 5 * _S, 12 * _S, 24 * _S, {_VALUE: 1}),
    "chainlink": Limits(_VALUE, 3 * _S, 5 * _S, 8 * _S, {_VALUE: 3}),
    "chainlink polybolt": Limits(_VALUE, 3 * _S, 5 * _S, 8 * _S, _POLYBOLT_NEEDS),
}
"""Binance is judged by the base currency, because quiet products quote less often."""

POLYBOLT_HOST = "ws-live-v2."
"""A Chainlink connection to a host of this name is PolyBolt; every other one is RTDS."""


def limits_of(feed: Feed, *, url: str = "", symbol: str = "") -> Limits:
    """Find the limits of a feed for a connection and a canonical symbol (`BTC-USD`)."""
    variant = "polybolt" if POLYBOLT_HOST in url else symbol.partition("-")[0]
    return _LIMITS.get(f"{feed.value} {variant}") or _LIMITS[feed.value]


_CONNECTED = frozenset({FeedState.WARMING, FeedState.LIVE, FeedState.DEGRADED, FeedState.STALE})
_USABLE = frozenset({FeedState.LIVE, FeedState.DEGRADED})


class Health:
    """State of one feed. STALE is left only by warming up again."""

    __slots__ = ("_asked", "_doubts", "_limits", "_pulse_ns", "_seen", "reason", "state")

    def __init__(self, limits: Limits, *, configured: bool) -> None:
        """Start without a connection."""
        self.state = FeedState.CONNECTING if configured else FeedState.DISABLED
        self.reason = Reason.NO_EVIDENCE if configured else Reason.NOT_CONFIGURED
        self._limits = limits
        self._seen: dict[Evidence, int] = {}
        self._doubts: dict[str, Reason] = {}
        self._pulse_ns = 0
        self._asked = False

    @property
    def is_usable(self) -> bool:
        """Tell whether values may be shown: LIVE, or DEGRADED with its warning."""
        return self.state in _USABLE

    def open(self, limits: Limits, now_ns: int) -> None:
        """Begin a connection: silence is counted from here, everything has to be shown anew."""
        self._limits = limits
        self._seen = {}
        self._doubts = {}
        self._pulse_ns = now_ns
        self._asked = False
        self.state, self.reason = FeedState.WARMING, Reason.WARMING_UP

    def close(self) -> None:
        """End a connection."""
        self.state, self.reason = FeedState.CONNECTING, Reason.CONNECTION_LOST

    def refuse(self, state: FeedState, reason: Reason) -> None:
        """Accept that the feed will not come, until a connection opens after all."""
        self.state, self.reason = state, reason

    def note(self, evidence: Evidence, now_ns: int) -> None:
        """Count a piece of evidence; after an interruption the pulse is counted from one again."""
        if evidence is self._limits.pulse:
            if now_ns - self._pulse_ns >= self._limits.degraded_ns:
                self._seen[evidence] = 0
            self._pulse_ns = now_ns
            if self.state is FeedState.STALE:
                self.state, self.reason = FeedState.WARMING, Reason.WARMING_UP
        self._seen[evidence] = self._seen.get(evidence, 0) + 1

    def doubt(self, name: str, reason: Reason, *, holds: bool) -> None:
        """Raise or clear a named doubt: a feed with one is DEGRADED at best."""
        if holds:
            self._doubts[name] = reason
        else:
            self._doubts.pop(name, None)

    def restart(self, reason: Reason) -> None:
        """Begin to warm up again on the same connection, without the books it had."""
        self._seen = {Evidence.ANSWER: self._seen.get(Evidence.ANSWER, 0)}
        if self.state in _CONNECTED:
            self.state, self.reason = FeedState.WARMING, reason

    def judge(self, now_ns: int, *, ready: bool = True) -> None:
        """Bring the state up to date; `ready` withholds LIVE for a reason of the owner."""
        if self.state is FeedState.WARMING and ready and self._is_warm():
            self.state = FeedState.LIVE
        if self.state not in _USABLE:
            return
        age_ns = now_ns - self._pulse_ns
        if age_ns >= self._limits.stale_ns:
            self.state, self.reason = FeedState.STALE, Reason.SILENT
            self._seen = {e: n for e, n in self._seen.items() if e in _LASTING}
        elif age_ns >= self._limits.degraded_ns:
            self.state, self.reason = FeedState.DEGRADED, Reason.SILENT
        elif self._doubts:
            self.state, self.reason = FeedState.DEGRADED, next(iter(self._doubts.values()))
        else:
            self.state, self.reason = FeedState.LIVE, Reason.OK

    def is_absent(self, at_ns: int, now_ns: int) -> bool:
        """Tell whether a value of that time is too old to exist."""
        return now_ns - at_ns >= self._limits.stale_ns

    def is_silent(self, now_ns: int) -> bool:
        """Tell whether the connection has been silent for so long that it must be replaced."""
        return self.state in _CONNECTED and now_ns - self._pulse_ns >= self._limits.reconnect_ns

    def ask_reconnect(self) -> bool:
        """Tell whether to ask for a new connection; true once per connection."""
        asked, self._asked = self._asked, True
        return not asked and self.state in _CONNECTED

    def _is_warm(self) -> bool:
        return all(self._seen.get(e, 0) >= count for e, count in self._limits.needs.items())


# --- lag -----------------------------------------------------------------------------------------

LAGS_MAX = 1_024
"""Lags kept for the percentiles: the latest ones."""

_OFFSET_SLOT_NS = 10 * _S
_OFFSET_SLOTS = 30
"""The clock offset is the least lag of 5 minutes, kept as the least of each 10 seconds."""


class Lag:
    """Received minus claimed time. Clocks differ, so lags below zero are normal."""

    __slots__ = ("_lags", "_slots")

    def __init__(self) -> None:
        """Start empty."""
        self._lags: deque[int] = deque(maxlen=LAGS_MAX)
        self._slots: deque[tuple[int, int]] = deque(maxlen=_OFFSET_SLOTS)

    def note(self, *, at_ns: int, venue_ns: int) -> int:
        """Add one and return how much later it is than the best of 5 minutes."""
        lag_ns = at_ns - venue_ns
        self._lags.append(lag_ns)
        slot = at_ns // _OFFSET_SLOT_NS
        while self._slots and self._slots[0][0] <= slot - _OFFSET_SLOTS:
            self._slots.popleft()
        if not self._slots or self._slots[-1][0] != slot:
            self._slots.append((slot, lag_ns))
        elif lag_ns < self._slots[-1][1]:
            self._slots[-1] = (slot, lag_ns)
        return lag_ns - self.offset_ns()

    def offset_ns(self) -> int:
        """Estimate clock difference plus the shortest way; 0 before the first lag."""
        return min((lag_ns for _, lag_ns in self._slots), default=0)

    def percentiles(self) -> Percentiles:
        """Summarise the latest `LAGS_MAX` lags, offset included."""
        ranked = sorted(self._lags)
        if not ranked:
            return Percentiles()
        last = len(ranked) - 1
        return Percentiles(
            count=len(ranked),
            p50_us=ranked[last // 2] // 1_000,
            p99_us=ranked[last * 99 // 100] // 1_000,
            p999_us=ranked[last * 999 // 1_000] // 1_000,
            max_us=ranked[last] // 1_000,
        )


# --- frozen content ------------------------------------------------------------------------------

FROZEN_NS = 10 * _S
FROZEN_BPS = 5


class Stillness:
    """Content that stands still while another feed moves: frames arrive, nothing is in them."""

    __slots__ = ("_anchors", "_mark", "_since_ns")

    def __init__(self) -> None:
        """Start without content."""
        self._mark: tuple[int, ...] = ()
        self._since_ns = 0
        self._anchors: dict[Feed, int] = {}

    def is_frozen(self, mark: tuple[int, ...], now_ns: int, others_u6: Mapping[Feed, int]) -> bool:
        """Tell whether `mark` stood still for 10 s while another value moved by 5 bp."""
        if not mark:
            return False
        if mark != self._mark:
            self._mark = mark
            self._since_ns = now_ns
            self._anchors = {}
        for feed, value_u6 in others_u6.items():
            anchor_u6 = self._anchors.setdefault(feed, value_u6)
            moved_u6 = abs(value_u6 - anchor_u6)
            if now_ns - self._since_ns >= FROZEN_NS and moved_u6 * 10_000 > FROZEN_BPS * anchor_u6:
                return True
        return False


# --- cross check ---------------------------------------------------------------------------------

APART_BPS = 15
APART_NS = 3 * _S
BASIS_NS = 600 * _S
BASIS_EVERY_NS = _S
BASIS_MIN = 30
"""Differences needed before the basis is known; until then two feeds are not compared."""


class CrossCheck:
    """Primary against secondary, less the basis: the median difference of the last 10 minutes."""

    __slots__ = ("_apart_since_ns", "_samples", "basis_u6")

    def __init__(self) -> None:
        """Start without a basis."""
        self.basis_u6: int | None = None
        self._samples: deque[tuple[int, int]] = deque(maxlen=BASIS_NS // BASIS_EVERY_NS)
        self._apart_since_ns: int | None = None

    def are_apart(self, now_ns: int, primary_u6: int | None, secondary_u6: int | None) -> bool:
        """Tell whether the two have been more than 15 bp apart for 3 s."""
        if primary_u6 is None or secondary_u6 is None:
            self._apart_since_ns = None
            return False
        difference_u6 = primary_u6 - secondary_u6
        if not self._samples or now_ns - self._samples[-1][0] >= BASIS_EVERY_NS:
            self._sample(now_ns, difference_u6)
        if self.basis_u6 is None:
            return False
        if abs(difference_u6 - self.basis_u6) * 10_000 <= APART_BPS * primary_u6:
            self._apart_since_ns = None
            return False
        if self._apart_since_ns is None:
            self._apart_since_ns = now_ns
        return now_ns - self._apart_since_ns >= APART_NS

    def _sample(self, now_ns: int, difference_u6: int) -> None:
        samples = self._samples
        while samples and now_ns - samples[0][0] > BASIS_NS:
            samples.popleft()
        samples.append((now_ns, difference_u6))
        ranked = sorted(difference for _, difference in samples)
        self.basis_u6 = ranked[len(ranked) // 2] if len(ranked) >= BASIS_MIN else None
