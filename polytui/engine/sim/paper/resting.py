"""An order on the paper venue."""

from typing import Any, Final

from polytui.engine.core.account_events import OrderAnswered, UserOrder
from polytui.engine.core.enums import Outcome, Side
from polytui.engine.core.ids import ConnId
from polytui.engine.core.order_enums import Realm, SendOutcome
from polytui.engine.core.trading import CASH, Terms, VenueOrder
from polytui.engine.core.units import U
from polytui.engine.sim.paper.books import home_of
from polytui.engine.sim.paper.queues import Averse, Probabilistic

DUST_U6: Final = 10_000
"""Less than a hundredth of a share is done (§5.4)."""
LATE_MS: Final = 250
"""A print this close to the last drop of its level, by the venue's stamps, may explain it."""
NS: Final = 1_000_000_000
CONN: Final = ConnId(0)


class PaperOrder:
    """What the venue knows of one order; amounts as signed decide price and size (§5.2)."""

    __slots__ = (
        "averse",
        "averse_u6",
        "created_ns",
        "drop_ms",
        "fees_u6",
        "filled_u6",
        "fills",
        "home",
        "is_open",
        "joined_ms",
        "joins",
        "market",
        "outcome",
        "probabilistic",
        "probabilistic_u6",
        "reserved_u6",
        "shown_u6",
        "spent_u6",
        "taken_u6",
        "terms",
        "text",
        "told",
    )

    def __init__(self, terms: Terms, market: str, outcome: Outcome, at_ns: int) -> None:
        """Take an order that was accepted."""
        self.terms = terms
        self.market = market
        self.outcome = outcome
        self.created_ns = at_ns
        self.home = home_of(outcome, terms.side, terms.px_u6)
        self.fills = 0
        """Trades so far."""
        self.told = 0
        """Messages of the user stream about it so far."""
        self.filled_u6 = 0
        self.taken_u6 = 0
        """Of that, as a taker."""
        self.spent_u6 = 0
        """pUSD of its fills, without fees."""
        self.fees_u6 = 0
        self.is_open = True
        self.text = "LIVE"
        self.reserved_u6 = 0
        self.joins = 0
        """How often it joined the queue: more than once after a gap."""
        self.joined_ms = 0
        """Venue stamp of the newest data seen when it joined: older prints are not its own."""
        self.drop_ms = 0
        """Venue stamp of the last drop of its level; 0: none since it joined."""
        self.shown_u6 = 0
        """Displayed at its price when last looked."""
        self.averse: Averse | None = None
        self.probabilistic: Probabilistic | None = None
        """None: not in a queue, because the book could not be trusted since."""
        self.averse_u6 = self.probabilistic_u6 = 0
        """What each model would have filled of it as a maker."""

    @property
    def qty_u6(self) -> int:
        """Original size in shares."""
        terms = self.terms
        is_buy = terms.side is Side.BUY
        return terms.taker_amount_u6 if is_buy else terms.maker_amount_u6

    @property
    def left_u6(self) -> int:
        """Shares that may still fill."""
        return max(0, self.qty_u6 - self.filled_u6)

    @property
    def asset(self) -> str:
        """What it gives."""
        return CASH if self.terms.side is Side.BUY else self.terms.token

    def join(self, shown_u6: int, seen_ms: int) -> None:
        """Queue behind what is displayed, in both models."""
        self.joins += 1
        self.joined_ms = seen_ms
        self.drop_ms = 0
        self.shown_u6 = shown_u6
        self.averse = Averse(shown_u6)
        self.probabilistic = Probabilistic(shown_u6)

    def lose_place(self) -> None:
        """Stand nowhere: a gap empties the book."""
        self.averse = self.probabilistic = None

    def level(self, shown_u6: int, venue_ms: int) -> None:
        """Tell both queues that the displayed size changed."""
        if self.averse is None or self.probabilistic is None or shown_u6 == self.shown_u6:
            return
        if shown_u6 < self.shown_u6:
            self.drop_ms = venue_ms
        self.averse.on_level(self.shown_u6, shown_u6)
        self.probabilistic.on_level(self.shown_u6, shown_u6)
        self.shown_u6 = shown_u6

    def on_print(self, qty_u6: int, venue_ms: int, mine: tuple[int, int]) -> tuple[int, int]:
        """Let a print advance both models; return what each now fills: averse, probabilistic.

        `mine` of it went to own orders that joined before, by model.
        """
        if self.averse is None or self.probabilistic is None or 0 < venue_ms <= self.joined_ms:
            return 0, 0
        is_late = self.drop_ms > 0 and abs(venue_ms - self.drop_ms) <= LATE_MS
        whole_u6 = self.qty_u6 - self.taken_u6
        averse_u6 = self.averse.on_print(qty_u6, is_late=is_late) - mine[0]
        likely_u6 = self.probabilistic.on_print(qty_u6, is_late=is_late) - mine[1]
        averse_u6 = max(0, min(averse_u6, whole_u6 - self.averse_u6))
        likely_u6 = max(0, min(likely_u6, whole_u6 - self.probabilistic_u6))
        self.averse_u6 += averse_u6
        self.probabilistic_u6 += likely_u6
        return averse_u6, likely_u6

    def view(self, event: str = "") -> VenueOrder:
        """Write it as the venue would."""
        terms = self.terms
        return VenueOrder(
            order_hash=terms.order_hash,
            market=self.market,
            token=terms.token,
            side=terms.side,
            px_u6=terms.px_u6,
            qty_u6=self.qty_u6,
            matched_u6=self.filled_u6,
            status=self.text.split("_")[0],
            status_text=self.text,
            order_type=terms.order_type,
            expiration_s=terms.expiration_s,
            created_s=self.created_ns // NS,
            event=event,
        )


def cash_u6(side: Side, px_u6: int, qty_u6: int, *, is_maker: bool) -> int:
    """Price shares as the venue does: a taker's rounding is against it, a maker's for it."""
    is_up = (side is Side.BUY) is not is_maker
    return -(-px_u6 * qty_u6 // U) if is_up else px_u6 * qty_u6 // U


def user_event(order: PaperOrder, event: str, at_ns: int) -> UserOrder:
    """Write what the user stream says of an order."""
    venue_ms = at_ns // 1_000_000
    return UserOrder(realm=Realm.PAPER, conn=CONN, order=order.view(event), venue_ms=venue_ms)


def answered(terms: Terms, outcome: SendOutcome, **more: Any) -> OrderAnswered:
    """Write the answer to an order."""
    return OrderAnswered(
        realm=Realm.PAPER,
        cid=terms.cid,
        order_hash=terms.order_hash,
        outcome=outcome,
        **more,
    )
