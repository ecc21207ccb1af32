"""Clients of the control sockets that speak lines, and what stands behind the sockets."""

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import uvloop

from polytui.engine.core.enums import ModuleStatus, Reason
from polytui.engine.core.messages import Answer, Ask
from polytui.engine.core.view import ModulesView, ModuleView
from polytui.engine.shell.admin import AdminServer, Reply
from polytui.engine.shell.clock import sleep_until
from polytui.engine.shell.places import ADMIN_SOCKET

DEADLINE_S = 4.0


class Desk:
    """What stands behind the sockets in these tests."""

    def __init__(self) -> None:
        self.asked: list[tuple[Ask, str]] = []
        self.refused: list[tuple[str, str, str]] = []
        self.watches = 0
        self.text = "ok"

    def ask(self, ask: Ask, actor: str, reply: Reply) -> None:
        self.asked.append((ask, actor))
        reply(Answer(id=ask.id, ok=True, code="done", text=self.text))

    def refuse(self, ask: Ask, actor: str, answer: Answer) -> None:
        self.refused.append((ask.action, actor, answer.code))

    def watched(self) -> None:
        self.watches += 1


OPEN: list["Client"] = []
"""Clients of the running scene; it closes them."""


class Client:
    """A client that speaks lines."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader, self.writer = reader, writer

    @classmethod
    async def dial(cls, home: Path, name: str = ADMIN_SOCKET) -> "Client":
        client = cls(*await asyncio.open_unix_connection(home / name, limit=1 << 24))
        OPEN.append(client)
        return client

    async def hear(self) -> dict[str, Any]:
        line = await asyncio.wait_for(self.reader.readline(), DEADLINE_S)
        assert line, "expected a line, the server hung up"
        told: dict[str, Any] = json.loads(line)
        return told

    async def hear_until(self, wanted: Callable[[dict[str, Any]], bool]) -> dict[str, Any]:
        while not wanted(told := await self.hear()):
            pass
        return told

    async def is_hung_up_on(self) -> bool:
        try:
            while await asyncio.wait_for(self.reader.read(1 << 20), DEADLINE_S):
                pass
        except ConnectionResetError:
            return True
        return True

    def say(self, **fields: object) -> None:
        self.writer.write(json.dumps(fields).encode() + b"\n")


async def connect(home: Path, name: str = ADMIN_SOCKET) -> Client:
    client = await Client.dial(home, name)
    assert (await client.hear())["type"] == "hello"
    return client


@asynccontextmanager
async def serving(home: Path, desk: Desk) -> AsyncIterator[AdminServer]:
    server = AdminServer(
        home,
        run="run-1",
        version="0",
        on_ask=desk.ask,
        on_watch=desk.watched,
        on_refused=desk.refuse,
    )
    await server.start()
    try:
        yield server
    finally:
        await server.close()


def play(home: Path, scene: Callable[[AdminServer, Desk], Awaitable[None]]) -> None:
    """Run a scene against a live server, on the loop the engine runs on."""

    async def run() -> None:
        desk = Desk()
        async with serving(home, desk) as server:
            await scene(server, desk)
            for client in OPEN:
                client.writer.transport.abort()
            OPEN.clear()
            await until(lambda: not server.clients)

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(run())


async def until(holds: Callable[[], bool]) -> None:
    async with asyncio.timeout(DEADLINE_S):
        while not holds():
            await sleep_until(0)


def section(rev: int, *, padding: int = 0) -> ModulesView:
    row = ModuleView(
        module="x" * padding,
        status=ModuleStatus.ONLINE,
        last_ns=None,
        reason=Reason.OK,
        counters=(),
    )
    return ModulesView(rev=rev, at_ns=rev, rows=(row,))
