"""The answer to a command that could not be carried out: every command is answered, always."""

from collections.abc import Callable
from typing import Any, Final

from polytui.engine.core import account_events as events
from polytui.engine.core import commands
from polytui.engine.core.events import Event
from polytui.engine.core.order_enums import SendOutcome, VenueCode
from polytui.engine.core.trading import Terms


def not_sent(realm: Any, terms: Terms, text: str, **changes: Any) -> events.OrderAnswered:
    """Say that an order never left."""
    return events.OrderAnswered(
        realm=realm,
        cid=terms.cid,
        order_hash=terms.order_hash,
        outcome=SendOutcome.NOT_SENT,
        text=text,
        **changes,
    )


def _cancel(command: Any, why: str, outcome: SendOutcome, at_ns: int) -> list[Event]:
    del why, at_ns
    return [
        events.CancelAnswered(
            realm=command.realm,
            request=command.request,
            outcome=outcome,
            code=VenueCode.OTHER,
        )
    ]


def _read(make: type[Any], *names: str) -> Callable[..., list[Event]]:
    """Make the failed answer of a read; `names` are taken over from the command."""

    def failed(command: Any, why: str, outcome: SendOutcome, at_ns: int) -> list[Event]:
        del outcome
        taken = {name: getattr(command, name) for name in names}
        if "asked_ns" in make.__struct_fields__:
            taken["asked_ns"] = at_ns
        return [make(realm=command.realm, ok=False, why=why, **taken)]

    return failed


def _moved(command: Any, why: str, outcome: SendOutcome, at_ns: int) -> list[Event]:
    del at_ns
    return [
        events.PairsMoved(
            realm=command.realm,
            request=command.request,
            outcome=outcome,
            op=command.op,
            market=command.market,
            qty_u6=command.qty_u6,
            why=why,
        )
    ]


_MAKERS: Final[dict[type[commands.Command], Callable[..., list[Event]]]] = {
    commands.CancelOrders: _cancel,
    commands.CancelMarket: _cancel,
    commands.CancelAll: _cancel,
    commands.ReadOrder: _read(events.OrderRead, "order_hash"),
    commands.ReadOpenOrders: _read(events.OpenOrdersRead, "request"),
    commands.ReadTrades: _read(events.TradesRead, "request", "after_s", "trade_id"),
    commands.ReadBalances: _read(events.BalancesRead, "request"),
    commands.ReadPositions: _read(events.PositionsRead, "request"),
    commands.ReadClock: _read(events.ClockRead),
    commands.SendHeartbeat: _read(events.HeartbeatAnswered),
    commands.MovePairs: _moved,
}
"""PlaceOrders is not here: its legs are answered one by one, by how far each got."""


def fallback(
    command: commands.PortCommand, why: str, *, outcome: SendOutcome, at_ns: int
) -> list[Event]:
    """Return what answers a command of any kind but `PlaceOrders`."""
    return _MAKERS[type(command)](command, why, outcome, at_ns)
