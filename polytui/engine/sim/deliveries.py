"""What reaches us from a venue that has no sockets."""

from enum import Enum

from msgspec import Struct

from polytui.engine.core.enums import Feed
from polytui.engine.core.events import MarketSpec


class DeliveryKind(Enum):
    """What arrived."""

    LISTED = "listed"
    OPENED = "opened"
    SUBSCRIBED = "subscribed"
    FRAME = "frame"
    CLOSED = "closed"


class Delivery(Struct, frozen=True, kw_only=True, gc=False):
    """One thing that reached us."""

    at_ns: int
    conn_slot: int
    """Which of our connections; a slot that closes opens again, then as a new connection."""
    feed: Feed
    kind: DeliveryKind
    data: bytes = b""
    topics: tuple[str, ...] = ()
    spec: MarketSpec | None = None
    """Set when a market was listed."""
