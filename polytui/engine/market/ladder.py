"""One side of a book: the bids of one token, cheapest first, with the texts that are hashed.

A binary market has one book. We keep it as two ladders: the bids of YES and the bids of NO. An ask
of YES at p *is* a bid of NO at 1 - p, so the asks of either token are the other's bids in the
mirror, and the venue lists both in the same order (worst to best). Prices are an ascending list of
integers with parallel lists of sizes and texts: `bisect` finds a level in C, the best is the last
element, a slice is the top of the book, and joining the texts gives the digest's input. Bounded by
`LEVELS_MAX`. Measured against a presence array in docs/adr/0002.
"""

from bisect import bisect_left

from polytui.engine.core.events import Level
from polytui.engine.core.units import U, text_u6

LEVELS_MAX = 10_001
"""The finest grid has this many prices; more levels than that cannot be on a grid."""

_OPEN = '{"price":"'
_MIDDLE = '","size":"'
_CLOSE = '"},'


class Ladder:
    """Resting interest on one side, by price of its own token."""

    __slots__ = ("_mirror", "_own", "is_odd", "mirror_text", "own_text", "px", "qty", "size_text")

    def __init__(self) -> None:
        """Start empty."""
        self.px: list[int] = []
        """Prices in micro-units, ascending: the best bid is the last."""
        self.qty: list[int] = []
        """Sizes in micro-shares, all positive."""
        self.size_text: list[str] = []
        """Sizes exactly as received."""
        self.own_text: list[str] = []
        """Each level as a bid of this token, as the venue writes it."""
        self.mirror_text: list[str] = []
        """Each level as an ask of the other token."""
        self.is_odd = False
        """True once a price came in another spelling than the venue's usual one."""
        self._own: bytes | None = b""
        self._mirror: bytes | None = b""

    def __len__(self) -> int:
        """Count levels."""
        return len(self.px)

    def clear(self) -> None:
        """Forget everything."""
        for column in (self.px, self.qty, self.size_text, self.own_text, self.mirror_text):
            column.clear()
        self.is_odd = False
        self._own = self._mirror = None

    def best_u6(self) -> int:
        """Return the best bid, 0 when there is none."""
        px = self.px
        return px[-1] if px else 0

    def set_level(
        self, px_u6: int, qty_u6: int, px_text: str, size_text: str, *, is_own: bool
    ) -> None:
        """Set a level's total; zero removes it. Texts are those of the token that was named.

        `px_u6` is in this ladder's terms; with `is_own` False, `px_text` is the mirrored price.
        """
        px = self.px
        at = bisect_left(px, px_u6)
        present = at < len(px) and px[at] == px_u6
        if not qty_u6:
            if present:
                del px[at], self.qty[at], self.size_text[at], self.own_text[at]
                del self.mirror_text[at]
                self._own = self._mirror = None
            return
        spelling = _SPELLINGS.get(px_u6) or _spell(px_u6)
        is_usual = px_text == spelling[is_own]
        if present and self.size_text[at] == size_text:
            if self.is_odd or not is_usual:
                column = self.own_text if is_own else self.mirror_text
                column[at] = _OPEN + px_text + _MIDDLE + size_text + _CLOSE
                self.is_odd = True
                self._own = self._mirror = None
            return
        self._own = self._mirror = None
        if not is_usual:
            self.is_odd = True
            spelling = _spell_as(spelling, px_text, is_own=is_own)
        own = spelling[2] + size_text + _CLOSE
        mirror = spelling[3] + size_text + _CLOSE
        if present:
            self.qty[at] = qty_u6
            self.size_text[at] = size_text
            self.own_text[at] = own
            self.mirror_text[at] = mirror
            return
        assert len(px) < LEVELS_MAX, f"more than {LEVELS_MAX} levels"
        px.insert(at, px_u6)
        self.qty.insert(at, qty_u6)
        self.size_text.insert(at, size_text)
        self.own_text.insert(at, own)
        self.mirror_text.insert(at, mirror)

    def load(self, levels: tuple[Level, ...], *, is_own: bool) -> None:
        """Become exactly these levels, touching only what differs: full books repeat themselves."""
        if self.is_odd:
            self.clear()
        known = dict(zip(self.px, self.size_text, strict=True)).get
        spelling_of = _SPELLINGS.get
        seen = set()
        for px_u6, qty_u6, px_text, size_text in levels:
            own_u6 = px_u6 if is_own else U - px_u6
            if qty_u6:
                seen.add(own_u6)
            spelling = spelling_of(own_u6)
            if known(own_u6) != size_text or spelling is None or spelling[is_own] != px_text:
                self.set_level(own_u6, qty_u6, px_text, size_text, is_own=is_own)
        if len(seen) != len(self.px):
            for own_u6 in [px_u6 for px_u6 in self.px if px_u6 not in seen]:
                self.set_level(own_u6, 0, "", "", is_own=is_own)

    def own_bytes(self) -> bytes:
        """Join the levels as bids of this token, cheapest first; kept until something changes."""
        own = self._own
        if own is None:
            own = self._own = "".join(self.own_text)[:-1].encode()
        return own

    def mirror_bytes(self) -> bytes:
        """Join the levels as asks of the other token, dearest first; kept likewise."""
        mirror = self._mirror
        if mirror is None:
            mirror = self._mirror = "".join(self.mirror_text)[:-1].encode()
        return mirror

    def top(self, depth: int) -> tuple[tuple[int, int], ...]:
        """Return the best levels as (px_u6, qty_u6), best first."""
        return tuple(zip(self.px[: -depth - 1 : -1], self.qty[: -depth - 1 : -1], strict=True))


_Spelling = tuple[str, str, str, str]
"""(price as the other token shows it, price, beginning of the text as a bid, as the other's ask):
indexed by `is_own` for the price."""

_SPELLINGS: dict[int, _Spelling] = {}
"""How the venue usually writes each price; bounded by the grid."""


def _spell(px_u6: int) -> _Spelling:
    """Write a price of this ladder, and its mirror, the venue's usual way, and remember it."""
    own, other = text_u6(px_u6), text_u6(U - px_u6)
    if len(_SPELLINGS) >= LEVELS_MAX * 2:
        _SPELLINGS.clear()
    spelling = (other, own, _OPEN + own + _MIDDLE, _OPEN + other + _MIDDLE)
    _SPELLINGS[px_u6] = spelling
    return spelling


def _spell_as(usual: _Spelling, px_text: str, *, is_own: bool) -> _Spelling:
    """Use an unusual spelling for the token that was named."""
    named = _OPEN + px_text + _MIDDLE
    other, own, own_head, mirror_head = usual
    if is_own:
        return (other, px_text, named, mirror_head)
    return (px_text, own, own_head, named)
