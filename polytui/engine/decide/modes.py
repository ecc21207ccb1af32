"""Modes and the arming ritual: up by steps, down at once, armed only through the ritual.

A mode says who executes. `NEXT` is the whole table of steps a directive may take; the one into
LIVE_ARMED is not in it. That one needs, in this order: a green preflight with its hash, the typed
phrase with the cap, a reason, and five seconds in which the same preflight is asked again and
anybody may abort. It ends by itself after the hours that were typed. A restart is never armed. On
the practice venue everything is the same and the words say whose money it is.
"""

from collections.abc import Mapping
from hashlib import blake2b

import msgspec
from msgspec import Struct

from polytui.engine.core.account_view import ArmView, CheckRow
from polytui.engine.core.enums import Mode
from polytui.engine.core.errors import OperatorError, shown
from polytui.engine.core.runconfig import LimitsConfig
from polytui.engine.core.units import U, text_u6
from polytui.engine.decide.words import S, dollars

KEY = "mode"
"""Of `RecordControl`."""
COUNTDOWN_NS = 5 * S
CHALLENGE_NS = 60 * S
"""A phrase not typed within this time is not expected any more."""
HOUR_NS = 3_600 * S
REASON_MIN = 3
REASON_MAX = 200

RANK: Mapping[Mode, int] = {
    Mode.SHADOW: 0,
    Mode.PAPER: 1,
    Mode.LIVE_DRY_RUN: 2,
    Mode.LIVE_ARMED: 3,
}
"""How much may happen; REPLAY is none of them and never changes."""

NEXT: Mapping[Mode, frozenset[Mode]] = {
    Mode.SHADOW: frozenset({Mode.PAPER}),
    Mode.PAPER: frozenset({Mode.SHADOW, Mode.LIVE_DRY_RUN}),
    Mode.LIVE_DRY_RUN: frozenset({Mode.SHADOW, Mode.PAPER}),
    Mode.LIVE_ARMED: frozenset({Mode.SHADOW, Mode.PAPER, Mode.LIVE_DRY_RUN}),
    Mode.REPLAY: frozenset(),
}
"""Steps a directive may take: one up, any down. Nothing leads to LIVE_ARMED but the ritual."""

IDLE, CHALLENGED, COUNTDOWN, ARMED = "idle", "challenged", "countdown", "armed"
"""Stages of the ritual; a preflight that is not green stays `idle` and is shown."""


class Moved(Struct, frozen=True, kw_only=True):
    """A change of mode or of the ritual, with its machine-readable reason."""

    before: Mode
    mode: Mode
    stage: str
    reason: str
    text: str
    """For the log: who, why, in words that name the money."""

    @property
    def has_fallen(self) -> bool:
        """Tell whether less may happen now: quotes of the live realm are to be pulled."""
        return RANK.get(self.mode, 0) < RANK.get(self.before, 0)


class State(Struct, frozen=True, kw_only=True):
    """What a restart must know."""

    mode: Mode
    reason: str
    at_ns: int


class Modes:
    """The mode of a run and the ritual."""

    __slots__ = (
        "armed_until_ns",
        "cap_u6",
        "challenged_ns",
        "checks",
        "client",
        "countdown_ns",
        "hash",
        "hours",
        "is_practice",
        "mode",
        "reason",
        "since_ns",
        "stage",
        "used",
        "why",
    )

    def __init__(self, mode: Mode, *, is_practice: bool, at_ns: int) -> None:
        """Begin in the configured mode; a configuration never arms.

        Raises:
            OperatorError: the configuration says LIVE_ARMED.
        """
        if mode is Mode.LIVE_ARMED:
            raise OperatorError("no configuration arms: begin in live_dry_run and type the phrase")
        self.mode: Mode = mode
        self.is_practice = is_practice
        self.since_ns = at_ns
        self.why = "STARTED"
        self.stage = IDLE
        self.checks: tuple[CheckRow, ...] = ()
        self.hash = ""
        self.cap_u6 = 0
        self.hours = 0
        self.client = ""
        self.reason = ""
        self.challenged_ns = 0
        self.countdown_ns = 0
        self.armed_until_ns = 0
        self.used: dict[str, None] = {}
        """Hashes of challenges that are spent: a replayed line cannot arm."""

    # --- by directive ----------------------------------------------------------------------------

    def ask(self, mode: Mode, *, actor: str, at_ns: int) -> Moved:
        """Change the mode by a step of the table. Down is at once, from any stage.

        Raises:
            OperatorError: the table has no such step; the sentence says which there are.
        """
        if mode not in NEXT[self.mode]:
            lawful = ", ".join(sorted(m.value for m in NEXT[self.mode])) or "none"
            ritual = "; LIVE_ARMED takes the ritual" if mode is Mode.LIVE_ARMED else ""
            raise OperatorError(
                f"from {self.mode.value} to {mode.value} there is no step: {lawful}{ritual}"
            )
        is_up = RANK[mode] > RANK[self.mode]
        code = "ASKED_UP" if is_up else "ASKED_DOWN"
        return self._move(mode, code, f"by {actor}", at_ns)

    def fall(self, mode: Mode, code: str, *, at_ns: int) -> Moved | None:
        """Fall to a mode because something else demands it (kill, lost port); None: it is lower.

        Ends the ritual in any case.
        """
        if RANK.get(mode, 9) >= RANK.get(self.mode, 0):
            self.abort(code)
            return None
        return self._move(mode, code, "by the engine", at_ns)

    def _move(self, mode: Mode, code: str, detail: str, at_ns: int) -> Moved:
        before, self.mode = self.mode, mode
        self.since_ns = at_ns
        self.why = code
        self._end_ritual()
        text = f"{before.value} -> {mode.value} {detail}, {self.money}"
        return Moved(before=before, mode=mode, stage=self.stage, reason=code, text=text)

    def _end_ritual(self) -> None:
        """Forget the challenge; its hash is spent."""
        self._spend()
        self.stage = IDLE
        self.cap_u6 = self.hours = 0
        self.client = self.reason = ""
        self.challenged_ns = self.countdown_ns = self.armed_until_ns = 0

    def _spend(self) -> None:
        if self.hash:
            self.used[self.hash] = None
            if len(self.used) > 1_000:
                del self.used[next(iter(self.used))]
        self.hash = ""

    # --- the ritual ------------------------------------------------------------------------------

    @property
    def money(self) -> str:
        """Say whose money it is."""
        return "practice money" if self.is_practice else "real money"

    @property
    def phrase(self) -> str:
        """Say what must be typed; empty while nothing is."""
        return phrase_of(self.cap_u6) if self.stage == CHALLENGED else ""

    def preflight(
        self,
        checks: tuple[CheckRow, ...],
        *,
        cap_u6: int,
        hours: int,
        limits: LimitsConfig,
        client: str,
        at_ns: int,
        seq: int,
    ) -> Moved:
        """Open a challenge when every check is green; otherwise show what is red.

        Raises:
            OperatorError: not in LIVE_DRY_RUN, or cap or hours outside the limits.
        """
        if self.mode is not Mode.LIVE_DRY_RUN:
            raise OperatorError(f"arming begins in live_dry_run, this is {self.mode.value}")
        if not 0 < cap_u6 <= limits.total_u6 or cap_u6 % U:
            most = dollars(limits.total_u6)
            raise OperatorError(f"expected a cap in whole dollars up to {most}: {dollars(cap_u6)}")
        if not 1 <= hours <= limits.arm_hours_max:
            raise OperatorError(f"expected 1 to {limits.arm_hours_max} hours, was {hours}")
        self._end_ritual()
        self.checks = checks
        red = _red(checks)
        if red:
            return self._stay(f"PREFLIGHT_RED {red}")
        self.stage, self.hash = CHALLENGED, hash_of(checks, cap_u6, hours, seq)
        self.cap_u6, self.hours, self.client = cap_u6, hours, client
        self.challenged_ns = at_ns
        return self._stay("CHALLENGED")

    def confirm(
        self,
        phrase: str,
        reason: str,
        *,
        hash_: str,
        checks: tuple[CheckRow, ...],
        client: str,
        at_ns: int,
    ) -> Moved:
        """Take the typed line; when all of it is right the countdown runs.

        A wrong phrase leaves the challenge open; everything else ends it.

        Raises:
            OperatorError: no challenge is open, or the phrase, the reason, the hash or the client
                is not the challenge's.
        """
        if self.stage != CHALLENGED or not self.hash:
            raise OperatorError("nothing is to be confirmed: ask for the preflight first")
        if hash_ != self.hash or hash_ in self.used or client != self.client:
            self.abort("CHALLENGE_MISMATCH")
            raise OperatorError("this is not the open challenge: ask for the preflight again")
        if at_ns - self.challenged_ns > CHALLENGE_NS:
            self.abort("CHALLENGE_EXPIRED")
            raise OperatorError(f"the challenge was open for {CHALLENGE_NS // S} s: ask again")
        if phrase != self.phrase:
            self.why = "TYPED_MISMATCH"
            raise OperatorError(f"type {self.phrase} exactly, was {shown(phrase)}")
        if not REASON_MIN <= len(reason.strip()) <= REASON_MAX:
            self.why = "REASON_MISSING"
            raise OperatorError(f"say why, in {REASON_MIN} to {REASON_MAX} characters")
        if not self._is_same(checks):
            self.abort(f"PREFLIGHT_CHANGED {_red(checks)}".rstrip())
            raise OperatorError("the preflight has changed: ask for it again")
        self.stage, self.reason = COUNTDOWN, reason.strip()
        self.countdown_ns = at_ns + COUNTDOWN_NS
        return self._stay("COUNTDOWN")

    def due(self, checks: tuple[CheckRow, ...], *, at_ns: int) -> Moved | None:
        """Look at the ritual and the expiry: abort, arm, disarm, or nothing.

        Called at least once a second while `stage` is not `idle`, with a preflight of that moment:
        any change during the countdown ends it.
        """
        if self.stage == ARMED:
            if at_ns < self.armed_until_ns:
                return None
            return self._move(Mode.LIVE_DRY_RUN, "ARM_EXPIRED", "by the clock", at_ns)
        if self.stage == CHALLENGED and at_ns - self.challenged_ns > CHALLENGE_NS:
            return self.abort("CHALLENGE_EXPIRED")
        if self.stage != COUNTDOWN:
            return None
        self.checks = checks
        if not self._is_same(checks):
            return self.abort(f"PREFLIGHT_CHANGED {_red(checks)}".rstrip())
        if at_ns < self.countdown_ns:
            return None
        return self._arm(at_ns)

    def _arm(self, at_ns: int) -> Moved:
        before, self.mode = self.mode, Mode.LIVE_ARMED
        self.stage, self.since_ns, self.why = ARMED, at_ns, "ARMED"
        self._spend()
        self.countdown_ns = 0
        self.armed_until_ns = at_ns + self.hours * HOUR_NS
        text = (
            f"LIVE_ARMED with {self.money}: cap {dollars(self.cap_u6)}, {self.hours} h, "
            f"by {self.client}: {self.reason}"
        )
        return Moved(before=before, mode=self.mode, stage=ARMED, reason="ARMED", text=text)

    def abort(self, code: str) -> Moved | None:
        """End the ritual before it armed (Esc, the chord, the client gone); None: none was on."""
        if self.stage not in (CHALLENGED, COUNTDOWN):
            return None
        self._end_ritual()
        return self._stay(code)

    def on_client_gone(self, client: str) -> Moved | None:
        """End the ritual of a client that is gone; what is armed already stays armed."""
        return self.abort("CLIENT_GONE") if client == self.client else None

    def _stay(self, code: str) -> Moved:
        self.why = code
        text = f"{code}, {self.money}"
        return Moved(before=self.mode, mode=self.mode, stage=self.stage, reason=code, text=text)

    def _is_same(self, checks: tuple[CheckRow, ...]) -> bool:
        """Tell whether the preflight is still the one that was confirmed, and green."""
        return not _red(checks) and _digest(checks) == self.hash.partition("-")[0]

    # --- keep and show ---------------------------------------------------------------------------

    def dump(self) -> str:
        """Write the mode as JSON."""
        state = State(mode=self.mode, reason=self.why, at_ns=self.since_ns)
        return msgspec.json.encode(state).decode()

    def restore(self, value: str, *, at_ns: int) -> Moved | None:
        """Go back to the last run's mode if that is lower; a restart is never armed.

        The configuration may hold a run below what it was; only the ritual leads above.
        """
        last = msgspec.json.decode(value, type=State)
        mode = Mode.LIVE_DRY_RUN if last.mode is Mode.LIVE_ARMED else last.mode
        if self.mode not in RANK or mode not in RANK or RANK[mode] >= RANK[self.mode]:
            return None
        return self._move(mode, "RESTORED", "as the last run was", at_ns)

    def next_due_ns(self) -> int | None:
        """Return when `due` has something to do, or None."""
        if self.stage == ARMED:
            return self.armed_until_ns
        if self.stage == COUNTDOWN:
            return self.countdown_ns
        return self.challenged_ns + CHALLENGE_NS + 1 if self.stage == CHALLENGED else None

    def view(self) -> ArmView:
        """Show the ritual."""
        return ArmView(
            stage=self.stage,
            checks=self.checks,
            hash=self.hash,
            phrase=self.phrase,
            cap_u6=self.cap_u6,
            hours=self.hours,
            countdown_ns=self.countdown_ns,
            armed_until_ns=self.armed_until_ns,
            reason=self.why,
        )


def phrase_of(cap_u6: int) -> str:
    """Say what arms: the same words for practice money, so that the hand learns them."""
    return f"ARM LIVE {text_u6(cap_u6)}"


def hash_of(checks: tuple[CheckRow, ...], cap_u6: int, hours: int, seq: int) -> str:
    """Name a challenge: what was checked, what was asked, and the event that asked: once only."""
    asked = blake2b(f"{cap_u6} {hours} {seq}".encode(), digest_size=4).hexdigest()
    return f"{_digest(checks)}-{asked}"


def _digest(checks: tuple[CheckRow, ...]) -> str:
    """Digest codes, verdicts and limits: values such as ages move all the time."""
    text = "\n".join(f"{c.code} {c.ok} {c.limit}" for c in checks)
    return blake2b(text.encode(), digest_size=4).hexdigest()


def _red(checks: tuple[CheckRow, ...]) -> str:
    """List the codes of what is not green; no checks at all are not green either."""
    if not checks:
        return "NO_CHECKS"
    return " ".join(check.code for check in checks if not check.ok)
