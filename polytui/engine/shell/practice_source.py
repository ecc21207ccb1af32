"""Plays the practice venue to the runner, in real time: the only link between the two.

What a socket adapter does for a real venue this does for the embedded one: it names connections,
stamps what arrives, and carries out the commands that concern its connections.
"""

from collections.abc import Callable, Mapping

from polytui.engine.core.commands import ReadReferenceBook, ReadWitness, Reconnect, Resync
from polytui.engine.core.events import (
    BookFrame,
    BookWitness,
    ConnClosed,
    ConnOpened,
    MarketListed,
    Subscribed,
)
from polytui.engine.core.ids import ConnId
from polytui.engine.core.view import VenueLabView
from polytui.engine.shell.clock import Anchor, read_mono_ns, read_wall_ns, sleep_until
from polytui.engine.shell.runner import Runner
from polytui.engine.sim.deliveries import Delivery, DeliveryKind
from polytui.engine.sim.practice_exchange import PracticeExchange
from polytui.engine.wire.polymarket import decode_witness

SLICE_NS = 1_000_000
"""Practice time made in one go: making it keeps the loop busy."""
PAUSE_NS = 200_000
"""Shortest sleep between two slices."""
LOOK_NS = 20_000_000
"""Longest sleep: what the engine asks for meanwhile is answered no later."""

NO_CONN = ConnId(0)
"""REST answers come on no connection; real ones count from 1."""


class PracticeSource:
    """Paces the feed and owns its connections."""

    def __init__(self, feed: PracticeExchange, *, anchor: Anchor) -> None:
        """Take a feed that has not been advanced yet."""
        self._feed = feed
        self._anchor = anchor
        self._made_ns = anchor.wall_ns
        self._last_conn = 0
        self._conns: dict[int, ConnId] = {}
        """The live connection of each slot."""
        self._take: Mapping[DeliveryKind, Callable[[Runner, Delivery], None]] = {
            DeliveryKind.LISTED: self._on_listed,
            DeliveryKind.OPENED: self._on_opened,
            DeliveryKind.SUBSCRIBED: self._on_subscribed,
            DeliveryKind.FRAME: self._on_frame,
            DeliveryKind.CLOSED: self._on_closed,
        }

    async def run(self, runner: Runner) -> None:
        """Deliver as time passes, until cancelled."""
        while True:
            self.deliver(runner)
            now_ns = read_mono_ns()
            due_ns = self._anchor.mono_at(self._feed.next_due_ns())
            await sleep_until(min(max(due_ns, now_ns + PAUSE_NS), now_ns + LOOK_NS))

    def deliver(self, runner: Runner) -> None:
        """Hand over what has arrived by now, at most one slice of it."""
        now_ns = self._anchor.at_ns(read_mono_ns())
        self._made_ns = min(now_ns, max(self._made_ns, self._feed.next_due_ns()) + SLICE_NS)
        for delivery in self._feed.advance(self._made_ns):
            self._take[delivery.kind](runner, delivery)

    # --- what arrives ----------------------------------------------------------------------------

    def _on_listed(self, runner: Runner, delivery: Delivery) -> None:
        assert delivery.spec is not None, "expected a listing to carry its market"
        runner.offer_event(MarketListed(spec=delivery.spec))

    def _on_opened(self, runner: Runner, delivery: Delivery) -> None:
        self._last_conn += 1
        conn = self._conns[delivery.conn_slot] = ConnId(self._last_conn)
        url = f"practice:{delivery.feed.value}"
        runner.offer_event(ConnOpened(conn=conn, feed=delivery.feed, url=url))

    def _on_subscribed(self, runner: Runner, delivery: Delivery) -> None:
        conn = self._conns.get(delivery.conn_slot)
        if conn is not None:
            event = Subscribed(conn=conn, feed=delivery.feed, topics=delivery.topics)
            runner.offer_event(event)

    def _on_frame(self, runner: Runner, delivery: Delivery) -> None:
        conn = self._conns.get(delivery.conn_slot)
        if conn is not None:
            runner.offer_frame(
                conn,
                delivery.feed,
                delivery.data,
                mono_ns=read_mono_ns(),
                wall_ns=read_wall_ns(),
            )

    def _on_closed(self, runner: Runner, delivery: Delivery) -> None:
        conn = self._conns.pop(delivery.conn_slot, None)
        if conn is not None:
            why = "the practice venue closed it"
            runner.offer_event(ConnClosed(conn=conn, feed=delivery.feed, why=why))

    # --- what the engine wants -------------------------------------------------------------------

    def resync(self, command: Resync) -> None:
        """Ask for a fresh book on the connection that holds the market."""
        if command.conn in self._conns.values():
            self._feed.resubscribe(command.market, self._anchor.at_ns(read_mono_ns()))

    def reconnect(self, command: Reconnect) -> None:
        """Drop a connection; the feed opens a new one."""
        for slot, conn in self._conns.items():
            if conn == command.conn:
                self._feed.reconnect(slot, self._anchor.at_ns(read_mono_ns()))

    def cut(self, conn: ConnId) -> None:
        """Forget a connection that the runner has closed for the engine, and open a new one."""
        for slot, known in tuple(self._conns.items()):
            if known == conn:
                del self._conns[slot]
                self._feed.reconnect(slot, self._anchor.at_ns(read_mono_ns()))

    def read_witness(self, runner: Runner, command: ReadWitness) -> None:
        """Answer a REST read; a market that is gone answers nothing, as a lost reply would."""
        data = self._feed.witness(command.market, command.token)
        for event in decode_witness(NO_CONN, data) if data is not None else []:
            runner.offer_event(BookWitness(book=event) if isinstance(event, BookFrame) else event)

    # --- what the operator wants -----------------------------------------------------------------

    def cause(self, trouble: str) -> None:
        """Let a trouble of the practice venue happen now."""
        self._feed.lab.cause(trouble, self._anchor.at_ns(read_mono_ns()))

    def lab_view(self, at_ns: int) -> VenueLabView:
        """Show what the practice venue is up to."""
        return self._feed.lab.view(at_ns)

    def read_reference_book(self, command: ReadReferenceBook) -> None:
        """Do nothing: no feed of the practice venue needs a book over REST."""
        del command
