"""Access to the recordings of exchanges: one JSON line per frame (`shared/data/README.md`)."""

import gzip
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from msgspec import Struct


class Line(Struct, frozen=True):
    """One line of a recorded tape."""

    at_ns: int
    kind: str
    url: str
    raw: bytes


def tape(path: Path) -> Iterator[Line]:
    """Read a tape; the frames are written again, because the recording holds them as objects."""
    with gzip.open(path, "rt") as file:
        for text in file:
            line = json.loads(text)
            yield Line(
                at_ns=int(line["t_ms"] * 1_000) * 1_000,
                kind=line["dir"],
                url=line.get("url", ""),
                raw=json.dumps(line.get("raw"), separators=(",", ":")).encode(),
            )


def messages(path: Path) -> list[dict[str, Any]]:
    """Read a file of single messages."""
    with path.open(encoding="utf-8") as file:
        return [json.loads(line) for line in file]
