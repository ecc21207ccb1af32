"""The help page: every action that exists here, its keys, and why it is not possible now."""

from textual import events
from textual.message import Message

from polytui import format as fmt
from polytui.actions import ACTIONS, Action, Facts, Group, has_key_here, key_text, refusal
from polytui.widgets.lines import Line, Panel
from polytui.widgets.live_table import wrap

_KEYS = 14


def help_lines(facts: Facts, width: int) -> list[Line]:
    """List the actions of a page by group; an impossible one says why."""
    lines: list[Line] = []
    for group in Group:
        actions = [
            a for a in ACTIONS if a.group is group and (not a.pages or facts.page in a.pages)
        ]
        lines += [((group.value, "title"),)]
        for action in actions:
            lines += _action_lines(action, facts, width)
        lines.append(())
    return lines[:-1]


def _action_lines(action: Action, facts: Facts, width: int) -> list[Line]:
    why = refusal(action, facts)
    here = has_key_here(action, facts.page)
    keys = " ".join(key_text(key) for key in action.keys if here) or "palette"
    role = "stale" if why else "key"
    room = max(width - _KEYS - 3, 10)
    elsewhere = ", ".join(key_text(key) for key in action.keys) if not here else ""
    where = f" {elsewhere} on page {', '.join(action.key_pages)}." if elsewhere else ""
    texts = wrap(action.help + where, room)
    lines: list[Line] = [((f"  {fmt.pad(keys, _KEYS)} ", role), (texts[0], ""))]
    lines += [((" " * (_KEYS + 3), ""), (text, "")) for text in texts[1:]]
    if why:
        lines += [((" " * (_KEYS + 3), ""), (text, "warn")) for text in wrap(f"no: {why}", room)]
    return lines


class Help(Panel):
    """Covers the page; any of `?`, Esc and `q` closes it."""

    DEFAULT_CSS = """
    Help { layer: dialog; display: none; height: 1fr; width: 1fr; margin: 2 0; }
    Help.-open { display: block; }
    """

    class Closed(Message):
        """The operator has read enough."""

    top = 0
    all_lines: tuple[Line, ...] = ()

    def open_with(self, facts: Facts) -> None:
        """Show the help for a page."""
        self.top = 0
        self.facts = facts
        self.add_class("-open")
        self.focus()
        self.call_after_refresh(self.draw)

    def close(self) -> None:
        """Uncover the page."""
        self.remove_class("-open")

    facts = Facts()

    def draw(self) -> None:
        """Draw what fits from the line at the top."""
        width, height = self.inner
        self.all_lines = tuple(help_lines(self.facts, width))
        self.top = min(max(self.top, 0), max(len(self.all_lines) - height, 0))
        more = len(self.all_lines) > height
        foot = f"{self.top + 1}-{self.top + height} of {len(self.all_lines)}  j k" if more else ""
        self.show(self.all_lines[self.top : self.top + height], note="Esc closes", foot=foot)

    def on_resize(self) -> None:
        """Draw for the new size."""
        super().on_resize()
        if self.has_class("-open"):
            self.draw()

    async def _on_key(self, event: events.Key) -> None:
        event.stop()
        event.prevent_default()
        page = max(self.inner[1] - 1, 1)
        moves = {"j": 1, "down": 1, "k": -1, "up": -1, "pagedown": page, "space": page}
        moves |= {"pageup": -page, "g": -9999, "home": -9999, "G": 9999, "end": 9999}
        if event.key in ("escape", "question_mark", "q"):
            self.close()
            self.post_message(self.Closed())
        elif event.key in moves:
            self.top += moves[event.key]
            self.draw()
