"""Release gates: how far each strategy has come on the ladder DEV to LIVE_ARMED.

A step up needs the machine's own evidence, row by row, and time that was really lived: 72 hours of
shadow, a week of paper as a canary, a week in full. Time counts while the engine runs, not while it
is off. A step down is at once and needs nothing. On the practice venue the rehearsal may skip the
times, says so, and what was earned that way is worth nothing on a real venue.
"""

from collections.abc import Callable, Mapping

import msgspec
from msgspec import Struct

from polytui.engine.core.account_view import CheckRow, GateRow
from polytui.engine.core.enums import Mode
from polytui.engine.core.errors import OperatorError, shown
from polytui.engine.core.order_enums import Realm, ReleaseGate
from polytui.engine.decide.words import DAY_NS, S, dollars, percent, span

KEY = "gates"
"""Of `RecordControl`."""
HOUR_NS = 3_600 * S
STEP_MAX_NS = 60 * S
"""A gap longer than this between two looks is not lived: the engine was off or stuck."""
STRATEGIES_MAX = 1_000
COVERAGE_FLOOR = 0.9
"""Paper whose books were covered for less promotes nothing."""
AVERSE = "averse"
"""The maker model that every promotion rests on."""

LADDER: tuple[ReleaseGate, ...] = (
    ReleaseGate.DEV,
    ReleaseGate.PAPER_CANARY,
    ReleaseGate.PAPER_FULL,
    ReleaseGate.LIVE_DRY_RUN,
    ReleaseGate.LIVE_ARMED,
)

DWELL_NS: Mapping[ReleaseGate, int] = {
    ReleaseGate.DEV: 72 * HOUR_NS,
    ReleaseGate.PAPER_CANARY: 7 * DAY_NS,
    ReleaseGate.PAPER_FULL: 7 * DAY_NS,
    ReleaseGate.LIVE_DRY_RUN: 24 * HOUR_NS,
}
"""Lived at a gate before the next: shadow 72 h, paper one to two weeks in its two steps, a day of
orders signed and dropped."""


class GateEvidence(Struct, frozen=True, kw_only=True):
    """What the engine knows of one strategy since it entered its gate."""

    decisions: int = 0
    intents: int = 0
    paper_fills: int = 0
    paper_result_u6: int = 0
    """After fees. Fills and result as booked."""
    booked_by: str = ""
    """The maker model that booked them; empty: paper has not traded in this run."""
    models: str = ""
    """What both maker models came to, in words."""
    coverage: float = 0.0
    """Share of the time asked for in which paper's books were there and trusted."""
    ledger_difference_u6: int = 0
    """Between our books and the venue's after quiescence, paper or live: exactly 0."""
    anomalies: int = 0
    breakers: int = 0
    """Tripped of this strategy, or of its realm."""
    faults: int = 0
    """Exceptions, illegal steps and broken invariants."""
    stale_sent: int = 0
    replay_equal: bool | None = None
    """The last recording replayed to itself; None: nobody showed it."""
    dry_orders: int = 0
    """Signed, checked and dropped."""
    dry_mismatches: int = 0
    """Hashes or amounts that were not as computed."""


Judge = Callable[[GateEvidence], tuple[bool, str, str]]
"""(ok, value, limit)."""


def _least(count: int, least: int) -> tuple[bool, str, str]:
    return count >= least, str(count), f"at least {least}"


def _zero(count: int) -> tuple[bool, str, str]:
    return count == 0, str(count), "0"


REPLAYED: Mapping[bool | None, str] = {
    None: "run: polytui replay --verify",
    True: "equal",
    False: "NOT equal",
}
"""What is known of the last recording."""

_DECISIONS = ("DECISIONS", "decisions", lambda e: _least(e.decisions, 1_000))
_INTENTS = ("INTENTS", "intents", lambda e: _least(e.intents, 1))
_FAULTS = ("FAULTS", "faults and broken invariants", lambda e: _zero(e.faults))
_REPLAY = (
    "REPLAY_EQUAL",
    "replay equals the log",
    lambda e: (e.replay_equal is True, REPLAYED[e.replay_equal], "the last recording"),
)
_LEDGER = (
    "LEDGER",
    "ledger against the venue",
    lambda e: (e.ledger_difference_u6 == 0, dollars(e.ledger_difference_u6), "$0"),
)
_ANOMALIES = ("ANOMALIES", "open differences", lambda e: _zero(e.anomalies))
_BREAKERS = ("BREAKERS", "tripped breakers", lambda e: _zero(e.breakers))
_STALE = ("STALE_SENT", "orders on stale state", lambda e: _zero(e.stale_sent))
_RESULT = (
    "PAPER_RESULT",
    "paper result after fees",
    lambda e: (
        e.paper_result_u6 >= 0 and e.booked_by == AVERSE,
        f"{dollars(e.paper_result_u6)} {_booked(e)}",
        "at least $0, booked averse",
    ),
)
_COVERAGE = (
    "COVERAGE",
    "books covered in paper",
    lambda e: (
        e.coverage >= COVERAGE_FLOOR,
        percent(e.coverage),
        f"at least {percent(COVERAGE_FLOOR)}",
    ),
)
_DRY = ("DRY_ORDERS", "orders signed and dropped", lambda e: _least(e.dry_orders, 1))
_DRY_EQUAL = ("DRY_EQUAL", "hashes and amounts as computed", lambda e: _zero(e.dry_mismatches))


def _fills(least: int) -> tuple[str, str, Judge]:
    """Count fills of the averse model alone; what both came to is shown."""

    def judge(e: GateEvidence) -> tuple[bool, str, str]:
        is_enough = e.paper_fills >= least and e.booked_by == AVERSE
        value = f"{e.paper_fills} {_booked(e)}" + (f"; {e.models}" if e.models else "")
        return is_enough, value, f"at least {least}, booked averse"

    return "PAPER_FILLS", "paper fills", judge


def _booked(e: GateEvidence) -> str:
    return f"booked {e.booked_by}" if e.booked_by else "none in this run"


NEEDS: Mapping[ReleaseGate, tuple[tuple[str, str, Judge], ...]] = {
    ReleaseGate.DEV: (_DECISIONS, _INTENTS, _FAULTS, _REPLAY),
    ReleaseGate.PAPER_CANARY: (
        _fills(10),
        _COVERAGE,
        _LEDGER,
        _ANOMALIES,
        _BREAKERS,
        _FAULTS,
        _STALE,
    ),
    ReleaseGate.PAPER_FULL: (
        _fills(50),
        _COVERAGE,
        _RESULT,
        _LEDGER,
        _ANOMALIES,
        _BREAKERS,
        _FAULTS,
        _STALE,
        _REPLAY,
    ),
    ReleaseGate.LIVE_DRY_RUN: (_DRY, _DRY_EQUAL, _ANOMALIES, _BREAKERS, _FAULTS, _STALE),
}
"""What leaving a gate upwards needs, besides its time."""

REHEARSAL: frozenset[str] = frozenset(
    {
        "DECISIONS",
        "INTENTS",
        "PAPER_FILLS",
        "PAPER_RESULT",
        "COVERAGE",
        "REPLAY_EQUAL",
        "DRY_ORDERS",
    }
)
"""Rows about how much was seen: waived with the times on practice money. Nothing that says that
something is *wrong* is ever waived: a replay that was not equal counts as a fault as well."""


class Standing(Struct, frozen=True, kw_only=True):
    """Where one strategy stands."""

    strategy: str
    gate: ReleaseGate
    since_ns: int
    lived_ns: int
    """Of running at this gate."""
    last: str
    """Machine-readable reason of the last transition."""
    is_rehearsal: bool
    """Earned on practice money with its times waived."""
    passed_ns: int = 0
    """When it last left PAPER_FULL upwards without a waiver; 0: never."""


class Transition(Struct, frozen=True, kw_only=True):
    """A step on the ladder."""

    strategy: str
    before: ReleaseGate
    gate: ReleaseGate
    reason: str
    text: str


class ReleaseGates:
    """The ladder of every strategy."""

    __slots__ = ("_at_ns", "_rows", "is_practice")

    def __init__(self, strategies: tuple[str, ...], *, is_practice: bool, at_ns: int) -> None:
        """Begin with everybody at the foot."""
        assert len(strategies) <= STRATEGIES_MAX, f"more than {STRATEGIES_MAX} strategies"
        self.is_practice = is_practice
        self._at_ns = at_ns
        self._rows = {name: _foot(name, at_ns, "NEW") for name in strategies}

    def live(self, at_ns: int, running: frozenset[str]) -> None:
        """Let time count for the strategies that ran; called at least once a minute."""
        lived_ns = at_ns - self._at_ns
        self._at_ns = at_ns
        if not 0 < lived_ns <= STEP_MAX_NS:
            return
        for name in running & self._rows.keys():
            row = self._rows[name]
            self._rows[name] = msgspec.structs.replace(row, lived_ns=row.lived_ns + lived_ns)

    # --- ask -------------------------------------------------------------------------------------

    def of(self, strategy: str) -> Standing:
        """Return where a strategy stands.

        Raises:
            OperatorError: there is no such strategy.
        """
        row = self._row(strategy)
        if row is None:
            raise OperatorError(f"there is no strategy {shown(strategy)}: {', '.join(self._rows)}")
        return row

    def _row(self, strategy: str) -> Standing | None:
        """Find a row; one earned on practice money is at the foot as soon as the money is real."""
        row = self._rows.get(strategy)
        if row is not None and row.is_rehearsal and not self.is_practice:
            row = self._rows[strategy] = _foot(strategy, self._at_ns, "REHEARSAL_ONLY")
        return row

    def is_released(self, strategy: str, realm: Realm, mode: Mode) -> bool:
        """Tell whether a strategy's orders may be made in this realm and mode (G03)."""
        row = self._row(strategy)
        if row is None:
            return False
        height = LADDER.index(row.gate)
        if realm is Realm.PAPER:
            return height >= LADDER.index(ReleaseGate.PAPER_CANARY)
        needed = _NEEDED.get(mode)
        return needed is not None and height >= LADDER.index(needed)

    def checks(self, strategy: str, evidence: GateEvidence) -> tuple[CheckRow, ...]:
        """Judge what the next step needs; empty at the top."""
        row = self.of(strategy)
        if row.gate not in DWELL_NS:
            return ()
        dwell_ns = DWELL_NS[row.gate]
        waived = " (waived: practice money)"
        has_lived = row.lived_ns >= dwell_ns
        lived = span(row.lived_ns)
        checks = [
            CheckRow(
                code="DWELL",
                ok=has_lived or self.is_practice,
                title=f"time at {row.gate.value}",
                value=lived if has_lived or not self.is_practice else lived + waived,
                limit=f"at least {span(dwell_ns)}",
            )
        ]
        for code, title, judge in NEEDS[row.gate]:
            ok, value, limit = judge(evidence)
            if not ok and self.is_practice and code in REHEARSAL:
                ok, value = True, value + waived
            checks.append(CheckRow(code=code, ok=ok, title=title, value=value, limit=limit))
        return tuple(checks)

    # --- step ------------------------------------------------------------------------------------

    def promote(
        self, strategy: str, evidence: GateEvidence, *, phrase: str, actor: str, at_ns: int
    ) -> Transition:
        """Take one step up: every row green and the phrase `PROMOTE <strategy>` typed.

        Raises:
            OperatorError: unknown strategy, at the top, a row is red, or the phrase is wrong.
        """
        row = self.of(strategy)
        if row.gate not in DWELL_NS:
            raise OperatorError(f"{strategy} is at the top of the ladder")
        checks = self.checks(strategy, evidence)
        red = [check for check in checks if not check.ok]
        if red:
            said = ", ".join(f"{c.code} {c.value} (needs {c.limit})" for c in red)
            raise OperatorError(f"{strategy} stays at {row.gate.value}: {said}")
        wanted = f"PROMOTE {strategy}"
        if phrase != wanted:
            raise OperatorError(f"type {wanted} to promote it, was {shown(phrase)}")
        is_waived = any("(waived" in check.value for check in checks)
        reason = "PROMOTED_REHEARSAL" if is_waived else "PROMOTED"
        is_rehearsal = row.is_rehearsal or is_waived
        has_passed = row.gate is ReleaseGate.PAPER_FULL and not is_rehearsal
        passed_ns = at_ns if has_passed else row.passed_ns
        gate = LADDER[LADDER.index(row.gate) + 1]
        return self._step(row, gate, reason, actor, (at_ns, is_rehearsal, passed_ns))

    def demote(self, strategy: str, gate: ReleaseGate, why: str, *, at_ns: int) -> Transition:
        """Step down, at once, to any lower gate; `why` is a machine-readable word.

        Raises:
            OperatorError: unknown strategy, or the gate is not lower.
        """
        row = self.of(strategy)
        if LADDER.index(gate) >= LADDER.index(row.gate):
            raise OperatorError(f"{strategy} is at {row.gate.value}: {gate.value} is not lower")
        return self._step(row, gate, why, "the engine", (at_ns, row.is_rehearsal, row.passed_ns))

    def _step(
        self,
        row: Standing,
        gate: ReleaseGate,
        reason: str,
        actor: str,
        facts: tuple[int, bool, int],
    ) -> Transition:
        at_ns, is_rehearsal, passed_ns = facts
        self._rows[row.strategy] = Standing(
            strategy=row.strategy,
            gate=gate,
            since_ns=at_ns,
            lived_ns=0,
            last=reason,
            is_rehearsal=is_rehearsal and gate is not ReleaseGate.DEV,
            passed_ns=passed_ns,
        )
        money = ", practice money" if self.is_practice else ""
        text = f"{row.strategy} {row.gate.value} -> {gate.value}: {reason} by {actor}{money}"
        return Transition(
            strategy=row.strategy, before=row.gate, gate=gate, reason=reason, text=text
        )

    # --- keep and show ---------------------------------------------------------------------------

    def rows(self, evidence: Mapping[str, GateEvidence]) -> tuple[GateRow, ...]:
        """Show every strategy with what its next step needs."""
        return tuple(
            GateRow(
                strategy=name,
                gate=row.gate,
                since_ns=row.since_ns,
                next_gate=_above(row.gate),
                checks=self.checks(name, evidence.get(name, GateEvidence())),
                last=row.last,
            )
            for name, row in ((name, self.of(name)) for name in self._rows)
        )

    def dump(self) -> str:
        """Write the ladder as JSON."""
        return msgspec.json.encode(list(self._rows.values())).decode()

    def restore(self, value: str, *, at_ns: int) -> list[Transition]:
        """Put back what `dump` wrote, for strategies that still exist.

        What was earned on practice money begins at the foot on a real venue, now or as soon as
        `is_practice` says so. Time between the runs does not count.
        """
        self._at_ns = at_ns
        fallen = []
        for row in msgspec.json.decode(value, type=list[Standing]):
            if row.strategy not in self._rows:
                continue
            self._rows[row.strategy] = row
            now = self.of(row.strategy)
            if now is not row:
                text = f"{row.strategy} {row.gate.value} -> {now.gate.value}: {now.last}"
                fallen.append(
                    Transition(
                        strategy=row.strategy,
                        before=row.gate,
                        gate=now.gate,
                        reason=now.last,
                        text=text,
                    )
                )
        return fallen


_NEEDED = {
    Mode.LIVE_DRY_RUN: ReleaseGate.LIVE_DRY_RUN,
    Mode.LIVE_ARMED: ReleaseGate.LIVE_ARMED,
}
"""The gate a strategy must have for the live realm, by mode."""


def _above(gate: ReleaseGate) -> ReleaseGate | None:
    at = LADDER.index(gate) + 1
    return LADDER[at] if at < len(LADDER) else None


def _foot(strategy: str, at_ns: int, reason: str) -> Standing:
    return Standing(
        strategy=strategy,
        gate=ReleaseGate.DEV,
        since_ns=at_ns,
        lived_ns=0,
        last=reason,
        is_rehearsal=False,
    )
