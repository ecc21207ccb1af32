"""How the practice crowd trades: it quotes around a fair price, churns, and hits the touch.

Each call changes a book and returns the frames that tell it: one group, one timestamp, the digests
of all its frames those of the finished book. Within a group and after it the book is never crossed
(`cross` excepted, which is a scripted trouble).
"""

from math import exp

from msgspec import Struct

from polytui.engine.core.rng import Rng
from polytui.engine.core.units import U, floor_to_tick_u6
from polytui.engine.sim import practice_wire as wire
from polytui.engine.sim.practice_books import PracticeBook

LEVELS_MIN = 12
LEVELS_MAX = 36
LEVELS_START = 24
"""Levels per side: never churned below, never above, and at the start."""

ROUND_SIZES = (5, 10, 15, 20, 25, 40, 50, 75, 100, 150, 200, 250, 300, 500, 1_000)
QTY_STEP_U6 = 10_000
"""Sizes have two decimals."""

Op = tuple[int, int, int]
"""(token index, px_u6, qty_u6): the bids of that token at that price now hold that much."""


class Frame(Struct, frozen=True, gc=False):
    """One frame of a group."""

    data: bytes
    moved_top: bool = False
    """The frame carries a change of the best price: losing it is seen at once."""


def seed_levels(book: PracticeBook, fair_u6: int, rng: Rng) -> None:
    """Fill an empty book around a fair price."""
    for ix, bids in enumerate(book.bids):
        px_u6 = _target_u6(book, ix, fair_u6)
        while px_u6 > 0 and len(bids.pxs) < LEVELS_START:
            bids.set(px_u6, _qty_u6(rng, depth=len(bids.pxs)))
            gap = 1 if len(bids.pxs) < LEVELS_START // 2 else rng.between(1, 3)
            px_u6 -= gap * book.tick_u6


def quote(book: PracticeBook, fair_u6: int, rng: Rng, *, at_ms: int) -> list[Frame]:
    """Let the crowd re-quote: one to four changes, mostly each in a frame of its own."""
    _begin(book, at_ms)
    tops = book.top_texts(0)
    batches: list[list[wire.Entry]] = []
    for _ in range(1 + min(3, int(rng.exponential(0.7)))):
        entries = _apply(book, _next_quote(book, fair_u6, rng), rng)
        if batches and rng.chance(0.2):
            batches[-1] += entries
        else:
            batches.append(entries)
    frames = _changes(book, batches, tops)
    return frames + (_tops(book) if book.top_texts(0) != tops else [])


def trade(book: PracticeBook, rng: Rng, *, at_ms: int) -> list[Frame]:
    """Let a taker hit the best bid of one of the tokens; nothing happens on an empty side."""
    ix = rng.below(2)
    bids = book.bids[ix]
    px_u6 = bids.best_u6()
    if not px_u6:
        return []
    _begin(book, at_ms)
    tops = book.top_texts(0)
    left_u6 = bids.qty_at_u6(px_u6)
    qty_u6 = left_u6 if rng.chance(0.1) else min(left_u6, _qty_u6(rng, depth=0))
    named = rng.below(2)
    """The venue reports the trade on one of the two tokens."""
    traded_px_u6 = px_u6 if named == ix else U - px_u6
    thousandths = traded_px_u6 // 1_000
    book.last_trade_text = f"{thousandths // 1_000}.{thousandths % 1_000:03d}"
    batches = [_apply(book, (ix, px_u6, left_u6 - qty_u6), rng)]
    print_ = wire.last_trade(
        book,
        named,
        is_buy=named != ix,
        px_u6=traded_px_u6,
        qty_u6=qty_u6,
        tx=f"0x{rng.next_u64():016x}{rng.next_u64():016x}" + "0" * 32,
    )
    told = _changes(book, batches, tops) + [Frame(wire.book(book, side)) for side in (0, 1)]
    told = [Frame(print_), *told] if rng.chance(0.5) else [*told, Frame(print_)]
    return told + (_tops(book) if book.top_texts(0) != tops else [])


def refine_tick(book: PracticeBook, *, at_ms: int) -> list[Frame]:
    """Make the grid ten times finer, as the venue does beyond 0.96 and below 0.04."""
    _begin(book, at_ms)
    old_u6, book.tick_u6 = book.tick_u6, book.tick_u6 // 10
    return [Frame(wire.tick_change(book, ix, old_u6=old_u6)) for ix in (0, 1)]


def cross(book: PracticeBook, rng: Rng, *, at_ms: int) -> tuple[int, list[Frame]]:
    """Bid for YES at its ask, which no venue does: return the price and the frames."""
    px_u6 = U - book.bids[1].best_u6()
    _begin(book, at_ms)
    tops = book.top_texts(0)
    qty_u6 = book.bids[0].qty_at_u6(px_u6) + 25 * U
    return px_u6, _changes(book, [_apply(book, (0, px_u6, qty_u6), rng)], tops)


def uncross(book: PracticeBook, px_u6: int, rng: Rng, *, at_ms: int) -> list[Frame]:
    """Take the crossing bid out again."""
    _begin(book, at_ms)
    tops = book.top_texts(0)
    return _changes(book, [_apply(book, (0, px_u6, 0), rng)], tops)


def _begin(book: PracticeBook, at_ms: int) -> None:
    """Open a group: two groups of a market never share a timestamp."""
    book.changed_ms = max(at_ms, book.changed_ms + 1)


def _apply(book: PracticeBook, op: Op, rng: Rng) -> list[wire.Entry]:
    """Carry out one change and write it down for both tokens, the one acted on first."""
    ix, px_u6, qty_u6 = op
    book.bids[ix].set(px_u6, qty_u6)
    own: wire.Entry = (ix, True, px_u6, qty_u6, *book.top_texts(ix))
    mirror: wire.Entry = (1 - ix, False, U - px_u6, qty_u6, *book.top_texts(1 - ix))
    return [own, mirror] if rng.chance(0.5) else [mirror, own]


def _changes(
    book: PracticeBook, batches: list[list[wire.Entry]], tops: tuple[str, str]
) -> list[Frame]:
    """Write the frames of a finished group; `tops` are the YES prices before it."""
    digests = (book.digest(0), book.digest(1))
    frames: list[Frame] = []
    for entries in batches:
        after = next(entry[4:6] for entry in reversed(entries) if entry[0] == 0)
        frames.append(Frame(wire.price_change(book, entries, digests), after != tops))
        tops = after
    return frames


def _tops(book: PracticeBook) -> list[Frame]:
    return [Frame(wire.best_bid_ask(book, ix)) for ix in (0, 1)]


def _next_quote(book: PracticeBook, fair_u6: int, rng: Rng) -> Op:
    """Choose one change: pull what is too dear, else improve, else churn behind the touch."""
    first = rng.below(2)
    targets = (_target_u6(book, 0, fair_u6), _target_u6(book, 1, fair_u6))
    for ix in (first, 1 - first):
        best_u6 = book.bids[ix].best_u6()
        if best_u6 > targets[ix]:
            return ix, best_u6, 0
    ix = first if targets[first] else 1 - first
    bids = book.bids[ix]
    best_u6 = bids.best_u6()
    if best_u6 < targets[ix] and (not best_u6 or rng.chance(0.6)):
        return ix, targets[ix], _qty_u6(rng, depth=0)
    if len(bids.pxs) > LEVELS_MAX:
        return ix, bids.pxs[0], 0
    depth = int(rng.exponential(3.0))
    px_u6 = best_u6 - depth * book.tick_u6
    if px_u6 <= 0:
        depth, px_u6 = 0, best_u6
    if depth and len(bids.pxs) > LEVELS_MIN and bids.qty_at_u6(px_u6) and rng.chance(0.4):
        return ix, px_u6, 0
    return ix, px_u6, _qty_u6(rng, depth=depth)


def _target_u6(book: PracticeBook, ix: int, fair_u6: int) -> int:
    """Return the best price anybody should bid for a token; 0 when none is on the grid."""
    own_u6 = fair_u6 if ix == 0 else U - fair_u6
    return max(0, floor_to_tick_u6(own_u6 - book.tick_u6 * 6 // 10, book.tick_u6))


def _qty_u6(rng: Rng, *, depth: int) -> int:
    """Draw a size: round ones often, others log-normal, larger behind the touch."""
    if rng.chance(0.4):
        return ROUND_SIZES[rng.below(len(ROUND_SIZES))] * U
    shares = exp(3.8 + 0.06 * min(depth, 20) + rng.normal())
    return max(5 * U, min(20_000 * U, round(shares * 100) * QTY_STEP_U6))
