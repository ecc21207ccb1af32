"""Every operator action, once, as data.

Keys, footer, palette, help page and documentation are generated from `ACTIONS`; nothing else in
the console binds a key. An action with a `directive` travels to the engine and is judged there;
one without is the console's own business. Listing an action here never means that it is possible
now: `refusal` says why not, in a sentence, and the action stays in its place on the screen.

Pages and keys that have not been built (orders, strategy, risk, model, replay, alerts) are absent
on purpose, as is the kill: there are no orders before the execution kernel. Its place is the right
end of the tab line, its chord control-backslash; neither is used for anything else.
"""

from collections.abc import Callable
from enum import Enum

from msgspec import Struct


class Danger(Enum):
    """Which way an action moves risk; the confirmation rules follow from it."""

    REDUCE = "reduce"
    NEUTRAL = "neutral"
    INCREASE = "increase"
    MIXED = "mixed"


class Group(Enum):
    """Headings of the help page, in its order."""

    GO = "Go to"
    MOVE = "Move"
    VIEW = "View"
    STRATEGY = "Strategies"
    SESSION = "Session"
    VENUE = "Practice venue"


class Facts(Struct, frozen=True, kw_only=True):
    """What decides whether an action is possible now."""

    page: str = "overview"
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
    copyable: bool = False
    """Whether there is a row to copy."""
    filterable: bool = False
    filtered: bool = False
    two_books: bool = False
    practice: bool = False
    """Whether the venue is the practice venue."""
    trouble: str = ""
    """The trouble under the cursor, on the venue lab's page."""


Refusal = Callable[[Facts], str | None]


class Action(Struct, frozen=True, kw_only=True):
    """One thing an operator can do."""

    id: str
    keys: tuple[str, ...]
    """Textual key names; the first is the one shown."""
    title: str
    help: str
    group: Group
    danger: Danger = Danger.NEUTRAL
    directive: str | None = None
    """Name of the directive it sends; None: handled by the console."""
    args: tuple[str, ...] = ()
    """What it always sends along; empty: what `arguments` finds in the facts."""
    read_only: bool = True
    """Whether a client without the right to write may use it."""
    pages: tuple[str, ...] = ()
    """Where it applies; empty: everywhere."""
    footer: int = 0
    """Rank in the footer, 1 first; 0: not shown there."""
    refuse: Refusal | None = None
    """Why it is not possible now, in a sentence; None when it is."""


def _no_market(facts: Facts) -> str | None:
    return None if facts.market else "put the cursor on a row that has a market"


def _no_row(facts: Facts) -> str | None:
    return None if facts.copyable else "put the cursor on a row"


def _no_filter(facts: Facts) -> str | None:
    return None if facts.filterable else "this panel has no rows to filter"


def _no_filter_set(facts: Facts) -> str | None:
    return None if facts.filtered else "no filter is set"


def _no_strategy(facts: Facts) -> str | None:
    if facts.strategy:
        return None
    if not facts.strategies:
        return "no strategy has been seen yet"
    return "several strategies: put the cursor on a decision of the one you mean (page 5)"


def _cannot_pause(facts: Facts) -> str | None:
    return _no_strategy(facts) or (f"{facts.strategy} is already paused" if facts.paused else None)


def _cannot_resume(facts: Facts) -> str | None:
    return _no_strategy(facts) or (None if facts.paused else f"{facts.strategy} is not paused")


def _cannot_pause_all(facts: Facts) -> str | None:
    return "every strategy is already paused" if facts.all_paused else None


def _no_lab(facts: Facts) -> str | None:
    return None if facts.practice else "only the practice venue has a lab"


def _not_in_lab(facts: Facts) -> str | None:
    if facts.page == VENUE_LAB:
        return None
    return _no_lab(facts) or "troubles are caused on the venue lab's page"


def _no_trouble(facts: Facts) -> str | None:
    return _not_in_lab(facts) or (None if facts.trouble else "put the cursor on a trouble")


OVERVIEW, BOOK, DECISIONS, MODULES = "overview", "book", "decisions", "modules"
VENUE_LAB = "venue_lab"
"""A page of the practice venue alone: it has a tab only while it is open."""


def _cause(trouble: str, key: str, title: str, help_: str) -> Action:
    """Make the action that causes one common trouble on the practice venue."""
    return Action(
        id=f"venue.{trouble}",
        keys=(key,),
        title=title,
        help=help_,
        group=Group.VENUE,
        danger=Danger.MIXED,
        directive="venue.fault",
        args=(trouble,),
        read_only=False,
        refuse=_not_in_lab,
    )


ACTIONS: tuple[Action, ...] = (
    # --- go ---------------------------------------------------------------------------------
    Action(
        id="page.overview",
        keys=("1",),
        title="Overview",
        help="All markets, the feeds, the decisions and what went wrong.",
        group=Group.GO,
    ),
    Action(
        id="page.book",
        keys=("2",),
        title="Book",
        help="One market's order book, its trades and how far the book can be trusted.",
        group=Group.GO,
    ),
    Action(
        id="page.decisions",
        keys=("5",),
        title="Why",
        help="Why strategies acted and why they did not, nearest miss first.",
        group=Group.GO,
    ),
    Action(
        id="page.modules",
        keys=("9",),
        title="System",
        help="Every module with its heartbeat, the engine's latency and the link.",
        group=Group.GO,
    ),
    Action(
        id="row.open",
        keys=("enter",),
        title="Open book",
        help="Open the book of the market under the cursor. Never confirms anything.",
        group=Group.GO,
        footer=2,
        refuse=_no_market,
    ),
    Action(
        id="row.why",
        keys=("w",),
        title="Why",
        help="Show the decisions about the market under the cursor.",
        group=Group.GO,
        footer=3,
        refuse=_no_market,
    ),
    # --- move -------------------------------------------------------------------------------
    Action(
        id="panel.next",
        keys=("tab",),
        title="Panel",
        help="Go to the next panel; on small screens this brings it into view.",
        group=Group.MOVE,
        footer=7,
    ),
    Action(
        id="panel.previous",
        keys=("shift+tab",),
        title="Previous panel",
        help="Go to the previous panel.",
        group=Group.MOVE,
    ),
    Action(
        id="cursor.down",
        keys=("j", "down"),
        title="Down",
        help="Move the cursor down; it stays on its row when rows change places.",
        group=Group.MOVE,
    ),
    Action(
        id="cursor.up",
        keys=("k", "up"),
        title="Up",
        help="Move the cursor up.",
        group=Group.MOVE,
    ),
    Action(
        id="cursor.page_down",
        keys=("pagedown",),
        title="Page down",
        help="Move the cursor a page down.",
        group=Group.MOVE,
    ),
    Action(
        id="cursor.page_up",
        keys=("pageup",),
        title="Page up",
        help="Move the cursor a page up.",
        group=Group.MOVE,
    ),
    Action(
        id="cursor.first",
        keys=("g", "home"),
        title="First row",
        help="Move the cursor to the first row.",
        group=Group.MOVE,
    ),
    Action(
        id="cursor.last",
        keys=("G", "end"),
        title="Last row",
        help="Move the cursor to the last row.",
        group=Group.MOVE,
    ),
    # --- view -------------------------------------------------------------------------------
    Action(
        id="filter.open",
        keys=("slash",),
        title="Filter",
        help="Keep rows that match. Words are joined by and; `!word` excludes, `key:value` asks "
        "one column, e.g. `state:suspect !btc`.",
        group=Group.VIEW,
        footer=4,
        refuse=_no_filter,
    ),
    Action(
        id="filter.clear",
        keys=("escape",),
        title="Clear filter",
        help="Remove the filter of this panel.",
        group=Group.VIEW,
        refuse=_no_filter_set,
    ),
    Action(
        id="view.freeze",
        keys=("space",),
        title="Freeze",
        help="Hold this page still to read it; the engine goes on and the panels say FROZEN.",
        group=Group.VIEW,
        footer=8,
    ),
    Action(
        id="view.time",
        keys=("t",),
        title="Time base",
        help="Show times as ages, as UTC, or as local time.",
        group=Group.VIEW,
    ),
    Action(
        id="book.token",
        keys=("v",),
        title="Other token",
        help="Show the book as the other token's holder sees it.",
        group=Group.VIEW,
        pages=(BOOK,),
        footer=1,
        refuse=lambda facts: "both tokens are already shown" if facts.two_books else None,
    ),
    Action(
        id="view.theme",
        keys=("T",),
        title="Theme",
        help="Take the next theme. Every theme shows the same text.",
        group=Group.VIEW,
    ),
    Action(
        id="view.ascii",
        keys=("A",),
        title="ASCII",
        help="Draw with ASCII characters only, or with boxes again.",
        group=Group.VIEW,
    ),
    Action(
        id="row.copy",
        keys=("y",),
        title="Copy",
        help="Copy the row under the cursor to the clipboard and to a file.",
        group=Group.VIEW,
        refuse=_no_row,
    ),
    # --- strategies -------------------------------------------------------------------------
    Action(
        id="strategy.pause",
        keys=("p",),
        title="Pause",
        help="Pause the strategy of the row, or the only one there is. Takes effect at once.",
        group=Group.STRATEGY,
        danger=Danger.REDUCE,
        directive="strategy.pause",
        read_only=False,
        footer=5,
        refuse=_cannot_pause,
    ),
    Action(
        id="strategy.resume",
        keys=("r",),
        title="Resume",
        help="Let a paused strategy propose again.",
        group=Group.STRATEGY,
        danger=Danger.INCREASE,
        directive="strategy.resume",
        read_only=False,
        footer=6,
        refuse=_cannot_resume,
    ),
    Action(
        id="strategy.pause_all",
        keys=("P",),
        title="Pause all",
        help="Pause every strategy at once. Asks nothing; each is resumed by itself.",
        group=Group.STRATEGY,
        danger=Danger.REDUCE,
        directive="strategy.pause_all",
        read_only=False,
        refuse=_cannot_pause_all,
    ),
    # --- session ----------------------------------------------------------------------------
    Action(
        id="help.keys",
        keys=("question_mark",),
        title="Keys",
        help="Show every key that is valid here, and why a key is not.",
        group=Group.SESSION,
        footer=9,
    ),
    Action(
        id="palette.open",
        keys=("ctrl+p",),
        title="Palette",
        help="Find an action by its name.",
        group=Group.SESSION,
    ),
    Action(
        id="engine.stop",
        keys=(),
        title="Stop engine",
        help="Stop the engine. Asks first; every console attached to it loses it.",
        group=Group.SESSION,
        danger=Danger.MIXED,
        directive="engine.stop",
        read_only=False,
    ),
    Action(
        id="session.quit",
        keys=("q",),
        title="Quit",
        help="Leave the console. Asks whether the engine should go on.",
        group=Group.SESSION,
        footer=10,
    ),
    # --- the practice venue -----------------------------------------------------------------
    Action(
        id=f"page.{VENUE_LAB}",
        keys=("L",),
        title="Venue lab",
        help="What the practice venue is up to, and troubles to cause. Other venues have no lab.",
        group=Group.VENUE,
        refuse=_no_lab,
    ),
    Action(
        id="venue.cause",
        keys=("f",),
        title="Cause",
        help="In the venue lab: cause the trouble under the cursor.",
        group=Group.VENUE,
        danger=Danger.MIXED,
        directive="venue.fault",
        read_only=False,
        refuse=_no_trouble,
    ),
    _cause(
        "heal", "h", "Heal", "In the venue lab: end every trouble caused; the scenario goes on."
    ),
    _cause("freeze", "F", "Freeze", "In the venue lab: market sockets fall silent for 10 s."),
    _cause("drop", "D", "Lost frames", "In the venue lab: one frame in five is lost for 10 s."),
    _cause("torn", "X", "Torn sides", "In the venue lab: the sides of changes part for 10 s."),
    _cause("cut", "C", "Cut streams", "In the venue lab: every market connection is cut."),
    _cause("restart", "R", "Restart", "In the venue lab: the matching engine restarts."),
    _cause("wild", "W", "Wild prices", "In the venue lab: every market is wild for 30 s."),
    _cause("herd", "H", "Herd", "In the venue lab: two hundred follow one signal for a minute."),
    _cause(
        "storm", "S", "Failing trades", "In the venue lab: 35 % of trades fail after the match."
    ),
)

BY_ID: dict[str, Action] = {action.id: action for action in ACTIONS}

PAGES: tuple[str, ...] = tuple(
    name
    for action in ACTIONS
    if (name := action.id.removeprefix("page.")) != action.id and name != VENUE_LAB
)
"""Those with a tab, in its order."""

_KEY_TEXT = {
    "slash": "/",
    "question_mark": "?",
    "enter": "Enter",
    "escape": "Esc",
    "space": "Space",
    "tab": "Tab",
    "shift+tab": "S-Tab",
    "pagedown": "PgDn",
    "pageup": "PgUp",
    "down": "Down",
    "up": "Up",
    "home": "Home",
    "end": "End",
}


def key_text(key: str) -> str:
    """Write a key the way the screen shows it (`^P`, `?`, `Enter`)."""
    if key in _KEY_TEXT:
        return _KEY_TEXT[key]
    return f"^{key.removeprefix('ctrl+').upper()}" if key.startswith("ctrl+") else key


def refusal(action: Action, facts: Facts) -> str | None:
    """Say why an action is not possible now, in a sentence; None when it is.

    The engine judges again: this is what spares the operator a round trip, not what protects it.
    """
    if action.pages and facts.page not in action.pages:
        return f"only on page {', '.join(action.pages)}"
    if not action.read_only and facts.role == "ro":
        return "this client is read-only; attach to the admin socket or use `polytui ctl`"
    if action.directive is not None and not facts.linked:
        return "no engine is connected"
    return action.refuse(facts) if action.refuse is not None else None


def arguments(action: Action, facts: Facts) -> tuple[str, ...]:
    """Give what an action's directive is about."""
    if action.args or "all" in action.id:
        return action.args
    return (facts.trouble,) if action.directive == "venue.fault" else (facts.strategy,)


def footer_actions(page: str) -> tuple[Action, ...]:
    """Give the actions of a page's footer in their order."""
    shown = [a for a in ACTIONS if a.footer and (not a.pages or page in a.pages)]
    return tuple(sorted(shown, key=lambda action: action.footer))
