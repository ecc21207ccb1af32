"""Questions to the engine that wait for their answers, and what is said about both."""

from collections.abc import Callable
from typing import TYPE_CHECKING

from polytui import format as fmt
from polytui.engine.core.messages import Answer

if TYPE_CHECKING:
    from polytui.link import Link

ASKED_MAX = 64
"""Questions without an answer; beyond this the oldest is forgotten."""
SAID_MAX = 60
"""Characters of a directive that the alert line repeats."""

Say = Callable[[str, str], None]


class Asking:
    """Sends directives and matches answers to them."""

    def __init__(self, link: "Link", say: Say) -> None:
        self._link = link
        self._say = say
        self._asked: dict[str, str] = {}
        self._early: dict[str, Answer] = {}

    def send(self, directive: str, args: tuple[str, ...]) -> None:
        """Ask the engine; its answer comes through the link."""
        if len(self._asked) >= ASKED_MAX:
            del self._asked[next(iter(self._asked))]
        said = fmt.cut(fmt.foreign(" ".join((directive, *args)), 200), SAID_MAX)
        self._say("info", f"{said}: sent, waiting for the engine")
        ask_id = self._link.ask(directive, args)
        # A link that cannot carry the question refuses it before it returns.
        if ask_id in self._early:
            self._tell(said, self._early.pop(ask_id))
        else:
            self._asked[ask_id] = said

    def answered(self, answer: Answer) -> str:
        """Say what became of a question; give its directive back, or nothing if it was not ours."""
        if answer.id not in self._asked:
            self._early = {answer.id: answer}
            return ""
        said = self._asked.pop(answer.id)
        self._tell(said, answer)
        return said.partition(" ")[0]

    def _tell(self, said: str, answer: Answer) -> None:
        word = "done" if answer.ok else f"REFUSED {fmt.foreign(answer.code, 24)}"
        text = fmt.foreign(answer.text, 200)
        self._say("strong" if answer.ok else "warn", f"{said}: {word}. {text}")
