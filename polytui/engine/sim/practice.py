"""The practice feed: a seeded venue and two reference feeds, told the time, faithful to the wire.

It owns the schedule, the connections and the scripted troubles, and hands out what would have
arrived: listings, connections opening and closing, subscriptions and frames. It reads no clock: the
shell says how far to advance, and however that is cut into steps, the same seed gives the same
bytes.
"""

from collections.abc import Callable, Mapping
from enum import Enum

from msgspec import Struct

from polytui.engine.core.enums import Feed
from polytui.engine.core.events import MarketSpec
from polytui.engine.core.rng import Rng
from polytui.engine.core.runconfig import PracticeConfig
from polytui.engine.core.timers import Timers
from polytui.engine.sim import practice_catalog as catalog
from polytui.engine.sim import practice_flow as flow
from polytui.engine.sim import practice_reference as reference
from polytui.engine.sim import practice_wire as wire
from polytui.engine.sim.practice_beliefs import PricePath
from polytui.engine.sim.practice_catalog import SECOND_NS, WINDOW_S
from polytui.engine.sim.practice_venue import (
    MARKETS_PER_SLOT,
    MS,
    Market,
    PracticeVenue,
    window_start_s,
)

SPELLS = ((0.6, 20), (2.0, 8))
"""(factor on the rate, seconds): calm, then busy; the mean factor is one."""

LIST_AHEAD_S = 20
"""The next up/down market is listed this long before its window begins."""

RESOLVE_AFTER_NS = 2_500 * MS
ANSWER_NS = 25 * MS
"""From asking for a book to having it."""
OPEN_NS = 5 * MS
REOPEN_NS = 2_500 * MS
PONG_NS = 10 * SECOND_NS
PRICE_STEP_NS = 100 * MS
ANNOUNCE_MEAN_S = 45.0
COINBASE_TRADE_MEAN_S = 0.4

TROUBLE_FIRST_NS = 15 * SECOND_NS
TROUBLE_GAP_S = (18, 30)
CROSSED_NS = 600 * MS
FROZEN_NS = 20 * SECOND_NS
INDEX_STALL_NS = 9 * SECOND_NS
TRADES_SKIPPED = 3


class DeliveryKind(Enum):
    """What arrived."""

    LISTED = "listed"
    OPENED = "opened"
    SUBSCRIBED = "subscribed"
    FRAME = "frame"
    CLOSED = "closed"


class Delivery(Struct, frozen=True, kw_only=True, gc=False):
    """One thing that reached us."""

    at_ns: int
    conn_slot: int
    """Which of our connections; a slot that closes opens again, then as a new connection."""
    feed: Feed
    kind: DeliveryKind
    data: bytes = b""
    topics: tuple[str, ...] = ()
    spec: MarketSpec | None = None
    """Set when a market was listed."""


class PracticeFeed:
    """Everything a practice run hears, in one deterministic source of deliveries."""

    def __init__(self, seed: int, config: PracticeConfig, start_ns: int) -> None:
        """List the markets and let every connection open at once."""
        self._rate = config.rate
        self._now_ns = start_ns
        rng = Rng(seed)
        self._rng = rng.fork("schedule")
        self._rng_trouble = rng.fork("trouble")
        self._path = PricePath(rng.fork("price"), at_ns=start_ns)
        self._coinbase = reference.CoinbaseDesk(self._path, rng.fork("coinbase"))
        self._venue = PracticeVenue(rng, self._path, singles=config.markets, now_ns=start_ns)
        self._out: list[Delivery] = []
        self._spell = 0
        self._troubles = 0
        self._disconnects = 0
        self._announced = 0
        self._spoil = ""
        """What becomes of the next frame that moves a best price: a key of `_SPOILERS`, or not."""
        self._stalled_until_ns = 0
        market_slots = -(-config.markets // MARKETS_PER_SLOT)
        self._slots = [Feed.POLYMARKET] * market_slots + [Feed.COINBASE, Feed.CHAINLINK]
        self._up = [False] * len(self._slots)
        self._timers = Timers()
        self._handlers = self._table()
        for market in self._venue.markets.values():
            self._deliver(market.slot, DeliveryKind.LISTED, spec=market.book.spec)
        self._list_window(window_start_s(start_ns))
        self._arm(trouble=config.faults)

    # --- what the shell may do -------------------------------------------------------------------

    def specs(self) -> tuple[MarketSpec, ...]:
        """Return the markets listed now."""
        return tuple(market.book.spec for market in self._venue.markets.values())

    def next_due_ns(self) -> int:
        """Return when the next thing happens."""
        due_ns = self._timers.next_due_ns()
        assert due_ns is not None, "expected something to come; a venue never ends"
        return due_ns

    def advance(self, until_ns: int) -> list[Delivery]:
        """Let time pass and return what arrived, in order."""
        while (due_ns := self.next_due_ns()) <= until_ns:
            self._now_ns = max(self._now_ns, due_ns)
            for name in self._timers.pop_due(due_ns):
                handler, _, argument = name.partition(":")
                self._handlers[handler](argument)
        out, self._out = self._out, []
        return out

    def resubscribe(self, market: str, at_ns: int) -> None:
        """Ask for a fresh initial book of a market; unknown and dead ones stay silent."""
        self._timers.set(f"books:{market}", at_ns + ANSWER_NS)

    def reconnect(self, slot: int, at_ns: int) -> None:
        """Drop a connection from our side and open it again."""
        self._timers.set(f"close:{slot}", at_ns)

    def witness(self, market: str, token: str) -> bytes | None:
        """Answer a REST read of a token's book; None when there is no such book."""
        known = self._venue.markets.get(market)
        if known is None or token not in known.book.spec.tokens:
            return None
        return wire.rest_book(known.book, known.book.spec.tokens.index(token))

    # --- connections -----------------------------------------------------------------------------

    def _on_open(self, argument: str) -> None:
        slot = int(argument)
        feed = self._slots[slot]
        self._up[slot] = True
        self._deliver(slot, DeliveryKind.OPENED)
        if feed is Feed.POLYMARKET:
            self._greet_markets(slot)
        elif feed is Feed.COINBASE:
            self._deliver(slot, DeliveryKind.SUBSCRIBED, topics=(reference.PRODUCT,))
            for data in self._coinbase.greet(self._now_ns):
                self._frame(slot, data)
        else:
            self._deliver(slot, DeliveryKind.SUBSCRIBED, topics=("btc/usd",))
            self._frame(slot, reference.chainlink_backlog(self._path, self._now_ns))

    def _greet_markets(self, slot: int) -> None:
        markets = self._on_slot(slot)
        tokens = tuple(token for market in markets for token in market.book.spec.tokens)
        self._deliver(slot, DeliveryKind.SUBSCRIBED, topics=tokens)
        self._timers.set(f"array:{slot}", self._after(ANSWER_NS))
        self._timers.set(f"pong:{slot}", self._after(PONG_NS))

    def _on_close(self, argument: str) -> None:
        slot = int(argument)
        if self._up[slot]:
            self._deliver(slot, DeliveryKind.CLOSED)
            self._up[slot] = False
            self._timers.set(f"open:{slot}", self._after(REOPEN_NS))

    def _on_array(self, argument: str) -> None:
        slot = int(argument)
        self._frame(slot, wire.initial_books([market.book for market in self._on_slot(slot)]))

    def _on_books(self, argument: str) -> None:
        market = self._venue.markets.get(argument)
        if market is not None:
            self._frame(market.slot, wire.initial_books([market.book]))

    def _on_pong(self, argument: str) -> None:
        self._frame(int(argument), b"PONG")
        self._timers.set(f"pong:{argument}", self._after(PONG_NS))

    def _on_slot(self, slot: int) -> list[Market]:
        return [market for market in self._venue.markets.values() if market.slot == slot]

    def _deliver(
        self,
        slot: int,
        kind: DeliveryKind,
        *,
        data: bytes = b"",
        topics: tuple[str, ...] = (),
        spec: MarketSpec | None = None,
    ) -> None:
        delivery = Delivery(
            at_ns=self._now_ns,
            conn_slot=slot,
            feed=self._slots[slot],
            kind=kind,
            data=data,
            topics=topics,
            spec=spec,
        )
        self._out.append(delivery)

    def _frame(self, slot: int, data: bytes) -> None:
        if self._up[slot]:
            self._deliver(slot, DeliveryKind.FRAME, data=data)

    # --- the venue -------------------------------------------------------------------------------

    def _on_flow(self, _: str) -> None:
        act = self._venue.act(self._now_ns)
        for frame in act.frames:
            self._send(act.market.slot, frame)
        rate = self._rate * SPELLS[self._spell][0]
        pause_s = self._rng.exponential(max(1, len(act.frames)) / rate)
        self._timers.set("flow", self._after(pause_s * SECOND_NS))

    def _send(self, slot: int, frame: flow.Frame) -> None:
        """Send a frame, unless a scripted trouble waits for one like it."""
        if self._spoil and frame.moved_top and self._up[slot]:
            spoiled = _SPOILERS[self._spoil](frame.data)
            self._spoil = ""
            if spoiled:
                self._frame(slot, spoiled)
            return
        self._frame(slot, frame.data)

    def _on_spell(self, _: str) -> None:
        self._spell = 1 - self._spell
        self._timers.set("spell", self._after(SPELLS[self._spell][1] * SECOND_NS))

    def _list_window(self, start_s: int) -> None:
        market = self._venue.list_window(start_s, self._now_ns)
        spec, slot = market.book.spec, market.slot
        self._deliver(slot, DeliveryKind.LISTED, spec=spec)
        if self._up[slot]:
            self._deliver(slot, DeliveryKind.SUBSCRIBED, topics=spec.tokens)
            self.resubscribe(spec.market, self._now_ns)
        end_ns = (start_s + WINDOW_S) * SECOND_NS
        following_ns = max(self._now_ns, end_ns - LIST_AHEAD_S * SECOND_NS)
        self._timers.set(f"window:{start_s + WINDOW_S}", following_ns)
        self._timers.set(f"resolve:{spec.market}", end_ns + RESOLVE_AFTER_NS)

    def _on_window(self, argument: str) -> None:
        self._announce(catalog.updown(int(argument)))
        self._list_window(int(argument))

    def _on_resolve(self, argument: str) -> None:
        slot = self._venue.markets[argument].slot
        self._frame(slot, self._venue.resolve_window(argument, self._now_ns))

    def _on_announce(self, _: str) -> None:
        self._announce(catalog.announced(self._announced))
        self._timers.set(
            "announce", self._after(self._rng.exponential(ANNOUNCE_MEAN_S) * SECOND_NS)
        )

    def _announce(self, spec: MarketSpec) -> None:
        """Broadcast a new market on every market connection, as the venue does."""
        self._announced += 1
        number = 990_000 + self._announced
        frame = wire.new_market(spec, number=number, at_ms=self._now_ns // MS)
        for slot, feed in enumerate(self._slots):
            if feed is Feed.POLYMARKET:
                self._frame(slot, frame)

    # --- reference feeds -------------------------------------------------------------------------

    def _on_price(self, _: str) -> None:
        self._path.advance(self._now_ns)
        self._timers.set("price", self._after(PRICE_STEP_NS))

    def _on_beat(self, _: str) -> None:
        self._frame(self._slots.index(Feed.COINBASE), self._coinbase.beat(self._now_ns))
        self._timers.set("beat", self._after(SECOND_NS))

    def _on_match(self, _: str) -> None:
        for data in self._coinbase.trade(self._now_ns):
            self._frame(self._slots.index(Feed.COINBASE), data)
        pause_s = self._rng.exponential(COINBASE_TRADE_MEAN_S)
        self._timers.set("match", self._after(pause_s * SECOND_NS))

    def _on_index(self, _: str) -> None:
        data = reference.chainlink_value(self._path, self._now_ns)
        if data is not None and self._now_ns >= self._stalled_until_ns:
            self._frame(self._slots.index(Feed.CHAINLINK), data)
        self._timers.set("index", reference.next_index_ns(self._now_ns))

    # --- trouble ---------------------------------------------------------------------------------

    def _on_trouble(self, _: str) -> None:
        """Play the next scripted trouble: each in turn, so that a few minutes show them all."""
        script: tuple[Callable[[], None], ...] = (
            lambda: self._spoil_next("drop"),
            self._cross,
            self._disconnect,
            lambda: self._spoil_next("tear"),
            self._venue.surprise,
            self._stall_index,
            self._freeze,
            lambda: self._coinbase.skip_trades(TRADES_SKIPPED),
            lambda: self._spoil_next("garble"),
        )
        script[self._troubles % len(script)]()
        self._troubles += 1
        pause_s = self._rng_trouble.between(*TROUBLE_GAP_S)
        self._timers.set("trouble", self._after(pause_s * SECOND_NS))

    def _spoil_next(self, how: str) -> None:
        self._spoil = how

    def _cross(self) -> None:
        """Show a crossed book, with right digests, for longer than the engine forgives."""
        market = self._venue.pick(self._rng_trouble)
        book = market.book
        if market.frozen_until_ns > self._now_ns or not all(bids.pxs for bids in book.bids):
            return
        px_u6, frames = flow.cross(book, self._rng_trouble, at_ms=self._now_ns // MS)
        for frame in frames:
            self._frame(market.slot, frame.data)
        market.frozen_until_ns = self._now_ns + CROSSED_NS + 1
        self._timers.set(f"uncross:{px_u6}:{book.spec.market}", self._after(CROSSED_NS))

    def _on_uncross(self, argument: str) -> None:
        px_text, _, name = argument.partition(":")
        market = self._venue.markets.get(name)
        if market is not None:
            at_ms = self._now_ns // MS
            for frame in flow.uncross(market.book, int(px_text), self._rng_trouble, at_ms=at_ms):
                self._frame(market.slot, frame.data)

    def _freeze(self) -> None:
        """Let one market fall silent while its connection lives."""
        market = self._venue.pick(self._rng_trouble)
        market.frozen_until_ns = self._now_ns + FROZEN_NS

    def _stall_index(self) -> None:
        """Let the settlement feed fall silent while its connection lives."""
        self._stalled_until_ns = self._now_ns + INDEX_STALL_NS

    def _disconnect(self) -> None:
        """Lose a connection for a moment, the next one each time."""
        slot = self._disconnects % len(self._slots)
        self._disconnects += 1
        self._timers.set(f"close:{slot}", self._after(1))

    # --- time ------------------------------------------------------------------------------------

    def _after(self, pause_ns: float) -> int:
        return self._now_ns + max(1, int(pause_ns))

    def _arm(self, *, trouble: bool) -> None:
        for slot in range(len(self._slots)):
            self._timers.set(f"open:{slot}", self._after(OPEN_NS))
        for name in ("price", "flow", "beat", "match", "index"):
            self._timers.set(name, self._after(OPEN_NS + ANSWER_NS))
        self._timers.set("spell", self._after(SPELLS[0][1] * SECOND_NS))
        self._timers.set("announce", self._after(5 * SECOND_NS))
        if trouble:
            self._timers.set("trouble", self._after(TROUBLE_FIRST_NS))

    def _table(self) -> Mapping[str, Callable[[str], None]]:
        return {
            "open": self._on_open,
            "close": self._on_close,
            "array": self._on_array,
            "books": self._on_books,
            "pong": self._on_pong,
            "flow": self._on_flow,
            "spell": self._on_spell,
            "price": self._on_price,
            "beat": self._on_beat,
            "match": self._on_match,
            "index": self._on_index,
            "window": self._on_window,
            "resolve": self._on_resolve,
            "announce": self._on_announce,
            "trouble": self._on_trouble,
            "uncross": self._on_uncross,
        }


_SPOILERS: Mapping[str, Callable[[bytes], bytes]] = {
    "drop": lambda _: b"",
    "tear": lambda data: data[: len(data) * 2 // 3],
    "garble": lambda data: data.replace(b'"size":"', b'"size":"NaN', 1),
}
"""What can happen to a frame on its way; nothing left means it is lost."""
