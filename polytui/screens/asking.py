"""Questions to the engine that wait for their answers, and what is said about both."""

from collections.abc import Callable
from typing import TYPE_CHECKING

from msgspec import Struct

from polytui import format as fmt
from polytui.engine.core.messages import CONFIRM_REQUIRED, Answer, Confirm

if TYPE_CHECKING:
    from polytui.link import Link

ASKED_MAX = 64
"""Questions without an answer; beyond this the oldest is forgotten."""
SAID_MAX = 60
"""Characters of a directive that the alert line repeats."""

Say = Callable[[str, str], None]


class Asked(Struct, frozen=True, kw_only=True):
    """What was asked."""

    directive: str
    args: tuple[str, ...]

    @property
    def said(self) -> str:
        """Write it for the alert line."""
        return fmt.cut(fmt.foreign(" ".join((self.directive, *self.args)), 200), SAID_MAX)


NOTHING = Asked(directive="", args=())


class Asking:
    """Sends directives and matches answers to them."""

    def __init__(self, link: "Link", say: Say) -> None:
        self._link = link
        self._say = say
        self._asked: dict[str, Asked] = {}
        self._early: dict[str, Answer] = {}

    def send(self, directive: str, args: tuple[str, ...], confirm: Confirm | None = None) -> None:
        """Ask the engine; its answer comes through the link."""
        if len(self._asked) >= ASKED_MAX:
            del self._asked[next(iter(self._asked))]
        asked = Asked(directive=directive, args=args)
        self._say("info", f"{asked.said}: sent, waiting for the engine")
        ask_id = self._link.ask(directive, args, confirm)
        # A link that cannot carry the question refuses it before it returns.
        if ask_id in self._early:
            self._tell(asked, self._early.pop(ask_id))
        else:
            self._asked[ask_id] = asked

    def answered(self, answer: Answer) -> Asked:
        """Say what became of a question and give it back; nothing if it was not ours."""
        asked = self._asked.pop(answer.id, None)
        if asked is None:
            self._early = {answer.id: answer}
            return NOTHING
        self._tell(asked, answer)
        return asked

    def _tell(self, asked: Asked, answer: Answer) -> None:
        if answer.code == CONFIRM_REQUIRED:
            self._say("info", f"{asked.said}: the engine asks first")
            return
        word = "done" if answer.ok else f"REFUSED {fmt.foreign(answer.code, 24)}"
        text = fmt.foreign(answer.text, 200)
        self._say("strong" if answer.ok else "warn", f"{asked.said}: {word}. {text}")
