"""The port's reading commands: each is one read and one event, whole or failed."""

import asyncio
from typing import Final

from polytui.engine.core import commands
from polytui.engine.core.account_events import (
    BalancesRead,
    ClockRead,
    OpenOrdersRead,
    OrderRead,
    PositionsRead,
    TradesRead,
    VenueChecked,
)
from polytui.engine.core.trading import CASH, Balance
from polytui.engine.shell.polymarket.account_reads import AccountReads, AuditReads, Holding
from polytui.engine.shell.polymarket.port_parts import Parts
from polytui.engine.shell.polymarket.public_reads import Place, read_place
from polytui.engine.shell.polymarket.rest import Failed

TOKENS_MAX: Final = 400
"""Balances of one read: 200 markets."""


class PortReads:
    """Reads for one realm."""

    def __init__(self, parts: Parts) -> None:
        """Ask through these parts."""
        self._parts = parts
        client, identity = parts.client, parts.identity
        self._account = AccountReads(client.clob, signature_type=identity.signature_type)
        self._audit = AuditReads(client.data, wallet=identity.maker)

    async def order(self, command: commands.ReadOrder) -> None:
        """Answer `ReadOrder`."""
        found = await self._account.order(command.order_hash)
        is_read = not isinstance(found, Failed)
        self._parts.emit(
            OrderRead(
                realm=self._parts.realm,
                order_hash=command.order_hash,
                ok=is_read,
                order=None if isinstance(found, Failed) else found,
                why=_why(found),
            )
        )

    async def open_orders(self, command: commands.ReadOpenOrders) -> None:
        """Answer `ReadOpenOrders`."""
        parts = self._parts
        asked_ns = parts.client.clock()
        found = await self._account.open_orders()
        if not isinstance(found, Failed):
            parts.budgets.note_open_orders(len(found))
        parts.emit(
            OpenOrdersRead(
                realm=parts.realm,
                request=command.request,
                asked_ns=asked_ns,
                ok=not isinstance(found, Failed),
                orders=() if isinstance(found, Failed) else found,
                why=_why(found),
            )
        )

    async def trades(self, command: commands.ReadTrades) -> None:
        """Answer `ReadTrades`."""
        asked_ns = self._parts.client.clock()
        found = await self._account.trades(after_s=command.after_s, trade_id=command.trade_id)
        self._parts.emit(
            TradesRead(
                realm=self._parts.realm,
                request=command.request,
                asked_ns=asked_ns,
                ok=not isinstance(found, Failed),
                after_s=command.after_s,
                trade_id=command.trade_id,
                trades=() if isinstance(found, Failed) else found,
                why=_why(found),
            )
        )

    async def balances(self, command: commands.ReadBalances) -> None:
        """Answer `ReadBalances`."""
        parts = self._parts
        asked_ns = parts.client.clock()
        assets = (CASH, *dict.fromkeys(command.tokens[:TOKENS_MAX]))
        found = await self._account.holdings(assets, refresh=command.refresh, is_v2=parts.is_v2)
        is_failed = isinstance(found, Failed)
        holdings = () if isinstance(found, Failed) else found
        parts.emit(
            BalancesRead(
                realm=parts.realm,
                request=command.request,
                asked_ns=asked_ns,
                ok=not is_failed,
                balances=tuple(
                    Balance(asset=asset, qty_u6=held.qty_u6)
                    for asset, held in zip(assets, holdings, strict=False)
                ),
                allowance_u6=self._allowance_u6(holdings[0]) if holdings else 0,
                why=_why(found),
            )
        )

    def _allowance_u6(self, cash: Holding) -> int:
        """Return the least that any exchange contract of ours may move; 0 when one is missing.

        The third exchange, for protocol V2, counts where the venue names it.
        """
        identity = self._parts.identity
        known = dict(cash.allowances)
        if "" in known:
            return known[""]
        needed = (identity.exchange.lower(), identity.neg_risk_exchange.lower())
        optional = identity.exchange_v3.lower()
        found = [known.get(contract, 0) for contract in needed]
        return min([*found, known[optional]] if optional in known else found)

    async def positions(self, command: commands.ReadPositions) -> None:
        """Answer `ReadPositions`."""
        asked_ns = self._parts.client.clock()
        found = await self._audit.positions()
        self._parts.emit(
            PositionsRead(
                realm=self._parts.realm,
                request=command.request,
                asked_ns=asked_ns,
                ok=not isinstance(found, Failed),
                positions=() if isinstance(found, Failed) else found,
                why=_why(found),
            )
        )

    async def clock(self, _command: commands.ReadClock) -> None:
        """Answer `ReadClock`."""
        client = self._parts.client
        asked_ns = client.clock()
        failure = await client.measure_clock()
        self._parts.emit(
            ClockRead(
                realm=self._parts.realm,
                ok=failure is None,
                offset_ns=client.sync.offset_ns,
                rtt_ns=client.sync.uncertainty_ns,
                asked_ns=asked_ns,
                why=failure.why if failure is not None else "",
            )
        )

    async def standing(self) -> None:
        """Read version, place and standing; emit `VenueChecked`. Anything missing fails it."""
        parts, client = self._parts, self._parts.client
        version, place, closed_only = await asyncio.gather(
            client.public.version(), self._place(), self._account.closed_only()
        )
        failures = [one for one in (version, place, closed_only) if isinstance(one, Failed)]
        parts.emit(
            VenueChecked(
                realm=parts.realm,
                ok=not failures,
                version=version if isinstance(version, int) else 0,
                blocked=place.blocked if isinstance(place, Place) else False,
                country=place.country if isinstance(place, Place) else "",
                closed_only=closed_only if isinstance(closed_only, bool) else False,
                why="; ".join(failure.why for failure in failures),
            )
        )

    async def _place(self) -> Place | Failed:
        rest = self._parts.client.place
        return Place(blocked=False, country="") if rest is None else await read_place(rest)


def _why(found: object) -> str:
    return found.why if isinstance(found, Failed) else ""
