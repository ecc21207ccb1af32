"""Tables of the store, and how an older file becomes a newer one.

One table, `log`, holds everything that money or people did, chained by digests so that no row can
be changed, removed or put between others unnoticed; a trigger keeps, beside it, which row is the
latest of each subject, and `refs` finds rows by the venue's names. What is only looked at (`bulk`,
`folds`) has digests of its own, sealed by rows of the chain, and ends after its time. What people
ask for by name (orders, fills, decisions …) are views (`views.py`).
"""

from typing import Final

from polytui.engine.shell.store.views import VIEWS

VERSION: Final = 3

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
    2: (
        "CREATE INDEX log_place ON log (run, seq)",
        """
        CREATE TABLE refs (
            ref TEXT NOT NULL,
            kind TEXT NOT NULL,
            realm TEXT NOT NULL,
            subject TEXT NOT NULL,
            n INTEGER NOT NULL,
            PRIMARY KEY (ref, kind, realm, subject, n)
        ) WITHOUT ROWID
        """,
        """
        CREATE TABLE bulk (
            n INTEGER PRIMARY KEY,
            at_ns INTEGER NOT NULL,
            run TEXT NOT NULL,
            seq INTEGER NOT NULL,
            kind TEXT NOT NULL,
            strategy TEXT NOT NULL,
            market TEXT NOT NULL,
            reason TEXT NOT NULL,
            margin_u6 INTEGER NOT NULL,
            body BLOB NOT NULL,
            digest BLOB NOT NULL
        )
        """,
        "CREATE INDEX bulk_kind ON bulk (kind, strategy, n)",
        "CREATE INDEX bulk_market ON bulk (market, n) WHERE market <> ''",
        "CREATE INDEX bulk_place ON bulk (run, seq)",
        """
        CREATE TABLE folds (
            run TEXT NOT NULL,
            strategy TEXT NOT NULL,
            market TEXT NOT NULL,
            reason TEXT NOT NULL,
            verdict TEXT NOT NULL,
            count INTEGER NOT NULL,
            first_ns INTEGER NOT NULL,
            last_ns INTEGER NOT NULL,
            best_ns INTEGER NOT NULL,
            best_snapshot INTEGER NOT NULL,
            score_u6 INTEGER NOT NULL,
            threshold_u6 INTEGER NOT NULL,
            margin_u6 INTEGER NOT NULL,
            unit TEXT NOT NULL,
            family TEXT NOT NULL,
            digest BLOB NOT NULL,
            PRIMARY KEY (strategy, run, market, reason)
        ) WITHOUT ROWID
        """,
        "CREATE INDEX folds_last ON folds (strategy, last_ns)",
        """
        INSERT OR IGNORE INTO refs (ref, kind, realm, subject, n)
        SELECT json_extract(CAST(body AS TEXT), '$.order_hash'), kind, realm, subject, 0
        FROM log WHERE kind IN ('order', 'trade')
        AND json_extract(CAST(body AS TEXT), '$.order_hash') <> ''
        """,
        """
        INSERT OR IGNORE INTO refs (ref, kind, realm, subject, n)
        SELECT json_extract(CAST(body AS TEXT), '$.draft.bundle'), kind, realm, subject, 0
        FROM log WHERE kind = 'order'
        AND json_extract(CAST(body AS TEXT), '$.draft.bundle') <> ''
        """,
        """
        INSERT OR IGNORE INTO refs (ref, kind, realm, subject, n)
        SELECT json_extract(CAST(body AS TEXT), '$.cid'), kind, realm, subject, 0
        FROM log WHERE kind = 'trade' AND json_extract(CAST(body AS TEXT), '$.cid') <> ''
        """,
        """
        INSERT OR IGNORE INTO refs (ref, kind, realm, subject, n)
        SELECT json_extract(CAST(body AS TEXT), '$.ref'), kind, realm, subject, n
        FROM log WHERE kind = 'entry' AND json_extract(CAST(body AS TEXT), '$.ref') <> ''
        """,
        *VIEWS,
    ),
    3: (
        "DROP INDEX latest_open",
        "CREATE INDEX latest_open ON latest (kind, realm, is_open, at_ns, n)",
        "DROP INDEX log_market",
        "CREATE INDEX log_market ON log (market, kind, n) WHERE market <> ''",
        "DROP INDEX log_strategy",
        "CREATE INDEX log_strategy ON log (strategy, kind, n) WHERE strategy <> ''",
    ),
}
"""Statements that lead from the version before to this one."""

INSERT: Final = (
    "INSERT INTO log (n, at_ns, run, seq, kind, realm, subject, strategy, market, is_open, body, "
    "chain) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
)

INSERT_REF: Final = (
    "INSERT OR IGNORE INTO refs (ref, kind, realm, subject, n) VALUES (?, ?, ?, ?, ?)"
)

INSERT_BULK: Final = (
    "INSERT INTO bulk (n, at_ns, run, seq, kind, strategy, market, reason, margin_u6, body, "
    "digest) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
)

PUT_FOLD: Final = (
    "INSERT OR REPLACE INTO folds (run, strategy, market, reason, verdict, count, first_ns, "
    "last_ns, best_ns, best_snapshot, score_u6, threshold_u6, margin_u6, unit, family, digest) "
    "VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
)

OLDEST_BULK: Final = "SELECT n, at_ns FROM bulk ORDER BY n LIMIT 8192"

LAST: Final = "SELECT n, chain FROM log ORDER BY n DESC LIMIT 1"

ALL: Final = (
    "SELECT n, at_ns, run, seq, kind, realm, subject, strategy, market, is_open, body, chain "
    "FROM log WHERE n > ? ORDER BY n LIMIT ?"
)

LATEST: Final = (
    "SELECT log.body FROM ("
    "SELECT n FROM latest INDEXED BY latest_open "
    "WHERE kind = ?1 AND realm = ?2 AND is_open = 1 UNION ALL "
    "SELECT n FROM latest INDEXED BY latest_open "
    "WHERE kind = ?1 AND realm = ?2 AND is_open = 0 AND at_ns >= ?3"
    ") AS wanted JOIN log ON log.n = wanted.n ORDER BY log.n"
)
"""Of a kind and realm: what is open however old, and the rest since a moment. Two ranges of one
index, so that the rows of years behind them are never looked at; it is named, because SQLite would
rather walk the primary key."""

LAST_RUN: Final = (
    "SELECT log.body FROM latest JOIN log ON log.n = latest.n "
    "WHERE latest.kind = 'run' ORDER BY latest.n DESC LIMIT 1"
)

CONTROLS: Final = (
    "SELECT latest.subject, log.body FROM latest JOIN log ON log.n = latest.n "
    "WHERE latest.kind = 'control' ORDER BY latest.n"
)

PRAGMAS: Final = (
    "PRAGMA journal_mode = WAL",
    "PRAGMA busy_timeout = 2000",
    # The writer moves the pages itself, so that it knows their digests (`pages.py`); and the
    # write-ahead log never holds bytes of an earlier round.
    "PRAGMA wal_autocheckpoint = 0",
    "PRAGMA journal_size_limit = 0",
    "PRAGMA trusted_schema = OFF",
)

SYNCHRONOUS: Final = {"full": "PRAGMA synchronous = FULL", "normal": "PRAGMA synchronous = NORMAL"}
"""`full`: a commit waits for the disk; `normal`: it survives a crash of ours, not of the power."""
