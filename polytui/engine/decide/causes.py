"""Why trading is not ACTIVE: a set of independent causes, the worst wins.

Each cause has an owner. It goes when its owner withdraws it by evidence, or, if it is of the other
kind, when a person releases it with a reason: never both, and never by being forgotten. Causes for
a person survive a restart; the others are found again from evidence.
"""

from enum import Enum

import msgspec
from msgspec import Struct

from polytui.engine.core.account_view import CauseRow
from polytui.engine.core.errors import EngineBug, OperatorError, shown
from polytui.engine.core.order_enums import TradingState

EVERY = "all"
CAUSES_MAX = 1_000
"""More causes at once than this is our bug."""

_RANK = {TradingState.ACTIVE: 0, TradingState.REDUCING: 1, TradingState.HALTED: 2}


class Clears(Enum):
    """What takes a cause away."""

    EVIDENCE = "evidence"
    PERSON = "person"


class Cause(Struct, frozen=True, kw_only=True):
    """One reason not to be ACTIVE."""

    name: str
    state: TradingState
    owner: str
    """The module that found it and alone may withdraw it."""
    clears: Clears
    why: str
    since_ns: int


class Causes:
    """The causes of one realm."""

    __slots__ = ("_by_name", "state", "why")

    def __init__(self) -> None:
        """Start without any: ACTIVE."""
        self._by_name: dict[str, Cause] = {}
        self.state = TradingState.ACTIVE
        self.why = ""

    def put(self, cause: Cause) -> bool:
        """Add or renew a cause; tell whether anything changed. A person's is never made milder.

        Raises:
            EngineBug: another module owns this name, or there are far too many.
        """
        known = self._by_name.get(cause.name)
        if known is None and len(self._by_name) >= CAUSES_MAX:
            raise EngineBug(f"expected at most {CAUSES_MAX} causes, was one more: {cause.name}")
        if known is not None:
            if known.owner != cause.owner:
                raise EngineBug(f"{cause.name} is owned by {known.owner}, not {cause.owner}")
            if (known.state, known.why, known.clears) == (cause.state, cause.why, cause.clears):
                return False
            is_milder = _RANK[cause.state] < _RANK[known.state]
            if known.clears is Clears.PERSON and (is_milder or cause.clears is not known.clears):
                return False
            cause = msgspec.structs.replace(cause, since_ns=known.since_ns)
        self._by_name[cause.name] = cause
        self._judge()
        return True

    def withdraw(self, name: str, *, owner: str) -> bool:
        """Take a cause away because the evidence is gone; a person's stays. Tell whether it went.

        Raises:
            EngineBug: another module owns it.
        """
        cause = self._by_name.get(name)
        if cause is None:
            return False
        if cause.owner != owner:
            raise EngineBug(f"{name} is owned by {cause.owner}, not {owner}")
        if cause.clears is Clears.PERSON:
            return False
        del self._by_name[name]
        self._judge()
        return True

    def named(self, name: str) -> list[Cause]:
        """List those that a person clears: of this name, or with `all` every one."""
        persons = (c for c in self._by_name.values() if c.clears is Clears.PERSON)
        return [cause for cause in persons if name in (EVERY, cause.name)]

    def release(self, name: str) -> Cause:
        """Take a person's cause away at a person's word.

        Raises:
            OperatorError: there is none of that name, or it waits for evidence.
        """
        cause = self._by_name.get(name)
        if cause is None:
            known = ", ".join(self._by_name) or "none stands"
            raise OperatorError(f"there is no cause {shown(name)}: {known}")
        if cause.clears is Clears.EVIDENCE:
            raise OperatorError(f"{name} clears by evidence alone: {cause.why}")
        del self._by_name[name]
        self._judge()
        return cause

    def _judge(self) -> None:
        """Find the worst; of equals the oldest speaks."""
        worst = max(self._by_name.values(), key=lambda c: _RANK[c.state], default=None)
        self.state = TradingState.ACTIVE if worst is None else worst.state
        self.why = "" if worst is None else f"{worst.name}: {worst.why}"

    def __contains__(self, name: str) -> bool:
        """Tell whether a cause stands."""
        return name in self._by_name

    def rows(self) -> tuple[CauseRow, ...]:
        """List them, the worst first, then the oldest."""
        causes = sorted(self._by_name.values(), key=lambda c: (-_RANK[c.state], c.since_ns))
        return tuple(
            CauseRow(
                state=cause.state,
                cause=f"{cause.name}: {cause.why}",
                since_ns=cause.since_ns,
                clears=cause.clears.value,
            )
            for cause in causes
        )

    def dump(self) -> str:
        """Write the causes that only a person clears, as JSON."""
        kept = [c for c in self._by_name.values() if c.clears is Clears.PERSON]
        return msgspec.json.encode(kept).decode()

    def restore(self, value: str) -> None:
        """Put back what `dump` wrote."""
        for cause in msgspec.json.decode(value, type=list[Cause]):
            self._by_name.setdefault(cause.name, cause)
        self._judge()
