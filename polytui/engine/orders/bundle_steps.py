"""What a bundle does next: functions of its state, the time and the quotes of its market.

`advance` is one turn of a bundle: cancel what is overdue, look at what ended, take the step that
the holdings demand, then hedge, leave or merge. Each function decides one thing.
"""

from collections.abc import Callable, Mapping

from msgspec import Struct
from msgspec.structs import replace

from polytui.engine.core.enums import Outcome, Side
from polytui.engine.core.order_enums import BundleState, Control, OrderState, Purpose
from polytui.engine.core.runconfig import BundleConfig
from polytui.engine.core.trading import Draft
from polytui.engine.core.units import U, proceeds_u6, text_u6
from polytui.engine.market.snapshot import MarketSnapshot
from polytui.engine.orders.bundle import EDGES, SMALL_U6, Bundle, Child
from polytui.engine.orders.bundle_acts import (
    Action,
    Alert,
    CancelOrder,
    MakeDraft,
    MergePairs,
    exit_draft,
)
from polytui.engine.orders.residue import (
    DUST_U6,
    LOT_U6,
    Exit,
    Naked,
    budget_qty_u6,
    choose_exit,
    inverse_limit_u6,
    is_marketable,
    take,
    touch_u6,
)

MS = 1_000_000
POLL_NS = 250 * MS
"""How often a bundle that waits for quotes, settlement or a gate looks again."""
IDLE_NS = 1_000 * MS
"""The same for one that waits for an order."""
RETRY_NS = tuple(ms * MS for ms in (0, 250, 500, 1_000, 2_000, 5_000))
"""After the first, second … exit in a row that came to nothing: no loop of sends (B27, B28)."""
REST_LIFE_MIN_NS = 1_000 * MS
"""A resting exit is not pulled for a better way sooner (G25)."""
MERGE_AGAIN_NS = 30_000 * MS
MERGE_TRIES_MAX = 5
_BEFORE_HEDGE = frozenset(
    {
        BundleState.PLANNED,
        BundleState.LEG1_SENT,
        BundleState.LEG1_FILLED,
        BundleState.HEDGING,
    }
)
_TOO_LARGE = (Control.ORDER_SIZE, Control.DEPTH_SHARE)
_PASSING = (Control.RATE, Control.SELF_CROSS)
"""Refusals that pass by themselves within a moment: they say nothing against the plan."""


class Now(Struct, frozen=True, gc=False):
    """The moment of a step."""

    config: BundleConfig
    at_ns: int
    quotes: MarketSnapshot | None
    is_turn: bool
    """All that arrived together was booked: several fills of one order make one hedge."""


def advance(bundle: Bundle, now: Now) -> list[Action]:
    """Take a bundle as far as it can go now."""
    actions: list[Action] = list(_overdue(bundle, now))
    _tend(bundle, now.at_ns)
    settle(bundle, now)
    if bundle.frozen:
        return actions
    if bundle.state in (BundleState.LEG1_FILLED, BundleState.HEDGING):
        actions += _hedge(bundle, now)
    if bundle.state is BundleState.RESIDUE and (now.is_turn or now.quotes is not None):
        actions += _leave(bundle, now)
    elif bundle.state is BundleState.COMPLETE:
        actions += _merge(bundle, now)
    return actions


# --- the step that the holdings demand -----------------------------------------------------------


def settle(bundle: Bundle, now: Now) -> None:
    """Move the state to where trades and children put it; send nothing."""
    _, naked_u6 = bundle.naked()
    _SETTLE[bundle.state](bundle, naked_u6, now)


def _settle_first(bundle: Bundle, naked_u6: int, now: Now) -> None:
    first = bundle.children[0] if bundle.children else None
    if naked_u6 >= DUST_U6:
        if bundle.is_late:
            reopen(bundle, "filled while nobody looked", now)
        else:
            bundle.enter(BundleState.LEG1_FILLED, f"{text_u6(naked_u6)} of leg 1", now.at_ns)
    elif not bundle.has_pending:
        _close(bundle, first.end if first is not None and first.end else "nothing filled", now)
    elif bundle.state is BundleState.PLANNED and first is not None and first.was_sent:
        bundle.enter(BundleState.LEG1_SENT, "on its way", now.at_ns)


def _settle_hedge(bundle: Bundle, naked_u6: int, now: Now) -> None:
    exits = bundle.exits()
    if exits:
        if naked_u6 >= DUST_U6 and now.at_ns >= exits[0].asked_ns + now.config.leg_ms * MS:
            reopen(bundle, "the hedge is not answered", now)
    elif naked_u6 < DUST_U6:
        if bundle.first() is None:
            _close(bundle, "both legs filled" if bundle.pairs_u6 >= DUST_U6 else "voided", now)
    elif _untried_u6(bundle) < DUST_U6:
        reopen(bundle, f"{text_u6(naked_u6)} left after the hedge", now)


def _settle_residue(bundle: Bundle, naked_u6: int, now: Now) -> None:
    if naked_u6 < DUST_U6 and not bundle.has_pending:
        _close(bundle, "nothing naked" if bundle.pairs_u6 >= DUST_U6 else "nothing left", now)


def _settle_over(bundle: Bundle, naked_u6: int, now: Now) -> None:
    if naked_u6 >= DUST_U6:
        bundle.is_late = True
        reopen(bundle, f"{text_u6(naked_u6)} naked again", now)
    elif bundle.state is BundleState.COMPLETE:
        if bundle.pairs_u6 < DUST_U6:
            bundle.enter(BundleState.FLAT, "merged", now.at_ns)
    elif bundle.pairs_u6 >= DUST_U6:
        _close(bundle, "both legs filled late", now)


_SETTLE: Mapping[BundleState, Callable[[Bundle, int, Now], None]] = {
    BundleState.PLANNED: _settle_first,
    BundleState.LEG1_SENT: _settle_first,
    BundleState.LEG1_FILLED: _settle_hedge,
    BundleState.HEDGING: _settle_hedge,
    BundleState.RESIDUE: _settle_residue,
    BundleState.COMPLETE: _settle_over,
    BundleState.FLAT: _settle_over,
}


def reopen(bundle: Bundle, why: str, now: Now) -> None:
    """Start the clock of a naked side.

    The slip is measured from leg 2's planned price while that is news; of what was reopened late
    from the touch of each attempt, because what the market did since is lost already. So of what a
    failed settlement left: it is told up to a minute after the plan.
    """
    outcome, _ = bundle.naked()
    bundle.ref = None
    is_news = not (bundle.is_late or bundle.failed_ns)
    if is_news and outcome is _lead_outcome(bundle):
        leg = bundle.legs[1]
        is_buy = leg.side is Side.BUY
        bundle.ref = (outcome, leg.px_u6 if is_buy else U - leg.px_u6)
    bundle.rest_until_ns = now.at_ns + now.config.rest_ms * MS
    bundle.rest_over = not now.config.rest_ms
    bundle.retry_ns = max(now.at_ns, min(bundle.retry_ns, now.at_ns + RETRY_NS[-1]))
    bundle.alarms.clear()
    bundle.enter(BundleState.RESIDUE, why, now.at_ns)


def _close(bundle: Bundle, why: str, now: Now) -> None:
    """End as COMPLETE with pairs, as FLAT without; the table may ask for RESIDUE in between."""
    state = BundleState.COMPLETE if bundle.pairs_u6 >= DUST_U6 else BundleState.FLAT
    if state not in EDGES[bundle.state]:
        bundle.enter(BundleState.RESIDUE, why, now.at_ns)
    bundle.enter(state, why, now.at_ns)
    bundle.tries = bundle.bite_u6 = 0
    bundle.barred.clear()


def _lead_outcome(bundle: Bundle) -> Outcome | None:
    """Return the outcome that the first leg leaves naked; None where no plan is known."""
    if len(bundle.legs) != 2:
        return None
    return bundle.legs[1 if bundle.is_sell_box else 0].outcome


def _lead(bundle: Bundle) -> tuple[int, int]:
    """Return shares and all-in cash of the first leg."""
    tally = bundle.tallies[bundle.legs[0].outcome]
    if bundle.is_sell_box:
        return tally.sold_u6, tally.sold_cash
    return tally.bought_u6, tally.bought_cash


def _untried_u6(bundle: Bundle) -> int:
    """Shares of the first leg for which no hedge was ever sent; 0 once prices are history."""
    outcome, naked_u6 = bundle.naked()
    if bundle.is_late or outcome is not _lead_outcome(bundle):
        return 0
    tried_u6 = sum(child.covers_u6 for child in bundle.children if child.plan == "hedge")
    return min(_lead(bundle)[0] - tried_u6, naked_u6)


def unhedged_u6(bundle: Bundle) -> int:
    """Shares for which the planned hedge may still be sent: filled without one, or yet to fill."""
    if bundle.state not in _BEFORE_HEDGE or bundle.frozen or len(bundle.legs) != 2:
        return 0
    first = bundle.first()
    coming_u6 = 0 if first is None else first.pending_u6
    return min(coming_u6 + max(0, _untried_u6(bundle)), bundle.legs[1].qty_u6)


# --- children that are late, and children that ended ---------------------------------------------


def _overdue(bundle: Bundle, now: Now) -> list[Action]:
    """Cancel takers without an end after `leg_ms`; tell of promised trades that never came."""
    actions: list[Action] = []
    leg_ns, patience_ns = now.config.leg_ms * MS, now.config.residue_ms * MS
    for child in bundle.children:
        age_ns = now.at_ns - child.asked_ns
        if age_ns < leg_ns or child.plan == "rest" or child.is_over:
            continue
        if child.is_open and child.cid and not child.cancel_ns:
            child.cancel_ns = now.at_ns
            actions.append(CancelOrder(cid=child.cid, why=f"leg timeout {now.config.leg_ms} ms"))
        elif age_ns >= leg_ns + patience_ns and child.cid not in bundle.alarms:
            bundle.alarms.add(child.cid)
            text = f"bundle {bundle.id}: {text_u6(child.pending_u6)} of {child.cid} unaccounted"
            actions.append(Alert(code="bundle_waits", text=text))
    return actions


def _tend(bundle: Bundle, at_ns: int) -> None:
    """Look once at each child that ended: a refusal bars its plan, a miss waits a little."""
    for child in bundle.children:
        if child.tended or not child.is_over or child.order is None:
            continue
        child.tended = True
        order = child.order
        short_u6 = child.covers_u6 - child.good_u6
        got = f"{text_u6(child.good_u6)} of {text_u6(child.covers_u6)}"
        child.end = f"{child.plan} {order.state.value}: {got}"
        if order.refusal is not None:
            refusal = order.refusal
            child.end += f", {refusal.control.value} {refusal.value} against {refusal.limit}"
        elif order.venue_text:
            child.end += f", {order.venue_text}"
        if child.plan == "first":
            continue
        bundle.note(child.end, at_ns)
        if short_u6 < DUST_U6:
            bundle.tries = 0
            bundle.barred.clear()
        elif child.plan != "rest" or not child.good_u6:
            _wait(bundle, child, at_ns)


def _wait(bundle: Bundle, child: Child, at_ns: int) -> None:
    delay_ns = RETRY_NS[min(bundle.tries, len(RETRY_NS) - 1)]
    bundle.tries += 1
    bundle.retry_ns = at_ns + delay_ns
    order = child.order
    if order is None or order.state not in (OrderState.VETOED, OrderState.REFUSED):
        return
    control = None if order.refusal is None else order.refusal.control
    if control in _TOO_LARGE:
        bundle.bite_u6 = max(child.covers_u6 // 2, LOT_U6)
    elif control in _PASSING:
        bundle.tries -= 1
        bundle.retry_ns = at_ns + POLL_NS
    else:
        bundle.barred[child.plan] = at_ns + max(delay_ns, RETRY_NS[2])


# --- the hedge -----------------------------------------------------------------------------------


def _hedge(bundle: Bundle, now: Now) -> list[Action]:
    """Send leg 2 for what leg 1 filled: never for what leg 1 asked."""
    want_u6 = min(_untried_u6(bundle), bundle.naked()[1] - bundle.covering_u6)
    if want_u6 < DUST_U6:
        return []
    if bundle.first() is not None and not now.is_turn:
        return []
    if bundle.exits() and want_u6 < SMALL_U6:
        return []
    answer = _hedge_draft(bundle, want_u6, now)
    if isinstance(answer, str):
        if not bundle.exits():
            reopen(bundle, answer, now)
        return []
    if bundle.state is BundleState.LEG1_FILLED:
        bundle.enter(BundleState.HEDGING, f"{text_u6(want_u6)} at {text_u6(answer.px_u6)}",
                     now.at_ns)  # fmt: skip
    return [send(bundle, answer, covers_u6=want_u6, plan="hedge", at_ns=now.at_ns)]


def _hedge_draft(bundle: Bundle, want_u6: int, now: Now) -> Draft | str:
    """Make leg 2 with the inverse all-in limit, or say why it can be no order."""
    leg, quotes, spec = bundle.legs[1], now.quotes, bundle.spec
    if quotes is not None:
        spec = quotes.spec
    if spec is None or spec.fees is None:
        return "fee unknown: no taker order"
    tick_u6 = spec.tick_u6 if quotes is None else quotes.tick_u6
    lead_u6, cash_u6 = _lead(bundle)
    is_buy = leg.side is Side.BUY
    part_u6 = -(-cash_u6 * want_u6 // lead_u6) if is_buy else cash_u6 * want_u6 // lead_u6
    limit_u6 = inverse_limit_u6(
        leg.side, want_u6, part_u6, buffer_u6=bundle.buffer_u6, fees=spec.fees, tick_u6=tick_u6
    )
    if limit_u6 is None:
        return "no price of the other leg keeps the buffer"
    qty_u6 = want_u6 - want_u6 % LOT_U6
    if quotes is not None:
        ladder = quotes.asks(leg.outcome) if is_buy else quotes.bids(leg.outcome)
        taken = take(ladder, want_u6, side=leg.side, limit_u6=limit_u6, fees=spec.fees)
        if not taken.qty_u6:
            return f"the other leg costs more than {text_u6(limit_u6)}"
        if is_buy:
            rest_u6 = proceeds_u6(limit_u6, want_u6 - taken.qty_u6)
            qty_u6 = budget_qty_u6(taken.cash_u6 + rest_u6, limit_u6)
    if is_buy and not is_marketable(limit_u6, qty_u6):
        return f"a hedge of {text_u6(want_u6)} is below the $1 minimum"
    return replace(
        leg,
        px_u6=limit_u6,
        qty_u6=qty_u6,
        purpose=Purpose.HEDGE,
        snapshot=leg.snapshot if quotes is None else quotes.id,
        epoch=leg.epoch if quotes is None else quotes.epoch,
        why=f"hedge of {text_u6(want_u6)} filled",
    )


def send(bundle: Bundle, draft: Draft, *, covers_u6: int, plan: str, at_ns: int) -> MakeDraft:
    """Ask for an order; assert invariant 12 on the way out."""
    if draft.purpose is not Purpose.OPEN:
        open_u6 = bundle.covering_u6
        naked_u6 = bundle.naked()[1]
        assert covers_u6 + open_u6 <= naked_u6, (
            f"bundle {bundle.id}: {covers_u6} on top of {open_u6} pending exceeds naked {naked_u6}"
        )
    bundle.adopt(Child(draft, covers_u6=covers_u6, plan=plan, at_ns=at_ns))
    return MakeDraft(draft=draft)


# --- the way out of a residue --------------------------------------------------------------------


def _leave(bundle: Bundle, now: Now) -> list[Action]:
    """Try the cheapest lawful exit; hold with the reason shown while there is none."""
    naked_u6 = bundle.naked()[1]
    if now.at_ns >= bundle.rest_until_ns:
        bundle.rest_over = True
        bundle.ref = None
        bundle.rest_until_ns += max(now.config.rest_ms * MS, POLL_NS)
    if bundle.exits():
        return _pull(bundle, now)
    if naked_u6 < DUST_U6 or now.at_ns < bundle.retry_ns:
        return []
    answer = _way_out(bundle, now, may_rest=not bundle.rest_over)
    if isinstance(answer, Exit):
        assert now.quotes is not None, "an exit is priced from quotes"
        bundle.plan = answer.plan.value
        draft = exit_draft(bundle, answer, now.quotes, now.at_ns)
        bundle.note(f"{draft.why}: {draft.side.value} {text_u6(draft.qty_u6)} "
                    f"{draft.outcome.value} at {text_u6(draft.px_u6)}", now.at_ns)  # fmt: skip
        return [send(bundle, draft, covers_u6=answer.covers_u6, plan=bundle.plan,
                     at_ns=now.at_ns)]  # fmt: skip
    bundle.plan = ""
    bundle.note(answer, now.at_ns)
    return _stuck(bundle, answer, now)


def _way_out(bundle: Bundle, now: Now, *, may_rest: bool) -> Exit | str:
    quotes = now.quotes
    if quotes is None:
        return "no quotes"
    outcome, naked_u6 = bundle.naked()
    is_old = bundle.is_late or bool(bundle.failed_ns)
    if is_old or bundle.ref is None or bundle.ref[0] is not outcome:
        px_u6 = touch_u6(outcome, quotes)
        if px_u6 is None:
            return "no price on either side"
        bundle.ref = (outcome, px_u6)
    bundle.barred = {p: until for p, until in bundle.barred.items() if until > now.at_ns}
    bite_u6 = bundle.bite_u6 or naked_u6
    naked = Naked(
        outcome=outcome,
        qty_u6=min(naked_u6, bite_u6),
        sellable_u6=bundle.sellable_u6(outcome),
        ref_u6=bundle.ref[1],
    )
    barred = frozenset(bundle.barred)
    return choose_exit(
        naked,
        quotes,
        slip_u6=_slip_u6(bundle, now),
        may_rest=may_rest,
        barred=barred,
        collar_u6=now.config.slip_max_u6,
    )


def _slip_u6(bundle: Bundle, now: Now) -> int:
    """Widen the slip with the clock, so that the price is not what keeps a side naked."""
    config = now.config
    half_ns = config.residue_ms * MS // 2
    age_ns = min(max(0, now.at_ns - bundle.since_ns), half_ns)
    more_u6 = max(0, config.slip_max_u6 - config.slip_u6)
    return config.slip_u6 + more_u6 * age_ns // half_ns


def _pull(bundle: Bundle, now: Now) -> list[Action]:
    """Cancel a resting exit that is over, too large, or beaten by a taker's way."""
    actions: list[Action] = []
    for child in bundle.exits():
        if child.plan != "rest" or child.cancel_ns or not child.cid:
            continue
        is_old = now.at_ns >= child.asked_ns + REST_LIFE_MIN_NS
        if bundle.rest_over:
            why = f"rested {now.config.rest_ms} ms"
        elif bundle.covering_u6 > bundle.naked()[1] + DUST_U6:
            why = "more than is naked"
        elif is_old and isinstance(_way_out(bundle, now, may_rest=False), Exit):
            why = "a taker's way opened"
        else:
            continue
        child.cancel_ns = now.at_ns
        actions.append(CancelOrder(cid=child.cid, why=why))
    return actions


def _stuck(bundle: Bundle, why: str, now: Now) -> list[Action]:
    """Raise the alarm once when a share or more stays naked with no way out."""
    _, naked_u6 = bundle.naked()
    age_ns = now.at_ns - bundle.since_ns
    is_due = age_ns >= now.config.residue_ms * MS and naked_u6 >= SMALL_U6
    if not is_due or "stuck" in bundle.alarms:
        return []
    bundle.alarms.add("stuck")
    text = f"bundle {bundle.id}: {text_u6(naked_u6)} naked for {age_ns // MS} ms, {why}"
    return [Alert(code="residue_stuck", text=text)]


# --- the merge -----------------------------------------------------------------------------------


def _merge(bundle: Bundle, now: Now) -> list[Action]:
    """Merge once every trade has settled: never what may still be taken back."""
    is_due = now.config.merge and bundle.is_settled and not bundle.merging_u6
    if not is_due or now.at_ns < bundle.merge_ns or bundle.merge_tries >= MERGE_TRIES_MAX:
        return []
    bundle.merging_u6 = bundle.pairs_u6
    bundle.request = f"merge-{bundle.id}-{bundle.merge_tries}"
    bundle.plan = "merge"
    bundle.note(f"merge of {text_u6(bundle.merging_u6)} pairs asked", now.at_ns)
    return [
        MergePairs(
            bundle=bundle.id,
            request=bundle.request,
            market=bundle.market,
            qty_u6=bundle.merging_u6,
        )
    ]


def next_due_ns(bundle: Bundle, now: Now) -> int | None:
    """Say when to look at it again; every bundle that is not over has a live timer."""
    if bundle.closed or bundle.frozen:
        return None
    at_ns = now.at_ns
    if bundle.state is BundleState.COMPLETE:
        is_open = now.config.merge and not bundle.merging_u6
        if not is_open or bundle.merge_tries >= MERGE_TRIES_MAX:
            return None
        if bundle.is_settled:
            return max(bundle.merge_ns, at_ns)
        return None if bundle.is_backed else at_ns + IDLE_NS
    if bundle.state is BundleState.FLAT:
        return None
    leg_ns, patience_ns = now.config.leg_ms * MS, now.config.residue_ms * MS
    times = [at_ns + (POLL_NS if bundle.state is BundleState.RESIDUE else IDLE_NS)]
    for child in bundle.children:
        if not child.is_over and child.plan != "rest":
            times += [child.asked_ns + leg_ns, child.asked_ns + leg_ns + patience_ns]
    if bundle.state is BundleState.RESIDUE:
        times += [bundle.rest_until_ns, bundle.since_ns + patience_ns, bundle.retry_ns]
    return min(time for time in times if time > at_ns)
