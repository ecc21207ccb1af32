"""The venue's book digest: SHA-1 over a token's whole book as compact JSON.

Routine, group rule and vectors: `venue/market-ws-integrity.md` §2-§4 (611,309 of 611,309 recorded
frames). Equality proves every level; it is the gap proof that a feed without sequence numbers
lacks. `last_trade_price` is the last input and not always on the wire: the digest state before it
is copied and finished once per candidate.
"""

from collections.abc import Iterable, Iterator
from hashlib import sha1
from typing import TYPE_CHECKING

from polytui.engine.core.units import U
from polytui.engine.market.ladder import Ladder

if TYPE_CHECKING:
    from hashlib import _Hash as HASH

_STEP_U6 = 1_000
"""`last_trade_price` has three decimals in every recorded frame."""


class TokenDigest:
    """The digest of one token's book: the two ladders it shows, and the market's own facts."""

    __slots__ = ("_after_asks", "_asks", "_before_time", "_bids", "_ending", "_last", "_tail")

    def __init__(self, market: str, token: str, *, bids: Ladder, asks: Ladder) -> None:
        """Hash the constant beginning; `asks` are the other token's bids, shown in the mirror."""
        text = f'{{"market":"{market}","asset_id":"{token}","timestamp":"'
        self._before_time = sha1(text.encode(), usedforsecurity=False)
        self._bids = bids
        self._asks = asks
        self._after_asks = self._ending = self._last = ""
        self._tail = b""
        """What stands behind the asks when the last trade price is `_last`."""

    def set_terms(self, *, min_order: str, tick: str, neg_risk: bool, protocol: str) -> None:
        """Prepare the constant end: call again when the tick changes."""
        flag = '"neg_risk":true' if neg_risk else '"neg_risk":false'
        version = ',"version":"v2"' if protocol == "v2" else ""
        self._after_asks = (
            f'],"min_order_size":"{min_order}","tick_size":"{tick}",{flag},"last_trade_price":"'
        )
        self._ending = f'"{version}}}'
        self._tail = self._tail_with(self._last)

    def _tail_with(self, last_trade: str) -> bytes:
        return f"{self._after_asks}{last_trade}{self._ending}".encode()

    def of(self, venue_ms: int, last_trade: str) -> str:
        """Return the digest of the book as it is, with this last trade price.

        Pieces instead of one text: less is copied, and a piece below 2 kB keeps the interpreter's
        lock, so that a thread beside the loop does not get it in the middle of a message.
        """
        if last_trade != self._last:
            self._last, self._tail = last_trade, self._tail_with(last_trade)
        whole = self._begin(venue_ms)
        whole.update(self._tail)
        return whole.hexdigest()

    def find(self, venue_ms: int, digest: str, candidates: Iterable[str]) -> str | None:
        """Return the first last trade price with which the digest is this one, or None."""
        prefix = self._begin(venue_ms)
        for candidate in candidates:
            whole = prefix.copy()
            whole.update(self._tail_with(candidate))
            if whole.hexdigest() == digest:
                return candidate
        return None

    def _begin(self, venue_ms: int) -> "HASH":
        """Hash everything up to the asks."""
        text = self._before_time.copy()
        update = text.update
        update(b'%d","hash":"","bids":[' % venue_ms)
        update(self._bids.own_bytes())
        update(b'],"asks":[')
        update(self._asks.mirror_bytes())
        return text


def likely_prices(bid_u6: int, ask_u6: int) -> Iterator[str]:
    """Yield every possible `last_trade_price`, the likeliest first.

    Trades print at the touch, in the terms of either token; so walk outwards from bid and ask and
    their mirrors, then the empty text of a market that never traded. 1,002 candidates at most.
    """
    top = U // _STEP_U6
    starts = {px // _STEP_U6 for px in (bid_u6, ask_u6, U - bid_u6, U - ask_u6)}
    seen = bytearray(top + 1)
    yield ""
    for distance in range(top + 1):
        for start in sorted(starts):
            for step in (start - distance, start + distance):
                if 0 <= step <= top and not seen[step]:
                    seen[step] = 1
                    yield f"{step // 1000}.{step % 1000:03d}"
