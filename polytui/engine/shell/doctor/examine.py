"""The doctor at work: gathers the case, asks every check of the table, writes the report."""

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Final

from msgspec import Struct
from msgspec.structs import replace

import polytui
from polytui.engine.core.runconfig import Settings
from polytui.engine.shell import places
from polytui.engine.shell.clock import read_wall_ns
from polytui.engine.shell.doctor import gather, machine, outlets, outside, storing, wallet
from polytui.engine.shell.doctor import places as rooms
from polytui.engine.shell.doctor.case import Case
from polytui.engine.shell.doctor.report import Finding, Line, Report, fail, line_of, warn


class Check(Struct, frozen=True):
    """One row of the table."""

    code: str
    title: str
    look: Callable[[Case], Finding]
    is_blind: bool = False
    """Needs no configuration: looks even when that cannot be read."""


UNREAD: Final = warn(
    "not looked at: what it needs stands in the configuration",
    "put the configuration right first, then run polytui doctor again",
)

CHECKS: Final[tuple[Check, ...]] = (
    Check("CONFIG", "configuration", machine.check_config, True),
    Check("PYTHON", "Python", machine.check_python, True),
    Check("LIBRARIES", "libraries", machine.check_libraries, True),
    Check("DISK", "disk", machine.check_disk),
    Check("DIRECTORY", "runtime directory", rooms.check_directory),
    Check("SOCKETS", "sockets", rooms.check_sockets),
    Check("PROCESSES", "processes", rooms.check_processes),
    Check("LATCH", "kill latch", rooms.check_latch),
    Check("STORE", "store", storing.check_store),
    Check("SIGNER", "signer", wallet.check_signer),
    Check("KEY", "key source", wallet.check_key),
    Check("WALLET", "wallet type", wallet.check_wallet),
    Check("VENUE", "venue", outside.check_venue),
    Check("CLOCK", "clock", outside.check_clock),
    Check("REGION", "region", outside.check_region),
    Check("CREDENTIALS", "credentials", wallet.check_credentials),
    Check("ALLOWANCES", "allowances", wallet.check_allowances),
    Check("TIER", "rate tier", outside.check_tier),
    Check("METRICS", "metrics", outlets.check_metrics),
    Check("WEBHOOK", "webhook", outlets.check_webhook),
    Check("TERMINAL", "terminal", machine.check_terminal, True),
)
"""Every check, in the order of the report."""


def examine(settings: Settings | None, *, config: Path | None, why: str = "") -> Report:
    """Examine this machine; `settings` is None when they cannot be read, and `why` says so."""
    directory = places.runtime_dir("" if settings is None else settings.runtime_dir)
    case = Case(
        settings=settings or Settings(),
        directory=directory,
        config=config,
        config_why=why,
        wall_ns=read_wall_ns(),
    )
    if settings is not None:
        case = asyncio.run(_gathered(case))
    return judge(case)


async def _gathered(case: Case) -> Case:
    engine, engine_why = gather.look_at_engine(case.directory)
    store, (signer, venue) = await asyncio.gather(
        storing.read(storing.find(case.settings.store)),
        gather.examine(case.settings, case.directory, engine=engine),
    )
    return replace(
        case,
        engine=engine,
        engine_why=engine_why,
        store=store,
        signer=signer,
        venue=venue,
        metrics_why=gather.look_at_port(case.settings.metrics) if engine is None else "",
    )


def judge(case: Case, checks: tuple[Check, ...] = CHECKS) -> Report:
    """Ask every check; one that breaks is a line like the others."""
    return Report(
        version=polytui.__version__,
        wall_ns=case.wall_ns,
        venue=case.settings.venue.kind,
        lines=tuple(_line(check, case) for check in checks),
    )


def _line(check: Check, case: Case) -> Line:
    if case.config_why and not check.is_blind:
        return line_of(check.code, check.title, UNREAD)
    try:
        finding = check.look(case)
    except Exception as error:  # noqa: BLE001  one broken check must not hide the others
        what = f"this check broke ({type(error).__name__}: {error})"
        finding = fail(what, "a fault of polytui's own: report it with this line")
    return line_of(check.code, check.title, finding)
