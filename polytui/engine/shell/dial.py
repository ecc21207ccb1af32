"""A blocking client of the engine's sockets, for commands that ask one thing and leave.

It loads neither an event loop nor the engine: `polytui status` and `polytui ctl` must be quick.
"""

import os
import socket
from collections.abc import Callable
from pathlib import Path
from types import TracebackType

from msgspec.json import Decoder, Encoder

from polytui.engine.core.errors import OperatorError
from polytui.engine.core.messages import (
    CONFIRM_REQUIRED,
    LINE_MAX,
    UNREADABLE,
    Absent,
    Answer,
    Ask,
    Confirm,
    Hello,
    ServerMessage,
    Show,
    Watch,
)
from polytui.engine.core.view import AnySection
from polytui.engine.shell.clock import read_wall_ns

Confirming = Callable[[Answer], Confirm | None]
"""What a person answers to a challenge; None: nothing."""

TIMEOUT_S = 3.0
"""The engine beats every second; three of them without a word and it does not answer."""


class Unreachable(OperatorError):
    """No engine answers; nothing can be concluded about its state."""


class Dialled:
    """One connection: greet, ask, read answers; use as a context manager."""

    def __init__(self, path: Path) -> None:
        """Connect and read the greeting.

        Raises:
            Unreachable: nothing answers there.
        """
        self._path = path
        self._decoder: Decoder[ServerMessage] = Decoder(ServerMessage)
        self._encode = Encoder().encode
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self._socket.settimeout(TIMEOUT_S)
        try:
            self._socket.connect(str(path))
        except OSError as error:
            self._socket.close()
            why = error.strerror or str(error)
            raise Unreachable(f"no engine answers at {path}: {why.lower()}") from None
        self._lines = self._socket.makefile("rb")
        first = self._read()
        if isinstance(first, Answer):
            raise OperatorError(f"the engine at {path} refused: {first.text}")
        if not isinstance(first, Hello):
            raise Unreachable(f"expected a greeting at {path}, was {type(first).__name__}")
        self.hello = first

    def __enter__(self) -> "Dialled":
        """Enter with the greeting read."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        tb: TracebackType | None,
    ) -> None:
        """Hang up."""
        self.close()

    def close(self) -> None:
        """Hang up."""
        self._lines.close()
        self._socket.close()

    def look(self, topic: str) -> AnySection | None:
        """Return the state of a topic, None when there is no such topic."""
        self._send(Watch(topics=(topic,)))
        while True:
            message = self._read()
            if isinstance(message, Show) and message.topic == topic:
                return message.section
            if isinstance(message, Absent) and message.topic == topic:
                return None

    def ask(self, action: str, args: tuple[str, ...], confirm: Confirming | None = None) -> Answer:
        """Send a directive and return the engine's answer; each has an id of its own, for ever.

        `confirm` is given the engine's challenge if it asks back, and says what was typed.
        """
        answer = self.send(action, args, None)
        if answer.code != CONFIRM_REQUIRED or confirm is None:
            return answer
        typed = confirm(answer)
        return answer if typed is None else self.send(action, args, typed)

    def send(self, action: str, args: tuple[str, ...], confirm: Confirm | None) -> Answer:
        """Send a directive once and return what came of it."""
        ask_id = f"ctl-{os.getpid()}-{read_wall_ns()}"
        self._send(Ask(id=ask_id, action=action, args=args, confirm=confirm))
        while True:
            message = self._read()
            if isinstance(message, Answer) and message.id in (ask_id, ""):
                return message

    def _send(self, message: Watch | Ask) -> None:
        try:
            self._socket.sendall(self._encode(message) + b"\n")
        except OSError as error:
            raise Unreachable(f"the engine at {self._path} hung up: {error}") from None

    def _read(self) -> ServerMessage:
        try:
            line = self._lines.readline(LINE_MAX)
        except OSError:
            raise Unreachable(
                f"the engine at {self._path} is silent: nothing came for {TIMEOUT_S:g} s"
            ) from None
        if not line.endswith(b"\n"):
            raise Unreachable(f"the engine at {self._path} hung up")
        try:
            return self._decoder.decode(line)
        except UNREADABLE as error:
            raise Unreachable(f"what answers at {self._path} is no polytui: {error}") from None
