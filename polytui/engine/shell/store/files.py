"""The store's file: its name, and how it is read from outside; apart from what writes it."""

import sqlite3
from pathlib import Path
from typing import Final
from urllib.parse import quote

FILE_NAME: Final = "account.db"


def open_read_only(path: Path) -> sqlite3.Connection:
    """Open for reading, a running engine's file included: nothing is written, nothing is moved."""
    db = sqlite3.connect(f"file:{quote(str(path.absolute()))}?mode=ro", uri=True)
    db.execute("PRAGMA trusted_schema = OFF")
    return db
