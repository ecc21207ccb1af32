"""A stage for the console: a link without an engine and a clock that stands still."""

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import TYPE_CHECKING

from polytui.app import PolytuiApp
from polytui.engine.core.messages import (
    CONFIRM_REQUIRED,
    Absent,
    Answer,
    Beat,
    Confirm,
    Hello,
    ServerMessage,
    Show,
)
from polytui.engine.core.runconfig import ConsoleConfig
from polytui.engine.core.view import AnySection
from polytui.screens.route_watch import RouteWatch
from tests.console import account_views, views
from tests.console.route_views import Found, StillRoutes, alive, nothing

if TYPE_CHECKING:
    from textual.pilot import Pilot

    from polytui.link import LinkState


class Clock:
    """Monotonic time in the hands of the test."""

    def __init__(self) -> None:
        self.ns = 1_000 * views.S

    def __call__(self) -> int:
        return self.ns

    def pass_s(self, seconds: float) -> None:
        """Let time pass."""
        self.ns += round(seconds * views.S)


class FakeLink:
    """Delivers what the test gives it, and remembers what it was asked."""

    def __init__(self, hello: Hello | None, sections: dict[str, AnySection]) -> None:
        self.hello = hello
        self.sections = sections
        self.running = False
        self.asked: list[tuple[str, tuple[str, ...]]] = []
        self.confirms: list[Confirm | None] = []
        """What each question answered, in the order of `asked`."""
        self.kills: list[str] = []
        self.kill_trouble = ""
        """What keeps a kill from being sent; empty: it is."""
        self.watched: list[tuple[str, ...]] = []
        self.closed = asyncio.Event()
        self.deliver: Callable[[ServerMessage | LinkState], None] = lambda _: None

    async def run(self, on_message: "Callable[[ServerMessage | LinkState], None]") -> None:
        """Greet, deliver what is watched, then wait to be closed."""
        self.deliver = on_message
        if self.hello is not None:
            self.running = True
            on_message(self.hello)
            self.beat()
            self.show(*(self.watched[-1] if self.watched else ()))
        await self.closed.wait()

    def watch(self, topics: tuple[str, ...]) -> None:
        before = self.watched[-1] if self.watched else ()
        self.watched.append(topics)
        self.show(*(topic for topic in topics if topic not in before))

    def show(self, *topics: str) -> None:
        """Deliver the latest section of topics, as the server does."""
        for topic in topics if self.running else ():
            if topic in self.sections:
                self.deliver(Show(topic=topic, section=self.sections[topic]))
            else:
                self.deliver(Absent(topic=topic, why="no such market"))

    def beat(self) -> None:
        """Show a sign of life."""
        self.deliver(Beat(at_ns=views.NOW, seq=88_213))

    def ask(self, action: str, args: tuple[str, ...] = (), confirm: Confirm | None = None) -> str:
        self.asked.append((action, args))
        self.confirms.append(confirm)
        return f"ask-{len(self.asked)}"

    def kill(self, reason: str) -> str:
        self.kills.append(reason)
        return self.kill_trouble

    def answer_kill(self, *, ok: bool = True, code: str = "done", text: str = "Killed.") -> None:
        """Answer the latest kill, as its own connection does."""
        self.deliver(Answer(id=f"kill-{len(self.kills)}", ok=ok, code=code, text=text))

    def answer(self, *, ok: bool = True, code: str = "done", text: str = "As you wish.") -> None:
        """Answer the latest question."""
        self.deliver(Answer(id=f"ask-{len(self.asked)}", ok=ok, code=code, text=text))

    def challenge(self, typed: str, *impact: str, wants_reason: bool = False) -> None:
        """Ask back, as the engine does before what is to be confirmed."""
        self.deliver(
            Answer(
                id=f"ask-{len(self.asked)}",
                ok=False,
                code=CONFIRM_REQUIRED,
                text=f"type {typed}",
                challenge=f"c{len(self.asked)}",
                typed=typed,
                impact=impact,
                expires_s=15,
                wants_reason=wants_reason,
            )
        )

    async def close(self) -> None:
        self.closed.set()


class Stage:
    """One console with everything around it faked."""

    def __init__(
        self,
        sections: dict[str, AnySection] | None,
        *,
        theme: str = "poly-dark",
        ascii_only: bool = False,
        owns_engine: bool = True,
        hello: Hello = views.HELLO,
        page: str = "overview",
        seconds_later: float = 0.0,
        now: Callable[[], int] | None = None,
    ) -> None:
        self.clock = Clock()
        self.link = FakeLink(hello if sections is not None else None, sections or {})
        self.stopped = 0
        self.page = page
        self.seconds_later = seconds_later
        self.app = PolytuiApp(
            self.link,
            console=ConsoleConfig(theme=theme, ascii=ascii_only),
            owns_engine=owns_engine,
            now_mono_ns=now or self.clock,
            stop_engine=self._stop,
        )
        self.routes = StillRoutes(self.clock, nothing)

    def finding(self, made: Found, socket: str = "admin.sock") -> "Stage":
        """Have this found by other routes once the link is lost; without it none is looked for."""
        self.routes.made = made
        self.app.route_watch = RouteWatch(Path("/run/polytui", socket), self.clock)
        self.app.route_watch.routes = self.routes
        return self

    def _stop(self) -> None:
        self.stopped += 1


KEY_OF_PAGE = {
    "overview": "1",
    "book": "2",
    "orders": "3",
    "positions": "i",
    "decisions": "5",
    "risk": "6",
    "modules": "9",
    "alerts": "0",
}
ACCOUNT_PAGES = ("orders", "positions", "risk", "alerts", "kill")
"""Those that show the account; the last one has no tab of its own."""

STATES: dict[str, Callable[[], dict[str, AnySection]]] = {
    "empty": views.empty,
    "live": views.live,
    "stale": views.stale,
    "disconnected": views.live,
}
"""The states of the snapshots; the last one loses its link after the values came."""

ACCOUNT_STATES: dict[str, Callable[[], dict[str, AnySection]]] = {
    "empty": lambda: account_views.bare(views.empty()),
    "live": lambda: account_views.trading(views.live()),
    "stale": lambda: account_views.trading(views.live()),
    "disconnected": lambda: account_views.trading(views.live()),
    "killed": lambda: account_views.killed(views.live()),
    "absent": views.live,
}
"""The same of the pages that show the account; absent: the engine does not know the topic."""

LATER_S = {"stale": 3.1, "disconnected": 8.0}
"""How long nothing is heard from the engine before the picture is taken."""

Script = Callable[["Pilot[str]"], Awaitable[None]]


def stage_for(page: str, state: str, theme: str = "poly-dark") -> Stage:
    """Set the stage for a page in a state."""
    if page in ACCOUNT_PAGES:
        later = LATER_S.get(state, 0.0)
        return Stage(ACCOUNT_STATES[state](), page=page, seconds_later=later, theme=theme)
    later = 8.0 if state == "disconnected" else 0.0
    stage = Stage(STATES[state](), page=page, seconds_later=later, theme=theme)
    return stage.finding(alive) if page == "modules" else stage


async def settle(stage: Stage, pilot: "Pilot[str]") -> None:
    """Let everything that is under way come to rest."""
    for _ in range(2):
        await pilot.pause()
        stage.app.tick()
    await pilot.pause()


async def open_page(stage: Stage, pilot: "Pilot[str]") -> None:
    """Go to the stage's page, and let its time pass."""
    await settle(stage, pilot)
    if stage.page != "overview":
        await pilot.press({**KEY_OF_PAGE, "kill": "K", "venue_lab": "L"}[stage.page])
        await settle(stage, pilot)
    if stage.seconds_later:
        stage.clock.pass_s(stage.seconds_later)
        await settle(stage, pilot)


def screen_text(stage: Stage) -> str:
    """Read what is on the screen, one line per row."""
    strips = stage.app.screen._compositor.render_strips()
    return "\n".join(strip.text.rstrip() for strip in strips) + "\n"


def play(stage: Stage, script: Script | None = None, size: tuple[int, int] = (120, 40)) -> str:
    """Run the console on its page through a script, and return what is on the screen then."""

    async def run() -> str:
        async with stage.app.run_test(size=size) as pilot:
            await open_page(stage, pilot)
            if script is not None:
                await script(pilot)
                await settle(stage, pilot)
            return screen_text(stage)

    return asyncio.run(run())
