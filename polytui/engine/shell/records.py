"""What a tape yields, whoever recorded it: frames, events, commands, gaps."""

from msgspec import Struct

from polytui.engine.core.commands import Command
from polytui.engine.core.enums import Feed
from polytui.engine.core.events import Event
from polytui.engine.core.ids import ConnId


class Frame(Struct, frozen=True, gc=False):
    """Bytes as received."""

    wall_ns: int
    mono_ns: int
    conn: ConnId
    feed: Feed
    data: bytes
    seq: int = 0
    """Of its first event; 0 when the file does not say."""


class Told(Struct, frozen=True, gc=False):
    """An event that did not come from bytes."""

    wall_ns: int
    mono_ns: int
    event: Event
    seq: int = 0


class Noted(Struct, frozen=True, gc=False):
    """A command as it was recorded, before it was carried out."""

    wall_ns: int
    mono_ns: int
    command: Command


class Gap(Struct, frozen=True, gc=False):
    """The recorder lost records here: what follows is true, but it is not the whole run."""

    wall_ns: int
    mono_ns: int
    lost: int


TapeRecord = Frame | Told | Noted | Gap
