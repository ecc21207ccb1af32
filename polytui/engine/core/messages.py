"""What travels between the engine's sockets and its clients: JSON lines, one struct per line.

Server to client: `Hello` once, then `Show` for each subscribed topic whose `rev` moved,
`Beat` every second, `Answer` for each `Ask`. Client to server: `Watch` (replaces all topics) and
`Ask`. State is conflated per client: only the latest section of a topic is ever waiting.
"""

from msgspec import DecodeError, Struct

from polytui.engine.core.view import AnySection

PROTOCOL = "1.0"
"""Grows on the right for additions, on the left for breaks."""

UNREADABLE = (DecodeError, UnicodeDecodeError, RecursionError)
"""All that the JSON library raises for a line that is no message."""

LINE_MAX = 1 << 20
"""Longest line in bytes, both ways; a longer one closes the connection."""


class Message(Struct, frozen=True, kw_only=True, tag=True):
    """Base of all messages; the tag travels as `type`."""


class Hello(Message, frozen=True, kw_only=True, tag="hello"):
    """First line of the server."""

    protocol: str
    boot: str
    """Chosen anew at each start of the engine: a change means everything known is void."""
    role: str
    """`rw` on admin.sock, `ro` on view.sock: belongs to the socket file, not to a claim."""
    run: str
    version: str
    pid: int
    registry: str = ""
    """Hash of the table of what may be asked (`core.registry`)."""


class Lease(Message, frozen=True, kw_only=True, tag="lease"):
    """Which console may write; sent on admin.sock when it changes."""

    mine: bool
    """Whether it is the console that reads this."""
    holder: str
    """Who has it, as the journal names them; empty: nobody."""


class Show(Message, frozen=True, kw_only=True, tag="show"):
    """The latest state of a topic."""

    topic: str
    section: AnySection


class Absent(Message, frozen=True, kw_only=True, tag="absent"):
    """A watched topic that does not exist (an unknown market)."""

    topic: str
    why: str


class Beat(Message, frozen=True, kw_only=True, tag="beat"):
    """The link and the engine's loop live."""

    at_ns: int
    seq: int


class Watch(Message, frozen=True, kw_only=True, tag="watch"):
    """The topics this client wants from now on."""

    topics: tuple[str, ...]


class Confirm(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The answer to a challenge: what a person typed after reading the impact."""

    challenge: str
    typed: str
    reason: str = ""
    """Where one is wanted and the arguments did not hold it."""


class Ask(Message, frozen=True, kw_only=True, tag="ask", omit_defaults=True):
    """A directive on its way in."""

    id: str
    """Chosen by the sender; a repeated one is answered with the first result."""
    action: str
    args: tuple[str, ...] = ()
    confirm: Confirm | None = None


class Answer(Message, frozen=True, kw_only=True, tag="answer", omit_defaults=True):
    """What became of an `Ask`."""

    id: str
    ok: bool
    code: str
    """`done`, `refused`, `read_only`, `unknown_action`, `bad_request`, `confirm_required`,
    `no_lease`."""
    text: str
    """One sentence for the person who asked."""
    challenge: str = ""
    """Of `confirm_required`: to be sent back once, by the same person, with the same ask."""
    typed: str = ""
    """What must be typed, to the letter: `y` or a phrase."""
    impact: tuple[str, ...] = ()
    """What would happen, in numbers."""
    expires_s: int = 0
    wants_reason: bool = False
    """Whether a reason must come with what is typed."""


CONFIRM_REQUIRED = "confirm_required"

ServerMessage = Hello | Lease | Show | Absent | Beat | Answer
ClientMessage = Watch | Ask
