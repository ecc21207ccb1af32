"""The one gate for foreign text: titles, slugs, outcomes, anything a person will read.

Market titles are hostile. What passes here holds no control, bidirectional, zero-width, private or
unassigned character, is NFC-normalised and bounded; markup in it stays plain text because nothing
downstream parses it.
"""

from unicodedata import category, normalize

TITLE_MAX = 160
"""Longest title kept, in characters."""

_BAD = frozenset({"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"})
_COMBINING_RUN_MAX = 2
"""Marks kept after one base character; more only smear over neighbouring rows."""


def sanitise(text: str, *, limit: int = TITLE_MAX) -> str:
    """Return text safe to show: one line, no control or invisible characters, at most `limit`."""
    kept: list[str] = []
    marks = 0
    for char in normalize("NFC", text[: limit * 4]):
        kind = category(char)
        marks = marks + 1 if kind in ("Mn", "Me") else 0
        if kind in _BAD or marks > _COMBINING_RUN_MAX:
            if char in "\t\n\r\v\f\u2028\u2029":
                kept.append(" ")
            continue
        kept.append(" " if kind == "Zs" else char)
    clean = " ".join("".join(kept).split())
    return clean if len(clean) <= limit else clean[: limit - 1] + "…"
