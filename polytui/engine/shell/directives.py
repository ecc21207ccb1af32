"""What may be asked of a running engine, judged before it becomes an event.

The table is made from the registry of directives. A directive that could do nothing is refused with
a sentence; one that is let in is in the log.
"""

from collections.abc import Mapping, Sequence

from msgspec import Struct

from polytui.engine.account.directives import ACTS, Reply
from polytui.engine.core.errors import shown
from polytui.engine.core.messages import Answer, Ask
from polytui.engine.core.registry import VERBS
from polytui.engine.core.verbs import Kind, Verb

STOP = "engine.stop"
"""Carried out by the shell, after it is in the log."""
FAULT = "venue.fault"
"""The same: the practice venue, and only it, gets into trouble on request."""

DRAIN = "engine.drain"
"""Asked by the shell when it is told to end."""

KILL = "risk.kill"
"""The one that is carried out before it is an event."""
KILLED = "KILLED: the gate is closed, everything is being cancelled."

UNLOCK = "signer.unlock"
"""The one that is never an event: its argument is a passphrase."""

STRATEGIES, TROUBLES, WORDS = "strategy", "trouble", "words"
"""What the arguments of a directive may name; WORDS are judged by the engine alone."""

TEXT_CHARS_MAX = 128
"""Longest id or argument."""
ARGS_MAX = 64


class Rule(Struct, frozen=True, kw_only=True):
    """One directive."""

    takes: str
    """What its arguments name, at least one of them; empty: it takes none."""
    one: bool = False
    """Exactly one argument."""
    done: str = ""
    """The answer when the engine has taken it; empty: the engine says it itself."""


_TAKES = {Kind.STRATEGY: STRATEGIES, Kind.TROUBLE: TROUBLES}


def _rule(verb: Verb) -> Rule:
    """Make the rule of a verb: what the engine's accounts judge, they judge alone."""
    if verb.id in ACTS:
        return Rule(takes=WORDS)
    takes = _TAKES[verb.args[0].kind] if verb.args else ""
    return Rule(takes=takes, one=bool(verb.args) and not verb.args[0].rest, done=verb.done)


RULES: Mapping[str, Rule] = {
    verb.id: _rule(verb) for verb in VERBS if not verb.internal and not verb.is_secret
}
"""What a client may send; a secret never becomes an event, and some the process asks alone."""


_NONE = {
    STRATEGIES: "none, as all are disabled",
    TROUBLES: "none, as this is not the practice venue",
}


def refuse(ask: Ask, *, strategies: Sequence[str], troubles: Sequence[str] = ()) -> Answer | None:
    """Say why an ask is not let in; None when it is. Only a practice venue has troubles to name."""
    rule = RULES.get(ask.action)
    if not 0 < len(ask.id) <= TEXT_CHARS_MAX:
        return _no(ask, "bad_request", f"expected an id of 1 to {TEXT_CHARS_MAX} characters")
    if rule is None:
        known = ", ".join(sorted(RULES))
        return _no(ask, "unknown_action", f"there is no action {shown(ask.action)}: {known}")
    if not rule.takes and ask.args:
        return _no(ask, "bad_request", f"expected no arguments, was {shown(ask.args[0])}")
    if rule.takes == WORDS:
        return _refuse_words(ask)
    if not rule.takes:
        return None
    if not ask.args:
        return _no(ask, "bad_request", f"expected the name of a {rule.takes}, was none")
    if rule.one and len(ask.args) > 1:
        return _no(ask, "bad_request", f"expected one {rule.takes}, was {len(ask.args)}")
    listed = troubles if rule.takes == TROUBLES else strategies
    known = ", ".join(listed) or _NONE[rule.takes]
    for name in ask.args:
        if name not in listed:
            return _no(ask, "refused", f"expected one of {known}, was {shown(name)}")
    return None


def _refuse_words(ask: Ask) -> Answer | None:
    """Refuse more than anybody types; what the words mean is the engine's to judge."""
    longest = max((len(arg) for arg in ask.args), default=0)
    if len(ask.args) <= ARGS_MAX and longest <= TEXT_CHARS_MAX:
        return None
    most = f"at most {ARGS_MAX} arguments of {TEXT_CHARS_MAX} characters"
    return _no(ask, "bad_request", f"expected {most}")


def done(ask: Ask, reply: Reply) -> Answer:
    """Say what became of an ask that the engine took."""
    if not reply.ok:
        return _no(ask, "refused", reply.text)
    text = reply.text or RULES[ask.action].done.format(", ".join(ask.args))
    return Answer(id=ask.id, ok=True, code="done", text=text)


def unlocked(id_: str, why: str) -> Answer:
    """Say whether a keystore was opened."""
    text = f"not opened: {why}" if why else "The keystore is open."
    return Answer(id=id_[:TEXT_CHARS_MAX], ok=not why, code="refused" if why else "done", text=text)


def _no(ask: Ask, code: str, text: str) -> Answer:
    return Answer(id=ask.id[:TEXT_CHARS_MAX], ok=False, code=code, text=text)
