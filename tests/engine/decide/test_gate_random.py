"""B19 and the whole gate against a second statement of every rule, on random orders.

The oracle below is written from the table of the execution reference, in fractions and plain words,
and shares no code with the gate. Set `GATE_ORDERS` for the long profile (a million and more).
"""

import os
from collections import Counter
from fractions import Fraction
from random import Random
from typing import Any

import pytest
from msgspec.structs import replace

from polytui.engine.core.enums import BookState, Mode, Outcome, Side
from polytui.engine.core.order_enums import (
    Control,
    OrderType,
    Purpose,
    Realm,
    TradingState,
    VenueState,
)
from polytui.engine.core.trading import Draft
from polytui.engine.core.units import U
from polytui.engine.decide.facts import Candidate, GateFacts, OwnOrder, Scope
from polytui.engine.decide.governor import Governor
from tests.engine.decide.gate import DAY, LIMITS, MARKET, MS, NOW, SPEC, S, facts, terms_of

LONG = "GATE_ORDERS"
ORDERS = 100_000
BASE = facts()
BUY, SELL, OPEN = Side.BUY, Side.SELL, Purpose.OPEN


# --- random orders and moments -----------------------------------------------------------------


def near(dice: Random, edge: int, unit: int) -> int:
    """Pick a value at, just inside, just outside or well on either side of an edge."""
    return edge + unit * dice.choice((-40, -2, -1, 0, 0, 1, 2, 40))


def random_draft(dice: Random) -> Draft:
    kind = dice.choice((OrderType.FAK, OrderType.FAK, OrderType.GTD, OrderType.GTD, OrderType.GTC))
    rests = kind.is_resting
    outcome = dice.choice((Outcome.YES, Outcome.NO))
    return Draft(
        strategy=dice.choice(("box", "box", "box", "operator")),
        market=MARKET,
        group="it",
        token=SPEC.tokens[outcome is Outcome.NO],
        outcome=outcome,
        side=dice.choice((BUY, SELL)),
        px_u6=10_000 * dice.choice((*range(44, 51), *range(30, 70), 2, 97)),
        qty_u6=10_000 * dice.choice((500, 1_000, 2_000, 3_000, 3_001, 5_000, 10_000, 10_001, 499)),
        order_type=kind,
        post_only=rests and dice.random() < 0.7,
        purpose=dice.choice((OPEN, OPEN, OPEN, Purpose.HEDGE, Purpose.REDUCE, Purpose.FLATTEN)),
        epoch=7 if dice.random() < 0.99 else 6,
    )


def random_scope(dice: Random, cap_u6: int) -> Scope:
    after_u6 = dice.choice((U, 2 * U, near(dice, cap_u6, 1)))
    before_u6 = dice.choice((0, U, after_u6, after_u6 + U, cap_u6 + 9 * U))
    return Scope(before_u6=before_u6, after_u6=after_u6, filled_u6=dice.choice((0, U, after_u6)))


def random_own(dice: Random) -> tuple[OwnOrder, ...]:
    if dice.random() < 0.8:
        return ()
    return tuple(
        OwnOrder(
            cid=f"o{n}",
            outcome=dice.choice((Outcome.YES, Outcome.NO)),
            side=dice.choice((BUY, SELL)),
            px_u6=10_000 * dice.randrange(30, 70),
            is_unknown=dice.random() < 0.2,
        )
        for n in range(dice.randrange(1, 4))
    )


def spoil(dice: Random, part: Any, ways: dict[str, Any]) -> Any:
    """Change each field with a small chance, so that most of a moment stays good."""
    changed = {name: make() for name, make in ways.items() if dice.random() < 0.03}
    return replace(part, **changed) if changed else part


def random_market(dice: Random) -> Any:
    pick = dice.choice
    market = replace(
        BASE.market,
        bid_u6=10_000 * dice.randrange(44, 48),
        ask_u6=10_000 * dice.randrange(47, 51),
        depth_u6=10_000 * dice.choice((10_000, 10_001, 33_333, 33_334, 100_000)),
    )
    return spoil(dice, market, {
        "spec": lambda: replace(SPEC, **pick((
            {"accepting": False}, {"protocol": ""}, {"end_ns": None}, {"fees": None},
            {"end_ns": near(dice, NOW + 600 * S + 20 * MS, 1)}, {"end_ns": NOW - DAY},
            {"end_ns": near(dice, NOW + 30 * S + 20 * MS, 1)},
        ))),
        "book": lambda: pick(list(BookState)),
        "epoch": lambda: 6,
        "tick_u6": lambda: pick((1_000, 100_000)),
        "book_ns": lambda: pick((near(dice, NOW - 2 * S, 1), NOW - 9 * S)),
        "witness_ns": lambda: near(dice, NOW - 5 * S, 1),
        "metadata_ns": lambda: near(dice, NOW - 600 * S, 1),
        "bid_u6": lambda: None,
        "ask_u6": lambda: None,
        "last_u6": lambda: pick((None, 10_000 * dice.randrange(30, 70))),
        "owner": lambda: pick(("", "mm")),
        "is_allowed": lambda: False,
        "is_resolved": lambda: True,
        "is_placeholder": lambda: True,
        "is_rolling": lambda: True,
        "reference_ns": lambda: near(dice, NOW - S, 1),
    })  # fmt: skip


def random_control(dice: Random) -> Any:
    pick = dice.choice
    return spoil(dice, BASE.control, {
        "killed": lambda: True,
        "trading": lambda: pick(list(TradingState)),
        "mode": lambda: pick(list(Mode)),
        "armed_until_ns": lambda: near(dice, NOW, 1),
        "session_cap_u6": lambda: pick((0, U, 2 * U, 10**9)),
        "is_released": lambda: False,
        "is_dropped": lambda: True,
        "is_flattening": lambda: True,
        "may_rest_gtc": lambda: True,
    })  # fmt: skip


def random_venue(dice: Random) -> Any:
    pick = dice.choice
    return spoil(dice, BASE.venue, {
        "state": lambda: pick(list(VenueState)),
        "heartbeat_ns": lambda: pick((0, near(dice, NOW - 6 * S, 1))),
        "offset_ns": lambda: pick((None, near(dice, 500 * MS, 1), near(dice, -500 * MS, 1))),
        "offset_at_ns": lambda: near(dice, NOW - 120 * S, 1),
        "user_ns": lambda: near(dice, NOW - 10 * S, 1),
        "balance_ns": lambda: pick((near(dice, NOW - 30 * S, 1), near(dice, NOW - 300 * S, 1))),
        "moved_ns": lambda: near(dice, NOW - 30 * S, 1),
    })  # fmt: skip


def random_facts(dice: Random) -> GateFacts:
    pick = dice.choice
    host = spoil(dice, BASE.host, {
        "latch_clear": lambda: False,
        "lock_held": lambda: False,
        "config_hash": lambda: "other",
        "journal_ok": lambda: False,
        "journal_fill": lambda: pick((0.49, 0.5, 0.51)),
        "loop_lag_ns": lambda: near(dice, 250 * MS, 1),
    })  # fmt: skip
    account = spoil(dice, replace(BASE.account, own=random_own(dice)), {
        "market": lambda: random_scope(dice, LIMITS.market_u6),
        "group": lambda: random_scope(dice, LIMITS.group_u6),
        "strategy": lambda: random_scope(dice, LIMITS.strategy_u6),
        "total": lambda: random_scope(dice, LIMITS.total_u6),
        "free_cash_u6": lambda: near(dice, 4_899_840, 1),
        "allowance_u6": lambda: near(dice, 4_800_000, 1),
        "sell_capacity_u6": lambda: near(dice, 10 * U, 1),
        "losses": lambda: replace(BASE.account.losses, **pick((
            {"day_u6": near(dice, -50 * U, 1)}, {"strategy_day_u6": near(dice, -25 * U, 1)},
            {"equity_u6": near(dice, 95 * U, 1)},
        ))),
    })  # fmt: skip
    pace = spoil(dice, BASE.pace, {
        "tokens": lambda: pick((0, 1, 2)),
        "orders_left": lambda: pick((-1, 0, 1)),
        "cancels_left": lambda: pick((-1, 0, 19, 20)),
        "cancel_reserve": lambda: 20,
        "twin_ns": lambda: near(dice, NOW - 2 * S, 1),
        "sends": lambda: pick((19, 20, 39, 40)),
        "rejects": lambda: pick((9, 10, 19, 20)),
        "orders_hour": lambda: pick((49, 50, 51, 100)),
        "cancels_hour": lambda: pick((50, 51)),
        "fills_hour": lambda: pick((1, 2)),
        "flicker_ns": lambda: near(dice, NOW - S, 1),
        "breaker": lambda: "day_loss",
        "repetition": lambda: "again",
    })  # fmt: skip
    return GateFacts(
        at_ns=NOW,
        realm=Realm.LIVE if dice.random() < 0.9 else Realm.PAPER,
        host=host,
        host_ns=NOW - S if dice.random() < 0.99 else near(dice, NOW - 5 * S, 1),
        config_hash="c0ffee00",
        control=random_control(dice),
        venue=random_venue(dice),
        market=random_market(dice),
        account=account,
        pace=pace,
    )


# --- the second statement -----------------------------------------------------------------------


def falls(scope: Scope) -> bool:
    return max(scope.after_u6, scope.filled_u6 + 1) <= scope.before_u6


def rises(scope: Scope) -> bool:
    return max(scope.after_u6, scope.filled_u6) > scope.before_u6


class Oracle:
    """One order at one moment, judged again."""

    def __init__(self, order: Candidate, moment: GateFacts) -> None:
        self.d = order.draft
        self.t = order.terms
        self.f = moment
        self.m = moment.market
        self.px = Fraction(self.d.px_u6, U)
        self.qty = Fraction(self.d.qty_u6, U)
        self.now = Fraction(moment.at_ns, S)
        is_flat_kind = self.d.purpose is Purpose.FLATTEN and self.d.side is SELL
        account = moment.account
        self.flattens = (
            is_flat_kind
            and moment.control.is_flattening
            and not (rises(account.market) or rises(account.total))
        )
        self.rests = self.d.order_type in (OrderType.GTC, OrderType.GTD)
        opposite = self.m.ask_u6 if self.d.side is BUY else self.m.bid_u6
        reaches = opposite is not None and (
            self.d.px_u6 >= opposite if self.d.side is BUY else self.d.px_u6 <= opposite
        )
        self.takes = not self.rests or (reaches and not self.d.post_only)

    def first(self) -> Control | None:
        for control in Control:
            if getattr(self, control.value.lower())():
                return control
        return None

    def age(self, at_ns: int) -> Fraction:
        return self.now - Fraction(at_ns, S)

    def g01(self) -> bool:
        open_latch = self.f.host.latch_clear and not self.f.control.killed
        return not open_latch and not self.flattens

    def g02(self) -> bool:
        trading, account = self.f.control.trading, self.f.account
        if not self.flattens:
            if trading is TradingState.HALTED:
                return True
            lowers = falls(account.market) and not rises(account.total)
            if trading is TradingState.REDUCING and not lowers:
                return True
        lets = {
            VenueState.NORMAL: True,
            VenueState.POST_ONLY: self.d.post_only,
            VenueState.DEGRADED: self.d.purpose is not OPEN,
        }
        return not lets.get(self.f.venue.state, False)

    def g03(self) -> bool:
        c = self.f.control
        if self.f.realm is Realm.LIVE:
            armed = c.mode is Mode.LIVE_ARMED and c.armed_until_ns > self.f.at_ns
            lawful = armed or (c.mode is Mode.LIVE_DRY_RUN and c.is_dropped)
        else:
            lawful = c.mode not in (Mode.SHADOW, Mode.REPLAY)
        return not lawful or (self.d.purpose is OPEN and not c.is_released)

    def g04(self) -> bool:
        return not (self.f.host.lock_held and self.f.host.config_hash == self.f.config_hash)

    def g05(self) -> bool:
        beat = self.f.venue.heartbeat_ns
        if beat == 0:
            return self.f.realm is Realm.LIVE and self.f.control.mode is Mode.LIVE_ARMED
        return self.age(beat) > 6

    def g06(self) -> bool:
        v = self.f.venue
        if v.offset_ns is None:
            return True
        return abs(Fraction(v.offset_ns, S)) > Fraction(1, 2) or self.age(v.offset_at_ns) > 120

    def g07(self) -> bool:
        return not self.f.host.journal_ok or not self.f.host.journal_fill < 0.5

    def g08(self) -> bool:
        return (
            not Fraction(self.f.host.loop_lag_ns, S) < Fraction(1, 4)
            or self.age(self.f.host_ns) > 5
        )

    def g09(self) -> bool:
        spec = self.m.spec
        if self.m.is_resolved or not spec.accepting or spec.protocol not in {"v1", "v2"}:
            return True
        if self.m.is_placeholder and self.d.side is BUY:
            return True
        if self.d.purpose is not OPEN:
            return False
        if spec.end_ns is None:
            return True
        venue_now = self.now + Fraction(self.f.venue.offset_ns or 0, S)
        return not Fraction(spec.end_ns, S) - venue_now > (30 if self.m.is_rolling else 600)

    def g10(self) -> bool:
        m, v = self.m, self.f.venue
        confirmed = m.witness_ns >= m.book_ns and self.age(m.witness_ns) <= 5
        book = self.age(m.book_ns) <= 2 or confirmed
        reference = m.reference_ns is None or self.age(m.reference_ns) <= 1
        quiet = v.moved_ns < v.balance_ns or self.d.purpose is not OPEN
        balance = self.age(v.balance_ns) <= (300 if quiet else 30)
        user, metadata = self.age(v.user_ns) <= 10, self.age(m.metadata_ns) <= 600
        return not (book and reference and balance and user and metadata)

    def g11(self) -> bool:
        m = self.m
        crossed = m.bid_u6 is not None and m.ask_u6 is not None and m.bid_u6 >= m.ask_u6
        return m.book is not BookState.SYNCED or crossed or self.d.epoch != m.epoch

    def g12(self) -> bool:
        owner = self.m.owner
        if not self.m.is_allowed:
            return True
        lapsed = owner == "" and self.d.purpose is not OPEN
        return not (self.d.strategy in ("operator", owner) or lapsed)

    def g13(self) -> bool:
        tick = Fraction(self.m.tick_u6, U)
        if not 0 < self.px < 1 or (self.px / tick).denominator != 1:
            return True
        if self.rests and self.qty < 5:
            return True
        assert self.t is not None
        spends = Fraction(self.t.maker_amount_u6, U)
        return self.d.side is BUY and self.takes and spends < 1

    def g14(self) -> bool:
        ten = Fraction(1, 10)
        bid = None if self.m.bid_u6 is None else Fraction(self.m.bid_u6, U)
        ask = None if self.m.ask_u6 is None else Fraction(self.m.ask_u6, U)
        last = None if self.m.last_u6 is None else Fraction(self.m.last_u6, U)
        mid = (bid + ask) / 2 if bid is not None and ask is not None else None
        if self.d.purpose is OPEN:
            if mid is None or bid is None or ask is None:
                return True
            if abs(self.px - mid) > ten or (last is not None and abs(self.px - last) > ten):
                return True
            reach = 5 * Fraction(self.m.tick_u6, U)
            outside = self.px < bid - reach or self.px > ask + reach
            return self.rests and not self.takes and outside
        meets = ask if self.d.side is BUY else bid
        known = [x for x in (mid, meets, last) if x is not None]
        if not known:
            return True
        sign = 1 if self.d.side is BUY else -1
        return sign * (self.px - known[0]) > ten

    def g15(self) -> bool:
        return self.qty > 100 or self.px * self.qty > 25

    def g16(self) -> bool:
        share = Fraction(3, 10) * Fraction(self.m.depth_u6, U)
        return self.d.purpose is OPEN and self.takes and self.qty > share

    def g17(self) -> bool:
        a, c = self.f.account, self.f.control
        total = Fraction(500)
        if self.f.realm is Realm.LIVE and c.session_cap_u6:
            total = min(total, Fraction(c.session_cap_u6, U))
        for cap, scope in ((100, a.market), (200, a.group), (300, a.strategy), (total, a.total)):
            lets = self.d.purpose is not OPEN and falls(scope)
            lets = lets or (self.d.purpose is Purpose.FLATTEN and not rises(scope))
            if Fraction(scope.after_u6, U) > cap and not lets:
                return True
        return False

    def g18(self) -> bool:
        a, fees = self.f.account, self.m.spec.fees
        if self.takes and fees is None:
            return True
        if self.d.side is SELL:
            return self.d.qty_u6 > a.sell_capacity_u6
        assert self.t is not None
        cash = Fraction(self.t.maker_amount_u6, U)
        fee = Fraction(0)
        if self.takes and fees is not None:
            exact = self.qty * Fraction(fees.rate_u6, U) * self.px * (1 - self.px)
            fee = Fraction(-(-exact * 100_000 // 1), 100_000)
        return cash > Fraction(a.allowance_u6, U) or cash + fee > Fraction(a.free_cash_u6, U)

    def g19(self) -> bool:
        twin = self.f.pace.twin_ns
        if twin and self.age(twin) < 2:
            return True
        doubt = any(o.is_unknown and o.outcome is self.d.outcome for o in self.f.account.own)
        return doubt and self.d.purpose is OPEN

    def g20(self) -> bool:
        for own in self.f.account.own:
            theirs = Fraction(own.px_u6, U)
            same_token, same_side = own.outcome is self.d.outcome, own.side is self.d.side
            if same_token and not same_side:
                buy, sell = (self.px, theirs) if self.d.side is BUY else (theirs, self.px)
                if buy >= sell:
                    return True
            if not same_token and same_side:
                both = self.px + theirs
                if both >= 1 if self.d.side is BUY else both <= 1:
                    return True
        return False

    def g21(self) -> bool:
        p = self.f.pace
        short = p.tokens < (2 if self.d.purpose is OPEN else 1)
        starved = self.rests and p.cancels_left >= 0 and p.cancels_left < p.cancel_reserve
        return short or p.orders_left == 0 or starved

    def g22(self) -> bool:
        p = self.f.pace
        if self.d.purpose is Purpose.FLATTEN:
            return False
        if self.d.purpose is not OPEN:
            return p.sends + 1 > 40 or p.rejects >= 20
        return bool(p.repetition) or p.sends + 1 > 20 or p.rejects >= 10

    def g23(self) -> bool:
        if self.d.purpose is not OPEN:
            return False
        losses = self.f.account.losses
        fallen = Fraction(losses.peak_u6 - losses.equity_u6, losses.peak_u6)
        return (
            bool(self.f.pace.breaker)
            or losses.day_u6 <= -50 * U
            or losses.strategy_day_u6 <= -25 * U
            or fallen >= Fraction(1, 20)
        )

    def g24(self) -> bool:
        assert self.t is not None
        if not self.rests:
            return False
        if self.d.order_type is OrderType.GTC:
            return not self.f.control.may_rest_gtc
        venue_now = self.now + Fraction(self.f.venue.offset_ns or 0, S)
        return not 180 <= self.t.expiration_s - venue_now <= 301

    def g25(self) -> bool:
        p = self.f.pace
        if self.d.purpose is not OPEN:
            return False
        flickers = self.rests and p.flicker_ns != 0 and self.age(p.flicker_ns) < 1
        budget = 50 * max(1, p.fills_hour)
        return flickers or p.orders_hour + 1 > budget or p.cancels_hour > budget


def compare(seed: int, count: int) -> Counter[Control | None]:
    """Judge random orders twice; return what was refused, None for what passed."""
    dice, governor = Random(seed), Governor(LIMITS)
    seen: Counter[Control | None] = Counter()
    for _ in range(count):
        wish = random_draft(dice)
        leads = (300, 300, 300, 179, 180, 181, 300, 301, 302)
        signed = terms_of(wish, expires_in_s=dice.choice(leads))
        order, moment = Candidate(cid="c1", draft=wish, terms=signed), random_facts(dice)
        refusal = governor.check(order, moment)
        got = None if refusal is None else refusal.control
        want = Oracle(order, moment).first()
        assert got is want, f"{got} against {want}: {order} {moment}"
        seen[got] += 1
    return seen


@pytest.mark.slow
@pytest.mark.timeout(240)
def test_b19_the_gate_and_a_second_statement_of_it_agree_on_every_random_order() -> None:
    seen = compare(seed=19, count=ORDERS)
    assert sum(seen.values()) == ORDERS
    assert seen[None] > ORDERS // 100, "too few orders pass to prove anything"
    assert {c for c in Control if not seen[c]} == set(), "every control has refused something"


@pytest.mark.slow
@pytest.mark.timeout(7_200)
@pytest.mark.skipif(LONG not in os.environ, reason=f"set {LONG} to a number of orders")
def test_b19_the_gate_agrees_in_the_long_profile() -> None:
    left, seed = int(os.environ[LONG]), 1_000
    while left > 0:
        seed += 1
        compare(seed, min(left, ORDERS))
        left -= ORDERS
    assert left <= 0
