"""The user stream on real sockets: gaps, odd shapes, refused logins (faults A2, B11, B31, B32)."""

import asyncio
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Any

import pytest
from msgspec.json import decode

from polytui.engine.core.account_events import UserBeat, UserOrder, UserStream, UserTrade
from polytui.engine.core.events import (
    Event,
    WireFault,
)
from polytui.engine.core.ids import ConnId
from polytui.engine.core.order_enums import Realm
from polytui.engine.shell.polymarket import sockets, user_stream
from polytui.engine.shell.polymarket.auth import Credentials
from polytui.engine.shell.polymarket.user_stream import UserSocket
from polytui.engine.shell.venue.acts import carry_out
from polytui.engine.sim.faults import CutStreams, Switches
from tests.engine.shell.polymarket.hearing import MS, counter, until
from tests.engine.shell.polymarket.scripted import Failing, reply, scripted
from tests.engine.shell.venue.rig import PLAIN, Rig, Trader, on_venue

# --- the user stream -----------------------------------------------------------------------------


class Listening:
    """A user stream at work."""

    def __init__(self, rig: Rig, trader: Trader) -> None:
        self.said: list[Event] = []
        self.credentials: Credentials | None = Credentials(
            address=trader.address,
            key=trader.creds["apiKey"],
            secret=trader.creds["secret"],
            passphrase=trader.creds["passphrase"],
        )
        self.socket = UserSocket(
            rig.base.replace("http", "ws") + "/ws/user",
            realm=Realm.LIVE,
            credentials=lambda: self.credentials,
            next_conn=counter(),
            emit=self.said.append,
            seed=5,
        )

    async def during(self, work: Callable[[], Awaitable[None]]) -> None:
        running = asyncio.create_task(self.socket.run())
        try:
            await work()
        finally:
            running.cancel()
            await asyncio.gather(running, return_exceptions=True)

    def ups(self) -> list[bool]:
        return [event.up for event in self.said if isinstance(event, UserStream)]

    def of(self, kind: type[Event]) -> list[Any]:
        return [event for event in self.said if isinstance(event, kind)]


@on_venue
async def test_the_user_stream_tells_up_orders_trades_and_down(rig: Rig) -> None:
    ann, bob = await rig.trader("ann"), await rig.trader("bob")
    it = Listening(rig, ann)

    async def work() -> None:
        await until(lambda: it.ups() == [True])
        order = await rig.rest(ann, PLAIN, px=520_000)
        await rig.post(bob, bob.order(PLAIN, ix=1, px=480_000))
        await until(lambda: it.of(UserTrade))
        events = it.of(UserOrder)
        assert {event.order.order_hash for event in events} == {order}
        assert events[0].order.event == "PLACEMENT"
        trade = it.of(UserTrade)[0].trade
        assert (trade.is_taker, trade.makers[0].order_hash) == (False, order)

    await it.during(work)
    assert it.ups() == [True, False]
    assert len(it.of(UserBeat)) == 1


@pytest.mark.timeout(15)
@on_venue
async def test_a2_every_lost_user_connection_is_told_as_down_and_up(rig: Rig) -> None:
    it = Listening(rig, await rig.trader("ann"))

    def told(ups: list[bool]) -> bool:
        return it.ups() == ups

    async def work() -> None:
        for n in range(1, 5):
            await until(partial(told, [True, False] * (n - 1) + [True]), seconds=6)
            carry_out(rig.venue, CutStreams())
            await until(partial(told, [True, False] * n))

    await it.during(work)
    assert it.ups() == [True, False] * 4
    conns = [event.conn for event in it.of(UserStream)]
    assert conns == sorted(conns)


@on_venue
async def test_b31_odd_shapes_are_heard_like_plain_ones(rig: Rig) -> None:
    rig.venue.apply(Switches(odd_shapes=1.0))
    ann, bob = await rig.trader("ann"), await rig.trader("bob")
    it = Listening(rig, ann)

    async def work() -> None:
        await until(lambda: it.ups() == [True])
        for n in range(12):
            await rig.rest(ann, PLAIN, px=520_000 + 10_000 * n)
            await rig.post(bob, bob.order(PLAIN, ix=1, px=480_000 - 10_000 * n))
        await rig.pass_time(30_000)
        await until(lambda: len(it.of(UserTrade)) >= 36)

    await it.during(work)
    assert it.of(WireFault) == []
    assert {event.order.status for event in it.of(UserOrder)} <= {"LIVE", "MATCHED"}


@on_venue
async def test_b32_a_refused_login_is_down_and_tried_again_with_the_next_key(rig: Rig) -> None:
    ann = await rig.trader("ann")
    it = Listening(rig, ann)
    good, it.credentials = it.credentials, None

    async def work() -> None:
        await until(lambda: it.ups() == [False])
        assert it.of(UserStream)[0].why == "there is no API key yet"
        it.credentials = Credentials(
            address=ann.address, key="nobody", secret="MDEyMw==", passphrase="x"
        )
        await until(lambda: it.ups() == [False, False])
        it.credentials = good
        await until(lambda: it.ups()[-1], seconds=5)

    await it.during(work)
    assert "1008" in it.of(UserStream)[1].why


def test_a_frame_that_cannot_be_read_is_a_fault_and_a_gap_and_never_quoted() -> None:
    from aiohttp import WSMsgType, web

    secret = "MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY="
    logins: list[Any] = []

    async def serve(request: web.Request) -> web.WebSocketResponse:
        socket = web.WebSocketResponse()
        await socket.prepare(request)
        async for message in socket:
            assert message.type is WSMsgType.TEXT
            if message.data == "PING":
                await socket.send_str("PONG")
                await socket.send_str('{"echo":"' + secret)
            else:
                logins.append(decode(message.data))
        return socket

    async def main() -> list[Event]:
        app = web.Application()
        app.router.add_get("/ws/user", serve)
        runner = web.AppRunner(app)
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        said: list[Event] = []
        credentials = Credentials(address="0x1", key="k", secret=secret, passphrase="pass-1")
        socket = UserSocket(
            f"ws://127.0.0.1:{runner.addresses[0][1]}/ws/user",
            realm=Realm.LIVE,
            credentials=lambda: credentials,
            next_conn=counter(),
            emit=said.append,
            seed=1,
        )
        running = asyncio.create_task(socket.run())
        await until(lambda: len(said) >= 5)
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
        await runner.cleanup()
        return said

    said = asyncio.run(main())
    assert logins[0]["auth"]["passphrase"] == "pass-1"
    kinds = [event.up for event in said if isinstance(event, UserStream)]
    assert kinds == [True, False, True, False]
    assert any(isinstance(event, WireFault) for event in said)
    assert secret not in repr(said)
    assert "pass-1" not in repr(said)


async def said_after_attempts(url: str, count: int) -> list[Event]:
    """Run a stream that fails until it has tried so often; return what it said."""
    said: list[Event] = []
    numbers = counter()
    last = ConnId(0)

    def next_conn() -> ConnId:
        nonlocal last
        last = numbers()
        return last

    socket = UserSocket(
        url,
        realm=Realm.LIVE,
        credentials=lambda: Credentials(address="0x1", key="k", secret="MDEy", passphrase="p"),
        next_conn=next_conn,
        emit=said.append,
        seed=1,
    )
    running = asyncio.create_task(socket.run())
    await until(lambda: last > count)
    heard = list(said)
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)
    return heard


def down(why: str) -> UserStream:
    return UserStream(realm=Realm.LIVE, conn=ConnId(1), up=False, why=why)


def test_a_user_stream_that_cannot_be_opened_says_so_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sockets, "LAST_WAIT_S", 0.01)

    async def main() -> list[Event]:
        busy = reply(b"said by the other side", status=503)
        async with scripted(lambda _n, _request: busy) as server:
            return await said_after_attempts(f"ws://127.0.0.1:{server.port}", 4)

    why = "it cannot be opened: WSServerHandshakeError, HTTP 503"
    assert asyncio.run(main()) == [down(why)]


def test_a_user_stream_that_fails_while_it_is_open_says_that(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(sockets, "LAST_WAIT_S", 0.01)
    monkeypatch.setattr(user_stream, "open_socket", Failing(ConnectionResetError("not ours")))
    why = "the connection failed: ConnectionResetError"
    assert asyncio.run(said_after_attempts("", 4)) == [down(why)]


def test_b11_a_user_stream_that_answers_no_ping_is_replaced(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(user_stream, "PING_NS", 50 * MS)
    monkeypatch.setattr(user_stream, "SILENT_NS", 150 * MS)

    async def mute(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        from base64 import b64encode
        from hashlib import sha1

        head = await reader.readuntil(b"\r\n\r\n")
        lines = dict(line.split(b": ", 1) for line in head.split(b"\r\n")[1:] if b": " in line)
        magic = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
        accept = b64encode(sha1(lines[b"Sec-WebSocket-Key"] + magic).digest())
        writer.write(
            b"HTTP/1.1 101 S\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            b"Sec-WebSocket-Accept: " + accept + b"\r\n\r\n"
        )
        await reader.read()
        writer.close()

    async def main() -> tuple[int, list[Event]]:
        server = await asyncio.start_server(mute, "127.0.0.1", 0)
        port = server.sockets[0].getsockname()[1]
        said: list[Event] = []
        credentials = Credentials(address="0x1", key="k", secret="MDEy", passphrase="p")
        socket = UserSocket(
            f"ws://127.0.0.1:{port}/ws/user",
            realm=Realm.LIVE,
            credentials=lambda: credentials,
            next_conn=counter(),
            emit=said.append,
            seed=1,
        )
        running = asyncio.create_task(socket.run())
        await until(lambda: socket.opened >= 2)
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
        server.close()
        return socket.opened, said

    opened, said = asyncio.run(main())
    assert opened >= 2
    downs = [event for event in said if isinstance(event, UserStream)]
    assert downs[0].why == "no answer to PING"
    assert not any(event.up for event in downs)
