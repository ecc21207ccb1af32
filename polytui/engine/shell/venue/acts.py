"""The wire's part of an act: sockets, heartbeats, and what only the wire is asked about."""

from polytui.engine.shell.venue.venue import Venue
from polytui.engine.sim import faults


def carry_out(venue: Venue, act: faults.AnyAct) -> faults.AnyAct:
    """Do an act now, the exchange's part and the wire's; return it with ids for names.

    Raises:
        OperatorError: it makes no sense, an unknown market for one.
    """
    venue.touch()
    act = venue.crowd.do(act)
    do_on_wire(venue, act)
    venue.flush()
    return act


def do_on_wire(venue: Venue, act: faults.AnyAct) -> None:
    """Do the part that the exchange cannot."""
    match act:
        case faults.CutStreams():
            venue.hub.cut(market=act.market, user=act.user)
        case faults.Restart() if act.cut_streams:
            venue.hub.cut(market=True, user=True)
        case faults.SetRestriction():
            venue.restrictions[act.address.lower()] = act.restriction
        case faults.ExpireHeartbeats():
            for owner in sorted(venue.beating):
                venue.exchange.cancel_all(owner)
        case _:
            pass
