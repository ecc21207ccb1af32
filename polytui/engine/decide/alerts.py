"""The life of alerts: raised, acknowledged, returned, latched, shelved, suppressed; told the time.

What raises them comes from two sides: what the engine notifies of once, and what is found standing
at each look. What is notified of counts as standing for ten minutes after it was last told. Nothing
here touches trading: acknowledging says that a person knows. Safety never waits for it.
"""

from collections import deque
from collections.abc import Mapping
from itertools import count

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from polytui.engine.core.alert_codes import ALERT_CODES, AlertCode
from polytui.engine.core.alert_view import (
    NO_ALERTS,
    AlertClass,
    AlertCounts,
    AlertNote,
    AlertRow,
    AlertState,
    AlertsView,
    AlertTop,
)
from polytui.engine.core.enums import Mode
from polytui.engine.core.errors import OperatorError, shown
from polytui.engine.decide.words import S, span

KEY = "alerts"
"""Of `RecordControl`."""
ALERTS_MAX = 200
"""Alerts kept; beyond it the oldest that needs nobody goes, or a code's are folded into one."""
NOTES_MAX = 200
TOLD_NS = 600 * S
"""What was notified of counts as standing for this long."""
FLOOD_NS = 600 * S
FLOOD_BEGINS, FLOOD_ENDS = 10, 5
"""Alerts in ten minutes at which a flood begins, and below which it is over (EEMUA 191)."""
SHELVE_NS_MAX = 8 * 3_600 * S
REASON_MIN = 3
LOW = "low"

Key = tuple[str, str]
"""Code and subject."""

_ORDER = {AlertClass.CRITICAL: 0, AlertClass.HIGH: 1, AlertClass.LOW: 2}
_WHOLE = frozenset({"KILLED", "STALE_SENT", "ACCOUNT_GONE", "INTAKE_CLOSED", "SENTINEL"})
"""Codes that exist once: their sentence holds no subject."""


class Kept(Struct, frozen=True, kw_only=True):
    """What a restart must know of an alert that a person dealt with."""

    code: str
    subject: str
    acked_by: str
    acked_ns: int
    shelved_by: str
    shelved_until_ns: int
    reason: str


class _Alert:
    """One alert in its life."""

    __slots__ = ("is_quiet", "row", "rule", "stands", "told_ns")

    def __init__(self, row: AlertRow, rule: AlertCode) -> None:
        self.row = row
        self.rule = rule
        self.stands = True
        """Whether its cause is there."""
        self.told_ns = 0
        """When it was last notified of; 0: never, its cause is found standing or not."""
        self.is_quiet = False

    @property
    def state(self) -> AlertState:
        """Judge where it is in its life."""
        if self.row.shelved_until_ns:
            return AlertState.SHELVED
        if self.is_quiet:
            return AlertState.SUPP
        if not self.row.acked_ns:
            return AlertState.UNACK if self.stands else AlertState.RTN
        return AlertState.LATCH if self.rule.latches else AlertState.ACK

    @property
    def needs(self) -> bool:
        """Tell whether somebody has still to acknowledge it."""
        return self.state in (AlertState.UNACK, AlertState.RTN)

    @property
    def rank(self) -> tuple[int, bool, int]:
        """Sort the most urgent first."""
        return _ORDER[self.rule.cls], not self.needs, self.row.since_ns


class Alerts:
    """All alerts of a run."""

    __slots__ = (
        "_first_out",
        "_flood_ns",
        "_kept",
        "_minted",
        "_quiet_mode",
        "_raised",
        "_waiting",
        "by_key",
        "counts",
        "notes",
    )

    def __init__(self) -> None:
        """Begin with nothing wrong."""
        self.by_key: dict[Key, _Alert] = {}
        self.notes: deque[AlertNote] = deque(maxlen=NOTES_MAX)
        self.counts = NO_ALERTS
        """As of the last change."""
        self._minted = count(1)
        self._raised: deque[tuple[int, Key]] = deque(maxlen=FLOOD_BEGINS)
        self._flood_ns = 0
        self._first_out: Key | None = None
        self._waiting: dict[Key, int] = {}
        self._kept: dict[Key, Kept] = {}
        self._quiet_mode: Mode | None = None

    # --- raised and returned ---------------------------------------------------------------------

    def told(self, code: str, text: str, *, at_ns: int) -> None:
        """Take a notification; what is no alert is written down and needs nobody."""
        if code not in ALERT_CODES:
            note = AlertNote(at_ns=at_ns, alert="", code=code, what="told", actor="", text=text)
            self.notes.appendleft(note)
            return
        subject, colon, _ = text.partition(":")
        key = (code, subject[:60] if colon and code not in _WHOLE else "")
        alert = self._raise(key, text, at_ns)
        alert.told_ns = at_ns
        self._count()

    def look(self, standing: Mapping[Key, str], *, mode: Mode, at_ns: int) -> None:
        """Compare with what stands now: raise what is new, let go of what is gone."""
        self._quiet_mode = mode
        for key, text in standing.items():
            rule = ALERT_CODES[key[0]]
            known = self.by_key.get(key)
            if known is None or not known.stands:
                since_ns = self._waiting.setdefault(key, at_ns)
                if at_ns - since_ns < rule.after_s * S:
                    continue
                known = self._raise(key, text, at_ns)
            known.row = replace(known.row, text=text)
        self._waiting = {key: ns for key, ns in self._waiting.items() if key in standing}
        for key, alert in list(self.by_key.items()):
            self._follow(key, alert, is_found=key in standing, mode=mode, at_ns=at_ns)
        self._flood(at_ns)
        self._count()

    def _raise(self, key: Key, text: str, at_ns: int) -> _Alert:
        known = self.by_key.get(key)
        if known is None and len(self.by_key) >= ALERTS_MAX:
            self._make_room()
            if len(self.by_key) >= ALERTS_MAX:
                key = (key[0], "")
                known = self.by_key.get(key)
        if known is not None:
            if not known.stands:
                self._note(known, "raised", "", at_ns)
            known.stands = True
            known.row = replace(known.row, text=text, last_ns=at_ns, count=known.row.count + 1)
            return known
        code, subject = key
        rule = ALERT_CODES[code]
        row = AlertRow(
            alert=f"a{next(self._minted)}",
            code=code,
            subject=subject,
            cls=rule.cls,
            state=AlertState.UNACK,
            text=text,
            since_ns=at_ns,
            last_ns=at_ns,
            count=1,
        )
        alert = self.by_key[key] = _Alert(self._remembered(row), rule)
        alert.is_quiet = self._quiet_mode in rule.quiet
        if not alert.is_quiet:
            self._raised.append((at_ns, key))
            self._flood(at_ns)
        self._note(alert, "raised", "", at_ns)
        return alert

    def _make_room(self) -> None:
        """Forget the oldest that needs nobody."""
        for key, alert in self.by_key.items():
            if not alert.needs and alert.state is not AlertState.SHELVED:
                del self.by_key[key]
                return

    def _follow(self, key: Key, alert: _Alert, *, is_found: bool, mode: Mode, at_ns: int) -> None:
        alert.is_quiet = mode in alert.rule.quiet
        if 0 < alert.row.shelved_until_ns <= at_ns:
            self._unshelve(alert, "", at_ns)
        told = alert.told_ns and at_ns - alert.told_ns < TOLD_NS
        stands = is_found or bool(told and not alert.rule.latches)
        if stands or (alert.rule.latches and alert.told_ns == at_ns):
            alert.stands = True
            return
        if alert.stands:
            alert.stands = False
            self._note(alert, "returned", "", at_ns)
        if not alert.needs and alert.state is not AlertState.SHELVED:
            del self.by_key[key]

    # --- by a person -----------------------------------------------------------------------------

    def ack(self, name: str, *, actor: str, at_ns: int) -> str:
        """Acknowledge one by id, all of a code, or `low`: all of that class; say which.

        Raises:
            OperatorError: there is none that is not acknowledged.
        """
        if name == LOW:
            found = [a for a in self.by_key.values() if a.rule.cls is AlertClass.LOW and a.needs]
        else:
            found = [alert for alert in self._named(name) if alert.needs]
        if not found:
            raise OperatorError(f"there is no alert {shown(name)} to acknowledge: {self._known()}")
        for alert in found:
            alert.row = replace(alert.row, acked_by=actor, acked_ns=at_ns)
            self._note(alert, "acknowledged", actor, at_ns)
            if not alert.stands:
                del self.by_key[alert.row.code, alert.row.subject]
        self._count()
        return f"Acknowledged: {', '.join(f'{a.row.alert} {a.row.code}' for a in found)}."

    def shelve(self, name: str, for_ns: int, reason: str, *, actor: str, at_ns: int) -> str:
        """Put one aside for a while; say until when.

        Raises:
            OperatorError: unknown, critical, too long, or without a reason.
        """
        alert = self._one(name)
        if alert.rule.cls is AlertClass.CRITICAL:
            raise OperatorError(
                f"{alert.row.code} is critical: it can be acknowledged, not shelved"
            )
        if not 0 < for_ns <= SHELVE_NS_MAX:
            raise OperatorError(f"expected up to {span(SHELVE_NS_MAX)}, was {span(for_ns)}")
        if len(reason.strip()) < REASON_MIN:
            raise OperatorError(f"say why {alert.row.code} is shelved")
        alert.row = replace(
            alert.row,
            shelved_by=actor,
            shelved_until_ns=at_ns + for_ns,
            reason=reason.strip()[:200],
        )
        self._note(alert, "shelved", actor, at_ns)
        self._count()
        return f"Shelved for {span(for_ns)}: {alert.row.alert} {alert.row.code}."

    def unshelve(self, name: str, *, actor: str, at_ns: int) -> str:
        """Bring one back.

        Raises:
            OperatorError: unknown, or not shelved.
        """
        alert = self._one(name)
        if not alert.row.shelved_until_ns:
            raise OperatorError(f"{alert.row.alert} {alert.row.code} is not shelved")
        self._unshelve(alert, actor, at_ns)
        self._count()
        return f"Back: {alert.row.alert} {alert.row.code}."

    def _unshelve(self, alert: _Alert, actor: str, at_ns: int) -> None:
        """Annunciate it anew: whoever acknowledged it did so before it was put aside."""
        alert.row = replace(
            alert.row, shelved_by="", shelved_until_ns=0, reason="", acked_by="", acked_ns=0
        )
        self._note(alert, "unshelved", actor, at_ns)

    def _named(self, name: str) -> list[_Alert]:
        return [a for a in self.by_key.values() if name in (a.row.alert, a.row.code)]

    def _one(self, name: str) -> _Alert:
        found = self._named(name)
        if len(found) != 1:
            several = ", ".join(alert.row.alert for alert in found)
            raise OperatorError(
                f"{shown(name)} names several: {several}"
                if found
                else f"there is no alert {shown(name)}: {self._known()}"
            )
        return found[0]

    def _known(self) -> str:
        return (
            ", ".join(f"{a.row.alert} {a.row.code}" for a in self.by_key.values())[:200] or "none"
        )

    # --- flood, counts, view ---------------------------------------------------------------------

    def _flood(self, at_ns: int) -> None:
        recent = [(ns, key) for ns, key in self._raised if at_ns - ns < FLOOD_NS]
        if len(recent) >= FLOOD_BEGINS and not self._flood_ns:
            self._flood_ns, self._first_out = at_ns, recent[0][1]
        elif len(recent) < FLOOD_ENDS:
            self._flood_ns, self._first_out = 0, None

    def _count(self) -> None:
        needing = [alert for alert in self.by_key.values() if alert.needs]
        active = self._active()
        by_class = {cls: sum(a.rule.cls is cls for a in needing) for cls in AlertClass}
        top = min(needing or active, key=lambda a: a.rank, default=None)
        self.counts = AlertCounts(
            critical=by_class[AlertClass.CRITICAL],
            high=by_class[AlertClass.HIGH],
            low=by_class[AlertClass.LOW],
            standing=len(active),
            shelved=sum(a.state is AlertState.SHELVED for a in self.by_key.values()),
            flood=bool(self._flood_ns),
            top=None if top is None else _top(top),
        )

    def _active(self) -> list[_Alert]:
        hidden = (AlertState.SHELVED, AlertState.SUPP)
        return [alert for alert in self.by_key.values() if alert.state not in hidden]

    @property
    def blocking(self) -> int:
        """Count what stands before arming: critical or high and not acknowledged, or shelved."""
        return self.counts.critical + self.counts.high + self.counts.shelved

    def view(self, *, at_ns: int) -> AlertsView:
        """Show all of it."""
        active = sorted(self._active(), key=lambda a: a.rank)
        rows = [replace(a.row, state=a.state, first_out=self._is_first(a)) for a in active]
        aside = [a for a in self.by_key.values() if a not in active]
        return AlertsView(
            rev=0,
            at_ns=at_ns,
            active=_folded(rows) if self._flood_ns else tuple(rows),
            shelved=tuple(replace(a.row, state=a.state) for a in sorted(aside, key=_age)),
            journal=tuple(self.notes),
            flood_since_ns=self._flood_ns,
        )

    def _is_first(self, alert: _Alert) -> bool:
        return (alert.row.code, alert.row.subject) == self._first_out

    def _note(self, alert: _Alert, what: str, actor: str, at_ns: int) -> None:
        row = alert.row
        self.notes.appendleft(
            AlertNote(
                at_ns=at_ns,
                alert=row.alert,
                code=row.code,
                what=what,
                actor=actor,
                text=row.reason if what == "shelved" else row.text,
            )
        )

    # --- keep ------------------------------------------------------------------------------------

    def dump(self) -> str:
        """Write what persons did, as JSON."""
        kept = [
            Kept(
                code=row.code,
                subject=row.subject,
                acked_by=row.acked_by,
                acked_ns=row.acked_ns,
                shelved_by=row.shelved_by,
                shelved_until_ns=row.shelved_until_ns,
                reason=row.reason,
            )
            for row in (alert.row for alert in self.by_key.values())
            if row.acked_ns or row.shelved_until_ns
        ]
        return msgspec.json.encode(kept).decode()

    def restore(self, value: str) -> None:
        """Remember what `dump` wrote: an alert that stands again is not annunciated anew."""
        self._kept = {(k.code, k.subject): k for k in msgspec.json.decode(value, type=list[Kept])}

    def _remembered(self, row: AlertRow) -> AlertRow:
        kept = self._kept.pop((row.code, row.subject), None)
        if kept is None:
            return row
        if kept.shelved_until_ns and kept.shelved_until_ns <= row.since_ns:
            return row
        return replace(
            row,
            acked_by=kept.acked_by,
            acked_ns=kept.acked_ns,
            shelved_by=kept.shelved_by,
            shelved_until_ns=kept.shelved_until_ns,
            reason=kept.reason,
        )


def _age(alert: _Alert) -> int:
    return alert.row.since_ns


def _top(alert: _Alert) -> AlertTop:
    row = alert.row
    return AlertTop(
        alert=row.alert,
        code=row.code,
        cls=row.cls,
        state=alert.state,
        text=row.text,
        since_ns=row.since_ns,
    )


def _folded(rows: list[AlertRow]) -> tuple[AlertRow, ...]:
    """Keep one row of each code, the first-out before all, and count the rest of its code."""
    groups: dict[str, list[AlertRow]] = {}
    for row in rows:
        groups.setdefault(row.code, []).append(row)
    kept = []
    for group in groups.values():
        head = next((row for row in group if row.first_out), group[0])
        kept.append(replace(head, more=len(group) - 1))
    return tuple(sorted(kept, key=lambda row: not row.first_out))
