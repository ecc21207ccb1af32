"""What a directive is, as data: one struct per thing that the engine can be asked for.

Keys, palette, `:` line, command line, socket and documents are made from these; the table itself
is `registry`. Nothing here judges: the shell enforces the confirmation, the engine the rest.
"""

from collections.abc import Sequence
from enum import Enum

from msgspec import Struct

from polytui.engine.core.enums import Mode


class Risk(Enum):
    """Which way a directive moves risk; the confirmation rules follow from it."""

    REDUCE = "reduce"
    NEUTRAL = "neutral"
    INCREASE = "increase"
    MIXED = "mixed"


class Need(Enum):
    """What has to be confirmed before a directive is let in."""

    NONE = "none"
    YES = "y"
    LEGS = "y if a two-leg group breaks"
    TYPED = "typed"
    """The verb's phrase, to the letter."""
    LOOSENS = "typed to loosen"
    UP = "y to go up"


class Kind(Enum):
    """What an argument names: how it is checked, and what completes it."""

    STRATEGY = "strategy"
    TROUBLE = "trouble"
    SCOPE = "scope"
    HELD = "held"
    """`all` or a market: what a flatten takes."""
    CAUSE = "cause"
    BREAKER = "breaker"
    LIMIT = "limit"
    MODE = "mode"
    GATE = "gate"
    ALERT = "alert"
    NUMBER = "number"
    WHOLE = "whole"
    SPAN = "span"
    """A length of time: `30m`, `4h`, or plain minutes."""
    PHRASE = "phrase"
    """Typed to confirm; may be left out and typed when it is asked for."""
    TEXT = "text"
    SECRET = "secret"


class Arg(Struct, frozen=True, kw_only=True):
    """One argument, in its place."""

    name: str
    kind: Kind = Kind.TEXT
    help: str = ""
    """Filled in where the name does not say it."""
    optional: bool = False
    rest: bool = False
    """Takes all words that are left."""


class Alias(Struct, frozen=True, kw_only=True):
    """Another way to write a verb, with the arguments it stands for."""

    words: str
    """One or two words, e.g. `cancel` or `pause all`."""
    args: tuple[str, ...] = ()


MODES = (Mode.SHADOW, Mode.PAPER, Mode.LIVE_DRY_RUN, Mode.LIVE_ARMED)
"""The columns of a confirmation rule, in the order of their danger."""

Rule = tuple[Need, Need, Need, Need]
"""A need for each of `MODES`."""

ASKS_NOTHING: Rule = (Need.NONE, Need.NONE, Need.NONE, Need.NONE)


class Verb(Struct, frozen=True, kw_only=True):
    """One directive."""

    id: str
    title: str
    help: str
    """One sentence, or two."""
    risk: Risk
    args: tuple[Arg, ...] = ()
    confirm: Rule = ASKS_NOTHING
    phrase: str = ""
    """What must be typed where the rule says `typed`; `<…>` stands for what the engine fills in."""
    reason: bool = False
    """Whether a reason must be given with it."""
    aliases: tuple[Alias, ...] = ()
    examples: tuple[str, ...] = ()
    done: str = ""
    """The answer when the engine has taken it, `{}` its arguments; empty: the engine says it."""
    audit: bool = True
    """Whether it is in the log with who asked and what came of it; a passphrase is not."""
    internal: bool = False
    """Asked by the engine's own process alone, never by a client."""

    @property
    def usage(self) -> str:
        """Write the verb with its arguments, as help shows it."""
        return " ".join((self.id, *map(usage_of, self.args)))

    @property
    def phrase_at(self) -> int:
        """Give the place of the typed phrase among the arguments; -1: it has none."""
        kinds = [arg.kind for arg in self.args]
        return kinds.index(Kind.PHRASE) if Kind.PHRASE in kinds else -1

    @property
    def is_secret(self) -> bool:
        """Tell whether an argument must not be seen."""
        return any(arg.kind is Kind.SECRET for arg in self.args)


def usage_of(arg: Arg) -> str:
    """Write one argument: `<needed>`, `[optional]`, `…` for all that is left."""
    name = f"{arg.name}…" if arg.rest else arg.name
    return f"[{name}]" if arg.optional else f"<{name}>"


_RANK = {mode: rank for rank, mode in enumerate(MODES)}
_REDUCED = {Need.LEGS, Need.UP, Need.LOOSENS}


def is_down(args: Sequence[str], mode: Mode | None) -> bool:
    """Tell whether `mode.set` with these arguments leads to less risk, or stays."""
    wanted = args[0] if args else ""
    if wanted == Mode.SHADOW.value:
        return True
    rank = next((_RANK[m] for m in MODES if m.value == wanted), len(MODES))
    return mode in _RANK and rank <= _RANK[mode]


def need_of(verb: Verb, args: Sequence[str], mode: Mode | None) -> Need:
    """Say what a verb with these arguments needs in a mode; an unknown mode is the strictest."""
    need = verb.confirm[_RANK.get(mode, len(MODES) - 1) if mode is not None else len(MODES) - 1]
    if need is Need.LEGS and args and args[0].startswith("order:"):
        return Need.NONE
    if need is Need.UP:
        return Need.NONE if is_down(args, mode) else Need.YES
    return need


def risk_of(verb: Verb, args: Sequence[str], mode: Mode | None) -> Risk:
    """Say which way a verb with these arguments moves risk, as far as the arguments tell."""
    need = verb.confirm[-1]
    if need is Need.LEGS and args and args[0].startswith("order:"):
        return Risk.REDUCE
    if need is Need.UP:
        return Risk.REDUCE if is_down(args, mode) else Risk.INCREASE
    return verb.risk


def words_of(need: Need, verb: Verb) -> str:
    """Write a need as the tables and the hint below the `:` line do."""
    if need is Need.TYPED:
        return f"typed {verb.phrase}"
    return f"typed {verb.phrase} to loosen" if need is Need.LOOSENS else need.value
