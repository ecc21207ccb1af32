"""Why an action is not possible now: a sentence each, or None.

They spare the operator a round trip to the engine, which judges again; they do not protect it.
"""

from polytui.actions.model import VENUE_LAB, Facts, Refusal
from polytui.engine.core.enums import Mode


def no_market(facts: Facts) -> str | None:
    """Tell that there is no market to act on."""
    return None if facts.market else "put the cursor on a row that has a market"


def no_row(facts: Facts) -> str | None:
    """Tell that there is no row to act on."""
    return None if facts.copyable else "put the cursor on a row"


def no_filter(facts: Facts) -> str | None:
    """Tell that nothing can be filtered here."""
    return None if facts.filterable else "this panel has no rows to filter"


def no_filter_set(facts: Facts) -> str | None:
    """Tell that there is no filter to clear."""
    return None if facts.filtered else "no filter is set"


def no_rows_to_hold(facts: Facts) -> str | None:
    """Tell that nothing can be held still here."""
    return None if facts.holdable else "this panel has no rows to hold"


def no_strategy(facts: Facts) -> str | None:
    """Tell that it is not clear which strategy is meant."""
    if facts.strategy:
        return None
    if not facts.strategies:
        return "no strategy has been seen yet"
    return "several strategies: put the cursor on a decision of the one you mean (page 5)"


def cannot_pause(facts: Facts) -> str | None:
    """Tell why a strategy cannot be paused."""
    return no_strategy(facts) or (f"{facts.strategy} is already paused" if facts.paused else None)


def cannot_resume(facts: Facts) -> str | None:
    """Tell why a strategy cannot be resumed."""
    return no_strategy(facts) or (None if facts.paused else f"{facts.strategy} is not paused")


def cannot_pause_all(facts: Facts) -> str | None:
    """Tell why there is nothing left to pause."""
    return "every strategy is already paused" if facts.all_paused else None


def no_lab(facts: Facts) -> str | None:
    """Tell that this venue has no lab."""
    return None if facts.practice else "only the practice venue has a lab"


def not_in_lab(facts: Facts) -> str | None:
    """Tell that troubles are caused in the lab."""
    if facts.page == VENUE_LAB:
        return None
    return no_lab(facts) or "troubles are caused on the venue lab's page"


def no_trouble(facts: Facts) -> str | None:
    """Tell that there is no trouble under the cursor."""
    return not_in_lab(facts) or (None if facts.trouble else "put the cursor on a trouble")


def no_order(facts: Facts) -> str | None:
    """Tell why the order under the cursor cannot be cancelled."""
    if not facts.named("order"):
        return "put the cursor on an order"
    return facts.over or None


def no_limit(facts: Facts) -> str | None:
    """Tell that there is no limit under the cursor."""
    return None if facts.named("limit") else "put the cursor on a limit (page 6)"


def no_breaker(facts: Facts) -> str | None:
    """Tell that there is no tripped breaker under the cursor."""
    if not facts.named("breaker"):
        return "put the cursor on a breaker (page 6)"
    return facts.over or None


def no_alert(facts: Facts) -> str | None:
    """Tell that there is no alert to act on."""
    return None if facts.alert else "no alert is under the cursor or on the alert line"


def not_shelved(facts: Facts) -> str | None:
    """Tell that there is no shelved alert under the cursor."""
    return None if facts.named("shelved") else "put the cursor on a shelved alert (page 0, panel b)"


def has_lease(facts: Facts) -> str | None:
    """Tell that this console may write already."""
    return None if facts.lease_holder else "this console may write already"


def not_killed(facts: Facts) -> str | None:
    """Tell that there is no kill to clear."""
    return None if facts.killed else "the engine is not killed"


def no_replay(facts: Facts) -> str | None:
    """Tell that a recording takes no orders."""
    return "a recording sends nothing" if facts.mode is Mode.REPLAY else None


def cannot_arm(facts: Facts) -> str | None:
    """Tell why arming cannot begin."""
    if facts.killed:
        return "the engine is killed; clear the kill first"
    if facts.mode is Mode.LIVE_ARMED:
        return "it is armed already"
    if facts.mode is not Mode.LIVE_DRY_RUN:
        return "arming starts from LIVE DRY RUN"
    return None


def not_arming(facts: Facts) -> str | None:
    """Tell that no arming is under way."""
    under_way = facts.arm_stage in ("preflight", "challenged", "countdown")
    return None if under_way else "no arming is under way"


def not_armed(facts: Facts) -> str | None:
    """Tell that there is nothing to disarm."""
    return None if facts.mode is Mode.LIVE_ARMED else "the engine is not armed"


def is_mode(mode: Mode) -> Refusal:
    """Make the refusal for changing to the mode that is on."""

    def refuse(facts: Facts) -> str | None:
        if facts.mode is Mode.REPLAY:
            return "a recording has no mode to change"
        return "that is the mode now" if facts.mode is mode else None

    return refuse


VERB_REFUSALS: dict[str, Refusal] = {
    "risk.clear": not_killed,
    "risk.flatten": no_replay,
    "mode.preflight": cannot_arm,
    "mode.abort": not_arming,
    "mode.disarm": not_armed,
    "venue.fault": no_lab,
    "strategy.pause_all": cannot_pause_all,
    "lease.take": has_lease,
}
"""Why a directive is not possible whatever its arguments, typed or by key; what an action says
itself counts instead, as it hangs on the cursor."""
