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
from polytui.widgets.confirm import Clock, Dialog
from polytui.widgets.footer import Footer
from polytui.widgets.help import Help
from polytui.widgets.prompt import Prompt
from polytui.widgets.status_bar import StatusBar
from polytui.widgets.tabs import Tabs

LAYOUT = """
MainScreen { layers: base dialog; layout: vertical; overflow: hidden; }
MainScreen > ContentSwitcher { height: 1fr; }
MainScreen.-line > .bar { display: none; }

MainScreen #overview-sides { height: 12; layout: horizontal; }
MainScreen #strategies { width: 34; }
MainScreen #incidents { width: 40; }
MainScreen.-l #strategies, MainScreen.-l #incidents { width: 1fr; }
MainScreen.-short #overview-sides { height: 8; }
MainScreen.-l #overview { layout: horizontal; }
MainScreen #overview-left { height: 1fr; }
MainScreen #overview-recent { display: none; height: 2fr; }
MainScreen.-l #overview-recent { display: block; }
MainScreen #markets { height: 3fr; }
MainScreen.-l #overview > #overview-left { width: 2fr; }
MainScreen.-l #overview > #overview-sides { width: 1fr; height: 1fr; layout: vertical; }

MainScreen #book { layout: horizontal; }
MainScreen #book-picker { width: 34; }
MainScreen #book-middle { width: 1fr; }
MainScreen #book-ladders { height: 1fr; }
MainScreen #book-trades { height: 11; }
MainScreen #book-right { width: 40; }
MainScreen #book-quality { height: 17; }
MainScreen #book-other { display: none; }
MainScreen.-l #book-picker { width: 50; }
MainScreen.-l #book-right { width: 50; }
MainScreen.-l #book-ladders { layout: horizontal; }
MainScreen.-l #book-other { display: block; }
MainScreen.-short #book-trades { height: 7; }
MainScreen.-short #book-quality { height: 1fr; }
MainScreen.-s #book-picker { display: none; }
MainScreen.-s #book-picker.-current { display: block; width: 36; }
MainScreen.-s #book.-at-book-picker #book-right { display: none; }
MainScreen.-s #book-right { width: 34; }
MainScreen.-s #book-trades { height: 1fr; }

MainScreen #why-lower { height: 15; layout: horizontal; }
MainScreen #why-left { width: 7fr; }
MainScreen #why-detail { width: 6fr; }
MainScreen.-short #why-lower { height: 9; }
MainScreen.-l #decisions { layout: horizontal; }
MainScreen.-l #decisions > #why-folds { width: 6fr; }
MainScreen.-l #decisions > #why-lower { width: 5fr; height: 1fr; layout: vertical; }
MainScreen.-l #why-lower > * { width: 1fr; }
MainScreen.-l #why-left { height: 2fr; }

MainScreen #system-sides { height: 15; layout: horizontal; }
MainScreen #system-latency { width: 52; }
MainScreen.-s #system-latency { width: 1fr; }
MainScreen.-short #system-sides { height: 8; }
MainScreen.-l #modules { layout: horizontal; }
MainScreen.-l #modules > #system-modules { width: 1fr; }
MainScreen.-l #modules > #system-sides { width: 60; height: 1fr; layout: vertical; }
MainScreen.-l #system-sides > * { width: 1fr; }

MainScreen #lab-sides { height: 15; layout: horizontal; }
MainScreen #lab-scenario { width: 1fr; }
MainScreen #lab-people { width: 44; }
MainScreen #lab-counts { width: 24; }
MainScreen.-short #lab-sides { height: 8; }
MainScreen.-l #venue_lab { layout: horizontal; }
MainScreen.-l #venue_lab > #lab-troubles { width: 1fr; }
MainScreen.-l #venue_lab > #lab-sides { width: 70; height: 1fr; layout: vertical; }
MainScreen.-l #lab-sides > * { width: 1fr; }

MainScreen.-s .pick > * { display: none; }
MainScreen.-s .pick > .-last {
    display: block; width: 1fr !important; height: 1fr !important;
}

MainScreen.-xs Page Panel, MainScreen.-xs Page Container,
MainScreen.-tiny Page Panel, MainScreen.-tiny Page Container { display: none; }
MainScreen.-xs Page Panel.-current, MainScreen.-tiny Page Panel.-current,
MainScreen.-xs Page Container.-current, MainScreen.-tiny Page Container.-current {
    display: block; width: 1fr !important; height: 1fr !important;
}
"""
"""The places of the panels by size of the screen. `.pick` shows one of its children at a time on
small screens, the one that Tab reached last; on tiny ones only the current panel is left. The app
loads it: rules in a screen's own `CSS` are scoped and would not reach their panels."""


def bindings() -> list[BindingType]:
    """Make a binding of each key of each action."""
    return [
        Binding(key, f"app.act('{action.id}')", action.title, show=False)
        for action in ACTIONS
        for key in action.keys
        if action.id != "palette.open"  # Textual binds the palette itself, above everything
    ]


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
        yield self.dialog
        yield self.help_panel
