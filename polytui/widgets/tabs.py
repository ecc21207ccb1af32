"""The tab line: the pages and their keys on the left, the kill's place on the right.

The right end says what reaches the venue from here and how to stop it. It never drops: when there
is no room, the tabs lose their names first.
"""

from collections.abc import Sequence

from polytui.actions import BY_ID, KILL, key_text
from polytui.engine.core.enums import Mode
from polytui.widgets.lines import Line, LineWidget, line_cells

KILL_HINT = f"{key_text(BY_ID['risk.kill'].keys[0])} KILL "


def kill_places(mode: Mode | None, *, killed: bool, read_only: bool) -> tuple[Line, ...]:
    """Say what could reach the venue and what stops it, in the longest words first."""
    hint: Line = ((KILL_HINT, "key"),)
    if read_only:
        hint = (("read-only, no KILL ", "warn"),)
    if killed:
        receipt = key_text(BY_ID[f"page.{KILL}"].keys[0])
        return (
            (("KILLED (latched)", "crit"), (f"  {receipt} receipt ", "dim")),
            (("KILLED ", "crit"),),
        )
    if mode is Mode.SHADOW:
        return ((("SHADOW: no orders can be sent   ", "dim"), *hint), hint)
    if mode is Mode.REPLAY:
        return ((("REPLAY: a recording, nothing is sent ", "dim"),), (("nothing is sent ", "dim"),))
    if mode is None:
        return ((("engine state unknown   ", "warn"), *hint), (("?? ", "warn"), *hint), hint)
    return (hint,)


def tab_line(pages: Sequence[str], current: str, places: Sequence[Line], width: int) -> Line:
    """Draw the tabs, shorter when narrow; the right end stays."""
    for length in (20, 4, 2, 0):
        left = _tabs(pages, current, length)
        for right in places:
            gap = width - line_cells(left) - line_cells(right)
            if gap > 0:
                return (*left, (" " * gap, ""), *right)
    return ((" " * max(width - line_cells(places[-1]), 0), ""), *places[-1])


def _tabs(pages: Sequence[str], current: str, length: int) -> Line:
    parts: Line = ((" ", ""),)
    for page in pages:
        action = BY_ID[f"page.{page}"]
        text = f"{key_text(action.keys[0])} {action.title[:length]}".rstrip()
        part = (f"[{text}]", "tab") if page == current else (f" {text} ", "")
        parts = (*parts, part)
    return parts


class Tabs(LineWidget):
    """One line under the status bar."""

    DEFAULT_CSS = """
    Tabs { height: 1; }
    """
