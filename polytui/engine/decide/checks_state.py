"""G01 to G08: may anything leave at all? Kill, trading state, mode, instance, link, host.

Each check is one control: (order, facts, limits) to a refusal or None. The order of the controls is
the table in `governor.py`. Cancels never come here: they are never gated.
"""

from polytui.engine.core.enums import Mode
from polytui.engine.core.order_enums import Control, Purpose, Realm, TradingState, VenueState
from polytui.engine.core.runconfig import LimitsConfig
from polytui.engine.core.trading import Refusal
from polytui.engine.decide.facts import Gated, GateFacts, is_flatten
from polytui.engine.decide.words import MS, S, percent, span

HOST_AGE_NS = 5 * S
"""The host is measured every second; facts older than this are none."""

_PAPER_MODES = (Mode.PAPER, Mode.LIVE_DRY_RUN, Mode.LIVE_ARMED)


def killed(order: Gated, facts: GateFacts, limits: LimitsConfig) -> Refusal | None:
    """G01: the latch is clear in memory and on disk; only a flatten's sells pass a closed one."""
    del limits
    if not facts.control.killed and facts.host.latch_clear:
        return None
    if is_flatten(order.draft, facts):
        return None
    where = "in memory" if facts.control.killed else "on disk"
    return Refusal(control=Control.KILLED, limit="latch clear", value=f"KILLED {where}")


def trading_state(order: Gated, facts: GateFacts, limits: LimitsConfig) -> Refusal | None:
    """G02: ACTIVE, or REDUCING and the worst case falls, or HALTED and a flatten; venue willing."""
    del limits
    control, draft = facts.control, order.draft
    if control.trading is not TradingState.ACTIVE and not is_flatten(draft, facts):
        if control.trading is TradingState.HALTED:
            return _state("trading ACTIVE", f"HALTED: {control.trading_why}")
        if not (facts.account.market.is_falling and not facts.account.total.is_rising):
            return _state("REDUCING: worst case falls", f"it does not: {control.trading_why}")
    state = facts.venue.state
    if state is VenueState.NORMAL:
        return None
    if state is VenueState.POST_ONLY and draft.post_only:
        return None
    if state is VenueState.DEGRADED and draft.purpose is not Purpose.OPEN:
        return None
    takes = _VENUE_TAKES.get(state, "venue NORMAL")
    return _state(takes, f"{state.value.upper()}: {facts.venue.why}")


_VENUE_TAKES = {
    VenueState.POST_ONLY: "post-only while POST_ONLY",
    VenueState.DEGRADED: "exits and hedges while DEGRADED",
}


def _state(limit: str, value: str) -> Refusal:
    return Refusal(control=Control.TRADING_STATE, limit=limit, value=value)


def mode(order: Gated, facts: GateFacts, limits: LimitsConfig) -> Refusal | None:
    """G03: the live realm sends in LIVE_ARMED only, not expired, by released strategies only."""
    del limits
    control = facts.control
    if facts.realm is Realm.PAPER:
        if control.mode not in _PAPER_MODES:
            return _mode("PAPER or above", control.mode.value.upper())
    elif control.mode is Mode.LIVE_ARMED:
        if facts.at_ns >= control.armed_until_ns:
            late = span(facts.at_ns - control.armed_until_ns)
            return _mode("arming not expired", f"expired {late} ago")
    elif not (control.mode is Mode.LIVE_DRY_RUN and control.is_dropped):
        return _mode("LIVE_ARMED", control.mode.value.upper())
    if not control.is_released and order.draft.purpose is Purpose.OPEN:
        return _mode("strategy released", f"{order.draft.strategy} is not")
    return None


def _mode(limit: str, value: str) -> Refusal:
    return Refusal(control=Control.MODE, limit=limit, value=value)


def instance(order: Gated, facts: GateFacts, limits: LimitsConfig) -> Refusal | None:
    """G04: this process holds the lock, and its configuration is the one it began with."""
    del order, limits
    if not facts.host.lock_held:
        return Refusal(control=Control.INSTANCE, limit="lock held", value="another holds it")
    if facts.host.config_hash != facts.config_hash:
        return Refusal(
            control=Control.INSTANCE,
            limit=f"configuration {facts.config_hash[:8]}",
            value=facts.host.config_hash[:8] or "none",
        )
    return None


def heartbeat(order: Gated, facts: GateFacts, limits: LimitsConfig) -> Refusal | None:
    """G05: the last accepted beat is young; asked once one was ever accepted, or when LIVE_ARMED.

    The venue's rule is sticky: after the first beat, silence cancels everything (§3.3).
    """
    del order
    last_ns = facts.venue.heartbeat_ns
    if not last_ns:
        if facts.control.mode is Mode.LIVE_ARMED and facts.realm is Realm.LIVE:
            return _heartbeat(limits, "never accepted")
        return None
    age_ns = facts.at_ns - last_ns
    return _heartbeat(limits, span(age_ns)) if age_ns > limits.heartbeat_ms * MS else None


def _heartbeat(limits: LimitsConfig, value: str) -> Refusal:
    return Refusal(
        control=Control.HEARTBEAT, limit=f"at most {span(limits.heartbeat_ms * MS)}", value=value
    )


def clock(order: Gated, facts: GateFacts, limits: LimitsConfig) -> Refusal | None:
    """G06: the distance to the venue's clock is known, small, and lately measured."""
    del order
    offset_ns = facts.venue.offset_ns
    if offset_ns is None:
        return Refusal(control=Control.CLOCK, limit="offset known", value="unknown")
    if abs(offset_ns) > limits.clock_offset_ms * MS:
        within = f"within {span(limits.clock_offset_ms * MS)}"
        return Refusal(control=Control.CLOCK, limit=within, value=span(offset_ns))
    age_ns = facts.at_ns - facts.venue.offset_at_ns
    if age_ns > limits.clock_age_s * S:
        sampled = f"sampled within {span(limits.clock_age_s * S)}"
        return Refusal(control=Control.CLOCK, limit=sampled, value=span(age_ns))
    return None


def journal(order: Gated, facts: GateFacts, limits: LimitsConfig) -> Refusal | None:
    """G07: the journal can be written and its queue is not filling up."""
    del order
    if not facts.host.journal_ok:
        return Refusal(control=Control.JOURNAL, limit="writable", value="failed")
    if facts.host.journal_fill >= limits.journal_fill:
        return Refusal(
            control=Control.JOURNAL,
            limit=f"queue below {percent(limits.journal_fill)}",
            value=percent(facts.host.journal_fill),
        )
    return None


def loop_lag(order: Gated, facts: GateFacts, limits: LimitsConfig) -> Refusal | None:
    """G08: the event loop keeps up, and that was measured lately."""
    del order
    age_ns = facts.at_ns - facts.host_ns
    if age_ns > HOST_AGE_NS:
        return _lag(f"measured within {span(HOST_AGE_NS)}", span(age_ns))
    if facts.host.loop_lag_ns >= limits.loop_lag_ms * MS:
        return _lag(f"below {span(limits.loop_lag_ms * MS)}", span(facts.host.loop_lag_ns))
    return None


def _lag(limit: str, value: str) -> Refusal:
    return Refusal(control=Control.LOOP_LAG, limit=limit, value=value)
