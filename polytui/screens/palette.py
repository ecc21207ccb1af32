"""The palette: the actions by name and help, taken the same way as by key."""

from collections.abc import Callable, Iterator
from typing import Protocol, cast

from textual.command import DiscoveryHit, Hit, Hits, Provider
from textual.content import Content

from polytui.actions import ACTIONS, Action, Facts, has_key_here, key_text, refusal


class Console(Protocol):
    """What the palette needs of the app."""

    def facts(self) -> Facts:
        """Tell what decides whether an action is possible."""

    def runner(self, action_id: str) -> Callable[[], None]:
        """Give a callable that does an action."""


def entries(facts: Facts) -> Iterator[tuple[Action, str, str]]:
    """List the actions of a page: the action, its line, and its help or why it is impossible."""
    for action in ACTIONS:
        if action.id == "palette.open" or (action.pages and facts.page not in action.pages):
            continue
        why = refusal(action, facts)
        keys = ", ".join(key_text(k) for k in action.keys if has_key_here(action, facts.page))
        dots = " …" if action.line else ""
        text = f"{action.group.value}: {action.title}{dots}" + (f"  ({keys})" if keys else "")
        yield action, text, f"not now: {why}" if why else action.help


def plain(text: str) -> str:
    """Keep a sentence from being read as markup: ids in it are written by strangers."""
    return text.replace("[", "\\[")


class ActionProvider(Provider):
    """Feeds Textual's palette."""

    @property
    def console(self) -> Console:
        """The app, as far as the palette knows it."""
        return cast("Console", self.app)

    async def discover(self) -> Hits:
        """List everything while nothing is typed."""
        for action, text, about in entries(self.console.facts()):
            run = self.console.runner(action.id)
            yield DiscoveryHit(Content(text), run, text=text, help=plain(about))

    async def search(self, query: str) -> Hits:
        """Find actions by name, id or key."""
        matcher = self.matcher(query)
        for action, text, about in entries(self.console.facts()):
            score = matcher.match(f"{text} {action.id}")
            if score > 0:
                run = self.console.runner(action.id)
                yield Hit(score, Content(text), run, text=text, help=plain(about))
