"""KILL: the latch closes at once, everything is cancelled, and the receipt says what is proven.

K1 is the latch: from the trigger on the gate refuses every submit, and only a person's phrase opens
it again. K2 is one sweep per realm (`sweep.py`), repeated until the venue's own answer is empty and
renewed while the latch is closed. A restart finds the latch closed and proves everything anew. The
clock of the receipt starts at the trigger; nothing in it is hope.
"""

from collections.abc import Iterable, Mapping

import msgspec
from msgspec import Struct

from polytui.engine.core.account_events import CancelAnswered, OpenOrdersRead, SentinelSaid
from polytui.engine.core.account_view import KillLine, KillView
from polytui.engine.core.commands import Command, Notify, RecordControl, SetLatch
from polytui.engine.core.errors import OperatorError, shown
from polytui.engine.core.order_enums import KillStep, Realm
from polytui.engine.decide.sweep import NOTHING, Reach, Standing, Sweep
from polytui.engine.decide.words import MS

KEY = "kill"
"""Of `RecordControl`."""
PHRASE = "CLEAR"
REASON_MAX = 200


class State(Struct, frozen=True, kw_only=True):
    """What a restart must know."""

    killed: bool = False
    at_ns: int = 0
    actor: str = ""
    reason: str = ""
    strategies: tuple[str, ...] = ()
    realms: tuple[Realm, ...] = ()


class KillSwitch:
    """The latch and the proof behind it."""

    __slots__ = (
        "_latched_ns",
        "_opened",
        "_orders",
        "_sentinel",
        "_sweeps",
        "_swept",
        "fills_after",
        "state",
    )

    def __init__(self) -> None:
        """Start open: nothing is killed."""
        self.state = State()
        self.fills_after = 0
        self._sweeps: dict[Realm, Sweep] = {}
        self._latched_ns = 0
        self._orders = 0
        self._opened = 0
        self._sentinel = ("", 0)
        """What the sentinel said last of an act of its own, and when."""
        self._swept = 0
        """Orders it cancelled since it fired."""

    @property
    def killed(self) -> bool:
        """Tell whether the latch is closed."""
        return self.state.killed

    @property
    def verified(self) -> bool:
        """Tell whether every realm is proven empty, now."""
        return self.killed and all(sweep.verified_ns for sweep in self._sweeps.values())

    # --- trigger ---------------------------------------------------------------------------------

    def trigger(
        self,
        actor: str,
        reason: str,
        *,
        strategies: tuple[str, ...],
        standings: Mapping[Realm, Standing],
        at_ns: int,
        seq: int,
    ) -> list[Command]:
        """Close the latch and cancel everything in every realm; a second press tries again at once.

        The latch and the cancels come before the record: a full disk must not stand before them.
        """
        if self.killed:
            commands: list[Command] = [SetLatch(cause=seq, killed=True, reason=self.state.reason)]
            for realm, sweep in self._sweeps.items():
                sweep.update(standings.get(realm, sweep.standing), at_ns=at_ns)
                commands += sweep.again(at_ns=at_ns, seq=seq)
            return commands
        self.state = State(
            killed=True,
            at_ns=at_ns,
            actor=actor[:REASON_MAX],
            reason=reason[:REASON_MAX],
            strategies=strategies,
            realms=tuple(standings),
        )
        self.fills_after = 0
        self._latched_ns = 0
        self._orders = sum(s.open_orders + s.in_flight + s.unknown for s in standings.values())
        return [
            SetLatch(cause=seq, killed=True, reason=self.state.reason),
            *self._sweep(standings, at_ns=at_ns, seq=seq),
            self._record(seq),
            Notify(cause=seq, code="KILLED", text=f"KILLED by {actor}: {reason}"[:REASON_MAX]),
        ]

    def _sweep(self, standings: Mapping[Realm, Standing], *, at_ns: int, seq: int) -> list[Command]:
        self._sweeps = {}
        commands: list[Command] = []
        for realm, standing in standings.items():
            commands += self.join(realm, standing, at_ns=at_ns, seq=seq)
        return commands

    def join(self, realm: Realm, standing: Standing, *, at_ns: int, seq: int) -> list[Command]:
        """Take in a realm whose port came up while the latch is closed."""
        if not self.killed:
            return []
        name = f"kill{self._opened}-{seq}"
        self._opened += 1
        sweep = self._sweeps[realm] = Sweep(name, realm, Reach.ALL, keeps_watch=True)
        return sweep.begin(standing, at_ns=at_ns, seq=seq)

    def on_sentinel(self, said: SentinelSaid, *, at_ns: int) -> str:
        """Take what the sentinel did; return a sentence where a person should know, or nothing."""
        if said.state == "fired":
            self._swept = 0
            text = f"fired: {said.why}"
        elif said.state == "swept":
            self._swept += said.canceled
            return ""
        elif said.state == "refused":
            text = f"does not watch: {said.why}"
        else:
            text = (
                f"{said.state}: {self._swept} orders cancelled in {said.took_ms} ms, "
                f"{said.attempts} attempts; {said.why}"
            )
        self._sentinel = (text[:REASON_MAX], at_ns)
        return text[:REASON_MAX]

    # --- progress --------------------------------------------------------------------------------

    def on_latch(self, *, is_clear: bool, at_ns: int) -> None:
        """Take the host's word on the latch: on disk, in the signer, in the sentinel."""
        if self.killed and not is_clear and not self._latched_ns:
            self._latched_ns = at_ns

    def on_cancel(self, answer: CancelAnswered, *, at_ns: int, seq: int) -> list[Command]:
        """Take a cancel's answer."""
        sweep = self._sweeps.get(answer.realm)
        return [] if sweep is None else sweep.on_cancel(answer, at_ns=at_ns, seq=seq)

    def on_open(self, read: OpenOrdersRead, *, at_ns: int, seq: int) -> list[Command]:
        """Take a read of the open orders, the reconciler's too."""
        sweep = self._sweeps.get(read.realm)
        return [] if sweep is None else sweep.on_open(read, at_ns=at_ns, seq=seq)

    def on_fill(self) -> None:
        """Count a fill that came after the trigger."""
        if self.killed:
            self.fills_after += 1

    def update(self, realm: Realm, standing: Standing, *, at_ns: int) -> None:
        """Take what our own books know, after every event that moved an order."""
        sweep = self._sweeps.get(realm)
        if sweep is not None:
            sweep.update(standing, at_ns=at_ns)

    def due(self, *, at_ns: int, seq: int) -> list[Command]:
        """Repeat what is due."""
        commands: list[Command] = []
        for sweep in self._sweeps.values():
            commands += sweep.due(at_ns=at_ns, seq=seq)
        return commands

    def next_due_ns(self) -> int | None:
        """Return when `due` has something to do, or None."""
        times = [sweep.next_due_ns() for sweep in self._sweeps.values()]
        return min((t for t in times if t is not None), default=None)

    # --- re-arm ----------------------------------------------------------------------------------

    def clear(self, phrase: str, reason: str, *, seq: int) -> list[Command]:
        """Open the latch at a person's word. It arms nothing: whoever opens it lets the mode fall.

        Not before: a flatten under the closed latch needs the live port that an armed mode has.

        Raises:
            OperatorError: not killed, not proven empty, or phrase or reason missing.
        """
        self.refuse_clear()
        if phrase != PHRASE:
            raise OperatorError(f"type {PHRASE} to open the latch, was {shown(phrase)}")
        if not reason.strip():
            raise OperatorError("say why the latch is opened")
        self.state = State()
        self._sweeps = {}
        return [self._record(seq), SetLatch(cause=seq, killed=False, reason=reason[:REASON_MAX])]

    def refuse_clear(self) -> None:
        """Refuse to open the latch of what is not killed, or not proven empty.

        Raises:
            OperatorError: the sentence says which.
        """
        if not self.killed:
            raise OperatorError("nothing is killed")
        if not self.verified:
            raise OperatorError(f"the kill is not proven yet: {self._unproven()}")

    def _unproven(self) -> str:
        """Say what is missing, realm by realm."""
        parts = []
        for realm, sweep in self._sweeps.items():
            if sweep.verified_ns:
                continue
            standing = sweep.standing
            if sweep.refused:
                parts.append(f"{realm.value} venue refuses cancels ({sweep.refused})")
            elif sweep.open_hashes:
                parts.append(f"{realm.value} {len(sweep.open_hashes)} still open")
            elif standing.unknown or standing.in_flight:
                count = standing.unknown + standing.in_flight
                parts.append(f"{realm.value} {count} in doubt")
            else:
                parts.append(f"{realm.value} not read back yet")
        return ", ".join(parts)

    # --- keep ------------------------------------------------------------------------------------

    def dump(self) -> str:
        """Write the latch as JSON."""
        return msgspec.json.encode(self.state).decode()

    def _record(self, seq: int) -> RecordControl:
        return RecordControl(cause=seq, key=KEY, value=self.dump())

    def restore(
        self, value: str, standings: Mapping[Realm, Standing], *, at_ns: int, seq: int
    ) -> list[Command]:
        """Find the latch as the last run left it; a closed one is proven anew from the venue.

        Realms the last run had are swept even while their port is not up: the sweep repeats. A
        kill of this run that came before stays as it is: what the last run knew opens no latch.
        """
        if self.killed:
            return []
        self.state = state = msgspec.json.decode(value, type=State)
        if not state.killed:
            return []
        known = dict.fromkeys((*state.realms, *standings), NOTHING) | dict(standings)
        latch = SetLatch(cause=seq, killed=True, reason=state.reason)
        return [latch, *self._sweep(known, at_ns=at_ns, seq=seq)]

    # --- show ------------------------------------------------------------------------------------

    def receipt(self) -> tuple[KillLine, ...]:
        """Write the lines, in their order; none while nothing is killed."""
        if not self.killed:
            return ()
        sweeps = tuple(self._sweeps.values())
        return (
            self._gate(),
            self._line(
                KillStep.STRATEGIES, self.state.at_ns, " ".join(self.state.strategies) or "none ran"
            ),
            *cancel_lines(sweeps, self.state.at_ns, self._orders),
            *self._sentinel_lines(),
        )

    def _sentinel_lines(self) -> tuple[KillLine, ...]:
        """Write what the sentinel did about this kill; nothing when it had nothing to do."""
        said, at_ns = self._sentinel
        if not said or at_ns < self.state.at_ns:
            return ()
        return (self._line(KillStep.SENTINEL, at_ns, said),)

    def _gate(self) -> KillLine:
        text = "new orders refused"
        if self._latched_ns:
            after_ms = (self._latched_ns - self.state.at_ns) / MS
            text += f"; latched on disk after {after_ms:.1f} ms"
        else:
            text += "; the disk has not confirmed the latch"
        return self._line(KillStep.GATE, self.state.at_ns, text)

    def _line(self, step: KillStep, done_ns: int, text: str) -> KillLine:
        return line_of(step, self.state.at_ns, done_ns, text)

    def view(self, flatten: tuple[KillLine, ...] = (), flatten_state: str = "") -> KillView:
        """Show the state of the kill, with a flatten's receipt if there is one."""
        sweeps = tuple(self._sweeps.values())
        unread = not sweeps or any(sweep.open_count < 0 for sweep in sweeps)
        return KillView(
            killed=self.killed,
            at_ns=self.state.at_ns,
            actor=self.state.actor,
            reason=self.state.reason,
            lines=self.receipt(),
            open_orders=-1 if unread else sum(sweep.open_count for sweep in sweeps),
            read_ns=min((sweep.read_ns for sweep in sweeps), default=0),
            unknown=sum(s.standing.unknown + s.standing.in_flight for s in sweeps),
            verified=self.verified,
            attempts=max((sweep.attempts for sweep in sweeps), default=0),
            fills_after=self.fills_after,
            flatten=flatten,
            flatten_state=flatten_state,
        )

    def open_hashes(self) -> tuple[str, ...]:
        """List what the venue last said is still open."""
        return tuple(h for sweep in self._sweeps.values() for h in sweep.open_hashes or ())


def line_of(step: KillStep, start_ns: int, done_ns: int, text: str) -> KillLine:
    """Make a line; `done_ns` 0 is a step that is not done."""
    after_us = (done_ns - start_ns) // 1_000 if done_ns else -1
    return KillLine(step=step, done=bool(done_ns), after_us=after_us, text=text)


def cancel_lines(
    sweeps: tuple[Sweep, ...], start_ns: int, orders: int
) -> tuple[KillLine, KillLine, KillLine, KillLine]:
    """Write the lines of a cancel and its proof: sent, confirmed, stragglers, verified."""
    attempts = max((sweep.attempts for sweep in sweeps), default=0)
    requests = sum(sweep.requests for sweep in sweeps)
    canceled = sum(len(sweep.canceled) for sweep in sweeps)
    refused = sorted({sweep.refused for sweep in sweeps} - {""})
    confirmed = f"{canceled} of {orders} confirmed"
    if refused:
        confirmed += f"; the venue refuses cancels: {', '.join(refused)}"
    doubt = sum(s.standing.in_flight + s.standing.unknown for s in sweeps)
    straggling = f"{doubt} in flight or unknown" if doubt else "none in flight"
    sent = f"{orders} orders, {requests} requests, attempt {attempts}"
    return (
        line_of(KillStep.CANCEL_SENT, start_ns, _last(s.sent_ns for s in sweeps), sent),
        line_of(
            KillStep.CANCEL_CONFIRMED, start_ns, _last(s.answered_ns for s in sweeps), confirmed
        ),
        line_of(KillStep.STRAGGLERS, start_ns, _last(s.stragglers_ns for s in sweeps), straggling),
        line_of(KillStep.VERIFIED, start_ns, _last(s.verified_ns for s in sweeps), _proof(sweeps)),
    )


def _proof(sweeps: tuple[Sweep, ...]) -> str:
    """Say what the venue answered."""
    if any(sweep.open_count < 0 for sweep in sweeps):
        return "not read back yet"
    left = sum(sweep.open_count for sweep in sweeps)
    return f"{left} open by the venue's own answer"


def _last(times: Iterable[int]) -> int:
    """Return the latest, 0 while one of them is missing."""
    known = list(times)
    return 0 if 0 in known else max(known, default=0)
