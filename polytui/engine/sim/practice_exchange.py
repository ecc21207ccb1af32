"""The embedded practice venue: the exchange and its population, heard over imaginary connections.

It owns the connections of one engine and what the switches do to them, and hands out what would
have arrived: listings, connections opening and closing, subscriptions and frames. It reads no
clock: the shell says how far to advance, and however that is cut into steps, the same seed and the
same scenario give the same bytes.
"""

from collections.abc import Callable
from functools import partial

from polytui.engine.core.enums import Feed
from polytui.engine.core.events import MarketSpec
from polytui.engine.core.rng import Rng
from polytui.engine.core.runconfig import PracticeConfig
from polytui.engine.core.units import U
from polytui.engine.sim.deliveries import Delivery, DeliveryKind
from polytui.engine.sim.exchange.emissions import (
    Emission,
    GroupListed,
    MarketChanged,
    MarketListed,
    MarketResolved,
)
from polytui.engine.sim.exchange.terms import MarketTerms, VenueMode
from polytui.engine.sim.faults import CutStreams, Restart, Switches
from polytui.engine.sim.population.calendar import Calendar
from polytui.engine.sim.population.reference import (
    BINANCE_SYMBOL,
    CHAINLINK_SYMBOL,
    COINBASE_PRODUCT,
)
from polytui.engine.sim.practice_lab import PracticeLab
from polytui.engine.sim.practice_markets import spec_of
from polytui.engine.sim.practice_weather import MarketWeather
from polytui.engine.sim.practice_world import PracticeWorld, ReferencePrint, pace_of
from polytui.engine.sim.scenario import Script, Step
from polytui.engine.sim.venue_books import WireBook
from polytui.engine.sim.venue_frames import FrameKind, MarketTape, initial_books, rest_book

MS_NS = 1_000_000
SECOND_NS = 1_000_000_000

MARKETS_PER_SLOT = 90
"""180 tokens on one connection, within the venue's working limit of 200 (§4.3)."""

OPEN_NS = 5 * MS_NS
ANSWER_NS = 25 * MS_NS
"""From asking for a book to having it."""
REOPEN_NS = 2_500 * MS_NS
PONG_NS = 10 * SECOND_NS
TRAVEL_MS = (4, 12)
"""From the venue to us, on a good day."""
POLL_NS = SECOND_NS
"""What only Gamma tells (fees, closing) is known to us this much later."""

_BROADCAST = frozenset({FrameKind.NEW_MARKET, FrameKind.RESOLVED})
_FEEDS = (Feed.COINBASE, Feed.CHAINLINK, Feed.BINANCE)
_FREEZES = {
    Feed.COINBASE: "coinbase_freeze",
    Feed.BINANCE: "binance_freeze",
    Feed.CHAINLINK: "chainlink_freeze",
}


class PracticeExchange:
    """Everything a practice run hears, in one deterministic source of deliveries."""

    def __init__(
        self,
        seed: int,
        config: PracticeConfig,
        start_ns: int,
        *,
        script: Script | None = None,
        feeds: tuple[Feed, ...] = (Feed.COINBASE, Feed.CHAINLINK),
    ) -> None:
        """Open the venue and let every connection open at once."""
        self.world = PracticeWorld(
            seed=seed,
            start_ns=start_ns,
            singles=config.markets,
            script=script,
            pace=pace_of(config.markets, config.rate),
        )
        rng = Rng(seed).fork("embedded wire")
        self._rng = rng.fork("travel")
        self._tape = MarketTape(rng.fork("tape"))
        self._weather = MarketWeather(rng.fork("weather"))
        self._wire = Calendar(start_ns)
        self._flush_ns: int | None = None
        """When the frames of the last emissions are complete."""
        self._out: list[Delivery] = []
        self._group_slugs: dict[str, str] = {}
        self._slot_of: dict[str, int] = {}
        """By condition id, of markets that are not resolved."""
        market_slots = max(1, -(-config.markets // MARKETS_PER_SLOT))
        self._slots = [Feed.POLYMARKET] * market_slots + [f for f in _FEEDS if f in feeds]
        self._up = [False] * len(self._slots)
        self._shown: set[str] = set()
        """Markets whose subscription was answered: nothing is said of others yet."""
        self._life = [0] * len(self._slots)
        """Per connection: what was sent to an earlier life of it never arrives."""
        self._clear_ns = [0] * len(self._slots)
        """Per connection: nothing arrives before what was sent earlier."""
        self.lab = PracticeLab(self.world)
        self.heard: Callable[[list[Emission], int], None] = lambda _emissions, _at_ns: None
        """Told of everything the exchange said, and when."""
        self._take(self.world.advance(start_ns))
        self._tape.flush(start_ns // MS_NS + 1)
        self._flush_ns = None
        for slot in range(len(self._slots)):
            self._wire.at(start_ns + OPEN_NS, partial(self._open, slot))

    # --- what the shell may do -------------------------------------------------------------------

    def specs(self) -> tuple[MarketSpec, ...]:
        """Return the markets listed now."""
        terms = (self.world.exchange.market(condition) for condition in self._slot_of)
        return tuple(self._spec(term) for term in terms if term is not None)

    def spec(self, market: str) -> MarketSpec | None:
        """Return a market by its condition id, whether it is listed now or over."""
        terms = self.world.exchange.market(market)
        return None if terms is None else self._spec(terms)

    def next_due_ns(self) -> int:
        """Return when the next thing happens."""
        dues = (self.world.next_due_ns(), self._wire.next_due_ns(), self._flush_ns)
        return min(due for due in dues if due is not None)

    def advance(self, until_ns: int) -> list[Delivery]:
        """Let time pass and return what arrived, in order."""
        while (due_ns := self.next_due_ns()) <= until_ns:
            self._take(self.world.advance(due_ns))
            self._flush(due_ns)
            self._wire.run_until(due_ns)
        self._take(self.world.advance(max(until_ns, self.world.now_ns)))
        self.world.exchange.drain_log()
        out, self._out = self._out, []
        return out

    def resubscribe(self, market: str, at_ns: int) -> None:
        """Ask for a fresh initial book of a market; unknown and dead ones stay silent."""
        self._wire.at(at_ns + ANSWER_NS, partial(self._answer, market))

    def reconnect(self, slot: int, at_ns: int) -> None:
        """Drop a connection from our side and open it again."""
        self._wire.at(at_ns, partial(self._close, slot))

    def witness(self, market: str, token: str) -> bytes | None:
        """Answer a REST read of a token's book; None when there is no such book."""
        book = self._tape.books.get(market)
        is_down = self.world.exchange.mode is VenueMode.RESTARTING
        if book is None or token not in book.tokens or is_down:
            return None
        if market in self.switches.ghost_markets:
            book = _ghost_of(book)
        return rest_book(book, book.ix_of(token))

    @property
    def switches(self) -> Switches:
        """Return how the wire behaves now."""
        return self.world.switches

    # --- what the world says ---------------------------------------------------------------------

    def _take(self, emissions: list[Emission]) -> None:
        """Take what happened up to the present."""
        now_ns = self.world.now_ns
        for emission in emissions:
            match emission:
                case GroupListed():
                    self._group_slugs[emission.group.id] = emission.group.slug
                case MarketListed():
                    self._list(emission.terms, now_ns)
                case MarketChanged():
                    self._wire.at(now_ns + POLL_NS, partial(self._relist, emission.terms))
                case MarketResolved():
                    self._slot_of.pop(emission.condition, None)
                    self._shown.discard(emission.condition)
                case _:
                    pass
        if emissions:
            self.heard(emissions, now_ns)
            self._tape.take(emissions)
            self._flush_ns = (now_ns // MS_NS + 1) * MS_NS
        for one in self.world.take_prints():
            self._hear_reference(one)
        steps = self.world.take_steps()
        self.lab.note(emissions, steps)
        for step in steps:
            self._wire_part(step, now_ns)

    def _flush(self, now_ns: int) -> None:
        """Send the frames whose millisecond is over, through the weather."""
        if self._flush_ns is None or self._flush_ns > now_ns:
            return
        self._flush_ns = None
        switches = self.switches
        late_ns = self._rng.between(*TRAVEL_MS) * MS_NS
        for frame in self._tape.flush(now_ns // MS_NS):
            if frame.kind not in _BROADCAST and frame.condition not in self._shown:
                continue
            for slot in self._slots_of(frame.condition):
                self.lab.frames += 1
                for data, more_ns in self._weather.through(frame, switches, slot):
                    self._send(slot, data, now_ns + late_ns + more_ns, is_late=more_ns > 0)

    def _slots_of(self, condition: str) -> range:
        """Return the connections that hear of a market: all, where it is one that nobody holds."""
        slot = self._slot_of.get(condition)
        if slot is not None:
            return range(slot, slot + 1)
        return range(self._slots.count(Feed.POLYMARKET))

    def _send(self, slot: int, data: bytes, at_ns: int, *, is_late: bool) -> None:
        """Let bytes arrive, never before what was sent earlier unless they were held up."""
        if not is_late:
            at_ns = self._clear_ns[slot] = max(at_ns, self._clear_ns[slot])
        self._wire.at(at_ns, partial(self._arrive, slot, self._life[slot], data))

    def _wire_part(self, step: Step, now_ns: int) -> None:
        """Do the wire's part of a scenario's step."""
        for act in step.acts:
            is_cut = (isinstance(act, CutStreams) and act.market) or (
                isinstance(act, Restart) and act.cut_streams
            )
            if is_cut:
                for slot, feed in enumerate(self._slots):
                    if feed is Feed.POLYMARKET:
                        self.reconnect(slot, now_ns)

    def _hear_reference(self, one: ReferencePrint) -> None:
        if one.feed in self._slots and not getattr(self.switches, _FREEZES[one.feed]):
            self._send(self._slots.index(one.feed), one.data, one.at_ns, is_late=False)

    # --- markets ---------------------------------------------------------------------------------

    def _list(self, terms: MarketTerms, now_ns: int) -> None:
        slot = 0
        if not terms.neg_risk and terms.outcomes == ("Yes", "No"):
            slot = min(
                len(self._slot_of) // MARKETS_PER_SLOT, self._slots.count(Feed.POLYMARKET) - 1
            )
        self._slot_of[terms.condition] = slot
        self._wire.at(now_ns, partial(self._tell_listed, terms))

    def _tell_listed(self, terms: MarketTerms, now_ns: int) -> None:
        slot = self._slot_of.get(terms.condition)
        if slot is None:
            return
        self._deliver(slot, DeliveryKind.LISTED, now_ns, spec=self._spec(terms))
        if self._up[slot]:
            self._deliver(slot, DeliveryKind.SUBSCRIBED, now_ns, topics=terms.tokens)
            self.resubscribe(terms.condition, now_ns)

    def _relist(self, terms: MarketTerms, now_ns: int) -> None:
        slot = self._slot_of.get(terms.condition)
        if slot is not None:
            self._deliver(slot, DeliveryKind.LISTED, now_ns, spec=self._spec(terms))

    def _spec(self, terms: MarketTerms) -> MarketSpec:
        return spec_of(terms, self._group_slugs.get(terms.group, ""))

    # --- connections -----------------------------------------------------------------------------

    def _open(self, slot: int, now_ns: int) -> None:
        feed = self._slots[slot]
        self._up[slot] = True
        self._life[slot] += 1
        self._deliver(slot, DeliveryKind.OPENED, now_ns)
        self._shown -= {condition for condition, held in self._slot_of.items() if held == slot}
        if feed is Feed.POLYMARKET:
            self._greet_markets(slot, now_ns)
        elif feed is Feed.COINBASE:
            self._deliver(slot, DeliveryKind.SUBSCRIBED, now_ns, topics=(COINBASE_PRODUCT,))
            for data in self.world.coinbase.greet(now_ns):
                self._send(slot, data, now_ns, is_late=False)
        elif feed is Feed.BINANCE:
            self._deliver(slot, DeliveryKind.SUBSCRIBED, now_ns, topics=(BINANCE_SYMBOL,))
        else:
            self._deliver(slot, DeliveryKind.SUBSCRIBED, now_ns, topics=(CHAINLINK_SYMBOL,))
            self._send(slot, self.world.chainlink.backlog(now_ns), now_ns, is_late=False)

    def _greet_markets(self, slot: int, now_ns: int) -> None:
        tokens = tuple(
            token
            for condition, held in self._slot_of.items()
            if held == slot and (book := self._tape.books.get(condition)) is not None
            for token in book.tokens
        )
        self._deliver(slot, DeliveryKind.SUBSCRIBED, now_ns, topics=tokens)
        self._wire.at(now_ns + ANSWER_NS, partial(self._answer_all, slot))
        self._wire.at(now_ns + PONG_NS, partial(self._pong, slot, self._life[slot]))

    def _close(self, slot: int, now_ns: int) -> None:
        if self._up[slot]:
            self._deliver(slot, DeliveryKind.CLOSED, now_ns)
            self._up[slot] = False
            self._wire.at(now_ns + REOPEN_NS, partial(self._open, slot))

    def _answer_all(self, slot: int, now_ns: int) -> None:
        """Answer a subscription to everything on a connection."""
        books = [
            book
            for condition, held in self._slot_of.items()
            if held == slot and (book := self._tape.books.get(condition)) is not None
        ]
        self._show(slot, books, now_ns)

    def _answer(self, market: str, now_ns: int) -> None:
        book, slot = self._tape.books.get(market), self._slot_of.get(market)
        if book is not None and slot is not None:
            self._show(slot, [book], now_ns)

    def _show(self, slot: int, books: list[WireBook], now_ns: int) -> None:
        """Send initial books, unless the switches say that none come."""
        switches = self.switches
        self._shown |= {book.condition for book in books}
        if switches.no_initial_books or switches.market_freeze:
            return
        known = [
            (book, ix)
            for book in books
            for ix, token in enumerate(book.tokens)
            if token not in switches.deaf_tokens
        ]
        if known:
            self._send(slot, initial_books(known), now_ns, is_late=False)

    def _pong(self, slot: int, life: int, now_ns: int) -> None:
        if self._up[slot] and self._life[slot] == life:
            self._deliver(slot, DeliveryKind.FRAME, now_ns, data=b"PONG")
            self._wire.at(now_ns + PONG_NS, partial(self._pong, slot, life))

    def _arrive(self, slot: int, life: int, data: bytes, now_ns: int) -> None:
        if self._up[slot] and self._life[slot] == life:
            self._deliver(slot, DeliveryKind.FRAME, now_ns, data=data)

    def _deliver(
        self,
        slot: int,
        kind: DeliveryKind,
        now_ns: int,
        *,
        data: bytes = b"",
        topics: tuple[str, ...] = (),
        spec: MarketSpec | None = None,
    ) -> None:
        delivery = Delivery(
            at_ns=now_ns,
            conn_slot=slot,
            feed=self._slots[slot],
            kind=kind,
            data=data,
            topics=topics,
            spec=spec,
        )
        self._out.append(delivery)


def _ghost_of(book: WireBook) -> WireBook:
    """Make the empty-looking book that REST sometimes answers (py-clob-client issue 180)."""
    ghost = WireBook(
        condition=book.condition,
        tokens=book.tokens,
        tick_u6=book.tick_u6,
        min_qty_u6=5 * U,
        neg_risk=book.neg_risk,
        protocol=book.protocol,
        at_ms=book.changed_ms,
    )
    ghost.set_level(is_bid=True, px_u6=10_000, qty_u6=100 * U)
    ghost.set_level(is_bid=False, px_u6=990_000, qty_u6=100 * U)
    return ghost
