"""The questions the console asks before it leaves or stops something."""

from polytui.engine.core.enums import Mode
from polytui.screens.store import Store
from polytui.screens.trade_questions import left_behind
from polytui.widgets.confirm import Choice, Field, Question


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


def stop_question(store: Store, *, owns_engine: bool) -> Question:
    """Ask before the engine stops; while armed the word must be typed."""
    last = "This console leaves with it." if owns_engine else "This console stays, disconnected."
    lines = (
        "It stops recording and deciding, for every console attached to it.",
        left_behind(store),
        last,
    )
    status = store.status
    if status is not None and status.mode is Mode.LIVE_ARMED:
        word = Field(name="phrase", label="type SHUTDOWN", expect="SHUTDOWN")
        return Question(
            title="Stop the engine",
            lines=lines,
            fields=(word,),
            directive="engine.stop",
            tag="stop",
        )
    return Question(
        title="Stop the engine",
        lines=lines,
        choices=(Choice(key="y", text="yes, stop it", answer="stop"),),
        directive="engine.stop",
    )
