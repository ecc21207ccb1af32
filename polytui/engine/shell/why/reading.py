"""Finds rows of the store by the names people have: order, trade, market, strategy.

Every look is bounded: through an index, and never past a fixed number of rows, so that an answer
takes as long on ten million rows as on ten thousand.
"""

import sqlite3
from collections.abc import Iterable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any, Final

import msgspec
from msgspec import Struct

from polytui.engine.core.errors import OperatorError, shown
from polytui.engine.shell.store.files import open_read_only
from polytui.engine.shell.store.schema import VERSION

RECENT: Final = 2_000
"""Newest rows of one kind of a market or strategy that are looked through."""
HELD: Final = 2_000
"""Positions of one strategy that are added up."""
REALMS: Final = ("live", "paper")
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
    "WHERE latest.kind = ?1 AND latest.realm IN ('', 'live', 'paper') AND latest.subject = ?2 "
    "ORDER BY latest.realm = ?3 DESC, latest.realm LIMIT 1"
)
_DECISION: Final = (
    f"SELECT {_COLUMNS} FROM log INDEXED BY log_place WHERE run = ? AND seq = ? "  # noqa: S608  columns of ours
    "AND kind = 'decision' AND strategy = ? AND market = ? ORDER BY n LIMIT 1"
)
_ROW: Final = f"SELECT {_COLUMNS} FROM log WHERE n = ?"  # noqa: S608  columns of ours
_RECENT: Final = {
    "market": (
        f"SELECT {_COLUMNS} FROM log WHERE market = ? AND market <> '' AND kind = ? "  # noqa: S608  columns of ours
        "ORDER BY n DESC LIMIT ?"
    ),
    "strategy": (
        f"SELECT {_COLUMNS} FROM log WHERE strategy = ? AND strategy <> '' AND kind = ? "  # noqa: S608  columns of ours
        "ORDER BY n DESC LIMIT ?"
    ),
}
_HELD: Final = (
    f"SELECT {_COLUMNS} FROM latest JOIN log ON log.n = latest.n "  # noqa: S608  columns of ours
    "WHERE latest.kind = 'position' AND latest.realm IN ('live', 'paper') "
    "AND latest.subject >= ?1 || ':' AND latest.subject < ?1 || ';' LIMIT ?2"
)
_STRATEGIES: Final = (
    "WITH RECURSIVE known(name) AS ("
    "SELECT min(strategy) FROM log WHERE strategy <> '' UNION ALL "
    "SELECT (SELECT min(strategy) FROM log WHERE strategy > name AND strategy <> '') "
    "FROM known WHERE name IS NOT NULL"
    ") SELECT name FROM known WHERE name IS NOT NULL LIMIT 200"
)
"""One look into an index for each name, however many rows there are."""
_REFS: Final = "SELECT kind, subject, n FROM refs WHERE ref = ? ORDER BY kind, n LIMIT 200"
_BEGINNING: Final = (
    "SELECT DISTINCT ref FROM refs WHERE ref >= ?1 AND ref < ?1 || char(1114111) LIMIT 3"
)


class Reader:
    """One store, read."""

    def __init__(self, db: sqlite3.Connection) -> None:
        """Read through an open connection."""
        self.db = db

    def latest(self, kind: str, subject: str, realm: str = "live") -> Kept | None:
        """Read what a subject is now; where both realms know it, the one asked for."""
        row = self.db.execute(_LATEST, (kind, subject, realm)).fetchone()
        return None if row is None else _kept(row)

    def decision(self, run: str, seq: int, strategy: str, market: str) -> Kept | None:
        """Read the decision that one step of one run recorded for a strategy and market."""
        row = self.db.execute(_DECISION, (run, seq, strategy, market)).fetchone()
        return None if row is None else _kept(row)

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

    def recent(self, by: str, name: str, kind: str, most: int = RECENT) -> Iterator[Kept]:
        """Yield the newest rows of a kind of a market or strategy, the newest first."""
        return map(_kept, self.db.execute(_RECENT[by], (name, kind, most)))

    def held(self, strategy: str) -> list[Kept]:
        """Read every position of a strategy, in both realms."""
        return [_kept(row) for row in self.db.execute(_HELD, (strategy, HELD))]

    def held_in(self, tokens: Iterable[str]) -> list[Kept]:
        """Read the positions in some tokens, of all strategies and of none, in both realms."""
        wanted = tuple(tokens)
        names = ["", *(name for (name,) in self.db.execute(_STRATEGIES))]
        keys = [(r, f"{name}:{token}") for r in REALMS for name in names for token in wanted]
        found = [self.latest("position", subject, realm) for realm, subject in keys]
        return [
            row
            for row, (realm, _) in zip(found, keys, strict=True)
            if row is not None and row.realm == realm
        ]

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
