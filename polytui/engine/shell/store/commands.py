"""`polytui journal`: one entry for the command line, with its exit codes."""

import json
import os
from collections.abc import Callable
from pathlib import Path

import msgspec
from msgspec import Struct

from polytui.engine.core.errors import OperatorError, shown
from polytui.engine.core.runconfig import Settings
from polytui.engine.shell import places
from polytui.engine.shell.clock import read_wall_ns
from polytui.engine.shell.store import journal
from polytui.engine.shell.store.files import FILE_NAME


class Asked(Struct, frozen=True, kw_only=True):
    """What the command line said."""

    what: str
    sql: str
    kind: str
    after: int
    limit: int
    json: bool


def run_journal(asked: Asked, settings: Settings, say: Callable[[str], None]) -> int:
    """Do it; return the exit code: 0 done, 5 the store is not as written.

    Raises:
        OperatorError: it is no such command, or what it needs is not there (exit code 2).
    """
    path = Path(settings.store.directory) / FILE_NAME
    if asked.what == "verify":
        return journal.verify(path, say, as_json=asked.json)
    if asked.what == "export":
        return journal.export(path, say, kind=asked.kind, after=asked.after)
    if asked.what == "query" and asked.sql:
        return journal.query(path, say, sql=asked.sql, most=asked.limit)
    if asked.what == "compact":
        return _compact(path, settings, say, as_json=asked.json)
    raise OperatorError(f"expected verify, export, query SQL or compact, was {shown(asked.what)}")


def _compact(path: Path, settings: Settings, say: Callable[[str], None], *, as_json: bool) -> int:
    """Compact while holding the engine's lock, so that no engine can start meanwhile."""
    from polytui.engine.shell.store.compact import compact

    directory = places.runtime_dir(settings.runtime_dir)
    places.prepare(directory)
    lock = places.take_lock(directory)
    try:
        done = compact(path, settings.store, now_ns=read_wall_ns())
    finally:
        os.close(lock)
    if as_json:
        say(json.dumps(msgspec.structs.asdict(done)))
    else:
        say(
            f"{done.archived} rows archived ({done.archive or 'none'}), {done.carried} carried, "
            f"{done.trimmed} bulk rows ended, {done.bytes_before} -> {done.bytes_after} bytes"
        )
    return journal.EXIT_DONE
