"""Alerts in the View: what stands, what returned, who knows of it, what was put aside."""

from enum import Enum

from msgspec import Struct

from polytui.engine.core.section import Section


class AlertClass(Enum):
    """How soon a person must look."""

    CRITICAL = "C"
    HIGH = "H"
    LOW = "L"


class AlertState(Enum):
    """Where an alert is in its life (console.md §6.10, after ISA-18.2)."""

    UNACK = "unack"
    ACK = "ack"
    RTN = "rtn"
    """Its cause is gone, and nobody has acknowledged it yet."""
    LATCH = "latch"
    """Acknowledged, and standing until a person resets its cause."""
    SHELVED = "shelved"
    SUPP = "supp"
    """Suppressed by design: what it warns of cannot happen in this mode."""


class AlertRow(Struct, frozen=True, kw_only=True):
    """One alert. What its code means is in `core.alert_codes`."""

    alert: str
    """Its id: `a12`."""
    code: str
    subject: str
    """What it is about: an order, a market, a realm; may be empty."""
    cls: AlertClass
    state: AlertState
    text: str
    since_ns: int
    last_ns: int
    """When it was last raised."""
    count: int
    """How often it was raised."""
    first_out: bool = False
    """The first of a flood: the others may follow from it."""
    more: int = 0
    """Others of its code, folded into it while there is a flood."""
    acked_by: str = ""
    acked_ns: int = 0
    shelved_by: str = ""
    shelved_until_ns: int = 0
    reason: str = ""
    """Why it was shelved."""


class AlertNote(Struct, frozen=True, kw_only=True):
    """One line of the alerts' journal."""

    at_ns: int
    alert: str
    code: str
    what: str
    """`raised`, `returned`, `acknowledged`, `shelved`, `unshelved`, `gone`."""
    actor: str
    """Who did it; empty: the engine."""
    text: str


class AlertTop(Struct, frozen=True, kw_only=True):
    """The one alert that most needs a look."""

    alert: str
    code: str
    cls: AlertClass
    state: AlertState
    text: str
    since_ns: int


class AlertCounts(Struct, frozen=True, kw_only=True):
    """The alerts in the status bar and on the alert line."""

    critical: int = 0
    """Not acknowledged, returned ones too."""
    high: int = 0
    low: int = 0
    standing: int = 0
    """All that are listed as active, acknowledged ones too."""
    shelved: int = 0
    flood: bool = False
    top: AlertTop | None = None


class AlertsView(Section, frozen=True, kw_only=True, tag="alerts"):
    """The Alerts page."""

    active: tuple[AlertRow, ...]
    """The most urgent first; in a flood folded by code."""
    shelved: tuple[AlertRow, ...]
    """Put aside by a person, and suppressed by design."""
    journal: tuple[AlertNote, ...]
    """Newest first."""
    flood_since_ns: int
    """0: there is none."""


ALERTS = "alerts"
NO_ALERTS = AlertCounts()
