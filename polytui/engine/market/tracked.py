"""One watched market: its book, its quality, its open group of changes, and what it last said.

Owns everything about one market. The desk routes events here; strategies and the console get frozen
values made from it.
"""

from collections import deque

from msgspec.structs import replace

from polytui.engine.core.enums import BookState, Incident, Proof, Reason
from polytui.engine.core.events import (
    BookDelta,
    BookFrame,
    BookWitness,
    Claim,
    MarketSpec,
    PublicTrade,
    TickChanged,
    TopQuoted,
)
from polytui.engine.core.ids import ConnId, MarketIx
from polytui.engine.core.runconfig import BookConfig
from polytui.engine.core.units import U, text_u6
from polytui.engine.market.book import Book
from polytui.engine.market.incidents import IncidentLog
from polytui.engine.market.parity import ParityClock
from polytui.engine.market.quality import Evidence, Quality

_MS = 1_000_000
_SILENT_NS = 3_600_000 * _MS
"""Past its end, a book that was silent for this long is over, whatever the catalog says."""

_EMPTY, _SYNCED, _DIGEST = BookState.EMPTY, BookState.SYNCED, Proof.DIGEST

Sight = tuple[int, int, int, MarketSpec, int, Proof]
"""(best bid of YES, best bid of NO, tick, catalog facts, epoch, proof): what changes seldom."""


class Tracked:
    """State of one market; only the desk calls it."""

    __slots__ = (
        "_config",
        "_incidents",
        "_stale_ns",
        "book",
        "conn",
        "crossed_since_ns",
        "deltas",
        "group_due_ns",
        "group_ms",
        "ix",
        "last_ns",
        "listed_ns",
        "open_claims",
        "parity",
        "quality",
        "quoted",
        "resolved",
        "spec",
        "superseded",
        "trades",
        "trades_total",
        "venue_ms",
        "witness_ns",
        "witnessed",
    )

    def __init__(
        self,
        ix: MarketIx,
        spec: MarketSpec,
        config: BookConfig,
        *,
        incidents: IncidentLog,
        parity_window_s: int,
    ) -> None:
        """Start with the catalog's facts and no book."""
        self._config = config
        self._stale_ns = config.stale_market_ms * _MS
        self._incidents = incidents
        self.ix = ix
        self.spec = spec
        self.book = Book(spec, text_u6(spec.tick_u6))
        self.quality = Quality(config)
        self.conn: ConnId | None = None
        self.last_ns: int | None = None
        """When a frame about this book last arrived and was used."""
        self.venue_ms = 0
        """The venue's time of the last proven state: only proof moves it, because a frame that was
        damaged may claim any time."""
        self.group_ms = 0
        self.open_claims: dict[str, Claim] = {}
        """Claims of the newest group that are not yet equal, by token."""
        self.group_due_ns: int | None = None
        self.crossed_since_ns: int | None = None
        self.quoted: TopQuoted | None = None
        """A best-price claim that did not agree yet, checked again when the group is over."""
        self.parity = ParityClock(parity_window_s)
        self.trades: deque[tuple[int, PublicTrade]] = deque(maxlen=config.trades_kept)
        self.trades_total = 0
        self.deltas = 0
        self.superseded = 0
        """Digests of open groups replaced by a later one of the same group."""
        self.witnessed = 0
        """REST answers that confirmed the book."""
        self.witness_ns = 0
        """When the last of them came."""
        self.listed_ns = 0
        """When the catalog's facts were last told."""
        self.resolved = False

    # --- frames ----------------------------------------------------------------------------------

    def take_spec(self, spec: MarketSpec) -> None:
        """Take new catalog facts; a tick learnt from the stream is kept."""
        self.spec = spec
        self.book.set_terms(spec, tick_u6=self.book.tick_u6, tick_text=self.book.tick_text)

    def take_frame(self, frame: BookFrame, at_ns: int) -> None:
        """Replace the book by a full one, unless it is older than what is proven."""
        quality = self.quality
        if quality.state is not BookState.EMPTY and frame.venue_ms < self.venue_ms:
            self._incident(Incident.OUT_OF_ORDER, at_ns, f"book of {frame.venue_ms} ignored")
            return
        self._close_group(at_ns, "a full book came")
        self.conn = frame.conn
        self.last_ns = at_ns
        self._take_terms(frame)
        self.book.replace(frame)
        if frame.last_trade_text is not None:
            self.book.set_last_trade(frame.last_trade_text)
        quality.take(Evidence.SNAPSHOT, at_ns)
        self.quoted = None
        self._check_crossed(at_ns)
        self._check_frame(frame, at_ns)

    def _check_frame(self, frame: BookFrame, at_ns: int) -> None:
        """Verify a full book at once: there is no group to wait for."""
        if self._config.digest_check == "off":
            self.quality.proof = Proof.TOP
            self.venue_ms = frame.venue_ms
            return
        result = self.book.search(frame.token, frame.venue_ms, frame.digest)
        if result is False:
            self._digest_missed(at_ns, frame.token)
        else:
            self._digest_equal(at_ns, frame.venue_ms, result=result)

    def _take_terms(self, frame: BookFrame) -> None:
        """Take what the frame says of tick, minimum and kind; most frames say nothing."""
        if not frame.tick_text and not frame.min_order_text and frame.neg_risk is None:
            return
        book = self.book
        terms = replace(
            book.spec,
            min_order_text=frame.min_order_text or book.spec.min_order_text,
            neg_risk=book.spec.neg_risk if frame.neg_risk is None else frame.neg_risk,
            protocol=frame.protocol or book.spec.protocol,
        )
        tick_text = frame.tick_text or book.tick_text
        if (tick_text, terms) != (book.tick_text, book.spec):
            book.set_terms(terms, tick_u6=frame.tick_u6 or book.tick_u6, tick_text=tick_text)

    def take_delta(self, delta: BookDelta, at_ns: int) -> None:
        """Apply changes and check what the venue says of the result."""
        quality = self.quality
        if quality.state is _EMPTY or delta.conn != self.conn:
            return
        venue_ms = delta.venue_ms
        if self.open_claims and venue_ms != self.group_ms:
            self._close_group(at_ns, "the next group began")
        self.last_ns = at_ns
        self.deltas += 1
        if not self.book.apply(delta.changes):
            self._incident(Incident.UNKNOWN_MARKET, at_ns, "an entry names a third token")
            quality.take(Evidence.WIRE_FAULT, at_ns)
            return
        yes_u6, no_u6 = self.book.tops()
        if yes_u6 + no_u6 >= U or self.crossed_since_ns is not None:
            self._check_crossed(at_ns)
        if venue_ms < self.venue_ms:
            self._incident(Incident.OUT_OF_ORDER, at_ns, f"changes of {venue_ms}")
            quality.take(Evidence.OUT_OF_ORDER, at_ns)
            return
        yes_token = self.spec.tokens[0]
        for token, _, bid_u6, ask_u6 in delta.claims:
            own_u6, other_u6 = (yes_u6, no_u6) if token == yes_token else (no_u6, yes_u6)
            if bid_u6 != own_u6 or ask_u6 + other_u6 != U:
                self._check_top(delta.claims, at_ns)
                break
        else:
            if len(delta.claims) == 2:  # equal to ours, so they mirror each other as ours do
                self.parity.observe(at_ns, holds=True)
        self._check_digests(delta.claims, venue_ms, at_ns)

    def _check_top(self, claims: tuple[Claim, ...], at_ns: int) -> None:
        """Compare best prices with the venue's, and the two tokens' claims with each other."""
        for token, _, bid_u6, ask_u6 in claims:
            if bid_u6 < 0 or ask_u6 < 0:
                continue
            if (bid_u6, ask_u6) != (ours := self.book.touch_u6(token)):
                detail = f"venue {_touch(bid_u6, ask_u6)}, ours {_touch(*ours)}"
                self._incident(Incident.TOP_MISMATCH, at_ns, detail)
                self.quality.take(Evidence.TOP_MISMATCH, at_ns)
        if len(claims) == 2:
            (_, _, bid_a, ask_a), (_, _, bid_b, ask_b) = claims
            if min(bid_a, ask_a, bid_b, ask_b) >= 0:
                tick = self.book.tick_u6
                holds = abs(ask_a - U + bid_b) <= tick and abs(ask_b - U + bid_a) <= tick
                self.parity.observe(at_ns, holds=holds)
                if not holds:
                    detail = f"{_touch(bid_a, ask_a)} against {_touch(bid_b, ask_b)}"
                    self._incident(Incident.MIRROR_BROKEN, at_ns, detail)

    def _check_digests(self, claims: tuple[Claim, ...], venue_ms: int, at_ns: int) -> None:
        """Try the digests at once: equal proves the book now, unequal waits for the group's end."""
        check = self._config.digest_check
        if check != "both":
            if check == "off":
                self.quality.proof = Proof.TOP
                return
            claims = claims[:1]
        verify, equal = self.book.verify, self.quality.digest_equal
        missed = False
        for claim in claims:
            token, digest, _, _ = claim
            if self.open_claims and self.open_claims.pop(token, None) is not None:
                self.superseded += 1
            result = verify(token, venue_ms, digest)
            if result is False:
                missed = True
                self.open_claims[token] = claim
            else:
                equal(at_ns, recovered=result is None)
        if missed or not claims:
            self._await_group(venue_ms, at_ns)
            return
        self.venue_ms = venue_ms
        if not self.open_claims:
            self.group_due_ns = None

    def _await_group(self, venue_ms: int, at_ns: int) -> None:
        """Hide the market until the group of this timestamp is complete."""
        self.group_ms = venue_ms
        self.group_due_ns = at_ns + self._config.group_silence_ms * _MS
        if self.quality.proof is not Proof.TOP:
            self.quality.proof = Proof.PENDING

    def _close_group(self, at_ns: int, why: str) -> None:
        """End the newest group: what is not equal now, with any last trade price, is missed."""
        if not self.open_claims:
            return
        claims, self.open_claims = self.open_claims, {}
        self.group_due_ns = None
        for token, digest, _, _ in claims.values():
            result = self.book.search(token, self.group_ms, digest)
            if result is False:
                self._digest_missed(at_ns, token, why)
            else:
                self._digest_equal(at_ns, self.group_ms, result=result)

    def _digest_equal(self, at_ns: int, venue_ms: int, *, result: bool | None) -> None:
        self.quality.digest_equal(at_ns, recovered=result is None)
        self.venue_ms = venue_ms

    def _digest_missed(self, at_ns: int, token: str, why: str = "") -> None:
        self._incident(Incident.DIGEST_MISMATCH, at_ns, f"token {token[:6]}… {why}".rstrip())
        self.quality.digest_missed(at_ns)

    def _check_crossed(self, at_ns: int) -> None:
        """Count a crossed book, a box below par, as the symptom it is; `on_time` suspects it."""
        if not self.book.is_crossed():
            self.crossed_since_ns = None
        elif self.crossed_since_ns is None:
            self.crossed_since_ns = at_ns
            bid_u6, ask_u6 = self.book.touch_u6(self.spec.tokens[0])
            self._incident(
                Incident.BOX_BELOW_PAR, at_ns, f"asks sum to {text_u6(U + ask_u6 - bid_u6)}"
            )

    # --- other evidence --------------------------------------------------------------------------

    def take_trade(self, trade: PublicTrade, at_ns: int) -> None:
        """Remember a public trade; it is the likeliest last input of coming digests."""
        if trade.conn != self.conn:
            return
        self.book.note_trade(trade.px_u6)
        self.trades.append((at_ns, trade))
        self.trades_total += 1
        self.last_ns = at_ns

    def take_tick(self, tick: TickChanged, at_ns: int) -> None:
        """Change the grid: a new epoch, suspect until a digest with the new tick is equal."""
        if tick.new_tick_u6 == self.book.tick_u6:
            return
        self._close_group(at_ns, "the tick changed")
        self.book.set_terms(self.spec, tick_u6=tick.new_tick_u6, tick_text=tick.new_tick_text)
        self.quality.epoch += 1
        self.quality.take(Evidence.TICK_CHANGED, at_ns)

    def take_quote(self, quote: TopQuoted, at_ns: int) -> None:
        """Compare a best-price claim; where it differs, look again when the group is over."""
        if quote.conn != self.conn or self.quality.state is BookState.EMPTY:
            return
        if self.book.touch_u6(quote.token) == (quote.bid_u6, quote.ask_u6):
            self.last_ns = at_ns
        elif quote.venue_ms >= max(self.venue_ms, self.group_ms):
            self.quoted = quote
            if self.group_due_ns is None:
                self.group_due_ns = at_ns + self._config.group_silence_ms * _MS

    def take_witness(self, witness: BookWitness, at_ns: int) -> None:
        """Weigh a REST answer: equal levels confirm, other levels of the same time contradict."""
        frame = witness.book
        if self.quality.state is BookState.EMPTY:
            return
        if self.book.agrees(frame):
            self.witnessed += 1
            self.last_ns = self.witness_ns = at_ns
        elif frame.venue_ms == self.venue_ms:
            self._incident(Incident.WITNESS_MISMATCH, at_ns, f"REST book of {frame.venue_ms}")
            self.quality.take(Evidence.WITNESS_MISMATCH, at_ns)

    def doubt(self, evidence: Evidence, at_ns: int) -> None:
        """Take evidence from outside: a refused frame, a dropped queue entry."""
        self.quality.take(evidence, at_ns)

    def lose_connection(self, at_ns: int) -> None:
        """Drop the book: nothing on the wire vouches for it any more."""
        self.conn = None
        self.book.clear()
        self.open_claims.clear()
        self.group_due_ns = None
        self.quoted = None
        self.crossed_since_ns = None
        self.venue_ms = 0
        self.parity.reset()
        self.quality.connect_lost(at_ns)

    # --- time and verdict ------------------------------------------------------------------------

    def on_time(self, now_ns: int) -> None:
        """Close a group that fell silent; suspect a book crossed or contradicted for too long."""
        if self.group_due_ns is not None and now_ns >= self.group_due_ns:
            self.group_due_ns = None
            self._close_group(now_ns, "silence")
            self._settle_quote(now_ns)
        since = self.crossed_since_ns
        limit_ns = self._config.crossed_ms * _MS
        if since is None or now_ns - since < limit_ns:
            return
        if self.quality.state is BookState.SYNCED:
            self._incident(Incident.CROSSED, now_ns, f"for {(now_ns - since) // _MS} ms")
            self.quality.take(Evidence.CROSSED, now_ns)

    def _settle_quote(self, now_ns: int) -> None:
        quote, self.quoted = self.quoted, None
        if quote is None or quote.venue_ms < self.venue_ms:
            return
        ours = self.book.touch_u6(quote.token)
        if ours != (quote.bid_u6, quote.ask_u6):
            detail = f"venue {_touch(quote.bid_u6, quote.ask_u6)}, ours {_touch(*ours)}"
            self._incident(Incident.TOP_MISMATCH, now_ns, detail)
            self.quality.take(Evidence.TOP_MISMATCH, now_ns)

    def due_ns(self) -> int | None:
        """Say when `on_time` has something to do."""
        due = self.group_due_ns
        if self.crossed_since_ns is not None and self.quality.state is BookState.SYNCED:
            crossed = self.crossed_since_ns + self._config.crossed_ms * _MS
            due = crossed if due is None else min(due, crossed)
        return due

    def sight(self) -> Sight:
        """Return what a standing answer of a strategy rests on (`strategy.api`)."""
        quality, book = self.quality, self.book
        yes, no = book.yes.px, book.no.px
        return (
            yes[-1] if yes else 0,
            no[-1] if no else 0,
            book.tick_u6,
            self.spec,
            quality.epoch,
            quality.proof,
        )

    def checkpoint(self) -> tuple[object, ...]:
        """Write the whole state as plain values, for the state digest."""
        book, quality = self.book, self.quality
        return (
            self.spec,
            book.tick_text,
            book.last_trade,
            book.yes.px,
            book.yes.qty,
            book.no.px,
            book.no.qty,
            quality.state,
            quality.proof,
            quality.reason,
            quality.epoch,
            (quality.ok, quality.recovered, quality.bad),
            quality.streak,
            self.venue_ms,
            self.trades_total,
        )

    def is_stale(self, now_ns: int) -> bool:
        """Tell whether the book is older than its limit, on our clock."""
        return self.last_ns is None or now_ns - self.last_ns > self._stale_ns

    def is_over(self, now_ns: int) -> bool:
        """Tell whether nothing more is traded: resolved, closed at its end, or long silent then."""
        end_ns = self.spec.end_ns
        if self.resolved or end_ns is None or now_ns < end_ns:
            return self.resolved
        return not self.spec.accepting or now_ns - max(end_ns, self.last_ns or 0) >= _SILENT_NS

    def is_clear(self) -> bool:
        """Tell whether nothing but age could keep the book from strategies: the usual case."""
        quality = self.quality
        return (
            quality.proof is _DIGEST
            and quality.state is _SYNCED
            and self.crossed_since_ns is None
            and not self.resolved
        )

    def blocked(self) -> Reason | None:
        """Say why strategies may not see this book, its age aside, or None."""
        if self.resolved:
            return Reason.RESOLVED
        reason = self.quality.blocked()
        if reason is None and self.crossed_since_ns is not None:
            return Reason.CROSSED
        return reason

    def _incident(self, incident: Incident, at_ns: int, detail: str) -> None:
        self._incidents.note(incident, self.spec.market, at_ns, detail)


def _touch(bid_u6: int, ask_u6: int) -> str:
    return f"{text_u6(bid_u6)}/{text_u6(ask_u6)}"
