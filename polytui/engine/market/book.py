"""One binary market's book: applied changes, the two tokens' views, and the digest of either.

Owns the two ladders and the market-level inputs of the digest. It applies what it is given and
reports what it sees; whether the result may be trusted is `quality`'s business.
"""

from collections import deque

from polytui.engine.core.events import BookFrame, Change, Level, MarketSpec
from polytui.engine.core.units import U
from polytui.engine.market.digest import TokenDigest, likely_prices
from polytui.engine.market.ladder import Ladder

_LAST_TRADES_KEPT = 12
"""Distinct last prices tried before the full search (`market-ws-integrity.md` §4)."""


class Book:
    """Bids of YES and bids of NO; the asks of each are the other's bids mirrored."""

    __slots__ = (
        "_digests",
        "_last_trades",
        "last_trade",
        "no",
        "spec",
        "tick_text",
        "tick_u6",
        "yes",
    )

    def __init__(self, spec: MarketSpec, tick_text: str) -> None:
        """Start empty, with the catalog's terms."""
        self.spec = spec
        self.yes = Ladder()
        self.no = Ladder()
        self.tick_u6 = spec.tick_u6
        self.tick_text = tick_text
        self.last_trade = ""
        """The market's last trade price as hashed: three decimals, `""` before the first."""
        self._last_trades: deque[str] = deque(maxlen=_LAST_TRADES_KEPT)
        self._digests: dict[str, TokenDigest] = {}
        self.set_terms(spec, tick_u6=spec.tick_u6, tick_text=tick_text)

    def set_terms(self, spec: MarketSpec, *, tick_u6: int, tick_text: str) -> None:
        """Take new catalog facts or a new tick."""
        self.spec = spec
        self.tick_u6 = tick_u6
        self.tick_text = tick_text
        for token in filter(None, spec.tokens):
            if token not in self._digests:
                bids, asks = self.sides(token)
                self._digests[token] = TokenDigest(spec.market, token, bids=bids, asks=asks)
            self._digests[token].set_terms(
                min_order=spec.min_order_text,
                tick=tick_text,
                neg_risk=spec.neg_risk,
                protocol=spec.protocol,
            )

    def clear(self) -> None:
        """Forget all levels; the last trade stays a candidate."""
        self.yes.clear()
        self.no.clear()

    def replace(self, frame: BookFrame) -> None:
        """Take a full book of one token; the other token's view follows by mirroring."""
        own, other = self.sides(frame.token)
        own.load(frame.bids, is_own=True)
        other.load(frame.asks, is_own=False)

    def apply(self, changes: tuple[Change, ...]) -> bool:
        """Set every named level to its new total, in wire order.

        Stops and returns False at an entry for a token that is not this market's.
        """
        yes_token, no_token = self.spec.tokens
        yes, no = self.yes, self.no
        for token, is_buy, px_u6, qty_u6, px_text, size_text in changes:
            if token == yes_token:
                own, other = yes, no
            elif token == no_token:
                own, other = no, yes
            else:
                return False
            if is_buy:
                own.set_level(px_u6, qty_u6, px_text, size_text, is_own=True)
            else:
                other.set_level(U - px_u6, qty_u6, px_text, size_text, is_own=False)
        return True

    def sides(self, token: str) -> tuple[Ladder, Ladder]:
        """Return (the token's bids, the other token's bids)."""
        return (self.yes, self.no) if token == self.spec.tokens[0] else (self.no, self.yes)

    def touch_u6(self, token: str) -> tuple[int, int]:
        """Return the token's best bid and ask: 0 = no bid, U = no ask."""
        own, other = self.sides(token)
        return own.best_u6(), U - other.best_u6()

    def tops(self) -> tuple[int, int]:
        """Return the best bid of YES and the best bid of NO, 0 for none."""
        yes, no = self.yes.px, self.no.px
        return yes[-1] if yes else 0, no[-1] if no else 0

    def agrees(self, frame: BookFrame) -> bool:
        """Tell whether a full book has exactly our levels, whatever the spelling."""
        own, other = self.sides(frame.token)
        return _totals(frame.bids) == dict(zip(own.px, own.qty, strict=True)) and {
            U - px_u6: qty_u6 for px_u6, qty_u6 in _totals(frame.asks).items()
        } == dict(zip(other.px, other.qty, strict=True))

    def is_crossed(self) -> bool:
        """Tell whether somebody would trade with himself: best bid at or above best ask."""
        yes_u6, no_u6 = self.tops()
        return yes_u6 + no_u6 >= U and bool(yes_u6 and no_u6)

    def note_trade(self, px_u6: int) -> None:
        """Remember a trade price as the likeliest last input of coming digests."""
        self._remember(f"{px_u6 // U}.{px_u6 % U // 1000:03d}")

    def set_last_trade(self, text: str) -> None:
        """Take the last trade price from a full book, as written."""
        self._remember(text)

    def _remember(self, last_trade: str) -> None:
        if last_trade != self.last_trade:
            if self.last_trade in self._last_trades:
                self._last_trades.remove(self.last_trade)
            self._last_trades.appendleft(self.last_trade)
            self.last_trade = last_trade

    def verify(self, token: str, venue_ms: int, digest: str) -> bool | None:
        """Recompute the token's digest with what is known: True equal, None recovered, False not.

        "Recovered" means that a remembered earlier last trade price made it equal; it becomes the
        current one.
        """
        own = self._digests.get(token)
        if own is None:
            return False
        if own.of(venue_ms, self.last_trade) == digest:
            return True
        return self._recover(own.find(venue_ms, digest, self._last_trades))

    def search(self, token: str, venue_ms: int, digest: str) -> bool | None:
        """Do the same, trying every possible last trade price: about a millisecond at worst."""
        result = self.verify(token, venue_ms, digest)
        own = self._digests.get(token)
        if result is not False or own is None:
            return result
        return self._recover(own.find(venue_ms, digest, likely_prices(*self.touch_u6(token))))

    def _recover(self, last_trade: str | None) -> bool | None:
        """Take a last trade price that made a digest equal."""
        if last_trade is None:
            return False
        self._remember(last_trade)
        return None


def _totals(levels: tuple[Level, ...]) -> dict[int, int]:
    """Sum up a side as price to size, without its empty levels."""
    return {px_u6: qty_u6 for px_u6, qty_u6, _, _ in levels if qty_u6}
