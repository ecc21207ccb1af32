"""Does the exchange's part of an act (`sim/faults`); ending sockets is the wire's part."""

from collections.abc import Callable, Mapping
from typing import Any

from msgspec.structs import replace

from polytui.engine.core.errors import OperatorError, shown
from polytui.engine.sim import faults
from polytui.engine.sim.exchange.exchange import Exchange
from polytui.engine.sim.exchange.terms import MarketTerms, VenueMode


def carry_out(exchange: Exchange, act: faults.AnyAct) -> None:
    """Do an act now, its names already ids; an act of the wire alone does nothing here.

    Raises:
        OperatorError: it makes no sense, an unknown market for one.
    """
    doer = _DOERS.get(type(act))
    if doer is not None:
        doer(exchange, act)


def _restart(exchange: Exchange, act: faults.Restart) -> None:
    exchange.set_mode(VenueMode.RESTARTING, for_ms=act.down_ms, then=VenueMode.POST_ONLY)


def _set_mode(exchange: Exchange, act: faults.SetMode) -> None:
    exchange.set_mode(act.mode, for_ms=act.for_ms or None)


def _change_tick(exchange: Exchange, act: faults.ChangeTick) -> None:
    exchange.change_tick(_known(exchange, act.market).condition, act.tick_u6)


def _change_fees(exchange: Exchange, act: faults.ChangeFees) -> None:
    terms = _known(exchange, act.market)
    exchange.change_fees(terms.condition, replace(terms.fees, rate_u6=act.rate_u6))


def _resolve(exchange: Exchange, act: faults.ResolveMarket) -> None:
    exchange.resolve(_known(exchange, act.market).condition, act.outcome)


def _dispute(exchange: Exchange, act: faults.DisputeMarket) -> None:
    exchange.dispute(_known(exchange, act.market).condition)


def _settle(exchange: Exchange, act: faults.SetSettlement) -> None:
    exchange.configure(replace(exchange.settings, settlement=act.terms))


def _restrict(exchange: Exchange, act: faults.SetRestriction) -> None:
    exchange.restrict(act.address.lower(), act.restriction)


def _drain(exchange: Exchange, act: faults.Drain) -> None:
    exchange.withdraw(act.address.lower(), act.cash_u6)


def _lock(exchange: Exchange, act: faults.LockBalance) -> None:
    exchange.lock_balance(act.address.lower(), act.cash_u6)


def _known(exchange: Exchange, market: str) -> MarketTerms:
    terms = exchange.market(market)
    if terms is None:
        raise OperatorError(f"expected the condition id of a market, was {shown(market)}")
    return terms


_DOERS: Mapping[type[faults.Act], Callable[[Exchange, Any], None]] = {
    faults.Restart: _restart,
    faults.SetMode: _set_mode,
    faults.ChangeTick: _change_tick,
    faults.ChangeFees: _change_fees,
    faults.ResolveMarket: _resolve,
    faults.DisputeMarket: _dispute,
    faults.SetSettlement: _settle,
    faults.SetRestriction: _restrict,
    faults.Drain: _drain,
    faults.LockBalance: _lock,
}
"""`CutStreams` and `ExpireHeartbeats` are not here: only the wire knows sockets and beats."""
