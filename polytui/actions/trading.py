"""The actions that move orders, risk and money. The engine judges each of them again.

Which of them are to be confirmed, and how, is in the registry and kept by the engine: kill,
cancelling one order, halting, and going to a safer mode never are.
"""

from polytui.actions import refusals
from polytui.actions.model import (
    ALERTS,
    BOOK,
    KILL,
    ORDERS,
    OVERVIEW,
    POSITIONS,
    RISK,
    Action,
    Group,
    asks,
)
from polytui.engine.core.enums import Mode
from polytui.engine.core.verbs import Risk


def _mode(mode: Mode, title: str, help_: str, danger: Risk) -> Action:
    return asks(
        "mode.set",
        group=Group.RISK,
        id=f"mode.{mode.value}",
        title=title,
        help=help_,
        danger=danger,
        args=(mode.value,),
        refuse=refusals.is_mode(mode),
    )


STOP: tuple[Action, ...] = (
    asks(
        "risk.kill",
        group=Group.STOP,
        keys=("ctrl+backslash", "f12"),
        priority=True,
    ),
    asks(
        "orders.cancel",
        group=Group.STOP,
        keys=("x",),
        help="Cancel the order under the cursor. Takes effect at once.",
        danger=Risk.REDUCE,
        key_pages=(ORDERS, KILL),
        footer=1,
        refuse=refusals.no_order,
    ),
    asks(
        "orders.cancel",
        group=Group.STOP,
        id="orders.cancel_market",
        keys=("X",),
        title="Cancel market",
        help="Cancel every order of the market under the cursor. Live, the engine asks when a "
        "two-leg group would lose a leg.",
        key_pages=(ORDERS, POSITIONS, OVERVIEW, BOOK),
        refuse=refusals.no_market,
    ),
    asks(
        "orders.cancel",
        group=Group.STOP,
        id="orders.cancel_strategy",
        title="Cancel strategy",
        help="Cancel every order of the row's strategy, or of the only one there is.",
        refuse=refusals.no_strategy,
    ),
    asks(
        "orders.cancel",
        group=Group.STOP,
        id="orders.cancel_all",
        title="Cancel all",
        help="Cancel every order of ours at the venue. Strategies go on: kill stops them too.",
        args=("all",),
    ),
    asks(
        "trading.halt",
        group=Group.STOP,
        keys=("H",),
        args=("operator",),
        key_pages=(RISK,),
        footer=3,
    ),
    asks(
        "risk.flatten",
        group=Group.STOP,
        id="risk.flatten_market",
        keys=("f",),
        title="Flatten market",
        help="Cancel, then sell what is held in the row's market inside the slippage bound.",
        key_pages=(POSITIONS, ORDERS),
        refuse=lambda facts: refusals.no_replay(facts) or refusals.no_market(facts),
    ),
    asks(
        "risk.flatten",
        group=Group.STOP,
        keys=("F",),
        title="Flatten all",
        help="Cancel, verify, then sell every position inside the slippage bound.",
        args=("all",),
        key_pages=(KILL,),
        footer=1,
    ),
    asks(
        "risk.clear",
        group=Group.STOP,
        keys=("C",),
        key_pages=(KILL,),
        footer=2,
    ),
)

RISKS: tuple[Action, ...] = (
    _mode(
        Mode.SHADOW,
        "Mode SHADOW",
        "Decide and record only; no order is made.",
        Risk.REDUCE,
    ),
    _mode(
        Mode.PAPER,
        "Mode PAPER",
        "Send orders to the simulated venue, fed by live books.",
        Risk.INCREASE,
    ),
    _mode(
        Mode.LIVE_DRY_RUN,
        "Mode LIVE DRY RUN",
        "Gate, journal, sign and check every order, then drop it.",
        Risk.INCREASE,
    ),
    asks(
        "mode.arm",
        group=Group.RISK,
        keys=("M",),
        help="Start the arming ritual: cap and hours, the engine's preflight, a typed phrase with "
        "a reason, a countdown. Esc or the kill aborts it.",
        key_pages=(RISK,),
        footer=1,
        refuse=refusals.cannot_arm,
    ),
    asks("mode.abort", group=Group.RISK),
    asks(
        "mode.disarm",
        group=Group.RISK,
        keys=("D",),
        key_pages=(RISK,),
        footer=2,
    ),
    asks(
        "trading.resume",
        group=Group.RISK,
        keys=("U",),
        args=("all",),
        key_pages=(RISK,),
    ),
    asks(
        "limit.set",
        group=Group.RISK,
        keys=("c",),
        help="Change the limit under the cursor. Tightening takes effect at once; loosening is "
        "typed.",
        key_pages=(RISK,),
        refuse=refusals.no_limit,
    ),
    asks(
        "breaker.reset",
        group=Group.RISK,
        keys=("R",),
        help="Close the breaker under the cursor. Only a person does.",
        key_pages=(RISK,),
        refuse=refusals.no_breaker,
    ),
)

WARNINGS: tuple[Action, ...] = (
    asks(
        "alert.ack",
        group=Group.ALERTS,
        keys=("a",),
        help="Acknowledge the alert under the cursor, or the one on the alert line. Trading is not "
        "touched.",
        refuse=refusals.no_alert,
    ),
    asks(
        "alert.shelve",
        group=Group.ALERTS,
        keys=("s",),
        help="Put the alert under the cursor aside for a while, with a reason. A critical one "
        "cannot be.",
        key_pages=(ALERTS,),
        footer=2,
        refuse=refusals.no_alert,
    ),
    asks(
        "alert.unshelve",
        group=Group.ALERTS,
        keys=("u",),
        help="Bring the shelved alert under the cursor back.",
        key_pages=(ALERTS,),
        footer=4,
        refuse=refusals.not_shelved,
    ),
    asks(
        "alert.ack",
        group=Group.ALERTS,
        id="alert.ack_low",
        keys=("A",),
        title="Acknowledge low",
        help="Acknowledge every alert of class LOW, and none of the others.",
        args=("low",),
        key_pages=(ALERTS,),
        footer=3,
    ),
)
