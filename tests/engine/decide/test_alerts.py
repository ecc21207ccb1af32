"""The life of an alert, and that every code the engine can emit has one."""

import re
from pathlib import Path

import pytest

from polytui.engine.core.alert_codes import ALERT_CODES, is_known
from polytui.engine.core.alert_view import AlertClass, AlertState
from polytui.engine.core.enums import Mode
from polytui.engine.core.errors import OperatorError
from polytui.engine.decide.alerts import (
    ALERTS_MAX,
    FLOOD_BEGINS,
    FLOOD_NS,
    SHELVE_NS_MAX,
    TOLD_NS,
    Alerts,
    Key,
)

ENGINE = Path(__file__).parents[3] / "polytui" / "engine"
S = 1_000_000_000
LEG: Key = ("LEG_OPEN", "")
KILL: Key = ("KILLED", "")
CAP: Key = ("CAP_FULL", "paper")


class Desk:
    """Alerts and their time."""

    def __init__(self, mode: Mode = Mode.PAPER) -> None:
        self.alerts = Alerts()
        self.mode = mode
        self.at_ns = 1_000 * S

    def look(self, *keys: Key, after_s: float = 1) -> None:
        self.at_ns += int(after_s * S)
        found = {key: f"{key[0]} stands" for key in keys}
        self.alerts.look(found, mode=self.mode, at_ns=self.at_ns)

    def tell(self, code: str, text: str) -> None:
        self.alerts.told(code, text, at_ns=self.at_ns)

    def states(self) -> dict[str, AlertState]:
        view = self.alerts.view(at_ns=self.at_ns)
        return {row.code: row.state for row in (*view.active, *view.shelved)}

    def ack(self, name: str) -> str:
        return self.alerts.ack(name, actor="ana", at_ns=self.at_ns)

    def shelve(self, name: str, for_s: int = 600, reason: str = "known") -> str:
        return self.alerts.shelve(name, for_s * S, reason, actor="ana", at_ns=self.at_ns)


def test_raised_acknowledged_and_gone() -> None:
    desk = Desk()
    desk.look(LEG)
    assert desk.states() == {"LEG_OPEN": AlertState.UNACK}
    assert desk.alerts.counts.critical == 1
    assert desk.ack("a1") == "Acknowledged: a1 LEG_OPEN."
    assert desk.states() == {"LEG_OPEN": AlertState.ACK}
    assert desk.alerts.counts.critical == 0
    assert desk.alerts.counts.standing == 1
    desk.look()
    assert desk.states() == {}


def test_what_returned_unseen_stays_until_somebody_acknowledges() -> None:
    desk = Desk()
    desk.look(LEG)
    desk.look()
    assert desk.states() == {"LEG_OPEN": AlertState.RTN}
    assert desk.alerts.counts.critical == 1, "somebody has still to know of it"
    desk.ack("LEG_OPEN")
    assert desk.states() == {}


def test_what_comes_back_before_it_is_acknowledged_is_the_same_alert() -> None:
    desk = Desk()
    for keys in ((LEG,), (), (LEG,)):
        desk.look(*keys)
    (row,) = desk.alerts.view(at_ns=desk.at_ns).active
    assert (row.alert, row.state, row.count) == ("a1", AlertState.UNACK, 2)


def test_a_latch_stands_acknowledged_until_its_cause_is_reset() -> None:
    desk = Desk()
    desk.look(KILL)
    desk.ack("KILLED")
    desk.look(KILL)
    assert desk.states() == {"KILLED": AlertState.LATCH}
    desk.look()
    assert desk.states() == {}


def test_shelving_takes_a_reason_and_ends_by_itself() -> None:
    desk = Desk()
    desk.look(CAP)
    desk.shelve("CAP_FULL", 600, "raised tonight")
    assert desk.states() == {"CAP_FULL": AlertState.SHELVED}
    assert desk.alerts.counts.high == 0
    assert desk.alerts.blocking == 1, "a shelved one keeps from arming"
    desk.look(CAP, after_s=599)
    assert desk.states() == {"CAP_FULL": AlertState.SHELVED}
    desk.look(CAP, after_s=2)
    assert desk.states() == {"CAP_FULL": AlertState.UNACK}


def test_unshelving_annunciates_anew() -> None:
    desk = Desk()
    desk.look(CAP)
    desk.ack("CAP_FULL")
    desk.shelve("CAP_FULL")
    desk.alerts.unshelve("CAP_FULL", actor="ana", at_ns=desk.at_ns)
    assert desk.states() == {"CAP_FULL": AlertState.UNACK}


@pytest.mark.parametrize(
    ("key", "for_s", "reason", "why"),
    [
        (LEG, 600, "known", "is critical"),
        (CAP, SHELVE_NS_MAX // S + 1, "known", "expected up to"),
        (CAP, 600, " ", "say why"),
        (CAP, 0, "known", "expected up to"),
    ],
)
def test_what_must_not_be_shelved_is_refused(key: Key, for_s: int, reason: str, why: str) -> None:
    desk = Desk()
    desk.look(key)
    with pytest.raises(OperatorError, match=why):
        desk.shelve(key[0], for_s, reason)


def test_what_cannot_happen_in_a_mode_is_suppressed_and_counts_for_nothing() -> None:
    desk = Desk(Mode.SHADOW)
    for _ in range(10):
        desk.look(("HALTED", "live"))
    assert desk.states() == {"HALTED": AlertState.SUPP}
    assert desk.alerts.counts.standing == 0
    desk.mode = Mode.PAPER
    desk.look(("HALTED", "live"))
    assert desk.states() == {"HALTED": AlertState.UNACK}


def test_a_cause_must_stand_as_long_as_its_code_says() -> None:
    desk = Desk()
    desk.look(("BOOKS", ""))
    desk.look(after_s=5)
    desk.look(("BOOKS", ""), after_s=6)
    assert desk.states() == {}, "it went in between"
    desk.look(("BOOKS", ""), after_s=10)
    assert desk.states() == {"BOOKS": AlertState.UNACK}


def test_what_is_told_once_stands_for_ten_minutes() -> None:
    desk = Desk()
    desk.tell("LEG_WORSE", "bundle box-1: 0.53, planned 0.51")
    desk.look(after_s=TOLD_NS // S - 1)
    assert desk.states() == {"LEG_WORSE": AlertState.UNACK}
    desk.look(after_s=2)
    assert desk.states() == {"LEG_WORSE": AlertState.RTN}


def test_two_subjects_are_two_alerts_and_one_subject_counts() -> None:
    desk = Desk()
    for cid in ("r1-1", "r1-2", "r1-1"):
        desk.tell("CANCEL_UNCONFIRMED", f"order {cid}: 6 cancels unconfirmed")
    rows = desk.alerts.view(at_ns=desk.at_ns).active
    assert [(row.subject, row.count) for row in rows] == [("order r1-1", 2), ("order r1-2", 1)]


def test_a_flood_is_folded_by_cause_with_the_first_out_on_top() -> None:
    desk = Desk()
    desk.tell("ACCOUNT_GONE", "the signer is gone")
    for number in range(FLOOD_BEGINS):
        desk.tell("CANCEL_UNCONFIRMED", f"order r1-{number}: unconfirmed")
    desk.look()
    view = desk.alerts.view(at_ns=desk.at_ns)
    assert desk.alerts.counts.flood
    assert [(row.code, row.more, row.first_out) for row in view.active] == [
        ("ACCOUNT_GONE", 0, True),
        ("CANCEL_UNCONFIRMED", FLOOD_BEGINS - 1, False),
    ]
    desk.look(after_s=FLOOD_NS // S)
    assert not desk.alerts.counts.flood


def test_low_is_a_class_and_nothing_else_is_acknowledged_by_it() -> None:
    desk = Desk()
    desk.look(LEG)
    desk.tell("BUNDLE_WAITS", "bundle box-1: waits")
    desk.ack("low")
    assert desk.states() == {"LEG_OPEN": AlertState.UNACK, "BUNDLE_WAITS": AlertState.ACK}
    with pytest.raises(OperatorError, match="no alert 'low'"):
        desk.ack("low")


def test_the_journal_names_who_did_what() -> None:
    desk = Desk()
    desk.look(CAP)
    desk.ack("CAP_FULL")
    desk.shelve("CAP_FULL", 60, "raised tonight")
    desk.look(after_s=61)
    told = [(n.what, n.actor) for n in desk.alerts.view(at_ns=desk.at_ns).journal]
    assert told == [
        ("returned", ""),
        ("unshelved", ""),
        ("shelved", "ana"),
        ("acknowledged", "ana"),
        ("raised", ""),
    ]


def test_the_most_urgent_is_on_top_and_acknowledged_ones_give_way() -> None:
    desk = Desk()
    desk.look(LEG, CAP)
    top = desk.alerts.counts.top
    assert top is not None
    assert (top.code, top.cls) == ("LEG_OPEN", AlertClass.CRITICAL)
    desk.ack("LEG_OPEN")
    top = desk.alerts.counts.top
    assert top is not None
    assert top.code == "CAP_FULL"


def test_what_persons_did_survives_a_restart() -> None:
    desk = Desk()
    desk.look(LEG, CAP)
    desk.ack("LEG_OPEN")
    desk.shelve("CAP_FULL", 600)
    after = Desk()
    after.alerts.restore(desk.alerts.dump())
    after.look(LEG, CAP, ("POS_MISMATCH", ""))
    assert after.states() == {
        "LEG_OPEN": AlertState.ACK,
        "POS_MISMATCH": AlertState.UNACK,
        "CAP_FULL": AlertState.SHELVED,
    }


def test_alerts_are_bounded_and_none_that_needs_somebody_is_forgotten() -> None:
    desk = Desk()
    for number in range(3 * ALERTS_MAX):
        desk.tell("CANCEL_UNCONFIRMED", f"order r1-{number}: unconfirmed")
    assert len(desk.alerts.by_key) <= ALERTS_MAX + 1
    assert desk.alerts.by_key["CANCEL_UNCONFIRMED", ""].row.count > ALERTS_MAX


def test_a_code_nobody_knows_is_written_down_and_stops_nothing() -> None:
    desk = Desk()
    desk.tell("MODE_ARMED", "shadow -> paper")
    desk.tell("NO_SUCH_CODE", "?")
    assert desk.states() == {}
    assert [note.code for note in desk.alerts.notes] == ["NO_SUCH_CODE", "MODE_ARMED"]


# --- the registry --------------------------------------------------------------------------------

EMITTED = re.compile(r"Notify\([^)]*?code=f?\"([A-Z_a-z]+)|Alert\(code=\"(\w+)\"")
ALARMS = re.compile(r"_ALARM_\w+: Final = \"(\w+)\"")


def emitted() -> set[str]:
    """Read every code that the engine's source can notify of."""
    found: set[str] = set()
    for path in ENGINE.rglob("*.py"):
        text = path.read_text(encoding="utf-8")
        found |= {a or b for a, b in EMITTED.findall(text)}
        found |= set(ALARMS.findall(text))
    return found


def test_every_code_that_the_engine_emits_is_in_the_registry() -> None:
    codes = emitted()
    assert {"KILLED", "BREAKER", "leg_worse", "order_unknown"} <= codes, "the search finds them"
    assert {code for code in codes if not is_known(code.upper().rstrip("_"))} == set()


@pytest.mark.parametrize("code", ALERT_CODES.values(), ids=lambda code: code.code)
def test_every_alert_has_cause_consequence_action_time_and_what_the_engine_does(
    code: object,
) -> None:
    for name in ("cause", "consequence", "todo", "engine"):
        assert re.match(r"[A-Z].*\.$", getattr(code, name)), name
    assert getattr(code, "within", "")
