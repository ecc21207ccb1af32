"""The market desk: owner of the catalog and of every tracked market; routes the venue's events.

It also keeps the health of the venue's own connections. Nothing outside changes a book.
"""

from msgspec import Struct
from msgspec.structs import replace

from polytui.engine.core.commands import Command, ReadWitness, Resync
from polytui.engine.core.enums import BookState, Feed, FeedState, Incident, Reason
from polytui.engine.core.errors import shown
from polytui.engine.core.events import (
    BookDelta,
    BookFrame,
    BookWitness,
    ConnClosed,
    ConnOpened,
    Heard,
    MarketAnnounced,
    MarketListed,
    MarketResolved,
    MarketSpec,
    PublicTrade,
    Stamped,
    Subscribed,
    TickChanged,
    TopQuoted,
    WireFault,
    WireIgnored,
)
from polytui.engine.core.ids import ConnId, MarketIx
from polytui.engine.core.runconfig import RunConfig
from polytui.engine.core.timers import Timers
from polytui.engine.core.view import FeedView
from polytui.engine.market.catalog import Catalog
from polytui.engine.market.incidents import IncidentLog
from polytui.engine.market.quality import Evidence
from polytui.engine.market.tracked import Tracked

_MS = 1_000_000
_SUSPECT = BookState.SUSPECT
_RESYNC_PAUSE_NS = 10_000 * _MS
"""A market asks for a fresh snapshot at most this often."""
_FIRST_SNAPSHOT_NS = 5_000 * _MS
"""A subscribed market without a snapshot for this long is asked for again (row A6)."""
_SHOWN_NS = 600_000 * _MS
"""A market that is over stays to be looked at for this long."""
_HEAL_NS = 500 * _MS
"""A suspect book may be proven by its next digest: before this a snapshot is not asked for."""
_HEAL_OBSERVED_NS = 5_000 * _MS
"""The same while digests are only observed (`market-ws-integrity.md` §8)."""


class Connection:
    """What is known of one open venue connection."""

    __slots__ = ("data_ns", "last_ns", "opened_ns")

    def __init__(self, at_ns: int) -> None:
        """Open now; nothing heard."""
        self.opened_ns = at_ns
        self.last_ns = at_ns
        """Last bytes of any kind: proves the link."""
        self.data_ns: int | None = None
        """Last market data: PONG does not prove that data flows."""


class Totals(Struct):
    """What markets counted."""

    ok: int = 0
    """Digests that agreed at once, later, and not at all."""
    recovered: int = 0
    bad: int = 0
    deltas: int = 0
    trades: int = 0

    def add(self, tracked: Tracked) -> None:
        """Count a market in."""
        quality = tracked.quality
        self.ok += quality.ok
        self.recovered += quality.recovered
        self.bad += quality.bad
        self.deltas += tracked.deltas
        self.trades += tracked.trades_total


class MarketDesk:
    """All markets of a run."""

    def __init__(self, config: RunConfig) -> None:
        """Start with an empty catalog."""
        self._config = config
        self._stale_conn_ns = config.book.stale_conn_ms * _MS
        self.catalog = Catalog()
        self.incidents = IncidentLog()
        self.markets: dict[MarketIx, Tracked] = {}
        """In the order of the catalog."""
        self.dirty: dict[MarketIx, None] = {}
        """Markets that changed since the last turn, in order of change."""
        self.conns: dict[ConnId, Connection] = {}
        self.messages = 0
        self.faults = 0
        self.ignored = 0
        self.announced = 0
        self.unknown = 0
        self.reconnects = -1
        self.resyncs = 0
        self._resynced_ns: dict[MarketIx, int] = {}
        self._suspects: dict[MarketIx, None] = {}
        """Markets that may need a fresh snapshot: suspect ones, and empty ones asked for."""
        self._witnessing: dict[str, None] = {}
        self._witness_due = Timers()
        """When each market's book is next held against a REST answer."""
        self._witness_ns: int | None = None
        """When the first of them is due."""
        self._asked: dict[MarketIx, tuple[ConnId, int]] = {}
        """On which connection a market was last subscribed, and when."""
        self._waiting: dict[MarketIx, None] = {}
        """Markets with a deadline."""
        self._over: dict[MarketIx, int] = {}
        """Since when markets are seen to be over."""
        self._past = Totals()
        self._routes = {
            BookDelta: self._on_delta,
            BookFrame: self._on_frame,
            PublicTrade: self._on_trade,
            TopQuoted: self._on_quote,
            TickChanged: self._on_tick,
            BookWitness: self._on_witness,
            MarketListed: self._on_listed,
            MarketAnnounced: self._on_announced,
            MarketResolved: self._on_resolved,
            ConnOpened: self._on_opened,
            ConnClosed: self._on_closed,
            Subscribed: self._on_subscribed,
            Heard: self._on_heard,
            WireFault: self._on_fault,
            WireIgnored: self._on_ignored,
        }

    def apply(self, stamped: Stamped) -> None:
        """Take one event of the venue."""
        self._routes[type(stamped.event)](stamped.event, stamped.at_ns)  # type: ignore[operator]  # the table pairs types with their handlers

    # --- books -----------------------------------------------------------------------------------

    def _market(self, market: str, conn: ConnId, at_ns: int) -> Tracked | None:
        """Find the tracked market of a data event and note that its connection delivers."""
        self.messages += 1
        link = self.conns.get(conn)
        if link is not None:
            link.last_ns = link.data_ns = at_ns
        ix = self.catalog.find(market)
        if ix is None:
            self.unknown += 1
            self.incidents.note(
                Incident.UNKNOWN_MARKET, shown(market), at_ns, "data for an unlisted market"
            )
            return None
        return self.markets[ix]

    def _touched(self, tracked: Tracked) -> None:
        self.dirty[tracked.ix] = None
        if (
            tracked.group_due_ns is not None or tracked.crossed_since_ns is not None
        ) and tracked.due_ns() is not None:
            self._waiting[tracked.ix] = None
        if tracked.quality.state is _SUSPECT:
            self._suspects[tracked.ix] = None

    def _on_delta(self, event: BookDelta, at_ns: int) -> None:
        tracked = self._market(event.market, event.conn, at_ns)
        if tracked is None:
            return
        tokens = tracked.spec.tokens
        for claim in event.claims:
            if claim[0] not in tokens and not self._adopt(tracked, claim[0], at_ns):
                return
        tracked.take_delta(event, at_ns)
        self._touched(tracked)

    def _on_frame(self, event: BookFrame, at_ns: int) -> None:
        tracked = self._market(event.market, event.conn, at_ns)
        if tracked is None or not self._adopt(tracked, event.token, at_ns):
            return
        tracked.take_frame(event, at_ns)
        self._touched(tracked)
        if self._config.book.witness_ms and event.market not in self._witnessing:
            self._witnessing[event.market] = None
            self._witness_due.set(event.market, at_ns + self._config.book.witness_ms * _MS)
            self._witness_ns = self._witness_due.next_due_ns()

    def _adopt(self, tracked: Tracked, token: str, at_ns: int) -> bool:
        """Cross-check token against market (row A17); learn a second token not known so far."""
        if token in tracked.spec.tokens:
            return True
        if not self.catalog.adopt(tracked.ix, token):
            self.unknown += 1
            market = tracked.spec.market
            self.incidents.note(
                Incident.UNKNOWN_MARKET, market, at_ns, f"token {token[:6]}… is not its"
            )
            tracked.doubt(Evidence.WIRE_FAULT, at_ns)
            return False
        tracked.take_spec(self.catalog.specs[tracked.ix])
        return True

    def _on_trade(self, event: PublicTrade, at_ns: int) -> None:
        tracked = self._market(event.market, event.conn, at_ns)
        if tracked is not None:
            tracked.take_trade(event, at_ns)

    def _on_quote(self, event: TopQuoted, at_ns: int) -> None:
        tracked = self._market(event.market, event.conn, at_ns)
        if tracked is not None:
            tracked.take_quote(event, at_ns)
            self._touched(tracked)

    def _on_tick(self, event: TickChanged, at_ns: int) -> None:
        tracked = self._market(event.market, event.conn, at_ns)
        if tracked is not None:
            tracked.take_tick(event, at_ns)
            self._touched(tracked)

    def _on_witness(self, event: BookWitness, at_ns: int) -> None:
        tracked = self._market(event.book.market, event.book.conn, at_ns)
        if tracked is not None:
            tracked.take_witness(event, at_ns)
            self._touched(tracked)

    # --- catalog ---------------------------------------------------------------------------------

    def _on_listed(self, event: MarketListed, at_ns: int) -> None:
        ix = self.catalog.enter(event.spec)
        if ix is None:
            return
        spec: MarketSpec = self.catalog.specs[ix]
        tracked = self.markets.get(ix)
        if tracked is None:
            box = self._config.box
            tracked = self.markets[ix] = Tracked(
                ix,
                spec,
                self._config.book,
                incidents=self.incidents,
                parity_window_s=box.parity_window_s,
            )
        else:
            tracked.take_spec(spec)
        tracked.listed_ns = at_ns

    def _on_announced(self, _event: MarketAnnounced, _at_ns: int) -> None:
        self.announced += 1

    def _on_resolved(self, event: MarketResolved, at_ns: int) -> None:
        tracked = self._market(event.market, event.conn, at_ns)
        if tracked is not None:
            tracked.resolved = True
            self._touched(tracked)

    def totals(self) -> "Totals":
        """Add up what all markets of the run counted, those let go included."""
        totals = replace(self._past)
        for tracked in self.markets.values():
            totals.add(tracked)
        return totals

    def stale(self, now_ns: int) -> int:
        """Count the books that are older than their limit and should not be."""
        markets = self.markets.values()
        return sum(one.is_stale(now_ns) and not one.is_over(now_ns) for one in markets)

    def finished(self, now_ns: int) -> list[Tracked]:
        """List the markets that have been over for a while; asked regularly."""
        for ix, tracked in self.markets.items():
            if not tracked.is_over(now_ns):
                self._over.pop(ix, None)
            elif ix not in self._over:
                self._over[ix] = now_ns
        return [self.markets[ix] for ix, ns in self._over.items() if now_ns - ns >= _SHOWN_NS]

    def forget(self, tracked: Tracked) -> None:
        """Drop a market and everything kept of it; its counts stay in the totals."""
        ix, market = tracked.ix, tracked.spec.market
        self._past.add(tracked)
        del self.markets[ix]
        self.catalog.forget(ix)
        self.incidents.by_market.pop(market, None)
        for table in (self.dirty, self._suspects, self._waiting):
            table.pop(ix, None)
        self._resynced_ns.pop(ix, None)
        self._asked.pop(ix, None)
        self._over.pop(ix, None)
        self._witnessing.pop(market, None)
        self._witness_due.cancel(market)
        self._witness_ns = self._witness_due.next_due_ns()

    # --- connections -----------------------------------------------------------------------------

    def _on_opened(self, event: ConnOpened, at_ns: int) -> None:
        self.conns[event.conn] = Connection(at_ns)
        self.reconnects += 1

    def _on_closed(self, event: ConnClosed, at_ns: int) -> None:
        self.conns.pop(event.conn, None)
        for tracked in self.markets.values():
            if tracked.conn == event.conn:
                tracked.lose_connection(at_ns)
                self._touched(tracked)

    def _on_subscribed(self, event: Subscribed, at_ns: int) -> None:
        """Expect a snapshot of every market asked for."""
        for token in event.topics:
            ix = self.catalog.find_token(token)
            if ix is not None:
                self._asked[ix] = (event.conn, at_ns)
                self._suspects[ix] = None

    def _on_heard(self, event: Heard, at_ns: int) -> None:
        link = self.conns.get(event.conn)
        if link is not None:
            link.last_ns = at_ns

    def _on_fault(self, event: WireFault, at_ns: int) -> None:
        """Bytes were refused: the market named, else every market of the connection, is suspect."""
        self.faults += 1
        ix = self.catalog.find(event.market)
        hit = (
            [self.markets[ix]]
            if ix is not None
            else [tracked for tracked in self.markets.values() if tracked.conn == event.conn]
        )
        detail = f"expected {event.expected}, was {event.got}"
        self.incidents.note(Incident.WIRE_FAULT, event.market, at_ns, detail)
        for tracked in hit:
            tracked.doubt(Evidence.WIRE_FAULT, at_ns)
            self._touched(tracked)

    def _on_ignored(self, event: WireIgnored, at_ns: int) -> None:
        self.ignored += 1
        link = self.conns.get(event.conn)
        if link is not None:
            link.last_ns = at_ns

    # --- time ------------------------------------------------------------------------------------

    def next_due_ns(self) -> int | None:
        """Say when `on_time` has something to do."""
        if not self._waiting and not self._suspects:
            return None
        markets = self.markets
        dues = [due for ix in self._waiting if (due := markets[ix].due_ns()) is not None]
        dues += [due for ix in self._suspects if (due := self._resync_ns(markets[ix])) is not None]
        return min(dues, default=None)

    def on_time(self, now_ns: int) -> None:
        """Run the deadlines of waiting markets."""
        if not self._waiting:
            return
        for ix in list(self._waiting):
            tracked = self.markets[ix]
            due_ns = tracked.due_ns()
            if due_ns is None:
                del self._waiting[ix]
            elif now_ns >= due_ns:
                tracked.on_time(now_ns)
                self._touched(tracked)

    def resyncs_due(self, now_ns: int, cause: int) -> list[Command]:
        """Ask for fresh snapshots of books that stayed suspect, not too often."""
        if not self._suspects:
            return []
        commands: list[Command] = []
        for ix in list(self._suspects):
            tracked = self.markets[ix]
            due_ns = self._resync_ns(tracked)
            if due_ns is None:
                del self._suspects[ix]
            elif now_ns >= due_ns and (conn := self._conn_of(tracked)) is not None:
                self._resynced_ns[ix] = now_ns
                self.resyncs += 1
                commands.append(
                    Resync(
                        cause=cause,
                        conn=conn,
                        market=tracked.spec.market,
                        tokens=tracked.spec.tokens,
                        reason=tracked.quality.reason,
                    )
                )
        return commands

    def witnesses_due(self, now_ns: int, cause: int) -> list[Command]:
        """Ask for REST books, each market's in its turn; a resolved market is asked no more."""
        if self._witness_ns is None or now_ns < self._witness_ns:
            return []
        commands: list[Command] = []
        for market in self._witness_due.pop_due(now_ns):
            ix = self.catalog.find(market)
            tracked = None if ix is None else self.markets[ix]
            if tracked is None or tracked.resolved:
                continue
            commands.append(ReadWitness(cause=cause, market=market, token=tracked.spec.tokens[0]))
            self._witness_due.set(market, now_ns + self._config.book.witness_ms * _MS)
        self._witness_ns = self._witness_due.next_due_ns()
        return commands

    def _resync_ns(self, tracked: Tracked) -> int | None:
        """Say when a market should be fetched anew; None while nothing is wrong with it."""
        quality = tracked.quality
        if tracked.resolved or self._conn_of(tracked) is None:
            return None
        if quality.state is BookState.SUSPECT:
            heal_ns = _HEAL_OBSERVED_NS if quality.is_observed else _HEAL_NS
            due_ns = quality.since_ns + heal_ns
        elif quality.state is BookState.EMPTY:
            due_ns = self._asked[tracked.ix][1] + _FIRST_SNAPSHOT_NS
        else:
            return None
        last_ns = self._resynced_ns.get(tracked.ix)
        return due_ns if last_ns is None else max(due_ns, last_ns + _RESYNC_PAUSE_NS)

    def _conn_of(self, tracked: Tracked) -> ConnId | None:
        """Find the open connection that a market's book comes from, or was asked of."""
        if tracked.conn is not None:
            return tracked.conn
        asked = self._asked.get(tracked.ix)
        return asked[0] if asked is not None and asked[0] in self.conns else None

    def blocked(self, tracked: Tracked, now_ns: int) -> Reason | None:
        """Say why strategies may not see a market now, its connection included."""
        if not tracked.is_clear() and (reason := tracked.blocked()) is not None:
            return reason
        if tracked.is_stale(now_ns):
            return Reason.STALE_BOOK
        link = None if tracked.conn is None else self.conns.get(tracked.conn)
        if link is not None and (
            link.data_ns is None or now_ns - link.data_ns > self._stale_conn_ns
        ):
            return Reason.STALE_CONNECTION
        return None

    def feed_view(self, now_ns: int) -> FeedView:
        """Describe the venue feed: state from the age of data, never from PONG."""
        state, reason = self._feed_state(now_ns)
        heard = [link.data_ns for link in self.conns.values() if link.data_ns is not None]
        return FeedView(
            feed=Feed.POLYMARKET,
            role="venue",
            state=state,
            reason=reason,
            last_ns=max(heard, default=None),
            messages=self.messages,
            faults=self.faults,
            ignored=self.ignored,
            gaps=self.totals().bad,
            reconnects=max(self.reconnects, 0),
        )

    def _feed_state(self, now_ns: int) -> tuple[FeedState, Reason]:
        if not self.conns:
            return FeedState.CONNECTING, Reason.CONNECTION_LOST
        limit_ns = self._config.book.stale_conn_ms * _MS
        ages = [
            now_ns - link.data_ns if link.data_ns is not None else None
            for link in self.conns.values()
        ]
        if all(age is None for age in ages):
            return FeedState.WARMING, Reason.WARMING_UP
        late = [age for age in ages if age is None or age > limit_ns]
        if len(late) == len(ages):
            return FeedState.STALE, Reason.SILENT
        return (FeedState.DEGRADED, Reason.SILENT) if late else (FeedState.LIVE, Reason.OK)
