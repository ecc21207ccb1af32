"""The `:` line: what a text means, what would complete it, and what it would do. Pure.

Grammar: `verb object [key=value …]`. Verbs are the ids and aliases of the registry of directives
and the words of the console's own actions; a beginning that only one of them has is enough, for
objects too. `!` at the end skips nothing.
"""

from collections.abc import Sequence

from msgspec import Struct

from polytui.actions import ACTIONS, Action, Facts, refusal, refuse_verb
from polytui.actions.known import SHOWN_MAX, Known, meant, names_of
from polytui.engine.core.registry import ALIASES, REGISTRY, check, place, resolve
from polytui.engine.core.verbs import Arg, Kind, Verb, need_of, risk_of, words_of

HISTORY_MAX = 200

LOCAL: dict[str, Action] = {
    word: action
    for action in ACTIONS
    if action.directive is None and not action.priority
    for word in (*action.aliases, action.id)
}
"""The console's own verbs."""

WITH_MARKET = {
    "page.book": "book",
    "row.open": "book",
    "page.decisions": "decisions",
    "row.why": "decisions",
}
"""Those that take a market, and the page that they turn to it."""

_DIRECT = {id_ for id_, verb in REGISTRY.items() if not verb.internal}
WORDS: tuple[str, ...] = tuple(sorted({*ALIASES, *_DIRECT, *LOCAL}))
"""Everything that a line may begin with."""


class Typed(Struct, frozen=True, kw_only=True):
    """What a text means now."""

    text: str
    verb: Verb | None = None
    action: Action | None = None
    """One of the console's own, where there is no verb."""
    args: tuple[str, ...] = ()
    why: str = ""
    """Why it cannot be done, in a sentence; empty: Enter does it."""
    hint: str = ""
    """Risk, rule and help: what Enter would do."""


def _words(text: str) -> list[str]:
    return text.removesuffix("!").split()


def full_word(words: Sequence[str]) -> tuple[list[str], str]:
    """Write out the verb that words begin with, if only one begins so; or say which ones do."""
    if resolve(words) is not None or words[0] in LOCAL:
        return list(words), ""
    begun = words[0].casefold()
    found = [word for word in WORDS if word.startswith(begun) and " " not in word]
    targets = {_target(word) for word in found}
    if len(targets) == 1:
        shortest = min(found, key=len)
        return [*shortest.split(), *words[1:]], ""
    if not found:
        return list(words), f"there is no verb {words[0]!r}"
    return list(words), f"{words[0]!r} may be {', '.join(found[:6])}"


def _target(word: str) -> tuple[str, tuple[str, ...]]:
    alias = ALIASES.get(word)
    if alias is not None:
        return alias[0].id, alias[1]
    return (LOCAL[word].id if word in LOCAL else word), ()


def read_line(text: str, facts: Facts, known: Known) -> Typed:
    """Say what a text means: the directive with its arguments, or why it is none."""
    words = _words(text)
    if not words:
        return Typed(text=text, hint="a verb, e.g. pause box; Tab completes, Esc leaves")
    words, why = full_word(words)
    if why:
        return Typed(text=text, why=why)
    found = resolve(words)
    if found is None:
        return _local(text, LOCAL[words[0]], words[1:], facts, known)
    verb, preset, took = found
    placed, why = place(verb, (*preset, *words[took:]))
    args, doubt = _meant_args(verb, placed, known)
    why = why or doubt or check(verb, args)
    risk = risk_of(verb, args, facts.mode)
    why = refuse_verb(verb, facts, risk) or why or ""
    rule = words_of(need_of(verb, args, facts.mode), verb)
    asks = "asks nothing" if rule == "none" else f"asks: {rule}"
    line = " ".join((verb.id, *args)) if args else verb.usage
    return Typed(
        text=text, verb=verb, args=args, why=why, hint=f"{risk.value}, {asks}  {line}  {verb.help}"
    )


def _meant_args(verb: Verb, args: Sequence[str], known: Known) -> tuple[tuple[str, ...], str]:
    exact: list[str] = []
    for number, text in enumerate(args):
        arg = arg_at(verb, number)
        if arg is None or (arg.rest and arg.kind is Kind.TEXT):
            exact.append(text)
            continue
        one, doubt = meant(text, names_of(arg.kind, known))
        if doubt:
            return tuple(args), doubt
        exact.append(one)
    return tuple(exact), ""


def arg_at(verb: Verb, number: int) -> Arg | None:
    """Give the argument in a place; the last one may take many."""
    if number < len(verb.args):
        return verb.args[number]
    return verb.args[-1] if verb.args and verb.args[-1].rest else None


def _local(text: str, action: Action, words: Sequence[str], facts: Facts, known: Known) -> Typed:
    args: tuple[str, ...] = ()
    why = ""
    if words and action.id in WITH_MARKET:
        market, why = meant(words[0], known.markets)
        args = (market,)
    elif words and action.id != "view.theme":
        why = f"{action.title} takes no words"
    else:
        args = tuple(words[:1])
    refused = "" if args else refusal(action, facts) or ""
    return Typed(text=text, action=action, args=args, why=why or refused, hint=action.help)


# --- completion ----------------------------------------------------------------------------------


def candidates(text: str, known: Known, themes: Sequence[str] = ()) -> tuple[str, ...]:
    """List the words that could stand at the end of a text, as they would be written."""
    words = text.split()
    last = words[-1] if words and not text.endswith(" ") else ""
    before = words[: len(words) - bool(last)]
    if not before:
        return tuple(word for word in WORDS if word.startswith(last))[:SHOWN_MAX]
    pairs = [word for word in WORDS if word.startswith(f"{before[0]} ")] if len(before) == 1 else []
    second = [word.split()[1] for word in pairs if word.split()[1].startswith(last)]
    found = resolve(before)
    if found is None:
        return tuple(second) + _of_local(before, last, known, themes)
    verb, preset, took = found
    arg = arg_at(verb, len(preset) + len(before) - took)
    if arg is None:
        return tuple(second)
    if arg.kind is not Kind.TEXT:
        names = [name.word for name in names_of(arg.kind, known) if name.starts(last)]
        return tuple(dict.fromkeys((*second, *names)))[:SHOWN_MAX]
    return tuple(second)


def _of_local(
    before: Sequence[str], last: str, known: Known, themes: Sequence[str]
) -> tuple[str, ...]:
    action = LOCAL.get(before[0])
    if action is None:
        return ()
    if action.id == "view.theme":
        return tuple(theme for theme in themes if theme.startswith(last))
    if action.id not in WITH_MARKET:
        return ()
    return tuple(name.word for name in known.markets if name.starts(last))[:SHOWN_MAX]


def completed(text: str, choice: str) -> str:
    """Put a candidate in the place of the word that is being typed."""
    head = text[: text.rfind(" ") + 1]
    return f"{head}{choice} "


class History:
    """The lines that were sent, newest last."""

    def __init__(self) -> None:
        self._lines: list[str] = []
        self._at = 0

    def add(self, text: str) -> None:
        """Keep a line; a repeated one moves to the end."""
        if text in self._lines:
            self._lines.remove(text)
        self._lines = [*self._lines, text][-HISTORY_MAX:]
        self._at = len(self._lines)

    def reset(self) -> None:
        """Begin at the end again."""
        self._at = len(self._lines)

    def step(self, steps: int, begin: str) -> str | None:
        """Go to an older (-1) or newer line that begins as typed; None: there is none."""
        at = self._at + steps
        while 0 <= at < len(self._lines):
            if self._lines[at].startswith(begin):
                self._at = at
                return self._lines[at]
            at += steps
        return None
