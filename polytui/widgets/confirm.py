"""Dialogs: questions that a slip of the finger cannot answer.

Rules (console.md §6.4): the focus is on Cancel, Enter never confirms, keys are ignored for the
first 400 ms and for as long as a key repeats, the question expires after 15 s, and the text names
the exact directive and what it will do. A dialog lies between the bars, so that the mode stays
visible.
"""

from collections.abc import Callable

from msgspec import Struct
from textual import events
from textual.message import Message

from polytui.widgets.lines import DOUBLE, Line, LineWidget, fit, frame_bottom, frame_top

DEAF_NS = 400_000_000
EXPIRES_NS = 15_000_000_000

Clock = Callable[[], int]


class Choice(Struct, frozen=True, kw_only=True):
    """One key that answers, and what it means."""

    key: str
    text: str
    answer: str


class Question(Struct, frozen=True, kw_only=True):
    """What a dialog asks."""

    title: str
    lines: tuple[str, ...]
    """What will happen, in facts."""
    choices: tuple[Choice, ...]
    cancel: str = "Cancel"
    command: str = ""
    """The exact directive, as the command line would write it."""


class Gate:
    """Decides which keys count: pure, told the time."""

    def __init__(self, question: Question, opened_ns: int) -> None:
        self.question = question
        self.opened_ns = opened_ns
        self._deaf_until_ns = opened_ns + DEAF_NS

    def left_s(self, now_ns: int) -> int:
        """Give the seconds left, rounded up."""
        return max(-((now_ns - self.opened_ns - EXPIRES_NS) // 10**9), 0)

    def expired(self, now_ns: int) -> bool:
        """Tell whether the question is void."""
        return now_ns - self.opened_ns >= EXPIRES_NS

    def answer(self, key: str, now_ns: int) -> str | None:
        """Give the answer of a key: an answer, `cancel`, or None when the key does not count.

        Esc always cancels. While deaf, each key makes it deaf for longer, so a key that was held
        down when the dialog opened can never confirm. Enter presses Cancel, which has the focus.
        """
        if key == "escape" or self.expired(now_ns):
            return "cancel"
        if now_ns < self._deaf_until_ns:
            self._deaf_until_ns = now_ns + DEAF_NS
            return None
        if key == "enter":
            return "cancel"
        for choice in self.question.choices:
            if key == choice.key:
                return choice.answer
        return None


def dialog_lines(question: Question, left_s: int, width: int, height: int) -> tuple[Line, ...]:
    """Draw a dialog; what does not fit in height loses its blank lines first."""
    inner = max(width - 6, 1)
    body: list[Line] = [((text, ""),) for text in question.lines]
    if question.command:
        body += [(), (("sends  ", "head"), (question.command, "strong"))]
    body.append(())
    body += [((f" {c.key} ", "key"), (f" {c.text}", "")) for c in question.choices]
    body.append(())
    body += [((f"[ {question.cancel} ]", "tab"), ("  <- focus is here; Esc or Enter", "dim"))]
    if len(body) + 2 > height:
        body = [line for line in body if line][-max(height - 2, 1) :]
    top = frame_top(question.title, f"expires {left_s} s", width, DOUBLE, "strong", "head")
    side = (f"{DOUBLE[3]}", "strong")
    rows = [(side, ("  ", ""), *fit(line, inner), ("  ", ""), side) for line in body]
    return (top, *rows, frame_bottom(width, DOUBLE, "strong"))


class Dialog(LineWidget, can_focus=True):
    """Asks a question and posts `Answered` once."""

    DEFAULT_CSS = """
    Dialog {
        layer: dialog; display: none; height: auto; width: 1fr;
    }
    Dialog.-open { display: block; }
    """
    GROUND = "dialog"
    WIDTH = 72

    class Answered(Message):
        """The question was answered, cancelled (`cancel`) or expired (`expired`)."""

        def __init__(self, answer: str) -> None:
            super().__init__()
            self.answer = answer

    def __init__(self, now_mono_ns: Clock) -> None:
        super().__init__()
        self._now = now_mono_ns
        self.gate: Gate | None = None

    def ask(self, question: Question) -> None:
        """Open with a question."""
        self.gate = Gate(question, self._now())
        self.add_class("-open")
        self.draw()
        self.focus()

    def draw(self) -> None:
        """Draw the question with the seconds left, or expire."""
        if self.gate is None:
            return
        now_ns = self._now()
        if self.gate.expired(now_ns):
            self._close("expired")
            return
        screen = self.app.size
        width = min(self.WIDTH, screen.width)
        question = self.gate.question
        lines = dialog_lines(question, self.gate.left_s(now_ns), width, max(screen.height - 4, 3))
        self.styles.width = width
        self.styles.height = len(lines)
        top = max((screen.height - 4 - len(lines)) // 3, 0) + 2
        self.styles.offset = ((screen.width - width) // 2, top)
        self.lay_out(lines)

    def _close(self, answer: str) -> None:
        self.gate = None
        self.remove_class("-open")
        self.post_message(self.Answered(answer))

    async def _on_key(self, event: events.Key) -> None:
        event.stop()
        event.prevent_default()
        if self.gate is not None:
            answer = self.gate.answer(event.key, self._now())
            if answer is not None:
                self._close(answer)
