"""Alerts as the engine's own machine makes them, at the time of all fixtures."""

from polytui.engine.core.enums import Mode
from polytui.engine.decide.alerts import Alerts, Key
from tests.console.parts import HOSTILE, NOW, S

ANA = "uid 1000 pid 4711"

TROUBLES: dict[Key, str] = {
    ("UNKNOWN_ORDER", ""): "1 may rest or fill: page 3, panel d",
    ("LEG_OPEN", ""): "1 sides naked, being unwound: page 3, panel c",
    ("POS_MISMATCH", ""): "1 differences with the venue: page i",
    ("LIMBO", ""): "2 orders older than their state may be: page 3",
    ("CAP_NEAR", "paper"): "exposure $412 of $500",
    ("BOOKS", ""): "1 suspect, 1 stale of 12 markets: strategies are not shown them",
}


def troubled() -> Alerts:
    """Make one of every state: not acknowledged, acknowledged, returned, shelved, suppressed."""
    alerts = Alerts()
    alerts.look(TROUBLES, mode=Mode.PAPER, at_ns=NOW - 300 * S)
    alerts.look(TROUBLES, mode=Mode.PAPER, at_ns=NOW - 240 * S)
    alerts.ack("POS_MISMATCH", actor=ANA, at_ns=NOW - 200 * S)
    alerts.shelve("CAP_NEAR", 1_800 * S, "the cap is raised tonight", actor=ANA, at_ns=NOW - 60 * S)
    alerts.told("LEG_WORSE", "bundle box-7: completes at 0.53, planned 0.51", at_ns=NOW - 41 * S)
    rest = {key: text for key, text in TROUBLES.items() if key[0] != "LIMBO"}
    alerts.look(rest, mode=Mode.PAPER, at_ns=NOW - 20 * S)
    return alerts


def latched(*, verified: bool) -> Alerts:
    """Make what a kill leaves."""
    alerts = Alerts()
    word = "the venue reads empty" if verified else "NOT VERIFIED with the venue yet"
    text = f"new orders are refused; {word}; positions stay: K shows what"
    alerts.look({("KILLED", ""): text}, mode=Mode.LIVE_DRY_RUN, at_ns=NOW - 4 * S)
    return alerts


def hostile_alerts() -> Alerts:
    """Make alerts whose every text is an enemy's."""
    alerts = Alerts()
    for number, text in enumerate(HOSTILE):
        alerts.told("LEG_WORSE", f"{number}{text}: {text}", at_ns=NOW - number * S)
    alerts.ack("a1", actor=HOSTILE[2], at_ns=NOW)
    alerts.shelve("a2", 600 * S, HOSTILE[4], actor=HOSTILE[3], at_ns=NOW)
    return alerts
