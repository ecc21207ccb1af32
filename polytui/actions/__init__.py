"""Every operator action, once, as data.

Keys, footer, palette, help page and documentation are generated from `ACTIONS`; nothing else in
the console binds a key. An action with a `directive` travels to the engine and is judged there;
one without is the console's own business. Listing an action here never means that it is possible
now: `refusal` says why not, in a sentence, and the action stays in its place on the screen.

A key may mean different things on different pages (`key_pages`); the kill's keys mean one thing
everywhere. Pages and keys that have not been built (strategy, model, replay) are absent on
purpose; their digits are used for nothing else. A directive that no action sends is still listed:
the palette opens the `:` line for it.
"""

from collections.abc import Callable

from polytui.actions.model import (
    KILL,
    VENUE_LAB,
    Action,
    Facts,
    Group,
    Refusal,
    asks,
)
from polytui.actions.refusals import VERB_REFUSALS
from polytui.actions.table import COMMON
from polytui.actions.trading import RISKS, STOP, WARNINGS
from polytui.engine.core.registry import VERBS
from polytui.engine.core.verbs import Risk, Verb

__all__ = [
    "ACTIONS",
    "BY_ID",
    "KILL",
    "KILL_KEYS",
    "PAGES",
    "VENUE_LAB",
    "Action",
    "Facts",
    "Group",
    "Refusal",
    "arguments",
    "footer_actions",
    "has_key_here",
    "key_text",
    "may_ask",
    "pick",
    "refusal",
    "refuse_verb",
]

_MADE: tuple[Action, ...] = (*STOP, *WARNINGS, *COMMON, *RISKS)

_GROUP = {"gate": Group.STRATEGY, "mode": Group.RISK}


def _in_shell_only(facts: Facts) -> str | None:
    """Tell that a secret is typed elsewhere."""
    del facts
    return "a secret must not be seen: type it to `polytui unlock` in a shell"


def _of_verb(verb: Verb) -> Action:
    """Make an action of a directive that has none: the palette opens the `:` line for it."""
    refuse = _in_shell_only if verb.is_secret else None
    group = _GROUP.get(verb.id.partition(".")[0], Group.SESSION)
    return asks(verb.id, group=group, line=bool(verb.args), refuse=refuse)


ACTIONS: tuple[Action, ...] = (
    *_MADE,
    *(
        _of_verb(verb)
        for verb in VERBS
        if not verb.internal and all(action.directive != verb.id for action in _MADE)
    ),
)

BY_ID: dict[str, Action] = {action.id: action for action in ACTIONS}

PAGES: tuple[str, ...] = tuple(
    name
    for action in ACTIONS
    if (name := action.id.removeprefix("page.")) != action.id and name not in (VENUE_LAB, KILL)
)
"""Those with a tab at all times, in its order."""

KILL_KEYS = frozenset(BY_ID["risk.kill"].keys)
"""Caught on the input thread, before anything else sees them."""

_KEY_TEXT = {
    "ctrl+backslash": "^\\",
    "f12": "F12",
    "slash": "/",
    "question_mark": "?",
    "colon": ":",
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


def has_key_here(action: Action, page: str) -> bool:
    """Tell whether an action's keys count on a page."""
    pages = action.key_pages or action.pages
    return not pages or page in pages


def pick(key: str, page: str) -> Action | None:
    """Find what a key means on a page; None: it means something on other pages only."""
    for action in ACTIONS:
        if key in action.keys and has_key_here(action, page):
            return action
    return None


def refusal(action: Action, facts: Facts) -> str | None:
    """Say why an action is not possible now, in a sentence; None when it is.

    The engine judges again: this is what spares the operator a round trip, not what protects it.
    """
    if action.pages and facts.page not in action.pages:
        return f"only on page {', '.join(action.pages)}"
    check = action.refuse
    if action.directive is not None:
        why = may_ask(facts, action.directive, action.danger)
        if why is not None:
            return why
        check = check or VERB_REFUSALS.get(action.directive)
    return None if check is None else check(facts)


def may_ask(facts: Facts, directive: str, risk: Risk) -> str | None:
    """Say why this console may not ask the engine for anything of a risk; None: it may."""
    if facts.role == "ro":
        return "this client is read-only; attach to the admin socket or use `polytui ctl`"
    if not facts.linked:
        return "no engine is connected"
    if facts.lease_holder and risk is not Risk.REDUCE and directive != "lease.take":
        return f"{facts.lease_holder} holds the write lease; `:take` takes it"
    return None


def refuse_verb(verb: Verb, facts: Facts, risk: Risk) -> str | None:
    """Say why a directive that was typed is not possible now; None when it is."""
    if verb.is_secret:
        return _in_shell_only(facts)
    why = may_ask(facts, verb.id, risk)
    check = VERB_REFUSALS.get(verb.id)
    return why or (check(facts) if check is not None else None)


_ARGUMENTS: dict[str, Callable[[Facts], tuple[str, ...]]] = {
    "strategy.pause": lambda facts: (facts.strategy,),
    "strategy.resume": lambda facts: (facts.strategy,),
    "venue.cause": lambda facts: (facts.trouble,),
    "orders.cancel": lambda facts: (f"order:{facts.named('order')}",),
    "orders.cancel_market": lambda facts: (f"market:{facts.market}",),
    "orders.cancel_strategy": lambda facts: (f"strategy:{facts.strategy}",),
    "risk.flatten_market": lambda facts: (f"market:{facts.market}",),
    "limit.set": lambda facts: (facts.named("limit"),),
    "breaker.reset": lambda facts: (facts.named("breaker"),),
    "alert.ack": lambda facts: (facts.alert,),
    "alert.shelve": lambda facts: (facts.alert,),
    "alert.unshelve": lambda facts: (facts.named("shelved"),),
}


def arguments(action: Action, facts: Facts) -> tuple[str, ...]:
    """Give what an action's directive is about; what a person types comes after it."""
    if action.args:
        return action.args
    find = _ARGUMENTS.get(action.id)
    return () if find is None else find(facts)


def footer_actions(page: str) -> tuple[Action, ...]:
    """Give the actions of a page's footer in their order, those of the page before the others."""
    shown = [
        a
        for a in ACTIONS
        if a.footer and has_key_here(a, page) and (not a.pages or page in a.pages)
    ]
    return tuple(sorted(shown, key=lambda a: (not (a.key_pages or a.pages), a.footer)))
