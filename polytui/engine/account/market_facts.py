"""What the gate and the bundles may know of a market, read off the market desk at one moment."""

from collections.abc import Iterator, Mapping
from typing import Final

from polytui.engine.core.enums import BookState, Outcome, Reason, Side
from polytui.engine.core.events import MarketSpec
from polytui.engine.core.trading import Draft
from polytui.engine.core.units import mirror_u6
from polytui.engine.decide.facts import MarketFacts, depth_u6
from polytui.engine.market.desk import MarketDesk
from polytui.engine.market.snapshot import MarketSnapshot, take_snapshot
from polytui.engine.market.tracked import Tracked

DEPTH: Final = 100
"""Levels looked at for depth and exits."""
PLACEHOLDERS: Final = ("other", "person ")
"""How unnamed outcomes of augmented groups begin (venue reference §7.2)."""
ROLLING: Final = ("up", "down")


class TokenMarkets(Mapping[str, str]):
    """The market of each token in the catalog, as a mapping that is never copied."""

    def __init__(self, desk: MarketDesk) -> None:
        """Look at one desk."""
        self._desk = desk

    def __getitem__(self, token: str) -> str:
        ix = self._desk.catalog.find_token(token)
        if ix is None:
            raise KeyError(token)
        return self._desk.markets[ix].spec.market

    def __iter__(self) -> Iterator[str]:
        for tracked in self._desk.markets.values():
            yield from filter(None, tracked.spec.tokens)

    def __len__(self) -> int:
        return sum(1 for _ in self)


class MarketView:
    """Reads the market desk for the order path; never writes to it."""

    __slots__ = ("_desk", "by_token")

    def __init__(self, desk: MarketDesk) -> None:
        """Look at one desk."""
        self._desk = desk
        self.by_token = TokenMarkets(desk)

    def tracked(self, market: str) -> Tracked | None:
        """Find a market."""
        ix = self._desk.catalog.find(market)
        return None if ix is None else self._desk.markets[ix]

    def spec(self, market: str) -> MarketSpec | None:
        """Return what the catalog knows of a market."""
        tracked = self.tracked(market)
        return None if tracked is None else tracked.spec

    def spec_of_token(self, token: str) -> MarketSpec | None:
        """Return the market that a token belongs to."""
        ix = self._desk.catalog.find_token(token)
        return None if ix is None else self._desk.markets[ix].spec

    def newest_book_ns(self) -> int:
        """Return when a usable book last heard a frame; 0: there is none."""
        markets = self._desk.markets.values()
        books = (one for one in markets if one.quality.state is BookState.SYNCED)
        return max((one.last_ns or 0 for one in books), default=0)

    def title(self, market: str) -> str:
        """Return a market's title; empty when it is unknown."""
        spec = self.spec(market)
        return "" if spec is None else spec.title

    def outcome_name(self, market: str, outcome: Outcome) -> str:
        """Return the venue's word for an outcome, e.g. `Up`."""
        spec = self.spec(market)
        if spec is None:
            return outcome.value.upper()
        return spec.outcomes[0 if outcome is Outcome.YES else 1]

    def blocked(self, tracked: Tracked, at_ns: int) -> Reason | None:
        """Say why a market may not be seen now; None: it may."""
        return self._desk.blocked(tracked, at_ns)

    def quotes(self, market: str, *, at_ns: int, seq: int) -> MarketSnapshot | None:
        """Return the market as a strategy would be shown it now; None while it may not be used."""
        tracked = self.tracked(market)
        if tracked is None or self._desk.blocked(tracked, at_ns) is not None:
            return None
        return take_snapshot(tracked, seq=seq, at_ns=at_ns, depth=DEPTH)

    def facts(self, draft: Draft, *, owner: str, at_ns: int) -> MarketFacts | None:
        """Read everything the gate asks of a market, in the terms of the draft's token."""
        tracked = self.tracked(draft.market)
        if tracked is None:
            return None
        snap = take_snapshot(tracked, seq=draft.snapshot, at_ns=at_ns, depth=DEPTH)
        spec = tracked.spec
        other_side = (
            snap.asks(draft.outcome) if draft.side is Side.BUY else snap.bids(draft.outcome)
        )
        return MarketFacts(
            spec=spec,
            book=tracked.quality.state,
            epoch=tracked.quality.epoch,
            tick_u6=tracked.book.tick_u6,
            book_ns=tracked.last_ns or 0,
            witness_ns=tracked.witness_ns,
            metadata_ns=tracked.listed_ns,
            bid_u6=snap.best_bid_u6(draft.outcome),
            ask_u6=snap.best_ask_u6(draft.outcome),
            last_u6=_last_u6(tracked, draft.outcome),
            depth_u6=depth_u6(other_side, draft.px_u6, draft.side),
            owner=owner,
            is_allowed=draft.token in spec.tokens,
            is_resolved=tracked.resolved,
            is_placeholder=_is_placeholder(spec),
            is_rolling=_is_rolling(spec),
        )


def _last_u6(tracked: Tracked, outcome: Outcome) -> int | None:
    """Return the last public trade in the terms of an outcome."""
    if not tracked.trades:
        return None
    trade = tracked.trades[-1][1]
    is_own = (trade.token == tracked.spec.tokens[0]) is (outcome is Outcome.YES)
    return trade.px_u6 if is_own else mirror_u6(trade.px_u6)


def _is_placeholder(spec: MarketSpec) -> bool:
    """Tell an unnamed outcome of a group by its title: never bought (fault A16)."""
    return spec.neg_risk and spec.title.strip().lower().startswith(PLACEHOLDERS)


def _is_rolling(spec: MarketSpec) -> bool:
    return tuple(name.lower() for name in spec.outcomes) == ROLLING
