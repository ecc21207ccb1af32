"""What a store says of itself when it cannot know its orders any more: halted until a person looks.

The causes go into the chain as controls, so that the engine reads them back like all others and a
restart does not forget them. Nothing here decides what was lost: reconciliation asks the venue.
"""

from pathlib import Path
from typing import Final

import aiosqlite
import msgspec

from polytui.engine.core.order_enums import Realm, TradingState
from polytui.engine.decide.causes import Cause, Causes, Clears
from polytui.engine.shell.store.rows import CONTROL, SALVAGE, Row

CAUSE: Final = "STORE"
OWNER: Final = "store"
_KNOWN: Final = (
    "SELECT log.body FROM latest JOIN log ON log.n = latest.n "
    "WHERE latest.kind = 'control' AND latest.realm = '' AND latest.subject = ?"
)


async def distrust(
    db: aiosqlite.Connection, damage: str, aside: Path | None, *, at_ns: int
) -> list[Row]:
    """Make the rows: what happened, and a cause in each realm that only a person clears."""
    told = {"damage": damage, "aside": aside.name if aside is not None else ""}
    rows = [Row(SALVAGE, "", "", "", "", False, msgspec.json.encode(told))]
    where = "the journal was damaged" if aside is not None else "the journal lost its end"
    for realm in Realm:
        key, causes = f"causes.{realm.value}", Causes()
        async with db.execute(_KNOWN, (key,)) as found:
            row = await found.fetchone()
        if row is not None:
            causes.restore(bytes(row[0]).decode())
        cause = Cause(
            name=CAUSE,
            state=TradingState.HALTED,
            owner=OWNER,
            clears=Clears.PERSON,
            why=f"{where}: {damage}"[:80],
            since_ns=at_ns,
        )
        causes.put(cause)
        rows.append(Row(CONTROL, "", key, "", "", True, causes.dump().encode()))
    return rows
