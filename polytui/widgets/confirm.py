"""Dialogs: questions that a slip of the finger cannot answer.

Rules (console.md §6.4): the focus is on Cancel, Enter never confirms, keys are ignored for the
first 400 ms and for as long as a key repeats, the question expires after 15 s, and the text names
the exact directive and what it will do. A question with fields is answered by its phrase, typed to
the last letter: there is no OK button, Enter does nothing, a paste does nothing, and the 15 s count
from the last key, 60 s at most. A dialog lies between the bars, so that the mode stays visible.
"""

from collections.abc import Callable, Mapping

from msgspec import Struct
from textual import events
from textual.message import Message

from polytui.widgets.bits import told
from polytui.widgets.lines import DOUBLE, Line, LineWidget, fit, frame_bottom, frame_top

DEAF_NS = 400_000_000
EXPIRES_NS = 15_000_000_000
EXPIRES_LAST_NS = 60_000_000_000
TYPED_MAX = 80
"""Longest text of a field; typing stops there."""

SEND = "send"
"""The answer that sends the question's directive."""

Clock = Callable[[], int]


class Choice(Struct, frozen=True, kw_only=True):
    """One key that answers, and what it means."""

    key: str
    text: str
    answer: str


class Field(Struct, frozen=True, kw_only=True):
    """Something to type."""

    name: str
    label: str
    expect: str = ""
    """What must be typed, exactly; empty: anything of at least `least` characters."""
    least: int = 1
    numeric: bool = False
    """Digits and one point only; other keys stay free for the choices."""

    def problem(self, texts: Mapping[str, str]) -> str:
        """Say what is wrong with what was typed, or nothing."""
        text = texts[self.name]
        if self.numeric and not (text.replace(".", "", 1).isdecimal() and text.isascii()):
            return f"{self.name}: a number is missing"
        if self.expect and text != self.expect:
            return f"{self.name}: not typed yet" if not text else f"{self.name}: does not match"
        if len(text.strip()) < self.least:
            return f"{self.name}: at least {self.least} characters"
        return ""


class Question(Struct, frozen=True, kw_only=True):
    """What a dialog asks."""

    title: str
    lines: tuple[str | Line, ...]
    """What will happen, in facts."""
    choices: tuple[Choice, ...] = ()
    fields: tuple[Field, ...] = ()
    """In the order of Tab; the last one sends when it is complete and there are no choices."""
    cancel: str = "Cancel"
    directive: str = ""
    """Sent by the answer `send`."""
    args: tuple[str, ...] = ()
    """Its arguments; `=name` stands for what was typed in a field."""
    challenge: str = ""
    """The engine's challenge that it answers; empty: the engine has not asked."""
    typed: str = ""
    """What that challenge wants, sent as it was typed."""
    enter: bool = False
    """Whether Enter sends what was typed: a form that confirms nothing."""
    role: str = "strong"
    """Of the frame."""
    width: int = 72

    def sent(self, texts: Mapping[str, str]) -> tuple[str, ...]:
        """Fill in the arguments with what was typed."""
        return tuple(texts[a[1:]].strip() if a.startswith("=") else a for a in self.args)

    @property
    def command(self) -> str:
        """The exact directive, as the command line would write it."""
        shown = (f"<{arg[1:]}>" if arg.startswith("=") else arg for arg in self.args)
        return " ".join((self.directive, *shown))


def _is_taken(field: Field, character: str | None) -> bool:
    """Tell whether a field takes a character; what it does not take is left to the choices."""
    if character is None or len(character) != 1 or not character.isprintable():
        return False
    return not field.numeric or character in "0123456789."


class Gate:
    """Decides which keys count: pure, told the time."""

    def __init__(self, question: Question, opened_ns: int) -> None:
        self.question = question
        self.opened_ns = opened_ns
        self.texts = {field.name: "" for field in question.fields}
        self.at = 0
        """Index of the field that takes letters."""
        self._deaf_until_ns = opened_ns + DEAF_NS
        self._heard_ns = opened_ns

    def left_s(self, now_ns: int) -> int:
        """Give the seconds left, rounded up."""
        return max(-((now_ns - self._ends_ns()) // 10**9), 0)

    def expired(self, now_ns: int) -> bool:
        """Tell whether the question is void."""
        return now_ns >= self._ends_ns()

    def _ends_ns(self) -> int:
        if not self.question.fields:
            return self.opened_ns + EXPIRES_NS
        return min(self._heard_ns + EXPIRES_NS, self.opened_ns + EXPIRES_LAST_NS)

    def problem(self) -> str:
        """Say what is still missing or wrong, or nothing."""
        wrong = (field.problem(self.texts) for field in self.question.fields)
        return next((text for text in wrong if text), "")

    def answer(self, key: str, now_ns: int, character: str | None = None) -> str | None:
        """Give the answer of a key: an answer, `cancel`, or None when the key does not count.

        Esc always cancels. While deaf, each key makes it deaf for longer, so a key that was held
        down when the dialog opened can never confirm. Enter presses Cancel, which has the focus;
        in a question with fields it does nothing.
        """
        if key == "escape" or self.expired(now_ns):
            return "cancel"
        if now_ns < self._deaf_until_ns:
            self._deaf_until_ns = now_ns + DEAF_NS
            return None
        self._heard_ns = now_ns
        if key == "enter":
            return self._entered()
        if self.question.fields and self._typed(key, character):
            return self._complete()
        for choice in self.question.choices:
            if key == choice.key:
                return choice.answer if choice.answer != SEND or not self.problem() else None
        return None

    def _entered(self) -> str | None:
        """Send a form that is complete; Enter confirms nothing, and without fields it cancels."""
        if self.question.enter:
            return SEND if not self.problem() else None
        return None if self.question.fields else "cancel"

    def _typed(self, key: str, character: str | None) -> bool:
        """Take a key into the current field; tell whether it was one for it."""
        fields = self.question.fields
        field = fields[self.at]
        text = self.texts[field.name]
        if key in ("tab", "down", "shift+tab", "up"):
            self.at = (self.at + (1 if key in ("tab", "down") else -1)) % len(fields)
        elif key == "backspace":
            self.texts[field.name] = text[:-1]
        elif not _is_taken(field, character):
            return False
        else:
            self.texts[field.name] = f"{text}{character}"[:TYPED_MAX]
        return True

    def _complete(self) -> str | None:
        """Send when the last field was typed to its end and nothing else is missing."""
        if self.at < len(self.question.fields) - 1 or self.problem():
            return None
        return None if self.question.choices or self.question.enter else SEND


def _field_lines(gate: Gate, question: Question) -> list[Line]:
    width = max((len(field.label) for field in question.fields), default=0)
    lines: list[Line] = []
    for number, field in enumerate(question.fields):
        current = number == gate.at
        lines.append(
            (
                (f"{field.label:<{width}}  ", "head"),
                ("> " if current else "  ", "key"),
                (gate.texts[field.name], "strong"),
                ("█" if current else "", "key"),
            )
        )
    return lines


def _body(gate: Gate, width: int) -> list[Line]:
    """Draw what a dialog holds; sentences are broken at a width, or cut where it is 0."""
    question = gate.question
    body: list[Line] = []
    for line in question.lines:
        if isinstance(line, str):
            body += told(line, width, "") if width else [((line, ""),)]
        else:
            body.append(line)
    if question.directive:
        body += [(), (("sends  ", "head"), (question.command, "strong"))]
    body.append(())
    body += _field_lines(gate, question)
    body += [((f" {c.key} ", "key"), (f" {c.text}", "")) for c in question.choices]
    if not question.fields:
        how = "  <- focus is here; Esc or Enter"
    elif problem := gate.problem():
        body.append(((f"not yet: {problem}", "warn"),))
        how = "  Esc. The typed line is the button; Enter does nothing."
        how = "  Esc" if question.enter else how
    else:
        how = "  Esc; Enter sends" if question.enter else "  Esc"
    return [*body, (), ((f"[ {question.cancel} ]", "tab"), (how, "dim"))]


def dialog_lines(gate: Gate, left_s: int, width: int, height: int) -> tuple[Line, ...]:
    """Draw a dialog; what does not fit in height loses its blank lines first."""
    inner = max(width - 6, 1)
    body = _body(gate, inner)
    if len(body) + 2 > height:
        body = [line for line in _body(gate, 0) if line][-max(height - 2, 1) :]
    role = gate.question.role
    top = frame_top(gate.question.title, f"expires {left_s} s", width, DOUBLE, role, "head")
    side = (f"{DOUBLE[3]}", role)
    rows = [(side, ("  ", ""), *fit(line, inner), ("  ", ""), side) for line in body]
    return (top, *rows, frame_bottom(width, DOUBLE, role))


class Dialog(LineWidget, can_focus=True):
    """Asks a question and posts `Answered` once."""

    DEFAULT_CSS = """
    Dialog {
        layer: dialog; display: none; height: auto; width: 1fr;
    }
    Dialog.-open { display: block; }
    """
    GROUND = "dialog"

    class Answered(Message):
        """The question was answered, cancelled (`cancel`) or expired (`expired`)."""

        def __init__(self, answer: str, gate: Gate) -> None:
            super().__init__()
            self.answer = answer
            self.question = gate.question
            self.texts = dict(gate.texts)

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

    def retell(self, question: Question) -> None:
        """Say other facts in the question that is open; what was typed stays."""
        if self.gate is not None:
            self.gate.question = question

    def drop(self) -> None:
        """Close without an answer: something more urgent came."""
        self.gate = None
        self.remove_class("-open")

    def draw(self) -> None:
        """Draw the question with the seconds left, or expire."""
        if self.gate is None:
            return
        now_ns = self._now()
        if self.gate.expired(now_ns):
            self._close("expired")
            return
        screen = self.app.size
        width = min(self.gate.question.width, screen.width)
        room = max(screen.height - 4, 3)
        lines = dialog_lines(self.gate, self.gate.left_s(now_ns), width, room)
        self.styles.width = width
        self.styles.height = len(lines)
        top = max((screen.height - 4 - len(lines)) // 3, 0) + min(2, max(screen.height - 6, 1))
        self.styles.offset = ((screen.width - width) // 2, top)
        self.lay_out(lines)

    def _close(self, answer: str) -> None:
        gate = self.gate
        self.drop()
        if gate is not None:
            self.post_message(self.Answered(answer, gate))

    async def _on_key(self, event: events.Key) -> None:
        event.stop()
        event.prevent_default()
        if self.gate is not None:
            answer = self.gate.answer(event.key, self._now(), event.character)
            if answer is not None:
                self._close(answer)
            else:
                self.draw()

    def on_paste(self, event: events.Paste) -> None:
        """Take nothing: what is typed was meant."""
        event.stop()
