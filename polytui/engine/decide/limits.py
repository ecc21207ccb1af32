"""Limits of the gate: from the configuration, changed by directives, bounded by this file.

A change towards safety holds at once and asks for nothing. One away from it takes the typed phrase
`LOOSEN <limit> <value>`; while armed it may at most double (or halve) a limit and comes into force
after ten seconds, in which anybody may abort it. The outermost values are compiled in here: neither
file nor directive nor a restored state passes them. An unknown name is refused with a sentence.
"""

from collections.abc import Mapping
from difflib import get_close_matches
from enum import Enum

import msgspec
from msgspec import Struct

from polytui.engine.core.account_view import LimitRow
from polytui.engine.core.errors import OperatorError, WireError, shown
from polytui.engine.core.order_enums import Control
from polytui.engine.core.runconfig import LimitsConfig
from polytui.engine.core.units import U, parse_u6, text_u6
from polytui.engine.decide.words import S

LOOSEN_WAIT_NS = 10 * S
"""Between the phrase and its effect, while armed."""
STEP_MAX = 2
"""While armed one step at most doubles a limit."""

Number = int | float


class Safer(Enum):
    """Which way a limit tightens."""

    LOWER = "lower"
    HIGHER = "higher"
    NEITHER = "neither"
    """Any change may loosen it."""


class Limit(Struct, frozen=True, kw_only=True):
    """One limit: its unit for people, its outermost values, and the controls that use it."""

    unit: str
    """`$` and `shares` are written in whole units with decimals, the rest as they are."""
    low: Number
    high: Number
    safer: Safer = Safer.LOWER
    control: Control


def _limit(
    unit: str, low: Number, high: Number, control: Control, safer: Safer = Safer.LOWER
) -> Limit:
    return Limit(unit=unit, low=low, high=high, safer=safer, control=control)


_UP = Safer.HIGHER
_MONEY = 10**11

LIMITS: Mapping[str, Limit] = {
    "arm_hours_max": _limit("h", 1, 24, Control.MODE),
    "heartbeat_ms": _limit("ms", 1_000, 9_000, Control.HEARTBEAT),
    "clock_offset_ms": _limit("ms", 10, 5_000, Control.CLOCK),
    "clock_age_s": _limit("s", 10, 600, Control.CLOCK),
    "journal_fill": _limit("share", 0.01, 0.9, Control.JOURNAL),
    "loop_lag_ms": _limit("ms", 10, 2_000, Control.LOOP_LAG),
    "end_min_s": _limit("s", 0, 86_400, Control.TRADABLE, _UP),
    "rolling_end_min_s": _limit("s", 0, 3_600, Control.TRADABLE, _UP),
    "book_age_ms": _limit("ms", 50, 10_000, Control.FRESHNESS),
    "witnessed_age_ms": _limit("ms", 50, 60_000, Control.FRESHNESS),
    "reference_age_ms": _limit("ms", 50, 60_000, Control.FRESHNESS),
    "user_age_ms": _limit("ms", 1_000, 60_000, Control.FRESHNESS),
    "balance_age_ms": _limit("ms", 1_000, 600_000, Control.FRESHNESS),
    "metadata_age_s": _limit("s", 10, 86_400, Control.FRESHNESS),
    "collar_u6": _limit("$", 1_000, 500_000, Control.COLLAR),
    "collar_ticks": _limit("ticks", 1, 100, Control.COLLAR),
    "order_qty_u6": _limit("shares", 1, 10**12, Control.ORDER_SIZE),
    "order_cash_u6": _limit("$", 1, _MONEY, Control.ORDER_SIZE),
    "depth_share": _limit("share", 0.01, 1, Control.DEPTH_SHARE),
    "market_u6": _limit("$", 0, _MONEY, Control.EXPOSURE),
    "group_u6": _limit("$", 0, _MONEY, Control.EXPOSURE),
    "strategy_u6": _limit("$", 0, _MONEY, Control.EXPOSURE),
    "total_u6": _limit("$", 0, _MONEY, Control.EXPOSURE),
    "orders_per_s": _limit("orders/s", 1, 40, Control.RATE),
    "cancel_reserve": _limit("cancels", 1, 1_000, Control.RATE, _UP),
    "sends_max": _limit("sends", 1, 10_000, Control.REPETITION),
    "sends_s": _limit("s", 1, 3_600, Control.REPETITION, _UP),
    "rejects_max": _limit("rejects", 1, 1_000, Control.REPETITION),
    "rejects_s": _limit("s", 1, 3_600, Control.REPETITION, _UP),
    "day_loss_u6": _limit("$", 1, _MONEY, Control.LOSS),
    "drawdown": _limit("share", 0.001, 1, Control.LOSS),
    "strategy_loss_u6": _limit("$", 1, _MONEY, Control.LOSS),
    "failed_share": _limit("share", 0.001, 1, Control.LOSS),
    "failed_window": _limit("fills", 10, 1_000, Control.LOSS, Safer.NEITHER),
    "expiry_min_s": _limit("s", 60, 600, Control.EXPIRY, _UP),
    "expiry_max_s": _limit("s", 60, 86_400, Control.EXPIRY),
    "quote_life_ms": _limit("ms", 0, 60_000, Control.CONDUCT, _UP),
    "orders_per_fill": _limit("orders", 1, 1_000, Control.CONDUCT),
}
"""Every limit, with the outermost values a build allows."""


class Pending(Struct, frozen=True, kw_only=True):
    """A loosening on its way."""

    name: str
    value: Number
    due_ns: int
    actor: str


class Change(Struct, frozen=True, kw_only=True):
    """What a directive came to."""

    name: str
    before: Number
    value: Number
    is_loosened: bool
    due_ns: int
    """When it holds; the moment of asking unless it waits."""
    actor: str
    text: str
    """For the log and the screen."""


class State(Struct, frozen=True, kw_only=True):
    """What a restart must know: the limits that differ from the configuration."""

    changed: dict[str, Number]


class LimitBook:
    """The limits of a run."""

    __slots__ = ("_pending", "configured", "now")

    def __init__(self, configured: LimitsConfig) -> None:
        """Take the configuration as it is.

        Raises:
            OperatorError: a value is outside what is compiled in.
        """
        for name in LIMITS:
            _refuse_outside(name, getattr(configured, name))
        self.configured = configured
        self.now = configured
        self._pending: dict[str, Pending] = {}

    def ask(
        self, name: str, text: str, *, phrase: str, is_armed: bool, actor: str, at_ns: int
    ) -> Change:
        """Change one limit: at once when it tightens, with a phrase when it loosens.

        `text` is in the limit's unit: dollars and shares with decimals, the rest as it is. A
        tightening also ends a loosening of the same limit that is still waiting.

        Raises:
            OperatorError: unknown limit, not a number, outside the compiled range, the phrase
                missing or wrong, or too large a step while armed.
        """
        limit = _known(name)
        value = parse_limit(name, text)
        _refuse_outside(name, value)
        before: Number = getattr(self.now, name)
        if not _loosens(limit, before, value):
            self._pending.pop(name, None)
            return self._apply(name, before, value, actor=actor, at_ns=at_ns)
        wanted = phrase_of(name, text)
        if phrase != wanted:
            raise OperatorError(
                f"{name} {show(name, value)} loosens {show(name, before)}: type {wanted}"
            )
        if not is_armed:
            return self._apply(name, before, value, actor=actor, at_ns=at_ns, is_loosened=True)
        if not _is_small_step(before, value):
            raise OperatorError(
                f"while armed {name} changes by a factor of {STEP_MAX} at most: "
                f"{show(name, before)} now, was asked {show(name, value)}"
            )
        due_ns = at_ns + LOOSEN_WAIT_NS
        self._pending[name] = Pending(name=name, value=value, due_ns=due_ns, actor=actor)
        said = f"{name} {show(name, before)} -> {show(name, value)} in {LOOSEN_WAIT_NS // S} s"
        return Change(
            name=name,
            before=before,
            value=value,
            is_loosened=True,
            due_ns=due_ns,
            actor=actor,
            text=said,
        )

    def loosened_by(self, name: str, text: str) -> str:
        """Say what a value would loosen, in words; empty: it tightens.

        Raises:
            OperatorError: unknown limit, not a number, or outside the compiled range.
        """
        value = parse_limit(name, text)
        _refuse_outside(name, value)
        before: Number = getattr(self.now, name)
        if not _loosens(_known(name), before, value):
            return ""
        return f"{name} {show(name, before)} -> {show(name, value)}"

    def due(self, at_ns: int) -> list[Change]:
        """Bring into force the loosenings that waited long enough."""
        ripe = [p for p in self._pending.values() if p.due_ns <= at_ns]
        for pending in ripe:
            del self._pending[pending.name]
        return [
            self._apply(
                pending.name,
                getattr(self.now, pending.name),
                pending.value,
                actor=pending.actor,
                at_ns=pending.due_ns,
                is_loosened=True,
            )
            for pending in ripe
        ]

    def next_due_ns(self) -> int | None:
        """Return when the next loosening is due, or None."""
        return min((p.due_ns for p in self._pending.values()), default=None)

    def abort(self) -> list[str]:
        """Forget every loosening that waits (a person, the kill); return their names."""
        names = list(self._pending)
        self._pending.clear()
        return names

    def _apply(
        self,
        name: str,
        before: Number,
        value: Number,
        *,
        actor: str,
        at_ns: int,
        is_loosened: bool = False,
    ) -> Change:
        self.now = msgspec.structs.replace(self.now, **{name: value})
        return Change(
            name=name,
            before=before,
            value=value,
            is_loosened=is_loosened,
            due_ns=at_ns,
            actor=actor,
            text=f"{name} {show(name, before)} -> {show(name, value)}",
        )

    # --- show and keep ---------------------------------------------------------------------------

    def text_of(self, control: Control) -> str:
        """Write the limits of a control: `book_age_ms 2000 ms, …`; `hard` when it has none."""
        texts = [
            f"{name} {show(name, getattr(self.now, name))}"
            for name, limit in LIMITS.items()
            if limit.control is control
        ]
        return ", ".join(texts) or "hard"

    def rows(self, used: Mapping[str, int] | None = None) -> tuple[LimitRow, ...]:
        """List every limit as micro-units of its unit (shares of one, too), with its use."""
        use = used or {}
        return tuple(
            LimitRow(
                name=name,
                value=_u6(name, getattr(self.now, name)),
                configured=_u6(name, getattr(self.configured, name)),
                unit=limit.unit,
                used=use.get(name, -1),
            )
            for name, limit in LIMITS.items()
        )

    def dump(self) -> str:
        """Write what differs from the configuration, as JSON."""
        changed = {
            name: getattr(self.now, name)
            for name in LIMITS
            if getattr(self.now, name) != getattr(self.configured, name)
        }
        return msgspec.json.encode(State(changed=changed)).decode()

    def restore(self, value: str) -> list[str]:
        """Put back what `dump` wrote, but nothing looser than the configuration says now.

        A loosening is the word of a person to a run; a restart begins from the file again. Names a
        newer build no longer knows are left out. Returns the names that were put back.
        """
        changed = msgspec.json.decode(value, type=State).changed
        kept = {
            name: stored
            for name, stored in changed.items()
            if name in LIMITS
            and LIMITS[name].low <= stored <= LIMITS[name].high
            and not _loosens(LIMITS[name], getattr(self.now, name), stored)
        }
        self.now = msgspec.structs.replace(self.now, **kept)
        return list(kept)


def _known(name: str) -> Limit:
    limit = LIMITS.get(name)
    if limit is None:
        near = get_close_matches(name, LIMITS, n=1, cutoff=0.6)
        hint = f": did you mean {near[0]}?" if near else f": {', '.join(LIMITS)}"
        raise OperatorError(f"there is no limit {shown(name)}{hint}")
    return limit


def parse_limit(name: str, text: str) -> Number:
    """Read a limit's value in its unit.

    Raises:
        OperatorError: unknown limit, or not such a number.
    """
    limit = _known(name)
    is_whole = limit.unit not in ("$", "shares", "share")
    try:
        value_u6 = parse_u6(text)
    except WireError as error:
        raise OperatorError(f"{name} in {limit.unit}: {error}") from None
    if is_whole and value_u6 % U:
        raise OperatorError(f"{name} is in whole {limit.unit}, was {shown(text)}")
    if limit.unit == "share":
        return value_u6 / U
    return value_u6 // U if is_whole else value_u6


def phrase_of(name: str, text: str) -> str:
    """Say what must be typed to loosen a limit to a value as it was written."""
    return f"LOOSEN {name} {text}"


def show(name: str, value: Number) -> str:
    """Write a limit's value with its unit: `$25`, `100 shares`, `2000 ms`, `0.3`."""
    unit = LIMITS[name].unit
    if unit == "$":
        return f"${text_u6(int(value))}"
    if unit == "shares":
        return f"{text_u6(int(value))} shares"
    return f"{value:g}" if unit == "share" else f"{value} {unit}"


def _u6(name: str, value: Number) -> int:
    """Put a value into micro-units of its unit, for the View."""
    return int(value) if LIMITS[name].unit in ("$", "shares") else round(value * U)


def _loosens(limit: Limit, before: Number, value: Number) -> bool:
    if limit.safer is Safer.LOWER:
        return value > before
    return value < before if limit.safer is Safer.HIGHER else value != before


def _is_small_step(before: Number, value: Number) -> bool:
    low, high = sorted((before, value))
    return high <= STEP_MAX * low


def _refuse_outside(name: str, value: Number) -> None:
    limit = LIMITS[name]
    if not limit.low <= value <= limit.high:
        low, high = show(name, limit.low), show(name, limit.high)
        raise OperatorError(f"expected {name} from {low} to {high}, was {show(name, value)}")
