"""What all sections of the View share."""

from msgspec import Struct


class Section(Struct, frozen=True, kw_only=True, tag=True):
    """Common to all sections."""

    rev: int
    """Moves when anything in the section moves."""
    at_ns: int
    """Engine time of making; ages are `at_ns` minus the row's own time."""


class CountView(Struct, frozen=True, kw_only=True):
    """A named counter."""

    name: str
    value: int
