"""The console: one screen, one timer, one store; it shows the engine and asks it for things.

The link hands over messages; they are stored, the latest per topic. One timer applies what is
stored to the visible page, and only what moved is painted. The console computes nothing about money
and decides nothing: an action with a directive goes to the engine, whose answer is shown. Whatever
the console does not know it says: a lost engine is never drawn as if it were there.
"""

import asyncio
import gc
import signal
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

import polytui.widgets  # noqa: F401  (sets the frame rate before textual reads it)

# isort: split
from textual.binding import BindingType
from textual.driver import Driver
from textual.drivers.linux_driver import LinuxDriver
from textual.screen import Screen
from textual.worker import Worker, WorkerState

from polytui.actions import (
    ACTIONS,
    BY_ID,
    KILL,
    KILL_KEYS,
    PAGES,
    VENUE_LAB,
    Action,
    Facts,
    arguments,
    pick,
    refusal,
)
from polytui.engine.core.account_view import RISK
from polytui.engine.core.messages import CONFIRM_REQUIRED, Answer, Confirm, ServerMessage, Show
from polytui.engine.core.runconfig import ConsoleConfig
from polytui.engine.core.view import STATUS
from polytui.screens.arming import Arming
from polytui.screens.asking import Asked, Asking
from polytui.screens.bars import draw_bars
from polytui.screens.bell import Bell
from polytui.screens.facts import facts_of
from polytui.screens.kill_key import REASON, KillKey
from polytui.screens.layout import LAYOUT
from polytui.screens.main import MainScreen, bindings
from polytui.screens.pages import make_page
from polytui.screens.palette import ActionProvider
from polytui.screens.questions import YES, challenge_question, form_for, quit_question
from polytui.screens.route_watch import RouteWatch
from polytui.screens.scene import Scene
from polytui.screens.store import Phase
from polytui.screens.typed import TypedApp
from polytui.widgets.confirm import SEND, Dialog, Question
from polytui.widgets.kill_driver import KillDriver
from polytui.widgets.prompt import Prompt

if TYPE_CHECKING:
    from polytui.link import Link, LinkState

_S = 10**9
STOP_WAIT_S = 5
"""How long a stop waits for the engine's answer before the console leaves anyway."""
STOP = "engine.stop"
DETACHED, STOPPED = "detached", "stopped"
"""What the console returns: whether the engine goes on."""


class PolytuiApp(TypedApp, inherit_bindings=False):
    """The operator's console."""

    TITLE = "polytui"
    COMMANDS: ClassVar = {ActionProvider}
    BINDINGS: ClassVar[list[BindingType]] = bindings(priority=True)
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
        socket: Path | None = None,
        yank_file: Path | None = None,
    ) -> None:
        """Show nothing yet; `socket` is where the engine listens, None: in this process."""
        super().__init__(console=console, now_mono_ns=now_mono_ns, yank_file=yank_file)
        self.animation_level = "none"
        self.link = link
        self.owns_engine = owns_engine
        self.route_watch = RouteWatch(socket, now_mono_ns)
        self._stop_engine = stop_engine
        self.asking = Asking(link, self.say)
        self.kill_key = KillKey(link, self.store)
        self.arming = Arming()
        self.alarm = Bell()
        self._said_yes = False
        """Whether leaving was answered by stopping the engine: `y` is said already."""
        self._was_killed = False
        self._wanted = ("overview", "")
        """The page asked for last, and its market; it may still be on its way."""
        self._watched: tuple[str, ...] = ()
        self._stopping_since: int | None = None
        self._market = ""

    # --- life -----------------------------------------------------------------------------------

    def get_default_screen(self) -> Screen[None]:
        """Build the one screen."""
        return MainScreen(self._pages["overview"], self._now)

    def get_driver_class(self) -> type[Driver]:
        """Read the keyboard with a driver that knows the kill; other drivers stay as they are."""
        usual = super().get_driver_class()
        return KillDriver if usual is LinuxDriver else usual

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

    def terminal_lost(self) -> None:
        """Leave: nobody sees this console any more. Called from the driver's thread."""
        self.call_later(self.exit, DETACHED)

    async def on_unmount(self) -> None:
        """Close the link; the engine does not notice more than a client lost."""
        self.route_watch.close()
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
            routes=self.route_watch.look(self.store, now_ns),
        )
        self._watch()
        notice = self._notice[1] if now_ns < self._notice[0] else ()
        draw_bars(self.main, scene, self.facts(), notice, self.size.width)
        self.page.apply(scene)
        self.store.applied += 1
        self._follow_kill()
        self._follow_arming(scene.times.now_ns)
        self._ring(now_ns)
        self.main.dialog.draw()
        if self._stopping_since is not None and now_ns - self._stopping_since > STOP_WAIT_S * _S:
            self._leave_stopped()

    def _watch(self) -> None:
        armed = (RISK,) if self.arming.step else ()
        wanted = (STATUS, *self.page.topics(), *armed, *self.line_topics())
        topics = tuple(dict.fromkeys(wanted))
        if topics != self._watched:
            self._watched = topics
            self.store.keep(topics)
            self.link.watch(topics)

    # --- actions --------------------------------------------------------------------------------

    def facts(self) -> Facts:
        """Collect what decides whether an action is possible."""
        return facts_of(self.store, self.page, self._now())

    def runner(self, action_id: str) -> Callable[[], None]:
        """Give a callable for the palette: the same path as the key."""
        return lambda: void(self.call_later(self.action_act, action_id))

    def action_key(self, key: str) -> None:
        """Do what a key means on this page, or say where it means something."""
        page = self.page.page
        action = pick(key, page)
        if action is not None:
            self.action_act(action.id)
            return
        other = next(a for a in ACTIONS if key in a.keys)
        pages = " and ".join(other.key_pages or other.pages)
        self.say("warn", f"{other.title}: no, {key} works on page {pages}; the palette has it")

    def action_act(self, action_id: str) -> None:
        """Do an action, whichever way it was asked for."""
        action, facts = BY_ID[action_id], self.facts()
        if set(action.keys) == KILL_KEYS:
            self.kill()
            return
        why = refusal(action, facts)
        if why is not None:
            # Esc is pressed by habit; it needs no answer when there is nothing to clear.
            if action_id != "filter.clear":
                self.say("warn", f"{action.title}: no, {why}")
        elif action.line:
            self.open_line(f"{action.id} ")
        elif action.id == "mode.arm":
            self.main.dialog.ask(self.arming.begin(self.store.risk))
        elif action.directive is not None:
            self._ask_or_send(action, facts)
        elif not self.page.perform(action_id):
            DEEDS[action_id](self)
        self.tick()

    def _ask_or_send(self, action: Action, facts: Facts) -> None:
        question = form_for(action, facts, self.store)
        if question is not None:
            self.main.dialog.ask(question)
        else:
            self.asking.send(action.directive or "", arguments(action, facts))

    def _answered(self, answer: Answer) -> None:
        if (said := self.kill_key.told(answer)) is not None:
            self.say("crit", said)
            return
        asked = self.asking.answered(answer)
        if answer.code == CONFIRM_REQUIRED and asked.directive:
            self._asked_back(asked, answer)
        elif asked.directive == STOP and self.owns_engine:
            self._stopping_since, self._said_yes = None, False
            if answer.ok:
                self._leave_stopped()
        elif asked.directive in ("mode.arm", "mode.preflight") and not answer.ok:
            self.arming.close()

    def _asked_back(self, asked: Asked, answer: Answer) -> None:
        """Show the engine's challenge, unless its answer was given when leaving was asked."""
        if asked.directive == STOP and self._said_yes and answer.typed == YES:
            self._said_yes = False
            confirm = Confirm(challenge=answer.challenge, typed=YES)
            self.asking.send(asked.directive, asked.args, confirm)
            return
        self._stopping_since, self._said_yes = None, False
        self.close_line()
        self.main.dialog.ask(challenge_question(asked, answer))

    # --- kill and arming ------------------------------------------------------------------------

    def kill_pressed(self) -> None:
        """Ask for the kill now; called from the input thread, and needs no loop."""
        self.kill_key.press()

    def kill(self, reason: str = REASON) -> None:
        """Say what became of the kill's key, and clear the way to its receipt."""
        sent, said = self.kill_key.take(reason)
        if sent:
            self._show_kill()
        self.say("crit", said)
        self.tick()

    def _show_kill(self) -> None:
        """Close whatever lies over the page, and open the receipt."""
        self.arming.close()
        self.main.dialog.drop()
        self.main.help_panel.close()
        self.close_line()
        if self._filtering is not None:
            self.on_prompt_closed(Prompt.Closed(keep=True))
        while len(self.screen_stack) > 1:
            self.pop_screen()
        self.open_page(KILL)

    def _follow_kill(self) -> None:
        status = self.store.status
        if status is None:
            return
        if status.account.killed and not self._was_killed and self.page.page != KILL:
            self.call_later(self._show_kill)
        self._was_killed = status.account.killed

    def _ring(self, now_ns: int) -> None:
        """Ring for critical alerts that nobody acknowledged; what is frozen rings no bell."""
        status = self.store.status
        known = status is not None and self.store.phase(now_ns) is Phase.LIVE
        critical = status.alerts.critical if status is not None and known else 0
        if self.alarm.rings(critical, now_ns):
            self.bell()

    def mute(self) -> None:
        """Let the bell be silent on this console, or ring again; alerts stay as they are."""
        self.alarm.muted = not self.alarm.muted
        self.say("info", "the bell is muted here" if self.alarm.muted else "the bell rings again")

    def _follow_arming(self, now_ns: int) -> None:
        deed, question, said = self.arming.follow(self.store.risk, now_ns)
        if deed == "close":
            self.main.dialog.drop()
            self._focus_back()
        elif question is not None and deed == "ask":
            self.main.dialog.ask(question)
        elif question is not None:
            self.main.dialog.retell(question)
        if said:
            self.say("strong", said)

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

    # --- leaving --------------------------------------------------------------------------------

    def ask_quit(self) -> None:
        """Ask what shall become of the engine."""
        self.main.dialog.ask(quit_question(self.store, owns_engine=self.owns_engine))

    def on_dialog_answered(self, event: Dialog.Answered) -> None:
        """Do what was answered; cancelled and expired questions change nothing."""
        question, answer = event.question, event.answer
        if answer == "expired":
            self.say("info", "the question expired; nothing was done")
        if answer == "detach":
            self.exit(DETACHED)
        elif answer == "stop":
            self._stop()
        elif answer == SEND and question.challenge:
            self._confirm(question, event.texts)
        elif answer == SEND:
            if self.arming.step:
                now_ns = self.store.engine_ns(self._now())
                self.arming.sent(question.directive, self.store.risk, now_ns)
            self.asking.send(question.directive, question.sent(event.texts))
        elif self.arming.step:
            self._abort_arming()
        self._focus_back()

    def _confirm(self, question: Question, texts: dict[str, str]) -> None:
        """Answer the engine's challenge with what was typed."""
        typed = texts.get("phrase", question.typed)
        reason = texts.get("reason", "").strip()
        confirm = Confirm(challenge=question.challenge, typed=typed, reason=reason)
        if question.directive == STOP and self.owns_engine:
            self._stopping_since = self._now()
        self.asking.send(question.directive, question.args, confirm)

    def _abort_arming(self) -> None:
        """Leave the ritual; once the engine takes part, it is told."""
        if self.arming.is_shared:
            self.asking.send("mode.abort", ())
        self.arming.close()

    def _stop(self) -> None:
        linked = self.store.phase(self._now()) is Phase.LIVE
        if linked:
            self._said_yes = True
            self.asking.send(STOP, ())
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
    **{f"page.{name}": opener(name) for name in (*PAGES, VENUE_LAB, KILL)},
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
    "view.hold": PolytuiApp.hold,
    "view.time": PolytuiApp.next_time_base,
    "view.theme": PolytuiApp.change_theme,
    "view.ascii": PolytuiApp.change_ascii,
    "row.copy": PolytuiApp.copy_row,
    "view.mute": PolytuiApp.mute,
    "help.keys": PolytuiApp.open_help,
    "line.open": PolytuiApp.open_line,
    "palette.open": PolytuiApp.action_command_palette,
    "session.quit": PolytuiApp.ask_quit,
}
"""What each console-local action does; those of one page alone are in its `perform`."""
