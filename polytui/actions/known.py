"""The names that a line may hold: what completes it, and what a short word stands for."""

from collections.abc import Iterator, Mapping

from msgspec import Struct

from polytui.engine.core.registry import CHOICES
from polytui.engine.core.verbs import Kind

SHOWN_MAX = 40
"""Candidates of one word; nobody reads more."""


class Name(Struct, frozen=True):
    """One thing by its exact name, with the words a person knows it by."""

    exact: str
    words: tuple[str, ...] = ()
    """Beginning with the one that completion writes; empty: the exact name."""

    @property
    def word(self) -> str:
        """Give what completion writes."""
        return self.words[0] if self.words else self.exact

    def starts(self, text: str) -> bool:
        """Tell whether a text is a beginning of any of its words."""
        return any(
            word.casefold().startswith(text.casefold()) for word in (*self.words, self.exact)
        )

    def equals(self, text: str) -> bool:
        """Tell whether a text is one of its words."""
        return text in (*self.words, self.exact)


class Known(Struct, frozen=True, kw_only=True):
    """What the console has seen of the engine."""

    strategies: tuple[Name, ...] = ()
    markets: tuple[Name, ...] = ()
    """By condition id; their words are slugs."""
    orders: tuple[Name, ...] = ()
    limits: tuple[Name, ...] = ()
    breakers: tuple[Name, ...] = ()
    causes: tuple[Name, ...] = ()
    troubles: tuple[Name, ...] = ()
    alerts: tuple[Name, ...] = ()


def _prefixed(kind: str, names: tuple[Name, ...]) -> Iterator[Name]:
    """Write names of a scope: `market:<id>`, also by the bare word."""
    for name in names:
        yield Name(f"{kind}:{name.exact}", (f"{kind}:{name.word}", *name.words, name.exact))


def names_of(kind: Kind, known: Known) -> tuple[Name, ...]:
    """List the names an argument of a kind may hold, as far as they are known here."""
    everything = Name("all")
    if kind is Kind.SCOPE:
        return (
            everything,
            *_prefixed("strategy", known.strategies),
            *_prefixed("market", known.markets),
            *_prefixed("order", known.orders),
        )
    if kind is Kind.HELD:
        return (everything, *_prefixed("market", known.markets))
    listed: Mapping[Kind, tuple[Name, ...]] = {
        Kind.STRATEGY: known.strategies,
        Kind.LIMIT: known.limits,
        Kind.BREAKER: known.breakers,
        Kind.CAUSE: (everything, *known.causes),
        Kind.TROUBLE: known.troubles,
        Kind.ALERT: (*known.alerts, Name("low")),
        **{kind: tuple(map(Name, choices)) for kind, choices in CHOICES.items()},
    }
    return listed.get(kind, ())


def meant(text: str, names: tuple[Name, ...]) -> tuple[str, str]:
    """Find the exact name a word stands for; or why not: it is several things at once.

    What is not known here is left as it is: the engine knows more.
    """
    exact = [name for name in names if name.equals(text)]
    found = exact or ([name for name in names if name.starts(text)] if text else [])
    several = list(dict.fromkeys(name.exact for name in found))
    if len(several) == 1:
        return several[0], ""
    if not several:
        return text, ""
    shown = ", ".join(name.word for name in found[:4])
    return text, f"{text!r} may be {shown}"
