"""Servers that answer exactly what a test wants, plain or with a certificate nobody signed."""

import asyncio
import ssl
import tempfile
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from pathlib import Path

Script = Callable[[int, bytes], bytes | None]
"""(number of the request from 0, its bytes) -> what to answer; None hangs up."""

# A key and certificate for 127.0.0.1 made for these tests; worthless anywhere else.
SELF_SIGNED = """\
-----BEGIN PRIVATE KEY-----
MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQgQ+twEoUpFejUNUSx
y3kqOweq2eiAqfNfitXxGdtSbbihRANCAARKKFxGPGSd18X4sBHr5VkE8opanW68
TmtftMOWcMECBgKbD7ZQq6ITtuQZ1gta7r5F3MI8mwXBzqK3q5LpghYm
-----END PRIVATE KEY-----
-----BEGIN CERTIFICATE-----
MIIBmjCCAUGgAwIBAgIUHsTc/HkzwVcWm4/Z+vHlsP5/1IcwCgYIKoZIzj0EAwIw
FDESMBAGA1UEAwwJbG9jYWxob3N0MCAXDTI2MTEyMTE1MzA1OFoYDzIxMjYxMDI4
MTUzMDU4WjAUMRIwEAYDVQQDDAlsb2NhbGhvc3QwWTATBgcqhkjOPQIBBggqhkjO
PQMBBwNCAARKKFxGPGSd18X4sBHr5VkE8opanW68TmtftMOWcMECBgKbD7ZQq6IT
tuQZ1gta7r5F3MI8mwXBzqK3q5LpghYmo28wbTAdBgNVHQ4EFgQUOyVcrkd3Ljxg
azXBkbB1WPJflfUwHwYDVR0jBBgwFoAUOyVcrkd3LjxgazXBkbB1WPJflfUwDwYD
VR0TAQH/BAUwAwEB/zAaBgNVHREEEzARgglsb2NhbGhvc3SHBH8AAAEwCgYIKoZI
zj0EAwIDRwAwRAIgAp5NfrQC5+TnniF0DkEqmHNVIPbwp7S6BqjnWnSFIF8CICOe
qxZurxjD3j5HLWpqiuqf0FcOzUA0TcNZO8D4xlPf
-----END CERTIFICATE-----
"""


def reply(body: bytes, *, status: int = 200, headers: str = "") -> bytes:
    """Write an answer of known length."""
    head = f"HTTP/1.1 {status} X\r\nContent-Length: {len(body)}\r\n{headers}\r\n"
    return head.encode() + body


class Scripted:
    """A server and what it heard."""

    def __init__(self, script: Script) -> None:
        self.script = script
        self.heard: list[bytes] = []
        self.connections = 0
        self.port = 0

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        try:
            with suppress(OSError, asyncio.IncompleteReadError, asyncio.LimitOverrunError):
                # Clients under test leave in the middle of everything; `heard` has what came.
                while request := await _request(reader):
                    self.heard.append(request)
                    answer = self.script(len(self.heard) - 1, request)
                    if answer is None:
                        break
                    writer.write(answer)
                    await writer.drain()
        finally:
            writer.close()


async def _request(reader: asyncio.StreamReader) -> bytes:
    try:
        head = await reader.readuntil(b"\r\n\r\n")
    except asyncio.IncompleteReadError as error:
        return bytes(error.partial)
    length = 0
    for line in head.lower().split(b"\r\n"):
        if line.startswith(b"content-length:"):
            length = int(line[15:])
    return head + await reader.readexactly(length)


@asynccontextmanager
async def scripted(script: Script, *, tls: bool = False) -> AsyncIterator[Scripted]:
    """Serve a script on loopback."""
    server = Scripted(script)
    context = self_signed() if tls else None
    listening = await asyncio.start_server(server.serve, "127.0.0.1", 0, ssl=context)
    server.port = listening.sockets[0].getsockname()[1]
    try:
        yield server
    finally:
        listening.close()


class Failing:
    """Stands in for `open_socket`: opens a socket that fails as soon as it is listened to."""

    close_code = None

    def __init__(self, error: Exception, before: Callable[[], None] = lambda: None) -> None:
        self._error = error
        self._before = before

    @asynccontextmanager
    async def __call__(self, *_: object, **__: object) -> AsyncIterator["Failing"]:
        yield self

    async def send_str(self, text: str) -> None:
        """Take it."""

    async def receive(self) -> None:
        self._before()
        raise self._error

    async def close(self) -> None:
        """End in order."""


def self_signed() -> ssl.SSLContext:
    """Make the context of a server that nobody should trust."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    with tempfile.NamedTemporaryFile("w", suffix=".pem") as file:
        file.write(SELF_SIGNED)
        file.flush()
        context.load_cert_chain(Path(file.name))
    return context
