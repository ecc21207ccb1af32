"""The part of the app that takes typed commands: opens the `:` line and does what it says."""

from polytui.actions.line import WITH_MARKET, Typed, candidates, read_line
from polytui.engine.core.account_view import ORDERS, RISK
from polytui.engine.core.alert_view import ALERTS
from polytui.engine.core.view import MARKETS, VENUE_LAB
from polytui.screens.arming import Arming
from polytui.screens.asking import Asking
from polytui.screens.console import ConsoleApp
from polytui.screens.kill_key import REASON
from polytui.screens.knowing import known_names
from polytui.widgets.command_line import CommandLine
from polytui.widgets.themes import read_looks

LINE_TOPICS = (MARKETS, ORDERS, RISK, ALERTS)
"""Watched while somebody types: their names complete the line."""
KILL, PREFLIGHT = "risk.kill", "mode.preflight"


class TypedApp(ConsoleApp, inherit_bindings=False):
    """A console with a `:` line."""

    asking: Asking
    arming: Arming

    def line_topics(self) -> tuple[str, ...]:
        """Name what the line needs while it is open."""
        if not self.main.line.is_open:
            return ()
        lab = (VENUE_LAB,) if self.facts().practice else ()
        return (*LINE_TOPICS, *lab)

    def open_line(self, text: str = "") -> None:
        """Type a command."""
        self.main.bottom.display = False
        self.main.line.open_with(text, self.describe, self.complete)

    def describe(self, text: str) -> Typed:
        """Say what a text means now."""
        return read_line(text, self.facts(), known_names(self.store))

    def complete(self, text: str) -> tuple[str, ...]:
        """List what could follow a text."""
        return candidates(text, known_names(self.store), tuple(read_looks()))

    def close_line(self) -> None:
        """Give the footer its place back."""
        self.main.line.close()
        self.main.bottom.display = True

    def on_command_line_closed(self, _: CommandLine.Closed) -> None:
        """Go back to the page."""
        self.close_line()
        self._focus_back()

    def on_command_line_sent(self, event: CommandLine.Sent) -> None:
        """Do what was typed, on the way that keys take."""
        self.close_line()
        self._focus_back()
        self.do_typed(event.typed)

    def do_typed(self, typed: Typed) -> None:
        """Send a directive, or do the console's own part."""
        verb, args = typed.verb, typed.args
        if verb is None:
            self._do_local(typed)
        elif verb.id == KILL:
            self.kill(" ".join(args) or REASON)
        else:
            if verb.id == PREFLIGHT:
                self.arming.begin(self.store.risk)
                self.arming.sent(verb.id, self.store.risk, self.store.engine_ns(self._now()))
            self.asking.send(verb.id, args)

    def _do_local(self, typed: Typed) -> None:
        action = typed.action
        if action is None:
            return
        if typed.args and action.id in WITH_MARKET:
            self.open_page(WITH_MARKET[action.id], typed.args[0])
        elif typed.args and action.id == "view.theme":
            known = read_looks()
            theme = typed.args[0]
            if theme in known:
                self.wear(theme)
            self.say("info" if theme in known else "warn", f"themes: {', '.join(known)}")
        else:
            self.action_act(action.id)

    def kill(self, reason: str = REASON) -> None:
        """Ask for the kill; the app knows how."""
        raise NotImplementedError

    def open_page(self, name: str, market: str = "") -> None:
        """Show a page; the app knows how."""
        raise NotImplementedError

    def action_act(self, action_id: str) -> None:
        """Do an action; the app knows how."""
        raise NotImplementedError
