"""Small pieces of lines that several pages draw with. Pure."""

from collections.abc import Iterable

from polytui import format as fmt
from polytui.widgets.lines import Line, line_cells
from polytui.widgets.live_table import wrap


def pair(name: str, value: str, role: str = "", *, more: str = "", width: int = 10) -> Line:
    """Draw a name and a value, and quietly something more about it."""
    return ((fmt.pad(name, width), "head"), (value, role), (f"  {more}" if more else "", "dim"))


def told(text: str, width: int, role: str = "dim") -> list[Line]:
    """Break a sentence into quiet lines."""
    return [((line, role),) for line in wrap(text, max(width, 10))]


def gauge(reached: float, width: int, role: str = "buy-bar") -> Line:
    """Draw a share of one, full at one and beyond."""
    full = round(min(max(reached, 0.0), 1.0) * width)
    return (("█" * full, role), ("·" * (width - full), "faint"))


def use_gauge(used: int, limit: int, width: int) -> Line:
    """Draw how much of a limit is used, with the percentage and a mark when it is nearly all."""
    if limit <= 0:
        return ((fmt.pad("no limit", width + 6), "dim"),)
    share = used / limit
    role = "warn" if share >= NEARLY else "buy-bar"
    mark = "!" if share >= NEARLY else " "
    percent = fmt.pad(f"{share * 100:.0f}%", 4, right=True)
    return (*gauge(share, width, role), (f" {percent}{mark}", "warn" if mark == "!" else "dim"))


NEARLY = 0.8
"""Use of a limit from which it is marked."""


def flow(parts: Iterable[Line], width: int, joint: str = "  ") -> list[Line]:
    """Set pieces side by side, on as many lines as they need."""
    lines: list[Line] = []
    for part in parts:
        if lines and line_cells(lines[-1]) + len(joint) + line_cells(part) <= width:
            lines[-1] = (*lines[-1], (joint, ""), *part)
        else:
            lines.append(part)
    return lines
