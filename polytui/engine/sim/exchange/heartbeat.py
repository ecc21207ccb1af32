"""The dead man's switch (§3.3): chained ids, a checker every few seconds, a mass cancel.

Opt-in but sticky: once an owner has beaten, every check that finds its last beat too old cancels
what it has open, until it beats again.
"""

from dataclasses import dataclass
from functools import partial

from polytui.engine.sim.exchange.api import ErrorCode, HeartbeatResult
from polytui.engine.sim.exchange.emissions import MS, HeartbeatLapsed
from polytui.engine.sim.exchange.lifecycle import Lifecycle
from polytui.engine.sim.exchange.refusals import refuse
from polytui.engine.sim.exchange.world import World, uuid_id


@dataclass(slots=True)
class Pulse:
    """One owner's chain."""

    id: str
    at_ns: int


class Heartbeats:
    """All owners that ever beat."""

    __slots__ = ("_ids", "_lifecycle", "_pulses", "_world")

    def __init__(self, world: World, lifecycle: Lifecycle) -> None:
        """Start without any."""
        self._world = world
        self._lifecycle = lifecycle
        self._ids = world.rng.fork("heartbeat ids")
        self._pulses: dict[str, Pulse] = {}

    def beat(self, owner: str, heartbeat_id: str) -> HeartbeatResult:
        """Take a beat that names the id given out last; a wrong one is answered with the right."""
        pulse = self._pulses.get(owner)
        if pulse is None:
            if heartbeat_id:
                return HeartbeatResult(heartbeat_id="", error=refuse(ErrorCode.HEARTBEAT_ID))
            pulse = self._pulses[owner] = Pulse("", self._world.now_ns)
            self._book(owner)
        elif heartbeat_id != pulse.id:
            return HeartbeatResult(heartbeat_id=pulse.id, error=refuse(ErrorCode.HEARTBEAT_ID))
        pulse.id = uuid_id(self._ids)
        pulse.at_ns = self._world.now_ns
        return HeartbeatResult(heartbeat_id=pulse.id)

    def _book(self, owner: str) -> None:
        every_ns = self._world.settings.heartbeat_check_ms * MS
        self._world.calendar.book(self._world.now_ns + every_ns, partial(self._check, owner))

    def _check(self, owner: str) -> None:
        silence_ns = self._world.now_ns - self._pulses[owner].at_ns
        if silence_ns > self._world.settings.heartbeat_gap_ms * MS:
            done = self._lifecycle.cancel_where(owner)
            if done.canceled:
                self._world.emit(
                    HeartbeatLapsed(
                        at_ns=self._world.now_ns, owner=owner, canceled=len(done.canceled)
                    )
                )
        self._book(owner)
