"""The one screen: bars that are never covered, and between them the visible page or a dialog."""

from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.screen import Screen
from textual.widgets import ContentSwitcher

from polytui.actions import ACTIONS
from polytui.screens.page import Page
from polytui.widgets.alert_line import AlertLine
from polytui.widgets.banner import Banner
from polytui.widgets.command_line import CommandLine
from polytui.widgets.confirm import Clock, Dialog
from polytui.widgets.footer import Footer
from polytui.widgets.help import Help
from polytui.widgets.prompt import Prompt
from polytui.widgets.status_bar import StatusBar
from polytui.widgets.tabs import Tabs


def bindings(*, priority: bool = False) -> list[BindingType]:
    """Make a binding of each key; what it means is looked up when it is pressed."""
    keys = dict.fromkeys(
        key
        for action in ACTIONS
        for key in action.keys
        # Textual binds the palette itself, above everything.
        if action.id != "palette.open" and action.priority is priority
    )
    return [Binding(k, f"app.key({k!r})", priority=priority, show=False) for k in keys]


class MainScreen(Screen[None]):
    """Status bar, tabs, page, alert line, footer; mounted once."""

    BINDINGS: ClassVar[list[BindingType]] = bindings()
    HORIZONTAL_BREAKPOINTS = [  # noqa: RUF012  (Textual declares it as it is)
        (0, "-xs"),
        (60, "-s"),
        (110, "-m"),
        (180, "-l"),
    ]
    VERTICAL_BREAKPOINTS = [  # noqa: RUF012  (as the line above)
        (0, "-line"),
        (6, "-tiny"),
        (18, "-short"),
        (36, "-tall"),
    ]
    AUTO_FOCUS = ""

    def __init__(self, first: Page, now_mono_ns: Clock) -> None:
        super().__init__(id="main")
        self._first = first
        self.status_bar = StatusBar()
        self.tabs = Tabs(classes="bar")
        self.banner = Banner(classes="bar")
        self.switcher = ContentSwitcher(first, initial=first.page)
        self.alert_line = AlertLine(classes="bar")
        self.bottom = Footer(classes="bar")
        self.prompt = Prompt()
        self.line = CommandLine()
        self.dialog = Dialog(now_mono_ns)
        self.help_panel = Help(title="Keys")

    def compose(self) -> ComposeResult:
        """Mount the frame."""
        yield self.status_bar
        yield self.tabs
        yield self.banner
        yield self.switcher
        yield self.alert_line
        yield self.bottom
        yield self.prompt
        yield self.line
        yield self.dialog
        yield self.help_panel
