"""The way back to the engine: answers, each with its own delay, and a stream that keeps order."""

from functools import partial
from typing import Final

from polytui.engine.core.account_events import AccountEvent, ClockRead, UserBeat, UserStream
from polytui.engine.core.ids import ConnId
from polytui.engine.core.order_enums import Realm
from polytui.engine.sim.paper.delays import Delays, Leg
from polytui.engine.sim.paper.resting import PaperOrder, user_event
from polytui.engine.sim.population.calendar import Calendar

SECOND_NS: Final = 1_000_000_000
CONN: Final = ConnId(0)
CLOCK_BEATS: Final = 5
"""The venue's clock is ours: said with every so many beats, because nobody asks for it."""


class Post:
    """What is on its way to the engine."""

    __slots__ = ("_beats", "_delays", "_out", "_stream_ns", "_tasks")

    def __init__(self, tasks: Calendar, delays: Delays) -> None:
        """Deliver by a calendar."""
        self._tasks = tasks
        self._delays = delays
        self._out: list[AccountEvent] = []
        self._beats = 0
        self._stream_ns = tasks.now_ns
        """When the user stream's newest message arrives."""

    def collect(self) -> list[AccountEvent]:
        """Return what arrived."""
        out, self._out = self._out, []
        return out

    def open(self) -> None:
        """Bring the user stream up; from now on it beats."""
        self.say(UserStream(realm=Realm.PAPER, conn=CONN, up=True))
        self._beat(self._tasks.now_ns)

    def _beat(self, at_ns: int) -> None:
        self.say(UserBeat(realm=Realm.PAPER, conn=CONN))
        if self._beats % CLOCK_BEATS == 0:
            self.say(ClockRead(realm=Realm.PAPER, ok=True))
        self._beats += 1
        self._tasks.at(at_ns + SECOND_NS, self._beat)

    def say(self, event: AccountEvent) -> None:
        """Tell the engine at once: what happens on this side of the wire."""
        self._out.append(event)

    def answer(self, event: AccountEvent, name: str, *, since_ns: int = 0) -> None:
        """Send an answer on its way back, from the moment at which the venue made it."""
        due_ns = (since_ns or self._tasks.now_ns) + self._delays.draw_ns(Leg.RESPONSE, name)
        self._tasks.at(due_ns, partial(self._tell, event))

    def stream(self, event: AccountEvent, name: str) -> None:
        """Send a message down the user stream: late, but never before the one ahead of it."""
        due_ns = self._tasks.now_ns + self._delays.draw_ns(Leg.RESPONSE, name)
        self._stream_ns = max(self._stream_ns, due_ns)
        self._tasks.at(self._stream_ns, partial(self._tell, event))

    def stream_order(self, order: PaperOrder, event: str) -> None:
        """Say on the user stream how an order stands."""
        order.told += 1
        name = f"{order.terms.order_hash}:{order.told}"
        self.stream(user_event(order, event, self._tasks.now_ns), name)

    def _tell(self, event: AccountEvent, _at_ns: int) -> None:
        self._out.append(event)
