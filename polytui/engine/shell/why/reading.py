"""Finds rows of the store by the names people have: order, trade, market, strategy.

Every look is bounded: through an index, and never past a fixed number of rows, so that an answer
takes as long on ten million rows as on ten thousand.
"""

import sqlite3
from collections.abc import Iterable
from contextlib import closing
from pathlib import Path
from typing import Any, Final

import msgspec
from msgspec import Struct

from polytui.engine.core.errors import OperatorError, shown
from polytui.engine.shell.store.files import open_read_only
from polytui.engine.shell.store.schema import VERSION

RECENT: Final = 2_000
"""Newest rows of a market or strategy that are looked through."""
PREFIX_MIN: Final = 6
"""Shortest beginning of a name that is looked for."""

Body = dict[str, Any]


class Kept(Struct, frozen=True):
    """One row of the chain."""

    n: int
    at_ns: int
    run: str
    seq: int
    kind: str
    realm: str
    subject: str
    strategy: str
    market: str
    body: Body


_FIELDS: Final = Kept.__struct_fields__[:-1]
_COLUMNS: Final = (
    "log.n, log.at_ns, run, log.seq, log.kind, log.realm, log.subject, strategy, market, body"
)
_LATEST: Final = (
    f"SELECT {_COLUMNS} FROM latest JOIN log ON log.n = latest.n "  # noqa: S608  columns of ours
    "WHERE latest.kind = ?1 AND latest.realm IN ('', 'live', 'paper') AND latest.subject = ?2"
)
_PLACE: Final = f"SELECT {_COLUMNS} FROM log WHERE run = ? AND seq = ? ORDER BY n LIMIT 500"  # noqa: S608  columns of ours
_ROW: Final = f"SELECT {_COLUMNS} FROM log WHERE n = ?"  # noqa: S608  columns of ours
_RECENT: Final = {
    "market": (
        f"SELECT {_COLUMNS} FROM log WHERE market = ? AND market <> '' "  # noqa: S608  columns of ours
        "ORDER BY n DESC LIMIT ?"
    ),
    "strategy": (
        f"SELECT {_COLUMNS} FROM log WHERE strategy = ? AND strategy <> '' "  # noqa: S608  columns of ours
        "ORDER BY n DESC LIMIT ?"
    ),
}
_REFS: Final = "SELECT kind, subject, n FROM refs WHERE ref = ? ORDER BY kind, n LIMIT 200"
_BEGINNING: Final = (
    "SELECT DISTINCT ref FROM refs WHERE ref >= ?1 AND ref < ?1 || char(1114111) LIMIT 3"
)


class Reader:
    """One store, read."""

    def __init__(self, db: sqlite3.Connection) -> None:
        """Read through an open connection."""
        self.db = db

    def latest(self, kind: str, subject: str) -> Kept | None:
        """Read what a subject is now; of both realms, the live one."""
        rows = [_kept(row) for row in self.db.execute(_LATEST, (kind, subject))]
        return max(rows, key=lambda row: row.realm == "live", default=None)

    def place(self, run: str, seq: int) -> list[Kept]:
        """Read what one step of one run recorded."""
        return [_kept(row) for row in self.db.execute(_PLACE, (run, seq))]

    def named(self, ref: str, kind: str) -> list[Kept]:
        """Read the rows of a kind that a name stands for."""
        found: list[Kept] = []
        for of, subject, n in self.db.execute(_REFS, (ref,)).fetchall():
            if of == kind:
                row = self.row(n) if n else self.latest(kind, subject)
                found += [] if row is None else [row]
        return found

    def row(self, n: int) -> Kept | None:
        """Read one row."""
        row = self.db.execute(_ROW, (n,)).fetchone()
        return None if row is None else _kept(row)

    def recent(self, by: str, name: str, kinds: Iterable[str], most: int) -> list[Kept]:
        """Read the newest rows of some kinds of a market or strategy, the newest first."""
        wanted, found = set(kinds), []
        for row in self.db.execute(_RECENT[by], (name, RECENT)):
            if row[4] in wanted:
                found.append(_kept(row))
                if len(found) >= most:
                    break
        return found

    def whole(self, name: str) -> str:
        """Complete the beginning of a name, when it can only be one."""
        if len(name) < PREFIX_MIN:
            return name
        names = [row[0] for row in self.db.execute(_BEGINNING, (name,))]
        return names[0] if len(names) == 1 else name

    def title(self, market: str) -> str:
        """Return a market's title as listed; empty when it is not known."""
        row = self.latest("market", market)
        return str(row.body.get("title", "")) if row is not None else ""

    def has_strategy(self, name: str) -> bool:
        """Tell whether a strategy ever decided anything."""
        for sql in (
            "SELECT 1 FROM folds WHERE strategy = ? LIMIT 1",
            "SELECT 1 FROM log WHERE strategy = ? AND strategy <> '' LIMIT 1",
        ):
            if self.db.execute(sql, (name,)).fetchone():
                return True
        return False

    def all(self, sql: str, *values: object) -> list[tuple[Any, ...]]:
        """Read rows as they are."""
        return self.db.execute(sql, values).fetchall()


def _kept(row: tuple[Any, ...]) -> Kept:
    *named, text = row
    body = msgspec.json.decode(text) if text[:1] == b"{" else {}
    return Kept(**dict(zip(_FIELDS, named, strict=True)), body=body)


def reading(path: Path) -> "closing[sqlite3.Connection]":
    """Open a store for answering.

    Raises:
        OperatorError: there is none, or it is not of this version.
    """
    if not path.exists():
        raise OperatorError(f"expected a store at {shown(str(path))}, there is none")
    try:
        db = open_read_only(path)
        version = int(db.execute("PRAGMA user_version").fetchone()[0])
    except sqlite3.Error as error:
        raise OperatorError(f"{path}: expected a readable store, but: {error}") from None
    if version != VERSION:
        db.close()
        raise OperatorError(
            f"{path}: expected a store of version {VERSION}, was {version}: "
            "an engine brings an older one forward when it starts"
        )
    return closing(db)
