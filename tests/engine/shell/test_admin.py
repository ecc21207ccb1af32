import asyncio
import os
import socket
import stat
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from polytui.engine.core.registry import VERBS, registry_hash
from polytui.engine.shell import admin
from polytui.engine.shell.admin import AdminServer, _peer
from polytui.engine.shell.places import ADMIN_SOCKET, VIEW_SOCKET
from tests.support.engines import short_directory
from tests.support.line_clients import (
    DEADLINE_S,
    Client,
    Desk,
    connect,
    play,
    section,
    until,
)


@pytest.fixture
def home() -> Iterator[Path]:
    with short_directory() as path:
        yield path


# --- who may come in -----------------------------------------------------------------------------


def test_sockets_are_private_and_gone_at_the_end(home: Path) -> None:
    async def scene(server: AdminServer, desk: Desk) -> None:
        for name in (ADMIN_SOCKET, VIEW_SOCKET):
            assert stat.S_IMODE((home / name).stat().st_mode) == 0o600

    play(home, scene)
    assert list(home.iterdir()) == []


def test_the_role_belongs_to_the_socket(home: Path) -> None:
    async def scene(server: AdminServer, desk: Desk) -> None:
        for name, role in ((ADMIN_SOCKET, "rw"), (VIEW_SOCKET, "ro")):
            client = await Client.dial(home, name)
            hello = await client.hear()
            assert (hello["role"], hello["boot"], hello["pid"]) == (role, "run-1", os.getpid())

    play(home, scene)


def test_the_kernel_says_who_the_peer_is() -> None:
    one, other = socket.socketpair(socket.AF_UNIX)
    with one, other:
        assert _peer(one) == (os.getpid(), os.getuid())


def test_another_user_is_sent_away(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(admin, "_peer", lambda _: (1, os.getuid() + 1))

    async def scene(server: AdminServer, desk: Desk) -> None:
        client = await Client.dial(home)
        told = await client.hear()
        assert (told["type"], told["code"]) == ("answer", "refused")
        assert await client.is_hung_up_on()
        assert server.clients == []

    play(home, scene)


def test_the_client_above_the_limit_is_told_so(home: Path) -> None:
    async def scene(server: AdminServer, desk: Desk) -> None:
        clients = [await connect(home) for _ in range(admin.CLIENTS_MAX)]
        late = await connect(home)
        late.say(type="ask", id="a1", action="strategy.pause", args=["box"])
        assert "32 clients" in (await late.hear())["text"]
        assert await late.is_hung_up_on()
        assert desk.asked == []
        looking = await Client.dial(home, VIEW_SOCKET)
        assert "32 clients" in (await looking.hear())["text"]
        assert await looking.is_hung_up_on()
        clients[0].writer.close()
        await until(lambda: len(server.clients) < admin.CLIENTS_MAX)
        await connect(home)

    play(home, scene)


# --- the kill is served first --------------------------------------------------------------------


def test_d11_when_every_place_is_taken_the_kill_still_gets_through(home: Path) -> None:
    async def scene(server: AdminServer, desk: Desk) -> None:
        taken = [await connect(home) for _ in range(admin.CLIENTS_MAX + admin.SPARE_MAX)]
        late = await connect(home)
        assert await taken[admin.CLIENTS_MAX].is_hung_up_on(), "the oldest spare one makes room"
        late.say(type="ask", id="k", action="risk.kill", args=["now"])
        assert (await late.hear())["id"] == "k"
        assert desk.asked[0][0].args == ("now",)
        taken[0].say(type="watch", topics=[])
        await asyncio.sleep(0.01)
        assert len(server.clients) == admin.CLIENTS_MAX

    play(home, scene)


def test_d11_a_client_beyond_its_rate_may_still_kill(home: Path) -> None:
    async def scene(server: AdminServer, desk: Desk) -> None:
        client = await connect(home)
        for n in range(admin.LINES_BURST):
            client.say(type="ask", id=str(n), action="x")
        for n in range(3):
            client.say(type="ask", id=f"k{n}", action="risk.kill")
        told = await client.hear_until(lambda told: told["id"] == "k2")
        assert told["ok"]
        assert [ask.id for ask, _ in desk.asked][-3:] == ["k0", "k1", "k2"]

    play(home, scene)


def test_what_only_looks_like_a_kill_is_a_line_like_any_other(home: Path) -> None:
    async def scene(server: AdminServer, desk: Desk) -> None:
        client = await connect(home)
        client.writer.write(b'{"type":"ask","id":"1","action":"risk.kill"\n')
        assert (await client.hear())["code"] == "bad_request"
        client.say(type="ask", id="2", action="strategy.pause", args=["risk.kill"])
        assert (await client.hear())["id"] == "2"
        client.say(type="ask", id="3", action="risk.kill", args=["x" * admin.KILL_LINE_MAX])
        assert (await client.hear())["id"] == "3"
        looking = await connect(home, VIEW_SOCKET)
        looking.say(type="ask", id="4", action="risk.kill")
        assert (await looking.hear())["code"] == "read_only"
        assert [ask.id for ask, _ in desk.asked] == ["2", "3"]

    play(home, scene)


def test_d11_a_line_that_does_not_end_ends_its_client(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(admin, "LINE_S", 0.05)

    async def scene(server: AdminServer, desk: Desk) -> None:
        client = await connect(home)
        client.writer.write(b'{"type":')
        assert "within 0.05 s" in (await client.hear())["text"]
        assert await client.is_hung_up_on()
        patient = await connect(home)
        patient.say(type="watch", topics=[])
        await asyncio.sleep(0.1)
        assert len(server.clients) == 1

    play(home, scene)


AS_NOBODY = """
import os, socket, sys
os.setgid(65534); os.setuid(65534)
link = socket.socket(socket.AF_UNIX); link.connect(sys.argv[1])
print(link.recv(4096))
try:
    link.sendall(b'{"type":"ask","id":"k","action":"risk.kill"}\\n')
    print(link.recv(4096))
except OSError as error:
    print(error)
"""


@pytest.mark.skipif(os.getuid() != 0, reason="only root can ask as somebody else")
def test_d11_another_user_is_refused_whatever_the_file_allows(home: Path) -> None:
    async def scene(server: AdminServer, desk: Desk) -> None:
        os.chmod(home, 0o755)
        os.chmod(home / ADMIN_SOCKET, 0o666)
        asking = await asyncio.create_subprocess_exec(
            sys.executable,
            "-c",
            AS_NOBODY,
            str(home / ADMIN_SOCKET),
            stdout=asyncio.subprocess.PIPE,
        )
        said, _ = await asyncio.wait_for(asking.communicate(), DEADLINE_S)
        assert b"expected uid 0, yours is 65534" in said
        assert b'"ok":true' not in said
        assert desk.asked == []

    play(home, scene)


# --- what is asked -------------------------------------------------------------------------------


def test_an_ask_goes_through_with_its_asker(home: Path) -> None:
    async def scene(server: AdminServer, desk: Desk) -> None:
        client = await connect(home)
        client.say(type="ask", id="a1", action="strategy.pause", args=["box"])
        assert (await client.hear())["id"] == "a1"
        ask, actor = desk.asked[0]
        assert (ask.action, ask.args) == ("strategy.pause", ("box",))
        assert actor == f"uid {os.getuid()} pid {os.getpid()}"

    play(home, scene)


def test_a_read_only_client_may_not_ask(home: Path) -> None:
    async def scene(server: AdminServer, desk: Desk) -> None:
        client = await connect(home, VIEW_SOCKET)
        client.say(type="ask", id="a1", action="strategy.pause", args=["box"])
        answer = await client.hear()
        assert (answer["id"], answer["ok"], answer["code"]) == ("a1", False, "read_only")
        assert desk.asked == []
        actor = f"uid {os.getuid()} pid {os.getpid()}"
        assert desk.refused == [("strategy.pause", actor, "read_only")], "and it is kept who asked"

    play(home, scene)


def test_no_verb_of_the_registry_passes_the_socket_that_only_looks(home: Path) -> None:
    async def scene(server: AdminServer, desk: Desk) -> None:
        client = await connect(home, VIEW_SOCKET)
        for verb in VERBS:
            client.say(type="ask", id=verb.id, action=verb.id, args=["all"])
            answer = await client.hear()
            assert (answer["id"], answer["ok"], answer["code"]) == (verb.id, False, "read_only")
        assert len(VERBS) > 20
        assert desk.asked == []

    play(home, scene)


@pytest.mark.parametrize(
    ("line", "ask_id"),
    [
        (b'{"type":"ask","id":"a","action":"x","hurry":true}', "a"),
        (b'{"type":"watch","topics":["status"],"rate":4}', ""),
        (b'{"type":"ask","id":"a"}', "a"),
        (b'{"type":"ask","id":7,"action":"x"}', ""),
        (b'{"type":"kill","id":"a"}', "a"),
        (b'{"id":"a"}', "a"),
        (b"[]", ""),
        (b"not json", ""),
        (b"\xff\xfe", ""),
        (b'{"type":"ask","id":"\xff","action":"x"}', ""),
        (b'{"type":"\xff"}', ""),
        (b'{"type":"watch","topics":["\xc3("]}', ""),
        (b"", ""),
        (b"[" * 5_000, ""),
        (b'{"type":"watch","topics":[' + b",".join([b'"t"'] * 65) + b"]}", ""),
        (b'{"type":"watch","topics":["' + b"t" * 129 + b'"]}', ""),
    ],
    ids=lambda value: value[:30] if isinstance(value, str) else value[:30].decode("latin1"),
)
def test_a_line_that_is_not_understood_is_answered_and_does_nothing(
    home: Path, line: bytes, ask_id: str
) -> None:
    async def scene(server: AdminServer, desk: Desk) -> None:
        client = await connect(home)
        client.writer.write(line + b"\n")
        answer = await client.hear()
        assert (answer["id"], answer["ok"], answer["code"]) == (ask_id, False, "bad_request")
        assert answer["text"]
        assert (desk.asked, desk.watches) == ([], 0)
        client.say(type="ask", id="next", action="x")
        assert (await client.hear())["id"] == "next"

    play(home, scene)


@pytest.mark.parametrize("newline", [b"", b"\n"])
def test_a_line_without_end_is_not_kept(home: Path, newline: bytes) -> None:
    async def scene(server: AdminServer, desk: Desk) -> None:
        client = await connect(home)
        client.writer.write(b"x" * (admin.LINE_MAX + 1) + newline)
        assert (await client.hear())["code"] == "refused"
        assert await client.is_hung_up_on()

    play(home, scene)


def test_lines_may_come_in_pieces_and_several_at_once(home: Path) -> None:
    async def scene(server: AdminServer, desk: Desk) -> None:
        client = await connect(home)
        line = b'{"type":"ask","id":"%d","action":"x"}\n'
        client.writer.write(line % 1 + line % 2 + (line % 3)[:9])
        await until(lambda: len(desk.asked) == 2)
        client.writer.write((line % 3)[9:])
        await until(lambda: len(desk.asked) == 3)

    play(home, scene)


def test_a_client_that_talks_too_much_is_cut_off(home: Path) -> None:
    async def scene(server: AdminServer, desk: Desk) -> None:
        client = await connect(home)
        for n in range(admin.LINES_BURST + 20):
            client.say(type="ask", id=str(n), action="x")
        refused = await client.hear_until(lambda told: not told["ok"])
        assert refused["text"] == f"more than {admin.LINES_PER_S} lines a second"
        assert await client.is_hung_up_on()
        assert len(desk.asked) <= admin.LINES_BURST + 2

    play(home, scene)


# --- what is shown -------------------------------------------------------------------------------


def test_only_what_is_watched_travels_and_only_when_it_moved(home: Path) -> None:
    async def scene(server: AdminServer, desk: Desk) -> None:
        client = await connect(home)
        client.say(type="watch", topics=["modules", "book:0x1", "modules"])
        await until(lambda: desk.watches == 1)
        assert server.topics() == ["book:0x1", "modules"]
        for rev in (1, 1, 2):
            server.publish("modules", section(rev))
            server.publish("status", section(rev))
            server.publish("book:0x1", None)
        told = [await client.hear() for _ in range(3)]
        assert [(t["type"], t["topic"]) for t in told] == [
            ("show", "modules"),
            ("absent", "book:0x1"),
            ("show", "modules"),
        ]
        assert [t["section"]["rev"] for t in told if t["type"] == "show"] == [1, 2]

    play(home, scene)


def test_a_topic_watched_again_is_sent_again(home: Path) -> None:
    async def scene(server: AdminServer, desk: Desk) -> None:
        client = await connect(home)
        for n, topics in enumerate((["modules"], [], ["modules"]), 1):
            client.say(type="watch", topics=topics)
            await until(lambda n=n: desk.watches == n)  # type: ignore[misc]  # the default binds it early
            server.publish("modules", section(1))
        assert (await client.hear())["type"] == "show"
        assert (await client.hear())["type"] == "show"

    play(home, scene)


def test_a_client_that_does_not_read_gets_the_latest_when_it_does(home: Path) -> None:
    async def scene(server: AdminServer, desk: Desk) -> None:
        client = await connect(home)
        client.say(type="watch", topics=["modules", "markets"])
        await until(lambda: desk.watches == 1)
        client.writer.transport.pause_reading()  # type: ignore[attr-defined]  # a real transport
        transport = server.clients[0]._transport
        assert transport is not None
        for rev in range(1, 1_001):
            server.publish("modules", section(rev, padding=20_000))
            server.beat(at_ns=rev, seq=rev)
            assert transport.get_write_buffer_size() < admin.CONFLATE_BYTES + 25_000
        server.publish("markets", section(7))
        assert set(server.clients[0]._waiting) == {"modules", "markets"}
        client.writer.transport.resume_reading()  # type: ignore[attr-defined]  # a transport that reads has it
        revs: list[int] = []
        while not revs or revs[-1] != 1_000:
            told = await client.hear_until(lambda told: told.get("topic") == "modules")
            revs.append(told["section"]["rev"])
        assert revs == sorted(revs)
        assert len(revs) < 1_000
        shown = await client.hear_until(lambda told: told.get("topic") == "markets")
        assert shown["section"]["rev"] == 7

    play(home, scene)


def test_a_client_that_holds_too_much_is_cut_off_and_others_are_not(home: Path) -> None:
    async def scene(server: AdminServer, desk: Desk) -> None:
        desk.text = "x" * 500_000
        other, client = await connect(home), await connect(home)
        client.writer.transport.pause_reading()  # type: ignore[attr-defined]  # a real transport
        for n in range(admin.LINES_BURST - 1):
            client.say(type="ask", id=str(n), action="x")
        await until(lambda: len(server.clients) == 1)
        server.beat(at_ns=1, seq=2)
        assert await other.hear() == {"type": "beat", "at_ns": 1, "seq": 2}

    play(home, scene)


def test_of_two_consoles_the_first_writes_and_the_second_may_lower_risk_or_take_the_lease(
    home: Path,
) -> None:
    async def scene(server: AdminServer, desk: Desk) -> None:
        first, second = await connect(home), await connect(home)
        first.say(type="watch", topics=["status"])
        await until(lambda: server.holder is not None)
        second.say(type="watch", topics=["status"])
        lease = await second.hear()
        assert (lease["type"], lease["mine"]) == ("lease", False)
        assert lease["holder"].startswith("uid ")
        second.say(type="ask", id="1", action="strategy.resume", args=["box"])
        refused = await second.hear()
        assert (refused["id"], refused["code"]) == ("1", "no_lease")
        second.say(type="ask", id="2", action="strategy.pause", args=["box"])
        second.say(type="ask", id="3", action="orders.cancel", args=["order:x"])
        await until(lambda: [ask.id for ask, *_ in desk.asked] == ["2", "3"])
        second.say(type="ask", id="4", action="lease.take")
        assert (await second.hear_until(lambda m: m["type"] == "lease"))["mine"] is True
        assert (await first.hear_until(lambda m: m["type"] == "lease"))["mine"] is False
        second.say(type="ask", id="5", action="strategy.resume", args=["box"])
        await until(lambda: [ask.id for ask, *_ in desk.asked] == ["2", "3", "4", "5"])
        second.writer.transport.abort()
        assert (await first.hear_until(lambda m: m["type"] == "lease"))["mine"] is True
        one_shot = await connect(home)
        one_shot.say(type="ask", id="6", action="strategy.resume", args=["box"])
        await until(lambda: desk.asked[-1][0].id == "6")

    play(home, scene)


def test_the_greeting_names_the_registry(home: Path) -> None:
    async def scene(server: AdminServer, desk: Desk) -> None:
        client = await Client.dial(home)
        assert (await client.hear())["registry"] == registry_hash()

    play(home, scene)
