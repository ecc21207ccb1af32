"""The life of one order: the table of lawful steps, and the order that walks it.

    PROPOSED ─► VETOED
       └─► APPROVED ─► JOURNALLED ─► SIGNED ─► SENT ─► DELAYED ─► LIVE ─► PARTIAL ─► MATCHED
                                       └─► DROPPED  └─► UNKNOWN ─┘  └──────┴─► CANCELED | EXPIRED …

The table is execution reference §1, plus the arrows that leap over a state whose news came late or
never: a CANCELLATION may overtake the answer. Our own unlawful step is our bug and raises; news of
the venue goes through `Registry.advance`, which counts what does not fit. Quantities are sums over
trades and never the venue's `size_matched` alone. Nothing here knows other orders.
"""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from polytui.engine.core.enums import Side
from polytui.engine.core.errors import EngineBug
from polytui.engine.core.events import FeeSchedule
from polytui.engine.core.order_enums import OrderState, Realm, Witness
from polytui.engine.core.trading import Draft, Edge, OrderRecord, Refusal, Terms
from polytui.engine.core.units import FEE_STEP_U6, U, cost_u6, fee_u6

_S = OrderState
_ENDS: Final = frozenset({_S.CANCELED, _S.EXPIRED, _S.RESOLVED})
_REST: Final = frozenset({_S.LIVE, _S.PARTIAL, _S.MATCHED}) | _ENDS
_NEVER: Final = frozenset({_S.REFUSED, _S.UNKNOWN})

EDGES: Final[Mapping[OrderState, frozenset[OrderState]]] = MappingProxyType(
    {
        _S.PROPOSED: frozenset({_S.VETOED, _S.APPROVED}),
        _S.APPROVED: _NEVER | {_S.JOURNALLED},
        _S.JOURNALLED: _NEVER | {_S.SIGNED},
        _S.SIGNED: _NEVER | {_S.SENT, _S.DROPPED},
        _S.SENT: _NEVER | _REST | {_S.DELAYED, _S.UNMATCHED},
        _S.UNKNOWN: _REST | {_S.REFUSED, _S.DELAYED, _S.UNMATCHED},
        _S.DELAYED: _REST | {_S.REFUSED, _S.UNMATCHED},
        _S.LIVE: _REST - {_S.LIVE},
        _S.PARTIAL: _ENDS | {_S.MATCHED},
        **{state: frozenset() for state in _S if state.is_terminal},
    }
)
"""Every lawful step; what is not here is refused and leaves the order as it was."""

UNSENT: Final = frozenset({_S.APPROVED, _S.JOURNALLED, _S.SIGNED})
"""On its way out of this process: counts as exposure, has not left as far as we know."""

IN_FLIGHT: Final = UNSENT | {_S.SENT}

DUST_U6: Final = 10_000
"""Less than 0.01 share left is done, at the venue too (§5.4; fault B15)."""

DETAIL_MAX: Final = 80

WORST_RATE_U6: Final = 70_000
"""Where a market states no fee schedule, the worst of the table is assumed (quant.md §0.1)."""


class Order:
    """One order and all that is known of it; the manager owns it, others read."""

    __slots__ = (
        "absent_ns",
        "ack_ns",
        "alarms",
        "ask_ns",
        "ask_seq",
        "bucket",
        "budget_u6",
        "cancel_attempts",
        "cancel_due_ns",
        "cancel_ns",
        "cid",
        "created_ns",
        "draft",
        "edges",
        "external",
        "fees",
        "filled_cash_u6",
        "filled_u6",
        "hint",
        "is_acked",
        "is_buy",
        "is_ghost",
        "order_hash",
        "probe_ns",
        "qty_u6",
        "refusal",
        "seen_u6",
        "sent_ns",
        "since_ns",
        "state",
        "terms",
        "timer_ns",
        "touched_ns",
        "touched_seq",
        "trades",
        "unnamed",
        "updated_ns",
        "venue_matched_u6",
        "venue_text",
    )

    def __init__(
        self,
        cid: str,
        draft: Draft,
        terms: Terms | None,
        *,
        at_ns: int,
        state: OrderState = OrderState.PROPOSED,
        external: bool = False,
        fees: FeeSchedule | None = None,
    ) -> None:
        """Begin a life; without terms it can only be vetoed, or is not ours."""
        self.cid = cid
        self.draft = draft
        self.terms = terms
        self.order_hash = terms.order_hash if terms is not None else ""
        self.external = external
        self.fees = fees
        """The market's schedule at drafting; None after a restart: the worst is assumed."""
        self.state = state
        self.created_ns = self.updated_ns = self.since_ns = at_ns
        self.refusal: Refusal | None = None
        self.edges: list[Edge] = []
        self.venue_text = ""
        self.is_buy = draft.side is Side.BUY
        self.qty_u6, self.budget_u6 = _sizes(draft, terms)
        self.trades: dict[str, tuple[int, int, bool]] = {}
        """By trade id: shares, cash, and whether it counts (has not failed)."""
        self.filled_u6 = self.filled_cash_u6 = 0
        self.seen_u6 = 0
        """Shares of all trades ever seen, failed ones too: what the venue's own sum holds."""
        self.unnamed = (0, 0)
        """Shares and cash of the filled whose trades a restart no longer knew."""
        self.venue_matched_u6 = 0
        self.cancel_ns = self.cancel_due_ns = self.cancel_attempts = 0
        self.sent_ns = 0
        self.ack_ns = 0
        """From bytes written to the answer read; 0 while there is none."""
        self.is_acked = False
        """The venue has spoken of it: what is left of a resting order now rests as a maker."""
        self.is_ghost = False
        """Terminal here, yet a read shows it alive there: cancelled again and counted."""
        self.hint: OrderState | None = None
        """The terminal state that its absence will mean, if the venue dropped a word."""
        self.touched_ns, self.touched_seq = at_ns, 0
        self.probe_ns = self.ask_ns = self.ask_seq = self.absent_ns = self.timer_ns = 0
        self.alarms: set[str] = set()
        self.bucket: OrderState | None = None

    # --- steps -----------------------------------------------------------------------------------

    def enter(
        self, state: OrderState, witness: Witness, at_ns: int, seq: int, detail: str = ""
    ) -> None:
        """Take a step and keep what it rests on.

        Raises:
            EngineBug: the table has no such step; the order stays as it was.
        """
        if state not in EDGES[self.state]:
            raise EngineBug(
                f"expected a lawful step from {self.state.value}, was to {state.value} "
                f"({witness.value}, order {self.cid})"
            )
        self.state = state
        self.since_ns = self.updated_ns = at_ns
        if state is OrderState.SENT:
            self.sent_ns = at_ns
        self.edges.append(
            Edge(at_ns=at_ns, seq=seq, state=state, witness=witness, detail=detail[:DETAIL_MAX])
        )

    def book(
        self, trade_id: str, qty_u6: int, cash_u6: int, *, counts: bool, is_first: bool
    ) -> bool:
        """Count a trade, or stop counting it; return whether that was news.

        `is_first` tells a first sighting from a later step of a trade that a restart may have
        counted without knowing its name.
        """
        known = self.trades.get(trade_id)
        if known is None:
            if not is_first:
                self._name(qty_u6, cash_u6)
            self.seen_u6 += qty_u6
            sign = 1 if counts else 0
        elif known[2] is counts:
            return False
        else:
            qty_u6, cash_u6 = known[0], known[1]
            sign = 1 if counts else -1
        self.trades[trade_id] = (qty_u6, cash_u6, counts)
        self.filled_u6 += sign * qty_u6
        self.filled_cash_u6 += sign * cash_u6
        return True

    def _name(self, qty_u6: int, cash_u6: int) -> None:
        """Take a trade off the nameless sum of a restart, because it is counted by name now."""
        qty_off = min(self.unnamed[0], qty_u6)
        cash_off = min(self.unnamed[1], cash_u6)
        self.unnamed = (self.unnamed[0] - qty_off, self.unnamed[1] - cash_off)
        self.seen_u6 -= qty_off
        self.filled_u6 -= qty_off
        self.filled_cash_u6 -= cash_off

    # --- questions -------------------------------------------------------------------------------

    @property
    def is_open(self) -> bool:
        """Tell whether the venue may hold it now."""
        return self.state.may_rest

    @property
    def is_counted(self) -> bool:
        """Tell whether it can still move money: in flight, open, in doubt, or awaiting trades."""
        state = self.state
        return state in UNSENT or state.may_rest or self.is_ghost or self.awaited_u6 > 0

    @property
    def remaining_u6(self) -> int:
        """Shares still wanted; of a market BUY those that its budget still buys at its limit."""
        if self.budget_u6:
            return max(0, (self.budget_u6 - self.filled_cash_u6) * U // self.draft.px_u6)
        done_u6 = self.filled_u6
        if self.external and self.venue_matched_u6 > done_u6:
            done_u6 = self.venue_matched_u6
        return max(0, self.qty_u6 - done_u6)

    @property
    def is_full(self) -> bool:
        """Tell whether trades that have not failed add up to all of it, but for dust."""
        return self.remaining_u6 < DUST_U6

    @property
    def awaited_u6(self) -> int:
        """Shares that the venue matched and whose trades we have not seen; dust is nothing."""
        gap_u6 = self.venue_matched_u6 - self.seen_u6
        return 0 if self.external or gap_u6 < DUST_U6 else gap_u6

    @property
    def at_risk_u6(self) -> int:
        """Shares that may still change hands: the remainder, or once it is over the awaited."""
        if self.state.is_terminal and not self.is_ghost:
            return self.awaited_u6
        return max(self.remaining_u6, self.awaited_u6)

    @property
    def worst_cash_u6(self) -> int:
        """Dollars it may still cost: notional and taker fee of a BUY, rounded up; a SELL none.

        While it may take, the fee counts. At a limit below one, paying less per share never costs
        more in all, so the limit is the worst price; only a budget buys more shares for the same
        dollars, and its fee is bounded by budget × rate (§5.4, §6; exponent at least 1).
        """
        if not self.is_buy:
            return 0
        is_over = self.state.is_terminal and not self.is_ghost
        if self.budget_u6 and not is_over:
            left_u6 = max(0, self.budget_u6 - self.filled_cash_u6)
            return left_u6 + _ceil_step(left_u6 * self._rate_u6)
        qty_u6 = self.at_risk_u6
        return cost_u6(self.draft.px_u6, qty_u6) + self._fee_u6(qty_u6)

    @property
    def needed_u6(self) -> int:
        """What must be free for the venue to take it: dollars with the worst fee, or shares."""
        if not self.is_buy:
            return self.qty_u6
        draft, exponent = self.draft, 1 if self.fees is None else self.fees.exponent
        need_u6 = self.budget_u6 or cost_u6(draft.px_u6, self.qty_u6)
        if draft.post_only:
            return need_u6
        return need_u6 + fee_u6(draft.px_u6, self.qty_u6, rate_u6=self._rate_u6, exponent=exponent)

    @property
    def worst_fee_u6(self) -> int:
        """Fee that a SELL may still be charged, rounded up; a BUY has it in `worst_cash_u6`."""
        return 0 if self.is_buy else self._fee_u6(self.at_risk_u6)

    @property
    def reserved_qty_u6(self) -> int:
        """Shares a SELL may still deliver; a BUY none."""
        return 0 if self.is_buy else self.at_risk_u6

    @property
    def _rate_u6(self) -> int:
        return WORST_RATE_U6 if self.fees is None else self.fees.rate_u6

    def _fee_u6(self, qty_u6: int) -> int:
        if self.draft.post_only or self.external:
            return 0
        if self.is_acked and self.draft.order_type.is_resting:
            qty_u6 = min(qty_u6, self.awaited_u6)
        exponent = 1 if self.fees is None else self.fees.exponent
        return fee_u6(self.draft.px_u6, qty_u6, rate_u6=self._rate_u6, exponent=exponent)

    # --- record ----------------------------------------------------------------------------------

    def record(self, realm: Realm) -> OrderRecord:
        """Write it down as the store keeps it."""
        return OrderRecord(
            realm=realm,
            cid=self.cid,
            order_hash=self.order_hash,
            state=self.state,
            created_ns=self.created_ns,
            updated_ns=self.updated_ns,
            draft=self.draft,
            terms=self.terms,
            refusal=self.refusal,
            filled_u6=self.filled_u6,
            filled_cash_u6=self.filled_cash_u6,
            venue_matched_u6=self.venue_matched_u6,
            cancel_ns=self.cancel_ns,
            cancel_attempts=self.cancel_attempts,
            external=self.external,
            venue_text=self.venue_text,
            edges=tuple(self.edges),
        )


def _sizes(draft: Draft, terms: Terms | None) -> tuple[int, int]:
    """Return shares and, for a market BUY, the budget: as signed, else as drafted."""
    if terms is None:
        return draft.qty_u6, 0
    if draft.side is Side.SELL:
        return terms.maker_amount_u6, 0
    budget_u6 = 0 if draft.order_type.is_resting else terms.maker_amount_u6
    return terms.taker_amount_u6, budget_u6


def _ceil_step(exact: int) -> int:
    """Round micro-dollars × U up to the venue's fee step."""
    return -(-exact // (U * FEE_STEP_U6)) * FEE_STEP_U6
