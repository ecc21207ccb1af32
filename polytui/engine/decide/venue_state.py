"""What we believe of the venue, from its answers: a set of conditions, the worst is the state.

Only NORMAL opens intake; POST_ONLY lets makers through. A condition ends by evidence or after the
time the venue named, never by being forgotten: a restart is over when a harmless cancel is taken
again, then two minutes are post-only, and nothing is trusted before orders and trades were swept.
Pure: told the time, it returns what to ask (a probe), and it never raises for what the venue does.
"""

from collections.abc import Mapping

from msgspec import Struct

from polytui.engine.core.account_events import CancelAnswered, OrderAnswered, VenueChecked
from polytui.engine.core.commands import CancelOrders, Command
from polytui.engine.core.order_enums import Realm, SendOutcome, VenueCode, VenueState
from polytui.engine.decide.words import S

POST_ONLY_NS = 120 * S
"""After a restart the venue takes post-only orders for two minutes (venue reference §3.4)."""
HOLD_FIRST_NS = 1 * S
HOLD_MAX_NS = 30 * S
"""Probes while the venue takes nothing: after one second, doubling to thirty."""
DOUBT_MAX = 3
DOUBT_NS = 30 * S
"""So many unknown outcomes within this make the venue DEGRADED, until none was for as long."""
NO_ORDER = "0x" + "00" * 32
"""An order that cannot exist: cancelling it harms nothing and shows that cancels are taken."""
LOG_MAX = 100

_SEVERITY: tuple[VenueState, ...] = (
    VenueState.GEO_BLOCKED,
    VenueState.AUTH_FAILED,
    VenueState.STARTING,
    VenueState.DISABLED,
    VenueState.RESTARTING,
    VenueState.CANCEL_ONLY,
    VenueState.HEARTBEAT_EXPIRED,
    VenueState.UNTRUSTED,
    VenueState.RATE_LIMITED,
    VenueState.POST_ONLY,
    VenueState.DEGRADED,
    VenueState.NORMAL,
)
"""The worst first; NORMAL is what is left."""

_BY_CODE: Mapping[VenueCode, VenueState] = {
    VenueCode.RESTARTING: VenueState.RESTARTING,
    VenueCode.DISABLED: VenueState.DISABLED,
    VenueCode.CANCEL_ONLY: VenueState.CANCEL_ONLY,
    VenueCode.POST_ONLY_MODE: VenueState.POST_ONLY,
    VenueCode.RATE_LIMITED: VenueState.RATE_LIMITED,
    VenueCode.AUTH: VenueState.AUTH_FAILED,
    VenueCode.WALLET: VenueState.AUTH_FAILED,
    VenueCode.BANNED: VenueState.GEO_BLOCKED,
}
"""What a refusal's code says of the venue as a whole; other codes are about the order."""

_PROBED = frozenset({VenueState.RESTARTING, VenueState.DISABLED})
"""Conditions in which cancels fail too: a cancel that is taken ends them."""

_TIMED: Mapping[VenueState, int] = {
    VenueState.POST_ONLY: POST_ONLY_NS,
    VenueState.CANCEL_ONLY: HOLD_MAX_NS,
    VenueState.RATE_LIMITED: HOLD_FIRST_NS,
    VenueState.DEGRADED: DOUBT_NS,
}
"""Conditions that end after a time: the venue's own if it named one, otherwise this."""

_AFTER: Mapping[VenueState, VenueState] = {
    VenueState.RESTARTING: VenueState.POST_ONLY,
    VenueState.DISABLED: VenueState.CANCEL_ONLY,
    VenueState.CANCEL_ONLY: VenueState.POST_ONLY,
}
"""What follows a condition that ended: full trading is never assumed at once."""


class Moved(Struct, frozen=True, kw_only=True):
    """A change of the state."""

    at_ns: int
    before: VenueState
    state: VenueState
    why: str


class _Condition:
    """One thing that is wrong."""

    __slots__ = ("probe_ns", "since_ns", "tries", "until_ns", "why")

    def __init__(self, why: str, at_ns: int) -> None:
        """Begin now, without an end."""
        self.why = why
        self.since_ns = at_ns
        self.until_ns: int | None = None
        self.probe_ns: int | None = None
        self.tries = 0


class VenueStanding:
    """Our standing at one venue with one account."""

    __slots__ = (
        "_conditions",
        "_doubts",
        "_gap_ns",
        "_probes",
        "_swept",
        "_trust_from_ns",
        "closed_only",
        "log",
        "moved",
        "realm",
        "state",
        "time_to_trust_ns",
        "why",
    )

    def __init__(self, realm: Realm, *, at_ns: int) -> None:
        """Begin in STARTING: nothing is believed yet."""
        self.realm = realm
        self._conditions: dict[VenueState, _Condition] = {
            VenueState.STARTING: _Condition("starting", at_ns)
        }
        self.state = VenueState.STARTING
        self.why = "starting"
        self.closed_only = False
        """The account may only close positions: one of the reasons of `shut`."""
        self.log: list[Moved] = []
        self.moved: list[Moved] = []
        """Changes nobody has taken yet (`drain`)."""
        self._doubts: list[int] = []
        self._gap_ns = 0
        """When the user stream last came back: reads must have started after it."""
        self._swept: dict[str, int] = {}
        self._trust_from_ns = at_ns
        self.time_to_trust_ns = 0
        """From the last gap to trust."""
        self._probes = 0

    # --- conditions ------------------------------------------------------------------------------

    def _put(self, state: VenueState, why: str, at_ns: int, for_ns: int | None = None) -> None:
        """Begin or renew a condition; the later end holds."""
        condition = self._conditions.get(state)
        if condition is None:
            condition = self._conditions[state] = _Condition(why, at_ns)
        condition.why = why
        if state in _PROBED:
            wait_ns = min(HOLD_MAX_NS, HOLD_FIRST_NS << min(condition.tries, 10))
            condition.tries += 1
            condition.probe_ns = at_ns + max(wait_ns, for_ns or 0)
        elif state in _TIMED:
            until_ns = at_ns + (for_ns or _TIMED[state])
            condition.until_ns = max(condition.until_ns or 0, until_ns)
        self._judge(at_ns)

    def _end(self, state: VenueState, at_ns: int) -> None:
        """End a condition; what follows it begins."""
        if self._conditions.pop(state, None) is None:
            return
        after = _AFTER.get(state)
        if after is not None:
            self._put(after, f"after {state.value}", at_ns)
        if state in _PROBED:
            self._distrust(f"after {state.value}", at_ns)
        self._judge(at_ns)

    def _judge(self, at_ns: int) -> None:
        state = next(s for s in _SEVERITY if s in self._conditions or s is VenueState.NORMAL)
        condition = self._conditions.get(state)
        self.why = "" if condition is None else condition.why
        if state is self.state:
            return
        moved = Moved(at_ns=at_ns, before=self.state, state=state, why=self.why)
        self.state = state
        self.moved.append(moved)
        self.log.append(moved)
        del self.log[:-LOG_MAX]

    def drain(self) -> list[Moved]:
        """Take the changes since the last drain."""
        moved, self.moved = self.moved, []
        return moved

    # --- answers ---------------------------------------------------------------------------------

    def on_order(self, answer: OrderAnswered, *, at_ns: int) -> None:
        """Take the answer to an order: codes of the venue as a whole, doubts, or health."""
        if answer.outcome is SendOutcome.UNKNOWN:
            self._doubt(at_ns)
        elif answer.outcome is SendOutcome.ACCEPTED:
            for state in (VenueState.RESTARTING, VenueState.DISABLED, VenueState.CANCEL_ONLY):
                self._end(state, at_ns)
        self._take_code(answer.code, answer.retry_after_s, at_ns)

    def on_cancel(self, answer: CancelAnswered, *, at_ns: int) -> None:
        """Take the answer to a cancel, a probe's too; it shows that cancels are taken again."""
        if answer.outcome is SendOutcome.ACCEPTED:
            for state in _PROBED:
                self._end(state, at_ns)
        if answer.code is not VenueCode.RATE_LIMITED:
            self._take_code(answer.code, answer.retry_after_s, at_ns)

    def _take_code(self, code: VenueCode, retry_after_s: int, at_ns: int) -> None:
        if code is VenueCode.CLOSED_ONLY:
            self.closed_only = True
        state = _BY_CODE.get(code)
        if state is not None:
            self._put(state, f"the venue answered {code.value}", at_ns, retry_after_s * S or None)

    def _doubt(self, at_ns: int) -> None:
        self._doubts = [ns for ns in self._doubts if at_ns - ns < DOUBT_NS] + [at_ns]
        if len(self._doubts) >= DOUBT_MAX:
            many = f"{len(self._doubts)} unknown outcomes in {DOUBT_NS // S} s"
            self._put(VenueState.DEGRADED, many, at_ns)

    def on_checked(self, checked: VenueChecked, *, at_ns: int) -> None:
        """Take the check of region and standing; a failed one changes nothing."""
        if not checked.ok:
            return
        self.closed_only = checked.closed_only
        if checked.blocked:
            why = f"region {checked.country or 'unknown'} is blocked"
            self._put(VenueState.GEO_BLOCKED, why, at_ns)
        else:
            self._end(VenueState.GEO_BLOCKED, at_ns)

    def on_authenticated(self, *, at_ns: int) -> None:
        """Take a good answer to an authenticated read: the keys work."""
        self._end(VenueState.AUTH_FAILED, at_ns)

    def on_heartbeat(self, *, ok: bool, why: str = "", at_ns: int) -> None:
        """Take a heartbeat's answer, or its absence past the limit (fault B25).

        Once lost, orders may be gone and may live: after the next good beat everything is swept.
        """
        if not ok:
            self._put(VenueState.HEARTBEAT_EXPIRED, why or "not accepted", at_ns)
        elif VenueState.HEARTBEAT_EXPIRED in self._conditions:
            self._end(VenueState.HEARTBEAT_EXPIRED, at_ns)
            self._distrust("after a lost heartbeat", at_ns)

    def end_heartbeats(self, *, at_ns: int) -> None:
        """Stop minding beats, because none are sent on purpose: what they kept alive is swept."""
        if VenueState.HEARTBEAT_EXPIRED in self._conditions:
            self._end(VenueState.HEARTBEAT_EXPIRED, at_ns)
            self._distrust("after a lost heartbeat", at_ns)

    # --- trust -----------------------------------------------------------------------------------

    def on_stream(self, *, up: bool, why: str = "", at_ns: int) -> None:
        """Take the user stream's coming and going: no replay, so every gap is swept."""
        if not up:
            self._distrust(why or "user stream down", at_ns)
            self._swept = {}
            self._gap_ns = -1
        else:
            self._distrust("user stream was down", at_ns)
            self._gap_ns = at_ns

    def distrust(self, why: str, *, at_ns: int) -> None:
        """Believe nothing any more until orders and trades were swept from here on."""
        self._distrust(why, at_ns)

    def _distrust(self, why: str, at_ns: int) -> None:
        if VenueState.UNTRUSTED not in self._conditions:
            self._trust_from_ns = at_ns
        self._swept = {}
        if self._gap_ns >= 0:
            self._gap_ns = at_ns
        self._put(VenueState.UNTRUSTED, why, at_ns)

    def on_read(self, what: str, *, asked_ns: int, ok: bool) -> None:
        """Note a sweep of `orders` or `trades`; only one that began after the gap counts."""
        assert what in _SWEEPS, f"expected one of {_SWEEPS}, was {what}"
        if ok and 0 <= self._gap_ns <= asked_ns:
            self._swept[what] = asked_ns

    @property
    def is_swept(self) -> bool:
        """Tell whether orders and trades were read since the gap: the reconciler may show it."""
        return self._gap_ns >= 0 and all(what in self._swept for what in _SWEEPS)

    def trust(self, *, at_ns: int) -> bool:
        """End UNTRUSTED and STARTING at the reconciler's word; False without the sweeps."""
        if not self.is_swept:
            return False
        was_open = VenueState.UNTRUSTED in self._conditions
        self._end(VenueState.UNTRUSTED, at_ns)
        self._end(VenueState.STARTING, at_ns)
        if was_open:
            self.time_to_trust_ns = at_ns - self._trust_from_ns
        return True

    # --- time ------------------------------------------------------------------------------------

    def due(self, *, at_ns: int, seq: int) -> list[Command]:
        """End what has run out and ask what is due: one probe for all conditions that wait."""
        for state, condition in list(self._conditions.items()):
            if condition.until_ns is not None and at_ns >= condition.until_ns:
                self._end(state, at_ns)
        is_asked = False
        for condition in self._conditions.values():
            if condition.probe_ns is not None and at_ns >= condition.probe_ns:
                wait_ns = min(HOLD_MAX_NS, HOLD_FIRST_NS << min(condition.tries, 10))
                condition.tries += 1
                condition.probe_ns = at_ns + wait_ns
                is_asked = True
        if not is_asked:
            return []
        self._probes += 1
        request = f"probe-{self.realm.value}-{self._probes}"
        return [CancelOrders(cause=seq, realm=self.realm, request=request, hashes=(NO_ORDER,))]

    def next_due_ns(self) -> int | None:
        """Return when `due` has something to do, or None."""
        times = [
            ns
            for c in self._conditions.values()
            for ns in (c.until_ns, c.probe_ns)
            if ns is not None
        ]
        return min(times, default=None)

    def shut(self) -> dict[str, str]:
        """Name what shuts the account out until evidence ends it, with why: a reason to halt."""
        found = {
            state.value: condition.why
            for state in (VenueState.GEO_BLOCKED, VenueState.AUTH_FAILED)
            if (condition := self._conditions.get(state)) is not None
        }
        if self.closed_only:
            found["closed_only"] = "the venue lets this account only close positions"
        return found

    def has(self, state: VenueState) -> bool:
        """Tell whether a condition stands, be it the worst or not."""
        return state in self._conditions


SHUT = (VenueState.GEO_BLOCKED.value, VenueState.AUTH_FAILED.value, "closed_only")
"""Every name that `VenueStanding.shut` may give."""

_SWEEPS = ("orders", "trades")
