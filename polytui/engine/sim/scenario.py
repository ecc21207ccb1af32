"""Scenario files: what goes wrong on the practice venue, and when.

A scenario is TOML: a healthy or troubled beginning, then entries on a timeline, each of which
changes switches, turns the population's knobs, or does things to the exchange once (`sim/faults`).
Markets are named by slug, or by a role such as `@updown`, the window that is running. Parsing is
strict: an unknown key or a value out of range is refused with its place. Pure: the text comes in,
times come in, steps go out.
"""

import tomllib
from collections.abc import Iterable, Mapping
from heapq import heappop, heappush
from typing import Any, TypeVar

from msgspec import Struct, ValidationError, convert, structs
from msgspec.structs import replace

from polytui.engine.core.errors import OperatorError
from polytui.engine.sim.exchange.terms import MarketTerms
from polytui.engine.sim.faults import AnyAct, Switches
from polytui.engine.sim.population.crowd import Temper
from polytui.engine.sim.population.herd import MEMBERS_MAX
from polytui.engine.sim.population.makers import STYLES

SECOND_NS = 1_000_000_000
AT_S_MAX = 86_400
"""A timeline is at most a day long."""
ENTRIES_MAX = 1_000

ROLES = ("@updown", "@next", "@first", "@second", "@group")
"""Markets by what they are at the moment: the running up/down window, the next one, the first and
second single market, the first outcome of the NegRisk group."""
WALLET = "@wallet"
"""The first funded test wallet, where an act names an address."""

_TEMPER_LIMITS: Mapping[str, tuple[float, float]] = {
    "pace": (0.01, 1_000.0),
    "makers": (0, len(STYLES)),
    "noise": (0.0, 100.0),
    "informed": (0.0, 1.0),
    "herd": (0, MEMBERS_MAX),
}

_T = TypeVar("_T")
_StructT = TypeVar("_StructT", bound=Struct)


class Entry(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One point of the timeline."""

    s: float
    """Seconds after the start, 0 … 86400."""
    note: str = ""
    """What happens, in a sentence for the operator."""
    for_s: float = 0.0
    """Switches and population changed here go back to the beginning's after so long; 0: stay."""
    switches: dict[str, Any] = {}
    population: dict[str, Any] = {}
    acts: tuple[AnyAct, ...] = ()


class Script(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A scenario file."""

    title: str
    about: str = ""
    """What it rehearses and what a right answer looks like."""
    rows: tuple[str, ...] = ()
    """Rows of `faults.md` it plays."""
    repeat_s: float = 0.0
    """Begin again after so long; 0: play once."""
    switches: Switches = Switches()
    """From the start."""
    population: Temper = Temper()
    at: tuple[Entry, ...] = ()


class Step(Struct, frozen=True, kw_only=True):
    """What a scenario wants done at one moment; names are still those of the file."""

    at_ns: int
    note: str
    switches: Switches | None
    """All switches from now on; None: as they are."""
    temper: Temper | None
    acts: tuple[AnyAct, ...]


def parse(text: str, *, source: str) -> Script:
    """Read a scenario file's text; `source` names it in refusals.

    Raises:
        OperatorError: not TOML, an unknown key, a wrong type, or a value out of range.
    """
    try:
        raw = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise OperatorError(f"{source}: expected TOML, was not: {error}") from None
    script = _convert(raw, Script, source=source, where="")
    if len(script.at) > ENTRIES_MAX:
        raise OperatorError(f"{source}: at: expected at most {ENTRIES_MAX} entries")
    _check_fields(script.switches, script.population, source=source, where="")
    for n, entry in enumerate(script.at):
        where = f"at[{n}]."
        in_day = 0 <= entry.s <= AT_S_MAX
        _expect(source, f"{where}s", f"0 to {AT_S_MAX}", entry.s, holds=in_day)
        in_day = 0 <= entry.for_s <= AT_S_MAX
        _expect(source, f"{where}for_s", f"0 to {AT_S_MAX}", entry.for_s, holds=in_day)
        switches, temper = _changed(script.switches, script.population, entry, source, where)
        _check_fields(switches, temper, source=source, where=where)
    longest_s = max((entry.s + entry.for_s for entry in script.at), default=0.0)
    fits = not script.repeat_s or script.repeat_s > longest_s
    _expect(source, "repeat_s", f"0 or more than {longest_s:g}", script.repeat_s, holds=fits)
    return script


class Scenario:
    """A script being played: knows what is in force and what comes next."""

    __slots__ = ("_heap", "_pushed", "script", "switches", "temper")

    def __init__(self, script: Script, *, start_ns: int) -> None:
        """Begin; the script's own switches and population are in force from the start."""
        self.script = script
        self.switches = script.switches
        self.temper = script.population
        self._heap: list[_Moment] = []
        self._pushed = 0
        self._begin(start_ns)

    def next_due_ns(self) -> int | None:
        """Return when something changes next, None when nothing ever does."""
        return self._heap[0][0] if self._heap else None

    def due(self, until_ns: int) -> list[Step]:
        """Return the steps due by then, in order, each once."""
        steps = []
        while self._heap and self._heap[0][0] <= until_ns:
            due_ns, _, _, entry, is_end = heappop(self._heap)
            steps.append(self._step(due_ns, entry, is_end=is_end))
            if entry is _EVERYTHING:
                self._begin(due_ns)
        return steps

    def inject(self, entry: Entry, at_ns: int) -> None:
        """Let an entry happen at a time, whatever the script has in store; its `s` is ignored."""
        self._push(at_ns, entry, is_end=False)
        if entry.for_s:
            self._push(at_ns + int(entry.for_s * SECOND_NS), entry, is_end=True)

    def heal(self, at_ns: int) -> None:
        """Let switches and population be as in the beginning; the script goes on."""
        self._push(at_ns, _HEAL, is_end=True)

    def _begin(self, start_ns: int) -> None:
        """Plan the whole script; one that repeats ends with everything as in the beginning."""
        for entry in self.script.at:
            self.inject(entry, start_ns + int(entry.s * SECOND_NS))
        if self.script.repeat_s:
            again_ns = start_ns + int(self.script.repeat_s * SECOND_NS)
            self._push(again_ns, _EVERYTHING, is_end=True)

    def _push(self, due_ns: int, entry: Entry, *, is_end: bool) -> None:
        """Plan one moment; at the same time ends come first, then the order of planning."""
        self._pushed += 1
        heappush(self._heap, (due_ns, not is_end, self._pushed, entry, is_end))

    def _step(self, at_ns: int, entry: Entry, *, is_end: bool) -> Step:
        script = self.script
        if is_end:
            switches = _reverted(self.switches, script.switches, entry.switches)
            temper = _reverted(self.temper, script.population, entry.population)
            note = f"over: {entry.note}" if entry.note else ""
        else:
            switches, temper = _changed(self.switches, self.temper, entry, "scenario", "")
            note = entry.note
        step = Step(
            at_ns=at_ns,
            note=note,
            switches=switches if switches != self.switches else None,
            temper=temper if temper != self.temper else None,
            acts=() if is_end else entry.acts,
        )
        self.switches, self.temper = switches, temper
        return step


_Moment = tuple[int, bool, int, Entry, bool]

_HEAL = Entry(
    s=0.0,
    note="as in the beginning",
    switches=dict.fromkeys(Switches.__struct_fields__),
    population=dict.fromkeys(Temper.__struct_fields__),
)
_EVERYTHING = replace(_HEAL, note="")
"""The end of a script that repeats."""


def active_faults(switches: Switches) -> tuple[str, ...]:
    """Name the switches that are not as on a healthy venue, with their values."""
    healthy = Switches()
    found = []
    for name in Switches.__struct_fields__:
        value = getattr(switches, name)
        if value != getattr(healthy, name):
            found.append(name if value is True else f"{name} {_value_text(value)}")
    return tuple(found)


# --- names ---------------------------------------------------------------------------------------


class Names:
    """Turns a scenario's names into ids, at one moment."""

    def __init__(self, markets: Iterable[MarketTerms], *, now_ns: int, wallet: str = "") -> None:
        """Look at the markets that are not resolved yet, in the order of listing."""
        known = list(markets)
        self._by_slug = {terms.slug: terms for terms in known}
        windows = sorted(
            (t for t in known if t.outcomes == ("Up", "Down") and t.end_ns > now_ns),
            key=lambda terms: terms.end_ns,
        )
        singles = [t for t in known if t.outcomes != ("Up", "Down") and not t.neg_risk]
        group = [t for t in known if t.neg_risk]
        order = (windows, windows[1:], singles, singles[1:], group)
        self._roles = {role: row[0] for role, row in zip(ROLES, order, strict=True) if row}
        self._wallet = wallet

    def market(self, name: str) -> MarketTerms:
        """Find a market by role, slug or condition id.

        Raises:
            OperatorError: there is no such market now.
        """
        found = self._roles.get(name) or self._by_slug.get(name)
        if found is None:
            found = next((t for t in self._by_slug.values() if t.condition == name), None)
        if found is None:
            roles = ", ".join(ROLES)
            raise OperatorError(f"expected a market's slug or one of {roles}, was {name!r}")
        return found

    def token(self, name: str) -> str:
        """Find a token: a market, a colon and `yes` or `no`; a plain id is taken as it is.

        Raises:
            OperatorError: there is no such token now.
        """
        market, colon, outcome = name.rpartition(":")
        if not colon and name.isdecimal():
            return name
        if outcome not in ("yes", "no"):
            raise OperatorError(f"expected a market and :yes or :no, was {name!r}")
        return self.market(market).tokens[outcome == "no"]

    def switches(self, switches: Switches) -> Switches:
        """Return the switches with ids for names."""
        return replace(
            switches,
            deaf_tokens=tuple(self.token(name) for name in switches.deaf_tokens),
            ghost_markets=tuple(self.market(name).condition for name in switches.ghost_markets),
        )

    def act(self, act: AnyAct) -> AnyAct:
        """Return the act with ids for names."""
        changes: dict[str, str] = {}
        if (market := getattr(act, "market", None)) is not None and isinstance(market, str):
            changes["market"] = self.market(market).condition
        if getattr(act, "address", None) == WALLET and self._wallet:
            changes["address"] = self._wallet
        return replace(act, **changes) if changes else act


# --- reading -------------------------------------------------------------------------------------


def _changed(
    switches: Switches, temper: Temper, entry: Entry, source: str, where: str
) -> tuple[Switches, Temper]:
    """Put an entry's changes over what is in force."""
    changed = _convert(
        structs.asdict(switches) | entry.switches,
        Switches,
        source=source,
        where=f"{where}switches",
    )
    population = _convert(
        _plain(temper) | entry.population, Temper, source=source, where=f"{where}population"
    )
    return changed, population


def _reverted(now: _StructT, beginning: _StructT, named: Mapping[str, object]) -> _StructT:
    """Set the fields named back to what they were in the beginning."""
    return replace(now, **{name: getattr(beginning, name) for name in named})


def _plain(temper: Temper) -> dict[str, Any]:
    values = structs.asdict(temper)
    return values | {"regime": temper.regime.value if temper.regime else None}


def _convert(raw: Any, type_: type[_T], *, source: str, where: str) -> _T:
    """Read data strictly; turn a refusal into a sentence with file, key and value."""
    try:
        return convert(raw, type_)
    except ValidationError as error:
        said, _, path = str(error).partition(" - at `$")
        key = path.rstrip("`").removeprefix(".") or ""
        place = ".".join(part for part in (where, key) if part)
        value = _value_at(raw, key)
        was = f", was {value!r}" if value is not None and "unknown field" not in said else ""
        raise OperatorError(
            f"{source}: {place or 'file'}: {said[:1].lower()}{said[1:]}{was}"
        ) from None


def _value_at(raw: Any, key: str) -> object:
    """Follow a path such as `at[0].s`; None where it leads nowhere or to something large."""
    for part in key.replace("[", ".[").split("."):
        try:
            if part.startswith("["):
                raw = raw[int(part[1:-1])]
            elif part:
                raw = raw[part]
        except (KeyError, IndexError, TypeError, ValueError):
            return None
    return raw if isinstance(raw, str | int | float | bool) else None


def _check_fields(switches: Switches, temper: Temper, *, source: str, where: str) -> None:
    """Refuse numbers out of range: chances beyond one, negative times, too large a herd."""
    for name in Switches.__struct_fields__:
        value, place = getattr(switches, name), f"{where}switches.{name}"
        if isinstance(value, float):
            _expect(source, place, "a chance, 0 to 1", value, holds=0 <= value <= 1)
        elif isinstance(value, int) and name != "clock_skew_ms":
            _expect(source, place, "0 or more", value, holds=value >= 0)
    for name, (low, high) in _TEMPER_LIMITS.items():
        value, place = getattr(temper, name), f"{where}population.{name}"
        _expect(source, place, f"{low:g} to {high:g}", value, holds=low <= value <= high)


def _expect(source: str, place: str, wanted: str, value: object, *, holds: bool) -> None:
    if not holds:
        raise OperatorError(f"{source}: {place}: expected {wanted}, was {value}")


def _value_text(value: object) -> str:
    if isinstance(value, tuple):
        return ",".join(str(item)[:12] for item in value)
    if isinstance(value, float):
        return f"{value:g}"
    if isinstance(value, Struct):
        return " ".join(str(item) for item in structs.astuple(value))
    return str(value)
