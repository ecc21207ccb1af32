"""Lines of roles: the base of everything on the screen.

A `Line` is a tuple of `(text, role)`; pure functions make them, `LineWidget` draws them. A line
that did not change keeps its strip and is not painted again, which makes a page of live numbers
cheap (1.8 ms against the 14 of Textual's table). Text is plain by construction: nothing here parses
markup, so a venue's title cannot mean anything. `Panel` adds a frame with titles.
"""

from collections.abc import Iterable, Sequence
from typing import ClassVar

from rich.segment import Segment
from textual.geometry import Region
from textual.strip import Strip
from textual.widget import Widget

from polytui.format import cells, cut
from polytui.widgets.themes import Skin, SkinnedApp

Part = tuple[str, str]
"""A text and its role; an empty role takes the ground as it is."""

Line = tuple[Part, ...]

EMPTY: Line = ()

# --- pure ---------------------------------------------------------------------------------------


def line_cells(line: Line) -> int:
    """Count the cells of a line."""
    return sum(cells(text) for text, _ in line)


def fit(line: Line, width: int) -> Line:
    """Cut a line to a width and fill it up with ground."""
    parts: list[Part] = []
    left = width
    for text, role in line:
        size = cells(text)
        if size > left:
            parts.append((cut(text, left), role))
            left -= cells(parts[-1][0])
            break
        parts.append((text, role))
        left -= size
    if left > 0:
        parts.append((" " * left, ""))
    return tuple(parts)


def spread_out(left: Line, right: Line, width: int) -> Line:
    """Put one line at each end; the right one gives way when both do not fit."""
    gap = width - line_cells(left) - line_cells(right)
    if gap < 1:
        return fit(left, width)
    return (*left, (" " * gap, ""), *right)


def faded(line: Line) -> Line:
    """Show everything as stale."""
    return tuple((text, "stale") for text, _ in line)


_ASCII = str.maketrans(
    {
        **dict.fromkeys("─━═┄┅", "-"),
        **dict.fromkeys("│┃║┆┇", "|"),
        **dict.fromkeys("┌┐└┘┏┓┗┛╔╗╚╝├┤", "+"),
        **dict.fromkeys("█▉▊▋▐▇▆", "#"),
        **dict.fromkeys("▌▍▎▏▅▄▃▂▁", "."),
        "●": "*",
        "○": "o",
        "·": ".",
        "…": ".",
        "×": "x",
        "–": "-",
        "≥": ">",
        "±": "~",
    }
)


def to_ascii(text: str) -> str:
    """Write a text with ASCII only, in as many cells: our glyphs by table, the rest as `?`."""
    if text.isascii():
        return text
    text = text.translate(_ASCII)
    return "".join(char if char.isascii() else "?" * cells(char) for char in text)


def strip_of(line: Line, width: int, skin: Skin, ground: str = "text") -> Strip:
    """Draw a line at a width."""
    return Strip(
        [
            Segment(to_ascii(text) if skin.ascii else text, skin.style(ground, role))
            for text, role in fit(line, width)
        ],
        width,
    )


class Frame(tuple[str, ...]):
    """Corners and edges: top-left, top, top-right, side, bottom-left, bottom-right."""

    __slots__ = ()


PLAIN = Frame("┌─┐│└┘")
FOCUSED = Frame("┏━┓┃┗┛")
DOUBLE = Frame("╔═╗║╚╝")
DASHED = Frame("┌┄┐┆└┘")
FOCUSED_DASHED = Frame("┏┅┓┇┗┛")

LOOKS: dict[str, tuple[Frame, Frame, str, str]] = {
    "": (PLAIN, FOCUSED, "faint", "focus"),
    "replay": (DASHED, FOCUSED_DASHED, "faint", "focus"),
    "practice": (DOUBLE, FOCUSED, "focus", "focus"),
    "armed": (DOUBLE, FOCUSED, "armed", "armed"),
    "killed": (PLAIN, FOCUSED, "crit", "crit"),
}
"""How the mode sets the frames: without and with the focus, and their roles."""


def frame_top(title: str, note: str, width: int, frame: Frame, role: str, note_role: str) -> Line:
    """Draw the upper edge with a title on the left and a note on the right."""
    if width < 4:
        return ((frame[1] * width, role),)
    left: Line = ((frame[0] + frame[1], role),)
    room = width - 4
    if title and room > 3:
        kept = cells(note) + 5 if note else 2
        title = cut(title, max(room - kept, min(room - 2, 8)))
        left += ((f" {title} ", "title"),)
        room -= cells(title) + 2
    right: Line = ((frame[1] + frame[2], role),)
    if note and room > 6:
        note = cut(note, room - 3)
        right = ((f" {note} ", note_role), *right)
        room -= cells(note) + 2
    return (*left, (frame[1] * room, role), *right)


def frame_bottom(width: int, frame: Frame, role: str, note: str = "") -> Line:
    """Draw the lower edge, with a quiet note on its right."""
    if width < 2:
        return ((frame[1] * width, role),)
    room = width - 2
    if note and room > cells(note) + 4:
        edge = frame[1] * (room - cells(note) - 3)
        return (
            (frame[4] + edge, role),
            (f" {note} ", "head"),
            (frame[1] + frame[5], role),
        )
    return ((frame[4] + frame[1] * room + frame[5], role),)


# --- widgets ------------------------------------------------------------------------------------


class LineWidget(Widget):
    """Draws lines; repaints those that changed."""

    DEFAULT_CSS = """
    LineWidget { height: 1fr; width: 1fr; overflow: hidden; }
    """

    GROUND: ClassVar[str] = "text"

    def __init__(
        self,
        *,
        id: str | None = None,  # noqa: A002  (Textual names it so)
        classes: str | None = None,
    ) -> None:
        super().__init__(id=id, classes=classes)
        self._lines: tuple[Line, ...] = ()
        self._strips: dict[int, Strip] = {}
        self._drawn_with = (0, 0)
        self.painted = 0
        """Lines drawn since the start; tests hold it against the claim above."""

    @property
    def skin(self) -> Skin:
        """Styles of the theme in use."""
        app = self.app
        assert isinstance(app, SkinnedApp)
        return app.skin

    def lay_out(self, lines: Iterable[Line]) -> None:
        """Replace the lines and repaint those that differ."""
        new = tuple(lines)
        old = self._lines
        if new == old:
            return
        self._lines = new
        width = self.size.width
        if width == 0:
            self._strips.clear()
            return
        changed: list[Region] = []
        for y in range(max(len(old), len(new))):
            if y >= len(old) or y >= len(new) or old[y] != new[y]:
                self._strips.pop(y, None)
                changed.append(Region(0, y, width, 1))
        self.refresh(*changed)

    @property
    def lines(self) -> tuple[Line, ...]:
        """What is shown now."""
        return self._lines

    def line_at(self, y: int, width: int) -> Line:
        """Give the line of a row; subclasses with a frame override this."""
        del width
        return self._lines[y] if y < len(self._lines) else EMPTY

    def forget_strips(self) -> None:
        """Draw everything anew at the next paint."""
        self._strips.clear()
        self.refresh()

    def draw_row(self, y: int, width: int) -> Strip:
        """Draw a row that is not in the cache."""
        return strip_of(self.line_at(y, width), width, self.skin, self.GROUND)

    def render_line(self, y: int) -> Strip:
        """Draw one row, from the cache when it did not change."""
        width = self.size.width
        drawn_with = (id(self.skin), width)
        if self._drawn_with != drawn_with:
            self._strips.clear()
            self._drawn_with = drawn_with
        strip = self._strips.get(y)
        if strip is None:
            self.painted += 1
            strip = self._strips[y] = self.draw_row(y, width)
        return strip


class Panel(LineWidget, can_focus=True):
    """Lines in a frame: a title on its left, a note on its right, heavy when it has the focus.

    `state` says in one word what is wrong with the panel as a whole (`FROZEN 12s`, `UI_ERROR ..`)
    and takes the place of the note. When `fade` is set, everything is shown as stale.
    """

    DEFAULT_CSS = """
    Panel { min-height: 3; }
    """

    def __init__(
        self,
        *,
        title: str = "",
        id: str | None = None,  # noqa: A002  (Textual names it so)
        classes: str | None = None,
    ) -> None:
        super().__init__(id=id, classes=classes)
        self.title = title
        self.note = ""
        self.foot = ""
        self.state = ""
        self.fade = False
        self.look = ""
        self._all: tuple[Line, ...] = ()
        self._top = 0

    @property
    def inner(self) -> tuple[int, int]:
        """Width and height inside the frame, never negative."""
        return max(self.size.width - 4, 0), max(self.size.height - 2, 0)

    def show(self, lines: Sequence[Line], *, note: str = "", foot: str = "") -> None:
        """Replace the content, and what the frame says about it."""
        self._all = tuple(map(faded, lines)) if self.fade else tuple(lines)
        self.say(note=note)
        self._roll(foot)

    def scroll_lines(self, steps: int) -> None:
        """Move through more lines than fit."""
        self._top += steps
        self._roll("")

    def _roll(self, foot: str) -> None:
        room, total = self.inner[1], len(self._all)
        self._top = max(min(self._top, total - room), 0)
        if total > room > 0:
            foot = f"{self._top + 1}-{self._top + room} of {total}"
        self.say(foot=foot)
        self.lay_out(self._all[self._top :] if self._top else self._all)

    def set_current(self, current: bool) -> None:
        """Take or lose the place that Tab and the cursor keys speak to."""
        self.set_class(current, "-current")

    def lay_out(self, lines: Iterable[Line]) -> None:
        """Replace the lines; row 0 on the screen is the frame, so strips shift by one."""
        new = tuple(lines)
        old = self._lines
        if new == old:
            return
        self._lines = new
        width, height = self.size
        changed = [
            y
            for y in range(min(max(len(old), len(new)), max(height - 2, 0)))
            if y >= len(old) or y >= len(new) or old[y] != new[y]
        ]
        for y in changed:
            self._strips.pop(y + 1, None)
        if changed:
            self.refresh(*(Region(0, y + 1, width, 1) for y in changed))

    def say(self, *, note: str | None = None, foot: str | None = None) -> None:
        """Change what the frame says, repainting only the frame."""
        if note is not None and note != self.note:
            self.note = note
            self._redraw_row(0)
        if foot is not None and foot != self.foot:
            self.foot = foot
            self._redraw_row(self.size.height - 1)

    def set_state(self, state: str, *, fade: bool) -> None:
        """Mark the panel as a whole."""
        if state != self.state:
            self.state = state
            self._redraw_row(0)
        if fade != self.fade:
            self.fade = fade
            self.forget_strips()

    def set_title(self, title: str) -> None:
        """Change the title."""
        if title != self.title:
            self.title = title
            self._redraw_row(0)

    def set_look(self, look: str) -> None:
        """Take the frame of a mode: nobody shall trade on a recording, or overlook a kill."""
        if look != self.look:
            self.look = look
            self.forget_strips()

    def _redraw_row(self, y: int) -> None:
        self._strips.pop(y, None)
        if y >= 0 and self.size.width:
            self.refresh(Region(0, y, self.size.width, 1))

    def on_focus(self) -> None:
        """Draw the heavy frame."""
        self.forget_strips()

    def on_blur(self) -> None:
        """Draw the light frame."""
        self.forget_strips()

    def on_resize(self) -> None:
        """Draw everything anew."""
        self.forget_strips()

    def _frame(self) -> tuple[Frame, str]:
        light, heavy, role, focus = LOOKS[self.look]
        return (heavy, focus) if self.has_focus else (light, role)

    def inner_line(self, row: int, width: int) -> Line:
        """Give the content of a row inside the frame."""
        del width
        return self._lines[row] if row < len(self._lines) else EMPTY

    def inner_ground(self, row: int) -> str:
        """Name the ground of a row inside the frame."""
        del row
        return self.GROUND

    def line_at(self, y: int, width: int) -> Line:
        """Give a row of the frame itself."""
        frame, role = self._frame()
        if y == 0:
            note_role = "warn" if self.state else "head"
            return frame_top(self.title, self.state or self.note, width, frame, role, note_role)
        return frame_bottom(width, frame, role, self.foot)

    def draw_row(self, y: int, width: int) -> Strip:
        """Draw a row; the ground of a content row stays between the frame's sides."""
        if width < 4 or not 0 < y < self.size.height - 1:
            return super().draw_row(y, width)
        skin = self.skin
        frame, role = self._frame()
        side = Segment(to_ascii(frame[3]) if skin.ascii else frame[3], skin.style("text", role))
        line = ((" ", ""), *self.inner_line(y - 1, width - 4))
        middle = strip_of(line, width - 2, skin, self.inner_ground(y - 1))
        return Strip([side, *middle, side], width)
