"""Rows of the store: how a record becomes one, and the chain that binds it to those before it."""

from collections.abc import Callable, Mapping
from hashlib import blake2b
from typing import Final

import msgspec
from msgspec import Struct

from polytui.engine.core.commands import (
    Command,
    RecordAnomaly,
    RecordBundle,
    RecordControl,
    RecordEntry,
    RecordOrder,
    RecordTotals,
    RecordTrade,
)
from polytui.engine.core.trading import PositionRecord

CHAIN_BYTES: Final = 16
GENESIS: Final = bytes(CHAIN_BYTES)
"""What the first row is chained to."""

ORDER, TRADE, BUNDLE = "order", "trade", "bundle"
ENTRY, POSITION, TOTALS, CONTROL, ANOMALY = "entry", "position", "totals", "control", "anomaly"
RUN, DIRECTIVE, DECISION, EVENT = "run", "directive", "decision", "event"
MARKET, PROMOTION = "market", "promotion"
"""Kinds of rows that money or people caused."""
SEAL, TRIM, ANCHOR, SALVAGE = "seal", "trim", "anchor", "salvage"
"""Kinds of rows about the store itself: bulk rows vouched for, bulk rows ended, the beginning of
the chain moved, a damaged file put aside."""

_encode = msgspec.json.Encoder().encode


class Row(Struct, frozen=True, gc=False):
    """One record on its way into the log; `subject` empty: there is no latest of it."""

    kind: str
    realm: str
    subject: str
    strategy: str
    market: str
    is_open: bool
    """Whether a restart needs it however old it is."""
    body: bytes
    """JSON."""
    refs: tuple[str, ...] = ()
    """Names it can be found by; made of the body, so that no digest covers them."""


def _order(command: RecordOrder) -> list[Row]:
    order = command.order
    draft, is_open = order.draft, not order.state.is_terminal
    refs = tuple(name for name in (order.order_hash, draft.bundle) if name)
    who, where = draft.strategy, draft.market
    realm, body = order.realm.value, _encode(order)
    return [Row(ORDER, realm, order.cid, who, where, is_open, body, refs)]


def _trade(command: RecordTrade) -> list[Row]:
    trade = command.trade
    subject = f"{trade.trade_id}:{trade.order_hash}"
    who, where = trade.change.strategy, trade.change.market
    is_open = not trade.status.is_terminal
    refs = tuple(name for name in (trade.order_hash, trade.cid) if name)
    return [Row(TRADE, trade.realm.value, subject, who, where, is_open, _encode(trade), refs)]


def _bundle(command: RecordBundle) -> list[Row]:
    bundle = command.bundle
    is_open = not bundle.state.is_terminal
    realm, who, where = bundle.realm.value, bundle.strategy, bundle.market
    return [Row(BUNDLE, realm, bundle.bundle, who, where, is_open, _encode(bundle))]


def _entry(command: RecordEntry) -> list[Row]:
    entry = command.entry
    realm, refs = entry.realm.value, (entry.ref,) if entry.ref else ()
    row = Row(ENTRY, realm, "", entry.strategy, entry.market, False, _encode(entry), refs)
    return [row, *(_position(position) for position in command.positions)]


def _position(position: PositionRecord) -> Row:
    subject = f"{position.strategy}:{position.token}"
    realm, who, where = position.realm.value, position.strategy, position.market
    return Row(POSITION, realm, subject, who, where, True, _encode(position))


def _totals(command: RecordTotals) -> list[Row]:
    totals = command.totals
    return [Row(TOTALS, totals.realm.value, "totals", "", "", True, _encode(totals))]


def _control(command: RecordControl) -> list[Row]:
    return [Row(CONTROL, "", command.key, "", "", True, command.value.encode())]


def _anomaly(command: RecordAnomaly) -> list[Row]:
    return [Row(ANOMALY, command.realm.value, "", "", "", False, _encode(command))]


_MAKERS: Final[Mapping[type[Command], Callable[..., list[Row]]]] = {
    RecordOrder: _order,
    RecordTrade: _trade,
    RecordBundle: _bundle,
    RecordEntry: _entry,
    RecordTotals: _totals,
    RecordControl: _control,
    RecordAnomaly: _anomaly,
}


def rows_of(command: Command) -> list[Row]:
    """Make the rows of one record."""
    return _MAKERS[type(command)](command)


def linked(previous: bytes, place: tuple[int, int, str, int], row: Row) -> bytes:
    """Chain a row to the one before it; `place` is (n, at_ns, run, seq)."""
    digest = blake2b(previous, digest_size=CHAIN_BYTES)
    digest.update(_encode((place, row.kind, row.realm, row.subject, row.strategy, row.market)))
    digest.update(b"1" if row.is_open else b"0")
    digest.update(row.body)
    return digest.digest()
