"""What an operator may ask of the order path: one function per directive, in one table.

A directive that cannot be done raises `OperatorError` with the sentence for the person who asked;
`direct` turns it into the reply. Tightening, pausing, cancelling and killing need no phrase; what
lets more happen does.
"""

from collections.abc import Callable, Mapping
from typing import Final

from msgspec import Struct

from polytui.engine.account.account import Account
from polytui.engine.account.alerting import ALERT_ACTS
from polytui.engine.account.evidence import gate_evidence
from polytui.engine.account.impact import (
    HELD,
    SCOPES,
    SLIP_U6,
    cancel_preview,
    flatten_is_typed,
    flatten_preview,
)
from polytui.engine.account.preflighting import preflight_rows
from polytui.engine.account.trading import Trading
from polytui.engine.core.commands import Command
from polytui.engine.core.enums import Mode
from polytui.engine.core.errors import OperatorError, shown
from polytui.engine.core.events import Directive
from polytui.engine.core.order_enums import Realm, ReleaseGate
from polytui.engine.core.units import U
from polytui.engine.decide.cancels import CancelPreview, CancelScope

PERSON: Final = "person"
RESUME: Final = "RESUME"


class Reply(Struct, frozen=True):
    """What a directive came to."""

    ok: bool
    text: str


class Asked(Struct, frozen=True):
    """A directive on its way through."""

    args: tuple[str, ...]
    actor: str
    at_ns: int
    seq: int

    def arg(self, ix: int, name: str) -> str:
        """Return an argument that must be there.

        Raises:
            OperatorError: it is missing.
        """
        if ix >= len(self.args):
            raise OperatorError(f"expected {name}")
        return self.args[ix]

    @property
    def person(self) -> str:
        """Name who asked without the process: two commands of one person are one ritual."""
        return self.actor.partition(" pid ")[0]

    def rest(self, ix: int) -> str:
        """Join the arguments from one on: reasons may come in several words."""
        return " ".join(self.args[ix:])

    def phrase(self, ix: int, words: int) -> tuple[str, str]:
        """Split a phrase of so many words from the reason after it, however they were quoted."""
        said = self.rest(ix).split()
        return " ".join(said[:words]), " ".join(said[words:])


Act = Callable[[Trading, Asked], tuple[list[Command], str]]


def _kill(trading: Trading, asked: Asked) -> tuple[list[Command], str]:
    reason = asked.rest(0) or "asked"
    commands = trading.kill(asked.actor, reason, at_ns=asked.at_ns, seq=asked.seq)
    return commands, "KILLED: the gate is closed, everything is being cancelled."


def _clear(trading: Trading, asked: Asked) -> tuple[list[Command], str]:
    phrase, reason = asked.arg(0, "the phrase CLEAR"), asked.rest(1)
    room = trading.room
    commands = room.kill.clear(phrase, reason, seq=asked.seq)
    moved = room.modes.fall(Mode.LIVE_DRY_RUN, "KILL_CLEARED", at_ns=asked.at_ns)
    return commands + room.moved(moved, asked.seq), "The latch is open; arming begins anew."


def _cancel(trading: Trading, asked: Asked) -> tuple[list[Command], str]:
    """Cancel `order:<cid>`, `market:<id>`, `strategy:<id>` or `all`."""
    account = trading.acting
    wanted = cancel_preview(account, asked.arg(0, SCOPES))
    hashes = frozenset(wanted.hashes)
    for order in account.orders.open():
        if order.order_hash in hashes:
            account.orders.request_cancel(order, why=asked.actor, at_ns=asked.at_ns, seq=asked.seq)
    for command in account.cancels.begin(
        f"cancel-{asked.seq}",
        wanted,
        account.standing(wanted.hashes),
        at_ns=asked.at_ns,
        seq=asked.seq,
    ):
        account.act(command)
    return account.settle(at_ns=asked.at_ns, seq=asked.seq), wanted.text


def _flatten(trading: Trading, asked: Asked) -> tuple[list[Command], str]:
    """Flatten `all` or `market:<id>`; the phrase is asked for where orders are real."""
    account = trading.acting
    market, held, wanted = flatten_preview(
        account, asked.arg(0, HELD), at_ns=asked.at_ns, seq=asked.seq
    )
    needs_phrase = flatten_is_typed(trading)
    phrase, reason = asked.phrase(1, 2)
    if needs_phrase and not phrase:
        raise OperatorError(f"expected the phrase {wanted.phrase}")
    for command in account.flatten.begin(
        wanted,
        phrase=phrase if needs_phrase else None,
        reason=reason or asked.actor,
        market=market,
        slip_u6=SLIP_U6,
        standing=account.standing(),
        at_ns=asked.at_ns,
        seq=asked.seq,
    ):
        account.act(command)
    account.flattening = tuple(dict.fromkeys(one.market for one in held))
    for name in account.flattening:
        account.bundles.end_market(name, why="flattened", at_ns=asked.at_ns, seq=asked.seq)
    return account.settle(at_ns=asked.at_ns, seq=asked.seq), wanted.text


def _set_mode(trading: Trading, asked: Asked) -> tuple[list[Command], str]:
    text = asked.arg(0, "shadow, paper or live_dry_run")
    try:
        mode = Mode(text)
    except ValueError:
        raise OperatorError(f"expected shadow, paper or live_dry_run: {shown(text)}") from None
    room = trading.room
    wanted = {Mode.PAPER: Realm.PAPER, Mode.LIVE_DRY_RUN: Realm.LIVE}.get(mode)
    if wanted is not None and not trading.accounts[wanted].is_open:
        raise OperatorError(f"there is no {wanted.value} account: nothing could be executed")
    moved = room.modes.ask(mode, actor=asked.actor, at_ns=asked.at_ns)
    commands = room.moved(moved, asked.seq)
    if moved.has_fallen:
        commands += trading.pull(at_ns=asked.at_ns, seq=asked.seq, why=moved.reason)
    return commands, moved.text


def _preflight(trading: Trading, asked: Asked) -> tuple[list[Command], str]:
    cap, hours = asked.arg(0, "a cap in dollars"), asked.arg(1, "hours")
    if not (cap.isdecimal() and cap.isascii() and hours.isdecimal() and hours.isascii()):
        raise OperatorError(f"expected whole dollars and hours, was {shown(cap)} {shown(hours)}")
    room = trading.room
    moved = room.modes.preflight(
        preflight_rows(trading, at_ns=asked.at_ns),
        cap_u6=int(cap) * U,
        hours=int(hours),
        limits=room.governor.limits.now,
        client=asked.person,
        at_ns=asked.at_ns,
        seq=asked.seq,
    )
    return room.moved(moved, asked.seq), moved.text


def _arm(trading: Trading, asked: Asked) -> tuple[list[Command], str]:
    room = trading.room
    moved = room.modes.confirm(
        asked.arg(1, "the phrase"),
        asked.rest(2),
        hash_=asked.arg(0, "the hash of the preflight"),
        checks=preflight_rows(trading, at_ns=asked.at_ns),
        client=asked.person,
        at_ns=asked.at_ns,
    )
    return room.moved(moved, asked.seq), moved.text


def _abort(trading: Trading, asked: Asked) -> tuple[list[Command], str]:
    moved = trading.room.modes.abort("ABORTED")
    names = trading.room.governor.limits.abort()
    if moved is None and not names:
        raise OperatorError("nothing is under way that could be aborted")
    return trading.room.moved(moved, asked.seq), "Aborted."


def _disarm(trading: Trading, asked: Asked) -> tuple[list[Command], str]:
    if trading.room.mode is not Mode.LIVE_ARMED:
        raise OperatorError("nothing is armed")
    return _set_mode(
        trading, Asked((Mode.LIVE_DRY_RUN.value,), asked.actor, asked.at_ns, asked.seq)
    )


def _halt(trading: Trading, asked: Asked) -> tuple[list[Command], str]:
    reason = asked.rest(0) or "asked"
    for realm in Realm:
        trading.room.halt(
            realm, "operator", f"{asked.actor}: {reason}", owner=PERSON, at_ns=asked.at_ns
        )
    return [], "Trading is HALTED."


def _drain(trading: Trading, asked: Asked) -> tuple[list[Command], str]:
    """Stop taking risk and cancel everything, because the engine is about to end."""
    commands: list[Command] = []
    for account in trading.accounts.values():
        trading.room.put(
            account.realm, "stopping", "the engine stops", owner="engine", at_ns=asked.at_ns
        )
        if account.is_open and (account.orders.open() or account.orders.in_flight()):
            commands += _cancel_ours(account, asked)
    return commands, "Everything is being cancelled."


def _cancel_ours(account: Account, asked: Asked) -> list[Command]:
    """Cancel what is ours and prove it gone; what is not ours stays, because nobody asked."""
    ours = [order for order in account.orders.open() if not order.external]
    for order in ours:
        account.orders.request_cancel(
            order, why="the engine stops", at_ns=asked.at_ns, seq=asked.seq
        )
    hashes = tuple(order.order_hash for order in (*ours, *account.orders.in_flight()))
    has_external = len(ours) < len(account.orders.open())
    wanted = CancelPreview(
        scope=CancelScope.STRATEGY if has_external else CancelScope.ALL,
        name="",
        hashes=tuple(dict.fromkeys(hashes)),
        external=0,
        bundles=(),
        text="the engine stops",
    )
    for command in account.cancels.begin(
        f"stop-{asked.seq}",
        wanted,
        account.standing(wanted.hashes),
        at_ns=asked.at_ns,
        seq=asked.seq,
    ):
        account.act(command)
    return account.settle(at_ns=asked.at_ns, seq=asked.seq)


def _resume(trading: Trading, asked: Asked) -> tuple[list[Command], str]:
    """Release `<cause>` or `all` that a person may, with the phrase RESUME and a reason."""
    name, (phrase, reason) = asked.arg(0, "the name of a cause, or all"), asked.phrase(1, 1)
    if phrase != RESUME or not reason:
        raise OperatorError(f"expected {shown(name)} {RESUME} <reason>, was {shown(phrase)}")
    released = trading.room.governor.resume(name)
    return [], f"Released: {', '.join(released)}."


def _limit(trading: Trading, asked: Asked) -> tuple[list[Command], str]:
    room = trading.room
    change = room.governor.limits.ask(
        asked.arg(0, "the name of a limit"),
        asked.arg(1, "its value"),
        phrase=asked.rest(2),
        is_armed=room.mode is Mode.LIVE_ARMED,
        actor=asked.actor,
        at_ns=asked.at_ns,
    )
    room.governor.limits_changed(asked.at_ns)
    return [], change.text


def _reset(trading: Trading, asked: Asked) -> tuple[list[Command], str]:
    """Reset `<breaker>` or `<realm>.<breaker>` with its phrase, two words, and a reason."""
    realm, name = _breaker_of(trading, asked.arg(0, "the name of a breaker"))
    phrase, reason = asked.phrase(1, 2)
    account = trading.accounts[realm]
    profit = account.portfolio.profit
    trading.room.governor.reset(
        realm,
        name,
        phrase=phrase,
        reason=reason,
        results=(
            account.portfolio.day_pnl_u6,
            {one: profit.day_u6(one) for one in trading.room.strategies},
        ),
        at_ns=asked.at_ns,
    )
    return [], f"Reset: {name}."


def _breaker_of(trading: Trading, text: str) -> tuple[Realm, str]:
    realm, dot, name = text.partition(".")
    if dot and realm in {one.value for one in Realm}:
        return Realm(realm), name
    for one, desk in trading.room.governor.desks.items():
        if text in desk.breakers.tripped:
            return one, text
    return trading.acting.realm, text


def _promote(trading: Trading, asked: Asked) -> tuple[list[Command], str]:
    strategy = asked.arg(0, "a strategy")
    step = trading.room.gates.promote(
        strategy,
        gate_evidence(trading, strategy),
        phrase=asked.rest(1),
        actor=asked.actor,
        at_ns=asked.at_ns,
    )
    return [trading.room.record_gates(asked.seq)], step.text


def _demote(trading: Trading, asked: Asked) -> tuple[list[Command], str]:
    strategy, text = asked.arg(0, "a strategy"), asked.args[1:2] or ("dev",)
    try:
        gate = ReleaseGate(text[0])
    except ValueError:
        known = ", ".join(one.value for one in ReleaseGate)
        raise OperatorError(f"expected one of {known}, was {shown(text[0])}") from None
    step = trading.room.gates.demote(strategy, gate, "ASKED", at_ns=asked.at_ns)
    return [trading.room.record_gates(asked.seq)], step.text


ACTS: Final[Mapping[str, Act]] = {
    "risk.kill": _kill,
    "risk.clear": _clear,
    "risk.flatten": _flatten,
    "orders.cancel": _cancel,
    "mode.set": _set_mode,
    "mode.preflight": _preflight,
    "mode.arm": _arm,
    "mode.abort": _abort,
    "mode.disarm": _disarm,
    "trading.halt": _halt,
    "trading.resume": _resume,
    "engine.drain": _drain,
    "limit.set": _limit,
    "breaker.reset": _reset,
    "gate.promote": _promote,
    "gate.demote": _demote,
    **ALERT_ACTS,
}
"""Every directive of the order path."""


def direct(
    trading: Trading, directive: Directive, *, at_ns: int, seq: int
) -> tuple[list[Command], Reply]:
    """Carry out a directive, or say why not."""
    asked = Asked(directive.args, directive.actor, at_ns, seq)
    try:
        commands, text = ACTS[directive.action](trading, asked)
    except OperatorError as refusal:
        return [], Reply(ok=False, text=str(refusal))
    return commands + trading.room.changes(seq), Reply(ok=True, text=text)
