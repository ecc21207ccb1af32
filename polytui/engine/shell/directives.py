"""What may be asked of a running engine, judged before it becomes an event.

A directive that could do nothing is refused with a sentence; one that is let in is in the log.
"""

from collections.abc import Mapping, Sequence

from msgspec import Struct

from polytui.engine.core.errors import shown
from polytui.engine.core.messages import Answer, Ask

STOP = "engine.stop"
"""The one directive that the shell carries out, after it is in the log."""

TEXT_CHARS_MAX = 128
"""Longest id or argument."""


class Rule(Struct, frozen=True, kw_only=True):
    """One directive."""

    strategies: bool
    """Its arguments name strategies, at least one; otherwise it takes none."""
    done: str
    """The answer when the engine has taken it."""


RULES: Mapping[str, Rule] = {
    "strategy.pause": Rule(strategies=True, done="Paused: {}."),
    "strategy.resume": Rule(strategies=True, done="Running again: {}."),
    "strategy.pause_all": Rule(strategies=False, done="Every strategy is paused."),
    STOP: Rule(strategies=False, done="The engine stops."),
}


def refuse(ask: Ask, *, strategies: Sequence[str]) -> Answer | None:
    """Say why an ask is not let in; None when it is."""
    rule = RULES.get(ask.action)
    if not 0 < len(ask.id) <= TEXT_CHARS_MAX:
        return _no(ask, "bad_request", f"expected an id of 1 to {TEXT_CHARS_MAX} characters")
    if rule is None:
        known = ", ".join(sorted(RULES))
        return _no(ask, "unknown_action", f"there is no action {shown(ask.action)}: {known}")
    if not rule.strategies and ask.args:
        return _no(ask, "bad_request", f"expected no arguments, was {shown(ask.args[0])}")
    if rule.strategies and not ask.args:
        return _no(ask, "bad_request", "expected the name of a strategy, was none")
    known = ", ".join(strategies) or "none, as all are disabled"
    for name in ask.args:
        if name not in strategies:
            return _no(ask, "refused", f"expected one of {known}, was {shown(name)}")
    return None


def done(ask: Ask) -> Answer:
    """Say that an ask was carried out."""
    text = RULES[ask.action].done.format(", ".join(ask.args))
    return Answer(id=ask.id, ok=True, code="done", text=text)


def _no(ask: Ask, code: str, text: str) -> Answer:
    return Answer(id=ask.id[:TEXT_CHARS_MAX], ok=False, code=code, text=text)
