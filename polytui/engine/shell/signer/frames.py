"""What engine and signer say to each other: length-prefixed msgpack over one inherited socket.

The engine speaks first (`Begin`), the signer answers once (`Hello`); after that every question is
answered by one reply with its id, in order. Neither side ever sends a key. The signer believes
nothing it is told beyond its own limits: see `policy`.
"""

import os
from typing import Final

from msgspec import MsgspecError, Struct
from msgspec.msgpack import Decoder, Encoder

from polytui.engine.core.runconfig import SignerConfig, VenueConfig
from polytui.engine.core.trading import Identity, Terms

FRAME_MAX: Final = 1 << 20
"""Longest frame in bytes, both ways."""
HEAD_BYTES: Final = 4
ORDERS_MAX: Final = 15
"""Orders of one request: the venue's largest batch."""


class BrokenFrame(Exception):
    """The other side does not speak this language: the conversation is over."""


class Frame(Struct, frozen=True, kw_only=True, tag=True):
    """Base of all frames."""


# --- engine to signer ----------------------------------------------------------------------------


class Begin(Frame, frozen=True, kw_only=True, tag="begin"):
    """First frame: where the key is, for which venue it may sign, and what it may sign at first."""

    signer: SignerConfig
    venue: VenueConfig
    latch: str
    """Path of the kill latch's file; nothing is signed without one."""
    practice_label: str = ""
    """Text of which the practice key is made; used with source `practice` only."""
    builder: str = "0x" + "00" * 32
    tokens: tuple[str, ...] = ()
    """Tokens allowed from the start."""


class Sign(Frame, frozen=True, kw_only=True, tag="sign"):
    """Sign these orders, each judged by itself."""

    id: int
    orders: tuple[Terms, ...]


class SignLogin(Frame, frozen=True, kw_only=True, tag="login"):
    """Sign the login that creates or derives the API key (level 1)."""

    id: int
    timestamp_s: int
    nonce: int = 0


class Unlock(Frame, frozen=True, kw_only=True, tag="unlock"):
    """Open the keystore."""

    id: int
    passphrase: str

    def __repr__(self) -> str:
        """Never show what was typed."""
        return f"Unlock(id={self.id})"


class Allow(Frame, frozen=True, kw_only=True, tag="allow"):
    """From now on these tokens may be traded, or may not."""

    tokens: tuple[str, ...]
    allowed: bool = True


class Latch(Frame, frozen=True, kw_only=True, tag="latch"):
    """Close or open the kill latch in the signer's memory; the file on disk counts as well."""

    killed: bool
    exits: bool = False
    """While killed: sells may be signed, because an operator flattens."""


# --- signer to engine ----------------------------------------------------------------------------


class Measure(Struct, frozen=True, kw_only=True, gc=False):
    """One means of protecting the key, and whether this platform granted it."""

    name: str
    achieved: bool
    detail: str = ""


class Hello(Frame, frozen=True, kw_only=True, tag="hello"):
    """The signer's only unasked word."""

    ok: bool
    """Self-test passed and a key is there, or waits to be unlocked. Not ok: LIVE is refused."""
    why: str = ""
    """One sentence when not ok."""
    identity: Identity | None = None
    """Whose orders it signs; of a locked keystore, as the file claims, and None if it does not."""
    locked: bool = False
    measures: tuple[Measure, ...] = ()
    pid: int = 0


class SignResult(Struct, frozen=True, kw_only=True, gc=False):
    """What became of one order: a signature, or a sentence."""

    cid: str
    signature: str = ""
    refusal: str = ""


class Signed(Frame, frozen=True, kw_only=True, tag="signed"):
    """Answer to `Sign`, in its order."""

    id: int
    results: tuple[SignResult, ...]


class LoginSigned(Frame, frozen=True, kw_only=True, tag="login_signed"):
    """Answer to `SignLogin`."""

    id: int
    address: str = ""
    signature: str = ""
    refusal: str = ""


class Unlocked(Frame, frozen=True, kw_only=True, tag="unlocked"):
    """Answer to `Unlock`."""

    id: int
    ok: bool
    why: str = ""
    identity: Identity | None = None


ToSigner = Begin | Sign | SignLogin | Unlock | Allow | Latch
FromSigner = Hello | Signed | LoginSigned | Unlocked

_encode: Final = Encoder().encode
_decode_ask: Final = Decoder(ToSigner).decode
_decode_reply: Final = Decoder(FromSigner).decode
_BROKEN: Final = (MsgspecError, UnicodeDecodeError, RecursionError)


def encoded(frame: Frame) -> bytes:
    """Write a frame with its length in front.

    Raises:
        BrokenFrame: it is longer than the other side reads.
    """
    body = _encode(frame)
    return length_head(len(body)) + body


def length_head(length: int) -> bytes:
    """Write a frame's length.

    Raises:
        BrokenFrame: it is longer than the other side reads.
    """
    if length > FRAME_MAX:
        raise BrokenFrame(f"expected a frame of at most {FRAME_MAX} bytes, was {length}")
    return length.to_bytes(HEAD_BYTES, "big")


def body_length(head: bytes) -> int:
    """Read a frame's length.

    Raises:
        BrokenFrame: it is longer than anything either side writes.
    """
    length = int.from_bytes(head, "big")
    if not 0 < length <= FRAME_MAX:
        raise BrokenFrame(f"expected a frame of at most {FRAME_MAX} bytes, was {length}")
    return length


def read_ask(body: bytes | bytearray) -> ToSigner:
    """Decode what the engine says.

    Raises:
        BrokenFrame: it is none of the frames.
    """
    try:
        ask: ToSigner = _decode_ask(body)
    except _BROKEN as error:
        raise BrokenFrame(f"expected a frame, {type(error).__name__}") from None
    return ask


def read_reply(body: bytes) -> FromSigner:
    """Decode what the signer says.

    Raises:
        BrokenFrame: it is none of the frames.
    """
    try:
        reply: FromSigner = _decode_reply(body)
    except _BROKEN as error:
        raise BrokenFrame(f"expected a frame, {type(error).__name__}") from None
    return reply


class Pipe:
    """The signer's blocking end: nothing but `read` and `write`, so that a filter may stay tight.

    Bodies are read into one buffer that is wiped afterwards: a passphrase does not linger in it.
    """

    def __init__(self, fd: int) -> None:
        """Speak over an inherited descriptor."""
        self._fd = fd

    def receive(self) -> ToSigner | None:
        """Wait for a frame; None when the engine is gone.

        Raises:
            BrokenFrame: what came is no frame.
        """
        head = self._exactly(HEAD_BYTES)
        if head is None:
            return None
        body = self._exactly(body_length(bytes(head)))
        if body is None:
            return None
        try:
            return read_ask(body)
        finally:
            body[:] = bytes(len(body))

    def send(self, frame: Frame) -> None:
        """Write a frame whole.

        Raises:
            OSError: the engine is gone.
        """
        rest = memoryview(encoded(frame))
        while rest:
            rest = rest[os.write(self._fd, rest) :]

    def _exactly(self, count: int) -> bytearray | None:
        found = bytearray()
        while len(found) < count:
            try:
                piece = os.read(self._fd, count - len(found))
            except ConnectionError:
                return None
            if not piece:
                return None
            found += piece
        return found
