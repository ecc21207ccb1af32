"""What is asked before an action that moves risk (console.md §6.4): a table by action.

None means: it is sent at once. Less risk never asks; more risk, or a step that may leave a leg
naked, asks in the words of the mode. An unknown mode counts as the strictest one. The engine
judges again and refuses what was not typed.
"""

from collections.abc import Callable

from msgspec.structs import replace

from polytui import format as fmt
from polytui.actions import Action, Facts, arguments
from polytui.engine.core.enums import Mode
from polytui.screens.store import Store
from polytui.widgets.confirm import Choice, Field, Question

Ask = Callable[[Action, Facts, Store], Question | None]

_REASON = Field(name="reason", label="reason, for the log", least=3)
_LIVE = (Mode.LIVE_DRY_RUN, Mode.LIVE_ARMED, None)


def _yes(text: str) -> tuple[Choice, ...]:
    return (Choice(key="y", text=text, answer="send"),)


def legs_at_stake(scope: tuple[str, ...], store: Store) -> list[str]:
    """Name the two-leg groups that cancelling a scope would break, as far as page 3 is known."""
    view = store.orders
    if view is None:
        return []
    kind, _, name = scope[0].partition(":")
    open_cids = {order.cid for order in view.orders if order.state.may_rest}
    found = []
    for bundle in view.bundles:
        in_scope = kind == "all" or name == (bundle.market if kind == "market" else bundle.strategy)
        cids = {cid for leg in bundle.legs for cid in leg.cids}
        if in_scope and not bundle.state.is_terminal and cids & open_cids:
            title = fmt.foreign(bundle.title, 30) or fmt.short_id(bundle.market)
            found.append(f"{fmt.foreign(bundle.strategy, 12)} {title}")
    return found


def _cancel(action: Action, facts: Facts, store: Store) -> Question | None:
    scope = arguments(action, facts)
    legs = legs_at_stake(scope, store)
    if facts.mode not in _LIVE or (store.orders is not None and not legs):
        return None
    told = [f"Two-leg groups that lose a working leg: {len(legs)}", *legs[:4]]
    if store.orders is None:
        told = ["Two-leg groups may lose a leg: page 3 would show which."]
    return Question(
        title=action.title,
        lines=("Every working order of this scope is cancelled.", *told),
        choices=_yes("yes, cancel them"),
        directive="orders.cancel",
        args=scope,
    )


def held_tokens(store: Store, market: str = "") -> int | None:
    """Count the tokens that a flatten would sell, in a market or everywhere; None: not known."""
    view = store.positions
    if view is None:
        return None
    return len(
        {
            row.token
            for row in view.rows
            if market in ("", row.market) and (row.sellable_u6 > 0 or row.provisional_in_u6 > 0)
        }
    )


def _flatten(action: Action, facts: Facts, store: Store) -> Question:
    scope = arguments(action, facts)
    is_all = scope == ("all",)
    count = held_tokens(store, "" if is_all else facts.market)
    title = "" if is_all else facts.title or fmt.short_id(facts.market)
    phrase = f"FLATTEN {'?' if count is None else count}"
    known = "how many is not known: see page i" if count is None else f"{count} tokens to sell"
    lines = (
        *filter(None, [title]),
        "In this order: cancel, read the venue back, sell, read back again.",
        "Only sells, inside the slippage bound. A flattened box loses its locked profit.",
        f"Now: {known}.",
    )
    asks = Question(
        title="FLATTEN ALL" if is_all else "FLATTEN MARKET",
        lines=lines,
        directive=action.directive or "",
        role="crit",
    )
    if is_all or facts.mode in _LIVE:
        typed = Field(name="phrase", label=f"type {phrase}", expect=phrase, least=9)
        return replace(asks, fields=(typed,), args=(*scope, "=phrase"))
    return replace(asks, choices=_yes("yes, sell it"), args=(*scope, phrase))


def _clear(action: Action, facts: Facts, store: Store) -> Question:
    del facts
    view = store.risk
    kill = view.kill if view is not None else None
    proof = "The kill is verified: the venue reads empty."
    if kill is None or not kill.verified:
        proof = "NOT VERIFIED: orders may still be at the venue; the engine will refuse until then."
    return Question(
        title="LEAVE KILLED",
        lines=(proof, "It arms nothing: live must be armed anew."),
        fields=(_REASON, Field(name="phrase", label="type CLEAR", expect="CLEAR", least=5)),
        directive=action.directive or "",
        args=("=phrase", "=reason"),
        role="crit",
    )


def _resume(action: Action, facts: Facts, store: Store) -> Question:
    del facts
    view = store.risk
    causes = [] if view is None else [c for c in view.causes if c.clears == "person"]
    lines = tuple(f"{c.state.value.upper()}: {fmt.foreign(c.cause, 50)}" for c in causes[:5])
    return Question(
        title="RESUME TRADING",
        lines=(*(lines or ("No cause is known that a person clears.",)), "Strategies may send."),
        fields=(_REASON, Field(name="phrase", label="type RESUME", expect="RESUME", least=6)),
        directive=action.directive or "",
        args=("all", "=phrase", "=reason"),
    )


def _limit(action: Action, facts: Facts, store: Store) -> Question:
    name = facts.named("limit")
    rows = [] if store.risk is None else [r for r in store.risk.limits if r.name == name]
    now = [f"now {fmt.in_unit(r.value, r.unit)}, configured {fmt.in_unit(r.configured, r.unit)}"
           for r in rows]  # fmt: skip
    words = f"LOOSEN {name} "
    return Question(
        title=f"SET LIMIT {fmt.foreign(name, 30)}",
        lines=(*now, "Tightening holds at once. While armed, loosening takes 10 s and x2 at most."),
        fields=(
            Field(name="value", label="new value", numeric=True),
            Field(
                name="phrase",
                label=f"to loosen, type {words}<value>",
                expect=words,
                same_as="value",
                optional=True,
            ),
        ),
        choices=(Choice(key="y", text="tighten to it", answer="send"),),
        directive=action.directive or "",
        args=(name, "=value", "=phrase"),
        width=90,
    )


def _breaker(action: Action, facts: Facts, store: Store) -> Question:
    name = facts.named("breaker")
    rows = [] if store.risk is None else [r for r in store.risk.breakers if r.name == name]
    phrase = f"RESET {name.partition(':')[0]}"
    return Question(
        title=f"RESET BREAKER {fmt.foreign(name, 30)}",
        lines=(*(f"It tripped: {fmt.foreign(r.why, 60)}" for r in rows), "Has the cause gone?"),
        fields=(_REASON, Field(name="phrase", label=f"type {phrase}", expect=phrase, least=5)),
        directive=action.directive or "",
        args=(name, "=phrase", "=reason"),
    )


_RANK = {Mode.SHADOW: 0, Mode.PAPER: 1, Mode.LIVE_DRY_RUN: 2, Mode.LIVE_ARMED: 3}


def _mode(action: Action, facts: Facts, store: Store) -> Question | None:
    del store
    wanted = Mode(action.args[0])
    if facts.mode is not None and _RANK.get(facts.mode, 0) > _RANK[wanted]:
        return None
    return Question(
        title=action.title,
        lines=(action.help, "Real orders need the arming ritual after that."),
        choices=_yes(f"yes, go to {wanted.value.upper().replace('_', ' ')}"),
        directive=action.directive or "",
        args=action.args,
    )


QUESTIONS: dict[str, Ask] = {
    "orders.cancel_market": _cancel,
    "orders.cancel_strategy": _cancel,
    "orders.cancel_all": _cancel,
    "risk.flatten": _flatten,
    "risk.flatten_market": _flatten,
    "risk.clear": _clear,
    "trading.resume": _resume,
    "limit.set": _limit,
    "breaker.reset": _breaker,
    "mode.paper": _mode,
    "mode.live_dry_run": _mode,
}


def question_for(action: Action, facts: Facts, store: Store) -> Question | None:
    """Give what must be asked before an action, or None when it is sent at once."""
    ask = QUESTIONS.get(action.id)
    return None if ask is None else ask(action, facts, store)


def left_behind(store: Store) -> str:
    """Say what stays open when nobody watches; never that nothing does unless that is known."""
    status = store.status
    if status is None:
        return "It is not known whether orders are open."
    account = status.account
    if status.mode is Mode.SHADOW and not account.open_orders:
        return "SHADOW: there are no orders to leave behind."
    money = f"exposure {fmt.usd(account.exposure_u6)} of {fmt.usd(account.cap_u6)}"
    mode = status.mode.value.upper().replace("_", " ")
    return f"{mode}: {account.open_orders} orders open, {account.unknown} unknown, {money}."
