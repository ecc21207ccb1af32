"""The practice venue at work: one exchange, driven by real time, and everything that it says.

The exchange is pure and on a virtual clock; this file is where its time comes from. Each request
first brings it to the present, then acts, then hands on what it emitted. Which stream hears of it
first is drawn from the seed, as nobody promises an order (§11 S6).
"""

import asyncio
from collections.abc import Callable
from typing import Final, Protocol

from msgspec.structs import replace

from polytui.engine.core.rng import Rng
from polytui.engine.shell.clock import SECOND_NS, Anchor, read_mono_ns, sleep_until
from polytui.engine.shell.venue.delays import sample_ms
from polytui.engine.shell.venue.history import History
from polytui.engine.shell.venue.hub import Hub
from polytui.engine.shell.venue.keys import KeyRing
from polytui.engine.shell.venue.limits import Grant, PathLimits, SignerLimits
from polytui.engine.shell.venue.refused import TOO_MANY, Refused
from polytui.engine.shell.venue.user_feed import (
    Record,
    order_event,
    readers_of,
    trade_event,
)
from polytui.engine.sim.exchange.api import OrderRequest, PlaceResult
from polytui.engine.sim.exchange.emissions import (
    MS,
    Emission,
    OrderCanceled,
    OrderFilled,
    OrderPlaced,
    OrderReleased,
    TradeUpdate,
)
from polytui.engine.sim.exchange.exchange import Exchange
from polytui.engine.sim.exchange.terms import MarketTerms, Restriction
from polytui.engine.sim.faults import AnyAct, Switches
from polytui.engine.sim.practice_acts import carry_out
from polytui.engine.sim.venue_books import WireBook
from polytui.engine.sim.venue_frames import Frame, MarketTape

HOLD_S_MAX: Final = 30
"""An answer held by a taker delay comes within this, or says `order timed out`."""
LOOK_NS: Final = 20 * MS
"""Longest sleep of the driver: switches and requests change what is due."""
SLICE_NS: Final = 50 * MS
"""Virtual time made in one go when the driver is behind: the loop must stay free."""


class Crowd(Protocol):
    """Those who trade besides our clients, and who therefore drive the exchange."""

    def next_due_ns(self) -> int | None:
        """Return when somebody acts next."""

    def advance(self, until_ns: int) -> list[Emission]:
        """Let time pass and everybody act; return all that the exchange emitted meanwhile."""

    def do(self, act: AnyAct) -> AnyAct:
        """Do the exchange's part of an act; return it with ids for names."""


class Nobody:
    """An empty venue: only time passes."""

    def __init__(self, exchange: Exchange) -> None:
        """Drive this exchange."""
        self._exchange = exchange

    def next_due_ns(self) -> int | None:
        """Return that nobody ever acts."""
        return None

    def advance(self, until_ns: int) -> list[Emission]:
        """Let time pass."""
        self._exchange.advance(until_ns)
        return list(self._exchange.drain())

    def do(self, act: AnyAct) -> AnyAct:
        """Do the exchange's part of an act, whose names are ids."""
        carry_out(self._exchange, act)
        return act


class Venue:
    """The exchange with its streams, keys, limits and faults."""

    def __init__(
        self, exchange: Exchange, *, seed: int, clock: Callable[[], int], crowd: Crowd | None = None
    ) -> None:
        """Take an exchange that lives at or before the clock's present."""
        rng = Rng(seed).fork("wire")
        self.exchange = exchange
        self.seed = seed
        self.crowd: Crowd = crowd or Nobody(exchange)
        self._clock = clock
        self._draw = rng.fork("requests")
        self._turn = rng.fork("channels")
        self.ring = KeyRing(seed)
        self.tape = MarketTape(rng.fork("frames"))
        self.hub = Hub(self.tape, self.ring, rng)
        self.history = History(exchange)
        self.signers = SignerLimits()
        self.paths = PathLimits()
        self.switches = Switches()
        self.restrictions: dict[str, Restriction] = {}
        """Of addresses that have or had one: the exchange obeys them and does not list them."""
        self._told_ms = 0
        """When something was last emitted: its frames wait for that millisecond to end."""
        self.beating: set[str] = set()
        """Owners whose dead man's switch is on."""
        self._held: dict[str, asyncio.Future[PlaceResult]] = {}
        self.after: Callable[[], None] = lambda: None
        """Called whenever time has passed: whoever serves a whole world looks what it brought."""
        self.heard: Callable[[list[Emission], int], None] = lambda _emissions, _frames: None
        """Told of everything that happened, and of how many frames it was said in."""

    # --- time ------------------------------------------------------------------------------------

    def now_ns(self) -> int:
        """Return the venue's time as its clients are told it, skew included."""
        return self.exchange.now_ns + self.switches.clock_skew_ms * MS

    def now_s(self) -> int:
        """Return the same in seconds."""
        return self.now_ns() // SECOND_NS

    def skew_s(self) -> int:
        """Return how many seconds ahead of true time that is."""
        return self.switches.clock_skew_ms // 1_000

    def touch(self) -> None:
        """Bring the exchange to the present, and say what happened on the way."""
        self._advance(self._clock())

    def _advance(self, until_ns: int) -> None:
        self._say(self.crowd.advance(max(until_ns, self.exchange.now_ns)))

    async def run(self) -> None:
        """Drive the exchange until cancelled."""
        while True:
            target_ns = min(self._clock(), self.exchange.now_ns + SLICE_NS)
            self._advance(target_ns)
            behind_ns = self._clock() - self.exchange.now_ns
            pause_ns = 0 if behind_ns > SLICE_NS else self._pause_ns()
            await sleep_until(read_mono_ns() + pause_ns)

    def _pause_ns(self) -> int:
        dues = [self.exchange.next_due_ns(), self.crowd.next_due_ns()]
        if self._told_ms == self.exchange.now_ns // MS:
            dues.append(self.exchange.now_ns + MS)
        soonest = min((due for due in dues if due is not None), default=None)
        if soonest is None:
            return LOOK_NS
        return min(LOOK_NS, max(MS // 2, soonest - self.exchange.now_ns))

    def terms(self, book: WireBook) -> MarketTerms:
        """Return the terms of a book's market."""
        terms = self.exchange.market(book.condition)
        assert terms is not None, f"expected the market of a book, {book.condition}"
        return terms

    # --- out -------------------------------------------------------------------------------------

    def flush(self) -> None:
        """Hand on what a request has brought about."""
        self._advance(self.exchange.now_ns)

    def _say(self, emissions: list[Emission]) -> None:
        """Tell every stream in its own order; which one first is the seed's choice."""
        skew_ms = self.switches.clock_skew_ms
        told: list[tuple[str, Record]] = []
        for emission in emissions:
            told += self._tell(emission)
            self.history.take(emission)
        self.tape.take(_skewed(emissions, skew_ms) if skew_ms else emissions)
        now_ms = self.exchange.now_ns // MS
        self._told_ms = now_ms if emissions else self._told_ms
        frames: list[Frame] = self.tape.flush(now_ms + skew_ms)
        self.heard(emissions, len(frames))
        if told and frames and self._turn.chance(0.5):
            self.hub.publish(frames)
            frames = []
        for owner, record in told:
            self.hub.tell(owner, record)
        self.hub.publish(frames)
        self.after()

    def _tell(self, emission: Emission) -> list[tuple[str, Record]]:
        at_ms, skew_s = emission.at_ms + self.switches.clock_skew_ms, self.skew_s()
        if isinstance(emission, TradeUpdate):
            trade = emission.trade
            return [
                (owner, trade_event(trade, reader=owner, at_ms=at_ms, skew_s=skew_s))
                for owner in readers_of(trade)
                if self.hub.has_reader(owner)
            ]
        if isinstance(emission, OrderReleased):
            waiter = self._held.pop(emission.order_id, None)
            if waiter is not None and not waiter.done():
                waiter.set_result(emission.result)
            return []
        if not isinstance(emission, OrderPlaced | OrderFilled | OrderCanceled):
            return []
        order = emission.order
        if not self.hub.has_reader(order.owner):
            return []
        kind, status = _told_as(emission)
        event = order_event(order, kind=kind, status=status, at_ms=at_ms, skew_s=skew_s)
        return [(order.owner, event)]

    # --- orders ----------------------------------------------------------------------------------

    async def place(self, request: OrderRequest) -> PlaceResult:
        """Place an order; the answer waits for a delay that the venue keeps to itself."""
        self.touch()
        result = self.exchange.place(request)
        return await self._answered(request, result)

    async def place_batch(self, requests: list[OrderRequest]) -> list[PlaceResult]:
        """Place several, in parallel as far as delays go.

        Raises:
            Refused: the batch as a whole.
        """
        self.touch()
        batch = self.exchange.place_batch(requests)
        if batch.error is not None:
            self.flush()
            raise Refused(batch.error.http, batch.error.text)
        pairs = zip(requests, batch.results, strict=True)
        return list(await asyncio.gather(*(self._answered(q, r) for q, r in pairs)))

    async def _answered(self, request: OrderRequest, result: PlaceResult) -> PlaceResult:
        if not result.is_held:
            self.flush()
            return result
        waiter: asyncio.Future[PlaceResult] = asyncio.get_running_loop().create_future()
        self._held[request.order_id] = waiter
        self.flush()
        try:
            async with asyncio.timeout(HOLD_S_MAX):
                return await waiter
        except TimeoutError:
            raise Refused(500, "order timed out") from None
        finally:
            self._held.pop(request.order_id, None)

    # --- faults ----------------------------------------------------------------------------------

    def apply(self, switches: Switches) -> None:
        """Change how the wire behaves, from now on."""
        was, self.switches = self.switches, switches
        self.hub.apply(switches)
        if switches.stale_balances and not was.stale_balances:
            for account in self.exchange.accounts():
                self.exchange.hold_balance_cache(account)
        if was.stale_balances and not switches.stale_balances:
            for account in self.exchange.accounts():
                self.exchange.refresh_balance_cache(account)

    def happens(self, chance: float) -> bool:
        """Draw whether a request meets a fault; a healthy venue draws nothing."""
        return chance > 0 and self._draw.chance(chance)

    async def travel(self) -> None:
        """Spend the time a request is on its way."""
        late_ms = sample_ms(self.switches.rest_delay, self._draw)
        if late_ms:
            await sleep_until(read_mono_ns() + late_ms * MS)

    def admit(self, signer: str, cost: int, *, is_cancel: bool) -> Grant:
        """Pay for orders or cancels out of the signer's bucket.

        Raises:
            Refused: 429, when buckets are enforced or the fault says so.
        """
        switches = self.switches
        grant = self.signers.take(
            signer, cost, is_cancel=is_cancel, tier=switches.tier, now_ns=self.exchange.now_ns
        )
        chance = switches.too_many_cancels if is_cancel else switches.too_many
        is_struck = self.happens(chance)
        if is_struck or (switches.buckets_enforced and not grant.allowed):
            wait_s = switches.retry_after_s if is_struck else grant.wait_s
            headers = grant.headers(switches.tier) | {"Retry-After": str(wait_s)}
            raise Refused(429, TOO_MANY, headers=headers)
        return grant


def _told_as(emission: OrderPlaced | OrderFilled | OrderCanceled) -> tuple[str, str]:
    """Name an order's event: its type and its status."""
    if isinstance(emission, OrderCanceled):
        return "CANCELLATION", emission.status
    kind = "PLACEMENT" if isinstance(emission, OrderPlaced) else "UPDATE"
    return kind, emission.order.status.value


def _skewed(emissions: list[Emission], skew_ms: int) -> list[Emission]:
    """Tell what happened in the time of a clock that is wrong."""
    return [replace(emission, at_ns=emission.at_ns + skew_ms * MS) for emission in emissions]


def real_clock(anchor: Anchor) -> Callable[[], int]:
    """Make the present out of a clock that never goes back."""
    return lambda: anchor.at_ns(read_mono_ns())
