"""Commands: every output of the engine. The shell carries them out; nothing else does.

Nothing here reaches a venue's order entry: the ground floor runs in SHADOW, where an accepted
intent is recorded and nothing more.
"""

from msgspec import Struct

from polytui.engine.core.decision import Decision
from polytui.engine.core.enums import Reason
from polytui.engine.core.ids import ConnId


class Command(Struct, frozen=True, kw_only=True, tag=True, gc=False):
    """Base of all outputs."""

    cause: int
    """Seq of the event that led to it."""


class RecordDecision(Command, frozen=True, kw_only=True, tag="record_decision"):
    """Put a decision, with the arbiter's verdict, into the log.

    Sent for every intent, refusal and block, and for a hold whose reason changed; the running
    digest of the engine covers every single decision.
    """

    decision: Decision


class RecordTally(Command, frozen=True, kw_only=True, tag="record_tally"):
    """Put the count and running digest of all decisions so far into the log.

    Sent every thousand decisions: holds that were not news are proven by it in a replay.
    """

    total: int
    digest: str


class Resync(Command, frozen=True, kw_only=True, tag="resync"):
    """Get a fresh snapshot of a market: resubscribe it on its connection."""

    conn: ConnId
    market: str
    tokens: tuple[str, str]
    reason: Reason


class ReadWitness(Command, frozen=True, kw_only=True, tag="read_witness"):
    """Read a token's book over REST and answer with `BookWitness`."""

    market: str
    token: str


class ReadReferenceBook(Command, frozen=True, kw_only=True, tag="read_reference_book"):
    """Read an exchange's full book over REST and answer with `RefBook` (Binance bridging)."""

    symbol: str


class Reconnect(Command, frozen=True, kw_only=True, tag="reconnect"):
    """Drop a connection that can no longer be trusted and open a new one."""

    conn: ConnId
    reason: Reason


AnyCommand = RecordDecision | RecordTally | Resync | ReadWitness | ReadReferenceBook | Reconnect
"""The closed set."""
