"""What the doctor knows when it judges: the configuration, and what engine, signer and venue say.

The checks read a `Case` and files; whoever gathers a case may ask sockets and start a signer or a
practice venue of its own, the checks may not.
"""

from pathlib import Path
from typing import Final

from msgspec import Struct

from polytui.engine.core.account_view import RiskView
from polytui.engine.core.runconfig import Settings
from polytui.engine.core.trading import Identity
from polytui.engine.core.view import StatusView
from polytui.engine.shell.polymarket.account_reads import Holding
from polytui.engine.shell.polymarket.public_reads import Place
from polytui.engine.shell.polymarket.rest import Failed
from polytui.engine.shell.signer.frames import Hello

NOT_ASKED: Final = Failed(why="not asked")
PRACTICE: Final = "practice"


class EngineFacts(Struct, frozen=True, kw_only=True):
    """The engine that answers in this runtime directory."""

    pid: int
    run: str
    version: str
    status: StatusView | None = None
    risk: RiskView | None = None


class SignerFacts(Struct, frozen=True, kw_only=True):
    """What a signer of ours said, or why none was started."""

    vectors_fault: str = ""
    """The first golden vector that this machine computes differently."""
    hello: Hello | None = None
    why: str = ""
    """Why there is no greeting."""

    @property
    def identity(self) -> Identity | None:
        """Whose orders it would sign."""
        return self.hello.identity if self.hello is not None and self.hello.ok else None


class VenueFacts(Struct, frozen=True, kw_only=True):
    """What the venue answered; each read is a value or why there is none."""

    clob: str = ""
    started: bool = False
    """A practice venue of our own, for this examination only."""
    why: str = ""
    """Why nothing could be asked at all."""
    version: int | Failed = NOT_ASKED
    others: tuple[tuple[str, str], ...] = ()
    """The venue's other servers, and what is wrong with each; empty: it answers."""
    clock_why: str = ""
    offset_ns: int = 0
    uncertainty_ns: int = 0
    place: Place | Failed | None = NOT_ASKED
    """None: nobody is asked, by configuration."""
    key: str = ""
    """The API key's first letters: an id, no secret."""
    key_why: str = "not asked"
    cash: Holding | Failed = NOT_ASKED
    closed_only: bool | Failed = NOT_ASKED
    tier: str | Failed = NOT_ASKED


class StoreFacts(Struct, frozen=True, kw_only=True):
    """What is in the account's journal."""

    path: Path
    exists: bool = False
    version: int = 0
    rows: int = 0
    checked: int = 0
    """Rows at the end of the log whose chain was recomputed."""
    damage: str = ""
    why: str = ""
    """Why it could not be read."""
    aside: tuple[str, ...] = ()
    """Damaged files that were put aside earlier."""


class Case(Struct, frozen=True, kw_only=True):
    """One examination."""

    settings: Settings
    """The defaults where the configuration cannot be read."""
    directory: Path
    config: Path | None = None
    """The file that was read; None: there is none, the defaults hold."""
    config_why: str = ""
    """What is wrong with the configuration."""
    wall_ns: int = 0
    engine: EngineFacts | None = None
    engine_why: str = ""
    """An engine is there and its answer cannot be used."""
    signer: SignerFacts = SignerFacts()
    venue: VenueFacts = VenueFacts()
    store: StoreFacts = StoreFacts(path=Path())
    metrics_why: str = ""
    """Why an exporter could not have its port now; an engine that runs says it itself."""

    @property
    def is_practice(self) -> bool:
        """Tell whether the money is practice money."""
        return self.settings.venue.kind == PRACTICE

    @property
    def holder(self) -> str:
        """Say who holds the wallet when the running engine does; empty: nobody we know of."""
        return "" if self.engine is None else f"held by the running engine (pid {self.engine.pid})"
