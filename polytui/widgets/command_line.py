"""The `:` line: two lines in the footer's place, what is typed and, below it, what it would do.

It takes keys itself, so that letters are letters. Tab completes, Up and Down bring back what was
sent, Enter sends, Esc leaves. What Enter would do is said before it is pressed: which way it moves
risk, what will be asked, and why it is not possible now.
"""

from collections.abc import Callable

from textual import events
from textual.message import Message

from polytui import format as fmt
from polytui.actions.line import History, Typed, completed
from polytui.widgets.lines import Line, LineWidget, fit, line_cells

TEXT_MAX = 200
"""Longest line; typing stops there."""
CHOICES_SHOWN = 8

Describe = Callable[[str], Typed]
Complete = Callable[[str], tuple[str, ...]]


def command_lines(
    typed: Typed, choices: tuple[str, ...], chosen: int, width: int
) -> tuple[Line, Line]:
    """Draw what was typed, what could follow, and what it would do."""
    text: Line = ((" :", "key"), (typed.text, "strong"), ("█", "key"), ("  ", ""))
    for number, choice in enumerate(choices[:CHOICES_SHOWN]):
        part: Line = ((fmt.cut(choice, 24), "tab" if number == chosen else "dim"), ("  ", ""))
        if line_cells(text) + line_cells(part) > width:
            break
        text = (*text, *part)
    if typed.why:
        below: Line = ((" no: ", "warn"), (fmt.foreign(typed.why, 200), "warn"))
    else:
        below = ((f" {fmt.foreign(typed.hint, 240)}", ""),)
    return fit(text, width), fit(below, width)


class CommandLine(LineWidget, can_focus=True):
    """Where commands are typed."""

    DEFAULT_CSS = """
    CommandLine { height: 2; display: none; }
    CommandLine.-open { display: block; }
    """
    GROUND = "bar"

    class Sent(Message):
        """Enter was pressed on a line that can be done."""

        def __init__(self, typed: Typed) -> None:
            super().__init__()
            self.typed = typed

    class Closed(Message):
        """The operator left it."""

    def __init__(self) -> None:
        super().__init__()
        self.history = History()
        self.text = ""
        self._begin = ""
        """What stood there before older lines were brought back."""
        self._choices: tuple[str, ...] = ()
        self._chosen = -1
        self._stem = ""
        """What was typed when Tab was first pressed."""
        self._describe: Describe = lambda text: Typed(text=text)
        self._complete: Complete = lambda _: ()

    def open_with(self, text: str, describe: Describe, complete: Complete) -> None:
        """Show the line and take the keys."""
        self._describe, self._complete = describe, complete
        self.history.reset()
        self.add_class("-open")
        self.focus()
        self._change(text)

    @property
    def is_open(self) -> bool:
        """Tell whether somebody types."""
        return self.has_class("-open")

    def close(self) -> None:
        """Hide the line."""
        self.remove_class("-open")

    def draw(self) -> None:
        """Draw it with what it would do now."""
        width = self.size.width or self.app.size.width
        typed = self._describe(self.text)
        self.lay_out(command_lines(typed, self._choices, self._chosen, width))

    def on_resize(self) -> None:
        """Draw for the new width."""
        if self.is_open:
            self.draw()

    def _change(self, text: str) -> None:
        self.text = self._begin = self._stem = text[:TEXT_MAX]
        self._choices, self._chosen = self._complete(self.text), -1
        self.draw()

    def _tab(self, steps: int) -> None:
        """Write the next candidate, or finish the word when there is one only."""
        if not self._choices:
            return
        if len(self._choices) == 1:
            self._change(completed(self._stem, self._choices[0]))
            return
        self._chosen = (self._chosen + steps) % len(self._choices)
        self.text = completed(self._stem, self._choices[self._chosen]).rstrip()
        self.draw()

    def _recall(self, steps: int) -> None:
        older = self.history.step(steps, self._begin)
        if older is not None:
            self.text = self._stem = older
            self._choices, self._chosen = (), -1
            self.draw()

    def _enter(self) -> None:
        typed = self._describe(self.text)
        if typed.why:
            self.draw()
            return
        if self.text.strip():
            self.history.add(self.text.strip())
            self.post_message(self.Sent(typed))
        else:
            self.post_message(self.Closed())

    async def _on_key(self, event: events.Key) -> None:
        if event.key.startswith(("ctrl+", "f")) and not event.is_printable:
            return
        event.stop()
        event.prevent_default()
        deeds: dict[str, Callable[[], object]] = {
            "enter": self._enter,
            "escape": lambda: self.post_message(self.Closed()),
            "tab": lambda: self._tab(1),
            "shift+tab": lambda: self._tab(-1),
            "up": lambda: self._recall(-1),
            "down": lambda: self._recall(1),
            "backspace": lambda: self._change(self.text[:-1]),
        }
        deed = deeds.get(event.key)
        if deed is not None:
            deed()
        elif event.character and event.is_printable:
            self._change(self.text + event.character)

    def on_paste(self, event: events.Paste) -> None:
        """Take the printable part of what was pasted; Enter is never in it."""
        event.stop()
        self._change(self.text + "".join(char for char in event.text if char.isprintable()))
