"""The footer: the most useful keys here, and a `-` before those that are not possible now."""

from polytui.actions import Facts, footer_actions, key_text, refusal
from polytui.widgets.lines import Line, LineWidget, line_cells


def footer_line(facts: Facts, width: int) -> Line:
    """Draw the keys in their rank; what does not fit is in the help."""
    line: Line = ((" ", ""),)
    for action in footer_actions(facts.page):
        off = refusal(action, facts) is not None
        part: Line = (
            (key_text(action.keys[0]), "stale" if off else "key"),
            (f" {action.title.lower()}  ", "stale" if off else "dim"),
        )
        if line_cells(line) + line_cells(part) > width:
            break
        line = (*line, *part)
    return line


class Footer(LineWidget):
    """The last line of the screen."""

    DEFAULT_CSS = """
    Footer { height: 1; }
    """
    GROUND = "bar"
