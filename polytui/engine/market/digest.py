"""The venue's book digest: SHA-1 over a token's whole book as compact JSON.

Routine, group rule and vectors: `venue/market-ws-integrity.md` §2-§4 (611,309 of 611,309 recorded
frames). Equality proves every level; it is the gap proof that a feed without sequence numbers
lacks. `last_trade_price` is the last input and not always on the wire: the digest state before it
is copied and finished once per candidate.
"""

from collections.abc import Iterable, Iterator
from hashlib import sha1

from polytui.engine.core.units import U
from polytui.engine.market.ladder import Ladder

_STEP_U6 = 1_000
"""`last_trade_price` has three decimals in every recorded frame."""


class DigestInputs:
    """What the digest needs besides the levels: market-level facts, as bytes."""

    __slots__ = ("_after_asks", "_before_time", "ending")

    def __init__(self, market: str, token: str) -> None:
        """Prepare the constant beginning of the text."""
        self._before_time = f'{{"market":"{market}","asset_id":"{token}","timestamp":"'
        self._after_asks = b""
        self.ending = b""
        """What follows the last trade price."""

    def set_terms(self, *, min_order: str, tick: str, neg_risk: bool, protocol: str) -> None:
        """Prepare the constant end: call again when the tick changes."""
        flag = '"neg_risk":true' if neg_risk else '"neg_risk":false'
        version = ',"version":"v2"' if protocol == "v2" else ""
        self._after_asks = (
            f'],"min_order_size":"{min_order}","tick_size":"{tick}",{flag},"last_trade_price":"'
        ).encode()
        self.ending = f'"{version}}}'.encode()

    def text(self, venue_ms: int, bids: Ladder, asks: Ladder) -> bytes:
        """Write the hashed text up to, not including, the last trade price.

        `bids` are the token's own ladder, `asks` the other token's, shown in the mirror.
        """
        return b"".join(
            (
                f'{self._before_time}{venue_ms}","hash":"","bids":['.encode(),
                bids.own_bytes(),
                b'],"asks":[',
                asks.mirror_bytes(),
                self._after_asks,
            )
        )


def find_last_trade(
    text: bytes, ending: bytes, digest: str, candidates: Iterable[str]
) -> str | None:
    """Return the first candidate with which the digest verifies, or None."""
    prefix = sha1(text, usedforsecurity=False)
    for candidate in candidates:
        whole = prefix.copy()
        whole.update(candidate.encode() + ending)
        if whole.hexdigest() == digest:
            return candidate
    return None


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
