"""The catalog: which markets exist, by small index, in the order the log first names them."""

from msgspec.structs import replace

from polytui.engine.core.events import MarketSpec
from polytui.engine.core.ids import MarketIx

MARKETS_MAX = 5_000
"""Markets known at one time; a listing above it is refused and counted."""


class Catalog:
    """Specs by index, condition id and token."""

    __slots__ = ("_by_market", "_by_token", "entered", "refused", "specs", "titles")

    def __init__(self) -> None:
        """Start empty."""
        self.specs: dict[MarketIx, MarketSpec] = {}
        self.entered = 0
        """Markets ever entered: the next index, because none is given twice."""
        self._by_market: dict[str, MarketIx] = {}
        self._by_token: dict[str, MarketIx] = {}
        self.refused = 0
        self.titles: dict[str, str] = {}

    def find(self, market: str) -> MarketIx | None:
        """Return the index of a condition id, or None."""
        return self._by_market.get(market)

    def find_token(self, token: str) -> MarketIx | None:
        """Return the index of the market a token belongs to, or None."""
        return self._by_token.get(token)

    def enter(self, spec: MarketSpec) -> MarketIx | None:
        """Add or update a market; None when it contradicts what is known or the catalog is full.

        A token belongs to one market for ever, and a market keeps its tokens and their order.
        """
        ix = self._by_market.get(spec.market)
        if any(self._by_token.get(token, ix) != ix for token in spec.tokens if token):
            self.refused += 1
            return None
        if ix is None:
            if len(self.specs) >= MARKETS_MAX or spec.tokens[0] == spec.tokens[1]:
                self.refused += 1
                return None
            ix = MarketIx(self.entered)
            self.entered += 1
            self._by_market[spec.market] = ix
        elif not _same_tokens(self.specs[ix].tokens, spec.tokens):
            self.refused += 1
            return None
        self.specs[ix] = spec
        self.titles[spec.market] = spec.title
        for token in filter(None, spec.tokens):
            self._by_token[token] = ix
        return ix

    def forget(self, ix: MarketIx) -> None:
        """Drop a market; a later listing of it begins anew, under another index."""
        spec = self.specs.pop(ix)
        del self._by_market[spec.market]
        del self.titles[spec.market]
        for token in filter(None, spec.tokens):
            del self._by_token[token]

    def adopt(self, ix: MarketIx, token: str) -> bool:
        """Tell whether the token is the market's; fill in a second token not known so far."""
        spec = self.specs[ix]
        if token in spec.tokens:
            return True
        if spec.tokens[1] or token in self._by_token:
            return False
        self.specs[ix] = replace(spec, tokens=(spec.tokens[0], token))
        self._by_token[token] = ix
        return True


def _same_tokens(known: tuple[str, str], given: tuple[str, str]) -> bool:
    return known[0] == given[0] and known[1] in ("", given[1])
