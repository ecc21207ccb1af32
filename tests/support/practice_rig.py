"""The practice feed wired to an engine without a shell: as fast as it goes, told the time."""

from collections import Counter
from collections.abc import Iterator

from polytui.engine.core.commands import Command, ReadWitness, Reconnect, Resync
from polytui.engine.core.enums import BookState
from polytui.engine.core.events import (
    ConnClosed,
    ConnOpened,
    Event,
    MarketListed,
    RunStarted,
    Stamped,
    Subscribed,
    Turn,
)
from polytui.engine.core.ids import ConnId
from polytui.engine.core.runconfig import PracticeConfig, RunConfig
from polytui.engine.machine import Engine
from polytui.engine.shell.clock import Anchor
from polytui.engine.shell.sequencer import Sequencer
from polytui.engine.sim.practice import Delivery, DeliveryKind, PracticeFeed

SECOND_NS = 1_000_000_000
START_NS = 1_795_000_000 * SECOND_NS
TURN_NS = 20_000_000


def feed(*, seed: int = 1, rate: float = 100.0, faults: bool = False) -> PracticeFeed:
    """Open a practice feed at a fixed time: 100 s into an up/down window."""
    return PracticeFeed(seed, PracticeConfig(rate=rate, faults=faults), START_NS)


def frames(deliveries: list[Delivery]) -> Iterator[Delivery]:
    """Keep what came as bytes."""
    return (delivery for delivery in deliveries if delivery.kind is DeliveryKind.FRAME)


class Rig:
    """Feeds an engine and does what it asks for."""

    def __init__(self, practice: PracticeFeed) -> None:
        self.feed = practice
        self.engine = Engine()
        self.sequencer = Sequencer(Anchor(wall_ns=START_NS, mono_ns=START_NS))
        self.now_ns = START_NS
        self.conns: dict[int, ConnId] = {}
        self.opened = 0
        self.events: Counter[str] = Counter()
        self.commands: Counter[str] = Counter()
        self.states: set[tuple[str, BookState]] = set()
        """(market, state) ever seen at the end of a turn."""
        self._step(
            self.sequencer.stamp(START_NS, RunStarted(run="r", version="0", config=RunConfig()))
        )

    def run(self, seconds: float) -> None:
        """Let time pass, a turn every 20 ms."""
        end_ns = self.now_ns + int(seconds * SECOND_NS)
        while self.now_ns < end_ns:
            self.now_ns += TURN_NS
            for delivery in self.feed.advance(self.now_ns):
                for stamped in self._stamped(delivery):
                    self._step(stamped)
            for command in self._step(self.sequencer.stamp(self.now_ns, Turn())):
                self._carry_out(command)
            for tracked in self.engine.desk.markets:
                self.states.add((tracked.spec.market, tracked.quality.state))

    def _step(self, stamped: Stamped) -> list[Command]:
        self.events[type(stamped.event).__name__] += 1
        return self.engine.step(stamped)

    def _stamped(self, delivery: Delivery) -> list[Stamped]:
        slot, feed_ = delivery.conn_slot, delivery.feed
        if delivery.kind is DeliveryKind.FRAME:
            return self.sequencer.frame(
                conn=self.conns[slot], feed=feed_, mono_ns=delivery.at_ns, data=delivery.data
            )
        event: Event
        if delivery.kind is DeliveryKind.LISTED:
            assert delivery.spec is not None
            event = MarketListed(spec=delivery.spec)
        elif delivery.kind is DeliveryKind.OPENED:
            self.opened += 1
            self.conns[slot] = ConnId(self.opened)
            event = ConnOpened(conn=self.conns[slot], feed=feed_, url="practice")
        elif delivery.kind is DeliveryKind.SUBSCRIBED:
            event = Subscribed(conn=self.conns[slot], feed=feed_, topics=delivery.topics)
        else:
            event = ConnClosed(conn=self.conns[slot], feed=feed_, why="gone")
        return [self.sequencer.stamp(delivery.at_ns, event)]

    def _carry_out(self, command: Command) -> None:
        self.commands[type(command).__name__] += 1
        if isinstance(command, Resync):
            self.feed.resubscribe(command.market, self.now_ns)
        elif isinstance(command, Reconnect):
            slot = next(slot for slot, conn in self.conns.items() if conn == command.conn)
            self.feed.reconnect(slot, self.now_ns)
        else:
            assert not isinstance(command, ReadWitness) or command.token
