"""The market snapshot: what a strategy sees, frozen, with the seq that caused it as its id."""

from itertools import islice

from msgspec import Struct

from polytui.engine.core.enums import Outcome, Proof
from polytui.engine.core.events import MarketSpec
from polytui.engine.core.units import U
from polytui.engine.market.tracked import Tracked

Rung = tuple[int, int]
"""(px_u6, qty_u6)."""


class MarketSnapshot(Struct, frozen=True, kw_only=True, gc=False):
    """One market at one moment: one book, seen from both tokens.

    `yes_*` and `no_*` are resting bids of each token, best last; the asks of a token are the other
    token's bids at 1 - p.
    """

    id: int
    """Seq of the event that caused it: orders made from it are attributable for free."""
    at_ns: int
    age_ns: int
    """Since the frame the book rests on was received, our clock."""
    spec: MarketSpec
    tick_u6: int
    epoch: int
    proof: Proof
    venue_ms: int
    parity_share: float
    """Share of the parity window in which the venue's two tokens mirrored each other."""
    yes_px: tuple[int, ...]
    yes_qty: tuple[int, ...]
    no_px: tuple[int, ...]
    no_qty: tuple[int, ...]

    def bids(self, outcome: Outcome) -> list[Rung]:
        """List a token's bids, best first."""
        px, qty = self._side(outcome)
        return list(zip(reversed(px), reversed(qty), strict=True))

    def asks(self, outcome: Outcome) -> list[Rung]:
        """List a token's asks, best first: the other token's bids in the mirror."""
        px, qty = self._side(Outcome.NO if outcome is Outcome.YES else Outcome.YES)
        return [(U - p, q) for p, q in zip(reversed(px), reversed(qty), strict=True)]

    def best_bid_u6(self, outcome: Outcome) -> int | None:
        """Return the best bid of a token, or None."""
        px, _ = self._side(outcome)
        return px[-1] if px else None

    def best_ask_u6(self, outcome: Outcome) -> int | None:
        """Return the best ask of a token, or None."""
        px, _ = self._side(Outcome.NO if outcome is Outcome.YES else Outcome.YES)
        return U - px[-1] if px else None

    def _side(self, outcome: Outcome) -> tuple[tuple[int, ...], tuple[int, ...]]:
        if outcome is Outcome.YES:
            return self.yes_px, self.yes_qty
        return self.no_px, self.no_qty


def take_snapshot(tracked: Tracked, *, seq: int, at_ns: int, depth: int) -> MarketSnapshot:
    """Freeze a market's book, at most `depth` levels a side."""
    book = tracked.book
    yes, no = book.yes, book.no
    return MarketSnapshot(
        id=seq,
        at_ns=at_ns,
        age_ns=at_ns - (tracked.last_ns or 0),
        spec=tracked.spec,
        tick_u6=book.tick_u6,
        epoch=tracked.quality.epoch,
        proof=tracked.quality.proof,
        venue_ms=tracked.venue_ms,
        parity_share=tracked.parity.share(at_ns),
        yes_px=tuple(yes.px[-depth:]),
        yes_qty=tuple(yes.qty[-depth:]),
        no_px=tuple(no.px[-depth:]),
        no_qty=tuple(no.qty[-depth:]),
    )


def cumulate(rungs: list[Rung], limit: int) -> list[tuple[int, int, int]]:
    """Add running totals to the best `limit` levels: (px_u6, qty_u6, cum_u6)."""
    total = 0
    rows: list[tuple[int, int, int]] = []
    for px_u6, qty_u6 in islice(rungs, limit):
        total += qty_u6
        rows.append((px_u6, qty_u6, total))
    return rows
