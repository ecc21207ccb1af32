"""The filter line: takes keys itself, so that letters are letters and not actions.

Enter keeps the filter, Esc drops it; both give the focus back.
"""

from textual import events
from textual.message import Message

from polytui.widgets.filters import TEXT_MAX
from polytui.widgets.lines import Line, LineWidget, spread_out

HINT = "Enter keep   Esc clear   !word not   column:value"


def prompt_line(text: str, width: int) -> Line:
    """Draw what was typed with a cursor that does not blink."""
    return spread_out(
        ((" /", "key"), (text, "strong"), ("█", "key")), ((f"{HINT} ", "dim"),), width
    )


class Prompt(LineWidget, can_focus=True):
    """One line in the footer's place while a filter is typed."""

    DEFAULT_CSS = """
    Prompt { height: 1; display: none; }
    Prompt.-open { display: block; }
    """
    GROUND = "bar"

    class Changed(Message):
        """The text moved."""

        def __init__(self, text: str) -> None:
            super().__init__()
            self.text = text

    class Closed(Message):
        """The operator is done typing."""

        def __init__(self, *, keep: bool) -> None:
            super().__init__()
            self.keep = keep

    text = ""

    def open_with(self, text: str) -> None:
        """Show the line and take the keys."""
        self.text = text
        self.add_class("-open")
        self.focus()
        self._draw()

    def close(self) -> None:
        """Hide the line."""
        self.remove_class("-open")

    def _draw(self) -> None:
        self.lay_out((prompt_line(self.text, self.size.width or self.app.size.width),))

    def on_resize(self) -> None:
        """Draw for the new width."""
        self._draw()

    async def _on_key(self, event: events.Key) -> None:
        if event.key.startswith(("ctrl+", "f")) and not event.is_printable:
            return
        event.stop()
        event.prevent_default()
        if event.key in ("enter", "escape"):
            self.post_message(self.Closed(keep=event.key == "enter"))
            return
        if event.key == "backspace":
            self._change(self.text[:-1])
        elif event.character and event.is_printable:
            self._change((self.text + event.character)[:TEXT_MAX])

    def _change(self, text: str) -> None:
        self.text = text
        self._draw()
        self.post_message(self.Changed(text))

    def on_paste(self, event: events.Paste) -> None:
        """Take the printable part of what was pasted."""
        event.stop()
        added = "".join(char for char in event.text if char.isprintable())
        self._change((self.text + added)[:TEXT_MAX])
