"""One market's book as the practice venue keeps it: two lists of bids, for there is nothing else.

An ask for YES at p is a bid for NO at 1 - p, so the venue's two mirrored books are one pair of bid
lists. The digest is written here from the wire's rules (`venue/market-ws-integrity.md` §2) and
shares no code with the engine's verifier: that the two agree is itself a check.
"""

from bisect import bisect_left
from functools import lru_cache
from hashlib import sha1

from polytui.engine.core.events import MarketSpec
from polytui.engine.core.units import U, text_u6

decimal = lru_cache(maxsize=1 << 16)(text_u6)
"""Prices and round sizes repeat for ever; the limit is a few megabytes."""


class Bids:
    """The bids for one token, ascending: the best stands last, as on the wire."""

    __slots__ = ("as_asks", "as_bids", "pxs", "qtys")

    def __init__(self) -> None:
        """Start empty."""
        self.pxs: list[int] = []
        self.qtys: list[int] = []
        self.as_bids: list[str] = []
        """Each level as JSON, in this token's terms."""
        self.as_asks: list[str] = []
        """The same levels as asks of the other token, hence descending."""

    def best_u6(self) -> int:
        """Return the best price, 0 when there is no bid."""
        return self.pxs[-1] if self.pxs else 0

    def qty_at_u6(self, px_u6: int) -> int:
        """Return the size at a price, 0 when there is none."""
        at = bisect_left(self.pxs, px_u6)
        return self.qtys[at] if at < len(self.pxs) and self.pxs[at] == px_u6 else 0

    def set(self, px_u6: int, qty_u6: int) -> None:
        """Make a level hold exactly this size; 0 removes it."""
        at = bisect_left(self.pxs, px_u6)
        if at < len(self.pxs) and self.pxs[at] == px_u6:
            del self.pxs[at], self.qtys[at], self.as_bids[at], self.as_asks[at]
        if qty_u6:
            size = decimal(qty_u6)
            self.pxs.insert(at, px_u6)
            self.qtys.insert(at, qty_u6)
            self.as_bids.insert(at, f'{{"price":"{decimal(px_u6)}","size":"{size}"}}')
            self.as_asks.insert(at, f'{{"price":"{decimal(U - px_u6)}","size":"{size}"}}')


class PracticeBook:
    """A market's two bid lists, its tick, its last trade and when it last changed."""

    __slots__ = ("bids", "changed_ms", "last_trade_text", "spec", "tick_u6")

    def __init__(self, spec: MarketSpec, *, at_ms: int) -> None:
        """Start with nobody bidding and nothing traded."""
        self.spec = spec
        self.tick_u6 = spec.tick_u6
        self.bids = (Bids(), Bids())
        """Of YES and of NO."""
        self.last_trade_text = ""
        """Always three decimals, in the terms of the token that traded; empty before the first."""
        self.changed_ms = at_ms
        """Venue time of the last change: the timestamp of the next initial book."""

    def top_texts(self, ix: int) -> tuple[str, str]:
        """Return best bid and best ask of a token as the wire writes them: 0 and 1 mean none."""
        return decimal(self.bids[ix].best_u6()), decimal(U - self.bids[1 - ix].best_u6())

    def sides_text(self, ix: int) -> str:
        """Write the bids and asks members of a token's book, compact."""
        bids, asks = ",".join(self.bids[ix].as_bids), ",".join(self.bids[1 - ix].as_asks)
        return f'"bids":[{bids}],"asks":[{asks}]'

    def digest(self, ix: int) -> str:
        """Compute the venue's digest of a token's whole book as of its last change."""
        spec = self.spec
        text = (
            f'{{"market":"{spec.market}","asset_id":"{spec.tokens[ix]}",'
            f'"timestamp":"{self.changed_ms}","hash":"",{self.sides_text(ix)},'
            f'"min_order_size":"{spec.min_order_text}","tick_size":"{decimal(self.tick_u6)}",'
            f'"neg_risk":{"true" if spec.neg_risk else "false"},'
            f'"last_trade_price":"{self.last_trade_text}"}}'
        )
        return sha1(text.encode(), usedforsecurity=False).hexdigest()
