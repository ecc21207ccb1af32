"""What a directive would do, in numbers, and what must be typed before it is done: only looks.

A directive that the engine would refuse is refused here already, with the same sentence: nobody is
asked to confirm what cannot happen.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Final

from msgspec import Struct

from polytui.engine.account.account import Account
from polytui.engine.account.evidence import gate_evidence
from polytui.engine.account.flattening import holdings
from polytui.engine.account.trading import Trading
from polytui.engine.core.enums import Mode
from polytui.engine.core.errors import OperatorError, shown
from polytui.engine.core.registry import REGISTRY
from polytui.engine.core.verbs import Need, is_down, need_of
from polytui.engine.decide import breakers, limits
from polytui.engine.decide.cancels import CancelPreview, CancelScope, OpenOrder, preview
from polytui.engine.decide.exits import ExitRow, FlattenPreview, Holding
from polytui.engine.decide.exits import preview as exit_preview
from polytui.engine.decide.modes import NEXT
from polytui.engine.decide.words import dollars, price, shares

SCOPES: Final = "order:<id>, market:<id>, strategy:<id> or all"
HELD: Final = "all or market:<id>"
SLIP_U6: Final = 20_000
"""How far below the best bid a flatten sells unless it is told otherwise."""
ROWS_MAX: Final = 6
"""Lines of one kind in an impact; the rest is counted."""
YES: Final = "y"
LIVE: Final = (Mode.LIVE_DRY_RUN, Mode.LIVE_ARMED)


class Impact(Struct, frozen=True, kw_only=True):
    """What would happen, and what a person has to type first."""

    lines: tuple[str, ...] = ()
    typed: str = ""
    """`y`, a phrase, or nothing where nothing needs to be confirmed."""


NOTHING: Final = Impact()


# --- looks that the deeds take too ---------------------------------------------------------------


def cancel_preview(account: Account, text: str) -> CancelPreview:
    """Say what cancelling `order:<cid>`, `market:<id>`, `strategy:<id>` or `all` would do.

    Raises:
        OperatorError: it is no scope, or names nothing that is open.
    """
    kind, _, name = text.partition(":")
    try:
        scope = CancelScope(kind)
    except ValueError:
        raise OperatorError(f"expected order, market, strategy or all, was {shown(kind)}") from None
    orders = [
        OpenOrder(
            cid=order.cid,
            order_hash=order.order_hash,
            strategy=order.draft.strategy,
            market=order.draft.market,
            bundle=order.draft.bundle,
            is_external=order.external,
        )
        for order in account.orders.open()
    ]
    return preview(scope, name, orders)


def flatten_preview(
    account: Account, text: str, *, at_ns: int, seq: int
) -> tuple[str, list[Holding], FlattenPreview]:
    """Say what flattening `all` or `market:<id>` would sell: the market, what is held, the sales.

    Raises:
        OperatorError: it is neither, or nothing is held there.
    """
    kind, _, market = text.partition(":")
    if kind not in ("all", "market") or (kind == "market") is not bool(market):
        raise OperatorError(f"expected {HELD}, was {shown(text)}")
    held = [one for one in holdings(account, at_ns=at_ns, seq=seq) if market in ("", one.market)]
    return market, held, exit_preview(held, SLIP_U6)


def flatten_is_typed(trading: Trading) -> bool:
    """Tell whether a flatten takes its phrase: where orders are real, and after a kill."""
    return trading.room.mode in LIVE or trading.room.kill.killed


# --- one look per directive ----------------------------------------------------------------------


class _Look(Struct, frozen=True):
    """A directive that is looked at."""

    trading: Trading
    args: tuple[str, ...]
    at_ns: int
    seq: int

    def arg(self, ix: int) -> str:
        return self.args[ix] if ix < len(self.args) else ""


def _cancel(look: _Look) -> Impact:
    account = look.trading.acting
    wanted = cancel_preview(account, look.arg(0))
    breaks = look.trading.room.mode in LIVE and bool(wanted.bundles)
    if not breaks or wanted.scope is CancelScope.ORDER:
        return NOTHING
    groups = [_group_text(account, name) for name in wanted.bundles]
    return Impact(lines=(wanted.text, *_cut(groups), _stays(account)), typed=YES)


def _group_text(account: Account, name: str) -> str:
    bundle = account.bundles.by_id.get(name)
    if bundle is None:
        return f"loses a working leg: {name}"
    title = account.markets.title(bundle.market) or bundle.market[:12]
    return f"loses a working leg: {bundle.strategy} {title[:40]}"


def _flatten(look: _Look) -> Impact:
    account = look.trading.acting
    _, _, wanted = flatten_preview(account, look.arg(0), at_ns=look.at_ns, seq=look.seq)
    lines = [
        f"cancels first: {len(account.orders.open())} orders open",
        wanted.text,
        *_cut([_exit_text(account, row) for row in wanted.rows]),
        "only sells, inside the bound; a flattened box loses its locked profit",
    ]
    typed = wanted.phrase if flatten_is_typed(look.trading) else YES
    return Impact(lines=tuple(lines), typed=typed)


def _exit_text(account: Account, row: ExitRow) -> str:
    name = account.markets.title(row.market) or row.market[:12]
    outcome = account.markets.outcome_name(row.market, row.outcome)
    left = f", {shares(row.left_u6)} stay" if row.left_u6 else ""
    if not row.qty_u6:
        return f"{name[:40]} {outcome}: nothing can be sold now{left}"
    sold = f"{shares(row.qty_u6)} not below {price(row.floor_u6)}"
    return f"{name[:40]} {outcome}: {sold}, about {dollars(row.proceeds_u6)}{left}"


def _clear(look: _Look) -> Impact:
    kill = look.trading.room.kill
    kill.refuse_clear()
    return Impact(
        lines=(
            "the kill is verified: the venue reads empty",
            _stays(look.trading.acting),
            "it arms nothing: live must be armed anew",
        ),
        typed="CLEAR",
    )


def _resume(look: _Look) -> Impact:
    governor = look.trading.room.governor
    names = governor.resumable(look.arg(0))
    causes = [f"clears {name}" for name in names]
    return Impact(lines=(*_cut(causes), "strategies may send again"), typed="RESUME")


def _mode(look: _Look) -> Impact:
    room, text = look.trading.room, look.arg(0)
    if is_down(look.args, room.mode):
        return NOTHING
    wanted = next((mode for mode in NEXT[room.mode] if mode.value == text), None)
    if wanted is None:
        return NOTHING
    return Impact(
        lines=(
            f"from {room.mode.value} to {wanted.value}, with {room.modes.money}",
            "real orders need the arming ritual after that",
        ),
        typed=YES,
    )


def _strategies(look: _Look) -> Impact:
    if look.trading.room.mode not in LIVE:
        return NOTHING
    account = look.trading.acting
    open_orders = [
        f"{name}: {sum(o.draft.strategy == name for o in account.orders.open())} orders open"
        for name in look.args
    ]
    return Impact(lines=("may propose again", *_cut(open_orders), _stays(account)), typed=YES)


def _promote(look: _Look) -> Impact:
    room, name = look.trading.room, look.arg(0)
    if name not in room.strategies:
        return NOTHING
    checks = room.gates.checks(name, gate_evidence(look.trading, name))
    red = [check for check in checks if not check.ok]
    if red:
        said = ", ".join(f"{c.code} {c.value} (needs {c.limit})" for c in red)
        raise OperatorError(f"{name} stays at {room.gates.of(name).gate.value}: {said}")
    green = [f"{check.title}: {check.value}" for check in checks]
    return Impact(lines=(f"one step up from {room.gates.of(name).gate.value}", *_cut(green)),
                  typed=f"PROMOTE {name}")  # fmt: skip


def _limit(look: _Look) -> Impact:
    name, text = look.arg(0), look.arg(1)
    loosened = look.trading.room.governor.limits.loosened_by(name, text)
    if not loosened:
        return NOTHING
    lines = [f"loosens {loosened}"]
    if look.trading.room.mode is Mode.LIVE_ARMED:
        lines.append("takes effect after 10 s; `mode.abort` ends it before")
    return Impact(lines=tuple(lines), typed=limits.phrase_of(name, text))


def _breaker(look: _Look) -> Impact:
    text = look.arg(0)
    for realm, desk in look.trading.room.governor.desks.items():
        tripped = desk.breakers.tripped.get(text.removeprefix(f"{realm.value}."))
        if tripped is not None:
            lines = (f"{realm.value} {tripped.name} tripped: {tripped.why}", "has the cause gone?")
            return Impact(lines=lines, typed=breakers.phrase_of(tripped.name))
    raise OperatorError(f"there is no tripped breaker {shown(text)}")


def _stop(look: _Look) -> Impact:
    account, room = look.trading.acting, look.trading.room
    unknown = len(account.orders.unknown())
    lines = (
        f"{len(account.orders.open())} orders are cancelled first, {unknown} are in doubt",
        _stays(account),
        "every console attached to it loses it",
    )
    return Impact(lines=lines, typed="SHUTDOWN" if room.mode is Mode.LIVE_ARMED else YES)


def _stays(account: Account) -> str:
    """Say what stays open in any case."""
    held = sum(amounts[0] > 0 for amounts in account.portfolio.tokens().values())
    return f"stays: {held} positions, exposure {dollars(account.portfolio.exposure.of('total'))}"


def _cut(lines: Sequence[str]) -> list[str]:
    more = len(lines) - ROWS_MAX
    return [*lines[:ROWS_MAX], f"and {more} more"] if more > 0 else list(lines)


IMPACTS: Final[Mapping[str, Callable[[_Look], Impact]]] = {
    "orders.cancel": _cancel,
    "risk.flatten": _flatten,
    "risk.clear": _clear,
    "trading.resume": _resume,
    "mode.set": _mode,
    "strategy.resume": _strategies,
    "gate.promote": _promote,
    "limit.set": _limit,
    "breaker.reset": _breaker,
    "engine.stop": _stop,
}
"""Every directive whose rule asks for anything in any mode."""


def impact_of(
    trading: Trading, action: str, args: tuple[str, ...], *, at_ns: int, seq: int
) -> Impact:
    """Look at what a directive would do.

    Raises:
        OperatorError: it would be refused.
    """
    look = IMPACTS.get(action)
    if look is None or need_of(REGISTRY[action], args, trading.room.mode) is Need.NONE:
        return NOTHING
    return look(_Look(trading, args, at_ns, seq))
