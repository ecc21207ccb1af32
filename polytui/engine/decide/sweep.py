"""Cancel, and prove it: the part that KILL, CANCEL and FLATTEN share.

A sweep sends a cancel, reads the venue's open orders back, and repeats until the venue's own answer
says that nothing of its scope is left. Only a read that *started* after the last moment at which
bytes already on their way could arrive proves anything; an order in flight or in doubt keeps it
unproven, and so does a failed read. Pure: times are told, commands are returned.
"""

from collections.abc import Iterable
from enum import Enum

from msgspec import Struct

from polytui.engine.core.account_events import CancelAnswered, OpenOrdersRead
from polytui.engine.core.commands import (
    CancelAll,
    CancelMarket,
    CancelOrders,
    Command,
    ReadOpenOrders,
)
from polytui.engine.core.order_enums import Realm, SendOutcome
from polytui.engine.core.trading import VenueOrder
from polytui.engine.decide.words import MS, S

REPEATS_NS = (200 * MS, 500 * MS, 1 * S, 2 * S)
"""Between attempts; the last repeats for ever."""
ACK_FLOOR_NS = 25 * MS
"""Acks are never assumed to be faster than this when looking for stragglers."""
ACK_UNKNOWN_NS = 1 * S
"""Assumed while no ack was ever measured."""
ACK_FACTOR = 2
"""Stragglers are swept after this many times the largest ack latency."""
READ_AGAIN_NS = 1 * S
"""A read without an answer for this long is asked again."""
WATCH_NS = 5 * S
"""While a proof must hold, it is renewed this often."""
HASHES_MAX = 1_000
"""Orders in one cancel by hash (venue reference §3.1)."""


class Reach(Enum):
    """What a sweep covers."""

    ALL = "all"
    MARKET = "market"
    HASHES = "hashes"
    """Orders named one by one: a strategy's, or a single one."""


class Standing(Struct, frozen=True, kw_only=True):
    """What our own books know of a sweep's scope at a moment."""

    open_orders: int
    """May rest at the venue."""
    in_flight: int
    """Past the gate and not answered."""
    unknown: int
    last_sent_ns: int
    """When bytes of an order last left; 0: never."""
    ack_max_ns: int
    """The largest time from bytes written to the answer read."""


NOTHING = Standing(open_orders=0, in_flight=0, unknown=0, last_sent_ns=0, ack_max_ns=0)


class Sweep:
    """One realm, one scope, until proven empty."""

    __slots__ = (
        "_asked_ns",
        "_cancels",
        "_had_flight",
        "_is_flying",
        "_landed_ns",
        "_next_ns",
        "_reading",
        "_straggled",
        "answered_ns",
        "attempts",
        "canceled",
        "keeps_watch",
        "market",
        "name",
        "open_hashes",
        "reach",
        "read_ns",
        "realm",
        "refused",
        "requests",
        "sent_ns",
        "standing",
        "started_ns",
        "stragglers_ns",
        "targets",
        "token",
        "verified_ns",
    )

    def __init__(
        self,
        name: str,
        realm: Realm,
        reach: Reach,
        *,
        targets: Iterable[str] = (),
        market: str = "",
        token: str = "",
        keeps_watch: bool = False,
    ) -> None:
        """Describe it; `begin` starts it.

        ALL without targets is proven by an empty answer, otherwise by the absence of the targets:
        a strategy that goes on quoting elsewhere does not keep a CANCEL open.
        """
        self.name = name
        self.realm = realm
        self.reach = reach
        self.targets = frozenset(targets)
        self.market = market
        self.token = token
        self.keeps_watch = keeps_watch
        self.standing = NOTHING
        self.started_ns = 0
        self.sent_ns = 0
        self.answered_ns = 0
        """When a cancel was first answered; 0: not yet."""
        self.verified_ns = 0
        """When it was proven empty; 0: it is not, or no longer."""
        self.read_ns = 0
        self.stragglers_ns = 0
        """When the second sweep was answered, or found unnecessary; 0: still to come."""
        self.attempts = 0
        self.requests = 0
        self.canceled: dict[str, None] = {}
        self.open_hashes: tuple[str, ...] | None = None
        """Of the latest good read since the start; None: there is none yet."""
        self.refused = ""
        """Why the venue does not take the cancel; empty: it does."""
        self._asked_ns = -1
        self._cancels: dict[str, bool] = {}
        """Requests without an answer; True for those of the second sweep."""
        self._next_ns: int | None = None
        self._reading: tuple[str, int] | None = None
        self._straggled = False
        self._had_flight = False
        self._is_flying = False
        self._landed_ns = 0

    # --- start and repeat ------------------------------------------------------------------------

    def begin(self, standing: Standing, *, at_ns: int, seq: int) -> list[Command]:
        """Send the first cancel."""
        self.started_ns = at_ns
        self.standing = standing
        self._note_flight(at_ns)
        if not self._had_flight:
            self._straggled = True
            self.stragglers_ns = at_ns
        return self._attempt(at_ns, seq)

    @property
    def arrival_ns(self) -> int:
        """Return the last moment at which bytes already sent may reach the book.

        Without anything in flight or in doubt, the start. Otherwise twice the largest ack after the
        last send, and never before the moment at which the last of them was accounted for.
        """
        if not self._had_flight:
            return self.started_ns
        ack_ns = self.standing.ack_max_ns or ACK_UNKNOWN_NS
        horizon_ns = self.standing.last_sent_ns + ACK_FACTOR * max(ack_ns, ACK_FLOOR_NS)
        return max(self.started_ns, horizon_ns, self._landed_ns)

    def _note_flight(self, at_ns: int) -> None:
        """Remember that something was in flight, and when the last of it was accounted for."""
        if self.standing.in_flight or self.standing.unknown:
            self._had_flight = self._is_flying = True
        elif self._is_flying:
            self._is_flying = False
            self._landed_ns = at_ns

    def again(self, *, at_ns: int, seq: int) -> list[Command]:
        """Try at once: the operator pressed again."""
        self.verified_ns = 0
        self.attempts = 0
        return self._attempt(at_ns, seq)

    def _attempt(self, at_ns: int, seq: int) -> list[Command]:
        wait_ns = REPEATS_NS[min(self.attempts, len(REPEATS_NS) - 1)]
        self.attempts += 1
        self._next_ns = at_ns + wait_ns
        self.sent_ns = self.sent_ns or at_ns
        is_second = not self._straggled and at_ns >= self.arrival_ns and self.attempts > 1
        self._straggled |= is_second
        commands = self._cancel(seq, is_second=is_second)
        if self.attempts > 1:
            commands += self._read(at_ns, seq)
        return commands

    def _cancel(self, seq: int, *, is_second: bool) -> list[Command]:
        commands: list[Command] = []
        if self.reach is not Reach.HASHES:
            request = self._request("c", is_second=is_second)
            if self.reach is Reach.ALL:
                return [CancelAll(cause=seq, realm=self.realm, request=request)]
            return [
                CancelMarket(
                    cause=seq,
                    realm=self.realm,
                    request=request,
                    market=self.market,
                    token=self.token,
                )
            ]
        left = sorted(self.targets - self.canceled.keys()) or sorted(self.targets)
        for at in range(0, len(left), HASHES_MAX):
            request = self._request("c", is_second=is_second)
            hashes = tuple(left[at : at + HASHES_MAX])
            commands.append(
                CancelOrders(cause=seq, realm=self.realm, request=request, hashes=hashes)
            )
        return commands

    def _request(self, kind: str, *, is_second: bool) -> str:
        self.requests += 1
        request = f"{self.name}-{self.realm.value}-{kind}{self.requests}"
        if kind == "c":
            self._cancels[request] = is_second
        return request

    def _read(self, at_ns: int, seq: int) -> list[Command]:
        """Read back, unless a read that could prove it is already on its way."""
        if self._reading is not None:
            _, asked_ns = self._reading
            proves = asked_ns >= max(self.arrival_ns, self.answered_ns)
            if proves and at_ns - asked_ns < READ_AGAIN_NS:
                return []
        request = self._request("r", is_second=False)
        self._reading = (request, at_ns)
        return [ReadOpenOrders(cause=seq, realm=self.realm, request=request)]

    # --- what happened ---------------------------------------------------------------------------

    def on_cancel(self, answer: CancelAnswered, *, at_ns: int, seq: int) -> list[Command]:
        """Take a cancel's answer; read back as soon as nothing more can arrive."""
        if answer.realm is not self.realm or answer.request not in self._cancels:
            return []
        is_second = self._cancels.pop(answer.request)
        self.canceled.update(dict.fromkeys(answer.canceled))
        if answer.outcome is not SendOutcome.ACCEPTED:
            self.refused = answer.code.value or answer.outcome.value
            return []
        self.refused = ""
        self.answered_ns = self.answered_ns or at_ns
        if is_second:
            self.stragglers_ns = at_ns
        return self._read(at_ns, seq) if at_ns >= self.arrival_ns else []

    def on_open(self, read: OpenOrdersRead, *, at_ns: int, seq: int) -> list[Command]:
        """Take a read of the open orders, whoever asked for it; a failed one proves nothing."""
        if read.realm is not self.realm:
            return []
        if self._reading is not None and read.request == self._reading[0]:
            self._reading = None
        if not read.ok or read.asked_ns < max(self.started_ns, self._asked_ns):
            return []
        self._asked_ns = read.asked_ns
        self.read_ns = at_ns
        self.open_hashes = tuple(order.order_hash for order in read.orders if self._covers(order))
        was_verified = bool(self.verified_ns)
        self._judge(at_ns)
        if was_verified and not self.verified_ns:
            return self.again(at_ns=at_ns, seq=seq)
        return []

    def _covers(self, order: VenueOrder) -> bool:
        """Tell whether an open order keeps the sweep unproven."""
        if self.targets or self.reach is Reach.HASHES:
            return order.order_hash in self.targets
        if self.reach is Reach.ALL:
            return True
        return order.market == self.market and self.token in ("", order.token)

    def update(self, standing: Standing, *, at_ns: int) -> None:
        """Take what our own books know now; news of an order in doubt ends a proof."""
        self.standing = standing
        self._note_flight(at_ns)
        self._judge(at_ns)

    def _judge(self, at_ns: int) -> None:
        standing = self.standing
        is_empty = (
            self.open_hashes == ()
            and self._asked_ns >= self.arrival_ns
            and not standing.in_flight
            and not standing.unknown
        )
        if not is_empty:
            if self.verified_ns:
                self.verified_ns = 0
                self._next_ns = at_ns
            return
        if not self.verified_ns:
            self.verified_ns = at_ns
            self.stragglers_ns = self.stragglers_ns or at_ns
            self._straggled = True
            self._next_ns = at_ns + WATCH_NS if self.keeps_watch else None

    # --- time ------------------------------------------------------------------------------------

    def due(self, *, at_ns: int, seq: int) -> list[Command]:
        """Repeat, sweep stragglers, or renew the proof: whatever is due by now."""
        if self._is_straggler_due(at_ns):
            return self._attempt(at_ns, seq)
        if self._next_ns is None or at_ns < self._next_ns:
            return []
        if self.verified_ns:
            self._next_ns = at_ns + WATCH_NS
            return self._read(at_ns, seq)
        return self._attempt(at_ns, seq)

    def _is_straggler_due(self, at_ns: int) -> bool:
        return bool(self.started_ns) and not self._straggled and at_ns >= self.arrival_ns

    def next_due_ns(self) -> int | None:
        """Return when `due` has something to do, or None."""
        if self.started_ns and not self._straggled:
            return self.arrival_ns if self._next_ns is None else min(self.arrival_ns, self._next_ns)
        return self._next_ns

    @property
    def open_count(self) -> int:
        """Count what the venue last said is open; -1 while it was not read since the start."""
        return -1 if self.open_hashes is None else len(self.open_hashes)
