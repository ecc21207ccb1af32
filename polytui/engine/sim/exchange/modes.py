"""What the venue as a whole lets through, for good or for a while (§3.4)."""

from functools import partial

from polytui.engine.sim.exchange.emissions import MS, ModeChanged
from polytui.engine.sim.exchange.terms import VenueMode
from polytui.engine.sim.exchange.world import World

POST_ONLY_MS = 120_000
"""Post-only after a restart of the matching engine."""


def set_mode(world: World, mode: VenueMode, *, for_ms: int | None, then: VenueMode) -> None:
    """Change the mode; with `for_ms`, change to `then` afterwards unless changed again before.

    A POST_ONLY entered as `then` ends by itself after two minutes.
    """
    world.mode = mode
    world.mode_ends_ns = None if for_ms is None else world.now_ns + for_ms * MS
    world.mode_epoch += 1
    if world.mode_ends_ns is not None:
        world.calendar.book(world.mode_ends_ns, partial(_end, world, world.mode_epoch, then))
    world.emit(ModeChanged(at_ns=world.now_ns, mode=mode))


def _end(world: World, epoch: int, then: VenueMode) -> None:
    if world.mode_epoch == epoch:
        for_ms = POST_ONLY_MS if then is VenueMode.POST_ONLY else None
        set_mode(world, then, for_ms=for_ms, then=VenueMode.NORMAL)
