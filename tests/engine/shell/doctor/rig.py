"""Cases made by hand for the doctor's checks."""

from pathlib import Path
from typing import Any

from msgspec.structs import replace

from polytui.engine.core.runconfig import Settings, SignerConfig
from polytui.engine.core.trading import Identity
from polytui.engine.core.units import U
from polytui.engine.shell.doctor.case import Case, EngineFacts, SignerFacts, StoreFacts, VenueFacts
from polytui.engine.shell.polymarket.account_reads import Holding
from polytui.engine.shell.polymarket.public_reads import Place
from polytui.engine.shell.signer.frames import Hello, Measure
from polytui.engine.shell.venue.wallets import wallets_of
from tests.engine.orders.signing_floor import ADDR

DEFAULT = Settings()
ENGINE = EngineFacts(pid=4_242, run="a-run", version="0.1.0")
EXCHANGES = (DEFAULT.venue.exchange, DEFAULT.venue.neg_risk_exchange)


def identity(kind: int = 0, maker: str = "") -> Identity:
    maker = maker or wallets_of(ADDR).of_type(kind)[0]
    return Identity(
        maker=maker,
        signer=maker if kind == 3 else ADDR.lower(),
        owner=ADDR.lower(),
        signature_type=kind,
        chain_id=137,
        exchange=DEFAULT.venue.exchange,
        neg_risk_exchange=DEFAULT.venue.neg_risk_exchange,
        exchange_v3=DEFAULT.venue.exchange_v3,
    )


def greeting(kind: int = 0, maker: str = "", **changes: Any) -> SignerFacts:
    hello = Hello(
        ok=True,
        identity=identity(kind, maker),
        measures=(Measure(name="system calls filtered", achieved=True),),
    )
    return SignerFacts(hello=replace(hello, **changes))


def healthy_venue(**changes: Any) -> VenueFacts:
    facts = VenueFacts(
        clob="https://clob.example",
        version=2,
        others=(("gamma", ""), ("data", "")),
        offset_ns=3_000_000,
        uncertainty_ns=100_000_000,
        place=Place(blocked=False, country="FI"),
        key="8a512e60",
        key_why="",
        cash=Holding(qty_u6=500 * U, allowances=tuple((name, 10**12) for name in EXCHANGES)),
        closed_only=False,
        tier="standard",
    )
    return replace(facts, **changes)


def case(directory: Path | None = None, **changes: Any) -> Case:
    """Make a healthy case, but for the changes."""
    made = Case(
        settings=DEFAULT,
        directory=directory or Path("/nowhere"),
        signer=greeting(),
        venue=healthy_venue(),
        store=StoreFacts(path=Path("/nowhere/account.db")),
    )
    return replace(made, **changes)


def settings(**signer: Any) -> Settings:
    return replace(DEFAULT, signer=SignerConfig(**signer))
