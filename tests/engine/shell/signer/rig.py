"""A signer's floor: a latch on disk, what a session begins with, orders of about now."""

from pathlib import Path
from typing import Any

from polytui.engine.core.runconfig import SignerConfig, VenueConfig
from polytui.engine.core.trading import Identity, Terms
from polytui.engine.shell.latch import KillLatch
from polytui.engine.shell.signer.frames import Begin
from polytui.engine.shell.signer.keys import WalletKey
from polytui.engine.shell.signer.policy import Moment
from polytui.engine.shell.signer.session import Session
from tests.engine.orders.signing_floor import DEPOSIT, DEV_KEY, TOKEN, terms_of

NOW_MS = 1_790_000_000_000
PRACTICE = VenueConfig(kind="practice", clob="http://127.0.0.1:8080")
DEV = WalletKey(bytes.fromhex(DEV_KEY[2:]))


def begin(latch: str, *, kind: int = 0, tokens: tuple[str, ...] = (TOKEN,), **signer: Any) -> Begin:
    config: dict[str, Any] = {
        "source": "practice",
        "signature_type": kind,
        "funder": DEPOSIT if kind else "",
        "orders_per_s": 1_000,
    }
    return Begin(
        signer=SignerConfig(**(config | signer)),
        venue=PRACTICE,
        latch=latch,
        practice_label="a test",
        tokens=tokens,
    )


class Clock:
    """The signer's clocks and latch, set by hand."""

    def __init__(self) -> None:
        self.mono_ns = 0
        self.wall_ns = NOW_MS * 1_000_000
        self.latch_closed = False

    def __call__(self) -> Moment:
        return Moment(wall_ns=self.wall_ns, mono_ns=self.mono_ns, latch_closed=self.latch_closed)


def session(clock: Clock | None = None, *, kind: int = 0, **signer: Any) -> Session:
    """Start a session in this process, with the development key."""
    made = Session(begin("", kind=kind, **signer), DEV, clock or Clock())
    assert made.fault == ""
    return made


def who(made: Session) -> Identity:
    assert made.identity is not None
    return made.identity


def order(made: Session, cid: str = "run-1-1", **changes: Any) -> Terms:
    """Make an order that the session signs, but for the changes."""
    return terms_of(who(made), cid, **{"timestamp_ms": NOW_MS} | changes)


def open_latch(directory: Path) -> KillLatch:
    return KillLatch(directory / "kill.latch")
