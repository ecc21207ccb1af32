"""The engine's end of the signer: starts it, asks it, and tells when it is gone.

What it cannot get signed it answers with a refusal, never with an exception: an order without a
signature has not left, so there is nothing to be unknown about.
"""

import asyncio
import os
import socket
import subprocess
import sys
from collections.abc import Callable, Sequence
from typing import Final, Self

from polytui.engine.core.errors import OperatorError
from polytui.engine.core.trading import Identity, Terms
from polytui.engine.shell.signer.frames import (
    FRAME_MAX,
    HEAD_BYTES,
    Allow,
    Begin,
    BrokenFrame,
    Frame,
    FromSigner,
    Hello,
    Latch,
    LoginSigned,
    Sign,
    Signed,
    SignLogin,
    SignResult,
    Unlock,
    Unlocked,
    body_length,
    encoded,
    read_reply,
)

START_S: Final = 15.0
"""Longest wait for its first word; a keyring may ask its owner meanwhile."""
SIGN_S: Final = 1.0
"""Longest wait for signatures; half a millisecond is usual."""
UNLOCK_S: Final = 60.0
"""Longest wait for a keystore: its key derivation is slow on purpose."""
END_S: Final = 1.0

_MODULE: Final = "polytui.engine.shell.signer"
_PASSED: Final = {
    "credential": ("CREDENTIALS_DIRECTORY",),
    "keyring": ("HOME", "DBUS_SESSION_BUS_ADDRESS", "XDG_RUNTIME_DIR", "XDG_DATA_HOME"),
}
"""All that the signer's environment holds, by key source: places, never secrets."""


class SignerClient:
    """A running signer."""

    def __init__(
        self,
        process: subprocess.Popen[bytes],
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        on_gone: Callable[[str], None],
    ) -> None:
        """Use `start`."""
        self._process = process
        self._reader = reader
        self._writer = writer
        self._on_gone = on_gone
        self._waiting: dict[int, asyncio.Future[FromSigner | str]] = {}
        self._asked = 0
        self._listener: asyncio.Task[None] | None = None
        self._closing = False
        self.hello = Hello(ok=False, why="it has not spoken yet")
        self.gone = ""
        """Why it is gone; empty while it lives."""

    @classmethod
    async def start(cls, begin: Begin, on_gone: Callable[[str], None]) -> Self:
        """Start a signer and hear its first word; `hello.ok` says whether it will sign.

        `on_gone` is called once if it ends before `close`. It runs in a session of its own, so a
        terminal's signals do not reach it, and is killed by the kernel when this process ends.

        Raises:
            OperatorError: it did not start or did not answer.
        """
        ours, theirs = socket.socketpair()
        with theirs:
            process = _spawn(theirs.fileno(), begin.signer.source)
        reader, writer = await asyncio.open_connection(sock=ours, limit=FRAME_MAX + HEAD_BYTES)
        client = cls(process, reader, writer, on_gone)
        writer.write(encoded(begin))
        try:
            async with asyncio.timeout(START_S):
                hello = await client._receive()
        except (TimeoutError, EOFError, OSError, BrokenFrame) as error:
            await client.close()
            raise OperatorError(
                f"expected the signer to answer within {START_S:.0f} s, but: "
                f"{type(error).__name__}, code {process.returncode}"
            ) from None
        assert isinstance(hello, Hello), "expected the signer to greet first"
        client.hello = hello
        client._listener = asyncio.ensure_future(client._listen())
        return client

    @property
    def identity(self) -> Identity | None:
        """Whose orders it signs."""
        return self.hello.identity

    @property
    def pid(self) -> int:
        """Return its process id."""
        return self._process.pid

    # --- asking ----------------------------------------------------------------------------------

    async def sign(self, orders: Sequence[Terms], *, wait_s: float = SIGN_S) -> list[SignResult]:
        """Have orders signed: one result each, in their order, a signature or a refusal."""
        reply = await self._ask(lambda n: Sign(id=n, orders=tuple(orders)), wait_s)
        if isinstance(reply, Signed) and len(reply.results) == len(orders):
            return list(reply.results)
        why = reply if isinstance(reply, str) else "the signer gave another answer"
        return [SignResult(cid=terms.cid, refusal=why) for terms in orders]

    async def login(self, *, timestamp_s: int, nonce: int = 0) -> LoginSigned:
        """Have the login for API keys signed (level 1)."""
        reply = await self._ask(
            lambda n: SignLogin(id=n, timestamp_s=timestamp_s, nonce=nonce), SIGN_S
        )
        if isinstance(reply, LoginSigned):
            return reply
        return LoginSigned(id=0, refusal=reply if isinstance(reply, str) else "another answer")

    async def unlock(self, passphrase: str) -> Unlocked:
        """Open the keystore; once it is open `identity` is proven."""
        reply = await self._ask(lambda n: Unlock(id=n, passphrase=passphrase), UNLOCK_S)
        if not isinstance(reply, Unlocked):
            why = reply if isinstance(reply, str) else "the signer gave another answer"
            return Unlocked(id=0, ok=False, why=why)
        if reply.ok:
            self.hello = Hello(
                ok=True,
                identity=reply.identity,
                measures=self.hello.measures,
                pid=self.hello.pid,
            )
        return reply

    # --- telling ---------------------------------------------------------------------------------

    def latch(self, *, killed: bool, exits: bool = False) -> None:
        """Close or open the latch in its memory; whatever is asked later comes after it."""
        self._tell(Latch(killed=killed, exits=exits))

    def allow(self, tokens: Sequence[str]) -> None:
        """Let these tokens be traded."""
        self._tell(Allow(tokens=tuple(tokens)))

    def deny(self, tokens: Sequence[str]) -> None:
        """Let these tokens no longer be traded."""
        self._tell(Allow(tokens=tuple(tokens), allowed=False))

    async def close(self) -> None:
        """End it: it wipes its key when the line ends; by force if it does not."""
        self._closing = True
        if self._listener is not None:
            self._listener.cancel()
            await asyncio.gather(self._listener, return_exceptions=True)
        self._settle("the signer was closed")
        self._writer.close()
        await asyncio.get_running_loop().run_in_executor(None, self._reap)

    # --- inside ----------------------------------------------------------------------------------

    def _tell(self, frame: Frame) -> None:
        if not self.gone:
            self._writer.write(encoded(frame))

    async def _ask(self, make: Callable[[int], Frame], wait_s: float) -> FromSigner | str:
        """Ask and wait; a sentence when there is no answer. A late one is dropped."""
        if self.gone:
            return self.gone
        self._asked += 1
        number = self._asked
        try:
            line = encoded(make(number))
        except BrokenFrame as error:
            return str(error)
        future = asyncio.get_running_loop().create_future()
        self._waiting[number] = future
        self._writer.write(line)
        try:
            async with asyncio.timeout(wait_s):
                answer: FromSigner | str = await future
        except TimeoutError:
            return f"the signer did not answer within {wait_s:g} s"
        finally:
            self._waiting.pop(number, None)
        return answer

    async def _receive(self) -> FromSigner:
        head = await self._reader.readexactly(HEAD_BYTES)
        return read_reply(await self._reader.readexactly(body_length(head)))

    async def _listen(self) -> None:
        """Hand answers to who asked, until it ends or talks nonsense."""
        try:
            while True:
                reply = await self._receive()
                future = None if isinstance(reply, Hello) else self._waiting.get(reply.id)
                if future is not None and not future.done():
                    future.set_result(reply)
        except (EOFError, OSError, BrokenFrame) as error:
            self._writer.close()
            await asyncio.get_running_loop().run_in_executor(None, self._reap)
            code = self._process.returncode
            self.gone = f"the signer is gone ({type(error).__name__}, code {code})"
            self._settle(self.gone)
            if not self._closing:
                self._on_gone(self.gone)

    def _settle(self, why: str) -> None:
        """Answer everybody who still waits."""
        self.gone = self.gone or why
        for future in self._waiting.values():
            if not future.done():
                future.set_result(why)

    def _reap(self) -> None:
        try:
            self._process.wait(END_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()


def _spawn(fd: int, source: str) -> subprocess.Popen[bytes]:
    return subprocess.Popen(  # noqa: S603  our own program, our own arguments
        [sys.executable, "-I", "-m", _MODULE, str(fd), str(os.getpid())],
        env=_environment(source),
        pass_fds=(fd,),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        start_new_session=True,
    )


def _environment(source: str) -> dict[str, str]:
    """Make the signer's whole environment: nothing of ours but where its source has to look."""
    return {name: os.environ[name] for name in _PASSED.get(source, ()) if name in os.environ}
