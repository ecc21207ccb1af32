"""Bulk rows: what is looked at and then forgotten, each with a digest, sealed by the chain.

A flush is the bulk rows and folds that one transaction brings; with it goes one `seal` row of the
chain that names the range and its digest. So a changed, missing or added bulk row is found, though
no bulk row stands in the chain itself, and whole flushes can end when their time is over.
"""

from collections.abc import Iterable, Sequence
from hashlib import blake2b
from typing import Any, Final

import msgspec
from msgspec import Struct

from polytui.engine.shell.store.rows import SEAL, TRIM, Row

DIGEST_BYTES: Final = 8
SEAL_BYTES: Final = 16

BLOCK, SCAN, ATTRIBUTION, HEALTH, METRICS = "block", "scan", "attribution", "health", "metrics"
"""Kinds of bulk rows."""

_encode = msgspec.json.Encoder().encode


class BulkRow(Struct, frozen=True, gc=False):
    """One row on its way."""

    seq: int
    kind: str
    strategy: str
    market: str
    reason: str
    margin_u6: int
    body: bytes


class FoldRow(Struct, frozen=True, gc=False, array_like=True):
    """One fold as it is now: decisions of one strategy on one market for one reason."""

    strategy: str
    market: str
    reason: str
    verdict: str
    count: int
    first_ns: int
    last_ns: int
    best_ns: int
    best_snapshot: int
    score_u6: int
    threshold_u6: int
    margin_u6: int
    unit: str
    family: str


class Seal(Struct, frozen=True):
    """What the chain knows of a flush."""

    first: int
    """First and last bulk row; `last` is `first` - 1 when there is none."""
    last: int
    digest: str
    folds: int = 0
    """Folds written with it; later flushes replace them."""


class Trim(Struct, frozen=True):
    """What the chain knows of bulk rows that ended: all up to one."""

    upto: int
    before_ns: int


def digest_of(values: Sequence[Any]) -> bytes:
    """Make the digest of one row's columns."""
    return blake2b(_encode(values), digest_size=DIGEST_BYTES).digest()


def bulk_params(n: int, at_ns: int, run: str, row: BulkRow) -> tuple[Any, ...]:
    """Lay a bulk row out for the database."""
    named = (n, at_ns, run, row.seq, row.kind, row.strategy, row.market, row.reason, row.margin_u6)
    return (*named, row.body, _bulk_digest(named, row.body))


def _bulk_digest(named: Sequence[Any], body: bytes) -> bytes:
    digest = blake2b(_encode(named), digest_size=DIGEST_BYTES)
    digest.update(body)
    return digest.digest()


def is_bulk_whole(row: Sequence[Any]) -> bool:
    """Tell whether a bulk row is as written."""
    *named, body, digest = row
    return isinstance(body, bytes) and _bulk_digest(named, body) == digest


def fold_params(run: str, row: FoldRow) -> tuple[Any, ...]:
    """Lay a fold out for the database."""
    values = (run, *msgspec.structs.astuple(row))
    return (*values, digest_of(values))


def is_fold_whole(row: Sequence[Any]) -> bool:
    """Tell whether a fold is as written."""
    return digest_of(tuple(row[:-1])) == bytes(row[-1])


def sealed(digests: Iterable[bytes]) -> str:
    """Make the digest of a flush from those of its rows, in order."""
    whole = blake2b(digest_size=SEAL_BYTES)
    for digest in digests:
        whole.update(digest)
    return whole.hexdigest()


def seal_row(seal: Seal) -> Row:
    """Make the row of the chain that vouches for a flush."""
    return Row(SEAL, "", "", "", "", False, _encode(seal))


def trim_row(trim: Trim) -> Row:
    """Make the row of the chain that says which bulk rows ended."""
    return Row(TRIM, "", "trim", "", "", True, _encode(trim))
