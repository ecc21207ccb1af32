"""A market's book as the wire shows it: two lists of bids, for there is nothing else.

An ask for YES at p is a bid for NO at 1 - p, so the two mirrored books of a market are one pair of
bid lists. The digest is written here from the wire's rules (`venue/market-ws-integrity.md` §2) and
shares no code with the engine's verifier: that the two agree is itself a check.
"""

from bisect import bisect_left
from functools import lru_cache
from hashlib import sha1

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


class WireBook:
    """A market's levels, its tick, its last trade and when it last changed: all a digest needs."""

    __slots__ = (
        "bids",
        "changed_ms",
        "condition",
        "last_trade_text",
        "min_order_text",
        "neg_risk",
        "protocol",
        "tick_u6",
        "tokens",
    )

    def __init__(
        self,
        *,
        condition: str,
        tokens: tuple[str, str],
        tick_u6: int,
        min_qty_u6: int,
        neg_risk: bool,
        protocol: str = "v1",
        at_ms: int,
    ) -> None:
        """Start with nobody bidding and nothing traded."""
        self.condition = condition
        self.tokens = tokens
        self.tick_u6 = tick_u6
        self.min_order_text = text_u6(min_qty_u6)
        self.neg_risk = neg_risk
        self.protocol = protocol
        self.bids = (Bids(), Bids())
        """Of YES and of NO."""
        self.last_trade_text = ""
        """Always three decimals, in the terms of the token that traded; empty before the first."""
        self.changed_ms = at_ms
        """Venue time of the last change: the timestamp of the next initial book."""

    def set_level(self, *, is_bid: bool, px_u6: int, qty_u6: int) -> None:
        """Make a level hold exactly this size, in YES terms."""
        if is_bid:
            self.bids[0].set(px_u6, qty_u6)
        else:
            self.bids[1].set(U - px_u6, qty_u6)

    def set_last_trade(self, px_u6: int) -> None:
        """Remember a trade's price, in the terms of the token that traded."""
        thousandths = px_u6 // 1_000
        self.last_trade_text = f"{thousandths // 1_000}.{thousandths % 1_000:03d}"

    def ix_of(self, token: str) -> int:
        """Return 0 for the YES token, 1 for the NO token."""
        return 0 if token == self.tokens[0] else 1

    def top_texts(self, ix: int) -> tuple[str, str]:
        """Return best bid and best ask of a token as the wire writes them: 0 and 1 mean none."""
        return decimal(self.bids[ix].best_u6()), decimal(U - self.bids[1 - ix].best_u6())

    def sides_text(self, ix: int) -> str:
        """Write the bids and asks members of a token's book, compact."""
        bids, asks = ",".join(self.bids[ix].as_bids), ",".join(self.bids[1 - ix].as_asks)
        return f'"bids":[{bids}],"asks":[{asks}]'

    def digest(self, ix: int) -> str:
        """Compute the venue's digest of a token's whole book as of its last change."""
        text = (
            f'{{"market":"{self.condition}","asset_id":"{self.tokens[ix]}",'
            f'"timestamp":"{self.changed_ms}","hash":"",{self.sides_text(ix)},{self.tail_text()}}}'
        )
        return sha1(text.encode(), usedforsecurity=False).hexdigest()

    def tail_text(self) -> str:
        """Write the members that end both the digest's text and a REST book."""
        version = ',"version":"v2"' if self.protocol == "v2" else ""
        return (
            f'"min_order_size":"{self.min_order_text}","tick_size":"{decimal(self.tick_u6)}",'
            f'"neg_risk":{"true" if self.neg_risk else "false"},'
            f'"last_trade_price":"{self.last_trade_text}"{version}'
        )
