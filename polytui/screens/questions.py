"""What is asked on the screen: before the console is left, and when the engine asks back.

Whether a directive is to be confirmed is the engine's rule; its challenge says what would happen
and what must be typed, and a dialog shows it. What the console asks by itself is only what a
directive needs to be complete: a number, a time, a reason.
"""

from collections.abc import Callable

from polytui import format as fmt
from polytui.actions import Action, Facts
from polytui.engine.core.enums import Mode
from polytui.engine.core.messages import Answer
from polytui.engine.core.registry import REGISTRY
from polytui.engine.core.verbs import Risk
from polytui.screens.asking import Asked
from polytui.screens.store import Store
from polytui.widgets.confirm import SEND, Choice, Field, Question

YES = "y"
REASON = Field(name="reason", label="reason, for the log", least=3)


def challenge_question(asked: Asked, answer: Answer) -> Question:
    """Show the engine's challenge: its impact in numbers, and what it wants typed."""
    verb = REGISTRY.get(asked.directive)
    title = verb.title if verb is not None else asked.directive
    typed = fmt.foreign(answer.typed, 60)
    reason = (REASON,) if answer.wants_reason else ()
    lines = tuple(_sentence(line) for line in answer.impact)
    is_plain = typed == YES and not reason
    phrase = Field(name="phrase", label=f"type {typed}", expect=typed, least=1)
    return Question(
        title=title.upper(),
        lines=lines,
        choices=(Choice(key=YES, text=f"yes, {title.lower()}", answer=SEND),) if is_plain else (),
        fields=() if is_plain else (*reason, phrase),
        directive=asked.directive,
        args=asked.args,
        challenge=answer.challenge,
        typed=typed,
        role="strong" if verb is not None and verb.risk is Risk.NEUTRAL else "crit",
        width=90,
    )


def _sentence(line: str) -> str:
    text = fmt.foreign(line, 200)
    return text[:1].upper() + text[1:]


def _limit(facts: Facts, store: Store) -> Question:
    name = facts.named("limit")
    rows = [] if store.risk is None else [r for r in store.risk.limits if r.name == name]
    now = [f"now {fmt.in_unit(r.value, r.unit)}, configured {fmt.in_unit(r.configured, r.unit)}"
           for r in rows]  # fmt: skip
    return Question(
        title=f"SET LIMIT {fmt.foreign(name, 30)}",
        lines=(*now, "Tightening holds at once; to loosen it the engine asks for a phrase."),
        fields=(Field(name="value", label="new value", numeric=True),),
        choices=(Choice(key=YES, text="set it", answer=SEND),),
        directive="limit.set",
        args=(name, "=value"),
    )


def _shelve(facts: Facts, store: Store) -> Question:
    view = store.alerts
    rows = () if view is None else (r for r in view.active if r.alert == facts.alert)
    told = tuple(f"{row.code}: {fmt.foreign(row.text, 120)}" for row in rows)
    return Question(
        title=f"SHELVE {facts.alert}",
        lines=(*told, "It comes back by itself after that; 480 minutes at most."),
        fields=(
            Field(name="minutes", label="for how many minutes", numeric=True),
            Field(name="reason", label="reason, for the log; Enter sends", least=3),
        ),
        directive="alert.shelve",
        args=(facts.alert, "=minutes", "=reason"),
        enter=True,
    )


FORMS: dict[str, Callable[[Facts, Store], Question]] = {
    "limit.set": _limit,
    "alert.shelve": _shelve,
}
"""What is still missing when a key asks for it."""


def form_for(action: Action, facts: Facts, store: Store) -> Question | None:
    """Give the form of an action that its key does not complete; None: it is sent at once."""
    form = FORMS.get(action.id)
    return None if form is None else form(facts, store)


def quit_question(store: Store, *, owns_engine: bool) -> Question:
    """Ask about leaving: the engine is only ours to stop when this console started it."""
    detach = Choice(key="d", text="detach: the engine goes on alone", answer="detach")
    stop = Choice(key="s", text="stop the engine, then leave", answer="stop")
    whose = "This console started the engine." if owns_engine else "Others may use this engine too."
    return Question(
        title="Leave the console",
        lines=(whose, left_behind(store)),
        choices=(detach, stop) if owns_engine else (detach,),
        cancel="Stay",
    )


def left_behind(store: Store) -> str:
    """Say what stays open when nobody watches; never that nothing does unless that is known."""
    status = store.status
    if status is None:
        return "It is not known whether orders are open."
    account = status.account
    if status.mode is Mode.SHADOW and not account.open_orders:
        return "SHADOW: there are no orders to leave behind."
    money = f"exposure {fmt.usd(account.exposure_u6)} of {fmt.usd(account.cap_u6)}"
    mode = fmt.capitals(status.mode)
    return f"{mode}: {account.open_orders} orders open, {account.unknown} unknown, {money}."
