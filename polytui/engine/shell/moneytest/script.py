"""The strategy of the money test: it makes exactly the order that the test wishes, when it may.

It stands in for the strategies of the configuration in one engine of its own, so every order goes
the usual way: arbiter, gate, journal, signer, gate again, wire.
"""

import threading
from enum import Enum

from msgspec import Struct

from polytui.engine.core.decision import Decision, Intent
from polytui.engine.core.enums import Outcome, Reason, Side, Verdict
from polytui.engine.core.runconfig import RunConfig
from polytui.engine.core.units import U
from polytui.engine.market.snapshot import MarketSnapshot
from polytui.engine.orders.bundle_acts import MAKER
from polytui.engine.strategy.api import Strategy

NAME = "money_test"
QUOTE_BELOW_U6 = 50_000
"""The resting order stands this far below the best bid: nobody sells there."""
MID_LOW_U6, MID_HIGH_U6 = 200_000, 800_000
SPREAD_MAX_U6 = 30_000
"""Markets for the round trip: away from the edges, and cheap to cross."""
LEAST_CASH_U6 = U
"""The venue's smallest marketable BUY, a dollar; a margin comes on top."""
CENT_SHARE_U6 = 10_000
"""Sizes have two decimals."""
DEPTH_PARTS = 4
"""At most one part in so many of what is displayed."""


class Kind(Enum):
    """What is wished."""

    REST = "rest"
    BUY = "buy"
    SELL = "sell"


class Wish(Struct, frozen=True, kw_only=True):
    """One order wanted; for a SELL where and how much."""

    kind: Kind
    market: str = ""
    outcome: Outcome = Outcome.YES
    qty_u6: int = 0


class Script:
    """The wish of the moment, and the strategy that fulfils it once."""

    def __init__(self) -> None:
        """Wish nothing."""
        self._lock = threading.Lock()
        self._wish: Wish | None = None

    def wish(self, wish: Wish | None) -> None:
        """Want one order, or none any more; called from another thread than `propose`."""
        with self._lock:
            self._wish = wish

    @property
    def is_open(self) -> bool:
        """Tell whether no market was right yet."""
        return self._wish is not None

    def roster(self, _config: RunConfig) -> tuple[Strategy, ...]:
        """Be the only strategy."""
        return (Strategy(id=NAME, tier=1, propose=self.propose),)

    def propose(self, snap: MarketSnapshot, memory: object) -> tuple[Decision, object]:
        """Fulfil the wish if this market allows it, and then forget it."""
        with self._lock:
            intent = None if self._wish is None else _intent(self._wish, snap)
            if intent is not None:
                self._wish = None
        decision = Decision(
            strategy=NAME,
            market=snap.spec.market,
            snapshot=snap.id,
            at_ns=snap.at_ns,
            verdict=Verdict.HOLD if intent is None else Verdict.INTENT,
            reason=Reason.OK,
            score_u6=0 if intent is None else 1,
            threshold_u6=1,
            intents=() if intent is None else (intent,),
        )
        return decision, memory


def _intent(wish: Wish, snap: MarketSnapshot) -> Intent | None:
    if wish.kind is Kind.SELL:
        bids = snap.bids(wish.outcome)
        if snap.spec.market != wish.market or not bids:
            return None
        return _order(snap, wish.outcome, Side.SELL, bids[0][0], wish.qty_u6, ())
    bid_u6, asks = snap.best_bid_u6(Outcome.YES), snap.asks(Outcome.YES)
    if bid_u6 is None or not asks:
        return None
    ask_u6 = asks[0][0]
    if bid_u6 < MID_LOW_U6 or ask_u6 > MID_HIGH_U6 or ask_u6 - bid_u6 > SPREAD_MAX_U6:
        return None
    if wish.kind is Kind.REST:
        px_u6 = (bid_u6 - QUOTE_BELOW_U6) // snap.tick_u6 * snap.tick_u6
        qty_u6 = max(snap.spec.min_qty_u6, 5 * U)
        return _order(snap, Outcome.YES, Side.BUY, px_u6, qty_u6, (MAKER,))
    qty_u6 = _cents(ask_u6)
    if asks[0][1] < DEPTH_PARTS * qty_u6:
        return None
    return _order(snap, Outcome.YES, Side.BUY, ask_u6, qty_u6, ())


def _cents(px_u6: int) -> int:
    """Return the fewest whole shares worth a dollar and a tenth, rounded up."""
    wanted_u6 = LEAST_CASH_U6 * 11 // 10
    return -(-wanted_u6 // px_u6) * U


def _order(
    snap: MarketSnapshot,
    outcome: Outcome,
    side: Side,
    px_u6: int,
    qty_u6: int,
    tags: tuple[str, ...],
) -> Intent:
    return Intent(
        strategy=NAME,
        tier=1,
        market=snap.spec.market,
        token=snap.spec.tokens[0 if outcome is Outcome.YES else 1],
        outcome=outcome,
        side=side,
        px_u6=px_u6,
        qty_u6=qty_u6 // CENT_SHARE_U6 * CENT_SHARE_U6,
        snapshot=snap.id,
        bundle="",
        leg=0,
        ev_u6=1,
        confidence=0.5,
        risk_cost_u6=px_u6 * qty_u6 // U,
        tags=tags,
    )
