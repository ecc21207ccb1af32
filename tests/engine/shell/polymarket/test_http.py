"""The HTTP client: what is read, what is refused, and whether anything had left."""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from polytui.engine.shell.polymarket import http
from polytui.engine.shell.polymarket.hosts import parse
from polytui.engine.shell.polymarket.http import Dropped, HttpClient, NoAnswer, NotSent, Reply
from tests.engine.shell.polymarket.scripted import Script, Scripted, reply, scripted

CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"


def against(
    script: Script, work: Callable[[HttpClient, Scripted], Awaitable[Any]], *, tls: bool = False
) -> Any:
    """Run a coroutine with a client of a scripted server."""

    async def main() -> Any:
        async with scripted(script, tls=tls) as server:
            scheme = "https" if tls else "http"
            client = HttpClient(parse(f"{scheme}://127.0.0.1:{server.port}"))
            try:
                return await work(client, server)
            finally:
                client.close()

    return asyncio.run(main())


def ask(answer: bytes | None, *, timeout_s: float = 1.0) -> Reply:
    async def work(client: HttpClient, _: Scripted) -> Reply:
        return await client.ask(client.request("GET", "/x"), timeout_s=timeout_s)

    found: Reply = against(lambda *_: answer, work)
    return found


@pytest.mark.parametrize(
    "answer",
    [
        reply(b'{"a":1}'),
        CHUNKED + b'3\r\n{"a\r\n4;x=y\r\n":1}\r\n0\r\n\r\n',
        b'HTTP/1.1 103 Hints\r\nLink: x\r\n\r\nHTTP/1.1 200 OK\r\ncontent-length: 7\r\n\r\n{"a":1}',
    ],
)
def test_bodies_are_read_by_length_and_by_chunks(answer: bytes) -> None:
    found = ask(answer)
    assert (found.status, found.body) == (200, b'{"a":1}')


def test_a_body_that_ends_with_its_connection_is_read() -> None:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.0 200 OK\r\n\r\nhello")
        writer.close()

    async def main() -> Reply:
        listening = await asyncio.start_server(serve, "127.0.0.1", 0)
        port = listening.sockets[0].getsockname()[1]
        client = HttpClient(parse(f"http://127.0.0.1:{port}"))
        try:
            return await client.ask(client.request("GET", "/x"), timeout_s=1)
        finally:
            listening.close()

    assert asyncio.run(main()).body == b"hello"


@pytest.mark.parametrize(
    "answer",
    [
        b"SSH-2.0-OpenSSH\r\n\r\n",
        b"HTTP/1.1 abc\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nno colon\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab",
        b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 1\r\n\r\nx",
        b"HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 99999999999\r\n\r\n",
        CHUNKED + b"zz\r\n",
        CHUNKED + b"1" * 300,
        CHUNKED + b"1\r\nabc\r\n",
        b"x" * (http.HEAD_MAX + 100),
        b"HTTP/1.1 200 OK\r\nX: " + b"y" * http.HEAD_MAX,
    ],
)
def test_a11_what_is_no_http_is_no_answer(answer: bytes) -> None:
    with pytest.raises(NoAnswer, match="no HTTP"):
        ask(answer)


def test_a11_an_endless_body_is_cut_off() -> None:
    chunk = b"fffff\r\n" + b"x" * 0xFFFFF + b"\r\n"
    endless = CHUNKED + chunk * 10
    with pytest.raises(NoAnswer, match="more than"):
        ask(endless)


def test_c17_silence_ends_in_time() -> None:
    with pytest.raises(NoAnswer, match=r"no answer within 0\.1 s"):
        ask(b"HTTP/1.1 200 OK\r\nContent-Le", timeout_s=0.1)


def test_a_connection_that_ends_after_the_request_left_is_no_answer() -> None:
    with pytest.raises(Dropped):
        ask(None)


def test_c17_a_closed_port_is_not_sent() -> None:
    async def work(client: HttpClient, server: Scripted) -> None:
        await client.ask(client.request("GET", "/x"), timeout_s=1)

    async def main() -> None:
        client = HttpClient(parse("http://127.0.0.1:1"))
        await work(client, Scripted(lambda *_: None))

    with pytest.raises(NotSent, match=r"no connection to 127\.0\.0\.1"):
        asyncio.run(main())


def test_c18_an_untrusted_certificate_is_not_sent_and_never_plain() -> None:
    async def work(client: HttpClient, server: Scripted) -> list[bytes]:
        with pytest.raises(NotSent, match="SSLCertVerificationError"):
            await client.ask(client.request("GET", "/secret"), timeout_s=2)
        return server.heard

    assert against(lambda *_: reply(b"{}"), work, tls=True) == []


def test_c18_a_plain_server_where_tls_is_expected_hears_no_request() -> None:
    async def main() -> list[bytes]:
        async with scripted(lambda *_: reply(b"{}")) as server:
            client = HttpClient(parse(f"https://127.0.0.1:{server.port}"))
            with pytest.raises(NotSent):
                await client.ask(client.request("GET", "/secret"), timeout_s=0.5)
            return server.heard

    assert not any(b"/secret" in heard for heard in asyncio.run(main()))


def test_c18_a_name_that_does_not_resolve_is_not_sent() -> None:
    async def main() -> None:
        client = HttpClient(parse("https://no-such-host.invalid"))
        await client.ask(client.request("GET", "/x"), timeout_s=3)

    with pytest.raises(NotSent):
        asyncio.run(main())


# --- connections ---------------------------------------------------------------------------------


def test_requests_in_turn_share_one_connection() -> None:
    async def work(client: HttpClient, server: Scripted) -> int:
        for _ in range(20):
            await client.ask(client.request("POST", "/x", body=b"{}"), timeout_s=1)
        return server.connections

    assert against(lambda *_: reply(b"{}"), work) == 1


def test_requests_together_use_no_more_connections_than_allowed() -> None:
    async def work(client: HttpClient, server: Scripted) -> int:
        request = client.request("GET", "/x")
        await asyncio.gather(*(client.ask(request, timeout_s=2) for _ in range(60)))
        return server.connections

    assert 1 <= against(lambda *_: reply(b"{}"), work) <= 8


def test_a_dead_kept_connection_is_replaced_once_for_reads_only() -> None:
    def script(n: int, _: bytes) -> bytes | None:
        return None if n == 1 else reply(b"%d" % n)

    async def work(client: HttpClient, server: Scripted) -> bytes:
        request = client.request("GET", "/x")
        await client.ask(request, timeout_s=1)
        return (await client.ask(request, timeout_s=1, again=True)).body

    assert against(script, work) == b"2"

    async def once(client: HttpClient, server: Scripted) -> int:
        request = client.request("POST", "/order", body=b"{}")
        await client.ask(request, timeout_s=1)
        with pytest.raises(Dropped):
            await client.ask(request, timeout_s=1)
        return len(server.heard)

    assert against(script, once) == 2


def test_an_unasked_answer_ends_the_connection_and_is_nobodys() -> None:
    def script(n: int, _: bytes) -> bytes:
        return reply(b"first") + reply(b"second") if n == 0 else reply(b"third")

    async def work(client: HttpClient, server: Scripted) -> bytes:
        request = client.request("GET", "/x")
        assert (await client.ask(request, timeout_s=1)).body == b"first"
        return (await client.ask(request, timeout_s=1)).body

    assert against(script, work) == b"third"


def test_too_many_waiting_requests_are_not_sent(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(http, "WAITERS_MAX", 3)

    async def work(client: HttpClient, server: Scripted) -> int:
        request = client.request("GET", "/x")
        asked = [client.ask(request, timeout_s=0.2) for _ in range(30)]
        found = await asyncio.gather(*asked, return_exceptions=True)
        return sum(isinstance(one, NotSent) for one in found)

    assert against(lambda *_: b"", work) >= 27 - 8


@given(st.binary(max_size=300), st.lists(st.integers(1, 40), max_size=8))
@settings(max_examples=300)
def test_whatever_arrives_in_whatever_pieces_is_an_answer_or_broken(
    data: bytes, cuts: list[int]
) -> None:
    for head in (b"", CHUNKED):
        parser, rest = http._Parser(), head + data
        with suppress(http._Broken):
            for cut in [*cuts, 400]:
                piece, rest = rest[:cut], rest[cut:]
                found = parser.feed(piece)
                assert found is None or 0 <= found.status <= 999


@given(st.binary(max_size=200), st.lists(st.integers(1, 50), max_size=30), st.booleans())
def test_any_body_survives_any_cutting(body: bytes, cuts: list[int], chunked: bool) -> None:  # noqa: FBT001  drawn by the test
    data = reply(body)
    if chunked:
        halves = (body[:7], body[7:])
        parts = [b"%x\r\n%s\r\n" % (len(part), part) for part in halves if part]
        data = CHUNKED + b"".join(parts)
        data += b"0\r\n\r\n"
    parser, found = http._Parser(), None
    for cut in [*cuts, len(data)]:
        piece, data = data[:cut], data[cut:]
        found = found or (parser.feed(piece) if piece else None)
    assert found is not None
    assert found.body == body
    assert parser.is_clean
