"""The console: one screen, one timer, one store; it shows the engine and asks it for things.

The link hands over messages; they are stored, the latest per topic. One timer applies what is
stored to the visible page, and only what moved is painted. The console computes nothing about money
and decides nothing: an action with a directive goes to the engine, whose answer is shown. Whatever
the console does not know it says: a lost engine is never drawn as if it were there.
"""

import asyncio
import gc
import os
import signal
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

import polytui.widgets  # noqa: F401  (sets the frame rate before textual reads it)

# isort: split
from textual.binding import BindingType
from textual.screen import Screen
from textual.worker import Worker, WorkerState

from polytui import format as fmt
from polytui.actions import BY_ID, PAGES, VENUE_LAB, Facts, arguments, refusal
from polytui.engine.core.messages import Answer, ServerMessage, Show
from polytui.engine.core.runconfig import ConsoleConfig
from polytui.engine.core.view import STATUS
from polytui.screens.bars import draw_bars
from polytui.screens.main import LAYOUT, MainScreen
from polytui.screens.overview import Overview
from polytui.screens.page import Page, Scene
from polytui.screens.palette import ActionProvider
from polytui.screens.questions import quit_question, stop_question
from polytui.screens.store import Phase, Store, TimeBase
from polytui.widgets.confirm import Dialog
from polytui.widgets.help import Help
from polytui.widgets.lines import Line
from polytui.widgets.live_table import LiveTable
from polytui.widgets.prompt import Prompt
from polytui.widgets.themes import SkinnedApp

if TYPE_CHECKING:
    from polytui.link import Link, LinkState

_S = 10**9
NOTICE_S = 6
"""How long the answer to a key stays on the alert line."""
STOP_WAIT_S = 5
"""How long a stop waits for the engine's answer before the console leaves anyway."""
DETACHED, STOPPED = "detached", "stopped"
"""What the console returns: whether the engine goes on."""
PRACTICE = "practice"
"""What the status calls the venue that has a lab."""
ASKED_MAX = 64
"""Questions to the engine without an answer; beyond this the oldest is forgotten."""


PAGE_TYPES = {"book": "Book", "decisions": "Decisions", "modules": "Modules", VENUE_LAB: "VenueLab"}
"""By the name of the page, which is that of its module."""


def make_page(name: str) -> Page:
    """Build a page; its module is imported when it is first opened."""
    page = getattr(import_module(f"polytui.screens.{name}"), PAGE_TYPES[name])(name)
    assert isinstance(page, Page), f"expected a page, was {type(page).__name__}"
    return page


class PolytuiApp(SkinnedApp, inherit_bindings=False):
    """The operator's console."""

    TITLE = "polytui"
    COMMANDS: ClassVar = {ActionProvider}
    BINDINGS: ClassVar[list[BindingType]] = []
    CSS = (
        LAYOUT
        + """
    SearchIcon { display: none; }
    CommandPalette { background: transparent; }
    CommandPalette > Vertical { margin: 2 0; }
    """
    )

    def __init__(
        self,
        link: "Link",
        *,
        console: ConsoleConfig,
        owns_engine: bool,
        now_mono_ns: Callable[[], int],
        stop_engine: Callable[[], None] | None,
        yank_file: Path | None = None,
    ) -> None:
        super().__init__(theme=console.theme, ascii_only=console.ascii)
        self.animation_level = "none"
        self.link = link
        self.console_config = console
        self.owns_engine = owns_engine
        self._now = now_mono_ns
        self._stop_engine = stop_engine
        self._yank_file = yank_file or _default_yank_file()
        self.store = Store(now_mono_ns())
        self.time_base = TimeBase.AGE
        self._pages: dict[str, Page] = {"overview": Overview("overview")}
        self._wanted = ("overview", "")
        """The page asked for last, and its market; it may still be on its way."""
        self._watched: tuple[str, ...] = ()
        self._notice: tuple[int, Line] = (0, ())
        self._asked: dict[str, str] = {}
        self._early: dict[str, Answer] = {}
        self._stopping_since: int | None = None
        self._market = ""
        self._filtering: LiveTable | None = None

    # --- life -----------------------------------------------------------------------------------

    def get_default_screen(self) -> Screen[None]:
        """Build the one screen."""
        return MainScreen(self._pages["overview"], self._now)

    @property
    def main(self) -> MainScreen:
        """The one screen, also while the palette lies over it."""
        screen = self.screen_stack[0]
        assert isinstance(screen, MainScreen)
        return screen

    def on_mount(self) -> None:
        """Start the link and the timer."""
        self.run_worker(self.link.run(self.take), name="link", exit_on_error=False)
        self._watch()
        if not self.is_headless:
            self._leave_on_signals()
        self.set_interval(1 / self.console_config.rate_hz, self.tick)
        self.call_after_refresh(self._settle)

    def _leave_on_signals(self) -> None:
        """Restore the terminal when told to end; Textual by itself would not."""
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGHUP):
            loop.add_signal_handler(number, self.exit, DETACHED)

    async def on_unmount(self) -> None:
        """Close the link; the engine does not notice more than a client lost."""
        await self.link.close()

    def on_resize(self) -> None:
        """Draw the bars for the new width."""
        self.call_after_refresh(self.tick)

    def _settle(self) -> None:
        self.tick()
        self.page.take_focus()
        self._freeze_memory()

    def _freeze_memory(self) -> None:
        """Take what lives for ever out of the collector's sight: it stops the screen for 100 ms."""
        if not self.is_headless:
            gc.collect()
            gc.freeze()
            gc.set_threshold(50_000, 50, 1000)

    def on_worker_state_changed(self, event: Worker.StateChanged) -> None:
        """Say it when the link itself fails; the screen stays."""
        if event.worker.name == "link" and event.state is WorkerState.ERROR:
            self.say("warn", f"UI_ERROR link: {type(event.worker.error).__name__}")
            self.store.ui_errors += 1

    # --- what comes in, and the timer -----------------------------------------------------------

    def take(self, message: "ServerMessage | LinkState") -> None:
        """Store a message; nothing is drawn but what a panel has been waiting for."""
        boot = self.store.restarted
        if isinstance(message, Show) and message.topic not in self.store.sections:
            self.call_later(self.tick)
        answer = self.store.take(message, self._now())
        if answer is not None:
            self._answered(answer)
        if self.store.restarted != boot:
            self.say("warn", f"the engine restarted: boot {self.store.restarted}; all is new")
            for page in self._pages.values():
                page.refill()

    @property
    def page(self) -> Page:
        """The visible page."""
        return self._pages[self.main.switcher.current or "overview"]

    def tick(self) -> None:
        """Apply what is known to the bars and the visible page.

        The timer may fire before the screen is there, and once more after it is gone.
        """
        if not self.screen_stack:
            return
        now_ns = self._now()
        phase = self.store.phase(now_ns)
        scene = Scene(
            store=self.store,
            times=self.store.times(now_ns, self.time_base),
            phase=phase,
            now_mono_ns=now_ns,
        )
        self._watch()
        notice = self._notice[1] if now_ns < self._notice[0] else ()
        draw_bars(self.main, scene, self.facts(), notice, self.size.width)
        self.page.apply(scene)
        self.store.applied += 1
        self.main.dialog.draw()
        if self._stopping_since is not None and now_ns - self._stopping_since > STOP_WAIT_S * _S:
            self._leave_stopped()

    def _watch(self) -> None:
        topics = (STATUS, *self.page.topics())
        if topics != self._watched:
            self._watched = topics
            self.store.keep(topics)
            self.link.watch(topics)

    def say(self, role: str, text: str) -> None:
        """Put a sentence on the alert line for a while."""
        self._notice = (self._now() + NOTICE_S * _S, ((f" {fmt.foreign(text, 300)}", role),))
        if self.is_running:
            self.main.alert_line.lay_out((self._notice[1],))

    # --- actions --------------------------------------------------------------------------------

    def facts(self) -> Facts:
        """Collect what decides whether an action is possible."""
        store, page = self.store, self.page
        strategies = store.strategies()
        paused = store.status.paused if store.status is not None else ()
        row, table = page.row, page.table
        strategy = row.strategy if row is not None else ""
        if not strategy and len(strategies) == 1:
            strategy = strategies[0]
        return Facts(
            page=page.page,
            linked=store.phase(self._now()) is Phase.LIVE and store.hello is not None,
            role=store.role,
            strategy=strategy,
            strategies=len(strategies),
            paused=strategy in paused,
            all_paused=bool(strategies) and set(strategies) <= set(paused),
            market=page.market,
            copyable=row is not None,
            filterable=table is not None,
            filtered=table is not None and bool(table.filter_text),
            two_books=page.two_books,
            practice=store.status is not None and store.status.venue == PRACTICE,
            trouble=row.key if row is not None and page.page == VENUE_LAB else "",
        )

    def runner(self, action_id: str) -> Callable[[], None]:
        """Give a callable for the palette: the same path as the key."""
        return lambda: void(self.call_later(self.action_act, action_id))

    def action_act(self, action_id: str) -> None:
        """Do an action, whichever way it was asked for."""
        action, facts = BY_ID[action_id], self.facts()
        why = refusal(action, facts)
        if why is not None:
            # Esc is pressed by habit; it needs no answer when there is nothing to clear.
            if action_id != "filter.clear":
                self.say("warn", f"{action.title}: no, {why}")
        elif action.id == "engine.stop":
            self.main.dialog.ask(stop_question(owns_engine=self.owns_engine))
        elif action.directive is not None:
            self.send(action.directive, arguments(action, facts))
        elif not self.page.perform(action_id):
            DEEDS[action_id](self)
        self.tick()

    def send(self, directive: str, args: tuple[str, ...]) -> None:
        """Ask the engine; its answer comes through the link."""
        if len(self._asked) >= ASKED_MAX:
            del self._asked[next(iter(self._asked))]
        said = " ".join((directive, *args))
        self.say("info", f"{said}: sent, waiting for the engine")
        ask_id = self.link.ask(directive, args)
        # A link that cannot carry the question refuses it before it returns.
        if ask_id in self._early:
            self._say_answer(said, self._early.pop(ask_id))
        else:
            self._asked[ask_id] = said

    def _answered(self, answer: Answer) -> None:
        if answer.id not in self._asked:
            self._early = {answer.id: answer}
            return
        said = self._asked.pop(answer.id)
        if said == "engine.stop" and self._stopping_since is not None:
            self._stopping_since = None
            if answer.ok:
                self._leave_stopped()
                return
        self._say_answer(said, answer)

    def _say_answer(self, said: str, answer: Answer) -> None:
        word = "done" if answer.ok else f"REFUSED {answer.code}"
        self.say("strong" if answer.ok else "warn", f"{said}: {word}. {answer.text}")

    # --- pages ----------------------------------------------------------------------------------

    def open_page(self, name: str, market: str = "") -> None:
        """Show a page, turned to a market if one is given; the book turns to the last one."""
        self._market = market or self.page.market or self._market
        if name == "book":
            market = self._market
        self._wanted = (name, market)
        page = self._pages.get(name)
        if page is None:
            self._pages[name] = make_page(name)
            self.call_later(self._add_page, name)
        elif page.is_attached:
            self._show_page(name, market)

    async def _add_page(self, name: str) -> None:
        """Mount a page, and show it if nobody has asked for another one meanwhile."""
        await self.main.switcher.add_content(self._pages[name])
        if self._wanted[0] == name:
            self._show_page(*self._wanted)
        self.call_after_refresh(self._freeze_memory)

    def _show_page(self, name: str, market: str) -> None:
        page = self._pages[name]
        self.main.switcher.current = name
        if market:
            page.open_market(market)
        page.refill()
        self.call_after_refresh(self._arrived)

    def _arrived(self) -> None:
        self.tick()
        self._focus_back()

    def _focus_back(self) -> None:
        main = self.main
        if not any(w.has_class("-open") for w in (main.dialog, main.help_panel, main.prompt)):
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
        try:
            self._yank_file.parent.mkdir(parents=True, exist_ok=True)
            self._yank_file.write_text(text + "\n", encoding="utf-8")
        except OSError as error:
            self.say("warn", f"copied to the clipboard only: {error}")
            return
        self.say("info", f"copied to the clipboard and to {self._yank_file}")

    def open_help(self) -> None:
        """Show the keys."""
        self.main.help_panel.open_with(self.facts())

    def on_help_closed(self, _: Help.Closed) -> None:
        """Go back to the page."""
        self._focus_back()

    # --- leaving --------------------------------------------------------------------------------

    def ask_quit(self) -> None:
        """Ask what shall become of the engine."""
        self.main.dialog.ask(quit_question(owns_engine=self.owns_engine))

    def on_dialog_answered(self, event: Dialog.Answered) -> None:
        """Do what was answered; cancelled and expired questions change nothing."""
        if event.answer == "detach":
            self.exit(DETACHED)
        elif event.answer == "stop":
            self._stop()
        elif event.answer == "expired":
            self.say("info", "the question expired; nothing was done")
        self._focus_back()

    def _stop(self) -> None:
        linked = self.store.phase(self._now()) is Phase.LIVE
        if linked:
            self.send("engine.stop", ())
        if self.owns_engine:
            self._stopping_since = self._now()
            if not linked:
                self._leave_stopped()

    def _leave_stopped(self) -> None:
        if self._stop_engine is not None:
            self._stop_engine()
        self.exit(STOPPED)


def void(_: object) -> None:
    """Drop a result."""


def opener(name: str) -> Callable[[PolytuiApp], None]:
    """Make the deed that shows a page."""
    return lambda app: app.open_page(name)


DEEDS: dict[str, Callable[[PolytuiApp], None]] = {
    **{f"page.{name}": opener(name) for name in (*PAGES, VENUE_LAB)},
    "row.open": lambda app: app.open_page("book", app.page.market),
    "row.why": lambda app: app.open_page("decisions", app.page.market),
    "panel.next": lambda app: app.page.step_panel(1),
    "panel.previous": lambda app: app.page.step_panel(-1),
    "cursor.down": lambda app: app.move(1),
    "cursor.up": lambda app: app.move(-1),
    "cursor.page_down": lambda app: app.move(1, pages=True),
    "cursor.page_up": lambda app: app.move(-1, pages=True),
    "cursor.first": lambda app: app.move(-(10**6)),
    "cursor.last": lambda app: app.move(10**6),
    "filter.open": PolytuiApp.open_filter,
    "filter.clear": PolytuiApp.clear_filter,
    "view.freeze": PolytuiApp.freeze,
    "view.time": PolytuiApp.next_time_base,
    "view.theme": PolytuiApp.change_theme,
    "view.ascii": PolytuiApp.change_ascii,
    "row.copy": PolytuiApp.copy_row,
    "help.keys": PolytuiApp.open_help,
    "palette.open": PolytuiApp.action_command_palette,
    "session.quit": PolytuiApp.ask_quit,
}
"""What each console-local action does; those of one page alone are in its `perform`."""


def _default_yank_file() -> Path:
    cache = os.environ.get("XDG_CACHE_HOME") or str(Path.home() / ".cache")
    return Path(cache) / "polytui" / "yank.txt"
