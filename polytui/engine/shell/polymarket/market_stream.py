"""All market connections: which market is on which, and who brings a silent one back.

Both tokens of a market and the siblings of an event share a connection, so that what belongs
together is seen together. A few markets that never show a first book are moved to a fresh socket
of their own; when most of a connection is affected, the connection itself is replaced (fault A6).
"""

import asyncio
from collections.abc import Callable, Iterable, Sequence
from itertools import groupby
from typing import Final

from polytui.engine.core.commands import ReadWitness, Reconnect, Resync
from polytui.engine.core.enums import Feed
from polytui.engine.core.errors import OperatorError
from polytui.engine.core.events import (
    BookFrame,
    BookWitness,
    MarketListed,
    MarketResolved,
    MarketSpec,
)
from polytui.engine.core.ids import ConnId
from polytui.engine.core.rng import Rng
from polytui.engine.core.units import U
from polytui.engine.shell.clock import SECOND_NS, read_mono_ns, sleep_until
from polytui.engine.shell.feeds.reach import Reach, Tell
from polytui.engine.shell.feeds.sockets import Sink
from polytui.engine.shell.polymarket.public_reads import PublicReads
from polytui.engine.shell.polymarket.rest import Failed
from polytui.engine.shell.polymarket.shard import FIRST_BOOK_NS, SILENT_NS, TOKENS_MAX, Shard
from polytui.engine.wire.polymarket import decode_witness

SHARDS_MAX: Final = 32
LOOK_NS: Final = SECOND_NS // 4
"""How often deadlines are looked at."""
WITNESSES_MAX: Final = 16
"""REST reads of books under way; more are left out, as lost answers would be."""
NO_CONN: Final = ConnId(0)
"""REST answers come on no connection; real ones count from 1."""


class MarketStreams:
    """The market data of one venue."""

    def __init__(
        self,
        url: str,
        *,
        public: PublicReads,
        next_conn: Callable[[], ConnId],
        tell: Tell,
        seed: int,
        silent_ns: int = SILENT_NS,
        first_book_ns: int = FIRST_BOOK_NS,
    ) -> None:
        """Nothing is opened before `run`."""
        self._url = url
        self._public = public
        self._next_conn = next_conn
        self._reach = Reach(Feed.POLYMARKET.value, tell)
        """Of all connections: they have one address."""
        self._rng = Rng(seed).fork("market stream backoff")
        self._silent_ns = silent_ns
        self._first_book_ns = first_book_ns
        self.specs: dict[str, MarketSpec] = {}
        """What is followed."""
        self.shards: list[Shard] = []
        self._made = 0
        self._sink: Sink | None = None
        self._tasks: asyncio.TaskGroup | None = None
        self._reads: set[asyncio.Task[None]] = set()

    # --- what is followed ------------------------------------------------------------------------

    def follow(self, specs: Iterable[MarketSpec]) -> None:
        """List markets, and subscribe those that take orders; of known ones the facts are replaced.

        Raises:
            OperatorError: there are more than `SHARDS_MAX` connections would carry.
        """
        fresh = []
        for spec in specs:
            is_placed = any(spec.market in shard.markets for shard in self.shards)
            if spec.accepting and not is_placed:
                fresh.append(spec)
            self.specs[spec.market] = spec
            self._list(spec)
        fresh.sort(key=lambda spec: spec.group or spec.market)
        for _, family in groupby(fresh, key=lambda spec: spec.group or spec.market):
            self._place(list(family))

    def unfollow(self, market: str) -> None:
        """Let go of a market."""
        self.specs.pop(market, None)
        for shard in self.shards:
            if market in shard.markets:
                shard.remove(market)
        self.shards = [shard for shard in self.shards if shard.markets]

    def resolve(self, spec: MarketSpec, pays_u6: tuple[int, int]) -> None:
        """Tell how a market came out, as its connection would have; two halves have no winner."""
        ix = pays_u6.index(U) if U in pays_u6 else None
        if self._sink is not None:
            self._sink.offer_event(
                MarketResolved(
                    conn=NO_CONN,
                    market=spec.market,
                    winning_token="" if ix is None else spec.tokens[ix],
                    winning_outcome="" if ix is None else spec.outcomes[ix],
                    venue_ms=0,
                )
            )

    def _list(self, spec: MarketSpec) -> None:
        if self._sink is not None:
            self._sink.offer_event(MarketListed(spec=spec))

    def _place(self, family: Sequence[MarketSpec]) -> None:
        """Put an event's markets together, as far as one connection carries them."""
        shard = self._shard_for(family)
        for spec in family:
            tokens = tuple(token for token in spec.tokens if token)
            if shard.room < len(tokens):
                shard = self._new_shard()
            shard.add(spec.market, tokens, spec.group)
            self._start(shard)

    def _shard_for(self, family: Sequence[MarketSpec]) -> Shard:
        """Find the connection of the siblings, else one with room for the whole family."""
        group, needed = family[0].group, min(TOKENS_MAX, 2 * len(family))
        kin = [s for s in self.shards if group and group in s.groups.values()]
        roomy = [s for s in (*kin, *self.shards) if s.room >= needed]
        return roomy[0] if roomy else self._new_shard()

    def _new_shard(self) -> Shard:
        if len(self.shards) >= SHARDS_MAX:
            most = SHARDS_MAX * TOKENS_MAX
            raise OperatorError(f"expected at most {most} tokens to follow: name fewer markets")
        self._made += 1
        shard = Shard(
            self._url,
            next_conn=self._next_conn,
            reach=self._reach,
            rng=self._rng.fork(str(self._made)),
            silent_ns=self._silent_ns,
            first_book_ns=self._first_book_ns,
        )
        self.shards.append(shard)
        return shard

    # --- life ------------------------------------------------------------------------------------

    async def run(self, sink: Sink) -> None:
        """Keep everything connected, until cancelled."""
        self._sink = sink
        for spec in self.specs.values():
            self._list(spec)
        async with asyncio.TaskGroup() as tasks:
            self._tasks = tasks
            for shard in self.shards:
                self._start(shard)
            await self._watch()

    def _start(self, shard: Shard) -> None:
        if self._tasks is not None and self._sink is not None and not shard.is_running:
            shard.is_running = True
            self._tasks.create_task(shard.run(self._sink))

    async def _watch(self) -> None:
        """Look after silence and overdue first books."""
        while True:
            await sleep_until(read_mono_ns() + LOOK_NS)
            now_ns = read_mono_ns()
            for shard in tuple(self.shards):
                if shard.is_silent(now_ns):
                    shard.kick(f"no data for {self._silent_ns // SECOND_NS} s")
                elif late := shard.late_markets(now_ns):
                    self._freshen(shard, late)

    def _freshen(self, shard: Shard, late: list[str]) -> None:
        """Get first books that did not come from a fresh socket."""
        family = {shard.groups[market] for market in late}
        moving = [
            m for m, group in shard.groups.items() if m in late or (group and group in family)
        ]
        is_most = 2 * len(late) >= len(shard.markets) or len(moving) == len(shard.markets)
        if is_most or len(self.shards) >= SHARDS_MAX:
            shard.kick(f"no first book of {len(late)} markets")
            return
        fresh = self._new_shard()
        for market in moving:
            tokens, group = shard.markets[market], shard.groups[market]
            shard.remove(market)
            fresh.add(market, tokens, group)
        self._start(fresh)

    # --- what the engine wants -------------------------------------------------------------------

    def resync(self, command: Resync) -> None:
        """Ask for a market's books anew on the connection that the engine means."""
        for shard in self.shards:
            if shard.conn == command.conn:
                shard.resubscribe(command.market)

    def reconnect(self, command: Reconnect) -> None:
        """Drop a connection; a fresh one follows."""
        for shard in self.shards:
            if shard.conn == command.conn:
                shard.kick(f"the engine distrusts it: {command.reason.value}")

    def cut(self, conn: ConnId) -> None:
        """Drop a connection that the runner has closed for the engine."""
        for shard in self.shards:
            if shard.conn == conn:
                shard.kick("a frame was lost", is_cut=True)

    def read_witness(self, sink: Sink, command: ReadWitness) -> None:
        """Read a token's book over REST; a read that fails answers nothing, as a lost one would."""
        if len(self._reads) >= WITNESSES_MAX:
            return
        task = asyncio.get_running_loop().create_task(self._read(sink, command.token))
        self._reads.add(task)
        task.add_done_callback(self._reads.discard)

    async def _read(self, sink: Sink, token: str) -> None:
        reply = await self._public.book(token)
        if isinstance(reply, Failed):
            return
        for event in decode_witness(NO_CONN, reply.body):
            sink.offer_event(BookWitness(book=event) if isinstance(event, BookFrame) else event)
