"""Reads the store back: what the engine is told before it believes anything else."""

from collections.abc import Sequence
from typing import Any, Final, TypeVar

import aiosqlite
import msgspec

from polytui.engine.core.account_events import AccountRestored, ControlRestored
from polytui.engine.core.errors import OperatorError
from polytui.engine.core.order_enums import Realm
from polytui.engine.core.trading import (
    AccountTotals,
    BundleRecord,
    OrderRecord,
    PositionRecord,
    TradeRecord,
)
from polytui.engine.shell.clock import SECOND_NS
from polytui.engine.shell.store.rows import BUNDLE, ORDER, POSITION, TOTALS, TRADE
from polytui.engine.shell.store.schema import CONTROLS, LAST_RUN, LATEST

DAY_NS: Final = 86_400 * SECOND_NS
ORDERS_NS: Final = DAY_NS
TRADES_NS: Final = 7 * DAY_NS
"""How far back terminal orders and trades are still told: late fills and repeats name them."""

T = TypeVar("T")


async def restore_account(
    db: aiosqlite.Connection, realm: Realm, *, now_ns: int
) -> AccountRestored:
    """Read one account as the last run left it.

    Raises:
        OperatorError: a row is not what this version writes.
    """
    trades = await _latest(db, TRADE, realm, TradeRecord, now_ns - TRADES_NS)
    totals = await _latest(db, TOTALS, realm, AccountTotals, 0)
    return AccountRestored(
        realm=realm,
        orders=tuple(await _latest(db, ORDER, realm, OrderRecord, now_ns - ORDERS_NS)),
        trades=tuple(trades),
        bundles=tuple(await _latest(db, BUNDLE, realm, BundleRecord, now_ns)),
        positions=tuple(await _latest(db, POSITION, realm, PositionRecord, 0)),
        totals=totals[-1] if totals else None,
        last_trade_s=max((trade.first_ns // SECOND_NS for trade in trades), default=0),
    )


async def restore_controls(db: aiosqlite.Connection) -> ControlRestored:
    """Read the controls as the last run left them."""
    async with db.execute(CONTROLS) as rows:
        return ControlRestored(
            rows=tuple([(str(row[0]), bytes(row[1]).decode()) async for row in rows])
        )


class _Run(msgspec.Struct):
    version: str = ""


async def written_by(db: aiosqlite.Connection) -> str:
    """Name the version of polytui that wrote the store last; empty: none has.

    Raises:
        OperatorError: its row is not what this version writes.
    """
    async with db.execute(LAST_RUN) as cursor:
        row = await cursor.fetchone()
    try:
        return "" if row is None else msgspec.json.decode(bytes(row[0]), type=_Run).version
    except msgspec.DecodeError as error:
        raise OperatorError(f"the store holds run rows that cannot be read: {error}.") from None


async def _latest(
    db: aiosqlite.Connection, kind: str, realm: Realm, record: type[T], since_ns: int
) -> list[T]:
    async with db.execute(LATEST, (kind, realm.value, since_ns)) as cursor:
        rows: Sequence[Any] = list(await cursor.fetchall())
    decoder = msgspec.json.Decoder(record)
    try:
        return [decoder.decode(bytes(row[0])) for row in rows]
    except msgspec.DecodeError as error:
        raise OperatorError(f"the store holds {kind} rows that cannot be read: {error}.") from None
