import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from polytui import link as link_module
from polytui.engine.core.enums import Mode, ModuleStatus, Reason
from polytui.engine.core.errors import OperatorError
from polytui.engine.core.events import Event, Turn
from polytui.engine.core.messages import Absent, Answer, Ask, Beat, Hello, ServerMessage, Show
from polytui.engine.core.view import MARKETS, STATUS, MarketsView, ModulesView, ModuleView
from polytui.engine.project import Projector
from polytui.engine.shell.admin import AdminServer, Reply
from polytui.engine.shell.clock import sleep_until
from polytui.engine.shell.places import ADMIN_SOCKET
from polytui.link import DirectLink, Link, LinkState, SocketLink
from tests.support.engines import short_directory
from tests.support.practice_rig import Rig, feed

DEADLINE_S = 4.0

Told = ServerMessage | LinkState


@pytest.fixture
def home() -> Iterator[Path]:
    with short_directory() as path:
        yield path


class Ear:
    """Everything a link delivered."""

    def __init__(self) -> None:
        self.told: list[Told] = []

    def states(self) -> list[bool]:
        return [message.up for message in self.told if isinstance(message, LinkState)]

    def answers(self) -> list[Answer]:
        return [message for message in self.told if isinstance(message, Answer)]

    def has(self, kind: type[Told]) -> bool:
        return any(isinstance(message, kind) for message in self.told)


class Engine:
    """A server whose asks are kept; it answers when the test says so."""

    def __init__(self) -> None:
        self.asked: list[tuple[Ask, Reply]] = []
        self.watches = 0

    def ask(self, ask: Ask, actor: str, reply: Reply) -> None:
        del actor
        self.asked.append((ask, reply))

    def watched(self) -> None:
        self.watches += 1

    async def start(self, home: Path, run: str = "run-1") -> AdminServer:
        server = AdminServer(home, run=run, version="0", on_ask=self.ask, on_watch=self.watched)
        await server.start()
        return server


async def until(holds: Callable[[], bool]) -> None:
    async with asyncio.timeout(DEADLINE_S):
        while not holds():
            await sleep_until(0)


@asynccontextmanager
async def linked(home: Path) -> AsyncIterator[tuple[SocketLink, Ear]]:
    link, ear = SocketLink(home / ADMIN_SOCKET), Ear()
    task = asyncio.ensure_future(link.run(ear.told.append))
    try:
        yield link, ear
    finally:
        await link.close()
        await asyncio.wait_for(task, DEADLINE_S)


def play(scene: Callable[[], Awaitable[None]]) -> None:
    async def run() -> None:
        await scene()

    asyncio.run(run())


def modules(rev: int) -> ModulesView:
    row = ModuleView(
        module="m", status=ModuleStatus.ONLINE, last_ns=None, reason=Reason.OK, counters=()
    )
    return ModulesView(rev=rev, at_ns=rev, rows=(row,))


# --- over a socket -------------------------------------------------------------------------------


def test_it_greets_says_that_it_is_up_and_brings_what_is_watched(home: Path) -> None:
    async def scene() -> None:
        engine = Engine()
        server = await engine.start(home)
        async with linked(home) as (link, ear):
            link.watch(("modules",))
            await until(lambda: server.topics() == ["modules"])
            server.publish("modules", modules(1))
            await until(lambda: ear.has(Show))
            assert isinstance(ear.told[0], Hello)
            assert ear.states() == [True]
        await server.close()

    play(scene)


def test_no_engine_is_a_state_with_a_reason_and_not_an_exception(home: Path) -> None:
    async def scene() -> None:
        async with linked(home) as (_, ear):
            await until(lambda: bool(ear.told))
            (state,) = ear.told
            assert isinstance(state, LinkState)
            assert not state.up
            assert str(home / ADMIN_SOCKET) in state.why

    play(scene)


def test_an_engine_that_comes_later_is_found_and_told_what_is_watched(home: Path) -> None:
    async def scene() -> None:
        engine = Engine()
        async with linked(home) as (link, ear):
            link.watch(("modules",))
            await until(lambda: ear.states() == [False])
            server = await engine.start(home)
            await until(lambda: server.topics() == ["modules"])
            await until(lambda: ear.states() == [False, True])
        await server.close()

    play(scene)


def test_a_restarted_engine_is_watched_again_and_shows_its_new_boot_id(home: Path) -> None:
    async def scene() -> None:
        engine = Engine()
        server = await engine.start(home)
        async with linked(home) as (link, ear):
            link.watch(("modules",))
            await until(lambda: server.topics() == ["modules"])
            await server.close()
            server = await engine.start(home, run="run-2")
            await until(lambda: server.topics() == ["modules"])
            await until(lambda: ear.states() == [True, False, True])
            boots = [message.boot for message in ear.told if isinstance(message, Hello)]
            assert boots == ["run-1", "run-2"]
        await server.close()

    play(scene)


def test_an_answer_finds_its_ask(home: Path) -> None:
    async def scene() -> None:
        engine = Engine()
        server = await engine.start(home)
        async with linked(home) as (link, ear):
            await until(lambda: ear.has(Hello))
            ids = [link.ask("strategy.pause", ("box",)), link.ask("engine.stop")]
            await until(lambda: len(engine.asked) == 2)
            assert [(ask.id, ask.args) for ask, _ in engine.asked] == [
                (ids[0], ("box",)),
                (ids[1], ()),
            ]
            for ask, reply in reversed(engine.asked):
                reply(Answer(id=ask.id, ok=True, code="done", text=""))
            await until(lambda: [answer.id for answer in ear.answers()] == ids[::-1])
        await server.close()

    play(scene)


def test_asking_without_an_engine_is_refused_and_leaves_no_doubt_who_refused(home: Path) -> None:
    async def scene() -> None:
        async with linked(home) as (link, ear):
            await until(lambda: ear.states() == [False])
            ask_id = link.ask("strategy.pause", ("box",))
            answer, state = ear.told[-2:]
            assert isinstance(answer, Answer)
            assert (answer.id, answer.ok, answer.code) == (ask_id, False, "refused")
            assert isinstance(state, LinkState)
            assert not state.up

    play(scene)


def test_an_ask_whose_answer_never_came_is_in_doubt_and_said_to_be(home: Path) -> None:
    async def scene() -> None:
        engine = Engine()
        server = await engine.start(home)
        async with linked(home) as (link, ear):
            await until(lambda: ear.has(Hello))
            ask_id = link.ask("strategy.pause", ("box",))
            await until(lambda: len(engine.asked) == 1)
            await server.close()
            await until(lambda: ear.answers() != [])
            assert ear.answers()[0].id == ask_id
            assert "may have been taken" in ear.answers()[0].text
            assert ear.states() == [True, False]

    play(scene)


def test_silence_is_down_and_a_word_is_up_again(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(link_module, "SILENCE_NS", 20_000_000)

    async def scene() -> None:
        engine = Engine()
        server = await engine.start(home)
        async with linked(home) as (_, ear):
            await until(lambda: ear.states() == [True, False])
            server.beat(at_ns=1, seq=1)
            await until(lambda: ear.states()[:3] == [True, False, True])
            hellos = [message for message in ear.told if isinstance(message, Hello)]
            assert len(hellos) == 1, "expected the same connection to go on"
        await server.close()

    play(scene)


@pytest.mark.parametrize(
    "line",
    [b"nonsense\n", b'{"type":"new"}\n', b"x" * (2 << 20), b""],
    ids=["nonsense", "unknown", "endless", "nothing"],
)
def test_what_is_no_engine_is_a_state_too(home: Path, line: bytes) -> None:
    async def speak(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(line)
        writer.close()

    async def scene() -> None:
        server = await asyncio.start_unix_server(speak, home / ADMIN_SOCKET)
        async with linked(home) as (_, ear):
            await until(lambda: ear.states() == [False])
        server.close()

    play(scene)


def test_closing_ends_a_link_that_waits(home: Path) -> None:
    async def scene() -> None:
        async with linked(home) as (_, ear):
            await until(lambda: ear.states() == [False])

    play(scene)


# --- in this process -----------------------------------------------------------------------------


def direct(rig: Rig) -> tuple[DirectLink, Ear]:
    def apply(event: Event) -> None:
        rig.engine.step(rig.sequencer.stamp(rig.now_ns, event))
        rig.engine.step(rig.sequencer.stamp(rig.now_ns, Turn()))

    made = DirectLink(rig.engine, Projector(rig.engine, venue="practice"), apply=apply)
    ear = Ear()
    made.open(ear.told.append)
    return made, ear


def test_an_engine_in_this_process_shows_the_same_messages() -> None:
    rig = Rig(feed())
    rig.run(1)
    link, ear = direct(rig)
    link.watch((STATUS, MARKETS, "book:none"))
    link.pump()
    kinds = [type(message) for message in ear.told]
    assert kinds == [Hello, LinkState, Show, Show, Absent, Beat]
    view = ear.told[3]
    assert isinstance(view, Show)
    assert isinstance(view.section, MarketsView)
    assert len(view.section.rows) == len(rig.feed.specs())


def test_what_did_not_move_is_not_delivered_again() -> None:
    rig = Rig(feed())
    rig.run(1)
    link, ear = direct(rig)
    link.watch((MARKETS,))
    link.pump()
    link.pump()
    assert sum(isinstance(message, Show) for message in ear.told) == 1


def test_a_directive_takes_effect_at_once() -> None:
    rig = Rig(feed())
    rig.run(1)
    link, ear = direct(rig)
    ask_id = link.ask("strategy.pause", ("box",))
    assert ear.answers() == [Answer(id=ask_id, ok=True, code="done", text="Paused: box.")]
    assert list(rig.engine.paused) == ["box"]
    link.ask("strategy.pause", ("fox",))
    assert ear.answers()[-1].code == "refused"


def test_a_mode_that_is_not_known_to_be_harmless_is_refused(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(link_module, "_HARMLESS", frozenset({Mode.REPLAY}))
    rig = Rig(feed())
    with pytest.raises(OperatorError, match="shadow needs an engine of its own process"):
        direct(rig)


def test_it_runs_until_closed() -> None:
    async def scene() -> None:
        rig = Rig(feed())
        link, _ = direct(rig)
        ear = Ear()
        task = asyncio.ensure_future(link.run(ear.told.append))
        await until(lambda: ear.has(Beat))
        await link.close()
        await asyncio.wait_for(task, DEADLINE_S)

    play(scene)


def test_both_links_are_links() -> None:
    links: list[Link] = [SocketLink(Path("/nowhere")), direct(Rig(feed()))[0]]
    assert all(callable(link.run) for link in links)
