"""The tab line: the pages and their keys on the left, the kill's place on the right.

There is no kill yet because there is nothing to kill: the right end says so. When the execution
kernel arrives, its chord and state take exactly this place and nothing else does.
"""

from collections.abc import Sequence

from polytui.actions import BY_ID, key_text
from polytui.engine.core.enums import Mode
from polytui.widgets.lines import Line, LineWidget, line_cells


def kill_place(mode: Mode | None) -> Line:
    """Say what could reach the venue from here."""
    if mode is Mode.SHADOW:
        return (("SHADOW: no orders can be sent ", "dim"),)
    if mode is Mode.REPLAY:
        return (("REPLAY: a recording, nothing is sent ", "dim"),)
    return (("engine state unknown ", "warn"),)


def tab_line(pages: Sequence[str], current: str, *, mode: Mode | None, width: int) -> Line:
    """Draw the tabs, shorter when narrow; the right end stays."""
    right = kill_place(mode)
    for length in (20, 4, 2):
        left = _tabs(pages, current, length)
        gap = width - line_cells(left) - line_cells(right)
        if gap > 0:
            return (*left, (" " * gap, ""), *right)
    short: Line = (("no orders ", "dim"),) if mode is not None else (("?? ", "warn"),)
    left = _tabs(pages, current, 2)
    gap = width - line_cells(left) - line_cells(short)
    return (*left, (" " * max(gap, 1), ""), *short)


def _tabs(pages: Sequence[str], current: str, length: int) -> Line:
    parts: Line = ((" ", ""),)
    for page in pages:
        action = BY_ID[f"page.{page}"]
        text = f"{key_text(action.keys[0])} {action.title[:length]}"
        part = (f"[{text}]", "tab") if page == current else (f" {text} ", "")
        parts = (*parts, part)
    return parts


class Tabs(LineWidget):
    """One line under the status bar."""

    DEFAULT_CSS = """
    Tabs { height: 1; }
    """
