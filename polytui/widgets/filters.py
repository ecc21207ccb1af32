"""Row filters: words joined by and, `!word` excludes, `key:value` asks one column."""

from collections.abc import Mapping

from msgspec import Struct

TEXT_MAX = 80
"""Longest filter text; typing stops there."""

TERMS_MAX = 8
"""Terms beyond this are ignored; nobody types nine."""


class Term(Struct, frozen=True):
    """One word of a filter."""

    text: str
    column: str = ""
    """Empty: any column."""
    wanted: bool = True


def parse(text: str) -> tuple[Term, ...]:
    """Read a filter; anything typed is a filter, so nothing here can fail."""
    terms = []
    for word in text[:TEXT_MAX].casefold().split()[:TERMS_MAX]:
        wanted = not word.startswith("!")
        body = word.removeprefix("!")
        column, colon, value = body.partition(":")
        term = Term(value, column, wanted) if colon and column else Term(body, "", wanted)
        if term.text:
            terms.append(term)
    return tuple(terms)


def matches(terms: tuple[Term, ...], columns: Mapping[str, str]) -> bool:
    """Tell whether a row, given as column → text, passes every term."""
    return all(_holds(term, columns) is term.wanted for term in terms)


def _holds(term: Term, columns: Mapping[str, str]) -> bool:
    if term.column:
        return any(
            term.text in value.casefold()
            for name, value in columns.items()
            if name.startswith(term.column)
        )
    return any(term.text in value.casefold() for value in columns.values())
