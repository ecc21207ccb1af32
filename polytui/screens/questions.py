"""The questions the console asks before it leaves or stops something."""

from polytui.widgets.confirm import Choice, Question

NO_ORDERS = "SHADOW: there are no orders to leave behind."


def quit_question(*, owns_engine: bool) -> Question:
    """Ask about leaving: the engine is only ours to stop when this console started it."""
    detach = Choice(key="d", text="detach: the engine goes on alone", answer="detach")
    stop = Choice(key="s", text="stop the engine, then leave", answer="stop")
    whose = "This console started the engine." if owns_engine else "Others may use this engine too."
    return Question(
        title="Leave the console",
        lines=(whose, NO_ORDERS),
        choices=(detach, stop) if owns_engine else (detach,),
        cancel="Stay",
    )


def stop_question(*, owns_engine: bool) -> Question:
    """Ask before the engine stops."""
    last = "This console leaves with it." if owns_engine else "This console stays, disconnected."
    return Question(
        title="Stop the engine",
        lines=(
            "It stops recording and deciding, for every console attached to it.",
            NO_ORDERS,
            last,
        ),
        choices=(Choice(key="y", text="yes, stop it", answer="stop"),),
        command="engine.stop",
    )
