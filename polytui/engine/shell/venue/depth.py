"""Whole books of the reference exchanges around the hidden price: Binance's depth, Coinbase's.

The practice world prints quotes and trades; books with many levels are only made while somebody
reads them. Each step compares the ladder that should be with the one told, and tells the
difference, as the real streams do (`venue/external-feeds.md` §1.2, §3.3).
"""

from collections.abc import Callable
from typing import Final

from msgspec.json import encode

from polytui.engine.core.rng import Rng
from polytui.engine.sim.reference_frames import iso_text

LEVELS: Final = 40
GAP_CENTS: Final = 25
"""Distance of neighbouring levels."""
RESIZED: Final = 3
"""Levels a side that change their size in one step."""

Level = tuple[int, int]
"""(price in cents, size in 1e-8)."""
Change = tuple[bool, int, int]
"""(is_bid, price in cents, new size in 1e-8); 0 removes."""


class DepthBook:
    """One ladder: levels on a grid of a quarter dollar around a price."""

    def __init__(self, price: Callable[[], float], rng: Rng) -> None:
        """Follow a price."""
        self._price = price
        self._rng = rng
        self.sides: tuple[dict[int, int], dict[int, int]] = ({}, {})
        """Bids and asks: price in cents to size in 1e-8."""
        self.step()

    def step(self) -> list[Change]:
        """Move with the price; return what changed."""
        centre = round(self._price() * 100) // GAP_CENTS * GAP_CENTS
        wanted = (
            [centre - GAP_CENTS * n for n in range(LEVELS)],
            [centre + GAP_CENTS * (n + 1) for n in range(LEVELS)],
        )
        changes: list[Change] = []
        for is_bid, side, prices in zip((True, False), self.sides, wanted, strict=True):
            changes += [(is_bid, px, 0) for px in sorted(side.keys() - set(prices))]
            for px in side.keys() - set(prices):
                del side[px]
            resized = {prices[self._rng.below(LEVELS)] for _ in range(RESIZED)}
            for px in prices:
                if px not in side or px in resized:
                    side[px] = 1_000_000 + self._rng.below(300_000_000)
                    changes.append((is_bid, px, side[px]))
        return changes

    def levels(self, *, is_bid: bool) -> list[Level]:
        """List a side, best first."""
        side = self.sides[0 if is_bid else 1]
        return sorted(side.items(), reverse=is_bid)


class BinanceDepth:
    """`depth@100ms` of one symbol, and its REST snapshot."""

    def __init__(self, symbol: str, book: DepthBook) -> None:
        """Start the ids somewhere plausible."""
        self._symbol = symbol
        self._book = book
        self.last_id = 72_000_000_000

    def step(self, at_ms: int) -> bytes:
        """Write one event; its first id follows the last one's."""
        changes = self._book.step()
        first = self.last_id + 1
        self.last_id += max(1, len(changes))
        data = {
            "e": "depthUpdate",
            "E": at_ms,
            "s": self._symbol,
            "U": first,
            "u": self.last_id,
            "b": [[cents(px), coins(qty)] for is_bid, px, qty in changes if is_bid],
            "a": [[cents(px), coins(qty)] for is_bid, px, qty in changes if not is_bid],
        }
        return encode({"stream": f"{self._symbol.lower()}@depth@100ms", "data": data})

    def snapshot(self, limit: int) -> bytes:
        """Write the answer of `GET /api/v3/depth`."""
        sides = (self._book.levels(is_bid=True), self._book.levels(is_bid=False))
        bids, asks = ([[cents(px), coins(qty)] for px, qty in side[:limit]] for side in sides)
        return encode({"lastUpdateId": self.last_id, "bids": bids, "asks": asks})


class CoinbaseDepth:
    """`level2_batch` of one product."""

    def __init__(self, product: str, book: DepthBook) -> None:
        """Speak for a book."""
        self._product = product
        self._book = book

    def snapshot(self) -> bytes:
        """Write the whole book, as a fresh subscription gets it."""
        sides = (self._book.levels(is_bid=True), self._book.levels(is_bid=False))
        bids, asks = ([[cents(px)[:-6], coins(qty)] for px, qty in side] for side in sides)
        return encode({"type": "snapshot", "product_id": self._product, "bids": bids, "asks": asks})

    def step(self, at_ns: int) -> bytes:
        """Write one batch of changes; sizes are absolute."""
        changes = [
            ["buy" if is_bid else "sell", cents(px)[:-6], coins(qty) if qty else "0"]
            for is_bid, px, qty in self._book.step()
        ]
        return encode(
            {
                "type": "l2update",
                "product_id": self._product,
                "changes": changes,
                "time": iso_text(at_ns),
            }
        )


def cents(px: int) -> str:
    """Write a price with Binance's eight decimals."""
    return f"{px // 100}.{px % 100:02d}000000"


def coins(qty: int) -> str:
    """Write a size with eight decimals."""
    return f"{qty // 10**8}.{qty % 10**8:08d}"
