"""What an action is, and the facts that decide whether it is possible now.

An action that sends a directive takes its title, its sentence and its risk from the registry of
directives, unless it is a special case of one and says so itself.
"""

from collections.abc import Callable
from enum import Enum
from typing import Any

from msgspec import Struct

from polytui.engine.core.enums import Mode
from polytui.engine.core.registry import REGISTRY
from polytui.engine.core.verbs import Risk

OVERVIEW, BOOK, DECISIONS, MODULES = "overview", "book", "decisions", "modules"
ORDERS, POSITIONS, RISK = "orders", "positions", "risk"
ALERTS = "alerts"
VENUE_LAB = "venue_lab"
"""A page of the practice venue alone: it has a tab only while it is open."""
KILL = "kill"
"""The kill's receipt: it has a tab while it is open, and comes up by itself after a kill."""


class Group(Enum):
    """Headings of the help page, in its order."""

    STOP = "Stop and cancel"
    GO = "Go to"
    MOVE = "Move"
    VIEW = "View"
    STRATEGY = "Strategies"
    RISK = "Mode and limits"
    ALERTS = "Alerts"
    SESSION = "Session"
    VENUE = "Practice venue"


class Facts(Struct, frozen=True, kw_only=True):
    """What decides whether an action is possible now."""

    page: str = OVERVIEW
    linked: bool = False
    role: str = ""
    """`rw`, `ro`, or empty while unknown."""
    strategy: str = ""
    """The strategy `p` and `r` would act on; empty when there is none or the choice is open."""
    strategies: int = 0
    """How many strategies are known."""
    paused: bool = False
    """Whether that strategy is paused."""
    all_paused: bool = False
    market: str = ""
    """Condition id of the row under the cursor."""
    title: str = ""
    """The market's name, already safe to show; empty where the row has none."""
    subject: str = ""
    """What else the row is about: `order:<cid>`, `limit:<name>`, `breaker:<name>`, `alert:<id>`,
    `shelved:<id>`."""
    alert: str = ""
    """The alert under the cursor, or the one on the alert line; empty: there is none."""
    lease_holder: str = ""
    """Who else may write; empty: this console may."""
    over: str = ""
    """Why what the row offers is over, e.g. `the order is matched`, `the breaker is closed`; empty:
    its order may be cancelled, its breaker reset."""
    copyable: bool = False
    """Whether there is a row to copy."""
    filterable: bool = False
    filtered: bool = False
    holdable: bool = False
    """Whether the current panel has rows that could move away."""
    two_books: bool = False
    practice: bool = False
    """Whether the venue is the practice venue."""
    trouble: str = ""
    """The trouble under the cursor, on the venue lab's page."""
    mode: Mode | None = None
    """None while it is not known."""
    killed: bool = False
    arm_stage: str = ""
    """Of the arming ritual, as the engine told it; empty while not known."""

    def named(self, kind: str) -> str:
        """Give the name of the subject if it is of a kind, e.g. `order`; else nothing."""
        head, _, name = self.subject.partition(":")
        return name if head == kind else ""


Refusal = Callable[[Facts], str | None]


class Action(Struct, frozen=True, kw_only=True):
    """One thing an operator can do."""

    id: str
    keys: tuple[str, ...]
    """Textual key names; the first is the one shown."""
    title: str
    help: str
    group: Group
    danger: Risk = Risk.NEUTRAL
    directive: str | None = None
    """Name of the directive it sends, for which a client must have the right to write; None:
    handled by the console."""
    args: tuple[str, ...] = ()
    """What it always sends along; empty: what `arguments` finds in the facts."""
    aliases: tuple[str, ...] = ()
    """Words for it in the `:` line; those of a directive are in the registry."""
    line: bool = False
    """Whether the palette opens the `:` line for it, as it needs something typed."""
    pages: tuple[str, ...] = ()
    """Where it applies; empty: everywhere."""
    key_pages: tuple[str, ...] = ()
    """Where its keys count, the palette having it everywhere; empty: where it applies."""
    priority: bool = False
    """Its keys count before any other, in dialogs, inputs and the palette as well."""
    footer: int = 0
    """Rank in the footer, 1 first; 0: not shown there."""
    refuse: Refusal | None = None
    """Why it is not possible now, in a sentence; left out: what goes for its directive, if any."""


def asks(directive: str, *, group: Group, **fields: Any) -> Action:
    """Make an action that sends a directive: what is not given is taken from the registry."""
    verb = REGISTRY[directive]
    given: dict[str, Any] = {
        "id": directive,
        "keys": (),
        "title": verb.title,
        "help": verb.help,
        "danger": verb.risk,
    }
    return Action(**given | fields, group=group, directive=directive)
