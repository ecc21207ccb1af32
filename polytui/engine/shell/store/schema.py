"""Tables of the store, and how an older file becomes a newer one.

One table holds every record ever, chained by digests so that no row can be changed, removed or put
between others unnoticed; a trigger keeps, beside it, which row is the latest of each subject. The
statements are plain SQL: another database can take them behind the same seam.
"""

from typing import Final

VERSION: Final = 1

MIGRATIONS: Final[dict[int, tuple[str, ...]]] = {
    1: (
        """
        CREATE TABLE log (
            n INTEGER PRIMARY KEY,
            at_ns INTEGER NOT NULL,
            run TEXT NOT NULL,
            seq INTEGER NOT NULL,
            kind TEXT NOT NULL,
            realm TEXT NOT NULL,
            subject TEXT NOT NULL,
            strategy TEXT NOT NULL,
            market TEXT NOT NULL,
            is_open INTEGER NOT NULL,
            body BLOB NOT NULL,
            chain BLOB NOT NULL
        )
        """,
        "CREATE INDEX log_subject ON log (kind, realm, subject, n)",
        "CREATE INDEX log_market ON log (market, n) WHERE market <> ''",
        "CREATE INDEX log_strategy ON log (strategy, n) WHERE strategy <> ''",
        """
        CREATE TABLE latest (
            kind TEXT NOT NULL,
            realm TEXT NOT NULL,
            subject TEXT NOT NULL,
            n INTEGER NOT NULL,
            at_ns INTEGER NOT NULL,
            is_open INTEGER NOT NULL,
            PRIMARY KEY (kind, realm, subject)
        ) WITHOUT ROWID
        """,
        "CREATE INDEX latest_open ON latest (kind, realm, is_open, at_ns)",
        """
        CREATE TRIGGER log_latest AFTER INSERT ON log WHEN NEW.subject <> '' BEGIN
            INSERT INTO latest (kind, realm, subject, n, at_ns, is_open)
            VALUES (NEW.kind, NEW.realm, NEW.subject, NEW.n, NEW.at_ns, NEW.is_open)
            ON CONFLICT (kind, realm, subject) DO UPDATE
            SET n = excluded.n, at_ns = excluded.at_ns, is_open = excluded.is_open;
        END
        """,
    ),
}
"""Statements that lead from the version before to this one."""

INSERT: Final = (
    "INSERT INTO log (n, at_ns, run, seq, kind, realm, subject, strategy, market, is_open, body, "
    "chain) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
)

LAST: Final = "SELECT n, chain FROM log ORDER BY n DESC LIMIT 1"

ALL: Final = (
    "SELECT n, at_ns, run, seq, kind, realm, subject, strategy, market, is_open, body, chain "
    "FROM log WHERE n > ? ORDER BY n LIMIT ?"
)

LATEST: Final = (
    "SELECT log.body FROM latest JOIN log ON log.n = latest.n "
    "WHERE latest.kind = ? AND latest.realm = ? AND (latest.is_open = 1 OR latest.at_ns >= ?) "
    "ORDER BY latest.n"
)

CONTROLS: Final = (
    "SELECT latest.subject, log.body FROM latest JOIN log ON log.n = latest.n "
    "WHERE latest.kind = 'control' ORDER BY latest.n"
)

PRAGMAS: Final = (
    "PRAGMA journal_mode = WAL",
    "PRAGMA busy_timeout = 2000",
    "PRAGMA wal_autocheckpoint = 2000",
    "PRAGMA trusted_schema = OFF",
)

SYNCHRONOUS: Final = {"full": "PRAGMA synchronous = FULL", "normal": "PRAGMA synchronous = NORMAL"}
"""`full`: a commit waits for the disk; `normal`: it survives a crash of ours, not of the power."""
