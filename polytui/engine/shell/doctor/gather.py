"""Gathers what the checks judge: asks the running engine, a signer and the venue, each briefly.

While an engine runs, its wallet is its own: no signer is started, nothing private is asked, the
venue's public answers only. Without one a signer is started for a moment, on a latch of its own,
and on the practice venue a venue too, in a directory that is removed again.
"""

import asyncio
import json
import socket
import tempfile
from collections.abc import Awaitable, Iterable
from contextlib import closing
from pathlib import Path
from typing import Any, Final

from msgspec import Struct, convert
from msgspec.json import Decoder
from msgspec.structs import replace

from polytui.engine.core.account_view import RISK, RiskView
from polytui.engine.core.errors import OperatorError
from polytui.engine.core.runconfig import MetricsConfig, Settings, VenueConfig
from polytui.engine.core.trading import CASH, Identity
from polytui.engine.core.view import STATUS, StatusView
from polytui.engine.shell.accounts.live import practice_venue
from polytui.engine.shell.clock import read_wall_ns
from polytui.engine.shell.dial import Dialled, Unreachable
from polytui.engine.shell.doctor.case import PRACTICE, EngineFacts, SignerFacts, VenueFacts
from polytui.engine.shell.latch import LATCH_FILE, KillLatch
from polytui.engine.shell.places import VIEW_SOCKET
from polytui.engine.shell.polymarket.account_reads import AccountReads
from polytui.engine.shell.polymarket.auth import Credentials
from polytui.engine.shell.polymarket.client import VenueClient
from polytui.engine.shell.polymarket.public_reads import Place, read_place
from polytui.engine.shell.polymarket.rest import Failed, Rest, parsed
from polytui.engine.shell.polymarket.sockets import LOST, open_socket
from polytui.engine.shell.practice_child import SOCKET, PracticeChild, Ready
from polytui.engine.shell.signer.client import SignerClient
from polytui.engine.shell.signer.frames import Begin
from polytui.engine.shell.signer.selftest import vectors_fault

VENUE_S: Final = 25.0
"""Longest examination of a venue; each single answer has three seconds."""
READY_S: Final = 3.0
READY_MAX: Final = 1 << 20
FRAME_MAX: Final = 1 << 20
KEY_SHOWN: Final = 8


# --- the running engine --------------------------------------------------------------------------


def look_at_engine(directory: Path) -> tuple[EngineFacts | None, str]:
    """Ask the engine on the socket that cannot act; a sentence when it is there and will not."""
    path = directory / VIEW_SOCKET
    try:
        with Dialled(path) as engine:
            hello = engine.hello
            facts = EngineFacts(pid=hello.pid, run=hello.run, version=hello.version)
            status, risk = engine.look(STATUS), engine.look(RISK)
    except Unreachable as error:
        return None, str(error) if "is silent" in str(error) else ""
    except OperatorError as error:
        return None, str(error)
    return (
        replace(
            facts,
            status=status if isinstance(status, StatusView) else None,
            risk=risk if isinstance(risk, RiskView) else None,
        ),
        "",
    )


def look_at_port(config: MetricsConfig) -> str:
    """Take the exporter's port for an instant; say why that cannot be."""
    family = socket.AF_INET6 if ":" in config.bind else socket.AF_INET
    with closing(socket.socket(family, socket.SOCK_STREAM)) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((config.bind, config.port))
        except OSError as error:
            return f"{config.bind}:{config.port}: {error.strerror or error}"
    return ""


# --- the practice venue --------------------------------------------------------------------------


def find_practice(directory: Path) -> Ready | None:
    """Ask a practice venue that runs already how to reach it; None when none answers."""
    with closing(socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)) as link:
        link.settimeout(READY_S)
        try:
            link.connect(str(directory / SOCKET))
            link.sendall(b'{"do":"ready"}\n')
            with link.makefile("rb") as lines:
                return convert(json.loads(lines.readline(READY_MAX)), Ready)
        except (OSError, ValueError):
            return None


async def examine(
    settings: Settings, directory: Path, *, engine: EngineFacts | None
) -> tuple[SignerFacts, VenueFacts]:
    """Ask signer and venue, starting what has to be there; everything started is ended."""
    with tempfile.TemporaryDirectory(prefix="ptdoc") as scratch:
        try:
            return await _examine(settings, directory, Path(scratch), engine)
        except OperatorError as error:
            why = str(error)
        except Exception as error:  # noqa: BLE001  the other checks must still be heard
            why = f"a fault of polytui's own ({type(error).__name__}: {error})"
    return SignerFacts(vectors_fault=vectors_fault(), why=why), VenueFacts(why=why)


async def _examine(
    settings: Settings, directory: Path, scratch: Path, engine: EngineFacts | None
) -> tuple[SignerFacts, VenueFacts]:
    if settings.venue.kind != PRACTICE:
        return await _both(settings, settings.venue, scratch, label="", engine=engine)
    ready, child = find_practice(directory), None
    try:
        if ready is None:
            child = PracticeChild(_small(settings), scratch, scenario="")
            await child.begin()
            ready = await child.start()
        venue = practice_venue(settings.venue, ready.urls)
        label = f"polytui practice venue, seed {ready.seed}, wallet eoa"
        signer, facts = await _both(settings, venue, scratch, label=label, engine=engine)
        return signer, replace(facts, started=child is not None)
    finally:
        if child is not None:
            await child.stop()


def _small(settings: Settings) -> Settings:
    """Want the least of a practice venue: it is there to answer, not to be traded on."""
    return replace(settings, practice=replace(settings.practice, markets=1, rate=1.0, faults=False))


# --- signer and venue ----------------------------------------------------------------------------


async def _both(
    settings: Settings, venue: VenueConfig, scratch: Path, *, label: str, engine: EngineFacts | None
) -> tuple[SignerFacts, VenueFacts]:
    signer: SignerClient | None = None
    latch = KillLatch(scratch / LATCH_FILE)
    facts = SignerFacts(vectors_fault=vectors_fault())
    try:
        if engine is None and settings.signer.source != "none" and not facts.vectors_fault:
            begin = Begin(
                signer=settings.signer, venue=venue, latch=str(latch.path), practice_label=label
            )
            try:
                signer = await SignerClient.start(begin, lambda _why: None)
                facts = replace(facts, hello=signer.hello)
            except OperatorError as error:
                facts = replace(facts, why=str(error))
        return facts, await _venue(venue, signer)
    finally:
        if signer is not None:
            await signer.close()
        latch.close()


async def _venue(config: VenueConfig, signer: SignerClient | None) -> VenueFacts:
    try:
        client = VenueClient(config, clock=read_wall_ns)
    except OperatorError as error:
        return VenueFacts(clob=config.clob, why=str(error))
    facts = VenueFacts(clob=config.clob)
    try:
        async with asyncio.timeout(VENUE_S):
            facts = await _public(client, facts)
            if signer is not None and not isinstance(facts.version, Failed):
                facts = await _private(client, facts, signer)
    except TimeoutError:
        return replace(facts, why=f"{config.clob} did not answer everything in {VENUE_S:.0f} s")
    finally:
        client.close()
    return facts


async def _public(client: VenueClient, facts: VenueFacts) -> VenueFacts:
    """Ask what anybody may ask."""
    failure, version, place, others = await asyncio.gather(
        client.measure_clock(), client.public.version(), _place(client), _others(client)
    )
    return replace(
        facts,
        version=version,
        place=place,
        others=others,
        clock_why="" if failure is None else failure.why,
        offset_ns=client.sync.offset_ns,
        uncertainty_ns=client.sync.uncertainty_ns,
    )


async def _place(client: VenueClient) -> Place | Failed | None:
    return None if client.place is None else await read_place(client.place)


async def _others(client: VenueClient) -> tuple[tuple[str, str], ...]:
    """Knock at the venue's other servers: any answer is one."""
    config = client.config
    doors: Iterable[tuple[str, Awaitable[str]]] = (
        ("gamma", _knock(client.gamma)),
        ("data", _knock(client.data)),
        ("market stream", _knock_socket(config.market_ws)),
        ("user stream", _knock_socket(config.user_ws)),
    )
    names, knocks = zip(*doors, strict=True)
    return tuple(zip(names, await asyncio.gather(*knocks), strict=True))


async def _knock(rest: Rest) -> str:
    found = await rest.get("/")
    return found.why if isinstance(found, Failed) and not found.http else ""


async def _knock_socket(url: str) -> str:
    try:
        async with open_socket(url, message_max=FRAME_MAX):
            return ""
    except LOST as error:
        return f"{type(error).__name__}: {error}"


class _Tier(Struct):
    tier: str


_read_tier: Final = Decoder(_Tier)


async def _private(client: VenueClient, facts: VenueFacts, signer: SignerClient) -> VenueFacts:
    """Obtain the API key, which asking twice does not change, and read the account."""
    identity: Identity | None = signer.identity if signer.hello.ok else None
    if identity is None or signer.hello.locked:
        return facts
    found: Any = await client.log_in(address=identity.owner, signer=signer)
    if not isinstance(found, Credentials):
        return replace(facts, key_why=found.why)
    reads = AccountReads(client.clob, signature_type=identity.signature_type)
    cash, closed_only, tier = await asyncio.gather(
        reads.holding(CASH), reads.closed_only(), _tier(client.clob)
    )
    return replace(facts, key=found.key[:KEY_SHOWN], cash=cash, closed_only=closed_only, tier=tier)


async def _tier(rest: Rest) -> str | Failed:
    reply = await rest.get("/v1/user/rate-limit-tier", private=True)
    return parsed(reply, lambda body: _read_tier.decode(body).tier.lower()[:40])
