"""What stands that a person should know of, and what persons do about alerts.

`standing` looks at both accounts and at what the engine hands in about markets and feeds; the
machine of `decide.alerts` compares it with what stood before. None of it touches trading.
"""

from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING, Final

from msgspec import Struct

from polytui.engine.account.trading import Trading
from polytui.engine.core.commands import Command, Notify
from polytui.engine.core.enums import FeedState, Mode
from polytui.engine.core.errors import OperatorError, shown
from polytui.engine.core.order_enums import Realm, TradingState, VenueState
from polytui.engine.core.registry import span_ns
from polytui.engine.core.view import FeedView
from polytui.engine.decide.alerts import Key
from polytui.engine.decide.preflight import DISK_FREE_MIN
from polytui.engine.decide.words import MS, S, dollars, span

if TYPE_CHECKING:
    from polytui.engine.account.directives import Asked

USER_NS: Final = 5 * S
"""Silence of the user stream that is an alert."""
SETTLED_NS: Final = 120 * S
EXPIRES_NS: Final = 600 * S
NEAR: Final = 8
"""Tenths of a cap that are worth a word."""

Found = Iterator[tuple[str, str, str]]
"""Code, subject, text."""


class Outside(Struct, frozen=True, kw_only=True):
    """What the engine knows beside its accounts."""

    feeds: tuple[FeedView, ...] = ()
    markets: int = 0
    suspect: int = 0
    stale: int = 0
    paused: tuple[str, ...] = ()


def heed(trading: Trading, commands: list[Command], *, at_ns: int) -> None:
    """Take the notifications among a step's commands."""
    for command in commands:
        if type(command) is Notify:
            trading.room.alerts.told(command.code, command.text, at_ns=at_ns)


def watch(trading: Trading, outside: Outside, *, at_ns: int) -> None:
    """Look at everything once."""
    found = standing(trading, outside, at_ns=at_ns)
    trading.room.alerts.look(found, mode=trading.room.mode, at_ns=at_ns)


def standing(trading: Trading, outside: Outside, *, at_ns: int) -> Mapping[Key, str]:
    """Name what stands now."""
    return {
        (code, subject): text
        for look in (_controls, _doubts, _trading_state, _host, _money)
        for code, subject, text in look(trading, at_ns)
    } | {(code, subject): text for code, subject, text in _outside(outside)}


def _controls(trading: Trading, at_ns: int) -> Found:
    room = trading.room
    if room.kill.killed:
        word = "the venue reads empty" if room.kill.verified else "NOT VERIFIED with the venue yet"
        yield "KILLED", "", f"new orders are refused; {word}; positions stay: K shows what"
    if room.governor.stale_sent:
        yield "STALE_SENT", "", f"{room.governor.stale_sent} orders left on stale state: kill"
    for realm, desk in room.governor.desks.items():
        for breaker in desk.breakers.tripped.values():
            subject = f"{realm.value} {breaker.name}".partition(":")[0]
            yield "BREAKER", subject, f"{realm.value} {breaker.name}: {breaker.why}"
    left_ns = room.modes.armed_until_ns - at_ns
    if room.modes.armed_until_ns and left_ns < EXPIRES_NS:
        yield "ARM_EXPIRES", "", f"the session ends in {span(max(left_ns, 0))}"


def _doubts(trading: Trading, at_ns: int) -> Found:
    account, room = trading.acting, trading.room
    exposed = room.mode is Mode.LIVE_ARMED or bool(account.orders.open())
    if account.realm is Realm.LIVE and exposed and at_ns - account.user_ns > USER_NS:
        age = span(at_ns - account.user_ns) if account.user_ns else "ever"
        yield "USER_FEED_LOST", "", f"no fill is known for {age}: kill if it stays away"
    if unknown := len(account.orders.unknown()):
        yield "UNKNOWN_ORDER", "", f"{unknown} may rest or fill: page 3, panel d"
    if residues := len(account.bundles.residues()):
        yield "LEG_OPEN", "", f"{residues} sides naked, being unwound: page 3, panel c"
    if anomalies := len(account.reconciler.report.lines):
        yield "POS_MISMATCH", "", f"{anomalies} differences with the venue: page i"
    if limbo := len(account.orders.limbo(at_ns)):
        yield "LIMBO", "", f"{limbo} orders older than their state may be: page 3"
    oldest_ns = account.trades.oldest_ns()
    if oldest_ns and at_ns - oldest_ns > SETTLED_NS:
        yield "SETTLEMENT", "", f"a fill has not settled for {span(at_ns - oldest_ns)}: page i"


def _trading_state(trading: Trading, at_ns: int) -> Found:
    del at_ns
    account, room = trading.acting, trading.room
    causes = room.governor.desks[account.realm].causes
    if room.kill.killed or not account.is_open:
        return
    if causes.state is not TradingState.ACTIVE:
        yield causes.state.value.upper(), account.realm.value, f"{causes.why[:120]}: see page 6"
    if account.venue.state not in (VenueState.NORMAL, VenueState.STARTING):
        yield "VENUE", "", f"{account.venue.state.value.upper()}: {account.venue.why[:120]}"
    intake = account.reconciler.intake
    if not intake.is_open:
        yield "INTAKE_CLOSED", "", f"no strategy may open anything: {intake.why[:120]}"


def _host(trading: Trading, at_ns: int) -> Found:
    del at_ns
    room = trading.room
    if not room.host_ns:
        return
    if not room.host.journal_ok:
        yield "STORE", "", "what must be durable is not written: no order leaves"
    lag_ms = room.governor.limits.now.loop_lag_ms
    if room.host.loop_lag_ns > lag_ms * MS:
        yield "LOOP_LAG", "", f"{span(room.host.loop_lag_ns)} late, limit {lag_ms} ms: page 9"
    if 0 < room.host.disk_free_bytes < DISK_FREE_MIN:
        yield "DISK", "", f"{room.host.disk_free_bytes // 1_000_000} MB free on the store's disk"
    for code, text in room.host.troubles:
        yield code, "", text[:120]


def _money(trading: Trading, at_ns: int) -> Found:
    del at_ns
    room, account = trading.room, trading.acting
    used_u6, cap_u6 = account.portfolio.exposure.of("total"), room.governor.limits.now.total_u6
    if cap_u6 and used_u6 * 10 >= cap_u6 * NEAR:
        code = "CAP_FULL" if used_u6 >= cap_u6 else "CAP_NEAR"
        yield code, account.realm.value, f"exposure {dollars(used_u6)} of {dollars(cap_u6)}"


_BAD = (FeedState.STALE, FeedState.UNAVAILABLE, FeedState.DEGRADED)


def _outside(outside: Outside) -> Found:
    for feed in outside.feeds:
        if feed.role in ("venue", "primary") and feed.state in _BAD:
            text = f"{feed.feed.value} ({feed.role}) {feed.state.value}: {feed.reason.value}"
            yield "FEED_LOST", feed.feed.value, text
    if outside.suspect or outside.stale:
        text = f"{outside.suspect} suspect, {outside.stale} stale of {outside.markets} markets"
        yield "BOOKS", "", f"{text}: strategies are not shown them"
    if outside.paused:
        yield "PAUSED", "", f"paused by an operator: {', '.join(outside.paused)[:120]}"


# --- by a person ---------------------------------------------------------------------------------


def _ack(trading: Trading, asked: "Asked") -> tuple[list[Command], str]:
    name = asked.arg(0, "an alert's id or code, or low")
    return [], trading.room.alerts.ack(name, actor=asked.actor, at_ns=asked.at_ns)


def _shelve(trading: Trading, asked: "Asked") -> tuple[list[Command], str]:
    name, text = asked.arg(0, "an alert's id or code"), asked.arg(1, "for how long, e.g. 30m")
    for_ns = span_ns(text)
    if for_ns is None:
        raise OperatorError(f"expected minutes or hours, e.g. 30m or 2h, was {shown(text)}")
    return [], trading.room.alerts.shelve(
        name, for_ns, asked.rest(2), actor=asked.actor, at_ns=asked.at_ns
    )


def _unshelve(trading: Trading, asked: "Asked") -> tuple[list[Command], str]:
    name = asked.arg(0, "an alert's id or code")
    return [], trading.room.alerts.unshelve(name, actor=asked.actor, at_ns=asked.at_ns)


ALERT_ACTS: Final[Mapping[str, Callable[[Trading, "Asked"], tuple[list[Command], str]]]] = {
    "alert.ack": _ack,
    "alert.shelve": _shelve,
    "alert.unshelve": _unshelve,
}
