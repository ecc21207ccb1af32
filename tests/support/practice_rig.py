"""The practice feed wired to an engine without a shell: as fast as it goes, told the time."""

import json
from collections import Counter
from collections.abc import Iterator
from typing import Any

from polytui.engine.core.commands import Command, ReadWitness, Reconnect, Resync
from polytui.engine.core.enums import BookState, Feed
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
from polytui.engine.shell.scenario_files import TOUR, read_scenario
from polytui.engine.shell.sequencer import Sequencer
from polytui.engine.sim.deliveries import Delivery, DeliveryKind
from polytui.engine.sim.faults import Switches
from polytui.engine.sim.population.crowd import Temper
from polytui.engine.sim.practice_exchange import PracticeExchange
from polytui.engine.sim.scenario import Script

SECOND_NS = 1_000_000_000
START_NS = 1_795_000_000 * SECOND_NS
TURN_NS = 20_000_000


def feed(*, seed: int = 1, rate: float = 100.0, faults: bool = False) -> PracticeExchange:
    """Open the embedded venue at a fixed time: 100 s into an up/down window."""
    script = read_scenario(TOUR) if faults else None
    return PracticeExchange(seed, PracticeConfig(rate=rate), START_NS, script=script)


def frames(deliveries: list[Delivery]) -> Iterator[Delivery]:
    """Keep what came as bytes."""
    return (delivery for delivery in deliveries if delivery.kind is DeliveryKind.FRAME)


def venue_objects(deliveries: list[Delivery]) -> Iterator[dict[str, Any]]:
    """Every object of the market stream, in order."""
    for delivery in frames(deliveries):
        if delivery.feed is Feed.POLYMARKET and delivery.data != b"PONG":
            value = json.loads(delivery.data)
            yield from value if isinstance(value, list) else [value]


def objects_of(feed_: Feed, deliveries: list[Delivery]) -> list[dict[str, Any]]:
    return [json.loads(d.data) for d in frames(deliveries) if d.feed is feed_]


def quiet(switches: Switches | None = None) -> PracticeExchange:
    """A venue on which next to nothing happens by itself."""
    script = Script(
        title="quiet",
        switches=switches or Switches(),
        population=Temper(makers=1, noise=0.0, informed=0.0, arbitrage=False, herd=0),
    )
    return PracticeExchange(1, PracticeConfig(rate=0.1), START_NS, script=script)


class Rig:
    """Feeds an engine and does what it asks for."""

    def __init__(self, practice: PracticeExchange) -> None:
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
            for tracked in self.engine.desk.markets.values():
                self.states.add((tracked.spec.market, tracked.quality.state))

    def markets(self) -> set[str]:
        """Condition ids of the markets listed now."""
        return {spec.market for spec in self.feed.specs()}

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
