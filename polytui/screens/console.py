"""The part of the app that only looks: pages, cursor, filter, themes, help. It asks for nothing.

What sends something to the engine is in `polytui.app`, which builds on this.
"""

from collections.abc import Callable
from pathlib import Path

from polytui import format as fmt
from polytui.actions import Facts
from polytui.engine.core.runconfig import ConsoleConfig
from polytui.screens import yank
from polytui.screens.main import MainScreen
from polytui.screens.overview import Overview
from polytui.screens.page import Page
from polytui.screens.store import Store
from polytui.screens.times import TimeBase
from polytui.widgets.help import Help
from polytui.widgets.lines import Line
from polytui.widgets.live_table import LiveTable
from polytui.widgets.prompt import Prompt
from polytui.widgets.themes import SkinnedApp

_S = 10**9
NOTICE_S = 6
"""How long the answer to a key stays on the alert line."""


class ConsoleApp(SkinnedApp, inherit_bindings=False):
    """Pages, and what a person does to see them better."""

    def __init__(
        self, *, console: ConsoleConfig, now_mono_ns: Callable[[], int], yank_file: Path | None
    ) -> None:
        super().__init__(theme=console.theme, ascii_only=console.ascii)
        self.console_config = console
        self._now = now_mono_ns
        self._yank_file = yank_file or yank.yank_file()
        self.store = Store(now_mono_ns())
        self.time_base = TimeBase.AGE
        self._pages: dict[str, Page] = {"overview": Overview("overview")}
        self._notice: tuple[int, Line] = (0, ())
        self._filtering: LiveTable | None = None

    @property
    def main(self) -> MainScreen:
        """The one screen, also while the palette lies over it."""
        screen = self.screen_stack[0]
        assert isinstance(screen, MainScreen)
        return screen

    @property
    def page(self) -> Page:
        """The visible page."""
        return self._pages[self.main.switcher.current or "overview"]

    def say(self, role: str, text: str) -> None:
        """Put a sentence on the alert line for a while."""
        self._notice = (self._now() + NOTICE_S * _S, ((f" {fmt.foreign(text, 300)}", role),))
        if self.is_running:
            self.main.alert_line.lay_out((self._notice[1],))

    def _focus_back(self) -> None:
        main = self.main
        if not any(
            w.has_class("-open") for w in (main.dialog, main.help_panel, main.prompt, main.line)
        ):
            self.page.take_focus()

    def move(self, steps: int, *, pages: bool = False) -> None:
        """Move the cursor of the current table, or the lines of a panel without one."""
        panel = self.page.panel
        if isinstance(panel, LiveTable):
            panel.move_cursor(steps * panel.page_rows if pages else steps)
        elif panel is not None:
            panel.scroll_lines(steps * max(panel.inner[1], 1) if pages else steps)

    def on_live_table_moved(self, event: LiveTable.Moved) -> None:
        """Let the page follow its cursor at once."""
        event.stop()
        self.tick()

    # --- view -----------------------------------------------------------------------------------

    def open_filter(self) -> None:
        """Type a filter for the current table."""
        self._filtering = self.page.table
        if self._filtering is not None:
            self.main.bottom.display = False
            self.main.prompt.open_with(self._filtering.filter_text)

    def on_prompt_changed(self, event: Prompt.Changed) -> None:
        """Filter while it is typed."""
        if self._filtering is not None:
            self._filtering.set_filter(event.text)

    def on_prompt_closed(self, event: Prompt.Closed) -> None:
        """Keep or drop the filter."""
        if self._filtering is not None and not event.keep:
            self._filtering.set_filter("")
        self._filtering = None
        self.main.prompt.close()
        self.main.bottom.display = True
        self._focus_back()

    def clear_filter(self) -> None:
        """Drop the filter of the current table."""
        if (table := self.page.table) is not None:
            table.set_filter("")

    def freeze(self) -> None:
        """Hold the page still, or let it go on."""
        page = self.page
        page.frozen_at = self._now() if page.frozen_at is None else None
        page.refill()

    def next_time_base(self) -> None:
        """Write times another way."""
        bases = list(TimeBase)
        self.time_base = bases[(bases.index(self.time_base) + 1) % len(bases)]
        self.page.refill()
        self.say("info", f"times are shown as {self.time_base.value}")

    def change_theme(self) -> None:
        """Wear the next theme."""
        self.wear(self.next_theme())
        self.say("info", f"theme {self.theme}")

    def change_ascii(self) -> None:
        """Draw with plain characters, or with boxes."""
        self.say("info", "ASCII only" if self.toggle_ascii() else "boxes and glyphs")

    def copy_row(self) -> None:
        """Copy the row to the clipboard (OSC 52, where the terminal takes it) and to a file."""
        row = self.page.row
        assert row is not None
        text = "\t".join((*(cell[0] for cell in row.cells), row.market))
        self.copy_to_clipboard(text)
        self.say(*yank.save(text, self._yank_file))

    def hold(self) -> None:
        """Hold the rows of the panel still, or let them go."""
        self.page.hold(self._now())

    def open_help(self) -> None:
        """Show the keys."""
        self.main.help_panel.open_with(self.facts())

    def on_help_closed(self, _: Help.Closed) -> None:
        """Go back to the page."""
        self._focus_back()

    def tick(self) -> None:
        """Apply what is known; the app knows how."""
        raise NotImplementedError

    def facts(self) -> Facts:
        """Tell what decides whether an action is possible; the app knows."""
        raise NotImplementedError
