"""One side of a book: the bids of one token, cheapest first, with the texts that are hashed.

A binary market has one book. We keep it as two ladders: the bids of YES and the bids of NO. An ask
of YES at p *is* a bid of NO at 1 - p, so the asks of either token are the other's bids in the
mirror, and the venue lists both in the same order (worst to best). Prices are an ascending list of
integers with parallel lists of sizes and texts: `bisect` finds a level in C, the best is the last
element, a slice is the top of the book, and joining the texts gives the digest's input. Bounded by
`LEVELS_MAX`. Measured against a presence array in docs/adr/0002.
"""

from bisect import bisect_left
from collections.abc import Iterable

from polytui.engine.core.events import Level
from polytui.engine.core.units import U, text_u6

LEVELS_MAX = 10_001
"""The finest grid has this many prices; more levels than that cannot be on a grid."""

_OPEN = '{"price":"'
_MIDDLE = '","size":"'
_CLOSE = '"},'


class Ladder:
    """Resting interest on one side, by price of its own token."""

    __slots__ = (
        "_last_px",
        "_last_size",
        "_mirror",
        "_own",
        "is_odd",
        "mirror_px",
        "mirror_text",
        "own_px",
        "own_text",
        "px",
        "qty",
        "size_text",
    )

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
        self.own_px: list[str] = []
        """Prices the way the venue usually writes them."""
        self.mirror_px: list[str] = []
        """The same of the other token's asks."""
        self.is_odd = False
        """True once a price came in another spelling than the venue's usual one."""
        self._own: bytes | None = b""
        self._mirror: bytes | None = b""
        self._last_px = 0
        """The level set last, and its size as received; 0 for none."""
        self._last_size = ""

    def __len__(self) -> int:
        """Count levels."""
        return len(self.px)

    def clear(self) -> None:
        """Forget everything."""
        for numbers in (self.px, self.qty):
            numbers.clear()
        for texts in (self.size_text, self.own_text, self.mirror_text, self.own_px, self.mirror_px):
            texts.clear()
        self.is_odd = False
        self._own = self._mirror = None
        self._last_px = 0

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
        if (
            px_u6 == self._last_px
            and size_text == self._last_size
            and px_text in _USUAL
            and not self.is_odd
        ):
            return  # the usual second entry of a message: this level as the other token shows it
        px = self.px
        at = bisect_left(px, px_u6)
        present = at < len(px) and px[at] == px_u6
        self._last_px = px_u6
        self._last_size = size_text
        if not qty_u6:
            if present:
                self._remove(at)
            return
        heads = _USUAL.get(px_text) or self._learn(px_u6, px_text, is_own=is_own)
        if present and self.size_text[at] == size_text:
            if self.is_odd:
                self._respell(at, px_text, size_text, is_own=is_own)
            return
        rest = size_text + _CLOSE
        named, shown = heads[0] + rest, heads[1] + rest
        self._own = self._mirror = None
        if present:
            self.qty[at] = qty_u6
            self.size_text[at] = size_text
            self.own_text[at], self.mirror_text[at] = (named, shown) if is_own else (shown, named)
            return
        assert len(px) < LEVELS_MAX, f"more than {LEVELS_MAX} levels"
        px.insert(at, px_u6)
        self.qty.insert(at, qty_u6)
        self.size_text.insert(at, size_text)
        self.own_text.insert(at, named if is_own else shown)
        self.mirror_text.insert(at, shown if is_own else named)
        self.own_px.insert(at, heads[2 if is_own else 3])
        self.mirror_px.insert(at, heads[3 if is_own else 2])

    def _remove(self, at: int) -> None:
        del self.px[at], self.qty[at], self.size_text[at]
        del self.own_text[at], self.mirror_text[at], self.own_px[at], self.mirror_px[at]
        self._own = self._mirror = None
        self._last_px = 0

    def _learn(self, px_u6: int, px_text: str, *, is_own: bool) -> "_Heads":
        """Write the heads of a price not seen so far, or of one in an unusual spelling."""
        usual, other = text_u6(px_u6), text_u6(U - px_u6)
        if not is_own:
            usual, other = other, usual
        heads = (_OPEN + px_text + _MIDDLE, _OPEN + other + _MIDDLE, usual, other)
        if px_text != usual:
            self.is_odd = True
            return heads
        if len(_USUAL) >= LEVELS_MAX * 2:
            _USUAL.clear()
        _USUAL[px_text] = heads
        return heads

    def _respell(self, at: int, px_text: str, size_text: str, *, is_own: bool) -> None:
        """Show a level to the token that was named as it was now written."""
        column = self.own_text if is_own else self.mirror_text
        column[at] = _OPEN + px_text + _MIDDLE + size_text + _CLOSE
        self._own = self._mirror = None

    def load(self, levels: tuple[Level, ...], *, is_own: bool) -> None:
        """Become exactly these levels, touching only what differs: full books repeat themselves."""
        if self.is_odd:
            self.clear()
        shown = self.own_px if is_own else self.mirror_px
        texts = [level[2] for level in levels]
        changed: Iterable[Level]
        if texts == shown:
            known = zip(levels, self.size_text, strict=True)
            changed = [level for level, size in known if level[3] != size]
        elif len(named := set(texts)) == len(texts):
            sizes = dict(zip(shown, self.size_text, strict=True)).get
            for at in [at for at, text in enumerate(shown) if text not in named][::-1]:
                self._remove(at)
            changed = [level for level in levels if sizes(level[2]) != level[3]]
        else:  # a level named twice: the last one counts
            self.clear()
            changed = levels
        for px_u6, qty_u6, px_text, size_text in changed:
            own_u6 = px_u6 if is_own else U - px_u6
            self.set_level(own_u6, qty_u6, px_text, size_text, is_own=is_own)

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


_Heads = tuple[str, str, str, str]
"""Beginnings of a level's text, as the token that was named shows it and as the other one does;
then the price in the usual spelling of either."""

_USUAL: dict[str, _Heads] = {}
"""Heads by price text, of prices spelt the venue's usual way only; bounded by the grid."""
